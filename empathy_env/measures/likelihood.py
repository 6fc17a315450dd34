"""What one policy thinks of what another said: divergence, known successes, ranks of surprise.

All figures are of log-probabilities in nats that two policies give to the same sampled tokens, each
after the same history. They are those of the distribution that was sampled from, at its temperature
and with its cuts (top-p): scores at another temperature are scores of another policy. What the user
says has the same chance under both policies and cancels, so only the agent's tokens are scored.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import (
    Interval,
    cluster_bootstrap,
    ends_known,
    percentiles,
    redraws,
)

K = TypeVar("K")
Numbers = NDArray[np.float64]
ROUNDING: Final = 1e-4
"""A log-probability may be this far above 0, by rounding in the model."""
LEAST_LOG: Final = -700.0
"""Nats. Nothing that was sampled is as rare as this; so low a score belongs to other tokens."""
LEAST_PEERS: Final = 5
"""With fewer replies to stand among, a rank is too coarse to be told."""


@dataclass(frozen=True)
class ScoredTalk:
    """One talk, sampled from one policy (its own) and scored by another.

    Attributes:
        persona: The cluster to which the talk belongs.
        own: Log-probability of each token of the agent, turn after turn, under the policy that
            sampled it; nats, in [-700, 0].
        other: The same under the other policy; nats, in [-inf, 0], where -inf is impossible.

    Raises:
        InvalidArgument: If lengths differ, there is no token, or a value is outside its range.

    >>> ScoredTalk("widower", own=(-0.5, -0.1), other=(-0.7, -2.3)).log_ratio
    -2.4
    """

    persona: str
    own: tuple[float, ...]
    other: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.own or len(self.own) != len(self.other):
            raise InvalidArgument(
                f"own has {len(self.own)} tokens and other {len(self.other)}: score the same "
                "tokens, at least one, under both policies"
            )
        for name, scores, least in (("own", self.own, LEAST_LOG), ("other", self.other, -math.inf)):
            for score in scores:
                _check_score(name, score, least)

    @property
    def log_ratio(self) -> float:
        """Log-probability of the agent's part under the other policy, less that under its own."""
        return math.fsum(self.other) - math.fsum(self.own)


def _check_score(name: str, score: float, least: float) -> None:
    if not least <= score <= ROUNDING:  # NaN too
        raise InvalidArgument(
            f"{name}={score:g} is outside [{least:g}, 0]. Give natural logarithms of probabilities "
            "of single sampled tokens"
        )


def sampled_only(
    persona: str, own: Sequence[float], other: Sequence[float], *, sampled: Sequence[bool]
) -> ScoredTalk:
    """Return a scored talk without the tokens that the policy did not sample.

    Args:
        persona: The cluster to which the talk belongs.
        own: Log-probability of each token of the whole transcript, under the policy that sampled.
        other: The same under the other policy.
        sampled: Which tokens the policy sampled. Not the prompt, the template, the user's words.

    Raises:
        InvalidArgument: If lengths differ, or no token was sampled.

    >>> sampled_only("widower", [-9.0, -0.5], [-9.0, -0.7], sampled=[False, True]).own
    (-0.5,)
    """
    if not len(own) == len(other) == len(sampled):
        raise InvalidArgument(
            f"own, other and sampled have {len(own)}, {len(other)} and {len(sampled)} tokens: give "
            "one value of each for every token"
        )
    kept = [number for number, drawn in enumerate(sampled) if drawn]
    return ScoredTalk(
        persona,
        own=tuple(float(own[number]) for number in kept),
        other=tuple(float(other[number]) for number in kept),
    )


class SequenceKL(NamedTuple):
    """Kullback-Leibler divergence of the sampling policy from the other, in nats, 0 or more.

    Attributes:
        per_talk: Of the whole talk, by the k3 estimator.
        per_token: That over the mean number of tokens in a talk.
        plain_per_talk: Of the whole talk, by k1, the mean log-ratio: the same expectation, more
            scatter, and it may be below 0. Far from `per_talk`, they say that one is badly off.
        plain_per_token: That over the mean number of tokens in a talk.
    """

    per_talk: Interval
    per_token: Interval
    plain_per_talk: Interval
    plain_per_token: Interval


def sequence_kl(talks: Sequence[ScoredTalk], *, level: float = 0.95, seed: int = 0) -> SequenceKL:
    """Return the divergence KL(own || other) of whole talks, with intervals over personas.

    Of each token, k3 = e^d - 1 - d with d = log other(y) - log own(y) (Schulman 2020,
    "Approximating KL divergence"), and these are summed over the agent's tokens of a talk. It is
    unbiased: given the history h, the mean of e^d over y from own(. | h) is 1, so that of k3 is
    KL(own(. | h) || other(. | h)). Histories are sampled from own and the user, whether there is a
    next token is settled by the history, and by the chain rule the divergence of talks is the mean
    of the sum of those of tokens. The k3 of the summed d would be unbiased too, with a variance
    that explodes.

    It says how far a policy went, not whether that was good: moving a register from probability p
    to 1 costs about -ln p nats. A token that is impossible under the other policy makes it
    infinite, ends and all.

    When not to use it: on talks sampled from neither policy, or from the wrong one, as KL has a
    direction. If own has top-p or top-k cuts that other does not have, k3 is too low at each token
    by the mass that other has beyond them; the plain figures are not. Where other finds a token
    far more likely than own does, rare tokens carry k3, and the interval is too narrow.

    Args:
        talks: At least one, sampled from `own`.
        level: Coverage, in (0, 1). Fewer than eight personas make it too narrow.
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there is no talk.

    >>> talk = ScoredTalk("widower", own=(math.log(0.8),), other=(math.log(0.4),))
    >>> found = sequence_kl([talk])
    >>> round(found.per_talk.mean, 4), round(found.plain_per_talk.mean, 4)
    (0.1931, 0.6931)
    """
    return SequenceKL(
        per_talk=_interval(talk_kls(talks), level, seed),
        per_token=_interval(_by_token(talks, _k3), level, seed),
        plain_per_talk=_interval(_log_ratios(talks), level, seed),
        plain_per_token=_interval(_by_token(talks, _k1), level, seed),
    )


def _log_ratios(talks: Sequence[ScoredTalk]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for talk in talks:
        found.setdefault(talk.persona, []).append(-talk.log_ratio)
    return found


def _by_token(
    talks: Sequence[ScoredTalk], terms: Callable[[ScoredTalk], Numbers]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for talk in talks:
        found.setdefault(talk.persona, []).extend(terms(talk).tolist())
    return found


def talk_kls(talks: Sequence[ScoredTalk]) -> dict[str, list[float]]:
    """Return the summed k3 of each talk, by persona, in nats; see `sequence_kl` for what it is.

    >>> talk_kls([ScoredTalk("widower", own=(-1.0, -2.0), other=(-1.0, -2.0))])
    {'widower': [0.0]}
    """
    found: dict[str, list[float]] = {}
    for talk in talks:
        found.setdefault(talk.persona, []).append(math.fsum(_k3(talk).tolist()))
    return found


def _k1(talk: ScoredTalk) -> Numbers:
    return np.array(talk.own) - np.array(talk.other)


def _k3(talk: ScoredTalk) -> Numbers:
    gap = -_k1(talk)
    return np.maximum(np.expm1(gap) - gap, 0.0)  # rounding can leave it a hair below 0


def _interval(clusters: Mapping[str, Sequence[float]], level: float, seed: int) -> Interval:
    """Return the mean with its interval; one infinite value shows that the mean is infinite."""
    if any(math.isinf(value) for values in clusters.values() for value in values):
        return Interval(math.inf, math.inf, math.inf, sum(map(len, clusters.values())))
    return ends_known(cluster_bootstrap(clusters, level=level, seed=seed), len(clusters))


def known_success(scores: Mapping[K, float]) -> float:
    """Return the probability of all known successful replies together, in [0, 1].

    A lower bound of the policy's success rate at one prompt, without an error of sampling: the
    replies are distinct events, so their probabilities add up, and unknown ones only add to them.
    Find replies wherever you like: a trained policy, a teacher, a grammar.

    When not to use it: over several turns, where what the user says has a chance too; for long
    replies, of which every single one is rare (the bound is true and tells nothing); and where
    whether a reply succeeds is itself left to chance.

    Args:
        scores: For each distinct token sequence, its end included, the log-probability of the
            whole, nats. Keys are sequences of tokens rather than texts: one text can be tokenised
            in several ways, each with a probability of its own.

    Raises:
        InvalidArgument: If a score is above 0 or NaN, or all together are above 1.

    >>> round(known_success({(3, 7): math.log(0.02), (3, 9): math.log(0.01)}), 6)
    0.03
    """
    for score in scores.values():
        _check_score("score", score, -math.inf)
    total = math.fsum(math.exp(score) for score in scores.values())
    if total > 1.0 + ROUNDING:
        raise InvalidArgument(
            f"the probabilities of scores add up to {total:.3g}, above 1: give that of each whole "
            "reply at one prompt, its end token included, and none that another begins with"
        )
    return min(1.0, total)


@dataclass(frozen=True)
class ScoredReply:
    """One reply as the base policy scores it, whoever said it.

    Attributes:
        persona: To whom.
        need: Of the persona, hidden from the agent; the ranks are told for each.
        turn: Number of the agent's turn, from 1.
        tokens: How many, at least 1.
        surprise: Minus the log-probability of the whole reply under the base policy, nats, in
            [0, inf].
    """

    persona: str
    need: str
    turn: int
    tokens: int
    surprise: float

    def __post_init__(self) -> None:
        if self.tokens < 1 or not self.surprise >= -ROUNDING:
            raise InvalidArgument(
                f"tokens={self.tokens}, surprise={self.surprise:g}: a reply has at least one "
                "token, and minus the logarithm of a probability is at least 0"
            )

    @property
    def peers(self) -> tuple[str, int, int]:
        """What replies must share to be compared: persona, turn, tokens to a power of two."""
        return self.persona, self.turn, self.tokens.bit_length()


class Ranks(NamedTuple):
    """Where replies stand among the base policy's own, as shares of these that surprise it less.

    Attributes:
        ranks: Of each reply that has at least `LEAST_PEERS` peers, in [0, 1], ascending; ties count
            a half. 0: no base sample is more likely. 1: all are.
        mean: Their mean, with an interval over personas; 0.5 in expectation for the base policy
            itself. NaN if there is no rank.
        median: The same for their median.
        alone: Replies left out because too few base samples share persona, turn and length.
    """

    ranks: tuple[float, ...]
    mean: Interval
    median: Interval
    alone: int


def conditional_ranks(
    trained: Sequence[ScoredReply], base: Sequence[ScoredReply], *, seed: int = 0
) -> dict[str, Ranks]:
    """Return for each need how surprising a trained policy's replies are to its base.

    Each reply is ranked by surprise per token among base samples to the same persona, at the same
    turn, of about the same length. After Yue et al. (2025, arXiv 2504.13837, perplexity of the
    trained model's answers under the base), made conditional.

    When not to use it: pooled over needs, turns or lengths. In a laboratory with known priors the
    pooled median was the same whether a register had been learnt from a common prior, from a rare
    one, or not at all: it has no power. Nor as a verdict: a rank near 0 says that a reply is
    typical of the base, not that the base would find it at the right moment; one near 1 that it is
    rare, not that it is beyond reach. For that count successes. Histories of a turn still differ
    between talks; the first turn is the cleanest.

    Args:
        trained: Replies of the trained policy, scored by the base.
        base: Replies of the base policy, scored by itself, at the same temperature.
        seed: Key of the resampling.

    Returns:
        The needs of `trained` in order, each with its ranks.
    """
    found: dict[tuple[str, int, int], list[float]] = {}
    for reply in base:
        found.setdefault(reply.peers, []).append(reply.surprise / reply.tokens)
    ordered = {key: sorted(values) for key, values in found.items()}
    return {
        need: _ranks([reply for reply in trained if reply.need == need], ordered, seed)
        for need in sorted({reply.need for reply in trained})
    }


def _ranks(
    replies: Sequence[ScoredReply],
    peers: Mapping[tuple[str, int, int], Sequence[float]],
    seed: int,
) -> Ranks:
    clusters: dict[str, list[float]] = {}
    for reply in replies:
        among = peers.get(reply.peers, ())
        if len(among) >= LEAST_PEERS:
            rank = _rank(reply.surprise / reply.tokens, among)
            clusters.setdefault(reply.persona, []).append(rank)
    ranks = tuple(sorted(rank for values in clusters.values() for rank in values))
    alone = len(replies) - len(ranks)
    if not ranks:
        none = Interval(math.nan, math.nan, math.nan, 0)
        return Ranks((), none, none, alone)
    return Ranks(ranks, _interval(clusters, 0.95, seed), _median(clusters, seed), alone)


def _median(clusters: Mapping[str, Sequence[float]], seed: int) -> Interval:
    """Return the median of all values with an interval over clusters."""
    pairs = sorted(
        (v, number) for number, name in enumerate(sorted(clusters)) for v in clusters[name]
    )
    values = np.array([value for value, _ in pairs])
    counts = redraws(len(clusters), 2000, seed)[:, [number for _, number in pairs]]
    below = counts.cumsum(axis=1)
    half = below[:, -1:] / 2.0
    middles = values[(below >= half).argmax(axis=1)], values[(below > half).argmax(axis=1)]
    drawn = (middles[0] + middles[1]) / 2.0
    return ends_known(percentiles(float(np.median(values)), drawn, len(values)), len(clusters))


def _rank(value: float, ordered: Sequence[float]) -> float:
    return (bisect_left(ordered, value) + bisect_right(ordered, value)) / (2 * len(ordered))
