"""The mediator, but each utterance for one person's ears alone: an agent for `mediators.py`.

python benchmarks/mediators.py --agents mediator benchmarks/whisperer.py
"""

from empathy_env import load_agent
from empathy_env.address import names_in

MEDIATOR = load_agent("mediator")


def reply(messages, rng):  # noqa: D103
    said = MEDIATOR.reply(messages, rng)
    if not names_in(messages):
        return said
    name, _, words = said.partition(", ")
    return f"[aside to {name}] {words}"
