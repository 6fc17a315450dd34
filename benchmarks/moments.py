"""How the code user answers, moment by moment, beside counselling transcripts; prints JSON.

python benchmarks/moments.py [--seeds 20]

The reference figures are recounts of AnnoMI (133 transcripts of motivational interviewing, which is
behaviour-change counselling and not support in distress). "Still": emotion moved by less than 2.5
of 100 points, what comes nearest to an emotionally neutral answer. "Opens": the reply tells
something new, or opens up. "Resists": it deflects, is hurt, or leaves. Mix of agents: listener,
blind-script, random, advisor, in equal parts. By act, only turns count in which the agent does a
single act.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter

from bands import scenarios

from empathy_env import Task, load_agent, rollouts

MIX = ("listener", "blind-script", "random", "advisor")
REFERENCE = {
    "still_after_reflection": [0.62, 0.68],
    "still_after_open_question": 0.51,
    "opens_after_open_question": 0.36,
    "opens_after_closed_question": 0.18,
    "opens_after_suggestion": 0.23,
    "opens_after_information": 0.13,
    "resistance_goes_on": [0.4, 0.5],
    "deflects_per_turn": [0.1, 0.2],
}
OPENS = {"tells", "opens_up"}
STILL = 2.5
RESISTS = {"deflects", "hurt", "leaves"}


def main() -> None:
    """Play the mix and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--agents", nargs="*", default=list(MIX))
    args = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    turns = deflected = after = again = 0
    for name in args.agents:
        wanted = scenarios("all", "moderate", args.seeds, 50_000)
        for trace in rollouts(Task(personas="all"), load_agent(name), wanted, concurrency=64):
            before = None
            for number, turn in enumerate(trace.turns, start=1):
                manner = turn.answers[0].manner
                turns += 1
                deflected += manner == "deflects"
                if before == "deflects":
                    after += 1
                    again += manner == "deflects"
                before = manner
                acts = {evidence.act for evidence in turn.evidence}
                if len(acts) == 1:
                    count = counts.setdefault(acts.pop(), Counter())
                    count["turns"] += 1
                    count["opens"] += manner in OPENS
                    count["resists"] += manner in RESISTS
                    moved = trace.emotion(number) - trace.emotion(number - 1)
                    count["still"] += abs(moved) < STILL
    result: dict[str, object] = {
        "turns": turns,
        "by_act": {
            act: {k: round(c[k] / c["turns"], 3) for k in ("still", "opens", "resists")}
            | {"turns": c["turns"]}
            for act, c in sorted(counts.items())
        },
        "deflects_per_turn": round(deflected / turns, 3),
        "resistance_goes_on": round(again / max(after, 1), 3),
        "reference": REFERENCE,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
