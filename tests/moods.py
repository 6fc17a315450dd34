"""Moods, listeners and evidence, drawn by Hypothesis, for the tests of the mood's law."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from empathy_env.acts import ABOUTS, ACTS, INTENSITIES, Evidence
from empathy_env.difficulty import KINDS, PRESETS, Difficulty
from empathy_env.emotion import Listener, Mood
from empathy_env.persona import NEEDS, Reaction, Temperament
from empathy_env.protocol import PROTOCOLS

P = PROTOCOLS["appraisal-v1"]
both = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
"""The laws hold for the held-out user as well."""
ROUNDING = 2e-6
"""Moods are rounded to six decimals."""
TOPICS = ("box", "wife", "shame")
MOST_HABIT = 1 / (1 - P.habit_decay)
"""Recent uses of an act that can add up, under this protocol; under the other they can be more."""

unit = st.floats(0, 1).map(lambda value: round(value, 6))
chances = st.floats(0, 1, exclude_max=True) | st.floats(0, 2 * P.resist)
difficulties = st.builds(Difficulty, **dict.fromkeys(KINDS, unit))
temperaments = st.builds(Temperament, reactivity=unit, trustfulness=unit, patience=unit)
abouts = st.sampled_from(ABOUTS)


def by_act(values, default):
    """Return a strategy for one number an act, most of them the default."""
    return st.dictionaries(st.sampled_from(ACTS), values, max_size=6).map(
        lambda given: tuple(given.get(act, default) for act in ACTS)
    )


def listening(need, temperament, reactions, difficulty, weights):
    return Listener(need, temperament, reactions, difficulty, P, weights)


def pieces(acts=ACTS):
    return st.builds(
        Evidence,
        act=st.sampled_from(acts),
        quote=st.just("so"),
        start=st.just(0),
        end=st.just(2),
        intensity=st.sampled_from(INTENSITIES),
        about=abouts,
        topic=st.sampled_from((None, *TOPICS)),
        grounded=st.booleans(),
        repeated=st.booleans(),
    )


def listeners(reacting_to=ACTS):
    reactions = st.builds(
        Reaction,
        act=st.sampled_from(reacting_to),
        about=st.none() | abouts,
        fit=st.floats(-1, 1),
        because=st.just("so"),
    )
    return st.builds(
        listening,
        st.sampled_from(NEEDS),
        temperaments,
        st.lists(reactions, max_size=2).map(tuple),
        difficulties,
        by_act(st.floats(1 - P.jitter, 1 + P.jitter), 1.0),
    )


moods = st.builds(
    Mood,
    emotion=st.floats(0, P.success).map(lambda value: round(value, 6)),
    trust=unit,
    heard=unit,
    met=unit,
    strain=unit,
    resisting=st.booleans(),
    habits=by_act(st.floats(0, MOST_HABIT).map(lambda value: round(value, 6)), 0.0),
    paid=st.frozensets(st.tuples(st.sampled_from(TOPICS), st.sampled_from(ACTS)), max_size=4),
)
appraisals = st.lists(pieces(), max_size=8).map(tuple)
some_evidence = st.lists(pieces(), min_size=1, max_size=8).map(tuple)
resisting = st.booleans()
places = st.integers(0, 8)


def plain(need, protocol, difficulty=PRESETS["moderate"]):
    """Return a listener without anything of their own but the need."""
    return Listener(need, Temperament(), (), difficulty, protocol)


def piece(act, about="situation", **fields):
    return Evidence(act, "so", 0, 2, about=about, **fields)


def swapped(appraisal, place, evidence):
    """Return the appraisal with one piece replaced, at the same length."""
    place %= len(appraisal)
    return (*appraisal[:place], evidence, *appraisal[place + 1 :])


def inserted(appraisal, place, evidence):
    place %= len(appraisal) + 1
    return (*appraisal[:place], evidence, *appraisal[place:])


def assert_no_better(worse, better):
    """Assert that a turn was felt no better than another from the same mood."""
    assert worse.mood.emotion <= better.mood.emotion + ROUNDING
    assert worse.mood.trust <= better.mood.trust + ROUNDING
    assert worse.mood.strain >= better.mood.strain - ROUNDING
