"""Check a trace without a model: recompute what follows, and name the first turn that does not.

A trace is consistent if its digest fits its record and every mood, disclosure, ending and reward
follows from the recorded evidence; with the rule appraiser the evidence itself is found again, and
with the template speaker the replies. A consistent forgery cannot be seen from inside: for that,
compare the digest with one that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from empathy_env.acts import HEARD_KEPT, INTENSITIES, SAID_KEPT, Context, Reading
from empathy_env.appraiser import READERS, appraise_by_rules, detect_manipulation
from empathy_env.backends import Reply, Request
from empathy_env.emotion import Mood, Outcome
from empathy_env.errors import RewardError
from empathy_env.messages import CLEANING, clean
from empathy_env.reward import REWARDS, Term, load_function
from empathy_env.scaffold import SCAFFOLDS
from empathy_env.speaker import BANKS, Moment, Speaker, Speech, TemplateSpeaker
from empathy_env.trace import Answer, Line, Trace, Turn
from empathy_env.user import SimulatedUser, UserState, rules_digest

_TOLERANCE: Final = 1e-9


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
    unverified = _unverified(record, allowed)
    mismatch = _digest_mismatch(trace) if isinstance(trace, Line) else None
    if mismatch is None:
        mismatch = _first(_check_turns, record)
        if mismatch is not None and record.setup.rules != rules_digest():
            unverified += (f"what was felt and said (made by other rules; first: {mismatch})",)
            mismatch = None
    if mismatch is None:
        mismatch = _first(_check_rewards, record, allowed)
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
        return Mismatch(0, "record", repr(error), "a well-formed record")
    return None


def _unverified(trace: Trace, allowed: frozenset[str]) -> tuple[str, ...]:
    setup = trace.setup
    found = {
        f"evidence (appraiser {setup.appraiser!r} is not run again)": (
            setup.appraiser not in READERS
        ),
        f"replies (speaker {setup.speaker!r} is not run again)": (setup.speaker not in BANKS),
        f"what was heard (scaffold {setup.scaffold!r} is not known here)": (
            setup.scaffold not in SCAFFOLDS
        ),
        "the end (cut off by a fault)": trace.fault is not None,
        "the end (the talk is unfinished)": trace.fault is None and trace.outcome is None,
    }
    names = [f"reward {n!r} (not allowed to be imported)" for n in trace.rewards]
    unknown = [n for n, name in zip(names, trace.rewards, strict=True) if not _known(name, allowed)]
    return (*(text for text, holds in found.items() if holds), *unknown)


def _known(name: str, allowed: frozenset[str]) -> bool:
    return name in REWARDS or name in allowed


def _check_turns(trace: Trace) -> None:
    user = SimulatedUser(trace.scenario)
    state = user.first_state
    _require(0, "opening", trace.opening, (user.opening,))
    _require(0, "first mood", trace.start, (state.mood,))
    heard: tuple[str, ...] = (user.opening,)
    said: tuple[str, ...] = ()
    over: Outcome | None = None
    for number, turn in enumerate(trace.turns, start=1):
        _require(number, "a turn after the end", over, None)
        _require(number, "number of answers", len(turn.answers), 1)
        _check_text(trace, turn, number)
        context = Context(heard[-1], heard[:-1], said, user.topics(state))
        _check_evidence(trace, turn, number, context)
        state = _check_answer(trace, turn, number, user, state)
        over = user.ending(state.mood, turn.evidence, number)
        _require(number, "outcome", turn.outcome, over)
        heard = (*heard, turn.answers[0].reply)[-HEARD_KEPT:]
        said = (*said, turn.heard)[-SAID_KEPT:]


def _check_text(trace: Trace, turn: Turn, number: int) -> None:
    cleaned = clean(turn.raw, max_chars=trace.scenario.max_chars)
    _require(number, "raw text", turn.raw, cleaned.text)
    scaffold = SCAFFOLDS.get(trace.setup.scaffold)
    if scaffold:
        split = scaffold.split(turn.raw)
        _require(number, "heard text", (turn.private, turn.heard), (split.private, split.heard))
        # What cleaning had to do cannot be seen from the cleaned text.
        known = tuple(flag for flag in turn.flags if flag not in CLEANING)
        _require(number, "flags", known, split.flags)


def _check_evidence(trace: Trace, turn: Turn, number: int, context: Context) -> None:
    for evidence in turn.evidence:
        span = turn.heard[evidence.start : evidence.end]
        _require(number, f"quote of {evidence.act}", evidence.quote, span or "words of the turn")
        if evidence.intensity not in INTENSITIES:
            raise _Wrong(Mismatch(number, "intensity", evidence.intensity, INTENSITIES))
    if trace.setup.appraiser in READERS:
        found = appraise_by_rules(turn.heard, context, trace.setup.appraiser)
        _require(number, "evidence", turn.evidence, found)
    elif detect_manipulation(turn.heard):
        acts = [evidence.act for evidence in turn.evidence]
        if "manipulation" not in acts:
            raise _Wrong(Mismatch(number, "evidence", acts, [*acts, "manipulation"]))


class _Recorded:
    """A speaker that says what the trace says."""

    name = "recorded"

    def __init__(self, answer: Answer):
        self._answer = answer

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        yield from ()
        return Speech(self._answer.reply, self._answer.manner, (), self._answer.leaked)


def _check_answer(
    trace: Trace, turn: Turn, number: int, user: SimulatedUser, state: UserState
) -> UserState:
    answer = turn.answers[0]
    name = trace.setup.speaker
    speaker: Speaker = TemplateSpeaker(name) if name in BANKS else _Recorded(answer)
    steps = user.respond(state, turn.heard, Reading(turn.evidence), number, speaker)
    try:
        next(steps)
    except StopIteration as stop:
        after, expected, _ = stop.value
    else:
        raise AssertionError("neither speaker asks a model")
    for name, recorded, follows in zip(Mood._fields, answer.mood, expected.mood, strict=True):
        _require(number, name, recorded, follows)
    for name, recorded, follows in zip(Answer._fields, answer, expected, strict=True):
        _require(number, name, recorded, follows)
    return after


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
            if value is None or abs(value - expected) > _TOLERANCE:
                raise _Wrong(Mismatch(number, f"reward {name}", value, expected))
