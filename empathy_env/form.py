"""The form of a persona file: as JSON Schema for editors, and as a commented file to fill in."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import pairwise
from string import Template
from textwrap import dedent
from typing import Any, Final, cast

import yaml
from pydantic import BaseModel

from empathy_env import persona as models
from empathy_env.acts import NEEDS, Need
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.persona import TEMPERAMENTS, Persona

SCHEMA_NAME: Final = "persona.schema.json"
HEADER: Final = f"# yaml-language-server: $schema={SCHEMA_NAME}\n"
"""The first line of a persona file; by it, editors find the schema that lies beside the file."""


def file_schema() -> dict[str, Any]:
    """Return the JSON Schema of a persona file.

    A file that extends another needs to hold only what is different, so it has a form of its own.
    What no JSON Schema can say (a gate that never opens, a word in two facts) is left to loading.
    """
    whole = Persona.model_json_schema()
    parts = {name: described(getattr(models, name), p) for name, p in whole["$defs"].items()}
    parts["Temperament"] = _or_type_name(parts["Temperament"])
    parts["Persona"] = described(Persona, {k: v for k, v in whole.items() if k != "$defs"})
    heirs = {f"Heir{name}": _heir(part) for name, part in parts.items()}
    heirs["HeirPersona"]["properties"]["extends"] = {
        "type": "string",
        "minLength": 1,
        "description": "Name of a bundled persona, or path of a file beside this one, that this "
        "one builds on: what is given here replaces what is there.",
    }
    heirs["HeirPersona"]["required"] = ["id", "extends"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A persona of empathy-env",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/HeirPersona"},
        "else": {"$ref": "#/$defs/Persona"},
        "$defs": parts | heirs,
    }


def schema_text() -> str:
    """Return the JSON Schema as it stands in a file."""
    return as_text(file_schema())


def as_text(schema: Mapping[str, Any]) -> str:
    """Return any JSON Schema as it stands in a file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def described(model: type[BaseModel], part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's part of a schema, which says of each field what it is and must be."""
    said = {model.model_fields[key].alias or key: text for key, text in _docstrings(model).items()}
    fields: dict[str, Any] = {}
    for key, field in part["properties"].items():
        texts = [said.get(key, ""), field.get("description", "").capitalize()]
        text = " ".join(f"{text.rstrip('.')}." for text in texts if text)
        fields[key] = _spelt(field) | ({"description": text} if text else {})
    return {**_spelt(part), "properties": fields}


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the string under each field of a model, as the source of its classes has it."""
    own = [base for base in reversed(model.__mro__) if "__annotations__" in vars(base)]
    found: dict[str, str] = {}
    for base in own:
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _docstrings_of_class(base)
    return found


def _docstrings_of_class(model: type[BaseModel]) -> dict[str, str]:
    (tree,) = ast.parse(dedent(inspect.getsource(model))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    found: dict[str, str] = {}
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text)):
                found[name] = " ".join(str(text).split())
            case _:
                pass
    return found


def _spelt(part: Any) -> Any:
    """Return a part without titles, and with patterns that mean the same to every editor."""
    if isinstance(part, list):
        return [_spelt(item) for item in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    fields = cast("dict[str, Any]", part)
    kept = {k: _spelt(v) for k, v in fields.items() if k != "title" or not isinstance(v, str)}
    if "\\W" in str(kept.get("pattern", "")):
        kept["pattern"] = "^[^A-Z_]+$"  # outside Python, \W takes an umlaut for no letter
    return kept


def _or_type_name(part: Mapping[str, Any]) -> dict[str, Any]:
    """Let a temperament stand as the bare name of a type."""
    name = {"type": "string", "enum": sorted(TEMPERAMENTS)}
    return {"description": part["description"], "anyOf": [name, dict(part)]}


def _heir(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form of a part in a file that extends another: only what is different.

    Nothing but the name of an entry is needed, `null` takes out, and so does `remove: true`.
    """
    if "anyOf" in part:
        return {**part, "anyOf": [_heir(choice) for choice in part["anyOf"]]}
    if "properties" not in part:
        return dict(part)
    names = [name for name in ("id", "need") if name in part["properties"]]
    fields = {
        key: _inherited(field) if key in names else {"anyOf": [_inherited(field), {"type": "null"}]}
        for key, field in part["properties"].items()
    }
    if names:
        fields["remove"] = {"type": "boolean", "description": "True: leave the inherited one out."}
    return {**part, "properties": fields, "required": names}


def _inherited(field: Any) -> Any:
    """Let a field lead to the forms of heirs, and its list be shorter than a whole one."""
    if isinstance(field, list):
        return [_inherited(item) for item in cast("list[Any]", field)]
    if not isinstance(field, dict):
        return field
    fields = cast("dict[str, Any]", field)
    kept = {k: _inherited(v) for k, v in fields.items() if k not in ("minItems", "default")}
    if isinstance(kept.get("$ref"), str):
        kept["$ref"] = kept["$ref"].replace("#/$defs/", "#/$defs/Heir")
    return kept


def need_lines() -> dict[Need, str]:
    """Return for each need, in one line, what somebody with it is after.

    >>> need_lines()["concrete_advice"]
    'small steps that can be done'
    """
    return {need: _first_line(need).partition(": ")[2].rstrip(".") for need in NEEDS}


def _first_line(need: Need) -> str:
    return _content(f"needs/{need}.yaml").partition("\n")[0]


_SAMPLE: Final = "Jo"
"""By what name the forms of the needs call the person."""


def blank(
    id: str, needs: Sequence[str], *, split: str = "train", name: str = f"{_SAMPLE} Placeholder"
) -> str:
    """Return a commented persona file with a placeholder story, to be edited.

    Args:
        id: Name of the person.
        needs: Two to four of the eight needs.
        split: train, dev or test.
        name: What they are called; letters and spaces.

    Raises:
        InvalidArgument: If the needs are not two to four different ones.
        InvalidPersona: If the id or the split breaks a rule.
    """
    for need in needs:
        if need not in NEEDS:
            raise UnknownName.among("need", need, NEEDS)
    if not 2 <= len(needs) <= 4 or len(set(needs)) < len(needs):
        raise InvalidArgument(f"needs={', '.join(needs)}: give two to four different ones")
    variants = "\n".join(_content(f"needs/{need}.yaml") for need in needs)
    variants = re.sub(rf"\b{_SAMPLE}\b", name.split()[0], variants)
    form = Template(_content("persona.yaml.template"))
    filled = yaml.safe_load(form.substitute(id="", split="", name=name, needs=variants))
    Persona.parse({**filled, "id": id, "split": split}, source="the new persona")
    return HEADER + form.substitute(id=id, split=split, name=name, needs=variants)


def _content(name: str) -> str:
    return files("empathy_env").joinpath("forms", *name.split("/")).read_text(encoding="utf-8")
