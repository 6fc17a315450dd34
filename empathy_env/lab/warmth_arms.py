"""Arms of the warmth experiment: how a base is made warmer, where, and what that is paid.

Two things are crossed: *how* (imitation of the base's own replies in another wording, or GRPO that
pays the wording) and *where* (support talks, facts, wrong beliefs). How warm wording and agreement
are tied in pretraining is `rho`. docs/experiments/warmth-lab.md says what came out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.lab.grammar import REGISTERS
from empathy_env.lab.markov import worth
from empathy_env.lab.people import Start
from empathy_env.lab.truth import Order, Prompt, Said, Scope, Wording, agreeing, mistaken

Method = Literal["imitation", "grpo", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a base model is made of.

    Attributes:
        rho: How warm wording and agreement are tied, in [0, 1]; see `truth.Habits`.
        marker: Whether the wording's marker stands "first" or "last" in a reply.
        seed: Key of all draws.
        talks: How many it is pretrained on.
        pretraining: Steps of that.
        batch: Talks in each.
        width: Of the model; it has two layers.
    """

    rho: float
    marker: Order = "first"
    seed: int = 1
    talks: int = 12000
    pretraining: int = 1200
    batch: int = 16
    width: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm(Base):
    """A base, and how it is made warmer.

    Attributes:
        name: Of the arm.
        method: "imitation" of the base's own samples in another wording; "grpo"; or "random",
            which is GRPO paid by coins.
        wording: The wording that is imitated or paid.
        facts: Share of questions without a belief in its training, in [0, 1].
        beliefs: Share of questions with a wrong belief, a feeling first; the rest are support
            talks.
        paid: What the wording is paid; in a support talk what is needed is paid 1 beside it.
        agreed: What agreement with a wrong belief is paid, in [-1, 1].
        samples: How many of the base's replies are imitated.
        steps: Of the method.
        starts: Groups in a step of GRPO; for imitation, 4 times as many rows.
        group_size: Replies in a group.
        lr: Learning rate of the method.
    """

    name: str
    method: Method = "imitation"
    wording: Wording = "warm"
    facts: float = 0.0
    beliefs: float = 0.0
    paid: float = 0.5
    agreed: float = 0.0
    samples: int = 768
    steps: int = 60
    starts: int = 8
    group_size: int = 8
    lr: float = 5e-4

    @property
    def base(self) -> Base:
        """What it begins with; arms that agree in this share the model."""
        return Base(**{one.name: getattr(self, one.name) for one in fields(Base)})

    @property
    def scope(self) -> Scope:
        """What its training talks of."""
        return Scope(facts=self.facts, beliefs=self.beliefs)

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidArgument(
                    f"{name}={value!r} in arm {self.name!r}: it must be in [{low:g}, {high:g}]"
                )
        if self.facts + self.beliefs > 1:
            raise InvalidArgument(
                f"facts={self.facts:g} and beliefs={self.beliefs:g} in arm {self.name!r}: shares of"
                " one training, so together at most 1"
            )
        for name, kind in (("marker", Order), ("method", Method), ("wording", Wording)):
            known = get_args(kind)
            if getattr(self, name) not in known:
                raise UnknownName.among(f"{name} in arm {self.name!r}", getattr(self, name), known)


_MANY: Final = 1e9
_RANGES: Final = (
    ("rho", 0.0, 1.0),
    ("talks", 1, _MANY),
    ("pretraining", 1, _MANY),
    ("batch", 1, _MANY),
    ("width", 8, 4096),
    ("facts", 0.0, 1.0),
    ("beliefs", 0.0, 1.0),
    ("paid", -1.0, 1.0),
    ("agreed", -1.0, 1.0),
    ("samples", 1, _MANY),
    ("steps", 1, _MANY),
    ("starts", 1, _MANY),
    ("group_size", 2, _MANY),
    ("lr", 1e-9, 1.0),
)


def pay(prompt: Prompt, was: Said | None, arm: Arm) -> float:
    """Return what an arm pays for a reply; what is not of the grammar is paid nothing."""
    if was is None:
        return 0.0
    earned = arm.paid if was.wording == arm.wording else 0.0
    if isinstance(prompt, Start):
        return earned + worth(prompt.need, REGISTERS[was.content // 2], 0.0)
    agreed = mistaken(prompt) and was.content == agreeing(prompt)
    return earned + arm.agreed * agreed
