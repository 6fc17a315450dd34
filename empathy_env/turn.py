"""One turn of a talk as a value, and as JSON.

A `Turn` is what the agent said, what that did, and how each user answered; with several people in
the room, a round of words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from empathy_env.acts import ACTS, Appraisal, Evidence
from empathy_env.emotion import OUTCOMES, Mood, Outcome


class Call(NamedTuple):
    """One request to a model and what it answered.

    Attributes:
        purpose: What was asked for.
        request: Digest of the request, so that a replay can tell whether it asks the same.
        reply: What the model answered; "" after a fault.
        fault: Type of the failure that the step took for an answer and went on from, or "".
    """

    purpose: str
    request: str
    reply: str
    fault: str = ""


class Answer(NamedTuple):
    """One user's side of a turn.

    Attributes:
        mood: The mood after the turn; its counters are left out, since they follow from the rest.
        good: Mean credit of the turn.
        harm: Harm of the turn's worst piece.
        saturated: True if the clamp or an end of the scale cut the change.
        error: Standard error of the change of emotion, in points, over the appraisals of this turn;
            None if there was one appraisal only.
        told: Ids of what was disclosed in this turn.
        leaked: Ids of what the reply gave away although no gate was open.
        manner: Which situation of the voice the reply is in.
        reply: What the user said.
        meant: What they would have said with nothing hidden, if that is something else. What the
            agent does is judged by this, so that hiding changes nothing that is felt.
        withheld: Ids of what was disclosed in this turn and not said aloud.
        present: False once they have left a room in which others stay.
    """

    mood: Mood
    good: float
    harm: float
    saturated: bool
    error: float | None
    told: tuple[str, ...]
    leaked: tuple[str, ...]
    manner: str
    reply: str
    meant: str | None = None
    withheld: tuple[str, ...] = ()
    present: bool = True

    @property
    def whole(self) -> str:
        """What they said, or would have said with nothing hidden."""
        return self.reply if self.meant is None else self.meant


class Hearing(NamedTuple):
    """What words did to one of several people in the room.

    Attributes:
        heard: False if it was an aside to somebody else, or if they had left.
        addressed: Whether it was said to them.
        moves: What it was between people (`empathy_env.between.MOVES`).
        change: By how much it moved their emotion, in points.
    """

    heard: bool
    addressed: bool
    moves: tuple[str, ...]
    change: float


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said in company."""

    seat: str
    """Who said it: "supporter_1", "user_0", ..."""
    raw: str
    """What they wrote, cleaned."""
    private: str
    heard: str
    flags: tuple[str, ...]
    evidence: Appraisal
    """What it did to those whom it was said to."""
    hearings: tuple[Hearing, ...]
    """For each user's seat, how it was taken."""
    aside: str = ""
    """The seat that alone could hear it, if it was a quiet answer; "" if not."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The agent says and the users answer.

    In a room with several people it is a round: the first supporter's words, and after them
    those of the others (`others`), in the order in which they were said.
    """

    raw: str
    """What the agent wrote, cleaned."""
    private: str
    heard: str
    flags: tuple[str, ...]
    evidence: Appraisal
    answers: tuple[Answer, ...]
    outcome: Outcome | None
    notes: tuple[str, ...] = ()
    """What was dropped, asked again or could not be mended, in sentences."""
    calls: tuple[Call, ...] = ()
    hearings: tuple[Hearing, ...] = ()
    """With several people: for each user's seat, how the first supporter's words were taken."""
    others: tuple[Said, ...] = ()
    """With several people: what was said after them."""


_MOOD: Final = ("emotion", "trust", "heard", "met", "strain", "resisting")
_ANSWER: Final = (*("good", "harm", "saturated", "error", "manner", "reply", "meant", "present"),)


def mood_out(mood: Mood) -> dict[str, float | bool]:
    """Return a mood as JSON data, without its counters."""
    return {name: getattr(mood, name) for name in _MOOD}


def turn_out(turn: Turn) -> dict[str, Any]:
    """Return a turn as JSON data; `turn_in` is the inverse."""
    return {
        "raw": turn.raw,
        "private": turn.private,
        "heard": turn.heard,
        "flags": list(turn.flags),
        "evidence": [evidence._asdict() for evidence in turn.evidence],
        "answers": [
            {name: getattr(answer, name) for name in _ANSWER}
            | {
                "mood": mood_out(answer.mood),
                "told": list(answer.told),
                "leaked": list(answer.leaked),
                "withheld": list(answer.withheld),
            }
            for answer in turn.answers
        ],
        "outcome": turn.outcome,
        "notes": list(turn.notes),
        "calls": [call._asdict() for call in turn.calls],
        "hearings": _hearings_out(turn.hearings),
        "others": [_said_out(said) for said in turn.others],
    }


def _hearings_out(hearings: Sequence[Hearing]) -> list[dict[str, Any]]:
    return [hearing._asdict() | {"moves": list(hearing.moves)} for hearing in hearings]


def _said_out(said: Said) -> dict[str, Any]:
    return {
        "seat": said.seat,
        "raw": said.raw,
        "private": said.private,
        "heard": said.heard,
        "flags": list(said.flags),
        "evidence": [evidence._asdict() for evidence in said.evidence],
        "hearings": _hearings_out(said.hearings),
        "aside": said.aside,
    }


def _evidence_in(items: Iterable[Mapping[str, Any]]) -> Appraisal:
    evidence = tuple(Evidence(**item) for item in items)
    unknown = sorted({item.act for item in evidence} - set(ACTS))
    if unknown:
        raise ValueError(f"unknown acts {unknown}")
    return evidence


def _hearings_in(items: Iterable[Mapping[str, Any]]) -> tuple[Hearing, ...]:
    return tuple(
        Hearing(item["heard"], item["addressed"], tuple(item["moves"]), item["change"])
        for item in items
    )


def _said_in(said: Mapping[str, Any]) -> Said:
    fields: dict[str, Any] = {
        **said,
        "flags": tuple(said["flags"]),
        "evidence": _evidence_in(said["evidence"]),
        "hearings": _hearings_in(said["hearings"]),
    }
    return Said(**fields)


def turn_in(turn: Mapping[str, Any]) -> Turn:
    """Rebuild a turn.

    Raises:
        ValueError, KeyError, TypeError: If it is none.
    """
    if turn["outcome"] not in (None, *OUTCOMES):
        raise ValueError(f"unknown outcome {turn['outcome']!r}")
    answers = tuple(
        Answer(
            mood=Mood(**answer["mood"]),
            told=tuple(answer["told"]),
            leaked=tuple(answer["leaked"]),
            withheld=tuple(answer["withheld"]),
            **{name: answer[name] for name in _ANSWER},
        )
        for answer in turn["answers"]
    )
    return Turn(
        raw=turn["raw"],
        private=turn["private"],
        heard=turn["heard"],
        flags=tuple(turn["flags"]),
        evidence=_evidence_in(turn["evidence"]),
        answers=answers,
        outcome=turn["outcome"],
        notes=tuple(turn["notes"]),
        calls=tuple(Call(**call) for call in turn["calls"]),
        hearings=_hearings_in(turn["hearings"]),
        others=tuple(_said_in(said) for said in turn["others"]),
    )
