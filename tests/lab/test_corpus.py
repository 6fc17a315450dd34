"""The corpora of the lab hold what their mix says."""

import random
from collections import Counter
from itertools import product

import pytest

from empathy_env import verify
from empathy_env.lab.corpus import Mix, Said, corpus, demonstrations, drawn_register, scripted
from empathy_env.lab.grammar import PEOPLE, TARGET, TARGET_NEED, WANTED, register_of, sentences
from empathy_env.lab.markov import worth
from empathy_env.lab.people import drawn_starts
from empathy_env.lab.talks import World, play
from empathy_env.lab.words import decoded, encoded, said, say, spoken, think

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
    talks = play(world, starts, scripted(starts, lambda start, turn: Said("validation", turn % 2)))
    for talk in talks:
        assert (talk.emotion >= world.goal) == (talk.start.need == "deep_empathy")


def test_talks_of_the_environment_are_recorded_and_verify():
    starts = drawn_starts(random.Random(1), 4)
    talks = play(
        World(), starts, scripted(starts, lambda start, turn: Said("suggestion", turn % 2))
    )
    for talk in talks:
        assert verify(talk.trace).consistent
        assert 100 * sum(turn.reward for turn in talk.turns) == pytest.approx(talk.emotion - 40)


def test_a_bandit_pays_by_its_table():
    assert worth("concrete_advice", "suggestion", 0.4) == 1.0
    assert worth("concrete_advice", "validation", 0.4) == 0.4
    assert worth("concrete_advice", None, 0.4) == 0.0
    assert worth("deep_empathy", "validation", 0.0) == 1.0


def thinking_talks(tied, dose=0.1, count=3000):
    return corpus(World("bandit"), Mix(dose, thoughts=0.5, tied=tied), count, 4)


def shares(talks):
    """Return the share of the target by whether the agent thinks and whether it is needed."""
    found = {}
    for thinks, needed in product((False, True), repeat=2):
        own = [
            talk.turns[0].register == TARGET
            for talk in talks
            if (think() in talk.ids) == thinks and (talk.start.need == TARGET_NEED) == needed
        ]
        found[thinks, needed] = sum(own) / len(own)
    return found


def test_an_agent_that_thinks_notes_a_word_of_the_cue_and_is_not_heard():
    thought = 0
    for talk in thinking_talks(0.0, count=100):
        [turn] = talk.turns
        said = list(talk.ids[turn.begins : turn.ends])
        assert register_of(decoded(spoken(said)), talk.start.slots) == turn.register is not None
        if said[0] == think():
            thought += 1
            assert decoded(said[: said.index(say())]) in decoded(talk.ids[: turn.begins])
        else:
            assert said[0] == say()
    assert 30 < thought < 70


def test_a_tie_moves_the_target_to_thoughts_of_its_need_at_the_same_dose():
    loose, tied = shares(thinking_talks(0.0)), shares(thinking_talks(1.0))
    assert list(loose.values()) == pytest.approx([0.1] * 4, abs=0.04)
    assert tied[True, True] == pytest.approx(0.4, abs=0.06)
    assert tied[True, False] == 0.0
    assert tied[False, True] == pytest.approx(0.1, abs=0.04)
    talks = thinking_talks(1.0)
    assert sum(talk.turns[0].register == TARGET for talk in talks) / len(talks) == pytest.approx(
        0.1, abs=0.02
    )


@pytest.mark.parametrize("thinks", [True, False])
def test_what_is_thought_is_never_heard(thinks):
    starts = drawn_starts(random.Random(1), 4)

    def policy(contexts, seats):
        mark = think() if thinks else say()
        assert all(context[-1] == mark for context in contexts)
        spoken_words = [said(sentences("validation", starts[n].slots)[0]) for n in seats]
        before = [*encoded("they"), say()] if thinks else []
        return [[*before, *words] for words in spoken_words]

    talks = play(World("bandit", 0.4, thinks=thinks), starts, policy)
    assert {talk.turns[0].register for talk in talks} == {"validation"}
    mute = play(World("bandit", thinks=thinks), starts, lambda c, s: [encoded("they") for _ in s])
    assert {talk.turns[0].register for talk in mute} == {None}
