"""`empathy-env lab` with an experiment of the kind "warmth"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from empathy_env.commands.console import err, print_json, print_plain, print_table
from empathy_env.errors import MissingExtra, UnknownName
from empathy_env.lab.arms import key_of, listed
from empathy_env.lab.cost import Outcome, decided, outcomes, title
from empathy_env.lab.summary import read_results
from empathy_env.lab.warmth_arms import Arm
from empathy_env.measures.bootstrap import Interval


def meant(given: object) -> bool:
    """Return whether what a YAML file holds is an experiment of this kind.

    Raises:
        UnknownName: If it is of a kind that does not exist.
    """
    if not isinstance(given, Mapping) or "kind" not in given:
        return False
    kind = cast("Mapping[str, object]", given)["kind"]
    if kind != "warmth":
        raise UnknownName.among("kind of experiment", str(kind), ("warmth",))
    return True


def shown(given: object, folder: Path, *, workers: int, as_json: bool) -> None:
    """Run what has not been run of an experiment, and print what came out.

    Args:
        given: What its YAML file holds.
        folder: For results, bases and the figure.
        workers: Processes, each of one thread.
        as_json: Whether to print JSON.
    """
    parts = cast("Mapping[str, object]", given)
    arms = listed({name: part for name, part in parts.items() if name != "kind"}, Arm)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {key_of(arm) for arm in arms}
    todo = wanted - {row["key"] for row in read_results(folder)}
    err.print(f"{len(wanted)} arms, {len(wanted) - len(todo)} of them run already", highlight=False)
    if todo:
        _run(arms, folder, workers)
    rows = [row for row in read_results(folder) if row["key"] in wanted]
    if find_spec("matplotlib") is not None:
        from empathy_env.lab.cost_figure import save_costs

        save_costs(folder / "costs.svg", rows)
        err.print(f"figure: {folder / 'costs.svg'}", highlight=False, markup=False)
    found = outcomes(rows)
    if as_json:
        print_json([_data(one) for one in found])
    else:
        columns = ("arm", "rho", "warmer", "cost", "wording", "content", "slope", "agrees", "asked")
        print_table(columns, map(_row, found))
        known = decided(rows)
        print_plain(
            "where answers to beliefs were neither paid nor imitated, cost and its part through the"
            f" wording correlate at {known.correlation:.2f}, and the part of content is"
            f" {known.content:.2f} in size ({known.runs} runs)"
        )


def _run(arms: Sequence[Arm], folder: Path, workers: int) -> None:
    if any(find_spec(module) is None for module in ("torch", "transformers")):
        raise MissingExtra.of("empathy-env lab", "torch")
    from empathy_env.lab.warmth import run

    for number, (text, _) in enumerate(run(arms, folder, workers=workers), start=1):
        err.print(f"{number}: {text}", highlight=False, markup=False)


def _row(one: Outcome) -> tuple[str, ...]:
    figures = (one.warm, one.cost, one.wording, one.content, one.slope, one.agreed, one.asked)
    return (title(one), f"{one.settings['rho']:g}", *map(_text, figures))


def _text(one: Interval) -> str:
    if one.mean != one.mean:
        return "-"
    reach = "" if one.low != one.low else f" ± {one.high - one.mean:.2f}"
    return f"{one.mean:+.2f}{reach}"


def _data(one: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON data; what is not known is null."""
    made: dict[str, Any] = {"name": one.name, "settings": dict(one.settings)}
    for name, value in one._asdict().items():
        if isinstance(value, Interval):
            known = value._asdict().items()
            made[name] = {part: None if of != of else of for part, of in known}
    return made
