import pytest
from live import as_user, scripted_user

from empathy_env import Task
from empathy_env.appraiser import RuleAppraiser
from empathy_env.backends import ScriptedBackend
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.model_appraiser import ModelAppraiser
from empathy_env.model_speaker import ModelSpeaker
from empathy_env.parts import appraiser_named, load_parts, speaker_named
from empathy_env.speaker import TemplateSpeaker
from empathy_env.voting import VotedAppraiser

MODEL = scripted_user()
SPEC = "openai:smol@http://127.0.0.1:9/v1"


def played(**kwargs):
    """Return the purposes asked for in one turn, and the turn."""
    episode = Task(persona="laid-off-engineer", **kwargs).open(seed=1)
    episode.say("How have you been sleeping?")
    turn = episode.trace.turns[0]
    return [call.purpose for call in turn.calls], episode.trace


def test_code_needs_nothing():
    assert load_parts() == (None, None, None)
    assert played()[0] == []


def test_a_model_plays_the_whole_user_unless_told_otherwise():
    asked, trace = played(user=MODEL)
    assert asked == ["appraise", "speak"]
    assert (trace.setup.appraiser, trace.setup.speaker) == ("model", "model")


@pytest.mark.parametrize(
    ("one", "asked"),
    [
        ({"appraiser": "rules"}, ["speak"]),
        ({"appraiser": RuleAppraiser("rules-b")}, ["speak"]),
        ({"speaker": "templates"}, ["appraise"]),
        ({"speaker": TemplateSpeaker("templates-b")}, ["appraise"]),
    ],
)
def test_either_half_can_be_code_at_one_call_a_turn(one, asked):
    assert played(user=MODEL, **one)[0] == asked


def test_a_backend_as_appraiser_or_speaker_alone_leaves_the_other_half_to_code():
    assert played(appraiser=MODEL)[0] == ["appraise"]
    assert played(speaker=MODEL)[0] == ["speak"]


def test_two_models_share_the_work_by_purpose():
    def only(purpose):
        def answer(request):
            assert request.purpose.startswith(purpose), request.purpose
            return scripted_user().complete([request])[0].text

        return ScriptedBackend(answer, name=purpose)

    asked, trace = played(appraiser=only("appraise"), speaker=only("speak"))
    assert asked == ["appraise", "speak"]
    assert trace.setup.backend == "routed(appraise=appraise, speak=speak)"
    assert played(user=only("speak"), appraiser=only("appraise"))[0] == asked


def test_a_spec_is_as_good_as_a_backend():
    parts = load_parts(SPEC)
    assert isinstance(parts.appraiser, ModelAppraiser)
    assert isinstance(parts.speaker, ModelSpeaker)
    assert parts.backend.name == SPEC
    assert load_parts(appraiser=SPEC).backend.name == SPEC


def test_samples_are_a_vote():
    parts = load_parts(MODEL, samples=5)
    assert parts.appraiser == VotedAppraiser(ModelAppraiser(), 5)
    asked, trace = played(user=MODEL, appraiser_samples=3)
    assert asked == ["appraise"] * 3 + ["speak"]
    assert trace.turns[0].answers[0].error == 0.0


class Own:
    """A part of one's own."""

    def __init__(self, name):
        self.name = name

    def appraise(self, utterance, context): ...

    def speak(self, moment): ...


def test_parts_of_ones_own_are_taken_as_they_are():
    own = Own("mine")
    assert load_parts(appraiser=own, speaker=own)[:2] == (own, own)


def test_a_backend_that_is_empty_is_a_backend():
    class Empty(ScriptedBackend):
        def __len__(self):
            return 0

    asked, _ = played(user=Empty(as_user))
    assert asked == ["appraise", "speak"]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"user": "cod"}, UnknownName, "Did you mean 'code'"),
        ({"user": "opnai:smol"}, UnknownName, "Did you mean 'openai'"),
        ({"user": 5}, InvalidArgument, "user=5"),
        ({"appraiser": "rulez"}, UnknownName, "Did you mean 'rules'"),
        ({"speaker": "template"}, UnknownName, "Did you mean 'templates'"),
        ({"appraiser": "model"}, InvalidArgument, "user='code' has none"),
        ({"speaker": "model"}, InvalidArgument, "user='code' has none"),
        ({"samples": 3}, InvalidArgument, "always answers the same"),
        ({"user": MODEL, "samples": 0}, InvalidArgument, "appraiser_samples=0"),
        ({"user": MODEL, "samples": 2.5}, InvalidArgument, "appraiser_samples=2.5"),
        ({"user": MODEL, "samples": "3"}, InvalidArgument, "appraiser_samples='3'"),
        ({"user": MODEL, "samples": 65}, InvalidArgument, "appraiser_samples=65"),
        ({"appraiser": 5}, InvalidArgument, "appraiser=5"),
        ({"speaker": ModelSpeaker}, InvalidArgument, "speaker=<class"),
        ({"appraiser": Own("rules")}, InvalidArgument, "means another one"),
        ({"appraiser": Own("model x5")}, InvalidArgument, "means another one"),
        ({"speaker": Own("templates-b")}, InvalidArgument, "means another one"),
        ({"appraiser": Own(None)}, InvalidArgument, "has no name"),
        ({"appraiser": ModelAppraiser()}, InvalidArgument, "user='code' has none"),
        ({"user": MODEL, "appraiser": MODEL, "speaker": MODEL}, InvalidArgument, "nobody asks"),
        (
            {"user": MODEL, "appraiser": RuleAppraiser(), "speaker": TemplateSpeaker()},
            InvalidArgument,
            "nobody asks",
        ),
        (
            {"user": MODEL, "appraiser": "rules", "speaker": "templates"},
            InvalidArgument,
            "nobody asks",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(arguments, error, says):
    with pytest.raises(error, match=says):
        load_parts(**arguments)


@pytest.mark.parametrize("name", ["rules", "rules-b", "model", "model x3", "none"])
def test_an_appraiser_is_found_by_the_name_that_a_trace_holds(name):
    assert appraiser_named(name).name == name


@pytest.mark.parametrize("name", ["templates", "templates-b", "model"])
def test_a_speaker_is_found_by_the_name_that_a_trace_holds(name):
    assert speaker_named(name).name == name


@pytest.mark.parametrize(
    "name", ["mine", "model x", "rules x3", "model x1e3", "model x1", "model x99", "model x03"]
)
def test_somebodys_own_is_not_known(name):
    assert appraiser_named(name) is None
    assert speaker_named(name) is None
