"""Episodes as an agent loop of verl (extra `verl`).

    # agent_loop.yaml, given as actor_rollout_ref.rollout.agent.agent_loop_config_path
    - name: empathy
      _target_: empathy_env.adapters.verl.EmpathyLoop
      task: {user: "openai:MODEL@http://localhost:8000/v1", reward: terminal}

verl starts a loop of its own for every sample and awaits them together, so users answer together
too. Tokens are kept by `empathy_env.tokens`: what was sampled as it was, with mask 1.
"""

# verl is not there when the package is checked, and is loosely typed.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

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
    from verl.experimental.agent_loop import AgentLoopBase, AgentLoopMetrics, AgentLoopOutput
    from verl.utils.profiler import simple_timer
except ImportError as error:
    raise MissingExtra.of("empathy_env.adapters.verl", "verl") from error


def rows(
    task: Task, seeds: Iterable[int], *, agent_name: str = "empathy"
) -> Iterator[dict[str, Any]]:
    """Yield one row of a data set for each seed, for a parquet file.

    The scenario stands there as JSON text, since columns of a table have one form for all rows.
    What the agent must not see, such as the need, is in no prompt.
    """
    for seed in seeds:
        scenario = task.scenario(seed)
        yield {
            "data_source": "empathy_env",
            "agent_name": agent_name,
            "prompt": task.open(scenario=scenario).messages,
            "extra_info": {"index": seed, "scenario": json.dumps(scenario.to_row())},
        }


@cache
def _task(settings: str) -> Task:
    """Return the one task of these settings: talks share its backend and its connections."""
    return Task(**json.loads(settings))


class EmpathyLoop(AgentLoopBase):
    """One talk.

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
            raise InvalidArgument(
                f"turn_tokens={turn_tokens} is below 1. Leave it out, or give 400."
            )
        self.turn_tokens = turn_tokens
        self.task: Task = task if isinstance(task, Task) else _task(_as_json(task))
        self.template = ChatTemplate(_optioned(self.tokenizer, self.apply_chat_template_kwargs))

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> Any:
        """Play the talk of a row and return it as tokens, with what it was paid.

        The row's prompt is not read: the talk opens as its scenario says.

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
        tokens = self._within_prompt(self.template.opened(episode.messages))
        most, request_id = self.rollout_config.response_length, uuid4().hex
        fields: dict[str, Any] = {}
        times: dict[str, float] = {}
        while True:
            limited = self._limited(sampling, most - len(tokens.completion))
            with simple_timer("generate_sequences", times):
                sampled = await self.server_manager.generate(
                    request_id=request_id, prompt_ids=tokens.ids, sampling_params=limited
                )
            _note(fields, sampled.extra_fields)
            tokens = tokens.sampled(sampled.token_ids, sampled.log_probs or None)
            with simple_timer("tool_calls", times):
                await episode.say_async(self.template.words(sampled.token_ids))
            longer = tokens if episode.done else self.template.answered(tokens, episode.utterance)
            if episode.done or len(longer.completion) >= most:
                return _output(episode, tokens.cut(most), times, fields)
            tokens = longer

    def _limited(self, sampling: dict[str, Any], left: int) -> dict[str, Any]:
        return {**sampling, "max_tokens": min(left, self.turn_tokens or left)}

    def _within_prompt(self, tokens: Tokens) -> Tokens:
        if len(tokens.prompt) > (most := self.rollout_config.prompt_length):
            raise InvalidArgument(
                f"rollout.prompt_length={most} is below the {len(tokens.prompt)} tokens of the "
                "opening: cut off, it would lack the instructions. Set data.max_prompt_length"
            )
        return tokens


def _optioned(tokenizer: Any, options: Mapping[str, Any]) -> Any:
    """Return the tokenizer with what verl's `data.apply_chat_template_kwargs` sets."""
    return SimpleNamespace(
        eos_token_id=tokenizer.eos_token_id,
        encode=tokenizer.encode,
        decode=tokenizer.decode,
        apply_chat_template=partial(tokenizer.apply_chat_template, **options),
    )


def _as_json(settings: Any) -> str:
    given = OmegaConf.to_container(settings) if OmegaConf.is_config(settings) else settings
    return json.dumps(given or {}, sort_keys=True)


def _opened(task: Task, row: Mapping[str, Any]) -> Episode:
    member = row.get("session_id")
    try:
        scenario = json.loads(row["extra_info"]["scenario"])
    except (KeyError, TypeError) as error:
        raise InvalidArgument(
            "a row without extra_info['scenario']: make the data set with verl.rows(task, seeds)"
        ) from error
    return task.open(scenario=scenario, member=None if member is None else int(member))


def _note(fields: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Keep what the server says of the first turn, and the newest weights that were used."""
    newest = new.get("max_global_steps")
    fields.update({**new, **fields} | ({} if newest is None else {"max_global_steps": newest}))


def _output(episode: Episode, tokens: Tokens, times: Mapping[str, float], fields: Any) -> Any:
    shown = {"turns": episode.turn, "success": episode.outcome == "success"}
    return AgentLoopOutput(
        prompt_ids=list(tokens.prompt),
        response_ids=list(tokens.completion),
        response_mask=list(tokens.mask),
        response_logprobs=list(tokens.logprobs) or None,
        reward_score=sum(episode.rewards),
        num_turns=len(episode.messages),
        metrics=AgentLoopMetrics(**times),
        extra_fields={
            **fields,
            "turn_scores": episode.rewards,
            "tool_rewards": [],
            "reward_extra_info": {name: float(value) for name, value in shown.items()},
        },
    )
