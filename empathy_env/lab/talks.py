"""Talks of the lab, in one of its worlds, with any policy.

All *worlds* have the same people, needs and grammar. In the environment a talk has three turns and
is played by `gym.make_vec`; what a turn did is what the appraiser found. The bandit is the anchor:
one turn, in which the need is known, and a table of rewards. Between them stands `markov`: three
turns with a person of five moods. Of both, what a model is worth can be computed exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final, Literal, NamedTuple, Protocol, cast

import gymnasium as gym

from empathy_env.group import final_emotion
from empathy_env.lab.grammar import REGISTERS, TARGET, Register, register_of
from empathy_env.lab.markov import FIRST, MOODS, asked, line, moved, worth
from empathy_env.lab.people import TURNS, Start, scenario
from empathy_env.lab.words import answered, decoded, opened, say, spoken, think
from empathy_env.noise import draw
from empathy_env.trace import Trace

Policy = Callable[[Sequence[Sequence[int]], Sequence[int]], Sequence[Sequence[int]]]
"""Given the tokens of talks down to the agent's turn, and which talks they are, returns the tokens
that the agent says, the end included."""
WorldName = Literal["environment", "bandit", "markov"]


class Turn(NamedTuple):
    """One turn of the agent.

    Attributes:
        begins: How many tokens of the talk stand before it.
        ends: How many stand before the next reply.
        register: What was done, if it was one thing and one of the registers.
        reward: What it was paid; in points of emotion / 100.
    """

    begins: int
    ends: int
    register: Register | None
    reward: float


class Talk(NamedTuple):
    """A talk that was played."""

    start: Start
    ids: tuple[int, ...]
    turns: tuple[Turn, ...]
    emotion: float
    """At the end, in [0, 100]; of a bandit 100 times the reward."""
    trace: Trace | None = None


class _Table(Protocol):
    """Some talks that are going on together."""

    heard: list[str]
    """What each person has just said."""
    done: list[bool]

    def say(self, texts: Sequence[str]) -> list[tuple[Register | None, float]]:
        """Say something in each talk that is not done; return what it did and was paid."""
        ...

    def emotion(self, seat: int) -> float: ...
    def trace(self, seat: int) -> Trace | None: ...


class World(NamedTuple):
    """Where talks take place.

    Attributes:
        name: "environment", "bandit" or "markov".
        credit: What validation is worth to those who need something else, in [0, 1].
        difficulty: Preset of the users; other worlds than the environment have none.
        thinks: Whether the agent is made to think before it speaks; None: it knows no thoughts.
    """

    name: WorldName = "environment"
    credit: float = 0.0
    difficulty: str = "moderate"
    thinks: bool | None = None

    @property
    def cue(self) -> tuple[int, ...]:
        """What is put before each turn of the agent: the mark that makes it think, or speak."""
        return () if self.thinks is None else (think() if self.thinks else say(),)

    @property
    def informed(self) -> int:
        """The first turn, counted from 0, in which the need is known."""
        return 1 if self.name == "environment" else 0

    @property
    def goal(self) -> float:
        """Final emotion that counts as success.

        In the bandit the need was met, in the environment whenever it was known. With people of
        five moods it was met on balance twice in three turns, or the safe alternative was lucky.
        """
        return {"environment": 50.0, "bandit": 100.0, "markov": 75.0}[self.name]

    def opened(self, starts: Sequence[Start], members: Sequence[int]) -> _Table:
        """Return the talks that begin so."""
        if self.name == "bandit":
            return _Bandit(starts, self.credit)
        if self.name == "markov":
            return _Markov(starts, members, self.credit)
        return _Environment(starts, members, self)


def play(
    world: World, starts: Sequence[Start], policy: Policy, *, members: Sequence[int] | None = None
) -> list[Talk]:
    """Play a talk from each start to its end.

    Args:
        world: Where.
        starts: One for each talk; groups repeat theirs.
        policy: Who speaks.
        members: Number of each talk within its group.
    """
    table = world.opened(starts, members or [0] * len(starts))
    ids = [opened(heard) for heard in table.heard]
    turns: list[list[Turn]] = [[] for _ in starts]
    while not all(table.done):
        seats = [seat for seat, done in enumerate(table.done) if not done]
        texts = [""] * len(starts)
        for seat in seats:
            ids[seat] += world.cue
        begins = [len(one) for one in ids]
        for seat, words in zip(seats, policy([ids[seat] for seat in seats], seats), strict=True):
            ids[seat] += words
            texts[seat] = decoded(spoken([*world.cue, *words]))
        came = table.say(texts)
        for seat in seats:
            turns[seat].append(Turn(begins[seat], len(ids[seat]), *came[seat]))
            if not table.done[seat]:
                ids[seat] += answered(table.heard[seat])
    return [
        Talk(start, tuple(ids[n]), tuple(turns[n]), table.emotion(n), table.trace(n))
        for n, start in enumerate(starts)
    ]


class _Bandit:
    """One turn each; the need is known, and paid by a table."""

    def __init__(self, starts: Sequence[Start], credit: float):
        self._starts, self._credit = starts, credit
        self._paid = [0.0] * len(starts)
        self.heard = list(map(asked, starts))
        self.done = [False] * len(starts)

    def say(self, texts: Sequence[str]) -> list[tuple[Register | None, float]]:
        found: list[Register | None] = [
            register_of(text, one.slots) for text, one in zip(texts, self._starts, strict=True)
        ]
        self._paid = [
            worth(one.need, register, self._credit)
            for one, register in zip(self._starts, found, strict=True)
        ]
        self.done = [True] * len(self.done)
        return list(zip(found, self._paid, strict=True))

    def emotion(self, seat: int) -> float:
        return 100.0 * self._paid[seat]

    def trace(self, seat: int) -> Trace | None:
        return None


class _Markov:
    """Three turns with people who have moods and nothing else."""

    def __init__(self, starts: Sequence[Start], members: Sequence[int], credit: float):
        self._starts, self._credit = starts, credit
        self._members, self._turn = members, 0
        self._moods = [FIRST] * len(starts)
        self.heard = list(map(asked, starts))
        self.done = [False] * len(starts)

    def say(self, texts: Sequence[str]) -> list[tuple[Register | None, float]]:
        self._turn += 1
        found: list[tuple[Register | None, float]] = []
        for seat, (text, one) in enumerate(zip(texts, self._starts, strict=True)):
            register, before = register_of(text, one.slots), self._moods[seat]
            chances = moved(before, worth(one.need, register, self._credit))
            dice = draw(one.seed, self._turn, self._members[seat], "mood")
            reached = zip(chances, accumulate(chances.values()), strict=True)
            self._moods[seat] = next((mood for mood, below in reached if dice < below), before)
            found.append((register, (MOODS[self._moods[seat]] - MOODS[before]) / 100))
        self.heard = list(map(line, self._moods))
        self.done = [self._turn == TURNS] * len(self.done)
        return found

    def emotion(self, seat: int) -> float:
        return MOODS[self._moods[seat]]

    def trace(self, seat: int) -> Trace | None:
        return None


_ACTS: Final = frozenset(REGISTERS)


class _Environment:
    """Seats of `gym.make_vec`."""

    def __init__(self, starts: Sequence[Start], members: Sequence[int], world: World):
        built = [
            replace(
                scenario(start, credit=world.credit, difficulty=world.difficulty), member=member
            )
            for start, member in zip(starts, members, strict=True)
        ]
        self._envs: Any = gym.make_vec(
            "EmpathyEnv/Support-v0",
            num_envs=len(starts),
            persona=built[0].persona,
            protocol=built[0].protocol,
            reward="delta",
            max_turns=TURNS,
        )
        self._envs.reset(options={"scenarios": built})
        self._look()

    def _look(self) -> None:
        episodes = self._envs.unwrapped.episodes
        self.heard = [episode.utterance for episode in episodes]
        self.done = [episode.done for episode in episodes]

    def say(self, texts: Sequence[str]) -> list[tuple[Register | None, float]]:
        _, rewards, *_ = self._envs.step(list(texts))
        self._look()
        traces = [episode.trace for episode in self._envs.unwrapped.episodes]
        return [(_done(one), float(paid)) for one, paid in zip(traces, rewards, strict=True)]

    def emotion(self, seat: int) -> float:
        return final_emotion(self._envs.unwrapped.episodes[seat].trace)

    def trace(self, seat: int) -> Trace | None:
        return self._envs.unwrapped.episodes[seat].trace


def _done(trace: Trace) -> Register | None:
    """Return the register of the last turn, as it was appraised."""
    found = [(each.act, each.about) for each in trace.turns[-1].evidence]
    if len(found) != 1 or found[0][0] not in _ACTS:
        return None
    act, about = found[0]
    return None if act == TARGET and about != "other_person" else cast("Register", act)
