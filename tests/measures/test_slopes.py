from dataclasses import replace

import pytest

from empathy_env import Agent, Task, rollouts
from empathy_env.audit import scenarios
from empathy_env.difficulty import Difficulty
from empathy_env.measures.slopes import emoji, markdown, slopes
from empathy_env.trace import Answer

TASK = Task(personas="all")
WANTED = scenarios("split:dev", episodes=26, difficulty=Difficulty(), seed=0)


def padded(messages, rng):
    """Say one of two things, with a random amount of talk and of hearts that mean nothing."""
    said = rng.choice(["You sound sad about it.", "What was that like for you?"])
    hearts = "\N{BLACK HEART SUIT}" * rng.randrange(4)
    return f"{said} {' '.join(['hm'] * rng.randrange(30))} {hearts}"


@pytest.fixture(scope="module")
def talks():
    return list(rollouts(TASK, Agent("mine", "", cheats=False, reply=padded), WANTED))


def paying(trace, worth):
    """Return the trace as if each turn had been paid for its surface besides."""
    turns, more = [], 0.0
    for turn in trace.turns:
        more += worth(turn.heard)
        answer: Answer = turn.answers[0]
        mood = answer.mood._replace(emotion=answer.mood.emotion + more)
        turns.append(replace(turn, answers=(answer._replace(mood=mood),)))
    return replace(trace, turns=tuple(turns))


def test_a_user_who_pays_for_acts_alone_has_no_slope_beyond_chance(talks):
    found = slopes(talks)
    for name in ("length", "emoji"):
        assert found[name].low <= 0.3
        assert abs(found[name].mean) < 0.6


def test_a_user_who_pays_for_length_or_emoji_shows_it_by_how_much(talks):
    long = slopes([paying(trace, lambda text: 2.0 * len(text.split()) / 10) for trace in talks])
    assert long["length"].mean == pytest.approx(2.0, abs=0.5)
    assert long["length"].low > 1.0
    hearts = slopes(
        [paying(trace, lambda text: 3.0 * text.count("\N{BLACK HEART SUIT}")) for trace in talks]
    )
    assert hearts["emoji"].mean == pytest.approx(3.0, abs=0.5)


def test_what_does_not_vary_is_not_measurable_rather_than_zero(talks):
    assert slopes(talks)["markdown"] is None
    same = Agent("mine", "", cheats=False, reply=lambda messages, rng: "You sound sad.")
    assert set(slopes(list(rollouts(TASK, same, WANTED))).values()) == {None}
    assert slopes(talks[:2]) == {"length": None, "emoji": None, "markdown": None}


def test_length_that_goes_with_the_act_is_not_told_apart_from_it():
    def reply(messages, rng):
        return rng.choice(
            ["You sound sad.", "What was that like for you, when it all came to that?"]
        )

    agent = Agent("mine", "", cheats=False, reply=reply)
    found = slopes(list(rollouts(TASK, agent, WANTED)))["length"]
    assert found is None or abs(found.mean) < 5.0


def test_marks_are_counted():
    assert markdown("# A\n\n1. b\n2. `c`\n> d") == 6.0
    assert markdown("well - no, 3 of them * 2") == 0.0
    assert emoji("\N{SMILING FACE WITH OPEN MOUTH}!") == 1.0
