import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_env.cast import Cast, load_cast
from empathy_env.difficulty import Difficulty
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.library import load_cells, load_persona, load_personas
from empathy_env.persona import Persona
from empathy_env.protocol import NAMES, PROTOCOLS, REPORTED, load_protocol
from empathy_env.scenario import Scenario, draw_cast, draw_scenario

PERSONAS = tuple(load_personas().values())
CELLS = tuple(load_cells())
MAREK = load_persona("laid-off-engineer")
NEED = MAREK.needs[0].need
P = PROTOCOLS["appraisal-v1"]

scenarios = st.sampled_from(PERSONAS).flatmap(
    lambda persona: st.builds(
        Scenario,
        persona=st.just(persona),
        need=st.sampled_from([variant.need for variant in persona.needs]),
        difficulty=st.builds(Difficulty, start=st.floats(0, 1), hostility=st.floats(0, 1)),
        protocol=st.sampled_from([P, replace(P, gain=P.gain + 1), replace(P, name="own")]),
        seed=st.integers(0, 2**63 - 1),
        max_turns=st.integers(1, 1000),
        max_chars=st.integers(1, 1_000_000),
        member=st.integers(0, 1000),
    )
)


def through_json(row):
    return json.loads(json.dumps(row))


@given(scenarios)
def test_rows_and_records_round_trip_through_json(scenario):
    assert Scenario.from_row(through_json(scenario.to_row())) == scenario
    assert Scenario.from_row(through_json(scenario.to_record())) == scenario


def test_a_row_names_what_is_bundled_and_a_record_holds_everything():
    scenario = Scenario(persona=MAREK, need=NEED)
    assert scenario.to_row()["persona"] == "laid-off-engineer"
    assert scenario.to_row()["protocol"] == "appraisal-v1"
    assert scenario.to_record()["persona"] == MAREK.to_data()
    assert scenario.to_record()["protocol"] == P.to_data()


def test_what_only_shares_a_bundled_name_stands_in_full():
    persona = Persona.parse({**MAREK.to_data(), "opening": "Not the bundled opening."})
    protocol = replace(P, gain=P.gain + 1)
    scenario = Scenario(persona=persona, need=NEED, protocol=protocol)
    row = scenario.to_row()
    assert row["persona"]["opening"] == "Not the bundled opening."
    assert row["protocol"]["gain"] == P.gain + 1
    assert Scenario.from_row(through_json(row)) == scenario


def test_a_short_row_gets_the_defaults():
    row = {"persona": "laid-off-engineer", "need": NEED, "difficulty": "severe"}
    scenario = Scenario.from_row(row)
    assert scenario == Scenario(persona=MAREK, need=NEED, difficulty=scenario.difficulty)
    assert scenario.difficulty.start < Difficulty().start
    assert row == {"persona": "laid-off-engineer", "need": NEED, "difficulty": "severe"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sed": 3}, "sed"),
        ({"need": "attention"}, "attention"),
        ({"need": None}, "need"),
        ({"need": "others_motives"}, "others_motives"),
        ({"persona": "laid-of-engineer"}, "laid-off-engineer"),
        ({"persona": {"kind": "persona"}}, "opening"),
        ({"persona": 3}, "persona"),
        ({"protocol": "appraisal-v0"}, "appraisal-v1"),
        ({"protocol": {"name": "x", "charm": 1}}, "charm"),
        ({"protocol": 3}, "protocol"),
        ({"protocol": {"kind": "guessed"}}, "guessed"),
        ({"protocol": {"kind": "reported", "name": "x", "charm": 1}}, "charm"),
        ({"protocol": "sage-2024"}, "Did you mean 'sage-2025'"),
        ({"persona": {"kind": "profile"}}, "first_talk|player: is missing"),
        ({"difficulty": "hard"}, "hard"),
        ({"difficulty": {"start": "high"}}, "start"),
        ({"difficulty": 3}, "difficulty"),
        ({"seed": "7"}, "seed"),
    ],
)
def test_a_bad_row_is_refused_and_the_error_says_what_is_wrong(changes, says):
    assert "others_motives" not in [variant.need for variant in MAREK.needs]
    with pytest.raises(InvalidArgument, match=says):
        Scenario.from_row({"persona": "laid-off-engineer", "need": NEED, **changes})


@pytest.mark.parametrize("field", ["persona", "need"])
def test_a_row_must_say_who_and_what(field):
    row = {"persona": "laid-off-engineer", "need": NEED}
    del row[field]
    with pytest.raises(InvalidArgument, match=field):
        Scenario.from_row(row)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", 2**63),
        ("seed", True),
        ("seed", 1.0),
        ("max_turns", 0),
        ("max_turns", 1001),
        ("max_chars", 0),
        ("max_chars", 1_000_001),
        ("member", -1),
    ],
)
def test_numbers_outside_their_range_are_refused_by_name_and_value(field, value):
    with pytest.raises(InvalidArgument, match=f"{field}={value!r}"):
        Scenario(persona=MAREK, need=NEED, **{field: value})


def test_a_need_that_the_persona_has_not_is_refused():
    with pytest.raises(UnknownName, match="need of laid-off-engineer"):
        Scenario(persona=MAREK, need="others_motives")


def test_the_variant_is_that_of_the_need():
    for variant in MAREK.needs:
        assert Scenario(persona=MAREK, need=variant.need).variant is variant


def test_episodes_of_a_file_are_told_apart():
    base = Scenario(persona=MAREK, need=NEED, seed=1)
    others = [
        replace(base, seed=2),
        replace(base, member=1),
        replace(base, need=MAREK.needs[1].need),
        Scenario(persona=PERSONAS[0], need=PERSONAS[0].needs[0].need, seed=1),
    ]
    assert len({scenario.episode_id for scenario in [base, *others]}) == 5


@given(st.integers(0, 2**63 - 1))
def test_a_draw_is_a_function_of_the_seed_and_keeps_the_fields(seed):
    scenario = draw_scenario(CELLS, seed=seed, max_turns=3)
    assert scenario == draw_scenario(list(CELLS), seed=seed, max_turns=3)
    assert (scenario.seed, scenario.max_turns) == (seed, 3)
    harder = draw_scenario(CELLS, seed=seed, difficulty=Difficulty(start=0.1))
    assert (harder.persona, harder.need) == (scenario.persona, scenario.need)


def test_personas_and_their_needs_are_drawn_about_equally_often():
    few = PERSONAS[:6]
    cells = [cell for cell in CELLS if cell[0].id in {p.id for p in few}]
    draws = [draw_scenario(cells, seed=seed) for seed in range(2000)]
    people = Counter(scenario.persona.id for scenario in draws)
    fair = 2000 / len(few)
    assert set(people) == {persona.id for persona in few}
    assert all(0.75 * fair < count < 1.25 * fair for count in people.values())
    for persona in few:
        needs = Counter(s.need for s in draws if s.persona.id == persona.id)
        share = people[persona.id] / len(persona.needs)
        assert set(needs) == {variant.need for variant in persona.needs}
        assert all(0.65 * share < count < 1.35 * share for count in needs.values())


@given(st.integers(0, 2**63 - 1))
def test_a_need_that_is_not_selected_is_never_drawn_and_moves_no_persona(seed):
    held_out = PERSONAS[0].needs[0].need
    fewer = [cell for cell in CELLS if cell != (PERSONAS[0], held_out)]
    scenario, full = draw_scenario(fewer, seed=seed), draw_scenario(CELLS, seed=seed)
    assert (scenario.persona, scenario.need) in fewer
    assert scenario.persona == full.persona
    assert scenario.need == full.need or scenario.persona == PERSONAS[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_turns_are_the_protocols_where_none_are_asked_for(name):
    protocol = load_protocol(name)
    start = Scenario(persona=MAREK, need=NEED, protocol=protocol)
    assert start.max_turns == protocol.max_turns
    row = {"persona": "laid-off-engineer", "need": NEED, "protocol": name}
    assert Scenario.from_row(row) == start
    assert Scenario.from_row({**row, "max_turns": 3}).max_turns == 3
    assert start.to_row()["protocol"] == name


@settings(max_examples=15)
@given(st.integers(0, 2**63 - 1), st.sampled_from(list(REPORTED.values())))
def test_scenarios_of_the_published_protocols_round_trip_through_json(seed, protocol):
    for kept in (protocol, replace(protocol, start=35.0)):
        scenario = draw_scenario(CELLS, seed=seed, protocol=kept)
        assert Scenario.from_row(through_json(scenario.to_row())) == scenario
        assert Scenario.from_row(through_json(scenario.to_record())) == scenario


def test_law_and_persona_are_given_where_there_are_some():
    scenario = Scenario(persona=MAREK, need=NEED)
    assert scenario.law is scenario.protocol
    assert scenario.written is MAREK
    reported = replace(scenario, protocol=REPORTED["sage-2025"])
    with pytest.raises(InvalidArgument, match="has no law"):
        _ = reported.law


CAST = load_cast("peer-support-circle")
CAST_NEEDS = tuple(member.persona.needs[0].need for member in CAST.people)


@settings(max_examples=25)
@given(st.integers(0, 2**63 - 1), st.integers(1, 1000), st.integers(0, 9))
def test_scenarios_of_casts_round_trip_through_json(seed, max_turns, member):
    scenario = draw_cast([CAST], seed=seed, max_turns=max_turns, member=member)
    assert Scenario.from_row(through_json(scenario.to_row())) == scenario
    assert Scenario.from_row(through_json(scenario.to_record())) == scenario


def test_a_row_names_a_bundled_cast_and_a_record_holds_everything():
    scenario = Scenario(cast=CAST, needs=CAST_NEEDS)
    assert scenario.to_row()["cast"] == CAST.id
    assert scenario.to_record()["cast"] == CAST.to_data()
    own = Cast.parse({**CAST.to_data(), "turns": "free"})
    row = Scenario(cast=own, needs=CAST_NEEDS).to_row()
    assert row["cast"]["turns"] == "free"
    assert Scenario.from_row(through_json(row)).cast == own


def test_the_people_of_a_cast_stand_by_seat_and_the_first_for_the_persona():
    scenario = Scenario(cast=CAST, needs=CAST_NEEDS)
    assert [(person.id, need) for person, need in scenario.people] == [
        *zip(CAST.ids, CAST_NEEDS, strict=True)
    ]
    assert (scenario.persona, scenario.need) == scenario.people[0]
    assert scenario.episode_id.startswith(f"{CAST.id}/{'+'.join(CAST_NEEDS)}/")


def test_draws_are_keyed_by_the_person_and_not_by_the_seat():
    scenario = Scenario(cast=CAST, needs=CAST_NEEDS)
    turned = Cast.parse({**CAST.to_data(), "people": CAST.to_data()["people"][::-1]})
    other = Scenario(cast=turned, needs=CAST_NEEDS[::-1])
    seats = range(len(CAST.people))
    assert sorted(map(scenario.rank, seats)) == [*seats]
    assert [scenario.rank(seat) for seat in seats] == [other.rank(seat) for seat in reversed(seats)]
    assert Scenario(persona=MAREK, need=NEED).rank(0) == 0


@settings(max_examples=25)
@given(st.integers(0, 2**63 - 1))
def test_the_needs_of_a_cast_are_drawn_for_each_of_the_people(seed):
    drawn = draw_cast([CAST], seed=seed)
    turned = Cast.parse({**CAST.to_data(), "people": CAST.to_data()["people"][::-1]})
    assert draw_cast([turned], seed=seed).needs == drawn.needs[::-1]


def test_casts_and_needs_are_all_drawn():
    casts = [CAST, load_cast("couple-after-quarrel")]
    drawn = [draw_cast(casts, seed=seed) for seed in range(200)]
    assert {one.cast.id for one in drawn} == {cast.id for cast in casts}
    of_one = [one.needs for one in drawn if one.cast == CAST]
    for seat, member in enumerate(CAST.people):
        assert {needs[seat] for needs in of_one} == {v.need for v in member.persona.needs}
    pairs = {needs[:2] for needs in of_one}
    assert len(pairs) == len(CAST.people[0].persona.needs) * len(CAST.people[1].persona.needs)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"cast": CAST}, r"needs=\(\)"),
        ({"cast": CAST, "needs": CAST_NEEDS[:2]}, "each of them a need"),
        ({"cast": CAST, "needs": (*CAST_NEEDS[:3], "attention")}, "attention"),
        ({"cast": CAST, "needs": CAST_NEEDS, "persona": MAREK}, "give one of them"),
        ({"persona": MAREK, "need": NEED, "needs": CAST_NEEDS}, "give one pair"),
        ({"persona": MAREK}, "give one pair"),
        ({"cast": CAST, "needs": CAST_NEEDS, "protocol": REPORTED["sage-2025"]}, "appraisal-v1"),
    ],
)
def test_a_cast_and_a_persona_do_not_mix(fields, says):
    with pytest.raises(InvalidArgument, match=says):
        Scenario(**fields)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"needs": None}, "needs"),
        ({"cast": "peer-suport-circle"}, "Did you mean 'peer-support-circle'"),
        ({"cast": {"kind": "cast"}}, "people"),
        ({"cast": 3}, "cast"),
        ({"needs": ["attention"] * 4}, "attention"),
    ],
)
def test_a_bad_row_of_a_cast_is_refused(changes, says):
    row = {"cast": CAST.id, "needs": [*CAST_NEEDS], **changes}
    with pytest.raises(InvalidArgument, match=says):
        Scenario.from_row({name: value for name, value in row.items() if value is not None})
