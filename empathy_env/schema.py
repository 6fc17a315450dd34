"""What pydantic finds wrong with data, said so that somebody who writes YAML can act on it.

The rule of each field comes from the model's own JSON schema: a field's `description` reads on
from "must be", such as "a number from 0 to 1". So the schema and its messages cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from empathy_env.errors import MAX_PROBLEMS, Problem, closest

Schema = Mapping[str, Any]
Field = tuple[str | int, ...]


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return what is wrong, without what follows from something else that is said.

    What a validator of the whole model says has no field, and is left to the caller.
    """
    whole = model.model_json_schema()
    # What a validator of a whole part says is no type or range: the caller has it in better words.
    said = error.errors(include_url=False)
    errors = [item for item in said if item["loc"] and item["type"] != "value_error"]
    every = (_problem(item, whole) for item in errors if not _follows(item, whole))
    found = list(islice(every, MAX_PROBLEMS + 1))
    # A misspelt key is one mistake: that the right one is missing follows from it.
    misspelt = {(*p.field[:-1], _suggested(p.hint)) for p in found if p.rule == "unknown-key"}
    return [p for p in found if p.rule != "missing" or p.field not in misspelt]


def _follows(item: ErrorDetails, whole: Schema) -> bool:
    """Whether a list is found too short only because pydantic counts no entry that is wrong."""
    rule, got = _at(whole, whole, item["loc"]), item["input"]
    if item["type"] != "too_short" or rule is None or not isinstance(got, tuple):
        return False
    return len(cast("tuple[Any, ...]", got)) >= rule.get("minItems", 0)


def _problem(item: ErrorDetails, whole: Schema) -> Problem:
    field, got = item["loc"], item["input"]
    rule = _at(whole, whole, field)
    if item["type"] == "missing":
        return Problem("missing", f"is missing; it must be {_said(rule, whole)}", field)
    if item["type"] == "extra_forbidden" and rule is None:
        return _unknown(field, whole)
    if rule is None:
        return Problem("value", item["msg"], field)
    name, hint = _mended(rule, got, item["type"])
    if name == "choice" and hint:
        return Problem(name, f"{_shown(got)} is not known here", field, hint)
    return Problem(name, f"must be {_said(rule, whole)} (got {_shown(got)})", field, hint)


def _at(part: Schema, whole: Schema, field: Field) -> Schema | None:
    """Return the part of a JSON schema that says what this field must be, if there is one."""
    for step in field:
        part = _resolved(part, whole)
        inner = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
        if inner is None:
            return None
        part = inner
    return _resolved(part, whole)


def _resolved(part: Schema, whole: Schema) -> Schema:
    """Return what a reference leads to; of alternatives, the one that is not "nothing"."""
    if "anyOf" in part:
        part = next(choice for choice in part["anyOf"] if choice.get("type") != "null")
    if "$ref" in part:
        part = {**whole["$defs"][part["$ref"].rpartition("/")[2]], **part}
    return part


def _said(rule: Schema | None, whole: Schema) -> str:
    """Say what a value must be."""
    if rule is None:
        return "given"
    choices = _choices(rule)
    if choices:
        return f"one of {', '.join(choices)}" if len(choices) > 1 else f"'{choices[0]}'"
    if "properties" in rule:
        needed = rule.get("required") or list(rule["properties"])
        return f"a group of fields with {', '.join(needed)}"
    if rule.get("type") == "array":
        return _counted(rule)
    return cast("str", rule.get("description", "a value"))


def _counted(rule: Schema) -> str:
    least, most = rule.get("minItems", 0), rule.get("maxItems")
    if most is not None:
        return f"a list of {least} to {most} entries"
    if least:
        return f"a list of at least {least} entr{'y' if least == 1 else 'ies'}"
    return "a list"


def _choices(rule: Schema) -> list[str]:
    return [str(choice) for choice in rule.get("enum", [rule["const"]] if "const" in rule else [])]


def _shown(value: object) -> str:
    """Show a value that was given, as it would stand in YAML, in a few words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        keys = ", ".join(map(str, cast("Mapping[str, Any]", value)))
        return f"fields: {keys[:60]}" if keys else "an empty group of fields"
    if isinstance(value, (list, tuple)):
        size = len(cast("Sequence[Any]", value))
        return f"a list of {size}" if size else "an empty list"
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"{len(value)} characters"
    if isinstance(value, int) and abs(value) >= 10**60:
        return "a number of more than 60 digits"  # Python shows none of thousands
    return str(value)[:60]


def _mended(rule: Schema, got: object, kind: str) -> tuple[str, str]:
    """Return the name of the rule that a value breaks, and what would mend it."""
    kinds = rule.get("type")
    choices = _choices(rule)
    if choices:
        close = closest(got if isinstance(got, str) else _shown(got), choices)
        return "choice", f"Did you mean {close!r}?" if close else ""
    if kind in ("too_short", "too_long"):
        return "count", ""
    if kinds == "string":
        return _mended_text(rule, got)
    if kinds == "array" and isinstance(got, str):
        return "type", f"Write it as a list: [{got}]." if len(got) <= 60 else "Write it as a list."
    if isinstance(got, str) and re.fullmatch(r"[-+]?\d+(\.\d+)?", got):
        return "type", f"Write it without quotes: {got}."
    if kinds == "integer" and isinstance(got, float) and got.is_integer():
        return "type", f"Write {int(got)}."
    return ("type" if kind.endswith("type") else "range"), ""


def _mended_text(rule: Schema, got: object) -> tuple[str, str]:
    if isinstance(got, Mapping):
        return "type", "If it is text with ': ' in it, put it in quotes."
    if not isinstance(got, str):
        return "not-text", "" if got is None or isinstance(got, tuple) else "Put it in quotes."
    longest = rule.get("maxLength")
    if longest is not None and len(got) > longest:
        return "length", f"Shorten it by {len(got) - longest} characters."
    if len(got) < rule.get("minLength", 0):
        return "length", ""
    for mended in (got.lower(), re.sub(r"[\W_]+", "-", got.lower()).strip("-")):
        if "pattern" in rule and mended != got and re.search(rule["pattern"], mended):
            return "spelling", f"Did you mean {mended!r}?"
    return "spelling", ""


def _unknown(field: Field, whole: Schema) -> Problem:
    """Return the problem of a key that is not known here, with where it may belong."""
    key, here = str(field[-1]), field[:-1]
    rule = _at(whole, whole, here) or {}
    siblings = list(rule.get("properties", {}))
    near = closest(key, siblings, cutoff=0.8)
    homes = [] if near else [home for name, home in _keys(whole, whole) if name == key]
    near = near or ("" if homes else closest(key, siblings, cutoff=0.55))
    if near:
        hint = f"Did you mean {near!r}?"
    elif homes:
        hint = f"It belongs {_home(homes, here)}."
    else:
        hint = f"There are: {', '.join(siblings)}." if siblings else ""
    return Problem("unknown-key", f"there is no field {key!r} here", field, hint)


def _keys(part: Schema, whole: Schema, home: Field = ()) -> Iterator[tuple[str, Field]]:
    """Yield each key of a schema, with the fields that lead to where it stands."""
    part = _resolved(part, whole)
    if "items" in part:
        yield from _keys(part["items"], whole, home)
    for key, inner in part.get("properties", {}).items():
        yield key, home
        yield from _keys(inner, whole, (*home, key))


def _home(homes: Iterable[Field], here: Field) -> str:
    """Say which of the places is the nearest to here."""
    names = tuple(step for step in here if isinstance(step, str))
    far = {home: (len(names) - _shared(home, names), len(home)) for home in homes}
    near = [home for home in far if far[home] == min(far.values())]
    home = near[0]
    if names[: len(home)] == home and len(names) > len(home):
        return f"further out, beside {names[len(home)]!r}"
    if home[: len(names)] == names and names:
        return f"further in, under {'.'.join(map(str, home[len(names) :]))!r}"
    return "under " + " or ".join(repr(".".join(map(str, home))) for home in near)


def _shared(one: Field, other: Field) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


_MEANT: Final = re.compile(r"Did you mean '(.+)'\?")


def _suggested(hint: str) -> str:
    found = _MEANT.fullmatch(hint)
    return found[1] if found else ""
