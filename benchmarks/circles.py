"""How fast circles of four are stepped beside talks of two; prints one JSON object.

python benchmarks/circles.py [--talks 256] [--rounds 12] [--repeats 3] [--cast peer-support-circle]

On one core (CPU seconds), with the code users, traces on: so many talks are stepped together, as a
vector environment. The supporter says utterances of sixty words that are all different, so that no
cache can help; in a circle each begins with the name of one of the people. An utterance is whatever
anybody says: in a talk of two, two a turn. Both kinds are measured in turns, and the ratio is of
the best of each.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Any

import gymnasium as gym
from turns import utterances

import empathy_env  # noqa: F401 - registers the environments
from empathy_env.cast import load_cast


def played(talks: int, rounds: int, cast: str | None, seed: int) -> float:
    """Step so many talks for so many rounds; return utterances per second."""
    rng = random.Random(seed)
    source = utterances(rng)
    names: tuple[str, ...] = load_cast(cast).names if cast else ()
    arguments: dict[str, Any] = {"cast": cast} if cast else {"personas": "all"}
    name = "Circle" if cast else "Support"
    vector = {**arguments, "max_turns": rounds + 1, "on_trace": None}
    envs = gym.make_vec(f"EmpathyEnv/{name}-v0", num_envs=talks, vector_kwargs={}, **vector)
    envs.reset(seed=seed)
    said = [
        [f"{rng.choice(names)}, {next(source)}" if cast else next(source) for _ in range(talks)]
        for _ in range(rounds)
    ]
    started = time.process_time()
    for actions in said:
        envs.step(actions)
    seconds = time.process_time() - started
    episodes = envs.unwrapped.episodes
    count = sum(
        1 + (sum(bool(s.heard.strip()) for s in turn.others) if cast else 1)
        for episode in episodes
        for turn in episode.talk.turns
    )
    return count / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talks", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cast", default="peer-support-circle")
    args = parser.parse_args()
    single: list[float] = []
    circle: list[float] = []
    for cast in (None, args.cast):  # loads what is loaded once
        played(8, 2, cast, 99)
    for seed in range(args.repeats):
        single.append(played(args.talks, args.rounds, None, seed))
        circle.append(played(args.talks, args.rounds, args.cast, seed))
    print(
        json.dumps(
            {
                "talks": args.talks,
                "single_utterances_per_second": round(max(single)),
                "circle_utterances_per_second": round(max(circle)),
                "ratio": round(max(circle) / max(single), 3),
                "ratios": [round(b / a, 3) for a, b in zip(single, circle, strict=True)],
            }
        )
    )


if __name__ == "__main__":
    main()
