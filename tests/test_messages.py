import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.messages import clean, from_agent, from_system, from_user

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
limits = st.integers(1, 50)


def test_the_agent_is_the_assistant_and_the_simulated_person_the_user():
    assert from_agent("a") == {"role": "assistant", "content": "a"}
    assert from_user("b") == {"role": "user", "content": "b"}
    assert from_system("c") == {"role": "system", "content": "c"}


@given(any_text, limits)
def test_any_text_becomes_safe_to_keep(raw, max_chars):
    text, _ = clean(raw, max_chars=max_chars)
    assert len(text) <= max_chars
    assert text.encode("utf-8").decode("utf-8") == text
    assert unicodedata.is_normalized("NFC", text)
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]


@given(any_text, limits)
def test_cleaning_again_changes_nothing(raw, max_chars):
    once = clean(raw, max_chars=max_chars)
    assert clean(once.text, max_chars=max_chars) == (once.text, ())


@given(any_text, limits)
def test_a_changed_text_is_flagged_and_an_unchanged_one_is_not(raw, max_chars):
    text, flags = clean(raw, max_chars=max_chars)
    assert bool(flags) == (text != raw)


@pytest.mark.parametrize(
    ("raw", "text", "flags"),
    [
        ("", "", ()),
        ("Hello.\n\tGo on 🙂", "Hello.\n\tGo on 🙂", ()),
        ("x" * 21, "x" * 20, ("cut",)),
        ("x" * 20, "x" * 20, ()),
        ("a\x00b\rc\x1b\x7f\x85", "a�b�c���", ("replaced",)),
        ("\ud83d alone", "� alone", ("replaced",)),
        ("cafe\u0301", "café", ("normalised",)),
        ("e\u0301\x00" + "x" * 30, "é�" + "x" * 17, ("cut", "replaced", "normalised")),
    ],
)
def test_the_rules_by_example(raw, text, flags):
    assert clean(raw, max_chars=20) == (text, flags)


def test_normalising_cannot_make_a_text_longer_than_allowed():
    # U+0958 is two characters in NFC.
    assert len(clean("\u0958" * 10, max_chars=10).text) == 10
