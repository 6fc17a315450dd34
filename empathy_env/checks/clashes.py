"""Replies that do for two needs of one persona, so that finding out which it is does not pay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from empathy_env.acts import ABOUTS, HELPFUL, About, Act, Evidence, Need
from empathy_env.difficulty import PRESETS
from empathy_env.document import Field
from empathy_env.emotion import Listener, Mood, next_mood
from empathy_env.errors import Problem
from empathy_env.persona import Persona, Temperament
from empathy_env.protocol import PROTOCOLS
from empathy_env.subject import Subject

LEAST_GAP: Final = 0.3
"""Share of its gain by which a fitting reply beats one that fits another need."""


def indistinct(subject: Subject, clash: Clash) -> Problem:
    """Return a clash as a problem, with its place."""
    persona, (act, about) = subject.persona, clash.reply
    field: Field = ("needs", clash.need, "need")
    for place, reaction in enumerate(persona.reactions):
        if reaction.act == act and reaction.about in (None, about):
            field = ("reactions", place, "fit")
            break
    message = (
        f"{act} about {about} fits {clash.other!r} best and pays {clash.pays:.1f} points for "
        f"{persona.needs[clash.need].need!r} too, where the best pays {clash.gain:.1f}: "
        f"that must be {LEAST_GAP:.0%} more"
    )
    hint = "Let no reaction land alike with both needs, or give this person other needs."
    return subject.placed("indistinct", message, field, hint)


Reply = tuple[Act, About]


class Clash(NamedTuple):
    """A reply that does for two needs.

    Attributes:
        need: Number of the need that it pays for, from 0.
        other: The need that it fits best.
        reply: The reply.
        gain: What fits the need best pays, in points.
        pays: What the reply pays.
    """

    need: int
    other: Need
    reply: Reply
    gain: float
    pays: float


def clashes(persona: Persona) -> Iterator[Clash]:
    """Yield the replies that do for two needs at once, though they fit one of them best."""
    needs: list[Need] = [variant.need for variant in persona.needs]
    best: dict[Need, list[Reply]] = {need: _fitting(persona, need) for need in needs}
    for number, (need, own) in enumerate(best.items()):
        gain = min(_gain(persona, need, reply) for reply in own)
        for other, replies in best.items():
            # An act may fit two needs in one respect: it must not do so whatever it is about.
            for act in dict.fromkeys(act for act, _ in replies if other != need):
                pays = {_gain(persona, need, reply): reply for reply in replies if reply[0] == act}
                least = min(pays)
                if gain - least < LEAST_GAP * gain:
                    yield Clash(number, other, pays[least], gain, least)


def _listener(persona: Persona, need: Need) -> Listener:
    # The middle temperament: with a stronger one the limit of a turn hides the difference.
    moderate, law = PRESETS["moderate"], PROTOCOLS["appraisal-v1"]
    return Listener(need, Temperament(), persona.reactions, moderate, law)


def _piece(reply: Reply) -> Evidence:
    return Evidence(reply[0], "so", 0, 2, about=reply[1], grounded=True)


def _fitting(persona: Persona, need: Need) -> list[Reply]:
    """Return the replies that this need asks for most, as (act, about)."""
    listener = _listener(persona, need)
    replies: list[Reply] = [(act, about) for act in HELPFUL for about in ABOUTS]
    most = max(listener.fit(_piece(reply)) for reply in replies)
    return [reply for reply in replies if listener.fit(_piece(reply)) == most]


def _gain(persona: Persona, need: Need, reply: Reply) -> float:
    """Return by how many points a reply moves somebody who trusts and feels heard."""
    ready = Mood(40.0, trust=0.6, heard=1.0)
    return next_mood(ready, (_piece(reply),), _listener(persona, need), resisting=False).change
