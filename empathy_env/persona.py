"""A person written as YAML: who they are, what happened, what they hide, what they may need.

`load_persona` finds one by name or path, `load_personas` a selection. A `Persona` is a frozen
pydantic model; unknown keys, wrong types and contradictions are errors that name the field.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from empathy_env.acts import NEEDS as NEEDS
from empathy_env.acts import About, Act
from empathy_env.acts import Need as Need
from empathy_env.errors import InvalidArgument, InvalidPersona, UnknownName

Unit = Annotated[float, Field(ge=0.0, le=1.0)]
Signed = Annotated[float, Field(ge=-1.0, le=1.0)]
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Line = Annotated[str, Field(min_length=1, max_length=600)]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
Keyword = Annotated[
    str, Field(pattern=r"^[^\W_A-Z]+(?:[' -]+[^\W_A-Z]+)*$", min_length=2, max_length=40)
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Gate(_Strict):
    """What must hold before something is said. All given conditions must hold at once."""

    trust: Unit = 0.0
    """Least trust, in [0, 1]."""
    acts: tuple[Act, ...] = ()
    """The agent's turn must hold one of these acts; empty: any turn will do."""
    topic: tuple[Slug, ...] = ()
    """The agent's turn must address one of these facts, feelings or beliefs; empty: none needed."""


class Fact(_Strict):
    """Something true of the person's story."""

    id: Slug
    text: Text
    """What is the case, in the third person, for people and models that play the persona."""
    says: Line
    """How the person tells it, in their own voice."""
    words: Annotated[tuple[Keyword, ...], Field(min_length=1)]
    """Lower-case words or short phrases by which an utterance is seen to address it."""
    more: tuple[Line, ...] = ()
    """What the person adds when asked about it again."""
    gate: Gate | None = None
    """When it is told; None: the opening line has told it."""


class Feeling(_Strict):
    """A feeling under the surface."""

    id: Slug
    text: Text
    """The feeling and where it comes from, in the third person."""
    words: Annotated[tuple[Keyword, ...], Field(min_length=1)]
    """Lower-case names of the feeling, as a supporter might say them."""
    says: Line
    """What the person says when it has been named, or has come up, and they trust enough."""
    more: tuple[Line, ...] = ()
    """What the person adds when it comes up again."""
    gate: Gate = Gate(trust=0.3)


class Belief(_Strict):
    """Something that the person holds and that is not so."""

    id: Slug
    believes: Text
    """The mistaken belief, as the person would put it."""
    truth: Text
    """What is really the case."""
    words: Annotated[tuple[Keyword, ...], Field(min_length=1)]
    says: Line
    """How the person brings it up."""
    more: tuple[Line, ...] = ()
    """What the person adds when it comes up again."""
    gate: Gate = Gate(trust=0.2)


class Lines(_Strict):
    """Example lines of a voice, one tuple for each situation."""

    opens_up: tuple[Line, ...] = ()
    guarded: tuple[Line, ...] = ()
    deflects: tuple[Line, ...] = ()
    hurt: tuple[Line, ...] = ()
    relieved: tuple[Line, ...] = ()
    leaves: tuple[Line, ...] = ()


class Answers(_Strict):
    """What the person says to a question that no fact answers, by what is asked about.

    They hold for every need, so they give none away, and tell nothing that a gate keeps.
    """

    own_feeling: tuple[Line, ...] = ()
    own_act: tuple[Line, ...] = ()
    other_person: tuple[Line, ...] = ()
    situation: tuple[Line, ...] = ()
    plan: tuple[Line, ...] = ()
    fault: tuple[Line, ...] = ()


class Voice(_Strict):
    """How the person talks."""

    register_: Literal["plain", "casual", "formal", "texting"] = Field("plain", alias="register")
    verbosity: Literal["terse", "medium", "talkative"] = "medium"
    manner: Text
    """Habits of speech, in prose, for people and models that play the persona."""
    lines: Lines
    answers: Answers = Answers()

    @model_validator(mode="after")
    def _every_situation(self) -> Self:
        short = [
            name for name in Lines.model_fields if len(getattr(self.lines, name)) < _LEAST[name]
        ]
        if short:
            wanted = ", ".join(f"{name} (at least {_LEAST[name]})" for name in short)
            raise ValueError(f"too few example lines for: {wanted}")
        return self


_LEAST: Final = {"opens_up": 4, "guarded": 4, "deflects": 3, "hurt": 4, "relieved": 3, "leaves": 1}


class NeedVariant(_Strict):
    """One thing that the person may be after; reset draws one of the persona's variants."""

    need: Need
    split: Literal["train", "dev", "test"] | None = None
    """Where this cell of persona and need belongs; None: where the persona does."""
    because: Text
    """Why this is what they need, in the third person."""
    met_when: Text
    """What would show that it is met."""
    facts: Annotated[tuple[Fact, ...], Field(min_length=1)]
    """Facts that only this variant tells; they are what gives the need away."""
    lines: Lines = Lines()
    """Lines of this variant's own. It speaks them only after one of its facts has been told."""

    @model_validator(mode="after")
    def _facts_are_gated(self) -> Self:
        bare = [fact.id for fact in self.facts if fact.gate is None]
        if bare:
            raise ValueError(
                f"facts {bare} have no gate, but all variants share the opening: "
                "a fact of one variant cannot have been told there. Give it a gate"
            )
        return self


class Temperament(_Strict):
    """How strongly, how openly and how long, each in [0, 1]; 0.5 is the middle person."""

    reactivity: Unit = 0.5
    """How far a turn moves the emotion."""
    trustfulness: Unit = 0.5
    """How fast trust grows."""
    patience: Unit = 0.5
    """How slowly strain grows."""

    @model_validator(mode="before")
    @classmethod
    def _from_type(cls, value: object) -> object:
        """Accept the name of a type, or a mapping whose `type` gives the defaults."""
        given: dict[str, Any]
        if isinstance(value, str):
            given = {"type": value}
        elif isinstance(value, Mapping):
            given = dict(value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            return value
        if "type" not in given:
            return given
        name = given.pop("type")
        if name not in TEMPERAMENTS:
            raise ValueError(
                f"unknown temperament type {name!r}; there are: {sorted(TEMPERAMENTS)}"
            )
        return {**TEMPERAMENTS[name], **given}


TEMPERAMENTS: Final[Mapping[str, Mapping[str, float]]] = {
    "negative": {"reactivity": 0.7, "trustfulness": 0.4, "patience": 0.3},
    "passive": {"reactivity": 0.35, "trustfulness": 0.55, "patience": 0.7},
    "avoidant": {"reactivity": 0.45, "trustfulness": 0.3, "patience": 0.55},
}
"""RLVER's three main characters (arXiv 2507.03112, appendix), as starting points; the numbers
are ours, in the order of the published means by character (negative lowest)."""


class Reaction(_Strict):
    """An act that this person takes otherwise than their need would have it."""

    act: Act
    about: About | None = None
    """What the act is directed at; None: whatever it is directed at."""
    fit: Signed
    """How it lands, in [-1, 1]; replaces the need's value."""
    because: Text


class Identity(_Strict):
    """Who the person is."""

    name: Line
    age: Annotated[int, Field(ge=12, le=110)]
    pronouns: Line
    occupation: Line
    background: Text


class Persona(_Strict):
    """A person. Shared identity and opening, two to four needs of which one is drawn."""

    kind: Literal["persona"]
    id: Slug
    version: Annotated[int, Field(ge=1)] = 1
    author: Line
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "en"
    split: Literal["train", "dev", "test"]
    tags: tuple[Slug, ...] = ()
    identity: Identity
    happened: Text
    """What happened, in the third person."""
    opening: Line
    """The first thing the person says. It must not give the need away."""
    facts: Annotated[tuple[Fact, ...], Field(min_length=2)]
    feelings: Annotated[tuple[Feeling, ...], Field(min_length=1)]
    beliefs: tuple[Belief, ...] = ()
    needs: Annotated[tuple[NeedVariant, ...], Field(min_length=2, max_length=4)]
    voice: Voice
    temperament: Temperament = Temperament()
    reactions: tuple[Reaction, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        named = [variant.need for variant in self.needs]
        if len(set(named)) < len(named):
            raise ValueError(f"needs {named} name one need twice; merge the two variants")
        if not any(fact.gate is None for fact in self.facts):
            raise ValueError("no fact without a gate: at least one must be told by the opening")
        shared = [item.id for item in (*self.facts, *self.feelings, *self.beliefs)]
        for variant in self.needs:
            ids = shared + [fact.id for fact in variant.facts]
            twice = sorted({i for i in ids if ids.count(i) > 1})
            if twice:
                raise ValueError(f"ids {twice} are used twice (with need {variant.need!r})")
            self._check_gates(variant, set(ids))
        return self

    def _check_gates(self, variant: NeedVariant, ids: set[str]) -> None:
        for item in (*self.facts, *variant.facts, *self.feelings, *self.beliefs):
            unknown = sorted(set(item.gate.topic) - ids) if item.gate else []
            if unknown:
                raise ValueError(
                    f"the gate of {item.id!r} names topics {unknown} that are no fact, feeling or "
                    f"belief of this persona with need {variant.need!r}"
                )

    def variant(self, need: Need) -> NeedVariant:
        """Return the variant with this need.

        Raises:
            UnknownName: If the persona has no such variant.
        """
        for variant in self.needs:
            if variant.need == need:
                return variant
        raise UnknownName.among(f"need of {self.id}", need, [v.need for v in self.needs])

    @classmethod
    def parse(cls, data: object, *, source: str = "persona") -> Persona:
        """Build a persona from plain data (YAML or JSON).

        Args:
            data: A mapping as YAML or JSON gives it; lists stand for tuples.
            source: Where it comes from, for the error message.

        Raises:
            InvalidPersona: Listing every problem with the path of its field.
        """
        if not isinstance(data, Mapping):
            raise InvalidPersona(
                f"{source}: expected a mapping of fields, got {type(data).__name__}"
            )
        try:
            return cls.model_validate(_tuples(data))  # pyright: ignore[reportUnknownArgumentType]
        except ValidationError as error:
            problems = [
                f"  {_path(e['loc'])}: {e['msg']} (got {_short(e['input'])})"
                for e in error.errors(include_url=False)
            ]
            raise InvalidPersona(
                f"{source} is not a valid persona:\n" + "\n".join(problems)
            ) from error

    def to_data(self) -> dict[str, Any]:
        """Return the persona as plain JSON data; `Persona.parse` is the inverse."""
        return self.model_dump(mode="json", by_alias=True)


def _tuples(value: Any) -> Any:
    """Turn lists into tuples all the way down: strict models take no list for a tuple."""
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    return value


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "persona"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, which YAML would let pass in silence."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key.value, str):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be plain text", key.start_mark
            )
        if key.value in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key.value!r} is given twice", key.start_mark
            )
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def content_dir(name: Literal["personas", "agents"]) -> Path:
    """Return the folder of bundled content, in a checkout or in an installed wheel."""
    package = Path(__file__).parent
    installed = package / f"_{name}"
    return installed if installed.is_dir() else package.parent / name


def read_persona(path: Path) -> Persona:
    """Read one persona file.

    Raises:
        InvalidPersona: If it is no YAML, not UTF-8, or breaks the schema.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidPersona(f"{path} is not readable YAML in UTF-8: {error}") from error
    except OSError as error:
        raise InvalidPersona(f"{path} cannot be read: {error}") from error
    return Persona.parse(data, source=str(path))


@cache
def _bundled(name: str) -> Persona:
    persona = read_persona(content_dir("personas") / f"{name}.yaml")
    if persona.id != name:
        raise InvalidPersona(
            f"{name}.yaml holds the persona {persona.id!r}; name and id must agree"
        )
    return persona


def persona_names() -> list[str]:
    """Return the names of the bundled personas, sorted."""
    return sorted(path.stem for path in content_dir("personas").glob("*.yaml"))


def load_persona(persona: str | os.PathLike[str] | Persona) -> Persona:
    """Return a persona, given its bundled name, a path to a YAML file, or the value itself.

    Raises:
        UnknownName: If no bundled persona has the name.
        InvalidPersona: If the file is not a valid persona.

    >>> load_persona("laid-off-engineer").identity.age
    52
    """
    if isinstance(persona, Persona):
        return persona
    if not isinstance(persona, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(f"persona={persona!r}: expected a name, a path or a Persona")
    if isinstance(persona, os.PathLike) or persona.endswith((".yaml", ".yml")):
        return read_persona(Path(persona))
    names = persona_names()
    if persona not in names:
        raise UnknownName.among("persona", persona, names, "A path must end in .yaml.")
    return _bundled(persona)


def load_personas(
    selection: str | Iterable[str | os.PathLike[str] | Persona] = "all",
) -> dict[str, Persona]:
    """Return the selected personas, by id, in order.

    Args:
        selection: `"all"`; or space-separated terms that must all hold, `split:dev`, `tag:work`,
            `need:deep_empathy`, and names of which one must hold; or an iterable of names, paths
            and personas.

    Raises:
        InvalidArgument: If a term has an unknown key, or nothing is selected.

    >>> sorted(load_personas("split:dev")) == sorted(
    ...     p.id for p in load_personas().values() if p.split == "dev")
    True
    """
    if not isinstance(selection, str):
        given: dict[str, Persona] = {}
        for persona in map(load_persona, selection):
            if given.setdefault(persona.id, persona) != persona:
                raise InvalidArgument(f"two different personas have the id {persona.id!r}")
        return _some(given, list(given))
    terms = selection.split()
    names = [term for term in terms if ":" not in term and term != "all"]
    chosen = map(load_persona, names or persona_names())
    rules = [tuple(term.split(":", 1)) for term in terms if ":" in term]
    picked = {p.id: p for p in chosen if all(_holds(p, key, value) for key, value in rules)}
    return _some(picked, selection)


def _some(picked: dict[str, Persona], selection: object) -> dict[str, Persona]:
    if not picked:
        raise InvalidArgument(f"personas={selection!r} selects no persona; see 'persona list'")
    return picked


def _holds(persona: Persona, key: str, value: str) -> bool:
    match key:
        case "split":
            return persona.split == value
        case "tag":
            return value in persona.tags
        case "need":
            return any(variant.need == value for variant in persona.needs)
        case _:
            raise UnknownName.among("selection key", key, ["split", "tag", "need"])
