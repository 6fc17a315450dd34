import math
from dataclasses import replace

import pytest
from parts import echoing_backend, say_by

from empathy_env import Task, load_agent
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.measures.luck import FLOORS, floor_traces, over_floors, robust
from empathy_env.measures.open_loop import replayed_under, succeeded_under
from empathy_env.measures.samples import check_same_starts, sampled
from empathy_env.rollout import play


def talk(seed=0, *, turns=3, **given):
    episode = Task(persona="laid-off-engineer", max_turns=turns, **given).open(seed=seed)
    while not episode.done:
        episode.say(say_by("good", episode.turn))
    return episode.trace


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"protocol": "appraisal-v1-b"},
        {"appraiser": "rules-b"},
        {"speaker": "templates-b"},
    ],
)
def test_floors_are_played_on_the_same_episodes_with_the_same_user(user):
    task = Task(persona="laid-off-engineer", max_turns=2, difficulty="severe", **user)
    traces = [
        play(task, load_agent("listener"), task.scenario(seed, member=member))
        for seed in (1, 2)
        for member in (0, 1)
    ]
    for name in FLOORS:
        floors = floor_traces(traces, name)
        assert [one.scenario for one in floors] == [one.scenario for one in traces]
        assert sampled(floors).agent == name
        assert check_same_starts(traces, floors) is None
    [said, *_] = floor_traces(traces, "parrot")
    assert (said.turns[0].heard,) == traces[0].opening


def test_agents_are_not_played_with_a_model_as_the_user():
    task = Task(persona="laid-off-engineer", max_turns=1, user=echoing_backend(), appraiser="rules")
    trace = play(task, load_agent("listener"), task.scenario(1))
    with pytest.raises(InvalidArgument, match="empathy-env rollout"):
        floor_traces([trace], "parrot")
    with pytest.raises(InvalidArgument, match="Leave these replays out"):
        robust(trace)
    with pytest.raises(UnknownName, match="parot"):
        floor_traces([talk()], "parot")


def test_a_success_is_robust_if_half_of_the_other_seeds_agree():
    trace = talk(2)
    finals = sorted(replayed_under(trace, range(40)))
    assert finals[0] < finals[-1]
    assert robust(trace, goal=finals[0] - 15, seeds=8)
    assert not robust(trace, goal=100.0, seeds=8)


@pytest.mark.parametrize(("reached", "is_robust"), [(3, False), (4, True), (5, True)])
def test_half_is_enough(reached, is_robust, monkeypatch):
    seen = []

    def counted(trace, seeds, *, goal):
        seen.extend(seeds)
        return [number < reached for number in range(len(seeds))]

    monkeypatch.setattr("empathy_env.measures.luck.succeeded_under", counted)
    trace = talk(2)
    assert robust(trace, seeds=8) is is_robust
    assert len(set(seen)) == 8
    assert trace.scenario.seed not in seen
    first = list(seen)
    robust(replace(trace, scenario=replace(trace.scenario, seed=3)), seeds=8)
    assert not set(first) & set(seen[8:])


def test_a_user_who_leaves_was_not_helped_however_they_feel():
    episode = Task(persona="laid-off-engineer", max_turns=10, difficulty="severe").open(seed=1)
    while not episode.done:
        episode.say(say_by("bad", episode.turn))
    trace = episode.trace
    assert trace.outcome == "left"
    assert succeeded_under(trace, [1], goal=0.0) == [False]
    stayed = talk(2)
    assert succeeded_under(stayed, [2], goal=0.0) == [True]
    goal = stayed.emotion(len(stayed.turns))
    assert succeeded_under(stayed, [2], goal=goal) == [True]
    assert succeeded_under(stayed, [2], goal=goal + 0.1) == [False]


def test_no_seed_is_refused():
    with pytest.raises(InvalidArgument, match="seeds=0"):
        robust(talk(), seeds=0)


def test_a_policy_must_be_above_every_floor():
    floors = {"parrot": [0.1, 0.4, 0.5, math.nan], "random": [0.2, 0.3, 0.5, 0.1]}
    found = over_floors([0.3, 0.35, 0.5, 0.9], floors)
    assert found.above == (True, False, False, None)
    assert found.highest[:3] == ("random", "parrot", "parrot")
    assert found.floors[:3] == (0.2, 0.4, 0.5)
    assert over_floors([math.nan], {"parrot": [0.0]}).above == (None,)


@pytest.mark.parametrize("floors", [{}, {"parrot": [0.1]}])
def test_floors_are_given_at_the_same_tries(floors):
    with pytest.raises(InvalidArgument, match="floors have"):
        over_floors([0.1, 0.2], floors)
