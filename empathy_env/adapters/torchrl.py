"""Episodes as an environment of torchrl for language models (extra `torchrl`).

env = TalkEnv(task, tokenizer, groups=4, group_size=8)
env.rollout(task.max_turns, policy, break_when_any_done=False, break_when_all_done=True)
buffer.extend(env.samples())            # one sample for each talk
"""

# Not there when the package is checked, and loosely typed.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownLambdaType=false

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from empathy_env.episode import Episode, Task
from empathy_env.errors import Fault, InvalidArgument, MissingExtra
from empathy_env.spaces import Utterance
from empathy_env.tokens import ChatTemplate, Tokens

try:
    import torch
    from tensordict import TensorDict, lazy_stack
    from torchrl.data import Composite, NonTensor, Unbounded
    from torchrl.envs import EnvBase
    from torchrl.envs.libs.gym import register_gym_spec_conversion as converts
except ModuleNotFoundError as error:
    raise MissingExtra.of("empathy_env.adapters.torchrl", "torchrl") from error

# What an agent reads and writes in the plain environment, for GymEnv and GymWrapper.
converts(Utterance)(lambda spec, device=None, **_: NonTensor((), example_data="", device=device))


@dataclass
class Talk:
    """One talk in a seat of the batch; `start` is the number of its group."""

    episode: Episode
    tokens: Tokens
    start: int


class TalkEnv(EnvBase):
    """A batch of talks that take their turns together, for policies with `input_mode="tokens"`.

    Reads ("tokens", "response") and, if it is there, ("log_probs", "response"); writes
    ("tokens", "prompt"), the talk so far. The reward is what the turn was paid; NaN after a fault.

    Args:
        task: What the talks are made of.
        tokenizer: The policy's.
        seeds: Draw one start each; every reset takes the next ones.
        groups: How many starts are played at once, each by `group_size` talks.

    Raises:
        InvalidArgument: If the chat template changes earlier turns, or padding can be a turn's end.
    """

    def __init__(self, task: Task, tokenizer: Any, *, seeds: Iterable[int] = range(2**31),
                 groups: int = 1, group_size: int = 1):  # fmt: skip
        super().__init__(batch_size=(groups * group_size,))
        if tokenizer.pad_token_id in (None, tokenizer.eos_token_id):
            raise InvalidArgument(f"pad_token={tokenizer.pad_token!r} is cut out: give another one")
        self.task, self.template, self.talks = task, ChatTemplate(tokenizer), list[Talk]()
        self._starts = self._opened(seeds, group_size)
        shape = self.batch_size
        ids, seen = (Unbounded((*shape, -1), dtype=kind) for kind in (torch.long, torch.bool))
        # The mask too: else a policy would go by the one that it wrote at the turn before.
        shown = {"tokens": {"prompt": ids}, "masks": {"all_attention_mask": seen}}
        self.observation_spec = Composite(shown, shape=shape)
        self.action_spec = Composite({"tokens": {"response": ids.clone()}}, shape=shape)

    def samples(self) -> Any:
        """Return the talks that came to their end, one sample each; None if there are none."""
        ended = [_sample(talk) for talk in self.talks if talk.episode.outcome]
        return lazy_stack(ended) if ended else None

    def _run(self, *work: Awaitable[Any]) -> list[Any]:
        async def together() -> list[Any]:
            try:
                return await asyncio.gather(*work)
            finally:  # what the users' model holds open is the loop's, which ends here
                if self.task.backend is not None:
                    await self.task.backend.aclose()

        # On a thread of its own: in a notebook a loop runs on the caller's already.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, together()).result()

    def _opened(self, seeds: Iterable[int], size: int) -> Iterator[Talk]:
        for start, seed in enumerate(seeds):
            for member in range(size):
                episode = self.task.open(scenario=self.task.scenario(seed, member=member))
                yield Talk(episode, self.template.opened(episode.messages), start)

    def _reset(self, tensordict: Any = None, **options: Any) -> Any:
        chosen = None if tensordict is None else tensordict.get("_reset", None)
        fresh = [True] * self.batch_size[0] if chosen is None else chosen.flatten().tolist()
        self.talks = [next(self._starts) if one else self.talks[n] for n, one in enumerate(fresh)]
        return lazy_stack([*map(_shown, self.talks)])

    def _step(self, tensordict: Any) -> Any:
        paid = self._run(*map(self._turn, self.talks, tensordict.unbind(0)))
        shown = zip(map(_shown, self.talks), paid, strict=True)
        return lazy_stack([one.set("reward", torch.tensor([pay])) for one, pay in shown])

    async def _turn(self, talk: Talk, said: Any) -> float:
        if talk.episode.done:  # hears nothing more
            return 0.0
        known = said.get(("log_probs", "response"), None)
        ids = said["tokens", "response"].tolist()
        talk.tokens = talk.tokens.sampled(ids, None if known is None else known.tolist())
        try:
            paid = await talk.episode.say_async(self.template.words(ids))
        except Fault as fault:
            return talk.episode.accept(fault)
        if not talk.episode.done:
            talk.tokens = self.template.answered(talk.tokens, talk.episode.utterance)
        return paid

    def _set_seed(self, seed: int | None) -> None: ...  # a talk follows from its own


def _shown(talk: Talk) -> Any:
    ids, (done, ended) = torch.tensor(talk.tokens.ids), (talk.episode.done, talk.episode.outcome)
    over = {"done": done, "terminated": bool(ended), "truncated": done and not ended}
    nested = {"tokens": {"prompt": ids}, "masks": {"all_attention_mask": torch.ones_like(ids) > 0}}
    return TensorDict({**nested, **{name: torch.tensor([flag]) for name, flag in over.items()}})


def _sample(talk: Talk) -> Any:
    tokens, blank = talk.tokens, [0] * len(talk.tokens.prompt)
    mask = torch.tensor([*blank, *tokens.mask]) > 0
    known = torch.tensor([*blank, *(tokens.logprobs or (math.nan,) * len(tokens.mask))])
    # Log-probabilities of NaN are left out by GRPOLoss; it asks for rewards of this shape.
    return TensorDict({
        "tokens": {"prompt": torch.tensor(tokens.prompt), "full": torch.tensor(tokens.ids)},
        "masks": {"all_assistant_mask": mask, "all_attention_mask": torch.ones_like(mask)},
        "log_probs": {"full": torch.where(mask, known, math.nan)},
        "next": {"reward": torch.tensor([[sum(talk.episode.rewards)]]), "done": mask[-1:] | True},
        "start": torch.tensor([talk.start]),
    })  # fmt: skip
