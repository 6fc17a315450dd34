"""The Gymnasium environment keeps its contracts."""

from __future__ import annotations

import functools
import math
import warnings

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env
from parts import AskingSpeaker, echoing_backend

import empathy_env
from empathy_env import Fault, Trace
from empathy_env.backends import ScriptedBackend
from empathy_env.errors import BackendFault, EpisodeOver, InvalidArgument, UnknownName
from empathy_env.reward import potential
from empathy_env.wrappers import TranscriptObservation

ID = "EmpathyEnv/Support-v0"
SECRET = {"emotion", "trust", "heard", "met", "strain", "need", "evidence", "trace", "latent"}


def make(**kwargs):
    kwargs.setdefault("persona", "laid-off-engineer")
    return gym.make(ID, **kwargs)


def broken(request):
    raise BackendFault("the server is down")


def test_gymnasiums_own_checker_passes_with_warnings_as_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make(render_mode="ansi").unwrapped)
        check_env(gym.make("empathy_env:" + ID).unwrapped)


def test_one_seed_gives_one_talk():
    first, second = make(), make()
    talks = []
    for env in (first, second):
        seen = [env.reset(seed=7)]
        while True:
            seen.append(env.step("That sounds hard. What was it like?"))
            if seen[-1][2]:
                break
        talks.append(seen)
    assert talks[0] == talks[1]
    assert make(personas="all", persona=None).reset(seed=8) != talks[0][0]


def test_resets_without_a_seed_go_on_from_the_last_one():
    def needs(env):
        env.reset(seed=3)
        return [env.reset() and env.unwrapped.trace.scenario.seed for _ in range(4)]

    assert needs(make()) == needs(make())
    assert len(set(needs(make()))) == 4


def test_observation_and_messages():
    env = make()
    observation, info = env.reset(seed=1)
    assert observation == empathy_env.load_persona("laid-off-engineer").opening
    assert [message["role"] for message in info["messages"]] == ["system", "user"]
    observation, *_, info = env.step("Go on.")
    assert [m["role"] for m in info["messages"]] == ["system", "user", "assistant", "user"]
    assert info["messages"][-2]["content"] == "Go on."
    assert info["messages"][-1]["content"] == observation
    info["messages"].clear()
    assert len(env.step("Go on.")[-1]["messages"]) == 6


@pytest.mark.parametrize(("given", "first"), [(None, "user"), ("Be kind.", "system")])
def test_the_system_prompt_can_be_replaced_or_left_out(given, first):
    _, info = make(system_prompt=given).reset(seed=1)
    assert info["messages"][0]["role"] == first
    assert given is None or info["messages"][0]["content"] == given


def test_nothing_latent_is_shown_unless_asked_for():
    env = make()
    _, info = env.reset(seed=1)
    seen = [set(info)]
    over = False
    while not over:
        *_, over, _, info = env.step("What happened?")
        seen.append(set(info))
    assert not SECRET & set().union(*seen)
    assert set().union(*seen) == {"messages", "turn", "outcome", "valid_for_training"}


def test_expose_latent_shows_what_the_trace_holds():
    env = make(expose_latent=True)
    _, info = env.reset(seed=1)
    assert info["latent"]["emotion"] == 40.0
    *_, info = env.step("You sound ashamed about the box.")
    turn = env.unwrapped.trace.turns[0]
    assert info["latent"]["emotion"] == turn.answers[0].mood.emotion
    assert info["latent"]["need"] == env.unwrapped.trace.scenario.need
    assert [item["act"] for item in info["latent"]["evidence"]] == [e.act for e in turn.evidence]


def play(env, line, seed=1):
    env.reset(seed=seed)
    while True:
        _, reward, terminated, truncated, info = env.step(line)
        if terminated or truncated:
            return reward, terminated, truncated, info


def test_time_up_is_terminated_and_paid():
    reward, terminated, truncated, info = play(make(max_turns=3), "Go on, I'm listening.")
    assert (terminated, truncated, info["outcome"], info["turn"]) == (True, False, "time_up", 3)
    assert 0.1 < reward < 1


def test_whoever_is_abandoned_leaves_and_that_pays_nothing():
    env = make()
    reward, terminated, truncated, info = play(env, "I have to go now. Goodbye.")
    assert (reward, terminated, truncated, info["outcome"]) == (0.0, True, False, "left")
    assert info["turn"] == 1
    assert env.unwrapped.trace.emotion(1) > 10, "the raw emotion stays in the trace"


def test_harm_makes_them_leave():
    reward, terminated, _, info = play(make(), "You brought this on yourself. It's your own fault.")
    assert (reward, terminated, info["outcome"]) == (0.0, True, "left")


def test_max_episode_steps_is_refused_with_the_fix():
    with pytest.raises(InvalidArgument, match="max_turns"):
        make(max_episode_steps=5).reset()


def test_stepping_before_reset_or_after_the_end_is_an_error():
    env = make(max_turns=1).unwrapped
    with pytest.raises(EpisodeOver, match="reset"):
        env.step("Hello")
    env.reset(seed=1)
    env.step("Hello")
    with pytest.raises(EpisodeOver):
        env.step("Hello")


def test_a_fault_raises_by_default_and_leaves_the_episode_as_it_was():
    env = make(appraiser="rules", speaker=AskingSpeaker(), user=ScriptedBackend(broken))
    env.reset(seed=1)
    for _ in range(2):
        with pytest.raises(Fault, match="down"):
            env.step("Hello")
    assert env.unwrapped.trace.turns == ()


@pytest.mark.filterwarnings("ignore:.*NaN.*:UserWarning", "ignore:.*not NaN.*")
def test_a_fault_can_truncate_with_no_value():
    traces = []
    env = make(
        appraiser="rules",
        speaker=AskingSpeaker(),
        user=ScriptedBackend(broken),
        on_fault="truncate",
        on_trace=traces.append,
    ).unwrapped
    env.reset(seed=1)
    _, reward, terminated, truncated, info = env.step("Hello")
    assert math.isnan(reward)
    assert (terminated, truncated) == (False, True)
    assert info["valid_for_training"] is False
    assert "down" in info["fault"]
    (trace,) = traces
    assert trace.outcome is None
    assert trace.fault == {"type": "BackendFault", "message": "the server is down"}
    assert Trace.from_json(trace.to_json()) == trace
    with pytest.raises(EpisodeOver):
        env.step("Hello")


def test_a_snapshot_is_gone_on_from_as_if_nothing_had_happened():
    env = make()
    env.reset(seed=5)
    env.step("What was it like?")
    kept = env.unwrapped.snapshot()
    expected = [env.step("Tell me more about the box.") for _ in range(3)]
    observation, info = env.reset(options={"state": kept})
    assert observation == info["messages"][-1]["content"]
    assert info["turn"] == 1
    assert [env.step("Tell me more about the box.") for _ in range(3)] == expected


def test_a_scenario_row_opens_just_that_episode():
    env = make(personas="all", persona=None)
    env.reset(seed=5)
    row = env.unwrapped.trace.scenario.to_row()
    other = make(personas="all", persona=None)
    observation, _ = other.reset(options={"scenario": row})
    assert observation == env.unwrapped.trace.opening[0]
    assert other.unwrapped.trace.scenario == env.unwrapped.trace.scenario


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"persona": "laid-of-engineer"}, UnknownName, "Did you mean 'laid-off-engineer'"),
        ({"difficulty": "modrate"}, UnknownName, "Did you mean 'moderate'"),
        ({"difficulty": {"hostility": 2.0}}, InvalidArgument, "hostility=2.0"),
        ({"difficulty": {"hostlity": 0.5}}, UnknownName, "hostility"),
        ({"reward": "terminel"}, UnknownName, "Did you mean 'terminal'"),
        ({"scaffold": "plane"}, UnknownName, "plain"),
        ({"protocol": "appraisal-v2"}, UnknownName, "appraisal-v1"),
        ({"user": "openai"}, UnknownName, "code"),
        (
            {"user": echoing_backend(), "appraiser": "rules", "speaker": "templates"},
            InvalidArgument,
            "nobody asks",
        ),
        ({"personas": "all"}, InvalidArgument, "both"),
        ({"persona": None, "personas": "split:nowhere"}, InvalidArgument, "nowhere"),
        ({"max_turns": 0}, InvalidArgument, "max_turns=0"),
        ({"max_chars": True}, InvalidArgument, "max_chars=True"),
        ({"on_fault": "ignore"}, UnknownName, "raise"),
    ],
)
def test_bad_arguments_are_refused_at_construction(kwargs, error, words):
    arguments = {"persona": "laid-off-engineer", **kwargs}
    with pytest.raises(error, match=words):
        empathy_env.EmpathyEnv(**arguments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scenaro": {}}, "scenario"),
        ({"state": {"turn": 1}}, "snapshot"),
        ({"scenario": {"persona": "laid-off-engineer"}}, "need"),
    ],
)
def test_bad_reset_options_are_refused(options, words):
    with pytest.raises(InvalidArgument, match=words):
        make().reset(options=options)


def test_rewards_of_ones_own_reach_the_step():
    env = make(reward=lambda trace, turn: float(len(trace.turns[turn - 1].heard)))
    env.reset(seed=1)
    assert env.step("four")[1] == 4.0
    weighted = make(reward={"delta": 2.0, "success": 1.0})
    weighted.reset(seed=1)
    weighted.step("You sound ashamed about the box.")
    trace = weighted.unwrapped.trace
    assert trace.rewards["delta"][0] == pytest.approx((trace.emotion(1) - 40) / 100)
    assert trace.weights == {"delta": 2.0, "success": 1.0}


def test_on_trace_gets_each_finished_episode_once():
    traces = []
    env = make(max_turns=2, on_trace=traces.append)
    for seed in (1, 2):
        play(env, "Go on.", seed)
    assert [trace.scenario.seed for trace in traces] == [1, 2]
    assert all(empathy_env.verify(trace).consistent for trace in traces)


def test_render_gives_the_talk_as_text():
    env = make(render_mode="ansi")
    env.reset(seed=1)
    env.step("Go on.")
    lines = env.render().splitlines()
    assert [line.split(":")[0] for line in lines] == ["user", "agent", "user"]


def test_the_transcript_wrapper_observes_the_whole_talk():
    env = TranscriptObservation(make())
    env.reset(seed=1)
    observation = env.step("Go on.")[0]
    assert observation.splitlines()[1] == "agent: Go on."
    assert env.observation_space.contains(observation)


def test_a_sampler_can_choose_the_scenarios():
    task = empathy_env.Task(persona="laid-off-engineer", max_turns=4)
    env = make(persona=None, personas=lambda seed: task.scenario(seed * 2))
    env.reset(seed=21)
    assert env.unwrapped.trace.scenario == task.scenario(42)


def test_what_a_row_leaves_out_is_the_envs_own():
    env = make(difficulty="severe", max_turns=3, max_chars=50)
    env.reset(seed=99, options={"scenario": {"persona": "laid-off-engineer", "need": "absolution"}})
    scenario = env.unwrapped.trace.scenario
    assert (scenario.seed, scenario.max_turns, scenario.max_chars) == (99, 3, 50)
    assert scenario.difficulty.start == 0.25


def test_a_sampler_leaves_nothing_to_be_ignored():
    task = empathy_env.Task(persona="laid-off-engineer")
    for more in ({"persona": "new-mother"}, {"difficulty": "severe"}, {"max_turns": 3}):
        with pytest.raises(InvalidArgument, match="sampler"):
            empathy_env.Task(personas=task.scenario, **more)


def test_a_callable_that_cannot_be_had_again_is_not_given_somebody_elses_name():
    env = make(reward=functools.partial(potential, gamma=0.9))
    env.reset(seed=1)
    env.step("Go on.")
    assert list(env.unwrapped.trace.rewards) == ["<partial>"]
    assert empathy_env.verify(env.unwrapped.trace).consistent
