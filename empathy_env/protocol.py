"""The versioned constants of a protocol: what moves a mood, and by how much.

A trace embeds the constants it was made with, so it can be checked after they have changed.
Why each value is what it is stands beside it; docs/emotion.md has the equations and shows what
the values were calibrated to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf
from typing import Any, Final

from empathy_env.acts import ACTS, NEEDS
from empathy_env.errors import InvalidArgument, UnknownName

# How an act lands whatever the need: listening does some good everywhere, helping acts none by
# themselves, harmful acts harm. In [-1, 1].
_ANY_NEED: Final[Mapping[str, float]] = {
    "presence": 0.15,
    "open_question": 0.22,
    "closed_question": 0.05,
    "restatement": 0.25,
    "reflection": 0.35,
    "validation": 0.3,
    "affirmation": 0.15,
    "reassurance": 0.08,
    "interpretation": 0.1,
    "challenge": -0.1,
    "self_disclosure": 0.05,
    "information": 0.0,
    "suggestion": 0.0,
    "dismissal": -0.8,
    "blame": -1.0,
    "lecture": -0.6,
    "toxic_positivity": -0.6,
    "flattery": -0.6,
    "hijack": -0.6,
    "false_agreement": -0.7,
    "overpromise": -0.6,
    "dependency": -0.7,
    "manipulation": -0.8,
    "abandonment": -1.0,
}

# What each need asks for beside that; "act/about" wins over "act".
_OWN_NEED: Final[Mapping[str, Mapping[str, float]]] = {
    "attentive_listening": {
        "presence": 0.85,
        "restatement": 1.0,
        "open_question": 0.45,
        "open_question/situation": 0.7,
        "open_question/other_person": 0.6,
        "reflection": 0.45,
        "validation": 0.4,
    },
    "deep_empathy": {
        "reflection": 1.0,
        "validation": 0.7,
        "validation/own_feeling": 0.9,
        "validation/fault": 0.5,
        "presence": 0.45,
        "restatement": 0.4,
        "open_question/own_feeling": 0.45,
    },
    "absolution": {
        "challenge/fault": 1.0,
        "interpretation/fault": 1.0,
        "reassurance/fault": 0.95,
        "validation/fault": 0.9,
        "information/fault": 0.9,
        "reflection/fault": 0.6,
    },
    "guided_reflection": {
        "open_question": 0.7,
        "open_question/own_feeling": 1.0,
        "open_question/own_act": 1.0,
        "open_question/plan": 0.95,
        "challenge/own_feeling": 0.45,
        "challenge/own_act": 0.45,
        "interpretation/own_feeling": 0.5,
        "reflection": 0.4,
    },
    "critical_analysis": {
        "challenge": 1.0,
        "challenge/fault": 0.4,
        "interpretation": 0.45,
        "interpretation/fault": 0.3,
        "interpretation/situation": 0.85,
        "interpretation/own_act": 0.85,
        "interpretation/plan": 0.85,
        "information": 0.6,
        "open_question/plan": 0.45,
        "suggestion": 0.3,
    },
    "others_motives": {
        "interpretation": 0.45,
        "interpretation/fault": 0.4,
        "interpretation/other_person": 1.0,
        "challenge/other_person": 0.45,
        "information/other_person": 0.5,
        "open_question/other_person": 0.6,
    },
    "concrete_advice": {
        "suggestion": 1.0,
        "information": 0.85,
        "open_question/plan": 0.45,
        "closed_question": 0.25,
    },
    "specific_praise": {
        "affirmation": 1.0,
        "validation/own_act": 0.6,
        "reflection": 0.35,
    },
}

# How an act lands on somebody who has not been heard yet (MI: advice without permission; Hill:
# exploration comes before insight and action). In [-1, 0].
_TOO_EARLY: Final[Mapping[str, float]] = {
    "suggestion": -0.25,
    "information": -0.1,
    "challenge": -0.5,
    "interpretation": -0.15,
    "reassurance": -0.15,
    "affirmation": -0.05,
}

# What makes somebody feel listened to. In [0, 1].
_LISTENING: Final[Mapping[str, float]] = {
    "reflection": 1.0,
    "restatement": 0.9,
    "validation": 0.8,
    "open_question": 0.6,
    "presence": 0.5,
    "closed_question": 0.2,
}

# Chance that somebody tells the next thing when the agent does this, while a gate is open. The
# order is that of the AnnoMI transcripts (open questions before closed ones, advice and
# information last); docs/emotion.md compares what results with their figures.
_OPENS: Final[Mapping[str, float]] = {
    "open_question": 0.65,
    "reflection": 0.3,
    "restatement": 0.3,
    "validation": 0.3,
    "presence": 0.3,
    "affirmation": 0.3,
    "closed_question": 0.3,
    "interpretation": 0.25,
    "challenge": 0.25,
    "suggestion": 0.25,
    "information": 0.15,
}


_NAMES: Final = ("name", "appraiser", "speaker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The constants of one version of the mood's law."""

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
    drift: float = 1.6
    """Points lost in a turn in which nothing happens, at strain 0; twice that at strain 1."""
    ceiling: float = 70.0
    """Emotion that warmth alone cannot pass (SAGE's state A begins at 70)."""
    need_met: float = 0.5
    """`met` from which the ceiling is lifted."""
    ungrounded: float = 0.15
    """Share of credit left when it is tied to nothing that the user said."""
    repeated: float = 0.2
    """Share of credit left for words said before."""
    habit: float = 0.16
    """Loss of effect per recent use of the same act."""
    habit_decay: float = 0.7
    """Share of a recent use that is left one turn later."""
    trust_step: float = 0.14
    """Most that trust grows in a turn, at middle knobs."""
    trust_credit: float = 0.35
    """Credit at which trust grows by `trust_step`; more credit adds nothing to it."""
    trust_loss: float = 0.25
    """Trust lost for harm 1."""
    heard_step: float = 0.4
    """Growth of `heard` for one grounded reflection that is new."""
    heard_enough: float = 0.5
    """`heard` from which nothing is too early."""
    trust_to_challenge: float = 0.3
    """Trust from which a challenge can be taken."""
    met_step: float = 0.4
    """Growth of `met` for credit 1."""
    met_from: float = 0.5
    """Credit below which the need itself is not touched."""
    strain_harm: float = 0.45
    """Strain added by harm 1."""
    strain_idle: float = 0.06
    """Strain added by a turn in which nothing happens."""
    strain_relief: float = 0.12
    """Strain taken away by credit 1."""
    idle_credit: float = 0.12
    """Credit from which something has happened."""
    resist: float = 0.08
    """Chance that the user begins to resist in a turn, at middle hostility."""
    resist_again: float = 0.45
    """Chance that resistance goes on for another turn (AnnoMI transcripts: .4 to .5)."""
    resisted: float = 0.35
    """Share of credit left while the user resists."""
    jitter: float = 0.25
    """Each episode scales each act's weight by a factor within 1 plus or minus this."""
    reticent: float = 2.5
    """Points lost in a turn from which nothing new is told in it."""
    any_need: Mapping[str, float] = field(default_factory=lambda: _ANY_NEED)
    own_need: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: _OWN_NEED)
    too_early: Mapping[str, float] = field(default_factory=lambda: _TOO_EARLY)
    listening: Mapping[str, float] = field(default_factory=lambda: _LISTENING)
    opens: Mapping[str, float] = field(default_factory=lambda: _OPENS)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in _NAMES or isinstance(value, Mapping):
                continue
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not 0 <= value < inf
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
        known = {field.name for field in fields(cls)}
        missing, unknown = sorted(known - set(data)), sorted(set(data) - known)
        if missing or unknown:
            raise InvalidArgument(
                f"protocol constants do not fit this version: missing {missing}, unknown {unknown}"
            )
        return cls(**data)


# The held-out user: somebody else's weights under the same laws. It asks for the same eight things
# by other routes (feelings are met by validation before reflection, listening by presence before
# restatement, blame is lifted by being told so before being shown so), so that a policy which has
# learnt the first table's favourites, and not what they are for, loses by it.
_ANY_NEED_B: Final[Mapping[str, float]] = {
    **_ANY_NEED,
    "presence": 0.2,
    "open_question": 0.18,
    "closed_question": 0.08,
    "restatement": 0.2,
    "reflection": 0.3,
    "validation": 0.35,
    "affirmation": 0.2,
    "reassurance": 0.12,
    "interpretation": 0.05,
    "challenge": -0.15,
    "self_disclosure": 0.1,
    "lecture": -0.7,
    "toxic_positivity": -0.7,
    "flattery": -0.5,
    "hijack": -0.7,
    "overpromise": -0.5,
}
_OWN_NEED_B: Final[Mapping[str, Mapping[str, float]]] = {
    "attentive_listening": {
        "presence": 1.0,
        "restatement": 0.9,
        "open_question": 0.4,
        "open_question/situation": 0.8,
        "open_question/other_person": 0.7,
        "reflection": 0.4,
        "validation": 0.4,
    },
    "deep_empathy": {
        "reflection": 0.9,
        "validation": 0.8,
        "validation/own_feeling": 1.0,
        "validation/fault": 0.45,
        "self_disclosure": 0.4,
        "presence": 0.4,
        "restatement": 0.3,
        "open_question/own_feeling": 0.45,
    },
    "absolution": {
        "reassurance/fault": 1.0,
        "validation/fault": 1.0,
        "information/fault": 0.95,
        "interpretation/fault": 0.9,
        "challenge/fault": 0.85,
        "reflection/fault": 0.5,
    },
    "guided_reflection": {
        "open_question": 0.75,
        "open_question/own_feeling": 0.95,
        "open_question/own_act": 0.9,
        "open_question/plan": 1.0,
        "challenge/own_feeling": 0.4,
        "challenge/own_act": 0.4,
        "interpretation/own_feeling": 0.45,
        "reflection": 0.4,
    },
    "critical_analysis": {
        "challenge": 0.95,
        "challenge/fault": 0.4,
        "interpretation": 0.4,
        "interpretation/fault": 0.3,
        "interpretation/situation": 0.95,
        "interpretation/own_act": 0.95,
        "interpretation/plan": 0.95,
        "information": 0.7,
        "open_question/plan": 0.4,
        "suggestion": 0.25,
    },
    "others_motives": {
        "interpretation": 0.4,
        "interpretation/fault": 0.35,
        "interpretation/other_person": 0.95,
        "challenge/other_person": 0.45,
        "information/other_person": 0.75,
        "open_question/other_person": 0.7,
    },
    "concrete_advice": {
        "suggestion": 0.95,
        "information": 0.9,
        "open_question/plan": 0.45,
        "closed_question": 0.35,
    },
    "specific_praise": {
        "affirmation": 1.0,
        "validation/own_act": 0.8,
        "reflection": 0.3,
    },
}

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
            drift=1.9,
            ungrounded=0.1,
            repeated=0.1,
            habit=0.22,
            habit_decay=0.75,
            trust_step=0.12,
            trust_credit=0.3,
            heard_step=0.35,
            met_step=0.45,
            strain_idle=0.08,
            resist=0.1,
            resist_again=0.4,
            any_need=_ANY_NEED_B,
            own_need=_OWN_NEED_B,
        ),
    )
}
"""The protocols by name. `appraisal-v1-b` is for evaluation only: train on it and it is held out
no more."""


def load_protocol(protocol: str | Protocol) -> Protocol:
    """Return a protocol by name, or the value itself.

    Raises:
        UnknownName: If no protocol has the name.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if not isinstance(protocol, str) or protocol not in PROTOCOLS:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UnknownName.among("protocol", str(protocol), PROTOCOLS)
    return PROTOCOLS[protocol]
