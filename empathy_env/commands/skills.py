"""`empathy-env skills`: what agents do in recorded talks, how well, and how far they differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from empathy_env.commands.console import AsJson, print_json, print_plain, print_table
from empathy_env.errors import InvalidArgument
from empathy_env.group import of_one
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.divergence import (
    Difference,
    MixedTalk,
    Turned,
    Yardstick,
    difference,
    mixed,
    shared_cells,
    turned,
    yardstick,
)
from empathy_env.measures.grounding import FIGURES, Figure, grounding
from empathy_env.measures.noise import apart
from empathy_env.measures.skills import LATENT, SKILLS, Measured, Skill, Talk, profile, talks
from empathy_env.measures.strategies import STRATEGIES, Strategy, Use, strategies
from empathy_env.measures.turns import Sound, sound
from empathy_env.trace import Trace, read_traces


class Arm(NamedTuple):
    """One kind of agent: its runs, and what was measured of them.

    Attributes:
        name: As it was given.
        short: For tables: the name of its first file, and how many more there are.
        runs: For each run what could be measured and what could not.
        mixes: For each run the strategy mixes of its talks.
        talks: The skills of all its talks.
        profile: Of these.
        strategies: Of these.
        grounding: Of these.
    """

    name: str
    short: str
    runs: Sequence[Sound]
    mixes: Sequence[Sequence[MixedTalk]]
    talks: Sequence[Talk]
    profile: Mapping[Skill, Measured]
    strategies: Mapping[Strategy, Use]
    grounding: Mapping[str, Figure]


class Pair(NamedTuple):
    """Two arms, compared.

    Attributes:
        one: Name of the first, as it was given.
        other: Name of the second.
        short: Both, for tables.
        cells: Cells of persona and need that are in both, and in either.
        difference: Over episodes.
        yardstick: Over runs, or halves of them.
        turned: From the base, if one was given.
    """

    one: str
    other: str
    short: str
    cells: tuple[int, int]
    difference: Difference
    yardstick: Yardstick
    turned: Turned | None


def command(
    arms: Annotated[
        list[str],
        typer.Argument(
            help="Trace files, one for each arm; several runs of one arm (training seeds) are "
            "joined by commas: a-1.jsonl,a-2.jsonl b-1.jsonl,b-2.jsonl."
        ),
    ],
    base: Annotated[
        str, typer.Option(help="Traces before training: where skill changes are counted from.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Key of resampling and permutations.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure skills, strategies and grounding of recorded talks; of two or more, compare them."""
    if len(set(arms)) < len(arms):
        raise InvalidArgument(f"arms={arms}: each is measured once; leave the second out")
    found = [_arm(name, seed) for name in arms]
    start = _arm(base, seed) if base else None
    pairs = [_pair(one, other, start, seed) for one, other in combinations(found, 2)]
    if as_json:
        shown = [*found, start] if start else found
        print_json({"arms": [_arm_data(one) for one in shown], "pairs": [_plain(p) for p in pairs]})
        return
    _print_arms([*found, start] if start else found)
    if pairs:
        _print_pairs(pairs)


def _arm(name: str, seed: int) -> Arm:
    paths = [Path(name)] if Path(name).exists() else [Path(part) for part in name.split(",")]
    runs = [sound(apart(of_one(read_traces(path), source=str(path)))) for path in paths]
    if not all(run.traces for run in runs):
        raise InvalidArgument(f"{name}: a file holds no talk with a turn and without a fault")
    traces: list[Trace] = [trace for run in runs for trace in run.traces]
    # Run by run: what counts as said to others as well is what this run has said.
    measured = [talk for run in runs for talk in talks(run.traces)]
    more = f" +{len(paths) - 1}" if len(paths) > 1 else ""
    return Arm(
        name,
        paths[0].stem + more,
        runs,
        [mixed(run.traces) for run in runs],
        measured,
        profile(measured, seed=seed),
        strategies(traces, seed=seed),
        grounding(traces, seed=seed),
    )


def _pair(one: Arm, other: Arm, base: Arm | None, seed: int) -> Pair:
    first, second = (_flat(arm.mixes) for arm in (one, other))
    return Pair(
        one.name,
        other.name,
        f"{one.short} - {other.short}",
        shared_cells(first, second),
        difference(first, second, seed=seed),
        yardstick(one.mixes, other.mixes, seed=seed),
        turned(base.talks, one.talks, other.talks, seed=seed) if base else None,
    )


def _flat(runs: Iterable[Sequence[MixedTalk]]) -> list[MixedTalk]:
    return [talk for run in runs for talk in run]


def _arm_data(arm: Arm) -> dict[str, Any]:
    return {
        "name": arm.name,
        "runs": len(arm.runs),
        "talks": len(arm.talks),
        "faults": sum(run.faults for run in arm.runs),
        "empty": sum(run.empty for run in arm.runs),
        "skills": {
            name: {**_plain(one), "latent": LATENT[name]} for name, one in arm.profile.items()
        },
        "strategies": _plain(arm.strategies),
        "grounding": _plain(arm.grounding),
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: named tuples as mappings, NaN as null."""
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, tuple):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return None if isinstance(value, float) and math.isnan(value) else value


def _print_arms(arms: Sequence[Arm]) -> None:
    for arm in arms:
        lost = ", ".join(
            f"{count} left out: {why}"
            for count, why in (
                (sum(run.faults for run in arm.runs), "cut off by a fault"),
                (sum(run.empty for run in arm.runs), "without a turn"),
            )
            if count
        )
        counts = f"{len(arm.talks)} talks, runs: {len(arm.runs)}"
        print_plain(f"{arm.name}: {counts}{'; ' if lost else ''}{lost}")
    names = [arm.short for arm in arms]
    skills = [(name, *(_skill(arm.profile[name]) for arm in arms)) for name in SKILLS]
    print_table(("skill", *names), skills, "skills, in [0, 1]; u: talks in which it is undefined")
    longer = [(name, *(_signed(arm.profile[name].per_doubling) for arm in arms)) for name in SKILLS]
    print_table(("skill", *names), longer, "change of a turn's score when it is twice as long")
    mix = [(name, *(_use(arm.strategies[name]) for arm in arms)) for name in STRATEGIES]
    print_table(("strategy", *names), mix, "share of the mix, %; in brackets by thirds of the talk")
    worth = [
        (name, *(_shown(arm.strategies[name].contribution, 1) for arm in arms))
        for name in STRATEGIES
    ]
    print_table(("strategy", *names), worth, "mean change of emotion of turns with it, points")
    ground = [(name, *(_shown(arm.grounding[name].per_turn) for arm in arms)) for name in FIGURES]
    print_table(("figure", *names), ground, "grounding, per turn; follow-up, repair: share")


def _print_pairs(pairs: Sequence[Pair]) -> None:
    rows: list[tuple[object, ...]] = []
    for pair in pairs:
        apart, yard = pair.difference, pair.yardstick
        rows += [
            (pair.short, "divergence, bits", f"{apart.bits:.4f}"),
            ("", "the same by chance, bits", _optional(apart.expected, 4)),
            ("", f"p over episodes (least {apart.least_p:.4f})", _optional(apart.p, 4)),
            ("", f"between {_what(yard)}, bits", f"{yard.between:.4f}"),
            ("", f"within an arm, {_what(yard)}, bits", f"{yard.within:.4f}"),
            ("", "R = between / within", _optional(yard.ratio, 2) + (" (?)" if yard.doubt else "")),
        ]
        if yard.p is not None and yard.least_p is not None:
            rows.append(("", f"p over runs (least {yard.least_p:.4f})", f"{yard.p:.4f}"))
        if pair.turned:
            label = f"cosine of {len(pair.turned.skills)} skill changes"
            rows.append(("", label, _shown(pair.turned.cosine)))
    print_table(("arms", "figure", "value"), rows, "divergence of the strategy mixes")
    if any(pair.yardstick.halves for pair in pairs):
        print_plain(
            "One run for each arm: R is over halves by seed, the weaker yardstick. It holds the "
            "luck of episodes, not that of training: give several runs for each to say more."
        )
    for pair in pairs:
        if pair.yardstick.doubt:
            print_plain(f"(?) {pair.short}: do not rely on R: {pair.yardstick.doubt}")
        if pair.cells[0] < pair.cells[1]:
            print_plain(
                f"{pair.short}: {pair.cells[0]} of {pair.cells[1]} cells of persona "
                "and need are in both; what differs between the others may not be the agents"
            )


def _what(yard: Yardstick) -> str:
    return "halves" if yard.halves else "runs"


def _skill(one: Measured) -> str:
    undefined = f", u {one.undefined}" if one.undefined else ""
    return _shown(one.mean) + undefined


def _use(one: Use) -> str:
    thirds = " ".join(f"{100 * share:.0f}" for share in one.by_position.values())
    return f"{100 * one.share.mean:.0f} ({thirds})"


def _shown(interval: Interval | None, digits: int = 2) -> str:
    if interval is None or math.isnan(interval.mean):
        return "-"
    if math.isnan(interval.low):
        return f"{interval.mean:.{digits}f} (no interval)"
    return f"{interval.mean:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _optional(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"
