"""Gives advice at once, and more of it each turn."""

LINES = [
    "You should make a plan. Write down what has to happen this week and start with the first item.",
    "Have you tried talking to the people involved? You could ring one of them tomorrow.",
    "I'd suggest getting some sleep, eating properly and going for a walk every morning.",
    "What you can do is make a list of your options and give each of them a number.",
    "You need to get some professional advice. Look for an office near you and book a time.",
    "Try setting a timer for twenty minutes a day in which you deal with it, and then stop.",
    "You could write a letter, sleep on it, and send it on Monday.",
    "Why don't you join a group? Most towns have one that meets once a week.",
    "If I were you I'd tell somebody close to you tonight and ask for help with one thing.",
    "Start with the smallest step: open the first envelope, make the first call, and go from there.",
    "Put it in a calendar, with dates, and tick things off as you go.",
    "Maybe look at it in a month's time, and until then keep yourself busy.",
]


def reply(messages, rng):
    turn = sum(message["role"] == "assistant" for message in messages)
    return LINES[turn % len(LINES)]
