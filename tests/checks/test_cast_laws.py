"""The laws of a cast as calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from empathy_env.cast import CAST_FILE, Cast, cast_names, load_cast
from empathy_env.checks import check_cast
from empathy_env.checks.casts import LAWS
from empathy_env.errors import CheckFailed, UnknownName

BAKERS = Path(__file__).parent.parent / "two-bakers" / CAST_FILE


@pytest.mark.parametrize("cast", [BAKERS, str(BAKERS), load_cast(BAKERS)], ids=type)
def test_of_a_good_cast_all_laws_hold(cast):
    assert set(check_cast(cast).laws) == {law.name for law in LAWS}


@pytest.mark.parametrize("name", cast_names())
def test_each_bundled_cast_can_be_loaded(name):
    assert check_cast(name, laws=["schema"]).laws == ("schema",)


def test_a_line_that_calls_nobody_breaks_a_law():
    data = load_cast(BAKERS).to_data()
    data["people"][1]["toward"][0]["warm"] = ["You have worked so hard."]
    with pytest.raises(CheckFailed, match=r"is said to Orla, and calls nobody") as error:
        check_cast(Cast.parse(data))
    assert error.value.law == "addressed"
    assert check_cast(Cast.parse(data), laws=["schema"]).laws == ("schema",)


def test_a_value_that_was_never_checked_is():
    bakers = load_cast(BAKERS)
    with pytest.raises(CheckFailed, match="a second persona"):
        check_cast(bakers.model_copy(update={"people": (bakers.people[0],) * 2}))


def test_a_file_that_is_missing_breaks_the_schema(tmp_path):
    with pytest.raises(CheckFailed, match=r"law 'schema': .*nowhere\.yaml: cannot be read"):
        check_cast(tmp_path / "nowhere.yaml", laws=["addressed"])


def test_a_cast_or_law_that_there_is_not():
    with pytest.raises(UnknownName, match="No cast named"):
        check_cast("nobody-at-all")
    with pytest.raises(UnknownName, match="Did you mean 'addressed'"):
        check_cast(BAKERS, laws=["adressed"])
