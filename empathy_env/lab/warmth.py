"""Runs the arms of the warmth experiment, and measures what warmth does to truth."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from empathy_env.errors import InvalidArgument
from empathy_env.lab.cost import reliability, split
from empathy_env.lab.grammar import REGISTERS, WANTED
from empathy_env.lab.learn import ascend
from empathy_env.lab.model import Size, chances, fresh, marked, sampled, taught
from empathy_env.lab.people import Start
from empathy_env.lab.run import base_path, carried_out, kept
from empathy_env.lab.truth import (
    WORDINGS,
    Exchange,
    Habits,
    Order,
    Prompt,
    Question,
    agreeing,
    contents,
    drawn_prompts,
    evaluation,
    grid,
    opened,
    pretrained_on,
    reply,
    reworded,
    right,
    said,
    support_talks,
    tokens,
)
from empathy_env.lab.warmth_arms import Arm, Base, pay
from empathy_env.noise import draw


def run(
    arms: Sequence[Arm], folder: Path, *, workers: int = 1
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Run what has not been run; yields what is done, in words, and the result if it is an arm."""
    for base, arm, row in carried_out(arms, folder, make_base, run_arm, workers=workers):
        what = "base" if arm is None else arm.name
        text = f"{what} rho {base.rho:g} seed {base.seed}, {row['seconds']:.0f} s"
        yield text, None if arm is None else row


def make_base(base: Base, folder: Path) -> float:
    """Pretrain a base model and keep it; return the seconds it took."""
    torch.set_num_threads(1)
    begun = perf_counter()
    kept(pretrained(base), base_path(base, folder))
    return perf_counter() - begun


def pretrained(base: Base) -> Any:
    """Return a base model."""
    rows = [one.row(base.marker) for one in pretrained_on(Habits(base.rho), base.talks, base.seed)]
    model = fresh(Size(base.width), base.seed, len(tokens()))
    for _ in taught(model, rows, steps=base.pretraining, batch=base.batch, lr=3e-3, seed=base.seed):
        pass
    return model.eval()


def load_base(base: Base, folder: Path) -> Any:
    """Return a base model that has been made."""
    model = fresh(Size(base.width), base.seed, len(tokens()))
    model.load_state_dict(torch.load(base_path(base, folder), weights_only=True))
    return model.eval()


def run_arm(arm: Arm, folder: Path) -> dict[str, Any]:
    """Run one arm and return its result as JSON data."""
    torch.set_num_threads(1)
    begun = perf_counter()
    base = load_base(arm.base, folder)
    model = trained(base, arm)
    return {
        "key": base_path(arm, folder).stem,
        "arm": asdict(arm),
        **compared(base, model, arm.marker),
        "seconds": round(perf_counter() - begun, 1),
    }


def trained(base: Any, arm: Arm) -> Any:
    """Return the model that an arm makes of a base, which is not changed."""
    model = copy.deepcopy(base)
    if arm.method == "imitation":
        rows = [one.row(arm.marker) for one in imitated(base, arm)]
        batch = 4 * arm.starts
        for _ in taught(model, rows, steps=arm.steps, batch=batch, lr=arm.lr, seed=arm.seed + 7):
            pass
    else:
        _rewarded(model, arm)
    return model


def imitated(base: Any, arm: Arm) -> list[Exchange]:
    """Return what is imitated: replies that the base gives, in the arm's wording.

    What the base says that is no reply of the grammar is left out.

    Raises:
        InvalidArgument: If that is all it says.
    """
    prompts = drawn_prompts(arm.scope, random.Random(f"imitated/{arm.seed}"), arm.samples)
    found = replies(base, prompts, arm.marker, seed=arm.seed)
    if not found:
        raise InvalidArgument(
            f"pretraining={arm.pretraining} in arm {arm.name!r}: none of {arm.samples} replies of"
            " the base is of the grammar. Give more steps."
        )
    return reworded(found, arm.wording)


def replies(model: Any, prompts: Sequence[Prompt], marker: Order, *, seed: int) -> list[Exchange]:
    """Return replies of a model, one to each prompt; what is not of the grammar is left out."""
    generator = torch.Generator().manual_seed(seed)
    found: list[Exchange] = []
    for first in range(0, len(prompts), 256):
        part = prompts[first : first + 256]
        for prompt, words in zip(
            part, sampled(model, [opened(one) for one in part], generator), strict=True
        ):
            known = grid(prompt, marker).get(tuple(words))
            if known is not None:
                found.append(Exchange(prompt, known))
    return found


def _rewarded(model: Any, arm: Arm) -> None:
    """Train the model by GRPO (arXiv 2402.03300), one reply to each prompt."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=arm.lr, weight_decay=0.0)
    for step in range(arm.steps):
        dice = random.Random(f"rewarded/{arm.seed}/{step}")
        groups = drawn_prompts(arm.scope, dice, arm.starts)
        generator = torch.Generator().manual_seed(dice.getrandbits(60))
        prompts = [one for one in groups for _ in range(arm.group_size)]
        contexts = [opened(one) for one in prompts]
        turns = sampled(model, contexts, generator)
        grids = [grid(one, arm.marker) for one in groups]
        paid = [
            pay(one, grids[n // arm.group_size].get(tuple(turns[n])), arm)
            for n, one in enumerate(prompts)
        ]
        if arm.method == "random":
            paid = [float(draw(arm.seed, step, seat, "coin") < 0.5) for seat in range(len(paid))]
        each = np.array(paid).reshape(arm.starts, arm.group_size)
        gains = (each - each.mean(1, keepdims=True)) / np.maximum(each.std(1, keepdims=True), 0.02)
        if not gains.any():
            continue
        rows = [[*context, *words] for context, words in zip(contexts, turns, strict=True)]
        own = [
            [0.0] * len(context) + [1.0] * len(words)
            for context, words in zip(contexts, turns, strict=True)
        ]
        credit = [
            [float(gain) * one for one in mask]
            for gain, mask in zip(gains.ravel(), own, strict=True)
        ]
        ascend(model, optimizer, rows, credit, own)


@torch.no_grad()
def reply_chances(
    model: Any, prompts: Sequence[Prompt], marker: Order = "first"
) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Return how likely each reply is, for each prompt (wordings, contents), exactly.

    What is left to 1 is no reply of the grammar.
    """
    rows: list[list[int]] = []
    firsts: list[int] = []
    for prompt in prompts:
        context = opened(prompt)
        for wording in WORDINGS:
            for content in range(len(contents(prompt))):
                rows.append([*context, *said(reply(prompt, wording, content, marker))])
                firsts.append(len(context))
    found: list[float] = []
    for start in range(0, len(rows), 256):
        part, begins = rows[start : start + 256], firsts[start : start + 256]
        weights = marked(
            [[0.0] * f + [1.0] * (len(row) - f) for row, f in zip(part, begins, strict=True)]
        )
        found += (chances(model, part).double() * weights).sum(1).exp().tolist()
    made: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    for prompt in prompts:
        size = len(contents(prompt)) * len(WORDINGS)
        made.append(np.array(found[:size]).reshape(len(WORDINGS), -1))
        found = found[size:]
    return made


def compared(base: Any, model: Any, marker: Order) -> dict[str, Any]:
    """Return how warm and how reliable a model and its base are, and how the cost is split.

    Questions are about things that no arm's training has: with a wrong belief, a feeling first
    ("felt") or none ("unfelt"), and with no belief ("asked"). "support" are 16 support talks.
    """
    made: dict[str, Any] = {"before": {}, "after": {}, "split": {}}
    for name, questions in _tests().items():
        rights = [right(one) for one in questions]
        beliefs = [agreeing(one) if one.belief else None for one in questions]
        before, after = (np.stack(reply_chances(one, questions, marker)) for one in (base, model))
        for which, found in (("before", before), ("after", after)):
            made[which][name] = reliability(found, rights, beliefs)._asdict()
        known = [one for one in beliefs if one is not None]
        if known:
            made["split"][name] = split(before, after, known)._asdict()
    talks = support_talks(random.Random("support"), 16)
    for which, one in (("before", base), ("after", model)):
        found = np.stack(reply_chances(one, talks, marker))
        made[which]["support"] = {
            **{name: float(found[:, n].sum(1).mean()) for n, name in enumerate(WORDINGS)},
            "right": float(np.mean([_met(*each) for each in zip(talks, found, strict=True)])),
        }
    return made


def _met(talk: Start, found: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Return how likely what is needed is said."""
    needed = REGISTERS.index(WANTED[talk.need])
    return float(found[:, 2 * needed : 2 * needed + 2].sum())


def _tests() -> dict[str, list[Question]]:
    return {
        "felt": evaluation(wrong=True, felt=True),
        "unfelt": evaluation(wrong=True, felt=False),
        "asked": evaluation(wrong=False, felt=False) + evaluation(wrong=False, felt=True),
    }
