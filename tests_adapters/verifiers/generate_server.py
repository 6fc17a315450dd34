"""What the library's training client asks: a server of tokens, as vLLM's is, and a tokenizer.

One token is one byte, so that whoever reads a test can see what is masked.
"""

from __future__ import annotations

import asyncio
import threading

from aiohttp import web
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

END = "<|end|>"
KEEPS = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
    "{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A template that keeps thoughts in earlier turns."""
DROPS = KEEPS.replace("{% if m.reasoning_content %}", "{% if m.reasoning_content and loop.last %}")


QWEN = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
QWEN_MARKS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
"""Tokens that the renderer of Qwen3 looks for."""


def saved_tokenizer(folder, template=KEEPS, end=END):
    """Save a tokenizer of bytes, and return it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE({letter: id for id, letter in enumerate(alphabet)}, []))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token=end)
    tokenizer.add_tokens(["<think>", "</think>", *QWEN])
    tokenizer.add_special_tokens({"additional_special_tokens": QWEN_MARKS})
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return tokenizer


class GenerateServer:
    """Answers `/inference/v1/generate` with the tokens of what `answer(prompt)` returns."""

    def __init__(self, tokenizer, answer):
        self.tokenizer, self.answer, self.calls = tokenizer, answer, []
        self.end = tokenizer.eos_token

    async def generate(self, request):
        body = await request.json()
        self.calls.append(body["token_ids"])
        text = self.answer(self.tokenizer.decode(body["token_ids"]))
        ids = self.tokenizer.encode(text + self.end, add_special_tokens=False)
        content = [{"token": f"token_id:{id}", "logprob": -0.5} for id in ids]
        choice = {"index": 0, "token_ids": ids, "logprobs": {"content": content}}
        choice["finish_reason"] = "stop"
        return web.json_response({"request_id": "r", "choices": [choice]})

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        app = web.Application()
        app.router.add_post("/inference/v1/generate", self.generate)
        self.runner = web.AppRunner(app)
        self.url = self._run(self._started())
        return self

    async def _started(self):
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/v1"

    def __exit__(self, *_):
        self._run(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()
