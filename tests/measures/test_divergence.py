import math
from itertools import product
from statistics import fmean

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from made_traces import made_talk, made_turn, piece

from empathy_env.errors import InvalidArgument
from empathy_env.measures.divergence import (
    MixedTalk,
    difference,
    jensen_shannon,
    mixed,
    shared_cells,
    turned,
    yardstick,
)
from empathy_env.measures.skills import SKILLS, Talk
from empathy_env.measures.strategies import STRATEGIES

SIZE = 4


def shares(weights):
    return [weight / sum(weights) for weight in weights]


weights = st.lists(st.integers(0, 9), min_size=SIZE, max_size=SIZE).filter(any)
mixes = weights.map(shares)


@given(mixes, mixes)
def test_the_divergence_is_symmetric_and_within_its_bounds(one, other):
    found = jensen_shannon(one, other)
    assert found == pytest.approx(jensen_shannon(other, one), abs=1e-12)
    assert 0.0 <= found <= 1.0


@given(mixes, mixes)
def test_the_divergence_is_0_for_equal_mixes_and_for_no_others(one, other):
    assert jensen_shannon(one, one) == 0.0
    if max(abs(a - b) for a, b in zip(one, other, strict=True)) > 1e-6:
        assert jensen_shannon(one, other) > 1e-9


@given(mixes, mixes)
def test_the_divergence_is_the_gain_in_entropy_of_the_middle(one, other):
    def entropy(mix):
        return -sum(p * math.log2(p) for p in mix if p)

    middle = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
    gain = entropy(middle) - (entropy(one) + entropy(other)) / 2
    assert jensen_shannon(one, other) == pytest.approx(gain, abs=1e-9)


@given(mixes, mixes, mixes)
def test_the_root_of_the_divergence_is_a_distance(one, other, third):
    direct = math.sqrt(jensen_shannon(one, other))
    legs = math.sqrt(jensen_shannon(one, third)) + math.sqrt(jensen_shannon(third, other))
    assert direct <= legs + 1e-7


def test_mixes_over_other_things_are_refused():
    with pytest.raises(InvalidArgument, match="2 and 3 things"):
        jensen_shannon([0.5, 0.5], [1.0, 0.0, 0.0])


def run_of(chance, mix, talks=40):
    """Talks of ten turns in which each turn has a strategy drawn from the mix."""
    rows = chance.multinomial(10, mix, size=talks) / 10
    return [MixedTalk(f"p{n % 5}/n", n, tuple(map(float, row))) for n, row in enumerate(rows)]


PLAIN, OTHER = [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]


def test_a_talk_says_which_cell_and_seed_it_is_of():
    turns = made_turn(piece("suggestion")), made_turn(piece("reflection"))
    [talk] = mixed([made_talk(*turns, need="absolution", seed=7)])
    assert talk[:2] == ("laid-off-engineer/absolution", 7)
    assert dict(zip(STRATEGIES, talk.mix, strict=True))["advice"] == 0.5


def test_what_chance_gives_is_what_two_samples_of_one_agent_have_on_average():
    chance = np.random.default_rng(1)
    found = [
        difference(run_of(chance, PLAIN), run_of(chance, PLAIN), permutations=60) for _ in range(60)
    ]
    observed, expected = fmean(f.bits for f in found), fmean(f.expected for f in found)
    assert observed > 0.0005  # what nothing but chance makes of 40 talks
    assert observed == pytest.approx(expected, rel=0.15)
    assert 0.35 < fmean(f.p for f in found) < 0.65


def test_agents_that_differ_stand_out_from_chance():
    chance = np.random.default_rng(2)
    found = difference(run_of(chance, PLAIN), run_of(chance, OTHER), permutations=200)
    assert found.bits > 20 * found.expected
    assert found.p == found.least_p == 1 / 201


def test_what_differs_between_personas_is_no_difference_between_agents():
    """Of the first persona one agent has more talks; both do the same with each persona."""
    first = [MixedTalk("a/n", n, (1.0, 0.0)) for n in range(12)]
    second = [MixedTalk("b/n", n, (0.0, 1.0)) for n in range(12)]
    found = difference([*first[:9], *second[:3]], [*first[9:], *second[3:]], permutations=100)
    assert found.bits > 0.1
    assert found.expected == pytest.approx(found.bits)
    assert found.p == 1.0


def test_agents_without_a_cell_in_common_have_no_chance_to_compare_with():
    one, other = [MixedTalk("a/n", 0, (1.0, 0.0))], [MixedTalk("b/n", 0, (0.0, 1.0))]
    assert difference(one, other)[:3] == (1.0, None, None)
    assert shared_cells(one, other) == (0, 2)


def test_the_order_of_talks_decides_nothing():
    chance = np.random.default_rng(3)
    one, other = run_of(chance, PLAIN), run_of(chance, OTHER)
    again = difference(one[::-1], other[::-1], permutations=50)
    assert difference(one, other, permutations=50) == pytest.approx(again)
    assert difference(one, other, permutations=50, seed=1) != again


def test_the_yardstick_of_arms_that_are_one_is_about_1():
    chance = np.random.default_rng(4)
    found = [
        yardstick(*[[run_of(chance, PLAIN) for _ in range(3)] for _ in range(2)]) for _ in range(40)
    ]
    assert fmean(f.ratio for f in found) == pytest.approx(1.0, abs=0.15)
    # Of a permutation test p is at most x in about a share of x.
    assert sum(f.p <= 0.3 for f in found) / len(found) == pytest.approx(0.3, abs=0.2)


def test_arms_further_apart_than_their_runs_are_found_and_the_least_p_is_told():
    chance = np.random.default_rng(5)
    arms = [[run_of(chance, mix) for _ in range(3)] for mix in (PLAIN, OTHER)]
    found = yardstick(*arms)
    assert found.ratio > 20
    assert found.p == found.least_p == 2 / 20
    assert not found.halves
    # Three runs against two can be told apart in ten ways, none of which is another's mirror.
    fewer = yardstick(arms[0], arms[1][:2])
    assert fewer.p == fewer.least_p == 1 / 10


def test_training_that_scatters_as_much_as_the_arms_differ_is_seen_by_the_yardstick_alone():
    """Each run has a habit of its own: episodes are many, runs are what counts."""
    chance = np.random.default_rng(6)
    arms = [[run_of(chance, chance.dirichlet([3.0] * 4), 60) for _ in range(3)] for _ in range(2)]
    flat = [[talk for run in arm for talk in run] for arm in arms]
    assert difference(*flat, permutations=100).p < 0.05
    found = yardstick(*arms)
    assert found.ratio < 2
    assert found.p > 0.1


def test_many_runs_are_drawn_and_not_all_tried():
    chance = np.random.default_rng(7)
    arms = [[run_of(chance, mix, 10) for _ in range(8)] for mix in (PLAIN, OTHER)]
    found = yardstick(*arms)
    assert found.least_p == 2 / math.comb(16, 8)
    assert found.p < 0.001


def test_the_distances_of_the_yardstick_are_those_between_runs():
    points = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.5, 0.5)]
    runs = [[MixedTalk("a/n", 0, mix)] for mix in points]
    found = yardstick(runs[:2], runs[2:])
    half = jensen_shannon(points[0], points[2])
    assert found.between == pytest.approx(half)
    assert found.within == pytest.approx((1.0 + 0.0) / 2)
    assert found.ratio == pytest.approx(half / 0.5)
    assert yardstick(runs[2:], [runs[2], runs[3]]).ratio is None


def test_with_one_run_each_halves_of_other_seeds_take_the_place_of_runs():
    chance = np.random.default_rng(8)
    found = [yardstick([run_of(chance, PLAIN)], [run_of(chance, PLAIN)]) for _ in range(80)]
    assert all(f.halves and f.p is None and f.least_p is None for f in found)
    between, within = fmean(f.between for f in found), fmean(f.within for f in found)
    assert between / within == pytest.approx(1.0, abs=0.15)
    apart = yardstick([run_of(chance, PLAIN)], [run_of(chance, OTHER)])
    assert apart.ratio > 20


def test_a_yardstick_of_next_to_nothing_measures_nothing():
    """Two talks in a half that happen to be alike would make any gap thousands of times larger."""
    plain, odd = (0.5, 0.5), (0.9, 0.1)
    arms = [[MixedTalk("a/n", seed, mix) for seed in range(4)] for mix in (plain, odd)]
    arms[0][0] = arms[0][0]._replace(mix=(0.505, 0.495))
    found = yardstick(*[[arm] for arm in arms])
    assert 0 < found.within < 1e-4 < found.between
    assert found.ratio is None
    assert "does not differ from itself" in found.doubt
    assert found.fewest == 2


def test_a_ratio_that_rests_on_few_talks_says_so():
    chance = np.random.default_rng(9)
    few = yardstick([run_of(chance, PLAIN, 12)], [run_of(chance, OTHER, 12)])
    assert few.ratio is not None
    assert "talks in a half: 6," in few.doubt
    runs = [[run_of(chance, mix, 12) for _ in range(2)] for mix in (PLAIN, OTHER)]
    assert "talks in a run: 12," in yardstick(*runs).doubt
    many = yardstick([run_of(chance, PLAIN, 60)], [run_of(chance, OTHER, 60)])
    assert (many.doubt, many.fewest) == ("", 30)


def test_halves_do_not_take_what_episodes_share_for_likeness_of_the_arms():
    """Both agents do the same, and what they do is decided by the episode."""
    run = [MixedTalk(f"p{n}/n", n, (float(n % 2), float(1 - n % 2))) for n in range(8)]
    found = yardstick([run], [run])
    assert found.between == found.within == 1.0


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ([], [[MixedTalk("a/n", 0, (1.0,))]], "without runs"),
        ([[MixedTalk("a/n", 0, (1.0,))]], [[MixedTalk("a/n", 0, (1.0,))]], "halves"),
        ([[], []], [[MixedTalk("a/n", 0, (1.0,))]], "without talks"),
    ],
)
def test_what_cannot_be_compared_is_refused(one, other, words):
    with pytest.raises(InvalidArgument, match=words):
        yardstick(one, other)


def skilled(*values, personas=("p", "q")):
    """Talks with these values of the skills, one for each persona."""
    rows = {skill: (value,) for skill, value in zip(SKILLS, values, strict=False)}
    rows = {skill: rows.get(skill, (None,)) for skill in SKILLS}
    return [Talk(f"{name}/n/0/0", name, rows, (5,)) for name in personas]


BASE = skilled(0.2, 0.2)


@pytest.mark.parametrize(
    ("one", "other", "cosine"),
    [
        (skilled(0.4, 0.2), skilled(0.9, 0.2), 1.0),
        (skilled(0.4, 0.2), skilled(0.2, 0.5), 0.0),
        (skilled(0.4, 0.2), skilled(0.1, 0.2), -1.0),
        (skilled(0.4, 0.2), skilled(0.3, 0.3), math.sqrt(0.5)),
    ],
)
def test_arms_that_change_alike_point_the_same_way(one, other, cosine):
    found = turned(BASE, one, other)
    assert found.cosine.mean == pytest.approx(cosine, abs=1e-9)
    assert found.cosine.low <= found.cosine.mean + 1e-9
    assert found.skills == SKILLS[:2]


def test_a_skill_that_is_undefined_somewhere_is_left_out():
    found = turned(BASE, skilled(0.4, None), skilled(0.3, 0.9))
    assert found.skills == SKILLS[:1]
    with pytest.raises(InvalidArgument, match="no skill"):
        turned(BASE, skilled(None, 0.4), skilled(0.3))


def test_no_change_has_no_direction():
    assert math.isnan(turned(BASE, BASE, skilled(0.9, 0.9)).cosine.mean)


@given(mixes, st.integers(1, 5))
def test_talks_said_twice_change_no_divergence(mix, times):
    assume(len(set(mix)) > 1)
    one = [MixedTalk("a/n", n, tuple(mix)) for n in range(2)]
    other = [MixedTalk("a/n", n, (0.25,) * 4) for n in range(2)]
    pairs = product((one, one * times), (other, other * times))
    found = [difference(a, b, permutations=1).bits for a, b in pairs]
    assert found == pytest.approx([found[0]] * 4)
