"""Prompts as Markdown files, each with a digest of its content that traces record."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from empathy_env.errors import UnknownName


class Prompt(NamedTuple):
    """A prompt's text, and the first 16 hexadecimal digits of its SHA-256."""

    text: str
    digest: str


@cache
def load_prompt(name: str) -> Prompt:
    """Return the bundled prompt with this name.

    Raises:
        UnknownName: If there is none.
    """
    folder = files(__package__ or "empathy_env.prompts")
    path = folder / f"{name}.md"
    if not path.is_file():
        known = [p.name.removesuffix(".md") for p in folder.iterdir() if p.name.endswith(".md")]
        raise UnknownName.among("prompt", name, known)
    text = path.read_text(encoding="utf-8").strip()
    return Prompt(text, sha256(text.encode()).hexdigest()[:16])
