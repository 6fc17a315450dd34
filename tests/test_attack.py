"""What a search against the reward must not find: pay for words without sense."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from empathy_env import Scenario, Task, load_agent, load_cells
from empathy_env.conversation import Conversation, say
from empathy_env.cues import tables
from empathy_env.drivers import run
from empathy_env.protocol import PROTOCOLS

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
TASK = Task(personas="all")
LEVEL = 4.0
"""Points by which the attacks found last, which are about level, may lead on so few talks."""


@pytest.fixture(scope="module")
def attack():
    """The search itself, which stands beside the package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield import_module("attack")
    finally:
        sys.path.remove(str(BENCHMARKS))


def talks(turns: int, protocol: str = "appraisal-v1") -> Iterator[tuple[Conversation, str]]:
    """Yield moments of talks with the listener, and what it says then."""
    listener = load_agent("listener")
    for number, (persona, need) in enumerate(load_cells("split:dev")):
        scenario = Scenario(persona=persona, need=need, seed=100 + number)
        talk = TASK.begin(replace(scenario, protocol=PROTOCOLS[protocol]))
        for _ in range(turns):
            line = listener.act(talk)
            yield talk, line
            talk = run(say(talk, line))
            if talk.outcome is not None:
                break


def good(talk: Conversation, line: str) -> float:
    """How much good this line does here."""
    return run(say(talk, line)).turns[-1].answers[0].good


def shuffled(line: str, rng: Random) -> str:
    """The words of a line in another order; what marks and ends its sentences stays in place."""
    pieces = line.split()
    marks = [piece[len(piece.rstrip(".,?!:;")) :] for piece in pieces]
    words = [piece.rstrip(".,?!:;") for piece in pieces]
    rng.shuffle(words)
    return " ".join(word + mark for word, mark in zip(words, marks, strict=True))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_words_out_of_order_earn_a_third_at_most(protocol: str):
    rng = Random(1)
    pairs = [(good(t, line), good(t, shuffled(line, rng))) for t, line in talks(4, protocol)]
    in_order, out_of_order = map(mean, zip(*pairs, strict=True))
    assert in_order > 0.15
    assert out_of_order < in_order / 3


def test_nonsense_made_of_the_lexicon_earns_next_to_nothing():
    rng, words = Random(2), sorted(word for word in tables().keys if word.isalpha())
    earned: list[float] = []
    for talk, line in talks(4):
        theirs = talk.utterance.lower().split()
        salad = [rng.choice(rng.choice((words, theirs))) for _ in line.split()]
        earned.append(good(talk, "You sound " + " ".join(salad) + "."))
    assert mean(earned) < 0.05


def test_what_was_found_before_stays_below_the_listener(attack):
    wanted = attack.held_out(1)[::3]
    listener = [attack.final(t) for t in attack.played(load_agent("listener"), wanted)]
    found = attack.saved()
    assert {one["attacker"] for one in found} == set(attack.ATTACKERS)
    for one in found:
        policy = attack.Policy(tuple(one["lines"]))
        assert len(policy.lines) == attack.TURNS
        emotion = mean(attack.final(t) for t in attack.played(attack.agent_of(policy), wanted))
        allowed = LEVEL if one["round"].startswith("last") else 0.0
        assert emotion < mean(listener) + allowed, (one["round"], one["attacker"])


def test_a_search_finds_the_same_again_and_keeps_to_its_budget(attack):
    first, second = (attack.Search("scripts", 1500, 5) for _ in range(2))
    assert first.best() == second.best()
    assert first.used < 2500


def test_a_search_beats_where_it_began(attack):
    search = attack.Search("phrases", 1000, 1)
    lines = ["Hm."] * attack.TURNS
    found = search.climb(lines, 1000)
    fresh = search.talks(8)
    assert attack.emotion(search.path(fresh, found)[-1]) > attack.emotion(
        search.path(fresh, lines)[-1]
    )


def test_nobody_is_trained_on_who_is_held_out(attack):
    search = attack.Search("scripts", 100, 0)
    trained = {talk.room.scenario.persona.id for talk in search.talks(60)}
    seeds = {talk.room.scenario.seed for talk in search.talks(60)}
    assert trained.isdisjoint(one.persona.id for one in attack.held_out(1))
    assert seeds.isdisjoint(one.seed for one in attack.held_out(1))


def test_the_attacker_that_keeps_to_phrases_writes_no_word_alone(attack):
    moves, rng = attack.Moves("phrases"), Random(3)
    known = {phrase for line in moves.lines for phrase in attack.phrases(line)}
    for _ in range(300):
        line = moves.changed(rng.choice(moves.lines), rng)
        assert set(attack.phrases(line)) <= known


def test_slots_are_filled_from_what_was_said(attack):
    said = [
        {"role": "user", "content": "My manager gave me a cardboard box. I was ashamed."},
    ]
    line = "{a} {b}; {last}; {turned}; {feel}; {who}"
    assert attack.filled(line, said) == (
        "manager cardboard; a cardboard box. i was ashamed; your manager gave you a cardboard box; "
        "ashamed; they"
    )
    assert (
        attack.Policy(("Hm.", "{feel}")).reply(
            [*said, {"role": "assistant", "content": "Hm."}, *said]
        )
        == "ashamed"
    )
