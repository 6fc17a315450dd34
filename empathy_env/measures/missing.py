"""What episodes that ended in a fault could do to a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from empathy_env.errors import InvalidArgument


class Bounds(NamedTuple):
    """A mean, and where it could lie if nothing had been missing.

    Attributes:
        mean: Of what was observed; NaN if nothing was.
        worst: The mean if everything missing had been at the low end.
        best: The mean if everything missing had been at the high end.
        size: How many values were observed.
        missing: How many were not.
    """

    mean: float
    worst: float
    best: float
    size: int
    missing: int


def bounds(values: Sequence[float], missing: int, low: float, high: float) -> Bounds:
    """Return a mean with its worst and best case.

    Faults need not strike at random: a model may fail in just those talks that go badly. Without
    any assumption about why values are missing, the mean of all of them lies between the mean with
    the lowest possible value in their place and that with the highest (Manski 1990, "Nonparametric
    Bounds on Treatment Effects").

    Args:
        values: What was observed.
        missing: How many values are missing, at least 0.
        low: The lowest that a value can be.
        high: The highest that a value can be.

    Raises:
        InvalidArgument: If there is no value, observed or missing, or one is outside its range.

    >>> bounds([60.0, 80.0], missing=2, low=0.0, high=100.0)
    Bounds(mean=70.0, worst=35.0, best=85.0, size=2, missing=2)
    """
    if missing < 0 or not (values or missing):
        raise InvalidArgument(
            f"missing={missing} beside {len(values)} values: there must be at least one in all"
        )
    outside = [value for value in values if not low <= value <= high]
    if outside:
        raise InvalidArgument(
            f"values hold {outside[0]}, which is outside low={low} to high={high}: "
            "give the range that a value can have"
        )
    size, total = len(values), math.fsum(values)
    count = size + missing
    return Bounds(
        mean=total / size if size else math.nan,
        worst=(total + missing * low) / count,
        best=(total + missing * high) / count,
        size=size,
        missing=missing,
    )
