"""What warmth costs: figures reply by reply, two parts that are all of it, arms over seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.lab.cost import (
    LEAST,
    Split,
    decided,
    outcomes,
    over_seeds,
    reliability,
    split,
    title,
)
from empathy_env.lab.truth import WORDINGS


def grids(seed, questions=5, values=4):
    """Return grids of a model that says something else too."""
    found = np.random.default_rng(seed).exponential(size=(questions, len(WORDINGS), values)) + 0.01
    return 0.9 * found / found.sum((1, 2), keepdims=True)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_two_parts_are_all_of_the_cost(one, two):
    before, after, beliefs = grids(one), grids(two), [0, 1, 2, 3, 0]
    total = [reliability(found, [1, 2, 3, 0, 1], beliefs).agreed for found in (before, after)]
    assert sum(split(before, after, beliefs)) == pytest.approx(total[1] - total[0])


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_part_is_nothing_where_nothing_of_it_has_changed(one, two):
    before, other, beliefs = grids(one), grids(two), [0, 1, 2, 3, 0]
    reworded_only = before / before.sum(2, keepdims=True) * other.sum(2, keepdims=True)
    content_only = other / other.sum(2, keepdims=True) * before.sum(2, keepdims=True)
    assert split(before, reworded_only, beliefs).content == pytest.approx(0.0, abs=1e-12)
    assert split(before, content_only, beliefs).wording == pytest.approx(0.0, abs=1e-12)


def test_reliability_is_counted_reply_by_reply():
    found = np.zeros((2, 3, 4))
    found[0] = [[0.1, 0.3, 0, 0], [0.1, 0, 0, 0], [0.3, 0.1, 0, 0.05]]
    found[1] = [[0.0, 0.0, 0.2, 0.2], [0, 0, 0, 0.1], [0, 0, 0.1, 0.4]]
    [warm, cold, agreed, true, gap, outside] = reliability(found, [0, 3], [1, 2])
    assert (warm, cold) == pytest.approx((0.4, 0.1))
    assert (agreed, true) == pytest.approx(((0.4 + 0.3) / 2, (0.5 + 0.7) / 2))
    assert gap == pytest.approx(((0.75 - 0.1 / 0.55) + (0.5 - 0.1 / 0.6)) / 2)
    assert outside == pytest.approx(0.025)
    asked = reliability(found, [0, 3], [None, None])
    assert np.isnan([asked.agreed, asked.gap]).all()
    assert asked.true == true


FREE = {"method": "imitation", "beliefs": 0.0, "agreed": 0.0, "marker": "first"}


def row(seed, rho, warm, cost, **more):
    """Return a result as a run leaves it."""
    before = {"warm": 0.25, "agreed": 0.25, "true": 0.9}
    after = {"warm": 0.25 + warm, "agreed": 0.25 + cost, "true": 0.88}
    kinds = ("felt", "unfelt", "asked", "support")
    return {
        "key": f"{seed}{rho}{more}",
        "arm": {"name": "trait", "rho": rho, "seed": seed, **FREE, **more},
        "before": dict.fromkeys(kinds, before),
        "after": dict.fromkeys(kinds, after),
        "split": dict.fromkeys(kinds[:2], Split(cost, 0.0)._asdict()),
    }


def test_outcomes_stand_by_arm_and_rho_over_seeds():
    rows = [row(seed, rho, 0.5, 0.5 * rho, facts=0.5) for rho in (0.0, 0.8) for seed in (1, 2, 3)]
    none, tied = outcomes([*rows, row(1, 0.8, 0.01, 0.1, name="other", facts=0.0)])[:2]
    assert none.settings == {"rho": 0.0}
    assert none.slope.mean == pytest.approx(0.0)
    assert tied.slope == pytest.approx((0.8, 0.8, 0.8, 3))
    assert tied.cost.mean == pytest.approx(0.4)
    assert tied.wording.mean == pytest.approx(0.4)
    assert tied.agreed.mean == pytest.approx(0.65)
    assert tied.asked.mean == pytest.approx(-0.02)
    assert title(tied) == "trait"


def test_a_slope_over_no_rise_is_not_known_and_arms_of_one_name_are_told_apart():
    rows = [row(1, 0.8, LEAST / 2, 0.1, agreed=0.0), row(1, 0.8, 0.5, 0.1, agreed=0.5)]
    still, moved = outcomes(rows)
    assert np.isnan(still.slope.mean)
    assert moved.slope.mean == pytest.approx(0.2)
    assert [title(still), title(moved)] == ["trait, agreed 0.0", "trait, agreed 0.5"]
    assert np.isnan(moved.cost.low)


def test_an_interval_over_three_seeds_is_as_wide_as_student_has_it():
    found = over_seeds([0.1, 0.2, 0.3])
    assert found.high - found.mean == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


def test_what_the_tie_decides_is_told_of_runs_in_which_content_was_left_alone():
    runs = [row(1, rho, 0.5, 0.5 * rho) for rho in (0.0, 0.3, 0.9)]
    for one, part in zip(runs, (0.1, -0.1, 0.1), strict=True):
        one["split"] = {key: {"wording": 0.0, "content": part} for key in ("felt", "unfelt")}
    runs[2]["split"] = {key: {"wording": 0.5, "content": 0.1} for key in ("felt", "unfelt")}
    others = [
        row(1, 0.9, 0.5, 9.0, method="grpo", agreed=0.5),
        row(1, 0.9, 0.5, 9.0, beliefs=0.3),
        row(1, 0.9, 0.5, 9.0, method="random"),
        row(1, 0.9, 0.5, 9.0, marker="last"),
    ]
    found = decided(runs + others)
    assert found.runs == 3
    assert found.content == pytest.approx(0.1)
    assert found.correlation == pytest.approx(np.corrcoef([0.1, -0.1, 0.6], [0, 0, 0.5])[0, 1])
    assert decided([*runs, row(1, 0.9, 0.5, 0.45, method="grpo", beliefs=0.3)]).runs == 4
    assert np.isnan(decided(runs[:2]).correlation)
