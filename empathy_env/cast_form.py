"""The form of a cast's file: as JSON Schema for editors, and as a commented folder to fill in."""

from __future__ import annotations

from importlib.resources import files
from string import Template
from typing import Any, Final

import yaml

from empathy_env.acts import NEEDS
from empathy_env.cast import CAST_FILE, Entry, Known, Script, Toward
from empathy_env.company import MOST_PEOPLE
from empathy_env.errors import InvalidArgument
from empathy_env.form import as_text, blank, described

CAST_SCHEMA_NAME: Final = "cast.schema.json"
CAST_HEADER: Final = f"# yaml-language-server: $schema={CAST_SCHEMA_NAME}\n"
"""The first line of a cast's file; by it, editors find the schema that lies beside the file."""
_NAMES: Final = ("Jo", "Kim", "Ana", "Lev", "Pia", "Ugo")
_LAST_NAME: Final = "Placeholder"


def cast_schema() -> dict[str, Any]:
    """Return the JSON Schema of a cast's file, in which people stand by name or path.

    What no JSON Schema can say (an id that nobody has, a file that is missing) is left to loading.
    """
    whole = Script.model_json_schema()
    models = {model.__name__: model for model in (Entry, Toward, Known)}
    parts = {name: described(models[name], part) for name, part in whole.pop("$defs").items()}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A cast of empathy-env",
    }
    return {**head, **described(Script, whole), "$defs": parts}


def cast_schema_text() -> str:
    """Return the JSON Schema as it stands in a file."""
    return as_text(cast_schema())


def blank_cast(id: str, people: int = 2, *, split: str = "train") -> dict[str, str]:
    """Return a commented cast with placeholder people, to be edited: texts by name of file.

    Args:
        id: Name of the cast.
        people: How many, in [2, 6].
        split: train, dev or test.

    Raises:
        InvalidArgument: If it is another number of people.
        InvalidPersona: If the id or the split breaks a rule.
    """
    if not 2 <= people <= MOST_PEOPLE:
        raise InvalidArgument(f"people={people}: a cast has 2 to {MOST_PEOPLE} people")
    text = files("empathy_env").joinpath("forms", "cast.yaml.template").read_text("utf-8")
    form = Template(text)
    sample = yaml.safe_load(form.substitute(id="x", split="train") + _entries("x", people))
    Script.parse({**sample, "id": id, "split": split}, source="the new cast")
    persons = {
        f"{name.lower()}.yaml": blank(
            f"{id}-{name.lower()}",
            (NEEDS[seat], NEEDS[seat + 2]),
            split=split,
            name=f"{name} {_LAST_NAME}",
        )
        for seat, name in enumerate(_NAMES[:people])
    }
    whole = CAST_HEADER + form.substitute(id=id, split=split) + _entries(id, people)
    return {CAST_FILE: whole, **persons}


def _entries(id: str, people: int) -> str:
    names = _NAMES[:people]
    lines: list[str] = []
    for name in names:
        lines += [f"  - persona: {name.lower()}.yaml", "    toward:"]
        for other in names:
            if other != name:
                lines += _toward(f"{id}-{other.lower()}", other)
    return "\n".join([*lines, ""])


def _toward(who: str, name: str) -> list[str]:
    return [
        f"      - who: {who}",
        "        relation: PLACEHOLDER, a friend from the cinema",
        "        closeness: 0.3",
        "        tension: 0.2",
        "        concerns: [programme]",
        "        knows:",
        "          - fact: committee",
        f'            slips: "You knew that they would vote to sell it, {name}!"',
        "        harsh:",
        f'          - "This is all your fault, {name}."',
        "        warm:",
        f'          - "Thank you, {name}. That was kind of you."',
    ]
