from dataclasses import replace

import numpy as np
import pytest

from empathy_env import Agent, Task, rollouts
from empathy_env.audit import scenarios
from empathy_env.difficulty import Difficulty
from empathy_env.measures.dependence import dependence, information, told_in_time

TASK = Task(personas="all")
WANTED = scenarios("split:dev", episodes=52, difficulty=Difficulty(), seed=0)
ASKS = ["How did it come to that?", "What was that like for you?", "What happened then?"]


def asking(then):
    """Return an agent that asks for three turns, and then does as `then` says of the talk."""

    def reply(messages, rng, talk):
        turn = len(talk.turns)
        return ASKS[turn] if turn < len(ASKS) else then(talk, rng)

    return Agent("mine", "", cheats=True, reply=reply)


def talks(then):
    return list(rollouts(TASK, asking(then), WANTED))


KNOWING = {
    "concrete_advice": "You could write down one small thing to do tomorrow.",
    "absolution": "It isn't your fault.",
}


def test_an_agent_that_answers_the_need_depends_on_it():
    found = dependence(
        talks(lambda talk, rng: KNOWING.get(talk.room.scenario.need, "Go on, I'm listening."))
    )
    assert found.bits.mean > 0.3
    assert found.bits.low > 0.0
    assert found.p_value < 0.01


def test_one_that_says_the_same_to_all_does_not():
    found = dependence(talks(lambda talk, rng: "Go on, I'm listening."))
    assert abs(found.bits.mean) < 0.02
    assert found.p_value > 0.05


def test_one_that_acts_at_random_is_not_taken_to_depend_for_having_many_acts():
    """The plug-in estimate is above 0 for it; the permutations take that off."""
    lines = [*KNOWING.values(), "Go on, I'm listening.", "You sound sad.", "You did that well."]
    found = dependence(talks(lambda talk, rng: rng.choice(lines)))
    assert found.chance > 0.02
    assert abs(found.bits.mean) < found.chance / 2
    assert found.bits.low < 0.0
    assert found.p_value > 0.05


def test_it_is_not_measurable_where_the_need_never_comes_up():
    silent = Agent("mine", "", cheats=False, reply=lambda messages, rng: "")
    traces = list(rollouts(TASK, silent, WANTED))
    assert not any(map(told_in_time, traces))
    assert dependence(traces) is None


def test_only_what_comes_after_the_telling_can_answer_it():
    for trace in talks(lambda talk, rng: "Go on, I'm listening."):
        own = {fact.id for fact in trace.scenario.variant.facts}
        told = [n for n, turn in enumerate(trace.turns, 1) if own & set(turn.answers[0].told)]
        if told and told[0] < len(trace.turns):
            assert not told_in_time(trace.prefix(told[0]))
            assert told_in_time(trace.prefix(told[0] + 1))
            return
    pytest.fail("nobody told anything")


def test_what_was_not_said_aloud_cannot_be_answered():
    """At low disclosure a gate opens, and the words are kept back all the same."""
    for trace in talks(lambda talk, rng: "Go on, I'm listening."):
        if told_in_time(trace):
            kept = tuple(
                replace(turn, answers=(turn.answers[0]._replace(withheld=turn.answers[0].told),))
                for turn in trace.turns
            )
            assert not told_in_time(replace(trace, turns=kept))
            return
    pytest.fail("nobody told anything")


def test_information_is_that_of_the_definition():
    rows, needs = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0, 1, 2])
    # H(act) = 1; given the need 0, 0, and 1 with the weight 1/2.
    assert information(rows, needs) == 0.5
