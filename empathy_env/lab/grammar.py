"""What the lab's agents can say: four registers, two sentences each, with words to be copied.

A finite grammar makes the ceiling exact: how likely a model is to use a register is a sum over its
sentences. Each sentence performs one act of `appraisal-v1` and no other; `tests/lab` checks that
in every context that the lab has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from empathy_env.acts import Need

Register = Literal["validation", "interpretation", "suggestion", "open_question"]
REGISTERS: Final[tuple[Register, ...]] = (
    "validation",
    "interpretation",
    "suggestion",
    "open_question",
)
TARGET: Final[Register] = "interpretation"
"""The register whose dose is varied: a guess at what moves another person."""
WANTED: Final[dict[Need, Register]] = {
    "deep_empathy": "validation",
    "others_motives": "interpretation",
    "concrete_advice": "suggestion",
    "guided_reflection": "open_question",
}
"""For each need of the lab the one register that meets it."""
NEEDS: Final[tuple[Need, ...]] = tuple(WANTED)
TARGET_NEED: Final[Need] = "others_motives"
"""The one need that the target meets."""


class Slots(NamedTuple):
    """What a person's talk is about; the agent has to copy it from what they say."""

    feeling: str
    matter: str
    person: str


FEELINGS: Final = tuple("sad angry anxious lonely ashamed tired hurt numb".split())
MATTERS: Final = tuple("job exam move money health garden project wedding".split())
PEOPLE: Final = tuple("mother father sister brother boss friend teacher partner".split())

SENTENCES: Final[dict[Register, tuple[str, str]]] = {
    "validation": (
        "it makes sense that you feel {feeling} about your {matter}.",
        "with a {person} like yours, anyone would feel {feeling}.",
    ),
    "interpretation": (
        "i wonder if your {person} was afraid of losing you.",
        "maybe the {matter} was hard on your {person} too.",
    ),
    "suggestion": (
        "you could write one page about your {matter} today.",
        "you could tell your {person} one thing tonight.",
    ),
    "open_question": (
        "what is it about your {matter} that feels most {feeling}?",
        "how are things with your {person} now?",
    ),
}
"""Of each register one sentence is about the matter and one about the other person, so that two
turns of it are no repetition."""


def sentences(register: Register, slots: Slots) -> tuple[str, str]:
    """Return both sentences of a register, about what this person talks of.

    >>> sentences("suggestion", Slots("sad", "exam", "mother"))[1]
    'you could tell your mother one thing tonight.'
    """
    one, other = (text.format(**slots._asdict()) for text in SENTENCES[register])
    return one, other


def register_of(text: str, slots: Slots) -> Register | None:
    """Return the register of which this is a sentence, with the words of this person; else None.

    >>> slots = Slots("sad", "exam", "mother")
    >>> register_of("How are things with your mother now?", slots)
    'open_question'
    >>> register_of("how are things with your boss now?", slots) is None
    True
    """
    words = words_of(text)
    for register in REGISTERS:
        if any(words_of(sentence) == words for sentence in sentences(register, slots)):
            return register
    return None


_WORD: Final = re.compile(r"[a-z']+|[.,?]")


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case, and its marks.

    >>> words_of("My mother knows.")
    ['my', 'mother', 'knows', '.']
    """
    return _WORD.findall(text.lower())


def text_of(words: Sequence[str]) -> str:
    """Return words as a text; `words_of` gives them back.

    >>> text_of(["how", "are", "you", ",", "now", "?"])
    'how are you, now?'
    """
    return re.sub(r" ([.,?])", r"\1", " ".join(words))
