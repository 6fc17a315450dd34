"""Contradictions between fields; tests/test_library.py has their messages and places."""

import pytest

from empathy_env.draft import Draft, contradictions


def item(name, *topics):
    return {"id": name, "words": [f"word-{name}"], "gate": {"topic": list(topics)}}


def circles(*items, needs=()):
    facts = [{"id": "told", "words": ["told"]}, *items]
    found = contradictions({"facts": facts, "needs": list(needs)})
    assert {problem.rule for problem in found} <= {"closed-circle"}
    return [problem.field[1] for problem in found], [problem.message for problem in found]


def test_a_chain_that_begins_with_what_is_told_opens():
    assert circles(item("a", "told"), item("b", "a"), item("c", "b", "d"), item("d", "c"))[0] == []


def test_what_waits_for_each_other_is_one_problem_and_what_waits_for_that_is_none():
    places, messages = circles(item("a", "b"), item("b", "a"), item("c", "a"), item("d", "c"))
    assert places == [1]
    assert "the gates of 'a', 'b' wait for each other" in messages[0]


def test_two_circles_are_two_problems():
    places, _ = circles(item("a", "b"), item("b", "a"), item("c", "c"), item("d", "told"))
    assert places == [1, 3]


def test_one_topic_that_can_be_reached_is_enough():
    assert circles(item("a", "a", "told"), item("b", "c", "a"), item("c", "b"))[0] == []


def test_a_circle_of_one_variant_is_found_and_one_over_two_variants_is_not_possible():
    one = {"need": "absolution", "facts": [item("a", "b"), item("b", "a")]}
    other = {"need": "deep_empathy", "facts": [item("a", "told")]}
    found = contradictions({"facts": [{"id": "told"}], "needs": [one, other]})
    assert [problem.field for problem in found] == [("needs", 0, "facts", 0, "gate", "topic")]


def test_ids_of_two_variants_may_be_the_same():
    needs = [{"need": n, "facts": [item("a", "told")]} for n in ("absolution", "deep_empathy")]
    assert circles(needs=needs)[0] == []


@pytest.mark.parametrize(
    "data", [None, 3, [], {}, {"facts": 3, "needs": {}, "voice": {"lines": 3}}]
)
def test_what_is_not_sound_is_passed_over(data):
    assert contradictions(data) == []
    assert Draft.of(data).items == ()
