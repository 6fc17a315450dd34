"""Verifiers v1 (extra `verifiers`), and so prime-rl: a taskset, its environment, its harness."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUntypedBaseClass=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from empathy_env.adapters.rendering import TurnsKept
from empathy_env.episode import Episode, Task
from empathy_env.errors import Cancelled, Fault, InvalidArgument, MissingExtra
from empathy_env.messages import from_system
from empathy_env.scenario import Scenario

try:
    import verifiers.v1 as vf
    from verifiers.v1.dialects.chat import message_to_wire
except ImportError as error:
    raise MissingExtra.of("empathy_env.adapters.verifiers:", "verifiers") from error

__all__ = ["EmpathyEnv", "EmpathyHarness", "EmpathyTaskset"]


class EmpathyConfig(vf.TasksetConfig):
    """Scenarios: `tasks` seeds from `seed` on, or a file of `rows`; `settings` are of `Task`."""

    settings: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies it
    seed: int = 0
    tasks: int | None = None
    rows: Path | None = None


class EmpathyData(vf.TaskData):
    """A task as the library keeps it; the agent is shown the system prompt of it, no more."""

    scenario: dict[str, Any]


class EmpathyTask(vf.Task[EmpathyData]):
    """A scenario, which the environment pays for."""


class EmpathyTaskset(vf.Taskset[EmpathyTask, EmpathyConfig]):
    """Scenarios as tasks."""

    def __init__(self, config: EmpathyConfig):
        super().__init__(config)
        if config.rows is not None and config.tasks is not None:
            raise InvalidArgument("Cannot have both rows= and tasks=: give one of them")
        told = {} if self.system_prompt is None else {"system_prompt": self.system_prompt}
        self.system_prompt = None  # each task has it, with the scaffold's part
        self.game = Task(**config.settings | told)
        self.members: defaultdict[str, Iterator[int]] = defaultdict(count)
        self.INFINITE = config.rows is None and config.tasks is None

    def load(self) -> Iterator[EmpathyTask]:
        """Yield the tasks in their order."""
        first, tasks, rows = self.config.seed, self.config.tasks, self.config.rows
        seeds = count(first) if tasks is None else range(first, first + tasks)
        lines = filter(str.strip, rows.read_text("utf-8").split("\n")) if rows else ()
        given = (self.game.open(scenario=json.loads(line)).trace.scenario for line in lines)
        for scenario in given if rows else map(self.game.scenario, seeds):
            told, row = self.game.system_prompt, scenario.to_row()
            yield EmpathyTask(EmpathyData(system_prompt=told, scenario=row), self.config.task)


class EmpathyEnvConfig(vf.EnvConfig):
    """One seat: the policy, which needs no sandbox."""

    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class EmpathyEnv(TurnsKept, vf.Env[EmpathyEnvConfig]):
    """Each talk is an episode of the library, with one trace."""

    async def run(self, task: EmpathyTask, agents: Any) -> None:
        """Play a talk to its end. After any error the library drops the episode.

        Raises:
            Fault: If machinery failed, or if a limit of the library ended the talk.
        """
        episode = self._opened(task)
        async with agents.agent.interaction(task) as talk:
            try:
                while not episode.done:
                    await episode.say_async(_said(await talk.turn(episode.utterance), talk.trace))
            except Fault as fault:
                episode.accept(fault)
                raise
            finally:  # the record is kept whatever happens; paid for is what ended well
                named = replace(episode.trace, agent=talk.trace.agent.config.model or "")
                talk.trace.rewards |= dict.fromkeys(named.rewards)
                talk.trace.info |= {"empathy": named.to_json(), "turn_rewards": episode.rewards}
        talk.trace.record_metric("samples", samples := talk.trace.num_branches)
        if samples > 1:  # although the renderer is one of `TurnsKept`
            warnings.warn(f"a talk became {samples} samples: text made other tokens", stacklevel=1)
        for name, values in named.rewards.items():
            talk.trace.record_reward(name, sum(filter(None, values)), named.weights[name])

    def _opened(self, task: EmpathyTask) -> Episode:
        """Open a talk; those of one task share the start, and `member` tells them apart."""
        scenario, told = Scenario.from_row(task.data.scenario), task.data.system_prompt
        member = scenario.member + next(self.taskset.members[task.key])
        talk = self.taskset.game.begin(replace(scenario, member=member))
        if told and told != talk.room.system_prompt:  # the library can search for better ones
            system, room = (from_system(told),), replace(talk.room, system_prompt=told)
            talk = replace(talk, room=room, messages=(*system, *talk.spoken))
        return Episode(self.taskset.game, talk)

    async def stop(self) -> None:
        """Close the connections to the user's model."""
        if self.taskset.game.backend is not None:
            await self.taskset.game.backend.aclose()


def _said(segment: Any, trace: Any) -> str:
    """Return what the agent wrote, a thought that was taken out of it put back in its place."""
    if segment.terminated:
        why = trace.last_error or trace.stop_condition
        raise Cancelled(f"the agent's side ended before the talk did, which has no value: {why}")
    thought, words = segment.messages[-1].reasoning_content, segment.messages[-1].content or ""
    return f"<think>{thought}</think>{words}" if thought else words


class EmpathyHarness(vf.Harness[vf.HarnessConfig]):
    """Asks for one reply a turn, in this process."""

    APPENDS_SYSTEM_PROMPT = SUPPORTS_RESUME = True
    EXECUTES_CODE = NEEDS_CONTAINER = False

    async def launch(self, ctx: Any, *rest: Any) -> Any:
        """Ask for the reply to the chat so far; the library records it on its way."""
        _trace, _runtime, endpoint, secret, _tools, data = rest
        system, messages = self.resolve_prompt(data)
        chat = [] if system is None else [from_system(system)]
        body = {"model": ctx.model, "messages": [*chat, *map(message_to_wire, messages or ())]}
        key, limit = {"Authorization": f"Bearer {secret}"}, aiohttp.ClientTimeout()  # none here
        async with (
            aiohttp.ClientSession(headers=key, timeout=limit) as session,
            session.post(f"{endpoint}/chat/completions", json=body) as reply,
        ):
            return vf.ProgramResult(int(reply.status != 200), "", await reply.text())
