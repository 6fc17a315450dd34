"""How far a fair mediator gets beside others, in each cast; prints a Markdown table or JSON.

python benchmarks/mediators.py [--seeds 24] [--difficulty moderate] [--protocol NAME] [--json]

Worst-off emotion is the lowest last emotion of the people in a talk; who has left counts with the
emotion at which they did. Means over seeds, with 95 % intervals by a bootstrap over seeds;
differences are paired by seed, so by the people's needs and all draws too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

import numpy as np

from empathy_env import Task, Trace, load_agent, rollouts
from empathy_env.cast import cast_names

AGENTS = ("mediator", "partisan", "rescuer", "fixer", "listener", "template-therapist", "silent")


def finals(trace: Trace) -> list[float]:
    """Return each person's last emotion."""
    return [trace.emotion(len(trace.turns), seat=seat) for seat in range(len(trace.start))]


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean, and the 2.5th and 97.5th percentile of bootstrapped means."""
    rng, data = np.random.default_rng(0), np.array(values)
    means = rng.choice(data, (2000, len(data))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(data.mean()), float(low), float(high)


def played(cast: str, agents: Sequence[str], args: argparse.Namespace) -> dict[str, list[Trace]]:
    """Play a cast with each agent, all with the same seeds."""
    task = Task(cast=cast, difficulty=args.difficulty, protocol=args.protocol)
    wanted = [task.scenario(args.first_seed + number) for number in range(args.seeds)]
    return {
        name: sorted(
            rollouts(task, load_agent(name), wanted, concurrency=len(wanted)),
            key=lambda trace: trace.scenario.seed,
        )
        for name in agents
    }


def figures(talks: Mapping[str, Sequence[Trace]]) -> dict[str, dict[str, object]]:
    """Return mean and worst-off emotion of each agent, and how far the first one is ahead."""
    first = next(iter(talks))
    worst = {name: [min(finals(trace)) for trace in traces] for name, traces in talks.items()}
    means = {name: [np.mean(finals(trace)) for trace in traces] for name, traces in talks.items()}
    return {
        name: {
            "worst": interval(worst[name]),
            "mean": float(np.mean(means[name])),
            "ahead": interval([a - b for a, b in zip(worst[first], worst[name], strict=True)]),
            "left": float(np.mean([not all(t.present(len(t.turns), seat=s) for s in
                                           range(len(t.start))) for t in talks[name]])),
        }
        for name in talks
    }  # fmt: skip


def main() -> None:
    """Play all and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--difficulty", default="moderate")
    parser.add_argument("--protocol", default="appraisal-v1")
    parser.add_argument("--casts", nargs="*", default=cast_names())
    parser.add_argument("--agents", nargs="*", default=list(AGENTS))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    table = {cast: figures(played(cast, args.agents, args)) for cast in args.casts}
    if args.json:
        print(json.dumps(table))
        return
    print("| cast | agent | worst-off | mean | mediator ahead by | somebody left |")
    print("|---|---|--:|--:|--:|--:|")
    for cast, rows in table.items():
        for name, row in rows.items():
            worst, low, high = row["worst"]  # type: ignore[misc]
            ahead, less, more = row["ahead"]  # type: ignore[misc]
            gap = "" if name == args.agents[0] else f"{ahead:.1f} ({less:.1f} to {more:.1f})"
            print(
                f"| {cast} | `{name}` | {worst:.1f} ({low:.1f} to {high:.1f}) | {row['mean']:.1f} "
                f"| {gap} | {row['left']:.0%} |"
            )


if __name__ == "__main__":
    main()
