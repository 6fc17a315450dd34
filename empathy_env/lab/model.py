"""The lab's language model: a small causal transformer, sampled, scored, taught (extra `torch`)."""

# torch and transformers are not there when the package is checked, and are loosely typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportUntypedFunctionDecorator=false

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from empathy_env.errors import MissingExtra
from empathy_env.lab.grammar import REGISTERS, Slots, sentences
from empathy_env.lab.talks import Policy
from empathy_env.lab.words import END, PAD, said, vocabulary

try:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
except ImportError as error:
    raise MissingExtra.of("empathy_env.lab.model", "torch") from error

LONGEST = 16
"""Tokens of a turn at most: the longest sentence has 13."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a model is: 2 layers of width 64 have 0.1 million parameters."""

    width: int = 64
    layers: int = 2
    heads: int = 4


def fresh(size: Size, seed: int, tokens: int | None = None) -> Any:
    """Return a model with random weights, which depend on the seed alone.

    Args:
        size: How large it is.
        seed: Key of the weights.
        tokens: How many it knows; by default those of the lab's vocabulary.
    """
    config = LlamaConfig(
        vocab_size=tokens or len(vocabulary()),
        hidden_size=size.width,
        intermediate_size=4 * size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


@torch.no_grad()
def sampled(
    model: Any, contexts: Sequence[Sequence[int]], generator: Any, temperature: float = 1.0
) -> list[list[int]]:
    """Sample a turn after each context; return its tokens, the end included if it came."""
    longest = max(map(len, contexts))
    ids = torch.tensor([[PAD] * (longest - len(one)) + list(one) for one in contexts])
    seen = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in contexts])
    places = (seen.cumsum(1) - 1).clamp(min=0)
    found: list[list[int]] = [[] for _ in contexts]
    going, past = torch.ones(len(contexts), dtype=torch.bool), None
    for _ in range(LONGEST):
        out = model(
            input_ids=ids,
            attention_mask=seen,
            position_ids=places,
            past_key_values=past,
            use_cache=True,
            logits_to_keep=1,
        )
        past = out.past_key_values
        chances = (out.logits[:, -1] / temperature).softmax(-1)
        drawn = torch.multinomial(chances, 1, generator=generator)
        for row, token in enumerate(drawn[:, 0].tolist()):
            if going[row]:
                found[row].append(token)
        going &= drawn[:, 0] != END
        if not going.any():
            break
        ids = drawn
        seen = torch.cat([seen, torch.ones_like(ids)], 1)
        places = places[:, -1:] + 1
    return found


def policy_of(model: Any, seed: int, temperature: float = 1.0) -> Policy:
    """Return the model as a policy; its dice are keyed by the seed."""
    generator = torch.Generator().manual_seed(seed)

    def policy(contexts: Sequence[Sequence[int]], seats: Sequence[int]) -> list[list[int]]:
        return sampled(model, contexts, generator, temperature)

    return policy


def chances(model: Any, rows: Sequence[Sequence[int]]) -> Any:
    """Return the log-probability of each token but the first, (rows, tokens - 1), padded."""
    longest = max(map(len, rows))
    # Padded on the right: what is behind the end is never looked at by what is before it.
    ids = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    return logits.log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]


@torch.no_grad()
def log_chances(model: Any, rows: Sequence[Sequence[int]]) -> list[list[float]]:
    """Return the log-probability of each token but the first, a list for each row."""
    # Rounding may leave a token that is certain with a little more than 1.
    found = chances(model, rows).clamp(max=0.0).tolist()
    return [each[: len(row) - 1] for each, row in zip(found, rows, strict=True)]


def marked(rows: Sequence[Sequence[float]]) -> Any:
    """Return weights of tokens as one tensor, (rows, tokens - 1), without the first of each."""
    longest = max(map(len, rows))
    return torch.tensor([[*row[1:], *[0.0] * (longest - len(row))] for row in rows])


Numbers = np.ndarray[Any, np.dtype[np.float64]]


@torch.no_grad()
def sentence_chances(
    model: Any,
    contexts: Sequence[Sequence[int]],
    slots: Sequence[Slots],
    thoughts: Sequence[Sequence[int]] = ((),),
) -> Numbers:
    """Return how likely each sentence is after each context, (contexts, registers, 2), exactly.

    Args:
        model: The model.
        contexts: Tokens down to what is said. What occurs more than once is worked out once.
        slots: The words of each person, which the sentences hold.
        thoughts: What may be thought before it, down to the mark behind which it is said; the sum
            over them is returned.
    """
    pairs = list(zip(map(tuple, contexts), slots, strict=True))
    once = list(dict.fromkeys(pairs))
    rows: list[list[int]] = []
    firsts: list[int] = []
    for context, one in once:
        for register in REGISTERS:
            for text in sentences(register, one):
                for thought in thoughts:
                    rows.append([*context, *thought, *said(text)])
                    firsts.append(len(context))
    found: list[float] = []
    for start in range(0, len(rows), 256):
        part, begins = rows[start : start + 256], firsts[start : start + 256]
        weights = marked(
            [[0.0] * f + [1.0] * (len(row) - f) for row, f in zip(part, begins, strict=True)]
        )
        found += (chances(model, part).double() * weights).sum(1).exp().tolist()
    shaped = np.array(found).reshape(len(once), len(REGISTERS), 2, len(thoughts)).sum(3)
    places = {pair: n for n, pair in enumerate(once)}
    return shaped[[places[pair] for pair in pairs]]


def register_chances(
    model: Any,
    contexts: Sequence[Sequence[int]],
    slots: Sequence[Slots],
    thoughts: Sequence[Sequence[int]] = ((),),
) -> Numbers:
    """Return how likely each register is after each context, (contexts, registers), exactly.

    The sum over its sentences, with the words of this person and the end, so what is left over is
    what is no sentence of the grammar. Arguments as of `sentence_chances`.
    """
    return sentence_chances(model, contexts, slots, thoughts).sum(2)


def taught(
    model: Any,
    rows: Sequence[tuple[Sequence[int], Sequence[float]]],
    *,
    steps: int,
    batch: int,
    lr: float,
    seed: int,
    more: Sequence[tuple[Sequence[int], Sequence[float]]] = (),
    share: float = 0.0,
) -> Iterator[float]:
    """Teach the model some rows, and yield the loss of each step, in nats a token.

    Args:
        model: It is changed.
        rows: Tokens, and the weight of each.
        steps: Steps of AdamW; the learning rate rises over a twentieth, and falls as a cosine.
        batch: Rows in each.
        lr: Highest learning rate.
        seed: Key of the order.
        more: Other rows, which make up a share of each batch.
        share: That share, in [0, 1].
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    dice = np.random.default_rng(seed)
    extra = round(batch * share) if more else 0
    for step in range(steps):
        pace = min(1.0, 20 * (step + 1) / steps) * (
            0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        )
        for group in optimizer.param_groups:
            group["lr"] = lr * pace
        chosen = [rows[n] for n in dice.integers(len(rows), size=batch - extra)]
        chosen += [more[n] for n in dice.integers(len(more), size=extra)] if extra else []
        weights = marked([weight for _, weight in chosen])
        loss = -(chances(model, [ids for ids, _ in chosen]) * weights).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield float(loss.detach())
