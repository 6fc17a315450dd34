import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from empathy_env import Task, library
from empathy_env.errors import InvalidArgument, InvalidPersona, UnknownName
from empathy_env.library import (
    check_personas,
    load_cells,
    load_persona,
    load_personas,
    persona_names,
    read_persona,
    split_of,
)
from empathy_env.persona import NEEDS, Persona

GOOD = Path(__file__).with_name("lost-keys.yaml").read_text("utf-8")


def written(folder, *edits, name="lost-keys.yaml"):
    """Write the good file with edits, each an old and a new text, into a folder."""
    text = GOOD
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def report(path):
    """Return the problems of a file, one a line, without its folder."""
    with pytest.raises(InvalidPersona) as error:
        read_persona(path)
    header, *lines = str(error.value).splitlines()
    count = len(error.value.problems)
    assert header.startswith(f"{count} problem{'s' if count > 1 else ''} in {path}")
    assert lines == [str(problem) for problem in error.value.problems]
    return [line.replace(f"{path.parent}/", "") for line in lines]


def test_the_good_file_is_good(tmp_path):
    assert read_persona(written(tmp_path)).id == "lost-keys"


SHORT = "text of 1 to 600 characters"
MALFORMED = {
    # unknown keys
    "misspelt key": (
        ("opening: ", "openning: "),
        ["13:1: openning: there is no field 'openning' here. Did you mean 'opening'?"],
    ),
    "key of another level": (
        ("    gate: {trust: 0.2, acts", "    trust: 0.2\n    gate: {acts"),
        ["23:5: facts.1.trust: there is no field 'trust' here. It belongs further in, under 'gate'."],
    ),
    "key one level too deep": (
        ("          trust: 0.1", "          trust: 0.1\n          says: It rained."),
        ["49:11: needs.1.facts.0.gate.says: there is no field 'says' here. "
         "It belongs further out, beside 'gate'."],
    ),
    "key of the voice at the top": (
        ("tags: [home]", "tags: [home]\nregister: plain"),
        ["6:1: register: there is no field 'register' here. It belongs under 'voice'."],
    ),
    "unknown situation": (
        ("    leaves: [", "    sings: [la]\n    leaves: ["),
        ["57:5: voice.lines.sings: there is no field 'sings' here. "
         "There are: opens_up, guarded, deflects, hurt, relieved, leaves."],
    ),
    # missing fields
    "missing at the top": (
        ("happened: She lost her keys on the way to the bakery.\n", ""),
        ["1:1: happened: is missing; it must be text of 1 to 4000 characters."],
    ),
    "missing in a group": (
        ("  name: Ada\n", ""),
        [f"6:1: identity.name: is missing; it must be {SHORT}."],
    ),
    "missing in an entry": (
        ("    words: [door, doors]\n", ""),
        ["19:5: facts.1.words: is missing; it must be a list of at least 1 entry."],
    ),
    # wrong types and bare words
    "number in quotes": (
        ("age: 40", 'age: "40"'),
        ["8:8: identity.age: must be a whole number from 12 to 110 (got '40'). "
         "Write it without quotes: 40."],
    ),
    "number with a point": (
        ("age: 40", "age: 40.0"),
        ["8:8: identity.age: must be a whole number from 12 to 110 (got 40.0). Write 40."],
    ),
    "bare no": (
        ('says: "My keys are gone."', "says: no"),
        [f"18:11: facts.0.says: must be {SHORT} (got false). "
         'YAML reads a bare no as false: put it in quotes, "no".'],
    ),
    "bare year": (
        ("author: a test", "author: 1998"),
        [f"3:9: author: must be {SHORT} (got 1998). "
         'YAML reads a bare 1998 as the number 1998: put it in quotes, "1998".'],
    ),
    "bare time": (
        ("happened: She lost her keys on the way to the bakery.", "happened: 12:30"),
        ["12:11: happened: must be text of 1 to 4000 characters (got 750). "
         'YAML reads a bare 12:30 as the number 750: put it in quotes, "12:30".'],
    ),
    "bare date": (
        ("words: [hole, pocket]", "words: [hole, 2020-01-31]"),
        ["36:23: needs.0.facts.0.words.1: must be a word or short phrase of 2 to 40 characters, in "
         "lower case, without punctuation, such as let go (got 2020-01-31). "
         'YAML reads a bare 2020-01-31 as a date: put it in quotes, "2020-01-31".'],
    ),
    "text for a list": (
        ("acts: [open_question]", "acts: open_question"),
        ["23:30: facts.1.gate.acts: must be a list (got 'open_question'). "
         "Write it as a list: [open_question]."],
    ),
    "text with a colon": (
        ("    text: Her keys are lost.", "    text:\n      Lost: her keys."),
        ["16:5: facts.0.text: must be text of 1 to 4000 characters (got fields: Lost). "
         "If it is text with ': ' in it, put it in quotes."],
    ),
    "nothing": (
        ("  occupation: baker", "  occupation:"),
        [f"10:14: identity.occupation: must be {SHORT} (got nothing)."],
    ),
    # ranges, lengths, spellings, choices
    "out of range": (
        ("          trust: 0.1", "          trust: 1.5"),
        ["48:18: needs.1.facts.0.gate.trust: must be a number from 0 to 1 (got 1.5)."],
    ),
    "too long": (
        ('"It rained, and I stood in it."', "Rain. " * 101),
        [f"46:15: needs.1.facts.0.says: must be {SHORT} (got 605 characters). "
         "Shorten it by 5 characters."],
    ),
    "empty": (
        ('opening: "I lost my keys, and now I stand here."', 'opening: ""'),
        [f"13:10: opening: must be {SHORT} (got '')."],
    ),
    "id with a space": (
        ("id: lost-keys", "id: Lost Keys"),
        ["2:5: id: must be at most 60 lower-case letters, digits and single hyphens between them, "
         "beginning with a letter, such as lost-keys (got 'Lost Keys'). Did you mean 'lost-keys'?"],
    ),
    "keyword in capitals": (
        ("[hole, pocket]", "[Hole, pocket]"),
        ["36:17: needs.0.facts.0.words.0: must be a word or short phrase of 2 to 40 characters, in "
         "lower case, without punctuation, such as let go (got 'Hole'). Did you mean 'hole'?"],
    ),
    "unknown need": (
        ("need: deep_empathy", "need: deep-empaty"),
        ["39:11: needs.1.need: 'deep-empaty' is not known here. Did you mean 'deep_empathy'?"],
    ),
    "unknown act": (
        ("acts: [open_question]", "acts: [open_question, reflecton]"),
        ["23:46: facts.1.gate.acts.1: 'reflecton' is not known here. Did you mean 'reflection'?"],
    ),
    "unknown split": (
        ("split: dev", "split: training"),
        ["4:8: split: 'training' is not known here. Did you mean 'train'?"],
    ),
    "unknown register": (
        ("  manner: Plain", "  register: text\n  manner: Plain"),
        ["50:13: voice.register: 'text' is not known here. Did you mean 'texting'?"],
    ),
    "unknown about": (
        ("voice:", "reactions:\n  - {act: presence, about: self, fit: 0.1, because: So.}\nvoice:"),
        ["50:28: reactions.0.about: must be one of own_feeling, own_act, other_person, situation, "
         "plan, fault (got 'self')."],
    ),
    "unknown temperament": (
        ("voice:", "temperament: {type: pasive}\nvoice:"),
        ["49:21: temperament.type: 'pasive' is not known here. Did you mean 'passive'?"],
    ),
    "one need": (
        (GOOD[GOOD.index("  - need: deep_empathy") : GOOD.index("voice:")], ""),
        ["29:1: needs: must be a list of 2 to 4 entries (got a list of 1)."],
    ),
    # contradictions
    "duplicate id": (
        ("id: rain", "id: anger"),
        ["43:13: needs.1.facts.0.id: the id 'anger' is used twice, first in feelings.0. "
         "Rename one of them."],
    ),
    "need given twice": (
        ("need: deep_empathy", "need: absolution"),
        ["39:11: needs.1.need: the need 'absolution' is given twice, first in needs.0. "
         "Make one variant of the two."],
    ),
    "unknown topic": (
        ("topic: [keys]", "topic: [keys, angr]"),
        ["23:61: facts.1.gate.topic.1: there is no fact, feeling or belief with the id 'angr'. "
         "Did you mean 'anger'?"],
    ),
    "topic of one need": (
        ("topic: [keys]", "topic: [rain]"),
        ["23:55: facts.1.gate.topic.0: 'rain' is a fact of the need 'deep_empathy' alone. "
         "Name something that every variant has, or move this to that need."],
    ),
    "topic of itself": (
        ("topic: [keys]", "topic: [door]"),
        ["23:54: facts.1.gate.topic: the gate of 'door' waits for 'door' itself, so it never opens. "
         "Name a topic that can come up before, or leave 'topic' out of one gate."],
    ),
    "harm that opens": (
        ("acts: [open_question]", "acts: [blame, lecture]"),
        ["23:30: facts.1.gate.acts: harm never makes anybody open up, and blame, lecture only harm. "
         "Add an act that helps, such as open_question or reflection."],
    ),
    "own fact without a gate": (
        ("        gate: {trust: 0.1}\n", ""),
        ["34:9: needs.0.facts.0: the fact 'hole' of need 'absolution' has no gate, but all variants "
         "share the opening, so it cannot have been told there. Give it a 'gate'."],
    ),
    "nothing told": (
        ('says: "My keys are gone."', 'says: "My keys are gone."\n    gate: {}'),
        ["14:1: facts: every fact has a gate, so the opening tells none. "
         "Leave the gate out of what the opening line says."],
    ),
    "too few lines": (
        ('["Ow.", "That was not kind.", "Leave it.", "Thanks for nothing."]', '["Ow."]'),
        ["55:11: voice.lines.hurt: 4 example lines are the least for 'hurt', and there are 1."],
    ),
    # what cannot be played
    "shared keyword": (
        ("[rain, raining]", "[rain, anger]"),
        ["45:23: needs.1.facts.0.words.1: the keyword 'anger' is also one of 'anger'. "
         "Who says it must mean one of the two: take it out of the other."],
    ),
    "keyword without content": (
        ("[hole, pocket]", "[hole, thing]"),
        ["36:23: needs.0.facts.0.words.1: the keyword 'thing' is in too many sentences to mean this "
         "one thing. Choose a word that is said of it alone, or a phrase."],
    ),
    "not told by the opening": (
        ("I lost my keys, and now I stand here.", "I stand here."),
        ["15:5: facts.0: 'keys' has no gate, but the opening has none of its words. "
         "Let the opening say one of its 'words', or give it a 'gate'."],
    ),
    "need that no act meets": (
        ("voice:", "reactions:\n" + "".join(
            f"  - {{act: {act}, fit: 0.2, because: So.}}\n"
            for act in "challenge interpretation reassurance validation information reflection".split()
        ) + "voice:"),
        ["30:11: needs.0.need: no act can meet 'absolution': with these 'reactions' none that helps "
         "lands at 0.5 or better. Raise the 'fit' of one of them (challenge, interpretation, "
         "reassurance, validation, information, reflection), or take it out.",
         "39:11: needs.1.need: no act can meet 'deep_empathy': with these 'reactions' none that "
         "helps lands at 0.5 or better. Raise the 'fit' of one of them (challenge, interpretation, "
         "reassurance, validation, information, reflection), or take it out."],
    ),
    "trust out of reach": (
        ("          trust: 0.1", "          trust: 0.9\ntemperament: {trustfulness: 0.0}"),
        ["48:18: needs.1.facts.0.gate.trust: trust of 0.9 cannot be reached: 10 perfect turns at "
         "difficulty 'moderate' build 0.85. Lower it, or raise 'trustfulness' under 'temperament'."],
    ),
    # YAML
    "key given twice": (
        ("  age: 40", "  age: 40\n  age: 41"),
        ["9:3: identity.age: the key 'age' is given twice, first in line 8. Keep one of the two."],
    ),
    "tab": (
        ("  name: Ada", "\tname: Ada"),
        ["7:1: a tab indents this line; YAML allows spaces only. Replace it by spaces."],
    ),
    "reference": (
        ("          trust: 0.1", "          trust: *low"),
        ["48:18: needs.1.facts.0.gate.trust: '*low' is a reference, which is not used here. "
         "If it is text, put it in quotes."],
    ),
    "tag": (
        ("author: a test", "author: !!python/name:os.system"),
        ["3:9: author: '!!python/name:os.system' is a tag, which is not used here. "
         "If it is text that begins with '!', put it in quotes.",
         ],
    ),
    "quotation mark that closes elsewhere": (
        ('"There was a hole in my pocket."', '"There was a hole'),
        ["46:16: text goes on after its closing quotation mark. "
         "Put it in the other kind of quotes, or double each inner one."],
    ),
    "colon in a line": (
        ("author: a test", "author: a test: mine"),
        ["3:15: a ':' stands where no key can be. If it is part of a text, put the text in quotes; "
         "else look at the indentation."],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_refused_with_place_rule_and_what_mends_it(name, tmp_path):
    edit, expected = MALFORMED[name]
    assert report(written(tmp_path, edit)) == [f"lost-keys.yaml:{line}" for line in expected]


def test_at_least_thirty_malformed_files():
    assert len(MALFORMED) >= 30


def test_all_problems_of_a_file_are_in_one_report(tmp_path):
    path = written(
        tmp_path,
        ("author: a test", "author: no"),
        ("  age: 40", "  age: 40\n  age: 41\n  hight: 180"),
        ("topic: [keys]", "topic: [door], trusts: 1"),
        ("id: rain", "id: anger"),
        ("[hole, pocket]", "[hole, thing]"),
        ("          trust: 0.1", "          trust: &low 2"),
        ("  manner: Plain and short.\n", ""),
    )
    assert [line.split(": ")[:2] for line in report(path)] == [
        ["lost-keys.yaml:3:9", "author"],
        ["lost-keys.yaml:9:3", "identity.age"],
        ["lost-keys.yaml:10:3", "identity.hight"],
        ["lost-keys.yaml:25:54", "facts.1.gate.topic"],
        ["lost-keys.yaml:25:62", "facts.1.gate.trusts"],
        ["lost-keys.yaml:38:23", "needs.0.facts.0.words.1"],
        ["lost-keys.yaml:45:13", "needs.1.facts.0.id"],
        ["lost-keys.yaml:50:18", "needs.1.facts.0.gate.trust"],
        ["lost-keys.yaml:51:1", "voice.manner"],
    ]


def test_what_the_yaml_has_wrong_is_not_said_again_of_the_field(tmp_path):
    path = written(tmp_path, ("  age: 40", "  age: *forty"), ("id: lost-keys", "5: lost-keys"))
    assert [line.split(": ")[0] for line in report(path)] == [
        "lost-keys.yaml:1:1",
        "lost-keys.yaml:2:1",
        "lost-keys.yaml:8:8",
    ]


def test_what_is_missing_beside_a_bad_key_is_said_though_both_have_one_place(tmp_path):
    path = written(tmp_path, ("kind: persona\n", "1: persona\n"), ("split: dev\n", ""))
    assert [line.split(": ")[:2] for line in report(path)] == [
        ["lost-keys.yaml:1:1", "1"],
        ["lost-keys.yaml:1:1", "kind"],
        ["lost-keys.yaml:1:1", "split"],
    ]


def test_a_file_is_read_as_it_stands(tmp_path):
    path = written(tmp_path, ("Plain and short.", "Désolée 🙂"))
    assert read_persona(path).voice.manner == "Désolée 🙂"
    assert load_persona(path) == load_persona(str(path)) == read_persona(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent.yaml"):
        with pytest.raises(InvalidPersona, match="cannot be read"):
            read_persona(path)


@pytest.mark.parametrize("path", ["a\0.yaml", "\ud801.yaml", "a" * 300 + ".yaml"])
def test_a_path_that_cannot_be_is_refused(path):
    with pytest.raises(InvalidPersona, match="cannot be read"):
        load_persona(path)


def test_what_no_file_can_hold_is_one_problem_with_its_place(tmp_path):
    key = ("  age: 40", '  age: 40\n  "\\ud801": 1')
    assert "lost-keys.yaml:9:3: identity: holds U+D801" in report(written(tmp_path, key))[0]
    trust = ("          trust: 0.1", f"          trust: 1{'0' * 400}")
    assert [line.split(": ")[:2] for line in report(written(tmp_path, trust))] == [
        ["lost-keys.yaml:48:18", "needs.1.facts.0.gate.trust"]
    ]


def test_more_bad_entries_than_anybody_reads_are_not_listed(tmp_path):
    lines = report(written(tmp_path, ("tags: [home]", f"tags: [{'1,' * 100_000}1]")))
    assert lines[-1].endswith("there are more problems than can be listed.")
    assert len(lines) == 101


def test_a_bundled_file_must_be_named_after_its_persona(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "content_dir", lambda name: tmp_path)
    written(tmp_path, name="other-name-of-a-test.yaml")
    with pytest.raises(InvalidPersona, match=r"other-name-of-a-test\.yaml:2:5: id: .*'lost-keys'"):
        load_persona("other-name-of-a-test")


def test_a_wrong_name_gets_the_nearest_right_one_and_a_word_on_paths():
    with pytest.raises(UnknownName) as error:
        load_persona("laid-off-enginer")
    assert "Did you mean 'laid-off-engineer'?" in str(error.value)
    assert ".yaml" in str(error.value)


def test_a_persona_is_taken_as_it_is(tmp_path):
    persona = read_persona(written(tmp_path))
    assert load_persona(persona) is persona


def test_what_is_no_persona_at_all_is_refused():
    with pytest.raises(InvalidArgument, match="expected a name, a path or a Persona"):
        load_persona(3)


@pytest.mark.parametrize("name", persona_names())
def test_every_bundled_persona_can_be_read(name):
    assert load_persona(name).id == name


EVERYONE = load_personas()


def in_split(split):
    return {
        (p.id, v.need) for p in EVERYONE.values() for v in p.needs if (v.split or p.split) == split
    }


def ids(cells):
    return [(persona.id, need) for persona, need in cells]


class TestSelection:
    def test_all_is_everything_in_order(self):
        assert list(load_personas()) == list(load_personas("all")) == persona_names()
        assert ids(load_cells()) == [(p.id, v.need) for p in EVERYONE.values() for v in p.needs]

    @pytest.mark.parametrize("split", ["train", "dev", "test"])
    def test_by_split(self, split):
        assert set(ids(load_cells(f"split:{split}"))) == in_split(split)
        assert set(load_personas(f"split:{split}")) == {name for name, _ in in_split(split)}

    @pytest.mark.parametrize("need", NEEDS)
    def test_by_need(self, need):
        wanted = [i for i, p in EVERYONE.items() if need in [v.need for v in p.needs]]
        assert ids(load_cells(f"need:{need}")) == [(name, need) for name in wanted]
        assert list(load_personas(f"need:{need}")) == wanted

    def test_by_tag(self):
        for tag in {tag for persona in EVERYONE.values() for tag in persona.tags}:
            chosen = load_personas(f"tag:{tag}")
            assert set(chosen) == {i for i, p in EVERYONE.items() if tag in p.tags}

    def test_of_names_one_must_hold_and_of_terms_all(self):
        first, second, *_ = EVERYONE.values()
        assert list(load_personas(f"{second.id} {first.id}")) == [second.id, first.id]
        need = first.needs[0].need
        split = split_of(first, first.needs[0])
        assert set(ids(load_cells(f"split:{split} need:{need}"))) == {
            cell for cell in in_split(split) if cell[1] == need
        }
        assert ids(load_cells(f"{first.id} need:{need}")) == [(first.id, need)]

    def test_of_names_paths_and_personas(self, tmp_path):
        path = written(tmp_path, ("id: lost-keys", "id: by-path"), name="a.yaml")
        persona = read_persona(written(tmp_path))
        mixed = ["laid-off-engineer", path, persona, persona]
        assert list(load_personas(iter(mixed))) == ["laid-off-engineer", "by-path", "lost-keys"]
        assert Counter(name for name, _ in ids(load_cells(mixed)))["lost-keys"] == 2

    def test_one_path_or_persona_is_meant_with_all_its_needs(self, tmp_path):
        path = written(tmp_path)
        persona = read_persona(path)
        for selection in (path, str(path), persona, [persona]):
            assert [name for name, _ in ids(load_cells(selection))] == ["lost-keys"] * 2
            assert list(load_personas(selection)) == ["lost-keys"]

    def test_names_are_checked_beside_each_other_as_a_list_is(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        written(tmp_path, name="one.yaml")
        written(tmp_path, ("age: 40", "age: 41"), name="two.yaml")
        apart = (("split: dev", "split: test"), ("id: lost-keys", "id: apart"))
        written(tmp_path, *apart, name="apart.yaml")
        bundled = Path(library.content_dir("personas") / "new-mother.yaml").read_text("utf-8")
        Path("new-mother.yaml").write_text(bundled.replace("author: ", "author: not "), "utf-8")
        for selection, rule in {
            "one.yaml two.yaml": "duplicate-id",
            "new-mother new-mother.yaml need:absolution": "duplicate-id",
            "one.yaml apart.yaml": "shared-text",
        }.items():
            found = []
            for chosen in (selection, [name for name in selection.split() if ":" not in name]):
                with pytest.raises(InvalidPersona) as error:
                    load_cells(chosen)
                found.append(error.value.problems)
            assert found[0] == found[1]
            assert {problem.rule for problem in found[0]} == {rule}

    @pytest.mark.parametrize(
        ("selection", "says"),
        [
            ("spilt:train", "Did you mean 'split'"),
            ("split:trian", "No split named 'trian'. Did you mean 'train'"),
            ("need:deep-empathy", "Did you mean 'deep_empathy'"),
            ("laid-off-enginer", "laid-off-engineer"),
            ("tag:no-such-tag", "selects no persona"),
            ("split:train split:dev", "selects no persona"),
            ([], "selects no persona"),
        ],
    )
    def test_a_selection_that_cannot_be_meant_is_refused(self, selection, says):
        for load in (load_cells, load_personas):
            with pytest.raises(InvalidArgument, match=re.escape(says)):
                load(selection)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Two bundled personas: one of the training split with a held-out need, one of dev."""
    monkeypatch.setattr(library, "content_dir", lambda name: tmp_path)
    library._bundled.cache_clear()
    held_out = "need: deep_empathy\n    split: test"
    written(tmp_path, ("split: dev", "split: train"), ("need: deep_empathy", held_out))
    written(tmp_path, ("id: lost-keys", "id: other"), name="other.yaml")
    yield tmp_path
    library._bundled.cache_clear()


class TestHeldOutCells:
    @pytest.mark.parametrize(
        ("selection", "cells"),
        [
            ("split:train", [("lost-keys", "absolution")]),
            ("split:test", [("lost-keys", "deep_empathy")]),
            ("split:dev", [("other", "absolution"), ("other", "deep_empathy")]),
            ("split:test tag:home", [("lost-keys", "deep_empathy")]),
            ("lost-keys", [("lost-keys", "absolution"), ("lost-keys", "deep_empathy")]),
            ("need:absolution", [("lost-keys", "absolution"), ("other", "absolution")]),
        ],
    )
    def test_a_variants_split_overrides_that_of_its_persona(self, shelf, selection, cells):
        assert ids(load_cells(selection)) == cells
        assert list(load_personas(selection)) == list(dict.fromkeys(name for name, _ in cells))

    def test_a_cell_that_is_not_there_is_not_selected(self, shelf):
        with pytest.raises(InvalidArgument, match="selects no persona"):
            load_cells("split:train need:deep_empathy")

    def test_training_by_default_meets_no_cell_that_is_held_out(self, shelf):
        drawn = {Task().scenario(seed).need for seed in range(40)}
        assert drawn == {"absolution"}

    def test_one_persona_is_meant_with_all_its_needs(self, shelf):
        drawn = {Task(persona="lost-keys").scenario(seed).need for seed in range(40)}
        assert drawn == {"absolution", "deep_empathy"}


def reworded(value):
    """Return the data with a word more in every line of four words or more."""
    if isinstance(value, dict):
        return {key: reworded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reworded(item) for item in value]
    return f"{value} Too." if isinstance(value, str) and value.count(" ") > 2 else value


class TestSeveralFiles:
    def test_two_personas_with_one_id_are_refused_and_both_files_named(self, tmp_path):
        one = written(tmp_path, name="one.yaml")
        two = written(tmp_path, ("age: 40", "age: 41"), name="two.yaml")
        with pytest.raises(InvalidPersona) as error:
            load_cells([one, two])
        [problem] = error.value.problems
        assert (problem.file, problem.line, problem.column) == (str(two), 2, 5)
        assert f"'lost-keys' is also the id of {one}" in problem.message

    def test_text_of_another_split_is_refused_and_both_places_named(self, tmp_path):
        one = written(tmp_path, name="one.yaml")
        data = reworded(yaml.safe_load(GOOD)) | {"id": "two", "split": "test"}
        data["needs"][1]["facts"][0]["says"] = "IT RAINED - and I stood in it!"
        text = yaml.safe_dump(data)
        two = tmp_path / "two.yaml"
        two.write_text(text, encoding="utf-8")
        [problem] = check_personas([one, two])
        line = text[: text.index("IT RAINED")].count("\n") + 1
        assert (problem.file, problem.line, problem.rule) == (str(two), line, "shared-text")
        assert f"at {one}:46 (needs.1.facts.0.says)" in problem.message
        with pytest.raises(InvalidPersona, match="the same text is in another split"):
            load_personas([one, two])
        two.write_text(text.replace("split: test", "split: dev"), encoding="utf-8")
        assert check_personas([one, two]) == []

    def test_one_persona_may_share_text_between_its_own_splits(self, tmp_path):
        held_out = "need: deep_empathy\n    split: test"
        split = ("need: deep_empathy", held_out)
        one = written(tmp_path, split, name="one.yaml")
        assert check_personas([one, one]) == []
        two = written(tmp_path, split, ("id: lost-keys", "id: two"), name="two.yaml")
        assert check_personas([one, two]) != [], "two people in two splits each"

    @pytest.mark.parametrize("first", ["base", "variant"])
    def test_a_variant_in_another_split_is_one_problem_of_its_file(self, first, tmp_path):
        base = written(tmp_path, name="base.yaml")
        variant = tmp_path / "variant.yaml"
        text = "id: variant\nextends: base.yaml\nsplit: test\n"
        variant.write_text(text)
        both = [base, variant] if first == "base" else [variant, base]
        [problem] = check_personas(both)
        assert (problem.file, problem.line, problem.rule) == (str(variant), 3, "shared-text")
        assert f"inherited texts are met in another split with {base}" in problem.message
        assert "stays in the split of its base (dev)" in problem.hint
        variant.write_text(text.replace("split: test\n", ""))
        assert check_personas(both) == []

    def test_a_text_that_a_variant_repeats_is_a_problem_of_its_own(self, tmp_path):
        base = written(tmp_path, name="base.yaml")
        variant = tmp_path / "variant.yaml"
        said = "happened: She lost her keys on the way to the bakery.\n"
        variant.write_text(f"id: variant\nextends: base.yaml\nsplit: test\n{said}")
        found = check_personas([base, variant])
        assert [(p.line, p.rule) for p in found] == [(3, "shared-text"), (4, "shared-text")]

    def test_a_need_that_a_variant_holds_out_of_its_base(self, tmp_path):
        base = written(tmp_path, name="base.yaml")
        variant = tmp_path / "variant.yaml"
        held_out = "needs: [{need: absolution, split: test}]"
        variant.write_text(f"id: variant\nextends: base.yaml\n{held_out}\n")
        [problem] = check_personas([base, variant])
        assert (problem.file, problem.line) == (str(variant), 1)

    def test_a_variant_of_a_bundled_one(self, tmp_path):
        variant = tmp_path / "variant.yaml"
        splits = {"train": "test", "dev": "test", "test": "dev"}
        split = splits[load_persona("new-mother").split]
        variant.write_text(f"id: variant\nextends: new-mother\nsplit: {split}\n")
        [problem] = check_personas(["new-mother", variant])
        assert (problem.file, problem.line) == (str(variant), 3)
        assert "with the persona 'new-mother'" in problem.message

    def test_the_held_out_need_of_one_is_checked_against_the_other(self, tmp_path):
        held_out = "need: deep_empathy\n    split: test"
        one = written(tmp_path, ("need: deep_empathy", held_out), name="one.yaml")
        two = written(tmp_path, ("id: lost-keys", "id: two"), name="two.yaml")
        fields = {problem.field for problem in check_personas([one, two])}
        assert ("needs", 1, "facts", 0, "says") in fields
        assert ("opening",) in fields, "it opens talks of both splits"
        assert ("needs", 0, "facts", 0, "says") not in fields

    def test_the_problems_of_all_files_are_in_one_report(self, tmp_path):
        one = written(tmp_path, ("age: 40", "age: 4"), name="one.yaml")
        two = written(tmp_path, ("split: dev", "split: no"), name="two.yaml")
        with pytest.raises(InvalidPersona) as error:
            load_cells([one, "laid-off-engineer", two])
        assert [problem.file for problem in error.value.problems] == [str(one), str(two)]
        assert str(error.value).startswith(f"2 problems in {one}, {two}:\n")
        assert check_personas([one, two]) == list(error.value.problems)

    def test_what_two_files_inherit_from_a_broken_one_is_said_once(self, tmp_path):
        written(tmp_path, ("age: 40", "age: 4"), name="base.yaml")
        paths = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
        for path in paths:
            path.write_text(f"id: {path.stem}\nextends: base.yaml\n")
        [problem] = check_personas(paths)
        assert (problem.file, problem.line) == (str(tmp_path / "base.yaml"), 8)

    def test_the_bundled_ones_have_no_problem_beside_each_other(self):
        folder = library.content_dir("personas")
        assert check_personas([folder / f"{name}.yaml" for name in persona_names()]) == []

    def test_values_are_named_by_their_id(self, tmp_path):
        persona = read_persona(written(tmp_path))
        other = Persona.parse({**persona.to_data(), "happened": "Something else."})
        [problem] = check_personas([persona, other])
        assert str(problem).startswith("lost-keys: id: 'lost-keys' is also the id of the persona")
