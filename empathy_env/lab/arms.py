"""One arm of an experiment: what is pretrained, how it is trained, and what is measured of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from hashlib import blake2b
from itertools import product
from typing import Any, Final, Literal, TypeVar, cast, get_args

from empathy_env.difficulty import load_difficulty
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.lab.grammar import NEEDS, PEOPLE

A = TypeVar("A")
WorldName = Literal["environment", "bandit", "markov"]
Method = Literal["grpo", "random", "replay", "imitation", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a base model is made of.

    Attributes:
        world: Where its talks are from: "environment"; "bandit", the anchor of one turn; or
            "markov", three turns with a person of five moods.
        dose: Share of the agents' turns that are of the target register, in [0, 1].
        withheld: With so many of the other persons the target never occurs, from 0 to 8.
        thoughts: Share of turns in which the agents first note what is needed, in [0, 1]; bandit.
        tied: How far the target is tied to such a thought, in [0, 1], at the same dose.
        seed: Key of all draws.
        talks: How many it is pretrained on.
        pretraining: Steps of that.
        batch: Talks in each.
        width: Of the model; it has two layers.
    """

    world: WorldName = "environment"
    dose: float = 0.1
    withheld: int = 0
    thoughts: float = 0.0
    tied: float = 0.0
    seed: int = 1
    talks: int = 8000
    pretraining: int = 1000
    batch: int = 32
    width: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm(Base):
    """A base, and what is done with it.

    Attributes:
        name: Of the comparison that it belongs to.
        credit: What validation, the safe alternative, is paid where something else is needed, in
            [0, 1].
        difficulty: Preset of the users; other worlds than the environment have none.
        think: "yes" if the agent is made to think before it speaks, "no" if to speak at once; of
            bases with thoughts.
        method: "grpo"; "random", which is GRPO paid by coins; "replay", more of the pretraining;
            "imitation" of talks in which all is done right; or "none".
        demonstrations: So many such talks for the target's need are imitated before GRPO.
        coverage: How many of the four needs demonstrations show, for "imitation"; the target's
            comes last.
        steps: Of the method.
        starts: Groups in a step of GRPO.
        group_size: Talks in a group.
        lr: Learning rate of the method.
        kl: Weight of the KL to the base.
        evaluated: Starts that are evaluated.
        samples: Talks from each.
        counted: In so many turns of the base it is counted how often the target is appraised,
            whatever the words: a bound where its own sentences have all but no chance.
    """

    name: str
    credit: float = 0.0
    difficulty: str = "moderate"
    think: Literal["", "yes", "no"] = ""
    method: Method = "grpo"
    demonstrations: int = 0
    coverage: int = 4
    steps: int = 120
    starts: int = 8
    group_size: int = 16
    lr: float = 5e-4
    kl: float = 0.0
    evaluated: int = 32
    samples: int = 64
    counted: int = 0

    @property
    def anchored(self) -> bool:
        """Whether the elicitation ladder applies: to a bandit whose agents speak at once."""
        return self.world == "bandit" and not self.thoughts

    @property
    def base(self) -> Base:
        """What it begins with; arms that agree in this share the model."""
        return Base(**{one.name: getattr(self, one.name) for one in fields(Base)})

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidArgument(
                    f"{name}={value!r} in arm {self.name!r}: it must be in [{low:g}, {high:g}]"
                )
        if self.width % _HEADS:
            raise InvalidArgument(
                f"width={self.width} in arm {self.name!r}: it must be a multiple of {_HEADS}, the "
                "number of attention heads"
            )
        for name, known in (("world", get_args(WorldName)), ("method", get_args(Method))):
            if getattr(self, name) not in known:
                raise UnknownName.among(f"{name} in arm {self.name!r}", getattr(self, name), known)
        load_difficulty(self.difficulty)
        self._check_thoughts()

    def _check_thoughts(self) -> None:
        if self.think not in ("", "yes", "no"):
            raise InvalidArgument(f"think={self.think!r} in arm {self.name!r}: it is 'yes' or 'no'")
        if bool(self.think) != (self.thoughts > 0):
            raise InvalidArgument(
                f"think={self.think!r} in arm {self.name!r}, with thoughts={self.thoughts:g}: give "
                "think where the base has thoughts, and there alone"
            )
        if self.tied and (not self.thoughts or self.dose > 0.25):
            raise InvalidArgument(
                f"tied={self.tied:g} in arm {self.name!r}, with thoughts={self.thoughts:g} and "
                f"dose={self.dose:g}: give thoughts above 0, and a dose of at most 0.25 (of four "
                "needs one is the target's, so a tied target has no room for more)"
            )
        if self.think == "no" and self.thoughts == 1:
            raise InvalidArgument(
                f"think='no' in arm {self.name!r}, with thoughts=1: a base that always thinks was "
                "never shown how to speak at once; give thoughts below 1"
            )
        plain = self.method in ("imitation", "replay") or self.demonstrations
        if self.thoughts and (self.world != "bandit" or plain):
            raise InvalidArgument(
                f"thoughts={self.thoughts:g} in arm {self.name!r}: only the bandit has thoughts, "
                "and neither demonstrations, imitation nor replay"
            )


_HEADS: Final = 4
"""Of attention, in `lab.model`, which needs torch."""
_MANY: Final = 1e9
_RANGES: Final = (
    ("dose", 0.0, 1.0),
    ("withheld", 0, len(PEOPLE)),
    ("seed", 0, _MANY),
    ("thoughts", 0.0, 1.0),
    ("tied", 0.0, 1.0),
    ("talks", 1, _MANY),
    ("pretraining", 1, _MANY),
    ("batch", 1, _MANY),
    ("width", 8, 4096),
    ("credit", 0.0, 1.0),
    ("demonstrations", 0, _MANY),
    ("coverage", 1, len(NEEDS)),
    ("steps", 1, _MANY),
    ("starts", 1, _MANY),
    ("group_size", 2, _MANY),
    ("lr", 1e-9, 1.0),
    ("kl", 0.0, _MANY),
    ("evaluated", len(NEEDS), _MANY),
    ("samples", 1, _MANY),
    ("counted", 0, _MANY),
)


def key_of(value: Any) -> str:
    """Return a name that depends on every field of a base or an arm, and on nothing else.

    Fields at their defaults are left out, so results stay known when there are more fields.
    """
    given = {
        one.name: getattr(value, one.name)
        for one in fields(value)
        if getattr(value, one.name) != one.default
    }
    text = json.dumps(given, sort_keys=True).encode()
    return blake2b(text, digest_size=8).hexdigest()


def arms_of(data: object) -> list[Arm]:
    """Return the arms of an experiment of the prior lab: see `listed`.

    >>> [arm.dose for arm in arms_of({"arms": [{"name": "dose", "dose": [0.0, 0.1]}]})]
    [0.0, 0.1]
    """
    return listed(data, Arm)


def listed(data: object, kind: type[A]) -> list[A]:
    """Return the arms of an experiment, each once.

    Args:
        data: A mapping with "arms", a list of mappings, and optionally "all", a mapping with what
            they have in common. A list as a value stands for one arm with each of its entries; of
            several lists all combinations are taken.
        kind: Dataclass of an arm; its fields are whole numbers, numbers or text.

    Raises:
        InvalidArgument: If something is missing or out of range.
        UnknownName: If a field does not exist.
    """
    if not isinstance(data, Mapping):
        raise InvalidArgument("an experiment is a mapping with 'arms', a list of mappings")
    parts = cast("Mapping[str, Any]", data)
    for name in parts:
        if name not in ("all", "arms"):
            raise UnknownName.among("part of an experiment", str(name), ("all", "arms"))
    shared, given = cast(object, parts.get("all") or {}), parts.get("arms")
    if not isinstance(shared, Mapping) or not isinstance(given, list):
        raise InvalidArgument("an experiment has 'arms', a list of mappings, and may have 'all'")
    for number, one in enumerate(cast("list[object]", given)):
        if not isinstance(one, Mapping):
            raise InvalidArgument(f"arms[{number}]={one!r}: an arm is a mapping, with a name")
    common, each = cast("Mapping[str, Any]", shared), cast("list[Mapping[str, Any]]", given)
    found = [arm for one in each for arm in _expanded({**common, **one}, kind)]
    return list({key_of(arm): arm for arm in found}.values())


def _expanded(given: Mapping[str, Any], kind: type[A]) -> list[A]:
    known = {one.name: one for one in fields(cast("Any", kind))}
    for name in given:
        if name not in known:
            raise UnknownName.among("field of an arm", str(name), known)
    for name, one in known.items():
        if one.default is MISSING and name not in given:
            raise InvalidArgument(f"an arm has no {name!r}: {dict(given)}")
    lists: list[list[Any]] = [v if isinstance(v, list) else [v] for v in given.values()]
    return [
        kind(**{n: _typed(n, known[n].type, v) for n, v in zip(given, values, strict=True)})
        for values in product(*lists)
    ]


def _typed(name: str, kind: Any, value: object) -> Any:
    """Return a value of YAML as the field's type; a whole number may stand for any number."""
    if kind == "float" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    wanted = {"int": int, "float": float}.get(str(kind), str)
    if isinstance(value, bool) or not isinstance(value, wanted):
        bare = isinstance(value, bool) and wanted is str
        quotes = ", in quotes (YAML takes a bare yes or no for a truth)" if bare else ""
        raise InvalidArgument(f"{name}={value!r}: expected {wanted.__name__}{quotes}")
    return value
