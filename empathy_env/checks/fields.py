"""Which fields of a persona could be different, and nobody would notice."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import chain
from typing import Final

from empathy_env.checks.case import PersonaCase
from empathy_env.checks.mutation import Leaf, mutants, written_fields
from empathy_env.checks.turns import Played, knowing, moves, rare_turns
from empathy_env.document import Field
from empathy_env.episode import Task
from empathy_env.errors import Problem
from empathy_env.model_speaker import ModelSpeaker
from empathy_env.persona import Persona
from empathy_env.profile import Portrait, portrait
from empathy_env.scenario import Scenario
from empathy_env.user import Item, SimulatedUser


def dead_fields(case: PersonaCase) -> Iterator[Problem]:
    """Yield the fields of a persona that could be different, and nobody would notice.

    Each behavioural field that is written in it is changed by itself, and the turns of all talks
    are played again, until one is felt, disclosed or answered otherwise. For prose, what a model is
    told has to change. Of what is told in no talk, only that is said.
    """
    subject = case.loaded
    persona = subject.persona
    untold = _untold(case)
    for place, item in untold.items():
        message = f"{item.id!r} is told in no talk, so nothing of it moves anything"
        yield subject.placed("dead-field", message, (*place, "gate"), "See the law 'reachable'.")
    dead = [leaf for leaf in written_fields(persona) if _is_dead(case, leaf, untold)]
    for place, leaf in _together(dead).items():
        yield subject.placed("dead-field", _dead(case, leaf), place, _hint(leaf))


def _is_dead(case: PersonaCase, leaf: Leaf, untold: Container[Field]) -> bool:
    item, place = _item_of(case.loaded.persona, leaf.field)
    if leaf.kind == "metadata" or (leaf.kind == "behaviour" and place in untold):
        return False
    if leaf.owner == "Fact.says" and item is not None and item.gate is None:
        return False  # what the opening has told, the opening says
    return not _alive(case, leaf)


def _together(dead: Iterable[Leaf]) -> dict[Field, Leaf]:
    """Return dead fields by place. Where another fit is not felt, the whole reaction is dead."""
    leaves = list(dead)
    whole = {leaf.field[:2] for leaf in leaves if leaf.owner == "Reaction.fit"}
    found: dict[Field, Leaf] = {}
    for leaf in leaves:
        of_reaction = leaf.kind == "behaviour" and leaf.field[:2] in whole
        found.setdefault(leaf.field[:2] if of_reaction else leaf.field, leaf)
    return found


def _untold(case: PersonaCase) -> dict[Field, Item]:
    """Return what has a gate and is told in none of the talks, by its place."""
    persona = case.loaded.persona
    told = [trial.told for trial in case.trials]
    anywhere = frozenset[str]().union(*told)
    found: dict[Field, Item] = {}
    for name in ("facts", "feelings", "beliefs"):
        for number, item in enumerate(getattr(persona, name)):
            if item.gate is not None and item.id not in anywhere:
                found[name, number] = item
    for number, variant in enumerate(persona.needs):
        for place, fact in enumerate(variant.facts):
            if fact.gate is not None and fact.id not in told[number]:
                found["needs", number, "facts", place] = fact
    return found


def _item_of(persona: Persona, field: Field) -> tuple[Item | None, Field]:
    """Return the fact, feeling or belief that a field belongs to, and where it stands."""
    match field:
        case ("facts" | "feelings" | "beliefs" as name, int(number), *_):
            return getattr(persona, name)[number], field[:2]
        case ("needs", int(number), "facts", int(place), *_):
            return persona.needs[number].facts[place], field[:4]
        case _:
            return None, ()


def _alive(case: PersonaCase, leaf: Leaf) -> bool:
    persona = case.loaded.persona
    others = list(mutants(persona, leaf))
    if leaf.kind == "prose":
        told = prompts(persona)
        return any(prompts(other) != told for other in others)
    if any(other.opening != persona.opening for other in others):
        return True
    near, far = _by_relevance(case, leaf)
    turns = chain(near, far)
    if leaf.owner.startswith("Lines."):
        rare = rare_turns(far, str(leaf.steps[-1]), own=leaf.field[0] == "needs")
        turns = chain(near, far, rare)
    return any(moves(one, other) for one in turns for other in others)


def _by_relevance(case: PersonaCase, leaf: Leaf) -> tuple[list[Played], list[Played]]:
    """Return the turns that this field has to do with, and the others of its need."""
    number = leaf.field[1] if leaf.field[0] == "needs" else None
    turns = [one for one in case.played if number in (None, one.need)]
    if leaf.field[0] == "reactions":
        # Another act would be felt otherwise wherever it occurs: tried only where this one does.
        reaction = case.loaded.persona.reactions[int(leaf.field[1])]
        return [
            one
            for one in turns
            if any(
                piece.act == reaction.act and reaction.about in (None, piece.about)
                for piece in one.turn.evidence
            )
        ], []
    item, _ = _item_of(case.loaded.persona, leaf.field)

    def near(one: Played) -> bool:
        if item is not None:
            return item.id in one.topics
        return any(text in one.answer.reply for text in leaf.texts)

    return [one for one in turns if near(one)], [one for one in turns if not near(one)]


def _dead(case: PersonaCase, leaf: Leaf) -> str:
    if leaf.kind == "prose":
        return "another text changes nothing that a model is told"
    near, far = _by_relevance(case, leaf)
    return (
        "another value moves no mood, no disclosure and no reply in "
        f"{len(near) + len(far)} turns where it could"
    )


def _hint(leaf: Leaf) -> str:
    model = leaf.owner.partition(".")[0]
    return _HINTS.get(model, "Leave it out, or let something depend on it.")


_HINTS: Final = {
    "Reaction": "Of several reactions to one act the first that fits is taken: put the narrower "
    "one first, or leave it out.",
    "Lines": "Look at when this situation arises, or leave the lines out.",
    "Answers": "Look at what these questions are about, or leave the lines out.",
}


def prompts(persona: Persona) -> list[tuple[str, ...] | Portrait]:
    """Return all that a model is told that plays a persona who has told everything."""
    task = Task(persona=persona)
    found: list[tuple[str, ...] | Portrait] = []
    for variant in persona.needs:
        talk = task.begin(Scenario(persona=persona, need=variant.need))
        user = SimulatedUser(talk.room.scenario)
        state = knowing(talk, user).users[0]
        moment = user.moment(state, "So.", (), 1, user.feel(state, (), 1), (), talk.spoken)
        request = next(ModelSpeaker().speak(moment))
        found.append(tuple(message["content"] for message in request.messages))
        found.append(portrait(persona, variant.need))
    return found
