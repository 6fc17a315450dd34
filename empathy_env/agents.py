"""Agents are content: one self-contained Python file each, found by name or by path.

A file defines `reply(messages, rng)`, a function of the visible talk (OpenAI's chat format) and of
a `random.Random` that is keyed by seed and turn. A file that sets `CHEATS = True` defines
`reply(messages, rng, talk)` and gets the whole latent state: a bound, not a policy.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from types import ModuleType
from typing import cast

from empathy_env.conversation import Conversation
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.persona import content_dir


@dataclass(frozen=True, slots=True)
class Agent:
    """Something that answers a talk.

    Attributes:
        name: File name without ".py".
        summary: First line of the file's docstring.
        cheats: Whether it is given the latent state.
        reply: The file's function.
    """

    name: str
    summary: str
    cheats: bool
    reply: Callable[..., str]

    def act(self, talk: Conversation) -> str:
        """Return what the agent says next in this talk."""
        rng = Random(f"{talk.room.scenario.seed}/{talk.room.scenario.member}/{len(talk.turns)}")
        if self.cheats:
            return self.reply(list(talk.messages), rng, talk)
        return self.reply(list(talk.messages), rng)


def agent_names() -> list[str]:
    """Return the names of the bundled agents, sorted."""
    return sorted(path.stem for path in content_dir("agents").glob("*.py"))


def load_agent(agent: str | os.PathLike[str] | Agent) -> Agent:
    """Return an agent, given its bundled name, a path to a Python file, or the value itself.

    Raises:
        UnknownName: If no bundled agent has the name.
        InvalidArgument: If the file cannot be loaded or does not define `reply` as it should.

    >>> load_agent("listener").cheats
    False
    """
    if isinstance(agent, Agent):
        return agent
    if isinstance(agent, os.PathLike) or agent.endswith(".py"):
        return _read(Path(agent))
    names = agent_names()
    if agent not in names:
        raise UnknownName.among("agent", agent, names, "A path must end in .py.")
    return _read(content_dir("agents") / f"{agent}.py")


def _read(path: Path) -> Agent:
    name = f"empathy_env_agent_{path.stem.replace('-', '_')}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidArgument(f"agent={str(path)!r}: no such Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return _agent(path, module)


def _agent(path: Path, module: ModuleType) -> Agent:
    reply = getattr(module, "reply", None)
    cheats = bool(getattr(module, "CHEATS", False))
    wanted = 3 if cheats else 2
    if not callable(reply) or len(inspect.signature(reply).parameters) != wanted:
        form = "reply(messages, rng, talk)" if cheats else "reply(messages, rng)"
        raise InvalidArgument(f"agent={str(path)!r} must define {form}")
    summary = (module.__doc__ or "").strip().split("\n")[0]
    return Agent(path.stem, summary, cheats, cast("Callable[..., str]", reply))
