import math
from statistics import fmean

import numpy as np
import pytest
import small_talks
from hypothesis import given, settings
from hypothesis import strategies as st

from empathy_env.errors import InvalidArgument
from empathy_env.measures.entropy import Spoken, entropies, entropy_change

ACTS = ("suggestion", "validation", "open_question")


def spoken(talk, persona=None):
    """What a sampled small talk says; the words are the acts."""
    return Spoken(
        persona or talk.scored.persona,
        tuple(-score for score in talk.scored.own),
        tuple(ACTS[word] for word in talk.words),
    )


def entropy(shares):
    return -math.fsum(share * math.log(share) for share in shares if share)


def exact_token(kinds=range(24)):
    """Mean entropy of the distributions that tokens are drawn from, over the tokens that come."""
    total = small_talks.exact(lambda talk: -math.fsum(talk.scored.own), kinds=kinds)
    return total / small_talks.exact(lambda talk: len(talk.words), kinds=kinds)


def exact_register(policy="trained"):
    counts = [small_talks.exact(lambda t, w=w: t.words.count(w), policy) for w in range(3)]
    return entropy([count / sum(counts) for count in counts])


def test_surprise_is_in_expectation_the_entropy_of_what_was_drawn_from():
    """Summed over talks of any length: each token's distribution depends on the mood before it."""
    by_entropy = small_talks.exact(
        lambda talk: math.fsum(entropy(small_talks.TRAINED[mood]) for mood in talk.moods)
    )
    by_surprise = small_talks.exact(lambda talk: -math.fsum(talk.scored.own))
    assert by_surprise == pytest.approx(by_entropy, rel=1e-9)


def test_many_talks_have_about_the_exact_entropies():
    chance = np.random.default_rng(0)
    talks = [t for kind in range(24) for t in small_talks.drawn(chance, kind, 400)]
    found = entropies([spoken(talk) for talk in talks])
    assert found.token.mean == pytest.approx(exact_token(), rel=0.02)
    assert found.register.mean == pytest.approx(exact_register(), rel=0.02)
    assert found.token.size == found.register.size == sum(len(talk.words) for talk in talks)


def test_intervals_cover_the_exact_entropies_at_about_the_nominal_rate():
    chance, tokens, registers, runs = np.random.default_rng(1), 0, 0, 150
    token, register = exact_token(), exact_register()
    for _ in range(runs):
        talks = [
            spoken(talk, f"p{number}")
            for number, kind in enumerate(chance.integers(24, size=20))
            for talk in small_talks.drawn(chance, int(kind), 15)
        ]
        found = entropies(talks, resamples=300)
        tokens += found.token.low <= token <= found.token.high
        registers += found.register.low <= register <= found.register.high
    assert 0.87 <= tokens / runs <= 0.99
    assert 0.87 <= registers / runs <= 0.99


def test_the_correction_takes_most_of_the_error_of_few_acts_away():
    chance, shares = np.random.default_rng(2), [0.4, 0.3, 0.2, 0.1]
    corrected, plain = [], []
    for _ in range(400):
        acts = chance.choice(4, size=20, p=shares)
        seen = np.bincount(acts, minlength=4)
        plain.append(entropy(seen / 20))
        talk = Spoken("a", (), tuple(map(str, acts)))
        corrected.append(entropies([talk], resamples=1).register.mean)
        assert corrected[-1] == pytest.approx(plain[-1] + (np.count_nonzero(seen) - 1) / 40)
    assert abs(fmean(corrected) - entropy(shares)) < 0.3 * abs(fmean(plain) - entropy(shares))


acts = st.lists(st.sampled_from(ACTS), max_size=6).map(tuple)
talk = st.builds(
    Spoken, st.sampled_from("ab"), st.lists(st.floats(0, 20), max_size=6).map(tuple), acts
)


@settings(max_examples=50)
@given(st.lists(talk, min_size=1, max_size=6))
def test_entropies_are_within_bounds_and_know_no_order(talks):
    found = entropies(talks, resamples=20)
    for level in found:
        assert math.isnan(level.mean) == (level.size == 0)
    names = {act for talk in talks for act in talk.acts}
    if names:
        most = math.log(len(names)) + (len(names) - 1) / (2 * found.register.size)
        assert -1e-12 <= found.register.mean <= most + 1e-12
    again = entropies(talks[::-1], resamples=20)
    for one, other in zip(found, again, strict=True):
        assert tuple(one) == pytest.approx(tuple(other), nan_ok=True)


def test_one_act_has_no_entropy_and_equal_shares_have_the_most():
    one = Spoken("a", (0.0,), ("validation",) * 8)
    assert entropies([one]).register.mean == 0.0
    assert entropies([one]).token.mean == 0.0
    even = Spoken("a", (0.0,), ACTS * 1000)
    assert entropies([even]).register.mean == pytest.approx(math.log(3), abs=1e-3)


def test_the_mix_is_pooled_over_personas():
    talks = [Spoken(name, (1.0,), (ACTS[n],) * 500) for n, name in enumerate("ab")]
    assert entropies(talks).register.mean == pytest.approx(math.log(2), abs=1e-2)
    assert entropies(talks).register.low == 0.0


def test_levels_can_move_apart():
    base = [Spoken(name, (0.5, 0.5), ACTS[:2] * 50) for name in "abc"]
    trained = [Spoken(name, (0.9, 0.9), ACTS[:1] * 50) for name in "abc"]
    found = entropy_change(base, trained)
    assert found.token[:3] == pytest.approx((0.4, 0.4, 0.4))
    assert found.register.mean == pytest.approx(-math.log(2), abs=0.01)
    assert found.register.high < 0.0
    assert found.token.size == 6
    back = entropy_change(trained, base)
    assert back.register.mean == pytest.approx(-found.register.mean)


def test_what_differs_between_personas_is_not_in_the_interval_of_a_change():
    base = [Spoken(name, (float(n),), ("validation",)) for n, name in enumerate("abcde")]
    trained = [Spoken(name, (n + 0.25,), ("validation",)) for n, name in enumerate("abcde")]
    change = entropy_change(base, trained).token
    assert change.high - change.low < 1e-9
    level = entropies(base).token
    assert level.high - level.low > 1.0


def test_an_act_that_only_one_policy_has_is_compared_too():
    base = [Spoken(name, (1.0,), ("validation",) * 40) for name in "ab"]
    trained = [Spoken(name, (1.0,), ("validation", "dismissal") * 20) for name in "ab"]
    assert entropy_change(base, trained).register.mean == pytest.approx(math.log(2), abs=0.02)


def test_what_was_not_said_is_nan_and_one_persona_has_no_interval():
    found = entropies([Spoken("a", (), ("validation",)), Spoken("b", (), ())])
    assert all(map(math.isnan, found.token[:3]))
    assert found.register.mean == 0.0
    alone = entropies([Spoken("a", (0.1, 0.3), ("validation",))])
    assert alone.token.mean == pytest.approx(0.2)
    assert math.isnan(alone.token.low)


def test_more_coverage_is_a_wider_interval():
    talks = [Spoken(name, (float(n),), (ACTS[n % 3],)) for n, name in enumerate("abcdef")]
    wide, narrow = entropies(talks, level=0.99).token, entropies(talks, level=0.5).token
    assert wide.low < narrow.low < narrow.high < wide.high


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidArgument, match="no talk"):
        entropies([])
    with pytest.raises(InvalidArgument, match="'b' is among"):
        entropy_change([Spoken("a", (), ())], [Spoken("a", (), ()), Spoken("b", (), ())])
    for wrong in (-0.1, math.inf, math.nan):
        with pytest.raises(InvalidArgument, match="below 0 or not finite"):
            Spoken("a", (wrong,), ())
