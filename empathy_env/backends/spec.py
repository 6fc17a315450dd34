"""A backend by its name on the command line, such as `openai:smol@http://127.0.0.1:8000/v1`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Final

from empathy_env import backends
from empathy_env.backends.address import refuse_secrets, without_login
from empathy_env.backends.base import Backend
from empathy_env.errors import InvalidArgument, UnknownName

HOSTED: Final = "https://api.openai.com/v1"
"""Where `openai:MODEL` is, if the environment variable OPENAI_BASE_URL does not say otherwise."""


def load_backend(spec: str | Backend) -> Backend:
    """Return the backend that a spec names; a backend is returned as it is.

    - `openai:MODEL@http://host:8000/v1`: a server that speaks OpenAI's chat completions. Without
      `@URL` the environment variable OPENAI_BASE_URL says where, else it is OpenAI.
    - `litellm:PROVIDER/MODEL`: whatever litellm reaches (extra `litellm`).
    - `transformers:PATH_OR_ID`: a model in this process (extra `torch`).
    - `replay:tape.jsonl`: the replies of a recorded run.

    A spec has no options: those are arguments of the functions of the same names.

    >>> load_backend("openai:smol@http://127.0.0.1:8000/v1").name
    'openai:smol@http://127.0.0.1:8000/v1'

    Raises:
        UnknownName: If there is no such kind of backend.
        InvalidArgument: If the spec is of another form, or holds a login or a key.
        MissingExtra: If it needs a library that is not installed.
    """
    if not isinstance(spec, str):
        return spec
    refuse_secrets("OPENAI_API_KEY", spec=spec)
    scheme, colon, rest = spec.partition(":")
    shown = without_login(spec)
    if not colon:
        raise InvalidArgument(
            f"user={shown!r} names no backend. Write SCHEME:MODEL, for example "
            "'openai:smol@http://127.0.0.1:8000/v1'."
        )
    if scheme not in _LOADERS:
        raise UnknownName.among("kind of backend", scheme, _LOADERS, f"It was asked for {shown!r}.")
    if "?" in rest:
        raise InvalidArgument(
            f"{shown!r} goes on after '?', but a spec has no options. Pass an object: "
            f"empathy_env.backends.{scheme}(..., temperature=0.7)."
        )
    if not rest:
        raise InvalidArgument(f"{shown!r} ends after the colon. What is to answer?")
    return _LOADERS[scheme](rest)


def _openai(rest: str) -> Backend:
    model, url = _model_and_url(rest)
    base_url = url or os.environ.get("OPENAI_BASE_URL") or HOSTED
    return backends.openai(model, base_url=base_url)


def _model_and_url(rest: str) -> tuple[str, str]:
    """Split at the last `@` that a URL follows; models' names may have one as well."""
    found = re.fullmatch(r"(.*)@(https?://.*)", rest, re.DOTALL)
    if found:
        return found[1], found[2]
    model, at, host = rest.rpartition("@")
    if at and (not host or _HOST.fullmatch(host)):
        # Taken for a model's name, the talk would go to the hosted service instead.
        raise InvalidArgument(
            f"'openai:{rest}': a URL begins with http:// or https://. Write "
            f"openai:{model}@http://{host or 'localhost:8000/v1'}"
        )
    return rest, ""


_HOST: Final = re.compile(
    r"(?:localhost|\[[^\]]*\]|[\w-]+(?:\.[\w-]+)+|[\w.-]+(?=:\d))(?::\d+)?(?:/.*)?"
)
"""What looks like a server's address without its scheme."""


_LOADERS: Final[dict[str, Callable[[str], Backend]]] = {
    "litellm": lambda rest: backends.litellm(rest),
    "openai": _openai,
    "replay": lambda rest: backends.replay(rest),
    "transformers": lambda rest: backends.transformers(rest),
}
