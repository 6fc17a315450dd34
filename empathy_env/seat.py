"""What one seat of a circle has said and heard: as lines, as chat, and who it is told to be.

Two seats seldom see the same: nobody hears an aside to another, and what one says stands in
one's own talk where one chose it. Where all act at once, that is before all else of the round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import Template
from typing import Final, NamedTuple

from empathy_env.cast import in_company
from empathy_env.conversation import Conversation, Room
from empathy_env.hearing import NOBODY, as_line, hears, rounds, title, user
from empathy_env.messages import Message, from_agent, from_system, from_user
from empathy_env.profile import portrait
from empathy_env.prompts import load_prompt
from empathy_env.trace import Said

SUPPORTER: Final = "supporter"
USER: Final = "user"
KINDS: Final = (SUPPORTER, USER)


def kind(seat: str) -> str:
    """Return "supporter" or "user"."""
    return seat.rpartition("_")[0]


def number(seat: str) -> int:
    """Return the number of a seat among those of its kind.

    >>> kind("user_1"), number("user_1")
    ('user', 1)
    """
    return int(seat.rpartition("_")[2])


class Line(NamedTuple):
    """Something said, as one seat has it.

    Attributes:
        seat: Who said it.
        text: The words; those of others with their names before them.
    """

    seat: str
    text: str


def lines(
    talk: Conversation, seat: str, now: Sequence[Said] = (), *, at_once: bool = False
) -> Iterator[Line]:
    """Yield what a seat has said and heard, in its own order.

    Args:
        talk: The talk so far.
        seat: Whose view it is.
        now: What has been said in the round that is under way.
        at_once: Whether all act at once, and so have heard nothing of a round in which they speak;
            else they act one after the other, the supporters first.
    """
    yield from _openings(talk.room, seat)
    for said in rounds(talk, now):
        order = sorted(said, key=lambda one: _place(one.seat, seat, at_once=at_once))
        yield from _heard(talk.room, order, seat)


def news(
    talk: Conversation,
    seat: str,
    now: Sequence[Said] = (),
    *,
    at_once: bool = False,
    acted: bool = False,
) -> list[Line]:
    """Return what a seat has heard since it last acted; see `lines`.

    `acted` says whether it has acted in the round that is under way.
    """

    def when(said: Sequence[Said], place: int) -> list[Line]:
        chosen = [one for one in said if _place(one.seat, seat, at_once=at_once) == place]
        return [*_heard(talk.room, chosen, seat)]

    if acted:
        return when(now, _AFTER)
    last = [*rounds(talk)][-1:]
    if not last:
        before = [line for line in _openings(talk.room, seat) if line.seat != seat]
    else:
        before = when(last[0], _AFTER)
    return before + when(now, _BEFORE)


_BEFORE, _OWN, _AFTER = -1, 0, 1


def _place(speaker: str, seat: str, *, at_once: bool) -> int:
    """Return whether a seat hears a speaker of the same round before or after it has acted."""
    if speaker == seat:
        return _OWN
    if at_once or kind(speaker) == USER:
        return _AFTER  # users word what they say at the same time
    if kind(seat) == USER:
        return _BEFORE
    return _BEFORE if number(speaker) < number(seat) else _AFTER


def _openings(room: Room, seat: str) -> list[Line]:
    """Return the opening lines, one's own first."""
    opened = [
        Line(user(index), words if user(index) == seat else f"{room.names[index]}: {words}")
        for index, words in enumerate(room.opening)
    ]
    return sorted(opened, key=lambda line: line.seat != seat)


def _heard(room: Room, said: Sequence[Said], seat: str) -> Iterator[Line]:
    for one in said:
        if one.seat == seat:
            yield Line(seat, one.heard)
        elif one.heard.strip() and hears(room, one, seat):
            yield Line(one.seat, as_line(room, one))


def chat(
    talk: Conversation, seat: str, now: Sequence[Said] = (), *, at_once: bool = False
) -> list[Message]:
    """Return the talk as a seat has it, in OpenAI's format; new messages each time.

    Its own words are the assistant's, all others' the user's, with their names before them. A user
    who had no floor has said nothing. For the one supporter of a talk it is `talk.chat()`.
    """
    system = instructions(talk.room, seat)
    messages = [] if system is None else [from_system(system)]
    waiting: list[str] = []
    for line in lines(talk, seat, now, at_once=at_once):
        if line.seat != seat:
            waiting.append(line.text)
            continue
        if waiting or (messages and messages[-1]["role"] == "assistant"):
            messages.append(from_user("\n".join(waiting) or NOBODY))
            waiting.clear()
        messages.append(from_agent(line.text))
    messages.append(from_user("\n".join(waiting) or NOBODY))
    return messages


def instructions(room: Room, seat: str) -> str | None:
    """Return what a seat is told: a supporter how to speak, a user who they are and what they need.

    Nobody is told what another hides, but for what the cast says that they know. None if the
    task leaves the supporters' instructions out.
    """
    if kind(seat) == USER:
        return _of_user(room, number(seat))
    if room.system_prompt is None or room.supporters == 1:
        return room.system_prompt
    name = Template(load_prompt("several-supporters").text).substitute(name=title(room, seat))
    return f"{room.system_prompt}\n\n{name}"


def _of_user(room: Room, index: int) -> str:
    cast, need = room.scenario.cast, room.scenario.people[index][1]
    assert cast is not None  # a talk of two has no seats
    person = in_company(cast, index, room.scenario.needs)
    # What is really so they do not know: it may be what another hides.
    believes = [f"Believes: {belief.believes}" for belief in person.beliefs]
    told = portrait(person.model_copy(update={"beliefs": ()}), need)
    background = "\n".join((told.background, *believes))
    fields = {**told._asdict(), "background": background, "name": cast.names[index]}
    text = Template(load_prompt("seat").text).substitute(fields)
    return f"{text}\n\n{room.scaffold.prompt}" if room.scaffold.prompt else text


def was_heard(talk: Conversation, seat: str) -> bool:
    """Return whether what a seat said in the last round was said aloud.

    False if it said nothing, if the rule of turns gave it no floor, or before the first round.
    """
    last = [*rounds(talk)][-1:]
    return any(said.seat == seat and bool(said.heard.strip()) for one in last for said in one)
