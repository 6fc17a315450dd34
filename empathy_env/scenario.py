"""One episode's starting point: persona x need x difficulty x protocol x seed, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from empathy_env.cast import Cast, CastSpec, cast_names, load_cast
from empathy_env.difficulty import Difficulty, load_difficulty
from empathy_env.errors import InvalidArgument
from empathy_env.library import load_persona, persona_names
from empathy_env.noise import pick
from empathy_env.people import PersonCell, load_person
from empathy_env.persona import NEEDS, Need, NeedVariant, Persona
from empathy_env.profile import Aim, Person, Profile
from empathy_env.protocol import (
    NAMES,
    PROTOCOLS,
    REPORTED,
    AnyProtocol,
    Protocol,
    ReportedProtocol,
    load_protocol,
    read_protocol,
)

_SEED_LIMIT = 2**63
_OF_PROTOCOL: Final[Any] = None
_OF_CAST: Final[Any] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that an episode with given actions depends on.

    Attributes:
        persona: Who is talking. A profile needs a protocol in which a model reports the emotion.
        need: Which of the persona's needs they have in this episode.
        cast: Or several people; the persona and the need are then those of the first of them.
        needs: With a cast: which of their needs each of the people has, by seat.
        difficulty: The knobs. Where a model reports the emotion they are told to it in words.
        protocol: The constants.
        seed: Key of all draws; in [0, 2**63).
        max_turns: Turns of the agent; part of the task, at least 1. By default the protocol's.
        max_chars: Longest agent text, in characters; what is beyond is cut.
        member: Number within a group that shares this start; told apart in files only.
    """

    persona: Person = _OF_CAST
    need: Need = _OF_CAST
    cast: Cast | None = None
    needs: tuple[Need, ...] = ()
    difficulty: Difficulty = field(default_factory=Difficulty)
    protocol: AnyProtocol = PROTOCOLS["appraisal-v1"]
    seed: int = 0
    max_turns: int = _OF_PROTOCOL
    max_chars: int = 4000
    member: int = 0

    def __post_init__(self) -> None:
        if self.cast is not None:
            self._take_in(self.cast)
        elif self.persona is _OF_CAST or self.need is _OF_CAST or self.needs:
            raise InvalidArgument(
                "a scenario is of a persona with a need, or of a cast with needs: give one pair"
            )
        for person, need in self.people:
            person.variant(need)
        if self.max_turns is _OF_PROTOCOL:
            object.__setattr__(self, "max_turns", self.protocol.max_turns)
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
        _check_fit(self.persona, self.protocol)

    def _take_in(self, cast: Cast) -> None:
        first = cast.people[0].persona
        if self.persona not in (_OF_CAST, first):
            raise InvalidArgument("Cannot have both a persona and a cast: give one of them")
        if len(self.needs) != len(cast.people):
            raise InvalidArgument(
                f"cast={cast.id!r} has {len(cast.people)} people, got needs={self.needs!r}: give "
                "each of them a need, by seat"
            )
        if isinstance(self.protocol, ReportedProtocol):
            raise InvalidArgument(
                f"protocol={self.protocol.name!r} is of one person: a cast needs a law, such as "
                "'appraisal-v1'"
            )
        object.__setattr__(self, "persona", first)
        object.__setattr__(self, "need", self.needs[0])

    @property
    def people(self) -> tuple[tuple[Person, Need], ...]:
        """Each user's persona and need, by seat."""
        if self.cast is None:
            return ((self.persona, self.need),)
        personas = (member.persona for member in self.cast.people)
        return tuple(zip(personas, self.needs, strict=True))

    def rank(self, seat: int) -> int:
        """Return the number by which a user's draws are keyed, whatever the order of the seats."""
        return seat if self.cast is None else self.cast.ranks[seat]

    @property
    def variant(self) -> NeedVariant | Aim:
        """The need variant of this episode."""
        return self.persona.variant(self.need)

    @property
    def law(self) -> Protocol:
        """The constants of the law that moves the mood.

        Raises:
            InvalidArgument: If a model reports the emotion, under no law.
        """
        if isinstance(self.protocol, ReportedProtocol):
            raise InvalidArgument(
                f"protocol={self.protocol.name!r} has no law: a model reports the emotion"
            )
        return self.protocol

    @property
    def written(self) -> Persona:
        """The persona, written in YAML.

        Raises:
            InvalidArgument: If it is a profile.
        """
        if isinstance(self.persona, Profile):
            raise InvalidArgument(f"persona={self.persona.id!r} is a profile, which is prose only")
        return self.persona

    @property
    def episode_id(self) -> str:
        """Name of the episode within a file of traces."""
        if self.cast is not None:
            return f"{self.cast.id}/{'+'.join(self.needs)}/{self.seed}/{self.member}"
        return f"{self.persona.id}/{self.need}/{self.seed}/{self.member}"

    def to_row(self) -> dict[str, Any]:
        """Return a JSON row; a bundled persona and protocol stand by name, others in full."""
        row = self.to_record()
        if self.cast is not None:
            if self.cast.id in cast_names() and load_cast(self.cast.id) == self.cast:
                row["cast"] = self.cast.id
        elif self.persona.id in persona_names() and load_persona(self.persona.id) == self.persona:
            row["persona"] = self.persona.id
        if self.protocol.name in NAMES and load_protocol(self.protocol.name) == self.protocol:
            row["protocol"] = self.protocol.name
        return row

    def to_record(self) -> dict[str, Any]:
        """Return a JSON row in which nothing is left to look up."""
        who: dict[str, Any] = {"persona": self.persona.to_data(), "need": self.need}
        if self.cast is not None:
            who = {"cast": self.cast.to_data(), "needs": list(self.needs)}
        return {
            **who,
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
        several = "cast" in fields
        missing = sorted(({"needs"} if several else {"persona", "need"}) - set(fields))
        if unknown or missing:
            raise InvalidArgument(
                f"scenario row: unknown fields {unknown}, missing fields {missing}"
            )
        protocol = fields.get("protocol", "appraisal-v1")
        if isinstance(protocol, Mapping):
            protocol = read_protocol(protocol)  # pyright: ignore[reportUnknownArgumentType]
        fields |= _cast_of(fields) if several else _person_of(fields)
        fields["protocol"] = load_protocol(protocol)
        fields["difficulty"] = load_difficulty(fields.get("difficulty", "moderate"))
        return cls(**fields)


def _person_of(row: Mapping[str, Any]) -> dict[str, Any]:
    persona = row["persona"]
    if isinstance(persona, Mapping):
        persona = _person(cast("Mapping[str, Any]", persona))
    return {"persona": load_person(persona), "need": _need(row["need"])}


def _cast_of(row: Mapping[str, Any]) -> dict[str, Any]:
    several = row["cast"]
    if isinstance(several, Mapping):
        several = Cast.parse(cast("Mapping[str, Any]", several), source="scenario row")
    return {"cast": load_cast(several), "needs": tuple(map(_need, row["needs"]))}


def _need(name: Any) -> Need:
    if name not in NEEDS:
        raise InvalidArgument(f"scenario row: need={name!r} is not one of {NEEDS}")
    return name


def _person(data: Mapping[str, Any]) -> Person:
    """Rebuild a persona or a profile from what a row holds of it."""
    if data.get("kind") == "profile":
        return Profile.parse(data, source="scenario row")
    return Persona.parse(data, source="scenario row")


def _check_fit(person: Person, protocol: AnyProtocol) -> None:
    """Check that this person can be played under this protocol.

    Raises:
        InvalidArgument: If not.
    """
    if isinstance(protocol, ReportedProtocol):
        if not person.opening.strip():
            raise InvalidArgument(
                f"persona={person.id!r} has no opening: its profile lacks 'first_talk'. Write one, "
                "or let a model do it with empathy_env.briefing.opened"
            )
    elif isinstance(person, Profile):
        raise InvalidArgument(
            f"persona={person.id!r} is a profile, which is prose only: protocol={protocol.name!r} "
            f"needs facts, feelings and gates. Give protocol= one of {', '.join(REPORTED)}"
        )


def draw_scenario(cells: Sequence[PersonCell], *, seed: int, **fields: Any) -> Scenario:
    """Draw one of the cells by the seed; `fields` are those of `Scenario`.

    First a persona is drawn, then one of its needs among the cells; each time all are equally
    likely, and neither draw moves the other.
    """
    people = list({persona.id: persona for persona, _ in cells}.values())
    persona = pick(people, seed, 0, 0, "persona")
    needs: list[Need] = [need for one, need in cells if one.id == persona.id]
    return Scenario(persona=persona, need=pick(needs, seed, 0, 0, "need"), seed=seed, **fields)


def draw_cast(casts: Sequence[CastSpec], *, seed: int, **fields: Any) -> Scenario:
    """Draw one of the casts by the seed, and a need for each of its people.

    All are equally likely, each apart from the others; `fields` are those of `Scenario`.
    """
    drawn = load_cast(pick(casts, seed, 0, 0, "cast"))
    needs: tuple[Need, ...] = tuple(
        pick(member.persona.needs, seed, 0, rank, "need").need
        for member, rank in zip(drawn.people, drawn.ranks, strict=True)
    )
    return Scenario(cast=drawn, needs=needs, seed=seed, **fields)
