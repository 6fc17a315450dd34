import asyncio

import pytest

from empathy_env.backends import Backend, Request, ScriptedBackend
from empathy_env.backends.route import routed
from empathy_env.errors import BackendFault, InvalidArgument


def named(name):
    return ScriptedBackend(lambda request: f"{name} heard {request.purpose}", name=name)


class Closing(ScriptedBackend):
    def __init__(self, name):
        super().__init__(lambda request: name, name=name)
        self.closed = 0

    async def aclose(self):
        self.closed += 1


def texts(backend, *purposes):
    return [
        reply.text for reply in backend.complete([Request(purpose, ()) for purpose in purposes])
    ]


def test_each_purpose_has_its_own_backend():
    backend = routed(appraise=named("a"), speak=named("b"))
    assert isinstance(backend, Backend)
    assert texts(backend, "speak", "appraise") == ["b heard speak", "a heard appraise"]


def test_what_is_asked_again_goes_where_it_went_first():
    backend = routed(appraise=named("a"), speak=named("b"), **{"speak-thrice": named("c")})
    assert texts(backend, "speak-again", "speak-thrice") == [
        "b heard speak-again",
        "c heard speak-thrice",
    ]


def test_the_default_answers_all_others():
    backend = routed(default=named("a"), speak=named("b"))
    assert texts(backend, "speak", "judge") == ["b heard speak", "a heard judge"]


def test_a_purpose_without_backend_is_a_mistake_and_the_message_says_what_there_is():
    backend = routed(appraise=named("a"), speak=named("b"))
    with pytest.raises(InvalidArgument, match="purpose='judge-again' has no backend") as caught:
        texts(backend, "judge-again")
    assert "appraise, speak" in str(caught.value)
    assert "Give judge=" in str(caught.value)


def test_no_backend_at_all_is_refused_at_once():
    with pytest.raises(InvalidArgument, match="no backend"):
        routed()


def test_the_name_tells_all_backends_whatever_their_order():
    first = routed(appraise=named("a"), speak=named("b"), default=named("c"))
    second = routed(default=named("c"), speak=named("b"), appraise=named("a"))
    assert first.name == second.name == "routed(appraise=a, speak=b, default=c)"


def test_a_fault_of_one_leaves_the_others_be():
    def fail(request):
        raise BackendFault("dead")

    backend = routed(appraise=ScriptedBackend(fail), speak=named("b"))
    fault, reply = backend.complete([Request("appraise", ()), Request("speak", ())])
    assert isinstance(fault, BackendFault)
    assert reply.text == "b heard speak"


def test_closing_reaches_each_backend_once():
    one, other = Closing("a"), Closing("b")
    asyncio.run(routed(appraise=one, speak=one, default=other).aclose())
    assert (one.closed, other.closed) == (1, 1)
