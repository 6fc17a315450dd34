"""Groups: episodes that share a start, and what a trainer can learn from one.

A start is a cell (persona x need x difficulty) with a seed. A trainer that normalises payoffs
within a group, as GRPO does, learns nothing from one in which all were paid the same; DAPO (arXiv
2503.14476) drops these and draws again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Final, NamedTuple

from empathy_env.acts import Need
from empathy_env.difficulty import PRESETS, Difficulty
from empathy_env.trace import Trace

ALIKE: Final = 1e-9
"""Payoffs of a group that differ by no more give no advantage to any member."""


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
    def dropped(self) -> str:
        """Why a trainer that normalises within groups learns nothing from it; "" if it does.

        >>> Group("a", [False] * 4, [0.0] * 4).dropped
        'all failed'
        """
        if len(self.payoffs) < 2:
            return "too few"
        if max(self.payoffs) - min(self.payoffs) > ALIKE:
            return ""
        if len(set(self.wins)) > 1:
            return "all alike"
        return "all solved" if self.wins[0] else "all failed"


def cell_name(persona: str, need: Need, difficulty: Difficulty) -> str:
    """Return persona/need/difficulty."""
    return f"{persona}/{need}/{level_name(difficulty)}"


def level_name(difficulty: Difficulty) -> str:
    """Return the preset's name, or the knobs that differ from `moderate`.

    >>> level_name(Difficulty()), level_name(Difficulty(hostility=0.75))
    ('moderate', 'hostility=0.75')
    """
    for name, preset in PRESETS.items():
        if preset == difficulty:
            return name
    ordinary = Difficulty()
    knobs = {one.name: getattr(difficulty, one.name) for one in fields(difficulty)}
    return ",".join(
        f"{name}={value!r}" for name, value in knobs.items() if value != getattr(ordinary, name)
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
    """Return the name of the cell that a trace is of."""
    scenario = trace.scenario
    return cell_name(scenario.persona.id, scenario.need, scenario.difficulty)


def counts(trace: Trace) -> bool:
    """Whether the episode has a value: it came to its end, and not by a fault."""
    return trace.fault is None and trace.outcome is not None


def final_emotion(trace: Trace) -> float:
    """Return the emotion at the end, in [0, 100]."""
    return trace.emotion(len(trace.turns))


def succeeded(trace: Trace, goal: float = 100.0) -> bool:
    """Whether the final emotion reached the goal, and the user stayed."""
    return trace.outcome != "left" and final_emotion(trace) >= goal


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
