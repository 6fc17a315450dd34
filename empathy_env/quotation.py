"""What code can check of a claim about words: where they stand, and what they are tied to.

A model may say that a quote is tied to the talk; these are conditions without which that cannot be
so. They look at letters, cost little however many talks are under way, and keep nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from empathy_env.cues import plain, read, tables

_WORD: Final = re.compile(r"[\w']+")
_CONTENT: Final = 4
"""Words of fewer letters say too little."""
_ROOT: Final = 5
_ENDING: Final = 3
"""At most so many letters beyond the root may be a word's ending, as in "walking"."""


def place(words: str, within: str) -> tuple[int, int] | None:
    r"""Return where these words stand, uncut at their ends; white space of any length is equal.

    >>> place("so  tired", "You are so\ntired.")
    (8, 16)
    >>> place("tire", "You are so tired.")
    """
    words = words.strip()
    if not words:
        return None
    at = _first(words, within)
    if at >= 0:
        return at, at + len(words)
    parts = words.split()
    if " ".join(parts) in " ".join(within.split()):
        for match in re.finditer(r"\s+".join(map(re.escape, parts)), within):
            if _uncut(within, match.start()) and _uncut(within, match.end()):
                return match.span()
    return None


def _first(words: str, within: str) -> int:
    """Return where these very words first stand, uncut, or -1."""
    at = within.find(words)
    while at >= 0 and not (_uncut(within, at) and _uncut(within, at + len(words))):
        at = within.find(words, at + 1)
    return at


def _uncut(within: str, at: int) -> bool:
    """Whether no word goes on at this place; some scripts do not part their words."""
    around = within[at - 1 : at + 1] if at else ""
    return not (len(around) == 2 and around.isascii() and around.isalnum())


class Ties:
    """What an utterance has to do with the talk before it, as far as letters show."""

    def __init__(
        self, utterance: str, *, heard: Sequence[str], said: Iterable[str], topics: str = ""
    ):
        """Take in an utterance and the talk before it.

        Args:
            utterance: What the agent says.
            heard: What the person has said.
            said: What the agent has said before.
            topics: The words of the topics, in lower case.
        """
        low = plain(utterance)
        sentences = read(low).sentences
        self._starts = [sentence.start for sentence in sentences]
        self._words = [_WORD.findall(low[one.start : one.stop]) for one in sentences]
        self._heard = "\n".join(heard)
        self._known = f" {self._heard.lower()} {topics}".replace("\n", " ")
        self._said = plain("\n".join(said))

    def sentence(self, at: int) -> int:
        """Return the number of the sentence in which this character stands."""
        return max(0, bisect_right(self._starts, at) - 1)

    def answers(self, words: str) -> bool:
        """Whether the person has said these very words, and one of them has content."""
        return bool(_content(_WORD.findall(words.lower()))) and _first(words, self._heard) >= 0

    @cached_property
    def shared(self) -> bool:
        """Whether any of its words with content is one of the person's or of a topic."""
        return any(
            f" {word[: max(_ROOT, len(word) - _ENDING)]}" in self._known
            for words in self._words
            for word in _content(words)
        )

    def repeated(self, sentence: int) -> bool:
        """Whether the agent has said half of a sentence before, by runs of three words."""
        words = self._words[sentence] if self._words else []
        if len(words) < 3:
            return bool(words) and f" {' '.join(words)} " in self._said_words
        runs = list(zip(words, words[1:], words[2:], strict=False))
        said = set(filter(self._said.__contains__, words))
        # Most sentences end here, before all that was said is cut into words.
        if 2 * sum(map(said.issuperset, runs)) < len(runs):
            return False
        known = self._said_words
        return 2 * sum(f" {' '.join(run)} " in known for run in runs) >= len(runs)

    @cached_property
    def _said_words(self) -> str:
        """What the agent has said, without marks."""
        return f" {' '.join(_WORD.findall(self._said))} "


def _content(words: Iterable[str]) -> list[str]:
    stop = tables().lists["stop"]
    return [word for word in words if len(word) >= _CONTENT and word not in stop]
