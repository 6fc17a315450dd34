import asyncio
import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from weakref import ref

import pytest

from empathy_env.backends import AsyncBackend, Reply, Request
from empathy_env.errors import InvalidArgument, TimedOut


class Counting(AsyncBackend):
    """Answers after a round of the loop, and keeps how many were under way at once."""

    name = "counting"

    def __init__(self):
        self.under_way = self.most = 0
        self.loops = set()

    async def complete_async(self, request):
        self.loops.add(id(asyncio.get_running_loop()))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if "fail" in request.purpose:
            raise TimedOut("no answer in 60 s")
        if "bug" in request.purpose:
            raise ZeroDivisionError
        return Reply(request.purpose)


def asking(*purposes):
    return [Request(purpose, ()) for purpose in purposes]


def test_all_are_asked_at_once_and_answered_in_order():
    backend = Counting()
    replies = backend.complete(asking("a", "b", "c"))
    assert [reply.text for reply in replies] == ["a", "b", "c"]
    assert backend.most == 3


def test_a_fault_takes_its_own_place_only_and_a_bug_is_raised():
    one, fault, other = Counting().complete(asking("a", "fail", "c"))
    assert (one.text, other.text) == ("a", "c")
    assert isinstance(fault, TimedOut)
    with pytest.raises(ZeroDivisionError):
        Counting().complete(asking("a", "bug"))


def test_nothing_asked_is_nothing_answered():
    assert Counting().complete([]) == []


def test_connections_live_on_one_loop_whichever_thread_asks():
    backend = Counting()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(backend.complete, [asking("a", "b")] * 20))
    assert all([reply.text for reply in replies] == ["a", "b"] for replies in found)
    assert len(backend.loops) == 1


def test_it_works_from_inside_a_running_loop():
    async def notebook():
        return Counting().complete(asking("a"))[0].text

    assert asyncio.run(notebook()) == "a"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking beside threads
def test_a_fork_asks_on_a_loop_of_its_own():
    backend = Counting()
    backend.complete(asking("a"))
    child = os.fork()
    if child == 0:
        answered = backend.complete(asking("b"))[0].text == "b"
        os._exit(0 if answered else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@dataclass
class Changing(AsyncBackend):
    """A plain dataclass: it can be compared, and has no hash."""

    name: str = "changing"

    async def complete_async(self, request):
        return Reply(request.purpose)


def test_a_backend_needs_no_hash():
    with pytest.raises(TypeError):
        hash(Changing())
    assert Changing().complete(asking("a")) == [Reply("a")]


class Nested(Counting):
    async def complete_async(self, request):
        return self.complete([request])[0]


def test_a_backend_that_is_let_go_is_not_kept():
    backend = Counting()
    backend.complete(asking("a"))
    gone = ref(backend)
    del backend
    gc.collect()
    assert gone() is None


def test_complete_from_within_a_backend_is_refused_where_it_would_wait_for_itself():
    with pytest.raises(InvalidArgument, match="complete_async"):
        Nested().complete(asking("a"))


class Endless(AsyncBackend):
    """Raises for a bug once all others are under way; these never end by themselves."""

    name = "endless"

    def __init__(self, others):
        self.others, self.under_way, self.cancelled = others, 0, 0
        self.all_under_way = asyncio.Event()

    async def complete_async(self, request):
        if request.purpose == "bug":
            await self.all_under_way.wait()
            raise ZeroDivisionError
        self.under_way += 1
        if self.under_way == self.others:
            self.all_under_way.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def test_a_bug_in_one_request_stops_the_others():
    backend = Endless(others=2)
    with pytest.raises(ZeroDivisionError):
        backend.complete(asking("a", "bug", "c"))
    assert backend.cancelled == 2


LEAVING = """
import asyncio
from dataclasses import dataclass
from weakref import ref

from empathy_env.backends import AsyncBackend, Reply, Request, asynchronous

asynchronous.CLOSING_SECONDS = 0.01


@dataclass(frozen=True)
class Leaving(AsyncBackend):
    name: str

    async def complete_async(self, request):
        return Reply("yes")

    async def aclose(self):
        if self.name == "raising":
            raise RuntimeError("cannot close")
        if self.name == "endless":
            await asyncio.Event().wait()
        print("closed")


backends = [Leaving(name) for name in ("raising", "endless", "equal", "equal")]
for backend in backends:
    backend.complete([Request("a", ())])
"""


def test_at_exit_each_is_closed_whatever_the_others_do():
    left = subprocess.run(
        [sys.executable, "-c", LEAVING], capture_output=True, text=True, timeout=60, check=True
    )
    assert left.stdout == "closed\nclosed\n"
    assert "'raising' could not be closed: RuntimeError" in left.stderr
    assert "'endless' could not be closed: not done after 0.01 s" in left.stderr
    assert "never retrieved" not in left.stderr
