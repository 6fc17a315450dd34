"""A cast as far as its data makes sense, and what contradicts itself in it.

As in `draft`, the rules read plain data, whatever is wrong with it, and pass over what is unsound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, cast

from empathy_env.draft import contradictions as contradictions_of_one
from empathy_env.errors import MAX_PROBLEMS, Problem, closest

MOST_PEOPLE: Final = 6
"""Most people of a cast; what is wrong with more is not looked at."""


def contradictions(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what contradicts itself in the data of a cast, of whatever form they are."""
    for number, one in enumerate(_people(data)):
        for problem in contradictions_of_one(one.get("persona")):
            yield problem._replace(field=("people", number, "persona", *problem.field))
    yield from between(data)


def between(data: Mapping[str, Any]) -> list[Problem]:
    """Return what the entries of the people get wrong of each other."""
    return list(islice(_between(data), MAX_PROBLEMS + 1))


def _between(data: Mapping[str, Any]) -> Iterator[Problem]:
    people = _people(data)
    personas = [_mapping(one.get("persona")) for one in people]
    names = [_first_name(persona) for persona in personas]
    yield from _doubles([persona.get("id") for persona in personas], "persona")
    yield from _doubles(names, "first name")
    for number, name in enumerate(names):
        if name is not None and not any(map(str.isalnum, name)):
            message = "has no letter in the first of the names, by which they would be addressed"
            yield Problem("name", message, ("people", number, "persona"))
    known = [_ids(persona) for persona in personas]
    ids = [persona.get("id") for persona in personas]
    for number, one in enumerate(people):
        yield from _toward(one, number, ids, known)


def _doubles(values: Iterable[object], what: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, value in enumerate(values):
        if isinstance(value, str) and value in seen:
            message = f"a second {what} {value!r}: whoever speaks to one would speak to both"
            yield Problem("duplicate-person", message, ("people", number, "persona"))
        elif isinstance(value, str):
            seen.add(value)


def _toward(
    one: Mapping[str, Any], number: int, ids: Sequence[object], known: Sequence[dict[str, None]]
) -> Iterator[Problem]:
    others = {id: seat for seat, id in enumerate(ids) if seat != number and isinstance(id, str)}
    whole = len(others) == len(ids) - 1  # else nobody can say who is not there
    seen: set[str] = set()
    for index, toward in enumerate(map(_mapping, _items(one.get("toward")))):
        path, who = ("people", number, "toward", index), toward.get("who")
        yield from _unknown(toward.get("concerns"), known[number], (*path, "concerns"))
        if not isinstance(who, str):
            continue
        if who in seen:
            yield Problem("duplicate-id", f"a second entry toward {who!r}", (*path, "who"))
        seen.add(who)
        if who in others:
            facts = [_mapping(item).get("fact") for item in _items(toward.get("knows"))]
            yield from _unknown(facts, known[others[who]], (*path, "knows"), "fact")
        elif whole:
            itself = who == ids[number]
            message = f"{who[:100]!r} is {'the same person' if itself else 'none of the others'}"
            yield Problem("unknown-id", message, (*path, "who"), _instead(who, others))


def _unknown(
    names: object, known: Mapping[str, object], path: tuple[str | int, ...], *inside: str
) -> Iterator[Problem]:
    if not known:
        return  # their persona cannot be read, which is said of it
    for place, name in enumerate(_items(names)):
        if isinstance(name, str) and name not in known:
            message = f"{name[:100]!r} is no fact, feeling or belief of theirs"
            yield Problem("unknown-id", message, (*path, place, *inside), _instead(name, known))


def _instead(name: str, known: Iterable[str]) -> str:
    near = closest(name, first := [*islice(known, MAX_PROBLEMS)])
    return f"Did you mean {near!r}?" if near else f"There are: {', '.join(first)}."


def _ids(persona: Mapping[str, Any]) -> dict[str, None]:
    variants = [_mapping(one).get("facts") for one in _items(persona.get("needs"))]
    lists = [persona.get("facts"), persona.get("feelings"), persona.get("beliefs"), *variants]
    ids = (_mapping(item).get("id") for one in lists for item in _items(one))
    return dict.fromkeys(id for id in ids if isinstance(id, str))


def _first_name(persona: Mapping[str, Any]) -> str | None:
    name = _mapping(persona.get("identity")).get("name")
    return next(iter(name.lower().split()), "") if isinstance(name, str) else None


def _people(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the people that a cast may have; that there are more is said by the schema."""
    return [_mapping(one) for one in _items(data.get("people"))[:MOST_PEOPLE]]


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _items(value: object) -> list[Any]:
    return [*cast("list[Any]", value)] if isinstance(value, (list, tuple)) else []
