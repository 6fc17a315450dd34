"""How much of what an agent says it says to everybody: word runs and lines shared across personas.

The figures compare talk with talk, so that they do not grow with the number of talks (shares of a
pooled corpus, self-BLEU and distinct-n do).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from empathy_env.group import of_one
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.trace import Trace

RUN: Final = 4
"""Words in a run, as in BLEU-4 (Papineni et al. 2002)."""

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_LINE: Final = re.compile(r"[^.!?\n]+")


class Reuse(NamedTuple):
    """How much an agent repeats itself, each in [0, 1] with its interval over personas.

    Attributes:
        runs: Of the runs of `RUN` words in a talk, the share found in a talk with somebody else,
            on average over such talks.
        lines: The same of whole sentences of at least `RUN` words.
        within: Of the runs of a talk, the share that an earlier turn of it had already.
    """

    runs: Interval
    lines: Interval
    within: Interval


def reuse(traces: Sequence[Trace], *, seed: int = 0) -> Reuse | None:
    """Return how much is said again; None if fewer than two personas were told anything.

    Talks in which no turn holds a run of `RUN` words are left out.

    Raises:
        InvalidArgument: If a talk is with several people.
    """
    told = [trace for trace in of_one(traces) if any(runs(turn.heard) for turn in trace.turns)]
    if len({trace.scenario.persona.id for trace in told}) < 2:
        return None
    return Reuse(
        _shared(told, runs, seed),
        _shared(told, lines, seed),
        cluster_bootstrap(_grouped(told, [_within(trace) for trace in told]), seed=seed),
    )


def runs(text: str) -> set[str]:
    """Return the runs of `RUN` words in a text, in lower case.

    >>> sorted(runs("What was that like? For you?"))
    ['that like for you', 'was that like for', 'what was that like']
    """
    words = _WORD.findall(text.lower())
    return {" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


def lines(text: str) -> set[str]:
    """Return the sentences of at least `RUN` words, as their words in lower case.

    >>> lines("Go on. What was that like?")
    {'what was that like'}
    """
    found = (_WORD.findall(part.lower()) for part in _LINE.findall(text))
    return {" ".join(words) for words in found if len(words) >= RUN}


def _shared(traces: Sequence[Trace], pieces: Callable[[str], set[str]], seed: int) -> Interval:
    """Return the share of a talk's pieces that a talk with another persona has too."""
    talks = [set[str]().union(*(pieces(turn.heard) for turn in t.turns)) for t in traces]
    names = [trace.scenario.persona.id for trace in traces]
    everywhere: Counter[str] = Counter()
    own: dict[str, Counter[str]] = {name: Counter() for name in names}
    for name, talk in zip(names, talks, strict=True):
        everywhere.update(talk)
        own[name].update(talk)
    sizes = Counter(names)
    shares = [
        sum(everywhere[piece] - own[name][piece] for piece in talk)
        / (max(1, len(talk)) * (len(talks) - sizes[name]))
        for name, talk in zip(names, talks, strict=True)
    ]
    return cluster_bootstrap(_grouped(traces, shares), seed=seed)


def _within(trace: Trace) -> float:
    seen: set[str] = set()
    again = total = 0
    for turn in trace.turns:
        found = runs(turn.heard)
        again += len(found & seen)
        total += len(found)
        seen |= found
    return again / total


def _grouped(traces: Sequence[Trace], values: Sequence[float]) -> dict[str, list[float]]:
    grouped: dict[str, list[float]] = {}
    for trace, value in zip(traces, values, strict=True):
        grouped.setdefault(trace.scenario.persona.id, []).append(value)
    return grouped
