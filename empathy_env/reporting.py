"""The published loop: a user whose emotion the model that plays it reports itself.

Two requests a turn, after SAGE (arXiv 2505.02847) and RLVER (arXiv 2507.03112). The first asks how
the person takes the agent's words and by how much their emotion changes; the second asks for their
reply, given the state that they are in then. Code bounds the change, adds it up and ends the talk;
that the change is right nobody can check. docs/protocols.md says what is kept and what corrected.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Final, NamedTuple

from empathy_env.acts import Appraisal, Context, Reading, Topic
from empathy_env.appraiser import Appraiser, RuleAppraiser
from empathy_env.asking import Asked, asked
from empathy_env.backends import Reply, Request
from empathy_env.briefing import (
    Report,
    prompts_digest,
    read_report,
    read_words,
    reply_request,
    report_request,
    unreadable,
    wordless,
)
from empathy_env.difficulty import Difficulty
from empathy_env.emotion import Mood, Outcome, first_mood
from empathy_env.errors import InvalidArgument
from empathy_env.messages import Message, from_agent
from empathy_env.profile import Portrait, portrait
from empathy_env.protocol import AnyProtocol, ReportedProtocol
from empathy_env.scenario import Scenario
from empathy_env.speaker import Moment, Speaker, Speech, TemplateSpeaker
from empathy_env.trace import Answer
from empathy_env.user import Response, SimulatedUser, UserState

_MODERATE: Final = Difficulty()


@dataclass(frozen=True)
class ReportingUser:
    """A person in one scenario, played by a model that reports their emotion."""

    scenario: Scenario
    seat: int = 0

    @cached_property
    def protocol(self) -> ReportedProtocol:
        """The constants."""
        return reported(self.scenario.protocol)

    @cached_property
    def portrait(self) -> Portrait:
        """The person in prose."""
        return portrait(self.scenario.persona, self.scenario.need)

    @property
    def opening(self) -> str:
        """The first thing they say."""
        return self.scenario.persona.opening

    @property
    def _start(self) -> float:
        """Emotion before the first turn: the protocol's own, unless the knob says otherwise."""
        knobs = self.scenario.difficulty
        return self.protocol.start if knobs.start == _MODERATE.start else first_mood(knobs).emotion

    @cached_property
    def first_state(self) -> UserState:
        """The state before the first turn."""
        return UserState(Mood(self._start, 0.0), frozenset(), frozenset({self.opening}))

    def topics(self, state: UserState) -> tuple[Topic, ...]:
        """Return what an utterance could address: nothing is kept apart here."""
        return ()

    def respond(
        self,
        state: UserState,
        heard: str,
        reading: Reading,
        turn: int,
        speaker: Speaker,
        talk: tuple[Message, ...] = (),
    ) -> Generator[Request, Reply, Response]:
        """Report how the turn is taken, then speak.

        Args:
            state: Before the turn.
            heard: What the agent said.
            reading: What was detected in it.
            turn: This turn, counted from 1.
            speaker: Not asked: the model that reports speaks.
            talk: All messages before.
        """
        shown = (*talk, from_agent(heard))
        report = yield from self._report(shown, state.mood.emotion)
        change, notes = self._counted(report, reading.evidence)
        after, saturated = moved(state.mood.emotion, change, self.protocol)
        mood = Mood(after, 0.0)
        closing = self.ending(mood, reading.evidence, turn) in ("success", "left")
        reply = yield from self._reply(shown, report.value, after, closing=closing)
        answer = Answer(
            mood=mood,
            good=0.0,
            harm=0.0,
            saturated=saturated,
            error=None,
            told=(),
            leaked=(),
            manner=self.protocol.label(after),
            reply=reply.value,
        )
        spoken = UserState(mood, state.told, state.spoken | {reply.value})
        return Response(spoken, answer, (*report.notes, *notes, *reply.notes))

    def _report(
        self, talk: tuple[Message, ...], emotion: float
    ) -> Generator[Request, Reply, Asked[Report]]:
        def request(shown: tuple[Message, ...]) -> Request:
            knobs = self.scenario.difficulty
            return report_request(self.portrait, self.protocol, shown, emotion, knobs)

        whole, bare = request(talk), lambda: request(unreadable(talk))
        return (yield from asked(whole, read_report, withheld=bare))

    def _reply(
        self, talk: tuple[Message, ...], report: Report, emotion: float, *, closing: bool
    ) -> Generator[Request, Reply, Asked[str]]:
        state = self.protocol.label(emotion)

        def request(shown: tuple[Message, ...], taken: Report) -> Request:
            return reply_request(
                self.portrait,
                self.protocol,
                shown,
                taken,
                state=state,
                closing=closing,
                difficulty=self.scenario.difficulty,
            )

        def bare() -> Request:
            return request(unreadable(talk), wordless(report))

        whole = request(talk, report)
        return (yield from asked(whole, read_words, withheld=bare))

    def _counted(self, report: Asked[Report], appraisal: Appraisal) -> tuple[int, tuple[str, ...]]:
        """Return the change that counts, and a note if it is not the one that was reported.

        Words that no model could be asked about, and words that tell the user what to feel, are
        worth no more than none: what is reported then can lower the emotion and cannot raise it.
        """
        change = report.value.change
        if change <= 0:
            return change, ()
        manipulates = any(evidence.act == "manipulation" for evidence in appraisal)
        if report.withheld:
            return 0, (f"a rise of {change} does not count: it was not for the agent's words",)
        if manipulates and not self.protocol.manipulation_pays:
            return 0, (f"a rise of {change} does not count: manipulation was detected",)
        return change, ()

    def ending(self, mood: Mood, appraisal: Appraisal, turn: int) -> Outcome | None:
        """Return how the talk ends for this user after turn `turn`, or None.

        By the emotion and the number of turns alone: no word in the text ends it.
        """
        if mood.emotion >= self.protocol.success:
            return "success"
        if self.protocol.leaves(mood.emotion):
            return "left"
        return "time_up" if turn >= self.scenario.max_turns else None


class Moved(NamedTuple):
    """Where a change leads.

    Attributes:
        emotion: The emotion after it.
        saturated: True if the clamp or an end of the scale cut it.
    """

    emotion: float
    saturated: bool


def moved(emotion: float, change: float, protocol: ReportedProtocol) -> Moved:
    """Return the emotion after a reported change, bounded at both ends.

    >>> from empathy_env.protocol import REPORTED
    >>> moved(95.0, 25, REPORTED["sage-2025"])
    Moved(emotion=100.0, saturated=True)
    """
    clamp = inf if protocol.clamp is None else protocol.clamp
    bounded = emotion + min(clamp, max(-clamp, change))
    after = round(min(protocol.ceiling, max(protocol.floor, bounded)), 6)
    return Moved(after, abs(after - emotion - change) > 1e-6)


User = SimulatedUser | ReportingUser


def seated(scenario: Scenario, seat: int = 0) -> User:
    """Return the user that the scenario's protocol asks for."""
    if isinstance(scenario.protocol, ReportedProtocol):
        return ReportingUser(scenario, seat)
    return SimulatedUser(scenario, seat)


def reported(protocol: AnyProtocol) -> ReportedProtocol:
    """Return the protocol, if it is one in which a model reports the emotion.

    Raises:
        InvalidArgument: If it is not.
    """
    if not isinstance(protocol, ReportedProtocol):
        raise InvalidArgument(f"protocol={protocol.name!r} has a law: no model reports the emotion")
    return protocol


class NoAppraiser:
    """Finds nothing: what the agent did is for the reporting model to say."""

    name = "none"

    def appraise(self, utterance: str, context: Context) -> Generator[Request, Reply, Reading]:
        """Return a reading without evidence; asks no model."""
        yield from ()
        return Reading(())


@dataclass(frozen=True)
class OwnWords:
    """Stands for the speaker where the reporting model words the replies, and names its prompts."""

    name: str

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        """Refuse: nobody asks."""
        yield from ()
        raise InvalidArgument(f"the speaker {self.name!r} words nothing: the user does it itself")


def appraiser_of(protocol: AnyProtocol, own: Appraiser | None = None) -> Appraiser:
    """Return who finds the evidence: nobody where a model reports, else `own` or the rules."""
    if isinstance(protocol, ReportedProtocol):
        return NoAppraiser()
    return own or RuleAppraiser(protocol.appraiser)


def speaker_of(protocol: AnyProtocol, own: Speaker | None = None) -> Speaker:
    """Return who words the replies: the reporting model itself, else `own` or the templates."""
    if isinstance(protocol, ReportedProtocol):
        return OwnWords(f"reported:{prompts_digest(protocol)}")
    return own or TemplateSpeaker(protocol.speaker)
