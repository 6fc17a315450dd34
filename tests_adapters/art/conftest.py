"""ART needs Python 3.12 and much else; its wheel is read here, and what is used of it stood in for.

`pip install --no-deps --ignore-requires-python openpipe-art` puts the files there.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass
class Trajectory:
    """`art.Trajectory`, as far as it is used; test_art.py compares it with the wheel's."""

    messages_and_choices: list[Any] = field(default_factory=list)
    reward: float = 0.0
    metrics: dict[str, float | int | bool] = field(default_factory=dict)
    metadata: dict[str, float | int | str | bool | None] = field(default_factory=dict)


@dataclass
class TrajectoryGroup:
    """`art.TrajectoryGroup`, as far as it is used."""

    trajectories: list[Trajectory]
    exceptions: list[BaseException]


async def trajectory_group(trajectories):
    """Sort what came out from what failed, as `art.trajectory_group` does."""
    items = list(trajectories)
    return TrajectoryGroup(
        [one for one in items if isinstance(one, Trajectory)],
        [one for one in items if isinstance(one, BaseException)],
    )


async def gather_trajectory_groups(groups):
    """Await the groups together."""
    return await asyncio.gather(*groups)


def pytest_configure():
    found = PathFinder.find_spec("art")
    assert found, "run: pip install --no-deps --ignore-requires-python openpipe-art"
    stand_in = ModuleType("art")
    stand_in.__path__ = []
    stand_in.folder = Path(found.submodule_search_locations[0])
    for one in (Trajectory, TrajectoryGroup, trajectory_group, gather_trajectory_groups):
        setattr(stand_in, one.__name__, one)
    sys.modules["art"] = stand_in
