"""Intervals that respect clusters: episodes of one persona are no independent evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from empathy_env.errors import InvalidArgument

V = TypeVar("V")


class Interval(NamedTuple):
    """A mean, or another figure, with its interval."""

    mean: float
    low: float
    high: float
    size: int
    """How many values the figure is over."""


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
    ordered = [clusters[name] for name in sorted(clusters)]  # a file's order decides nothing
    sums = np.array([math.fsum(values) for values in ordered])
    sizes = np.array([len(values) for values in ordered])
    drawn = np.random.default_rng(seed).integers(len(sums), size=(resamples, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    total = int(sizes.sum())
    return Interval(float(sums.sum() / total), float(low), float(high), total)


def resampled(
    clusters: Mapping[str, Sequence[V]],
    figure: Callable[[Sequence[V]], float],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return any figure of all values, with a percentile interval over resampled clusters.

    Resamples of which the figure is NaN are left out; if most are, so are the ends.

    Args:
        clusters: For each cluster (a persona) its values, at least one.
        figure: What to compute of the values, taken together.
        level: Coverage, in (0, 1).
        resamples: How many resamples.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no cluster, or one is empty.

    >>> resampled({"a": [1, 3], "b": [2]}, max).mean
    3
    """
    if not clusters or not all(clusters.values()):
        raise InvalidArgument("clusters must hold at least one cluster, each with a value")
    groups = [clusters[name] for name in sorted(clusters)]
    drawn = np.random.default_rng(seed).integers(len(groups), size=(resamples, len(groups)))
    rows = cast("list[list[int]]", drawn.tolist())
    found = [figure([value for index in row for value in groups[index]]) for row in rows]
    known = [value for value in found if not math.isnan(value)]
    whole = [value for group in groups for value in group]
    if 2 * len(known) < resamples:
        return Interval(figure(whole), math.nan, math.nan, len(whole))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(figure(whole), float(low), float(high), len(whole))


def redraws(clusters: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return how often each cluster is in each resample, one row for each resample.

    For figures of sums over clusters, which need no copy of the values.

    >>> redraws(3, 2, 0).sum(axis=1).tolist()
    [3.0, 3.0]
    """
    chances = np.full(clusters, 1.0 / clusters)
    drawn = np.random.default_rng(seed).multinomial(clusters, chances, size=resamples)
    return drawn.astype(np.float64)


def percentiles(
    figure: float, drawn: NDArray[np.float64], size: int, *, level: float = 0.95
) -> Interval:
    """Return a figure with the percentile interval of its resamples.

    Resamples that are NaN are left out. Without a figure, or if most are NaN, the ends are NaN.

    Args:
        figure: Of all values.
        drawn: The same figure of each resample.
        size: How many values the figure is over.
        level: Coverage, in (0, 1).
    """
    known = drawn[~np.isnan(drawn)]
    if math.isnan(figure) or not len(known) or 2 * len(known) < len(drawn):
        return Interval(figure, math.nan, math.nan, size)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(figure, float(low), float(high), size)


def ends_known(found: Interval, clusters: int) -> Interval:
    """Return an interval over so many clusters; that over a single one has no ends, they are NaN.

    >>> ends_known(Interval(1.5, 1.5, 1.5, 2), 1)
    Interval(mean=1.5, low=nan, high=nan, size=2)
    """
    return found if clusters > 1 else found._replace(low=math.nan, high=math.nan)
