"""The most reward that re-weighting a base policy's own talks can buy, for a divergence from it.

Among all policies at a given KL divergence from the base, the most reward is had by the tilted one,
which has a talk with reward R exp(R / beta) times as often, up to a factor (the optimum of
KL-regularised RL; Korbak et al. 2022, arXiv 2205.11275). Its reward and divergence can be had from
the base's talks alone, by weighting them; so can best-of-n.

A policy chooses what it says and not with whom it talks, so talks are tilted within each persona,
all with one beta. It does not choose what the user says either, and the tilt does, and it knows the
need: the frontier is generous. It is that of the sampled talks: what none of them holds, no weight
can show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import Interval, ends_known, percentiles, redraws
from empathy_env.measures.rates import max_at

Numbers = NDArray[np.float64]
Rewards = Mapping[str, Sequence[float]]
"""For each persona the rewards of its talks, at least one, finite."""
MARGIN: Final = 2.0
"""Nats below ln N up to which a tilt is told: it then still rests on e^2, about 7, talks."""
_GRID: Final = 2048
_STEEPEST: Final = 1e5
"""Of the grid of 1 / beta, times the range of rewards; at the other end, the inverse."""
_FLAT: Final = 1e-9


class Tilt(NamedTuple):
    """A policy between the base and the best of its talks.

    Attributes:
        kl: Divergence from the base, nats for each talk, at least 0; for best-of-n an upper bound.
        reward: Mean reward, in the unit of the rewards.
    """

    kl: float
    reward: float


def tilted(rewards: Rewards, beta: float) -> Tilt:
    """Return divergence and mean reward of the base tilted by exp(R / beta) within each persona.

    For N talks of one persona: w_i ~ exp(R_i / beta), the reward is sum w_i R_i and the divergence
    sum w_i ln(N w_i); then the means over personas, each weighing as many talks as it has. Reliable
    while the divergence is at most `furthest(rewards)`.

    Args:
        rewards: Of the base's talks.
        beta: Above 0, in the unit of the rewards; inf is the base itself.

    Raises:
        InvalidArgument: If there is no reward, one is not finite, or `beta` is not above 0.

    >>> tilt = tilted({"widower": [0.0, 0.0, 0.0, 1.0]}, 1 / math.log(3))
    >>> round(tilt.reward, 3), round(tilt.kl, 3)
    (0.5, 0.144)
    """
    if not beta > 0.0:
        raise InvalidArgument(f"beta={beta:g} is not above 0: give the price of a nat in reward")
    _check(rewards)
    curves = _curves(rewards, np.array([1.0 / beta]))
    shares = _sizes(rewards) / _sizes(rewards).sum()
    return Tilt(float(shares @ curves.kls[:, 0]), float(shares @ curves.means[:, 0]))


def furthest(rewards: Rewards) -> float:
    """Return the divergence up to which the frontier can be told, nats: mean of ln N, less 2.

    It may be below 0: then nothing can be told. One nat more takes 2.7 times as many talks.

    >>> round(furthest({"widower": [0.0] * 64}), 2)
    2.16
    """
    _check(rewards)
    sizes = [len(values) for values in rewards.values()]
    return math.fsum(size * math.log(size) for size in sizes) / sum(sizes) - MARGIN


def frontier(
    rewards: Rewards,
    kls: Sequence[float],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> list[Interval]:
    """Return the reward of the tilted base at each divergence, with intervals over personas.

    Between the mean reward (at 0) and the mean over personas of the highest; it rises with the
    divergence, ever less steeply. Solved for beta on a grid, right to about four digits.

    No policy is above the true frontier: the tilt is the optimum. So one whose reward is above this
    one, beyond the interval, has what the *sampled* base talks lack, something that is rare in the
    base (how rare is not said), or its divergence was estimated too low. It does not follow that a
    skill was created. Nor does it follow from a reward below it that nothing was: a policy can do
    what is rare in the base, and spend its divergence badly. Nothing is said of how hard a tilt is
    to learn.

    When not to use it: with few talks (NaN); with divergences of other talks or personas than the
    rewards'; on talks of several policies together. Near `furthest` it is too low, by about 6 % of
    the gain for normally distributed rewards, as the best talks of all are not in the sample.

    Args:
        rewards: Of the base's talks.
        kls: Divergences from the base, nats for each talk, as `sequence_kl` gives them.
        level: Coverage, in (0, 1). Fewer than eight personas make it too narrow.
        resamples: How many resamples.
        seed: Key of the resampling.

    Returns:
        The reward at each of `kls`, in the unit of the rewards; NaN where it is below 0, NaN, or
        beyond `furthest(rewards)`.

    Raises:
        InvalidArgument: If there is no reward, or one is not finite.

    >>> talks = {"widower": [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] * 4}
    >>> [round(found.mean, 2) for found in frontier(talks, [0.0, 0.5, 3.0])]
    [0.5, 0.82, nan]
    """
    curves, sizes = _curves(rewards, _grid(rewards)), _sizes(rewards)
    wanted = np.asarray(kls, dtype=np.float64)
    told = (wanted >= 0.0) & (wanted <= furthest(rewards))
    found = np.array(
        [_at(curves, counts * sizes, wanted) for counts in redraws(len(sizes), resamples, seed)]
    )
    whole = _at(curves, sizes, wanted)
    return [
        _interval(float(one) if known else math.nan, column, rewards, level)
        for one, known, column in zip(whole, told, found.T, strict=True)
    ]


def best_of(rewards: Rewards, tries: int) -> Tilt:
    """Return divergence and mean reward of the best of so many talks with the same persona.

    The divergence is at most ln n - (n - 1) / n (Beirami et al. 2024, arXiv 2401.01879); with ties
    it is less. The reward is unbiased, by `max_at` within each persona. NaN if a persona has fewer
    talks than that.

    Raises:
        InvalidArgument: If there is no reward, one is not finite, or `tries` is below 1.

    >>> best_of({"widower": [0.0, 0.0, 0.0, 1.0]}, 2)
    Tilt(kl=0.1931471805599453, reward=0.5)
    """
    _check(rewards)
    sizes = [len(values) for values in rewards.values()]
    found = [max_at(values, tries) for values in rewards.values()]
    reward = math.fsum(size * best for size, best in zip(sizes, found, strict=True)) / sum(sizes)
    return Tilt(math.log(tries) - (tries - 1) / tries, reward)


class Efficiency(NamedTuple):
    """How much of what its divergence could have bought a trained policy has.

    Attributes:
        ratio: (trained - base) / (frontier - base), with an interval over personas; 1: all of it.
            NaN if in doubt.
        excess: Trained reward less the frontier's, in the unit of the rewards. If its low end is
            above 0, re-weighting the base's talks that were seen does not explain the reward. NaN
            if the divergence is beyond `furthest`.
        base: Mean reward of the base.
        trained: Mean reward of the trained policy.
        frontier: Reward of the tilted base at the same divergence; NaN beyond `furthest`.
        kl: The divergence, nats for each talk.
        furthest: The divergence up to which the frontier can be told.
        doubt: Why there is no ratio ("undetermined: ..."); "" if there is one.
    """

    ratio: Interval
    excess: Interval
    base: float
    trained: float
    frontier: float
    kl: float
    furthest: float
    doubt: str


def efficiency(
    base: Rewards,
    trained: Rewards,
    kls: Rewards,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Efficiency:
    """Return which share a policy has of the reward that its divergence could have bought.

    Personas are resampled for all three together. What `frontier` says of being above and below it
    holds here too. A low share is no fault of training alone: the frontier is generous.

    When not to use it: where the gain to be had is small beside its interval; the ratio is then
    anything. Read `excess` instead.

    Args:
        base: Rewards of the base's talks.
        trained: Rewards of the trained policy's, of the same personas.
        kls: For each persona the divergence from the base in each of its trained talks, nats, as
            `talk_kls` gives them.
        level: Coverage, in (0, 1). Fewer than eight personas make it too narrow.
        resamples: How many resamples.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If personas differ, or a value is missing or not finite.
    """
    _check_personas(base, trained, kls)
    curves = _curves(base, _grid(base))
    sums = [_sums(given) for given in (base, trained, kls)]

    def figures(counts: Numbers) -> tuple[float, float, float, float]:
        before, after, kl = (float(total / size) for total, size in (one @ counts for one in sums))
        return before, after, kl, float(_at(curves, counts * sums[0][1], np.array([kl]))[0])

    before, after, kl, best = figures(np.ones(len(base)))
    limit = furthest(base)
    best = best if kl <= limit else math.nan
    drawn = np.array([figures(counts) for counts in redraws(len(base), resamples, seed)])
    gains, room = drawn[:, 1] - drawn[:, 0], drawn[:, 3] - drawn[:, 0]
    flat = best - before <= _FLAT * max(1.0, abs(before))
    ratio = math.nan if flat else (after - before) / (best - before)
    return Efficiency(
        ratio=_interval(ratio, gains[room > 0.0] / room[room > 0.0], trained, level),
        excess=_interval(after - best, gains - room, trained, level),
        base=before,
        trained=after,
        frontier=best,
        kl=kl,
        furthest=limit,
        doubt=_doubt(kl, limit, flat=flat),
    )


def _doubt(kl: float, limit: float, *, flat: bool) -> str:
    if kl > limit:
        return (
            f"undetermined: the divergence is {kl:.2f} nats, and so many base talks tell the "
            f"frontier up to {limit:.2f} only"
        )
    if flat:
        return "undetermined: at this divergence the base's talks hold no more reward to be had"
    return ""


class _Curves(NamedTuple):
    """Divergence and mean reward of each persona (rows) along the grid of 1 / beta (columns)."""

    kls: Numbers
    means: Numbers


def _curves(rewards: Rewards, steepness: Numbers) -> _Curves:
    rows = [
        _curve(np.array(rewards[name], dtype=np.float64), steepness) for name in sorted(rewards)
    ]
    return _Curves(np.array([kl for kl, _ in rows]), np.array([mean for _, mean in rows]))


def _curve(rewards: Numbers, steepness: Numbers) -> tuple[Numbers, Numbers]:
    below = rewards - rewards.max()
    weights = np.exp(steepness[:, None] * below[None, :])
    totals = weights.sum(axis=1)
    gap = weights @ below / totals
    # sum w ln(N w), as ln w = below / beta - ln(sum of weights)
    kls = steepness * gap - np.log(totals / len(rewards))
    return np.maximum(kls, 0.0), rewards.max() + gap


def _grid(rewards: Rewards) -> Numbers:
    """Return values of 1 / beta from the base itself to its best talks alone."""
    _check(rewards)
    values = [value for one in rewards.values() for value in one]
    spread = max(values) - min(values) or 1.0
    return np.concatenate(([0.0], np.geomspace(1.0 / _STEEPEST, _STEEPEST, _GRID) / spread))


def _at(curves: _Curves, sizes: Numbers, kls: Numbers) -> Numbers:
    """Return the reward at each divergence, for personas with so many talks each."""
    shares = sizes / sizes.sum()
    along = np.maximum.accumulate(shares @ curves.kls)  # rounding can leave a step down
    return np.asarray(np.interp(kls, along, shares @ curves.means), dtype=np.float64)


def _sizes(rewards: Rewards) -> Numbers:
    return np.array([len(rewards[name]) for name in sorted(rewards)], dtype=np.float64)


def _sums(rewards: Rewards) -> Numbers:
    """Return the sum of the values of each persona, above how many there are."""
    return np.array([[math.fsum(rewards[name]) for name in sorted(rewards)], _sizes(rewards)])


def _interval(figure: float, drawn: Numbers, rewards: Rewards, level: float) -> Interval:
    """Return a figure with its interval over personas; `size` counts the talks of `rewards`."""
    found = percentiles(figure, drawn, sum(map(len, rewards.values())), level=level)
    return ends_known(found, len(rewards))


def _check(rewards: Rewards) -> None:
    if not rewards or not all(rewards.values()):
        raise InvalidArgument("rewards must hold at least one persona, each with a talk")
    for name, values in rewards.items():
        if not all(map(math.isfinite, values)):
            raise InvalidArgument(
                f"rewards of {name!r} hold one that is not finite: leave out talks without a "
                "reward, and count them"
            )


def _check_personas(base: Rewards, trained: Rewards, kls: Rewards) -> None:
    for given in (base, trained, kls):
        _check(given)
    odd = (base.keys() ^ trained.keys()) | (base.keys() ^ kls.keys())
    if odd:
        raise InvalidArgument(
            f"{min(odd)!r} is not among the personas of all of base, trained and kls: give talks "
            "of the same personas"
        )
