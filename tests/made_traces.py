"""Traces made by hand: each turn says what the agent did and how the user took it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from empathy_env import Scenario, Task, load_persona
from empathy_env.acts import Evidence
from empathy_env.emotion import Mood
from empathy_env.trace import Answer, Turn

PERSONA = "laid-off-engineer"


def piece(act, **fields):
    """A piece of evidence that is tied to what was said, unless told otherwise."""
    return Evidence(act, "", 0, 0, **{"grounded": True, **fields})


def made_turn(*evidence, say="", reply="Hm.", emotion=50.0, heard=0.0, told=(), harm=0.0, **fields):
    """A turn: its evidence, what is said, and where the mood is after it."""
    mood = Mood(emotion, 0.3, heard=heard)
    answer = Answer(mood, 0.0, harm, False, None, tuple(told), (), "guarded", reply)
    return Turn(say, "", say, (), tuple(evidence), (answer,), fields.get("outcome"))


def made_talk(*turns, persona=PERSONA, need=None, seed=0, start=40.0):
    """A talk of these turns with a bundled persona."""
    person = load_persona(persona)
    scenario = Scenario(persona=person, need=need or person.needs[0].need, seed=seed)
    trace = Task(persona=person).open(scenario=scenario).trace
    return replace(trace, turns=turns, start=(Mood(start, 0.3),))


def renamed(trace, name):
    """The same talk with a person of another id."""
    scenario = trace.scenario
    person = scenario.persona.model_copy(update={"id": name})
    return replace(trace, scenario=replace(scenario, persona=person))


@cache
def spoken():
    return made_talk(made_turn(say="Tell me.", emotion=50.0, outcome="time_up"))


def ended(emotion, persona, seed, member, agent):
    """A talk of one turn that ends with this emotion."""
    trace = renamed(spoken(), persona)
    [turn] = trace.turns
    answer = turn.answers[0]
    mood = answer.mood._replace(emotion=float(emotion))
    return replace(
        trace,
        agent=agent,
        scenario=replace(trace.scenario, seed=seed, member=member, max_turns=1),
        turns=(replace(turn, answers=(answer._replace(mood=mood),)),),
    )
