"""A round of talk in company: supporters speak, users hear, and those who have the floor answer.

A round has two halves. First each supporter speaks, and what they say is taken at once. Then all
users who have the floor word what they say, of what they have heard so far, so that the requests
to models are in flight together; it is delivered in an order that a keyed draw gives. Whether a
seat is played from outside or from here makes no other difference.

`say` takes a talk of either kind a turn further; `Round` is a round under way, for those who want
to look at what has been said between two words.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from statistics import variance
from typing import Final

from empathy_env import conversation
from empathy_env.acts import (
    HEARD_KEPT,
    SAID_KEPT,
    Appraisal,
    Reading,
)
from empathy_env.address import Addressed, addressed
from empathy_env.answering import Wording, floor_of, given_by, read_lines, worded_by
from empathy_env.asking import together
from empathy_env.backends import Reply, Request
from empathy_env.between import Presence, Taken, Utterance, taken
from empathy_env.conversation import Conversation, Room, recorded, summed
from empathy_env.emotion import Mood, Outcome
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.hearing import heard_in, supporter, user
from empathy_env.messages import Cleaned, from_agent, from_user
from empathy_env.rounds import (
    Round,
    Tally,
    Together,
    after_taking,
    begin_round,
    cast_of,
    context_for,
    ears_of,
    joined_readings,
    leaves,
    person_id,
    read_part,
    split_words,
    those_there,
    user_in,
    users_among,
    words_start,
)
from empathy_env.scaffold import Split
from empathy_env.trace import FIRST, Answer, Said, Turn

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
    there = {user(seat) for seat in those_there(current)}
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


def support(current: Round, seat: str, text: str) -> Together[Round]:
    """Let a supporter speak.

    Raises:
        InvalidArgument: If `text` is not a str.
        Fault: If machinery failed; nothing has changed.
    """
    room = current.talk.room
    cleaned, split = split_words(room, seat, text)
    said = addressed(split.heard, room.names)
    offset = len(split.heard) - len(said.text)
    with Tally(current) as tally:
        reading = yield from _read(current, said, offset, seat, tally)
    current = tally.added
    utterance = Utterance(None, said, reading.evidence, offset)
    takens = taken(utterance, cast_of(room), ears_of(current, swinging=seat == FIRST))
    company = tuple(
        _spoken_to(presence, one, _words_to(room, utterance, index), seat if said.aside else "")
        for index, (presence, one) in enumerate(zip(current.company, takens, strict=True))
    )
    line = _line(seat, cleaned, split, reading.evidence, takens)
    return replace(
        after_taking(current, takens, company),
        errors=_errors(current, utterance, reading.samples, swinging=seat == FIRST),
        said=(*current.said, line),
        called=current.called | users_among(said.to, room),
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
    floor = floor_of(current, actions)
    room = current.talk.room
    played = room.played
    own = [seat for seat in floor if user(seat) not in played]
    with Tally(current) as tally:
        steps = [
            recorded(worded_by(current, seat), tally.of(person_id(room, seat))) for seat in own
        ]
        worded = yield from together(steps)
    spoken = dict(zip(own, worded, strict=True))
    for seat in floor:
        if seat not in spoken:
            spoken[seat] = given_by(current, seat, actions)
    lines = [spoken[seat] for seat in floor if spoken[seat].split.heard.strip()]
    with tally:
        readings = yield from read_lines(current, lines, tally)
    current = _spoke(tally.added, lines)
    for number, (one, reading) in enumerate(zip(lines, readings, strict=True)):
        later = frozenset(other.seat for other in lines[number + 1 :])
        current = _delivered(current, one, reading, later)
    return _ended(current, {one.seat: one for one in lines})


def _words_to(room: Room, utterance: Utterance, seat: int) -> str:
    """Return those of the words that are said to a user."""
    text = utterance.said.text
    parts = (part for part in utterance.said.parts if utterance.to(seat, part))
    return " ".join(text[words_start(room, text, part) : part.end].strip() for part in parts)


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
    current: Round, said: Addressed, offset: int, seat: str, tally: Tally
) -> Together[Reading]:
    """Appraise each part of what a supporter says, in the light of those whom it is said to."""
    talk = current.talk
    steps: list[Generator[Request, Reply, Reading]] = []
    for number, part in enumerate(said.parts):
        to = sorted(users_among(part.to, talk.room))
        if not part.to and not said.aside:
            to = those_there(current)
        if to:
            context = context_for(current, seat, to)
            steps.append(
                recorded(
                    read_part(talk.room, said, part, offset, context), tally.of(f"{seat}/{number}")
                )
            )
    readings = yield from together(steps)
    return joined_readings(readings)


def _errors(
    current: Round, utterance: Utterance, samples: Sequence[Appraisal], *, swinging: bool = False
) -> tuple[float, ...]:
    """Return the round's errors with those of an utterance, each appraisal of which is taken."""
    if len(samples) < 2:
        return current.errors
    cast, ears = cast_of(current.talk.room), ears_of(current, swinging=swinging)
    each = [taken(replace(utterance, evidence=one), cast, ears) for one in samples]
    before = current.errors or (0.0,) * len(ears)
    changes = ([takens[seat].hearing.change for takens in each] for seat in range(len(ears)))
    return tuple(
        error + variance(own) / len(own) for error, own in zip(before, changes, strict=True)
    )


def _spoke(current: Round, lines: Sequence[Wording]) -> Round:
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


def _delivered(current: Round, one: Wording, reading: Reading, later: frozenset[int]) -> Round:
    """Let the others take what a user says."""
    room, called = current.talk.room, current.called
    exposed = one.remark.to if one.remark and one.remark.exposes else None
    offset = len(one.split.heard) - len(one.said.text)
    free = cast_of(room).turns == "free" and one.seat not in called and not one.said.aside
    over = called & later if free else frozenset[int]()
    utterance = Utterance(
        one.seat,
        one.said,
        reading.evidence,
        offset,
        over,
        frozenset() if exposed is None else frozenset((exposed,)),
    )
    takens = taken(utterance, cast_of(room), ears_of(current))
    company = tuple(
        _turned_to(presence, taking, one)
        for presence, taking in zip(current.company, takens, strict=True)
    )
    moved = after_taking(current, takens, company)
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


def _turned_to(presence: Presence, one: Taken, spoken: Wording) -> Presence:
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


def _ended(current: Round, spoken: Mapping[int, Wording]) -> Conversation:
    """End the round: who leaves, how the talk goes on, and what is recorded."""
    talk, room = current.talk, current.talk.room
    company = tuple(
        presence._replace(present=presence.present and not leaves(current, seat))
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


def _answer(current: Round, seat: int, presence: Presence, spoken: Mapping[int, Wording]) -> Answer:
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
        withheld=user_in(current.talk.room, seat).withheld(told, current.number),
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
