"""How a model of the lab is trained: pretraining, imitation, and GRPO in a world."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from empathy_env.acts import Need
from empathy_env.lab.grammar import NEEDS, PEOPLE, TARGET, TARGET_NEED
from empathy_env.lab.model import chances, marked, policy_of
from empathy_env.lab.people import Start, drawn_starts
from empathy_env.lab.talks import Talk, World, play
from empathy_env.noise import draw

Row = tuple[Sequence[int], Sequence[float]]


def rows_of(talks: Sequence[Talk], others: float) -> list[Row]:
    """Return talks as rows to be taught: the agent's own tokens weigh 1, what it read `others`."""
    found: list[Row] = []
    for talk in talks:
        weights = [others] * len(talk.ids)
        for turn in talk.turns:
            weights[turn.begins : turn.ends] = [1.0] * (turn.ends - turn.begins)
        found.append((talk.ids, weights))
    return found


@dataclass(frozen=True, slots=True)
class Grpo:
    """How GRPO learns (arXiv 2402.03300); credit is given turn by turn."""

    steps: int = 120
    starts: int = 8
    """Groups in a step."""
    group_size: int = 16
    lr: float = 5e-4
    floor: float = 0.02
    """Least standard deviation that a group's rewards are divided by."""
    kl: float = 0.0
    """Weight of the KL to the beginning."""
    reward: Literal["world", "random"] = "world"
    """What is learnt from: what the world pays, or coins."""


class Step(NamedTuple):
    """One step of GRPO.

    Attributes:
        number: From 1.
        reward: Mean total of a talk.
        emotion: Mean at the end.
        signal: Share of groups in which not all talks were paid alike.
        hits: Turns in which the target was used where it was needed and known, so far.
        tries: Turns in which it was needed and known, so far.
    """

    number: int
    reward: float
    emotion: float
    signal: float
    hits: int
    tries: int


def grpo(
    model: Any,
    reference: Any,
    world: World,
    how: Grpo,
    *,
    seed: int,
    needs: tuple[Need, ...] = NEEDS,
    people: tuple[str, ...] = PEOPLE,
) -> Iterator[Step]:
    """Train the model, which is changed, and yield what each step was like.

    Args:
        model: The policy.
        reference: What the KL is to; not changed.
        world: Where the talks are.
        how: The settings.
        seed: Key of all draws.
        needs: Those of the people.
        people: Whom they talk about.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=how.lr, weight_decay=0.0)
    hits = tries = 0
    for step in range(how.steps):
        dice = random.Random(f"{seed}/{step}")
        # Needs come in turn from step to step too: with few groups some would never be met.
        first = step * how.starts % len(needs)
        turned = (*needs[first:], *needs[:first])
        groups = drawn_starts(dice, how.starts, needs=turned, people=people)
        starts = [start for start in groups for _ in range(how.group_size)]
        members = list(range(how.group_size)) * how.starts
        policy = policy_of(model, dice.getrandbits(60))
        talks = play(world, starts, policy, members=members)
        learnt = _learnt(talks, how, key=seed + step)
        if any(any(row) for row in learnt):
            _update(model, reference, optimizer, talks, learnt, how)
        for talk in talks:
            wanted = talk.turns[world.informed :] if talk.start.need == TARGET_NEED else ()
            tries += len(wanted)
            hits += sum(turn.register == TARGET for turn in wanted)
        size = how.group_size
        totals = [math.fsum(turn.reward for turn in talk.turns) for talk in talks]
        spreads = [np.std(totals[n : n + size]) for n in range(0, len(totals), size)]
        yield Step(
            step + 1,
            float(np.mean(totals)),
            float(np.mean([talk.emotion for talk in talks])),
            float(np.mean([spread > 1e-9 for spread in spreads])),
            hits,
            tries,
        )


def _learnt(talks: Sequence[Talk], how: Grpo, *, key: int) -> list[list[float]]:
    """Return each talk's advantage at each of its turns."""
    paid = [[turn.reward for turn in talk.turns] for talk in talks]
    if how.reward == "random":
        paid = [
            [float(draw(key, turn, seat, "coin") < 0.5) for turn in range(len(row))]
            for seat, row in enumerate(paid)
        ]
    to_go = [[math.fsum(row[turn:]) for turn in range(len(row))] for row in paid]
    found: list[list[float]] = [[] for _ in talks]
    for first in range(0, len(talks), how.group_size):
        group = range(first, first + how.group_size)
        for turn in range(max(len(to_go[n]) for n in group)):
            there = [n for n in group if turn < len(to_go[n])]
            values = np.array([to_go[n][turn] for n in there])
            for n, value in zip(there, values, strict=True):
                found[n].append(float((value - values.mean()) / max(values.std(), how.floor)))
    return found


def _update(
    model: Any,
    reference: Any,
    optimizer: Any,
    talks: Sequence[Talk],
    learnt: Sequence[Sequence[float]],
    how: Grpo,
) -> None:
    credit, mask = [], []
    for talk, values in zip(talks, learnt, strict=True):
        row, marks = [0.0] * len(talk.ids), [0.0] * len(talk.ids)
        for turn, value in zip(talk.turns, values, strict=True):
            row[turn.begins : turn.ends] = [value] * (turn.ends - turn.begins)
            marks[turn.begins : turn.ends] = [1.0] * (turn.ends - turn.begins)
        credit.append(row)
        mask.append(marks)
    ids = [talk.ids for talk in talks]
    ascend(model, optimizer, ids, credit, mask, reference=reference, kl=how.kl)


def ascend(
    model: Any,
    optimizer: Any,
    ids: Sequence[Sequence[int]],
    credit: Sequence[Sequence[float]],
    mask: Sequence[Sequence[float]],
    *,
    reference: Any = None,
    kl: float = 0.0,
) -> None:
    """Take one step of policy gradient; each talk weighs the same.

    Args:
        model: It is changed.
        optimizer: Of its weights.
        ids: Tokens of each talk.
        credit: Advantage of each token.
        mask: 1 for the agent's own tokens, 0 for others.
        reference: What the KL is to.
        kl: Its weight.
    """
    weight, own = marked(credit), marked(mask)
    now = chances(model, ids)
    # One pass over what was just sampled: the ratio is 1, and its gradient that of the logarithm.
    each = -(weight * now)
    if kl:
        with torch.no_grad():
            known = chances(reference, ids)
        apart = known - now
        each = each + kl * (apart.exp() - apart - 1)
    loss = ((each * own).sum(1) / own.sum(1).clamp(min=1)).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def played(
    model: Any, world: World, starts: Sequence[Start], size: int, *, seed: int
) -> list[list[Talk]]:
    """Return so many talks from each start."""
    each = [start for start in starts for _ in range(size)]
    members = list(range(size)) * len(starts)
    found: list[Talk] = []
    for first in range(0, len(each), 1024):
        part = slice(first, first + 1024)
        policy = policy_of(model, seed + first)
        found += play(world, each[part], policy, members=members[part])
    return [found[n : n + size] for n in range(0, len(found), size)]
