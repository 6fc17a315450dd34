"""`empathy-env lab`: experiments on how a pretrained prior limits what training can add."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from empathy_env.commands.console import AsJson, err, out, print_json, print_table
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.lab.arms import arms_of, key_of
from empathy_env.lab.summary import Condition, Step, conditions, step


def command(
    experiment: Annotated[Path, typer.Argument(help="Its YAML file; see docs/lab.md.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for results, bases and figures.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes, each of one thread.")] = 1,
    traces: Annotated[
        bool, typer.Option("--traces", help="Keep the talks of evaluations too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run an experiment of the prior lab; what has been run is not run again."""
    for module in ("torch", "transformers"):
        if find_spec(module) is None:
            raise MissingExtra.of("empathy-env lab", "torch")
    from empathy_env.lab.run import results, run

    arms = arms_of(_read(experiment))
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {key_of(arm) for arm in arms}
    known = sum(row["key"] in wanted for row in results(folder))
    err.print(f"{len(arms)} arms, {known} of them run already", highlight=False)
    for number, (text, _) in enumerate(run(arms, folder, workers=workers, traces=traces), start=1):
        err.print(f"{number}: {text}", highlight=False, markup=False)
    rows = [row for row in results(folder) if row["key"] in wanted]
    found = conditions(rows)
    if find_spec("matplotlib") is not None:
        from empathy_env.lab.figures import save_all

        for path in save_all(folder, rows):
            err.print(f"figure: {path}", highlight=False, markup=False)
    if as_json:
        print_json([{**one._asdict(), "acquired": one.acquired} for one in found])
    else:
        _print(found)


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
    columns = ("comparison", "settings", "prior", "after", "acquired", "others", "gain", "KL")
    print_table(columns, map(_row, found))
    for name, credit, known in steps(found):
        out.print(
            f"{name}, validation paid {credit:g}: never at {known.never:g}, always at "
            f"{known.always:g}; half at {known.midpoint.mean:.2g} "
            f"({known.midpoint.low:.2g} to {known.midpoint.high:.2g}, {known.runs} runs)",
            highlight=False,
        )


def _row(one: Condition) -> tuple[str, ...]:
    return (
        one.name,
        ", ".join(f"{name} {value}" for name, value in one.settings.items()),
        _numbers(one.prior),
        _numbers(one.after),
        f"{one.acquired}/{len(one.after)}",
        _numbers(one.others),
        f"{one.gain.mean:+.1f} ({one.gain.low:+.1f} to {one.gain.high:+.1f})",
        f"{one.kl:.1f}",
    )


def steps(found: Sequence[Condition]) -> list[tuple[str, float, Step]]:
    """Return where acquisition sets in, for each comparison over doses and each credit."""
    made: list[tuple[str, float, Step]] = []
    for name in dict.fromkeys(one.name for one in found):
        own = [one for one in found if one.name == name and "dose" in one.settings]
        for credit in sorted({one.settings.get("credit", 0.0) for one in own}):
            here = [one for one in own if one.settings.get("credit", 0.0) == credit]
            pairs: list[tuple[float, bool]] = [
                (one.settings["dose"], value >= 0.5) for one in here for value in one.after
            ]
            if len({dose for dose, _ in pairs}) > 2:
                made.append((name, credit, step(pairs)))
    return made


def _numbers(values: Sequence[Any]) -> str:
    return " ".join(f"{value:.2g}" for value in values)
