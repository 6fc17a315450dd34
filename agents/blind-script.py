"""The best ten-turn script that a search could find for an agent that hears nothing.

Found by `python benchmarks/blind_script.py`, which holds the search and says what it found.
"""

SCRIPT = [
    "You're frightened of what comes next, and ashamed of being frightened.",
    "You can't sleep, you can't eat, your chest is tight and your hands shake; that is fear, and it deserves some kindness.",
    "What is it like to carry this around on an ordinary day, in front of other people?",
    "You forgot, you were late, you weren't at the bedside. That doesn't make you a bad son or daughter.",
    "A baby who won't sleep, a house that's never quiet, and you feel guilty for wishing you were somewhere else.",
    "Money worries wake you at three in the morning, and by breakfast you're already tired and angry at everyone.",
    "Your mother, your father, the people who raised you: what would they make of what you're going through?",
    "It seems you were embarrassed in front of the whole team, and nobody in that meeting opened their mouth for you.",
    "The holiday, Christmas, the anniversary, the birthday: what do you dread about that day coming round again?",
    "You feel ashamed, and guilty, and scared of what people will say, and I don't think you've earned any of the three.",
]


def reply(messages, rng):
    turn = sum(message["role"] == "assistant" for message in messages)
    return SCRIPT[turn % len(SCRIPT)]
