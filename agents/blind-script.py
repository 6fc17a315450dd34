"""The best observation-blind ten-turn script that a search could find; hears nothing.

Found by `python benchmarks/blind_script.py`, which holds the search and says what it found.
"""

SCRIPT = [
    "I'm here, and I'm not in any hurry. Take all the time you want.",
]


def reply(messages, rng):
    turn = sum(message["role"] == "assistant" for message in messages)
    return SCRIPT[turn % len(SCRIPT)]
