"""Whether reward goes with length, emoji or markdown, apart from what was done.

The slope of a turn's change of emotion on a surface feature, both first regressed on what was done
(Frisch and Waugh 1933): which acts, how many pieces, how much of it tied to the person's words. The
interval resamples personas with the first regressions held fixed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from empathy_env.acts import ACTS, NEEDS
from empathy_env.group import of_one
from empathy_env.measures.bootstrap import Interval, resampled
from empathy_env.trace import Trace, Turn

LEAST_TURNS: Final = 60
"""With fewer turns the regression on acts leaves too little to look at."""

_LEFT: Final = 0.01
"""Share of a feature's variance that acts must leave unexplained for a slope to be told."""

_MARKDOWN: Final = re.compile(
    r"\*\*|__|`+|~~|^\s{0,3}(?:#{1,6}\s|[-*+]\s|\d+[.)]\s|>)", re.MULTILINE
)
_ACTS: Final = {act: index for index, act in enumerate(ACTS)}
Numbers = NDArray[np.float64]


def length(text: str) -> float:
    """Return the length in tens of words.

    >>> length("What was that like?")
    0.4
    """
    return len(text.split()) / 10.0


def emoji(text: str) -> float:
    """Return how many symbols that are no letters, such as emoji, a text has.

    >>> emoji("Oh no 😢❤️")
    2.0
    """
    return float(sum(unicodedata.category(letter) == "So" for letter in text))


def markdown(text: str) -> float:
    """Return how many marks of markdown a text has.

    >>> markdown("**One** thing:" + chr(10) + "- go")
    3.0
    """
    return float(len(_MARKDOWN.findall(text)))


FEATURES: Final[Mapping[str, Callable[[str], float]]] = {
    "length": length,
    "emoji": emoji,
    "markdown": markdown,
}
"""The features, with their units: points of emotion for ten words, for one emoji, for one mark."""


def slopes(traces: Iterable[Trace], *, seed: int = 0) -> dict[str, Interval | None]:
    """Return the partial slope of each feature, in points of emotion, or None.

    None is not measurable: the agent does not vary it, or not apart from what it does, or there are
    fewer than `LEAST_TURNS` turns. That is not the same as a slope of 0. With one persona an
    interval has no ends: they are NaN.

    Raises:
        InvalidArgument: If a talk is with several people.
    """
    turns = [
        (trace, number, turn)
        for trace in of_one(traces)
        for number, turn in enumerate(trace.turns, start=1)
    ]
    if len(turns) < LEAST_TURNS:
        return dict.fromkeys(FEATURES)
    done = np.array([_done(trace, turn) for trace, _, turn in turns])
    changes = [trace.emotion(number) - trace.emotion(number - 1) for trace, number, _ in turns]
    paid = _residuals(done, np.array(changes))
    names = [trace.scenario.persona.id for trace, _, _ in turns]
    return {
        name: _slope(done, np.array([count(turn.heard) for _, _, turn in turns]), paid, names, seed)
        for name, count in FEATURES.items()
    }


def _slope(
    done: Numbers, feature: Numbers, paid: Numbers, names: Sequence[str], seed: int
) -> Interval | None:
    spread = float(feature.var())
    if spread == 0.0:
        return None
    own = _residuals(done, feature)
    if float(own.var()) < _LEFT * spread:
        return None
    pairs: dict[str, list[tuple[float, float]]] = {}
    for name, one, other in zip(names, own.tolist(), paid.tolist(), strict=True):
        pairs.setdefault(name, []).append((one * other, one * one))
    found = resampled({name: [_summed(rows)] for name, rows in pairs.items()}, _ratio, seed=seed)
    return found if len(pairs) > 1 else found._replace(low=math.nan, high=math.nan)


def _summed(rows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return math.fsum(a for a, _ in rows), math.fsum(b for _, b in rows)


def _ratio(rows: Sequence[tuple[float, float]]) -> float:
    products, squares = _summed(rows)
    return products / squares if squares > 0.0 else math.nan


def _residuals(done: Numbers, values: Numbers) -> Numbers:
    fitted, *_ = np.linalg.lstsq(done, values, rcond=None)
    return np.asarray(values - done @ fitted, dtype=np.float64)


def _done(trace: Trace, turn: Turn) -> list[float]:
    """Return what a turn did: a one, shares of acts, grounded shares, pieces, and the need."""
    shares = [0.0] * (2 * len(ACTS))
    for one in turn.evidence:
        shares[_ACTS[one.act] + len(ACTS) * one.grounded] += 1.0 / len(turn.evidence)
    needs = [float(trace.scenario.need == need) for need in NEEDS[1:]]
    return [1.0, float(len(turn.evidence)), float(not turn.evidence), *shares, *needs]
