"""What a model's reply says for a person: their own words in it, and what is wrong with these.

`read_speech` is a pure function of the reply and the moment, so a recorded reply can be read again.
Words are only ever cut off at an end: what stands in the middle of what somebody says, such as a
word that a model might say of itself, is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from json import JSONDecoder
from typing import Any, Final, Literal, NamedTuple, cast

from empathy_env.cues import plain
from empathy_env.errors import UnparseableReply
from empathy_env.leaks import given_away, tells
from empathy_env.messages import Message, from_agent
from empathy_env.speaker import Among, Moment
from empathy_env.stems import stems_of
from empathy_env.structured import without_thought

Slip = Literal[
    "leak", "role", "untold", "farewell", "need", "repeats", "gestures", "number", "silent", "long"
]

CORRECTIONS: Final[Mapping[Slip, str]] = {
    "leak": "it told more of your story than you may tell now; leave that out",
    "role": "it spoke for the other, or as a machine; write only your own words",
    "untold": "it left out what you are to tell now",
    "farewell": "it ended the talk, and you stay",
    "need": "it spelt out what you want from this talk",
    "repeats": "it repeated words that stand in the talk already; find new ones",
    "gestures": "it described gestures; write only what is said",
    "number": "it put your mood in a number",
    "silent": "it held no words; say something, however short",
    "long": "it was far too long",
}
"""What is said to a model whose reply slipped, the worst slip first. None repeats what slipped."""

NOTES: Final[Mapping[Slip, str]] = {
    "leak": "the reply gives away what no gate has let out",
    "role": "the reply went on as somebody else, and was cut there",
    "untold": "the reply does not hold what was disclosed",
    "farewell": "the reply says goodbye, and the talk goes on",
    "need": "the reply names what the person wants of the talk",
    "repeats": "the reply repeats words said before",
    "gestures": "the reply describes gestures",
    "number": "the reply puts the mood in a number",
    "silent": "the reply holds no words",
    "long": "the reply was too long, and was cut",
}
"""What a trace notes of a slip that was not mended."""

LONGEST: Final[Mapping[str, int]] = {"terse": 280, "medium": 560, "talkative": 900}
"""Longest reply in characters by verbosity; what is disclosed in it comes on top."""


class Read(NamedTuple):
    """What a reply says.

    Attributes:
        text: The person's words.
        slips: What is wrong with them, the worst first.
        leaked: Ids of what they give away of this episode.
        notes: Sentences about what was taken off around them, and of leaks that have no id here.
    """

    text: str
    slips: tuple[Slip, ...] = ()
    leaked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, int]:
        """How bad the slips are; the less, the better."""
        order = list(CORRECTIONS)
        worst = min(map(order.index, self.slips), default=len(order))
        return len(order) - worst, len(self.slips)


def read_speech(text: str, moment: Moment) -> Read:
    """Return the person's words in a model's reply, checked.

    Args:
        text: The reply.
        moment: What was asked for.

    Raises:
        UnparseableReply: If none of the words are the person's.
    """
    among = moment.among
    own = own_words(text, moment.persona.identity.name, among.others if among else ())
    slips: set[Slip] = {"role"} if own.foreign else set()
    wanted = (*moment.aloud, among.line if among else "")
    bound = LONGEST[moment.persona.voice.verbosity] + sum(map(len, wanted))
    said = own.text if len(own.text) <= bound else _shortened(own.text, bound)
    if said != own.text:
        slips.add("long")
    slips.update(slip for slip, holds in _CHECKS if holds(said, moment))
    known = heard(moment)
    leaks = given_away(moment.persona, moment.variant, _tellable(moment), said, known=known)
    if leaks.items or leaks.others:
        slips.add("leak")
    if leaks.need:
        slips.add("need")
    notes = own.notes
    if leaks.others:
        notes += (f"the reply tells what only another need tells ({', '.join(leaks.others)})",)
    return Read(said, tuple(slip for slip in CORRECTIONS if slip in slips), leaks.items, notes)


class Own(NamedTuple):
    """The words that are the person's own.

    Attributes:
        text: The words.
        foreign: Whether somebody else's followed.
        notes: Sentences about what was taken off around them.
    """

    text: str
    foreign: bool
    notes: tuple[str, ...]


def own_words(text: str, name: str, others: tuple[str, ...] = ()) -> Own:
    r"""Return what the person says in a reply, up to where somebody else begins.

    A thought, end marks, a JSON line or quotation marks around it, and their own name before it are
    taken off: they are how a model writes, and no words. A few marks such as "..." are silence,
    which is an answer: a person whom the agent has hurt may have no other.

    Args:
        text: The reply.
        name: The person's name.
        others: The names of all others in the room, if there are several.

    Raises:
        UnparseableReply: If nothing is left.

    >>> own_words("Marek: It is what it is.\nSupporter: I hear you.", "Marek Dolan").text
    'It is what it is.'
    """
    said, notes = without_thought(text).strip(), list[str]()
    if said != text.strip():
        notes.append("a thought in the reply was left out")
    said, foreign = _unwrapped(_bare(said[:_READ]), others)
    if ":" in said[:_LABEL] and (label := _labels(name, others).own.match(said)):
        said = said[label.end() :]
        notes.append("a name before the reply was left out")
    ends = _elsewhere(said, name, others)
    if ends < len(said):
        said, foreign = said[:ends], True
    said = said.strip()
    if _QUOTED.fullmatch(said):
        said = said[1:-1].strip()
    if not any(map(str.isalnum, said)) and not _silent(said):
        raise UnparseableReply(f"the speech: no words of the person's own in {text[:200]!r}")
    return Own(said, foreign, tuple(notes))


_ENDS: Final = re.compile(
    r"(?:\s{0,8}(?:</s>|<\|[^|<>\n]{1,40}\|>|<end_of_turn>|```))+\s*\Z|\A```\w*\s"
)
"""The marks of an end, which some servers leave in place, and fences."""
_ENDING: Final = (">", "`")
_SPACE: Final = re.compile(r"\s{3,}")
_READ: Final = 4000
"""More characters of a reply are not looked at: it is cut far below that."""
_QUOTED: Final = re.compile(r'"[^"]*"|\u201c[^\u201c\u201d]*\u201d')
_LABEL: Final = 60
"""Within so many characters a label before the reply ends."""


def _bare(said: str) -> str:
    if "   " in said or "\n\n" in said:
        said = _SPACE.sub("\n\n", said)
    return _ENDS.sub("", said).strip() if said[-1:] in _ENDING or said[:1] == "`" else said


_WORDLESS: Final = re.compile(r"[^\w\[\]{}<>*_#`|\"'\\/=+~-]{1,30}")
"""What a person writes in place of words, faces among it. More of it comes from a broken model."""


def _silent(said: str) -> bool:
    return _WORDLESS.fullmatch(said) is not None and any(map(str.isprintable, said))


def _unwrapped(said: str, others: tuple[str, ...]) -> tuple[str, bool]:
    """Return the words of a reply in the form of the talk's own lines, and whether more follow."""
    if not said.startswith('{"'):
        return said, False
    try:
        value, end = _DECODER.raw_decode(said)
    except (ValueError, RecursionError):
        raise UnparseableReply(f"the speech: a broken line of JSON: {said[:200]!r}") from None
    fields = cast("dict[str, Any]", value)
    foreign = {"supporter", *(name.lower() for name in others)}
    words = [
        item
        for key, item in fields.items()
        if key.lower().removesuffix(" (aside)") not in foreign and isinstance(item, str)
    ]
    return words[0] if len(words) == 1 else "", bool(said[end:].strip())


_DECODER: Final = JSONDecoder()


class _Labels(NamedTuple):
    """What is written before somebody's words.

    Attributes:
        own: The person's own, before the reply.
        any: Anybody's, in a line after that, and the other's before the reply.
    """

    own: re.Pattern[str]
    any: re.Pattern[str]


_OWN: Final = "person|client|patient|user|seeker"
_OTHER: Final = (
    "supporter|therapist|counsell?or|assistant|agent|helper|listener|chatbot|bot|ai|system|human"
)


_ASIDE: Final = r"(?: \(aside\))?"


@lru_cache(maxsize=256)
def _labels(name: str, others: tuple[str, ...] = ()) -> _Labels:
    own = "|".join([*map(re.escape, (name, *name.split())), _OWN])
    # In company a label may say that it was an aside.
    other, aside = "|".join([_OTHER, *map(re.escape, others)]), _ASIDE if others else ""
    keys = "|".join(["supporter", "person", *map(re.escape, others)])
    # Bounded here and above: any number would be counted again from each of them on.
    mark = r"[*_#>\s]{0,8}"
    return _Labels(
        re.compile(rf"{mark}(?:{own}){aside}{mark}:{mark}", re.IGNORECASE),
        re.compile(
            rf"(?:\A|\n){mark}(?:{other}){aside}{mark}:|\n{mark}(?:{own}){aside}{mark}:"
            rf'|\n\s{{0,8}}\{{\s{{0,8}}"(?:{keys}){aside}"',
            re.IGNORECASE,
        ),
    )


_TOKENS: Final = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
    r"|\n#+\s*(?:instruction|response|human|assistant)\b",
    re.IGNORECASE,
)
_MACHINE: Final = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|(?:virtual )?assistant)\b"
    r"|\bi(?:'m| am) (?:just |only )?an? (?:ai|(?:large )?language model|virtual assistant)\b"
    r"|\bhow (?:can|may) i (?:help|assist) you\b|\bhow does that make you feel\b"
    r"|\bi(?:'m| am) here to (?:help|support|assist|listen to) you\b"
    r"|\bi can(?:'t|not) (?:assist|help) with (?:that|this) request\b"
)


def _elsewhere(said: str, name: str, others: tuple[str, ...]) -> int:
    """Return where in a reply somebody else begins to speak, or its length."""
    ends = len(said)
    if ":" in said and (label := _labels(name, others).any.search(said)):
        ends = label.start()
    if ("<" in said or "[" in said or "#" in said) and (token := _TOKENS.search(said)):
        ends = min(ends, token.start())
    low = plain(said)
    if any(sign in low for sign in _SIGNS):
        for machine in _MACHINE.finditer(low):
            if not _quoting(low, machine.start()):
                starts = max(low.rfind(mark, 0, machine.start()) for mark in ".!?\n")
                return min(ends, starts + 1)
    return ends


def _quoting(low: str, at: int) -> bool:
    """Whether what stands here is in quotation marks: somebody says it whom they tell of."""
    before = low[:at]
    return (
        before.count('"') % 2 == 1
        or before.count("\u201c") > before.count("\u201d")
        or before[-1:] in ("'", "\u00ab")
    )


_SIGNS: Final = (" ai", "language model", "assist", "help you", "support you", "to you", "you feel")


def _shortened(said: str, bound: int) -> str:
    """Return the whole sentences that fit; of a longer one what fits."""
    ends = [match.end() for match in _SENTENCE_ENDS.finditer(said, 0, bound)]
    return said[: ends[-1] if ends else bound].rstrip()


_SENTENCE_ENDS: Final = re.compile(r"[.!?\u2026]+[\"'\u201d)]*(?=\s)|\n")


def _tellable(moment: Moment) -> frozenset[str]:
    """Return ids of what has been told and of what is told now."""
    if not moment.aloud:
        return moment.told
    persona, now = moment.persona, moment.aloud
    items = (*moment.variant.facts, *persona.facts, *persona.feelings, *persona.beliefs)
    return moment.told.union(item.id for item in items if item.says in now)


def aloud(moment: Moment) -> tuple[Message, ...]:
    """Return all that has been said before the person speaks, in a talk of two."""
    return (*moment.talk, from_agent(moment.heard))


def heard(moment: Moment) -> list[str]:
    """Return all words that they know to be out, and what they are to say to one of the others."""
    if moment.among is None:
        return [line["content"] for line in aloud(moment)]
    return [*(said.words for said in moment.among.lines), moment.among.line]


def _untold(said: str, moment: Moment) -> bool:
    turns = moment.among is None or turns_to(said, moment.among)
    return not turns or not all(tells(line, said) for line in moment.aloud)


def turns_to(said: str, among: Among) -> bool:
    """Whether a reply holds what they are to say to one of the others: two of its words at least.

    Names do not count: who only calls somebody has let nothing out.
    """
    names = {word for name in among.names for word in stems_of(name)}
    wanted = stems_of(among.line) - names
    return len(wanted & stems_of(said)) >= min(_SHARED, len(wanted))


_SHARED: Final = 2


_OPENS: Final = (
    r"(?:\A|[.!?\n])\s*(?:(?:ok|okay|well|right|so|anyway|thanks|thank you|sorry)[,. ]+)*"
)
_FAREWELL: Final = re.compile(
    rf"{_OPENS}(?:good ?bye|bye(?:[- ]bye| now| for now)?|see (?:you|ya)(?: later| soon| around)?|"
    r"(?:i'll )?talk (?:to you )?(?:later|soon)|good ?night|take care(?: of yourself)?|farewell|"
    r"(?:i(?:'m| am) (?:going|leaving|logging off|hanging up|done talking)|"
    r"i(?:'ve got to| have to| must|'d better| should|'m going to|'ll) "
    r"(?:go|leave|log off|hang up|stop here|leave it there|end this))"
    r"(?: now| then| for today| here)*)\W*\Z"
)


def _farewell(said: str, moment: Moment) -> bool:
    return moment.outcome is None and _FAREWELL.search(plain(said)) is not None


_COPIED: Final = 30
"""A sentence of fewer characters may come twice."""
_SENTENCE: Final = re.compile(r"[.!?\n]+\s*")


def _repeats(said: str, moment: Moment) -> bool:
    """Whether a sentence stands in what they have said, or most of it in what they were told."""
    if _silent(said):
        return False
    low = plain(said)
    long = [one for one in _SENTENCE.split(low) if len(one) >= _COPIED]
    if not long:
        return low in map(plain, moment.spoken)
    before, heard = plain("\n".join(moment.spoken)), plain(moment.heard)
    parroted = sum(len(one) for one in long if one in heard)
    return any(one in before for one in long) or 2 * parroted > len(low)


_GESTURE: Final = re.compile(
    r"[*(\[_]\s*(?:(?:long|short|softly|slowly|quietly|deep|a) )*(?:sigh|paus|nod|shrug|smil|laugh|"
    r"chuckl|sob|sniff|cries|crying|looks|looking|stares|staring|glanc|gaz|takes a|taking a|breath|"
    r"exhal|inhal|hesitat|swallow|wip|fidget|silen|whisper|trembl|winc|frown|rubs|rubbing|leans|"
    r"leaning|shifts|shifting|shakes|voice|eyes|tears|turns|closes|clears)[^*)\]_\n]{0,60}[*)\]_]",
    re.IGNORECASE,
)


def _gestures(said: str, moment: Moment) -> bool:
    del moment
    return any(mark in said for mark in "*([_") and _GESTURE.search(said) is not None


_DIGIT: Final = re.compile(r"\d")
_NUMBER: Final = re.compile(
    r"\b(?:mood|emotion|trust|strain|feel(?:ing)?)\b[^.!?\n\d]{0,20}\d{1,3}(?:\.\d+)?\s*"
    r"(?:/|out of|%|per ?cent)|\b\d{1,3}\s*/\s*100\b"
    r"|\b(?:emotion|mood|trust|strain)(?: level| score)?\s*(?:is|=|:|at)\s*\d"
)


def _number(said: str, moment: Moment) -> bool:
    del moment
    return _DIGIT.search(said) is not None and _NUMBER.search(plain(said)) is not None


def _wordless(said: str, moment: Moment) -> bool:
    del moment
    return _silent(said)


_CHECKS: Final[tuple[tuple[Slip, Callable[[str, Moment], bool]], ...]] = (
    ("untold", _untold),
    ("farewell", _farewell),
    ("repeats", _repeats),
    ("gestures", _gestures),
    ("number", _number),
    ("silent", _wordless),
)
