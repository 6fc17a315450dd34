"""The laws of an appraiser, each with one that breaks it."""

from itertools import cycle

import pytest
import specimens_appraisers as specimens

from empathy_env.appraiser import RuleAppraiser
from empathy_env.backends import ScriptedBackend
from empathy_env.checks import check_appraiser
from empathy_env.errors import CheckFailed, TimedOut, UnknownName

ALL = (
    "closed-scale literal any-text deterministic memoryless no-listener leaves-context "
    "manipulation private padding"
).split()


@pytest.mark.parametrize("name", ["rules", "rules-b"])
def test_the_rules_keep_all_laws(name):
    report = check_appraiser(RuleAppraiser(name))
    assert (report.laws, report.notes) == (tuple(ALL), ())


def test_an_appraiser_of_ones_own_keeps_them():
    assert check_appraiser(specimens.Changed()).laws == tuple(ALL)


@pytest.mark.parametrize(
    ("appraiser", "law", "said"),
    [
        (specimens.NewAct(), "closed-scale", "act='kindness'"),
        (specimens.NewAbout(), "closed-scale", "about='weather'"),
        (specimens.Graded(), "closed-scale", "0.75, 1.0, 1.25"),
        (specimens.NewTopic(), "closed-scale", "topic='the-moon'"),
        (specimens.Paraphrasing(), "literal", "WHAT WAS THE WALK"),
        (specimens.Quoteless(), "literal", "quote=''"),
        (specimens.Brittle(), "any-text", "IndexError"),
        (specimens.HearsSilence(), "any-text", "silence"),
        (specimens.Bare(), "any-text", "returned tuple"),
        (specimens.Moody(), "deterministic", "second time"),
        (specimens.Remembering(), "memoryless", "somebody else"),
        (specimens.Guessing(), "no-listener", "order of the topics"),
        (specimens.Scribbling(), "leaves-context", "changed the messages"),
        (specimens.Trusted(), "manipulation", "no manipulation"),
        (specimens.Eavesdropping(), "private", "nobody hears"),
        (specimens.Impressed(), "padding", "prettier"),
        (specimens.Emphatic(), "padding", "prettier"),
        (specimens.LikesLength(), "padding", "longer"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_one_that_breaks_a_law_is_refused(appraiser, law, said):
    with pytest.raises(CheckFailed) as caught:
        check_appraiser(appraiser, laws=[law])
    assert caught.value.law == law
    assert said in str(caught.value)
    assert "agent: " in caught.value.dialogue or law == "leaves-context"


def test_the_words_that_show_it_are_shown_with_what_was_found():
    with pytest.raises(CheckFailed) as caught:
        check_appraiser(specimens.NewAct(), laws=["closed-scale"])
    first = "  agent: 'What was the walk to the gate like?'\n  found: kindness about situation: "
    assert caught.value.dialogue.startswith(first)


def test_a_model_that_wavers_breaks_no_law_of_code_and_is_noted():
    acts = cycle(["open_question", "reflection", "presence"])
    backend = ScriptedBackend(lambda request: next(acts))
    report = check_appraiser(specimens.Asking(), backend=backend)
    noted = {note.partition(":")[0] for note in report.notes}
    assert {"deterministic", "memoryless"} <= noted <= {"private", "no-listener", "padding", *noted}
    assert {"closed-scale", "literal", "any-text", "manipulation"} <= set(report.laws)


def test_a_steady_model_keeps_all_of_them_and_a_bad_one_does_not():
    steady = ScriptedBackend(lambda request: "presence")
    assert check_appraiser(specimens.Asking(), backend=steady).laws == tuple(ALL)
    with pytest.raises(CheckFailed, match="act='niceness'"):
        check_appraiser(specimens.Asking(), backend=ScriptedBackend(lambda request: "niceness"))


def test_a_fault_is_no_broken_law():
    def fails(request):
        raise TimedOut("no answer")

    with pytest.raises(TimedOut):
        check_appraiser(specimens.Asking(), backend=ScriptedBackend(fails))


def test_agreement_with_labels_is_noted_and_not_required():
    labels = {
        "What happened then?": {"open_question"},
        "Hm.": {"abandonment"},
        "You sound sad. What happened?": {"reflection"},
        "17": (),
    }
    report = check_appraiser(RuleAppraiser(), labels=labels, laws=["literal"])
    assert report.laws == ("literal",)
    (note,) = report.notes
    assert note == "labels: 2 of 4 have exactly the acts that were found, 3 one of them"


def test_a_wrong_law_gets_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'literal'"):
        check_appraiser(RuleAppraiser(), laws=["litteral"])
