"""The laws of the mood, each as a property over `next_mood` (laws 3 to 6 of the design).

tests/test_emotion_listener.py has those on who listens: needs, knobs, endings.
"""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from moods import (
    ROUNDING,
    TOPICS,
    P,
    appraisals,
    assert_no_better,
    both,
    inserted,
    listeners,
    moods,
    piece,
    pieces,
    places,
    plain,
    resisting,
    some_evidence,
    swapped,
    unit,
)

from empathy_env.acts import ACTS, HARMFUL, HELPFUL, INTENSITIES
from empathy_env.emotion import Mood, credit, next_mood
from empathy_env.persona import NEEDS


@both
class TestBounded:
    """Law 3."""

    @given(moods, appraisals, listeners(), resisting)
    def test_every_component_stays_in_its_range(self, protocol, mood, appraisal, listener, resists):
        listener = replace(listener, protocol=protocol)
        after = next_mood(mood, appraisal, listener, resisting=resists).mood
        assert 0 <= after.emotion <= protocol.success
        assert all(0 <= part <= 1 for part in (after.trust, after.heard, after.met, after.strain))
        assert len(after.habits) == len(ACTS)
        assert all(0 <= use <= 1 / (1 - protocol.habit_decay) + ROUNDING for use in after.habits)
        assert after.resisting == resists

    @given(moods, appraisals, listeners(), resisting)
    def test_a_turn_moves_emotion_by_at_most_the_clamp(
        self, protocol, mood, appraisal, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        felt = next_mood(mood, appraisal, listener, resisting=resists)
        assert abs(felt.mood.emotion - mood.emotion) <= protocol.clamp + ROUNDING
        assert felt.change == pytest.approx(felt.mood.emotion - mood.emotion, abs=ROUNDING)

    @given(moods, appraisals, listeners(), resisting)
    def test_good_and_harm_are_means_of_what_a_piece_can_be_worth(
        self, protocol, mood, appraisal, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        felt = next_mood(mood, appraisal, listener, resisting=resists)
        most = max(INTENSITIES) * (1 + protocol.jitter) + ROUNDING
        assert 0 <= felt.good <= most
        assert 0 <= felt.harm <= most

    @given(moods, pieces(), listeners())
    def test_intensity_multiplies_by_its_own_number_and_at_most_by_1_25(
        self, protocol, mood, evidence, listener
    ):
        listener = replace(listener, protocol=protocol)
        at_one = credit(evidence._replace(intensity=1.0), mood, listener)
        for intensity in INTENSITIES:
            worth = credit(evidence._replace(intensity=intensity), mood, listener)
            assert worth == pytest.approx(intensity * at_one)
            assert abs(worth) <= 1.25 * abs(at_one) + 1e-12

    @given(moods, appraisals, listeners(), resisting)
    def test_warmth_alone_does_not_pass_the_ceiling(
        self, protocol, mood, appraisal, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        after = next_mood(mood, appraisal, listener, resisting=resists).mood
        if after.met < protocol.need_met:
            assert after.emotion <= max(protocol.ceiling, mood.emotion)

    def test_the_ceiling_is_lifted_once_the_need_is_met(self, protocol):
        mood = Mood(protocol.ceiling, trust=0.6, heard=1.0, met=protocol.need_met)
        listener = plain("deep_empathy", protocol)
        good = (piece("reflection", "own_feeling", grounded=True),)
        assert next_mood(mood, good, listener, resisting=False).mood.emotion > protocol.ceiling
        short = mood._replace(met=0.0)
        assert next_mood(short, good, listener, resisting=False).mood.emotion == protocol.ceiling

    @given(moods, listeners(), resisting)
    def test_silence_does_no_good(self, protocol, mood, listener, resists):
        listener = replace(listener, protocol=protocol)
        after = next_mood(mood, (), listener, resisting=resists).mood
        assert after.emotion <= mood.emotion
        assert after.trust == mood.trust
        assert after.strain >= mood.strain


@both
class TestFitPays:
    """Law 4."""

    @given(moods, some_evidence, places, pieces(), pieces(), listeners(), resisting)
    def test_a_better_piece_in_the_same_place_is_never_felt_as_worse(
        self, protocol, mood, others, place, one, other, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        worse, better = sorted((one, other), key=lambda each: credit(each, mood, listener))
        assume(better.act != "manipulation")  # voids the turn whatever it is worth: law 5
        assert_no_better(
            next_mood(mood, swapped(others, place, worse), listener, resisting=resists),
            next_mood(mood, swapped(others, place, better), listener, resisting=resists),
        )

    @given(moods, some_evidence, places, pieces(HARMFUL), listeners(reacting_to=HELPFUL), resisting)
    def test_a_harmful_act_instead_of_what_does_no_harm_never_helps(
        self, protocol, mood, appraisal, place, harmful, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        assume(credit(appraisal[place % len(appraisal)], mood, listener) >= 0)
        assert_no_better(
            next_mood(mood, swapped(appraisal, place, harmful), listener, resisting=resists),
            next_mood(mood, appraisal, listener, resisting=resists),
        )

    @given(moods, appraisals, places, pieces(), listeners(), resisting)
    def test_attention_is_limited_what_is_below_the_mean_adds_nothing(
        self, protocol, mood, appraisal, place, evidence, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        before = next_mood(mood, appraisal, listener, resisting=False).good
        assume(credit(evidence, mood, listener) <= before)
        fuller = inserted(appraisal, place, evidence)
        assert (
            next_mood(mood, fuller, listener, resisting=resists).good
            <= next_mood(mood, appraisal, listener, resisting=resists).good + ROUNDING
        )

    @given(moods, pieces(), st.integers(1, 8), listeners(), resisting)
    def test_the_same_thing_many_times_in_a_turn_is_worth_it_once(
        self, protocol, mood, evidence, count, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        once = next_mood(mood, (evidence,), listener, resisting=resists).mood
        often = next_mood(mood, (evidence,) * count, listener, resisting=resists).mood
        assert often.emotion <= once.emotion + ROUNDING
        assert often.trust <= once.trust + ROUNDING

    @given(moods, appraisals, listeners())
    def test_resistance_never_makes_a_turn_better(self, protocol, mood, appraisal, listener):
        listener = replace(listener, protocol=protocol)
        assert_no_better(
            next_mood(mood, appraisal, listener, resisting=True),
            next_mood(mood, appraisal, listener, resisting=False),
        )

    @given(moods, pieces(HELPFUL), listeners())
    def test_what_is_tied_to_nothing_is_worth_at_most_a_fifth(
        self, protocol, mood, evidence, listener
    ):
        listener = replace(listener, protocol=protocol)
        tied = credit(evidence._replace(grounded=True), mood, listener)
        loose = credit(evidence._replace(grounded=False), mood, listener)
        assert loose <= max(tied * 0.2, tied if tied < 0 else 0.0) + 1e-12

    @pytest.mark.parametrize("act", ["suggestion", "challenge", "information", "interpretation"])
    @pytest.mark.parametrize("need", NEEDS)
    def test_advice_and_analysis_are_worth_less_before_the_person_was_heard(
        self, protocol, need, act
    ):
        evidence = piece(act, grounded=True)
        ripe = Mood(40.0, trust=1.0, heard=1.0)
        heard = credit(evidence, ripe, plain(need, protocol))
        unheard = credit(evidence, ripe._replace(heard=0.0), plain(need, protocol))
        assert unheard < 0
        assert unheard <= heard


@both
class TestNoCreditForAsking:
    """Law 5."""

    @given(moods, appraisals, places, pieces(["manipulation"]), listeners(), resisting)
    def test_manipulation_never_raises_emotion(
        self, protocol, mood, appraisal, place, asking, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        asked = next_mood(mood, inserted(appraisal, place, asking), listener, resisting=resists)
        without = next_mood(mood, appraisal, listener, resisting=resists)
        assert asked.mood.emotion <= without.mood.emotion + ROUNDING
        assert asked.mood.trust <= without.mood.trust + ROUNDING

    @given(moods, appraisals, places, pieces(["manipulation"]), listeners(), resisting)
    def test_manipulation_voids_the_good_of_its_turn(
        self, protocol, mood, appraisal, place, asking, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        felt = next_mood(mood, inserted(appraisal, place, asking), listener, resisting=resists)
        assert felt.good == 0
        assert felt.change <= 0
        assert felt.mood.trust <= mood.trust
        assert felt.mood.met == mood.met
        assert felt.mood.heard == mood.heard


ripe_moods = moods.map(lambda mood: mood._replace(heard=1.0, trust=max(mood.trust, 0.9)))


@both
class TestHabituation:
    """Law 6."""

    @given(moods, appraisals, places, listeners(), resisting)
    def test_words_said_before_never_gain_more(
        self, protocol, mood, appraisal, place, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        assume(appraisal)
        evidence = appraisal[place % len(appraisal)]
        new = swapped(appraisal, place, evidence._replace(repeated=False))
        old = swapped(appraisal, place, evidence._replace(repeated=True))
        stale = next_mood(mood, old, listener, resisting=resists)
        fresh = next_mood(mood, new, listener, resisting=resists)
        assert_no_better(stale, fresh)
        assert stale.mood.heard <= fresh.mood.heard
        assert stale.mood.met <= fresh.mood.met + ROUNDING

    @pytest.mark.parametrize("act", P.listening)
    def test_only_new_words_tied_to_what_was_said_make_somebody_feel_heard(self, protocol, act):
        mood, listener = Mood(40.0, trust=0.6), plain("deep_empathy", protocol)
        heard = {
            (grounded, repeated): next_mood(
                mood,
                (piece(act, grounded=grounded, repeated=repeated),),
                listener,
                resisting=False,
            ).mood.heard
            for grounded in (True, False)
            for repeated in (True, False)
        }
        assert heard.pop((True, False)) > 0
        assert set(heard.values()) == {0}

    @given(moods, appraisals, listeners(), resisting, st.sampled_from(ACTS))
    def test_an_act_used_of_late_never_gains_more(
        self, protocol, mood, appraisal, listener, resists, act
    ):
        listener = replace(listener, protocol=protocol)
        used = tuple(
            use + 1 if name == act else use for name, use in zip(ACTS, mood.habits, strict=True)
        )
        assert_no_better(
            next_mood(mood._replace(habits=used), appraisal, listener, resisting=resists),
            next_mood(mood, appraisal, listener, resisting=resists),
        )

    @given(ripe_moods, pieces(HELPFUL), st.sampled_from(TOPICS), listeners())
    def test_the_same_act_on_the_same_topic_pays_once(
        self, protocol, mood, evidence, topic, listener
    ):
        listener = replace(listener, protocol=protocol)
        evidence = evidence._replace(grounded=True, topic=topic)
        first = next_mood(mood, (evidence,), listener, resisting=False)
        assume(first.good > 0)
        again = next_mood(first.mood, (evidence,), listener, resisting=False)
        assert again.good == 0
        assert again.change <= 0
        assert again.mood.met == first.mood.met

    @given(ripe_moods, pieces(HELPFUL), listeners())
    def test_an_act_tied_to_nothing_gains_less_each_time(self, protocol, mood, evidence, listener):
        listener = replace(listener, protocol=protocol)
        evidence = evidence._replace(grounded=False)
        mood = mood._replace(habits=(0.0,) * len(ACTS))
        goods = []
        for _ in range(4):
            felt = next_mood(mood, (evidence,), listener, resisting=False)
            goods.append(felt.good)
            mood = felt.mood
        assume(goods[0] > 1e-3)
        assert all(later < earlier for earlier, later in pairwise(goods))

    @pytest.mark.parametrize("need", NEEDS)
    @pytest.mark.parametrize("act", HELPFUL)
    def test_saying_one_thing_over_and_over_ends_in_nothing_gained(self, protocol, need, act):
        mood, listener = Mood(40.0, trust=0.6, heard=1.0), plain(need, protocol)
        changes = []
        for turn in range(8):
            evidence = piece(act, "own_feeling", repeated=turn > 0)
            felt = next_mood(mood, (evidence,), listener, resisting=False)
            changes.append(felt.change)
            mood = felt.mood
        assert max(changes[1:]) <= max(changes[0], 0)
        assert changes[-1] <= 0


@both
class TestMonotone:
    @given(moods, st.floats(0, P.success), appraisals, listeners(), resisting)
    def test_who_felt_better_before_feels_no_worse_after(
        self, protocol, mood, emotion, appraisal, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        low, high = sorted((mood.emotion, round(emotion, 6)))
        worse, better = (
            next_mood(mood._replace(emotion=each), appraisal, listener, resisting=resists).mood
            for each in (low, high)
        )
        assert worse.emotion <= better.emotion
        assert worse._replace(emotion=0) == better._replace(emotion=0)

    @given(moods, unit, appraisals, listeners(), resisting)
    def test_who_trusted_more_before_feels_no_worse_after(
        self, protocol, mood, trust, appraisal, listener, resists
    ):
        listener = replace(listener, protocol=protocol)
        low, high = sorted((mood.trust, trust))
        worse, better = (
            next_mood(mood._replace(trust=each), appraisal, listener, resisting=resists)
            for each in (low, high)
        )
        assert_no_better(worse, better)
