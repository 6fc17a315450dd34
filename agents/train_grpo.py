"""Trains a causal language model by GRPO over whole talks, in plain PyTorch.

    python agents/train_grpo.py --model tiny --out run

Group-relative policy optimisation (arXiv 2402.03300) over `gym.make_vec`: the seats of a group share
their start and the user's noise, so that they differ in what the policy said alone. What was
sampled is trained on as it was sampled (`empathy_env.tokens`); what was read is masked out.
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
from transformers import AutoModelForCausalLM, AutoTokenizer

from empathy_env.appraiser import RuleAppraiser
from empathy_env.audit import HELD_OUT, SECOND_READER
from empathy_env.episode import Episode
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.group import ALIKE, final_emotion
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
    """Values of `rlver.yaml` to begin with, such as "grpo-think"; what is given beside it wins."""
    seed: int = 1
    """Key of all that is drawn."""
    steps: int = 50
    """Steps of GRPO."""
    groups: int = 4
    """Groups in a step."""
    group_size: int = 8
    """Talks that share a start; at least 2."""
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
    """What is paid; with `turn` advantages one that pays each turn, such as "delta"."""
    system_prompt: str = "default"
    """Instructions before each talk."""
    turns: int = 6
    """Turns of the agent in a talk."""
    turn_tokens: int = 48
    """Most tokens of a turn."""
    temperature: float = 1.0
    """Of sampling, above 0; the policy that is trained is the one at this temperature."""
    advantage: str = "episode"
    """What a token is credited with: its talk's total ("episode"), or what came from its turn on
    ("turn")."""
    floor: float = 0.02
    """Least standard deviation that a group's rewards are divided by: the reward's noise."""
    kl: float = 0.02
    """Weight of the KL to the reference."""
    clip: float = 0.2
    """How far the ratio of a token may go from 1 before it pays no more."""
    epochs: int = 1
    """Passes over the talks of a step."""
    lr: float = 3e-4
    """Learning rate of AdamW; for a pretrained model take 1e-6 to 1e-5, with LoRA 1e-4."""
    lora: int = 0
    """Rank of low-rank matrices beside all linear layers (needs peft), which alone are trained; 0
    trains the whole model."""
    dtype: str = "float32"
    """Of the weights, "float32" or "bfloat16"; the latter with LoRA, whose own stay in float32."""
    device: str = "cpu"
    """Where the model is, such as "cuda"; only on the CPU is a resumed run the same to the bit."""
    warmup: int = 0
    """Steps in which the learning rate rises to `lr`."""
    grad_norm: float = 1.0
    """The gradient is cut to this norm."""
    micro: int = 8
    """Talks in one backward pass; changes memory, and no result but for rounding."""
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


# ---- what is pure


def key(*parts: object) -> int:
    """Return 63 bits that depend on the parts and on nothing else."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def to_go(rewards: Sequence[float]) -> list[float]:
    """Return for each turn what was paid from it on.

    >>> to_go([0.0, 1.0, 2.0])
    [3.0, 3.0, 2.0]
    """
    return [math.fsum(rewards[turn:]) for turn in range(len(rewards))]


def standardised(values: Sequence[float], floor: float) -> list[float]:
    """Return how far each value is from the mean, in standard deviations, these at least `floor`.

    The standard deviation is that of the group itself (divided by n).

    >>> standardised([0.0, 2.0], 0.1), standardised([0.0, 0.5], 0.5)
    ([-1.0, 1.0], [-0.5, 0.5])
    """
    mean = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in values) / len(values))
    return [(one - mean) / max(spread, floor) for one in values]


def advantages(group: Sequence[Played], kind: str, floor: float) -> list[list[float]] | None:
    """Return each talk's advantage at each of its turns; none for a talk that is not valid.

    None for a group that teaches nothing: fewer than two valid talks, or all of them paid alike.
    With "turn" those members are compared that reached the turn, by what was paid from it on.
    """
    valid = [n for n, talk in enumerate(group) if talk.valid]
    found: list[list[float]] = [[] for _ in group]
    if kind == "episode":
        totals = [math.fsum(group[n].rewards) for n in valid]
        if len(valid) < 2 or max(totals) - min(totals) <= ALIKE:
            return None
        for n, one in zip(valid, standardised(totals, floor), strict=True):
            found[n] = [one] * len(group[n].rewards)
        return found
    later = {n: to_go(group[n].rewards) for n in valid}
    alike = True
    for turn in range(max(map(len, later.values()), default=0)):
        there = [n for n in valid if turn < len(later[n])]
        values = [later[n][turn] for n in there]
        alike = alike and max(values) - min(values) <= ALIKE
        for n, one in zip(there, standardised(values, floor), strict=True):
            found[n].append(one)
    return None if alike else found


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


def bootstrap(values: Sequence[float], clusters: Sequence[str], seed: int) -> Interval:
    """Return the mean and its 95 % interval over personas: talks with one of them are alike."""
    by: dict[str, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        by[cluster].append(value)
    return cluster_bootstrap(by, seed=seed)


def pace(step: int, warmup: int) -> float:
    """Return the share of the learning rate, in (0, 1]; it rises in equal parts.

    >>> pace(0, 0), pace(0, 4), pace(9, 4)
    (1.0, 0.25, 1.0)
    """
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


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


def chances_of(model: Any, talks: Sequence[Tokens], temperature: float) -> torch.Tensor:
    """Return the log-probability of each token of each completion, (talks, tokens), padded."""
    longest = max(len(talk.ids) for talk in talks)
    # Padded on the right: what is behind the end is never looked at by what is before it.
    rows = [talk.ids + [0] * (longest - len(talk.ids)) for talk in talks]
    ids = torch.tensor(rows, device=model.device)
    first = min(len(talk.prompt) for talk in talks) - 1
    kept = model(input_ids=ids, logits_to_keep=longest - first).logits[:, :-1]
    logits = kept.float() / temperature
    # Like log_softmax and gather, without a second tensor as large as the vocabulary.
    chosen = logits.gather(2, ids[:, first + 1 :, None])[..., 0] - logits.logsumexp(2)
    width = max(len(talk.completion) for talk in talks)
    parts = [
        torch.nn.functional.pad(chosen[row, start:end], (0, width - (end - start)))
        for row, talk in enumerate(talks)
        for start, end in [(len(talk.prompt) - 1 - first, len(talk.ids) - 1 - first)]
    ]
    return torch.stack(parts)


def padded(rows: Sequence[Sequence[float]]) -> torch.Tensor:
    """Return the rows as one tensor, filled with 0 on the right."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[0.0] * (width - len(row))] for row in rows])


def lessons(talks: Sequence[Played], args: Args) -> tuple[list[tuple[Played, list[float]]], int]:
    """Return the talks to learn from, with the credit of each token, and how many groups have none.

    A talk without a sampled token of its own, or with a fault, is left out.
    """
    chosen: list[tuple[Played, list[float]]] = []
    skipped = 0
    for start in range(0, len(talks), args.group_size):
        group = talks[start : start + args.group_size]
        found = advantages(group, args.advantage, args.floor)
        if found is None:
            skipped += 1
            continue
        for talk, each in zip(group, found, strict=True):
            if talk.valid:
                chosen.append((talk, [each[turn] for turn in talk.turns]))
    return chosen, skipped


def without_lora(model: Any, args: Args) -> Any:
    """Return a context in which the model is the one that was begun with."""
    return model.disable_adapter() if args.lora else nullcontext()


def learn(
    model: Any, reference: Any, optimizer: Any, talks: Sequence[Played], args: Args
) -> dict[str, float]:
    """Take one step (`epochs` of them) on the talks; return what is worth logging."""
    chosen, skipped = lessons(talks, args)
    logged = {"skipped_groups": float(skipped), "learnt_talks": float(len(chosen))}
    before: dict[int, torch.Tensor] = {}
    for epoch in range(args.epochs if chosen else 0):
        optimizer.zero_grad()
        kls = apart = 0.0
        for start in range(0, len(chosen), args.micro):
            part = chosen[start : start + args.micro]
            tokens = [talk.tokens for talk, _ in part]
            mask = padded([one.mask for one in tokens]).to(args.device)
            with torch.no_grad(), without_lora(reference, args):
                known = chances_of(reference, tokens, args.temperature)
            now = chances_of(model, tokens, args.temperature)
            # Not the sampler's own: in bfloat16 it rounds otherwise, and ratios would begin off 1.
            before.setdefault(start, now.detach())
            loss, kl = objective(
                now,
                before[start],
                known,
                padded([credit for _, credit in part]).to(args.device),
                mask,
                clip=args.clip,
                kl=args.kl,
            )
            # Each talk has one weight, however many turns and tokens it has.
            (loss.sum() / len(chosen)).backward()
            kls += float(kl.sum())
            sampler = padded([one.logprobs for one in tokens]).to(args.device)
            off = (now.detach() - sampler).abs() * mask
            apart += float((off.sum(1) / mask.sum(1).clamp(min=1)).sum())
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), args.grad_norm)
        optimizer.step()
        logged |= {"kl": kls / len(chosen), "gradient": float(norm)}
        if epoch == 0:
            logged["sampler_gap"] = apart / len(chosen)
    return logged


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
    torch.save({"optimizer": state.optimizer.state_dict(), **kept}, fresh / "state.pt")
    old = Path(args.out) / "old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


FREE = {"resume", "steps", "out", "tensorboard", "save_every", "evaluate_every"}
"""Arguments that may differ when a run is taken up again."""


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


def opened(args: Args) -> State:
    """Return the state to begin with: fresh, or that of the checkpoint.

    Raises:
        InvalidArgument: If the checkpoint was made with other arguments that matter.
    """
    folder = Path(args.out) / "last"
    model = loaded(args, folder if args.resume else None)
    optimizer = torch.optim.AdamW(
        [one for one in model.parameters() if one.requires_grad], lr=args.lr, weight_decay=0.0
    )
    if not args.resume:
        return State(model, optimizer, 0, {})
    kept = torch.load(folder / "state.pt", weights_only=True, map_location=args.device)
    for name, value in asdict(args).items():
        if name not in FREE and kept["args"][name] != value:
            raise InvalidArgument(
                f"{name}={value!r}, but the checkpoint in {folder} was made with "
                f"{kept['args'][name]!r}: give that, or another out="
            )
    optimizer.load_state_dict(kept["optimizer"])
    return State(model, optimizer, kept["step"], kept["base"])


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
    if args.group_size < 2:
        raise InvalidArgument(f"group_size={args.group_size}: a group compares 2 talks at least")
    if args.advantage not in ("episode", "turn"):
        raise InvalidArgument(f"advantage={args.advantage!r}: give 'episode' or 'turn'")
    if args.temperature <= 0 or args.floor <= 0:
        raise InvalidArgument(
            f"temperature={args.temperature}, floor={args.floor}: both must be above 0"
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
        yield from bar.track(range(done, steps), total=steps, completed=done, description="GRPO")


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
    model, optimizer, done, base = opened(args)
    reference = model if args.lora else loaded(args)
    envs = environment(args, args.groups * args.group_size, args.group_size)
    log = Log(args)
    log.keep(done)
    if done == 0:
        log.write(0, evaluated(model, template, base, 0, args))
    for step in tracked(done, args.steps):
        begun = time.monotonic()
        first = key("start", args.seed, step) % 800_000_000  # below the seeds of evaluations
        seeds = [first + seat // args.group_size for seat in range(envs.num_envs)]
        talks = rollout(model, template, envs, seeds, key("dice", args.seed, step), args)
        figures: dict[str, Any] = figures_of(talks)
        for one in optimizer.param_groups:
            one["lr"] = args.lr * pace(step, args.warmup)
        figures |= learn(model, reference, optimizer, talks, args)
        figures["seconds"] = time.monotonic() - begun
        tell(line(step + 1, figures, args))
        last = step + 1 == args.steps
        if last or (step + 1) % args.evaluate_every == 0:
            figures |= evaluated(model, template, base, step + 1, args)
        log.write(step + 1, figures)
        if last or (step + 1) % args.save_every == 0:
            save(State(model, optimizer, step + 1, base), tokenizer, args)


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
    "skipped_groups": "skipped {:.0f}",
    "faults": "faults {:.0f}",
    "seconds": "{:.0f} s",
}
"""How figures are shown; one that there is not is shown as nan."""


if __name__ == "__main__":
    main()
