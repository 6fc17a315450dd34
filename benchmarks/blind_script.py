"""Search for the best observation-blind ten-turn script; prints one JSON object.

python benchmarks/blind_script.py [--evaluations 24000] [--out agents/blind-script.py]

A script is ten lines of `blind_bank.txt`, said whatever the user says. Hill climbing from greedy
and random starts; each candidate is scored on a fresh draw of talks, winners are confirmed on
more, and the result is scored on seeds that the search never used.
"""

from __future__ import annotations

import argparse
import json
import random
from multiprocessing import Pool
from pathlib import Path

from empathy_env import Scenario, Task, load_personas
from empathy_env.conversation import say
from empathy_env.drivers import run

TURNS = 10
HELD_OUT = 10_000_000
BANK = [
    line
    for line in (Path(__file__).parent / "blind_bank.txt").read_text("utf-8").splitlines()
    if line
]
CELLS = [(p, v.need) for p in load_personas().values() for v in p.needs]
TASK = Task(personas="all")


def final_emotion(script: tuple[int, ...], cell: int, seed: int) -> float:
    """Play the script once and return the last emotion."""
    persona, need = CELLS[cell % len(CELLS)]
    talk = TASK.begin(Scenario(persona=persona, need=need, seed=seed))
    for number in range(TURNS):
        talk = run(say(talk, BANK[script[number % len(script)]]))
        if talk.outcome is not None:
            break
    return talk.users[0].mood.emotion


def score(job: tuple[tuple[int, ...], int, int]) -> float:
    """Return the mean over so many talks, spread evenly over personas and needs."""
    script, talks, seed = job
    return sum(final_emotion(script, seed + i, seed + i) for i in range(talks)) / talks


def climb(job: tuple[int, int, list[int]]) -> tuple[tuple[int, ...], float, int]:
    """Climb from one start for so many evaluations; return the script, its score and the count."""
    number, evaluations, promising = job
    rng = random.Random(number)
    now = tuple(rng.sample(promising if number % 2 else range(len(BANK)), TURNS))
    best = score((now, 24, rng.randrange(1_000_000)))
    used = 1
    while used < evaluations:
        changed = list(now)
        pool = promising if rng.random() < 0.7 else range(len(BANK))
        if rng.random() < 0.25:
            i, j = rng.sample(range(TURNS), 2)
            changed[i], changed[j] = changed[j], changed[i]
        else:
            changed[rng.randrange(TURNS)] = rng.choice(pool)
        seed = rng.randrange(1_000_000)
        used += 2
        gain = score((tuple(changed), 4, seed)) - score((now, 4, seed))
        if gain > 0:
            seed = rng.randrange(1_000_000)
            used += 2
            gain = score((tuple(changed), 24, seed)) - score((now, 24, seed))
            if gain > 0:
                now = tuple(changed)
    best = score((now, 96, 2_000_000))
    return now, best, used + 1


def main() -> None:
    """Search, confirm, print, and write the agent if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=24_000)
    parser.add_argument("--starts", type=int, default=16)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with Pool(args.processes) as pool:
        singles = pool.map(score, [((i,), 24, 3_000_000) for i in range(len(BANK))], chunksize=10)
        promising = sorted(range(len(BANK)), key=lambda i: -singles[i])[:60]
        share = (args.evaluations - len(BANK)) // args.starts + 1
        found = pool.map(climb, [(n, share, promising) for n in range(args.starts)], chunksize=1)
        finalists = sorted(found, key=lambda one: -one[1])[:4]
        confirmed = pool.map(score, [(one[0], 480, 4_000_000) for one in finalists])
        winner = finalists[max(range(len(finalists)), key=lambda i: confirmed[i])][0]
        (held_out,) = pool.map(score, [(winner, 960, HELD_OUT)])
    lines = [BANK[i] for i in winner]
    used = len(BANK) + sum(one[2] for one in found) + len(finalists)
    if args.out:
        args.out.write_text(agent_source(lines), encoding="utf-8")
    print(
        json.dumps(
            {
                "evaluations": used,
                "held_out_emotion": round(held_out, 2),
                "best_single_line": round(max(singles), 2),
                "script": lines,
            }
        )
    )


def agent_source(lines: list[str]) -> str:
    """Return the agent file that says these lines."""
    listed = "\n".join(f"    {line!r}," for line in lines)
    return f'''"""The best ten-turn script that a search could find for an agent that hears nothing.

Found by `python benchmarks/blind_script.py`, which holds the search and says what it found.
"""

SCRIPT = [
{listed}
]


def reply(messages, rng):
    turn = sum(message["role"] == "assistant" for message in messages)
    return SCRIPT[turn % len(SCRIPT)]
'''


if __name__ == "__main__":
    main()
