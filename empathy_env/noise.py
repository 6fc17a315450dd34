"""Keyed randomness: a draw is a function of its key, never the next value of a stream.

One more act in one talk therefore shifts nothing in another, members of a group share their
noise, and a restored state goes on exactly as it would have (law 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


def draw(seed: int, turn: int, seat: int, purpose: str) -> float:
    """Return a number in [0, 1) that depends on the key and on nothing else.

    Args:
        seed: The episode's seed.
        turn: 0 for what happens before the first turn, then 1, 2, ...
        seat: Which user of the room; 0 when there is one.
        purpose: What the draw decides; two purposes never share a draw.

    >>> draw(7, 1, 0, "resist") == draw(7, 1, 0, "resist") != draw(7, 2, 0, "resist")
    True
    """
    key = f"{seed}/{turn}/{seat}/{purpose}".encode()
    return (int.from_bytes(blake2b(key, digest_size=8).digest(), "big") >> 11) * 2.0**-53


def pick(options: Sequence[T], seed: int, turn: int, seat: int, purpose: str) -> T:
    """Return one of the options, all equally likely, by a keyed draw."""
    return options[int(draw(seed, turn, seat, purpose) * len(options))]
