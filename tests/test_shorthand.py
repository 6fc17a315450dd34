import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.shorthand import read_numbers

NAMES = st.from_regex(r"[a-z][a-z_:.]{0,8}", fullmatch=True)


@given(st.dictionaries(NAMES, st.floats(allow_nan=False), min_size=1, max_size=4))
def test_what_is_written_is_read(numbers):
    text = ", ".join(f"{name}={number!r}" for name, number in numbers.items())
    assert read_numbers(text, what="reward") == numbers


@pytest.mark.parametrize("text", ["", "a", "a=", "a=high", "a=1,", "=1", "a=1,a=2", "a=1=2"])
def test_what_is_no_number_by_name_is_refused_with_the_form(text):
    with pytest.raises(InvalidArgument, match="name=number") as error:
        read_numbers(text, what="reward")
    assert f"reward={text!r}" in str(error.value)
