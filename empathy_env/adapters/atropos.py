"""Episodes as an environment of Atropos (extra `atropos`).

    from empathy_env import Task
    from empathy_env.adapters.atropos import EmpathyEnv

    class Empathy(EmpathyEnv):
        task = Task(personas="split:train")
        held_out = Task(personas="split:dev")

Atropos' managed server makes tokens anew of what stands in a chat. Here sampled tokens are kept;
its servers' own `tokens_and_logprobs_completion` gives them. Talks are awaited together.
"""

# Not there when the package is checked, and loosely typed.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from empathy_env.episode import Episode, Task
from empathy_env.errors import Fault, InvalidArgument, MissingExtra
from empathy_env.tokens import ChatTemplate, Tokens

try:
    from atroposlib.envs.base import BaseEnv, BaseEnvConfig
except ModuleNotFoundError as error:
    raise MissingExtra.of("empathy_env.adapters.atropos", "atropos") from error


class EmpathyConfig(BaseEnvConfig):
    """What can be set beside what Atropos has.

    A talk has at most `max_token_length` tokens, a turn of it `turn_tokens`. An evaluation plays
    `eval_episodes` talks, of the seeds 0, 1, ...
    """

    max_token_length: int = 8192
    turn_tokens: int = 400
    temperature: float = 1.0
    eval_temperature: float = 0.0
    eval_episodes: int = 64


class EmpathyEnv(BaseEnv):
    """Plays groups of talks; a subclass gives `task` for training, `held_out` for evaluation.

    `seed` draws the next group's scenario; checkpoints hold it.
    """

    name = "empathy"
    env_config_cls: ClassVar[Any] = EmpathyConfig
    task: Task
    held_out: Task

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.template = ChatTemplate(self.tokenizer)
        self.seed = 0
        self.evaluated: dict[str, float] = {}

    async def setup(self) -> None:
        """Do nothing: the tasks are there."""

    async def get_next_item(self) -> dict[str, Any]:
        """Return the next scenario, as a row."""
        self.seed += 1
        return self.task.scenario(self.seed - 1).to_row()

    async def collect_trajectory(self, item: Mapping[str, Any]) -> tuple[Any, list[Any]]:
        """Play one talk of a scenario's row; Atropos leaves a group out in which a `Fault` is."""
        episode = self.task.open(scenario=item)
        return _sample(await self._played(episode), sum(episode.rewards)), []

    async def collect_trajectories(self, item: Mapping[str, Any]) -> tuple[Any, list[Any]]:
        """Play a group, whose talks share their start, together; see `collect_trajectory`."""
        rows = ({**item, "member": member} for member in range(self.config.group_size))
        talks = map(self.collect_trajectory, rows)
        ends = await asyncio.gather(*talks, return_exceptions=True)  # nothing stays under way
        if failed := [end for end in ends if isinstance(end, BaseException)]:
            raise failed[0]
        samples = [end[0] for end in ends if not isinstance(end, BaseException)]
        return {field: [sample[field] for sample in samples] for field in samples[0]}, []

    async def evaluate(self, *args: Any, **kwargs: Any) -> None:
        """Play talks of the held-out task; a talk that a fault cut off has no part in a mean."""
        runs = await asyncio.gather(*map(self._evaluated, range(self.config.eval_episodes)))
        played = [run for run in runs if run.fault is None]
        self.evaluated = {"eval/faults": float(len(runs) - len(played))}
        if played:
            success = [run.outcome == "success" for run in played]
            self.evaluated["eval/success"] = sum(success) / len(played)
            self.evaluated["eval/reward"] = sum(sum(run.rewards) for run in played) / len(played)
        await self.evaluate_log(self.evaluated)

    async def wandb_log(self, wandb_metrics: dict[str, Any] | None = None) -> None:
        """Log what the last evaluation found, once, beside what Atropos logs."""
        found, self.evaluated = self.evaluated, {}
        await super().wandb_log({**(wandb_metrics or {}), **found})

    def save_checkpoint(self, step: int, data: dict[str, Any] | None = None) -> None:
        """Save where in the seeds the run is."""
        super().save_checkpoint(step, {"seed": self.seed, **(data or {})})

    def ended(self, episode: Episode) -> None:
        """Do nothing; a subclass may keep `episode.trace` here, faults included."""

    async def _evaluated(self, seed: int) -> Episode:
        episode = self.held_out.open(seed=seed)
        with suppress(Fault):  # the episode says of it
            await self._played(episode, split="eval", temperature=self.config.eval_temperature)
        return episode

    async def _played(self, episode: Episode, **how: Any) -> Tokens:
        try:
            return await self._talk(episode, {"temperature": self.config.temperature, **how})
        except Fault as fault:
            episode.accept(fault)
            raise
        finally:
            self.ended(episode)

    async def _talk(self, episode: Episode, sampling: Mapping[str, Any]) -> Tokens:
        tokens, most = self.template.opened(episode.messages), self.config.max_token_length
        if (needed := len(tokens.ids)) >= most:
            raise InvalidArgument(f"max_token_length={most}: the opening alone has {needed} tokens")
        while True:
            room = min(most - len(tokens.ids), self.config.turn_tokens)
            _, [ids], [logprobs], _ = await self.server.tokens_and_logprobs_completion(
                input_ids=tokens.ids, max_tokens=room, n=1, **sampling
            )
            tokens = tokens.sampled(ids, logprobs)
            await episode.say_async(self.template.words(ids))
            longer = tokens if episode.done else self.template.answered(tokens, episode.utterance)
            if episode.done or len(longer.ids) >= most:
                return tokens
            tokens = longer


def _sample(tokens: Tokens, paid: float) -> dict[str, Any]:
    """Return a talk as Atropos has it: -100 masks a token, and 1.0 stands for no probability."""
    own = zip(tokens.completion, tokens.mask, tokens.logprobs, strict=True)
    masked = [(-100, 1.0) for _ in tokens.prompt]
    masked += [(token, value) if bit else (-100, 1.0) for token, bit, value in own]
    masks, logprobs = map(list, zip(*masked, strict=True))
    return {"tokens": tokens.ids, "masks": masks, "scores": paid, "inference_logprobs": logprobs}
