"""The versioned constants of a protocol: what moves a mood, and by how much.

There are two kinds. Under a `Protocol` code computes the mood from evidence; under a
`ReportedProtocol`, as published, the model that plays the user reports the change itself.

A trace embeds the constants it was made with, so it can be checked after they have changed.
Why each value is what it is stands beside it; docs/emotion.md has the equations and shows what
the values were calibrated to, docs/protocols.md has the published protocols.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from sys import float_info
from typing import Any, ClassVar, Final

from empathy_env.acts import ACTS, NEEDS
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.weights import (
    ANY_NEED,
    ANY_NEED_B,
    BETWEEN,
    LISTENING,
    OPENS,
    OWN_NEED,
    OWN_NEED_B,
    TOO_EARLY,
)

_NAMES: Final = ("name", "appraiser", "speaker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The constants of one version of the mood's law."""

    max_turns: ClassVar[int] = 10
    """Turns of the agent where nothing else is asked for."""

    name: str
    appraiser: str = "rules"
    """Who finds the evidence for the code user: a `RuleAppraiser` of this name."""
    speaker: str = "templates"
    """Who words its replies: a `TemplateSpeaker` of this name."""
    success: float = 100.0
    """Emotion at which the talk has succeeded (SAGE, arXiv 2505.02847)."""
    leave: float = 10.0
    """Emotion below which the user leaves (SAGE)."""
    clamp: float = 10.0
    """Most points of emotion that one turn can move (SAGE)."""
    gain: float = 14.5
    """Points for a turn of credit 1, at middle knobs and trust 0.5."""
    loss: float = 17.0
    """Points against a turn of harm 1: bad weighs more than good (Baumeister et al. 2001)."""
    drift: float = 0.8
    """Points lost in a turn in which nothing happens, at strain 0; twice that at strain 1."""
    ceiling: float = 70.0
    """Emotion that warmth alone cannot pass (SAGE's state A begins at 70)."""
    need_met: float = 0.5
    """`met` from which the ceiling is lifted."""
    ungrounded: float = 0.15
    """Share of credit left when it is tied to nothing that the user said."""
    repeated: float = 0.2
    """Share of credit left for words said before."""
    habit: float = 0.12
    """Loss of effect per recent use of the same act."""
    habit_decay: float = 0.7
    """Share of a recent use that is left one turn later."""
    trust_step: float = 0.14
    """Most that trust grows in a turn, at middle knobs."""
    trust_credit: float = 0.3
    """Credit at which trust grows by `trust_step`; more credit adds nothing to it."""
    trust_loss: float = 0.25
    """Trust lost for harm 1."""
    heard_step: float = 0.4
    """Growth of `heard` for one grounded reflection that is new."""
    heard_enough: float = 0.5
    """`heard` from which nothing is too early."""
    trust_to_challenge: float = 0.3
    """Trust from which a challenge can be taken."""
    met_step: float = 0.45
    """Growth of `met` for credit 1."""
    met_from: float = 0.5
    """Credit below which the need itself is not touched."""
    strain_harm: float = 0.45
    """Strain added by harm 1."""
    strain_idle: float = 0.06
    """Strain added by a turn in which nothing happens."""
    strain_relief: float = 0.12
    """Strain taken away by credit 1."""
    idle_credit: float = 0.09
    """Credit from which something has happened."""
    resist: float = 0.08
    """Chance that the user begins to resist in a turn, at middle hostility."""
    resist_again: float = 0.45
    """Chance that resistance goes on for another turn (AnnoMI transcripts: .4 to .5)."""
    resisted: float = 0.35
    """Share of credit left while the user resists."""
    jitter: float = 0.25
    """Each episode scales each act's weight by a factor within 1 plus or minus this."""
    swing: float = 5.0
    """Most points that a turn's change swings by chance, either way, at volatility 1."""
    reticent: float = 2.5
    """Points lost in a turn from which nothing new is told in it."""
    any_need: Mapping[str, float] = field(default_factory=lambda: ANY_NEED)
    own_need: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: OWN_NEED)
    too_early: Mapping[str, float] = field(default_factory=lambda: TOO_EARLY)
    listening: Mapping[str, float] = field(default_factory=lambda: LISTENING)
    opens: Mapping[str, float] = field(default_factory=lambda: OPENS)
    between: Mapping[str, float] = field(default_factory=lambda: BETWEEN)
    """What happens between several people in one room; see `empathy_env.between`."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in _NAMES or isinstance(value, Mapping):
                continue
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not 0 <= value <= float_info.max
            ):
                raise InvalidArgument(
                    f"Cannot have {item.name}={value!r}: a number from 0 up is needed"
                )
            object.__setattr__(self, item.name, float(value))
        for name in ("heard_enough", "trust_to_challenge", "trust_credit", "idle_credit"):
            if not getattr(self, name) > 0:
                raise InvalidArgument(f"Cannot have {name}=0: credit is divided by it")
        if not self.met_from < 1:
            raise InvalidArgument(f"Cannot have met_from={self.met_from}: it must be below 1")
        lacking = sorted({*ACTS} - set(self.any_need)) + sorted({*NEEDS} - set(self.own_need))
        if lacking:
            raise InvalidArgument(
                f"the tables of protocol {self.name!r} have no entry for {lacking}"
            )

    def to_data(self) -> dict[str, Any]:
        """Return the constants as plain JSON data; `Protocol.from_data` is the inverse."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Protocol:
        """Rebuild a protocol from the constants that a trace holds.

        Raises:
            InvalidArgument: If a constant is missing or unknown.
        """
        return cls(**_all_of(cls, data))


def _all_of(kind: type, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the constants, if they are those of this kind of protocol, no more and no fewer."""
    known = {field.name for field in fields(kind)}
    missing, unknown = sorted(known - set(data)), sorted(set(data) - known)
    if missing or unknown:
        raise InvalidArgument(
            f"protocol constants do not fit this version: missing {missing}, unknown {unknown}"
        )
    return data


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedProtocol:
    """The constants of a loop in which the model itself says how far the emotion moves.

    The defaults are SAGE's (arXiv 2505.02847, and Tencent/digitalhuman at 6dcfa78). A variant is
    `dataclasses.replace(load_protocol("rlver-2025"), name="mine", start=40.0)`.
    """

    name: str
    start: float = 40.0
    """Emotion before the first turn (SAGE's code; RLVER's training simulator has 30)."""
    clamp: float | None = 10.0
    """Most points that one turn can move, a whole number from 1 up; None: no limit (as in RLVER's
    training simulator)."""
    floor: float = 0.0
    """Least emotion. SAGE's code has no floor; its data never go below 0."""
    ceiling: float = 100.0
    """Most emotion (SAGE's code)."""
    success: float = 100.0
    """Emotion at which the talk has succeeded (SAGE; state S)."""
    content: float = 70.0
    """Emotion from which the state is A (SAGE's code)."""
    fair: float = 40.0
    """Emotion from which the state is B (SAGE's code)."""
    leave: float = 10.0
    """Emotion below which the state is F and the user leaves; from here on it is C (SAGE)."""
    leave_at: float | None = None
    """Emotion at which the user leaves; None: below `leave` (RLVER's training simulator: 0)."""
    max_turns: int = 10
    """Turns of the agent where nothing else is asked for (SAGE's evaluation script)."""
    may_hint_need: bool = True
    """Whether the user may let the need shine through (SAGE; the hard simulator of RLVER must
    not, tells more of its story instead, and wants to be met explicitly)."""
    garbled_lowers: bool = False
    """Whether the model is told that unintelligible text lowers the emotion (RLVER's training
    simulator)."""
    manipulation_pays: bool = False
    """Whether a turn in which `manipulation` is detected can raise the emotion. As published
    nothing is detected, so it can; here it cannot."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(f"Cannot have name={self.name!r}: a name is needed")
        for name in ("start", "floor", "ceiling", "success", "content", "fair", "leave"):
            object.__setattr__(self, name, _finite(name, getattr(self, name)))
        for name in ("clamp", "leave_at"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _finite(name, getattr(self, name)))
        for name in ("may_hint_need", "garbled_lowers", "manipulation_pays"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidArgument(
                    f"Cannot have {name}={getattr(self, name)!r}: True or False is needed"
                )
        turns: Any = self.max_turns
        if isinstance(turns, bool) or not (isinstance(turns, int) and 1 <= turns <= 1000):
            raise InvalidArgument(
                f"Cannot have max_turns={turns!r}: an integer from 1 to 1000 is needed"
            )
        self._check_order()

    def _check_order(self) -> None:
        if self.clamp is not None and not (self.clamp >= 1 and self.clamp.is_integer()):
            raise InvalidArgument(
                f"Cannot have clamp={self.clamp:g}: a whole number from 1 up is needed, for the "
                "model reports whole points; None is no limit"
            )
        low = self.leave if self.leave_at is None else self.leave_at
        order = (self.floor, self.leave, self.fair, self.content, self.success, self.ceiling)
        if list(order) != sorted(order) or not self.floor <= low < self.success:
            raise InvalidArgument(
                f"the scale of protocol {self.name!r} is out of order: floor <= leave <= fair <= "
                f"content <= success <= ceiling is needed, got {order}, leave_at={self.leave_at}"
            )
        if self.leaves(self.start) or not self.start < self.success:
            raise InvalidArgument(
                f"Cannot have start={self.start:g}: the talk would have ended before it begins; "
                f"the user leaves at {low:g} and has succeeded at {self.success:g}"
            )

    def label(self, emotion: float) -> str:
        """Return the state that the user is told to be in: S, A, B, C or F.

        >>> [REPORTED["sage-2025"].label(emotion) for emotion in (100, 70, 69, 40, 10, 9)]
        ['S', 'A', 'B', 'B', 'C', 'F']
        """
        steps = (("S", self.success), ("A", self.content), ("B", self.fair), ("C", self.leave))
        return next((label for label, least in steps if emotion >= least), "F")

    def leaves(self, emotion: float) -> bool:
        """Whether a user with this emotion leaves."""
        return emotion < self.leave if self.leave_at is None else emotion <= self.leave_at

    def to_data(self) -> dict[str, Any]:
        """Return the constants as plain JSON data; `read_protocol` is the inverse."""
        return {"kind": "reported", **asdict(self)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> ReportedProtocol:
        """Rebuild a protocol from the constants that a trace holds.

        Raises:
            InvalidArgument: If a constant is missing, unknown or breaks a rule.
        """
        constants = {name: value for name, value in data.items() if name != "kind"}
        return cls(**_all_of(cls, constants))


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidArgument(f"Cannot have {name}={value!r}: a number is needed")
    if not abs(value) <= float_info.max:
        raise InvalidArgument(f"Cannot have {name}={value!r}: a finite number is needed")
    return float(value)


AnyProtocol = Protocol | ReportedProtocol

PROTOCOLS: Final[Mapping[str, Protocol]] = {
    protocol.name: protocol
    for protocol in (
        Protocol(name="appraisal-v1"),
        Protocol(
            name="appraisal-v1-b",
            appraiser="rules-b",
            speaker="templates-b",
            gain=14.0,
            loss=18.5,
            drift=1.1,
            ungrounded=0.1,
            repeated=0.1,
            habit=0.18,
            habit_decay=0.75,
            trust_step=0.12,
            trust_credit=0.25,
            heard_step=0.35,
            met_step=0.5,
            strain_idle=0.08,
            resist=0.1,
            resist_again=0.4,
            any_need=ANY_NEED_B,
            own_need=OWN_NEED_B,
        ),
    )
}
"""The laws by name. `appraisal-v1-b` is for evaluation only: train on it and it is held out
no more."""


REPORTED: Final[Mapping[str, ReportedProtocol]] = {
    protocol.name: protocol
    for protocol in (
        ReportedProtocol(name="sage-2025"),
        # What the released training script runs: the simulator that its paper calls challenging
        # (zzjweb/digitalhuman at 789ccd6, hard_player_simulator_dsv3 and train_rlver.sh), without
        # its defects. Where paper and code disagree the code has it: start 30, 8 turns (the
        # paper's appendix agrees, its text says 10). The clamp is that of the paper's scale and of
        # every other published variant: this one lacks it, one of its defects.
        ReportedProtocol(
            name="rlver-2025",
            start=30.0,
            leave_at=0.0,
            max_turns=8,
            may_hint_need=False,
            garbled_lowers=True,
        ),
    )
}
"""The published protocols by name; docs/protocols.md says what is kept and what is corrected."""


_BY_NAME: Final[Mapping[str, AnyProtocol]] = {**PROTOCOLS, **REPORTED}
NAMES: Final = tuple(_BY_NAME)
"""The names of all protocols."""


def load_protocol(protocol: str | AnyProtocol) -> AnyProtocol:
    """Return a protocol by name, or the value itself.

    Raises:
        UnknownName: If no protocol has the name.
    """
    if isinstance(protocol, (Protocol, ReportedProtocol)):
        return protocol
    if not isinstance(protocol, str) or protocol not in _BY_NAME:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UnknownName.among("protocol", str(protocol), _BY_NAME)
    return _BY_NAME[protocol]


def read_protocol(data: Mapping[str, Any]) -> AnyProtocol:
    """Rebuild either kind of protocol from the constants that a trace holds.

    Raises:
        InvalidArgument: If a constant is missing, unknown or breaks a rule.
    """
    kind = data.get("kind", "appraised")
    if kind == "reported":
        return ReportedProtocol.from_data(data)
    if kind != "appraised":
        raise InvalidArgument(
            f"protocol of kind {kind!r}: there are 'reported', and without a kind those of a law"
        )
    return Protocol.from_data(data)
