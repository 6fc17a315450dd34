import math
from statistics import fmean, pstdev

import numpy as np
import pytest
import small_talks
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures.bootstrap import resampled
from empathy_env.measures.likelihood import (
    LEAST_PEERS,
    ScoredReply,
    ScoredTalk,
    conditional_ranks,
    known_success,
    sampled_only,
    sequence_kl,
    talk_kls,
)

logs = st.floats(-50, 0)
pairs = st.lists(st.tuples(logs, logs), min_size=1, max_size=8)


@st.composite
def scored(draw):
    own, other = zip(*draw(pairs), strict=True)
    return ScoredTalk(draw(st.sampled_from("abc")), own, other)


def log_ratio(talk):
    return math.log(talk.trained / talk.base)


def tokens(talk):
    return len(talk.words)


EXACT = small_talks.exact(log_ratio)


def test_the_process_is_a_process():
    for kind in (0, 7, 23):
        for policy in ("base", "trained"):
            known = small_talks.every_talk(kind)
            assert math.fsum(getattr(talk, policy) for talk in known) == pytest.approx(1.0)
    assert 0.3 < EXACT < 2.0


def test_the_expectation_of_the_summed_k3_is_the_divergence_of_whole_talks():
    """Lengths differ, and the user answers by chance: the sum over tokens is exact all the same."""
    summed = small_talks.exact(lambda talk: talk_kls([talk.scored])[talk.scored.persona][0])
    assert summed == pytest.approx(EXACT, rel=1e-12)


def test_many_talks_have_about_the_exact_divergence():
    chance = np.random.default_rng(0)
    talks = [
        talk.scored for kind in range(24) for talk in small_talks.drawn(chance, kind, talks=800)
    ]
    found = sequence_kl(talks)
    length = small_talks.exact(tokens)
    assert found.per_talk.mean == pytest.approx(EXACT, rel=0.03)
    assert found.plain_per_talk.mean == pytest.approx(EXACT, rel=0.06)
    assert found.per_token.mean == pytest.approx(EXACT / length, rel=0.03)
    assert found.plain_per_token.mean == pytest.approx(EXACT / length, rel=0.06)
    assert found.per_talk.size == len(talks)
    assert found.per_token.size == sum(len(talk.own) for talk in talks)


def test_k3_scatters_less_than_k1():
    chance = np.random.default_rng(1)
    talks = [talk.scored for talk in small_talks.drawn(chance, 10, talks=2000)]
    [kls] = talk_kls(talks).values()
    assert pstdev(kls) < 0.7 * pstdev(-talk.log_ratio for talk in talks)


def test_the_interval_covers_the_exact_divergence_at_about_the_nominal_rate():
    """Twenty personas of kinds drawn by chance, fifteen talks each."""
    chance, covered, plain, runs = np.random.default_rng(2), 0, 0, 150
    for _ in range(runs):
        talks = [
            talk.scored
            for number, kind in enumerate(chance.integers(24, size=20))
            for talk in small_talks.drawn(chance, int(kind), 15, persona=f"p{number}")
        ]
        found = sequence_kl(talks)
        covered += found.per_talk.low <= EXACT <= found.per_talk.high
        plain += found.plain_per_talk.low <= EXACT <= found.plain_per_talk.high
    assert 0.87 <= covered / runs <= 0.99
    assert 0.87 <= plain / runs <= 0.99


@settings(max_examples=50)
@given(st.lists(scored(), min_size=1, max_size=5))
def test_k3_is_never_below_0_and_the_order_of_talks_decides_nothing(talks):
    found = sequence_kl(talks)
    assert found.per_talk.mean >= 0.0
    assert found.per_token.mean >= 0.0
    assert all(value >= 0.0 for values in talk_kls(talks).values() for value in values)
    for one, other in zip(found, sequence_kl(talks[::-1]), strict=True):
        assert one == pytest.approx(other, nan_ok=True)


@given(st.lists(logs, min_size=1, max_size=8))
def test_a_policy_does_not_diverge_from_itself(scores):
    talk = ScoredTalk("a", tuple(scores), tuple(scores))
    assert sequence_kl([talk]).per_talk.mean == 0.0
    assert sequence_kl([talk]).plain_per_talk.mean == 0.0


@given(scored(), scored())
def test_the_divergence_of_a_talk_is_the_sum_over_its_parts(one, other):
    whole = ScoredTalk("x", one.own + other.own, one.other + other.other)
    [together] = talk_kls([whole])["x"]
    parts = [value for talk in (one, other) for value in talk_kls([talk])[talk.persona]]
    assert together == pytest.approx(sum(parts))


def test_the_direction_counts():
    talk = ScoredTalk("a", own=(math.log(0.9),), other=(math.log(0.3),))
    back = ScoredTalk("a", own=talk.other, other=talk.own)
    assert sequence_kl([talk]).per_talk.mean == pytest.approx(1 / 3 - 1 + math.log(3))
    assert sequence_kl([back]).per_talk.mean == pytest.approx(3 - 1 - math.log(3))


def test_tiny_differences_are_not_lost_or_turned_round():
    [[found]] = talk_kls([ScoredTalk("a", (-1.0,), (-1.0 + 1e-9,))]).values()
    assert found == pytest.approx(0.5e-18, rel=1e-3)


def test_what_is_impossible_under_the_other_policy_is_infinitely_far():
    talks = [ScoredTalk("a", (-1.0,), (-math.inf,)), ScoredTalk("b", (-1.0,), (-1.0,))]
    found = sequence_kl(talks)
    assert found.per_talk == (math.inf, math.inf, math.inf, 2)
    assert found.plain_per_token.mean == math.inf


def test_the_interval_is_over_personas_and_one_alone_has_no_ends():
    near, far = ScoredTalk("a", (-1.0,), (-1.5,)), ScoredTalk("b", (-1.0,), (-4.0,))
    alike = sequence_kl([near, ScoredTalk("b", (-1.0,), (-1.5,))])
    assert alike.per_talk.low == alike.per_talk.high
    apart = sequence_kl([near, far])
    assert apart.per_talk.low < apart.per_talk.mean < apart.per_talk.high
    wide, narrow = sequence_kl([near, far] * 4, level=0.99), sequence_kl([near, far] * 4, level=0.2)
    assert wide.per_talk.high > narrow.per_talk.high
    assert math.isnan(sequence_kl([near, near]).per_talk.low)


@pytest.mark.parametrize(
    ("own", "other", "words"),
    [
        ((), (), "at least one"),
        ((-1.0,), (-1.0, -2.0), "own has 1 tokens and other 2"),
        ((0.3,), (-1.0,), "own=0.3 is outside"),
        ((-1.0,), (math.nan,), "other=nan is outside"),
        ((-math.inf,), (-1.0,), "own=-inf is outside"),
        ((-701.0,), (-1.0,), "own=-701 is outside"),
    ],
)
def test_scores_that_cannot_be_are_refused(own, other, words):
    with pytest.raises(InvalidArgument, match=words):
        ScoredTalk("a", own, other)


def test_no_talk_is_refused():
    with pytest.raises(InvalidArgument, match="at least one"):
        sequence_kl([])


def test_only_what_the_policy_sampled_counts():
    mask = [False, True, True, False]
    talk = sampled_only("a", [-9, -1, -2, -8], np.array([-9, -3, -4, 0]), sampled=mask)
    assert talk == ScoredTalk("a", (-1.0, -2.0), (-3.0, -4.0))
    with pytest.raises(InvalidArgument, match="2, 2 and 1 tokens"):
        sampled_only("a", [-1, -1], [-1, -1], sampled=[True])
    with pytest.raises(InvalidArgument, match="at least one"):
        sampled_only("a", [-1], [-1], sampled=[False])


def test_known_successes_add_up_to_the_rate_when_all_are_known_and_less_when_not():
    """One turn of an enumerable agent: three words, of which two are right."""
    scores = {(0,): math.log(0.6), (1,): math.log(0.3), (2,): math.log(0.1)}
    assert known_success({key: scores[key] for key in [(0,), (2,)]}) == pytest.approx(0.7)
    assert known_success({(2,): scores[2,]}) == pytest.approx(0.1)
    assert known_success(scores) == 1.0
    assert known_success({}) == 0.0
    assert known_success({"a": -math.inf, "b": -2000.0}) == 0.0


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.data())
def test_a_further_known_success_never_lowers_the_bound(weights, data):
    scores = {n: math.log(weight / sum(weights)) for n, weight in enumerate(weights)}
    kept = data.draw(st.sets(st.sampled_from(list(scores)), max_size=len(scores) - 1))
    some = known_success({key: scores[key] for key in kept})
    assert 0.0 <= some <= known_success(scores)
    assert some == pytest.approx(sum(weights[key] for key in kept) / sum(weights))


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"a": 0.5}, "score=0.5"),
        ({"a": math.nan}, "score=nan"),
        ({"a": math.log(0.7), "b": math.log(0.6)}, "add up to 1.3"),
    ],
)
def test_what_are_no_probabilities_of_distinct_replies_is_refused(scores, words):
    with pytest.raises(InvalidArgument, match=words):
        known_success(scores)


def reply(surprise, persona="p", need="n", turn=1, tokens=4):
    return ScoredReply(persona, need, turn, tokens, surprise)


OWN = [reply(surprise) for surprise in (4.0, 8.0, 8.0, 12.0, 16.0)]


@pytest.mark.parametrize(
    ("surprise", "rank"), [(1.0, 0.0), (4.0, 0.1), (8.0, 0.4), (9.0, 0.6), (16.0, 0.9), (99.0, 1.0)]
)
def test_a_rank_is_the_share_of_less_surprising_base_replies(surprise, rank):
    found = conditional_ranks([reply(surprise)], OWN)["n"]
    assert found.ranks == pytest.approx((rank,))
    assert found.mean.mean == found.median.mean == pytest.approx(rank)
    assert math.isnan(found.mean.low)


def test_surprise_is_counted_for_each_token():
    base = [reply(4.0 * n, tokens=4) for n in range(1, 6)]  # 1 to 5 nats a token
    assert conditional_ranks([reply(17.5, tokens=7)], base)["n"].ranks == (0.4,)


@pytest.mark.parametrize(
    "other", [{"persona": "q"}, {"turn": 2}, {"tokens": 8}, {"tokens": 3}], ids=str
)
def test_replies_are_compared_with_their_like_only(other):
    found = conditional_ranks([reply(9.0, **other)], OWN)["n"]
    assert (found.ranks, found.alone) == ((), 1)
    assert math.isnan(found.mean.mean)
    assert math.isnan(found.median.mean)
    assert conditional_ranks([reply(9.0, tokens=7)], OWN)["n"].alone == 0


def test_too_few_peers_are_none():
    assert len(OWN) == LEAST_PEERS
    assert conditional_ranks([reply(9.0)], OWN[1:])["n"].alone == 1


def test_needs_are_told_apart_though_peers_may_have_any():
    trained = [reply(1.0, need="advice"), reply(99.0, need="solace"), reply(2.0, need="advice")]
    found = conditional_ranks(trained, OWN)
    assert list(found) == ["advice", "solace"]
    assert found["advice"].ranks == (0.0, 0.0)
    assert found["solace"].ranks == (1.0,)


surprises = st.lists(st.integers(0, 20).map(float), min_size=5, max_size=9)


@settings(max_examples=50)
@given(surprises, surprises)
def test_ranks_are_shares_and_know_neither_order_nor_scale(own, others):
    base, trained = [reply(s) for s in own], [reply(s) for s in others]
    found = conditional_ranks(trained, base)["n"]
    assert all(0.0 <= rank <= 1.0 for rank in found.ranks)
    assert list(found.ranks) == sorted(found.ranks)
    assert conditional_ranks(trained[::-1], base[::-1])["n"].ranks == found.ranks
    double = [[reply(2 * s) for s in values] for values in (others, own)]
    assert conditional_ranks(*double)["n"].ranks == found.ranks
    # Turned round, what surprised less surprises more.
    turned = [[reply(20 - s) for s in values] for values in (others, own)]
    assert conditional_ranks(*turned)["n"].mean.mean == pytest.approx(1 - found.mean.mean)


def test_the_base_policy_ranks_in_the_middle_of_itself_at_the_nominal_rate():
    chance, covered, means, runs = np.random.default_rng(3), 0, [], 120
    for _ in range(runs):
        base, trained = (
            [
                reply(float(chance.integers(1, 12)), persona=f"p{n}", turn=turn)
                for n in range(15)
                for turn in (1, 2)
                for _ in range(size)
            ]
            for size in (8, 4)
        )
        found = conditional_ranks(trained, base)["n"].mean
        means.append(found.mean)
        covered += found.low <= 0.5 <= found.high
    assert fmean(means) == pytest.approx(0.5, abs=0.015)
    assert 0.86 <= covered / runs <= 0.99


def test_the_interval_of_the_median_is_that_of_resampled_personas():
    chance = np.random.default_rng(4)
    base = [reply(float(s), persona=f"p{n}") for n in range(9) for s in range(1, 40)]
    trained = [
        reply(float(s), persona=f"p{n}")
        for n in range(9)
        for s in chance.integers(1 + n, 20 + n, 5)
    ]
    found = conditional_ranks(trained, base)["n"]
    clusters = {}
    for one in trained:
        clusters.setdefault(one.persona, []).append((one.surprise - 0.5) / 39)
    other = resampled(clusters, lambda values: float(np.median(values)))
    assert found.median.mean == pytest.approx(other.mean)
    assert found.median.low == pytest.approx(other.low, abs=0.02)
    assert found.median.high == pytest.approx(other.high, abs=0.02)
    assert found.median.low < found.median.mean < found.median.high
    assert conditional_ranks(trained[::-1], base)["n"] == found


def test_a_median_between_two_values_is_their_middle():
    """Of six personas one ranks at 1; it is drawn three times of six in one resample of twenty."""
    base = [reply(float(s), persona=f"p{n}") for n in range(6) for s in range(1, 6)]
    trained = [reply(99.0 * (n == 2), persona=f"p{n}") for n in range(6)]
    assert conditional_ranks(trained, base)["n"].median == (0.0, 0.0, 0.5, 6)


def test_no_token_and_no_probability_are_refused():
    with pytest.raises(InvalidArgument, match="tokens=0"):
        reply(1.0, tokens=0)
    with pytest.raises(InvalidArgument, match="surprise=-1"):
        reply(-1.0)
