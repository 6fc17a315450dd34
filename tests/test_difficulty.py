import json
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.difficulty import HARDER, PRESETS, Difficulty, load_difficulty
from empathy_env.errors import InvalidArgument, UnknownName

KNOBS = [field.name for field in fields(Difficulty)]


def test_every_knob_has_a_harder_direction():
    assert list(HARDER) == KNOBS


@pytest.mark.parametrize(("easier", "harder"), [("gentle", "moderate"), ("moderate", "severe")])
def test_presets_are_ordered_in_every_knob(easier, harder):
    for knob, direction in HARDER.items():
        step = getattr(PRESETS[harder], knob) - getattr(PRESETS[easier], knob)
        assert step * direction > 0, knob


@pytest.mark.parametrize("knob", KNOBS)
@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), "0.5", None, True])
def test_a_knob_outside_the_unit_interval_is_refused_by_name_and_value(knob, value):
    with pytest.raises(InvalidArgument) as error:
        Difficulty(**{knob: value})
    assert f"{knob}={value!r}" in str(error.value)
    assert "[0, 1]" in str(error.value)


@given(st.fixed_dictionaries({knob: st.floats(0, 1) for knob in KNOBS}))
def test_knobs_round_trip_through_json(knobs):
    difficulty = Difficulty(**knobs)
    assert load_difficulty(json.loads(json.dumps(difficulty.to_data()))) == difficulty


def test_whole_numbers_are_knobs_too_and_come_out_as_floats():
    assert json.dumps(Difficulty(start=1).to_data()["start"]) == "1.0"


def test_loading_by_name_by_value_and_by_knobs():
    assert load_difficulty("severe") is PRESETS["severe"]
    value = Difficulty(start=0.1)
    assert load_difficulty(value) is value
    assert load_difficulty({}) == PRESETS["moderate"]
    assert load_difficulty({"start": 0.1}) == value


def test_a_mapping_starts_from_the_preset_that_it_names_and_is_left_alone():
    knobs = {"preset": "severe", "patience": 0.9}
    loaded = load_difficulty(knobs)
    assert knobs == {"preset": "severe", "patience": 0.9}
    assert loaded.patience == 0.9
    assert loaded.hostility == PRESETS["severe"].hostility


@pytest.mark.parametrize(
    ("difficulty", "suggestion"),
    [("modrate", "moderate"), ({"hostilty": 0.3}, "hostility"), ({"preset": "sever"}, "severe")],
)
def test_a_wrong_name_gets_the_nearest_right_one(difficulty, suggestion):
    with pytest.raises(UnknownName, match=f"Did you mean '{suggestion}'"):
        load_difficulty(difficulty)


def test_a_value_that_is_no_difficulty_at_all_is_refused():
    with pytest.raises(InvalidArgument):
        load_difficulty(3)


def test_a_difficulty_is_a_value():
    assert len({Difficulty(), Difficulty()}) == 1
    with pytest.raises(FrozenInstanceError):
        Difficulty().start = 0.9
