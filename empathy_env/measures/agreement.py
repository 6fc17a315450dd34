"""How far users agree about the same talks: what a reward is worth under another simulator.

The swap matrix follows SAGE's comparison of simulator models (arXiv 2505.02847). There, rankings of
policies agreed far better than single episodes did, so both the correlation of final emotions and
the share of talks that end on the same side are given, with intervals over personas.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import correlation, fmean
from typing import NamedTuple

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap, resampled
from empathy_env.measures.noise import Retests


class Agreement(NamedTuple):
    """How far two users agree about the same talks.

    Attributes:
        one: Name of the first user.
        other: Name of the second.
        talks: Talks that both could appraise.
        correlation: Pearson's, of the final emotions; NaN if one of them is the same everywhere.
        same_side: Share of talks that both leave on the same side of 50, in [0, 1].
        difference: Mean final emotion of the second minus the first, in points.
    """

    one: str
    other: str
    talks: int
    correlation: Interval
    same_side: Interval
    difference: Interval


def agreement(users: Mapping[str, Retests], *, seed: int = 0) -> list[Agreement]:
    """Return the swap matrix: how far each two users agree, with intervals over personas.

    Of a user that was asked several times the mean final emotion counts.

    Args:
        users: For each user the same talks, appraised by it.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If two users have fewer than two talks in common.
    """
    return [_agreement(one, other, users, seed) for one, other in combinations(users, 2)]


def _agreement(one: str, other: str, users: Mapping[str, Retests], seed: int) -> Agreement:
    first, second = users[one].talks, users[other].talks
    shared = [id for id in first if id in second]
    if len(shared) < 2:
        raise InvalidArgument(
            f"users {one!r} and {other!r} have {len(shared)} talks in common: at least two are "
            "needed to compare them"
        )
    pairs: dict[str, list[Sequence[float]]] = defaultdict(list)
    for id in shared:
        pair = (fmean(first[id].finals), fmean(second[id].finals))
        pairs[first[id].persona].append(pair)
    same = {name: [float((a > 50) == (b > 50)) for a, b in rows] for name, rows in pairs.items()}
    apart = {name: [b - a for a, b in rows] for name, rows in pairs.items()}
    return Agreement(
        one,
        other,
        len(shared),
        resampled(pairs, _correlation, seed=seed),
        cluster_bootstrap(same, seed=seed),
        cluster_bootstrap(apart, seed=seed),
    )


def _correlation(rows: Sequence[Sequence[float]]) -> float:
    first, second = zip(*rows, strict=True)
    if len(rows) < 2 or len(set(first)) < 2 or len(set(second)) < 2:
        return math.nan
    return correlation(first, second)
