import pytest

from empathy_env import Agent, Task, load_agent, rollouts
from empathy_env.audit import scenarios
from empathy_env.difficulty import Difficulty
from empathy_env.measures.reuse import lines, reuse, runs

WANTED = scenarios("split:dev", episodes=12, difficulty=Difficulty(), seed=0)
TASK = Task(personas="all")


def found(reply):
    agent = Agent("mine", "", cheats=False, reply=reply)
    return reuse(list(rollouts(TASK, agent, WANTED)))


def turn(messages):
    return sum(message["role"] == "assistant" for message in messages)


def test_who_says_one_script_to_everybody_shares_all_of_it_and_repeats_nothing():
    same = found(lambda messages, rng: f"This is sentence {turn(messages)} of my old talk.")
    # The talks differ in length, so that not every line of the longer ones is in all others.
    assert same.runs.mean > 0.8
    assert same.lines.mean > 0.8
    mine = [f"number {number} {number} {number} {number}" for number in range(20)]
    assert found(lambda messages, rng: mine[turn(messages)]).within.mean == 0.0


def test_who_says_one_line_over_and_over_repeats_it_within_the_talk():
    again = found(lambda messages, rng: "What was it like for you?")
    assert again.within.mean == pytest.approx(0.9, abs=0.1)


def test_who_says_the_persons_words_back_shares_little():
    shared = reuse(list(rollouts(TASK, load_agent("parrot"), WANTED)))
    assert shared.runs.mean < 0.05
    assert shared.lines.mean < 0.05


def test_the_share_does_not_grow_with_the_number_of_talks():
    def reply(messages, rng):
        return "I hear you saying this: " + messages[-1]["content"]

    agent = Agent("mine", "", cheats=False, reply=reply)
    more = scenarios("split:dev", episodes=60, difficulty=Difficulty(), seed=0)
    few, many = (reuse(list(rollouts(TASK, agent, one))) for one in (WANTED, more))
    assert many.runs.mean == pytest.approx(few.runs.mean, abs=0.03)


def test_one_person_or_no_words_leave_nothing_to_compare():
    assert found(lambda messages, rng: "") is None
    one = [s for s in WANTED if s.persona.id == WANTED[0].persona.id]
    assert reuse(list(rollouts(TASK, load_agent("listener"), one))) is None


def test_pieces_do_not_cross_sentences_in_lines_and_do_in_runs():
    assert lines("One two three. Four five six seven!") == {"four five six seven"}
    assert "three four five six" in runs("One two three. Four five six seven!")
