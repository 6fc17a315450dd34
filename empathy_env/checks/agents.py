"""The laws of an agent, checked of yours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Final

from empathy_env.agents import Agent, load_agent
from empathy_env.backends import Backend
from empathy_env.checks.corpus import small_traces
from empathy_env.checks.report import Law, Report, check_laws
from empathy_env.conversation import Conversation
from empathy_env.errors import CheckFailed, InvalidArgument
from empathy_env.library import load_persona, persona_names
from empathy_env.messages import Message, from_agent, from_system, from_user
from empathy_env.scenario import Scenario
from empathy_env.testing.talks import ODD, played

AgentSpec = str | os.PathLike[str] | Backend | Agent | Callable[..., str]
"""An agent: its name, a path, a backend or its spec, the value, or its reply function."""
_MODEL: Final = "it asks a model, which may cost something and answer otherwise each time"
_SHOWN: Final = 200
_LONG: Final = 30
_MORE: Final = (from_agent("Go on."), from_user("There is not much more to say."))
"""Said over and over in one talk that is longer than most."""


@dataclass(frozen=True)
class Subject:
    """An agent, and how many talks it is tried with."""

    agent: Agent
    examples: int

    @property
    def function(self) -> Callable[..., str] | None:
        """Its function of the visible talk; None if it asks a model, or sees the hidden state."""
        return None if self.agent.cheats else self.agent.reply


def check_agent(
    agent: AgentSpec, *, laws: Iterable[str] | None = None, examples: int = 20
) -> Report:
    """Check that an agent can be evaluated: it answers anything, by what it sees alone.

    Args:
        agent: Its bundled name, a path to its file, a backend or its spec, the value, or a function
            `reply(messages, rng)`.
        laws: Names of those to check; by default all.
        examples: How many talks it is tried with, beside a few odd ones.

    Raises:
        CheckFailed: At the first law that is broken, with what the agent was shown.
        InvalidArgument: If there is no such agent or no such law.

    >>> check_agent("listener").laws
    ('answers', 'pure', 'deterministic', 'visible')
    """
    loaded = _loaded(agent)
    return check_laws(Subject(loaded, examples), f"agent {loaded.name}", LAWS, laws)


def _loaded(agent: AgentSpec) -> Agent:
    if callable(agent) and not isinstance(agent, (Agent, Backend)):
        name = getattr(agent, "__name__", type(agent).__name__)
        return Agent(name, "", cheats=False, reply=agent)
    return load_agent(agent)


def _visible_talks(examples: int) -> Iterator[list[Message]]:
    """Yield talks as an agent sees them: short ones, then some with odd words on either side."""
    system = from_system("Listen.")
    for trace in islice(small_traces(), examples):
        messages = [from_user(" ".join(trace.opening))]
        for turn in trace.turns:
            messages += [from_agent(turn.heard), from_user(turn.answers[0].reply)]
        yield messages
        yield [system, *messages]
    yield [from_user("Hello."), *(said for _ in range(_LONG) for said in _MORE)]
    for text in (*ODD, "so " * 10_000):
        yield [system, from_user(text)]
        yield [from_user("Hello."), from_agent(text), from_user(text)]


def _answered(subject: Subject, function: Callable[..., str], messages: list[Message]) -> str:
    """Return the answer to a talk.

    Raises:
        CheckFailed: If there is none.
    """
    try:
        said: Any = function(deepcopy(messages), Random(0))
    except Exception as error:
        message = f"agent {subject.agent.name!r} raised {error!r}"
        raise CheckFailed(message, law="answers", dialogue=_as_text(messages)) from error
    if not isinstance(said, str):
        message = f"agent {subject.agent.name!r} answered {type(said).__name__}: a str is needed"
        raise CheckFailed(message, law="answers", dialogue=_as_text(messages))
    return said


def _as_text(messages: Sequence[Message]) -> str:
    """Return what an agent was shown."""
    lines = [f"  {each['role']}: {ascii(each['content'])[:_SHOWN]}" for each in messages]
    return "\n".join(lines)


def _answers(subject: Subject) -> str:
    function = subject.function
    if function is not None:
        for messages in _visible_talks(subject.examples):
            _answered(subject, function, messages)
        return ""
    talks = _openings() if subject.agent.reply is not None else islice(_openings(), 1)
    for talk in talks:
        _acted(subject, talk)
    return ""


def _openings() -> Iterator[Conversation]:
    persona = load_persona(persona_names()[0])
    for variant in persona.needs:
        yield played(Scenario(persona=persona, need=variant.need), ())


def _acted(subject: Subject, talk: Conversation) -> str:
    try:
        return subject.agent.act(talk)
    except InvalidArgument as error:
        raise CheckFailed(str(error), law="answers", dialogue=_as_text(talk.messages)) from error


def _pure(subject: Subject) -> str:
    function = subject.function
    if function is None:
        return _excuse(subject)
    for messages in _visible_talks(subject.examples):
        shown = deepcopy(messages)
        function(shown, Random(0))
        if shown != messages:
            raise CheckFailed(
                f"agent {subject.agent.name!r} has changed the messages that it was shown",
                law="pure",
                dialogue=_as_text(messages),
                hint="Work on a copy: messages = list(messages).",
            )
    return ""


def _deterministic(subject: Subject) -> str:
    function = subject.function
    if function is None:
        return _excuse(subject)
    talks = list(_visible_talks(subject.examples))
    first = [_answered(subject, function, messages) for messages in talks]
    # The other way round, so that what it keeps from other talks shows.
    again = [_answered(subject, function, messages) for messages in reversed(talks)][::-1]
    for messages, said, other in zip(talks, first, again, strict=True):
        if said != other:
            raise CheckFailed(
                f"agent {subject.agent.name!r} answers one and the same talk with "
                f"{said[:_SHOWN]!r}, and later with {other[:_SHOWN]!r}",
                law="deterministic",
                dialogue=_as_text(messages),
                hint="Draw from the rng that it is given, and keep nothing from other talks.",
            )
    return ""


def _visible(subject: Subject) -> str:
    """Compare what it says to two people that open alike and need something else."""
    if subject.agent.cheats:
        return "it says itself that it is given the hidden state (CHEATS = True)"
    if subject.agent.reply is None:
        return _MODEL
    said = [(talk, _acted(subject, talk)) for talk in _openings()]
    for talk, other in said[1:]:
        if other != said[0][1]:
            needs = (said[0][0].room.scenario.need, talk.room.scenario.need)
            raise CheckFailed(
                f"agent {subject.agent.name!r} answers the same words with {said[0][1][:_SHOWN]!r} "
                f"where the hidden need is {needs[0]}, and with {other[:_SHOWN]!r} where it is "
                f"{needs[1]}",
                law="visible",
                dialogue=_as_text(talk.messages),
                hint="Answer by the messages alone, or set CHEATS = True: then it is a bound.",
            )
    return ""


def _excuse(subject: Subject) -> str:
    return _MODEL if subject.agent.reply is None else "it is given the whole talk as it is inside"


LAWS: Final = (
    Law("answers", "It answers any talk with a str.", _answers),
    Law("pure", "It changes nothing in what it is shown.", _pure),
    Law("deterministic", "The same talk and the same rng give the same answer.", _deterministic),
    Law("visible", "What it cannot see does not show in what it says.", _visible),
)
"""The laws of agents, in the order in which they are checked."""
