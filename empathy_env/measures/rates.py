"""Estimators from counts of successes and from values of tries: unbiased ones, and intervals.

Sources: pass@k and its estimator are those of Chen et al. (2021, arXiv 2107.03374), and the best of
k tries is the same sum over order statistics; the intervals of a rate are those of Wilson (1927)
and of Clopper and Pearson (1934).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, Final, cast

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from empathy_env.errors import InvalidArgument

_EXACT: Final = 1000
"""Up to so many episodes whole numbers are cheap, and nothing is rounded but the result."""


def signal_fraction(successes: int, episodes: int, size: int) -> float:
    """Return how often a group of `size` holds both a success and a failure, in [0, 1].

    Unbiased: the share of all subsets of `size` episodes, 1 - [C(c, G) + C(n - c, G)] / C(n, G),
    whose expectation is 1 - p^G - (1 - p)^G. NaN with fewer episodes than members.

    >>> signal_fraction(1, 4, 2)
    0.5
    """
    if episodes < size:
        return math.nan
    alike = math.comb(successes, size) + math.comb(episodes - successes, size)
    return 1.0 - alike / math.comb(episodes, size)


def pass_at(successes: int, episodes: int, tries: int) -> float:
    """Return how often at least one of so many tries succeeds, in [0, 1].

    Unbiased: 1 - C(n - c, k) / C(n, k), whose expectation is 1 - (1 - p)^k. NaN with fewer episodes
    than tries. Up to a thousand episodes in whole numbers; beyond as a product of min(c, k)
    factors, right to about ten digits for a million of either. Not for tries that share a cause of
    success, such as copies of one reply: k of these are one try.

    Raises:
        InvalidArgument: If `successes` is not in [0, episodes], or `tries` is below 0.

    >>> pass_at(1, 4, 2)
    0.5
    """
    _check_counts(successes, episodes)
    if tries < 0:
        raise InvalidArgument(f"tries={tries} is below 0: give how often one may try")
    if episodes < tries:
        return math.nan
    failures = episodes - successes
    if failures < tries:
        return 1.0
    if episodes <= _EXACT:
        whole = math.comb(episodes, tries)
        return (whole - math.comb(failures, tries)) / whole
    # The two counts can change places: C(n - c, k) / C(n, k) = C(n - k, c) / C(n, c).
    fewer, more = sorted((successes, tries))
    factors = np.log1p(-more / np.arange(episodes - fewer + 1, episodes + 1))
    return -math.expm1(math.fsum(factors.tolist()))


def max_at(values: Sequence[float], tries: int) -> float:
    """Return the mean of the best of so many tries, in the unit of the values.

    Unbiased: the mean of the highest value over all subsets of k values, that is the sum over the
    sorted values r_(i), i from k to n, of r_(i) C(i - 1, k - 1) / C(n, k). With values of 0 and 1
    it is `pass_at`. NaN with fewer values than tries. At k near n it rests on the highest few
    values alone: do not read it as what further tries would bring.

    Args:
        values: One for each episode, in any order.
        tries: How many, at least 1.

    Raises:
        InvalidArgument: If `tries` is below 1, or a value is not finite.

    >>> max_at([0.0, 30.0, 60.0], 2)
    50.0
    """
    if tries < 1:
        raise InvalidArgument(f"tries={tries} is below 1: the best of no try is nothing")
    size = len(values)
    if size < tries:
        return math.nan
    ordered = np.sort(np.asarray(values, dtype=float))[::-1]
    if not np.isfinite(ordered).all():
        raise InvalidArgument(
            "values hold one that is not finite: leave out episodes without a value, and count them"
        )
    # From the highest down each weight is the one before times (i - k) / (i - 1).
    ranks = np.arange(size, tries, -1)
    weights = np.cumprod(np.concatenate(([tries / size], (ranks - tries) / (ranks - 1))))
    return math.fsum((ordered[: size - tries + 1] * weights).tolist())


def min_at(values: Sequence[float], tries: int) -> float:
    """Return the mean of the worst of so many tries: a floor, in the unit of the values.

    As `max_at`, with the order turned round, and with its errors.

    >>> min_at([0.0, 30.0, 60.0], 2)
    10.0
    """
    return -max_at([-value for value in values], tries)


def wilson(rate: float, size: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return both ends of Wilson's interval of a rate; `size` is the effective one, above 0.

    >>> [round(end, 3) for end in wilson(0.0, 20)]
    [0.0, 0.161]
    """
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    spread = z * math.sqrt(rate * (1.0 - rate) / size + z * z / (4.0 * size * size))
    middle, scale = rate + z * z / (2.0 * size), 1.0 + z * z / size
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def clopper_pearson(successes: int, episodes: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return both ends of Clopper and Pearson's interval of a rate, in [0, 1].

    It covers the rate at least as often as `level` says, whatever the rate: each end is the rate at
    which so many successes, or more extreme ones, have a chance of (1 - level) / 2. It is therefore
    wide; where the interval need only be right on average, take `wilson`. Episodes must be
    independent. If they are of several starts, each played as often, it holds for the starts' mean
    rate (Hoeffding 1956), and not for that of other starts. Without episodes it is (0, 1).

    Args:
        successes: How many, in [0, episodes].
        episodes: How many, at least 0.
        level: Of both ends together, in (0, 1); 0.9 gives two one-sided bounds at 95 % each.

    Raises:
        InvalidArgument: If a number is out of its range.

    >>> [round(end, 4) for end in clopper_pearson(0, 20)]
    [0.0, 0.1684]
    """
    _check_counts(successes, episodes)
    if not 0.0 < level < 1.0:
        raise InvalidArgument(f"level={level} is not in (0, 1): 0.95 is usual")
    tail, failures = (1.0 - level) / 2.0, episodes - successes
    beta = cast(Any, special)  # its own types are unknown
    low = float(beta.betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(beta.betainccinv(successes + 1, failures, tail)) if failures else 1.0
    return low, high


def _check_counts(successes: int, episodes: int) -> None:
    if not 0 <= successes <= episodes:
        raise InvalidArgument(
            f"successes={successes} is not in [0, {episodes}]: there are no more than episodes"
        )
