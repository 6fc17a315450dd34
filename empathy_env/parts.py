"""Who plays the user: which appraiser, which speaker, and the backend that they ask.

One door for all the ways in which callers name them; what comes out are the values that a room is
made of.
"""

from __future__ import annotations

from typing import NamedTuple

from empathy_env.appraiser import READERS, Appraiser, RuleAppraiser
from empathy_env.backends import Backend
from empathy_env.backends.route import routed
from empathy_env.backends.spec import load_backend
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.model_appraiser import ModelAppraiser
from empathy_env.model_speaker import ModelSpeaker
from empathy_env.reporting import NoAppraiser
from empathy_env.speaker import BANKS, Speaker, TemplateSpeaker
from empathy_env.voting import VotedAppraiser

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
    shared = None if user == "code" else _backend("user", user)
    judge = MODEL if appraiser is None and shared else appraiser
    voice = MODEL if speaker is None and shared else speaker
    own = {
        purpose: _backend(name, given)
        for purpose, name, given, known in (
            ("appraise", "appraiser", judge, READERS),
            ("speak", "speaker", voice, BANKS),
        )
        if _is_backend(given, known)
    }
    for name, given in (("appraiser", judge), ("speaker", voice)):
        if given == MODEL and shared is None:
            raise InvalidArgument(
                f"{name}='model' asks the backend of user=, but user='code' has none: "
                f"give user= a backend, or {name}= one of its own"
            )
    if shared and judge in READERS and voice in BANKS:
        raise InvalidArgument(
            f"user={shared.name!r} is a backend that nobody asks: "
            "leave the appraiser or the speaker to it"
        )
    found = _appraiser(judge)
    if samples != 1:
        found = VotedAppraiser(found or RuleAppraiser(), samples)
    return Parts(found, _speaker(voice), _asked(shared, own))


def appraiser_named(name: str) -> Appraiser | None:
    """Return the appraiser that a trace names, or None if it is somebody's own.

    >>> appraiser_named("model x3")
    VotedAppraiser(inner=ModelAppraiser(name='model'), samples=3)
    """
    inner, by, samples = name.partition(" x")
    if by and samples.isdecimal() and inner == MODEL:
        return VotedAppraiser(ModelAppraiser(), int(samples))
    known = (NoAppraiser(), ModelAppraiser(), *map(RuleAppraiser, READERS))
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
            raise UnknownName.among(name, given, known[name], "Or give a backend, or its spec.")
        return load_backend(given)
    if not isinstance(given, Backend):
        raise InvalidArgument(f"{name}={given!r}: expected 'code', a backend, or its spec")
    return given


def _appraiser(given: str | Backend | Appraiser | None) -> Appraiser | None:
    if given is None:
        return None
    if isinstance(given, str) and given in READERS:
        return RuleAppraiser(given)
    if isinstance(given, (str, Backend)):
        return ModelAppraiser()
    return given


def _speaker(given: str | Backend | Speaker | None) -> Speaker | None:
    if given is None:
        return None
    if isinstance(given, str) and given in BANKS:
        return TemplateSpeaker(given)
    if isinstance(given, (str, Backend)):
        return ModelSpeaker()
    return given


def _asked(shared: Backend | None, own: dict[str, Backend]) -> Backend | None:
    """Return what answers all requests: one backend, or several by purpose."""
    if not own:
        return shared
    if shared is None and len(own) == 1:
        return next(iter(own.values()))
    return routed(default=shared, **own)
