"""What users say when they have the floor: who has it, and how each of them words it.

They word it all at the same time, of what they have heard so far, so that the requests to models
are in flight together. What a user says who is played from outside is given.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from empathy_env.acts import (
    Reading,
)
from empathy_env.address import Addressed, Part, addressed
from empathy_env.asking import together
from empathy_env.backends import Reply, Request
from empathy_env.conversation import recorded
from empathy_env.emotion import Felt
from empathy_env.floor import Floor, speakers
from empathy_env.hearing import aloud, as_line, heard_by, hears, known_as, rounds, user
from empathy_env.leaks import given_away
from empathy_env.messages import Cleaned
from empathy_env.noise import draw
from empathy_env.remarks import Remark, remark
from empathy_env.rounds import (
    Round,
    Tally,
    Together,
    cast_of,
    context_for,
    joined_readings,
    leaves,
    person_id,
    read_part,
    split_words,
    those_there,
    user_in,
    users_among,
)
from empathy_env.scaffold import Split
from empathy_env.speaker import Among, Speech, TemplateSpeaker, asks_after_safety, separator_of
from empathy_env.speech import turns_to


class Wording(NamedTuple):
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


def floor_of(current: Round, actions: Mapping[str, str]) -> tuple[int, ...]:
    """Return the users who speak in this round, in order; those who leave have a last word."""
    room = current.talk.room
    cast, there = cast_of(room), those_there(current)
    order = tuple(sorted(there, key=lambda seat: _urge(current, seat)))
    floor = Floor(
        order=order,
        called=current.called,
        turned_to=[seat for seat in there if current.company[seat].turned_to],
        silent={seat: current.company[seat].silent for seat in there},
        choosing=[seat for seat in there if _wants(current, seat, actions)],
    )
    chosen = {*speakers(cast.turns, floor), *(s for s in there if leaves(current, s))}
    return tuple(seat for seat in order if seat in chosen)


def _urge(current: Round, seat: int) -> tuple[bool, float]:
    """Return what the order of speaking goes by: who was called comes first, but for the provoked.

    Whoever has been hurt by another speaks when they must, though it be over somebody else.
    """
    room, rank = current.talk.room, cast_of(current.talk.room).ranks[seat]
    provoked = current.company[seat].provoker is not None
    heated = cast_of(room).turns == "free" and provoked and user(seat) not in room.played
    chance = draw(room.scenario.seed, current.number, rank, "order")
    return not (heated or seat in current.called), chance


_EAGER: Final[Mapping[str, float]] = {"terse": 0.15, "medium": 0.35, "talkative": 0.6}
"""Chance to speak up where everybody may, by verbosity."""


def _wants(current: Round, seat: int, actions: Mapping[str, str]) -> bool:
    room = current.talk.room
    if user(seat) in room.played:
        return bool(split_words(room, user(seat), actions[user(seat)])[1].heard.strip())
    one = user_in(room, seat)
    eager = _EAGER[one.persona.voice.verbosity]
    eager += 0.3 * (current.company[seat].provoker is not None)
    return draw(room.scenario.seed, current.number, one.rank, "floor") < eager


def worded_by(current: Round, seat: int) -> Generator[Request, Reply, Wording]:
    """Let a user feel, disclose and word what they say."""
    room, turn = current.talk.room, current.number
    one, state, presence = user_in(room, seat), current.users[seat], current.company[seat]
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
            cast_of(room), seat, current.users, current.company, seed=room.scenario.seed, turn=turn
        )
    among = None if coded else _among(current, seat, beside)
    speech = yield from room.speaker.speak(replace(moment, among=among))
    if among is not None and not turns_to(speech.text, among):
        beside = None  # it was not said after all
    between = separator_of(one.persona.voice.register_)
    text = f"{speech.text}{between}{beside.line}" if beside and coded else speech.text
    said = addressed(text, room.names)
    if presence.owes:
        said = Addressed(text, (Part(0, len(text), ()),), aside=True)
    return Wording(
        seat, Cleaned(text, ()), Split("", text), said, speech, told, beside, presence.owes
    )


def _among(current: Round, seat: int, beside: Remark | None) -> Among:
    """Return what a user knows of the room as they word what they say."""
    room, presence = current.talk.room, current.company[seat]
    names, there = room.names, those_there(current)
    return Among(
        cast=cast_of(room),
        place=seat,
        names=names,
        lines=tuple(heard_by(current.talk, user(seat), current.said)),
        words=presence.words,
        by=_spoken_to_by(current, seat),
        gone=tuple(name for other, name in enumerate(cast_of(room).names) if other not in there),
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
                found.append(known_as(room, one.seat))
        if spoke:
            break
    return tuple(dict.fromkeys(found))


def _heard_by(current: Round, seat: int) -> str:
    """Return what a user has heard in this round, each line with its speaker's name."""
    room = current.talk.room
    heard = (said for said in current.said if said.heard.strip() and hears(room, said, user(seat)))
    return "\n".join(as_line(room, said) for said in heard)


def given_by(current: Round, seat: int, actions: Mapping[str, str]) -> Wording:
    """Return what a user says who is played from outside; what they give away counts as told."""
    room, presence = current.talk.room, current.company[seat]
    cleaned, split = split_words(room, user(seat), actions[user(seat)])
    said = addressed(split.heard, room.names)
    known = (*presence.told, *presence.said)
    one, before = user_in(room, seat), current.users[seat].told
    persona = cast_of(room).people[seat].persona
    told = given_away(persona, one.variant, before, said.text, known=known).items
    return Wording(seat, cleaned, split, said, told=told)


def read_lines(current: Round, lines: Sequence[Wording], tally: Tally) -> Together[list[Reading]]:
    """Appraise what users say to other users; their own story does nothing to these."""
    room = current.talk.room
    steps: list[Generator[Request, Reply, Reading]] = []
    whose: list[int] = []
    for one in lines:
        offset = len(one.split.heard) - len(one.said.text)
        said = current.company[one.seat].said
        for number, part in enumerate(one.said.parts):
            to = sorted(users_among(part.to, room) - {one.seat})
            if to:
                context = context_for(current, user(one.seat), to, said)
                calls = tally.of(f"{person_id(room, one.seat)}/to/{number}")
                steps.append(recorded(read_part(room, one.said, part, offset, context), calls))
                whose.append(one.seat)
    found = yield from together(steps)
    return [
        joined_readings([read for seat, read in zip(whose, found, strict=True) if seat == one.seat])
        for one in lines
    ]
