import pytest
from made_traces import made_talk, made_turn, piece

from empathy_env.measures.grounding import FIGURES, grounding


def figure(name, *talks):
    found = grounding(talks)
    assert tuple(found) == FIGURES
    return found[name]


def test_acts_are_counted_per_turn():
    talk = made_talk(
        made_turn(piece("open_question"), piece("open_question"), piece("presence")),
        made_turn(piece("closed_question"), piece("restatement", repeated=True)),
    )
    values = {name: figure(name, talk).per_turn.mean for name in FIGURES if name != "repair"}
    assert values["open questions"] == 1.0
    assert values["closed questions"] == values["restatements"] == values["acknowledgements"] == 0.5
    assert values["reflections"] == 0.0
    assert values["pieces of evidence"] == 2.5


@pytest.mark.parametrize(
    ("said", "evidence", "share"),
    [
        ("So the allotment went to ruin.", piece("restatement"), 1.0),
        ("So the allotment went to ruin.", piece("restatement", grounded=False), 0.0),
        ("What did the neighbours do?", piece("open_question"), 0.0),
        ("Is that what the neighbours said?", piece("open_question"), 0.0),
        ("What did they do then?", piece("open_question", topic="walked-out"), 1.0),
        ("What was it like?", piece("open_question", topic="box"), 0.0),
    ],
)
def test_a_turn_follows_up_what_was_said_last(said, evidence, share):
    first = made_turn(reply="The allotment is a ruin.", told=["walked-out"])
    found = figure("follow-up", made_talk(first, made_turn(evidence, say=said)))
    assert found.per_turn.mean == share / 2  # the first turn follows up nothing


@pytest.mark.parametrize(
    ("after", "share"),
    [
        ([piece("reflection")], 1.0),
        ([piece("reflection", grounded=False)], 0.0),
        ([piece("suggestion")], 0.0),
        ([piece("reflection"), piece("blame")], 0.0),
        ([], 0.0),
    ],
)
def test_repair_is_to_listen_after_a_turn_that_hurt(after, share):
    found = figure("repair", made_talk(made_turn(piece("blame"), harm=0.5), made_turn(*after)))
    assert (found.per_turn.mean, found.turns) == (share, 1)


def test_without_hurt_there_is_nothing_to_repair():
    assert figure("repair", made_talk(made_turn(), made_turn(piece("reflection")))) == (None, 0)
