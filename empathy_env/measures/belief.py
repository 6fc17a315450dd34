"""How well agents track the person they talk with: stated beliefs against the hidden state.

Of the scaffold `believe-then-say`, or of any whose private text `belief.belief_of` can read. The
true emotion is that before the user hears the turn; the true need is that of the episode.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final, NamedTuple

from empathy_env.acts import NEEDS, Need
from empathy_env.belief import Belief, belief_of, brier_of
from empathy_env.errors import InvalidArgument
from empathy_env.group import of_one
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.scaffold import SCAFFOLDS
from empathy_env.trace import Trace

UNIFORM: Final[Mapping[Need, float]] = dict.fromkeys(NEEDS, 1 / len(NEEDS))
"""Eight equal probabilities."""


class Held(NamedTuple):
    """What an agent believed in one turn, and what was so.

    Attributes:
        persona: Id of the persona, the cluster of intervals.
        turn: The turn, counted from 1.
        belief: What was stated; None if nothing could be read.
        emotion: The true emotion before the user heard the turn, in [0, 100].
        need: The true need.
    """

    persona: str
    turn: int
    belief: Belief | None
    emotion: float
    need: Need


class Stated(NamedTuple):
    """One channel of beliefs beside beliefs that look at no talk, on the same turns.

    Attributes:
        score: Mean score of the agent; 0 is best.
        baselines: Mean score of each constant belief.
        better: For each of them by how much the agent scored less: above 0 is better than constant.
        missing: In how many turns nothing could be read. They are in none of the means.
    """

    score: Interval
    baselines: Mapping[str, Interval]
    better: Mapping[str, Interval]
    missing: int


class Bin(NamedTuple):
    """Stated probabilities that lie close together, and how often what they were given to was so.

    Attributes:
        low: From this probability on.
        high: Below that one; the last bin includes 1.
        stated: Mean of the probabilities.
        true: Share of the needs, among those that got them, that were the true one.
        size: How many probabilities, eight for each turn.
    """

    low: float
    high: float
    stated: float
    true: float
    size: int


@dataclass(frozen=True, slots=True)
class Tracking:
    """The result of `tracking`.

    Attributes:
        turns: How many turns were looked at.
        faulted: How many talks were left out because they ended in a fault.
        emotion: Absolute error of the believed emotion, in points; baselines `constant`, and
            `hindsight`, the median of the very emotions that were to be believed.
        need: Brier score of the believed need, in [0, 2]; baselines `uniform`, and `prior`, how
            often each need is the true one.
        calibration: The needs' probabilities in ten bins, those that are not empty.
    """

    turns: int
    faulted: int
    emotion: Stated
    need: Stated
    calibration: tuple[Bin, ...]


def beliefs(traces: Iterable[Trace]) -> list[Held]:
    """Return what was believed in each turn of these talks, and what was so.

    Raises:
        InvalidArgument: If a talk is with several people.
    """
    return [
        Held(
            trace.scenario.persona.id,
            number,
            belief_of(turn.private),
            trace.emotion(number - 1),
            trace.scenario.need,
        )
        for trace in of_one(traces)
        for number, turn in enumerate(trace.turns, start=1)
    ]


def tracking(
    traces: Iterable[Trace],
    *,
    constant: float = 40.0,
    prior: Mapping[Need, float] | None = None,
    seed: int = 0,
) -> Tracking:
    """Return how well stated beliefs track emotion and need, beside constant beliefs.

    Intervals are percentile bootstraps over personas. A turn in which nothing could be read is
    counted as missing and is in no mean: an agent that states its belief only when it is sure looks
    better than it is, so look at `missing` first.

    Args:
        traces: Of one agent; those that ended in a fault are counted and left out.
        constant: The emotion of the baseline `constant`, in [0, 100]; 40 is where talks at
            `moderate` start.
        prior: Probability of each need, for the baseline of that name; by default how often each
            is the true one in these very turns, which no forecast could know: hard to beat.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no turn, no belief in talks whose scaffold asks for none,
            `constant` is out of range, or `prior` does not give each need a probability, adding up
            to 1.
    """
    given = list(traces)
    sound = [trace for trace in given if trace.fault is None]
    held = beliefs(sound)
    if not held:
        raise InvalidArgument("traces hold no turn of a talk without a fault: give finished talks")
    _check_asked(sound, held)
    if not 0 <= constant <= 100:
        raise InvalidArgument(f"constant={constant} is outside [0, 100]. Give an emotion, as 40.0")
    return Tracking(
        turns=len(held),
        faulted=len(given) - len(sound),
        emotion=_emotion(held, constant, seed),
        need=_need(held, _checked(prior), seed),
        calibration=_calibration(held),
    )


def _check_asked(traces: Sequence[Trace], held: Sequence[Held]) -> None:
    """Check that a belief was stated, or that the agent was asked for one and stated none."""
    names = sorted({trace.setup.scaffold for trace in traces})
    asked = any(name in SCAFFOLDS and SCAFFOLDS[name].states_belief for name in names)
    if not asked and all(one.belief is None for one in held):
        raise InvalidArgument(
            f"traces of scaffold {', '.join(map(repr, names))} state no belief: play talks with "
            "scaffold='believe-then-say', or one of your own that asks for a <belief>"
        )


def _checked(prior: Mapping[Need, float] | None) -> Mapping[Need, float] | None:
    if prior is None:
        return None
    total = math.fsum(prior.values())
    if set(prior) != set(NEEDS) or min(prior.values()) < 0 or not math.isclose(total, 1.0):
        raise InvalidArgument(
            f"prior={prior!r}: give each of {NEEDS} a probability, adding up to 1"
        )
    return prior


def _emotion(held: Sequence[Held], constant: float, seed: int) -> Stated:
    stated = [
        (one, one.belief.emotion) for one in held if one.belief and one.belief.emotion is not None
    ]
    middle = median(one.emotion for one, _ in stated) if stated else math.nan

    def off(value: float) -> Callable[[Held], float]:
        return lambda one: abs(value - one.emotion)

    scores = [(one, abs(believed - one.emotion)) for one, believed in stated]
    baselines = {"constant": off(constant), "hindsight": off(middle)}
    return _stated(scores, baselines, len(held), seed)


def _need(held: Sequence[Held], prior: Mapping[Need, float] | None, seed: int) -> Stated:
    stated = [(one, one.belief.needs) for one in held if one.belief and one.belief.needs]
    if prior is None:
        count = max(1, len(stated))
        prior = {need: sum(one.need == need for one, _ in stated) / count for need in NEEDS}

    def scored(needs: Mapping[Need, float]) -> Callable[[Held], float]:
        return lambda one: brier_of(needs, one.need)

    scores = [(one, brier_of(needs, one.need)) for one, needs in stated]
    return _stated(scores, {"uniform": scored(UNIFORM), "prior": scored(prior)}, len(held), seed)


def _stated(
    scores: Sequence[tuple[Held, float]],
    baselines: Mapping[str, Callable[[Held], float]],
    turns: int,
    seed: int,
) -> Stated:
    def mean(value: Callable[[Held, float], float]) -> Interval:
        clusters: dict[str, list[float]] = {}
        for one, score in scores:
            clusters.setdefault(one.persona, []).append(value(one, score))
        if not clusters:
            return Interval(math.nan, math.nan, math.nan, 0)
        return cluster_bootstrap(clusters, seed=seed)

    def constant(baseline: Callable[[Held], float]) -> Interval:
        return mean(lambda one, score: baseline(one))

    def gained(baseline: Callable[[Held], float]) -> Interval:
        return mean(lambda one, score: baseline(one) - score)

    return Stated(
        score=mean(lambda one, score: score),
        baselines={name: constant(baseline) for name, baseline in baselines.items()},
        better={name: gained(baseline) for name, baseline in baselines.items()},
        missing=turns - len(scores),
    )


def _calibration(held: Sequence[Held], count: int = 10) -> tuple[Bin, ...]:
    binned: dict[int, list[tuple[float, bool]]] = {}
    for one in held:
        if one.belief and one.belief.needs:
            for need, share in one.belief.needs.items():
                place = min(int(share * count), count - 1)
                binned.setdefault(place, []).append((share, need == one.need))
    return tuple(
        Bin(
            low=place / count,
            high=(place + 1) / count,
            stated=fmean(share for share, _ in pairs),
            true=fmean(true for _, true in pairs),
            size=len(pairs),
        )
        for place, pairs in sorted(binned.items())
    )
