"""SkyRL-gym drives the same talks, pays the same, and hears of no thoughts."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import skyrl_gym
from conformance import REPLIES, ROWS, SECRET, SETTINGS, expected, record
from failing import CUE, failing_task
from skyrl_gym.envs.registration import deregister, registry

from empathy_env import Task, verify
from empathy_env.adapters import skyrl
from empathy_env.errors import InvalidArgument, TimedOut

PAGE = Path(__file__).parents[2] / "docs" / "adapters" / "skyrl.md"


@pytest.fixture
def registered():
    """Register tasks under SkyRL's own registry, and take them out again."""
    before = set(registry)
    yield skyrl.register
    for name in set(registry) - before:
        deregister(name)


def driven(replies, extras, name="empathy", prompt=()):
    """Play a talk as `SkyRLGymGenerator.agent_loop` does; return env, chat and steps."""
    env = skyrl_gym.make(name, env_config={}, extras=dict(extras))
    chat, _ = env.init([*prompt])
    steps = []
    for reply in replies:
        steps.append(env.step(reply))
        chat += [{"role": "assistant", "content": reply}, *steps[-1]["observations"]]
        if steps[-1]["done"]:
            break
    env.close()
    return env, chat, steps


def test_the_same_talks_as_through_gym_make(registered):
    traces = []
    registered(Task(**SETTINGS), on_trace=traces.append)
    for row, replies, want in zip(ROWS, REPLIES, expected(), strict=True):
        env, chat, steps = driven(replies, {"scenario": json.dumps(row)})
        assert [step["reward"] for step in steps] == want.rewards
        assert sum(step["reward"] for step in steps) == pytest.approx(want.total)
        assert [step["done"] for step in steps] == [False] * (len(steps) - 1) + [True]
        heard = [message for message in chat if message["role"] != "assistant"]
        assert heard == [m for m in want.messages[:-1] if m["role"] != "assistant"]
        assert not any(SECRET in message["content"] for message in heard)
        assert env.get_metrics()["turns"] == len(want.rewards)
        assert env.get_metrics()[f"ended_{want.trace.outcome}"] == 1.0
    assert [record(trace) for trace in traces] == [want.record for want in expected()]
    assert all(verify(trace).consistent for trace in traces)


def test_what_the_user_says_after_the_end_is_no_observation(registered):
    registered(Task(**SETTINGS))
    env, _, steps = driven(REPLIES[2], {"scenario": ROWS[2]})
    assert steps[-1]["observations"] == []
    assert steps[-1]["metadata"] == {"outcome": "left"}
    assert all(len(step["observations"]) == 1 for step in steps[:-1])
    assert env.episode.utterance not in str(steps)


def test_samples_of_a_group_share_their_start_and_their_noise(registered):
    registered(Task(**SETTINGS))
    [row] = skyrl.rows(Task(**SETTINGS), [4])
    talks = [driven(REPLIES[0], row)[1:] for _ in range(3)]
    assert talks[0] == talks[1] == talks[2]
    [other] = skyrl.rows(Task(**SETTINGS), [5])
    assert driven(REPLIES[0], other)[1] != talks[0][0]


def test_rows_open_the_talk_that_their_prompt_shows_and_hide_the_rest(registered):
    task = Task(**SETTINGS)
    registered(task)
    for seed, row in enumerate(skyrl.rows(task, range(6))):
        assert json.loads(json.dumps(row)) == row
        env, chat, _ = driven([], row, prompt=row["prompt"])
        assert chat == row["prompt"] == task.open(seed=seed).messages
        scenario = env.episode.trace.scenario
        assert scenario == task.scenario(seed)
        assert scenario.need not in str(row["prompt"])


def test_a_seed_alone_draws_a_scenario_and_a_row_without_either_is_refused(registered):
    task = Task(**SETTINGS)
    registered(task)
    assert driven([], {"seed": 9, "max_turns": 1})[1] == task.open(seed=9).messages
    with pytest.raises(InvalidArgument, match="'scenario' or 'seed'"):
        driven([], {"data_source": "talks"})


def test_a_fault_is_no_reward_it_stops_the_step_and_is_on_record(registered):
    traces = []
    registered(failing_task(max_turns=4), on_trace=traces.append)
    env = skyrl_gym.make("empathy", env_config={}, extras={"seed": 1})
    env.init([])
    env.step("What happened?")
    with pytest.raises(TimedOut):
        env.step(CUE)
    env.close()
    [trace] = traces
    assert trace.fault["type"] == "TimedOut"
    assert len(trace.turns) == 1


def test_talks_in_threads_are_those_that_are_played_alone(registered):
    task = failing_task(max_turns=3)  # a model plays the user
    registered(task)
    lines = ["How was it?", "And then?", "What else?"]
    alone = [driven(lines, {"seed": seed})[1] for seed in range(12)]
    with ThreadPoolExecutor(12) as threads:
        together = threads.map(lambda seed: driven(lines, {"seed": seed})[1], range(12))
        assert list(together) == alone


def test_a_name_that_is_taken_is_refused(registered):
    registered(Task(**SETTINGS), name="two")
    with pytest.raises(skyrl_gym.error.RegistrationError):
        registered(Task(**SETTINGS), name="two")


def test_the_code_of_the_page_runs(tmp_path, monkeypatch, registered):
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"^```text\n(# .+?\.py\n.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    module = ModuleType("page")
    for text in code:
        exec(compile(text, str(PAGE), "exec"), module.__dict__)
    registered(Task(**module.TASK))
    row = json.loads((tmp_path / "train.json").read_text("utf-8").splitlines()[0])
    assert len(driven(["How are you?"] * 10, row)[2]) > 1
    held_out = (tmp_path / "held-out.json").read_text("utf-8")
    assert len(held_out.splitlines()) == 64
