"""What an utterance is tied to: topics, the words of the user, the agent's earlier words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise, repeat
from typing import Final

from empathy_env.acts import Context
from empathy_env.cues import Sentence, Text, plain, read, tables
from empathy_env.cues.fluency import fluent


@lru_cache(maxsize=16384)
def _stem(word: str) -> str:
    """A word without its commonest endings, enough to know "boxes" and "walked" again."""
    for tail, least in (("ies", 5), ("ied", 5), ("ing", 6), ("ed", 5), ("es", 5), ("s", 4)):
        if word.endswith(tail) and len(word) >= least:
            word = word[: -len(tail)] + ("y" if tail in ("ies", "ied") else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lse":
        return word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] == "e" else word


@lru_cache(maxsize=16384)
def _content(word: str) -> str:
    """The stem of a word with content; "" for another."""
    return _stem(word) if len(word) > 3 and word not in tables().lists["stop"] else ""


class _Turn:
    """What the user said in a turn; what is not asked for is not worked out.

    Attributes:
        words: The plain words, with a space before, between and after.
        stems: The stems with content.
    """

    def __init__(self, turn: str) -> None:
        self._text = read(plain(turn))
        self._every = tuple(map(_stem, self._text.words))
        self.words = f" {' '.join(self._text.words)} "
        self.stems = frozenset(map(_content, self._text.words)) - {""}

    @cached_property
    def pairs(self) -> frozenset[tuple[str, ...]]:
        """Pairs of stems with content that stand close together, and what stands between them."""
        found = [_pairs(self._text.words, self._every, s, self.stems) for s in self._text.sentences]
        return frozenset(pair for pairs in found for pair in pairs)

    @cached_property
    def neighbours(self) -> frozenset[tuple[str, str]]:
        """Each two words that stand side by side."""
        return frozenset(pairwise(self._text.words))

    @cached_property
    def sentences(self) -> tuple[frozenset[str], ...]:
        """The stems with content of each sentence."""
        return tuple(
            self.stems.intersection(self._every[s.first : s.last]) for s in self._text.sentences
        )

    @cached_property
    def nouns(self) -> frozenset[str]:
        """The stems with content that stand where a noun can: up to two after "the" or "with"."""
        words, stems = self._text.words, self._every
        return frozenset(
            stems[i]
            for s in self._text.sentences
            for i in range(s.first, s.last)
            if stems[i] in self.stems and _nominal(words[max(s.first, i - 2) : i])
        )


def _nominal(before: Sequence[str]) -> bool:
    """Whether a noun can stand after these one or two words."""
    if not before:
        return False
    if before[-1] in _BEFORE_NOUNS:
        return True
    function = tables().lists["function"]
    return before[0] in _BEFORE_NOUNS and before[-1] not in function


@lru_cache(maxsize=1024)
def _told(turn: str) -> _Turn:
    return _Turn(turn)


_APART: Final = 4
_LOOSE: Final = frozenset(
    "i you he she we they me us my your our his her their its it the a an this that these those am "
    "is are was were be been have has had just so".split()
)


def _pairs(
    words: Sequence[str], stems: Sequence[str], s: Sentence, content: frozenset[str]
) -> list[tuple[str, ...]]:
    """Each two content words of a sentence that stand close together, with what links them.

    Words that change with who speaks, and such as "the", may come or go between them.
    """
    places = [i for i in range(s.first, s.last) if stems[i] in content]
    return [
        (stems[a], *(stems[i] for i in range(a + 1, b) if words[i] not in _LOOSE), stems[b])
        for n, a in enumerate(places)
        for b in places[n + 1 : n + 1 + _APART]
        if b - a <= _APART and stems[a] != stems[b]
    ]


@lru_cache(maxsize=1024)
def _runs_of(said: str) -> frozenset[int]:
    """All runs of three words in an utterance."""
    return frozenset(_runs(read(plain(said)).words))


def _runs(words: tuple[str, ...]) -> list[int]:
    # By hash, which is looked up in a tenth of the time; that two runs share one is not to be
    # expected in a lifetime of talks.
    return [*map(hash, zip(words, words[1:], words[2:], strict=False))]


@lru_cache(maxsize=256)
def _topic_index(
    topics: tuple[tuple[str, ...], ...],
) -> dict[str, tuple[tuple[tuple[str, ...], int], ...]]:
    """From the first stem of a topic's word or phrase to its other stems and the topic's number."""
    index: dict[str, tuple[tuple[tuple[str, ...], int], ...]] = {}
    for number, phrases in enumerate(topics):
        for phrase in phrases:
            words = [_stem(w) for w in read(plain(phrase)).words]
            if words:
                index[words[0]] = (*index.get(words[0], ()), (tuple(words[1:]), number))
    return index


@lru_cache(maxsize=256)
def _felt(feelings: tuple[tuple[str, ...], ...]) -> tuple[bool, frozenset[str]]:
    """Whether there are feelings, and the stems of the single words for them."""
    return bool(feelings), frozenset(_stem(word) for words in feelings for word in words)


_ARTICLES: Final = frozenset("the a an of its your his her their my our".split())
_BEFORE_NOUNS: Final = _ARTICLES | frozenset(
    "this that these those some any no all each every both either neither such another one two "
    "three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred of "
    "in on at by with for from about into onto over under after before between through during "
    "without against around behind beside near across along past".split()
)
_FIRST: Final = frozenset("i me my".split())
_RECENT: Final = 4
"""For so many turns the agent's frames are remembered."""
_FRAME: Final = 3
"""So many runs of three words make a frame."""
_MOST_SOURCES: Final = 3
"""Who takes words from more of the user's sentences than this into one has drawn a lot."""
_MOST_OWN: Final = 4
"""Who brings more words of their own than this into one has left what was said before it."""
_MOST_TOPICS: Final = 3
"""Who names more than this in one sentence addresses nothing."""


class Ground:
    """What an utterance can be tied to: the topics, the user's words and the agent's own."""

    def __init__(self, text: Text, context: Context) -> None:
        self._text = text
        self._topics = context.topics
        self._said = context.said
        turns = [_told(turn) for turn in (context.heard, *context.earlier)]
        self._turns = turns
        self._last, self._heard = turns[0].words, turns[0].stems
        self._told = self._heard.union(*[turn.stems for turn in turns[1:]])
        self._index = _topic_index(tuple([t.words for t in context.topics]))
        self._felt = _felt(tuple([t.words for t in context.topics if t.kind == "feeling"]))
        self._stems = tuple(map(_stem, text.words))
        self._shares: dict[int, tuple[int, int]] = {}
        self._found: dict[int, dict[int, int]] = {}

    def share(self, number: int) -> tuple[int, int]:
        """How many content words a sentence has, and how many of them the user has said."""
        if number not in self._shares:
            s = self._text.sentences[number]
            content = set(map(_content, self._text.words[s.first : s.last]))
            content.discard("")
            self._shares[number] = len(content), len(self._told & content)
        return self._shares[number]

    def shared(self, number: int) -> bool:
        """Whether two content words, and a third of them all, are the user's."""
        content, told = self.share(number)
        return told > 1 and 3 * told >= content

    def told_in(self, piece: str) -> bool:
        """Whether the words of this piece are one run of the user's last turn."""
        words = read(piece).words
        return bool(words) and f" {' '.join(words)} " in self._last

    def formed(self, number: int, least: int = 4, share: float = 0.4) -> bool:
        """Whether a sentence is built like one, of so many words, and has small words enough."""
        s = self._text.sentences[number]
        size = s.last - s.first
        if size < least:
            return False
        small = map(tables().lists["function"].__contains__, self._text.words[s.first : s.last])
        return sum(small) >= share * size

    def _feelings(self, number: int) -> tuple[int, int]:
        """How many feelings that there are a sentence names, and how many that there are not.

        A word for a feeling that the user has used of themselves is neither.
        """
        if not self._felt[0]:
            return 0, 0
        s = self._text.sentences[number]
        named = tables().lists["feeling"].intersection(self._text.words[s.first : s.last])
        new = [w for w in named if _stem(w) not in self._felt[1]]
        wrong = [w for w in new if not any(f" {w} " in turn.words for turn in self._turns)]
        right = [t for t in self._matched(number) if self._topics[t].kind == "feeling"]
        return len(right), len(wrong)

    def named(self, number: int) -> float:
        """How well a sentence names what is felt.

        Returns:
            0.75 if it names a feeling that there is not and that the user has not named, else 1.25
            if it names one that there is, else 1.0.
        """
        right, wrong = self._feelings(number)
        return 0.75 if wrong else 1.25 if right else 1.0

    def guessed(self, number: int) -> bool:
        """Whether a sentence names more feelings that there are not than such as there are."""
        right, wrong = self._feelings(number)
        return wrong > right

    def _matched(self, number: int) -> dict[int, int]:
        """How many words of each topic this sentence has."""
        if number in self._found:
            return self._found[number]
        s = self._text.sentences[number]
        found = self._found[number] = dict[int, int]()
        if self._index.keys().isdisjoint(self._stems[s.first : s.last]):
            return found
        named = map(self._index.get, self._stems[s.first : s.last], repeat(()))
        for i, phrases in enumerate(named, s.first):
            for rest, topic in phrases:
                if not rest or self._stems[i + 1 : min(i + 1 + len(rest), s.last)] == rest:
                    found[topic] = found.get(topic, 0) + 1 + len(rest)
        return found

    def tie(self, number: int) -> tuple[str | None, bool]:
        """The topic that a sentence addresses, and whether it is tied to what was said."""
        found, own, on = self._matched(number), self._own(number), -1
        if self._may_lean(number) and not own and not self._footing(found):
            # "That sounds exhausting" and "What was the walk like?" lean on the sentence before,
            # "It was not your fault" also on the one after: what they ask of that has not been
            # told yet takes only its footing from there.
            on = self._support(number)
            beside = self._matched(on) if on >= 0 else {}
            own = on >= 0 and (self._own(on) or bool(found))
            found = found or beside
        if len(found) > _MOST_TOPICS:
            return None, False
        if not found:
            return None, own and self._built(number, on) and self._sane(number)
        topic = self._topics[max(found, key=lambda t: (self._topics[t].told, found[t], -t))]
        tied = own or topic.told or (topic.kind == "feeling" and self._near(number))
        return topic.id, tied and self._built(number, on) and self._sane(number)

    def _footing(self, found: Iterable[int]) -> bool:
        return any(self._topics[t].told for t in found)

    def _support(self, number: int) -> int:
        """The sentence that this one leans on: that before it, or else that after it, or -1."""
        last = len(self._text.sentences) - 1
        beside = [n for n in (number - 1, number + 1) if 0 <= n <= last]
        return next((n for n in beside if self._own(n) or self._footing(self._matched(n))), -1)

    def _may_lean(self, number: int) -> bool:
        """Whether a sentence is short of matter of its own."""
        content, told = self.share(number)
        return content - told <= _MOST_OWN

    def _sane(self, number: int) -> bool:
        """Whether the user's words are given back as somebody would who knows what they mean.

        Not so if a word of theirs that is no topic's, and that they have not used where a noun can
        stand, follows an article ("the walked"), if a piece of theirs stands unturned ("of my
        desk"), or if words come from too many of their sentences.
        """
        s = self._text.sentences[number]
        words, stems = self._text.words[s.first : s.last], self._stems[s.first : s.last]
        told = self._told.intersection(stems)
        for i in range(1, len(words)) if told else ():
            if stems[i] in told and words[i - 1] in _ARTICLES:
                shaped = words[i].endswith("ed") and i + 1 < len(words)  # "a slammed door"
                if not (shaped or stems[i] in self._index or self._noun(stems[i])):
                    return False
        if not _FIRST.isdisjoint(words):
            for run in zip(words, words[1:], words[2:], strict=False):
                if _FIRST.isdisjoint(run):
                    continue
                piece = f" {' '.join(run)} "
                if any(piece in turn.words for turn in self._turns):
                    return False
        return self._sources(told) <= _MOST_SOURCES

    def _noun(self, stem: str) -> bool:
        return any(stem in turn.nouns for turn in self._turns)

    def _sources(self, told: frozenset[str]) -> int:
        """From how many of the user's sentences these stems come, at least."""
        left, count = set(told), 0
        spoken = [stems for turn in self._turns for stems in turn.sentences] if told else []
        while left:
            best = max((left & stems for stems in spoken), key=len)
            left -= best
            count += 1
        return count

    def _built(self, number: int, on: int) -> bool:
        if on < 0:
            return self.formed(number) and self._fluent(number)
        formed = self.formed(number, 3, 1 / 3) and self.formed(on, 2)
        return formed and self._fluent(number) and self._fluent(on)

    def _fluent(self, number: int) -> bool:
        s = self._text.sentences[number]
        return fluent(self._text.words[s.first : s.last], self._neighbours)

    @cached_property
    def _neighbours(self) -> frozenset[tuple[str, str]]:
        """Each two words that stand side by side in what the user said."""
        return frozenset[tuple[str, str]]().union(*[turn.neighbours for turn in self._turns])

    def _own(self, number: int) -> bool:
        """Whether two content words stand together as in one of the user's turns."""
        s = self._text.sentences[number]
        stems = self._stems[s.first : s.last]
        if len(self._told.intersection(stems)) < 2:
            return False
        pairs = _pairs(self._text.words, self._stems, s, self._told)
        return any(not turn.pairs.isdisjoint(pairs) for turn in self._turns)

    def _near(self, number: int) -> bool:
        """Whether the sentence or its neighbour speaks of something told."""
        last = len(self._text.sentences)
        for n in range(max(0, number - 1), min(last, number + 2)):
            s = self._text.sentences[n]
            if not self._heard.isdisjoint(self._stems[s.first : s.last]):
                return True
            told = (self._topics[t] for t in self._matched(n))
            if any(t.told and t.kind == "fact" for t in told):
                return True
        return False

    def repeated(self, number: int) -> bool:
        """Whether half of a sentence, by runs of three words, was said before.

        So it is as well if that holds of the agent's own words in it, which frame the user's, and
        of the agent's last `_RECENT` turns.
        """
        if not self._said:
            return False
        s = self._text.sentences[number]
        if s.last - s.first < 3:
            phrase = f" {' '.join(self._text.words[s.first : s.last])} "
            turns = (read(plain(said)).words for said in self._said)
            return any(phrase in f" {' '.join(words)} " for words in turns)
        runs = _runs(self._text.words[s.first : s.last])
        every = set(runs)
        known = set[int]().union(*[every & _runs_of(said) for said in self._said])
        if not known or 2 * len(known) >= len(every):
            return bool(known)
        theirs = [stem in self._told for stem in self._stems[s.first : s.last]]
        frame = {
            run
            for run, borrowed in zip(runs, map(max, theirs, theirs[1:], theirs[2:]), strict=True)
            if not borrowed
        }
        late = set[int]().union(*[frame & _runs_of(said) for said in self._said[-_RECENT:]])
        return len(late) >= _FRAME and 2 * len(late) >= len(frame)

    def copied(self, first: int, last: int) -> bool:
        """Whether four fifths of these words are one run of the user's last turn."""
        size = last - first
        run = -(-4 * size // 5)
        words = self._text.words[first:last]
        # Wherever such a run begins, it holds the words in the middle: a cheap way out.
        if size < 5 or words[size // 2] not in self._last:
            return False
        if f" {' '.join(words[size - run : run])} " not in self._last:
            return False
        return any(f" {' '.join(words[i : i + run])} " in self._last for i in range(size - run + 1))
