"""How hard a user is, as numbers in [0, 1]: one knob, one named place where it acts.

All knobs here are *response* knobs: with the same evidence and the same noise, a harder value
gives an emotion that is nowhere higher (law 8). `HARDER` says which direction is harder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Final, Literal

from empathy_env.errors import InvalidArgument, UnknownName


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """The knobs. Each is in [0, 1]; 0.5 leaves the protocol's constants as they are."""

    start: float = 0.4
    """Emotion at the start: 10 + 75 * start, so 0.4 is SAGE's 40."""
    acceptance: float = 0.5
    """How much good the good does: scales every gain."""
    trust: float = 0.5
    """Trust at the start, and how fast it grows."""
    patience: float = 0.5
    """How slowly strain grows."""
    hostility: float = 0.5
    """How much harm the harmful does, and how often the user resists."""
    memory: float = 0.5
    """Memory for slights: how slowly strain goes down again."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not 0 <= value <= 1
            ):
                raise InvalidArgument(
                    f"Cannot have {field.name}={value!r}: each knob is a number in [0, 1]"
                )

    def to_data(self) -> dict[str, float]:
        """Return the knobs as plain JSON data."""
        return {name: float(value) for name, value in asdict(self).items()}


HARDER: Final[Mapping[str, Literal[-1, 1]]] = {
    "start": -1,
    "acceptance": -1,
    "trust": -1,
    "patience": -1,
    "hostility": 1,
    "memory": 1,
}
"""For each knob, the direction in which a user gets harder."""

PRESETS: Final[Mapping[str, Difficulty]] = {
    "gentle": Difficulty(
        start=0.5, acceptance=0.7, trust=0.7, patience=0.7, hostility=0.3, memory=0.3
    ),
    "moderate": Difficulty(),
    "severe": Difficulty(
        start=0.25, acceptance=0.3, trust=0.3, patience=0.3, hostility=0.8, memory=0.8
    ),
}
"""Named settings. `moderate` is the one that the published bands of docs/emotion.md are for."""


def load_difficulty(difficulty: str | Mapping[str, float] | Difficulty) -> Difficulty:
    """Return a `Difficulty`, given a preset's name, a mapping of knobs, or the value itself.

    A mapping starts from `moderate`, or from the preset that its key `preset` names.

    Raises:
        UnknownName: If the preset or a knob does not exist.
        InvalidArgument: If a knob is outside [0, 1].

    >>> load_difficulty({"preset": "gentle", "hostility": 0.9}).hostility
    0.9
    """
    if isinstance(difficulty, Difficulty):
        return difficulty
    if isinstance(difficulty, str):
        if difficulty not in PRESETS:
            raise UnknownName.among("difficulty", difficulty, PRESETS)
        return PRESETS[difficulty]
    if not isinstance(difficulty, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"difficulty={difficulty!r}: expected a preset's name, knobs by name, or a Difficulty"
        )
    knobs = dict(difficulty)
    base = load_difficulty(str(knobs.pop("preset", "moderate")))
    for name in knobs:
        if name not in HARDER:
            raise UnknownName.among("knob", name, HARDER)
    return replace(base, **knobs)
