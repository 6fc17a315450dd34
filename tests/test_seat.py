"""What a seat of a circle has said and heard."""

from __future__ import annotations

import pytest

from empathy_env import Task
from empathy_env.drivers import run
from empathy_env.hearing import NOBODY
from empathy_env.seat import chat, instructions, lines, news, was_heard

TWO = {"supporters": 2, "played": ("user_0", "user_1")}


def talked(*rounds, cast="couple-after-quarrel", **kwargs):
    """Return the talk after rounds of what the seats say."""
    episode = Task(cast=cast, **kwargs).open(seed=1)
    for said in rounds:
        episode.accept(run(episode.steps(said)))
    return episode.talk


def words(found):
    return [(line.seat, line.text.split(": ")[-1]) for line in found]


ROUND = {"supporter_0": "One.", "supporter_1": "Two.", "user_0": "Three.", "user_1": "Four."}
NEXT = {seat: f"{text[:-1]} again." for seat, text in ROUND.items()}


def last(talk, seat, **kwargs):
    """The lines of the last round."""
    return words(lines(talk, seat, **kwargs))[-4:]


def free_round(talk):
    """Whether all have spoken, so that there is something to order."""
    assert {said.seat for said in talk.turns[-1].others} == {"supporter_1", "user_0", "user_1"}


@pytest.fixture
def talk():
    found = talked(ROUND, cast="bereaved-siblings", **TWO)
    free_round(found)
    return found


def test_the_chat_of_the_only_supporter_is_the_talk_itself():
    talk = talked({"supporter_0": "Go on."}, {"supporter_0": ""}, {"supporter_0": "And then?"})
    assert chat(talk, "supporter_0") == talk.chat()


def test_one_hears_who_spoke_before_and_then_speaks(talk):
    assert last(talk, "supporter_0")[:2] == [("supporter_0", "One."), ("supporter_1", "Two.")]
    assert last(talk, "supporter_1")[:2] == [("supporter_0", "One."), ("supporter_1", "Two.")]
    for seat, text, other in (("user_0", "Three.", "Four."), ("user_1", "Four.", "Three.")):
        heard = last(talk, seat)
        assert heard[:2] == [("supporter_0", "One."), ("supporter_1", "Two.")]
        assert [said for _, said in heard[2:]] == [text, other]


@pytest.mark.parametrize("seat", ["supporter_0", "supporter_1", "user_0", "user_1"])
def test_where_all_act_at_once_ones_own_words_come_first(talk, seat):
    heard = last(talk, seat, at_once=True)
    assert heard[0] == (seat, ROUND[seat])
    assert sorted(said for _, said in heard) == sorted(ROUND.values())


def test_ones_own_words_have_no_name_before_them_and_all_others_have(talk):
    for message in chat(talk, "user_0")[1:]:
        named = message["content"].startswith(("Supporter", "Jernej:", "Nevenka:"))
        assert named == (message["role"] == "user")


def test_news_is_what_was_heard_since_one_acted(talk):
    own = {"supporter_0": "Two.", "supporter_1": None, "user_0": None, "user_1": None}
    for seat, first in own.items():
        heard = [text for _, text in words(news(talk, seat))]
        others = [ROUND[user] for user in ("user_0", "user_1") if user != seat]
        assert sorted(heard) == sorted([*([first] if first else []), *others])


def test_news_where_all_act_at_once_is_all_that_the_others_said(talk):
    for seat in ROUND:
        heard = [text for _, text in words(news(talk, seat, at_once=True))]
        assert sorted(heard) == sorted(text for other, text in ROUND.items() if other != seat)


def test_whoever_has_acted_hears_only_those_who_come_after(talk):
    now = talk.turns[-1].others[:1]  # what supporter_1 has said
    assert words(news(talk, "supporter_0", now, acted=True)) == [("supporter_1", "Two.")]
    assert news(talk, "user_0", now, acted=True) == []
    assert ("supporter_1", "Two.") in words(news(talk, "user_0", now))


def test_nobody_hears_an_aside_to_another():
    aside = "[aside to Radka] Are you all right?"
    said = {"supporter_0": aside, "supporter_1": "Go on.", "user_0": "Hm.", "user_1": "Hm."}
    talk = talked(said, **TWO)
    hear = [seat for seat in said if any("all right" in line.text for line in lines(talk, seat))]
    assert hear == ["supporter_0", "user_0"]


def test_who_has_no_floor_has_said_nothing():
    said = {"supporter_0": "Radka, go on.", "user_0": "I will.", "user_1": "Me first."}
    talk = talked(said, played=("user_0", "user_1"))
    assert [was_heard(talk, seat) for seat in said] == [True, True, False]
    assert not any("Me first" in message["content"] for message in chat(talk, "user_1"))
    assert not was_heard(talked(**TWO), "user_0")


def test_silence_of_a_supporter_stands_in_their_chat_and_in_nobody_elses(talk):
    silent = talked(ROUND, {**NEXT, "supporter_1": " "}, cast="bereaved-siblings", **TWO)
    assert not was_heard(silent, "supporter_1")
    assert chat(silent, "supporter_1")[-2]["role"] == "assistant"
    assert all("Supporter 2: " not in line.text for line in news(silent, "supporter_0"))
    assert "Supporter 2: \n" not in silent.utterance


def test_roles_alternate_for_a_supporter_even_where_nobody_answers():
    said = {"supporter_0": "Go on.", "user_0": "", "user_1": ""}
    talk = talked(said, said, played=("user_0", "user_1"))
    messages = chat(talk, "supporter_0")
    assert [message["role"] for message in messages[1:]] == ["user", "assistant"] * 2 + ["user"]
    assert messages[-1]["content"] == NOBODY


def test_the_instructions_of_a_supporter_are_those_of_the_task():
    room = talked().room
    assert instructions(room, "supporter_0") == room.system_prompt
    assert instructions(talked(system_prompt=None).room, "supporter_0") is None
    several = talked(**TWO).room
    told = [instructions(several, f"supporter_{index}") for index in (0, 1)]
    assert "called Supporter;" in told[0]
    assert "called Supporter 2;" in told[1]


def test_a_user_is_told_who_they_are_and_what_they_need_and_not_what_is_really_so():
    room = talked(scaffold="think-then-say").room
    for index, (persona, need) in enumerate(room.scenario.people):
        told = instructions(room, f"user_{index}")
        assert told.startswith(f"You are {persona.identity.name.split()[0]}, ")
        assert persona.variant(need).because in told
        assert all(variant.because not in told for variant in persona.needs if variant.need != need)
        assert all(belief.truth not in told for belief in persona.beliefs)
        assert all(belief.believes in told for belief in persona.beliefs)
        assert "<think>" in told  # their words are split by the same scaffold
