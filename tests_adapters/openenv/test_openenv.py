"""The adapter of OpenEnv, over a real server on a thread."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from aiohttp import ClientSession
from conformance import REPLIES, ROWS, SCENARIOS, SECRET, SETTINGS, expected, record
from failing import CUE, failing_task
from openenv import GenericEnvClient
from openenv.core.env_server.types import State
from stub_server import Answer, StubServer, failing
from websockets.asyncio.client import connect

from empathy_env import Task
from empathy_env.adapters.openenv import SupportAction, SupportClient, SupportEnvironment, server
from empathy_env.trace import Trace
from empathy_env.verification import verify


@contextmanager
def running(app):
    """Serve an application on a thread; yields its URL."""
    process = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=process.run)
    thread.start()
    while not process.started:
        assert thread.is_alive()
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{process.servers[0].sockets[0].getsockname()[1]}"
    finally:
        process.should_exit = True
        thread.join()


@contextmanager
def served(task, **options):
    """Serve talks of a task; yields the URL and the traces that ended."""
    traces = []
    with running(server(task, on_trace=traces.append, **options)) as url:
        yield url, traces


@pytest.fixture(scope="module")
def scripted():
    """A server of the settings that all adapters are tested with."""
    with served(Task(**SETTINGS)) as (url, traces):
        yield url, traces


async def played(url, replies, **reset):
    """Play one talk; return all that the client saw."""
    async with SupportClient(url) as env:
        results = [await env.reset(**reset)]
        for reply in replies:
            results.append(await env.step(SupportAction(message=reply)))
            if results[-1].done:
                break
        return results


async def together(url):
    talks = zip(ROWS, REPLIES, strict=True)
    return await asyncio.gather(*(played(url, replies, scenario=row) for row, replies in talks))


def test_a_scripted_policy_makes_the_same_records_as_gym_make(scripted):
    url, traces = scripted
    traces.clear()
    asyncio.run(together(url))
    wanted = sorted(want.record for want in expected())
    assert sorted(map(record, traces)) == wanted
    assert all(verify(trace).consistent for trace in traces)


def test_what_the_client_sees_is_the_chat_the_rewards_and_the_end(scripted):
    for results, want in zip(asyncio.run(together(scripted[0])), expected(), strict=True):
        assert [result.reward for result in results] == [None, *want.rewards]
        assert [result.done for result in results] == [False] * (len(results) - 1) + [True]
        last = results[-1].observation
        assert last.messages == want.messages
        assert last.utterance == want.messages[-1]["content"]
        assert last.outcome == want.trace.outcome
        assert (last.turn, last.metadata) == (len(want.rewards), {})
        assert (last.done, last.reward) == (True, want.rewards[-1])


def test_sixteen_sessions_are_under_way_at_once_and_do_not_mix():
    with StubServer(Answer(held=True)) as users:
        task = Task(user=f"openai:user@{users.url}", max_turns=1)
        with served(task, sessions=16) as (url, _):

            async def run():
                talks = [
                    asyncio.create_task(played(url, ["What happened?"], seed=seed))
                    for seed in range(16)
                ]
                await asyncio.to_thread(users.wait_for, 16)
                users.answer = failing(400)
                users.release()
                return await asyncio.gather(*talks, return_exceptions=True)

            results = asyncio.run(run())
    assert users.peak == 16
    assert all(isinstance(result, RuntimeError) for result in results)


def test_sixteen_sessions_each_play_the_talk_of_their_seed(scripted):
    url, traces = scripted
    traces.clear()

    async def run():
        said = ["That sounds hard. What happened?"] * 4
        return await asyncio.gather(*(played(url, said, seed=seed) for seed in range(16)))

    results = asyncio.run(run())
    assert sorted(trace.scenario.seed for trace in traces) == list(range(16))
    task = Task(**SETTINGS)
    for seed, [first, *_] in enumerate(results):
        assert first.observation.utterance == task.open(seed=seed).utterance


def test_members_of_a_group_share_the_start_and_the_noise(scripted):
    url, traces = scripted
    traces.clear()

    async def run():
        said = ["What happened?"] * 4
        await asyncio.gather(*(played(url, said, seed=3, member=member) for member in range(4)))

    asyncio.run(run())
    assert sorted(trace.scenario.member for trace in traces) == [0, 1, 2, 3]
    assert len({(trace.opening, trace.start, trace.turns) for trace in traces}) == 1


def test_resets_without_a_seed_go_through_the_seeds():
    async def run(url):
        async with SupportClient(url) as env:
            return [(await env.reset()).observation.utterance for _ in range(3)]

    with served(Task(personas="split:dev"), seed=7) as (url, _):
        openings = asyncio.run(run(url))
    assert openings == [Task(personas="split:dev").open(seed=seed).utterance for seed in (7, 8, 9)]


def test_text_of_any_kind_comes_through(scripted):
    said = "Ça va? — “quoted” 😀\n\n日本語 \u202e\x00 ~\\\"'{}"
    [_, result] = asyncio.run(played(scripted[0], [said], seed=1))
    heard = Task(**SETTINGS).open(seed=1)
    heard.say(said)
    assert result.observation.messages == heard.messages


LATENT = {
    *("need", "needs", "emotion", "mood", "trust", "heard", "met", "strain", "evidence", "acts"),
    *("private", "raw", "persona", "scenario", "difficulty", "facts", "told", "answers"),
}


def keys_and_texts(value):
    """Yield every key and every text of a JSON value."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield "key", key
            yield from keys_and_texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from keys_and_texts(part)
    elif isinstance(value, str):
        yield "text", value


def test_what_it_says_of_itself_is_the_same_in_a_talk():
    env = SupportEnvironment(Task(**SETTINGS))
    before = env.get_metadata()
    env.reset(seed=1)
    env.step(SupportAction(message="What was that like?"))
    assert env.get_metadata() == before


async def payloads(url, row, replies):
    """Return everything that a server sends in one talk, and everything that it tells of itself."""
    found = []
    async with connect(f"{url.replace('http', 'ws')}/ws") as socket:
        asked = [{"type": "reset", "data": {"scenario": row, "episode_id": "mine"}}]
        asked += [{"type": "step", "data": {"message": reply}} for reply in replies]
        for message in [*asked, {"type": "state"}]:
            await socket.send(json.dumps(message))
            found.append(json.loads(await socket.recv()))
    async with ClientSession(url) as http:
        for path in ("/state", "/metadata", "/schema", "/health", "/list_environments"):
            async with http.get(path) as response:
                assert response.status == 200, path
                found.append(await response.json())
        async with http.post("/reset", json={"scenario": row}) as response:
            found.append(await response.json())
    return found


@pytest.mark.parametrize("number", range(4))
def test_no_payload_holds_anything_that_the_agent_must_not_know(scripted, number):
    scenario, row, want = SCENARIOS[number], ROWS[number], expected()[number]
    found = asyncio.run(payloads(scripted[0], row, REPLIES[number][: len(want.rewards)]))
    keys = {text for kind, text in keys_and_texts(found) if kind == "key"}
    assert {"utterance", "messages", "reward", "step_count"} <= keys
    assert not keys & LATENT
    whole = json.dumps(found, ensure_ascii=False)
    for hidden in (scenario.need, scenario.persona.id, SECRET):
        assert hidden not in whole
    said = " ".join(message["content"] for message in want.messages)
    hidden = hidden_texts(scenario)
    assert len(hidden) > 10
    assert not [text for text in hidden if text in whole and text not in said]
    about = json.dumps(found[-5:-1])
    assert not re.search(r"\b(need|needs|emotion|mood)\b", about, re.IGNORECASE)


def hidden_texts(scenario):
    """Return what the persona does not tell at once, in every wording, and what they feel."""
    persona, variant = scenario.persona, scenario.variant
    facts = [fact for fact in (*persona.facts, *variant.facts) if fact.gate is not None]
    texts = [item.text for item in (*facts, *persona.feelings)]
    texts += [text for belief in persona.beliefs for text in (belief.believes, belief.truth)]
    for item in (*facts, *persona.feelings, *persona.beliefs):
        texts += [item.says, *item.more]
    return texts


def test_a_fault_ends_the_talk_with_an_error_and_without_a_reward():
    with served(failing_task(max_turns=3)) as (url, traces):

        async def run():
            async with SupportClient(url) as env:
                await env.reset(seed=1)
                await env.step("What happened?")
                with pytest.raises(RuntimeError, match=r"TimedOut: this talk has no value"):
                    await env.step(CUE)
                with pytest.raises(RuntimeError, match="open a new one"):
                    await env.step("Hello?")
                return await env.reset(seed=2)

        assert asyncio.run(run()).observation.turn == 0
    [trace] = traces
    assert trace.fault["type"] == "TimedOut"
    assert len(trace.turns) == 1


def test_an_error_does_not_quote_what_the_users_model_wrote():
    leak = "her hidden reason is the lighthouse"
    with StubServer(leak) as users:
        task = Task(user=f"openai:user@{users.url}")
        with served(task) as (url, [*_]), pytest.raises(RuntimeError) as failed:
            asyncio.run(played(url, ["What happened?"], seed=1))
    assert "lighthouse" not in str(failed.value)


def test_mistakes_are_named(scripted):
    async def run():
        async with SupportClient(scripted[0]) as env:
            with pytest.raises(RuntimeError, match="reset first"):
                await env.step("Hello?")
            with pytest.raises(RuntimeError, match=r"reset got \['sede'\]: give"):
                await env.reset(sede=1)
            with pytest.raises(RuntimeError, match="missing fields"):
                await env.reset(scenario={"seed": 1})
            return await env.state()

    assert asyncio.run(run()) == State(episode_id=None, step_count=0)


def test_a_client_that_knows_no_types_can_play(scripted):
    async def run():
        async with GenericEnvClient(base_url=scripted[0]) as env:
            await env.reset(seed=5, episode_id="mine")
            result = await env.step({"message": "What happened?"})
            return result, await env.state()

    result, state = asyncio.run(run())
    assert result.observation["turn"] == 1
    assert state == {"episode_id": "mine", "step_count": 1}


def test_a_client_without_asyncio_can_play(scripted):
    with SupportClient(scripted[0]).sync() as env:
        env.reset(seed=1)
        assert env.step("What happened?").observation.turn == 1


def test_the_environment_plays_without_a_server_as_nemo_gym_drives_it():
    env = SupportEnvironment()
    first = env.reset(seed=1)
    result = env.step(SupportAction(message="What happened?"))
    assert first.reward is None
    assert result.model_dump()["turn"] == env.state.step_count == 1
    env.close()


def test_the_users_backend_is_closed_with_the_server(monkeypatch):
    closed, task = [], failing_task()

    async def aclose():
        closed.append(True)

    monkeypatch.setattr(task.backend, "aclose", aclose)
    with served(task):
        assert not closed
    assert closed == [True]


def test_several_people_are_played_like_one():
    with served(Task(cast="all", max_turns=1)) as (url, traces):
        [_, result] = asyncio.run(played(url, ["That sounds hard for both of you."], seed=1))
    assert result.done
    assert len(traces[0].scenario.people) > 1


def test_openenvs_own_check_passes(scripted):
    command = Path(sys.executable).with_name("openenv")
    done = subprocess.run(
        [command, "validate", "--url", scripted[0]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


PAGE = (Path(__file__).parents[2] / "docs" / "adapters" / "openenv.md").read_text("utf-8")


def block(name):
    """Return a file that the page shows."""
    return re.search(rf"^```text\n(# {name}\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]


def test_the_pages_server_and_client_play_and_keep_the_traces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = {}
    exec(block("talks.py"), page)
    Path("client.py").write_text(block("client.py"), "utf-8")
    with running(page["app"]) as url:
        done = subprocess.run(
            [sys.executable, "client.py", url], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 16
    traces = [Trace.from_json(line) for line in Path("talks.jsonl").read_text("utf-8").splitlines()]
    assert sorted(trace.scenario.seed for trace in traces) == list(range(16))
    assert all(verify(trace).consistent for trace in traces)
