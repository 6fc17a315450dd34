"""A round of talk in company as a value, while it is under way, and what is shared by its steps."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from empathy_env.acts import (
    HEARD_KEPT,
    SAID_KEPT,
    Company,
    Context,
    Evidence,
    Reading,
)
from empathy_env.address import Addressed, Part, after_call
from empathy_env.appraiser import RuleAppraiser
from empathy_env.backends import Reply, Request
from empathy_env.between import Ear, Presence, Taken
from empathy_env.cast import Cast
from empathy_env.conversation import Calls, Conversation, Room, looked_through, summed
from empathy_env.emotion import resists
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument
from empathy_env.hearing import heard_by, known_as
from empathy_env.messages import Cleaned, clean
from empathy_env.noise import draw
from empathy_env.scaffold import Split
from empathy_env.trace import Call, Said
from empathy_env.user import SimulatedUser, UserState

T = TypeVar("T")


Together = Generator[Request | tuple[Request, ...], Any, T]
"""A step that may ask several things at once; see `drivers.Steps`."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round under way. Frozen: each step returns the next one.

    Attributes:
        talk: The talk before it.
        users: Each user's state.
        company: What is between each user and the others.
        said: What has been said in it so far, in order.
        resisting: For each user, whether they resist in this round.
        called: Users whom a supporter has called.
        abandoned: Users whom a supporter has abandoned.
        calls: The requests to models.
        meter: What these have cost.
        notes: Sentences about what was dropped or asked again.
        errors: For each user the squared standard error of how their emotion has changed, summed
            over what was said; empty if it was appraised once only.
    """

    talk: Conversation
    users: tuple[UserState, ...]
    company: tuple[Presence, ...]
    resisting: tuple[bool, ...]
    said: tuple[Said, ...] = ()
    called: frozenset[int] = frozenset()
    abandoned: frozenset[int] = frozenset()
    calls: tuple[Call, ...] = ()
    meter: Mapping[str, float] = field(default_factory=dict[str, float])
    notes: tuple[str, ...] = ()
    errors: tuple[float, ...] = ()

    @property
    def number(self) -> int:
        """The number of the round, counted from 1."""
        return len(self.talk.turns) + 1


def begin_round(talk: Conversation) -> Round:
    """Return the next round, in which nobody has spoken yet.

    Raises:
        EpisodeOver: If the talk has ended.
    """
    if talk.outcome is not None:
        raise EpisodeOver(f"the talk has ended ({talk.outcome}); open a new episode")
    turn, seed = len(talk.turns) + 1, talk.room.scenario.seed
    resisting = tuple(
        resists(state.mood, one.listener, draw(seed, turn, one.rank, "resist"))
        for one, state in states_of(talk.room, talk.users)
    )
    fresh = tuple(presence._replace(felt=None) for presence in talk.company)
    return Round(talk, talk.users, fresh, resisting)


class Tally:
    """The requests of one step of a round; a fault that ends it takes along what they cost."""

    def __init__(self, current: Round):
        self._current = current
        self._calls: list[Calls] = []

    def of(self, seat: str) -> Calls:
        """Return where the requests of a seat are kept."""
        calls = Calls(self._current.talk.room.scenario, self._current.number, seat)
        self._calls.append(calls)
        return calls

    @property
    def _meter(self) -> Mapping[str, float]:
        meter = self._current.meter
        for calls in self._calls:
            meter = summed(meter, calls.meter)
        return meter

    @property
    def added(self) -> Round:
        """The round with these requests."""
        made = tuple(call for calls in self._calls for call in calls.made)
        return replace(self._current, calls=(*self._current.calls, *made), meter=self._meter)

    def __enter__(self) -> Tally:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Fault):
            error.meter = self._meter


def states_of(room: Room, states: Sequence[UserState]) -> Iterator[tuple[SimulatedUser, UserState]]:
    """Yield each user with their state."""
    for one, state in zip(room.users, states, strict=True):
        assert isinstance(one, SimulatedUser)  # a cast has a law, so nobody reports
        yield one, state


def user_in(room: Room, seat: int) -> SimulatedUser:
    """Return the user in a seat."""
    one = room.users[seat]
    assert isinstance(one, SimulatedUser)
    return one


def cast_of(room: Room) -> Cast:
    """Return the cast of a room with several people."""
    cast = room.scenario.cast
    assert cast is not None  # nobody gets here with a talk of two
    return cast


def person_id(room: Room, seat: int) -> str:
    """Return what a user's requests are keyed by, whatever the seat."""
    return cast_of(room).ids[seat]


def users_among(to: Sequence[int], room: Room) -> frozenset[int]:
    """Return those of some indices of names that are users."""
    return frozenset(index for index in to if index < len(room.users))


def those_there(current: Round) -> list[int]:
    """Return the seats of the users who are still there."""
    return [seat for seat, presence in enumerate(current.company) if presence.present]


def leaves(current: Round, seat: int) -> bool:
    """Whether a user would leave now."""
    one, mood = user_in(current.talk.room, seat), current.users[seat].mood
    return seat in current.abandoned or one.ending(mood, (), current.number) == "left"


def split_words(room: Room, seat: str, text: str) -> tuple[Cleaned, Split]:
    """Return what a seat has written, made safe, and what of it is heard.

    Raises:
        InvalidArgument: If it is no str.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"an action must be a str, got {type(text).__name__} for {seat!r}: pass its words"
        )
    cleaned = clean(text, max_chars=room.scenario.max_chars)
    return cleaned, room.scaffold.split(cleaned.text)


def ears_of(current: Round, *, swinging: bool = False) -> list[Ear]:
    """Return the users, as far as it matters how they take what is said."""
    room, turn = current.talk.room, current.number
    volatile = swinging and room.scenario.difficulty.volatility > 0.0
    return [
        Ear(
            state.mood,
            one.listener,
            presence.waits,
            resisting,
            2.0 * draw(room.scenario.seed, turn, one.rank, "swing") - 1.0 if volatile else 0.0,
            presence.present,
        )
        for (one, state), presence, resisting in zip(
            states_of(room, current.users), current.company, current.resisting, strict=True
        )
    ]


def after_taking(current: Round, takens: Sequence[Taken], company: tuple[Presence, ...]) -> Round:
    """Return the round in which an utterance has been taken."""
    users = tuple(
        state if one.mood is state.mood else state._replace(mood=one.mood)
        for state, one in zip(current.users, takens, strict=True)
    )
    return replace(current, users=users, company=company)


def context_for(
    current: Round, seat: str, to: Sequence[int], said: tuple[str, ...] | None = None
) -> Context:
    """Return what an appraiser may look at: what those who are spoken to have said, and hide.

    Args:
        current: The round.
        seat: Who speaks.
        to: Those who are spoken to.
        said: What the speaker has said before; None: what supporters have said to them.
    """
    room = current.talk.room
    to = sorted(to, key=room.scenario.rank)  # in whatever seats they sit
    lines = [current.company[seat].said for seat in to]
    last = " ".join(own[-1] for own in lines if own)
    earlier = tuple(line for own in lines for line in own[:-1])[-HEARD_KEPT:]
    topics = tuple(topic for seat in to for topic in room.users[seat].topics(current.users[seat]))
    if said is None:
        told = (line for seat in to for line in current.company[seat].told)
        said = tuple(dict.fromkeys(told))[-SAID_KEPT:]
    company = None if isinstance(room.appraiser, RuleAppraiser) else company_of(current, seat, to)
    return Context(last, earlier, said, topics, current.talk.spoken, company)


def company_of(current: Round, seat: str, to: Sequence[int]) -> Company:
    """Return who is there, for appraisers that ask a model."""
    room = current.talk.room
    lines = tuple(heard_by(current.talk, seat, current.said))
    return Company(
        cast_of(room).names, known_as(room, seat), tuple(room.names[one] for one in to), lines
    )


def words_start(room: Room, text: str, part: Part) -> int:
    """Return where the words of a part begin, after the name that is called."""
    return part.start + after_call(text[part.start : part.end], room.names)


def read_part(
    room: Room, said: Addressed, part: Part, offset: int, context: Context
) -> Generator[Request, Reply, Reading]:
    """Appraise one part; the places of its evidence count in the whole."""
    start = words_start(room, said.text, part)
    text = said.text[start : part.end]
    reading = yield from room.appraiser.appraise(text, context)
    if not isinstance(room.appraiser, RuleAppraiser):
        reading = looked_through(reading, text)
    by = offset + start
    return reading._replace(
        evidence=tuple(_placed(item, by) for item in reading.evidence),
        samples=tuple(tuple(_placed(item, by) for item in one) for one in reading.samples),
    )


def _placed(evidence: Evidence, by: int) -> Evidence:
    return evidence._replace(start=evidence.start + by, end=evidence.end + by) if by else evidence


def joined_readings(readings: Sequence[Reading]) -> Reading:
    """Return the readings of the parts of an utterance as one."""
    evidence = tuple(item for reading in readings for item in reading.evidence)
    notes = tuple(note for reading in readings for note in reading.notes)
    times = min((len(one.samples) for one in readings if len(one.samples) > 1), default=0)
    samples = tuple(
        tuple(
            item
            for one in readings
            for item in (one.samples[number] if len(one.samples) > 1 else one.evidence)
        )
        for number in range(times)
    )
    return Reading(evidence, notes, samples)
