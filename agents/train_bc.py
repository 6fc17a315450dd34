"""Teaches a causal language model to talk like the best of given talks, in plain PyTorch.

    python agents/train_bc.py --model tiny --agents listener,template-therapist --least 60 --out run

Behaviour cloning: cross-entropy on what the agent said, and on nothing that it read. The talks are
traces in files (`empathy-env rollout`), or played here by reference agents, or by the model itself
(`--agents self`): with `--group-size` and `--best-of` that is rejection sampling (best of n,
fine-tuned on; RAFT, arXiv 2304.06767). Talks are chosen by the emotion that they ended with.
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
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from transformers import AutoModelForCausalLM, AutoTokenizer

from empathy_env.agents import load_agent
from empathy_env.appraiser import RuleAppraiser
from empathy_env.audit import HELD_OUT, SECOND_READER
from empathy_env.episode import Episode, Task
from empathy_env.errors import InvalidArgument
from empathy_env.group import cell_of, counts, final_emotion, of_one
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.measures.noise import retest
from empathy_env.messages import Message, from_agent, from_system, from_user
from empathy_env.rollout import rollouts
from empathy_env.tokens import ChatTemplate, Tokens
from empathy_env.trace import Trace, read_traces, write_traces


@dataclass(frozen=True)
class Args:
    """What can be set; each field is an option of the command line."""

    model: str
    """Folder or name of the model to begin with."""
    out: str
    """Folder for checkpoints and the log."""
    seed: int = 1
    """Key of all that is drawn."""
    traces: str = ""
    """Files of traces to learn from, with commas between."""
    agents: str = ""
    """Or agents whose talks are played now, in turn; "self" is the model that is begun with."""
    talks: int = 256
    """How many talks are played."""
    group_size: int = 1
    """Talks that share a start, of those that are played."""
    least: float = 60.0
    """Final emotion that a talk is learnt from at least, in [0, 100]; who left counts as 0."""
    best_of: int = 0
    """Learn from so many of the talks that share a start, the best; 0 = all."""
    steps: int = 100
    """Steps of AdamW."""
    batch: int = 16
    """Talks in each."""
    personas: str = "split:train"
    """Whom the talks are with that are played."""
    held_out: str = "split:dev"
    """Whom the policy is evaluated on."""
    difficulty: str = "moderate"
    """Preset of the users."""
    user: str = "code"
    """The user: "code", or the spec of a backend."""
    protocol: str = "appraisal-v1"
    """The law of the mood in talks that are played; evaluations have their own."""
    scaffold: str = "plain"
    """What is written before something is said, such as "think-then-say"."""
    reward: str = "terminal"
    """What is paid in evaluations; the log has it, and nothing is learnt from it."""
    system_prompt: str = "default"
    """Instructions before each talk, those from files included."""
    turns: int = 6
    """Turns of the agent in a talk that is played."""
    turn_tokens: int = 48
    """Most tokens of a turn that the model samples."""
    longest: int = 4096
    """Tokens of a completion; what is beyond is not learnt from."""
    temperature: float = 1.0
    """Of sampling, above 0."""
    lr: float = 3e-4
    """Learning rate of AdamW; for a pretrained model take 1e-5 to 2e-5."""
    warmup: int = 10
    """Steps in which the learning rate rises to `lr`."""
    grad_norm: float = 1.0
    """The gradient is cut to this norm."""
    micro: int = 8
    """Talks in one backward pass; changes memory, and no result but for rounding."""
    lora: int = 0
    """Rank of LoRA (arXiv 2106.09685), trained instead of all weights; needs peft; 0 = without."""
    dtype: str = "float32"
    """Of the weights, "float32" or "bfloat16"; the latter with LoRA, whose own stay in float32."""
    device: str = "cpu"
    """Where the model is, such as "cuda"; only on the CPU is a resumed run the same to the bit."""
    evaluate_every: int = 50
    """Steps between evaluations; there is one before the first step and one after the last."""
    evaluation_talks: int = 50
    """Talks of an evaluation; always the same starts."""
    save_every: int = 50
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


class Shown(NamedTuple):
    """A talk that could be learnt from."""

    tokens: Tokens
    emotion: float
    """At the end, in [0, 100]; 0 if the user left."""
    start: str
    """Talks with the same one began alike."""


CONSOLE = Console(stderr=True)


# ---- what is pure


def key(*parts: object) -> int:
    """Return 63 bits that depend on the parts and on nothing else."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def chosen(shown: Sequence[Shown], least: float, best_of: int) -> list[Shown]:
    """Return the talks to learn from, in the order in which they came.

    Args:
        shown: All of them.
        least: Final emotion that is wanted.
        best_of: How many of one start at most, the best, and of equals the first; 0 = all.

    >>> talks = [Shown(Tokens((n,)), emotion, "a") for n, emotion in enumerate([70.0, 50.0, 90.0])]
    >>> [talk.emotion for talk in chosen(talks, 60.0, 0)], [t.emotion for t in chosen(talks, 0.0, 1)]
    ([70.0, 90.0], [90.0])
    """
    by: dict[str, list[int]] = defaultdict(list)
    for number, talk in enumerate(shown):
        if talk.emotion >= least:
            by[talk.start].append(number)
    kept: list[int] = []
    for numbers in by.values():
        ranked = sorted(numbers, key=lambda number: -shown[number].emotion)
        kept += ranked[: best_of or None]
    return [shown[number] for number in sorted(kept)]


def imitation(chances: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return each talk's loss: the mean of -log p over its own tokens, in nats.

    Args:
        chances: Log-probabilities, (talks, tokens).
        mask: 1 where the agent said a token; the others do not count.
    """
    chances = torch.where(mask > 0, chances, 0.0)
    return -chances.sum(1) / mask.sum(1).clamp(min=1)


def pace(step: int, warmup: int) -> float:
    """Return the share of the learning rate, in (0, 1]; it rises in equal parts.

    >>> pace(0, 0), pace(0, 4), pace(9, 4)
    (1.0, 0.25, 1.0)
    """
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


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


# ---- talks to learn from


def shown(model: Any, template: ChatTemplate, args: Args) -> list[Shown]:
    """Return the talks of the files, or those that are played now."""
    task = task_of(args)
    if args.agents == "self":
        return shown_by(model, template, args)
    traces = recorded(args) if args.traces else performed(task, args)
    return [shown_in(one, template, task, args.longest) for one in traces if counts(one)]


def recorded(args: Args) -> Iterator[Trace]:
    """Yield the talks of the files."""
    for path in args.traces.split(","):
        yield from of_one(read_traces(path), source=path)


def task_of(args: Args) -> Task:
    """Return what talks are made of."""
    return Task(
        personas=args.personas,
        difficulty=args.difficulty,
        user=args.user,
        protocol=args.protocol,
        scaffold=args.scaffold,
        system_prompt=args.system_prompt,
        max_turns=args.turns,
    )


def performed(task: Task, args: Args) -> Iterator[Trace]:
    """Yield the talks of the reference agents, who take turns, start by start."""
    agents = [load_agent(name) for name in args.agents.split(",")]
    first = key("talks", args.seed) % 800_000_000  # below the seeds of evaluations
    for number in range(0, args.talks, args.group_size):
        start = number // args.group_size
        scenarios = [
            task.scenario(first + start, member=member) for member in range(args.group_size)
        ]
        yield from rollouts(task, agents[start % len(agents)], scenarios)


def shown_by(model: Any, template: ChatTemplate, args: Args) -> list[Shown]:
    """Return talks of the model itself."""
    found: list[Shown] = []
    first = key("talks", args.seed) % 800_000_000
    size = args.group_size * max(1, 32 // args.group_size)
    for start in range(0, args.talks, size):
        seats = min(size, args.talks - start)
        envs = environment(args, seats, args.group_size)
        seeds = [first + (start + seat) // args.group_size for seat in range(seats)]
        talks = rollout(model, template, envs, seeds, key("dice", args.seed, start), args)
        for seed, talk, episode in zip(seeds, talks, envs.unwrapped.episodes, strict=True):
            if talk.valid:
                emotion = 0.0 if episode.outcome == "left" else talk.emotion
                found.append(Shown(talk.tokens.cut(args.longest), emotion, str(seed)))
    return found


def shown_in(trace: Trace, template: ChatTemplate, task: Task, longest: int) -> Shown:
    """Return what a trace shows, with the instructions that the policy will be given."""
    emotion = 0.0 if trace.outcome == "left" else final_emotion(trace)
    start = f"{cell_of(trace)}/{trace.scenario.seed}"
    return Shown(tokens_of(template, chat_of(trace, task)).cut(longest), emotion, start)


def chat_of(trace: Trace, task: Task) -> list[Message]:
    """Return the talk: with its thoughts, if it was played with the task's scaffold."""
    same = trace.setup.scaffold == task.scaffold.name
    chat = [from_system(task.system_prompt)] if task.system_prompt is not None else []
    chat += [from_user(words) for words in trace.opening]
    for turn in trace.turns:
        chat.append(from_agent(turn.raw if same else turn.heard))
        chat.append(from_user(turn.answers[0].reply))
    return chat[:-1]  # nothing is said after the last reply


def tokens_of(template: ChatTemplate, chat: Sequence[Message]) -> Tokens:
    """Return a chat as the tokens that a rollout of it has; what the agent said has mask 1."""
    first = next(n for n, message in enumerate(chat) if message["role"] == "assistant")
    tokens = template.opened(chat[:first])
    end = template.closing.rstrip("\n") or template.closing  # a line may be a turn
    for message in chat[first:]:
        if message["role"] == "assistant":
            ids = template.tokenizer.encode(message["content"] + end, add_special_tokens=False)
            tokens = tokens.sampled(ids)
        else:
            tokens = template.answered(tokens, message["content"])
    return tokens


# ---- learning


def chances_of(model: Any, talks: Sequence[Tokens], device: str) -> torch.Tensor:
    """Return the log-probability of each token of each completion, (talks, tokens), padded."""
    longest = max(len(talk.ids) for talk in talks)
    # Padded on the right: what is behind the end is never looked at by what is before it.
    rows = [talk.ids + [0] * (longest - len(talk.ids)) for talk in talks]
    ids = torch.tensor(rows, device=device)
    first = min(len(talk.prompt) for talk in talks) - 1
    logits = model(input_ids=ids, logits_to_keep=longest - first).logits[:, :-1].float()
    # Like log_softmax and gather, without a second tensor as large as the vocabulary.
    each = logits.gather(2, ids[:, first + 1 :, None])[..., 0] - logits.logsumexp(2)
    width = max(len(talk.completion) for talk in talks)
    kept = [
        torch.nn.functional.pad(each[row, start:end], (0, width - (end - start)))
        for row, talk in enumerate(talks)
        for start, end in [(len(talk.prompt) - 1 - first, len(talk.ids) - 1 - first)]
    ]
    return torch.stack(kept)


def learn(state: State, talks: Sequence[Shown], args: Args) -> dict[str, float]:
    """Take one step on a batch; return what is worth logging."""
    dice = np.random.default_rng(key("batch", args.seed, state.step))
    size = min(args.batch, len(talks))
    batch = [talks[one] for one in dice.choice(len(talks), size, replace=False)]
    for group in state.optimizer.param_groups:
        group["lr"] = args.lr * pace(state.step, args.warmup)
    state.optimizer.zero_grad()
    total = 0.0
    for start in range(0, size, args.micro):
        tokens = [talk.tokens for talk in batch[start : start + args.micro]]
        mask = padded([one.mask for one in tokens]).to(args.device)
        loss = imitation(chances_of(state.model, tokens, args.device), mask)
        # Each talk has one weight, however many turns and tokens it has.
        (loss.sum() / size).backward()
        total += float(loss.detach().sum()) / size
    norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), args.grad_norm)
    state.optimizer.step()
    return {"loss": total, "gradient": float(norm)}


def padded(rows: Sequence[Sequence[float]]) -> torch.Tensor:
    """Return the rows as one tensor, filled with 0 on the right."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[0.0] * (width - len(row))] for row in rows])


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


def opened(args: Args) -> State:
    """Return the state to begin with: fresh, or that of the checkpoint.

    Raises:
        InvalidArgument: If the checkpoint was made with other arguments that matter.
    """
    folder = Path(args.out) / "last"
    if args.resume:
        check_same(args, folder)
    model = loaded(args, folder if args.resume else None)
    learnt = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=args.lr, weight_decay=0.0)
    if not args.resume:
        return State(model, optimizer, 0, {})
    kept = torch.load(folder / "state.pt", weights_only=True, map_location=args.device)
    optimizer.load_state_dict(kept["optimizer"])
    return State(model, optimizer, kept["step"], kept["base"])


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


def parsed(argv: Sequence[str] | None) -> Args:
    """Return the arguments of a command line."""
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
    for one in fields(Args):
        if one.default is MISSING and one.name not in given:
            parser.error(f"give --{one.name}")
    return checked(Args(**given))


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
    if bool(args.traces) == bool(args.agents):
        raise InvalidArgument(
            f"traces={args.traces!r}, agents={args.agents!r}: give one of them, to have talks from"
        )
    if args.group_size < 1 or args.talks < 1 or args.talks % args.group_size:
        raise InvalidArgument(
            f"talks={args.talks}, group_size={args.group_size}: groups must fill the talks exactly"
        )
    if args.temperature <= 0 or args.batch < 1:
        raise InvalidArgument(
            f"temperature={args.temperature}, batch={args.batch}: both must be above 0"
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
        yield from bar.track(range(done, steps), total=steps, completed=done, description="cloning")


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


def main(argv: Sequence[str] | None = None) -> None:
    """Train."""
    args = parsed(argv)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    template = ChatTemplate(tokenizer)
    beginning = loaded(args)
    every = shown(beginning, template, args)
    talks = chosen(every, args.least, args.best_of)
    tell(f"{len(talks)} of {len(every)} talks are learnt from")
    if not talks:
        raise InvalidArgument(
            f"least={args.least:g}: none of {len(every)} talks ended so well; give less, or others"
        )
    state = opened(args)
    log = Log(args)
    log.keep(state.step)
    if state.step == 0:
        counted = {"talks": float(len(every)), "learnt_talks": float(len(talks))}
        log.write(0, counted | evaluated(state.model, template, state.base, 0, args))
    for step in tracked(state.step, args.steps):
        begun = time.monotonic()
        figures: dict[str, Any] = learn(state, talks, args)
        figures["seconds"] = time.monotonic() - begun
        state = state._replace(step=step + 1)
        tell(f"step {step + 1}/{args.steps} loss {figures['loss']:.3f} {figures['seconds']:.1f} s")
        last = step + 1 == args.steps
        if last or (step + 1) % args.evaluate_every == 0:
            figures |= evaluated(state.model, template, state.base, step + 1, args)
        log.write(step + 1, figures)
        if last or (step + 1) % args.save_every == 0:
            save(state, tokenizer, args)


if __name__ == "__main__":
    main()
