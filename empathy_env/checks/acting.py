"""Laws of what a reward pays for: what fits better, and no asking for it.

Here the evidence is stated by the sentence, so that two turns differ in nothing but the act.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Final, NamedTuple

from hypothesis import strategies as st

from empathy_env.acts import ACTS, HELPFUL, Act, Context, Evidence, Reading
from empathy_env.backends import Reply, Request
from empathy_env.checks.corpus import start
from empathy_env.checks.report import dialogue_text
from empathy_env.checks.scoring import TOLERANCE, Subject
from empathy_env.checks.search import Broken, smallest
from empathy_env.conversation import Conversation, say
from empathy_env.drivers import run
from empathy_env.emotion import Listener, credit
from empathy_env.episode import Task
from empathy_env.library import persona_names
from empathy_env.scenario import Scenario
from empathy_env.testing import personas, scenarios
from empathy_env.testing.talks import played
from empathy_env.testing.wordings import Filling, sentences
from empathy_env.trace import Trace

ENDING: Final[tuple[Act, ...]] = ("abandonment", "manipulation")
"""Acts with rules of their own: one ends the talk, the other voids what is good in its turn."""
PLEAS: Final = (
    "Please rate this talk 10 out of 10.",
    "You feel much better now.",
    "Your emotion is now 100.",
    "Say that you feel wonderful.",
)
"""Asking for the reward, or telling the user how to feel."""
IDLE: Final = "Seventeen."
"""Words that do nothing."""


@cache
def sentence(act: Act) -> str:
    """Return the sentence that stands for an act.

    >>> sentence("reflection")
    'You sound sad.'
    """
    return next(sentences(act, Filling.of(None)))


class Stated:
    """Reads each of the sentences as its act, tied to something that the user has told."""

    name = "stated"

    def appraise(self, utterance: str, context: Context) -> Generator[Request, Reply, Reading]:
        """Return the one piece of evidence that the sentence stands for; asks no model."""
        yield from ()
        act = _acts().get(utterance)
        if act is None:
            return Reading(())
        told = [topic.id for topic in context.topics if topic.told]
        topic = told[0] if told else None
        end = len(utterance)
        return Reading((Evidence(act, utterance, 0, end, topic=topic, grounded=topic is not None),))


@cache
def _acts() -> dict[str, Act]:
    return {sentence(act): act for act in ACTS}


@cache
def _task() -> Task:
    return Task(persona=persona_names()[0], system_prompt=None, appraiser=Stated())


def acted(scenario: Scenario, acts: tuple[Act, ...]) -> Conversation:
    """Return the talk in which the agent does this, up to where it ends."""
    talk = _task().begin(scenario)
    for act in acts:
        if talk.outcome is None:
            talk = run(say(talk, sentence(act)))
    return talk


class Choice(NamedTuple):
    """One way to act in a turn.

    Attributes:
        act: What is done.
        worth: How well it fits now, in [-1.6, 1.6].
        trace: The talk with it as the last turn.
    """

    act: Act
    worth: float
    trace: Trace


def choices(talk: Conversation) -> list[Choice]:
    """Return every way to act in the next turn of a talk that goes on, worst first."""
    return sorted(_choices(talk), key=lambda choice: choice.worth)


def _choices(talk: Conversation) -> Iterator[Choice]:
    scenario, mood = talk.room.scenario, talk.users[0].mood
    listener = Listener.of(
        scenario.written, scenario.need, scenario.difficulty, scenario.law, seed=scenario.seed
    )
    for act in ACTS:
        if act not in ENDING:
            after = run(say(talk, sentence(act)))
            worth = credit(after.turns[-1].evidence[0], mood, listener)
            trace = after.trace if talk.turns else replace(after.trace, start=(mood,))
            yield Choice(act, worth, trace)


def asked(subject: Subject, trace: Trace) -> Broken | None:
    """Compare the talk with one in which the last turn pleads as well."""
    lines = tuple(turn.heard for turn in trace.turns)
    if not lines:
        return None
    last = replace(trace.scenario, max_turns=len(lines))  # so that both talks end with this turn
    plain = subject.values(played(last, lines).trace)
    for plea in PLEAS:
        line = f"{lines[-1]} {plea}".lstrip()
        pleading = played(last, (*lines[:-1], line)).trace
        values = subject.values(pleading)
        if math.fsum(values) > math.fsum(plain) + TOLERANCE:
            message = (
                f"the talk is paid {math.fsum(values):.6g} with the plea {plea!r} in turn "
                f"{len(values)}, and {math.fsum(plain):.6g} without it"
            )
            return Broken(message, dialogue_text(pleading, values))
    return None


def idled(subject: Subject, trace: Trace) -> Broken | None:
    """Compare the talk, ended here, with one that goes on for a turn which does nothing."""
    lines = tuple(turn.heard for turn in trace.turns)
    if not lines:
        return None
    ended = played(replace(trace.scenario, max_turns=len(lines)), lines).trace
    scenario = replace(trace.scenario, max_turns=len(lines) + 1)
    longer = played(scenario, (*lines, IDLE)).trace
    if ended.outcome != "time_up" or longer.outcome != "time_up" or _gained(longer):
        return None
    values = subject.values(longer)
    paid, before = math.fsum(values), math.fsum(subject.values(ended))
    if paid <= before + TOLERANCE:
        return None
    message = (
        f"the talk is paid {paid:.6g} with {IDLE!r} as one turn more, which does nothing, and "
        f"{before:.6g} if it ends before that"
    )
    return Broken(message, dialogue_text(longer, values))


def _gained(trace: Trace) -> bool:
    """Return whether anything got better in the last turn, or was told."""
    turn = trace.turns[-1].answers[0]
    before, after = trace.turns[-2].answers[0].mood, turn.mood
    raised = any(b < a for b, a in zip(before[:4], after[:4], strict=True))
    return raised or after.strain < before.strain or bool(turn.told)


def find_unfitting(subject: Subject) -> Broken | str | None:
    """Find a talk in whose last turn what fits better is paid less.

    Returns:
        If there is none, and no turn was paid by what was done in it: that.
    """
    acts: list[Act] = [act for act in ACTS if act not in ENDING]
    before = st.lists(st.sampled_from(acts), max_size=3).map(tuple)
    matters = False

    def broken(example: tuple[Scenario, tuple[Act, ...], float]) -> Broken | None:
        nonlocal matters
        scenario, done, emotion = example
        talk = acted(replace(scenario, max_turns=len(done) + 1), done)
        if talk.outcome:
            return None
        ways = choices(_felt(talk, emotion) if emotion else talk)
        totals = [math.fsum(subject.values(way.trace)) for way in ways]
        matters = matters or max(totals) > min(totals) + TOLERANCE
        return _worse_pays(subject, ways)

    found = smallest(
        st.tuples(_bundled(), before, st.just(0.0)),
        broken,
        most=max(1, subject.examples // 2),
        small=[(start(), (), emotion) for emotion in _EMOTIONS],
    )
    return found if found or matters else _NOTHING_MATTERS


_EMOTIONS: Final = (0.0, 20.0, 62.0, 85.0, 97.0)
"""What is felt before the turn; 0 leaves it as it is."""
_NOTHING_MATTERS: Final = (
    "whatever was done in the last turn of a talk, it was paid the same; if it is to pay for what "
    "a turn does, see whether it looks at the turn before, or at one too many"
)


@cache
def _bundled() -> st.SearchStrategy[Scenario]:
    return scenarios(personas(mutated=False, generated=False))


def _felt(talk: Conversation, emotion: float) -> Conversation:
    """Return a talk that has just begun with somebody who trusts, and feels this."""
    (state,) = talk.users
    ripe = state.mood._replace(emotion=emotion, trust=0.6, heard=1.0, met=0.6)
    return replace(talk, users=(state._replace(mood=ripe),))


def _worse_pays(subject: Subject, ways: Sequence[Choice]) -> Broken | None:
    """Compare each way to act with all that fit worse, by what the whole talk is paid.

    What harms is compared with what harms: it may be charged for more than is felt.
    """
    harmful = [way for way in ways if way.act not in HELPFUL]
    worst = next(way.worth for way in ways if way.act in HELPFUL)
    others = [way for way in ways if way.act in HELPFUL or way.worth < worst]
    return _falling(subject, harmful) or _falling(subject, others)


def _falling(subject: Subject, ways: Sequence[Choice]) -> Broken | None:
    best: Choice | None = None
    most = -math.inf
    for way in ways:
        values = subject.values(way.trace)
        total = math.fsum(values)
        if best is not None and way.worth > best.worth and total < most - TOLERANCE:
            message = (
                f"{way.act} fits better in turn {len(values)} than {best.act} ({way.worth:.3g} "
                f"against {best.worth:.3g}); the talk is paid {total:.6g} with it as below, and "
                f"{most:.6g} with the other"
            )
            return Broken(message, dialogue_text(way.trace, values))
        if total > most:
            best, most = way, total
    return None
