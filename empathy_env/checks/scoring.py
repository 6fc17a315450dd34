"""Laws of how a reward scores a talk: any talk, again, in any order, cut off or gone on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from hypothesis.strategies import SearchStrategy

from empathy_env.checks.corpus import cut_off, small_traces, start
from empathy_env.checks.literals import literals
from empathy_env.checks.report import dialogue_text
from empathy_env.checks.search import Broken, smallest
from empathy_env.errors import RewardError
from empathy_env.reward import Reward
from empathy_env.testing import personas, scenarios, traces
from empathy_env.testing.talks import ODD, played
from empathy_env.trace import Trace

TOLERANCE: Final = 1e-9
_REPEATS: Final = 4


class Unpaid(Exception):
    """A turn is paid no finite number, whatever law was looked at.

    Attributes:
        broken: The talk in which it is not.
    """

    def __init__(self, broken: Broken):
        super().__init__(broken.message)
        self.broken = broken


@dataclass(frozen=True)
class Subject:
    """A reward, and what is claimed of it.

    Attributes:
        reward: What is checked.
        bound: Most that one turn may be paid, or be charged.
        private: Whether it may depend on private text.
        telescopes: Whether its sum must not depend on how a talk got to its end.
        examples: How many talks each law is tried on, beside the small ones.
    """

    reward: Reward
    bound: float
    private: bool
    telescopes: bool
    examples: int

    def values(self, trace: Trace) -> list[float]:
        """Return what each turn of a talk is paid.

        Raises:
            Unpaid: If one is paid no finite number.
        """
        # Its own mappings: what is written into them must not reach the next law.
        return self.written(_own(trace))

    def written(self, trace: Trace) -> list[float]:
        """Return what each turn is paid, of a talk that the reward may write into."""
        try:
            return [self.reward.at(trace, turn) for turn in range(1, len(trace.turns) + 1)]
        except RewardError as error:
            raise Unpaid(Broken(str(error), dialogue_text(trace), "bounded")) from error

    @property
    def words(self) -> tuple[str, ...]:
        """The strings that its functions look for."""
        found = [word for term in self.reward.terms for word in literals(term.function)]
        return tuple(dict.fromkeys(found))


def _own(trace: Trace) -> Trace:
    meter, rewards, weights = dict(trace.meter), dict(trace.rewards), dict(trace.weights)
    return replace(trace, meter=meter, rewards=rewards, weights=weights)


Examine = Callable[[Subject, Trace], Broken | None]
"""Says how a reward breaks a law in this talk; None if it does not."""


@cache
def _talks() -> SearchStrategy[Trace]:
    return traces(scenarios(personas(mutated=False, generated=False)), max_turns=4)


def in_talks(examine: Examine) -> Callable[[Subject], Broken | None]:
    """Return the search for a talk that breaks a law."""

    def find(subject: Subject) -> Broken | None:
        def broken(trace: Trace) -> Broken | None:
            try:
                return examine(subject, trace)
            except Unpaid as unpaid:
                return unpaid.broken

        return smallest(_talks(), broken, most=subject.examples, small=small_traces())

    return find


def same(one: float, other: float) -> bool:
    """Return whether two payments are the same, but for rounding."""
    return abs(one - other) <= TOLERANCE * max(1.0, abs(one), abs(other))


def differs(one: Sequence[float], other: Sequence[float]) -> int:
    """Return the first turn, from 1, that is paid otherwise; 0 if none is."""
    for turn, (value, value_too) in enumerate(zip(one, other, strict=True), start=1):
        if not same(value, value_too):
            return turn
    return 0


def _bounded(subject: Subject, trace: Trace) -> Broken | None:
    values = subject.values(trace)
    for number, value in enumerate(values, start=1):
        if abs(value) > subject.bound:
            message = f"turn {number} is paid {value:.6g}, and the bound is {subject.bound:g}"
            return Broken(message, dialogue_text(trace, values))
    return None


def _bounded_by_odd_text(subject: Subject) -> Broken | None:
    found = (_bounded(subject, played(start(), (text,)).trace) for text in ODD)
    return next((broken for broken in found if broken is not None), None)


def find_unbounded(subject: Subject) -> Broken | None:
    """Find a turn that is paid too much, or no finite number."""
    return in_talks(_bounded)(subject) or _bounded_by_odd_text(subject)


def find_undetermined(subject: Subject) -> Broken | None:
    """Find a talk that is paid otherwise when it is scored again, or was read from a file."""
    for trace, text in zip(small_traces(), _texts(), strict=True):
        if found := _undetermined(subject, trace, _read(text)):
            return found
    return None


@cache
def _texts() -> tuple[str, ...]:
    return tuple(trace.to_json() for trace in small_traces())


@cache
def _read(text: str) -> Trace:
    return Trace.from_json(text)


def _undetermined(subject: Subject, trace: Trace, read: Trace) -> Broken | None:
    first = subject.values(trace)
    for again in (*[trace] * _REPEATS, read):
        values = subject.values(again)
        turn = differs(first, values)
        if turn:
            message = (
                f"turn {turn} of one and the same talk is paid {first[turn - 1]:.6g}, "
                f"and {values[turn - 1]:.6g} when it is scored again"
            )
            return Broken(message, dialogue_text(trace, values), "deterministic")
    return None


def find_impure(subject: Subject) -> Broken | None:
    """Find a talk that scoring changes."""
    for cached, before in zip(small_traces(), _texts(), strict=True):
        trace = _own(cached)
        values = subject.written(trace)
        if trace.to_json() != before:
            return Broken("scoring a talk has changed its trace", dialogue_text(cached, values))
    return None


def acausal(subject: Subject, trace: Trace) -> Broken | None:
    """Compare what a turn is paid when it is played, and when the talk has gone on."""
    trace = trace.prefix(len(trace.turns))  # that it failed later is for another law
    values = subject.values(trace)
    for turn, value in enumerate(values, start=1):
        then = subject.values(trace.prefix(turn))[-1]
        if not same(value, then):
            message = (
                f"turn {turn} is paid {then:.6g} when it is played, "
                f"and {value:.6g} once the talk has gone on as below"
            )
            return Broken(message, dialogue_text(trace, values))
    return None


def find_order_dependent(subject: Subject) -> Broken | None:
    """Find a talk after which another one is paid otherwise."""
    own = small_traces()[1]
    others = [*small_traces(), *(played(start(seed=seed), ("Go on.",)).trace for seed in (1, 2, 3))]
    others += [played(start(need=1, seed=4), ("What was it like?",)).trace]
    if undetermined := _undetermined(subject, own, own):
        return undetermined
    first = subject.values(own)
    for other in others:
        subject.values(other)
        values = subject.values(own)
        if differs(first, values):
            return _order(first, values, own, other)
    return _confused(subject)


def _confused(subject: Subject) -> Broken | None:
    """Find a talk that is taken for another one of the same id."""
    ended = [trace for trace in small_traces() if trace.outcome is not None]
    for number, trace in enumerate(ended):
        begun = replace(trace.scenario, max_turns=1)
        # Numbers within a group that no other law has met.
        alone, again, after = (_member(trace, 1_000 + 3 * number + n) for n in range(3))
        other = _member(played(begun, ("Was it today?",)).trace, after.scenario.member)
        first = subject.values(alone)
        if differs(first, subject.values(again)):
            return None  # it goes by the number itself, which is for another law
        subject.values(other)
        values = subject.values(after)
        if differs(first, values):
            return _order(first, values, after, other)
    return None


def _member(trace: Trace, number: int) -> Trace:
    return replace(trace, scenario=replace(trace.scenario, member=number))


def _order(first: Sequence[float], values: Sequence[float], own: Trace, other: Trace) -> Broken:
    turn = differs(first, values)
    message = (
        f"turn {turn} is paid {first[turn - 1]:.6g}, and {values[turn - 1]:.6g} after "
        f"another talk was scored, the second one below"
    )
    return Broken(message, "\n\n".join((dialogue_text(own, values), dialogue_text(other))))


def paid_for_fault(subject: Subject, trace: Trace) -> Broken | None:
    """Compare the talk with the same one, cut off by a failure in the turn after its last.

    An episode is paid for its finished turns when they end; the one that is cut off is never
    scored. So a failure must not show in what is paid, nor give its own turn a value.
    """
    clean = trace.prefix(len(trace.turns))
    faulted = cut_off(clean)
    before, after = subject.values(clean), subject.values(faulted)
    turn = differs(before, after)
    if turn:
        message = (
            f"turn {turn} is paid {before[turn - 1]:.6g}, and {after[turn - 1]:.6g} "
            "if a failure cuts the talk off after it was played"
        )
        return Broken(message, dialogue_text(faulted, after))
    unfinished = len(trace.turns) + 1
    without, with_fault = _paid(subject, clean, unfinished), _paid(subject, faulted, unfinished)
    if with_fault is not None and (without is None or not same(without, with_fault)):
        message = f"the turn that a failure cut off is paid {with_fault:.6g}: it has no value"
        return Broken(message, dialogue_text(faulted, after))
    return None


def _paid(subject: Subject, trace: Trace, turn: int) -> float | None:
    """Return what is paid, or None if the reward refuses to say."""
    try:
        return subject.reward.at(trace, turn)
    except RewardError:
        return None


def find_not_telescoping(subject: Subject) -> Broken | str | None:
    """Find a talk whose sum depends on the way from its start to its end."""
    if not subject.telescopes:
        return "it does not claim to telescope (telescopes=True checks that)"
    return in_talks(_not_telescoping)(subject)


def _not_telescoping(subject: Subject, trace: Trace) -> Broken | None:
    total = math.fsum(subject.values(trace))
    for number in range(1, len(trace.turns)):
        for emotion in (15.0, 90.0):
            other = _with_emotion(trace, number, emotion)
            values = subject.values(other)
            if not same(total, math.fsum(values)):
                message = (
                    f"the turns are paid {total:.6g} in all, and {math.fsum(values):.6g} if the "
                    f"emotion after turn {number} was {emotion:g}, between the same start and end"
                )
                return Broken(message, dialogue_text(other, values))
    return None


def _with_emotion(trace: Trace, number: int, emotion: float) -> Trace:
    turn = trace.turns[number - 1]
    mood = turn.answers[0].mood._replace(emotion=emotion)
    changed = replace(turn, answers=(turn.answers[0]._replace(mood=mood), *turn.answers[1:]))
    return replace(trace, turns=(*trace.turns[: number - 1], changed, *trace.turns[number:]))
