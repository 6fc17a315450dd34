"""`empathy-env persona`, as somebody uses it who writes a persona."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from empathy_env.__main__ import app, main
from empathy_env.commands.sheet import Course, drawn, gate_rows
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.form import HEADER, SCHEMA_NAME, schema_text
from empathy_env.library import load_persona

runner = CliRunner()
GOOD = Path(__file__).with_name("lost-keys.yaml").read_text("utf-8")


def call(*args, **kwargs):
    return runner.invoke(app, [str(arg) for arg in args], catch_exceptions=False, **kwargs)


def written(folder, name="lost-keys.yaml", text=GOOD):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder / name


@pytest.mark.parametrize("command", ["list", "show", "check", "new", "schema"])
def test_every_persona_command_has_help(command):
    result = call("persona", command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


class TestCheck:
    def test_a_good_file_passes(self, tmp_path):
        result = call("persona", "check", written(tmp_path), "--seeds", 1)
        assert result.exit_code == 0
        assert "1 file checked: 0 errors, 0 warnings, 0 notes" in result.output

    def test_a_bad_file_fails_and_the_report_leads_to_the_place(self, tmp_path, monkeypatch):
        text = GOOD.replace("I stand here", "I stand in the rain")
        written(tmp_path, "bad.yaml", GOOD.replace("opening: ", "openning: "))
        written(tmp_path, text=text)
        monkeypatch.chdir(tmp_path)
        result = call("persona", "check", ".", "--seeds", 1)
        assert result.exit_code == 1
        lines = result.output.splitlines()
        assert lines[:3] == [
            "bad.yaml",
            "  error bad.yaml:13:1",
            "    openning: there is no field 'openning' here. Did you mean 'opening'?",
        ]
        assert "  warning lost-keys.yaml:13:10" in lines
        assert "asking would not pay" in result.output
        assert lines[-1].startswith("2 files checked: 1 error, 1 warning, ")

    def test_a_place_is_printed_as_it_is(self, tmp_path):
        text = GOOD.replace("opening: ", "openning: ")
        path = written(tmp_path, text="# a comment\n" * 87 + text)
        assert f"error {path}:100:1" in call("persona", "check", path).output  # no emoji

    def test_warnings_do_not_fail(self, tmp_path):
        path = written(tmp_path, text=GOOD.replace("I stand here", "I stand in the rain"))
        result = call("persona", "check", path, "--seeds", 1, "--json")
        assert result.exit_code == 0
        found = json.loads(result.stdout)
        assert (found["files"], found["errors"], found["warnings"]) == (1, 0, 1)
        (warning,) = [row for row in found["findings"] if row["level"] == "warning"]
        assert (warning["file"], warning["line"], warning["column"]) == (str(path), 13, 10)
        assert (warning["rule"], warning["field"]) == ("guessed-need", ["opening"])
        assert {"message", "hint", "means"} <= set(warning)

    def test_two_files_with_one_id_and_text_that_is_shared_between_splits_fail(self, tmp_path):
        twin = GOOD.replace("40", "41")
        other = GOOD.replace("id: lost-keys", "id: found-keys").replace("split: dev", "split: test")
        paths = [written(tmp_path), written(tmp_path, "twin.yaml", twin)]
        result = call("persona", "check", *paths, "--seeds", 1, "--json")
        assert result.exit_code == 1
        assert "duplicate-id" in {row["rule"] for row in json.loads(result.stdout)["findings"]}
        paths = [paths[0], written(tmp_path, "other.yaml", other)]
        result = call("persona", "check", *paths, "--seeds", 1, "--json")
        assert result.exit_code == 1
        rules = {row["rule"]: row["level"] for row in json.loads(result.stdout)["findings"]}
        assert (rules["shared-text"], rules["same-line"]) == ("error", "warning")

    def test_a_bundled_one_is_checked_by_its_name(self):
        result = call("persona", "check", "new-mother", "--seeds", 1, "--json")
        assert result.exit_code == 0
        found = json.loads(result.stdout)["findings"]
        assert {Path(row["file"]).name for row in found} == {"new-mother.yaml"}

    def test_without_arguments_the_bundled_ones_are_checked(self, monkeypatch):
        monkeypatch.setattr("empathy_env.commands.persona.findings_alone", lambda *_, **__: [])
        result = call("persona", "check", "--json")
        assert json.loads(result.stdout)["files"] >= 8

    @pytest.mark.parametrize("name", ["nowhere.yaml", "nobody"])
    def test_what_is_not_there_is_an_error(self, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        result = call("persona", "check", name)
        assert result.exit_code == 1
        assert name in result.output

    @pytest.mark.parametrize("bad", ["loop", "fifo", "long", "base"])
    def test_a_file_that_cannot_be_had_leaves_the_others_checked(self, bad, tmp_path):
        good, path = written(tmp_path), tmp_path / f"{bad}.yaml"
        if bad == "loop":
            path.symlink_to(path.name)
        elif bad == "fifo":
            getattr(os, "mkfifo", Path.mkdir)(path)
        elif bad == "base":
            path.write_text(f"id: base\nextends: {'a' * 300}.yaml\n")
        else:
            path = tmp_path / ("a" * 300 + ".yaml")
        found = json.loads(call("persona", "check", path, good, "--seeds", 1, "--json").stdout)
        assert (found["files"], found["errors"]) == (2, 1)
        assert {row["file"] for row in found["findings"]} == {str(path)}

    def test_an_empty_folder_is_a_mistake(self, tmp_path):
        with pytest.raises(InvalidArgument, match="holds no persona"):
            call("persona", "check", tmp_path)


class TestNew:
    def test_it_writes_a_file_and_the_schema_that_can_be_checked(self, tmp_path):
        folder = tmp_path / "mine"
        args = ("--need", "absolution", "--need", "concrete_advice", "--out", folder)
        result = call("persona", "new", "ada", *args, "--split", "test")
        assert result.exit_code == 0
        assert f"persona check {folder}/ada.yaml" in result.output
        text = (folder / "ada.yaml").read_text("utf-8")
        assert text.startswith(HEADER)
        assert (folder / SCHEMA_NAME).read_text("utf-8") == schema_text()
        persona = load_persona(folder / "ada.yaml")
        assert (persona.id, persona.split) == ("ada", "test")
        assert [v.need for v in persona.needs] == ["absolution", "concrete_advice"]
        checked = call("persona", "check", folder / "ada.yaml", "--seeds", 2, "--json")
        found = json.loads(checked.stdout)
        assert (checked.exit_code, found["errors"], found["warnings"]) == (0, 0, 0)

    def test_it_asks_for_the_needs_with_a_line_for_each(self, tmp_path):
        answer = "3, specific_praise\n"
        result = call("persona", "new", "ada", "--out", tmp_path, input=answer)
        assert result.exit_code == 0
        assert "3. absolution: to hear, with reasons, that it was not their fault" in result.output
        needs = yaml.safe_load((tmp_path / "ada.yaml").read_text("utf-8"))["needs"]
        assert [variant["need"] for variant in needs] == ["absolution", "specific_praise"]

    def test_it_overwrites_nothing(self, tmp_path):
        (tmp_path / "ada.yaml").write_text("mine")
        (tmp_path / SCHEMA_NAME).write_text("mine too")
        needs = ("--need", "absolution", "--need", "concrete_advice", "--out", tmp_path)
        with pytest.raises(InvalidArgument, match=r"ada\.yaml exists"):
            call("persona", "new", "ada", *needs)
        assert call("persona", "new", "bea", *needs).exit_code == 0
        assert (tmp_path / "ada.yaml").read_text() == "mine"
        assert (tmp_path / SCHEMA_NAME).read_text() == "mine too"

    @pytest.mark.parametrize(
        ("id", "needs", "says"),
        [
            ("ada", ["absolution"], "two to four"),
            ("ada", ["absolution", "absolutoin"], "absolution"),
            ("new-mother", ["absolution", "deep_empathy"], "bundled persona"),
            ("../ada", ["absolution", "deep_empathy"], "id"),
        ],
    )
    def test_a_mistake_leaves_no_file(self, tmp_path, id, needs, says):
        folder = tmp_path / "mine"
        with pytest.raises(InvalidArgument, match=says):
            call("persona", "new", id, *(f"--need={need}" for need in needs), "--out", folder)
        assert list(tmp_path.rglob("*")) == []


class TestSchema:
    def test_it_is_printed_or_written(self, tmp_path):
        printed = json.loads(call("persona", "schema").stdout)
        path = tmp_path / "schema.json"
        assert call("persona", "schema", "--out", path).exit_code == 0
        assert json.loads(path.read_text("utf-8")) == printed


class TestShow:
    def test_it_says_who_what_opens_them_up_and_how_talks_go(self, tmp_path):
        result = call("persona", "show", written(tmp_path), "--seed", 3)
        assert result.exit_code == 0
        for words in ("Ada, 40, baker", "They begin:", "door", "open question", "deep empathy"):
            assert words in result.output
        assert result.output.count("o oracle: ") == 2
        assert "l listener: " in result.output
        assert "a advisor: " in result.output

    def test_as_json_it_holds_the_curves_and_the_gates(self, tmp_path):
        args = ("persona", "show", written(tmp_path), "--json")
        found = json.loads(call(*args).stdout)
        assert [need["need"] for need in found["needs"]] == ["absolution", "deep_empathy"]
        for need in found["needs"]:
            assert [course["agent"] for course in need["courses"]] == [
                "oracle",
                "listener",
                "advisor",
            ]
            assert all(0 <= e <= 100 for course in need["courses"] for e in course["emotion"])
        door = next(row for row in found["gates"] if row["tells"] == "door")
        assert (door["trust"], door["acts"], door["topic"]) == (0.2, ["open_question"], ["keys"])
        cruel = json.loads(call(*args, "--difficulty", "severe").stdout)
        assert cruel["needs"] != found["needs"]

    def test_names_stand_as_they_are(self, tmp_path):
        path = written(tmp_path, text=GOOD.replace("name: Ada", 'name: "[/bold] [red]Al"'))
        assert "[/bold] [red]Al, 40" in call("persona", "show", path).output

    def test_the_curves_are_drawn_in_a_file(self, tmp_path):
        pytest.importorskip("matplotlib")
        path = tmp_path / "ada.png"
        result = call("persona", "show", written(tmp_path), "--png", path)
        assert result.exit_code == 0
        assert path.read_bytes().startswith(b"\x89PNG")
        assert "Drawn in" in result.output

    def test_without_matplotlib_it_says_what_to_install(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        monkeypatch.delitem(sys.modules, "empathy_env.commands.picture", raising=False)
        with pytest.raises(InvalidArgument, match=r"pip install 'empathy-env\[report\]'"):
            call("persona", "show", written(tmp_path), "--png", tmp_path / "ada.png")

    def test_an_unknown_name_is_a_mistake(self):
        with pytest.raises(UnknownName, match="new-mother"):
            call("persona", "show", "new-mothr")


def test_where_curves_meet_there_is_a_plus():
    picture = drawn(
        [Course("oracle", (40.0, 100.0), "success"), Course("listener", (40.0, 0.0), "left")]
    )
    rows = {line[:3].strip(): line[5:] for line in picture.splitlines()}
    assert rows["40"].strip() == "+"
    assert rows["100"].strip() == "o"
    assert rows["0"].strip() == "l"


def test_the_gates_begin_with_what_the_opening_tells():
    rows = gate_rows(load_persona("laid-off-engineer"))
    assert [row.tells for row in rows if row.acts == ("the opening",)] == [rows[0].tells] == ["box"]
    assert [row.trust for row in rows] == sorted(row.trust for row in rows)
    assert {row.need for row in rows if row.tells == "report"} == {"absolution"}


def test_a_mistake_is_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sys.argv", ["empathy-env", "persona", "new", "new-mother", "--need", "absolution"]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith("error: id='new-mother'")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_that_lacks_a_character_gets_it_escaped(encoding, monkeypatch, tmp_path):
    path = written(tmp_path, text=GOOD.replace("name: Ada", "name: Ad\u0101 \U0001f642"))

    def printed(*args):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2)]
        monkeypatch.setattr("sys.stdout", streams[0])
        monkeypatch.setattr("sys.stderr", streams[1])
        monkeypatch.setattr("sys.argv", ["empathy-env", "persona", *map(str, args)])
        with pytest.raises(SystemExit) as stopped:
            main()
        streams[0].flush()
        streams[1].flush()
        return stopped.value.code, *(
            stream.buffer.getvalue().decode(encoding) for stream in streams
        )

    code, out, _ = printed("show", path)
    assert (code, "Ad\\u0101 \\U0001f642, 40" in out) == (0, True)
    code, out, _ = printed("show", path, "--json")
    assert (code, json.loads(out)["identity"]["name"]) == (0, "Ad\u0101 \U0001f642")
    code, _, err = printed("show", "\u0101da")
    assert (code, "No persona named '\\u0101da'" in err) == (1, True)
