"""Strategies for personas: bundled ones, changed ones that stay valid, and made-up ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Final

import yaml
from hypothesis import reject
from hypothesis import strategies as st

from empathy_env.acts import ABOUTS, ACTS, NEEDS
from empathy_env.draft import LEAST_LINES
from empathy_env.errors import InvalidPersona
from empathy_env.form import blank
from empathy_env.library import load_persona, persona_names
from empathy_env.persona import Persona
from empathy_env.playability import unplayable
from empathy_env.testing.moods import fractions

Data = dict[str, Any]
Change = Callable[[st.DrawFn, Data], None]

_NAMES: Final = ("Jo Mallory", "Ada", "Óscar Ruiz", "Wen")


@cache
def personas(
    *, bundled: bool = True, mutated: bool = True, generated: bool = True
) -> st.SearchStrategy[Persona]:
    """Valid personas that can be played.

    Args:
        bundled: Draw bundled ones as they are.
        mutated: Draw bundled ones with one to three fields changed.
        generated: Draw made-up ones: any two to four of the eight needs, other gates, another
            temperament, other reactions and another voice.

    >>> from hypothesis import find
    >>> find(personas(mutated=False, generated=False), lambda persona: True).id
    'after-the-bell'
    """
    kinds: list[st.SearchStrategy[Persona]] = []
    if bundled:
        kinds.append(st.sampled_from(persona_names()).map(load_persona))
    if mutated:
        kinds.append(_mutated())
    if generated:
        kinds.append(_generated())
    return st.one_of(kinds)


@st.composite
def _mutated(draw: st.DrawFn) -> Persona:
    data = json.loads(_bundled(draw(st.sampled_from(persona_names()))))
    for change in draw(st.lists(st.sampled_from(_CHANGES), min_size=1, max_size=3)):
        change(draw, data)
    return _valid(data)


@st.composite
def _generated(draw: st.DrawFn) -> Persona:
    needs = draw(st.lists(st.sampled_from(NEEDS), min_size=2, max_size=4, unique=True))
    data, variants = json.loads(_blank())
    data["needs"] = [variants[need] for need in needs]
    for change in _CHANGES:
        if draw(st.booleans()):
            change(draw, data)
    return _valid(data)


@cache
def _bundled(name: str) -> str:
    return json.dumps(load_persona(name).to_data())


@cache
def _blank() -> str:
    """Return a made-up persona and a variant for each need, as JSON: reading YAML takes long."""
    halves = (NEEDS[: len(NEEDS) // 2], NEEDS[len(NEEDS) // 2 :])
    first, other = (
        Persona.parse(yaml.safe_load(blank("made-up", half))).to_data() for half in halves
    )
    return json.dumps((first, {v["need"]: v for v in (*first["needs"], *other["needs"])}))


def _valid(data: Data) -> Persona:
    """Return the persona, or give the example up if a change has made it invalid."""
    persona = _parsed(json.dumps(data))
    if persona is None:
        reject()
    return persona


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Persona | None:
    """Return the persona, None if it is invalid or cannot be played.

    Kept, since the same one is met again and again while an example is made smaller; then talks
    with it, which are kept by its identity, need not be played again either.
    """
    data = json.loads(text)
    try:
        persona = Persona.parse(data)
    except InvalidPersona:
        return None
    return None if unplayable(data) else persona


def _identity(draw: st.DrawFn, data: Data) -> None:
    data["identity"]["name"] = draw(st.sampled_from(_NAMES))
    data["identity"]["age"] = draw(st.integers(12, 110))


def _voice(draw: st.DrawFn, data: Data) -> None:
    data["voice"]["register"] = draw(st.sampled_from(("plain", "casual", "formal", "texting")))
    data["voice"]["verbosity"] = draw(st.sampled_from(("medium", "terse", "talkative")))


def _lines(draw: st.DrawFn, data: Data) -> None:
    """Take away lines that are more than the least number."""
    name = draw(st.sampled_from(sorted(LEAST_LINES)))
    lines = data["voice"]["lines"]
    lines[name] = lines[name][: LEAST_LINES[name]]


def _temperament(draw: st.DrawFn, data: Data) -> None:
    name = draw(st.sampled_from(("reactivity", "trustfulness", "patience")))
    data["temperament"][name] = draw(fractions())


def _gate(draw: st.DrawFn, data: Data) -> None:
    """Ask for more or less trust before one thing is told."""
    own = [fact for need in data["needs"] for fact in need["facts"]]
    items = [item for item in (*data["facts"], *data["feelings"], *own) if item["gate"]]
    item = draw(st.sampled_from(items))
    item["gate"]["trust"] = draw(fractions()) / 2


def _reactions(draw: st.DrawFn, data: Data) -> None:
    if data["reactions"] and draw(st.booleans()):
        data["reactions"].pop()
        return
    data["reactions"].append(
        {
            "act": draw(st.sampled_from(ACTS)),
            "about": draw(st.sampled_from((None, *ABOUTS))),
            "fit": draw(st.integers(-100, 100)) / 100,
            "because": "It is how they are.",
        }
    )


def _needs(draw: st.DrawFn, data: Data) -> None:
    """Take away one need, if two are left."""
    if len(data["needs"]) > 2:
        data["needs"].pop(draw(st.integers(0, len(data["needs"]) - 1)))


def _more(draw: st.DrawFn, data: Data) -> None:
    """Have one thing told without anything to add."""
    draw(st.sampled_from(data["facts"]))["more"] = []


_CHANGES: Final[tuple[Change, ...]] = (
    _temperament,
    _gate,
    _reactions,
    _identity,
    _voice,
    _lines,
    _needs,
    _more,
)
