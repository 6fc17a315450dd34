"""Casts as files and as values: what is good, and that nothing that is bad gets through."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from empathy_env import Task
from empathy_env.cast import (
    CAST_FILE,
    MOST_PEOPLE,
    Cast,
    cast_names,
    casts_dir,
    in_company,
    load_cast,
    read_cast,
    read_room,
)
from empathy_env.errors import InvalidArgument, InvalidPersona, UnknownName
from empathy_env.library import load_persona, persona_names, read_persona
from empathy_env.profile import portrait

BAKERS = Path(__file__).with_name("two-bakers")
CAST = load_cast(BAKERS / CAST_FILE)
FILE = (BAKERS / CAST_FILE).read_text("utf-8")


def written(folder, *edits, text=FILE):
    """Write the bakers with edits, each an old and a new text of the cast, into a folder."""
    shutil.copytree(BAKERS, folder, dirs_exist_ok=True)
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    path = folder / CAST_FILE
    path.write_text(text, encoding="utf-8")
    return path


def said(path):
    """Return the problems of a cast, one a line, without their folder."""
    with pytest.raises(InvalidPersona) as error:
        read_cast(path)
    return [str(problem).replace(f"{path.parent}/", "") for problem in error.value.problems]


def line_of(text, number=0):
    """Return the line on which a text stands in the file of the bakers for the n-th time."""
    return [n for n, line in enumerate(FILE.splitlines(), 1) if text in line][number]


class TestTheBakers:
    def test_they_are_addressed_by_their_first_names(self):
        assert CAST.names == ("Orla", "Pavel")

    def test_how_they_stand_to_each_other(self):
        assert CAST.toward(0, 1).tension == 0.4
        assert CAST.toward(1, 0).knows[0].fact == "coat"
        data = CAST.to_data()
        data["people"][0]["toward"] = []
        alone = Cast.parse(data)
        assert alone.toward(0, 1).relation == "somebody they hardly know"

    def test_their_ranks_stay_with_them_wherever_they_sit(self):
        data = CAST.to_data()
        swapped = Cast.parse(data | {"people": data["people"][::-1]})
        assert (CAST.ranks, swapped.ranks) == ((0, 1), (1, 0))

    def test_they_round_trip_through_json(self):
        assert Cast.parse(CAST.to_data()) == CAST

    def test_a_cast_is_a_value(self):
        with pytest.raises(ValidationError):
            CAST.turns = "free"
        assert load_cast(CAST) is CAST


def test_the_people_of_bundled_casts_are_no_bundled_personas():
    people = {member.persona.id for name in cast_names() for member in load_cast(name).people}
    assert people.isdisjoint(persona_names())
    assert {path.stem for path in casts_dir().parent.glob("*.yaml")} == set(persona_names())


@pytest.mark.parametrize("name", cast_names())
def test_each_bundled_cast_loads_under_its_own_name(name):
    cast = load_cast(name)
    assert cast.id == name
    assert Cast.parse(cast.to_data()) == cast


BAD = {
    "misspelt key": (
        ("turns: addressed-next", "turn: addressed-next"),
        ["7:1: turn: there is no field 'turn' here. Did you mean 'turns'?"],
    ),
    "unknown rule of turns": (
        ("turns: addressed-next", "turns: adressed-next"),
        ["7:8: turns: 'adressed-next' is not known here. Did you mean 'addressed-next'?"],
    ),
    "a number out of range": (
        ("tension: 0.4", "tension: 4"),
        [
            f"{line_of('tension')}:18: people.0.toward.0.tension: must be a number from 0 to 1 (got 4)."
        ],
    ),
    "somebody who is not there": (
        ("who: bakers-pavel", "who: bakers-paul"),
        [
            f"{line_of('bakers-pavel')}:14: people.0.toward.0.who: 'bakers-paul' is none of the "
            "others. Did you mean 'bakers-pavel'?"
        ],
    ),
    "toward oneself": (
        ("who: bakers-pavel", "who: bakers-orla"),
        [
            f"{line_of('bakers-pavel')}:14: people.0.toward.0.who: 'bakers-orla' is the same "
            "person. Did you mean 'bakers-pavel'?"
        ],
    ),
    "two entries toward one": (
        (
            "  - persona: pavel.yaml",
            "      - {who: bakers-pavel, relation: a man}\n  - persona: pavel.yaml",
        ),
        ["24:15: people.0.toward.1.who: a second entry toward 'bakers-pavel'."],
    ),
    "a concern that is the other's": (
        ("concerns: [shutter]", "concerns: [oven]"),
        [
            f"{line_of('concerns')}:20: people.0.toward.0.concerns.0: 'oven' is no fact, feeling or "
            "belief of theirs. There are: key, shutter, shame, coat, queue."
        ],
    ),
    "a fact that nobody has": (
        ("fact: coat", "fact: coats"),
        [
            f"{line_of('fact: coat')}:19: people.1.toward.0.knows.0.fact: 'coats' is no fact, feeling or "
            "belief of theirs. Did you mean 'coat'?"
        ],
    ),
    "a persona that is missing": (
        ("persona: pavel.yaml", "persona: pavl.yaml"),
        [
            f"{line_of('pavel.yaml')}:14: people.1.persona: there is no file 'pavl.yaml'. "
            "Did you mean 'pavel.yaml'?"
        ],
    ),
    "a bundled persona that there is not": (
        ("persona: pavel.yaml", "persona: new-mothr"),
        [
            f"{line_of('pavel.yaml')}:14: people.1.persona: there is no bundled persona 'new-mothr'. "
            "Did you mean 'new-mother'?"
        ],
    ),
    "a path that is no .yaml": (
        ("persona: pavel.yaml", "persona: ../../etc/passwd"),
        [
            f"{line_of('pavel.yaml')}:14: people.1.persona: there is no bundled persona "
            "'../../etc/passwd'. A path must end in .yaml."
        ],
    ),
    "a persona that is no text": (
        ("persona: pavel.yaml", "persona: 3"),
        [
            f"{line_of('pavel.yaml')}:14: people.1.persona: must be the name of a bundled persona, or "
            "a path ending in .yaml (got 3). YAML reads a bare 3 as the number 3: put it in quotes, "
            '"3".'
        ],
    ),
    "a cast in a cast": (
        ("persona: pavel.yaml", "persona: cast.yaml"),
        ["1:7: kind: is a cast of several people, and no persona. Give it as cast=."],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_with_its_place_and_what_mends_it(name, tmp_path):
    edit, expected = BAD[name]
    assert said(written(tmp_path, edit)) == [f"{CAST_FILE}:{line}" for line in expected]


def test_two_people_never_share_a_file_or_a_first_name(tmp_path):
    path = written(tmp_path, ("persona: pavel.yaml", "persona: orla.yaml"))
    problems = read_room(path).problems
    assert [p.field for p in problems if p.rule == "duplicate-person"] == [
        ("people", 1, "persona")
    ] * 2
    pavel = tmp_path / "pavel.yaml"
    written(tmp_path)
    pavel.write_text(pavel.read_text("utf-8").replace("Pavel Hruby", "ORLA Hruby"), "utf-8")
    [line] = said(path)
    assert "a second first name 'orla'" in line


@pytest.mark.parametrize("name", ["' '", "'...'"])
def test_who_has_no_name_cannot_be_addressed(name, tmp_path):
    path = written(tmp_path)
    pavel = tmp_path / "pavel.yaml"
    pavel.write_text(pavel.read_text("utf-8").replace("Pavel Hruby", name), "utf-8")
    [line] = said(path)
    assert f"{line_of('pavel.yaml')}:14" in line
    assert "has no letter" in line


def test_all_files_are_read_before_anything_is_said(tmp_path):
    path = written(tmp_path, ("who: bakers-pavel", "who: nobody"), ("situation:", "sitting:"))
    orla = tmp_path / "orla.yaml"
    orla.write_text(orla.read_text("utf-8").replace("opening:", "openning:"), "utf-8")
    lines = said(path)
    assert [line.partition(":")[0] for line in lines] == [*[CAST_FILE] * 2, "orla.yaml"]
    assert "Did you mean 'opening'?" in lines[-1]
    assert "'nobody' is none of the others" in lines[1]


def test_what_two_people_inherit_from_a_broken_file_is_said_once(tmp_path):
    path = written(tmp_path)
    text = (tmp_path / "orla.yaml").read_text("utf-8").replace("opening:", "openning:")
    (tmp_path / "base.yaml").write_text(text, "utf-8")
    for name in ("orla", "pavel"):
        (tmp_path / f"{name}.yaml").write_text(f"id: bakers-{name}\nextends: base.yaml\n")
    lines = said(path)
    assert len([line for line in lines if line.startswith("base.yaml:13:1: openning")]) == 1
    assert len(lines) == len(set(lines))


def test_a_bundled_cast_has_the_name_of_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("empathy_env.cast.casts_dir", lambda: tmp_path)
    written(tmp_path / "three-bakers")
    with pytest.raises(InvalidPersona, match="names of a cast and its folder must agree"):
        load_cast("three-bakers")


def test_a_persona_that_cannot_be_read_leads_to_no_other_problem(tmp_path):
    path = written(tmp_path)
    (tmp_path / "orla.yaml").write_text("kind: [")
    assert {line.partition(":")[0] for line in said(path)} == {"orla.yaml"}


def test_people_may_be_bundled_or_lie_elsewhere_if_the_file_ends_in_yaml(tmp_path):
    path = written(
        tmp_path / "room",
        ("persona: pavel.yaml", "persona: ../pavel.yaml"),
        ("persona: orla.yaml", "persona: new-mother"),
        ("concerns: [shutter]", "concerns: []"),
        ("who: bakers-orla", "who: new-mother"),
        ("fact: coat", f"fact: {load_persona('new-mother').facts[1].id}"),
    )
    shutil.move(tmp_path / "room" / "pavel.yaml", tmp_path)
    assert [m.persona.id for m in load_cast(path).people] == ["new-mother", "bakers-pavel"]
    assert read_room(path).files == (None, tmp_path / "room" / ".." / "pavel.yaml")


def test_the_page_shows_the_bakers():
    page = (Path(__file__).parent.parent / "docs" / "casts.md").read_text("utf-8")
    assert f"```yaml\n# cast.yaml\n{FILE}```" in page


class TestTheWrongDoor:
    def test_a_cast_is_no_persona(self):
        with pytest.raises(InvalidPersona, match=r"is a cast of several people.*cast="):
            read_persona(BAKERS / CAST_FILE)
        with pytest.raises(InvalidArgument, match=r"a Cast goes to cast=$"):
            load_persona(CAST)

    @pytest.mark.skipif(not cast_names(), reason="no cast is bundled")
    def test_a_bundled_cast_is_no_persona(self):
        with pytest.raises(UnknownName, match=r"It is a cast: give it as cast="):
            load_persona(cast_names()[0])

    def test_a_persona_is_no_cast(self, tmp_path):
        heir = tmp_path / "heir.yaml"
        heir.write_text("id: heir\nextends: new-mother\n")
        for path in (BAKERS / "orla.yaml", heir):
            with pytest.raises(InvalidPersona, match=r"is one persona, and no cast.*persona="):
                load_cast(path)
        with pytest.raises(UnknownName, match=r"It is one persona: give it as persona="):
            load_cast("new-mother")
        with pytest.raises(InvalidArgument, match="persona="):
            load_cast(load_persona("new-mother"))

    def test_a_folder_is_told_from_the_file_in_it(self):
        with pytest.raises(UnknownName, match=r"It is a folder: give '.*cast\.yaml'"):
            load_cast(str(BAKERS))

    @pytest.mark.parametrize("value", [3, None, {"kind": "cast"}, [CAST]])
    def test_anything_else_is_refused(self, value):
        with pytest.raises(InvalidArgument, match="cast: expected a name, a path or a Cast"):
            load_cast(value)

    @pytest.mark.parametrize("given", [{"persona": "new-mother"}, {"personas": "all"}])
    def test_a_cast_and_people_of_ones_own_exclude_each_other(self, given):
        with pytest.raises(InvalidArgument, match=f"cast= and {next(iter(given))}=.*Circle-v0"):
            Task(cast="flatmates", **given)

    def test_what_is_neither_one_cast_nor_several_is_refused(self):
        with pytest.raises(InvalidArgument, match="cast: expected a name, a path or a Cast, got i"):
            Task(cast=3)

    def test_an_unknown_name_gets_the_nearest(self):
        with pytest.raises(UnknownName, match=r"A path must end in \.yaml"):
            load_cast("nobody-at-all")


def test_in_plain_data_no_more_people_are_looked_at_either():
    data = CAST.to_data()
    with pytest.raises(InvalidPersona, match="a list of 2 to 6 entries") as error:
        Cast.parse(data | {"people": data["people"] * 50})
    doubles = [p for p in error.value.problems if p.rule == "duplicate-person"]
    assert len(doubles) == 2 * (MOST_PEOPLE - 2)


def test_in_plain_data_each_persona_stands_in_full_and_what_is_wrong_with_it_is_said():
    data = CAST.to_data()
    data["people"][0]["persona"]["facts"][1]["gate"]["topic"] = ["keys"]
    data["people"][1]["persona"]["opening"] = 3
    with pytest.raises(InvalidPersona) as error:
        Cast.parse(data)
    assert {p.field for p in error.value.problems} == {
        ("people", 0, "persona", "facts", 1, "gate", "topic", 0),
        ("people", 1, "persona", "opening"),
    }


def test_a_cast_that_is_built_without_parsing_is_consistent_too():
    with pytest.raises(ValidationError, match="a second persona"):
        Cast(
            **{name: getattr(CAST, name) for name in Cast.model_fields}
            | {"people": (CAST.people[0],) * 2}
        )


HOSTILE = {
    "many people": FILE.partition("people:")[0] + "people:\n" + "  - persona: orla.yaml\n" * 9000,
    "many entries": FILE + "      - {who: x, relation: y}\n" * 8000,
    "many concerns": FILE.replace("[shutter]", f"[{'a, ' * 60_000}]"),
    "a long name": FILE.replace("persona: pavel.yaml", f"persona: {'a' * 100_000}.yaml"),
    "no path": FILE.replace("persona: pavel.yaml", 'persona: "a\\0.yaml"'),
    "itself, far away": FILE.replace("pavel.yaml", "../" * 60 + "a.yaml"),
    "deep": FILE + "[" * 100_000,
    "bomb": FILE + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 99)),
    "long": FILE + "#" * 300_000,
    "nothing": "",
    "a list": "- kind: cast",
    "binary": "\x00\x01",
    "people are one": FILE.partition("people:")[0] + "people: orla.yaml\n",
    "people are numbers": FILE.partition("people:")[0] + "people: [1, 2]\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_does_harm(name, tmp_path):
    with pytest.raises(InvalidPersona) as error:
        read_cast(written(tmp_path, text=HOSTILE[name]))
    assert len(str(error.value)) < 100_000
    assert len(error.value.problems) <= 101


def test_no_more_people_are_read_than_a_cast_may_have(tmp_path):
    room = read_room(written(tmp_path, text=HOSTILE["many people"]))
    assert len(room.files) == MOST_PEOPLE
    assert any("a list of 2 to 6 entries" in problem.message for problem in room.problems)


ODD = st.sampled_from([10**5000, -(10**5000), b"x", (), {1: 2}, {None: 3}, {1, 2}])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["cast", "None", "bakers-pavel", "orla.yaml", "key", "\ud801", "a\0.yaml"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "persona", "toward", "who", "knows", "fact", "identity", "name"])
            | st.text(max_size=4),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def places(value, path=()):
    """Yield the path of every value in plain data."""
    yield path
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in inner:
        yield from places(item, (*path, key))


def mutated(data, path, value):
    """Return data with another value at a path."""
    if not path:
        return value
    data = copy.deepcopy(data)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return data


DATA = CAST.to_data()
WRITTEN = yaml.safe_load(FILE)
PLACES = [
    p
    for p in places(DATA)
    if len(p) <= 3 or p[2] == "toward" or p[3] in ("id", "identity", "facts")
]


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES | ODD), min_size=1, max_size=3))
@example([(("kind",), 10**5000)])
def test_no_mapping_gives_anything_but_a_cast_or_its_problems(edits):
    data = DATA
    for path, value in edits:
        try:
            data = mutated(data, path, value)
        except (TypeError, KeyError, IndexError):
            continue  # an earlier edit took the place away
    assert refused(lambda: Cast.parse(data)) is None or data != DATA


def refused(load):
    """Return the problems for which something is refused, or None if it is a cast."""
    try:
        loaded = load()
    except InvalidPersona as error:
        problems = error.problems
    else:
        assert isinstance(loaded, Cast)
        return None
    assert problems
    return problems


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*places(WRITTEN)]), VALUES, st.integers(0, 400), st.booleans())
def test_no_file_gives_anything_but_a_cast_or_its_problems(tmp_path, path, value, cut, broken):
    text = yaml.safe_dump(mutated(WRITTEN, path, value), allow_unicode=True)
    file = written(tmp_path)
    raw = text.encode("utf-8", errors="surrogatepass")
    file.write_bytes(raw[: len(raw) - cut] if broken else raw)
    problems = refused(lambda: load_cast(file)) or ()
    assert all(problem.file.startswith(str(tmp_path)) for problem in problems)


def test_data_that_lie_in_each_other_without_end_are_refused():
    data = CAST.to_data()
    data["people"].append(data["people"])
    with pytest.raises(InvalidPersona, match="deep in each other"):
        Cast.parse(data)


class TestInCompany:
    CAST = load_cast("team-after-layoffs")

    def test_a_seat_is_told_what_its_person_knows_of_the_others(self):
        (seat, toward) = next(
            (seat, toward)
            for seat, member in enumerate(self.CAST.people)
            for toward in member.toward
            if toward.knows
        )
        needs = [member.persona.needs[0].need for member in self.CAST.people]
        other = self.CAST.people[self.CAST.ids.index(toward.who)].persona
        (text,) = (fact.text for fact in other.facts if fact.id == toward.knows[0].fact)
        assert text in in_company(self.CAST, seat, needs).happened

    def test_what_they_know_of_others_is_not_mixed_up_with_their_own_facts(self):
        needs = [member.persona.needs[0].need for member in self.CAST.people]
        for seat, member in enumerate(self.CAST.people):
            own = member.persona.happened.strip()
            told = portrait(in_company(self.CAST, seat, needs), needs[seat]).background
            assert told.index(member.persona.facts[0].text) == told.index(own) + len(own) + 1

    def test_and_nothing_that_only_another_need_would_tell(self):
        data = self.CAST.to_data()
        variant = data["people"][1]["persona"]["needs"][1]
        data["people"][0]["toward"] = [
            {
                **data["people"][0]["toward"][0],
                "who": data["people"][1]["persona"]["id"],
                "knows": [{"fact": variant["facts"][0]["id"]}],
            }
        ]
        cast = Cast.parse(data)
        others = [member.persona.needs[0].need for member in cast.people]
        text = variant["facts"][0]["text"]
        assert text not in in_company(cast, 0, others).happened
        others[1] = variant["need"]
        assert text in in_company(cast, 0, others).happened
