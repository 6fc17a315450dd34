"""The hooks of the pytest plugin of `empathy_env`, without the package.

Whoever has the package installed loads this with every run of pytest. So it stands outside: to load
a module of the package loads the package, and Gymnasium with it, and whoever measures coverage
would miss what was run before the measuring began. `empathy_env.pytest_plugin` is loaded once there
is something to check.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

_SUFFIXES = (".yaml", ".yml")
_LONGEST = 256 * 1024  # bytes; no persona is longer
_KIND = re.compile(rb"^kind:[ \t]+[\"']?(persona|cast)[\"']?[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_HEIR = re.compile(rb"(?=.*^id:[ \t])(?=.*^extends:[ \t])", re.MULTILINE | re.DOTALL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("empathy-env")
    group.addoption(
        "--empathy-reward",
        metavar="MODULE:FUNCTION",
        action="append",
        default=[],
        help="Check the laws of a reward too, each as a test; can be given several times.",
    )
    group.addoption(
        "--empathy-persona-laws",
        metavar="LAW,LAW",
        default="",
        help="Check only these laws of persona files; all of them by default.",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect files that say of themselves that they are a persona, or a cast of some."""
    kind = _kind_of(file_path)
    if not kind:
        return None
    from empathy_env.pytest_plugin import CastFile, PersonaFile

    wanted = PersonaFile if kind == "persona" else CastFile
    return wanted.from_parent(parent, path=file_path)  # pyright: ignore[reportUnknownMemberType]


def _kind_of(path: Path) -> str:
    """Return what a file says that it is, at the top level; "" if it is nothing of ours."""
    if path.suffix not in _SUFFIXES:
        return ""
    try:
        with path.open("rb") as stream:
            text = stream.read(_LONGEST).removeprefix(b"\xef\xbb\xbf")
    except OSError:
        return ""
    if found := _KIND.search(text):
        return found[1].decode()
    return "persona" if _HEIR.match(text) else ""  # one that extends another inherits its kind


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Put rewards that were asked for first, and keep the laws of each file together."""
    items[:] = [*_reward_items(session), *_together(items)]


def _reward_items(session: pytest.Session) -> list[pytest.Item]:
    specs: list[str] = session.config.getoption("--empathy-reward") or []
    if not specs:
        return []
    here = str(session.config.invocation_params.dir)
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m pytest` does: the reward stands there
    from empathy_env.pytest_plugin import reward_items

    return [item for spec in specs for item in reward_items(session, spec)]


def _together(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the items with those of a persona file where the first of them was.

    Its talks are played once for all laws, and let go of after the last one in a row: whoever
    shuffles tests would have them played again and again.
    """
    groups: dict[pytest.Item | pytest.Collector, list[pytest.Item]] = {}
    for item in items:
        parent = item.parent
        of_file = isinstance(parent, pytest.File) and getattr(parent, "plays_once", False)
        groups.setdefault(parent if of_file and parent is not None else item, []).append(item)
    return [item for group in groups.values() for item in group]
