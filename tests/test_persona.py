import copy
import json

import pytest
from pydantic import ValidationError

from empathy_env import persona as module
from empathy_env.errors import MAX_PROBLEMS, InvalidPersona, Problem, UnknownName
from empathy_env.library import load_persona, persona_names
from empathy_env.persona import TEMPERAMENTS, Persona
from empathy_env.playability import unplayable

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
        ("\ud801", 1, "\\ud801: holds U+D801"),
        ("identity.\ud801", 1, "identity.\\ud801: holds U+D801"),
        ("opening", "I lost \ud801.", "opening: holds U+D801"),
        ("facts.0.words", ["\ud801"], "facts.0.words.0: holds U+D801"),
        ("facts.1.gate.trust", 10**400, "facts.1.gate.trust: must be a number from 0 to 1"),
        ("facts.1.gate.trust", float("nan"), "facts.1.gate.trust"),
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
        ("temperament", 3, "temperament"),
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
    assert len(error.value.problems) == 1, "one mistake is one problem"
    assert str(error.value).startswith("1 problem in mine.yaml:\nmine.yaml: ")
    assert field in str(error.value.problems[0])


def test_every_problem_is_listed_at_once():
    data = changed("opening", DROP) | {"mood": 3, "split": "x"}
    with pytest.raises(InvalidPersona) as error:
        Persona.parse(data)
    fields = [problem.field for problem in error.value.problems]
    assert sorted(fields) == [("mood",), ("opening",), ("split",)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("voice.lines.hurt", [1] * 100_000),
        ("facts.1.gate.topic", [f"nothing-{number}" for number in range(20_000)]),
        ("tags", ["\ud801"] * 100_000),
    ],
)
def test_no_more_problems_are_listed_than_anybody_reads(path, value):
    with pytest.raises(InvalidPersona) as error:
        Persona.parse(changed(path, value))
    assert error.value.problems[-1].rule == "many"
    assert len(error.value.problems) == MAX_PROBLEMS + 1
    assert len(unplayable(changed("facts.0.words", ["the"] * 1_000))) == MAX_PROBLEMS + 1


def test_a_list_that_was_cut_stays_as_it_is():
    found = [Problem("range", "", (n,), file="a") for n in range(MAX_PROBLEMS + 1)]
    other = Problem("range", "", file="b")
    once = InvalidPersona.listing([other, *found])
    assert [p.rule for p in once.problems] == ["range"] * MAX_PROBLEMS + ["many", "range"]
    assert InvalidPersona.listing(once.problems).problems == once.problems


def test_no_refusal_is_without_a_problem(monkeypatch):
    monkeypatch.setattr(module, "problems_of", lambda *_: [])
    with pytest.raises(InvalidPersona) as error:
        Persona.parse(changed("mood", 3))
    [problem] = error.value.problems
    assert problem.field == ("mood",)


@pytest.mark.parametrize("data", [None, "persona", [], 3, [GOOD]])
def test_what_is_no_mapping_is_refused(data):
    with pytest.raises(InvalidPersona, match="expected a mapping"):
        Persona.parse(data)


def test_variants_may_gate_on_their_own_facts_and_on_shared_ones():
    data = changed("needs.0.facts.0.gate.topic", ["own-first"])
    first = data["needs"][0]["facts"][0]
    data["needs"][0]["facts"].append({**first, "id": "own-first", "gate": {"topic": ["anger"]}})
    for topic in ("own-first", "keys", "anger"):
        first["gate"] = {"topic": [topic]}
        Persona.parse(data)


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


def test_a_persona_that_is_built_without_parsing_is_consistent_too():
    with pytest.raises(ValidationError, match="the id 'keys' is used twice"):
        Persona.model_validate_json(json.dumps(changed("facts.1.id", "keys")))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("needs.0.need", 3),
        ("needs.0", "absolution"),
        ("facts.0", None),
        ("facts.0.id", DROP),
        ("facts.1.gate", []),
        ("feelings.0", ["angry"]),
        ("voice.lines", "la"),
        ("voice", DROP),
        ("facts.1.gate.topic", [3]),
    ],
)
def test_one_bad_field_is_one_problem_and_leads_to_no_other(path, value):
    data = changed("needs.0.facts.0.gate.topic", ["keys"])
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = data
    for step in parents:
        place = place[step]
    if value is DROP:
        del place[last]
    else:
        place[last] = value
    with pytest.raises(InvalidPersona) as error:
        Persona.parse(data)
    assert len(error.value.problems) == 1, str(error.value)


def test_what_contradicts_itself_is_said_beside_what_is_misspelt():
    data = changed("identity.agee", 3)
    data["facts"][1]["gate"]["topic"] = ["door"]
    data["needs"][0]["facts"][0]["id"] = "keys"
    with pytest.raises(InvalidPersona) as error:
        Persona.parse(data)
    rules = {problem.rule for problem in error.value.problems}
    assert rules == {"unknown-key", "closed-circle", "duplicate-id"}


def test_the_schema_says_what_the_messages_say():
    schema = Persona.model_json_schema()
    assert schema["$defs"]["Gate"]["properties"]["trust"]["description"] == "a number from 0 to 1"
    assert schema["$defs"]["Temperament"]["properties"]["type"]["enum"] == sorted(TEMPERAMENTS)
