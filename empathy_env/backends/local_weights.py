"""The weights and the tokenizer of a model that transformers runs: GGUF files and adapters too."""

# torch and transformers are not there when the package is checked, and are loosely typed.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from empathy_env.errors import InvalidArgument

_ADAPTER: Final = "adapter_config.json"
_PACKED: Final = ("hf_quantizer", "quantization_method", "is_quantized")
"""What transformers leaves on a model from a GGUF file, though its weights are unpacked."""


class Loaded(NamedTuple):
    """A causal language model of transformers, and the tokenizer that belongs to it."""

    model: Any
    tokenizer: Any


def load(model: str | Path, *, device: str | None = None, dtype: str | None = None) -> Loaded:
    """Return the model and the tokenizer of a folder, a GGUF file or a hub id.

    A folder of an adapter (`adapter_config.json`, as peft saves LoRA) is put onto the model that it
    names as its base.
    A GGUF file is unpacked to full weights, which takes some ten seconds for 135 million
    parameters: see `unpack_gguf`. Code that comes with a model is not run.
    """
    source, packed = _source(model)
    try:
        tokenizer = AutoTokenizer.from_pretrained(_speller(source), **packed)
        network = AutoModelForCausalLM.from_pretrained(source, dtype=dtype or "auto", **packed)
    except (OSError, ValueError, ImportError) as error:
        raise InvalidArgument(
            f"model={str(model)!r} could not be loaded: {error}\nGive the folder of a model, the "
            "path of a GGUF file, or an id on the Hugging Face hub; a model that needs more to "
            "load can be loaded by hand and passed as (model, tokenizer)."
        ) from error
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return Loaded(_unmarked(network).to(where), tokenizer)


def unpack_gguf(path: str | Path, folder: str | Path, *, dtype: str = "bfloat16") -> Path:
    """Save the weights and the tokenizer of a GGUF file as a model folder, and return the folder.

    The folder loads in a fraction of the time, can be trained, and can be served by vLLM.
    """
    loaded = load(path, device="cpu", dtype=dtype)
    loaded.model.save_pretrained(folder)
    loaded.tokenizer.save_pretrained(folder)
    return Path(folder)


def _source(model: str | Path) -> tuple[str, dict[str, str]]:
    """Return what transformers calls the source, and its option that names a GGUF file in it."""
    path = Path(model)
    if (path / _ADAPTER).is_file():
        _check_installed(model, "the folder of an adapter", "peft")
    if path.suffix != ".gguf":
        return str(model), {}
    _check_installed(model, "a GGUF file", "gguf", "accelerate")
    return str(path.parent), {"gguf_file": path.name}


def _check_installed(model: str | Path, what: str, *libraries: str) -> None:
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise InvalidArgument(
            f"model={str(model)!r} is {what}, and reading it needs a library that is not "
            f"installed: pip install {' '.join(missing)}"
        )


def _speller(source: str) -> str:
    """Return where the tokenizer is: that of an adapter saved without one is its base's."""
    adapter = Path(source) / _ADAPTER
    if not adapter.is_file() or (Path(source) / "tokenizer_config.json").is_file():
        return source
    return str(json.loads(adapter.read_text("utf-8"))["base_model_name_or_path"])


def _unmarked(model: Any) -> Any:
    """Take the marks of packed weights off a model: with them it cannot be saved or trained."""
    if str(vars(model).get("quantization_method", "")).lower().endswith("gguf"):
        for name in _PACKED:
            vars(model).pop(name, None)
        del model.config.quantization_config
    return model
