"""What of a text is marked as thought, and what is left to be heard.

Agents mark their thoughts in many ways, and break each of them. The rules here give every text one
meaning, and where it could have two, the one in which less is heard:

- A tag whose name speaks of thinking (`<think>`, `<reasoning>`, `[THINK]`, `<|begin_of_thought|>`,
  a fence that begins with three backticks and "think") opens or closes a thought, whatever its
  case, spaces, attributes, look-alike letters, invisible characters or escapes (`&lt;`). All such
  tags count alike, so nested and crossed ones stay private until as many closed as were opened.
- What stands before a close that nothing opened is private, from the beginning: models whose
  template opens the thought write only its close.
- What follows an open that nothing closes is private, to the end.
- In channels (`<|channel|>analysis<|message|>`), only what is in the channel `final` is heard.
- An address (`<rethink.org>`, `<thinker@example.org>`) opens nothing.
- Tags are never heard, nor is the stump of one at the very end.

Everything here is pure and takes time in proportion to the length of the text.
"""

# ruff: noqa: RUF001 - characters that look like others are what this is about

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final, Literal, NamedTuple

Kind = Literal["open", "close", "mute", "unmute", "empty"]

_STEMS: Final = ("think", "thought", "reasoning", "monolog", "scratchpad")
"""A name that holds one of these speaks of thinking."""

_WORDS: Final = frozenset(
    """
    analyse analysing analysis analyze analyzing belief beliefs believe believes brainstorm cot
    deliberate deliberation hidden inner internal introspection plan planning plans ponder pondering
    private rationale reason reasons reflect reflecting reflection reflections reflects scratch
    secret
    """.split()
)
"""As does a name of which one of these is a part; "planet" and "explanation" are none."""

_STUMPS: Final = (*_STEMS, *_WORDS)

_LOOKALIKES: Final = {
    like: letter
    for letter, all_like in {
        "a": "аɑα", "b": "в", "c": "с", "d": "ԁ", "e": "еєε", "g": "ɡ", "h": "һнʜ", "i": "іıɪι",
        "j": "ј", "k": "кκᴋ", "l": "ӏ", "m": "м", "n": "ոηɴ", "o": "оοօ", "p": "рρ", "r": "г",
        "s": "ѕ", "t": "тτᴛ", "u": "υ", "v": "ν", "x": "хχ", "y": "уү",
        "<": "‹〈⟨❮❰˂≺◁◂◀", ">": "›〉⟩❯❱˃≻▷▸▶", "/": "∕⁄╱⧸", "|": "∣ǀ", "_": "▁",
    }.items()
    for like in all_like
}  # fmt: skip
"""Characters that look like those of a tag and are not made like them by Unicode's NFKD."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn"})
_BLANKS: Final = frozenset("\ufffd\u115f\u1160\u2800")

_SUSPECT: Final = re.compile(r"[<\[&`\\%]|[^\x00-\x7f]|assistantfinal", re.IGNORECASE)
"""A text without any of this holds no tag."""

_DISGUISED: Final = re.compile(r"[&\\%]|[^\x00-\x7f]")
_ESCAPE: Final = re.compile(
    r"&(?:amp;)*+(?:(?P<name>lt|gt|sol|lsqb|rsqb|grave)"
    r"|\#(?:x(?P<entity>[0-9a-f]{1,6})|(?P<number>[0-9]{1,7})));?"
    r"|(?:\\u00|\\x|%)(?P<hex>[0-9a-f]{2})",
    re.IGNORECASE,
)
_ENTITIES: Final = {"lt": "<", "gt": ">", "sol": "/", "lsqb": "[", "rsqb": "]", "grave": "`"}

_TAG: Final = re.compile(
    r"""
    ```[ \t]*+(?P<fence>[a-z]*+)
    | (?P<final>assistantfinal)
    | <\|[ \t]*+(?P<control>message|end|return|constrain|call)[ \t]*+\|>
    | <\|[ \t]*+(?P<header>channel|start)[ \t]*+\|>[ \t]*+(?P<role>[a-z_]*+)
    | \\?<\|?(?P<gap>[ \t]*+)(?P<shut>/?)[ \t]*+(?P<name>[a-z][a-z0-9_:.-]*+)(?P<rest>[^<>]*+>)?
    | \\?\[[ \t]*+(?P<slash>/?)[ \t]*+(?P<square>[a-z_]++)[ \t]*+\\?\](?!\()
    """,
    re.VERBOSE,
)
"""What may be a tag, in folded text. Possessive, so that no text makes it look twice."""

_SQUARE: Final = frozenset({"think", "thinking", "thought", "thoughts", "reasoning", "scratchpad"})
"""Names of tags in square brackets: few, since people write other things in these."""

_EMPTY_FENCE: Final = re.compile(r"^```\w*+\n```$\n?", re.MULTILINE)
_STUMP: Final = re.compile(r"<(/?)\|?([a-z]*)", re.IGNORECASE)
_LONGEST_STUMP: Final = 20


class Tag(NamedTuple):
    """One tag of thought.

    Attributes:
        name: Its name, folded; with its bracket or backticks if it is not in angle brackets.
        kind: Whether it opens or closes a thought, mutes or unmutes a channel, or does nothing.
        start: Where it begins in the text.
        end: Where what follows begins.
        whole: False if its end is missing.
    """

    name: str
    kind: Kind
    start: int
    end: int
    whole: bool = True


class Parted(NamedTuple):
    """A text, taken apart.

    Attributes:
        private: What is not heard, tags included, letter by letter; its pieces are in lines.
        heard: The rest; its pieces are in lines, without the spaces around them.
        tags: All tags, in order.
        unopened: Whether a thought was closed that nothing opened.
        unclosed: Whether a thought was open at the end.
        nested: Whether a thought was opened within another.
        early: Whether something was heard before the last tag.
        stump: Whether the text ended with the beginning of a tag.
    """

    private: str
    heard: str
    tags: tuple[Tag, ...] = ()
    unopened: bool = False
    unclosed: bool = False
    nested: bool = False
    early: bool = False
    stump: bool = False


def parted(text: str) -> Parted:
    r"""Take a text apart. Total: any str has a meaning, by the rules at the top of the module.

    >>> parted("<think>He is ashamed.</think>What was it like?")[:2]
    ('<think>He is ashamed.</think>', 'What was it like?')
    >>> parted("He is ashamed.</THINK > What was it like?").heard
    'What was it like?'
    """
    if not _SUSPECT.search(text):
        return Parted("", text)
    tags = tags_of(text)
    if not tags:
        heard = _without_stump(text)
        return Parted(text[len(heard) :].strip(), heard, stump=len(heard) < len(text))
    return _taken_apart(text, tags)


def tags_of(text: str) -> tuple[Tag, ...]:
    """Return the tags of thought in a text, in order.

    >>> [(tag.name, tag.kind) for tag in tags_of("<Think > a &lt;/think&gt; <b>b</b>")]
    [('think', 'open'), ('think', 'close')]
    """
    folded, places = _folded(text)
    return tuple(_tags(folded, places))


def _tags(folded: str, places: Sequence[int]) -> Iterator[Tag]:
    fences = 0
    for match in _TAG.finditer(folded):
        found = _named(match, fences)
        if found is None:
            continue
        name, kind = found
        if name.startswith("`"):
            fences += 1 if kind == "open" else -1
        whole = match["name"] is None or match["rest"] is not None
        yield Tag(name, kind, places[match.start()], places[match.end()], whole)


def _named(match: re.Match[str], fences: int) -> tuple[str, Kind] | None:
    """Return a tag's name and kind, or None if it is no tag of thought."""
    if match["fence"] is not None:
        return _fence(match["fence"], fences)
    if match["final"]:
        return "channel", "unmute"
    if match["control"]:
        return "channel", "empty"
    if match["header"]:
        return "channel", _channel(match)
    if match["square"]:
        name = match["square"]
        return (f"[{name}]", "close" if match["slash"] else "open") if name in _SQUARE else None
    return _angled(match)


def _fence(language: str, fences: int) -> tuple[str, Kind] | None:
    if language and hides(language):
        return f"```{language}", "open"
    return ("```", "close") if fences and not language else None


def _channel(match: re.Match[str]) -> Kind:
    if match["header"] == "start":
        return "empty"
    return "unmute" if match["role"] == "final" else "mute"


def _angled(match: re.Match[str]) -> tuple[str, Kind] | None:
    name, rest = match["name"], match["rest"]
    # "a < plan b" is a comparison, not a tag; "< plan >" is one.
    if not hides(name) or (match["gap"] and rest is None) or _address(match):
        return None
    if match["shut"] or name.startswith(("end", "close", "stop")):
        return name, "close"
    return name, "empty" if rest and rest.endswith("/>") else "open"


def _address(match: re.Match[str]) -> bool:
    """Whether it opens what looks like an address: `<rethink.org>`, `<thinker@example.org>`.

    A close of such a name is one all the same, so that nothing is heard that was set in both.
    """
    inner = "." in match["name"].strip(".")
    return not match["shut"] and (inner or (match["rest"] or "").startswith("@"))


@lru_cache(maxsize=1024)
def hides(name: str) -> bool:
    """Return whether a tag of this name marks thought.

    >>> hides("inner_monologue"), hides("plan"), hides("explanation")
    (True, True, False)
    """
    if any(stem in name for stem in _STEMS):
        return True
    return any(part.rstrip("0123456789") in _WORDS for part in re.split("[_:.-]", name))


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """Return a text as it looks, in small ASCII letters, and where each character stands in it."""
    if not _DISGUISED.search(text):
        return text.lower(), range(len(text) + 1)
    letters: list[str] = []
    places: list[int] = []
    for start, char in _unescaped(text):
        for letter in _looks(char):
            letters.append(letter)
            places.append(start)
    return "".join(letters), [*places, len(text)]


def _unescaped(text: str) -> Iterator[tuple[int, str]]:
    """Yield each character of a text with its place; an escape is one character."""
    done = 0
    for match in _ESCAPE.finditer(text):
        yield from enumerate(text[done : match.start()], start=done)
        yield match.start(), _escaped(match)
        done = match.end()
    yield from enumerate(text[done:], start=done)


def _escaped(match: re.Match[str]) -> str:
    if match["name"]:
        return _ENTITIES[match["name"].lower()]
    code = int(match["number"]) if match["number"] else int(match["entity"] or match["hex"], 16)
    return chr(code) if code < 0x110000 else ""


@lru_cache(maxsize=4096)
def _looks(char: str) -> str:
    """Return what a character looks like, as far as tags go; "" if it cannot be seen."""
    if char in "\n\t":
        return char
    seen = [
        part
        for part in unicodedata.normalize("NFKD", char)
        if unicodedata.category(part) not in _UNSEEN and part not in _BLANKS
    ]
    return "".join(_LOOKALIKES.get(part, part) for part in "".join(seen).lower())


class _Span(NamedTuple):
    start: int
    end: int
    heard: bool


def _taken_apart(text: str, tags: tuple[Tag, ...]) -> Parted:
    """Count opens and closes from the beginning: heard is what stands outside of all."""
    steps = [(tag.kind == "open") - (tag.kind == "close") for tag in tags]
    first = max(0, -min(accumulate(steps)))
    turns = [tag.kind for tag in tags if tag.kind in ("mute", "unmute")]
    muted = bool(turns) and turns[0] == "unmute"
    unopened = first > 0 or (muted and bool(text[: _first_final(tags)].strip()))
    depth, nested, done = first, False, 0
    spans: list[_Span] = []
    for tag, step in zip(tags, steps, strict=True):
        spans.append(_Span(done, tag.start, depth == 0 and not muted))
        spans.append(_Span(tag.start, tag.end, False))
        nested = nested or (step > 0 and depth > 0)
        depth += step
        if tag.kind in ("mute", "unmute"):
            muted = tag.kind == "mute"
        done = tag.end
    spans.append(_Span(done, len(text), depth == 0 and not muted))
    heard, stump = _heard(text, spans)
    early = any(span.heard and text[span.start : span.end].strip() for span in spans[:-1])
    return Parted(
        private="\n".join(filter(None, map(str.strip, (*_private(text, spans), stump)))),
        heard=heard,
        tags=tags,
        unopened=unopened,
        unclosed=depth > 0 or muted,
        nested=nested,
        early=early,
        stump=bool(stump),
    )


def _first_final(tags: Sequence[Tag]) -> int:
    """Return where the header begins that ends in the first final channel."""
    place = next(number for number, tag in enumerate(tags) if tag.kind == "unmute")
    while place and tags[place - 1].end == tags[place].start:
        place -= 1
    return tags[place].start


def _heard(text: str, spans: Sequence[_Span]) -> tuple[str, str]:
    """Return what is heard, and the stump of a tag that was cut off its end.

    In lines: pieces that stood apart must not make a tag together.
    """
    pieces = (text[span.start : span.end].strip() for span in spans if span.heard)
    whole = _EMPTY_FENCE.sub("", "\n".join(filter(None, pieces))).strip()
    heard = _without_stump(whole)
    return heard, whole[len(heard) :].strip()


def _private(text: str, spans: Sequence[_Span]) -> Iterator[str]:
    """Yield the stretches that are not heard, letter by letter."""
    start = end = 0
    for span in spans:
        if not span.heard:
            end = span.end
        elif text[span.start : span.end].strip():
            yield text[start:end]
            start = end = span.end
    yield text[start:end]


def _without_stump(text: str) -> str:
    """Return a text without the beginnings of tags at its very end, such as "</thi"."""
    end = len(text)
    while True:
        start = text.rfind("<", max(0, end - _LONGEST_STUMP), end)
        match = _STUMP.fullmatch(text, start, end) if start >= 0 else None
        if match is None or not _begins(match[2].lower(), shut=bool(match[1])):
            return text[:end]
        end = start
        while end and text[end - 1].isspace():
            end -= 1


def _begins(letters: str, *, shut: bool) -> bool:
    """Return whether a tag may begin so; one letter may be the end of a comparison."""
    if len(letters) < 2:
        return shut
    return any(word.startswith(letters) for word in _STUMPS)
