"""What of a reply is said aloud: what somebody would say, and how much of that they hide.

The information knobs act here. A reply is composed as if nothing were hidden; then parts of it are
taken out or put beside others, by draws that know neither the mood nor the need. So what is heard
under harder knobs is what is heard under easier ones, garbled, and no agent can do better with it
(Blackwell 1951). What is felt, and what pays, is the same under all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from empathy_env.difficulty import Difficulty

PartKind = Literal["plain", "told", "felt", "own"]


class Part(NamedTuple):
    """One part of a reply.

    Attributes:
        text: The words; "" is no part.
        kind: "told" is disclosed now, "felt" shows how the agent's turn is taken, "own" is a line
            of this need alone, "plain" is all else.
    """

    text: str
    kind: PartKind = "plain"


def veiled(
    parts: Sequence[Part],
    difficulty: Difficulty,
    *,
    withheld: Sequence[str],
    chance: Callable[[str], float],
    line: Callable[[str], str],
) -> tuple[Part, ...]:
    """Return the parts that are said aloud.

    A line that hides comes whether or not there was anything to hide behind it: if it came only
    with something, it would tell what another knob has hidden.

    Args:
        parts: The reply with nothing hidden.
        difficulty: The knobs; `masking` and `ambiguity` act here.
        withheld: Texts of "told" parts that stay unsaid; see `SimulatedUser.withheld`.
        chance: A keyed draw in [0, 1) for a purpose, the same whatever the knobs.
        line: A line for "withheld", "masked" or "hint".

    >>> veiled(
    ...     [Part("That hurt.", "felt"), Part("It rained.")],
    ...     Difficulty(masking=0.3),
    ...     withheld=(),
    ...     chance={"mask": 0.2, "hint": 0.9}.__getitem__,
    ...     line={"masked": "I'm fine."}.__getitem__,
    ... )
    (Part(text="I'm fine.", kind='plain'), Part(text='It rained.', kind='plain'))
    """
    said = [
        Part(line("withheld")) if part.kind == "told" and part.text in withheld else part
        for part in parts
    ]
    if chance("hint") < difficulty.ambiguity:
        said = [*(part for part in said if part.kind != "own"), Part(line("hint"))]
    if chance("mask") < difficulty.masking:
        said = [Part(line("masked")), *(part for part in said if part.kind not in _SHOWN)]
    return tuple(said)


_SHOWN: Final = ("felt", "own")
"""Kinds of parts that show what is felt."""
