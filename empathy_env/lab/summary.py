"""What the results of an experiment say: one line for each condition, and where the step is."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np
from scipy import special  # pyright: ignore[reportMissingTypeStubs]

from empathy_env.lab.arms import Arm
from empathy_env.lab.grammar import REGISTERS, TARGET, TARGET_NEED, WANTED
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.ceiling import Ceiling, ceiling
from empathy_env.measures.rates import pass_at, signal_fraction
from empathy_env.measures.support import Fate, Support, chance, fate, support

RESULTS: Final = "results.jsonl"
SUMMARY: Final = "summary.jsonl"
ACQUIRED: Final = 0.5
"""The register has been acquired if who needs it gets it in this share of talks."""
TRIES: Final = (1, 16, 256)
"""For these pass@k is worked out over the steps of training."""
BUDGET: Final = 16
"""Tries that decide whether a start can be solved."""
Row = Mapping[str, Any]
_TARGET: Final = REGISTERS.index(TARGET)
_ALWAYS: Final = ("name", "world", "dose", "credit", "seed")
_DEFAULTS: Final = {one.name: one.default for one in fields(Arm) if one.default is not MISSING}


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return what has been run, oldest first: one JSON line for each arm."""
    path = folder / RESULTS
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def write_summary(folder: Path, rows: Iterable[Row]) -> Path:
    """Write what each run came to, one short JSON line for each; return the file."""
    path = folder / SUMMARY
    lines = (json.dumps(_plain(brief(row))) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def brief(row: Row) -> dict[str, Any]:
    """Return what a run came to, in a few figures; with what is not at its default of its arm."""
    arm = {
        name: value
        for name, value in row["arm"].items()
        if name in _ALWAYS or value != _DEFAULTS[name]
    }
    sides = {which: _brief(row[which]) for which in ("before", "after")}
    found = {**arm, **sides, "nats": row["after"]["kl"]}
    if row.get("shown"):
        found["shown"] = row["shown"][TARGET_NEED][_TARGET]
    if row["arm"].get("counted"):
        found["hits"], found["counted"] = row["counted"]
    return {**found, "seconds": row["seconds"]}


def _brief(measured: Mapping[str, Any]) -> dict[str, float]:
    samples = measured["samples"]
    return {
        "exact": measured["registers"][TARGET_NEED][_TARGET],
        "done": measured["done"][TARGET_NEED][_TARGET],
        "others": _others(measured),
        "success": _successes(samples),
        "met": _successes([one for one in samples if one[0] == TARGET_NEED]),
        "emotion": float(np.mean([emotion for *_, emotion in samples])),
        **_figures(measured),
    }


def _successes(samples: Sequence[Sequence[Any]]) -> float:
    return sum(wins for _, _, wins, _, _ in samples) / sum(talks for *_, talks, _ in samples)


def _plain(value: Any) -> Any:
    """Return JSON data with floats of four digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in cast("Mapping[str, Any]", value).items()}
    return value


class Condition(NamedTuple):
    """What the runs of one condition came to; runs in the order of their seeds.

    Attributes:
        name: Of the comparison.
        settings: The fields in which it differs from other conditions of the comparison.
        prior: Of each run, how likely the target was where it was needed and known, in the base.
        after: The same after training.
        done: Of each run, in what share of talks the target was what was done there, as appraised:
            a model may have found words for it that are not the grammar's.
        met: Of each run, in what share of the talks of who needs it the goal was reached, at
            whatever turn the target came.
        others: Of each run, the share of the right register for the other needs, mean over them.
        gain: How far the mean final emotion is above the base's, with an interval over runs and
            starts.
        kl: Mean over runs, to the base, in nats a talk.
        signal: Of each base, how often a group of the arm's size holds a success and a failure.
        reach: pass@k where the target is needed, of the trained models beside their bases.
        support: What training did to starts, for `BUDGET` tries, over all needs and runs.
        talk: Entropies in nats, figures of grounding per turn, and exact values in points (the
            middle of the bounds), by name: of each run, before and after. Empty for results that
            were written before there were such figures.
    """

    name: str
    settings: Mapping[str, Any]
    prior: tuple[float, ...]
    after: tuple[float, ...]
    done: tuple[float, ...]
    met: tuple[float, ...]
    others: tuple[float, ...]
    gain: Interval
    kl: float
    signal: tuple[float, ...]
    reach: Ceiling
    support: Support
    talk: Mapping[str, tuple[tuple[float, float], ...]]

    @property
    def acquired(self) -> int:
        """In how many runs the target was acquired."""
        return sum(one >= ACQUIRED for one in self.done)


def conditions(rows: Iterable[Row]) -> list[Condition]:
    """Return the conditions, in the order of the results."""
    return [_condition(name, settings, runs) for name, settings, runs in together(rows)]


def together(rows: Iterable[Row]) -> list[tuple[str, Mapping[str, Any], list[Row]]]:
    """Return the runs of each condition in the order of their seeds, with its name and settings."""
    by: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        # A result may be older than a field; then the field was at its default.
        fixed: dict[str, Any] = {**_DEFAULTS, **row["arm"], "seed": None}
        by[tuple(fixed.items())].append(row)
    arms = [dict(fixed) for fixed in by]
    groups = [sorted(found, key=lambda row: row["arm"]["seed"]) for found in by.values()]
    varied: dict[str, set[str]] = defaultdict(set)
    first: dict[str, Mapping[str, Any]] = {}
    for arm in arms:
        seen = first.setdefault(arm["name"], arm)
        varied[arm["name"]] |= {n for n in arm if arm[n] != seen[n]}
    return [
        (arm["name"], {n: arm[n] for n in arm if n in varied[arm["name"]]}, group)
        for arm, group in zip(arms, groups, strict=True)
    ]


def _condition(name: str, settings: Mapping[str, Any], rows: Sequence[Row]) -> Condition:
    return Condition(
        name=name,
        settings=settings,
        prior=tuple(row["before"]["registers"][TARGET_NEED][_TARGET] for row in rows),
        after=tuple(row["after"]["registers"][TARGET_NEED][_TARGET] for row in rows),
        done=tuple(row["after"]["done"][TARGET_NEED][_TARGET] for row in rows),
        met=tuple(_brief(row["after"])["met"] for row in rows),
        others=tuple(_others(row["after"]) for row in rows),
        gain=emotions(rows).difference[0],
        kl=float(np.mean([row["after"]["kl"] for row in rows])),
        signal=tuple(map(_signal, rows)),
        reach=reach(rows, TARGET_NEED),
        support=_support(rows),
        talk=_talk(rows),
    )


def _support(rows: Sequence[Row]) -> Support:
    fates: dict[str, list[Fate]] = defaultdict(list)
    for row in rows:
        pairs = zip(row["before"]["samples"], row["after"]["samples"], strict=True)
        for number, (before, after) in enumerate(pairs):
            base, trained = (chance(wins, talks) for _, _, wins, talks, _ in (before, after))
            fates[f"{number}"].append(fate(base, trained, BUDGET))
    return support(fates)


_GROUNDING: Final = ("follow-up", "open questions")


def _talk(rows: Sequence[Row]) -> dict[str, tuple[tuple[float, float], ...]]:
    each = [(_figures(row["before"]), _figures(row["after"])) for row in rows]
    names = [name for name in each[0][0] if all(name in one for pair in each for one in pair)]
    return {name: tuple((one[name], two[name]) for one, two in each) for name in names}


def _figures(measured: Mapping[str, Any]) -> dict[str, float]:
    found = {f"entropy, {name}": one[0] for name, one in measured.get("entropy", {}).items()}
    ground = measured.get("grounding", {})
    found |= {name: ground[name][0] for name in _GROUNDING if name in ground}
    values: Sequence[Sequence[float]] = measured.get("values", ())
    if values:
        found["exact value"] = float(np.mean(values))
    return found


def _others(measured: Mapping[str, Any]) -> float:
    registers: Mapping[str, Sequence[float]] = measured["done"]
    right = [
        registers[need][REGISTERS.index(register)]
        for need, register in WANTED.items()
        if register != TARGET
    ]
    return float(np.mean(right))


def _signal(row: Row) -> float:
    """Return the base's signal fraction; groups larger than what was sampled are taken as large."""
    found = [
        signal_fraction(wins, talks, min(row["arm"]["group_size"], talks))
        for _, _, wins, talks, _ in row["before"]["samples"]
    ]
    return float(np.mean(found))


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> Interval:
    """Return Spearman's rank correlation, with the interval of Fisher's transformation.

    NaN with fewer than four pairs, or where one side does not vary.

    >>> round(rank_correlation([(1, 10), (2, 20), (3, 30), (4, 25), (5, 50)]).mean, 2)
    0.9
    """
    one, other = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    if len(pairs) < 4 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return Interval(math.nan, math.nan, math.nan, len(pairs))
    rho = float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])
    middle, reach = math.atanh(min(max(rho, -0.999999), 0.999999)), 1.06 / math.sqrt(len(pairs) - 3)
    low, high = (math.tanh(middle + side * 1.96 * reach) for side in (-1, 1))
    return Interval(rho, low, high, len(pairs))


def _ranks(values: Any) -> Any:
    return np.array([(values < one).sum() + ((values == one).sum() + 1) / 2 for one in values])


def emotions(rows: Sequence[Row]) -> Ceiling:
    """Return the final emotions of the runs of one condition beside those of their bases."""

    def curves(row: Row, which: str) -> dict[str, tuple[float, ...]]:
        return {str(n): (sample[4],) for n, sample in enumerate(row[which]["samples"])}

    return _beside(rows, curves, [1])


def reach(rows: Sequence[Row], need: str | None = None) -> Ceiling:
    """Return pass@k of the runs of one condition beside that of their bases.

    Args:
        rows: Of one condition.
        need: Of these people alone; by default of all.
    """
    talks = min(sample[3] for sample in rows[0]["before"]["samples"])
    tries = [2**n for n in range(int(math.log2(talks)) + 1)]

    def curves(row: Row, which: str) -> dict[str, tuple[float, ...]]:
        return {
            str(n): tuple(pass_at(wins, count, k) for k in tries)
            for n, (of, _, wins, count, _) in enumerate(row[which]["samples"])
            if need in (None, of)
        }

    return _beside(rows, curves, tries)


def _beside(rows: Sequence[Row], curves: Any, tries: Sequence[int]) -> Ceiling:
    bases = [curves(row, "before") for row in rows]
    return ceiling(bases, [curves(row, "after") for row in rows], tries=tries)


def over_seeds(values: Sequence[float]) -> Interval:
    """Return the mean, with the interval of Student's t; NaN where a value is.

    >>> [round(end, 2) for end in over_seeds([1.0, 2.0, 3.0])[:3]]
    [2.0, -0.48, 4.48]
    """
    mean, size = float(np.mean(values)), len(values)
    if size < 2:
        return Interval(mean, math.nan, math.nan, size)
    reach = (
        float(cast(Any, special).stdtrit(size - 1, 0.975))
        * float(np.std(values, ddof=1))
        / math.sqrt(size)
    )
    return Interval(mean, mean - reach, mean + reach, size)


class Step(NamedTuple):
    """Where acquisition sets in, on the scale of the dose.

    Attributes:
        never: The largest dose above 0 at which no run acquired; NaN if there is none.
        always: The smallest dose at which every run did, as at all larger ones; NaN if there is
            none.
        midpoint: Dose at which half of the runs would, by a logistic in log-dose, with an interval.
            If all runs acquired, or none, it lies beyond the doses that were run; how far is the
            prior's.
        runs: How many runs, at doses above 0.
    """

    never: float
    always: float
    midpoint: Interval
    runs: int


def step(found: Sequence[tuple[float, bool]]) -> Step:
    """Return where acquisition sets in.

    The logistic has a flat prior on log10 of the midpoint, from 1e-5 to 1, and on log10 of the
    slope, from 1 to 100 per decade: a few runs, perfectly apart, would else have no midpoint and no
    interval. The figure is the posterior's median, its interval the middle 95 %.

    Args:
        found: For each run its dose and whether it acquired the target.
    """
    by: dict[float, list[bool]] = defaultdict(list)
    for dose, won in found:
        if dose > 0:
            by[dose].append(won)
    doses = sorted(by)
    never = max((dose for dose in doses if not any(by[dose])), default=math.nan)
    rising = [d for d in doses if all(all(by[larger]) for larger in doses if larger >= d)]
    runs = sum(map(len, by.values()))
    return Step(never, min(rising, default=math.nan), _midpoint(by, runs), runs)


def _midpoint(by: Mapping[float, Sequence[bool]], runs: int) -> Interval:
    if not runs:
        return Interval(math.nan, math.nan, math.nan, 0)
    middles, slopes = np.linspace(-5.0, 0.0, 501), np.logspace(0.0, 2.0, 41)
    logs = np.zeros((len(middles), len(slopes)))
    for dose, wins in by.items():
        lead = slopes[None, :] * (math.log10(dose) - middles[:, None])
        logs -= sum(wins) * np.logaddexp(0, -lead) + (len(wins) - sum(wins)) * np.logaddexp(0, lead)
    weights = np.exp(logs - logs.max()).sum(1)
    below = weights.cumsum() / weights.sum()
    half, low, high = (
        float(10.0 ** middles[int(np.searchsorted(below, share))]) for share in (0.5, 0.025, 0.975)
    )
    return Interval(half, low, high, runs)
