import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_curriculum import TWO, played

from empathy_env.curriculum import Curriculum
from empathy_env.difficulty import PRESETS
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.servo import Servo, between


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_between_two_difficulties_each_knob_moves_from_end_to_end(one, other):
    low, high = sorted((one, other))
    easy, hard = PRESETS["gentle"], PRESETS["severe"]
    assert between(easy, hard, 0.0) == easy
    first, second = between(easy, hard, low), between(easy, hard, high)
    for name, value in easy.to_data().items():
        sign = 1 if hard.to_data()[name] >= value else -1
        assert sign * first.to_data()[name] <= sign * second.to_data()[name] + 1e-12


def test_a_servo_gets_harder_with_success_and_easier_with_failure():
    servo = Servo(["laid-off-engineer"], goal=45.0, gain=1.0, max_turns=3)
    scenario = servo(1)
    assert scenario.difficulty == PRESETS["gentle"]
    servo.observe(played(scenario))
    cell = f"laid-off-engineer/{scenario.need}"
    assert servo.state[cell] == 0.5
    assert servo(1).difficulty == between(PRESETS["gentle"], PRESETS["severe"], 0.5)
    servo.observe(played(scenario, style="bad"))
    servo.observe(played(scenario, style="bad"))
    assert servo.state[cell] == 0.0


def test_a_servo_stands_still_within_its_band_and_after_faults():
    start = {"laid-off-engineer/absolution": 0.5}
    moved_to = []
    for band in (0.3, 0.2):
        servo = Servo(
            ["laid-off-engineer"], gain=0.4, band=band, goal=45.0, state=start, max_turns=3
        )
        scenario = replace(servo(1), need="absolution")
        three_of_four = [*played(scenario, 3), *played(scenario, 4, "bad")[3:]]
        servo.observe(
            [replace(three_of_four[0], fault={"type": "TimedOut", "message": "no answer"})]
        )
        assert servo.state["laid-off-engineer/absolution"] == 0.5
        [group] = servo.observe(three_of_four)
        assert sum(group.wins) == 3
        moved_to.append(servo.state["laid-off-engineer/absolution"])
    assert moved_to == [0.5, 0.6]


def test_a_servo_is_resumed_from_its_state():
    one = Servo(TWO, goal=45.0, max_turns=3)
    for seed in range(4):
        one.observe(played(one(seed)))
    other = Servo(TWO, goal=45.0, max_turns=3, state=json.loads(json.dumps(one.state)))
    assert max(one.state.values()) > 0
    assert [one(seed) for seed in range(10)] == [other(seed) for seed in range(10)]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"gain": 2.0}, "gain=2.0"),
        ({"band": 0.7}, "band=0.7"),
        ({"goal": -1.0}, "goal=-1.0"),
        ({"state": {"nobody/absolution": 0.5}}, "No cell named 'nobody"),
        ({"state": {"laid-off-engineer/absolution": 2.0}}, r"absolution'\]=2.0"),
        ({"easy": "easy"}, "No difficulty named 'easy'"),
    ],
)
def test_a_servo_refuses_bad_arguments_by_name(given, text):
    with pytest.raises(InvalidArgument, match=text):
        Servo(["laid-off-engineer"], **given)


def test_a_servo_refuses_a_trace_of_somebody_else():
    servo = Servo(["laid-off-engineer"])
    traces = played(Curriculum(["widower-allotment"])(1), 1)
    with pytest.raises(UnknownName, match="No cell named 'widower-allotment"):
        servo.observe(traces)
    assert set(servo.state.values()) == {0.0}
