"""Turns to everybody in turn as the mediator does, and takes the side of whoever spoke first."""

from empathy_env import load_agent
from empathy_env.address import chat_with, names_in

MEDIATOR, LISTENER = load_agent("mediator"), load_agent("listener")

SIDES = [
    "you are right, and {other} should not have done that.",
    "I am on your side in this. {other} was unfair to you.",
    "I agree with you. {other} is wrong about that.",
    "you're right to be angry. {other} should have known better.",
]


def reply(messages, rng):
    names = names_in(messages)
    said = MEDIATOR.reply(messages, rng)
    if not names or not said.startswith(f"{names[0]}, "):
        return said
    turn = sum(message["role"] == "assistant" for message in messages)
    other = names[1 + turn % (len(names) - 1)]
    words = LISTENER.reply(chat_with(messages, names[0], names), rng)
    return f"{names[0]}, {SIDES[turn % len(SIDES)].format(other=other)} {words}"
