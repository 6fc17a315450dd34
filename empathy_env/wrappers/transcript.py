"""The whole talk as the observation."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from empathy_env.env import OBSERVATION_CHARS, talk_as_text
from empathy_env.spaces import Utterance


class TranscriptObservation(gym.ObservationWrapper[str, str, str]):
    r"""Observe the whole talk so far as text, in lines of "user: ..." and "agent: ...".

    >>> env = TranscriptObservation(gym.make("EmpathyEnv/Support-v0", persona="laid-off-engineer"))
    >>> env.reset(seed=1)[0][:24]
    'user: They gave me a car'
    """

    def __init__(self, env: gym.Env[str, str]):
        super().__init__(env)
        inner: Any = env.unwrapped
        turns = inner.task.max_turns
        longest = (turns + 1) * (OBSERVATION_CHARS + inner.task.max_chars)
        self.observation_space = Utterance(max_chars=longest)

    def observation(self, observation: str) -> str:
        """Return the talk as text."""
        inner: Any = self.env.unwrapped
        return talk_as_text(inner.episode.talk)
