"""Strategies for moods and for evidence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st

from empathy_env.acts import ABOUTS, ACTS, INTENSITIES, Act, Appraisal, Evidence
from empathy_env.emotion import Mood

_TOPICS = ("box", "wife", "shame")
MOST_HABIT = 4.0
"""Recent uses of one act that a mood may count; each use fades by the protocol's decay."""


@cache  # a strategy that is built anew for each example costs more than what it draws
def fractions() -> st.SearchStrategy[float]:
    """Numbers in [0, 1] with two decimals; they shrink towards 0."""
    return st.integers(0, 100).map(lambda hundredths: hundredths / 100)


def moods(topics: Sequence[str] = _TOPICS) -> st.SearchStrategy[Mood]:
    """Moods of one listener, every component within its range.

    Args:
        topics: Ids of what may have paid already.

    >>> from hypothesis import find
    >>> find(moods(), lambda mood: mood.trust > 0.5).trust
    0.51
    """
    habits = st.dictionaries(st.sampled_from(ACTS), fractions().map(lambda f: f * MOST_HABIT))
    return st.builds(
        Mood,
        emotion=st.one_of(st.just(40.0), st.integers(0, 10_000).map(lambda number: number / 100)),
        trust=fractions(),
        heard=fractions(),
        met=fractions(),
        strain=fractions(),
        resisting=st.booleans(),
        habits=habits.map(lambda uses: tuple(uses.get(act, 0.0) for act in ACTS)),
        paid=st.frozensets(st.tuples(st.sampled_from(topics), st.sampled_from(ACTS)), max_size=4),
    )


def appraisals(
    heard: str = "So.",
    *,
    acts: Sequence[Act] = ACTS,
    topics: Sequence[str] = _TOPICS,
    min_size: int = 0,
    max_size: int = 4,
) -> st.SearchStrategy[Appraisal]:
    """All evidence of one utterance, with quotes of it, in order of appearance.

    Args:
        heard: The utterance that is quoted, not empty.
        acts: What may have been done in it.
        topics: Ids of what may be addressed; None is always among the choices.
        min_size: Least pieces of evidence.
        max_size: Most pieces of evidence.

    >>> from hypothesis import find
    >>> [piece.act for piece in find(appraisals(), lambda found: len(found) > 1)]
    ['presence', 'presence']
    """
    spans = st.lists(st.integers(0, len(heard)), min_size=2, max_size=2, unique=True)
    piece = st.builds(
        _piece,
        st.just(heard),
        spans.map(sorted),
        act=st.sampled_from(acts),
        intensity=st.sampled_from((1.0, *INTENSITIES)),
        about=st.sampled_from(("situation", *ABOUTS)),
        topic=st.sampled_from((None, *topics)),
        grounded=st.booleans(),
        repeated=st.booleans(),
    )
    pieces = st.lists(piece, min_size=min_size, max_size=max_size)
    return pieces.map(lambda found: tuple(sorted(found, key=lambda each: each.start)))


def _piece(heard: str, span: Sequence[int], **fields: object) -> Evidence:
    start, end = span
    return Evidence(quote=heard[start:end], start=start, end=end, **fields)  # pyright: ignore[reportArgumentType]
