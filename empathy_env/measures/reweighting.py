"""Talks of a trained policy as evidence about its base: importance weights, and when to trust them.

A talk of the trained policy weighs as much more or less as its base would have had it: w = exp of
the sum over the agent's tokens of log base - log trained. What the user says has the same chance
under both and cancels. The weights average to 1 in expectation, at most, and everything here is
computed from their logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap, ends_known
from empathy_env.measures.likelihood import ScoredTalk

Numbers = NDArray[np.float64]
LEAST_SIZE: Final = 20.0
"""Effective talks below which nothing is told."""
MOST_TAIL: Final = 0.7
"""Shape of the tail above which a mean is not told (Vehtari et al. 2024, arXiv 1507.02646)."""
MOST_MASS: Final = 20.0
"""A mean weight this high has a chance of at most 1/20 (Markov), if the scores are right."""
_LEAST_EXCEEDANCES: Final = 5
_SAME: Final = 1e-9
"""Weights that differ by a smaller share are equal but for rounding, and make no tail."""
_LEAST_WEIGHT: Final = 1e-280
"""Relative to the largest. Smaller ones are 0 here, so that nothing overflows."""


def effective_size(log_weights: Sequence[float]) -> float:
    """Return how many equally weighted talks carry as much: (sum w)^2 / sum w^2, in [1, n].

    After Kish (1965). The scale of the weights plays no part. NaN if all weights are 0.

    When not to use it: alone. It sees only the talks that were drawn, and looks good when the
    heavy ones were missed; see `tail_shape` and the mean weight.

    Args:
        log_weights: At least one; -inf is a weight of 0.

    Raises:
        InvalidArgument: If there is none, or one is NaN or +inf.

    >>> effective_size([0.0, 0.0, -math.inf])
    2.0
    """
    logs = _checked(log_weights)
    if np.isneginf(logs).all():
        return math.nan
    weights = np.exp(logs - logs.max())
    size = math.fsum(weights.tolist()) ** 2 / math.fsum((weights**2).tolist())
    return min(max(size, 1.0), float(len(logs)))


def tail_shape(log_weights: Sequence[float]) -> float:
    """Return Pareto-k, the shape of the upper tail of the weights; higher is heavier.

    A generalised Pareto distribution is fitted to the largest min(n / 5, 3 sqrt(n)) weights, as far
    as they exceed the rest, by the method of Zhang and Stephens (2009, Technometrics 51, 316-325)
    with the weak prior towards 0.5 of Vehtari et al. (2024, arXiv 1507.02646): the mean exists
    below 1, the variance below 0.5, and a mean is worth having up to about 0.7. The scale of the
    weights plays no part.

    When not to use it: with fewer than about a hundred talks it is hardly more than its prior.

    Args:
        log_weights: At least one; -inf is a weight of 0.

    Returns:
        The shape. -inf if the tail has an end, as its largest weight is shared by all of it. NaN if
        fewer than five weights stand above the rest: nothing can be said.

    Raises:
        InvalidArgument: If there is none, or one is NaN or +inf.
    """
    logs = np.sort(_checked(log_weights))
    size = len(logs)
    count = min(math.ceil(size / 5), math.ceil(3.0 * math.sqrt(size)))
    if count < _LEAST_EXCEEDANCES:
        return math.nan
    weights = np.exp(logs - logs[-1]) if np.isfinite(logs[-1]) else np.zeros(size)
    threshold = max(float(weights[-count - 1]), _LEAST_WEIGHT)
    exceedances = weights[weights > threshold * (1.0 + _SAME)] - threshold
    if not len(exceedances):
        return -math.inf
    return math.nan if len(exceedances) < _LEAST_EXCEEDANCES else _pareto_shape(exceedances)


def _pareto_shape(exceedances: Numbers) -> float:
    """Return the shape for ascending values above 0: a posterior mean over a grid."""
    size = len(exceedances)
    points = 30 + math.isqrt(size)
    quartile = exceedances[math.floor(size / 4 + 0.5) - 1]
    grid = 1.0 / exceedances[-1] + (1.0 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))) / (
        3.0 * quartile
    )
    grid = grid[grid != 0.0]
    shapes = np.log1p(-grid[:, None] * exceedances[None, :]).mean(axis=1)
    profile = size * (np.log(-grid / shapes) - shapes - 1.0)
    chances = np.exp(profile - profile.max())
    best = float((grid * chances).sum() / chances.sum())
    shape = float(np.log1p(-best * exceedances).mean())
    return (size * shape + 10.0 * 0.5) / (size + 10.0)


def _checked(log_weights: Sequence[float]) -> Numbers:
    logs = np.asarray(log_weights, dtype=np.float64)
    if not len(logs) or np.isnan(logs).any() or np.isposinf(logs).any():
        raise InvalidArgument(
            f"log_weights ({len(logs)} of them) must hold at least one, none NaN or +inf. A weight "
            "is log base - log trained, summed over the tokens of a talk"
        )
    return logs


class Reweighted(NamedTuple):
    """What talks of a trained policy say of its base's success rate.

    Attributes:
        estimate: Mean of success times weight, with an interval over personas. NaN if in doubt.
        bound: The same with weights cut at `cut`: in expectation no higher than the base's rate.
            NaN if the effective size is below `LEAST_SIZE`; a heavy tail does it no harm.
        mass: Mean weight: the share of the base's talks that the trained policy's stand for, 1 in
            expectation. Well below 1: the base has talks that the trained policy never had, and
            `estimate` is silent about how they end.
        effective_size: Of the talks, in [1, n]; NaN if all weights are 0.
        tail: Pareto-k of the weights; see `tail_shape`.
        cut: Where weights were cut.
        doubt: Why there is no verdict ("undetermined: ..."); "" if there is one.
    """

    estimate: Interval
    bound: Interval
    mass: float
    effective_size: float
    tail: float
    cut: float
    doubt: str


def reweighted_success(
    talks: Sequence[ScoredTalk],
    successes: Sequence[bool],
    *,
    cut: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Reweighted:
    """Return the base's success rate, estimated from talks of the trained policy.

    With V = 1 for a success, E[V w] over the trained policy's talks is the base's success rate over
    the talks that the trained policy can have at all, and E[V min(w, c)] is at most that. So rare
    successes of the base are counted where the trained policy has them often: a rate of one in a
    million needs no million talks.

    When not to use it: for long talks, where policies that differ at all differ so much that a few
    talks carry all the weight; the verdict is then refused. Where training has left what the base
    does, it is a lower bound in effect: base successes that the trained policy no longer has are in
    no sample. Not with scores at another temperature than the talks were sampled at. `bound` is low
    in expectation, not in every sample: quote the low end of its interval. A refusal is no zero.

    Sources: truncation at sqrt(n), Ionides (2008, J. Comput. Graph. Stat. 17, 295-311); the
    diagnostics, Vehtari et al. (2024, arXiv 1507.02646).

    Args:
        talks: At least one; own: the trained policy, which sampled them. other: the base.
        successes: For each talk, whether it succeeded.
        cut: Largest weight that counts in `bound`, above 0, chosen without looking at the weights;
            sqrt(n) if None.
        level: Coverage of the intervals, in (0, 1). Fewer than eight personas make them too narrow.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no talk, the lengths differ, or `cut` is not above 0.
    """
    if not talks or len(talks) != len(successes):
        raise InvalidArgument(
            f"talks has {len(talks)} and successes {len(successes)}: give one success for each "
            "talk, and at least one talk"
        )
    limit = math.sqrt(len(talks)) if cut is None else cut
    if not limit > 0.0:
        raise InvalidArgument(f"cut={limit:g} is not above 0: give the largest weight that counts")
    logs = [talk.log_ratio for talk in talks]
    mass, size, tail = _mean_weight(logs), effective_size(logs), tail_shape(logs)
    thin, heavy = _thin(mass, size), _heavy(tail, len(logs))
    names = [talk.persona for talk in talks]

    def mean(cap: float, *, known: bool) -> Interval:
        if not known:
            return Interval(math.nan, math.nan, math.nan, len(talks))
        values = [math.exp(min(log, math.log(cap))) for log in logs]
        clusters: dict[str, list[float]] = {}
        for name, value, success in zip(names, values, successes, strict=True):
            clusters.setdefault(name, []).append(value if success else 0.0)
        return ends_known(cluster_bootstrap(clusters, level=level, seed=seed), len(clusters))

    return Reweighted(
        estimate=mean(math.inf, known=not thin and not heavy),
        bound=mean(limit, known=not thin),
        mass=mass,
        effective_size=size,
        tail=tail,
        cut=limit,
        doubt=thin or heavy,
    )


def _mean_weight(logs: Sequence[float]) -> float:
    """Return the mean weight, +inf if it is too large for a float."""
    highest = max(logs)
    if highest == -math.inf:
        return 0.0
    log = highest + math.log(math.fsum(math.exp(one - highest) for one in logs) / len(logs))
    return math.exp(log) if log < 700.0 else math.inf


def _thin(mass: float, size: float) -> str:
    """Return why not even a bound is told."""
    if mass > MOST_MASS:
        return (
            f"undetermined: the mean weight is {mass:.3g}, and 1 is expected: the policies are "
            "exchanged, or scored otherwise than they were sampled"
        )
    if not size >= LEAST_SIZE:
        return (
            f"undetermined: the weights carry as much as {size:.1f} talks, and "
            f"{LEAST_SIZE:.0f} are needed"
        )
    return ""


def _heavy(tail: float, count: int) -> str:
    """Return why the mean of the weights is not to be trusted."""
    if math.isnan(tail):
        return f"undetermined: too few of {count} weights stand above the rest to see the tail"
    if tail > MOST_TAIL:
        return (
            f"undetermined: Pareto-k is {tail:.2f}, above {MOST_TAIL}: talks that were not drawn "
            "may outweigh all that were"
        )
    return ""
