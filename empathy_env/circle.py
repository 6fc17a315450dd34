"""A round of talk in company: supporters speak, users hear, and those who have the floor answer.

A round has two halves. First each supporter speaks, and what they say is taken at once. Then all
users who have the floor word what they say, of what they have heard so far, so that the requests
to models are in flight together; it is delivered in an order that a keyed draw gives. Whether a
seat is played from outside or from here makes no other difference.

`say` takes a talk of either kind a turn further; `Round` is a round under way, for those who want
to look at what has been said between two words.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import variance
from typing import Any, Final, NamedTuple, TypeVar

from empathy_env import conversation
from empathy_env.acts import (
    HEARD_KEPT,
    SAID_KEPT,
    Appraisal,
    Company,
    Context,
    Evidence,
    Reading,
)
from empathy_env.address import Addressed, Part, addressed, after_call, unlabelled
from empathy_env.appraiser import RuleAppraiser
from empathy_env.asking import together
from empathy_env.backends import Reply, Request
from empathy_env.between import Ear, Presence, Taken, Utterance, taken
from empathy_env.cast import Cast
from empathy_env.conversation import Calls, Conversation, Room, looked_through, recorded, summed
from empathy_env.emotion import Felt, Mood, Outcome, resists
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument, UnknownName
from empathy_env.floor import Floor, speakers
from empathy_env.leaks import given_away
from empathy_env.messages import Cleaned, Message, Spoken, clean, from_agent, from_user
from empathy_env.noise import draw
from empathy_env.remarks import Remark, remark
from empathy_env.scaffold import Split
from empathy_env.speaker import Among, Speech, TemplateSpeaker, asks_after_safety
from empathy_env.speech import turns_to
from empathy_env.trace import FIRST, Answer, Call, Said, Turn
from empathy_env.user import SimulatedUser, UserState

T = TypeVar("T")
Together = Generator[Request | tuple[Request, ...], Any, T]
"""A step that may ask several things at once; see `drivers.Steps`."""

NOBODY: Final = "(Nobody says anything.)"
"""What stands for a round in which no user speaks."""
PIECES: Final = 16
"""How many pieces of evidence a user keeps until they speak."""


def say(talk: Conversation, text: str) -> Together[Conversation]:
    """Take a talk one turn further: of two, or of several with one seat that is played.

    Raises:
        EpisodeOver: If the talk has ended.
        InvalidArgument: If `text` is not a str, or other seats have to be played too.
        Fault: If machinery failed; its meter holds what the turn has cost.
    """
    if talk.room.scenario.cast is None:
        return conversation.say(talk, text)
    return play(talk, {FIRST: text})


def supporter(number: int) -> str:
    """Return the name of a supporter's seat."""
    return f"supporter_{number}"


def user(number: int) -> str:
    """Return the name of a user's seat."""
    return f"user_{number}"


def play(talk: Conversation, actions: Mapping[str, str]) -> Together[Conversation]:
    """Take a talk in company one round further.

    Args:
        talk: The talk so far.
        actions: For each seat that is played from outside, what it says; "" is silence. Who has
            left needs none.

    Raises:
        EpisodeOver: If the talk has ended.
        InvalidArgument: If an action is lacking, or is not a str.
        Fault: If machinery failed; its meter holds what the round has cost.
    """
    current = begin_round(talk)
    supporters = tuple(map(supporter, range(talk.room.supporters)))
    _check(current, actions, supporters)
    for seat in supporters:
        current = yield from support(current, seat, actions[seat])
    return (yield from answer(current, actions))


def _check(current: Round, actions: Mapping[str, str], supporters: Sequence[str] = ()) -> None:
    """Check that each seat that acts has an action, and each action a seat.

    Raises:
        InvalidArgument: If not, or if an action is no str.
    """
    played = current.talk.room.played
    for seat in sorted(set(actions) - set(played)):
        raise UnknownName.among("played seat", seat, played, "The others are played from here.")
    there = {user(seat) for seat in _there(current)}
    for seat in (*supporters, *(seat for seat in played if seat in there)):
        if seat not in actions:
            raise InvalidArgument(
                f"actions has nothing for {seat!r}, who is there and is played from outside: "
                "give the words, or '' for silence"
            )
    for seat, text in actions.items():
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(
                f"an action must be a str, got {type(text).__name__} for {seat!r}: pass its words"
            )


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
        for one, state in _users(talk.room, talk.users)
    )
    fresh = tuple(presence._replace(felt=None) for presence in talk.company)
    return Round(talk, talk.users, fresh, resisting)


def support(current: Round, seat: str, text: str) -> Together[Round]:
    """Let a supporter speak.

    Raises:
        InvalidArgument: If `text` is not a str.
        Fault: If machinery failed; nothing has changed.
    """
    room = current.talk.room
    cleaned, split = _split(room, seat, text)
    said = addressed(split.heard, room.names)
    offset = len(split.heard) - len(said.text)
    with _Tally(current) as tally:
        reading = yield from _read(current, said, offset, seat, tally)
    current = tally.added
    utterance = Utterance(None, said, reading.evidence, offset)
    takens = taken(utterance, _cast(room), _ears(current, swinging=seat == FIRST))
    company = tuple(
        _spoken_to(presence, one, _words_to(room, utterance, index), seat if said.aside else "")
        for index, (presence, one) in enumerate(zip(current.company, takens, strict=True))
    )
    line = _line(seat, cleaned, split, reading.evidence, takens)
    return replace(
        _moved(current, takens, company),
        errors=_errors(current, utterance, reading.samples, swinging=seat == FIRST),
        said=(*current.said, line),
        called=current.called | _users_in(said.to, room),
        abandoned=current.abandoned | _abandoned(takens),
        notes=(*current.notes, *reading.notes),
    )


def answer(current: Round, actions: Mapping[str, str]) -> Together[Conversation]:
    """Let the users who have the floor speak, and end the round.

    Args:
        current: The round, after all supporters have spoken.
        actions: What those users say that are played from outside.

    Raises:
        InvalidArgument: If an action is lacking or not a str.
        Fault: If machinery failed; nothing has changed.
    """
    _check(current, actions)
    floor = _floor(current, actions)
    room = current.talk.room
    played = room.played
    own = [seat for seat in floor if user(seat) not in played]
    with _Tally(current) as tally:
        steps = [recorded(_worded(current, seat), tally.of(_id(room, seat))) for seat in own]
        worded = yield from together(steps)
    spoken = dict(zip(own, worded, strict=True))
    for seat in floor:
        if seat not in spoken:
            spoken[seat] = _given(current, seat, actions)
    lines = [spoken[seat] for seat in floor if spoken[seat].split.heard.strip()]
    with tally:
        readings = yield from _read_lines(current, lines, tally)
    current = _spoke(tally.added, lines)
    for number, (one, reading) in enumerate(zip(lines, readings, strict=True)):
        later = frozenset(other.seat for other in lines[number + 1 :])
        current = _delivered(current, one, reading, later)
    return _ended(current, {one.seat: one for one in lines})


class _Tally:
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

    def __enter__(self) -> _Tally:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Fault):
            error.meter = self._meter


class _Spoken(NamedTuple):
    """What a user is about to say.

    Attributes:
        seat: Whose words they are.
        cleaned: As they were written.
        split: What of it is heard.
        said: By whom it is said to.
        speech: How it was worded, if it was here.
        told: Ids of what they tell.
        remark: What they say to another user beside, if anything.
        aside: The seat that alone hears it, or "".
    """

    seat: int
    cleaned: Cleaned
    split: Split
    said: Addressed
    speech: Speech | None = None
    told: tuple[str, ...] = ()
    remark: Remark | None = None
    aside: str = ""


def _users(room: Room, states: Sequence[UserState]) -> Iterator[tuple[SimulatedUser, UserState]]:
    for one, state in zip(room.users, states, strict=True):
        assert isinstance(one, SimulatedUser)  # a cast has a law, so nobody reports
        yield one, state


def _user(room: Room, seat: int) -> SimulatedUser:
    one = room.users[seat]
    assert isinstance(one, SimulatedUser)
    return one


def _cast(room: Room) -> Cast:
    cast = room.scenario.cast
    assert cast is not None  # nobody gets here with a talk of two
    return cast


def _id(room: Room, seat: int) -> str:
    """Return what a user's requests are keyed by, whatever the seat."""
    return _cast(room).ids[seat]


def _users_in(to: Sequence[int], room: Room) -> frozenset[int]:
    return frozenset(index for index in to if index < len(room.users))


def _split(room: Room, seat: str, text: str) -> tuple[Cleaned, Split]:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"an action must be a str, got {type(text).__name__} for {seat!r}: pass its words"
        )
    cleaned = clean(text, max_chars=room.scenario.max_chars)
    return cleaned, room.scaffold.split(cleaned.text)


def _ears(current: Round, *, swinging: bool = False) -> list[Ear]:
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
            _users(room, current.users), current.company, current.resisting, strict=True
        )
    ]


def _moved(current: Round, takens: Sequence[Taken], company: tuple[Presence, ...]) -> Round:
    users = tuple(
        state if one.mood is state.mood else state._replace(mood=one.mood)
        for state, one in zip(current.users, takens, strict=True)
    )
    return replace(current, users=users, company=company)


def _words_to(room: Room, utterance: Utterance, seat: int) -> str:
    """Return those of the words that are said to a user."""
    text = utterance.said.text
    parts = (part for part in utterance.said.parts if utterance.to(seat, part))
    return " ".join(text[_start(room, text, part) : part.end].strip() for part in parts)


def _start(room: Room, text: str, part: Part) -> int:
    """Return where the words of a part begin, after the name that is called."""
    return part.start + after_call(text[part.start : part.end], room.names)


def _spoken_to(presence: Presence, one: Taken, words: str, owes: str) -> Presence:
    """Keep what a supporter has said to a user until they speak."""
    presence = presence._replace(waits=one.waits)
    if one.felt is not None:
        before = presence.felt
        change = one.felt.change + (before.change if before else 0.0)
        presence = presence._replace(felt=one.felt._replace(change=round(change, 6)))
    if not one.hearing.addressed:
        return presence
    return presence._replace(
        words=f"{presence.words}\n{words}".strip(),
        evidence=(*presence.evidence, *one.own)[-PIECES:],
        owes=owes,
        told=(*presence.told, words)[-SAID_KEPT:],
    )


def _line(
    seat: str, cleaned: Cleaned, split: Split, evidence: Appraisal, takens: Sequence[Taken]
) -> Said:
    return Said(
        seat=seat,
        raw=cleaned.text,
        private=split.private,
        heard=split.heard,
        flags=cleaned.flags + split.flags,
        evidence=evidence,
        hearings=tuple(one.hearing for one in takens),
    )


def _read(
    current: Round, said: Addressed, offset: int, seat: str, tally: _Tally
) -> Together[Reading]:
    """Appraise each part of what a supporter says, in the light of those whom it is said to."""
    talk = current.talk
    steps: list[Generator[Request, Reply, Reading]] = []
    for number, part in enumerate(said.parts):
        to = sorted(_users_in(part.to, talk.room))
        if not part.to and not said.aside:
            to = _there(current)
        if to:
            context = _context(current, seat, to)
            steps.append(
                recorded(
                    _part(talk.room, said, part, offset, context), tally.of(f"{seat}/{number}")
                )
            )
    readings = yield from together(steps)
    return _joined(readings)


def _joined(readings: Sequence[Reading]) -> Reading:
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


def _errors(
    current: Round, utterance: Utterance, samples: Sequence[Appraisal], *, swinging: bool = False
) -> tuple[float, ...]:
    """Return the round's errors with those of an utterance, each appraisal of which is taken."""
    if len(samples) < 2:
        return current.errors
    cast, ears = _cast(current.talk.room), _ears(current, swinging=swinging)
    each = [taken(replace(utterance, evidence=one), cast, ears) for one in samples]
    before = current.errors or (0.0,) * len(ears)
    changes = ([takens[seat].hearing.change for takens in each] for seat in range(len(ears)))
    return tuple(
        error + variance(own) / len(own) for error, own in zip(before, changes, strict=True)
    )


def _part(
    room: Room, said: Addressed, part: Part, offset: int, context: Context
) -> Generator[Request, Reply, Reading]:
    """Appraise one part; the places of its evidence count in the whole."""
    start = _start(room, said.text, part)
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


def _there(current: Round) -> list[int]:
    return [seat for seat, presence in enumerate(current.company) if presence.present]


def _context(
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
    company = None if isinstance(room.appraiser, RuleAppraiser) else _company(current, seat, to)
    return Context(last, earlier, said, topics, current.talk.spoken, company)


def _company(current: Round, seat: str, to: Sequence[int]) -> Company:
    room = current.talk.room
    lines = tuple(heard_by(current.talk, seat, current.said))
    return Company(
        _cast(room).names, _known_as(room, seat), tuple(room.names[one] for one in to), lines
    )


def _floor(current: Round, actions: Mapping[str, str]) -> tuple[int, ...]:
    """Return the users who speak in this round, in order; those who leave have a last word."""
    room = current.talk.room
    cast, there = _cast(room), _there(current)
    order = tuple(sorted(there, key=lambda seat: _urge(current, seat)))
    floor = Floor(
        order=order,
        called=current.called,
        turned_to=[seat for seat in there if current.company[seat].turned_to],
        silent={seat: current.company[seat].silent for seat in there},
        choosing=[seat for seat in there if _wants(current, seat, actions)],
    )
    chosen = {*speakers(cast.turns, floor), *(s for s in there if _leaves(current, s))}
    return tuple(seat for seat in order if seat in chosen)


def _urge(current: Round, seat: int) -> tuple[bool, float]:
    """Return what the order of speaking goes by: who was called comes first, but for the provoked.

    Whoever has been hurt by another speaks when they must, though it be over somebody else.
    """
    room, rank = current.talk.room, _cast(current.talk.room).ranks[seat]
    provoked = current.company[seat].provoker is not None
    heated = _cast(room).turns == "free" and provoked and user(seat) not in room.played
    chance = draw(room.scenario.seed, current.number, rank, "order")
    return not (heated or seat in current.called), chance


_EAGER: Final[Mapping[str, float]] = {"terse": 0.15, "medium": 0.35, "talkative": 0.6}
"""Chance to speak up where everybody may, by verbosity."""


def _wants(current: Round, seat: int, actions: Mapping[str, str]) -> bool:
    room = current.talk.room
    if user(seat) in room.played:
        return bool(_split(room, user(seat), actions[user(seat)])[1].heard.strip())
    one = _user(room, seat)
    eager = _EAGER[one.persona.voice.verbosity]
    eager += 0.3 * (current.company[seat].provoker is not None)
    return draw(room.scenario.seed, current.number, one.rank, "floor") < eager


def _leaves(current: Round, seat: int) -> bool:
    one, mood = _user(current.talk.room, seat), current.users[seat].mood
    return seat in current.abandoned or one.ending(mood, (), current.number) == "left"


def _worded(current: Round, seat: int) -> Generator[Request, Reply, _Spoken]:
    """Let a user feel, disclose and word what they say."""
    room, turn = current.talk.room, current.number
    one, state, presence = _user(room, seat), current.users[seat], current.company[seat]
    felt = presence.felt or Felt(state.mood, 0.0, 0.0, 0.0, False)
    felt = felt._replace(mood=state.mood)
    coded = isinstance(room.speaker, TemplateSpeaker)
    heard = presence.words if coded and presence.words else _heard_by(current, seat)
    outcome = one.ending(state.mood, presence.evidence, turn)
    silent = outcome in ("left", "success") or asks_after_safety(presence.words, presence.evidence)
    told = () if silent else one.disclose(state, presence.evidence, felt, turn)
    talk = () if coded else aloud(current.talk, user(seat))
    moment = one.moment(state, heard, presence.evidence, turn, felt, told, talk)
    beside: Remark | None = None
    if not silent and not presence.owes:
        beside = remark(
            _cast(room), seat, current.users, current.company, seed=room.scenario.seed, turn=turn
        )
    among = None if coded else _among(current, seat, beside)
    speech = yield from room.speaker.speak(replace(moment, among=among))
    if among is not None and not turns_to(speech.text, among):
        beside = None  # it was not said after all
    text = f"{speech.text} {beside.line}" if beside and coded else speech.text
    said = addressed(text, room.names)
    if presence.owes:
        said = Addressed(text, (Part(0, len(text), ()),), aside=True)
    return _Spoken(
        seat, Cleaned(text, ()), Split("", text), said, speech, told, beside, presence.owes
    )


def _among(current: Round, seat: int, beside: Remark | None) -> Among:
    """Return what a user knows of the room as they word what they say."""
    room, presence = current.talk.room, current.company[seat]
    names, there = room.names, _there(current)
    return Among(
        cast=_cast(room),
        place=seat,
        names=names,
        lines=tuple(heard_by(current.talk, user(seat), current.said)),
        words=presence.words,
        by=_spoken_to_by(current, seat),
        gone=tuple(name for other, name in enumerate(_cast(room).names) if other not in there),
        line=beside.line if beside else "",
        to=names[beside.to] if beside else "",
        aside=bool(presence.owes),
    )


def _spoken_to_by(current: Round, seat: int) -> tuple[str, ...]:
    """Return who has spoken to a user since they last spoke, the latest first."""
    room, found = current.talk.room, list[str]()
    for said in reversed([*rounds(current.talk, current.said)]):
        spoke = any(one.seat == user(seat) for one in said)
        for one in reversed(said):
            # What users say in one round they word without having heard each other.
            after = not spoke or one.seat.startswith("user")
            if after and one.hearings[seat].addressed:
                found.append(_known_as(room, one.seat))
        if spoke:
            break
    return tuple(dict.fromkeys(found))


def _heard_by(current: Round, seat: int) -> str:
    """Return what a user has heard in this round, each line with its speaker's name."""
    room = current.talk.room
    heard = (said for said in current.said if said.heard.strip() and hears(room, said, user(seat)))
    return "\n".join(as_line(room, said) for said in heard)


def _given(current: Round, seat: int, actions: Mapping[str, str]) -> _Spoken:
    """Return what a user says who is played from outside; what they give away counts as told."""
    room, presence = current.talk.room, current.company[seat]
    cleaned, split = _split(room, user(seat), actions[user(seat)])
    said = addressed(split.heard, room.names)
    known = (*presence.told, *presence.said)
    one, before = _user(room, seat), current.users[seat].told
    persona = _cast(room).people[seat].persona
    told = given_away(persona, one.variant, before, said.text, known=known).items
    return _Spoken(seat, cleaned, split, said, told=told)


def _read_lines(current: Round, lines: Sequence[_Spoken], tally: _Tally) -> Together[list[Reading]]:
    """Appraise what users say to other users; their own story does nothing to these."""
    room = current.talk.room
    steps: list[Generator[Request, Reply, Reading]] = []
    whose: list[int] = []
    for one in lines:
        offset = len(one.split.heard) - len(one.said.text)
        said = current.company[one.seat].said
        for number, part in enumerate(one.said.parts):
            to = sorted(_users_in(part.to, room) - {one.seat})
            if to:
                context = _context(current, user(one.seat), to, said)
                calls = tally.of(f"{_id(room, one.seat)}/to/{number}")
                steps.append(recorded(_part(room, one.said, part, offset, context), calls))
                whose.append(one.seat)
    found = yield from together(steps)
    return [
        _joined([read for seat, read in zip(whose, found, strict=True) if seat == one.seat])
        for one in lines
    ]


def _spoke(current: Round, lines: Sequence[_Spoken]) -> Round:
    """Let those who speak put behind them what they have answered, and count who is silent."""
    users, company = list(current.users), [p._replace(silent=p.silent + 1) for p in current.company]
    notes = current.notes
    for one in lines:
        presence, state = company[one.seat], users[one.seat]
        company[one.seat] = Presence(
            waits=presence.waits,
            felt=presence.felt,
            said=(*presence.said, one.said.text)[-HEARD_KEPT:],
            told=presence.told,
        )
        told, spoken = state.told.union(one.told), state.spoken
        if one.speech is not None:
            told, spoken = told.union(one.speech.leaked), spoken.union(one.speech.used)
            notes = (*notes, *one.speech.notes)
        if one.remark is not None:
            spoken = spoken.union((one.remark.line,))
        users[one.seat] = state._replace(told=told, spoken=spoken)
    return replace(current, users=tuple(users), company=tuple(company), notes=notes)


def _delivered(current: Round, one: _Spoken, reading: Reading, later: frozenset[int]) -> Round:
    """Let the others take what a user says."""
    room, called = current.talk.room, current.called
    exposed = one.remark.to if one.remark and one.remark.exposes else None
    offset = len(one.split.heard) - len(one.said.text)
    free = _cast(room).turns == "free" and one.seat not in called and not one.said.aside
    over = called & later if free else frozenset[int]()
    utterance = Utterance(
        one.seat,
        one.said,
        reading.evidence,
        offset,
        over,
        frozenset() if exposed is None else frozenset((exposed,)),
    )
    takens = taken(utterance, _cast(room), _ears(current))
    company = tuple(
        _turned_to(presence, taking, one)
        for presence, taking in zip(current.company, takens, strict=True)
    )
    moved = _moved(current, takens, company)
    if exposed is not None and one.remark is not None:
        states = list(moved.users)
        told = states[exposed].told.union((one.remark.exposes,))
        states[exposed] = states[exposed]._replace(told=told)
        moved = replace(moved, users=tuple(states))
    line = _line(user(one.seat), one.cleaned, one.split, reading.evidence, takens)
    return replace(
        moved,
        errors=_errors(current, utterance, reading.samples),
        said=(*moved.said, replace(line, aside=one.aside)),
        notes=(*moved.notes, *reading.notes),
    )


def _turned_to(presence: Presence, one: Taken, spoken: _Spoken) -> Presence:
    """Keep what another user has said to this one."""
    if not one.hearing.addressed:
        return presence
    hurt = one.hearing.change < 0.0
    return presence._replace(
        words=f"{presence.words}\n{spoken.said.text}".strip(),
        evidence=(*presence.evidence, *(e for e in one.own if e.act != "abandonment"))[-PIECES:],
        turned_to=True,
        provoker=spoken.seat if hurt else presence.provoker,
    )


def _abandoned(takens: Sequence[Taken]) -> frozenset[int]:
    return frozenset(
        seat
        for seat, one in enumerate(takens)
        if any(evidence.act == "abandonment" for evidence in one.own)
    )


def _ended(current: Round, spoken: Mapping[int, _Spoken]) -> Conversation:
    """End the round: who leaves, how the talk goes on, and what is recorded."""
    talk, room = current.talk, current.talk.room
    company = tuple(
        presence._replace(present=presence.present and not _leaves(current, seat))
        for seat, presence in enumerate(current.company)
    )
    answers = tuple(
        _answer(current, seat, presence, spoken) for seat, presence in enumerate(company)
    )
    first = current.said[0]
    turn = Turn(
        raw=first.raw,
        private=first.private,
        heard=first.heard,
        flags=first.flags,
        evidence=first.evidence,
        answers=answers,
        outcome=_outcome(current, company),
        notes=current.notes,
        calls=current.calls,
        hearings=first.hearings,
        others=current.said[1:],
    )
    reply = heard_in(room, turn)
    supporters = tuple(said.heard for said in current.said if not said.seat.startswith("user"))
    return replace(
        talk,
        users=current.users,
        company=company,
        messages=(*talk.messages, from_agent(first.heard), from_user(reply)),
        heard=(*talk.heard, reply)[-HEARD_KEPT:],
        said=(*talk.said, *supporters)[-SAID_KEPT:],
        turns=(*talk.turns, turn),
        meter=summed(talk.meter, current.meter),
    )


def _answer(current: Round, seat: int, presence: Presence, spoken: Mapping[int, _Spoken]) -> Answer:
    felt, one = presence.felt, spoken.get(seat)
    speech = one.speech if one is not None else None
    exposed = tuple(
        other.remark.exposes
        for other in spoken.values()
        if other.remark is not None and other.remark.to == seat and other.remark.exposes
    )
    told = one.told if one is not None else ()
    return Answer(
        mood=Mood(*current.users[seat].mood[:6]),
        good=felt.good if felt else 0.0,
        harm=felt.harm if felt else 0.0,
        saturated=felt.saturated if felt else False,
        error=round(current.errors[seat] ** 0.5, 6) if current.errors else None,
        told=told,
        leaked=tuple(dict.fromkeys((*(speech.leaked if speech else ()), *exposed))),
        manner=speech.manner if speech else "",
        reply=one.split.heard if one is not None else "",
        meant=speech.meant if speech else None,
        withheld=_user(current.talk.room, seat).withheld(told, current.number),
        present=presence.present,
    )


def _outcome(current: Round, company: Sequence[Presence]) -> Outcome | None:
    """Return how the talk ends: all have left, or all are well, or time is up."""
    room, law = current.talk.room, current.talk.room.scenario.law
    there = [seat for seat, presence in enumerate(company) if presence.present]
    if not there:
        return "left"
    if len(there) == len(company) and all(
        current.users[seat].mood.emotion >= law.success for seat in there
    ):
        return "success"
    return "time_up" if current.number >= room.scenario.max_turns else None


def heard_in(room: Room, turn: Turn, seat: str = FIRST) -> str:
    """Return what a seat hears of what was said after the first supporter, a line each."""
    told = "\n".join(
        as_line(room, said)
        for said in turn.others
        if said.heard.strip() and hears(room, said, seat)
    )
    return told or NOBODY


def hears(room: Room, said: Said, seat: str) -> bool:
    """Whether a seat can hear what is said; nobody hears an aside but those it is for."""
    if said.aside:
        return seat in (said.aside, said.seat)
    words = addressed(said.heard, room.names)
    if not words.aside or seat == said.seat:
        return True
    return any(_seat(room, index) == seat for index in words.to)


def _seat(room: Room, index: int) -> str:
    """Return the seat of a name in `room.names`."""
    return user(index) if index < len(room.users) else supporter(index - len(room.users))


def title(room: Room, seat: str) -> str:
    """Return the name by which a seat is known to the others."""
    kind, number = seat.rsplit("_", 1)
    index = int(number) + (len(room.users) if kind == "supporter" else 0)
    return room.names[index]


def as_line(room: Room, said: Said) -> str:
    """Return what somebody said, as the others hear it: with their name before it."""
    quiet = " (aside)" if said.aside or addressed(said.heard, room.names).aside else ""
    words = addressed(said.heard, room.names).text if quiet else said.heard
    return f"{title(room, said.seat)}{quiet}: {unlabelled(words, room.names)}"


def _known_as(room: Room, seat: str) -> str:
    """Return what a seat is called where a model reads the talk."""
    name = title(room, seat)
    return name.lower() if seat.startswith("supporter") else name


def heard_by(talk: Conversation, seat: str, now: Sequence[Said] = ()) -> Iterator[Spoken]:
    """Yield what a seat has said and heard, each line for itself; the openings come first."""
    room = talk.room
    for name, words in zip(room.names, room.opening, strict=False):
        yield Spoken(name, words)
    for said in (one for round in rounds(talk, now) for one in round):
        if said.heard.strip() and hears(room, said, seat):
            words = addressed(said.heard, room.names)
            text = words.text if words.aside else said.heard
            yield Spoken(_known_as(room, said.seat), text, aside=words.aside or bool(said.aside))


def rounds(talk: Conversation, now: Sequence[Said] = ()) -> Iterator[Sequence[Said]]:
    """Yield what was said in each round, and at last what has been said in this one."""
    for turn in talk.turns:
        first = Said(
            *(FIRST, turn.raw, turn.private, turn.heard, turn.flags, turn.evidence, turn.hearings)
        )
        yield (first, *turn.others)
    if now:
        yield now


def aloud(talk: Conversation, seat: str, now: Sequence[Said] = ()) -> tuple[Message, ...]:
    """Return what was said, for a user whom a model plays: their own words as the user's.

    Lines of others stand with their names.
    """
    room, index = talk.room, int(seat.rsplit("_", 1)[1])
    messages: list[Message] = []

    def add(words: str, own: bool) -> None:
        message = from_user(words) if own else from_agent(words)
        if messages and messages[-1]["role"] == message["role"]:
            words = f"{messages.pop()['content']}\n{words}"
            message = from_user(words) if own else from_agent(words)
        messages.append(message)

    for number, line in enumerate(room.opening):
        add(line if number == index else f"{room.names[number]}: {line}", number == index)
    for said in (one for round in rounds(talk, now) for one in round):
        if said.heard.strip() and hears(room, said, seat):
            own = said.seat == seat
            add(said.heard if own else as_line(room, said), own)
    return tuple(messages)
