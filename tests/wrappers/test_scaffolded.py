"""A scaffold that is put on later is as good as one that was there from the start."""

from __future__ import annotations

import gymnasium as gym
import pytest
from gymnasium.wrappers import OrderEnforcing

from empathy_env import Task
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.scaffold import SCAFFOLDS
from empathy_env.wrappers import Scaffolded, TranscriptObservation


def made(**kwargs):
    return gym.make("EmpathyEnv/Support-v0", persona="laid-off-engineer", **kwargs)


def test_the_agent_is_told_of_it_from_the_next_reset_on():
    inner = made()
    _, before = inner.reset(seed=1)
    env = Scaffolded(inner, "plan-reflect-say")
    env.step("What was it like?")
    assert env.unwrapped.trace.setup.scaffold == "plain"
    _, info = env.reset(seed=1)
    prompt = SCAFFOLDS["plan-reflect-say"].prompt
    assert info["messages"][0]["content"] == f"{before['messages'][0]['content']}\n\n{prompt}"
    assert env.unwrapped.trace.setup.scaffold == "plan-reflect-say"


def test_another_one_takes_its_place_and_leaves_nothing_behind():
    env = Scaffolded(Scaffolded(made(), "think-then-say"), "believe-then-say")
    _, info = env.reset(seed=1)
    wanted = Task(persona="laid-off-engineer", scaffold="believe-then-say").system_prompt
    assert info["messages"][0]["content"] == wanted
    _, info = Scaffolded(env, "plain").reset(seed=1)
    assert info["messages"][0]["content"] == Task().system_prompt


def test_ones_own_instructions_stay_and_none_stay_none():
    env = Scaffolded(made(system_prompt="Be kind."), "think-then-say")
    said = env.reset(seed=1)[1]["messages"][0]["content"]
    assert said.startswith("Be kind.\n\n")
    env = Scaffolded(made(system_prompt=None), "think-then-say")
    assert env.reset(seed=1)[1]["messages"][0]["role"] == "user"


def test_it_works_within_and_around_other_wrappers():
    env = TranscriptObservation(Scaffolded(OrderEnforcing(made()), "think-then-say"))
    env.reset(seed=1)
    observation = env.step("<think>zyxwv</think>What was it like?")[0]
    assert "agent: What was it like?" in observation
    assert "zyxwv" not in observation


def test_what_cannot_be_is_refused_and_changes_nothing():
    env = made(reward="belief_need", scaffold="believe-then-say")
    with pytest.raises(InvalidArgument, match="belief_need"):
        Scaffolded(env, "plain")
    with pytest.raises(UnknownName, match="think-then-say"):
        Scaffolded(env, "think-then-sy")
    env.reset(seed=1)
    assert env.unwrapped.trace.setup.scaffold == "believe-then-say"
