from dataclasses import replace
from xml.etree import ElementTree

import pytest
from circles import said_in, task

from empathy_env.errors import InvalidArgument
from empathy_env.measures.curves import COLOURS, Curve, curve_of, curves, drawn
from empathy_env.trace import read_traces, write_traces

LINES = ("Orla, you sound worn out. It makes sense.", "Pavel, what happened?")
SVG = "{http://www.w3.org/2000/svg}"


def moods(trace, *rounds):
    """The same talk with these emotions, a pair for each round; None: they have left."""
    turns = []
    for turn, emotions in zip(trace.turns, rounds, strict=False):
        answers = [
            answer._replace(present=False)
            if emotion is None
            else answer._replace(mood=answer.mood._replace(emotion=emotion))
            for answer, emotion in zip(turn.answers, emotions, strict=True)
        ]
        turns.append(replace(turn, answers=tuple(answers)))
    return replace(trace, turns=tuple(turns))


TALK = said_in(task("bakers", 4), LINES)


def test_a_curve_is_each_rounds_emotion_and_ends_when_they_leave(tmp_path):
    write_traces(tmp_path / "talk.jsonl", [TALK])
    (read,) = read_traces(tmp_path / "talk.jsonl")
    for seat in (0, 1):
        assert curve_of(read, seat=seat) == [TALK.emotion(turn, seat=seat) for turn in range(5)]
    left = moods(TALK, (50.0, 9.0), (60.0, None))
    left = replace(
        left,
        turns=(
            replace(
                left.turns[0],
                answers=(
                    left.turns[0].answers[0],
                    left.turns[0].answers[1]._replace(present=False),
                ),
            ),
            left.turns[1],
        ),
    )
    assert curve_of(left, seat=0)[1:] == [50.0, 60.0]
    assert curve_of(left, seat=1) == [TALK.emotion(0, seat=1), 9.0]


def test_mean_and_band_are_over_all_talks_to_the_last_round():
    short, long = moods(TALK, (10.0, 20.0)), moods(TALK, (30.0, 40.0), (50.0, 60.0))
    orla, pavel = curves([short, long])
    assert (orla.name, pavel.name) == ("Orla", "Pavel")
    assert list(orla.mean)[1:] == [20.0, 30.0]
    assert list(pavel.mean)[1:] == [30.0, 40.0]
    assert orla.low[2] == pytest.approx(14.0)
    assert orla.high[2] == pytest.approx(46.0)
    one = curves([long])[0]
    assert one.low == one.mean == one.high


def points(picture, tag):
    return [
        [tuple(map(float, pair.split(","))) for pair in shape.get("points").split()]
        for shape in ElementTree.fromstring(picture).iter(f"{SVG}{tag}")
    ]


def test_the_picture_holds_a_line_and_a_band_for_each_person():
    found = curves([TALK])
    picture = drawn({"two-bakers": found, "again": found})
    assert drawn({"two-bakers": found, "again": found}) == picture
    texts = [text.text for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]
    assert texts.count("Orla") == texts.count("Pavel") == 2
    assert "two-bakers" in texts
    assert ElementTree.fromstring(picture).get("viewBox") == "0 0 640 600"  # it can be scaled
    lines, bands = points(picture, "polyline"), points(picture, "polygon")
    assert len(lines) == len(bands) == 4
    assert [len(line) for line in lines] == [5] * 4
    assert [len(band) for band in bands] == [10] * 4


def test_higher_is_better_and_later_is_further_right():
    rising = Curve("a", "Ana", [0.0, 50.0, 100.0], [0.0, 40.0, 90.0], [10.0, 60.0, 100.0])
    ((first, middle, last),) = points(drawn({"x": [rising]}), "polyline")
    assert first[0] < middle[0] < last[0]
    assert first[1] > middle[1] > last[1]


def test_names_are_text_and_no_markup():
    odd = Curve("a", "<b>&", [1.0], [1.0], [1.0])
    picture = drawn({"a < b": [odd]})
    assert "&lt;b&gt;&amp;" in picture
    assert ElementTree.fromstring(picture) is not None


@pytest.mark.parametrize("panels", [{}, {"x": []}, {"x": [curves([TALK])[0]] * (len(COLOURS) + 1)}])
def test_what_cannot_be_drawn_is_refused(panels):
    with pytest.raises(InvalidArgument, match="1 to 6 curves"):
        drawn(panels)
