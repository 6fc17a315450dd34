"""Conversational grounding: how an agent makes sure that it understands, in figures per turn.

Shaikh et al. (NAACL 2024, arXiv 2311.09144) count three grounding acts of an expert listener:
clarification, acknowledgement, follow-up question. Here they are read off the evidence: questions,
restatements (which put an understanding to the person, to be corrected), acknowledgements, and how
often a turn follows up what was said last. Attempts are counted; whether the ground was reached is
another matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from empathy_env.acts import HARMFUL, Act
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.measures.turns import Placed, placed, words_in
from empathy_env.stems import stems_of
from empathy_env.trace import Trace

LISTENING: Final[frozenset[Act]] = frozenset(
    ("presence", "open_question", "restatement", "reflection", "validation")
)
"""Acts that listen: they leave the word with the person."""
_COUNTED: Final[Mapping[str, Act]] = {
    "open questions": "open_question",
    "closed questions": "closed_question",
    "restatements": "restatement",
    "reflections": "reflection",
    "acknowledgements": "presence",
}
FIGURES: Final = (*_COUNTED, "follow-up", "repair", "pieces of evidence", "words")


class Figure(NamedTuple):
    """One figure of grounding.

    Attributes:
        per_turn: Mean over turns, with an interval over personas; None where no turn counts.
        turns: Turns that count.
    """

    per_turn: Interval | None
    turns: int


def follows(turn: Placed) -> bool:
    """Whether a turn takes up what the user said last.

    It holds a telling piece, and this is about something told just now, or the turn has a word with
    content of the user's last one.
    """
    shared = not stems_of(turn.last).isdisjoint(stems_of(turn.heard))
    return any(shared or piece.topic in turn.news for piece in turn.telling)


def repairs(turn: Placed, before: Placed) -> bool | None:
    """Whether a turn listens after one that hurt; None if the turn before did not hurt.

    It listens if a telling piece is an act of `LISTENING`, and no piece harms.
    """
    if before.answer.harm <= 0:
        return None
    harms = any(piece.act in HARMFUL for piece in turn.evidence)
    return not harms and any(piece.act in LISTENING for piece in turn.telling)


def grounding(traces: Sequence[Trace], *, seed: int = 0) -> dict[str, Figure]:
    """Return the figures of grounding, each over the turns that count for it.

    Questions, restatements, reflections, acknowledgements (`presence`), pieces of evidence and
    words are counts per turn; "follow-up" is a share of turns, "repair" one of the turns after a
    turn that hurt.

    Args:
        traces: Each with at least one turn.
        seed: Key of the resampling.
    """
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in FIGURES}
    for trace in traces:
        persona, turns = trace.scenario.persona.id, placed(trace)
        for number, turn in enumerate(turns):
            for name, value in _counts(turn).items():
                found[name][persona].append(value)
            if number and (repaired := repairs(turn, turns[number - 1])) is not None:
                found["repair"][persona].append(float(repaired))
    return {
        name: Figure(
            cluster_bootstrap(values, seed=seed) if values else None,
            sum(map(len, values.values())),
        )
        for name, values in found.items()
    }


def _counts(turn: Placed) -> dict[str, float]:
    acts = [evidence.act for evidence in turn.evidence]
    counts = {name: float(acts.count(act)) for name, act in _COUNTED.items()}
    return counts | {
        "follow-up": float(follows(turn)),
        "pieces of evidence": float(len(acts)),
        "words": float(len(words_in(turn.heard))),
    }
