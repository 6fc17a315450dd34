"""Personas that differ from one in a single field, for each field that is written in it.

The fields are found by walking the models, so a new one is covered as soon as it is there. What is
neither prose nor metadata is behaviour: it has to move something in a talk with the code user.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeVar, cast, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from empathy_env.document import Field
from empathy_env.persona import Persona

Kind = Literal["behaviour", "prose", "metadata"]
M = TypeVar("M", bound=BaseModel)

PROSE: Final = frozenset(
    {
        *("Belief.believes", "Belief.truth", "Fact.text", "Feeling.text"),
        *("Identity.age", "Identity.background", "Identity.name", "Identity.occupation"),
        *("Identity.pronouns", "NeedVariant.because", "NeedVariant.met_when", "Persona.happened"),
        *("Persona.language", "Reaction.because", "Voice.manner"),
    }
)
"""What people and models read that play the persona; code does not."""
METADATA: Final = frozenset(
    {
        *("Belief.id", "Fact.id", "Feeling.id", "NeedVariant.split", "Persona.author"),
        *("Persona.id", "Persona.kind", "Persona.split", "Persona.tags", "Persona.version"),
    }
)
"""What a talk does not depend on: where a persona belongs, and the names of things."""


class Leaf(NamedTuple):
    """A field with a value of its own, as it is written in one persona.

    Attributes:
        field: Keys and indexes that lead to it in the file.
        steps: Names of attributes and indexes that lead to it in the value.
        owner: Its model and name, such as "Fact.says".
        value: What is written.
        info: What the model says of it.
    """

    field: Field
    steps: Field
    owner: str
    value: Any
    info: FieldInfo

    @property
    def kind(self) -> Kind:
        """What it is for."""
        return kind_of(self.owner)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts in it."""
        given = (self.value,) if isinstance(self.value, str) else self.value
        return cast("tuple[str, ...]", given) if isinstance(given, tuple) else ()


def kind_of(owner: str) -> Kind:
    """Return what a field of this model and name is for.

    >>> kind_of("Identity.name"), kind_of("Fact.says"), kind_of("Persona.tags")
    ('prose', 'behaviour', 'metadata')
    """
    if owner in METADATA:
        return "metadata"
    return "prose" if owner in PROSE else "behaviour"


def schema_fields(model: type[BaseModel] = Persona) -> frozenset[str]:
    """Return all fields that hold values of their own, of a model and of those within it."""
    found: set[str] = set()
    for name, info in model.model_fields.items():
        inner = [part for part in _parts(info.annotation) if _is_model(part)]
        for part in inner:
            found |= schema_fields(part)
        if not inner:
            found.add(f"{model.__name__}.{name}")
    return frozenset(found)


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _parts(annotation: Any) -> list[Any]:
    """Return what an annotation is made of: types, and the values of literals."""
    inner = get_args(annotation)
    return [part for one in inner for part in _parts(one)] if inner else [annotation]


def written_fields(persona: Persona) -> list[Leaf]:
    """Return the fields that are written in a persona; neither defaults nor what is left empty."""
    return list(_walked(persona, (), ()))


def _walked(model: BaseModel, field: Field, steps: Field) -> Iterator[Leaf]:
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if name not in model.model_fields_set or value is None or value == ():
            continue
        key, step = (*field, info.alias or name), (*steps, name)
        if isinstance(value, BaseModel):
            yield from _walked(value, key, step)
        elif isinstance(value, tuple) and isinstance(value[0], BaseModel):
            for number, item in enumerate(cast("tuple[BaseModel, ...]", value)):
                yield from _walked(item, (*key, number), (*step, number))
        else:
            yield Leaf(key, step, f"{type(model).__name__}.{name}", value, info)


def mutants(persona: Persona, leaf: Leaf) -> Iterator[Persona]:
    """Yield a few personas that differ in this field only, the one that shows most first.

    Nobody plays them to the end, so they need not be sound otherwise.
    """
    for value in _others(persona, leaf):
        yield replaced(persona, leaf.steps, value)


def _others(persona: Persona, leaf: Leaf) -> list[Any]:
    """Return values that the field does not have."""
    value = leaf.value
    choices = [part for part in _parts(leaf.info.annotation) if isinstance(part, str)]
    if leaf.owner == "NeedVariant.need":
        choices = [need for need in choices if need not in {v.need for v in persona.needs}]
    if isinstance(value, tuple):
        kept = cast("tuple[str, ...]", value)
        left = [(choice,) for choice in choices if choice not in kept]
        # The last of the acts are those by which nobody opens up.
        return left[-1:] if choices else [tuple(f"{text} really" for text in kept)]
    if choices:
        left = [choice for choice in choices if choice != value]
        return list(dict.fromkeys((*left[-1:], *left[:1])))
    if isinstance(value, float):
        ends = [float(getattr(m, end)) for m in leaf.info.metadata for end in _ENDS if _has(m, end)]
        return sorted({*ends} - {value}, key=lambda end: -abs(end - value))
    return [value + 1] if isinstance(value, int) else [f"{value} Really."]


_ENDS: Final = ("ge", "le")


def _has(bound: Any, end: str) -> bool:
    return getattr(bound, end, None) is not None


def replaced(model: M, steps: Field, value: Any) -> M:
    """Return a copy with another value at one place; it is not validated.

    >>> from empathy_env import load_persona
    >>> replaced(load_persona("own-dog"), ("facts", 2, "gate", "trust"), 0.9).facts[2].gate
    Gate(trust=0.9, acts=('open_question', 'closed_question', 'reflection', 'presence'), topic=())
    """
    name, *rest = steps
    inner = getattr(model, str(name))
    return model.model_copy(update={str(name): _replaced(inner, tuple(rest), value)})


def _replaced(inner: Any, rest: Field, value: Any) -> Any:
    if not rest:
        return value
    if isinstance(inner, BaseModel):
        return replaced(inner, rest, value)
    number = cast("int", rest[0])
    changed = _replaced(inner[number], rest[1:], value)
    return (*inner[:number], changed, *inner[number + 1 :])
