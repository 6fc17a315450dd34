"""Check a trace without a model: recompute what follows, and name the first turn that does not.

A trace is consistent if its digest fits its record and every mood, disclosure, ending and reward
follows from the recorded evidence; with the rule appraiser the evidence itself is found again, and
with the template speaker the replies. A consistent forgery cannot be seen from inside: for that,
compare the digest with one that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from empathy_env.acts import HEARD_KEPT, INTENSITIES, SAID_KEPT, Context
from empathy_env.appraiser import RuleAppraiser, appraise_by_rules, detect_manipulation
from empathy_env.backends import Reply, Request
from empathy_env.emotion import Mood, Outcome
from empathy_env.errors import InvalidArgument, RewardError
from empathy_env.messages import clean
from empathy_env.reward import Reward, Term, load_function
from empathy_env.scaffold import SCAFFOLDS, Split
from empathy_env.speaker import Moment, Speaker, Speech, TemplateSpeaker
from empathy_env.trace import Answer, Line, Trace, Turn
from empathy_env.user import SimulatedUser, UserState

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


def verify(trace: Trace | Line) -> Verdict:
    """Recompute a trace and return what is wrong with it, and what could not be checked.

    Args:
        trace: A trace, or a line of a file, whose digest is then checked too.
    """
    line = trace if isinstance(trace, Line) else None
    record = line.trace if line else trace
    assert isinstance(record, Trace)
    unverified = tuple(_unverified(record))
    try:
        if line:
            _require(0, "digest", line.digest, line.actual)
        _check_turns(record)
        _check_rewards(record)
    except _Wrong as wrong:
        return Verdict(record.id, wrong.mismatch, unverified)
    return Verdict(record.id, None, unverified)


def _unverified(trace: Trace) -> list[str]:
    found: list[str] = []
    setup = trace.setup
    if setup.appraiser != RuleAppraiser.name:
        found.append(f"evidence (appraiser {setup.appraiser!r} is not run again)")
    if setup.speaker != TemplateSpeaker.name:
        found.append(f"replies (speaker {setup.speaker!r} is not run again)")
    if setup.scaffold not in SCAFFOLDS:
        found.append(f"what was heard (scaffold {setup.scaffold!r} is not known here)")
    for name in trace.rewards:
        if not callable(_function(name)):
            found.append(f"reward {name!r} ({_function(name)})")
    return found


def _function(name: str) -> Callable[[Trace, int], float] | str:
    """Return a reward function, or why it cannot be had."""
    try:
        return load_function(name)
    except InvalidArgument as error:
        return str(error)


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
        _check_text(trace, turn, number)
        context = Context(heard[-1], heard[:-1], said, user.topics(state))
        _check_evidence(trace, turn, number, context)
        state = _check_answer(trace, turn, number, user, state)
        over = user.ending(state.mood, turn.evidence, number)
        _require(number, "outcome", turn.outcome, over)
        heard = (*heard, turn.answers[0].reply)[-HEARD_KEPT:]
        said = (*said, turn.heard)[-SAID_KEPT:]
    if trace.fault is None and trace.turns:
        _require(len(trace.turns), "outcome", trace.outcome, over)


def _check_text(trace: Trace, turn: Turn, number: int) -> None:
    cleaned = clean(turn.raw, max_chars=trace.scenario.max_chars)
    _require(number, "raw text", turn.raw, cleaned.text)
    scaffold = SCAFFOLDS.get(trace.setup.scaffold)
    if scaffold:
        split = scaffold.split(turn.raw)
        _require(number, "heard text", Split(turn.private, turn.heard, split.flags), split)


def _check_evidence(trace: Trace, turn: Turn, number: int, context: Context) -> None:
    for evidence in turn.evidence:
        span = turn.heard[evidence.start : evidence.end]
        _require(number, f"quote of {evidence.act}", evidence.quote, span or "words of the turn")
        if evidence.intensity not in INTENSITIES:
            raise _Wrong(Mismatch(number, "intensity", evidence.intensity, INTENSITIES))
    if trace.setup.appraiser == RuleAppraiser.name:
        _require(number, "evidence", turn.evidence, appraise_by_rules(turn.heard, context))
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
        return Speech(self._answer.reply, self._answer.manner, ())


def _check_answer(
    trace: Trace, turn: Turn, number: int, user: SimulatedUser, state: UserState
) -> UserState:
    answer = turn.answers[0]
    templates = trace.setup.speaker == TemplateSpeaker.name
    speaker: Speaker = TemplateSpeaker() if templates else _Recorded(answer)
    steps = user.respond(state, turn.heard, turn.evidence, number, speaker)
    try:
        next(steps)
    except StopIteration as stop:
        after, expected = stop.value
    else:
        raise AssertionError("neither speaker asks a model")
    for name, recorded, follows in zip(Mood._fields, answer.mood, expected.mood, strict=True):
        _require(number, name, recorded, follows)
    for name, recorded, follows in zip(Answer._fields, answer, expected, strict=True):
        _require(number, name, recorded, follows)
    return after


def _check_rewards(trace: Trace) -> None:
    terms = [
        Term(name, trace.weights[name], function)
        for name in trace.rewards
        if callable(function := _function(name))
    ]
    for term in Reward(tuple(terms)).terms:
        values = trace.rewards[term.name]
        _require(0, f"number of {term.name} rewards", len(values), len(trace.turns))
        for number, value in enumerate(values, start=1):
            try:
                expected = term.at(trace.prefix(number), number)
            except RewardError as error:
                raise _Wrong(Mismatch(number, f"reward {term.name}", value, str(error))) from error
            if value is None or abs(value - expected) > _TOLERANCE:
                raise _Wrong(Mismatch(number, f"reward {term.name}", value, expected))
