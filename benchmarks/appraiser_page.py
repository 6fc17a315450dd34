"""Write the generated parts of docs/appraiser.md: what the readers make of the held-out items.

    python benchmarks/appraiser_page.py [--folds] [--selected] [--dev acts-dev.jsonl]

Without options it writes what a test keeps current. `--folds` also fits all folds anew, which needs
scikit-learn; `--selected` plays the talks of selected_precision.py; each takes a minute or two.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from appraiser import context_of, group, read, scores

from empathy_env.acts import ACTS, Appraisal
from empathy_env.appraiser import READERS, appraise_by_rules

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "appraiser.md"
HELD_OUT = "heldout"
GROUPS = ("all", "hard", "injection", "plain")
RESAMPLES = 2000


class Heard(NamedTuple):
    """A held-out item and what one reader finds in it."""

    item: dict[str, Any]
    evidence: Appraisal

    @property
    def acts(self) -> set[str]:
        """The acts that were found."""
        return {one.act for one in self.evidence}


@cache
def heard(reader: str, path: Path = HERE / "acts" / f"{HELD_OUT}.jsonl") -> tuple[Heard, ...]:
    """Read all held-out items, or those of another file."""
    return tuple(
        Heard(item, appraise_by_rules(item["utterance"], context_of(item), reader))
        for item in read(path)
    )


def scored(some: Sequence[Heard]) -> dict[str, Any]:
    """Return the scores of these items."""
    return scores([one.item for one in some], [one.acts for one in some])


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table; its first `left` columns are words, the others numbers."""
    marks = ["---" if place < left else "--:" for place in range(len(head))]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "|".join(marks) + "|", *lines[1:]])


def interval(some: Sequence[Heard]) -> str:
    """Return a 95 % interval of micro F1, by a bootstrap over items."""
    counts = np.array(
        [(2 * len(h.acts & set(h.item["acts"])), len(h.acts) + len(h.item["acts"])) for h in some]
    )
    drawn = np.random.default_rng(0).integers(len(counts), size=(RESAMPLES, len(counts)))
    hits, whole = counts[drawn].sum(axis=1).T
    low, high = np.quantile(hits / np.maximum(whole, 1), [0.025, 0.975])
    return f"{low:.2f} to {high:.2f}"


def score_table(*path: Path) -> str:
    """Return the scores of both readers, on all items and by group."""
    rows: list[list[str]] = []
    for reader in READERS:
        for name in GROUPS:
            some = [one for one in heard(reader, *path) if name in ("all", group(one.item))]
            found = scored(some)
            macro = "" if name == "injection" else f"{found['macro_f1']:.3f}"
            row = [f"`{reader}`", name, str(found["n"]), f"{found['micro_f1']:.3f}"]
            rows.append([*row, interval(some), macro, f"{100 * found['false_fire']:.1f}%"])
    head = ["reader", "items", "n", "micro F1", "95 %", "macro F1", "false fire"]
    return table(head, rows, left=2)


def act_table() -> str:
    """Return the scores of both readers by act."""
    found = {reader: scored(heard(reader))["per_act"] for reader in READERS}
    true = Counter(act for one in heard(READERS[0]) for act in one.item["acts"])
    rows = [
        [f"`{act}`", str(true[act])]
        + [
            f"{found[reader][act][key]:.2f}"
            for reader in READERS
            for key in ("f1", "precision", "recall", "false_fire")
        ]
        for act in ACTS
    ]
    names = ("F1", "precision", "recall", "false fire")
    head = ["act", "n", *names, *(f"{name}, b" for name in names)]
    return table(head, rows)


def confusion_table() -> str:
    """Return what is found where an act is missed, and how often each is found wrongly."""
    instead: dict[str, Counter[str]] = {act: Counter() for act in ACTS}
    missed: Counter[str] = Counter()
    nothing: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for one in heard(READERS[0]):
        gold = set(one.item["acts"])
        extra = one.acts - gold
        wrong.update(extra)
        for act in gold - one.acts:
            missed[act] += 1
            nothing[act] += not extra
            instead[act].update(extra)
    rows = [
        [f"`{act}`", _counted(instead[act]), str(missed[act]), str(nothing[act]), str(wrong[act])]
        for act in ACTS
        if missed[act] or wrong[act]
    ]
    head = ["act", "found instead", "missed", "of these, no other in its place", "found wrongly"]
    return table(head, rows, left=2)


def _counted(found: Counter[str]) -> str:
    ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{act} {count}" for act, count in ordered)


def agreement_table() -> str:
    """Return how often the second reader finds what the first does, right or wrong."""
    counts = {right: [0, 0] for right in (True, False)}
    for one, other in zip(*map(heard, READERS), strict=True):
        for e in one.evidence:
            found = any(
                o.act == e.act and o.start < e.end and e.start < o.end for o in other.evidence
            )
            cell = counts[e.act in one.item["acts"]]
            cell[0] += found
            cell[1] += 1
    names = {True: "the item's labels have the act", False: "they do not"}
    rows = [
        [names[right], str(whole), f"{100 * part / whole:.0f}%"]
        for right, (part, whole) in counts.items()
    ]
    return table(["evidence of `rules` where", "pieces", "found by `rules-b` too"], rows)


def item_table() -> str:
    """Return how many items each file of labelled sentences has, by act."""
    files = {path.stem: read(path) for path in sorted((HERE / "acts").glob("*.jsonl"))}
    names = [*(name for name in files if name != HELD_OUT), HELD_OUT]
    counts = {name: Counter[str]() for name in names}
    for name in names:
        for row in files[name]:
            counts[name].update(set(_labels(row)) or {"none"})
    rows = [["items", *(str(len(files[name])) for name in names)]]
    rows += [
        [label, *(str(counts[name][act]) for name in names)]
        for act, label in [("none", "no act"), *((act, f"`{act}`") for act in ACTS)]
    ]
    return table(["", *names], rows)


def _labels(row: dict[str, Any]) -> list[str]:
    return row["acts"] if "acts" in row else [one["act"] for one in row["evidence"]]


TABLES: dict[str, Callable[[], str]] = {
    "items": item_table,
    "scores": score_table,
    "acts": act_table,
    "confusions": confusion_table,
    "agreement": agreement_table,
}


def fold_table() -> str:
    """Return how each writer's items are read by what the others taught."""
    from fit_appraiser import folds

    found = {reader: dict(folds(reader)) for reader in READERS}
    first, second = (found[reader] for reader in READERS)
    rows = [
        [name, str(first[name]["n"])]
        + [f"{one[name][key]:.3f}" for one in (first, second) for key in ("micro_f1", "macro_f1")]
        for name in first
    ]
    head = ["left out", "n"]
    head += [f"{key} F1, `{reader}`" for reader in READERS for key in ("micro", "macro")]
    return table(head, rows)


def selected_tables() -> dict[str, Callable[[], str]]:
    """Return the tables of selected precision."""
    from selected_precision import report

    found = report(contexts=1000, seed=0)
    names = {
        "all": "all 64",
        "best": "best",
        "best_4": "best 4",
        "best_unworded": "best without lines of the agents",
    }

    def whole() -> str:
        beside = found["confirmed_beside_all_of_the_same_act"]
        rows = [
            [title, *_cells(found["confirmed"][name]), *_points(beside.get(name))]
            for name, title in names.items()
        ]
        head = ["replies", "confirmed", "95 %", "pieces", "beside all", "95 %"]
        return table(head, rows)

    def acts() -> str:
        rows = [
            [f"`{act}`", *_cells(by["all"]), *_cells(by["best_4"])]
            for act, by in found["per_act"].items()
        ]
        return table(["act", *("all 64", "95 %", "pieces"), *("best 4", "95 %", "pieces")], rows)

    def labels() -> str:
        rows = [
            [
                source,
                kind,
                *_cells(found[key][source]["all"]),
                *_cells(found[key][source]["best_4"]),
            ]
            for source in found["confirmed_by_label"]
            for key, kind in (
                ("confirmed_by_label", "all acts"),
                ("but_for_restatement", "but `restatement`"),
            )
        ]
        head = ["items", "acts", *("all 64", "95 %", "pieces"), *("best 4", "95 %", "pieces")]
        return table(head, rows, left=2)

    return {"selected": whole, "selected-acts": acts, "selected-labels": labels}


def _cells(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["", "", "0"]
    low, high = found["interval"]
    shares = [f"{100 * found['share']:.0f}%", f"{100 * low:.0f} to {100 * high:.0f}"]
    return [*shares, str(found["pieces"])]


def _points(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["", ""]
    low, high = found["interval"]
    return [f"{100 * found['difference']:+.1f}", f"{100 * low:+.1f} to {100 * high:+.1f}"]


def written(page: str, tables: dict[str, Callable[[], str]] = TABLES) -> str:
    """Return the page with these tables put in anew."""
    for name, made in tables.items():
        text = made()
        page = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda found, text=text: f"{found.group(1)}{text}\n{found.group(2)}",
            page,
            flags=re.DOTALL,
        )
    return page


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", action="store_true", help="fit the folds anew as well")
    parser.add_argument("--selected", action="store_true", help="measure selected precision too")
    parser.add_argument("--dev", type=Path, help="the development set, to score it as well")
    args = parser.parse_args()
    tables = dict(TABLES)
    if args.folds:
        tables["folds"] = fold_table
    if args.selected:
        tables |= selected_tables()
    if args.dev:
        tables["dev"] = lambda: score_table(args.dev)
    PAGE.write_text(written(PAGE.read_text("utf-8"), tables), "utf-8")


if __name__ == "__main__":
    main()
