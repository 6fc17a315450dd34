"""What a base model does without reward: the lines of the ladder, its ceiling, and RL's premium.

A *rung* is a way of getting behaviour out of a base whose weights stay as they are. The figures of
each rung and base are a line of `ladder.jsonl`; `empathy_env.lab.rungs` makes them. The question is
that of Yue et al. (2025, arXiv 2504.13837): does training add, or find what was there?
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from empathy_env.errors import InvalidArgument
from empathy_env.lab.arms import Arm, Base, key_of
from empathy_env.lab.grammar import REGISTERS, TARGET_NEED, WANTED
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.ceiling import ceiling

LADDER: Final = "ladder.jsonl"
Uses = Literal["nothing", "labels", "need", "environment"]
"""What a rung knows beyond the base: nothing; examples with their needs or registers; the need of
this very person; or what the environment says of its answers. Only the first two count for the
ceiling."""
PLAIN: Final = "temperature 1"
"""Label of plain sampling, which is the base itself."""


class Line(NamedTuple):
    """What one rung came to with one base.

    Attributes:
        key: Of the base.
        base: Its settings.
        rung: Name of the method.
        setting: Of its knobs.
        uses: What it knows beyond the base.
        control: Whether it is there to be compared with, and not for the ceiling.
        needs: Of the person at each start.
        registers: For each start how likely each register is, in the order of `REGISTERS`; what
            is left to 1 is no sentence of the grammar.
        tokens: Sampled for each turn that is given, those thrown away included.
        calls: Of the model for each turn that is given: one for each token sampled, one for each
            turn scored.
        prepared: Calls spent once, before any turn; a step back through the model counts two.
        seconds: It took.
    """

    key: str
    base: Mapping[str, Any]
    rung: str
    setting: Mapping[str, Any]
    uses: Uses
    control: bool
    needs: list[str]
    registers: list[list[float]]
    tokens: float
    calls: float
    prepared: float
    seconds: float

    @property
    def label(self) -> str:
        """The rung and its setting, as `label_of` writes them."""
        return label_of(self.rung, self.setting)

    @property
    def success(self) -> list[float]:
        """For each start the share of turns that meet the need, in [0, 1]."""
        return [
            row[REGISTERS.index(WANTED[need])]  # type: ignore[index]
            for need, row in zip(self.needs, self.registers, strict=True)
        ]

    def mean(self, need: str | None = None) -> float:
        """Return the mean success over the starts of a need, by default over all; NaN if none."""
        found = [v for of, v in zip(self.needs, self.success, strict=True) if need in (None, of)]
        return math.fsum(found) / len(found) if found else math.nan

    def mix(self, need: str) -> list[float]:
        """Return how likely each register is where this is needed, mean over starts."""
        found = [row for of, row in zip(self.needs, self.registers, strict=True) if of == need]
        return np.mean(found, 0).tolist() if found else [math.nan] * len(REGISTERS)

    @property
    def cost(self) -> float:
        """Calls of the model for each start, if each is given one turn."""
        return self.calls + self.prepared / len(self.needs)


def label_of(rung: str, setting: Mapping[str, Any]) -> str:
    """Return a rung and its setting in words.

    >>> label_of("temperature", {"": 0.3}), label_of("steering", {"layer": 1, "strength": 2.0})
    ('temperature 0.3', 'steering layer 1, strength 2')
    """
    said = (f"{name} {_short(value)}".strip() for name, value in setting.items())
    return f"{rung} {', '.join(said)}".strip()


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def lines(folder: Path) -> list[Line]:
    """Return the lines of a folder, oldest first."""
    path = folder / LADDER
    if not path.exists():
        return []
    return [Line(**json.loads(row)) for row in path.read_text("utf-8").splitlines() if row.strip()]


def append(folder: Path, made: Iterable[Line]) -> None:
    """Add lines to those of a folder."""
    with (folder / LADDER).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line._asdict()) + "\n" for line in made)


def best_weights(size: int, tries: int) -> NDArray[np.float64]:
    """Return how likely each of so many tries is the best of `tries` drawn without replacement.

    For tries sorted from worst to best: C(i - 1, k - 1) / C(n, k) for the i-th (Chen et al. 2021,
    arXiv 2107.03374, whose pass@k is the same sum). Not for a `size` near `tries`, where it rests
    on the few best alone.

    >>> best_weights(3, 2).round(3).tolist()
    [0.0, 0.333, 0.667]
    """
    if not 1 <= tries <= size:
        raise InvalidArgument(f"tries={tries} is not in [1, {size}]: draw at least as many turns")
    whole = math.comb(size, tries)
    return np.array([math.comb(i, tries - 1) / whole for i in range(size)])


class Elicited(NamedTuple):
    """The highest rung that needs no reward.

    Attributes:
        label: Of the rung that is best over all starts.
        values: For each start the success of the rung that is best on the *other* half of starts,
            so that a rung that was lucky on one half is not paid for it.
    """

    label: str
    values: dict[int, float]


def elicitable(found: Sequence[Line], *, budget: float, need: str | None = None) -> Elicited:
    """Return what a base can be brought to without reward, within a budget.

    Which rung is the best one is learnt from the environment, so this is a ceiling and no recipe.
    Do not read it as one where the lines hold few rungs.

    Args:
        found: Lines of one base; controls and rungs that use more than labels are left out.
        budget: Calls of the model for each start, at most.
        need: Of these people alone; by default of all.

    Raises:
        InvalidArgument: If no rung is left.
    """
    able = [
        one
        for one in found
        if not one.control and one.uses in ("nothing", "labels") and one.cost <= budget
    ]
    if not able:
        raise InvalidArgument(f"budget={budget:g} calls: no rung costs so little; raise it")
    asked = [n for n, of in enumerate(able[0].needs) if need in (None, of)]
    # Needs come in turn, so a half made of whole rounds holds each need as often.
    halves = [[n for n in asked if (n // len(WANTED)) % 2 == half] for half in (0, 1)]
    values: dict[int, float] = {}
    for own, other in (halves, halves[::-1]):
        best = max(able, key=lambda one: _over(one, other or own))
        values |= {n: best.success[n] for n in own}
    return Elicited(max(able, key=lambda one: _over(one, asked)).label, values)


def _over(line: Line, starts: Sequence[int]) -> float:
    success = line.success
    return math.fsum(success[n] for n in starts) / len(starts)


class Premium(NamedTuple):
    """What RL reached above the ladder, in one condition.

    Attributes:
        name: Of the comparison.
        settings: Its dose, and the fields that are not as usual.
        best: Of each run, the label of the highest rung.
        elicited: Its success, mean over runs.
        trained: That of RL.
        premium: Their difference, with an interval over runs and starts (`measures.ceiling`); of
            two runs none.
    """

    name: str
    settings: Mapping[str, Any]
    best: tuple[str, ...]
    elicited: float
    trained: float
    premium: Interval


def premiums(
    found: Iterable[Line], results: Iterable[Mapping[str, Any]], *, need: str | None = None
) -> list[Premium]:
    """Return what RL reached above the ladder, for each condition whose bases have lines.

    The budget is that of RL's own talks: steps x groups x members, each with as many calls as a
    turn has tokens, shared among the starts; what learning from them costs is not counted. RL's
    success was sampled, the ladder's is exact or sampled as `docs/elicitation.md` says. Arms that
    were shown demonstrations are left out: these are not the base's own.

    Args:
        found: Lines.
        results: Of the experiment, as in `empathy_env.lab.run.results`.
        need: Of these people alone; by default of all.
    """
    by_base: dict[str, list[Line]] = defaultdict(list)
    for line in found:
        by_base[line.key].append(line)
    by_arm: dict[str, list[Arm]] = defaultdict(list)
    rows: dict[str, Mapping[str, Any]] = {}
    for row in results:
        arm = Arm(**row["arm"])
        plain = arm.method == "grpo" and not arm.demonstrations and arm.anchored
        if plain and _same_starts(by_base[key_of(arm.base)], row):
            rows[key_of(arm)] = row
            by_arm[str(sorted({**asdict(arm), "seed": 0}.items()))].append(arm)
    return [
        _premium(sorted(arms, key=lambda arm: arm.seed), by_base, rows, need)
        for arms in by_arm.values()
    ]


def _same_starts(found: Sequence[Line], row: Mapping[str, Any]) -> bool:
    """Return whether the lines are of the starts at which the arm was evaluated."""
    needs = [sample[0] for sample in row["after"]["samples"]]
    return any(one.label == PLAIN and one.needs == needs for one in found)


def _premium(
    arms: Sequence[Arm],
    by_base: Mapping[str, Sequence[Line]],
    rows: Mapping[str, Mapping[str, Any]],
    need: str | None,
) -> Premium:
    below: list[Elicited] = []
    above: list[dict[int, float]] = []
    for arm in arms:
        known = by_base[key_of(arm.base)]
        [plain] = [one for one in known if one.label == PLAIN]
        talks = arm.steps * arm.starts * arm.group_size
        budget = talks * plain.tokens / len(plain.needs)
        below.append(elicitable(known, budget=budget, need=need))
        samples = rows[key_of(arm)]["after"]["samples"]
        above.append({n: samples[n][2] / samples[n][3] for n in below[-1].values})
    apart = ceiling(list(map(_curves, (one.values for one in below))), _all(above), tries=[1])
    return Premium(
        arms[0].name,
        _settings(arms[0]),
        tuple(one.label for one in below),
        _mean(one.values for one in below),
        _mean(above),
        apart.difference[0],
    )


def _curves(values: Mapping[int, float]) -> dict[str, tuple[float, ...]]:
    return {str(n): (value,) for n, value in values.items()}


def _all(values: Sequence[Mapping[int, float]]) -> list[dict[str, tuple[float, ...]]]:
    return [_curves(one) for one in values]


def _mean(values: Iterable[Mapping[int, float]]) -> float:
    return float(np.mean([list(one.values()) for one in values]))


_SHOWN: Final = ("credit", "withheld", "group_size", "kl")


def _settings(arm: Arm) -> dict[str, Any]:
    usual = {one.name: one.default for one in fields(Arm)}
    return {
        "dose": arm.dose,
        **{n: getattr(arm, n) for n in _SHOWN if getattr(arm, n) != usual[n]},
    }


class Row(NamedTuple):
    """One method with the bases that differ in their seed alone, at its best setting.

    Attributes:
        base: What they have in common, as far as it is not as usual.
        rung: Name of the method.
        setting: The one with the highest mean success.
        uses: What the method knows.
        control: Whether it is a control.
        success: Of each base.
        target: Of each base, the success with the target's need, at that setting.
        most: The highest mean of that over all settings.
        tokens: Sampled for each turn, mean over bases.
        calls: For each turn, what was spent once included; mean over bases.
    """

    base: str
    rung: str
    setting: str
    uses: Uses
    control: bool
    success: tuple[float, ...]
    target: tuple[float, ...]
    most: float
    tokens: float
    calls: float


def table(found: Iterable[Line]) -> list[Row]:
    """Return each method at the best of its settings, bases in the order of dose, methods as run.

    The setting is chosen with what it is then shown with: of many alike, the best looks too good.
    """
    by: dict[tuple[str, str, str, bool], dict[str, list[Line]]] = defaultdict(dict)
    for line in sorted(found, key=lambda line: (line.base["dose"], line.base["seed"])):
        where = (_common(line.base), line.rung, line.uses, line.control)
        by[where].setdefault(line.label, []).append(line)
    rows = [_row(base, list(settings.values())) for (base, *_), settings in by.items()]
    order = list(dict.fromkeys(row.base for row in rows))
    return sorted(rows, key=lambda row: order.index(row.base))


def _common(base: Mapping[str, Any]) -> str:
    usual = {one.name: one.default for one in fields(Base)}
    shown = {n: v for n, v in base.items() if n == "withheld" and v != usual[n]}
    return label_of("", {"dose": float(base["dose"]), **shown})


def _row(base: str, settings: Sequence[Sequence[Line]]) -> Row:
    best = max(settings, key=lambda group: np.mean([line.mean() for line in group]))
    most = max(float(np.mean([line.mean(TARGET_NEED) for line in group])) for group in settings)
    first = best[0]
    return Row(
        base,
        first.rung,
        label_of("", first.setting),
        first.uses,
        first.control,
        tuple(line.mean() for line in best),
        tuple(line.mean(TARGET_NEED) for line in best),
        most,
        float(np.mean([line.tokens for line in best])),
        float(np.mean([line.cost for line in best])),
    )
