"""A language model in this process, run by torch and transformers (extra `torch`).

    from empathy_env.backends.local_model import transformers

    backend = transformers("HuggingFaceTB/SmolLM2-135M-Instruct", temperature=0.7)

Requests are answered in batches. Which token comes next is a draw keyed by the request's seed and
the token's place, so a reply does not depend on which requests share the batch. One limit remains:
a batch of another shape makes the library add numbers in another order, which changes the last
bits of the scores; where two tokens are all but equally likely, that decides. `batch_size=1` is
exact.

There is no constrained decoding: a form that is asked for must be stated in the prompt.
"""

# torch and transformers are not there when the package is checked, and are loosely typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedBaseClass=false, reportUnknownParameterType=false

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch
from jinja2 import TemplateError
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TopPLogitsWarper,
)

from empathy_env.backends.base import Reply, Request
from empathy_env.backends.completion import note_meter
from empathy_env.backends.local_weights import Loaded, load
from empathy_env.errors import EmptyReply, Fault, InvalidArgument, LimitReached, RequestRejected
from empathy_env.noise import draw


@dataclass(frozen=True, slots=True)
class Settings:
    """How replies are drawn.

    Attributes:
        batch_size: How many requests are answered together, at least 1.
        max_new_tokens: Length at which a reply is cut, and is then a fault; at least 1.
        temperature: At least 0; 0 always takes the likeliest token, 1 draws as the model was
            trained to.
        top_p: Share of the probability, in (0, 1], that is drawn from; the unlikely rest is not.
        chat_template_kwargs: For the model's chat template, such as `{"enable_thinking": False}`.
    """

    batch_size: int = 8
    max_new_tokens: int = 1024
    temperature: float = 1.0
    top_p: float = 1.0
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise InvalidArgument(f"{name}={getattr(self, name)} is below 1.")
        if not 0 <= self.temperature < float("inf"):
            raise InvalidArgument(
                f"temperature={self.temperature} is not a number of at least 0. "
                "Give 0 for the likeliest reply, 1 for the model's own spread."
            )
        if not 0 < self.top_p <= 1:
            raise InvalidArgument(f"top_p={self.top_p} is not in (0, 1]. Give 1 to cut nothing.")


def transformers(
    model: str | Path | tuple[Any, Any],
    *,
    device: str | None = None,
    dtype: str | None = None,
    batch_size: int = 8,
    max_new_tokens: int = 1024,
    temperature: float = 1.0,
    top_p: float = 1.0,
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> TransformersBackend:
    """Return a backend that runs a model of the transformers library in this process.

    A repetition penalty that the model's own `generation_config` sets is kept; its temperature,
    `top_p` and `top_k` are not.

    Args:
        model: Folder of a model, path of a GGUF file, id on the Hugging Face hub, or a model and
            its tokenizer that are loaded already (a policy in training, say; it is used as it is
            at each call, and where it is).
        device: Such as "cuda:1"; None takes a GPU if there is one.
        dtype: Such as "bfloat16"; None takes what the weights are stored in.
        batch_size: How many requests are answered together.
        max_new_tokens: Length at which a reply is cut, and is then a `LimitReached` fault.
        temperature: 0 takes the likeliest token.
        top_p: Share of the probability, in (0, 1], that is drawn from.
        chat_template_kwargs: For the chat template, such as `{"enable_thinking": False}`.

    Raises:
        InvalidArgument: If a value breaks its rule, the model cannot be loaded, or it has no chat
            template.
    """
    settings = Settings(
        batch_size, max_new_tokens, temperature, top_p, dict(chat_template_kwargs or {})
    )
    if isinstance(model, tuple):
        if device is not None or dtype is not None:
            raise InvalidArgument(
                f"device={device!r}, dtype={dtype!r}: a model that is loaded already is used as "
                "it is. Leave both out, or move the model before with model.to(...)."
            )
        return TransformersBackend(Loaded(*model), settings)
    loaded = load(model, device=device, dtype=dtype)
    return TransformersBackend(loaded, settings, model_name=str(model))


class _Prompt(NamedTuple):
    """One request, ready to be answered.

    Attributes:
        place: Where its reply goes.
        tokens: The talk by the model's chat template.
        seed: Keys the draws.
        meter: What of the reply's meter is known beforehand.
    """

    place: int
    tokens: list[int]
    seed: int
    meter: dict[str, float]


class TransformersBackend:
    """Answers by a language model in this process; built by `transformers`."""

    def __init__(self, loaded: Loaded, settings: Settings, *, model_name: str = "") -> None:
        self._model, self._tokenizer = loaded
        self._settings = settings
        if not getattr(self._tokenizer, "chat_template", None):
            raise InvalidArgument(
                f"model={model_name or self._model.name_or_path!r}: its tokenizer has no chat "
                "template, so a talk cannot be put to it. Take the model's instruct or chat "
                "version, or set tokenizer.chat_template and pass (model, tokenizer)."
            )
        self._ends = _end_tokens(loaded)
        self._control = _control_tokens(self._tokenizer)
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "empathy-env-transformers")
        self.name = _name(model_name or str(self._model.name_or_path), self._model, settings)

    def complete(self, requests: Sequence[Request]) -> list[Reply | Fault]:
        """Answer the requests in batches of similar length; a failed one gets its `Fault`."""
        answers: dict[int, Reply | Fault] = {}
        prompts: list[_Prompt] = []
        with self._lock:
            for place, request in enumerate(requests):
                try:
                    prompts.append(self._prompt(place, request))
                except Fault as fault:
                    answers[place] = fault
            answers.update(self._answers(prompts))
        return [answers[place] for place in range(len(requests))]

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request in a thread, one after the other.

        Many requests at once are answered faster through `batching`.
        """
        loop = asyncio.get_running_loop()
        [answer] = await loop.run_in_executor(self._thread, self.complete, [request])
        if isinstance(answer, Fault):
            raise answer
        return answer

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _prompt(self, place: int, request: Request) -> _Prompt:
        messages = [{**m, "content": self._plain(m["content"])} for m in request.messages]
        try:
            tokens = self._tokenizer.apply_chat_template(
                messages,
                add_generation_prompt=True,
                return_dict=False,
                **self._settings.chat_template_kwargs,
            )
        except TemplateError as error:
            roles = ", ".join(message["role"] for message in request.messages)
            raise RequestRejected(
                f"the model's chat template does not take the messages ({roles}): {error}"
            ) from error
        self._check_length(len(tokens))
        form = {} if request.schema is None else {"as_text": 1.0}
        meter = {"requests": 1.0, "prompt_tokens": float(len(tokens)), **form}
        return _Prompt(place, list(tokens), request.seed, meter)

    def _plain(self, content: str) -> str:
        """Return a message without control tokens: text that spells one could end its message."""
        return self._control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)

    def _check_length(self, tokens: int) -> None:
        context = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        limit = self._settings.max_new_tokens
        if context is not None and tokens + limit > context:
            raise RequestRejected(
                f"the prompt has {tokens} tokens, which with max_new_tokens={limit} is over the "
                f"model's context of {context}. Ask for shorter replies, end talks earlier "
                "(max_turns), or take a model with a longer context."
            )

    def _answers(self, prompts: Sequence[_Prompt]) -> Iterator[tuple[int, Reply | Fault]]:
        """Yield the reply of each prompt, batch by batch; a batch too large for memory is halved.

        The longest come first: what does not fit shows at once.
        """
        ordered = sorted(prompts, key=lambda prompt: -len(prompt.tokens))
        size = self._settings.batch_size
        waiting = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        while waiting:
            batch = waiting.pop(0)
            answers = self._batch(batch)
            if answers is not None:
                yield from zip((prompt.place for prompt in batch), answers, strict=True)
            elif len(batch) > 1:
                half = len(batch) // 2
                waiting[:0] = [batch[:half], batch[half:]]
            else:
                yield batch[0].place, _too_large(len(batch[0].tokens), self._model.device)

    def _batch(self, batch: Sequence[_Prompt]) -> list[Reply | Fault] | None:
        """Return the replies to a batch, or None if they do not fit into memory."""
        start = perf_counter()
        try:
            rows = self._rows(batch)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            rows = None
        if rows is None:  # past the handler, whose traceback held on to the tensors
            torch.cuda.empty_cache()
            return None
        seconds = (perf_counter() - start) / len(batch)
        return [
            self._answer(row, {**prompt.meter, "seconds": seconds})
            for row, prompt in zip(rows, batch, strict=True)
        ]

    def _rows(self, batch: Sequence[_Prompt]) -> list[list[int]]:
        """Return the tokens that the model adds to each prompt, padded after the end token."""
        settings = self._settings
        tokens, mask = _padded_left(batch, self._ends[0])
        start = tokens.shape[1]
        drawing = [_Draws([p.seed for p in batch], start, settings)] if settings.temperature else []
        with _evaluating(self._model):
            rows = self._model.generate(
                tokens.to(self._model.device),
                attention_mask=mask.to(self._model.device),
                logits_processor=LogitsProcessorList(drawing),
                generation_config=GenerationConfig(
                    do_sample=False,  # the draws are made by `_Draws`, which leaves one token
                    num_beams=1,
                    max_new_tokens=settings.max_new_tokens,
                    eos_token_id=self._ends,
                    pad_token_id=self._ends[0],
                ),
            )
        return rows[:, start:].tolist()

    def _answer(self, row: list[int], meter: dict[str, float]) -> Reply | Fault:
        end = next((place for place, token in enumerate(row) if token in self._ends), None)
        meter["completion_tokens"] = float(len(row) if end is None else end + 1)
        if end is None:
            said = f"the reply was cut at max_new_tokens={self._settings.max_new_tokens}."
            told = f"{said} Raise it, or take a model that writes less."
            text = self._tokenizer.decode(row, skip_special_tokens=True)
            return _lasting(LimitReached(told, text=text), meter)
        text = self._tokenizer.decode(row[:end], skip_special_tokens=True)
        if not text.strip():
            return _lasting(EmptyReply("the model answered without a word"), meter)
        return Reply(text, meter)


class _Draws(LogitsProcessor):
    """Leaves each row one token, drawn by the row's own seed, so that the likeliest is the drawn.

    A generator for the whole batch would tie each reply to its neighbours. The draw adds keyed
    Gumbel noise and takes the largest (C. J. Maddison et al., NeurIPS 2014): of all ways to draw
    it is nearly the one that slightly different scores change least often.
    """

    def __init__(self, seeds: Sequence[int], start: int, settings: Settings) -> None:
        self._seeds = seeds
        self._start = start
        self._temperature = settings.temperature
        self._top_p = TopPLogitsWarper(settings.top_p)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        place = input_ids.shape[1] - self._start
        kept = self._top_p(input_ids, scores.float() / self._temperature)
        noise = torch.stack([_gumbel(seed, place, scores.shape[1]) for seed in self._seeds])
        drawn = (kept + noise.to(kept.device)).argmax(-1, keepdim=True)
        return torch.full_like(scores, float("-inf")).scatter(1, drawn, 0.0)


def _gumbel(seed: int, place: int, size: int) -> Any:
    """Return Gumbel noise that depends on the seed and the place alone, on any device."""
    key = int(draw(seed, place, 0, "token") * 2**53)
    uniform = torch.rand(size, generator=torch.Generator().manual_seed(key))
    # Noise is finite at both ends: what `top_p` left out stays out.
    return -(-uniform.clamp(1e-7, 1 - 1e-7).log()).log()


def _padded_left(batch: Sequence[_Prompt], pad: int) -> tuple[Any, Any]:
    """Return the prompts as one tensor, all ending at its right edge, and what of it counts."""
    width = max(len(prompt.tokens) for prompt in batch)
    rows = [[pad] * (width - len(prompt.tokens)) + prompt.tokens for prompt in batch]
    masks = [[int(place >= width - len(p.tokens)) for place in range(width)] for p in batch]
    return torch.tensor(rows), torch.tensor(masks)


@contextmanager
def _evaluating(model: Any) -> Generator[None]:
    """Switch dropout off meanwhile: a model in training may be asked too."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _end_tokens(loaded: Loaded) -> list[int]:
    """Return the tokens that end a reply: those of the model's settings and the tokenizer's."""
    stated = loaded.model.generation_config.eos_token_id
    listed = stated if isinstance(stated, list) else [stated]
    ends = dict.fromkeys([loaded.tokenizer.eos_token_id, *listed])
    return [token for token in ends if token is not None]


def _control_tokens(tokenizer: Any) -> re.Pattern[str]:
    added = {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
    tokens = sorted(added | set(tokenizer.all_special_tokens), key=len, reverse=True)
    return re.compile("|".join(re.escape(token) for token in tokens if len(token) > 1) or "(?!)")


def _name(model_name: str, model: Any, settings: Settings) -> str:
    """Return all that decides the replies, the weights themselves apart."""
    options = {
        "dtype": str(model.dtype).removeprefix("torch."),
        "max_new_tokens": settings.max_new_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        **settings.chat_template_kwargs,
    }
    words = " ".join(f"{name}={value}" for name, value in options.items())
    return f"transformers:{model_name} {words}"


def _is_out_of_memory(error: BaseException) -> bool:
    # On the CPU torch raises a plain RuntimeError.
    kinds = (MemoryError, torch.cuda.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def _too_large(tokens: int, device: Any) -> Fault:
    return RequestRejected(
        f"a single prompt of {tokens} tokens does not fit into the memory of {device}. Lower "
        "max_new_tokens, end talks earlier (max_turns), or take a smaller model or dtype."
    )


def _lasting(fault: Fault, meter: Mapping[str, float]) -> Fault:
    """Return a fault that asking again does not mend: the same seed draws the same reply."""
    fault.transient = False
    note_meter(fault, meter)
    return fault
