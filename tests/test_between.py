"""How one utterance is taken by all who are in the room: the laws, as properties over `taken`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from moods import ROUNDING, TOPICS, P, listeners, moods, piece, pieces, plain
from rooms import cast_of

from empathy_env.acts import ACTS, HARMFUL
from empathy_env.address import addressed
from empathy_env.between import _SIDING, MOVES, Ear, Utterance, taken
from empathy_env.cast import Cast, Member, Toward
from empathy_env.emotion import Mood, credit, next_mood
from empathy_env.persona import NEEDS

FRIENDS = cast_of("friends")
NAMES = FRIENDS.names
IDS = FRIENDS.ids
SAYINGS = (
    "you sound so hurt.",
    "you are right.",
    "that is not true. I never said that.",
    "what was it like?",
    "{0} has tried so hard.",
    "{0} should not have done that.",
    "{0} is right.",
    "and I hear that the shutter was open.",
)
NEUTRAL = tuple(act for act in ACTS if act not in _SIDING and act != "manipulation")


@cache
def related(stands: tuple[tuple[float, float, tuple[str, ...]], ...]) -> Cast:
    """The friends, standing to each other as given: closeness, tension and concerns."""
    left = iter(stands)
    people = []
    for seat, member in enumerate(FRIENDS.people):
        toward = []
        for other in IDS[:seat] + IDS[seat + 1 :]:
            close, tense, concerns = next(left)
            toward.append(
                Toward.model_construct(
                    **{**dict(Toward(who=other, relation="a friend")), "closeness": close}
                    | {"tension": tense, "concerns": concerns}
                )
            )
        people.append(Member.model_construct(persona=member.persona, toward=tuple(toward)))
    return Cast.model_construct(**{**dict(FRIENDS), "people": tuple(people)})


some = st.sampled_from((0.0, 0.3, 0.8, 1.0))
casts = st.lists(
    st.tuples(some, some, st.sampled_from(((), ("box",), ("wife", "shame")))),
    min_size=6,
    max_size=6,
).map(tuple)
"""How they stand to each other; of a whole cast the report of a failure would be too long."""


class Ears(list):
    """Ears that are reported without the protocol, which would fill pages."""

    def __repr__(self):
        return str([(ear.mood[:6], ear.listener.need, ear[2:]) for ear in self])


ears = st.lists(
    st.builds(
        Ear,
        mood=moods,
        listener=listeners(),
        waits=st.integers(0, 4),
        resisting=st.booleans(),
        swing=st.floats(-1, 1),
        present=st.sampled_from((True, True, True, False)),
    ),
    min_size=3,
    max_size=3,
).map(Ears)
topics = st.none() | st.tuples(st.sampled_from(IDS), st.sampled_from(TOPICS)).map("/".join)


speakers = st.none() | st.integers(0, 2)


@st.composite
def utterances(draw, speaker=speakers):
    """Words with evidence in some of their parts, by a supporter or by one of the users."""
    text = ""
    for _ in range(draw(st.integers(1, 3))):
        called = draw(st.sets(st.sampled_from(NAMES), max_size=2))
        saying = draw(st.sampled_from(SAYINGS)).format(draw(st.sampled_from(NAMES)))
        text += f"{' and '.join(sorted(called))}, {saying} " if called else f"{saying} "
    if draw(st.booleans()):
        text = f"[aside to {draw(st.sampled_from(NAMES))}] {text}"
    said = addressed(text, (*NAMES, "Supporter"))
    offset = len(text) - len(said.text)
    evidence = [
        draw(pieces())._replace(start=place, end=place + 2, topic=draw(topics))
        for place in draw(st.lists(st.integers(offset, len(text) - 2), max_size=4))
    ]
    seats = st.frozensets(st.integers(0, 2), max_size=2)
    by = draw(speaker)
    over, exposed = (draw(seats), draw(seats)) if by is not None else (frozenset(), frozenset())
    return Utterance(by, said, tuple(evidence), offset, over, exposed)


by_supporter = utterances(speaker=st.none())


def alone(*, mood=None, need="deep_empathy", waits=0, difficulty=None, present=True):
    listener = plain(need, P) if difficulty is None else plain(need, P, difficulty)
    return Ear(mood or Mood(40.0, 0.15), listener, waits, present=present)


def said_to(text, *evidence, speaker=None, **fields):
    """An utterance with pieces of evidence, each where its quote stands first."""
    said = addressed(text, (*NAMES, "Supporter"))
    offset = len(text) - len(said.text)
    placed = tuple(
        item._replace(start=text.index(quote), end=text.index(quote) + len(quote), quote=quote)
        for quote, item in evidence
    )
    return Utterance(speaker, said, placed, offset, **fields)


class TestBounded:
    @given(utterances(), casts, ears)
    def test_every_component_stays_in_its_range(self, utterance, cast, ears):
        cast = related(cast)
        for one in taken(utterance, cast, ears):
            mood = one.mood
            assert 0 <= mood.emotion <= P.success
            assert all(0 <= part <= 1 for part in (mood.trust, mood.heard, mood.met, mood.strain))

    @given(utterances(), casts, ears)
    def test_it_moves_nobody_by_more_than_the_clamp(self, utterance, cast, ears):
        """Moves between people and what passes on from others included."""
        cast = related(cast)
        for ear, one in zip(ears, taken(utterance, cast, ears), strict=True):
            assert abs(one.mood.emotion - ear.mood.emotion) <= P.clamp + ROUNDING
            change = one.mood.emotion - ear.mood.emotion
            assert one.hearing.change == pytest.approx(change, abs=ROUNDING)
            if one.felt is not None:
                assert one.felt.change == one.hearing.change
                assert one.felt.mood == one.mood

    @given(utterances(), casts, ears)
    def test_nobody_passes_the_ceiling_whose_need_is_not_met(self, utterance, cast, ears):
        cast = related(cast)
        for ear, one in zip(ears, taken(utterance, cast, ears), strict=True):
            if one.mood.met < P.need_met:
                assert one.mood.emotion <= max(ear.mood.emotion, P.ceiling) + ROUNDING

    @pytest.mark.parametrize("emotion", [P.ceiling - 0.5, P.ceiling, P.ceiling + 5.0])
    def test_to_be_agreed_with_is_no_way_past_it(self, emotion):
        agreed = said_to(f"{NAMES[1]}, you are right.", speaker=0)
        cast = related(((1.0, 0.0, ()),) * 6)
        for met in (0.0, 1.0):
            ear = alone(mood=Mood(emotion, 0.15, met=met))
            after = taken(agreed, cast, [ear] * 3)[1].mood.emotion
            assert (after > max(emotion, P.ceiling)) == bool(met)

    @given(utterances(), casts, ears)
    def test_only_known_moves_are_recorded_each_once(self, utterance, cast, ears):
        cast = related(cast)
        for one in taken(utterance, cast, ears):
            assert set(one.hearing.moves) <= set(MOVES)
            assert len(set(one.hearing.moves)) == len(one.hearing.moves)


class TestWhoIsReached:
    @given(utterances(), casts, ears)
    def test_who_has_left_or_speaks_feels_nothing(self, utterance, cast, ears):
        cast = related(cast)
        for seat, one in enumerate(taken(utterance, cast, ears)):
            if seat == utterance.speaker or not ears[seat].present:
                assert one.mood == ears[seat].mood
                assert not one.hearing.heard
                assert one.hearing.moves == ()

    @given(casts, ears, st.sampled_from(NAMES), st.lists(pieces(), max_size=3))
    def test_what_is_aside_is_the_same_for_the_others_whatever_it_was(
        self, cast, ears, name, evidence
    ):
        cast = related(cast)
        quiet = said_to(f"[aside to {name}] you sound so hurt.")
        start = quiet.offset
        evidence = tuple(item._replace(start=start, end=start + 2) for item in evidence)
        seat = NAMES.index(name)
        one = taken(quiet, cast, ears)
        again = taken(replace(quiet, evidence=evidence), cast, ears)
        for index in range(3):
            if index != seat:
                assert one[index] == again[index]
                assert not one[index].hearing.heard
                if "ignored" not in one[index].hearing.moves:
                    assert one[index].mood == ears[index].mood

    @given(by_supporter, casts, ears, st.permutations(range(3)))
    def test_the_seats_can_be_exchanged(self, utterance, cast, ears, order):
        cast = related(cast)
        people = tuple(cast.people[old] for old in order)
        other = Cast.model_construct(**{**dict(cast), "people": people})
        names = (*(NAMES[old] for old in order), "Supporter")
        text = utterance.said.text
        if utterance.said.aside:
            to = NAMES[utterance.said.to[0]]
            text = f"[aside to {to}] {text}"
        moved = replace(utterance, said=addressed(text, names))
        one = taken(utterance, cast, ears)
        again = taken(moved, other, [ears[old] for old in order])
        assert [one[old] for old in order] == again

    @given(st.integers(0, 2), st.lists(st.sampled_from(SAYINGS[:4]), min_size=1), casts, ears)
    def test_who_tells_their_own_story_to_nobody_does_nothing_to_anybody(
        self, speaker, said, cast, ears
    ):
        story = replace(said_to(" ".join(said)), speaker=speaker)
        for ear, one in zip(ears, taken(story, related(cast), ears), strict=True):
            assert one.mood == ear.mood


class TestFitPays:
    """What is said to one alone, and takes no sides, works as in a talk of two."""

    @given(casts, ears, pieces(NEUTRAL), pieces(NEUTRAL), st.lists(pieces(NEUTRAL), max_size=2))
    def test_a_better_fitting_act_never_lowers_them(self, cast, ears, one, other, rest):
        cast = related(cast)
        ears[0] = ears[0]._replace(present=True)
        one, other = (each._replace(topic=None) for each in (one, other))
        worth = [credit(each, ears[0].mood, ears[0].listener) for each in (one, other)]
        worse, better = (one, other) if worth[0] <= worth[1] else (other, one)
        found = self.by_replacing(cast, ears, rest, worse, better)
        assert found[0].mood.emotion <= found[1].mood.emotion + ROUNDING
        assert found[0].mood.trust <= found[1].mood.trust + ROUNDING

    @given(
        casts,
        ears,
        st.sampled_from(HARMFUL),
        pieces(NEUTRAL),
        st.lists(pieces(NEUTRAL), max_size=2),
    )
    def test_a_harmful_act_never_helps_them(self, cast, ears, harmful, other, rest):
        cast = related(cast)
        ears[0] = ears[0]._replace(present=True)
        harm, other = piece(harmful), other._replace(topic=None)
        assume(credit(harm, ears[0].mood, ears[0].listener) < 0)
        assume(credit(other, ears[0].mood, ears[0].listener) >= 0)
        found = self.by_replacing(cast, ears, rest, harm, other)
        assert found[0].mood.emotion <= found[1].mood.emotion + ROUNDING
        assert found[0].mood.trust <= found[1].mood.trust + ROUNDING

    @staticmethod
    def by_replacing(cast, ears, rest, *choices):
        """How the first of them takes it, said to them with each of these pieces."""
        text = f"{NAMES[0]}, you have said so. {NAMES[1]}, and so have you."
        one, other = text.index("so"), text.rindex("so")
        found = []
        for choice in choices:
            evidence = [choice._replace(start=one, end=one + 2, topic=None)]
            evidence += [item._replace(start=other, end=other + 2, topic=None) for item in rest]
            found.append(taken(replace(said_to(text), evidence=tuple(evidence)), cast, ears)[0])
        return found

    @given(ears, pieces(), st.sampled_from(NEEDS))
    def test_to_one_alone_it_is_felt_as_in_a_talk_of_two(self, ears, item, need):
        cast = related(((0.0, 0.0, ()),) * 6)
        ears[0] = ears[0]._replace(present=True)
        item = item._replace(topic=item.topic and f"{IDS[0]}/{item.topic}")
        utterance = said_to(f"{NAMES[0]}, what was that.", ("what was", item))
        one = taken(utterance, cast, ears)[0]
        assume(one.hearing.moves == ("named",))
        own = item._replace(topic=item.topic and item.topic.split("/")[1])
        ear = ears[0]
        felt = next_mood(ear.mood, (own,), ear.listener, resisting=ear.resisting, swing=ear.swing)
        assert one.mood.emotion == pytest.approx(felt.mood.emotion, abs=ROUNDING)
        assert one.felt.good == felt.good

    def test_what_is_said_to_two_is_shared_between_them(self):
        cast, item = related(((0.0, 0.0, ()),) * 6), piece("reflection", grounded=True)
        to_one = said_to(f"{NAMES[0]}, you sound so hurt.", ("you sound", item))
        to_two = said_to(f"{NAMES[0]} and {NAMES[1]}, you sound so hurt.", ("you sound", item))
        to_all = said_to("You sound so hurt.", ("You sound", item))
        goods = [taken(u, cast, [alone()] * 3)[0].felt.good for u in (to_one, to_two, to_all)]
        assert goods == [
            pytest.approx(goods[0]),
            pytest.approx(goods[0] / 2),
            pytest.approx(goods[0] / 3),
        ]

    def test_what_another_has_said_is_nothing_that_they_have_said(self):
        cast = related(((0.0, 0.0, ()),) * 6)
        found = []
        for whose in IDS[:2]:
            item = piece("reflection", topic=f"{whose}/box", grounded=True)
            said = said_to(f"{NAMES[0]}, you sound so hurt.", ("you sound", item))
            found.append(taken(said, cast, [alone()] * 3)[0])
        assert [one.own[0].topic for one in found] == ["box", None]
        assert [one.own[0].grounded for one in found] == [True, False]
        assert found[0].felt.good > found[1].felt.good

    def test_what_is_said_to_others_takes_attention_away(self):
        cast, item = related(((0.0, 0.0, ()),) * 6), piece("reflection", grounded=True)
        first = f"{NAMES[0]}, you sound so hurt."
        second = f" {NAMES[1]}, it must be hard."
        found = [
            taken(said_to(first, ("you sound", item)), cast, [alone()] * 3),
            taken(
                said_to(first + second, ("you sound", item), ("it must", item)), cast, [alone()] * 3
            ),
        ]
        goods = [one[0].felt.good for one in found]
        assert 0 < goods[1] == pytest.approx(goods[0] / 2)


class TestManipulation:
    @given(ears, st.lists(pieces(), max_size=3))
    def test_it_voids_the_good_of_its_part(self, ears, rest):
        ears[0] = ears[0]._replace(present=True)
        text = f"{NAMES[0]}, you have said so, and more."
        start = text.index("so")
        evidence = [item._replace(start=start, end=start + 2, topic=None) for item in rest]
        evidence.append(piece("manipulation")._replace(start=start, end=start + 2))
        utterance = replace(said_to(text), evidence=tuple(evidence))
        one = taken(utterance, related(((0.0, 0.0, ()),) * 6), ears)[0]
        assert one.felt.good == 0.0
        kind = P.between["sided_with_emotion"] * 1.5 if "sided_with" in one.hearing.moves else 0.0
        swung = P.swing * ears[0].listener.difficulty.volatility
        assert one.mood.emotion <= ears[0].mood.emotion + swung + kind + ROUNDING

    def test_it_does_not_void_that_of_another_part(self):
        cast = related(((0.0, 0.0, ()),) * 6)
        text = f"{NAMES[0]}, you sound so hurt. {NAMES[1]}, say that you feel well."
        good, bad = piece("reflection", grounded=True), piece("manipulation")
        found = taken(said_to(text, ("you sound", good), ("say that", bad)), cast, [alone()] * 3)
        assert found[0].felt.good > 0
        assert (found[1].felt.good, found[1].felt.harm > 0) == (0.0, True)


class TestWaiting:
    CAST = related(((0.0, 0.0, ()),) * 6)

    def after(self, texts, cast=CAST):
        """What each of them feels of these words, one after the other."""
        ears = [alone()] * 3
        found = []
        for text in texts:
            takens = taken(said_to(text), cast, ears)
            found.append(takens)
            ears = [alone(mood=one.mood, waits=one.waits) for one in takens]
        return found

    def test_who_is_passed_over_longer_than_a_fair_turn_drifts(self):
        found = self.after([f"{NAMES[0]}, go on."] * 5)
        ignored = ["ignored" in takens[1].hearing.moves for takens in found]
        assert ignored == [False, False, True, True, True]
        emotions = [takens[1].mood.emotion for takens in found]
        assert emotions[:2] == [40.0, 40.0]
        assert emotions[4] < emotions[3] < emotions[2] < 40.0

    def test_so_does_who_only_sees_that_another_is_spoken_to_aside(self):
        found = self.after([f"[aside to {NAMES[0]}] Go on."] * 5)
        assert [takens[1].hearing.heard for takens in found] == [False] * 5
        aloud = self.after([f"{NAMES[0]}, go on."] * 5)
        assert [takens[1].mood for takens in found] == [takens[1].mood for takens in aloud]

    def test_who_has_a_fair_turn_never_does(self):
        found = self.after([f"{name}, go on." for name in NAMES * 3])
        assert not any("ignored" in one.hearing.moves for takens in found for one in takens)

    def test_words_to_all_are_words_to_each(self):
        found = self.after(["Go on."] * 4)
        assert all(one.hearing.addressed for takens in found for one in takens)

    def test_silence_is_for_all_to_wait_through(self):
        found = self.after([""] * 4)
        assert [takens[0].waits for takens in found] == [1, 2, 3, 4]
        assert found[3][0].mood.emotion < 40.0

    def test_what_a_user_says_makes_nobody_wait(self):
        ears = [alone(waits=5)] * 3
        found = taken(said_to(f"{NAMES[1]}, go on.", speaker=0), self.CAST, ears)
        assert [one.waits for one in found] == [5, 5, 5]
        assert "ignored" not in found[2].hearing.moves


class TestMoves:
    def moves(self, text, *evidence, cast=None, **fields):
        cast = cast or related(((0.5, 0.5, ("box",)),) * 6)
        found = taken(said_to(text, *evidence, **fields), cast, [alone()] * 3)
        return [one.hearing.moves for one in found], found

    def test_to_be_named(self):
        moves, found = self.moves(f"{NAMES[0]}, go on.")
        assert moves == [("named",), (), ()]
        assert found[0].mood.trust > 0.15

    def test_to_take_sides(self):
        moves, found = self.moves(f"{NAMES[0]}, you are right. {NAMES[1]} should not have.")
        assert moves[0] == ("named", "sided_with")
        assert "sided_against" in moves[1]
        assert found[1].mood.emotion < 40.0 < found[0].mood.emotion + P.clamp
        assert found[1].mood.strain > 0.0

    def test_to_validate_what_is_held_against_another(self):
        item = piece("validation", topic=f"{IDS[0]}/box")
        moves, _ = self.moves(f"{NAMES[0]}, it makes sense.", ("it makes", item))
        assert "sided_with" in moves[0]
        assert "sided_against" in moves[1]
        other = item._replace(topic=f"{IDS[0]}/wife")
        moves, _ = self.moves(f"{NAMES[0]}, it makes sense.", ("it makes", other))
        assert "sided_with" not in moves[0]

    def test_to_be_spoken_well_of(self):
        item = piece("affirmation")
        text = f"{NAMES[0]}, {NAMES[1]} has tried so hard."
        moves, found = self.moves(
            text.replace(f" {NAMES[1]}", f" I see that {NAMES[1]}"), ("has tried", item)
        )
        assert moves[1] == ("spoken_of",)
        assert found[1].mood.trust > 0.15
        harm = piece("blame")
        moves, _ = self.moves(f"{NAMES[0]}, I see that {NAMES[1]} has tried.", ("has tried", harm))
        assert "spoken_of" not in moves[1]

    def test_to_be_contradicted_hurts_by_tension(self):
        text = f"{NAMES[1]}, that's not true."
        calm = related(((0.0, 0.0, ()),) * 6)
        tense = related(((0.0, 1.0, ()),) * 6)
        changes = []
        for cast in (calm, tense):
            moves, found = self.moves(text, cast=cast, speaker=0)
            assert moves == [(), ("contradicted",), ()]
            changes.append(found[1].hearing.change)
        assert changes[1] < changes[0] < 0

    def test_to_be_agreed_with(self):
        moves, found = self.moves(f"{NAMES[1]}, you are right.", speaker=0)
        assert moves == [(), ("agreed",), ()]
        assert found[1].hearing.change > 0

    def test_to_be_spoken_over_and_exposed(self):
        moves, found = self.moves(
            f"{NAMES[2]}, go on.", speaker=0, over=frozenset({1}), exposed=frozenset({2})
        )
        assert moves[1] == ("spoken_over",)
        assert "exposed" in moves[2]
        assert found[1].hearing.change < 0 > found[2].hearing.change

    @given(casts, ears)
    def test_to_take_sides_never_helps_the_other(self, cast, ears):
        cast = related(cast)
        utterance = said_to(f"{NAMES[0]}, you are right. {NAMES[1]} is to blame.")
        neutral = said_to(f"{NAMES[0]}, go on. I see {NAMES[1]}.")
        ears = [replace_swing(ear) for ear in ears]
        against, plainly = (taken(u, cast, ears)[1].mood for u in (utterance, neutral))
        assert against.trust <= plainly.trust + ROUNDING
        assert against.strain >= plainly.strain - ROUNDING


def replace_swing(ear):
    return ear._replace(swing=0.0, present=True)


class TestContagion:
    def change_of_other(self, closeness, text):
        cast = related(((closeness, 0.0, ()),) * 6)
        item = piece("reflection", grounded=True)
        found = taken(said_to(text, ("you sound", item)), cast, [alone()] * 3)
        return found[1].hearing.change, found[0].hearing.change

    def test_it_grows_with_closeness_and_stays_below_its_cause(self):
        text = f"{NAMES[0]}, you sound so hurt."
        far, near = (self.change_of_other(close, text) for close in (0.0, 1.0))
        assert far[0] == 0.0
        assert 0.0 < near[0] < near[1]

    def test_nothing_passes_on_of_what_is_said_aside(self):
        change, cause = self.change_of_other(1.0, f"[aside to {NAMES[0]}] you sound so hurt.")
        assert change == 0.0 < cause

    @given(by_supporter, ears)
    def test_in_all_it_gives_away_no_more_than_its_share(self, utterance, ears):
        """Nobody is moved more by the others than the others were in the mean."""
        close, apart = (related(((c, 0.0, ()),) * 6) for c in (1.0, 0.0))
        with_it, without = (taken(utterance, cast, ears) for cast in (close, apart))
        whole = sum(
            abs(one.mood.emotion - ear.mood.emotion) for one, ear in zip(without, ears, strict=True)
        )
        for one, other in zip(with_it, without, strict=True):
            share = P.between["contagion"] * whole / 2
            assert abs(one.mood.emotion - other.mood.emotion) <= share + ROUNDING
