"""A sampler that moves each persona and need along a line from easy to hard.

What one level shows, it need not find out at the next: it takes for granted that harder is harder.
docs/curriculum.md compares it with a `Curriculum`, which takes nothing for granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from empathy_env.curriculum import DifficultySpec, People, check_number, shared_fields
from empathy_env.difficulty import Difficulty, load_difficulty
from empathy_env.group import Group, check_drawn, group_of, started_alike, unknown_cell
from empathy_env.noise import pick
from empathy_env.people import load_people
from empathy_env.protocol import AnyProtocol
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace


def between(easy: Difficulty, hard: Difficulty, degree: float) -> Difficulty:
    """Return the difficulty that lies so far from `easy` to `hard`, knob by knob.

    Args:
        easy: At degree 0.
        hard: At degree 1.
        degree: In [0, 1].

    >>> between(Difficulty(start=0.5), Difficulty(start=0.25), 0.2).start
    0.45
    """
    low, high = asdict(easy), asdict(hard)
    return Difficulty(**{knob: low[knob] + degree * (high[knob] - low[knob]) for knob in low})


class Servo:
    """Holds each persona and need where half of the episodes succeed; a `Sampler`.

    The difficulty is continuous: a degree in [0, 1] between two ends. After a group of which a
    share p succeeded it moves by gain * (p - 0.5), unless p is within `band` of a half: a dead
    band, without which it would follow chance. Personas and needs are drawn equally often.

    Args:
        personas: A selection, or an iterable.
        easy: Difficulty at degree 0, where everybody starts.
        hard: Difficulty at degree 1.
        gain: How far the degree moves for a whole unit of success, in [0, 1].
        band: How far from a half nothing moves, in [0, 0.5].
        goal: Final emotion that counts as success, in [0, 100].
        state: For each persona/need its degree, to go on from; plain JSON data.
        protocol: The constants of the mood's law.
        max_turns: Turns of the agent; by default the protocol's.
        max_chars: Longest agent text, in characters.

    Raises:
        InvalidArgument: If a number is out of range, or the state knows a cell that is not there.
    """

    def __init__(
        self,
        personas: People = "split:train",
        *,
        easy: DifficultySpec = "gentle",
        hard: DifficultySpec = "severe",
        gain: float = 0.1,
        band: float = 0.1,
        goal: float = 100.0,
        state: Mapping[str, float] | None = None,
        protocol: str | AnyProtocol = "appraisal-v1",
        max_turns: int | None = None,
        max_chars: int = 4000,
    ):
        for name, value, high in (("gain", gain, 1.0), ("band", band, 0.5), ("goal", goal, 100.0)):
            check_number(name, value, 0.0, high)
        self.easy, self.hard = load_difficulty(easy), load_difficulty(hard)
        self.gain, self.band, self.goal = gain, band, goal
        self._given = shared_fields(protocol, max_turns, max_chars)
        self._people = load_people(personas)
        self._degrees = {f"{person.id}/{need}": 0.0 for person, need in self._people}
        for cell, degree in (state or {}).items():
            if cell not in self._degrees:
                raise unknown_cell(cell, self._degrees)
            check_number(f"state[{cell!r}]", degree, 0.0, 1.0)
            self._degrees[cell] = degree
        self(0)  # checks protocol, max_turns and max_chars

    @property
    def state(self) -> Mapping[str, float]:
        """The degree of each persona/need, in [0, 1]."""
        return dict(self._degrees)

    def __call__(self, seed: int) -> Scenario:
        """Return the scenario that this seed draws now."""
        person, need = pick(self._people, seed, 0, 0, "curriculum")
        level = between(self.easy, self.hard, self._degrees[f"{person.id}/{need}"])
        return Scenario(persona=person, need=need, difficulty=level, seed=seed, **self._given)

    def observe(self, traces: Iterable[Trace]) -> list[Group]:
        """Take in what came of scenarios, whole groups of them; return the groups.

        Raises:
            UnknownName: If a trace is of no cell of this servo; nothing has changed.
            InvalidArgument: If one is of another game, as in `Curriculum.observe`.
        """
        alike = started_alike(traces)
        cells = [f"{of[0].scenario.persona.id}/{of[0].scenario.need}" for of in alike]
        people = {person.id: person for person, _ in self._people}
        for cell, of in zip(cells, alike, strict=True):
            if cell not in self._degrees:
                raise unknown_cell(cell, self._degrees)
            check_drawn(of, people[of[0].scenario.persona.id], self._given)
        groups = [group_of(of, self.goal) for of in alike]
        for cell, group in zip(cells, groups, strict=True):
            self._degrees[cell] = moved(self._degrees[cell], group, self.gain, self.band)
        return groups


def moved(degree: float, group: Group, gain: float, band: float) -> float:
    """Return a degree after a group, of which only episodes without a fault count."""
    if not group.wins:
        return degree
    off = sum(group.wins) / len(group.wins) - 0.5
    return degree if abs(off) <= band else min(1.0, max(0.0, degree + gain * off))
