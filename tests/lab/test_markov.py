"""People of five moods: what a policy is worth with them is exact."""

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.lab.grammar import REGISTERS, WANTED, sentences
from empathy_env.lab.markov import FIRST, MOODS, asked, exact, line, moved, reachable, worth
from empathy_env.lab.people import TURNS, drawn_starts
from empathy_env.lab.talks import World, play
from empathy_env.lab.words import AGENT, USER, decoded, encoded, said

STARTS = drawn_starts(random.Random(3), 4)


def uniform(contexts, slots):
    return np.full((len(contexts), len(REGISTERS), 2), 1 / 8)


def sour(contexts, slots):
    """Advise in nine turns of ten, and whoever is badly off in every turn."""
    found = np.full((len(contexts), len(REGISTERS), 2), 0.1 / 6)
    for table, context in zip(found, contexts, strict=True):
        bad = tuple(context[-1 - len(encoded(line(0))) : -1]) == tuple(encoded(line(0)))
        table[:] = 0.0 if bad else table
        table[REGISTERS.index("suggestion")] = 0.5 if bad else 0.45
    return found


def playing(chances):
    """Return a policy that draws its sentences by these chances."""
    dice = random.Random(5)

    def policy(contexts, seats):
        words = []
        for context, seat in zip(contexts, seats, strict=True):
            slots = policy.starts[seat].slots
            table = chances([context], [slots])[0]
            options = [text for register in REGISTERS for text in sentences(register, slots)]
            words.append(said(dice.choices(options, table.ravel())[0]))
        return words

    return policy


@given(st.integers(0, len(MOODS) - 1), st.floats(0, 1))
def test_a_mood_goes_to_its_neighbours_and_more_is_never_worse(mood, value):
    found = moved(mood, value)
    assert sum(found.values()) == pytest.approx(1.0)
    assert all(abs(after - mood) <= 1 for after in found)
    better = moved(mood, min(1.0, value + 0.1))
    assert mean(better) >= mean(found) - 1e-9


def mean(found):
    return sum(MOODS[after] * chance for after, chance in found.items())


def test_what_can_be_reached_is_what_the_best_and_the_worst_plan_reach():
    def value(plan, mood):
        if not plan:
            return MOODS[mood]
        return sum(p * value(plan[1:], after) for after, p in moved(mood, plan[0]).items())

    for mood, turns in product(range(len(MOODS)), range(4)):
        plans = [value(plan, mood) for plan in product((0.0, 0.4, 1.0), repeat=turns)]
        found = reachable(mood, turns)
        assert (found.low, found.high) == pytest.approx((min(plans), max(plans)))


def test_a_policy_that_looks_at_nothing_has_the_value_of_its_mix():
    for start, found in zip(STARTS, exact(uniform, STARTS, 0.4, least=0.0), strict=True):
        mix = [worth(start.need, register, 0.4) for register in REGISTERS]
        moods = {FIRST: 1.0}
        for _ in range(TURNS):
            after = dict.fromkeys(range(len(MOODS)), 0.0)
            for mood, chance in moods.items():
                for value in mix:
                    for to, share in moved(mood, value).items():
                        after[to] += chance * share / len(mix)
            moods = after
        assert found.low == pytest.approx(mean(moods))
        assert found.high == pytest.approx(found.low)


@pytest.mark.parametrize("chances", [uniform, sour])
def test_talks_that_are_played_come_to_the_exact_value(chances):
    for start, found in zip(STARTS, exact(chances, STARTS, 0.4), strict=True):
        policy = playing(chances)
        policy.starts = [start] * 2000
        talks = play(World("markov", 0.4), policy.starts, policy, members=list(range(2000)))
        ends = [talk.emotion for talk in talks]
        error = np.std(ends) / np.sqrt(len(ends))
        assert found.low - 4 * error - 1e-6 <= np.mean(ends) <= found.high + 4 * error + 1e-6


def test_what_is_not_followed_up_widens_the_bounds_and_never_excludes_the_value():
    def half(contexts, slots):
        return 0.5 * uniform(contexts, slots)

    for whole, pruned in zip(
        exact(uniform, STARTS, 0.0, least=0.0), exact(uniform, STARTS, 0.0, least=0.02), strict=True
    ):
        assert pruned.low < whole.low <= whole.high < pruned.high
    for found in exact(half, STARTS, 0.0):
        assert reachable(FIRST, TURNS).low < found.low < found.high < reachable(FIRST, TURNS).high


def test_what_is_needed_all_along_reaches_the_top_and_harm_is_told_by_what_they_say():
    def right(contexts, seats):
        return [said(sentences(WANTED[STARTS[n].need], STARTS[n].slots)[0]) for n in seats]

    for talk in play(World("markov"), STARTS, right):
        assert talk.emotion == reachable(FIRST, TURNS).high == 100.0
        assert [turn.reward for turn in talk.turns] == [0.25, 0.25, 0.25]
        heard = decoded(talk.ids).split(asked(talk.start).lower())[-1]
        assert line(2).lower() in heard
        assert line(3).lower() in heard


def test_each_mood_has_words_of_its_own():
    assert len({line(mood) for mood in range(len(MOODS))}) == len(MOODS)


def test_members_of_a_group_have_luck_of_their_own_and_a_talk_can_be_played_again():
    def silent(contexts, seats):
        return [said("maybe") for _ in seats]

    starts = [STARTS[0]] * 30
    one, again = (play(World("markov"), starts, silent, members=list(range(30))) for _ in range(2))
    assert one == again
    assert len({talk.emotion for talk in one}) > 1
    assert all(talk.ids.count(USER) == talk.ids.count(AGENT) == TURNS for talk in one)
