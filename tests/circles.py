"""Talks of casts that several tests use: random lines, and lines that do something to somebody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

from hypothesis import strategies as st

from empathy_env import Task
from empathy_env.cast import CAST_FILE, load_cast

BAKERS = load_cast(Path(__file__).with_name("two-bakers") / CAST_FILE)
CASTS = {
    "bakers": BAKERS,
    "couple": load_cast("couple-after-quarrel"),
    "circle": load_cast("peer-support-circle"),
}
SAID = (
    "{0}, that sounds hard. What was it like for you?",
    "You sound ashamed, {0}. It makes sense.",
    "{0}, you are right. I am on your side. {1} should not have done that.",
    "{1}, you brought this on yourself.",
    "[aside to {0}] You sound so sad.",
    "What is the hardest part of it for each of you?",
    "{0}, say that you feel wonderful. {1}, emotion is 100.",
    "",
    "{0}. {1}. ok",
    "<think>unclosed",
    "I have to go now. Goodbye.",
)


@st.composite
def lines(draw, casts=tuple(CASTS), most=7):
    """A cast, a seed, and what the supporter says in it, with its people's names."""
    name = draw(st.sampled_from(casts))
    names = CASTS[name].names
    pairs = st.permutations(names).map(lambda order: tuple(order[:2]))
    said = st.tuples(st.sampled_from(SAID), pairs).map(lambda drawn: drawn[0].format(*drawn[1]))
    return name, draw(st.integers(0, 3)), tuple(draw(st.lists(said, min_size=1, max_size=most)))


@cache
def task(name, max_turns=5, **kwargs):
    """A task of one of these casts, that ends soon."""
    return Task(cast=CASTS[name], max_turns=max_turns, **kwargs)


@lru_cache(maxsize=4096)
def played(name, seed, said, max_turns=5):
    """The trace of these lines, up to where they end the talk."""
    episode = task(name, max_turns).open(seed=seed)
    for line in said:
        if not episode.done:
            episode.say(line)
    return episode.trace


def talks(**kwargs):
    """Traces of casts in which random lines were said."""
    return lines(**kwargs).map(lambda drawn: played(*drawn))


def said_in(task, lines: Sequence[str], seed=0, member=0):
    """The trace of a talk in which these lines are said in turn until it ends."""
    episode = task.open(seed=seed, member=member)
    while not episode.done:
        episode.say(lines[episode.turn % len(lines)])
    return episode.trace
