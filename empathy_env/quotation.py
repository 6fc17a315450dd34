"""What code can check of a claim about words: where they stand, and whether they were said before.

It looks at letters, costs little however many talks are under way, and keeps nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from empathy_env.cues import plain, read, tables

_WORD: Final = re.compile(r"[\w']+")
_MARKS: Final = {ord(mark): None for mark in '.,!?;:"()'} | dict.fromkeys(map(ord, "\n\t-/"), " ")
_CONTENT: Final = 4
"""Words of fewer letters say too little."""


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

    def __init__(self, utterance: str, *, heard: Iterable[str], said: Iterable[str]):
        """Take in an utterance and the talk before it.

        Args:
            utterance: What the agent says.
            heard: What the person has said.
            said: What the agent has said before.
        """
        low = plain(utterance)
        sentences = read(low).sentences
        self._starts = [sentence.start for sentence in sentences]
        self._words = [_WORD.findall(low[one.start : one.stop]) for one in sentences]
        self._heard = "\n".join(heard)
        self._said = _unmarked("\n".join(said))

    def sentence(self, at: int) -> int:
        """Return the number of the sentence in which this character stands."""
        return max(0, bisect_right(self._starts, at) - 1)

    def answers(self, words: str) -> bool:
        """Whether the person has said these very words, and one of them has content."""
        if _first(words, self._heard) < 0:
            return False
        content = [word for word in _WORD.findall(words.lower()) if len(word) >= _CONTENT]
        return not tables().lists["stop"].issuperset(content)

    def repeated(self, sentence: int) -> bool:
        """Whether the agent has said half of a sentence before, by runs of three words."""
        words = self._words[sentence] if self._words else []
        if len(words) < 3:
            return bool(words) and f" {' '.join(words)} " in self._said
        may_be_new = (len(words) - 2) // 2
        for run in zip(words, words[1:], words[2:], strict=False):
            if f" {' '.join(run)} " not in self._said:
                may_be_new -= 1
                if may_be_new < 0:
                    return False
        return True


def _unmarked(text: str) -> str:
    """Return the words of a text in lower case, with a space before, between and after."""
    low = plain(text)
    # Other letters make translating slow, and their absence makes it the fastest way.
    words = low.translate(_MARKS) if low.isascii() else " ".join(_WORD.findall(low))
    return f" {words} "
