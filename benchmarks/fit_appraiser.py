"""Fits the linear readings of sentences of the rule appraisers; writes empathy_env/cues/*.npz.

    pip install scikit-learn
    python benchmarks/fit_appraiser.py [--name rules] [--folds]

The labelled sentences are benchmarks/acts/*.jsonl. `rules` learns from all of them but
heldout.jsonl, and sees which cues fired; `rules-b`, the reader of the held-out user, knows no cues.
`--folds` leaves one writer out at a time and prints how the others' sentences read theirs.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from appraiser import read, scores
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from empathy_env.acts import ACTS, Context
from empathy_env.appraiser import appraise_by_rules, sentence_bags
from empathy_env.cues.linear import Bag, Model, margins, save

DATA = Path(__file__).parent / "acts"
HELD_OUT = "heldout"
CUES = Path(__file__).parent.parent / "empathy_env" / "cues"
SCALE = 4.0
"""Length of a sentence's feature vector: all sentences weigh the same, long or short."""
STRENGTH = 1.0
"""Inverse of the penalty on large weights."""
POSITIVE = 2.0
"""Weight of a sentence that has the act: most have not."""
LEAST = 4
"""Features seen in fewer sentences are left out: half the size, and no worse."""
STEPS = 1000
"""Whole numbers for a weight of one."""
Files = dict[str, list[dict[str, Any]]]
"""Items by the name of their file; each file has a writer of its own."""
CLEAR = 200.0
"""Margin from which a sentence is taken to perform an act that its item has."""


class Sentences(NamedTuple):
    """Labelled sentences: their features, and which acts they perform."""

    bags: list[Bag]
    labels: np.ndarray
    items: list[int]
    """The number of the item that each sentence belongs to."""
    certain: list[bool]
    """Whether the label is that of the sentence, and not of an item with several."""


def sentences(items: Sequence[dict[str, Any]], name: str) -> Sentences:
    """All sentences of these items. A short item's acts are those of each of its sentences."""
    made = Sentences([], np.zeros((0, len(ACTS)), bool), [], [])
    labels: list[list[bool]] = []
    for number, item in enumerate(items):
        found = sentence_bags(item["text"], Context(item.get("heard", "")), name)
        for start, end, names in found:
            made.bags.append(names)
            made.items.append(number)
            made.certain.append("acts" not in item or len(found) == 1)
            labels.append([_performs(item, act, start, end) for act in ACTS])
    return made._replace(labels=np.array(labels))


def joined(parts: Sequence[Sentences]) -> Sentences:
    """Put several together."""
    first, items = 0, list[int]()
    for part in parts:
        items += [first + number for number in part.items]
        first += part.items[-1] + 1
    return Sentences(
        [row for part in parts for row in part.bags],
        np.concatenate([part.labels for part in parts]),
        items,
        [known for part in parts for known in part.certain],
    )


def settled(found: Sentences, learnt: Model) -> Sentences:
    """Take an item's act from those of its sentences that, by a first model, do not perform it.

    It stays with the sentence that clears its bar best, and with all that clear it well.
    """
    labels = found.labels.copy()
    clear = margins(found.bags, learnt)
    items = np.array(found.items)
    for number in sorted(
        {n for n, sure in zip(found.items, found.certain, strict=True) if not sure}
    ):
        rows = np.flatnonzero(items == number)
        for act in np.flatnonzero(labels[rows[0]]):
            best = clear[rows, act].max()
            labels[rows, act] = clear[rows, act] >= min(best, CLEAR)
    return found._replace(labels=labels)


def _performs(item: dict[str, Any], act: str, start: int, end: int) -> bool:
    if "acts" in item:
        return act in item["acts"]
    for evidence in item["evidence"]:
        if evidence["act"] == act:
            first = item["text"].find(evidence["quote"])
            last = first + len(evidence["quote"])
            if 2 * (min(end, last) - max(start, first)) > min(end - start, last - first):
                return True
    return False


def fit(found: Sentences) -> Model:
    """Learn the weights of all features for every act, each act for itself."""
    features = [sorted(row.features(), key=str) for row in found.bags]
    count = Counter(name for row in features for name in row)
    names = sorted((name for name, n in count.items() if n >= LEAST), key=str)
    places = {name: row for row, name in enumerate(names, start=1)}
    rows = [[places[name] for name in row if name in places] for row in features]
    values = np.concatenate([np.full(len(row), SCALE / max(1, len(row)) ** 0.5) for row in rows])
    ends = np.cumsum([0, *map(len, rows)])
    matrix = csr_matrix(
        (values, np.concatenate(rows).astype(int), ends), (len(rows), len(names) + 1)
    )
    weights, bars = np.zeros((len(names) + 1, len(ACTS)), np.int32), []
    for column in range(len(ACTS)):
        learner = LogisticRegression(
            C=STRENGTH, solver="liblinear", class_weight={0: 1.0, 1: POSITIVE}
        )
        learner.fit(matrix, found.labels[:, column])
        weights[:, column] = np.round(learner.coef_[0] * STEPS).astype(np.int32)
        bars.append(-learner.intercept_[0] * STEPS / SCALE)
    return Model(places, weights, np.array(bars), {})


def predicted(items: Sequence[dict[str, Any]], learnt: Model, name: str) -> list[set[str]]:
    """The acts that an appraiser with this model finds."""
    return [
        {e.act for e in appraise_by_rules(i["text"], Context(i.get("heard", "")), name, learnt)}
        for i in items
    ]


def labelled(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items in the form that `scores` takes."""
    return [
        {
            "acts": i["acts"] if "acts" in i else sorted({e["act"] for e in i["evidence"]}),
            "absent": i.get("absent", []),
        }
        for i in items
    ]


def taught(files: Files, name: str, left: str | None = None) -> Model:
    """Return what all files but `left` teach."""
    kept = joined([sentences(items, name) for stem, items in files.items() if stem != left])
    return fit(settled(kept, fit(kept)))


def labelled_files() -> Files:
    """Read all labelled sentences but the held-out ones, by the name of their file."""
    return {p.stem: read(p) for p in sorted(DATA.glob("*.jsonl")) if p.stem != HELD_OUT}


def folds(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each writer with the scores on their items of a model that the others taught."""
    files = labelled_files()
    for stem, items in files.items():
        learnt = taught(files, name, left=stem)
        yield stem, scores(labelled(items), predicted(items, learnt, name))


def main() -> None:
    """Fit, or try how well one writer's sentences are read by what the others taught."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", choices=("rules", "rules-b"), default="rules")
    parser.add_argument("--folds", action="store_true")
    args = parser.parse_args()
    if args.folds:
        for stem, result in folds(args.name):
            print(stem, {k: result[k] for k in ("n", "micro_f1", "macro_f1", "false_fire")})
        return
    learnt = taught(labelled_files(), args.name)
    (CUES / f"{args.name}.npz").write_bytes(save(learnt))
    print(json.dumps({"name": args.name, "features": len(learnt.places)}))


if __name__ == "__main__":
    main()
