"""The rung of critiques: a base learns to write what the person says to its replies."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
import random
from functools import partial
from typing import Final

from empathy_env.lab.grammar import WANTED, register_of
from empathy_env.lab.model import taught
from empathy_env.lab.people import Start, cue, drawn_starts, lines_of
from empathy_env.lab.rungs import Bench, Found, Rung, spoken
from empathy_env.lab.sampling import contexts_of, drawn, plain
from empathy_env.lab.words import END, USER, decoded, encoded

CRITIQUES: Final = 600


def critiques(bench: Bench, *, mixed_up: bool) -> tuple[list[tuple[list[int], list[float]]], float]:
    """Return replies of the base with what the person says to each, and the calls it took.

    The critique is what the lab's people say themselves: a line of theirs that tells whether it
    helped, and, if it did not, what gives their need away. Only its tokens weigh.

    Args:
        bench: The base.
        mixed_up: For the control: whether it helped is that of another reply.
    """
    dice = random.Random(f"{bench.key}/critiques")
    starts = drawn_starts(dice, CRITIQUES)
    contexts = contexts_of(starts)
    turns = drawn(bench.model, contexts, bench.dice("critiques"), plain)
    helped = [
        register_of(decoded(turn), start.slots) == WANTED[start.need]
        for turn, start in zip(turns, starts, strict=True)
    ]
    if mixed_up:
        dice.shuffle(helped)
    rows: list[tuple[list[int], list[float]]] = []
    for context, turn, start, right in zip(contexts, turns, starts, helped, strict=True):
        before = [*context, *turn, USER]
        after = [*encoded(critique(start, right, dice)), END]
        rows.append(([*before, *after], [0.0] * len(before) + [1.0] * len(after)))
    return rows, float(sum(map(len, turns)))


def critique(start: Start, helped: bool, dice: random.Random) -> str:
    """Return what the person says to a reply that met their need, or did not."""
    line = dice.choice(lines_of("relieved" if helped else "hurt"))
    return line if helped else f"{line} {cue(start)}"


def criticised(
    bench: Bench, lr: float, *, mixed_up: bool, steps: int = 60, batch: int = 32
) -> Found:
    """Return what comes of learning to write critiques (Wang et al. 2025, arXiv 2506.03295)."""
    rows, calls = critiques(bench, mixed_up=mixed_up)
    model = copy.deepcopy(bench.model)
    for _ in taught(model, rows, steps=steps, batch=batch, lr=lr, seed=bench.number("taught")):
        pass
    return spoken(bench, model=model.eval(), prepared=calls + 3.0 * steps * batch)


def taught_critiques() -> list[Rung]:
    """Return the rungs of critiques."""
    made: list[Rung] = []
    for lr in (3e-4, 1e-3, 3e-3):
        for name, mixed_up in (("critiques", False), ("critiques, mixed up", True)):
            run = partial(criticised, lr=lr, mixed_up=mixed_up)
            made.append(Rung(name, {"lr": lr}, run, "environment", mixed_up))
    return made
