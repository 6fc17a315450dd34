"""What luck alone reaches, beside which any pass@k is to be read.

With enough tries a bot that says anything at random succeeds somewhere. Three that come with the
package are played on the same starts: a template, an echo, and random lines. What a policy reaches
in k tries is worth something above what they reach in as many.

The other sort of luck is the user's: *robust success* asks whether the same words would have done
under other seeds (`empathy_env.measures.open_loop`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from empathy_env.agents import load_agent
from empathy_env.episode import Task
from empathy_env.errors import InvalidArgument
from empathy_env.measures.open_loop import by_code, succeeded_under
from empathy_env.noise import draw
from empathy_env.rollout import play
from empathy_env.trace import Trace

FLOORS: Final = ("template-therapist", "parrot", "random")
"""Names of the agents that are played: template, echo, random lines."""
ROBUST: Final = 0.5
"""A success is robust if the same words succeed under at least this share of other seeds."""


def floor_traces(traces: Iterable[Trace], agent: str) -> list[Trace]:
    """Return what a reference agent does in the same episodes: same starts, same members.

    The parrot and the template have no chance of their own, so members of a start are copies, and k
    tries at a start are one try. That is what they reach; at cells the user's chance differs.

    Args:
        traces: Of the code user, with one person each.
        agent: Name of the agent; see `FLOORS`.

    Raises:
        InvalidArgument: If a model played a user: it would have to be asked. Play the agents with
            `empathy-env rollout` there, and give their traces.
        UnknownName: If there is no such agent.
    """
    player = load_agent(agent)
    return [play(_task(trace), player, trace.scenario) for trace in traces]


def _task(trace: Trace) -> Task:
    if not by_code(trace):
        raise InvalidArgument(
            f"{trace.id} was played with appraiser={trace.setup.appraiser!r}, "
            f"backend={trace.setup.backend!r}: reference agents are played with the code user "
            "alone. Play them with `empathy-env rollout` and the same user instead"
        )
    return Task(
        persona=trace.scenario.persona,
        appraiser=trace.setup.appraiser,
        speaker=trace.setup.speaker,
    )


def robust(trace: Trace, *, goal: float = 100.0, seeds: int = 8) -> bool:
    """Return whether the same words succeed under at least half of so many other seeds.

    The words are said again whatever the user answers this time, so they fit less well than they
    did: a policy that listens loses more than a script. Compare policies by it, and do not read it
    as a rate of success.

    Args:
        trace: Of the code user, with one person, played to its end.
        goal: Final emotion that counts as success, in [0, 100], unless the user leaves.
        seeds: How many, at least 1; none is the trace's own.

    Raises:
        InvalidArgument: If there is no seed, or a model played the user.
    """
    if seeds < 1:
        raise InvalidArgument(f"seeds={seeds} is below 1: give how many, such as 8")
    own, member = trace.scenario.seed, trace.scenario.member
    others = [int(draw(own, number, member, "other-seed") * 2**62) for number in range(seeds)]
    return sum(succeeded_under(trace, others, goal=goal)) >= ROBUST * seeds


class OverFloors(NamedTuple):
    """Whether a policy is above what luck reaches, at each number of tries.

    Attributes:
        above: For each number of tries; None where that is not known.
        highest: For each the name of the highest floor.
        floors: What that one reaches.
    """

    above: tuple[bool | None, ...]
    highest: tuple[str, ...]
    floors: tuple[float, ...]


def over_floors(lows: Sequence[float], floors: Mapping[str, Sequence[float]]) -> OverFloors:
    """Return at which numbers of tries a policy's lower bound is above every floor.

    The floors are taken as they came out, on the same starts; a tie is not above.

    Args:
        lows: The policy's lower bounds, one for each number of tries; NaN: not known.
        floors: For each reference agent what it reaches, at the same numbers of tries.

    Raises:
        InvalidArgument: If there is no floor, or one is of another length.

    >>> over_floors([0.3, 0.5], {"parrot": [0.0, 0.1], "random": [0.1, 0.6]}).above
    (True, False)
    """
    if not floors or any(len(floor) != len(lows) for floor in floors.values()):
        raise InvalidArgument(
            f"floors have {sorted(map(len, floors.values()))} values beside {len(lows)} of the "
            "policy: give at least one floor, with a value for each number of tries"
        )
    names = sorted(floors)
    columns = list(zip(*(floors[name] for name in names), strict=True))
    best = [max(range(len(names)), key=lambda place, of=column: of[place]) for column in columns]
    reached = [column[place] for column, place in zip(columns, best, strict=True)]
    known = [
        not any(map(math.isnan, chain((low,), c))) for low, c in zip(lows, columns, strict=True)
    ]
    return OverFloors(
        tuple(
            low > floor if sure else None
            for low, floor, sure in zip(lows, reached, known, strict=True)
        ),
        tuple(names[place] for place in best),
        tuple(reached),
    )
