"""Samples turns from a model token by token, by any rule, and says how likely each turn was."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from empathy_env.lab.grammar import REGISTERS, Slots, sentences
from empathy_env.lab.model import LONGEST
from empathy_env.lab.people import Start
from empathy_env.lab.talks import World
from empathy_env.lab.words import END, PAD, opened, said

Floats = NDArray[np.float64]
Rows = Sequence[Sequence[int]]
Warp = Callable[[Any], Any]
"""Given logits, (..., tokens), returns those that are sampled from."""


def contexts_of(starts: Sequence[Start]) -> list[list[int]]:
    """Return what the agent has read at each start of the bandit."""
    heard = World("bandit").opened(starts, [0] * len(starts)).heard
    return [opened(one) for one in heard]


def plain(logits: Any) -> Any:
    """Return logits as they are: plain sampling."""
    return logits


def tempered(logits: Any, temperature: float) -> Any:
    """Return logits at a temperature above 0; below 1 the likely becomes likelier."""
    return logits / temperature


def min_p(logits: Any, share: float) -> Any:
    """Return logits of the tokens that have at least this share of the likeliest's chance.

    Nguyen et al. (2024, arXiv 2407.01082). At 1 it is greedy.
    """
    least = logits.amax(-1, keepdim=True) + math.log(share)
    return logits.masked_fill(logits < least, -math.inf)


@torch.no_grad()
def continued(
    model: Any, rows: Rows, choose: Callable[[Any], Any], most: Sequence[int]
) -> list[list[int]]:
    """Continue rows of tokens until each ends, or has so many more.

    Args:
        model: It is asked.
        rows: What stands there.
        choose: Given logits, (rows, tokens), returns a token for each row.
        most: For each row how many tokens at most.
    """
    longest = max(map(len, rows))
    ids = torch.tensor([[PAD] * (longest - len(one)) + list(one) for one in rows])
    seen = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in rows])
    places = (seen.cumsum(1) - 1).clamp(min=0)
    found: list[list[int]] = [[] for _ in rows]
    left, past = torch.tensor(most), None
    for _ in range(max(most)):
        out = model(
            input_ids=ids,
            attention_mask=seen,
            position_ids=places,
            past_key_values=past,
            use_cache=True,
            logits_to_keep=1,
        )
        past, tokens = out.past_key_values, choose(out.logits[:, -1])
        for row, (token, more) in enumerate(zip(tokens.tolist(), left.tolist(), strict=True)):
            if more > 0:
                found[row].append(token)
        left = torch.where(tokens == END, 0, left - 1)
        if not (left > 0).any():
            break
        ids = tokens[:, None]
        seen = torch.cat([seen, torch.ones_like(ids)], 1)
        places = places[:, -1:] + 1
    return found


def drawn(
    model: Any, rows: Rows, dice: Any, warp: Warp, most: Sequence[int] | None = None
) -> list[list[int]]:
    """Sample on from rows of tokens, by default a turn for each."""

    def choose(logits: Any) -> Any:
        return torch.multinomial(warp(logits).softmax(-1), 1, generator=dice)[:, 0]

    limits = most if most is not None else [LONGEST] * len(rows)
    found: list[list[int]] = []
    for first in range(0, len(rows), 1024):
        part = slice(first, first + 1024)
        found += continued(model, rows[part], choose, limits[part])
    return found


@torch.no_grad()
def turn_chances(model: Any, contexts: Rows, turns: Rows, *warps: Warp) -> Floats:
    """Return the log-probability of each token of turns, (warps, turns, LONGEST), 0 behind them."""
    parts: list[Any] = []
    for first in range(0, len(contexts), 256):
        part = list(zip(contexts, turns, strict=True))[first : first + 256]
        longest = max(len(context) + len(turn) for context, turn in part)
        rows = [[*context, *turn] for context, turn in part]
        ids = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
        begins = torch.tensor([len(context) for context, _ in part])[:, None]
        sizes = torch.tensor([len(turn) for _, turn in part])[:, None]
        steps = torch.arange(LONGEST)[None]
        at = (begins + steps).clamp(max=longest - 1)
        logits = model(input_ids=ids, use_cache=False).logits
        own = logits.gather(1, (at - 1)[..., None].expand(-1, -1, logits.shape[-1]))
        tokens = ids.gather(1, at)[..., None]
        each = [warp(own).double().log_softmax(-1).gather(2, tokens)[..., 0] for warp in warps]
        parts.append(torch.where(steps < sizes, torch.stack(each), 0.0))
    return torch.cat(parts, 1).numpy()


def exact(model: Any, contexts: Rows, slots: Sequence[Slots], warp: Warp) -> Floats:
    """Return how likely each sentence is, (contexts, registers, 2), without sampling, as a log."""
    texts = [
        said(text) for one in slots for register in REGISTERS for text in sentences(register, one)
    ]
    each = len(REGISTERS) * 2
    repeated = [context for context in contexts for _ in range(each)]
    found = turn_chances(model, repeated, texts, warp)[0].sum(1)
    return found.reshape(len(contexts), len(REGISTERS), 2)
