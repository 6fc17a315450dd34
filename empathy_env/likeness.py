"""How much two personas are alike: lines that both say, stories told in the same words.

An agent that was trained with one of two people who are alike has half met the other, so what is
measured with that one says less about strangers.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import sqrt
from pathlib import Path
from typing import Final, NamedTuple

from empathy_env.cues import tables
from empathy_env.document import Field, leaves, one_value
from empathy_env.persona import Persona
from empathy_env.subject import Finding, Subject, bundled_subject, names_beside

NEAR: Final = 0.75
"""Share of the words of two lines, in [0, 1], that are in both if they are nearly the same.

Among the 32 bundled people, 3582 lines, two pairs reach it; what is at 0.6 is only built alike.
"""
CLOSE: Final = 0.4
"""Cosine of the words of two stories, in [0, 1], from which they are the same situation.

Two bundled people reach 0.30 at most (two daughters of ill mothers), half of the pairs below 0.07.
"""
_FEWEST_WORDS: Final = 5
"""A line of fewer different words is what anybody might say."""


class Likeness(NamedTuple):
    """Something that two personas have in common.

    Attributes:
        one: Number of the first persona.
        other: Number of the second.
        field: Where it stands in the first.
        place: Where it stands in the second.
        share: How much of it is the same, in [0, 1].
        text: The first one's line; of a story, words that both use.
        theirs: The second one's line; of a story, "".
    """

    one: int
    other: int
    field: Field
    place: Field
    share: float
    text: str
    theirs: str = ""


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case.

    >>> words_of("Well. That's me told.")
    ['well', "that's", 'me', 'told']
    """
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("\u2019", "'"))


class _Line(NamedTuple):
    owner: int
    field: Field
    text: str
    words: tuple[str, ...]


def like_lines(personas: Sequence[Persona], *, since: int = 0) -> list[Likeness]:
    """Return the lines that two of them say in the same words, or nearly the same.

    Args:
        personas: Who says them.
        since: Number of the first one that is held against those before it and after it.
    """
    return like_texts(map(spoken, personas), since=since)


def like_texts(owners: Iterable[Iterable[tuple[Field, str]]], *, since: int = 0) -> list[Likeness]:
    """Return the texts that two owners have in the same words, or nearly the same.

    Args:
        owners: For each the texts, with their fields.
        since: Number of the first owner that is held against those before it and after it.
    """
    lines = [
        _Line(number, field, text, words)
        for number, texts in enumerate(owners)
        for field, text in texts
        if len(set(words := tuple(words_of(text)))) >= _FEWEST_WORDS
    ]
    # Only lines with three words in a row in common are compared: all pairs would be millions.
    holders: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
    for number, line in enumerate(lines):
        for run in zip(line.words, line.words[1:], line.words[2:], strict=False):
            holders[run].add(number)
    pairs = {
        (one, other)
        for held in holders.values()
        if lines[max(held)].owner >= since
        for one, other in combinations(sorted(held), 2)
        if lines[other].owner >= since
    }
    found = (_likeness(lines[a], lines[b]) for a, b in sorted(pairs))
    return [one for one in found if one.share >= NEAR and one.one != one.other]


def _likeness(one: _Line, other: _Line) -> Likeness:
    ours, theirs = set(one.words), set(other.words)
    share = len(ours & theirs) / len(ours | theirs)
    return Likeness(one.owner, other.owner, one.field, other.field, share, one.text, other.text)


_SPOKEN: Final = frozenset({"opening", "says", "more", "lines", "answers"})


def spoken(persona: Persona) -> Iterator[tuple[Field, str]]:
    """Yield every line that the persona can say, with its field."""
    for field, text in leaves(persona.to_data()):
        if not _SPOKEN.isdisjoint(field):
            yield field, text


def like_stories(personas: Sequence[Persona]) -> list[Likeness]:
    """Return the pairs whose stories, what happened and all facts, are told in the same words."""
    stories = [_story(persona) for persona in personas]
    found: list[Likeness] = []
    for one, other in combinations(range(len(personas)), 2):
        share = _cosine(stories[one], stories[other])
        if share >= CLOSE:
            both = stories[one] & stories[other]
            text = ", ".join(word for word, _ in both.most_common(6))
            found.append(Likeness(one, other, ("happened",), ("happened",), share, text))
    return found


def _story(persona: Persona) -> Counter[str]:
    facts = [*persona.facts, *(fact for variant in persona.needs for fact in variant.facts)]
    text = " ".join([persona.happened, *(fact.text for fact in facts)])
    empty = tables().lists["stop"]
    return Counter(word for word in words_of(text) if len(word) > 3 and word not in empty)


def _cosine(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    along = sum(count * other.get(word, 0) for word, count in one.items())
    lengths = [sqrt(sum(n * n for n in story.values())) for story in (one, other)]
    return along / (lengths[0] * lengths[1]) if all(lengths) else 0.0


def findings_beside(
    subjects: Sequence[Subject], *, together: Iterable[Collection[str]] = ()
) -> list[Finding]:
    """Return which of these personas are too much like each other, or like a bundled one.

    Args:
        subjects: The personas.
        together: Ids of personas whose stories are one story, such as those of a cast.
    """
    circles = [frozenset(ids) for ids in together]
    own = [Path(subject.root.place.file) for subject in subjects]
    others = [bundled_subject(name) for name in names_beside(own)]
    everybody = [*others, *subjects]
    personas = [subject.persona for subject in everybody]
    pairs: defaultdict[tuple[int, int], list[Likeness]] = defaultdict(list)
    for like in like_lines(personas, since=len(others)):
        if not _inherited(everybody, like):
            pairs[like.one, like.other].append(like)
    stories = [
        like
        for like in like_stories(personas)
        if like.other >= len(others)
        and not _inherited(everybody, like)
        and not any({personas[like.one].id, personas[like.other].id} <= ids for ids in circles)
    ]
    found = [_same_lines(everybody, likes) for likes in pairs.values()]
    return [*found, *(_same_story(everybody, like) for like in stories)]


def _inherited(everybody: Sequence[Subject], like: Likeness) -> bool:
    """Whether both are one text in one file: one of the two extends the other."""
    one, other = everybody[like.one].root, everybody[like.other].root
    return one_value(one, like.field, other, like.place)


def _same_lines(everybody: Sequence[Subject], likes: Sequence[Likeness]) -> Finding:
    first = likes[0]
    one, subject = everybody[first.one], everybody[first.other]
    count = "1 line is" if len(likes) == 1 else f"{len(likes)} lines are"
    message = f"{count} almost or wholly one of {one.persona.id!r}: {first.theirs!r}"
    if first.text != first.theirs:
        message += f" (there {first.text!r})"
    problem = subject.placed("same-line", message, first.place, "Find words of their own for them.")
    means = "People who say the same are one person to an agent: it learns the line, not to listen."
    return Finding("warning", problem, means)


def _same_story(everybody: Sequence[Subject], like: Likeness) -> Finding:
    one, subject = everybody[like.one], everybody[like.other]
    message = f"the story is much like that of {one.persona.id!r} ({like.share:.2f}): {like.text}"
    hint = "Change what happened, or leave one of the two out."
    problem = subject.placed("same-story", message, like.place, hint)
    means = "Two of one kind count double in training, and a test with one says little beside."
    return Finding("warning", problem, means)
