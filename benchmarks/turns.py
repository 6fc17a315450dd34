"""Speed and memory of talks with the code user; prints one JSON object.

python benchmarks/turns.py [--seconds 5]

Turns per second go through `env.step` on one core, with utterances of sixty words that are all
different, so that no cache can help; traces are on. Ratios compare figures of the same run.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import subprocess
import sys
import time
import tracemalloc

import gymnasium as gym

import empathy_env  # noqa: F401 - registers the environment

WORDS = (
    "I hear you that what was like for when they gave a box and left sounds hard could maybe "
    "your mother job night feel ashamed angry tell me more about it makes sense anyone would be "
    "tried one small step tomorrow wonder if he afraid not fault people time again without"
).split()
HEAVY = ("torch", "openai", "litellm", "hypothesis", "typer", "rich")


def utterances(rng: random.Random, words: int = 60):
    """Yield utterances of so many words, all different."""
    while True:
        text = [rng.choice(WORDS) for _ in range(words)]
        for end in range(11, words, 12):
            text[end] += rng.choice(".?.")
        yield " ".join(text)


def turns_per_second(seconds: float) -> dict[str, float]:
    """Play for so long and count."""
    source = utterances(random.Random(1))
    env = gym.make("EmpathyEnv/Support-v0", personas="all", on_trace=lambda trace: None)
    env.reset(seed=1)
    next(source)
    count = 0
    texts = [next(source) for _ in range(int(seconds * 8000))]
    started = time.perf_counter()
    for text in texts:
        *_, terminated, truncated, _ = env.step(text)
        count += 1
        if terminated or truncated:
            env.reset()
        if time.perf_counter() - started > seconds:
            break
    return {"turns": count, "turns_per_second": round(count / (time.perf_counter() - started))}


def late_over_early(talks: int = 60) -> dict[str, float]:
    """Compare the median cost of turns 41 to 50 with that of turns 2 to 11 of the same talks."""
    source = utterances(random.Random(2))
    patient = {"patience": 1.0, "hostility": 0.0, "start": 0.9, "memory": 0.0}
    env = gym.make("EmpathyEnv/Support-v0", personas="all", max_turns=60, difficulty=patient)
    early: list[float] = []
    late: list[float] = []
    kept = seed = 0
    while kept < talks and seed < 40 * talks:
        seed += 1
        env.reset(seed=seed)
        costs: list[float] = []
        for _ in range(50):
            text = next(source)
            started = time.perf_counter()
            ended = env.step(text)[2]
            costs.append(time.perf_counter() - started)
            if ended:
                break
        if len(costs) == 50:
            kept += 1
            early += costs[1:11]
            late += costs[40:50]
    ratio = statistics.median(late) / statistics.median(early)
    return {"late_over_early": round(ratio, 3), "talks_of_50_turns": kept}


def kept_bytes(episodes: int, *, keep: bool) -> float:
    """Return bytes held for each finished episode."""
    source = utterances(random.Random(3))
    traces = []
    env = gym.make(
        "EmpathyEnv/Support-v0", personas="all", on_trace=traces.append if keep else None
    )

    def play(count: int, seed: int) -> None:
        for number in range(count):
            env.reset(seed=seed + number)
            while not env.step(next(source))[2]:
                pass

    tracemalloc.start()
    play(150, 0)  # until the bounded caches are full
    traces.clear()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    play(episodes, 1000)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / episodes


def import_cost() -> dict[str, object]:
    """Time `import empathy_env` in fresh interpreters, and list what it loads of the heavy ones."""
    code = (
        "import time; t = time.perf_counter(); import empathy_env; "
        "d = time.perf_counter() - t; import sys; "
        f"print(d, [m for m in {HEAVY!r} if m in sys.modules])"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(7)
    ]
    seconds = [float(run.stdout.split(" ", 1)[0]) for run in runs]
    return {
        "import_ms_median": round(statistics.median(seconds) * 1000),
        "import_loads": runs[0].stdout.split(" ", 1)[1].strip(),
    }


def main() -> None:
    """Measure all and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="kept for symmetry; always JSON")
    args = parser.parse_args()
    result: dict[str, object] = {}
    result.update(turns_per_second(args.seconds))
    result.update(late_over_early())
    result["kept_kb_traces_dropped"] = round(kept_bytes(args.episodes, keep=False) / 1024, 2)
    result["kept_kb_traces_kept"] = round(kept_bytes(args.episodes, keep=True) / 1024, 2)
    result.update(import_cost())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
