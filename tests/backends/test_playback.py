import asyncio
import random
from itertools import count

import pytest
from stub_server import StubServer, failing

from empathy_env import Task, load_agent, rollouts
from empathy_env.backends import Backend, Reply, Request, ScriptedBackend
from empathy_env.backends.chat_server import openai
from empathy_env.backends.playback import DIFF_LINES, replay
from empathy_env.backends.retry import retrying
from empathy_env.backends.tape import recording
from empathy_env.errors import BadStatus, Fault, InvalidArgument, TimedOut, UnexpectedRequest
from empathy_env.messages import from_system, from_user
from empathy_env.speaker import Speech, TemplateSpeaker


class Numbering(ScriptedBackend):
    """Answers with how often it was asked; a text "fail ..." fails."""

    def __init__(self, name="model"):
        self.asked = 0
        super().__init__(self.number, name=name)

    def number(self, request):
        self.asked += 1
        if request.messages[-1]["content"].startswith("fail"):
            raise BadStatus("busy", status=503, retry_after=2.5)
        return f"reply {self.asked}"


def ask(text="hello", origin="", **fields):
    return Request(fields.pop("purpose", "speak"), (from_user(text),), origin=origin, **fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.tape"


def record(path, *requests, inner=None):
    """Record these requests one after the other."""
    tape = recording(inner or Numbering(), path)
    answers = [tape.complete([request])[0] for request in requests]
    asyncio.run(tape.aclose())
    return answers


def texts(backend, *requests):
    return [backend.complete([request])[0].text for request in requests]


def test_it_is_a_backend_with_the_name_of_the_recorded_one(path):
    record(path, inner=Numbering("openai:m"))
    assert isinstance(replay(path), Backend)
    assert replay(str(path)).name == "openai:m"


def test_replies_and_meters_come_back(path):
    class Metered(ScriptedBackend):
        async def complete_async(self, request):
            return Reply("lone \ud800 ümlaut 🙂", {"completion_tokens": 3.0})

    record(path, ask(), inner=Metered(lambda request: ""))
    assert replay(path).complete([ask()]) == [
        Reply("lone \ud800 ümlaut 🙂", {"completion_tokens": 3.0})
    ]


def test_each_origin_gets_its_own_reply_in_whatever_order_they_ask(path):
    requests = [ask(origin=f"ada/{number}") for number in range(30)]
    recorded = [reply.text for reply in record(path, *requests)]
    order = list(range(30))
    random.Random(4).shuffle(order)
    backend = replay(path)
    assert texts(backend, *(requests[n] for n in order)) == [recorded[n] for n in order]


def test_one_origin_that_asks_the_same_several_times_gets_the_replies_in_order_then_the_last(path):
    record(path, ask(origin="a"), ask(origin="b"), ask(origin="a"))
    backend = replay(path)
    assert texts(backend, *[ask(origin="a")] * 4) == ["reply 1", "reply 3", "reply 3", "reply 3"]
    assert texts(backend, *[ask(origin="b")] * 2) == ["reply 2", "reply 2"]


def test_an_origin_that_is_not_on_the_tape_gets_what_nobody_has_had_in_recorded_order(path):
    record(path, ask(origin="a"), ask(origin="b"), ask(origin="c"))
    backend = replay(path)
    assert texts(backend, ask(origin="b"), ask(origin="new"), ask(origin="newer")) == [
        "reply 2",
        "reply 1",
        "reply 3",
    ]
    assert texts(backend, ask(origin="new"), ask(origin="a")) == ["reply 1", "reply 1"]


def test_an_episode_that_was_begun_anew_is_played_as_it_went_the_last_time(path):
    inner = Numbering()
    record(path, ask(origin="a"), ask(origin="b"), ask(origin="b"), inner=inner)
    record(path, ask(origin="b"), ask(origin="c"), inner=inner)
    backend = replay(path)
    assert texts(backend, *[ask(origin=name) for name in "abbc"]) == [
        "reply 1",
        "reply 4",
        "reply 4",
        "reply 5",
    ]
    with pytest.raises(UnexpectedRequest):
        backend.complete([ask(origin="new")])


class LineSpeaker:
    """Says what the model says, which is asked with all that was said before."""

    name = "line"

    def speak(self, moment):
        speech = yield from TemplateSpeaker().speak(moment)
        reply = yield Request("speak", (from_user(f"{moment.heard} {speech.text}"),))
        return Speech(f"{speech.text} {reply.text}", speech.manner, speech.used)


def played(backend, seeds):
    task = Task(personas="split:dev", max_turns=4, user=backend, speaker=LineSpeaker())
    scenarios = [task.scenario(seed) for seed in seeds]
    traces = rollouts(task, load_agent("listener"), scenarios, concurrency=len(scenarios))
    return sorted(trace.to_record()["id"] + str(trace.to_record()) for trace in traces)


def test_a_live_run_with_failures_on_the_way_replays_to_the_same_records(path):
    failed = count()

    def answer(body):
        number = next(failed)  # replies and failures depend on the order in which requests come
        return failing(503) if number % 3 == 0 else f"Hm, {number}."

    async def at_once(seconds):
        pass

    with StubServer(answer) as stub:
        server = openai("model", base_url=stub.url, api_key_env=None)
        backend = recording(retrying(server, sleep=at_once, attempts=20), path)
        live = played(backend, range(8))
        asyncio.run(backend.aclose())
    assert len(live) == 8
    assert "Hm, " in live[0]
    assert played(replay(path), range(8)) == live
    assert played(replay(path), reversed(range(8))) == live


def test_when_all_replies_are_had_by_others_it_says_so(path):
    record(path, ask(origin="a"), ask(origin="b"))
    backend = replay(path)
    texts(backend, ask(origin="x"), ask(origin="y"))
    with pytest.raises(UnexpectedRequest, match="it is on the tape 2 times, and others have had"):
        backend.complete([ask(origin="z")])


def test_a_fault_comes_back_as_it_was_as_often_as_it_is_asked_for(path):
    record(path, ask("fail"))
    backend = replay(path)
    first, second = (backend.complete([ask("fail")])[0] for _ in range(2))
    assert first is not second
    for fault in (first, second):
        assert type(fault) is BadStatus
        assert str(fault) == "busy"
        assert (fault.status, fault.retry_after, fault.transient) == (503, 2.5, True)


def test_what_a_failure_cost_comes_back(path):
    def fail(request):
        fault = TimedOut("late")
        fault.meter = {"requests": 1.0}
        raise fault

    record(path, ask(), inner=ScriptedBackend(fail))
    assert replay(path).complete([ask()])[0].meter == {"requests": 1.0}


class Peculiar(Fault):
    """A fault of a user's own, with a constructor of its own."""

    def __init__(self, *, code):
        super().__init__(f"peculiar {code}")
        self.code = code


def test_a_fault_of_a_type_of_ones_own_comes_back(path):
    def fail(request):
        raise Peculiar(code=3)

    record(path, ask(), inner=ScriptedBackend(fail))
    fault = replay(path).complete([ask()])[0]
    assert (type(fault), str(fault), fault.code) == (Peculiar, "peculiar 3", 3)
    path.write_text(path.read_text().replace("Peculiar", "Unheard"))
    with pytest.raises(InvalidArgument, match=r"run.tape:2: broken line: KeyError: 'Unheard'"):
        replay(path)


def test_a_tape_below_retries_holds_every_attempt_and_replays_them(path):
    async def at_once(seconds):
        pass

    class Flaky(Numbering):
        def number(self, request):
            self.asked += 1
            if self.asked % 3:
                raise TimedOut("late")
            return f"reply {self.asked}"

    tape = recording(Flaky(), path)
    live = retrying(tape, sleep=at_once).complete([ask()])[0]
    asyncio.run(tape.aclose())
    played = retrying(replay(path), sleep=at_once).complete([ask()])[0]
    assert live.text == played.text == "reply 3"
    assert live.meter["retries"] == played.meter["retries"] == 2


def test_a_torn_last_line_is_left_out(path):
    record(path, ask("a"), ask("b"))
    path.write_bytes(path.read_bytes()[:-1])
    backend = replay(path)
    assert texts(backend, ask("a")) == ["reply 1"]
    with pytest.raises(UnexpectedRequest):
        backend.complete([ask("b")])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("oops", ":3: broken line: JSONDecodeError"),
        ("[1]", ":3: broken line: TypeError: no JSON object"),
        ('{"origin": ""}', ":3: broken line: KeyError"),
        ("[" * 100_000, ":3: broken line: ValueError: nested too deeply"),
        ("\udcff", ":3: broken line: UnicodeDecodeError"),
    ],
    ids=["text", "list", "fields", "deep", "bytes"],
)
def test_a_broken_line_is_named(path, line, message):
    record(path, ask("a"), ask("b"))
    first, second, third = path.read_bytes().splitlines(keepends=True)
    broken = line.encode("utf-8", "surrogateescape")
    path.write_bytes(first + second + broken + b"\n" + third)
    with pytest.raises(InvalidArgument, match=message) as caught:
        replay(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ":1: no header of a tape"),
        ("notes\n", ":1: no header of a tape"),
        ('{"format":"empathy-env/trace","version":2}\n', ":1: no header of a tape"),
        (
            '{"format":"empathy-env/tape","version":9,"backend":"m"}\n',
            ":1: a tape of version 9: 1 is read",
        ),
    ],
)
def test_what_is_no_tape_is_refused(path, content, message):
    path.write_text(content)
    with pytest.raises(InvalidArgument, match=message):
        replay(path)


def test_a_file_that_is_not_there_is_named(path):
    with pytest.raises(InvalidArgument, match=r"run.tape cannot be read"):
        replay(path)


def unexpected(path, request):
    with pytest.raises(UnexpectedRequest) as caught:
        replay(path).complete([request])
    return str(caught.value)


def test_an_unexpected_request_shows_what_differs_from_the_nearest(path):
    record(
        path,
        ask("I lost my job.", purpose="appraise"),
        ask("You sound tired.\nTell me more."),
        ask("Nothing alike."),
    )
    message = unexpected(path, ask("You sound worn out.\nTell me more."))
    assert f"{path} has no answer to this request (purpose 'speak', origin '')" in message
    assert f"--- {path}:3" in message
    assert "-  You sound tired." in message
    assert "+  You sound worn out." in message
    assert "-  Tell me more." not in message
    assert "record again" in message


def test_the_nearest_is_looked_for_in_the_same_place_of_the_same_episode_first(path):
    record(path, ask("one", origin="ada/1"), ask("two\n2\nII", origin="ada/2"))
    message = unexpected(path, ask("two\n2\nII", origin="ada/1", seed=9))
    assert f"--- {path}:2" in message
    assert "-  one" in message


def test_on_a_long_tape_the_same_episode_is_looked_at_first(path):
    others = [ask(f"hello {number}", origin=f"bob/{number}") for number in range(300)]
    record(path, *others, ask("something else", origin="ada/1"))
    assert f"--- {path}:302" in unexpected(path, ask("anything else", origin="ada/2"))


def test_a_word_in_a_long_line_and_a_schema_are_seen(path):
    long = "word " * 200
    record(path, ask(long + "tired " + long, schema={"type": "object"}))
    message = unexpected(path, ask(long + "weary " + long, schema={"type": "string"}))
    assert "tired" in message
    assert "weary" in message
    assert '+ "type": "string"' in message
    assert len(message.splitlines()) < DIFF_LINES


def test_a_difference_in_everything_is_cut(path):
    record(path, ask("\n".join(f"old {number}" for number in range(500))))
    message = unexpected(path, ask("\n".join(f"new {number}" for number in range(500))))
    assert len(message.splitlines()) <= DIFF_LINES + 1
    assert "more lines" in message


def test_an_empty_tape_says_so(path):
    record(path)
    assert "the tape is empty" in unexpected(path, ask())


def test_a_request_of_a_purpose_that_was_never_recorded_still_shows_something(path):
    record(path, ask("hello", purpose="appraise"))
    assert "-purpose: appraise" in unexpected(path, ask("hello"))


def test_a_system_message_tells_roles_apart(path):
    record(path, Request("speak", (from_system("hello"),)))
    message = unexpected(path, ask("hello"))
    assert "-system:" in message
    assert "+user:" in message
