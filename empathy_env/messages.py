"""Chat messages, and the one place where it is decided who is which role.

The agent is the assistant, the simulated person is the user. Messages are values: nothing is
marked up inside their text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal, NamedTuple, TypedDict

Role = Literal["system", "user", "assistant"]


class Message(TypedDict):
    """One message in OpenAI's chat format."""

    role: Role
    content: str


def from_system(text: str) -> Message:
    """Return the instructions to the agent as a message."""
    return {"role": "system", "content": text}


def from_user(text: str) -> Message:
    """Return what the simulated person said as a message."""
    return {"role": "user", "content": text}


def from_agent(text: str) -> Message:
    """Return what the user heard the agent say as a message."""
    return {"role": "assistant", "content": text}


class Spoken(NamedTuple):
    """Something that was said in company.

    Attributes:
        name: Who said it: a user by name; "supporter", "supporter 2", ...
        words: The words.
        aside: Whether only those could hear it whom it was for.
    """

    name: str
    words: str
    aside: bool = False


_ILLEGAL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


CLEANING: Final = ("cut", "replaced", "normalised")
"""The flags of `clean`."""


class Cleaned(NamedTuple):
    """Agent text made safe to keep, and what had to be done for it."""

    text: str
    flags: tuple[str, ...]


def clean(raw: str, *, max_chars: int) -> Cleaned:
    r"""Make any agent text safe to keep: the rule for bad text, which is never a fault.

    The text is cut at `max_chars` characters (flag `cut`); control characters other than newline
    and tab, and lone surrogates, become U+FFFD (flag `replaced`); the rest is put in Unicode's
    NFC form (flag `normalised`).

    >>> clean("fine\x00 \ud800", max_chars=100)
    Cleaned(text='fine� �', flags=('replaced',))
    """
    flags: list[str] = []
    text = raw
    if len(text) > max_chars:
        text = text[:max_chars]
        flags.append("cut")
    if not text.isprintable():
        replaced = _ILLEGAL.sub("\ufffd", text)
        if replaced != text:
            text = replaced
            flags.append("replaced")
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)[:max_chars]
        flags.append("normalised")
    return Cleaned(text, tuple(flags))
