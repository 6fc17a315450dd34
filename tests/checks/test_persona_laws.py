"""The laws of a persona, each with a persona that breaks it, and the line that is named."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from empathy_env.checks import check_persona, fields, personas
from empathy_env.checks.case import PersonaCase
from empathy_env.checks.fields import dead_fields
from empathy_env.checks.turns import moves
from empathy_env.errors import CheckFailed, UnknownName, Unreachable
from empathy_env.library import load_persona
from empathy_env.persona import Persona
from empathy_env.speaker import manner_of

GOOD = (Path(__file__).parent.parent / "lost-keys.yaml").read_text("utf-8")
LAWS = ("schema", "no-leak", "fault-free", "distinct-needs", "reachable", "every-field-alive")
REACTIONS = "reactions:\n  - {act: affirmation, fit: -0.3, because: So.}\n"
SHADOWED = REACTIONS + "  - {act: affirmation, about: own_act, fit: 0.4, because: So.}\n"
OPENING = 'opening: "I lost my keys, and now I stand here."'
HOLE = "gate: {trust: 0.1}"


def written(folder, *edits, more=""):
    """Write the good file with edits, each an old and a new text."""
    text = GOOD + more
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "lost-keys.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def line_of(path, text):
    """Return the number of the line with this text."""
    (number,) = [n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line]
    return number


def broken(path, *laws):
    with pytest.raises(CheckFailed) as caught:
        check_persona(path, laws=laws)
    return caught.value


def test_a_good_persona_keeps_all_laws(tmp_path):
    report = check_persona(written(tmp_path))
    assert report.laws == LAWS
    assert report.subject.endswith("lost-keys.yaml")


@pytest.mark.parametrize("name", ["own-dog", "after-the-bell"])
def test_bundled_personas_keep_all_laws(name):
    assert check_persona(name).laws == LAWS


def test_a_value_can_be_checked_without_a_file():
    persona = Persona.parse({**load_persona("own-dog").to_data(), "id": "another"})
    assert check_persona(persona, laws=["schema", "distinct-needs"]).subject == "another"


def test_the_schema_names_the_line_and_what_to_do(tmp_path):
    path = written(tmp_path, ("words: [door, doors]", "wrds: [door, doors]"))
    failure = broken(path, "schema")
    assert failure.law == "schema"
    assert f"{path}:{line_of(path, 'wrds')}:" in str(failure)
    assert "Did you mean 'words'?" in str(failure)


def test_what_cannot_be_loaded_breaks_the_schema_whatever_law_is_asked_for(tmp_path):
    path = tmp_path / "gone.yaml"
    assert broken(path, "reachable").law == "schema"
    assert str(path) in str(broken(path, "no-leak"))


def test_a_value_that_was_never_validated_is_found_out():
    persona = load_persona("own-dog").model_copy(update={"opening": ""})
    assert "opening" in str(broken(persona, "schema"))


class TestNoLeak:
    def test_an_opening_that_tells_what_a_gate_keeps(self, tmp_path):
        path = written(
            tmp_path, (OPENING, 'opening: "I lost my keys, there is a hole in my pocket."')
        )
        failure = broken(path, "no-leak")
        assert f"{path}:{line_of(path, 'opening:')}:" in str(failure)
        assert "'hole'" in str(failure)
        assert "need" in str(failure)

    def test_a_shared_line_that_does(self, tmp_path):
        path = written(tmp_path, ('"Fine."', '"There is a hole in the pocket."'))
        assert f"{path}:{line_of(path, 'guarded')}:" in str(broken(path, "no-leak"))

    def test_one_keyword_in_a_shared_line_is_a_note(self, tmp_path):
        report = check_persona(written(tmp_path, ('"Fine."', '"The rain."')), laws=["no-leak"])
        assert report.laws == ("no-leak",)
        (note,) = report.notes
        assert note.startswith("no-leak: ")
        assert "rain" in note

    def test_words_that_begin_otherwise_with_one_need(self, monkeypatch):
        def begin(task, scenario, plain=personas.Task.begin):
            talk = plain(task, scenario)
            hint = {"role": "user", "content": f"I want {scenario.need}."}
            return replace(talk, messages=(*talk.messages[:-1], hint))

        monkeypatch.setattr(personas.Task, "begin", begin)
        assert "absolution" in str(broken("own-dog", "no-leak"))


class TestFaultFree:
    def test_lines_without_words(self, tmp_path):
        fine = '["It is nothing.", "Fine.", "I do not know.", "Maybe."]'
        path = written(tmp_path, (fine, '[" ", "  ", "   ", "    "]'))
        failure = broken(path, "fault-free")
        assert "the reply is empty" in str(failure)
        assert "emotion 40" in failure.dialogue

    def test_a_user_that_fails(self, monkeypatch):
        def fails(talk, text):
            raise Unreachable("no line")

        monkeypatch.setattr(personas, "say", fails)
        failure = broken("own-dog", "fault-free")
        assert "Unreachable: no line" in str(failure)
        assert isinstance(failure.__cause__, Unreachable)


class TestDistinctNeeds:
    def test_a_reaction_that_does_for_every_need(self, tmp_path):
        more = "reactions:\n  - {act: presence, fit: 1.0, because: So.}\n"
        path = written(tmp_path, more=more)
        failure = broken(path, "distinct-needs")
        assert failure.law == "distinct-needs"
        assert f"{path}:{line_of(path, 'act: presence')}:" in str(failure)
        assert "presence" in str(failure)

    def test_one_that_only_dampens_is_no_matter(self, tmp_path):
        path = written(tmp_path, more=REACTIONS)
        assert check_persona(path, laws=["distinct-needs"]).laws == ("distinct-needs",)

    def test_one_in_one_respect_is_no_matter_unless_it_fits_best(self, tmp_path):
        def given(fit):
            more = f"reactions:\n  - {{act: information, about: plan, fit: {fit}, because: So.}}\n"
            return written(tmp_path, more=more)

        assert check_persona(given(0.3), laws=["distinct-needs"]).laws
        assert "information about plan" in str(broken(given(1.0), "distinct-needs"))


class TestReachable:
    def test_a_gate_that_never_opens(self, tmp_path):
        path = written(tmp_path, (HOLE, "gate: {trust: 0.95, acts: [information]}"))
        failure = broken(path, "reachable")
        assert f"{path}:{line_of(path, 'trust: 0.95')}:" in str(failure)
        assert "'hole' is told in none" in str(failure)

    def test_a_need_that_nobody_meets(self, tmp_path):
        acts = "open_question closed_question restatement reflection validation affirmation "
        acts += "reassurance interpretation challenge self_disclosure information suggestion"
        lines = [f"  - {{act: {act}, fit: -1.0, because: So.}}\n" for act in acts.split()]
        lines.append("  - {act: presence, fit: 0.9, because: So.}\n")
        path = written(tmp_path, more="reactions:\n" + "".join(lines))
        failure = broken(path, "reachable")
        assert f"{path}:{line_of(path, 'need: absolution')}:" in str(failure)
        assert "oracle" in str(failure)


class TestEveryFieldAlive:
    def test_a_reaction_behind_another_is_named_once_with_its_line(self, tmp_path):
        path = written(tmp_path, more=SHADOWED)
        failure = broken(path, "every-field-alive")
        assert failure.law == "every-field-alive"
        text = str(failure)
        assert text.count(str(path)) == 1
        assert f"{path}:{line_of(path, 'about: own_act')}:" in text
        assert "put the narrower one first" in text

    def test_the_narrower_one_first_is_alive(self, tmp_path):
        lines = SHADOWED.splitlines(keepends=True)
        path = written(tmp_path, more=lines[0] + lines[2] + lines[1])
        assert check_persona(path, laws=["every-field-alive"]).laws

    def test_of_what_is_never_told_only_that_is_said(self, tmp_path):
        path = written(tmp_path, (HOLE, "gate: {trust: 0.95, acts: [information]}"))
        text = str(broken(path, "every-field-alive"))
        assert text.count(str(path)) == 1
        assert f"{path}:{line_of(path, 'trust: 0.95')}:" in text

    def test_lines_that_are_never_said(self, tmp_path, monkeypatch):
        def deaf(moment, plain=manner_of):
            manner = plain(moment)
            return "guarded" if manner == "hurt" else manner

        monkeypatch.setattr("empathy_env.speaker.manner_of", deaf)
        path = written(tmp_path)
        text = str(broken(path, "every-field-alive"))
        assert f"{path}:{line_of(path, 'hurt:')}:" in text
        assert "voice.lines.hurt" in text
        assert "voice.lines.guarded" not in text

    def test_prose_that_no_model_is_told(self, tmp_path, monkeypatch):
        case = PersonaCase.of(written(tmp_path))
        assert list(dead_fields(case)) == []
        monkeypatch.setattr(fields, "portrait", lambda persona, need: None)
        dead = {problem.field for problem in dead_fields(case)}
        assert ("needs", 0, "because") in dead
        assert ("needs", 1, "met_when") in dead
        assert ("identity", "name") not in dead

    def test_a_keyword_that_everybody_says_is_a_note(self, tmp_path):
        path = written(tmp_path, ("words: [rain, raining]", "words: [rain, sorting]"))
        notes = check_persona(path, laws=["every-field-alive"]).notes
        assert all(note.startswith("every-field-alive: ") for note in notes)


@cache
def own_dog(talks):
    """Return a case whose talks are played once for several tests."""
    return PersonaCase.of("own-dog", talks=talks)


def test_played_turns_are_those_of_the_talks_and_the_same_person_moves_none():
    case = own_dog(3)
    persona = case.loaded.persona
    told = [turn.answers for trial in case.trials for trace in trial.talks for turn in trace.turns]
    assert [one.turn.answers for one in case.played[: len(told)]] == told
    same = persona.model_copy(deep=True)
    assert same is not persona
    assert not any(moves(one, same) for one in case.played)


def test_laws_are_chosen_by_name_and_a_wrong_name_gets_the_nearest():
    assert check_persona("own-dog", laws=["schema"]).laws == ("schema",)
    with pytest.raises(UnknownName, match="Did you mean 'reachable'"):
        check_persona("own-dog", laws=["reachabel"])
    with pytest.raises(UnknownName, match="own-dog"):
        check_persona("own-dogg")


def test_without_help_of_a_second_talk_fewer_are_played():
    one, three = own_dog(1), own_dog(3)
    assert all(len(trial.oracle) == 1 for trial in one.trials)
    assert sum(len(t.oracle) for t in three.trials) >= sum(len(t.oracle) for t in one.trials)
