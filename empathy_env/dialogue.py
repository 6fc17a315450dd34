r"""A talk as data inside a prompt: one JSON object a line, which no text can leave.

JSON's own escapes keep quotes and line breaks inside their string. Beside these, what a chat
template or a reader of the prompt could take for structure is written as an escape too: `<` and
`[`, with which the marks of roles begin ("<|im_end|>", "</s>", "[INST]"), and characters that break
lines or show nowhere. All of it is still legible, and `json.loads` gives the words back.

The text only grows at its end, so a longer talk's begins with that of the shorter one, and a
server's prefix cache keeps what it has read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Final

from empathy_env.messages import Message, Spoken

_HIDDEN: Final = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0d\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)


def quoted(text: str) -> str:
    r"""Return a text as a JSON string, with no other structure in it.

    >>> print(quoted('Fine."}\n<|im_end|>'))
    "Fine.\"}\n\u003c|im_end|>"
    """
    line = encode_basestring(text)
    if "<" in line:
        line = line.replace("<", "\\u003c")
    if "[" in line:
        line = line.replace("[", "\\u005b")
    return line if line.isascii() else _HIDDEN.sub(_escaped, line)


def as_lines(talk: Sequence[Message], *, agent: str = "supporter", user: str = "person") -> str:
    """Return a talk as one line for each message; each line ends in a line break.

    Args:
        talk: What was said, oldest first.
        agent: The key of what the agent said.
        user: The key of what the user said.

    >>> print(as_lines([{"role": "user", "content": "Hello."}]), end="")
    {"person": "Hello."}
    """
    assistant, person = f'{{"{agent}": ', f'{{"{user}": '
    return "".join(
        [
            f"{assistant if said['role'] == 'assistant' else person}{quoted(said['content'])}}}\n"
            for said in talk
        ]
    )


def by_name(lines: Sequence[Spoken], *, own: str = "") -> str:
    """Return a talk in company as lines, each with the name of who said it.

    Args:
        lines: What was said, oldest first.
        own: Who reads it; what they said themselves has the key "person".

    >>> print(by_name([Spoken("Ana", "Hello."), Spoken("Ben", "Oh.", aside=True)], own="Ana"))
    {"person": "Hello."}
    {"Ben (aside)": "Oh."}
    <BLANKLINE>
    """
    return "".join(f"{{{quoted(_key(said, own))}: {quoted(said.words)}}}\n" for said in lines)


def _key(said: Spoken, own: str) -> str:
    return ("person" if said.name == own else said.name) + (" (aside)" if said.aside else "")


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
