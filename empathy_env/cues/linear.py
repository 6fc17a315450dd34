"""A linear reading of sentences: how far their words, pairs of words and build speak for each act.

Cues know idioms; this knows what is usual. A sentence is a bag of features, each with one whole
number for every act, learnt from labelled sentences by benchmarks/fit_appraiser.py. Their sum,
against the act's bar, decides. Whole numbers, so that every machine reads alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from itertools import pairwise, repeat
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from empathy_env.cues import Text

_ME: Final = frozenset("i me my mine myself".split())
_YOU: Final = frozenset("you your yours yourself u ur".split())

Feature = str | tuple[str, str]
"""A word, a pair of neighbours, or something of the build, which has "=" in it."""


class Model(NamedTuple):
    """What has been learnt.

    Attributes:
        places: The row of each feature.
        weights: Shape (1 + features, acts), whole numbers; the acts in the order of `ACTS`. Row 0
            is empty.
        bars: For each act, what the sum of weights, divided by the square root of how many
            features are known, must exceed.
        builds: The rows of builds that have been met, and row 0; a cache.
    """

    places: dict[Feature, int]
    weights: NDArray[np.int32]
    bars: NDArray[np.float64]
    builds: dict[frozenset[str], frozenset[int]]


@cache
def model(name: str) -> Model:
    """Read the model of this name, once."""
    with np.load(BytesIO(files("empathy_env").joinpath("cues", f"{name}.npz").read_bytes())) as f:
        names = bytes(f["names"]).decode().split("\n")
        places = {_parsed(n): row for row, n in enumerate(names, start=1)}
        return Model(places, f["weights"], f["bars"], {})


def save(learnt: Model) -> bytes:
    """Return a model as the bytes that `model` reads."""
    names = "\n".join(n if isinstance(n, str) else " ".join(n) for n in learnt.places)
    file = BytesIO()
    np.savez_compressed(
        file,
        names=np.frombuffer(names.encode(), np.uint8),
        weights=learnt.weights,
        bars=learnt.bars,
    )
    return file.getvalue()


def _parsed(name: str) -> Feature:
    first, space, second = name.partition(" ")
    return (first, second) if space else name


class Bag(NamedTuple):
    """What a sentence has.

    Attributes:
        words: Its words; `OTHER` for those that are not to be read.
        mark: "?" or ".".
        build: Features that are no words.
    """

    words: tuple[str, ...]
    mark: str
    build: frozenset[str]

    def features(self) -> set[Feature]:
        """Return all of it as features."""
        pairs = pairwise(("^", *self.words, self.mark))
        return {*self.words, *pairs, (f"^{self.mark}", self.words[0]), *self.build}


OTHER: Final = "<other>"


def bag(
    text: Text,
    number: int,
    keys: Sequence[tuple[str, ...]],
    shared: tuple[int, int],
    acts: Iterable[str],
) -> Bag:
    """Return what a sentence has.

    Args:
        text: The utterance.
        number: Which of its sentences.
        keys: For each word of the text what it is known by; nothing if it is not to be read.
        shared: How many content words the sentence has, and how many of them the user has said.
        acts: What the cues found in the sentence.
    """
    first, last, asks, *_ = text.sentences[number]
    words, known = text.words[first:last], keys[first:last]
    if () in known:
        words = tuple([w if k else OTHER for w, k in zip(words, known, strict=True)])
    mark = "?" if asks else "."
    content, told = shared
    before = text.sentences[number - 1] if number else None
    build = _build(
        mark,
        min(3, sum(map(_ME.__contains__, words))),
        min(3, sum(map(_YOU.__contains__, words))),
        min(6, len(words) // 3),
        min(4, len(text.sentences)),
        min(4, told),
        4 * told // content if content else 0,
        number == len(text.sentences) - 1,
        before and _ME.isdisjoint(text.words[before.first : before.last]),
        frozenset(acts),
    )
    return Bag(words, mark, build)


@lru_cache(maxsize=8192)
def _build(
    mark: str,
    me: int,
    you: int,
    size: int,
    of: int,
    told: int,
    share: int,
    last: bool,
    before: object,
    acts: frozenset[str],
) -> frozenset[str]:
    """The features of a sentence's build. Few builds are met, so each is put in words once."""
    names = {
        f"mark={mark}",
        f"me={me}",
        f"you={you}",
        f"me={me > 0},you={you > 0}{mark}",
        f"size={size}",
        f"size={size}{mark}",
        f"of={of}",
        f"told={told}",
        f"share={share}{mark}",
        f"last={last}",
        *(f"cue={act}" for act in acts),
    }
    return frozenset(names if before is None else {*names, f"before={before}"})


def margins(bags: Sequence[Bag], learnt: Model) -> NDArray[np.float64]:
    """Return by how much each sentence clears the bar of each act; shape (sentences, acts)."""
    get = learnt.places.get
    # Row 0 is empty, and every sentence's: it stands for all that is not known.
    rows: list[int] = []
    starts: list[int] = []
    roots: list[float] = []
    for words, mark, build in bags:
        if build not in learnt.builds:
            learnt.builds[build] = frozenset([0, *(get(name, 0) for name in build)])
        found = learnt.builds[build].union(
            map(get, words, repeat(0)),
            map(get, zip(("^", *words), (*words, mark), strict=True), repeat(0)),
            (get((f"^{mark}", words[0]), 0),),
        )
        starts.append(len(rows))
        rows += found
        roots.append(sqrt(max(1, len(found) - 1)))
    # Of its own accord numpy would add in 64 bits, which takes twice the time.
    sums = np.add.reduceat(learnt.weights.take(rows, 0), starts, 0, dtype=np.int32)
    return sums / np.array(roots)[:, None] - learnt.bars
