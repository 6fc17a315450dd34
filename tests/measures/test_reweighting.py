import math
from statistics import fmean

import numpy as np
import pytest
import small_talks
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures.likelihood import ScoredTalk
from empathy_env.measures.reweighting import (
    effective_size,
    reweighted_success,
    tail_shape,
)

log_weights = st.lists(st.floats(-30, 30), min_size=1, max_size=40)


def reweighted(talks, **options):
    return reweighted_success([t.scored for t in talks], [t.success for t in talks], **options)


def success(talk):
    return float(talk.success)


def weight(talk):
    return math.exp(talk.scored.log_ratio)


RATE = small_talks.exact(success, "base")


def test_the_expectation_of_weighted_success_is_the_rate_of_the_base():
    assert small_talks.exact(lambda t: success(t) * weight(t)) == pytest.approx(RATE, rel=1e-12)
    assert small_talks.exact(weight) == pytest.approx(1.0)
    assert RATE < 0.5 * small_talks.exact(success)


@given(st.floats(0.01, 100))
def test_the_expectation_of_the_cut_mean_is_no_higher(cut):
    cut_mean = small_talks.exact(lambda t: success(t) * min(weight(t), cut), kinds=[7])
    assert cut_mean <= small_talks.exact(success, "base", kinds=[7]) + 1e-12


def test_many_talks_find_the_rate_of_the_base():
    chance = np.random.default_rng(0)
    talks = [one for kind in range(24) for one in small_talks.drawn(chance, kind, talks=400)]
    found = reweighted(talks, cut=0.2)
    assert found.doubt == ""
    assert found.estimate.mean == pytest.approx(RATE, rel=0.06)
    assert found.estimate.low < RATE < found.estimate.high
    cut_mean = small_talks.exact(lambda t: success(t) * min(weight(t), 0.2))
    assert found.bound.mean == pytest.approx(cut_mean, rel=0.06)
    assert found.bound.mean < 0.8 * found.estimate.mean
    assert found.mass == pytest.approx(1.0, abs=0.05)
    assert found.estimate.size == len(talks) == 9600
    expected = small_talks.exact(weight) ** 2 / small_talks.exact(lambda t: weight(t) ** 2)
    assert found.effective_size / len(talks) == pytest.approx(expected, rel=0.1)


def test_the_interval_covers_the_rate_of_the_base_at_about_the_nominal_rate():
    chance, covered, bounded, told, runs = np.random.default_rng(1), 0, 0, 0, 200
    for _ in range(runs):
        talks = [
            talk
            for number, kind in enumerate(chance.integers(24, size=20))
            for talk in small_talks.drawn(chance, int(kind), 20, persona=f"p{number}")
        ]
        found = reweighted(talks)
        told += not found.doubt
        covered += found.estimate.low <= RATE <= found.estimate.high
        bounded += found.bound.low <= RATE
    assert told > 0.8 * runs
    assert 0.88 <= covered / told <= 0.99
    assert bounded / runs >= 0.94


def test_where_weights_are_cut_is_the_callers_to_say():
    talks = [ScoredTalk("pq"[n % 2], (-1.0,), (-1.0,)) for n in range(60)]
    found = reweighted_success(talks, [n % 4 == 0 for n in range(60)], cut=0.05)
    assert (found.estimate.mean, found.cut) == (0.25, 0.05)
    assert found.bound.mean == pytest.approx(0.0125)
    assert reweighted_success(talks, [True] * 60).cut == math.sqrt(60)


def test_a_success_that_is_rare_for_the_base_is_measured_from_few_talks():
    """The trained agent does always what the base does once in a million talks."""
    talks = [ScoredTalk(f"p{n % 8}", (-0.01,), (math.log(1e-6) - 0.01,)) for n in range(200)]
    found = reweighted_success(talks, [True] * 200)
    assert found.estimate.mean == found.bound.mean == pytest.approx(1e-6)
    assert found.mass == pytest.approx(1e-6)
    assert found.effective_size == pytest.approx(200)
    assert found.tail == -math.inf
    assert found.doubt == ""


def test_what_the_base_never_does_has_no_weight():
    talks = [ScoredTalk(f"p{n % 8}", (-0.1,), (-math.inf,)) for n in range(200)]
    found = reweighted_success(talks, [True] * 200)
    assert found.mass == 0.0
    assert math.isnan(found.effective_size)
    assert math.isnan(found.estimate.mean)  # that the base has no success is not known from this
    assert found.doubt.startswith("undetermined")


def test_few_effective_talks_are_refused_bound_and_all():
    talks = [ScoredTalk(f"p{n % 8}", (-5.0,), (-5.0 - 4.0 * (n > 3),)) for n in range(200)]
    found = reweighted_success(talks, [True] * 200)
    assert 10 < found.effective_size < 20
    assert "talks, and 20 are needed" in found.doubt
    assert math.isnan(found.estimate.mean)
    assert math.isnan(found.bound.mean)
    assert math.isnan(found.bound.low)


def heavy(shape, size):
    """Talks whose weights are the quantiles of a Pareto tail of this shape with mean 1."""
    draws = ((np.arange(size) + 0.5) / size) ** -shape * (1 - shape)
    return [
        ScoredTalk(f"p{n % 8}", (-30.0,), (min(0.0, -30.0 + math.log(draw)),))
        for n, draw in enumerate(draws)
    ]


@pytest.mark.parametrize(("talks", "told"), [(19, False), (20, True)])
def test_a_bound_takes_twenty_effective_talks(talks, told):
    even = [ScoredTalk("pq"[n % 2], (-1.0,), (-1.0,)) for n in range(talks)]
    assert math.isfinite(reweighted_success(even, [True] * talks).bound.mean) == told


def test_a_heavy_tail_is_refused_but_for_the_bound():
    found = reweighted_success(heavy(0.8, 4000), [True] * 4000)
    assert found.tail > 0.7
    assert "Pareto-k is 0." in found.doubt
    assert math.isnan(found.estimate.mean)
    assert found.bound.low <= found.bound.mean <= 1.0
    assert found.cut == math.sqrt(4000)
    light = reweighted_success(heavy(0.2, 4000), [True] * 4000)
    assert light.doubt == ""
    assert light.estimate.mean == pytest.approx(1.0, abs=0.05)


def test_exchanged_policies_are_found_out():
    """A mean weight of 20 or more has a chance of at most one in twenty."""
    talks = [ScoredTalk(f"p{n % 8}", (-4.0,), (-0.5 - n / 1000,)) for n in range(200)]
    found = reweighted_success(talks, [True] * 200)
    assert found.mass > 20
    assert "exchanged" in found.doubt
    assert math.isnan(found.bound.mean)


def test_weights_too_large_for_a_float_are_refused_and_not_overflown():
    talks = [ScoredTalk("p", (-600.0,) * 5, (-1.0,) * 5) for _ in range(40)]
    found = reweighted_success(talks, [True] * 40)
    assert found.mass == math.inf
    assert "exchanged" in found.doubt
    mixed = [*talks, ScoredTalk("p", (-1.0,), (-4000.0,))]
    assert reweighted_success(mixed, [True] * 41).mass == math.inf
    tiny = [ScoredTalk("pq"[n % 2], (-1.0,) * 5, (-600.0,) * 5) for n in range(40)]
    found = reweighted_success(tiny, [True] * 40)
    assert found.estimate.mean == found.mass == 0.0
    assert found.effective_size == 40.0


def test_too_few_weights_above_the_rest_are_no_tail_to_judge():
    talks = [ScoredTalk("pq"[n % 2], (-3.0,), (-3.0 + 0.1 * (n < 3),)) for n in range(200)]
    found = reweighted_success(talks, [True] * 200)
    assert math.isnan(found.tail)
    assert "too few of 200 weights" in found.doubt
    assert math.isnan(found.estimate.mean)
    assert found.bound.mean == pytest.approx(1.0, abs=0.01)


def test_the_interval_is_over_personas():
    talks = [ScoredTalk("pq"[n % 2], (-1.0,), (-1.0,)) for n in range(60)]
    found = reweighted_success(talks, [n % 2 == 0 for n in range(60)])
    assert found.estimate == (0.5, 0.0, 1.0, 60)
    alone = reweighted_success([talks[0]] * 60, [True] * 60)
    assert math.isnan(alone.estimate.low)


@pytest.mark.parametrize(
    ("talks", "successes", "cut", "words"),
    [
        (0, 0, None, "at least one talk"),
        (2, 1, None, "talks has 2"),
        (1, 1, 0.0, "cut=0"),
        (1, 1, math.nan, "cut=nan"),
    ],
)
def test_what_cannot_be_weighed_is_refused(talks, successes, cut, words):
    with pytest.raises(InvalidArgument, match=words):
        reweighted_success([ScoredTalk("p", (-1.0,), (-1.0,))] * talks, [True] * successes, cut=cut)


@given(log_weights)
def test_the_effective_size_is_between_1_and_the_number_of_talks(logs):
    assert 1.0 <= effective_size(logs) <= len(logs)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any))
def test_the_effective_size_is_the_squared_sum_over_the_sum_of_squares(weights):
    logs = [math.log(weight) if weight else -math.inf for weight in weights]
    expected = sum(weights) ** 2 / sum(weight**2 for weight in weights)
    assert effective_size(logs) == pytest.approx(expected)


@given(log_weights, st.floats(-900, 900), st.randoms())
def test_diagnostics_know_neither_the_scale_nor_the_order_of_weights(logs, shift, rng):
    logs = [round(log, 3) for log in logs]
    moved = [log + shift for log in logs]
    rng.shuffle(moved)
    assert effective_size(moved) == pytest.approx(effective_size(logs))
    assert tail_shape(moved) == pytest.approx(tail_shape(logs), nan_ok=True, rel=1e-4, abs=1e-6)


@given(log_weights, st.floats(-30, 30))
def test_cutting_weights_never_lowers_the_effective_size(logs, cut):
    assert effective_size([min(log, cut) for log in logs]) >= effective_size(logs) - 1e-9


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.8, 1.2])
def test_the_shape_of_a_tail_of_known_shape_is_found(shape):
    """u^-k has a Pareto tail of shape k, exactly, above any threshold."""
    chance = np.random.default_rng(6)
    found = [tail_shape(-shape * np.log(chance.random(5000))) for _ in range(60)]
    assert fmean(found) == pytest.approx(shape, abs=0.04)


def test_the_fit_leans_to_a_half_by_ten_of_its_size():
    """An exponential tail has shape 0: of the 85 largest of 800 exceedances, 10 / 95 of 0.5."""
    chance = np.random.default_rng(7)
    found = [tail_shape(np.log(50 + chance.exponential(size=800))) for _ in range(300)]
    assert fmean(found) == pytest.approx(0.5 * 10 / 95, abs=0.03)


def fitted(exceedances):
    """Zhang and Stephens' estimate, summand by summand, and the prior of ten values at a half."""
    values = sorted(exceedances)
    size, points = len(values), 30 + int(math.sqrt(len(values)))
    quartile = values[int(size / 4 + 0.5) - 1]
    grid = [
        1 / values[-1] + (1 - math.sqrt(points / (number - 0.5))) / (3 * quartile)
        for number in range(1, points + 1)
    ]
    shapes = [fmean(math.log1p(-theta * value) for value in values) for theta in grid]
    profile = [
        size * (math.log(-theta / shape) - shape - 1)
        for theta, shape in zip(grid, shapes, strict=True)
    ]
    chances = [1 / sum(math.exp(other - one) for other in profile) for one in profile]
    best = sum(theta * chance for theta, chance in zip(grid, chances, strict=True))
    return (size * fmean(math.log1p(-best * value) for value in values) + 5) / (size + 10)


@pytest.mark.parametrize(("size", "count"), [(24, 5), (25, 5), (200, 40), (400, 60)])
def test_the_shape_is_that_of_the_largest_weights_above_the_next(size, count):
    weights = np.sort(np.random.default_rng(size).pareto(2.0, size) + 1)
    exceedances = weights[-count:] - weights[-count - 1]
    assert tail_shape(np.log(weights)) == pytest.approx(fitted(exceedances), rel=1e-6)


def test_weights_over_thousands_of_nats_do_not_overflow():
    assert 0.7 < tail_shape([-30.0 * number for number in range(100)]) < math.inf


def test_bounded_weights_have_a_light_tail():
    chance = np.random.default_rng(8)
    assert tail_shape(np.log(chance.random(2000))) < 0.0


def test_equal_weights_have_no_tail_even_if_rounded():
    assert tail_shape([0.0] * 100) == -math.inf
    assert tail_shape([n * 1e-15 for n in range(100)]) == -math.inf
    assert math.isnan(tail_shape([0.0] * 20))  # a fifth of twenty is four
    assert tail_shape([0.0] * 21) == -math.inf


@pytest.mark.parametrize("figure", [effective_size, tail_shape])
@pytest.mark.parametrize("logs", [[], [0.0, math.nan], [math.inf]])
def test_weights_that_are_none_are_refused(figure, logs):
    with pytest.raises(InvalidArgument, match="log_weights"):
        figure(logs)


def test_weights_of_0_alone_say_nothing():
    assert math.isnan(effective_size([-math.inf] * 3))
    assert tail_shape([-math.inf] * 100) == -math.inf
