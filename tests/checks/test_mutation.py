"""Every field of the schema is in one class, and a mutant differs in one field alone."""

import pytest

from empathy_env.checks.mutation import (
    METADATA,
    PROSE,
    kind_of,
    mutants,
    replaced,
    schema_fields,
    written_fields,
)
from empathy_env.library import load_persona
from empathy_env.persona import Persona

BEHAVIOUR = {
    *(
        f"Answers.{name}"
        for name in "fault other_person own_act own_feeling plan situation".split()
    ),
    *(
        f"{item}.{name}"
        for item in ("Fact", "Feeling", "Belief")
        for name in "words says more".split()
    ),
    *(f"Gate.{name}" for name in "acts topic trust".split()),
    *(f"Lines.{name}" for name in "opens_up guarded deflects hurt relieved leaves".split()),
    *("NeedVariant.need", "Persona.opening", "Voice.register_", "Voice.verbosity"),
    *("Reaction.about", "Reaction.act", "Reaction.fit"),
    *(f"Temperament.{name}" for name in "patience reactivity trustfulness".split()),
}
"""What has to move something. A new field of the schema belongs here, or in PROSE or METADATA."""


def flat(data, field=()):
    """Return the values of plain data by their fields; a list of texts is one value."""
    if isinstance(data, dict):
        items = data.items()
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        items = enumerate(data)
    else:
        return {field: data}
    return {k: v for key, value in items for k, v in flat(value, (*field, key)).items()}


def test_every_field_of_the_schema_is_in_exactly_one_class():
    assert schema_fields() == BEHAVIOUR | PROSE | METADATA
    assert len(schema_fields()) == len(BEHAVIOUR) + len(PROSE) + len(METADATA)


def test_a_field_that_nobody_has_classed_is_behaviour():
    assert kind_of("Persona.nickname") == "behaviour"
    assert {kind_of(name) for name in BEHAVIOUR} == {"behaviour"}


@pytest.mark.parametrize("name", ["own-dog", "the-report-on-safety"])
def test_a_mutant_differs_in_its_field_alone(name):
    persona = load_persona(name)
    before = flat(persona.to_data())
    leaves = written_fields(persona)
    assert len(leaves) > 150
    for leaf in leaves:
        found = list(mutants(persona, leaf))
        assert found or leaf.owner == "Persona.kind", leaf.field
        for other in found:
            after = flat(other.to_data())
            assert {field for field in before if before[field] != after[field]} == {leaf.field}


def test_every_behavioural_field_that_is_written_is_among_them():
    data = load_persona("own-dog").to_data()
    wanted = {field for field, value in flat(data).items() if value not in (None, [])}
    assert {leaf.field for leaf in written_fields(Persona.parse(data))} == wanted


def test_what_is_left_out_is_no_field_of_this_person():
    bare = load_persona("own-dog").to_data()
    del bare["temperament"], bare["facts"][2]["gate"]["trust"]
    fields = {leaf.field for leaf in written_fields(Persona.parse(bare))}
    assert ("facts", 2, "gate", "acts") in fields
    assert ("facts", 2, "gate", "trust") not in fields
    assert not any(field[0] == "temperament" for field in fields)


def test_a_number_goes_to_the_end_that_is_further():
    persona = load_persona("own-dog")
    (leaf,) = [one for one in written_fields(persona) if one.field == ("facts", 2, "gate", "trust")]
    assert [other.facts[2].gate.trust for other in mutants(persona, leaf)] == [1.0, 0.0]


def test_replacing_leaves_the_original_as_it_is():
    persona = load_persona("own-dog")
    changed = replaced(persona, ("needs", 1, "facts", 0, "says"), "So.")
    assert changed.needs[1].facts[0].says == "So."
    assert persona.needs[1].facts[0].says != "So."
    assert changed.needs[0] is persona.needs[0]
