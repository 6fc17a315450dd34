"""`empathy-env lab`: experiments on how a pretrained prior limits what training can add."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Final, cast

import typer
import yaml

from empathy_env.commands import lab_ladder, lab_warmth
from empathy_env.commands.console import AsJson, err, print_json, print_plain, print_table
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.lab.arms import Arm, arms_of, key_of
from empathy_env.lab.summary import (
    ACQUIRED,
    Condition,
    Step,
    conditions,
    over_seeds,
    rank_correlation,
    read_results,
    step,
    write_summary,
)
from empathy_env.measures.support import FATES


def command(
    experiment: Annotated[Path, typer.Argument(help="Its YAML file; see docs/lab.md.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for results, bases and figures.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes, each of one thread.")] = 1,
    traces: Annotated[
        bool, typer.Option("--traces", help="Keep the talks of evaluations too.")
    ] = False,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="See what the bases do without reward instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run an experiment of the prior lab; what has been run is not run again."""
    given = _read(experiment)
    if lab_warmth.meant(given):
        lab_warmth.shown(given, folder, workers=workers, as_json=as_json)
        return
    arms = arms_of(given)
    if ladder:
        lab_ladder.shown(arms, folder, workers=workers, as_json=as_json)
        return
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {key_of(arm) for arm in arms}
    todo = wanted - {row["key"] for row in read_results(folder)}
    err.print(f"{len(wanted)} arms, {len(wanted) - len(todo)} of them run already", highlight=False)
    if todo:
        _run(arms, folder, workers=workers, traces=traces)
    rows = [row for row in read_results(folder) if row["key"] in wanted]
    write_summary(folder, rows)
    if find_spec("matplotlib") is not None:
        from empathy_env.lab.figures import save_all

        for path in save_all(folder, rows):
            err.print(f"figure: {path}", highlight=False, markup=False)
    found = conditions(rows)
    if as_json:
        print_json([_data(one) for one in found])
    else:
        _print(found)


def _run(arms: Sequence[Arm], folder: Path, *, workers: int, traces: bool) -> None:
    """Run what has not been run, and say what is done.

    Raises:
        MissingExtra: If torch or transformers is not there.
    """
    if any(find_spec(module) is None for module in ("torch", "transformers")):
        raise MissingExtra.of("empathy-env lab", "torch")
    from empathy_env.lab.run import run

    for number, (text, _) in enumerate(run(arms, folder, workers=workers, traces=traces), start=1):
        err.print(f"{number}: {text}", highlight=False, markup=False)


def _data(one: Condition) -> dict[str, Any]:
    """Return a condition as JSON data; what is not known is null."""
    whole = {**one._asdict(), "reach": asdict(one.reach), "acquired": one.acquired}
    whole["support"] = asdict(one.support)
    return cast("dict[str, Any]", _plain(whole))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in cast("Sequence[Any]", value)]
    return value


def _read(path: Path) -> object:
    """Return what a YAML file holds.

    Raises:
        InvalidArgument: If it cannot be read.
    """
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidArgument(f"experiment {path}: {error}") from error


def _print(found: Sequence[Condition]) -> None:
    names = [_name(one) for one in found]
    rows = [(*name, *_figures(one)) for name, one in zip(names, found, strict=True)]
    print_table(("comparison", "settings", *_FIGURES), rows)
    rows = [(*name, *_tries(one)) for name, one in zip(names, found, strict=True)]
    print_table(("comparison", "settings", *_TRIES), rows, "Tries where the target is needed")
    rows = [(*name, *line) for name, one in zip(names, found, strict=True) for line in _talk(one)]
    if rows:
        print_table(("comparison", "settings", *_TALK), rows, "Before and after, mean of the runs")
    for name, known in steps(found):
        print_plain(
            f"{name}: never at {known.never:g}, always at "
            f"{known.always:g}; half at {known.midpoint.mean:.2g} "
            f"({known.midpoint.low:.2g} to {known.midpoint.high:.2g}, {known.runs} runs)"
        )
    for name in dict.fromkeys(one.name for one in found):
        pairs = [(fmean(one.signal), one.gain.mean) for one in found if one.name == name]
        rho = rank_correlation(pairs)
        if not math.isnan(rho.mean):
            print_plain(
                f"{name}: rank correlation of the bases' signal fraction with the gain "
                f"{rho.mean:.2f} ({rho.low:.2f} to {rho.high:.2f}, {rho.size} conditions)"
            )


def _name(one: Condition) -> tuple[str, str]:
    return one.name, ", ".join(f"{name} {value}" for name, value in one.settings.items())


_FIGURES: Final = ("prior", "after", "done", "acquired", "others", "gain", "KL")


def _figures(one: Condition) -> tuple[str, ...]:
    return (
        _numbers(one.prior),
        _numbers(one.after),
        _numbers(one.done),
        f"{one.acquired}/{len(one.after)}",
        _numbers(one.others),
        f"{one.gain.mean:+.1f} ({one.gain.low:+.1f} to {one.gain.high:+.1f})",
        f"{one.kl:.1f}",
    )


_TRIES: Final = ("signal", "K", "base at 1, K", "trained at 1, K", "each", "crossover", "P E S O ?")


def _tries(one: Condition) -> tuple[str, ...]:
    known = one.reach
    return (
        f"{fmean(one.signal):.2f}",
        f"{known.tries[-1]}",
        f"{known.base[0].mean:.2f}, {known.base[-1].mean:.2f}",
        f"{known.trained[0].mean:.2f}, {known.trained[-1].mean:.2f}",
        _numbers(one.met),
        f"{known.crossover.mean:g} ({known.crossover.low:g} to {known.crossover.high:g})",
        " ".join(str(one.support.counts[fate]) for fate in FATES),
    )


_TALK: Final = ("figure", "base", "trained", "difference")


def _talk(one: Condition) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{fmean(before for before, _ in runs):.2f}",
            f"{fmean(after for _, after in runs):.2f}",
            "{:+.2f} ({:+.2f} to {:+.2f})".format(*over_seeds([b - a for a, b in runs])[:3]),
        )
        for name, runs in one.talk.items()
    ]


def steps(found: Sequence[Condition]) -> list[tuple[str, Step]]:
    """Return where acquisition sets in, for conditions that differ in nothing but the dose."""
    by: dict[str, list[Condition]] = {}
    for one in found:
        others = [f"{name} {value}" for name, value in one.settings.items() if name != "dose"]
        by.setdefault(", ".join([one.name, *others]), []).append(one)
    made: list[tuple[str, Step]] = []
    for name, here in by.items():
        doses = [one.settings.get("dose") for one in here]
        if None not in doses and len(set(doses)) > 2:
            pairs = [
                (float(one.settings["dose"]), value >= ACQUIRED)
                for one in here
                for value in one.done
            ]
            made.append((name, step(pairs)))
    return made


def _numbers(values: Sequence[Any]) -> str:
    return " ".join(f"{value:.2g}" for value in values)
