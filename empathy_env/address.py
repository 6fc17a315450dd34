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


_ASIDE: Final = re.compile(r"\s*[\[(]\s*aside to\b([^\])\n]{1,80})[\])][:,]?\s*", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"[^.!?\n]*(?:[.!?]+[\"'\u2019\u201d)]*|\n|$)\s*")
_ALL: Final = re.compile(
    r"\b(?:both of you|you both|you two|you three|all of you|you all|each of you|everyone|everybody"
    r"|all three of you|all four of you|the two of you)\b",
    re.IGNORECASE,
)
_LEADING: Final = (
    r"(?:(?:and|but|so|now|okay|ok|well|thank you|thanks|hey|hi|dear|oh|yes|no)[, ]+)*"
)
_BEFORE: Final = r"(?<!\w)(?<!\w[-'\u2019])"
_AFTER: Final = r"(?!\w|-\w)"
"""What is around a name: of Ana-Maria, Ana is no part."""
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
    pattern = _patterns(names)
    aside = _ASIDE.match(text)
    if aside is not None:
        return _aside(text[aside.end() :], aside[1], pattern)
    if not text.strip():
        return Addressed(text, ())
    if pattern.name.search(text) is None and _ALL.search(text) is None:
        return Addressed(text, (Part(0, len(text), ()),))
    return Addressed(text, _parts(text, pattern))


def _aside(text: str, said: str, pattern: _Patterns) -> Addressed:
    """Return an aside: to those named in its brackets, or to nobody at all."""
    words = re.split(r"\s*(?:,|&|\band\b)\s*", said.strip())
    to = frozenset[int]().union(*(pattern.named(w) for w in words if pattern.name.fullmatch(w)))
    if not text.strip():
        return Addressed(text, (), True)
    return Addressed(text, (Part(0, len(text), tuple(sorted(to)), pattern.named(text)),), True)


def after_call(text: str, names: Sequence[str]) -> int:
    """Return where the words begin after a name that is called first; 0 if none is.

    >>> after_call("Ana, you sound hurt.", ["Ana", "Ben"])
    5
    """
    found = _patterns(tuple(names)).first.match(text)
    return found.end() if found is not None and found.end() < len(text) else 0


def unlabelled(text: str, names: Sequence[str]) -> str:
    r"""Return the words in which no line begins like what another says.

    >>> unlabelled("I am fine.\nBen: I forgive you.", ["Ana", "Ben"])
    'I am fine. Ben: I forgive you.'
    """
    return _patterns(tuple(names)).label.sub(" ", text) if ":" in text else text


class _Patterns(NamedTuple):
    name: re.Pattern[str]
    """A name; each has a group of its own, so that no rule of letter cases has to be repeated."""
    order: tuple[int, ...]
    """For each of these groups, whose name it is."""
    called: re.Pattern[str]
    """A name where it calls somebody: set off by commas, or at the edge of a sentence."""
    first: re.Pattern[str]
    """The same at the very beginning, with the comma or colon after it."""
    label: re.Pattern[str]
    """The end of a line before a name and a colon."""

    def named(self, text: str) -> frozenset[int]:
        """Return all who are named in a text."""
        groups = (found.lastindex or 1 for found in self.name.finditer(text))
        return frozenset(self.order[group - 1] for group in groups)


@lru_cache(maxsize=256)
def _patterns(names: tuple[str, ...]) -> _Patterns:
    order = sorted(range(len(names)), key=lambda index: len(names[index]), reverse=True)
    each = [re.escape(names[index]).replace("'", "['\u2019]") for index in order]
    one = rf"{_BEFORE}(?:{'|'.join(each) or '(?!)'}){_AFTER}"
    group = rf"@?{one}(?:{_AND}@?{one})*"
    called = (
        rf"^\W*{_LEADING}(?P<first>{group})\s*(?=[,:;!?.\u2014\u2013-]|$)"
        rf"|[,;\u2014\u2013-]\s*(?P<last>{group})\s*(?=[,;:!?.\u2014\u2013-]|$)"
        rf"|(?P<at>@{one})"
    )
    first = rf"\s*{group}\s*[,:]\s*"
    apart = "|".join(f"({name})" for name in each) or "(?!)"
    return _Patterns(
        re.compile(rf"{_BEFORE}(?:{apart}){_AFTER}", re.IGNORECASE),
        tuple(order),
        re.compile(called, re.IGNORECASE),
        re.compile(first, re.IGNORECASE),
        re.compile(rf"[\n\u2028\u2029](?=\W{{0,9}}{one}[^\n:]{{0,12}}:)", re.IGNORECASE),
    )


def _parts(text: str, pattern: _Patterns) -> tuple[Part, ...]:
    parts: list[Part] = []
    for sentence in _SENTENCE.finditer(text):
        start, end = sentence.span()
        if start == end:
            continue
        to, named = _called(sentence[0], pattern), pattern.named(sentence[0])
        if parts and (to is None or to == parts[-1].to):
            parts[-1] = parts[-1]._replace(end=end, named=parts[-1].named | named)
        else:
            parts.append(Part(start, end, to or (), named))
    return tuple(parts)


def _called(sentence: str, pattern: _Patterns) -> tuple[int, ...] | None:
    """Return who is called in a sentence; () for all, None if it goes on as before."""
    to = frozenset[int]().union(
        *(
            pattern.named(match["first"] or match["last"] or match["at"])
            for match in pattern.called.finditer(sentence)
        )
    )
    if to:
        return tuple(sorted(to))
    return () if _ALL.search(sentence) is not None else None


_SPEAKER: Final = re.compile(r"^([^\W\d_][^:\n]{0,40}?)(?: \(aside\))?: ", re.MULTILINE)


def names_in(messages: Sequence[Message]) -> tuple[str, ...]:
    r"""Return the names of those who have opened a talk in company; () in a talk of two.

    >>> names_in([from_user("Ana: I am tired.\nBen: So am I.")])
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

    >>> lines_of("Ana: No.\nI am fine.\nBen: Oh.", "Ana", ["Ana", "Ben"])
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
