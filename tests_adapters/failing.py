"""A user whose machinery fails when the agent says so; the adapters must make no reward of it."""

from live import as_user, utterance_of

from empathy_env import Task
from empathy_env.backends import ScriptedBackend
from empathy_env.errors import TimedOut

CUE = "Let the server fail."
"""In an agent's words: the user's model is not reached."""


def failing_task(**settings):
    """Return a task whose user is a scripted model that times out at `CUE`."""

    def answer(request):
        if request.purpose.startswith("appraise") and CUE in utterance_of(request):
            raise TimedOut("no answer in 60 s")
        return as_user(request)

    return Task(user=ScriptedBackend(answer), **settings)
