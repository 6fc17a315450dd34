"""How often the estimators' intervals hold the exact values of the lab's finite grammar.

Two base models of the bandit stand for a base and what was trained from it. What each says at a
start is known exactly: eight sentences, and anything else as a ninth outcome. People are drawn from
`--people` starts, over which the exact values are means; each is talked with as often.

    python benchmarks/lab_coverage.py --base DIR/bases/ONE.pt --trained DIR/bases/OTHER.pt
    python benchmarks/lab_coverage.py --moods DIR/bases/ONE.pt
"""

import argparse
import math
import random
from pathlib import Path

import numpy as np
import torch

from empathy_env.lab.grammar import REGISTERS, WANTED
from empathy_env.lab.learn import played
from empathy_env.lab.markov import asked
from empathy_env.lab.measured import evaluation_starts, measured
from empathy_env.lab.model import Size, fresh, sentence_chances
from empathy_env.lab.people import drawn_starts
from empathy_env.lab.talks import World
from empathy_env.lab.words import opened
from empathy_env.measures.ceiling import ceiling
from empathy_env.measures.entropy import Spoken, entropies
from empathy_env.measures.frontier import frontier
from empathy_env.measures.likelihood import ScoredTalk, sequence_kl
from empathy_env.measures.rates import clopper_pearson, pass_at
from empathy_env.measures.reweighting import reweighted_success

TRIES, TALKS, PEOPLE, KL = (1, 4, 8), 16, 32, 0.3
FRONTIER = f"frontier at {KL} nats"
ACTS = (*(name for name in REGISTERS for _ in range(2)), "other")


def model_at(path: Path):
    """Return the base model that is kept there."""
    weights = torch.load(path, weights_only=True)
    width = next(tensor.shape[-1] for name, tensor in weights.items() if "embed" in name)
    model = fresh(Size(width), 0)
    model.load_state_dict(weights)
    return model.eval()


def outcomes(model, starts) -> np.ndarray:
    """Return how likely each sentence is at each start, and anything else, (starts, 9)."""
    contexts = [opened(asked(start)) for start in starts]
    found = sentence_chances(model, contexts, [start.slots for start in starts])
    flat = found.reshape(len(starts), -1)
    return np.concatenate([flat, np.clip(1 - flat.sum(1, keepdims=True), 1e-9, None)], 1)


def entropy_of(chances: np.ndarray) -> np.ndarray:
    """Return the entropy of the last axis, in nats."""
    return -(chances * np.log(np.clip(chances, 1e-300, None))).sum(-1)


def tilt_of(rates: np.ndarray) -> float:
    """Return the success that any policy can have at a mean divergence of `KL` from the rates."""
    low, high = 0.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        tilted = rates * math.exp(middle) / (1 - rates + rates * math.exp(middle))
        spent = tilted * middle - np.log1p(rates * math.expm1(middle))
        low, high = (middle, high) if spent.mean() < KL else (low, middle)
    return float(tilted.mean())


def exact_of(before: np.ndarray, after: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Return the exact values: of what is said before and after, and which of it is right."""
    acts = np.array([[name == act for name in dict.fromkeys(ACTS)] for act in ACTS])
    rates = [(one * right).sum(1) for one in (before, after)]
    base, trained = ([float((1 - (1 - rate) ** k).mean()) for k in TRIES] for rate in rates)
    found = {
        "sequence KL": float((after * np.log(after / before)).sum(1).mean()),
        "base's rate from trained talks": base[0],
        "entropy of what is said": float(entropy_of(after).mean()),
        "entropy of the mix of registers": float(entropy_of(after.mean(0) @ acts)),
        FRONTIER: tilt_of(rates[0]),
    }
    for k, one, other in zip(TRIES, base, trained, strict=True):
        found |= {f"pass@{k}, base": one, f"pass@{k}, trained": other}
        found[f"pass@{k}, difference"] = other - one
    return found


def of_tries(said: list[np.ndarray], right: np.ndarray, seed: int):
    """Return what `ceiling` finds: of both sides what each person was told, and which is right."""
    curves = [
        {
            f"{n}": [pass_at(int(hits[told].sum()), TALKS, k) for k in TRIES]
            for n, (told, hits) in enumerate(zip(side, right, strict=True))
        }
        for side in said
    ]
    return ceiling(curves[0], [curves[1]], tries=TRIES, resamples=1000, seed=seed)


def of_chances(said: np.ndarray, before: np.ndarray, after: np.ndarray, right, seed: int):
    """Return what log-probabilities of the trained model's talks tell."""
    talks = [
        (f"{n}", math.log(after[n, one]), math.log(before[n, one]), ACTS[one], bool(right[n, one]))
        for n, told in enumerate(said)
        for one in told
    ]
    scored = [ScoredTalk(name, (own,), (other,)) for name, own, other, _, _ in talks]
    spoken = [Spoken(name, (-own,), (act,)) for name, own, _, act, _ in talks]
    back = reweighted_success(scored, [won for *_, won in talks], seed=seed)
    left = entropies(spoken, resamples=500, seed=seed)
    found = {
        "sequence KL": sequence_kl(scored, seed=seed).per_talk,
        "entropy of what is said": left.token,
        "entropy of the mix of registers": left.register,
    }
    return found, back


def bandit(base, trained, people: int, draws: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return exact values, and in what share of the draws the interval of each figure held it."""
    starts = drawn_starts(random.Random("coverage"), people)
    sides = [outcomes(model, starts) for model in (base, trained)]
    sides = [one / one.sum(1, keepdims=True) for one in sides]
    right = np.array([[act == WANTED[start.need] for act in ACTS] for start in starts])
    exact = exact_of(*sides, right)
    held: dict[str, list[bool]] = {}
    rng = np.random.default_rng(11)

    def note(name: str, held_it: bool) -> None:
        held.setdefault(name, []).append(bool(held_it))

    for seed in range(draws):
        met = rng.integers(people, size=PEOPLE)
        before, after, hits = sides[0][met], sides[1][met], right[met]
        said = [
            np.array([rng.choice(len(ACTS), TALKS, p=chances) for chances in side])
            for side in (before, after)
        ]
        tries = of_tries(said, hits, seed)
        found, back = of_chances(said[1], before, after, hits, seed)
        for which in ("base", "trained", "difference"):
            ends = zip(TRIES, getattr(tries, which), strict=True)
            found |= {f"pass@{k}, {which}": interval for k, interval in ends}
        paid = {f"{n}": hits[n][told].astype(float).tolist() for n, told in enumerate(said[0])}
        found[FRONTIER] = frontier(paid, [KL], resamples=500, seed=seed)[0]
        if not back.doubt:
            found["base's rate from trained talks"] = back.estimate
        for name, interval in found.items():
            note(name, interval.low <= exact[name] <= interval.high)
        gains = [exact[f"pass@{k}, difference"] for k in TRIES]
        band = zip(tries.band, gains, strict=True)
        note("band over k", all(ends.low <= value <= ends.high for ends, value in band))
        note("... not refused", not back.doubt)
        if not math.isnan(back.bound.low):
            least = exact["base's rate from trained talks"]
            note("... low end of the bound is below it", back.bound.low <= least)
        for told, of, chances in zip(said[0], hits, before, strict=True):
            low, high = clopper_pearson(int(of[told].sum()), TALKS)
            note("rate of a start", low <= chances[of].sum() <= high)
    return exact, {name: float(np.mean(ones)) for name, ones in held.items()}


def moods(path: Path, credit: float) -> None:
    """Print how often exact values lie within two standard errors of sampled ones."""
    model, world = model_at(path), World("markov", credit)
    found, _ = measured(model, model, world, starts=8, samples=1)
    groups = played(model, world, evaluation_starts(8), 384, seed=1)
    off = []
    for bounds, group in zip(found.values, groups, strict=True):
        for first in range(0, len(group), 32):
            ends = [talk.emotion for talk in group[first : first + 32]]
            reach = 2 * float(np.std(ends, ddof=1)) / math.sqrt(len(ends))
            off.append(bounds.low - reach <= np.mean(ends) <= bounds.high + reach)
    wide = np.mean([high - low for low, high in found.values])
    print(
        f"{path.stem}: {np.mean(off):.3f} of {len(off)} means of 32 talks; bounds {wide:.2f} apart"
    )


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--trained", type=Path)
    parser.add_argument("--moods", type=Path, nargs="*", default=[])
    parser.add_argument("--credit", type=float, default=0.0)
    parser.add_argument("--people", type=int, default=1024)
    parser.add_argument("--draws", type=int, default=500)
    args = parser.parse_args()
    for path in args.moods:
        moods(path, args.credit)
    if args.base and args.trained:
        models = (model_at(path) for path in (args.base, args.trained))
        exact, held = bandit(*models, args.people, args.draws)
        for name, share in held.items():
            print(f"{share:.3f}  {name}" + (f", {exact[name]:.4f}" if name in exact else ""))


if __name__ == "__main__":
    main()
