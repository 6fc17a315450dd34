"""What an agent states that it believes of the user: the emotion now, and the need.

The form is small enough to be written every turn, and can say everything that is scored:

    <belief>
    emotion: 35
    need: absolution 0.6, deep_empathy 0.2
    </belief>

`emotion` is a number in [0, 100]. `need` names as many of the eight needs as one likes, each with
its probability; what is left to 1 is shared equally by those that are not named. So one need with a
confidence is a belief, and so is a full distribution.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from empathy_env.acts import NEEDS, Need
from empathy_env.markup import tags_of

TAG: Final = "belief"

_NUMBER: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?|\.[0-9]{1,6}")
_SHARE: Final = re.compile(r"([a-z_]+)[ \t]*[:=]?[ \t]*([0-9.]+)")
_ROUNDING: Final = 0.01
"""By how much stated probabilities may add up to something else than 1."""


class Belief(NamedTuple):
    """What was stated in one turn.

    Attributes:
        emotion: The believed emotion, in [0, 100]; None if none could be read.
        needs: For each of the eight needs its probability, adding up to 1; None likewise.
    """

    emotion: float | None
    needs: Mapping[Need, float] | None


def belief_of(private: str) -> Belief | None:
    r"""Return the belief that stands in the private text of a turn, or None.

    There must be one block: who states two beliefs has stated none. Each of the two lines is read
    by itself.

    >>> belief_of("<belief>emotion: 35\nneed: absolution 0.65</belief>").needs["deep_empathy"]
    0.05
    >>> belief_of("He seems sad.") is None
    True
    """
    block = _block(private)
    if block is None:
        return None
    belief = Belief(_emotion(_line(block, "emotion")), _needs(_line(block, "need")))
    return None if belief == (None, None) else belief


def absolute_error(belief: Belief | None, emotion: float) -> float | None:
    """Return by how much the believed emotion is off, in [0, 100]; None if none was stated.

    Its expectation is least at the median of what one believes (Gneiting 2011, "Making and
    Evaluating Point Forecasts").
    """
    if belief is None or belief.emotion is None:
        return None
    return abs(belief.emotion - emotion)


def brier(belief: Belief | None, need: Need) -> float | None:
    """Return the Brier score of the believed need, in [0, 2], 0 is best; None if none was stated.

    The sum over the eight needs of (probability - 1 or 0) squared (Brier 1950). It is strictly
    proper: its expectation is least for who states just what they believe. 0.875 for eight equal
    probabilities.

    >>> round(brier(Belief(None, dict.fromkeys(NEEDS, 1 / 8)), "absolution"), 6)
    0.875
    """
    if belief is None or belief.needs is None:
        return None
    return brier_of(belief.needs, need)


def brier_of(needs: Mapping[Need, float], need: Need) -> float:
    """Return the Brier score of a distribution over the needs, in [0, 2]."""
    return sum((share - (name == need)) ** 2 for name, share in needs.items())


def _block(private: str) -> str | None:
    """Return what stands between the tags of the only belief."""
    tags = tags_of(private)
    if sum(tag.name == TAG and tag.kind == "open" for tag in tags) != 1:
        return None
    for opened, closed in pairwise(tags):
        if opened.name == closed.name == TAG and (opened.kind, closed.kind) == ("open", "close"):
            return private[opened.end : closed.start]
    return None


def _line(block: str, key: str) -> str:
    """Return what a line says after its key; "" if there is not one such line."""
    pairs = (line.partition(":") for line in block.lower().splitlines())
    found = [value.strip() for name, _, value in pairs if name.strip() == key]
    return found[0] if len(found) == 1 else ""


def _emotion(value: str) -> float | None:
    if not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    return number if number <= 100 else None


def _needs(value: str) -> Mapping[Need, float] | None:
    known: dict[str, Need] = {need: need for need in NEEDS}
    shares: dict[Need, float] = {}
    for part in value.split(","):
        match = _SHARE.fullmatch(part.strip())
        need = known.get(match[1]) if match else None
        if match is None or need is None or need in shares or not _NUMBER.fullmatch(match[2]):
            return None
        shares[need] = float(match[2])
    return _distribution(shares)


def _distribution(shares: Mapping[Need, float]) -> Mapping[Need, float] | None:
    """Share what is left among those that are not named; None if it does not add up."""
    total = sum(shares.values())
    unnamed = len(NEEDS) - len(shares)
    if total > 1 + _ROUNDING or (not unnamed and total < 1 - _ROUNDING):
        return None
    scale = 1 / total if total > 1 or not unnamed else 1.0
    rest = max(0.0, 1 - total) / unnamed if unnamed else 0.0
    return {need: round(shares[need] * scale if need in shares else rest, 9) for need in NEEDS}
