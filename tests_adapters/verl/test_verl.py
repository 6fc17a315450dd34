"""verl plays the same talks, trains on what was sampled and on nothing else, and pays the same."""

import asyncio
import json
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import hydra
import pytest
from chatml import END, FORGETS, chat_of, decoded, encoded, scripted, spans, tokenizer
from conformance import ROWS, SECRET, SETTINGS, expected, record
from datasets import Dataset
from failing import CUE, failing_task
from hydra.errors import InstantiationException
from live import as_user
from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import DictConfigWrap, ToolListWrap
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import validate_config
from verl.workers.rollout.replica import TokenOutput

from empathy_env import Task, verify
from empathy_env.adapters import verl
from empathy_env.backends import Reply
from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.errors import InvalidArgument, TimedOut

PAGE = Path(__file__).parents[2] / "docs" / "adapters" / "verl.md"
SAMPLING = {"temperature": 1.0, "top_p": 1.0, "logprobs": True}


class Server:
    """What verl's LLM client is to a loop: `say` makes the turn from the tokens so far."""

    def __init__(self, say=scripted, end=END):
        self.say, self.end, self.calls = say, end, []

    async def generate(self, request_id, *, prompt_ids, sampling_params):
        self.calls.append((request_id, list(prompt_ids), dict(sampling_params)))
        ids = encoded(self.say(prompt_ids) + self.end)[: sampling_params["max_tokens"]]
        steps = {"min_global_steps": len(self.calls), "max_global_steps": len(self.calls)}
        return TokenOutput(
            token_ids=ids, log_probs=[-float(n + 1) for n in range(len(ids))], extra_fields=steps
        )


class Kept(verl.EmpathyLoop):
    """Keeps the traces of its talks."""

    traces: ClassVar = []

    def ended(self, episode):
        self.traces.append(episode.trace)


@pytest.fixture(autouse=True)
def traces(monkeypatch):
    monkeypatch.setattr(Kept, "traces", [])
    return Kept.traces


def loop(server, task=None, *, template=None, prompt=20_000, response=20_000, data=None, **more):
    """Make a loop as verl's `AgentLoopWorker._run_agent_loop` does."""
    rollout = {"prompt_length": prompt, "response_length": response}
    config = OmegaConf.create({"actor_rollout_ref": {"rollout": rollout}, "data": data or {}})
    settings = {"_target_": f"{__name__}.Kept", "task": task or SETTINGS, **more}
    return hydra.utils.instantiate(
        config=OmegaConf.create(settings)
        if not isinstance(task, Task)
        else {"_target_": settings["_target_"]},
        trainer_config=DictConfigWrap(config=config),
        server_manager=server,
        tokenizer=tokenizer(template) if template else tokenizer(),
        processor=None,
        hf_model_type=None,
        dataset_cls=None,
        data_config=DictConfigWrap(config.data),
        tools=ToolListWrap([]),
        **({"task": task} if isinstance(task, Task) else {}),
    )


def row_of(scenario, **more):
    """Return a row as verl gives it to `run`."""
    return {"raw_prompt": [], "extra_info": {"scenario": json.dumps(scenario)}, **more}


def played(server, scenarios=ROWS, **how):
    """Return the outputs of talks that verl awaits together."""

    async def together():
        runs = (loop(server, **how).run(dict(SAMPLING), **row_of(row)) for row in scenarios)
        return await asyncio.gather(*runs)

    return asyncio.run(together())


def test_the_same_talks_as_through_gym_make(traces):
    outputs = played(Server())
    for output, want in zip(outputs, expected(), strict=True):
        assert output.extra_fields["turn_scores"] == want.rewards
        assert output.reward_score == pytest.approx(want.total)
        assert output.num_turns == len(want.messages)
        success = float(want.trace.outcome == "success")
        turns = float(len(want.rewards))
        assert output.extra_fields["reward_extra_info"] == {"turns": turns, "success": success}
    assert sorted(map(record, traces)) == sorted(want.record for want in expected())
    assert all(verify(trace).consistent for trace in traces)


def test_each_token_that_was_sampled_has_mask_1_and_its_logprob_and_no_other():
    for output, want in zip(played(Server()), expected(), strict=True):
        assert decoded(output.prompt_ids).endswith("<|im_start|>assistant\n")
        assert chat_of(output.prompt_ids) == want.messages[:2]
        raw = [turn.raw for turn in want.trace.turns]
        heard = [m["content"] for m in want.messages[1:-1] if m["role"] == "user"][1:]
        between = [f"\n<|im_start|>user\n{words}{END}\n<|im_start|>assistant\n" for words in heard]
        runs = [(1, f"{words}{END}") for words in raw]
        for place, words in enumerate(between):
            runs.insert(2 * place + 1, (0, words))
        assert spans(output.response_ids, output.response_mask) == runs
        assert not any(SECRET in words for words in between)
        given = [-float(n + 1) for words in raw for n in range(len(encoded(words + END)))]
        kept = zip(output.response_mask, output.response_logprobs, strict=True)
        assert [value for bit, value in kept if bit] == given
        kept = zip(output.response_mask, output.response_logprobs, strict=True)
        assert {value for bit, value in kept if not bit} <= {0.0}


def test_each_turn_is_sampled_from_the_very_tokens_before_it():
    server = Server()
    [output] = played(server, ROWS[:1])
    whole = output.prompt_ids + output.response_ids
    assert len(server.calls) == 4
    for _, prompt, sampling in server.calls:
        assert whole[: len(prompt)] == prompt
        assert {**sampling, "max_tokens": 0} == {**SAMPLING, "max_tokens": 0}
    assert len({request_id for request_id, _, _ in server.calls}) == 1
    steps = (output.extra_fields["min_global_steps"], output.extra_fields["max_global_steps"])
    assert steps == (1, 4)


def test_verl_puts_the_talks_reward_on_its_last_token():
    [output] = played(Server(), ROWS[2:3])
    fields = output.as_dict()
    assert fields["rm_scores"].sum().item() == pytest.approx(expected()[2].total)
    assert fields["rm_scores"][-1].item() == pytest.approx(expected()[2].total)
    assert fields["response_mask"].tolist() == output.response_mask


def test_a_turn_that_broke_off_is_closed_with_a_token_that_is_not_trained_on():
    [output] = played(Server(end=""), ROWS[:1], turn_tokens=40)
    runs = spans(output.response_ids, output.response_mask)
    assert [len(encoded(words)) for bit, words in runs if bit] == [40] * 4
    assert all(words.startswith(f"{END}\n<|im_start|>user\n") for bit, words in runs if not bit)


def test_a_talk_that_fills_the_response_ends_with_what_was_sampled_and_paid_so_far(traces):
    [output] = played(Server(), ROWS[:1], response=300)
    assert len(output.response_ids) == len(output.response_mask) <= 300
    assert output.response_mask[-1] == 1
    turns = len(traces[0].turns)
    assert 0 < turns < 4
    assert output.extra_fields["turn_scores"][:-1] == expected()[0].rewards[: turns - 1]
    assert output.reward_score == pytest.approx(sum(output.extra_fields["turn_scores"]))
    assert verify(traces[0]).consistent


def test_samples_of_a_group_share_their_start_and_are_numbered(traces):
    async def group():
        runs = (
            loop(Server()).run(dict(SAMPLING), **row_of(ROWS[0], session_id=member))
            for member in range(3)
        )
        return await asyncio.gather(*runs)

    outputs = asyncio.run(group())
    assert len({tuple(output.prompt_ids) for output in outputs}) == 1
    assert len({output.reward_score for output in outputs}) == 1
    assert sorted(trace.scenario.member for trace in traces) == [0, 1, 2]


def test_a_fault_is_raised_to_verl_and_is_on_record(traces):
    task = failing_task(max_turns=4)
    server = Server(lambda ids: CUE if len(chat_of(ids)) > 3 else "How was that?")
    with pytest.raises(TimedOut):
        played(server, [task.scenario(1).to_row()], task=task)
    [trace] = traces
    assert trace.fault["type"] == "TimedOut"
    assert len(trace.turns) == 1


def test_users_answer_together():
    class Meeting(AsyncBackend):
        """Answers nobody before six have asked."""

        name = "meeting"

        def __init__(self):
            self.asked, self.all_here = 0, asyncio.Event()

        async def complete_async(self, request):
            self.asked += 1
            if self.asked == 6:
                self.all_here.set()
            async with asyncio.timeout(20):
                await self.all_here.wait()
            return Reply(as_user(request))

    async def together():
        task = Task(user=Meeting(), max_turns=2)
        runs = (
            loop(Server(lambda ids: "And then?"), task).run(
                {}, **row_of(task.scenario(seed).to_row())
            )
            for seed in range(6)
        )
        return await asyncio.gather(*runs)

    assert len(asyncio.run(together())) == 6


def test_a_template_that_forgets_thoughts_is_refused():
    with pytest.raises(InstantiationException, match="changes a thought"):
        played(Server(), ROWS[:1], template=FORGETS)


@pytest.mark.parametrize("tokens", [0, -1])
def test_a_turn_without_room_for_a_token_is_refused_before_anything_is_sampled(tokens):
    server = Server()
    with pytest.raises(InstantiationException, match=f"turn_tokens={tokens} is below 1: give 400"):
        played(server, ROWS[:1], turn_tokens=tokens)
    assert server.calls == []


def test_a_turn_may_have_a_single_token():
    [output] = played(Server(end=""), ROWS[:1], turn_tokens=1)
    runs = spans(output.response_ids, output.response_mask)
    assert [len(encoded(words)) for bit, words in runs if bit] == [1] * 4


def test_the_templates_options_are_those_of_verl():
    options = {"apply_chat_template_kwargs": {"opening": "Hm. "}}
    [output] = played(Server(), ROWS[:1], data=options)
    assert decoded(output.prompt_ids).endswith("<|im_start|>assistant\nHm. ")


@pytest.mark.parametrize("row", [{}, {"extra_info": {"index": 3}}, {"extra_info": None}])
def test_a_row_without_a_scenario_is_refused(row):
    with pytest.raises(InvalidArgument, match=r"verl\.rows"):
        asyncio.run(made_run(row))


async def made_run(row):
    return await loop(Server()).run({}, raw_prompt=[], **row)


def test_an_opening_that_has_no_room_is_refused_not_cut():
    with pytest.raises(InvalidArgument, match="max_prompt_length=50"):
        played(Server(), ROWS[:1], prompt=50)


def test_rows_show_the_opening_and_hide_the_need():
    task = Task(**SETTINGS)
    for seed, row in enumerate(verl.rows(task, range(4))):
        assert row["prompt"] == task.open(seed=seed).messages
        assert json.loads(row["extra_info"]["scenario"]) == task.scenario(seed).to_row()
        assert task.scenario(seed).need not in str(row["prompt"])
        assert row["extra_info"]["index"] == seed


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page's data sets, made in a folder of their own, and its text."""
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text("utf-8")
    [code] = re.findall(r"^```text\n(# \w+\.py\n.*?)^```$", text, re.M | re.S)
    exec(compile(code, str(PAGE), "exec"), ModuleType("page").__dict__)
    return text


def test_the_pages_loop_plays_the_pages_data(page):
    row = Dataset.from_parquet("train.parquet")[0]
    assert len(Dataset.from_parquet("held-out.parquet")) == 64
    [yaml] = re.findall(r"^```text\n(# \w+\.yaml\n.*?)^```$", page, re.M | re.S)
    [config] = OmegaConf.create(yaml)
    assert config.name == row["agent_name"]
    assert config._target_ == "empathy_env.adapters.verl.EmpathyLoop"
    more = {name: config[name] for name in config if name not in ("name", "_target_")}

    async def made():
        return loop(Server(), **more)

    assert asyncio.run(made()).task.backend.name.startswith("openai:Qwen/Qwen3-30B")
    more["task"] = {**more["task"], "user": "code"}
    scenario = json.loads(row["extra_info"]["scenario"])
    [output] = played(Server(lambda ids: "What was that like?"), [scenario], **more)
    assert chat_of(output.prompt_ids) == row["prompt"]
    assert output.num_turns > 4


def test_the_pages_settings_are_those_that_verl_takes():
    page = PAGE.read_text("utf-8")
    command = re.search(r"verl\.trainer\.main_ppo \\\n(.*?)^```$", page, re.M | re.S)[1]
    lines = shlex.split(command.replace("\\\n", " "))
    with hydra.initialize_config_module("verl.trainer.config", version_base=None):
        config = hydra.compose("ppo_trainer", overrides=lines)
    with pytest.warns(UserWarning, match="Disabled critic"):
        critic = need_critic(config)
    validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=critic)
    assert config.actor_rollout_ref.rollout.agent.agent_loop_config_path == "agent_loop.yaml"
    assert config.actor_rollout_ref.actor.loss_agg_mode == "seq-mean-token-mean"
