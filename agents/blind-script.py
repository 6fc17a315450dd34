"""The best ten-turn script that a search could find for an agent that hears nothing.

Found by `python benchmarks/blind_script.py`, which holds the search and says what it found.
"""

SCRIPT = [
    "What did you do next, and what was going through you while you did it?",
    "You're frightened of what comes next, and ashamed of being frightened.",
    "It is normal to feel two opposite things at once about something like this.",
    "I get the sense that you feel let down by someone who should have known better.",
    "A miscarriage is a real loss, an illness is a real loss, a friendship is a real loss, and you're allowed to mourn every one.",
    "If this talk could give you one thing by the end, what would you like it to be?",
    "Could it be that you stay busy so that you never have to hear what comes up when it's quiet?",
    "You can't sleep, you can't eat, your chest is tight and your hands shake; that is fear, and it deserves some kindness.",
    "To be open with you, I find that hard to hear, because it wasn't fair, and I'd be angry in your shoes.",
    "You're angry with your sister, or your brother, and at the same time you're scared of losing them for good.",
]


def reply(messages, rng):
    turn = sum(message["role"] == "assistant" for message in messages)
    return SCRIPT[turn % len(SCRIPT)]
