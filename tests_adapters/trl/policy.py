"""A policy of a few thousand weights, random, and a trainer that may sample from a script."""

from importlib.metadata import version
from pathlib import Path

import pytest
import torch
import trl
from chatml import tokenizer
from datasets import Dataset
from transformers import Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

from empathy_env.adapters.trl import Talk, rollout, rows

TRAINS = pytest.mark.skipif(
    version("trl").startswith("1.15.") and not torch.cuda.is_available(),
    reason="TRL 1.15 writes its loss in Triton, which needs a GPU",
)
TEMPLATES = Path(trl.__file__).parent / "chat_templates"


def template(name="qwen2_5.jinja"):
    """Return one of TRL's own templates."""
    return (TEMPLATES / name).read_text("utf-8")


def model():
    """Return a language model that knows nothing."""
    torch.manual_seed(0)
    tokens = tokenizer(template())
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokens),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=16_384,
            eos_token_id=tokens.eos_token_id,
            pad_token_id=tokens.pad_token_id,
            bos_token_id=None,
        )
    )


def config(folder, **more):
    """Return the settings of a small run on the processor."""
    settings = {
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "num_generations": 4,
        "max_completion_length": 8000,
        "generation_kwargs": {"max_new_tokens": 4},
        "loss_type": "grpo",
        "report_to": [],
        "use_cpu": True,
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    return GRPOConfig(output_dir=str(folder), **{**settings, **more})


def trainer(folder, task, seeds=range(2), *, evaluated=None, form="qwen2_5.jinja", **more):
    """Return TRL's trainer with the adapter."""
    funcs = {"reward_funcs": more.pop("reward_funcs")} if "reward_funcs" in more else {}
    evaluated = None if evaluated is None else Dataset.from_list([*rows(task, evaluated)])
    return GRPOTrainer(
        model(),
        args=config(folder, **more),
        train_dataset=Dataset.from_list([*rows(task, seeds)]),
        eval_dataset=evaluated,
        processing_class=tokenizer(form if "{%" in form else template(form)),
        environment_factory=lambda: Talk(task),
        rollout_func=rollout,
        **funcs,
    )
