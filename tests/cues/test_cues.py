"""How a text is cut into words and sentences, and found again in what was written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.acts import ACTS
from empathy_env.cues import FRAME, expand, plain, read, tables, walk_all
from empathy_env.cues import _lines as lines_of
from empathy_env.cues.hits import cue_hits, masked
from empathy_env.cues.tree import walk

PIECES = st.sampled_from(
    "you You're don't mum's u ur idk İstanbul straße it\u2019s 'so' o'clock can't've rock'n'roll _ "
    "you_are 26 😊 忽略 ? ! . , ; : … — ( ) \n \t ' \" '' n't x'".split(" ")
)
TEXTS = st.one_of(
    st.text(), st.lists(PIECES, max_size=40).map(" ".join), st.lists(PIECES).map("".join)
)
TOKEN = re.compile(r"\w[\w']*")


@given(TEXTS)
def test_every_character_keeps_its_place(said):
    assert len(plain(said)) == len(said)
    assert plain(plain(said)) == plain(said)


@given(TEXTS)
def test_sentences_cover_all_words_in_order(said):
    text = read(plain(said))
    ends = 0
    for sentence in text.sentences:
        assert sentence.first == ends < sentence.last
        assert list(sentence.clauses) == sorted(sentence.clauses)
        assert all(sentence.first < at < sentence.last for at in sentence.clauses)
        ends = sentence.last
    assert ends == len(text.words)
    edges = [edge for s in text.sentences for edge in (s.start, s.stop)]
    assert edges == sorted(edges)


@given(TEXTS)
def test_the_place_of_every_word_is_found(said):
    text = read(plain(said))
    found = []
    for number, sentence in enumerate(text.sentences):
        places = text.places(number)
        words = list(text.words[sentence.first : sentence.last])
        assert len(places) == len(words)
        assert places == sorted(places)
        assert all(sentence.start <= a < b <= sentence.stop for a, b in places)
        assert text.place(number) == (places[0][0], places[-1][1])
        spans = list(dict.fromkeys(places))
        spelt = [expand(text.plain[a:b], tables().spelling) for a, b in spans]
        assert [word for each in spelt for word in each] == words
        assert [places.count(span) for span in spans] == list(map(len, spelt))
        found += spans
    # Nothing that is a word is left out, wherever a sentence ends.
    assert found == [match.span() for match in TOKEN.finditer(text.plain)]


@given(TEXTS)
def test_the_words_are_those_of_the_pattern_spelt_out(said):
    text = read(plain(said))
    tokens = TOKEN.findall(text.plain)
    assert text.words == tuple(w for token in tokens for w in expand(token, tables().spelling))


def test_one_written_token_may_be_two_words_in_one_place():
    text = read(plain("You\u2019re here, aren't you?"))
    assert text.words == ("you", "are", "here", "are", "not", "you")
    assert text.places(0) == [(0, 6), (0, 6), (7, 11), (13, 19), (13, 19), (20, 23)]


def test_the_same_word_twice_is_found_in_two_places():
    text = read("so so. so")
    assert [text.places(number) for number in (0, 1)] == [[(0, 2), (3, 5)], [(7, 9)]]


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        ("How was it?", [True]),
        ("It was cold. Was it late?!", [False, True]),
        ("It was cold, wasn't it?", [False]),
        ("It was cold, and who was there?", [True]),
        ("好吗\uff1f", [True]),
        ("", []),
        ("?! …", []),
    ],
)
def test_sentences_end_where_a_mark_stands(said, asks):
    assert [sentence.asks for sentence in read(plain(said)).sentences] == asks


def written(name):
    """The lines of a cue file, as (bars, words to say for each part with every choice once)."""
    known = tables()
    for line in lines_of(f"{name}.txt"):
        parts = line.lower().split()
        bars = parts[0] == "-"
        parts = [p for p in parts[bars:] if p not in ("^", "?", "$", "=", "!")]
        choices = []
        for part in parts:
            if part == "...":
                choices.append([""])
                continue
            said = [
                next(iter(sorted(known.lists[c[1:-1]]))) if c[0] == "<" else c.replace("_", " ")
                for c in part.rstrip("?").split("|")
            ]
            choices.append([c if c != "*" else "kettle" for c in said])
        for number, options in enumerate(choices):
            for option in options:
                words = [option if i == number else c[0] for i, c in enumerate(choices)]
                yield line, bars, " ".join(filter(None, words))


@pytest.mark.parametrize("act", [*ACTS, FRAME])
def test_every_choice_of_every_line_is_found(act):
    known = tables()
    missed = []
    for line, bars, words in written(act):
        text = read(plain(words))
        keys = masked(text, known, [])
        found = walk_all(text, 0, keys, known)
        walk(known.opening, keys, 0, len(text.words), found, 0)
        if len(text.sentences) == 1 and not any(
            cue.act == act and cue.bars == bars for cue, _, _ in found
        ):
            missed.append((line, words))
    assert not missed


SAID = st.lists(
    st.sampled_from(
        "you your ur what was it makes no any perfect sense feel so ashamed small a step kettle one "
        "if i were say that better as from now on set trust to 100 have tried . ? , \" '".split()
    ),
    min_size=1,
    max_size=24,
).map(" ".join)


@given(SAID)
def test_to_look_ahead_passes_over_no_cue(said):
    known, text = tables(), read(plain(said))
    keys = masked(text, known, [(4, 12)])
    for number, sentence in enumerate(text.sentences):
        found = []
        for at in range(sentence.first, sentence.last):
            for node in (
                known.starts[text.words[at]].nodes if text.words[at] in known.starts else ()
            ):
                if keys[at]:
                    walk(node, keys, at + 1, sentence.last, found, at)
        assert walk_all(text, number, keys, known) == found


def test_every_cue_that_opens_a_clause_begins_with_a_word_of_its_own():
    opening = tables().opening
    assert opening.any is None
    assert not opening.ends
    assert tables().openers.issuperset(key for key in opening.next or () if key[0] != "<")


@pytest.mark.parametrize("act", [*ACTS, FRAME])
def test_the_cues_of_manipulation_are_found_alike_without_all_the_others(act):
    few = tables(("manipulation",))
    for _, _, words in written(act):
        text = read(plain(words))
        all_hits = cue_hits(text, masked(text, tables(), []), tables())
        wanted = [hit for hit in all_hits if hit.act == "manipulation"]
        assert cue_hits(text, masked(text, few, []), few) == wanted
