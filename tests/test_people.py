import json
from dataclasses import replace

import pytest
from reported import MAREK, PROFILES, TOM

from empathy_env.errors import InvalidArgument, InvalidPersona
from empathy_env.people import load_people, load_person


def test_a_file_a_profile_and_a_persona_are_loaded_alike(tmp_path):
    assert len(load_people(PROFILES)) == len(load_people(str(PROFILES))) == 5
    assert load_people(TOM) == load_people([TOM]) == [(TOM, "absolution")]
    mixed = load_people(["laid-off-engineer", PROFILES, MAREK])
    assert [person.id for person, _ in mixed].count("laid-off-engineer") == len(MAREK.needs)
    assert len(mixed) == len(MAREK.needs) + 5
    assert load_people("laid-off-engineer need:absolution") == [(MAREK, "absolution")]
    assert load_person(TOM) is TOM
    assert load_person("laid-off-engineer") == MAREK
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(TOM.to_data()), encoding="utf-8")
    assert load_person(path) == TOM


def test_two_people_do_not_share_an_id():
    namesake = replace(TOM, id="laid-off-engineer")
    for people in ([MAREK, namesake], [TOM, PROFILES]):
        with pytest.raises(InvalidPersona, match="is the id of two people"):
            load_people(people)


def test_one_person_is_not_drawn_from_a_file_of_five():
    with pytest.raises(InvalidArgument, match="holds 5 people: give it as personas="):
        load_person(PROFILES)


def test_nobody_is_nobody():
    with pytest.raises(InvalidArgument, match="selects no persona"):
        load_people([])
