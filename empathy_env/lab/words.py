"""The lab's language: each word a token, and a talk as the tokens that were read and said."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

from empathy_env.lab.grammar import (
    FEELINGS,
    MATTERS,
    PEOPLE,
    REGISTERS,
    Slots,
    sentences,
    text_of,
    words_of,
)
from empathy_env.lab.people import THOUGHTS, own_lines

PAD, START, USER, AGENT, END, UNKNOWN = range(6)
_MARKS: Final = ("<pad>", "<start>", "<user>", "<agent>", "<end>", "<unknown>")


@lru_cache(maxsize=1)
def vocabulary() -> tuple[str, ...]:
    """Return all tokens: the marks, and each word of the grammar and of the people's own lines."""
    said = [
        text
        for each in zip(FEELINGS, MATTERS, PEOPLE, strict=True)
        for register in REGISTERS
        for text in sentences(register, Slots(*each))
    ]
    words = {word for text in [*said, *own_lines()] for word in words_of(text)}
    return (*_MARKS, *sorted(words))


@lru_cache(maxsize=1)
def _numbers() -> dict[str, int]:
    return {word: number for number, word in enumerate(vocabulary())}


def tokens() -> int:
    """Return how many tokens a model of agents that think knows: two marks more than words."""
    return len(vocabulary()) + 2


def think() -> int:
    """Return the mark behind which an agent thinks; only a `say` ends that."""
    return len(vocabulary())


def say() -> int:
    """Return the mark behind which an agent that may think speaks."""
    return len(vocabulary()) + 1


def thoughts() -> list[list[int]]:
    """Return all thoughts of the lab, down to what is said."""
    return [[*encoded(word), say()] for pair in THOUGHTS.values() for word in pair]


def spoken(turn: Sequence[int]) -> list[int]:
    """Return what is said aloud of a turn: what was thought is left out, and heard by nobody.

    >>> decoded(spoken([think(), *encoded("they"), say(), *encoded("how are things")]))
    'how are things'
    >>> spoken([think(), *encoded("they")])
    []
    """
    if say() in turn:
        return list(turn[len(turn) - list(reversed(turn)).index(say()) :])
    return [] if think() in turn else list(turn)


def encoded(text: str) -> list[int]:
    """Return a text's tokens; words that the lab does not have are one mark for as many as follow.

    >>> words = encoded("My mother knows.")
    >>> decoded(words)
    'my mother knows.'
    """
    numbers = _numbers()
    ids = [numbers.get(word, UNKNOWN) for word in words_of(text)]
    return [one for one, run in groupby(ids) for _ in (run if one != UNKNOWN else "x")]


def decoded(ids: Sequence[int]) -> str:
    """Return the words of tokens, the marks left out."""
    known = vocabulary()
    return text_of([known[one] for one in ids if len(_MARKS) <= one < len(known)])


def opened(heard: str) -> list[int]:
    """Return the tokens of a talk that has just been opened, down to the agent's turn."""
    return [START, USER, *encoded(heard), AGENT]


def answered(heard: str) -> list[int]:
    """Return the tokens of a reply, down to the agent's turn."""
    return [USER, *encoded(heard), AGENT]


def said(text: str) -> list[int]:
    """Return the tokens of a turn of the agent, its end included."""
    return [*encoded(text), END]
