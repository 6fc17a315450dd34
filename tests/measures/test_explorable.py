import math
import random
from dataclasses import replace
from functools import cache
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_env import Task
from empathy_env.errors import InvalidArgument
from empathy_env.measures.explorable import (
    explorable,
    heat_map,
    region,
    regions,
)
from empathy_env.measures.noise import icc, within
from empathy_env.measures.rates import pass_at, signal_fraction, wilson


@cache
def spoken():
    """Return a talk of one turn, played once."""
    episode = Task(persona="laid-off-engineer", max_turns=1).open(seed=0)
    episode.say("What was that like?")
    return episode.trace


def ended(emotion, seed=0, member=0, *, outcome="time_up", **scenario):
    """Return a trace that ended with this emotion; nothing else of it is looked at."""
    trace = spoken()
    turn = trace.turns[0]
    answer = turn.answers[0]._replace(mood=turn.answers[0].mood._replace(emotion=float(emotion)))
    return replace(
        trace,
        scenario=replace(trace.scenario, need="absolution", seed=seed, member=member, **scenario),
        turns=(replace(turn, answers=(answer,), outcome=outcome),),
    )


def cell_of(groups, **asked):
    """Return the cell of these final emotions, one row a start."""
    traces = [
        ended(value, seed, member)
        for seed, row in enumerate(groups)
        for member, value in enumerate(row)
    ]
    [cell] = explorable(random.Random(1).sample(traces, len(traces)), **asked)
    return cell


emotions = st.sampled_from([0.0, 20.0, 55.0, 60.0, 100.0])
starts = st.lists(st.lists(emotions, min_size=1, max_size=6), min_size=1, max_size=5)


@settings(max_examples=60)
@given(starts)
def test_figures_are_those_of_their_definitions(groups):
    cell = cell_of(groups, group_size=3, tries=2, goal=60.0, delta=5.0)
    every = [value for row in groups for value in row]
    wins = [[value >= 60.0 for value in row] for row in groups]
    assert (cell.episodes, cell.starts, cell.left_out) == (len(every), len(groups), 0)
    assert cell.success.mean == pytest.approx(fmean(value >= 60 for value in every))
    assert cell.success.low <= cell.success.mean <= cell.success.high
    assert cell.emotion == pytest.approx(fmean(every))
    assert cell.within == pytest.approx(within(groups), nan_ok=True)
    means = [fmean(row) for row in groups]
    assert cell.between == pytest.approx(stdev(means) if len(means) > 1 else math.nan, nan_ok=True)
    shared = max(map(len, groups)) > 1
    pools = wins if shared else [[win for row in wins for win in row]]
    assert cell.basis == ("members" if shared else "seeds")
    for figure, size, estimate in ((cell.signal, 3, signal_fraction), (cell.reach, 2, pass_at)):
        known = [estimate(sum(pool), len(pool), size) for pool in pools if len(pool) >= size]
        assert figure == pytest.approx(fmean(known) if known else math.nan, nan_ok=True)
    spreads = [stdev(row) > 5.0 for row in groups if len(row) > 1]
    assert cell.graded == pytest.approx(fmean(spreads) if spreads else math.nan, nan_ok=True)


def test_too_few_episodes_give_no_figure_and_say_so():
    cell = cell_of([[100.0] * 4, [0.0] * 4])
    assert math.isnan(cell.signal)
    assert math.isnan(cell.reach)
    assert math.isnan(cell.graded)
    assert math.isnan(cell.noise)
    assert (cell.explorable, cell.edge) == (None, None)
    assert "signal: 8 members of one start are needed, there are 4" in cell.notes
    assert "reach: 8 members of one start are needed, there are 4" in cell.notes
    assert any(note.startswith("noise, icc") for note in cell.notes)
    assert any(note.startswith("graded: there is no delta") for note in cell.notes)


def test_one_episode_has_neither_spread():
    cell = cell_of([[50.0]])
    assert math.isnan(cell.within)
    assert math.isnan(cell.between)
    assert "between: there is one start only" in cell.notes
    assert "within, graded: no start has two members" in cell.notes


def test_starts_that_disagree_are_no_signal_within_a_group():
    cell = cell_of([[100.0] * 8, [0.0] * 8])
    assert cell.signal == 0.0
    assert cell.success.mean == 0.5
    once = cell_of([[100.0], [0.0]] * 4)
    assert once.basis == "seeds"
    assert once.signal == 1.0  # an upper bound: each start was played once


def test_members_that_are_copies_do_not_narrow_the_interval():
    copies = cell_of([[100.0] * 8, [0.0] * 8, [100.0] * 8, [0.0] * 8])
    assert (copies.success.low, copies.success.high) == pytest.approx(wilson(0.5, 4))
    alone = cell_of([[100.0], [0.0], [100.0], [0.0]])
    assert alone.success[1:3] == pytest.approx(wilson(0.5, 4))
    mixed = cell_of([[100.0, 0.0] * 4] * 4)
    assert mixed.success[1:3] == pytest.approx(wilson(0.5, 32))


def test_an_edge_cell_is_rare_in_one_try_and_within_reach_in_several():
    rare = [100.0] + [0.0] * 7
    assert cell_of([rare] * 2).edge is True
    assert cell_of([rare, [0.0] * 8, [0.0] * 8]).edge is False
    assert cell_of([[100.0] * 4 + [0.0] * 4]).edge is False


def test_a_cell_is_explorable_from_a_signal_of_a_fifth_on():
    silent, loud = [0.0] * 8, [100.0] + [0.0] * 7
    assert cell_of([silent] * 4 + [loud]).explorable is True
    assert cell_of([silent] * 5 + [loud]).explorable is False


def test_noise_and_icc_come_from_the_replays_and_noise_is_the_delta():
    rows = [[50.0, 54.0, 52.0], [70.0, 71.0, 75.0]]
    traces = [ended(value, 0, member) for member, value in enumerate((50.0, 52.0))]
    traces += [ended(value, 1, member) for member, value in enumerate((50.0, 60.0))]
    [cell] = explorable(traces, replays={"laid-off-engineer/absolution/moderate": rows})
    assert cell.noise == pytest.approx(within(rows)) == cell.delta
    assert cell.icc == pytest.approx(icc(rows))
    assert cell.graded == 0.5
    [given_delta] = explorable(traces, delta=9.0)
    assert given_delta.graded == 0.0


def test_leaving_is_no_success_and_faults_are_left_out():
    gone = ended(70.0, 0, 0, outcome="left")
    fault = replace(ended(100.0, 0, 1), fault={"type": "TimedOut", "message": ""})
    [cell] = explorable([gone, fault, ended(70.0, 0, 2), ended(90.0, 0, 3, outcome=None)], goal=60)
    assert (cell.episodes, cell.left_out) == (2, 2)
    assert cell.success.mean == 0.5
    [lost] = explorable([fault])
    assert lost.episodes == 0
    assert math.isnan(lost.success.mean)
    assert lost.notes == ("no episode came to its end without a fault",)


def test_cells_are_told_apart_by_persona_need_and_difficulty():
    hard = Task(persona="laid-off-engineer", difficulty="severe").difficulty
    other = Task(persona="widower-allotment").scenario(0).persona
    need = other.needs[0].need
    traces = [ended(50.0), ended(50.0, difficulty=hard)]
    widower = ended(50.0)
    scenario = replace(widower.scenario, persona=other, need=need)
    traces.append(replace(widower, scenario=scenario))
    found = [(cell.persona, cell.need, cell.difficulty) for cell in explorable(traces)]
    assert found == [
        ("laid-off-engineer", "absolution", "moderate"),
        ("laid-off-engineer", "absolution", "severe"),
        ("widower-allotment", need, "moderate"),
    ]


def test_the_same_episode_twice_is_refused():
    with pytest.raises(InvalidArgument, match="two traces of the episode laid-off-engineer/"):
        explorable([ended(50.0), ended(60.0)])


def test_two_agents_users_scaffolds_or_lengths_are_refused():
    one, longer = ended(50.0), ended(50.0, 1)
    for other in (
        replace(ended(50.0, 1), agent="listener"),
        replace(ended(50.0, 1), setup=replace(one.setup, appraiser="rules-b")),
        replace(ended(50.0, 1), setup=replace(one.setup, scaffold="think-then-say")),
        replace(longer, scenario=replace(longer.scenario, max_turns=20)),
    ):
        with pytest.raises(InvalidArgument, match="traces of two players"):
            explorable([one, other])


@pytest.mark.parametrize(
    ("given", "text"),
    [({"group_size": 1}, "group_size=1"), ({"tries": 0}, "tries=0"), ({"goal": 101}, "goal=101")],
)
def test_bad_arguments_are_refused_by_name(given, text):
    with pytest.raises(InvalidArgument, match=text):
        explorable([ended(50.0)], **given)


def test_no_traces_are_refused():
    with pytest.raises(InvalidArgument, match="there is none"):
        explorable([])


def named(persona, need="absolution", difficulty="moderate", signal=0.0):
    cell = cell_of([[100.0] * 8])
    return replace(cell, persona=persona, need=need, difficulty=difficulty, signal=signal)


def test_a_region_is_the_mean_over_cells_with_an_interval_over_personas():
    signals = {"a": [0.0, 0.3], "b": [0.9], "c": [0.1], "d": [0.5], "e": [math.nan]}
    cells = [named(one, signal=value) for one, values in signals.items() for value in values]
    found = region(cells)
    assert found.cells == 6
    assert found.signal.mean == pytest.approx(0.36)
    assert found.signal.size == 5
    assert math.isnan(found.signal.low)  # of four personas only
    assert found.explorable.mean == pytest.approx(3 / 5)
    more = region([*cells, named("f", signal=0.4), named("g", signal=math.nan)])
    assert more.signal.low < more.signal.mean < more.signal.high
    assert math.isnan(more.icc.mean)


def test_regions_stand_in_the_order_of_the_presets():
    cells = [named("a", difficulty=name) for name in ("severe", "gentle", "start=0.1", "moderate")]
    found = regions(cells)
    assert list(found) == ["gentle", "moderate", "severe", "start=0.1"]
    assert [one.cells for one in found.values()] == [1, 1, 1, 1]


def test_a_heat_map_is_a_mean_over_the_third_side_and_leaves_gaps():
    cells = [
        named("b", "absolution", "gentle", 0.2),
        named("b", "absolution", "severe", 0.6),
        named("a", "deep_empathy", "severe", 0.5),
        named("a", "deep_empathy", "gentle", math.nan),
    ]
    heat = heat_map(cells)
    assert (heat.rows, heat.columns) == (["a", "b"], ["absolution", "deep_empathy"])
    [[gap, first], [second, other_gap]] = heat.values
    assert (first, second) == (0.5, pytest.approx(0.4))
    assert math.isnan(gap)
    assert math.isnan(other_gap)
    levels = heat_map(cells, rows="need", columns="difficulty")
    assert levels.columns == ["gentle", "severe"]
    assert heat_map(cells, "success").values[0][1] == 1.0


def test_a_heat_map_needs_two_sides():
    with pytest.raises(InvalidArgument, match="give two sides"):
        heat_map([named("a")], rows="need", columns="need")


def test_an_icc_needs_two_scripts():
    name = "laid-off-engineer/absolution/moderate"
    [cell] = explorable([ended(50.0)], replays={name: [[50.0, 54.0]]})
    assert cell.noise == pytest.approx(within([[50.0, 54.0]]))
    assert math.isnan(cell.icc)
    assert any(note.startswith("icc: two scripts") for note in cell.notes)
