"""A stated belief is read from one small form, or it counts as missing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.acts import NEEDS
from empathy_env.belief import Belief, absolute_error, belief_of, brier

UNIFORM = Belief(None, dict.fromkeys(NEEDS, 1 / 8))


def block(inside):
    return f"<belief>\n{inside}\n</belief>"


def needs_of(line):
    belief = belief_of(block(f"need: {line}"))
    return None if belief is None else belief.needs


def test_both_lines_are_read():
    belief = belief_of(block("emotion: 35.5\nneed: absolution 0.6, deep_empathy 0.1"))
    assert belief.emotion == 35.5
    assert belief.needs["absolution"] == 0.6
    assert belief.needs["deep_empathy"] == 0.1
    assert belief.needs["concrete_advice"] == pytest.approx(0.05)
    assert set(belief.needs) == set(NEEDS)


@pytest.mark.parametrize("line", ["absolution 1", "absolution: 1.0", "ABSOLUTION=1"])
def test_a_need_may_be_certain_and_written_in_three_ways(line):
    assert needs_of(line)["absolution"] == 1
    assert needs_of(line)["deep_empathy"] == 0


@pytest.mark.parametrize(
    "inside",
    [
        "", "emotion 35", "emotion: about 35", "emotion: 35/100", "emotion: -3", "emotion: 100.5",
        "emotion: 3\nemotion: 4", "emotion: ٣٥", "emotion: 1e1", "mood: 3", "emotion:", "emotion: nan",
    ],
)  # fmt: skip
def test_an_emotion_that_cannot_be_read_is_none(inside):
    assert belief_of(block(inside)) is None


@pytest.mark.parametrize(
    "line",
    [
        "", "absolution", "absolution 60%", "absolution 1.2", "absolution -0.1", "comfort 0.5",
        "absolution 0.5, absolution 0.2", "absolution 0.8, deep_empathy 0.3", "absolution 0.5,",
        "absolution nan", "absolution .5.5", ", ".join(f"{need} 0.1" for need in NEEDS),
    ],
)  # fmt: skip
def test_needs_that_do_not_add_up_or_do_not_exist_are_none(line):
    assert needs_of(line) is None


def test_each_line_is_read_by_itself():
    assert belief_of(block("emotion: 35\nneed: comfort 1")) == Belief(35.0, None)
    assert belief_of(block("need: absolution 1\nemotion: high")).emotion is None


@pytest.mark.parametrize(
    "private",
    [
        "",
        "emotion: 35",
        "<belief>emotion: 35",
        "emotion: 35</belief>",
        "<belief>emotion: 35</belief>\n<belief>emotion: 35</belief>",
        "<belief><think>x</think>emotion: 35</belief>",
        "<think>emotion: 35</think>",
        "<belief>emotion: 35</plan>",
    ],
)
def test_without_one_whole_block_nothing_is_believed(private):
    assert belief_of(private) is None


def test_other_thoughts_around_the_block_do_no_harm():
    assert belief_of("<think>x</think>\n<Belief>emotion: 35</Belief>").emotion == 35


@given(st.text(max_size=100))
def test_any_text_at_all_is_a_belief_or_none(text):
    for private in (text, block(text), block(f"emotion: {text}"), block(f"need: {text}")):
        belief = belief_of(private)
        assert belief is None or belief != (None, None)


@given(st.lists(st.integers(0, 100), min_size=8, max_size=8).filter(any))
def test_a_whole_distribution_can_be_stated(weights):
    shares = [round(weight / sum(weights), 4) for weight in weights]
    line = ", ".join(f"{need} {share:.4f}" for need, share in zip(NEEDS, shares, strict=True))
    found = needs_of(line)
    assert math.isclose(sum(found.values()), 1.0, abs_tol=1e-6)
    assert list(found.values()) == pytest.approx(shares, abs=2e-3)


@given(st.dictionaries(st.sampled_from(NEEDS), st.integers(0, 125), min_size=1, max_size=7))
def test_what_is_left_open_is_shared_by_the_needs_that_are_not_named(named):
    line = ", ".join(f"{need} {share / 1000}" for need, share in named.items())
    found = needs_of(line)
    rest = {share for need, share in found.items() if need not in named}
    assert len(rest) == 1
    assert math.isclose(sum(found.values()), 1.0, abs_tol=1e-6)


def test_scores_by_example():
    sure = belief_of(block("emotion: 30\nneed: absolution 1"))
    assert brier(sure, "absolution") == 0
    assert brier(sure, "deep_empathy") == 2
    assert brier(UNIFORM, "absolution") == pytest.approx(0.875)
    assert absolute_error(sure, 42.5) == 12.5
    assert brier(None, "absolution") is None
    assert brier(Belief(30.0, None), "absolution") is None
    assert absolute_error(None, 50) is None
    assert absolute_error(UNIFORM, 50) is None


chances = st.lists(st.integers(0, 20), min_size=8, max_size=8).filter(any)


@given(chances, chances)
def test_the_brier_score_is_least_on_average_for_who_states_what_they_believe(true, other):
    """Strictly proper: a belief that is not the true chance scores worse."""
    held, stated = ([weight / sum(one) for weight in one] for one in (true, other))
    scores = [
        sum(
            chance * brier(Belief(None, dict(zip(NEEDS, one, strict=True))), need)
            for need, chance in zip(NEEDS, held, strict=True)
        )
        for one in (held, stated)
    ]
    distance = sum((a - b) ** 2 for a, b in zip(held, stated, strict=True))
    assert scores[1] - scores[0] == pytest.approx(distance, abs=1e-9)
