"""Rungs that reach into a base: steering by a difference of means, or by a feature."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from itertools import product
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch

from empathy_env.acts import Need
from empathy_env.lab.grammar import (
    NEEDS,
    REGISTERS,
    TARGET,
    WANTED,
    Register,
    sentences,
)
from empathy_env.lab.ladder import Uses
from empathy_env.lab.people import drawn_starts
from empathy_env.lab.rungs import Bench, Found, Rung, spoken
from empathy_env.lab.sampling import contexts_of
from empathy_env.lab.words import AGENT, PAD, said

Source = Literal["contexts", "sentences"]
"""What is contrasted: where the agent begins to speak, by what is needed there; or the sentences of
the registers, whatever is needed."""
SOURCES: Final[tuple[Source, ...]] = ("contexts", "sentences")
EXAMPLES: Final = 512
STRENGTHS: Final = (0.1, 0.25, 0.5)
LAYERS: Final = (0, 1)


# Hooks.


@contextmanager
def hooked(model: Any, layer: int, change: Callable[[Any, Any], Any]) -> Generator[None]:
    """Let a function see, and change, what a layer puts out, for as long as the context lasts.

    Args:
        model: A causal model of transformers.
        layer: Its number, from 0.
        change: Given what the layer puts out, (rows, tokens, width), and the tokens, (rows,
            tokens), returns what is to stand there instead.
    """
    read: list[Any] = [None]

    def before(_module: Any, _args: Any, named: Mapping[str, Any]) -> None:
        read[0] = named["input_ids"]

    def after(_module: Any, _args: Any, put: Any) -> Any:
        if isinstance(put, tuple):  # as it was before transformers 5
            return (change(put[0], read[0]), *put[1:])
        return change(put, read[0])

    with ExitStack() as hooks:
        hooks.callback(model.register_forward_pre_hook(before, with_kwargs=True).remove)
        hooks.callback(model.model.layers[layer].register_forward_hook(after).remove)
        yield


def speaking(ids: Any) -> Any:
    """Return where the agent speaks or is about to, from its last mark on, (rows, tokens)."""
    marks = (ids == AGENT).long()
    later = marks.flip(1).cumsum(1).flip(1) - marks
    return later == 0


@contextmanager
def steered(model: Any, layer: int, vector: Any, *, first: bool = False) -> Generator[None]:
    """Add a vector to what a layer puts out wherever the agent speaks.

    Args:
        model: A causal model of transformers.
        layer: Its number, from 0.
        vector: Of the model's width.
        first: Only where it is about to speak, so at the first token that it says.
    """

    def change(hidden: Any, ids: Any) -> Any:
        there = speaking(ids) & (ids == AGENT) if first else speaking(ids)
        return hidden + there[..., None] * vector

    with hooked(model, layer, change):
        yield


# Residuals and directions.


class Examples(NamedTuple):
    """What a layer puts out where the agent speaks.

    Attributes:
        residuals: (examples, width).
        labels: Of each the number of its register in `REGISTERS`.
        lengths: Mean length of what stands at all tokens of the agent, and of what stands where
            it begins to speak, which may be several times as long.
        everything: Of all tokens of the agent, (tokens, width).
        calls: Of the model.
    """

    residuals: Any
    labels: Any
    lengths: tuple[float, float]
    everything: Any
    calls: int


@lru_cache(maxsize=8)
@torch.no_grad()
def examples(bench: Bench, source: Source, layer: int) -> Examples:
    """Return examples of registers at people that the bench does not have.

    Of "contexts" the residual is that where the agent begins to speak, and the label what is
    needed; of "sentences" it is the mean over a sentence, and the label its register.
    """
    dice = random.Random(f"{bench.key}/examples")
    starts = drawn_starts(dice, EXAMPLES)
    contexts = contexts_of(starts)
    registers: list[Register] = [WANTED[start.need] for start in starts]
    if source == "sentences":
        registers = [dice.choice(REGISTERS) for _ in starts]
    turns = [
        said(sentences(register, start.slots)[dice.randrange(2)])
        for register, start in zip(registers, starts, strict=True)
    ]
    put = _outputs(bench.model, layer, contexts, turns)
    begun = torch.stack([one[0] for one in put])
    chosen = begun if source == "contexts" else torch.stack([one[1:].mean(0) for one in put])
    labels = torch.tensor([REGISTERS.index(register) for register in registers])
    everything = torch.cat(put)
    lengths = float(everything.norm(dim=1).mean()), float(begun.norm(dim=1).mean())
    return Examples(chosen, labels, lengths, everything, len(put))


def _outputs(
    model: Any, layer: int, contexts: Sequence[Sequence[int]], turns: Sequence[Sequence[int]]
) -> list[Any]:
    """Return what the layer puts out from the mark of the agent to the end of its turn."""
    found: list[Any] = []

    def look(hidden: Any, ids: Any) -> Any:
        there = speaking(ids) & (ids != PAD)
        found.extend(row[own] for row, own in zip(hidden, there, strict=True))
        return hidden

    rows = [[*context, *turn] for context, turn in zip(contexts, turns, strict=True)]
    longest = max(map(len, rows))
    with hooked(model, layer, look):
        for n in range(0, len(rows), 256):
            padded = [[*row, *[PAD] * (longest - len(row))] for row in rows[n : n + 256]]
            model(input_ids=torch.tensor(padded), use_cache=False)
    return found


def direction(residuals: Any, labels: Any, register: Register) -> Any:
    """Return the difference of means of a register's examples and the others', of length 1."""
    own = labels == REGISTERS.index(register)
    return unit(residuals[own].mean(0) - residuals[~own].mean(0))


def unit(vector: Any) -> Any:
    """Return a vector of length 1 in its direction."""
    return vector / vector.norm()


def shuffled(labels: Any, dice: Any) -> Any:
    """Return the labels in another order."""
    return labels[torch.randperm(len(labels), generator=dice)]


# A sparse autoencoder.


class Sparse(NamedTuple):
    """A top-k sparse autoencoder: each vector is a sum of few of its latents' directions.

    Attributes:
        middle: What is taken away first, (width,).
        encoder: (width, latents).
        decoder: (latents, width); each row has length 1.
        kept: How many latents a vector has at most.
        error: Share of the variance that is not rebuilt, in [0, 1] if it has learnt anything.
    """

    middle: Any
    encoder: Any
    decoder: Any
    kept: int
    error: float

    def encoded(self, vectors: Any) -> Any:
        """Return how much of each latent the vectors hold, (vectors, latents), at least 0."""
        return _top((vectors - self.middle) @ self.encoder, self.kept)


def _top(active: Any, kept: int) -> Any:
    found = active.relu().topk(kept, dim=-1)
    return torch.zeros_like(active).scatter(-1, found.indices, found.values)


def sparse(
    vectors: Any, dice: Any, *, latents: int = 32, kept: int = 4, steps: int = 300, batch: int = 256
) -> Sparse:
    """Return a top-k sparse autoencoder of vectors (Gao et al. 2024, arXiv 2406.04093).

    Few latents, as for sentence means in Venhoff et al. (2025, arXiv 2510.07364).
    """
    middle, scale = vectors.mean(0), vectors.std(0).norm()
    decoder = torch.randn(latents, vectors.shape[1], generator=dice)
    decoder = (decoder / decoder.norm(dim=1, keepdim=True)).requires_grad_()
    encoder = decoder.detach().T.clone().requires_grad_()
    optimizer = torch.optim.Adam([encoder, decoder], lr=3e-3)
    centred = (vectors - middle) / scale

    def rebuilt(rows: Any) -> Any:
        return _top(rows @ encoder, kept) @ (decoder / decoder.norm(dim=1, keepdim=True))

    for _ in range(steps):
        rows = centred[torch.randint(len(centred), (batch,), generator=dice)]
        loss = (rows - rebuilt(rows)).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = (centred - rebuilt(centred)).square().sum() / centred.square().sum()
        rows = decoder / decoder.norm(dim=1, keepdim=True)
    return Sparse(middle, encoder.detach(), rows.detach(), kept, float(error))


@lru_cache(maxsize=8)
def sparse_of(bench: Bench, layer: int) -> Sparse:
    """Return an autoencoder of what a layer puts out over the sentences of all registers."""
    return sparse(examples(bench, "sentences", layer).everything, bench.dice(f"sparse {layer}"))


def feature(found: Sparse, shown: Examples, register: Register) -> int:
    """Return the latent that is most more active in a register's examples than in the others'."""
    active = found.encoded(shown.residuals)
    own = shown.labels == REGISTERS.index(register)
    return int((active[own].mean(0) - active[~own].mean(0)).argmax())


# Rungs.


def pushed(
    bench: Bench,
    layer: int,
    vectors: Mapping[Need, Any],
    size: float,
    *,
    first: bool,
    prepared: float,
) -> Found:
    """Return what comes of directions, of such a size, each for those who need it."""
    registers = np.zeros((len(bench.starts), len(REGISTERS)))
    tokens = 0.0
    for vector in {id(one): one for one in vectors.values()}.values():
        own = [n for n, start in enumerate(bench.starts) if vectors[start.need] is vector]
        part = Bench(bench.model, [bench.starts[n] for n in own], f"{bench.key}/{own[0]}")
        with steered(bench.model, layer, size * vector, first=first):
            found = spoken(part)
        registers[own] = found.registers
        tokens += found.tokens * len(own) / len(bench.starts)
    return Found(registers, tokens, tokens, prepared)


Kind = Literal["target", "told", "random", "wrong", "shuffled"]
_WRONG: Final[Register] = "suggestion"


def steering(
    bench: Bench, source: Source, layer: int, strength: float, kind: Kind, *, first: bool
) -> Found:
    """Return what comes of steering by a difference of means.

    After Turner et al. (2023, arXiv 2308.10248), who have one pair, and Venhoff et al. (2025, arXiv
    2510.07364), who learn directions for categories.

    Args:
        bench: The base.
        source: What is contrasted.
        layer: Whose output is steered.
        strength: Length of the vector, in mean lengths of what it is added to.
        kind: Towards the "target" with everybody; with each person towards what they need, if that
            is "told"; or a control: in a "random" direction, towards the "wrong" register, or
            towards the target with labels "shuffled".
        first: Steered is where the agent begins to speak, and else all the while.
    """
    shown = examples(bench, source, layer)
    vectors = directions(bench, shown, kind)
    size = strength * shown.lengths[first]
    return pushed(bench, layer, vectors, size, first=first, prepared=shown.calls)


def directions(bench: Bench, shown: Examples, kind: Kind) -> dict[Need, Any]:
    """Return for each need the direction in which is steered, of length 1."""
    if kind == "told":
        return {n: direction(shown.residuals, shown.labels, WANTED[n]) for n in NEEDS}
    if kind == "random":
        one = unit(torch.randn(shown.residuals.shape[1], generator=bench.dice("direction")))
    elif kind == "wrong":
        one = direction(shown.residuals, shown.labels, _WRONG)
    else:
        mixed_up = kind == "shuffled"
        labels = shuffled(shown.labels, bench.dice("labels")) if mixed_up else shown.labels
        one = direction(shown.residuals, labels, TARGET)
    return dict.fromkeys(NEEDS, one)


def latent(
    bench: Bench, source: Source, layer: int, strength: float, kind: Literal["target", "random"]
) -> Found:
    """Return what comes of one latent, added where the agent begins to speak (arXiv 2601.08058).

    Args:
        bench: The base.
        source: By which examples the latent is chosen.
        layer: Whose output is taken apart, and steered.
        strength: As in `steering`.
        kind: The "target"'s latent; or a control, another one at "random".
    """
    shown = examples(bench, source, layer)
    found = sparse_of(bench, layer)
    chosen = feature(found, shown, TARGET)
    if kind == "random":
        others = [n for n in range(len(found.decoder)) if n != chosen]
        chosen = others[bench.number("latent") % len(others)]
    vectors = dict.fromkeys(NEEDS, found.decoder[chosen])
    # Its own steps are no calls of the model: what it learns from was put out once.
    calls = 2.0 * shown.calls
    return pushed(bench, layer, vectors, strength * shown.lengths[1], first=True, prepared=calls)


def reaching() -> list[Rung]:
    """Return the rungs that reach into the base."""
    made: list[Rung] = []
    for layer, strength in product(LAYERS, STRENGTHS):
        for source, first in _PLACES:
            at = {"of": source, "at": "first" if first else "all", **_at(layer, strength)}
            how = {"source": source, "layer": layer, "strength": strength, "first": first}
            for name, kind, uses, control in _STEERED:
                run = partial(steering, **how, kind=kind)
                made.append(Rung(name, at, run, uses, control))
        for first in (False, True):
            at = {"at": "first" if first else "all", **_at(layer, strength)}
            how = {"source": "contexts", "layer": layer, "strength": strength, "first": first}
            made.append(
                Rung(
                    "steering, random", at, partial(steering, **how, kind="random"), "nothing", True
                )
            )
        for source in SOURCES:
            at = {"of": source, **_at(layer, strength)}
            how = {"source": source, "layer": layer, "strength": strength}
            made.append(Rung("latent", at, partial(latent, **how, kind="target"), "labels"))
            made.append(
                Rung("latent, random", at, partial(latent, **how, kind="random"), "labels", True)
            )
    return made


_PLACES: Final[tuple[tuple[Source, bool], ...]] = (
    ("contexts", False),
    ("contexts", True),
    ("sentences", False),
)
_STEERED: Final[tuple[tuple[str, Kind, Uses, bool], ...]] = (
    ("steering", "target", "labels", False),
    ("steering, told", "told", "need", False),
    ("steering, wrong", "wrong", "labels", True),
    ("steering, shuffled", "shuffled", "nothing", True),
)


def _at(layer: int, strength: float) -> dict[str, Any]:
    return {"layer": layer, "strength": strength}
