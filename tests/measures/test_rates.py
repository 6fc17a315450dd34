import math
from fractions import Fraction
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures.rates import (
    clopper_pearson,
    max_at,
    min_at,
    pass_at,
    signal_fraction,
    wilson,
)

outcomes = st.lists(st.booleans(), min_size=1, max_size=9)


@given(outcomes, st.integers(2, 6))
def test_the_signal_fraction_is_the_share_of_all_subsets_with_both_outcomes(wins, size):
    subsets = list(combinations(wins, size))
    found = signal_fraction(sum(wins), len(wins), size)
    if not subsets:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(sum(len(set(one)) > 1 for one in subsets) / len(subsets))


@given(outcomes, st.integers(1, 6))
def test_pass_at_k_is_the_share_of_all_subsets_with_a_success(wins, tries):
    subsets = list(combinations(wins, tries))
    found = pass_at(sum(wins), len(wins), tries)
    if not subsets:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(sum(map(any, subsets)) / len(subsets))


@given(st.floats(0.0, 1.0), st.integers(2, 6), st.integers(0, 6))
def test_the_signal_fraction_is_unbiased(p, size, more):
    """Its mean over the binomial is 1 - p^G - (1 - p)^G."""
    n = size + more
    mean = sum(
        math.comb(n, c) * p**c * (1 - p) ** (n - c) * signal_fraction(c, n, size)
        for c in range(n + 1)
    )
    assert mean == pytest.approx(1 - p**size - (1 - p) ** size, abs=1e-9)


@given(st.integers(1, 200), st.data())
def test_wilsons_interval_holds_the_rate_and_stays_in_range(size, data):
    rate = data.draw(st.integers(0, size)) / size
    low, high = wilson(rate, size)
    assert 0.0 <= low <= rate + 1e-12
    assert rate - 1e-12 <= high <= 1.0
    assert high - low > 0


def test_wilsons_ends_are_where_the_score_test_rejects():
    for rate, size in ((0.3, 20), (0.9, 50)):
        for end in wilson(rate, size):
            assert abs(rate - end) / math.sqrt(end * (1 - end) / size) == pytest.approx(1.959964)


def test_a_wider_level_gives_a_wider_interval():
    narrow, wide = wilson(0.5, 30, level=0.8), wilson(0.5, 30, level=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    ("wins", "episodes", "tries"),
    [(1, 1001, 1), (3, 1001, 998), (40, 5000, 7), (7, 5000, 40), (1, 4000, 3999), (900, 2000, 2)],
)
def test_pass_at_k_of_many_is_right_to_ten_digits(wins, episodes, tries):
    exact = 1 - Fraction(math.comb(episodes - wins, tries), math.comb(episodes, tries))
    assert pass_at(wins, episodes, tries) == pytest.approx(float(exact), rel=1e-10, abs=0)


def test_pass_at_k_of_a_million_is_no_slower_and_no_less_right():
    million = 10**6
    assert pass_at(1, million, 1) == pytest.approx(1e-6, rel=1e-10, abs=0)
    assert pass_at(1, million, 500_000) == pytest.approx(0.5, rel=1e-10)
    assert pass_at(500_000, million, 1) == pytest.approx(0.5, rel=1e-10)
    assert pass_at(500_000, million, 400_000) == 1.0
    assert pass_at(1, million, million) == 1.0
    assert pass_at(0, million, million) == 0.0
    # Two of a million: 1 - (n - k)(n - k - 1) / (n (n - 1)).
    miss = Fraction((million - 1000) * (million - 1001), million * (million - 1))
    assert pass_at(2, million, 1000) == pytest.approx(float(1 - miss), rel=1e-10, abs=0)


@given(st.integers(1, 3000), st.data())
def test_pass_at_k_rises_with_tries_and_with_successes(episodes, data):
    wins = data.draw(st.integers(0, episodes - 1))
    tries = data.draw(st.integers(1, episodes))
    here = pass_at(wins, episodes, tries)
    assert 0.0 <= here <= 1.0
    assert pass_at(wins, episodes, tries - 1) <= here + 1e-12
    assert here <= pass_at(wins + 1, episodes, tries) + 1e-12


def test_more_successes_than_episodes_are_refused():
    for estimate in (lambda: pass_at(3, 2, 1), lambda: clopper_pearson(3, 2)):
        with pytest.raises(InvalidArgument, match=r"successes=3 is not in \[0, 2\]"):
            estimate()
    with pytest.raises(InvalidArgument, match="tries=-1"):
        pass_at(1, 2, -1)


emotions = st.lists(st.floats(-50.0, 100.0), min_size=1, max_size=8)


@given(emotions, st.integers(1, 6))
def test_max_and_min_at_k_are_means_over_all_subsets(values, tries):
    subsets = list(combinations(values, tries))
    best, worst = max_at(values, tries), min_at(values, tries)
    if not subsets:
        assert math.isnan(best)
        assert math.isnan(worst)
    else:
        assert best == pytest.approx(fmean(map(max, subsets)), abs=1e-9)
        assert worst == pytest.approx(fmean(map(min, subsets)), abs=1e-9)


@given(st.integers(1, 60), st.data())
def test_the_best_of_zeros_and_ones_is_pass_at_k(episodes, data):
    wins = data.draw(st.integers(0, episodes))
    tries = data.draw(st.integers(1, episodes))
    values = [1.0] * wins + [0.0] * (episodes - wins)
    assert max_at(values, tries) == pytest.approx(pass_at(wins, episodes, tries), abs=1e-12)


def test_max_at_k_of_very_many_has_its_closed_form():
    """Of the numbers 1 to n the best of k is k (n + 1) / (k + 1) on average."""
    for count, tries in ((10**6, 500_000), (10**5, 1), (10**5, 2), (10**5, 10**5)):
        values = range(1, count + 1)
        assert max_at(values, tries) == pytest.approx(tries * (count + 1) / (tries + 1), rel=1e-9)
    assert min_at(values, 999) == pytest.approx((count + 1) / 1000, rel=1e-6)


def test_the_best_of_no_try_and_of_no_number_is_refused():
    with pytest.raises(InvalidArgument, match="tries=0"):
        max_at([1.0], 0)
    with pytest.raises(InvalidArgument, match="not finite"):
        max_at([1.0, math.nan], 1)


def tail(p, n, least, most):
    """The chance of so many successes of n, summed up."""
    return math.fsum(math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(least, most + 1))


@given(st.integers(1, 40), st.data())
def test_clopper_and_pearsons_ends_are_where_the_tails_have_half_of_the_rest(n, data):
    wins = data.draw(st.integers(0, n))
    low, high = clopper_pearson(wins, n, level=0.9)
    assert 0.0 <= low <= wins / n <= high <= 1.0
    assert (low == 0.0) == (wins == 0)
    assert (high == 1.0) == (wins == n)
    if wins:
        assert tail(low, n, wins, n) == pytest.approx(0.05, rel=1e-6)
    if wins < n:
        assert tail(high, n, 0, wins) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("p", [0.003, 0.05, 0.3, 0.5, 0.91])
@pytest.mark.parametrize("n", [5, 20, 60])
def test_clopper_and_pearson_cover_at_least_as_often_as_they_say(p, n):
    """Exactly: the chances of all counts whose interval holds p, summed."""
    held = [c for c in range(n + 1) if clopper_pearson(c, n)[0] <= p <= clopper_pearson(c, n)[1]]
    assert math.fsum(tail(p, n, c, c) for c in held) >= 0.95


def test_without_a_success_the_upper_end_has_its_closed_form():
    low, high = clopper_pearson(0, 10**6)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 10**6), rel=1e-9)
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    with pytest.raises(InvalidArgument, match="level=1"):
        clopper_pearson(1, 2, level=1)
