"""How well beliefs track is measured beside beliefs that look at no talk, and gaps are counted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from empathy_env import Task, load_agent, rollouts
from empathy_env.acts import NEEDS
from empathy_env.agents import Agent
from empathy_env.errors import InvalidArgument
from empathy_env.measures.belief import UNIFORM, beliefs, tracking

TASK = Task(personas="split:dev", scaffold="believe-then-say", max_turns=4)
SAID = "That sounds hard. What was it like?"


def stated(emotion, needs):
    return f"<belief>\nemotion: {emotion:.4f}\nneed: {needs}\n</belief>{SAID}"


def talks(reply, count=10):
    """Return talks of an agent `reply(talk)` that knows all."""
    agent = Agent("knows", "", True, lambda messages, rng, talk: reply(talk))
    return list(rollouts(TASK, agent, [TASK.scenario(seed) for seed in range(count)]))


def truly(talk):
    return stated(talk.users[0].mood.emotion, f"{talk.room.scenario.need} 1")


def always(talk):
    return stated(40, ", ".join(f"{need} 0.125" for need in NEEDS))


def hedged(talk):
    """Gives the true need seven tenths, and seven tenths only of the time."""
    need = talk.room.scenario.need
    wrong = NEEDS[(NEEDS.index(need) + 1) % 8]
    return stated(40, f"{need if talk.room.scenario.seed % 10 < 7 else wrong} 0.7")


def sometimes(talk):
    return truly(talk) if len(talk.turns) % 2 else SAID


TRUE, SAME = talks(truly), talks(always)


def test_who_knows_is_right_and_far_better_than_any_constant():
    found = tracking(TRUE)
    assert found.emotion.score.mean == pytest.approx(0, abs=1e-3)
    assert found.need.score.mean == 0
    assert found.need.better["uniform"].mean == pytest.approx(0.875)
    assert found.need.better["uniform"].low == pytest.approx(0.875)
    assert found.emotion.better["constant"].low > 0
    assert found.turns == found.emotion.score.size == sum(len(trace.turns) for trace in TRUE)
    assert (found.emotion.missing, found.need.missing, found.faulted) == (0, 0, 0)
    assert [(one.stated, one.true) for one in found.calibration] == [(0, 0), (1, 1)]


def test_who_states_the_constant_is_no_better_than_it():
    found = tracking(SAME)
    assert found.emotion.better["constant"] == (0, 0, 0, found.turns)
    assert found.need.better["uniform"].mean == pytest.approx(0)
    assert found.need.score.mean == pytest.approx(0.875)
    assert found.emotion.score == found.emotion.baselines["constant"]
    ((low, high, said, true, size),) = found.calibration
    assert (low, high, said, true, size) == (0.1, 0.2, 0.125, 0.125, 8 * found.turns)


def test_the_constants_in_hindsight_are_the_hardest_to_beat():
    found = tracking(SAME)
    assert found.emotion.baselines["hindsight"].mean <= found.emotion.baselines["constant"].mean
    assert found.need.baselines["prior"].mean <= found.need.baselines["uniform"].mean
    needs = [one.need for one in beliefs(SAME)]
    shares = [needs.count(need) / len(needs) for need in NEEDS]
    assert found.need.baselines["prior"].mean == pytest.approx(1 - sum(s * s for s in shares))


def test_a_given_constant_and_prior_are_taken():
    found = tracking(TRUE, constant=0.0, prior=UNIFORM)
    emotions = [one.emotion for one in beliefs(TRUE)]
    assert found.emotion.baselines["constant"].mean == pytest.approx(
        math.fsum(emotions) / len(emotions)
    )
    assert found.need.baselines["prior"] == found.need.baselines["uniform"]


def test_a_calibrated_forecast_lies_on_the_line():
    upper = tracking(talks(hedged)).calibration[-1]
    assert upper.low == 0.7
    assert upper.stated == pytest.approx(0.7)
    assert upper.true == pytest.approx(0.7, abs=0.05)


def test_turns_without_a_belief_are_counted_and_are_in_no_mean():
    traces = talks(sometimes)
    found = tracking(traces)
    half = sum(len(trace.turns) - len(trace.turns) // 2 for trace in traces)
    assert found.emotion.missing == found.need.missing == half
    assert found.emotion.score.size == found.turns - half
    assert found.need.score.mean == 0


def test_without_any_belief_nothing_is_known():
    found = tracking(talks(lambda talk: SAID))
    assert found.need.missing == found.turns
    assert math.isnan(found.need.score.mean)
    assert found.need.score.size == 0
    assert found.calibration == ()


def test_talks_that_were_never_asked_for_a_belief_are_refused_by_their_scaffold():
    for name in ("plain", "think-then-say"):
        task = Task(personas="split:dev", scaffold=name, max_turns=2)
        traces = rollouts(task, load_agent("listener"), [task.scenario(1)])
        with pytest.raises(InvalidArgument, match=f"scaffold '{name}' state no belief: play talks"):
            tracking(traces)


def test_the_true_emotion_is_that_before_the_turn():
    trace = TRUE[0]
    assert [one.emotion for one in beliefs([trace])] == [
        trace.emotion(turn) for turn in range(len(trace.turns))
    ]


def test_talks_that_a_fault_ended_are_left_out_and_counted():
    broken = replace(TRUE[0], fault={"type": "TimedOut", "message": "no"})
    found = tracking([*TRUE[1:], broken])
    assert found.faulted == 1
    assert found.turns == sum(len(trace.turns) for trace in TRUE[1:])
    with pytest.raises(InvalidArgument, match="no turn"):
        tracking([broken])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"constant": 101}, "constant=101"),
        ({"prior": {"absolution": 1.0}}, "each of"),
        ({"prior": dict.fromkeys(NEEDS, 0.2)}, "adding up to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, words):
    with pytest.raises(InvalidArgument, match=words):
        tracking(TRUE, **settings)
