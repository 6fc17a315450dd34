"""What the rules of `playability` follow from; test_library has their messages and places."""

import pytest

from empathy_env.acts import NEEDS, Evidence
from empathy_env.difficulty import Difficulty
from empathy_env.emotion import Listener, first_mood, next_mood
from empathy_env.persona import Temperament
from empathy_env.playability import TURNS, most_trust, unplayable
from empathy_env.protocol import PROTOCOLS

P = PROTOCOLS["appraisal-v1"]


@pytest.mark.parametrize("trustfulness", [0.0, 0.05, 0.1, 0.5, 1.0])
def test_ten_perfect_turns_build_that_much_trust_and_no_more(trustfulness):
    temperament = Temperament(trustfulness=trustfulness)
    listener = Listener("deep_empathy", temperament, (), Difficulty(), P)
    mood = first_mood(Difficulty())
    for turn in range(TURNS):
        said = Evidence("reflection", "", 0, 0, about="own_feeling", topic=str(turn), grounded=True)
        mood = next_mood(mood, (said,), listener, resisting=False).mood
    assert mood.trust == pytest.approx(most_trust(temperament), abs=1e-5)


def rules(data):
    return [problem.rule for problem in unplayable(data)]


@pytest.mark.parametrize("need", NEEDS)
def test_every_need_can_be_met_by_somebody_without_reactions(need):
    assert rules({"needs": [{"need": need}]}) == []


def reaction(act, fit, **more):
    return {"act": act, "fit": fit, "because": "So it is.", **more}


def test_one_act_about_one_thing_is_enough_and_a_harmful_one_is_none():
    acts = ["presence", "restatement", "open_question"]
    against = [reaction(act, 0.1) for act in acts]
    data = {"needs": [{"need": "attentive_listening"}]}
    assert rules({**data, "reactions": against}) == ["unmet-need"]
    assert rules({**data, "reactions": [reaction("blame", 1.0), *against]}) == ["unmet-need"]
    liked = reaction("open_question", 0.5, about="plan")
    assert rules({**data, "reactions": [liked, *against]}) == []
    assert rules({**data, "reactions": [*against, {"act": "hug"}, 3]}) == ["unmet-need"]


def test_keywords_must_not_be_shared_within_a_variant_but_may_be_between_two():
    def need(name, word):
        return {"need": name, "facts": [{"id": f"{name}-fact", "words": [word], "gate": {}}]}

    shared = [{"id": "door", "words": ["door"], "gate": {}}]
    two = [need("absolution", "rain"), need("deep_empathy", "rain")]
    assert rules({"facts": shared, "needs": two}) == []
    assert rules({"facts": shared, "needs": [need("absolution", "door")]}) == ["shared-word"]
    both = [{"id": "door", "words": ["door"]}, {"id": "gate", "words": ["door"]}]
    assert rules({"facts": both, "needs": two}) == ["shared-word"], "once, not once a variant"


@pytest.mark.parametrize(
    ("group", "word", "fine"),
    [
        ("facts", "thing", False),
        ("facts", "keeps", False),
        ("beliefs", "everybody", False),
        ("facts", "left out", True),
        ("facts", "key ring", True),
        ("feelings", "alone", True),
        ("facts", "alone", False),
    ],
)
def test_a_keyword_says_something_of_its_own(group, word, fine):
    found = rules({group: [{"id": "x", "words": [word], "gate": {}}]})
    assert found == ([] if fine else ["empty-word"])


@pytest.mark.parametrize(
    ("opening", "told"),
    [
        ("I lost my keys.", True),
        ("KEYS, all gone.", True),
        ("It\u2019s five o\u2019clock.", True),
        ("I lost my keyss.", False),
        ("Nothing.", False),
        ("", True),
    ],
)
def test_an_open_fact_is_told_by_a_word_of_the_opening(opening, told):
    data = {"opening": opening, "facts": [{"id": "k", "words": ["keys", "five o'clock"]}]}
    assert rules(data) == ([] if told else ["not-told"])


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"needs": None, "facts": "x", "reactions": 3, "temperament": "odd", "opening": []},
        {"needs": [None, {"need": 3, "facts": [{"gate": {"trust": "high"}}]}], "facts": [[], 3]},
        {"facts": [{"id": "x", "words": [1, None], "gate": {"trust": True, "topic": 3}}]},
    ],
)
def test_what_is_not_sound_is_passed_over(data):
    assert rules(data) == []
