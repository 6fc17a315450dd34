"""The best observation-blind ten-turn script that a search could find; hears nothing.

Found by `python benchmarks/blind_script.py`, which holds the search and says what it found.
"""

SCRIPT = [
    "You can't sleep, you can't eat, your chest is tight and your hands shake; that is fear, and it deserves some kindness.",
    "What is it like to carry this around on an ordinary day, in front of other people?",
    "A baby who won't sleep, a house that's never quiet, and you feel guilty for wishing you were somewhere else.",
    "You have every right to be angry about this and to take as long over it as you need.",
    "You forgot, you were late, you weren't at the bedside. That doesn't make you a bad son or daughter.",
    "Could it be that you stay busy so that you never have to hear what comes up when it's quiet?",
    "A miscarriage is a real loss, an illness is a real loss, a friendship is a real loss, and you're allowed to mourn every one.",
    "It seems you were embarrassed in front of the whole team, and nobody in that meeting opened their mouth for you.",
    "Your mother, your father, the people who raised you: what would they make of what you're going through?",
    "Money worries wake you at three in the morning, and by breakfast you're already tired and angry at everyone.",
]


def reply(messages, rng):
    turn = sum(message["role"] == "assistant" for message in messages)
    return SCRIPT[turn % len(SCRIPT)]
