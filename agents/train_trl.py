"""Trains a causal language model with TRL's own `GRPOTrainer` over whole talks.

    python agents/train_trl.py --model tiny --out run

The trainer is TRL's, unmodified: what is of this package is the environment that holds a talk, and
the function that plays a batch of them (`empathy_env.adapters.trl`). The same two play the held-out
talks, before the first step and after the last.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # agents lie beside this file, and one is named random.py
    sys.path[:] = [one for one in sys.path if one != os.path.dirname(os.path.abspath(__file__))]

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import supports_tool_calling

from empathy_env import Task
from empathy_env.adapters.trl import Talk, rollout, rows
from empathy_env.errors import InvalidArgument
from empathy_env.group import final_emotion
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap


@dataclass(frozen=True)
class Args:
    """What can be set; each field is an option of the command line."""

    model: str
    """Folder or name of the model to begin with."""
    out: str
    """Folder for the model, the log and the figures."""
    seed: int = 1
    """Of all that is drawn."""
    steps: int = 60
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
    reward: str = "terminal"
    """What is paid; TRL learns from the total of a talk."""
    system_prompt: str = "default"
    """Instructions before each talk."""
    turns: int = 6
    """Turns of the agent in a talk."""
    turn_tokens: int = 48
    """Most tokens of a turn."""
    reply_tokens: int = 160
    """Room for each reply of the user; a talk for which it is too little is left out."""
    temperature: float = 0.7
    """Of sampling, above 0."""
    beta: float = 0.0
    """Weight of the KL to the model that was begun with."""
    lr: float = 5e-4
    """Learning rate of AdamW; for a pretrained model take 1e-6 to 1e-5."""
    evaluation_talks: int = 64
    """Talks of an evaluation; always the same starts."""


class Ended(NamedTuple):
    """How a talk ended."""

    start: str
    persona: str
    emotion: float
    """In [0, 100]."""


def key(*parts: object) -> int:
    """Return 63 bits that depend on the parts and on nothing else."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def bootstrap(values: Sequence[float], clusters: Sequence[str], seed: int) -> Interval:
    """Return the mean and its 95 % interval over personas: talks with one of them are alike."""
    by: dict[str, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        by[cluster].append(value)
    return cluster_bootstrap(by, seed=seed)


# ---- what TRL is given


class Emotion:
    """A reward of weight 0: TRL logs it, and it keeps how the talks ended."""

    __name__ = "final_emotion"

    def __init__(self) -> None:
        self.ended: list[Ended] = []

    def __call__(self, *, environments: Sequence[Talk], **row: Any) -> list[float | None]:
        """Return each talk's final emotion; None for one that did not end."""
        found: list[float | None] = []
        for talk in environments:
            trace = talk.episode.trace
            over = talk.episode.outcome is not None
            found.append(final_emotion(trace) if over else None)
            if over:
                start, persona = trace.id, trace.scenario.persona.id
                self.ended.append(Ended(start, persona, final_emotion(trace)))
        return found


class Log(TrainerCallback):
    """Writes what TRL logs at each step to `log.jsonl`."""

    def __init__(self, folder: Path):
        self._path = folder / "log.jsonl"
        self._path.write_text("", "utf-8")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        """Write one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def task_of(args: Args, **changed: Any) -> Task:
    """Return what the talks are made of."""
    given: dict[str, Any] = {
        "personas": args.personas,
        "difficulty": args.difficulty,
        "reward": args.reward,
        "system_prompt": args.system_prompt,
        "max_turns": args.turns,
    }
    return Task(**{**given, **changed})


def tokenizer_of(args: Args) -> Any:
    """Return the model's tokenizer.

    TRL asks of any environment that the chat template can render calls of tools. None are made in
    a talk, so a template that cannot gets a last line that writes them down.
    """
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    if not supports_tool_calling(tokenizer):
        tokenizer.chat_template += "{{ messages if messages[-1].role == 'tool' }}"
    return tokenizer


def config_of(args: Args) -> GRPOConfig:
    """Return TRL's settings."""
    graphics = torch.cuda.is_available()
    return GRPOConfig(
        output_dir=args.out,
        seed=args.seed,
        max_steps=args.steps,
        # A step of the optimizer learns from what one batch of talks just said, a group at a time.
        per_device_train_batch_size=args.group_size,
        gradient_accumulation_steps=args.groups,
        num_generations=args.group_size,
        per_device_eval_batch_size=args.evaluation_talks,
        num_generations_eval=1,
        max_completion_length=args.turns * (args.turn_tokens + args.reply_tokens),
        generation_kwargs={"max_new_tokens": args.turn_tokens},
        temperature=args.temperature,
        loss_type="grpo",  # a talk has one weight, however many tokens it has
        # By the spread of the batch: that of a group whose talks end nearly alike is noise, and to
        # divide by it makes large steps of it, until all talks end alike.
        scale_rewards="batch",
        beta=args.beta,
        reward_weights=[0.0],  # of Emotion; that of the talk's own reward is 1
        learning_rate=args.lr,
        lr_scheduler_type="constant",
        use_cpu=not graphics,
        bf16=graphics,
        gradient_checkpointing=graphics,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
    )


def trainer_of(args: Args, emotion: Emotion) -> GRPOTrainer:
    """Return TRL's trainer; each of its steps has starts of its own."""
    task = task_of(args)
    first = key("start", args.seed) % 800_000_000  # below the seeds of evaluations
    seeds = range(first, first + args.steps * args.groups)
    return GRPOTrainer(
        AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32),
        reward_funcs=[emotion],
        args=config_of(args),
        train_dataset=Dataset.from_list([*rows(task, seeds)]),
        processing_class=tokenizer_of(args),
        environment_factory=lambda: Talk(task),
        rollout_func=rollout,
        callbacks=[Log(Path(args.out))],
    )


# ---- evaluation

PROTOCOLS = {"held_out_personas": "appraisal-v1", "held_out_user": "appraisal-v1-b"}


def evaluated(trainer: GRPOTrainer, emotion: Emotion, args: Args) -> dict[str, list[Ended]]:
    """Return how the held-out talks end; the starts and the dice are the same each time."""
    found: dict[str, list[Ended]] = {}
    seeds = range(900_000_000, 900_000_000 + args.evaluation_talks)
    for name, protocol in PROTOCOLS.items():
        task = task_of(args, personas=args.held_out, protocol=protocol)
        emotion.ended.clear()
        with torch.random.fork_rng():
            torch.manual_seed(key("evaluation", args.seed))
            trainer.evaluate(Dataset.from_list([*rows(task, seeds)]), metric_key_prefix=name)
        found[name] = list(emotion.ended)
    return found


def compared(now: Sequence[Ended], base: Sequence[Ended], seed: int) -> dict[str, Interval]:
    """Return the mean final emotion, and how much it is above the base's, start by start."""
    before = {one.start: one.emotion for one in base}
    pairs = [(one, one.emotion - before[one.start]) for one in now if one.start in before]
    emotions, personas = [one.emotion for one in now], [one.persona for one in now]
    gains, clusters = [gain for _, gain in pairs], [one.persona for one, _ in pairs]
    return {
        "emotion": bootstrap(emotions, personas, seed),
        "gain": bootstrap(gains, clusters, seed),
    }


def figures(
    now: Mapping[str, Sequence[Ended]], base: Mapping[str, Sequence[Ended]], seed: int
) -> dict[str, Any]:
    """Return what both users say of a policy."""
    found: dict[str, Any] = {}
    for name in PROTOCOLS:
        for what, one in compared(now[name], base[name], key("bootstrap", seed)).items():
            found[f"{name}/{what}"] = one._asdict()
            tell(f"  {name} {what} {one.mean:.1f} [{one.low:.1f}, {one.high:.1f}]")
    return found


# ---- the command line


def parsed(argv: Sequence[str] | None) -> Args:
    """Return the arguments of a command line.

    Raises:
        InvalidArgument: If they cannot be honoured.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str}
    for one in fields(Args):
        name, kind = f"--{one.name.replace('_', '-')}", kinds[str(one.type)]
        if one.default is MISSING:
            parser.add_argument(name, type=kind, required=True)
        else:
            parser.add_argument(name, type=kind, default=one.default, help=f"({one.default})")
    args = Args(**vars(parser.parse_args(argv)))
    if args.group_size < 2:
        raise InvalidArgument(f"group_size={args.group_size}: a group compares 2 talks at least")
    return args


def tell(text: str) -> None:
    """Write one line for whoever is waiting."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate, train, evaluate, save."""
    args = parsed(argv)
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    emotion = Emotion()
    trainer = trainer_of(args, emotion)
    base = evaluated(trainer, emotion, args)
    before = figures(base, base, args.seed)
    trainer.train()
    after = figures(evaluated(trainer, emotion, args), base, args.seed)
    trainer.save_model(args.out)
    written = {"args": asdict(args), "before": before, "after": after}
    (folder / "figures.json").write_text(json.dumps(written, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
