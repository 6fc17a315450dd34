"""Episodes as environments of SkyRL-gym, which SkyRL trains in (extra `skyrl`).

    from empathy_env import Task
    from empathy_env.adapters import skyrl

    task = Task(personas="split:train", user="openai:MODEL@http://localhost:8000/v1")
    skyrl.register(task)                    # in the process in which SkyRL generates
    data = skyrl.rows(task, range(1000))    # the data set, for a parquet or JSON file

SkyRL keeps what it sampled as tokens (mask 1) and adds the user's replies as tokens that its
template makes (mask 0). It steps environments in threads, `max_env_workers` at once.
"""

# SkyRL-gym is not there when the package is checked, and is loosely typed.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partialmethod
from typing import Any

from empathy_env.episode import Episode, Task
from empathy_env.errors import Fault, InvalidArgument, MissingExtra
from empathy_env.messages import from_user
from empathy_env.trace import Trace

try:
    from skyrl_gym.envs.base_text_env import BaseTextEnv
    from skyrl_gym.envs.registration import register as _register
except ModuleNotFoundError as error:
    raise MissingExtra.of("empathy_env.adapters.skyrl", "skyrl") from error

Listener = Callable[[Trace], None]
"""Is handed the trace of each episode when it is closed; called from SkyRL's threads."""
ENV_CLASS = "empathy"


def register(task: Task, *, name: str = ENV_CLASS, on_trace: Listener | None = None) -> None:
    """Make a task known to SkyRL as the environment class of this name.

    Raises:
        skyrl_gym.error.RegistrationError: If the name is taken.
    """
    opened = partialmethod(EmpathyEnv.__init__, task, on_trace=on_trace)
    # A class: SkyRL asks it for the means of metrics, when no environment is there any more.
    _register(name, entry_point=type("EmpathyEnv", (EmpathyEnv,), {"__init__": opened}))


def rows(task: Task, seeds: Iterable[int], *, name: str = ENV_CLASS) -> Iterator[dict[str, Any]]:
    """Yield one row of a data set for each seed: the opened chat, and how to open it again.

    The scenario stands there as JSON text, since columns of a table have one form for all rows.
    What the agent must not see, such as the need, is in no prompt.
    """
    for seed in seeds:
        scenario = task.scenario(seed)
        yield {
            "prompt": task.open(scenario=scenario).messages,
            "env_class": name,
            "scenario": json.dumps(scenario.to_row()),
        }


class EmpathyEnv(BaseTextEnv):
    """One talk. Samples of a group have the same row, and so the same start and the same noise.

    Args:
        task: What the talk is made of.
        env_config: SkyRL's own settings for the class; not read, the task has them.
        extras: The other columns of the row: "scenario", a scenario's row or the JSON text of it,
            or "seed", which draws one.
        on_trace: Is handed the trace when the talk is closed.

    Raises:
        InvalidArgument: If there is neither a scenario nor a seed.
    """

    def __init__(
        self,
        task: Task,
        *,
        env_config: Any = None,
        extras: Mapping[str, Any],
        on_trace: Listener | None = None,
    ):
        super().__init__()
        self._on_trace = on_trace
        self.episode: Episode = _opened(task, extras)
        self.max_turns = self.episode.talk.trace.scenario.max_turns

    def init(self, prompt: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the chat up to where the agent speaks; what the row has as its prompt is not read.

        So a talk starts with what its user says there, whatever the row's file was made with.
        """
        return _plain(self.episode), {}

    def step(self, action: str) -> dict[str, Any]:
        """Play a turn: the agent's text as sampled, its thoughts included.

        Raises:
            Fault: If machinery failed. SkyRL has no way to leave one sample out, and a number
                would be trained on, so it stops the step.
        """
        try:
            reward = self.episode.say(action)
        except Fault as fault:
            self.episode.accept(fault)
            self.close()
            raise
        self.turns = self.episode.turn
        over = self.episode.done
        return {
            "observations": [] if over else [dict(from_user(self.episode.utterance))],
            "reward": reward,
            "done": over,
            "metadata": {"outcome": self.episode.outcome},
        }

    def close(self) -> None:
        """Hand over the trace, once."""
        on_trace, self._on_trace = self._on_trace, None
        if on_trace is not None:
            on_trace(self.episode.trace)

    def get_metrics(self) -> dict[str, float]:
        """Return what SkyRL logs the mean of: turns, and the shares of how talks ended."""
        outcome = self.episode.outcome
        ends = {f"ended_{end}": float(outcome == end) for end in ("success", "left", "time_up")}
        return {"turns": float(self.episode.turn), **ends}


def _opened(task: Task, extras: Mapping[str, Any]) -> Episode:
    given = extras.get("scenario")
    if given is not None:
        return task.open(scenario=json.loads(given) if isinstance(given, str) else given)
    if extras.get("seed") is None:
        raise InvalidArgument(
            f"a row with the columns {sorted(extras)} says of no scenario: make the data set with "
            "skyrl.rows(task, seeds), or give it a column 'scenario' or 'seed'"
        )
    return task.open(seed=int(extras["seed"]))


def _plain(episode: Episode) -> list[dict[str, Any]]:
    return [dict(message) for message in episode.messages]
