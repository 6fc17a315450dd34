"""Whether a persona can be played to its end by the code user: rules beyond the schema.

A persona may be sound in itself and still lead nowhere: a keyword that every sentence holds, a need
that no act meets, more trust asked for than ten perfect turns can build.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from empathy_env.acts import ABOUTS, HELPFUL, NEEDS, Evidence, Need
from empathy_env.cues import tables
from empathy_env.difficulty import PRESETS
from empathy_env.document import Field
from empathy_env.draft import Draft, Item
from empathy_env.emotion import Listener, first_mood
from empathy_env.errors import MAX_PROBLEMS, Problem
from empathy_env.persona import Reaction, Temperament
from empathy_env.protocol import PROTOCOLS

TURNS: Final = 10
"""Turns of a talk, as a task has by default."""
_PROTOCOL: Final = PROTOCOLS["appraisal-v1"]
_MODERATE: Final = PRESETS["moderate"]


def unplayable(data: Mapping[str, Any]) -> list[Problem]:
    """Return what keeps a persona from being played, as far as its plain data is sound."""
    draft = Draft.of(data)
    alone = (problem for rule in _RULES for problem in rule(draft))
    found = chain(alone, _unmet(draft, data), _untrusted(draft, data))
    return list(islice(found, MAX_PROBLEMS + 1))


def _shared_words(draft: Draft) -> Iterator[Problem]:
    said: set[tuple[Field, str]] = set()
    for items in draft.variants:
        owners: dict[str, Item] = {}
        for item in items:
            for number, word in enumerate(item.words):
                owner = owners.setdefault(word, item)
                field = (*item.field, "words", number)
                if owner is not item and (field, word) not in said:
                    said.add((field, word))
                    message = f"the keyword {word!r} is also one of {owner.id!r}"
                    hint = "Who says it must mean one of the two: take it out of the other."
                    yield Problem("shared-word", message, field, hint)


def _empty_words(draft: Draft) -> Iterator[Problem]:
    """Find single words that say nothing of one thing.

    A phrase may consist of such words: that they stand side by side is rare. And "alone" says
    nothing of a fact, but it is what loneliness is called.
    """
    # The words by which the rules of the appraiser tie nothing to anything either.
    empty = tables().lists["stop"]
    for item in draft.items:
        for number, word in enumerate(item.words):
            if word in empty and item.field[0] != "feelings":
                message = f"the keyword {word!r} is in too many sentences to mean this one thing"
                hint = "Choose a word that is said of it alone, or a phrase."
                yield Problem("empty-word", message, (*item.field, "words", number), hint)


def _told_by_the_opening(draft: Draft) -> Iterator[Problem]:
    opening = draft.opening.lower().replace("\u2019", "'")
    for item in draft.shared:
        if not draft.opening or item.gated or not item.words:
            continue
        if not any(re.search(rf"\b{re.escape(word)}\b", opening) for word in item.words):
            message = f"{item.id!r} has no gate, but the opening has none of its words"
            hint = "Let the opening say one of its 'words', or give it a 'gate'."
            yield Problem("not-told", message, item.field, hint)


_RULES: Final[tuple[Callable[[Draft], Iterator[Problem]], ...]] = (
    _shared_words,
    _empty_words,
    _told_by_the_opening,
)


def _unmet(draft: Draft, data: Mapping[str, Any]) -> Iterator[Problem]:
    """Find needs that no helpful act can meet, given how this person reacts."""
    given = data.get("reactions")
    items = cast("list[object]", given) if isinstance(given, list) else []
    found = [_sound(Reaction, item) for item in items]
    reactions = tuple(reaction for reaction in found if reaction is not None)
    for number, (need, _) in enumerate(draft.needs):
        if need in NEEDS and _best_fit(need, reactions) < _PROTOCOL.met_from:
            acts = dict.fromkeys(reaction.act for reaction in reactions)
            message = (
                f"no act can meet {need!r}: with these 'reactions' none that helps lands at "
                f"{_PROTOCOL.met_from} or better"
            )
            hint = f"Raise the 'fit' of one of them ({', '.join(acts)}), or take it out."
            yield Problem("unmet-need", message, ("needs", number, "need"), hint)


def _best_fit(need: Need, reactions: tuple[Reaction, ...]) -> float:
    listener = Listener(need, Temperament(), reactions, _MODERATE, _PROTOCOL)
    return max(
        listener.fit(Evidence(act, "", 0, 0, about=about)) for act in HELPFUL for about in ABOUTS
    )


def most_trust(temperament: Temperament) -> float:
    """Return the trust that ten perfect turns build at difficulty "moderate".

    >>> most_trust(Temperament(trustfulness=0.0))
    0.85
    """
    grown = _PROTOCOL.trust_step * (0.5 + _MODERATE.trust) * (0.5 + temperament.trustfulness)
    return round(min(1.0, first_mood(_MODERATE).trust + TURNS * grown), 6)


def _untrusted(draft: Draft, data: Mapping[str, Any]) -> Iterator[Problem]:
    temperament = _sound(Temperament, data.get("temperament", {}))
    if temperament is None:
        return
    most = most_trust(temperament)
    for item in draft.items:
        if most < item.trust <= 1.0:
            message = (
                f"trust of {item.trust} cannot be reached: {TURNS} perfect turns at difficulty "
                f"'moderate' build {most:.2f}"
            )
            hint = "Lower it, or raise 'trustfulness' under 'temperament'."
            yield Problem("unreached-trust", message, (*item.field, "gate", "trust"), hint)


M = TypeVar("M", bound=BaseModel)


def _sound(model: type[M], value: object) -> M | None:
    """Return the value as the model reads it, or None: what is wrong with it is said elsewhere."""
    try:
        return model.model_validate(value)
    except ValidationError:
        return None
