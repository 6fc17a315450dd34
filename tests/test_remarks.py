"""What one user says to another: by mood, by how they stand to each other, and by keyed draws."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rooms import cast_of

from empathy_env.between import Presence
from empathy_env.cast import Cast
from empathy_env.emotion import Mood
from empathy_env.remarks import remark
from empathy_env.user import UserState

FRIENDS = cast_of("friends")
SEEDS = range(150)


def said(
    emotion,
    *,
    seat=2,
    company=None,
    told=(),
    spoken=(),
    seeds=SEEDS,
    turn=1,
    cast=FRIENDS,
):
    """What the one in this seat says to the others, for many seeds; None where it is nothing."""
    company = company or [Presence()] * 3
    states = [UserState(Mood(40.0, 0.1), frozenset(told), frozenset()) for _ in range(3)]
    states[seat] = UserState(Mood(emotion, 0.1), frozenset(), frozenset(spoken))
    return [remark(cast, seat, states, company, seed=seed, turn=turn) for seed in seeds]


def lines(found):
    return {one.line for one in found if one is not None}


def of(seat, kind, cast=FRIENDS):
    others = [other for other in range(3) if other != seat]
    return {line for other in others for line in getattr(cast.toward(seat, other), kind)}


@pytest.mark.parametrize("seat", range(3))
def test_who_is_low_turns_on_others_and_who_is_well_to_them(seat):
    slips = {item.slips for o in range(3) if o != seat for item in FRIENDS.toward(seat, o).knows}
    low, well = lines(said(5.0, seat=seat)), lines(said(95.0, seat=seat))
    assert low
    assert low <= of(seat, "harsh") | slips
    assert well
    assert well <= of(seat, "warm")


def test_the_lower_they_are_the_oftener_they_turn_on_others():
    counts = [sum(one is not None for one in said(emotion)) for emotion in (0.0, 25.0, 48.0)]
    assert counts[0] > counts[1] > counts[2]


def test_the_better_they_are_the_oftener_they_turn_to_others():
    counts = [sum(one is not None for one in said(emotion)) for emotion in (100.0, 75.0, 55.0)]
    assert counts[0] > counts[1] > counts[2]


def test_whom_they_turn_to_is_the_tensest_or_the_closest_of_those_who_are_there():
    cast = FRIENDS
    others = (0, 1)
    tense = max(others, key=lambda other: cast.toward(2, other).tension)
    close = max(others, key=lambda other: cast.toward(2, other).closeness)
    assert {one.to for one in said(5.0) if one} == {tense}
    assert {one.to for one in said(95.0) if one} == {close}
    gone = [Presence(present=other != tense) for other in range(3)]
    assert {one.to for one in said(5.0, company=gone) if one} == {1 - tense}
    assert said(5.0, company=[Presence(False), Presence(False), Presence()]) == [None] * len(SEEDS)


def test_who_was_hurt_turns_on_whoever_did_it_though_they_are_not_so_low():
    calm = min((0, 1), key=lambda other: FRIENDS.toward(2, other).tension)
    company = [Presence(), Presence(), Presence(provoker=calm)]
    found = [one for one in said(60.0, company=company) if one]
    assert found
    assert {one.to for one in found} == {calm}
    assert lines(found).isdisjoint(of(2, "warm"))


def test_what_has_been_said_is_not_said_again():
    once = lines(said(5.0))
    again = lines(said(5.0, spoken=once))
    assert once.isdisjoint(again)
    slips = {item.slips for other in (0, 1) for item in FRIENDS.toward(2, other).knows}
    assert said(5.0, spoken=of(2, "harsh") | slips) == [None] * len(SEEDS)


def test_only_what_is_known_and_hidden_slips_out():
    angry = [Presence(provoker=1), Presence(), Presence()]
    found = [one for one in said(5.0, seat=0, company=angry) if one and one.exposes]
    assert found
    for one in found:
        known = {item.slips: item.fact for item in FRIENDS.toward(0, one.to).knows if item.slips}
        assert known[one.line] == one.exposes
    told = {one.exposes for one in found}
    for again in (said(5.0, seat=0, company=angry, told=told), said(95.0, seat=0)):
        assert not [one for one in again if one and one.exposes]


@given(st.permutations(range(3)), st.integers(0, 100), st.integers(0, 99))
def test_the_seats_can_be_exchanged(order, emotion, seed):
    other = cast_of("friends", tuple(order))
    for seat in range(3):
        one = said(emotion, seat=seat, seeds=[seed])[0]
        moved = said(emotion, seat=order.index(seat), seeds=[seed], cast=other)[0]
        assert moved == (one and one._replace(to=order.index(one.to)))


def test_of_two_who_are_as_close_it_is_the_same_one_in_whatever_seats():
    data = FRIENDS.to_data()
    for toward in (each for person in data["people"] for each in person["toward"]):
        toward |= {"closeness": 0.5, "tension": 0.5}
    found = []
    for order in ((0, 1, 2), (1, 0, 2)):
        cast = Cast.parse({**data, "people": [data["people"][seat] for seat in order]})
        found.append({cast.ids[one.to] for e in (5.0, 95.0) for one in said(e, cast=cast) if one})
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_it_depends_on_its_key():
    found = Counter(one and one.line for turn in range(1, 6) for one in said(5.0, turn=turn))
    assert said(5.0) == said(5.0)
    assert len(found) > 4
