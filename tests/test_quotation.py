"""What of a claim about words can be seen in the words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.quotation import Ties, place

HEARD = ["They automated the lighthouse.", "I polished that lantern for thirty winters."]
SAID = ["It sounds lonely up there in the evenings.", "Go on."]


def ties(utterance, **given):
    return Ties(utterance, **{"heard": HEARD, "said": SAID, **given})


@pytest.mark.parametrize(
    ("words", "within", "found"),
    [
        ("so tired", "You are so tired.", "so tired"),
        (" so tired ", "You are so tired.", "so tired"),
        ("so tired", "You are so \n\t tired.", "so \n\t tired"),
        ("no", "I know no more.", "no"),
        ("tire", "You are so tired.", None),
        ("red.", "You are so tired.", None),
        ("so tyred", "You are so tired.", None),
        ("So tired", "You are so tired.", None),
        ("", "You are so tired.", None),
        (" \n", "You are so \n tired.", None),
        ("so tired", "also tired, so\ntired", "so\ntired"),
        ("在听", "我在听你说", "在听"),
        ("❤️", "I am here ❤️", "❤️"),
        ("?", "What?", "?"),
        ("a.b", "acb a.b", "a.b"),
    ],
)
def test_a_quote_is_found_where_it_literally_stands(words, within, found):
    where = place(words, within)
    assert (where and within[slice(*where)]) == found


@given(st.text("ab \n.", max_size=12), st.text("ab \n.", max_size=12))
def test_a_place_holds_the_words_that_were_looked_for(words, within):
    where = place(words, within)
    if where is not None:
        assert within[slice(*where)].split() == words.split()


def test_words_of_the_person_are_answered_if_they_were_said_and_say_something():
    talk = ties("Thirty winters with it.")
    assert talk.answers("lantern for thirty winters")
    assert talk.answers("lighthouse")
    assert not talk.answers("house")
    assert not talk.answers("for")
    assert not talk.answers("that")
    assert not talk.answers("")
    assert not talk.answers("sounds lonely")  # said by the agent
    assert not talk.answers("storm")


def test_a_sentence_is_repeated_if_half_of_it_was_said_before():
    assert ties("It sounds lonely, up there in the evenings!").repeated(0)
    assert ties("Now it sounds lonely up there.").repeated(0)
    assert not ties("There in the morning it sounds so good.").repeated(0)
    assert ties("Hm. go on").repeated(1)
    assert not ties("Go on.", said=[]).repeated(0)
    assert not ties("❤️").repeated(0)


def test_characters_belong_to_the_sentence_they_stand_in():
    talk = ties("One. Two?\nThree")
    assert [talk.sentence(at) for at in (0, 5, 10, 15)] == [0, 1, 2, 2]
    assert ties("").sentence(3) == 0
