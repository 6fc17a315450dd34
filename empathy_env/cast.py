"""Several people in one room, written as YAML: who they are to each other, and who speaks when.

A `Cast` names its people by their persona files, says for each how they stand to each of the others
(`toward`), and gives the rule of turns. docs/casts.md explains all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, cast, get_args

from pydantic import Field, model_validator

from empathy_env.document import Document, Node, fields_of, placed, plain, read_document
from empathy_env.errors import InvalidPersona, Problem, UnknownName, closest
from empathy_env.library import content_dir, load_persona, read_persona
from empathy_env.persona import Line, Persona, Slug, Split, Strict, Text, Unit, validated

TurnRule = Literal["moderated", "round-robin", "addressed-next", "free"]
TURN_RULES: Final[tuple[TurnRule, ...]] = get_args(TurnRule)
CAST_FILE: Final = "cast.yaml"
"""How the file of a bundled cast is called; its people's files stand beside it."""


class Known(Strict):
    """Something that one knows of another."""

    fact: Slug
    """Id of one of the other's facts, feelings or beliefs."""
    slips: Line | None = None
    """What they say when they let it out in anger; None: they keep it to themselves."""


class Toward(Strict):
    """How one person stands to another."""

    who: Slug
    """Id of the other's persona."""
    relation: Line
    """What the other is to them, such as: her husband of nine years."""
    closeness: Unit = 0.3
    """How far a change of the other's emotion moves theirs."""
    tension: Unit = 0.2
    """How quick they are to turn on the other, and how much it hurts to be contradicted."""
    concerns: tuple[Slug, ...] = ()
    """Ids of their own facts, feelings and beliefs that are held against the other: whoever
    takes their side in one of these takes it against the other."""
    knows: tuple[Known, ...] = ()
    """What they know of what the other may be hiding."""
    harsh: tuple[Line, ...] = ()
    """What they say to the other when it goes badly; each names whom it is said to."""
    warm: tuple[Line, ...] = ()
    """What they say to the other when it goes well; each names whom it is said to."""


class Member(Strict):
    """One of the people, and how they stand to the others."""

    persona: Persona
    toward: tuple[Toward, ...] = ()

    @property
    def name(self) -> str:
        """The name by which they are addressed: the first of their names."""
        return self.persona.identity.name.split()[0]


class Cast(Strict):
    """Who is in the room. Two to six people, each a whole persona."""

    kind: Literal["cast"]
    id: Slug
    version: Annotated[int, Field(ge=1, description="a whole number from 1 up")] = 1
    author: Line
    language: Annotated[
        str, Field(pattern=r"^[a-z]{2}$", description="two lower-case letters, such as en")
    ] = "en"
    split: Split
    tags: tuple[Slug, ...] = ()
    situation: Text
    """What has brought them together, in the third person."""
    turns: TurnRule = "addressed-next"
    """Who speaks when; see `empathy_env.floor`."""
    people: Annotated[tuple[Member, ...], Field(min_length=2, max_length=6)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = list(contradictions(self.to_data()))
        if found:
            raise ValueError("; ".join(map(str, found)))
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which they are addressed, in the order of the seats."""
        return tuple(member.name for member in self.people)

    def toward(self, one: int, other: int) -> Toward:
        """Return how the person in seat `one` stands to the one in seat `other`."""
        who = self.people[other].persona.id
        for toward in self.people[one].toward:
            if toward.who == who:
                return toward
        return Toward(who=who, relation="somebody they hardly know")

    @property
    def ranks(self) -> tuple[int, ...]:
        """For each seat a number that belongs to its person, whatever the order of the seats."""
        ids = sorted(member.persona.id for member in self.people)
        return tuple(ids.index(member.persona.id) for member in self.people)

    @classmethod
    def parse(cls, data: object, *, source: str = "cast") -> Cast:
        """Build a cast from plain data in which each persona stands in full.

        Raises:
            InvalidPersona: Listing every problem with the path of its field.
        """
        return validated(cls, data, source=source, contradicted=contradictions)

    def to_data(self) -> dict[str, Any]:
        """Return the cast as plain JSON data; `Cast.parse` is the inverse."""
        return self.model_dump(mode="json", by_alias=True)


def contradictions(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what contradicts itself in the data of a cast, of whatever form they are."""
    people = [_mapping(one) for one in _items(data.get("people"))]
    personas = [_mapping(one.get("persona")) for one in people]
    ids = [persona.get("id") for persona in personas]
    names = [_first_name(persona) for persona in personas]
    for what, values in (("persona", ids), ("first name", names)):
        for number, value in enumerate(values):
            if isinstance(value, str) and value in values[:number]:
                message = f"a second {what} {value!r}: whoever speaks to one would speak to both"
                yield Problem("duplicate-person", message, ("people", number, "persona"))
    own = [_ids(persona) for persona in personas]
    for number, one in enumerate(people):
        seen: set[object] = set()
        for index, toward in enumerate(map(_mapping, _items(one.get("toward")))):
            path = ("people", number, "toward", index)
            who = toward.get("who")
            others = [str(other) for place, other in enumerate(ids) if place != number]
            if who not in others:
                near = closest(str(who), others)
                hint = f"Did you mean {near!r}?" if near else f"There are: {', '.join(others)}."
                yield Problem("unknown-id", f"{who!r} is none of the others", (*path, "who"), hint)
                continue
            if who in seen:
                yield Problem("duplicate-id", f"a second entry toward {who!r}", (*path, "who"))
            seen.add(who)
            known = [_mapping(item).get("fact") for item in _items(toward.get("knows"))]
            yield from _unknown(toward.get("concerns"), own[number], (*path, "concerns"))
            yield from _unknown(known, own[ids.index(who)], (*path, "knows"))


def _unknown(names: object, known: list[str], path: tuple[str | int, ...]) -> Iterator[Problem]:
    for place, name in enumerate(_items(names)):
        if isinstance(name, str) and name not in known:
            near = closest(name, known)
            hint = f"Did you mean {near!r}?" if near else f"There are: {', '.join(known)}."
            message = f"{name!r} is no fact, feeling or belief of theirs"
            yield Problem("unknown-id", message, (*path, place), hint)


def _ids(persona: Mapping[str, Any]) -> list[str]:
    variants = [_mapping(one).get("facts") for one in _items(persona.get("needs"))]
    lists = [persona.get("facts"), persona.get("feelings"), persona.get("beliefs"), *variants]
    return [str(_mapping(item).get("id")) for one in lists for item in _items(one)]


def _first_name(persona: Mapping[str, Any]) -> str | None:
    name = _mapping(persona.get("identity")).get("name")
    return name.split()[0].lower() if isinstance(name, str) and name.split() else None


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _items(value: object) -> list[Any]:
    return [*cast("list[Any]", value)] if isinstance(value, (list, tuple)) else []


CastSpec = str | os.PathLike[str] | Cast
"""A cast: its bundled name, a path to its YAML file, or the value itself."""


def casts_dir() -> Path:
    """Return the folder of the bundled casts; each has a folder of its own."""
    return content_dir("personas") / "casts"


def cast_names() -> list[str]:
    """Return the names of the bundled casts, sorted."""
    return sorted(path.parent.name for path in casts_dir().glob(f"*/{CAST_FILE}"))


def load_cast(cast: CastSpec) -> Cast:
    """Return a cast, given its bundled name, a path to a YAML file, or the value itself.

    Raises:
        UnknownName: If no bundled cast has the name.
        InvalidPersona: If the file, or one of its people's, breaks a rule.
    """
    if isinstance(cast, Cast):
        return cast
    if isinstance(cast, os.PathLike) or cast.endswith((".yaml", ".yml")):
        return read_cast(Path(cast))
    names = cast_names()
    if cast not in names:
        raise UnknownName.among("cast", cast, names, "A path must end in .yaml.")
    return _bundled(cast)


@cache
def _bundled(name: str) -> Cast:
    return read_cast(casts_dir() / name / CAST_FILE)


def read_cast(path: Path) -> Cast:
    """Read a cast's file and those of its people.

    Raises:
        InvalidPersona: If anything is wrong with one of them; it lists everything that is.
    """
    document = read_document(path)
    if document.root is None:
        raise InvalidPersona.listing(document.problems)
    data = plain(document.root)
    problems = [*document.problems, *_peopled(data, document, path)]
    if problems:
        raise InvalidPersona.listing(problems)
    try:
        return Cast.parse(data)
    except InvalidPersona as error:
        raise InvalidPersona.listing(placed(p, document.root) for p in error.problems) from error


def _peopled(data: dict[str, Any], document: Document, path: Path) -> Iterator[Problem]:
    """Put each persona in the place of its name; yield what is wrong with them."""
    root = cast("Node", document.root)
    people = fields_of(root).get("people")
    nodes = people.value if people is not None and isinstance(people.value, list) else []
    for number, node in enumerate(nodes):
        named = fields_of(node).get("persona")
        if named is None:
            continue  # that it is missing is said by the schema
        name = named.value
        if not isinstance(name, str):
            message = "must be the name of a bundled persona, or a path ending in .yaml"
            yield Problem("type", message, ("people", number, "persona"), "", *named.place)
            continue
        try:
            data["people"][number]["persona"] = _persona(name, path).to_data()
        except InvalidPersona as error:
            yield from error.problems
        except UnknownName as error:
            yield Problem("persona", str(error), ("people", number, "persona"), "", *named.place)


def _persona(name: str, path: Path) -> Persona:
    if not name.endswith((".yaml", ".yml")):
        return load_persona(name)
    beside = path.parent / name
    if not beside.is_file():
        near = closest(name, (file.name for file in path.parent.glob("*.yaml")))
        hint = f"Did you mean {near!r}?" if near else "A path counts from the folder of the cast."
        raise UnknownName(f"there is no file {name!r}. {hint}")
    return read_persona(beside)
