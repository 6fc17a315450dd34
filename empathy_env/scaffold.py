"""What an agent writes before it speaks: the prompt that asks for it, and what counts as heard.

A scaffold is a pair of pure values, so it works alike in every view of an episode. Only the
`heard` part of a turn reaches users, appraisers and transcripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from empathy_env.errors import UnknownName


class Split(NamedTuple):
    """One agent turn, taken apart.

    Attributes:
        private: What nobody hears.
        heard: What the user hears.
        flags: Names of what was wrong with the form; empty if it was kept.
    """

    private: str
    heard: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A way of writing before speaking.

    Attributes:
        name: Recorded in the trace.
        prompt: Added to the system prompt; "" adds nothing.
        split: Takes a turn apart. Pure, total, and never raises: bad form is a flag.
    """

    name: str
    prompt: str
    split: Callable[[str], Split]


def _all_heard(text: str) -> Split:
    return Split("", text)


SCAFFOLDS: Final[Mapping[str, Scaffold]] = {"plain": Scaffold("plain", "", _all_heard)}


def load_scaffold(scaffold: str | Scaffold) -> Scaffold:
    """Return a scaffold by name, or the value itself.

    Raises:
        UnknownName: If no scaffold has the name.
    """
    if isinstance(scaffold, Scaffold):
        return scaffold
    if scaffold not in SCAFFOLDS:
        raise UnknownName.among("scaffold", scaffold, SCAFFOLDS)
    return SCAFFOLDS[scaffold]
