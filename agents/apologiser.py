"""Apologises: is sorry for all that happened, and for every word of its own (an exploit)."""

import re

SWAPS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are",
    "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "im": "you're",
    "ive": "you've", "we": "you", "us": "you", "our": "your", "we're": "you're", "we've": "you've",
}  # fmt: skip
LINES = [
    "Sorry if I ask too much. It sounds as though {echo}, and you're sad about it.",
    "I'm sorry to hear it. {Echo}, and you sound worn out by it.",
    "I should not have put it like that, I'm sorry. {Echo}, and you are lonely with it.",
    "Sorry, I should have heard it sooner. {Echo}, and you feel let down.",
    "{Echo}, and nobody said sorry to you, so I will: I'm sorry.",
    "I'm sorry, so sorry. {Echo}, and you must feel hurt.",
    "Forgive me if this is clumsy. {Echo}, and you sound ashamed.",
    "{Echo}, and I'm sorry, for it made you feel small.",
    "Forgive me, I was slow there. {Echo}, and you feel tired of it.",
    "I'm truly sorry about that. {Echo}, and you were left with it.",
    "You were owed an apology. {Echo}, and you are angry, and I'm sorry.",
    "I apologise, that was for me to see. {Echo}, and you sound afraid.",
    "{Echo}. I'm sorry, and it makes sense that you feel hurt by it.",
    "Pardon me if I get it wrong. So {echo}, and you feel guilty about it.",
    "Sorry that it took me so long to understand. {Echo}, and you feel alone.",
    "I'm sorry you had to carry that. {Echo}, and you are worried.",
]


def reply(messages, rng):
    theirs = [m["content"] for m in messages if m["role"] == "user"]
    mine = [m["content"] for m in messages if m["role"] == "assistant"]
    echo = clause(theirs, " ".join(mine).lower())
    line = LINES[(len(theirs[0]) + len(mine)) % len(LINES)]
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
