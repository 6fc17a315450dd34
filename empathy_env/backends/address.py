"""Where a server is, and the key that opens it: read when it is sent, and kept nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from urllib.parse import SplitResult, urlsplit

from empathy_env.errors import InvalidArgument

SECRET_HEADERS: Final = re.compile(
    r"authori[sz]ation|auth$|cookie|(^|[-_])(api)?key|secret|token|password", re.IGNORECASE
)
_KEY: Final = re.compile(
    r"\b(?:sk|rk)-[\w-]{16,}|\b(?:gsk|hf|ghp|xai|nvapi|r8)[_-][A-Za-z0-9]{20,}|\bAIza[\w-]{30,}"
    r"|\bbearer\s+[^\s\"',]{8,}",
    re.IGNORECASE,
)
"""What keys of known services look like."""
_SECRET_FIELD: Final = re.compile(
    r"api_?key|secret|password|credential|access_key|_token['\"]|authori[sz]ation", re.IGNORECASE
)
_SECRET_VARIABLE: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_LEAST: Final = 8
"""Anything shorter that stands in for a key, such as EMPTY, is a word and no secret."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server's base URL, checked, and what goes with each request to it.

    Attributes:
        url: The base URL, without a slash at its end.
        api_key_env: The environment variable that holds the key, or None to send none.
        headers: More headers; none of them may be a secret.
    """

    url: str
    api_key_env: str | None = "OPENAI_API_KEY"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", checked_url(self.url))
        if self.api_key_env is not None and not re.fullmatch(r"[A-Za-z_]\w*", self.api_key_env):
            raise InvalidArgument(
                "api_key_env= is not the name of an environment variable (it is not repeated here, "
                "it may be a key). Put the key into a variable and give the variable's name."
            )
        for name in self.headers:
            if SECRET_HEADERS.search(name):
                raise InvalidArgument(
                    f"headers= holds {name!r}, which may be a secret. Set the environment variable "
                    f"{self.api_key_env or 'OPENAI_API_KEY'} instead; api_key_env= names another."
                )
        refuse_secrets(self.api_key_env, base_url=self.url, headers=dict(self.headers))

    @property
    def words(self) -> str:
        """The headers, as they stand in a backend's name: they may decide who answers."""
        if not self.headers:
            return ""
        seen = sha256(repr(sorted(self.headers.items())).encode()).hexdigest()[:8]
        return f"headers={','.join(sorted(self.headers))}#{seen}"

    def authorization(self) -> dict[str, str]:
        """Return the header with the key as the environment has it at this moment."""
        key = _key(self.api_key_env)
        if not key:
            return {}
        if not (key.isascii() and key.isprintable()):
            raise InvalidArgument(
                f"the environment variable {self.api_key_env} holds characters that no key has "
                "(a line break, or a letter beyond ASCII). Set it again."
            )
        return {"Authorization": f"Bearer {key}"}

    def masked(self, content: bytes) -> bytes:
        """Return what a server wrote without the key, should it have repeated it."""
        key = _key(self.api_key_env).encode("utf-8", "surrogateescape")
        return content.replace(key, b"***") if len(key) >= _LEAST and key in content else content

    def advice(self, status: int) -> str:
        """Return what the user can do about an HTTP error, or ""."""
        if status in (401, 403):
            if self.api_key_env is None:
                return " No key was sent: name the variable that holds it with api_key_env=."
            state = "holds a key that is not accepted" if _key(self.api_key_env) else "is not set"
            return (
                f" The environment variable {self.api_key_env} {state}; api_key_env= names another."
            )
        if status in (404, 405) or 300 <= status < 400:
            return f" Is {self.url} the base URL? It mostly ends in /v1. Is the model's name right?"
        return ""


def checked_url(base_url: str) -> str:
    """Return the base URL without a slash at its end, if it is one and holds no secret."""
    url = without_login(base_url)
    parts = _split(base_url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidArgument(
            f"base_url={url!r} is no URL of a server. Give one such as http://127.0.0.1:8000/v1."
        )
    if "@" in parts.netloc:
        raise InvalidArgument(
            f"base_url={url!r} holds a login. Leave it out; the key comes from the environment "
            "variable that api_key_env= names."
        )
    if parts.query or parts.fragment:
        raise InvalidArgument(
            f"base_url={url!r} goes on after {'?' if parts.query else '#'}. Leave that out: "
            "options are arguments, and the key comes from the environment."
        )
    if base_url.rstrip("/").endswith("/chat/completions"):
        raise InvalidArgument(
            f"base_url={url!r} is too long. Leave out /chat/completions, it is added."
        )
    return base_url.rstrip("/")


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL that can be used as it stands, or None."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def without_keys(text: str) -> str:
    """Return text without what looks like a key of a known service."""
    return _KEY.sub("***", text)


def without_login(text: str) -> str:
    """Return a URL, or something with one in it, fit to be shown: no login, no query.

    >>> without_login("openai:smol@http://me:secret@host/v1?key=1")
    'openai:smol@http://***@host/v1?***'
    """
    return re.sub(r"([?#]).*", r"\1***", re.sub(r"//.*@", "//***@", text, flags=re.DOTALL))


def without_environment(text: str) -> str:
    """Return text without what the environment holds in variables that are named like secrets."""
    for variable, value in os.environ.items():
        if _SECRET_VARIABLE.search(variable) and len(value) >= _LEAST:
            text = text.replace(value, "***")
    return text


def refuse_secret_fields(argument: str, fields: Mapping[str, object]) -> None:
    """Raise if a field, at any depth, is named like a secret."""
    if found := _SECRET_FIELD.search(repr(dict(fields))):
        raise InvalidArgument(
            f"{argument} holds a field with {found[0].rstrip(chr(39))!r} in it, which may be a "
            "secret. Keys come from the environment only."
        )


def refuse_secrets(api_key_env: str | None, **arguments: object) -> None:
    """Raise if an argument holds the key, or something that looks like one."""
    key = _key(api_key_env)
    for name, value in arguments.items():
        text = repr(value)
        if _KEY.search(text) or (len(key) >= _LEAST and key in text):
            raise InvalidArgument(
                f"{name}= holds something that looks like a key (it is not repeated here). Keys "
                f"come from the environment only: set {api_key_env or 'OPENAI_API_KEY'}."
            )


def _key(variable: str | None) -> str:
    return os.environ.get(variable, "").strip() if variable else ""
