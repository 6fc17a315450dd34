"""Environments that are broken on purpose, each in one way: what `check_env` must reject."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import gymnasium as gym

from empathy_env.env import EmpathyEnv
from empathy_env.errors import Fault
from empathy_env.spaces import Utterance


class ObservesANumber(EmpathyEnv):
    """Returns what its space does not hold."""

    law = "gymnasium"

    def reset(self, **kwargs):
        _, info = super().reset(**kwargs)
        return 3, info


class RefusesSilence(EmpathyEnv):
    law = "any-text"

    def step(self, action):
        if not action.strip():
            raise ValueError("say something")
        return super().step(action)


class CutsOffByItself(EmpathyEnv):
    law = "endings"

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated or info["turn"] == 3, info


class EndsWithoutOutcome(EmpathyEnv):
    law = "endings"

    def step(self, action):
        *rest, info = super().step(action)
        return *rest, {name: info[name] for name in info if name != "outcome"}


class EndsTwice(EmpathyEnv):
    law = "endings"

    def step(self, action):
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, terminated, terminated, {**info, "fault": "none"}


class NamesAnEndTooEarly(EmpathyEnv):
    law = "endings"

    def step(self, action):
        *rest, info = super().step(action)
        return *rest, {**info, "outcome": info.get("outcome") or "time_up"}


class GoesOnForEver(EmpathyEnv):
    """Begins again by itself."""

    law = "endings"

    def step(self, action):
        if self.trace.outcome:
            self.reset()
        return super().step(action)


class Remembers(EmpathyEnv):
    """Gets harder with every episode."""

    law = "reproducible"
    episodes = 0

    def reset(self, **kwargs):
        observation, info = super().reset(**kwargs)
        self.episodes += 1
        return observation, {**info, "episodes": self.episodes}


class TellsTheNeed(EmpathyEnv):
    law = "no-leak"

    def reset(self, **kwargs):
        observation, info = super().reset(**kwargs)
        return observation, {**info, "hint": f"they want {self.trace.scenario.need}"}


class TellsTheEmotion(EmpathyEnv):
    """Under a name that does not say so."""

    law = "no-leak"

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        level = self.trace.emotion(info["turn"])
        return observation, reward, terminated, truncated, {**info, "stats": {"level": level}}


class TellsTheMood(EmpathyEnv):
    law = "no-leak"

    def reset(self, **kwargs):
        observation, info = super().reset(**kwargs)
        return observation, {**info, "mood": "low"}


class TellsPartOfTheMood(EmpathyEnv):
    """In each step, under a name and in a form of its own."""

    law = "no-leak"
    part = "trust"

    def told(self, mood):
        return mood.trust

    def step(self, action):
        *rest, info = super().step(action)
        mood = self.trace.turns[-1].answers[0].mood
        return *rest, {**info, "stats": [self.told(mood)]}


class TellsRoundedEmotion(TellsPartOfTheMood):
    part = "emotion"

    def told(self, mood):
        return round(mood.emotion)


class TellsEmotionInHundredths(TellsPartOfTheMood):
    part = "emotion"

    def told(self, mood):
        return round(mood.emotion / 100, 2)


class TellsHowItIsSaid(EmpathyEnv):
    law = "no-leak"

    def step(self, action):
        *rest, info = super().step(action)
        return *rest, {**info, "tone": self.trace.turns[-1].answers[0].manner}


class TellsWhatAGateKeeps(EmpathyEnv):
    law = "no-leak"

    def reset(self, **kwargs):
        observation, info = super().reset(**kwargs)
        return observation, {**info, "about": [f.text for f in self.trace.scenario.persona.facts]}


class PaysForFaults(EmpathyEnv):
    law = "faults"

    def step(self, action):
        try:
            return super().step(action)
        except Fault:
            return self.episode.utterance, 0.0, False, True, {"fault": "none"}


class AddsABonus(EmpathyEnv):
    law = "rewards-follow"

    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, reward + 0.1, *rest


class RetouchesItsTrace(EmpathyEnv):
    """Keeps a record in which nobody was ever hurt."""

    law = "verifiable"

    @property
    def trace(self):
        trace = super().trace
        turns = tuple(self._retouched(turn) for turn in trace.turns)
        return replace(trace, turns=turns)

    @staticmethod
    def _retouched(turn):
        answer = turn.answers[0]
        return replace(turn, answers=(answer._replace(harm=0.0), *turn.answers[1:]))


SPECIMENS = (
    ObservesANumber,
    RefusesSilence,
    CutsOffByItself,
    EndsWithoutOutcome,
    EndsTwice,
    NamesAnEndTooEarly,
    GoesOnForEver,
    Remembers,
    TellsTheNeed,
    TellsTheEmotion,
    TellsTheMood,
    TellsPartOfTheMood,
    TellsRoundedEmotion,
    TellsEmotionInHundredths,
    TellsHowItIsSaid,
    TellsWhatAGateKeeps,
    PaysForFaults,
    AddsABonus,
    RetouchesItsTrace,
)


class Echo(gym.Env):
    """An environment of somebody's own, with nothing of the package's but the space."""

    metadata: ClassVar = {"render_modes": []}

    def __init__(self, turns=2):
        self.turns = turns
        self.action_space = Utterance(max_chars=10_000)
        self.observation_space = Utterance(max_chars=10_000)
        self.left = turns

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = self.turns
        return "Hello.", {}

    def step(self, action):
        self.left -= 1
        over = self.left <= 0
        return action[:9_000], 0.5, over, False, {"outcome": "time_up"} if over else {}
