"""One persona on a page: who they are, what opens them up, and how talks with them go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from empathy_env.agents import load_agent
from empathy_env.episode import Task
from empathy_env.library import split_of
from empathy_env.persona import Need, Persona
from empathy_env.rollout import play
from empathy_env.scenario import Scenario

REFERENCES: Final = ("oracle", "listener", "advisor")
"""Agents whose talks are shown: the bound, a fair one, and one that does not listen."""


class Course(NamedTuple):
    """How one talk went.

    Attributes:
        agent: Name of the agent.
        emotion: The emotion at the start and after each turn, in [0, 100].
        outcome: How it ended.
    """

    agent: str
    emotion: tuple[float, ...]
    outcome: str


class GateRow(NamedTuple):
    """When one thing is told.

    Attributes:
        tells: Its id.
        kind: Fact, feeling or belief.
        need: The only need with which it is told; "" if with all.
        trust: The trust that it takes.
        acts: The acts after one of which it is told; empty: any.
        topic: Ids of which one must come up; empty: none needed.
    """

    tells: str
    kind: str
    need: str
    trust: float
    acts: tuple[str, ...]
    topic: tuple[str, ...]


def courses(task: Task, persona: Persona, need: Need, seed: int) -> list[Course]:
    """Play one talk of each reference agent and return how it went."""
    scenario = Scenario(persona=persona, need=need, seed=seed, difficulty=task.difficulty)
    found: list[Course] = []
    for name in REFERENCES:
        trace = play(task, load_agent(name), scenario)
        emotion = tuple(trace.emotion(turn) for turn in range(len(trace.turns) + 1))
        found.append(Course(name, emotion, str(trace.outcome)))
    return found


def gate_rows(persona: Persona) -> list[GateRow]:
    """Return when each fact, feeling and belief is told, the easiest first."""
    shared = [("fact", "", i) for i in persona.facts]
    shared += [("feeling", "", i) for i in persona.feelings]
    shared += [("belief", "", i) for i in persona.beliefs]
    own = [("fact", variant.need, i) for variant in persona.needs for i in variant.facts]
    found: list[GateRow] = []
    for kind, need, item in [*shared, *own]:
        if item.gate is None:
            found.append(GateRow(item.id, kind, need, 0.0, ("the opening",), ()))
        else:
            gate = item.gate
            found.append(GateRow(item.id, kind, need, gate.trust, gate.acts, gate.topic))
    return sorted(found, key=lambda row: (row.acts != ("the opening",), row.trust, row.need))


def to_data(persona: Persona, curves: Mapping[Need, Sequence[Course]]) -> dict[str, Any]:
    """Return the page as plain JSON data."""
    needs = [
        {
            "need": variant.need,
            "split": split_of(persona, variant),
            "because": variant.because,
            "met_when": variant.met_when,
            "courses": [course._asdict() for course in curves[variant.need]],
        }
        for variant in persona.needs
    ]
    return {
        "id": persona.id,
        "identity": persona.identity.model_dump(),
        "happened": persona.happened,
        "opening": persona.opening,
        "needs": needs,
        "gates": [row._asdict() for row in gate_rows(persona)],
    }


_ROWS: Final = 11
"""Rows of a drawing: one for each ten points of emotion, both ends included."""


def drawn(courses: Sequence[Course]) -> str:
    """Draw emotion over turns, one letter for each agent; `+` is where two or more meet.

    >>> print(drawn([Course("oracle", (40.0, 50.0, 61.0), "success")]))
    100 |
     90 |
     80 |
     70 |
     60 |          o
     50 |      o
     40 |  o
     30 |
     20 |
     10 |
      0 |
        +-------------
    turn   0   1   2
    o oracle: 61, success
    """
    turns = max(len(course.emotion) for course in courses)
    rows = [[" "] * (4 * turns) for _ in range(_ROWS)]
    for course in courses:
        for turn, emotion in enumerate(course.emotion):
            row, place = rows[_ROWS - 1 - round(emotion / 10)], 4 * turn + 1
            row[place + 1] = course.agent[0] if row[place + 1] == " " else "+"
    lines = [f"{100 - 10 * number:3} |{''.join(row)}".rstrip() for number, row in enumerate(rows)]
    lines.append("    +" + "-" * (4 * turns + 1))
    lines.append("turn" + "".join(f"{turn:4}" for turn in range(turns)))
    lines += [f"{c.agent[0]} {c.agent}: {c.emotion[-1]:.0f}, {_ended(c.outcome)}" for c in courses]
    return "\n".join(lines)


def _ended(outcome: str) -> str:
    return outcome.replace("_", " ")
