"""What is measured of a model of the lab."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from empathy_env.acts import Need
from empathy_env.lab.grammar import NEEDS, PEOPLE, REGISTERS, TARGET, WANTED
from empathy_env.lab.learn import played
from empathy_env.lab.markov import Bounds, asked, exact
from empathy_env.lab.model import log_chances, policy_of, register_chances, sentence_chances
from empathy_env.lab.people import Start, drawn_starts
from empathy_env.lab.summary import TRIES
from empathy_env.lab.talks import Talk, World, play
from empathy_env.lab.words import opened, thoughts
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.entropy import Spoken, entropies
from empathy_env.measures.grounding import grounding
from empathy_env.measures.likelihood import ScoredTalk, sequence_kl

_VALUED: Final = 8
"""Starts of which the exact value is worked out."""


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
        entropy: Of a token, and of the mix of what was done, in nats, as in `measures.entropy`;
            each as mean, low and high.
        grounding: Each figure of `measures.grounding`, per turn, as mean, low and high. There is
            none outside the environment.
        values: Of the first eight starts what the final emotion is expected to be: at least, and at
            most. Of the `markov` world alone.
    """

    registers: dict[str, list[float]]
    done: dict[str, list[float]]
    samples: list[Sample]
    kl: float
    entropy: dict[str, list[float]]
    grounding: dict[str, list[float]]
    values: list[Bounds]

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "registers": self.registers,
            "done": self.done,
            "samples": [list(one) for one in self.samples],
            "kl": self.kl,
            "entropy": self.entropy,
            "grounding": self.grounding,
            "values": [list(one) for one in self.values],
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
    told = [talk for group in groups for talk in group[: -(-512 // len(groups))]]
    each = scored(model, reference, told)
    return Measured(
        registers=_registers(model, shown, world),
        done=_done(talks, world),
        samples=found,
        kl=round(sequence_kl(each).per_talk.mean, 4),
        entropy=_entropy(told, each),
        grounding=_grounding(told),
        values=_values(model, [group[0].start for group in groups][:_VALUED], world),
    ), groups


def _entropy(talks: list[Talk], each: list[ScoredTalk]) -> dict[str, list[float]]:
    said = [
        Spoken(
            str(talk.start),
            tuple(-value for value in one.own),
            tuple(turn.register or "other" for turn in talk.turns),
        )
        for talk, one in zip(talks, each, strict=True)
    ]
    found = entropies(said)
    return {name: _numbers(getattr(found, name)) for name in ("token", "register")}


def _grounding(talks: list[Talk]) -> dict[str, list[float]]:
    traces = [talk.trace for talk in talks if talk.trace is not None]
    found = grounding(traces) if traces else {}
    return {name: _numbers(one.per_turn) for name, one in found.items() if one.per_turn}


def _numbers(value: Interval) -> list[float]:
    return [round(one, 5) for one in value[:3]]


def _values(model: Any, starts: list[Start], world: World) -> list[Bounds]:
    if world.name != "markov":
        return []
    return exact(partial(sentence_chances, model), starts, world.credit)


class Reach(NamedTuple):
    """What a model can do at a step of training, exactly.

    Attributes:
        registers: As in `Measured`.
        reach: pass@k of meeting the need in the first turn, for each k of `TRIES`; mean over
            starts.
    """

    registers: dict[str, list[float]]
    reach: list[float]


def reached(model: Any, world: World, starts: Sequence[Start]) -> Reach | None:
    """Return what a model can do; None in the environment, where there is no exact value."""
    if world.name == "environment":
        return None
    contexts = [(*opened(asked(start)), *world.cue) for start in starts]
    each, needs = _exact(model, contexts, starts, world)
    right = [row[REGISTERS.index(WANTED[need])] for row, need in zip(each, needs, strict=True)]
    missed = np.clip(1.0 - np.array(right), 1e-12, 1.0)
    return Reach(_by_need(each, needs), [float(np.mean(1.0 - missed**k)) for k in TRIES])


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
    return _by_need(*_exact(model, contexts, [talk.start for talk in there], world))


def _exact(
    model: Any, contexts: Sequence[Sequence[int]], starts: Sequence[Start], world: World
) -> tuple[Any, list[Need]]:
    """Return how likely each register is after each context, and what is needed there."""
    before = thoughts() if world.thinks else ((),)
    each = register_chances(model, contexts, [start.slots for start in starts], before)
    return each, [start.need for start in starts]


def _by_need(each: Any, needs: Sequence[Need]) -> dict[str, list[float]]:
    by: dict[str, list[Any]] = defaultdict(list)
    for row, need in zip(each, needs, strict=True):
        by[need].append(row)
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
