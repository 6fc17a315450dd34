import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures import cluster_bootstrap
from empathy_env.measures.bootstrap import percentiles, redraws

values = st.lists(st.floats(-100, 100), min_size=1, max_size=6)
clusters = st.dictionaries(st.text(max_size=3), values, min_size=1, max_size=6)
SPREAD = {"a": [0.0, 10.0], "b": [40.0, 50.0, 60.0], "c": [90.0], "d": [20.0, 30.0]}


@settings(max_examples=50)
@given(clusters)
def test_the_mean_is_over_all_values_and_the_interval_within_the_cluster_means(given):
    result = cluster_bootstrap(given, resamples=200)
    flat = [value for cluster in given.values() for value in cluster]
    means = [sum(cluster) / len(cluster) for cluster in given.values()]
    assert result.size == len(flat)
    assert result.mean == pytest.approx(sum(flat) / len(flat), abs=1e-9)
    assert min(means) - 1e-9 <= result.low <= result.high <= max(means) + 1e-9


def test_a_mean_is_weighted_by_values_and_not_by_clusters():
    assert cluster_bootstrap({"a": [0.0, 0.0, 0.0], "b": [4.0]}).mean == 1.0


def test_the_interval_holds_the_mean_and_is_a_function_of_the_seed():
    first = cluster_bootstrap(SPREAD, seed=1)
    assert first.low < first.mean < first.high
    assert cluster_bootstrap(SPREAD, seed=1) == first
    assert cluster_bootstrap(SPREAD, seed=2).mean == first.mean
    few, other = (cluster_bootstrap(SPREAD, seed=seed, resamples=50) for seed in (1, 2))
    assert few[1:3] != other[1:3]


def test_values_of_one_cluster_are_no_independent_evidence():
    grouped = {"a": [0.0] * 20, "b": [100.0] * 20, "c": [50.0] * 20}
    alone = {f"{k}{i}": [v] for k, vs in grouped.items() for i, v in enumerate(vs)}
    by_cluster, by_value = cluster_bootstrap(grouped), cluster_bootstrap(alone)
    assert by_cluster.high - by_cluster.low > 2 * (by_value.high - by_value.low)


def test_more_coverage_is_a_wider_interval():
    narrow, wide = cluster_bootstrap(SPREAD, level=0.5), cluster_bootstrap(SPREAD, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_interval_moves_with_the_values():
    shifted = {name: [value + 7 for value in cluster] for name, cluster in SPREAD.items()}
    expected = [edge + 7 for edge in cluster_bootstrap(SPREAD)[:3]]
    assert list(cluster_bootstrap(shifted)[:3]) == pytest.approx(expected)


def test_one_cluster_has_no_width():
    assert cluster_bootstrap({"a": [1.0, 2.0]}) == (1.5, 1.5, 1.5, 2)


@pytest.mark.parametrize("empty", [{}, {"a": []}, {"a": [1.0], "b": []}])
def test_nothing_to_average_is_an_error_and_not_zero(empty):
    with pytest.raises(InvalidArgument, match="clusters"):
        cluster_bootstrap(empty)


def test_the_order_of_the_clusters_decides_nothing():
    clusters = {name: [float(n), float(n * n)] for n, name in enumerate("abcdefg")}
    turned = {name: values[::-1] for name, values in reversed(clusters.items())}
    assert cluster_bootstrap(clusters) == cluster_bootstrap(turned)


def test_a_redraw_takes_as_many_clusters_as_there_are_and_each_as_often_as_the_others():
    drawn = redraws(5, 4000, 0)
    assert drawn.shape == (4000, 5)
    assert set(drawn.sum(axis=1)) == {5.0}
    assert drawn.mean(axis=0) == pytest.approx(np.ones(5), abs=0.06)
    assert (redraws(5, 10, 1) != redraws(5, 10, 2)).any()


def test_percentiles_are_those_of_the_known_resamples():
    drawn = np.array([*np.linspace(0, 1, 101), math.nan])
    assert percentiles(0.5, drawn, 7, level=0.9) == pytest.approx((0.5, 0.05, 0.95, 7))
    few = percentiles(0.5, np.array([1.0, math.nan, math.nan]), 7)
    none = percentiles(math.nan, drawn, 7)
    assert few == pytest.approx((0.5, math.nan, math.nan, 7), nan_ok=True)
    assert none == pytest.approx((math.nan, math.nan, math.nan, 7), nan_ok=True)
