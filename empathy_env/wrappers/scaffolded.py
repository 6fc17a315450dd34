"""Another scaffold on an environment that has been made already."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from empathy_env.scaffold import Scaffold


class Scaffolded(gym.Wrapper[str, str, str, str]):
    """Have the agent write in another scaffold, from the next reset on.

    The scaffold is part of the kernel, not of this wrapper: it replaces that of the environment
    within, with its part of the system prompt, so that records are those of an environment that was
    made with it. `gym.make_vec` takes `scaffold=` itself.

    Args:
        env: Made by `gym.make("EmpathyEnv/Support-v0")`, wrapped or not.
        scaffold: A name, or a `Scaffold`.

    Raises:
        UnknownName: If no scaffold has the name.
        InvalidArgument: If the reward needs beliefs, and the scaffold asks for none.

    >>> env = gym.make("EmpathyEnv/Support-v0", persona="laid-off-engineer")
    >>> env = Scaffolded(env, "think-then-say")
    >>> _ = env.reset(seed=1)
    >>> _ = env.step("<think>He is ashamed.</think>What was that walk like?")
    >>> env.unwrapped.trace.turns[0].heard
    'What was that walk like?'
    """

    def __init__(self, env: gym.Env[str, str], scaffold: str | Scaffold):
        super().__init__(env)
        inner: Any = env.unwrapped
        inner.task = inner.task.with_scaffold(scaffold)
