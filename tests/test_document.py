import os
import time

import pytest

from empathy_env import source
from empathy_env.document import MAX_PROBLEMS, find, placed, plain, read_document
from empathy_env.errors import Problem
from empathy_env.source import MAX_BYTES, MAX_DEPTH


def read(folder, text):
    path = folder / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_document(path)


def said(document):
    """Return the problems, one a line, without the folder."""
    return [f"a.yaml{str(p).partition('a.yaml')[2]}" for p in document.problems]


GOOD = """\
# a comment
name: Ada
age: 40
list:
  - one
  - {two: 2, three: "no"}
empty:
text: >
  folded
  text
"""


def test_values_are_plain_and_each_has_its_place(tmp_path):
    root = read(tmp_path, GOOD).root
    assert plain(root) == {
        "name": "Ada",
        "age": 40,
        "list": ["one", {"two": 2, "three": "no"}],
        "empty": None,
        "text": "folded text\n",
    }
    places = {
        ("name",): (2, 7, 2, 1),
        ("list",): (5, 3, 4, 1),
        ("list", 0): (5, 5, 5, 5),
        ("list", 1, "three"): (6, 21, 6, 14),
        ("text",): (8, 7, 8, 1),
    }
    for path, place in places.items():
        node, there = find(root, path)
        assert there
        assert (*node.place[1:], *node.key[1:]) == place


@pytest.mark.parametrize(
    ("problem", "line", "column"),
    [
        (Problem("range", "", ("list", 1, "two")), 6, 11),
        (Problem("unknown-key", "", ("list", 1, "two")), 6, 6),
        (Problem("missing", "", ("list", 1, "four")), 6, 5),
        (Problem("missing", "", ("list", 7)), 4, 1),
        (Problem("missing", "", ("name", "first")), 2, 1),
        (Problem("missing", "", ("nothing", "at", "all")), 2, 1),
        (Problem("count", "", ("list",)), 4, 1),
        (Problem("whole", ""), 2, 1),
    ],
)
def test_a_problem_is_placed_by_its_value_its_key_or_what_it_is_missing_from(
    problem, line, column, tmp_path
):
    found = placed(problem, read(tmp_path, GOOD).root)
    assert (found.line, found.column) == (line, column)
    assert found.file == str(tmp_path / "a.yaml")


@pytest.mark.parametrize("fast", [True, False])
def test_both_parsers_of_pyyaml_give_the_same(fast, tmp_path, monkeypatch):
    if not fast:
        monkeypatch.delattr(source.yaml, "CSafeLoader", raising=False)
    texts = [GOOD, "a: &b [*b]\n1: 2\na: é🙂 c\n", "a: [\n", "a: 1\n---\nb: 2\n"]
    documents = [read(tmp_path, text) for text in texts]
    assert [len(document.problems) for document in documents] == [0, 4, 1, 1]
    assert plain(documents[0].root)["age"] == 40
    assert find(documents[1].root, ("1",))[0].place.line == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # encoding
        (
            "a: b\nc: désolée\n".encode("latin-1"),
            "a.yaml:2:5: is not UTF-8: the byte 0xE9 begins no character here; in Windows-1252 or "
            "Latin-1 it would be 'é'. Save the file as UTF-8.",
        ),
        (
            b"a: \x81",
            "a.yaml:1:4: is not UTF-8: the byte 0x81 begins no character here. "
            "Save the file as UTF-8.",
        ),
        (
            "a: b".encode("utf-16"),
            "a.yaml:1:1: is not UTF-8; it looks like UTF-16. Save the file as UTF-8.",
        ),
        (
            "a: b".encode("utf-16-le"),
            "a.yaml:1:1: is not UTF-8; it looks like UTF-16. Save the file as UTF-8.",
        ),
        (
            "a: b".encode("utf-32"),
            "a.yaml:1:1: is not UTF-8; it looks like UTF-32. Save the file as UTF-8.",
        ),
        (
            "a: b".encode("utf-32-be"),
            "a.yaml:1:1: is not UTF-8; it looks like UTF-32. Save the file as UTF-8.",
        ),
        (
            'a: {b: "c\\ud801"}',
            "a.yaml:1:8: a.b: holds U+D801, which is half of a character and none by itself. "
            "Write the character itself.",
        ),
        (
            'a: 1\n"\\ud801": 1',
            "a.yaml:2:1: holds U+D801, which is half of a character and none by itself. "
            "Write the character itself.",
        ),
        (
            'a: "b\\U00110000"',
            "a.yaml:1:8: no character has this number. Write the character itself.",
        ),
        (
            'a: "b\\UFFFFFFFF"',
            "a.yaml:1:8: no character has this number. Write the character itself.",
        ),
        (
            "ab: c\x07d",
            "a.yaml:1:6: holds the control character U+0007, which YAML does not allow. Delete it.",
        ),
        # tabs
        (
            "a: 1\nb:\n\tc: 2\n",
            "a.yaml:3:1: a tab indents this line; YAML allows spaces only. Replace it by spaces.",
        ),
        (
            "a: 1\rb:\r\tc: 2\r",
            "a.yaml:3:1: a tab indents this line; YAML allows spaces only. Replace it by spaces.",
        ),
        (
            "a:\n  - \tb\n",
            "a.yaml:2:5: a tab stands where YAML allows spaces only. Replace it by spaces.",
        ),
        # the form of a file
        (
            "",
            "a.yaml:1:1: a persona file is a mapping of fields, and this is nothing. "
            "Begin with the line 'kind: persona'.",
        ),
        (
            "- a",
            "a.yaml:1:1: a persona file is a mapping of fields, and this is a list. "
            "Begin with the line 'kind: persona'.",
        ),
        (
            "just words",
            "a.yaml:1:1: a persona file is a mapping of fields, and this is text. "
            "Begin with the line 'kind: persona'.",
        ),
        (
            "a: 1\n---\nb: 2",
            "a.yaml:2:1: a second document begins here; a file holds one. "
            "Delete the line '---' and what follows it.",
        ),
        # keys
        (
            "a: 1\nb: 2\na: 3",
            "a.yaml:3:1: a: the key 'a' is given twice, first in line 1. Keep one of the two.",
        ),
        (
            "a: {b: 1, b: 2}",
            "a.yaml:1:11: a.b: the key 'b' is given twice, first in line 1. Keep one of the two.",
        ),
        (
            "no: 1",
            "a.yaml:1:1: no: a key must be plain text, and YAML reads a bare no as false. "
            'Put it in quotes: "no".',
        ),
        ("a: 1\n[b, c]: d", "a.yaml:2:1: a key must be plain text."),
        ("a: 1\n~: d", "a.yaml:2:1: a key must be plain text."),
        ("a: 1\n*b : d", "a.yaml:2:1: '*b' is a reference, which is not used here. "
         "If it is text, put it in quotes."),
        # references, tags, values
        (
            "a: &b c",
            "a.yaml:1:4: a: '&b' is an anchor, which is not used here. "
            "If it is text, put it in quotes.",
        ),
        (
            "a: {<<: *b}",
            "a.yaml:1:5: a: '<<' merges a reference, which is not used here. "
            "To build on another file, use 'extends:'.",
        ),
        (
            "a: [x, !!python/object/apply:os.getcwd []]",
            "a.yaml:1:8: a.1: '!!python/object/apply:os.getcwd' is a tag, which is not used here. "
            "If it is text that begins with '!', put it in quotes.",
        ),
        (
            "a: 2020-13-45",
            "a.yaml:1:4: a: YAML takes 2020-13-45 for a date or number that does not exist. "
            "If it is text, put it in quotes.",
        ),
        (
            "a: " + "9" * 5000,
            f"a.yaml:1:4: a: YAML takes {'9' * 40} for a date or number that does not exist. "
            "If it is text, put it in quotes.",
        ),
        (
            "a: 0x" + "f" * 5000,
            f"a.yaml:1:4: a: YAML takes 0x{'f' * 38} for a date or number that does not exist. "
            "If it is text, put it in quotes.",
        ),
        # syntax
        (
            'a: 1\nb: "c\n',
            "a.yaml:2:4: the quotation mark that opens here is never closed. "
            "Close it, or double it ('') where it is part of the text.",
        ),
        (
            "a: {b: c\nd: e",
            "a.yaml:1:4: the '{' that opens here is not closed. Add '}', with ',' between fields.",
        ),
        (
            "a: *sighs* no",
            "a.yaml:1:10: a text cannot begin with '*'. If it is text, put all of it in quotes.",
        ),
        (
            "a: @ten",
            "a.yaml:1:4: a text cannot begin with this character. "
            "If it is text, put all of it in quotes.",
        ),
        (
            "a:\n    b: 1\n  c: 2",
            "a.yaml:3:3: this line does not fit the indentation of those above. "
            "Items and fields that belong together begin in one column.",
        ),
        (
            "a: b\nc\nd: e",
            "a.yaml:3:1: a line stands here that is neither 'key: value' nor '- item'. "
            "Add the ':', or indent the line deeper if it goes on with the text above.",
        ),
        (
            "a: > b",
            "a.yaml:1:6: after '>' or '|' the text begins in the next line.",
        ),
        (
            "a: - b",
            "a.yaml:1:4: a '-' item cannot stand here. "
            "Put the list on a line of its own, or the text in quotes.",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_what_mends_it(text, expected, tmp_path):
    assert said(read(tmp_path, text)) == [expected]


def test_all_problems_are_listed_in_order_and_the_rest_is_read(tmp_path):
    document = read(tmp_path, "b: !x y\na: 1\na: 2\n5: *c\nd: \x00\ne: caf\xe9\n".encode("latin-1"))
    assert [problem.line for problem in document.problems] == [1, 3, 4, 4, 5, 6]
    assert plain(document.root)["b"] == "y"
    assert plain(document.root)["a"] == 1


def test_every_line_that_a_tab_indents_is_listed(tmp_path):
    document = read(tmp_path, "a: 1\nb:\n\tc: 2\n  \td: 3\ne: f\n")
    assert [(p.rule, p.line, p.column) for p in document.problems] == [
        ("tab", 3, 1),
        ("tab", 4, 3),
    ]


def test_tabs_in_a_text_are_part_of_it(tmp_path):
    text = "a: |\n  b\tc\n  \td\n# \te\nb: 'x\ty'\n"
    assert read(tmp_path, text).problems == ()
    assert [p.rule for p in read(tmp_path, text + "c: [\n").problems] == ["syntax"]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    document = read(tmp_path, b"\xef\xbb\xbfname: Ada\n")
    assert document.problems == ()
    assert plain(document.root) == {"name": "Ada"}
    assert document.root.place.column == 1


@pytest.mark.parametrize("text", ["2020-01-31", "no", "1998", "12:30"])
def test_what_is_written_in_quotes_is_text(text, tmp_path):
    assert plain(read(tmp_path, f"a: '{text}'").root) == {"a": text}
    node, _ = find(read(tmp_path, f"a: {text}").root, ("a",))
    assert node.bare == text
    assert not isinstance(node.value, str)


@pytest.mark.parametrize("absent", [True, False])
def test_a_file_that_cannot_be_read_is_a_problem(absent, tmp_path):
    [problem] = read_document(tmp_path / "absent.yaml" if absent else tmp_path).problems
    assert "cannot be read (" in str(problem)


@pytest.mark.parametrize("name", ["a\0.yaml", "\ud801.yaml", "a" * 300 + ".yaml", "loop.yaml"])
def test_a_path_that_cannot_be_is_a_problem(name, tmp_path):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    [problem] = read_document(tmp_path / name).problems
    assert "cannot be read (" in problem.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_nobody_waits_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    [problem] = read_document(tmp_path / "a.yaml").problems
    assert problem.message == "cannot be read (it is no regular file)"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_system(end, tmp_path):
    document = read(tmp_path, f"a: 1{end}b:{end}  - 2{end}  - 3")
    assert find(document.root, ("b", 1))[0].place == (str(tmp_path / "a.yaml"), 4, 5)


def test_half_a_character_is_refused_and_the_rest_is_read(tmp_path):
    document = read(tmp_path, 'a: "b\\ud801"\nc: !x d\n')
    assert [problem.line for problem in document.problems] == [1, 2]
    assert plain(document.root) == {"a": "b\ufffd", "c": "d"}


MANY = {
    "tabs": "a: 1\n" + "\tb: 2\n" * 10_000,
    "controls": "a: " + "\x01" * 60_000,
    "keys": "a: 1\n" * 1_000,
    "tabs in texts": "- 'a\n\tb'\n" * 10_000 + "[",
    "one more tab": "a: 1\n" + "\tb: 2\n" * (MAX_PROBLEMS + 1),
}


@pytest.mark.parametrize("name", MANY)
def test_no_more_are_listed_than_anybody_reads(name, tmp_path):
    start = time.perf_counter()
    problems = read(tmp_path, MANY[name]).problems
    assert time.perf_counter() - start < 5
    assert [p.rule for p in problems].count("many") == (name != "tabs in texts")
    assert len(problems) == (1 if name == "tabs in texts" else MAX_PROBLEMS + 1)
    assert name == "tabs in texts" or "more problems than can be listed" in problems[-1].message


def test_a_list_of_a_hundred_problems_says_of_no_more(tmp_path):
    problems = read(tmp_path, "a: 1\n" + "\tb: 2\n" * MAX_PROBLEMS).problems
    assert [p.rule for p in problems] == ["tab"] * MAX_PROBLEMS


def test_a_file_that_is_too_long_is_not_looked_at(tmp_path):
    document = read(tmp_path, "a: [" + " " * MAX_BYTES)
    assert "is longer than 256 KiB" in str(document.problems[0])
    assert document.root is None


DEEP = "".join(" " * level + "a:\n" for level in range(300))
HOSTILE = {
    "brackets": "[" * 250_000,
    "braces": "{a: " * 60_000,
    "items": "- " * 120_000,
    "indented": DEEP,
    "questions": "? " * 120_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nesting_ends_the_reading_where_it_is_too_deep(name, tmp_path):
    document = read(tmp_path, HOSTILE[name])
    assert document.root is None
    [problem] = document.problems
    assert f"more than {MAX_DEPTH} deep" in problem.message


def test_nesting_up_to_the_limit_is_read(tmp_path):
    text = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert read(tmp_path, text).problems == ()
    assert read(tmp_path, text.replace("[", "[[").replace("]", "]]")).problems


def test_an_alias_bomb_costs_nothing(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    start = time.perf_counter()
    document = read(tmp_path, "\n".join(lines))
    assert time.perf_counter() - start < 1
    assert {problem.rule for problem in document.problems} == {"reference", "many"}
    assert len(document.problems) <= MAX_PROBLEMS + 2
