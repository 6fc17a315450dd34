"""Every error of the package, in one tree.

::

    EmpathyEnvError
    ├── InvalidArgument (also ValueError)   a caller's value breaks a rule
    │   ├── UnknownName                     no persona, agent, reward ... has this name
    │   └── InvalidPersona                  a persona file breaks the schema
    ├── TraceError (also ValueError)        a trace file or line cannot be read
    ├── EpisodeOver                         a turn was played after the end
    ├── RewardError                         a reward function failed; nothing was scored
    ├── MissingExtra (also ImportError)     a library is needed that is not installed
    ├── UnexpectedRequest                   a tape is played, and holds no such request
    ├── TooManyFaults                       a run has gone bad and was stopped
    ├── CheckFailed (also AssertionError)   a reward, persona, agent ... breaks a law
    └── Fault                               machinery failed; never a reward
        ├── BackendFault                    a model could not be reached or did not answer
        │   ├── Unreachable                 no connection, or it broke off
        │   ├── TimedOut                    no answer in time
        │   ├── BadStatus                   the server answered with an error status
        │   │   └── RequestRejected         it does not take this request
        │   ├── Refused                     the model, or a filter before it, declined
        │   ├── CutOff                      the reply broke off before its end
        │   │   └── LimitReached            it reached the limit of tokens
        │   ├── EmptyReply                  the reply holds no text
        │   └── Malformed                   the server's answer is no chat completion
        ├── UnparseableReply                a model answered something that has no meaning here
        ├── OverBudget                      what may be spent is spent
        └── Cancelled                       the run was stopped before this episode ended

A `Fault` ends an episode without a value (law 10). Everything else is a mistake of the caller
and is raised where it is made.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

MAX_PROBLEMS: Final = 100
"""After so many problems of one file no more are listed: it is not meant for a persona."""


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the known name that is nearest to this one, or "" if none is near.

    A name that this one begins, up to a break, is nearer than any that is spelt alike.

    >>> closest("Openning", ["opening", "facts"])
    'opening'
    >>> closest("think", ["placebo-think", "think-then-say"])
    'think-then-say'
    """
    by_spelling = {_spelt(choice): choice for choice in known}
    longer = [spelt for spelt in by_spelling if name and spelt.startswith(f"{_spelt(name)}_")]
    if longer:
        return by_spelling[min(longer, key=lambda spelt: (len(spelt), spelt))]
    near = difflib.get_close_matches(_spelt(name), by_spelling, n=1, cutoff=cutoff)
    return by_spelling[near[0]] if near else ""


def _spelt(name: str) -> str:
    # A name that is longer than any is cut: comparing takes time by the square of it.
    return name.lower().replace("-", "_").replace(" ", "_")[:100]


class EmpathyEnvError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidArgument(EmpathyEnvError, ValueError):
    """A value that the caller gave breaks a rule; the message names argument, value and rule."""


class UnknownName(InvalidArgument):
    """A name that is looked up (a persona, an agent, a reward, a preset) does not exist."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], hint: str = "") -> UnknownName:
        """Build the error for an unknown `name`, with the closest known name.

        >>> UnknownName.among("reward", "terminel", ["terminal", "delta"])
        UnknownName("No reward named 'terminel'. Did you mean 'terminal'?")
        """
        names = sorted(known)
        close = closest(name, names, cutoff=0.5)
        message = f"No {kind} named {name!r}."
        if close:
            message += f" Did you mean {close!r}?"
        elif names:
            message += f" There are: {', '.join(names)}."
        return cls(f"{message} {hint}".rstrip())


class Problem(NamedTuple):
    """One thing that is wrong with a persona, where, and what to do about it.

    Attributes:
        rule: Short name of the rule that is broken, such as "unknown-key", for programs.
        message: The rule and what was found instead, in plain words.
        field: Keys and list indexes that lead to it; empty: the whole.
        hint: What would mend it; "" if the message says so.
        file: The file that it is in, or another name of the source.
        line: Its line in the file, from 1; 0 if it came from no file.
        column: Its column in the line, in characters, from 1; 0 as well.
    """

    rule: str
    message: str
    field: tuple[str | int, ...] = ()
    hint: str = ""
    file: str = "persona"
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        field = ".".join(map(str, self.field))
        return ": ".join(filter(None, (place, field, f"{self.message}. {self.hint}".rstrip())))


def bounded(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield the first problems of each file, and where there are more, one that says so.

    Args:
        problems: Those of one file follow each other.
    """
    for _, group in groupby(problems, key=lambda problem: problem.file):
        own = list(group)
        found = [problem for problem in own if problem.rule != "many"]
        yield from found[:MAX_PROBLEMS]
        if len(found) < len(own) or len(found) > MAX_PROBLEMS:
            last = own[0] if not found else found[:MAX_PROBLEMS][-1]
            message = "there are more problems than can be listed"
            yield Problem("many", message, (), "", *last[4:])


class InvalidPersona(InvalidArgument):
    """A persona file or mapping breaks the schema; the message lists every problem.

    Attributes:
        problems: What the message says, one by one; sorted by place, of each file the first 100.
    """

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()):
        super().__init__(message)
        self.problems = problems

    @classmethod
    def listing(cls, problems: Iterable[Problem]) -> InvalidPersona:
        """Build the error for these problems: a line that counts them, then one line for each.

        >>> print(InvalidPersona.listing([Problem("missing", "is missing", ("opening",))]))
        1 problem in persona:
        persona: opening: is missing.
        """
        found = tuple(bounded(sorted(problems, key=lambda p: (p.file, p.line, p.column))))
        files = list(dict.fromkeys(problem.file for problem in found))
        count = f"{len(found)} problem{'s' if len(found) > 1 else ''}"
        return cls("\n".join([f"{count} in {', '.join(files)}:", *map(str, found)]), found)


class TraceError(EmpathyEnvError, ValueError):
    """A trace, or a line of a trace file, cannot be read."""


class EpisodeOver(EmpathyEnvError):
    """A turn was played on an episode that has ended; open a new one."""


class RewardError(EmpathyEnvError):
    """A reward function raised or returned no number; the turn stays unscored."""


class MissingExtra(EmpathyEnvError, ImportError):
    """An optional library is needed and is not installed; the message names the extra."""

    @classmethod
    def of(cls, what: str, extra: str) -> MissingExtra:
        """Build the error for something that needs an extra.

        >>> print(MissingExtra.of("litellm:", "litellm"))
        litellm: needs a library that is not installed: pip install 'empathy-env[litellm]'
        """
        return cls(
            f"{what} needs a library that is not installed: pip install 'empathy-env[{extra}]'"
        )


class UnexpectedRequest(EmpathyEnvError):
    """A tape is played back and does not hold the request; the message shows the difference."""


class TooManyFaults(EmpathyEnvError):
    """So many episodes failed that the run was stopped; what was finished is kept."""


class CheckFailed(EmpathyEnvError, AssertionError):
    """Something of the caller's own breaks a law; raised by `empathy_env.checks`.

    Attributes:
        law: Name of the law, such as "causal".
        dialogue: The shortest talk that was found to show it, as text; "" if none is needed.
    """

    def __init__(self, message: str, *, law: str = "", dialogue: str = "", hint: str = ""):
        self.law = law
        self.dialogue = dialogue
        broken = f"law {law!r}: {message}" if law else message
        super().__init__("\n\n".join(part for part in (broken, dialogue, hint) if part))


class Fault(EmpathyEnvError):
    """Machinery failed: a time-out, an unparseable reply, a spent budget. Never a reward.

    Attributes:
        transient: Whether the same request may well succeed when it is sent again.
        of_content: Whether what was asked may be the cause, and not the machinery alone.
        meter: What it cost, where known; see `empathy_env.backends.Reply`.
    """

    transient: bool = False
    of_content: ClassVar[bool] = False
    meter: Mapping[str, float] = MappingProxyType({})


class BackendFault(Fault):
    """A model could not be reached, refused, or did not answer in time."""


class Unreachable(BackendFault):
    """There was no connection to the server, or it broke off before the reply was whole."""

    transient = True


class TimedOut(BackendFault):
    """The server did not answer in time."""

    transient = True


class BadStatus(BackendFault):
    """The server answered with an HTTP error.

    Attributes:
        status: The HTTP status, such as 503; 0 if none is known.
        retry_after: Seconds after which the server wants to be asked again, or None.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None):
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.transient = status in (408, 409, 425, 429) or status >= 500


class RequestRejected(BadStatus):
    """The server does not take this request: too long, or not of a form that it knows."""

    of_content = True


class Refused(BackendFault):
    """The model, or a filter before or behind it, declined to answer."""

    of_content = True


class CutOff(BackendFault):
    """The reply broke off before its end."""

    transient = True


class LimitReached(CutOff):
    """The reply reached the limit of tokens, which sent again with the same seed it would again.

    Attributes:
        text: What there is of it.
    """

    of_content = True

    def __init__(self, message: str, *, text: str = ""):
        super().__init__(message)
        self.text = text
        self.transient = False


class EmptyReply(BackendFault):
    """The model answered without a word."""

    transient = True
    of_content = True


class Malformed(BackendFault):
    """The server answered something that is no chat completion: the machinery's own garbage."""

    transient = True


class UnparseableReply(Fault):
    """A model answered, and the answer does not have the form that was asked for."""

    of_content = True


class OverBudget(Fault):
    """What may be spent on requests, tokens or money is spent; nothing more is asked."""


class Cancelled(Fault):
    """The run was stopped before this episode had ended."""


def fault_named(name: str, message: str) -> Fault:
    """Return a fault of the type with this name, as a trace or a tape records it.

    >>> fault_named("TimedOut", "no answer in 60 s")
    TimedOut('no answer in 60 s')
    """
    kind = fault_types().get(name, Fault)
    # Not called: a type of somebody's own may want other arguments.
    return kind.__new__(kind, message)


def fault_types() -> Mapping[str, type[Fault]]:
    """Return every type of fault that there is, by its name; those of other packages too."""
    return {kind.__name__: kind for kind in _kinds(Fault)}


def _kinds(kind: type[Fault]) -> Iterator[type[Fault]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
