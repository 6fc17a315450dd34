"""Whether a clause that a phrase opens says something.

"I wonder if" guesses at nothing until something is said of its subject: "I wonder if your sister
too" is the beginning of one sentence and the end of another. So what such a phrase opens must hold
a word that can be its verb. Which words can is read from neighbours in the labelled sentences
(`empathy_env.cues.fluency`): a verb stands after "you" or "would" rather than after "the". A word
that is rare there is one by its form, "sank", or by what stands beside it, "it corrodes you". In
doubt it is one, since more is lost by an honest guess unpaid than by a torn one paid.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Final

from empathy_env.cues import tables
from empathy_env.cues.fluency import ending, table

_OPENING: Final[dict[str, frozenset[tuple[str, ...]]]] = {
    last: frozenset(tuple(words.split()) for words in before.split(","))
    for last, before in {
        "if": "wonder,wondering,what,as,strange,odd",
        "whether": "wonder,wondering",
        "though": "as",
        "that": "sense,seems,seems to me,occurs to me,strikes me,possible,be,hunch,hunch is,"
        "guess is",
        "why": "sense,can see,understand,get",
        "how": "can see",
        "wonder": "no,small,little",
        "course": "of",
    }.items()
}
"""The last word of what opens a clause, and the words before it."""
_SIZES: Final = (1, 2, 3)
_ASKED: Final = ("wonder", "wondering")
_HEDGES: Final = frozenset("maybe perhaps possibly probably".split())
"""They open a clause where they stand first."""
_SUBJECTS: Final = frozenset("i you he she it we they who u".split())
_OWNERS: Final = frozenset("the my your his her its our their this that these those ur".split())
_OBJECTS: Final = _OWNERS | frozenset("a an me him us them you it".split())
_BE: Final = frozenset("am is are was were be been being".split())
_HELPERS: Final = _BE | frozenset(
    "do does did have has had will would shall should can could may might must cannot".split()
)
_MODALS: Final = frozenset("would could will can did to".split())
_BEFORE_NOUNS: Final = frozenset("the a your my his our their no of in".split())
_BESIDE: Final = frozenset(
    "already also always away back either else ever far here just later maybe never not now often "
    "once only perhaps quite rather so somewhere still then there though together too today "
    "tomorrow tonight twice very well yeah yes yesterday yet".split()
)
"""Words that stand where a verb can, and say nothing alone."""
_ADDED: Final = frozenset("too also either really just even still never always ever only".split())
"""Those that do not say what somebody was: "was there" is whole, "was too" is not."""
_PAST: Final = frozenset(
    "ate beat became began bent bit bled blew bore bound bought bred broke brought built burnt "
    "burst came caught chose clung crept dealt drank dreamt drew drove dug fed fell felt fled "
    "flew flung forbade forgave forgot fought found froze gave got grew ground heard held hid "
    "hung kept knelt knew laid leapt learnt led left lent lit lost made meant met paid put ran "
    "rang read rode rose said sang sank sat saw sent shone shook shot shrank shut slept slid sold "
    "sought spent spoke spun spat split spread stole stood struck stuck stung stank swam swept "
    "swore swung taught thought threw told tore took understood went wept woke won wore wove "
    "wrote".split()
)
"""Past forms that do not end in "ed"."""


def broken(words: Sequence[str]) -> int | None:
    """Return where in a sentence a phrase begins that opens a clause which says nothing.

    The clause goes on to the end of the sentence. None if there is no such phrase.

    >>> broken("i wonder if your sister too".split())
    1
    >>> broken("i wonder if your sister was there too".split())
    """
    return next((start for start, at in _openings(words) if not _says(words[at:])), None)


def _openings(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where phrases begin that open a clause, and where the clause does."""
    if words[0] in _HEDGES and _begun(words[1:2]):
        yield 0, 1
    if _OPENING.keys().isdisjoint(words):
        return
    for at, word in enumerate(words[:-1]):
        for size in _SIZES if word in _OPENING else ():
            before = tuple(words[max(0, at - size) : at])
            # "As if new", "possible that soon" and "no wonder, with so little sleep" are whole.
            if before in _OPENING[word] and (before[0] in _ASKED or _begun(words[at + 1 : at + 2])):
                yield at - size, at + 1
                break


def _begun(words: Sequence[str]) -> bool:
    return not _SUBJECTS.isdisjoint(words) or not _OWNERS.isdisjoint(words)


def _says(words: Sequence[str]) -> bool:
    """Whether there is a word that can be the verb of these."""
    size = len(words)
    while size and _idle(words[size - 1]):
        size -= 1
    for at in range(size):
        word = words[at]
        if word in _HELPERS:
            # "Of course you were" takes the rest from what was said, "maybe the exam was" does not.
            rest = not _ADDED.issuperset(words[at + 1 :])
            if rest or word not in _BE or _subject(words[:at]) in _SUBJECTS:
                return True
        elif at and words[at - 1] not in _OWNERS and not _idle(word) and _verb(words[:size], at):
            return True
    return False


def _verb(words: Sequence[str], at: int) -> bool:
    """Whether this word, which is not the first, is a verb here."""
    word, small = words[at], tables().lists["function"]
    if word in ("seems", "sounds", "feels"):
        return True
    if word in small:
        return False
    last, size = words[at - 1], len(words)
    if _subject(words[:at]) in _SUBJECTS or word in _PAST or _verbal(word):
        return True
    if _idle(last) or (word.endswith("ed") and len(word) > 4):  # "that day never ended"
        return True
    if at + 1 < size and words[at + 1] in _OBJECTS:
        return True
    # "The baby cries" and "your parents fight", as far as no noun is known that looks so.
    return (
        last not in small and word not in table().kinds and word.endswith("s") != last.endswith("s")
    )


def _subject(before: Sequence[str]) -> str:
    """The word that a verb after these would have as its subject."""
    return next((word for word in reversed(before) if not _idle(word)), "")


def _idle(word: str) -> bool:
    if word.endswith("ly"):
        return word != "family" and word not in tables().lists["feeling"]
    return word in _BESIDE


@lru_cache(maxsize=4096)
def _verbal(word: str) -> bool:
    """Whether a word stands after "you" or "would" rather than after "the".

    Or is said of whoever feels it: of "your sister's jealous" the "is" is not kept.
    """
    if word in tables().lists["feeling"] and not word.endswith("ness"):
        return _points(_BEFORE_NOUNS, word) <= _points(_SUBJECTS | _MODALS | _BE, word)
    return _points(_SUBJECTS | _MODALS, word) > _points(_BEFORE_NOUNS, word)


def _points(before: Collection[str], word: str) -> int:
    """The most that a word has after one of these, and no less than nothing."""
    kinds, pairs, *_ = table()
    kind = kinds.get(word, kinds[ending(word)])
    return max(0, *(pairs.get((kinds[w], kind), 0) for w in before if w in kinds))
