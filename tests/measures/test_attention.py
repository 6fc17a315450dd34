import math
from dataclasses import replace

import pytest
from circles import said_in, talks, task
from hypothesis import given

from empathy_env.measures.attention import (
    attention,
    evenness,
    longest_wait,
    pieces_to,
    words_to,
)
from empathy_env.reward import fairness

ORLA = "Orla, you sound worn out. It makes sense."
PAVEL = "Pavel, you sound worn out. It makes sense."
BOTH = "You sound worn out, both of you. It makes sense."


def talk(*lines, seed=0):
    return said_in(task("bakers", len(lines)), lines, seed=seed)


def test_shares_by_example():
    trace = talk(ORLA, "What was the hardest part?", "Orla, what was it like?", "Pavel, ok.")
    assert words_to(trace) == [18, 7]
    orla, pavel = attention([trace]).given
    assert (orla.person, orla.name, pavel.name) == ("bakers-orla", "Orla", "Pavel")
    assert orla.words.mean == pytest.approx(18 / 25)
    assert pavel.words.mean == pytest.approx(7 / 25)
    given = pieces_to(trace)
    assert given[0] > given[1] > 0
    assert pavel.pieces.mean == given[1] / sum(given)
    assert attention([trace]).jain.mean == evenness(trace) < 1.0


def test_turn_about_is_even_and_what_is_said_to_all_is_given_to_each():
    assert evenness(talk(ORLA, PAVEL)) == 1.0
    assert words_to(talk(BOTH)) == [len(BOTH.split())] * 2
    assert evenness(talk(BOTH)) == 1.0


def test_the_longest_wait_is_over_the_rounds_that_one_was_there():
    trace = talk(ORLA, ORLA, PAVEL, ORLA, ORLA, ORLA)
    assert [longest_wait(trace, seat) for seat in (0, 1)] == [1, 3]
    assert longest_wait(talk(BOTH, BOTH), 1) == 0
    gone = [
        replace(turn, answers=(turn.answers[0], turn.answers[1]._replace(present=number < 4)))
        for number, turn in enumerate(trace.turns)
    ]
    left = replace(trace, turns=tuple(gone))
    assert [longest_wait(left, seat) for seat in (0, 1)] == [1, 2]


def test_a_talk_in_which_nobody_was_given_anything_has_no_shares():
    silent = talk("", "")
    found = attention([silent])
    assert all(math.isnan(given.words.mean) for given in found.given)
    assert found.jain.mean == 0.0
    spoken = talk(ORLA, PAVEL, seed=1)
    both = attention([silent, spoken]).given[0]
    assert both.words.mean == attention([spoken]).given[0].words.mean
    assert both.wait.mean == (2 + 1) / 2


@given(talks())
def test_shares_add_up_to_one_and_fairness_is_evenness_among_those_who_stayed(trace):
    if trace.turns:
        found = attention([trace])
        for shares in ([g.words.mean for g in found.given], [g.pieces.mean for g in found.given]):
            assert math.isnan(shares[0]) or sum(shares) == pytest.approx(1.0)
        last = len(trace.turns)
        stayed = sum(trace.present(last, seat=seat) for seat in range(len(trace.start)))
        there = stayed / len(trace.start)
        assert fairness(trace, last) == (evenness(trace) * there if trace.outcome else 0.0)
