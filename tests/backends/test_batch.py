import asyncio
import threading

import pytest

from empathy_env.backends import Backend, Reply, Request, ScriptedBackend
from empathy_env.backends.batch import Gathered, batching
from empathy_env.errors import BackendFault, InvalidArgument

LONG = 3600.0
"""Seconds: a batch that goes out did so because it was full."""


class Model:
    """A backend that is asked for several at once, and holds each call until it may answer."""

    name = "model"

    def __init__(self, *, held=False):
        self.batches = []
        self.threads = set()
        self.at_once = 0
        self.most_at_once = 0
        self.begun = threading.Semaphore(0)
        self.may_answer = threading.Semaphore(0 if held else 1_000)
        self.closed = 0

    def complete(self, requests):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.batches.append([request.purpose for request in requests])
        self.threads.add(threading.current_thread())
        self.begun.release()
        self.may_answer.acquire()
        self.at_once -= 1
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if request.purpose == "fail":
            return BackendFault("dead")
        return Reply(request.purpose.upper())

    async def complete_async(self, request):
        raise AssertionError("one at a time is what batching is there to avoid")

    async def aclose(self):
        self.closed += 1


def asking(backend, purposes):
    return [asyncio.create_task(backend.complete_async(Request(name, ()))) for name in purposes]


async def begun(model):
    """Wait until the model has been called once more."""
    await asyncio.to_thread(model.begun.acquire)


def test_it_is_a_backend_with_the_name_of_the_inner_one():
    assert isinstance(batching(Model()), Backend)
    assert batching(Model()).name == "model"


def test_requests_at_the_same_time_go_in_one_call_and_each_gets_its_own_reply():
    model = Model()
    replies = batching(model, size=4, wait_seconds=LONG).complete(
        [Request(name, ()) for name in "abcd"]
    )
    assert [reply.text for reply in replies] == ["A", "B", "C", "D"]
    assert model.batches == [["a", "b", "c", "d"]]
    assert threading.main_thread() not in model.threads


def test_a_batch_that_does_not_fill_goes_out_after_the_wait():
    model = Model()
    replies = batching(model, size=100, wait_seconds=0).complete(
        [Request(name, ()) for name in "abc"]
    )
    assert [reply.text for reply in replies] == ["A", "B", "C"]
    assert model.batches == [["a", "b", "c"]]


def test_one_gets_a_fault_and_the_others_their_replies():
    model = Model()
    answers = batching(model, size=3, wait_seconds=LONG).complete(
        [Request(name, ()) for name in ("a", "fail", "b")]
    )
    assert [type(answer) for answer in answers] == [Reply, BackendFault, Reply]


def test_more_than_fit_go_in_batches_one_after_the_other():
    model = Model()
    names = [f"n{number}" for number in range(10)]
    replies = batching(model, size=4, wait_seconds=0).complete(
        [Request(name, ()) for name in names]
    )
    assert [reply.text for reply in replies] == [name.upper() for name in names]
    assert [len(batch) for batch in model.batches] == [4, 4, 2]
    assert model.most_at_once == 1


def test_what_is_asked_while_a_batch_is_answered_goes_in_the_next():
    async def main():
        model = Model(held=True)
        backend = batching(model, size=2, wait_seconds=LONG)
        first = asking(backend, "ab")
        await begun(model)
        second = asking(backend, "cd")
        await asyncio.sleep(0)
        assert model.batches == [["a", "b"]]
        model.may_answer.release(2)
        return [reply.text for reply in await asyncio.gather(*first, *second)], model.batches

    assert asyncio.run(main()) == (["A", "B", "C", "D"], [["a", "b"], ["c", "d"]])


def test_a_full_batch_does_not_make_the_next_one_full():
    async def main():
        model = Model(held=True)
        backend = batching(model, size=2, wait_seconds=LONG)
        first = asking(backend, "ab")
        await begun(model)
        (alone,) = asking(backend, "c")
        await asyncio.sleep(0)
        model.may_answer.release(2)
        await asyncio.gather(*first)
        await asyncio.gather(alone, *asking(backend, "d"))
        return model.batches

    assert asyncio.run(main()) == [["a", "b"], ["c", "d"]]


def test_a_caller_who_is_cancelled_before_the_call_is_not_asked_for():
    async def main():
        model = Model()
        backend = batching(model, size=3, wait_seconds=LONG)
        a, b = asking(backend, "ab")
        await asyncio.sleep(0)
        b.cancel()
        await asyncio.gather(b, return_exceptions=True)
        rest = asking(backend, "cd")
        replies = await asyncio.gather(a, *rest)
        return b.cancelled(), [reply.text for reply in replies], model.batches

    assert asyncio.run(main()) == (True, ["A", "C", "D"], [["a", "c", "d"]])


def test_a_caller_who_is_cancelled_during_the_call_takes_nothing_from_the_others():
    async def main():
        model = Model(held=True)
        backend = batching(model, size=2, wait_seconds=LONG)
        a, b = asking(backend, "ab")
        await begun(model)
        a.cancel()
        model.may_answer.release()
        return (await b).text, (await asyncio.gather(a, return_exceptions=True))[0]

    text, cancelled = asyncio.run(main())
    assert text == "B"
    assert isinstance(cancelled, asyncio.CancelledError)


def test_a_mistake_in_the_model_reaches_every_caller_of_the_batch_and_no_other():
    class Wrong(Model):
        def answer(self, request):
            return {"a": Reply("A")}[request.purpose]

    async def main():
        backend = batching(Wrong(), size=2, wait_seconds=LONG)
        failed = await asyncio.gather(*asking(backend, "ab"), return_exceptions=True)
        good = await asyncio.gather(*asking(backend, "aa"))
        return [type(error) for error in failed], [reply.text for reply in good]

    assert asyncio.run(main()) == ([KeyError, KeyError], ["A", "A"])


def test_a_model_that_loses_a_reply_is_found_out():
    class Lossy(Model):
        def complete(self, requests):
            return super().complete(requests)[1:]

    with pytest.raises(InvalidArgument, match="model gave 1 replies to 2 requests"):
        batching(Lossy(), size=2, wait_seconds=LONG).complete([Request("a", ()), Request("b", ())])


class WatchedLock:
    """A lock that tells when somebody has come to it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.came = threading.Semaphore(0)

    def __enter__(self):
        self.came.release()
        self.lock.acquire()

    def __exit__(self, *_):
        self.lock.release()


def test_several_event_loops_take_turns_with_the_model():
    model = Model(held=True)
    backend = batching(model, size=2, wait_seconds=LONG)
    backend._one_at_a_time = WatchedLock()
    texts = {}

    def run(names):
        async def main():
            return [reply.text for reply in await asyncio.gather(*asking(backend, names))]

        texts[names] = asyncio.run(main())

    threads = [threading.Thread(target=run, args=(names,)) for names in ("abcd", "efgh", "ijkl")]
    for thread in threads:
        thread.start()
    all_came = [backend._one_at_a_time.came.acquire(timeout=30) for _ in threads]
    model.may_answer.release(6)
    for thread in threads:
        thread.join()
    assert all(all_came)
    assert texts == {names: list(names.upper()) for names in texts}
    assert len(texts) == 3
    assert model.most_at_once == 1


def test_a_loop_that_ends_while_others_wait_leaves_the_backend_usable():
    model = Model()
    backend = batching(model, size=2, wait_seconds=LONG)

    async def give_up():
        asking(backend, "a")
        await asyncio.sleep(0)

    asyncio.run(give_up())
    assert [reply.text for reply in backend.complete([Request("b", ()), Request("c", ())])] == [
        "B",
        "C",
    ]
    assert model.batches == [["b", "c"]]


def test_a_loop_that_makes_tasks_run_at_once_changes_nothing():
    eager = getattr(asyncio, "eager_task_factory", None)

    async def main():
        if eager:
            asyncio.get_running_loop().set_task_factory(eager)
        backend = batching(Model(), size=2, wait_seconds=0)
        return [reply.text for reply in await asyncio.gather(*asking(backend, "abc"))]

    assert asyncio.run(main()) == ["A", "B", "C"]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_who_is_served_by_a_server_that_is_stopped_does_not_wait_for_ever(steps):
    async def main():
        gathered = Gathered(list, size=2, wait_seconds=LONG)
        task = asyncio.create_task(gathered(1))
        for _ in range(steps):
            await asyncio.sleep(0)
        (server,) = asyncio.all_tasks() - {task, asyncio.current_task()}
        server.cancel()
        await asyncio.wait([task])
        assert not gathered._rounds
        return task.cancelled()

    assert asyncio.run(main())


def test_closing_reaches_the_inner_backend():
    model = Model()
    asyncio.run(batching(model).aclose())
    assert model.closed == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size": 0}, "size=0 is below 1"), ({"wait_seconds": -1}, "wait_seconds=-1 is below 0")],
)
def test_a_number_out_of_range_is_refused(options, message):
    with pytest.raises(InvalidArgument, match=message):
        batching(ScriptedBackend(lambda request: ""), **options)
