"""To whom words are said, by the names in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.address import (
    addressed,
    after_call,
    chat_with,
    lines_of,
    names_in,
    unlabelled,
)
from empathy_env.messages import from_agent, from_system, from_user

NAMES = ("Ana", "Ben", "Cleo")
ODD = ("Jo", "Joanna", "Jo(Joanna)", "O'Neil", "Neil", "Ana-Maria", "Ana", "A+B", "İpek", "[x]")
PIECES = (
    *("@", "[aside to ", "]", "(aside to ", ")", ", ", ": ", "\n", "? ", ". ", " and ", "'s ", "-"),
    *(
        "you are right",
        "everyone",
        "ANA",
        "\u017fimon",
        "\u0131pek",
        "\u2028",
        " ",
        "\\b(",
        "$",
        "^",
        "x",
    ),
    *ODD,
)
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=40)


def told(text, names=NAMES):
    """Each stretch of the text with the names of those to whom it is said."""
    said = addressed(text, names)
    return [
        (said.text[part.start : part.end].strip(), [names[index] for index in part.to])
        for part in said.parts
    ]


class TestCalled:
    @pytest.mark.parametrize(
        "text",
        [
            "Ana, go on.",
            "ana: go on.",
            "ANA - go on.",
            "@Ana go on.",
            "And you, Ana?",
            "Thank you, Ana.",
            "So, Ana, go on.",
            "What was it like, Ana?",
            "Okay Ana, go on.",
            "Ana?",
        ],
    )
    def test_one(self, text):
        assert [to for _, to in told(text)] == [["Ana"]]

    @pytest.mark.parametrize(
        "text", ["Ana and Ben, go on.", "Ana, Ben, go on.", "@Ana @Ben go on.", "Ana & Ben: go on."]
    )
    def test_two(self, text):
        assert [to for _, to in told(text)] == [["Ana", "Ben"]]

    @pytest.mark.parametrize(
        "text",
        [
            "Go on.",
            "I hear what Ana says.",
            "Ana says so.",
            "Ana's words.",
            "Banana, go on.",
            "Anabel, go on.",
            "Ana-Maria, go on.",
            "Mary-Ana, go on.",
            "O'Ana, go on.",
        ],
    )
    def test_nobody(self, text):
        assert [to for _, to in told(text)] == [[]]

    def test_another_name_turns_to_another(self):
        text = "Ana, go on. I am here. Ben, what did you hear? Was it hard?"
        assert told(text) == [
            ("Ana, go on. I am here.", ["Ana"]),
            ("Ben, what did you hear? Was it hard?", ["Ben"]),
        ]

    def test_all_turns_to_all(self):
        assert told("Ana, go on. And each of you?") == [
            ("Ana, go on.", ["Ana"]),
            ("And each of you?", []),
        ]

    def test_what_comes_before_the_first_name_is_said_to_all(self):
        assert told("It is hard. Ben, go on.") == [("It is hard.", []), ("Ben, go on.", ["Ben"])]

    def test_who_is_spoken_of_is_named_and_not_called(self):
        (part,) = addressed("Ana, I saw that Ben came.", NAMES).parts
        assert (part.to, part.named) == ((0,), {0, 1})

    @pytest.mark.parametrize("text", ["", "  \n ", "[aside to Ana]", "[aside to Ana]  "])
    def test_nothing_is_said_to_nobody(self, text):
        assert addressed(text, NAMES).parts == ()


class TestAside:
    @pytest.mark.parametrize(
        ("text", "to"),
        [
            ("[aside to Ana] Go on.", (0,)),
            ("(Aside to Ana) Go on.", (0,)),
            ("  [aside to ana]: Go on.", (0,)),
            ("[aside to Ana and Ben] Go on.", (0, 1)),
            ("[aside to Ben, Ana] Go on.", (0, 1)),
            ("[aside to nobody] Go on.", ()),
            ("[aside to Ana, nobody] Go on.", (0,)),
        ],
    )
    def test_it_is_for_those_in_its_brackets(self, text, to):
        said = addressed(text, NAMES)
        assert (said.text, said.to, said.aside) == ("Go on.", to, True)

    def test_a_name_in_it_turns_to_nobody_else(self):
        assert addressed("[aside to Ana] Ben, go on.", NAMES).to == (0,)

    @pytest.mark.parametrize(
        "text",
        ["Go on. [aside to Ana] So.", "[aside] Go on.", "[aside to Ana go on.", "aside to Ana: so"],
    )
    def test_anything_else_is_none(self, text):
        assert not addressed(text, NAMES).aside


class TestOddNames:
    @pytest.mark.parametrize("name", ODD)
    def test_each_is_called_by_its_own_name_alone(self, name):
        for text in (f"{name}, go on.", f"@{name} go on.", f"And you, {name}?"):
            assert [to for _, to in told(text, ODD)] == [[name]]

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("O\u2019Neil, go on.", "O'Neil"),
            ("o'neil, go on.", "O'Neil"),
            ("\u0131pek, go on.", "İpek"),
            ("ipek, go on.", "İpek"),
        ],
    )
    def test_however_it_is_written(self, text, name):
        assert told(text, ODD) == [(text, [name])]

    @pytest.mark.parametrize(
        ("text", "name"), [("\u017fimon, go on.", "Simon"), ("BASH\u0130R, go on.", "Bashir")]
    )
    def test_letters_that_are_the_same_in_some_case_are_no_stumbling_block(self, text, name):
        assert told(text, ("Simon", "Bashir")) == [(text, [name])]
        assert addressed(f"[aside to {text[:-7]}] Go on.", ("Simon", "Bashir")).aside


class TestAnyText:
    @given(texts)
    def test_its_parts_cover_it(self, text):
        said = addressed(text, ODD)
        assert text.endswith(said.text)
        if said.parts:
            assert [said.parts[0].start, said.parts[-1].end] == [0, len(said.text)]
            for one, other in zip(said.parts, said.parts[1:], strict=False):
                assert one.end == other.start
                assert one.to != other.to
        else:
            assert not said.text.strip()
        for part in said.parts:
            assert set(part.to) <= set(range(len(ODD)))
            assert part.start < part.end

    @given(texts, st.permutations(ODD))
    def test_the_order_of_the_names_does_not_matter(self, text, names):
        assert [set(to) for _, to in told(text, ODD)] == [
            set(to) for _, to in told(text, tuple(names))
        ]

    @given(texts)
    def test_without_names_nobody_is_called(self, text):
        assert addressed(text, ()).to == ()

    @given(texts)
    def test_what_a_call_takes_off_is_no_more_than_the_call(self, text):
        place = after_call(text, ODD)
        assert 0 <= place <= len(text)
        assert bool(text[place:].strip()) or not text.strip() or place == 0 or not place

    @pytest.mark.parametrize(
        "text",
        [
            "[aside to" + " " * 3990,
            "[aside to Ana" + " " * 3980,
            "[aside to a" * 360,
            "Ana and " * 490 + "x",
            "\u2014Ana and Ana " * 300,
            ", " * 2000,
            "\n" * 4000,
        ],
    )
    def test_long_texts_of_one_kind_are_read_like_others(self, text):
        """A pattern that tried each place with each other place would not come to an end here."""
        for number in range(20):
            assert addressed(f"{text}{number}", NAMES).text.endswith(str(number))


class TestLines:
    TALK = (
        from_system("Be kind."),
        from_user("Ana: I am tired.\nSo tired.\nBen: So am I."),
        from_agent("Ana, go on. Ben, and you?"),
        from_user("Ana: It is the box.\nSupporter 2: I see.\nBen (aside): Help me."),
        from_agent("[aside to Ben] What is it?"),
        from_user("Ben (aside): Nothing."),
        from_agent("Hm."),
        from_user("(Nobody says anything.)"),
    )

    def test_who_has_opened_the_talk(self):
        assert names_in(self.TALK) == ("Ana", "Ben")
        assert names_in([from_user("I am tired: so tired.")]) == ()
        assert names_in([]) == ()

    def test_the_talk_with_one_of_them(self):
        assert chat_with(self.TALK, "Ana", ("Ana", "Ben")) == [
            from_system("Be kind."),
            from_user("I am tired.\nSo tired."),
            from_agent("Ana, go on."),
            from_user("It is the box."),
            from_agent("Hm."),
        ]
        other = chat_with(self.TALK, "Ben", ("Ana", "Ben"))
        assert [message["content"] for message in other] == [
            "Be kind.",
            "So am I.",
            "Ben, and you?",
            "Help me.",
            "What is it?",
            "Nothing.",
            "Hm.",
        ]

    def test_what_one_of_them_says(self):
        assert lines_of("Ana: No.\nI am.\nBen: Oh.", "Ben", ["Ana", "Ben"]) == ["Oh."]
        assert lines_of("Ana: No: never.\nWhy: so.", "Ana", ["Ana", "Ben"]) == [
            "No: never.",
            "Why: so.",
        ]

    @given(texts, st.sampled_from(ODD))
    def test_nobody_can_speak_for_another(self, text, name):
        safe = unlabelled(text, ODD)
        said = f"Ana: {safe}\n{name}: I am {name}."
        if name != "Ana":
            assert lines_of(said, name, ("Ana", name)) in ([f"I am {name}."], [])
        assert "".join(safe.split()) == "".join(text.split())
