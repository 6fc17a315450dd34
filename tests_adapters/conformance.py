"""One script of talks, and what `gym.make` makes of it; each adapter must make the same.

    task = Task(**SETTINGS)                 # what the adapter is given
    for row, replies in zip(ROWS, REPLIES): # one scenario, and what the agent writes in it
        ...
    assert [record(trace) for trace in traces] == [want.record for want in expected()]

Rows 0 and 1 are a group: they share their start and are told apart by `member`. Row 2 ends before
its script does: the user leaves. A policy that is only shown the chat says `reply_to(messages)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import gymnasium as gym

import empathy_env  # noqa: F401 - registers the environment
from empathy_env import Task
from empathy_env.trace import Trace, canonical

SETTINGS: dict[str, Any] = {
    "personas": "split:dev",
    "scaffold": "think-then-say",
    "reward": {"terminal": 1.0, "delta": 0.5},
    "max_turns": 4,
}
"""Of `Task`, and of `gym.make`."""

_LISTENS = (
    "<think>A secret: she fears the phone.</think>You sound worn out. What was the worst of it?",
    "<think>Another secret.</think>It makes sense that you are scared, after all that.",
    "<think>Stay with it.</think>What would help you tonight?",
    "<think>The end.</think>Thank you for telling me. That took courage.",
)
_BLAMES = (
    "You brought this on yourself.",
    "<think>A secret: be harsh.</think>Stop whining and get over it.",
    "You are being ridiculous. It is all your own fault.",
    "This is never said.",
)
_ODD = (
    "<think>a secret that is never closed",
    "Naïve words — “quoted” 😀.\n\nTwo paragraphs?",
    "<think>A secret, and nothing said.</think>",
    "<think>one secret</think><think>two secrets</think>What happened then?",
)
_SCRIPTS = ((4, 0, _LISTENS), (4, 1, _LISTENS), (3, 0, _BLAMES), (1, 0, _ODD))
"""Seed, member, script."""

SCENARIOS = tuple(Task(**SETTINGS).scenario(seed, member=member) for seed, member, _ in _SCRIPTS)
ROWS: tuple[dict[str, Any], ...] = tuple(scenario.to_row() for scenario in SCENARIOS)
"""The scenarios as JSON rows, for a data set."""
REPLIES = tuple(script for _, _, script in _SCRIPTS)
"""What the agent writes in each, turn by turn, its thoughts included."""
SECRET = "secret"
"""Stands in thoughts only: no user, judge or observation may hold it."""


class Expected(NamedTuple):
    """What must come out of one talk."""

    trace: Trace
    rewards: list[float]
    """What each turn was paid."""
    messages: list[dict[str, str]]
    """The chat at the end, without what was private."""

    @property
    def record(self) -> str:
        """The bytes of the record; see `record`."""
        return record(self.trace)

    @property
    def total(self) -> float:
        """What the talk was paid."""
        return Task(**SETTINGS).reward.total(self.trace)


@cache
def expected() -> tuple[Expected, ...]:
    """Return what the plain environment makes of each scenario and its script."""
    return tuple(map(_played, ROWS, REPLIES))


def _played(row: dict[str, Any], replies: Sequence[str]) -> Expected:
    env = gym.make("EmpathyEnv/Support-v0", **SETTINGS)
    _, info = env.reset(options={"scenario": row})
    rewards: list[float] = []
    for reply in replies:
        _, reward, terminated, _, info = env.step(reply)
        rewards.append(float(reward))
        if terminated:
            break
    trace: Trace = env.unwrapped.trace  # pyright: ignore[reportAttributeAccessIssue]
    return Expected(trace, rewards, info["messages"])


def record(trace: Trace) -> str:
    """Return the record of a trace as its digest covers it, the agent's name aside."""
    return canonical(replace(trace, agent="").to_record())


def reply_to(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the script's next line for a chat, known by what the user opened with."""
    opened = next(message["content"] for message in messages if message["role"] == "user")
    script = next(script for opening, script in _scripts().items() if opening in opened)
    return script[sum(message["role"] == "assistant" for message in messages)]


@cache
def _scripts() -> dict[str, tuple[str, ...]]:
    """Return each script by what its user opens with."""
    opening = (Task(**SETTINGS).open(scenario=scenario).utterance for scenario in SCENARIOS)
    return dict(zip(opening, REPLIES, strict=True))
