"""`check_env` accepts what is sound, wrapped or not, and rejects each broken environment."""

from __future__ import annotations

import gymnasium as gym
import pytest
from specimens_environments import SPECIMENS, AddsABonus, Echo, PaysForFaults, Remembers

import empathy_env
from empathy_env.checks import check_env
from empathy_env.checks.environments import LAWS
from empathy_env.errors import CheckFailed
from empathy_env.wrappers import TranscriptObservation

ID = "EmpathyEnv/Support-v0"
NAMES = tuple(law.name for law in LAWS)


def make(**kwargs):
    return gym.make(ID, **{"persona": "laid-off-engineer", **kwargs})


@pytest.mark.parametrize(
    "env",
    [
        make(),
        make(on_fault="truncate", reward={"delta": 1.0, "terminal": 0.5}),
        make(difficulty="severe", protocol="appraisal-v1-b", max_turns=3),
        TranscriptObservation(make()),
        gym.make(ID, personas="split:dev"),
    ],
    ids=["plain", "truncating", "held-out", "transcript", "many"],
)
def test_the_packages_own_environment_keeps_every_law(env):
    report = check_env(env, examples=2)
    assert report.laws == NAMES
    assert report.notes == ()


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda specimen: specimen.__name__)
def test_a_broken_environment_is_rejected_by_the_law_that_it_breaks(specimen):
    with pytest.raises(CheckFailed) as failed:
        check_env(specimen(persona="laid-off-engineer"))
    assert failed.value.law == specimen.law


def test_every_law_has_a_specimen():
    assert {specimen.law for specimen in SPECIMENS} == set(NAMES)


def test_a_failure_that_is_paid_is_found_with_truncation_as_well():
    with pytest.raises(CheckFailed, match="paid 0: NaN is its value"):
        check_env(PaysZero(persona="laid-off-engineer", on_fault="truncate"), laws=["faults"])


class PaysZero(PaysForFaults):
    def step(self, action):
        observation, reward, *rest = empathy_env.EmpathyEnv.step(self, action)
        return observation, reward if reward == reward else 0.0, *rest


def test_the_talk_that_shows_it_is_printed():
    with pytest.raises(CheckFailed) as failed:
        check_env(AddsABonus(persona="laid-off-engineer"), laws=["rewards-follow"])
    assert "turn 1 was paid 0.1, but 0 follows" in str(failed.value)
    assert "agent: Go on." in failed.value.dialogue


def test_hidden_state_that_is_shown_on_purpose_is_noted():
    report = check_env(make(expose_latent=True), laws=["no-leak"])
    assert report.laws == ()
    assert "expose_latent" in report.notes[0]


def test_an_environment_of_somebodys_own_is_checked_as_far_as_it_goes():
    report = check_env(Echo())
    assert report.laws == ("gymnasium", "any-text", "endings", "reproducible", "no-leak")
    assert [note.split(":")[0] for note in report.notes] == [
        "faults",
        "rewards-follow",
        "verifiable",
    ]


def test_a_talk_of_somebodys_own_that_never_ends_is_found():
    with pytest.raises(CheckFailed, match="has not ended after 1001 turns"):
        check_env(Echo(turns=10_000), laws=["endings"])


def test_the_environment_is_left_as_it_was():
    env = make()
    task = env.unwrapped.task
    check_env(env, laws=["faults"])
    assert env.unwrapped.task is task
    env.reset(seed=1)
    assert env.step("Go on.")[1] == 0.0


def test_what_an_episode_leaves_behind_is_shown_with_the_seed():
    with pytest.raises(CheckFailed, match="with seed 0 the same talk was played twice"):
        check_env(Remembers(persona="new-mother"), laws=["reproducible"])
