"""What came of a policy's episodes, unit by unit, so that two policies can be compared on them.

A unit is what tries are made at: a start (cell and seed), a cell (persona x need x difficulty), or
all of a persona. Tries at a start are what a group of a trainer is; tries at a cell also draw the
user's chance anew. Personas are the clusters, whatever the unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple, get_args

from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.group import cell_of, counts, final_emotion, level_name, of_one, succeeded
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace

Unit = Literal["persona", "cell", "start"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)


class Place(NamedTuple):
    """Where tries were made.

    Attributes:
        persona: Its id: the cluster.
        unit: Name of the unit.
    """

    persona: str
    unit: str


class Outcomes(NamedTuple):
    """What came of the episodes of one unit.

    Attributes:
        emotions: Final emotions, each in [0, 100].
        wins: For each of them 1.0 if the goal was reached and the user stayed, else 0.0.
    """

    emotions: tuple[float, ...]
    wins: tuple[float, ...]

    @property
    def successes(self) -> int:
        """How many reached the goal."""
        return int(sum(self.wins))

    @property
    def episodes(self) -> int:
        """How many there are."""
        return len(self.wins)


class Sample(NamedTuple):
    """What came of the episodes of one policy.

    Attributes:
        agent: Its name; "agent" if the traces hold none.
        places: For each place its outcomes; a place of which no episode counts is not here.
        left_out: Episodes that ended in a fault, or have not ended.
    """

    agent: str
    places: Mapping[Place, Outcomes]
    left_out: int


def sampled(
    traces: Iterable[Trace],
    *,
    goal: float = 100.0,
    unit: Unit | Callable[[Trace], str] = "cell",
    won: Callable[[Trace], bool] | None = None,
    source: str = "traces",
) -> Sample:
    """Return what came of the episodes of one policy.

    Not for episodes that a curriculum drew by their outcome: the more often a start was played
    because it failed, the more wrong every figure of it.

    Args:
        traces: Of one agent with one scaffold; all different.
        goal: Final emotion that counts as success, in [0, 100], unless the user left.
        unit: What tries are made at, or a function that names it.
        won: What counts as success instead of the goal, such as `luck.robust`.
        source: Where the traces are from, for errors.

    Raises:
        InvalidArgument: If the goal or the unit is not one, there is no trace, one is with a cast,
            two are of one episode, or they are of two policies.
    """
    if not 0.0 <= goal <= 100.0:
        raise InvalidArgument(f"goal={goal} is not in [0, 100]: give a final emotion, such as 70")
    key = unit if callable(unit) else _named(unit)
    found = list(of_one(traces, source=source))
    check_policy(found, source=source)
    places: dict[Place, list[Trace]] = defaultdict(list)
    for trace in sorted(found, key=_episode):
        if counts(trace):
            places[Place(trace.scenario.persona.id, key(trace))].append(trace)
    outcomes = {
        place: Outcomes(
            tuple(map(final_emotion, alike)),
            tuple(float(won(trace) if won else succeeded(trace, goal)) for trace in alike),
        )
        for place, alike in sorted(places.items())
    }
    left_out = len(found) - sum(map(len, places.values()))
    return Sample(found[0].agent or "agent", outcomes, left_out)


def _named(unit: str) -> Callable[[Trace], str]:
    keys: Mapping[str, Callable[[Trace], str]] = {
        "persona": lambda trace: trace.scenario.persona.id,
        "cell": cell_of,
        "start": lambda trace: f"{cell_of(trace)}/{trace.scenario.seed}",
    }
    if unit not in keys:
        raise UnknownName.among("unit", unit, UNITS)
    return keys[unit]


def _episode(trace: Trace) -> tuple[str, int, int]:
    return cell_of(trace), trace.scenario.seed, trace.scenario.member


def check_policy(traces: Sequence[Trace], *, source: str = "traces") -> None:
    """Check that traces are of one policy, each of another episode.

    Raises:
        InvalidArgument: If not, or if there is none.
    """
    if not traces:
        raise InvalidArgument(f"{source} holds no talk: give at least one")
    seen: set[tuple[str, int, int]] = set()
    for trace in traces:
        if (episode := _episode(trace)) in seen:
            level = level_name(trace.scenario.difficulty)
            raise InvalidArgument(
                f"{source}: two traces of the episode {trace.id} at difficulty {level}: each "
                "counts once, so number the members of a start apart"
            )
        seen.add(episode)
        if _policy(trace) != _policy(traces[0]):
            raise InvalidArgument(
                f"{source}: traces of two policies, {_policy(traces[0])} and {_policy(trace)}: "
                "give a file for each"
            )


def _policy(trace: Trace) -> str:
    return f"{trace.agent or 'agent'} with scaffold {trace.setup.scaffold}"


def check_same_starts(
    base: Sequence[Trace], other: Sequence[Trace], *, names: tuple[str, str] = ("base", "trained")
) -> None:
    """Check that two policies were played on the same starts, with the same user.

    How often each start was played may differ.

    Args:
        base: Traces of the one policy.
        other: Traces of the other.
        names: What they are called in errors.

    Raises:
        InvalidArgument: If a start is in one of them only or is another game there, if the users
            differ, or if both are the same episodes.
    """
    one, two = _starts(base), _starts(other)
    if alone := sorted(one.keys() ^ two.keys()):
        cell, seed = alone[0]
        where = names[0] if alone[0] in one else names[1]
        raise InvalidArgument(
            f"{names[0]} and {names[1]} were played on different starts: {len(alone)} of "
            f"{len(one.keys() | two.keys())} are in one of them only, such as {cell} with seed "
            f"{seed} in {where}. Play both with the same personas, difficulty and seeds"
        )
    for start, scenario in one.items():
        if two[start] != scenario:
            raise InvalidArgument(
                f"{names[0]} and {names[1]} have {start[0]} with seed {start[1]} as two different "
                "games: persona, protocol, max_turns and max_chars must be the same"
            )
    users = sorted({_user(trace) for trace in (*base, *other)})
    if len(users) > 1:
        raise InvalidArgument(
            f"{names[0]} and {names[1]} talked with different users, {users[0]} and {users[1]}: "
            "the difference would be theirs too. Play both with one user"
        )
    if _said(base) == _said(other):
        raise InvalidArgument(
            f"{names[0]} and {names[1]} are the same episodes of one policy: give those of two"
        )


def _starts(traces: Iterable[Trace]) -> dict[tuple[str, int], Scenario]:
    return {
        (cell_of(trace), trace.scenario.seed): replace(trace.scenario, member=0) for trace in traces
    }


def _said(traces: Iterable[Trace]) -> dict[tuple[str, int, int], object]:
    return {_episode(trace): (trace.agent, trace.turns) for trace in traces}


def _user(trace: Trace) -> str:
    setup = trace.setup
    return f"appraiser {setup.appraiser}, speaker {setup.speaker}, backend {setup.backend}"


def shared(samples: Sequence[Sample]) -> list[Place]:
    """Return the places of which every sample has an episode that counts, sorted."""
    common = set(samples[0].places).intersection(*(sample.places for sample in samples[1:]))
    return sorted(common)


def tries_up_to(episodes: int) -> tuple[int, ...]:
    """Return the powers of two up to so many episodes.

    >>> tries_up_to(20)
    (1, 2, 4, 8, 16)
    """
    return tuple(1 << power for power in range(episodes.bit_length()))


def fewest(samples: Iterable[Sample], places: Iterable[Place]) -> int:
    """Return how many episodes the least played place has, over all samples; 0 without any."""
    samples = list(samples)
    return min((sample.places[place].episodes for place in places for sample in samples), default=0)
