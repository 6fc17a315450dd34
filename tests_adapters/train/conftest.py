"""One small model for all tests, and one thread, so that sums have one order."""

from pathlib import Path

import pytest
import torch
from small import save_small


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    return save_small(tmp_path_factory.mktemp("small") / "model")


@pytest.fixture(scope="session")
def nudged(tmp_path_factory) -> str:
    """Another model: so the KL to the first is not 0."""
    return save_small(tmp_path_factory.mktemp("small") / "nudged", seed=1)


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"
