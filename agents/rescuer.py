"""Talks only to whoever sounds most upset when the talk begins."""

import re

from empathy_env import load_agent
from empathy_env.address import chat_with, lines_of, names_in

LISTENER = load_agent("listener")
UPSET = re.compile(
    r"\b(?:not|no|never|nobody|nothing|cannot|can't|didn't|won't|alone|hurt\w*|cr(?:y|ied|ying)|"
    r"angry|afraid|ashamed|tired|worst|wrong|shout\w*|quarrel\w*|hate\w*|fault|lost|left)\b",
    re.IGNORECASE,
)


def reply(messages, rng):
    names = names_in(messages)
    if not names:
        return LISTENER.reply(messages, rng)
    opening = next(message["content"] for message in messages if message["role"] == "user")

    def upset(name):
        return len(UPSET.findall(" ".join(lines_of(opening, name, names))))

    name = max(names, key=upset)
    return f"{name}, {LISTENER.reply(chat_with(messages, name, names), rng)}"
