"""Parts that several tests use: a user whose words come from a backend, and scripted agents."""

from __future__ import annotations

from empathy_env.backends import Request, ScriptedBackend
from empathy_env.messages import from_user
from empathy_env.speaker import Speech, TemplateSpeaker

GOOD = [
    "That sounds exhausting. What was it like?",
    "I hear how ashamed you are of that. Tell me more.",
    "What was the hardest part of it for you?",
]
BAD = [
    "You brought this on yourself.",
    "It's not that bad. Other people have it far worse.",
    "You should have thought of that before.",
]


def say_by(style, number):
    """What a scripted agent of this style says in turn `number`."""
    lines = {"good": GOOD, "bad": BAD, "gone": ["I have to go now. Goodbye."]}[style]
    return lines[number % len(lines)]


class AskingSpeaker:
    """Words replies by asking the backend; the situation is that of the templates."""

    name = "asking"

    def speak(self, moment):
        speech = yield from TemplateSpeaker().speak(moment)
        reply = yield Request("speak", (from_user(f"{speech.text} [{moment.turn}]"),))
        return Speech(reply.text, speech.manner, speech.used)


def echoing_backend():
    """A backend that depends on its request only."""
    return ScriptedBackend(lambda request: request.messages[-1]["content"].upper(), name="echo")
