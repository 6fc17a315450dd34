"""Parts of libraries that cannot be installed whole without a GPU, imported from their wheels.

What a part imports and never calls here is stood in for; the part itself is as it was published.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec
from logging import getLogger
from pathlib import Path
from types import ModuleType
from typing import Any


def stand_in(name: str, folder: Path | None = None, **names: Any) -> None:
    """Put a module of this name where imports find it: bare, or a package of this folder."""
    module = ModuleType(name)
    vars(module).update(names)
    if folder is not None:
        module.__path__ = [str(folder)]
    sys.modules[name] = module


def folder_of(library: str) -> Path:
    """Return the folder of an installed library, which is not imported."""
    found = PathFinder.find_spec(library)
    assert found, f"run: pip install --no-deps {library}"
    return Path(found.submodule_search_locations[0])


def openrlhf() -> None:
    """Make `openrlhf.utils.agent` importable: its packages import torch, deepspeed and vllm."""
    folder = folder_of("openrlhf")
    stand_in("openrlhf", folder)
    stand_in("openrlhf.utils", folder / "utils")


def skyrl() -> tuple[Any, Any]:
    """Return SkyRL's loop of many turns (`SkyRLGymGenerator`) and its `SkyRLTrainConfig`."""
    stand_in("skyrl.train.generators", folder_of("skyrl") / "train" / "generators")
    servers, parts = (
        f"skyrl.backends.skyrl_train.{name}" for name in ("inference_servers", "utils")
    )
    stand_in(
        f"{servers}.base",
        ConversationType=list,
        InferenceEngineInput=dict,
        InferenceEngineInterface=object,
    )
    stand_in(f"{servers}.utils", _uses_lora_weight_sync=lambda config: False)
    stand_in(f"{parts}.routed_experts", RoutedExpertIndices=object, RoutedExpertTrace=object)
    support = (
        "SAMPLE_SUPPORT_DTYPE",
        "SAMPLE_SUPPORT_PADDING",
        "SampleSupport",
        "SampleSupportTrace",
    )
    stand_in(f"{parts}.sample_support", **dict.fromkeys(support, object))
    others = {
        "torch": {"Tensor": object, "no_grad": lambda: lambda function: function},
        "loguru": {"logger": getLogger("skyrl")},
    }
    lacking = [name for name in others if find_spec(name) is None]
    for name in lacking:
        stand_in(name, **others[name])
    try:
        generator = importlib.import_module("skyrl.train.generators.skyrl_gym_generator")
        config = importlib.import_module("skyrl.train.config")
    finally:
        for name in lacking:  # others look whether these are there
            del sys.modules[name]
    return generator.SkyRLGymGenerator, config.SkyRLTrainConfig
