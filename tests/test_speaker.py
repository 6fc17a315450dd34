"""The template speaker answers what was said, in the persona's voice.

tests/test_speaker_bank.py is about its lines: none comes twice, and the banks are complete.
"""

from __future__ import annotations

from typing import ClassVar

import pytest
from moments import KIT, MAREK, REGISTERS, both, holds, piece, speeches

from empathy_env import Scenario, Task, load_agent, play
from empathy_env.acts import ABOUTS, HARMFUL
from empathy_env.appraiser import RuleAppraiser
from empathy_env.errors import UnknownName
from empathy_env.persona import Lines
from empathy_env.speaker import TemplateSpeaker, phrases

BOX = MAREK.facts[0]
QUESTION = piece("open_question")
LANDS = {"change": 6.0, "emotion": 50.0}
"""How a turn is felt that does good."""


class TestAnswers:
    """Who is asked something answers that."""

    def test_asked_about_what_was_told_they_say_more_of_it(self):
        asked = piece("open_question", topic="box")
        assert all(holds(s, BOX.more) for s in speeches(asked, more=BOX.more))

    def test_what_was_touched_is_gone_into_when_the_question_is_about_nothing(self):
        asked = piece("restatement", topic="box"), QUESTION
        assert all(holds(s, BOX.more) for s in speeches(*asked, more=BOX.more))

    @both
    def test_with_nothing_to_add_they_say_so(self, bank):
        asked = piece("open_question", topic="box")
        lines = phrases("told_all", "plain", bank)
        assert all(holds(s, lines) for s in speeches(asked, bank=bank))
        spoken = frozenset(BOX.more)
        assert all(
            holds(s, lines) for s in speeches(asked, bank=bank, more=BOX.more, spoken=spoken)
        )

    @both
    @pytest.mark.parametrize("act", ["open_question", "closed_question"])
    def test_asked_about_what_they_do_not_tell_yet_they_say_not_yet(self, bank, act):
        lines = phrases("not_yet", "plain", bank)
        assert all(holds(s, lines) for s in speeches(piece(act, topic="wife"), bank=bank))

    def test_not_yet_is_said_in_a_talk_and_tells_nothing(self):
        task = Task(persona=MAREK)
        lines = phrases("not_yet", "plain")
        found = []
        for seed in range(12):
            episode = task.open(scenario=Scenario(persona=MAREK, need="absolution", seed=seed))
            episode.say("What about Ines, your wife?")
            found.append(episode.trace.turns[0].answers[0])
        answered = [a for a in found if a.manner in ("guarded", "opens_up")]
        assert len(answered) > 8
        for answer in answered:
            assert any(line in answer.reply for line in lines)
            assert answer.told == ()

    @both
    @pytest.mark.parametrize("about", ABOUTS)
    def test_an_untopical_question_gets_an_answer_of_their_own_by_what_it_is_about(
        self, bank, about
    ):
        own = getattr(MAREK.voice.answers, about)
        asked = piece("open_question", about)
        assert all(holds(s, own) for s in speeches(asked, bank=bank))
        lines = phrases(f"asked_{about}", "plain", bank)
        assert not any(holds(s, lines) for s in speeches(asked, bank=bank))
        spent = speeches(asked, bank=bank, spoken=frozenset(own))
        assert all(holds(s, lines) for s in spent)

    @both
    def test_a_question_for_yes_or_no_gets_no_answer_to_another(self, bank):
        said = speeches(piece("closed_question", "own_feeling"), bank=bank)
        assert all(holds(s, phrases("closed", "plain", bank)) for s in said)

    def test_the_last_of_several_questions_is_answered(self):
        asked = piece("open_question", "plan"), piece("open_question", "own_feeling")
        assert all(holds(s, MAREK.voice.answers.own_feeling) for s in speeches(*asked))

    @both
    @pytest.mark.parametrize("register", REGISTERS)
    @pytest.mark.parametrize(
        "heard",
        [
            "Are you thinking of hurting yourself?",
            "Have you thought about suicide?",
            "Do you think of ending your life?",
        ],
    )
    def test_a_question_after_their_safety_gets_a_plain_answer(self, bank, register, heard):
        asked = piece("closed_question", topic="wife")
        said = speeches(asked, heard=heard, persona=REGISTERS[register], bank=bank)
        assert all(holds(s, phrases("unharmed", register, bank)) for s in said)

    def test_asked_to_go_on_with_what_was_just_named_they_do_not_refuse_to(self):
        asked = piece("reflection", topic="wife"), piece("open_question", topic="wife")
        said = speeches(*asked, change=-1.0)
        assert all(holds(s, MAREK.voice.answers.situation) for s in said)
        assert not any(holds(s, phrases("not_yet", "plain")) for s in said)

    def test_what_is_told_is_told_in_their_words(self):
        fact = MAREK.needs[0].facts[0]
        for said in speeches(QUESTION, disclosed=(fact.says,)):
            assert said.manner == "tells"
            assert fact.says in said.text

    def test_what_is_told_in_a_talk_is_said_in_it(self):
        says = {item.id: item.says for item in (*MAREK.facts, *MAREK.needs[0].facts)}
        says |= {item.id: item.says for item in (*MAREK.feelings, *MAREK.beliefs)}
        task, told = Task(persona=MAREK), 0
        for seed in range(8):
            episode = task.open(scenario=Scenario(persona=MAREK, need="absolution", seed=seed))
            for _ in range(4):
                episode.say("What happened?")
            for turn in episode.trace.turns:
                for name in turn.answers[0].told:
                    told += 1
                    assert says[name] in turn.answers[0].reply
        assert told > 8


class TestTaken:
    """Who is not asked says how it was taken."""

    @both
    @pytest.mark.parametrize(
        ("act", "well", "badly"),
        [
            ("suggestion", "advised", "overadvised"),
            ("information", "informed", "overinformed"),
            ("challenge", "reframed", "unreframed"),
            ("interpretation", "reframed", "unreframed"),
            ("affirmation", "praised", "overpraised"),
            ("reassurance", "comforted", "uncomforted"),
        ],
    )
    def test_what_fits_is_taken_well_and_what_does_not_is_not(self, bank, act, well, badly):
        good, bad = (phrases(name, "plain", bank) for name in (well, badly))
        landed = speeches(piece(act), bank=bank, **LANDS)
        assert all(holds(s, good) and not holds(s, bad) for s in landed)
        missed = speeches(piece(act), bank=bank, change=-1.0)
        assert all(holds(s, bad) and not holds(s, good) for s in missed)

    @both
    @pytest.mark.parametrize(
        ("act", "name"),
        [
            ("reflection", "named"),
            ("restatement", "followed"),
            ("validation", "validated"),
            ("self_disclosure", "shared"),
        ],
    )
    def test_what_was_said_back_is_recognised_when_it_does_good(self, bank, act, name):
        lines = phrases(name, "plain", bank)
        assert all(holds(s, lines) for s in speeches(piece(act), bank=bank, change=1.0))

    @both
    @pytest.mark.parametrize(
        ("act", "name"), [("reflection", "named"), ("restatement", "followed")]
    )
    def test_what_was_not_said_is_not_recognised(self, bank, act, name):
        lines = phrases(name, "plain", bank)
        loose = speeches(piece(act, grounded=False), bank=bank, change=1.0)
        assert not any(holds(s, lines) for s in loose)

    @both
    @pytest.mark.parametrize("act", ["reflection", "validation"])
    @pytest.mark.parametrize("change", [-1.0, 1.0, 6.0])
    def test_a_feeling_that_is_not_theirs_is_put_right(self, bank, act, change):
        right = {"reflection": "named", "validation": "validated"}[act]
        said = speeches(piece(act, intensity=0.75), bank=bank, change=change)
        assert all(holds(s, phrases("misnamed", "plain", bank)) for s in said)
        assert not any(holds(s, phrases(right, "plain", bank)) for s in said)

    @both
    @pytest.mark.parametrize("act", ["reflection", "restatement", "validation", "self_disclosure"])
    def test_what_was_said_back_in_vain_is_passed_over(self, bank, act):
        lines = [
            line
            for name in ("named", "misnamed", "followed", "validated", "shared")
            for line in phrases(name, "plain", bank)
        ]
        assert not any(holds(s, lines) for s in speeches(piece(act), bank=bank, change=-1.0))

    @both
    @pytest.mark.parametrize("act", ["suggestion", "affirmation", "challenge"])
    def test_help_that_eases_a_little_is_neither_praised_nor_refused(self, bank, act):
        own = MAREK.voice.lines.guarded
        assert all(set(s.used) <= {*own} for s in speeches(piece(act), bank=bank, change=3.0))

    @both
    @pytest.mark.parametrize(
        ("act", "badly"), [("suggestion", "overadvised"), ("information", "overinformed")]
    )
    def test_advice_that_hurts_is_answered_as_advice(self, bank, act, badly):
        said = speeches(piece(act), bank=bank, change=-4.0)
        lines, own = phrases(badly, "plain", bank), MAREK.voice.lines.hurt
        assert {s.manner for s in said} == {"hurt"}
        assert all(set(s.used) <= {*lines, *own} for s in said)
        assert sum(holds(s, lines) for s in said) > len(said) / 3

    def test_unwanted_advice_in_a_talk_is_answered_as_advice(self):
        episodes = [Task(persona=MAREK).open(seed=seed) for seed in range(12)]
        for episode in episodes:
            episode.say("You should write a list.")
        replies = [e.utterance for e in episodes]
        lines = phrases("overadvised", "plain")
        assert sum(any(line in reply for line in lines) for reply in replies) > 3

    @both
    @pytest.mark.parametrize("act", HARMFUL)
    def test_each_harm_is_answered_as_such(self, bank, act):
        said = speeches(piece(act), bank=bank, change=-8.0, emotion=30.0)
        lines, own = phrases(f"to_{act}", "plain", bank), MAREK.voice.lines.hurt
        assert {s.manner for s in said} == {"hurt"}
        assert all(set(s.used) <= {*lines, *own} for s in said)
        assert sum(holds(s, lines) for s in said) > len(said) / 3
        assert any(holds(s, own) for s in said)

    @both
    def test_to_silence_something_small_is_said(self, bank):
        lines = phrases("silence", "plain", bank)
        assert all(holds(s, lines) for s in speeches(heard="  ", bank=bank))
        assert not any(holds(s, lines) for s in speeches(heard="Lamp.", bank=bank))

    def test_what_was_touched_comes_up_again_without_a_question(self):
        said = speeches(piece("restatement", topic="box"), more=BOX.more, **LANDS)
        assert sum(holds(s, BOX.more) for s in said) > len(said) / 3


class TestManner:
    def test_whoever_resists_deflects_and_answers_nothing(self):
        for said in speeches(QUESTION, resisting=True, more=BOX.more):
            assert said.manner == "deflects"
            assert said.text in MAREK.voice.lines.deflects

    @pytest.mark.parametrize("persona", REGISTERS.values(), ids=REGISTERS)
    def test_whoever_leaves_says_so_in_character(self, persona):
        for said in speeches(piece("abandonment"), persona=persona, outcome="left", change=-9.0):
            assert said.manner == "leaves"
            assert said.text in persona.voice.lines.leaves

    def test_a_talk_ends_with_a_word_of_leaving(self):
        for seed in range(6):
            episode = Task(persona=KIT).open(seed=seed)
            episode.say("I have to go now. Goodbye.")
            assert episode.outcome == "left"
            assert episode.utterance in KIT.voice.lines.leaves

    def test_success_ends_relieved_and_still_tells(self):
        own = frozenset({"box", "report"})
        told = MAREK.facts[1].says
        for known, lines in (
            (frozenset({"box"}), MAREK.voice.lines.relieved),
            (own, MAREK.needs[0].lines.relieved),
        ):
            for said in speeches(outcome="success", told=known, disclosed=(told,), **LANDS):
                assert said.manner == "relieved"
                assert said.text.startswith(told)
                assert said.text.endswith(lines)

    def test_a_talk_that_succeeds_ends_relieved(self):
        task, oracle = Task(persona=MAREK, difficulty="gentle"), load_agent("oracle")
        traces = [play(task, oracle, task.scenario(seed)) for seed in range(3)]
        won = [trace for trace in traces if trace.outcome == "success"]
        assert won
        for trace in won:
            own = trace.scenario.variant.lines.relieved
            last = trace.turns[-1].answers[0]
            assert last.manner == "relieved"
            assert last.reply.endswith((*own, *MAREK.voice.lines.relieved))

    def test_success_tells_no_new_grief_in_a_talk(self):
        task, oracle = Task(persona=MAREK, difficulty="gentle"), load_agent("oracle")
        traces = [play(task, oracle, task.scenario(seed)) for seed in range(3)]
        assert all(t.turns[-1].answers[0].told == () for t in traces if t.outcome == "success")

    def test_whoever_trusts_does_not_say_it_guardedly(self):
        for trust, lines in ((0.59, "guarded"), (0.6, "opens_up")):
            own = getattr(MAREK.voice.lines, lines)
            assert all(holds(s, own) for s in speeches(trust=trust))

    def test_whoever_is_well_and_feels_better_says_so(self):
        lines = (*MAREK.voice.lines.relieved, *MAREK.needs[0].lines.relieved)
        assert all(holds(s, lines) for s in speeches(change=3.0, emotion=80.0))
        assert not any(holds(s, lines) for s in speeches(change=3.0, emotion=60.0))


def test_who_texts_sends_one_thing_at_a_time():
    for persona, between in ((KIT, "\n"), (MAREK, " "), (REGISTERS["formal"], " ")):
        several = [s for s in speeches(QUESTION, persona=persona, trust=0.9) if len(s.used) > 1]
        assert several
        assert all(between.join(s.used) == s.text for s in several)


class TestLength:
    @staticmethod
    def words(verbosity, **given):
        voice = MAREK.voice.model_copy(update={"verbosity": verbosity})
        persona = MAREK.model_copy(update={"voice": voice})
        said = speeches(QUESTION, persona=persona, seeds=range(200), **given)
        return sum(len(s.text.split()) for s in said)

    @pytest.mark.parametrize("verbosity", ["terse", "medium", "talkative"])
    def test_a_low_mood_means_fewer_words(self, verbosity):
        low, well = (self.words(verbosity, emotion=emotion) for emotion in (15.0, 45.0))
        assert low < 0.95 * well

    def test_a_low_mood_means_fewer_lines(self):
        low, well = (
            sum(len(s.used) for s in speeches(QUESTION, emotion=emotion, seeds=range(200)))
            for emotion in (15.0, 45.0)
        )
        assert low < well

    def test_terse_people_say_less(self):
        assert self.words("terse") < self.words("medium") < self.words("talkative")

    def test_who_trusts_says_more(self):
        assert self.words("medium", trust=0.0) < self.words("medium", trust=0.9)


class TestOrder:
    """The person's own lines come before the bank's."""

    GIVEN: ClassVar = {
        "opens_up": {"change": 6.0},
        "guarded": {},
        "deflects": {"resisting": True},
        "hurt": {"change": -5.0},
        "relieved": {"change": 6.0, "emotion": 80.0},
        "leaves": {"outcome": "left"},
    }

    def test_every_situation_is_tried(self):
        assert set(self.GIVEN) == set(Lines.model_fields)

    @both
    @pytest.mark.parametrize("name", GIVEN)
    def test_their_own_lines_first_and_then_the_banks(self, bank, name):
        given = self.GIVEN[name]
        own = set(getattr(MAREK.voice.lines, name))
        assert own
        assert {s.used[0] for s in speeches(bank=bank, **given)} == own
        found = {s.used[0] for s in speeches(bank=bank, spoken=frozenset(own), **given)}
        assert found <= set(phrases(name, "plain", bank))
        assert len(found) > 1

    def test_a_variants_lines_come_once_one_of_its_facts_was_told(self):
        variant = set(MAREK.needs[0].lines.opens_up)
        before = {s.used[0] for s in speeches(change=6.0)}
        after = {s.used[0] for s in speeches(change=6.0, told=frozenset({"box", "report"}))}
        assert before.isdisjoint(variant)
        assert after == variant
        other = speeches(change=6.0, told=frozenset({"box", "report"}), need=1)
        assert variant.isdisjoint(s.used[0] for s in other)


@pytest.mark.parametrize(
    ("made", "name", "right"),
    [
        (TemplateSpeaker, "template", "templates"),
        (TemplateSpeaker, "templates-c", "templates"),
        (RuleAppraiser, "rule-b", "rules-b"),
    ],
)
def test_an_unknown_speaker_or_reader_is_refused_with_the_right_name(made, name, right):
    with pytest.raises(UnknownName, match=f"{name}.*Did you mean '{right}"):
        made(name)
