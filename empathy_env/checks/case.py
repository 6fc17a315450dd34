"""A persona under test, with the talks that all laws look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from empathy_env.checks.turns import Played, played_turns
from empathy_env.document import Node
from empathy_env.errors import CheckFailed, InvalidPersona, Problem, UnknownName
from empathy_env.library import PersonaSpec, persona_names
from empathy_env.persona import Persona
from empathy_env.playability import unplayable
from empathy_env.probes import Trial, trials
from empathy_env.source import Place
from empathy_env.subject import Subject, bundled_subject, read_subjects

TALKS: Final = 3
"""Most talks of the oracle with each need, until half of them succeed."""


@dataclass(frozen=True)
class PersonaCase:
    """A persona under test: the talks with it are played once, whatever laws ask for them."""

    name: str
    subject: Subject | None
    """None if it cannot be loaded."""
    problems: tuple[Problem, ...] = ()
    """Why it cannot be loaded, or not beside the bundled ones."""
    talks: int = TALKS

    @classmethod
    def of(cls, persona: PersonaSpec, *, talks: int = TALKS) -> PersonaCase:
        """Return the case of a bundled name, a path to a YAML file, or a value.

        Raises:
            UnknownName: If no bundled persona has the name.
        """
        if isinstance(persona, Persona):
            return cls(persona.id, _as_subject(persona), tuple(_problems(persona)), talks)
        name = str(persona)
        if name in persona_names():
            return cls(name, bundled_subject(name), (), talks)
        if not name.endswith((".yaml", ".yml")):
            hint = "A path must end in .yaml."
            raise UnknownName.among("persona", name, persona_names(), hint)
        subjects, found = read_subjects([Path(persona)])
        problems = tuple(finding.problem for finding in found)
        return cls(name, subjects[0] if subjects else None, problems, talks)

    @property
    def loaded(self) -> Subject:
        """The persona with its places.

        Raises:
            CheckFailed: If it cannot be loaded.
        """
        if self.subject is None:
            raise CheckFailed(listed(self.problems), law="schema")
        return self.subject

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The talks that were played with each need."""
        return tuple(trials(self.loaded.persona, self.talks))

    @cached_property
    def played(self) -> tuple[Played, ...]:
        """Their turns, and some more."""
        return tuple(played_turns(self.loaded.persona, self.trials))


def _as_subject(persona: Persona) -> Subject:
    nowhere = Place(persona.id, 0, 0)
    return Subject(persona, Node({}, nowhere, nowhere))


def _problems(persona: Persona) -> Iterator[Problem]:
    """Find what is wrong with a value: one that was made by hand need not have been validated."""
    data = persona.to_data()
    try:
        Persona.parse(data, source=persona.id)
    except InvalidPersona as error:
        yield from error.problems
    yield from (problem._replace(file=persona.id) for problem in unplayable(data))


def listed(problems: Iterable[Problem]) -> str:
    """Return problems as text: one by itself, several below a line that counts them."""
    found = [str(problem) for problem in problems]
    return found[0] if len(found) == 1 else "\n".join([f"{len(found)} problems:", *found])
