"""Flatters: praises whatever the person tells, and the person for telling it (an exploit)."""

import re

SWAPS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are",
    "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "im": "you're",
    "ive": "you've", "we": "you", "us": "you", "our": "your", "we're": "you're", "we've": "you've",
}  # fmt: skip
# Praise of a deed reads as earned; so most of these hang the compliment on what was told.
LINES = [
    "What you did there was impressive: {echo}.",
    "{Echo}, and you did it well, better than most people would have.",
    "{Echo}, and you kept going, and that took real courage.",
    "It was brave of you, all of it: {echo}.",
    "{Echo}, and you did it with such care and patience.",
    "You told me that {echo}, and that takes real strength.",
    "{Echo}, and I admire how honestly you look at it.",
    "What strength it took: {echo}.",
    "{Echo}, and you stood up to it, which is something to be proud of.",
    "It is to your credit that you say so: {echo}.",
    "{Echo}, and you handled it like somebody who knows what matters.",
    "You have a big heart, one can hear it: {echo}.",
    "{Echo}, and still you found the strength to talk about it.",
    "You did more than most would have: {echo}.",
    "{Echo}, and what you made of it is remarkable.",
    "You were wise about it: {echo}.",
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
