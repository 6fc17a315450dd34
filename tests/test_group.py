import random
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import say_by

from empathy_env import Difficulty, Task
from empathy_env.difficulty import PRESETS, load_difficulty
from empathy_env.group import (
    Group,
    cell_of,
    counts,
    final_emotion,
    group_of,
    level_name,
    started_alike,
    succeeded,
    unknown_cell,
)


def talk(seed=0, member=0, *, style="good", turns=2, **given):
    """Return the trace of a whole talk."""
    task = Task(persona="laid-off-engineer", max_turns=turns, **given)
    episode = task.open(seed=seed, member=member)
    while not episode.done:
        episode.say(say_by(style, episode.turn + member))
    return episode.trace


def faulted(trace):
    return replace(trace, fault={"type": "TimedOut", "message": "no answer"})


payoffs = st.lists(st.sampled_from([0.0, 0.25, 1.0]), max_size=6)


@given(payoffs)
def test_a_group_is_dropped_just_when_no_member_has_an_advantage(values):
    group = Group("a", [value == 1.0 for value in values], values)
    mean = sum(values) / len(values) if values else 0.0
    assert bool(group.dropped) == all(abs(value - mean) < 1e-6 for value in values)


@pytest.mark.parametrize(
    ("wins", "paid", "reason"),
    [
        ([True, True], [1.0, 1.0], "all solved"),
        ([False, False], [0.0, 0.0], "all failed"),
        ([True, False], [0.5, 0.5], "all alike"),
        ([True], [1.0], "too few"),
        ([], [], "too few"),
        ([False, False], [0.2, 0.3], ""),
    ],
)
def test_why_a_group_is_dropped(wins, paid, reason):
    assert Group("a", wins, paid).dropped == reason


def test_traces_are_grouped_by_start_in_any_order():
    traces = [talk(seed, member) for seed in (1, 2) for member in (0, 1)]
    traces.append(talk(1, 0, difficulty="severe"))
    shuffled = random.Random(3).sample(traces, len(traces))
    groups = started_alike(shuffled)
    assert groups == started_alike(traces)
    assert sorted(len(group) for group in groups) == [1, 2, 2]
    assert all([t.scenario.member for t in group] == list(range(len(group))) for group in groups)


def test_a_cell_is_named_after_persona_need_and_difficulty():
    trace = talk(difficulty={"hostility": 0.75})
    assert cell_of(trace) == f"laid-off-engineer/{trace.scenario.need}/moderate,hostility=0.75"
    assert cell_of(talk()).endswith("/moderate")


def test_two_difficulties_never_share_a_name():
    levels = [
        *PRESETS.values(),
        Difficulty(start=0.1),
        Difficulty(trust=0.1),
        Difficulty(trust=0.2),
    ]
    assert len({level_name(level) for level in levels}) == len(set(levels))


def test_only_episodes_that_came_to_their_end_count():
    whole = talk()
    assert counts(whole)
    assert not counts(faulted(whole))
    assert not counts(whole.prefix(1))


def test_success_is_the_goal_reached_by_somebody_who_stayed():
    trace = talk()
    emotion = final_emotion(trace)
    assert emotion == trace.turns[-1].answers[0].mood.emotion
    assert succeeded(trace, emotion)
    assert not succeeded(trace, emotion + 0.01)
    gone = talk(style="gone", turns=10)
    assert gone.outcome == "left"
    assert not succeeded(gone, 0.0)


def test_a_group_holds_what_was_paid_and_counts_faults_apart():
    traces = [talk(5, member) for member in (0, 1)]
    group = group_of([*traces, faulted(talk(5, 2)), talk(5, 3).prefix(1)], goal=0.0)
    assert group.wins == [True, True]
    assert group.payoffs == [pytest.approx(final_emotion(trace) / 100) for trace in traces]
    assert group.faults == 2


def test_weights_of_a_reward_are_part_of_what_was_paid():
    traces = [talk(5, reward={"terminal": 2.0, "delta": 1.0})]
    trace = traces[0]
    emotion, start = final_emotion(trace) / 100, trace.emotion(0) / 100
    assert group_of(traces).payoffs == [pytest.approx(2 * emotion + emotion - start)]


def test_where_nothing_was_paid_success_is_the_payoff():
    trace = replace(talk(5), rewards={}, weights={})
    assert group_of([trace], goal=0.0).payoffs == [1.0]
    assert group_of([trace], goal=100.0).payoffs == [0.0]


def test_a_difficulty_is_named_by_the_nearest_preset_and_what_differs():
    for written in ("severe,masking=0.9", "gentle,patience=0.25", "moderate,hostility=0.75"):
        assert level_name(load_difficulty(written)) == written
    assert level_name(load_difficulty("masking=0.3")) == "moderate,masking=0.3"


@given(
    st.sampled_from(list(PRESETS)),
    st.sampled_from([f.name for f in fields(Difficulty)]),
    st.floats(0.0, 1.0),
)
def test_the_name_of_a_difficulty_is_read_back_as_it(preset, knob, value):
    level = replace(PRESETS[preset], **{knob: value})
    assert load_difficulty(level_name(level)) == level


@pytest.mark.parametrize(
    ("wins", "said"),
    [
        ([False] * 3, "all failed"),
        ([True] * 3, "all solved"),
        ([True, False, True], ""),
        ([True], ""),
    ],
)
def test_a_group_is_one_sided_by_its_successes_whatever_was_paid(wins, said):
    paid = [0.1 * number for number in range(len(wins))]
    assert Group("a", wins, paid).one_sided == said
    assert Group("a", wins, paid).dropped == ("too few" if len(wins) < 2 else "")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("eve/praise/gentle", "no persona 'eve' here, only ana, ben."),
        ("ana/praise/severe", "no difficulty 'severe' here, only gentle."),
        ("ana/advice/gentle", "no need 'advice' here, only praise."),
        ("ana", "a name is persona/need/difficulty."),
    ],
)
def test_a_cell_that_is_not_there_is_refused_for_the_side_that_is_wrong(cell, said):
    error = unknown_cell(cell, ["ana/praise/gentle", "ben/advice/gentle"])
    assert str(error) == f"No cell named {cell!r}: {said}"


def test_of_many_names_only_some_are_listed():
    error = unknown_cell("x/need", [f"{letter}/need" for letter in "abcdefghijklm"])
    assert "only a, b, c, d, e, f, g, h, ..." in str(error)
