"""Record what a backend answers; `playback` answers from it.

A tape is a file of JSON lines: a header with format, version and the name of the backend, then one
line for each request that was answered, with the reply or the fault, in the order of the answers.
Another header stands where an interrupted run was gone on with: a new sitting.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast
from weakref import finalize

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.errors import BackendFault, Fault, InvalidArgument, fault_types
from empathy_env.messages import Message

FORMAT: Final = "empathy-env/tape"
VERSION: Final = 1


def recording(inner: Backend, path: str | os.PathLike[str]) -> Recording:
    """Return a backend that asks `inner` and appends every answer to a tape at once.

    A fault is an answer, too. Killed at any moment, this loses nothing that was handed out; an
    existing tape of a backend of the same name is gone on with, its torn last line cut off first.

    Raises:
        InvalidArgument: If the file is no tape, is broken, is of another backend, cannot be
            written, or is being recorded in this process already.
    """
    return Recording(inner, Path(path))


class Entry(NamedTuple):
    """One line of a tape, as far as it is kept in memory.

    Attributes:
        line: Its number in the file, from 1.
        sitting: Which sitting it is of, from 1.
        offset: Where it starts, in bytes.
        origin: That of the request.
        digest: That of the request.
        purpose: That of the request.
        answer: The reply or what its fault was.
    """

    line: int
    sitting: int
    offset: int
    origin: str
    digest: str
    purpose: str
    answer: Reply | FaultOnTape


@dataclass(frozen=True, slots=True)
class FaultOnTape:
    """A fault, so that it can be raised any number of times."""

    type: type[Fault]
    message: str
    fields: Mapping[str, Any]

    def fault(self) -> Fault:
        """Return the fault as it was, without running its constructor, whatever that takes."""
        fault = self.type.__new__(self.type, self.message)
        vars(fault).update(self.fields)
        return fault


class Tape(NamedTuple):
    """What a tape holds.

    Attributes:
        backend: Name of the recorded backend.
        entries: Its lines without headers.
        whole: Bytes up to the end of the last complete line; what is beyond was cut off.
    """

    backend: str
    entries: Sequence[Entry]
    whole: int


class Recording(AsyncBackend):
    """A backend made by `recording`."""

    def __init__(self, inner: Backend, path: Path):
        self.name = inner.name
        self._inner = inner
        self._pen = _Pen(path, inner.name)
        finalize(self, self._pen.close)

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request and write the answer down."""
        try:
            reply = await self._inner.complete_async(request)
        except Fault as fault:
            self._pen.write(line_of(request, fault))
            raise
        self._pen.write(line_of(request, reply))
        return reply

    async def aclose(self) -> None:
        """Close the tape, which the next request opens again, and let `inner` go."""
        self._pen.close()
        await self._inner.aclose()


class _Pen:
    """Appends lines to a tape; a file has one of these at most."""

    def __init__(self, path: Path, backend: str):
        self._path = path
        self._backend = backend
        self._place = os.path.realpath(path)
        self._lock = threading.Lock()
        self._file: BinaryIO | None = self._opened()

    def write(self, line: bytes) -> None:
        """Append a line, and give it to the operating system before this returns."""
        with self._lock:
            self._file = self._file or self._opened()
            try:
                self._file.write(line)
                self._file.flush()
            except OSError as error:
                raise BackendFault(f"the tape {self._path} cannot be written: {error}") from error

    def close(self) -> None:
        """Close the file; writing opens it again."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None
                _in_use.discard(self._place)

    def _opened(self) -> BinaryIO:
        with _claiming:
            if self._place in _in_use:
                raise InvalidArgument(
                    f"the tape {self._path} is being recorded already: use that backend for all, "
                    "or give each its own file"
                )
            try:
                _prepare(self._path, self._backend)
                file = self._path.open("ab")
                file.write(_header(self._backend))
                file.flush()
            except OSError as error:
                raise InvalidArgument(
                    f"the tape {self._path} cannot be written: {error}. Give a file in a folder "
                    "that exists and can be written."
                ) from error
            _in_use.add(self._place)
            return file


_claiming: Final = threading.Lock()
_in_use: Final[set[str]] = set()


def _prepare(path: Path, backend: str) -> None:
    """Check a tape that is to be gone on with, and cut off its torn end."""
    size = path.stat().st_size if path.exists() else 0
    header = _header(backend)
    if size < len(header) and header.startswith(path.read_bytes() if size else b""):
        whole = 0  # nothing, or a header that was torn
    else:
        tape = read_tape(path)
        whole = tape.whole
        if tape.backend != backend:
            raise InvalidArgument(
                f"{path} is a tape of {tape.backend!r} and cannot be gone on with by {backend!r}: "
                "give another name"
            )
    if whole < size:
        os.truncate(path, whole)


def _header(backend: str) -> bytes:
    return _json({"format": FORMAT, "version": VERSION, "backend": backend})


def line_of(request: Request, answer: Reply | Fault) -> bytes:
    """Return the line of a tape for a request and its answer."""
    asked = {
        "origin": request.origin,
        "digest": request.digest,
        "purpose": request.purpose,
        "seed": request.seed,
        "messages": request.messages,
        "schema": request.schema,
    }
    if isinstance(answer, Reply):
        return _json(asked | {"reply": {"text": answer.text, "meter": dict(answer.meter)}})
    plain = (bool, int, float, str, type(None))
    fields = {
        key: value
        for key, value in vars(answer).items()
        if isinstance(value, plain) or key == "meter"
    }
    kind = type(answer).__name__
    return _json(asked | {"fault": {"type": kind, "message": str(answer), "fields": fields}})


def read_tape(path: Path) -> Tape:
    """Read a tape; a torn last line is left out.

    Raises:
        InvalidArgument: If it cannot be read, is no tape, or a line is broken; names the line.
    """
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise InvalidArgument(f"the tape {path} cannot be read: {error}") from error


def _read(path: Path, file: BinaryIO) -> Tape:
    lines = _complete(file)
    first = next(lines, b"")
    backend = _backend(path, first)
    kinds = fault_types()
    entries: list[Entry] = []
    sitting, whole = 1, len(first)
    for number, line in enumerate(lines, start=2):
        if line == first:
            sitting += 1
        else:
            entries.append(_entry(path, (number, sitting, whole), line, kinds))
        whole += len(line)
    return Tape(backend, entries, whole)


def _complete(file: Iterable[bytes]) -> Iterator[bytes]:
    return (line for line in file if line.endswith(b"\n"))


def _backend(path: Path, line: bytes) -> str:
    """Return the name of the backend that a header tells."""
    try:
        fields = _fields(line)
    except (TypeError, ValueError):
        fields = {}
    if fields.get("format") != FORMAT or not isinstance(fields.get("backend"), str):
        raise InvalidArgument(
            f"{path}:1: no header of a tape: its 'format' is not {FORMAT!r}. Give a file that "
            "recording() has written."
        )
    if fields.get("version") != VERSION:
        version = fields.get("version")
        raise InvalidArgument(
            f"{path}:1: a tape of version {version!r}: {VERSION} is read. Record it again."
        )
    return fields["backend"]


def _entry(
    path: Path, place: tuple[int, int, int], line: bytes, kinds: Mapping[str, type[Fault]]
) -> Entry:
    try:
        fields = _fields(line)
        request = _request(fields)
        if "reply" in fields:
            answer = Reply(str(fields["reply"]["text"]), dict(fields["reply"]["meter"]))
        else:
            fault = fields["fault"]
            answer = FaultOnTape(kinds[fault["type"]], fault["message"], dict(fault["fields"]))
        digest = str(fields["digest"])
        return Entry(*place, request.origin, digest, request.purpose, answer)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidArgument(
            f"{path}:{place[0]}: broken line: {type(error).__name__}: {error}. Take the line out, "
            "or record again; a fault of a type of your own needs its module imported first."
        ) from error


def request_at(file: BinaryIO, entry: Entry) -> Request:
    """Return the request of an entry, read from its tape again."""
    file.seek(entry.offset)
    return _request(_fields(file.readline()))


def _request(fields: Mapping[str, Any]) -> Request:
    messages = tuple(
        Message(role=message["role"], content=message["content"]) for message in fields["messages"]
    )
    return Request(
        purpose=fields["purpose"],
        messages=messages,
        schema=fields["schema"],
        seed=fields["seed"],
        origin=fields["origin"],
    )


def _fields(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise TypeError("no JSON object")
    return cast("dict[str, Any]", found)


def _json(fields: Mapping[str, Any]) -> bytes:
    # ASCII only: a lone surrogate in a text has no bytes of its own.
    return json.dumps(fields, separators=(",", ":"), default=dict).encode("ascii") + b"\n"
