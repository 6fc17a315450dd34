"""The executor keeps to the contract of OpenRLHF's own, and trains on what was sampled alone."""

import argparse
import ast
import asyncio
import inspect
import json
import re
import shlex
from datetime import datetime
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from chatml import END, FORGETS, chat_of, decoded, encoded, scripted, spans, tokenizer
from conformance import ROWS, SECRET, SETTINGS, expected, record
from failing import CUE, failing_task
from openrlhf.utils.agent import AgentExecutorBase, AgentInstanceBase, MultiTurnAgentExecutor
from standins import folder_of

from empathy_env import Task, verify
from empathy_env.adapters import openrlhf
from empathy_env.errors import InvalidArgument, TimedOut

PAGE = Path(__file__).parents[2] / "docs" / "adapters" / "openrlhf.md"


class Engine:
    """What OpenRLHF's vLLM engine is to an executor."""

    def __init__(self, say=scripted, end=END):
        self.say, self.end, self.calls = say, end, []

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        self.calls.append((list(prompt_token_ids), sampling_params))
        whole = encoded(self.say(prompt_token_ids) + self.end)
        ids = whole[: sampling_params.max_tokens]
        likely = [{t: SimpleNamespace(logprob=-float(n + 1))} for n, t in enumerate(ids)]
        reason = "stop" if ids == whole else "length"
        output = SimpleNamespace(
            token_ids=ids, text=decoded(ids), logprobs=likely, finish_reason=reason
        )
        return SimpleNamespace(outputs=[output])


def executor(task=None):
    """Return an executor as OpenRLHF makes it of a file, and the traces it comes by."""

    class AgentExecutor(openrlhf.EmpathyExecutor):
        traces: list = []  # noqa: RUF012 - one list for each class

        def ended(self, episode):
            self.traces.append(episode.trace)

    AgentExecutor.task = task or Task(**SETTINGS)
    assert issubclass(AgentExecutor, AgentExecutorBase)
    return AgentExecutor()


def sampling(**more):
    return SimpleNamespace(**{"max_tokens": None, "logprobs": 1, **more})


def played(engine, rows=ROWS, *, by=None, most=30_000, template=None, params=None):
    """Return the samples of talks that OpenRLHF awaits together."""

    async def together():
        runs = (
            by.execute(
                prompt="not read",
                label=row if isinstance(row, str) else json.dumps(row),
                sampling_params=params,
                max_length=most,
                hf_tokenizer=tokenizer(template) if template else tokenizer(),
                llm_engine=engine,
                images=None,
            )
            for row in rows
        )
        return await asyncio.gather(*runs)

    by, params = by or executor(), params or sampling()
    return asyncio.run(together())


def masks(sample):
    """Return OpenRLHF's action mask, as `_process_response_into_experience` makes it."""
    mask = [0] * len(sample["observation_tokens"])
    for start, end in sample["action_ranges"]:
        mask[start:end] = [1] * (end - start)
    return mask


def test_the_signature_is_that_of_the_base_class():
    own, base = (
        inspect.signature(kind.execute) for kind in (openrlhf.EmpathyExecutor, AgentExecutorBase)
    )
    assert list(own.parameters) == list(base.parameters)
    assert version("openrlhf") in PAGE.read_text("utf-8")


def test_a_sample_has_the_fields_of_openrlhfs_own_executor():
    class Instance(AgentInstanceBase):
        def __init__(self):
            pass

        async def step(self, state_dict):
            feedback = f"\n<|im_start|>user\nGo on.{END}\n<|im_start|>assistant\n"
            reward = np.float64(0.5)
            return {"rewards": reward, "environment_feedback": feedback, "done": True}

    def numpy_tensors(text, add_special_tokens, return_tensors):
        return {"input_ids": np.array([encoded(text)])}

    by = MultiTurnAgentExecutor(Instance)
    ask = by.execute("Hello", "", sampling(), 1000, numpy_tensors, Engine(lambda ids: "Hi."))
    theirs, [ours] = asyncio.run(ask), played(Engine(), ROWS[:1])
    assert set(ours) == set(theirs)
    for name in set(theirs) - {"extra_logs", "reward", "scores"}:
        assert type(ours[name]) is type(theirs[name]), name
    assert len(ours["rollout_log_probs"]) == len(ours["observation_tokens"])


def test_the_same_talks_as_through_gym_make():
    by = executor()
    for sample, want in zip(played(Engine(), by=by), expected(), strict=True):
        assert sample["reward"] == sample["scores"] == pytest.approx(want.total)
        success = float(want.trace.outcome == "success")
        assert sample["extra_logs"] == {"turns": float(len(want.rewards)), "success": success}
        assert not sample["truncated"]
    assert sorted(map(record, by.traces)) == sorted(want.record for want in expected())
    assert all(verify(trace).consistent for trace in by.traces)


def test_each_token_that_was_sampled_has_mask_1_and_its_logprob_and_no_other():
    for sample, want in zip(played(Engine()), expected(), strict=True):
        raw = [turn.raw for turn in want.trace.turns]
        heard = [m["content"] for m in want.messages[:-1] if m["role"] == "user"]
        prompt, *between = (
            f"\n<|im_start|>user\n{words}{END}\n<|im_start|>assistant\n" for words in heard
        )
        system = f"<|im_start|>system\n{want.messages[0]['content']}{END}"
        runs = [(0, system + prompt)]
        for place, words in enumerate(raw):
            runs += [(1, words + END), *[(0, told) for told in between[place : place + 1]]]
        mask = masks(sample)
        assert spans(sample["observation_tokens"], mask) == runs
        assert not any(SECRET in words for bit, words in runs if not bit)
        given = [-float(n + 1) for words in raw for n in range(len(encoded(words + END)))]
        kept = [*zip(mask, sample["rollout_log_probs"], strict=True)]
        assert [value for bit, value in kept if bit] == given
        assert {value for bit, value in kept if not bit} == {0.0}


def test_each_turn_is_sampled_from_the_very_tokens_before_it():
    engine, params = Engine(), sampling(max_tokens=500, logprobs=None)
    [sample] = played(engine, ROWS[:1], params=params)
    assert len(engine.calls) == 4
    for prompt, given in engine.calls:
        assert sample["observation_tokens"][: len(prompt)] == prompt
        assert given is not params
        assert given.max_tokens == 500
    assert sample["rollout_log_probs"] is None


def test_a_turn_that_broke_off_is_closed_with_tokens_that_are_not_trained_on():
    [sample] = played(Engine(), ROWS[:1], params=sampling(max_tokens=40))
    runs = spans(sample["observation_tokens"], masks(sample))
    assert [len(encoded(words)) for bit, words in runs if bit] == [40] * 4
    assert all(words.startswith(f"{END}\n<|im_start|>user\n") for bit, words in runs[2::2])
    assert sample["truncated"]


def test_a_talk_that_fills_the_length_ends_with_what_was_sampled_and_is_marked():
    by = executor()
    opening = len(played(Engine(), ROWS[:1])[0]["observation_tokens"])
    [sample] = played(Engine(), ROWS[:1], by=by, most=opening - 150)
    assert sample["truncated"]
    assert len(sample["observation_tokens"]) <= opening - 150
    assert masks(sample)[-1] == 1
    assert 0 < len(by.traces[-1].turns) < 4
    assert verify(by.traces[-1]).consistent


def test_samples_of_a_group_share_their_start():
    samples = played(Engine(), [ROWS[0]] * 3)
    assert len({tuple(sample["observation_tokens"]) for sample in samples}) == 1
    assert len({sample["reward"] for sample in samples}) == 1


def test_a_fault_is_raised_and_is_on_record():
    by = executor(failing_task(max_turns=4))
    engine = Engine(lambda ids: CUE if len(chat_of(ids)) > 3 else "How was that?")
    with pytest.raises(TimedOut):
        played(engine, [by.task.scenario(1).to_row()], by=by)
    [trace] = by.traces
    assert trace.fault["type"] == "TimedOut"
    assert len(trace.turns) == 1


def test_what_cannot_be_honoured_is_refused_before_anything_is_sampled():
    engine = Engine()
    with pytest.raises(InvalidArgument, match="changes a thought"):
        played(engine, ROWS[:1], template=FORGETS)
    with pytest.raises(InvalidArgument, match="no scenario"):
        played(engine, ["an answer"])
    with pytest.raises(InvalidArgument, match=r"max_len=50"):
        played(engine, ROWS[:1], most=50)
    assert engine.calls == []


def test_the_files_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, code in re.findall(
        r"^```text\n# (\w+\.py)\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S
    ):
        (tmp_path / name).write_text(code)
    exec((tmp_path / "make_data.py").read_text(), {})
    row = json.loads((tmp_path / "train.jsonl").read_text("utf-8").splitlines()[0])
    assert len((tmp_path / "held-out.jsonl").read_text("utf-8").splitlines()) == 64
    spec = spec_from_file_location("agent_module", tmp_path / "agent_func.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)  # as OpenRLHF loads it
    assert issubclass(module.AgentExecutor, AgentExecutorBase)
    engine = Engine(lambda ids: "What was that like?")
    [sample] = played(engine, [row["label"]], by=module.AgentExecutor())
    assert chat_of(sample["observation_tokens"])[:2] == row["input"]


def parser_of(source):
    """Return the parser that a program of OpenRLHF makes, without what else it imports."""
    tree = ast.parse(source)
    [main] = [node for node in tree.body if isinstance(node, ast.If)]
    made = [node for node in main.body if "parser" in ast.unparse(node)]
    end = next(n for n, node in enumerate(made) if "parse_args()" in ast.unparse(node))
    kept = [node for node in tree.body if isinstance(node, ast.FunctionDef)] + made[:end]
    names = {"argparse": argparse, "datetime": datetime}
    exec(compile(ast.Module(kept, []), "train_ppo_ray.py", "exec"), names)
    return names["parser"]


def test_the_pages_command_is_one_that_openrlhf_takes():
    source = (folder_of("openrlhf") / "cli" / "train_ppo_ray.py").read_text("utf-8")
    command = re.search(r"train_ppo_ray \\\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)[1]
    taken = vars(parser_of(source).parse_args(shlex.split(command.replace("\\\n", " "))))
    assert taken["train.agent_func_path"] == "agent_func.py"
    assert taken["actor.loss_agg_mode"] == "seq-mean-token-mean"
    assert taken["algo.advantage.estimator"] == "group_norm"
