import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_env.acts import Evidence
from empathy_env.emotion import Mood
from empathy_env.errors import TraceError
from empathy_env.library import load_persona
from empathy_env.scenario import Scenario
from empathy_env.trace import (
    Answer,
    Call,
    Setup,
    Trace,
    Turn,
    parse_line,
    read_lines,
    read_traces,
    write_traces,
)

MAREK = load_persona("laid-off-engineer")
VARIANT = MAREK.needs[0]
SCENARIO = Scenario(persona=MAREK, need=VARIANT.need, seed=5)
SETUP = Setup("rules", "templates", "plain", "code", None, "0123")


def turn(emotion, *, outcome=None, told=(), heard="Go on. 🙂"):
    mood = Mood(emotion=emotion, trust=0.25, heard=0.1, met=0.2, strain=0.3, resisting=True)
    return Turn(
        raw=f"<think>hm</think>{heard}",
        private="hm",
        heard=heard,
        flags=("cut",),
        evidence=(
            Evidence("presence", heard[:5], 0, 5, 1.25, "own_feeling", "box", True, False),
            Evidence("blame", heard[:2], 0, 2),
        ),
        answers=(
            Answer(mood, 0.4, 0.1, True, None, told, (), "guarded", "It rained,\nall “day”."),
        ),
        outcome=outcome,
        calls=(Call("appraise", "sha256:00", '{"acts":[]}'),),
    )


FIRST = turn(45.5, told=("walked-out",))
TRACE = Trace(
    scenario=SCENARIO,
    setup=SETUP,
    opening=(MAREK.opening,),
    start=(Mood(40.0, 0.15),),
    turns=(FIRST, turn(41.25, told=(VARIANT.facts[0].id,)), turn(9.5, outcome="left")),
    rewards={"terminal": (0.0, None, 0.0)},
    weights={"terminal": 0.5},
    agent="listener",
    meter={"seconds": 0.25, "tokens": 12},
)
OPEN = replace(TRACE, turns=TRACE.turns[:2], rewards={}, weights={})
FAULTED = replace(OPEN, fault={"type": "BackendFault", "message": "time-out"})


@pytest.mark.parametrize("trace", [TRACE, OPEN, FAULTED, replace(TRACE, turns=(), rewards={})])
def test_a_trace_round_trips_through_one_line_of_json(trace):
    line = trace.to_json()
    assert "\n" not in line
    assert Trace.from_json(line) == trace
    assert Trace.from_json(line).to_json() == line


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 100), st.text(max_size=20)), max_size=3), st.text())
def test_any_numbers_and_any_text_round_trip_exactly(turns, agent):
    played = tuple(turn(emotion, heard=heard) for emotion, heard in turns)
    trace = replace(OPEN, turns=played, agent=agent)
    assert Trace.from_json(trace.to_json()) == trace


def test_the_digest_is_that_of_the_record_in_canonical_form():
    line = json.loads(TRACE.to_json())
    text = json.dumps(
        line["record"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    assert line["digest"] == "sha256:" + sha256(text).hexdigest()


def test_the_digest_does_not_hang_on_order_spacing_or_cost():
    digest = parse_line(TRACE.to_json()).digest
    assert parse_line(replace(TRACE, meter={"seconds": 99.0}).to_json()).digest == digest
    data = json.loads(TRACE.to_json())
    shuffled = {key: data[key] for key in reversed(data)}
    shuffled["record"] = dict(reversed(data["record"].items()))
    line = parse_line(json.dumps(shuffled, indent=1))
    assert line.actual == line.digest == digest


@pytest.mark.parametrize(
    "other",
    [
        replace(TRACE, turns=(turn(45.6, told=("walked-out",)), *TRACE.turns[1:])),
        replace(TRACE, rewards={"terminal": (0.0, None, 1.0)}),
        replace(TRACE, weights={"terminal": 1.0}),
        replace(TRACE, agent="oracle"),
        replace(TRACE, setup=replace(SETUP, system_prompt="Be kind.")),
        replace(TRACE, scenario=replace(SCENARIO, seed=6)),
        FAULTED,
    ],
)
def test_the_digest_covers_what_the_episode_was(other):
    assert parse_line(other.to_json()).digest != parse_line(TRACE.to_json()).digest


def test_a_changed_line_can_be_read_and_shows_that_it_was_changed():
    line = parse_line(TRACE.to_json().replace("45.5", "95.5"))
    assert line.trace.emotion(1) == 95.5
    assert line.digest == parse_line(TRACE.to_json()).digest != line.actual


def test_a_trace_says_everything_about_the_person_and_the_constants():
    record = json.loads(TRACE.to_json())["record"]
    assert record["scenario"]["persona"]["opening"] == MAREK.opening
    assert record["scenario"]["protocol"] == SCENARIO.protocol.to_data()


def test_a_value_that_json_has_not_is_never_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(TRACE, rewards={"terminal": (float("nan"),)}).to_json()


def edited(**changes):
    return json.dumps(json.loads(TRACE.to_json()) | changes)


def with_record(**changes):
    data = json.loads(TRACE.to_json())
    return json.dumps(data | {"record": data["record"] | changes})


TURN = json.loads(TRACE.to_json())["record"]["turns"][0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not a trace"),
        ("3", "not a trace"),
        ("{}", "not a trace"),
        (edited(format="other/trace"), "not a trace"),
        (edited(version=1), "version 1"),
        (edited(version=None), "version None"),
        (edited(record=3), "broken trace"),
        (edited(record={}), "broken trace: KeyError: 'scenario'"),
        (with_record(scenario={"persona": "laid-off-engineer"}), "need"),
        (with_record(start=[{"emotion": 40.0}]), "trust"),
        (with_record(turns=[TURN | {"outcome": "won"}]), "unknown outcome 'won'"),
        (with_record(turns=[{k: v for k, v in TURN.items() if k != "heard"}]), "heard"),
        (
            with_record(turns=[TURN | {"evidence": [TURN["evidence"][0] | {"act": "hug"}]}]),
            "unknown acts",
        ),
        (with_record(agent=float("nan")), "broken trace"),
        (with_record(agent="\ud800"), "broken trace"),
    ],
)
def test_a_line_that_is_no_trace_of_this_version_is_refused(line, says):
    with pytest.raises(TraceError, match=says):
        Trace.from_json(line)


def test_a_line_without_a_digest_is_refused():
    data = json.loads(TRACE.to_json())
    del data["digest"]
    with pytest.raises(TraceError, match="digest"):
        Trace.from_json(json.dumps(data))


def test_files_round_trip_and_are_written_anew(tmp_path):
    path = tmp_path / "traces.jsonl"
    write_traces(path, [TRACE] * 3)
    write_traces(path, [TRACE, FAULTED])
    assert list(read_traces(path)) == [TRACE, FAULTED]
    assert path.read_bytes().count(b"\n") == 2
    assert read_lines(path).whole == path.stat().st_size


def test_a_torn_last_line_is_reported_and_the_rest_kept(tmp_path):
    path = tmp_path / "traces.jsonl"
    write_traces(path, [TRACE, OPEN])
    whole = path.stat().st_size
    smile = FAULTED.to_json().encode().index("🙂".encode())
    for cut in (1, smile + 2, None):  # one byte, within a character, only the line break missing
        torn = FAULTED.to_json().encode()[:cut]
        path.write_bytes(path.read_bytes()[:whole] + torn)
        read = read_lines(path)
        assert [line.trace for line in read.lines] == [TRACE, OPEN]
        assert read.whole == whole
        [problem] = read.problems
        assert f"{path}:3:" in problem
        assert "cut off" in problem


@pytest.mark.parametrize("broken", [b"nonsense", b"", b"\xff\xfe", b'{"format":1}'])
def test_a_broken_line_in_the_middle_is_reported_and_the_rest_kept(tmp_path, broken):
    path = tmp_path / "traces.jsonl"
    first, last = TRACE.to_json().encode(), OPEN.to_json().encode()
    path.write_bytes(b"\n".join([first, broken, last, b""]))
    read = read_lines(path)
    assert [line.trace for line in read.lines] == [TRACE, OPEN]
    [problem] = read.problems
    assert f"{path}:2:" in problem
    with pytest.raises(TraceError, match=":2:"):
        list(read_traces(path))


def test_an_empty_file_holds_no_trace_and_an_absent_one_is_an_error(tmp_path):
    path = tmp_path / "traces.jsonl"
    path.touch()
    assert read_lines(path) == ([], [], 0)
    with pytest.raises(TraceError, match="cannot be read"):
        read_lines(tmp_path / "absent.jsonl")


def test_the_emotion_is_counted_from_the_start():
    assert [TRACE.emotion(t) for t in range(4)] == [40.0, 45.5, 41.25, 9.5]
    assert (TRACE.outcome, OPEN.outcome, TRACE.prefix(0).outcome) == ("left", None, None)
    assert TRACE.id == SCENARIO.episode_id


@pytest.mark.parametrize("turns", range(4))
def test_a_prefix_is_the_talk_so_far_unscored(turns):
    prefix = replace(TRACE, fault={"type": "x", "message": "y"}).prefix(turns)
    assert prefix.turns == TRACE.turns[:turns]
    assert (prefix.fault, prefix.rewards, prefix.weights) == (None, {}, {})
    assert prefix.scenario == TRACE.scenario
    assert len(TRACE.turns) == 3
    assert prefix.prefix(turns) == prefix


def test_the_ledger_says_how_each_thing_came_out():
    ledger = TRACE.ledger()
    assert ledger["box"] == "donated"
    assert ledger["walked-out"] == "elicited in turn 1"
    assert ledger[VARIANT.facts[0].id] == "elicited in turn 2"
    assert ledger["shame"] == ledger["useless"] == "never"
    everything = (*MAREK.facts, *VARIANT.facts, *MAREK.feelings, *MAREK.beliefs)
    assert list(ledger) == [item.id for item in everything]
    assert TRACE.prefix(0).ledger()["walked-out"] == "never"
