"""Wall time of a batch of talks through an adapter, over that of the bare driver.

python benchmarks/adapters.py --library skyrl [--talks 64] [--turns 8] [--rounds 7] [--json]

Groups of 8 talks, all under way at once, in a library's own loop where it can be installed here.
The user is a model behind a server in a process of its own that answers after 50 ms; each turn
asks it twice. The policy says the same words every turn and costs nothing, but where a library
wants it behind a server: that one answers at once, also from a process of its own. The bare driver
awaits `Episode.say_async` of all talks together. The two take turns, and both must be paid the
same for each talk.

What is printed: the fastest of the rounds and their ratio; the lowest and highest ratio within a
round; the seconds of the processor (medians), and what a turn costs of it beyond the bare driver.
`unshared_ratio` is made of these and of the server's answers, which follow each other in a talk:
the ratio on a machine that has nothing else to do. Where others keep the processor busy it is the
one to trust: seconds of the clock are then what the scheduler makes of them.

Run it where the library is, such as the environment of `nox -s light`. "vector" needs none.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "tests_adapters"), str(ROOT / "tests")]
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import gymnasium as gym  # noqa: E402
from rollout_throughput import server  # noqa: E402

from empathy_env import Task  # noqa: E402
from empathy_env.backends import openai  # noqa: E402
from empathy_env.scenario import Scenario  # noqa: E402

SAYS = "That sounds like a lot to carry. What was it like?"
GROUP = 8
ROOM = 100_000
"""Tokens that a talk may have: more than any has."""
Paid = list[float]
Play = Callable[[], Paid]
"""Plays the batch and returns what each talk was paid."""


@dataclass(frozen=True)
class Batch:
    """What is played."""

    talks: int
    turns: int
    user: str
    """Base URL of the user's model."""
    policy: str
    """Base URL of the policy."""

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of `Task`; the backend is a new one, which no event loop has used."""
        user = openai("m", base_url=self.user, max_connections=self.talks)
        # Paid each turn, so that a talk that is not the same is seen.
        return {"personas": "all", "user": user, "reward": "delta", "max_turns": self.turns}

    @property
    def task(self) -> Task:
        """What the talks are made of."""
        return Task(**self.settings)

    @property
    def scenarios(self) -> list[Scenario]:
        """Those of the talks: groups that share their start."""
        task = self.task
        return [
            task.scenario(seed, member=member)
            for seed in range(self.talks // GROUP)
            for member in range(GROUP)
        ]


def played(steps: Any) -> Any:
    """Run what a library's coroutine returns, on a loop of its own."""
    return asyncio.run(steps)


async def closing(task: Task, steps: Any) -> Any:
    """Await steps, and let go of the connections to the user's model."""
    try:
        return await steps
    finally:
        assert task.backend is not None
        await task.backend.aclose()


def bare(batch: Batch) -> Play:
    """Await every talk's turns with `Episode.say_async`."""
    scenarios = batch.scenarios

    def play() -> Paid:
        task = batch.task

        async def talk(scenario: Scenario) -> float:
            episode, paid = task.open(scenario=scenario), 0.0
            while not episode.done:
                paid += await episode.say_async(SAYS)
            return paid

        async def talks() -> Paid:
            return await asyncio.gather(*map(talk, scenarios))

        return played(closing(task, talks()))

    return play


def vector(batch: Batch) -> Play:
    """Step `gym.make_vec`."""
    rows = [scenario.to_row() for scenario in batch.scenarios]

    def play() -> Paid:
        envs: Any = gym.make_vec("EmpathyEnv/Support-v0", len(rows), **batch.settings)
        envs.reset(options={"scenarios": rows})
        paid = [0.0] * len(rows)
        while envs.active.any():
            _, rewards, *_ = envs.step([SAYS] * len(rows))
            paid = [total + float(reward) for total, reward in zip(paid, rewards, strict=True)]
        envs.close()
        return paid

    return play


def skyrl(batch: Batch) -> Play:
    """Run SkyRL's own loop, as its wheel has it."""
    import skyrl_gym
    import standins
    from chatml import END, encoded, tokenizer

    from empathy_env.adapters import skyrl

    generator, config = standins.skyrl()
    lines = ("generator.max_turns=100", f"generator.max_input_length={ROOM}")
    workers = f"environment.skyrl_gym.max_env_workers={batch.talks}"
    settings = config.from_cli_overrides([*lines, workers])
    ids = encoded(SAYS + END)
    answer = {"responses": [SAYS], "response_ids": [ids], "stop_reasons": ["stop"]}

    class Engine:
        async def generate(self, asked: Any, model: Any = None) -> Any:
            return {**answer, "response_logprobs": [[-1.0] * len(ids)]}

        async def finish_session(self, session: Any) -> None:
            pass

    rows = [{"scenario": json.dumps(one.to_row())} for one in batch.scenarios]

    def play() -> Paid:
        skyrl_gym.envs.registration.registry.pop("empathy", None)
        skyrl.register(batch.task)
        loop = generator(settings.generator, settings.environment.skyrl_gym, Engine(), tokenizer())
        names = ["empathy"] * len(rows)
        asked = {"prompts": [[]] * len(rows), "env_classes": names, "env_extras": rows}
        made = played(loop.generate(asked, disable_tqdm=True))
        loop.env_executor.shutdown()
        return [sum(rewards) for rewards in made["rewards"]]

    return play


def atropos(batch: Batch) -> Play:
    """Collect groups as `BaseEnv` does; its client of the policy's server is stood in for."""
    warnings.simplefilter("ignore")  # of libraries that Atropos imports
    from atroposlib.envs.server_handling.server_baseline import APIServerConfig
    from chatml import END, encoded, tokenizer

    from empathy_env.adapters.atropos import EmpathyEnv

    folder = tempfile.mkdtemp()
    tokenizer().save_pretrained(folder)
    ids = encoded(SAYS + END)
    rows = [scenario.to_row() for scenario in batch.scenarios if not scenario.member]

    class Policy:
        async def tokens_and_logprobs_completion(self, **asked: Any) -> Any:
            return [], [ids], [[-1.0] * len(ids)], ["stop"]

    def play() -> Paid:
        class Empathy(EmpathyEnv):
            task = held_out = batch.task

        lengths = {"group_size": GROUP, "max_token_length": ROOM, "turn_tokens": ROOM}
        config = Empathy.env_config_cls(tokenizer_name=folder, use_wandb=False, **lengths)
        where = {"base_url": batch.policy, "server_type": "vllm", "api_key": "x"}
        env = Empathy(config, [APIServerConfig(model_name=folder, health_check=False, **where)])
        env.server = Policy()

        async def groups() -> Any:
            return await asyncio.gather(*map(env.collect_trajectories, rows))

        made = played(closing(Empathy.task, groups()))
        return [score for group, _ in made for score in group["scores"]]

    return play


def openrlhf(batch: Batch) -> Play:
    """Await the executor as OpenRLHF's worker does."""
    import standins

    standins.openrlhf()
    from chatml import END, encoded, tokenizer

    from empathy_env.adapters.openrlhf import EmpathyExecutor

    ids = encoded(SAYS + END)
    likely = [{token: SimpleNamespace(logprob=-1.0)} for token in ids]
    one = SimpleNamespace(token_ids=ids, text=SAYS, logprobs=likely, finish_reason="stop")
    rows = [json.dumps(scenario.to_row()) for scenario in batch.scenarios]

    class Engine:
        async def generate(self, *asked: Any, **more: Any) -> Any:
            return SimpleNamespace(outputs=[one])

    def play() -> Paid:
        class AgentExecutor(EmpathyExecutor):
            task = batch.task

        executor, sampling = AgentExecutor(), SimpleNamespace(max_tokens=None, logprobs=1)

        async def talks() -> Any:
            return await asyncio.gather(
                *(executor.execute("", row, sampling, ROOM, tokenizer(), Engine()) for row in rows)
            )

        return [made["reward"] for made in played(closing(AgentExecutor.task, talks()))]

    return play


def verl(batch: Batch) -> Play:
    """Make a loop for each sample and await them together, as verl's worker does."""
    from chatml import END, encoded, tokenizer
    from omegaconf import OmegaConf
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap
    from verl.workers.rollout.replica import TokenOutput

    from empathy_env.adapters.verl import EmpathyLoop

    ids = encoded(SAYS + END)
    rollout = {"prompt_length": ROOM, "response_length": ROOM}
    config = OmegaConf.create({"actor_rollout_ref": {"rollout": rollout}, "data": {}})
    rows = [
        {"extra_info": {"scenario": json.dumps(one.to_row())}, "session_id": one.member}
        for one in batch.scenarios
    ]

    class Policy:
        async def generate(self, request_id: Any, **asked: Any) -> Any:
            return TokenOutput(token_ids=ids, log_probs=[-1.0] * len(ids), extra_fields={})

    def play() -> Paid:
        task = batch.task

        def loop() -> Any:
            return EmpathyLoop(
                DictConfigWrap(config=config),
                Policy(),
                tokenizer(),
                None,
                None,
                DictConfigWrap(config.data),
                task=task,
            )

        async def talks() -> Any:
            return await asyncio.gather(*(loop().run({}, raw_prompt=[], **row) for row in rows))

        return [made.reward_score for made in played(closing(task, talks()))]

    return play


def verifiers(batch: Batch) -> Play:
    """Run the library's episodes, which ask the policy through its own server in between."""
    import verifiers.v1 as vf
    from verifiers.v1.utils.loaders import load_environment, resolve_env_config

    logging.getLogger("verifiers").setLevel(logging.ERROR)

    def play() -> Paid:
        settings = {name: value for name, value in batch.settings.items() if name != "user"}
        settings["user"] = f"openai:m@{batch.user}"
        taskset = {"id": "empathy-env-verifiers", "tasks": batch.talks // GROUP}
        env = load_environment(resolve_env_config({"taskset": {**taskset, "settings": settings}}))
        context = vf.ModelContext(model="p", client=vf.EvalClientConfig(base_url=batch.policy))

        async def talks() -> Any:
            async with env.serving():
                runs = (env.run_episode(t, context) for t in env.taskset for _ in range(GROUP))
                return await asyncio.gather(*runs)

        return [episode.traces[0].reward for episode in played(talks())]

    return play


def openenv(batch: Batch) -> Play:
    """Play through clients and a server, both in this process, on a thread each."""
    import uvicorn

    from empathy_env.adapters.openenv import SupportClient, server

    rows = [scenario.to_row() for scenario in batch.scenarios]

    async def talk(url: str, row: Mapping[str, Any]) -> float:
        async with SupportClient(url) as env:
            result, paid = await env.reset(scenario=row), 0.0
            while not result.done:
                result = await env.step(SAYS)
                paid += result.reward or 0.0
            return paid

    async def talks(url: str) -> Paid:
        return await asyncio.gather(*(talk(url, row) for row in rows))

    def play() -> Paid:
        app = server(batch.task, sessions=batch.talks)
        running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        thread = threading.Thread(target=running.run)
        thread.start()
        while not running.started:
            thread.join(0.01)
        port = running.servers[0].sockets[0].getsockname()[1]
        made = played(talks(f"http://127.0.0.1:{port}"))
        running.should_exit = True
        thread.join()
        return made

    return play


def trl(batch: Batch) -> Play:
    """Let TRL's trainer make a batch to learn from; what its model would sample is stood in for."""
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    sys.path.append(str(ROOT / "tests_adapters" / "trl"))
    from chatml import END, encoded
    from policy import trainer

    ids = encoded(SAYS + END)
    each = {"num_generations": GROUP, "per_device_train_batch_size": batch.talks}
    room = {"max_completion_length": ROOM, "generation_kwargs": {"max_new_tokens": len(ids)}}
    one = trainer(tempfile.mkdtemp(), batch.task, **each, **room)
    one._generate_single_turn = lambda prompts, *options: ([ids for _ in prompts], None)
    task = batch.task
    rows = [
        {"prompt": task.open(scenario=scenario).messages, "scenario": json.dumps(scenario.to_row())}
        for scenario in batch.scenarios
    ]

    def play() -> Paid:
        one._generate_and_score_completions(rows)
        return [talk.get_reward() for talk in one.environments]

    return play


def torchrl(batch: Batch) -> Play:
    """Roll out an environment of torchrl with a policy that is a function."""
    import torch
    from chatml import END, encoded, tokenizer
    from tensordict import TensorDict, lazy_stack

    from empathy_env.adapters.torchrl import TalkEnv

    ids = torch.tensor(encoded(SAYS + END))
    known = torch.full(ids.shape, -1.0)
    said = {"tokens": {"response": ids}, "log_probs": {"response": known}}
    seeds = range(batch.talks // GROUP)

    def policy(tensordict: Any) -> Any:  # of another name, it would be handed the entries
        return tensordict.update(lazy_stack([TensorDict(said) for _ in range(batch.talks)]))

    def play() -> Paid:
        groups = {"groups": len(seeds), "group_size": GROUP}
        env = TalkEnv(batch.task, tokenizer(), seeds=seeds, **groups)
        env.rollout(batch.turns, policy, break_when_any_done=False, break_when_all_done=True)
        return env.samples()["next", "reward"].flatten().tolist()

    return play


def art(batch: Batch) -> Play:
    """Gather groups as ART's user does; its wheel is read and its functions stood in for."""
    sys.path.insert(0, str(ROOT / "tests_adapters" / "art"))
    from conftest import gather_trajectory_groups, pytest_configure

    pytest_configure()
    from empathy_env.adapters.art import talks

    answer = SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content=SAYS))])

    async def create(**asked: Any) -> Any:
        return answer

    client = SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)))
    model = SimpleNamespace(openai_client=lambda: client, get_inference_name=lambda: "p")
    starts = [scenario for scenario in batch.scenarios if not scenario.member]

    def play() -> Paid:
        task = batch.task
        groups = (talks(task, model, start, GROUP) for start in starts)
        made = played(closing(task, gather_trajectory_groups(groups)))
        return [one.reward for group in made for one in group.trajectories]

    return play


LIBRARIES: dict[str, Callable[[Batch], Play]] = {
    "vector": vector,
    "skyrl": skyrl,
    "atropos": atropos,
    "openrlhf": openrlhf,
    "verl": verl,
    "verifiers": verifiers,
    "openenv": openenv,
    "trl": trl,
    "torchrl": torchrl,
    "art": art,
}


@contextmanager
def at_once() -> Iterator[str]:
    """Run the policy's server; give its URL."""
    command = [sys.executable, str(ROOT / "tests" / "stub_server.py"), "--text", SAYS]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        yield child.stdout.readline().strip() if child.stdout else ""
        child.communicate()


def timed(play: Play) -> tuple[float, float, Paid]:
    """Return the seconds of the clock and of the processor that a batch takes, and its pay."""
    gc.collect()
    started, busy = perf_counter(), process_time()
    paid = play()
    return perf_counter() - started, process_time() - busy, paid


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return medians over the rounds, and the lowest and the highest ratio."""
    with at_once() as policy, server(options.latency) as user:
        batch = Batch(options.talks, options.turns, user, policy)
        ways = (bare(batch), LIBRARIES[name](batch))
        for play in ways:
            play()  # what is done once: imports, caches
        rounds = [tuple(map(timed, ways)) for _ in range(options.rounds)]
    for own, adapted in rounds:
        worst = max(abs(one - two) for one, two in zip(own[2], adapted[2], strict=True))
        assert worst < 1e-6, f"talks through {name} are not paid the same: {worst}"
    ratios = [adapted[0] / own[0] for own, adapted in rounds]
    fastest = [min(row[way][0] for row in rounds) for way in (0, 1)]
    busy = [statistics.median(row[way][1] for row in rounds) for way in (0, 1)]
    waited = 2 * options.turns * options.latency
    return {
        "library": name,
        "bare_seconds": fastest[0],
        "seconds": fastest[1],
        "ratio": fastest[1] / fastest[0],
        "lowest": min(ratios),
        "highest": max(ratios),
        "bare_cpu_seconds": busy[0],
        "cpu_seconds": busy[1],
        "cpu_ms_per_turn": 1000 * (busy[1] - busy[0]) / (options.talks * options.turns),
        "unshared_ratio": (waited + busy[1]) / (waited + busy[0]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", choices=LIBRARIES, action="append", required=True)
    parser.add_argument("--talks", type=int, default=64, help="all at once; groups of 8")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.talks % GROUP:
        parser.error(f"--talks {options.talks} is no multiple of {GROUP}")
    for name in options.library:
        row = measured(name, options)
        rounded = {k: v if isinstance(v, str) else round(v, 3) for k, v in row.items()}
        if options.json:
            print(json.dumps(rounded), flush=True)
            continue
        for field, value in rounded.items():
            print(f"{field:18} {value:>10}", flush=True)


if __name__ == "__main__":
    main()
