"""Agents are content: one self-contained Python file each, found by name or by path.

Or a model: `load_agent("openai:MODEL@URL")` sends it the visible talk and says what it replies.

A file defines `reply(messages, rng)`, a function of the visible talk (OpenAI's chat format) and of
a `random.Random` that is keyed by that talk. A file that sets `CHEATS = True` defines
`reply(messages, rng, talk)` and gets the whole latent state: a bound, not a policy.

An agent's file is run in this process and is not sandboxed: it can read whatever Python can. Load
files that you trust.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Final, NamedTuple, cast

from empathy_env.backends import Backend, Request, load_backend
from empathy_env.conversation import Conversation
from empathy_env.drivers import Steps, run
from empathy_env.errors import EmptyReply, InvalidArgument, LimitReached, UnknownName
from empathy_env.library import content_dir
from empathy_env.noise import draw
from empathy_env.trace import FIRST

ACT: Final = "act"
"""Purpose of the requests to an agent's model; the user asks for other things."""


class Said(NamedTuple):
    """What an agent says, and what it cost.

    Attributes:
        text: Its words; the user's rules say what bad text means.
        meter: As in a `Reply`; empty if no model was asked.
    """

    text: str
    meter: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Agent:
    """Something that answers a talk: a function of it, or a model.

    Attributes:
        name: File name without ".py", or the name of the backend.
        summary: First line of the file's docstring.
        cheats: Whether it is given the latent state.
        reply: The file's function; None: `backend` is asked.
        source: First 16 hexadecimal digits of the SHA-256 of the file; "" without a file.
        backend: Where the words come from, if not from a function.
    """

    name: str
    summary: str
    cheats: bool
    reply: Callable[..., str] | None
    source: str = ""
    backend: Backend | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.reply is None) == (self.backend is None):
            raise InvalidArgument(f"agent {self.name!r}: give a reply function or a backend")

    @classmethod
    def asking(cls, backend: Backend) -> Agent:
        """Return an agent that says what a model replies to the visible talk.

        >>> from empathy_env.backends import ScriptedBackend
        >>> Agent.asking(ScriptedBackend(lambda request: "Go on.", name="patient")).name
        'patient'
        """
        return cls(backend.name, "A model.", cheats=False, reply=None, backend=backend)

    def act(self, talk: Conversation) -> str:
        """Return what the agent says next in this talk.

        Raises:
            InvalidArgument: If its function returns no str.
            Fault: If its model fails.
        """
        return run(self.steps(talk), self.backend).text

    def steps(self, talk: Conversation, *, seat: str = FIRST) -> Steps[Said]:
        """Return what the agent says next as a generator of model requests, for drivers.

        In company `seat` is whose words they are; the talk's messages are then as that seat has
        them (`empathy_env.seat.chat`), and its requests have keys of their own.

        Raises:
            InvalidArgument: If its function returns no str.
        """
        if self.reply is None:
            return (yield from _asked(talk, seat))
        visible = (talk.chat(), _dice(talk))
        said = self.reply(*visible, talk) if self.cheats else self.reply(*visible)
        if not isinstance(said, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(
                f"agent {self.name!r} answered {type(said).__name__}: reply must return a str"
            )
        return Said(said, {})


def _asked(talk: Conversation, seat: str) -> Steps[Said]:
    scenario, turn = talk.room.scenario, len(talk.turns) + 1
    whose = ACT if seat == FIRST else f"{ACT}/{seat}"
    # By member, as the members of a group differ in nothing else, and are to act differently.
    chance = draw(scenario.seed, turn, scenario.member, f"request:{whose}")
    origin = f"{scenario.episode_id}/{turn}/{whose}/0"
    try:
        reply = yield Request(ACT, talk.messages, None, int(chance * 2**31), origin)
    except EmptyReply as fault:
        return Said("", fault.meter)  # an agent may be silent: the user has rules for that
    except LimitReached as fault:
        return Said(fault.text, fault.meter)  # and may be cut short: what it wrote is what it says
    return Said(reply.text, reply.meter)


def _dice(talk: Conversation) -> Random:
    """Return random numbers that are keyed by what the agent sees.

    Keyed by the seed they could be inverted: an agent that tries seeds until the numbers fit has
    the seed, and with it the persona's hidden need. Of the seed only one of 16 buckets goes in, so
    that the same opening does not always meet the same numbers.
    """
    scenario = talk.room.scenario
    bucket = int(draw(scenario.seed, 0, 0, "agent") * 16)
    key = json.dumps([talk.messages, scenario.member, bucket], sort_keys=True)
    return Random(blake2b(key.encode()).digest())


def agent_names() -> list[str]:
    """Return the names of the bundled agents, sorted; `train_*.py` beside them train one."""
    found = (path.stem for path in content_dir("agents").glob("*.py"))
    return sorted(name for name in found if not name.startswith("train_"))


def load_agent(agent: str | os.PathLike[str] | Backend | Agent) -> Agent:
    """Return an agent.

    Args:
        agent: Its bundled name, a path to a Python file, a backend or its spec
            ("openai:MODEL@URL"), or the value itself.

    Raises:
        UnknownName: If no bundled agent has the name.
        InvalidArgument: If the file cannot be loaded or does not define `reply` as it should.

    >>> load_agent("listener").cheats
    False
    """
    if isinstance(agent, Agent):
        return agent
    if isinstance(agent, Backend):
        return Agent.asking(agent)
    if isinstance(agent, os.PathLike) or agent.endswith(".py"):
        return _read(Path(agent))
    if ":" in agent:
        return Agent.asking(load_backend(agent))
    names = agent_names()
    if agent not in names:
        raise UnknownName.among("agent", agent, names, "A path must end in .py.")
    return _read(content_dir("agents") / f"{agent}.py")


def _read(path: Path) -> Agent:
    where = sha256(str(path.resolve()).encode()).hexdigest()[:8]
    name = f"empathy_env_agent_{path.stem.replace('-', '_')}_{where}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InvalidArgument(f"agent={str(path)!r}: no such Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        source = sha256(path.read_bytes()).hexdigest()[:16]
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        cause = f"{type(error).__name__}: {error}"
        raise InvalidArgument(f"agent={str(path)!r} cannot be loaded: {cause}") from error
    return _agent(path, module, source)


def _agent(path: Path, module: ModuleType, source: str) -> Agent:
    reply = getattr(module, "reply", None)
    cheats = bool(getattr(module, "CHEATS", False))
    wanted = 3 if cheats else 2
    if not callable(reply) or len(inspect.signature(reply).parameters) != wanted:
        form = "reply(messages, rng, talk)" if cheats else "reply(messages, rng)"
        raise InvalidArgument(f"agent={str(path)!r} must define {form}")
    summary = (module.__doc__ or "").strip().split("\n")[0]
    return Agent(path.stem, summary, cheats, cast("Callable[..., str]", reply), source)
