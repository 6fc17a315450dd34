"""What has to hold of a cast, as laws that point at the line of the file that breaks one.

Its people are personas with laws of their own, see `empathy_env.checks.personas`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from empathy_env.cast import CAST_FILE, Cast, CastSpec, Room, cast_names, casts_dir, read_room
from empathy_env.cast_findings import CastSubject, misread, unaddressed
from empathy_env.checks.case import listed
from empathy_env.checks.report import Law, Report, check_laws
from empathy_env.document import Node
from empathy_env.errors import CheckFailed, InvalidPersona, Problem, UnknownName
from empathy_env.source import Place


@dataclass(frozen=True)
class CastCase:
    """A cast under test."""

    name: str
    subject: CastSubject | None
    """None if it cannot be loaded."""
    problems: tuple[Problem, ...] = ()
    """Why it cannot be loaded."""

    @classmethod
    def of(cls, cast: CastSpec) -> CastCase:
        """Return the case of a bundled name, a path to a YAML file, or a value.

        Raises:
            UnknownName: If no bundled cast has the name.
        """
        if isinstance(cast, Cast):
            return cls(cast.id, _as_subject(cast), tuple(_problems(cast)))
        name = str(cast)
        if name in cast_names():
            return cls._read(name, read_room(casts_dir() / name / CAST_FILE))
        if not name.endswith((".yaml", ".yml")):
            raise UnknownName.among("cast", name, cast_names(), "A path must end in .yaml.")
        return cls._read(name, read_room(Path(cast)))

    @classmethod
    def _read(cls, name: str, room: Room) -> CastCase:
        if room.root is None or room.problems:
            return cls(name, None, InvalidPersona.listing(room.problems).problems)
        return cls(name, CastSubject(room.loaded, room.root))

    @property
    def loaded(self) -> CastSubject:
        """The cast with its places.

        Raises:
            CheckFailed: If it cannot be loaded.
        """
        if self.subject is None:
            raise CheckFailed(listed(self.problems), law="schema")
        return self.subject


def _as_subject(cast: Cast) -> CastSubject:
    nowhere = Place(cast.id, 0, 0)
    return CastSubject(cast, Node({}, nowhere, nowhere))


def _problems(cast: Cast) -> Iterable[Problem]:
    """Find what is wrong with a value: one that was made by hand need not have been validated."""
    try:
        Cast.parse(cast.to_data(), source=cast.id)
    except InvalidPersona as error:
        return error.problems
    return ()


def check_cast(cast: CastSpec, *, laws: Iterable[str] | None = None) -> Report:
    """Check a cast's laws one after another.

    Args:
        cast: A bundled name, a path to a YAML file, or the value.
        laws: Names of those to check, of `LAWS`; all of them by default.

    Returns:
        The laws that hold.

    Raises:
        CheckFailed: At the first law that is broken; it names the field, and its line in the file.
        UnknownName: If there is no such cast or law.
    """
    case = CastCase.of(cast)
    return check_laws(case, case.name, LAWS, laws)


def _schema(case: CastCase) -> str:
    if case.problems:
        raise CheckFailed(listed(case.problems), law="schema")
    return ""


def _addressed(case: CastCase) -> str:
    found = [*unaddressed(case.loaded), *misread(case.loaded)]
    if found:
        means = "\n".join(dict.fromkeys(finding.means for finding in found))
        problems = (finding.problem for finding in found)
        raise CheckFailed(listed(problems), law="addressed", hint=means)
    return ""


LAWS: Final[tuple[Law[CastCase], ...]] = (
    Law("schema", "The file and those of its people can be loaded.", _schema),
    Law(
        "addressed",
        "Each harsh and each warm line is said to the one whom it is for, and read as it is meant.",
        _addressed,
    ),
)
"""The laws of a cast, in the order in which they are checked."""
