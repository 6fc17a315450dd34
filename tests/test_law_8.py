"""Law 8, difficulty means something, in whole talks. (tests/test_emotion_listener.py has the moods.)

Response knobs: the same evidence is nowhere felt better under a harder value. Information knobs:
the same talk is heard garbled, and nothing else of it changes; on a persona small enough to solve,
the best policy's value falls. None makes success impossible below 1.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moods import ROUNDING

from empathy_env import Scenario, Task, load_agent, load_cells, load_persona, load_personas, play
from empathy_env.acts import Reading
from empathy_env.conversation import say
from empathy_env.difficulty import HARDER, KINDS, Difficulty
from empathy_env.drivers import run
from empathy_env.protocol import PROTOCOLS
from empathy_env.speaker import BANKS, phrases

RESPONSE, INFORMATION = (
    [knob for knob, kind in KINDS.items() if kind == wanted]
    for wanted in ("response", "information")
)
PERSONAS = [
    load_persona(name) for name in ("laid-off-engineer", "dropped-friend", "court-interpreter")
]
SAYINGS = (
    "What was that like for you?",
    "What happened with the {w}?",
    "Tell me more about the {w}.",
    "You sound ashamed about the {w}.",
    "You sound lonely.",
    "It makes sense that you feel hurt by the {w}.",
    "So first there was the {w}, and then all the rest.",
    "The {w} was not your fault; you acted on what you knew.",
    "You could write down one question about the {w} tomorrow.",
    "I wonder if they did that out of fear.",
    "What you did with the {w} took real patience.",
    "I'm not sure that adds up, about the {w}.",
    "I'm listening. Take your time.",
    "It's not that bad. Other people have it worse.",
    "You brought this on yourself.",
    "Cheer up! Everything happens for a reason!",
    "",
)
unit = st.floats(0, 1).map(lambda value: round(value, 3))
knobs = st.fixed_dictionaries(dict.fromkeys(KINDS, unit))
sayings = st.lists(st.tuples(st.sampled_from(SAYINGS), st.integers(0, 30)), min_size=1, max_size=8)
places = st.tuples(st.sampled_from(PERSONAS), st.integers(0, 2), st.integers(0, 50))
protocols = st.sampled_from(list(PROTOCOLS.values()))


class Recorded:
    """An appraiser that has read the talk before, so that the evidence is the same."""

    name = "recorded"

    def __init__(self, turns):
        self.turns = turns

    def appraise(self, utterance, context):
        yield from ()
        assert self.turns[len(context.said)].heard == utterance
        return Reading(self.turns[len(context.said)].evidence)


def begun(place, difficulty, protocol, appraiser="rules"):
    persona, need, seed = place
    task = Task(persona=persona, protocol=protocol, appraiser=appraiser, difficulty=difficulty)
    need = persona.needs[need % len(persona.needs)].need
    return task.begin(replace(task.scenario(seed), need=need))


def talks(start, said):
    """Return the talk after each turn, up to its end."""
    persona = start.room.scenario.persona
    words = [word for fact in persona.facts for word in fact.words]
    found = [start]
    for saying, number in said:
        if found[-1].outcome is None:
            found.append(run(say(found[-1], saying.format(w=words[number % len(words)]))))
    return found


def ordered(drawn, knob, value):
    """Return two settings that differ in one knob, the easier first."""
    values = sorted((drawn[knob], value), key=lambda each: each * HARDER[knob])
    return (Difficulty(**{**drawn, knob: each}) for each in values)


@given(places, protocols, knobs, st.sampled_from(RESPONSE), unit, sayings)
def test_a_harder_response_knob_is_nowhere_felt_better(place, protocol, drawn, knob, value, said):
    easier, harder = ordered(drawn, knob, value)
    easy = talks(begun(place, easier, protocol), said)
    hard = talks(begun(place, harder, protocol, Recorded(easy[-1].turns)), said[: len(easy) - 1])
    assert len(hard) <= len(easy)
    for better, worse in zip(easy, hard, strict=False):
        high, low = better.users[0].mood, worse.users[0].mood
        assert low.emotion <= high.emotion + ROUNDING
        assert low.trust <= high.trust + ROUNDING
        assert low.strain >= high.strain - ROUNDING


@given(places, protocols, knobs, knobs, sayings)
def test_what_is_hidden_changes_nothing_but_what_is_heard(place, protocol, drawn, others, said):
    one = Difficulty(**drawn)
    other = replace(one, **{knob: others[knob] for knob in INFORMATION})
    paths = [talks(begun(place, difficulty, protocol), said) for difficulty in (one, other)]
    for first, second in zip(*paths, strict=True):
        assert first.users[0].mood == second.users[0].mood
        assert first.users[0].told == second.users[0].told
        assert first.heard == second.heard  # what is meant
        assert first.outcome == second.outcome
    for first, second in zip(*(path[-1].turns for path in paths), strict=True):
        assert first.evidence == second.evidence
        mine, theirs = first.answers[0], second.answers[0]
        assert mine.whole == theirs.whole
        assert mine.told == theirs.told
        assert mine.manner == theirs.manner


@given(places, protocols, knobs, st.sampled_from(INFORMATION), unit, sayings)
def test_what_is_hidden_is_hidden_under_harder_knobs_too(place, protocol, drawn, knob, value, said):
    paths = [talks(begun(place, d, protocol), said) for d in ordered(drawn, knob, value)]
    for easy, hard in zip(*(path[-1].turns for path in paths), strict=True):
        better, worse = easy.answers[0], hard.answers[0]
        assert set(better.withheld) <= set(worse.withheld)
        if worse.meant is None:
            assert better.meant is None
            assert better.reply == worse.reply


HIDING = dict(masking=1.0, disclosure=0.0, ambiguity=1.0)


def fronts(talk, bank):
    """Return the flat line and the hint of each reply in which all is hidden."""
    register = talk.room.scenario.persona.voice.register_
    flat = phrases("masked", register, bank)
    hints = [
        x
        for v in talk.room.scenario.persona.needs
        for x in phrases(f"hint_{v.need}", register, bank)
    ]
    return [
        (
            [line for line in flat if turn.answers[0].reply.startswith(line)],
            [line for line in hints if turn.answers[0].reply.endswith(line)],
        )
        for turn in talk.turns
        if turn.outcome not in ("left", "success")
    ]


@given(places, places, protocols, knobs, knobs, sayings, sayings)
def test_what_hides_depends_on_the_draws_and_not_on_need_mood_or_words(
    one, other, protocol, first, second, said, spoken
):
    other = (one[0], other[1], one[2])  # another need, in the same episode
    found = [
        fronts(
            talks(begun(place, Difficulty(**{**drawn, **HIDING}), protocol), lines)[-1],
            protocol.speaker,
        )
        for place, drawn, lines in ((one, first, said), (other, second, spoken))
    ]
    for mine, theirs in zip(*found, strict=False):
        assert mine == theirs
        assert all(mine)


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("persona", load_personas().values(), ids=load_personas())
def test_it_can_be_told_from_the_words_what_a_part_of_a_reply_is(persona, bank):
    """Else the harder reply would not follow from the words of the easier one."""
    register = persona.voice.register_

    def of_bank(*starts):
        return {
            x for name in BANKED if name.startswith(starts) for x in phrases(name, register, bank)
        }

    own = {x for v in persona.needs for _, lines in v.lines for x in lines}
    felt = {x for _, lines in persona.voice.lines for x in lines}
    items = (
        *persona.facts,
        *persona.feelings,
        *persona.beliefs,
        *(f for v in persona.needs for f in v.facts),
    )
    told = {item.says for item in items}
    plain = {x for item in items for x in item.more} | {
        x for _, lines in persona.voice.answers for x in lines
    }
    plain |= of_bank("asked_", "closed", "not_yet", "told_all")
    felt |= of_bank("opens_up", "guarded", "deflects", "hurt", "relieved", "leaves", "to_")
    for one, other in ((own, felt), (own, told), (own, plain), (felt, told), (felt, plain)):
        assert not one & other


BANKED = (
    "opens_up guarded deflects hurt relieved leaves closed not_yet told_all to_dismissal to_blame "
    "asked_own_feeling asked_own_act asked_other_person asked_situation asked_plan asked_fault"
).split()


@pytest.fixture(scope="module")
def solved():
    sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
    try:
        return import_module("exact_value")
    finally:
        sys.path.pop(0)


GRID = (0.0, 0.3, 0.6, 1.0)


@pytest.fixture(scope="module")
def values(solved):
    """Return the value of the best policy for each setting of the information knobs."""
    return {
        at: solved.optimal(**dict(zip(INFORMATION, at, strict=True)))
        for at in product(GRID, repeat=len(INFORMATION))
    }


class TestSolved:
    """The information form where every policy can be looked at."""

    @pytest.mark.parametrize("knob", INFORMATION)
    def test_the_best_policys_value_falls_along_each_knob(self, values, knob):
        place, falls = INFORMATION.index(knob), []
        for at in values:
            line = [(*at[:place], each, *at[place + 1 :]) for each in GRID[:: HARDER[knob]]]
            falls += [values[easy] - values[hard] for easy, hard in pairwise(line)]
        assert min(falls) > -1e-9
        assert max(falls) > 0.5

    def test_where_the_talk_shows_the_need_it_is_as_good_as_knowing_it(self, solved, values):
        assert values[0.0, 1.0, 0.0] == pytest.approx(solved.informed())
        assert values[1.0, 1.0, 1.0] == pytest.approx(solved.informed())  # told is told

    def test_where_all_is_hidden_listening_is_worth_nothing(self, solved, values):
        assert values[1.0, 0.0, 1.0] == pytest.approx(solved.blind())
        assert solved.blind() < solved.informed() - 3

    @given(st.data())
    @settings(max_examples=30)
    def test_who_does_not_listen_gets_the_same_whatever_is_hidden(self, solved, data):
        need = data.draw(st.sampled_from(solved.NEEDS))
        said = data.draw(st.sampled_from(list(solved.scripts())))
        at = data.draw(st.tuples(unit, unit, unit))
        talk = solved.begun(need, solved.NEEDS[0], **dict(zip(INFORMATION, at, strict=True)))
        for saying in said:
            talk = run(say(talk, solved.SAYINGS[saying]))
        assert talk.users[0].mood.emotion == solved.payoff(need, said)

    def test_the_chances_of_what_is_hidden_add_up(self, solved):
        difficulty = Difficulty(masking=0.2, disclosure=0.7, ambiguity=0.4)
        assert sum(veil.chance(difficulty) for veil in solved.VEILS) == pytest.approx(1.0)


ALMOST = {knob: {-1: 0.05, 1: 0.95}[direction] for knob, direction in HARDER.items()}


@pytest.mark.parametrize("knob", HARDER)
def test_no_knob_makes_success_impossible_below_its_hard_end(knob):
    difficulty = Difficulty(**{knob: ALMOST[knob]})
    cells = load_cells("split:train")[::7]
    outcomes = (
        play(
            Task(personas="all"),
            load_agent("oracle"),
            Scenario(persona=persona, need=need, seed=seed, difficulty=difficulty),
        ).outcome
        for seed, (persona, need) in enumerate(cells)
    )
    assert "success" in outcomes
