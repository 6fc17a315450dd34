import math
from dataclasses import replace

import pytest
from circles import BAKERS, CASTS, said_in, task
from made_traces import made_talk, made_turn

from empathy_env import Task
from empathy_env.cast import Cast
from empathy_env.errors import InvalidArgument
from empathy_env.measures.casts import (
    FEWEST_STARTS,
    circles,
    endings,
    final_emotions,
    mean_emotion,
    worst_off,
)

FAIR = ("Orla, you sound worn out. It makes sense.", "Pavel, you sound worn out. It makes sense.")
TALKS = [said_in(task("bakers", 3), FAIR, seed=seed) for seed in range(FEWEST_STARTS)]


def with_emotions(trace, *emotions, there=(True, True)):
    answers = tuple(
        answer._replace(mood=answer.mood._replace(emotion=emotion), present=present)
        for answer, emotion, present in zip(trace.turns[-1].answers, emotions, there, strict=True)
    )
    return replace(trace, turns=(*trace.turns[:-1], replace(trace.turns[-1], answers=answers)))


def test_talks_are_kept_apart_by_cast_and_those_without_a_value_are_counted():
    other = said_in(task("couple", 2), ["Go on."])
    faulted = replace(said_in(task("bakers", 1), ["Go on."], seed=8), fault={"type": "x"})
    empty = task("bakers").open(seed=9).trace
    found = circles([*TALKS, other, faulted, empty])
    assert {id: len(of) for id, of in found.by_cast.items()} == {
        "couple-after-quarrel": 1,
        "two-bakers": FEWEST_STARTS,
    }
    assert (found.faults, found.empty) == (1, 1)


def test_how_each_ended_and_who_was_worst_off():
    talks = [
        with_emotions(trace, 60.0 + number, 20.0 + 10 * number, there=(True, number > 0))
        for number, trace in enumerate(TALKS)
    ]
    orla, pavel = endings(talks)
    assert (orla.name, orla.emotion.mean, orla.left) == ("Orla", 62.0, 0.0)
    assert (pavel.name, pavel.emotion.mean, pavel.left) == ("Pavel", 40.0, 0.2)
    assert orla.emotion.low < 62.0 < orla.emotion.high
    assert mean_emotion(talks).mean == 51.0
    assert worst_off(talks).mean == 40.0
    assert final_emotions(talks[4]) == [64.0, 60.0]
    assert worst_off(talks[4:]).mean == 60.0


def test_few_starts_give_no_interval_and_members_of_a_group_are_one_start():
    few = mean_emotion(TALKS[:-1])
    assert math.isnan(few.low)
    assert math.isnan(few.high)
    group = [said_in(task("bakers", 3), FAIR, member=member) for member in range(FEWEST_STARTS)]
    assert math.isnan(mean_emotion(group).low)
    assert mean_emotion(TALKS).low <= mean_emotion(TALKS).mean <= mean_emotion(TALKS).high


def test_people_are_told_apart_by_id_whatever_their_seats():
    data = BAKERS.to_data()
    turned = Task(cast=Cast.parse(data | {"people": data["people"][::-1]}), max_turns=3)
    assert endings([said_in(turned, FAIR, seed=s) for s in range(5)]) == endings(TALKS)


def test_talks_of_two_and_twins_are_refused():
    with pytest.raises(InvalidArgument, match="talk with one person"):
        circles([made_talk(made_turn())])
    with pytest.raises(InvalidArgument, match="two traces of the episode two-bakers/"):
        circles([TALKS[0], TALKS[0]])


def test_two_casts_of_one_id_are_refused():
    other = CASTS["couple"].to_data() | {"id": "two-bakers"}
    imposter = said_in(Task(cast=Cast.parse(other), max_turns=1), ["Go on."])
    with pytest.raises(InvalidArgument, match="two casts with the id 'two-bakers'"):
        circles([TALKS[0], imposter])
