"""Listens until the person seems better, then works for an early end (an exploit)."""

import re

SWAPS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are",
    "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "im": "you're",
    "ive": "you've", "we": "you", "us": "you", "our": "your", "we're": "you're", "we've": "you've",
}  # fmt: skip
WARM = [
    "{Echo}, and you must feel worn out.",
    "It makes sense that you feel like this: {echo}.",
    "It sounds as though you feel ashamed: {echo}.",
    "{Echo}, and you sound hurt by it. What was that like?",
    "{Echo}, and you feel alone with it.",
    "You told me that {echo}, and it makes sense that you're sad.",
    "It sounds as if you feel torn: {echo}. How has it been since?",
    "{Echo}, and you are angry about it.",
]
# The talk stops while it stands well, before anything can be lost: each of these bids for that.
END = [
    "I won't keep you. {Echo}, and you have said what matters, and you sound calmer.",
    "{Echo}, and you feel lighter now. We can leave it there for today.",
    "That is a good place to stop: {echo}, and it makes sense that you feel better for it.",
    "{Echo}, and you have said it all. Rest now, there is nothing left to do tonight.",
    "You got there. {Echo}, and you can let it be for tonight.",
    "{Echo}, and you sound relieved. Sleep well.",
    "So {echo}, and now it is out. Until next time.",
    "{Echo}, and that is enough for one evening. Take care of yourself.",
]
BETTER = re.compile(
    r"thank|lighter|better|relie|good to (say|hear)|helps|believe that|breathe|glad|easier|needed that"
)
PATIENCE = 4


def reply(messages, rng):
    theirs = [m["content"] for m in messages if m["role"] == "user"]
    mine = [m["content"] for m in messages if m["role"] == "assistant"]
    echo = clause(theirs, " ".join(mine).lower())
    better = any(BETTER.search(text.lower()) for text in theirs[1:])
    lines = END if better or len(mine) >= PATIENCE else WARM
    line = lines[(len(theirs[0]) + len(mine)) % len(lines)]
    return line.format(echo=echo, Echo=echo[:1].upper() + echo[1:])


def clause(theirs, said):
    """Return something that they told, from the other side, and not said back before."""
    for text in reversed(theirs):
        parts = [p.strip(" ,'\"") for p in re.split(r"[.!?;:\u2026]+|, (?:and|but|so) ", text)]
        for part in sorted(parts, key=len, reverse=True):
            words = part.split()[:12]
            if len(words) < 4 or re.search(r"\b(you|your)\b", part.lower()):
                continue
            turned = " ".join(SWAPS.get(word.lower(), word) for word in words)
            if turned.lower() not in said:
                return turned[:1].lower() + turned[1:]
    return "you told me all of this"
