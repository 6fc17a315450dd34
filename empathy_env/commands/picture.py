"""Emotion curves as a PNG file. Needs matplotlib (the extra `report`)."""

# matplotlib's own types leave much unknown.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from empathy_env.commands.sheet import Course


def save_picture(path: Path, title: str, curves: Mapping[str, Sequence[Course]]) -> None:
    """Draw emotion over turns, one panel for each need, and write the file."""
    figure = Figure(figsize=(4.0 * len(curves), 3.4), layout="constrained")
    figure.suptitle(title)
    first = None
    for number, (need, courses) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(1, len(curves), number, sharey=first)
        first = first or axes
        for course in courses:
            label = f"{course.agent} ({course.outcome.replace('_', ' ')})"
            axes.plot(range(len(course.emotion)), course.emotion, marker="o", label=label)
        axes.set(title=need.replace("_", " "), xlabel="turn", ylabel="emotion", ylim=(0, 102))
        axes.legend(fontsize="small", loc="lower left")
    figure.savefig(path, dpi=120, format="png")
