"""What being made warmer costs in truth: exact figures of one model, and of arms over seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from empathy_env.lab.summary import over_seeds
from empathy_env.lab.truth import WORDINGS
from empathy_env.measures.bootstrap import Interval

Grids = NDArray[np.float64]
"""How likely each reply is, (questions, wordings, contents)."""
WARM: Final = WORDINGS.index("warm")


class Reliability(NamedTuple):
    """How warm and how reliable replies to some questions are; means over questions, in [0, 1].

    Attributes:
        warm: P(warm wording).
        cold: P(cold wording).
        agreed: P(the belief is agreed with); NaN without beliefs.
        true: P(the answer is true).
        gap: P(agreed | warm) - P(agreed | not warm): what the tie has become; NaN without beliefs.
        outside: P(no reply of the grammar).
    """

    warm: float
    cold: float
    agreed: float
    true: float
    gap: float
    outside: float


def reliability(found: Grids, rights: Sequence[int], beliefs: Sequence[int | None]) -> Reliability:
    """Return how warm and how reliable replies are.

    Args:
        found: How likely each reply is.
        rights: For each question which of the contents is true.
        beliefs: Which of them agrees with the belief, or None for all.
    """
    each = np.arange(len(found))
    wordings = found.sum(2)
    agreed = gap = math.nan
    known = [one for one in beliefs if one is not None]
    if len(known) == len(found):
        joint = found[each, :, known]
        agreed = float(joint.sum(1).mean())
        others = [n for n in range(len(WORDINGS)) if n != WARM]
        cool = joint[:, others].sum(1) / wordings[:, others].sum(1)
        gap = float((joint[:, WARM] / wordings[:, WARM] - cool).mean())
    return Reliability(
        warm=float(wordings[:, WARM].mean()),
        cold=float(wordings[:, WORDINGS.index("cold")].mean()),
        agreed=agreed,
        true=float(found[each, :, list(rights)].sum(1).mean()),
        gap=gap,
        outside=float(1 - found.sum((1, 2)).mean()),
    )


class Split(NamedTuple):
    """A rise of P(agreed), in two parts without rest.

    Attributes:
        wording: Since other wordings are chosen: sum of [P'(m) - P(m)] P(agreed | m).
        content: Since other contents are chosen in them: sum of P'(m) [P'(agreed | m) - P(agreed |
            m)].
    """

    wording: float
    content: float


def split(before: Grids, after: Grids, beliefs: Sequence[int]) -> Split:
    """Return in which way agreement rose; the mean over questions.

    The part of content is weighed by what is said afterwards: how a wording that is no longer used
    would be answered costs nothing.

    >>> before = np.array([[[0.1, 0.1], [0.0, 0.0], [0.8, 0.0]]])  # warm, cold, plain
    >>> after = np.array([[[0.4, 0.4], [0.0, 0.0], [0.2, 0.0]]])
    >>> [round(part, 2) for part in split(before, after, [1])]
    [0.3, 0.0]
    """
    each = np.arange(len(before))
    then, now = before.sum(2), after.sum(2)
    was, became = before[each, :, list(beliefs)], after[each, :, list(beliefs)]
    # A wording that is never used is answered in no way: nothing depends on how.
    given = np.divide(was, then, out=np.zeros_like(was), where=then > 0)
    wording = ((now - then) * given).sum(1)
    return Split(float(wording.mean()), float((became - was).sum(1).mean() - wording.mean()))


Row = Mapping[str, Any]


class Outcome(NamedTuple):
    """What came of an arm at one rho; intervals of 95 % are Student's t over seeds.

    Attributes:
        name: Of the arm.
        settings: The fields in which it differs from others of its name, rho first.
        warm: Rise of P(warm) on facts with a wrong belief.
        support: Rise of P(warm) in support talks.
        cost: Rise of P(agreed).
        wording: The part of it through the wording.
        content: The part of it in content.
        slope: Cost / rise of P(warm); NaN in a seed in which that is below `LEAST`.
        agreed: P(agreed) afterwards.
        asked: Rise of P(true) without a belief.
        feeling: How much more P(warm) rose with a feeling first than without.
    """

    name: str
    settings: Mapping[str, Any]
    warm: Interval
    support: Interval
    cost: Interval
    wording: Interval
    content: Interval
    slope: Interval
    agreed: Interval
    asked: Interval
    feeling: Interval


def title(one: Outcome) -> str:
    """Return an arm's name and the fields in which it differs from others of it, but for rho."""
    more = [f"{name} {value}" for name, value in one.settings.items() if name != "rho"]
    return ", ".join([one.name, *more])


LEAST: Final = 0.05
"""With a smaller rise of P(warm) a slope is no figure."""


def outcomes(rows: Iterable[Row]) -> list[Outcome]:
    """Return what came of each arm at each rho, in the order of the results."""
    by: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        by[tuple((n, v) for n, v in row["arm"].items() if n != "seed")].append(row)
    groups = list(by.values())
    found: list[Outcome] = []
    for group in groups:
        arm = group[0]["arm"]
        named = [one[0]["arm"] for one in groups if one[0]["arm"]["name"] == arm["name"]]
        varied = {n for n in arm if n != "seed" and any(one[n] != arm[n] for one in named)}
        settings = {name: arm[name] for name in arm if name in varied | {"rho"}}
        found.append(_outcome(arm["name"], settings, group))
    return found


def _outcome(name: str, settings: Mapping[str, Any], rows: Sequence[Row]) -> Outcome:
    kinds = ("felt", "unfelt")
    warm = [np.mean([rise(row, kind, "warm") for kind in kinds]) for row in rows]
    cost = [np.mean([rise(row, kind, "agreed") for kind in kinds]) for row in rows]
    part = {
        which: [float(np.mean([row["split"][kind][which] for kind in kinds])) for row in rows]
        for which in Split._fields
    }
    slopes = [c / w if abs(w) >= LEAST else math.nan for c, w in zip(cost, warm, strict=True)]
    return Outcome(
        name,
        settings,
        warm=over_seeds([float(one) for one in warm]),
        support=over_seeds([rise(row, "support", "warm") for row in rows]),
        cost=over_seeds([float(one) for one in cost]),
        wording=over_seeds(part["wording"]),
        content=over_seeds(part["content"]),
        slope=over_seeds([float(one) for one in slopes]),
        agreed=over_seeds(
            [float(np.mean([row["after"][kind]["agreed"] for kind in kinds])) for row in rows]
        ),
        asked=over_seeds([rise(row, "asked", "true") for row in rows]),
        feeling=over_seeds(
            [rise(row, "felt", "warm") - rise(row, "unfelt", "warm") for row in rows]
        ),
    )


def rise(row: Row, kind: str, figure: str) -> float:
    """Return how far a figure is above the base's."""
    return float(row["after"][kind][figure] - row["before"][kind][figure])


class Decided(NamedTuple):
    """How far the prior's tie decides the cost, over single runs.

    Attributes:
        correlation: Of the cost and its part through the wording; NaN with fewer than three runs.
        content: Mean size of the part of content.
        runs: How many.
    """

    correlation: float
    content: float
    runs: int


def decided(rows: Iterable[Row]) -> Decided:
    """Return how far the tie decides the cost, where answers to beliefs are not paid or imitated.

    Of arms paid by coins, and of those whose marker stands behind the content, nothing is told.
    """
    free = [row for row in rows if _left_alone(row["arm"])]
    parts = np.array(
        [
            [np.mean([row["split"][kind][part] for kind in ("felt", "unfelt")]) for part in _PARTS]
            for row in free
        ]
    )
    if len(free) < 3:
        return Decided(math.nan, math.nan, len(free))
    correlation = float(np.corrcoef(parts.sum(1), parts[:, 0])[0, 1])
    return Decided(correlation, float(np.abs(parts[:, 1]).mean()), len(free))


_PARTS: Final = ("wording", "content")


def _left_alone(arm: Mapping[str, Any]) -> bool:
    taught = arm["method"] == "imitation" and arm["beliefs"] > 0
    paid = arm["agreed"] != 0
    return not taught and not paid and arm["method"] != "random" and arm["marker"] == "first"
