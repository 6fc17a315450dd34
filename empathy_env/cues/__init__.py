"""The phrases by which acts are known: how they are written, compiled and looked up.

One file per act, one cue per line:

    # a comment
    you sound|seem really? <feeling>    words in order: a|b is a choice, word? may be missing,
                                        <feeling> is any word of words-feeling.txt
    makes ... sense                     "..." is up to three words of any kind, "*" is one
    on|of the|your other_hand           "_" joins the words of one choice
    ^ go on $                           ^ only where a sentence or clause begins, $ where it ends
    have you tried ?                    only in a question
    drop dead !                         not in a question
    ^ mm $ =                            only if the utterance is this one sentence
    - take your time                    these words look like the act and are not

Case does not matter. Write "you are" or "you're" as you like: both sides are spelt out, by
spelling.txt, before they are compared. `reported.txt` holds the phrases after which words are not
the speaker's own ("I won't tell you ..."), `foreign.txt` plain pieces of text in other scripts.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from empathy_env.acts import ACTS
from empathy_env.cues.tree import Cue, Node, walk

FRAME: Final = "reported"
"""The pseudo act of phrases after which words are not the speaker's own."""

_WORD: Final = re.compile(r"\w[\w']*")
_END: Final = re.compile(r"([.!?\u2026;\n\u3002\uff01\uff1f\u0964\u061f]+)")
_CLAUSE: Final = re.compile(r"[,:()\u2013\u2014]")
_YOU_ARE: Final = re.compile(r"\byou (?:are|were\|are|are\|were)(?:\|\S+)? ")
_CONTRACTED: Final = {"re": "are", "ve": "have", "ll": "will", "d": "would"}
_IS: Final = frozenset("it that he she what there here who how where when why".split())
_TAG: Final = frozenset(
    "is was are were do did does has have can could will would not it that there you i they he she "
    "no na eh right yeah ok okay innit huh yes then we so".split()
)


class Start(NamedTuple):
    """How cues go on that begin with a certain word.

    Attributes:
        nodes: The places in the tree that it leads to.
        needed: Words of which one must come.
        within: How many words on, at the latest; 0 if a cue is complete without one.
    """

    nodes: tuple[Node, ...]
    needed: frozenset[str]
    within: int


class Tables(NamedTuple):
    """All cue files, compiled.

    Attributes:
        free: The cues that may stand anywhere.
        opening: The cues that hold only where a sentence or clause begins.
        starts: For each word at which a free cue may begin, how it goes on.
        openers: The words with which a cue in `opening` begins.
        keys: For each word that occurs in a cue, the word itself and the lists that it is on.
        lists: The words of each list.
        spelling: Chat spellings and contractions, and the words they stand for.
        foreign: Pieces of injections in scripts without Latin letters.
    """

    free: Node
    opening: Node
    starts: dict[str, Start]
    openers: frozenset[str]
    keys: dict[str, tuple[str, ...]]
    lists: dict[str, frozenset[str]]
    spelling: dict[str, tuple[str, ...]]
    foreign: tuple[str, ...]


class Sentence(NamedTuple):
    """A sentence.

    Attributes:
        first: Number of its first word.
        last: One past that of its last word.
        asks: Whether it is a question.
        clauses: Numbers of the words with which its further clauses begin.
        start: Where it begins in the text.
        stop: Where it ends, without its mark.
    """

    first: int
    last: int
    asks: bool
    clauses: tuple[int, ...]
    start: int
    stop: int


class Text(NamedTuple):
    """An utterance, made plain, as words and sentences."""

    plain: str
    words: tuple[str, ...]
    sentences: tuple[Sentence, ...]

    def places(self, number: int) -> list[tuple[int, int]]:
        """Where each word of a sentence begins and ends; worked out only where it is asked for."""
        _, _, _, _, end, stop = self.sentences[number]
        spelling, places = tables().spelling, list[tuple[int, int]]()
        # By findall and find: half the time of an object for each match.
        for token in _WORD.findall(self.plain, end, stop):
            start = self.plain.find(token, end)
            end = start + len(token)
            if token in spelling or "'" in token:
                places += [(start, end)] * len(expand(token, spelling))
            else:
                places.append((start, end))
        return places

    def place(self, number: int) -> tuple[int, int]:
        """Where a sentence's words begin and end."""
        _, _, _, _, start, stop = self.sentences[number]
        plain = self.plain
        # The first and the last letter, for a tenth of the price of all the places.
        while not (plain[stop - 1].isalnum() or plain[stop - 1] == "'"):
            stop -= 1
        if plain[stop - 1] == "'":  # which ends a word, or stands beside one
            return self.places(number)[0][0], self.places(number)[-1][1]
        while not plain[start].isalnum():
            start += 1
        return start, stop


def _lines(name: str) -> list[str]:
    text = files("empathy_env").joinpath("cues", name).read_text(encoding="utf-8")
    stripped = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


@cache
def tables(acts: tuple[str, ...] = (*ACTS, FRAME)) -> Tables:
    """Reads and compiles the cue files, once, so that importing the package reads none.

    Args:
        acts: Whose cues; for all of them leave it out.
    """
    spelling = {
        key.strip(): tuple(value.split())
        for key, _, value in (line.partition("=") for line in _lines("spelling.txt"))
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
    keys["ur"] = ("ur", "your")
    foreign = tuple(_lines("foreign.txt"))
    made = Tables(Node(), Node(), {}, frozenset(), keys, lists, spelling, foreign)
    for act in acts:
        for line in _lines(f"{act}.txt"):
            _add(line, act, made)
            if _YOU_ARE.search(line):  # "ur" is "your", and as often "you are".
                _add(_YOU_ARE.sub("ur ", line), act, made)
    return _indexed(made)


def _indexed(made: Tables) -> Tables:
    """Works out with which words the cues begin, and by which they go on."""
    known_by: dict[str, set[str]] = {}
    for word, names in made.keys.items():
        for name in names:
            known_by.setdefault(name, set()).add(word)
    free = made.free.next or {}
    for word, names in made.keys.items():
        nodes = tuple(free[name] for name in names if name in free)
        if nodes:
            made.starts[word] = _start(nodes, known_by)
    openers = (known_by[key] for key in made.opening.next or ())
    return made._replace(openers=frozenset[str]().union(*openers))


def _start(nodes: tuple[Node, ...], known_by: dict[str, set[str]]) -> Start:
    """Looks past the words that may be any, up to those that must come."""
    needed, ring, within = set[str](), list(nodes), 0
    while ring:
        if any(node.ends for node in ring):
            return Start(nodes, frozenset(), 0)
        needed = needed.union(*(known_by[key] for node in ring for key in node.next or ()))
        ring = [node.any for node in ring if node.any is not None]
        within += 1
    return Start(nodes, frozenset(needed), within)


def _add(line: str, act: str, made: Tables) -> None:
    """Adds one line of a cue file to the trees."""
    parts = line.lower().split()
    bars = parts[0] == "-"
    opening = parts[bars] == "^"
    marks = {part for part in parts[-3:] if part in ("?", "$", "=", "!")}
    parts = [part for part in parts[bars + opening :] if part not in marks]
    cue = Cue(act, "?" in marks, "$" in marks, bars, "=" in marks, "!" in marks)
    nodes = [made.opening if opening else made.free]
    for number, part in enumerate(parts):
        if part == "...":
            ring: list[Node] = nodes
            for _ in range(3):
                ring = [node.child("*") for node in ring]
                nodes = nodes + ring
            continue
        choices = [_spelt(choice, made) for choice in part.rstrip("?").split("|")]
        ahead = nodes if part.endswith("?") else []
        if number == len(parts) - 1:
            for node in ahead:
                node.ends = (*node.ends, cue)
            _finish(nodes, choices, cue)
        else:
            nodes = [*ahead, *(_along(node, words) for words in choices for node in nodes)]


def _spelt(choice: str, made: Tables) -> list[str]:
    words = [word for token in choice.split("_") for word in expand(token, made.spelling)]
    for word in words:
        made.keys.setdefault(word, (word,))
    return words


def _along(node: Node, words: list[str]) -> Node:
    for word in words:
        node = node.child(word)
    return node


def _finish(nodes: list[Node], choices: list[list[str]], cue: Cue) -> None:
    for words in choices:
        for node in nodes:
            _along(node, words[:-1]).end(words[-1], cue)


def walk_all(
    text: Text, number: int, keys: list[tuple[str, ...]], made: Tables
) -> list[tuple[Cue, int, int]]:
    """Every free cue in a sentence, with its first word and one past its last."""
    first, last, *_ = text.sentences[number]
    words, found = (*text.words[first:last], ""), list[tuple[Cue, int, int]]()
    for after, start in enumerate(map(made.starts.get, words), 1):
        if start is None:
            continue
        # Most words lead nowhere; what follows them says so, at a tenth of the price of a walk.
        nodes, needed, within = start
        if within == 1:
            if words[after] not in needed:
                continue
        elif within and needed.isdisjoint(words[after : after + within]):
            continue
        at = first + after - 1
        for node in nodes if keys[at] else ():
            walk(node, keys, at + 1, last, found, at)
    return found


def plain(text: str) -> str:
    """Lower case and straight apostrophes, every character still in its old place."""
    low = text.lower()
    if len(low) != len(text):  # A few letters, such as the dotted capital I, grow.
        low = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    if "_" in low:
        low = low.replace("_", " ")
    if low.isascii():
        return low
    # Faster than str.translate by far.
    return low.replace("\u2019", "'").replace("\u2018", "'").replace("\u02bc", "'")


def expand(token: str, spelling: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The words that one written token stands for: "you're" is two, "mum's" is "mum"."""
    return spelling.get(token) or (_apart(token) if "'" in token else (token,))


@lru_cache(maxsize=4096)
def _apart(token: str) -> tuple[str, ...]:
    token = token.rstrip("'")
    stem, _, tail = token.rpartition("'")
    if token.endswith("n't"):
        return (token[:-3], "not") if len(token) > 3 else ("not",)
    if tail == "m" and stem == "i":
        return ("i", "am")
    if tail == "s":
        return (stem, "is") if stem in _IS else (stem,)
    return (stem, _CONTRACTED[tail]) if tail in _CONTRACTED else (token,)


@lru_cache(maxsize=512)
def read(low: str) -> Text:
    """Cuts a text, made `plain`, into words, clauses and sentences.

    Cached, since what was said in one turn is looked at again in the turns after it.
    """
    spelling = tables().spelling
    words: list[str] = []
    sentences: list[Sentence] = []
    start = 0
    pieces = [*_END.split(low), ""]
    for piece, mark in zip(pieces[::2], pieces[1::2], strict=True):
        first, clauses = len(words), list[int]()
        for clause in (piece,) if _bare(piece) else _CLAUSE.split(piece):
            _add_words(clause, spelling, words)
            clauses.append(len(words))
        if len(words) > first:
            asks, inner = _asks(words, first, mark, clauses)
            sentences.append(Sentence(first, len(words), asks, inner, start, start + len(piece)))
        start += len(piece) + len(mark)
    return Text(low, tuple(words), tuple(sentences))


def _bare(piece: str) -> bool:
    """Whether there is nothing but words and spaces, and apostrophes inside words."""
    letters = piece.replace(" ", "")
    if letters.isalnum():
        return True
    return letters.replace("'", "").isalnum() and piece[0] != "'" and " '" not in piece


def _add_words(piece: str, spelling: dict[str, tuple[str, ...]], words: list[str]) -> None:
    """Appends the words of a clause, spelt out."""
    # To split at spaces, where that finds the same, is a quarter of the pattern's price.
    tokens = piece.split() if _bare(piece) else _WORD.findall(piece)
    if "'" not in piece and spelling.keys().isdisjoint(tokens):
        words += tokens
        return
    for token in tokens:
        if token in spelling or "'" in token:
            words += expand(token, spelling)
        else:
            words.append(token)


def _asks(
    words: list[str], first: int, mark: str, clauses: list[int]
) -> tuple[bool, tuple[int, ...]]:
    """Whether a sentence is a question, and where its further clauses begin."""
    last = len(words)
    asks = "?" in mark or "\uff1f" in mark or "\u061f" in mark
    if len(clauses) == 1:
        return asks, ()
    inner = tuple(c for c in clauses if first < c < last)
    # "..., isn't it?" asks nothing.
    if asks and inner and last - inner[-1] <= 4 and _TAG.issuperset(words[inner[-1] :]):
        asks = False
    return asks, inner
