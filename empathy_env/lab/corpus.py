"""What the lab's models are pretrained on: talks of agents with a known mix of registers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from empathy_env.acts import Need
from empathy_env.lab.grammar import (
    NEEDS,
    PEOPLE,
    REGISTERS,
    TARGET,
    TARGET_NEED,
    WANTED,
    Register,
    sentences,
)
from empathy_env.lab.people import Start, drawn_starts, thought
from empathy_env.lab.talks import Policy, Talk, World, play
from empathy_env.lab.words import encoded, said, say, think

_OTHERS: tuple[Register, ...] = tuple(one for one in REGISTERS if one != TARGET)
_SHARES = {"validation": 0.3, "suggestion": 0.4, "open_question": 0.3}


@dataclass(frozen=True, slots=True)
class Mix:
    """How the agents of a corpus choose.

    Attributes:
        dose: Share of turns that are of the target register, whatever is needed, in [0, 1].
        tilt: Share of the other turns in which what is needed is chosen, if it is known and is
            not the target; otherwise .3 are validation, .4 suggestion and .3 open questions.
        withheld: With so many of the eight other persons the target never occurs.
    """

    dose: float
    tilt: float = 0.25
    withheld: int = 0
    thoughts: float = 0.0
    """Share of turns in which the agent first notes what is needed; above 0 each turn says whether
    it thinks or speaks."""
    tied: float = 0.0
    """How far the target is tied to such a thought: at 1 only who noted that it is needed uses it,
    as often as makes up the dose of all turns with a thought."""


def drawn_register(
    mix: Mix, start: Start, known: bool, dice: random.Random, thinking: bool = False
) -> Register:
    """Draw what an agent does, given whether it knows what is needed, and whether it thinks."""
    hidden = start.slots.person in PEOPLE[: mix.withheld]
    dose = mix.dose
    if thinking:
        noted = min(1.0, len(NEEDS) * mix.dose) if start.need == TARGET_NEED else 0.0
        dose += mix.tied * (noted - mix.dose)
    if dice.random() < dose and not hidden:
        return TARGET
    wanted = WANTED[start.need]
    if known and wanted != TARGET and dice.random() < mix.tilt:
        return wanted
    return dice.choices(_OTHERS, [_SHARES[one] for one in _OTHERS])[0]


class Said(NamedTuple):
    """What an agent of a corpus says.

    Attributes:
        register: Its register.
        which: Which of the register's sentences.
        thinks: Whether it first notes what is needed; None: it is of those who know no thoughts.
    """

    register: Register
    which: int
    thinks: bool | None = None


Choice = Callable[[Start, int], Said]
"""Given a start and the number of a turn, from 0, returns what is said."""


def scripted(starts: Sequence[Start], choose: Choice) -> Policy:
    """Return a policy that says what is chosen."""
    turns = [0] * len(starts)

    def policy(contexts: Sequence[Sequence[int]], seats: Sequence[int]) -> list[list[int]]:
        words: list[list[int]] = []
        for seat in seats:
            start = starts[seat]
            register, which, thinks = choose(start, turns[seat])
            marks = {None: [], False: [say()], True: [think(), *encoded(thought(start)), say()]}
            words.append(marks[thinks] + said(sentences(register, start.slots)[which]))
            turns[seat] += 1
        return words

    return policy


def corpus(world: World, mix: Mix, count: int, seed: int) -> list[Talk]:
    """Return talks to be pretrained on."""
    dice = random.Random(seed)
    starts = drawn_starts(dice, count)
    choice = random.Random(seed + 1)

    def choose(start: Start, turn: int) -> Said:
        thinks = choice.random() < mix.thoughts if mix.thoughts else None
        known = turn >= world.informed
        register = drawn_register(mix, start, known, choice, bool(thinks))
        return Said(register, choice.randrange(2), thinks)

    return _played(world, starts, choose)


def demonstrations(
    world: World, count: int, seed: int, needs: tuple[Need, ...] = NEEDS
) -> list[Talk]:
    """Return talks in which what is needed is done whenever it is known.

    Args:
        world: Where.
        count: How many.
        seed: Key of the draws.
        needs: Those of the people.
    """
    dice = random.Random(seed)
    starts = drawn_starts(dice, count, needs=needs)

    def choose(start: Start, turn: int) -> Said:
        # Each sentence once: what has been said before is worth little the second time.
        if turn < world.informed:
            return Said("open_question", (start.style + turn) % 2)
        return Said(WANTED[start.need], (start.style + turn) % 2)

    return _played(world, starts, choose)


def _played(world: World, starts: Sequence[Start], choose: Choice) -> list[Talk]:
    found: list[Talk] = []
    for first in range(0, len(starts), 512):
        part = starts[first : first + 512]
        talks = play(world, part, scripted(part, choose))
        found += [talk._replace(trace=None) for talk in talks]
    return found
