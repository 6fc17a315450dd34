"""Where model replies come from: one small seam, and the only place with I/O.

The kernel yields a `Request` and receives a `Reply`; a driver asks a `Backend` in between. The
scripted backend, whose replies are your function, ships as one backend among others.
"""

from __future__ import annotations

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Backend, Reply, Request
from empathy_env.backends.scripted import ScriptedBackend

__all__ = ["AsyncBackend", "Backend", "Reply", "Request", "ScriptedBackend"]
