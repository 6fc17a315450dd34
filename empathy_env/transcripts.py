"""Talks as SAGE released them, scored anew by the published rule.

A result file has one JSON object a line: `id`, the final emotion `emo_point`, and `history`, a list
of messages of which the user's carry `emotion-point`, the emotion after the turn before; the first
is that at the start. Only this is read. The talks cannot be verified: the emotions are what a model
reported, and neither its requests nor its replies are kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final, NamedTuple, cast

from empathy_env.emotion import Outcome
from empathy_env.errors import TraceError
from empathy_env.protocol import REPORTED, ReportedProtocol

SAGE: Final = REPORTED["sage-2025"]


class FieldNames(NamedTuple):
    """What the fields of a result file are called; by default as in SAGE's."""

    id: str = "id"
    final: str = "emo_point"
    talk: str = "history"
    role: str = "role"
    user: str = "user"
    """The role of the simulated person."""
    emotion: str = "emotion-point"


SAGE_NAMES: Final = FieldNames()


@dataclass(frozen=True, slots=True)
class Transcript:
    """The emotions of one released talk.

    Attributes:
        id: The person's id.
        emotions: At the start, and after each turn.
    """

    id: str
    emotions: tuple[float, ...]

    @property
    def final(self) -> float:
        """The emotion at the end."""
        return self.emotions[-1]

    @property
    def changes(self) -> tuple[float, ...]:
        """By how much each turn moved the emotion."""
        return tuple(after - before for before, after in pairwise(self.emotions))

    def outcome(self, protocol: ReportedProtocol = SAGE) -> Outcome:
        """Return how the talk ended by the published rule: at 100, below 10, or neither.

        >>> Transcript("a", (40.0, 30.0, 20.0, 10.0, 5.0)).outcome()
        'left'
        """
        if self.final >= protocol.success:
            return "success"
        return "left" if protocol.leaves(self.final) else "time_up"


class Released(NamedTuple):
    """What a file of released talks holds.

    Attributes:
        transcripts: The talks that could be read, in order.
        problems: A sentence for each line that could not, with file and line.
    """

    transcripts: tuple[Transcript, ...]
    problems: tuple[str, ...]


def read_transcripts(path: str | os.PathLike[str], *, names: FieldNames = SAGE_NAMES) -> Released:
    """Read a file of released talks; broken lines are reported, the rest is kept.

    Raises:
        TraceError: If the file itself cannot be read.
    """
    found: dict[str, Transcript] = {}
    problems: list[str] = []
    for number, line in _lines(path):
        try:
            transcript = _transcript(json.loads(line.decode("utf-8")), names)
            if transcript.id in found:
                raise ValueError(f"the id {transcript.id!r} stands in an earlier line")
            found[transcript.id] = transcript
        except (ValueError, RecursionError) as error:
            problems.append(f"{path}:{number}: {error}")
    return Released(tuple(found.values()), tuple(problems))


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error}") from error
    # U+2028 and the like, which `splitlines` takes for line breaks, stand in the released texts.
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield number, line


def _transcript(line: object, names: FieldNames) -> Transcript:
    """Read one talk.

    Raises:
        ValueError: If it lacks something, or contradicts itself.
    """
    fields = _mapping(line, "the line")
    name, talk = fields.get(names.id), fields.get(names.talk)
    if not isinstance(name, str) or not name:
        raise ValueError(f"{names.id!r} is {name!r}: it must be the person's id")
    if not isinstance(talk, list):
        raise ValueError(f"{names.talk!r} is no list of messages")
    messages = [_mapping(message, "a message") for message in cast("list[object]", talk)]
    said = [message for message in messages if message.get(names.role) == names.user]
    emotions = tuple(_emotion(message, names.emotion) for message in said)
    if not emotions:
        raise ValueError(f"no message of {names.talk!r} has the {names.role} {names.user!r}")
    final = _emotion(fields, names.final)
    if final != emotions[-1]:
        raise ValueError(f"{names.final!r} is {final:g}, but the last message has {emotions[-1]:g}")
    return Transcript(name, emotions)


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no JSON object")
    return cast("Mapping[str, Any]", value)


def _emotion(fields: Mapping[str, Any], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise ValueError(f"{name!r} is {value!r}: it must be a number from 0 to 100")
    return float(value)


class Rescored(NamedTuple):
    """Released talks scored anew.

    Attributes:
        rows: One for each file: file, talks, mean and standard_error of the final emotion, success
            and failure (talks), changes (turns), saturated and zero (shares of these), unread.
        problems: A sentence for each line that could not be read.
    """

    rows: list[dict[str, Any]]
    problems: list[str]


def rescored(
    paths: Iterable[str | os.PathLike[str]],
    *,
    protocol: ReportedProtocol = SAGE,
    names: FieldNames = SAGE_NAMES,
) -> Rescored:
    """Score files of released talks by the published rule, and count what the signal is made of.

    Raises:
        TraceError: If a file cannot be read.
    """
    read = {str(path): read_transcripts(path, names=names) for path in paths}
    rows = [
        {"file": path, **summary(released.transcripts, protocol), "unread": len(released.problems)}
        for path, released in read.items()
    ]
    return Rescored(rows, [problem for one in read.values() for problem in one.problems])


def summary(transcripts: Sequence[Transcript], protocol: ReportedProtocol = SAGE) -> dict[str, Any]:
    """Return the score of these talks: see `Rescored`. What cannot be known is None.

    >>> talks = [Transcript("a", (40.0, 50.0)), Transcript("b", (40.0, 35.0))]
    >>> row = summary(talks)
    >>> row["mean"], row["saturated"], row["zero"]
    (42.5, 0.5, 0.0)
    """
    finals = [transcript.final for transcript in transcripts]
    outcomes = [transcript.outcome(protocol) for transcript in transcripts]
    changes = [change for transcript in transcripts for change in transcript.changes]
    clamp = protocol.clamp
    cut = [clamp is not None and abs(change) >= clamp for change in changes]
    return {
        "talks": len(finals),
        "mean": round(fmean(finals), 6) if finals else None,
        "standard_error": round(stdev(finals) / len(finals) ** 0.5, 6) if len(finals) > 1 else None,
        "success": outcomes.count("success"),
        "failure": outcomes.count("left"),
        "changes": len(changes),
        "saturated": fmean(cut) if cut else None,
        "zero": fmean(change == 0 for change in changes) if changes else None,
    }
