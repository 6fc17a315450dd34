import json
from dataclasses import replace

import pytest
from live import as_user, entry, scripted_user, utterance_of

from empathy_env import Task, Trace, verify
from empathy_env.backends import ScriptedBackend
from empathy_env.errors import BackendFault, UnexpectedRequest
from empathy_env.replay import replayed
from empathy_env.trace import Call

SAID = ["How have you been sleeping?", "And what happened then?", "I'm here."]


def recorded(answer=as_user, **kwargs):
    """Return the trace of a talk with a live user, read back from its line."""
    task = Task(persona="laid-off-engineer", user=ScriptedBackend(answer), **kwargs)
    episode = task.open(seed=3)
    for text in SAID:
        episode.say(text)
    return Trace.from_json(episode.trace.to_json())


def stumbling(request):
    """Answer like a model that fails at first: nonsense, then a fault, then sense."""
    if request.purpose == "appraise" and utterance_of(request) == SAID[1]:
        return "I would rather not"
    if request.purpose == "speak" and SAID[2] in request.messages[-1]["content"]:
        raise EmptyHanded("nothing came")
    return as_user(request)


class EmptyHanded(BackendFault):
    of_content = True


@pytest.mark.parametrize("kwargs", [{}, {"appraiser": "rules"}, {"speaker": "templates"}])
def test_a_live_talk_is_verified_whole_without_the_model(kwargs):
    verdict = verify(recorded(**kwargs))
    assert verdict.consistent
    assert verdict.unverified == ("the end (the talk is unfinished)",)


def test_a_vote_is_taken_again_and_so_is_its_error():
    def wavering(request):
        if request.purpose == "appraise" and request.seed % 2:
            return json.dumps({"evidence": [entry(utterance_of(request), "presence")]})
        return as_user(request)

    trace = recorded(wavering, appraiser_samples=5)
    assert verify(trace).consistent
    assert any(turn.answers[0].error for turn in trace.turns)
    turn = trace.turns[0]
    other = replace(turn, answers=(turn.answers[0]._replace(error=9.0),))
    assert verify(replace(trace, turns=(other, *trace.turns[1:]))).mismatch.what == "error"


def test_faults_that_a_step_went_on_from_are_played_again():
    trace = recorded(stumbling)
    calls = [call for turn in trace.turns for call in turn.calls]
    assert [call.fault for call in calls if call.fault] == ["EmptyHanded"]
    assert "appraise-again" in [call.purpose for call in calls]
    assert trace.turns[1].notes
    assert verify(trace).consistent


@pytest.mark.parametrize("field", ["reply", "request"])
def test_a_changed_reply_or_request_is_named(field):
    trace = recorded()
    turn = trace.turns[1]
    calls = (turn.calls[0]._replace(**{field: '{"evidence": []}'}), *turn.calls[1:])
    verdict = verify(replace(trace, turns=(trace.turns[0], replace(turn, calls=calls))))
    assert verdict.mismatch.turn == 2
    assert verdict.mismatch.what in ("evidence", "calls")


def test_a_missing_call_is_named():
    trace = recorded()
    turns = (replace(trace.turns[0], calls=trace.turns[0].calls[:1]),)
    verdict = verify(replace(trace, turns=turns))
    assert (verdict.mismatch.turn, verdict.mismatch.what) == (1, "calls")
    with pytest.raises(UnexpectedRequest, match="speak"):
        list(replayed(replace(trace, turns=turns)))


def test_notes_cannot_be_rewritten():
    trace = recorded()
    turns = (replace(trace.turns[0], notes=("all was well",)),)
    assert verify(replace(trace, turns=turns)).mismatch.what == "notes"


def test_the_talk_before_each_turn_comes_back():
    trace = recorded()
    talks = list(replayed(trace))
    assert [len(talk.turns) for talk in talks] == [0, 1, 2, 3]
    assert talks[-1].trace.turns == trace.turns


def test_an_appraiser_of_ones_own_is_stood_in_for_and_the_speaker_is_still_checked():
    class Judge:
        name = "judge"

        def appraise(self, utterance, context):
            reading = yield from type(self).model.appraise(utterance, context)
            return reading

    from empathy_env.model_appraiser import ModelAppraiser

    Judge.model = ModelAppraiser()
    task = Task(persona="laid-off-engineer", user=scripted_user(), appraiser=Judge())
    episode = task.open(seed=3)
    episode.say(SAID[0])
    verdict = verify(episode.trace)
    assert verdict.consistent
    assert any("judge" in text for text in verdict.unverified)
    turn = episode.trace.turns[0]
    other = replace(turn, answers=(turn.answers[0]._replace(reply="I feel wonderful."),))
    assert verify(replace(episode.trace, turns=(other,))).mismatch.what == "reply"


@pytest.mark.parametrize("protocol", ["sage-2025", "rlver-2025"])
def test_a_talk_under_a_published_protocol_is_verified(protocol):
    def reporting(request):
        if request.purpose.startswith("report"):
            told = {"means": "a question", "fits": "partly", "inner": "hm", "feeling": "low"}
            return json.dumps({**told, "change": 4})
        return json.dumps({"reply": f"Well. {request.seed}"})

    trace = recorded(reporting, protocol=protocol)
    verdict = verify(trace)
    assert verdict.consistent, verdict.mismatch
    turn = trace.turns[0]
    mood = turn.answers[0].mood._replace(emotion=99.0)
    other = replace(turn, answers=(turn.answers[0]._replace(mood=mood),))
    assert verify(replace(trace, turns=(other,))).mismatch.what == "emotion"


@pytest.mark.parametrize("change", ["notes", "calls"])
def test_nothing_can_be_added_to_a_talk_under_a_published_protocol(change):
    def reporting(request):
        if request.purpose.startswith("report"):
            told = {"means": "a question", "fits": "partly", "inner": "hm", "feeling": "low"}
            return json.dumps({**told, "change": 4})
        return json.dumps({"reply": f"Well. {request.seed}"})

    trace = recorded(reporting, protocol="sage-2025")
    more = {"notes": ("forged",), "calls": (*trace.turns[0].calls, Call("x", "y", "z"))}
    turns = (replace(trace.turns[0], **{change: more[change]}), *trace.turns[1:])
    assert verify(replace(trace, turns=turns)).mismatch.what == change
