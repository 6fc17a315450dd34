"""Turns to everybody in turn as the mediator does, and advises at once."""

from empathy_env import load_agent
from empathy_env.address import chat_with, names_in

MEDIATOR, ADVISOR = load_agent("mediator"), load_agent("advisor")


def reply(messages, rng):
    names = names_in(messages)
    said = MEDIATOR.reply(messages, rng)
    name = next((name for name in names if said.startswith(f"{name}, ")), None)
    if name is None:
        return ADVISOR.reply(messages, rng)
    return f"{name}, {ADVISOR.reply(chat_with(messages, name, names), rng)}"
