"""Episodes as an agent executor of OpenRLHF (extra `openrlhf`).

    # agent_func.py, given as --train.agent_func_path
    from empathy_env import Task
    from empathy_env.adapters.openrlhf import EmpathyExecutor

    class AgentExecutor(EmpathyExecutor):
        task = Task(user="openai:MODEL@http://localhost:8000/v1")

OpenRLHF's own executor of many turns shows an environment text alone, and makes tokens of what it
answers. This one keeps what was sampled as tokens, and the tokenizer's template puts the user's
turns between. Talks are awaited together, so users answer together.
"""

# Not there when the package is checked, and loosely typed.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from empathy_env.episode import Episode, Task
from empathy_env.errors import Fault, InvalidArgument, MissingExtra
from empathy_env.tokens import ChatTemplate, Tokens

try:
    from openrlhf.utils.agent import AgentExecutorBase
except ModuleNotFoundError as error:
    raise MissingExtra.of("empathy_env.adapters.openrlhf", "openrlhf") from error


def rows(task: Task, seeds: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Yield one row of a data set for each seed; its label is the scenario as JSON text."""
    for seed in seeds:
        scenario = task.scenario(seed)
        messages = task.open(scenario=scenario).messages
        yield {"input": messages, "label": json.dumps(scenario.to_row())}


class EmpathyExecutor(AgentExecutorBase):
    """Plays talks; a subclass named `AgentExecutor` says of which task.

    Attributes:
        task: What the talks are made of.
    """

    task: Task

    def __init__(self) -> None:
        self._template: ChatTemplate | None = None

    async def execute(
        self,
        prompt: Any,
        label: str,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        """Play the talk of a label, which opens as its scenario says; return it as tokens, paid.

        Raises:
            Fault: If machinery failed. OpenRLHF has no way to leave one sample out, and a number
                would be trained on, so it stops the step.
            InvalidArgument: If the chat template changes earlier turns, or the label is none.
        """
        if self._template is None:
            self._template = ChatTemplate(hf_tokenizer)
        episode = _opened(self.task, label)
        talk = _Talk(episode, self._template, sampling_params, max_length)
        try:
            while not talk.over:
                await talk.turn(llm_engine)
        except Fault as fault:
            episode.accept(fault)
            raise
        finally:
            self.ended(episode)
        return {"prompt": prompt, "label": label, "images": images, **talk.sample()}

    def ended(self, episode: Episode) -> None:
        """Do nothing; a subclass may keep `episode.trace` here, faults included."""


class _Talk:
    """One talk while it is played."""

    def __init__(self, episode: Episode, template: ChatTemplate, sampling: Any, most: int):
        self.episode, self.template, self.sampling, self.most = episode, template, sampling, most
        self.tokens: Tokens = template.opened(episode.messages)
        self.ranges: list[tuple[int, int]] = []
        self.cut_off = self.full = False
        if len(self.tokens.prompt) >= most:
            needed = len(self.tokens.prompt)
            raise InvalidArgument(f"data.max_len={most}: the opening alone has {needed} tokens")

    @property
    def over(self) -> bool:
        return self.episode.done or self.full

    async def turn(self, engine: Any) -> None:
        """Sample a turn and have the user answer it, if there is room for the answer."""
        start = len(self.tokens.ids)
        sampling = deepcopy(self.sampling)
        sampling.max_tokens = min(self.most - start, sampling.max_tokens or self.most)
        completed = await engine.generate(self.tokens.ids, sampling, multi_modal_data=None)
        sampled = completed.outputs[0]
        self.tokens = self.tokens.sampled(sampled.token_ids, _logprobs(sampled, sampling))
        self.ranges.append((start, len(self.tokens.ids)))
        self.cut_off = sampled.finish_reason == "length"
        await self.episode.say_async(self.template.words(sampled.token_ids))
        if not self.episode.done:
            longer = self.template.answered(self.tokens, self.episode.utterance)
            self.full = len(longer.ids) >= self.most
            self.tokens = self.tokens if self.full else longer

    def sample(self) -> dict[str, Any]:
        """Return what OpenRLHF trains on."""
        tokens, reward = self.tokens, sum(self.episode.rewards)
        logprobs = [*[0.0] * len(tokens.prompt), *tokens.logprobs] if tokens.logprobs else None
        success = float(self.episode.outcome == "success")
        return {
            "mm_train_inputs": None,
            "reward": reward,
            "scores": reward,
            "observation_tokens": tokens.ids,
            "action_ranges": self.ranges,
            "rollout_log_probs": logprobs,
            "truncated": self.cut_off or self.full,
            "extra_logs": {"turns": float(self.episode.turn), "success": success},
        }


def _logprobs(sampled: Any, sampling: Any) -> list[float] | None:
    if sampling.logprobs is None:
        return None
    pairs = zip(sampled.token_ids, sampled.logprobs, strict=True)
    return [float(likely[token].logprob) for token, likely in pairs]


def _opened(task: Task, label: str) -> Episode:
    if not label.startswith("{"):
        raise InvalidArgument(f"label={label!r}: no scenario. Make the rows with openrlhf.rows")
    return task.open(scenario=json.loads(label))
