"""Words in an order in which people say words, and others."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.cues import tables
from empathy_env.cues.fluency import fluent, points

SAID = [
    "what was it like when they walked you to the gate",
    "you sound worn out by all of this",
    "it makes sense that you are angry with your brother",
    "so you trained the man who replaced you and nobody said a word",
    "that took a lot of courage",
    "u sound gutted about ur desk",
    "maybe he was afraid of what you would say",
    "you could ring the union on monday and ask for the form",
]


@pytest.mark.parametrize("sentence", SAID)
def test_what_people_say_is_fluent(sentence: str):
    assert fluent(sentence.split())


def test_the_same_words_out_of_order_are_not():
    rng = Random(0)
    shuffled = [rng.sample(s.split(), len(s.split())) for s in SAID for _ in range(20)]
    assert sum(map(fluent, shuffled)) < 0.2 * len(shuffled)


def test_words_of_the_lexicon_strung_together_are_not():
    rng, words = Random(1), sorted(word for word in tables().keys if word.isalpha())
    strung = [rng.sample(words, 10) for _ in range(200)]
    assert sum(map(fluent, strung)) < 20


def test_a_stretch_out_of_order_spoils_a_sentence_in_order():
    assert not fluent("what was it like for you when the of had to what they is not".split())


def test_an_order_that_was_heard_is_not_held_against_who_says_it_back():
    heard = "number six bus rerouted via quarry tuesdays"
    words = f"so it was {heard} for you".split()
    pairs = set(zip(heard.split(), heard.split()[1:], strict=False))
    assert sum(points(words)) < sum(points("so it was the bus for you".split()))
    odd = "so the of is via quarry tuesdays".split()
    assert not fluent(odd, pairs)
    assert fluent(words, pairs)


@given(st.lists(st.text(min_size=1, max_size=8), max_size=30))
def test_any_words_get_a_point_for_each_pair_and_an_answer(words: list[str]):
    assert len(points(words)) == len(words) + 1
    assert fluent(words) in (True, False)
