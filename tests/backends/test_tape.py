import asyncio
import gc
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from empathy_env.backends import Backend, Reply, Request, ScriptedBackend
from empathy_env.backends.playback import replay
from empathy_env.backends.tape import recording
from empathy_env.errors import BackendFault, InvalidArgument, TimedOut
from empathy_env.messages import from_system, from_user

ASKED = Request("speak", (from_system("be Ada"), from_user("hello")), {"b": 1, "a": 2}, 7, "ada/1")


class Metered(ScriptedBackend):
    async def complete_async(self, request):
        return Reply(self._function(request), {"requests": 1.0})


def backend(name="model"):
    return Metered(lambda request: f"to {request.messages[-1]['content']}", name=name)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.tape"


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def record(path, *requests, inner=None):
    tape = recording(inner or backend(), path)
    answers = tape.complete(requests)
    asyncio.run(tape.aclose())
    return answers


def test_it_is_a_backend_with_the_name_of_the_inner_one(path):
    tape = recording(backend(), path)
    assert isinstance(tape, Backend)
    assert tape.name == "model"


def test_an_answer_passes_through_and_is_in_the_file_at_once(path):
    tape = recording(backend(), path)
    assert tape.complete([ASKED]) == [Reply("to hello", {"requests": 1.0})]
    header, line = lines(path)
    assert header == {"format": "empathy-env/tape", "version": 1, "backend": "model"}
    assert line == {
        "origin": "ada/1",
        "digest": ASKED.digest,
        "purpose": "speak",
        "seed": 7,
        "messages": list(ASKED.messages),
        "schema": {"b": 1, "a": 2},
        "reply": {"text": "to hello", "meter": {"requests": 1.0}},
    }
    assert list(line["schema"]) == ["b", "a"]


def test_a_fault_is_raised_and_written_down(path):
    def fail(request):
        raise TimedOut("late")

    (fault,) = record(path, ASKED, inner=ScriptedBackend(fail))
    assert isinstance(fault, TimedOut)
    assert lines(path)[1]["fault"] == {"type": "TimedOut", "message": "late", "fields": {}}


def test_what_is_cancelled_was_not_answered(path):
    class Slow(Metered):
        async def complete_async(self, request):
            await asyncio.Event().wait()

    async def main():
        tape = recording(Slow(lambda request: ""), path)
        task = asyncio.create_task(tape.complete_async(ASKED))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await tape.aclose()

    asyncio.run(main())
    assert len(lines(path)) == 1


def test_it_goes_on_with_a_tape_of_the_same_backend(path):
    record(path, ASKED)
    record(path, ASKED, ASKED)
    header, first, again, *others = lines(path)
    assert header == again
    assert others == [first, first]


@pytest.mark.parametrize("torn", [b'{"origin":"ada/2","dig', b"{", b'"'])
def test_a_torn_last_line_is_cut_off_before_it_goes_on(path, torn):
    record(path, ASKED)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    record(path, ASKED)
    assert path.read_bytes() == whole + whole


@pytest.mark.parametrize("length", [0, 1, 30])
def test_a_header_that_was_torn_is_written_again(path, length):
    record(path, ASKED)
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    record(path, ASKED)
    assert path.read_bytes() == whole


def test_a_tape_of_another_backend_is_left_alone(path):
    record(path, ASKED)
    before = path.read_bytes()
    with pytest.raises(InvalidArgument, match=r"is a tape of 'model' .* by 'other'"):
        recording(backend("other"), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["my notes", "my notes\n", '{"format": "another"}\n', "[1]\n{"])
def test_a_file_that_is_no_tape_is_left_alone(path, content):
    path.write_text(content)
    with pytest.raises(InvalidArgument, match=r"run.tape:1: no header of a tape"):
        recording(backend(), path)
    assert path.read_text() == content


def test_a_tape_with_a_broken_line_is_not_gone_on_with(path):
    record(path, ASKED)
    with path.open("a") as file:
        file.write("oops\n")
    with pytest.raises(InvalidArgument, match=r"run.tape:3: broken line"):
        recording(backend(), path)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InvalidArgument, match=r"no-such-folder.*Give a file"):
        recording(backend(), tmp_path / "no-such-folder" / "run.tape")


def test_two_recordings_to_one_file_are_refused_under_any_name(path):
    first = recording(backend(), path)
    (path.parent / "link").symlink_to(path)
    for name in (path, path.parent / "link", path.parent / "." / "run.tape"):
        with pytest.raises(InvalidArgument, match="being recorded already"):
            recording(backend(), name)
    asyncio.run(first.aclose())
    second = recording(backend(), path)
    with pytest.raises(InvalidArgument, match="being recorded already"):
        first.complete([ASKED])
    asyncio.run(second.aclose())
    assert first.complete([ASKED])


def test_a_refused_recording_claims_nothing(path):
    path.write_text("my notes")
    with pytest.raises(InvalidArgument):
        recording(backend(), path)
    path.unlink()
    assert recording(backend(), path).name == "model"


def test_dropped_it_frees_the_file(path):
    first = recording(backend(), path)
    asyncio.run(first.complete_async(ASKED))
    del first
    gc.collect()
    recording(backend(), path).complete([ASKED])
    assert len(lines(path)) == 4


def test_closing_reaches_the_inner_backend(path):
    class Closing(Metered):
        closed = False

        async def aclose(self):
            self.closed = True

    inner = Closing(lambda request: "")
    asyncio.run(recording(inner, path).aclose())
    assert inner.closed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_fault(path):
    tape = recording(backend(), path)
    pen = tape._pen
    pen._file.close()
    pen._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - closed by the tape
    (fault,) = tape.complete([ASKED])
    asyncio.run(tape.aclose())
    assert isinstance(fault, BackendFault)
    assert f"the tape {path} cannot be written" in str(fault)


CHILD = """
import sys
from empathy_env.backends import Request, ScriptedBackend
from empathy_env.backends.tape import recording
backend = recording(ScriptedBackend(lambda request: f"reply {request.seed}", name="model"), sys.argv[1])
seed = 0
while True:
    (reply,) = backend.complete([Request("speak", (), seed=seed)])
    print(reply.text, flush=True)
    seed += 1
"""


def test_a_killed_process_leaves_every_answer_that_it_gave(path):
    command = [sys.executable, "-c", CHILD, str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as child:
        heard = [child.stdout.readline().strip() for _ in range(200)]
        child.send_signal(signal.SIGKILL)
    played = replay(path).complete([Request("speak", (), seed=seed) for seed in range(200)])
    assert [reply.text for reply in played] == heard
