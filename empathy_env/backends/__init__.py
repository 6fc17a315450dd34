"""Where model replies come from: one small seam, and the only place with I/O.

The kernel yields a `Request` and receives a `Reply`; a driver asks a `Backend` in between. The
scripted backend, whose replies are your function, ships as one backend among others; the others are
loaded when first used, because they need libraries that the kernel does not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Backend, Reply, Request, Schema
from empathy_env.backends.scripted import ScriptedBackend
from empathy_env.errors import MissingExtra

if TYPE_CHECKING:
    from empathy_env.backends.batch import batching as batching
    from empathy_env.backends.budget import budgeted as budgeted
    from empathy_env.backends.cache import cached as cached
    from empathy_env.backends.chat_server import OpenAIBackend as OpenAIBackend
    from empathy_env.backends.chat_server import openai as openai
    from empathy_env.backends.litellm_models import LiteLLMBackend as LiteLLMBackend
    from empathy_env.backends.litellm_models import litellm as litellm
    from empathy_env.backends.local_model import TransformersBackend as TransformersBackend
    from empathy_env.backends.local_model import transformers as transformers
    from empathy_env.backends.playback import replay as replay
    from empathy_env.backends.retry import retrying as retrying
    from empathy_env.backends.route import routed as routed
    from empathy_env.backends.spec import load_backend as load_backend
    from empathy_env.backends.tape import recording as recording

_HOME: Final = {
    "LiteLLMBackend": "litellm_models",
    "OpenAIBackend": "chat_server",
    "TransformersBackend": "local_model",
    "batching": "batch",
    "budgeted": "budget",
    "cached": "cache",
    "litellm": "litellm_models",
    "load_backend": "spec",
    "openai": "chat_server",
    "recording": "tape",
    "replay": "playback",
    "retrying": "retry",
    "routed": "route",
    "transformers": "local_model",
}
"""Where each name lives that is loaded late. No module has the name of a function: once imported,
it would stand in the function's place."""

_EXTRA: Final = {"jinja2": "torch", "litellm": "litellm", "torch": "torch", "transformers": "torch"}
"""Libraries that an extra brings."""

# Without what needs an extra: a star import has to work.
__all__ = [
    "AsyncBackend",
    "Backend",
    "OpenAIBackend",
    "Reply",
    "Request",
    "Schema",
    "ScriptedBackend",
    "batching",
    "budgeted",
    "cached",
    "load_backend",
    "openai",
    "recording",
    "replay",
    "retrying",
    "routed",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise MissingExtra.of(f"{name}()", _EXTRA[error.name]) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
