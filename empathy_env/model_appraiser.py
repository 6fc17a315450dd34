"""An appraiser that asks a language model what the agent did, and believes it only so far.

The model names acts and quotes the words that perform them. Code checks every quote, decides what
is tied to the talk and what was said before, and drops the rest with a note. The agent's words
reach the model as data; what they can do to it lowers their own credit, and is never a fault.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from empathy_env.acts import (
    ABOUTS,
    ACTS,
    HARMFUL,
    INTENSITIES,
    Act,
    Appraisal,
    Company,
    Context,
    Evidence,
    Reading,
    Topic,
)
from empathy_env.appraiser import detect_manipulation
from empathy_env.asking import asked
from empathy_env.backends import Reply, Request, Schema
from empathy_env.cues.hits import MAX_EVIDENCE
from empathy_env.dialogue import as_lines, by_name, quoted
from empathy_env.errors import UnparseableReply
from empathy_env.messages import Message, from_system, from_user
from empathy_env.prompts import load_prompt
from empathy_env.quotation import Ties, place
from empathy_env.structured import Fields, choice, entries, parsed, text

PURPOSE: Final = "appraise"
WITHHELD: Final = "(withheld)"
"""What stands for the agent's words, and for what may repeat them, where they are not sent."""
MAX_NOTES: Final = 8
"""So many drops of one reply are noted one by one."""
MAX_NOTE: Final = 120
"""So many characters of each reason are noted."""

_WORDED: Final = ("slight", "plain", "strong")
_STRENGTHS: Final = dict(zip(_WORDED, INTENSITIES, strict=True))
_PERSON: Final = "person"
_NOTED: Final = 60


@dataclass(frozen=True)
class ModelAppraiser:
    """Finds evidence by asking the backend, once a turn if all goes well.

    Attributes:
        name: Recorded in traces.
    """

    name: str = "model"

    def appraise(self, utterance: str, context: Context) -> Generator[Request, Reply, Reading]:
        """Ask what an utterance does.

        If the model answers only where the agent's words are withheld, these have broken it: there
        is no evidence then, as if nothing had been said. Silence is not asked about.

        Raises:
            Fault: If the backend fails, or the model fails without the agent's words as well.
        """
        if not utterance.strip():
            return Reading(())

        def understood(reply: str) -> Reading:
            return read_appraisal(reply, utterance, context)

        def withheld() -> Request:
            return withheld_request(context)

        request = appraisal_request(utterance, context)
        answer = yield from asked(request, understood, withheld=withheld)
        if answer.withheld:
            return Reading((), answer.notes)
        return answer.value._replace(notes=answer.notes + answer.value.notes)


def appraisal_request(utterance: str, context: Context) -> Request:
    """Return what a model is asked; what stays from turn to turn comes first."""
    if context.company is not None:
        return _asking_in_company(context.company, utterance, context.topics)
    return _asking(context.talk or _persons(context), utterance, context)


def withheld_request(context: Context) -> Request:
    """Return the same with nothing in it that the agent wrote, or that may repeat it.

    Of what the person said the opening is kept, the first message of the talk.
    """
    company = context.company
    if company is not None:
        opened = len(company.people)
        later = (said._replace(words=WITHHELD) for said in company.lines[opened:])
        without = company._replace(lines=(*company.lines[:opened], *later))
        return _asking_in_company(without, WITHHELD, context.topics)
    opening = context.talk[:1]
    later = len(_persons(context)) - len(opening)
    return _asking([*opening, *[from_user(WITHHELD)] * later], WITHHELD, context)


def _asking(talk: Sequence[Message], utterance: str, context: Context) -> Request:
    board = _board(context.topics)
    lines, last = as_lines(talk, user=_PERSON), f'{{"utterance": {quoted(utterance)}}}'
    wanted = f"{board.topics}talk:\n{lines}\ntold: {board.told}\n\nutterance:\n{last}"
    return Request(PURPOSE, (_rules(), from_user(wanted)), board.schema)


def _asking_in_company(company: Company, utterance: str, topics: tuple[Topic, ...]) -> Request:
    """Return the request of a talk of several: the topics are those of whoever is spoken to."""
    board = _board(topics)
    wanted = (
        f"people: {_listed(company.people)}\ntalk:\n{by_name(company.lines)}{board.topics}"
        f"told: {board.told}\nspeaker: {quoted(company.speaker)}\nto: {_listed(company.to)}\n\n"
        f'utterance:\n{{"utterance": {quoted(utterance)}}}'
    )
    return Request(PURPOSE, (_rules_in_company(), from_user(wanted)), board.schema)


def read_appraisal(reply: str, utterance: str, context: Context) -> Reading:
    """Return what a model's reply says of an utterance, as far as code can bear it out.

    Dropped with a note is evidence that names what does not exist, quotes what was not said, or
    repeats itself; evidence from a text that is addressed to a machine is replaced by the
    detector's. The same arguments always give the same reading.

    Raises:
        UnparseableReply: If the reply is not the object that was asked for.
    """
    rows = entries(parsed(reply, what="the appraisal"), "evidence")
    notes: list[str] = []
    if len(rows) > MAX_EVIDENCE:
        notes.append(f"{len(rows) - MAX_EVIDENCE} entries were dropped: there is no room for them")
    found = _found(rows[:MAX_EVIDENCE], utterance, context, notes) if rows else ()
    if found:
        found = _outside(found, detect_manipulation(utterance), notes)
    if len(notes) > MAX_NOTES:
        notes[MAX_NOTES:] = [f"{len(notes) - MAX_NOTES} more entries were dropped"]
    return Reading(found, tuple(notes))


class _Board(NamedTuple):
    """What depends on the topics alone."""

    topics: str
    told: str
    schema: Mapping[str, Any]


@cache
def _rules() -> Message:
    return from_system(load_prompt("appraise").text)


@cache
def _rules_in_company() -> Message:
    rules, company = (load_prompt(name).text for name in ("appraise", "appraise-company"))
    return from_system(f"{rules}\n\n{company}")


@lru_cache(maxsize=1024)
def _board(topics: tuple[Topic, ...]) -> _Board:
    # What has been told changes during a talk, so it stands behind what does not.
    lines = [
        f'{{"id": {quoted(topic.id)}, "kind": "{topic.kind}", "words": {_listed(topic.words)}}}\n'
        for topic in topics
    ]
    told = _listed([topic.id for topic in topics if topic.told])
    listed = f"topics:\n{''.join(lines)}\n"
    return _Board(listed, told, appraisal_schema(tuple(topic.id for topic in topics)))


def _listed(words: Sequence[str]) -> str:
    return f"[{', '.join(map(quoted, words))}]"


@lru_cache(maxsize=256)
def appraisal_schema(topics: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the JSON Schema of an appraisal, given the ids of the topics."""
    topic: dict[str, Any] = {"type": "null"}
    if topics:
        topic = {"type": ["string", "null"], "enum": [*topics, None]}
    entry = {
        # The words before what they do: a model writes in this order.
        "quote": {"type": "string"},
        "answers": {"type": "string"},
        "act": {"type": "string", "enum": list(ACTS)},
        "about": {"type": "string", "enum": list(ABOUTS)},
        "intensity": {"type": "string", "enum": list(_STRENGTHS)},
        "topic": topic,
    }
    evidence = {"type": "array", "maxItems": MAX_EVIDENCE, "items": _closed(entry)}
    return Schema(_closed({"evidence": evidence}))


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _found(rows: Sequence[Fields], utterance: str, context: Context, notes: list[str]) -> Appraisal:
    """Return the evidence of those entries that are borne out, by its place."""
    heard = _answered(context)
    ties = Ties(utterance, heard=heard, said=context.said)
    known = {topic.id: topic for topic in context.topics}
    found: dict[tuple[Act, int], Evidence] = {}
    for row in rows:
        try:
            act, (start, end) = choice(row, "act", ACTS), _quote(row, utterance)
            about, strength = choice(row, "about", ABOUTS), choice(row, "intensity", _WORDED)
            answers = text(row, "answers")
        except UnparseableReply as reason:
            notes.append(f"dropped: {str(reason)[:MAX_NOTE]}")
            continue
        sentence = ties.sentence(start)
        if (act, sentence) in found:
            notes.append(f"dropped: {act} stands twice in a sentence")
            continue
        topic = _topic(row, known, notes)
        found[act, sentence] = Evidence(
            act,
            utterance[start:end],
            start,
            end,
            _intensity(act, _STRENGTHS[strength], topic),
            about,
            topic.id if topic else None,
            (topic is not None and topic.told) or ties.answers(answers),
            ties.repeated(sentence),
        )
    return tuple(sorted(found.values(), key=attrgetter("start", "end", "act")))


def _quote(row: Fields, utterance: str) -> tuple[int, int]:
    quote = text(row, "quote")
    found = place(quote, utterance)
    if found is None:
        raise UnparseableReply(f"the quote {_short(quote)} was not said")
    return found


def _topic(row: Fields, known: Mapping[str, Topic], notes: list[str]) -> Topic | None:
    name = row.get("topic")
    if not name:
        return None
    topic = known.get(name) if isinstance(name, str) else None
    if topic is None:
        notes.append(f"left out: there is no topic {_short(str(name))}")
    return topic


def _intensity(act: str, given: float, topic: Topic | None) -> float:
    """Strong words make harm worse, and help no better: there, the right feeling does."""
    if act in HARMFUL:
        return given
    named = act in ("reflection", "validation") and topic is not None and topic.kind == "feeling"
    return given if named else min(given, 1.0)


def _outside(found: Appraisal, wrong: Appraisal, notes: list[str]) -> Appraisal:
    """Leave out what stands in text that is addressed to a machine, and say what that is."""
    if not wrong:
        return found
    kept = tuple(
        one for one in found if all(one.end <= bad.start or bad.end <= one.start for bad in wrong)
    )
    if len(kept) < len(found):
        notes.append(f"{len(found) - len(kept)} entries were dropped: manipulation stands there")
    every = (*kept, *wrong)
    return tuple(sorted(every, key=attrgetter("start", "end", "act")))


def _persons(context: Context) -> list[Message]:
    """Return what the person has said, as messages."""
    said = [message for message in context.talk if message["role"] == "user"]
    return said or [from_user(turn) for turn in (*context.earlier, context.heard)]


def _answered(context: Context) -> list[str]:
    """Return what was said by those whom the utterance is said to."""
    company = context.company
    if company is None:
        return [said["content"] for said in _persons(context)]
    return [said.words for said in company.lines if said.name in company.to]


def _short(given: str) -> str:
    return quoted(given[:_NOTED])
