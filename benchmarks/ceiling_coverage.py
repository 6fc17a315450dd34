"""How often the intervals of `empathy_env.measures.ceiling` hold the exact value.

Personas have chances drawn from a beta law, for which pass@k is exact: 1 - B(a, b + k) / B(a, b).
Each run of a trained policy adds a lift of its own to all personas.

    python benchmarks/ceiling_coverage.py --draws 1000
"""

import argparse
import math

import numpy as np

from empathy_env.measures.ceiling import ceiling
from empathy_env.measures.rates import pass_at

TRIES, EPISODES, PERSONAS = (1, 4, 8), 16, 32
BASE = (0.6, 2.0)


def exact(a: float, b: float, k: int) -> float:
    """Return pass@k over personas whose chances are from Beta(a, b)."""
    logs = math.lgamma(b + k) - math.lgamma(a + b + k) + math.lgamma(a + b) - math.lgamma(b)
    return 1.0 - math.exp(logs)


def curves(rng: np.random.Generator, a: float, b: float) -> dict[str, list[float]]:
    """Return the curves of drawn personas, each played as often."""
    wins = rng.binomial(EPISODES, rng.beta(a, b, size=PERSONAS)).tolist()
    return {f"p{n}": [pass_at(c, EPISODES, k) for k in TRIES] for n, c in enumerate(wins)}


def held(runs: int, trained: tuple[float, float], draws: int) -> dict[str, list[float]]:
    """Return for each figure in what share of the draws its interval held the exact value."""
    rng = np.random.default_rng(5)
    before, after = ([exact(*law, k) for k in TRIES] for law in (BASE, trained))
    truth = {
        "base": before,
        "trained": after,
        "difference": [b - a for a, b in zip(before, after, strict=True)],
    }
    counts = {name: np.zeros(len(TRIES)) for name in truth} | {"band": np.zeros(1)}
    for number in range(draws):
        base, one = curves(rng, *BASE), curves(rng, *trained)
        lifts = rng.normal(0.0, 0.1, size=runs) if runs > 1 else [0.0]
        lifted = [{name: [v + lift for v in row] for name, row in one.items()} for lift in lifts]
        found = ceiling(base, lifted, tries=TRIES, resamples=1000, seed=number)
        for name, values in truth.items():
            ends = zip(getattr(found, name), values, strict=True)
            counts[name] += [interval.low <= value <= interval.high for interval, value in ends]
        ends = zip(found.band, truth["difference"], strict=True)
        counts["band"] += all(band.low <= value <= band.high for band, value in ends)
    return {name: (count / draws).round(3).tolist() for name, count in counts.items()}


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    for trained in ((1.0, 1.5), (3.0, 2.0)):
        for runs in (1, 3, 5):
            print(f"trained from Beta{trained}, runs {runs}: {held(runs, trained, draws)}")


if __name__ == "__main__":
    main()
