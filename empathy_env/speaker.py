"""How a user words the reply: a template speaker for every persona, without a model.

A speaker is told what the user feels and what they disclose; it only finds the words. It is a
generator of model requests, so one that asks a model and one that does not have the same shape.

The template speaker's lines are the persona's own first. Where these run out, and for the small
change of talk (yes, no, not that, not yet), they come from a bank, `phrases/<speaker>.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import permutations
from typing import Final, NamedTuple, Protocol, cast

import yaml

from empathy_env.acts import HARMFUL, Appraisal, Evidence, Need
from empathy_env.backends import Reply, Request
from empathy_env.cast import Cast
from empathy_env.difficulty import Difficulty
from empathy_env.emotion import Felt, Outcome
from empathy_env.errors import UnknownName
from empathy_env.messages import Message, Spoken
from empathy_env.noise import draw, pick
from empathy_env.persona import Lines, NeedVariant, Persona
from empathy_env.veil import Part, veiled

_PLAIN: Final = Difficulty()


class Among(NamedTuple):
    """The room, for somebody who is one of several.

    Attributes:
        cast: Who is there, and what they are to each other.
        place: Which of them speaks, by seat.
        names: By what names all are spoken to: the users by seat, then the supporters.
        lines: What they have heard and said, oldest first, down to what was just said.
        words: What of it was said to them since they last spoke; "" if nothing was.
        by: Who has spoken to them since they last spoke, as in `Spoken.name`.
        gone: Names of those who have left.
        line: What they have it in them to say to one of the others now, or "".
        to: The name of that one.
        aside: Whether they answer aside, for the ears of one alone.
    """

    cast: Cast
    place: int
    names: tuple[str, ...]
    lines: tuple[Spoken, ...]
    words: str = ""
    by: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    line: str = ""
    to: str = ""
    aside: bool = False

    @property
    def name(self) -> str:
        """Their own name."""
        return self.names[self.place]

    @property
    def others(self) -> tuple[str, ...]:
        """The names of all others, the supporters' among them."""
        return tuple(name for seat, name in enumerate(self.names) if seat != self.place)


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
        told: Ids of all that was told before this reply.
        disclosed: What they could tell now, in their words; usually one line or none.
        more: What can be added on things told before that the agent has just touched.
        spoken: Lines used before; none is used again.
        seed: The episode's seed.
        turn: This turn, counted from 1.
        seat: Which user of the room.
        talk: All messages before what the agent said now, the instructions to it left out.
        difficulty: The knobs; a speaker answers for how `masking` and `ambiguity` are heard.
        withheld: Those of `disclosed` that they do not say aloud after all.
        among: With several people in the room, who they are and what was said.
    """

    persona: Persona
    variant: NeedVariant
    heard: str
    appraisal: Appraisal
    felt: Felt
    outcome: Outcome | None
    told: frozenset[str]
    disclosed: tuple[str, ...]
    more: tuple[str, ...]
    spoken: frozenset[str]
    seed: int
    turn: int
    seat: int
    talk: tuple[Message, ...] = ()
    difficulty: Difficulty = _PLAIN
    withheld: tuple[str, ...] = ()
    among: Among | None = None

    @property
    def aloud(self) -> tuple[str, ...]:
        """What they tell now, and say."""
        return tuple(line for line in self.disclosed if line not in self.withheld)

    @property
    def decoy(self) -> Need:
        """The need that an ambiguous reply points to: one of the persona's, drawn blindly."""
        needs: list[Need] = [variant.need for variant in self.persona.needs]
        return pick(needs, self.seed, 0, self.seat, "decoy")


class Speech(NamedTuple):
    """What a speaker returns.

    Attributes:
        text: The reply.
        manner: The situation of the voice that it is in.
        used: The lines that it used up.
        leaked: Ids of what it gave away although no gate was open; the user has told it then.
        notes: Sentences about what was asked again or could not be mended; recorded.
        meant: What they would have said with nothing hidden, if that is something else.
    """

    text: str
    manner: str
    used: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    meant: str | None = None


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
_LOW: Final = 25.0
_AT_EASE: Final = 0.6
"""Trust from which somebody who says little does not say it guardedly."""


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


BANKS: Final = ("templates", "templates-b")
"""The banks of lines there are: `phrases/<name>.yaml`. The second is that of the held-out user."""


@dataclass(frozen=True)
class TemplateSpeaker:
    """Words replies from written lines, deterministically, without a model.

    Attributes:
        name: The name of its bank, one of `BANKS`.
    """

    name: str = BANKS[0]

    def __post_init__(self) -> None:
        if self.name not in BANKS:
            raise UnknownName.among("template speaker", self.name, BANKS)

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        """Word one reply; asks no model."""
        yield from ()
        manner = manner_of(moment)
        words = _Words(moment, self.name)
        parts = [part for part in _parts(words, manner) if part.text]
        meant = words.joined(parts)
        said = tuple(parts) if words.settled else words.veiled(parts)
        text = meant if said == tuple(parts) else words.joined(said)
        return Speech(text, manner, tuple(words.used), meant=None if text == meant else meant)


_SEPARATOR: Final = {"texting": "\n"}


def separator_of(register: str) -> str:
    """Return what stands between two parts of a reply: who texts sends them one by one."""
    return _SEPARATOR.get(register, " ")


_EAGER: Final[Mapping[str, float]] = {"terse": 0.05, "medium": 0.4, "talkative": 0.75}
"""Chance to say more than must be said, at trust 0.3 and without strain."""

_HARM: Final = re.compile(
    r"(?:hurt|harm|kill)(?:ing)? yourself|self-harm|suicid|\b(?:want|wish|plan)\w{0,4} to die\b"
    r"|end(?:ing)? it all|(?:end|tak)(?:ing|e)? your (?:own )?life"
)
_SIGNS: Final = ("yourself", "self-harm", "suicid", " to die", "it all", " life")


def asks_after_safety(heard: str, appraisal: Appraisal) -> bool:
    """Whether the agent asks if the person means to harm themselves."""
    if not any(e.act in ("open_question", "closed_question") for e in appraisal):
        return False
    low = heard.lower()  # A look for these is a hundredth of the price of the pattern.
    return any(sign in low for sign in _SIGNS) and _HARM.search(low) is not None


_TAKEN: Final[Mapping[str, tuple[str, str]]] = {
    "suggestion": ("advised", "overadvised"),
    "information": ("informed", "overinformed"),
    "challenge": ("reframed", "unreframed"),
    "interpretation": ("reframed", "unreframed"),
    "affirmation": ("praised", "overpraised"),
    "reassurance": ("comforted", "uncomforted"),
    "validation": ("validated", "misnamed"),
    "reflection": ("named", "misnamed"),
    "restatement": ("followed", ""),
    "self_disclosure": ("shared", ""),
}
"""What is said first when an act lands, and when it does not, the most telling act first."""

_JUDGED: Final = frozenset(badly for _, badly in _TAKEN.values()) - {"", "misnamed"}
"""What is said of help that does not land; listening is passed over in silence."""


def _parts(words: _Words, manner: Manner) -> list[Part]:
    """Return the parts of a reply in which nothing is hidden."""
    moment = words.moment
    told = [Part(line, "told") for line in moment.disclosed]
    if moment.outcome == "success":
        return [*told, words.voice("relieved")]
    if manner != "leaves" and asks_after_safety(moment.heard, moment.appraisal):
        return [Part(words.bank("unharmed"))]
    if manner in ("leaves", "deflects"):
        return [words.voice(manner)]
    if manner == "hurt":
        return [*_hurt(words), *told]
    return _answer(words, manner, told)


def _hurt(words: _Words) -> list[Part]:
    """A bad turn: what was bad about it, how that feels, or both."""
    moment = words.moment
    harms = [e.act for e in moment.appraisal if e.act in HARMFUL]
    unasked = [e.act for e in moment.appraisal if e.act in ("suggestion", "information")]
    about = f"to_{harms[0]}" if harms else _TAKEN[unasked[0]][1] if unasked else ""
    lead = words.bank(about) if about and words.chance("lead") < 0.6 else ""
    if lead and words.chance("more") >= words.eager:
        return [Part(lead, "felt")]
    return [Part(lead, "felt"), words.voice("hurt")]


def _answer(words: _Words, manner: Manner, told: list[Part]) -> list[Part]:
    """Answer what was asked, else say how it was taken, else go on."""
    moment = words.moment
    question = next((e for e in reversed(moment.appraisal) if e.act.endswith("_question")), None)
    lead = words.bank(_taken(moment))
    if told:
        body = told
    elif question is not None:
        body = [Part(words.reply(question))]
    elif moment.more and words.chance("body") < 0.75:
        body = [Part(words.take(moment.more, "body"))]
    else:
        body = []
    if body and lead and words.chance("lead") >= words.eager:
        words.used.remove(lead)
        lead = ""
    said = [Part(lead, "felt"), *body]
    wanted = words.chance("add") < words.eager - 0.25 * len(body)
    if not any(part.text for part in said) or wanted or (manner == "relieved" and not body):
        said.append(words.voice("opens_up" if manner == "tells" else manner))
    return said


def _taken(moment: Moment) -> str:
    """Name the phrases that say how the agent's turn was taken; "" if there is nothing to say."""
    if not moment.appraisal:
        return "silence" if not moment.heard.strip() else ""
    change, found = moment.felt.change, {e.act: e for e in moment.appraisal}
    act = next((act for act in _TAKEN if act in found), None)
    if act is None:
        return ""
    well, badly = _TAKEN[act]
    if act in ("reflection", "validation") and found[act].intensity < 1.0:
        return badly  # a feeling that is not theirs, and that they have not named
    if change >= _MOVED if badly in _JUDGED else change > 0.0:
        return well if found[act].grounded else ""
    return badly if badly in _JUDGED and change < _EASED else ""


class _Words:
    """The lines of one moment, each handed out once in a talk."""

    def __init__(self, moment: Moment, bank: str):
        self.moment = moment
        self.used: list[str] = list(moment.disclosed)
        self._bank = bank
        mood, voice = moment.felt.mood, moment.persona.voice
        self.register = voice.register_
        self.low = mood.emotion < _LOW
        self.at_ease = mood.trust >= _AT_EASE
        self.eager = _EAGER[voice.verbosity] + 0.5 * (mood.trust - 0.3) - 0.3 * mood.strain
        if self.low:
            self.eager /= 2

    def chance(self, purpose: str) -> float:
        return draw(self.moment.seed, self.moment.turn, self.moment.seat, f"speak:{purpose}")

    def take(self, pool: Sequence[str], purpose: str) -> str:
        """Return a line of the pool that has not been used, or "" if there is none left.

        Who is low takes one of the shorter ones.
        """
        left = [line for line in pool if line not in self.moment.spoken and line not in self.used]
        if not left:
            return ""
        if self.low:
            left = sorted(left, key=len)[: (len(left) + 1) // 2]
        line = left[int(self.chance(purpose) * len(left))]
        self.used.append(line)
        return line

    def bank(self, moment: str) -> str:
        """Return a line of the bank for a moment, in the persona's register."""
        if not moment:
            return ""
        return self.take(phrases(moment, self.register, self._bank), moment)

    def voice(self, manner: Manner) -> Part:
        """Return a line for a situation: the variant's, the persona's, the bank's, in this order.

        The variant's are there once one of its facts has been told.
        """
        if manner == "guarded" and self.at_ease:
            manner = "opens_up"
        variant, told = self.moment.variant, self.moment.told
        own = _lines(variant.lines, manner) if any(f.id in told for f in variant.facts) else ()
        line = self.take(own, "line")
        if line:
            return Part(line, "own")
        shared = self.take(_lines(self.moment.persona.voice.lines, manner), "line")
        return Part(shared or self.bank(manner), "felt")

    def veiled(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        """Return the parts that are said aloud."""
        moment = self.moment
        return veiled(
            parts,
            moment.difficulty,
            withheld=moment.withheld,
            chance=self.chance,
            line=self.veil,
        )

    def veil(self, moment: str) -> str:
        """Return a line that hides something, or, for "hint", that points to the decoy need.

        When all have been said, two of them in a pair not said before. It goes by draws and by what
        was hidden before, and by nothing else: neither the mood nor the need has a part in it.
        """
        moment = f"hint_{self.moment.decoy}" if moment == "hint" else moment
        pool, spoken = phrases(moment, self.register, self._bank), self.moment.spoken
        left = [line for line in pool if line not in spoken] or [
            pair for one, two in permutations(pool, 2) if (pair := f"{one} {two}") not in spoken
        ]
        line = (left or pool)[int(self.chance(moment) * len(left or pool))]
        self.used.append(line)
        return line

    @property
    def settled(self) -> bool:
        """Whether they end the talk, or say that they are safe; of that nothing is hidden."""
        moment = self.moment
        ended = moment.outcome in ("left", "success")
        return ended or asks_after_safety(moment.heard, moment.appraisal)

    def joined(self, parts: Sequence[Part]) -> str:
        """Return the parts as one text; silence if there are none."""
        whole = separator_of(self.register).join(part.text for part in parts)
        return whole or self.silence()

    def reply(self, question: Evidence) -> str:
        """Return what answers a question for which nothing new is told."""
        moment = self.moment
        # "You sound ashamed. Tell me more about it." asks for nothing in particular.
        passing = any(e.topic == question.topic for e in moment.appraisal if e is not question)
        if question.topic is not None and question.topic not in moment.told and not passing:
            return self.bank("not_yet")
        added = self.take(moment.more, "body")
        if added:
            return added
        if question.topic is not None and question.topic in moment.told:
            return self.bank("told_all")
        if question.act == "closed_question":
            return self.bank("closed")
        own = getattr(moment.persona.voice.answers, question.about)
        return self.take(own, "body") or self.bank(f"asked_{question.about}")

    def silence(self) -> str:
        """Return words for when no line is left: two small ones, in a pair not used before."""
        small = phrases("silence", self.register, self._bank)
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
    return getattr(lines, manner)


def phrases(moment: str, register: str, bank: str = BANKS[0]) -> tuple[str, ...]:
    """Return the small change of language for a moment, in a register."""
    table = _phrases(bank)[moment]
    return table.get(register) or table["any"]


@cache
def _phrases(bank: str) -> dict[str, dict[str, tuple[str, ...]]]:
    text = (files("empathy_env") / "phrases" / f"{bank}.yaml").read_text(encoding="utf-8")
    data = cast("dict[str, dict[str, list[str]]]", yaml.safe_load(text))
    return {
        moment: {register: tuple(lines) for register, lines in table.items()}
        for moment, table in data.items()
    }
