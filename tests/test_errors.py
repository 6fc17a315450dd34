import pytest

from empathy_env import errors
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.scaffold import SCAFFOLDS

ALL = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, Exception)
]


@pytest.mark.parametrize("error", ALL)
def test_one_except_clause_catches_every_error_of_the_package(error):
    with pytest.raises(errors.EmpathyEnvError):
        raise error("a message")


@pytest.mark.parametrize("error", ALL)
def test_the_tree_in_the_docstring_names_every_error(error):
    assert error.__name__ in errors.__doc__


@pytest.mark.parametrize(
    "error", [InvalidArgument, UnknownName, errors.InvalidPersona, errors.TraceError]
)
def test_an_error_about_a_given_value_is_also_a_value_error(error):
    assert issubclass(error, ValueError)


@pytest.mark.parametrize("fault", [errors.BackendFault, errors.UnparseableReply])
def test_failures_of_machinery_are_faults_and_mistakes_of_the_caller_are_not(fault):
    assert issubclass(fault, errors.Fault)
    assert not issubclass(fault, ValueError)
    assert not issubclass(errors.RewardError, errors.Fault)
    assert not issubclass(InvalidArgument, errors.Fault)


def test_an_unknown_name_gets_the_nearest_right_one():
    error = UnknownName.among("difficulty", "modrate", ["severe", "moderate", "gentle"])
    assert str(error) == "No difficulty named 'modrate'. Did you mean 'moderate'?"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("think", "think-then-say"),
        ("plan", "plan-reflect-say"),
        ("Believe", "believe-then-say"),
        ("placebo", "placebo-think"),
        ("think-then-sya", "think-then-say"),
        ("plane", "plain"),  # begins no name: by spelling
    ],
)
def test_the_first_word_of_a_name_is_enough_to_find_it(name, near):
    assert f"Did you mean {near!r}?" in str(UnknownName.among("scaffold", name, SCAFFOLDS))


def test_of_names_that_begin_alike_the_shortest_is_nearest():
    assert errors.closest("rlver", ["rlver-vanilla", "rlver-challenging"]) == "rlver-vanilla"
    assert errors.closest("", ["rlver-vanilla"]) == ""


def test_a_name_that_is_near_to_nothing_gets_the_whole_list_sorted():
    error = UnknownName.among("agent", "zzz", ["silent", "parrot"])
    assert str(error) == "No agent named 'zzz'. There are: parrot, silent."


def test_the_hint_stands_at_the_end_and_nothing_trails_without_one():
    assert str(UnknownName.among("agent", "x", [], "A path ends in .py.")) == (
        "No agent named 'x'. A path ends in .py."
    )
    assert str(UnknownName.among("agent", "x", [])) == "No agent named 'x'."
