"""The laws of a backend, each with one that breaks it."""

import asyncio
from itertools import count

import pytest
import specimens_backends as specimens

from empathy_env.backends import ScriptedBackend
from empathy_env.checks import check_backend
from empathy_env.errors import CheckFailed, InvalidArgument, TimedOut, UnknownName

ALL = (
    "named keeps-secrets answers leaves-requests meter form repeatable batches async closes"
).split()
KEY = "sk-abcdefghijklmnop1234"


def test_a_good_backend_keeps_all_laws():
    report = check_backend(ScriptedBackend(specimens.words))
    assert (report.laws, report.notes) == (tuple(ALL), ())
    assert report.subject == "backend 'scripted'"


def scripted(kind):
    return kind(specimens.words)


@pytest.mark.parametrize(
    ("backend", "law", "said"),
    [
        (specimens.Nameless(), "named", "' '"),
        (specimens.Renamed(), "named", "changes"),
        (specimens.Telling(KEY), "keeps-secrets", "its repr holds"),
        (specimens.Telling(KEY, in_name=True), "keeps-secrets", "its name holds"),
        (specimens.Telling("https://me:pass@host"), "keeps-secrets", "its repr holds"),
        (scripted(specimens.Raising), "answers", "KeyError"),
        (scripted(specimens.OneAnswer), "leaves-requests", "1 answers to 3 requests"),
        (scripted(specimens.Bare), "answers", "str 'speak"),
        (scripted(specimens.Wordless), "answers", "NoneType"),
        (scripted(specimens.Scribbling), "leaves-requests", "changed a request"),
        (specimens.Metered(cost=float("nan")), "meter", "cost=nan"),
        (specimens.Metered(seconds=-1.0), "meter", "seconds=-1.0"),
        (specimens.Metered(cost="0.1"), "meter", "cost='0.1'"),
        (specimens.Unmetered(specimens.words), "meter", "no mapping"),
        (scripted(specimens.Sorting), "batches", "among others"),
        (scripted(specimens.Generous), "batches", "1 answers to 0 requests"),
        (scripted(specimens.RaisingLater), "async", "KeyError"),
        (scripted(specimens.TwoMouths), "async", "Something else."),
        (scripted(specimens.OnceClosed), "closes", "closed already"),
        (scripted(specimens.Spent), "closes", "TimedOut"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ScriptedBackend) else "",
)
def test_one_that_breaks_a_law_is_refused(backend, law, said):
    with pytest.raises(CheckFailed) as caught:
        check_backend(backend, laws=[law])
    assert said in str(caught.value)
    assert caught.value.law in (law, "answers")


def test_a_secret_of_the_environment_is_looked_for_and_not_repeated(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "a-long-and-plain-word")
    telling = specimens.Telling("a-long-and-plain-word")
    with pytest.raises(CheckFailed, match="MY_SERVICE_TOKEN") as caught:
        check_backend(telling)
    assert "a-long-and-plain-word" not in str(caught.value)
    monkeypatch.delenv("MY_SERVICE_TOKEN")
    assert check_backend(telling, laws=["keeps-secrets"]).laws == ("keeps-secrets",)


def test_one_that_never_answers_alike_breaks_nothing_and_is_noted():
    number = count()
    report = check_backend(ScriptedBackend(lambda request: f"{next(number)}"))
    noted = {note.partition(":")[0] for note in report.notes}
    assert noted == {"form", "repeatable", "batches", "async"}
    assert set(report.laws) == {*ALL} - noted


def test_faults_are_answers_and_a_backend_that_gives_nothing_else_is_noted():
    def fails(request):
        raise TimedOut("no answer in 60 s")

    report = check_backend(ScriptedBackend(fails))
    (note,) = report.notes
    assert note.startswith("answers: every request met a fault (TimedOut: no answer in 60 s")
    assert set(report.laws) == {*ALL} - {"answers"}


def test_it_works_where_a_loop_is_running_already():
    async def notebook():
        return check_backend(ScriptedBackend(specimens.words), laws=["async", "closes"])

    assert asyncio.run(notebook()).laws == ("async", "closes")


def test_what_is_no_backend_and_no_law_is_said_so():
    with pytest.raises(InvalidArgument, match="complete_async"):
        check_backend("openai:my-model")
    with pytest.raises(UnknownName, match="Did you mean 'batches'"):
        check_backend(ScriptedBackend(specimens.words), laws=["batch"])
