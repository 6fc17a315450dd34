import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.measures.rates import pass_at, signal_fraction, wilson

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
