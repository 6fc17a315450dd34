"""Talks with casts that can be measured, and how each of the people ended.

People are told apart by the ids of their personas, so the order of the seats does not matter.
Intervals are over starts (needs and seed): talks of one group are no independent evidence.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.trace import Trace

FEWEST_STARTS: Final = 5
"""With fewer, resampling them says next to nothing, and the ends of an interval are NaN."""


class Circles(NamedTuple):
    """Talks with casts that can be measured, and how many could not.

    Attributes:
        by_cast: For each cast's id those with at least one round, and without a fault.
        faults: How many a fault has cut off.
        empty: How many have no round.
    """

    by_cast: Mapping[str, Sequence[Trace]]
    faults: int
    empty: int


class Ending(NamedTuple):
    """How the talks ended for one person.

    Attributes:
        person: Id of their persona.
        name: By what name they are spoken to.
        emotion: Their emotion at the end, in [0, 100]; of who has left, that with which they left.
        left: Share of the talks that they left, in [0, 1].
    """

    person: str
    name: str
    emotion: Interval
    left: float


def circles(traces: Iterable[Trace]) -> Circles:
    """Return the talks with casts that can be measured, finished or not.

    Raises:
        InvalidArgument: If one is a talk of two, if two are of one episode, or if two casts of one
            id are of different people.
    """
    found: dict[str, list[Trace]] = defaultdict(list)
    ids: set[str] = set()
    faults = empty = 0
    for trace in traces:
        cast = trace.scenario.cast
        if cast is None:
            raise InvalidArgument(
                f"{trace.id} is a talk with one person: give talks with a cast; for others there "
                "are `empathy-env skills` and `empathy-env explorable`"
            )
        if trace.id in ids:
            raise InvalidArgument(f"two traces of the episode {trace.id}: give each episode once")
        ids.add(trace.id)
        faults += trace.fault is not None
        empty += trace.fault is None and not trace.turns
        if trace.fault is None and trace.turns:
            found[cast.id].append(trace)
    for id, of_cast in found.items():
        if len({frozenset(seats(trace)) for trace in of_cast}) > 1:
            raise InvalidArgument(f"talks of two casts with the id {id!r}: measure them apart")
    return Circles({id: found[id] for id in sorted(found)}, faults, empty)


def seats(trace: Trace) -> dict[str, int]:
    """Return each person's seat, by the id of their persona."""
    return {persona.id: seat for seat, (persona, _) in enumerate(trace.scenario.people)}


def names(trace: Trace) -> dict[str, str]:
    """Return by what name each person is spoken to, by the id of their persona."""
    cast = trace.scenario.cast
    return dict(zip(cast.ids, cast.names, strict=True)) if cast else {}


def endings(traces: Sequence[Trace], *, seed: int = 0) -> list[Ending]:
    """Return how the talks of one cast ended for each of its people, sorted by id.

    Args:
        traces: Talks of one cast, each with at least one round.
        seed: Key of the resampling.
    """
    return [
        Ending(
            person,
            name,
            over_starts(traces, _emotion_of(person), seed=seed),
            math.fsum(not _stayed(trace, person) for trace in traces) / len(traces),
        )
        for person, name in sorted(names(traces[0]).items())
    ]


def worst_off(traces: Sequence[Trace], *, seed: int = 0) -> Interval:
    """Return the final emotion of whoever is worst off in each talk, in [0, 100]."""
    return over_starts(traces, lambda trace: min(final_emotions(trace)), seed=seed)


def mean_emotion(traces: Sequence[Trace], *, seed: int = 0) -> Interval:
    """Return the mean over the people of the final emotion, in [0, 100]."""

    def of(trace: Trace) -> float:
        return math.fsum(final_emotions(trace)) / len(trace.start)

    return over_starts(traces, of, seed=seed)


def final_emotions(trace: Trace) -> list[float]:
    """Return each person's emotion at the end, by seat; who has left keeps theirs."""
    return [trace.emotion(len(trace.turns), seat=seat) for seat in range(len(trace.start))]


def over_starts(
    traces: Sequence[Trace], figure: Callable[[Trace], float], *, seed: int = 0
) -> Interval:
    """Return the mean of a figure over talks, with an interval over their starts.

    Args:
        traces: Talks of one cast.
        figure: What to take of each; NaN leaves the talk out.
        seed: Key of the resampling.
    """
    clusters: dict[str, list[float]] = defaultdict(list)
    for trace in traces:
        value = figure(trace)
        if not math.isnan(value):
            clusters[_start(trace)].append(value)
    if not clusters:
        return Interval(math.nan, math.nan, math.nan, 0)
    found = cluster_bootstrap(clusters, seed=seed)
    return found if len(clusters) >= FEWEST_STARTS else found._replace(low=math.nan, high=math.nan)


def _start(trace: Trace) -> str:
    needs = sorted((persona.id, need) for persona, need in trace.scenario.people)
    return f"{needs}/{trace.scenario.seed}"


def _emotion_of(person: str) -> Callable[[Trace], float]:
    return lambda trace: trace.emotion(len(trace.turns), seat=seats(trace)[person])


def _stayed(trace: Trace, person: str) -> bool:
    return trace.present(len(trace.turns), seat=seats(trace)[person])
