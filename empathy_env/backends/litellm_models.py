"""Models of the providers that litellm reaches (extra `litellm`).

    from empathy_env.backends import litellm

    backend = litellm("anthropic/claude-sonnet-4-5", temperature=0.7)

For a server that speaks OpenAI's chat completions `openai` is several times faster. Importing this
takes seconds: litellm loads thousands of modules.
"""

# litellm is not there when the package is checked, and is loosely typed.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateImportUsage=false, reportArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import os
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Final

from empathy_env.backends.address import (
    checked_url,
    refuse_secret_fields,
    refuse_secrets,
    without_environment,
)
from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.backends.base import Reply, Request
from empathy_env.backends.completion import error_fault, note_meter, reply_of, shown
from empathy_env.backends.sampling import (
    Form,
    Sampling,
    checked_form,
    freer,
    freest,
    refuses_form,
)
from empathy_env.errors import Fault, InvalidArgument, Refused, TimedOut, Unreachable

# Without it the import downloads a list of prices from the network, and waits for it.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import litellm as library
from openai import APIError  # comes with litellm, and is the base of its errors

library.suppress_debug_info = True  # else errors print advertisements

_OWN: Final = (
    "max_retries",
    "num_retries",
    "timeout",
    "temperature",
    "top_p",
    "max_tokens",
    "seed",
)


def litellm(
    model: str,
    *,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = 1024,
    seed: bool = True,
    timeout_seconds: float = 60.0,
    options: Mapping[str, Any] | None = None,
    name: str | None = None,
    form: str = "schema",
) -> LiteLLMBackend:
    """Return a backend that asks `litellm.acompletion`.

    Keys come from the environment, by the names that litellm documents for each provider. It is
    asked not to retry; `retrying` does that. Where litellm knows the price, the meter has `cost`.

    Args:
        model: With its provider, such as `anthropic/claude-sonnet-4-5`.
        temperature: At least 0; None leaves it to the provider.
        top_p: In (0, 1]; None leaves it to the provider.
        max_tokens: Longest reply; a reply that reaches it is a `CutOff`.
        seed: Whether to send the request's seed, where litellm says that the provider takes one.
        timeout_seconds: For a whole answer.
        options: More arguments of `acompletion`, such as `{"api_base": "http://..."}`.
        name: In place of the name that is made of the model and all that differs from the defaults.
        form: What to hold the model to first: "schema", "json" or "text"; see `openai`.

    Raises:
        InvalidArgument: If a value breaks a rule, or holds a key.
    """
    more = dict(options or {})
    if owned := sorted(set(_OWN) & more.keys()):
        raise InvalidArgument(f"options= sets {', '.join(owned)}. Use the arguments of litellm().")
    for url in ("api_base", "base_url"):
        if isinstance(given := more.get(url), str):
            more[url] = checked_url(given)
    refuse_secrets("OPENAI_API_KEY", model=model, options=more, name=name)
    refuse_secret_fields("options=", more)
    if timeout_seconds <= 0:
        raise InvalidArgument(f"timeout_seconds={timeout_seconds} is not above 0.")
    sampling = Sampling(
        model=model,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        seed=seed and _takes(model, "seed"),
        extra_body=more,
    )
    backend = LiteLLMBackend(sampling, timeout_seconds, checked_form(form))
    backend.name = name or backend.name
    return backend


def _takes(model: str, parameter: str) -> bool:
    """Whether litellm knows the provider and says that it takes this."""
    try:
        known = library.get_supported_openai_params(model)
    except (APIError, ValueError):
        return False
    return parameter in (known or ())


class LiteLLMBackend(AsyncBackend):
    """A backend made by `litellm`."""

    def __init__(self, sampling: Sampling, timeout_seconds: float = 60.0, form: Form = "schema"):
        words = (sampling.words, f"form={form}" if form != "schema" else "")
        self.name = " ".join(filter(None, (f"litellm:{sampling.model}", *words)))
        self._sampling = sampling
        self._timeout_seconds = timeout_seconds
        self._form: Form = form

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request, or raise a `Fault`."""
        form = self._form if request.schema is not None else None
        started = perf_counter()
        requests = 1
        while True:
            try:
                completion = await self._ask(request, form)
                break
            except APIError as error:
                fault = fault_of(error, self._sampling.model)
                status = getattr(error, "status_code", 0)
                if form not in ("schema", "json") or not refuses_form(status, str(error)):
                    raise fault from None  # not chained: its request holds the key
                form, requests = freer(form), requests + 1
        meter = {"requests": float(requests), "seconds": perf_counter() - started}
        if form is not None:
            meter[f"as_{form}"] = 1.0
            self._form = freest(form, self._form)
        try:
            reply = reply_of(completion.model_dump())
        except Fault as fault:
            note_meter(fault, meter)
            raise
        return Reply(reply.text, meter | _cost(completion) | dict(reply.meter))

    async def _ask(self, request: Request, form: Form | None) -> Any:
        fields = self._sampling.fields(request, form)
        fields["messages"] = [dict(message) for message in request.messages]
        return await library.acompletion(
            **fields, timeout=self._timeout_seconds, max_retries=0, num_retries=0
        )


def _cost(completion: Any) -> dict[str, float]:
    """Return the price that litellm works out, where it knows one."""
    dollars = getattr(completion, "_hidden_params", {}).get("response_cost")
    return {"cost": float(dollars)} if isinstance(dollars, int | float) else {}


def fault_of(error: APIError, model: str) -> Fault:
    """Return the fault that an error of litellm stands for."""
    message = shown(without_environment(str(error)))
    if isinstance(error, library.Timeout):
        return TimedOut(f"{model} did not answer in time: {message}")
    if isinstance(error, library.ContentPolicyViolationError):
        return Refused(f"a filter of {model} declined: {message}")
    if isinstance(error, library.APIConnectionError) or "Connection error" in message:
        return Unreachable(f"{model} cannot be reached: {message}")
    status = getattr(error, "status_code", None) or 0
    headers = getattr(error, "litellm_response_headers", None)
    headers = headers or getattr(getattr(error, "response", None), "headers", None) or {}
    return error_fault(status, message, f"{model} answered {status}", dict(headers))
