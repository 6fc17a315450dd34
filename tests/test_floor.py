"""Who has the floor under each rule of turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.cast import TURN_RULES
from empathy_env.floor import Floor, speakers

FLOOR = Floor(
    order=(2, 0, 1), called=(0,), turned_to=(1,), silent={0: 1, 1: 3, 2: 3}, choosing=(2,)
)


@st.composite
def floors(draw):
    order = tuple(draw(st.permutations(range(4)))[: draw(st.integers(0, 4))])
    some = st.sets(st.sampled_from(order or (0,)))
    return Floor(
        order=order,
        called=draw(some),
        turned_to=draw(some),
        silent={seat: draw(st.integers(0, 5)) for seat in range(4)},
        choosing=draw(some),
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("moderated", (0,)),
        ("round-robin", (2, 0)),
        ("addressed-next", (0, 1)),
        ("free", (2, 0)),
    ],
)
def test_each_rule_gives_it_to_its_own(rule, expected):
    assert speakers(rule, FLOOR) == expected


@pytest.mark.parametrize("rule", TURN_RULES)
def test_if_nobody_has_it_whoever_has_been_silent_longest_does(rule):
    floor = Floor(order=(2, 0, 1), called=(), turned_to=(), silent={0: 1, 1: 3, 2: 3})
    assert speakers(rule, floor) == (2,)


@given(st.sampled_from(TURN_RULES), floors())
def test_it_is_never_empty_and_keeps_the_order_of_those_who_are_there(rule, floor):
    found = speakers(rule, floor)
    assert bool(found) == bool(floor.order)
    assert list(found) == [seat for seat in floor.order if seat in found]


@given(st.sampled_from(TURN_RULES), floors())
def test_who_is_called_and_is_there_always_has_it(rule, floor):
    assert set(floor.called) & set(floor.order) <= set(speakers(rule, floor))


@given(floors())
def test_only_who_is_called_has_a_moderated_one(floor):
    if set(floor.called) & set(floor.order):
        assert set(speakers("moderated", floor)) <= set(floor.called)
