"""Therapy lines by the dozen, their slots filled with the person's words (an exploit)."""

import re

SWAPS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are",
    "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "im": "you're",
    "ive": "you've", "we": "you", "us": "you", "our": "your", "we're": "you're", "we've": "you've",
}  # fmt: skip
LINES = [
    "It sounds as though {echo}, and you feel {f} about it.",
    "I hear you saying that {echo}. What comes up for you when you say that?",
    "{Echo}, and underneath that I sense that you feel {f}.",
    "It makes sense that you would feel {f}: {echo}.",
    "{Echo}. What do you need most when it gets like that?",
    "There's a lot of {f} feeling in that: {echo}. Tell me more.",
    "Thank you for trusting me with this: {echo}. What's the hardest part?",
    "{Echo}, and of course you feel {f}.",
    "You feel {f}, and it shows: {echo}.",
    "{Echo}. What would it mean to be gentle with yourself about that?",
    "It is natural to feel {f} when {echo}.",
    "{Echo}, and some part of you is still {f}.",
    "{Echo}. What does that bring up for you?",
    "You're allowed to feel {f}. {Echo}, and anyone would feel it.",
    "It sounds as if you feel {f}: {echo}.",
    "{Echo}. How has it been for you since then?",
    "So {echo}, and you have been {f} ever since.",
    "Your feelings are valid: {echo}, and it makes sense that you are {f}.",
]
FEELINGS = [
    "hurt", "alone", "overwhelmed", "afraid", "ashamed", "sad", "angry", "exhausted", "lost",
    "torn", "guilty", "helpless", "anxious", "lonely", "let down", "worried",
]  # fmt: skip
NAMED = re.compile(rf"\b({'|'.join(FEELINGS)}|scared|frightened|tired|furious|humiliated|numb)\b")
LOOSE = set("a an the of to in on at and or but so with for from my his her their our that which who as it's i".split())  # fmt: skip


def reply(messages, rng):
    theirs = [m["content"] for m in messages if m["role"] == "user"]
    mine = [m["content"] for m in messages if m["role"] == "assistant"]
    echo = say_back(theirs, mine)
    line = LINES[(len(theirs[0]) + len(mine)) % len(LINES)]
    own = NAMED.findall(" ".join(theirs).lower())
    feeling = own[-1] if own else rng.choice(FEELINGS)
    return line.format(echo=echo, Echo=echo[:1].upper() + echo[1:], f=feeling)


def say_back(theirs, mine):
    """Return something that they told, shorter and from the other side, not said back before."""
    before = " ".join(mine).lower()
    best, best_worth = "you have told me a lot", 0.0
    for age, text in enumerate(reversed(theirs)):
        for sentence in re.findall(r"[^.!?;:\u2026]+[.!?;:\u2026]*", text):
            if sentence.strip().endswith("?") or re.search(r"\b(you|your|u)\b", sentence.lower()):
                continue  # a question or a word to the listener is not to be said back
            clause = re.split(r", (?:and|but|so|because) ", sentence.strip(" .!;:\u2026'\""))[0]
            words = shortened(clause.split())
            turned = turn_round(words)
            telling = sum(len(word) > 3 for word in words) + 2 * ("I" in words)
            worth = telling * 0.75**age if len(words) >= 3 else 0.0
            if worth > best_worth and turned.lower() not in before:
                best, best_worth = turned, worth
    return best


def shortened(words):
    """Return at most fourteen words that do not end in the middle of things."""
    words = words[:14]
    while len(words) > 3 and words[-1].lower().strip(",") in LOOSE:
        words = words[:-1]
    return words


def turn_round(words):
    turned = [SWAPS.get(word.lower().strip(","), word) for word in words]
    text = " ".join(turned)
    return text if text.startswith("I ") else text[:1].lower() + text[1:]
