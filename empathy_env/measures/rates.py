"""Estimators from counts of successes: unbiased ones over subsets, and an interval of a rate.

Sources: pass@k and its estimator are those of Chen et al. (2021, arXiv 2107.03374); the interval is
that of Wilson (1927).
"""

from __future__ import annotations

import math
from statistics import NormalDist


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

    Unbiased: 1 - C(n - c, k) / C(n, k). NaN with fewer episodes than tries.

    >>> pass_at(1, 4, 2)
    0.5
    """
    if episodes < tries:
        return math.nan
    return 1.0 - math.comb(episodes - successes, tries) / math.comb(episodes, tries)


def wilson(rate: float, size: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return both ends of Wilson's interval of a rate; `size` is the effective one, above 0.

    >>> [round(end, 3) for end in wilson(0.0, 20)]
    [0.0, 0.161]
    """
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    spread = z * math.sqrt(rate * (1.0 - rate) / size + z * z / (4.0 * size * size))
    middle, scale = rate + z * z / (2.0 * size), 1.0 + z * z / size
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
