"""A few small talks, from short to long, on which every law is tried first.

A law that is broken by something that any talk shows is then seen in the shortest of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Final

from empathy_env.acts import ACTS
from empathy_env.difficulty import PRESETS
from empathy_env.library import load_persona
from empathy_env.scenario import Scenario
from empathy_env.testing.talks import GOODBYE, played, won
from empathy_env.testing.wordings import Filling, sentences
from empathy_env.trace import Trace

PERSONA: Final = "laid-off-engineer"
"""Whom the small talks are with."""
OTHER: Final = "after-the-bell"
"""Whom the last of them are with."""
_LONGER: Final = (
    ("Go on.", "You sound ashamed."),
    ("What was it like?", "You brought this on yourself."),
    ("You sound ashamed about the box.", "What was it like?", "It makes sense that you feel that."),
    ("You should have thought of that before.", "", "Go on.", "What happened with the box?"),
)


@cache
def small_traces() -> tuple[Trace, ...]:
    """Return them: of one turn for each act, then longer ones, with every ending."""
    return tuple(_small_traces())


def start(name: str = PERSONA, need: int = 0, seed: int = 0) -> Scenario:
    """Return where a small talk begins."""
    persona = load_persona(name)
    return Scenario(persona=persona, need=persona.needs[need].need, seed=seed)


def _small_traces() -> Iterator[Trace]:
    plain = start()
    filling = Filling.of(plain.written)
    lines = ("", *(next(sentences(act, filling)) for act in ACTS))
    for line in lines:
        yield played(plain, (line,)).trace
    yield played(replace(plain, max_turns=1), ("Go on.",)).trace
    yield cut_off(played(plain, ("Go on.",)).trace)
    for said in _LONGER[:2]:
        yield played(plain, said).trace
    yield won(start(OTHER)).trace
    for said in _LONGER:
        for difficulty in (PRESETS["gentle"], PRESETS["severe"]):
            other = replace(start(OTHER, need=1, seed=5), difficulty=difficulty)
            yield played(other, (*said, GOODBYE)).trace
            yield played(replace(other, max_turns=len(said)), said).trace


def cut_off(trace: Trace) -> Trace:
    """Return a talk that a failure has cut off after the turns of this one."""
    fault = {"type": "TimedOut", "message": "no answer in 60 s"}
    return replace(trace.prefix(len(trace.turns)), fault=fault)
