"""What is said aloud of a reply: the harder reply is the easier one garbled, by draws alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.difficulty import HARDER, KINDS, Difficulty
from empathy_env.veil import Part, veiled

KNOBS = [knob for knob, kind in KINDS.items() if kind == "information"]
EASIEST = Difficulty(masking=0.0, disclosure=1.0, ambiguity=0.0)
REPLY = (
    Part("That hurt.", "felt"),
    Part("I drive to the water.", "told"),
    Part("You'd not know me.", "own"),
    Part("It rained."),
)
LINES = {"masked": "I'm fine.", "withheld": "There's more.", "hint": "What would you do?"}

unit = st.floats(0, 1)
chances = st.floats(0, 1, exclude_max=True)
draws = st.fixed_dictionaries({"mask": chances, "hint": chances, "aloud": chances})
replies = st.lists(
    st.builds(Part, st.sampled_from("abcdef"), st.sampled_from(("plain", "told", "felt", "own"))),
    max_size=4,
    unique_by=lambda part: part.text,
).map(tuple)
pairs = st.lists(unit, min_size=2, max_size=2).map(sorted)
settings = st.fixed_dictionaries(dict.fromkeys(KNOBS, pairs)).map(
    lambda pairs: tuple(
        Difficulty(
            **{knob: sorted(p, key=lambda x: x * HARDER[knob])[end] for knob, p in pairs.items()}
        )
        for end in (0, 1)
    )
)


def aloud(parts, difficulty, drawn):
    """Return what is said, with what is withheld decided as the user does."""
    kept = drawn["aloud"] >= difficulty.disclosure
    withheld = [part.text for part in parts if part.kind == "told" and kept]
    return veiled(
        parts, difficulty, withheld=withheld, chance=drawn.__getitem__, line=LINES.__getitem__
    )


def texts(parts):
    return [part.text for part in parts]


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({}, ["That hurt.", "I drive to the water.", "You'd not know me.", "It rained."]),
        ({"masking": 0.6}, ["I'm fine.", "I drive to the water.", "It rained."]),
        ({"disclosure": 0.4}, ["That hurt.", "There's more.", "You'd not know me.", "It rained."]),
        (
            {"ambiguity": 0.6},
            ["That hurt.", "I drive to the water.", "It rained.", "What would you do?"],
        ),
        (
            {"masking": 0.6, "disclosure": 0.4, "ambiguity": 0.6},
            ["I'm fine.", "There's more.", "It rained.", "What would you do?"],
        ),
        (
            {"masking": 0.5, "disclosure": 0.6, "ambiguity": 0.5},
            ["That hurt.", "I drive to the water.", "You'd not know me.", "It rained."],
        ),
    ],
)
def test_each_knob_hides_what_it_says_from_its_draw_on(knobs, said):
    drawn = dict.fromkeys(("mask", "hint", "aloud"), 0.5)
    assert texts(aloud(REPLY, Difficulty(**knobs), drawn)) == said


@given(replies, draws)
def test_nothing_is_hidden_at_the_easy_end(parts, drawn):
    assert aloud(parts, EASIEST, drawn) == parts


@given(replies, draws, settings)
def test_what_is_hidden_is_hidden_under_harder_knobs_too(parts, drawn, knobs):
    easy, hard = (set(aloud(parts, difficulty, drawn)) & set(parts) for difficulty in knobs)
    assert hard <= easy


@given(replies, draws, settings)
def test_the_harder_reply_follows_from_the_easier_one_and_the_draws(parts, drawn, knobs):
    """Blackwell's garbling, draw by draw: nothing that the easier one hides comes back."""
    easy, hard = knobs
    heard = aloud(parts, easy, drawn)
    left = [part for part in heard if part.text not in (LINES["masked"], LINES["hint"])]
    assert texts(aloud(left, hard, drawn)) == texts(aloud(parts, hard, drawn))


@given(draws, settings)
def test_the_lines_that_hide_come_whatever_there_was_to_hide(drawn, knobs):
    hiding = [LINES["masked"], LINES["hint"]]
    _, hard = knobs
    found = {
        tuple(text for text in texts(aloud((part,), hard, drawn)) if text in hiding)
        for part in REPLY
    }
    assert len(found) == 1
