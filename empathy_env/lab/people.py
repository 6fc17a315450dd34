"""The lab's people: personas made of a grammar, and a law in which a turn's worth is its register.

They are personas like any other and are played by the same kernel. The law is `appraisal-v1` with
what depends on the moment taken out (habit, resistance, too early, this episode's weights), and
with one register for each need. What stays: wants of tie and novelty, drift, strain and trust.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from empathy_env.acts import ACTS, HARMFUL, Need
from empathy_env.difficulty import load_difficulty
from empathy_env.lab.grammar import (
    FEELINGS,
    MATTERS,
    NEEDS,
    PEOPLE,
    TARGET,
    WANTED,
    Slots,
)
from empathy_env.persona import Persona
from empathy_env.protocol import PROTOCOLS, Protocol
from empathy_env.scenario import Scenario

TURNS: Final = 3
"""Turns of a talk. In the first the need is not known: the reply to it gives it away."""

OPENINGS: Final = (
    "I feel {feeling} about my {matter}. My {person} knows.",
    "My {person} keeps asking about my {matter}. I feel {feeling}.",
    "Maybe my {person} was right about the {matter}. I feel {feeling}.",
    "The {matter} was hard on me and my {person}. I feel {feeling}.",
)
"""Words of the target's sentences stand here too, so that its absence is not one of words."""
CUES: Final[Mapping[Need, tuple[str, str]]] = {
    "deep_empathy": ("Nobody sees how bad this is.", "I want somebody to stay with this."),
    "others_motives": ("I cannot see why they act like this.", "What goes on in them, I ask."),
    "concrete_advice": ("I do not know what to do next.", "I need a first step."),
    "guided_reflection": ("I have to think it through.", "I cannot put it in order yet."),
    "attentive_listening": ("Let me talk.", "I only want to talk."),
}
"""What gives a need away."""
THOUGHTS: Final[Mapping[Need, tuple[str, str]]] = {
    "deep_empathy": ("bad", "stay"),
    "others_motives": ("they", "them"),
    "concrete_advice": ("next", "step"),
    "guided_reflection": ("think", "order"),
}
"""What an agent that thinks notes of each cue: a word of it."""
_LINES: Final = {
    "opens_up": ("That is so.", "Yes, it is like that.", "You see it.", "That is how it is."),
    "guarded": ("I do not know.", "Maybe.", "It is hard to say.", "I suppose so."),
    "deflects": ("Never mind.", "Leave that.", "It is late."),
    "hurt": ("That is no help.", "That is not it.", "No, not that.", "That does not help me."),
    "relieved": ("That helps.", "That is good to hear.", "I am glad of that."),
    "leaves": ("I have to go.",),
}

_APPRAISAL: Final = PROTOCOLS["appraisal-v1"]


def _fits(need: str) -> dict[str, float]:
    """Return what the one register that meets a need is worth; it is about somebody else or not."""
    register = {str(known): wanted for known, wanted in WANTED.items()}.get(need)
    if register is None:
        return {}
    return {f"{register}/other_person" if register == TARGET else register: 1.0}


LAW: Final[Protocol] = replace(
    _APPRAISAL,
    name="lab-v1",
    gain=10.0,
    habit=0.0,
    jitter=0.0,
    resist=0.0,
    too_early={},
    opens=dict.fromkeys(ACTS, 1.0),
    any_need={act: fit if act in HARMFUL else 0.0 for act, fit in _APPRAISAL.any_need.items()},
    own_need={need: _fits(need) for need in _APPRAISAL.own_need},
)
"""The law of the lab's people."""


class Start(NamedTuple):
    """Where a talk begins."""

    need: Need
    slots: Slots
    style: int
    """Which of the `OPENINGS`."""
    seed: int


def drawn_starts(
    dice: random.Random,
    count: int,
    *,
    needs: tuple[Need, ...] = NEEDS,
    people: tuple[str, ...] = PEOPLE,
) -> list[Start]:
    """Draw starts; needs come in turn, so that each is as frequent as the others."""
    return [
        Start(
            needs[number % len(needs)],
            Slots(dice.choice(FEELINGS), dice.choice(MATTERS), dice.choice(people)),
            dice.randrange(len(OPENINGS)),
            dice.randrange(2**31),
        )
        for number in range(count)
    ]


def opening(start: Start) -> str:
    """Return the first thing that the person says."""
    return OPENINGS[start.style].format(**start.slots._asdict())


def cue(start: Start) -> str:
    """Return what gives the person's need away."""
    return CUES[start.need][start.style % 2]


def thought(start: Start) -> str:
    """Return what an agent that thinks notes of the cue."""
    return THOUGHTS[start.need][start.style % 2]


def scenario(start: Start, *, credit: float, difficulty: str = "moderate") -> Scenario:
    """Return the start as a scenario of the environment.

    Args:
        start: Where the talk begins.
        credit: What validation, the safe alternative, is worth to those who need something else,
            in [0, 1]; 1 is what meets a need.
        difficulty: Preset of the user.
    """
    return Scenario(
        persona=_persona(start.slots, start.style, start.need == "deep_empathy", credit),
        need=start.need,
        difficulty=load_difficulty(difficulty),
        protocol=LAW,
        seed=start.seed,
        max_turns=TURNS,
    )


@lru_cache(maxsize=8192)  # a group has one person in all of its seats
def _persona(slots: Slots, style: int, heard: bool, credit: float) -> Persona:
    """Return a person; who needs to be heard is one of their own, whom validation meets."""
    needs: tuple[Need, ...] = ("deep_empathy", "attentive_listening") if heard else _OTHERS
    feeling, matter, person = slots
    told = [
        {"id": "matter", "text": f"It is about the {matter}.", "words": [matter]},
        {"id": "person", "text": f"Their {person} knows.", "words": [person]},
    ]
    safe = {"act": "validation", "fit": credit, "because": "It is kind, and not what they need."}
    data: dict[str, Any] = {
        "kind": "persona",
        "id": f"lab-{feeling}-{matter}-{person}-{style}-{'heard' if heard else 'other'}",
        "author": "empathy-env",
        "split": "train",
        "identity": _WHOEVER,
        "happened": f"Something about their {matter} and their {person}.",
        "opening": opening(Start(needs[0], slots, style, 0)),
        "facts": [{**fact, "says": fact["text"]} for fact in told],
        "feelings": [
            {"id": "felt", "text": feeling, "words": [feeling], "says": feeling, "gate": _NEVER}
        ],
        "needs": [_variant(need, style) for need in needs],
        "voice": {"manner": "Plain.", "verbosity": "terse", "lines": _lines()},
        "reactions": [] if heard else [safe],
    }
    return Persona.parse(data, source="the lab")


_OTHERS: Final[tuple[Need, ...]] = tuple(need for need in NEEDS if need != "deep_empathy")
_WHOEVER: Final = {
    "name": "Sam",
    "age": 30,
    "pronouns": "they/them",
    "occupation": "clerk",
    "background": "Nobody in particular.",
}
_NEVER: Final = {"trust": 1.0}


def _variant(need: Need, style: int) -> dict[str, Any]:
    says = CUES[need][style % 2]
    known = {"id": f"cue-{need.replace('_', '-')}", "text": says, "says": says}
    return {
        "need": need,
        "because": "So the lab has it.",
        "met_when": f"Somebody answers with {WANTED.get(need, 'presence')}.",
        "facts": [{**known, "words": ["the lab's cue"], "gate": {"trust": 0.0}}],
    }


def _lines() -> dict[str, list[str]]:
    return {manner: list(lines) for manner, lines in _LINES.items()}


def lines_of(manner: str) -> tuple[str, ...]:
    """Return what a person may say in such a manner, as "hurt"."""
    return _LINES[manner]


def own_lines() -> list[str]:
    """Return all that a person may say by a line of their own."""
    slots = [Slots(*each) for each in zip(FEELINGS, MATTERS, PEOPLE, strict=True)]
    openings = [text.format(**one._asdict()) for text in OPENINGS for one in slots]
    return [*openings, *(c for pair in CUES.values() for c in pair), *sum(_LINES.values(), ())]
