"""Climbs the ladder with the bases of an experiment, a line for each rung and base."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Final

import torch

from empathy_env.lab.arms import Arm, Base, key_of
from empathy_env.lab.critiques import taught_critiques
from empathy_env.lab.grammar import PEOPLE
from empathy_env.lab.ladder import Line, append, label_of, lines
from empathy_env.lab.measured import evaluation_starts
from empathy_env.lab.run import load_base, make_base
from empathy_env.lab.rungs import Bench, Rung, decoding
from empathy_env.lab.steering import reaching

_DIGITS: Final = 6


def all_rungs() -> list[Rung]:
    """Return all rungs, in the order in which they are run."""
    return [*decoding(), *reaching(), *taught_critiques()]


def climbed(arms: Sequence[Arm], folder: Path, *, workers: int = 1) -> Iterator[tuple[str, int]]:
    """Run what has not been run; yields what is done, in words, and how many lines it added.

    A base that is not in the folder yet is made. Lines are kept as soon as a base is through.

    Args:
        arms: Of the experiment; only the bases of those that are `anchored` are looked at, each
            once, at the starts at which the first arm that has it is evaluated.
        folder: Of the experiment.
        workers: Processes, each of one thread.
    """
    (folder / "bases").mkdir(parents=True, exist_ok=True)
    by_base: dict[str, Arm] = {}
    for arm in arms:
        if arm.anchored:
            by_base.setdefault(key_of(arm.base), arm)
    known: dict[str, set[str]] = {key: set() for key in by_base}
    for line in lines(folder):
        known.setdefault(line.key, set()).add(line.label)
    labels = {label_of(rung.name, rung.setting) for rung in all_rungs()}
    todo = {key: arm for key, arm in by_base.items() if labels - known[key]}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        runs = {
            pool.submit(climb, arm.base, folder, arm.evaluated, known[key]): arm
            for key, arm in todo.items()
        }
        for done in as_completed(runs):
            made, arm = done.result(), runs[done]
            append(folder, made)
            seconds = sum(line.seconds for line in made)
            text = f"ladder dose {arm.dose:g} seed {arm.seed}, {len(made)} rungs, {seconds:.0f} s"
            yield text, len(made)


def climb(base: Base, folder: Path, evaluated: int, known: set[str]) -> list[Line]:
    """Return the lines of one base, those left out whose label is known."""
    torch.set_num_threads(1)
    if not (folder / "bases" / f"{key_of(base)}.pt").exists():
        make_base(base, folder)
    people = PEOPLE[: base.withheld] if base.withheld else PEOPLE
    starts = evaluation_starts(evaluated, people)
    bench = Bench(load_base(base, folder), starts, f"ladder/{key_of(base)}")
    todo = [rung for rung in all_rungs() if label_of(rung.name, rung.setting) not in known]
    return [line_of(base, bench, rung) for rung in todo]


def line_of(base: Base, bench: Bench, rung: Rung) -> Line:
    """Run one rung and return its line."""
    begun = perf_counter()
    found = rung.run(bench)
    return Line(
        key=key_of(base),
        base=asdict(base),
        rung=rung.name,
        setting=dict(rung.setting),
        uses=rung.uses,
        control=rung.control,
        needs=[start.need for start in bench.starts],
        registers=[[float(f"{v:.{_DIGITS}g}") for v in row] for row in found.registers],
        tokens=round(found.tokens, 2),
        calls=round(found.calls, 2),
        prepared=found.prepared,
        seconds=round(perf_counter() - begun, 2),
    )
