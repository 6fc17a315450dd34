"""One person at run time: what is told, when, and how a mood is felt in a talk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from empathy_env import Scenario, Task, load_persona
from empathy_env.acts import Evidence
from empathy_env.cast import Cast, load_cast
from empathy_env.protocol import PROTOCOLS
from empathy_env.speaker import phrases
from empathy_env.user import SimulatedUser, rules_digest

MAREK = load_persona("laid-off-engineer")


def user(need="absolution", seed=1):
    return SimulatedUser(Scenario(persona=MAREK, need=need, seed=seed))


def piece(act, topic=None, *, grounded=True):
    return Evidence(act, "x", 0, 1, topic=topic, grounded=grounded)


def told_with(act, topic=None, *, trust, need="absolution", told=(), seeds=range(60)):
    """All that is told, over many seeds, in one turn with this act at this trust."""
    found = set()
    for seed in seeds:
        one = user(need, seed)
        state = one.first_state
        state = state._replace(
            mood=state.mood._replace(trust=trust), told=state.told | frozenset(told)
        )
        appraisal = (piece(act, topic),)
        felt = one.feel(state, appraisal, 1)
        found.update(one.disclose(state, appraisal, felt, 1))
    return found


def test_the_opening_has_told_what_has_no_gate():
    state = user().first_state
    assert state.told == {"box"}
    told = {topic.id for topic in user().topics(state) if topic.told}
    assert told == {"box"}


def test_only_the_drawn_variants_facts_can_be_told():
    assert {"report", "eleven", "warned"} <= {item.id for item in user().items}
    assert "monday" not in {item.id for item in user().items}
    assert told_with("open_question", trust=0.0) == {"report"}
    assert told_with("open_question", trust=0.0, need="concrete_advice") == {"monday"}


@pytest.mark.parametrize("act", ["suggestion", "information", "affirmation", "self_disclosure"])
def test_a_gate_with_acts_stays_shut_for_others(act):
    assert told_with(act, trust=0.0) == set()


def test_trust_opens_gates_and_what_takes_least_trust_comes_first():
    assert told_with("open_question", trust=0.6) == {"report"}
    told = ["report"]
    assert told_with("open_question", trust=0.6, told=told) == {"walked-out"}
    assert told_with("open_question", trust=0.0, told=[*told, "walked-out"]) == set()


def test_what_was_just_asked_about_comes_first():
    assert told_with("open_question", "reservoir", trust=0.6) == {"reservoir"}


def test_nobody_tells_anything_new_while_hurt_or_resisting():
    one = user()
    state = one.first_state
    appraisal = (piece("blame"), piece("open_question"))
    for turn in range(1, 40):
        felt = one.feel(state, appraisal, turn)
        assert one.disclose(state, appraisal, felt, turn) == ()
    appraisal = (piece("open_question"),)
    stubborn = state._replace(mood=state.mood._replace(resisting=True))
    for turn in range(1, 40):
        felt = one.feel(stubborn, appraisal, turn)
        if felt.mood.resisting:
            assert one.disclose(stubborn, appraisal, felt, turn) == ()


def test_the_noise_of_a_turn_depends_on_its_number_and_on_nothing_before_it():
    one = user()
    state = one.first_state
    kind, unkind = (piece("reflection"),), (piece("blame"),)
    after_kind = one.feel(state, kind, 1).mood
    after_unkind = one.feel(state, unkind, 1).mood
    assert after_kind.resisting == after_unkind.resisting


def test_the_digest_of_the_rules_is_stable_within_a_version():
    assert rules_digest() == rules_digest()
    assert len(rules_digest()) == 16


def test_asked_for_what_they_will_not_tell_yet_they_do_not_offer_something_else():
    assert told_with("open_question", "wife", trust=0.0) == set()
    assert told_with("open_question", "wife", trust=0.6) == {"wife"}


def test_asked_whether_they_are_safe_they_answer_that_and_tell_nothing_else():
    task = Task(persona=MAREK)
    for seed in range(40):
        episode = task.open(scenario=Scenario(persona=MAREK, need="absolution", seed=seed))
        episode.say("You sound ashamed about the box. Are you thinking of ending it all?")
        answer = episode.trace.turns[0].answers[0]
        assert answer.told == ()
        if answer.manner in ("guarded", "opens_up"):
            assert any(line in answer.reply for line in phrases("unharmed", "plain"))


def test_what_is_recorded_as_told_has_been_said():
    """Even by somebody who tells while they are hurt."""
    protocol = replace(PROTOCOLS["appraisal-v1"], reticent=9.0)
    told = 0
    for seed in range(60):
        scenario = Scenario(persona=MAREK, need="absolution", seed=seed, protocol=protocol)
        episode = Task(persona=MAREK).open(scenario=scenario)
        episode.say("You should write a list. What was it like?")
        answer = episode.trace.turns[0].answers[0]
        told += len(answer.told)
        for name in answer.told:
            assert SimulatedUser(scenario).by_id[name].says in answer.reply
    assert told


class TestInCompany:
    CAST = load_cast("third-friend")
    NEEDS = tuple(member.persona.needs[0].need for member in CAST.people)

    def seated(self, *order, seed=1):
        """The people of a cast in these seats, each with their own need."""
        people = [self.CAST.to_data()["people"][seat] for seat in order]
        cast = Cast.parse({**self.CAST.to_data(), "people": people})
        needs = tuple(self.NEEDS[seat] for seat in order)
        scenario = Scenario(cast=cast, needs=needs, seed=seed)
        return [SimulatedUser(scenario, seat) for seat in range(len(order))]

    def test_draws_and_weights_are_the_persons_in_whatever_seat(self):
        one, other = self.seated(0, 1, 2), self.seated(2, 0, 1)
        assert [user.rank for user in other] == [one[seat].rank for seat in (2, 0, 1)]
        assert [user.listener for user in other] == [one[seat].listener for seat in (2, 0, 1)]
        assert len({user.listener.weights for user in one}) == 3

    def test_each_resists_opens_and_tells_by_their_own_draws(self):
        appraisal = (piece("open_question"),)
        for seed in range(20):
            one, other = self.seated(0, 1, 2, seed=seed), self.seated(1, 2, 0, seed=seed)
            for seat, moved in ((0, 2), (1, 0), (2, 1)):
                users = one[seat], other[moved]
                felt = [user.feel(user.first_state, appraisal, 1) for user in users]
                assert felt[0] == felt[1]
                told = [
                    user.disclose(user.first_state, appraisal, each, 1)
                    for user, each in zip(users, felt, strict=True)
                ]
                assert told[0] == told[1]

    def test_a_topic_is_told_apart_from_anothers_of_the_same_name(self):
        for user in self.seated(0, 1, 2):
            topics = user.topics(user.first_state)
            assert all(topic.id.startswith(f"{user.persona.id}/") for topic in topics)
            assert [topic.id.split("/")[1] for topic in topics] == [item.id for item in user.items]
