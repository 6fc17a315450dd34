"""Episodes as rollouts of TRL's `GRPOTrainer` (extra `trl`).

    GRPOTrainer(..., train_dataset=Dataset.from_list([*rows(task, range(64))]),
                environment_factory=lambda: Talk(task), rollout_func=rollout)

TRL resets environments with its rows and asks them for rewards; the talks are played here.
"""

# accelerate comes with trl, and is not there when the package is checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from empathy_env.episode import Episode, Task
from empathy_env.errors import Fault, InvalidArgument, MissingExtra
from empathy_env.tokens import ChatTemplate, Tokens

try:
    from accelerate.utils import gather_object
except ImportError as error:
    raise MissingExtra.of("empathy_env.adapters.trl", "trl") from error


def rows(task: Task, seeds: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Yield one row of a data set for each seed; the scenario stands in it as JSON text."""
    for scenario in map(task.scenario, seeds):
        chat = task.open(scenario=scenario).messages
        yield {"prompt": chat, "scenario": json.dumps(scenario.to_row())}


class Talk:
    """One talk in TRL's pool; any public method but these two would be a tool of the agent's."""

    episode: Episode
    tokens: Tokens

    def __init__(self, task: Task):
        self._task = task

    def reset(self, scenario: str, **row: Any) -> None:
        """Open the episode of a row."""
        self.episode = self._task.open(scenario=json.loads(scenario))

    def get_reward(self) -> float | None:
        """Return what the talk was paid; None, which TRL leaves out, if it did not end."""
        return math.fsum(self.episode.rewards) if self.episode.outcome else None


def rollout(prompts: Sequence[Any], trainer: Any) -> dict[str, Any]:
    """Play the talks that TRL has just reset; this is the `rollout_func`.

    Returns:
        TRL's fields, and `turn_rewards` and `outcome` for reward functions of your own.

    Raises:
        InvalidArgument: If the chat template changes earlier turns, if a turn's length has no limit
            of its own, or if `environment_factory` is another one.
    """
    talks: list[Any] = trainer.environments or [None]
    if not all(isinstance(talk, Talk) for talk in talks):
        raise InvalidArgument("rollout_func= needs environment_factory=lambda: Talk(task) as well")
    template, most = ChatTemplate(trainer.processing_class), _room(talks, trainer)
    _begin(talks, template, len(talks) * trainer.accelerator.process_index)
    live, backend, runner = talks, talks[0].episode.task.backend, asyncio.Runner()
    # On a thread of its own: in a notebook a loop runs on the caller's already.
    with ThreadPoolExecutor(1) as thread, ExitStack() as stack:
        stack.callback(lambda: thread.submit(runner.close).result())
        while any(gather_object([len(live)])):  # processes sample together, or wait for ever
            said = [template.words(ids) for ids in _sampled(live, talks, trainer)]
            thread.submit(runner.run, _heard(live, said)).result()
            live = [talk for talk in live if _goes_on(talk, template, most)]
        if backend is not None:
            thread.submit(runner.run, backend.aclose()).result()
    return _fields(talks)


def _room(talks: Sequence[Talk], trainer: Any) -> int:
    """Return how many tokens may stand before the agent's last turn."""
    name = "max_tokens" if trainer.use_vllm else "max_new_tokens"
    limits: dict[str, int] = trainer.args.generation_kwargs or {}
    turns = max(talk.episode.trace.scenario.max_turns for talk in talks)
    whole: int = trainer.max_completion_length
    if limits.get(name, whole + 1) * turns > whole:
        raise InvalidArgument(
            f"generation_kwargs={limits!r}: max_completion_length={whole} is for all {turns} turns "
            f"and the user's replies. Limit a turn: {{{name!r}: {max(1, whole // turns // 2)}}}"
        )
    return whole - limits[name]


def _begin(talks: Sequence[Talk], template: ChatTemplate, first: int) -> None:
    """Number the talks that share a start, and begin their tokens."""
    starts = [talk.episode.trace.id.rpartition("/")[0] for talk in talks]
    for place, talk in enumerate(talks):
        member = first + starts[:place].count(starts[place])
        talk.episode = talk.episode.task.open(state=talk.episode.talk, member=member)
        talk.tokens = template.opened(talk.episode.messages)


def _sampled(live: Sequence[Talk], talks: Sequence[Talk], trainer: Any) -> list[Sequence[int]]:
    """Sample a turn in each live talk; of several processes each must ask for as many."""
    asked = live if trainer.accelerator.num_processes == 1 else talks
    turns, chances = trainer._generate_single_turn([talk.tokens.ids for talk in asked], None, {}, 1)
    places = [asked.index(talk) for talk in live]
    for talk, place in zip(live, places, strict=True):
        known = chances and [math.nan if chance is None else chance for chance in chances[place]]
        talk.tokens = talk.tokens.sampled(turns[place], known)
    return [turns[place] for place in places]


async def _heard(talks: Sequence[Talk], said: Sequence[str]) -> None:
    steps = (talk.episode.say_async(words) for talk, words in zip(talks, said, strict=True))
    results = await asyncio.gather(*steps, return_exceptions=True)
    for talk, result in zip(talks, results, strict=True):
        if isinstance(result, Fault):
            talk.episode.accept(result)
        elif isinstance(result, BaseException):
            raise result


def _goes_on(talk: Talk, template: ChatTemplate, most: int) -> bool:
    """Add the user's reply, unless the talk is over or there is no room for one more turn."""
    if talk.episode.done:
        return False
    longer = template.answered(talk.tokens, talk.episode.utterance)
    if fits := len(longer.completion) <= most:
        talk.tokens = longer
    return fits


def _fields(talks: Sequence[Talk]) -> dict[str, Any]:
    """Return what TRL asks for; of a talk that did not end, no token is learnt from."""
    chances = [list(talk.tokens.logprobs) for talk in talks]
    masks = [[bool(talk.episode.outcome) * one for one in talk.tokens.mask] for talk in talks]
    return {
        "prompt_ids": [list(talk.tokens.prompt) for talk in talks],
        "completion_ids": [list(talk.tokens.completion) for talk in talks],
        "logprobs": chances if any(chances) else None,
        "env_mask": masks,
        "turn_rewards": [talk.episode.rewards for talk in talks],
        "outcome": [talk.episode.outcome for talk in talks],
    }
