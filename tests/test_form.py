"""The form of a persona file: the schema for editors, and the file to begin with."""

import json
from importlib.resources import files
from itertools import combinations

import pytest
import yaml
from jsonschema import Draft202012Validator

from empathy_env.agents import load_agent
from empathy_env.episode import Task
from empathy_env.errors import InvalidArgument, InvalidPersona, UnknownName
from empathy_env.findings import findings_alone
from empathy_env.form import HEADER, SCHEMA_NAME, blank, file_schema, need_lines, schema_text
from empathy_env.library import content_dir, persona_names, read_persona
from empathy_env.likeness import findings_beside
from empathy_env.persona import NEEDS, Persona
from empathy_env.rollout import play
from empathy_env.scenario import Scenario
from empathy_env.subject import bundled_files, read_subjects

SCHEMA = Draft202012Validator(file_schema())


def wrong(data):
    """Return where the schema finds something wrong."""
    return sorted(error.json_path for error in SCHEMA.iter_errors(data))


@pytest.fixture
def good():
    return yaml.safe_load(blank("ada", NEEDS[:2]))


def test_the_committed_schema_is_current():
    committed = (content_dir("personas") / SCHEMA_NAME).read_text("utf-8")
    assert committed == schema_text(), (
        f"run: empathy-env persona schema --out personas/{SCHEMA_NAME}"
    )


def test_the_schema_is_one():
    Draft202012Validator.check_schema(file_schema())


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.stem)
def test_each_bundled_file_follows_the_schema_and_names_it(path):
    text = path.read_text("utf-8")
    assert text.startswith(HEADER)
    assert wrong(yaml.safe_load(text)) == []


def test_the_schema_is_no_persona():
    assert "persona.schema" not in persona_names()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"openning": "Hello."}, "$"),
        ({"happened": None}, "$.happened"),
        ({"split": "training"}, "$.split"),
        ({"temperament": "sunny"}, "$.temperament"),
        ({"temperament": {"patience": 2}}, "$.temperament"),
        ({"feelings": []}, "$.feelings"),
        ({"reactions": [{"act": "hug", "fit": 0.1, "because": "So."}]}, "$.reactions[0].act"),
    ],
)
def test_the_schema_finds_what_loading_refuses(good, change, path):
    data = good | change
    assert path in wrong(data)
    with pytest.raises(InvalidPersona):
        Persona.parse({key: value for key, value in data.items() if value is not None})


@pytest.mark.parametrize(
    "temperament", ["passive", {"type": "avoidant", "patience": 1}, {"patience": 0}]
)
def test_the_schema_knows_each_form_of_a_temperament(good, temperament):
    data = good | {"temperament": temperament}
    assert wrong(data) == []
    assert Persona.parse(data)


def test_a_file_that_extends_another_needs_only_what_is_different(tmp_path):
    text = """\
extends: laid-off-engineer
id: his-brother
identity: {name: Piotr}
tags: null
facts:
  - {id: pumps, remove: true}
  - {id: wife, words: [wife]}
needs: [{need: absolution, because: So.}]
"""
    assert wrong(yaml.safe_load(text)) == []
    assert wrong(yaml.safe_load(text) | {"facts": [{"words": ["wife"]}]}) == ["$.facts"]
    (tmp_path / "his-brother.yaml").write_text(text)
    assert read_persona(tmp_path / "his-brother.yaml").identity.name == "Piotr"


def test_the_schema_says_what_a_field_is_for():
    says = file_schema()["$defs"]["Fact"]["properties"]["says"]["description"]
    assert says == "How the person tells it, in their own voice. Text of 1 to 600 characters."
    register = file_schema()["$defs"]["Voice"]["properties"]
    assert "register" in register


def test_there_is_a_part_of_the_form_and_a_line_for_each_need():
    lines = need_lines()
    assert tuple(lines) == NEEDS
    assert all(lines.values())
    folder = files("empathy_env").joinpath("forms", "needs")
    assert {part.name for part in folder.iterdir()} == {f"{need}.yaml" for need in NEEDS}


@pytest.mark.parametrize("needs", list(combinations(NEEDS, 2)), ids="+".join)
def test_any_two_needs_make_a_valid_person(needs):
    text = blank("ada", needs, split="dev")
    persona = Persona.parse(yaml.safe_load(text))
    assert ([variant.need for variant in persona.needs], persona.split) == ([*needs], "dev")
    assert wrong(yaml.safe_load(text)) == []


def test_the_new_file_passes_its_checks_as_it_is(tmp_path):
    path = tmp_path / "ada.yaml"
    path.write_text(blank("ada", NEEDS[:2]), "utf-8")
    (subject,), found = read_subjects([path])
    found += [*findings_beside([subject]), *findings_alone(subject, seeds=3)]
    assert [str(one.problem) for one in found if one.level != "note"] == []


@pytest.mark.parametrize("need", NEEDS)
def test_each_need_of_the_new_file_can_be_met(need):
    other = next(one for one in NEEDS if one != need)
    persona = Persona.parse(yaml.safe_load(blank("ada", [need, other])))
    talks = (
        play(
            Task(persona=persona),
            load_agent("oracle"),
            Scenario(persona=persona, need=need, seed=n),
        )
        for n in range(3)
    )
    assert any(talk.outcome == "success" for talk in talks)


def test_every_field_of_the_new_file_is_marked_or_explained():
    text = blank("ada", NEEDS[:4])
    fields = json.loads(schema_text())["$defs"]["Persona"]["properties"]
    lines = text.splitlines()
    for name in fields:
        number = next(n for n, line in enumerate(lines) if line.startswith(f"{name}:"))
        above = lines[:number]
        comment = next(line for line in reversed(above) if not line.startswith(("id:", "kind:")))
        assert comment.startswith("#"), name
    assert text.count("PLACEHOLDER") >= 5


@pytest.mark.parametrize(
    ("id", "needs", "split", "error", "says"),
    [
        ("ada", NEEDS[:1], "train", InvalidArgument, "two to four"),
        ("ada", NEEDS[:5], "train", InvalidArgument, "two to four"),
        ("ada", (NEEDS[0], NEEDS[0]), "train", InvalidArgument, "different"),
        ("ada", (NEEDS[0], "absolutoin"), "train", UnknownName, "absolution"),
        ("Ada Lovelace", NEEDS[:2], "train", InvalidPersona, "ada-lovelace"),
        ('a"b', NEEDS[:2], "train", InvalidPersona, "id"),
        ("ada", NEEDS[:2], "training", InvalidPersona, "train"),
    ],
)
def test_what_would_make_no_valid_file_is_refused(id, needs, split, error, says):
    with pytest.raises(error, match=says):
        blank(id, needs, split=split)
