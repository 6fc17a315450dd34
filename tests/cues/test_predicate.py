"""Clauses that say something, and beginnings of clauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.cues.predicate import broken


@pytest.mark.parametrize(
    "sentence",
    [
        "i wonder if it still hurts",
        "i wonder if your mother resented the baby",
        "i wonder if your sister was there too",
        "maybe the house feels empty",
        "maybe grief",
        "perhaps leave the phone in the kitchen",
        "it makes sense",
        "it is as if new",
        "no wonder",
        "of course not",
        "of course you were",
        "of course you never were",
        "i see why",
    ],
)
def test_what_is_whole_is_not_broken(sentence: str):
    assert broken(sentence.split()) is None


@pytest.mark.parametrize(
    ("sentence", "start"),
    [
        ("i wonder if your sister and your exam really", 1),
        ("maybe your old kitchen", 0),
        ("maybe the exam was too", 0),
        ("you feel sad and it seems to me that your mother also", 5),
        ("i wonder if the end of your shift was", 1),
        ("it is as if your work", 2),
    ],
)
def test_the_beginning_of_a_clause_is_found(sentence: str, start: int):
    assert broken(sentence.split()) == start


@given(
    st.lists(st.sampled_from("i wonder if maybe that sense your it was é too".split()), min_size=1)
)
def test_any_words_get_a_place_within_them_or_none(words: list[str]):
    start = broken(words)
    assert start is None or 0 <= start < len(words)
