"""`empathy-env circle`: what became of each person in recorded talks with casts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from empathy_env.commands.console import AsJson, print_json, print_plain, print_table
from empathy_env.errors import InvalidArgument
from empathy_env.measures.alliances import Alliances, alliances
from empathy_env.measures.attention import Attention, attention
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.casts import (
    FEWEST_STARTS,
    Circles,
    Ending,
    circles,
    endings,
    mean_emotion,
    worst_off,
)
from empathy_env.measures.curves import Curve, curves, drawn
from empathy_env.trace import Trace, read_traces


class Measured(NamedTuple):
    """What was measured of the talks of one cast.

    Attributes:
        talks: How many.
        endings: How they ended for each person.
        mean: Final emotion, the mean over the people.
        worst: Final emotion of whoever is worst off in each talk.
        attention: How it was shared.
        alliances: Who sided with whom.
        curves: Each person's emotion over the rounds.
    """

    talks: int
    endings: Sequence[Ending]
    mean: Interval
    worst: Interval
    attention: Attention
    alliances: Alliances
    curves: Sequence[Curve]


def command(
    paths: Annotated[list[Path], typer.Argument(help="Trace files of talks with casts.")],
    path: Annotated[
        Path | None, typer.Option("--out", help="Draw each person's emotion here: .svg.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Key of the resampling.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Say what became of each person: final emotion, attention, and who sided with whom."""
    if path is not None:
        _check_out(path)
    found = circles(trace for one in paths for trace in read_traces(one))
    if not found.by_cast:
        files = ", ".join(map(str, paths))
        raise InvalidArgument(f"{files}: no talk with a round and without a fault")
    measured = {id: _measured(traces, seed) for id, traces in found.by_cast.items()}
    if path is not None:
        panels = {f"{id}, {_talks(one.talks)}": one.curves for id, one in measured.items()}
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(drawn(panels))
    if as_json:
        print_json(_data(measured, found))
        return
    for id, one in measured.items():
        _print(id, one)
    _print_left_out(measured, found)
    if path is not None:
        print_plain(f"the curves are in {path}")


def _check_out(path: Path) -> None:
    """Check that curves can be written here, before anything is measured."""
    if path.suffix != ".svg":
        raise InvalidArgument(f"--out={path}: a name that ends in .svg is needed")
    if path.exists():
        raise InvalidArgument(f"--out={path} exists: give another name")
    if not path.parent.is_dir():
        raise InvalidArgument(f"--out={path}: there is no folder {path.parent}. Make it first")


def _measured(traces: Sequence[Trace], seed: int) -> Measured:
    return Measured(
        len(traces),
        endings(traces, seed=seed),
        mean_emotion(traces, seed=seed),
        worst_off(traces, seed=seed),
        attention(traces, seed=seed),
        alliances(traces),
        curves(traces),
    )


def _data(measured: Mapping[str, Measured], found: Circles) -> dict[str, Any]:
    casts = {id: _plain(one) for id, one in measured.items()}
    return {"casts": casts, "faults": found.faults, "empty": found.empty}


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: named tuples as mappings, NaN as null."""
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return None if isinstance(value, float) and math.isnan(value) else value


def _print(id: str, one: Measured) -> None:
    rows = [
        (
            ending.name,
            _shown(ending.emotion, 1),
            f"{ending.left:.0%}",
            _percent(given.words),
            _percent(given.pieces),
            f"{given.wait.mean:.1f}",
        )
        for ending, given in zip(one.endings, one.attention.given, strict=True)
    ]
    columns = ("person", "final emotion", "left", "words, %", "help, %", "wait")
    print_table(columns, rows, f"{id}: {_talks(one.talks)}, 95 % intervals over starts")
    print_plain(f"mean of the people: {_shown(one.mean, 1)}")
    print_plain(f"worst off: {_shown(one.worst, 1)}")
    print_plain(f"evenness of attention (Jain's index): {_shown(one.attention.jain, 2)}")
    print_plain("wait: most rounds in a row without a word to them; help: evidence that helps")
    _print_moves(one)


def _print_moves(one: Measured) -> None:
    names = {ending.person: ending.name for ending in one.endings}
    rows = [
        (names.get(tie.who, tie.who), names[tie.to], f"{tie.net:+.2f}", _moves(tie.moves))
        for tie in one.alliances.ties
        if tie.moves
    ]
    if rows:
        print_table(("who", "to", "for - against", "moves"), rows, "moves between people, a talk")
    else:
        print_plain("moves between people: none")


def _moves(moves: Mapping[str, float]) -> str:
    return ", ".join(f"{move.replace('_', ' ')} {count:.2g}" for move, count in moves.items())


def _print_left_out(measured: Mapping[str, Measured], found: Circles) -> None:
    if found.faults or found.empty:
        print_plain(f"left out: {found.faults} cut off by a fault, {found.empty} without a round")
    if any(math.isnan(one.mean.low) for one in measured.values()):
        print_plain(f"no interval: of fewer than {FEWEST_STARTS} starts")


def _talks(count: int) -> str:
    return "1 talk" if count == 1 else f"{count} talks"


def _percent(share: Interval) -> str:
    if math.isnan(share.mean):
        return "-"
    if math.isnan(share.low):
        return f"{100 * share.mean:.0f}"
    return f"{100 * share.mean:.0f} [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def _shown(interval: Interval, digits: int) -> str:
    if math.isnan(interval.low):
        return f"{interval.mean:.{digits}f} (no interval)"
    return f"{interval.mean:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
