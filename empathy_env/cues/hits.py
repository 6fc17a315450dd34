"""What the cues find in an utterance: which words perform which act, as far as rules can say.

The phrases are data (`empathy_env.cues`). What phrases cannot say is here: negation, quotation and
denial, which act silences which, who has the floor at the end, the user's own words said back, and
what is left when no phrase fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import repeat
from typing import Final, NamedTuple

from empathy_env.acts import ACTS, HARMFUL, Act
from empathy_env.cues import FRAME, Sentence, Tables, Text, tables, walk_all
from empathy_env.cues.earned import earned
from empathy_env.cues.ground import Ground
from empathy_env.cues.predicate import broken
from empathy_env.cues.tree import Cue, walk

MAX_EVIDENCE: Final = 24

_QUOTED: Final = re.compile(
    r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|„[^“”\n]{1,400}[“”]"
    r"|(?<!\w)'(?=\w)[^\n]{1,200}?(?<=[\w.!?,])'(?!\w)"
)
_NEGATION: Final = frozenset("not never no nobody none without nor hardly neither cannot".split())
# A sentence that begins with another "no" answers, and denies nothing of itself.
_NO: Final = frozenset(
    "one body longer reason need way use point doubt shame blame fault harm matter".split()
)

_WH_OPEN: Final = frozenset("what how why".split())
_WH_CLOSED: Final = frozenset("who when where which whose".split())
_HOW_CLOSED: Final = frozenset("many long much often old far late soon big".split())

_SUBJECTS: Final = frozenset(
    "you your he his she her they their it its that this these those there we the u ur".split()
)
_YOU: Final = frozenset(("you", "your", "yours", "yourself"))
_ME: Final = frozenset(("i", "me", "my", "mine", "myself"))

# Statements only, unless the cue asks for a question: to ask about an act is not to perform it.
_ASKABLE: Final = frozenset(
    "open_question closed_question suggestion blame dependency manipulation interpretation "
    "challenge dismissal hijack lecture abandonment".split()
)
_NEGATABLE: Final = frozenset(ACTS) - {"open_question", "closed_question", "manipulation"}

_VERBLESS: Final = ("suggestion", "closed_question")

_TURNING: Final = frozenset((*HARMFUL, "challenge", "suggestion", "information")) - {"manipulation"}

# One phrase performs one of these: the act on the left silences those on the right in a sentence.
_SILENCES: Final = {
    act: frozenset(quiet.split())
    for act, quiet in {
        "abandonment": "presence suggestion reassurance closed_question open_question information",
        "dependency": "presence suggestion reassurance overpromise closed_question open_question",
        "overpromise": "reassurance presence toxic_positivity information suggestion dismissal",
        "toxic_positivity": "reassurance suggestion affirmation information validation lecture",
        "dismissal": "reassurance validation suggestion information open_question closed_question",
        "blame": "open_question closed_question challenge suggestion affirmation information",
        "lecture": "information suggestion interpretation",
        "flattery": "affirmation reassurance open_question",
        "false_agreement": "interpretation information affirmation",
        "hijack": "self_disclosure open_question closed_question",
        "validation": "reflection information reassurance",
        "affirmation": "reassurance",
        "challenge": "closed_question interpretation",
        "suggestion": "closed_question open_question information",
        "open_question": "closed_question interpretation",
        "interpretation": "reflection closed_question information reassurance",
    }.items()
}


class Hit(NamedTuple):
    """An act and the words of a sentence that perform it."""

    act: str
    first: int
    last: int
    sentence: int


def cue_hits(text: Text, keys: list[tuple[str, ...]], known: Tables) -> list[Hit]:
    """All acts that cues find; for a harm that is negated or reported, `FRAME` instead."""
    hits: list[Hit] = []
    openers = known.lists["opener"]
    for number, sentence in enumerate(text.sentences):
        raw = walk_all(text, number, keys, known)
        for at in _beginnings(text.words, sentence, openers):
            if at < sentence.last and text.words[at] in known.openers:
                walk(known.opening, keys, at, sentence.last, raw, at)
        if raw:
            hits += _allowed(raw, text, number, keys)
    return hits


def _beginnings(words: tuple[str, ...], sentence: Sentence, openers: frozenset[str]) -> set[int]:
    """Where an opening cue may stand: a sentence or clause, less words such as "well" and "so"."""
    begins: set[int] = set()
    for at in (sentence.first, *sentence.clauses):
        begins.add(at)
        while at < sentence.last and words[at] in openers:
            at += 1
            begins.add(at)
    return begins


def _allowed(
    raw: list[tuple[Cue, int, int]], text: Text, number: int, keys: list[tuple[str, ...]]
) -> Iterator[Hit]:
    """The acts that these cues perform; a harm that is denied or reported is given as `FRAME`."""
    sentence = text.sentences[number]
    barred = [(c.act, first, last) for c, first, last in raw if c.bars]
    frames = [first for c, first, _ in raw if c.act == FRAME]
    alone = len(text.sentences) == 1
    for cue, first, last in raw:
        if cue.bars or cue.act == FRAME or (cue.final and last != sentence.last):
            continue
        if (cue.asks and not sentence.asks) or (cue.alone and not alone):
            continue
        if sentence.asks and (cue.tells or not (cue.asks or cue.act in _ASKABLE)):
            continue
        if any(act == cue.act and a < last and first < b for act, a, b in barred):
            continue
        if cue.act in _NEGATABLE and _undone(text.words, sentence, first, frames):
            if cue.act in HARMFUL:
                yield Hit(FRAME, first, last, number)
            continue
        if cue.act != "validation" or earned(text, keys, sentence, first, last):
            yield Hit(cue.act, first, last, number)


def _undone(words: tuple[str, ...], sentence: Sentence, first: int, frames: list[int]) -> bool:
    """Whether the words from here on are negated, or not the speaker's own."""
    clause = max((c for c in sentence.clauses if c <= first), default=sentence.first)
    for i in range(max(clause, first - 3), first):
        if words[i] not in _NEGATION or words[i + 1] in ("only", "just", "wonder"):
            continue
        if words[i] != "no" or i != sentence.first or words[i + 1] in _NO:
            return True
    return any(f < first and "but" not in words[f:first] for f in frames)


def masked(
    text: Text, known: Tables, spans: list[tuple[int, int]], unknown: tuple[str, ...] = ()
) -> list[tuple[str, ...]]:
    """The keys of all words; those inside the spans have none, so that no cue begins there.

    Words that no cue has are given the keys `unknown`.
    """
    keys = [*map(known.keys.get, text.words, repeat(unknown))]
    for number in range(len(text.sentences)) if spans else ():
        first = text.sentences[number].first
        for i, (at, _) in enumerate(text.places(number), first):
            if any(start <= at < end for start, end in spans):
                keys[i] = ()
    return keys


def quoted_in(low: str) -> list[tuple[int, int]]:
    """The places of what stands between quotation marks."""
    # An apostrophe inside a word opens no quotation.
    if low[:1] == "'" or '"' in low or " '" in low or not low.isascii():
        spans = [m.span() for m in _QUOTED.finditer(low)]
        # Who puts most of what they say between quotation marks says it.
        return spans if 2 * sum(b - a for a, b in spans) <= len(low.strip()) else []
    return []


def shunned_in(
    text: Text, known: Tables, quoted: list[tuple[int, int]], hits: list[Hit], spans: set[int]
) -> set[int]:
    """Sentences that hold a harm which is quoted, denied or reported, or a piece of these spans.

    Nothing is read into their build.
    """
    shunned = spans | {hit.sentence for hit in hits if hit.act == FRAME}
    if quoted:
        bare = cue_hits(text, masked(text, known, []), known)
        shunned |= {hit.sentence for hit in bare if hit.act in HARMFUL}
    return shunned


def inside(text: Text, spans: list[tuple[int, int]], touching: bool = False) -> set[int]:
    """Sentences most of which lies inside an injection, or that touch one."""
    found: set[int] = set()
    for number in range(len(text.sentences)) if spans else ():
        start, end = text.place(number)
        least = 0 if touching else end - start
        if any(2 * (min(b, end) - max(a, start)) > least for a, b in spans):
            found.add(number)
    return found


def copies(text: Text, ground: Ground) -> set[int]:
    """Sentences that only give the user's last words back unchanged."""
    if ground.copied(0, len(text.words)):
        return set(range(len(text.sentences)))
    return {n for n, s in enumerate(text.sentences) if ground.copied(s.first, s.last)}


def quieted(hits: list[Hit]) -> list[Hit]:
    """Without what another act of the same sentence silences."""
    acts: dict[int, set[str]] = {}
    for hit in hits:
        acts.setdefault(hit.sentence, set()).add(hit.act)
    mute = {
        n: {q for act in found for q in _SILENCES.get(act, ())} if len(found) > 1 else ()
        for n, found in acts.items()
    }
    return [hit for hit in hits if hit.act not in mute[hit.sentence]]


def said(hits: list[Hit], text: Text) -> list[Hit]:
    """Without the helpful acts of clauses that are opened and say nothing.

    Suggestions and closed questions need no verb ("perhaps your sister?"), and harm is not undone
    by breaking off.
    """
    ends: dict[int, int] = {}
    for number in {hit.sentence for hit in hits}:
        first, last, *_ = text.sentences[number]
        at = broken(text.words[first:last])
        ends[number] = last if at is None else first + at
    return [
        hit
        for hit in hits
        if hit.last <= ends[hit.sentence] or hit.act in HARMFUL or hit.act in _VERBLESS
    ]


def floored(hits: list[Hit], text: Text) -> list[Hit]:
    """Decides between disclosure and hijack by who has the floor at the end."""
    acts = {hit.act for hit in hits}
    if not acts & {"self_disclosure", "hijack"}:
        return hits
    s = text.sentences[-1]
    tail = text.words[s.first : s.last]
    returned = s.asks or not _YOU.isdisjoint(tail) or "carry" in tail or "go" in tail
    act = "self_disclosure" if returned and "hijack" not in acts else "hijack"
    if act == "hijack" and "hijack" not in acts:
        mine = sum(not _ME.isdisjoint(text.words[s.first : s.last]) for s in text.sentences)
        act = "hijack" if mine > 2 and 2 * mine > len(text.sentences) else "self_disclosure"
    both = ("self_disclosure", "hijack")
    return [hit._replace(act=act) if hit.act in both else hit for hit in hits]


def remaining(
    text: Text,
    keys: list[tuple[str, ...]],
    ground: Ground,
    taken: set[int],
    found: list[Hit],
) -> list[Hit]:
    """Acts that show in the build of a sentence and not in a phrase."""
    hits: list[Hit] = []
    # Beside a reproach or the like, the user's words are turned against them, not given back.
    wry = not _TURNING.isdisjoint([hit.act for hit in found])
    taken = taken | {hit.sentence for hit in found}
    for number, s in enumerate(text.sentences):
        if number in taken or len(hits) > MAX_EVIDENCE:
            continue
        words = text.words[s.first : s.last]
        act = question(text, s) if s.asks else _statement(words, keys, s, number, ground)
        if act == "restatement" and wry:
            continue
        if act:
            hits.append(Hit(act, s.first, s.last, number))
    return hits


def question(text: Text, s: Sentence) -> Act:
    """Which kind of question a sentence asks, by its first words."""
    words = text.words[s.first : s.last]
    for begin in (0, *(c - s.first for c in s.clauses)):
        head = words[begin : begin + 4]
        for i, word in enumerate(head):
            if word in _WH_CLOSED or (
                word == "how" and head[i + 1 : i + 2] and head[i + 1] in _HOW_CLOSED
            ):
                return "closed_question"
            if word in _WH_OPEN:
                return "open_question"
    return "closed_question"


def _statement(
    words: tuple[str, ...], keys: list[tuple[str, ...]], s: Sentence, number: int, ground: Ground
) -> str | None:
    # Few sentences have such a word at all, which is soon seen; one that is masked has no keys.
    named = not tables().lists["feeling"].isdisjoint(words)
    feels = named and any("<feeling>" in k for k in keys[s.first : s.last])
    yours = not _YOU.isdisjoint(words)
    if feels:
        return "reflection" if yours and _ME.isdisjoint(words) else None
    if len(words) < 4 or _SUBJECTS.isdisjoint(words) or not _ME.isdisjoint(words):
        return None
    if ground.shared(number) and ground.formed(number):
        return "restatement"
    return None
