import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.difficulty import HARDER, KINDS, Difficulty
from empathy_env.wording import GRADES, all_words, in_words

WORDED = [name for name in KINDS if name != "start"]


def test_every_knob_but_the_start_has_words():
    assert set(GRADES) == set(WORDED)


def test_at_moderate_nothing_is_said():
    assert in_words(Difficulty(), "response", "information", "style") == ()


@pytest.mark.parametrize("knob", WORDED)
def test_a_knob_is_worded_apart_from_all_others_and_gets_stronger_by_grades(knob):
    heard = list(
        dict.fromkeys(
            in_words(Difficulty(**{knob: step / 100}), KINDS[knob]) for step in range(101)
        )
    )
    assert len(heard) >= 4
    assert heard.count(()) == 1
    assert all(len(words) <= 1 for words in heard)


@pytest.mark.parametrize("knob", sorted(set(HARDER) & set(WORDED)))
def test_both_ends_of_a_knob_read_differently_and_the_hard_end_is_worded(knob):
    hard = 1.0 if HARDER[knob] > 0 else 0.0
    said = in_words(Difficulty(**{knob: hard}), KINDS[knob])
    assert len(said) == 1
    assert said != in_words(Difficulty(**{knob: 1.0 - hard}), KINDS[knob])


@given(st.fixed_dictionaries({name: st.floats(0, 1) for name in KINDS}))
def test_words_of_one_kind_are_moved_by_knobs_of_that_kind_alone(knobs):
    difficulty = Difficulty(**knobs)
    plain = Difficulty(**{n: v for n, v in knobs.items() if KINDS[n] == "information"})
    assert in_words(difficulty, "information") == in_words(plain, "information")
    assert all(words in all_words() for words in in_words(difficulty, "response", "style"))
