"""Verifiers v1 (extra `verifiers`): a taskset, its environment and its harness; so prime-rl too.

    [env.taskset]
    id = "empathy-env-verifiers"
    settings = { personas = "split:train", difficulty = "moderate" }

The library keeps the chat, the tokens and the groups; users are awaited on its event loop.
"""

# verifiers is not there when the package is checked.
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUntypedBaseClass=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Final

import aiohttp

from empathy_env.episode import Episode, Task
from empathy_env.errors import Cancelled, Fault, InvalidArgument, MissingExtra
from empathy_env.messages import from_system
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace

try:
    import verifiers.v1 as vf
    from verifiers.v1.dialects.chat import message_to_wire
except ImportError as error:
    raise MissingExtra.of("empathy_env.adapters.verifiers:", "verifiers") from error

__all__ = ["EmpathyEnv", "EmpathyHarness", "EmpathyTaskset", "trace_of"]

TRACE: Final = "empathy_trace"
"""Where in `info` of the library's trace the episode's own is, as its line of JSON."""


class EmpathyTasksetConfig(vf.TasksetConfig):
    """Which scenarios there are, and how they are played."""

    settings: dict[str, Any] = {}
    """Arguments of `empathy_env.episode.Task`, but for the system prompt."""
    seed: int = 0
    """Of the first task; each further one has the next."""
    tasks: int | None = None
    """How many there are; None never ends."""
    rows: Path | None = None
    """Or a file of scenarios, in each line the JSON of `Scenario.to_row`."""


class EmpathyData(vf.TaskData):
    """What a task of the library holds beside its instructions; the agent is not shown it."""

    scenario: dict[str, Any]


class EmpathyTask(vf.Task[EmpathyData]):
    """A scenario. The environment pays for it, turn by turn."""


class EmpathyTaskset(vf.Taskset[EmpathyTask, EmpathyTasksetConfig]):
    """Scenarios, by seed or from a file."""

    def __init__(self, config: EmpathyTasksetConfig):
        super().__init__(config)
        own = {} if self.system_prompt is None else {"system_prompt": self.system_prompt}
        self.system_prompt = None  # it is in each task, and the scaffold's part with it
        self.game = Task(**config.settings, **own)
        self.INFINITE = config.rows is None and config.tasks is None

    def load(self) -> Iterator[EmpathyTask]:
        """Yield the tasks in their order."""
        told = self.game.system_prompt
        for scenario in self._scenarios():
            one = EmpathyData(
                name=scenario.episode_id, system_prompt=told, scenario=scenario.to_row()
            )
            yield EmpathyTask(one, self.config.task)

    def _scenarios(self) -> Iterable[Scenario]:
        first, tasks, rows = self.config.seed, self.config.tasks, self.config.rows
        if rows is not None:
            lines = filter(str.strip, rows.read_text("utf-8").split("\n"))
            return (self.game.open(scenario=json.loads(line)).talk.room.scenario for line in lines)
        return map(
            self.game.scenario, count(first) if tasks is None else range(first, first + tasks)
        )


class EmpathyEnvConfig(vf.EnvConfig):
    """One seat: the policy, which needs no sandbox."""

    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class EmpathyEnv(vf.Env[EmpathyEnvConfig]):
    """Each talk is an episode of the library with one trace, and its reward what it was paid."""

    def __init__(self, config: EmpathyEnvConfig):
        super().__init__(config)
        self.members: Counter[str] = Counter()

    async def run(self, task: EmpathyTask, agents: Any) -> None:
        """Play a talk to its end.

        Raises:
            Fault: If machinery failed, or a limit of the library ended the talk; the library then
                drops the episode.
            InvalidArgument: If the chat template changes earlier turns.
        """
        episode = self._opened(task)
        async with agents.agent.interaction(task) as talk:
            try:
                while not episode.done:
                    await episode.say_async(await _said(talk, episode.utterance))
            except Fault as fault:
                episode.accept(fault)
                raise
            finally:
                _note(talk.trace, episode)
        for name, values in episode.trace.rewards.items():
            total = sum(value or 0.0 for value in values)
            talk.trace.record_reward(name, total, episode.trace.weights[name])

    def _opened(self, task: EmpathyTask) -> Episode:
        """Open a talk; those of one task share the start, and `member` tells them apart."""
        scenario = Scenario.from_row(task.data.scenario)
        member = scenario.member + self.members[task.key]
        self.members[task.key] += 1
        talk, told = (
            self.taskset.game.begin(replace(scenario, member=member)),
            task.data.system_prompt,
        )
        if told != talk.room.system_prompt:  # who searches for instructions puts in others
            system = () if told is None else (from_system(told),)
            room = replace(talk.room, system_prompt=told)
            talk = replace(talk, room=room, messages=(*system, *talk.spoken))
        return Episode(self.taskset.game, talk)

    async def stop(self) -> None:
        """Close the connections to the user's model."""
        if self.taskset.game.backend is not None:
            await self.taskset.game.backend.aclose()


async def _said(talk: Any, utterance: str) -> str:
    """Return what the agent writes, its thought as text again where the library took it out."""
    segment, trace = await talk.turn(utterance), talk.trace
    if segment.terminated:
        why = trace.last_error or trace.stop_condition
        raise Cancelled(f"the agent's side ended before the talk did, which has no value: {why}")
    if trace.num_branches > 1:
        raise InvalidArgument(
            "the chat template changes earlier turns, so that one talk would be several samples: "
            "give a renderer, or a template, that keeps them (thoughts included) as they are"
        )
    message = segment.messages[-1]
    thought = message.reasoning_content
    return (f"<think>{thought}</think>" if thought else "") + (message.content or "")


def _note(trace: Any, episode: Episode) -> None:
    """Keep the record, whatever becomes of the episode; it is unscored as yet."""
    named = replace(episode.trace, agent=trace.agent.config.model or "")
    trace.rewards |= dict.fromkeys(named.rewards)
    trace.info |= {TRACE: named.to_json(), "turn_rewards": episode.rewards}
    trace.record_metric("turns", episode.turn)


def trace_of(trace: Any) -> Trace:
    """Return the episode's own trace, for `verify`, reports and measures."""
    return Trace.from_json(trace.info[TRACE])


class EmpathyHarness(vf.Harness[vf.HarnessConfig]):
    """Asks for one reply a turn, in this process."""

    APPENDS_SYSTEM_PROMPT: ClassVar[bool] = True
    SUPPORTS_RESUME: ClassVar[bool] = True
    EXECUTES_CODE: ClassVar[bool] = False
    NEEDS_CONTAINER: ClassVar[bool] = False

    async def launch(
        self,
        ctx: Any,
        trace: Any,
        runtime: Any,
        endpoint: str,
        secret: str,
        mcp_urls: Any,
        data: Any,
    ) -> Any:
        """Ask for the reply to the chat so far; the library records it on its way."""
        system, messages = self.resolve_prompt(data)
        chat: list[Any] = [] if system is None else [from_system(system)]
        body = {"model": ctx.model, "messages": chat + [*map(message_to_wire, messages or ())]}
        headers = {"Authorization": f"Bearer {secret}"}
        forever = aiohttp.ClientTimeout(total=None)  # the library has limits of its own
        async with (
            aiohttp.ClientSession(timeout=forever, headers=headers) as session,
            session.post(f"{endpoint}/chat/completions", json=body) as response,
        ):
            return vf.ProgramResult(int(response.status != 200), "", await response.text())
