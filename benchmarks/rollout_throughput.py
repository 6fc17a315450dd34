"""Wall time of many concurrent episodes, beside bare loops that send the same requests.

python benchmarks/rollout_throughput.py [--episodes 1024] [--rounds 3] [--collect-often] [--json]

A stub server in a process of its own answers after 50 ms. Where the system allows it, the client
stays on one core and the server on another. Each turn asks twice: the model appraiser and the
model speaker (or, with --parts small, two that do nothing but ask: what is left is the kernel).
Their requests are noted beforehand, and (a) a bare loop sends them through the same
backend, (b) a bare aiohttp loop posts the same fields, (c) the rollouts ask them. The three take
turns; what each round's ratios come to is printed with the medians. Then, without a server, the
memory of an episode is measured while all of them wait for their last reply.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import os
import pstats
import statistics
import subprocess
import sys
import tracemalloc
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Literal

import aiohttp

from empathy_env import Agent, Task
from empathy_env.acts import Reading
from empathy_env.backends import AsyncBackend, Backend, Reply, Request, ScriptedBackend, openai
from empathy_env.commands.rollout import COLLECTIONS
from empathy_env.messages import from_user
from empathy_env.rollout import rollouts_async
from empathy_env.speaker import Moment, Speech

FIRST = "long slow grey heavy quiet odd cold loud busy empty late early dull raw thin".split()
SECOND = "tiring strange lonely crowded dusty damp noisy windy sour plain rough tense bleak".split()
HEARS = (
    "That sounds like a lot to carry. What was it like?",
    "I am still listening. What happened then?",
    "What would help you to sleep a little?",
)
Requests = Sequence[Sequence[Request]]
Way = Callable[[], Awaitable[int]]


def reply(schema: object, seed: int) -> str:
    """Return what the model says: neutral, so that the talk goes on to its last turn."""
    if schema:
        return '{"evidence": []}'
    first, second = FIRST[seed % len(FIRST)], SECOND[seed // len(FIRST) % len(SECOND)]
    return f"It has been {first} and then {second} again, more or less."


def act(messages: Sequence[object], rng: object) -> str:
    """Return what the agent says."""
    return HEARS[len(messages) // 2 % len(HEARS)]


AGENT = Agent("benchmark", "Says the same things.", False, act)


class SmallAppraiser:
    """Asks, and finds nothing."""

    name = "small"

    def appraise(self, utterance: str, context: object) -> Generator[Request, Reply, Reading]:
        """Ask one short question."""
        yield Request("appraise", (from_user(utterance),))
        return Reading(())


class SmallSpeaker:
    """Asks, and says what it is told."""

    name = "small"

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        """Ask one short question."""
        reply = yield Request("speak", (from_user(moment.heard),))
        return Speech(reply.text, "neutral", (reply.text,))


Parts = Literal["model", "small"]


def task_of(backend: Backend, turns: int, parts: Parts) -> Task:
    """Return talks in which the model appraises and speaks, or in which somebody small asks it."""
    if parts == "model":
        return Task(personas="all", user=backend, max_turns=turns)
    return Task(
        personas="all",
        user=backend,
        appraiser=SmallAppraiser(),
        speaker=SmallSpeaker(),
        max_turns=turns,
    )


def requests_of(episodes: int, turns: int, parts: Parts) -> Requests:
    """Return what each episode asks, in its order."""
    asked: dict[str, list[Request]] = defaultdict(list)

    def answer(request: Request) -> str:
        asked[request.origin.rsplit("/", 3)[0]].append(request)
        return reply(request.schema, request.seed)

    task = task_of(ScriptedBackend(answer), turns, parts)
    asyncio.run(taken(task, episodes, episodes))
    return list(asked.values())


async def taken(task: Task, episodes: int, concurrency: int) -> int:
    """Play the episodes and return how many turns they had."""
    scenarios = (task.scenario(seed) for seed in range(episodes))
    traces = rollouts_async(task, AGENT, scenarios, concurrency=concurrency)
    return sum([len(trace.turns) async for trace in traces])


async def through_backend(backend: Backend, requests: Requests) -> int:
    """Send each episode's requests one after the other, all episodes at once."""

    async def one(asked: Sequence[Request]) -> None:
        for request in asked:
            await backend.complete_async(request)

    await asyncio.gather(*(one(asked) for asked in requests))
    await backend.aclose()
    return sum(map(len, requests))


async def through_aiohttp(url: str, requests: Requests) -> int:
    """Do the same with aiohttp and nothing else: post JSON, read JSON."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(asked: Sequence[Request]) -> None:
            for request in asked:
                body = {"model": "m", "messages": request.messages, "seed": request.seed}
                if request.schema:
                    schema = {"name": "reply", "schema": request.schema, "strict": True}
                    body["response_format"] = {"type": "json_schema", "json_schema": schema}
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    (await response.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*(one(asked) for asked in requests))
    return sum(map(len, requests))


@contextmanager
def server(latency: float) -> Iterator[str]:
    """Run the server on the last core and stay off it; give its URL."""
    command = [sys.executable, __file__, "--serve", str(latency)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        if hasattr(os, "sched_setaffinity"):
            first, *_, last = sorted(os.sched_getaffinity(0)) * 2
            os.sched_setaffinity(child.pid, {last})
            os.sched_setaffinity(0, {first})
        yield child.stdout.readline().strip() if child.stdout else ""
        child.communicate()


async def serve(latency: float) -> None:
    """Answer until the input ends."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from stub_server import StubServer

    stub = StubServer(
        lambda body: reply(body.get("response_format"), body["seed"]), latency=latency, log=False
    )
    await stub.start()
    print(stub.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await stub.stop()


def timed(way: Way) -> tuple[float, float]:
    """Return the seconds of the clock and of the processor that a way takes."""
    gc.collect()
    started, busy = perf_counter(), process_time()
    asyncio.run(way())  # pyright: ignore[reportArgumentType] - all ways are coroutines
    return perf_counter() - started, process_time() - busy


def measured(options: argparse.Namespace, requests: Requests) -> dict[str, float]:
    """Return medians over the rounds."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with server(options.latency) as url:

        def backend() -> Backend:
            return openai("m", base_url=url, max_connections=options.episodes)

        ways: dict[str, Way] = {
            "backend": lambda: through_backend(backend(), requests),
            "aiohttp": lambda: through_aiohttp(url, requests),
            "rollouts": lambda: taken(
                task_of(backend(), options.turns, options.parts),
                options.episodes,
                options.episodes,
            ),
        }
        if options.profile:
            profiled(ways["rollouts"])
        for _ in range(options.rounds):
            for name, way in ways.items():
                found[name].append(timed(way))
    return figures(found)


def figures(found: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    """Return the medians, and the ratios within each round."""
    row: dict[str, float] = {}
    for name, rounds in found.items():
        row[f"{name}_seconds"] = statistics.median(wall for wall, _ in rounds)
        row[f"{name}_cpu_seconds"] = statistics.median(busy for _, busy in rounds)
    for base in ("backend", "aiohttp"):
        for index, kind in enumerate(("wall", "cpu")):
            pairs = zip(found["rollouts"], found[base], strict=True)
            ratios = [ours[index] / theirs[index] for ours, theirs in pairs]
            row[f"{kind}_to_{base}"] = statistics.median(ratios)
    return row


def profiled(way: Way) -> None:
    """Print where the time of the rollouts goes."""
    with cProfile.Profile() as profile:
        asyncio.run(way())  # pyright: ignore[reportArgumentType]
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(40)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("cumtime").print_stats(60)


class Waiting(AsyncBackend):
    """Answers at once, up to the last request of each episode; these wait for each other."""

    name = "waiting"

    def __init__(self, episodes: int, turns: int):
        self._left = episodes
        self._last = f"/{turns}/speak/0"
        self._all = asyncio.Event()
        self.bytes = 0

    async def complete_async(self, request: Request) -> Reply:
        """Answer, and measure when the last one is here."""
        if request.origin.endswith(self._last):
            self._left -= 1
            if self._left == 0:
                gc.collect()
                self.bytes = tracemalloc.get_traced_memory()[0]
                self._all.set()
            await self._all.wait()
        return Reply(reply(request.schema, request.seed))


def memory(episodes: int, turns: int, parts: Parts) -> float:
    """Return the kilobytes that a live episode holds in its last turn."""
    asyncio.run(taken(task_of(Waiting(1, turns), turns, parts), 40, 1))  # what all episodes share
    backend = Waiting(episodes, turns)
    task = task_of(backend, turns, parts)
    gc.collect()
    tracemalloc.start()
    asyncio.run(taken(task, episodes, episodes))
    tracemalloc.stop()
    return backend.bytes / episodes / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=1024, help="all at once")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--parts", choices=["model", "small"], default="model", help="who asks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument(
        "--collect-often", action="store_true", help="leave the garbage collector as it is"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return
    if not options.collect_often:
        gc.set_threshold(*COLLECTIONS)  # as `empathy-env rollout` does
    requests = requests_of(options.episodes, options.turns, options.parts)
    row = {"requests": sum(map(len, requests)), "episodes": len(requests)}
    row |= measured(options, requests)
    row["kilobytes_per_live_episode"] = memory(options.episodes, options.turns, options.parts)
    rounded = {name: round(value, 2) for name, value in row.items()}
    if options.json:
        print(json.dumps(rounded))
        return
    for name, value in rounded.items():
        print(f"{name:28} {value:>10,}")


if __name__ == "__main__":
    main()
