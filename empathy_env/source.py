"""The text of a YAML file: read, decoded, and cut into events; or the problems with it.

What is wrong here is wrong before any field is looked at: a file that cannot be read or is too
long, an encoding that is not UTF-8, tabs, brackets and quotation marks that are not closed. The
messages are for somebody who writes a persona and has never heard of a parser.
"""

from __future__ import annotations

import codecs
import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple, cast

import yaml

from empathy_env.errors import MAX_PROBLEMS, Problem

MAX_BYTES: Final = 256 * 1024
"""Longest file, in bytes: a dozen times a long persona."""
MAX_DEPTH: Final = 16
"""Most levels of lists and mappings within each other: twice what a persona has."""


class Place(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """The text of a file."""

    file: str
    text: str

    def at(self, index: int) -> Place:
        """Return the place of the character with this index.

        >>> Source("a.yaml", "abcd").at(3)
        Place(file='a.yaml', line=1, column=4)
        """
        line = bisect_left(self._breaks, index)
        return Place(self.file, line, index - self._breaks[line - 1])

    @cached_property
    def _breaks(self) -> list[int]:
        # As editors count: YAML would take U+2028 and others for the end of a line, too.
        return [-1, *(match.end() - 1 for match in re.finditer(r"\r\n?|\n", self.text))]


def real(path: Path) -> Path:
    """Return the path without symbolic links, as far as they lead anywhere; it never raises."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # a character that no path can have
        return path


def surrogate(text: str) -> str:
    r"""Say which half of a character pair a text holds, or return "" if it holds none.

    >>> surrogate("Ada \ud801")
    'holds U+D801, which is half of a character and none by itself'
    """
    found = SURROGATES.search(text)
    half = "which is half of a character and none by itself"
    return f"holds U+{ord(found[0]):04X}, {half}" if found else ""


SURROGATES: Final = re.compile("[\ud800-\udfff]")
"""Halves of a character pair, as JSON escapes may name them; no text in UTF-8 can hold one."""


def read_source(path: Path) -> tuple[Source | None, list[Problem]]:
    """Return the text of a file, if it can be read, and what is wrong with it.

    What is no UTF-8 becomes U+FFFD, so that the rest can be looked at as well.
    """
    file = str(path)
    raw = _raw(path)
    if isinstance(raw, str):
        return None, [Problem("file", f"cannot be read ({raw})", file=file)]
    if len(raw) > MAX_BYTES:
        message = f"is longer than {MAX_BYTES // 1024} KiB, which no such file needs to be"
        return None, [Problem("file", message, file=file)]
    if wide := _wide(raw):
        message = f"is not UTF-8; it looks like {wide}"
        return None, [Problem("encoding", message, (), _SAVE, file, 1, 1)]
    return _decoded(raw.removeprefix(b"\xef\xbb\xbf"), file)


def _raw(path: Path) -> bytes | str:
    """Return what a file holds, no more than is too long; or why it cannot be read."""
    try:
        # To open a pipe would wait for somebody who writes.
        if not S_ISREG(path.stat().st_mode):
            return "it is no regular file"
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        return error.strerror or type(error).__name__
    except ValueError:
        return "no path can hold such a character"


def _wide(raw: bytes) -> str:
    """Return the encoding of several bytes a character that a text seems to have, or ""."""
    zeros = raw.count(0)  # in plain English 3 of 4 bytes, or 1 of 2
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) or 8 * zeros > 5 * len(raw):
        return "UTF-32"
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or 4 * zeros > len(raw):
        return "UTF-16"
    return ""


_SAVE: Final = "Save the file as UTF-8."
# What YAML takes for text; PyYAML has the same rule, and says it in bytes.
_UNPRINTABLE: Final = re.compile(
    "[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


def _decoded(raw: bytes, file: str) -> tuple[Source, list[Problem]]:
    problems: list[Problem] = []
    source = Source(file, raw.decode("utf-8", errors="replace"))
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = source.at(len(raw[: error.start].decode("utf-8")))
        problems.append(_undecodable(raw[error.start], place))
    for match in islice(_UNPRINTABLE.finditer(source.text), MAX_PROBLEMS + 1):
        message = f"holds the control character U+{ord(match[0]):04X}, which YAML does not allow"
        problems.append(Problem("encoding", message, (), "Delete it.", *source.at(match.start())))
    return Source(file, _UNPRINTABLE.sub("\ufffd", source.text)), problems


def _undecodable(byte: int, place: Place) -> Problem:
    meant = bytes([byte]).decode("cp1252", errors="replace")
    message = f"is not UTF-8: the byte 0x{byte:02X} begins no character here"
    if meant != "\ufffd":
        message += f"; in Windows-1252 or Latin-1 it would be {meant!r}"
    return Problem("encoding", message, (), _SAVE, *place)


def events(source: Source) -> Iterator[yaml.Event]:
    """Return the events of a text: no value is built and no reference followed.

    Raises:
        yaml.MarkedYAMLError: While they are taken, where the text is no YAML.
    """
    # The parser in C is twenty times as fast. The one in Python is there always, and its messages
    # and places are those that `_SYNTAX` knows.
    fast = getattr(yaml, "CSafeLoader", None)
    if fast is not None:
        try:
            return iter(_shallow(_parsed(source.text, fast)))
        except yaml.YAMLError:
            pass
    return _parsed(source.text, _Slow)


def _parsed(text: str, loader: type[yaml.SafeLoader]) -> Iterator[yaml.Event]:
    return cast("Iterator[yaml.Event]", yaml.parse(text, loader))  # pyright: ignore[reportUnknownMemberType]


class _Slow(yaml.SafeLoader):
    """The parser in Python, which lets an escape pass that is no character, and then fails."""

    def scan_flow_scalar_non_spaces(self, double: bool, start_mark: yaml.Mark) -> list[str]:
        """Return the next piece of a text in quotes."""
        try:
            return cast("list[str]", super().scan_flow_scalar_non_spaces(double, start_mark))  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
        except (ValueError, OverflowError) as error:
            mark = cast("yaml.Mark", self.get_mark())  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
            raise yaml.MarkedYAMLError(None, None, "escape of no character", mark) from error


def _shallow(found: Iterator[yaml.Event]) -> list[yaml.Event]:
    """Return the events up to the first that lies too deep: what is after it is not looked at."""
    kept: list[yaml.Event] = []
    depth = 0
    for event in found:
        kept.append(event)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            break
    return kept


def syntax_problems(error: yaml.MarkedYAMLError, source: Source) -> list[Problem]:
    """Say in plain words why this is no YAML: the tabs before that place, or what is wrong."""
    mark = error.problem_mark or error.context_mark
    index = min(mark.index, len(source.text)) if mark else 0
    place = source.at(index)
    tabs = [source.at(index) for index in _tabs(source.text)]
    before = [tab for tab in tabs if tab.line <= place.line]
    message = "a tab indents this line; YAML allows spaces only"
    # Who indents by tabs does so everywhere: the lines further down are listed with the first.
    listed = tabs[: MAX_PROBLEMS + 1] if before else []
    found = [Problem("tab", message, (), _SPACES, *tab) for tab in listed]
    if before and before[-1].line >= place.line - 1:
        return found  # the rest follows from these
    if source.text[index : index + 1] == "\t":
        message = "a tab stands where YAML allows spaces only"
        return [*found, Problem("tab", message, (), _SPACES, *place)]
    said = " ".join(filter(None, (error.context, error.problem)))
    for piece, message, hint in _SYNTAX:
        if piece in said:
            if piece in _FROM_CONTEXT and error.context_mark:
                place = source.at(error.context_mark.index)
            return [*found, Problem("syntax", message, (), hint, *place)]
    message = f"is not readable as YAML from here on ({error.problem})"
    return [*found, Problem("syntax", message, (), "", *place)]


def _tabs(text: str) -> list[int]:
    """Return where tabs indent a line, without those that are part of a text."""
    starts, ends = [-1], [-1]  # texts follow each other
    try:
        for event in _parsed(text, _Slow):
            if isinstance(event, yaml.ScalarEvent):
                starts.append(event.start_mark.index)
                ends.append(event.end_mark.index)
    except yaml.MarkedYAMLError:
        pass  # what is said about it is what this helps to find
    tabs = [match.end() - 1 for match in _TABS.finditer(text)]
    return [tab for tab in tabs if tab >= ends[bisect_left(starts, tab) - 1]]


_SPACES: Final = "Replace it by spaces."
_TABS: Final = re.compile(r"(?:^|(?<=\r)) *\t(?=[ \t]*[^\s#])", re.MULTILINE)
_QUOTE: Final = "If it is text, put all of it in quotes."
_FROM_CONTEXT: Final = ("quoted scalar", "flow sequence", "flow mapping")
"""Mistakes that YAML notices at the end of the file, and whose place is where they began."""
_SYNTAX: Final = (
    (
        "quoted scalar",
        "the quotation mark that opens here is never closed",
        "Close it, or double it ('') where it is part of the text.",
    ),
    ("escape of no character", "no character has this number", "Write the character itself."),
    ("scanning an alias", "a text cannot begin with '*'", _QUOTE),
    ("scanning an anchor", "a text cannot begin with '&'", _QUOTE),
    ("scanning a tag", "a text cannot begin with '!'", _QUOTE),
    ("scanning a directive", "a line cannot begin with '%'", _QUOTE),
    ("cannot start any token", "a text cannot begin with this character", _QUOTE),
    ("block scalar", "after '>' or '|' the text begins in the next line", ""),
    (
        "mapping values are not allowed",
        "a ':' stands where no key can be",
        "If it is part of a text, put the text in quotes; else look at the indentation.",
    ),
    (
        "could not find expected ':'",
        "a line stands here that is neither 'key: value' nor '- item'",
        "Add the ':', or indent the line deeper if it goes on with the text above.",
    ),
    ("flow sequence", "the '[' that opens here is not closed", "Add ']', with ',' between items."),
    ("flow mapping", "the '{' that opens here is not closed", "Add '}', with ',' between fields."),
    (
        "flow node",
        "a '[' or '{' before this place is not closed, or a value is missing here",
        "Look at the brackets and commas before it.",
    ),
    (
        "but found '<scalar>'",
        "text goes on after its closing quotation mark",
        "Put it in the other kind of quotes, or double each inner one.",
    ),
    (
        "expected <block end>",
        "this line does not fit the indentation of those above",
        "Items and fields that belong together begin in one column.",
    ),
    (
        "sequence entries are not allowed",
        "a '-' item cannot stand here",
        "Put the list on a line of its own, or the text in quotes.",
    ),
)
"""What PyYAML says, in pieces; what it means; and what mends it. The first that fits counts."""
