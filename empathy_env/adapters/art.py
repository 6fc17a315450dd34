"""Episodes as trajectories of ART, the Agent Reinforcement Trainer (extra `art`).

    groups = await art.gather_trajectory_groups(
        talks(task, model, scenario, 8) for scenario in map(task.scenario, seeds)
    )
    result = await backend.train(model, groups)

ART leaves the loop to its user and asks for what was said: the messages, and between them the
completions of its own server, tokens and all.
"""

# Not there when the package is checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from empathy_env.episode import Task
from empathy_env.errors import Fault, MissingExtra
from empathy_env.messages import from_user
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace

try:
    import art
except ModuleNotFoundError as error:
    raise MissingExtra.of("empathy_env.adapters.art", "art") from error

Listener = Callable[[Trace], None]
"""Is handed the trace of each talk, faults included."""


async def talks(
    task: Task,
    model: Any,
    scenario: Scenario | Mapping[str, Any],
    size: int,
    *,
    on_trace: Listener | None = None,
    sampling: Mapping[str, Any] | None = None,
) -> Any:
    """Play a group of talks that share their start; all of them are awaited together.

    Args:
        task: What the talks are made of.
        model: An `art.Model`, whose client is asked for each turn.
        scenario: How they start, or its JSON row.
        size: How many there are.
        on_trace: Is handed the trace of each talk.
        sampling: Further arguments of each request, such as {"max_completion_tokens": 400}.

    Returns:
        An `art.TrajectoryGroup`. A talk that a fault cut off is among its exceptions, and ART
        compares the others with each other.
    """

    async def played(member: int) -> Any:
        try:
            return await talk(
                task, model, scenario, member=member, on_trace=on_trace, sampling=sampling
            )
        except Fault as fault:
            return fault

    return await art.trajectory_group(await asyncio.gather(*map(played, range(size))))


async def talk(
    task: Task,
    model: Any,
    scenario: Scenario | Mapping[str, Any],
    *,
    member: int = 0,
    on_trace: Listener | None = None,
    sampling: Mapping[str, Any] | None = None,
) -> Any:
    """Play one talk and return it as an `art.Trajectory`, paid the sum of its turns.

    The arguments are those of `talks`; `member` numbers the talk within its group.

    Raises:
        Fault: If machinery failed on the user's side.
    """
    episode = task.open(scenario=scenario, member=member)
    said: list[Any] = [*episode.messages]
    chat: list[Any] = [*episode.messages]
    try:
        while True:
            # The agent sees its own words as it wrote them: without its thoughts, the tokens of
            # earlier turns would be others than those that were sampled.
            answer = await model.openai_client().chat.completions.create(
                model=model.get_inference_name(), messages=chat, logprobs=True, **(sampling or {})
            )
            choice = answer.choices[0]
            words: str = choice.message.content or ""
            said.append(choice)
            await episode.say_async(words)
            if episode.done:
                break
            said.append(from_user(episode.utterance))
            chat = [*chat, {"role": "assistant", "content": words}, said[-1]]
    except Fault as fault:
        episode.accept(fault)
        raise
    finally:
        if on_trace is not None:
            on_trace(episode.trace)
    return art.Trajectory(
        messages_and_choices=said,
        reward=sum(episode.rewards),
        metrics={"turns": episode.turn, "success": episode.outcome == "success"},
        metadata={"talk": episode.trace.id},
    )
