"""What runs of `agents/train_*.py` learnt: a table, and the curves as a picture.

python benchmarks/learning.py RUN [RUN ...] [--png curves.png]

Each RUN is the folder of one seed. Gains are those of the last evaluation over the first, talk by
talk: both play the same starts. Intervals are 95 %, over personas for one run, and over personas
and runs for all of them together. The picture needs matplotlib.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.exploits import final, lead
from empathy_env.trace import Trace, read_traces

USERS = ("held_out_personas", "held_out_user")


def talks_of(run: Path, user: str, place: int) -> list[Trace]:
    """Return the talks of a run's first (0) or last (-1) evaluation."""
    return list(read_traces(sorted(run.glob(f"{user}-*.jsonl"))[place]))


def gains(run: Path, user: str) -> dict[str, list[float]]:
    """Return how much each talk ended higher at last, by persona."""
    first = {trace.id: final(trace) for trace in talks_of(run, user, 0)}
    found: dict[str, list[float]] = {}
    for trace in talks_of(run, user, -1):
        gained = final(trace) - first[trace.id]
        found.setdefault(trace.scenario.persona.id, []).append(gained)
    return found


def pooled(
    runs: Sequence[Mapping[str, Sequence[float]]], *, resamples: int = 4000, seed: int = 0
) -> Interval:
    """Return the mean over runs and talks; runs are drawn, and personas, the same ones in each."""
    personas = sorted(set().union(*runs))
    sums = np.array([[math.fsum(run.get(name, ())) for name in personas] for run in runs])
    counts = np.array([[len(run.get(name, ())) for name in personas] for run in runs])
    dice = np.random.default_rng(seed)
    means: list[float] = []
    for _ in range(resamples):
        rows = dice.integers(len(runs), size=len(runs))
        columns = dice.integers(len(personas), size=len(personas))
        chosen = np.ix_(rows, columns)
        means.append(float(sums[chosen].sum() / counts[chosen].sum()))
    low, high = np.quantile(means, [0.025, 0.975])
    size = int(counts.sum())
    return Interval(float(sums.sum()) / size, float(low), float(high), size)


def steps_of(run: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log."""
    lines = (run / "log.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def draw(runs: Sequence[Path], path: Path) -> None:
    """Draw the rewards of training, and the evaluations with their intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for number, run in enumerate(runs):
        log = steps_of(run)
        played = [line for line in log if "emotion" in line]
        left.plot(
            [line["step"] for line in played],
            [line["emotion"] for line in played],
            color=f"C{number}",
            label=run.name,
        )
        for user, style in zip(USERS, ("-", "--"), strict=True):
            found = [line for line in log if f"{user}/emotion" in line]
            values = [line[f"{user}/emotion"] for line in found]
            right.errorbar(
                [line["step"] for line in found],
                [one["mean"] for one in values],
                yerr=[
                    [one["mean"] - one["low"] for one in values],
                    [one["high"] - one["mean"] for one in values],
                ],
                color=f"C{number}",
                linestyle=style,
                capsize=2,
                label=f"{run.name}, {user.replace('_', ' ')}",
            )
    left.set(title="in training", xlabel="step", ylabel="final emotion, points")
    right.set(title="held out", xlabel="step")
    left.legend(fontsize="x-small")
    right.legend(fontsize="x-small")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--png", type=Path)
    args = parser.parse_args()
    print("| run | evaluated on | base | after | gain | talks |\n|---|---|---|---|---|---|")
    for user in USERS:
        for run in args.runs:
            before, after = talks_of(run, user, 0), talks_of(run, user, -1)
            ends = [math.fsum(map(final, talks)) / len(talks) for talks in (before, after)]
            row(run.name, user, f"{ends[0]:.1f}", f"{ends[1]:.1f}", lead(after, before))
        if len(args.runs) > 1:
            row("all", user, "", "", pooled([gains(run, user) for run in args.runs]))
    if args.png:
        draw(args.runs, args.png)


def row(run: str, user: str, base: str, after: str, gain: Interval) -> None:
    """Print one row."""
    found = f"{gain.mean:+.1f} ({gain.low:+.1f} to {gain.high:+.1f})"
    print(f"| {run} | {user.replace('_', ' ')} | {base} | {after} | {found} | {gain.size} |")


if __name__ == "__main__":
    main()
