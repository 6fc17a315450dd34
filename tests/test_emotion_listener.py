"""The laws of the mood on who listens: their need, their knobs, how it ends (laws 7 and 8)."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moods import (
    ROUNDING,
    P,
    appraisals,
    assert_no_better,
    both,
    chances,
    listeners,
    moods,
    piece,
    pieces,
    plain,
    resisting,
    unit,
)

from empathy_env.acts import ABOUTS, ACTS
from empathy_env.difficulty import HARDER, KINDS, PRESETS, Difficulty
from empathy_env.emotion import Listener, Mood, ending, first_mood, next_mood, resists
from empathy_env.library import load_persona
from empathy_env.persona import NEEDS, Reaction


def fitting(protocol, need):
    """Return the replies of the highest value to a need, as (act, about)."""
    table = protocol.own_need[need]
    best = [key.partition("/") for key, value in table.items() if value == max(table.values())]
    return [(act, about or "situation") for act, _, about in best]


def gained(protocol, need, reply):
    """Return by how much a grounded reply moves somebody who is ready for anything."""
    ready = Mood(40.0, trust=0.6, heard=1.0)
    appraisal = (piece(*reply, grounded=True),)
    return next_mood(ready, appraisal, plain(need, protocol), resisting=False).change


@both
class TestNeedDependent:
    """Law 7, for one turn."""

    @pytest.mark.parametrize("need", NEEDS)
    def test_the_fitting_reply_does_good(self, protocol, need):
        assert all(gained(protocol, need, reply) > 0 for reply in fitting(protocol, need))

    @pytest.mark.parametrize(
        ("need", "other"), [(need, other) for need in NEEDS for other in NEEDS if need != other]
    )
    def test_it_beats_the_fitting_reply_of_another_need_by_30_percent(self, protocol, need, other):
        own = min(gained(protocol, need, reply) for reply in fitting(protocol, need))
        foreign = {reply: gained(protocol, need, reply) for reply in fitting(protocol, other)}
        assert {reply: gain for reply, gain in foreign.items() if own - gain < 0.3 * own} == {}

    @pytest.mark.parametrize("need", NEEDS)
    def test_only_what_the_need_asks_for_meets_it(self, protocol, need):
        ready = Mood(40.0, trust=0.6, heard=1.0)
        for other in NEEDS:
            for reply in fitting(protocol, other):
                own = protocol.own_need[need]
                value = own.get("/".join(reply), own.get(reply[0], protocol.any_need[reply[0]]))
                appraisal = (piece(*reply, grounded=True),)
                after = next_mood(ready, appraisal, plain(need, protocol), resisting=False).mood
                assert (after.met > 0) == (value > protocol.met_from), (other, reply)


RESPONSE = [knob for knob, kind in KINDS.items() if kind == "response"]
knob_pairs = st.tuples(st.sampled_from(RESPONSE), unit, unit)
swings = st.floats(-1, 1)
scripts = st.lists(
    st.tuples(st.lists(pieces(), max_size=3).map(tuple), chances, swings), min_size=1, max_size=8
)


def path_of(listener, script):
    """Return the moods of a talk, turn by turn, up to its end."""
    mood = first_mood(listener.difficulty)
    path = [mood]
    for appraisal, chance, swing in script:
        stubborn = resists(mood, listener, chance)
        mood = next_mood(mood, appraisal, listener, resisting=stubborn, swing=swing).mood
        path.append(mood)
        if ending(mood, appraisal, listener.protocol, turns_left=1):
            break
    return path


def assert_nowhere_better(hard, easy):
    """Assert that one path of moods is nowhere above another, as long as both go on."""
    for worse, better in zip(hard, easy, strict=False):
        assert worse.emotion <= better.emotion + ROUNDING
        assert worse.trust <= better.trust + ROUNDING
        assert worse.strain >= better.strain - ROUNDING


@both
class TestDifficulty:
    """Law 8, response form."""

    @given(listeners(), knob_pairs, scripts)
    def test_a_harder_knob_is_nowhere_felt_better(self, protocol, listener, pair, script):
        listener = replace(listener, protocol=protocol)
        knob, *values = pair
        easy, hard = (
            path_of(
                replace(listener, difficulty=replace(listener.difficulty, **{knob: value})), script
            )
            for value in sorted(values, key=lambda value: value * HARDER[knob])
        )
        assert_nowhere_better(hard, easy)

    @given(moods, appraisals, listeners(), knob_pairs, resisting, swings)
    def test_a_harder_knob_is_felt_no_better_from_the_same_mood(
        self, protocol, mood, appraisal, listener, pair, resists, swing
    ):
        listener = replace(listener, protocol=protocol)
        knob, *values = pair
        easy, hard = (
            replace(listener, difficulty=replace(listener.difficulty, **{knob: value}))
            for value in sorted(values, key=lambda value: value * HARDER[knob])
        )
        assert_no_better(
            next_mood(mood, appraisal, hard, resisting=resists, swing=swing),
            next_mood(mood, appraisal, easy, resisting=resists, swing=swing),
        )

    @given(listeners(), scripts)
    def test_presets_come_in_the_order_of_their_names(self, protocol, listener, script):
        listener = replace(listener, protocol=protocol)
        gentle, moderate, vanilla, challenging, severe = (
            path_of(replace(listener, difficulty=PRESETS[name]), script)
            for name in ("gentle", "moderate", "rlver-vanilla", "rlver-challenging", "severe")
        )
        assert_nowhere_better(moderate, gentle)
        assert_nowhere_better(severe, moderate)
        assert_nowhere_better(challenging, vanilla)

    @pytest.mark.parametrize("knob", [knob for knob in KINDS if KINDS[knob] != "information"])
    def test_every_knob_that_is_felt_has_an_effect(self, protocol, knob):
        good = (piece("reflection", "own_feeling", grounded=True),)
        talk = [
            ((piece("blame"),), 0.9, -0.5),
            (good, 0.02, 0.5),
            (good, 0.9, 0.5),
            ((), 0.9, 0.2),
            ((), 0.9, 0.0),
        ]
        low, high = (
            path_of(plain("deep_empathy", protocol, Difficulty(**{knob: value})), talk)
            for value in (0.3, 0.7)
        )
        assert [mood.emotion for mood in low] != [mood.emotion for mood in high]

    @given(listeners(), scripts, st.sampled_from([k for k in KINDS if k not in RESPONSE]), unit)
    def test_what_is_said_aloud_and_a_swing_without_volatility_change_no_mood(
        self, protocol, listener, script, knob, value
    ):
        calm = replace(listener.difficulty, volatility=0.0)
        listener = replace(listener, protocol=protocol, difficulty=calm)
        if KINDS[knob] == "information":
            other = replace(listener, difficulty=replace(calm, **{knob: value}))
            assert path_of(other, script) == path_of(listener, script)
        still = [(appraisal, chance, 0.0) for appraisal, chance, _ in script]
        assert path_of(listener, still) == path_of(listener, script)

    def test_a_swing_moves_emotion_alone_by_at_most_its_points(self, protocol):
        listener = plain("absolution", protocol, Difficulty(volatility=1.0))
        mood, good = Mood(50.0, 0.3), (piece("presence"),)
        up, still, down = (
            next_mood(mood, good, listener, resisting=False, swing=swing) for swing in (1, 0, -1)
        )
        assert up.change - still.change == pytest.approx(protocol.swing)
        assert still.change - down.change == pytest.approx(protocol.swing)
        assert up.mood._replace(emotion=0.0) == down.mood._replace(emotion=0.0)

    @given(moods, listeners(), chances, unit, unit)
    def test_hostility_resists_whenever_less_of_it_would(
        self, protocol, mood, listener, chance, one, two
    ):
        listener = replace(listener, protocol=protocol)
        less, more = (
            resists(
                mood,
                replace(listener, difficulty=replace(listener.difficulty, hostility=h)),
                chance,
            )
            for h in sorted((one, two))
        )
        assert more or not less

    def test_resistance_begins_and_goes_on_with_its_chances(self, protocol):
        listener, mood = plain("absolution", protocol), Mood(40.0, 0.2)
        shares = [
            sum(resists(mood._replace(resisting=r), listener, i / 1000) for i in range(1000)) / 1000
            for r in (False, True)
        ]
        assert shares == [
            pytest.approx(protocol.resist, abs=0.002),
            pytest.approx(protocol.resist_again, abs=0.002),
        ]


@pytest.mark.parametrize("knob", HARDER)
def test_the_start_is_no_higher_where_it_is_harder(knob):
    easy, hard = sorted((0.0, 1.0), key=lambda value: value * HARDER[knob])
    first, second = (first_mood(Difficulty(**{knob: value})) for value in (easy, hard))
    assert second.emotion <= first.emotion
    assert second.trust <= first.trust


@both
class TestListener:
    def test_weights_are_the_seeds_and_within_the_jitter(self, protocol):
        persona = load_persona("laid-off-engineer")
        need = persona.needs[0].need
        one, again, other = (
            Listener.of(persona, need, Difficulty(), protocol, seed=seed) for seed in (1, 1, 2)
        )
        assert one == again
        assert one.weights != other.weights
        assert (
            one.weights
            != Listener.of(persona, need, Difficulty(), protocol, seed=1, seat=1).weights
        )
        drawn = [
            w
            for s in range(40)
            for w in Listener.of(persona, need, Difficulty(), protocol, seed=s).weights
        ]
        assert all(1 - protocol.jitter <= weight <= 1 + protocol.jitter for weight in drawn)
        assert min(drawn) < 1 - 0.9 * protocol.jitter
        assert max(drawn) > 1 + 0.9 * protocol.jitter
        assert (one.temperament, one.reactions) == (persona.temperament, persona.reactions)

    def test_a_reaction_of_the_person_wins_over_the_need(self, protocol):
        need, (act, about) = "deep_empathy", fitting(protocol, "deep_empathy")[0]
        always = replace(
            plain(need, protocol), reactions=(Reaction(act=act, fit=-0.5, because="x"),)
        )
        assert {always.fit(piece(act, each)) for each in ABOUTS} == {-0.5}
        once = replace(
            plain(need, protocol),
            reactions=(Reaction(act=act, about="plan", fit=-0.5, because="x"),),
        )
        assert once.fit(piece(act, "plan")) == -0.5
        assert once.fit(piece(act, about)) == plain(need, protocol).fit(piece(act, about)) > 0

    @pytest.mark.parametrize("need", NEEDS)
    def test_what_is_about_something_wins_over_the_act_and_that_over_any_need(self, protocol, need):
        for act in ACTS:
            for about in ABOUTS:
                table = protocol.own_need[need]
                value = table.get(f"{act}/{about}", table.get(act, protocol.any_need[act]))
                assert plain(need, protocol).fit(piece(act, about)) == value


@both
class TestEnding:
    CALM = Mood(50.0, 0.5)

    @pytest.mark.parametrize(
        ("mood", "acts", "turns_left", "outcome"),
        [
            (CALM, [], 1, None),
            (CALM, ["blame"], 1, None),
            (CALM, [], 0, "time_up"),
            (CALM._replace(emotion=P.success), [], 1, "success"),
            (CALM._replace(emotion=P.success), [], 0, "success"),
            (CALM._replace(emotion=P.success - 1e-6), [], 1, None),
            (CALM._replace(emotion=P.success, strain=1.0), ["abandonment"], 0, "success"),
            (CALM._replace(emotion=P.leave), [], 1, None),
            (CALM._replace(emotion=P.leave - 1e-6), [], 1, "left"),
            (CALM._replace(emotion=P.leave - 1e-6), [], 0, "left"),
            (CALM._replace(emotion=0.0), [], 1, "left"),
            (CALM._replace(strain=1.0), [], 1, "left"),
            (CALM._replace(strain=1 - 1e-6), [], 1, None),
            (CALM, ["presence", "abandonment"], 1, "left"),
            (CALM, ["abandonment"], 0, "left"),
        ],
    )
    def test_the_table(self, protocol, mood, acts, turns_left, outcome):
        assert ending(mood, tuple(map(piece, acts)), protocol, turns_left=turns_left) == outcome

    @pytest.mark.parametrize("act", ["blame", "dismissal", "abandonment"])
    @pytest.mark.parametrize("need", NEEDS)
    def test_who_is_only_hurt_leaves(self, protocol, need, act):
        listener, mood, outcome = plain(need, protocol), first_mood(Difficulty()), None
        for left in range(9, -1, -1):
            felt = next_mood(mood, (piece(act),), listener, resisting=False)
            assert felt.mood.emotion < mood.emotion
            mood, outcome = felt.mood, ending(felt.mood, (piece(act),), protocol, turns_left=left)
            if outcome:
                break
        assert outcome == "left"
        assert left > 0

    def test_a_cut_is_said_and_no_cut_is_not(self, protocol):
        listener = plain("absolution", protocol)
        hurt = (piece("blame", intensity=1.25),)
        near_the_end = Mood(0.5, 0.5)
        assert next_mood(near_the_end, hurt, listener, resisting=False).saturated
        calm = next_mood(self.CALM, (piece("presence"),), listener, resisting=False)
        assert not calm.saturated
        assert math.isclose(self.CALM.emotion + calm.change, calm.mood.emotion)
