"""Moments in which a persona speaks, made by hand, and what the template speaker says in them."""

from __future__ import annotations

import pytest

from empathy_env import load_persona
from empathy_env.acts import Evidence
from empathy_env.emotion import Felt, Mood
from empathy_env.persona import Answers, Lines
from empathy_env.speaker import BANKS, Moment, TemplateSpeaker

MAREK = load_persona("laid-off-engineer")
KIT = load_persona("dropped-friend")
RENATA = load_persona("court-interpreter")
BOX = MAREK.facts[0]
REGISTERS = {"plain": MAREK, "formal": RENATA, "texting": KIT}
SEEDS = range(40)

both = pytest.mark.parametrize("bank", BANKS)


def piece(act, about="situation", topic=None, *, grounded=True, intensity=1.0):
    return Evidence(act, "so", 0, 2, intensity, about, topic, grounded)


def moment(*appraisal, persona=MAREK, need=0, change=0.0, emotion=40.0, seed=0, **given):
    """A moment in which the mood has just moved by `change` to `emotion`."""
    mood = Mood(emotion, given.pop("trust", 0.3), resisting=given.pop("resisting", False))
    fields = {
        "heard": "So.",
        "outcome": None,
        "told": frozenset({"box"}),
        "disclosed": (),
        "more": (),
        "spoken": frozenset(),
        "turn": 1,
        "seat": 0,
    }
    return Moment(
        persona=persona,
        variant=persona.needs[need],
        appraisal=appraisal,
        felt=Felt(mood, change, 0.0, 0.0, False),
        seed=seed,
        **{**fields, **given},
    )


def speech(now, bank=BANKS[0]):
    """What is said in a moment; the speaker asks no model."""
    steps = TemplateSpeaker(bank).speak(now)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    return stop.value.value


def speeches(*appraisal, bank=BANKS[0], seeds=SEEDS, **given):
    """What is said in the same moment of many episodes."""
    return [speech(moment(*appraisal, seed=seed, **given), bank) for seed in seeds]


def mute(persona=MAREK):
    """Return the person without a line of their own, so that all come from the bank."""
    voice = persona.voice.model_copy(update={"lines": Lines(), "answers": Answers()})
    needs = tuple(need.model_copy(update={"lines": Lines()}) for need in persona.needs)
    return persona.model_copy(update={"voice": voice, "needs": needs})


def holds(said, lines):
    """Whether one of the lines has been said."""
    return not set(lines).isdisjoint(said.used)
