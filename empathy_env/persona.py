"""A person written as YAML: who they are, what happened, what they hide, what they may need.

A `Persona` is a frozen pydantic model. Unknown keys, wrong types and contradictions are problems
that name the field, all in one report. `empathy_env.library` finds and reads files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Final, Literal, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from empathy_env.acts import NEEDS as NEEDS
from empathy_env.acts import About, Act
from empathy_env.acts import Need as Need
from empathy_env.draft import contradictions
from empathy_env.errors import MAX_PROBLEMS, InvalidPersona, Problem, UnknownName
from empathy_env.schema import problems_of
from empathy_env.source import MAX_DEPTH, surrogate

# A description reads on from "must be": `schema` makes its messages of them.
Unit = Annotated[float, Field(ge=0.0, le=1.0, description="a number from 0 to 1")]
Signed = Annotated[float, Field(ge=-1.0, le=1.0, description="a number from -1 to 1")]
Text = Annotated[
    str, Field(min_length=1, max_length=4000, description="text of 1 to 4000 characters")
]
Line = Annotated[
    str, Field(min_length=1, max_length=600, description="text of 1 to 600 characters")
]
Slug = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        max_length=60,
        description="at most 60 lower-case letters, digits and single hyphens between them, "
        "beginning with a letter, such as lost-keys",
    ),
]
Keyword = Annotated[
    str,
    Field(
        pattern=r"^[^\W_A-Z]+(?:[' -]+[^\W_A-Z]+)*$",
        min_length=2,
        max_length=40,
        description="a word or short phrase of 2 to 40 characters, in lower case, without "
        "punctuation, such as let go",
    ),
]
Split = Literal["train", "dev", "test"]


class Strict(BaseModel):
    """A frozen value that takes no unknown key and no wrong type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Gate(Strict):
    """What must hold before something is said. All given conditions must hold at once."""

    trust: Unit = 0.0
    """Least trust, in [0, 1]."""
    acts: tuple[Act, ...] = ()
    """The agent's turn must hold one of these acts; empty: any turn will do."""
    topic: tuple[Slug, ...] = ()
    """The agent's turn must address one of these facts, feelings or beliefs; empty: none needed."""


class Fact(Strict):
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


class Feeling(Strict):
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


class Belief(Strict):
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


class Lines(Strict):
    """Example lines of a voice, one tuple for each situation."""

    opens_up: tuple[Line, ...] = ()
    guarded: tuple[Line, ...] = ()
    deflects: tuple[Line, ...] = ()
    hurt: tuple[Line, ...] = ()
    relieved: tuple[Line, ...] = ()
    leaves: tuple[Line, ...] = ()


class Answers(Strict):
    """What the person says to a question that no fact answers, by what is asked about.

    They hold for every need, so they give none away, and tell nothing that a gate keeps.
    """

    own_feeling: tuple[Line, ...] = ()
    own_act: tuple[Line, ...] = ()
    other_person: tuple[Line, ...] = ()
    situation: tuple[Line, ...] = ()
    plan: tuple[Line, ...] = ()
    fault: tuple[Line, ...] = ()


class Voice(Strict):
    """How the person talks."""

    register_: Literal["plain", "casual", "formal", "texting"] = Field("plain", alias="register")
    verbosity: Literal["terse", "medium", "talkative"] = "medium"
    manner: Text
    """Habits of speech, in prose, for people and models that play the persona."""
    lines: Lines
    answers: Answers = Answers()


class NeedVariant(Strict):
    """One thing that the person may be after; reset draws one of the persona's variants."""

    need: Need
    split: Split | None = None
    """Where this cell of persona and need belongs; None: where the persona does."""
    because: Text
    """Why this is what they need, in the third person."""
    met_when: Text
    """What would show that it is met."""
    facts: Annotated[tuple[Fact, ...], Field(min_length=1)]
    """Facts that only this variant tells; they are what gives the need away."""
    lines: Lines = Lines()
    """Lines of this variant's own. It speaks them only after one of its facts has been told."""


class Temperament(Strict):
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
        name = given.get("type")
        if isinstance(name, str) and name in TEMPERAMENTS:
            del given["type"]
            return {**TEMPERAMENTS[name], **given}
        return given  # with its `type`, which is refused as a field that is not known

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Let the schema know `type`, which the fields do not: a mapping with it, or it alone."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        names: dict[str, Any] = {"enum": sorted(TEMPERAMENTS), "type": "string"}
        schema["properties"]["type"] = names
        return schema


TEMPERAMENTS: Final[Mapping[str, Mapping[str, float]]] = {
    "negative": {"reactivity": 0.7, "trustfulness": 0.4, "patience": 0.3},
    "passive": {"reactivity": 0.35, "trustfulness": 0.55, "patience": 0.7},
    "avoidant": {"reactivity": 0.45, "trustfulness": 0.3, "patience": 0.55},
}
"""RLVER's three main characters (arXiv 2507.03112, appendix), as starting points; the numbers
are ours, in the order of the published means by character (negative lowest)."""


class Reaction(Strict):
    """An act that this person takes otherwise than their need would have it."""

    act: Act
    about: About | None = None
    """What the act is directed at; None: whatever it is directed at."""
    fit: Signed
    """How it lands, in [-1, 1]; replaces the need's value."""
    because: Text


class Identity(Strict):
    """Who the person is."""

    name: Line
    age: Annotated[int, Field(ge=12, le=110, description="a whole number from 12 to 110")]
    pronouns: Line
    occupation: Line
    background: Text


class Persona(Strict):
    """A person. Shared identity and opening, two to four needs of which one is drawn."""

    kind: Literal["persona"]
    id: Slug
    version: Annotated[int, Field(ge=1, description="a whole number from 1 up")] = 1
    author: Line
    language: Annotated[
        str, Field(pattern=r"^[a-z]{2}$", description="two lower-case letters, such as en")
    ] = "en"
    split: Split
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
        found = contradictions(self.to_data())
        if found:
            raise ValueError("; ".join(map(str, found)))
        return self

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
        return validated(cls, data, source=source, contradicted=contradictions)

    def to_data(self) -> dict[str, Any]:
        """Return the persona as plain JSON data; `Persona.parse` is the inverse."""
        return self.model_dump(mode="json", by_alias=True)


M = TypeVar("M", bound=Strict)


def validated(
    model: type[M],
    data: object,
    *,
    source: str,
    contradicted: Callable[[Mapping[str, Any]], Iterable[Problem]],
) -> M:
    """Build a model from plain data, and say everything that is wrong with it at once.

    Args:
        model: What is to be built.
        data: A mapping as YAML or JSON gives it; lists stand for tuples.
        source: Where it comes from, for the error message.
        contradicted: Finds what contradicts itself, in data of any form.

    Raises:
        InvalidPersona: Listing every problem with the path of its field.
    """
    if not isinstance(data, Mapping):
        message = f"expected a mapping of fields, got {type(data).__name__}"
        raise InvalidPersona.listing([Problem("no-mapping", message, file=source)])
    fields = cast("Mapping[str, Any]", data)
    if deep := _too_deep(fields, MAX_DEPTH):
        message = f"lists and mappings lie more than {MAX_DEPTH} deep in each other here"
        raise InvalidPersona.listing([Problem("depth", message, deep[:2], file=source)])
    if halves := list(islice(_halves(fields), MAX_PROBLEMS + 1)):
        # pydantic would say no more than that something is no text.
        raise InvalidPersona.listing(p._replace(file=source) for p in halves)
    try:
        return model.model_validate(_tuples(fields))
    except ValidationError as error:
        found = [*problems_of(error, model), *contradicted(fields)]
        found = found or [Problem("value", item["msg"], item["loc"]) for item in error.errors()]
        raise InvalidPersona.listing(p._replace(file=source) for p in found) from error


def _too_deep(value: Any, levels: int) -> tuple[str | int, ...]:
    """Return the field that leads to what lies deeper than so many levels, or ()."""
    inner: Iterable[tuple[object, Any]] = ()
    if isinstance(value, Mapping):
        inner = cast("Mapping[object, Any]", value).items()
    elif isinstance(value, (list, tuple)):
        inner = enumerate(cast("Sequence[Any]", value))
    for key, item in inner:
        step = key if isinstance(key, int) else ascii(key).strip("'")
        if not levels:
            return (step,)
        if found := _too_deep(item, levels - 1):
            return (step, *found)
    return ()


def _halves(value: Any, field: tuple[str | int, ...] = ()) -> Iterator[Problem]:
    """Find keys and texts that hold half of a character, which no file could keep."""
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[object, Any]", value).items():
            shown = ascii(key).strip("'")  # the key itself could not be printed
            yield from _halves(key, (*field, shown))
            yield from _halves(item, (*field, shown))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(cast("list[Any]", value)):
            yield from _halves(item, (*field, number))
    elif isinstance(value, str) and (message := surrogate(value)):
        yield Problem("encoding", message, field, "Write the character itself.")


def _tuples(value: Any) -> Any:
    """Turn lists into tuples all the way down: strict models take no list for a tuple."""
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    return value
