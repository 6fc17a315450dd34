"""Can the need be read from the talk? From the opening no, from good questions yes; prints JSON.

python benchmarks/needs.py [--talks 40]

For each persona a naive Bayes classifier over words and word pairs is trained on what the user said
in one half of the talks and tested on the other half. After the opening it can do no better than
guess; after three turns of the oracle's questions the talk should give the need away (at least .8);
after three turns of advice it should not (at most .5).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
from collections import Counter, defaultdict
from itertools import pairwise

from empathy_env import Agent, Scenario, Task, load_agent, load_personas, rollouts
from empathy_env.library import content_dir

TURNS = 3


def features(text: str) -> Counter[str]:
    """Return the words and the pairs of neighbouring words of a text."""
    words = re.findall(r"[\w']+", text.lower())
    return Counter([*words, *(f"{a} {b}" for a, b in pairwise(words))])


def accuracy(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> float:
    """Train naive Bayes with add-one smoothing on (text, need), and return its accuracy."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    prior = Counter(need for _, need in train)
    for text, need in train:
        seen[need].update(features(text))
    vocabulary = len(set().union(*seen.values()))
    totals = {need: sum(counts.values()) + vocabulary for need, counts in seen.items()}

    def score(text: str, need: str) -> float:
        counts = seen[need]
        return math.log(prior[need]) + sum(
            n * math.log((counts[word] + 1) / totals[need]) for word, n in features(text).items()
        )

    right = sum(max(seen, key=lambda need: score(text, need)) == truth for text, truth in test)
    return right / len(test)


def prober() -> Agent:
    """Return the oracle's questions as an agent."""
    spec = importlib.util.spec_from_file_location("oracle", content_dir("agents") / "oracle.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Agent("probe", "", True, module.probe)


def reading(agent: Agent, talks: int, turns: int) -> float:
    """Return the accuracy, over all personas, after so many turns with this agent."""
    found = []
    task = Task(personas="all", max_turns=TURNS)
    for index, persona in enumerate(load_personas().values()):
        scenarios = [
            Scenario(
                persona=persona, need=variant.need, seed=900_000 + 1000 * index + n, max_turns=3
            )
            for n, variant in enumerate(persona.needs * talks)
        ]
        texts = []
        for trace in rollouts(task, agent, scenarios, concurrency=64):
            said = [trace.opening[0], *(t.answers[0].reply for t in trace.turns[:turns])]
            texts.append((trace.scenario.seed, " ".join(said), trace.scenario.need))
        texts.sort()
        half = len(texts) // 2
        pairs = [(text, need) for _, text, need in texts]
        found.append(accuracy(pairs[:half], pairs[half:]))
    return sum(found) / len(found)


def main() -> None:
    """Measure the three and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talks", type=int, default=40, help="talks for each persona and need")
    args = parser.parse_args()
    needs = [len(persona.needs) for persona in load_personas().values()]
    print(
        json.dumps(
            {
                "guessing": round(sum(1 / n for n in needs) / len(needs), 3),
                "after_opening": round(reading(load_agent("silent"), args.talks, 0), 3),
                "after_3_probes": round(reading(prober(), args.talks, TURNS), 3),
                "after_3_turns_of_advice": round(
                    reading(load_agent("advisor"), args.talks, TURNS), 3
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
