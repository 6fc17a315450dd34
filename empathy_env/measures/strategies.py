"""The strategy mix: what an agent does in a talk, and what each strategy is worth.

The strategies follow RLVER (arXiv 2507.03112), which names five: praise, deep empathy, venting,
advice and analysis. Questions, harm and turns without any evidence are told apart from these, so
that every act has exactly one place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

from empathy_env.acts import HARMFUL, Act, Appraisal
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.measures.turns import Placed, placed
from empathy_env.trace import Trace

Strategy = Literal[
    "praise", "deep_empathy", "venting", "advice", "analysis", "question", "harm", "none"
]
STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)

_HELP: Final[Mapping[Act, Strategy]] = {
    "presence": "venting",  # makes room: the person goes on
    "restatement": "venting",  # so does hearing one's own words said back
    "open_question": "question",
    "closed_question": "question",
    "reflection": "deep_empathy",  # names what is felt
    "validation": "deep_empathy",  # and that it may be felt
    "self_disclosure": "deep_empathy",  # ESConv: told to express empathy
    "affirmation": "praise",
    "reassurance": "praise",  # ESConv codes affirmation and reassurance as one strategy
    "interpretation": "analysis",
    "challenge": "analysis",
    "information": "advice",
    "suggestion": "advice",
}
STRATEGY_OF: Final[Mapping[Act, Strategy]] = {**_HELP, **dict.fromkeys(HARMFUL, "harm")}
"""For each act the strategy that it belongs to."""

POSITIONS: Final = ("first third", "middle third", "last third")
Mix = Mapping[Strategy, float]
"""For each strategy its share, in [0, 1]; the shares add up to 1."""


def turn_mix(appraisal: Appraisal) -> dict[Strategy, float]:
    """Return the mix of one turn: each piece of evidence has an equal share.

    A turn in which nothing was found is all "none".

    >>> turn_mix(())["none"]
    1.0
    """
    if not appraisal:
        return {name: float(name == "none") for name in STRATEGIES}
    counts = Counter(STRATEGY_OF[evidence.act] for evidence in appraisal)
    return {name: counts[name] / len(appraisal) for name in STRATEGIES}


def talk_mix(trace: Trace) -> dict[Strategy, float]:
    """Return the mix of one talk, in which each turn weighs the same, however much it holds."""
    return mean_mix([turn_mix(turn.evidence) for turn in trace.turns])


def mean_mix(mixes: Sequence[Mix]) -> dict[Strategy, float]:
    """Return the mean of at least one mix."""
    return {name: sum(mix[name] for mix in mixes) / len(mixes) for name in STRATEGIES}


def position(turn: int, turns: int) -> str:
    """Return which third of a talk of `turns` turns this one, counted from 1, begins in.

    >>> [position(turn, 4) for turn in (1, 2, 3, 4)]
    ['first third', 'first third', 'middle third', 'last third']
    """
    return POSITIONS[3 * (turn - 1) // turns]


class Use(NamedTuple):
    """How one strategy is used.

    Attributes:
        share: Of the mix, over talks; in [0, 1].
        by_position: The share in each third of the talks that have a turn there.
        turns: Turns in which it is used.
        contribution: Mean change of emotion of these turns, in points; None if there are none. It
            is no effect: strategies come at different moments, and several in one turn.
    """

    share: Interval
    by_position: Mapping[str, float]
    turns: int
    contribution: Interval | None


def strategies(traces: Sequence[Trace], *, seed: int = 0) -> dict[Strategy, Use]:
    """Return how each strategy is used, with intervals over personas.

    Args:
        traces: At least one, each with at least one turn.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no trace.
    """
    shares: dict[str, list[dict[Strategy, float]]] = defaultdict(list)
    thirds: dict[str, list[dict[Strategy, float]]] = defaultdict(list)
    moved: dict[Strategy, dict[str, list[float]]] = {name: defaultdict(list) for name in STRATEGIES}
    for trace in traces:
        persona, turns = trace.scenario.persona.id, placed(trace)
        shares[persona].append(talk_mix(trace))
        for place, mixes in _thirds(turns).items():
            thirds[place].append(mean_mix(mixes))
        for turn in turns:
            for name in _used(turn):
                moved[name][persona].append(turn.change)
    by_position = {place: mean_mix(thirds[place]) for place in POSITIONS if place in thirds}
    return {
        name: Use(
            share=cluster_bootstrap(_of(shares, name), seed=seed),
            by_position={place: mix[name] for place, mix in by_position.items()},
            turns=sum(map(len, moved[name].values())),
            contribution=cluster_bootstrap(moved[name], seed=seed) if moved[name] else None,
        )
        for name in STRATEGIES
    }


def _thirds(turns: Sequence[Placed]) -> dict[str, list[dict[Strategy, float]]]:
    found: dict[str, list[dict[Strategy, float]]] = defaultdict(list)
    for turn in turns:
        found[position(turn.number, len(turns))].append(turn_mix(turn.evidence))
    return found


def _used(turn: Placed) -> list[Strategy]:
    mix = turn_mix(turn.evidence)
    return [name for name in STRATEGIES if mix[name]]


def _of(
    mixes: Mapping[str, Sequence[Mapping[Strategy, float]]], name: Strategy
) -> dict[str, list[float]]:
    return {persona: [mix[name] for mix in rows] for persona, rows in mixes.items()}
