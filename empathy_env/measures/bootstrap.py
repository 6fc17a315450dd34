"""Intervals that respect clusters: episodes of one persona are no independent evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from empathy_env.errors import InvalidArgument


class Interval(NamedTuple):
    """A mean with its interval."""

    mean: float
    low: float
    high: float
    size: int
    """How many values the mean is over."""


def cluster_bootstrap(
    clusters: Mapping[str, Sequence[float]],
    *,
    level: float = 0.95,
    resamples: int = 4000,
    seed: int = 0,
) -> Interval:
    """Return the mean over all values, with a percentile interval over resampled clusters.

    Whole clusters are drawn with replacement (Field and Welsh 2007). With few clusters the interval
    is too narrow rather than too wide; eight personas are few.

    Args:
        clusters: For each cluster (a persona) its values, at least one.
        level: Coverage, in (0, 1).
        resamples: How many resamples.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no cluster, or one is empty.

    >>> cluster_bootstrap({"a": [1.0, 3.0], "b": [2.0]}).mean
    2.0
    """
    if not clusters or not all(clusters.values()):
        raise InvalidArgument("clusters must hold at least one cluster, each with a value")
    sums = np.array([float(np.sum(values)) for values in clusters.values()])
    sizes = np.array([len(values) for values in clusters.values()])
    drawn = np.random.default_rng(seed).integers(len(sums), size=(resamples, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    total = int(sizes.sum())
    return Interval(float(sums.sum() / total), float(low), float(high), total)
