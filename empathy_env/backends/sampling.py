"""What is sent to a model: how its replies are drawn, and to what form they are held."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from empathy_env.backends.base import Request
from empathy_env.errors import InvalidArgument, UnknownName

Form = Literal["schema", "json", "text"]
"""How far a server is held to the form that was asked for: to the schema, to JSON, not at all."""

FORMS: Final[tuple[Form, ...]] = get_args(Form)
OWN_FIELDS: Final = ("messages", "model", "response_format", "stream")
"""What `extra_body` cannot set, because it has a place of its own."""

_REFUSES_FORM: Final = (400, 404, 415, 422, 500, 501)
_NAMES_FORM: Final = re.compile(
    r"response.?format|json.?(schema|object|mode)|structured.?output|guided.?(json|decoding)|grammar",
    re.IGNORECASE,
)
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How a model's replies are drawn; `openai` says what each field means."""

    model: str
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = 1024
    seed: bool = True
    extra_body: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InvalidArgument(f"model={self.model!r} is blank. Give the name the server uses.")
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            raise InvalidArgument(f"temperature={self.temperature} is below 0. 0 draws nothing.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InvalidArgument(f"top_p={self.top_p} is outside (0, 1]. 1 keeps all tokens.")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InvalidArgument(
                f"max_tokens={self.max_tokens} is below 1. Give the longest reply in tokens, or "
                "None to leave it to the server."
            )
        if owned := sorted(set(OWN_FIELDS) & self.extra_body.keys()):
            raise InvalidArgument(
                f"the extra fields set {', '.join(owned)}, which the backend decides itself. Leave "
                "it out; form= chooses the first response_format."
            )

    @property
    def words(self) -> str:
        """All that differs from the defaults, as it stands in a backend's name."""
        given = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": None if self.max_tokens == 1024 else self.max_tokens or "server",
            "seed": None if self.seed else False,
        }
        words = [f"{key}={value}" for key, value in given.items() if value is not None]
        return " ".join([*words, encoded(self.extra_body)] if self.extra_body else words)

    def fields(self, request: Request, form: Form | None) -> dict[str, Any]:
        """Return the fields of the request's body; `extra_body` comes last, None takes one out."""
        fields: dict[str, Any] = {
            "model": self.model,
            "messages": request.messages,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": request.seed if self.seed else None,
            "response_format": response_format(request, form) if form else None,
            **self.extra_body,
        }
        return {name: value for name, value in fields.items() if value is not None}


def encoded(value: object) -> str:
    """Return compact JSON; the order of keys is kept, servers write replies in a schema's order."""
    return _ENCODER.encode(value)


def response_format(request: Request, form: Form) -> dict[str, Any] | None:
    """Return what holds the server to this form."""
    if form == "text":
        return None
    if form == "json":
        return {"type": "json_object"}
    name = re.sub(r"[^A-Za-z0-9_-]", "_", request.purpose)[:64] or "reply"
    schema = {"name": name, "schema": request.schema, "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def freer(form: Form) -> Form:
    """Return the next form that asks less of the server."""
    return FORMS[FORMS.index(form) + 1]


def freest(*forms: Form) -> Form:
    """Return the form that asks least of the server."""
    return FORMS[max(map(FORMS.index, forms))]


def checked_form(form: str) -> Form:
    """Return the form, if it is one."""
    for known in FORMS:
        if form == known:
            return known
    raise UnknownName.among("form", form, FORMS)


def refuses_form(status: int, text: str) -> bool:
    """Whether an error says that the server does not know the form.

    It may be mistaken, since servers quote what was sent; whoever asks again in a freer form should
    conclude something only if that succeeds.
    """
    return status in _REFUSES_FORM and _NAMES_FORM.search(text) is not None
