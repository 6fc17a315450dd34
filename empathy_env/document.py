"""One YAML document, read with care: as plain values, each with the place where it stands.

A persona file may come from anybody. So its size and depth are bounded, references (`&`, `*`)
are refused before anything is copied, tags build nothing, and what YAML would let pass in silence
(a key given twice, a second document) is a `Problem`. All of them are listed, in one reading; only
a mistake in the YAML itself ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from empathy_env.errors import MAX_PROBLEMS as MAX_PROBLEMS
from empathy_env.errors import Problem, bounded
from empathy_env.source import (
    MAX_DEPTH,
    SURROGATES,
    Place,
    Source,
    events,
    read_source,
    real,
    surrogate,
    syntax_problems,
)

Field = tuple[str | int, ...]
"""Keys and list indexes that lead from the top to a value."""
Scalar = str | int | float | date | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands."""

    value: Scalar | dict[str, Node] | list[Node]
    place: Place
    key: Place
    """Where its key stands; in a list, where the value does."""
    bare: str = ""
    """A number, truth value or date as it is written, without quotes."""


class Document(NamedTuple):
    """What could be read, and what is wrong with it.

    Attributes:
        root: The mapping at the top, or None if nothing could be read.
        problems: All that is wrong with the file as YAML.
    """

    root: Node | None
    problems: tuple[Problem, ...]


def plain(node: Node) -> Any:
    """Return the value with all nodes in it unwrapped.

    >>> here = Place("a.yaml", 1, 1)
    >>> plain(Node([Node("x", here, here)], here, here))
    ['x']
    """
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def leaves(value: object, field: Field = ()) -> Iterator[tuple[Field, str]]:
    """Yield the texts in plain data, each with its field.

    >>> list(leaves({"tags": ["x", 3]}))
    [(('tags', 0), 'x')]
    """
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from leaves(item, (*field, key))
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[Any]", value)):
            yield from leaves(item, (*field, number))


def fields_of(node: Node) -> dict[str, Node]:
    """Return the fields of a mapping in a new dict; of anything else, none."""
    return dict(node.value) if isinstance(node.value, dict) else {}


def find(root: Node, path: Field) -> tuple[Node, bool]:
    """Return the node that the path leads to, or the last on the way; and whether it is there."""
    node = root
    for step in path:
        inner = node.value
        if isinstance(inner, dict) and step in inner:
            node = inner[str(step)]
        elif isinstance(inner, list) and isinstance(step, int) and step < len(inner):
            node = inner[step]
        else:
            return node, False
    return node, True


def one_value(root: Node, field: Field, other: Node, place: Field) -> bool:
    """Whether two trees have one value of one file there: one of them inherits it."""
    ours, here = find(root, field)
    theirs, there = find(other, place)
    if not (here and there) or ours.place[1:] != theirs.place[1:]:
        return False
    return real(Path(ours.place.file)) == real(Path(theirs.place.file))


def placed(problem: Problem, root: Node) -> Problem:
    """Return the problem with file, line and column, and with a word on what YAML made of it.

    That is the value's place; the key's if the key should not be there, or if the value begins
    further down. What is missing is placed by the key that it should stand under.
    """
    node, there = find(root, problem.field)
    by_key = not there or problem.rule == "unknown-key" or node.place.line > node.key.line
    place = node.key if by_key else node.place
    hint = problem.hint
    if problem.rule == "not-text" and there and node.bare:
        hint = f'YAML reads {_meant(node)}: put it in quotes, "{node.bare}".'
    return problem._replace(file=place.file, line=place.line, column=place.column, hint=hint)


def _meant(node: Node) -> str:
    """Say what YAML makes of something without quotes."""
    value = node.value
    if isinstance(value, bool):
        return f"a bare {node.bare} as {str(value).lower()}"
    if isinstance(value, date):
        return f"a bare {node.bare} as a date"
    return f"a bare {node.bare} as the number {value}"


def read_document(path: Path, *, kind: Literal["persona", "cast"] = "persona") -> Document:
    """Read a file.

    It never raises for what the file holds or that it cannot be read: all that is a problem.

    Args:
        path: The file.
        kind: What it is meant to be, for the messages.
    """
    source, problems = read_source(path)
    if source is None:
        return Document(None, tuple(problems))
    reading = _Reading(source, problems, kind)
    root = reading.read()
    # What is odd in two ways at one place is said once.
    first = {(p.line, p.column, p.rule == "many"): p for p in reversed(reading.problems)}
    ordered = sorted(first.values(), key=lambda p: (p.line, p.column))
    return Document(root, tuple(bounded(ordered)))


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read yet."""

    node: Node
    path: Field
    key: str | None = None
    """Of a mapping: the key whose value comes next."""
    key_place: Place | None = None
    dropped: bool = False
    """Whether the value that comes next is left out."""

    @property
    def next_path(self) -> Field:
        if isinstance(self.node.value, list):
            return (*self.path, len(self.node.value))
        return self.path if self.key is None else (*self.path, self.key)


@dataclass(slots=True)
class _Reading:
    """One pass over the events of a YAML text.

    PyYAML's own composer is not used: it recurses, follows references, and forgets places.
    """

    source: Source
    problems: list[Problem]
    kind: str
    open: list[_Open] = field(default_factory=list[_Open])
    root: Node | None = None

    def read(self) -> Node | None:
        """Return the mapping at the top, or None."""
        try:
            whole = self.build(events(self.source))
        except yaml.MarkedYAMLError as error:
            self.problems += syntax_problems(error, self.source)
            return None
        if not whole:
            return None
        if self.root is None or not isinstance(self.root.value, dict):
            value = None if self.root is None else self.root.value
            got = "a list" if isinstance(value, list) else "text" if value else "nothing"
            self.add(
                "no-mapping",
                f"a {self.kind} file is a mapping of fields, and this is {got}",
                self.source.at(0),
                hint=f"Begin with the line 'kind: {self.kind}'.",
            )
            return None
        return self.root

    def build(self, found: Iterator[yaml.Event]) -> bool:
        """Build the tree; return False if the rest was not read."""
        documents = 0
        for event in found:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.add(
                        "documents",
                        "a second document begins here; a file holds one",
                        self.at(event),
                        hint="Delete the line '---' and what follows it.",
                    )
                    return True
            elif isinstance(event, yaml.CollectionEndEvent):
                closed = self.open.pop()
                self.put(closed.node)
            elif isinstance(event, yaml.NodeEvent) and not self.node(event):
                return False
            if len(self.problems) > MAX_PROBLEMS:
                self.add("many", "there are more problems than can be listed", self.at(event))
                return False
        return True

    def node(self, event: yaml.NodeEvent) -> bool:
        """Take in the beginning of a node; return False if the reading must end."""
        place = self.at(event)
        top = self.open[-1] if self.open else None
        path = top.next_path if top else ()
        key = top.key_place if top and top.key_place else place
        if isinstance(event, yaml.AliasEvent):
            if not (top and top.dropped):
                self.add(
                    "reference",
                    f"'*{event.anchor}' is a reference, which is not used here",
                    place,
                    path,
                    "If it is text, put it in quotes.",
                )
            self.put(Node(None, place, key))
            return True
        if event.anchor:
            self.add(
                "reference",
                f"'&{event.anchor}' is an anchor, which is not used here",
                place,
                path,
                "If it is text, put it in quotes.",
            )
        if isinstance(event, yaml.ScalarEvent):
            self.put(self.scalar(event, place, key, path))
            return True
        tag = cast("str | None", event.tag)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        self.refuse_tag(tag, place, path)
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.open.append(_Open(Node(value, place, key), path))
        if len(self.open) > MAX_DEPTH:
            message = f"lists and mappings lie more than {MAX_DEPTH} deep in each other here"
            self.add("depth", message, place)
            return False
        return True

    def put(self, node: Node) -> None:
        """Give a finished node to what it stands in."""
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif isinstance(top.node.value, dict):
            if top.key is None and not top.dropped:
                self.put_key(top, top.node.value, node)
                return
            if top.key is not None:
                top.node.value[top.key] = node
            top.key, top.key_place, top.dropped = None, None, False

    def put_key(self, top: _Open, given: dict[str, Node], node: Node) -> None:
        """Take a finished node for the key of what comes next."""
        key = node.bare or node.value
        if not isinstance(key, str):
            self.add("key", "a key must be plain text", node.place, top.path)
            top.dropped = True
        elif key == "<<":
            self.add(
                "reference",
                "'<<' merges a reference, which is not used here",
                node.place,
                top.path,
                "To build on another file, use 'extends:'.",
            )
            top.dropped = True
        elif key in given:
            first = given[key].key.line
            self.add(
                "duplicate-key",
                f"the key {key!r} is given twice, first in line {first}",
                node.place,
                (*top.path, key),
                "Keep one of the two.",
            )
            top.dropped = True
        else:
            if node.bare:
                self.add(
                    "key",
                    f"a key must be plain text, and YAML reads {_meant(node)}",
                    node.place,
                    (*top.path, key),
                    f'Put it in quotes: "{key}".',
                )
            top.key, top.key_place = key, node.place

    def scalar(self, event: yaml.ScalarEvent, place: Place, key: Place, path: Field) -> Node:
        """Return the node of a scalar: only what is written without quotes may be no text."""
        value = event.value
        if message := surrogate(value):
            self.add("encoding", message, place, path, "Write the character itself.")
            value = SURROGATES.sub("\ufffd", value)
        self.refuse_tag(event.tag, place, path)
        if event.tag is not None or not event.implicit[0]:
            return Node(value, place, key)
        tag = cast("str", _RESOLVER.resolve(yaml.ScalarNode, value, (True, False)))  # pyright: ignore[reportUnknownMemberType]
        make = _MAKERS.get(tag)
        if make is None:
            return Node(value, place, key)
        try:
            made: Any = make(_CONSTRUCTOR, yaml.ScalarNode(tag, value))
            str(made)  # fails for a number of thousands of digits, which hexadecimal ones may have
        except (ValueError, OverflowError):
            self.add(
                "value",
                f"YAML takes {value[:40]} for a date or number that does not exist",
                place,
                path,
                "If it is text, put it in quotes.",
            )
            return Node(value, place, key)
        return Node(made, place, key, bare="" if made is None else value)

    def refuse_tag(self, tag: str | None, place: Place, path: Field) -> None:
        if tag is not None:
            written = tag.replace("tag:yaml.org,2002:", "!!")
            self.add(
                "tag",
                f"'{written[:60]}' is a tag, which is not used here",
                place,
                path,
                "If it is text that begins with '!', put it in quotes.",
            )

    def at(self, event: yaml.Event) -> Place:
        return self.source.at(event.start_mark.index)

    def add(self, rule: str, message: str, place: Place, path: Field = (), hint: str = "") -> None:
        self.problems.append(Problem(rule, message, path, hint, *place))


_RESOLVER: Final = Resolver()
_CONSTRUCTOR: Final = SafeConstructor()
_MAKERS: Final = {
    "tag:yaml.org,2002:null": SafeConstructor.construct_yaml_null,
    "tag:yaml.org,2002:bool": SafeConstructor.construct_yaml_bool,
    "tag:yaml.org,2002:int": SafeConstructor.construct_yaml_int,
    "tag:yaml.org,2002:float": SafeConstructor.construct_yaml_float,
    "tag:yaml.org,2002:timestamp": SafeConstructor.construct_yaml_timestamp,
}
