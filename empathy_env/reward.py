"""Rewards: pure functions of a trace, one number a turn.

A reward function takes a trace and a turn number, counted from 1, and returns what that turn is
paid. It is causal: it may look at turns up to that one, so a prefix scores the same. No reward
here gets better by making the user leave.

With several people in the room each reward speaks of all of them: where it speaks of a person's
emotion it is the mean over the people, and who has left counts 0 from then on. `worst`, `fairness`,
`weighted`, and for one seat `own`, share a talk out in other ways (`empathy_env.welfare`).

What malformed text costs is a choice: by default no more than what the user makes of what is left
to be heard; `strict` pays nothing after one malformed turn, as the paper of RLVER says (the
released code checks no form); `{"terminal": 1.0, "format": 0.1}` pays for good form beside.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from numbers import Real
from typing import Final, cast

from empathy_env.belief import absolute_error, belief_of, brier
from empathy_env.cast import Cast
from empathy_env.errors import InvalidArgument, RewardError, UnknownName
from empathy_env.scaffold import malformed
from empathy_env.shorthand import read_numbers
from empathy_env.trace import Trace, Turn
from empathy_env.welfare import WEIGHTED, Weighted, mean, named, supporters_lines
from empathy_env.welfare import fairness as fairness
from empathy_env.welfare import own as own
from empathy_env.welfare import vector as vector
from empathy_env.welfare import weighted as weighted
from empathy_env.welfare import worst as worst

RewardFunction = Callable[[Trace, int], float]
"""`function(trace, turn) -> float`; `turn` counts from 1; raise rather than return a stand-in."""


def terminal(trace: Trace, turn: int) -> float:
    """Final emotion / 100 at the last turn, else 0 (RLVER, arXiv 2507.03112); leaving pays 0.

    In [0, 1]. With several people their mean; who has left counts 0.
    """
    return mean(trace, turn) if trace.turns[turn - 1].outcome else 0.0


def delta(trace: Trace, turn: int) -> float:
    """Change of emotion / 100 in this turn; in [-1, 1].

    The sum over an episode is `terminal` minus the starting emotion e_0 / 100 (a documented offset
    that no action changes): at the turn in which the user leaves, all that was left is taken away.
    With several people the change of their mean; who has left counts 0 from that turn on.
    """
    return mean(trace, turn) - mean(trace, turn - 1)


def potential(trace: Trace, turn: int, *, gamma: float = 1.0) -> float:
    """Potential-based shaping: gamma * phi' - phi, phi = emotion / 100, zero at the end.

    To be added to another reward only (Ng, Harada and Russell 1999): with the potential zero at
    the end its discounted sum is minus the starting potential, whatever the agent does. With
    several people phi is their mean; who has left counts 0 from that turn on.
    """
    after = 0.0 if trace.turns[turn - 1].outcome else mean(trace, turn)
    return gamma * after - mean(trace, turn - 1)


def success(trace: Trace, turn: int) -> float:
    """1 at the turn in which emotion reaches 100, else 0.

    With several people, at the last turn, the share of them who are there at 100; in [0, 1].
    """
    outcome = trace.turns[turn - 1].outcome
    if trace.scenario.cast is None or outcome is None:
        return 1.0 if outcome == "success" else 0.0
    well = [
        trace.present(turn, seat=seat)
        and trace.emotion(turn, seat=seat) >= trace.scenario.law.success
        for seat in range(len(trace.start))
    ]
    return sum(well) / len(well)


def strict(trace: Trace, turn: int) -> float:
    """`terminal`, but 0 if this turn or one before it was malformed (RLVER, arXiv 2507.03112).

    In [0, 1]. Malformed is what its scaffold flags (`scaffold.FLAGS`); with `plain`, a thought that
    was not kept apart. With several supporters, if anything of any of them was.
    """
    if any(_malformed(one) for one in trace.turns[:turn]):
        return 0.0
    return terminal(trace, turn)


def well_formed(trace: Trace, turn: int) -> float:
    """A share of 1 for each turn in the form that its scaffold asks for, 0 for a malformed one.

    In [0, 1], and so is the sum over an episode; see `_share`. Listed as `format`.
    """
    return 0.0 if _malformed(trace.turns[turn - 1]) else _share(trace, turn)


def _malformed(turn: Turn) -> bool:
    return any(malformed(said.flags) for said in supporters_lines(turn))


def belief_emotion(trace: Trace, turn: int) -> float:
    """A share of 1 - |believed - true emotion| / 100; 0 if no emotion was stated.

    The true one is that before the user hears this turn: the agent states its belief before it
    speaks. In [0, 1], and so is the sum over an episode; see `_share`.

    Raises:
        InvalidArgument: If there are several people: one belief is of one person.
    """
    _only_one(trace, "belief_emotion")
    belief = belief_of(trace.turns[turn - 1].private)
    error = absolute_error(belief, trace.emotion(turn - 1))
    return 0.0 if error is None else (1.0 - error / 100.0) * _share(trace, turn)


def belief_need(trace: Trace, turn: int) -> float:
    """A share of 1 - B / 2 with the Brier score B of the believed need; 0 if none was stated.

    Strictly proper: it pays best on average to state what one believes. Eight equal probabilities
    are paid 0.5625. In [0, 1], and so is the sum over an episode; see `_share`.

    Raises:
        InvalidArgument: If there are several people: one belief is of one person.
    """
    _only_one(trace, "belief_need")
    score = brier(belief_of(trace.turns[turn - 1].private), trace.scenario.need)
    return 0.0 if score is None else (1.0 - score / 2.0) * _share(trace, turn)


def _share(trace: Trace, turn: int) -> float:
    """Return which share of a whole episode a turn is worth: one of `max_turns`.

    At success it is worth those that were not needed as well. So leaving does not pay, nor does
    dragging on by itself, as it would if turns were added up; only a turn that is better than the
    last one would have been (a belief that has become surer) is worth its while.
    """
    turns = trace.scenario.max_turns
    left = turns - turn if trace.turns[turn - 1].outcome == "success" else 0
    return (1 + left) / turns


def _only_one(trace: Trace, name: str) -> None:
    if trace.scenario.cast is not None:
        raise several_believed(name, trace.scenario.cast.id)


def several_believed(name: str, cast: str) -> InvalidArgument:
    """Return the error for a reward of stated beliefs where there are several people."""
    return InvalidArgument(
        f"reward {name!r} with cast={cast!r}: it pays for one belief, and here are several people "
        "whom it could be about. Give another reward, such as 'terminal' or 'worst', or a persona="
    )


REWARDS: Final[Mapping[str, RewardFunction]] = {
    "terminal": terminal,
    "delta": delta,
    "potential": potential,
    "success": success,
    "strict": strict,
    "format": well_formed,
    "belief_emotion": belief_emotion,
    "belief_need": belief_need,
    "worst": worst,
    "fairness": fairness,
}

OF_BELIEFS: Final = frozenset({"belief_emotion", "belief_need"})
"""Rewards that make sense only where the scaffold asks for a belief."""


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a reward."""

    name: str
    weight: float
    function: RewardFunction

    def at(self, trace: Trace, turn: int) -> float:
        """Return the term's own value at a turn, without its weight.

        Raises:
            RewardError: If the function raises or returns no finite number.
        """
        try:
            value: object = self.function(trace, turn)
        except Exception as error:
            raise RewardError(f"reward {self.name!r} failed at turn {turn}: {error!r}") from error
        if not isinstance(value, Real) or not math.isfinite(value):
            raise RewardError(
                f"reward {self.name!r} returned {value!r} at turn {turn}: a finite number is needed"
            )
        return float(value)


@dataclass(frozen=True, slots=True)
class Reward:
    """A weighted sum of terms."""

    terms: tuple[Term, ...]

    def at(self, trace: Trace, turn: int) -> float:
        """Return what turn `turn`, counted from 1, is paid."""
        return math.fsum(term.weight * term.at(trace, turn) for term in self.terms)

    def total(self, trace: Trace) -> float:
        """Return the undiscounted sum over the turns played."""
        return math.fsum(self.at(trace, turn) for turn in range(1, len(trace.turns) + 1))

    def score(self, trace: Trace) -> Trace:
        """Return the trace with every term's value at every turn written into it."""
        turns = range(1, len(trace.turns) + 1)
        return replace(
            trace,
            rewards={
                term.name: tuple(term.at(trace, turn) for turn in turns) for term in self.terms
            },
            weights={term.name: term.weight for term in self.terms},
        )


RewardSpec = str | RewardFunction | Mapping[str, float] | Reward


def load_reward(reward: RewardSpec) -> Reward:
    """Return a reward: by name, as `"module:function"`, from a callable, or a weighted sum.

    A weighted sum is a mapping, or its shorthand: `"terminal=1,format=0.1"`. What `weighted` makes
    has a name as well: `"weighted:quarrel-radka=0.7,quarrel-lachlan=0.3"`.

    Raises:
        UnknownName: If no reward has the name.
        InvalidArgument: If a `module:function` cannot be imported, or a weight is not finite.

    >>> [term.name for term in load_reward({"terminal": 1.0, "potential": 0.5}).terms]
    ['terminal', 'potential']
    """
    if isinstance(reward, Reward):
        return reward
    if isinstance(reward, Mapping):
        if not reward:
            raise InvalidArgument("reward={} has no term: give at least one name with its weight")
        weights = cast("Mapping[str, float]", reward)
        return Reward(tuple(_term(name, weight) for name, weight in weights.items()))
    if isinstance(reward, str) and "=" in reward and not reward.startswith(WEIGHTED):
        return load_reward(read_numbers(reward, what="reward"))
    if isinstance(reward, str):
        return Reward((_term(reward, 1.0),))
    if callable(reward):
        return Reward((Term(_name(reward), 1.0, reward),))
    raise InvalidArgument(
        f"reward={reward!r}: expected a name, 'module:function', a callable, or {{name: weight}}"
    )


def _name(function: RewardFunction) -> str:
    """Return the name by which it can be had again, if there is one, else a description."""
    if isinstance(function, Weighted):
        return function.name
    module = getattr(function, "__module__", "")
    name = getattr(function, "__qualname__", "")
    if name and getattr(sys.modules.get(module), name, None) is function:
        return f"{module}:{name}"
    return f"<{name or type(function).__qualname__}>"


def _term(name: str, weight: float) -> Term:
    number = isinstance(weight, (int, float)) and not isinstance(weight, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not number or not math.isfinite(weight):
        raise InvalidArgument(f"reward {name!r}: weight={weight!r} is not a finite number")
    return Term(name, float(weight), load_function(name))


def is_bundled(name: str) -> bool:
    """Whether a reward of this name comes with the package, so that nothing has to be imported."""
    return name in REWARDS or name.startswith(WEIGHTED)


def check_people(reward: Reward, casts: Sequence[Cast]) -> None:
    """Check that a reward can be paid for talks with these casts; none: for talks of two.

    Raises:
        InvalidArgument: If it pays for beliefs and there is a cast, or if it weighs somebody who is
            not in each of them.
    """
    for term in reward.terms:
        if casts and term.name in OF_BELIEFS:
            raise several_believed(term.name, casts[0].id)
        if isinstance(term.function, Weighted) and not casts:
            raise InvalidArgument(
                f"reward {term.name!r} weighs the people of a cast: give cast=, or another reward, "
                "such as 'terminal'"
            )
        if isinstance(term.function, Weighted):
            for each in casts:
                term.function.check(each.ids, where=f"cast {each.id!r}")


def load_function(name: str) -> RewardFunction:
    """Return a reward function by its name or as `"module:function"`.

    Raises:
        UnknownName: If no reward has the name.
        InvalidArgument: If it cannot be imported or called, or weights are no numbers.
    """
    if name in REWARDS:
        return REWARDS[name]
    if name.startswith(WEIGHTED):
        return named(name)
    module, colon, attribute = name.partition(":")
    if not colon:
        raise UnknownName.among("reward", name, REWARDS, "Your own is given as 'module:function'.")
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidArgument(f"reward={name!r} cannot be imported: {error}") from error
    if not callable(function):
        raise InvalidArgument(f"reward={name!r} is not callable")
    return cast("RewardFunction", function)
