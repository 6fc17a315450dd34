"""Every error of the package, in one tree.

::

    EmpathyEnvError
    ├── InvalidArgument (also ValueError)   a caller's value breaks a rule
    │   ├── UnknownName                     no persona, agent, reward ... has this name
    │   └── InvalidPersona                  a persona file breaks the schema
    ├── TraceError (also ValueError)        a trace file or line cannot be read
    ├── EpisodeOver                         a turn was played after the end
    ├── RewardError                         a reward function failed; nothing was scored
    └── Fault                               machinery failed; never a reward
        ├── BackendFault                    a model could not be reached or did not answer
        └── UnparseableReply                a model answered something that has no meaning here

A `Fault` ends an episode without a value (law 10). Everything else is a mistake of the caller
and is raised where it is made.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        message = f"No {kind} named {name!r}."
        if close:
            message += f" Did you mean {close[0]!r}?"
        elif names:
            message += f" There are: {', '.join(names)}."
        return cls(f"{message} {hint}".rstrip())


class InvalidPersona(InvalidArgument):
    """A persona file or mapping breaks the schema; the message lists every problem."""


class TraceError(EmpathyEnvError, ValueError):
    """A trace, or a line of a trace file, cannot be read."""


class EpisodeOver(EmpathyEnvError):
    """A turn was played on an episode that has ended; open a new one."""


class RewardError(EmpathyEnvError):
    """A reward function raised or returned no number; the turn stays unscored."""


class Fault(EmpathyEnvError):
    """Machinery failed: a time-out, an unparseable reply, a spent budget. Never a reward."""


class BackendFault(Fault):
    """A model could not be reached, refused, or did not answer in time."""


class UnparseableReply(Fault):
    """A model answered, and the answer does not have the form that was asked for."""
