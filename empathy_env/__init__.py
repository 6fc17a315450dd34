"""A Gymnasium environment for reinforcement learning on empathy.

Importing this registers `EmpathyEnv/Support-v0`, and `EmpathyEnv/Circle-v0` for several people. The
names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from gymnasium.envs.registration import register  # pyright: ignore[reportUnknownVariableType]

if TYPE_CHECKING:
    from empathy_env.agents import Agent as Agent
    from empathy_env.agents import load_agent as load_agent
    from empathy_env.cast import Cast as Cast
    from empathy_env.cast import load_cast as load_cast
    from empathy_env.difficulty import Difficulty as Difficulty
    from empathy_env.env import EmpathyEnv as EmpathyEnv
    from empathy_env.episode import Episode as Episode
    from empathy_env.episode import Task as Task
    from empathy_env.errors import EmpathyEnvError as EmpathyEnvError
    from empathy_env.errors import Fault as Fault
    from empathy_env.library import load_cells as load_cells
    from empathy_env.library import load_persona as load_persona
    from empathy_env.library import load_personas as load_personas
    from empathy_env.persona import Persona as Persona
    from empathy_env.reward import Reward as Reward
    from empathy_env.reward import load_reward as load_reward
    from empathy_env.rollout import play as play
    from empathy_env.rollout import rollouts as rollouts
    from empathy_env.scenario import Scenario as Scenario
    from empathy_env.trace import Trace as Trace
    from empathy_env.trace import read_traces as read_traces
    from empathy_env.trace import write_traces as write_traces
    from empathy_env.vector import EmpathyVectorEnv as EmpathyVectorEnv
    from empathy_env.verification import verify as verify

__version__ = "0.1.0"

_HOME: Final = {
    "Agent": "agents",
    "Cast": "cast",
    "Difficulty": "difficulty",
    "EmpathyEnv": "env",
    "EmpathyEnvError": "errors",
    "EmpathyVectorEnv": "vector",
    "Episode": "episode",
    "Fault": "errors",
    "Persona": "persona",
    "Reward": "reward",
    "Scenario": "scenario",
    "Task": "episode",
    "Trace": "trace",
    "load_agent": "agents",
    "load_cast": "cast",
    "load_cells": "library",
    "load_persona": "library",
    "load_personas": "library",
    "load_reward": "reward",
    "play": "rollout",
    "read_traces": "trace",
    "rollouts": "rollout",
    "verify": "verification",
    "write_traces": "trace",
}
"""Where each public name lives."""

__all__ = [
    "Agent",
    "Cast",
    "Difficulty",
    "EmpathyEnv",
    "EmpathyEnvError",
    "EmpathyVectorEnv",
    "Episode",
    "Fault",
    "Persona",
    "Reward",
    "Scenario",
    "Task",
    "Trace",
    "__version__",
    "load_agent",
    "load_cast",
    "load_cells",
    "load_persona",
    "load_personas",
    "load_reward",
    "play",
    "read_traces",
    "rollouts",
    "verify",
    "write_traces",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'empathy_env' has no attribute {name!r}")
    return getattr(import_module(f"empathy_env.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register(
    id="EmpathyEnv/Support-v0",
    entry_point="empathy_env.env:EmpathyEnv",
    vector_entry_point="empathy_env.vector:EmpathyVectorEnv",
)
register(
    id="EmpathyEnv/Circle-v0",
    entry_point="empathy_env.env:EmpathyEnv",
    vector_entry_point="empathy_env.vector:EmpathyVectorEnv",
    kwargs={"cast": "all"},
)
