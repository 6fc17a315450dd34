"""Does training reach what its base could not, or the same with fewer tries?

S(k) is the mean over personas of what k tries reach; D(k) is a trained policy's less its base's, on
the same starts. Training that only sharpens leads at k = 1 and loses its lead as k grows: the base
finds by trying what the trained policy does at once (Yue et al. 2025, arXiv 2504.13837).

Personas are resampled, for both policies together; training runs too, where there are several
(Field and Welsh 2007; for two crossed samples Owen 2007). Episodes are not: near k = n a resample
holds the same few episodes again and again, and its k tries are no k tries.

When not to use it: where base and trained policy were sampled at different temperatures or with
different prompts, D(k) is of those too. A lead that holds up to the largest k says nothing of
larger ones: a base that was tried n times has a chance below 3/n where it never succeeded, and not
none. See `empathy_env.measures.support` for what can be said of single cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import Interval

Floats = NDArray[np.float64]
Curves = Mapping[str, Sequence[float]]
"""For each persona a value at each number of tries."""

FEWEST: Final = 5
"""With fewer personas than this no interval over them is given."""
FEWEST_RUNS: Final = 3
"""With several runs, but fewer than this, no interval over them is given."""
_TIE: Final = 1e-12
"""A lead that is no greater is rounding."""


class Ends(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """A trained policy beside its base. In the unit of the curves; NaN: it cannot be known.

    Attributes:
        tries: The numbers of tries k, rising from 1.
        personas: How many there are; `size` of every interval.
        runs: How many training runs.
        base: S(k) of the base, with an interval for each k alone.
        trained: S(k) of the trained policy; of several runs the mean.
        difference: D(k), with an interval for each k alone.
        band: Ends around D(k) that hold at all k at once.
        crossover: The least k at which D(k) is no longer above 0, having been so at 1. Infinity:
            at none of these k. NaN: there is no lead at k = 1. A resample without a lead counts as
            1.
        gap: S(K) of the base less S(1) of the trained policy, K being the most tries: what is left
            between one try and all that the base reaches.
        base_area: Mean of S(k) of the base over log k, by trapezoids; NaN with one k only.
        trained_area: The same of the trained policy.
        area: Their difference, trained less base.
    """

    tries: tuple[int, ...]
    personas: int
    runs: int
    base: tuple[Interval, ...]
    trained: tuple[Interval, ...]
    difference: tuple[Interval, ...]
    band: tuple[Ends, ...]
    crossover: Interval
    gap: Interval
    base_area: Interval
    trained_area: Interval
    area: Interval


def curves_of(
    units: Mapping[str, Sequence[Sequence[float]]],
    tries: Sequence[int],
    estimate: Callable[[Sequence[float], int], float],
) -> dict[str, tuple[float, ...]]:
    """Return each persona's curve: the mean over their units of what k tries reach.

    Args:
        units: For each persona the values of each unit's episodes; 0 and 1, or final emotions.
        tries: The numbers of tries, none above the episodes of any unit.
        estimate: What so many tries of these values reach: `rates.max_at`, which of 0 and 1 is
            pass@k, or `rates.min_at`.

    Raises:
        InvalidArgument: If there is no unit, or one has fewer episodes than tries.

    >>> from empathy_env.measures.rates import max_at
    >>> curves_of({"ana": [[0.0, 1.0], [0.0, 0.0]]}, [1, 2], max_at)
    {'ana': (0.25, 0.5)}
    """
    for persona, found in units.items():
        least = min(map(len, found), default=0)
        if least < max(tries):
            raise InvalidArgument(
                f"units of {persona!r} have as few as {least} episodes, too few for tries="
                f"{max(tries)}: play more, or ask for fewer tries"
            )
    return {
        persona: tuple(math.fsum(estimate(one, k) for one in found) / len(found) for k in tries)
        for persona, found in units.items()
    }


def ceiling(
    base: Curves | Sequence[Curves],
    trained: Sequence[Curves],
    *,
    tries: Sequence[int],
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Ceiling:
    """Return how a trained policy compares with its base as the number of tries grows.

    With one run the intervals are over personas, given that run: percentiles of the bootstrap, set
    wider as Student's t has it (Hesterberg 2015, arXiv 1411.5279, the expanded percentile). With
    three runs or more those of the trained policy are over runs and personas: Student's t on the
    bootstrap's standard error, with the degrees of freedom of Satterthwaite (1946), since three
    values have no percentiles to speak of. With two runs they have none: compare the base with each
    run alone. That of the crossover are percentiles in any case, and with few runs too narrow.

    Where all personas are alike, as all at 1 when nearly every k tries hold a success, the ends are
    NaN. Near there they are too narrow: a mean that hangs on a rare persona has not met them.

    Args:
        base: For each persona what the base reaches, at each of `tries`; or a list of such, if
            each run began with a base of its own, in the order of the runs.
        trained: The same for each run of one recipe, of the same personas; one run at least.
        tries: The numbers of tries, rising from 1; powers of two are enough.
        level: Coverage, in (0, 1).
        resamples: How many resamples.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no persona or no run, the personas differ, there are several
            bases but not one for each run, a curve has not a finite value at each number of tries,
            or these do not rise from 1.

    >>> found = ceiling({"ana": [0.1, 0.9]}, [{"ana": [0.5, 0.6]}], tries=[1, 2])
    >>> round(found.gap.mean, 2), found.crossover.mean
    (0.4, 2.0)
    """
    bases = [base] * len(trained) if isinstance(base, Mapping) else list(base)
    _check(bases, trained, tries)
    personas = sorted(bases[0])
    # Axes: run, persona, tries.
    of_base = np.array([[one[name] for name in personas] for one in bases], dtype=float)
    of_trained = np.array([[run[name] for name in personas] for run in trained], dtype=float)
    figures = _figures(of_base, of_trained, np.log2(np.asarray(tries, dtype=float)))
    drawn = _drawn(figures, resamples, seed)
    count = len(tries)
    shared = isinstance(base, Mapping)
    of_base_alone = {*range(count), 3 * count + 1} if shared else set[int]()
    found = _intervals(figures, drawn, level, of_base_alone)
    lead = drawn[:, 2 * count : 3 * count]
    curve = found[2 * count : 3 * count]
    return Ceiling(
        tries=tuple(tries),
        personas=len(personas),
        runs=len(trained),
        base=found[:count],
        trained=found[count : 2 * count],
        difference=curve,
        band=_band(figures[:, :, 2 * count : 3 * count], lead, level),
        crossover=_crossover(figures, lead, tries, level),
        gap=found[3 * count],
        base_area=found[3 * count + 1],
        trained_area=found[3 * count + 2],
        area=found[3 * count + 3],
    )


def _check(bases: Sequence[Curves], trained: Sequence[Curves], tries: Sequence[int]) -> None:
    if list(tries[:1]) != [1] or any(a >= b for a, b in pairwise(tries)):
        raise InvalidArgument(f"tries={list(tries)} do not rise from 1: give, say, [1, 2, 4, 8]")
    if not trained or len(bases) != len(trained) or not bases[0]:
        sizes = [len(one) for one in bases]
        raise InvalidArgument(
            f"trained has {len(trained)} runs, and base is {len(bases)}, with {sizes} personas: "
            "give at least one of each, and one base or as many as runs"
        )
    for run in (*bases, *trained):
        if odd := sorted(bases[0].keys() ^ run.keys()):
            raise InvalidArgument(
                f"base and trained are of different personas, such as {odd[0]!r}: give curves of "
                "the same"
            )
    for persona, curve in (pair for run in (*bases, *trained) for pair in run.items()):
        if len(curve) != len(tries) or not all(map(math.isfinite, curve)):
            raise InvalidArgument(
                f"the curve of {persona!r} is {list(curve)}: a finite value for each of tries="
                f"{list(tries)} is needed"
            )


def _figures(base: Floats, trained: Floats, logs: Floats) -> Floats:
    """Return each figure of each run and persona; all are linear, so means of them are theirs."""
    difference = trained - base
    gap = base[:, :, -1:] - trained[:, :, :1]
    areas = [_area(one, logs) for one in (base, trained, difference)]
    return np.concatenate([base, trained, difference, gap, *areas], axis=2)


def _area(curves: Floats, logs: Floats) -> Floats:
    if len(logs) < 2:
        return np.full((*curves.shape[:2], 1), math.nan)
    middles = (curves[:, :, 1:] + curves[:, :, :-1]) / 2.0
    return (middles * np.diff(logs)).sum(axis=2, keepdims=True) / (logs[-1] - logs[0])


def _drawn(figures: Floats, resamples: int, seed: int) -> Floats:
    """Return the figures of each resample: one row for each, one column for each figure."""
    runs, personas, _ = figures.shape
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(personas, [1.0 / personas] * personas, size=resamples) / personas
    if runs == 1:
        return weights @ figures[0]
    of_runs = rng.multinomial(runs, [1.0 / runs] * runs, size=resamples) / runs
    found = np.zeros((resamples, figures.shape[2]))
    for run in range(runs):
        found += of_runs[:, run, None] * (weights @ figures[run])
    return found


class _Spread(NamedTuple):
    """How far each figure's mean would move with other personas and with other runs: variances."""

    by_persona: Floats
    by_run: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where anything differs: of what is alike everywhere the bootstrap says nothing."""
        return self.by_persona + self.by_run > _TIE**2


def _spread(figures: Floats) -> _Spread:
    runs, personas, count = figures.shape
    by_persona = figures.mean(axis=0).var(axis=0, ddof=1) / personas
    if runs == 1:
        return _Spread(by_persona, np.zeros(count))
    return _Spread(by_persona, figures.mean(axis=1).var(axis=0, ddof=1) / runs)


def _widening(figures: Floats, level: float) -> Floats:
    """Return by how much few clusters make each figure's interval wider than the bootstrap's."""
    runs, personas, _ = figures.shape
    by_persona, by_run = _spread(figures)
    whole = by_persona + by_run
    short = by_persona * (personas - 1) / personas + by_run * (runs - 1) / runs
    spread = by_persona**2 / (personas - 1) + by_run**2 / max(1, runs - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.nan_to_num(whole**2 / spread, nan=personas - 1.0)
        shrunk = np.nan_to_num(whole / short, nan=personas / (personas - 1.0))
    student = cast(Any, special).stdtrit(freedom, (1.0 + level) / 2.0)
    return student * np.sqrt(shrunk) / _z(level)


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def _known(runs: int, personas: int) -> bool:
    return personas >= FEWEST and (runs == 1 or runs >= FEWEST_RUNS)


def _intervals(
    figures: Floats, drawn: Floats, level: float, of_base: Collection[int]
) -> tuple[Interval, ...]:
    runs, personas, count = figures.shape
    means = figures.mean(axis=(0, 1))
    ends = [Ends(math.nan, math.nan)] * count
    if personas >= FEWEST:
        spread, wider = _spread(figures), _widening(figures, level)
        reach = _z(level) * wider * drawn.std(axis=0)
        for place in np.flatnonzero(spread.known).tolist():
            if place not in of_base and not _known(runs, personas):
                continue
            if spread.by_run[place] > _TIE**2:
                middle, far = float(means[place]), float(reach[place])
                ends[place] = Ends(middle - far, middle + far)
            else:
                ends[place] = _percentiles(drawn[:, place], float(wider[place]), level)
    return tuple(
        Interval(mean, of_one.low, of_one.high, personas)
        for mean, of_one in zip(means.tolist(), ends, strict=True)
    )


def _percentiles(drawn: Floats, wider: float, level: float) -> Ends:
    tail = NormalDist().cdf(-_z(level) * wider)
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Ends(float(low), float(high))


def _band(figures: Floats, drawn: Floats, level: float) -> tuple[Ends, ...]:
    """Return ends that hold at once: the quantile of the largest deviation in standard errors."""
    runs, personas, count = figures.shape
    ends = [Ends(math.nan, math.nan)] * count
    if not _known(runs, personas) or not (moving := _spread(figures).known).any():
        return tuple(ends)
    middle, errors = figures.mean(axis=(0, 1)), drawn.std(axis=0)
    far = np.abs(drawn[:, moving] - middle[moving]) / errors[moving]
    most = float(np.quantile(far.max(axis=1), level))
    reach = most * _widening(figures, level) * errors
    for place in np.flatnonzero(moving).tolist():
        ends[place] = Ends(float(middle[place] - reach[place]), float(middle[place] + reach[place]))
    return tuple(ends)


def _crossover(figures: Floats, lead: Floats, tries: Sequence[int], level: float) -> Interval:
    runs, personas, _ = figures.shape
    count = len(tries)
    curve = figures[:, :, 2 * count : 3 * count].mean(axis=(0, 1))
    if curve[0] <= _TIE:
        return Interval(math.nan, math.nan, math.nan, personas)
    mean = float(_crossings(curve[None, :], tries)[0])
    if not _known(runs, personas):
        return Interval(mean, math.nan, math.nan, personas)
    ordered = np.sort(_crossings(lead, tries))
    student = float(cast(Any, special).stdtrit(personas - 1, (1.0 + level) / 2.0))
    tail = NormalDist().cdf(-student * math.sqrt(personas / (personas - 1)))
    # Nothing lies between 16 tries and infinitely many: the ends are taken outward.
    last = len(ordered) - 1
    low, high = ordered[math.floor(tail * last)], ordered[math.ceil((1.0 - tail) * last)]
    return Interval(mean, float(low), float(high), personas)


def _crossings(leads: Floats, tries: Sequence[int]) -> Floats:
    """Return for each row the first number of tries at which there is no lead; infinity if none.

    A row without a lead at 1 has lost it there, which is the lowest that a crossover can be.
    """
    lost = leads <= _TIE
    first = np.asarray(tries, dtype=float)[lost.argmax(axis=1)]
    return np.where(lost.any(axis=1), first, math.inf)
