"""A tokenizer made here, of bytes, with a template of the ChatML form; and what a server reads."""

from __future__ import annotations

import re
from functools import cache

from conformance import reply_to

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{{ opening or '' }}{% endif %}"
)
FORGETS = TEMPLATE.replace("message.content }}", "message.content.split('</think>')[-1] }}")
"""Takes thoughts out of every turn, as some published templates do."""
END = "<|im_end|>"


@cache
def tokenizer(template: str = TEMPLATE):
    """Return a tokenizer of `transformers` with a token for each byte, and the two of ChatML."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END, pad_token="<|pad|>")
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    made.chat_template = template
    made.clean_up_tokenization_spaces = False
    return made


def encoded(text: str) -> list[int]:
    """Return the tokens of a text."""
    return tokenizer().encode(text, add_special_tokens=False)


def decoded(ids) -> str:
    """Return the text of tokens, special ones included."""
    return tokenizer().decode(list(ids), skip_special_tokens=False)


def chat_of(ids) -> list[dict[str, str]]:
    """Return the chat that a prompt of tokens holds."""
    turns = re.findall(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", decoded(ids), re.DOTALL)
    return [{"role": role, "content": content} for role, content in turns]


def scripted(ids) -> str:
    """Return what the script of `conformance` says to a prompt of tokens."""
    return reply_to(chat_of(ids))


def spans(ids, mask):
    """Return (mask, text) of each run of equal mask."""
    found = []
    for token, bit in zip(ids, mask, strict=True):
        if found and found[-1][0] == bit:
            found[-1][1].append(token)
        else:
            found.append((bit, [token]))
    return [(bit, decoded(run)) for bit, run in found]
