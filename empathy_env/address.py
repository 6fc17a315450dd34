"""To whom words are said: by the names in them, and by nothing else.

An utterance in company falls into parts, each said to somebody: a name that is called ("Ana, what
did you hear?") turns to that person until another is called. Who names nobody speaks to all.
"[aside to Ana] ..." at the very beginning is for Ana's ears alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from empathy_env.messages import Message, from_agent, from_user


class Part(NamedTuple):
    """A stretch of an utterance that is said to the same people.

    Attributes:
        start: Its first character.
        end: One past its last.
        to: Indices of the names that are called; empty: nobody in particular.
        named: Indices of all names in it, called or spoken of.
    """

    start: int
    end: int
    to: tuple[int, ...]
    named: frozenset[int] = frozenset()


class Addressed(NamedTuple):
    """An utterance, taken apart by whom it is said to.

    Attributes:
        text: What is said, without what makes it an aside.
        parts: Its parts in order; they cover the text. None if nothing is said.
        aside: Whether only those to whom it is said can hear it.
    """

    text: str
    parts: tuple[Part, ...]
    aside: bool = False

    @property
    def to(self) -> tuple[int, ...]:
        """Everybody who is called in some part."""
        return tuple(sorted({index for part in self.parts for index in part.to}))


_ASIDE: Final = re.compile(
    r"\s*[\[(]\s*aside to\s+([^\])\n]{1,60}?)\s*[\])][:,]?\s*", re.IGNORECASE
)
_SENTENCE: Final = re.compile(r"[^.!?\n]*(?:[.!?]+[\"'\u2019\u201d)]*|\n|$)\s*")
_ALL: Final = re.compile(
    r"\b(?:both of you|you both|you two|you three|all of you|you all|each of you|everyone|everybody"
    r"|all three of you|all four of you|the two of you)\b",
    re.IGNORECASE,
)
_LEADING: Final = (
    r"(?:(?:and|but|so|now|okay|ok|well|thank you|thanks|hey|hi|dear|oh|yes|no)[, ]+)*"
)
_AND: Final = r"(?:\s*(?:,|and|&)\s*)"


def addressed(text: str, names: Sequence[str]) -> Addressed:
    """Take an utterance apart by whom it is said to.

    Args:
        text: What was said.
        names: The names of those who might be spoken to; by their indices the result tells them
            apart. Upper and lower case are the same.

    >>> said = addressed("Ana, you sound hurt. And you, Ben? What did you hear?", ["Ana", "Ben"])
    >>> [(said.text[part.start : part.end], part.to) for part in said.parts]
    [('Ana, you sound hurt. ', (0,)), ('And you, Ben? What did you hear?', (1,))]
    >>> addressed("[aside to Ben] Are you all right?", ["Ana", "Ben"]).aside
    True
    """
    return _addressed(text, tuple(names))


@lru_cache(maxsize=1024)
def _addressed(text: str, names: tuple[str, ...]) -> Addressed:
    known = {name.lower(): index for index, name in enumerate(names)}
    aside = _ASIDE.match(text)
    if aside is not None:
        return _aside(text[aside.end() :], aside[1].lower(), known, names)
    if not text.strip():
        return Addressed(text, ())
    pattern = _patterns(names)
    if pattern.name.search(text) is None and _ALL.search(text) is None:
        return Addressed(text, (Part(0, len(text), ()),))
    return Addressed(text, _parts(text, known, pattern))


def _aside(text: str, said: str, known: dict[str, int], names: tuple[str, ...]) -> Addressed:
    """Return an aside: to those named in its brackets, or to nobody at all."""
    words = re.split(r"\s*(?:,|&|\band\b)\s*", said)
    to = tuple(sorted({known[word] for word in words if word in known}))
    if not text.strip():
        return Addressed(text, (), True)
    named = _named(text, known, _patterns(names))
    return Addressed(text, (Part(0, len(text), to, named),), True)


def _named(text: str, known: dict[str, int], pattern: _Patterns) -> frozenset[int]:
    return frozenset(known[found[1].lower()] for found in pattern.name.finditer(text))


def after_call(text: str, names: Sequence[str]) -> int:
    """Return where the words begin after a name that is called first; 0 if none is.

    >>> after_call("Ana, you sound hurt.", ["Ana", "Ben"])
    5
    """
    found = _patterns(tuple(names)).first.match(text)
    return found.end() if found is not None and found.end() < len(text) else 0


class _Patterns(NamedTuple):
    name: re.Pattern[str]
    called: re.Pattern[str]
    """A name where it calls somebody: set off by commas, or at the edge of a sentence."""
    first: re.Pattern[str]
    """The same at the very beginning, with the comma or colon after it."""


@lru_cache(maxsize=256)
def _patterns(names: tuple[str, ...]) -> _Patterns:
    one = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)) or "(?!)"
    group = rf"@?\b(?:{one})\b(?:{_AND}@?(?:{one})\b)*"
    called = (
        rf"^\W*{_LEADING}(?P<first>{group})\s*(?=[,:;!?.\u2014\u2013-]|$)"
        rf"|[,;\u2014\u2013-]\s*(?P<last>{group})\s*(?=[,;:!?.\u2014\u2013-]|$)"
        rf"|(?P<at>@(?:{one})\b)"
    )
    first = rf"\s*@?(?:{one})\b(?:{_AND}@?(?:{one})\b)*\s*[,:]\s*"
    return _Patterns(
        re.compile(rf"\b({one})\b", re.IGNORECASE),
        re.compile(called, re.IGNORECASE),
        re.compile(first, re.IGNORECASE),
    )


def _parts(text: str, known: dict[str, int], pattern: _Patterns) -> tuple[Part, ...]:
    parts: list[Part] = []
    for sentence in _SENTENCE.finditer(text):
        start, end = sentence.span()
        if start == end:
            continue
        to, named = _called(sentence[0], known, pattern), _named(sentence[0], known, pattern)
        if parts and (to is None or to == parts[-1].to):
            parts[-1] = parts[-1]._replace(end=end, named=parts[-1].named | named)
        else:
            parts.append(Part(start, end, to or (), named))
    return tuple(parts)


def _called(sentence: str, known: dict[str, int], pattern: _Patterns) -> tuple[int, ...] | None:
    """Return who is called in a sentence; () for all, None if it goes on as before."""
    to = {
        known[name[1].lower()]
        for match in pattern.called.finditer(sentence)
        for name in pattern.name.finditer(match["first"] or match["last"] or match["at"])
    }
    if to:
        return tuple(sorted(to))
    return () if _ALL.search(sentence) is not None else None


_SPEAKER: Final = re.compile(r"^([^\W\d_][^:\n]{0,40}?)(?: \(aside\))?: ", re.MULTILINE)


def names_in(messages: Sequence[Message]) -> tuple[str, ...]:
    r"""Return the names of those who have opened a talk in company; () in a talk of two.

    >>> names_in([from_user("Ana: I am tired.\\nBen: So am I.")])
    ('Ana', 'Ben')
    """
    opening = next((m["content"] for m in messages if m["role"] == "user"), "")
    names = tuple(dict.fromkeys(_SPEAKER.findall(opening)))
    return names if len(names) > 1 else ()


def chat_with(messages: Sequence[Message], name: str, names: Sequence[str]) -> list[Message]:
    """Return a talk in company as a talk with one of them: what they said, and was said to them.

    For agents that know how to talk with one person.

    Args:
        messages: The whole talk.
        name: With whom.
        names: Everybody's names.
    """
    chat: list[Message] = [m for m in messages if m["role"] == "system"]
    for message in messages:
        if message["role"] == "user":
            add = from_user("\n".join(lines_of(message["content"], name, names)))
        elif message["role"] == "assistant":
            said = addressed(message["content"], names)
            to = [p for p in said.parts if not p.to or names[p.to[0]] == name]
            add = from_agent("".join(said.text[part.start : part.end] for part in to).strip())
        else:
            continue
        if not add["content"].strip():
            continue
        if chat and chat[-1]["role"] == add["role"] != "system":
            add["content"] = f"{chat.pop()['content']}\n{add['content']}"
        chat.append(add)
    return chat


def lines_of(text: str, name: str, names: Sequence[str]) -> list[str]:
    r"""Return what one of them says in what an agent hears of a round.

    >>> lines_of("Ana: No.\\nI am fine.\\nBen: Oh.", "Ana", ["Ana", "Ben"])
    ['No.', 'I am fine.']
    """
    lines: list[str] = []
    speaker = ""
    for line in text.split("\n"):
        found = _SPEAKER.match(line)
        if found is not None and (found[1] in names or found[1].startswith("Supporter")):
            speaker, line = found[1], line[found.end() :]
        if speaker == name:
            lines.append(line)
    return lines
