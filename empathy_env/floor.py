"""Who speaks when: which of the users have the floor after the supporters have spoken.

==============  ===================================================================================
moderated       those whom a supporter has called; if none, whoever has been silent longest
round-robin     those whom a supporter has called; the others speak or pass
addressed-next  those whom a supporter has called, and those whom another user has; if none,
                whoever has been silent longest
free            those who were called, and whoever feels like it; if nobody does, whoever has been
                silent longest
==============  ===================================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from empathy_env.cast import TurnRule


@dataclass(frozen=True, slots=True)
class Floor:
    """What the rule of turns goes by. Users stand for themselves by seat.

    Attributes:
        order: Those who are present, in the order in which they would speak.
        called: Those whom a supporter has called by name in this round.
        turned_to: Those whom another user has called since they last spoke.
        silent: For each seat, how many rounds ago they spoke.
        choosing: Those who want to speak though nobody has called them.
    """

    order: tuple[int, ...]
    called: Collection[int]
    turned_to: Collection[int]
    silent: Mapping[int, int]
    choosing: Collection[int] = ()


def speakers(rule: TurnRule, floor: Floor) -> tuple[int, ...]:
    """Return the seats that have the floor, in the order in which they speak.

    >>> floor = Floor(order=(1, 0), called=(0,), turned_to=(), silent={0: 1, 1: 2})
    >>> speakers("moderated", floor), speakers("round-robin", floor)
    ((0,), (0,))
    """
    wanted = set(floor.called)
    if rule == "addressed-next":
        wanted |= set(floor.turned_to)
    if rule in ("round-robin", "free"):
        wanted |= set(floor.choosing)
    chosen = tuple(seat for seat in floor.order if seat in wanted)
    if chosen or not floor.order:
        return chosen
    return (max(floor.order, key=lambda seat: floor.silent[seat]),)
