"""Verification names the first thing that does not follow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from parts import say_by

from empathy_env import Task, Trace, verify
from empathy_env.errors import TraceError
from empathy_env.trace import canonical, digest, parse_line


def played(**kwargs):
    episode = Task(persona="laid-off-engineer", **kwargs).open(seed=12)
    while not episode.done:
        episode.say(say_by("good", episode.turn))
    return episode.trace


def ten(trace, turn):
    return 10.0


def changed(trace, path, value, *, reseal=True):
    """The trace's line with one field changed, and a digest that fits again if `reseal`."""
    data = json.loads(trace.to_json())
    field = data["record"]
    for step in path[:-1]:
        field = field[step]
    field[path[-1]] = value
    if reseal:
        data["digest"] = digest(canonical(data["record"]))
    return parse_line(json.dumps(data))


TRACE = played(reward={"terminal": 1.0, "delta": 0.5})
MOOD = ["turns", 2, "answers", 0, "mood"]


def test_an_honest_trace_is_consistent_and_fully_verified():
    verdict = verify(parse_line(TRACE.to_json()))
    assert verdict.consistent
    assert verdict.unverified == ()


@pytest.mark.parametrize(
    ("path", "value", "turn", "what"),
    [
        ([*MOOD, "emotion"], 55.5, 3, "emotion"),
        ([*MOOD, "trust"], 0.9, 3, "trust"),
        ([*MOOD, "heard"], 0.123, 3, "heard"),
        ([*MOOD, "met"], 1.0, 3, "met"),
        ([*MOOD, "strain"], 0.5, 3, "strain"),
        (["turns", 4, "answers", 0, "reply"], "I feel wonderful.", 5, "reply"),
        (["turns", 4, "answers", 0, "told"], ["wife"], 5, "told"),
        (["turns", 1, "evidence"], [], 2, "evidence"),
        (["turns", 1, "evidence", 0, "act"], "affirmation", 2, "evidence"),
        (["turns", 1, "evidence", 0, "quote"], "never said", 2, "quote"),
        (["turns", 1, "evidence", 0, "intensity"], 9.0, 2, "intensity"),
        (["turns", 1, "heard"], "Something else. What was it?", 2, "heard"),
        (["turns", 1, "raw"], "bad\x00", 2, "raw"),
        (["turns", 5, "outcome"], "success", 6, "outcome"),
        (["rewards", "terminal", 9], 1.0, 10, "reward terminal"),
        (["rewards", "delta", 0], 0.5, 1, "reward delta"),
        (["rewards", "delta", 0], None, 1, "reward delta"),
        (["start", 0, "emotion"], 80.0, 0, "first mood"),
        (["opening", 0], "Hello.", 0, "opening"),
        (["scenario", "difficulty", "start"], 0.8, 0, "first mood"),
        (["scenario", "protocol", "gain"], 30.0, 1, "emotion"),
    ],
)
def test_each_kind_of_tampering_is_named_even_with_a_fitting_digest(path, value, turn, what):
    verdict = verify(changed(TRACE, path, value))
    assert not verdict.consistent
    assert what in verdict.mismatch.what
    assert verdict.mismatch.turn == turn


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["id"], "somebody/else"),
        (["outcome"], "success"),
        (["turns", 9, "outcome"], "success"),
        (["scenario", "seed"], 13),
        (["scenario", "persona"], "laid-off-engineer"),
        (["score"], 99),
        (["turns", 0, "evidence", 0, "act"], "hug"),
        (["turns", 0, "outcome"], "fine"),
        (["scenario", "protocol", "gain"], "much"),
        (["scenario", "protocol", "own_need"], {}),
    ],
)
def test_a_record_that_contradicts_itself_is_not_read(path, value):
    with pytest.raises(TraceError):
        changed(TRACE, path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["turns", 0, "answers"], []),
        (
            ["turns", 0, "answers"],
            [json.loads(TRACE.to_json())["record"]["turns"][0]["answers"][0]] * 2,
        ),
        (["turns", 0, "evidence", 0, "start"], "0"),
        (["turns", 0, "flags"], ["broken"]),
        (["rewards", "delta"], ["0.1"] * 10),
        (["rewards", "delta"], []),
        (["weights"], {}),
        (["rewards"], {}),
    ],
)
def test_a_malformed_record_is_a_mismatch_and_no_crash(path, value):
    assert not verify(changed(TRACE, path, value)).consistent


def test_what_was_made_by_other_rules_is_unverified_and_not_wrong():
    setup = replace(TRACE.setup, rules="0123456789abcdef")
    assert verify(replace(TRACE, setup=setup)).consistent
    moved = changed(replace(TRACE, setup=setup), [*MOOD, "trust"], 0.9)
    verdict = verify(moved)
    assert verdict.consistent
    assert any("other rules" in text for text in verdict.unverified)
    paid = changed(replace(TRACE, setup=setup), ["rewards", "delta", 0], 0.5)
    assert verify(paid).mismatch.what == "reward delta"


def test_nothing_that_a_trace_names_is_imported(monkeypatch):
    trace = played(reward=ten)
    assert list(trace.rewards) == [f"{__name__}:ten"]
    monkeypatch.setattr("empathy_env.verification.load_function", None)
    assert any("not imported" in text for text in verify(trace).unverified)


def test_a_reward_of_ones_own_is_verified_when_it_is_allowed():
    trace = played(reward=ten)
    assert verify(trace, rewards=[f"{__name__}:ten"]).unverified == ()
    wrong = replace(trace, rewards={f"{__name__}:ten": (0.0,) * len(trace.turns)})
    assert verify(wrong, rewards=[f"{__name__}:ten"]).mismatch.turn == 1


def test_a_talk_without_an_end_is_said_to_be_unfinished():
    assert any("unfinished" in text for text in verify(TRACE.prefix(4)).unverified)


def test_a_digest_that_does_not_fit_is_named():
    verdict = verify(changed(TRACE, ["agent"], "somebody else", reseal=False))
    assert verdict.mismatch.what == "digest"


def test_the_meter_is_covered_by_no_digest():
    with_meter = replace(TRACE, meter={"seconds": 3.5})
    assert parse_line(with_meter.to_json()).digest == parse_line(TRACE.to_json()).digest
    assert verify(parse_line(with_meter.to_json())).consistent


def test_turns_after_the_end_are_named():
    short = played(max_turns=2)
    more = replace(short, turns=(*short.turns, short.turns[-1]), rewards={}, weights={})
    assert verify(more).mismatch.turn == 3


def test_an_unfinished_trace_is_consistent():
    assert verify(TRACE.prefix(4)).consistent


def test_a_reward_that_cannot_be_imported_is_unverified_not_wrong():
    trace = played(reward=lambda trace, turn: 1.0)
    verdict = verify(Trace.from_json(trace.to_json()))
    assert verdict.consistent
    assert any("reward" in text for text in verdict.unverified)


def test_a_mismatch_reads_as_a_sentence():
    verdict = verify(changed(TRACE, [*MOOD, "emotion"], 55.5))
    assert str(verdict.mismatch).startswith("turn 3: emotion is 55.5, but ")


@pytest.mark.parametrize("name", ["appraiser", "speaker", "scaffold", "backend", "rules"])
@pytest.mark.parametrize("value", [5, None, ["a"], {}])
def test_a_name_that_is_none_is_a_mismatch_and_no_crash(name, value):
    assert verify(changed(TRACE, ["setup", name], value)).mismatch.what == name


@pytest.mark.parametrize("value", ["model x99", "model x1", "model x" + "9" * 5000])
def test_an_appraiser_that_cannot_be_is_not_run_again(value):
    verdict = verify(changed(TRACE, ["setup", "appraiser"], value))
    assert any("not run again" in text for text in verdict.unverified)


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (["turns", 2, "answers"], [], "number of answers"),
        (["turns", 2, "evidence", 0, "quote"], "never said", "quote"),
        (["turns", 2, "evidence", 0, "intensity"], 9.0, "intensity"),
        (["turns", 2, "outcome"], "time_up", "after the end"),
        (["turns", 2, "heard"], "Something else.", "heard"),
    ],
)
def test_other_rules_are_no_excuse_for_what_no_rules_allow(path, value, what):
    old = replace(TRACE, setup=replace(TRACE.setup, rules="0123456789abcdef"))
    verdict = verify(changed(old, path, value))
    assert what in verdict.mismatch.what


LEAK = "<think>He is ashamed.</think>What was it like?"


def leaking(**changes):
    """A talk by other rules, under which an agent that did not keep its thoughts apart was heard."""
    episode = Task(persona="laid-off-engineer", max_turns=2).open(seed=12)
    while not episode.done:
        episode.say(LEAK)
    trace = episode.trace
    old = replace(trace.turns[1], private="", heard=LEAK, flags=(), evidence=(), **changes)
    rules = replace(trace.setup, rules="0123456789abcdef")
    return replace(trace, setup=rules, turns=(trace.turns[0], old))


def test_what_was_heard_by_other_rules_is_unverified_not_wrong():
    verdict = verify(leaking())
    assert verdict.consistent
    assert any("other rules; first: turn 2: heard text" in text for text in verdict.unverified)


def test_what_was_heard_and_flagged_by_the_same_rules_must_follow():
    trace = leaking()
    same = replace(trace, setup=TRACE.setup)
    assert verify(same).mismatch.what == "heard text"
    flagged = changed(TRACE, ["turns", 0, "flags"], ["thought-unclosed"])
    assert verify(flagged).mismatch.what == "flags"


@pytest.mark.parametrize("heard", ["What was it like? He is ashamed.", "like? What was it", "Hm."])
def test_no_rules_let_be_heard_what_was_not_written(heard):
    verdict = verify(
        replace(
            leaking(), turns=(replace(leaking().turns[1], heard=heard),), rewards={}, weights={}
        )
    )
    assert verdict.mismatch.what == "heard text"


def test_a_reward_that_is_no_number_is_named():
    values = (float("nan"), *TRACE.rewards["delta"][1:])
    wrong = replace(TRACE, rewards={**TRACE.rewards, "delta": values})
    assert verify(wrong).mismatch.what == "reward delta"
