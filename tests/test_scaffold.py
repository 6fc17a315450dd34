import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.errors import UnknownName
from empathy_env.scaffold import SCAFFOLDS, Scaffold, Split, load_scaffold


@given(st.text())
def test_with_the_plain_scaffold_everything_is_heard(text):
    assert load_scaffold("plain").split(text) == ("", text, ())


@pytest.mark.parametrize("name", SCAFFOLDS)
@given(text=st.text())
def test_every_scaffold_takes_any_text_apart_in_the_same_way_each_time(name, text):
    split = SCAFFOLDS[name].split
    assert split(text) == split(text)
    assert isinstance(split(text), Split)


@pytest.mark.parametrize("name", SCAFFOLDS)
def test_a_scaffold_stands_under_its_own_name(name):
    assert SCAFFOLDS[name].name == name
    assert load_scaffold(name) is SCAFFOLDS[name]


def test_the_plain_scaffold_asks_for_nothing():
    assert SCAFFOLDS["plain"].prompt == ""


def test_ones_own_scaffold_is_taken_as_it_is():
    own = Scaffold("shout", "Shout.", lambda text: Split(text, text.upper()))
    assert load_scaffold(own) is own
    assert load_scaffold(own).split("hey") == ("hey", "HEY", ())


def test_a_wrong_name_gets_the_nearest_right_one():
    with pytest.raises(UnknownName, match=r"scaffold named 'plian'\. Did you mean 'plain'"):
        load_scaffold("plian")
