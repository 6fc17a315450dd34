"""The full record of one episode, one versioned JSON line each.

`record` is what the episode was, covered by one digest; `meter` is what it cost (seconds, tokens,
retries) and is covered by none. Everything that scores or checks an episode reads a trace and
nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from empathy_env.emotion import Mood, Outcome
from empathy_env.errors import TraceError
from empathy_env.scenario import Scenario
from empathy_env.turn import Answer as Answer
from empathy_env.turn import Call as Call
from empathy_env.turn import Hearing as Hearing
from empathy_env.turn import Said as Said
from empathy_env.turn import Turn as Turn
from empathy_env.turn import mood_out, turn_in, turn_out

FORMAT: Final = "empathy-env/trace"
VERSION: Final = 5


FIRST: Final = "supporter_0"
"""The seat of the agent; in company, of the first supporter."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Which parts the episode was played with, by name, and what the agent was told."""

    appraiser: str
    speaker: str
    scaffold: str
    backend: str
    system_prompt: str | None
    rules: str
    """Digest of the law, the rules and the templates of the package that played it."""
    played: tuple[str, ...] = (FIRST,)
    """The seats whose words came from outside."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One episode, whole or so far."""

    scenario: Scenario
    setup: Setup
    opening: tuple[str, ...]
    start: tuple[Mood, ...]
    turns: tuple[Turn, ...] = ()
    fault: Mapping[str, str] | None = None
    """Type and message of the failure that ended it, or None. A faulted episode has no value."""
    rewards: Mapping[str, tuple[float | None, ...]] = field(
        default_factory=dict[str, tuple[float | None, ...]]
    )
    """For each reward term its value at each turn, unweighted; None is unscored."""
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    agent: str = ""
    meter: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def id(self) -> str:
        """Name of the episode within a file."""
        return self.scenario.episode_id

    @property
    def outcome(self) -> Outcome | None:
        """How the talk ended; None if it goes on or was cut off by a fault."""
        return self.turns[-1].outcome if self.turns else None

    def present(self, turn: int, *, seat: int = 0) -> bool:
        """Return whether this user is still there after turn `turn`, counted from 1."""
        if self.scenario.cast is None:
            return turn == 0 or self.turns[turn - 1].outcome != "left"
        return turn == 0 or self.turns[turn - 1].answers[seat].present

    def emotion(self, turn: int, *, seat: int = 0) -> float:
        """Return the emotion after turn `turn`, counted from 1; turn 0 is the start."""
        mood = self.start[seat] if turn == 0 else self.turns[turn - 1].answers[seat].mood
        return mood.emotion

    def prefix(self, turns: int) -> Trace:
        """Return the trace of the first `turns` turns, unscored."""
        return replace(self, turns=self.turns[:turns], fault=None, rewards={}, weights={})

    def ledger(self, *, seat: int = 0) -> dict[str, str]:
        """Return for each fact, feeling and belief how it came out.

        "donated" with the opening, "elicited in turn t" through its gate, "withheld in turn t" if
        the gate opened and it was not said aloud, "leaked in turn t" by a reply that said it too
        early, or "never".
        """
        persona, need = self.scenario.people[seat]
        variant = persona.variant(need)
        ledger: dict[str, str] = {}
        for item in (*persona.facts, *variant.facts, *persona.feelings, *persona.beliefs):
            ledger[item.id] = "donated" if item.gate is None else "never"
        for number, turn in enumerate(self.turns, start=1):
            for told in turn.answers[seat].told:
                ledger[told] = f"elicited in turn {number}"
            for withheld in turn.answers[seat].withheld:
                ledger[withheld] = f"withheld in turn {number}"
            for leaked in turn.answers[seat].leaked:
                ledger[leaked] = f"leaked in turn {number}"
        return ledger

    def to_record(self) -> dict[str, Any]:
        """Return everything that the digest covers, as plain JSON data."""
        return {
            "id": self.id,
            "scenario": self.scenario.to_record(),
            "setup": {
                name: getattr(self.setup, name) for name in Setup.__slots__ if name != "played"
            }
            | {"played": list(self.setup.played)},
            "agent": self.agent,
            "opening": list(self.opening),
            "start": [mood_out(mood) for mood in self.start],
            "turns": [turn_out(turn) for turn in self.turns],
            "outcome": self.outcome,
            "fault": dict(self.fault) if self.fault else None,
            "rewards": {name: list(values) for name, values in self.rewards.items()},
            "weights": dict(self.weights),
        }

    def to_json(self) -> str:
        """Return the trace as one line of JSON, without the line break."""
        record = canonical(self.to_record())
        meter = json.dumps(dict(self.meter), sort_keys=True)
        return (
            f'{{"format":"{FORMAT}","version":{VERSION},"digest":"{digest(record)}",'
            f'"record":{record},"meter":{meter}}}'
        )

    @classmethod
    def from_json(cls, line: str) -> Trace:
        """Read a trace back.

        The digest is not checked here: a file that was changed can still be read, and
        `verification.verify` says what is wrong with it.

        Raises:
            TraceError: If the line is no trace of a version that this package reads.
        """
        return parse_line(line).trace


class Line(NamedTuple):
    """One line of a trace file."""

    trace: Trace
    digest: str
    """The digest that the line claims."""
    actual: str
    """The digest of the record that the line holds."""


def canonical(record: Mapping[str, Any]) -> str:
    """Return JSON with sorted keys and no spaces: the bytes that a digest is taken of."""
    return json.dumps(
        record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(text: str) -> str:
    """Return the SHA-256 of a text, as "sha256:" and 64 hexadecimal digits."""
    return "sha256:" + sha256(text.encode()).hexdigest()


def parse_line(line: str) -> Line:
    """Read one line of a trace file.

    Raises:
        TraceError: If it is no trace of a version that this package reads.
    """
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"not JSON: {error}") from error
    if not isinstance(data, dict) or cast("dict[str, Any]", data).get("format") != FORMAT:
        raise TraceError(f"not a trace: the field 'format' is not {FORMAT!r}")
    fields = cast("dict[str, Any]", data)
    if fields.get("version") != VERSION:
        raise TraceError(
            f"version {fields.get('version')!r} of the format is not read; {VERSION} is"
        )
    try:
        record = fields["record"]
        written = canonical(record)
        trace = _trace_in(record, fields.get("meter", {}))
        if canonical(trace.to_record()) != written:
            raise ValueError(f"the record says what does not follow from it{_where(trace, record)}")
        return Line(trace, str(fields["digest"]), digest(written))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise TraceError(f"broken trace: {type(error).__name__}: {error}") from error


def _where(trace: Trace, record: Mapping[str, Any]) -> str:
    """Return which fields of a record differ from what reading it gives."""
    read = trace.to_record()
    return "".join(
        f", field {name!r}"
        for name in sorted({*read, *record})
        if read.get(name) != record.get(name)
    )


def _trace_in(record: Mapping[str, Any], meter: Mapping[str, float]) -> Trace:
    return Trace(
        scenario=Scenario.from_row(record["scenario"]),
        setup=Setup(**(record["setup"] | {"played": tuple(record["setup"]["played"])})),
        opening=tuple(record["opening"]),
        start=tuple(Mood(**mood) for mood in record["start"]),
        turns=tuple(turn_in(turn) for turn in record["turns"]),
        fault=record["fault"],
        rewards={name: tuple(values) for name, values in record["rewards"].items()},
        weights=record["weights"],
        agent=record["agent"],
        meter=meter,
    )


def write_traces(path: str | os.PathLike[str], traces: Iterable[Trace]) -> None:
    """Write traces to a new file, one JSON line each."""
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        for trace in traces:
            file.write(trace.to_json() + "\n")


class Read(NamedTuple):
    """What a trace file holds.

    Attributes:
        lines: The lines that could be read, in the order of the file.
        problems: A sentence for each that could not.
        whole: Bytes up to the end of the last complete line; what is beyond was cut off.
    """

    lines: Sequence[Line]
    problems: Sequence[str]
    whole: int


def read_lines(path: str | os.PathLike[str]) -> Read:
    """Read a trace file; a torn last line and broken lines are reported, the rest is kept.

    Raises:
        TraceError: If the file itself cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error}") from error
    lines: list[Line] = []
    problems: list[str] = []
    whole = data.rfind(b"\n") + 1
    for number, text in enumerate(data[:whole].split(b"\n")[:-1], start=1):
        try:
            lines.append(parse_line(text.decode("utf-8")))
        except (TraceError, UnicodeDecodeError) as error:
            problems.append(f"{path}:{number}: {error}")
    if whole < len(data):
        count = data.count(b"\n") + 1
        problems.append(f"{path}:{count}: the last line is cut off; it was left out")
    return Read(lines, problems, whole)


def read_traces(path: str | os.PathLike[str]) -> Iterator[Trace]:
    """Yield the traces of a file.

    Raises:
        TraceError: At a line that cannot be read; `read_lines` goes on instead.
    """
    read = read_lines(path)
    if read.problems:
        raise TraceError("\n".join(read.problems))
    for line in read.lines:
        yield line.trace
