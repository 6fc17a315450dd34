"""What the scripts compute, against values worked out by hand."""

import doctest
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import script

from empathy_env.tokens import Tokens

GRPO, PPO, BC, TINY = (script(f"train_{name}") for name in ("grpo", "ppo", "bc", "tiny"))
NUMBERS = st.floats(-10, 10)


def talk(*rewards, valid=True, module=GRPO):
    values = {"tokens": Tokens((1,)), "turns": (), "rewards": rewards, "valid": valid}
    names = module.Played._fields
    return module.Played(**{name: values.get(name) for name in names})


@pytest.mark.parametrize("module", [GRPO, PPO, BC, TINY], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_hold(module):
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted > 0 or module is TINY


# ---- groups


def test_a_groups_advantages_are_standard_scores_of_its_totals_at_every_turn():
    group = [talk(0.0, 1.0), talk(0.0, 0.0, 0.0), talk(0.5, 0.0)]
    spread = math.sqrt((0.5**2 + 0.5**2 + 0.0) / 3)
    high, low, middle = GRPO.advantages(group, "episode", 0.02)
    assert high == pytest.approx([0.5 / spread] * 2)
    assert low == pytest.approx([-0.5 / spread] * 3)
    assert middle == pytest.approx([0.0] * 2)


def test_differences_below_the_floor_stay_small():
    found = GRPO.advantages([talk(0.500), talk(0.504)], "episode", 0.02)
    assert [one for (one,) in found] == pytest.approx([-0.1, 0.1])


def test_turn_advantages_compare_what_was_paid_from_the_turn_on_among_who_reached_it():
    group = [talk(0.0, 1.0), talk(1.0, 0.0), talk(0.0)]
    first, second, third = GRPO.advantages(group, "turn", 0.02)
    scores = GRPO.standardised([1.0, 1.0, 0.0], 0.02)
    assert [first[0], second[0], third[0]] == pytest.approx(scores)
    assert [first[1], second[1]] == pytest.approx([1.0, -1.0])
    assert len(third) == 1


@pytest.mark.parametrize("kind", ["episode", "turn"])
def test_a_group_without_variance_or_with_one_valid_talk_teaches_nothing(kind):
    assert GRPO.advantages([talk(0.3), talk(0.3), talk(0.3)], kind, 0.02) is None
    assert GRPO.advantages([talk(0.3), talk(0.9, valid=False)], kind, 0.02) is None
    assert GRPO.advantages([talk(0.3), talk(0.4)], kind, 0.02) is not None


@pytest.mark.parametrize("kind", ["episode", "turn"])
def test_a_fault_changes_no_other_talks_advantage_and_has_none(kind):
    group = [talk(0.2, 0.1), talk(0.9, 0.0), talk(0.4, 0.4)]
    without = GRPO.advantages(group, kind, 0.02)
    with_fault = GRPO.advantages([*group[:2], talk(7.0, valid=False), group[2]], kind, 0.02)
    assert with_fault[2] == []
    assert [with_fault[0], with_fault[1], with_fault[3]] == without


# ---- generalised advantages


def test_gae_by_hand():
    # delta = (1 + .5 * 2 - 1, 2 + .5 * 4 - 2, 4 - 4) = (1, 2, 0); weight of the next: .5 * .5
    found = PPO.gae([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 0.5, 0.5)
    assert found == pytest.approx([1 + 0.25 * 2, 2.0, 0.0])


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6), st.floats(0, 1))
def test_gae_with_lambda_1_is_what_was_paid_less_the_value_and_with_0_one_step(turns, gamma):
    rewards, values = zip(*turns, strict=True)
    whole = PPO.gae(rewards, values, gamma, 1.0)
    step = PPO.gae(rewards, values, gamma, 0.0)
    for turn, value in enumerate(values):
        paid = sum(gamma**later * one for later, one in enumerate(rewards[turn:]))
        ahead = gamma * values[turn + 1] if turn + 1 < len(values) else 0.0
        assert whole[turn] == pytest.approx(paid - value, abs=1e-9)
        assert step[turn] == pytest.approx(rewards[turn] + ahead - value, abs=1e-9)


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=5), min_size=2, max_size=6))
def test_whitened_advantages_have_mean_0_and_spread_1_with_one_weight_a_talk(talks):
    found = PPO.whitened(talks, 1e-3)
    means = [np.mean(one) for one in found]
    squares = [np.mean(np.square(one)) for one in found]
    assert np.mean(means) == pytest.approx(0.0, abs=1e-6)
    assert np.mean(squares) <= 1 + 1e-6
    flat = [x for one in talks for x in one]
    if max(flat) - min(flat) > 0.1:
        assert np.mean(squares) == pytest.approx(1.0)


def test_ten_turns_of_one_talk_weigh_no_more_than_one_turn_of_another():
    long, short = PPO.whitened([[1.0] * 10, [3.0]], 0.02)
    assert long == pytest.approx([-1.0] * 10)
    assert short == pytest.approx([1.0])


# ---- objectives


@given(NUMBERS, NUMBERS)
def test_k3_is_never_negative_and_0_where_the_two_agree(policy, reference):
    found = PPO.k3(torch.tensor(policy).double(), torch.tensor(reference).double())
    assert float(found) >= 0
    assert float(PPO.k3(torch.tensor(policy), torch.tensor(policy))) == 0


def test_k3_is_unbiased():
    policy, reference = torch.tensor([0.5, 0.3, 0.2]).log(), torch.tensor([0.2, 0.2, 0.6]).log()
    exact = (policy.exp() * (policy - reference)).sum()
    assert float((policy.exp() * PPO.k3(policy, reference)).sum()) == pytest.approx(float(exact))


def objective(ratio, credit, *, mask=1.0, kl=0.0, clip=0.2):
    policy = torch.tensor([[math.log(ratio), 0.0]], requires_grad=True)
    nothing = torch.zeros(1, 2)
    loss, apart = PPO.objective(
        policy, nothing, nothing, torch.tensor([[credit, 0.0]]), torch.tensor([[mask, 1.0]]),
        clip=clip, kl=kl,
    )  # fmt: skip
    loss.sum().backward()
    return loss.item(), policy.grad[0, 0].item(), apart.item()


@pytest.mark.parametrize(
    ("ratio", "credit", "gain", "moves"),
    [
        (1.1, 2.0, 2.2, True),
        (1.5, 2.0, 2.4, False),  # better already by more than the clip: no more is paid
        (0.5, 2.0, 1.0, True),  # worse: it may come back
        (0.5, -2.0, -1.6, False),
        (1.5, -2.0, -3.0, True),
    ],
)
def test_the_clipped_objective_by_hand(ratio, credit, gain, moves):
    loss, slope, _ = objective(ratio, credit)
    assert loss == pytest.approx(-gain / 2)  # the mean over two tokens, of which one has credit
    assert (slope != 0) == moves


def test_the_kl_is_added_with_its_weight_and_reported_without():
    loss, _, apart = objective(1.5, 0.0, kl=0.3)
    k3 = 1 / 1.5 - math.log(1 / 1.5) - 1
    assert apart == pytest.approx(k3 / 2)
    assert loss == pytest.approx(0.3 * k3 / 2)


def test_a_token_that_was_read_has_no_gradient_whatever_its_numbers():
    policy = torch.tensor([[0.1, 900.0, float("-inf")]], requires_grad=True)
    numbers, mask = torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]])
    loss, _ = PPO.objective(policy, numbers, numbers, torch.ones(1, 3), mask, clip=0.2, kl=0.1)
    loss.sum().backward()
    assert policy.grad[0, 0] != 0
    assert policy.grad[0, 1:].tolist() == [0.0, 0.0]


def test_a_values_loss_is_the_worse_of_clipped_and_not():
    tensors = [torch.tensor([row]) for row in ([1.0, 0.5], [0.0, 0.5], [1.0, 1.0], [1.0, 1.0])]
    # The first came by 1 to where it should be, of which .2 count: (0.2 - 1)^2; the second stayed.
    assert float(PPO.value_loss(*tensors, clip=0.2)) == pytest.approx(0.5 * (0.64 + 0.25) / 2)
    tensors[3][0, 1] = 0.0  # a turn that there was not
    assert float(PPO.value_loss(*tensors, clip=0.2)) == pytest.approx(0.5 * 0.64)


def test_imitation_is_the_mean_over_a_talks_own_tokens():
    chances = torch.tensor([[-1.0, -50.0, -3.0], [-4.0, float("-inf"), 0.0]], requires_grad=True)
    loss = BC.imitation(chances, torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    assert loss.tolist() == [2.0, 4.0]
    loss.sum().backward()
    assert chances.grad.tolist() == [[-0.5, 0.0, -0.5], [-1.0, 0.0, 0.0]]


# ---- what is learnt from


def shown(emotion, start="a"):
    return BC.Shown(Tokens((1,)), emotion, start)


def test_the_best_of_each_start_are_chosen_if_they_are_good_enough():
    talks = [shown(80.0), shown(90.0), shown(70.0, "b"), shown(30.0, "c"), shown(90.0)]
    assert BC.chosen(talks, 60.0, 1) == [talks[1], talks[2]]
    assert BC.chosen(talks, 60.0, 2) == [talks[1], talks[2], talks[4]]
    assert BC.chosen(talks, 0.0, 0) == talks
    assert BC.chosen(talks, 95.0, 0) == []


# ---- evaluation


def test_a_bootstrap_draws_whole_personas():
    alike = PPO.bootstrap([1.0, 1.0, 1.0, 5.0, 5.0, 5.0], list("aaabbb"), 1)
    apart = PPO.bootstrap([1.0, 1.0, 1.0, 5.0, 5.0, 5.0], list("abcdef"), 1)
    assert alike.mean == apart.mean == 3.0
    assert (alike.low, alike.high) == (1.0, 5.0)  # one persona twice: 1 time in 4 each
    assert 1.0 < apart.low < 3.0 < apart.high < 5.0


def test_a_bootstrap_covers_the_truth_19_times_in_20():
    dice = np.random.default_rng(0)
    names = [str(n) for n in range(40)]
    found = [PPO.bootstrap(list(dice.normal(2.0, 1.0, 40)), names, n) for n in range(300)]
    assert 0.89 <= np.mean([one.low <= 2.0 <= one.high for one in found]) <= 0.98


def test_a_key_depends_on_each_part():
    keys = {PPO.key("a", 1, 2), PPO.key("a", 1, 3), PPO.key("b", 1, 2), PPO.key("a", 12)}
    assert len(keys) == 4
    assert all(0 <= one < 2**63 for one in keys)
