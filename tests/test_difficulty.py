import json
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.difficulty import HARDER, KINDS, PRESETS, Difficulty, load_difficulty
from empathy_env.errors import InvalidArgument, UnknownName

PAGE = (Path(__file__).parent.parent / "docs" / "difficulty.md").read_text("utf-8")
KNOBS = [field.name for field in fields(Difficulty)]


def test_every_knob_has_a_kind_and_all_but_those_of_style_a_harder_direction():
    assert list(KINDS) == KNOBS
    assert list(HARDER) == [knob for knob in KNOBS if KINDS[knob] != "style"]


def steps(easier, harder):
    """Return by how much each knob with a direction is harder in one preset than in another."""
    easy, hard = PRESETS[easier], PRESETS[harder]
    return {k: (getattr(hard, k) - getattr(easy, k)) * sign for k, sign in HARDER.items()}


@pytest.mark.parametrize(
    ("easier", "harder"),
    [("gentle", "moderate"), ("moderate", "severe"), ("rlver-vanilla", "rlver-challenging")],
)
def test_a_preset_is_nowhere_easier_than_the_one_before(easier, harder):
    assert min(steps(easier, harder).values()) >= 0


def test_what_differs_between_presets():
    assert all(steps("moderate", "severe").values())
    assert [k for k, step in steps("gentle", "moderate").items() if step] == [
        knob for knob, kind in KINDS.items() if kind == "response"
    ]
    assert PRESETS["moderate"] == Difficulty()


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


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("severe,masking=0.9", {"preset": "severe", "masking": 0.9}),
        ("severe , masking=0.9", {"preset": "severe", "masking": 0.9}),
        ("masking=0.9", {"masking": 0.9}),
        ("masking=0.9, trust=1", {"masking": 0.9, "trust": 1.0}),
    ],
)
def test_knobs_may_be_written_behind_a_preset_or_alone(text, same):
    assert load_difficulty(text) == load_difficulty(same)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("preset=gentle,masking=0.5", "gentle,masking=0.5"),
        ("preset=gentle", "gentle"),
        ("masking=0.5, preset = gentle", "gentle,masking=0.5"),
        ("masking=0.5,gentle,trust=1", "gentle,masking=0.5,trust=1"),
    ],
)
def test_a_preset_that_is_not_named_first_is_refused_with_the_right_order(text, right):
    with pytest.raises(InvalidArgument) as error:
        load_difficulty(text)
    assert f"difficulty={text!r}" in str(error.value)
    assert f"Write {right!r}" in str(error.value)
    assert load_difficulty(right).trust in {PRESETS["gentle"].trust, 1.0}


def test_a_mapping_starts_from_the_preset_that_it_names_and_is_left_alone():
    knobs = {"preset": "severe", "patience": 0.9}
    loaded = load_difficulty(knobs)
    assert knobs == {"preset": "severe", "patience": 0.9}
    assert loaded.patience == 0.9
    assert loaded.hostility == PRESETS["severe"].hostility


@pytest.mark.parametrize(
    ("difficulty", "suggestion"),
    [
        ("modrate", "moderate"),
        ("modrate,trust=1", "moderate"),
        ("hostilty=0.3", "hostility"),
        ({"hostilty": 0.3}, "hostility"),
        ({"preset": "sever"}, "severe"),
    ],
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


BLOCK = re.compile(r"<!-- ([\w-]+) -->\n(.*?)<!-- /\1 -->", re.DOTALL)


def test_no_generated_part_of_the_page_is_empty():
    parts = BLOCK.findall(PAGE)
    assert len(parts) == PAGE.count("<!-- /")
    for name, text in parts:
        rows = text.strip().splitlines()
        assert len(rows) > 2 if text.startswith("|") else rows, f"nothing between {name}"


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("rlver")])
def test_the_page_shows_each_fitted_preset_within_a_point_on_the_seeds_of_the_fit(name):
    table = dict(BLOCK.findall(PAGE))["calibration"]
    rows = re.findall(rf"`{name}` \| [a-z ]+ \| ([\d.]+) \| ([\d.]+) \|", table)
    assert len(rows) == 2
    for published, found in rows:
        assert abs(float(found) - float(published)) <= 1.0
