"""`empathy-env cast`, as somebody uses it who writes a cast."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from empathy_env.__main__ import app
from empathy_env.cast import CAST_FILE, cast_names, casts_dir, load_cast
from empathy_env.cast_findings import is_word
from empathy_env.cast_form import (
    CAST_HEADER,
    CAST_SCHEMA_NAME,
    blank_cast,
    cast_schema,
    cast_schema_text,
)
from empathy_env.errors import InvalidArgument, InvalidPersona, UnknownName
from empathy_env.form import SCHEMA_NAME, schema_text

runner = CliRunner()
BAKERS = Path(__file__).with_name("two-bakers")
FILE = (BAKERS / CAST_FILE).read_text("utf-8")


def call(*args, **kwargs):
    return runner.invoke(app, ["cast", *map(str, args)], catch_exceptions=False, **kwargs)


@pytest.fixture
def bakers(tmp_path, monkeypatch):
    """A function that writes the bakers with edits of their files; talks are not played."""
    monkeypatch.setattr("empathy_env.commands.cast.findings_alone", lambda *_, **__: [])

    def write(*edits, name="bakers", **others):
        folder = tmp_path / name
        shutil.copytree(BAKERS, folder)
        for stem, edited in {"cast": edits, **others}.items():
            path = folder / f"{stem}.yaml"
            text = path.read_text("utf-8")
            for old, new in edited:
                assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
                text = text.replace(old, new)
            path.write_text(text, "utf-8")
        return folder

    return write


def found(*paths):
    """Return level, rule, name of file and line of all findings."""
    rows = json.loads(call("check", *paths, "--json").stdout)["findings"]
    return [(r["level"], r["rule"], Path(r["file"]).name, r["line"]) for r in rows]


def line_of(text):
    (line,) = (n for n, line in enumerate(FILE.splitlines(), 1) if text in line)
    return line


@pytest.mark.parametrize("command", ["list", "show", "check", "new", "schema"])
def test_every_cast_command_has_help(command):
    result = call(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


class TestCheck:
    def test_a_good_cast_passes_with_its_people(self):
        result = call("check", BAKERS, "--seeds", 1)
        assert result.exit_code == 0
        assert "3 files checked: 0 errors, 0 warnings, 0 notes" in result.output

    def test_all_that_is_wrong_is_said_at_once_with_its_place(self, bakers, monkeypatch):
        folder = bakers(
            ("who: bakers-pavel", "who: bakers-paul"),
            ("tension: 0.4", "tensoin: 0.4"),
            orla=[("opening:", "openning:")],
        )
        monkeypatch.chdir(folder.parent)
        result = call("check", "bakers")
        assert result.exit_code == 1
        lines = result.output.splitlines()
        who, tension = line_of("who: bakers-pavel"), line_of("tension: 0.4")
        assert f"  error bakers/cast.yaml:{who}:14" in lines
        assert f"  error bakers/cast.yaml:{tension}:9" in lines
        assert "  error bakers/orla.yaml:13:1" in lines
        assert (
            "    people.0.toward.0.who: 'bakers-paul' is none of the others. "
            "Did you mean 'bakers-pavel'?"
        ) in lines
        assert "    The cast cannot be loaded, so no talk can be played with it." in lines
        assert lines[-1] == "3 files checked: 3 errors, 0 warnings, 0 notes"

    @pytest.mark.parametrize(
        ("old", "new", "rule"),
        [
            ("This is all your fault, Pavel.", "This is all your fault.", "unaddressed"),
            ("This is all your fault, Pavel.", "It is all your fault, Orla.", "unaddressed"),
            ("You have worked so hard, Orla.", "Orla has worked so hard.", "unaddressed"),
            ("You never listen, Orla.", "You never listen, Orla and Pavel.", "unaddressed"),
            ("This is all your fault, Pavel.", "It rained, Pavel.", "mild-harsh"),
            ("You have worked so hard, Orla.", "You never listen to me, Orla.", "harmful-warm"),
        ],
    )
    def test_a_line_that_does_not_do_what_it_is_for(self, bakers, old, new, rule):
        assert found(bakers((old, new))) == [("warning", rule, CAST_FILE, line_of(old))]

    def test_what_the_opening_tells_anyway_cannot_slip_out(self, bakers):
        folder = bakers(("fact: oven", "fact: cake"))
        line = line_of('slips: "You left')
        assert found(folder) == [("warning", "told-anyway", CAST_FILE, line)]
        silent = bakers(
            ("fact: oven", "fact: cake"),
            ('            slips: "You left the oven on, Pavel!"\n', ""),
            name="silent",
        )
        assert found(silent) == []

    @pytest.mark.parametrize(
        ("name", "rule"), [("Grace", "common-name"), ("Mrs. Finn", "common-name")]
    )
    def test_a_name_that_is_a_word(self, bakers, name, rule):
        folder = bakers(orla=[("Orla Finn", name)])
        rules = {row[1] for row in found(folder)}
        assert rule in rules

    def test_a_name_in_a_name(self, bakers):
        folder = bakers(
            ("You have worked so hard, Orla.", "You have worked so hard, Pav."),
            ("You never listen, Orla.", "You never listen, Pav."),
            orla=[("Orla Finn", "Pav Finn")],
        )
        assert found(folder) == [("warning", "name-in-name", CAST_FILE, line_of("pavel.yaml"))]

    def test_a_pair_without_a_word_for_each_other_is_noted(self, bakers):
        head = FILE.partition("people:")[0]
        folder = bakers()
        text = f"{head}people:\n  - persona: orla.yaml\n  - persona: pavel.yaml\n"
        (folder / CAST_FILE).write_text(text)
        assert found(folder) == [("note", "strangers", CAST_FILE, 10)]

    @pytest.mark.parametrize(
        "old", ["You have worked so hard, Orla.", "It was in your coat all the time, Orla!"]
    )
    def test_a_text_that_two_files_share(self, bakers, old):
        folder = bakers((old, "I was ashamed, with the street looking on, Orla."))
        assert ("warning", "same-line", CAST_FILE, line_of(old)) in found(folder)

    def test_two_casts_with_one_text_or_one_id(self, bakers):
        ids = [("bakers-orla", "others-orla"), ("bakers-pavel", "others-pavel")]
        one = bakers()
        other = bakers(
            ("id: two-bakers", "id: other-bakers"), *ids, orla=ids[:1], pavel=ids[1:], name="other"
        )
        rules = {row[1] for row in found(one, other)}
        assert "same-line" in rules
        assert "duplicate-id" not in rules
        again = bakers(*ids, orla=ids[:1], pavel=ids[1:], name="again")
        assert ("error", "duplicate-id", CAST_FILE, 2) in found(one, again)
        assert json.loads(call("check", one, one / CAST_FILE, "--json").stdout)["files"] == 3

    def test_a_split_that_is_not_the_casts(self, bakers):
        folder = bakers(("split: dev", "split: test"))
        lines = [line_of("orla.yaml"), line_of("pavel.yaml")]
        assert found(folder) == [("warning", "other-split", CAST_FILE, line) for line in lines]

    def test_what_is_found_about_the_people_is_said_too(self, tmp_path):
        folder = tmp_path / "bakers"
        shutil.copytree(BAKERS, folder)
        text = (folder / "orla.yaml").read_text("utf-8")
        (folder / "orla.yaml").write_text(text.replace("I had the key", "the queue saw my key"))
        result = call("check", folder, "--seeds", 1, "--json")
        rows = json.loads(result.stdout)["findings"]
        assert result.exit_code == 0
        assert ("guessed-need", "orla.yaml", 13) in {
            (row["rule"], Path(row["file"]).name, row["line"]) for row in rows
        }

    def test_without_arguments_the_bundled_casts_are_checked_with_their_people(self, monkeypatch):
        monkeypatch.setattr("empathy_env.commands.cast.findings_alone", lambda *_, **__: [])
        own = [*casts_dir().glob(f"*/{CAST_FILE}")]
        files = json.loads(call("check", "--json").stdout)["files"]
        assert files > 2 * len(own)

    def test_a_folder_of_casts_stands_for_all_of_them(self, bakers):
        ids = [("bakers-orla", "others-orla"), ("bakers-pavel", "others-pavel")]
        one = bakers(name="casts/one")
        bakers(
            ("id: two-bakers", "id: other"), *ids, orla=ids[:1], pavel=ids[1:], name="casts/other"
        )
        assert json.loads(call("check", one.parent, "--json").stdout)["files"] == 6

    @pytest.mark.parametrize("name", ["nowhere.yaml", "nobody"])
    def test_what_is_not_there_is_an_error(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        result = call("check", name)
        assert result.exit_code == 1
        assert name in result.output

    def test_a_folder_without_a_cast_is_a_mistake(self, tmp_path):
        with pytest.raises(InvalidArgument, match="holds no cast"):
            call("check", tmp_path)


@pytest.mark.parametrize("name", ["will", "mark", "grace", "father", "dr.", "sunday"])
def test_names_that_are_words(name):
    assert is_word(name)


@pytest.mark.parametrize("name", ["orla", "radka", "jo", "kim", "ana", "lev", "pia", "ugo"])
def test_names_that_are_not(name):
    assert not is_word(name)


class TestNew:
    @pytest.mark.parametrize("people", [2, 6])
    def test_it_writes_a_folder_that_passes_its_checks(self, people, tmp_path, monkeypatch):
        monkeypatch.setattr("empathy_env.commands.cast.findings_alone", lambda *_, **__: [])
        args = ("new", "four-walls", "--people", people, "--out", tmp_path / "a", "--split", "dev")
        result = call(*args)
        assert result.exit_code == 0
        folder = tmp_path / "a" / "four-walls"
        assert f"cast check {folder}" in result.output
        assert (folder / CAST_FILE).read_text("utf-8").startswith(CAST_HEADER)
        assert (folder / SCHEMA_NAME).read_text("utf-8") == schema_text()
        assert (folder / CAST_SCHEMA_NAME).read_text("utf-8") == cast_schema_text()
        cast = load_cast(folder / CAST_FILE)
        assert (cast.id, cast.split, len(cast.people)) == ("four-walls", "dev", people)
        assert {member.persona.split for member in cast.people} == {"dev"}
        rows = found(folder)
        assert [row for row in rows if row[0] == "error" or row[2] == CAST_FILE] == []
        assert "same-story" not in {row[1] for row in rows}  # those of one cast may share one

    def test_each_persons_file_speaks_of_that_person(self):
        texts = blank_cast("four-walls", 3)
        assert [name for name, text in texts.items() if "Jo" in text.split()] == ["jo.yaml"]

    def test_it_overwrites_nothing(self, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / CAST_FILE).write_text("mine")
        with pytest.raises(InvalidArgument, match="mine exists"):
            call("new", "mine", "--out", tmp_path)
        assert (tmp_path / "mine" / CAST_FILE).read_text() == "mine"

    @pytest.mark.parametrize(
        ("id", "args", "error", "says"),
        [
            ("Four Walls", (), InvalidPersona, "four-walls"),
            ("../walls", (), InvalidPersona, "id"),
            ('a"b', (), InvalidPersona, "id"),
            ("walls", ("--split", "training"), InvalidPersona, "train"),
            ("w" * 60, (), InvalidPersona, "id"),
        ],
    )
    def test_a_mistake_leaves_no_file(self, id, args, error, says, tmp_path):
        with pytest.raises(error, match=says):
            call("new", id, "--out", tmp_path / "mine", *args)
        assert list(tmp_path.rglob("*")) == []

    @pytest.mark.skipif(not cast_names(), reason="no cast is bundled")
    def test_a_bundled_id_is_taken(self, tmp_path):
        with pytest.raises(InvalidArgument, match="bundled cast"):
            call("new", cast_names()[0], "--out", tmp_path)
        assert list(tmp_path.rglob("*")) == []

    @pytest.mark.parametrize("people", [1, 7])
    def test_a_cast_has_two_to_six_people(self, people):
        assert call("new", "walls", "--people", people).exit_code == 2
        with pytest.raises(InvalidArgument, match="2 to 6"):
            blank_cast("walls", people)


class TestSchema:
    def test_it_is_printed_or_written(self, tmp_path):
        path = tmp_path / "schema.json"
        assert call("schema", "--out", path).exit_code == 0
        assert json.loads(path.read_text("utf-8")) == json.loads(call("schema").stdout)

    def test_it_is_that_of_the_file(self):
        schema = Draft202012Validator(cast_schema())
        schema.check_schema(cast_schema())
        files = [BAKERS / CAST_FILE, *casts_dir().glob(f"*/{CAST_FILE}")]
        texts = [*(file.read_text("utf-8") for file in files), blank_cast("walls")[CAST_FILE]]
        assert [[*schema.iter_errors(yaml.safe_load(text))] for text in texts] == [[]] * len(texts)

    @pytest.mark.parametrize(
        ("old", "new", "path"),
        [
            ("persona: orla.yaml", "persona: {id: orla}", "$.people[0].persona"),
            ("who: bakers-orla", "whom: bakers-orla", "$.people[1].toward[0]"),
            ("turns: addressed-next", "turns: any", "$.turns"),
        ],
    )
    def test_it_finds_what_loading_refuses(self, old, new, path):
        errors = Draft202012Validator(cast_schema()).iter_errors(
            yaml.safe_load(FILE.replace(old, new))
        )
        assert path in {error.json_path for error in errors}

    def test_it_says_what_a_field_is_for(self):
        fields = cast_schema()["properties"]
        assert fields["situation"]["description"].startswith("What has brought them together")
        entry = cast_schema()["$defs"]["Entry"]["properties"]["persona"]["description"]
        assert "may lead out of it" in entry

    def test_the_one_beside_the_bundled_casts_is_current(self):
        committed = (casts_dir() / CAST_SCHEMA_NAME).read_text("utf-8")
        assert committed == cast_schema_text(), (
            f"run: empathy-env cast schema --out personas/casts/{CAST_SCHEMA_NAME}"
        )


class TestShow:
    def test_it_says_who_is_who_in_words(self):
        result = call("show", BAKERS / CAST_FILE)
        assert result.exit_code == 0
        for words in (
            "Orla Finn, 40, baker",
            "They share a bakery",
            "Pavel: the man she shares the bakery with",
            "closeness 0.5, tension 0.4",
            "Holds against Pavel: shutter.",
            'Knows of oven: in anger: "You left the oven on, Pavel!"',
            "Knows of worry: keeps it",
            "absolution or deep empathy",
        ):
            assert words in result.output

    def test_whom_somebody_hardly_knows_is_said_too(self, tmp_path):
        folder = tmp_path / "bakers"
        shutil.copytree(BAKERS, folder)
        (folder / CAST_FILE).write_text(
            FILE.partition("  - persona: pavel.yaml")[0] + "  - persona: pavel.yaml\n"
        )
        assert "Orla: somebody they hardly know." in call("show", folder / CAST_FILE).output

    def test_as_json_it_is_the_cast(self):
        printed = json.loads(call("show", BAKERS / CAST_FILE, "--json").stdout)
        assert printed == load_cast(BAKERS / CAST_FILE).to_data()

    def test_names_stand_as_they_are(self, bakers):
        folder = bakers(orla=[("Orla Finn", '"[/bold]Orla [red]"')])
        (folder / CAST_FILE).write_text(FILE)
        assert "[/bold]Orla [red], 40" in call("show", folder / CAST_FILE).output

    def test_an_unknown_name_is_a_mistake(self):
        with pytest.raises(UnknownName, match="No cast named"):
            call("show", "nobody-at-all")


def test_the_bundled_casts_are_listed():
    rows = json.loads(call("list", "--json").stdout)
    assert [row["id"] for row in rows] == cast_names()
    table = call("list")
    assert table.exit_code == 0
    assert all(row["names"][0] in table.output for row in rows)
    assert all(f" {row['id']} " in table.output for row in rows)  # whole, to be copied
