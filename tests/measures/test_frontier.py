import itertools
import math
from statistics import fmean

import numpy as np
import pytest
import small_talks
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures.frontier import best_of, efficiency, frontier, furthest, tilted
from empathy_env.measures.likelihood import talk_kls

values = st.lists(st.integers(-5, 5).map(float), min_size=8, max_size=12)
rewards = st.dictionaries(st.sampled_from("abc"), values, min_size=1, max_size=3)


def flat(given):
    return [value for one in given.values() for value in one]


def brute(given, beta):
    """The two sums, as they are written."""
    kls, means, sizes = [], [], []
    for one in given.values():
        raw = [math.exp((value - max(one)) / beta) for value in one]
        weights = [w / sum(raw) for w in raw]
        means.append(sum(w * value for w, value in zip(weights, one, strict=True)))
        kls.append(sum(w * math.log(len(one) * w) for w in weights if w > 0))
        sizes.append(len(one))
    mean = np.average([kls, means], axis=1, weights=sizes)
    return float(mean[0]), float(mean[1])


@given(rewards, st.floats(0.05, 50))
def test_a_tilt_is_the_two_sums(given, beta):
    kl, reward = tilted(given, beta)
    assert (kl, reward) == pytest.approx(brute(given, beta), abs=1e-9)


@given(rewards, st.integers(-40, 40), st.floats(0.1, 10))
def test_only_differences_of_reward_over_beta_count(given, shift, scale):
    moved = {name: [scale * (v + shift) for v in one] for name, one in given.items()}
    first, second = tilted(given, 2.0), tilted(moved, 2.0 * scale)
    assert second.kl == pytest.approx(first.kl, abs=1e-7)
    assert second.reward == pytest.approx(scale * (first.reward + shift), abs=1e-7)


def test_without_a_price_of_nats_the_best_talks_of_each_persona_remain():
    given = {"a": [0.0, 1.0, 3.0, 3.0], "b": [5.0, 6.0, 6.0, 6.0]}
    assert tilted(given, 1e-6) == pytest.approx((math.log(4 / 2) / 2 + math.log(4 / 3) / 2, 4.5))
    assert tilted(given, math.inf) == pytest.approx((0.0, fmean(flat(given))))


def test_personas_weigh_as_many_talks_as_they_have():
    given = {"a": [0.0] * 30 + [1.0] * 10, "b": [0.0] * 5 + [1.0] * 5}
    assert tilted(given, math.inf).reward == pytest.approx(15 / 50)
    assert frontier(given, [0.0])[0].mean == pytest.approx(15 / 50)
    assert best_of(given, 1).reward == pytest.approx(15 / 50)


def test_talks_are_tilted_within_a_persona_and_never_from_one_to_another():
    easy_and_hard = {"easy": [1.0] * 20, "hard": [0.0] * 20}
    for beta in (10.0, 0.1):
        assert tilted(easy_and_hard, beta) == pytest.approx((0.0, 0.5))
    assert [found.mean for found in frontier(easy_and_hard, [0.0, 0.9])] == [0.5, 0.5]


@settings(max_examples=40)
@given(rewards, st.data())
def test_the_frontier_rises_from_the_mean_to_the_best_by_less_and_less(given, data):
    given = {name: one * 3 for name, one in given.items()}
    kls = sorted(data.draw(st.lists(st.floats(0, furthest(given)), min_size=3, max_size=3)))
    found = [point.mean for point in frontier(given, [0.0, *kls], resamples=1)]
    best = sum(len(one) * max(one) for one in given.values()) / len(flat(given))
    assert found[0] == pytest.approx(fmean(flat(given)), abs=1e-9)
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(found))
    assert found[-1] <= best + 1e-9
    middle = frontier(given, [(kls[0] + kls[2]) / 2], resamples=1)[0].mean
    assert middle >= (found[1] + found[3]) / 2 - 1e-3


@settings(max_examples=40)
@given(rewards, st.floats(0.3, 20))
def test_the_frontier_at_the_divergence_of_a_tilt_is_the_reward_of_the_tilt(given, beta):
    given = {name: one * 4 for name, one in given.items()}
    kl, reward = tilted(given, beta)
    if kl <= furthest(given):
        [found] = frontier(given, [kl], resamples=1)
        assert found.mean == pytest.approx(reward, abs=1e-3)


def test_no_weighting_of_the_talks_is_above_the_frontier():
    chance = np.random.default_rng(0)
    given = {name: chance.normal(size=40).tolist() for name in "abc"}
    for _ in range(300):
        kls, means = [], []
        for one in given.values():
            weights = chance.dirichlet(np.full(40, chance.choice([0.3, 1.0, 5.0])))
            weights = np.sort(weights)[np.argsort(np.argsort(one))]  # a good one
            means.append(float(weights @ one))
            kls.append(float((weights * np.log(40 * weights + 1e-300)).sum()))
        if fmean(kls) <= furthest(given):
            assert fmean(means) <= frontier(given, [fmean(kls)], resamples=1)[0].mean + 1e-4


def test_two_rewards_have_a_closed_form():
    """Success of chance p raised to q costs q ln(q / p) + (1 - q) ln((1 - q) / (1 - p))."""
    p, q, size = 0.1, 0.6, 200
    kl = q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))
    given = {"a": [1.0] * int(p * size) + [0.0] * int((1 - p) * size)}
    assert frontier(given, [kl])[0].mean == pytest.approx(q, abs=1e-4)
    assert frontier(given, [-math.log(p) + 0.5])[0].mean == pytest.approx(1.0, abs=1e-6)


def test_beyond_what_so_many_talks_can_tell_there_is_no_number():
    given = {"a": [0.0, 1.0] * 32, "b": [0.0, 1.0] * 32}
    limit = math.log(64) - 2
    assert furthest(given) == pytest.approx(limit)
    known, beyond, below, nan = frontier(given, [limit, limit + 0.01, -0.1, math.nan])
    assert known.mean == pytest.approx(1.0)
    for none in (beyond, below, nan):
        assert math.isnan(none.mean)
        assert math.isnan(none.low)
    assert furthest({"a": [1.0] * 4, "b": [1.0] * 12}) == pytest.approx(
        0.25 * math.log(4) + 0.75 * math.log(12) - 2
    )


def test_the_frontier_of_many_talks_is_that_of_the_process():
    """The exact tilt of all talks, with their chances for counts."""
    beta, kinds = 0.3, range(0, 24, 4)
    kls, means = [], []
    for kind in kinds:
        known = small_talks.every_talk(kind)
        mass = [talk.base * math.exp(talk.reward / beta) for talk in known]
        shares = [one / math.fsum(mass) for one in mass]
        means.append(sum(s * talk.reward for s, talk in zip(shares, known, strict=True)))
        kls.append(sum(s * math.log(s / t.base) for s, t in zip(shares, known, strict=True)))
    chance = np.random.default_rng(1)
    given = {
        f"{kind}": [t.reward for t in small_talks.drawn(chance, kind, 2000, "base")]
        for kind in kinds
    }
    [found] = frontier(given, [fmean(kls)])
    assert found.mean == pytest.approx(fmean(means), abs=0.01)
    assert found.low < fmean(means) < found.high


def tilt_of(kind, beta):
    known = small_talks.every_talk(kind)
    mass = [talk.base * math.exp(talk.reward / beta) for talk in known]
    return known, [one / math.fsum(mass) for one in mass]


def test_the_interval_covers_the_exact_frontier_at_about_the_nominal_rate():
    """The population is all kinds of persona; a sample is twenty of them with forty talks each."""
    beta, kls, means = 0.5, [], []
    for kind in range(24):
        known, shares = tilt_of(kind, beta)
        means.append(sum(s * talk.reward for s, talk in zip(shares, known, strict=True)))
        kls.append(sum(s * math.log(s / t.base) for s, t in zip(shares, known, strict=True)))
    chance, covered, runs = np.random.default_rng(2), 0, 100
    for _ in range(runs):
        given = {
            f"p{n}": [t.reward for t in small_talks.drawn(chance, int(kind), 40, "base")]
            for n, kind in enumerate(chance.integers(24, size=20))
        }
        [found] = frontier(given, [fmean(kls)], resamples=300)
        covered += found.low <= fmean(means) <= found.high
    assert 0.86 <= covered / runs <= 0.99


def test_best_of_n_lies_under_the_frontier_at_its_own_divergence():
    chance = np.random.default_rng(3)
    given = {name: chance.normal(size=400).tolist() for name in "abcd"}
    for tries in (1, 2, 4, 16):
        kl, reward = best_of(given, tries)
        assert kl == pytest.approx(math.log(tries) - (tries - 1) / tries)
        assert reward <= frontier(given, [kl])[0].mean + 1e-9
    # the best of four normal draws is 1.029 on average
    assert best_of(given, 4).reward == pytest.approx(1.029, abs=0.06)
    assert math.isnan(best_of({"a": [1.0, 2.0], "b": [1.0]}, 2).reward)
    assert best_of({"a": [1.0, 2.0], "b": [5.0, 5.0]}, 2).reward == 3.5


def made(chance, beta, talks=200, kinds=range(2, 22, 2)):
    """Talks of the base, and of the base tilted exactly, with the exact divergence."""
    base, trained, kls = {}, {}, {}
    for kind in kinds:
        known, shares = tilt_of(kind, beta)
        rows = chance.choice(len(known), size=talks, p=np.array(shares) / sum(shares))
        name = f"{kind}"
        base[name] = [t.reward for t in small_talks.drawn(chance, kind, talks, "base")]
        trained[name] = [known[row].reward for row in rows]
        kls[name] = [math.log(shares[row] / known[row].base) for row in rows]
    return base, trained, kls


def test_the_optimal_policy_has_all_that_its_divergence_can_buy():
    found = efficiency(*made(np.random.default_rng(4), beta=0.4))
    assert found.doubt == ""
    assert found.ratio.mean == pytest.approx(1.0, abs=0.05)
    assert found.ratio.low < 1.0 < found.ratio.high
    assert found.excess.low < 0.0 < found.excess.high
    assert found.trained > found.base + 0.05
    assert found.ratio.mean == pytest.approx(
        (found.trained - found.base) / (found.frontier - found.base)
    )
    assert found.excess.mean == pytest.approx(found.trained - found.frontier)
    assert found.ratio.size == 2000


def test_a_policy_that_wastes_its_divergence_has_a_share():
    chance = np.random.default_rng(5)
    kinds = range(2, 22, 2)
    base = {
        f"kind-{k}": [t.reward for t in small_talks.drawn(chance, k, 100, "base")] for k in kinds
    }
    talks = [talk for k in kinds for talk in small_talks.drawn(chance, k, 100)]
    trained = {}
    for talk in talks:
        trained.setdefault(talk.scored.persona, []).append(talk.reward)
    found = efficiency(base, trained, talk_kls([talk.scored for talk in talks]))
    assert found.doubt == ""
    assert 0.3 < found.ratio.low < found.ratio.mean < found.ratio.high < 1.0
    assert found.excess.high < 0.0


def test_a_reward_that_no_base_talk_had_is_in_excess():
    base = {name: [0.1, 0.2] * 50 for name in "abcd"}
    found = efficiency(
        base, {name: [0.9, 1.0] for name in "abcd"}, {name: [1.5] for name in "abcd"}
    )
    assert found.excess.low > 0.7
    assert found.ratio.mean > 1.0


def test_a_divergence_beyond_the_talks_is_undetermined():
    base = {name: [0.0, 1.0] * 8 for name in "abcd"}
    found = efficiency(base, base, {name: [3.0] for name in "abcd"})
    assert found.doubt.startswith("undetermined: the divergence is 3.00 nats")
    for figure in (found.ratio, found.excess):
        assert all(map(math.isnan, figure[:3]))
    assert math.isnan(found.frontier)
    assert found.kl == 3.0


def test_where_nothing_can_be_had_there_is_no_share_but_an_excess():
    base = {name: [0.0] * 20 for name in "ab"}
    found = efficiency(base, {name: [1.0] for name in "ab"}, {name: [0.5] for name in "ab"})
    assert "no more reward" in found.doubt
    assert math.isnan(found.ratio.mean)
    assert math.isnan(found.ratio.low)
    assert found.excess[:3] == (1.0, 1.0, 1.0)


@settings(max_examples=20)
@given(rewards, rewards)
def test_the_order_of_personas_and_talks_decides_nothing(one, other):
    names = sorted(one.keys() & other.keys())
    if not names:
        return
    base, trained = ({name: given[name] for name in names} for given in (one, other))
    kls = {name: [0.05, 0.02] for name in names}
    found = efficiency(base, trained, kls, resamples=20)
    turned = [{n: g[n][::-1] for n in reversed(names)} for g in (base, trained, kls)]
    again = efficiency(*turned, resamples=20)
    assert again.doubt == found.doubt
    for a, b in zip(found[:2], again[:2], strict=True):
        assert tuple(a) == pytest.approx(tuple(b), nan_ok=True, abs=1e-6, rel=1e-6)


def test_one_persona_has_no_interval_and_more_coverage_is_wider():
    [alone] = frontier({"a": [0.0, 1.0] * 20}, [0.1])
    assert alone.mean > 0.5
    assert math.isnan(alone.low)
    spread = {name: [0.0, float(n)] * 20 for n, name in enumerate("abcde")}
    [wide], [narrow] = (frontier(spread, [0.1], level=level) for level in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tilted({"a": [1.0]}, 0.0), "beta=0"),
        (lambda: tilted({}, 1.0), "at least one persona"),
        (lambda: furthest({"a": []}), "each with a talk"),
        (lambda: frontier({"a": [math.nan]}, [0.1]), "'a' hold one that is not finite"),
        (lambda: best_of({"a": [1.0]}, 0), "tries=0"),
        (lambda: efficiency({"a": [1.0]}, {"b": [1.0]}, {"a": [1.0]}), "'a' is not among"),
        (lambda: efficiency({"a": [1.0]}, {"a": [1.0]}, {"b": [1.0]}), "'a' is not among"),
        (lambda: efficiency({"a": [1.0]}, {"a": [math.inf]}, {"a": [1.0]}), "not finite"),
    ],
)
def test_what_has_no_frontier_is_refused(call, words):
    with pytest.raises(InvalidArgument, match=words):
        call()
