"""Persona files, casts and rewards as tests of pytest: one test for each law.

`_empathy_env_pytest`, which pytest loads, has the hooks; it loads this once there is something to
check. docs/persona-tests.md shows how it is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import pytest

from empathy_env.checks.case import PersonaCase
from empathy_env.checks.casts import LAWS as CAST_LAWS
from empathy_env.checks.casts import CastCase
from empathy_env.checks.personas import LAWS as PERSONA_LAWS
from empathy_env.checks.report import Law, Report, chosen
from empathy_env.errors import CheckFailed, InvalidArgument
from empathy_env.reward import load_reward


class _LawItem(pytest.Item):
    """One law, checked. A failure is what the author of the file or reward has to know."""

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the message of a broken law as it is; of anything else, where it comes from."""
        if isinstance(excinfo.value, (CheckFailed, InvalidArgument)):
            here = f"{self.config.invocation_params.dir}{os.sep}"
            return str(excinfo.value).replace(here, "")
        return super().repr_failure(excinfo, style)

    def noted(self, notes: str) -> None:
        """Keep what is worth a look; pytest shows it with -rA."""
        if notes:
            self.add_report_section("call", "notes", notes)


class PersonaFile(pytest.File):
    """A persona file; its talks are played once for all its laws."""

    plays_once = True
    """Whether its items are to be run in a row."""

    @cached_property
    def case(self) -> PersonaCase:
        """The persona, with its talks."""
        return PersonaCase.of(self.path)

    def collect(self) -> Iterable[pytest.Item]:
        """Return an item for each law."""
        wanted = self.config.getoption("--empathy-persona-laws")
        try:
            laws = chosen(PERSONA_LAWS, wanted.split(",") if wanted else None)
        except InvalidArgument as error:
            raise self.CollectError(f"--empathy-persona-laws: {error}") from error
        return [PersonaLaw.from_parent(self, name=law.name, law=law) for law in laws]  # pyright: ignore[reportUnknownMemberType]

    def teardown(self) -> None:
        """Let go of the talks."""
        if "case" in vars(self):
            del self.case


class PersonaLaw(_LawItem):
    """One law of a persona."""

    def __init__(self, *, law: Law[PersonaCase], **given: Any):
        super().__init__(**given)  # pyright: ignore[reportUnknownMemberType]
        self.law = law

    def runtest(self) -> None:
        """Check it."""
        assert isinstance(self.parent, PersonaFile)
        case = self.parent.case
        if case.subject is None and self.name != "schema":
            pytest.skip("the file cannot be loaded; the law 'schema' says why")
        self.noted(self.law.check(case))

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Return the file, and the law."""
        return self.path, None, f"{self.path.name}: {self.name}"


class CastFile(pytest.File):
    """A file with several people who talk in one room; they are tested by their own files too."""

    plays_once = True
    """Whether its items are to be run in a row."""

    @cached_property
    def case(self) -> CastCase:
        """The cast."""
        return CastCase.of(self.path)

    def collect(self) -> Iterable[pytest.Item]:
        """Return an item for each law."""
        return [CastLaw.from_parent(self, name=law.name, law=law) for law in CAST_LAWS]  # pyright: ignore[reportUnknownMemberType]

    def teardown(self) -> None:
        """Let go of what was read."""
        if "case" in vars(self):
            del self.case


class CastLaw(_LawItem):
    """One law of a cast."""

    def __init__(self, *, law: Law[CastCase], **given: Any):
        super().__init__(**given)  # pyright: ignore[reportUnknownMemberType]
        self.law = law

    def runtest(self) -> None:
        """Check it."""
        assert isinstance(self.parent, CastFile)
        case = self.parent.case
        if case.subject is None and self.name != "schema":
            pytest.skip("the file cannot be loaded; the law 'schema' says why")
        self.noted(self.law.check(case))

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Return the file, and the law."""
        return self.path, None, f"{self.path.name}: {self.name}"


class RewardLaws(pytest.Collector):
    """A reward that was named on the command line."""

    def collect(self) -> Iterable[pytest.Item]:
        """Return an item for each law."""
        # Asks for Hypothesis, which persona files do without.
        from empathy_env.checks import check_reward
        from empathy_env.checks.rewards import LAWS

        spec = self.name

        def report(law: str) -> Report:
            return check_reward(spec, laws=[law])

        return [RewardLaw.from_parent(self, name=law.name, check=report) for law in LAWS]  # pyright: ignore[reportUnknownMemberType]


class RewardLaw(_LawItem):
    """One law of a reward."""

    def __init__(self, *, check: Callable[[str], Report], **given: Any):
        super().__init__(**given)  # pyright: ignore[reportUnknownMemberType]
        self.check = check

    def runtest(self) -> None:
        """Check it."""
        report = self.check(self.name)
        self.noted("\n".join(report.notes))

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Return where it was asked for, and the law."""
        assert self.parent is not None
        return self.config.invocation_params.dir, None, f"{self.parent.name}: {self.name}"


def reward_items(session: pytest.Session, spec: str) -> Iterable[pytest.Item]:
    """Return the tests of a reward.

    Raises:
        pytest.UsageError: If there is no such reward.
    """
    try:
        load_reward(spec)
    except InvalidArgument as error:
        raise pytest.UsageError(f"--empathy-reward: {error}") from error
    collector = RewardLaws.from_parent(session, name=spec, nodeid=spec)  # pyright: ignore[reportUnknownMemberType]
    return collector.collect()
