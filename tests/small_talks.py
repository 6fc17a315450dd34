"""A process small enough to enumerate: a user of two moods, an agent of three words, four turns."""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from empathy_env.measures.likelihood import ScoredTalk

ADVISE, LISTEN, LEAVE = range(3)
BASE = ((0.6, 0.2, 0.2), (0.5, 0.3, 0.2))
"""For each mood of the user (closed, open) the chances of the three words."""
TRAINED = ((0.3, 0.6, 0.1), (0.25, 0.65, 0.1))
TURNS = 4
KINDS = 24
"""How many kinds of persona there are; they differ in how readily they open."""


class SmallTalk(NamedTuple):
    words: tuple[int, ...]
    moods: tuple[int, ...]
    """Of the user before each word."""
    base: float
    """Chance under the base policy."""
    trained: float
    scored: ScoredTalk
    """Own: trained. Other: base."""
    success: bool
    """Heard at least twice, and open at the end."""
    reward: float


def opens(kind):
    return 0.2 + 0.6 * kind / (KINDS - 1)


def transition(mood, word, chance):
    """Chance that the user is open next; what the agent does matters, and so does luck."""
    return min(0.95, chance + 0.15) if word == LISTEN else 0.3 * chance + 0.1 * mood


@functools.cache
def every_talk(kind, base=BASE, trained=TRAINED):
    """All talks with one kind of persona, with their chances."""
    chance, found = opens(kind), []
    lengths = range(1, TURNS + 1)
    for words in itertools.chain(*(itertools.product(range(3), repeat=n) for n in lengths)):
        if LEAVE in words[:-1] or (len(words) < TURNS and words[-1] != LEAVE):
            continue
        for moods in itertools.product(range(2), repeat=len(words)):
            user, path = 1.0, (0, *moods)
            for before, word, after in zip(path, words, moods, strict=False):
                open_next = transition(before, word, chance)
                user *= open_next if after else 1.0 - open_next
            own, other = (
                tuple(math.log(p[m][w]) for m, w in zip(path, words, strict=False))
                for p in (trained, base)
            )
            heard = words.count(LISTEN)
            found.append(
                SmallTalk(
                    words,
                    path[:-1],
                    user * math.exp(math.fsum(other)),
                    user * math.exp(math.fsum(own)),
                    ScoredTalk(f"kind-{kind}", own, other),
                    success=heard >= 2 and moods[-1] == 1,
                    reward=(heard + moods[-1]) / (TURNS + 1),
                )
            )
    return tuple(found)


def drawn(chance, kind, talks, policy="trained", persona=None):
    """Sample talks with one kind of persona."""
    known = every_talk(kind)
    chances = np.array([getattr(talk, policy) for talk in known])
    picked = [known[i] for i in chance.choice(len(known), size=talks, p=chances / chances.sum())]
    if persona is None:
        return picked
    return [
        talk._replace(scored=ScoredTalk(persona, talk.scored.own, talk.scored.other))
        for talk in picked
    ]


def exact(figure, policy="trained", kinds=range(KINDS)):
    """The mean of a figure of talks over kinds of persona."""
    found = [
        math.fsum(getattr(talk, policy) * figure(talk) for talk in every_talk(kind))
        for kind in kinds
    ]
    return math.fsum(found) / len(found)
