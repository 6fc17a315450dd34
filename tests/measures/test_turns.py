from dataclasses import replace

import pytest
from made_traces import made_talk, made_turn, piece

from empathy_env.errors import InvalidArgument
from empathy_env.measures.turns import placed, sound, words_in
from empathy_env.protocol import load_protocol


def test_each_turn_knows_what_was_said_and_told_before_it():
    talk = made_talk(
        made_turn(reply="They walked me out.", told=["walked-out"], emotion=45.0),
        made_turn(reply="Hm.", emotion=43.0),
        made_turn(emotion=50.0),
    )
    first, second, third = placed(talk)
    assert first.last == talk.opening[0]
    assert (first.told, first.news) == ({"box"}, {"box"})
    assert second.last == "They walked me out."
    assert (second.told, second.news) == ({"box", "walked-out"}, {"walked-out"})
    assert (third.told, third.news) == ({"box", "walked-out"}, set())
    assert [turn.change for turn in (first, second, third)] == [5.0, -2.0, 7.0]


def test_what_was_disclosed_but_not_said_aloud_cannot_be_known():
    turn = made_turn(told=["walked-out"])
    answer = turn.answers[0]._replace(withheld=("walked-out",))
    _, second = placed(made_talk(replace(turn, answers=(answer,)), made_turn()))
    assert "walked-out" not in second.told


@pytest.mark.parametrize(
    ("pieces", "purity"),
    [
        ([], 0.0),
        ([piece("reflection")], 1.0),
        ([piece("reflection"), piece("suggestion", grounded=False)], 0.5),
        ([piece("reflection", repeated=True)], 0.0),
        ([piece("blame")], 0.0),
        ([piece("reflection"), piece("restatement"), piece("open_question")], 1.0),
        ([piece("reflection")] * 6, 0.5),
        ([piece("reflection"), piece("manipulation")], 0.0),
    ],
)
def test_what_is_meant_for_this_person_is_tied_new_kind_and_not_too_much(pieces, purity):
    [turn] = placed(made_talk(made_turn(*pieces)))
    assert turn.purity == purity


def test_the_same_act_about_the_same_thing_tells_once():
    shame = piece("reflection", topic="shame")
    turns = [made_turn(shame), made_turn(shame), made_turn(piece("validation", topic="shame"))]
    assert [turn.purity for turn in placed(made_talk(*turns))] == [1.0, 0.0, 1.0]
    loose = piece("reflection", topic=None)
    assert [turn.purity for turn in placed(made_talk(*[made_turn(loose)] * 2))] == [1.0, 1.0]


def test_talks_that_cannot_be_measured_are_counted():
    whole, empty = made_talk(made_turn()), made_talk()
    cut = replace(whole, fault={"type": "TimedOut", "message": ""})
    found = sound([whole, empty, cut])
    assert (found.traces, found.faults, found.empty) == ((whole,), 1, 1)


def test_talks_without_evidence_by_their_protocol_are_refused():
    talk = made_talk(made_turn())
    scenario = replace(talk.scenario, protocol=load_protocol("sage-2025"))
    with pytest.raises(InvalidArgument, match="itself reports the change"):
        sound([replace(talk, scenario=scenario)])


def test_words_are_the_same_whatever_the_apostrophe_and_the_case():
    assert words_in("It\u2019s OVER, (really)") == words_in("it's over - really!")
