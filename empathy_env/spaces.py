"""The space of things that can be said: text of bounded length."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import Space

_SAMPLE_WORDS = (
    "I you it what how hear feel sounds hard when tell me more about that today "
    "was not your sorry could maybe really why with them"
).split()


class Utterance(Space[str]):
    """Any text of at most `max_chars` characters.

    `sample` draws a short string of common words: it is there for checks and for random agents,
    and is not meant to make sense.

    >>> space = Utterance(max_chars=100, seed=0)
    >>> space.contains("Go on.") and space.contains("") and not space.contains("x" * 101)
    True
    """

    def __init__(self, *, max_chars: int = 4000, seed: int | np.random.Generator | None = None):
        self.max_chars = max_chars
        super().__init__(shape=None, dtype=str, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """False: text has no natural fixed-size vector."""
        return False

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """Return a random utterance of one to twelve common words.

        Raises:
            ValueError: If a mask or a probability is given; neither has a meaning here.
        """
        if mask is not None or probability is not None:
            raise ValueError("Utterance.sample takes no mask and no probability: leave both None")
        count = int(self.np_random.integers(1, 13))
        words = self.np_random.choice(_SAMPLE_WORDS, size=count)
        return " ".join(str(word) for word in words)[: self.max_chars]

    def contains(self, x: Any) -> bool:
        """Return whether `x` is a str of at most `max_chars` characters."""
        return isinstance(x, str) and len(x) <= self.max_chars

    def __repr__(self) -> str:
        return f"Utterance(max_chars={self.max_chars})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Utterance) and other.max_chars == self.max_chars

    def __hash__(self) -> int:
        return hash((Utterance, self.max_chars))
