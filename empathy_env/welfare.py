"""What a talk is worth to each person in the room, and to all of them: pure functions of a trace.

The value of a talk to one person is their emotion / 100, and 0 from the moment that they leave. How
several values become one number is a choice: the mean (`mean`), the smallest (`worst`), or weights
for each person (`weighted`). `fairness` looks at what was given, and not at what came of it. A talk
of two is the case of one person, whose mean is their value to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from empathy_env.acts import HELPFUL, Appraisal
from empathy_env.address import addressed
from empathy_env.errors import InvalidArgument
from empathy_env.shorthand import read_numbers
from empathy_env.trace import FIRST, Hearing, Said, Trace, Turn

WEIGHTED: Final = "weighted:"
"""What the name of a weighted reward begins with."""


def value(trace: Trace, turn: int, *, seat: int = 0) -> float:
    """Return what the talk is worth to one person after a turn, in [0, 1].

    Emotion / 100; 0 once they have left.
    """
    return trace.emotion(turn, seat=seat) / 100.0 if trace.present(turn, seat=seat) else 0.0


def values(trace: Trace, turn: int) -> tuple[float, ...]:
    """Return what the talk is worth to each person after a turn, by seat."""
    return tuple(value(trace, turn, seat=seat) for seat in range(len(trace.start)))


def mean(trace: Trace, turn: int) -> float:
    """Return the mean over the people of what the talk is worth to them; in [0, 1]."""
    each = values(trace, turn)
    return math.fsum(each) / len(each)


def own(trace: Trace, turn: int, *, seat: int) -> float:
    """What the talk is worth to the person in this seat, at the last turn; else 0. In [0, 1].

    For agents of which each cares for one person, as in a mixed setting.

    Raises:
        InvalidArgument: If there is no such seat.
    """
    if isinstance(seat, bool) or not 0 <= seat < len(trace.start):
        raise InvalidArgument(
            f"seat={seat!r}: {trace.id} has {len(trace.start)} people; give a number from 0 to "
            f"{len(trace.start) - 1}"
        )
    return value(trace, turn, seat=seat) if trace.turns[turn - 1].outcome else 0.0


def vector(trace: Trace, turn: int) -> tuple[float, ...]:
    """Return `own` of each person, by seat: the reward as a vector, for several objectives.

    It says how each of them feels, which is hidden from the agent: so no environment puts it into
    `info`. Ask for it where the trace is, as `vector(episode.trace, episode.turn)`.
    """
    return tuple(own(trace, turn, seat=seat) for seat in range(len(trace.start)))


def worst(trace: Trace, turn: int) -> float:
    """What the talk is worth to the person who is worst off, at the last turn; else 0. In [0, 1].

    0 if anybody has left. With one person it is `terminal`.
    """
    return min(vector(trace, turn))


@dataclass(frozen=True, slots=True)
class Weighted:
    """A reward in which some people count for more than others; see `weighted`.

    Attributes:
        weights: For ids of personas how much they count, sorted by id.
    """

    weights: tuple[tuple[str, float], ...]

    @property
    def name(self) -> str:
        """Its name, from which `named` makes it again."""
        return WEIGHTED + ",".join(f"{id}={weight!r}" for id, weight in self.weights)

    def __call__(self, trace: Trace, turn: int) -> float:
        """Return the weighted mean of `own`, in [0, 1].

        Raises:
            InvalidArgument: If somebody who has a weight is not in this talk.
        """
        seats = {person.id: seat for seat, (person, _) in enumerate(trace.scenario.people)}
        self.check(list(seats), where=trace.id)
        whole = math.fsum(weight for _, weight in self.weights)
        each = (weight * own(trace, turn, seat=seats[id]) for id, weight in self.weights)
        return min(1.0, math.fsum(each) / whole)

    def check(self, people: Sequence[str], *, where: str) -> None:
        """Check that everybody who has a weight is there.

        Args:
            people: Ids of the personas who are.
            where: What they are the people of, for the error.

        Raises:
            InvalidArgument: If somebody is not.
        """
        missing = [id for id, _ in self.weights if id not in people]
        if missing:
            raise InvalidArgument(
                f"reward {self.name!r} weighs {missing[0]!r}, who is not in {where}: its people "
                f"are {', '.join(people)}"
            )


def weighted(weights: Mapping[str, float]) -> Weighted:
    """Return a reward in which each person counts as much as they are given; in [0, 1].

    At the last turn the mean of `own` with these weights, which are divided by their sum; before
    it 0. Who is not named counts nothing. Its name holds the weights, so that whoever reads it in a
    trace can compute it again.

    Args:
        weights: For ids of personas a finite number, at least 0; one must be above 0.

    Raises:
        InvalidArgument: If a weight is something else.

    >>> weighted({"quarrel-radka": 0.7, "quarrel-lachlan": 0.3}).name
    'weighted:quarrel-lachlan=0.3,quarrel-radka=0.7'
    """
    for id, weight in weights.items():
        number = isinstance(weight, (int, float)) and not isinstance(weight, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
        if not number or not math.isfinite(weight) or weight < 0.0:
            # Below 0 it would pay to make them leave.
            raise InvalidArgument(f"weights[{id!r}]={weight!r}: give a finite number, 0 or more")
    if not any(weights.values()):
        raise InvalidArgument(
            f"weights={dict(weights)!r}: nobody counts; give at least one person a weight above 0"
        )
    return Weighted(tuple(sorted((id, float(weight)) for id, weight in weights.items())))


def named(name: str) -> Weighted:
    """Return the weighted reward of this name: "weighted:" and weights by persona id.

    Raises:
        InvalidArgument: If it is no such name.

    >>> named("weighted:quarrel-radka=3,quarrel-lachlan=1").weights
    (('quarrel-lachlan', 1.0), ('quarrel-radka', 3.0))
    """
    return weighted(read_numbers(name.removeprefix(WEIGHTED), what=WEIGHTED.rstrip(":")))


def fairness(trace: Trace, turn: int) -> float:
    """How evenly the supporters' attention was shared, at the last turn; else 0. In [0, 1].

    Jain's index (`jain`) over the people of their `attention`, times the share of the people who
    are still there: so losing the one who was given the least makes nothing fairer. 1 if all have
    stayed and all were given as much; 1 / n if one of n was given all; 0 if nobody was given
    anything. It says nothing about what came of it: give it beside another reward, such as
    `{"worst": 0.8, "fairness": 0.2}`.
    """
    if trace.turns[turn - 1].outcome is None:
        return 0.0
    seats = range(len(trace.start))
    there = sum(trace.present(turn, seat=seat) for seat in seats)
    return jain(attention(trace, turn)) * there / len(seats)


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index of fairness: (sum x)^2 / (n sum x^2); in [1 / n, 1], 0 if all are 0.

    R. Jain, D. Chiu and W. Hawe, DEC-TR-301, 1984. The shares are at least 0, in any unit.

    >>> jain([2.0, 2.0]), jain([1.0, 0.0]), jain([0.0, 0.0])
    (1.0, 0.5, 0.0)
    """
    most = max(shares)
    if most <= 0.0:
        return 0.0
    scaled = [share / most for share in shares]  # so that no square is too large or too small
    return min(1.0, math.fsum(scaled) ** 2 / (len(scaled) * math.fsum(x * x for x in scaled)))


def attention(trace: Trace, turn: int) -> tuple[float, ...]:
    """Return how many helping pieces supporters have said to each person in a round, by seat.

    The mean over the rounds up to `turn` that they were there for; see `portions`.
    """
    pieces = [0] * len(trace.start)
    for one in trace.turns[:turn]:
        for portion in portions(trace, one):
            for seat, part in enumerate(portion.to):
                pieces[seat] += part.pieces
    return tuple(count / rounds_of(trace, turn, seat) for seat, count in enumerate(pieces))


def rounds_of(trace: Trace, turn: int, seat: int) -> int:
    """Return how many of the first `turn` rounds this person was there for; at least 1 if any.

    >>> from empathy_env import Task
    >>> episode = Task(cast="couple-after-quarrel").open(seed=1)
    >>> for line in ("What happened?", "Go on."):
    ...     _ = episode.say(line)
    >>> rounds_of(episode.trace, 2, 0)
    2
    """
    return sum(trace.present(number, seat=seat) for number in range(turn))


class Part(NamedTuple):
    """What of an utterance was said to one person.

    Attributes:
        words: How many words.
        pieces: How many pieces of evidence that help and are not said again; none if another one
            of the utterance is `manipulation`, which voids the good of a turn.
    """

    words: int
    pieces: int


class Portion(NamedTuple):
    """One utterance of a supporter, by whom it was said to.

    Attributes:
        seat: Who said it.
        hearings: How each person took it, by seat.
        to: What of it was said to each person, by seat.
    """

    seat: str
    hearings: tuple[Hearing, ...]
    to: tuple[Part, ...]


def portions(trace: Trace, turn: Turn) -> Iterator[Portion]:
    """Yield what each supporter said in a turn, by whom it was said to.

    Who calls nobody by name speaks to all, and each of them is given all of it. To those who cannot
    hear it, nothing is said. In a talk of two everything is said to the one person.
    """
    for said in supporters_lines(turn):
        yield Portion(said.seat, said.hearings, tuple(_parts(trace, said)))


def supporters_lines(turn: Turn) -> Iterator[Said]:
    """Yield what the supporters said in a turn, in order."""
    return (said for said in lines_of(turn) if said.seat.startswith("supporter"))


def lines_of(turn: Turn) -> Iterator[Said]:
    """Yield all that was said in a turn, in order; of a talk of two, what the agent said."""
    hearings = turn.hearings or (Hearing(True, True, (), 0.0),)
    yield Said(FIRST, turn.raw, turn.private, turn.heard, turn.flags, turn.evidence, hearings)
    yield from turn.others


def names_in(trace: Trace) -> tuple[str, ...]:
    """Return by what name each is spoken to: the people by seat, then the supporters."""
    cast = trace.scenario.cast
    count = sum(seat.startswith("supporter") for seat in trace.setup.played)
    others = (f"Supporter {number}" for number in range(2, count + 1))
    return (*(cast.names if cast else ()), "Supporter", *others)


def _parts(trace: Trace, said: Said) -> Iterator[Part]:
    helping = _helping(said.evidence)
    if trace.scenario.cast is None:
        yield Part(len(said.heard.split()), len(helping))
        return
    words = addressed(said.heard, names_in(trace))
    offset = len(said.heard) - len(words.text)
    for seat, hearing in enumerate(said.hearings):
        count = pieces = 0
        for part in words.parts if hearing.heard else ():
            if seat in part.to or not part.to:
                count += len(words.text[part.start : part.end].split())
                pieces += sum(part.start <= e.start - offset < part.end for e in helping)
        yield Part(count, pieces)


def _helping(evidence: Appraisal) -> Appraisal:
    if any(piece.act == "manipulation" for piece in evidence):
        return ()
    return tuple(piece for piece in evidence if piece.act in HELPFUL and not piece.repeated)
