"""The laws of the mood, each as a property over `next_mood` (laws 3 to 8 of the design)."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from empathy_env.acts import ABOUTS, ACTS, HARMFUL, HELPFUL, INTENSITIES, Evidence
from empathy_env.difficulty import HARDER, PRESETS, Difficulty
from empathy_env.emotion import (
    Listener,
    Mood,
    credit,
    ending,
    first_mood,
    next_mood,
    resists,
)
from empathy_env.library import load_persona
from empathy_env.persona import NEEDS, Reaction, Temperament
from empathy_env.protocol import PROTOCOLS

P = PROTOCOLS["appraisal-v1"]
ROUNDING = 2e-6
"""Moods are rounded to six decimals."""
TOPICS = ("box", "wife", "shame")
MOST_HABIT = 1 / (1 - P.habit_decay)

unit = st.floats(0, 1).map(lambda value: round(value, 6))
chances = st.floats(0, 1, exclude_max=True) | st.floats(0, 2 * P.resist)
difficulties = st.builds(Difficulty, **dict.fromkeys(HARDER, unit))
temperaments = st.builds(Temperament, reactivity=unit, trustfulness=unit, patience=unit)
abouts = st.sampled_from(ABOUTS)


def by_act(values, default):
    """Return a strategy for one number an act, most of them the default."""
    return st.dictionaries(st.sampled_from(ACTS), values, max_size=6).map(
        lambda given: tuple(given.get(act, default) for act in ACTS)
    )


def listening(need, temperament, reactions, difficulty, weights):
    return Listener(need, temperament, reactions, difficulty, P, weights)


def pieces(acts=ACTS):
    return st.builds(
        Evidence,
        act=st.sampled_from(acts),
        quote=st.just("so"),
        start=st.just(0),
        end=st.just(2),
        intensity=st.sampled_from(INTENSITIES),
        about=abouts,
        topic=st.sampled_from((None, *TOPICS)),
        grounded=st.booleans(),
        repeated=st.booleans(),
    )


def listeners(reacting_to=ACTS):
    reactions = st.builds(
        Reaction,
        act=st.sampled_from(reacting_to),
        about=st.none() | abouts,
        fit=st.floats(-1, 1),
        because=st.just("so"),
    )
    return st.builds(
        listening,
        st.sampled_from(NEEDS),
        temperaments,
        st.lists(reactions, max_size=2).map(tuple),
        difficulties,
        by_act(st.floats(1 - P.jitter, 1 + P.jitter), 1.0),
    )


moods = st.builds(
    Mood,
    emotion=st.floats(0, P.success).map(lambda value: round(value, 6)),
    trust=unit,
    heard=unit,
    met=unit,
    strain=unit,
    resisting=st.booleans(),
    habits=by_act(st.floats(0, MOST_HABIT).map(lambda value: round(value, 6)), 0.0),
    paid=st.frozensets(st.tuples(st.sampled_from(TOPICS), st.sampled_from(ACTS)), max_size=4),
)
appraisals = st.lists(pieces(), max_size=8).map(tuple)
some_evidence = st.lists(pieces(), min_size=1, max_size=8).map(tuple)
resisting = st.booleans()
places = st.integers(0, 8)


def plain(need, *, difficulty=PRESETS["moderate"]):
    """Return a listener without anything of their own but the need."""
    return Listener(need, Temperament(), (), difficulty, P)


def piece(act, about="situation", **fields):
    return Evidence(act, "so", 0, 2, about=about, **fields)


def swapped(appraisal, place, evidence):
    """Return the appraisal with one piece replaced, at the same length."""
    place %= len(appraisal)
    return (*appraisal[:place], evidence, *appraisal[place + 1 :])


def inserted(appraisal, place, evidence):
    place %= len(appraisal) + 1
    return (*appraisal[:place], evidence, *appraisal[place:])


def assert_no_better(worse, better):
    """Assert that a turn was felt no better than another from the same mood."""
    assert worse.mood.emotion <= better.mood.emotion + ROUNDING
    assert worse.mood.trust <= better.mood.trust + ROUNDING
    assert worse.mood.strain >= better.mood.strain - ROUNDING


class TestBounded:
    """Law 3."""

    @given(moods, appraisals, listeners(), resisting)
    def test_every_component_stays_in_its_range(self, mood, appraisal, listener, resists):
        after = next_mood(mood, appraisal, listener, resisting=resists).mood
        assert 0 <= after.emotion <= P.success
        assert all(0 <= part <= 1 for part in (after.trust, after.heard, after.met, after.strain))
        assert len(after.habits) == len(ACTS)
        assert all(0 <= use <= MOST_HABIT + ROUNDING for use in after.habits)
        assert after.resisting == resists

    @given(moods, appraisals, listeners(), resisting)
    def test_a_turn_moves_emotion_by_at_most_the_clamp(self, mood, appraisal, listener, resists):
        felt = next_mood(mood, appraisal, listener, resisting=resists)
        assert abs(felt.mood.emotion - mood.emotion) <= P.clamp + ROUNDING
        assert felt.change == pytest.approx(felt.mood.emotion - mood.emotion, abs=ROUNDING)

    @given(moods, appraisals, listeners(), resisting)
    def test_good_and_harm_are_means_of_what_a_piece_can_be_worth(
        self, mood, appraisal, listener, resists
    ):
        felt = next_mood(mood, appraisal, listener, resisting=resists)
        most = max(INTENSITIES) * (1 + P.jitter) + ROUNDING
        assert 0 <= felt.good <= most
        assert 0 <= felt.harm <= most

    @given(moods, pieces(), listeners())
    def test_intensity_multiplies_by_its_own_number_and_at_most_by_1_25(
        self, mood, evidence, listener
    ):
        at_one = credit(evidence._replace(intensity=1.0), mood, listener)
        for intensity in INTENSITIES:
            worth = credit(evidence._replace(intensity=intensity), mood, listener)
            assert worth == pytest.approx(intensity * at_one)
            assert abs(worth) <= 1.25 * abs(at_one) + 1e-12

    @given(moods, appraisals, listeners(), resisting)
    def test_warmth_alone_does_not_pass_the_ceiling(self, mood, appraisal, listener, resists):
        after = next_mood(mood, appraisal, listener, resisting=resists).mood
        if after.met < P.need_met:
            assert after.emotion <= max(P.ceiling, mood.emotion)

    def test_the_ceiling_is_lifted_once_the_need_is_met(self):
        mood = Mood(P.ceiling, trust=0.6, heard=1.0, met=P.need_met)
        listener = plain("deep_empathy")
        good = (piece("reflection", "own_feeling", grounded=True),)
        assert next_mood(mood, good, listener, resisting=False).mood.emotion > P.ceiling
        short = mood._replace(met=0.0)
        assert next_mood(short, good, listener, resisting=False).mood.emotion == P.ceiling

    @given(moods, listeners(), resisting)
    def test_silence_does_no_good(self, mood, listener, resists):
        after = next_mood(mood, (), listener, resisting=resists).mood
        assert after.emotion <= mood.emotion
        assert after.trust == mood.trust
        assert after.strain >= mood.strain


class TestFitPays:
    """Law 4."""

    @given(moods, some_evidence, places, pieces(), pieces(), listeners(), resisting)
    def test_a_better_piece_in_the_same_place_is_never_felt_as_worse(
        self, mood, others, place, one, other, listener, resists
    ):
        worse, better = sorted((one, other), key=lambda each: credit(each, mood, listener))
        assume(better.act != "manipulation")  # voids the turn whatever it is worth: law 5
        assert_no_better(
            next_mood(mood, swapped(others, place, worse), listener, resisting=resists),
            next_mood(mood, swapped(others, place, better), listener, resisting=resists),
        )

    @given(moods, some_evidence, places, pieces(HARMFUL), listeners(reacting_to=HELPFUL), resisting)
    def test_a_harmful_act_instead_of_what_does_no_harm_never_helps(
        self, mood, appraisal, place, harmful, listener, resists
    ):
        assume(credit(appraisal[place % len(appraisal)], mood, listener) >= 0)
        assert_no_better(
            next_mood(mood, swapped(appraisal, place, harmful), listener, resisting=resists),
            next_mood(mood, appraisal, listener, resisting=resists),
        )

    @given(moods, appraisals, places, pieces(), listeners(), resisting)
    def test_attention_is_limited_what_is_below_the_mean_adds_nothing(
        self, mood, appraisal, place, evidence, listener, resists
    ):
        before = next_mood(mood, appraisal, listener, resisting=False).good
        assume(credit(evidence, mood, listener) <= before)
        fuller = inserted(appraisal, place, evidence)
        assert (
            next_mood(mood, fuller, listener, resisting=resists).good
            <= next_mood(mood, appraisal, listener, resisting=resists).good + ROUNDING
        )

    @given(moods, pieces(), st.integers(1, 8), listeners(), resisting)
    def test_the_same_thing_many_times_in_a_turn_is_worth_it_once(
        self, mood, evidence, count, listener, resists
    ):
        once = next_mood(mood, (evidence,), listener, resisting=resists).mood
        often = next_mood(mood, (evidence,) * count, listener, resisting=resists).mood
        assert often.emotion <= once.emotion + ROUNDING
        assert often.trust <= once.trust + ROUNDING

    @given(moods, appraisals, listeners())
    def test_resistance_never_makes_a_turn_better(self, mood, appraisal, listener):
        assert_no_better(
            next_mood(mood, appraisal, listener, resisting=True),
            next_mood(mood, appraisal, listener, resisting=False),
        )

    @given(moods, pieces(HELPFUL), listeners())
    def test_what_is_tied_to_nothing_is_worth_at_most_a_fifth(self, mood, evidence, listener):
        tied = credit(evidence._replace(grounded=True), mood, listener)
        loose = credit(evidence._replace(grounded=False), mood, listener)
        assert loose <= max(tied * 0.2, tied if tied < 0 else 0.0) + 1e-12

    @pytest.mark.parametrize("act", ["suggestion", "challenge", "information", "interpretation"])
    @pytest.mark.parametrize("need", NEEDS)
    def test_advice_and_analysis_are_worth_less_before_the_person_was_heard(self, need, act):
        evidence = piece(act, grounded=True)
        ripe = Mood(40.0, trust=1.0, heard=1.0)
        heard = credit(evidence, ripe, plain(need))
        unheard = credit(evidence, ripe._replace(heard=0.0), plain(need))
        assert unheard < 0
        assert unheard <= heard


class TestNoCreditForAsking:
    """Law 5."""

    @given(moods, appraisals, places, pieces(["manipulation"]), listeners(), resisting)
    def test_manipulation_never_raises_emotion(
        self, mood, appraisal, place, asking, listener, resists
    ):
        asked = next_mood(mood, inserted(appraisal, place, asking), listener, resisting=resists)
        without = next_mood(mood, appraisal, listener, resisting=resists)
        assert asked.mood.emotion <= without.mood.emotion + ROUNDING
        assert asked.mood.trust <= without.mood.trust + ROUNDING

    @given(moods, appraisals, places, pieces(["manipulation"]), listeners(), resisting)
    def test_manipulation_voids_the_good_of_its_turn(
        self, mood, appraisal, place, asking, listener, resists
    ):
        felt = next_mood(mood, inserted(appraisal, place, asking), listener, resisting=resists)
        assert felt.good == 0
        assert felt.change <= 0
        assert felt.mood.trust <= mood.trust
        assert felt.mood.met == mood.met
        assert felt.mood.heard == mood.heard


ripe_moods = moods.map(lambda mood: mood._replace(heard=1.0, trust=max(mood.trust, 0.9)))


class TestHabituation:
    """Law 6."""

    @given(moods, appraisals, places, listeners(), resisting)
    def test_words_said_before_never_gain_more(self, mood, appraisal, place, listener, resists):
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
    def test_only_new_words_tied_to_what_was_said_make_somebody_feel_heard(self, act):
        mood, listener = Mood(40.0, trust=0.6), plain("deep_empathy")
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
    def test_an_act_used_of_late_never_gains_more(self, mood, appraisal, listener, resists, act):
        used = tuple(
            use + 1 if name == act else use for name, use in zip(ACTS, mood.habits, strict=True)
        )
        assert_no_better(
            next_mood(mood._replace(habits=used), appraisal, listener, resisting=resists),
            next_mood(mood, appraisal, listener, resisting=resists),
        )

    @given(ripe_moods, pieces(HELPFUL), st.sampled_from(TOPICS), listeners())
    def test_the_same_act_on_the_same_topic_pays_once(self, mood, evidence, topic, listener):
        evidence = evidence._replace(grounded=True, topic=topic)
        first = next_mood(mood, (evidence,), listener, resisting=False)
        assume(first.good > 0)
        again = next_mood(first.mood, (evidence,), listener, resisting=False)
        assert again.good == 0
        assert again.change <= 0
        assert again.mood.met == first.mood.met

    @given(ripe_moods, pieces(HELPFUL), listeners())
    def test_an_act_tied_to_nothing_gains_less_each_time(self, mood, evidence, listener):
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
    def test_saying_one_thing_over_and_over_ends_in_nothing_gained(self, need, act):
        mood, listener = Mood(40.0, trust=0.6, heard=1.0), plain(need)
        changes = []
        for turn in range(8):
            evidence = piece(act, "own_feeling", repeated=turn > 0)
            felt = next_mood(mood, (evidence,), listener, resisting=False)
            changes.append(felt.change)
            mood = felt.mood
        assert max(changes[1:]) <= max(changes[0], 0)
        assert changes[-1] <= 0


def fitting(need):
    """Return the replies of the highest value to a need, as (act, about)."""
    table = P.own_need[need]
    best = [key.partition("/") for key, value in table.items() if value == max(table.values())]
    return [(act, about or "situation") for act, _, about in best]


def gained(need, reply):
    """Return by how much a grounded reply moves somebody who is ready for anything."""
    ready = Mood(40.0, trust=0.6, heard=1.0)
    appraisal = (piece(*reply, grounded=True),)
    return next_mood(ready, appraisal, plain(need), resisting=False).change


class TestNeedDependent:
    """Law 7, for one turn."""

    @pytest.mark.parametrize("need", NEEDS)
    def test_the_fitting_reply_does_good(self, need):
        assert all(gained(need, reply) > 0 for reply in fitting(need))

    @pytest.mark.parametrize(
        ("need", "other"), [(need, other) for need in NEEDS for other in NEEDS if need != other]
    )
    def test_it_beats_the_fitting_reply_of_another_need_by_30_percent(self, need, other):
        own = min(gained(need, reply) for reply in fitting(need))
        foreign = {reply: gained(need, reply) for reply in fitting(other)}
        assert {reply: gain for reply, gain in foreign.items() if own - gain < 0.3 * own} == {}

    @pytest.mark.parametrize("need", NEEDS)
    def test_only_what_the_need_asks_for_meets_it(self, need):
        ready = Mood(40.0, trust=0.6, heard=1.0)
        for other in NEEDS:
            for reply in fitting(other):
                own = P.own_need[need]
                value = own.get("/".join(reply), own.get(reply[0], P.any_need[reply[0]]))
                appraisal = (piece(*reply, grounded=True),)
                after = next_mood(ready, appraisal, plain(need), resisting=False).mood
                assert (after.met > 0) == (value > P.met_from), (other, reply)


knob_pairs = st.tuples(st.sampled_from(sorted(HARDER)), unit, unit)
scripts = st.lists(
    st.tuples(st.lists(pieces(), max_size=3).map(tuple), chances), min_size=1, max_size=8
)


def emotions(listener, script):
    """Return the emotions of a talk, turn by turn, up to its end."""
    mood = first_mood(listener.difficulty)
    path = [mood.emotion]
    for appraisal, chance in script:
        stubborn = resists(mood, listener, chance)
        mood = next_mood(mood, appraisal, listener, resisting=stubborn).mood
        path.append(mood.emotion)
        if ending(mood, appraisal, P, turns_left=1):
            break
    return path


class TestDifficulty:
    """Law 8, response form."""

    @given(listeners(), knob_pairs, scripts)
    def test_a_harder_knob_gives_no_higher_emotion_at_any_turn(self, listener, pair, script):
        knob, *values = pair
        easier, harder = sorted(values, key=lambda value: value * HARDER[knob])
        easy, hard = (
            emotions(
                replace(listener, difficulty=replace(listener.difficulty, **{knob: value})), script
            )
            for value in (easier, harder)
        )
        assert all(h <= e + ROUNDING for e, h in zip(easy, hard, strict=False)), (easy, hard)

    @given(moods, appraisals, listeners(), knob_pairs, resisting)
    def test_a_harder_knob_is_felt_no_better_from_the_same_mood(
        self, mood, appraisal, listener, pair, resists
    ):
        knob, *values = pair
        easy, hard = (
            replace(listener, difficulty=replace(listener.difficulty, **{knob: value}))
            for value in sorted(values, key=lambda value: value * HARDER[knob])
        )
        assert_no_better(
            next_mood(mood, appraisal, hard, resisting=resists),
            next_mood(mood, appraisal, easy, resisting=resists),
        )

    @given(listeners(), scripts)
    def test_presets_come_in_the_order_of_their_names(self, listener, script):
        gentle, moderate, severe = (
            emotions(replace(listener, difficulty=PRESETS[name]), script)
            for name in ("gentle", "moderate", "severe")
        )
        assert all(h <= e + ROUNDING for e, h in zip(gentle, moderate, strict=False))
        assert all(h <= e + ROUNDING for e, h in zip(moderate, severe, strict=False))

    @pytest.mark.parametrize("knob", HARDER)
    def test_every_knob_has_an_effect(self, knob):
        good = (piece("reflection", "own_feeling", grounded=True),)
        talk = [((piece("blame"),), 0.9), (good, 0.02), (good, 0.9), ((), 0.9), ((), 0.9)]
        low, high = (
            emotions(plain("deep_empathy", difficulty=Difficulty(**{knob: value})), talk)
            for value in (0.3, 0.7)
        )
        assert low != high

    @given(moods, listeners(), chances, unit, unit)
    def test_hostility_resists_whenever_less_of_it_would(self, mood, listener, chance, one, two):
        less, more = (
            resists(
                mood,
                replace(listener, difficulty=replace(listener.difficulty, hostility=h)),
                chance,
            )
            for h in sorted((one, two))
        )
        assert more or not less

    def test_resistance_begins_and_goes_on_with_its_chances(self):
        listener, mood = plain("absolution"), Mood(40.0, 0.2)
        shares = [
            sum(resists(mood._replace(resisting=r), listener, i / 1000) for i in range(1000)) / 1000
            for r in (False, True)
        ]
        assert shares == [
            pytest.approx(P.resist, abs=0.002),
            pytest.approx(P.resist_again, abs=0.002),
        ]

    @pytest.mark.parametrize("knob", HARDER)
    def test_the_start_is_no_higher_where_it_is_harder(self, knob):
        easy, hard = sorted((0.0, 1.0), key=lambda value: value * HARDER[knob])
        first, second = (first_mood(Difficulty(**{knob: value})) for value in (easy, hard))
        assert second.emotion <= first.emotion
        assert second.trust <= first.trust


class TestMonotone:
    @given(moods, st.floats(0, P.success), appraisals, listeners(), resisting)
    def test_who_felt_better_before_feels_no_worse_after(
        self, mood, emotion, appraisal, listener, resists
    ):
        low, high = sorted((mood.emotion, round(emotion, 6)))
        worse, better = (
            next_mood(mood._replace(emotion=each), appraisal, listener, resisting=resists).mood
            for each in (low, high)
        )
        assert worse.emotion <= better.emotion
        assert worse._replace(emotion=0) == better._replace(emotion=0)

    @given(moods, unit, appraisals, listeners(), resisting)
    def test_who_trusted_more_before_feels_no_worse_after(
        self, mood, trust, appraisal, listener, resists
    ):
        low, high = sorted((mood.trust, trust))
        worse, better = (
            next_mood(mood._replace(trust=each), appraisal, listener, resisting=resists)
            for each in (low, high)
        )
        assert_no_better(worse, better)


class TestListener:
    def test_weights_are_the_seeds_and_within_the_jitter(self):
        persona = load_persona("laid-off-engineer")
        need = persona.needs[0].need
        one, again, other = (
            Listener.of(persona, need, Difficulty(), P, seed=seed) for seed in (1, 1, 2)
        )
        assert one == again
        assert one.weights != other.weights
        assert one.weights != Listener.of(persona, need, Difficulty(), P, seed=1, seat=1).weights
        drawn = [
            w
            for s in range(40)
            for w in Listener.of(persona, need, Difficulty(), P, seed=s).weights
        ]
        assert all(1 - P.jitter <= weight <= 1 + P.jitter for weight in drawn)
        assert min(drawn) < 1 - 0.9 * P.jitter
        assert max(drawn) > 1 + 0.9 * P.jitter
        assert (one.temperament, one.reactions) == (persona.temperament, persona.reactions)

    def test_a_reaction_of_the_person_wins_over_the_need(self):
        need, (act, about) = "deep_empathy", fitting("deep_empathy")[0]
        always = replace(plain(need), reactions=(Reaction(act=act, fit=-0.5, because="x"),))
        assert {always.fit(piece(act, each)) for each in ABOUTS} == {-0.5}
        once = replace(
            plain(need), reactions=(Reaction(act=act, about="plan", fit=-0.5, because="x"),)
        )
        assert once.fit(piece(act, "plan")) == -0.5
        assert once.fit(piece(act, about)) == plain(need).fit(piece(act, about)) > 0

    @pytest.mark.parametrize("need", NEEDS)
    def test_what_is_about_something_wins_over_the_act_and_that_over_any_need(self, need):
        for act in ACTS:
            for about in ABOUTS:
                table = P.own_need[need]
                value = table.get(f"{act}/{about}", table.get(act, P.any_need[act]))
                assert plain(need).fit(piece(act, about)) == value


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
    def test_the_table(self, mood, acts, turns_left, outcome):
        assert ending(mood, tuple(map(piece, acts)), P, turns_left=turns_left) == outcome

    @pytest.mark.parametrize("act", ["blame", "dismissal", "abandonment"])
    @pytest.mark.parametrize("need", NEEDS)
    def test_who_is_only_hurt_leaves(self, need, act):
        listener, mood, outcome = plain(need), first_mood(Difficulty()), None
        for left in range(9, -1, -1):
            felt = next_mood(mood, (piece(act),), listener, resisting=False)
            assert felt.mood.emotion < mood.emotion
            mood, outcome = felt.mood, ending(felt.mood, (piece(act),), P, turns_left=left)
            if outcome:
                break
        assert outcome == "left"
        assert left > 0

    def test_a_cut_is_said_and_no_cut_is_not(self):
        listener = plain("absolution")
        hurt = (piece("blame", intensity=1.25),)
        near_the_end = Mood(0.5, 0.5)
        assert next_mood(near_the_end, hurt, listener, resisting=False).saturated
        calm = next_mood(self.CALM, (piece("presence"),), listener, resisting=False)
        assert not calm.saturated
        assert math.isclose(self.CALM.emotion + calm.change, calm.mood.emotion)
