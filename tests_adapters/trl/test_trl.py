"""TRL plays the same talks, trains on what was sampled and on nothing else, and pays the same."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import re
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
import trl
from chatml import END, TEMPLATE, chat_of, decoded, encoded, scripted, spans, tokenizer
from conformance import ROWS, SCENARIOS, SECRET, SETTINGS, expected, record
from failing import CUE, failing_task
from live import as_user
from policy import TRAINS, model, template, trainer

from empathy_env import Task, verify
from empathy_env.adapters.trl import Talk, rows
from empathy_env.backends import Reply
from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.errors import InvalidArgument
from empathy_env.trace import Trace

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning:transformers", "ignore::FutureWarning:trl"
)
"""What the two libraries have to say of each other."""
PAGE = Path(__file__).parents[2] / "docs" / "adapters" / "trl.md"
DATA = [
    {"prompt": want.messages[:2], "scenario": json.dumps(row)}
    for row, want in zip(ROWS, expected(), strict=True)
]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")


class Seen:
    """A reward function that pays nothing and keeps what it is given."""

    __name__ = "seen"

    def __call__(self, *, environments, turn_rewards, outcome, **row):
        self.traces = [talk.episode.trace for talk in environments]
        self.turn_rewards, self.outcomes = turn_rewards, outcome
        return [None] * len(environments)


def saying(one, say=scripted, end=END, chances=False):
    """Let the trainer sample what `say` makes of the tokens so far; return what it was asked."""
    asked = []

    def sample(prompts, images, fields, generations):
        assert (images, fields, generations) == (None, {}, 1)
        asked.append([list(prompt) for prompt in prompts])
        turns = [encoded(say(prompt) + end) for prompt in prompts]
        known = [[-float(n + 1) for n in range(len(turn))] for turn in turns]
        return turns, known if chances else None

    one._generate_single_turn = sample
    return asked


def batch_of(one, data=DATA):
    """Return what TRL makes of a batch of rows, to be learnt from."""
    return one._generate_and_score_completions(data)


def completion(batch, place):
    """Return the tokens of a talk and for each whether it counts in the loss."""
    there = batch["completion_mask"][place].bool()
    return (
        batch["completion_ids"][place][there].tolist(),
        batch["tool_mask"][place][there].tolist(),
    )


def test_the_same_talks_as_through_gym_make(tmp_path):
    seen = Seen()
    one = trainer(tmp_path, Task(**SETTINGS), reward_funcs=seen)
    saying(one)
    batch = batch_of(one)
    assert list(map(record, seen.traces)) == [want.record for want in expected()]
    assert all(verify(trace).consistent for trace in seen.traces)
    assert seen.turn_rewards == [want.rewards for want in expected()]
    assert seen.outcomes == [want.trace.outcome for want in expected()]
    paid = [talk.get_reward() for talk in one.environments]
    assert paid == pytest.approx([want.total for want in expected()])
    normal = torch.tensor(paid)
    normal = (normal - normal.mean()) / (normal.std() + 1e-4)
    assert batch["advantages"].tolist() == pytest.approx(normal.tolist(), abs=1e-4)


def test_each_token_that_was_sampled_counts_and_no_other(tmp_path):
    one = trainer(tmp_path, Task(**SETTINGS))
    saying(one)
    batch = batch_of(one)
    for place, want in enumerate(expected()):
        prompt = batch["prompt_ids"][place][batch["prompt_mask"][place].bool()].tolist()
        assert decoded(prompt).endswith("<|im_start|>assistant\n")
        assert chat_of(prompt) == want.messages[:2]
        raw = [turn.raw for turn in want.trace.turns]
        heard = [m["content"] for m in want.messages[:-1] if m["role"] == "user"][1:]
        between = [f"\n<|im_start|>user\n{words}{END}\n<|im_start|>assistant\n" for words in heard]
        runs = [(1, f"{words}{END}") for words in raw]
        for turn, words in enumerate(between):
            runs.insert(2 * turn + 1, (0, words))
        assert spans(*completion(batch, place)) == runs
        assert not any(SECRET in words for words in between)


def test_each_turn_is_sampled_from_the_very_tokens_before_it(tmp_path):
    one = trainer(tmp_path, Task(**SETTINGS))
    asked = saying(one)
    batch_of(one)
    whole = [talk.tokens.ids for talk in one.environments]
    assert [len(prompts) for prompts in asked] == [4, 4, 4, 3]  # the third user has left
    for prompts in asked:
        for prompt in prompts:
            assert any(ids[: len(prompt)] == prompt for ids in whole)


def test_log_probabilities_of_the_sampler_stand_beside_their_tokens(tmp_path):
    one = trainer(tmp_path, Task(**SETTINGS))
    saying(one, chances=True)
    batch = batch_of(one)
    for place, want in enumerate(expected()):
        _, mask = completion(batch, place)
        values = batch["sampling_per_token_logps"][place][: len(mask)].tolist()
        given = [
            -float(n + 1) for turn in want.trace.turns for n in range(len(encoded(turn.raw + END)))
        ]
        assert [value for value, bit in zip(values, mask, strict=True) if bit] == given
        assert {value for value, bit in zip(values, mask, strict=True) if not bit} == {0.0}


@TRAINS
def test_the_trainer_as_it_is_takes_two_steps_and_evaluates(tmp_path):
    seen, traces = Seen(), []

    def keep(**row):
        values = seen(**row)
        traces.append(seen.traces)
        return values

    task = Task(persona="laid-off-engineer", max_turns=2)
    one = trainer(tmp_path, task, range(4), evaluated=[7], max_steps=2, reward_funcs=keep)
    before = [weights.clone() for weights in one.model.parameters()]
    one.train()
    assert len(traces) == 2
    for group in traces:
        assert [trace.scenario.member for trace in group] == [0, 1, 2, 3]
        assert len({trace.scenario.seed for trace in group}) == 1
        assert all(verify(trace).consistent and trace.outcome for trace in group)
    changed = zip(before, one.model.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in changed)
    found = one.evaluate()
    totals = [task.reward.total(trace) for trace in traces[-1]]
    assert found["eval_rewards/Talk/mean"] == pytest.approx(math.fsum(totals) / len(totals))
    assert {trace.scenario.seed for trace in traces[-1]} == {7}


@TRAINS
def test_the_seed_decides_what_is_said(tmp_path):
    def talked(seed):
        seen = Seen()
        task = Task(persona="laid-off-engineer", max_turns=2)
        trainer(tmp_path, task, max_steps=1, seed=seed, reward_funcs=seen).train()
        return list(map(record, seen.traces))

    assert talked(1) == talked(1) != talked(2)


@TRAINS
def test_each_talk_has_one_weight_however_many_turns_it_has(tmp_path):
    lengths = [1, 2, 3, 4]
    data = [row for turns in lengths for row in rows(Task(**{**SETTINGS, "max_turns": turns}), [1])]

    def losses(**more):
        one = trainer(tmp_path, Task(**SETTINGS), **more)
        one.current_gradient_accumulation_steps = 1
        saying(one, lambda ids: "Go on.")
        batch = batch_of(one, data)
        paid = torch.eye(len(data))  # one talk at a time
        return [one.compute_loss(one.model, {**batch, "advantages": row}).item() for row in paid]

    assert losses(loss_type="grpo") == pytest.approx([-1 / 4] * 4, abs=1e-5)
    # What is by default there weighs by tokens.
    assert losses(loss_type="dapo") == pytest.approx([-n / 10 for n in lengths], abs=1e-5)


def test_a_fault_leaves_its_talk_out_and_the_others_as_they_are(tmp_path):
    task = failing_task(personas="split:dev", max_turns=3)
    data = [*rows(task, [1, 2, 3, 4])]
    failing = data[1]["prompt"][1]["content"]

    def say(ids):
        chat = chat_of(ids)
        second = chat[1]["content"] == failing and len(chat) > 3
        return CUE if second else f"What was it like, {len(chat)}?"

    seen = Seen()
    one = trainer(tmp_path, task, reward_funcs=seen)
    saying(one, say)
    batch = batch_of(one, data)
    assert seen.traces[1].fault["type"] == "TimedOut"
    assert seen.outcomes[1] is None
    assert one.environments[1].get_reward() is None
    _, mask = completion(batch, 1)
    assert not any(mask)
    assert batch["advantages"][1] == 0.0
    paid = [one.environments[place].get_reward() for place in (0, 2, 3)]
    normal = torch.tensor(paid)
    normal = (normal - normal.mean()) / (normal.std() + 1e-4)
    found = batch["advantages"][[0, 2, 3]].tolist()
    assert found == pytest.approx(normal.tolist(), abs=1e-3)
    assert all(any(completion(batch, place)[1]) for place in (0, 2, 3))


def test_a_talk_that_does_not_fit_is_left_out(tmp_path):
    whole = trainer(tmp_path, Task(**SETTINGS))
    saying(whole)
    batch_of(whole)
    last = [len(encoded(want.trace.turns[-1].raw + END)) for want in expected()]
    before = [
        len(talk.tokens.completion) - own
        for talk, own in zip(whole.environments, last, strict=True)
    ]
    room = sorted(before)[2] - 1  # there is enough for two of the four, and all but for a third
    turn = max(last)
    limits = {"max_completion_length": room + turn, "generation_kwargs": {"max_new_tokens": turn}}
    seen = Seen()
    one = trainer(tmp_path, Task(**SETTINGS), **limits, reward_funcs=seen)
    saying(one)
    batch = batch_of(one)
    fits = [tokens <= room for tokens in before]
    assert sorted(fits) == [False, False, True, True]
    assert [outcome is not None for outcome in seen.outcomes] == fits
    assert [any(completion(batch, place)[1]) for place in range(4)] == fits
    paid = [talk.get_reward() is not None for talk in one.environments]
    assert paid == fits
    assert batch["completion_ids"].shape[1] <= room + turn


def test_users_answer_together(tmp_path):
    class Meeting(AsyncBackend):
        """Answers nobody before four have asked."""

        name = "meeting"

        def __init__(self):
            self.asked, self.all_here = 0, asyncio.Event()

        async def complete_async(self, request):
            self.asked += 1
            if self.asked == 4:
                self.all_here.set()
            async with asyncio.timeout(20):
                await self.all_here.wait()
            return Reply(as_user(request))

    one = trainer(tmp_path, Task(user=Meeting(), max_turns=2))
    saying(one, lambda ids: "And then?")
    batch_of(one, [*rows(Task(), range(4))])
    assert all(talk.episode.outcome for talk in one.environments)


class Closing(AsyncBackend):
    """Answers, or fails in a way that is no fault of machinery, and says when it is closed."""

    name = "closing"

    def __init__(self, error=None):
        self.error, self.closed = error, 0

    async def complete_async(self, request):
        if self.error is not None:
            raise self.error
        return Reply(as_user(request))

    async def aclose(self):
        self.closed += 1


def test_the_users_backend_is_closed_after_the_talks(tmp_path):
    backend = Closing()
    one = trainer(tmp_path, Task(user=backend, max_turns=1))
    saying(one, lambda ids: "And then?")
    batch_of(one, [*rows(Task(), range(4))])
    assert backend.closed == 1


def test_a_mistake_in_the_users_backend_is_not_taken_for_a_fault(tmp_path):
    one = trainer(tmp_path, Task(user=Closing(ZeroDivisionError("a mistake")), max_turns=1))
    saying(one, lambda ids: "And then?")
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        batch_of(one, [*rows(Task(), range(4))])


def test_of_two_processes_each_samples_as_long_as_the_other_and_numbers_its_own(
    tmp_path, monkeypatch
):
    task = Task(persona="laid-off-engineer", max_turns=2)
    one = trainer(tmp_path, task)
    one.accelerator = SimpleNamespace(process_index=1, num_processes=2)
    one.environments = [Talk(task) for _ in range(4)]
    others = iter([4, 4, 4, 0])  # the other's talks have three turns, and these two
    monkeypatch.setattr(
        "empathy_env.adapters.trl.gather_object", lambda mine: [*mine, next(others)]
    )
    asked = saying(one, lambda ids: "And then?")
    data = [*rows(task, [1])] * 4
    for talk, row in zip(one.environments, data, strict=True):
        talk.reset(**row)
    found = one.rollout_func([row["prompt"] for row in data], one)
    assert [len(prompts) for prompts in asked] == [4, 4, 4]
    assert [talk.episode.trace.scenario.member for talk in one.environments] == [4, 5, 6, 7]
    assert found["outcome"] == ["time_up"] * 4
    assert [len(rewards) for rewards in found["turn_rewards"]] == [2] * 4


def test_it_works_where_a_loop_is_running_as_in_a_notebook(tmp_path):
    one = trainer(tmp_path, Task(**SETTINGS))
    saying(one)

    async def cell():
        batch_of(one)

    asyncio.run(cell())
    assert record(one.environments[0].episode.trace) == expected()[0].record


def test_several_people_at_once(tmp_path):
    task = Task(cast="third-friend", max_turns=2)
    one = trainer(tmp_path, task)
    saying(one, lambda ids: "What was that like for each of you?")
    batch = batch_of(one, [*rows(task, [1, 1, 2, 3])])
    traces = [talk.episode.trace for talk in one.environments]
    assert [len(trace.turns) for trace in traces] == [2] * 4
    assert [trace.scenario.member for trace in traces] == [0, 1, 0, 0]
    words = decoded(completion(batch, 0)[0])
    assert one.environments[0].episode.messages[-3]["content"] in words


@pytest.mark.parametrize("form", ["qwen3.jinja", "qwen3_6.jinja"])
def test_a_template_that_changes_earlier_turns_is_refused_before_anything_is_sampled(
    tmp_path, form
):
    one = trainer(tmp_path, Task(**SETTINGS), form=form)
    asked = saying(one)
    with pytest.raises(InvalidArgument, match="get_training_chat_template"):
        batch_of(one)
    assert not asked


def test_the_template_that_the_refusal_names_is_accepted(tmp_path):
    one = trainer(tmp_path, Task(**SETTINGS), form="qwen3_training.jinja")
    saying(one)
    batch_of(one)
    assert record(one.environments[0].episode.trace) == expected()[0].record


@pytest.mark.parametrize("limits", [None, {}, {"max_new_tokens": 101}])
def test_turns_without_a_limit_of_their_own_are_refused_before_anything_is_sampled(
    tmp_path, limits
):
    more = {"max_completion_length": 400, "generation_kwargs": limits}
    one = trainer(tmp_path, Task(**SETTINGS), **more)
    asked = saying(one)
    with pytest.raises(InvalidArgument, match="'max_new_tokens': 50"):
        batch_of(one)
    assert not asked


def test_another_environment_is_refused(tmp_path):
    one = trainer(tmp_path, Task(**SETTINGS))
    one.environments = None
    with pytest.raises(InvalidArgument, match=r"lambda: Talk\(task\)"):
        one.rollout_func([[]], one)


def test_rows_show_the_opening_and_hide_the_need():
    task = Task(**SETTINGS)
    for seed, row in enumerate(rows(task, range(4))):
        assert row["prompt"] == task.open(seed=seed).messages
        assert json.loads(row["scenario"]) == task.scenario(seed).to_row()
        assert task.scenario(seed).need not in str(row["prompt"])


def test_the_environment_offers_the_agent_no_tool(tmp_path):
    one = trainer(tmp_path, Task(**SETTINGS))
    assert one.tools == []
    assert isinstance(one.environment_factories[None](), Talk)
    assert SCENARIOS[0].need not in str(DATA[0]["prompt"])


def codes():
    """Return the files of the page by their names; the rest are lines of code."""
    text = PAGE.read_text("utf-8")
    assert version("trl") in text
    fences = re.findall(r"^```text\n(.*?)^```$", text, re.M | re.S)
    return {code.split("\n")[0].removeprefix("# "): code for code in fences}


@TRAINS
def test_the_run_of_the_page(tmp_path, monkeypatch):
    known = {field.name for field in dataclasses.fields(trl.GRPOConfig)}
    config, whole = trl.GRPOConfig, trl.GRPOTrainer
    smaller = {
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "num_generations": 2,
        "use_vllm": False,
        "generation_kwargs": {"max_new_tokens": 4},
        "eval_strategy": "no",
        "max_steps": 1,
        "use_cpu": True,
        "disable_tqdm": True,
    }

    def made(**settings):
        assert set(settings) <= known
        return config(**{**settings, **smaller})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trl, "GRPOConfig", made)
    monkeypatch.setattr(trl, "GRPOTrainer", lambda **more: whole(**{**more, "model": model()}))
    tokens = tokenizer(template())
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda name: tokens)
    page = {}
    exec(codes()["train.py"], page)
    assert (tmp_path / "trained" / "config.json").exists()
    held_out = page["trainer"].eval_dataset.select(range(1))
    assert 0 <= page["trainer"].evaluate(held_out)["eval_rewards/Talk/mean"] <= 1


def test_the_records_that_the_page_keeps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = {}
    exec(codes()["own.py"], page)
    one = trainer(tmp_path, Task(**SETTINGS), reward_funcs=page["kept"])
    saying(one)
    batch_of(one)
    lines = (tmp_path / "traces.jsonl").read_text("utf-8").splitlines()
    assert [record(Trace.from_json(line)) for line in lines] == [want.record for want in expected()]


def test_the_line_of_the_page_for_a_template_without_tools(tmp_path):
    with pytest.raises(ValueError, match="does not support tool calling"):
        trainer(tmp_path, Task(**SETTINGS), form=TEMPLATE)
    [line] = [code for code in codes().values() if "chat_template +=" in code]
    form = TEMPLATE + re.search('"(.*)"', line)[1]
    one = trainer(tmp_path, Task(**SETTINGS), form=form)
    saying(one)
    batch = batch_of(one)
    prompt = batch["prompt_ids"][0][batch["prompt_mask"][0].bool()].tolist()
    assert chat_of(prompt) == expected()[0].messages[:2]
    assert record(one.environments[0].episode.trace) == expected()[0].record
