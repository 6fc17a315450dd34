"""What an utterance is tied to: topics, the words of the user, the agent's earlier words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import repeat
from typing import Final

from empathy_env.acts import Context
from empathy_env.cues import Text, plain, read, tables


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
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Pairs of stems with content that stand close together, in their order."""
        return frozenset(_pairs(self._every, self.stems))

    @cached_property
    def sentences(self) -> tuple[frozenset[str], ...]:
        """The stems with content of each sentence."""
        return tuple(
            self.stems.intersection(self._every[s.first : s.last]) for s in self._text.sentences
        )

    @cached_property
    def before(self) -> dict[str, set[str]]:
        """For each stem with content the words that stand before it."""
        found: dict[str, set[str]] = {}
        for s in self._text.sentences:
            for i in range(s.first, s.last):
                if self._every[i] in self.stems:
                    word = self._text.words[i - 1] if i > s.first else ""
                    found.setdefault(self._every[i], set()).add(word)
        return found


@lru_cache(maxsize=1024)
def _told(turn: str) -> _Turn:
    return _Turn(turn)


_APART: Final = 4


def _pairs(stems: Sequence[str], content: frozenset[str]) -> list[tuple[str, str]]:
    """Each two content words that stand close together, in their order."""
    places = [i for i, stem in enumerate(stems) if stem in content]
    return [
        (stems[a], stems[b])
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


_ARTICLES: Final = frozenset("the a an of its your his her their my our".split())
_NO_NOUN_AFTER: Final = frozenset(
    "i you he she we they it to was were is am are be been has have had would could will can do "
    "did does not who and but then when so".split()
)
_FIRST: Final = frozenset("i me my".split())
_MOST_SOURCES: Final = 3
"""Who takes words from more of the user's sentences than this into one has drawn a lot."""
_MOST_TOPICS: Final = 3
"""Who names more than this in one sentence addresses nothing."""
_MOST_FEELINGS: Final = 3
"""Who names more than this in one sentence has guessed."""


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

    def named(self, number: int) -> float:
        """How well a sentence names what is felt.

        Returns:
            1.25 if it names a feeling that there is, 0.75 if it names another which the user has
            not named, else 1.0; 1.0 as well if it names more than `_MOST_FEELINGS`.
        """
        if "feeling" not in [topic.kind for topic in self._topics]:
            return 1.0
        s = self._text.sentences[number]
        named = tables().lists["feeling"].intersection(self._text.words[s.first : s.last])
        if len(named) > _MOST_FEELINGS:
            return 1.0
        if any(self._topics[t].kind == "feeling" for t in self._matched(number)):
            return 1.25
        new = [w for w in named if not any(f" {w} " in turn.words for turn in self._turns)]
        return 0.75 if new else 1.0

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
        found, own, leans = self._matched(number), self._own(number), False
        if number and not own and not any(self._topics[t].told for t in found):
            # "That sounds exhausting" and "What was the walk like?" lean on the sentence before:
            # the second asks of something not told yet, and takes only its footing from there.
            before, own = self._matched(number - 1), self._own(number - 1)
            leans = not found or own or any(self._topics[t].told for t in before)
            own = own or (bool(found) and leans)
            found = found or before
        if len(found) > _MOST_TOPICS:
            return None, False
        if not found:
            return None, own and self._built(number, leans) and self._sane(number)
        topic = self._topics[max(found, key=lambda t: (self._topics[t].told, found[t], -t))]
        tied = own or topic.told or (topic.kind == "feeling" and self._near(number))
        return topic.id, tied and self._built(number, leans) and self._sane(number)

    def _sane(self, number: int) -> bool:
        """Whether the user's words are given back as somebody would who knows what they mean.

        Not so if a word that the user never used as a noun follows an article ("the walked"), if a
        piece of theirs stands unturned ("of my desk"), or if words come from too many of their
        sentences.
        """
        s = self._text.sentences[number]
        words, stems = self._text.words[s.first : s.last], self._stems[s.first : s.last]
        told = self._told.intersection(stems)
        for i in range(1, len(words)) if told else ():
            if stems[i] in told and words[i - 1] in _ARTICLES:
                before = [w for turn in self._turns for w in turn.before.get(stems[i], ())]
                if before and _NO_NOUN_AFTER.issuperset(before):
                    return False
        if not _FIRST.isdisjoint(words):
            for run in zip(words, words[1:], words[2:], strict=False):
                if _FIRST.isdisjoint(run):
                    continue
                piece = f" {' '.join(run)} "
                if any(piece in turn.words for turn in self._turns):
                    return False
        return self._sources(told) <= _MOST_SOURCES

    def _sources(self, told: frozenset[str]) -> int:
        """From how many of the user's sentences these stems come, at least."""
        left, count = set(told), 0
        spoken = [stems for turn in self._turns for stems in turn.sentences] if told else []
        while left:
            best = max((left & stems for stems in spoken), key=len)
            left -= best
            count += 1
        return count

    def _built(self, number: int, leans: bool) -> bool:
        if not leans:
            return self.formed(number)
        return self.formed(number, 3, 1 / 3) and self.formed(number - 1, 2)

    def _own(self, number: int) -> bool:
        """Whether two content words stand together as in one of the user's turns."""
        s = self._text.sentences[number]
        stems = self._stems[s.first : s.last]
        if len(self._told.intersection(stems)) < 2:
            return False
        pairs = _pairs(stems, self._told)
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
        """Whether half of a sentence, by runs of three words, was said before."""
        if not self._said:
            return False
        s = self._text.sentences[number]
        if s.last - s.first < 3:
            phrase = f" {' '.join(self._text.words[s.first : s.last])} "
            turns = (read(plain(said)).words for said in self._said)
            return any(phrase in f" {' '.join(words)} " for words in turns)
        runs = set(_runs(self._text.words[s.first : s.last]))
        known = set[int]().union(*[runs & _runs_of(said) for said in self._said])
        return 2 * len(known) >= len(runs)

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
