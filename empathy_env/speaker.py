"""How a user words the reply: a template speaker for every persona, without a model.

A speaker is told what the user feels and what they disclose; it only finds the words. It is a
generator of model requests, so one that asks a model and one that does not have the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple, Protocol, cast

import yaml

from empathy_env.acts import Appraisal
from empathy_env.backends import Reply, Request
from empathy_env.emotion import Felt, Outcome
from empathy_env.noise import draw
from empathy_env.persona import Lines, NeedVariant, Persona


@dataclass(frozen=True, slots=True)
class Moment:
    """All that a speaker may use to word one reply.

    Attributes:
        persona: Who speaks.
        variant: What they need. A speaker must not name it before the gates have.
        heard: What the agent said.
        appraisal: What the agent did.
        felt: How it was felt.
        outcome: How the talk ends with this reply, or None.
        disclosed: What they tell now, in their words; usually one line or none.
        more: What can be added on things told before that the agent has just touched.
        own: True if one of the variant's own facts has been told.
        spoken: Lines used before; none is used again.
        seed: The episode's seed.
        turn: This turn, counted from 1.
        seat: Which user of the room.
    """

    persona: Persona
    variant: NeedVariant
    heard: str
    appraisal: Appraisal
    felt: Felt
    outcome: Outcome | None
    disclosed: tuple[str, ...]
    more: tuple[str, ...]
    own: bool
    spoken: frozenset[str]
    seed: int
    turn: int
    seat: int


class Speech(NamedTuple):
    """A reply, the situation it is in, and the lines that it used up."""

    text: str
    manner: str
    used: tuple[str, ...]


class Speaker(Protocol):
    """Anything that words replies."""

    @property
    def name(self) -> str:
        """Recorded in traces."""
        ...

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        """Word one reply; yields model requests, if any."""
        ...


Manner = str
_HURT: Final = -2.5
_EASED: Final = 2.0
_MOVED: Final = 5.0
_RELIEVED: Final = 70.0


def manner_of(moment: Moment) -> Manner:
    """Return the situation of the voice that this moment is."""
    felt = moment.felt
    if moment.outcome == "left":
        return "leaves"
    if moment.outcome == "success":
        return "relieved"
    if felt.mood.resisting:
        return "deflects"
    if felt.change <= _HURT:
        return "hurt"
    if moment.disclosed:
        return "tells"
    if felt.mood.emotion >= _RELIEVED and felt.change >= _EASED:
        return "relieved"
    return "opens_up" if felt.change >= _MOVED else "guarded"


@dataclass(frozen=True)
class TemplateSpeaker:
    """Words replies from the persona's own lines, deterministically, without a model."""

    name: str = "templates"

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        """Word one reply; asks no model."""
        yield from ()
        manner = manner_of(moment)
        words = _Words(moment)
        first = words.take(_response(moment, manner), "respond")
        parts = [*moment.disclosed] if manner == "tells" else [first]
        if manner == "tells" and first and words.chance("lead") < _LEAD[words.verbosity]:
            parts.insert(0, first)
        if moment.outcome == "success":
            farewell = words.take(moment.persona.voice.lines.relieved, "line")
            parts = [*moment.disclosed, farewell]
        elif moment.more and words.chance("more") < _MORE.get(manner, 0.0):
            parts.append(words.take(moment.more, "more"))
        elif manner != "tells" and (not first or words.chance("add") < _ADD[words.verbosity]):
            parts.append(words.take(words.pool(manner), "line"))
        if not any(parts):
            parts = [words.silence()]
        return Speech(" ".join(part for part in parts if part), manner, tuple(words.used))


_MORE: Final[Mapping[str, float]] = {"guarded": 0.8, "opens_up": 0.45, "relieved": 0.3}
"""Chance that what was touched is told more of, rather than something else said."""
_LEAD: Final[Mapping[str, float]] = {"terse": 0.0, "medium": 0.35, "talkative": 0.8}
_ADD: Final[Mapping[str, float]] = {"terse": 0.2, "medium": 0.65, "talkative": 0.9}


_HARM: Final = re.compile(
    r"(?:hurt|harm|kill)(?:ing)? yourself|suicid|(?:end|tak)(?:ing|e)? your (?:own )?life",
    re.IGNORECASE,
)


class _Words:
    """The lines of one moment, each handed out once in a talk."""

    def __init__(self, moment: Moment):
        self.moment = moment
        self.verbosity = moment.persona.voice.verbosity
        self.used: list[str] = list(moment.disclosed)

    def chance(self, purpose: str) -> float:
        return draw(self.moment.seed, self.moment.turn, self.moment.seat, f"speak:{purpose}")

    def take(self, pool: Sequence[str], purpose: str) -> str:
        """Return a line of the pool that has not been used, or "" if there is none left."""
        left = [line for line in pool if line not in self.moment.spoken and line not in self.used]
        if not left:
            return ""
        line = left[int(self.chance(purpose) * len(left))]
        self.used.append(line)
        return line

    def pool(self, manner: Manner) -> tuple[str, ...]:
        """Return the lines for a situation: the variant's own while they last, then the voice's.

        The variant's are there once one of its facts has been told.
        """
        own = _lines(self.moment.variant.lines, manner) if self.moment.own else ()
        left = tuple(line for line in own if line not in self.moment.spoken)
        return left or _lines(self.moment.persona.voice.lines, manner)

    def silence(self) -> str:
        """Return words for when no line is left: two small ones, in a pair not used before."""
        small = phrases("silence", self.moment.persona.voice.register_)
        count = len(small)
        first = int(self.chance("silence") * count * count)
        for offset in range(count * count):
            one, two = divmod((first + offset) % (count * count), count)
            pair = small[one] if one == two else f"{small[one]} {small[two]}"
            if pair not in self.moment.spoken:
                self.used.append(pair)
                return pair
        return small[first % count]


def _lines(lines: Lines, manner: Manner) -> tuple[str, ...]:
    return getattr(lines, "opens_up" if manner == "tells" else manner)


def _response(moment: Moment, manner: Manner) -> tuple[str, ...]:
    """Return phrases that answer what the agent did, if it asks for an answer."""
    if manner in ("leaves", "deflects"):
        return ()
    acts = {evidence.act for evidence in moment.appraisal}
    register = moment.persona.voice.register_
    if _HARM.search(moment.heard) and acts & {"open_question", "closed_question"}:
        return phrases("unharmed", register)
    if acts & {"suggestion", "information"}:
        fits = moment.felt.change >= _MOVED
        return phrases("advised" if fits else "overadvised", register)
    if manner == "hurt":
        return ()
    if acts & {"open_question", "closed_question"}:
        return () if moment.disclosed or moment.more else phrases("unknown", register)
    grounded = {evidence.act for evidence in moment.appraisal if evidence.grounded}
    if grounded & {"reflection", "validation"} and moment.felt.change > 0:
        return phrases("named", register)
    if "restatement" in grounded and moment.felt.change > 0:
        return phrases("followed", register)
    return () if moment.appraisal else phrases("silence", register)


def phrases(moment: str, register: str) -> tuple[str, ...]:
    """Return the small change of language for a moment, in a register."""
    table = _phrases()[moment]
    return table.get(register) or table["any"]


@cache
def _phrases() -> dict[str, dict[str, tuple[str, ...]]]:
    text = (files("empathy_env") / "phrases.yaml").read_text(encoding="utf-8")
    data = cast("dict[str, dict[str, list[str]]]", yaml.safe_load(text))
    return {
        moment: {register: tuple(lines) for register, lines in table.items()}
        for moment, table in data.items()
    }
