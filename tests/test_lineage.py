import pytest
import yaml

from empathy_env.document import plain
from empathy_env.errors import InvalidPersona
from empathy_env.library import content_dir, load_persona, read_persona
from empathy_env.lineage import LONGEST, read_lineage


def read(folder, **files):
    """Write files of these names and contents, and read the one called `own`."""
    for name, content in files.items():
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return read_lineage(folder / "own.yaml", content_dir("personas"))


def said(problems):
    return [
        f"{p.file.rpartition('/')[2]}:{p.line}:{p.column}: {p.message} {p.hint}" for p in problems
    ]


@pytest.mark.parametrize(
    ("base", "own", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"b": 2}, {"a": None}, {"b": 2, "a": None}),
        ({"a": {"b": 1, "c": {"d": 2}}}, {"a": {"c": {"e": 3}}}, {"a": {"b": 1, "c": {"d": 2, "e": 3}}}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
        ({"tags": ["x", "y"]}, {"tags": ["z"]}, {"tags": ["z"]}),
        ({"id": "base", "a": 1}, {"id": "own"}, {"id": "own", "a": 1}),
        ({"id": "base", "a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        (
            {"facts": [{"id": "x", "text": "X", "more": ["m"]}, {"id": "y", "text": "Y"}]},
            {"facts": [{"id": "z", "text": "Z"}, {"id": "x", "text": "XX", "more": None}]},
            {"facts": [{"id": "x", "text": "XX"}, {"id": "y", "text": "Y"}, {"id": "z", "text": "Z"}]},
        ),
        (
            {"needs": [{"need": "n", "facts": [{"id": "x", "text": "X"}]}]},
            {"needs": [{"need": "n", "facts": [{"id": "x", "gate": {}}]}, {"need": "m"}]},
            {"needs": [{"need": "n", "facts": [{"id": "x", "text": "X", "gate": {}}]}, {"need": "m"}]},
        ),
        (
            {"facts": [{"id": "x"}, {"id": "y"}]},
            {"facts": [{"id": "x", "remove": True}]},
            {"facts": [{"id": "y"}]},
        ),
        ({"temperament": "avoidant"}, {"temperament": {"patience": 0.1}},
         {"temperament": {"type": "avoidant", "patience": 0.1}}),
        ({"temperament": {"patience": 0.1}}, {"temperament": "avoidant"},
         {"temperament": "avoidant"}),
        ({"facts": [{"id": "x"}]}, {"facts": []}, {"facts": []}),
        ({"facts": [{"id": "x"}]}, {"facts": None}, {}),
        # what is given twice stays twice, so that it is refused
        ({"facts": [{"id": "x", "a": 1}]}, {"facts": [{"id": "x"}, {"id": "x"}]},
         {"facts": [{"id": "x", "a": 1}, {"id": "x"}]}),
    ],
)  # fmt: skip
def test_what_becomes_of_what_is_inherited(base, own, result, tmp_path):
    document = read(tmp_path, base=base, own={"extends": "base.yaml", **own})
    assert document.problems == ()
    assert plain(document.root) == result


def test_three_generations_and_a_path_that_counts_from_its_own_file(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "first.yaml").write_text("a: 1\nb: 1\nc: 1\n")
    (tmp_path / "old" / "second.yaml").write_text("extends: first.yaml\nb: 2\nc: 2\n")
    document = read(tmp_path, own="extends: old/second.yaml\nc: 3\n")
    assert plain(document.root) == {"a": 1, "b": 2, "c": 3}


OWN = "id: marek-again\nextends: laid-off-engineer\nidentity: {age: 55}\n"


def test_a_bundled_persona_is_extended_by_its_name(tmp_path):
    (tmp_path / "own.yaml").write_text(OWN)
    own, base = read_persona(tmp_path / "own.yaml"), load_persona("laid-off-engineer")
    assert (own.id, own.identity.age, own.identity.name) == ("marek-again", 55, base.identity.name)
    same = {"identity": own.identity.model_copy(update={"age": 52}), "id": base.id}
    assert own.model_copy(update=same) == base


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"own": "a: 1\nextends: laid-off-enginer"},
            "own.yaml:2:10: there is no bundled persona 'laid-off-enginer' "
            "Did you mean 'laid-off-engineer'?",
        ),
        (
            {"own": "extends: absent.yaml"},
            "own.yaml:1:10: there is no file 'absent.yaml' "
            "A path counts from the folder of this file.",
        ),
        (
            {"own": f"extends: {'a' * 300}.yaml"},
            f"own.yaml:1:10: there is no file '{'a' * 300}.yaml' "
            "A path counts from the folder of this file.",
        ),
        (
            {"own": f"extends: {'a' * 300}"},
            f"own.yaml:1:10: there is no bundled persona '{'a' * 300}' A path must end in .yaml.",
        ),
        (
            {"own": 'extends: "a\\0.yaml"'},
            "own.yaml:1:10: there is no file 'a\\x00.yaml' "
            "A path counts from the folder of this file.",
        ),
        (
            {"own": "id: b\nextends: base.yaml\nneeds:\n- {need: absolutoin, remove: true}",
             "base": "needs: [{need: absolution}, {need: deep_empathy}]"},
            "own.yaml:4:3: there is no inherited 'absolutoin' to take out "
            "Did you mean 'absolution'?",
        ),
        (
            {"own": "id: b\nextends: base.yaml\nfacts:\n- {id: x, remove: true}",
             "base": "facts: [{id: door}, {id: keys}]"},
            "own.yaml:4:3: there is no inherited 'x' to take out There are: door, keys.",
        ),
        (
            {"own": "facts: [{id: x, remove: true}]"},
            "own.yaml:1:9: there is no inherited 'x' to take out Leave it out.",
        ),
        (
            {"own": "extends: [a]"},
            "own.yaml:1:10: must be the name of a bundled persona, or a path ending in .yaml ",
        ),
        (
            {"own": "extends:"},
            "own.yaml:1:9: must be the name of a bundled persona, or a path ending in .yaml ",
        ),
        (
            {"own": "extends: own.yaml"},
            "own.yaml:1:10: these files extend each other: own.yaml -> own.yaml "
            "Take one 'extends' out.",
        ),
        (
            {"own": "extends: a.yaml", "a": "extends: b.yaml", "b": "x: 1\nextends: own.yaml"},
            "b.yaml:2:10: these files extend each other: own.yaml -> a.yaml -> b.yaml -> own.yaml "
            "Take one 'extends' out.",
        ),
        (
            {"own": "id: a\nextends: b.yaml", "b": "id: a"},
            "own.yaml:1:5: 'a' is the id of the persona that this one extends "
            "Give it an id of its own.",
        ),
    ],
)  # fmt: skip
def test_a_line_of_descent_that_cannot_be_is_refused_where_it_is_said(files, expected, tmp_path):
    assert said(read(tmp_path, **files).problems) == [expected]


def test_a_loop_of_links_is_no_base(tmp_path):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    [problem] = read(tmp_path, own="extends: loop.yaml").problems
    assert "there is no file 'loop.yaml'" in problem.message


def test_without_its_base_nobody_knows_what_could_be_taken_out(tmp_path):
    document = read(tmp_path, own="extends: nobody\nfacts: [{id: x, remove: true}]")
    assert [problem.rule for problem in document.problems] == ["extends"]


def test_a_line_of_descent_has_an_end(tmp_path):
    files = {f"a{n}": f"extends: a{n + 1}.yaml" for n in range(LONGEST + 5)}
    document = read(tmp_path, own="extends: a0.yaml", **files)
    assert said(document.problems) == [
        f"a{LONGEST - 2}.yaml:1:10: more than {LONGEST} files extend each other "
    ]


def test_what_is_wrong_in_an_inherited_field_names_the_file_that_it_is_in(tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text(
        "extends: laid-off-engineer\n\nidentity:\n  age: 7\n  height: 2\nmood: 1\nmood: 2\n"
    )
    own = tmp_path / "own.yaml"
    own.write_text("id: own\nextends: base.yaml\nidentity: {nam: Ada}\nopening: 7\n")
    with pytest.raises(InvalidPersona) as error:
        read_persona(own)
    found = {(p.file.rpartition("/")[2], p.line, p.column, p.rule) for p in error.value.problems}
    assert found == {
        ("base.yaml", 4, 8, "range"),
        ("base.yaml", 5, 3, "unknown-key"),
        ("base.yaml", 6, 1, "unknown-key"),
        ("base.yaml", 7, 1, "duplicate-key"),
        ("own.yaml", 3, 12, "unknown-key"),
        ("own.yaml", 4, 10, "not-text"),
    }


def test_without_its_base_only_what_a_file_says_itself_is_judged(tmp_path):
    (tmp_path / "own.yaml").write_text("id: own\nextends: nobody\nmood: 1\nfacts: []\nsplit: tst\n")
    with pytest.raises(InvalidPersona) as error:
        read_persona(tmp_path / "own.yaml")
    assert [p.rule for p in error.value.problems] == ["extends", "unknown-key", "choice"]


def test_the_problems_of_a_base_that_cannot_be_read_are_in_the_report(tmp_path):
    document = read(tmp_path, own="a: 1\nextends: base.yaml", base="b: [")
    assert said(document.problems) == [
        "base.yaml:1:5: a '[' or '{' before this place is not closed, or a value is missing here "
        "Look at the brackets and commas before it.",
        "own.yaml:2:10: 'base.yaml' cannot be read; its problems are listed too ",
    ]


def test_the_id_is_ones_own(tmp_path):
    (tmp_path / "own.yaml").write_text("extends: laid-off-engineer\n")
    with pytest.raises(InvalidPersona, match=r"own\.yaml:1:1: id: is missing"):
        read_persona(tmp_path / "own.yaml")
