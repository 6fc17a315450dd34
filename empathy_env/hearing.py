"""What each seat hears of a talk in company, and under what names.

Nobody hears an aside but those whom it is for. All of it follows from what the trace holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from empathy_env.address import addressed, unlabelled
from empathy_env.conversation import Conversation, Room
from empathy_env.messages import Message, Spoken, from_agent, from_user
from empathy_env.trace import FIRST, Said, Turn

NOBODY: Final = "(Nobody says anything.)"
"""What stands for a round in which no user speaks."""


def supporter(number: int) -> str:
    """Return the name of a supporter's seat."""
    return f"supporter_{number}"


def user(number: int) -> str:
    """Return the name of a user's seat."""
    return f"user_{number}"


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


def known_as(room: Room, seat: str) -> str:
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
            yield Spoken(known_as(room, said.seat), text, aside=words.aside or bool(said.aside))


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
