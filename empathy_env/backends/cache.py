"""Keep replies on disk, so that the same request is asked and paid once."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
from asyncio import AbstractEventLoop
from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import Final, NoReturn
from weakref import finalize

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.backends.batch import Gathered
from empathy_env.errors import BackendFault, Fault, InvalidArgument

APPLICATION: Final = 0x456D7061
"""Marks our files among all sqlite files ("Empa")."""
VERSION: Final = 1
BUSY_SECONDS: Final = 30.0
"""How long a write waits for another process before it is a fault."""
ROWS: Final = 1_000
"""How many replies one transaction writes at most."""

_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, text BLOB NOT NULL);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def cached(inner: Backend, path: str | os.PathLike[str]) -> Cached:
    """Return a backend that asks `inner` only what the file does not hold.

    The key is all that decides a reply: the name of `inner`, purpose, messages, schema and seed.
    `origin` is no part of it, so equal requests of different episodes share one reply, also while
    it is still under way. A reply is in the file before it is handed out, where killing the process
    cannot harm it; after a power cut the newest may be missing. Faults are not kept.

    A reply from the file costs nothing: its meter is `{"cache_hits": 1}`. The name is that of
    `inner`, because the replies are; records are equal with and without.

    Args:
        inner: What answers.
        path: An sqlite file on a local disk; made if there is none. Several processes may use it.

    Raises:
        InvalidArgument: If the file is something else or cannot be opened.
    """
    return Cached(inner, Path(path))


def key_of(name: str, request: Request) -> bytes:
    """Return the SHA-256 of all that decides a reply of the backend with this name."""
    decides = (name, request.purpose, request.messages, request.schema, request.seed)
    # Keys are not sorted: servers write the fields of a reply in the order of the schema.
    text = json.dumps(decides, separators=(",", ":"), default=dict)
    return sha256(text.encode("ascii")).digest()


class Cached(AsyncBackend):
    """A backend made by `cached`."""

    def __init__(self, inner: Backend, path: Path):
        self.name = inner.name
        self._inner = inner
        self._store = Store(path)
        self._kept = Gathered(self._keep, size=ROWS, wait_seconds=0)
        self._flights: dict[tuple[AbstractEventLoop, bytes], _Flight] = {}

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request: from the file, with one under way, or by asking."""
        key = key_of(self.name, request)
        place = (asyncio.get_running_loop(), key)
        flight = self._flights.get(place)
        if flight is None:
            text = self._here().text(key)
            if text is not None:
                await asyncio.sleep(
                    0
                )  # a run that is all hits lets others, and ctrl-C, have a turn
                return Reply(text, {"cache_hits": 1})
            flight = self._flights[place] = _Flight(asyncio.create_task(self._ask(key, request)))
        try:
            return await flight.reply()
        finally:
            if not flight.waiting and self._flights.get(place) is flight:
                del self._flights[place]
                flight.task.cancel()  # nobody wants it any more, or it is done

    async def aclose(self) -> None:
        """Close the file, which the next request opens again, and let `inner` go."""
        self._here().close()
        await self._inner.aclose()

    async def _ask(self, key: bytes, request: Request) -> Reply | Fault:
        try:
            reply = await self._inner.complete_async(request)
            return Reply(await self._kept((key, reply.text)), reply.meter)
        except Fault as fault:
            return fault

    def _keep(self, rows: Sequence[tuple[bytes, str]]) -> Sequence[str]:
        return self._here().keep(rows)

    def _here(self) -> Store:
        """Return the open file; a process that was forked off opens its own."""
        if self._store.opener != os.getpid():
            self._store = Store(self._store.path, inherited=self._store)
        return self._store


class _Flight:
    """A request under way, and how many wait for its reply."""

    def __init__(self, task: asyncio.Task[Reply | Fault]):
        self.task = task
        self.waiting = 0
        self._answered = False

    async def reply(self) -> Reply:
        """Wait for the reply; the first to get it has the costs in its meter."""
        self.waiting += 1
        try:
            answer = await asyncio.shield(self.task)
        finally:
            self.waiting -= 1
        first, self._answered = not self._answered, True
        if isinstance(answer, Fault):
            raise answer if first else _own(answer)
        return answer if first else Reply(answer.text, {"cache_hits": 1})


def _own(fault: Fault) -> Fault:
    """Return a copy of a fault, to which its receiver can add notes of its own."""
    own = type(fault).__new__(type(fault), *fault.args)
    vars(own).update(vars(fault) | {"meter": {}})
    vars(own).pop("__notes__", None)
    own.__cause__ = fault.__cause__
    return own


class Store:
    """Texts by key in one sqlite file, for several threads and processes at once.

    Reading and writing have a connection each, so that a read never waits for a write.
    """

    def __init__(self, path: Path, *, inherited: Store | None = None):
        self.path = path
        self.opener = os.getpid()
        self._inherited = inherited  # sqlite forbids closing, after a fork, what the parent opened
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._open: dict[str, sqlite3.Connection] = {"read": opened(path)}
        finalize(self, _close, self._open, self.opener)

    def text(self, key: bytes) -> str | None:
        """Return the text under a key."""
        with self._reading:
            try:
                return _read(self._connection("read"), key)
            except sqlite3.Error as error:
                self._fail("read", error)

    def keep(self, rows: Sequence[tuple[bytes, str]]) -> list[str]:
        """Write texts by key, and return for each key what the file holds: the first text stays.

        So two processes that asked the same at the same time go on with the same reply.
        """
        with self._writing:
            try:
                connection = self._connection("write")
                _write(connection, rows)
                return [_read(connection, key) or text for key, text in rows]
            except sqlite3.Error as error:
                self._fail("written", error)

    def close(self) -> None:
        """Close the file; reading or writing opens it again."""
        with self._reading, self._writing:
            _close(self._open, self.opener)

    def _connection(self, use: str) -> sqlite3.Connection:
        if use not in self._open:
            self._open[use] = opened(self.path)
        return self._open[use]

    def _fail(self, what: str, error: sqlite3.Error) -> NoReturn:
        raise BackendFault(
            f"the cache {self.path} cannot be {what}: {error}. If the disk is not full and no "
            "other program holds the file, it is damaged: move it away, and a new one is made."
        ) from error


def opened(path: Path) -> sqlite3.Connection:
    """Open the file of a cache, or make it.

    Raises:
        InvalidArgument: If it is something else or cannot be opened.
    """
    with ExitStack() as on_failure:
        try:
            connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            on_failure.callback(connection.close)
            new = _is_new(connection, path)
            _into_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")  # in WAL, no wait for the disk
            if new:
                connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise InvalidArgument(
                f"the cache {path} cannot be opened: {error}. Give a file of an earlier cache, or "
                "a new name in a folder that exists and can be written."
            ) from error
        on_failure.pop_all()
    return connection


def _into_wal(connection: sqlite3.Connection) -> None:
    """Switch to a journal with which readers and writers do not wait for each other.

    For this switch alone SQLite does not wait while another process opens the same file: its
    time-out counts for transactions only.
    """
    until = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or monotonic() > until:
                raise
            sleep(0.01)
        else:
            return


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is empty; what is neither empty nor ours is refused."""
    # In this order: another process may make the file in between, all of it in one transaction.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not tables:
        return True
    if (application, version) != (APPLICATION, VERSION):
        found = f"a cache of version {version}" if application == APPLICATION else "something else"
        raise InvalidArgument(
            f"the cache {path} is an sqlite file that holds {found}: a cache of version {VERSION} "
            "is read. Give another name, and a new one is made."
        )
    return False


def _read(connection: sqlite3.Connection, key: bytes) -> str | None:
    row = connection.execute("SELECT text FROM replies WHERE key = ?", (key,)).fetchone()
    return row[0].decode("utf-8", "surrogatepass") if row else None


def _write(connection: sqlite3.Connection, rows: Sequence[tuple[bytes, str]]) -> None:
    encoded = [(key, text.encode("utf-8", "surrogatepass")) for key, text in rows]
    with connection:  # commits, or rolls back
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO replies VALUES (?, ?) ON CONFLICT (key) DO NOTHING", encoded
        )


def _close(connections: dict[str, sqlite3.Connection], opener: int) -> None:
    if opener == os.getpid():
        while connections:
            connections.popitem()[1].close()
