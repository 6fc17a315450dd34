"""Turns that were played with one persona, to be played again with another that differs a little.

A turn is answered from the state before it, so what differs in a whole talk differs in the first
turn that is answered otherwise. Each turn is therefore played again by itself, and its evidence is
looked for again only if what could be talked of is not the same.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from empathy_env.acts import Appraisal, Context, Evidence, Reading
from empathy_env.backends import Reply, Request
from empathy_env.conversation import Conversation, say
from empathy_env.drivers import run
from empathy_env.episode import Task
from empathy_env.persona import Lines, NeedVariant, Persona
from empathy_env.probes import QUESTIONS, WORDINGS, Trial
from empathy_env.reporting import seated
from empathy_env.scenario import Scenario
from empathy_env.trace import Answer, Turn
from empathy_env.user import SimulatedUser


class Played(NamedTuple):
    """One turn.

    Attributes:
        need: Number of the need variant, from 0.
        before: The talk up to it.
        turn: What was said and answered.
    """

    need: int
    before: Conversation
    turn: Turn

    @property
    def answer(self) -> Answer:
        """What the user answered."""
        return self.turn.answers[0]

    @property
    def topics(self) -> frozenset[str | None]:
        """Ids of all that was told or talked of in it."""
        return frozenset((*self.answer.told, *(piece.topic for piece in self.turn.evidence)))


@dataclass(frozen=True)
class _Known:
    """Finds the evidence that has been found before."""

    evidence: Appraisal
    name: str = "known"

    def appraise(self, utterance: str, context: Context) -> Generator[Request, Reply, Reading]:
        """Return it; asks no model."""
        yield from ()
        return Reading(self.evidence)


def told_again(before: Conversation, said: str, evidence: Appraisal) -> Conversation:
    """Play a turn whose evidence is known."""
    knowing = replace(before.room, appraiser=_Known(evidence))
    after = run(say(replace(before, room=knowing), said))
    return replace(after, room=before.room)


def moves(played: Played, persona: Persona) -> bool:
    """Whether a turn is felt, disclosed or answered otherwise by this persona."""
    room, state = played.before.room, played.before.users[0]
    variant = persona.needs[played.need]
    scenario = replace(room.scenario, persona=persona, need=variant.need)
    user = SimulatedUser(scenario)
    before = replace(
        played.before, room=replace(room, scenario=scenario, users=(seated(scenario),))
    )
    if user.topics(state) == SimulatedUser(room.scenario).topics(state):
        after = told_again(before, played.turn.raw, played.turn.evidence)
    else:
        after = run(say(before, played.turn.raw))
    answer, own = after.turns[-1].answers[0], played.answer
    return (answer.mood, answer.told, answer.reply) != (own.mood, own.told, own.reply)


def played_turns(persona: Persona, trials: Iterable[Trial]) -> list[Played]:
    """Return the turns of these talks, and of being asked about everything by who is told all."""
    task = Task(persona=persona)
    found: list[Played] = []
    for number, trial in enumerate(trials):
        for trace in trial.talks:
            talk = task.begin(trace.scenario)
            for turn in trace.turns:
                after = told_again(talk, turn.raw, turn.evidence)
                found.append(Played(number, talk, after.turns[-1]))
                talk = after
    for number, variant in enumerate(persona.needs):
        found += _asked(task, persona, number, variant)
    return found


def _asked(task: Task, persona: Persona, number: int, variant: NeedVariant) -> Iterator[Played]:
    """Yield turns of somebody who has told all: asked about each thing, and met with each act."""
    begun = task.begin(Scenario(persona=persona, need=variant.need))
    user = SimulatedUser(begun.room.scenario)
    talk = knowing(begun, user)
    lines = [WORDINGS["open_question"].format(w=word) for i in user.items for word in i.words[:3]]
    lines += [question for questions in QUESTIONS for question in questions]
    for line in lines:
        yield Played(number, talk, run(say(talk, line)).turns[-1])
    ripe = in_mood(talk, trust=0.6, heard=1.0)
    for before in (begun, in_mood(begun, trust=0.6, heard=1.0), talk, ripe):
        # Words that do nothing: what is said then is a line of the voice.
        yield Played(number, before, run(say(before, "Seventeen.")).turns[-1])
    told, felt = persona.facts[0].words[0], persona.feelings[0].words[0]
    for wording in WORDINGS.values():
        yield Played(number, ripe, run(say(ripe, wording.format(w=told, f=felt))).turns[-1])
    for reaction in persona.reactions:
        # Rules may hardly ever read this act, about this, in words: another appraiser may.
        about = reaction.about or "situation"
        evidence = (Evidence(reaction.act, _SO, 0, len(_SO), about=about, grounded=True),)
        yield Played(number, ripe, told_again(ripe, _SO, evidence).turns[-1])


_SO: Final = "So it is."


def knowing(talk: Conversation, user: SimulatedUser) -> Conversation:
    """Return the talk in which the user has told everything."""
    return replace(talk, users=(talk.users[0]._replace(told=frozenset(user.by_id)),))


def in_mood(talk: Conversation, **changed: float) -> Conversation:
    """Return the talk with something else felt."""
    state = talk.users[0]
    return replace(talk, users=(state._replace(mood=state.mood._replace(**changed)),))


def rare_turns(played: Iterable[Played], situation: str, *, own: bool) -> Iterator[Played]:
    """Yield turns in a situation of the voice again, with other chances, until its lines come.

    Whether somebody says a line beside an answer is chance; and a line of all needs comes after
    those of the need's own.

    Args:
        played: Turns of any situation.
        situation: A field of `Lines`.
        own: Whether the need's own lines are wanted, which come after a fact of its own; else they
            are used up before.
    """
    usual = {situation, "guarded", "tells"} if situation == "opens_up" else {situation}
    near = [one for one in played if one.answer.manner in usual][:_TRIED]
    for seed in range(1, _SEEDS):
        for one in near:
            before = _seeded(one.before, seed)
            user, state = SimulatedUser(before.room.scenario), before.users[0]
            if own:
                state = state._replace(told=state.told | user.own)
            else:
                lines = user.variant.lines
                used = (line for name in Lines.model_fields for line in getattr(lines, name))
                state = state._replace(spoken=state.spoken.union(used))
            before = replace(before, users=(state,))
            again = told_again(before, one.turn.raw, one.turn.evidence)
            yield Played(one.need, before, again.turns[-1])


_TRIED: Final = 12
_SEEDS: Final = 16


def _seeded(talk: Conversation, seed: int) -> Conversation:
    scenario = replace(talk.room.scenario, seed=seed)
    return replace(talk, room=replace(talk.room, scenario=scenario, users=(seated(scenario),)))
