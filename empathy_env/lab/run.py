"""Runs the arms of an experiment, one line of results for each; what is there is not run again."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from empathy_env.acts import Need
from empathy_env.lab.arms import Arm, Base, key_of
from empathy_env.lab.corpus import Mix, corpus, demonstrations
from empathy_env.lab.grammar import NEEDS, PEOPLE, TARGET_NEED
from empathy_env.lab.learn import Grpo, Step, grpo, rows_of
from empathy_env.lab.measured import counted, evaluation_starts, measured, reached
from empathy_env.lab.model import Size, fresh, taught
from empathy_env.lab.people import Start
from empathy_env.lab.summary import RESULTS, read_results
from empathy_env.lab.talks import World
from empathy_env.lab.words import tokens
from empathy_env.trace import write_traces

_SHOWN = 20
"""Every so many steps of GRPO stand in the results."""


def run(
    arms: Sequence[Arm], folder: Path, *, workers: int = 1, traces: bool = False
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Run what has not been run; yields what is done, in words, and the result if it is an arm.

    Args:
        arms: Those of the experiment.
        folder: Results and base models are kept here.
        workers: Processes, each of one thread.
        traces: Whether the talks of evaluations are kept too, for `empathy-env ceiling`.
    """
    one = partial(run_arm, traces=traces)
    for base, arm, row in carried_out(arms, folder, make_base, one, workers=workers):
        what = f"base {base.world}" if arm is None else arm.name
        yield (
            f"{what} dose {base.dose:g} seed {base.seed}, {row['seconds']:.0f} s",
            row if arm else None,
        )


def carried_out(
    arms: Sequence[Any],
    folder: Path,
    make: Callable[[Any, Path], float],
    one: Callable[[Any, Path], dict[str, Any]],
    *,
    workers: int,
) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """Run what has not been run, bases first, and write down the results of arms.

    Args:
        arms: Those of the experiment; each has a `base`.
        folder: Results and base models are kept here.
        make: Makes a base at its `base_path`, and returns the seconds it took.
        one: Runs an arm, and returns its result, with its `key` and the `seconds` it took.
        workers: Processes, each of one thread.

    Yields:
        A base, the arm or None, and the result or the seconds of the base.
    """
    (folder / "bases").mkdir(parents=True, exist_ok=True)
    known = {row["key"] for row in read_results(folder)}
    todo = [arm for arm in arms if key_of(arm) not in known]
    bases = list({key_of(arm.base): arm.base for arm in todo}.values())
    missing = [base for base in bases if not base_path(base, folder).exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = {pool.submit(make, base, folder): base for base in missing}
        for done in as_completed(made):
            yield made[done], None, {"seconds": done.result()}
        runs = {pool.submit(one, arm, folder): arm for arm in todo}
        for done in as_completed(runs):
            row = done.result()
            with (folder / RESULTS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            yield runs[done].base, runs[done], row


def base_path(base: Any, folder: Path) -> Path:
    """Return where a base model is kept."""
    return folder / "bases" / f"{key_of(base)}.pt"


def make_base(base: Base, folder: Path) -> float:
    """Pretrain a base model and keep it; return the seconds it took."""
    torch.set_num_threads(1)
    begun = perf_counter()
    rows = rows_of(_corpus(base), others=0.3)
    model = _fresh(base)
    for _ in taught(model, rows, steps=base.pretraining, batch=base.batch, lr=3e-3, seed=base.seed):
        pass
    kept(model, base_path(base, folder))
    return perf_counter() - begun


def kept(model: Any, path: Path) -> None:
    """Keep a model's weights."""
    torch.save(model.state_dict(), path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)  # so that a file that is there is whole


def _corpus(base: Base) -> Any:
    mix = Mix(base.dose, withheld=base.withheld, thoughts=base.thoughts, tied=base.tied)
    return corpus(World(base.world), mix, base.talks, base.seed)


def _fresh(base: Base) -> Any:
    return fresh(Size(base.width), base.seed, tokens() if base.thoughts else None)


def load_base(base: Base, folder: Path) -> Any:
    """Return a base model that has been made."""
    model = _fresh(base)
    model.load_state_dict(torch.load(base_path(base, folder), weights_only=True))
    return model.eval()


def run_arm(arm: Arm, folder: Path, traces: bool = False) -> dict[str, Any]:
    """Run one arm and return its result as JSON data."""
    torch.set_num_threads(1)
    begun = perf_counter()
    thinks = {"": None, "yes": True, "no": False}[arm.think]
    world = World(arm.world, arm.credit, arm.difficulty, thinks)
    people = PEOPLE[: arm.withheld] if arm.withheld else PEOPLE
    base = load_base(arm.base, folder)
    evaluated = partial(
        measured,
        reference=base,
        world=world,
        starts=arm.evaluated,
        samples=arm.samples,
        people=people,
    )
    before, first = evaluated(base)
    model = copy.deepcopy(base)
    shown = None
    if arm.demonstrations:
        _demonstrated(model, arm)
        shown = evaluated(model)[0].registers
    starts = evaluation_starts(arm.evaluated, people)
    curve: list[dict[str, Any]] = []
    for step in _trained(model, base, world, arm, people):
        curve.append({**step._asdict(), **_reached(model, world, starts)})
    after, last = evaluated(model)
    if traces and arm.world == "environment":
        for which, groups in (("base", first), ("trained", last)):
            talks = [talk.trace for group in groups for talk in group if talk.trace is not None]
            write_traces(folder / f"{key_of(arm)}-{which}.jsonl", talks)
    return {
        "key": key_of(arm),
        "arm": asdict(arm),
        "before": before.to_data(),
        "shown": shown,  # what imitation alone came to, before GRPO
        "after": after.to_data(),
        "began": _reached(base, world, starts),  # as each step of the curve, before training
        "curve": curve,
        "counted": counted(base, world, arm.counted),
        "seconds": round(perf_counter() - begun, 1),
    }


def _reached(model: Any, world: World, starts: Sequence[Start]) -> dict[str, Any]:
    found = reached(model, world, starts)
    return found._asdict() if found else {}


def _demonstrated(model: Any, arm: Arm) -> None:
    """Teach the model some right talks for the target's need, among more of its pretraining."""
    talks = demonstrations(World(arm.world), arm.demonstrations, arm.seed + 7, (TARGET_NEED,))
    for _ in taught(
        model,
        rows_of(_corpus(arm.base), others=0.3),
        steps=100,
        batch=arm.batch,
        lr=1e-3,
        seed=arm.seed + 7,
        more=rows_of(talks, others=0.0),
        share=0.25,
    ):
        pass


def _trained(
    model: Any, base: Any, world: World, arm: Arm, people: tuple[str, ...]
) -> Iterator[Step]:
    """Train the model; yields some steps of GRPO, the last one among them."""
    if arm.method == "none":
        return
    if arm.method in ("replay", "imitation"):
        if arm.method == "replay":
            talks = _corpus(arm.base)
        else:
            needs: list[Need] = [need for need in NEEDS if need != TARGET_NEED]
            covered = (*needs, TARGET_NEED)[: arm.coverage]
            talks = demonstrations(World(arm.world), arm.talks // 4, arm.seed + 7, covered)
        rows = rows_of(talks, others=0.0)
        for _ in taught(
            model, rows, steps=arm.steps, batch=arm.batch, lr=arm.lr, seed=arm.seed + 7
        ):
            pass
        return
    how = Grpo(
        steps=arm.steps,
        starts=arm.starts,
        group_size=arm.group_size,
        lr=arm.lr,
        kl=arm.kl,
        reward="random" if arm.method == "random" else "world",
    )
    for step in grpo(model, base, world, how, seed=arm.seed, people=people):
        if step.number % _SHOWN == 0 or step.number == arm.steps:
            yield step
