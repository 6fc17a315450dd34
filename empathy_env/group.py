"""Groups: episodes that share a start, and what a trainer can learn from one.

A start is a cell (persona x need x difficulty) with a seed. A trainer that normalises payoffs
within a group, as GRPO does, learns nothing from one in which all were paid the same; DAPO (arXiv
2503.14476) drops these and draws again. Graded payoffs hardly ever are the same, so `dropped`
seldom says that a policy has collapsed: `one_sided` counts successes, whatever was paid.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final, NamedTuple

from empathy_env.acts import Need
from empathy_env.difficulty import PRESETS, Difficulty
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.profile import Person
from empathy_env.trace import Trace

ALIKE: Final = 1e-9
"""Payoffs of a group that differ by no more give no advantage to any member."""

_LISTED: Final = 8
"""So many names are listed, at most."""


class Group(NamedTuple):
    """What came of one group: episodes that share a start.

    Attributes:
        cell: Name of the cell.
        wins: For each episode that counts, whether it succeeded.
        payoffs: What each was paid, in the same order.
        faults: Episodes that do not count: they ended in a fault, or have not ended.
    """

    cell: str
    wins: Sequence[bool]
    payoffs: Sequence[float]
    faults: int = 0

    @property
    def one_sided(self) -> str:
        """By successes "all solved" or "all failed"; "" if there are both, or fewer than two.

        The signal fraction of `measures.explorable` is how often a group is not one-sided.

        >>> Group("a", [False] * 4, [0.2, 0.1, 0.3, 0.2]).one_sided
        'all failed'
        """
        if len(self.wins) < 2 or len(set(self.wins)) > 1:
            return ""
        return "all solved" if self.wins[0] else "all failed"

    @property
    def dropped(self) -> str:
        """Why a trainer that normalises within groups learns nothing from it; "" if it does.

        By payoffs: with a graded reward a group may be one-sided and teach all the same.

        >>> Group("a", [False] * 4, [0.0] * 4).dropped
        'all failed'
        """
        if len(self.payoffs) < 2:
            return "too few"
        if max(self.payoffs) - min(self.payoffs) > ALIKE:
            return ""
        return self.one_sided or "all alike"


def cell_name(persona: str, need: Need, difficulty: Difficulty) -> str:
    """Return persona/need/difficulty."""
    return f"{persona}/{need}/{level_name(difficulty)}"


def unknown_cell(cell: str, cells: Iterable[str], hint: str = "") -> UnknownName:
    """Return the error for a cell that is not there; it says which side of it is not.

    >>> unknown_cell("ana/praise/severe", ["ana/praise/gentle", "ben/advice/gentle"])
    UnknownName("No cell named 'ana/praise/severe': no difficulty 'severe' here, only gentle.")
    """
    known = [name.split("/", 2) for name in cells]
    given = cell.split("/", 2)
    sides = ("persona", "need", "difficulty")[: len(known[0])]
    why = f"a name is {'/'.join(sides)}."
    if len(given) == len(sides):
        why = f"there is {given[0]}, but not with that need at that difficulty."
        for place, side in enumerate(sides):
            of_side = sorted({name[place] for name in known if name[:place] == given[:place]})
            if given[place] not in of_side:
                listed = ", ".join(of_side[:_LISTED]) + (", ..." if len(of_side) > _LISTED else "")
                why = f"no {side} {given[place]!r} here, only {listed}."
                break
    return UnknownName(f"No cell named {cell!r}: {why} {hint}".rstrip())


def level_name(difficulty: Difficulty) -> str:
    """Return the nearest preset and the knobs that differ from it, as `load_difficulty` reads it.

    Nearest is the one that fewest knobs differ from; `moderate`, if several are.

    >>> level_name(Difficulty()), level_name(Difficulty(hostility=0.75))
    ('moderate', 'moderate,hostility=0.75')
    """
    order = sorted(PRESETS, key=lambda name: name != "moderate")
    changed = {name: _changed(difficulty, PRESETS[name]) for name in order}
    nearest = min(order, key=lambda name: len(changed[name]))
    return ",".join([nearest, *changed[nearest]])


def _changed(difficulty: Difficulty, preset: Difficulty) -> list[str]:
    """Return knob=value for each knob that differs."""
    knobs = {one.name: getattr(difficulty, one.name) for one in fields(difficulty)}
    return [f"{name}={value!r}" for name, value in knobs.items() if value != getattr(preset, name)]


def of_one(traces: Iterable[Trace], *, source: str = "traces") -> Iterator[Trace]:
    """Pass on talks with one person; what is measured of these is not so of several.

    Args:
        traces: Any talks.
        source: Where they are from, for the error.

    Raises:
        InvalidArgument: When it comes to a talk with a cast.
    """
    for trace in traces:
        check_of_one(trace, source=source)
        yield trace


def check_of_one(trace: Trace, *, source: str = "traces") -> None:
    """Check that this is a talk with one person; see `of_one`.

    Raises:
        InvalidArgument: If it is with a cast.
    """
    if trace.scenario.cast is not None:
        raise InvalidArgument(
            f"{source}: {trace.id} is a talk with a cast, and this is measured of talks with one "
            "person. Use `empathy-env circle` (empathy_env.measures.attention, alliances and "
            "curves), or give other files"
        )


def started_alike(traces: Iterable[Trace]) -> list[list[Trace]]:
    """Return the groups: traces that share persona, need, difficulty and seed.

    Sorted by start, and within a group by member, whatever order they come in.
    """
    groups: dict[tuple[str, int], list[Trace]] = defaultdict(list)
    for trace in traces:
        groups[cell_of(trace), trace.scenario.seed].append(trace)
    return [
        sorted(groups[start], key=lambda trace: trace.scenario.member) for start in sorted(groups)
    ]


def cell_of(trace: Trace) -> str:
    """Return the name of the cell that a trace is of; a cast stands by its id and all needs."""
    scenario = trace.scenario
    if scenario.cast is not None:
        needs = "+".join(scenario.needs)
        return f"{scenario.cast.id}/{needs}/{level_name(scenario.difficulty)}"
    return cell_name(scenario.persona.id, scenario.need, scenario.difficulty)


def counts(trace: Trace) -> bool:
    """Whether the episode has a value: it came to its end, and not by a fault."""
    return trace.fault is None and trace.outcome is not None


def final_emotion(trace: Trace) -> float:
    """Return the emotion at the end, in [0, 100]; of several people their mean."""
    each = [trace.emotion(len(trace.turns), seat=seat) for seat in range(len(trace.start))]
    return math.fsum(each) / len(each)


def succeeded(trace: Trace, goal: float = 100.0) -> bool:
    """Whether the final emotion reached the goal, and the user stayed; of several people all."""
    last = len(trace.turns)
    return trace.outcome != "left" and all(
        trace.present(last, seat=seat) and trace.emotion(last, seat=seat) >= goal
        for seat in range(len(trace.start))
    )


def check_drawn(alike: Iterable[Trace], person: Person, given: Mapping[str, Any]) -> None:
    """Check that talks are what a sampler draws: the same names may be of another game.

    Args:
        alike: The talks.
        person: Whom the sampler has under that id.
        given: Other fields of its scenarios, such as the protocol; None is the default of one.

    Raises:
        InvalidArgument: If one is not; names the field.
    """
    for trace in alike:
        wanted = replace(trace.scenario, persona=person, **given)
        for name in ("persona", *given):
            if getattr(trace.scenario, name) != getattr(wanted, name):
                raise InvalidArgument(
                    f"{trace.id} has another {name} than what is drawn here: another game, so its "
                    "outcome says nothing of the cell. Observe only what came of these scenarios"
                )


def group_of(alike: Sequence[Trace], goal: float = 100.0) -> Group:
    """Return what came of traces that share a start; one at least.

    Args:
        alike: The traces.
        goal: Final emotion that counts as success.
    """
    valid = [trace for trace in alike if counts(trace)]
    wins = [succeeded(trace, goal) for trace in valid]
    payoffs = [_paid(trace, win) for trace, win in zip(valid, wins, strict=True)]
    return Group(cell_of(alike[0]), wins, payoffs, len(alike) - len(valid))


def _paid(trace: Trace, win: bool) -> float:
    """Return what an episode was paid; one that nothing was paid for is worth its success."""
    if not trace.weights:
        return float(win)
    return math.fsum(
        weight * value
        for name, weight in trace.weights.items()
        for value in trace.rewards[name]
        if value is not None
    )
