"""How far two kinds of agents differ in what they do, with their own spread as the yardstick.

The difference is the Jensen-Shannon divergence of two strategy mixes, in bits (Lin 1991,
"Divergence measures based on the Shannon entropy"): 0 if they are the same, 1 if they share no
strategy. Of finite samples it is above 0 even if nothing differs (Grosse et al. 2002, Physical
Review E 65, 041905), so what it would be by chance stands beside it. And two trainings of one kind
differ as well: `yardstick` divides the divergence between kinds by that between runs of one kind.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from statistics import fmean
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from empathy_env.errors import InvalidArgument
from empathy_env.group import of_one
from empathy_env.measures.bootstrap import Interval, resampled
from empathy_env.measures.skills import SKILLS, Skill, Talk
from empathy_env.measures.strategies import STRATEGIES, talk_mix
from empathy_env.trace import Trace

Array = NDArray[np.float64]
_MOST_ASSIGNMENTS: Final = 10_000
"""Assignments of runs to arms up to which all are tried; of more, as many are drawn."""
_SAME: Final = 1e-12
"""Differences below this are rounding."""
LEAST_WITHIN: Final = 1e-4
"""Bits. Runs of one arm that differ by less are no yardstick: over so little any gap is huge."""
LEAST_TALKS: Final = 20
"""With fewer talks in a run, or a half of one, chance alone moves the ratio by several times."""


class MixedTalk(NamedTuple):
    """The strategy mix of one talk.

    Attributes:
        cell: Persona and need, within which talks can be exchanged.
        seed: Of the episode.
        mix: The shares, in the order of `STRATEGIES`.
    """

    cell: str
    seed: int
    mix: tuple[float, ...]


Run = Sequence[MixedTalk]
"""The talks of one trained agent."""


def mixed(traces: Iterable[Trace]) -> list[MixedTalk]:
    """Return the strategy mixes of talks, each with at least one turn.

    Raises:
        InvalidArgument: If a talk is with several people.
    """
    found: list[MixedTalk] = []
    for trace in of_one(traces):
        scenario, mix = trace.scenario, talk_mix(trace)
        cell = f"{scenario.persona.id}/{scenario.need}"
        found.append(MixedTalk(cell, scenario.seed, tuple(mix[name] for name in STRATEGIES)))
    return found


def jensen_shannon(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits, in [0, 1].

    Args:
        one: Probabilities that add up to 1.
        other: As many.

    >>> jensen_shannon([1.0, 0.0], [0.0, 1.0])
    1.0
    """
    if len(one) != len(other):
        raise InvalidArgument(
            f"distributions over {len(one)} and {len(other)} things: give as many"
        )
    return float(_divergence(np.array(one, float), np.array(other, float)))


def _divergence(one: Array, other: Array) -> Array:
    """Return the divergence along the last axis."""
    half = (_relative(one, other) + _relative(other, one)) / 2
    return np.clip(half, 0.0, 1.0)


def _relative(one: Array, other: Array) -> Array:
    """Return the divergence of `one` from the middle of both; 0 log 0 is 0."""
    middle = np.where(one > 0, (one + other) / 2, 1.0)
    return (one * np.log2(np.where(one > 0, one, 1.0) / middle)).sum(axis=-1)


class Difference(NamedTuple):
    """How far two agents differ on these episodes.

    Attributes:
        bits: The divergence of their mixes, in [0, 1].
        expected: What it would be on average if the talks had been given to them by chance; None if
            they share no cell of persona and need.
        p: Share of chance assignments with at least this divergence; None likewise.
        least_p: The smallest `p` that so many assignments can give.
    """

    bits: float
    expected: float | None
    p: float | None
    least_p: float


def difference(one: Run, other: Run, *, permutations: int = 2000, seed: int = 0) -> Difference:
    """Return how far two agents differ, with the divergence that chance alone would give.

    The labels are permuted among talks with the same persona and need, so that what differs
    between cells is not taken for a difference between agents. It says that these two agents
    differ, not that the ways in which they were made do.

    Args:
        one: Talks of the first; at least one.
        other: Talks of the second; at least one.
        permutations: How many.
        seed: Key of the permutations.
    """
    bits = float(_divergence(_centre(one), _centre(other)))
    least = 1 / (permutations + 1)
    if not {talk.cell for talk in one} & {talk.cell for talk in other}:
        return Difference(bits, None, None, least)
    drawn = _permuted(one, other, permutations, seed)
    reached = int((drawn >= bits - _SAME).sum())
    return Difference(bits, float(drawn.mean()), (1 + reached) / (1 + permutations), least)


def _permuted(one: Run, other: Run, permutations: int, seed: int) -> Array:
    """Return the divergence for each permutation of labels within cells."""
    labelled = sorted(
        [(talk, True) for talk in one] + [(talk, False) for talk in other],
        key=lambda pair: (*pair[0], pair[1]),  # a file's order decides nothing
    )
    names = sorted({talk.cell for talk, _ in labelled})
    cells = np.array([names.index(talk.cell) for talk, _ in labelled])
    rows = np.array([talk.mix for talk, _ in labelled])
    first = np.array([label for _, label in labelled])
    chance = np.random.default_rng(seed)
    found = np.empty(permutations)
    for number in range(permutations):
        # Sorted by cell the labels stand still, and within each cell the talks are shuffled.
        shuffled = rows[np.lexsort((chance.random(len(rows)), cells))]
        found[number] = _divergence(shuffled[first].mean(axis=0), shuffled[~first].mean(axis=0))
    return found


def _centre(run: Run) -> Array:
    if not run:
        raise InvalidArgument("a run without talks has no strategy mix: give at least one talk")
    return np.array([talk.mix for talk in run]).mean(axis=0)


class Yardstick(NamedTuple):
    """The divergence between two arms over that between runs of one arm.

    Both hold the same bias of finite samples, if all runs have equally many talks; it draws the
    ratio towards 1.

    Attributes:
        between: Mean divergence of two runs of different arms, in bits.
        within: Mean divergence of two runs of one arm, in bits.
        ratio: `between` over `within`; None if `within` is below `LEAST_WITHIN`. 1: the arms differ
            as runs do.
        p: Share of the assignments of runs to arms that set the arms at least as far apart; None
            for halves, which are no runs.
        least_p: The smallest `p` that so few runs can give.
        halves: True if there is one run for each arm, of which halves by seed took the place: the
            weaker yardstick, as it holds the luck of episodes and not that of training.
        fewest: Talks in the smallest run, or half.
        doubt: Why there is no ratio, or none to rely on; "" if there is no such reason.
    """

    between: float
    within: float
    ratio: float | None
    p: float | None
    least_p: float | None
    halves: bool
    fewest: int
    doubt: str


def yardstick(one: Sequence[Run], other: Sequence[Run], *, seed: int = 0) -> Yardstick:
    """Return the divergence between two arms over that between runs of one arm.

    Args:
        one: The runs of the first arm (training seeds), at least one.
        other: Those of the second.
        seed: Key of the assignments, where there are too many to try all.

    Raises:
        InvalidArgument: If an arm has no run, or each has one, of a single episode seed.
    """
    if not one or not other:
        raise InvalidArgument("an arm without runs: give at least one run for each")
    if len(one) == len(other) == 1:
        return _by_halves(one[0], other[0])
    runs = np.array([_centre(run) for run in (*one, *other)])
    apart = _divergence(runs[:, None, :], runs[None, :, :])
    count, size = len(runs), len(one)
    between = _between(apart, np.arange(count) < size)
    pairs = [*combinations(range(size), 2), *combinations(range(size, count), 2)]
    within = fmean(float(apart[pair]) for pair in pairs)
    p, least = _run_test(apart, size, between, seed)
    fewest = min(map(len, (*one, *other)))
    doubt = _doubt(within, fewest, "run")
    return Yardstick(
        between, within, _ratio(between, within), p, least, halves=False, fewest=fewest, doubt=doubt
    )


def _by_halves(one: Run, other: Run) -> Yardstick:
    """Compare halves of different seeds only, as those of one arm have different seeds too."""
    seeds = sorted({talk.seed for talk in (*one, *other)})
    even = set(seeds[::2])
    parts = [
        [[t for t in run if (t.seed in even) == half] for half in (True, False)]
        for run in (one, other)
    ]
    if not all(half for run in parts for half in run):
        raise InvalidArgument(
            "one run for each arm, and no two seeds in it: halves cannot be compared. Give several "
            "runs for each arm, or talks of several seeds"
        )
    (a, b), (c, d) = [[_centre(half) for half in run] for run in parts]
    between = float(_divergence(a, d) + _divergence(b, c)) / 2
    within = float(_divergence(a, b) + _divergence(c, d)) / 2
    fewest = min(len(half) for run in parts for half in run)
    doubt = _doubt(within, fewest, "half")
    return Yardstick(
        between,
        within,
        _ratio(between, within),
        None,
        None,
        halves=True,
        fewest=fewest,
        doubt=doubt,
    )


def _ratio(between: float, within: float) -> float | None:
    return between / within if within >= LEAST_WITHIN else None


def _doubt(within: float, fewest: int, part: str) -> str:
    """Return why the ratio says little."""
    if within < LEAST_WITHIN:
        return f"one arm does not differ from itself ({within:.1g} bits): no yardstick"
    if fewest < LEAST_TALKS:
        return f"talks in a {part}: {fewest}, and {LEAST_TALKS} are needed; chance moves it far"
    return ""


def _between(apart: Array, first: NDArray[np.bool_]) -> float:
    return float(apart[np.ix_(first, ~first)].mean())


def _run_test(apart: Array, size: int, observed: float, seed: int) -> tuple[float, float]:
    """Return the p of the assignments of runs to arms, and the least that it can be."""
    count = len(apart)
    total = math.comb(count, size)
    same = 2 if 2 * size == count else 1  # two arms of one size can change names
    if total <= _MOST_ASSIGNMENTS:
        drawn = [np.isin(np.arange(count), chosen) for chosen in combinations(range(count), size)]
        extra, least = 0, same / total
    else:
        chance = np.random.default_rng(seed)
        labels = np.arange(count) < size
        drawn = [chance.permutation(labels) for _ in range(_MOST_ASSIGNMENTS - 1)]
        extra, least = 1, max(1 / _MOST_ASSIGNMENTS, same / total)
    reached = sum(_between(apart, first) >= observed - _SAME for first in drawn)
    return (reached + extra) / (len(drawn) + extra), least


class Turned(NamedTuple):
    """Whether two arms have changed in the same direction from a common base.

    Attributes:
        cosine: Of the two vectors of skill changes, in [-1, 1], with an interval over personas; NaN
            if one of them has not changed at all.
        skills: Those that are defined in all three, over which it is.
    """

    cosine: Interval
    skills: tuple[Skill, ...]


def turned(
    base: Sequence[Talk], one: Sequence[Talk], other: Sequence[Talk], *, seed: int = 0
) -> Turned:
    """Return the cosine of two changes of the skill profile, from one base.

    The noise of the base is in both changes, and draws the cosine upwards.

    Args:
        base: Talks of the agent before training.
        one: Talks of the first arm.
        other: Talks of the second.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If no skill is defined in all three.
    """
    arms = (base, one, other)
    shared: tuple[Skill, ...] = tuple(
        skill
        for skill in SKILLS
        if all(any(talk.value(skill) is not None for talk in arm) for arm in arms)
    )
    if not shared:
        raise InvalidArgument("no skill is defined in all three sets of talks")
    rows: dict[str, list[_Row]] = {}
    for number, arm in enumerate(arms):
        for talk in arm:
            values = tuple(talk.value(skill) for skill in shared)
            rows.setdefault(talk.persona, []).append((number, values))
    return Turned(resampled(rows, _cosine, seed=seed), shared)


_Row = tuple[int, tuple[float | None, ...]]


def _cosine(rows: Sequence[_Row]) -> float:
    means = [_means([values for number, values in rows if number == arm]) for arm in range(3)]
    if any(mean is None for arm in means for mean in arm) or not all(means):
        return math.nan
    base, one, other = np.array(means, float)
    size = float(np.linalg.norm(one - base) * np.linalg.norm(other - base))
    if size < _SAME:
        return math.nan
    return float(np.clip(np.dot(one - base, other - base) / size, -1.0, 1.0))


def _means(rows: Sequence[tuple[float | None, ...]]) -> list[float | None]:
    columns = [[v for v in column if v is not None] for column in zip(*rows, strict=True)]
    return [fmean(column) if column else None for column in columns]


def shared_cells(one: Run, other: Run) -> tuple[int, int]:
    """Return how many cells of persona and need are in both, and how many there are.

    >>> shared_cells([MixedTalk("a/x", 0, ())], [MixedTalk("a/x", 1, ()), MixedTalk("b/x", 1, ())])
    (1, 2)
    """
    cells = Counter(cell for run in (one, other) for cell in {talk.cell for talk in run})
    return sum(count == 2 for count in cells.values()), len(cells)
