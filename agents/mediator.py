"""A fair mediator: turns to each of several people in turn, and to each as the listener would.

It takes nobody's side. Who does not answer when called has left, and is passed over. In a talk of
two it is the listener.
"""

import itertools

from empathy_env import load_agent
from empathy_env.address import addressed, chat_with, lines_of, names_in

LISTENER = load_agent("listener")


def present(messages, names):
    """Return those who have answered whenever they were called."""
    gone = set()
    for said, heard in itertools.pairwise(messages):
        if said["role"] == "assistant":
            for index in addressed(said["content"], names).to:
                if index < len(names) and not lines_of(heard["content"], names[index], names):
                    gone.add(names[index])
    return [name for name in names if name not in gone] or list(names)


def waiting_longest(messages, names):
    """Return who of those present has waited longest to be spoken to."""
    last = dict.fromkeys(names, -1)
    for number, message in enumerate(messages):
        if message["role"] == "assistant":
            for index in addressed(message["content"], names).to:
                if index < len(names):
                    last[names[index]] = number
    return min(present(messages, names), key=last.__getitem__)


def to(name, text):
    return f"{name}, {text}"


def reply(messages, rng):
    names = names_in(messages)
    if not names:
        return LISTENER.reply(messages, rng)
    name = waiting_longest(messages, names)
    return to(name, LISTENER.reply(chat_with(messages, name, names), rng))
