import copy
import json
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from empathy_env import persona as persona_module
from empathy_env.errors import InvalidArgument, InvalidPersona, UnknownName
from empathy_env.persona import (
    NEEDS,
    TEMPERAMENTS,
    Persona,
    load_persona,
    load_personas,
    persona_names,
    read_persona,
)

GOOD = {
    "kind": "persona",
    "id": "lost-keys",
    "author": "a test",
    "split": "dev",
    "tags": ["home"],
    "identity": {
        "name": "Ada",
        "age": 40,
        "pronouns": "she/her",
        "occupation": "baker",
        "background": "Bakes.",
    },
    "happened": "She lost her keys.",
    "opening": "I lost my keys.",
    "facts": [
        {"id": "keys", "text": "Lost keys.", "words": ["keys"], "says": "My keys are gone."},
        {
            "id": "door",
            "text": "The door is shut.",
            "words": ["door"],
            "says": "The door fell shut.",
            "gate": {"trust": 0.2, "acts": ["open_question"], "topic": ["keys"]},
        },
    ],
    "feelings": [{"id": "anger", "text": "Angry.", "words": ["angry"], "says": "I am angry."}],
    "needs": [
        {
            "need": need,
            "because": "So it is.",
            "met_when": "It is met.",
            "facts": [
                {
                    "id": f"own-{number}",
                    "text": "Own.",
                    "words": [f"own{number}"],
                    "says": "My own.",
                    "gate": {"trust": 0.1},
                }
            ],
        }
        for number, need in enumerate(["absolution", "deep_empathy"])
    ],
    "voice": {
        "manner": "Plain.",
        "lines": {
            "opens_up": list("abcd"),
            "guarded": list("abcd"),
            "deflects": list("abc"),
            "hurt": list("abcd"),
            "relieved": list("abc"),
            "leaves": ["a"],
        },
    },
}
DROP = object()


def changed(path, value):
    """Return GOOD with the field at the dotted path set, or dropped."""
    data = copy.deepcopy(GOOD)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = data
    for step in parents:
        place = place[step]
    if value is DROP:
        del place[last]
    else:
        place[last] = value
    return data


def written(folder, text, name="lost-keys.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_good_persona_is_good():
    persona = Persona.parse(GOOD)
    assert persona.identity.age == 40
    assert persona.facts[1].gate.topic == ("keys",)
    assert persona.version == 1


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        # unknown keys
        ("mood", 3, "mood"),
        ("identity.agee", 3, "identity.agee"),
        ("facts.1.gate.trusts", 0.3, "facts.1.gate.trusts"),
        ("voice.lines.sings", ["la"], "voice.lines.sings"),
        # missing fields
        ("opening", DROP, "opening"),
        ("identity.name", DROP, "identity.name"),
        ("facts.0.words", DROP, "facts.0.words"),
        # wrong types: nothing is coerced
        ("identity.age", "40", "identity.age"),
        ("identity.age", 40.0, "identity.age"),
        ("opening", 7, "opening"),
        ("opening", None, "opening"),
        ("facts", "keys", "facts"),
        ("facts.0.words", "keys", "facts.0.words"),
        ("facts.1.gate.trust", "0.2", "facts.1.gate.trust"),
        ("facts.1.gate.trust", True, "facts.1.gate.trust"),
        ("version", True, "version"),
        # values out of their range
        ("kind", "cast", "kind"),
        ("id", "Lost Keys", "id"),
        ("split", "training", "split"),
        ("identity.age", 11, "identity.age"),
        ("opening", "", "opening"),
        ("facts.1.gate.trust", 1.2, "facts.1.gate.trust"),
        ("facts.1.gate.acts", ["hug"], "facts.1.gate.acts"),
        ("facts.0.words", ["Keys"], "facts.0.words"),
        ("facts.0.words", [], "facts.0.words"),
        ("feelings", [], "feelings"),
        ("needs.0.need", "attention", "needs.0.need"),
        ("temperament", {"type": "sunny"}, "temperament"),
        ("temperament", {"patience": 2}, "temperament.patience"),
        ("reactions", [{"act": "presence", "fit": 2, "because": "x"}], "reactions.0.fit"),
        # contradictions
        ("facts.1.gate.topic", ["window"], "window"),
        ("facts.1.gate.topic", ["own-0"], "own-0"),
        ("needs.0.facts.0.gate.topic", ["own-1"], "own-1"),
        ("needs.0.facts.0.gate", DROP, "own-0"),
        ("needs.1.need", "absolution", "absolution"),
        ("needs", GOOD["needs"][:1], "needs"),
        ("facts.1.id", "keys", "keys"),
        ("needs.0.facts.0.id", "anger", "anger"),
        ("facts.0.gate", {"trust": 0.1}, "opening"),
        ("voice.lines.hurt", ["ow"], "hurt"),
    ],
)
def test_a_broken_rule_is_refused_and_the_field_named(path, value, field):
    with pytest.raises(InvalidPersona) as error:
        Persona.parse(changed(path, value), source="mine.yaml")
    problems = str(error.value).removeprefix("mine.yaml is not a valid persona:\n")
    assert problems != str(error.value)
    assert field in problems


def test_every_problem_is_listed_at_once():
    data = changed("opening", DROP) | {"mood": 3, "split": "x"}
    with pytest.raises(InvalidPersona) as error:
        Persona.parse(data)
    assert all(field in str(error.value) for field in ("opening", "mood", "split"))


@pytest.mark.parametrize("data", [None, "persona", [], 3, [GOOD]])
def test_what_is_no_mapping_is_refused(data):
    with pytest.raises(InvalidPersona, match="expected a mapping"):
        Persona.parse(data)


def test_variants_may_gate_on_their_own_facts_and_on_shared_ones():
    for topic in ("own-0", "keys", "anger"):
        Persona.parse(changed("needs.0.facts.0.gate.topic", [topic]))


@pytest.mark.parametrize("name", TEMPERAMENTS)
def test_a_temperament_type_is_a_starting_point(name):
    plain = Persona.parse(changed("temperament", {"type": name})).temperament
    assert plain.model_dump() == TEMPERAMENTS[name]
    edited = Persona.parse(changed("temperament", {"type": name, "patience": 0.9})).temperament
    assert edited.model_dump() == {**TEMPERAMENTS[name], "patience": 0.9}


def test_a_persona_is_a_value():
    persona = Persona.parse(GOOD)
    with pytest.raises(ValidationError, match="frozen"):
        persona.opening = "Other."
    assert persona == Persona.parse(GOOD)
    assert hash(persona) == hash(Persona.parse(GOOD))


@pytest.mark.parametrize("name", persona_names())
def test_bundled_personas_round_trip_through_json(name):
    persona = load_persona(name)
    assert Persona.parse(json.loads(json.dumps(persona.to_data()))) == persona


def test_a_variant_is_found_by_its_need():
    persona = Persona.parse(GOOD)
    assert persona.variant("deep_empathy") is persona.needs[1]
    with pytest.raises(UnknownName, match="need of lost-keys"):
        persona.variant("concrete_advice")


def test_a_file_is_read_as_it_stands(tmp_path):
    path = written(tmp_path, yaml.safe_dump({**GOOD, "opening": "Je suis désolée 🙂"}))
    assert read_persona(path).opening == "Je suis désolée 🙂"
    assert load_persona(path) == load_persona(str(path)) == read_persona(path)


@pytest.mark.parametrize(
    "text",
    [
        "kind: [persona",
        "kind: persona\n\tid: x",
        "a: 1\n---\nb: 2",
        "kind: !!python/object/apply:os.getcwd []",
        "kind: persona\nkind: persona",
        "identity: {name: Ada, name: Eve}",
        "[a]: b",
        "{a: b}: c",
        "happened: 2020-13-45",
        "a: &a [*a]",
        "a: \x00",
        "",
        "just words",
    ],
)
def test_a_file_that_is_no_yaml_mapping_is_refused_with_its_name(tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(InvalidPersona, match=r"lost-keys\.yaml"):
        read_persona(path)


def test_a_key_given_twice_is_named(tmp_path):
    path = written(tmp_path, yaml.safe_dump(GOOD) + "opening: Another one.\n")
    with pytest.raises(InvalidPersona, match="'opening' is given twice"):
        read_persona(path)


def test_a_key_given_twice_deep_down_is_named(tmp_path):
    text = yaml.safe_dump(GOOD).replace("  age: 40\n", "  age: 40\n  age: 41\n")
    with pytest.raises(InvalidPersona, match="'age' is given twice"):
        read_persona(written(tmp_path, text))


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(yaml.safe_dump(GOOD).encode() + "# désolée".encode("latin-1"))
    with pytest.raises(InvalidPersona, match=r"latin\.yaml is not readable YAML in UTF-8"):
        read_persona(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent.yaml"):
        with pytest.raises(InvalidPersona, match="cannot be read"):
            read_persona(path)


def test_a_broken_file_of_ones_own_is_named_with_its_field(tmp_path):
    path = written(tmp_path, yaml.safe_dump(changed("identity.age", "forty")))
    with pytest.raises(InvalidPersona) as error:
        load_persona(path)
    assert str(path) in str(error.value)
    assert "identity.age" in str(error.value)
    assert "'forty'" in str(error.value)


def test_a_bundled_file_must_be_named_after_its_persona(tmp_path, monkeypatch):
    monkeypatch.setattr(persona_module, "content_dir", lambda name: tmp_path)
    written(tmp_path, yaml.safe_dump(GOOD), name="other-name-of-a-test.yaml")
    with pytest.raises(InvalidPersona, match=r"other-name-of-a-test\.yaml.*'lost-keys'"):
        load_persona("other-name-of-a-test")


def test_a_wrong_name_gets_the_nearest_right_one_and_a_word_on_paths():
    with pytest.raises(UnknownName) as error:
        load_persona("laid-off-enginer")
    assert "Did you mean 'laid-off-engineer'?" in str(error.value)
    assert ".yaml" in str(error.value)


def test_a_persona_is_taken_as_it_is():
    persona = Persona.parse(GOOD)
    assert load_persona(persona) is persona


class TestSelection:
    def test_all_is_everything_in_order(self):
        assert list(load_personas()) == list(load_personas("all")) == persona_names()

    @pytest.mark.parametrize("split", ["train", "dev", "test"])
    def test_by_split(self, split):
        chosen = load_personas(f"split:{split}")
        assert set(chosen) == {i for i, p in load_personas().items() if p.split == split}

    @pytest.mark.parametrize("need", NEEDS)
    def test_by_need(self, need):
        chosen = load_personas(f"need:{need}")
        wanted = {i for i, p in load_personas().items() if need in [v.need for v in p.needs]}
        assert set(chosen) == wanted

    def test_by_tag(self):
        tags = {tag for persona in load_personas().values() for tag in persona.tags}
        for tag in tags:
            chosen = load_personas(f"tag:{tag}")
            assert set(chosen) == {i for i, p in load_personas().items() if tag in p.tags}

    def test_of_names_one_must_hold_and_of_terms_all(self):
        first, second, *_ = everyone = list(load_personas().values())
        assert list(load_personas(f"{second.id} {first.id}")) == [second.id, first.id]
        term = f"need:{first.needs[0].need}"
        both = {p.id for p in everyone if p.split == first.split} & set(load_personas(term))
        assert set(load_personas(f"split:{first.split} {term}")) == both
        assert list(load_personas(f"{first.id} {term}")) == [first.id]

    def test_of_names_paths_and_personas(self, tmp_path):
        path = written(tmp_path, yaml.safe_dump(changed("id", "by-path")))
        mixed = ["laid-off-engineer", Path(path), Persona.parse(GOOD)]
        assert list(load_personas(mixed)) == ["laid-off-engineer", "by-path", "lost-keys"]

    @pytest.mark.parametrize(
        ("selection", "says"),
        [
            ("spilt:train", "Did you mean 'split'"),
            ("laid-off-enginer", "laid-off-engineer"),
            ("tag:no-such-tag", "selects no persona"),
            ("split:train split:dev", "selects no persona"),
            ([], "selects no persona"),
        ],
    )
    def test_a_selection_that_cannot_be_meant_is_refused(self, selection, says):
        with pytest.raises(InvalidArgument, match=says):
            load_personas(selection)
