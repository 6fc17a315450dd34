"""The adapter of verifiers v1, driven as its evaluation and prime-rl drive it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import renderers.client
import verifiers.v1 as vf
from conformance import REPLIES, ROWS, SECRET, SETTINGS, expected, record, reply_to
from generate_server import DROPS, END, KEEPS, GenerateServer, saved_tokenizer
from stub_server import Answer, StubServer, failing
from verifiers.v1.utils.loaders import load_environment, resolve_env_config

from empathy_env.adapters import rendering
from empathy_env.adapters.rendering import check_turns_are_kept
from empathy_env.errors import InvalidArgument
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace
from empathy_env.verification import verify

ID = "empathy-env-verifiers"


@asynccontextmanager
async def serving(agent=None, **taskset):
    config = {"taskset": {"id": ID, **taskset}, "agent": agent or {}}
    env = load_environment(resolve_env_config(config))
    async with env.serving():
        yield env


async def _episodes(client, times, options):
    async with serving(**options) as env:
        context = vf.ModelContext(model="policy", client=client)
        tasks = [task for task in env.taskset for _ in range(times)]
        return await asyncio.gather(*(env.run_episode(task, context) for task in tasks))


def episodes(client, times=1, **options):
    """Play each task of the taskset so many times."""
    if isinstance(client, str):
        client = vf.EvalClientConfig(base_url=client)
    return asyncio.run(_episodes(client, times, options))


def own(episode):
    """Return the talk's own trace."""
    return Trace.from_json(episode.traces[0].info["empathy"])


@pytest.fixture(autouse=True)
def _lock(monkeypatch):
    """A lock that the library makes once for the process, and each test has a loop of its own."""
    monkeypatch.setattr(renderers.client, "_max_prompt_len_lock", asyncio.Lock())


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n", "utf-8")
    return str(path)


@pytest.fixture
def script():
    with StubServer(lambda body: reply_to(body["messages"])) as stub:
        yield stub


def test_a_scripted_policy_makes_the_same_records_as_gym_make(rows, script):
    played = episodes(script.url, rows=rows, settings=SETTINGS)
    assert [record(own(episode)) for episode in played] == [want.record for want in expected()]
    assert all(verify(own(episode)).consistent for episode in played)
    assert all(own(episode).agent == "policy" for episode in played)


def test_rewards_agree_with_the_trace_and_keep_their_weights(rows, script):
    for episode, want in zip(
        episodes(script.url, rows=rows, settings=SETTINGS), expected(), strict=True
    ):
        [trace] = episode.traces
        assert episode.ok
        assert trace.reward == pytest.approx(want.total)
        assert trace.info["turn_rewards"] == pytest.approx(want.rewards)
        assert {name: part.weight for name, part in trace.rewards.items()} == SETTINGS["reward"]


def test_the_agent_reads_the_chat_as_it_stands_and_keeps_its_own_thoughts(rows, script):
    episodes(script.url, rows=rows, settings=SETTINGS)
    for call in script.calls:
        roles = [message["role"] for message in call.body["messages"]]
        assert roles == ["system", "user", *["assistant", "user"] * ((len(roles) - 2) // 2)]
        for message in call.body["messages"]:
            if message["role"] == "user":
                assert SECRET not in message["content"]
    longest = max((call.body["messages"] for call in script.calls), key=len)
    assert SECRET in longest[2]["content"]


def test_a_thought_that_the_server_took_out_is_private_and_kept():
    answer = Answer("What happened?", message={"reasoning_content": "a secret plan"})
    with StubServer(answer) as stub:
        [episode] = episodes(stub.url, tasks=1, settings={**SETTINGS, "max_turns": 2})
    turns = own(episode).turns
    assert [(turn.private, turn.heard) for turn in turns] == [
        ("<think>a secret plan</think>", "What happened?")
    ] * 2


def test_a_group_shares_its_start_and_its_noise_and_is_told_apart(script):
    script.answer = "That sounds hard. What happened?"
    group = [own(e) for e in episodes(script.url, times=3, tasks=2, settings=SETTINGS)]
    first, second = group[:3], group[3:]
    assert sorted(trace.scenario.member for trace in first) == [0, 1, 2]
    assert len({trace.id for trace in group}) == 6
    assert {trace.opening for trace in first} != {trace.opening for trace in second}
    for alike in (first, second):
        assert len({(trace.opening, trace.start, trace.turns) for trace in alike}) == 1


def test_tasks_follow_the_seeds_and_end_only_when_told():
    async def tasks(**options):
        async with serving(settings={"personas": "split:dev"}, **options) as env:
            return env.taskset.bounded, list(env.taskset.take(3))

    bounded, drawn = asyncio.run(tasks(seed=5))
    seeds = [Scenario.from_row(task.data.scenario).seed for task in drawn]
    assert (bounded, seeds) == (False, [5, 6, 7])
    bounded, drawn = asyncio.run(tasks(seed=5, tasks=2))
    assert (bounded, len(drawn)) == (True, 2)
    assert all(task.data.prompt is None for task in drawn)


def test_instructions_of_ones_own_are_what_the_agent_reads_and_the_trace_says(tmp_path, script):
    script.answer = "What happened?"
    (tmp_path / "told.txt").write_text("Be brief.", "utf-8")
    [episode] = episodes(
        script.url, tasks=1, system_prompt=str(tmp_path / "told.txt"), settings=SETTINGS
    )
    told = own(episode).setup.system_prompt
    assert told.startswith("Be brief.\n\n")
    assert "<think>" in told
    assert {call.body["messages"][0]["content"] for call in script.calls} == {told}


def test_instructions_that_the_library_tries_are_in_the_record(script):
    script.answer = "What happened?"

    async def run():
        async with serving(tasks=1, settings={"max_turns": 1}) as env:
            [task] = env.taskset
            context = vf.ModelContext(model="m", client=vf.EvalClientConfig(base_url=script.url))
            return await env.run_episode(task.with_system_prompt("Try this."), context)

    trace = own(asyncio.run(run()))
    assert trace.setup.system_prompt == "Try this."
    assert script.calls[0].body["messages"][0]["content"] == "Try this."
    assert verify(trace).consistent


def model_user(url):
    return {"user": f"openai:user@{url}", "max_turns": 3, "reward": "delta"}


def test_a_fault_of_the_user_drops_the_episode_and_pays_nothing():
    with StubServer("What happened?") as stub, StubServer(failing(400)) as broken:
        [episode] = episodes(stub.url, tasks=1, settings=model_user(broken.url))
    [trace] = episode.traces
    assert not episode.ok
    assert not trace.ok
    assert trace.rewards == {"delta": None}
    assert own(episode).fault["type"] == "RequestRejected"


def test_a_policy_that_cannot_be_reached_drops_the_episode(script):
    script.answer = failing(400)
    [episode] = episodes(script.url, tasks=1, settings=SETTINGS)
    assert not episode.ok
    assert set(episode.traces[0].rewards.values()) == {None}
    assert own(episode).fault["type"] == "Cancelled"


def test_a_limit_of_the_library_is_no_end_of_a_talk(script):
    script.answer = "What happened?"
    [episode] = episodes(script.url, agent={"max_turns": 2}, tasks=1, settings=SETTINGS)
    assert not episode.ok
    assert set(episode.traces[0].rewards.values()) == {None}
    assert "max_turns" in own(episode).fault["message"]


def test_talks_of_many_are_under_way_at_once():
    with StubServer("What happened?") as stub, StubServer(failing(400)) as users:
        users.answer = Answer(held=True)

        async def run():
            async with serving(tasks=8, settings=model_user(users.url)) as env:
                client = vf.EvalClientConfig(base_url=stub.url)
                context = vf.ModelContext(model="m", client=client)
                runs = [asyncio.create_task(env.run_episode(task, context)) for task in env.taskset]
                await asyncio.to_thread(users.wait_for, 8)
                users.answer = failing(400)
                users.release()
                return await asyncio.gather(*runs)

        played = asyncio.run(run())
    assert users.peak == 8
    assert not any(episode.ok for episode in played)


def test_seeds_and_a_file_are_not_both_taken(rows):
    config = resolve_env_config({"taskset": {"id": ID, "rows": rows, "tasks": 2}})
    with pytest.raises(InvalidArgument, match="rows= and tasks="):
        load_environment(config)


def test_the_users_backend_is_closed_at_the_end(monkeypatch):
    closed = []

    async def run():
        async with serving(settings=model_user("http://localhost:1/v1")) as env:

            async def aclose():
                closed.append(True)

            monkeypatch.setattr(env.taskset.game.backend, "aclose", aclose)
            assert not closed

    asyncio.run(run())
    assert closed == [True]


def test_several_people_are_played_like_one(script):
    script.answer = "That sounds hard for both of you. What happened?"
    settings = {"cast": "all", "max_turns": 2}
    [episode] = episodes(script.url, tasks=1, settings=settings)
    trace = own(episode)
    assert episode.ok
    assert len(trace.scenario.people) > 1
    assert verify(trace).consistent


def scripted(prompt):
    """Answer a rendered chat with the script of the scenario that it is of."""
    turns = re.findall(r"<\|(system|user|assistant)\|>(.*?)<\|end\|>", prompt, re.DOTALL)
    return reply_to([{"role": role, "content": content} for role, content in turns])


def train_client(url, folder, **renderer):
    return vf.TrainClientConfig(
        base_url=url, renderer={"name": "default", **renderer}, renderer_model_name=str(folder)
    )


def trained(folder, rows):
    """Play the script through the training client; return the episodes and the tokenizer."""
    tokenizer = saved_tokenizer(folder / "bytes")
    with GenerateServer(tokenizer, scripted) as server:
        client = train_client(server.url, folder / "bytes")
        # The last script's thoughts have no end: they do not come back as they were written.
        with pytest.warns(UserWarning, match=r"became \d samples: text made other tokens"):
            return episodes(client, rows=rows, settings=SETTINGS), tokenizer


def test_sampled_tokens_are_masked_1_and_all_others_0_token_by_token(rows, tmp_path):
    played, tokenizer = trained(tmp_path, rows)
    for episode, replies, want in list(zip(played, REPLIES, expected(), strict=True))[:3]:
        assert episode.ok
        [branch] = episode.traces[0].branches
        text, mask = "", []
        said = iter(replies)
        for message in want.messages[:-1]:
            if message["role"] == "assistant":
                parts = [("<|assistant|>", 0), (next(said) + END, 1), ("\n", 0)]
            else:
                parts = [(f"<|{message['role']}|>{message['content']}{END}\n", 0)]
            for part, sampled in parts:
                text += part
                mask += [sampled] * len(tokenizer.encode(part, add_special_tokens=False))
        assert tokenizer.decode(branch.token_ids) == text.removesuffix("\n")
        assert branch.sampled_mask == mask[:-1]
        assert branch.logprobs == [-0.5 * sampled for sampled in mask[:-1]]
        assert record(own(episode)) == want.record
        assert episode.traces[0].metrics["samples"] == 1


def in_chatml(prompt):
    """Answer a prompt of Qwen3's form with the script, thoughts as such models write them."""
    turns = re.findall(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", prompt, re.DOTALL)
    words = reply_to([{"role": role, "content": content} for role, content in turns])
    return words.replace("<think>", "<think>\n").replace("</think>", "\n</think>\n\n")


REFUSED = {
    "the template drops thoughts": (DROPS, {"name": "default"}),
    "the model's own renderer drops thoughts": (KEEPS, {"name": "qwen3"}),
    "it keeps them within a tool's turns": (
        KEEPS,
        {"name": "qwen3", "thinking_retention": "tool_cycle"},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_renderer_that_drops_thoughts_is_refused_before_anything_is_asked(
    case, rows, tmp_path, script
):
    template, renderer = REFUSED[case]
    saved_tokenizer(tmp_path / "bytes", template)
    client = train_client(script.url, tmp_path / "bytes", **renderer)
    with pytest.raises(InvalidArgument) as refused:
        episodes(client, rows=rows, settings=SETTINGS)
    for part in (
        f"renderer.name={renderer['name']!r}",
        f"model={str(tmp_path / 'bytes')!r}",
        "a thought of an earlier turn",
        "renderer.thinking_retention='all'",
        "[orchestrator.renderer]",
    ):
        assert part in str(refused.value)
    assert script.calls == []


def test_words_that_do_not_stay_are_refused_too(tmp_path):
    told = "{% if loop.last %}{{ m.content }}{% else %}({{ m.content }}){% endif %}"
    saved_tokenizer(tmp_path / "bytes", KEEPS.replace("{{ m.content }}", told))
    with pytest.raises(InvalidArgument, match="changes words of an earlier turn"):
        check_turns_are_kept(train_client("http://localhost:1", tmp_path / "bytes"), None)


def test_a_renderer_in_the_configuration_is_refused_when_that_is_loaded(tmp_path):
    saved_tokenizer(tmp_path / "bytes", DROPS)
    client = train_client("http://localhost:1", tmp_path / "bytes").model_dump()
    config = resolve_env_config({"taskset": {"id": ID, "tasks": 1}, "agent": {"client": client}})
    with pytest.raises(InvalidArgument, match="changes a thought of an earlier turn"):
        load_environment(config)


def test_what_is_refused_would_be_several_samples(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "check_turns_are_kept", lambda client, model: None)
    Path(rows).write_text(json.dumps(ROWS[0]), "utf-8")
    tokenizer = saved_tokenizer(tmp_path / "bytes", DROPS)
    with GenerateServer(tokenizer, scripted) as server:
        client = train_client(server.url, tmp_path / "bytes")
        with pytest.warns(UserWarning, match="a talk became"):
            [episode] = episodes(client, rows=rows, settings=SETTINGS)
    assert episode.traces[0].metrics["samples"] > 1


def test_the_named_fix_makes_one_sample_of_a_talk(rows, tmp_path):
    Path(rows).write_text("\n".join(map(json.dumps, ROWS[:3])), "utf-8")
    tokenizer = saved_tokenizer(tmp_path / "bytes", end="<|im_end|>")
    with GenerateServer(tokenizer, in_chatml) as server:
        client = train_client(
            server.url, tmp_path / "bytes", name="qwen3", thinking_retention="all"
        )
        played = episodes(client, rows=rows, settings=SETTINGS)
    for episode, want in zip(played, expected(), strict=False):
        assert episode.traces[0].metrics["samples"] == 1
        [branch] = episode.traces[0].branches
        said = [
            token for token, bit in zip(branch.token_ids, branch.sampled_mask, strict=True) if bit
        ]
        thoughts = [turn.private for turn in want.trace.turns if turn.private]
        assert tokenizer.decode(said).count("<think>") == len(thoughts)
        assert own(episode).outcome == want.trace.outcome


PAGE = (Path(__file__).parents[2] / "docs" / "adapters" / "verifiers.md").read_text("utf-8")


def block(name):
    """Return a file that the page shows."""
    return re.search(rf"^```text\n(# {name}\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]


def test_the_pages_script_evaluates_a_policy(tmp_path, script):
    script.answer = "That sounds hard. What happened?"
    (tmp_path / "evaluate.py").write_text(block("evaluate.py"), "utf-8")
    done = subprocess.run(
        [sys.executable, "evaluate.py", script.url, "policy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    traces = [Trace.from_json(line) for line in done.stdout.splitlines()]
    assert [trace.scenario.seed for trace in traces] == list(range(100_000, 100_016))
    assert all(verify(trace).consistent for trace in traces)
    assert all(call.body["max_tokens"] == 400 for call in script.calls)


def test_the_pages_sources_are_environments():
    orchestrator = tomllib.loads(block("rl.toml"))["orchestrator"]
    [train], [held_out] = (orchestrator[part]["source"] for part in ("train", "eval"))
    env = load_environment(resolve_env_config(train["env"]))
    assert not env.taskset.bounded
    assert env.taskset.game.backend.name.startswith("openai:Qwen/Qwen3-30B-A3B")
    assert env.config.agent.runtime.type == "subprocess"
    assert orchestrator["renderer"] == {"name": "qwen3", "thinking_retention": "all"}
    env = load_environment(resolve_env_config(held_out["env"]))
    seeds = [Scenario.from_row(task.data.scenario).seed for task in env.taskset]
    assert seeds == list(range(100_000, 100_064))
