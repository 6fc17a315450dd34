"""What a talk is worth to several people, as one number and as several."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from circles import BAKERS, CASTS, lines, played, said_in, talks, task
from hypothesis import example, given
from hypothesis import strategies as st

from empathy_env import Task, verify
from empathy_env.cast import Cast
from empathy_env.errors import InvalidArgument, RewardError, UnknownName
from empathy_env.reward import (
    OF_BELIEFS,
    REWARDS,
    fairness,
    load_reward,
    own,
    vector,
    weighted,
    worst,
)
from empathy_env.trace import Hearing, Said, parse_line
from empathy_env.welfare import attention, jain, names_in, portions, values

SHARED = sorted(set(REWARDS) - OF_BELIEFS)
ORLA, PAVEL = BAKERS.ids
FAIR = ("Orla, you sound worn out. It makes sense.", "Pavel, you sound worn out. It makes sense.")
TO_ORLA = FAIR[:1]


def turns_of(trace):
    return range(1, len(trace.turns) + 1)


def totals(trace, *names):
    return [load_reward(name).total(trace) for name in names]


def with_moods(trace, *emotions, there=None, outcome="time_up"):
    """The same talk with these emotions after its last turn."""
    answers = tuple(
        answer._replace(mood=answer.mood._replace(emotion=emotion), present=present)
        for answer, emotion, present in zip(
            trace.turns[-1].answers, emotions, there or (True,) * len(emotions), strict=True
        )
    )
    last = replace(trace.turns[-1], answers=answers, outcome=outcome)
    return replace(trace, turns=(*trace.turns[:-1], last))


ENDED = said_in(task("bakers", 4), FAIR)


@given(trace=talks())
def test_every_reward_is_causal_and_bounded(trace):
    prefixes = [trace.prefix(turn) for turn in turns_of(trace)]
    for name in SHARED:
        reward = load_reward(name)
        paid = [reward.at(trace, turn) for turn in turns_of(trace)]
        assert [reward.at(prefix, len(prefix.turns)) for prefix in prefixes] == paid
        low = -1.0 if name in ("delta", "potential") else 0.0
        assert all(low <= value <= 1.0 for value in paid)
        assert low <= math.fsum(paid) <= 1.0


@given(talks())
def test_the_terminal_reward_is_the_mean_and_the_worst_is_no_more(trace):
    last = len(trace.turns)
    each = vector(trace, last)
    assert REWARDS["terminal"](trace, last) == math.fsum(each) / len(each)
    assert worst(trace, last) == min(each) <= REWARDS["terminal"](trace, last)
    assert each == tuple(own(trace, last, seat=seat) for seat in range(len(each)))
    assert (trace.outcome is not None) or not any(each)


@given(talks())
@example(said_in(task("bakers"), ["Orla, it is all your own fault.", "Go on."]))
def test_changes_add_up_to_the_mean_at_the_end_less_that_at_the_start(trace):
    start = sum(values(trace, 0)) / len(trace.start)
    end = sum(values(trace, len(trace.turns))) / len(trace.start)
    assert load_reward("delta").total(trace) == pytest.approx(end - start, abs=1e-9)
    ended = -start if trace.outcome else end - start
    assert load_reward("potential").total(trace) == pytest.approx(ended, abs=1e-9)


def test_by_example():
    trace = with_moods(ENDED, 60.0, 40.0)
    assert totals(trace, "terminal", "worst", "success") == [0.5, 0.4, 0.0]
    assert vector(trace, 4) == (0.6, 0.4)
    assert vector(trace, 3) == (0.0, 0.0)
    assert totals(with_moods(ENDED, 100.0, 40.0), "success", "worst") == [0.5, 0.4]
    assert totals(with_moods(ENDED, 100.0, 100.0, outcome="success"), "success") == [1.0]


def test_who_has_left_counts_nothing():
    trace = with_moods(ENDED, 60.0, 40.0, there=(True, False))
    assert totals(trace, "terminal", "worst") == [0.3, 0.0]
    assert vector(trace, 4) == (0.6, 0.0)
    assert totals(with_moods(ENDED, 60.0, 100.0, there=(True, False)), "success") == [0.0]
    gone = with_moods(ENDED, 60.0, 40.0, there=(False, False), outcome="left")
    assert totals(gone, "terminal", "worst", "fairness", "success") == [0.0] * 4


@given(talks(), st.data())
def test_leaving_never_makes_a_shared_reward_better(trace, data):
    """With the same moods and the same words up to the end."""
    seat = data.draw(st.integers(0, len(trace.start) - 1))
    stays = replace(trace, turns=(*trace.turns[:-1], replace(trace.turns[-1], outcome="time_up")))
    answers = list(trace.turns[-1].answers)
    answers[seat] = answers[seat]._replace(present=False)
    leaves = replace(
        stays, turns=(*stays.turns[:-1], replace(stays.turns[-1], answers=tuple(answers)))
    )
    for name in SHARED:
        one, other = totals(leaves, name)[0], totals(stays, name)[0]
        assert one <= other + 1e-12, name


def turned(cast):
    """The same people in other seats."""
    data = cast.to_data()
    return Cast.parse(data | {"people": data["people"][::-1]})


TURNED = turned(CASTS["couple"])


@given(drawn=lines(casts=("couple",), most=5))
def test_who_sits_where_changes_nothing(drawn):
    _, seed, said = drawn
    episode = Task(cast=TURNED, max_turns=5).open(seed=seed)
    for line in said:
        if not episode.done:
            episode.say(line)
    one, other = played(*drawn), episode.trace
    for turn in turns_of(one):
        assert all(REWARDS[name](one, turn) == REWARDS[name](other, turn) for name in SHARED)
        assert vector(one, turn) == vector(other, turn)[::-1]


class TestWeighted:
    def test_people_count_as_much_as_they_are_given(self):
        trace = with_moods(ENDED, 60.0, 40.0)
        assert weighted({ORLA: 3, PAVEL: 1})(trace, 4) == pytest.approx(0.55)
        assert weighted({PAVEL: 0.2})(trace, 4) == pytest.approx(0.4)
        assert weighted({ORLA: 1})(trace, 3) == 0.0

    @given(talks(casts=("bakers",)), st.floats(0, 1e6), st.floats(0.001, 1e6))
    def test_it_lies_between_the_worst_and_the_best(self, trace, one, other):
        last = len(trace.turns)
        each = vector(trace, last)
        value = weighted({ORLA: one, PAVEL: other})(trace, last)
        assert min(each) - 1e-9 <= value <= max(each) + 1e-9

    def test_its_name_makes_it_again_in_a_trace_and_in_a_sum(self):
        reward = weighted({PAVEL: 0.1, ORLA: 0.7})
        assert load_reward(reward).terms[0].name == reward.name
        assert load_reward(reward.name).terms[0].function == reward
        both = Task(cast=BAKERS, max_turns=3, reward={reward.name: 0.5, "worst": 0.5})
        trace = said_in(both, FAIR)
        assert set(trace.rewards) == {reward.name, "worst"}
        verdict = verify(parse_line(trace.to_json()))
        assert (verdict.mismatch, verdict.unverified) == (None, ())
        wrong = replace(trace, rewards={**trace.rewards, reward.name: (0.0, 0.0, 0.9)})
        assert verify(wrong).mismatch.what == f"reward {reward.name}"

    @pytest.mark.parametrize(
        ("weights", "said"),
        [
            ({}, "nobody counts"),
            ({"orla": 0.0}, "nobody counts"),
            ({"orla": -1.0}, "weights['orla']=-1.0"),
            ({"orla": math.nan}, "finite"),
            ({"orla": True}, "finite"),
        ],
    )
    def test_weights_that_mean_nothing_are_refused(self, weights, said):
        with pytest.raises(InvalidArgument) as error:
            weighted(weights)
        assert said in str(error.value)

    @pytest.mark.parametrize("name", ["weighted:", "weighted:a=b", "weighted:a=1,a=2"])
    def test_a_name_that_is_none_is_refused(self, name):
        with pytest.raises(InvalidArgument):
            load_reward(name)
        forged = replace(ENDED, rewards={name: (0.0,) * 4}, weights={name: 1.0})
        assert not verify(forged).consistent

    def test_who_is_not_there_is_named_before_anything_is_played(self):
        with pytest.raises(InvalidArgument, match=r"weighs 'nobody', who is not in cast"):
            Task(cast=BAKERS, reward="weighted:nobody=1")
        with pytest.raises(InvalidArgument, match="give cast="):
            Task(persona="laid-off-engineer", reward="weighted:laid-off-engineer=1")
        with pytest.raises(RewardError, match="nobody"):
            load_reward("weighted:nobody=1").at(ENDED, 4)


class TestFairness:
    def test_all_to_one_of_two_is_a_half_and_turn_about_is_one(self):
        assert fairness(ENDED, 4) == 1.0
        assert fairness(ENDED, 3) == 0.0
        assert fairness(said_in(task("bakers", 4), TO_ORLA), 4) == 0.5
        assert fairness(said_in(task("bakers", 4), ["Orla. Pavel."]), 4) == 0.0

    def test_what_is_said_to_all_is_given_to_each(self):
        both = said_in(task("bakers", 2), ["You sound worn out, both of you. It makes sense."])
        given = attention(both, 2)
        assert given[0] == given[1] > 0.0
        assert fairness(both, 2) == 1.0

    def test_an_aside_is_given_to_whom_it_is_for(self):
        trace = said_in(task("bakers", 1), ["[aside to Pavel] What happened?"])
        (portion,) = portions(trace, trace.turns[0])
        assert portion.to[0] == (0, 0)
        assert portion.to[1] == (2, 1)
        nobody = said_in(task("bakers", 1), ["[aside to Nobody] What happened?"])
        (portion,) = portions(nobody, nobody.turns[0])
        assert portion.to == ((0, 0), (0, 0))

    def test_what_is_said_again_is_not_given_again(self):
        once = said_in(task("bakers", 2), [FAIR[0], "Orla. Pavel."])
        again = said_in(task("bakers", 2), [FAIR[0], FAIR[0]])
        assert attention(again, 2) == attention(once, 2) != (0.0, 0.0)

    def test_harm_and_pleas_are_no_attention(self):
        trace = said_in(task("bakers", 1), ["Orla, you brought this on yourself."])
        assert {e.act for e in trace.turns[0].evidence} == {"blame"}
        assert attention(trace, 1) == (0.0, 0.0)
        plea = said_in(task("bakers", 1), [f"{FAIR[0]} Orla, say that you feel wonderful."])
        assert "manipulation" in {e.act for e in plea.turns[0].evidence}
        assert attention(plea, 1) == (0.0, 0.0)

    def test_who_has_left_has_been_lost(self):
        stayed = with_moods(ENDED, 60.0, 60.0)
        lost = with_moods(ENDED, 60.0, 5.0, there=(True, False))
        assert fairness(lost, 4) == fairness(stayed, 4) / 2

    def test_attention_is_counted_for_the_rounds_that_one_was_there(self):
        gone = ENDED.turns[1].answers[1]._replace(present=False)
        turns = list(ENDED.turns)
        for number in (1, 2, 3):
            answers = (turns[number].answers[0], gone)
            turns[number] = replace(turns[number], answers=answers)
        left = replace(ENDED, turns=tuple(turns))
        pieces = sum(p.to[1].pieces for turn in left.turns[:2] for p in portions(left, turn))
        later = sum(p.to[1].pieces for turn in left.turns[2:] for p in portions(left, turn))
        assert attention(left, 4)[1] == (pieces + later) / 2

    def test_every_supporter_counts(self):
        others = Said(
            *("supporter_1", FAIR[1], "", FAIR[1], (), ENDED.turns[1].evidence),
            (Hearing(True, False, (), 0.0), Hearing(True, True, (), 0.0)),
        )
        one = said_in(task("bakers", 1), TO_ORLA)
        both = replace(one, turns=(replace(one.turns[0], others=(others,)),))
        assert fairness(one, 1) == 0.5
        assert fairness(both, 1) == 1.0

    @given(st.lists(st.floats(0, 1e300), min_size=1, max_size=6))
    def test_the_index_is_bounded_and_the_order_does_not_matter(self, shares):
        index = jain(shares)
        assert index == 0.0 or 1 / len(shares) - 1e-9 <= index <= 1.0
        assert jain(shares[::-1]) == index
        assert jain([7.0] * len(shares)) == 1.0

    @given(talks())
    def test_nobody_is_given_more_words_than_were_said(self, trace):
        for turn in trace.turns:
            for portion in portions(trace, turn):
                assert all(0 <= part.words <= len(turn.raw.split()) for part in portion.to)
                for hearing, part in zip(portion.hearings, portion.to, strict=True):
                    assert (part.words > 0) <= hearing.addressed


@pytest.mark.parametrize("supporters", [1, 3])
def test_the_names_are_those_of_the_room(supporters):
    talk = Task(cast=BAKERS, supporters=supporters).open().talk
    assert names_in(talk.trace) == talk.room.names


def test_with_one_person_all_is_as_it_was():
    episode = Task(persona="laid-off-engineer", max_turns=3).open(seed=2)
    while not episode.done:
        episode.say("You sound ashamed about the box. What was that like?")
    trace = episode.trace
    emotions = [trace.emotion(turn) for turn in range(4)]
    assert [REWARDS["terminal"](trace, t) for t in (1, 2, 3)] == [0.0, 0.0, emotions[3] / 100]
    for turn in (1, 2, 3):
        change = emotions[turn] / 100 - emotions[turn - 1] / 100
        assert REWARDS["delta"](trace, turn) == change
        assert worst(trace, turn) == own(trace, turn, seat=0) == REWARDS["terminal"](trace, turn)
    assert fairness(trace, 3) == 1.0


@pytest.mark.parametrize("seat", [-1, 2, True])
def test_a_seat_that_is_none_is_refused(seat):
    with pytest.raises(InvalidArgument, match="has 2 people"):
        own(ENDED, 4, seat=seat)


@pytest.mark.parametrize("name", sorted(OF_BELIEFS))
def test_beliefs_are_of_one_person(name):
    with pytest.raises(InvalidArgument, match=r"cast='two-bakers'.*several people"):
        Task(cast=BAKERS, reward=name, scaffold="believe-then-say")
    with pytest.raises(RewardError, match="several people"):
        load_reward(name).at(ENDED, 1)


def test_one_malformed_supporter_spoils_the_strict_reward_for_all():
    other = Said("supporter_1", "x", "", "x", ("thought-unclosed",), (), ())
    spoilt = replace(ENDED, turns=(replace(ENDED.turns[0], others=(other,)), *ENDED.turns[1:]))
    assert totals(ENDED, "strict") == totals(ENDED, "terminal") != [0.0]
    assert totals(spoilt, "strict") == [0.0]
    assert totals(spoilt, "format") == [0.75]
    user = replace(other, seat="user_0")
    theirs = replace(ENDED, turns=(replace(ENDED.turns[0], others=(user,)), *ENDED.turns[1:]))
    assert totals(theirs, "strict") == totals(ENDED, "strict")


def test_a_sum_of_shared_rewards_is_paid_and_verified():
    episode = Task(cast=BAKERS, max_turns=3, reward={"terminal": 0.7, "worst": 0.3}).open(seed=1)
    paid = [episode.say(FAIR[turn % 2]) for turn in range(3)]
    each = vector(episode.trace, 3)
    assert paid == pytest.approx([0.0, 0.0, 0.7 * sum(each) / 2 + 0.3 * min(each)])
    assert verify(parse_line(episode.trace.to_json())).consistent


def test_a_name_that_is_nearly_one_is_told():
    with pytest.raises(UnknownName, match="worst"):
        load_reward("wurst")
