"""What a model is told that reports a user's emotion and words the replies, and how it answers.

Prompts are our own words for what the published ones say. What is the same in all turns comes
first, so that a server need not read it anew.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from string import Template
from typing import Any, Final, NamedTuple

from empathy_env.asking import asked
from empathy_env.backends import Reply, Request
from empathy_env.dialogue import as_lines, quoted
from empathy_env.difficulty import Difficulty
from empathy_env.errors import UnparseableReply
from empathy_env.messages import Message, clean, from_agent, from_system, from_user
from empathy_env.profile import Portrait, Profile, portrait
from empathy_env.prompts import load_prompt
from empathy_env.protocol import ReportedProtocol
from empathy_env.structured import number, parsed, text
from empathy_env.wording import all_words, in_words

UNREADABLE: Final = "(unreadable)"
"""What stands for the agent's words where a model could answer only without them."""
LEFT_OUT: Final = "(left out)"
"""What stands there for the person's own words, which may repeat them."""
LONGEST_REPLY: Final = 4000
"""Longest reply of the user in characters; what is beyond is cut."""
_MODERATE: Final = Difficulty()
_WIDEST: Final = 1000
"""A change beyond this is no answer to what was asked."""


class Report(NamedTuple):
    """What the model reports of one turn.

    Attributes:
        means: What the agent means.
        fits: Whether and where it fits what the person wants, and why.
        inner: What goes on in them.
        feeling: How they feel about it.
        change: By how much their emotion changes, in points; not bounded by the protocol yet.
    """

    means: str
    fits: str
    inner: str
    feeling: str
    change: int


def read_report(reply: str) -> Report:
    """Read a report from a model's reply.

    Raises:
        UnparseableReply: If it is none: no object, a field is missing, or the change is no whole
            number. Nothing is picked out of prose.

    >>> read_report('{"means": "", "fits": "", "inner": "", "feeling": "", "change": -5}').change
    -5
    """
    found = parsed(reply, what="the report")
    change = number(found, "change", low=-_WIDEST, high=_WIDEST)
    if not change.is_integer():
        raise UnparseableReply(f"the report's 'change' is {change!r}: it must be a whole number")
    return Report(
        means=text(found, "means"),
        fits=text(found, "fits"),
        inner=text(found, "inner"),
        feeling=text(found, "feeling"),
        change=int(change),
    )


def read_words(reply: str, *, name: str = "reply") -> str:
    """Read what the person says from a model's reply, made safe to keep.

    Raises:
        UnparseableReply: If there is no such text, or it is blank.
    """
    words = text(parsed(reply, what=f"the {name}"), name)
    words = clean(words, max_chars=LONGEST_REPLY).text.strip()
    if not words:
        raise UnparseableReply(f"the reply's {name!r} is blank: it must be what the person says")
    return words


def report_request(
    person: Portrait,
    protocol: ReportedProtocol,
    talk: tuple[Message, ...],
    emotion: float,
    difficulty: Difficulty = _MODERATE,
) -> Request:
    """Return the request for the report: the talk up to now, and the emotion as it is now."""
    turn = _filled("report-turn", talk=as_lines(talk), emotion=f"{emotion:g}")
    system = _instructions("report", protocol, person, difficulty)
    return Request("report", (from_system(system), from_user(turn)), report_schema(protocol))


def reply_request(
    person: Portrait,
    protocol: ReportedProtocol,
    talk: tuple[Message, ...],
    report: Report,
    *,
    state: str,
    closing: bool,
    difficulty: Difficulty = _MODERATE,
) -> Request:
    """Return the request for the reply, given the report and the state after it.

    Args:
        person: Who speaks.
        protocol: The constants.
        talk: All messages up to now.
        report: How the person takes the last one.
        state: The label of the state that they are in then; the number is not told.
        closing: Whether the talk ends with this reply.
        difficulty: How much of it they show.
    """
    turn = _filled(
        "reply-turn",
        earlier=as_lines(talk[:-2]),
        latest=as_lines(talk[-2:]),
        inner=_lines(fits=report.fits, inner=report.inner, feeling=report.feeling),
        state=state,
        closing=f"\n\n{load_prompt('reply-closing').text}" if closing else "",
    )
    system = _instructions("reply", protocol, person, difficulty)
    return Request("reply", (from_system(system), from_user(turn)), _REPLY)


def unreadable(talk: Sequence[Message]) -> tuple[Message, ...]:
    """Return the talk with all withheld that the agent said or that may repeat it.

    Of the person's words the opening is left, which is the first message.
    """
    agents, persons = from_agent(UNREADABLE), from_user(LEFT_OUT)
    later = (agents if said["role"] == "assistant" else persons for said in talk[1:])
    return (*talk[:1], *later)


def wordless(report: Report) -> Report:
    """Return the report without its texts, which may repeat what the agent said."""
    return Report("", "", "", "", report.change)


def prompts_digest(protocol: ReportedProtocol) -> str:
    """Return a digest of all that the model is told under a protocol, but for who it plays."""
    nobody = Portrait("", "", "")
    told = [_instructions(name, protocol, nobody) for name in ("report", "reply")]
    told += [load_prompt(name).text for name in ("report-turn", "reply-turn", "reply-closing")]
    told.append(all_words())
    return sha256("\n".join(told).encode()).hexdigest()[:16]


def opened(profile: Profile) -> Generator[Request, Reply, Profile]:
    """Return the profile with an opening, which a model words if the profile has none.

    A generator of requests, for `drivers`: `run(opened(profile), backend)`. RLVER's training
    profiles have no opening; asking once, and keeping it, lets all talks begin the same.

    Raises:
        Fault: If the model gives none.
    """
    if profile.opening:
        return profile
    told = _filled("first-talk", portrait=_lines(**portrait(profile, profile.need)._asdict()))
    request = Request("first-talk", (from_user(told),), _schema(first_talk=_TEXT))
    answer = yield from asked(request, lambda reply: read_words(reply, name="first_talk"))
    return replace(profile, first_talk=answer.value)


_TEXT: Final = {"type": "string"}


def _schema(**fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_REPLY: Final = _schema(plan=_TEXT, draft=_TEXT, revision=_TEXT, reply=_TEXT)


def report_schema(protocol: ReportedProtocol) -> dict[str, Any]:
    """Return the JSON Schema of a report."""
    change: dict[str, Any] = {"type": "integer"}
    if protocol.clamp is not None:
        change |= {"minimum": -int(protocol.clamp), "maximum": int(protocol.clamp)}
    return _schema(means=_TEXT, fits=_TEXT, inner=_TEXT, feeling=_TEXT, change=change)


@lru_cache(maxsize=2048)
def _instructions(
    name: str, protocol: ReportedProtocol, person: Portrait, difficulty: Difficulty = _MODERATE
) -> str:
    """Return what is the same in every turn, so that a server need not read it anew."""
    rules = [
        load_prompt(f"report-{rule}").text
        for rule, holds in (
            ("guarded", not protocol.may_hint_need),
            ("garbled", protocol.garbled_lowers),
        )
        if holds
    ]
    ways = in_words(difficulty, "response", "style")
    if ways:
        rules.append(f"About this person: {' '.join(ways)}")
    hints = load_prompt(f"reply-{'hints' if protocol.may_hint_need else 'guarded'}").text
    return _filled(
        name,
        portrait=_lines(**person._asdict()),
        floor=f"{protocol.floor:g}",
        ceiling=f"{protocol.ceiling:g}",
        success=f"{protocol.success:g}",
        leave=f"Below {protocol.leave:g}"
        if protocol.leave_at is None
        else f"At {protocol.leave_at:g}",
        range=_range(protocol),
        rules="".join(f"\n{rule}\n" for rule in rules),
        hints=" ".join((hints, *in_words(difficulty, "information"))),
        unreadable=UNREADABLE,
    )


def _range(protocol: ReportedProtocol) -> str:
    if protocol.clamp is None:
        return "There is no limit to it."
    return f"It is from {-int(protocol.clamp)} to {int(protocol.clamp)}."


def _lines(**texts: str) -> str:
    """Return texts as JSON, one line each, which none of them can leave."""
    return "".join(f'{{"{name}": {quoted(words)}}}\n' for name, words in texts.items())


def _filled(name: str, **values: str) -> str:
    return Template(load_prompt(name).text).substitute(values)
