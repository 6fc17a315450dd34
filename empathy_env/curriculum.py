"""Samplers that keep training where it can learn: neither solved nor out of reach.

A group whose members all succeed, or all fail, teaches nothing. A `Curriculum` keeps for each cell
(persona x need x difficulty) what it has seen of success there, and draws cells by how much their
outcome is expected to vary. It is a `Sampler`, so it goes wherever `personas=` does; tell it what
came of its scenarios with `observe`. `servo` has one for a continuous difficulty.

Sources: sampling by the variance of success, as in online difficulty filtering (arXiv 2504.03380);
groups without variance are dropped there and in DAPO (arXiv 2503.14476). Here they are counted, by
payoffs and by successes, for a policy that has collapsed shows in nothing else.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from typing import Any, Final

from empathy_env.acts import Need
from empathy_env.difficulty import Difficulty, load_difficulty
from empathy_env.errors import InvalidArgument
from empathy_env.group import (
    Group,
    cell_name,
    check_drawn,
    group_of,
    level_name,
    started_alike,
    unknown_cell,
)
from empathy_env.noise import draw
from empathy_env.people import PersonSpec, load_people
from empathy_env.profile import Person
from empathy_env.protocol import AnyProtocol, load_protocol
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace

People = str | Iterable[PersonSpec]
DifficultySpec = str | Mapping[str, float] | Difficulty
LADDER: Final = ("gentle", "moderate", "severe")
"""The difficulties of a curriculum, unless others are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a curriculum samples."""

    discount: float = 0.5
    """What is left of a cell's counts when another of its groups comes; in [0, 1]. A cell is seldom
    drawn twice before the policy has changed, so a long memory is a wrong one."""
    bonus: float = 0.05
    """Added to the expected variance, so that no cell is forgotten; in [0, 10]."""
    power: float = 3.0
    """To which the sum is raised; in [0, 10]. 1: by variance alone, which is close to uniform."""
    floor: float = 0.1
    """Share of draws that is uniform over all cells; in [0, 1]. 1: no curriculum."""
    replay: float = 0.1
    """Share of draws that is uniform over solved cells, once there are any; in [0, 1]."""
    solved: float = 0.8
    """Expected success from which on a cell is solved; in [0, 1]."""
    goal: float = 100.0
    """Final emotion that counts as success, in [0, 100], unless the user left."""
    miss: float = 0.1
    """Chance that a group of `group_size` holds no success; in [0.001, 0.999]."""
    smallest: int = 4
    """Fewest members of a group, at least 2."""
    largest: int = 64
    """Most members of a group."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            check_number(name, getattr(self, name), low, high)
        if self.floor + self.replay > 1.0:
            raise InvalidArgument(
                f"Cannot have floor={self.floor} with replay={self.replay}: they are shares of the "
                "same draws, so together at most 1"
            )
        whole = all(type(size) is int for size in (self.smallest, self.largest))
        if not whole or not 2 <= self.smallest <= self.largest:
            raise InvalidArgument(
                f"Cannot have smallest={self.smallest!r} with largest={self.largest!r}: integers; "
                "a group has at least 2 members, and smallest is at most largest"
            )


_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "discount": (0.0, 1.0),
    "bonus": (0.0, 10.0),
    "power": (0.0, 10.0),
    "floor": (0.0, 1.0),
    "replay": (0.0, 1.0),
    "solved": (0.0, 1.0),
    "goal": (0.0, 100.0),
    "miss": (0.001, 0.999),
}


def check_number(name: str, value: float, low: float, high: float) -> None:
    """Check that a number is in [low, high].

    Raises:
        InvalidArgument: If not.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not number or not low <= value <= high:
        raise InvalidArgument(
            f"Cannot have {name}={value!r}: a number in [{low:g}, {high:g}] is needed"
        )


UNIFORM: Final = Rules(floor=1.0, replay=0.0)
"""The baseline: all cells equally often, whatever is observed. With one difficulty, a fixed one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What has been seen of one cell.

    Attributes:
        successes: Episodes that succeeded, discounted.
        failures: Episodes that did not, discounted.
        groups: Groups that came, not discounted.
        faults: Episodes left out because they ended in a fault, or had not ended.
        dropped: Groups whose payoffs could teach nothing, by reason: "all failed", "all solved",
            "all alike" (some succeeded, and all were paid the same), "too few" (fewer than two
            members without a fault).
        one_sided: Groups that were "all solved" or "all failed", whatever was paid: a policy that
            has collapsed shows here.
        game: What a success was: goal, turns, characters and protocol; "" if it is not said.
    """

    successes: float = 0.0
    failures: float = 0.0
    groups: int = 0
    faults: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    one_sided: Mapping[str, int] = field(default_factory=dict[str, int])
    game: str = ""

    @property
    def rate(self) -> float:
        """Expected success in (0, 1): the mean of Beta(1 + successes, 1 + failures)."""
        return (1.0 + self.successes) / (2.0 + self.successes + self.failures)

    @property
    def variance(self) -> float:
        """E[p (1 - p)] over that Beta, in (0, 0.25]: ab / ((a + b)(a + b + 1)).

        >>> Seen().variance == 1 / 6
        True
        """
        a, b = 1.0 + self.successes, 1.0 + self.failures
        return a * b / ((a + b) * (a + b + 1.0))

    def __post_init__(self) -> None:
        for name in ("successes", "failures", "groups", "faults"):
            check_number(name, getattr(self, name), 0.0, _MOST)


_MOST: Final = 1e12
"""No run has more episodes; far above it the variance is lost in rounding."""
_NOTHING: Final = Seen()


def observed(seen: Seen, group: Group, rules: Rules) -> Seen:
    """Return what is known of a cell after another group of it; faults move nothing but a count.

    >>> observed(Seen(successes=8.0), Group("a", [True, False], [1.0, 0.0]), Rules()).successes
    5.0
    """
    wins = sum(group.wins)
    kept = rules.discount if group.wins else 1.0
    return replace(
        seen,
        successes=kept * seen.successes + wins,
        failures=kept * seen.failures + len(group.wins) - wins,
        groups=seen.groups + 1,
        faults=seen.faults + group.faults,
        dropped=_counted(seen.dropped, group.dropped),
        one_sided=_counted(seen.one_sided, group.one_sided),
    )


def _counted(counts: Mapping[str, int], reason: str) -> dict[str, int]:
    return dict(Counter(counts) + Counter([reason] if reason else []))


def weights(cells: Sequence[str], state: Mapping[str, Seen], rules: Rules) -> list[float]:
    """Return with which probability each cell is drawn, in their order.

    Most of it goes by (E[p (1 - p)] + bonus) ** power; `floor` is uniform, and `replay` is uniform
    over the solved cells. While none is solved, its share goes with the rest.
    """
    known = [state.get(cell, _NOTHING) for cell in cells]
    worth = [(seen.variance + rules.bonus) ** rules.power for seen in known]
    solved = [seen.rate >= rules.solved for seen in known]
    replay = rules.replay if any(solved) else 0.0
    rest, total, count = 1.0 - rules.floor - replay, math.fsum(worth), max(1, sum(solved))
    return [
        rules.floor / len(cells) + replay * old / count + rest * value / total
        for old, value in zip(solved, worth, strict=True)
    ]


def group_size(seen: Seen, rules: Rules) -> int:
    """Return how many members hold at least one success with chance 1 - miss, within bounds.

    ceil(ln miss / ln(1 - p)) at the expected success p.

    >>> [group_size(Seen(0.0, failures), Rules()) for failures in (0, 8, 800)]
    [4, 22, 64]
    """
    wanted = math.ceil(math.log(rules.miss) / math.log1p(-seen.rate))
    return min(rules.largest, max(rules.smallest, wanted))


class Curriculum:
    """Draws scenarios where training can learn; a `Sampler`.

    What it draws follows from the seed and from `state` alone. Only `observe` changes the state,
    so all members of a group get one scenario if they are drawn before its traces are observed.

    Args:
        personas: A selection, or an iterable; with their needs they give two sides of the cells.
        difficulties: Presets, mappings of knobs, or values: the third side. By default `LADDER`.
        rules: How it samples.
        state: What is known of the cells, to go on from; see `state_to_data`.
        protocol: The constants of the mood's law.
        max_turns: Turns of the agent; by default the protocol's.
        max_chars: Longest agent text, in characters.

    Raises:
        InvalidArgument: If there is no cell, two are the same, or the state knows another, or was
            counted in another game: with another goal, or other turns.

    >>> curriculum = Curriculum(["laid-off-engineer"], ["gentle", "severe"])
    >>> curriculum(7) == curriculum(7), curriculum(7).seed
    (True, 7)
    """

    def __init__(
        self,
        personas: People = "split:train",
        difficulties: Iterable[DifficultySpec] = LADDER,
        *,
        rules: Rules | None = None,
        state: Mapping[str, Seen] | None = None,
        protocol: str | AnyProtocol = "appraisal-v1",
        max_turns: int | None = None,
        max_chars: int = 4000,
    ):
        levels = _levels(difficulties)
        people = load_people(personas)
        self.rules = rules or Rules()
        self._given = shared_fields(protocol, max_turns, max_chars)
        self._starts: dict[str, tuple[Person, Need, Difficulty]] = {
            cell_name(person.id, need, level): (person, need, level)
            for person, need in people
            for level in levels
        }
        self.cells: Sequence[str] = tuple(self._starts)
        """Names of the cells: persona/need/difficulty."""
        for cell in self.cells:
            self.scenario(cell, 0)  # checks protocol, max_turns and max_chars
        self.game = _game(self.scenario(self.cells[0], 0), self.rules.goal)
        """What a success is here: goal, turns, characters and protocol."""
        self._check({} if state is None else state)
        self._know({} if state is None else state)

    def _check(self, state: Mapping[str, Seen]) -> None:
        for cell, seen in sorted(state.items()):
            if cell not in self._starts:
                raise unknown_cell(cell, self.cells, "The state is of another selection.")
            if seen.game and seen.game != self.game:
                raise InvalidArgument(
                    f"state[{cell!r}] was counted with {seen.game}, but here it is {self.game}: "
                    "successes there say nothing of those here. Give the same rules, or no state"
                )

    def _know(self, state: Mapping[str, Seen]) -> None:
        self._state = dict(state)
        self._bounds = list(accumulate(weights(self.cells, state, self.rules)))

    @property
    def state(self) -> Mapping[str, Seen]:
        """What is known of each cell that a group has come from."""
        return dict(self._state)

    @property
    def weights(self) -> dict[str, float]:
        """With which probability each cell is drawn now; they sum to 1."""
        return dict(zip(self.cells, weights(self.cells, self._state, self.rules), strict=True))

    def cell(self, seed: int) -> str:
        """Return the name of the cell that this seed draws now."""
        place = bisect_right(self._bounds, draw(seed, 0, 0, "curriculum") * self._bounds[-1])
        return self.cells[min(place, len(self.cells) - 1)]

    def scenario(self, cell: str, seed: int) -> Scenario:
        """Return the scenario of a cell of your choice.

        Raises:
            UnknownName: If there is no such cell.
        """
        if cell not in self._starts:
            raise unknown_cell(cell, self.cells)
        person, need, level = self._starts[cell]
        return Scenario(persona=person, need=need, difficulty=level, seed=seed, **self._given)

    def __call__(self, seed: int) -> Scenario:
        """Return the scenario that this seed draws now."""
        return self.scenario(self.cell(seed), seed)

    def group_size(self, seed: int) -> int:
        """Return how many episodes are to share the start that this seed draws now."""
        return group_size(self._state.get(self.cell(seed), _NOTHING), self.rules)

    def observe(self, traces: Iterable[Trace]) -> list[Group]:
        """Take in what came of scenarios; return the groups, each with whether it can teach.

        Give all traces of a group at once, and traces of any number of groups. Their order does
        not matter.

        Raises:
            UnknownName: If a trace is of no cell of this curriculum; nothing has changed.
            InvalidArgument: If one is of another game (`group.check_drawn`); likewise.
        """
        alike = started_alike(traces)
        groups = [group_of(members, self.rules.goal) for members in alike]
        state = dict(self._state)
        for members, group in zip(alike, groups, strict=True):
            if group.cell not in self._starts:
                raise unknown_cell(group.cell, self.cells)
            check_drawn(members, self._starts[group.cell][0], self._given)
            before = replace(state.get(group.cell, _NOTHING), game=self.game)
            state[group.cell] = observed(before, group, self.rules)
        self._know(state)
        return groups


def _game(scenario: Scenario, goal: float) -> str:
    """Return what decides whether an episode succeeds, beside its cell and its persona."""
    return (
        f"goal {goal:g}, {scenario.max_turns} turns, {scenario.max_chars} characters, "
        f"{scenario.protocol.name}"
    )


def shared_fields(
    protocol: str | AnyProtocol, max_turns: int | None, max_chars: int
) -> dict[str, Any]:
    """Return what all scenarios of a sampler have in common."""
    return {"protocol": load_protocol(protocol), "max_turns": max_turns, "max_chars": max_chars}


def state_to_data(state: Mapping[str, Seen]) -> dict[str, Any]:
    """Return a state as plain JSON data; `state_from_data` reads back the same state."""
    return {cell: asdict(seen) for cell, seen in state.items()}


def state_from_data(data: Mapping[str, Any]) -> dict[str, Seen]:
    """Return a state from what `state_to_data` gave.

    Raises:
        InvalidArgument: If it is none, or a count is no number of at least 0.
    """
    try:
        return {str(cell): Seen(**seen) for cell, seen in data.items()}
    except (TypeError, AttributeError) as error:
        raise InvalidArgument(f"data is no state of a curriculum: {error!r}") from error


def _levels(difficulties: Iterable[DifficultySpec]) -> list[Difficulty]:
    if isinstance(difficulties, (str, Mapping)):
        raise InvalidArgument(
            f"difficulties={difficulties!r}: a list is needed; give [{difficulties!r}]"
        )
    levels = [load_difficulty(one) for one in difficulties]
    if not levels or len(set(levels)) < len(levels):
        names = [level_name(level) for level in levels]
        raise InvalidArgument(f"difficulties={names}: at least one is needed, and each one once")
    return levels
