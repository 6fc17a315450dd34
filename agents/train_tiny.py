"""Makes a tiny language model that can talk here: something to train on a CPU in minutes.

    python agents/train_tiny.py --out tiny

Reference agents play training personas; a tokenizer is made of what was said, and a causal model
with random weights learns to go on as they did. They are a mixture, most of them poor, so that the
model knows good turns and bad ones and reinforcement has something to choose from.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # agents lie beside this file, and one is named random.py
    sys.path[:] = [one for one in sys.path if one != os.path.dirname(os.path.abspath(__file__))]

import argparse
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from empathy_env import Task, load_agent
from empathy_env.messages import Message
from empathy_env.tokens import ChatTemplate, Tokens

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Args:
    """What can be set; each field is an option of the command line."""

    out: str
    """Folder for the model and its tokenizer."""
    seed: int = 1
    """Key of all that is drawn; the talks have seeds from 1000000 * seed on."""
    agents: str = "listener,template-therapist,flatterer,advisor,fixer,random,parrot"
    """Whose talks are learnt from, in turn; name one twice to hear it twice as often."""
    personas: str = "split:train"
    """Whom they talk with."""
    difficulty: str = "moderate"
    """Preset of the users."""
    system_prompt: str = "Listen."
    """Instructions before each talk; use the same ones later."""
    talks: int = 3000
    """How many talks are played."""
    turns: int = 6
    """Turns of the agent in each."""
    vocabulary: int = 6000
    """Tokens, at least 259: each byte, and three marks."""
    width: int = 128
    """Width of the model, a multiple of `heads`."""
    layers: int = 4
    """Layers of the model."""
    heads: int = 4
    """Heads of attention in each layer."""
    steps: int = 700
    """Steps of AdamW."""
    batch: int = 8
    """Talks in each."""
    lr: float = 3e-3
    """Highest learning rate: it rises over a tenth of the steps, and falls as a cosine."""
    others: float = 0.3
    """Weight of tokens that the agent only read, beside 1 for its own; in [0, 1]."""
    swapped: float = 0.5
    """Share of the talks in which rare tokens change places, the same ones throughout the talk: what
    goes on about something must then be copied from what was said of it, not known by heart. With
    so few people to hear, a small model would learn their words and fail with somebody new."""
    common: int = 800
    """Tokens that never do; the tokenizer's first ones are the most frequent."""
    longest: int = 640
    """Tokens of a talk; what is beyond is not learnt from."""


def main(argv: Sequence[str] | None = None) -> None:
    """Play, build, learn, save."""
    args = parsed(argv)
    chats = list(played(args))
    tokenizer = tokenizer_of([m["content"] for chat in chats for m in chat], args.vocabulary)
    template = ChatTemplate(tokenizer)
    talks = [tokens_of(template, chat).cut(args.longest) for chat in chats]
    model = model_of(args, len(tokenizer), tokenizer)
    size = sum(one.numel() for one in model.parameters())
    tell(f"{len(talks)} talks, {len(tokenizer)} tokens of vocabulary, {size:,} parameters")
    learn(model, talks, args)
    model.save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)
    tell(f"saved to {Path(args.out)}")


def parsed(argv: Sequence[str] | None) -> Args:
    """Return the arguments of a command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str}
    for one in fields(Args):
        name, kind = f"--{one.name.replace('_', '-')}", kinds[str(one.type)]
        if one.default is MISSING:
            parser.add_argument(name, type=kind, required=True)
        else:
            parser.add_argument(name, type=kind, default=one.default, help=f"({one.default})")
    return Args(**vars(parser.parse_args(argv)))


def tell(text: str) -> None:
    """Write one line for whoever is waiting; nothing else here does."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def key(*parts: object) -> int:
    """Return 63 bits that depend on the parts and on nothing else."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def played(args: Args) -> Iterator[list[Message]]:
    """Yield the chat of each talk; the agents take turns."""
    agents = [load_agent(name) for name in args.agents.split(",")]
    task = Task(
        personas=args.personas,
        difficulty=args.difficulty,
        system_prompt=args.system_prompt,
        max_turns=args.turns,
    )
    for number in range(args.talks):
        agent, episode = (
            agents[number % len(agents)],
            task.open(seed=1_000_000 * args.seed + number),
        )
        while not episode.done:
            episode.say(agent.act(episode.talk))
        yield episode.messages


def tokenizer_of(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of byte pairs, in which every text comes back as it was."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[START, END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator([*texts, "system\n", "user\n", "assistant\n"], trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END, pad_token=PAD)
    made.add_special_tokens({"additional_special_tokens": [START]})
    made.chat_template = TEMPLATE
    made.clean_up_tokenization_spaces = False
    return made


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


def model_of(args: Args, vocabulary: int, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return a model with random weights, which depend on the seed alone."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=args.width,
        intermediate_size=3 * args.width,
        num_hidden_layers=args.layers,
        num_attention_heads=args.heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    dice = torch.Generator().manual_seed(key(args.seed, "weights"))
    with torch.no_grad():
        for one in model.parameters():
            if one.dim() > 1:
                one.normal_(0.0, 0.02, generator=dice)
    return model


def learn(model: LlamaForCausalLM, talks: Sequence[Tokens], args: Args) -> list[float]:
    """Teach the model the talks; return the loss of each step, in nats a token."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
    losses, begun, size = [], time.monotonic(), model.config.vocab_size
    model.train()
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = args.lr * pace(step, args.steps)
        dice = random.Random(key(args.seed, "batch", step))
        chosen = [disguised(talk, size, dice, args) for talk in dice.sample(talks, args.batch)]
        loss = loss_of(model, chosen, args.others)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        if step % 20 == 19 or step + 1 == args.steps:
            recent = losses[-20:]
            took = time.monotonic() - begun
            tell(f"step {step + 1}/{args.steps} loss {sum(recent) / len(recent):.3f} {took:.0f} s")
    model.eval()
    return losses


def disguised(talk: Tokens, size: int, dice: random.Random, args: Args) -> Tokens:
    """Return the talk, or now and then one in which rare tokens have changed places."""
    if dice.random() >= args.swapped:
        return talk
    rare = list(range(args.common, size))
    there = list(range(args.common)) + dice.sample(rare, len(rare))
    prompt, completion = (tuple(there[id] for id in ids) for ids in (talk.prompt, talk.completion))
    return replace(talk, prompt=prompt, completion=completion)


def pace(step: int, steps: int) -> float:
    """Return the share of the highest learning rate, in (0, 1]."""
    rise = max(1, steps // 10)
    if step < rise:
        return (step + 1) / rise
    return max(0.02, 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))))


def loss_of(model: LlamaForCausalLM, talks: Sequence[Tokens], others: float) -> torch.Tensor:
    """Return the mean loss of a token, each weighted by who said it."""
    longest = max(len(talk.ids) for talk in talks)
    ids = torch.zeros(len(talks), longest, dtype=torch.long)
    weights = torch.zeros(len(talks), longest)
    for row, talk in enumerate(talks):
        ids[row, : len(talk.ids)] = torch.tensor(talk.ids)
        marks = torch.tensor([0] * len(talk.prompt) + list(talk.mask), dtype=torch.float)
        weights[row, : len(talk.ids)] = others + (1 - others) * marks
    # What is behind a talk's end is never looked at by what is before it, and has no weight.
    logits = model(input_ids=ids).logits[:, :-1]
    each = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    return (each * weights[:, 1:]).sum() / weights[:, 1:].sum()


if __name__ == "__main__":
    main()
