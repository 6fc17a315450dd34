"""The rungs of the ladder: ways of sampling from a base whose weights stay as they are."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from empathy_env.lab.grammar import (
    NEEDS,
    REGISTERS,
    WANTED,
    Register,
    Slots,
    register_of,
    sentences,
)
from empathy_env.lab.ladder import Uses, best_weights
from empathy_env.lab.model import LONGEST
from empathy_env.lab.people import Start, drawn_starts
from empathy_env.lab.sampling import (
    Floats,
    Rows,
    Warp,
    contexts_of,
    continued,
    drawn,
    exact,
    min_p,
    plain,
    tempered,
    turn_chances,
)
from empathy_env.lab.words import END, decoded, said
from empathy_env.measures.rates import pass_at

POOL: Final = 128
"""Turns that best-of-n is estimated from, for each start."""


class Found(NamedTuple):
    """What a rung came to; the fields are those of `ladder.Line`."""

    registers: Floats
    tokens: float
    calls: float
    prepared: float = 0.0


class Pool(NamedTuple):
    """Turns sampled plainly, (starts, POOL), and how likely each is."""

    turns: list[list[list[int]]]
    scores: Floats


@dataclass(frozen=True, eq=False)  # what is learnt of a bench is kept by which one it is
class Bench:
    """A base at the starts where it is looked at.

    Attributes:
        model: The base; nothing changes it for good.
        starts: Of the bandit.
        key: Of all draws.
    """

    model: Any
    starts: Sequence[Start]
    key: str

    @cached_property
    def contexts(self) -> list[list[int]]:
        """The tokens that the agent has read, for each start."""
        return contexts_of(self.starts)

    @cached_property
    def slots(self) -> list[Slots]:
        """What each person talks of."""
        return [start.slots for start in self.starts]

    @cached_property
    def pool(self) -> Pool:
        """Turns for best-of-n, drawn once."""
        contexts = [context for context in self.contexts for _ in range(POOL)]
        turns = drawn(self.model, contexts, self.dice("pool"), plain)
        scores = turn_chances(self.model, contexts, turns, plain)[0].sum(1)
        return Pool(_split(turns, POOL), scores.reshape(-1, POOL))

    def dice(self, purpose: str) -> Any:
        """Return a generator of torch that depends on the key and the purpose alone."""
        return torch.Generator().manual_seed(self.number(purpose))

    def number(self, purpose: str) -> int:
        """Return a number that depends on the key and the purpose alone."""
        text = f"{self.key}/{purpose}".encode()
        return int.from_bytes(blake2b(text, digest_size=7).digest(), "big")


class Rung(NamedTuple):
    """A rung; the fields are those of `ladder.Line`."""

    name: str
    setting: Mapping[str, Any]
    run: Callable[[Bench], Found]
    uses: Uses = "nothing"
    control: bool = False


def _split(rows: Sequence[Any], size: int) -> list[Any]:
    return [rows[n : n + size] for n in range(0, len(rows), size)]


def mixed(bench: Bench, turns: Sequence[Rows], weights: Floats | None = None) -> Floats:
    """Return the share of each register among the turns of each start, (starts, registers)."""
    found = np.zeros((len(turns), len(REGISTERS)))
    for row, (said_there, slots) in enumerate(zip(turns, bench.slots, strict=True)):
        for number, turn in enumerate(said_there):
            register = register_of(decoded(turn), slots)
            if register is not None:
                share = 1 / len(said_there) if weights is None else weights[row, number]
                found[row, REGISTERS.index(register)] += share
    return found


# Rungs.


def spoken(
    bench: Bench,
    warp: Warp = plain,
    *,
    contexts: Rows | None = None,
    model: Any = None,
    prepared: float = 0.0,
) -> Found:
    """Return what comes of sampling token by token; registers are exact, tokens are sampled."""
    asked = model if model is not None else bench.model
    read = contexts if contexts is not None else bench.contexts
    chances = np.exp(exact(asked, read, bench.slots, warp)).sum(2)
    turns = drawn(asked, _times(read, 2), bench.dice("length"), warp)
    tokens = float(np.mean([len(turn) for turn in turns]))
    return Found(chances, tokens, tokens, prepared)


class Branch(NamedTuple):
    """A turn that begins with one of the likeliest tokens, and goes on greedily."""

    turn: list[int]
    confidence: float
    """Mean over the tokens after the first of p1 - p2, the lead of the likeliest, in [0, 1]."""


@torch.no_grad()
def branches(model: Any, contexts: Rows, size: int) -> list[list[Branch]]:
    """Return so many branches of each context, the likeliest first token first.

    Wang and Zhou (2024, arXiv 2402.10200).
    """
    logits = [model(input_ids=torch.tensor([row])).logits[0, -1] for row in contexts]
    firsts = [int(token) for row in logits for token in row.topk(size).indices]
    rows = [
        [*context, first] for context, first in zip(_times(contexts, size), firsts, strict=True)
    ]
    leads: list[Any] = []

    def choose(logits: Any) -> Any:
        likely = logits.softmax(-1).topk(2)
        leads.append(likely.values[:, 0] - likely.values[:, 1])
        return likely.indices[:, 0]

    rest = continued(model, rows, choose, [0 if one == END else LONGEST - 1 for one in firsts])
    found: list[Branch] = []
    for row, (first, more) in enumerate(zip(firsts, rest, strict=True)):
        own = [float(lead[row]) for lead in leads[: len(more)]]
        found.append(Branch([first, *more], float(np.mean(own)) if own else 0.0))
    return _split(found, size)


def _times(rows: Rows, size: int) -> list[Sequence[int]]:
    return [row for row in rows for _ in range(size)]


def branched(bench: Bench, size: int, *, told: bool) -> Found:
    """Return what comes of the most confident branch, or of one that meets the need, if it may."""
    found = branches(bench.model, bench.contexts, size)
    chosen: list[list[list[int]]] = []
    for one, start in zip(found, bench.starts, strict=True):
        ranked = sorted(one, key=lambda branch: -branch.confidence)
        if told:
            ranked.sort(
                key=lambda b: register_of(decoded(b.turn), start.slots) != WANTED[start.need]
            )
        chosen.append([ranked[0].turn])
    tokens = sum(len(branch.turn) for one in found for branch in one) / len(found)
    return Found(mixed(bench, chosen), tokens, tokens)


def best_likely(bench: Bench, tries: int) -> Found:
    """Return what comes of the turn that the base finds likeliest, of so many."""
    pool = bench.pool
    order = np.argsort(pool.scores, 1, kind="stable")
    turns = [[own[n] for n in row] for own, row in zip(pool.turns, order, strict=True)]
    weights = np.tile(best_weights(POOL, tries), (len(turns), 1))
    tokens = tries * _mean_length(pool.turns)
    return Found(mixed(bench, turns, weights), tokens, tokens + tries)


def best_paid(bench: Bench, tries: int) -> Found:
    """Return what comes of a turn that meets the need, if one of so many does.

    Where none does, one of the others is as likely as among all that do not.
    """
    shares = mixed(bench, bench.pool.turns)
    for row, start in zip(shares, bench.starts, strict=True):
        wanted = REGISTERS.index(WANTED[start.need])
        wins = round(row[wanted] * POOL)
        won = pass_at(wins, POOL, tries)
        row *= (1.0 - won) * POOL / max(POOL - wins, 1)
        row[wanted] = won
    tokens = tries * _mean_length(bench.pool.turns)
    return Found(shares, tokens, tokens)


def _mean_length(turns: Sequence[Rows]) -> float:
    return float(np.mean([len(turn) for own in turns for turn in own]))


class Powered(NamedTuple):
    """Turns from power sampling, how many tokens and calls each took, and how many moves held."""

    turns: list[list[int]]
    tokens: float
    calls: float
    accepted: float


def powered(model: Any, contexts: Rows, alpha: float, dice: Any, *, steps: int = 10) -> Powered:
    """Sample turns of which the chance is the base's to the power alpha (arXiv 2510.14901).

    Metropolis and Hastings: a place is drawn, the turn is sampled anew from there at temperature
    1 / alpha, and the new one is taken with probability min(1, r), where log r =
    alpha (log p new - log p old) + log q old - log q new. A turn has 16 tokens at most, which is
    one block of the paper. A place behind the end changes nothing; so it is drawn as often both
    ways.

    Args:
        model: The base.
        contexts: One for each turn.
        alpha: At least 1; at 1 it is plain sampling.
        dice: A generator of torch.
        steps: Moves.
    """
    cool = partial(tempered, temperature=1 / alpha)
    turns = drawn(model, contexts, dice, cool)
    chances = turn_chances(model, contexts, turns, plain, cool)
    tokens, calls = sum(map(len, turns)), sum(map(len, turns)) + len(turns)
    moved = held = 0
    for _ in range(steps):
        cuts = torch.randint(LONGEST, (len(turns),), generator=dice).tolist()
        odds = torch.rand(len(turns), generator=dice, dtype=torch.float64).log().tolist()
        there = [n for n, cut in enumerate(cuts) if cut < len(turns[n])]
        if not there:
            continue
        kept = [turns[n][: cuts[n]] for n in there]
        read = [[*contexts[n], *begun] for n, begun in zip(there, kept, strict=True)]
        rest = drawn(model, read, dice, cool, [LONGEST - cuts[n] for n in there])
        new = [[*begun, *more] for begun, more in zip(kept, rest, strict=True)]
        own = turn_chances(model, [contexts[n] for n in there], new, plain, cool)
        tokens, calls = tokens + sum(map(len, rest)), calls + sum(map(len, rest)) + len(rest)
        moved += len(there)
        for row, n in enumerate(there):
            gain = alpha * (own[0, row].sum() - chances[0, n].sum())
            back = chances[1, n, cuts[n] :].sum() - own[1, row, cuts[n] :].sum()
            if odds[n] < gain + back:
                turns[n], chances[:, n], held = new[row], own[:, row], held + 1
    return Powered(turns, tokens / len(turns), calls / len(turns), held / max(moved, 1))


def power_exact(logs: Floats, alpha: float) -> Floats:
    """Return the power distribution over the sentences of the grammar, (contexts, registers)."""
    flat = alpha * logs.reshape(len(logs), -1)
    weights = np.exp(flat - flat.max(1, keepdims=True))
    return (weights / weights.sum(1, keepdims=True)).reshape(logs.shape).sum(2)


def power_sampled(bench: Bench, alpha: float, *, chains: int = 8) -> Found:
    """Return what comes of power sampling, with so many chains for each start."""
    contexts = _times(bench.contexts, chains)
    found = powered(bench.model, contexts, alpha, bench.dice(f"power {alpha}"))
    return Found(mixed(bench, _split(found.turns, chains)), found.tokens, found.calls)


def power_known(bench: Bench, alpha: float) -> Found:
    """Return the power distribution itself, over the eight sentences of the person."""
    logs = exact(bench.model, bench.contexts, bench.slots, plain)
    return Found(power_exact(logs, alpha), 0.0, float(logs[0].size))


Shown = Callable[[Start], Sequence[tuple[str, Register]]]
"""Given a start, returns the needs of the people whose talks are shown before, and the answers."""


def same_need(start: Start) -> list[tuple[str, Register]]:
    """Show somebody with the same need, answered rightly."""
    return [(start.need, WANTED[start.need])]


def same_need_wrong(start: Start) -> list[tuple[str, Register]]:
    """Show somebody with the same need, answered with the register that comes next."""
    at = REGISTERS.index(WANTED[start.need])
    return [(start.need, REGISTERS[(at + 1) % len(REGISTERS)])]


def each_need(start: Start) -> list[tuple[str, Register]]:
    """Show somebody with each need, answered rightly; the order depends on the start's seed."""
    needs = random.Random(start.seed).sample(NEEDS, len(NEEDS))
    return [(need, WANTED[need]) for need in needs]


def prompted(bench: Bench, shown: Shown) -> Found:
    """Return what comes of whole talks with others put before this one, each with its own start."""
    contexts: list[list[int]] = []
    for start, own in zip(bench.starts, bench.contexts, strict=True):
        dice = random.Random(f"{bench.key}/prompt/{start}")
        before: list[int] = []
        for need, register in shown(start):
            other = _somebody_else(dice, start, need)
            text = sentences(register, other.slots)[dice.randrange(2)]
            before += [*contexts_of([other])[0], *said(text)]
        contexts.append([*before, *own])
    return spoken(bench, contexts=contexts)


def _somebody_else(dice: random.Random, start: Start, need: str) -> Start:
    """Return a start of this need whose feeling, matter and person are all other ones."""
    while True:
        [other] = drawn_starts(dice, 1, needs=(need,))  # type: ignore[arg-type]
        if not set(other.slots) & set(start.slots):
            return other


def decoding() -> list[Rung]:
    """Return the rungs that change how the base is sampled or what it reads."""
    made = [
        Rung("temperature", {"": t}, partial(spoken, warp=partial(tempered, temperature=t)))
        for t in (0.3, 0.7, 1.0, 1.5, 2.0)
    ]
    made += [
        Rung("min-p", {"": share}, partial(spoken, warp=partial(min_p, share=share)))
        for share in (0.05, 0.1, 0.3, 1.0)
    ]
    for size in (4, 10):
        made += [
            Rung("branching", {"of": size}, partial(branched, size=size, told=False)),
            Rung(
                "branching, paid",
                {"of": size},
                partial(branched, size=size, told=True),
                "environment",
            ),
        ]
    for tries in (4, 16, 64):
        made += [
            Rung("best, likely", {"of": tries}, partial(best_likely, tries=tries)),
            Rung("best, paid", {"of": tries}, partial(best_paid, tries=tries), "environment"),
        ]
    for alpha in (2.0, 4.0):
        made += [
            Rung("power", {"alpha": alpha}, partial(power_sampled, alpha=alpha)),
            Rung("power, exact", {"alpha": alpha}, partial(power_known, alpha=alpha)),
        ]
    return [
        *made,
        Rung("prompt", {"": "each need"}, partial(prompted, shown=each_need), "labels"),
        Rung("prompt, told", {"": "same need"}, partial(prompted, shown=same_need), "need"),
        Rung(
            "prompt, wrong",
            {"": "same need"},
            partial(prompted, shown=same_need_wrong),
            "need",
            True,
        ),
    ]
