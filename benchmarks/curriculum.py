"""Steps that a simulated learner needs under a curriculum and under its baselines.

python benchmarks/curriculum.py [--seeds 24] [--steps 600] [--json]

There is no text here. A learner has a skill for each cell, need x level; an episode in a cell
succeeds with probability logistic(skill - difficulty of the level). A group of G episodes moves the
cell's skill by RATE times the sum of the absolute advantages that GRPO would give (payoffs less
their mean, over their standard deviation), which is zero if all members did alike. What a learner
has from a cell goes in part to its neighbours; the learners differ in that:

  ladder      a half to the next level of the same need, a quarter to the one after, ...; a tenth to
              the same level of other needs
  apart       nothing goes anywhere
  shared      all of it to every level of the same need; a tenth to the same level of other needs
  gated       as ladder, but a group teaches only in so far as the level below is mastered: times
              its success probability
  forgetful   as ladder, and each step a need that was not drawn loses skill

The defaults of `Rules` were chosen on seeds 1000 to 1007; the seeds here begin at 0.

Every arm has the same budget, EPISODES in each step, and is judged by the mean success probability
over all cells, hard ones included, which no arm sees. An arm is done when that reaches --goal.
Intervals are 95 %, over seeds; runs that do not get there count with the whole budget, so that
their figure is a lower bound.
"""

from __future__ import annotations

import argparse
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from empathy_env.curriculum import UNIFORM, Rules, Seen, group_size, observed, weights
from empathy_env.group import Group
from empathy_env.measures import cluster_bootstrap
from empathy_env.servo import moved

NEEDS = 8
LEVELS = (-1.0, 0.0, 1.0, 2.0, 3.0)
"""Difficulty of each level, in logits."""
CELLS = [f"{need}/{level}" for need in range(NEEDS) for level in range(len(LEVELS))]
FIRST_SKILL = (-1.0, 0.5)
"""Mean and standard deviation of the skills: half succeed at the first level, 2 % at the last."""
RATE = 0.015
GROUP = 8
EPISODES = 64
"""In each step: eight groups of eight, or as many adaptive groups as fit."""
FORGETTING = 0.01


class Learner(NamedTuple):
    """How skill spreads: one row for each cell that was practised, one column for each reached."""

    name: str
    spread: np.ndarray
    gated: bool = False
    forgetting: float = 0.0


def spread(along: float, across: float) -> np.ndarray:
    """Return how much of a cell's gain each cell has, by distance in levels and between needs."""
    levels, count = len(LEVELS), len(CELLS)
    found = np.zeros((count, count))
    for one in range(count):
        for other in range(count):
            steps = abs(one % levels - other % levels)
            same_need = one // levels == other // levels
            if same_need:
                found[one, other] = along**steps
            elif steps == 0:
                found[one, other] = across
    return found


LEARNERS = (
    Learner("ladder", spread(0.5, 0.1)),
    Learner("apart", spread(0.0, 0.0)),
    Learner("shared", spread(1.0, 0.1)),
    Learner("gated", spread(0.5, 0.1), gated=True),
    Learner("forgetful", spread(0.5, 0.1), forgetting=FORGETTING),
)


class Arm(ABC):
    """Which cells are practised."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Return the place of a cell, and how large a group."""

    def observe(self, groups: Sequence[tuple[int, Group]]) -> None:  # noqa: B027
        """Take in a step's groups."""


class Sampled(Arm):
    """The package's curriculum, and with other rules or fewer cells its baselines."""

    def __init__(self, rules: Rules, levels: Sequence[int], *, adaptive: bool = False):
        width = len(LEVELS)
        self.places = [place for place in range(len(CELLS)) if place % width in levels]
        self.cells = [CELLS[place] for place in self.places]
        self.rules = rules
        self.adaptive = adaptive
        self.state: dict[str, Seen] = {}
        self._weigh()

    def _weigh(self) -> None:
        self._bounds = np.cumsum(weights(self.cells, self.state, self.rules))

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:  # noqa: D102
        place = min(int(np.searchsorted(self._bounds, rng.random())), len(self.cells) - 1)
        seen = self.state.get(self.cells[place], Seen())
        return self.places[place], group_size(seen, self.rules) if self.adaptive else GROUP

    def observe(self, groups: Sequence[tuple[int, Group]]) -> None:  # noqa: D102
        for _, group in groups:
            before = self.state.get(group.cell, Seen())
            self.state[group.cell] = observed(before, group, self.rules)
        self._weigh()


class Permuted(Arm):
    """All cells once in a random order, then again in another."""

    def __init__(self) -> None:
        self.left: list[int] = []

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:  # noqa: D102
        if not self.left:
            self.left = [int(place) for place in rng.permutation(len(CELLS))]
        return self.left.pop(), GROUP


class Held(Arm):
    """The package's servo, at the nearest level."""

    def __init__(self) -> None:
        self.degrees = [0.0] * NEEDS

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:  # noqa: D102
        need = int(rng.integers(NEEDS))
        return need * len(LEVELS) + round(self.degrees[need] * (len(LEVELS) - 1)), GROUP

    def observe(self, groups: Sequence[tuple[int, Group]]) -> None:  # noqa: D102
        for place, group in groups:
            need = place // len(LEVELS)
            self.degrees[need] = moved(self.degrees[need], group, 0.1, 0.1)


ALL = range(len(LEVELS))
PLAIN = Rules(discount=0.97, power=1.0)
ARMS: dict[str, Callable[[], Arm]] = {
    "uniform": lambda: Sampled(UNIFORM, ALL),
    "permutation": Permuted,
    "fixed easy": lambda: Sampled(UNIFORM, [0]),
    "fixed middle": lambda: Sampled(UNIFORM, [2]),
    "fixed hard": lambda: Sampled(UNIFORM, [len(LEVELS) - 1]),
    "curriculum": lambda: Sampled(Rules(), ALL),
    "curriculum, adaptive G": lambda: Sampled(Rules(), ALL, adaptive=True),
    "curriculum, discount 0.97, power 1": lambda: Sampled(PLAIN, ALL),
    "servo": Held,
}


@dataclass
class Run:
    """One arm with one learner and one seed."""

    steps: int
    """Steps to the goal, or the whole budget."""
    reached: bool
    wasted: float
    """Share of episodes in groups without a signal."""
    first: float
    """Mean success over all cells after a tenth of the budget."""


def probabilities(skill: np.ndarray) -> np.ndarray:
    """Return the success probability in each cell."""
    return 1.0 / (1.0 + np.exp(np.tile(LEVELS, NEEDS) - skill))


def advantage(group: Group) -> float:
    """Return the sum of the absolute normalised advantages of a group."""
    rate, size = sum(group.wins) / len(group.wins), len(group.wins)
    return 0.0 if group.dropped else 2.0 * size * math.sqrt(rate * (1.0 - rate))


def practised(
    arm: Arm, chances: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[int, Group]]:
    """Yield one step's groups, each with its place; the last one is cut to the budget."""
    left = EPISODES
    while left > 1:
        place, size = arm.draw(rng)
        size = min(size, left)
        left -= size
        wins = [bool(win) for win in rng.random(size) < chances[place]]
        yield place, Group(CELLS[place], wins, [float(win) for win in wins])


def learnt(
    learner: Learner, chances: np.ndarray, groups: Sequence[tuple[int, Group]]
) -> np.ndarray:
    """Return what a step adds to each skill."""
    gain = np.zeros(len(CELLS))
    for place, group in groups:
        gate = chances[place - 1] if learner.gated and place % len(LEVELS) else 1.0
        gain += RATE * advantage(group) * gate * learner.spread[place]
    drawn = {place // len(LEVELS) for place, _ in groups}
    idle = [place // len(LEVELS) not in drawn for place in range(len(CELLS))]
    return gain - learner.forgetting * np.array(idle)


def run(learner: Learner, arm: Arm, seed: int, steps: int, goal: float = 0.6) -> Run:
    """Practise until the goal is reached or the budget is spent."""
    rng = np.random.default_rng(seed)
    skill = rng.normal(*FIRST_SKILL, size=len(CELLS))
    wasted, episodes, first, reached = 0, 0, math.nan, 0
    for step in range(1, steps + 1):
        chances = probabilities(skill)
        groups = list(practised(arm, chances, rng))
        arm.observe(groups)
        skill = skill + learnt(learner, chances, groups)
        mean = float(probabilities(skill).mean())
        if not reached:
            wasted += sum(len(group.wins) for _, group in groups if group.dropped)
            episodes += sum(len(group.wins) for _, group in groups)
            reached = step if mean >= goal else 0
        if step == max(1, steps // 10):
            first = mean
        if reached and not math.isnan(first):
            break
    return Run(reached or steps, bool(reached), wasted / episodes, first)


def row(name: str, runs: Sequence[Run], plain: Sequence[Run]) -> dict[str, object]:
    """Return an arm's figures; ratios to uniform are of the same seeds."""

    def over(values: Sequence[float]) -> list[float]:
        clusters = {f"{number:03}": [value] for number, value in enumerate(values)}
        found = cluster_bootstrap(clusters)
        return [round(found.mean, 3), round(found.low, 3), round(found.high, 3)]

    return {
        "arm": name,
        "steps": over([one.steps for one in runs]),
        "ratio": over([one.steps / other.steps for one, other in zip(runs, plain, strict=True)]),
        "reached": sum(one.reached for one in runs),
        "runs": len(runs),
        "wasted": over([one.wasted for one in runs]),
        "first": over([one.first for one in runs]),
    }


def shown(found: dict[str, list[dict[str, object]]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown: steps over those of uniform, by arm and learner."""
    learners = list(found)
    yield "| | " + " | ".join(learners) + " |"
    yield "|---|" + "--:|" * len(learners)
    plain = [found[learner][0]["steps"] for learner in learners]
    yield "| steps of uniform | " + " | ".join(map(_interval, plain, [0] * len(plain))) + " |"
    for number, name in enumerate(ARMS):
        rows = [found[learner][number] for learner in learners]
        marks = ["" if one["reached"] == one["runs"] else "≥ " for one in rows]
        ratios = [mark + _interval(one["ratio"], 2) for mark, one in zip(marks, rows, strict=True)]
        if number:
            yield f"| {name} | " + " | ".join(ratios) + " |"


def _interval(of: Sequence[float], digits: int) -> str:
    return f"{of[0]:.{digits}f} [{of[1]:.{digits}f}, {of[2]:.{digits}f}]"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--steps", type=int, default=600, help="budget of each run")
    parser.add_argument("--goal", type=float, default=0.6, help="mean success over all cells")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found: dict[str, list[dict[str, object]]] = {}
    for learner in LEARNERS:
        runs = {
            name: [
                run(learner, arm(), seed, given.steps, given.goal) for seed in range(given.seeds)
            ]
            for name, arm in ARMS.items()
        }
        found[learner.name] = [row(name, runs[name], runs["uniform"]) for name in ARMS]
    print(json.dumps(found) if given.json else "\n".join(shown(found)))


if __name__ == "__main__":
    main()
