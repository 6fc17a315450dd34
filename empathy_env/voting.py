"""One appraisal out of several of the same utterance: what most of them found.

A model that is asked twice does not always find the same. Asked `samples` times, what it found by
chance is outvoted, and how far the samples disagree becomes the error bar of the turn.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from empathy_env.acts import About, Appraisal, Context, Evidence, Reading
from empathy_env.appraiser import Appraiser, RuleAppraiser
from empathy_env.backends import Reply, Request
from empathy_env.errors import InvalidArgument

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


class _Place(NamedTuple):
    start: int
    end: int


class _Judgement(NamedTuple):
    """What a sample says of words; one judgement, since a strength belongs to its topic."""

    intensity: float
    grounded: bool
    topic: str
    about: About


def vote(samples: Sequence[Appraisal]) -> Appraisal:
    """Return what more than half of the appraisals found, in order of appearance.

    Pieces of evidence are taken for the same if they name the same act and overlap the quote that
    is kept: of those that enough samples overlap, the one that most samples have. Intensity,
    topic, ground and what it is about are voted on together; at a tie the weakest count. The order
    of the samples changes nothing.

    >>> one = Evidence("presence", "I'm here", 0, 8)
    >>> vote([(one,), (), (one,)]) == (one,)
    True
    >>> vote([(one,), (), ()])
    ()
    """
    by_act: dict[str, list[_Vote]] = defaultdict(list)
    for number, sample in enumerate(samples):
        for piece in sample:
            by_act[piece.act].append(_Vote(number, piece))
    kept = (piece for votes in by_act.values() for piece in _agreed(votes, len(samples)))
    return tuple(sorted(kept, key=lambda piece: (piece.start, piece.end, piece.act)))


def _agreed(votes: list[_Vote], samples: int) -> Iterator[Evidence]:
    """Yield what more than half of the samples hold of one act; each vote counts for one quote."""
    while (place := _commonest_place(votes, samples)) is not None:
        yield _merged(place, [vote for vote in votes if _overlaps(vote, place)])
        votes = [vote for vote in votes if not _overlaps(vote, place)]


def _commonest_place(votes: Sequence[_Vote], samples: int) -> _Place | None:
    """Return where the commonest quote stands that more than half of the samples overlap."""
    found: dict[_Place, set[int]] = defaultdict(set)
    for vote in votes:
        found[_place(vote)].add(vote.sample)
    overlapping = {
        place: len({vote.sample for vote in votes if _overlaps(vote, place)}) for place in found
    }
    enough = [place for place, count in overlapping.items() if 2 * count > samples]
    ranked = sorted(enough, key=lambda place: (-len(found[place]), -overlapping[place], place))
    return ranked[0] if ranked else None


def _place(vote: _Vote) -> _Place:
    return _Place(vote.evidence.start, vote.evidence.end)


def _overlaps(vote: _Vote, place: _Place) -> bool:
    return vote.evidence.start < place.end and place.start < vote.evidence.end


def _merged(place: _Place, votes: Sequence[_Vote]) -> Evidence:
    """Return the evidence at a place, as most of the samples judge it."""
    judged = _commonest({(vote.sample, _judgement(vote.evidence)) for vote in votes})
    same = [vote.evidence for vote in votes if _place(vote) == place]
    return same[0]._replace(
        intensity=judged.intensity,
        about=judged.about,
        topic=judged.topic or None,
        grounded=judged.grounded,
        repeated=any(piece.repeated for piece in same),  # it depends on where the quote stands
    )


def _judgement(piece: Evidence) -> _Judgement:
    return _Judgement(piece.intensity, piece.grounded, piece.topic or "", piece.about)


def _commonest(held: Iterable[tuple[int, _Judgement]]) -> _Judgement:
    """Return the judgement that most samples hold, the least of them at a tie."""
    counts = Counter(judged for _, judged in held)
    most = max(counts.values())
    return min(judged for judged, count in counts.items() if count == most)
