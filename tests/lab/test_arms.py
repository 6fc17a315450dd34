"""Experiments are read whole or refused, and results are put together."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.lab import warmth_arms
from empathy_env.lab.arms import Arm, arms_of, key_of, listed
from empathy_env.lab.grammar import NEEDS
from empathy_env.lab.summary import conditions, rank_correlation, reach, step

THOUGHT = {"name": "x", "world": "bandit", "thoughts": 0.5, "think": "yes"}
EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_lists_stand_for_all_their_combinations():
    arms = arms_of(
        {"all": {"talks": 10}, "arms": [{"name": "x", "dose": [0, 0.1], "seed": [1, 2]}]}
    )
    assert [(arm.dose, arm.seed, arm.talks) for arm in arms] == [
        (0.0, 1, 10),
        (0.0, 2, 10),
        (0.1, 1, 10),
        (0.1, 2, 10),
    ]


def test_an_arm_that_is_given_twice_is_one():
    assert (
        len(arms_of({"arms": [{"name": "x", "seed": [1, 2]}, {"name": "x", "seed": [2, 3]}]})) == 3
    )


def test_a_field_at_its_default_is_not_in_the_key():
    assert key_of(Arm(name="x", counted=0)) == key_of(Arm(name="x"))
    assert key_of(Arm(name="x", counted=9)) != key_of(Arm(name="x"))


def test_keys_tell_arms_apart_and_bases_are_shared():
    one, two = Arm(name="x"), Arm(name="x", credit=0.4)
    assert key_of(one) != key_of(two)
    assert key_of(one.base) == key_of(two.base)
    assert key_of(one.base) != key_of(Arm(name="x", dose=0.2).base)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([], InvalidArgument, "'arms'"),
        ({"arms": [{}]}, InvalidArgument, "'name'"),
        ({"arms": [{"name": "x", "doze": 1}]}, UnknownName, "dose"),
        ({"arms": [], "al": {}}, UnknownName, "all"),
        ({"arms": [{"name": "x", "dose": 2}]}, InvalidArgument, r"dose=2.0 in arm 'x'.*\[0, 1\]"),
        ({"arms": [{"name": "x", "dose": "much"}]}, InvalidArgument, "expected float"),
        ({"arms": [{"name": "x", "seed": True}]}, InvalidArgument, "expected int"),
        ({"arms": [{"name": "x", "world": "bandits"}]}, UnknownName, "bandit"),
        ({"arms": [{"name": "x", "difficulty": "mild"}]}, UnknownName, "gentle"),
        ({"arms": [{"name": "x", "group_size": 1}]}, InvalidArgument, "group_size"),
        ({"arms": [{"name": "x", "think": "maybe"}]}, InvalidArgument, "'yes' or 'no'"),
        ({"arms": [{"name": "x", "think": True}]}, InvalidArgument, "in quotes"),
        ({"arms": [{"name": "x", "tied": 1.0}]}, InvalidArgument, "thoughts above 0"),
        ({"arms": [{**THOUGHT, "tied": 1.0, "dose": 0.3}]}, InvalidArgument, "at most 0.25"),
        ({"arms": [{**THOUGHT, "thoughts": 1.0, "think": "no"}]}, InvalidArgument, "below 1"),
        ({"arms": [{"name": "x", "seed": -1}]}, InvalidArgument, "seed=-1"),
        ({"arms": [{"name": "x", "width": 66}]}, InvalidArgument, "multiple of 4"),
        ({"arms": ["x"]}, InvalidArgument, "arms\\[0\\]='x'"),
        ({"arms": [{"name": "x", "think": True}]}, InvalidArgument, "expected str"),
        ({"arms": [{"name": "x", "think": "yes"}]}, InvalidArgument, "thoughts=0"),
        ({"arms": [{"name": "x", "thoughts": 0.5}]}, InvalidArgument, "think=''"),
        ({"arms": [{**THOUGHT, "world": "environment"}]}, InvalidArgument, "only the bandit"),
        ({"arms": [{**THOUGHT, "method": "imitation"}]}, InvalidArgument, "nor replay"),
        ({"arms": [{**THOUGHT, "demonstrations": 1}]}, InvalidArgument, "demonstrations"),
    ],
)
def test_mistakes_are_named(data, error, message):
    with pytest.raises(error, match=message):
        arms_of(data)


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_experiments_that_come_with_it_can_be_read(path):
    given = yaml.safe_load(path.read_text("utf-8"))
    kind = {"warmth": warmth_arms.Arm, None: Arm}[given.pop("kind", None)]
    assert listed(given, kind)


def row(seed, dose, after, *, wins=4, credit=0.0, name="dose"):
    """Return a result as a run leaves it."""
    registers = {need: [0.9, 0.05, 0.9, 0.9] for need in NEEDS}
    return {
        "key": f"{seed}{dose}{after}{credit}",
        "arm": {"name": name, "dose": dose, "credit": credit, "seed": seed, "group_size": 4},
        "before": {
            "registers": registers,
            "done": registers,
            "samples": [["others_motives", "boss", 1, 8, 40.0 + n] for n in range(6)],
            "kl": 0.0,
        },
        "after": {
            "registers": {**registers, "others_motives": [0.0, after / 2, 0.0, 0.0]},
            "done": {**registers, "others_motives": [0.0, after, 0.0, 0.0]},
            "samples": [["others_motives", "boss", wins, 8, 45.0 + n] for n in range(6)],
            "kl": 2.0,
        },
        "curve": [],
    }


def test_runs_of_one_condition_stand_together_in_the_order_of_their_seeds():
    rows = [row(2, 0.1, 0.9), row(1, 0.0, 0.0), row(1, 0.1, 0.4), row(3, 0.1, 0.8)]
    high, low = conditions(rows)
    assert high.settings == {"dose": 0.1}
    assert high.done == (0.4, 0.9, 0.8)
    assert high.after == (0.2, 0.45, 0.4)
    assert high.acquired == 2
    assert high.gain.mean == pytest.approx(5.0)
    assert high.signal == pytest.approx((1 - 35 / 70,) * 3)  # 1 of 8, in groups of 4
    assert high.prior == (0.05,) * 3
    assert high.others == pytest.approx((0.9,) * 3)
    assert low.done == (0.0,)
    assert low.acquired == 0


def test_results_that_are_older_than_a_field_stand_with_those_that_have_it():
    old, new = row(1, 0.1, 0.9), row(2, 0.1, 0.8)
    new["arm"]["tied"] = 0.0
    [one] = conditions([old, new])
    assert one.done == (0.9, 0.8)
    assert one.talk == {}
    new["arm"]["tied"] = 1.0
    assert [one.settings for one in conditions([old, new])] == [{"tied": 0.0}, {"tied": 1.0}]


def test_entropy_grounding_and_values_stand_before_and_after():
    rows = [row(seed, 0.1, 0.9) for seed in (1, 2)]
    for number, one in enumerate(rows):
        for which, shift in (("before", 0.0), ("after", 1.0 + number)):
            one[which]["entropy"] = {"token": [0.5 + shift, 0, 9], "register": [1.0, 0, 9]}
            one[which]["values"] = [[20.0 + shift, 30.0 + shift], [40.0, 40.0]]
    [found] = conditions(rows)
    assert list(found.talk) == ["entropy, token", "entropy, register", "exact value"]
    assert found.talk["entropy, token"] == ((0.5, 1.5), (0.5, 2.5))
    assert found.talk["exact value"] == ((32.5, 33.0), (32.5, 33.5))


def test_pass_at_k_is_beside_that_of_each_runs_own_base():
    found = reach([row(seed, 0.1, 0.9) for seed in (1, 2, 3)])
    assert found.tries == (1, 2, 4, 8)
    assert found.base[0].mean == pytest.approx(1 / 8)
    assert found.trained[0].mean == pytest.approx(1 / 2)
    assert found.trained[-1].mean == 1.0
    assert found.runs == 3


def test_what_became_of_each_start_is_counted_over_runs():
    def samples(wins):
        return [["others_motives", "boss", n, 64, 40.0] for n in wins]

    rows = [row(seed, 0.1, 0.9) for seed in (1, 2)]
    for one in rows:
        one["before"]["samples"], one["after"]["samples"] = (
            samples([64, 64, 0, 0, 8]),
            samples([64, 0, 64, 0, 64]),
        )
    [found] = conditions(rows)
    assert list(found.support.counts.values()) == [2, 2, 2, 2, 2]
    assert found.support.retained.mean == found.support.discovered.mean == 0.5


def test_rank_correlation_goes_by_order_alone_and_says_how_little_few_pairs_are():
    rising = [(n, n**3) for n in range(8)]
    assert rank_correlation(rising).mean == pytest.approx(1.0)
    assert rank_correlation([(a, -b) for a, b in rising]).mean == pytest.approx(-1.0)
    mixed = rank_correlation([(1, 2), (2, 1), (3, 4), (4, 3), (5, 5)])
    assert mixed.mean == pytest.approx(0.8)  # 1 - 6 * 4 / (5 * 24)
    assert mixed.low < 0 < mixed.high < 1
    assert math.isnan(rank_correlation([(1, 1), (2, 2), (3, 3)]).mean)
    assert math.isnan(rank_correlation([(1, n) for n in range(9)]).mean)


def test_where_acquisition_sets_in():
    pairs = [(dose, dose >= 0.01) for dose in (0.0, 0.001, 0.01, 0.1) for _ in range(3)]
    found = step(pairs)
    assert (found.never, found.always, found.runs) == (0.001, 0.01, 9)
    assert 0.001 < found.midpoint.low < found.midpoint.mean < found.midpoint.high < 0.01


def test_a_step_that_no_run_shows_has_no_ends_but_a_midpoint_beyond():
    found = step([(0.01, False), (0.1, False)])
    assert math.isnan(found.always)
    assert found.never == 0.1
    assert found.midpoint.mean > 0.1
    assert math.isnan(step([(0.0, False)]).midpoint.mean)


@given(st.lists(st.tuples(st.sampled_from([1e-3, 1e-2, 1e-1]), st.booleans()), min_size=1))
def test_the_midpoint_lies_in_its_interval_and_falls_where_more_is_acquired(pairs):
    one = step(pairs).midpoint
    more = step([*pairs, (1e-3, True), (1e-3, True)]).midpoint
    assert one.low <= one.mean <= one.high
    assert more.mean <= one.mean + 1e-12
