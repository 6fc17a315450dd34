"""Whether what an agent does depends on the hidden need, once the person has begun to tell it.

The mutual information I(act; need), in bits, over the turns after a fact of the present need was
told. The plug-in estimate is biased upwards (Miller 1955), so the mean over permutations of the
needs among the talks of each persona is taken off it. What is left also holds what the agent merely
echoes: an agent that says the person's words back does a little of what they were about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from empathy_env.acts import ACTS, NEEDS
from empathy_env.group import of_one
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.turns import said_aloud
from empathy_env.trace import Trace, Turn

LEAST_TALKS: Final = 20
"""With fewer talks in which the need came up, the permutations say next to nothing."""

_ROW: Final = {act: index for index, act in enumerate(ACTS)}
Numbers = NDArray[np.float64]


class Dependence(NamedTuple):
    """How much the acts tell of the need.

    Attributes:
        bits: Mutual information beyond chance, with a 95 % interval over personas.
        chance: What permuted needs give, in bits: the bias that was taken off.
        p_value: Share of permutations that give at least as much as was found, in (0, 1].
        talks: Talks in which the need was told with a turn left to answer it.
    """

    bits: Interval
    chance: float
    p_value: float
    talks: int


def dependence(
    traces: Sequence[Trace], *, permutations: int = 400, seed: int = 0
) -> Dependence | None:
    """Return I(act; need) beyond chance, or None where it cannot be measured.

    That is the case with fewer than `LEAST_TALKS` talks in which the need came up, or with no
    persona of which two needs did.

    Args:
        traces: Of the code user, or of another that discloses through gates.
        permutations: How many permutations and how many resamples, at least 1.
        seed: Key of both.

    Raises:
        InvalidArgument: If a talk is with several people.
    """
    found = [(trace, row) for trace in of_one(traces) if (row := _profile(answering(trace))).any()]
    talks: dict[str, list[int]] = {}
    for index, (trace, _) in enumerate(found):
        talks.setdefault(trace.scenario.persona.id, []).append(index)
    needs = np.array([NEEDS.index(trace.scenario.need) for trace, _ in found])
    clusters: list[NDArray[Any]] = [np.array(talks[name]) for name in sorted(talks)]
    if len(found) < LEAST_TALKS or all(len(set(needs[one].tolist())) < 2 for one in clusters):
        return None
    rows = np.array([row for _, row in found])
    random = np.random.default_rng(seed)
    whole = information(rows, needs)
    null = [information(rows, _permuted(needs, clusters, random)) for _ in range(permutations)]
    gaps: list[float] = []
    for _ in range(permutations):
        at = _redrawn(clusters, random)
        mixed = _permuted(needs, clusters, random)
        gaps.append(information(rows[at], needs[at]) - information(rows[at], mixed[at]))
    low, high = np.quantile(gaps, [0.025, 0.975])
    chance = float(np.mean(null))
    above = (1 + sum(one >= whole - 1e-12 for one in null)) / (1 + permutations)
    interval = Interval(whole - chance, float(low), float(high), len(found))
    return Dependence(interval, chance, above, len(found))


def information(rows: Numbers, needs: NDArray[Any]) -> float:
    """Return the plug-in mutual information, in bits, of what was done and the need.

    Args:
        rows: For each talk how often each act occurred, of shape (talks, acts).
        needs: For each talk the index of its need.

    >>> information(np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([0, 1]))
    1.0
    """
    joint = np.zeros((len(NEEDS), rows.shape[1]))
    np.add.at(joint, needs, rows)
    joint /= joint.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log2(joint[some] / apart[some])).sum())


def told_in_time(trace: Trace) -> bool:
    """Whether a fact of the present need was told while a turn was left to answer it."""
    return bool(answering(trace))


def _redrawn(clusters: Sequence[NDArray[Any]], random: np.random.Generator) -> NDArray[Any]:
    """Return the talks of as many clusters as there are, drawn with replacement."""
    drawn = cast("list[int]", random.integers(len(clusters), size=len(clusters)).tolist())
    return np.concatenate([clusters[index] for index in drawn])


def _permuted(
    needs: NDArray[Any], clusters: Sequence[NDArray[Any]], random: np.random.Generator
) -> NDArray[Any]:
    mixed = needs.copy()
    for one in clusters:
        mixed[one] = random.permutation(needs[one])
    return mixed


def answering(trace: Trace) -> Sequence[Turn]:
    """Return the turns after the first in which a fact of the present need was said aloud."""
    own = {fact.id for fact in trace.scenario.written.variant(trace.scenario.need).facts}
    for number, turn in enumerate(trace.turns, start=1):
        if any(own & said_aloud(answer) for answer in turn.answers):
            return trace.turns[number:]
    return ()


def _profile(turns: Sequence[Turn]) -> Numbers:
    """Return how often each act occurred, each turn counting once; the last place is no act."""
    counts = np.zeros(len(ACTS) + 1)
    for turn in turns:
        if not turn.evidence:
            counts[-1] += 1.0
        for one in turn.evidence:
            counts[_ROW[one.act]] += 1.0 / len(turn.evidence)
    return cast("Numbers", counts)
