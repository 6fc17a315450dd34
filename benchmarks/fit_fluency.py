"""Counts which words stand side by side in the labelled sentences; writes cues/fluency.npz.

    python benchmarks/fit_fluency.py

The commonest words and the small words are known by themselves, the others by their endings.
heldout.jsonl is left out. Printed is which share of its sentences of four words or more is not
fluent, as they stand and with their words shuffled.
"""

from __future__ import annotations

import json
from collections import Counter
from io import BytesIO
from itertools import pairwise
from math import log
from random import Random

import numpy as np
from appraiser import read as rows
from fit_appraiser import CUES, DATA, HELD_OUT, labelled_files

from empathy_env.cues import plain, read, tables
from empathy_env.cues.fluency import ENDINGS, SCALE, ending, fluent, table

KNOWN = 1000
"""So many of the commonest words are known by themselves."""
DOUBT = 0.5
"""Added to what was counted and to what was expected."""


def sentences() -> list[tuple[str, ...]]:
    """Return the words of all labelled sentences, and of what was said before them."""
    texts = [
        text
        for items in labelled_files().values()
        for item in items
        for text in (item["text"], item.get("heard", ""))
    ]
    return [words for text in texts for words in cut(text)]


def cut(text: str) -> list[tuple[str, ...]]:
    """Return the words of each sentence."""
    found = read(plain(text))
    return [found.words[s.first : s.last] for s in found.sentences]


def lost() -> dict[str, float]:
    """Return the share of held-out sentences that is not fluent, in order and shuffled."""
    items = rows(DATA / f"{HELD_OUT}.jsonl")
    kept = [words for item in items for words in cut(item["utterance"]) if len(words) > 3]
    rng = Random(0)
    shuffled = [tuple(rng.sample(words, len(words))) for words in kept]
    return {
        name: round(sum(not fluent(words) for words in some) / len(some), 3)
        for name, some in (("in order", kept), ("shuffled", shuffled))
    }


def main() -> None:
    """Count and write."""
    said = sentences()
    common = Counter(word for words in said for word in words).most_common(KNOWN)
    known = sorted({word for word, _ in common} | tables().lists["function"])
    names = ["^", "$", "-", *(f"-{tail}" for tail in ENDINGS), *known]
    numbers = {name: number for number, name in enumerate(names)}
    met = Counter(
        pair
        for words in said
        for pair in pairwise((0, *(numbers.get(w, numbers[ending(w)]) for w in words), 1))
    )
    lefts, rights = np.full(len(names), DOUBT), np.full(len(names), DOUBT)
    for (one, two), count in met.items():
        lefts[one] += count
        rights[two] += count
    total = sum(met.values())
    pairs = sorted(met)
    points = [
        round(SCALE * log((met[p] + DOUBT) / (lefts[p[0]] * rights[p[1]] / total + DOUBT)))
        for p in pairs
    ]
    file = BytesIO()
    np.savez_compressed(
        file,
        kinds=np.frombuffer("\n".join(names).encode(), np.uint8),
        first=np.array([p[0] for p in pairs], np.int16),
        second=np.array([p[1] for p in pairs], np.int16),
        points=np.array(points, np.int8),
        lefts=np.round(SCALE * np.log(lefts)).astype(np.int16),
        rights=np.round(SCALE * np.log(rights)).astype(np.int16),
        total=np.array(round(SCALE * log(total * DOUBT))),
    )
    (CUES / "fluency.npz").write_bytes(file.getvalue())
    table.cache_clear()
    print(json.dumps({"words": len(known), "pairs": len(pairs), "not fluent": lost()}))


if __name__ == "__main__":
    main()
