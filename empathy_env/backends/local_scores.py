"""Log-probabilities of tokens that were sampled before, by a model in this process (extra `torch`).

The model reads each talk once, with the tokens as they are (teacher forcing).
"""

# torch is not there when the package is checked, and is loosely typed.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch

from empathy_env.backends.local_weights import Loaded
from empathy_env.errors import InvalidArgument
from empathy_env.tokens import Tokens


class TokenScores(NamedTuple):
    """Of each token that was sampled, in the order of the talk; float32, nats.

    Attributes:
        logprobs: Its log-probability.
        entropies: That of the distribution which it was drawn from; empty if not asked for.
    """

    logprobs: tuple[float, ...]
    entropies: tuple[float, ...]


def token_scores(
    loaded: Loaded,
    talks: Sequence[Tokens],
    *,
    temperature: float,
    batch_size: int = 4,
    entropy: bool = False,
) -> Iterator[tuple[int, TokenScores]]:
    """Yield the scores of each talk with its place in `talks`, the longest first.

    Args:
        loaded: The model.
        talks: Each with at least one token of prompt, and one that was sampled (mask 1).
        temperature: The logits are divided by it, as in sampling; above 0.
        batch_size: How many talks are read together. Another size changes the last bits.
        entropy: Whether that is wanted too.

    Raises:
        InvalidArgument: If a talk is longer than the model's context.
    """
    model = loaded.model.eval()
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    order = sorted(range(len(talks)), key=lambda place: (-len(talks[place].ids), place))
    if order and context is not None and len(talks[order[0]].ids) > context:
        raise InvalidArgument(
            f"a talk has {len(talks[order[0]].ids)} tokens, over the context of {context} of "
            f"{model.name_or_path!r}: score talks that are shorter, or a model with a longer one"
        )
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        batch = [talks[place] for place in places]
        yield from zip(places, _read(model, batch, temperature, entropy), strict=True)


def _read(
    model: Any, batch: Sequence[Tokens], temperature: float, entropy: bool
) -> list[TokenScores]:
    longest = max(len(talk.ids) for talk in batch)
    # Padded on the right: what is behind the end is never looked at by what is before it.
    rows = torch.tensor([talk.ids + [0] * (longest - len(talk.ids)) for talk in batch])
    first = min(len(talk.prompt) for talk in batch) - 1
    with torch.no_grad():
        logits = model(input_ids=rows.to(model.device), logits_to_keep=longest - first).logits
        return [
            _scored(row, logits[place], first, talk, temperature, entropy)
            for place, (row, talk) in enumerate(zip(rows, batch, strict=True))
        ]


def _scored(
    row: Any, logits: Any, first: int, talk: Tokens, temperature: float, entropy: bool
) -> TokenScores:
    """Return the scores of one talk, given its logits (places from `first` on, vocabulary)."""
    start = len(talk.prompt)
    sampled = [start + place for place, bit in enumerate(talk.mask) if bit]
    # A token is foretold at the place before it.
    before = torch.tensor([place - 1 - first for place in sampled], device=logits.device)
    chances = (logits[before].float() / temperature).log_softmax(-1)
    found = chances.gather(1, row[sampled].to(logits.device)[:, None])[:, 0]
    left = _entropies(chances) if entropy else found[:0]
    return TokenScores(tuple(found.tolist()), tuple(left.tolist()))


def _entropies(chances: Any) -> Any:
    # What has no chance has no part, and not the NaN of 0 times -inf.
    return -torch.where(chances.isneginf(), 0.0, chances.exp() * chances).sum(-1)
