import asyncio

import pytest

from empathy_env.backends import Backend, Reply, Request, ScriptedBackend
from empathy_env.errors import BackendFault, Fault
from empathy_env.messages import from_user


def ask(text):
    return Request("speak", (from_user(text),))


def echo(request):
    text = request.messages[-1]["content"]
    if text == "fail":
        raise BackendFault("the line is dead")
    if text == "bug":
        raise ZeroDivisionError
    return f"{request.purpose}: {text}"


def test_it_is_a_backend_with_a_name():
    assert isinstance(ScriptedBackend(echo), Backend)
    assert ScriptedBackend(echo).name == "scripted"
    assert ScriptedBackend(echo, name="mine").name == "mine"


def test_replies_come_in_the_order_of_the_requests():
    replies = ScriptedBackend(echo).complete([ask("a"), ask("b"), ask("a")])
    assert [reply.text for reply in replies] == ["speak: a", "speak: b", "speak: a"]


def test_no_request_gets_no_reply():
    assert ScriptedBackend(echo).complete([]) == []


def test_a_fault_stays_in_its_own_place():
    first, fault, last = ScriptedBackend(echo).complete([ask("a"), ask("fail"), ask("b")])
    assert (first, last) == (Reply("speak: a"), Reply("speak: b"))
    assert isinstance(fault, Fault)
    assert str(fault) == "the line is dead"


def test_a_mistake_in_the_function_is_not_passed_off_as_a_fault():
    with pytest.raises(ZeroDivisionError):
        ScriptedBackend(echo).complete([ask("bug")])


def test_asked_one_at_a_time_it_answers_the_same_and_raises_its_fault():
    backend = ScriptedBackend(echo)
    assert asyncio.run(backend.complete_async(ask("a"))) == backend.complete([ask("a")])[0]
    with pytest.raises(BackendFault, match="dead"):
        asyncio.run(backend.complete_async(ask("fail")))
