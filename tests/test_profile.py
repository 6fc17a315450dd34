import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reported import MAREK, PROFILES, RLVER, SAGE, TOM

from empathy_env.acts import NEEDS
from empathy_env.errors import InvalidArgument, InvalidPersona, UnknownName
from empathy_env.library import load_personas
from empathy_env.persona import Persona
from empathy_env.profile import HOPED, Profile, need_of, portrait, read_profiles
from empathy_env.scenario import Scenario

GOOD = {"id": "a-1", "player": "Somebody.", "scene": "Something.", "task": "praise"}


def written(folder, *rows, name="people.jsonl"):
    """Write rows, or raw lines, as a file of profiles."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def report(path):
    """The problems of a file, one a line, without its folder."""
    with pytest.raises(InvalidPersona) as error:
        read_profiles(path)
    return [str(p).replace(f"{path.parent}/", "") for p in error.value.problems]


def test_a_file_gives_its_people_by_id_in_its_order():
    people = read_profiles(PROFILES)
    assert next(iter(people)) == "zh-allotment-01"
    assert len(people) == 5
    assert {person.need for person in people.values()} == {
        "attentive_listening",
        "others_motives",
        "concrete_advice",
        "absolution",
        "specific_praise",
    }
    assert people["en-ferry-04"].opening == "They say it's closed. It isn't closed."


@pytest.mark.parametrize("field", ["topic", "first_talk", "main_cha", "cha_group"])
def test_what_is_often_absent_from_the_published_files_may_be_absent(field, tmp_path):
    row = {name: value for name, value in TOM.to_data().items() if name not in (field, "need")}
    read = read_profiles(written(tmp_path, row))[TOM.id]
    assert getattr(read, field) in ("", ())
    assert read.need == TOM.need


def test_other_fields_are_passed_over(tmp_path):
    path = written(tmp_path, {**GOOD, "emo_point": 40, "target": "eq"})
    assert read_profiles(path)["a-1"].need == "specific_praise"


def test_line_breaks_of_another_kind_within_a_text_end_no_line(tmp_path):
    path = written(tmp_path, {**GOOD, "scene": "One.\u2028Two.\x85Three."})
    assert read_profiles(path)["a-1"].scene == "One.\u2028Two.\x85Three."


def test_everything_that_is_wrong_stands_in_one_report_with_file_and_line(tmp_path):
    lacking = {name: GOOD[name] for name in ("id", "player")}
    path = written(
        tmp_path,
        GOOD,
        "{oops",
        {**GOOD, "id": "b-2", "task": "world peace"},
        "",
        lacking,
        {**GOOD, "scene": 3, "cha_group": "sad", "id": "two words"},
        GOOD,
        "[]",
        {**GOOD, "id": "c", "player": "  ", "scene": "x" * 20_001},
    )
    found = report(path)
    assert [line.split(":")[1] for line in found] == list("23556667899")
    assert "people.jsonl:2:1: is no JSON" in found[0]
    assert "task: the hidden intention 'world peace' is none of the eight needs" in found[1]
    assert all(need in found[1] for need in NEEDS), "an unknown task names what is known"
    assert "scene: is missing" in found[2]
    assert "task: is missing" in found[3]
    assert "scene: must be text, got int" in found[4]
    assert "cha_group: must be a list of words" in found[5]
    assert "id: 'two words'" in found[6]
    assert "id: 'a-1' is also the id of an earlier line" in found[7]
    assert "an object" in found[8]
    assert "player: is empty" in found[9]
    assert "scene: is longer than" in found[10]


def test_half_a_character_and_bad_bytes_are_problems_of_their_line(tmp_path):
    row = json.dumps({**GOOD, "player": "x\ud83d"})
    assert "player: holds half of a character" in report(written(tmp_path, row))[0]
    path = tmp_path / "bytes.jsonl"
    path.write_bytes(b'{"id": "\xff"}\n')
    assert report(path)[0].startswith("bytes.jsonl:1:1: is no JSON: 'utf-8' codec")
    deep = written(tmp_path, "[" * 100_000)
    assert "is no JSON" in report(deep)[0]


def test_a_file_without_people_and_one_that_is_not_there_are_problems(tmp_path):
    assert report(written(tmp_path, "")) == ["people.jsonl: holds no profile."]
    assert "cannot be read" in report(tmp_path / "none.jsonl")[0]


@pytest.mark.parametrize(
    ("task", "need"),
    [
        ("想找个人好好倾听我的心事", "attentive_listening"),
        ("希望得到真正的共情", "deep_empathy"),
        ("觉得自己没有错", "absolution"),
        ("想被引导着反思自己", "guided_reflection"),
        ("想辩证地看这件事", "critical_analysis"),
        ("想知道他人为什么那样", "others_motives"),
        ("想要有用的建议", "concrete_advice"),
        ("想要真诚的夸奖", "specific_praise"),
        ("Somebody should just listen.", "attentive_listening"),
        ("Deep Empathy, no platitudes", "deep_empathy"),
        ("It is not my fault and I want to hear so", "absolution"),
        ("To be guided to self-reflection", "guided_reflection"),
        ("A critical look at the events", "critical_analysis"),
        ("Why the others did this", "others_motives"),
        ("Practical advice", "concrete_advice"),
        ("Sincere praise", "specific_praise"),
        *((need, need) for need in NEEDS),
    ],
)
def test_each_of_the_eight_intentions_is_recognised_in_both_languages(task, need):
    assert need_of(task) == need


@pytest.mark.parametrize("task", ["", "cake", "advice, and praise", "建议和夸奖"])
def test_an_intention_of_no_need_or_of_two_is_refused(task):
    with pytest.raises(UnknownName, match="hidden intention"):
        need_of(task)


@given(
    st.builds(
        Profile,
        id=st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True),
        player=st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip),
        scene=st.just("Something happened."),
        task=st.sampled_from(NEEDS),
        need=st.just("deep_empathy"),
        first_talk=st.text(st.characters(codec="utf-8")),
        cha_group=st.lists(st.text(st.characters(codec="utf-8"))).map(tuple),
    )
)
def test_profiles_round_trip_through_json(profile):
    profile = replace(profile, need=need_of(profile.task))
    assert Profile.parse(json.loads(json.dumps(profile.to_data()))) == profile


def test_a_need_that_the_task_does_not_ask_for_is_refused():
    with pytest.raises(InvalidPersona, match="the task asks for 'absolution'"):
        Profile.parse({**TOM.to_data(), "need": "deep_empathy"})
    with pytest.raises(UnknownName, match="need of en-ferry-04"):
        TOM.variant("deep_empathy")


class TestPortrait:
    def test_a_profile_is_taken_as_it_is(self):
        assert portrait(TOM, TOM.need) == (TOM.player, TOM.scene, TOM.task)

    @pytest.mark.parametrize("persona", load_personas().values(), ids=lambda p: p.id)
    def test_a_personas_prose_is_in_its_portrait(self, persona):
        for variant in persona.needs:
            player, background, hidden = portrait(persona, variant.need)
            identity = persona.identity
            for told in (identity.name, identity.occupation, identity.background.strip()):
                assert told in player
            assert str(identity.age) in player
            assert persona.voice.manner.strip() in player
            assert persona.happened.strip() in background
            for fact in (*persona.facts, *variant.facts):
                assert fact.text in background
            for feeling in persona.feelings:
                assert feeling.text in background
            for belief in persona.beliefs:
                assert belief.believes in background
                assert belief.truth in background
            for reaction in persona.reactions:
                assert reaction.because in background
            assert HOPED[variant.need] in hidden
            assert variant.because in hidden
            assert variant.met_when in hidden

    def test_what_only_another_need_tells_is_kept_out(self):
        one, other = MAREK.needs[:2]
        assert set(one.facts).isdisjoint(other.facts)
        background = portrait(MAREK, one.need).background
        assert not [fact for fact in other.facts if fact.text in background]

    def test_temperament_shows(self):
        calm = Persona.parse({**MAREK.to_data(), "temperament": {"patience": 0.9}})
        hot = Persona.parse({**MAREK.to_data(), "temperament": {"patience": 0.1}})
        need = MAREK.needs[0].need
        assert portrait(calm, need).player != portrait(hot, need).player


class TestScenario:
    def test_a_profile_stands_in_full_in_a_row_and_comes_back(self):
        for protocol in (SAGE, RLVER, replace(RLVER, name="own", clamp=None)):
            scenario = Scenario(persona=TOM, need=TOM.need, protocol=protocol)
            for row in (scenario.to_row(), scenario.to_record()):
                assert Scenario.from_row(json.loads(json.dumps(row))) == scenario
                assert row["persona"]["player"] == TOM.player

    def test_under_a_law_a_profile_is_refused(self):
        with pytest.raises(InvalidArgument, match=r"prose only.*sage-2025, rlver-2025"):
            Scenario(persona=TOM, need=TOM.need)

    def test_a_profile_without_an_opening_is_refused_with_the_way_out(self):
        silent = replace(TOM, first_talk="")
        with pytest.raises(InvalidArgument, match=r"first_talk.*opened"):
            Scenario(persona=silent, need=silent.need, protocol=SAGE)

    def test_it_has_no_persona_to_give(self):
        scenario = Scenario(persona=TOM, need=TOM.need, protocol=SAGE)
        with pytest.raises(InvalidArgument, match="prose only"):
            _ = scenario.written
        assert scenario.variant.facts == ()
