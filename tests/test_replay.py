import json
from dataclasses import replace

import pytest
from live import as_user, entry, scripted_user, utterance_of

from empathy_env import Task, Trace, verify
from empathy_env.acts import Evidence, Reading
from empathy_env.backends import ScriptedBackend
from empathy_env.cast import load_cast
from empathy_env.drivers import run
from empathy_env.errors import BackendFault, UnexpectedRequest
from empathy_env.replay import replayed
from empathy_env.scaffold import Scaffold, Split
from empathy_env.speaker import Speech
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


CAST = load_cast("couple-after-quarrel")
ROUND = {
    "supporter_0": f"{CAST.names[0]}, how have you been sleeping? {CAST.names[1]}, and you?",
    "supporter_1": f"[aside to {CAST.names[1]}] What is it like for you?",
}


def together(request):
    """Answer like a model that plays each of several people, and stumbles."""
    if request.purpose.startswith("appraise"):
        words = utterance_of(request)
        return json.dumps({"evidence": [entry(words)] if words != "(withheld)" else []})
    if request.purpose == "speak" and request.seed % 3 == 0:
        raise EmptyHanded("nothing came")
    return f"{CAST.names[request.seed % 2]}, I could not say. It is number {request.seed}."


def in_company(answer=together, played=(), rounds=3, **kwargs):
    """Return the trace of a talk with several live users, read back from its line."""
    task = Task(cast=CAST, user=ScriptedBackend(answer), supporters=2, played=played, **kwargs)
    episode = task.open(seed=4)
    said = ROUND | dict.fromkeys(played, f"{CAST.names[1]}, that's not true.")
    for _ in range(rounds):
        episode.accept(run(episode.steps(said), task.backend))
    return Trace.from_json(episode.trace.to_json())


class TestInCompany:
    @pytest.mark.parametrize(
        "kwargs",
        [
            {},
            {"appraiser": "rules"},
            {"speaker": "templates"},
            {"appraiser_samples": 3},
            {"played": ("user_0",)},
        ],
    )
    def test_a_live_talk_is_verified_whole_without_the_model(self, kwargs):
        trace = in_company(**kwargs)
        verdict = verify(trace)
        assert verdict.mismatch is None
        assert verdict.unverified == ("the end (the talk is unfinished)",)
        calls = [call for turn in trace.turns for call in turn.calls]
        if kwargs.get("speaker") != "templates":
            assert any(call.fault for call in calls), "a talk with a stumble is needed"

    def test_the_talk_before_each_round_comes_back(self):
        trace = in_company()
        talks = list(replayed(trace))
        assert [len(talk.turns) for talk in talks] == [0, 1, 2, 3]
        assert talks[-1].trace.turns == trace.turns

    @pytest.mark.parametrize("field", ["reply", "request"])
    def test_a_changed_reply_or_request_of_any_of_them_is_named(self, field):
        trace = in_company()
        turn = trace.turns[1]
        for number, call in enumerate(turn.calls):
            if call.fault:
                continue
            changed = call._replace(**{field: '{"evidence": []}'})
            calls = (*turn.calls[:number], changed, *turn.calls[number + 1 :])
            turns = (trace.turns[0], replace(turn, calls=calls), *trace.turns[2:])
            verdict = verify(replace(trace, turns=turns))
            assert not verdict.consistent
            assert verdict.mismatch.turn == 2

    def test_a_missing_or_an_added_call_is_named(self):
        trace = in_company(rounds=1)
        calls = trace.turns[0].calls
        for changed in (calls[:-1], calls[1:], (*calls, Call("speak", "0" * 16, "Hm."))):
            turns = (replace(trace.turns[0], calls=changed),)
            verdict = verify(replace(trace, turns=turns))
            assert (verdict.mismatch.turn, verdict.mismatch.what) == (1, "calls")

    def test_calls_may_have_come_back_in_any_order(self):
        """What a reply answers is told by its request."""
        trace = in_company(rounds=1)
        turns = (replace(trace.turns[0], calls=trace.turns[0].calls[::-1]),)
        assert list(replayed(replace(trace, turns=turns)))[-1].turns == trace.turns

    @pytest.mark.parametrize(
        "played",
        [
            (),
            ("supporter_0",),
            ("supporter_1", "supporter_0"),
            ("supporter_0", "supporter_0"),
            ("supporter_0", "supporter_1", "user_7"),
            ("supporter_0", "supporter_1", "nobody"),
            ("supporter_0", "supporter_1", "user_1"),
        ],
    )
    def test_other_seats_than_those_that_were_played_are_named(self, played):
        trace = in_company(appraiser="rules")
        changed = replace(trace, setup=replace(trace.setup, played=played))
        assert not verify(changed).consistent

    def test_a_talk_of_two_has_one_seat(self):
        trace = recorded(appraiser="rules")
        more = replace(trace.setup, played=("supporter_0", "user_0"))
        assert verify(replace(trace, setup=more)).mismatch.what == "played seats"

    def test_parts_of_ones_own_are_stood_in_for(self):
        """By what they did in each part of what each of them said, whatever the order of names."""

        class Judge:
            name = "judge"

            def appraise(self, utterance, context):
                yield from ()
                acts = ("reflection", "validation", "open_question")
                act = acts[len(context.said) % 3]
                words = utterance.strip()
                start = utterance.index(words)
                return Reading((Evidence(act, words, start, start + len(words)),))

        class Own:
            name = "own"

            def speak(self, moment):
                yield from ()
                return Speech(f"I am {moment.persona.identity.name}, {moment.turn}.", "guarded", ())

        thinking = Scaffold("bar", "", lambda raw: Split(*raw.split("|")))
        task = Task(cast=CAST, appraiser=Judge(), speaker=Own(), scaffold=thinking, supporters=2)
        episode = task.open(seed=4)
        said = {seat: f"{seat} thinks|{text} Go on." for seat, text in ROUND.items()}
        for _ in range(3):
            episode.accept(run(episode.steps(said)))
        same = f"|{CAST.names[0]}, go on. {CAST.names[1]}, go on. {CAST.names[0]}, go on."
        episode.accept(run(episode.steps(dict.fromkeys(said, same))))
        lines = (episode.trace.turns[-1], episode.trace.turns[-1].others[0])
        assert lines[0].evidence != lines[1].evidence
        verdict = verify(episode.trace)
        assert verdict.mismatch is None
        assert len(verdict.unverified) == 4
        turn = episode.trace.turns[2]
        first = turn.answers[0]
        mood = first.mood._replace(trust=0.9)
        other = replace(turn, answers=(first._replace(mood=mood), *turn.answers[1:]))
        turns = (*episode.trace.turns[:2], other, episode.trace.turns[3])
        verdict = verify(replace(episode.trace, turns=turns))
        assert (verdict.mismatch.turn, verdict.mismatch.what) == (3, "trust")
