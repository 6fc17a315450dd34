"""How far each agent gets with every persona and need; prints one JSON object.

python benchmarks/bands.py [--seeds 8] [--difficulty moderate] [--split dev]

Intervals are 95 %, by a bootstrap over personas. Differences are paired by episode.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence

from empathy_env import Scenario, Task, Trace, load_agent, load_cells, rollouts
from empathy_env.difficulty import load_difficulty
from empathy_env.library import split_of
from empathy_env.measures import cluster_bootstrap
from empathy_env.persona import NEEDS

AGENTS = (
    "oracle", "listener", "blind-script", "pasting", "everything", "advisor", "random", "parrot",
    "silent",
)  # fmt: skip


def scenarios(selection: str, difficulty: str, seeds: int, first: int) -> list[Scenario]:
    """Return so many scenarios for each persona and need, every one with a seed of its own."""
    cells = [cell for cell in load_cells(selection) for _ in range(seeds)]
    knobs = load_difficulty(difficulty)
    return [
        Scenario(persona=persona, need=need, seed=first + number, difficulty=knobs)
        for number, (persona, need) in enumerate(cells)
    ]


def final(trace: Trace) -> float:
    """Return the last emotion."""
    return trace.emotion(len(trace.turns))


def by_persona(traces: Sequence[Trace], values: Sequence[float]) -> dict[str, list[float]]:
    """Group values by the persona of their trace."""
    grouped: dict[str, list[float]] = {}
    for trace, value in zip(traces, values, strict=True):
        grouped.setdefault(trace.scenario.persona.id, []).append(value)
    return grouped


def interval(traces: Sequence[Trace], values: Sequence[float]) -> list[float]:
    """Return mean, low and high."""
    return [round(x, 2) for x in cluster_bootstrap(by_persona(traces, values))[:3]]


def grouped(traces: Sequence[Trace], key: Callable[[Trace], str]) -> dict[str, float]:
    """Return the mean last emotion of each group."""
    groups: dict[str, list[float]] = {}
    for trace in traces:
        groups.setdefault(key(trace), []).append(final(trace))
    return {name: round(sum(group) / len(group), 1) for name, group in sorted(groups.items())}


def main() -> None:
    """Play all and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--difficulty", default="moderate")
    parser.add_argument("--personas", default="all")
    parser.add_argument("--agents", nargs="*", default=list(AGENTS))
    parser.add_argument("--json", action="store_true", help="kept for symmetry; always JSON")
    args = parser.parse_args()
    wanted = scenarios(args.personas, args.difficulty, args.seeds, args.first_seed)
    task = Task(personas="all")
    played: dict[str, list[Trace]] = {}
    for name in args.agents:
        traces = rollouts(task, load_agent(name), wanted, concurrency=len(wanted))
        played[name] = sorted(traces, key=lambda trace: trace.id)
    result: dict[str, object] = {"episodes": len(wanted), "agents": {}, "listener_minus": {}}
    for name, traces in played.items():
        result["agents"][name] = {  # type: ignore[index]
            "emotion": interval(traces, [final(t) for t in traces]),
            "success": round(sum(t.outcome == "success" for t in traces) / len(traces), 3),
            "left": round(sum(t.outcome == "left" for t in traces) / len(traces), 3),
            "by_split": grouped(traces, lambda t: split_of(t.scenario.persona, t.scenario.variant)),
            "by_need": grouped(traces, lambda t: t.scenario.need),
            "terminal": round(
                sum(final(t) / 100 * (t.outcome != "left") for t in traces) / len(traces), 3
            ),
        }
    if "listener" in played:
        mine = played["listener"]
        for name, traces in played.items():
            gaps = [final(a) - final(b) for a, b in zip(mine, traces, strict=True)]
            result["listener_minus"][name] = {  # type: ignore[index]
                "all": interval(mine, gaps),
                "by_need": {
                    need: interval(*zip(*pairs, strict=True))
                    for need in NEEDS
                    if (
                        pairs := [
                            pair
                            for pair in zip(mine, gaps, strict=True)
                            if pair[0].scenario.need == need
                        ]
                    )
                },
            }
    for name in ("oracle", "listener"):
        cells: dict[str, list[bool]] = {}
        for trace in played.get(name, []):
            cell = f"{trace.scenario.persona.id}/{trace.scenario.need}"
            cells.setdefault(cell, []).append(trace.outcome == "success")
        result[f"{name}_success_by_cell"] = {
            cell: round(sum(won) / len(won), 2) for cell, won in sorted(cells.items())
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
