"""Cell by cell: what a policy can do within a budget of tries, and what training changed about it.

Sources: preserved, expanded, shrunk and out of reach, with the rates SRR, NDR, SDS and NSCR, are
those of Wu et al. (2025, "The Invisible Leash", arXiv 2507.14843); there a single success decides,
here the bounds of Clopper and Pearson (1934) do, so that a cell may be undetermined. The intervals
of tries to solve and the verdicts take the budget that was declared before anything was sampled.

When not to use it: with a budget that was chosen after the results were seen; with fewer episodes
than about three times the budget, of which most cells come out undetermined (no law against it:
their share is a figure of its own). Each bound is of one cell: of a hundred cells that a base can
do, about five will not look so. Episodes of one cell must be independent given their start.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

import numpy as np

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.rates import clopper_pearson

Fate = Literal["preserved", "expanded", "shrunk", "out of reach", "undetermined"]
FATES: Final[tuple[Fate, ...]] = get_args(Fate)
Ruling = Literal["elicited", "not reached", "created", "undetermined"]
RULINGS: Final[tuple[Ruling, ...]] = get_args(Ruling)

MISS: Final = 0.05
"""A cell is within a budget if all of its tries fail at most this often."""
FEWEST: Final = 5
"""With fewer personas than this no interval over them is given."""


class Chance(NamedTuple):
    """What is known of a chance of success.

    Attributes:
        successes: How many there were.
        episodes: Among how many.
        low: The chance is at least this, in [0, 1]; a one-sided bound.
        high: It is at most this; another one-sided bound.
    """

    successes: int
    episodes: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share of successes; NaN without episodes."""
        return self.successes / self.episodes if self.episodes else math.nan


def chance(successes: int, episodes: int, *, confidence: float = 0.95) -> Chance:
    """Return a chance with two one-sided bounds of Clopper and Pearson.

    Args:
        successes: How many, in [0, episodes].
        episodes: How many, at least 0.
        confidence: How often each of the bounds holds, at least, in (0.5, 1).

    Raises:
        InvalidArgument: If a number is out of its range.

    >>> round(chance(0, 5990).high * 100, 4)  # below 0.05 / 100
    0.05
    """
    if not 0.5 < confidence < 1.0:
        raise InvalidArgument(f"confidence={confidence} is not in (0.5, 1): 0.95 is usual")
    low, high = clopper_pearson(successes, episodes, level=2.0 * confidence - 1.0)
    return Chance(successes, episodes, low, high)


def threshold(budget: int) -> float:
    """Return the chance at which so many tries hold a success in 95 of 100: 1 - 0.05^(1/k).

    Raises:
        InvalidArgument: If the budget is below 1.

    >>> round(threshold(8192), 7)
    0.0003656
    """
    _check_budget(budget)
    return -math.expm1(math.log(MISS) / budget)


def solvable(known: Chance, budget: int) -> bool | None:
    """Return whether so many tries will do; None if the episodes do not say.

    Yes if the lower bound is at least the threshold, no if the upper one is not above it: no
    success in as many episodes as there are tries is the least that shows this.

    >>> solvable(chance(0, 10), 100) is None, solvable(chance(5, 10), 100)
    (True, True)
    """
    least = threshold(budget)
    if known.low >= least:
        return True
    # Of no success in just so many episodes the bound is the threshold, but for rounding.
    return False if known.high <= least * (1.0 + 1e-9) else None


def fate(base: Chance, trained: Chance, budget: int) -> Fate:
    """Return what training did to one cell, for a budget of tries.

    Preserved: both can do it; expanded: only the trained policy; shrunk: only the base; out of
    reach: neither. To be able means that so many tries hold a success in 95 of 100: out of reach is
    not never. Undetermined if the bounds of either leave it open.
    """
    before, after = solvable(base, budget), solvable(trained, budget)
    if before is None or after is None:
        return "undetermined"
    if before:
        return "preserved" if after else "shrunk"
    return "expanded" if after else "out of reach"


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What training did to the cells of some personas. NaN: it cannot be known.

    P, E and S are the numbers of cells preserved, expanded and shrunk. Intervals are over resampled
    personas; their `size` is the number of cells behind the figure.

    Attributes:
        counts: How many cells have each fate.
        undetermined: Share of cells of which the episodes do not say: read it first. The other
            figures are of the rest, which are the easy and the hopeless cells.
        retained: SRR = P / (P + S), in [0, 1].
        discovered: NDR = E / (P + E), in [0, 1].
        balance: SDS, the harmonic mean of these two, in [0, 1].
        net: NSCR = (E - S) / (P + E + S), in [-1, 1].
    """

    counts: Mapping[Fate, int]
    undetermined: Interval
    retained: Interval
    discovered: Interval
    balance: Interval
    net: Interval


def support(
    fates: Mapping[str, Sequence[Fate]],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Support:
    """Return how many cells have each fate, and the rates, with intervals over personas.

    Percentiles of the bootstrap over whole personas. Resamples in which a rate has no denominator
    are left out; where most have none, so are the ends, and with fewer personas than `FEWEST`, and
    where all resamples agree, as on a rate of 0 or 1: that is the bootstrap's limit, no certainty.

    Args:
        fates: For each persona those of its cells, at least one in all.
        level: Coverage, in (0, 1).
        resamples: How many resamples.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no cell.

    >>> support({"ana": ["preserved", "shrunk"], "ben": ["undetermined"]}).retained.mean
    0.5
    """
    rows = [[list(found).count(fate) for fate in FATES] for _, found in sorted(fates.items())]
    table = np.array(rows, dtype=float).reshape(-1, len(FATES))
    if not table.sum():
        raise InvalidArgument("fates hold no cell: give at least one persona with one")
    personas = len(rows)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(personas, [1.0 / personas] * personas, size=resamples)
    whole = _rates(table.sum(axis=0)[None, :])[0]
    drawn = _rates(weights @ table)
    p, e, s, o, u = (int(value) for value in table.sum(axis=0))
    sizes = (p + e + s + o + u, p + s, p + e, p + e + s, p + e + s)
    found = [
        _interval(float(whole[place]), drawn[:, place], size, level, known=personas >= FEWEST)
        for place, size in enumerate(sizes)
    ]
    return Support(
        counts=dict(zip(FATES, (p, e, s, o, u), strict=True)),
        undetermined=found[0],
        retained=found[1],
        discovered=found[2],
        balance=found[3],
        net=found[4],
    )


def _rates(counts: np.ndarray) -> np.ndarray:
    """Return undetermined share, SRR, NDR, SDS and NSCR of each row of counts."""
    p, e, s, _, u = counts.T
    with np.errstate(invalid="ignore", divide="ignore"):
        retained, discovered = p / (p + s), e / (p + e)
        balance = 2.0 * retained * discovered / (retained + discovered)
        found = (u / counts.sum(axis=1), retained, discovered, balance, (e - s) / (p + e + s))
    return np.stack(found, axis=1)


def _interval(mean: float, drawn: np.ndarray, size: int, level: float, *, known: bool) -> Interval:
    defined = drawn[~np.isnan(drawn)]
    if not known or 2 * len(defined) < len(drawn) or np.ptp(defined) == 0:
        return Interval(mean, math.nan, math.nan, size)
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(mean, float(low), float(high), size)


def tries_to_solve(successes: int, episodes: int, *, level: float = 0.95) -> Interval:
    """Return how many tries it takes, on average, to the first success: 1 / p, from 1 up.

    The interval is [1 / UB, 1 / LB] of Clopper and Pearson's; without a success its upper end and
    the mean are infinite, without an episode the mean is NaN. `size` is the number of episodes. Not
    a forecast for one run of tries: those are spread about 1 / p as widely as they are long.

    >>> tries_to_solve(5, 10).mean
    2.0
    """
    low, high = clopper_pearson(successes, episodes, level=level)
    if not episodes:
        return Interval(math.nan, 1.0, math.inf, 0)
    mean = episodes / successes if successes else math.inf
    return Interval(mean, 1.0 / high, 1.0 / low if low > 0 else math.inf, episodes)


def attempts_to_certify(budget: int, *, confidence: float = 0.95) -> int:
    """Return how many failures in a row show that a chance is below 0.05 / K.

    n = ln(1 - confidence) / ln(1 - 0.05 / K), rounded up: about sixty times the budget. Plan with
    this before sampling; a single success, and more are needed.

    Args:
        budget: K, at least 1.
        confidence: How often the bound holds, in (0, 1).

    Raises:
        InvalidArgument: If a number is out of its range.

    >>> attempts_to_certify(100), attempts_to_certify(1000)
    (5990, 59914)
    """
    _check_budget(budget)
    if not 0.0 < confidence < 1.0:
        raise InvalidArgument(f"confidence={confidence} is not in (0, 1): 0.95 is usual")
    return math.floor(math.log1p(-confidence) / math.log1p(-MISS / budget)) + 1


class Verdict(NamedTuple):
    """What may be said of one cell at a declared budget.

    Attributes:
        ruling: One of four.
        why: In half a sentence.
    """

    ruling: Ruling
    why: str


def verdict(
    base: Chance, trained: Chance, budget: int, *, controls: Iterable[Chance] = ()
) -> Verdict:
    """Return what may be said of one cell, for a budget K that was declared beforehand.

    Not reached: the trained policy never succeeded in K episodes or more. Elicited: it does within
    K tries (a rate of at least 1 / K), and so did the base. Created: it does, the base's chance is
    certainly below 0.05 / K, and no control succeeded even once. Undetermined: the rest.

    Args:
        base: Of the base.
        trained: Of the trained policy.
        budget: K: how many tries of the base the training was worth. Its episodes, divided by the
            starts that it was trained on, is a fair one.
        controls: Of policies that show what is not owed to the reward: trained on a random one, or
            on the base's own words again; other base models.

    Raises:
        InvalidArgument: If the budget is below 1.

    >>> verdict(chance(0, 6000), chance(40, 64), 100).ruling
    'created'
    >>> verdict(chance(0, 6000), chance(40, 64), 100, controls=[chance(1, 64)]).ruling
    'undetermined'
    """
    _check_budget(budget)
    if not trained.successes:
        if trained.episodes >= budget:
            return Verdict("not reached", f"no success in {trained.episodes} episodes")
        return Verdict("undetermined", f"no success, in {trained.episodes} of {budget} episodes")
    if trained.rate * budget < 1.0:
        return Verdict("undetermined", "the trained policy succeeds less than once in the budget")
    if not base.episodes:
        return Verdict("undetermined", "no episode of the base counts")
    if base.rate * budget >= 1.0:
        return Verdict("elicited", f"the base succeeded {base.successes} of {base.episodes} times")
    if base.high >= MISS / budget:
        needed = attempts_to_certify(budget)
        return Verdict(
            "undetermined",
            f"the base succeeded {base.successes} of {base.episodes} times: too few to tell, "
            f"{needed} failures would certify",
        )
    if any(control.successes for control in controls):
        return Verdict("undetermined", "a control succeeded too, so it is not owed to the training")
    return Verdict("created", f"the base's chance is below {base.high:.2g}")


def _check_budget(budget: int) -> None:
    if budget < 1:
        raise InvalidArgument(f"budget={budget} is below 1: give a number of tries, such as 100")
