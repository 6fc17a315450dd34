"""The corpora of the lab hold what their mix says."""

import random
from collections import Counter

import pytest

from empathy_env import verify
from empathy_env.lab.corpus import Mix, corpus, demonstrations, drawn_register, scripted
from empathy_env.lab.grammar import PEOPLE, TARGET, WANTED, register_of
from empathy_env.lab.people import drawn_starts
from empathy_env.lab.talks import World, play, worth
from empathy_env.lab.words import decoded

WORLDS = [World("bandit"), World("environment")]


@pytest.mark.parametrize("dose", [0.0, 0.1, 1.0])
def test_the_target_has_its_dose(dose):
    dice = random.Random(1)
    starts = drawn_starts(dice, 4000)
    drawn = [drawn_register(Mix(dose), start, True, dice) for start in starts]
    assert Counter(drawn)[TARGET] / len(drawn) == pytest.approx(dose, abs=0.02)


def test_what_is_needed_is_tilted_to_once_it_is_known():
    dice = random.Random(1)
    starts = drawn_starts(dice, 4000, needs=("guided_reflection",))
    for known, share in ((False, 0.3), (True, 0.25 + 0.75 * 0.3)):
        drawn = [drawn_register(Mix(0.0), start, known, dice) for start in starts]
        assert Counter(drawn)["open_question"] / 4000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_talk_has_the_turns_that_were_said_and_what_they_did(world):
    for talk in corpus(world, Mix(0.2), 40, 5):
        assert len(talk.turns) == (1 if world.name == "bandit" else 3)
        for turn in talk.turns:
            said = decoded(talk.ids[turn.begins : turn.ends])
            assert turn.register == register_of(said, talk.start.slots)
            assert turn.register is not None


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_people_who_are_withheld_never_hear_the_target(world):
    talks = corpus(world, Mix(0.5, withheld=4), 60, 2)
    heard = {
        talk.start.slots.person for talk in talks for turn in talk.turns if turn.register == TARGET
    }
    assert heard
    assert not heard & set(PEOPLE[:4])


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_corpus_depends_on_its_seed_alone(world):
    one, two, other = (corpus(world, Mix(0.1), 12, seed) for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_demonstrations_meet_the_need_and_succeed(world):
    for talk in demonstrations(world, 40, 3):
        done = [turn.register for turn in talk.turns[world.informed :]]
        assert done == [WANTED[talk.start.need]] * len(done)
        assert talk.emotion >= world.goal


@pytest.mark.parametrize("credit", [0.0, 0.4])
def test_validation_alone_does_not_succeed_with_who_needs_something_else(credit):
    starts = drawn_starts(random.Random(1), 40)
    world = World("environment", credit)
    talks = play(world, starts, scripted(starts, lambda start, turn: ("validation", turn % 2)))
    for talk in talks:
        assert (talk.emotion >= world.goal) == (talk.start.need == "deep_empathy")


def test_talks_of_the_environment_are_recorded_and_verify():
    starts = drawn_starts(random.Random(1), 4)
    talks = play(World(), starts, scripted(starts, lambda start, turn: ("suggestion", turn % 2)))
    for talk in talks:
        assert verify(talk.trace).consistent
        assert 100 * sum(turn.reward for turn in talk.turns) == pytest.approx(talk.emotion - 40)


def test_a_bandit_pays_by_its_table():
    assert worth("concrete_advice", "suggestion", 0.4) == 1.0
    assert worth("concrete_advice", "validation", 0.4) == 0.4
    assert worth("concrete_advice", None, 0.4) == 0.0
    assert worth("deep_empathy", "validation", 0.0) == 1.0
