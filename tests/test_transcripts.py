import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import RELEASED, RLVER, SAGE

from empathy_env.errors import TraceError
from empathy_env.transcripts import (
    FieldNames,
    Transcript,
    read_transcripts,
    rescored,
    summary,
)


def talk(*emotions, name="a", **changes):
    """One talk in the released format."""
    history = []
    for number, emotion in enumerate(emotions):
        history.append({"role": "user", "content": f"{number}", "emotion-point": emotion})
        history.append({"role": "assistant", "content": "Go on."})
    final = emotions[-1] if emotions else 40
    return {"id": name, "emo_point": final, "emo_state": "?", "history": history} | changes


def written(folder, *rows):
    path = folder / "released.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_released_file_is_scored_by_the_published_rule():
    read = read_transcripts(RELEASED)
    assert read.problems == ()
    assert [one.outcome() for one in read.transcripts] == ["success", "left", "time_up", "left"]
    assert [one.final for one in read.transcripts] == [100, 0, 65, 5]
    assert read.transcripts[1].changes == (-10, -10, -10, -10)


def test_the_row_of_a_file_has_the_score_and_what_the_signal_is_made_of():
    (row,) = rescored([RELEASED]).rows
    assert row == {
        "file": str(RELEASED),
        "talks": 4,
        "mean": 42.5,
        "standard_error": pytest.approx(24.195, abs=1e-3),
        "success": 1,
        "failure": 2,
        "changes": 27,
        "saturated": 10 / 27,
        "zero": 1 / 27,
        "unread": 0,
    }


@pytest.mark.parametrize(
    ("final", "outcome"), [(100, "success"), (99, "time_up"), (10, "time_up"), (9, "left")]
)
def test_success_is_at_100_and_failure_below_10(final, outcome):
    assert Transcript("a", (40.0, final)).outcome() == outcome


def test_another_protocol_is_another_rule():
    low = Transcript("a", (40.0, 5.0))
    assert low.outcome(SAGE) == "left"
    assert low.outcome(RLVER) == "time_up"
    loose = replace(SAGE, name="loose", clamp=None)
    assert summary([low], loose)["saturated"] == 0


def test_broken_lines_are_reported_with_file_and_line_and_the_rest_is_kept(tmp_path):
    path = written(
        tmp_path,
        talk(40, 50),
        "{oops",
        "[]",
        talk(40, 50, name="b", emo_point=60),
        talk(name="c"),
        talk(40, name="d", history=[{"role": "user", "content": "x"}]),
        talk(40, 150, name="e"),
        talk(40, True, name="f"),
        talk(40, 45),
        talk(40, name="g", history="x"),
        talk(40, name="h", history=["x"]),
        talk(40, name=None),
        "",
        talk(40, 30, name="z"),
    )
    read = read_transcripts(path)
    assert [one.id for one in read.transcripts] == ["a", "z"]
    said = [problem.removeprefix(f"{path}:").split(": ", 1) for problem in read.problems]
    assert [int(number) for number, _ in said] == list(range(2, 13))
    for (_, sentence), told in zip(
        said,
        [
            "Expecting",
            "the line is no JSON object",
            "'emo_point' is 60, but the last message has 50",
            "no message of 'history' has the role 'user'",
            "'emotion-point' is None",
            "'emotion-point' is 150",
            "'emotion-point' is True",
            "the id 'a' stands in an earlier line",
            "'history' is no list",
            "a message is no JSON object",
            "'id' is None",
        ],
        strict=True,
    ):
        assert told in sentence
    (row,) = rescored([path]).rows
    assert (row["talks"], row["unread"]) == (2, 11)
    assert rescored([path]).problems == list(read.problems)


def test_line_breaks_of_another_kind_within_a_text_end_no_line(tmp_path):
    row = talk(40, 45)
    row["history"][0]["content"] = "One.\u2028Two.\x85Three."
    assert len(read_transcripts(written(tmp_path, row)).transcripts) == 1


def test_other_names_of_the_fields_can_be_given(tmp_path):
    row = {
        "persona": "a",
        "score": 45,
        "turns": [{"by": "seeker", "mood": 40}, {"by": "npc"}, {"by": "seeker", "mood": 45}],
    }
    names = FieldNames("persona", "score", "turns", "by", "seeker", "mood")
    path = written(tmp_path, row)
    assert read_transcripts(path, names=names).transcripts == (Transcript("a", (40.0, 45.0)),)
    assert rescored([path], names=names).rows[0]["mean"] == 45
    assert "'id' is None" in read_transcripts(path).problems[0]


def test_nothing_is_no_score(tmp_path):
    (row,) = rescored([written(tmp_path)]).rows
    assert (row["talks"], row["mean"], row["saturated"], row["zero"]) == (0, None, None, None)
    (row,) = rescored([written(tmp_path, talk(40))]).rows
    assert (row["mean"], row["standard_error"], row["changes"]) == (40, None, 0)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(TraceError, match=r"none\.jsonl cannot be read"):
        rescored([tmp_path / "none.jsonl"])


@given(st.lists(st.integers(0, 100), min_size=1))
def test_the_changes_add_up_to_the_end(emotions):
    one = Transcript("a", tuple(map(float, emotions)))
    assert one.emotions[0] + sum(one.changes) == one.final
