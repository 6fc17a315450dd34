"""How much chance a policy leaves: in the next token, and in what it does.

The two need not move together. A policy can say one thing in ever more ways (token entropy up,
register entropy down; Wu et al. 2025, arXiv 2507.14843, saw it in answers) or mix its acts as
before in fixed phrases. They are given side by side, in nats.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import Interval, ends_known, percentiles, redraws

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Spoken:
    """What one talk says of the policy's chance.

    Attributes:
        persona: The cluster to which the talk belongs.
        surprises: For each sampled token minus its log-probability under the policy that sampled
            it, nats, at least 0; or the exact entropy of the distribution that it was drawn from,
            which has the same mean and less scatter. Not a mixture of both.
        acts: What the agent did, one name for each act of the talk (its register).
    """

    persona: str
    surprises: tuple[float, ...]
    acts: tuple[str, ...]

    def __post_init__(self) -> None:
        if not all(-1e-4 <= value < math.inf for value in self.surprises):
            raise InvalidArgument(
                "surprises hold a value below 0 or not finite: give minus the log-probability of "
                "each token that was sampled"
            )


class Entropies(NamedTuple):
    """Entropy in nats, at two levels, each with an interval over personas.

    Attributes:
        token: Mean of a sampled token. `size` counts tokens. NaN if there is none.
        register: Of the mix of acts over all talks, in [0, ln of the number of acts] but for the
            correction. `size` counts acts. NaN if there is none.
    """

    token: Interval
    register: Interval


def entropies(
    talks: Sequence[Spoken], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Entropies:
    """Return the entropy of a policy at the level of tokens and of registers.

    The mean of -log p over sampled tokens is unbiased for the mean entropy of the distributions
    that they were drawn from. The entropy of the mix of acts is that of the shares plus Miller and
    Madow's correction, (acts seen - 1) / (2 acts), as shares of few acts look less mixed than they
    are (Miller 1955).

    When not to use it: across temperatures or tokenisers. Token entropy is over the tokens that
    came, so a policy of long replies weighs what it says late. The correction takes acts for
    independent; those of one talk are not, and with fewer than about ten acts for each name the
    register entropy is still too low. It is of the pooled mix: a policy that does one thing with
    one persona and another with the next has some.

    Args:
        talks: At least one.
        level: Coverage, in (0, 1). Fewer than eight personas make it too narrow.
        resamples: How many resamples.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no talk.

    >>> talk = Spoken("widower", surprises=(0.2, 0.4), acts=("validation", "suggestion"))
    >>> found = entropies([talk])
    >>> round(found.token.mean, 3), round(found.register.mean, 3)
    (0.3, 0.943)
    """
    table = _table(talks, _names(talks), _personas(talks))
    counts = redraws(len(table.tokens), resamples, seed)
    return _both(_figures(table, np.ones(len(table.tokens))), _each(table, counts), table, level)


def entropy_change(
    base: Sequence[Spoken],
    trained: Sequence[Spoken],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Entropies:
    """Return the entropies of the trained policy less those of its base, of the same personas.

    Personas are resampled for both together, so that what differs between personas is not in the
    interval. What `entropies` says of its use holds here; both policies at one temperature.

    Raises:
        InvalidArgument: If there is no talk, or the personas differ.
    """
    personas = _personas(base)
    if personas != _personas(trained):
        odd = min(set(personas) ^ set(_personas(trained)))
        raise InvalidArgument(
            f"{odd!r} is among the personas of one of base and trained only: give talks of the same"
        )
    names = sorted({*_names(base), *_names(trained)})
    before, after = (_table(talks, names, personas) for talks in (base, trained))
    counts = redraws(len(personas), resamples, seed)
    ones = np.ones(len(personas))
    return _both(
        _figures(after, ones) - _figures(before, ones),
        _each(after, counts) - _each(before, counts),
        after,
        level,
    )


class _Table(NamedTuple):
    """For each persona (rows) sums of surprises, how many tokens, and how often each act."""

    surprises: Numbers
    tokens: Numbers
    acts: Numbers


def _names(talks: Iterable[Spoken]) -> list[str]:
    return sorted({act for talk in talks for act in talk.acts})


def _personas(talks: Sequence[Spoken]) -> list[str]:
    if not talks:
        raise InvalidArgument("there is no talk: give at least one")
    return sorted({talk.persona for talk in talks})


def _table(talks: Sequence[Spoken], names: Sequence[str], personas: Sequence[str]) -> _Table:
    surprises: Mapping[str, list[float]] = {name: [] for name in personas}
    acts: Mapping[str, Counter[str]] = {name: Counter() for name in personas}
    for talk in talks:
        surprises[talk.persona].extend(talk.surprises)
        acts[talk.persona].update(talk.acts)
    return _Table(
        np.array([math.fsum(surprises[name]) for name in personas]),
        np.array([len(surprises[name]) for name in personas], dtype=np.float64),
        np.array([[acts[name][act] for act in names] for name in personas], dtype=np.float64),
    )


def _figures(table: _Table, counts: Numbers) -> Numbers:
    """Return token and register entropy of personas taken so often each."""
    tokens, acts = float(counts @ table.tokens), counts @ table.acts
    token = float(counts @ table.surprises) / tokens if tokens else math.nan
    return np.array([token, _miller_madow(acts)])


def _each(table: _Table, counts: Numbers) -> Numbers:
    return np.array([_figures(table, one) for one in counts])


def _miller_madow(acts: Numbers) -> float:
    seen, total = acts[acts > 0.0], float(acts.sum())
    if not total:
        return math.nan
    shares = seen / total
    return float(-(shares * np.log(shares)).sum() + (len(seen) - 1) / (2.0 * total))


def _both(figures: Numbers, drawn: Numbers, table: _Table, level: float) -> Entropies:
    token, register = (
        ends_known(percentiles(float(figure), column, int(size), level=level), len(table.tokens))
        for figure, column, size in zip(
            figures, drawn.T, (table.tokens.sum(), table.acts.sum()), strict=True
        )
    )
    return Entropies(token, register)
