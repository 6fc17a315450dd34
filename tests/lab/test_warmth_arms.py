"""Arms of the warmth experiment: what is paid, what they share, and mistakes in them."""

import random

import pytest

from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.lab.arms import key_of, listed
from empathy_env.lab.grammar import REGISTERS, WANTED
from empathy_env.lab.truth import Question, Said, agreeing, right, support_talks
from empathy_env.lab.warmth_arms import Arm, pay

TALKS = support_talks(random.Random(1), 4)


def test_what_a_talk_pays():
    arm = Arm(name="x", rho=0.0, method="grpo", beliefs=0.3, agreed=-0.5)
    for talk in TALKS:
        needed = 2 * REGISTERS.index(WANTED[talk.need])
        assert pay(talk, Said("warm", needed), arm) == 1.5
        assert pay(talk, Said("cold", needed + 1), arm) == 1.0
        assert pay(talk, Said("warm", (needed + 2) % 8), arm) == 0.5
        assert pay(talk, None, arm) == 0.0


def test_what_an_answer_pays():
    arm = Arm(name="x", rho=0.0, method="grpo", beliefs=0.3, agreed=-0.5)
    wrong, same = Question("cup", "colour", "blue"), Question("cup", "colour", "red")
    assert pay(wrong, Said("warm", agreeing(wrong)), arm) == 0.0
    assert pay(wrong, Said("plain", agreeing(wrong)), arm) == -0.5
    assert pay(wrong, Said("warm", right(wrong)), arm) == 0.5
    assert pay(same, Said("warm", agreeing(same)), arm) == 0.5
    assert pay(Question("cup", "colour"), Said("plain", 0), arm) == 0.0


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"rho": 1.5}, InvalidArgument, r"rho=1\.5 in arm 'x'"),
        ({"agreed": -2.0}, InvalidArgument, "agreed"),
        ({"facts": 0.6, "beliefs": 0.6}, InvalidArgument, "together at most 1"),
        ({"method": "gpro"}, UnknownName, "grpo"),
        ({"marker": "frist"}, UnknownName, "first"),
        ({"wording": "worm"}, UnknownName, "warm"),
    ],
)
def test_mistakes_are_named(fields, error, message):
    with pytest.raises(error, match=message):
        Arm(**{"name": "x", "rho": 0.5, **fields})


def test_arms_share_their_base():
    one, two = listed({"arms": [{"name": "x", "rho": 0.5, "facts": [0, 0.5]}]}, Arm)
    assert key_of(one) != key_of(two)
    assert key_of(one.base) == key_of(two.base)
    assert key_of(one.base) != key_of(Arm(name="x", rho=0.6).base)
