"""What one user says to another beside their own story: the lines that a cast gives them for it.

Who is low and tense turns on the other; who is well and close turns to them. All by keyed draws, so
that a remark depends on the mood and the key, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from empathy_env.between import Presence
from empathy_env.cast import Cast, Toward
from empathy_env.noise import draw
from empathy_env.user import UserState

_LOW: Final = 50.0
"""Emotion below which somebody may turn on another, and above which they may turn to them."""
_PROVOKED: Final = 0.2
_TENSE: Final = 0.4
"""Chance that somebody at emotion 0 turns on another, at tension 1."""
_SLIPS: Final = 0.35
"""Chance that, of those who turn on another and know something, it slips out."""


class Remark(NamedTuple):
    """A line to another user.

    Attributes:
        line: The words.
        to: The seat that they are said to.
        exposes: Id of what they let out of the other, or "".
    """

    line: str
    to: int
    exposes: str = ""


def remark(
    cast: Cast,
    seat: int,
    states: Sequence[UserState],
    company: Sequence[Presence],
    *,
    seed: int,
    turn: int,
) -> Remark | None:
    """Return what the user in `seat` says to another in this round, or None.

    Args:
        cast: Who they are to each other, with the lines.
        seat: Who speaks.
        states: Each user's state.
        company: What is between them.
        seed: The episode's seed.
        turn: This round, counted from 1.
    """
    rank, own = cast.ranks[seat], states[seat]

    def chance(purpose: str) -> float:
        return draw(seed, turn, rank, f"remark:{purpose}")

    present = [
        other for other, presence in enumerate(company) if other != seat and presence.present
    ]
    emotion, provoker = own.mood.emotion, company[seat].provoker
    harsh = emotion < _LOW or (provoker in present and emotion < _LOW + 20.0)
    told = {other: states[other].told for other in present}
    lines = {
        other: _lines(cast.toward(seat, other), own.spoken, told[other], harsh, chance("slips"))
        for other in present
    }
    able = [other for other in present if lines[other]]
    if not able:
        return None
    other = provoker if harsh and provoker in able else _nearest(cast, seat, able, harsh)
    toward = cast.toward(seat, other)
    if harsh:
        wish = _TENSE * toward.tension * (1.0 - emotion / (_LOW + 20.0))
        wish += _PROVOKED * toward.tension if provoker == other else 0.0
    else:
        wish = toward.closeness * (emotion - 40.0) / 60.0
    if chance("wish") >= wish:
        return None
    choices = lines[other]
    line, exposes = choices[int(chance("line") * len(choices))]
    return Remark(line, other, exposes)


def _nearest(cast: Cast, seat: int, able: Sequence[int], harsh: bool) -> int:
    """Return whom they would turn on, or to: the tensest or the closest."""

    def pull(other: int) -> tuple[float, int]:
        toward = cast.toward(seat, other)
        return (toward.tension if harsh else toward.closeness), cast.ranks[other]

    return max(able, key=pull)


def _lines(
    toward: Toward, spoken: frozenset[str], told: frozenset[str], harsh: bool, chance: float
) -> list[tuple[str, str]]:
    """Return the lines that are left, each with what it exposes."""
    if harsh and chance < _SLIPS:
        known: Mapping[str, str] = {
            item.slips: item.fact
            for item in toward.knows
            if item.slips and item.slips not in spoken and item.fact not in told
        }
        if known:
            return list(known.items())
    pool = toward.harsh if harsh else toward.warm
    return [(line, "") for line in pool if line not in spoken]
