import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures.support import (
    FATES,
    RULINGS,
    attempts_to_certify,
    chance,
    fate,
    solvable,
    support,
    threshold,
    tries_to_solve,
    verdict,
)

budgets = st.integers(1, 10**6)


@given(budgets)
def test_at_the_threshold_so_many_tries_fail_in_five_of_a_hundred(budget):
    assert (1 - threshold(budget)) ** budget == pytest.approx(0.05, rel=1e-6)


@given(st.integers(1, 2000))
def test_so_many_failures_certify_and_one_fewer_does_not(budget):
    needed = attempts_to_certify(budget)
    assert chance(0, needed).high < 0.05 / budget
    assert chance(0, needed - 1).high >= 0.05 / budget


def test_the_published_sizes_of_a_certificate():
    assert attempts_to_certify(100) == 5_990
    # Rounded to the nearest it is 59,913, with which the bound is not yet below 0.05 / 1000.
    assert attempts_to_certify(1000) == 59_914
    assert attempts_to_certify(100, confidence=0.99) > 5_990


def test_each_bound_of_a_chance_holds_at_95_percent_of_its_own():
    known = chance(3, 10)
    assert known.rate == 0.3
    # One-sided: the chance of 3 or fewer at `high`, and of 3 or more at `low`, is 5 %.
    for end, counts in ((known.high, range(4)), (known.low, range(3, 11))):
        tail = sum(math.comb(10, c) * end**c * (1 - end) ** (10 - c) for c in counts)
        assert tail == pytest.approx(0.05)
    assert math.isnan(chance(0, 0).rate)
    assert (chance(0, 0).low, chance(0, 0).high) == (0.0, 1.0)


def test_a_cell_is_solvable_unsolvable_or_open():
    assert solvable(chance(9, 10), 1) is None
    assert solvable(chance(60, 60), 1) is True
    assert solvable(chance(3, 100), 100) is None
    assert solvable(chance(10, 100), 100) is True
    assert solvable(chance(0, 99), 100) is None
    assert solvable(chance(1, 130), 100) is None
    assert solvable(chance(0, 0), 100) is None


YES, NO, OPEN = chance(50, 64), chance(0, 64), chance(8, 64)


@given(budgets)
def test_no_success_in_as_many_episodes_as_tries_shows_that_these_will_not_do(budget):
    assert solvable(chance(0, budget), budget) is False


def test_the_five_fates():
    assert fate(YES, YES, 16) == "preserved"
    assert fate(NO, YES, 16) == "expanded"
    assert fate(YES, NO, 16) == "shrunk"
    assert fate(NO, NO, 16) == "out of reach"
    for base, trained in ((OPEN, YES), (YES, OPEN), (NO, OPEN), (OPEN, OPEN)):
        assert fate(base, trained, 16) == "undetermined"


def test_rates_are_those_of_their_definitions():
    cells = {
        "a": ["preserved"] * 6 + ["shrunk"] * 2,
        "b": ["expanded"] * 3,
        "c": ["out of reach"] * 4,
        "d": ["undetermined"] * 5,
        "e": ["preserved", "shrunk"],
    }
    found = support(cells)
    assert found.counts == dict(zip(FATES, (7, 3, 3, 4, 5), strict=True))
    assert found.undetermined.mean == 5 / 22
    assert found.retained.mean == 7 / 10
    assert found.discovered.mean == 3 / 10
    assert found.balance.mean == pytest.approx(2 * 0.7 * 0.3 / 1.0)
    assert found.net.mean == 0.0
    assert [one.size for one in (found.undetermined, found.retained, found.net)] == [22, 10, 13]
    assert found.undetermined.low < 5 / 22 < found.undetermined.high


def test_the_net_rate_is_positive_where_more_is_gained_than_lost():
    found = support({"a": ["expanded", "expanded", "shrunk", "preserved"]})
    assert found.net.mean == 0.25
    assert found.retained.mean == 0.5
    assert found.discovered.mean == pytest.approx(2 / 3)


def test_what_has_no_denominator_is_nan_and_never_zero():
    found = support({"a": ["undetermined"], "b": ["out of reach"]})
    assert found.undetermined.mean == 0.5
    for one in (found.retained, found.discovered, found.balance, found.net):
        assert math.isnan(one.mean)
        assert math.isnan(one.low)
    assert support({"a": ["shrunk", "expanded"]}).balance.mean == 0.0


def test_the_interval_resamples_whole_personas():
    """Ten cells of one persona are alike: as many cells of ten personas say more."""
    one_each = {f"p{n}": ["preserved" if n % 2 else "shrunk"] * 1 for n in range(50)}
    ten_each = {f"p{n}": ["preserved" if n % 2 else "shrunk"] * 10 for n in range(5)}
    many, few = support(one_each).retained, support(ten_each).retained
    assert many.size == few.size == 50
    assert few.high - few.low > 2 * (many.high - many.low)
    # Binomially: 0.5 plus or minus 1.96 sqrt(0.25 / 50).
    assert many.low == pytest.approx(0.36, abs=0.03)


@pytest.mark.parametrize(("personas", "known"), [(4, False), (5, True)])
def test_few_personas_give_no_interval(personas, known):
    fates = {f"p{n}": ["preserved"] * n + ["shrunk"] * (5 - n) for n in range(personas)}
    found = support(fates)
    assert 0 < found.retained.mean < 1
    assert math.isnan(found.retained.low) is not known


def test_what_all_personas_agree_on_has_no_interval():
    found = support({f"p{n}": ["preserved", "undetermined"] for n in range(9)})
    assert found.retained.mean == 1.0
    assert math.isnan(found.retained.low)
    assert math.isnan(found.undetermined.high)


def test_no_cell_is_refused():
    for nothing in ({}, {"a": []}):
        with pytest.raises(InvalidArgument, match="fates hold no cell"):
            support(nothing)


def test_tries_to_solve():
    found = tries_to_solve(5, 20)
    assert found.mean == 4.0
    # Clopper and Pearson's 95 % of 5 in 20 is [0.0866, 0.4910].
    assert found.low == pytest.approx(1 / 0.4910, rel=1e-3)
    assert found.high == pytest.approx(1 / 0.0866, rel=1e-3)
    never = tries_to_solve(0, 20)
    assert never.mean == never.high == math.inf
    assert never.low == pytest.approx(1 / 0.1684, rel=1e-3)
    nothing = tries_to_solve(0, 0)
    assert math.isnan(nothing.mean)
    assert (nothing.low, nothing.high) == (1.0, math.inf)


def test_bounds_and_tries_to_solve_cover_the_exact_chance_as_often_as_they_say():
    """Of 2,000 draws a coverage of 0.95 is measured to within 0.015; these are conservative."""
    rng = np.random.default_rng(7)
    draws, n = 2000, 60
    chances = rng.beta(0.6, 2.0, size=draws)
    wins = rng.binomial(n, chances)
    low = high = both = 0
    for p, c in zip(chances.tolist(), wins.tolist(), strict=True):
        known, tries = chance(c, n), tries_to_solve(c, n)
        low += known.low <= p
        high += p <= known.high
        both += tries.low <= 1 / p <= tries.high
    assert min(low, high, both) / draws >= 0.94
    assert both / draws <= 0.99


def test_the_four_rulings():
    enough = attempts_to_certify(100)
    assert verdict(chance(5, 100), chance(60, 64), 100).ruling == "elicited"
    assert verdict(chance(0, enough), chance(60, 64), 100).ruling == "created"
    assert verdict(chance(5, 100), chance(0, 100), 100).ruling == "not reached"
    assert verdict(chance(0, enough), chance(0, 99), 100).ruling == "undetermined"
    assert set(RULINGS) == {"elicited", "created", "not reached", "undetermined"}


def test_each_condition_of_a_ruling_is_needed():
    enough = attempts_to_certify(100)
    few = verdict(chance(0, enough - 1), chance(60, 64), 100)
    assert few.ruling == "undetermined"
    assert "5990 failures would certify" in few.why
    # One success of the base in 5,990 is below 1 / K, and yet no certificate.
    assert verdict(chance(1, enough), chance(60, 64), 100).ruling == "undetermined"
    assert verdict(chance(1, 101), chance(60, 64), 100).ruling == "undetermined"
    assert verdict(chance(1, 100), chance(60, 64), 100).ruling == "elicited"
    seldom = verdict(chance(0, enough), chance(1, 101), 100)
    assert seldom.ruling == "undetermined"
    assert "less than once in the budget" in seldom.why
    assert verdict(chance(0, 0), chance(60, 64), 100).why == "no episode of the base counts"
    assert verdict(chance(0, 0), chance(0, 0), 100).ruling == "undetermined"


def test_what_a_control_solved_was_not_created():
    base, trained = chance(0, attempts_to_certify(10)), chance(60, 64)
    assert verdict(base, trained, 10, controls=[chance(0, 64)] * 2).ruling == "created"
    solved = verdict(base, trained, 10, controls=[chance(0, 64), chance(1, 64)])
    assert solved.ruling == "undetermined"
    assert "control" in solved.why
    # A control takes nothing away from what the base can do itself.
    assert verdict(chance(9, 10), trained, 10, controls=[chance(1, 1)]).ruling == "elicited"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (lambda: threshold(0), "budget=0"),
        (lambda: attempts_to_certify(0), "budget=0"),
        (lambda: attempts_to_certify(10, confidence=1.0), "confidence=1.0"),
        (lambda: chance(1, 2, confidence=0.5), "confidence=0.5"),
        (lambda: verdict(YES, YES, 0), "budget=0"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, problem):
    with pytest.raises(InvalidArgument, match=problem):
        wrong()
