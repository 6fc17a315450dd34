"""A trained policy beside its base: all figures of `empathy-env ceiling`, and what they allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.ceiling import Ceiling, Curves, ceiling, curves_of
from empathy_env.measures.learnt import Learnt
from empathy_env.measures.luck import OverFloors, over_floors
from empathy_env.measures.rates import max_at, min_at
from empathy_env.measures.samples import Outcomes, Place, Sample, fewest, shared, tries_up_to
from empathy_env.measures.support import (
    RULINGS,
    Chance,
    Fate,
    Ruling,
    Support,
    Verdict,
    chance,
    fate,
    support,
    tries_to_solve,
    verdict,
)

Values = Callable[[Outcomes], Sequence[float]]
Estimate = Callable[[Sequence[float], int], float]


class Figure(NamedTuple):
    """What is compared over the number of tries.

    Attributes:
        title: In a few words.
        values: What of each episode is taken.
        estimate: What so many tries of these reach.
        digits: To print.
    """

    title: str
    values: Values
    estimate: Estimate
    digits: int


def _wins(one: Outcomes) -> Sequence[float]:
    return one.wins


def _emotions(one: Outcomes) -> Sequence[float]:
    return one.emotions


FIGURES: Final[Mapping[str, Figure]] = {
    "success": Figure("at least one success in k tries", _wins, max_at, 2),
    "best": Figure("best final emotion of k tries", _emotions, max_at, 1),
    "worst": Figure("worst final emotion of k tries", _emotions, min_at, 1),
}


class Curve(NamedTuple):
    """One figure of all policies.

    Attributes:
        pooled: Base and all runs.
        by_run: Base and each run alone; empty with a single one.
        controls: For each control, as if it were the trained policy.
    """

    pooled: Ceiling
    by_run: Mapping[str, Ceiling]
    controls: Mapping[str, Ceiling]


class CellRow(NamedTuple):
    """What is known of one place under one run."""

    place: Place
    base: Chance
    trained: Chance
    fate: Fate
    verdict: Verdict
    tries_of_base: Interval
    tries_of_trained: Interval


class RunTable(NamedTuple):
    """The places of one run, and what they sum up to."""

    cells: Sequence[CellRow]
    support: Support
    rulings: Mapping[Ruling, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """What luck reaches.

    Attributes:
        curves: For each reference agent what it reaches in k tries.
        base: Whether the base is above all of them.
        trained: Whether the trained policy is.
    """

    curves: Mapping[str, Sequence[Interval]]
    base: OverFloors
    trained: OverFloors


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures of one comparison.

    Attributes:
        goal: Final emotion that counts as success.
        unit: What tries are made at.
        budget: K, for the support table and the verdicts.
        declared: Whether it was given, and so might have been declared beforehand.
        episodes: For each policy how many count.
        left_out: For each policy how many do not.
        dropped: Places that were left out since some policy has no episode there.
        places: Places that are compared.
        controls: Names of the controls.
        scaffolds: For each policy its scaffold.
        curves: The figures of `FIGURES`.
        robust: Success that other seeds bear out, if it was asked for.
        tables: For each run its places.
        floors: What luck reaches, if it was asked for.
        learnt: For each run what the scores of its talks say; empty without scores.
    """

    goal: float
    unit: str
    budget: int
    declared: bool
    episodes: Mapping[str, int]
    left_out: Mapping[str, int]
    dropped: int
    places: int
    controls: Sequence[str]
    scaffolds: Mapping[str, str]
    curves: Mapping[str, Curve]
    robust: Curve | None
    tables: Mapping[str, RunTable]
    floors: Floors | None
    learnt: Mapping[str, Learnt] = field(default_factory=dict[str, Learnt])


class Asked(NamedTuple):
    """What was asked for.

    Attributes:
        goal: Final emotion that counts as success.
        unit: What tries are made at.
        budget: K; None: the most tries that there are.
        seed: Key of the resampling.
    """

    goal: float
    unit: str
    budget: int | None
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The samples of one comparison, by the names that stand in tables."""

    base: Sample
    trained: Mapping[str, Sample]
    controls: Mapping[str, Sample]
    floors: Mapping[str, Sample]
    robust: Mapping[str, Sample]
    """Of "base" and each run with success by other seeds; empty if it was not asked for."""
    scaffolds: Mapping[str, str]

    @property
    def named(self) -> dict[str, Sample]:
        """All but the floors."""
        return {"base": self.base, **self.trained, **self.controls}


def report(policies: Policies, asked: Asked) -> Report:
    """Return all figures of one comparison.

    Raises:
        InvalidArgument: If there is no place of which every policy has an episode that counts.
    """
    named = policies.named
    everyone = list(named.values())
    places = shared(everyone)
    if not places:
        raise InvalidArgument(
            "no place has an episode that counts under every policy: all ended in a fault or have "
            "not ended. Play them again"
        )
    tries = tries_up_to(fewest(everyone, places))
    budget = tries[-1] if asked.budget is None else asked.budget
    curves = {
        name: _curve(policies, figure, places, tries, asked.seed)
        for name, figure in FIGURES.items()
    }
    success = curves["success"].pooled
    return Report(
        goal=asked.goal,
        unit=asked.unit,
        budget=budget,
        declared=asked.budget is not None,
        episodes={
            name: sum(one.episodes for one in sample.places.values())
            for name, sample in named.items()
        },
        left_out={name: sample.left_out for name, sample in named.items()},
        dropped=len({place for sample in named.values() for place in sample.places}) - len(places),
        places=len(places),
        controls=list(policies.controls),
        scaffolds=policies.scaffolds,
        curves=curves,
        robust=_robust(policies, places, tries, asked.seed),
        tables={
            name: _table(policies, name, places, budget, asked.seed) for name in policies.trained
        },
        floors=_floors(policies.floors, success, places, tries, asked.seed),
    )


def _of(sample: Sample, figure: Figure, places: Sequence[Place], tries: Sequence[int]) -> Curves:
    units: dict[str, list[Sequence[float]]] = {}
    for place in places:
        units.setdefault(place.persona, []).append(figure.values(sample.places[place]))
    return curves_of(units, tries, figure.estimate)


def _curve(
    policies: Policies, figure: Figure, places: Sequence[Place], tries: Sequence[int], seed: int
) -> Curve:
    def compared(*samples: Sample) -> Ceiling:
        runs = [_of(sample, figure, places, tries) for sample in samples]
        return ceiling(base, runs, tries=tries, seed=seed)

    base = _of(policies.base, figure, places, tries)
    runs = policies.trained
    return Curve(
        compared(*runs.values()),
        {name: compared(sample) for name, sample in runs.items()} if len(runs) > 1 else {},
        {name: compared(sample) for name, sample in policies.controls.items()},
    )


def _robust(
    policies: Policies, places: Sequence[Place], tries: Sequence[int], seed: int
) -> Curve | None:
    if not policies.robust:
        return None
    trained = {name: policies.robust[name] for name in policies.trained}
    again = Policies(
        base=policies.robust["base"],
        trained=trained,
        controls={},
        floors={},
        robust={},
        scaffolds={},
    )
    return _curve(again, FIGURES["success"], places, tries, seed)


def _table(
    policies: Policies, name: str, places: Sequence[Place], budget: int, seed: int
) -> RunTable:
    cells = [_cell(policies, name, place, budget) for place in places]
    fates: dict[str, list[Fate]] = {}
    for cell in cells:
        fates.setdefault(cell.place.persona, []).append(cell.fate)
    count = Counter(cell.verdict.ruling for cell in cells)
    return RunTable(cells, support(fates, seed=seed), {ruling: count[ruling] for ruling in RULINGS})


def _cell(policies: Policies, name: str, place: Place, budget: int) -> CellRow:
    base, trained = policies.base.places[place], policies.trained[name].places[place]
    before, after = (chance(one.successes, one.episodes) for one in (base, trained))
    controls = [
        chance(sample.places[place].successes, sample.places[place].episodes)
        for sample in policies.controls.values()
    ]
    return CellRow(
        place,
        before,
        after,
        fate(before, after, budget),
        verdict(before, after, budget, controls=controls),
        tries_to_solve(base.successes, base.episodes),
        tries_to_solve(trained.successes, trained.episodes),
    )


def _floors(
    samples: Mapping[str, Sample],
    success: Ceiling,
    places: Sequence[Place],
    tries: Sequence[int],
    seed: int,
) -> Floors | None:
    if not samples:
        return None
    found = {name: _of(one, FIGURES["success"], places, tries) for name, one in samples.items()}
    curves = {name: ceiling(one, [one], tries=tries, seed=seed).base for name, one in found.items()}
    means = {name: [at.mean for at in curve] for name, curve in curves.items()}
    return Floors(
        curves=curves,
        base=over_floors([one.low for one in success.base], means),
        trained=over_floors([one.low for one in success.trained], means),
    )
