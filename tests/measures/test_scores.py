import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_traces import ended

from empathy_env.errors import InvalidArgument
from empathy_env.measures.scores import (
    ScoredBy,
    read_scores,
    talk_scores,
    words_of,
    write_scores,
)

BY = ScoredBy("trained", "base", 0.8)
TALK = talk_scores(ended(80.0, "ana", 1, 2, "one"), (2, 1), (-0.5, -1.0, 0.0), (-0.25, -2.0, -3.0))


def written(tmp_path, talks=(TALK,), by=BY):
    path = tmp_path / "scores.jsonl"
    path.unlink(missing_ok=True)
    write_scores(path, by, talks)
    return path


def changed(tmp_path, line, **fields):
    """A file of which one line has other fields; None takes one out."""
    path = written(tmp_path)
    lines = path.read_text("utf-8").splitlines()
    found = {**json.loads(lines[line - 1]), **fields}
    kept = {name: value for name, value in found.items() if value is not None}
    lines[line - 1] = json.dumps(kept)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_a_file_comes_back_as_it_was(tmp_path):
    other = replace(TALK, member=3, entropy=(0.5, 0.25, 0.0), other=(-0.5, -math.inf, -1.0))
    found = read_scores(written(tmp_path, [TALK, other]))
    assert found.by == BY
    assert found.talks == (TALK, other)
    assert found.talks[0].scored.log_ratio == -3.75


scores = st.lists(st.floats(-80, 0, width=32), min_size=1, max_size=8)


@given(own=scores, data=st.data())
def test_float32_comes_back_to_the_bit(own, data, tmp_path_factory):
    other = data.draw(
        st.lists(st.floats(max_value=0, width=32), min_size=len(own), max_size=len(own))
    )
    talk = replace(TALK, turns=(len(own),), own=tuple(own), other=tuple(other))
    [found] = read_scores(written(tmp_path_factory.mktemp("scores"), [talk])).talks
    for name in ("own", "other"):
        ours, theirs = (np.float32(getattr(one, name)) for one in (talk, found))
        assert ours.tobytes() == theirs.tobytes()


def test_a_talk_has_the_identity_of_its_trace():
    trace = ended(80.0, "ana", 1, 2, "one")
    assert (TALK.id, TALK.persona, TALK.seed, TALK.member) == (trace.id, "ana", 1, 2)
    assert (TALK.emotion, TALK.outcome) == (80.0, "time_up")
    assert TALK.cell.startswith("ana/")


def test_words_are_told_apart_and_rewards_are_not():
    trace = ended(80.0, "ana", 1, 2, "one")
    assert words_of(replace(trace, weights={"terminal": 1.0})) == words_of(trace)
    [turn] = trace.turns
    for other in (
        replace(trace, opening=("Hello.",)),
        replace(trace, turns=(replace(turn, raw="<think>Hm.</think>Tell me."),)),
        replace(trace, setup=replace(trace.setup, system_prompt=None)),
    ):
        assert words_of(other) != words_of(trace)


@pytest.mark.parametrize(
    ("line", "fields", "words"),
    [
        (1, {"format": "other"}, ":1: format='other' is not 'empathy-env/scores'"),
        (1, {"version": 9}, ":1: version=9 is not read, 1 is: score again"),
        (1, {"temperature": 0}, ":1: temperature=0 is not above 0"),
        (1, {"own": 3}, ":1: own=3 is int: give str"),
        (1, {"dtype": None}, ":1: 'dtype' is missing"),
        (2, {"odd": 1}, ":2: 'odd' is not known: the fields are id, cell"),
        (2, {"own": None}, ":2: 'own' is missing"),
        (2, {"own": [0.5, -1.0, 0.0]}, ":2: own=0.5 is outside [-700, 0]"),
        (2, {"own": [-1.0, 0.0]}, ":2: own has 2 tokens and other 3"),
        (2, {"own": ["a", 0.0, 0.0]}, ":2: own[0]='a' is str: give float"),
        (2, {"own": [True, 0.0, 0.0]}, ":2: own[0]=True is bool: give float"),
        (2, {"own": -1.0}, ":2: own=-1.0 is no list"),
        (2, {"own": ["-inf", 0.0, 0.0]}, ":2: own=-inf is outside"),
        (2, {"other": [math.nan, 0.0, 0.0]}, ":2: other=nan is outside"),
        (2, {"turns": [2]}, ":2: turns=[2] have 2 tokens, and own 3"),
        (2, {"turns": [1.5, 1.5]}, ":2: turns[0]=1.5 is float: give int"),
        (2, {"turns": []}, ":2: turns=[] have 0 tokens, and own 3"),
        (2, {"turns": [4, -1]}, "turns=[4, -1]"),
        (2, {"entropy": [0.5]}, ":2: entropy has 1 values for 3 tokens"),
        (2, {"entropy": [-0.5, 0.0, 0.0]}, ":2: entropy=-0.5 is below 0"),
        (2, {"seed": "1"}, ":2: seed='1' is str: give int"),
    ],
)
def test_a_bad_value_is_told_with_its_line(line, fields, words, tmp_path):
    path = changed(tmp_path, line, **fields)
    with pytest.raises(InvalidArgument) as told:
        read_scores(path)
    assert str(told.value).startswith(str(path))
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("{", ":1: the last line is cut off"),
        ("{\n", ":1: not JSON"),
        ("[]\n", ":1: list instead of an object"),
        (
            json.dumps({"format": "empathy-env/scores", "version": 1, **asdict(BY)}) + "\n",
            "no talk",
        ),
    ],
)
def test_a_file_that_is_none_is_told(text, words, tmp_path):
    path = tmp_path / "scores.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidArgument) as told:
        read_scores(path)
    assert words in str(told.value)


def test_a_talk_counts_once_and_a_file_must_be_there(tmp_path):
    with pytest.raises(InvalidArgument, match=r":3: id='ana/.*' is in an earlier line"):
        read_scores(written(tmp_path, [TALK, TALK]))
    with pytest.raises(InvalidArgument, match=r"nowhere cannot be read"):
        read_scores(tmp_path / "nowhere")


def test_a_file_is_not_overwritten(tmp_path):
    written(tmp_path)
    with pytest.raises(FileExistsError):
        write_scores(tmp_path / "scores.jsonl", BY, [TALK])
