"""Check a trace without a model: recompute what follows, and name the first turn that does not.

A trace is consistent if its digest fits its record and every mood, disclosure, ending and reward
follows from the recorded evidence; with the rule appraiser the evidence itself is found again, and
with the template speaker the replies. Where a model was asked, its recorded replies are read again
by the same code. A consistent forgery cannot be seen from inside: for that,
compare the digest with one that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from empathy_env.acts import INTENSITIES
from empathy_env.emotion import Mood
from empathy_env.errors import Fault, RewardError, UnexpectedRequest
from empathy_env.messages import CLEANING, clean
from empathy_env.parts import appraiser_named, speaker_named
from empathy_env.protocol import ReportedProtocol
from empathy_env.replay import opened, played
from empathy_env.reward import Term, is_bundled, load_function
from empathy_env.scaffold import SCAFFOLDS
from empathy_env.trace import FIRST, Answer, Line, Said, Trace, Turn
from empathy_env.user import rules_digest
from empathy_env.welfare import lines_of

_TOLERANCE: Final = 1e-9
_RECORD: Final = "record"


class Mismatch(NamedTuple):
    """The first thing in a trace that does not follow from what is before it.

    Attributes:
        turn: Number of the turn, counted from 1; 0 for what belongs to no turn.
        what: Which part.
        recorded: What the trace says.
        expected: What follows.
    """

    turn: int
    what: str
    recorded: Any
    expected: Any

    def __str__(self) -> str:
        where = f"turn {self.turn}" if self.turn else "episode"
        return f"{where}: {self.what} is {self.recorded!r}, but {self.expected!r} follows"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of `verify`.

    Attributes:
        id: The episode.
        mismatch: The first thing that is wrong, or None.
        unverified: What could not be recomputed, and why; it was taken as recorded.
    """

    id: str
    mismatch: Mismatch | None
    unverified: tuple[str, ...]

    @property
    def consistent(self) -> bool:
        """Whether all that can be recomputed came out as recorded."""
        return self.mismatch is None


class _Wrong(Exception):
    def __init__(self, mismatch: Mismatch):
        super().__init__(str(mismatch))
        self.mismatch = mismatch


def _require(turn: int, what: str, recorded: Any, expected: Any) -> None:
    if recorded != expected:
        raise _Wrong(Mismatch(turn, what, recorded, expected))


def verify(trace: Trace | Line, *, rewards: Iterable[str] = ()) -> Verdict:
    """Recompute a trace and return what is wrong with it, and what could not be checked.

    Nothing that a trace names is imported: reward functions of one's own have to be allowed.

    Args:
        trace: A trace, or a line of a file, whose digest is then checked too.
        rewards: Names "module:function" of one's own rewards that may be imported and called.
    """
    record = trace.trace if isinstance(trace, Line) else trace
    allowed = frozenset(rewards)
    mismatch = _digest_mismatch(trace) if isinstance(trace, Line) else None
    mismatch = mismatch or _first(_check_form, record)
    if mismatch is not None:
        return Verdict(record.id, mismatch, ())
    unverified = _unverified(record, allowed)
    mismatch = _first(_check_turns, record)
    # Other rules feel and say otherwise. They do not make a record that nobody could have played.
    if mismatch is not None and mismatch.what != _RECORD and record.setup.rules != rules_digest():
        unverified += (f"what was felt and said (made by other rules; first: {mismatch})",)
        mismatch = _first(_check_ends, record)
    mismatch = mismatch or _first(_check_rewards, record, allowed)
    return Verdict(record.id, mismatch, unverified)


def _digest_mismatch(line: Line) -> Mismatch | None:
    if line.digest == line.actual:
        return None
    return Mismatch(0, "digest", line.digest, line.actual)


def _first(check: Callable[..., None], *args: Any) -> Mismatch | None:
    """Run a check and return what it stumbled on."""
    try:
        check(*args)
    except _Wrong as wrong:
        return wrong.mismatch
    except (TypeError, KeyError, IndexError, AttributeError, ValueError, ArithmeticError) as error:
        # A record from somebody else's hands may hold anything in any place.
        return Mismatch(0, _RECORD, repr(error), "a well-formed record")
    return None


def _unverified(trace: Trace, allowed: frozenset[str]) -> tuple[str, ...]:
    setup, again = trace.setup, _run_again(trace)
    found = {
        f"evidence, error bars and notes (appraiser {setup.appraiser!r} is not run again)": (
            not again.appraiser
        ),
        f"replies and notes (speaker {setup.speaker!r} is not run again)": not again.speaker,
        f"what was heard (scaffold {setup.scaffold!r} is not known here)": (
            setup.scaffold not in SCAFFOLDS
        ),
        "the end (cut off by a fault)": trace.fault is not None,
        "the end (the talk is unfinished)": trace.fault is None and trace.outcome is None,
    }
    names = [f"reward {n!r} (not imported; if it is yours: --reward {n})" for n in trace.rewards]
    unknown = [n for n, name in zip(names, trace.rewards, strict=True) if not _known(name, allowed)]
    return (*(text for text, holds in found.items() if holds), *unknown)


def _known(name: str, allowed: frozenset[str]) -> bool:
    return is_bundled(name) or name in allowed


class _Again(NamedTuple):
    """Which parts of a talk run again; what the others did is taken as recorded."""

    appraiser: bool
    speaker: bool


def _run_again(trace: Trace) -> _Again:
    reports = isinstance(trace.scenario.protocol, ReportedProtocol)
    speaker = reports or speaker_named(trace.setup.speaker) is not None
    return _Again(appraiser_named(trace.setup.appraiser) is not None, speaker)


def _check_form(trace: Trace) -> None:
    """Check what holds whatever the rules: texts that are clean, quotes of what was heard."""
    for name in ("appraiser", "speaker", "scaffold", "backend", "rules"):
        value = getattr(trace.setup, name)
        if not isinstance(value, str):
            raise _Wrong(Mismatch(0, name, value, "a name"))
    _require(0, "played seats", trace.setup.played, _seats(trace))
    for number, turn in enumerate(trace.turns, start=1):
        _require(number, "number of answers", len(turn.answers), len(trace.start))
        _check_given(trace, turn, number)


def _seats(trace: Trace) -> tuple[str, ...]:
    """Return those of the seats that are played that there can be, in their order."""
    played = trace.setup.played
    several = trace.scenario.cast is not None
    supporters = sum(seat.startswith("supporter") for seat in played) if several else 1
    seats = [f"supporter_{number}" for number in range(max(1, supporters))]
    users = [f"user_{number}" for number in range(len(trace.start))] if several else []
    return (*seats, *(seat for seat in users if seat in played))


def _check_ends(trace: Trace) -> None:
    """Check that the talk ends where it says so."""
    for number, turn in enumerate(trace.turns[:-1], start=1):
        _require(number + 1, "a turn after the end", turn.outcome, None)


def _check_turns(trace: Trace) -> None:
    """Play the talk again with the recorded replies of the models, and compare each turn."""
    talk = opened(trace)
    _require(0, "opening", trace.opening, talk.trace.opening)
    if isinstance(trace.scenario.protocol, ReportedProtocol):
        # Names the prompts: others are other rules.
        _require(0, "speaker", trace.setup.speaker, talk.room.speaker.name)
    _require(0, "first mood", trace.start, talk.trace.start)
    again = _run_again(trace)
    for number, turn in enumerate(trace.turns, start=1):
        _require(number, "a turn after the end", talk.outcome, None)
        _check_split(trace, turn, number)
        try:
            talk = played(talk, turn)
        except Fault as fault:
            raise _Wrong(Mismatch(number, "evidence", turn.evidence, str(fault))) from fault
        except UnexpectedRequest as error:
            raise _Wrong(Mismatch(number, "calls", turn.calls, str(error))) from error
        _compare(turn, talk.turns[-1], number, again)


def _check_given(trace: Trace, turn: Turn, number: int) -> None:
    """Check what a turn starts from: clean text, heard lines of it, and quotes of these."""
    for said in lines_of(turn):
        whose = _whose(said)
        cleaned = clean(said.raw, max_chars=trace.scenario.max_chars)
        if said.seat in trace.setup.played:
            _require(number, f"raw text{whose}", said.raw, cleaned.text)
        if trace.setup.scaffold in SCAFFOLDS and not _stands_in(said.heard, said.raw):
            raise _Wrong(
                Mismatch(number, f"heard text{whose}", said.heard, "lines of the raw text")
            )
        for evidence in said.evidence:
            span = said.heard[evidence.start : evidence.end]
            quote = f"quote of {evidence.act}{whose}"
            _require(number, quote, evidence.quote, span or "words of the turn")
            if evidence.intensity not in INTENSITIES:
                raise _Wrong(Mismatch(number, "intensity", evidence.intensity, INTENSITIES))


def _whose(said: Said) -> str:
    return "" if said.seat == FIRST else f" of {said.seat}"


def _stands_in(heard: str, raw: str) -> bool:
    """Return whether each line that was heard stands in what was written, in the same order."""
    place = 0
    for line in heard.split("\n"):
        place = raw.find(line, place)
        if place < 0:
            return False
        place += len(line)
    return True


def _check_split(trace: Trace, turn: Turn, number: int) -> None:
    """Check what was heard of a turn, and what was flagged, by the rules of its scaffold."""
    scaffold = SCAFFOLDS.get(trace.setup.scaffold)
    if scaffold is None:
        return
    for said in lines_of(turn):
        if said.seat not in trace.setup.played:
            continue
        split, whose = scaffold.split(said.raw), _whose(said)
        heard = (said.private, said.heard)
        _require(number, f"heard text{whose}", heard, (split.private, split.heard))
        # What cleaning had to do cannot be seen from the cleaned text.
        known = tuple(flag for flag in said.flags if flag not in CLEANING)
        _require(number, f"flags{whose}", known, split.flags)


def _compare(turn: Turn, follows: Turn, number: int, again: _Again) -> None:
    """Name the first part of a turn that is not as it follows."""
    _require(number, "evidence", turn.evidence, follows.evidence)
    for answer, expected in zip(turn.answers, follows.answers, strict=True):
        for name, recorded, right in zip(Mood._fields, answer.mood, expected.mood, strict=True):
            _require(number, name, recorded, right)
        for name, recorded, right in zip(Answer._fields, answer, expected, strict=True):
            if name != "error" or again.appraiser:
                _require(number, name, recorded, right)
    _compare_lines(turn, follows, number)
    _require(number, "outcome", turn.outcome, follows.outcome)
    if all(again):
        _require(number, "notes", turn.notes, follows.notes)
        _require(number, "calls", turn.calls, follows.calls)


def _compare_lines(turn: Turn, follows: Turn, number: int) -> None:
    """Compare what was said in company, and how each took it."""
    _require(number, "hearings", turn.hearings, follows.hearings)
    seats, right = [said.seat for said in turn.others], [said.seat for said in follows.others]
    _require(number, "who spoke", seats, right)
    for said, expected in zip(turn.others, follows.others, strict=True):
        for name in Said.__slots__:
            # Of who is played from outside, what cleaning had to do cannot be seen.
            if name != "flags":
                what = f"{name} of {said.seat}"
                _require(number, what, getattr(said, name), getattr(expected, name))


def _check_rewards(trace: Trace, allowed: frozenset[str]) -> None:
    _require(0, "names of rewards", sorted(trace.rewards), sorted(trace.weights))
    for name, values in trace.rewards.items():
        _require(0, f"number of {name} rewards", len(values), len(trace.turns))
        if not _known(name, allowed):
            continue
        term = Term(name, trace.weights[name], load_function(name))
        for number, value in enumerate(values, start=1):
            try:
                expected = term.at(trace.prefix(number), number)
            except RewardError as error:
                raise _Wrong(Mismatch(number, f"reward {name}", value, str(error))) from error
            if value is None or not abs(value - expected) <= _TOLERANCE:
                raise _Wrong(Mismatch(number, f"reward {name}", value, expected))
