import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures.ceiling import ceiling, curves_of
from empathy_env.measures.rates import max_at, min_at, pass_at

TRIES = (1, 2, 4, 8)
NAMES = [f"p{number}" for number in range(6)]
shares = st.lists(st.floats(0.0, 1.0), min_size=len(TRIES), max_size=len(TRIES))
tables = st.fixed_dictionaries({name: shares for name in NAMES})


def made(rows):
    return {f"p{number}": list(row) for number, row in enumerate(rows)}


def test_a_persona_counts_once_however_many_units_it_has():
    units = {"ana": [[1.0, 0.0, 0.0, 0.0]] * 3 + [[0.0] * 4], "ben": [[1.0] * 4]}
    curves = curves_of(units, (1, 2, 4), max_at)
    assert curves["ana"] == pytest.approx([0.75 * pass_at(1, 4, k) for k in (1, 2, 4)])
    assert curves["ben"] == (1.0, 1.0, 1.0)
    assert curves_of({"ana": [[10.0, 30.0]]}, (1, 2), min_at)["ana"] == (20.0, 10.0)


def test_a_unit_with_too_few_episodes_is_refused():
    with pytest.raises(InvalidArgument, match="'ana' have as few as 1 episodes"):
        curves_of({"ana": [[1.0, 0.0], [1.0]]}, (1, 2), max_at)


@settings(max_examples=30)
@given(tables, tables, tables)
def test_figures_are_those_of_their_definitions(base, one, other):
    found = ceiling(base, [one, other], tries=TRIES, resamples=50)
    for place in range(len(TRIES)):
        before = np.mean([base[name][place] for name in NAMES])
        after = np.mean([run[name][place] for run in (one, other) for name in NAMES])
        assert found.base[place].mean == pytest.approx(before)
        assert found.trained[place].mean == pytest.approx(after)
        assert found.difference[place].mean == pytest.approx(after - before, abs=1e-12)
    assert found.gap.mean == pytest.approx(found.base[-1].mean - found.trained[0].mean, abs=1e-12)
    # Trapezoids over log2 k, each one wide.
    heights = [value.mean for value in found.base]
    area = sum((a + b) / 2 for a, b in pairwise(heights)) / 3
    assert found.base_area.mean == pytest.approx(area)
    assert found.area.mean == pytest.approx(
        found.trained_area.mean - found.base_area.mean, abs=1e-12
    )
    leads = [value.mean for value in found.difference]
    if leads[0] <= 0:
        assert math.isnan(found.crossover.mean)
    else:
        lost = [k for k, lead in zip(TRIES, leads, strict=True) if lead <= 1e-12]
        assert found.crossover.mean == (lost[0] if lost else math.inf)


def test_the_area_is_over_the_logarithm_of_unequal_steps():
    rows = made([[0.0, 1.0, 1.0]] * 5)
    found = ceiling(rows, [rows], tries=(1, 2, 16))
    assert found.base_area.mean == pytest.approx((0.5 * 1 + 1.0 * 3) / 4)
    assert math.isnan(ceiling(made([[0.1]] * 5), [made([[0.2]] * 5)], tries=[1]).area.mean)


def test_the_intervals_are_those_of_all_resamples_of_personas():
    """With five personas all 5^5 resamples can be listed."""
    lead = [0.0, 0.1, 0.2, 0.3, 0.9]
    found = ceiling(
        made([[0.0]] * 5), [made([value] for value in lead)], tries=[1], resamples=40_000
    )
    # Student's t with 4 degrees of freedom, and 5/4 for a variance over n, say this tail.
    tail = 0.5 * math.erfc(2.7764451 * math.sqrt(5 / 4) / math.sqrt(2))
    every = [np.mean(one) for one in product(lead, repeat=5)]
    low, high = np.quantile(every, [tail, 1 - tail])
    assert found.difference[0].low == pytest.approx(low, abs=0.02)
    assert found.difference[0].high == pytest.approx(high, abs=0.02)
    assert found.difference[0].size == 5


def test_both_policies_are_resampled_together():
    """Personas differ widely, and each gains the same: paired, the gain is certain."""
    base = made([value / 10] * 2 for value in range(9))
    trained = made([value / 10 + 0.1 + 0.001 * (value % 2)] * 2 for value in range(9))
    found = ceiling(base, [trained], tries=[1, 2])
    assert found.difference[0].low == pytest.approx(0.1, abs=0.002)
    assert found.difference[0].high == pytest.approx(0.1, abs=0.002)
    assert found.base[0].high - found.base[0].low > 0.2
    assert found.band[0] == pytest.approx((0.1, 0.101), abs=0.002)


def test_what_is_alike_in_all_personas_has_no_interval():
    """The bootstrap would say [1, 1], and claim that no persona fails."""
    base = made([value / 10, 1.0] for value in range(9))
    found = ceiling(base, [made([value / 20, 1.0] for value in range(9))], tries=[1, 2])
    for one in (found.base[1], found.trained[1], found.difference[1]):
        assert math.isnan(one.low)
        assert math.isnan(one.high)
    assert math.isnan(found.band[1].low)
    assert found.base[0].low < 0.4 < found.base[0].high
    assert found.band[0].low < -0.2 < found.band[0].high


def test_the_order_of_personas_decides_nothing_and_the_seed_does():
    rng = np.random.default_rng(0)
    base, trained = made(rng.random((8, 2))), made(rng.random((8, 2)))
    turned = {name: trained[name] for name in reversed(trained)}
    first = ceiling(base, [trained], tries=[1, 2], resamples=300)
    assert ceiling(base, [turned], tries=[1, 2], resamples=300) == first
    assert ceiling(base, [trained], tries=[1, 2], resamples=300, seed=1) != first


def test_the_band_is_wider_than_each_interval_and_narrower_than_bonferroni():
    rng = np.random.default_rng(2)
    base, trained = made(rng.normal(size=(40, 4))), made(rng.normal(size=(40, 4)))
    found = ceiling(base, [trained], tries=TRIES)
    strict = ceiling(base, [trained], tries=TRIES, level=1 - 0.05 / 4)
    for one, ends, wide in zip(found.difference, found.band, strict.difference, strict=True):
        assert ends.high - ends.low > one.high - one.low
        assert ends.high - ends.low < 1.05 * (wide.high - wide.low)


def test_a_crossover_may_be_at_infinity():
    base = made([[0.1, 0.5]] * 6)
    never = ceiling(base, [made([[0.6, 0.9]] * 6)], tries=[1, 2])
    assert never.crossover == (math.inf, math.inf, math.inf, 6)
    always = ceiling(base, [made([[0.6, 0.4]] * 6)], tries=[1, 2])
    assert always.crossover == (2.0, 2.0, 2.0, 6)
    none = ceiling(base, [made([[0.1, 0.9]] * 6)], tries=[1, 2])
    assert math.isnan(none.crossover.mean)
    assert math.isnan(none.crossover.low)


def test_a_tie_is_no_lead():
    full = ceiling(made([[0.1, 1.0]] * 6), [made([[0.6, 1.0]] * 6)], tries=[1, 2])
    assert full.crossover == (2.0, 2.0, 2.0, 6)
    rounded = ceiling(made([[0.1, 0.3]] * 6), [made([[0.6, 0.1 + 0.2]] * 6)], tries=[1, 2])
    assert rounded.crossover.mean == 2.0
    none = ceiling(made([[0.3, 0.1]] * 6), [made([[0.1 + 0.2, 0.5]] * 6)], tries=[1, 2])
    assert math.isnan(none.crossover.mean)


def test_an_uncertain_crossover_reaches_from_a_number_to_infinity():
    rng = np.random.default_rng(3)
    base = made([0.0, 0.0, 0.0] for _ in range(20))
    lead = made([0.5, 0.2, noise] for noise in rng.normal(-0.02, 0.2, size=20))
    found = ceiling(base, [lead], tries=[1, 2, 4])
    assert found.crossover.low == 4.0
    assert found.crossover.high == math.inf


def test_the_ends_of_a_crossover_are_resamples_taken_outward():
    """Of two resamples one is the lower end and one the upper: nothing lies between 4 and never."""
    rng = np.random.default_rng(3)
    base = made([0.0, 0.0, 0.0] for _ in range(20))
    lead = made([0.5, 0.2, noise] for noise in rng.normal(-0.02, 0.2, size=20))
    ends = {
        ceiling(base, [lead], tries=[1, 2, 4], resamples=2, seed=seed).crossover[1:3]
        for seed in range(12)
    }
    assert (4.0, math.inf) in ends
    assert ends <= {(4.0, 4.0), (4.0, math.inf), (math.inf, math.inf)}


def test_a_resample_without_a_lead_has_lost_it_at_one_try():
    rng = np.random.default_rng(4)
    lead = made([noise, -1.0] for noise in rng.normal(0.05, 0.2, size=20))
    found = ceiling(made([[0.0, 0.0]] * 20), [lead], tries=[1, 2])
    assert (found.crossover.low, found.crossover.mean, found.crossover.high) == (1.0, 2.0, 2.0)


def all_intervals(found):
    return (*found.trained, *found.difference, found.crossover, found.gap, found.area)


def test_few_personas_give_no_interval():
    rng = np.random.default_rng(5)
    found = ceiling(made(rng.random((4, 2))), [made(rng.random((4, 2)))], tries=[1, 2])
    assert all(math.isnan(one.low) for one in (*found.base, *all_intervals(found)))
    assert all(math.isnan(ends.high) for ends in found.band)
    enough = ceiling(made(rng.random((5, 2))), [made(rng.random((5, 2)))], tries=[1, 2])
    assert not any(math.isnan(one.low) for one in (*enough.base, *enough.trained))


def test_two_runs_give_the_base_an_interval_and_nothing_else():
    rng = np.random.default_rng(6)
    base, one = made(rng.random((9, 2)) / 2), made(rng.random((9, 2)) + 1)
    alone, twice = (ceiling(base, [one] * runs, tries=[1, 2]) for runs in (1, 2))
    for before, after in zip(alone.base, twice.base, strict=True):
        assert after == pytest.approx(before, abs=0.03)
    assert twice.base_area.low == pytest.approx(alone.base_area.low, abs=0.03)
    assert twice.difference[0].mean == pytest.approx(alone.difference[0].mean)
    for found in all_intervals(twice):
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    assert all(math.isnan(ends.low) for ends in twice.band)


def test_runs_that_differ_make_the_interval_wider():
    base = made([0.0] for _ in range(10))
    alike = [made([0.5 + 0.01 * n] for n in range(10)) for _ in range(3)]
    apart = [made([shift + 0.01 * n] for n in range(10)) for shift in (0.3, 0.5, 0.7)]
    one, other = (ceiling(base, runs, tries=[1]).difference[0] for runs in (alike, apart))
    assert one.mean == pytest.approx(other.mean)
    # Three runs with a standard deviation of 0.2: t of two degrees of freedom is 4.303.
    assert (other.high - other.low) / 2 == pytest.approx(4.303 * 0.2 / math.sqrt(3), rel=0.06)
    assert one.high - one.low < 0.06


def test_runs_with_bases_of_their_own_are_compared_each_with_its_own():
    shifts = (0.1, 0.3, 0.5)
    bases = [made([shift + 0.01 * n] for n in range(10)) for shift in shifts]
    trained = [made([shift + 0.2 + 0.02 * n] for n in range(10)) for shift in shifts]
    own = ceiling(bases, trained, tries=[1])
    assert own.difference[0].mean == pytest.approx(0.2 + 0.045)
    assert own.difference[0].high - own.difference[0].low < 0.06
    assert own.base[0].mean == pytest.approx(0.345)
    assert own.base[0].high - own.base[0].low > 0.5  # bases are runs too
    same = ceiling([bases[1]] * 3, trained, tries=[1])
    assert same.difference == ceiling(bases[1], trained, tries=[1]).difference
    two = ceiling(bases[:2], trained[:2], tries=[1])
    assert math.isnan(two.base[0].low)


@pytest.mark.parametrize(
    ("base", "trained", "tries", "problem"),
    [
        ({}, [{}], [1], r"\[0\] personas"),
        ({"a": [1.0]}, [], [1], "0 runs"),
        ([{"a": [1.0]}] * 2, [{"a": [1.0]}], [1], "1 runs, and base is 2"),
        ([{"a": [1.0]}, {"b": [1.0]}], [{"a": [1.0]}] * 2, [1], "different personas"),
        ({"a": [1.0]}, [{"b": [1.0]}], [1], "different personas, such as 'a'"),
        ({"a": [1.0]}, [{"a": [1.0, 2.0]}], [1], "curve of 'a'"),
        ({"a": [math.nan]}, [{"a": [1.0]}], [1], "finite value"),
        ({"a": [1.0]}, [{"a": [1.0]}], [2], "do not rise from 1"),
        ({"a": [1.0, 1.0]}, [{"a": [1.0, 1.0]}], [1, 1], "do not rise from 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(base, trained, tries, problem):
    with pytest.raises(InvalidArgument, match=problem):
        ceiling(base, trained, tries=tries)


def beta_pass(a, b, k):
    """Exact pass@k over personas whose chances are drawn from Beta(a, b): 1 - B(a, b+k)/B(a, b)."""
    logs = math.lgamma(b + k) - math.lgamma(a + b + k) + math.lgamma(a + b) - math.lgamma(b)
    return 1 - math.exp(logs)


BASE, TRAINED = (0.6, 2.0), (1.0, 1.5)
GRID = (1, 4, 8)


def drawn_policies(rng, personas, runs):
    """Base and trained runs of known law; what a run adds to all personas is its own chance."""
    n = 16
    base = rng.binomial(n, rng.beta(*BASE, size=personas))
    trained = rng.binomial(n, rng.beta(*TRAINED, size=personas))

    def table(successes):
        return made([pass_at(int(c), n, k) for k in GRID] for c in successes)

    lifts = rng.normal(0.0, 0.1 if runs > 1 else 0.0, size=runs)
    rows = table(trained)
    return table(base), [
        {name: [value + lift for value in row] for name, row in rows.items()} for lift in lifts
    ]


@pytest.mark.parametrize("runs", [1, 4])
def test_intervals_cover_the_exact_value_as_often_as_they_say(runs):
    """Of 250 draws a true 95 % misses 12.5, give or take 3.4; 0.90 is 3.6 of these away."""
    rng = np.random.default_rng(11)
    draws = 250
    before = [beta_pass(*BASE, k) for k in GRID]
    after = [beta_pass(*TRAINED, k) for k in GRID]
    held = np.zeros((3, len(GRID)))
    at_once = gap = 0
    for number in range(draws):
        base, trained = drawn_policies(rng, 32, runs)
        found = ceiling(base, trained, tries=GRID, resamples=400, seed=number)
        exact = [b - a for a, b in zip(before, after, strict=True)]
        for row, (intervals, values) in enumerate(
            ((found.base, before), (found.trained, after), (found.difference, exact))
        ):
            held[row] += [
                one.low <= value <= one.high for one, value in zip(intervals, values, strict=True)
            ]
        at_once += all(
            ends.low <= value <= ends.high for ends, value in zip(found.band, exact, strict=True)
        )
        gap += found.gap.low <= before[-1] - after[0] <= found.gap.high
    assert held.min() / draws >= 0.90, held / draws
    assert held.max() / draws <= 0.995, held / draws
    assert at_once / draws >= 0.90
    assert gap / draws >= 0.90
