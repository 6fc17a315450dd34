import copy
import pickle

import numpy as np
import pytest
from gymnasium import Space
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.spaces import Utterance


@given(st.text(max_size=20), st.integers(0, 20))
def test_it_holds_exactly_the_texts_that_are_short_enough(text, max_chars):
    assert (text in Utterance(max_chars=max_chars)) == (len(text) <= max_chars)


@pytest.mark.parametrize("value", [None, 3, b"bytes", ["text"], np.array("text")])
def test_it_holds_nothing_but_str(value):
    assert not Utterance().contains(value)


@pytest.mark.parametrize("max_chars", [1, 10, 4000])
def test_samples_are_members(max_chars):
    space = Utterance(max_chars=max_chars, seed=1)
    samples = [space.sample() for _ in range(50)]
    assert all(sample and space.contains(sample) for sample in samples)
    assert len(set(samples)) > 1


def test_samples_follow_the_seed():
    assert [Utterance(seed=3).sample() for _ in range(2)] == [Utterance(seed=3).sample()] * 2
    space = Utterance()
    space.seed(3)
    assert space.sample() == Utterance(seed=3).sample()
    assert [Utterance(seed=4).sample() for _ in range(2)] != [Utterance(seed=3).sample()] * 2


@pytest.mark.parametrize("option", ["mask", "probability"])
def test_a_mask_is_refused_rather_than_ignored(option):
    with pytest.raises(ValueError, match=option):
        Utterance().sample(**{option: np.ones(3)})


def test_spaces_are_equal_if_their_limits_are():
    assert Utterance(max_chars=5) == Utterance(max_chars=5, seed=9)
    assert hash(Utterance(max_chars=5)) == hash(Utterance(max_chars=5, seed=9))
    assert Utterance(max_chars=5) != Utterance(max_chars=6)
    assert Utterance(max_chars=5) != "Utterance(max_chars=5)"


def test_it_is_a_space_that_copies_pickles_and_names_itself():
    space = Utterance(max_chars=7)
    assert isinstance(space, Space)
    assert not space.is_np_flattenable
    assert pickle.loads(pickle.dumps(space)) == copy.deepcopy(space) == space
    assert eval(repr(space)) == space
