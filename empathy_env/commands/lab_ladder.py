"""`empathy-env lab --ladder`: what the bases of an experiment do without reward."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from empathy_env.commands.console import err, print_json, print_plain, print_table
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.lab.arms import Arm, key_of
from empathy_env.lab.grammar import TARGET_NEED
from empathy_env.lab.ladder import Line, Premium, Row, lines, premiums, table
from empathy_env.lab.summary import read_results


def shown(arms: Sequence[Arm], folder: Path, *, workers: int, as_json: bool) -> None:
    """Run the rungs that have not been run, and print what came out.

    Args:
        arms: Of the experiment; the bases of those that are `anchored` are looked at.
        folder: Of the experiment.
        workers: Processes, each of one thread.
        as_json: Whether to print JSON.

    Raises:
        InvalidArgument: If no arm is.
        MissingExtra: If torch or transformers is not there, and a base has no line yet.
    """
    keys = {key_of(arm.base) for arm in arms if arm.anchored}
    if not keys:
        raise InvalidArgument(
            "the experiment has no arm with world: bandit and without thoughts, where the ladder is"
        )
    folder.mkdir(parents=True, exist_ok=True)
    if all(find_spec(module) is not None for module in ("torch", "transformers")):
        from empathy_env.lab.climb import climbed

        for text, _ in climbed(arms, folder, workers=workers):
            err.print(text, highlight=False, markup=False)
    elif keys - {line.key for line in lines(folder)}:
        raise MissingExtra.of("empathy-env lab --ladder", "torch")
    wanted = {key_of(arm) for arm in arms}
    found = [line for line in lines(folder) if line.key in keys]
    rows = [row for row in read_results(folder) if row["key"] in wanted]
    if as_json:
        print_json(_data(found, rows))
    else:
        _print(found, rows)


_COLUMNS: Final = (
    "base",
    "rung",
    "setting",
    "uses",
    "success",
    "target",
    "most",
    "tokens",
    "calls",
)


def _print(found: Sequence[Line], rows: Sequence[Mapping[str, Any]]) -> None:
    print_table(_COLUMNS, map(_row, table(found)), "At its best setting")
    for title, need in (("All needs", None), ("The target's need", TARGET_NEED)):
        for one in premiums(found, rows, need=need):
            print_plain(f"{title}: {_premium(one)}")


def _row(one: Row) -> tuple[str, ...]:
    return (
        one.base,
        one.rung,
        one.setting,
        "control" if one.control else one.uses,
        " ".join(f"{value:.2f}" for value in one.success),
        " ".join(f"{value:.2g}" for value in one.target),
        f"{one.most:.2g}",
        f"{one.tokens:.0f}",
        f"{one.calls:.0f}",
    )


def _premium(one: Premium) -> str:
    said = ", ".join(f"{name} {value:g}" for name, value in one.settings.items())
    above = one.premium
    return (
        f"{one.name}, {said}: ladder {one.elicited:.2f}, RL {one.trained:.2f}, premium "
        f"{above.mean:+.2f} ({above.low:+.2f} to {above.high:+.2f}, {len(one.best)} runs); "
        f"highest rung: {', '.join(dict.fromkeys(one.best))}"
    )


def _data(found: Sequence[Line], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "rungs": [one._asdict() for one in table(found)],
        "premiums": [_premium_data(one) for one in premiums(found, rows)],
        "premiums_target": [_premium_data(one) for one in premiums(found, rows, need=TARGET_NEED)],
    }


def _premium_data(one: Premium) -> dict[str, Any]:
    """Return it as JSON data; an end that is not known is null."""
    ends = {
        name: value if math.isfinite(value) else None
        for name, value in one.premium._asdict().items()
    }
    return {**one._asdict(), "premium": ends}
