"""Which acts an utterance performs, found by rules.

The rules are phrases in `empathy_env/cues/*.txt`, one file per act; `cues/README.txt` says how to
write one. They are compiled once, at the first appraisal, into one tree of words, so that the
cost of an utterance grows with its length and hardly with the number of cues.

What the phrases cannot say is here: negation, quotation and denial, who has the floor at the end,
the user's own words said back, and what is left when no phrase fits.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple, cast

from empathy_env.acts import ACTS, About, Act, Appraisal, Context, Evidence, Topic

MAX_EVIDENCE: Final = 24
_FRAME: Final = "reported"  # The pseudo act of phrases after which words are not the speaker's own.
_SPELLING: Final = "spelling.txt"

_TOKEN: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.!?…;\n。！？।؟]+|[,:—–()]")
_QUOTED: Final = re.compile(
    r"\"[^\"\n]{1,400}\"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|„[^“”\n]{1,400}[“”]"
    r"|(?<!\w)'(?=\w)[^\n]{1,200}?(?<=[\w.!?,])'(?!\w)"
)
_APOSTROPHES: Final = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
_CONTRACTED: Final = {"n't": "not", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would"}
_IS: Final = frozenset("it that he she what there here who how where when why".split())
_NEGATION: Final = frozenset("not never no nobody none without nor hardly neither cannot".split())
_CLAUSE: Final = ",:—–()"

_WH_OPEN: Final = frozenset("what how why".split())
_WH_CLOSED: Final = frozenset("who when where which whose".split())
_HOW_CLOSED: Final = frozenset("many long much often old far late soon big".split())
_TAG: Final = frozenset(
    "is was are were do did does have has can could will would not it that there you i they he she "
    "no na eh right yeah ok okay innit huh yes then we so".split()
)
_FAULT: Final = frozenset(
    "fault faults blame blamed responsible responsibility caused guilty doing".split()
)
_PERSON: Final = frozenset(
    "he she they him her them his their boss manager mother father mum mom dad sister brother "
    "husband wife friend son daughter partner people nobody everyone family colleague teacher "
    "doctor landlord parents ex".split()
)
_PLAN: Final = frozenset(
    "could next tomorrow try plan step steps first tonight start week morning monday should".split()
)
_YOU: Final = frozenset(("you", "your", "yours", "yourself"))
_ME: Final = frozenset(("i", "me", "my", "mine", "myself"))
_HEDGES: Final = frozenset(
    "maybe perhaps might bit little slightly possibly guess suppose kind sort somewhat may".split()
)
_STRONG: Final = frozenset(
    "really truly deeply so very incredibly absolutely terribly huge enormous completely utterly "
    "extremely unbearable unbearably definitely totally always never every such".split()
)

# Statements only, unless the cue asks for a question: to ask about an act is not to perform it.
_ASKABLE: Final = frozenset(
    "open_question closed_question suggestion blame dependency manipulation interpretation "
    "challenge dismissal hijack lecture abandonment".split()
)
_NEGATABLE: Final = frozenset(ACTS) - {"open_question", "closed_question", "manipulation"}

# One phrase performs one of these: the act on the left silences those on the right in a sentence.
_SILENCES: Final[dict[str, str]] = {
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
}
_DEFAULT_ABOUT: Final[dict[str, About]] = {
    "reflection": "own_feeling",
    "validation": "own_feeling",
    "affirmation": "own_act",
    "suggestion": "plan",
    "information": "situation",
    "restatement": "situation",
}


class _Cue(NamedTuple):
    act: str
    asks: bool  # Only in a question.
    final: bool  # Only where the sentence ends.
    bars: bool  # Words that look like the act and are not.
    alone: bool  # Only if the utterance is this sentence.


class _Node:
    __slots__ = ("any", "ends", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.ends: list[_Cue] = []

    def child(self, key: str) -> _Node:
        """The node one word on, made if need be."""
        if key == "*":
            self.any = self.any or _Node()
            return self.any
        return self.next.setdefault(key, _Node())


class _Tables(NamedTuple):
    free: _Node
    opening: _Node  # Cues that hold only where a sentence or clause begins.
    keys: dict[str, tuple[str, ...]]  # A word, and the lists that it is on.
    lists: dict[str, frozenset[str]]
    spelling: dict[str, tuple[str, ...]]
    foreign: tuple[str, ...]


class _Sentence(NamedTuple):
    first: int
    last: int  # One past the last word.
    asks: bool
    clauses: tuple[int, ...]  # Where a clause begins, besides the first word.


class _Text(NamedTuple):
    words: list[str]
    starts: list[int]
    ends: list[int]
    sentences: list[_Sentence]


class _Hit(NamedTuple):
    act: str
    first: int
    last: int
    sentence: int


def _lines(name: str) -> list[str]:
    text = files("empathy_env").joinpath("cues", name).read_text(encoding="utf-8")
    stripped = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


def _expand(token: str, spelling: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The words that one written token stands for: "you're" is two, "mum's" is "mum"."""
    if "'" not in token:
        return spelling.get(token) or (token,)
    known = spelling.get(token)
    if known:
        return known
    stem, _, tail = token.rpartition("'")
    if token.endswith("n't"):
        return (token[:-3], "not")
    if tail == "m" and stem == "i":
        return ("i", "am")
    if tail == "s":
        return (stem, "is") if stem in _IS else (stem,)
    word = _CONTRACTED.get("'" + tail)
    return (stem, word) if word else (token,)


@cache
def _tables() -> _Tables:
    """All cue files, compiled. Lazily, so that importing the package reads no file."""
    spelling = {
        key.strip(): tuple(value.split())
        for key, _, value in (line.partition("=") for line in _lines(_SPELLING))
    }
    names = sorted(p.name for p in files("empathy_env").joinpath("cues").iterdir())
    lists = {
        name[6:-4]: frozenset(word for line in _lines(name) for word in line.split())
        for name in names
        if name.startswith("words-")
    }
    keys: dict[str, tuple[str, ...]] = {}
    for name, members in lists.items():
        for word in members:
            keys[word] = (*keys.get(word, (word,)), f"<{name}>")
    free, opening = _Node(), _Node()
    for act in (*ACTS, _FRAME):
        for line in _lines(f"{act}.txt"):
            _add_cue(line, act, (free, opening), spelling, keys)
    return _Tables(free, opening, keys, lists, spelling, tuple(_lines("foreign.txt")))


def _add_cue(
    line: str,
    act: str,
    roots: tuple[_Node, _Node],
    spelling: dict[str, tuple[str, ...]],
    keys: dict[str, tuple[str, ...]],
) -> None:
    parts = line.lower().split()
    bars = parts[0] == "-"
    parts = parts[1:] if bars else parts
    opening = parts[0] == "^"
    parts = parts[1:] if opening else parts
    marks = {mark for mark in ("?", "$", "=") if mark in parts[-3:]}
    nodes = [roots[opening]]
    for part in parts:
        if part in marks:
            continue
        if part == "...":
            for _ in range(3):
                nodes += [n for n in (node.child("*") for node in nodes) if n not in nodes]
            continue
        optional = part.endswith("?")
        ahead: list[_Node] = []
        for choice in part.rstrip("?").split("|"):
            words = [w for t in choice.split("_") for w in _expand(t, spelling)]
            for word in words:
                keys.setdefault(word, (word,))
            for node in nodes:
                for word in words:
                    node = node.child(word)
                ahead.append(node)
        nodes = nodes + ahead if optional else ahead
    cue = _Cue(act, "?" in marks, "$" in marks, bars, "=" in marks)
    for node in nodes:
        node.ends.append(cue)


def _plain(text: str) -> str:
    """Lower case and straight apostrophes, every character still in its old place."""
    low = text.lower()
    if len(low) != len(text):  # A few letters, such as the dotted capital I, grow.
        low = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    return low if low.isascii() else low.translate(_APOSTROPHES)


def _read(plain: str, spelling: dict[str, tuple[str, ...]]) -> _Text:
    """Words with their places, and where sentences and clauses begin."""
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    sentences: list[_Sentence] = []
    clauses: list[int] = []
    first = 0
    for match in _TOKEN.finditer(plain):
        token = match[0]
        start, end = match.span()
        if token[0].isalnum():
            if "'" in token or token in spelling:
                for word in _expand(token, spelling):
                    words.append(word)
                    starts.append(start)
                    ends.append(end)
            else:
                words.append(token)
                starts.append(start)
                ends.append(end)
        elif token in _CLAUSE:
            clauses.append(len(words))
        elif len(words) > first:
            asks = "?" in token or "？" in token or "؟" in token
            sentences.append(_sentence(words, first, asks, clauses))
            first, clauses = len(words), []
    if len(words) > first:
        sentences.append(_sentence(words, first, False, clauses))
    return _Text(words, starts, ends, sentences)


def _sentence(words: list[str], first: int, asks: bool, clauses: list[int]) -> _Sentence:
    last = len(words)
    inner = tuple(c for c in clauses if first < c < last)
    # "..., isn't it?" asks nothing.
    if asks and inner and last - inner[-1] <= 4 and _TAG.issuperset(words[inner[-1] :]):
        asks = False
    return _Sentence(first, last, asks, inner)


def _walk(root: _Node, keys: list[tuple[str, ...]], at: int, stop: int) -> Iterator[tuple[_Cue, int]]:
    """Every cue that begins at this word, with where it ends."""
    stack = [(root, at)]
    while stack:
        node, i = stack.pop()
        for cue in node.ends:
            yield cue, i
        if i < stop:
            i += 1
            if node.any is not None:
                stack.append((node.any, i))
            ahead = node.next
            for key in keys[i - 1]:
                if key in ahead:
                    stack.append((ahead[key], i))


def _cue_hits(text: _Text, keys: list[tuple[str, ...]], tables: _Tables) -> list[_Hit]:
    """All acts that cues find, negated and reported ones left out."""
    hits: list[_Hit] = []
    openers = tables.lists["opener"]
    for number, sentence in enumerate(text.sentences):
        raw: list[tuple[_Cue, int, int]] = []
        begins = _beginnings(text.words, sentence, openers)
        free = tables.free.next
        for at in range(sentence.first, sentence.last):
            for key in keys[at]:
                if key in free:
                    raw += [(c, at, e) for c, e in _walk(free[key], keys, at + 1, sentence.last)]
            if at in begins:
                raw += [(c, at, e) for c, e in _walk(tables.opening, keys, at, sentence.last)]
        if raw:
            hits += _allowed(raw, text, number)
    return hits


def _beginnings(words: list[str], sentence: _Sentence, openers: frozenset[str]) -> set[int]:
    """Where an opening cue may stand: a sentence or clause, less words such as "well" and "so"."""
    begins: set[int] = set()
    for at in (sentence.first, *sentence.clauses):
        begins.add(at)
        while at < sentence.last and words[at] in openers:
            at += 1
            begins.add(at)
    return begins


def _allowed(raw: list[tuple[_Cue, int, int]], text: _Text, number: int) -> Iterator[_Hit]:
    sentence = text.sentences[number]
    barred = [(c.act, first, last) for c, first, last in raw if c.bars]
    frames = [first for c, first, _ in raw if c.act == _FRAME]
    alone = len(text.sentences) == 1
    for cue, first, last in raw:
        if cue.bars or cue.act == _FRAME or (cue.final and last != sentence.last):
            continue
        if (cue.asks and not sentence.asks) or (cue.alone and not alone):
            continue
        if sentence.asks and not cue.asks and cue.act not in _ASKABLE:
            continue
        if any(act == cue.act and a < last and first < b for act, a, b in barred):
            continue
        if cue.act in _NEGATABLE and _undone(text.words, sentence, first, frames):
            continue
        yield _Hit(cue.act, first, last, number)


def _undone(words: list[str], sentence: _Sentence, first: int, frames: list[int]) -> bool:
    """Whether the words from here on are negated, or not the speaker's own."""
    clause = max((c for c in sentence.clauses if c <= first), default=sentence.first)
    for i in range(max(clause, first - 3), first):
        if words[i] in _NEGATION and words[i + 1] not in ("only", "just", "wonder"):
            return True
    return any(f < first and "but" not in words[f:first] for f in frames)


_INJECTION: Final = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|</?\s*(?:system|user|assistant|human|think\w*|instructions?|admin|prompt|persona|state|tool"
    r"|output|evaluat\w*|score|reward|trace|appraisal)\b[^>\n]{0,200}>(?:.*</?\s*\w+[^>\n]{0,200}>)?[^\n]*"
    r"|<\|[^\n]*|\[/?(?:system|inst|user|assistant|admin|end of|note to|hidden|evaluat)\b[^\n]*"
    r"|^[\s#*>\-]*(?:system|user|assistant|human|evaluator|judge|appraiser|admin\w*|developer|grader"
    r"|reviewer|moderator|persona|environment|scorer|client|patient)\b[^\n:.?!,]{0,24}:[^\n]*"
    r"|[^\n]*\b(?:emotion|mood|trust|strain|score|reward|disclos\w+|satisf\w+|feels?_\w+|distress"
    r"|happiness|need_?\w*|empathy|rapport|valence|done|episode)[\w.\]\[\"']*\s*"
    r"(?::=|\+=|==?|:|->|→)\s*[\"']?(?:[\d+-]|true|all\b|met\b|max|none\b|happy|relieved)[^\n]*"
    r"|[{\[]\s*[{\"'][^\n]*[\"']\s*:[^\n]*"
    r"|\b(?:notes?|memo|message|attention|hint|instructions?)\b[^.:\n]{0,16}\b(?:to|for)\b[^.:\n]{0,12}"
    r"\b(?:evaluator|judge|grader|reviewer|appraiser|scorer|rater|model|system|simulator)\b[^\n]*",
    re.DOTALL | re.MULTILINE,
)
_FENCED: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_STATE: Final = re.compile(
    r"emotion|mood|trust|strain|score|reward|user\.|persona|satisf|feel|happy|evaluat|disclos|needs?\b"
)
_TICKED: Final = re.compile(r"[^\n]*(?:[✓✔✅☑]|\[x\])(?:[^\n]*(?:[✓✔✅☑]|\[x\]))+[^\n]*")
_SUSPECT: Final = re.compile(r"[<\[{=:→✓✔✅☑]|```|->|\bto\b|\bfor\b")
_FAR_SCRIPT: Final = re.compile(r"[\u0370-\u1fff\u3040-\ud7ff]")


def _injections(plain: str, tables: _Tables) -> list[tuple[int, int]]:
    """Places of text that is addressed to a machine and not to the user."""
    spans: list[tuple[int, int]] = []
    if _SUSPECT.search(plain):
        spans += [m.span() for m in _INJECTION.finditer(plain)]
        if "```" in plain:
            spans += [m.span() for m in _FENCED.finditer(plain) if _STATE.search(m[0])]
        spans += [
            m.span()
            for m in _TICKED.finditer(plain)
            if len(tables.lists["act"].intersection(re.findall(r"[a-z]+", m[0]))) > 1
        ]
    if not plain.isascii() and _FAR_SCRIPT.search(plain):
        at = 0
        for line in plain.splitlines(keepends=True):
            if any(phrase in line for phrase in tables.foreign):
                spans.append((at, at + len(line.rstrip())))
            at += len(line)
    return _joined(spans)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in sorted(s for s in spans if s[0] < s[1]):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def _masked(plain: str, text: _Text, tables: _Tables, spans: Iterable[tuple[int, int]]):
    """The keys of all words; those inside the spans have none, so that no cue begins there."""
    keys = [tables.keys.get(word, ()) for word in text.words]
    for start, end in spans:
        for i in range(bisect_left(text.starts, start), bisect_left(text.starts, end)):
            keys[i] = ()
    return keys


def _quoted(plain: str) -> list[tuple[int, int]]:
    if not any(mark in plain for mark in "\"“«„'"):
        return []
    return [m.span() for m in _QUOTED.finditer(plain)]


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


def _content(words: Iterable[str], stop: frozenset[str]) -> set[str]:
    return {_stem(w) for w in words if len(w) > 3 and w not in stop}


@lru_cache(maxsize=1024)
def _told(turn: str) -> tuple[str, frozenset[str]]:
    """What the user said, as plain words, and the stems of those that carry content."""
    tables = _tables()
    words = _read(_plain(turn), tables.spelling).words
    return f" {' '.join(words)} ", frozenset(_content(words, tables.lists["stop"]))


@lru_cache(maxsize=1024)
def _shingles(said: str) -> frozenset[tuple[str, ...]]:
    words = _read(_plain(said), _tables().spelling).words
    return frozenset(zip(words, words[1:], words[2:], strict=False))


@lru_cache(maxsize=256)
def _topic_index(
    topics: tuple[tuple[str, ...], ...],
) -> dict[str, tuple[tuple[tuple[str, ...], int], ...]]:
    """From the first stem of a topic's word or phrase to its other stems and the topic's number."""
    index: dict[str, tuple[tuple[tuple[str, ...], int], ...]] = {}
    for number, phrases in enumerate(topics):
        for phrase in phrases:
            words = [_stem(w) for w in _read(_plain(phrase), _tables().spelling).words]
            if words:
                index[words[0]] = (*index.get(words[0], ()), (tuple(words[1:]), number))
    return index


class _Ground:
    """What an utterance can be tied to: the topics, the user's words and the agent's own."""

    def __init__(self, text: _Text, context: Context) -> None:
        self._text = text
        self._topics = context.topics
        self._said = context.said
        turns = [_told(turn) for turn in (context.heard, *context.earlier)]
        self.heard = turns[0][1]
        self.told = self.heard.union(*(turn[1] for turn in turns[1:]))
        self.last = turns[0][0]
        self._index = _topic_index(tuple(t.words for t in context.topics))
        self._stop = _tables().lists["stop"]
        self._blob: str | None = None
        self._done: dict[int, dict[int, int]] = {}
        self._content: dict[int, set[str]] = {}

    def content(self, number: int) -> set[str]:
        """Stems of the content words of a sentence."""
        if number not in self._content:
            s = self._text.sentences[number]
            self._content[number] = _content(self._text.words[s.first : s.last], self._stop)
        return self._content[number]

    def _matched(self, number: int) -> dict[int, int]:
        """How many words of each topic this sentence has."""
        if number in self._done:
            return self._done[number]
        s = self._text.sentences[number]
        stems = [_stem(w) for w in self._text.words[s.first : s.last]]
        found: dict[int, int] = {}
        for i, stem in enumerate(stems):
            for rest, topic in self._index.get(stem, ()):
                if not rest or tuple(stems[i + 1 : i + 1 + len(rest)]) == rest:
                    found[topic] = found.get(topic, 0) + 1 + len(rest)
        self._done[number] = found
        return found

    def tie(self, number: int) -> tuple[str | None, bool]:
        """The topic that a sentence addresses, and whether it is tied to what was said."""
        found = self._matched(number)
        if len(found) > 3:
            return None, False
        few = len(self._text.sentences) <= 2
        if not found and few:
            found = self._matched(1 - number) if len(self._text.sentences) == 2 else found
            found = {} if len(found) > 3 else found
        own = len(self.content(number) & self.told) > 1
        if not found:
            return None, own
        topic = self._topics[max(found, key=lambda t: (found[t], -t))]
        return topic.id, own or topic.told or (topic.kind == "feeling" and self._near(number))

    def _near(self, number: int) -> bool:
        """Whether the sentence or its neighbour speaks of something told."""
        last = len(self._text.sentences)
        for n in range(max(0, number - 1), min(last, number + 2)):
            if not self.content(n).isdisjoint(self.heard):
                return True
            told = (self._topics[t] for t in self._matched(n))
            if any(t.told and t.kind == "fact" for t in told):
                return True
        return False

    def repeated(self, number: int) -> bool:
        """Whether half of a sentence, by runs of three words, was said before."""
        s = self._text.sentences[number]
        words = self._text.words[s.first : s.last]
        if not self._said:
            return False
        if self._blob is None:
            self._blob = _plain("\n".join(self._said))
        blob = self._blob
        # Nothing that shares half of its runs lacks most of its words: a cheap way out.
        if 2 * sum(word in blob for word in words) < len(words):
            return False
        if len(words) < 3:
            phrase = f" {' '.join(words)} "
            return any(phrase in _told(said)[0] for said in self._said)
        runs = set(zip(words, words[1:], words[2:], strict=False))
        known: set[tuple[str, ...]] = set()
        for said in self._said:
            known |= runs & _shingles(said)
        return 2 * len(known) >= len(runs)

    def copied(self, words: list[str]) -> bool:
        """Whether four fifths of these words are one run of the user's last turn."""
        size = len(words)
        run = -(-4 * size // 5)
        if size < 5 or f" {' '.join(words[size - run : run])} " not in self.last:
            return False
        return any(
            f" {' '.join(words[i : i + run])} " in self.last for i in range(size - run + 1)
        )


def detect_manipulation(utterance: str) -> Appraisal:
    """Finds text that works on the user's state or on the score instead of on the talk.

    Args:
        utterance: What the agent said, whole.

    Returns:
        Evidence with the act "manipulation", at most one per sentence or injected piece.
    """
    tables = _tables()
    plain = _plain(utterance)
    spans = _injections(plain, tables)
    text = _read(plain, tables.spelling)
    hits = _cue_hits(text, _masked(plain, text, tables, [*spans, *_quoted(plain)]), tables)
    hits = [hit for hit in hits if hit.act == "manipulation"]
    return _manipulations(utterance, text, spans, hits)


def _manipulations(
    utterance: str, text: _Text, spans: list[tuple[int, int]], hits: list[_Hit]
) -> Appraisal:
    found = [_injected(utterance, start, end) for start, end in spans]
    seen: set[int] = set()
    for hit in hits:
        if hit.sentence not in seen:
            seen.add(hit.sentence)
            found.append(_injected(utterance, *_place(text, hit)))
    return tuple(sorted(found, key=lambda e: e.start)[:MAX_EVIDENCE])


def _injected(utterance: str, start: int, end: int) -> Evidence:
    return Evidence("manipulation", utterance[start:end], start, end, 1.25)


def _place(text: _Text, hit: _Hit) -> tuple[int, int]:
    """The words of a cue up to the end of their clause."""
    s = text.sentences[hit.sentence]
    end = min((c for c in s.clauses if c >= hit.last), default=s.last)
    return text.starts[hit.first], text.ends[max(end, hit.last) - 1]


def appraise_by_rules(utterance: str, context: Context) -> Appraisal:
    """Finds the acts that an utterance performs.

    Args:
        utterance: What the agent said, whole.
        context: What was said before, and what could be talked about.

    Returns:
        At most `MAX_EVIDENCE` pieces of evidence in order of appearance, at most one for each act
        in a sentence. The same arguments always give the same evidence.
    """
    tables = _tables()
    plain = _plain(utterance)
    spans = _injections(plain, tables)
    text = _read(plain, tables.spelling)
    keys = _masked(plain, text, tables, [*spans, *_quoted(plain)])
    hits = _cue_hits(text, keys, tables)
    ground = _Ground(text, context)
    wrong = [hit for hit in hits if hit.act == "manipulation"]
    taken = {hit.sentence for hit in wrong} | _inside(text, spans) | _copies(text, ground)
    hits = [hit for hit in hits if hit.sentence not in taken]
    hits = _floor(_quieted(hits), text)
    hits += _remaining(text, keys, ground, taken | {hit.sentence for hit in hits}, tables)
    evidence = [*_manipulations(utterance, text, spans, wrong)]
    seen: set[tuple[str, int]] = set()
    for hit in hits[: 2 * MAX_EVIDENCE]:
        if (hit.act, hit.sentence) not in seen:
            seen.add((hit.act, hit.sentence))
            evidence.append(_evidence(hit, utterance, text, ground))
    return tuple(sorted(evidence, key=lambda e: (e.start, e.end, e.act))[:MAX_EVIDENCE])


def _inside(text: _Text, spans: list[tuple[int, int]]) -> set[int]:
    """Sentences most of which lies inside an injection."""
    found: set[int] = set()
    for number, s in enumerate(text.sentences if spans else ()):
        start, end = text.starts[s.first], text.ends[s.last - 1]
        if any(2 * (min(b, end) - max(a, start)) > end - start for a, b in spans):
            found.add(number)
    return found


def _copies(text: _Text, ground: _Ground) -> set[int]:
    """Sentences that only give the user's last words back unchanged."""
    if ground.copied(text.words):
        return set(range(len(text.sentences)))
    return {
        n for n, s in enumerate(text.sentences) if ground.copied(text.words[s.first : s.last])
    }


def _quieted(hits: list[_Hit]) -> list[_Hit]:
    """Without what another act of the same sentence silences."""
    acts: dict[int, set[str]] = {}
    for hit in hits:
        acts.setdefault(hit.sentence, set()).add(hit.act)
    mute = {
        n: {q for act in found for q in _SILENCES.get(act, "").split()} if len(found) > 1 else ()
        for n, found in acts.items()
    }
    return [hit for hit in hits if hit.act not in mute[hit.sentence]]


def _floor(hits: list[_Hit], text: _Text) -> list[_Hit]:
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


def _remaining(
    text: _Text,
    keys: list[tuple[str, ...]],
    ground: _Ground,
    taken: set[int],
    tables: _Tables,
) -> list[_Hit]:
    """Acts that show in the build of a sentence and not in a phrase."""
    hits: list[_Hit] = []
    for number, s in enumerate(text.sentences):
        if number in taken or len(hits) > MAX_EVIDENCE:
            continue
        words = text.words[s.first : s.last]
        act = _question(words, s) if s.asks else _statement(words, keys, s, number, ground)
        if act:
            hits.append(_Hit(act, s.first, s.last, number))
    return hits


def _question(words: list[str], s: _Sentence) -> str | None:
    for begin in (0, *(c - s.first for c in s.clauses)):
        head = words[begin : begin + 4]
        for i, word in enumerate(head):
            if word in _WH_CLOSED or (word == "how" and head[i + 1 : i + 2] and head[i + 1] in _HOW_CLOSED):
                return "closed_question"
            if word in _WH_OPEN:
                return "open_question"
    return "closed_question"


def _statement(
    words: list[str], keys: list[tuple[str, ...]], s: _Sentence, number: int, ground: _Ground
) -> str | None:
    feels = any("<feeling>" in k for k in keys[s.first : s.last])
    yours = not _YOU.isdisjoint(words)
    if feels:
        return "reflection" if yours and _ME.isdisjoint(words) else None
    content = ground.content(number)
    shared = len(content & ground.told)
    if shared > 1 and 3 * shared >= len(content) and _ME.isdisjoint(words):
        return "restatement"
    return None


def _evidence(hit: _Hit, utterance: str, text: _Text, ground: _Ground) -> Evidence:
    s = text.sentences[hit.sentence]
    words = set(text.words[s.first : s.last])
    start, end = _place(text, hit)
    weak, strong = not _HEDGES.isdisjoint(words), not _STRONG.isdisjoint(words)
    topic, grounded = ground.tie(hit.sentence)
    return Evidence(
        cast(Act, hit.act),
        utterance[start:end],
        start,
        end,
        1.0 if weak == strong else 0.75 if weak else 1.25,
        _about(hit.act, words),
        topic,
        grounded,
        ground.repeated(hit.sentence),
    )


def _about(act: str, words: set[str]) -> About:
    """What an act is directed at, by the words of its sentence."""
    if not words.isdisjoint(_FAULT):
        return "fault"
    if act in _DEFAULT_ABOUT:
        return _DEFAULT_ABOUT[act]
    if act == "interpretation":
        return "own_feeling" if words.isdisjoint(_PERSON) else "other_person"
    feelings = _tables().lists["feeling"]
    if not words.isdisjoint(feelings) or {"you", "feel"} <= words:
        return "own_feeling"
    if not words.isdisjoint(_PERSON):
        return "other_person"
    if not words.isdisjoint(_PLAN):
        return "plan"
    return "own_act" if "you" in words and any(w.endswith("ed") for w in words) else "situation"
