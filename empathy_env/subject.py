"""A persona file that is under test, and what may be found about it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from empathy_env.document import Field, Node, placed
from empathy_env.errors import InvalidPersona, Problem
from empathy_env.library import (
    check_personas,
    content_dir,
    load_persona,
    persona_names,
    read_persona,
)
from empathy_env.lineage import read_lineage
from empathy_env.persona import Persona
from empathy_env.source import real

Level = Literal["error", "warning", "note"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")


class Finding(NamedTuple):
    """One thing that is the matter.

    Attributes:
        level: How bad it is.
        problem: What is the matter, and where.
        means: What it means for training.
    """

    level: Level
    problem: Problem
    means: str


class Subject(NamedTuple):
    """A persona that is checked, and the file that it comes from."""

    persona: Persona
    root: Node

    def placed(self, rule: str, message: str, field: Field, hint: str = "") -> Problem:
        """Return a problem with the place of its field."""
        return placed(Problem(rule, message, field, hint), self.root)


def bundled_files() -> list[Path]:
    """Return the files of the bundled personas."""
    return [content_dir("personas") / f"{name}.yaml" for name in persona_names()]


def read_subjects(paths: Iterable[Path]) -> tuple[list[Subject], list[Finding]]:
    """Read persona files; return those that can be played, and what is wrong with any.

    That includes what is wrong with them beside each other and beside the bundled personas.
    """
    chosen = list(dict.fromkeys(paths))
    problems = check_personas([*names_beside(chosen), *chosen])
    subjects: list[Subject] = []
    for path in chosen:
        try:
            persona = read_persona(path)
        except InvalidPersona:
            continue  # what is wrong with it is among the problems
        subjects += _with_places(persona, path)
    return subjects, [Finding("error", problem, _meaning(problem)) for problem in problems]


def names_beside(paths: Iterable[Path]) -> list[str]:
    """Return the names of the bundled personas whose files are none of these."""
    given = {real(path) for path in paths}
    return [path.stem for path in bundled_files() if real(path) not in given]


@cache
def bundled_subject(name: str) -> Subject:
    """Return a bundled persona with its places."""
    (subject,) = _with_places(load_persona(name), content_dir("personas") / f"{name}.yaml")
    return subject


def _with_places(persona: Persona, path: Path) -> list[Subject]:
    """Return the persona with its places, or nothing if the file is gone meanwhile."""
    root = read_lineage(path, content_dir("personas")).root
    return [] if root is None else [Subject(persona, root)]


_MEANT: Final = {
    "duplicate-id": "Their talks cannot be told apart in a trace; they are not used together.",
    "shared-text": "An agent would meet in training what is held out to test it.",
    "unmet-need": "No agent can succeed in a talk with this need.",
    "unreached-trust": "No agent is ever told it.",
}


def _meaning(problem: Problem) -> str:
    unusable = "The file cannot be loaded, so no talk can be played with it."
    return _MEANT.get(problem.rule, unusable)
