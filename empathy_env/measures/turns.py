"""Turns with what came before them, and what of a turn is tied to the person it is said to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from empathy_env.acts import HELPFUL, Act, Appraisal, Evidence
from empathy_env.cues import plain
from empathy_env.emotion import Mood
from empathy_env.errors import InvalidArgument
from empathy_env.group import check_of_one, of_one
from empathy_env.protocol import Protocol
from empathy_env.trace import Answer, Trace

FOCUS: Final = 3
"""Pieces of evidence up to which a turn loses nothing by their number: some of the best turns say
back, name a feeling, and ask. Of more a listener takes in as much as of these."""


class Placed(NamedTuple):
    """One turn of a talk and what stood before it.

    Attributes:
        number: Counted from 1.
        heard: What the agent said.
        evidence: What it did.
        telling: The pieces of it that are meant for this person, see `telling_pieces`.
        last: What the user had said before it.
        before: The mood before it.
        answer: How the user took it.
        told: Ids of what the user had said aloud before it.
        news: Those of them that stood in the last thing said.
    """

    number: int
    heard: str
    evidence: Appraisal
    telling: Appraisal
    last: str
    before: Mood
    answer: Answer
    told: frozenset[str]
    news: frozenset[str]

    @property
    def change(self) -> float:
        """By how much the turn moved the emotion, in points."""
        return self.answer.mood.emotion - self.before.emotion

    @property
    def purity(self) -> float:
        """How much of the turn is meant for this person, in [0, 1]; 0 if nothing was found.

        The share of its pieces that are telling, times `FOCUS` over their number where there are
        more.
        """
        count = len(self.evidence)
        return len(self.telling) / count * min(1.0, FOCUS / count) if count else 0.0


class Sound(NamedTuple):
    """Talks that can be measured, and how many could not.

    Attributes:
        traces: Those with at least one turn, and without a fault.
        faults: How many a fault has cut off.
        empty: How many have no turn.
    """

    traces: tuple[Trace, ...]
    faults: int
    empty: int


def sound(traces: Iterable[Trace]) -> Sound:
    """Return the talks that can be measured: finished or not, with a turn and without a fault.

    Raises:
        InvalidArgument: If one is of several people, or of a protocol in which the model reports
            the change itself, so that there is no evidence to measure.
    """
    given = tuple(of_one(traces))
    for trace in given:
        if not isinstance(trace.scenario.protocol, Protocol):
            raise InvalidArgument(
                f"{trace.id} is of protocol {trace.scenario.protocol.name!r}, in which the model "
                "itself reports the change: it holds no evidence; give traces of appraisal-v1"
            )
    whole = [trace for trace in given if trace.fault is None]
    kept = tuple(trace for trace in whole if trace.turns)
    return Sound(kept, len(given) - len(whole), len(whole) - len(kept))


def placed(trace: Trace) -> list[Placed]:
    """Return the turns of a talk with one user, each with what stood before it.

    Raises:
        InvalidArgument: If there are several.
    """
    check_of_one(trace)
    news = frozenset(id for id, how in trace.prefix(0).ledger().items() if how == "donated")
    told, paid = news, frozenset[Pair]()
    last, before = trace.opening[0], trace.start[0]
    found: list[Placed] = []
    for number, turn in enumerate(trace.turns, start=1):
        answer, evidence = turn.answers[0], turn.evidence
        pieces = telling_pieces(evidence, paid)
        found.append(Placed(number, turn.heard, evidence, pieces, last, before, answer, told, news))
        last, before, news = answer.reply, answer.mood, said_aloud(answer)
        told, paid = told | news, paid.union(_pair(e) for e in evidence if e.topic and e.grounded)
    return found


Pair = tuple[str | None, Act]


def telling_pieces(evidence: Appraisal, paid: Collection[Pair] = ()) -> Appraisal:
    """Return the pieces that are meant for this person.

    They help, are tied to what the user said, and are new: neither the words have been said before,
    nor has the same act addressed the same fact or feeling (`paid`), as each pays once. In a turn
    with `manipulation` there are none, as it voids the good of a turn.

    >>> tied = Evidence("reflection", "you sound lost", 0, 14, topic="loss", grounded=True)
    >>> len(telling_pieces((tied, tied._replace(grounded=False))))
    1
    >>> telling_pieces((tied,), paid={("loss", "reflection")})
    ()
    """
    if any(piece.act == "manipulation" for piece in evidence):
        return ()
    return tuple(
        piece
        for piece in evidence
        if piece.act in HELPFUL
        and piece.grounded
        and not piece.repeated
        and _pair(piece) not in paid
    )


def _pair(piece: Evidence) -> Pair:
    return (piece.topic, piece.act)


def said_aloud(answer: Answer) -> frozenset[str]:
    """Return the ids of what the user has told in this answer, so that the agent can know it."""
    return frozenset((*answer.told, *answer.leaked)).difference(answer.withheld)


def words_in(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation.

    >>> words_in("So it's over, then?")
    ['so', "it's", 'over', 'then']
    """
    bare = (word.strip('.,;:!?()[]"“”…-') for word in plain(text).split())
    return [word for word in bare if word]
