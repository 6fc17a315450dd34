"""The words of messages; tests/test_library.py has most of them, with their places."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from empathy_env.schema import problems_of


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    size: Annotated[int, Field(ge=1, description="a whole number from 1 up")] = 1
    deep: tuple[Literal["red", "green"], ...] = ()


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=2, description="text of 2 characters and more")]
    inner: Inner = Inner()
    items: Annotated[tuple[Inner, ...], Field(max_length=2)] = ()
    maybe: Inner | None = None
    bare: int = 0


def said(data):
    with pytest.raises(ValidationError) as error:
        Outer.model_validate({"name": "Ada", **data})
    return [str(problem).removeprefix("persona: ") for problem in problems_of(error.value, Outer)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"nam": "x"}, "nam: there is no field 'nam' here. Did you mean 'name'?"),
        ({"Inner": {}}, "Inner: there is no field 'Inner' here. Did you mean 'inner'?"),
        (
            {"deep": ()},
            "deep: there is no field 'deep' here. It belongs under 'inner' or 'items' or 'maybe'.",
        ),
        (
            {"inner": {"name": "x"}},
            "inner.name: there is no field 'name' here. It belongs further out, beside 'inner'.",
        ),
        (
            {"items": ({"sizes": 3},)},
            "items.0.sizes: there is no field 'sizes' here. Did you mean 'size'?",
        ),
        ({"items": ({}, {}, {})}, "items: must be a list of 0 to 2 entries (got a list of 3)."),
        ({"maybe": {"size": 0}}, "maybe.size: must be a whole number from 1 up (got 0)."),
        ({"maybe": 3}, "maybe: must be a group of fields with size, deep (got 3)."),
        ({"bare": "x"}, "bare: must be a value (got 'x')."),
        ({"inner": {"deep": ("rad",)}}, "inner.deep.0: 'rad' is not known here. Did you mean 'red'?"),
        ({"inner": {}, "name": ("a",)}, "name: must be text of 2 characters and more (got a list of 1)."),
        ({"name": {}}, "name: must be text of 2 characters and more (got an empty group of fields). "
         "If it is text with ': ' in it, put it in quotes."),
        ({"inner": {"deep": "x" * 90}}, "inner.deep: must be a list (got 90 characters). Write it as a list."),
    ],
)  # fmt: skip
def test_a_problem_says_the_rule_what_was_got_and_what_mends_it(data, expected):
    assert said(data) == [expected]


def test_a_misspelt_key_is_one_problem_though_the_right_one_is_missing():
    with pytest.raises(ValidationError) as error:
        Outer.model_validate({"nmae": "Ada"})
    [problem] = problems_of(error.value, Outer)
    assert problem.rule == "unknown-key"


def test_a_list_is_not_too_short_because_an_entry_of_it_is_wrong():
    class Two(BaseModel):
        model_config = ConfigDict(strict=True)

        items: Annotated[tuple[int, ...], Field(min_length=2)]

    for items, rules in ((("x", 1), ["type"]), (("x",), ["type", "count"]), ((), ["count"])):
        with pytest.raises(ValidationError) as error:
            Two.model_validate({"items": items})
        assert [problem.rule for problem in problems_of(error.value, Two)] == rules
