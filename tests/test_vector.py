"""Many talks at once."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from parts import AskingSpeaker

from empathy_env.backends import ScriptedBackend
from empathy_env.errors import BackendFault, EpisodeOver, InvalidArgument, RewardError

ID = "EmpathyEnv/Support-v0"


def make(num_envs=4, **kwargs):
    kwargs.setdefault("persona", "laid-off-engineer")
    return gym.make_vec(ID, num_envs=num_envs, **kwargs)


def test_shapes_spaces_and_masks():
    envs = make(3)
    observations, infos = envs.reset(seed=1)
    assert len(observations) == 3
    assert envs.observation_space.contains(observations)
    assert envs.action_space.contains(tuple(envs.action_space.sample()))
    observations, rewards, terminated, truncated, infos = envs.step(["Go on."] * 3)
    assert rewards.dtype == np.float64
    assert terminated.dtype == truncated.dtype == np.bool_
    assert infos["turn"].tolist() == [1, 1, 1]
    assert infos["_turn"].all()
    assert infos["messages"][2][-1]["content"] == observations[2]


def test_seeds_by_seat():
    envs = make(4, persona=None, personas="all")
    envs.reset(seed=100)
    assert [e.trace.scenario.seed for e in envs.unwrapped.episodes] == [100, 101, 102, 103]
    envs.reset(seed=[5, 5, 6, None])
    assert [e.trace.scenario.seed for e in envs.unwrapped.episodes][:3] == [5, 5, 6]


def test_groups_share_their_start():
    envs = make(6, persona=None, personas="all", group_size=3)
    envs.reset(seed=7)
    scenarios = [episode.trace.scenario for episode in envs.unwrapped.episodes]
    assert [scenario.seed for scenario in scenarios] == [7, 7, 7, 8, 8, 8]
    assert [scenario.member for scenario in scenarios] == [0, 1, 2, 0, 1, 2]
    assert len({scenario.episode_id for scenario in scenarios}) == 6
    envs.reset()
    drawn = [episode.trace.scenario.seed for episode in envs.unwrapped.episodes]
    assert drawn[0] == drawn[2] != drawn[3] == drawn[5]


def test_a_finished_seat_ignores_its_action_and_keeps_its_flags():
    asked = []

    def answer(request):
        asked.append(request)
        return "Mm."

    envs = make(2, appraiser="rules", speaker=AskingSpeaker(), user=ScriptedBackend(answer))
    envs.reset(seed=1)
    envs.step(["I have to go now. Goodbye.", "Go on."])
    assert envs.unwrapped.active.tolist() == [False, True]
    asked.clear()
    before = envs.unwrapped.episodes[0].trace
    _, rewards, terminated, truncated, infos = envs.step(["You sound sad.", "Go on."])
    assert len(asked) == 1
    assert rewards[0] == 0.0
    assert terminated.tolist() == [True, False]
    assert not truncated.any()
    assert infos["outcome"][0] == "left"
    assert infos["_outcome"].tolist() == [True, False]
    assert envs.unwrapped.episodes[0].trace == before


def test_reset_mask_opens_the_masked_seats_only():
    envs = make(3, max_turns=2)
    envs.reset(seed=1)
    envs.step(["I have to go now. Goodbye.", "Go on.", "Go on."])
    going = envs.unwrapped.episodes[1]
    _, infos = envs.reset(options={"reset_mask": np.array([True, False, False])})
    assert envs.unwrapped.active.all()
    assert envs.unwrapped.episodes[1] is going
    assert infos["_turn"].tolist() == [True, False, False]
    *_, terminated, _, _ = envs.step(["Go on."] * 3)
    assert terminated.tolist() == [False, True, True]


def test_next_step_autoreset():
    envs = make(2, max_turns=1, autoreset_mode=AutoresetMode.NEXT_STEP)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    envs.reset(seed=1)
    first = envs.step(["Go on."] * 2)
    assert first[2].all()
    _, rewards, terminated, truncated, infos = envs.step(["ignored"] * 2)
    assert not terminated.any()
    assert not truncated.any()
    assert rewards.tolist() == [0.0, 0.0]
    assert infos["turn"].tolist() == [0, 0]
    assert envs.step(["Go on."] * 2)[2].all()


@pytest.mark.parametrize("mode", [AutoresetMode.DISABLED, AutoresetMode.NEXT_STEP])
def test_record_episode_statistics_works(mode):
    envs = RecordEpisodeStatistics(make(2, max_turns=3, reward="delta", autoreset_mode=mode))
    envs.reset(seed=1)
    for _ in range(3):
        _, _, terminated, _, infos = envs.step(["Go on, I'm listening."] * 2)
    assert terminated.all()
    assert infos["episode"]["l"].tolist() == [3, 3]
    totals = [e.trace.emotion(3) / 100 - 0.4 for e in envs.unwrapped.episodes]
    assert infos["episode"]["r"] == pytest.approx(totals)


def test_record_episode_statistics_with_talks_that_end_apart():
    envs = RecordEpisodeStatistics(make(2, max_turns=3))
    envs.reset(seed=1)
    *_, infos = envs.step(["I have to go now. Goodbye.", "Go on."])
    assert infos["episode"]["l"].tolist() == [1, 0]
    assert infos["_episode"].tolist() == [True, False]
    envs.step(["", "Go on."])
    *_, infos = envs.step(["", "Go on."])
    assert infos["episode"]["l"][1] == 3


def test_a_fault_truncates_its_own_seat_only():
    def sometimes(request):
        if "FAIL" in request.messages[-1]["content"] or state["fail"].pop(0):
            raise BackendFault("down")
        return "Mm."

    state = {"fail": [True, False, False]}
    envs = make(3, appraiser="rules", speaker=AskingSpeaker(), user=ScriptedBackend(sometimes))
    envs.reset(seed=1)
    _, rewards, terminated, truncated, infos = envs.step(["Go on."] * 3)
    assert math.isnan(rewards[0])
    assert rewards[1:].tolist() == [0.0, 0.0]
    assert truncated.tolist() == [True, False, False]
    assert not terminated.any()
    assert infos["valid_for_training"].tolist() == [False, False, False]
    assert infos["_valid_for_training"].tolist() == [True, False, False]
    assert "down" in infos["fault"][0]
    assert envs.unwrapped.active.tolist() == [False, True, True]


def test_snapshots_restore_each_seat():
    envs = make(2)
    envs.reset(seed=1)
    envs.step(["What was it like?", "Go on."])
    kept = envs.unwrapped.snapshots()
    expected = envs.step(["Go on."] * 2)[0]
    envs.reset(options={"states": kept})
    assert envs.step(["Go on."] * 2)[0] == expected


def test_latent_is_exposed_on_request():
    envs = make(2, expose_latent=True)
    _, infos = envs.reset(seed=1)
    assert infos["latent"][1]["emotion"] == 40.0
    assert "latent" not in make(2).reset(seed=1)[1]


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"num_envs": 4, "group_size": 3}, "group_size=3"),
        ({"num_envs": 0}, "num_envs=0"),
        ({"num_envs": 2, "autoreset_mode": AutoresetMode.SAME_STEP}, "SAME_STEP"),
    ],
)
def test_bad_arguments_are_refused(kwargs, words):
    with pytest.raises(InvalidArgument, match=words):
        make(**kwargs)


def test_bad_calls_are_refused():
    envs = make(2)
    with pytest.raises(EpisodeOver):
        envs.step(["Go on."] * 2)
    with pytest.raises(InvalidArgument, match="first reset"):
        envs.reset(options={"reset_mask": [True, False]})
    envs.reset(seed=1)
    with pytest.raises(InvalidArgument, match="2 actions"):
        envs.step(["Go on."])
    with pytest.raises(InvalidArgument, match="3 entries"):
        envs.reset(seed=[1, 2, 3])
    with pytest.raises(InvalidArgument, match="reset_mask"):
        envs.reset(options={"reset_mask": [True]})
    with pytest.raises(InvalidArgument, match="scenarios"):
        envs.reset(options={"scenarios": []})
    with pytest.raises(InvalidArgument, match="states"):
        envs.reset(options={"state": []})


def test_render_gives_each_talk():
    envs = make(2, render_mode="ansi")
    envs.reset(seed=1)
    assert all(text.startswith("user: ") for text in envs.render())


def test_max_episode_steps_is_refused_with_the_fix():
    with pytest.raises(InvalidArgument, match="max_turns"):
        make(max_episode_steps=5)


def test_groups_stay_together():
    envs = make(4, group_size=2, persona=None, personas="all")
    with pytest.raises(InvalidArgument, match="within a group"):
        envs.reset(seed=[1, 2, 3, 3])
    envs.reset(seed=[None] * 4)
    drawn = [episode.trace.scenario.seed for episode in envs.unwrapped.episodes]
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3]
    with pytest.raises(InvalidArgument, match="within a group"):
        envs.reset(options={"reset_mask": [True, False, False, False]})
    with pytest.raises(InvalidArgument, match="NEXT_STEP"):
        make(4, group_size=2, autoreset_mode=AutoresetMode.NEXT_STEP)


def test_a_group_from_one_snapshot_has_names_of_its_own():
    envs = make(3, group_size=3)
    envs.reset(seed=4)
    envs.step(["Go on."] * 3)
    kept = envs.unwrapped.snapshots()[0]
    envs.reset(options={"states": [kept] * 3})
    assert len({episode.trace.id for episode in envs.unwrapped.episodes}) == 3
    envs.reset(options={"scenarios": [kept.room.scenario.to_row()] * 3})
    assert len({episode.trace.id for episode in envs.unwrapped.episodes}) == 3


def test_a_list_of_seeds_seeds_what_comes_after():
    def later(seed):
        envs = make(2, persona=None, personas="all")
        envs.reset(seed=seed)
        envs.reset()
        return [episode.trace.scenario.seed for episode in envs.unwrapped.episodes]

    assert later([1, 2]) == later([1, 2])
    assert later(np.int64(5)) == later(5)
    for bad in (True, 1.5, [1, 1.5]):
        with pytest.raises(InvalidArgument, match="no integer"):
            later(bad)


def test_a_failing_reward_leaves_no_half_step():
    def sometimes(trace, turn):
        if trace.scenario.seed == 2 and state["fail"]:
            raise ValueError("no")
        return 1.0

    state = {"fail": True}
    envs = make(3, reward=sometimes)
    envs.reset(seed=1)
    with pytest.raises(RewardError):
        envs.step(["Go on."] * 3)
    assert [episode.turn for episode in envs.unwrapped.episodes] == [0, 0, 0]
    state["fail"] = False
    assert envs.step(["Go on."] * 3)[1].tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(InvalidArgument, match="2 are str"):
        envs.step(["Go on.", None, "Go on."])
    assert [episode.turn for episode in envs.unwrapped.episodes] == [1, 1, 1]
