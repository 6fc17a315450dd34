"""Finds pieces of text that are addressed to a machine: tags, records, forged turns, notes.

Each pattern begins with a fixed character or word and is bounded, so that the cost is linear, and
is tried only if a character without which it cannot match is there.
"""

from __future__ import annotations

import re
from typing import Final

from empathy_env.cues import Tables

_ROLE: Final = (
    r"(?:system|user|assistant|human|evaluator|judge|appraiser|admin\w*|developer|grader|reviewer"
    r"|moderator|persona|environment|scorer|client|patient|simulator)"
)
_TAGS: Final = re.compile(
    rf"<(?:/\s{{0,3}})?(?:{_ROLE}|think\w*|instructions?|prompt|state|tool|output|eval\w*|scores?"
    r"|reward|trace|appraisal|mood|emotion|trust)\b[^>\n]{0,200}>|<\|[a-z]|\[/?inst\]"
)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCED: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_STATE: Final = re.compile(
    r"emotion|mood|trust|strain|score|reward|user\.|persona|satisf|feel|happy|evaluat|disclos"
)
_LINES: Final = re.compile(
    rf"(?:^|(?<=[.!?][ \t]))[ \t#*>\-]{{0,8}}{_ROLE}\b[^\n:.?!,]{{0,24}}:"
    rf"|\[/?(?:{_ROLE}|end of|note to|hidden|eval)\b"
    r"|[{\[]\s{0,8}[{\"'][^\n:]{0,60}[\"']\s{0,4}:",
    re.MULTILINE,
)
_RECORD: Final = re.compile(
    r"\b(?:emotion|mood|trust|strain|score|reward|disclos\w{1,9}|satisf\w{1,9}|feels?_\w{1,20}"
    r"|distress|happiness|needs?_?\w{0,12}|empathy|rapport|valence|done|episode)[\]\[\"']{0,3}\s{0,4}"
    r"(?::=|\+=|==?|:|->|→)\s{0,4}[\"']?(?:[\d+-]|true|all\b|met\b|max|happy|relieved|satisf)"
)
_NOTE: Final = re.compile(
    r"\b(?:notes?|memo|message|attention|hint|instructions?|dear|hello|hi)\b[^.\n]{0,24}"
    r"(?:evaluator|judge|grader|reviewer|appraiser|scorer|rater)"
)
_SCORERS: Final = ("evaluat", "judge", "grader", "reviewer", "apprais", "scorer", "rater")
_TICK: Final = re.compile(r"[✓✔✅☑]|\[x\]")
_HIDDEN: Final = re.compile(
    r"[^\W\d_][\u200b\u2060\ufeff\u00ad]{1,9}[^\W\d_]"  # Characters that show nowhere,
    r"|[a-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][a-z]"  # or look Latin.
)
_FAR_SCRIPT: Final = re.compile(r"[\u0370-\u1fff\u3040-\ud7ff]")


def injections(plain: str, tables: Tables) -> list[tuple[int, int]]:
    """The pieces of a text, made plain, that are addressed to a machine and not to the user."""
    spans: list[tuple[int, int]] = []
    if "<" in plain or "[" in plain:
        spans += _tagged(plain)
    if "```" in plain:
        spans += [m.span() for m in _FENCED.finditer(plain) if _STATE.search(m[0])]
    for start, end in spans:
        # What is in a tag is found; it shall not take the rest of its line along.
        plain = plain[:start] + " " * (end - start) + plain[end:]
    if ":" in plain or "[" in plain:
        spans += [_line(plain, m.start()) for m in _LINES.finditer(plain)]
    if ":" in plain or "=" in plain or "→" in plain or "->" in plain:
        spans += [_line(plain, m.start()) for m in _RECORD.finditer(plain)]
    if any(scorer in plain for scorer in _SCORERS):
        spans += [(m.start(), _line(plain, m.start())[1]) for m in _NOTE.finditer(plain)]
    if "[x]" in plain or not plain.isascii():
        spans += _odd_lines(plain, tables)
        spans += _hidden(plain)
    return _joined(spans)


def _tagged(plain: str) -> list[tuple[int, int]]:
    spans = [m.span() for m in _COMMENT.finditer(plain)]
    tags = [m.span() for m in _TAGS.finditer(plain)]
    if tags:
        end = tags[-1][1]
        # What an opening tag at the end begins goes on to the end of its line.
        tail = _line(plain, end)[1] if plain[tags[-1][0] + 1] != "/" else end
        spans.append((tags[0][0], tail))
    return spans


def _line(plain: str, at: int) -> tuple[int, int]:
    end = plain.find("\n", at)
    start = plain.rfind("\n", 0, at) + 1
    return start if plain[at : at + 1] not in "[{" else at, len(plain) if end < 0 else end


def _odd_lines(plain: str, tables: Tables) -> list[tuple[int, int]]:
    """Lines with a ticked-off list of acts, or with orders in another script."""
    spans: list[tuple[int, int]] = []
    far = _FAR_SCRIPT.search(plain) is not None
    ticks = _TICK.search(plain) is not None
    at = 0
    for line in plain.splitlines(keepends=True) if far or ticks else ():
        orders = far and any(phrase in line for phrase in tables.foreign)
        acts = tables.lists["act"].intersection(re.findall(r"[a-z]+", line)) if ticks else ()
        if orders or (len(acts) > 1 and len(_TICK.findall(line)) > 1):
            spans.append((at, at + len(line.rstrip())))
        at += len(line)
    return spans


def _hidden(plain: str) -> list[tuple[int, int]]:
    """Words that a reader sees otherwise than they are written; "μm" is none."""
    spans: list[tuple[int, int]] = []
    at = 0
    while match := _HIDDEN.search(plain, at):
        start, end = match.span()
        while start and not plain[start - 1].isspace():
            start -= 1
        while end < len(plain) and not plain[end].isspace():
            end += 1
        if end - start > 2:
            spans.append((start, end))
        at = end  # one look at each word, however long it is
    return spans


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in sorted(s for s in spans if s[0] < s[1]):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
