"""SkyRL-gym drives the same talks, pays the same, and hears of no thoughts."""

import asyncio
import json
import re
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import skyrl_gym
from chatml import END, FORGETS, chat_of, encoded, scripted, spans, tokenizer
from conformance import REPLIES, ROWS, SECRET, SETTINGS, expected, record
from failing import CUE, failing_task
from skyrl_gym.envs.registration import deregister, registry
from standins import skyrl as published

from empathy_env import Task, verify
from empathy_env.adapters import skyrl
from empathy_env.errors import InvalidArgument, TimedOut

PAGE = Path(__file__).parents[2] / "docs" / "adapters" / "skyrl.md"
Generator, Config = published()


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


class Engine:
    """What SkyRL's inference engine is to its loop: `say` makes the turn of the tokens so far."""

    def __init__(self, say=scripted, end=END):
        self.say, self.end, self.calls = say, end, []

    async def generate(self, asked, model=None):
        [prompt] = asked["prompt_token_ids"]
        self.calls.append(list(prompt))
        words = self.say(prompt)
        ids = encoded(words + self.end)
        return {
            "responses": [words],
            "response_ids": [ids],
            "stop_reasons": ["stop"],
            "response_logprobs": [[-float(n + 1) for n in range(len(ids))]],
        }

    async def finish_session(self, session_id):
        pass


def config(*lines):
    """Return SkyRL's own config, of lines as they are given to it."""
    return Config.from_cli_overrides(["generator.max_turns=10", *lines])


def generated(rows, engine=None, *lines):
    """Return the samples that SkyRL's own loop makes of rows, all of them together."""
    settings = config("generator.max_input_length=30000", *lines)
    loop = Generator(
        settings.generator, settings.environment.skyrl_gym, engine or Engine(), tokenizer()
    )
    rows = list(rows)
    asked = {
        "prompts": [row["prompt"] for row in rows],
        "env_classes": [row["env_class"] for row in rows],
        "env_extras": [{k: row[k] for k in row if k != "prompt"} for row in rows],
    }
    return asyncio.run(loop.generate(asked, disable_tqdm=True))


def as_rows(scenarios):
    """Return a data set's rows of scenarios."""
    shown = [{"role": "user", "content": "This is not read."}]
    return [
        {"prompt": shown, "env_class": "empathy", "scenario": json.dumps(one)} for one in scenarios
    ]


def test_skyrls_own_loop_masks_what_was_sampled_token_by_token(registered):
    traces = []
    registered(Task(**SETTINGS), on_trace=traces.append)
    made = generated(as_rows(ROWS))
    for number, want in enumerate(expected()):
        raw = [turn.raw for turn in want.trace.turns]
        heard = [m["content"] for m in want.messages[2:-1] if m["role"] == "user"]
        between = [f"\n<|im_start|>user\n{words}{END}\n<|im_start|>assistant\n" for words in heard]
        runs = [(1, words + END) for words in raw]
        for place, words in enumerate(between):
            runs.insert(2 * place + 1, (0, words))
        assert chat_of(made["prompt_token_ids"][number]) == want.messages[:2]
        assert spans(made["response_ids"][number], made["loss_masks"][number]) == runs
        assert not any(SECRET in words for words in between)
        given = [-float(n + 1) for words in raw for n in range(len(encoded(words + END)))]
        kept = [*zip(made["loss_masks"][number], made["rollout_logprobs"][number], strict=True)]
        assert [value for bit, value in kept if bit] == given
        assert {value for bit, value in kept if not bit} <= {0.0}
    assert sorted(map(record, traces)) == sorted(want.record for want in expected())


def test_skyrls_own_loop_pays_each_turn_on_its_last_token(registered):
    registered(Task(**SETTINGS))
    made = generated(as_rows(ROWS))
    for number, want in enumerate(expected()):
        paid, end = [0.0] * len(made["response_ids"][number]), -1
        for turn, reward in zip(want.trace.turns, want.rewards, strict=True):
            end = made["loss_masks"][number].index(1, end + 1) - 1 + len(encoded(turn.raw + END))
            paid[end] = reward
        assert made["rewards"][number] == pytest.approx(paid)
        assert sum(paid) == pytest.approx(want.total)


def test_skyrls_metrics_are_the_means_over_the_talks(registered):
    registered(Task(**SETTINGS))
    metrics = generated(as_rows(ROWS))["rollout_metrics"]
    left = sum(want.trace.outcome == "left" for want in expected()) / len(ROWS)
    turns = sum(len(want.rewards) for want in expected()) / len(ROWS)
    assert metrics["environment/ended_left"] == left > 0
    assert metrics["environment/turns"] == turns


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


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page's files, run one after the other in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page")
    for code in re.findall(
        r"^```text\n(# .+?\.py\n.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S
    ):
        exec(compile(code, str(PAGE), "exec"), module.__dict__)
    return module


def test_the_pages_data_sets_open_talks(page, registered):
    registered(Task(**page.TASK))
    row = json.loads(Path("train.json").read_text("utf-8").splitlines()[0])
    assert len(driven(["How are you?"] * 10, row)[2]) > 1
    assert len(Path("held-out.json").read_text("utf-8").splitlines()) == 64


def lines_of_the_page():
    """Return what the page's command gives to SkyRL's config."""
    command = re.search(
        r"^python main_empathy\.py \\\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S
    )
    return shlex.split(command[1].replace("\\\n", " "))


def test_the_pages_command_is_one_that_skyrls_config_takes():
    made = config(*lines_of_the_page())
    assert (made.environment.env_class, made.generator.n_samples_per_prompt) == ("empathy", 8)
    assert made.data.val_data == ["held-out.json"]
    assert made.trainer.algorithm.loss_reduction == "sequence_mean"
    assert made.generator.max_input_length == 8192
    with pytest.raises(ValueError, match="max_trunes"):
        config("generator.max_trunes=10")


@pytest.mark.parametrize("template", [None, FORGETS])
def test_the_pages_entry_point_trains_on_the_task_and_refuses_a_template(
    page, template, registered, monkeypatch
):
    trained = []

    class Experiment:
        def __init__(self, settings):
            self.settings = settings

        def run(self):
            row = next(skyrl.rows(Task(**page.TASK), [3]))
            trained.append(driven(["How are you?"], row)[1][0])

    def remote(**options):
        return lambda function: SimpleNamespace(remote=function)

    known = {
        "ray": {"remote": remote, "get": lambda result: result},
        "skyrl.train.entrypoints.main_base": {"BasePPOExp": Experiment},
        "skyrl.train.utils": {"validate_cfg": lambda settings: None},
        "skyrl.train.utils.utils": {"initialize_ray": lambda settings: None},
    }
    for name, names in known.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**names))
    tokenizer(*filter(None, [template])).save_pretrained("model")
    lines = [*lines_of_the_page(), "trainer.policy.model.path=model"]
    monkeypatch.setattr(sys, "argv", ["main_empathy.py", *lines])
    if template:
        with pytest.raises(InvalidArgument, match="changes a thought"):
            page.main()
        assert not trained
        return
    page.main()
    assert trained == Task(**page.TASK).open(seed=3).messages[:1]
