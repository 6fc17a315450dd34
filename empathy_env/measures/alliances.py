"""Who sides with whom: the moves between people, counted from what each of them heard.

A move is what code found when the words were said (`empathy_env.between`); here they are only
counted. For: `agreed`, and by a supporter `sided_with`. Against: `contradicted`, `spoken_over`,
`exposed`, and by a supporter `sided_against`. The others (`named`, `spoken_of`, `ignored`) are of
attention, and take no side.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from empathy_env.between import MOVES, Move
from empathy_env.measures.casts import names
from empathy_env.trace import Trace
from empathy_env.welfare import lines_of

FOR: Final[frozenset[str]] = frozenset[Move](("agreed", "sided_with"))
AGAINST: Final[frozenset[str]] = frozenset[Move](
    ("contradicted", "spoken_over", "exposed", "sided_against")
)


class Tie(NamedTuple):
    """What one did to another, a talk.

    Attributes:
        who: Id of the persona whose words they were, or a supporter's seat.
        to: Id of the persona to whom it was done.
        moves: For each move how often, a talk; those that never were are left out.
    """

    who: str
    to: str
    moves: Mapping[str, float]

    @property
    def net(self) -> float:
        """Moves for less moves against, a talk; 0 if there were none.

        >>> Tie("ana", "ben", {"agreed": 0.5, "spoken_over": 2.0}).net
        -1.5
        """
        signs = {**dict.fromkeys(FOR, 1.0), **dict.fromkeys(AGAINST, -1.0)}
        return math.fsum(signs.get(move, 0.0) * count for move, count in self.moves.items())


class Alliances(NamedTuple):
    """The moves as a signed matrix.

    Attributes:
        rows: Who: supporters by seat, then people by id.
        columns: To whom: people by id.
        values: For each row and column `Tie.net`; NaN for oneself.
        ties: The same in full, one for each row and column but oneself.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]
    ties: Sequence[Tie]


def alliances(traces: Sequence[Trace]) -> Alliances:
    """Return who sided with whom and against whom in talks of one cast, a talk.

    Args:
        traces: Talks of one cast, each with at least one round.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    for trace in traces:
        counts.update(_moves(trace))
    people = sorted(names(traces[0]))
    supporters = {
        seat for trace in traces for seat in trace.setup.played if seat.startswith("supporter")
    }
    rows = [*sorted(supporters), *people]
    ties = {
        (who, to): Tie(who, to, _a_talk(counts, who, to, len(traces)))
        for who in rows
        for to in people
        if who != to
    }
    values = [[ties[who, to].net if who != to else math.nan for to in people] for who in rows]
    return Alliances(rows, people, values, list(ties.values()))


def _a_talk(
    counts: Mapping[tuple[str, str, str], int], who: str, to: str, talks: int
) -> dict[str, float]:
    found = {move: counts.get((who, to, move), 0) / talks for move in MOVES}
    return {move: count for move, count in found.items() if count}


def _moves(trace: Trace) -> Iterator[tuple[str, str, str]]:
    """Yield who did what to whom, once for each time."""
    people = [persona.id for persona, _ in trace.scenario.people]
    for turn in trace.turns:
        for said in lines_of(turn):
            kind, number = said.seat.rsplit("_", 1)
            who = people[int(number)] if kind == "user" else said.seat
            for to, hearing in zip(people, said.hearings, strict=True):
                for move in hearing.moves:
                    yield who, to, move
