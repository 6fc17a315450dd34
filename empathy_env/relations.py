"""What a model is told of the others in the room: who they are to the person that it plays.

A cast is written by somebody who knows all. Of it only that is taken which gives nothing away: what
the others hide nobody is told, and what one hides oneself stands elsewhere, once it has been told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from empathy_env.cast import Cast
from empathy_env.leaks import reveals, touches
from empathy_env.wording import TOP, Grade, graded


def others(cast: Cast, place: int) -> str:
    """Return what a model is told of the others, whatever their needs are.

    Args:
        cast: Who is there.
        place: The seat of the person who is told it.
    """
    here: list[str] = []
    for seat, name in enumerate(cast.names):
        if seat != place:
            toward = cast.toward(place, seat)
            ways = (graded(_CLOSE, toward.closeness), graded(_TENSE, toward.tension))
            who = _relation(cast, place, toward.relation)
            here.append(" ".join(filter(None, (f"{name}: {who or _UNSAID}.", *ways))))
    met = (line for line in sentences(cast.situation) if _open(cast, place, line))
    parts = (section("What has brought you together", met), section("Who else is here", here))
    return "\n\n".join(filter(None, parts))


def _relation(cast: Cast, place: int, whole: str) -> str:
    """Return what one is to another: whole, or no more than who it is, or nothing of it."""
    who = whole.partition(",")[0]
    return whole if _open(cast, place, whole) else "" if _tells(cast, who) else who


def _open(cast: Cast, place: int, text: str) -> bool:
    """Whether it shares no distinctive word with what this person hides, nor tells of anybody."""
    return not touches(cast.people[place].persona, text) and not _tells(cast, text)


def _tells(cast: Cast, text: str) -> bool:
    return any(reveals(one.persona, text) for one in cast.people)


_UNSAID: Final = "somebody you know"
_CLOSE: Final = (
    Grade(0.25, "You are not close."),
    Grade(0.55, ""),
    Grade(TOP, "You are close."),
)
_TENSE: Final = (
    Grade(0.25, ""),
    Grade(0.5, "There is some tension between you."),
    Grade(TOP, "There is much tension between you; it takes little for you to turn on them."),
)


def section(title: str, lines: Iterable[str]) -> str:
    """Return a list below its title, or "" if it is empty."""
    listed = "\n".join(f"- {one_line(line)}" for line in lines)
    return f"## {title}\n{listed}" if listed else ""


def one_line(prose: str) -> str:
    """Return prose without its line breaks."""
    return " ".join(prose.split())


_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")


def sentences(prose: str) -> list[str]:
    """Return the sentences of prose."""
    return _SENTENCE.split(one_line(prose))
