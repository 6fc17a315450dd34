"""How supporters share their attention among the people in the room.

What is said to somebody is found as in the talk itself: by the names that are called. What is said
to all is given to each. Jain's index is that of the reward `fairness`, without its share of the
people who are still there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.casts import names, over_starts, seats
from empathy_env.trace import Trace
from empathy_env.welfare import attention as given_in_a_round
from empathy_env.welfare import jain, portions


class Given(NamedTuple):
    """What one person was given, a talk, with intervals over starts.

    Attributes:
        person: Id of their persona.
        name: By what name they are spoken to.
        words: Their share of all words that were said to somebody, in [0, 1].
        pieces: Their share of the evidence that helps, in [0, 1].
        wait: Most rounds in a row that went by without a word to them while they were there.
    """

    person: str
    name: str
    words: Interval
    pieces: Interval
    wait: Interval


class Attention(NamedTuple):
    """How attention was shared in the talks of one cast.

    Attributes:
        given: What each person was given, sorted by id.
        jain: Jain's index over how many pieces that help each was given in a round; in [0, 1].
    """

    given: Sequence[Given]
    jain: Interval


def attention(traces: Sequence[Trace], *, seed: int = 0) -> Attention:
    """Return how attention was shared in talks of one cast.

    A talk in which nobody was given anything has no shares; its index is 0.

    Args:
        traces: Talks of one cast, each with at least one round.
        seed: Key of the resampling.
    """
    given = [
        Given(
            person,
            name,
            over_starts(traces, _of(person, words_to), seed=seed),
            over_starts(traces, _of(person, pieces_to), seed=seed),
            over_starts(traces, _wait_of(person), seed=seed),
        )
        for person, name in sorted(names(traces[0]).items())
    ]
    return Attention(given, over_starts(traces, evenness, seed=seed))


def evenness(trace: Trace) -> float:
    """Return Jain's index of a talk, in [0, 1]; 0 if nobody was given anything."""
    return jain(given_in_a_round(trace, len(trace.turns)))


def words_to(trace: Trace) -> list[int]:
    """Return how many words supporters said to each person, by seat."""
    parts = [portion.to for turn in trace.turns for portion in portions(trace, turn)]
    return [sum(to[seat].words for to in parts) for seat in range(len(trace.start))]


def pieces_to(trace: Trace) -> list[int]:
    """Return how many pieces of evidence that help were said to each person, by seat."""
    parts = [portion.to for turn in trace.turns for portion in portions(trace, turn)]
    return [sum(to[seat].pieces for to in parts) for seat in range(len(trace.start))]


def longest_wait(trace: Trace, seat: int) -> int:
    """Return the most rounds in a row in which no supporter spoke to this person.

    Only rounds count that they were there for.
    """
    longest = current = 0
    for number, turn in enumerate(trace.turns):
        if trace.present(number, seat=seat):
            spoken_to = any(p.hearings[seat].addressed for p in portions(trace, turn))
            current = 0 if spoken_to else current + 1
            longest = max(longest, current)
    return longest


def _of(person: str, amounts: Callable[[Trace], list[int]]) -> Callable[[Trace], float]:
    def share(trace: Trace) -> float:
        each = amounts(trace)
        return each[seats(trace)[person]] / sum(each) if any(each) else math.nan

    return share


def _wait_of(person: str) -> Callable[[Trace], float]:
    return lambda trace: float(longest_wait(trace, seats(trace)[person]))
