"""Who plays the user: which appraiser, which speaker, and the backend that they ask.

One door for all the ways in which callers name them; what comes out are the values that a room is
made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from empathy_env.appraiser import READERS, Appraiser, RuleAppraiser
from empathy_env.backends import Backend
from empathy_env.backends.route import routed
from empathy_env.backends.spec import load_backend
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.model_appraiser import ModelAppraiser
from empathy_env.model_speaker import ModelSpeaker
from empathy_env.reporting import NoAppraiser
from empathy_env.speaker import BANKS, Speaker, TemplateSpeaker
from empathy_env.voting import MOST_SAMPLES, VotedAppraiser

MODEL = "model"


class Parts(NamedTuple):
    """What plays the user.

    Attributes:
        appraiser: Finds evidence; None: the rules that the protocol names.
        speaker: Words the replies; None: the templates that the protocol names.
        backend: What is asked; None: nothing is.
    """

    appraiser: Appraiser | None
    speaker: Speaker | None
    backend: Backend | None


def load_parts(
    user: str | Backend = "code",
    appraiser: str | Backend | Appraiser | None = None,
    speaker: str | Backend | Speaker | None = None,
    samples: int = 1,
) -> Parts:
    """Return what plays the user.

    Args:
        user: "code" (rules and templates, no model), or a backend or its spec: a model then
            appraises and speaks, unless one of the next two says otherwise.
        appraiser: "rules", "rules-b", "model" (asks the backend of `user`), a backend or its spec
            (a model of its own), or an appraiser.
        speaker: "templates", "templates-b", "model", a backend or its spec, or a speaker.
        samples: How many times each utterance is appraised; above 1 the evidence is their vote.

    Raises:
        InvalidArgument: If something is unknown, or asks a model that is not there, or a model is
            there that nobody asks.
    """
    shared = None if isinstance(user, str) and user == "code" else _backend("user", user)
    judge = MODEL if appraiser is None and shared is not None else appraiser
    voice = MODEL if speaker is None and shared is not None else speaker
    own: dict[str, Backend] = {}
    if _is_backend(judge, READERS):
        own["appraise"] = _backend("appraiser", judge)
    if _is_backend(voice, BANKS):
        own["speak"] = _backend("speaker", voice)
    found = _sampled(_appraiser(judge), samples)
    speaking = _speaker(voice)
    _check_asked(shared, own, found, speaking)
    return Parts(found, speaking, _asked(shared, own))


def _check_asked(
    shared: Backend | None, own: Mapping[str, Backend], judge: Appraiser | None, voice: object
) -> None:
    """Check that whoever asks a model has one, and that a model has somebody who asks it."""
    inner = judge.inner if isinstance(judge, VotedAppraiser) else judge
    for name, purpose, asks in (
        ("appraiser", "appraise", isinstance(inner, ModelAppraiser)),
        ("speaker", "speak", isinstance(voice, ModelSpeaker)),
    ):
        if asks and shared is None and purpose not in own:
            raise InvalidArgument(
                f"{name}='model' asks the backend of user=, but user='code' has none: "
                f"give user= a backend, or {name}= one of its own"
            )
    by_code = type(inner) is RuleAppraiser, type(voice) is TemplateSpeaker
    answered = "appraise" in own or by_code[0], "speak" in own or by_code[1]
    if shared is not None and all(answered):
        raise InvalidArgument(
            f"user={shared.name!r} is a backend that nobody asks: "
            "leave the appraiser or the speaker to it"
        )


def appraiser_named(name: str) -> Appraiser | None:
    """Return the appraiser that a trace names, or None if it is somebody's own.

    >>> appraiser_named("model x3")
    VotedAppraiser(inner=ModelAppraiser(name='model'), samples=3)
    """
    votes = (VotedAppraiser(ModelAppraiser(), times) for times in range(2, MOST_SAMPLES + 1))
    known = (NoAppraiser(), ModelAppraiser(), *map(RuleAppraiser, READERS), *votes)
    return next((appraiser for appraiser in known if appraiser.name == name), None)


def speaker_named(name: str) -> Speaker | None:
    """Return the speaker that a trace names, or None if it is somebody's own."""
    known = (ModelSpeaker(), *map(TemplateSpeaker, BANKS))
    return next((speaker for speaker in known if speaker.name == name), None)


def _is_backend(given: object, known: tuple[str, ...]) -> bool:
    if isinstance(given, str):
        return given != MODEL and given not in known
    return isinstance(given, Backend)


def _backend(name: str, given: object) -> Backend:
    """Return a backend by its spec, or the value itself."""
    if isinstance(given, str):
        if ":" not in given:
            known = {"user": ("code",), "appraiser": (*READERS, MODEL), "speaker": (*BANKS, MODEL)}
            spec = "Or give a backend, or its spec, such as openai:MODEL@http://localhost:8000/v1."
            raise UnknownName.among(name, given, known[name], spec)
        return load_backend(given)
    if not isinstance(given, Backend):
        raise InvalidArgument(f"{name}={given!r}: expected 'code', a backend, or its spec")
    return given


def _appraiser(given: object) -> Appraiser | None:
    if given is None:
        return None
    if isinstance(given, str) and given in READERS:
        return RuleAppraiser(given)
    if isinstance(given, (str, Backend)):
        return ModelAppraiser()
    known = isinstance(given, (ModelAppraiser, RuleAppraiser, VotedAppraiser, NoAppraiser))
    _check_own("appraiser", given, "appraise", known, appraiser_named)
    return cast("Appraiser", given)


def _sampled(appraiser: Appraiser | None, samples: object) -> Appraiser | None:
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise InvalidArgument(
            f"appraiser_samples={samples!r}: a whole number from 1 to {MOST_SAMPLES} is needed"
        )
    return appraiser if samples == 1 else VotedAppraiser(appraiser or RuleAppraiser(), samples)


def _speaker(given: object) -> Speaker | None:
    if given is None:
        return None
    if isinstance(given, str) and given in BANKS:
        return TemplateSpeaker(given)
    if isinstance(given, (str, Backend)):
        return ModelSpeaker()
    known = isinstance(given, (ModelSpeaker, TemplateSpeaker))
    _check_own("speaker", given, "speak", known, speaker_named)
    return cast("Speaker", given)


def _check_own(
    name: str, given: object, method: str, known: bool, named: Callable[[str], object]
) -> None:
    """Check a part that is a value: it has what it needs, and no name that means another."""
    if isinstance(given, type) or not callable(getattr(given, method, None)):
        raise InvalidArgument(
            f"{name}={given!r}: expected a name, a backend or its spec, or an object with the "
            f"method {method}"
        )
    own = getattr(given, "name", None)
    if not isinstance(own, str):
        raise InvalidArgument(f"{name}={given!r} has no name: traces record it; give it one")
    if not known and named(own) is not None:
        raise InvalidArgument(
            f"{name}={given!r} has the name {own!r}, which means another one: traces would be "
            "verified as if by that. Give it a name of its own"
        )


def _asked(shared: Backend | None, own: dict[str, Backend]) -> Backend | None:
    """Return what answers all requests: one backend, or several by purpose."""
    if not own:
        return shared
    if shared is None and len(own) == 1:
        return next(iter(own.values()))
    return routed(default=shared, **own)
