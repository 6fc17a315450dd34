"""Whether "no wonder", "of course" and "makes sense" are said of what the person feels."""

from __future__ import annotations

from typing import Final

from empathy_env.cues import Sentence, Text

_YOU: Final = frozenset("you your yours u ur".split())
_SPURNS: Final = frozenset("hate hates hated despise despises despised".split())
_WHOLE: Final = frozenset(
    ("of", "course", "you", word) for word in ("do", "did", "are", "were", "would", "have")
)
_STATES: Final = frozenset("<feeling> <condition> <reaction>".split())


def earned(
    text: Text, keys: list[tuple[str, ...]], sentence: Sentence, first: int, last: int
) -> bool:
    """Whether a cue of validation validates; only the three phrases above have to earn it.

    Args:
        text: The utterance.
        keys: The keys of all words.
        sentence: Where the cue was found.
        first: The first word of the cue.
        last: One past its last word.
    """
    words = text.words
    sense = "sense" in words[first:last]
    if not sense and words[first] not in ("no", "of", "small", "little"):
        return True
    begin, end = sentence.first, sentence.last
    if not sense:
        end = next((c for c in sentence.clauses if c > first), end)
        if words[first:end] in _WHOLE:
            return True
        # "You sound frightened, and no wonder" has it before.
        begin = first if last < end else begin
    you = next((i for i in range(begin, end) if words[i] in _YOU), end)
    if any(words[i] in _SPURNS or words[i : i + 2] == ("left", "you") for i in range(begin, you)):
        return False
    return you < end and any(not _STATES.isdisjoint(keys[i]) for i in range(begin, end))
