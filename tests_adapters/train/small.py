"""The training scripts as modules, a model with random weights for them, and toy rewards."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from chatml import tokenizer

AGENTS = Path(__file__).parent.parent.parent / "agents"
SCRIPTS = ("train_bc", "train_grpo", "train_ppo", "train_tiny")


@cache
def script(name: str):
    """Return a training script as a module; the folder of agents is never on the path."""
    spec = spec_from_file_location(name, AGENTS / f"{name}.py")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def save_small(folder, seed=0):
    """Save a model of two layers with random weights that depend on the seed, and its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    made = tokenizer()
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=made.eos_token_id,
        pad_token_id=made.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in model.parameters():
            if one.dim() > 1:
                one.normal_(0.0, 0.2, generator=dice)
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return str(folder)


def letters(trace, turn):
    """Pay the share of small letters in what was heard, shared out over the turns."""
    heard = trace.turns[turn - 1].heard
    return sum(one in "aeiou" for one in heard) / max(1, len(heard)) / trace.scenario.max_turns
