"""Chat completions per second of the `openai` backend, beside a bare aiohttp loop and the SDK.

python benchmarks/backend_throughput.py [--requests 8192] [--in-flight 1024] [--rounds 3] [--json]

A stub server in a process of its own answers after 50 ms. Where the system allows it, the client
stays on one core and the server on another. The ways take turns, and each counts with its median
round, so that what else the machine does falls on all; ratios compare figures of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time

import aiohttp

from empathy_env.backends import Request, openai
from empathy_env.messages import from_system, from_user

STUB = Path(__file__).parents[1] / "tests" / "stub_server.py"
REQUEST = Request(
    "speak",
    (from_system("You are Mara. Speak as she would. " * 20), from_user("How was your day? " * 5)),
    seed=7,
)
Ask = Callable[[], Awaitable[object]]
Way = Callable[[str, int], Awaitable[tuple[Ask, Callable[[], Awaitable[object]]]]]


@contextmanager
def stub(latency: float) -> Iterator[str]:
    """Run the server on the last core and stay off it; give its URL."""
    command = [sys.executable, str(STUB), "--latency", str(latency)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        if hasattr(os, "sched_setaffinity"):
            first, *_, last = sorted(os.sched_getaffinity(0)) * 2
            os.sched_setaffinity(server.pid, {last})
            os.sched_setaffinity(0, {first})
        yield server.stdout.readline().strip() if server.stdout else ""
        server.communicate()


async def bare(url: str, in_flight: int):
    """Ask with aiohttp and nothing else: post JSON, read JSON."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    body = {"model": "m", "messages": REQUEST.messages, "max_tokens": 1024, "seed": REQUEST.seed}

    async def ask() -> object:
        async with session.post(f"{url}/chat/completions", json=body) as response:
            return (await response.json())["choices"][0]["message"]["content"]

    return ask, session.close


async def ours(url: str, in_flight: int):
    """Ask with the backend."""
    backend = openai("m", base_url=url, max_connections=in_flight)
    return (lambda: backend.complete_async(REQUEST)), backend.aclose


async def ours_streaming(url: str, in_flight: int):
    """Ask with the backend, and let the server stream."""
    backend = openai("m", base_url=url, max_connections=in_flight, stream=True)
    return (lambda: backend.complete_async(REQUEST)), backend.aclose


async def sdk(url: str, in_flight: int):
    """Ask with the openai SDK as it comes, over httpx."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=600)

    def ask() -> Awaitable[object]:
        return client.chat.completions.create(
            model="m", messages=list(REQUEST.messages), max_tokens=1024, seed=REQUEST.seed
        )

    return ask, client.close


async def one_round(way: Way, url: str, requests: int, in_flight: int) -> tuple[float, float]:
    """Return requests per second, and per second of the client's processor."""
    ask, close = await way(url, in_flight)
    await asyncio.gather(*(ask() for _ in range(in_flight)))  # opens the connections
    left = iter(range(requests))

    async def worker() -> None:
        for _ in left:
            await ask()

    started, busy = perf_counter(), process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    rates = requests / (perf_counter() - started), requests / (process_time() - busy)
    await close()
    return rates


def measured(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return the median rates of each way."""
    ways: dict[str, Way] = {"bare aiohttp": bare, "openai:": ours, "openai: stream": ours_streaming}
    if find_spec("openai"):
        ways["openai SDK"] = sdk
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    with stub(options.latency) as url:
        for _ in range(options.rounds):
            for name, way in ways.items():
                requests = options.requests // (4 if way is sdk else 1)
                rate = asyncio.run(one_round(way, url, requests, options.in_flight))
                rates[name].append(rate)
    medians = {
        name: [statistics.median(column) for column in zip(*found, strict=True)]
        for name, found in rates.items()
    }
    base = medians["bare aiohttp"][0]
    return {
        name: {
            "requests_per_second": round(wall),
            "requests_per_cpu_second": round(busy),
            "of_bare_aiohttp": round(wall / base, 2),
        }
        for name, (wall, busy) in medians.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=8192, help="in each round")
    parser.add_argument("--in-flight", type=int, default=1024)
    parser.add_argument("--latency", type=float, default=0.05, help="of the server, in seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measured(options)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{'':16}{'requests/s':>12}{'per CPU s':>12}{'of bare':>9}")
    for name, row in figures.items():
        print(f"{name:16}" + "{:12,}{:12,}{:9.2f}".format(*row.values()))


if __name__ == "__main__":
    main()
