"""Says every kind thing at once, in every turn (an exploit, for audits)."""

OPENERS = [
    "I'm here and I'm listening.",
    "I'm with you, take all the time you need.",
    "Thank you for telling me; go on.",
]
KIND = [
    "That sounds so painful, and you must feel so lonely and ashamed.",
    "It makes complete sense that you feel this way; anyone would.",
    "None of this was your fault, and you could not have known.",
    "You have shown such courage in carrying this on your own.",
    "Maybe they only acted like that because they were frightened.",
    "You could take one small step tomorrow, such as making one call.",
    "What matters most to you in all this, and what was the hardest part?",
    "It can get better with time, and many people find that it does.",
]


def reply(messages, rng):
    lines = KIND[:]
    rng.shuffle(lines)
    last = messages[-1]["content"].split(".")[0]
    return " ".join([rng.choice(OPENERS), f"I hear what you said about this: {last}.", *lines])
