"""Circles as PettingZoo environments: supporters and people in one room, each a seat.

`parallel_env` lets all policies act at once, `env` and `raw_env` one after the other. Which seats
are policies is free: supporters, the people themselves, or all of them. docs/zoo.md explains it.

>>> from empathy_env import zoo
>>> env = zoo.parallel_env(cast="couple-after-quarrel")
>>> observations, infos = env.reset(seed=1)
>>> env.agents, sorted(observations["supporter_0"])
(['supporter_0'], ['speaker', 'text'])
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from pettingzoo.utils import (  # pyright: ignore[reportMissingTypeStubs]
    OrderEnforcingWrapper,
)

from empathy_env.zoo.parallel import CircleParallelEnv
from empathy_env.zoo.turns import CircleAECEnv
from empathy_env.zoo.view import Observation

__all__ = ["CircleAECEnv", "CircleParallelEnv", "Observation", "env", "parallel_env", "raw_env"]

Arguments = ParamSpec("Arguments")


def _ordered(
    make: Callable[Arguments, CircleAECEnv],
) -> Callable[Arguments, OrderEnforcingWrapper[str, Observation, str | None]]:
    """Return the same with PettingZoo's check of the order of calls around it.

    Its check of bounds is left out: text that is too long is cut by rule, and never refused.
    """

    @wraps(make, updated=())
    def made(
        *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> OrderEnforcingWrapper[str, Observation, str | None]:
        return OrderEnforcingWrapper(make(*args, **kwargs))

    return made


raw_env = CircleAECEnv
parallel_env = CircleParallelEnv
env = _ordered(raw_env)
