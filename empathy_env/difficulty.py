"""How hard a user is, as numbers in [0, 1]: one knob, one named place where it acts.

There are three kinds. *Response* knobs decide what the agent's words do: with the same evidence
and the same noise, a harder value gives an emotion that is nowhere higher. *Information* knobs
decide what of a reply is said aloud: the mood is the same, and the harder observation is the easier
one garbled, so no policy can gain. *Style* knobs decide how a mood moves; no direction is claimed
for these (law 8). docs/difficulty.md has the measured effect of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal

from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.shorthand import read_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """The knobs. Each is in [0, 1]; the defaults are those of `moderate`."""

    start: float = 0.4
    """Emotion at the start: 10 + 75 * start, so 0.4 is SAGE's 40. Acts in `emotion.first_mood`."""
    acceptance: float = 0.5
    """How much good the good does: a gain is multiplied by 0.5 + acceptance (`next_mood`)."""
    trust: float = 0.5
    """Trust at the start (0.3 * trust), and its growth, times 0.5 + trust (`next_mood`)."""
    patience: float = 0.5
    """How slowly strain grows: times 1.5 - patience (`next_mood`)."""
    hostility: float = 0.5
    """How much harm the harmful does, and how often the user resists: times 0.5 + hostility
    (`next_mood`, `resists`)."""
    memory: float = 0.5
    """Memory for slights: relief of strain is multiplied by 1.5 - memory (`next_mood`)."""
    masking: float = 0.0
    """Chance that a reply shows nothing of what is felt (`veil.veiled`)."""
    disclosure: float = 1.0
    """Chance that what could be told now is said aloud (`SimulatedUser.withheld`)."""
    ambiguity: float = 0.0
    """Chance that a reply points to a need drawn without regard to the true one
    (`veil.veiled`)."""
    volatility: float = 0.0
    """How far a turn's change of emotion swings by chance: up to 5 points either way at 1
    (`next_mood`)."""
    reactivity: float = 0.5
    """How strongly emotion moves, up and down: times 0.5 + reactivity (`next_mood`)."""

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


Kind = Literal["response", "information", "style"]
KINDS: Final[Mapping[str, Kind]] = {
    "start": "response",
    "acceptance": "response",
    "trust": "response",
    "patience": "response",
    "hostility": "response",
    "memory": "response",
    "masking": "information",
    "disclosure": "information",
    "ambiguity": "information",
    "volatility": "style",
    "reactivity": "style",
}
"""For each knob, what kind it is."""

HARDER: Final[Mapping[str, Literal[-1, 1]]] = {
    "start": -1,
    "acceptance": -1,
    "trust": -1,
    "patience": -1,
    "hostility": 1,
    "memory": 1,
    "masking": 1,
    "disclosure": -1,
    "ambiguity": 1,
}
"""For each knob of which one direction is harder, that direction; style knobs have none."""

PRESETS: Final[Mapping[str, Difficulty]] = {
    "gentle": Difficulty(
        start=0.5, acceptance=0.7, trust=0.7, patience=0.7, hostility=0.3, memory=0.3
    ),
    "moderate": Difficulty(),
    "rlver-vanilla": Difficulty(hostility=0.3, disclosure=0.76, ambiguity=0.03),
    "rlver-challenging": Difficulty(
        start=0.2667,
        acceptance=0.05,
        trust=0.4,
        hostility=0.3,
        memory=0.6,
        masking=0.3,
        disclosure=0.76,
        ambiguity=0.75,
    ),
    "severe": Difficulty(
        start=0.25,
        acceptance=0.2,
        trust=0.3,
        patience=0.3,
        hostility=0.8,
        memory=0.8,
        masking=0.4,
        disclosure=0.6,
        ambiguity=0.4,
    ),
}
"""Named settings. `moderate` is the one that the bands of docs/emotion.md are for. The two of RLVER
(arXiv 2507.03112) are fitted to its descriptors; see docs/difficulty.md and
`python benchmarks/difficulty.py calibration`."""


def load_difficulty(difficulty: str | Mapping[str, float] | Difficulty) -> Difficulty:
    """Return a `Difficulty`, given a preset's name, a mapping of knobs, or the value itself.

    A mapping starts from `moderate`, or from the preset that its key `preset` names; its shorthand
    is `"gentle,hostility=0.9"`, or `"hostility=0.9"`.

    Raises:
        UnknownName: If the preset or a knob does not exist.
        InvalidArgument: If a knob is outside [0, 1], or a text names a preset elsewhere than first.

    >>> load_difficulty("gentle,hostility=0.9") == load_difficulty(
    ...     {"preset": "gentle", "hostility": 0.9}
    ... )
    True
    """
    if isinstance(difficulty, Difficulty):
        return difficulty
    if isinstance(difficulty, str):
        return _by_text(difficulty)
    if not isinstance(difficulty, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"difficulty={difficulty!r}: expected a preset's name, knobs by name, or a Difficulty"
        )
    knobs = dict(difficulty)
    base = load_difficulty(str(knobs.pop("preset", "moderate")))
    for name in knobs:
        if name not in KINDS:
            raise UnknownName.among("knob", name, KINDS)
    return replace(base, **knobs)


def _by_text(text: str) -> Difficulty:
    parts = [part.strip() for part in text.split(",")]
    for place, part in enumerate(parts):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if (equals and name == "preset") or (place and part in PRESETS):
            written = ",".join([value or name, *parts[:place], *parts[place + 1 :]])
            raise InvalidArgument(
                f"difficulty={text!r}: a preset stands first, by its name alone. Write {written!r}."
            )
    preset, knobs = ("moderate", parts) if "=" in parts[0] else (parts[0], parts[1:])
    if preset not in PRESETS:
        raise UnknownName.among("difficulty", preset, PRESETS)
    if not knobs:
        return PRESETS[preset]
    given: dict[str, Any] = {"preset": preset}
    given.update(read_numbers(",".join(knobs), what="difficulty"))
    return load_difficulty(given)
