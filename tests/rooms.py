"""Rooms full of people for the tests of what happens in company: casts, seats and random lines."""

from __future__ import annotations

from functools import cache

from circles import CASTS as OTHERS
from hypothesis import strategies as st

from empathy_env import Scenario, Task
from empathy_env.cast import TURN_RULES, Cast, load_cast
from empathy_env.circle import play
from empathy_env.drivers import run

CASTS = {**OTHERS, "friends": load_cast("third-friend")}
SAID = (
    "{0}, that sounds hard. What was it like for you?",
    "You sound ashamed, {0}. It makes sense that you feel hurt. {1}, what did you hear?",
    "{0}, you are right. I am on your side. {1} should not have done that.",
    "{1} works so hard for all of you, {0}. What do you make of it?",
    "{1}, you brought this on yourself.",
    "[aside to {0}] You sound so sad. What is it?",
    "What is the hardest part of it for each of you?",
    "You sound worn out, all of you.",
    "{0}. {1}. {0}.",
    "",
    "I have to go now. Goodbye.",
)
ANSWERS = (
    "",
    "I am so tired of it.",
    "{0}, that's not true. I never said that.",
    "{0}, you are right. I am sorry that I hurt you.",
    "[aside to Supporter] I cannot say it aloud.",
    "{0}, you sound hurt. What was it like?",
)
rules = st.sampled_from(TURN_RULES)
seeds = st.integers(0, 30)


@cache
def cast_of(name: str, order: tuple[int, ...] = (), rule: str = "") -> Cast:
    """One of the casts with its people in this order, under this rule of turns."""
    cast = CASTS[name]
    data = cast.to_data()
    people = [data["people"][seat] for seat in order or range(len(cast.people))]
    return Cast.parse({**data, "people": people, "turns": rule or cast.turns})


@cache
def task_of(name: str, order=(), rule="", *, supporters=1, played=(), max_turns=8, **kwargs):
    """A task of such a cast; `played` are users' seats by number."""
    return Task(
        cast=cast_of(name, order, rule),
        supporters=supporters,
        played=[f"user_{seat}" for seat in played],
        max_turns=max_turns,
        **kwargs,
    )


def reseated(scenario: Scenario, name: str, order: tuple[int, ...], rule: str = "") -> Scenario:
    """The same scenario with its people in another order."""
    return Scenario(
        cast=cast_of(name, order, rule),
        needs=tuple(scenario.needs[seat] for seat in order),
        difficulty=scenario.difficulty,
        seed=scenario.seed,
        max_turns=scenario.max_turns,
    )


def after(talk, rounds, backend=None):
    """The talk after these rounds, each what the seats say, or up to where they end it.

    Who is played and has no line is silent.
    """
    for actions in rounds:
        if talk.outcome is None:
            said = {seat: actions.get(seat, "") for seat in talk.room.played}
            talk = run(play(talk, said), backend)
    return talk


def line(names, templates=SAID):
    """A strategy for one of the templates, with two of the names in it."""
    pairs = st.permutations(names).map(lambda order: tuple(order[:2]))
    return st.tuples(st.sampled_from(templates), pairs).map(lambda got: got[0].format(*got[1]))


@st.composite
def rounds(draw, name, *, supporters=1, played=(), most=5):
    """A strategy for what the seats say in a few rounds."""
    names = CASTS[name].names
    seats = {f"supporter_{number}": line(names) for number in range(supporters)}
    seats |= {f"user_{seat}": line(names, ANSWERS) for seat in played}
    return draw(st.lists(st.fixed_dictionaries(seats), min_size=1, max_size=most))
