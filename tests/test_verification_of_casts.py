"""Verification of talks with several people names the first thing that does not follow."""

from __future__ import annotations

import json

import pytest
from circles import BAKERS, said_in, talks, task
from hypothesis import given

from empathy_env import Task, verify
from empathy_env.appraiser import RuleAppraiser
from empathy_env.drivers import run
from empathy_env.speaker import TemplateSpeaker
from empathy_env.trace import canonical, digest, parse_line

LINES = ("Orla, you sound worn out. What happened?", "Pavel, you are right. I am on your side.")
QUIET = "[aside to Pavel] You sound so tired. What is it?"


class OwnAppraiser:
    name = "own"

    def appraise(self, utterance, context):
        return (yield from RuleAppraiser().appraise(utterance, context))


class OwnSpeaker:
    name = "own"

    def speak(self, moment):
        return (yield from TemplateSpeaker().speak(moment))


def of_two_supporters(**kwargs):
    """A talk with two supporters and one user who is played from outside."""
    crowd = Task(cast=BAKERS, supporters=2, played=["user_1"], max_turns=3, **kwargs)
    episode = crowd.open(seed=1)
    while not episode.done:
        said = {
            "supporter_0": LINES[episode.turn % 2],
            "supporter_1": QUIET,
            "user_1": "Orla, that's not true. I never said that.",
        }
        episode.accept(run(episode.steps(said)))
    return episode.trace


TRACE = of_two_supporters(reward={"terminal": 1.0, "fairness": 0.5, "worst": 0.5})


def changed(path, value):
    """The trace's line with one field changed, and a digest that fits again."""
    data = json.loads(TRACE.to_json())
    field = data["record"]
    for step in path[:-1]:
        field = field[step]
    assert field[path[-1]] != value
    field[path[-1]] = value
    data["digest"] = digest(canonical(data["record"]))
    return parse_line(json.dumps(data))


def place(seat, turn=1):
    return next(n for n, said in enumerate(TRACE.turns[turn].others) if said.seat == seat)


SECOND = ["turns", 1, "others", place("supporter_1")]
PLAYED = ["turns", 1, "others", place("user_1")]


@given(talks())
def test_an_honest_trace_is_consistent(trace):
    verdict = verify(parse_line(trace.to_json()))
    assert verdict.mismatch is None
    unfinished = ("the end (the talk is unfinished)",)
    assert verdict.unverified == (() if trace.outcome else unfinished)


def test_so_is_one_with_several_supporters_and_a_user_played_from_outside():
    verdict = verify(parse_line(TRACE.to_json()))
    assert (verdict.mismatch, verdict.unverified) == (None, ())
    assert {said.seat for said in TRACE.turns[1].others} >= {"supporter_1", "user_1"}


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (["turns", 1, "answers", 1, "mood", "emotion"], 99.0, "emotion"),
        (["turns", 1, "answers", 1, "present"], False, "present"),
        (["turns", 1, "hearings", 0, "addressed"], True, "hearings"),
        (["turns", 1, "hearings", 0, "moves"], ["sided_with"], "hearings"),
        (["turns", 1, "hearings", 1, "change"], 9.0, "hearings"),
        ([*SECOND, "hearings", 0, "heard"], True, "hearings of supporter_1"),
        ([*SECOND, "evidence"], [], "evidence of supporter_1"),
        ([*SECOND, "evidence", 0, "quote"], "no such words", "of supporter_1"),
        ([*SECOND, "heard"], "[aside to Pavel] You sound so", "of supporter_1"),
        ([*SECOND, "heard"], "Something else.", "heard text of supporter_1"),
        ([*SECOND, "raw"], "bad\x00", "raw text of supporter_1"),
        ([*SECOND, "flags"], ["thought-unclosed"], "flags of supporter_1"),
        ([*SECOND, "seat"], "user_0", ""),
        ([*PLAYED, "hearings", 0, "moves"], [], "hearings of user_1"),
        ([*PLAYED, "aside"], "user_0", "aside of user_1"),
        (["turns", 1, "others"], [], ""),
        (["rewards", "fairness", 2], 0.123, "reward fairness"),
        (["rewards", "worst", 0], 0.5, "reward worst"),
    ],
)
def test_each_kind_of_tampering_is_named(path, value, what):
    verdict = verify(changed(path, value))
    assert not verdict.consistent
    assert what in verdict.mismatch.what
    assert verdict.mismatch.turn == (path[2] + 1 if path[0] == "rewards" else 2)


@pytest.mark.parametrize(
    "parts",
    [{"appraiser": OwnAppraiser()}, {"speaker": OwnSpeaker()}],
    ids=["appraiser", "speaker"],
)
def test_parts_of_ones_own_are_stood_in_for_whatever_the_order_of_the_seats(parts):
    for cast in ("couple-after-quarrel", BAKERS):
        names = Task(cast=cast).casts[0].names
        lines = [
            f"{names[0]}, you sound hurt. {names[1]}, what did you hear?",
            f"{names[1]}, you sound tired. You are right, {names[0]}.",
        ]
        trace = said_in(Task(cast=cast, max_turns=4, **parts), lines, seed=1)
        verdict = verify(parse_line(trace.to_json()))
        assert verdict.mismatch is None
        assert "is not run again" in verdict.unverified[0]


def test_the_bakers_are_played_again_to_the_same_words():
    one, other = (said_in(task("bakers"), LINES, seed=3) for _ in range(2))
    assert one == other
