import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures.missing import bounds

emotions = st.floats(0, 100)


@given(st.lists(emotions, max_size=8), st.lists(emotions, max_size=8))
def test_whatever_was_missing_the_mean_of_all_lies_within_the_bounds(seen, unseen):
    if not seen and not unseen:
        return
    found = bounds(seen, len(unseen), 0, 100)
    mean = math.fsum(seen + unseen) / len(seen + unseen)
    assert found.worst - 1e-9 <= mean <= found.best + 1e-9
    assert (found.size, found.missing) == (len(seen), len(unseen))


@given(st.lists(emotions, min_size=1, max_size=8), st.integers(1, 5))
def test_the_bounds_are_reached(seen, missing):
    found = bounds(seen, missing, 0, 100)
    assert found.worst == pytest.approx(bounds(seen + [0] * missing, 0, 0, 100).mean)
    assert found.best == pytest.approx(bounds(seen + [100] * missing, 0, 0, 100).mean)
    assert found.mean == bounds(seen, 0, 0, 100).mean


def test_without_missing_values_there_is_one_mean():
    assert bounds([1.0, 0.0], 0, 0, 1) == (0.5, 0.5, 0.5, 2, 0)


def test_if_all_are_missing_nothing_is_known():
    found = bounds([], 3, -1, 1)
    assert math.isnan(found.mean)
    assert (found.worst, found.best) == (-1, 1)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (([], 0, 0, 1), "at least one"),
        (([1.0], -1, 0, 1), "missing=-1"),
        (([2.0], 0, 0, 1), "2.0, which is outside"),
        (([math.nan], 0, 0, 1), "nan, which is outside"),
    ],
)
def test_what_makes_no_sense_is_refused(args, words):
    with pytest.raises(InvalidArgument, match=words):
        bounds(*args)
