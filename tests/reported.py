"""Talks under the published protocols: a scripted model that reports, and people to play."""

from __future__ import annotations

import json
import re
from pathlib import Path

from empathy_env.backends import ScriptedBackend
from empathy_env.conversation import Room, begin, say
from empathy_env.drivers import run
from empathy_env.library import load_persona
from empathy_env.profile import read_profiles
from empathy_env.protocol import load_protocol
from empathy_env.reporting import appraiser_of, seated, speaker_of
from empathy_env.scaffold import load_scaffold
from empathy_env.scenario import Scenario

PROFILES = Path(__file__).with_name("profiles.jsonl")
RELEASED = Path(__file__).with_name("released-talks.jsonl")
TOM = read_profiles(PROFILES)["en-ferry-04"]
MAREK = load_persona("laid-off-engineer")
SAGE, RLVER = load_protocol("sage-2025"), load_protocol("rlver-2025")


def report(change, **others):
    """What a model answers that reports this change."""
    told = {"means": "cares", "fits": "in part", "inner": "so what", "feeling": "calmer"}
    return json.dumps({**told, "change": change, **others})


def reply(words="Hm.", **others):
    """What a model answers that says this."""
    return json.dumps({"plan": "p", "draft": "d", "revision": "r", "reply": words, **others})


def shown_emotion(request):
    """The emotion that a request for a report shows."""
    found = re.search(r"emotion now: (\S+)$", request.messages[-1]["content"])
    return float(found[1])


def turn_of(request):
    """Which turn a request is of, from 1: how often the supporter has spoken."""
    return request.messages[-1]["content"].count('{"supporter": ')


class Model:
    """Plays a user: reports these changes turn by turn (the last one on), and keeps requests."""

    def __init__(self, *changes, words="Hm, {}."):
        self.changes = changes
        self.words = words
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        number = turn_of(request)
        if request.purpose.startswith("report"):
            return report(self.changes[min(number, len(self.changes)) - 1])
        return reply(self.words.format(number))

    @property
    def backend(self):
        return ScriptedBackend(self, name="model")

    def of(self, purpose):
        return [request for request in self.asked if request.purpose == purpose]


def scenario(person=TOM, protocol=SAGE, **fields):
    return Scenario(persona=person, need=person.needs[0].need, protocol=protocol, **fields)


def talk_of(start):
    """The talk of a scenario, opened by hand."""
    room = Room(
        scenario=start,
        users=(seated(start),),
        appraiser=appraiser_of(start.protocol),
        speaker=speaker_of(start.protocol),
        scaffold=load_scaffold("plain"),
        backend="model",
        system_prompt=None,
    )
    return begin(room)


def played(model, start=None, *, lines=("I hear you.",), turns=None):
    """The talk after these turns, or at its end; the agent goes round its lines."""
    talk = talk_of(start or scenario())
    while talk.outcome is None and (turns is None or len(talk.turns) < turns):
        line = lines[len(talk.turns) % len(lines)]
        talk = run(say(talk, line), ScriptedBackend(model))
    return talk


BROKEN = {
    "prose": "I feel better now, change: +5.",
    "a number alone": "5",
    "no change": '{"means": "", "fits": "", "inner": "", "feeling": ""}',
    "change in quotes": report("5"),
    "change with a unit": report("+5 points"),
    "change in halves": report(2.5),
    "change as truth": report(True),
    "change that is none": report(None),
    "change without end": report(1).replace(": 1}", ": 1e999}"),
    "change beyond sense": report(10**400),
    "change of thousands": report(-5000),
    "not a number": report(float("nan")),
    "text missing": report(5, feeling=None),
    "two answers": report(5) + report(-5),
    "nothing": "",
}
"""Answers that are no report."""
