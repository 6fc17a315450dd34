"""Atropos plays the same talks through its vLLM client, and is handed what was sampled."""

import asyncio
import json
import logging
import re
import threading
import warnings
from pathlib import Path
from types import ModuleType

import pytest
from aiohttp import web
from chatml import END, FORGETS, chat_of, decoded, encoded, scripted, spans, tokenizer
from conformance import ROWS, SECRET, SETTINGS, expected, record
from failing import CUE, failing_task

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries that Atropos imports
    from atroposlib.envs.base import BaseEnv
    from atroposlib.envs.server_handling.server_baseline import APIServerConfig

from empathy_env import Task, verify
from empathy_env.adapters import atropos
from empathy_env.errors import InvalidArgument, TimedOut

PAGE = Path(__file__).parents[2] / "docs" / "adapters" / "atropos.md"


class Generate:
    """vLLM's `/generate` as Atropos asks it, on a thread; `say` makes the turn."""

    def __init__(self):
        self.say, self.end, self.calls = scripted, END, []

    async def answer(self, request):
        asked = await request.json()
        self.calls.append(asked)
        ids = encoded(self.say(asked["prompt"]["prompt_token_ids"]) + self.end)
        ids = ids[: asked["max_tokens"]]
        logprobs = [[{str(token): -float(n + 1)}] for n, token in enumerate(ids)]
        return web.json_response({"logprobs": [logprobs], "finish_reasons": ["stop"]})

    def __enter__(self):
        self.loop, ready = asyncio.new_event_loop(), threading.Event()

        async def start():
            app = web.Application(client_max_size=1 << 26)
            app.router.add_post("/generate", self.answer)
            self.runner = web.AppRunner(app)
            await self.runner.setup()
            site = web.TCPSite(self.runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/v1"
            ready.set()

        def serve():
            self.loop.run_until_complete(start())
            self.loop.run_forever()
            self.loop.run_until_complete(self.runner.cleanup())
            self.loop.close()

        self.thread = threading.Thread(target=serve)
        self.thread.start()
        assert ready.wait(20)
        return self

    def __exit__(self, *error):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@pytest.fixture
def server():
    with Generate() as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    """A tokenizer as Atropos loads it."""
    tokenizer().save_pretrained(tmp_path / "tokenizer")
    return str(tmp_path / "tokenizer")


def made(server, folder, kind=None, **settings):
    """Return an environment as Atropos makes it of a class and its configs."""
    kind = kind or kind_of(Task(**SETTINGS))
    settings = {"group_size": 2, "max_token_length": 30_000, "turn_tokens": 2000, **settings}
    config = kind.env_config_cls(tokenizer_name=folder, use_wandb=False, **settings)
    where = {"model_name": folder, "base_url": server.url, "server_type": "vllm", "api_key": "x"}
    return kind(config, [APIServerConfig(health_check=False, **where)])


def kind_of(task, held_out=None):
    class Empathy(atropos.EmpathyEnv):
        def ended(self, episode):
            self.traces.append(episode.trace)

    Empathy.task, Empathy.held_out, Empathy.traces = task, held_out or task, []
    return Empathy


def test_the_same_talks_as_through_gym_make(server, folder):
    env = made(server, folder)

    async def together():
        return await asyncio.gather(*map(env.collect_trajectory, ROWS))

    for (sample, backlog), want in zip(asyncio.run(together()), expected(), strict=True):
        assert backlog == []
        assert sample["scores"] == pytest.approx(want.total)
    assert sorted(map(record, env.traces)) == sorted(want.record for want in expected())
    assert all(verify(trace).consistent for trace in env.traces)


def test_each_token_that_was_sampled_is_in_the_mask_and_no_other(server, folder):
    env = made(server, folder)
    for row, want in zip(ROWS, expected(), strict=True):
        sample, _ = asyncio.run(env.collect_trajectory(row))
        tokens, masks = sample["tokens"], sample["masks"]
        assert all(mask in (-100, token) for token, mask in zip(tokens, masks, strict=True))
        bits = [int(mask != -100) for mask in masks]
        raw = [turn.raw for turn in want.trace.turns]
        runs = spans(tokens, bits)
        assert [words for bit, words in runs if bit] == [words + END for words in raw]
        heard = [m["content"] for m in want.messages[2:-1] if m["role"] == "user"]
        between = [f"\n<|im_start|>user\n{words}{END}\n<|im_start|>assistant\n" for words in heard]
        assert [words for bit, words in runs[1:] if not bit] == between
        assert chat_of(encoded(runs[0][1])) == want.messages[:2]
        assert not any(SECRET in words for bit, words in runs if not bit)
        given = [-float(n + 1) for words in raw for n in range(len(encoded(words + END)))]
        kept = [*zip(bits, sample["inference_logprobs"], strict=True)]
        assert [value for bit, value in kept if bit] == given
        assert {value for bit, value in kept if not bit} == {1.0}


def test_each_turn_is_sampled_from_the_very_tokens_before_it(server, folder):
    env = made(server, folder, temperature=0.7)
    sample, _ = asyncio.run(env.collect_trajectory(ROWS[0]))
    assert len(server.calls) == 4
    for asked in server.calls:
        prompt = asked["prompt"]["prompt_token_ids"]
        assert sample["tokens"][: len(prompt)] == prompt
        assert (asked["temperature"], asked["max_tokens"], asked["n"]) == (0.7, 2000, 1)


def test_a_group_shares_its_start_and_is_what_atropos_sends(server, folder, monkeypatch):
    env = made(server, folder, group_size=3, ensure_scores_are_not_same=False)
    sent = []

    async def send(group):
        sent.append(group)

    monkeypatch.setattr(env, "_send_scored_data_to_api", send)
    server.say = lambda ids: "What was that like?"

    async def step():
        await env.setup()
        env.running_items["one"] = {"item": await env.get_next_item()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a trainer that sets no length
            return await env.handle_env("one")

    asyncio.run(step())
    [group] = sent
    assert len({tuple(tokens) for tokens in group["tokens"]}) == 1
    assert {len(group[name]) for name in ("tokens", "masks", "scores", "inference_logprobs")} == {3}
    assert sorted(trace.scenario.member for trace in env.traces) == [0, 1, 2]
    task = Task(**SETTINGS)
    assert {trace.scenario.seed for trace in env.traces} == {task.scenario(0).seed}


def test_seeds_go_on_from_a_checkpoint(server, folder, tmp_path):
    envs = [made(server, folder) for _ in range(2)]
    for env in envs:
        env.checkpoint_dir, env.wandb_prepend, env.curr_step = str(tmp_path), "run", 5
    asked = [asyncio.run(envs[0].get_next_item()) for _ in range(3)]
    assert asked == [Task(**SETTINGS).scenario(seed).to_row() for seed in range(3)]
    envs[0].save_checkpoint(5)
    envs[1].load_checkpoint()
    assert asyncio.run(envs[1].get_next_item()) == Task(**SETTINGS).scenario(3).to_row()


def test_a_fault_leaves_the_group_out_and_is_on_record(server, folder, monkeypatch, caplog):
    env = made(server, folder, kind_of(failing_task(max_turns=4)))
    failures = iter([CUE])
    server.say = lambda ids: next(failures, "Go on.") if len(chat_of(ids)) > 3 else "And then?"
    item = asyncio.run(env.get_next_item())
    with pytest.raises(TimedOut):
        asyncio.run(env.collect_trajectories(item))
    failed, whole = sorted(env.traces, key=lambda trace: trace.fault is None)
    assert failed.fault["type"] == "TimedOut"
    assert whole.outcome == "time_up"  # its sibling was played to its end
    failures = iter([CUE])
    env.running_items["one"] = {"item": item}
    with caplog.at_level(logging.ERROR):
        assert asyncio.run(env.handle_env("one")) is None
    assert "no answer in 60 s" in caplog.text


def test_an_evaluation_plays_the_held_out_task_and_counts_no_fault_as_a_reward(
    server, folder, monkeypatch
):
    held_out = failing_task(personas="split:dev", max_turns=3, reward={"terminal": 1.0})
    env = made(server, folder, kind_of(Task(**SETTINGS), held_out), eval_episodes=6)
    opened = [held_out.open(seed=seed).utterance for seed in range(6)]
    server.say = lambda ids: CUE if opened[2] in decoded(ids) else "What was that like?"
    logged = {}

    async def log(self, metrics=None):
        logged.update(metrics)

    monkeypatch.setattr(BaseEnv, "wandb_log", log)

    async def run():
        await env.evaluate()
        await env.wandb_log({"mine": 1.0})

    asyncio.run(run())
    whole = [trace for trace in env.traces if trace.fault is None]
    faults = opened.count(opened[2])
    assert len(whole) == 6 - faults
    mean = sum(held_out.reward.total(trace) for trace in whole) / len(whole)
    assert logged["eval/reward"] == pytest.approx(mean)
    assert logged["eval/faults"] == faults
    assert logged["mine"] == 1.0
    assert {trace.scenario.seed for trace in env.traces} == {
        held_out.scenario(s).seed for s in range(6)
    }
    assert {asked["temperature"] for asked in server.calls} == {0.0}


def test_a_turn_or_a_talk_that_is_too_long_is_cut_where_it_was_sampled(server, folder):
    server.end = ""
    short = made(server, folder, turn_tokens=40)
    sample, _ = asyncio.run(short.collect_trajectory(ROWS[0]))
    runs = spans(sample["tokens"], [int(mask != -100) for mask in sample["masks"]])
    assert [len(encoded(words)) for bit, words in runs if bit] == [40] * 4
    most = len(sample["tokens"]) - 100
    full = made(server, folder, turn_tokens=40, max_token_length=most)
    sample, _ = asyncio.run(full.collect_trajectory(ROWS[0]))
    assert len(sample["tokens"]) <= most
    assert sample["masks"][-1] != -100
    assert 0 < len(full.traces[0].turns) < 4
    with pytest.raises(InvalidArgument, match="max_token_length=50"):
        asyncio.run(made(server, folder, max_token_length=50).collect_trajectory(ROWS[0]))


def test_a_template_that_forgets_thoughts_is_refused(server, tmp_path):
    tokenizer(FORGETS).save_pretrained(tmp_path / "forgets")
    with pytest.raises(InvalidArgument, match="changes a thought"):
        made(server, str(tmp_path / "forgets"))


def test_the_file_of_the_page_makes_an_environment(server, folder):
    [code] = re.findall(r"^```text\n(# \w+\.py\n.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    module = ModuleType("page")
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    config, servers = module.Empathy.config_init()
    assert servers[0].server_type == "vllm"
    kept = config.model_dump(exclude={"tokenizer_name", "use_wandb", "group_size"})
    env = made(server, folder, module.Empathy, **kept)
    server.say = lambda ids: "What was that like?"
    sample, _ = asyncio.run(env.collect_trajectory(asyncio.run(env.get_next_item())))
    assert json.dumps(sample)
