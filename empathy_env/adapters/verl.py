"""Episodes as an agent loop of verl (extra `verl`).

    # agent_loop.yaml, given as actor_rollout_ref.rollout.agent.agent_loop_config_path
    - name: empathy
      _target_: empathy_env.adapters.verl.EmpathyLoop
      task: {user: "openai:MODEL@http://localhost:8000/v1", reward: terminal}

verl makes a loop for every sample and awaits them together, so users answer together too.
"""

# Not there when the package is checked, and loosely typed.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from empathy_env.episode import Episode, Task
from empathy_env.errors import Fault, InvalidArgument, MissingExtra
from empathy_env.tokens import ChatTemplate, Tokens

try:
    from omegaconf import OmegaConf
    from verl.experimental.agent_loop import agent_loop as library
    from verl.utils.profiler import simple_timer
except ModuleNotFoundError as error:
    raise MissingExtra.of("empathy_env.adapters.verl", "verl") from error


def rows(task: Task, seeds: Iterable[int], *, name: str = "empathy") -> Iterator[dict[str, Any]]:
    """Yield one row of a data set for each seed; the scenario stands in it as JSON text."""
    for seed in seeds:
        scenario = task.scenario(seed)
        yield {
            "data_source": "empathy_env",
            "agent_name": name,
            "prompt": task.open(scenario=scenario).messages,
            "extra_info": {"index": seed, "scenario": json.dumps(scenario.to_row())},
        }


class EmpathyLoop(library.AgentLoopBase):
    """One talk. What was sampled stays as the tokens that it was; see `empathy_env.tokens`.

    Args:
        task: Arguments of `empathy_env.Task`, as plain values; a `Task` in code of your own.
        turn_tokens: Most tokens of one turn, at least 1; by default what is left of the response.
        args: What verl gives, as it gives it.
        kwargs: The same, by name.

    Raises:
        InvalidArgument: If the chat template changes earlier turns, or a value breaks a rule.
    """

    def __init__(self, *args: Any, task: Any = None, turn_tokens: int | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if turn_tokens is not None and turn_tokens < 1:
            raise InvalidArgument(f"turn_tokens={turn_tokens} is below 1: give 400, or none")
        self.turn_tokens = turn_tokens
        self.task: Task = task if isinstance(task, Task) else _task(_as_json(task))
        self.template = _template(self.tokenizer, _as_json(self.apply_chat_template_kwargs))

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> Any:
        """Play the talk of a row, which opens as its scenario says; return it as tokens, and paid.

        Raises:
            Fault: If machinery failed. verl logs it and trains without this sample.
        """
        episode = _opened(self.task, row)
        try:
            return await self._talk(episode, sampling_params)
        except Fault as fault:
            episode.accept(fault)
            raise
        finally:
            self.ended(episode)

    def ended(self, episode: Episode) -> None:
        """Do nothing; a subclass may keep `episode.trace` here, faults included."""

    async def _talk(self, episode: Episode, sampling: dict[str, Any]) -> Any:
        tokens = self.template.opened(episode.messages)
        if (needed := len(tokens.prompt)) > (room := self.rollout_config.prompt_length):
            raise InvalidArgument(f"data.max_prompt_length={room}: the opening has {needed} tokens")
        most, request_id = self.rollout_config.response_length, uuid4().hex
        fields, times = dict[str, Any](), dict[str, float]()
        while True:
            left = most - len(tokens.completion)
            limited = {**sampling, "max_tokens": min(left, self.turn_tokens or left)}
            with simple_timer("generate_sequences", times):
                sampled = await self.server_manager.generate(
                    request_id=request_id, prompt_ids=tokens.ids, sampling_params=limited
                )
            newest = sampled.extra_fields.get("max_global_steps")
            fields = {**sampled.extra_fields, **fields, "max_global_steps": newest}
            tokens = tokens.sampled(sampled.token_ids, sampled.log_probs or None)
            with simple_timer("tool_calls", times):
                await episode.say_async(self.template.words(sampled.token_ids))
            longer = tokens if episode.done else self.template.answered(tokens, episode.utterance)
            if episode.done or len(longer.completion) >= most:
                return _output(episode, tokens.cut(most), times, fields)
            tokens = longer


@cache
def _task(settings: str) -> Task:
    """Return the one task of these settings; its talks share its backend."""
    return Task(**json.loads(settings))


@cache
def _template(tokenizer: Any, options: str) -> ChatTemplate:
    """Return the one template of a tokenizer with these options: it is checked once."""
    template = partial(tokenizer.apply_chat_template, **json.loads(options))
    optioned: Any = SimpleNamespace(encode=tokenizer.encode, decode=tokenizer.decode)
    optioned.apply_chat_template = template
    return ChatTemplate(optioned)


def _as_json(settings: Any) -> str:
    given = OmegaConf.to_container(settings) if OmegaConf.is_config(settings) else settings
    return json.dumps(given or {}, sort_keys=True)


def _opened(task: Task, row: Mapping[str, Any]) -> Episode:
    if "scenario" not in (row.get("extra_info") or {}):
        raise InvalidArgument("a row without extra_info['scenario']: make it with verl.rows(...)")
    member, scenario = row.get("session_id"), json.loads(row["extra_info"]["scenario"])
    return task.open(scenario=scenario, member=None if member is None else int(member))


def _output(episode: Episode, tokens: Tokens, times: Mapping[str, float], fields: Any) -> Any:
    ended = {"turns": float(episode.turn), "success": float(episode.outcome == "success")}
    talk = {"turn_scores": episode.rewards, "tool_rewards": [], "reward_extra_info": ended}
    return library.AgentLoopOutput(
        prompt_ids=list(tokens.prompt),
        response_ids=list(tokens.completion),
        response_mask=list(tokens.mask),
        response_logprobs=list(tokens.logprobs) or None,
        reward_score=sum(episode.rewards),
        num_turns=len(episode.messages),
        metrics=library.AgentLoopMetrics(**times),
        extra_fields={**fields, **talk},
    )
