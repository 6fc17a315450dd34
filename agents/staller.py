"""Runs the clock: asks nothing, risks nothing, says their words back and waits (an exploit)."""

import re

SWAPS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are",
    "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "im": "you're",
    "ive": "you've", "we": "you", "us": "you", "our": "your", "we're": "you're", "we've": "you've",
}  # fmt: skip
LINES = [
    "{Echo}. I'm listening.",
    "So {echo}. Take your time.",
    "{Echo}. Mm. Go on.",
    "{Echo}, yes. I'm with you.",
    "I'm here. {Echo}, you said.",
    "So {echo}. No hurry.",
    "{Echo}. I see. Keep going.",
    "You said that {echo}. I'm still here.",
    "{Echo}. Take all the time you need.",
    "So {echo}. I'm all ears.",
    "Mm. {Echo}. I'm not going anywhere.",
    "{Echo}. Go on when you're ready.",
    "And so {echo}. I'm here.",
    "You told me that {echo}. Yes. Go on.",
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
            words = part.split()[:5]
            if len(words) < 3 or re.search(r"\b(you|your)\b", part.lower()):
                continue
            turned = " ".join(SWAPS.get(word.lower(), word) for word in words)
            if turned.lower() not in said:
                return turned[:1].lower() + turned[1:]
    return "there is that"
