from dataclasses import replace

import pytest
from made_traces import made_talk, made_turn, renamed

from empathy_env.difficulty import load_difficulty
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.measures.samples import (
    Place,
    check_same_starts,
    fewest,
    sampled,
    shared,
    tries_up_to,
)


def ended(emotion, seed=0, member=0, *, outcome="time_up", agent="base", persona="ana", **scenario):
    trace = renamed(made_talk(made_turn(emotion=emotion, outcome=outcome), seed=seed), persona)
    return replace(trace, agent=agent, scenario=replace(trace.scenario, member=member, **scenario))


def faulted(*where, **given):
    return replace(ended(90.0, *where, **given), fault={"type": "TimedOut", "message": ""})


def test_episodes_are_placed_by_persona_cell_or_start():
    need, other = (variant.need for variant in ended(1.0).scenario.persona.needs[:2])
    traces = [
        ended(80.0, 1, 0),
        ended(60.0, 1, 1),
        ended(75.0, 2),
        ended(10.0, 1, need=other),
        ended(20.0, 1, persona="ben"),
    ]
    cells = sampled(traces, goal=70.0)
    assert set(cells.places) == {
        Place("ana", f"ana/{need}/moderate"),
        Place("ana", f"ana/{other}/moderate"),
        Place("ben", f"ben/{need}/moderate"),
    }
    assert cells.places[Place("ana", f"ana/{need}/moderate")].emotions == (80.0, 60.0, 75.0)
    assert cells.places[Place("ana", f"ana/{need}/moderate")].wins == (1.0, 0.0, 1.0)
    assert len(sampled(traces, unit="start").places) == 4
    persona = sampled(traces, goal=70.0, unit="persona").places[Place("ana", "ana")]
    assert (persona.successes, persona.episodes) == (2, 4)
    own = sampled(traces, unit=lambda trace: str(trace.scenario.seed))
    assert set(own.places) == {Place("ana", "1"), Place("ana", "2"), Place("ben", "1")}
    assert cells.agent == "base"
    by_rule = sampled(traces, goal=70.0, unit="persona", won=lambda trace: trace.scenario.seed == 2)
    assert by_rule.places[Place("ana", "ana")].successes == 1


def test_who_left_has_not_succeeded_and_who_faulted_is_counted_apart():
    traces = [ended(90.0, 1, 0, outcome="left"), ended(90.0, 1, 1), faulted(1, 2), faulted(2)]
    found = sampled(traces, goal=70.0)
    [outcomes] = found.places.values()
    assert (outcomes.successes, outcomes.episodes, found.left_out) == (1, 2, 2)


def test_a_place_of_which_no_episode_counts_is_not_there():
    base = sampled([ended(50.0, 1), ended(50.0, 2)], unit="start")
    other = sampled([ended(50.0, 1), faulted(2)], unit="start")
    assert len(base.places) == 2
    assert [place.unit[-2:] for place in shared([base, other])] == ["/1"]


def test_the_least_played_place_limits_the_tries():
    base = sampled([ended(50.0, 1, member) for member in range(5)], unit="start")
    other = sampled([ended(50.0, 1, member) for member in range(3)], unit="start")
    assert fewest([base, other], shared([base, other])) == 3
    assert fewest([base], []) == 0
    assert tries_up_to(3) == (1, 2)
    assert tries_up_to(64) == (1, 2, 4, 8, 16, 32, 64)
    assert tries_up_to(0) == ()


@pytest.mark.parametrize(
    ("traces", "problem"),
    [
        ([], "file holds no talk"),
        ([ended(1.0), ended(2.0)], "file: two traces of the episode"),
        ([ended(1.0), ended(2.0, 1, agent="other")], "traces of two policies, base with scaffold"),
    ],
)
def test_what_is_not_one_policy_is_refused(traces, problem):
    with pytest.raises(InvalidArgument, match=problem):
        sampled(traces, source="file")


def test_a_goal_and_a_unit_that_are_none_are_refused():
    with pytest.raises(InvalidArgument, match="goal=101"):
        sampled([ended(1.0)], goal=101)
    with pytest.raises(UnknownName, match="Did you mean 'cell'"):
        sampled([ended(1.0)], unit="cel")


BASE = [ended(50.0, seed, member) for seed in (1, 2) for member in (0, 1)]
OTHER = [ended(60.0, seed, agent="trained") for seed in (1, 2)]


def test_the_same_starts_may_be_played_more_or_less_often():
    assert check_same_starts(BASE, OTHER) is None


def setup_of(traces, **fields):
    return [replace(trace, setup=replace(trace.setup, **fields)) for trace in traces]


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (OTHER[:1], "different starts: 1 of 2 are in one of them only, .* with seed 2 in A"),
        ([*OTHER, ended(1.0, 3)], "1 of 3 .* with seed 3 in B"),
        ([ended(1.0, 1), ended(1.0, 2, difficulty=load_difficulty("severe"))], "different starts"),
        ([ended(1.0, 1), ended(1.0, 2, max_turns=3)], "two different games"),
        (setup_of(OTHER, backend="other"), "different users, .*backend code and .*backend other"),
        (BASE, "same episodes of one policy"),
    ],
)
def test_policies_that_were_not_played_alike_are_refused(other, problem):
    with pytest.raises(InvalidArgument, match=problem):
        check_same_starts(BASE, other, names=("A", "B"))
