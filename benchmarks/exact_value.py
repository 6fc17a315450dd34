"""What the information knobs take away, solved exactly on a persona small enough; prints JSON.

python benchmarks/exact_value.py

One person with two needs, three turns, four things to say. Everything but the veil is fixed by one
seed, so that how a talk goes follows from the need and from what is said; what is heard of it
follows from the draws of the veil, and these are enumerated with their chances instead of drawn.
The value is that of the best of all policies, memory and all: backward induction over what an agent
has said and heard. Speaker, appraiser, law and kernel are those of the package.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from empathy_env import Task, load_persona
from empathy_env.conversation import Conversation, say
from empathy_env.difficulty import Difficulty
from empathy_env.drivers import run
from empathy_env.persona import Need
from empathy_env.speaker import phrases

NEEDS: tuple[Need, Need] = ("absolution", "concrete_advice")
TURNS = 3
SEED = 13
SAYINGS = (
    "What was it like, with the ladder?",
    "You sound shaken about the ladder.",
    "It was not your fault with the ladder; you acted on what you knew then.",
    "You could start with one call about the ladder tomorrow morning.",
)
GRID = (0.0, 0.25, 0.5, 0.75, 1.0)
PERSON = load_persona(str(Path(__file__).parent / "the-ladder.yaml"))


class Veil(NamedTuple):
    """What the draws of one turn hide."""

    masked: bool
    withheld: bool
    hinted: bool

    @property
    def knobs(self) -> dict[str, float]:
        """Knobs with which the draws cannot fall out otherwise."""
        hidden = {"masking": self.masked, "disclosure": not self.withheld, "ambiguity": self.hinted}
        return {knob: float(value) for knob, value in hidden.items()}

    def chance(self, difficulty: Difficulty) -> float:
        """Return how likely the draws fall out so."""
        chances = difficulty.masking, 1.0 - difficulty.disclosure, difficulty.ambiguity
        found = 1.0
        for happens, chance in zip(self, chances, strict=True):
            found *= chance if happens else 1.0 - chance
        return found


VEILS = tuple(Veil(*bits) for bits in product((False, True), repeat=3))


@dataclass(frozen=True)
class Node:
    """A talk so far: one need, one decoy, some sayings, and what was hidden of the answers."""

    talk: Conversation
    said: tuple[int, ...] = ()
    after: dict[int, tuple[tuple[Veil, Node], ...]] = field(default_factory=dict)

    @property
    def need(self) -> Need:
        """The need that an agent would like to know."""
        return self.talk.room.scenario.need

    def heard_after(self, saying: int) -> tuple[tuple[Veil, Node], ...]:
        """Return what can come of saying this, for each way in which the draws can fall out."""
        if saying not in self.after:
            said = (*self.said, saying)
            self.after[saying] = tuple(
                (veil, Node(run(say(under(self.talk, veil.knobs), SAYINGS[saying])), said))
                for veil in VEILS
            )
        return self.after[saying]


def under(talk: Conversation, knobs: dict[str, float]) -> Conversation:
    """Return the same talk, going on under other information knobs."""
    room, user = talk.room, talk.room.users[0]
    scenario = replace(room.scenario, difficulty=replace(room.scenario.difficulty, **knobs))
    users = (type(user)(scenario, user.seat),)
    return replace(talk, room=replace(room, scenario=scenario, users=users))


def begun(need: Need, decoy: Need, **knobs: float) -> Conversation:
    """Return the talk at its start.

    The decoy is drawn from the needs as they are listed, so their order decides which one it is.
    """
    for needs in (PERSON.needs, PERSON.needs[::-1]):
        persona = PERSON.model_copy(update={"needs": needs})
        task = Task(persona=persona, max_turns=TURNS, difficulty=knobs)
        talk = task.begin(replace(task.scenario(SEED), need=need))
        if decoy_of(talk) == decoy:
            return talk
    raise AssertionError("the decoy does not go by the order of the needs")


def decoy_of(talk: Conversation) -> Need:
    """Return the need that this talk's ambiguous answers point to."""
    said = run(say(under(talk, {"ambiguity": 1.0}), "")).utterance
    return next(n for n in NEEDS if any(x in said for x in phrases(f"hint_{n}", "plain")))


@cache
def roots() -> tuple[Node, ...]:
    """Return the starts, which are equally likely: each need with each decoy."""
    return tuple(Node(begun(need, decoy)) for need in NEEDS for decoy in NEEDS)


@cache
def payoff(need: Need, said: tuple[int, ...]) -> float:
    """Return the final emotion of a talk, in points. What is hidden has no part in it."""
    talk = begun(need, NEEDS[0])
    for saying in said:
        talk = run(say(talk, SAYINGS[saying]))
    return talk.users[0].mood.emotion


Belief = Sequence[tuple[float, Node]]
"""Talks that could be this one, each with its chance; the chances add up to that of being here."""


def value(belief: Belief, difficulty: Difficulty) -> float:
    """Return what the best policy gets from here, times the chance of being here."""
    turn = len(belief[0][1].said)
    if turn == TURNS - 1:  # nothing follows on the last answer
        return max(
            sum(chance * payoff(node.need, (*node.said, saying)) for chance, node in belief)
            for saying in range(len(SAYINGS))
        )
    return max(
        sum(value(group, difficulty) for group in told_apart(belief, saying, difficulty))
        for saying in range(len(SAYINGS))
    )


def told_apart(belief: Belief, saying: int, difficulty: Difficulty) -> Iterable[Belief]:
    """Return the beliefs after saying this, one for each answer that can be heard."""
    groups: dict[str, list[tuple[float, Node]]] = defaultdict(list)
    for chance, node in belief:
        for veil, heard in node.heard_after(saying):
            likely = chance * veil.chance(difficulty)
            if likely > 0.0:
                groups[heard.talk.utterance].append((likely, heard))
    return groups.values()


def optimal(**knobs: float) -> float:
    """Return the expected final emotion under the best policy, in points."""
    starts = roots()
    return value([(1.0 / len(starts), node) for node in starts], Difficulty(**knobs))


def scripts() -> Iterator[tuple[int, ...]]:
    """Yield all that can be said in a talk by who does not listen."""
    return product(range(len(SAYINGS)), repeat=TURNS)


def informed() -> float:
    """Return the expected final emotion if the need is known from the start."""
    return sum(max(payoff(need, said) for said in scripts()) for need in NEEDS) / len(NEEDS)


def blind() -> float:
    """Return the expected final emotion of the best policy that listens to nothing."""
    return max(sum(payoff(need, said) for need in NEEDS) / len(NEEDS) for said in scripts())


def along(knob: str, **others: float) -> list[float]:
    """Return the values along one knob, from 0 to 1."""
    return [round(optimal(**{**others, knob: at}), 4) for at in GRID]


LINES = (
    ("disclosure", {"ambiguity": 1.0}),
    ("disclosure", {"ambiguity": 0.5, "masking": 0.5}),
    ("ambiguity", {"disclosure": 0.0}),
    ("ambiguity", {"disclosure": 0.5, "masking": 0.5}),
    ("masking", {"disclosure": 0.0}),
    ("masking", {"disclosure": 0.5, "ambiguity": 0.5}),
)
"""What the page shows: a knob from 0 to 1, and those others that are not at their easy end."""


def figures() -> dict[str, object]:
    """Return all that the page shows, in points of final emotion."""
    return {
        "informed": round(informed(), 4),
        "blind": round(blind(), 4),
        "at": GRID,
        "lines": [[knob, others, along(knob, **others)] for knob, others in LINES],
    }


if __name__ == "__main__":
    print(json.dumps(figures()))
