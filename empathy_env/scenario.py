"""One episode's starting point: persona x need x difficulty x protocol x seed, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from empathy_env.difficulty import Difficulty, load_difficulty
from empathy_env.errors import InvalidArgument
from empathy_env.library import Cell, load_persona, persona_names
from empathy_env.noise import pick
from empathy_env.persona import NEEDS, Need, NeedVariant, Persona
from empathy_env.protocol import PROTOCOLS, Protocol, load_protocol

_SEED_LIMIT = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that an episode with given actions depends on.

    Attributes:
        persona: Who is talking.
        need: Which of the persona's needs they have in this episode.
        difficulty: The knobs.
        protocol: The constants.
        seed: Key of all draws; in [0, 2**63).
        max_turns: Turns of the agent; part of the task, at least 1.
        max_chars: Longest agent text, in characters; what is beyond is cut.
        member: Number within a group that shares this start; told apart in files only.
    """

    persona: Persona
    need: Need
    difficulty: Difficulty = field(default_factory=Difficulty)
    protocol: Protocol = PROTOCOLS["appraisal-v1"]
    seed: int = 0
    max_turns: int = 10
    max_chars: int = 4000
    member: int = 0

    def __post_init__(self) -> None:
        self.persona.variant(self.need)
        for name, low, high in (
            ("seed", 0, _SEED_LIMIT),
            ("max_turns", 1, 1001),
            ("max_chars", 1, 1_000_001),
            ("member", 0, _SEED_LIMIT),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value < high:
                raise InvalidArgument(
                    f"Cannot have {name}={value!r}: an integer in [{low}, {high}) is needed"
                )

    @property
    def variant(self) -> NeedVariant:
        """The need variant of this episode."""
        return self.persona.variant(self.need)

    @property
    def episode_id(self) -> str:
        """Name of the episode within a file of traces."""
        return f"{self.persona.id}/{self.need}/{self.seed}/{self.member}"

    def to_row(self) -> dict[str, Any]:
        """Return a JSON row; a bundled persona and protocol stand by name, others in full."""
        row = self.to_record()
        if self.persona.id in persona_names() and load_persona(self.persona.id) == self.persona:
            row["persona"] = self.persona.id
        if PROTOCOLS.get(self.protocol.name) == self.protocol:
            row["protocol"] = self.protocol.name
        return row

    def to_record(self) -> dict[str, Any]:
        """Return a JSON row in which nothing is left to look up."""
        return {
            "persona": self.persona.to_data(),
            "need": self.need,
            "difficulty": self.difficulty.to_data(),
            "protocol": self.protocol.to_data(),
            "seed": self.seed,
            "max_turns": self.max_turns,
            "max_chars": self.max_chars,
            "member": self.member,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Scenario:
        """Rebuild a scenario; the inverse of `to_row` and of `to_record`.

        Raises:
            InvalidArgument: If a field is missing, unknown or breaks a rule.
        """
        fields = dict(row)
        unknown = sorted(set(fields) - set(cls.__slots__))
        missing = sorted({"persona", "need"} - set(fields))
        if unknown or missing:
            raise InvalidArgument(
                f"scenario row: unknown fields {unknown}, missing fields {missing}"
            )
        persona, protocol = fields["persona"], fields.get("protocol", "appraisal-v1")
        if isinstance(persona, Mapping):
            persona = Persona.parse(persona, source="scenario row")  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(protocol, Mapping):
            protocol = Protocol.from_data(protocol)  # pyright: ignore[reportUnknownArgumentType]
        fields["persona"] = load_persona(persona)
        fields["protocol"] = load_protocol(protocol)
        fields["difficulty"] = load_difficulty(fields.get("difficulty", "moderate"))
        if fields["need"] not in NEEDS:
            raise InvalidArgument(f"scenario row: need={fields['need']!r} is not one of {NEEDS}")
        return cls(**fields)


def draw_scenario(cells: Sequence[Cell], *, seed: int, **fields: Any) -> Scenario:
    """Draw one of the cells by the seed; `fields` are those of `Scenario`.

    First a persona is drawn, then one of its needs among the cells; each time all are equally
    likely, and neither draw moves the other.
    """
    people = list({persona.id: persona for persona, _ in cells}.values())
    persona = pick(people, seed, 0, 0, "persona")
    needs: list[Need] = [need for one, need in cells if one.id == persona.id]
    return Scenario(persona=persona, need=pick(needs, seed, 0, 0, "need"), seed=seed, **fields)
