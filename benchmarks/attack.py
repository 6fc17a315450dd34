"""Attack the reward by search, and say how far it got against the listener.

    python benchmarks/attack.py [--budget 100000] [--seed 0] [--save ROUND] [--json]
    python benchmarks/attack.py --replay [--seeds 3] [--json]

Three attackers write ten lines, one a turn, and climb on the final emotion of talks with the train
people. `scripts` hear nothing; `prompts` read the talk, by slots such as {a} and {turned}; both
may write nonsense, word by word, in the reader's own vocabulary. `phrases` reads as well, and joins
whole phrases only. The budget of each is a number of turns played. All figures are of people and
seeds that the search never used. `--save` adds what was found to attacks.jsonl, from which later
attacks start; `--replay` plays what is saved there and searches nothing.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from bands import final, interval, scenarios

from empathy_env import Scenario, Task, Trace, load_agent, load_cells, rollouts
from empathy_env.agents import Agent
from empathy_env.conversation import Conversation, say
from empathy_env.cues import plain, read, tables
from empathy_env.difficulty import load_difficulty
from empathy_env.drivers import run
from empathy_env.messages import Message
from empathy_env.protocol import PROTOCOLS

HERE = Path(__file__).parent
SAVED = HERE / "attacks.jsonl"
TURNS = 10
TRAINED, HELD_OUT = "split:train", ("split:dev", "split:test")
FIRST_SEED, HELD_OUT_SEED = 5_000_000, 6_000_000
BATCH = 32
"""Talks on which two candidates are compared; fewer for budgets below a thousand times this."""
CONFIRMED_ON = 132
"""Talks on which the last few are compared: three of each train cell."""
LONGEST = 400
"""Characters of a line at most."""
ATTACKERS = ("scripts", "prompts", "phrases")
SLOTS = ("{a}", "{b}", "{a} {b}", "{c}", "{d}", "{last}", "{first}", "{turned}", "{feel}", "{who}")
TASK = Task(personas="all")
OWN_TEMPLATES = (
    "You told me of the {a} {b}, and of the {c}.",
    "You said {last}.",
    "So {turned}. You sound {feel}.",
    "{turned}, and you feel {feel} about the {a} and the {b}.",
    "What was it like for you when {turned}?",
    "Tell me more about the {a} {b}.",
    "It makes sense that you feel {feel} about the {c}.",
    "Maybe {who} felt {feel} about the {a} {b}.",
    "It was not your fault that {turned}.",
    "You could try one small step with the {a} {b}.",
    "It took courage to {a} {b}.",
)


class Policy(NamedTuple):
    """Ten lines with slots, said one a turn."""

    lines: tuple[str, ...]

    def reply(self, messages: Sequence[Message], _: object = None) -> str:
        """Return the line of this turn, its slots filled from the visible talk."""
        turn = sum(message["role"] == "assistant" for message in messages)
        line = self.lines[turn % len(self.lines)]
        return filled(line, messages) if "{" in line else line


@cache
def _content(turn: str) -> tuple[str, ...]:
    stop = tables().lists["stop"]
    return tuple(w for w in re.findall(r"[a-z']+", turn.lower()) if len(w) > 3 and w not in stop)


_SWAPS = {"i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are",
          "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "we": "you",
          "our": "your", "us": "you"}  # fmt: skip


@cache
def _turned(turn: str) -> str:
    """A piece of a turn from the other side: its longest clause, at most eight words of it."""
    clauses = [clause.split()[:8] for clause in re.split(r"[.!?;:,\n\u2026]+", turn)]
    return " ".join(_SWAPS.get(word.lower(), word.lower()) for word in max(clauses, key=len))


def filled(line: str, messages: Sequence[Message]) -> str:
    """Fill the slots of a line: neighbouring words of theirs, pieces of their turns, a feeling."""
    theirs = [m["content"] for m in messages if m["role"] == "user"]
    mine = " ".join(m["content"] for m in messages if m["role"] == "assistant").lower()
    pairs = [pair for turn in reversed(theirs) for pair in pairwise(_content(turn))]
    fresh = [p for p in pairs if p[0] not in mine] or pairs or [("all", "this")]
    rest = [p for p in fresh if not {*p} & {*fresh[0]}] or fresh
    turned = [piece for turn in reversed(theirs) if (piece := _turned(turn)) not in mine]
    words = theirs[-1].lower().rstrip(".!?").split()
    names = tables().lists["feeling"]
    said = [w for turn in reversed(theirs) for w in _content(turn) if w in names]
    people = [w for w in re.findall(r"\b(?:he|she|they)\b", " ".join(theirs).lower())]
    own = {"a": fresh[0][0], "b": fresh[0][1], "c": rest[0][0], "d": rest[0][1],
           "last": " ".join(words[-6:]), "first": " ".join(words[:6]),
           "turned": turned[0] if turned else "you said so",
           "feel": said[0] if said else "strained",
           "who": people[-1] if people else "they"}  # fmt: skip
    return re.sub(r"\{(\w+)\}", lambda found: own[found[1]], line)


def phrases(line: str) -> list[str]:
    """Return the pieces of a line between its marks."""
    return re.split(r"(?<=[,.;:?!]) ", line)


class Moves:
    """What an attacker may write, and how it changes a line."""

    def __init__(self, attacker: str) -> None:
        self.attacker = attacker
        bank = [line for line in (HERE / "blind_bank.txt").read_text("utf-8").splitlines() if line]
        read_talk = load_agent("pasting").reply.__globals__["TEMPLATES"]
        self.slots = () if attacker == "scripts" else SLOTS
        self.lines = [*bank, *(_saved_lines(attacker))]
        if self.slots:
            self.lines += [*OWN_TEMPLATES, *read_talk] * 6
        if attacker == "phrases":
            self.lines = [line for line in self.lines if line[-1] in ".?!"]
        self.words = sorted(w for w in tables().keys if w.isalpha())
        self.spoken = [w for line in bank for w in line.lower().split()]
        self.changes: list[Callable[[str, Random], str]] = [self._other, self._spliced]
        if attacker == "phrases":
            self.changes += [self._joined]
        else:
            self.changes += [self._dropped, self._added, self._swapped, self._added]
        if attacker == "prompts":
            self.changes += [self._slotted]

    def changed(self, line: str, rng: Random) -> str:
        """Return a line changed in one to three ways."""
        new = line
        for _ in range(rng.choice((1, 1, 2, 3))):
            new = rng.choice(self.changes)(new, rng)
        return new if len(new) <= LONGEST else line

    def _other(self, line: str, rng: Random) -> str:
        return rng.choice(self.lines)

    def _spliced(self, line: str, rng: Random) -> str:
        """The beginning of one line and the end of another; whole phrases, if it must."""
        other = rng.choice(self.lines)
        cut = phrases if self.attacker == "phrases" else str.split
        one, two = cut(line), cut(other)
        return " ".join([*one[: rng.randint(1, len(one))], *two[rng.randrange(len(two)) :]])

    def _joined(self, line: str, rng: Random) -> str:
        return f"{line} {rng.choice(self.lines)}"

    def _slotted(self, line: str, rng: Random) -> str:
        """A slot where a word, or a slot, was."""
        words = line.split()
        long = [i for i, w in enumerate(words) if len(w.strip(",.?!;:")) > 3 or "{" in w]
        if long:
            i = rng.choice(long)
            words[i] = rng.choice(self.slots) + re.sub(r".*?([,.?!;:]*)$", r"\1", words[i])
        return " ".join(words)

    def _dropped(self, line: str, rng: Random) -> str:
        words = line.split()
        if len(words) > 2:
            first = rng.randrange(len(words))
            del words[first : first + rng.choice((1, 1, 2, 4))]
        return " ".join(words)

    def _added(self, line: str, rng: Random) -> str:
        words = line.split()
        for _ in range(rng.choice((1, 1, 2, 3))):
            pool = rng.choice((self.words, self.spoken, self.slots or self.spoken))
            words.insert(rng.randint(0, len(words)), rng.choice(pool))
        return " ".join(words)

    def _swapped(self, line: str, rng: Random) -> str:
        words = line.split()
        i, j = rng.randrange(len(words) or 1), rng.randrange(len(words) or 1)
        if words:
            words[i], words[j] = words[j], words[i]
        return " ".join(words)


def saved() -> list[dict[str, Any]]:
    """Return the attacks that were found before, oldest first."""
    if not SAVED.exists():
        return []
    return [json.loads(line) for line in SAVED.read_text("utf-8").splitlines()]


def _saved_lines(attacker: str) -> list[str]:
    return [line for one in saved() if one["attacker"] == attacker for line in one["lines"]]


class Search:
    """A search by one attacker, with a count of the turns that it has played."""

    def __init__(self, attacker: str, budget: int, seed: int) -> None:
        self.attacker, self.budget = attacker, budget
        self.batch = max(8, min(BATCH, budget // 1000))
        self.rng = Random(f"attack:{attacker}:{seed}")
        self.moves = Moves(attacker)
        self.cells = load_cells(TRAINED)
        self.knobs = load_difficulty("moderate")
        self.used = 0

    def talks(self, count: int) -> list[Conversation]:
        """Return fresh talks, spread evenly over the train cells."""
        first = self.rng.randrange(FIRST_SEED, HELD_OUT_SEED - count)
        return [
            TASK.begin(Scenario(persona=p, need=n, seed=first + i, difficulty=self.knobs))
            for i in range(count)
            for p, n in [self.cells[(first + i) % len(self.cells)]]
        ]

    def said(self, talks: Sequence[Conversation], line: str) -> list[Conversation]:
        """Say a line in all talks that are not over."""
        self.used += sum(talk.outcome is None for talk in talks)
        return [
            run(say(talk, filled(line, talk.messages))) if talk.outcome is None else talk
            for talk in talks
        ]

    def path(self, talks: list[Conversation], lines: Sequence[str]) -> list[list[Conversation]]:
        """Return the talks before each line and after the last."""
        path = [talks]
        for line in lines:
            path.append(self.said(path[-1], line))
        return path

    def greedy(self, until: int) -> list[str]:
        """Choose line after line, each by where it leaves people, until so much is used."""
        talks, lines = self.talks(self.batch), list[str]()
        for turn in range(TURNS):
            left = max(0, until - self.used) // (TURNS - turn)
            pool = [
                self.moves.changed(self.rng.choice(self.moves.lines), self.rng)
                for _ in range(max(4, left // 3 // 8))
            ]
            best = self.sieve(talks, pool)
            pool = [
                self.moves.changed(self.rng.choice(best), self.rng)
                for _ in range(max(4, left // 3 // 8))
            ]
            lines.append(self.sieve(talks, [*best, *pool])[0])
            talks = self.said(talks, lines[-1])
        return lines

    def sieve(self, talks: list[Conversation], pool: Sequence[str]) -> list[str]:
        """Return the best lines: a tenth by a quarter of the talks, in order by all of them."""
        few = self.rng.sample(talks, len(talks) // 4)
        pool = sorted(set(pool), key=lambda line: -self.outlook(few, line))
        kept = pool[: max(2, len(pool) // 16)]
        return sorted(kept, key=lambda line: -self.outlook(talks, line))

    def outlook(self, talks: Sequence[Conversation], line: str) -> float:
        """How people are left by a line: emotion, and what it will be made of later."""
        return _mean([_outlook(talk) for talk in self.said(talks, line)])

    def climb(self, lines: list[str], until: int) -> list[str]:
        """Change a line at a time, and keep it if the last emotion is higher for it."""
        step = 0
        path = self.path(self.talks(self.batch), lines)
        while self.used < until:
            if step % 40 == 39:
                path = self.path(self.talks(self.batch), lines)
            step += 1
            turn = self.rng.randrange(TURNS)
            changed = [*lines]
            if self.rng.random() < 0.15:
                other = self.rng.randrange(TURNS)
                changed[turn], changed[other] = changed[other], changed[turn]
                turn = min(turn, other)
            else:
                changed[turn] = self.moves.changed(lines[turn], self.rng)
            after = self.path(path[turn], changed[turn:])
            if emotion(after[-1]) > emotion(path[-1]):
                path, lines = [*path[:turn], *after], changed
        return lines

    def best(self) -> Policy:
        """Search, and return the policy that is best on fresh talks with the train people."""
        last = CONFIRMED_ON if self.batch == BATCH else self.batch
        reserve = last * TURNS * 4
        found = [one["lines"] for one in saved() if one["attacker"] == self.attacker][-2:]
        for start in range(2):
            share = (self.budget - reserve) // 2
            begun = self.greedy(start * share + share // 2)
            found.append(begun)
            found.append(self.climb(begun, (start + 1) * share))
        talks = self.talks(last)
        scored = [(emotion(self.path(talks, lines)[-1]), lines) for lines in found]
        return Policy(tuple(max(scored)[1]))


def _outlook(talk: Conversation) -> float:
    mood = talk.users[0].mood
    gone = 30.0 if talk.outcome == "left" else 0.0
    return (
        mood.emotion + 20 * mood.trust + 10 * mood.heard + 40 * mood.met - 10 * mood.strain - gone
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def emotion(talks: Sequence[Conversation]) -> float:
    """Return the mean emotion of these talks."""
    return _mean([talk.users[0].mood.emotion for talk in talks])


def held_out(seeds: int) -> list[Scenario]:
    """Return talks with people and seeds that the search never used."""
    trained = {persona.id for persona, _ in load_cells(TRAINED)}
    made = [
        scenarios(name, "moderate", seeds, HELD_OUT_SEED + 10_000 * i)
        for i, name in enumerate(HELD_OUT)
    ]
    return [one for some in made for one in some if one.persona.id not in trained]


def played(agent: Agent, wanted: Sequence[Scenario], protocol: str = "appraisal-v1") -> list[Trace]:
    """Play the scenarios under a protocol, in the order of their ids."""
    changed = [replace(one, protocol=PROTOCOLS[protocol]) for one in wanted]
    return sorted(rollouts(TASK, agent, changed, concurrency=len(wanted)), key=lambda t: t.id)


def agent_of(policy: Policy) -> Agent:
    """Return a policy as an agent."""
    return Agent("attack", "Found by a search.", cheats=False, reply=policy.reply)


@cache
def known_pairs() -> frozenset[tuple[str, str]]:
    """Return all neighbouring words of the labelled items: what people were written to say."""
    rows = [
        json.loads(x) for p in (HERE / "acts").glob("*.jsonl") for x in p.open(encoding="utf-8")
    ]
    texts = (row.get("text") or row["utterance"] for row in rows)
    return frozenset(pair for text in texts for pair in pairwise(read(plain(text)).words))


def english(traces: Sequence[Trace]) -> float:
    """Return which share of the agent's neighbouring words stand so in a labelled item."""
    said = [pairwise(read(plain(turn.heard)).words) for t in traces for turn in t.turns]
    pairs = [pair in known_pairs() for some in said for pair in some]
    return round(_mean(pairs), 3)


def figures(
    name: str, agent: Agent, wanted: Sequence[Scenario], listener: dict[str, list[Trace]]
) -> dict[str, Any]:
    """Return how an agent fares, and how it fares beside the listener, under both protocols."""
    row: dict[str, Any] = {"name": name}
    for protocol, mine in listener.items():
        theirs = played(agent, wanted, protocol)
        gaps = [final(b) - final(a) for a, b in zip(mine, theirs, strict=True)]
        row[protocol] = interval(theirs, [final(t) for t in theirs])
        row[f"{protocol} minus listener"] = interval(mine, gaps)
        row["english"] = english(theirs)
    return row


def report(policies: Sequence[tuple[str, Policy]], seeds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for the listener, for agents to compare with, and for each policy."""
    wanted = held_out(seeds)
    listener = {
        p: played(load_agent("listener"), wanted, p) for p in ("appraisal-v1", "appraisal-v1-b")
    }
    for name in ("listener", "pasting", "blind-script"):
        yield figures(name, load_agent(name), wanted, listener)
    for name, policy in policies:
        yield {
            **figures(name, agent_of(policy), wanted, listener),
            "lines": list(policy.lines),
        }


def main() -> None:
    """Attack or replay, print, and save what was found if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=int, default=100_000, help="turns played by each attacker")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3, help="held-out talks of each cell")
    parser.add_argument("--attackers", nargs="*", default=list(ATTACKERS), choices=ATTACKERS)
    parser.add_argument("--save", metavar="ROUND", help="add what was found to attacks.jsonl")
    parser.add_argument("--replay", action="store_true", help="play what is saved, search nothing")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.replay:
        named = [(f"{o['round']}/{o['attacker']}", Policy(tuple(o["lines"]))) for o in saved()]
    else:
        named = [(a, Search(a, args.budget, args.seed).best()) for a in args.attackers]
    rows = list(report(named, args.seeds))
    for row in rows if args.save else ():
        if "lines" in row:
            kept = {"round": args.save, "attacker": row["name"], "lines": row["lines"]}
            with SAVED.open("a", encoding="utf-8") as file:
                file.write(json.dumps(kept) + "\n")
    for row in rows:
        print(json.dumps(row) if args.json else shown(row))


def shown(row: dict[str, Any]) -> str:
    """Return a row as text, with its lines."""
    cells = [f"{key} {value}" for key, value in row.items() if key not in ("name", "lines")]
    return "\n    ".join([f"{row['name']:14}" + "; ".join(cells), *row.get("lines", ())])


if __name__ == "__main__":
    main()
