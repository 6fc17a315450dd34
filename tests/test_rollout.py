"""Rollouts: concurrency changes nothing, and a killed one loses only what was not finished."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from parts import AskingSpeaker, echoing_backend

from empathy_env import Task, load_agent, play, read_traces, rollouts, verify
from empathy_env.agents import Agent
from empathy_env.backends import AsyncBackend, Reply, Request, ScriptedBackend
from empathy_env.errors import BackendFault, InvalidArgument, TooManyFaults
from empathy_env.messages import from_user
from empathy_env.rollout import record, rollouts_async
from empathy_env.speaker import TemplateSpeaker
from empathy_env.tolerance import FaultBudget
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


def numbered(backend):
    """A task whose speaker asks the backend."""
    user = {"user": backend, "appraiser": "rules", "speaker": NumberSpeaker()}
    return Task(personas="split:dev", max_turns=4, **user)


def failing(*places):
    """A task whose backend fails at these seeds and turns."""

    def answer(request):
        if request.messages[-1]["content"] in places:
            raise BackendFault("no answer")
        return "Mm."

    backend = ScriptedBackend(answer)
    return Task(
        personas="split:dev", max_turns=4, user=backend, appraiser="rules", speaker=NumberSpeaker()
    )


@pytest.mark.parametrize("concurrency", [1, 3, 64])
def test_a_fault_ends_its_own_episode_only_and_is_played_again(tmp_path, concurrency):
    clean = by_id(rollouts(failing(), AGENT, WANTED))
    path = tmp_path / "talks.jsonl"
    task = failing("1/2", "7/1", "7/2")
    traces = list(record(path, task, AGENT, WANTED, concurrency=concurrency))
    assert len(traces) == 12
    faulted = {trace.scenario.seed: trace for trace in traces if trace.fault}
    assert {seed: len(trace.turns) for seed, trace in faulted.items()} == {1: 1, 7: 0}
    assert faulted[1].fault == {"type": "BackendFault", "message": "no answer"}
    assert faulted[1].agent == "listener"
    assert by_id(read_traces(path)) == by_id(traces)
    good = by_id(trace for trace in traces if not trace.fault)
    assert good.items() < clean.items()
    assert verify(faulted[1]).consistent
    again = list(record(path, failing(), AGENT, WANTED, concurrency=concurrency, resume=True))
    assert {trace.scenario.seed for trace in again} == {1, 7}
    assert by_id(read_traces(path)) == clean
    assert list(tmp_path.iterdir()) == [path]


def test_a_faulted_episode_that_is_not_wanted_now_stays_in_the_file(tmp_path):
    path = tmp_path / "talks.jsonl"
    list(record(path, failing("1/2", "7/1"), AGENT, WANTED))
    again = list(record(path, failing(), AGENT, WANTED[:3], resume=True))
    assert [trace.scenario.seed for trace in again] == [1]
    assert [trace.scenario.seed for trace in read_traces(path) if trace.fault] == [7]


def test_resuming_leaves_finished_lines_a_link_and_the_mode_as_they_are(tmp_path):
    real = tmp_path / "real.jsonl"
    list(record(real, failing("1/2"), AGENT, WANTED))
    spaced = real.read_bytes().replace(b'"version":3,', b'"version": 3,\r')  # JSON all the same
    real.write_bytes(spaced + b'{"torn')
    real.chmod(0o640)
    path = tmp_path / "link.jsonl"
    path.symlink_to(real)
    list(record(path, failing(), AGENT, WANTED, resume=True))
    assert path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    lines = real.read_bytes().split(b"\n")[:-1]
    old = [line for line in spaced.split(b"\n")[:-1] if b'"fault":null' in line]
    assert len(old) == 11
    assert lines[:-1] == old


def test_play_raises_the_fault():
    with pytest.raises(BackendFault, match="no answer"):
        play(failing("1/2"), AGENT, WANTED[1])
    assert play(failing("1/2"), AGENT, WANTED[2]).outcome is not None


def test_too_many_faults_stop_the_run_and_all_that_was_finished_is_in_the_file(tmp_path):
    path = tmp_path / "talks.jsonl"
    task = failing("2/1", "3/1", "5/1", "6/1")
    found = []
    traces = record(path, task, AGENT, WANTED, faults=FaultBudget(least=2))
    with pytest.raises(TooManyFaults, match="3 of 6 episodes"):
        found.extend(traces)
    assert [trace.scenario.seed for trace in found] == [0, 1, 2, 3, 4, 5]
    assert by_id(read_traces(path)) == by_id(found)


def test_without_a_model_faults_count_too():
    class Failing(TemplateSpeaker):
        def speak(self, moment):
            raise BackendFault("broken")
            yield

    task = Task(personas="split:dev", speaker=Failing())
    traces = rollouts(task, AGENT, WANTED, faults=FaultBudget(least=2))
    assert [bool(next(traces).fault) for _ in range(3)] == [True] * 3
    with pytest.raises(TooManyFaults, match="broken"):
        next(traces)


def test_a_bug_is_no_fault_and_is_raised_at_once():
    class Buggy(ScriptedBackend):
        async def complete_async(self, request):
            raise ZeroDivisionError("a bug")

    task = Task(personas="split:dev", user=Buggy(str), appraiser="rules", speaker=NumberSpeaker())
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(rollouts(task, AGENT, WANTED, concurrency=4))


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_waiting_leaves_everything_finished_in_the_file(tmp_path):
    class Stuck(AsyncBackend):
        """Hangs from seed 5 on; at seed 9 somebody presses ctrl-C."""

        name, closed = "stuck", 0

        async def complete_async(self, request):
            seed = int(request.messages[-1]["content"].partition("/")[0])
            if seed == 9:
                signal.raise_signal(signal.SIGINT)
            if seed >= 5:
                await asyncio.Event().wait()
            return Reply("Mm.")

        async def aclose(self):
            self.closed += 1

    backend, path = Stuck(), tmp_path / "talks.jsonl"
    task = Task(
        personas="split:dev", max_turns=4, user=backend, appraiser="rules", speaker=NumberSpeaker()
    )
    with pytest.raises(KeyboardInterrupt):
        list(record(path, task, AGENT, WANTED, concurrency=8))
    assert {trace.scenario.seed for trace in read_traces(path)} == set(range(5))
    assert not any(trace.fault for trace in read_traces(path))
    assert backend.closed == 1


def test_whoever_leaves_early_loses_nothing_that_was_finished(tmp_path):
    path = tmp_path / "talks.jsonl"
    traces = record(path, failing(), AGENT, WANTED, concurrency=3)
    first = next(traces)
    traces.close()
    assert first.id in {trace.id for trace in read_traces(path)}
    list(record(path, failing(), AGENT, WANTED, resume=True))
    assert by_id(read_traces(path)) == by_id(rollouts(failing(), AGENT, WANTED))


def test_inside_a_running_loop_the_error_names_what_to_use(tmp_path):
    async def inside():
        with pytest.raises(InvalidArgument, match="rollouts_async"):
            rollouts(failing(), AGENT, WANTED)
        with pytest.raises(InvalidArgument, match="rollouts_async"):
            record(tmp_path / "talks.jsonl", failing(), AGENT, WANTED)
        assert len(list(rollouts(TASK, AGENT, WANTED[:2]))) == 2
        traces = rollouts_async(failing("1/2"), AGENT, WANTED, concurrency=5)
        return by_id([trace async for trace in traces])

    assert asyncio.run(inside()) == by_id(rollouts(failing("1/2"), AGENT, WANTED))
    with pytest.raises(InvalidArgument, match="concurrency=0"):
        rollouts_async(TASK, AGENT, WANTED, concurrency=0)


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from parts import AskingSpeaker, echoing_backend
from empathy_env import Task, load_agent
from empathy_env.rollout import record

task = Task(personas="split:dev", max_turns=2, user=echoing_backend(), appraiser="rules", speaker=AskingSpeaker())
wanted = [task.scenario(seed) for seed in range(500)]
talks = record(sys.argv[2], task, load_agent("advisor"), wanted, concurrency=32)
for number, trace in enumerate(talks, start=1):
    print(trace.id, flush=True)
    if number == 300:
        sys.stdin.read()  # so that it cannot come to its end before it is killed
"""


def test_a_run_that_was_killed_goes_on_to_the_same_records(tmp_path):
    killed, whole = tmp_path / "killed.jsonl", tmp_path / "whole.jsonl"
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", CHILD, here, str(killed)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        seen = [child.stdout.readline().strip() for _ in range(137)]
        child.kill()
    left = read_lines(killed).lines
    assert set(seen) <= {line.trace.id for line in left}
    assert len(left) < 500
    task = Task(
        personas="split:dev",
        max_turns=2,
        user=echoing_backend(),
        appraiser="rules",
        speaker=AskingSpeaker(),
    )
    wanted, agent = [task.scenario(seed) for seed in range(500)], load_agent("advisor")
    rest = list(record(killed, task, agent, wanted, concurrency=32, resume=True))
    assert len(rest) == 500 - len(left)
    list(record(whole, task, agent, wanted))
    assert sorted(killed.read_bytes().splitlines()) == sorted(whole.read_bytes().splitlines())


def test_an_agent_that_answers_no_text_is_named():
    agent = Agent("mute", "", False, lambda messages, rng: None)
    with pytest.raises(InvalidArgument, match="agent 'mute' answered NoneType"):
        play(TASK, agent, WANTED[0])


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
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
