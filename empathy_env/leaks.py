"""What a reply gives away: facts, feelings, beliefs and the need that no gate has let out yet.

A reply is compared with what each item is told in: its lines, its prose and its keywords. What
counts are words that are distinctive of the item: neither small words, nor words of what the
person may say at any time, nor words that have been said aloud by anybody. Their occupation is
known to all. Somebody who answers "no, it is not about my brother" to the agent's own guess has
given nothing away.

Words find a telling and its light paraphrases, not every paraphrase; docs/live-users.md has the
measured recall. So what is hidden is best kept where it cannot leak: out of the prompt.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import fsum
from typing import Final, Generic, NamedTuple, TypeVar, cast

from empathy_env.acts import Need
from empathy_env.cues import plain, tables
from empathy_env.persona import Belief, Fact, Feeling, NeedVariant, Persona
from empathy_env.stems import WORD, everyday, stem, stems_of

ENOUGH: Final = 1.25
"""Weight of an item's words from which a reply tells it. A word of its line or a keyword weighs 1,
shared with n other items 1 / sqrt(n + 1) of that, and one that is in everybody's mouth, or in the
person's own example lines, two fifths; a keyword seven tenths."""
_PROSE: Final = 0.8
_MORE: Final = 0.6
_USUAL: Final = 0.4
_KEYWORD: Final = 0.7
_RUNS: Final = 3
"""So many runs of three words of an item's own lines are a piece of the line itself."""

K = TypeVar("K")
T = TypeVar("T")


class Leaks(NamedTuple):
    """What a reply gives away too early.

    Attributes:
        items: Ids of this episode's facts, feelings and beliefs.
        others: Ids of facts that only another need of the persona tells.
        need: True if it says outright what the person wants of the talk.
    """

    items: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    need: bool = False

    @property
    def any(self) -> bool:
        """Whether there is something."""
        return bool(self.items or self.others or self.need)


def given_away(
    persona: Persona,
    variant: NeedVariant,
    told: Collection[str],
    reply: str,
    *,
    known: Sequence[str] = (),
) -> Leaks:
    """Return what a reply tells that has not been told.

    Args:
        persona: Who speaks.
        variant: What they need in this episode.
        told: Ids of what has been told, and of what this reply is meant to tell.
        reply: What they say.
        known: What has been said aloud before by anybody; the opening need not be among it.
    """
    index = index_of(persona)
    low = plain(reply)
    words = WORD.findall(low)
    found = _touched(index, words, low)
    named = _NEEDS.search(low) is not None and not any(f.id in told for f in variant.facts)
    if not found:
        return Leaks(need=True) if named else Leaks()
    own = {fact.id for fact in variant.facts}
    fresh = _fresh(index, told, words, known)
    items: list[str] = []
    others: list[str] = []
    for number in sorted(found):
        item = index.items[number]
        foreign = item.need not in ("", variant.need)
        if item.id in told or (foreign and item.id in own) or not _tells(index, number, fresh):
            continue
        (others if foreign else items).append(item.id)
    return Leaks(tuple(items), tuple(dict.fromkeys(others)), named)


def tells(line: str, reply: str) -> bool:
    """Whether a reply holds any word with content of a line, or the line has none."""
    wanted = stems_of(line)
    return not wanted or not wanted.isdisjoint(stems_of(reply))


def touches(persona: Persona, text: str) -> tuple[str, ...]:
    """Return ids of all gated items that a text shares a single distinctive word with.

    Far stricter than `given_away`: for prose that stands in a prompt.
    """
    index = index_of(persona)
    near = {number for stem in stems_of(text) for number, _ in index.by_stem.get(stem, ())}
    return tuple(dict.fromkeys(index.items[number].id for number in sorted(near)))


def reveals(persona: Persona, text: str) -> bool:
    """Whether a text tells anything gated, of any need, or names one.

    For prose that stands in a prompt: unlike in a reply, that the person may use the same words at
    any time is no excuse.
    """
    low = plain(text)
    found = _touched(index_of(persona), WORD.findall(low), low)
    return bool(found) or _NEEDS.search(low) is not None


def harmless(persona: Persona, texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts that reveal nothing; each is judged together with those yielded before."""
    kept = ""
    for text in texts:
        longer = f"{kept}\n{text}"
        if not reveals(persona, longer):
            kept = longer
            yield text


class _Item(NamedTuple):
    """Something that can be told.

    Attributes:
        id: Its id.
        need: The need whose own fact it is; "" if it is told with every need.
        stems: All its words with content.
        runs: All runs of three words of its lines.
        named: For a feeling, the stems that name it.
    """

    id: str
    need: Need | str
    stems: frozenset[str]
    runs: frozenset[int]
    named: frozenset[str]


class _Index(NamedTuple):
    """All that can be told by a persona, by the words it is known by; gated items only.

    Attributes:
        items: All items, those without a gate among them.
        by_stem: For a distinctive stem the numbers of its items and what it weighs there.
        by_run: For a run of three words the numbers of the items whose line it is from.
        by_name: For the name of a feeling the numbers of the feelings.
        free: All runs of three words of what the person may say at any time.
    """

    items: tuple[_Item, ...]
    by_stem: Mapping[str, tuple[tuple[int, float], ...]]
    by_run: Mapping[int, tuple[int, ...]]
    by_name: Mapping[str, tuple[int, ...]]
    free: frozenset[int]


class _Fresh(NamedTuple):
    """Of a reply, what is neither a line that may be said at any time nor has been said before."""

    stems: frozenset[str]
    runs: frozenset[int]
    named: frozenset[str]


def _touched(index: _Index, words: Sequence[str], low: str) -> set[int]:
    """Return the numbers of the items that the reply would tell, had nothing been said before."""
    stems = frozenset(map(stem, words))
    weights: defaultdict[int, list[float]] = defaultdict(list)
    for one in index.by_stem.keys() & stems:
        for number, weight in index.by_stem[one]:
            weights[number].append(weight)
    found = {number for number, own in weights.items() if _enough(own)}
    runs = index.by_run.keys() & _runs(words)
    if len(runs) >= _RUNS:
        counts = Counter(number for run in runs for number in index.by_run[run])
        found.update(number for number, count in counts.items() if count >= _RUNS)
    names = index.by_name.keys() & stems
    if names:
        for name in _felt(low, names):
            found.update(index.by_name[name])
    return found


def _fresh(
    index: _Index, told: Collection[str], words: Sequence[str], known: Sequence[str]
) -> _Fresh:
    said = [item for item in index.items if item.id in told]
    old = frozenset[str]().union(*(item.stems for item in said), *map(stems_of, known))
    old_runs = frozenset[int]().union(*(item.runs for item in said), *map(_runs_of, known))
    own = list(words)
    for place, run in enumerate(_runs(words)):
        if run in index.free:
            own[place : place + 3] = [""] * 3
    left = frozenset(map(stem, own)) - old
    named = _felt(" ".join(own), index.by_name.keys() & left)
    return _Fresh(left, frozenset(_runs(words)) - old_runs, frozenset(named))


def _tells(index: _Index, number: int, fresh: _Fresh) -> bool:
    if fresh.named & index.items[number].named:
        return True
    near = (pair for one in fresh.stems for pair in index.by_stem.get(one, ()))
    if _enough(weight for item, weight in near if item == number):
        return True
    return sum(number in index.by_run.get(run, ()) for run in fresh.runs) >= _RUNS


def _enough(weights: Iterable[float]) -> bool:
    # They come in the order of a set, which is another in each run of Python: a plain sum would
    # round differently, and some lines of the library weigh exactly enough.
    return fsum(weights) >= ENOUGH - 1e-9


def _felt(low: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the feelings that the person claims; what they deny, or see in others, they do not."""
    wanted = frozenset(names)
    for sentence in _SENTENCE.split(low) if wanted else ():
        words = WORD.findall(sentence)
        own = not _OWN.isdisjoint(words) or len(words) < _SHORT
        for place, word in enumerate(words):
            if (
                own
                and stem(word) in wanted
                and _DENIAL.isdisjoint(words[max(0, place - 3) : place])
            ):
                yield stem(word)


_SENTENCE: Final = re.compile(r"[.!?;\n]+")
_SHORT: Final = 5
"""A sentence of fewer words needs no "I" to be about oneself: "Scared, mostly." """
_OWN: Final = frozenset("i im me my myself we".split())
_DENIAL: Final = frozenset("not never no nor isn wasn don didn aren ain nobody he she they".split())

_NEEDS: Final = re.compile(
    r"\bi(?:'d)?(?: just| only| really| would)* (?:need|want|wanted|like|came for|was hoping for)"
    r"(?: you| someone| somebody| is| for| to)*(?: some| your| a| an| bit| of| honest| practical)* "
    r"(?:advice|listen|be heard|be listened to|be understood|understand me|praise|be praised|"
    r"hear (?:that )?it (?:is|was)(?:n't| not) my fault|be forgiven|forgiveness|be told what to do|"
    r"tell me what to do|criticism|second opinion|feedback|empathy|recognition)\b"
    r"|\b(?:just|please) (?:listen to me|tell me what to do|"
    r"tell me it (?:is|was)(?:n't| not) my fault)\b"
)
"""What names one of the eight needs outright."""


def index_of(persona: Persona) -> _Index:
    """Return the persona's index; the latest ones are kept."""
    return _kept_index(Same(persona))


class Same(Generic[T]):
    """A key that is equal for the same object only: a persona's own hash reads all of it."""

    __slots__ = ("value",)

    def __init__(self, value: T):
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is cast("Same[object]", other).value


@lru_cache(maxsize=256)
def _kept_index(key: Same[Persona]) -> _Index:
    persona = key.value
    told = [(item, "") for item in (*persona.facts, *persona.feelings, *persona.beliefs)]
    told += [(fact, variant.need) for variant in persona.needs for fact in variant.facts]
    weights = [_weights(item) for item, _ in told]
    open_ = (weights[number] for number, (item, _) in enumerate(told) if item.gate is None)
    said = stems_of(f"{persona.opening} {persona.identity.occupation}").union(*open_)
    usual = everyday() | _usual(persona)
    shared = Counter(one for own in weights for one in own)
    keywords = [stems_of(" ".join(item.words)) for item, _ in told]
    free = frozenset[int]().union(*map(_runs_of, _free_lines(persona)))
    by_stem: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    by_run: defaultdict[int, list[int]] = defaultdict(list)
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    items: list[_Item] = []
    for number, (item, need) in enumerate(told):
        lines = (item.says, *item.more)
        runs, named = frozenset[int]().union(*map(_telling, lines)), _names(item) - said
        items.append(_Item(item.id, need, frozenset(weights[number]), runs, named))
        if item.gate is None:
            continue
        for one, weight in weights[number].items():
            if one not in said:
                if one in usual:
                    weight *= _KEYWORD if one in keywords[number] else _USUAL
                by_stem[one].append((number, weight / shared[one] ** 0.5))
        for run in runs - free:
            by_run[run].append(number)
        for name in named:
            by_name[name].append(number)
    return _Index(tuple(items), _fixed(by_stem), _fixed(by_run), _fixed(by_name), free)


def _fixed(lists: Mapping[K, list[T]]) -> dict[K, tuple[T, ...]]:
    return {key: tuple(values) for key, values in lists.items()}


def _weights(item: Fact | Feeling | Belief) -> dict[str, float]:
    prose = f"{item.believes} {item.truth}" if isinstance(item, Belief) else item.text
    found = dict.fromkeys(stems_of(" ".join(item.more)), _MORE)
    found |= dict.fromkeys(stems_of(prose), _PROSE)
    return found | dict.fromkeys(stems_of(" ".join((item.says, *item.words))), 1.0)


def _names(item: Fact | Feeling | Belief) -> frozenset[str]:
    if not isinstance(item, Feeling):
        return frozenset()
    feelings = tables().lists["feeling"]
    return frozenset(stem(word) for word in item.words if word in feelings) - _LOOSE


_LOOSE: Final = frozenset("sorry fine free flat low down tir empty".split())
"""Stems of feelings' names that are as often said without the feeling."""


def _usual(persona: Persona) -> frozenset[str]:
    """Return the words of all that the person may say at any time, and their name."""
    return stems_of(persona.identity.name).union(*map(stems_of, _free_lines(persona)))


def _free_lines(persona: Persona) -> Iterator[str]:
    yield persona.opening
    for fact in persona.facts:
        if fact.gate is None:
            yield from (fact.text, fact.says, *fact.more)
    own = (variant.lines for variant in persona.needs)
    for lines in (persona.voice.lines, persona.voice.answers, *own):
        for _, group in lines:
            yield from group


@lru_cache(maxsize=4096)
def _runs_of(text: str) -> frozenset[int]:
    return frozenset(_runs(WORD.findall(plain(text))))


def _telling(line: str) -> frozenset[int]:
    """Return the runs of a line that hold a word with content: others are anybody's."""
    words, content = WORD.findall(plain(line)), stems_of(line)
    held = [stem(word) in content for word in words]
    runs = zip(_runs(words), held, held[1:], held[2:], strict=False)
    return frozenset(run for run, *one in runs if any(one))


def _runs(words: Sequence[str]) -> Iterator[int]:
    # By hash, which is looked up in a tenth of the time.
    return map(hash, zip(words, words[1:], words[2:], strict=False))
