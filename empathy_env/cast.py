"""Several people in one room, written as YAML: who they are to each other, and who speaks when.

A `Cast` names its people by their persona files, says for each how they stand to each of the others
(`toward`), and gives the rule of turns. docs/casts.md explains all of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, get_args

from pydantic import Field, model_validator

from empathy_env.acts import Need
from empathy_env.company import MOST_PEOPLE, between, contradictions
from empathy_env.document import Node, fields_of, placed, plain, read_document
from empathy_env.errors import InvalidArgument, InvalidPersona, Problem, UnknownName, closest
from empathy_env.library import content_dir, persona_names, read_persona
from empathy_env.lineage import read_lineage
from empathy_env.persona import Line, Persona, Slug, Split, Strict, Text, Unit, validated

TurnRule = Literal["moderated", "round-robin", "addressed-next", "free"]
TURN_RULES: Final[tuple[TurnRule, ...]] = get_args(TurnRule)
CAST_FILE: Final = "cast.yaml"
"""How the file of a bundled cast is called; its people's files stand beside it."""
STRANGER: Final = "somebody they hardly know"
LONGEST_NAME: Final = 200
"""Most characters of what names a persona in a cast's file."""


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


class Setting(Strict):
    """What a cast says besides its people."""

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


class Cast(Setting):
    """Who is in the room. Two to six people, each a whole persona."""

    people: Annotated[tuple[Member, ...], Field(min_length=2, max_length=MOST_PEOPLE)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = between(self.to_data())
        if found:
            raise ValueError("; ".join(map(str, found)))
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names by which they are addressed, in the order of the seats."""
        return tuple(member.name for member in self.people)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of their personas, in the order of the seats."""
        return tuple(member.persona.id for member in self.people)

    @cached_property
    def ranks(self) -> tuple[int, ...]:
        """For each seat a number that belongs to its person, whatever the order of the seats."""
        return tuple(map(sorted(self.ids).index, self.ids))

    def toward(self, one: int, other: int) -> Toward:
        """Return how the person in seat `one` stands to the one in seat `other`."""
        return self._towards[one, other]

    @cached_property
    def _towards(self) -> dict[tuple[int, int], Toward]:
        said = {
            (seat, self.ids.index(toward.who)): toward
            for seat, member in enumerate(self.people)
            for toward in member.toward
        }
        pairs = permutations(range(len(self.people)), 2)
        return {
            pair: said.get(pair) or Toward(who=self.ids[pair[1]], relation=STRANGER)
            for pair in pairs
        }

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


class Entry(Strict):
    """One of the people as the file has them, by name."""

    persona: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_NAME,
            description="the name of a bundled persona, or a path ending in .yaml",
        ),
    ]
    """Who it is. A path counts from the folder of the cast, and may lead out of it."""
    toward: tuple[Toward, ...] = ()
    """How they stand to the others; to whom there is no entry, they hardly know."""


class Script(Setting):
    """A cast as its file has it: the people stand in files of their own."""

    people: Annotated[tuple[Entry, ...], Field(min_length=2, max_length=MOST_PEOPLE)]
    """Who is there, in the order of their seats."""

    @classmethod
    def parse(cls, data: object, *, source: str = "cast") -> Script:
        """Build the script from plain data.

        Raises:
            InvalidPersona: Listing every problem with the path of its field.
        """
        return validated(cls, data, source=source, contradicted=lambda _: ())


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
        InvalidArgument: If it is none of these.
    """
    if isinstance(cast, Cast):
        return cast
    if not isinstance(cast, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        instead = "; a Persona is given as persona=" if isinstance(cast, Persona) else ""
        kind = type(cast).__name__
        raise InvalidArgument(f"cast: expected a name, a path or a Cast, got {kind}{instead}")
    if isinstance(cast, os.PathLike) or cast.endswith((".yaml", ".yml")):
        return read_cast(Path(cast))
    names = cast_names()
    if cast not in names:
        raise UnknownName.among("cast", cast, names, _hint(cast))
    return _bundled(cast)


def _hint(name: str) -> str:
    """Return what to do about a name that no bundled cast has."""
    if name in persona_names():
        return "It is one persona: give it as persona=."
    if os.path.isfile(os.path.join(name, CAST_FILE)):
        return f"It is a folder: give {os.path.join(name, CAST_FILE)!r}."
    return "A path must end in .yaml."


@cache
def _bundled(name: str) -> Cast:
    room = read_room(casts_dir() / name / CAST_FILE)
    if room.root is not None and not room.problems and room.data["id"] != name:
        message = f"is {room.data['id']!r}; the names of a cast and its folder must agree"
        raise InvalidPersona.listing([placed(Problem("name", message, ("id",)), room.root)])
    return room.loaded


def read_cast(path: Path) -> Cast:
    """Read a cast's file and those of its people.

    Raises:
        InvalidPersona: If anything is wrong with one of them; it lists everything that is.
    """
    return read_room(path).loaded


class Room(NamedTuple):
    """What the file of a cast and those of its people hold, and what is wrong with them.

    Attributes:
        data: The cast as far as it could be read.
        root: The same of its own file, with places; None if nothing could be read.
        problems: All that is wrong with any of the files.
        files: For each of the people, of six at most, their own file; None if there is none, or
            if it is that of a bundled persona.
    """

    data: dict[str, Any]
    root: Node | None
    problems: tuple[Problem, ...]
    files: tuple[Path | None, ...] = ()

    @property
    def loaded(self) -> Cast:
        """The cast.

        Raises:
            InvalidPersona: If anything is wrong; it lists everything that is.
        """
        if self.problems:
            raise InvalidPersona.listing(self.problems)
        return Cast.parse(self.data)


def read_room(path: Path) -> Room:
    """Read a cast's file and those of its people, whatever is wrong with them."""
    document = read_document(path, kind="cast")
    root = document.root
    if root is None:
        return Room({}, None, document.problems)
    data = plain(root)
    if data.get("kind") == "persona" or ("extends" in data and "people" not in data):
        found = Problem("kind", "is one persona, and no cast", ("kind",), "Give it as persona=.")
        return Room({}, root, (*document.problems, placed(found, root)))
    problems = list(document.problems)
    try:
        Script.parse(data)
    except InvalidPersona as error:
        problems += (placed(problem, root) for problem in error.problems)
    files: list[Path | None] = []
    for number, named in enumerate(_names(root)):
        person = _person(named, number, path) if named is not None else _Person()
        files.append(person.file)
        # What two of them inherit from a third that is broken is said once.
        problems += (problem for problem in person.problems if problem not in problems)
        if named is not None:
            data["people"][number]["persona"] = person.data
    problems += (placed(problem, root) for problem in between(data))
    return Room(data, root, tuple(problems), tuple(files))


def _names(root: Node) -> list[Node | None]:
    """Return for each of the people, of six at most, where they are named; None: they are not."""
    people = fields_of(root).get("people")
    nodes = people.value if people is not None and isinstance(people.value, list) else []
    named = (fields_of(node).get("persona") for node in nodes[:MOST_PEOPLE])
    return [node if node is not None and isinstance(node.value, str) else None for node in named]


class _Person(NamedTuple):
    data: Any = None
    file: Path | None = None
    problems: tuple[Problem, ...] = ()


def _person(named: Node, number: int, path: Path) -> _Person:
    """Read the persona that is named; what is wrong with it is among the problems."""
    name = str(named.value)
    if not name or len(name) > LONGEST_NAME:
        return _Person()  # that is said by the schema
    field, own = ("people", number, "persona"), name.endswith((".yaml", ".yml"))
    file = path.parent / name if own else content_dir("personas") / f"{name}.yaml"
    if own and not os.path.isfile(file):  # never raises, whatever the name
        near = closest(name, (beside.name for beside in path.parent.glob("*.yaml")))
        hint = f"Did you mean {near!r}?" if near else "A path counts from the folder of the cast."
        problem = Problem("persona", f"there is no file {name!r}", field, hint, *named.place)
        return _Person(problems=(problem,))
    if not own and name not in persona_names():
        near = closest(name, persona_names())
        hint = f"Did you mean {near!r}?" if near else "A path must end in .yaml."
        message = f"there is no bundled persona {name!r}"
        return _Person(problems=(Problem("persona", message, field, hint, *named.place),))
    try:
        return _Person(read_persona(file).to_data(), file if own else None)
    except InvalidPersona as error:
        root = read_lineage(file, content_dir("personas")).root
        data = None if root is None else plain(root)
        if data is not None and data.get("kind") == "cast":
            data = None  # its id is nobody's
        return _Person(data, file if own else None, error.problems)


def in_company(cast: Cast, seat: int, needs: Sequence[Need]) -> Persona:
    """Return the persona in a seat, with the others in the story by which they are played.

    Args:
        cast: Who is there.
        seat: Whose story.
        needs: What each of them needs in this episode, by seat: nobody can know what only another
            need would tell.
    """
    persona = cast.people[seat].persona
    said = [cast.situation]
    for other, member in enumerate(cast.people):
        if other == seat:
            continue
        toward = cast.toward(seat, other)
        said.append(f"{member.name} is here too: {toward.relation}.")
        theirs = _texts(member.persona, needs[other])
        known = [theirs[item.fact] for item in toward.knows if item.fact in theirs]
        if known:
            said.append(f"What {cast.names[seat]} knows of {member.name}: {' '.join(known)}")
    # Their own story comes last: facts that follow it are theirs, and not what they know of others.
    story = "\n\n".join(text.strip() for text in (*said, persona.happened))
    return persona.model_copy(update={"happened": story})


def _texts(persona: Persona, need: Need) -> dict[str, str]:
    """Return what there is to be known of somebody in an episode, by id."""
    facts = {fact.id: fact.text for fact in (*persona.facts, *persona.variant(need).facts)}
    feelings = {feeling.id: feeling.text for feeling in persona.feelings}
    return {**facts, **feelings, **{belief.id: belief.believes for belief in persona.beliefs}}
