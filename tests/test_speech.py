"""What a model's reply says for a person, and what is found wrong with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import BOX, KIT, MAREK, moment, piece

from empathy_env.errors import UnparseableReply
from empathy_env.messages import from_agent, from_user
from empathy_env.speech import LONGEST, own_words, read_speech

FINE = "I couldn't tell you. It goes round and it stops where it likes."


def read(text, **given):
    return read_speech(text, moment(**given))


def test_plain_words_are_taken_as_they_are():
    assert read(FINE) == (FINE, (), (), ())


@pytest.mark.parametrize(
    "reply",
    [
        f"<think>He is guarded. I should not say much.</think>\n\n{FINE}",
        f"<thinking>hm</thinking>{FINE}",
        f"He is guarded, so I put it off.\n</think>\n{FINE}",
        f"{FINE}\n<think>Was that enough?",
        f"Marek: {FINE}",
        f"**Marek Dolan:** {FINE}",
        f"person: {FINE}",
        f'"{FINE}"',
        f"\u201c{FINE}\u201d",
        f'{{"person": "{FINE}"}}',
        f'```json\n{{"says": "{FINE}"}}\n```',
        f"{FINE}<|im_end|>",
        f"{FINE}</s>",
    ],
)
def test_what_a_model_writes_around_the_words_is_taken_off(reply):
    found = read(reply)
    assert (found.text, found.slips) == (FINE, ())


def test_what_was_taken_off_is_noted():
    assert read(f"<think>hm</think>Marek: {FINE}").notes == (
        "a thought in the reply was left out",
        "a name before the reply was left out",
    )


@pytest.mark.parametrize(
    "rest",
    [
        "Supporter: That must be hard.",
        "**Therapist:** And then?",
        "AI: I see.",
        "user: no",
        "<|im_start|>assistant\nI hear you.",
        "[INST] be kinder [/INST]",
        '{"supporter": "And then?"}',
        "As an AI, I have no feelings.",
        "I'm here to support you. What else?",
    ],
)
def test_where_somebody_else_begins_the_reply_ends(rest):
    found = read(f"{FINE}\n{rest}")
    assert (found.text, found.slips) == (FINE, ("role",))


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "  \n ",
        "!" * 400,
        "\u200b",
        "```",
        "}",
        "*",
        "<think>I should say something.",
        "<think>a</think>",
        "Supporter: How are you?",
        "<|im_start|>assistant\nHello.",
        '{"supporter": "How are you?"}',
        '{"person": "I was',
        "As an AI language model, I cannot do that.",
        '""',
    ],
)
def test_a_reply_without_words_of_the_persons_is_unparseable(reply):
    with pytest.raises(UnparseableReply, match="the speech"):
        read(reply)


@pytest.mark.parametrize("reply", ["...", "\u2026", ". . .", "?", "\U0001f644", ":(", '{"person": "..."}',
                                   "Marek: ...", "<think>He says nothing.</think>..."])  # fmt: skip
def test_a_reply_without_words_is_silence_and_no_fault(reply):
    found = read(reply)
    assert found.slips == ("silent",)
    assert not any(map(str.isalnum, found.text))
    assert found.text in reply


def test_silence_twice_is_no_repeat():
    assert read("...", spoken=frozenset({"..."})).slips == ("silent",)


def test_silence_is_less_bad_than_a_leak_and_worse_than_words():
    leak = read("I sit in the car at the reservoir.")
    assert read(FINE).rank < read("...").rank < leak.rank


def test_silence_where_something_was_to_be_told_has_not_told_it():
    assert read("...", disclosed=(MAREK.facts[1].says,)).slips == ("untold", "silent")


def test_a_name_with_many_marks_around_it_is_no_label():
    # Any number of marks would take time that grows with their square.
    marked = f"{FINE}\n{'#' * 8}Supporter{'*' * 8}:"
    assert read(f"{marked} And then?").slips == ("role",)
    assert own_words(f"{FINE}\n{'#' * 8}\nSupporter{'*' * 9}: no", "Marek Dolan").foreign is False


@pytest.mark.parametrize(
    "reply",
    [
        "The model of pump was wrong, and the prompt payment never came.",
        "I asked the AI on my phone. It said: 'How can I help you today?' Fat lot it knows.",
        'The clerk goes, "How can I help you?" and I just stood there.',
        "I had two things left: the box and the coat.",
        "Their system failed, not me. The assistant manager said so.",
        "I *really* don't know. (It was raining.)",
        "x < y, as my old foreman said, and y > x.",
    ],
)
def test_words_that_a_machine_might_use_stay_in_the_mouth_of_a_person(reply):
    assert (read(reply).text, read(reply).slips) == (reply, ())


@pytest.mark.parametrize(
    ("reply", "slip"),
    [
        ("*sighs* I don't know.", "gestures"),
        ("I don't know. (long pause)", "gestures"),
        ("My mood is about 40 out of 100.", "number"),
        ("Trust: 3", "number"),
        ("I don't know. I have to go now. Goodbye.", "farewell"),
        ("Well, talk to you later!", "farewell"),
        ("That's all. I'm going to go now.", "farewell"),
        ("I just want somebody to listen, you know.", "need"),
        ("They gave me a box for my desk, and off I went to the water.", ""),
    ],
)
def test_slips_are_found(reply, slip):
    assert read(reply).slips == ((slip,) if slip else ())


def test_a_goodbye_is_none_in_a_story_or_at_the_end():
    assert read("Nobody there even said goodbye to me.").slips == ()
    assert read("I don't know if I should go.").slips == ()
    assert read("I'm done talking for today. Goodbye.", outcome="left").slips == ()
    assert read("Good night then.", outcome="success").slips == ()


def test_beginning_again_and_saying_a_line_twice_are_repeats():
    said = frozenset({MAREK.opening, FINE})
    assert read(MAREK.opening, spoken=said).slips == ("repeats",)
    assert read(f"Well. {FINE}", spoken=said).slips == ("repeats",)
    assert read("I don't know.", spoken=said | {"I don't know."}).slips == ("repeats",)
    assert read("I don't know, really.", spoken=said | {"I don't know."}).slips == ()


def test_giving_the_agents_words_back_is_a_repeat():
    heard = "It sounds as if that walk to the gate has stayed with you ever since."
    assert read(heard, heard=heard).slips == ("repeats",)
    assert read("Stayed with me, yes.", heard=heard).slips == ()


@pytest.mark.parametrize("persona", [MAREK, KIT])
def test_a_long_reply_is_cut_behind_a_sentence(persona):
    found = read("It goes on and on, you see. " * 60, persona=persona, told=frozenset())
    assert "long" in found.slips
    assert len(found.text) <= LONGEST[persona.voice.verbosity]
    assert found.text.endswith("you see.")


def test_a_reply_without_an_end_is_cut_too():
    assert len(read("la " * 3000).text) <= LONGEST["medium"]


def test_what_is_disclosed_has_to_come():
    line = MAREK.facts[1].says
    told = read("A lad walked me out to the gate, past my own team.", disclosed=(line,))
    assert (told.slips, told.leaked) == ((), ())
    assert read(FINE, disclosed=(line,)).slips == ("untold",)


def test_a_leak_is_found_with_its_id():
    found = read("I sit in the car at the reservoir till five.")
    assert (found.slips, found.leaked) == (("leak",), ("reservoir",))


def test_what_only_another_need_tells_has_no_id_in_this_episode():
    found = read("Eleven of us went, and it was my signature.", need=1)
    assert (found.slips, found.leaked) == (("leak",), ())
    assert "another need tells (eleven)" in found.notes[0]


def test_what_was_said_before_in_the_talk_is_no_leak():
    talk = (from_user(MAREK.opening), from_agent("Do you sit in the car at the reservoir?"))
    assert read("At the reservoir, in the car, yes.", talk=talk).slips == ()


def test_the_worst_slip_comes_first_and_decides_between_two_replies():
    leak = read("*sighs* I sit in the car at the reservoir.")
    gesture = read(f"*sighs* {FINE}")
    assert leak.slips == ("leak", "gestures")
    assert read(FINE).rank < gesture.rank < leak.rank


def test_lines_of_a_persona_have_no_slips_of_form():
    for _, lines in (*MAREK.voice.lines, *KIT.voice.lines):
        for line in lines:
            assert own_words(line, "Marek Dolan") == (line, False, ())


PIECES = st.sampled_from(
    ["<think>", "</think>", "Marek:", "Supporter:", "\n", "*sighs*", "<|im_end|>", '{"person": "', '"}',
     "```", "I don't know. ", "Goodbye.", "As an AI", " ", "[INST]", "\u201c", '"']
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=80))
def test_any_reply_has_words_that_stand_in_it_or_is_unparseable(text):
    try:
        found = read(text)
    except UnparseableReply:
        return
    assert found.text
    assert len(found.text) <= LONGEST["medium"]
    assert "<|im_end|>" not in found.text
    assert found == read(text)


def test_a_question_that_was_asked_changes_nothing_in_the_reading():
    question = piece("open_question", topic="box")
    assert read_speech(FINE, moment(question)).slips == ()
    assert BOX.id == "box"
