"""A scripted model that plays the user, for tests of what stands around one."""

from __future__ import annotations

import json

from empathy_env.backends import ScriptedBackend


def utterance_of(request):
    """Return the words that a request of the model appraiser is about."""
    last = request.messages[-1]["content"].rsplit('{"utterance": ', 1)[1]
    return json.loads(last.removesuffix("}"))


def entry(quote, act="open_question", **more):
    """Return one piece of evidence in the form that the model appraiser asks for."""
    return {
        "quote": quote,
        "answers": "",
        "act": act,
        "about": "own_feeling",
        "intensity": "plain",
        "topic": None,
        **more,
    }


def as_user(request):
    """Answer as a model that plays the user: every utterance is one open question."""
    if request.purpose.startswith("appraise"):
        words = utterance_of(request)
        found = [] if words == "(withheld)" else [entry(words)]
        return json.dumps({"evidence": found})
    return f"I could not say. It is number {request.seed} of the things I think about."


def scripted_user(answer=as_user):
    """Return a backend that plays the user."""
    return ScriptedBackend(answer)
