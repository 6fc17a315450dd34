"""A tokenizer of single characters, with a template of the ChatML form."""

from __future__ import annotations

import re


def chatml(chat, ask):
    """Ends turns with a line break after the token, as Qwen2.5 does."""
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in chat)
    return text + "<|im_start|>assistant\n" * ask


SPECIAL = ("<|im_start|>", "<|im_end|>", "<|bos|>", "<|eot|>", "<|head|>", "<|/head|>", "</s>")


class Letters:
    """A token for each character, and one for each special token."""

    def __init__(self, template, special=SPECIAL):
        self.template = template
        self.special = special
        self._parts = re.compile("|".join([*map(re.escape, special), "."]), re.DOTALL)

    def apply_chat_template(self, conversation, *, tokenize, add_generation_prompt):
        assert not tokenize
        return self.template(conversation, add_generation_prompt)

    def encode(self, text, *, add_special_tokens=True):
        assert not add_special_tokens, "the template has put them there already"
        parts = self._parts.findall(text)
        return [
            self.special.index(part) if part in self.special else 100 + ord(part) for part in parts
        ]

    def decode(self, token_ids, *, skip_special_tokens=False):
        shown = (number for number in token_ids if number >= 100 or not skip_special_tokens)
        return "".join(
            chr(number - 100) if number >= 100 else self.special[number] for number in shown
        )

    def whole(self, chat, ask=False):
        return self.apply_chat_template(chat, tokenize=False, add_generation_prompt=ask)

    def text(self, ids):
        return self.decode(ids)
