"""One appraisal out of several of the same utterance: what most of them found.

A model that is asked twice does not always find the same. Asked `samples` times, what it found by
chance is outvoted, and how far the samples disagree becomes the error bar of the turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from empathy_env.acts import Appraisal, Context, Evidence, Reading
from empathy_env.appraiser import Appraiser, RuleAppraiser
from empathy_env.backends import Reply, Request
from empathy_env.errors import InvalidArgument

T = TypeVar("T")

MOST_SAMPLES = 64
"""More appraisals of one utterance than this cost without telling more."""


@dataclass(frozen=True)
class VotedAppraiser:
    """Asks another appraiser several times and returns what most answers hold.

    Attributes:
        inner: The appraiser; one that asks a model.
        samples: How many times, from 2 to 64; an odd number leaves no ties.
    """

    inner: Appraiser
    samples: int

    def __post_init__(self) -> None:
        if not 2 <= self.samples <= MOST_SAMPLES:
            raise InvalidArgument(
                f"appraiser_samples={self.samples!r}: a whole number from 1 to {MOST_SAMPLES} is "
                "needed"
            )
        if isinstance(self.inner, RuleAppraiser):
            raise InvalidArgument(
                f"appraiser_samples={self.samples}: {self.inner.name!r} always answers the same; "
                "leave it at 1, or give an appraiser that asks a model"
            )

    @property
    def name(self) -> str:
        """The inner appraiser's name and how often it is asked."""
        return f"{self.inner.name} x{self.samples}"

    def appraise(self, utterance: str, context: Context) -> Generator[Request, Reply, Reading]:
        """Find the evidence in an utterance, several times."""
        readings: list[Reading] = []
        for _ in range(self.samples):  # the kernel gives each request of a turn a seed of its own
            readings.append((yield from self.inner.appraise(utterance, context)))
        notes = dict.fromkeys(note for reading in readings for note in reading.notes)
        samples = tuple(reading.evidence for reading in readings)
        return Reading(vote(samples), tuple(notes), samples)


class _Vote(NamedTuple):
    sample: int
    evidence: Evidence


def vote(samples: Sequence[Appraisal]) -> Appraisal:
    """Return what more than half of the appraisals found, in order of appearance.

    Pieces of evidence are taken for the same if they name the same act and their quotes overlap.
    Each of its other parts (quote, intensity, about, topic, grounded, repeated) is the most common
    one, the first of them at a tie.

    >>> one = Evidence("presence", "I'm here", 0, 8)
    >>> vote([(one,), (), (one,)]) == (one,)
    True
    >>> vote([(one,), (), ()])
    ()
    """
    votes = sorted(
        (_Vote(number, piece) for number, sample in enumerate(samples) for piece in sample),
        key=lambda vote: (vote.evidence.act, vote.evidence.start, vote.evidence.end),
    )
    kept = [
        _merged([vote.evidence for vote in group])
        for group in _alike(votes)
        if 2 * len({vote.sample for vote in group}) > len(samples)
    ]
    return tuple(sorted(kept, key=lambda piece: (piece.start, piece.end, piece.act)))


def _alike(votes: Iterable[_Vote]) -> list[list[_Vote]]:
    """Group votes, sorted by act and place, in which the same act overlaps."""
    groups: list[list[_Vote]] = []
    act, end = "", -1
    for vote in votes:
        piece = vote.evidence
        if piece.act == act and piece.start < end:
            groups[-1].append(vote)
            end = max(end, piece.end)
        else:
            groups.append([vote])
            act, end = piece.act, piece.end
    return groups


def _merged(pieces: Sequence[Evidence]) -> Evidence:
    quote, start, end = _commonest((piece.quote, piece.start, piece.end) for piece in pieces)
    return Evidence(
        act=pieces[0].act,
        quote=quote,
        start=start,
        end=end,
        intensity=_commonest(piece.intensity for piece in pieces),
        about=_commonest(piece.about for piece in pieces),
        topic=_commonest(piece.topic for piece in pieces),
        grounded=_commonest(piece.grounded for piece in pieces),
        repeated=_commonest(piece.repeated for piece in pieces),
    )


def _commonest(values: Iterable[T]) -> T:
    return Counter(values).most_common(1)[0][0]
