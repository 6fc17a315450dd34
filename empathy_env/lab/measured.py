"""What is measured of a model of the lab."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np

from empathy_env.acts import Need
from empathy_env.lab.grammar import NEEDS, PEOPLE, REGISTERS, TARGET
from empathy_env.lab.learn import played
from empathy_env.lab.model import log_chances, policy_of, register_chances
from empathy_env.lab.people import Start, drawn_starts
from empathy_env.lab.talks import Talk, World, play
from empathy_env.measures.likelihood import ScoredTalk, sequence_kl


class Sample(NamedTuple):
    """What came of one start.

    Attributes:
        need: What the person needs.
        person: Whom they talk about.
        successes: Talks whose final emotion reached the world's goal.
        talks: How many there were.
        emotion: Mean final emotion.
    """

    need: Need
    person: str
    successes: int
    talks: int
    emotion: float


class Measured(NamedTuple):
    """What a model is like.

    Attributes:
        registers: For each need, how likely each register is at the first turn in which the need
            is known, exactly, mean over histories of its own. In the order of `REGISTERS`; what is
            left to 1 is no sentence of the grammar.
        done: For each need, in what share of the talks each register was what that turn did, as
            appraised, whatever the words.
        samples: What came of each start.
        kl: To the reference, in nats a talk, as in `measures.likelihood`.
    """

    registers: dict[str, list[float]]
    done: dict[str, list[float]]
    samples: list[Sample]
    kl: float

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "registers": self.registers,
            "done": self.done,
            "samples": [list(one) for one in self.samples],
            "kl": self.kl,
        }


def evaluation_starts(count: int, people: tuple[str, ...] = PEOPLE) -> list[Start]:
    """Return the starts of evaluations, always the same ones; needs come in turn."""
    return drawn_starts(random.Random(f"evaluation/{len(people)}"), count, people=people)


def measured(
    model: Any,
    reference: Any,
    world: World,
    *,
    starts: int,
    samples: int,
    people: tuple[str, ...] = PEOPLE,
) -> tuple[Measured, list[list[Talk]]]:
    """Play the evaluation, and return what the model is like, and its talks."""
    groups = played(model, world, evaluation_starts(starts, people), samples, seed=0)
    talks = [talk for group in groups for talk in group]
    found = [
        Sample(
            group[0].start.need,
            group[0].start.slots.person,
            sum(talk.emotion >= world.goal for talk in group),
            len(group),
            round(float(np.mean([talk.emotion for talk in group])), 4),
        )
        for group in groups
    ]
    shown = [talk for group in groups for talk in group[:16]]
    registers = _registers(model, shown, world)
    kl = sequence_kl(scored(model, reference, talks[:512])).per_talk.mean
    return Measured(registers, _done(talks, world), found, round(kl, 4)), groups


def counted(model: Any, world: World, turns: int) -> tuple[int, int]:
    """Return in how many turns of the model the target was appraised, and of how many."""
    hits = total = 0
    while total < turns:
        starts = drawn_starts(random.Random(f"counted/{total}"), 1024)
        for talk in play(world, starts, policy_of(model, total)):
            total += len(talk.turns)
            hits += sum(turn.register == TARGET for turn in talk.turns)
    return hits, total


def _done(talks: list[Talk], world: World) -> dict[str, list[float]]:
    by: dict[str, list[str | None]] = defaultdict(list)
    for talk in talks:
        if len(talk.turns) > world.informed:
            by[talk.start.need].append(talk.turns[world.informed].register)
    return {
        need: [by[need].count(register) / max(1, len(by[need])) for register in REGISTERS]
        for need in NEEDS
    }


def _registers(model: Any, talks: list[Talk], world: World) -> dict[str, list[float]]:
    there = [talk for talk in talks if len(talk.turns) > world.informed]
    contexts = [talk.ids[: talk.turns[world.informed].begins] for talk in there]
    each = register_chances(model, contexts, [talk.start.slots for talk in there])
    by: dict[str, list[Any]] = defaultdict(list)
    for talk, row in zip(there, each, strict=True):
        by[talk.start.need].append(row)
    none = [float("nan")] * len(REGISTERS)
    return {need: np.mean(by[need], 0).tolist() if by[need] else none for need in NEEDS}


def scored(model: Any, reference: Any, talks: list[Talk]) -> list[ScoredTalk]:
    """Return talks of the model with the chances of what it said, by their starts."""
    found: list[ScoredTalk] = []
    for first in range(0, len(talks), 128):
        part = talks[first : first + 128]
        rows = [talk.ids for talk in part]
        own, other = (log_chances(one, rows) for one in (model, reference))
        for talk, mine, its in zip(part, own, other, strict=True):
            said = [n - 1 for turn in talk.turns for n in range(turn.begins, turn.ends)]
            found.append(
                ScoredTalk(
                    f"{talk.start.slots} {talk.start.seed}",
                    own=tuple(mine[n] for n in said),
                    other=tuple(its[n] for n in said),
                )
            )
    return found
