"""Scores the rule appraiser on labelled utterances.

    python benchmarks/appraiser.py --data FILE.jsonl [--reader rules-b] [--json] [--errors]

Each line of the file holds `context`, `utterance`, `acts` (performed) and `absent` (near misses).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from empathy_env.acts import ACTS, Context
from empathy_env.appraiser import READERS, appraise_by_rules

Item = dict[str, Any]


def read(path: Path) -> list[Item]:
    """Return the items of a file of JSON lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def context_of(item: Item) -> Context:
    """The talk before an utterance, as an appraiser gets it."""
    user = [m["content"] for m in item["context"] if m["role"] == "user"]
    agent = [m["content"] for m in item["context"] if m["role"] == "assistant"]
    return Context(user[-1], tuple(user[:-1][-6:]), tuple(agent[-12:]))


def fired(item: Item, reader: str = READERS[0]) -> set[str]:
    """The acts that the appraiser finds."""
    return {e.act for e in appraise_by_rules(item["utterance"], context_of(item), reader)}


def scores(items: list[Item], found: list[set[str]]) -> dict[str, Any]:
    """Micro and macro F1, the false-fire rate on near misses, and the table per act.

    Macro F1 is over the acts that some of these items have.
    """
    hit: Counter[str] = Counter()
    said: Counter[str] = Counter()
    true: Counter[str] = Counter()
    near: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for item, acts in zip(items, found, strict=True):
        hit.update(acts & set(item["acts"]))
        said.update(acts)
        true.update(item["acts"])
        near.update(item["absent"])
        wrong.update(acts & set(item["absent"]))
    per_act = {
        act: {
            "f1": _ratio(2 * hit[act], said[act] + true[act]),
            "precision": _ratio(hit[act], said[act]),
            "recall": _ratio(hit[act], true[act]),
            "false_fire": _ratio(wrong[act], near[act]),
        }
        for act in ACTS
    }
    return {
        "n": len(items),
        "micro_f1": _ratio(2 * hit.total(), said.total() + true.total()),
        "macro_f1": round(sum(per_act[act]["f1"] for act in true) / len(true), 4) if true else 0.0,
        "false_fire": _ratio(wrong.total(), near.total()),
        "per_act": per_act,
    }


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def report(items: list[Item], reader: str) -> dict[str, Any]:
    """All scores, also of the hard, the injected and the plain items apart."""
    fired(items[0], reader)  # The cue files are read at the first call.
    begin = time.perf_counter()
    found = [fired(item, reader) for item in items]
    spent = time.perf_counter() - begin
    result = scores(items, found)
    pairs = list(zip(items, found, strict=True))
    for name in ("hard", "injection", "plain"):
        some = [pair for pair in pairs if group(pair[0]) == name]
        part = scores([p[0] for p in some], [p[1] for p in some])
        result[name] = {k: part[k] for k in ("n", "micro_f1", "macro_f1", "false_fire")}
    none = [acts for item, acts in pairs if not item["acts"]]
    result["no_act_fired"] = _ratio(sum(bool(acts) for acts in none), len(none))
    result["microseconds_per_utterance"] = round(1e6 * spent / len(items), 1)
    return result


def group(item: Item) -> str:
    """Return "hard", "injection" or "plain", by an item's note."""
    note = item.get("note", "")
    return (
        "hard" if note.startswith("hard") else "injection" if note[:9] == "injection" else "plain"
    )


def show(result: dict[str, Any]) -> None:
    """Prints the scores as a table."""
    for name in ("n", "no_act_fired", "microseconds_per_utterance"):
        print(f"{name:28}{result[name]}")
    print(f"\n{'':18}{'n':>5}{'micro F1':>10}{'macro F1':>10}{'false fire':>12}")
    for name in ("all", "hard", "injection", "plain"):
        row = result if name == "all" else result[name]
        cells = f"{row['micro_f1']:10.3f}{row['macro_f1']:10.3f}{row['false_fire']:12.3f}"
        print(f"{name:18}{row['n']:5}{cells}")
    print(f"\n{'':18}{'F1':>8}{'precision':>11}{'recall':>8}{'false fire':>12}")
    for act, row in result["per_act"].items():
        cells = f"{row['f1']:8.2f}{row['precision']:11.2f}{row['recall']:8.2f}"
        print(f"{act:18}{cells}{row['false_fire']:12.2f}")


def show_errors(items: list[Item], reader: str) -> None:
    """Prints each utterance with acts missed (-), wrongly found (+) and near misses fired (!)."""
    for item in items:
        acts, gold = fired(item, reader), set(item["acts"])
        marks = [f"-{a}" for a in sorted(gold - acts)]
        marks += [("!" if a in item["absent"] else "+") + a for a in sorted(acts - gold)]
        if marks:
            print(item["id"], *marks, "\n   ", item["utterance"].replace("\n", "\\n"))


def main() -> None:
    """Reads the file and prints its scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="labelled utterances, JSON lines")
    parser.add_argument("--reader", choices=READERS, default=READERS[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--errors", action="store_true", help="print each wrong item as well")
    parser.add_argument("--half", choices=("odd", "even"), help="only items at odd or even places")
    args = parser.parse_args()
    items = read(args.data)
    if args.half:
        items = items[args.half == "even" :: 2]
    if args.errors:
        show_errors(items, args.reader)
    result = report(items, args.reader)
    if args.json:
        print(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
