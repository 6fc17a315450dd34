import asyncio
import gc
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

from empathy_env.backends import Backend, Reply, Request, ScriptedBackend
from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.cache import APPLICATION, cached, opened
from empathy_env.errors import BackendFault, InvalidArgument, TimedOut
from empathy_env.messages import from_system, from_user

ASKED = Request("speak", (from_user("hello"),), {"type": "object"}, 7, "ada/1")


class Counting(AsyncBackend):
    """Answers with how often it was asked; waits for the gate first, if it has one."""

    def __init__(self, name="counting", fault=None):
        self.name = name
        self.fault = fault
        self.asked = 0
        self.closed = 0
        self.gate = None
        self.stopped = 0

    async def complete_async(self, request):
        self.asked += 1
        number = self.asked
        try:
            if self.gate:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        if self.fault:
            raise self.fault
        return Reply(f"reply {number}", {"requests": 1.0, "cost": 0.5})

    async def aclose(self):
        self.closed += 1


@pytest.fixture
def path(tmp_path):
    return tmp_path / "replies.db"


def once(backend, request=ASKED):
    (answer,) = backend.complete([request])
    return answer


def test_it_is_a_backend_with_the_name_of_the_inner_one(path):
    assert isinstance(cached(Counting(), path), Backend)
    assert cached(Counting(), path).name == "counting"


def test_the_same_request_is_asked_once_and_costs_nothing_again(path):
    inner = Counting()
    backend = cached(inner, path)
    assert once(backend) == Reply("reply 1", {"requests": 1.0, "cost": 0.5})
    assert once(backend) == Reply("reply 1", {"cache_hits": 1})
    assert inner.asked == 1


def test_another_run_finds_the_replies_of_this_one(path):
    once(cached(Counting(), path))
    assert once(cached(Counting(), str(path))) == Reply("reply 1", {"cache_hits": 1})


@pytest.mark.parametrize(
    "other",
    [
        Request("appraise", (from_user("hello"),), {"type": "object"}, 7),
        Request("speak", (from_system("hello"),), {"type": "object"}, 7),
        Request("speak", (from_user("hello "),), {"type": "object"}, 7),
        Request("speak", (from_user("hello"), from_user("")), {"type": "object"}, 7),
        Request("speak", (from_user("hello"),), {"type": "string"}, 7),
        Request("speak", (from_user("hello"),), None, 7),
        Request("speak", (from_user("hello"),), {"type": "object"}, 8),
    ],
    ids=["purpose", "role", "text", "messages", "schema", "free", "seed"],
)
def test_whatever_decides_the_reply_makes_it_another_request(path, other):
    backend = cached(Counting(), path)
    once(backend)
    assert once(backend, other).text == "reply 2"


def test_another_backend_in_the_same_file_has_its_own_replies(path):
    once(cached(Counting("one"), path))
    assert "cache_hits" not in once(cached(Counting("other"), path)).meter


def test_the_order_of_a_schema_counts_because_servers_write_in_it(path):
    backend = cached(Counting(), path)
    texts = [
        once(backend, Request("speak", (), schema)).text
        for schema in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    ]
    assert texts == ["reply 1", "reply 2"]


def test_a_frozen_schema_is_a_schema(path):
    backend = cached(Counting(), path)
    frozen = MappingProxyType({"type": MappingProxyType({"a": ("b",)})})
    once(backend, Request("speak", (), frozen))
    assert once(backend, Request("speak", (), {"type": {"a": ["b"]}})).meter == {"cache_hits": 1}


@pytest.mark.parametrize("text", ["", "ümlaut 🙂", "lone \ud800", "nul \x00", "a\nb"])
def test_any_text_comes_back_as_it_was(path, text):
    once(cached(ScriptedBackend(lambda request: text), path))
    hit = once(cached(ScriptedBackend(lambda request: "another"), path))
    assert hit == Reply(text, {"cache_hits": 1})


def test_a_fault_is_not_kept(path):
    inner = Counting(fault=TimedOut("late"))
    backend = cached(inner, path)
    assert isinstance(once(backend), TimedOut)
    inner.fault = None
    assert once(backend).text == "reply 2"


def test_equal_requests_at_the_same_time_are_asked_once_whatever_their_origin(path):
    inner = Counting()
    backend = cached(inner, path)
    requests = [Request("speak", (), origin=f"ada/{number}") for number in range(20)]
    replies = backend.complete(requests)
    assert inner.asked == 1
    assert {reply.text for reply in replies} == {"reply 1"}
    costs = sorted(reply.meter.get("cost", 0) for reply in replies)
    assert costs == [0] * 19 + [0.5]
    assert sum(reply.meter.get("cache_hits", 0) for reply in replies) == 19


def test_all_who_wait_for_a_reply_get_its_fault_and_can_add_notes_of_their_own(path):
    inner = Counting(fault=TimedOut("late"))
    inner.fault.__cause__ = OSError("wire")
    faults = cached(inner, path).complete([ASKED] * 3)
    assert inner.asked == 1
    assert [(type(fault), str(fault)) for fault in faults] == [(TimedOut, "late")] * 3
    faults[0].add_note("mine")
    assert not hasattr(faults[1], "__notes__")
    assert all(isinstance(fault.__cause__, OSError) for fault in faults)


def waiting(backend, inner, count):
    """Return tasks that wait for one and the same reply."""
    inner.gate = asyncio.Event()
    return [asyncio.create_task(backend.complete_async(ASKED)) for _ in range(count)]


@pytest.mark.parametrize("leaves", [0, 1, 2])
def test_a_caller_who_leaves_takes_nothing_from_the_others(path, leaves):
    async def main():
        inner = Counting()
        backend = cached(inner, path)
        tasks = waiting(backend, inner, 3)
        await asyncio.sleep(0)
        tasks[leaves].cancel()
        await asyncio.wait([tasks[leaves]])
        inner.gate.set()
        rest = [task for task in tasks if task is not tasks[leaves]]
        replies = await asyncio.gather(*rest)
        await backend.aclose()
        assert tasks[leaves].cancelled()
        assert inner.asked == 1
        return [reply.text for reply in replies], sum(r.meter.get("cost", 0) for r in replies)

    assert asyncio.run(main()) == (["reply 1"] * 2, 0.5)


def test_when_all_have_left_the_request_is_stopped_and_the_next_one_asks_anew(path):
    async def main():
        inner = Counting()
        backend = cached(inner, path)
        tasks = waiting(backend, inner, 3)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        again = asyncio.create_task(backend.complete_async(ASKED))
        await asyncio.sleep(0)
        inner.gate.set()
        reply = await again
        await backend.aclose()
        return reply.text, inner.stopped

    assert asyncio.run(main()) == ("reply 2", 1)


def test_a_mistake_in_the_backend_is_raised_and_not_kept(path):
    class Wrong(Counting):
        async def complete_async(self, request):
            raise ZeroDivisionError("bug")

    backend = cached(Wrong("counting"), path)
    with pytest.raises(ZeroDivisionError):
        once(backend)
    assert once(cached(Counting(), path)).text == "reply 1"


def test_closed_it_can_be_used_again(path):
    inner = Counting()
    backend = cached(inner, path)
    once(backend)
    asyncio.run(backend.aclose())
    assert inner.closed == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert once(backend).meter == {"cache_hits": 1}


def test_dropped_it_closes_the_file(path):
    backend = cached(Counting(), path)
    asyncio.run(backend.complete_async(ASKED))
    del backend
    gc.collect()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


CHILD = """
import os, sys
from empathy_env.backends import Request, ScriptedBackend
from empathy_env.backends.cache import cached
backend = cached(ScriptedBackend(lambda request: f"{os.getpid()}/{request.seed}"), sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for reply in backend.complete([Request("speak", (), seed=seed) for seed in range(300)]):
    print(reply.text, flush=True)
sys.stdin.readline()
"""


def children(path, count):
    return [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(count)
    ]


def test_processes_share_a_file_and_go_on_with_the_same_replies(path):
    running = children(path, 3)
    for child in running:
        assert child.stdout.readline() == "ready\n"
    for child in running:
        child.stdin.write("go\n")
        child.stdin.flush()
    heard = [child.communicate("end\n")[0].split() for child in running]
    assert [child.returncode for child in running] == [0] * 3
    assert len(heard[0]) == 300
    assert heard[0] == heard[1] == heard[2]


def test_a_killed_process_leaves_all_replies_that_it_had(path):
    (child,) = children(path, 1)
    with child:
        child.stdin.write("go\n")
        child.stdin.flush()
        heard = [child.stdout.readline().strip() for _ in range(301)][1:]
        child.send_signal(signal.SIGKILL)
    backend = cached(ScriptedBackend(lambda request: "lost"), path)
    replies = backend.complete([Request("speak", (), seed=seed) for seed in range(300)])
    assert [reply.text for reply in replies] == heard


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_is_forked_off_opens_the_file_for_itself(path):
    backend = cached(Counting(), path)
    once(backend)
    child = os.fork()
    if not child:  # what is raised here must not reach pytest
        reply = asyncio.run(backend.complete_async(ASKED))
        own = backend._store.opener == os.getpid()
        os._exit(0 if own and reply.meter == {"cache_hits": 1} else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert once(backend, Request("speak", ())).text == "reply 2"


def test_no_text_of_a_request_is_kept(path):
    once(cached(Counting(), path), Request("speak", (from_user("between us"),), origin="ada/1"))
    content = path.read_bytes() + path.with_name(path.name + "-wal").read_bytes()
    assert b"reply 1" in content
    assert b"between us" not in content
    assert b"ada" not in content


def foreign(path, application=0):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.execute(f"PRAGMA application_id = {application}")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("hello, I am a diary " * 50), "file is not a database"),
        (lambda path: path.mkdir(), "unable to open"),
        (foreign, "holds something else"),
        (lambda path: foreign(path, APPLICATION), "holds a cache of version 99"),
    ],
    ids=["text", "folder", "sqlite", "version"],
)
def test_a_file_that_is_no_cache_is_refused_before_anything_is_asked(path, make, message):
    make(path)
    with pytest.raises(InvalidArgument, match=message) as caught:
        cached(Counting(), path)
    assert str(path) in str(caught.value)
    assert "Give" in str(caught.value)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InvalidArgument, match=r"no-such-folder.*Give"):
        cached(Counting(), tmp_path / "no-such-folder" / "replies.db")


def test_a_file_that_breaks_later_is_a_fault_that_says_so(path):
    backend = cached(Counting(), path)
    asyncio.run(backend.aclose())
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    fault = once(backend)
    assert isinstance(fault, BackendFault)
    assert f"the cache {path} cannot be" in str(fault)
    assert "move it away" in str(fault)


def test_a_reply_that_cannot_be_written_is_a_fault(path):
    backend = cached(Counting(), path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE replies")
    connection.execute("CREATE TABLE replies (key BLOB PRIMARY KEY, text BLOB CHECK (0))")
    connection.close()
    fault = once(backend)
    assert isinstance(fault, BackendFault)
    assert "cannot be written" in str(fault)
    assert isinstance(fault.__cause__, sqlite3.Error)


def test_a_file_that_another_is_just_making_is_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "replies.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("empathy_env.backends.cache.sleep", lambda seconds: other.rollback())
    connection = opened(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    other.close()
