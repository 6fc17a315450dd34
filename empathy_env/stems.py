"""Words with content, by their stems: what two tellings of one thing have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Final

from empathy_env.cues import plain, tables

WORD: Final = re.compile(r"[^\W_]+")
"""A word; what an apostrophe parts is two."""


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """Return a word without its commonest endings, its verb in the present.

    >>> stem("boxes"), stem("walked"), stem("driving"), stem("drove")
    ('box', 'walk', 'driv', 'driv')
    """
    word = _irregular().get(word, word)
    for tail, least in _TAILS:
        if word.endswith(tail) and len(word) >= least:
            word = word[: -len(tail)] + ("y" if tail in ("ies", "ied") else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lse":
        return word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] == "e" else word


@lru_cache(maxsize=4096)
def stems_of(text: str) -> frozenset[str]:
    """Return the stems of a text's words with content."""
    stop = _stop()
    return frozenset(
        stem(word) for word in WORD.findall(plain(text)) if len(word) > 2 and word not in stop
    )


@cache
def _stop() -> frozenset[str]:
    lists = tables().lists
    return lists["stop"] | (lists["function"] - _NUMBERS) | frozenset(_SMALL.split())


@cache
def everyday() -> frozenset[str]:
    """Return the stems of words that people say of anything."""
    return frozenset(map(stem, _EVERYDAY.split()))


_TAILS: Final = (("ies", 5), ("ied", 5), ("ing", 6), ("ed", 5), ("es", 5), ("s", 4))


@cache
def _irregular() -> Mapping[str, str]:
    pairs: Callable[[str], list[str]] = str.split
    return {past: now for now, *pasts in map(pairs, _VERBS.split(",")) for past in pasts}


_VERBS: Final = (
    "drive drove driven,sit sat,stand stood,write wrote written,ring rang rung,sing sang sung,"
    "break broke broken,speak spoke spoken,sell sold,send sent,steal stole stolen,hide hid hidden,"
    "bring brought,buy bought,catch caught,teach taught,leave left,lose lost,pay paid,build built,"
    "sleep slept,sweep swept,fall fell fallen,grow grew grown,throw threw thrown,wear wore worn,"
    "eat ate eaten,drink drank drunk,begin began begun,swim swam,run ran,shut shut,hold held,"
    "meet met,read read,lie lied lain,lead led,lend lent,hang hung,dig dug,freeze froze frozen,"
    "shake shook shaken,wake woke woken,choose chose chosen,draw drew drawn,bite bit,fight fought"
)
_NUMBERS: Final = frozenset(
    "three four five six seven eight nine ten eleven twelve hundred thousand".split()
)
_SMALL: Final = (
    "don didn doesn isn wasn weren couldn wouldn shouldn haven hasn hadn won can ain lot bit "
    "mostly ago suppose somewhere got gotten okay"
)
_EVERYDAY: Final = (
    "ask morning come door hand night hour quiet name day call room stop minute look word stand "
    "wrong read second move notice sit line face far leave old write bad wait new walk sunday "
    "half sleep hold end friday man round clean count house phone wash thursday live bus number "
    "plan close tuesday eat bag shut car head month school till voice front table carry order "
    "check week find window rest water coat flat run wall cold paper mother turn step letter "
    "straight finish work send tea ring floor dark post card hang fine light listen answer lunch "
    "park breathe sheet slow twice weather bring year tired change chair box laugh cry top worse "
    "stay rain lift bed monday different start inside speak open sign pick nice outside sentence "
    "stairs form draw corridor green watch corner full small page polite mouth empty buy key book "
    "date mark calendar leg plate pen type question list hat remember machine lid wednesday milk "
    "hot third miss loud daughter cut child drawer radio eye offer show father thousand shoulder "
    "march heart glass middle money boy weekend fridge pencil clock teeth woman wet joke play red "
    "blue shift drop sing land save nineteen fourteen begin sixty breakfast friend girl big angry "
    "fold longer street arm dog sister kitchen engine lie bank pass believe given kettle bar cat "
    "sock tap wife husband brother son family people job office hospital doctor shop kid parents "
    "saturday april today hello holiday summer winter spring story talk"
)
"""Words that people say of anything; half of the bundled people do."""
