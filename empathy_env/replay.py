"""Play a recorded talk again: the same scenario, the same words, the models' recorded replies.

Parts that are known here (rules, templates, and the parts that ask a model) run again; somebody's
own appraiser, speaker or scaffold is stood in for by what the trace says that it did. Nothing is
asked of any model.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from empathy_env.acts import Appraisal, Context, Reading
from empathy_env.appraiser import Appraiser
from empathy_env.backends import Reply, Request
from empathy_env.circle import play, say
from empathy_env.conversation import Conversation, Room, begin
from empathy_env.errors import Fault, UnexpectedRequest, fault_named
from empathy_env.parts import appraiser_named, speaker_named
from empathy_env.protocol import ReportedProtocol
from empathy_env.reporting import seated, speaker_of
from empathy_env.scaffold import SCAFFOLDS, Scaffold, Split
from empathy_env.speaker import Moment, Speaker, Speech
from empathy_env.trace import FIRST, Answer, Call, Said, Trace, Turn
from empathy_env.welfare import lines_of


def replayed(trace: Trace) -> Iterator[Conversation]:
    """Yield the talk before each of its turns, and at last the whole.

    Raises:
        UnexpectedRequest: If a step asks what the trace holds no reply to.
        Fault: If a recorded reply has no meaning here.
    """
    talk = opened(trace)
    yield talk
    for turn in trace.turns:
        talk = played(talk, turn)
        yield talk


def opened(trace: Trace) -> Conversation:
    """Return the talk before its first turn, in the room that the trace names."""
    setup = trace.setup
    return begin(
        Room(
            scenario=trace.scenario,
            users=tuple(seated(trace.scenario, seat) for seat in range(len(trace.scenario.people))),
            appraiser=appraiser_named(setup.appraiser) or _RecordedAppraiser(setup.appraiser),
            speaker=_speaker(trace),
            scaffold=SCAFFOLDS.get(setup.scaffold) or _recorded_scaffold(setup.scaffold),
            backend=setup.backend,
            system_prompt=setup.system_prompt,
            supporters=sum(seat.startswith("supporter") for seat in setup.played),
            played=setup.played,
        )
    )


def _speaker(trace: Trace) -> Speaker:
    if isinstance(trace.scenario.protocol, ReportedProtocol):
        return speaker_of(trace.scenario.protocol)
    name = trace.setup.speaker
    return speaker_named(name) or _RecordedSpeaker(name)


def played(talk: Conversation, turn: Turn) -> Conversation:
    """Take a talk one recorded turn further.

    Raises:
        UnexpectedRequest: If a step asks what the turn holds no reply to.
        Fault: If a recorded reply has no meaning here.
    """
    talk = replace(talk, room=_standing_in(talk.room, turn))
    if talk.room.scenario.cast is not None:
        return _round_played(talk, turn)
    calls = iter(turn.calls)
    steps = say(talk, turn.raw)
    try:
        request = next(steps)
        while isinstance(request, Request):  # a talk of two asks one thing at a time
            answer = _recorded(_call(calls, request))
            request = steps.throw(answer) if isinstance(answer, Fault) else steps.send(answer)
        raise UnexpectedRequest("a talk of two has asked several things at once")
    except StopIteration as stop:
        return stop.value


def _round_played(talk: Conversation, turn: Turn) -> Conversation:
    """Take a talk in company one recorded round further."""
    actions = dict.fromkeys(talk.room.played, "")
    actions |= {said.seat: said.raw for said in turn.others if said.seat in actions}
    left = list(turn.calls)
    steps = play(talk, actions | {FIRST: turn.raw})
    try:
        asked = next(steps)
        while True:
            requests = (asked,) if isinstance(asked, Request) else asked
            asked = steps.send(tuple(_recorded(_taken(left, request)) for request in requests))
    except StopIteration as stop:
        return stop.value


def _recorded(call: Call) -> Reply | Fault:
    return fault_named(call.fault, "recorded") if call.fault else Reply(call.reply)


def _taken(left: list[Call], request: Request) -> Call:
    """Take the recorded call of this request out of those that are left."""
    for call in left:
        if call.purpose == request.purpose and call.request == request.digest:
            left.remove(call)
            return call
    raise UnexpectedRequest(
        f"no recorded reply to the request to {request.purpose} with digest {request.digest}"
    )


def _call(calls: Iterator[Call], request: Request) -> Call:
    """Return the recorded call of this request, passing those of parts that are stood in for."""
    for call in calls:
        if call.purpose == request.purpose:
            if call.request != request.digest:
                break
            return call
    raise UnexpectedRequest(
        f"no recorded reply to the request to {request.purpose} with digest {request.digest}"
    )


@dataclass(frozen=True)
class _RecordedAppraiser:
    """An appraiser that finds what the trace says, in company in each part of what was said."""

    name: str
    lines: tuple[Said, ...] = ()
    passed: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """The stretches that were asked about before: two parts may have the same words."""

    def appraise(self, utterance: str, context: Context) -> Generator[Request, Reply, Reading]:
        yield from ()
        for number, said in enumerate(self.lines):
            start = said.heard.find(utterance)
            while start >= 0:
                end = start + len(utterance)
                if all(line != number or end <= a or b <= start for line, a, b in self.passed):
                    self.passed.append((number, start, end))
                    return Reading(_within(said.evidence, start, end))
                start = said.heard.find(utterance, start + 1)
        return Reading(())


def _within(evidence: Appraisal, start: int, end: int) -> Appraisal:
    """Return the evidence of a stretch of an utterance; its places count from there."""
    return tuple(
        item._replace(start=item.start - start, end=item.end - start)
        for item in evidence
        if start <= item.start < end
    )


@dataclass(frozen=True)
class _RecordedSpeaker:
    """A speaker that says what the trace says."""

    name: str
    answers: tuple[Answer, ...] = ()

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        yield from ()
        answer = self.answers[moment.seat]
        return Speech(answer.reply, answer.manner, (), answer.leaked, meant=answer.meant)


def _recorded_scaffold(name: str, turn: Turn | None = None) -> Scaffold:
    """Return a scaffold that takes each text of a turn apart as it was."""
    known = {said.raw: Split(said.private, said.heard) for said in lines_of(turn)} if turn else {}

    def split(raw: str) -> Split:
        return known.get(raw, Split("", raw))

    return Scaffold(name, "", split)


def _standing_in(room: Room, turn: Turn) -> Room:
    """Let the parts that are not known do what they did in this turn."""
    changed: dict[str, Any] = {}
    appraiser: Appraiser = room.appraiser
    speaker: Speaker = room.speaker
    if isinstance(appraiser, _RecordedAppraiser):
        changed["appraiser"] = _RecordedAppraiser(appraiser.name, tuple(lines_of(turn)))
    if isinstance(speaker, _RecordedSpeaker):
        # A moment names its user by rank, as draws do.
        order = sorted(range(len(turn.answers)), key=room.scenario.rank)
        answers = tuple(turn.answers[seat] for seat in order)
        changed["speaker"] = _RecordedSpeaker(speaker.name, answers)
    if room.scaffold.name not in SCAFFOLDS:
        changed["scaffold"] = _recorded_scaffold(room.scaffold.name, turn)
    return replace(room, **changed) if changed else room
