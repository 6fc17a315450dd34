"""How far agents fall when the user is the held-out one; prints one JSON object.

python benchmarks/transfer.py [--seeds 4] [--personas all]

The same scenarios are played with `appraisal-v1` and with `appraisal-v1-b`: another table of
weights, another reader, another bank of lines. The gap is paired by scenario; intervals are 95 %,
by a bootstrap over personas.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

from bands import AGENTS, final, interval, scenarios

from empathy_env import Task, load_agent, rollouts
from empathy_env.protocol import PROTOCOLS


def main() -> None:
    """Play all and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=5000)
    parser.add_argument("--difficulty", default="moderate")
    parser.add_argument("--personas", default="all")
    parser.add_argument("--agents", nargs="*", default=list(AGENTS))
    args = parser.parse_args()
    wanted = scenarios(args.personas, args.difficulty, args.seeds, args.first_seed)
    task = Task(personas="all")
    result: dict[str, dict[str, list[float]]] = {}
    for name in args.agents:
        played = {
            protocol: sorted(
                rollouts(
                    task,
                    load_agent(name),
                    [replace(scenario, protocol=PROTOCOLS[protocol]) for scenario in wanted],
                    concurrency=len(wanted),
                ),
                key=lambda trace: trace.id,
            )
            for protocol in PROTOCOLS
        }
        own, other = played["appraisal-v1"], played["appraisal-v1-b"]
        gaps = [final(b) - final(a) for a, b in zip(own, other, strict=True)]
        result[name] = {
            "appraisal-v1": interval(own, [final(t) for t in own]),
            "appraisal-v1-b": interval(other, [final(t) for t in other]),
            "gap": interval(own, gaps),
        }
    print(json.dumps({"episodes": len(wanted), "agents": result}))


if __name__ == "__main__":
    main()
