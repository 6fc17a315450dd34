import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import made_talk, made_turn, piece, renamed

from empathy_env.acts import ACTS, HARMFUL
from empathy_env.measures.strategies import (
    STRATEGIES,
    STRATEGY_OF,
    strategies,
    talk_mix,
    turn_mix,
)

acts = st.lists(st.sampled_from(ACTS), max_size=6)


def talk_of(turns, **fields):
    return made_talk(*(made_turn(*map(piece, turn)) for turn in turns), **fields)


def test_every_act_belongs_to_one_strategy_and_all_harm_to_harm():
    assert set(STRATEGY_OF) == set(ACTS)
    assert {act for act, name in STRATEGY_OF.items() if name == "harm"} == set(HARMFUL)


@given(st.lists(acts, min_size=1, max_size=5))
def test_the_shares_of_a_talk_add_up_to_1(turns):
    mix = talk_mix(talk_of(turns))
    assert tuple(mix) == STRATEGIES
    assert sum(mix.values()) == pytest.approx(1.0)


@given(acts, st.integers(2, 4))
def test_saying_all_of_a_turn_several_times_changes_nothing(turn, times):
    once, often = (turn_mix(tuple(map(piece, turn * n))) for n in (1, times))
    assert once == pytest.approx(often)


def test_a_crowded_turn_weighs_as_much_as_a_plain_one():
    mix = talk_mix(talk_of([["suggestion"] * 8, ["reflection"]]))
    assert (mix["advice"], mix["deep_empathy"]) == (0.5, 0.5)


def test_each_third_of_a_talk_has_its_own_mix():
    turns = [["open_question"], ["reflection"], ["suggestion"]]
    found = strategies([talk_of(turns)])
    assert list(found["question"].by_position.values()) == [1.0, 0.0, 0.0]
    assert list(found["deep_empathy"].by_position.values()) == [0.0, 1.0, 0.0]
    assert list(found["advice"].by_position.values()) == [0.0, 0.0, 1.0]
    assert list(strategies([talk_of([["blame"]])])["harm"].by_position) == ["first third"]


def test_what_a_strategy_contributes_is_the_mean_change_of_its_turns():
    talk = made_talk(
        made_turn(piece("reflection"), emotion=46.0),
        made_turn(piece("reflection"), piece("suggestion"), emotion=44.0),
        made_turn(emotion=43.0),
        start=40.0,
    )
    found = strategies([talk])
    assert found["deep_empathy"].contribution.mean == (6.0 - 2.0) / 2
    assert (found["advice"].contribution.mean, found["advice"].turns) == (-2.0, 1)
    assert found["none"].contribution.mean == -1.0
    assert (found["praise"].contribution, found["praise"].turns) == (None, 0)


@pytest.mark.parametrize(
    "changed",
    [
        lambda talks: talks[::-1],
        lambda talks: [*talks, *talks],
        lambda talks: [renamed(talk, f"x-{talk.scenario.persona.id}") for talk in talks],
    ],
)
def test_order_doubling_and_names_change_no_mean(changed):
    talks = [
        talk_of([["open_question"], ["reflection"]]),
        talk_of([["suggestion"]], persona="widower-allotment"),
    ]
    one, other = strategies(talks), strategies(changed(talks))
    for name in STRATEGIES:
        assert one[name].share.mean == pytest.approx(other[name].share.mean)
        assert one[name].by_position == pytest.approx(other[name].by_position)
        means = [use.contribution and use.contribution.mean for use in (one[name], other[name])]
        assert means[0] == means[1]
