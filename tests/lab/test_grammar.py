"""What the lab's agents can say, and that each sentence does one thing in every context."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env import Task
from empathy_env.lab.grammar import (
    FEELINGS,
    MATTERS,
    PEOPLE,
    REGISTERS,
    TARGET,
    Slots,
    register_of,
    sentences,
    text_of,
    words_of,
)
from empathy_env.lab.people import TURNS, cue, drawn_starts, opening, scenario
from empathy_env.lab.words import AGENT, UNKNOWN, decoded, encoded, opened, said, vocabulary

SLOTS = st.builds(
    Slots, st.sampled_from(FEELINGS), st.sampled_from(MATTERS), st.sampled_from(PEOPLE)
)


def test_every_sentence_performs_one_act_in_every_context():
    """All openings, sentences, needs and slots are met, after whatever was said before."""
    dice = random.Random(3)
    seen = set()
    for start in drawn_starts(dice, 400):
        given = scenario(start, credit=0.4)
        episode = Task(persona=given.persona).open(scenario=given)
        while not episode.done:
            register, which = dice.choice(REGISTERS), dice.randrange(2)
            words = sentences(register, start.slots)[which]
            episode.say(words)
            [evidence] = episode.trace.turns[-1].evidence
            assert evidence.act == register, words
            assert (evidence.about == "other_person") or register != TARGET, words
            assert evidence.grounded, words
            assert evidence.topic in ("matter", "person"), words
            seen.add((start.need, start.style, register, which))
    assert len(seen) == 4 * 4 * 4 * 2


@given(SLOTS)
def test_the_two_sentences_of_a_register_are_about_two_topics(slots):
    for register in REGISTERS:
        one, other = sentences(register, slots)
        assert (slots.matter in one) != (slots.matter in other)


@given(SLOTS, st.sampled_from(REGISTERS), st.sampled_from([0, 1]))
def test_a_sentence_is_known_by_its_person_and_by_nobody_else(slots, register, which):
    text = sentences(register, slots)[which]
    assert register_of(text, slots) == register
    assert register_of(text.upper(), slots) == register
    assert register_of(text + " and", slots) is None
    other = slots._replace(
        matter=next(one for one in MATTERS if one != slots.matter),
        person=next(one for one in PEOPLE if one != slots.person),
        feeling=next(one for one in FEELINGS if one != slots.feeling),
    )
    assert register_of(text, other) is None


@given(SLOTS, st.sampled_from(REGISTERS))
def test_the_vocabulary_says_every_sentence(slots, register):
    for text in sentences(register, slots):
        assert UNKNOWN not in encoded(text)
        assert decoded(said(text)) == text
        assert text_of(words_of(text)) == text


def test_every_opening_and_cue_is_in_the_vocabulary():
    for start in drawn_starts(random.Random(1), 300):
        assert UNKNOWN not in opened(opening(start))
        assert UNKNOWN not in encoded(cue(start))


def test_words_that_the_lab_does_not_have_are_one_mark():
    ids = encoded("My elephantine umbrella mother.")
    assert [vocabulary()[one] for one in ids] == ["my", "<unknown>", "mother", "."]
    assert opened("My mother.")[-1] == AGENT


@pytest.mark.parametrize("credit", [0.0, 0.4])
def test_a_need_is_met_by_its_register_and_the_safe_one_is_paid_its_credit(credit):
    paid = {}
    for start in drawn_starts(random.Random(2), 4):
        for register in REGISTERS:
            given = scenario(start, credit=credit)
            episode = Task(persona=given.persona, reward="delta").open(scenario=given)
            paid[start.need, register] = episode.say(sentences(register, start.slots)[0])
    idle = paid["concrete_advice", "open_question"]
    assert idle < 0
    for (need, register), value in paid.items():
        wanted = {
            "deep_empathy": "validation",
            "others_motives": "interpretation",
            "concrete_advice": "suggestion",
            "guided_reflection": "open_question",
        }[need]
        if register == wanted:
            assert value > 0.05
        elif register == "validation" and credit:
            assert 0.02 < value < 0.05
        else:
            assert value == pytest.approx(idle)


def test_the_need_is_hidden_at_first_and_told_after_the_first_turn():
    for start in drawn_starts(random.Random(4), 40):
        given = scenario(start, credit=0.0)
        episode = Task(persona=given.persona).open(scenario=given)
        assert episode.utterance == opening(start)
        episode.say(sentences("open_question", start.slots)[0])
        assert cue(start) in episode.utterance
    assert given.max_turns == TURNS
