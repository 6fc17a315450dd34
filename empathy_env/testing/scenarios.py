"""Strategies for difficulties and scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import cache

from hypothesis import strategies as st

from empathy_env.difficulty import PRESETS, Difficulty
from empathy_env.persona import Persona
from empathy_env.protocol import REPORTED, load_protocol
from empathy_env.scenario import Scenario
from empathy_env.testing.moods import fractions
from empathy_env.testing.personas import personas

PROTOCOLS = ("appraisal-v1", "appraisal-v1-b")
"""Protocols under which code moves the mood; the others need a model."""
assert not {*PROTOCOLS} & {*REPORTED}


@cache
def difficulties() -> st.SearchStrategy[Difficulty]:
    """Knobs: the presets, and any other setting; they shrink towards "moderate".

    >>> from hypothesis import find
    >>> find(difficulties(), lambda knobs: True) == Difficulty()
    True
    """
    plain = PRESETS["moderate"]
    knobs = {
        field.name: st.one_of(st.just(getattr(plain, field.name)), fractions())
        for field in fields(Difficulty)
    }
    presets = sorted(PRESETS, key=lambda name: name != "moderate")
    return st.one_of(
        st.just(plain),
        st.builds(Difficulty, **knobs),
        st.sampled_from([PRESETS[name] for name in presets]),
    )


_SEEDS = st.integers(0, 999)


@cache
def _names(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(names)


@st.composite
def scenarios(
    draw: st.DrawFn,
    people: st.SearchStrategy[Persona] | None = None,
    *,
    knobs: st.SearchStrategy[Difficulty] | None = None,
    protocols: Sequence[str] = PROTOCOLS,
) -> Scenario:
    """Scenarios that need no model.

    Args:
        draw: Given by Hypothesis.
        people: Who is talked with; one of their needs is drawn. By default `personas()`.
        knobs: How hard they are. By default `difficulties()`.
        protocols: Names of protocols under which code moves the mood.

    >>> from hypothesis import find
    >>> find(scenarios(), lambda scenario: scenario.seed > 2).seed
    3
    """
    persona = draw(personas() if people is None else people)
    return Scenario(
        persona=persona,
        need=draw(st.sampled_from([variant.need for variant in persona.needs])),
        difficulty=draw(difficulties() if knobs is None else knobs),
        protocol=load_protocol(draw(_names(tuple(protocols)))),
        seed=draw(_SEEDS),
    )
