"""The adapter of verifiers v1, driven as its evaluation and prime-rl drive it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
import verifiers.v1 as vf
from conformance import REPLIES, ROWS, SECRET, SETTINGS, expected, record, reply_to
from stub_server import Answer, StubServer, failing
from verifiers.v1.utils.loaders import load_environment, resolve_env_config

from empathy_env.adapters.verifiers import trace_of
from empathy_env.verification import verify

ID = "empathy-env-verifiers"


@asynccontextmanager
async def served(agent=None, **taskset):
    config = {"taskset": {"id": ID, **taskset}, "agent": agent or {}}
    env = load_environment(resolve_env_config(config))
    async with env.serving():
        yield env


def context(url):
    return vf.ModelContext(model="policy", client=vf.EvalClientConfig(base_url=url))


async def _episodes(url, settings, tasks=None):
    async with served(**settings) as env:
        chosen = list(env.taskset if tasks is None else env.taskset.take(tasks))
        runs = (env.run_episode(task, context(url)) for task in chosen)
        return await asyncio.gather(*runs)


def episodes(url, tasks=None, **settings):
    return asyncio.run(_episodes(url, settings, tasks))


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), "utf-8")
    return str(path)


@pytest.fixture
def played(rows):
    with StubServer(lambda body: reply_to(body["messages"])) as stub:
        return episodes(stub.url, rows=rows, settings=SETTINGS), stub


def test_x(played):
    es, stub = played
    for e in es:
        print(e.ok, e.errors and e.errors[0].message[:2000])
        print([t.reward for t in e.traces], [(t.rewards, t.metrics, t.stop_condition, t.num_branches) for t in e.traces])
    print(len(stub.calls))
    assert [record(trace_of(e.traces[0])) for e in es] == [w.record for w in expected()]
