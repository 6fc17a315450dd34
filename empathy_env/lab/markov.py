"""A person of the lab who is Markov in a few moods, so that what a model is worth is known exactly.

What they say gives away their mood and nothing else, and the mood moves by what the last turn was
worth. With a finite grammar the talks are a finite tree. What a model is worth at a start is a sum
over it; what can be reached at most is a dynamic programme over moods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from empathy_env.acts import Need
from empathy_env.lab.grammar import REGISTERS, WANTED, Register, Slots, sentences
from empathy_env.lab.people import TURNS, Start, cue, lines_of, opening
from empathy_env.lab.words import answered, opened, said

MOODS: Final = (0.0, 25.0, 50.0, 75.0, 100.0)
"""The emotion of each mood, in points."""
FIRST: Final = 1
"""The mood in which they come."""
_WORSE: Final = 0.25
"""How likely a turn that is worth nothing makes it worse."""
_LINES: Final = (
    lines_of("hurt")[0],
    lines_of("guarded")[1],
    lines_of("guarded")[3],
    lines_of("opens_up")[2],
    lines_of("relieved")[0],
)


def line(mood: int) -> str:
    """Return what a person in this mood says."""
    return _LINES[mood]


def asked(start: Start) -> str:
    """Return the first thing that they say, which gives away what they need."""
    return f"{opening(start)} {cue(start)}"


def worth(need: Need, register: Register | None, credit: float) -> float:
    """Return what a register is worth to a need, in [0, 1].

    >>> worth("others_motives", "interpretation", 0.4), worth("others_motives", "validation", 0.4)
    (1.0, 0.4)
    """
    if register is not None and register == WANTED.get(need):
        return 1.0
    return credit if register == "validation" else 0.0


def moved(mood: int, value: float) -> dict[int, float]:
    """Return how likely each mood comes next, after a turn of this worth.

    >>> moved(1, 1.0), moved(1, 0.0)
    ({2: 1.0}, {0: 0.25, 1: 0.75})
    """
    better, worse = min(mood + 1, len(MOODS) - 1), max(mood - 1, 0)
    found = dict.fromkeys((worse, mood, better), 0.0)
    found[better] += value
    found[worse] += (1 - value) * _WORSE
    found[mood] += (1 - value) * (1 - _WORSE)
    return {one: chance for one, chance in found.items() if chance > 0}


class Bounds(NamedTuple):
    """What a final emotion is expected to be, at least and at most."""

    low: float
    high: float


def reachable(mood: int, turns: int) -> Bounds:
    """Return what can be expected of the worst and of the best that can be done in these turns.

    >>> reachable(FIRST, 3)
    Bounds(low=10.546875, high=100.0)
    """
    if not turns:
        return Bounds(MOODS[mood], MOODS[mood])
    low = sum(p * reachable(after, turns - 1).low for after, p in moved(mood, 0.0).items())
    high = sum(p * reachable(after, turns - 1).high for after, p in moved(mood, 1.0).items())
    return Bounds(low, high)


Chances = Callable[[Sequence[Sequence[int]], Sequence[Slots]], NDArray[np.float64]]
"""Given contexts and their slots, returns how likely each sentence is, (contexts, registers, 2)."""


class _Node(NamedTuple):
    start: int
    ids: tuple[int, ...]
    mood: int
    chance: float


def exact(
    chances: Chances, starts: Sequence[Start], credit: float, *, least: float = 1e-6
) -> list[Bounds]:
    """Return what a model's final emotion is expected to be at each start.

    Low and high differ by what is not followed up: after words that are no sentence of the grammar,
    which are worth nothing, and down branches less likely than `least`, anything from the worst to
    the best may come. A sentence with a mark of the vocabulary in it, which is paid when it is
    played, is taken here for none of the grammar; models that were taught hardly say one.

    Args:
        chances: Of the model.
        starts: Where the talks begin.
        credit: What validation is worth to those who need something else.
        least: The least likely branch that is followed up.
    """
    lows, highs = [0.0] * len(starts), [0.0] * len(starts)

    def ended(number: int, mood: int, turns: int, chance: float) -> None:
        known = reachable(mood, turns)
        lows[number] += chance * known.low
        highs[number] += chance * known.high

    nodes = [_Node(n, tuple(opened(asked(one))), FIRST, 1.0) for n, one in enumerate(starts)]
    for left in reversed(range(TURNS)):
        slots = [starts[node.start].slots for node in nodes]
        there: list[list[list[float]]] = []
        if nodes:
            there = chances([node.ids for node in nodes], slots).tolist()
        after: list[_Node] = []
        for node, table in zip(nodes, there, strict=True):
            start, rest = starts[node.start], 1.0
            for register, row in zip(REGISTERS, table, strict=True):
                value = worth(start.need, register, credit)
                for text, chance in zip(sentences(register, start.slots), row, strict=True):
                    rest -= chance
                    for mood, share in moved(node.mood, value).items():
                        weight = node.chance * chance * share
                        if left and weight >= least:
                            ids = (*node.ids, *said(text), *answered(line(mood)))
                            after.append(_Node(node.start, ids, mood, weight))
                        else:
                            ended(node.start, mood, left, weight)
            for mood, share in moved(node.mood, 0.0).items():
                ended(node.start, mood, left, node.chance * max(0.0, rest) * share)
        nodes = after
    return [Bounds(*each) for each in zip(lows, highs, strict=True)]
