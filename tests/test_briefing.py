import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reported import BROKEN, MAREK, RLVER, SAGE, TOM, Model, played, reply, report, scenario

from empathy_env.backends import ScriptedBackend
from empathy_env.briefing import (
    LONGEST_REPLY,
    opened,
    prompts_digest,
    read_report,
    read_words,
    report_schema,
)
from empathy_env.drivers import run
from empathy_env.errors import UnparseableReply
from empathy_env.protocol import REPORTED
from empathy_env.reporting import ReportingUser, speaker_of

both = pytest.mark.parametrize("protocol", REPORTED.values(), ids=REPORTED)


class TestRequests:
    @both
    @pytest.mark.parametrize("person", [TOM, MAREK], ids=lambda person: person.id)
    def test_both_tell_who_is_played_and_what_they_hide(self, person, protocol):
        model = Model(0)
        played(model, scenario(person, protocol), turns=2)
        user = ReportingUser(scenario(person, protocol))
        for request in model.asked:
            system = request.messages[0]["content"]
            found = [json.loads(line) for line in system.splitlines() if line.startswith('{"')][:3]
            assert {**found[0], **found[1], **found[2]} == user.portrait._asdict()

    def test_the_whole_talk_is_in_the_report_and_apart_by_two_in_the_reply(self):
        model = Model(0)
        played(model, lines=("One.", "Two.", "Three."), turns=3)
        said = [TOM.opening, "One.", "Hm, 1.", "Two.", "Hm, 2.", "Three."]
        last_report, last_reply = model.asked[-2:]
        text = last_report.messages[1]["content"]
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        assert [next(iter(line.values())) for line in lines] == said
        assert [next(iter(line)) for line in lines] == ["person", "supporter"] * 3
        earlier, latest = last_reply.messages[1]["content"].split("The two latest lines")
        assert "Two." in earlier
        assert "Three." not in earlier
        assert "Three." in latest
        assert "Hm, 2." in latest

    def test_the_reply_is_told_the_state_after_the_turn_and_not_the_number(self):
        model = Model(-10, 5)
        played(model, turns=2)
        first, second = (request.messages[1]["content"] for request in model.of("reply"))
        assert "Your state now: C" in first
        assert "30" not in first
        assert "35" not in second
        answers = played(Model(10, 10, 10), turns=3).turns
        assert [turn.answers[0].manner for turn in answers] == ["B", "B", "A"]

    def test_the_reply_is_told_what_was_reported(self):
        model = Model(0)
        played(model, turns=1)
        text = model.of("reply")[0].messages[1]["content"]
        assert '{"fits": "in part"}\n{"inner": "so what"}\n{"feeling": "calmer"}' in text

    @both
    def test_the_range_of_the_change_is_in_the_prompt_and_in_the_schema(self, protocol):
        model = Model(0)
        played(model, scenario(protocol=protocol), turns=1)
        request = model.of("report")[0]
        assert "from -10 to 10" in request.messages[0]["content"]
        assert request.schema["properties"]["change"] == {
            "type": "integer",
            "minimum": -10,
            "maximum": 10,
        }
        loose = report_schema(replace(protocol, clamp=None))
        assert loose["properties"]["change"] == {"type": "integer"}

    def test_what_rlvers_simulator_is_told_beyond_sages(self):
        told = {}
        for protocol in (SAGE, RLVER):
            model = Model(0)
            played(model, scenario(protocol=protocol), turns=1)
            told[protocol.name] = [" ".join(r.messages[0]["content"].split()) for r in model.asked]
        (sage_report, sage_reply), (rlver_report, rlver_reply) = told.values()
        for line in ("unintelligible, broken", "in so many words", "At 0 they have had enough"):
            assert line in rlver_report
            assert line not in sage_report
        assert "Below 10 they have had enough" in sage_report
        assert "You may let it shine through" in sage_reply
        assert "You may let it shine through" not in rlver_reply
        assert "tell more of what happened instead" in rlver_reply

    def test_what_is_the_same_in_all_turns_comes_first(self):
        model = Model(0)
        played(model, turns=4)
        for purpose in ("report", "reply"):
            assert len({r.messages[0]["content"] for r in model.of(purpose)}) == 1
        texts = [r.messages[1]["content"].split("\nThe person's")[0] for r in model.of("report")]
        for shorter, longer in pairwise(texts):
            assert longer.startswith(shorter.rstrip())

    def test_another_prompt_gives_the_speaker_another_name(self):
        assert speaker_of(SAGE).name == f"reported:{prompts_digest(SAGE)}"
        assert speaker_of(SAGE).name != speaker_of(RLVER).name

    @settings(max_examples=50)
    @given(st.text(max_size=200))
    def test_what_the_agent_writes_stays_in_its_line(self, text):
        model = Model(1)
        talk = played(model, lines=(text,), turns=1)
        lines = model.of("report")[0].messages[1]["content"].split("\n")
        spoken = [json.loads(line) for line in lines if line.startswith("{")]
        assert spoken == [{"person": TOM.opening}, {"supporter": talk.turns[0].heard}]
        assert lines[-1] == "The person's emotion now: 40"


class TestReading:
    @pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
    def test_what_is_no_report_is_refused_and_nothing_is_fished_from_it(self, text):
        with pytest.raises(UnparseableReply):
            read_report(text)

    @pytest.mark.parametrize(
        "text", [report(-5), f"```json\n{report(-5)}\n```", f"Here:\n{report(-5.0)}\nI hope so."]
    )
    def test_what_stands_around_a_report_does_no_harm(self, text):
        assert read_report(text) == ("cares", "in part", "so what", "calmer", -5)

    def test_the_words_of_a_reply_are_made_safe_to_keep(self):
        assert read_words(reply(" So\x00. ")) == "So\ufffd."
        assert len(read_words(reply("x" * 9000))) == LONGEST_REPLY

    @pytest.mark.parametrize("text", [reply(""), reply(" \n"), reply(None), "Hm.", "{}"])
    def test_a_reply_without_words_is_refused(self, text):
        with pytest.raises(UnparseableReply):
            read_words(text)


class TestOpened:
    def test_a_profile_with_an_opening_asks_for_none(self):
        assert run(opened(TOM)) is TOM

    def test_one_without_gets_one_and_can_be_played_then(self):
        silent = replace(TOM, first_talk="")
        asked = []

        def model(request):
            asked.append(request)
            return json.dumps({"first_talk": " It broke on my watch. "})

        spoken = run(opened(silent), ScriptedBackend(model))
        assert spoken == replace(TOM, first_talk="It broke on my watch.")
        assert "Night ferry engineer" in asked[0].messages[0]["content"]
        assert played(Model(0), scenario(spoken), turns=1).turns

    def test_a_model_that_gives_none_is_a_fault(self):
        silent = replace(TOM, first_talk="")
        with pytest.raises(UnparseableReply):
            run(opened(silent), ScriptedBackend(lambda request: "Hello."))
