"""`empathy-env ceiling`: what a trained policy reaches beyond its base, from their talks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from empathy_env.commands.ceiling_learnt import TITLE, learnt_of, learnt_table
from empathy_env.commands.ceiling_page import (
    cell_table,
    curve_note,
    curve_table,
    every_curve,
    floor_table,
    headline,
    page,
    ruling_table,
    support_table,
)
from empathy_env.commands.ceiling_report import Asked, Policies, Report, report
from empathy_env.commands.ceiling_words import conclusions, to_data
from empathy_env.commands.console import AsJson, out, print_json, print_plain, print_table, tracked
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.group import cell_of, counts
from empathy_env.measures.ceiling import Ceiling
from empathy_env.measures.luck import FLOORS, floor_traces, robust
from empathy_env.measures.open_loop import by_code
from empathy_env.measures.samples import Sample, Unit, check_same_starts, sampled
from empathy_env.trace import Trace, read_traces

PAGE: Final = "ceiling.html"
SUMMARY: Final = "summary.json"


def command(
    base: Annotated[Path, typer.Option(help="Trace file of the base.")],
    trained: Annotated[
        list[Path], typer.Option(help="Trace file of a training run; several for several seeds.")
    ],
    control: Annotated[
        list[Path] | None,
        typer.Option(
            help="Trace file of a policy that owes nothing to the reward: trained on a random "
            "one, on replays, another base. What it solves was not created."
        ),
    ] = None,
    scored: Annotated[
        list[Path] | None,
        typer.Option(
            help="File of `empathy-env score` of the trained policy's talks, beside the base; one "
            "for each --trained, in that order."
        ),
    ] = None,
    goal: Annotated[
        float, typer.Option(min=0, max=100, help="Final emotion that counts as success.")
    ] = 100.0,
    budget: Annotated[
        int | None,
        typer.Option(min=1, help="K, declared before sampling; by default the most tries."),
    ] = None,
    unit: Annotated[Unit, typer.Option(help="What tries are made at.")] = "cell",
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page, its figures and a summary.")
    ] = None,
    floors: Annotated[
        bool, typer.Option(help="Play template, echo and random agents on the same starts.")
    ] = True,
    robust_seeds: Annotated[
        int, typer.Option(min=0, help="Seeds to say each talk's words under again; 0: none.")
    ] = 0,
    every_cell: Annotated[bool, typer.Option("--cells", help="Print each place too.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Key of the resampling.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare a trained policy with its base as the number of tries grows, place by place."""
    draw = None if folder is None else _drawing(folder)
    traces = _read(base, trained, control or [])
    policies = _policies(traces, len(trained), goal, unit, floors, robust_seeds)
    found = report(policies, Asked(goal, unit, budget, seed))
    runs = {name: traces[name] for name in policies.trained}
    found = replace(
        found, learnt=learnt_of(scored or [], traces["base"], runs, goal=goal, seed=seed)
    )
    if draw is not None and folder is not None:
        _write(folder, found, draw(found))
    if as_json:
        print_json(to_data(found))
        return
    _print(found, every_cell=every_cell)
    if floors and found.floors is None:
        print_plain("luck: not played, for a model played the user; give its talks as --control")
    if folder is not None:
        print_plain(f"the page is {folder / PAGE}, all figures are in {folder / SUMMARY}")


def _drawing(folder: Path) -> Callable[[Report], Mapping[str, str]]:
    """Return what draws the figures, before anything is measured.

    Raises:
        InvalidArgument: If a page is there already.
        MissingExtra: If matplotlib is not installed.
    """
    if (folder / PAGE).exists():
        raise InvalidArgument(f"--out={folder} holds a {PAGE} already: give another folder")
    try:
        from empathy_env.commands.ceiling_chart import drawn
    except ImportError as error:
        raise MissingExtra.of("--out", "report") from error
    return drawn


def _read(base: Path, trained: Sequence[Path], controls: Sequence[Path]) -> dict[str, list[Trace]]:
    """Return the traces of each policy by the name that it goes by; the base is first.

    Raises:
        InvalidArgument: If a file is given twice, or was not played on the base's starts.
    """
    paths = [base, *trained, *controls]
    for place, path in enumerate(paths):
        if path.resolve() in [one.resolve() for one in paths[:place]]:
            raise InvalidArgument(
                f"{path} is given twice: a policy beside itself says nothing. Give a file for each "
                "of base, trained and control"
            )
    names = ["base", *_names("trained", trained), *_names("control", controls)]
    found = {name: list(read_traces(path)) for name, path in zip(names, paths, strict=True)}
    for name, path in zip(names, paths, strict=True):
        sampled(found[name], source=str(path))
        if name != "base":
            check_same_starts(found["base"], found[name], names=(str(base), str(path)))
    return found


def _names(kind: str, paths: Sequence[Path]) -> list[str]:
    """Return "trained", or "trained 1: a", ...: files of several folders may share a name."""
    if len(paths) == 1:
        return [kind]
    return [f"{kind} {number}: {path.stem}" for number, path in enumerate(paths, 1)]


def _policies(
    traces: Mapping[str, Sequence[Trace]],
    runs: int,
    goal: float,
    unit: Unit,
    floors: bool,
    robust_seeds: int,
) -> Policies:
    samples = {name: sampled(of_one, goal=goal, unit=unit) for name, of_one in traces.items()}
    names = list(traces)
    started = traces["base"]
    by_rules = all(map(by_code, started))
    if robust_seeds and not by_rules:
        raise InvalidArgument(
            f"--robust-seeds={robust_seeds}: a model played the user, and words can be said again "
            "to the code user alone. Leave it out"
        )
    return Policies(
        base=samples["base"],
        trained={name: samples[name] for name in names[1 : 1 + runs]},
        controls={name: samples[name] for name in names[1 + runs :]},
        floors={
            name: sampled(_played(started, name), goal=goal, unit=unit)
            for name in (FLOORS if floors and by_rules else ())
        },
        robust={
            name: _robust(name, traces[name], goal, unit, robust_seeds)
            for name in (names[: 1 + runs] if robust_seeds else ())
        },
        scaffolds={name: of_one[0].setup.scaffold for name, of_one in traces.items()},
    )


def _played(started: Sequence[Trace], agent: str) -> list[Trace]:
    shown = tracked(started, f"playing {agent}", len(started))
    return [trace for one in shown for trace in floor_traces([one], agent)]


def _robust(name: str, traces: Sequence[Trace], goal: float, unit: Unit, seeds: int) -> Sample:
    shown = tracked(traces, f"saying {name} again", len(traces))
    won = {_episode(one): robust(one, goal=goal, seeds=seeds) for one in shown if counts(one)}
    return sampled(traces, unit=unit, won=lambda trace: won[_episode(trace)])


def _episode(trace: Trace) -> tuple[str, int, int]:
    return cell_of(trace), trace.scenario.seed, trace.scenario.member


def _write(folder: Path, found: Report, figures: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in figures.items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    summary = json.dumps(to_data(found), indent=1) + "\n"
    (folder / SUMMARY).write_text(summary, encoding="utf-8")
    (folder / PAGE).write_text(page(found, figures), encoding="utf-8")


def _print(found: Report, *, every_cell: bool) -> None:
    print_plain(headline(found))
    for title, one, digits in every_curve(found):
        _print_curve(title, one, digits)
    print_plain("")
    if found.floors is not None:
        print_table(*floor_table(found), "success of luck")
    print_table(*support_table(found), f"places at a budget of {found.budget} tries")
    print_table(*ruling_table(found), "verdicts")
    if found.learnt:
        print_table(*learnt_table(found.learnt), TITLE)
    if every_cell:
        for name in found.tables:
            heads, rows = cell_table(found, name)
            print_plain(f"{name}: " + " | ".join(heads))
            for row in rows:
                print_plain(" | ".join(map(str, row)))
    for sentence in conclusions(found):
        print_plain(f"- {sentence}")


def _print_curve(title: str, one: Ceiling, digits: int) -> None:
    """Print a curve without lines between the fields: so it fits into 80 columns."""
    heads, rows = curve_table(one, digits)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    print_plain(f"\n{title}")
    out.print(table)
    print_plain(curve_note(one, digits))
