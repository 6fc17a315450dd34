"""The knobs in words, for models that play a user: each a sentence that gets stronger by grades.

Where code moves the mood, the response knobs act there, and a model is told of the mood alone;
what is worded for it is what it hides. Where a model reports the emotion itself, it is told of all.
The words of a knob at `moderate` are none, so the prompts there are as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from empathy_env.difficulty import KINDS, Difficulty, Kind


class Grade(NamedTuple):
    """Words for a value.

    Attributes:
        below: They hold for values below this.
        words: The words; "" says nothing.
    """

    below: float
    words: str


TOP: Final = float("inf")
"""Above all values, for the last grade."""


def graded(grades: Sequence[Grade], value: float) -> str:
    """Return the words of the first grade that the value is below.

    >>> graded((Grade(0.5, "low"), Grade(TOP, "high")), 0.5)
    'high'
    """
    return next(grade.words for grade in grades if value < grade.below)


def _around_half(least: str, less: str, more: str, most: str) -> tuple[Grade, ...]:
    return (
        Grade(0.2, least),
        Grade(0.45, less),
        Grade(0.55, ""),
        Grade(0.8, more),
        Grade(TOP, most),
    )


def _up_from_none(little: str, half: str, mostly: str) -> tuple[Grade, ...]:
    return (Grade(0.05, ""), Grade(0.35, little), Grade(0.7, half), Grade(TOP, mostly))


GRADES: Final[Mapping[str, tuple[Grade, ...]]] = {
    "acceptance": _around_half(
        "Hardly anything does them good; even what fits helps them only a little.",
        "What fits does them less good than it would others.",
        "What fits does them more good than it would others.",
        "They take help gladly; what fits does them a great deal of good.",
    ),
    "trust": _around_half(
        "They trust nobody who has not earned it over a long time; kind words alone move nothing.",
        "They are slow to trust.",
        "They trust easily.",
        "They trust from the first word, and good words count at once.",
    ),
    "patience": _around_half(
        "They have no patience: a turn that leads nowhere costs a good deal.",
        "They have little patience with turns that lead nowhere.",
        "They are patient with turns that lead nowhere.",
        "They have all the patience in the world: a turn that leads nowhere costs nothing.",
    ),
    "hostility": _around_half(
        "A clumsy word hardly touches them, and they never turn against the supporter.",
        "They forgive a clumsy word more readily than most.",
        "A clumsy word hits them hard, and now and then they resist whatever is said.",
        "They take a clumsy word as an attack, and often resist whatever is said.",
    ),
    "memory": _around_half(
        "They have forgotten a slight by the next turn.",
        "A slight fades soon.",
        "A slight stays with them for several turns, whatever comes after it.",
        "They forget no slight: what was wrong once still counts at the end of the talk.",
    ),
    "volatility": _up_from_none(
        "Their mood swings a little by itself, up or down, whatever is said.",
        "Their mood swings by itself, up or down, whatever is said.",
        "Their mood swings widely by itself, up or down, whatever is said.",
    ),
    "reactivity": _around_half(
        "Nothing moves them much, for better or worse.",
        "They are moved less than others, for better or worse.",
        "They are moved more than others, for better or worse.",
        "Everything moves them strongly, for better or worse.",
    ),
    "masking": _up_from_none(
        "Now and then you show less than you feel.",
        "Often you show less than you feel: your words are flatter than your mood.",
        "You show hardly anything of what you feel: whatever it is, your words are flat and even.",
    ),
    "disclosure": (
        Grade(
            0.3, "You keep your story to yourself: you begin to tell, and mostly leave it at that."
        ),
        Grade(0.65, "You tell your story in halves: about every second time you leave it unsaid."),
        Grade(0.95, "Now and then you begin to tell something, and leave it unsaid after all."),
        Grade(TOP, ""),
    ),
    "ambiguity": _up_from_none(
        "Now and then what you say could mean that you want something else from this talk.",
        "What you say often sounds as though you wanted something else from this talk as well.",
        "What you say sounds as much as though you wanted something else from this talk.",
    ),
}
"""For each knob its words. Of what is hidden they speak to the person, of all else about them.
The knob `start` has none: it is a number wherever it acts."""


def in_words(difficulty: Difficulty, *kinds: Kind) -> tuple[str, ...]:
    """Return what a model is told of the knobs of these kinds, in the order of the knobs.

    >>> in_words(Difficulty(masking=0.2), "information")
    ('Now and then you show less than you feel.',)
    >>> in_words(Difficulty(), "response", "information", "style")
    ()
    """
    names = (name for name, kind in KINDS.items() if kind in kinds and name in GRADES)
    words = (graded(GRADES[name], getattr(difficulty, name)) for name in names)
    return tuple(filter(None, words))


def hidden(difficulty: Difficulty) -> tuple[str, ...]:
    """Return what a model is told that only words replies: how little it shows.

    Not of `disclosure`: what stays unsaid of the story is settled by code before it is asked.

    >>> hidden(Difficulty(disclosure=0.1))
    ()
    """
    return in_words(replace(difficulty, disclosure=1.0), "information")


def all_words() -> str:
    """Return all there is to say of any knob, so that a digest can cover it."""
    return "\n".join(grade.words for grades in GRADES.values() for grade in grades)
