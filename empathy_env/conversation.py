"""The kernel: one talk as a value, and the one function that takes it a turn further.

`Conversation` is a frozen value: keeping one is a snapshot, playing on from an old one is a fork,
and a group of episodes with a shared start is several calls of `say` on the same value. A step is
written once, as a generator that yields model requests; `drivers` answer them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from empathy_env.acts import (
    ABOUTS,
    ACTS,
    HEARD_KEPT,
    INTENSITIES,
    SAID_KEPT,
    Appraisal,
    Context,
    Evidence,
    Reading,
)
from empathy_env.appraiser import Appraiser, RuleAppraiser, detect_manipulation
from empathy_env.backends import Reply, Request
from empathy_env.between import Presence
from empathy_env.emotion import Mood, Outcome
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument, UnparseableReply
from empathy_env.messages import Message, clean, from_agent, from_system, from_user
from empathy_env.noise import draw
from empathy_env.reporting import User, seated
from empathy_env.scaffold import Scaffold
from empathy_env.scenario import Scenario
from empathy_env.speaker import Speaker
from empathy_env.trace import FIRST, Answer, Call, Setup, Trace, Turn
from empathy_env.user import Response, UserState, rules_digest

T = TypeVar("T")

LONGEST_REPLY = 20_000
"""Longest reply of a model, in characters; what is beyond is cut."""


@dataclass(frozen=True)
class Room:
    """What does not change during a talk: who is there, and how it is played."""

    scenario: Scenario
    users: tuple[User, ...]
    appraiser: Appraiser
    speaker: Speaker
    scaffold: Scaffold
    backend: str
    system_prompt: str | None
    supporters: int = 1
    """How many there are; more than one in company only."""
    played: tuple[str, ...] = (FIRST,)
    """The seats whose words come from outside; the other users' come from here."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """In company, by what name each is spoken to: the users by seat, then the supporters."""
        cast = self.scenario.cast
        others = (f"Supporter {number}" for number in range(2, self.supporters + 1))
        return (*(cast.names if cast else ()), "Supporter", *others)

    @cached_property
    def setup(self) -> Setup:
        """The parts by name, as a trace records them."""
        return Setup(
            appraiser=self.appraiser.name,
            speaker=self.speaker.name,
            scaffold=self.scaffold.name,
            backend=self.backend,
            rules=rules_digest(),
            system_prompt=self.system_prompt,
            played=self.played,
        )

    @cached_property
    def opening(self) -> tuple[str, ...]:
        """What each user opens with."""
        return tuple(user.opening for user in self.users)

    @cached_property
    def start(self) -> tuple[Mood, ...]:
        """Each user's mood before the first turn."""
        return tuple(user.first_state.mood for user in self.users)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A talk so far. Frozen: `say` returns the next one and leaves this one as it is."""

    room: Room = field(repr=False)
    users: tuple[UserState, ...]
    messages: tuple[Message, ...]
    heard: tuple[str, ...]
    """What the users said or meant to say, oldest first; only the remembered ones."""
    said: tuple[str, ...] = ()
    """What the agent was heard to say, oldest first; only the remembered ones."""
    turns: tuple[Turn, ...] = ()
    meter: Mapping[str, float] = field(default_factory=dict[str, float])
    """What the models' replies have cost so far, summed over calls."""
    company: tuple[Presence, ...] = ()
    """With a cast: for each user what is between them and the others."""

    @property
    def outcome(self) -> Outcome | None:
        """How the talk ended, or None."""
        return self.turns[-1].outcome if self.turns else None

    @property
    def utterance(self) -> str:
        """What the user said last."""
        return self.messages[-1]["content"]

    def chat(self) -> list[Message]:
        """Return the messages as new dicts, so that nobody can change this talk through them."""
        return [message.copy() for message in self.messages]

    def as_member(self, member: int) -> Conversation:
        """Return the same talk as number `member` of a group."""
        scenario = replace(self.room.scenario, member=member)
        users = tuple(seated(scenario, user.seat) for user in self.room.users)
        return replace(self, room=replace(self.room, scenario=scenario, users=users))

    @property
    def trace(self) -> Trace:
        """The record so far, unscored."""
        room = self.room
        return Trace(
            scenario=room.scenario,
            setup=room.setup,
            opening=room.opening,
            start=room.start,
            turns=self.turns,
            meter=self.meter,
        )

    def context(self) -> Context:
        """Return what an appraiser may look at."""
        topics = tuple(
            topic
            for user, state in zip(self.room.users, self.users, strict=True)
            for topic in user.topics(state)
        )
        return Context(self.heard[-1], self.heard[:-1], self.said, topics, self.spoken)

    @property
    def spoken(self) -> tuple[Message, ...]:
        """The messages without the instructions to the agent: what was said aloud."""
        return self.messages[self.room.system_prompt is not None :]


def begin(room: Room) -> Conversation:
    """Return the talk in which the user has just opened. Asks no model."""
    opening = " ".join(room.opening)
    company: tuple[Presence, ...] = ()
    if room.scenario.cast is not None:
        pairs = zip(room.scenario.cast.names, room.opening, strict=True)
        opening = "\n".join(f"{name}: {line}" for name, line in pairs)
        company = tuple(Presence(said=(line,)) for line in room.opening)
    system = (from_system(room.system_prompt),) if room.system_prompt is not None else ()
    return Conversation(
        room=room,
        users=tuple(user.first_state for user in room.users),
        messages=(*system, from_user(opening)),
        heard=(opening,),
        company=company,
    )


def say(talk: Conversation, text: str) -> Generator[Request, Reply, Conversation]:
    """Take the talk one turn further: the agent says `text`, the users answer.

    A generator: yields each model request and is sent its reply. If a fault is thrown in, nothing
    has changed: the old value still stands.

    Args:
        talk: The talk so far.
        text: What the agent wrote, any str at all.

    Raises:
        EpisodeOver: If the talk has ended.
        InvalidArgument: If `text` is not a str.
        Fault: If machinery failed; its meter holds what the turn has cost.
    """
    if talk.outcome is not None:
        raise EpisodeOver(f"the talk has ended ({talk.outcome}); open a new episode")
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"an action must be a str, got {type(text).__name__}: pass the agent's words"
        )
    calls = Calls(talk.room.scenario, len(talk.turns) + 1)
    try:
        return (yield from _said(talk, text, calls))
    except Fault as fault:
        fault.meter = calls.meter
        raise


def _said(talk: Conversation, text: str, calls: Calls) -> Generator[Request, Reply, Conversation]:
    room = talk.room
    cleaned = clean(text, max_chars=room.scenario.max_chars)
    split = room.scaffold.split(cleaned.text)
    reading = yield from recorded(room.appraiser.appraise(split.heard, talk.context()), calls)
    if not isinstance(room.appraiser, RuleAppraiser):  # the rules have looked already
        reading = looked_through(reading, split.heard)
    responses = yield from _responses(talk, split.heard, reading, calls)
    answers = tuple(response.answer for response in responses)
    reply = " ".join(answer.reply for answer in answers)
    turn = Turn(
        raw=cleaned.text,
        private=split.private,
        heard=split.heard,
        flags=cleaned.flags + split.flags,
        evidence=reading.evidence,
        answers=answers,
        outcome=_outcome(talk, answers, reading.evidence),
        notes=(*reading.notes, *(note for response in responses for note in response.notes)),
        calls=tuple(calls.made),
    )
    return Conversation(
        room=room,
        users=tuple(response.state for response in responses),
        messages=(*talk.messages, from_agent(split.heard), from_user(reply)),
        heard=(*talk.heard, " ".join(answer.whole for answer in answers))[-HEARD_KEPT:],
        said=(*talk.said, split.heard)[-SAID_KEPT:],
        turns=(*talk.turns, turn),
        meter=summed(talk.meter, calls.meter),
    )


def _responses(
    talk: Conversation, heard: str, reading: Reading, calls: Calls
) -> Generator[Request, Reply, tuple[Response, ...]]:
    """Let every user respond, in the order of the seats."""
    responses: list[Response] = []
    for user, state in zip(talk.room.users, talk.users, strict=True):
        steps = user.respond(
            state, heard, reading, len(talk.turns) + 1, talk.room.speaker, talk.spoken
        )
        responses.append((yield from recorded(steps, calls)))
    return tuple(responses)


def _outcome(talk: Conversation, answers: Sequence[Answer], appraisal: Appraisal) -> Outcome | None:
    """Return how the talk ends: somebody left, or all are well, or time is up."""
    number = len(talk.turns) + 1
    ends = [
        user.ending(answer.mood, appraisal, number)
        for user, answer in zip(talk.room.users, answers, strict=True)
    ]
    if "left" in ends:
        return "left"
    if all(end == "success" for end in ends):
        return "success"
    return "time_up" if number >= talk.room.scenario.max_turns else None


def looked_through(reading: Reading, heard: str) -> Reading:
    """Check the evidence of somebody's own appraiser, and add what the detector finds.

    Raises:
        UnparseableReply: If evidence names what does not exist, or quotes what was not heard.
        InvalidArgument: If it is no `Reading`.
    """
    if not isinstance(reading, Reading):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"the appraiser returned {type(reading).__name__}: return Reading(evidence)"
        )
    evidence = with_manipulation(checked(reading.evidence, heard), heard)
    samples = tuple(with_manipulation(checked(one, heard), heard) for one in reading.samples)
    return Reading(evidence, reading.notes, samples)


def with_manipulation(appraisal: Appraisal, heard: str) -> Appraisal:
    """Add what the detector of `manipulation` finds, whatever the appraiser was."""
    if any(evidence.act == "manipulation" for evidence in appraisal):
        return appraisal
    found: tuple[Evidence, ...] = detect_manipulation(heard)
    return appraisal + found if found else appraisal


@dataclass(slots=True)
class Calls:
    """The requests of one turn: what is kept of them, and what they have cost."""

    scenario: Scenario
    turn: int
    seat: str = ""
    """In company, whose they are."""
    made: list[Call] = field(default_factory=list[Call])
    meter: Mapping[str, float] = field(default_factory=dict[str, float])

    def keyed(self, request: Request) -> Request:
        """Return the request with its seed and its origin.

        Both depend on the episode, the turn, the purpose and how often that was asked in this turn,
        so one more call of another purpose moves nothing.
        """
        again = sum(call.purpose == request.purpose for call in self.made)
        whose = f"{request.purpose}/{self.seat}" if self.seat else request.purpose
        chance = draw(self.scenario.seed, self.turn, again, f"request:{whose}")
        origin = f"{self.scenario.episode_id}/{self.turn}/{whose}/{again}"
        seed = int(chance * 2**31)
        return Request(request.purpose, request.messages, request.schema, seed, origin)

    def add(self, request: Request, answer: Reply | Fault) -> None:
        """Keep a record of a request and its reply, or of the fault that it met."""
        if isinstance(answer, Fault):
            fault = type(answer).__name__
            self.made.append(Call(request.purpose, request.digest, "", fault))
        else:
            self.made.append(Call(request.purpose, request.digest, answer.text))
        self.meter = summed(self.meter, answer.meter)


def summed(one: Mapping[str, float], other: Mapping[str, float]) -> Mapping[str, float]:
    """Return two meters as one.

    >>> summed({"requests": 1.0}, {"requests": 2.0, "retries": 1.0})
    {'requests': 3.0, 'retries': 1.0}
    """
    if not one or not other:
        return one or other
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**one, **other}}


def recorded(steps: Generator[Request, Reply, T], calls: Calls) -> Generator[Request, Reply, T]:
    """Pass requests and replies through, key each request, and keep a record of each."""
    try:
        request = next(steps)
        while True:
            request = calls.keyed(request)
            try:
                reply = yield request
            except Fault as fault:
                calls.add(request, fault)
                request = steps.throw(fault)
                continue
            text = clean(reply.text, max_chars=LONGEST_REPLY).text
            if text != reply.text:
                reply = replace(reply, text=text)
            calls.add(request, reply)
            request = steps.send(reply)
    except StopIteration as stop:
        return stop.value


def checked(appraisal: Appraisal, heard: str) -> Appraisal:
    """Return evidence of somebody's own appraiser, if it keeps to the closed scale.

    Raises:
        UnparseableReply: If it names what does not exist, or quotes what was not heard.
    """
    for item in appraisal:
        for name, value, scale in (
            ("act", item.act, ACTS),
            ("about", item.about, ABOUTS),
            ("intensity", item.intensity, INTENSITIES),
        ):
            if value not in scale:
                raise UnparseableReply(
                    f"evidence with {name}={value!r} is not on the closed scale: {scale}"
                )
        span = heard[item.start : item.end]
        if not item.quote or span != item.quote:
            raise UnparseableReply(
                f"evidence with quote={item.quote!r} does not quote: heard[{item.start}:{item.end}]"
                f" is {span!r}"
            )
    return appraisal
