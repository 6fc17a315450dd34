"""Answer from a tape: a recorded run again, without a model."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections import Counter
from collections.abc import Sequence
from difflib import unified_diff
from heapq import nlargest
from itertools import takewhile
from pathlib import Path
from textwrap import wrap
from typing import Final

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Reply, Request
from empathy_env.backends.tape import Entry, FaultOnTape, read_tape, request_at
from empathy_env.errors import UnexpectedRequest

DIFF_LINES: Final = 30
"""How many lines of a difference an error shows."""
COMPARED: Final = 200
"""How many recorded requests an unexpected one is compared with at most."""


def replay(path: str | os.PathLike[str]) -> Replay:
    """Return a backend that answers from a tape, with the recorded name, meters and faults.

    A request gets what was recorded for its origin and digest; asked several times, in the order of
    the tape, and then the last once more. Where an interrupted run was gone on with, and an episode
    was begun anew, its last sitting counts, as in the records of that run. An origin that is not on
    the tape gets, by digest alone, the next answer that nobody has had yet. So no two origins share
    an answer, unless one of them is not on the tape.

    Raises:
        InvalidArgument: If the file is no tape or holds a broken line; a torn last line is left
            out.
        UnexpectedRequest: When a request is not on the tape; shows the nearest that is.
    """
    return Replay(Path(path))


class Replay(AsyncBackend):
    """A backend made by `replay`."""

    def __init__(self, path: Path):
        tape = read_tape(path)
        self.name = tape.backend
        self._path = path
        self._entries = tape.entries
        # Last first, so that `pop` gives them in the order of the tape.
        self._own: dict[tuple[str, str], list[Entry]] = {}
        self._by_digest: dict[str, list[Entry]] = {}
        for entry in reversed(tape.entries):
            own = self._own.setdefault((entry.origin, entry.digest), [])
            if own and own[0].sitting != entry.sitting:
                continue  # it was asked again in a later sitting
            own.append(entry)
            self._by_digest.setdefault(entry.digest, []).append(entry)
        self._last: dict[tuple[str, str], Entry] = {}
        self._had: set[int] = set()
        self._lock = threading.Lock()

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request from the tape."""
        await asyncio.sleep(0)  # nothing here ever waits: others, and ctrl-C, have their turn
        digest = request.digest
        with self._lock:
            entry = self._next((request.origin, digest))
        if entry is None:
            raise UnexpectedRequest(unexpected(self._path, self._entries, request, digest))
        if isinstance(entry.answer, FaultOnTape):
            raise entry.answer.fault()
        return entry.answer

    def _next(self, place: tuple[str, str]) -> Entry | None:
        """Return the answer to give now to this origin and digest; see `replay` for the order."""
        own = self._own.get(place)
        new = self._borrowed(place[1]) if own is None else own.pop() if own else None
        entry = new or self._last.get(place)
        if entry is not None:
            self._last[place] = entry
            self._had.add(entry.line)
        return entry

    def _borrowed(self, digest: str) -> Entry | None:
        """Return the first entry of this digest that nobody has had."""
        entries = self._by_digest.get(digest, [])
        while entries and entries[-1].line in self._had:
            entries.pop()
        return entries.pop() if entries else None


def unexpected(path: Path, entries: Sequence[Entry], request: Request, digest: str) -> str:
    """Return what is to be said about a request that a tape has no answer to."""
    start = f"{path} has no answer to this request (purpose {request.purpose!r}"
    start += f", origin {request.origin!r})"
    twins = [entry for entry in entries if entry.digest == digest]
    if twins:
        return (
            f"{start}: it is on the tape {len(twins)} times, and others have had these answers. "
            "Play no more episodes than were recorded, or record again."
        )
    if not entries:
        return f"{start}: the tape is empty. Record again."
    return (
        f"{start}. Play the same episodes with the same agent, personas, prompts and version of "
        f"the package, or record again. The nearest that it has:\n"
        + "\n".join(_difference(path, entries, request))
    )


def _difference(path: Path, entries: Sequence[Entry], request: Request) -> list[str]:
    """Return how a request differs from the nearest on the tape."""
    asked = _shown(request)
    near = [entry for entry in entries if entry.origin == request.origin]
    near = near or [entry for entry in entries if entry.purpose == request.purpose] or entries
    near = nlargest(COMPARED, near, key=lambda entry: _shared(entry.origin, request.origin))
    best: list[str] = []
    place, most = "", -1.0
    with path.open("rb") as file:
        for entry in near:
            lines = _shown(request_at(file, entry))
            likeness = 2 * (Counter(lines) & Counter(asked)).total() / (len(lines) + len(asked))
            if likeness > most:
                best, place, most = lines, f"{path}:{entry.line}", likeness
    difference = list(unified_diff(best, asked, place, "asked now", n=1, lineterm=""))
    if len(difference) > DIFF_LINES:
        more = len(difference) - DIFF_LINES + 1
        difference[DIFF_LINES - 1 :] = [f"... and {more} more lines"]
    return difference


def _shared(origin: str, other: str) -> int:
    """Return how many parts two origins begin with alike: most in the same episode."""
    pairs = zip(origin.split("/"), other.split("/"), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _shown(request: Request) -> list[str]:
    """Return a request as short lines."""
    lines = [f"origin: {request.origin}", f"purpose: {request.purpose}", f"seed: {request.seed}"]
    for message in request.messages:
        lines.append(f"{message['role']}:")
        for text in message["content"].splitlines():
            lines += wrap(text, 96, initial_indent="  ", subsequent_indent="  ") or [""]
    if request.schema is not None:
        lines += json.dumps(request.schema, indent=1, default=dict).splitlines()
    return lines
