"""What the strategies draw is valid, covers what it should, and shrinks to what is short."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty

from empathy_env import Difficulty, Persona, Scenario, Task, load_personas, verify
from empathy_env.acts import ACTS
from empathy_env.appraiser import appraise_by_rules
from empathy_env.conversation import say
from empathy_env.drivers import run
from empathy_env.errors import Fault
from empathy_env.playability import unplayable
from empathy_env.testing import (
    Ill,
    Sickly,
    appraisals,
    backends,
    conversations,
    difficulties,
    moods,
    personas,
    scenarios,
    texts,
    traces,
    utterances,
)
from empathy_env.testing.talks import ENDINGS, ODD
from empathy_env.testing.wordings import WORDINGS, Filling
from empathy_env.trace import Trace

few = settings(max_examples=12)
TASK = Task(persona="laid-off-engineer", system_prompt=None)
SOME = list(load_personas().values())[::6]


START = Scenario(persona=load_personas()["after-the-bell"], need="deep_empathy")


def smallest(strategy, condition=lambda value: True):
    return find(
        strategy,
        condition,
        random=Random(0),
        settings=settings(database=None, deadline=None, max_examples=200),
    )


class TestPersonas:
    @few
    @given(personas())
    def test_each_is_valid_and_can_be_played(self, persona):
        data = persona.to_data()
        assert Persona.parse(data) == persona
        assert unplayable(data) == []

    @settings(max_examples=5)
    @given(personas(mutated=False, bundled=False))
    def test_made_up_ones_can_be_had_alone(self, persona):
        assert persona.id == "made-up"

    @settings(max_examples=5)
    @given(personas(bundled=False, generated=False))
    def test_mutated_ones_are_bundled_ones_with_something_changed(self, persona):
        assert persona.opening == load_personas()[persona.id].opening


class TestUtterances:
    @pytest.mark.parametrize("act", ACTS)
    def test_the_bank_is_read_as_what_it_is_meant_for(self, act):
        """Of the persona's words at the start of a talk; what is said back in one word is often missed."""
        read = Counter()
        for persona in SOME:
            context = TASK.begin(Scenario(persona=persona, need=persona.needs[0].need)).context()
            filling = Filling.of(persona)
            for wording in WORDINGS[act]:
                line = wording.format(w=filling.words[0], f=filling.feelings[0])
                read[act in {e.act for e in appraise_by_rules(line, context)}] += 1
        assert read[True] >= (0.6 if act == "restatement" else 0.9) * read.total(), read

    @few
    @given(st.data(), st.sampled_from(ACTS), st.sampled_from(SOME))
    def test_what_is_drawn_performs_the_act(self, data, act, persona):
        line = data.draw(utterances(act, persona))
        context = TASK.begin(Scenario(persona=persona, need=persona.needs[0].need)).context()
        assert act in {e.act for e in appraise_by_rules(line, context)}

    def test_every_act_has_a_short_general_sentence(self):
        lines = [smallest(utterances(act)) for act in ACTS]
        assert len(set(lines)) == len(ACTS)
        assert max(len(line.split()) for line in lines) <= 9

    @few
    @given(texts())
    def test_any_text_is_legal(self, text):
        talk = run(say(TASK.begin(TASK.scenario(1)), text))
        assert len(talk.turns) == 1

    def test_odd_texts_hold_what_breaks_code(self):
        assert "" in ODD
        assert any(len(text) > 4000 for text in ODD)
        assert any("\ud800" <= c <= "\udfff" for text in ODD for c in text)


class TestValues:
    @few
    @given(moods())
    def test_moods_are_in_range(self, mood):
        assert 0 <= mood.emotion <= 100
        assert all(0 <= value <= 1 for value in mood[1:5])
        assert len(mood.habits) == len(ACTS)

    @few
    @given(appraisals("I hear you. Go on."))
    def test_evidence_quotes_what_was_heard(self, appraisal):
        heard = "I hear you. Go on."
        assert all(heard[e.start : e.end] == e.quote and e.quote for e in appraisal)

    @few
    @given(scenarios())
    def test_scenarios_survive_a_row(self, scenario):
        assert Scenario.from_row(scenario.to_row()) == scenario

    def test_difficulties_shrink_to_moderate(self):
        assert smallest(difficulties()) == Difficulty()
        assert smallest(difficulties(), lambda knobs: knobs.patience < 0.3).patience < 0.3


class TestTalks:
    @few
    @given(traces())
    def test_traces_follow_from_themselves(self, trace):
        assert verify(trace).consistent
        for turns in range(len(trace.turns) + 1):
            assert verify(trace.prefix(turns)).consistent
        assert Trace.from_json(trace.to_json()) == trace

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_each_ending_can_be_asked_for(self, ending):
        trace = smallest(traces(st.just(START), ending=ending))
        if ending == "fault":
            assert (trace.outcome, bool(trace.fault)) == (None, True)
        elif ending == "open":
            assert (trace.outcome, trace.fault) == (None, None)
        else:
            assert trace.outcome == ending
        assert len(trace.turns) <= (2 if ending == "success" else 1)

    def test_all_endings_are_drawn(self):
        met = set()

        @settings(max_examples=60, database=None)
        @given(traces(st.just(START)))
        def draw(trace):
            met.add("fault" if trace.fault else trace.outcome or "open")

        draw()
        assert met == set(ENDINGS)

    def test_a_talk_shrinks_to_few_plain_turns_with_the_first_persona(self):
        talk = smallest(conversations(), lambda talk: len(talk.turns) == 3)
        assert [turn.heard for turn in talk.turns] == ["Go on."] * 3
        scenario = talk.room.scenario
        assert (scenario.persona.id, scenario.seed) == ("after-the-bell", 0)
        assert scenario.difficulty == Difficulty()

    def test_examples_are_printed_by_what_was_said(self):
        trace = smallest(traces(st.just(START), ending="left"))
        assert pretty(trace) == (
            "Trace(Scenario(after-the-bell, deep_empathy, moderate, appraisal-v1, seed 0): "
            "'I have to go now. Goodbye.'; left)"
        )
        assert pretty(trace.scenario.persona).startswith("Persona(after-the-bell: ")
        talk = smallest(conversations(st.just(START)))
        assert pretty(talk).startswith("Conversation(Scenario(after-the-bell")


def outcomes(backend):
    """Play a few turns, and return what each was paid, or the type of its fault."""
    episode = Task(persona="new-mother", user=backend).open(seed=2)
    found = []
    for _ in range(3):
        try:
            found.append(episode.say("Go on."))
        except Fault as fault:
            found.append(type(fault).__name__)
    return found


class TestBackends:
    def test_a_fault_comes_at_the_request_that_it_is_planned_for(self):
        healthy = outcomes(Sickly({}))
        assert healthy == [0.0, 0.0, 0.0]
        assert outcomes(Sickly({0: Ill("Unreachable")}))[0] == "Unreachable"
        assert outcomes(Sickly({1: Ill("TimedOut")}))[1:] == ["TimedOut", "TimedOut"]

    @few
    @given(backends())
    def test_the_same_backend_fails_the_same_way(self, backend):
        assert outcomes(backend) == outcomes(Sickly(backend.ills))

    def test_garbage_is_drawn_as_well_as_faults(self):
        assert smallest(backends(), lambda backend: backend.ills[min(backend.ills)].fault)
        assert smallest(backends()).ills == {0: Ill("", "")}

    def test_answers_of_ones_own_are_given_where_nothing_goes_wrong(self):
        backend = Sickly({}, lambda request: '{"evidence": []}')
        assert outcomes(backend) == outcomes(backend)


def test_without_hypothesis_the_extra_is_named():
    code = "import sys; sys.modules['hypothesis'] = None; import empathy_env.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtra" in done.stderr
    assert "pip install 'empathy-env[testing]'" in done.stderr


def test_without_hypothesis_a_check_that_needs_it_names_the_extra():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from empathy_env.checks import check_persona\n"
        "assert check_persona('own-dog', laws=['schema']).laws\n"
        "from empathy_env.checks import check_reward"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtra: empathy_env.checks.check_reward needs" in done.stderr
    assert "pip install 'empathy-env[testing]'" in done.stderr
