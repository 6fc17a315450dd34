"""Whether words stand in an order in which people say words.

Neighbours are scored: by how much oftener two words stand side by side in the labelled sentences
than their own counts would have it, on a logarithmic scale. Rare words go by their endings. A
sentence in order scores above nothing on the whole and nowhere far below it; words out of order,
or strung together for their own sake, do not. Whole numbers, so that every machine reads alike.

The table is written by `python benchmarks/fit_fluency.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

SCALE: Final = 10
"""Points for a factor of e."""
ENDINGS: Final = ("ing", "ed", "ly", "s")
"""By which words that are not in the table are told apart."""
_LEAST: Final = 1
"""Points for each pair that a sentence has at least, on average."""
_SLACK: Final = 10
"""Points that a sentence may lack: one with few pairs of its own says little."""
_WORST: Final = ((4, -36), (2, -30))
"""Points that so many pairs in a row have at least."""


class Table(NamedTuple):
    """What has been counted.

    Attributes:
        kinds: The number of each known word, and of each ending.
        pairs: Points of each pair that was met, by the numbers of its words.
        lefts: For each number, the logarithm of its count as the first of two, in points.
        rights: The same as the second.
        total: What `lefts` and `rights` may add up to before a pair that was never met is strange.
    """

    kinds: dict[str, int]
    pairs: dict[tuple[int, int], int]
    lefts: list[int]
    rights: list[int]
    total: int


def ending(word: str) -> str:
    """Return the kind of a word that is not in the table.

    >>> ending("lanterns"), ending("bus"), ending("polishing")
    ('-s', '-', '-ing')
    """
    for tail in ENDINGS:
        if word.endswith(tail) and len(word) > len(tail) + 2:
            return f"-{tail}"
    return "-"


@cache
def table() -> Table:
    """Read the table, once."""
    content = files("empathy_env").joinpath("cues", "fluency.npz").read_bytes()
    with np.load(BytesIO(content)) as f:
        kinds = {word: i for i, word in enumerate(bytes(f["kinds"]).decode().split("\n"))}
        first, second, points = f["first"].tolist(), f["second"].tolist(), f["points"].tolist()
        pairs = dict(zip(zip(first, second, strict=True), points, strict=True))
        return Table(kinds, pairs, f["lefts"].tolist(), f["rights"].tolist(), int(f["total"]))


@lru_cache(maxsize=16384)
def _kind(word: str) -> int:
    kinds = table().kinds
    return kinds[word] if word in kinds else kinds[ending(word)]


def points(words: Sequence[str]) -> list[int]:
    """Return the points of each pair of neighbours, the ends of the sentence included."""
    made = table()
    found: list[int] = []
    for pair in pairwise((0, *map(_kind, words), 1)):
        known = made.pairs.get(pair)
        if known is None:
            known = min(0, made.total - made.lefts[pair[0]] - made.rights[pair[1]])
        found.append(known)
    return found


def fluent(words: Sequence[str], heard: Collection[tuple[str, str]] = ()) -> bool:
    """Whether these words of a sentence stand in an order in which people say words.

    Args:
        words: The plain words of the sentence.
        heard: Neighbours in what was said to the speaker. They speak neither for nor against who
            says them back.

    >>> fluent("you sound lonely since the move".split())
    True
    >>> fluent("move lonely the since sound you".split())
    False
    """
    found = points(words)
    size = len(found)
    for i, pair in enumerate(pairwise(words), 1):
        if pair in heard:
            found[i] = 0
            size -= 1
    if sum(found) < _LEAST * size - _SLACK:
        return False
    return all(
        sum(found[i : i + size]) >= worst
        for size, worst in _WORST
        for i in range(max(1, len(found) - size + 1))
    )
