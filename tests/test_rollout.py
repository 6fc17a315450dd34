"""Rollouts: concurrency changes nothing, and a killed one loses only what was not finished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from empathy_env import Task, load_agent, play, read_traces, rollouts, verify
from empathy_env.agents import Agent
from empathy_env.backends import Request, ScriptedBackend
from empathy_env.errors import BackendFault, InvalidArgument
from empathy_env.messages import from_user
from empathy_env.rollout import record
from empathy_env.speaker import TemplateSpeaker
from empathy_env.trace import read_lines

TASK = Task(personas="split:dev", max_turns=4)
AGENT = load_agent("listener")
WANTED = [TASK.scenario(seed) for seed in range(12)]


def by_id(traces):
    return {trace.id: trace.to_json() for trace in traces}


def test_concurrency_changes_nothing_but_the_order():
    alone = by_id(play(TASK, AGENT, scenario) for scenario in WANTED)
    for concurrency in (1, 5, 64):
        assert by_id(rollouts(TASK, AGENT, WANTED, concurrency=concurrency)) == alone


def test_traces_name_their_agent_and_verify():
    for trace in rollouts(TASK, AGENT, WANTED[:3]):
        assert trace.agent == "listener"
        assert verify(trace).consistent


def test_concurrency_below_one_is_refused():
    with pytest.raises(InvalidArgument, match="concurrency=0"):
        rollouts(TASK, AGENT, WANTED, concurrency=0)


class NumberSpeaker:
    """Asks the backend with seed and turn."""

    name = "number"

    def speak(self, moment):
        speech = yield from TemplateSpeaker().speak(moment)
        yield Request("speak", (from_user(f"{moment.seed}/{moment.turn}"),))
        return speech


def failing(*places):
    """A task whose backend fails at these seeds and turns."""

    def answer(request):
        if request.messages[-1]["content"] in places:
            raise BackendFault("no answer")
        return "Mm."

    backend = ScriptedBackend(answer)
    return Task(personas="split:dev", max_turns=4, user=backend, speaker=NumberSpeaker())


def played(traces):
    """Return the seeds that came, and the fault that ended it."""
    seeds = set()
    with pytest.raises(BackendFault) as raised:
        seeds.update(trace.scenario.seed for trace in traces)
    return seeds, raised.value


@pytest.mark.parametrize(
    ("places", "seeds", "unplayed"),
    [
        (("1/2",), {0, 2}, 10),
        (("1/2", "2/3"), {0}, 11),
        (("11/1",), set(range(11)), 1),
    ],
)
def test_a_fault_lets_the_others_play_on_and_begins_no_more(tmp_path, places, seeds, unplayed):
    task, path = failing(*places), tmp_path / "talks.jsonl"
    found, fault = played(rollouts(task, AGENT, WANTED, concurrency=3))
    assert found == seeds
    assert fault.__notes__ == [f"episodes left unplayed: {unplayed}"]
    assert played(record(path, task, AGENT, WANTED, concurrency=3))[0] == seeds
    assert {trace.scenario.seed for trace in read_traces(path)} == seeds
    rest = list(record(path, failing(), AGENT, WANTED, concurrency=3, resume=True))
    assert len(rest) == unplayed


def test_the_rest_of_a_generator_is_not_counted():
    wanted = (TASK.scenario(seed) for seed in range(3))
    _, fault = played(rollouts(failing("0/1"), AGENT, wanted))
    assert fault.__notes__ == ["episodes left unplayed: at least 1"]


def test_an_agent_that_answers_no_text_is_named():
    agent = Agent("mute", "", False, lambda messages, rng: None)
    with pytest.raises(InvalidArgument, match="agent 'mute' answered NoneType"):
        play(TASK, agent, WANTED[0])


@pytest.mark.parametrize("error", [BackendFault, KeyboardInterrupt])
def test_an_error_before_the_first_episode_leaves_no_file_behind(tmp_path, error):
    def reply(messages, rng):
        raise error

    path = tmp_path / "talks.jsonl"
    with pytest.raises(error):
        list(record(path, TASK, Agent("broken", "", False, reply), WANTED))
    assert not path.exists()
    path.write_bytes(b"")
    with pytest.raises(error):
        list(record(path, TASK, Agent("broken", "", False, reply), WANTED, resume=True))
    assert path.exists()


def test_record_checks_at_once_and_refuses_twins(tmp_path):
    path = tmp_path / "talks.jsonl"
    with pytest.raises(InvalidArgument, match="concurrency=0"):
        record(path, TASK, AGENT, WANTED, concurrency=0)
    with pytest.raises(InvalidArgument, match=WANTED[3].episode_id):
        record(path, TASK, AGENT, [*WANTED, WANTED[3]])
    assert not path.exists()
    members = [replace(WANTED[3], member=number) for number in range(2)]
    assert len(list(record(path, TASK, AGENT, members))) == 2


def test_an_existing_file_is_not_touched_without_resume(tmp_path):
    path = tmp_path / "talks.jsonl"
    path.write_text("precious\n")
    with pytest.raises(InvalidArgument, match="resume"):
        record(path, TASK, AGENT, WANTED)
    assert path.read_text() == "precious\n"


@pytest.mark.parametrize("kept", [0, 1, 5])
@pytest.mark.parametrize("torn", [b"", b'{"format":"empathy-env/tr'])
def test_resume_completes_the_rest_with_identical_records(tmp_path, kept, torn):
    whole = tmp_path / "whole.jsonl"
    list(record(whole, TASK, AGENT, WANTED, concurrency=4))
    killed = tmp_path / "killed.jsonl"
    lines = whole.read_bytes().splitlines(keepends=True)
    killed.write_bytes(b"".join(lines[:kept]) + torn)
    new = list(record(killed, TASK, AGENT, WANTED, concurrency=3, resume=True))
    assert len(new) == len(WANTED) - kept
    assert by_id(read_traces(killed)) == by_id(read_traces(whole))
    assert read_lines(killed).problems == []


def test_each_finished_episode_is_in_the_file_at_once(tmp_path):
    path = tmp_path / "talks.jsonl"
    for number, _ in enumerate(record(path, TASK, AGENT, WANTED[:3]), start=1):
        assert len(read_lines(path).lines) == number


@pytest.mark.parametrize("seeds", [range(2), range(5, 7), ()])
@pytest.mark.parametrize(
    ("task", "agent"),
    [
        (Task(personas="split:dev", max_turns=4, reward="delta"), "listener"),
        (Task(personas="split:dev", max_turns=4, system_prompt=None), "listener"),
        (Task(personas="split:dev", max_turns=5), "listener"),
        (Task(personas="split:dev", max_turns=4, difficulty="severe"), "listener"),
        (Task(personas="split:dev", max_turns=4, max_chars=99), "listener"),
        (TASK, "silent"),
    ],
)
def test_resuming_with_another_configuration_is_refused(tmp_path, task, agent, seeds):
    path = tmp_path / "talks.jsonl"
    list(record(path, TASK, AGENT, WANTED[:2]))
    before = path.read_bytes()
    wanted = [task.scenario(seed) for seed in seeds]
    with pytest.raises(InvalidArgument, match="another configuration"):
        record(path, task, load_agent(agent), wanted, resume=True)
    assert path.read_bytes() == before


def test_resuming_with_other_seeds_and_personas_is_fine(tmp_path):
    path = tmp_path / "talks.jsonl"
    list(record(path, TASK, AGENT, WANTED[:2]))
    other = Task(personas="split:train", max_turns=4)
    assert len(list(record(path, other, AGENT, [other.scenario(9)], resume=True))) == 1
    assert len(list(read_traces(path))) == 3


@pytest.mark.parametrize("end", [b"", b'{"torn'])
@pytest.mark.parametrize("line", [b"not json\n", b'"the last line is cut off"\n', b"cut off\n"])
def test_a_broken_line_is_not_papered_over(tmp_path, line, end):
    path = tmp_path / "cut off.jsonl"
    list(record(path, TASK, AGENT, WANTED[:2]))
    whole = path.read_bytes()
    for broken in (line + whole + end, whole + line + end):
        path.write_bytes(broken)
        with pytest.raises(InvalidArgument, match="cannot be resumed"):
            record(path, TASK, AGENT, WANTED, resume=True)
        assert path.read_bytes() == broken
