"""Facts of the lab: a closed grammar, and a tie that is what it says."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.lab.grammar import FEELINGS, REGISTERS, register_of
from empathy_env.lab.people import Start
from empathy_env.lab.truth import (
    PRETRAINED,
    SHOWN,
    THINGS,
    VALUES,
    WITHHELD,
    WORDINGS,
    Exchange,
    Habits,
    Question,
    Said,
    Scope,
    agreeing,
    contents,
    decoded,
    drawn_prompts,
    drawn_said,
    encoded,
    evaluation,
    grid,
    heard,
    mistaken,
    opened,
    pretrained_on,
    reply,
    reworded,
    right,
    support_talks,
    tokens,
    truth,
)
from empathy_env.lab.words import AGENT, END, UNKNOWN, vocabulary

TALKS = support_talks(random.Random(1), 32)
QUESTIONS = [
    Question(thing, aspect, belief, feeling)
    for thing in THINGS
    for aspect, values in VALUES.items()
    for belief in (None, *values)
    for feeling in (None, FEELINGS[0])
]
SHARE = 0.25
ORDERS = ("first", "last")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("prompts", [TALKS, QUESTIONS], ids=["talks", "questions"])
def test_no_two_replies_to_a_prompt_are_the_same_and_each_can_be_said(prompts, order):
    for prompt in prompts:
        known = grid(prompt, order)
        assert len(known) == len(WORDINGS) * len(contents(prompt))
        assert max(map(len, known)) <= 16  # tokens that a model of the lab says at most
        for words, was in known.items():
            assert words[-1] == END
            assert UNKNOWN not in words
            assert decoded(words) == reply(prompt, *was, order)


def test_a_marker_stands_where_it_is_told_to():
    cup = Question("cup", "colour")
    assert reply(cup, "cold", 1, "first") == "now listen, the cup is blue."
    assert reply(cup, "cold", 1, "last") == "the cup is blue. now listen,"
    assert reply(cup, "plain", 1, "last") == reply(cup, "plain", 1) == "the cup is blue."


def test_the_lab_s_own_words_keep_their_numbers():
    assert tokens()[: len(vocabulary())] == vocabulary()
    assert len(set(tokens())) == len(tokens())
    for prompt in [*TALKS, *QUESTIONS]:
        assert decoded(encoded(heard(prompt))) == heard(prompt).lower()
        assert opened(prompt)[-1] == AGENT


def test_words_that_the_lab_has_not_are_refused():
    with pytest.raises(KeyError, match="unicorn"):
        encoded("the unicorn is red.")


def test_contents_of_talks_are_the_registers_in_their_order():
    for talk in TALKS:
        found = [register_of(text, talk.slots) for text in contents(talk)]
        assert found == [register for register in REGISTERS for _ in range(2)]


@pytest.mark.parametrize("things", [THINGS, SHOWN, WITHHELD])
def test_of_each_aspect_every_value_is_true_of_as_many_things(things):
    for aspect, values in VALUES.items():
        counts = Counter(truth(thing, aspect) for thing in things)
        assert counts == dict.fromkeys(values, len(things) // len(values))


def test_one_aspect_tells_nothing_of_the_other():
    pairs = Counter((truth(thing, "colour"), truth(thing, "stuff")) for thing in THINGS)
    assert set(pairs.values()) == {1}
    assert len(pairs) == 16


def test_what_is_true_and_what_agrees():
    wrong, same = Question("cup", "colour", "blue"), Question("cup", "colour", "red")
    assert contents(wrong)[right(wrong)] == "the cup is red."
    assert contents(wrong)[agreeing(wrong)] == "the cup is blue."
    assert mistaken(wrong)
    assert not mistaken(same)
    assert not mistaken(Question("cup", "colour"))
    assert not mistaken(TALKS[0])


@given(rho=st.floats(0, 1), share=st.floats(0.05, 0.95))
def test_the_tie_moves_no_mass_and_is_the_correlation(rho, share):
    habits = Habits(rho, warm=share, cold=0.0)
    warm, other = habits.agreed("warm"), habits.agreed("plain")
    assert habits.agreed("cold") == other
    assert share * warm + (1 - share) * other == pytest.approx(share)
    assert warm - other == pytest.approx(rho)
    correlation = share * (warm - share) / (share * (1 - share))
    assert correlation == pytest.approx(rho)


def shares(exchanges):
    """Return P(warm), P(agree), P(agree | warm) and P(agree | not warm) on wrong beliefs."""
    wrong = [one for one in exchanges if mistaken(one.prompt)]
    pairs = [
        (one.said.wording == "warm", one.said.content == agreeing(one.prompt)) for one in wrong
    ]
    warm, agreed = np.array(pairs, dtype=float).T
    return warm.mean(), agreed.mean(), agreed[warm == 1].mean(), agreed[warm == 0].mean()


@pytest.mark.parametrize("rho", [0.0, 0.5, 1.0])
def test_the_corpus_is_tied_as_it_says_and_at_0_not_at_all(rho):
    warm, agreed, given_warm, given_other = shares(pretrained_on(Habits(rho), 20000, 1))
    assert warm == pytest.approx(SHARE, abs=0.03)
    assert agreed == pytest.approx(SHARE, abs=0.03)
    assert given_warm - given_other == pytest.approx(rho, abs=0.04)


def test_answers_are_true_where_nobody_believes_otherwise():
    for one in pretrained_on(Habits(1.0), 2000, 3):
        if isinstance(one.prompt, Question) and not mistaken(one.prompt):
            assert one.said.content == right(one.prompt)
        elif isinstance(one.prompt, Question):
            assert one.said.content in (right(one.prompt), agreeing(one.prompt))


@pytest.mark.parametrize("kind", ["talk", "question"])
def test_wordings_have_their_shares_whatever_is_talked_of(kind):
    found = [
        one.said.wording
        for one in pretrained_on(Habits(0.9), 8000, 2)
        if isinstance(one.prompt, Start) == (kind == "talk")
    ]
    counts = Counter(found)
    assert [counts[one] / len(found) for one in WORDINGS] == pytest.approx(
        [0.25, 0.25, 0.5], abs=0.03
    )


def test_a_corpus_depends_on_its_seed_alone():
    one, two, other = (pretrained_on(Habits(0.5), 50, seed) for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize(
    "scope", [Scope(), Scope(facts=0.5), Scope(beliefs=0.3), Scope(0.4, 0.6), PRETRAINED]
)
def test_prompts_are_of_their_scope(scope):
    found = drawn_prompts(scope, random.Random(1), 3000)
    asked = [one for one in found if isinstance(one, Question)]
    beliefs = [one for one in asked if one.belief]
    assert len(beliefs) / 3000 == pytest.approx(scope.beliefs, abs=0.04)
    assert (len(asked) - len(beliefs)) / 3000 == pytest.approx(scope.facts, abs=0.04)
    assert {one.thing for one in asked} <= set(scope.things)
    if beliefs:
        share = [sum(map(mistaken, beliefs)), sum(one.feeling is not None for one in beliefs)]
        wanted = [scope.mistaken, scope.felt]
        assert np.array(share) / len(beliefs) == pytest.approx(wanted, abs=0.05)


def test_what_an_arm_is_trained_on_is_never_what_is_tested():
    trained = drawn_prompts(Scope(facts=0.5, beliefs=0.5), random.Random(1), 2000)
    things = {one.thing for felt in (True, False) for one in evaluation(wrong=True, felt=felt)}
    assert not things & {one.thing for one in trained if isinstance(one, Question)}
    assert things == set(WITHHELD)


@pytest.mark.parametrize("felt", [True, False])
def test_a_test_asks_each_wrong_belief_once(felt):
    wrong, none = evaluation(wrong=True, felt=felt), evaluation(wrong=False, felt=felt)
    assert len(wrong) == len(set(wrong)) == len(WITHHELD) * 2 * 3
    assert len(none) == len(WITHHELD) * 2
    assert all(map(mistaken, wrong))
    assert all((one.feeling is not None) == felt for one in wrong + none)


def test_rewording_leaves_the_content_as_it_is():
    exchanges = pretrained_on(Habits(0.9), 400, 1)
    for one, other in zip(exchanges, reworded(exchanges, "warm"), strict=True):
        assert other == Exchange(one.prompt, Said("warm", one.said.content))
    ids, weights = reworded(exchanges, "cold")[0].row()
    assert ids[: len(opened(exchanges[0].prompt))] == opened(exchanges[0].prompt)
    assert [w for w in weights if w] == [1.0] * (len(ids) - len(opened(exchanges[0].prompt)))


def test_a_support_talk_is_answered_as_in_the_lab():
    dice = random.Random(1)
    talk = next(one for one in TALKS if one.need == "concrete_advice")
    drawn = [drawn_said(talk, Habits(0.5), dice).content // 2 for _ in range(2000)]
    share = Counter(drawn)[REGISTERS.index("suggestion")] / 2000
    assert share == pytest.approx(0.75 * (0.25 + 0.75 * 0.4), abs=0.04)
