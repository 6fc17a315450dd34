"""Trains a causal language model by PPO over whole talks, in plain PyTorch.

    python agents/train_ppo.py --model tiny --out run

Proximal policy optimisation (arXiv 1707.06347) over `gym.make_vec`, in which a turn is the action
and what was said so far is the state. A value is taken once a turn, at the token after which the
turn is sampled: all that the user said is known there, and nothing of the turn. So the value is a
baseline for every token of the turn without bias, whatever the turn's length. Generalised
advantages (arXiv 1506.02438) go from turn to turn, where rewards are paid, so discounting does not
depend on how many words something took; each token has its turn's advantage. Values at each token
would have to be learnt between two rewards that a hundred tokens lie between, and would differ
within a turn by what the model has just said itself, which no user has heard yet.

Talks here end by the rules of the task, the limit of turns included, so nothing is worth anything
after the last turn. A talk that was cut off by a fault is left out. What was sampled is trained on
as it was sampled (`empathy_env.tokens`); what was read is masked out.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # agents lie beside this file, and one is named random.py
    sys.path[:] = [one for one in sys.path if one != os.path.dirname(os.path.abspath(__file__))]

import argparse
import ast
import inspect
import json
import math
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import MISSING, asdict, dataclass, fields, replace
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
import yaml
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from empathy_env.appraiser import RuleAppraiser
from empathy_env.audit import HELD_OUT, SECOND_READER
from empathy_env.episode import Episode
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.group import final_emotion
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.measures.noise import retest
from empathy_env.tokens import ChatTemplate, Tokens
from empathy_env.trace import Trace, write_traces


@dataclass(frozen=True)
class Args:
    """What can be set; each field is an option of the command line."""

    model: str
    """Folder or name of the model to begin with; it is also the reference of the KL."""
    out: str
    """Folder for checkpoints and the log."""
    preset: str = ""
    """Values of `rlver.yaml` to begin with, such as "ppo-think"; what is given beside it wins."""
    seed: int = 1
    """Key of all that is drawn."""
    steps: int = 50
    """Steps of PPO."""
    talks: int = 32
    """Talks in a step, each with a start of its own."""
    personas: str = "split:train"
    """Whom the policy talks with."""
    held_out: str = "split:dev"
    """Whom it is evaluated on."""
    difficulty: str = "moderate"
    """Preset of the users."""
    user: str = "code"
    """The user: "code", or the spec of a backend."""
    protocol: str = "appraisal-v1"
    """The law of the mood in training; evaluations have their own."""
    scaffold: str = "plain"
    """What is written before something is said, such as "think-then-say"."""
    reward: str = "terminal"
    """What is paid; one that pays each turn, such as "delta", says sooner what was good."""
    system_prompt: str = "default"
    """Instructions before each talk."""
    turns: int = 6
    """Turns of the agent in a talk."""
    turn_tokens: int = 48
    """Most tokens of a turn."""
    temperature: float = 1.0
    """Of sampling, above 0; the policy that is trained is the one at this temperature."""
    gamma: float = 1.0
    """What a reward one turn later is worth; in [0, 1]."""
    lam: float = 0.95
    """Of generalised advantages, in [0, 1]: 1 trusts what was paid, 0 the value of the next turn."""
    floor: float = 0.02
    """Least standard deviation that advantages are divided by: the reward's noise."""
    kl: float = 0.02
    """Weight of the KL to the reference."""
    clip: float = 0.2
    """How far the ratio of a token may go from 1 before it pays no more."""
    entropy: float = 0.0
    """Weight of the entropy of what is sampled, in nats a token."""
    critic: str = "head"
    """Where values come from: a head on the policy's hidden states that leaves these alone
    ("head"), one whose error the policy's layers share ("shared"), or a copy of the model with a
    head ("model")."""
    value_clip: float = 0.2
    """How far a value may go from what it was before it counts no more."""
    value_weight: float = 0.1
    """Weight of the value's error beside the policy's loss; matters with a shared critic only."""
    epochs: int = 2
    """Passes over the talks of a step."""
    minibatch: int = 0
    """Talks in one step of the optimizer; 0 = all."""
    lr: float = 3e-4
    """Learning rate of AdamW; for a pretrained model take 1e-6 to 1e-5."""
    value_lr: float = 1e-3
    """That of the critic; for a copy of a pretrained model take 5e-6 to 1e-5."""
    warmup: int = 0
    """Steps in which the learning rate rises to `lr`."""
    value_warmup: int = 0
    """Steps in which that of the critic rises to `value_lr`."""
    grad_norm: float = 1.0
    """The gradients of the policy and of the critic are cut to this norm."""
    micro: int = 8
    """Talks in one backward pass; changes memory, and no result but for rounding."""
    lora: int = 0
    """Rank of LoRA (arXiv 2106.09685), trained instead of all weights; needs peft; 0 = without."""
    dtype: str = "float32"
    """Of the weights, "float32" or "bfloat16"; the latter with LoRA, whose own stay in float32."""
    device: str = "cpu"
    """Where the model is, such as "cuda"; only on the CPU is a resumed run the same to the bit."""
    evaluate_every: int = 25
    """Steps between evaluations; there is one before the first step and one after the last."""
    evaluation_talks: int = 50
    """Talks of an evaluation; always the same starts."""
    save_every: int = 10
    """Steps between checkpoints."""
    resume: bool = False
    """Go on from the checkpoint in `out`, as if it had never stopped."""
    tensorboard: bool = False
    """Write curves for TensorBoard too, if it is installed."""


class Played(NamedTuple):
    """One talk that was played."""

    tokens: Tokens
    turns: tuple[int, ...]
    """For each token of the completion the number of its turn, from 0."""
    rewards: tuple[float, ...]
    """What each turn was paid."""
    emotion: float
    """At the end, in [0, 100]."""
    valid: bool
    """Whether it came to its end; a fault gives no reward."""
    trace: Trace


CONSOLE = Console(stderr=True)


class Lesson(NamedTuple):
    """A talk to learn from, and what was thought of it before the step."""

    talk: Played
    before: list[float]
    """Log-probability of each token of the completion under the policy that sampled it."""
    reference: list[float]
    """Log-probability of each token of the completion under the reference."""
    values: list[float]
    """What was expected at each turn."""
    advantages: list[float]
    """How much better each turn was than expected, whitened."""
    returns: list[float]
    """What is to be expected at each turn."""


# ---- what is pure


def key(*parts: object) -> int:
    """Return 63 bits that depend on the parts and on nothing else."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def gae(rewards: Sequence[float], values: Sequence[float], gamma: float, lam: float) -> list[float]:
    """Return each turn's advantage (arXiv 1506.02438, equation 16); after the last comes nothing.

    >>> gae([0.0, 1.0], [0.5, 0.25], 1.0, 1.0), gae([0.0, 1.0], [0.5, 0.25], 1.0, 0.0)
    ([0.5, 0.75], [-0.25, 0.75])
    """
    found: list[float] = []
    later, ahead = 0.0, 0.0
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        later = reward + gamma * ahead - value + gamma * lam * later
        ahead = value
        found.append(later)
    return found[::-1]


def whitened(talks: Sequence[Sequence[float]], floor: float) -> list[list[float]]:
    """Return advantages with mean 0 and standard deviation 1, or less where it was below `floor`.

    Each talk has one weight, which its turns share: a long talk does not decide what is usual.

    >>> whitened([[1.0, 1.0], [3.0]], 0.1), whitened([[0.0], [0.5]], 0.5)
    ([[-1.0, -1.0], [1.0]], [[-0.5], [0.5]])
    """
    if not talks:
        return []
    mean = math.fsum(math.fsum(one) / len(one) for one in talks) / len(talks)
    square = math.fsum(math.fsum((x - mean) ** 2 for x in one) / len(one) for one in talks)
    spread = max(math.sqrt(square / len(talks)), floor)
    return [[(x - mean) / spread for x in one] for one in talks]


def explained(returns: Sequence[float], values: Sequence[float]) -> float:
    """Return the share of the variance of returns that the values explain; at most 1, 0 is none.

    >>> explained([0.0, 1.0], [0.0, 1.0]), explained([0.0, 1.0], [0.5, 0.5])
    (1.0, 0.0)
    """
    variance = float(np.var(returns))
    missed = float(np.var([one - other for one, other in zip(returns, values, strict=True)]))
    return 1.0 - missed / variance if variance > 0 else 0.0


def pace(step: int, warmup: int) -> float:
    """Return the share of the learning rate, in (0, 1]; it rises in equal parts.

    >>> pace(0, 0), pace(0, 4), pace(9, 4)
    (1.0, 0.25, 1.0)
    """
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def k3(policy: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return the k3 estimate of KL(policy, reference) from log-probabilities of sampled tokens.

    At least 0 for each token, and unbiased (Schulman, "Approximating KL divergence", 2020).
    """
    apart = reference - policy
    return apart.exp() - apart - 1


def objective(
    policy: torch.Tensor,
    before: torch.Tensor,
    reference: torch.Tensor,
    credit: torch.Tensor,
    mask: torch.Tensor,
    *,
    clip: float,
    kl: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each talk's loss, and its KL, both as means over its own sampled tokens.

    Args:
        policy: Log-probabilities of the tokens now; all tensors are (talks, tokens).
        before: Those under the policy that sampled them.
        reference: Those under the reference.
        credit: Advantage of each token.
        mask: 1 where a token was sampled.
        clip: How far the ratio may go from 1.
        kl: Weight of the KL.
    """
    # Where nothing was sampled the numbers mean nothing, and could overflow.
    policy, before, reference = (torch.where(mask > 0, x, 0.0) for x in (policy, before, reference))
    ratio = (policy - before).exp()
    gain = torch.minimum(ratio * credit, ratio.clamp(1 - clip, 1 + clip) * credit)
    apart = k3(policy, reference)
    count = mask.sum(1).clamp(min=1)
    loss = ((kl * apart - gain) * mask).sum(1) / count
    return loss, (apart.detach() * mask).sum(1) / count


def value_loss(
    values: torch.Tensor,
    before: torch.Tensor,
    returns: torch.Tensor,
    there: torch.Tensor,
    *,
    clip: float,
) -> torch.Tensor:
    """Return half of each talk's mean squared error of values, the worse of clipped and not.

    Args:
        values: What is expected now; all tensors are (talks, turns).
        before: What was expected when the talks were played.
        returns: What is to be expected.
        there: 1 where there was a turn.
        clip: How far a value may go from what it was.
    """
    near = before + (values - before).clamp(-clip, clip)
    worse = torch.maximum((values - returns) ** 2, (near - returns) ** 2)
    return 0.5 * (worse * there).sum(1) / there.sum(1).clamp(min=1)


def bootstrap(values: Sequence[float], clusters: Sequence[str], seed: int) -> Interval:
    """Return the mean and its 95 % interval over personas: talks with one of them are alike."""
    by: dict[str, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        by[cluster].append(value)
    return cluster_bootstrap(by, seed=seed)


# ---- playing


def environment(args: Args, seats: int, group_size: int, **changed: Any) -> Any:
    """Return the talks of a step."""
    given: dict[str, Any] = {
        "personas": args.personas,
        "difficulty": args.difficulty,
        "user": args.user,
        "protocol": args.protocol,
        "scaffold": args.scaffold,
        "reward": args.reward,
        "system_prompt": args.system_prompt,
        "max_turns": args.turns,
    }
    name = "EmpathyEnv/Support-v0"
    return gym.make_vec(name, num_envs=seats, group_size=group_size, **{**given, **changed})


def rollout(
    model: Any, template: ChatTemplate, envs: Any, seeds: Sequence[int], dice: int, args: Args
) -> list[Played]:
    """Play one talk in each seat to its end."""
    envs.reset(seed=list(seeds))
    talks = [template.opened(episode.messages) for episode in envs.unwrapped.episodes]
    turns: list[tuple[int, ...]] = [()] * envs.num_envs
    generator = torch.Generator().manual_seed(dice)
    while (active := envs.unwrapped.active).any():
        seats = [int(seat) for seat in np.flatnonzero(active)]
        prompts = [talks[seat].ids for seat in seats]
        said = sampled(model, template.tokenizer, prompts, generator, args)
        words = [""] * envs.num_envs
        for seat, (ids, chances) in zip(seats, said, strict=True):
            talks[seat] = talks[seat].sampled(ids, chances)
            words[seat] = template.words(ids)
        envs.step(words)
        for seat in seats:
            episode = envs.unwrapped.episodes[seat]
            turn = max(turns[seat], default=-1) + 1
            if not episode.done:
                talks[seat] = template.answered(talks[seat], episode.utterance)
            more = len(talks[seat].completion) - len(turns[seat])
            turns[seat] += (turn,) * more
    episodes = envs.unwrapped.episodes
    return [played(*one) for one in zip(talks, turns, episodes, strict=True)]


def played(tokens: Tokens, turns: tuple[int, ...], episode: Episode) -> Played:
    """Return what came of an episode."""
    trace, valid = episode.trace, episode.outcome is not None
    emotion = final_emotion(trace)
    return Played(tokens, turns, tuple(episode.rewards), emotion, valid, trace)


@torch.no_grad()
def sampled(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    generator: torch.Generator,
    args: Args,
) -> list[tuple[list[int], list[float]]]:
    """Sample a turn after each prompt; return its tokens, the end included, and their chances."""
    longest, end = max(map(len, prompts)), tokenizer.eos_token_id
    ids = torch.tensor([[end] * (longest - len(one)) + list(one) for one in prompts])
    seen = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in prompts])
    ids, seen = ids.to(model.device), seen.to(model.device)
    places = (seen.cumsum(1) - 1).clamp(min=0)
    found: list[tuple[list[int], list[float]]] = [([], []) for _ in prompts]
    going, past = torch.ones(len(prompts), dtype=torch.bool), None
    for _ in range(args.turn_tokens):
        out = model(
            input_ids=ids,
            attention_mask=seen,
            position_ids=places,
            past_key_values=past,
            use_cache=True,
            logits_to_keep=1,
        )
        past = out.past_key_values
        chances = (out.logits[:, -1].float() / args.temperature).log_softmax(-1).cpu()
        drawn = torch.multinomial(chances.exp(), 1, generator=generator)
        for row, token in enumerate(drawn[:, 0].tolist()):
            if going[row]:
                found[row][0].append(token)
                found[row][1].append(float(chances[row, token]))
        going &= drawn[:, 0] != end
        if not going.any():
            break
        ids = drawn.to(model.device)
        seen = torch.cat([seen, torch.ones_like(ids)], 1)
        places = places[:, -1:] + 1
    return found


# ---- learning


class Seen(NamedTuple):
    """What a model makes of some talks, padded on the right."""

    chances: torch.Tensor
    """Log-probability of each token of each completion, (talks, tokens)."""
    entropy: torch.Tensor
    """Of what was sampled from there, in nats, (talks, tokens)."""
    hidden: torch.Tensor
    """Hidden states at the token after which each turn begins, (talks, turns, width)."""


def seen_by(model: Any, talks: Sequence[Played], args: Args) -> Seen:
    """Return what the model makes of the talks."""
    ids = ids_of(talks, args.device)
    first = min(len(talk.tokens.prompt) for talk in talks) - 1
    kept = ids.shape[1] - first
    out = model(input_ids=ids, output_hidden_states=True, logits_to_keep=kept)
    logits = out.logits[:, :-1].float() / args.temperature
    every = logits.logsumexp(2)
    # Like log_softmax and gather, without a second tensor as large as the vocabulary.
    chosen = logits.gather(2, ids[:, first + 1 :, None])[..., 0] - every
    spread = torch.zeros_like(every)
    if args.entropy:
        spread = every - ((logits - every[..., None]).exp() * logits).sum(2)
    rows = (within(each, talks, first) for each in (chosen, spread))
    return Seen(*rows, beginnings(out, talks))


def ids_of(talks: Sequence[Played], device: str) -> torch.Tensor:
    """Return the tokens, (talks, tokens).

    Padded on the right: what is behind the end is never looked at by what is before it.
    """
    longest = max(len(talk.tokens.ids) for talk in talks)
    rows = [talk.tokens.ids + [0] * (longest - len(talk.tokens.ids)) for talk in talks]
    return torch.tensor(rows, device=device)


def within(each: torch.Tensor, talks: Sequence[Played], first: int) -> torch.Tensor:
    """Return of what is there for each next token from `first` on what is of completions."""
    width = max(len(talk.tokens.completion) for talk in talks)
    rows = [
        torch.nn.functional.pad(each[row, start:end], (0, width - (end - start)))
        for row, talk in enumerate(talks)
        for start, end in [(len(talk.tokens.prompt) - 1 - first, len(talk.tokens.ids) - 1 - first)]
    ]
    return torch.stack(rows)


def beginnings(out: Any, talks: Sequence[Played]) -> torch.Tensor:
    """Return the last hidden states at the token before each turn, (talks, turns, width)."""
    places = [
        [len(talk.tokens.prompt) - 1 + talk.turns.index(turn) for turn in range(len(talk.rewards))]
        for talk in talks
    ]
    most = max(map(len, places))
    rows = [
        hidden[one + [0] * (most - len(one))]
        for hidden, one in zip(out.hidden_states[-1], places, strict=True)
    ]
    return torch.stack(rows)


class Critic(torch.nn.Module):
    """Says what a talk will still be paid.

    Args:
        width: Of the model's hidden states.
        trunk: A model of its own to have these from; None: they are the policy's.
        seed: Key of the weights of the head; it begins by expecting 0 everywhere.
        shared: Whether the head's error reaches the policy.
    """

    def __init__(self, width: int, trunk: Any, seed: int, *, shared: bool):
        super().__init__()
        self.trunk, self.shared = trunk, shared
        first, last = torch.nn.Linear(width, width), torch.nn.Linear(width, 1)
        dice = torch.Generator().manual_seed(seed)
        torch.nn.init.normal_(first.weight, 0.0, width**-0.5, generator=dice)
        for zero in (first.bias, last.weight, last.bias):
            torch.nn.init.zeros_(zero)
        self.head = torch.nn.Sequential(torch.nn.LayerNorm(width), first, torch.nn.Tanh(), last)

    def forward(self, seen: Seen, talks: Sequence[Played]) -> torch.Tensor:
        """Return what is expected at each turn, (talks, turns)."""
        hidden = seen.hidden if self.shared else seen.hidden.detach()
        if self.trunk is not None:
            ids = ids_of(talks, str(hidden.device))
            hidden = beginnings(self.trunk(input_ids=ids, output_hidden_states=True), talks)
        return self.head(hidden.float())[..., 0]


def padded(rows: Sequence[Sequence[float]]) -> torch.Tensor:
    """Return the rows as one tensor, filled with 0 on the right."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[0.0] * (width - len(row))] for row in rows])


@torch.no_grad()
def lessons(state: State, reference: Any, talks: Sequence[Played], args: Args) -> list[Lesson]:
    """Return the talks to learn from, with what is thought of them now; faults are left out."""
    valid = [talk for talk in talks if talk.valid]
    before: list[list[float]] = []
    known: list[list[float]] = []
    values: list[list[float]] = []
    for start in range(0, len(valid), args.micro):
        part = valid[start : start + args.micro]
        seen = seen_by(state.model, part, args)
        expected = state.critic(seen, part)
        with without_lora(reference, args):
            chances = seen_by(reference, part, args).chances
        for row, talk in enumerate(part):
            # Not the sampler's own: in bfloat16 it rounds otherwise, and ratios would begin off 1.
            before.append(seen.chances[row, : len(talk.tokens.completion)].tolist())
            known.append(chances[row, : len(talk.tokens.completion)].tolist())
            values.append(expected[row, : len(talk.rewards)].tolist())
    raw = [
        gae(talk.rewards, value, args.gamma, args.lam)
        for talk, value in zip(valid, values, strict=True)
    ]
    returns = [
        [x + y for x, y in zip(one, value, strict=True)]
        for one, value in zip(raw, values, strict=True)
    ]
    each = zip(valid, before, known, values, whitened(raw, args.floor), returns, strict=True)
    return [Lesson(*one) for one in each]


def without_lora(model: Any, args: Args) -> Any:
    """Return a context in which the model is the one that was begun with."""
    return model.disable_adapter() if args.lora else nullcontext()


def learn(state: State, reference: Any, talks: Sequence[Played], args: Args) -> dict[str, float]:
    """Take the steps of the optimizer on the talks; return what is worth logging."""
    learnt = lessons(state, reference, talks, args)
    logged = {"learnt_talks": float(len(learnt))}
    if not learnt:
        return logged
    policy, critic = state.optimizer.param_groups
    policy["lr"] = args.lr * pace(state.step, args.warmup)
    critic["lr"] = args.value_lr * pace(state.step, args.value_warmup)
    size = args.minibatch or len(learnt)
    each: list[dict[str, float]] = []
    for epoch in range(args.epochs):
        dice = np.random.default_rng(key("order", args.seed, state.step, epoch))
        order = dice.permutation(len(learnt))
        for start in range(0, len(order), size):
            part = [learnt[one] for one in order[start : start + size]]
            each.append(stepped(state, part, args))
    returns = [one for lesson in learnt for one in lesson.returns]
    values = [one for lesson in learnt for one in lesson.values]
    means = {name: math.fsum(one[name] for one in each) / len(each) for name in each[0]}
    return {**logged, **means, "value_explains": explained(returns, values)}


def stepped(state: State, lessons: Sequence[Lesson], args: Args) -> dict[str, float]:
    """Take one step of the optimizer; return its figures, as means over the talks."""
    state.optimizer.zero_grad()
    sums: dict[str, float] = defaultdict(float)
    for start in range(0, len(lessons), args.micro):
        losses = losses_of(state, lessons[start : start + args.micro], args)
        # Each talk has one weight, however many turns and tokens it has.
        total = losses["policy_loss"] + args.value_weight * losses["value_loss"]
        (total.sum() / len(lessons)).backward()
        for name, loss in losses.items():
            sums[name] += float(loss.detach().sum()) / len(lessons)
    groups = state.optimizer.param_groups
    norms = [torch.nn.utils.clip_grad_norm_(one["params"], args.grad_norm) for one in groups]
    state.optimizer.step()
    return {**sums, "gradient": float(norms[0]), "value_gradient": float(norms[1])}


def losses_of(state: State, part: Sequence[Lesson], args: Args) -> dict[str, torch.Tensor]:
    """Return each talk's losses, and its KL, clipped share and entropy."""
    talks = [lesson.talk for lesson in part]
    seen = seen_by(state.model, talks, args)
    tokens = [talk.tokens for talk in talks]
    credit = [[lesson.advantages[turn] for turn in lesson.talk.turns] for lesson in part]
    rows = ([one.before for one in part], [one.reference for one in part])
    before, known = (padded(row).to(args.device) for row in rows)
    sampler = padded([one.logprobs for one in tokens]).to(args.device)
    mask = padded([one.mask for one in tokens]).to(args.device)
    loss, kl = objective(
        seen.chances,
        before,
        known,
        padded(credit).to(args.device),
        mask,
        clip=args.clip,
        kl=args.kl,
    )
    count = mask.sum(1).clamp(min=1)
    spread = (seen.entropy * mask).sum(1) / count
    rows = ([one.values for one in part], [one.returns for one in part])
    old, returns = (padded(row).to(args.device) for row in rows)
    there = padded([[1.0] * len(lesson.values) for lesson in part]).to(args.device)
    values = state.critic(seen, talks)
    far = ((seen.chances - before).exp() - 1).abs() > args.clip
    figures = {
        "policy_loss": loss - args.entropy * spread,
        "value_loss": value_loss(values, old, returns, there, clip=args.value_clip),
        "kl": kl,
        "clipped": (far * mask).sum(1) / count,
        "sampler_gap": ((before - sampler).abs() * mask).sum(1) / count,
    }
    return figures | ({"entropy": spread} if args.entropy else {})


# ---- evaluation


def evaluate(model: Any, template: ChatTemplate, args: Args, protocol: str) -> list[Played]:
    """Play the held-out talks; the starts and the dice are the same each time."""
    envs = environment(
        args, args.evaluation_talks, 1, personas=args.held_out, protocol=protocol, user="code"
    )
    first = 900_000_000
    seeds = range(first, first + args.evaluation_talks)
    return rollout(model, template, envs, seeds, key("evaluation", args.seed), args)


def compared(now: Sequence[Played], base: Sequence[float], seed: int) -> dict[str, Interval]:
    """Return the mean final emotion, and how much it is above the base's, start by start."""
    clusters = [talk.trace.scenario.persona.id for talk in now]
    values = [talk.emotion for talk in now]
    gained = [one - other for one, other in zip(values, base, strict=True)]
    return {"emotion": bootstrap(values, clusters, seed), "gain": bootstrap(gained, clusters, seed)}


def disagreed(talks: Sequence[Played], seed: int) -> Interval:
    """Return by how much a second appraiser's final emotion is lower, on the same words.

    What grows here while the reward grows was learnt of the appraiser, not of people.
    """
    again = retest([talk.trace for talk in talks], RuleAppraiser(SECOND_READER), samples=1).talks
    both = [talk for talk in talks if talk.trace.id in again]
    gaps = [talk.emotion - again[talk.trace.id].finals[0] for talk in both]
    return bootstrap(gaps, [talk.trace.scenario.persona.id for talk in both], seed)


USERS = {"held_out_personas": "appraisal-v1", "held_out_user": HELD_OUT}
"""Whom a policy is evaluated on, by the protocol; the second user has rules of its own."""


def evaluated(
    model: Any, template: ChatTemplate, base: dict[str, list[float]], step: int, args: Args
) -> dict[str, Any]:
    """Evaluate on both users, and keep the talks; fills in `base` the first time."""
    found: dict[str, Interval] = {}
    seed = key("bootstrap", args.seed)
    for name, protocol in USERS.items():
        talks = evaluate(model, template, args, protocol)
        base.setdefault(name, [talk.emotion for talk in talks])
        for what, one in compared(talks, base[name], seed).items():
            found[f"{name}/{what}"] = one
        if name == "held_out_personas":
            found["second_reader/gap"] = disagreed(talks, seed)
        traces = [replace(talk.trace, agent=f"step-{step}") for talk in talks]
        write_traces(Path(args.out) / f"{name}-{step:04}.jsonl", traces)
    for name, one in found.items():
        tell(f"  {name} {one.mean:.1f} [{one.low:.1f}, {one.high:.1f}]")
    return {name: one._asdict() for name, one in found.items()}


# ---- checkpoints and the command line


class State(NamedTuple):
    """All that a run goes on from. Draws are keyed by the step, so there is no generator to keep."""

    model: Any
    critic: Critic
    optimizer: Any
    step: int
    """Steps done."""
    base: dict[str, list[float]]
    """Final emotions of the model that was begun with."""


def save(state: State, tokenizer: Any, args: Args) -> None:
    """Write a checkpoint, whole or not at all."""
    folder, fresh = Path(args.out) / "last", Path(args.out) / "next"
    shutil.rmtree(fresh, ignore_errors=True)
    state.model.save_pretrained(fresh)
    tokenizer.save_pretrained(fresh)
    kept = {"step": state.step, "base": state.base, "args": asdict(args)}
    parts = {"critic": state.critic.state_dict(), "optimizer": state.optimizer.state_dict()}
    torch.save({**parts, **kept}, fresh / "state.pt")
    old = Path(args.out) / "old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


FREE = {"resume", "steps", "out", "tensorboard", "save_every", "evaluate_every"}
"""Arguments that may differ when a run is taken up again."""


def opened(args: Args) -> State:
    """Return the state to begin with: fresh, or that of the checkpoint.

    Raises:
        InvalidArgument: If the checkpoint was made with other arguments that matter.
    """
    folder = Path(args.out) / "last"
    if args.resume:
        check_same(args, folder)
    model = loaded(args, folder if args.resume else None)
    trunk = (
        AutoModel.from_pretrained(args.model, dtype=getattr(torch, args.dtype))
        if args.critic == "model"
        else None
    )
    width = model.config.get_text_config().hidden_size
    shared = args.critic == "shared"
    critic = Critic(width, trunk, key("critic", args.seed), shared=shared).to(args.device)
    groups = [
        {"params": [one for one in model.parameters() if one.requires_grad], "lr": args.lr},
        {"params": list(critic.parameters()), "lr": args.value_lr},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    if not args.resume:
        return State(model, critic, optimizer, 0, {})
    kept = torch.load(folder / "state.pt", weights_only=True, map_location=args.device)
    critic.load_state_dict(kept["critic"])
    optimizer.load_state_dict(kept["optimizer"])
    return State(model, critic, optimizer, kept["step"], kept["base"])


def check_same(args: Args, folder: Path) -> None:
    """Check that the checkpoint was made with the same arguments, where they matter.

    Raises:
        InvalidArgument: If not.
    """
    if not (folder / "state.pt").exists():
        raise InvalidArgument(f"resume=True, but there is no checkpoint in {folder}: leave it out")
    kept = torch.load(folder / "state.pt", weights_only=True, map_location="cpu")
    for name, value in asdict(args).items():
        if name not in FREE and kept["args"][name] != value:
            raise InvalidArgument(
                f"{name}={value!r}, but the checkpoint in {folder} was made with "
                f"{kept['args'][name]!r}: give that, or another out="
            )


def loaded(args: Args, folder: Path | None = None) -> Any:
    """Return the model to train, from a checkpoint if a folder is given."""
    source = args.model if folder is None or args.lora else str(folder)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, args.dtype))
    if args.lora:
        import peft

        if folder is None:
            config = peft.LoraConfig(
                r=args.lora,
                lora_alpha=2 * args.lora,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            )
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(key(args.seed, "lora"))
                model = peft.get_peft_model(model, config)
        else:
            model = peft.PeftModel.from_pretrained(model, str(folder), is_trainable=True)
    return model.eval().to(args.device)


PRESETS = Path(__file__).with_name("rlver.yaml")


def preset_of(name: str) -> dict[str, Any]:
    """Return the values of a preset for this script, by argument.

    Raises:
        UnknownName: If this script has no such preset.
    """
    held = yaml.safe_load(PRESETS.read_text("utf-8"))
    own = {one: parts for one, parts in held["presets"].items() if parts[0] == Path(__file__).stem}
    if name not in own:
        raise UnknownName.among("preset", name, own)
    return {
        argument: given["value"]
        for part in own[name]
        for argument, given in held["parts"].get(part, {}).items()
    }


def parsed(argv: Sequence[str] | None) -> Args:
    """Return the arguments of a command line; what it gives wins over its preset."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str}
    said = meanings()
    for one in fields(Args):
        name, kind = f"--{one.name.replace('_', '-')}", str(one.type)
        default = "" if one.default is MISSING or kind == "bool" else f" ({one.default})"
        text = f"{said[one.name]}{default}".replace("%", "%%")
        how: dict[str, Any] = {"action": "store_true"} if kind == "bool" else {"type": kinds[kind]}
        parser.add_argument(name, default=argparse.SUPPRESS, help=text, **how)
    given = vars(parser.parse_args(argv))
    values = {**(preset_of(given["preset"]) if given.get("preset") else {}), **given}
    for one in fields(Args):
        if one.default is MISSING and one.name not in values:
            parser.error(f"give --{one.name}")
    return checked(Args(**values))


def meanings() -> dict[str, str]:
    """Return what each argument means: the text below its field."""
    body = ast.parse(inspect.getsource(Args)).body[0].body[1:]  # type: ignore[attr-defined]
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(body[::2], body[1::2], strict=True)
    }


def checked(args: Args) -> Args:
    """Return the arguments, if they can be honoured.

    Raises:
        InvalidArgument: If not.
    """
    if args.critic not in ("head", "shared", "model"):
        raise InvalidArgument(f"critic={args.critic!r}: give 'head', 'shared' or 'model'")
    for name in ("gamma", "lam"):
        if not 0 <= getattr(args, name) <= 1:
            raise InvalidArgument(f"{name}={getattr(args, name)}: it must be in [0, 1]")
    for name in ("temperature", "floor", "value_clip", "clip"):
        if getattr(args, name) <= 0:
            raise InvalidArgument(f"{name}={getattr(args, name)}: it must be above 0")
    if args.talks < 2 or args.epochs < 1:
        raise InvalidArgument(
            f"talks={args.talks}, epochs={args.epochs}: give 2 talks and 1 epoch at least"
        )
    if args.lora < 0 or args.dtype not in ("float32", "bfloat16"):
        raise InvalidArgument(
            f"lora={args.lora}, dtype={args.dtype!r}: give a rank of 0 or more, and 'float32' or "
            "'bfloat16'"
        )
    if args.lora and find_spec("peft") is None:
        raise InvalidArgument(f"lora={args.lora}, and peft is not installed: pip install peft")
    if args.tensorboard and find_spec("tensorboard") is None:
        raise InvalidArgument("tensorboard=True, and it is not installed: pip install tensorboard")
    return args


def tell(text: str) -> None:
    """Write one line for whoever is waiting; nothing else here does."""
    CONSOLE.print(text, markup=False, highlight=False, soft_wrap=True)


def tracked(done: int, steps: int) -> Iterator[int]:
    """Yield the steps to do, under a bar that says how long it will take, on a terminal."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=CONSOLE, disable=not CONSOLE.is_terminal) as bar:
        yield from bar.track(range(done, steps), total=steps, completed=done, description="PPO")


class Log:
    """Writes each step's figures to `log.jsonl`, and to TensorBoard if asked."""

    def __init__(self, args: Args):
        Path(args.out).mkdir(parents=True, exist_ok=True)
        self._path = Path(args.out) / "log.jsonl"
        if not args.resume:
            self._path.unlink(missing_ok=True)
        self._board: Any = None
        if args.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(args.out)

    def keep(self, step: int) -> None:
        """Drop what was logged after a checkpoint was made: it will be done again."""
        if self._path.exists():
            lines = self._path.read_text("utf-8").splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            self._path.write_text("".join(kept), "utf-8")

    def write(self, step: int, figures: dict[str, Any]) -> None:
        """Write one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")
        for name, value in figures.items() if self._board is not None else ():
            flat = value["mean"] if isinstance(value, dict) else value
            self._board.add_scalar(name, flat, step)


def figures_of(talks: Sequence[Played]) -> dict[str, float]:
    """Return what a step's talks were like; faults are counted and nothing else of them is."""
    valid = [talk for talk in talks if talk.valid]
    faults = {"faults": float(len(talks) - len(valid))}
    if not valid:
        return faults  # there is no reward, not one of 0
    return faults | {
        "reward": math.fsum(math.fsum(talk.rewards) for talk in valid) / len(valid),
        "emotion": math.fsum(talk.emotion for talk in valid) / len(valid),
        "turns": sum(len(talk.rewards) for talk in valid) / len(valid),
        "sampled_tokens": sum(sum(talk.tokens.mask) for talk in valid) / len(valid),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Train."""
    args = parsed(argv)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    template = ChatTemplate(tokenizer)
    state = opened(args)
    reference = state.model if args.lora else loaded(args)
    envs = environment(args, args.talks, 1)
    log = Log(args)
    log.keep(state.step)
    if state.step == 0:
        log.write(0, evaluated(state.model, template, state.base, 0, args))
    for step in tracked(state.step, args.steps):
        begun = time.monotonic()
        first = key("start", args.seed, step) % 800_000_000  # below the seeds of evaluations
        seeds = range(first, first + args.talks)
        dice = key("dice", args.seed, step)
        talks = rollout(state.model, template, envs, seeds, dice, args)
        figures: dict[str, Any] = figures_of(talks)
        figures |= learn(state, reference, talks, args)
        figures["seconds"] = time.monotonic() - begun
        state = state._replace(step=step + 1)
        tell(line(step + 1, figures, args))
        last = step + 1 == args.steps
        if last or (step + 1) % args.evaluate_every == 0:
            figures |= evaluated(state.model, template, state.base, step + 1, args)
        log.write(step + 1, figures)
        if last or (step + 1) % args.save_every == 0:
            save(state, tokenizer, args)


def line(step: int, figures: dict[str, Any], args: Args) -> str:
    """Return a step in one line."""
    known = {name: figures.get(name, math.nan) for name in LINE}
    shown = " ".join(LINE[name].format(value) for name, value in known.items())
    return f"step {step}/{args.steps} {shown}"


LINE = {
    "reward": "reward {:.3f}",
    "emotion": "emotion {:.1f}",
    "turns": "turns {:.1f}",
    "kl": "KL {:.4f}",
    "value_explains": "value {:.2f}",
    "faults": "faults {:.0f}",
    "seconds": "{:.0f} s",
}
"""How figures are shown; one that there is not is shown as nan."""


if __name__ == "__main__":
    main()
