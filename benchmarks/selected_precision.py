"""How far evidence can be trusted once replies are selected for their reward.

    python benchmarks/selected_precision.py [--contexts 1000] [--seed 0] [--json]

Training keeps what pays, and a misreading that pays is kept too. In each of many talks 64 varied
replies are scored by the change of emotion that they would cause. Evidence is *credited* if it is
grounded and its credit is above zero; it is *confirmed* if the held-out user's reader (`rules-b`)
finds the same act in overlapping words of the same text and context. The share of confirmed
evidence is compared between all 64 replies, the best one and the best four. The readers share
labelled data, grounding and the frames of denial, so that a confirmed piece may still be wrong:
the labels, where a reply is a labelled item, are a second check.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from appraiser import read

from empathy_env import Scenario, Task, load_agent, load_cells
from empathy_env.acts import ACTS, Evidence
from empathy_env.appraiser import READERS, appraise_by_rules
from empathy_env.conversation import Conversation, say
from empathy_env.cues import tables
from empathy_env.drivers import run
from empathy_env.emotion import credit
from empathy_env.measures import cluster_bootstrap

HERE = Path(__file__).parent
HELD_OUT = "heldout"
OTHER = READERS[1]
FIRST_SEED = 700_000
MOST_TURNS = 4
"""The listener has had 0 to 4 turns."""
QUOTAS = {
    "labelled": 16,
    "held-out": 8,
    "oracle": 10,
    "listener": 6,
    "bank": 4,
    "labelled, pasted": 8,
    "held-out, pasted": 4,
    "bank, pasted": 4,
    "pasting": 4,
}
"""How many of the 64 replies come from where."""
WORDED = ("oracle", "listener")
BEST = 4
LEAST = 30
"""Acts with fewer credited pieces in the best replies are not shown one by one."""


class Reply(NamedTuple):
    """Something that could be said next."""

    text: str
    source: str
    """A key of `QUOTAS`."""
    acts: frozenset[str] | None = None
    """Its labels, or None if it has none."""


class Piece(NamedTuple):
    """A credited piece of evidence."""

    act: str
    confirmed: bool
    labelled: bool | None
    """Whether the item's labels have the act; None without labels."""
    source: str


class Scored(NamedTuple):
    """A reply in one talk."""

    gain: float
    """Change of emotion, in points."""
    source: str
    pieces: tuple[Piece, ...]


class Pools(NamedTuple):
    """What replies are drawn from, the same in every talk."""

    labelled: list[Reply]
    held_out: list[Reply]
    bank: list[Reply]
    oracle: list[str]
    listener: list[str]
    pasting: list[str]


def pools() -> Pools:
    """Read the labelled items, the bank and the agents' wordings."""
    items = {path.stem: _items(path) for path in sorted((HERE / "acts").glob("*.jsonl"))}
    bank = (HERE / "blind_bank.txt").read_text("utf-8").splitlines()
    oracle, listener, pasting = map(names_of, ("oracle", "listener", "pasting"))
    return Pools(
        [reply for stem, some in items.items() if stem != HELD_OUT for reply in some],
        items[HELD_OUT],
        [Reply(line, "bank") for line in bank if line.strip()],
        [line for lines in oracle["WORDINGS"].values() for line in lines],
        [*listener["EXPLORE"], *(line for lines in listener["HELP"].values() for line in lines)],
        pasting["TEMPLATES"],
    )


def names_of(agent: str) -> dict[str, Any]:
    """Return what the file of an agent defines."""
    return load_agent(agent).reply.__globals__


def _items(path: Path) -> list[Reply]:
    source = "held-out" if path.stem == HELD_OUT else "labelled"
    return [
        Reply(
            row.get("text") or row["utterance"],
            source,
            frozenset(row["acts"] if "acts" in row else (e["act"] for e in row["evidence"])),
        )
        for row in read(path)
    ]


class Nouns:
    """The words of one talk that a reply can be filled with."""

    def __init__(self, talk: Conversation) -> None:
        told = [item for item in talk.room.users[0].items if item.id in talk.users[0].told]
        self.topics = [word for item in told for word in item.words]
        self.feelings = [w for f in talk.room.scenario.persona.feelings for w in f.words]
        stop = tables().lists["stop"]
        self.pairs: list[tuple[str, str]] = []
        for turn in talk.heard:
            words = [w for w in re.findall(r"[a-z]{4,}", turn.lower()) if w not in stop]
            self.pairs += pairwise(words)

    def two(self, rng: Random) -> tuple[str, str]:
        """Two words of theirs: neighbours in one of their turns, or words of what they told."""
        if self.pairs and rng.random() < 0.5:
            return rng.choice(self.pairs)
        return rng.choice(self.topics), rng.choice(self.topics)


def pasted(reply: Reply, nouns: Nouns, rng: Random) -> Reply:
    """Put two of the person's words into a reply: for words that no cue has, or at the end."""
    first, second = nouns.two(rng)
    known = tables().keys
    free = [m for m in re.finditer(r"\b[a-z]{4,}\b", reply.text) if m[0] not in known]
    text = reply.text
    if len(free) > 1 and rng.random() < 0.5:
        at = rng.randrange(len(free) - 1)
        for found, word in ((free[at + 1], second), (free[at], first)):
            text = text[: found.start()] + word + text[found.end() :]
    else:
        body, end = re.fullmatch(r"(.*?)([.!?\u2026]*)\s*", text, re.DOTALL).groups()  # type: ignore[union-attr]
        text = f"{body}, with the {first} and the {second}{end or '.'}"
    return Reply(text, f"{reply.source}, pasted", reply.acts)


def replies(pool: Pools, talk: Conversation, rng: Random) -> list[Reply]:
    """Draw the replies for one talk, in random order."""
    nouns = Nouns(talk)
    listener = names_of("listener")
    theirs = [m["content"] for m in talk.messages if m["role"] == "user"]
    mine = [m["content"] for m in talk.messages if m["role"] == "assistant"]
    echo = listener["say_back"](theirs, mine)
    fixed = {"echo": echo, "Echo": echo[:1].upper() + echo[1:]}
    fixed["p"] = listener["find_person"](theirs)

    def worded(line: str) -> str:
        first, second = nouns.two(rng)
        slots = {"w": first, "v": second, "a": first, "b": second, "f": rng.choice(nouns.feelings)}
        return line.format(**slots, **fixed)

    drawn: list[Reply] = []
    for source, count in QUOTAS.items():
        name, _, paste = source.partition(", ")
        for one in rng.sample(getattr(pool, name.replace("-", "_")), count):
            if isinstance(one, str):
                drawn.append(Reply(worded(one), source))
            else:
                drawn.append(pasted(one, nouns, rng) if paste else one)
    rng.shuffle(drawn)
    return drawn


def scored(talk: Conversation, reply: Reply) -> Scored:
    """Say a reply on a copy of the talk; return what it would bring and what was credited."""
    after = run(say(talk, reply.text))
    mood, turn = talk.users[0].mood, after.turns[-1]
    listener = talk.room.users[0].listener
    credited = [e for e in turn.evidence if e.grounded and credit(e, mood, listener) > 0.0]
    if turn.answers[0].good <= 0.0:
        credited = []  # Voided by manipulation.
    second = appraise_by_rules(turn.heard, talk.context(), OTHER) if credited else ()
    pieces = [
        Piece(
            e.act,
            any(confirms(other, e) for other in second),
            e.act in reply.acts if reply.acts is not None else None,
            reply.source,
        )
        for e in credited
    ]
    return Scored(after.users[0].mood.emotion - mood.emotion, reply.source, tuple(pieces))


def confirms(other: Evidence, one: Evidence) -> bool:
    """Whether two pieces name the same act in overlapping words."""
    return other.act == one.act and other.start < one.end and one.start < other.end


Groups = dict[str, dict[str, list[Piece]]]
"""Credited pieces by how their replies were chosen, then by persona."""


def chosen(results: Sequence[Scored]) -> dict[str, Sequence[Scored]]:
    """The replies of one talk, by how they are chosen."""
    ranked = sorted(results, key=lambda one: -one.gain)
    plain = [one for one in ranked if one.source not in WORDED]
    return {"all": results, "best": ranked[:1], "best_4": ranked[:BEST], "best_unworded": plain[:1]}


def played(contexts: int, seed: int) -> tuple[Groups, dict[str, int]]:
    """Play and score all; return the credited pieces and where the best replies came from."""
    pool, task, cells = pools(), Task(personas="all"), load_cells("all")
    order = Random(seed).sample(range(len(cells)), len(cells))
    groups: Groups = {}
    sources = dict.fromkeys(QUOTAS, 0)
    for number in range(contexts):
        rng = Random(f"{seed}/{number}")
        persona, need = cells[order[number % len(cells)]]
        place = FIRST_SEED + seed * 10_000 + number
        talk = task.begin(Scenario(persona=persona, need=need, seed=place))
        for _ in range(rng.randint(0, MOST_TURNS)):
            after = run(say(talk, load_agent("listener").act(talk)))
            if after.outcome is None:
                talk = after
        results = [scored(talk, reply) for reply in replies(pool, talk, rng)]
        for name, some in chosen(results).items():
            pieces = groups.setdefault(name, {}).setdefault(persona.id, [])
            pieces += [piece for one in some for piece in one.pieces]
            if name == "best":
                sources[some[0].source] += 1
    return groups, sources


def share(pieces: Mapping[str, Sequence[Piece]], field: str = "confirmed") -> dict[str, Any] | None:
    """Return the share that is confirmed, with its interval and how many pieces it is over."""
    values = {
        persona: [float(getattr(one, field)) for one in some if getattr(one, field) is not None]
        for persona, some in pieces.items()
    }
    values = {persona: some for persona, some in values.items() if some}
    if not values:
        return None
    found = cluster_bootstrap(values)
    return {
        "share": round(found.mean, 3),
        "interval": [round(found.low, 3), round(found.high, 3)],
        "pieces": found.size,
    }


def beside_all(groups: Groups, name: str) -> dict[str, Any]:
    """Return how much less is confirmed than the same acts are in all replies, by piece."""
    every = [piece for some in groups["all"].values() for piece in some]
    usual = {
        act: sum(p.confirmed for p in every if p.act == act) / sum(p.act == act for p in every)
        for act in {piece.act for piece in every}
    }
    gaps = {
        persona: [piece.confirmed - usual[piece.act] for piece in some]
        for persona, some in groups[name].items()
        if some
    }
    found = cluster_bootstrap(gaps)
    return {
        "difference": round(found.mean, 3),
        "interval": [round(found.low, 3), round(found.high, 3)],
    }


def kept(
    pieces: Mapping[str, Sequence[Piece]], field: str, value: str, dropped: str = ""
) -> dict[str, list[Piece]]:
    """Return the pieces with this value, without those of the act `dropped`."""
    return {
        persona: [one for one in some if getattr(one, field) == value and one.act != dropped]
        for persona, some in pieces.items()
    }


def report(contexts: int, seed: int) -> dict[str, Any]:
    """Play, and put all figures together."""
    groups, sources = played(contexts, seed)
    result: dict[str, Any] = {
        "contexts": contexts,
        "replies": sum(QUOTAS.values()),
        "personas": len(groups["all"]),
        "best_from": sources,
    }
    result["confirmed"] = {name: share(some) for name, some in groups.items()}
    result["confirmed_beside_all_of_the_same_act"] = {
        name: beside_all(groups, name) for name in groups if name != "all"
    }
    result["confirmed_by_source"] = {
        source: {name: share(kept(groups[name], "source", source)) for name in ("all", "best_4")}
        for source in QUOTAS
    }
    for title, dropped in (("confirmed_by_label", ""), ("but_for_restatement", "restatement")):
        result[title] = {
            source: {
                name: share(kept(groups[name], "source", source, dropped), "labelled")
                for name in ("all", "best", "best_4")
            }
            for source in QUOTAS
            if source.startswith(("labelled", "held-out"))
        }
    result["per_act"] = {
        act: {name: share(kept(groups[name], "act", act)) for name in ("all", "best", "best_4")}
        for act in ACTS
        if sum(one.act == act for some in groups["best_4"].values() for one in some) >= LEAST
    }
    return result


def show(result: dict[str, Any]) -> None:
    """Print the shares as tables."""
    print(f"{result['contexts']} talks, {result['replies']} replies each")
    print("best reply from:", {k: v for k, v in result["best_from"].items() if v})

    def row(name: str, cell: dict[str, Any] | None) -> None:
        if cell:
            low, high = cell["interval"]
            print(f"  {name:34}{cell['share']:6.3f} ({low:.3f} to {high:.3f}) n={cell['pieces']}")

    print("confirmed by the other reader")
    for name, cell in result["confirmed"].items():
        row(name, cell)
    print("beside all replies, act by act")
    for name, cell in result["confirmed_beside_all_of_the_same_act"].items():
        low, high = cell["interval"]
        print(f"  {name:34}{cell['difference']:+6.3f} ({low:+.3f} to {high:+.3f})")
    for title in ("confirmed_by_source", "confirmed_by_label", "but_for_restatement", "per_act"):
        print(title.replace("_", " "))
        for first, cells in result[title].items():
            for name, cell in cells.items():
                row(f"{first}: {name}", cell)


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contexts", type=int, default=1000, help="how many talks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    result = report(args.contexts, args.seed)
    if args.json:
        print(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
