"""People to talk with, of either kind: personas written in YAML, and published profiles."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Final, TypeGuard

from empathy_env.acts import Need
from empathy_env.errors import InvalidArgument, InvalidPersona, Problem
from empathy_env.library import PersonaSpec, load_cells, load_persona
from empathy_env.persona import Persona
from empathy_env.profile import Person, Profile, read_profiles

PersonSpec = PersonaSpec | Profile
"""A person: a bundled name, a path, or the value; of a persona or of a profile."""
PersonCell = tuple[Person, Need]
PROFILES: Final = ".jsonl"
"""How the name of a file of profiles ends."""


def load_people(selection: PersonSpec | Iterable[PersonSpec] = "all") -> list[PersonCell]:
    """Return the selected people, each with one of its needs, in order; personas first.

    Args:
        selection: As for `load_cells`; or a path that ends in .jsonl for all profiles of a file,
            a `Profile`, or an iterable with such among the others.

    Raises:
        InvalidPersona: If a file breaks a rule, or two people share an id.
        InvalidArgument: See `load_cells`.
    """
    if isinstance(selection, str) and not selection.endswith(PROFILES):
        return [*load_cells(selection)]
    alone = isinstance(selection, (str, os.PathLike, Persona, Profile))
    chosen: Iterable[PersonSpec] = [selection] if alone else list(selection)
    personas: list[PersonaSpec] = []
    profiles: list[Profile] = []
    for spec in chosen:
        if _written(spec):
            personas.append(spec)
        else:
            profiles += _profiles(spec)
    cells = load_cells(personas) if personas or not profiles else []
    _check_ids([*{persona.id for persona, _ in cells}, *(profile.id for profile in profiles)])
    return [*cells, *((profile, profile.need) for profile in profiles)]


def load_person(person: PersonSpec) -> Person:
    """Return a persona or a profile, given a bundled name, a path or the value itself.

    Raises:
        InvalidArgument: See `load_persona`; or if a file holds several profiles.
    """
    if _written(person):
        return load_persona(person)
    found = _profiles(person)
    if len(found) > 1:
        raise InvalidArgument(f"persona={person!r} holds {len(found)} people: give it as personas=")
    return found[0]


def _written(spec: PersonSpec) -> TypeGuard[PersonaSpec]:
    """Whether it is a persona, or the name or file of one."""
    if isinstance(spec, (str, os.PathLike)):
        return not os.fspath(spec).endswith(PROFILES)
    return not isinstance(spec, Profile)


def _profiles(spec: PersonSpec) -> list[Profile]:
    if isinstance(spec, (str, os.PathLike)):
        return list(read_profiles(spec).values())
    return [spec] if isinstance(spec, Profile) else []


def _check_ids(ids: Iterable[str]) -> None:
    shared = [name for name, count in Counter(ids).items() if count > 1]
    if shared:
        message = f"{shared[0]!r} is the id of two people"
        hint = "Give one of them another id."
        raise InvalidPersona.listing([Problem("duplicate-id", message, ("id",), hint)])
