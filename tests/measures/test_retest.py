import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import as_user
from parts import say_by

from empathy_env import Task, load_personas
from empathy_env.acts import SAID_KEPT, Evidence, Reading
from empathy_env.appraiser import RuleAppraiser
from empathy_env.backends import Request, ScriptedBackend
from empathy_env.errors import InvalidArgument, TimedOut
from empathy_env.measures.agreement import agreement
from empathy_env.measures.bootstrap import resampled
from empathy_env.measures.noise import Retest, Retests, contexts, icc, noise, retest, within
from empathy_env.speaker import TemplateSpeaker

numbers = st.floats(-10, 10).map(lambda value: round(value, 3))
tables = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.lists(numbers, min_size=k, max_size=k), min_size=2, max_size=8)
)


class Coin:
    """An appraiser whose model finds praise in the words or does not."""

    name = "coin"

    def appraise(self, utterance, context):
        reply = yield Request("appraise", ({"role": "user", "content": utterance},))
        whole = Evidence("affirmation", utterance, 0, len(utterance), grounded=True)
        return Reading((whole,) if reply.text == "yes" else ())


STEADY = ScriptedBackend(lambda request: "yes" if "?" in str(request.messages) else "no")
CHANCE = ScriptedBackend(lambda request: "yes" if request.seed % 2 else "no")


def talks(count=6):
    found = []
    for number, name in enumerate(sorted(load_personas("split:dev"))[:count]):
        episode = Task(persona=name, max_turns=4).open(seed=number)
        while not episode.done:
            episode.say(say_by("good", episode.turn))
        found.append(episode.trace)
    return found


TALKS = talks()


def anova(rows):
    """ICC(1,1) as Shrout and Fleiss write it, for rows of one length."""
    table = np.array(rows)
    times = table.shape[1]
    between = times * table.mean(axis=1).var(ddof=1)
    error = table.var(axis=1, ddof=1).mean()
    return (between - error) / (between + (times - 1) * error)


@given(tables)
def test_icc_is_the_published_formula(rows):
    if np.ptp(rows) > 0.01:
        assert icc(rows) == pytest.approx(anova(rows), abs=1e-9)


@given(tables)
def test_the_error_of_measurement_is_the_root_of_the_mean_variance_within(rows):
    assert within(rows) == pytest.approx(math.sqrt(np.array(rows).var(axis=1, ddof=1).mean()))


def test_rows_of_several_lengths_agree_with_the_unbalanced_table():
    # One-way table by hand: sizes 2, 3; means 2 and 6; grand mean 4.4.
    rows = [[1.0, 3.0], [5.0, 6.0, 7.0]]
    between, error, times = 2 * 2.4**2 + 3 * 1.6**2, 4 / 3, 5 - 13 / 5
    assert icc(rows) == pytest.approx((between - error) / (between + (times - 1) * error))


@pytest.mark.parametrize("rows", [[[1.0, 2.0]], [[3.0, 3.0], [3.0, 3.0]], [[1.0], [2.0]]])
def test_an_icc_that_cannot_be_known_is_nan(rows):
    assert math.isnan(icc(rows))


def test_an_appraiser_that_repeats_itself_has_no_noise():
    found = noise(retest(TALKS, Coin(), STEADY, samples=4))
    assert found.turn_icc.mean == pytest.approx(1.0)
    assert (found.turn_error, found.floor) == (0.0, 0.0)
    assert set(found.by_persona) == {trace.scenario.persona.id for trace in TALKS}
    assert (found.talks, found.samples, found.faults) == (len(TALKS), 4, {})


def test_an_appraiser_that_tosses_a_coin_is_all_noise():
    found = noise(retest(TALKS, Coin(), CHANCE, samples=8))
    assert found.turn_icc.mean < 0.5
    assert found.turn_error > 0.2
    assert found.floor > 0.001
    assert all(error > 0 for error in found.by_turn.values())
    assert found.turn_icc.low <= found.turn_icc.mean <= found.turn_icc.high


def test_series_are_felt_as_the_kernel_feels_them():
    found = retest(TALKS, RuleAppraiser(), samples=1)
    for trace in TALKS:
        talk = found.talks[trace.id]
        assert talk.finals == (trace.emotion(len(trace.turns)),)
        for number, (change,) in enumerate(talk.changes, start=1):
            moved = trace.emotion(number) - trace.emotion(number - 1)
            assert change == pytest.approx(moved, abs=1e-5)


def test_a_talk_whose_appraisal_fails_is_left_out_and_counted():
    def answer(request):
        if TALKS[0].scenario.episode_id in request.origin:
            raise TimedOut("no answer in 60 s")
        return "no"

    found = retest(TALKS, Coin(), ScriptedBackend(answer), samples=3)
    assert TALKS[0].id not in found.talks
    assert len(found.talks) == len(TALKS) - 1
    assert found.faults == {"TimedOut": 1}


def test_a_talk_in_which_the_agent_said_nothing_is_left_out_and_counted():
    silent = Task(persona="laid-off-engineer").open(seed=99).trace
    alone = retest(TALKS, Coin(), CHANCE, samples=3)
    both = retest([silent, *TALKS], Coin(), CHANCE, samples=3)
    assert (both.talks, both.empty) == (alone.talks, 1)
    assert noise(both) == noise(alone)
    assert [pair.talks for pair in agreement({"one": both, "other": alone})] == [len(TALKS)]


def test_two_talks_of_one_id_are_refused_by_it():
    with pytest.raises(InvalidArgument, match=re.escape(TALKS[1].id)):
        retest([*TALKS, TALKS[1]], Coin(), CHANCE)


def test_turns_that_no_series_reached_count_for_nothing():
    cut = Retest("p", ((5.0, 5.0), (10.0,)), (1.0, 0.0), (50.0, 50.0))
    other = Retest("q", ((0.0, 2.0),), (1.0,), (40.0, 42.0))
    longer = cut._replace(changes=(*cut.changes, (), ()), saturated=(*cut.saturated, 0.0, 0.0))
    found = noise(Retests({"a": cut, "b": other}, {}))
    assert found.saturated == pytest.approx(4 / 5)
    assert found.zero == pytest.approx(1 / 5)
    again = noise(Retests({"a": longer, "b": other}, {}))
    assert (again.saturated, again.zero) == (found.saturated, found.zero)
    assert within([[1.0, 3.0], []]) == within([[1.0, 3.0]])


class Watching:
    """The rules, which keep what they are shown."""

    name = "watching"

    def __init__(self):
        self.shown = []

    def appraise(self, utterance, context):
        self.shown.append(context)
        return (yield from RuleAppraiser().appraise(utterance, context))


class Leaking(TemplateSpeaker):
    """Lets out, in the second turn, what nobody has asked for."""

    def speak(self, moment):
        speech = yield from super().speak(moment)
        return speech._replace(leaked=("shame",) if moment.turn == 2 else ())


def test_an_appraiser_is_shown_what_it_was_shown_in_the_talk():
    rules = Watching()
    task = Task(persona="laid-off-engineer", appraiser=rules, speaker=Leaking(), max_turns=16)
    episode = task.open(seed=4)
    while not episode.done:
        episode.say(say_by("good", episode.turn))
    assert episode.turn > SAID_KEPT + 1
    assert sum(bool(turn.answers[0].told) for turn in episode.trace.turns) > 1
    assert list(contexts(episode.trace)) == rules.shown


def test_talks_of_a_model_that_was_asked_otherwise_can_be_appraised_again():
    def played(request):
        return as_user(request) if request.purpose != "speak" else f"So it is, {request.seed}."

    episode = Task(persona="laid-off-engineer", user=ScriptedBackend(played)).open(seed=3)
    episode.say("What was it like?")
    trace = episode.trace
    (turn,) = trace.turns
    old = tuple(call._replace(request="0" * 16) for call in turn.calls)
    found = retest([replace(trace, turns=(replace(turn, calls=old),))], Coin(), CHANCE, samples=2)
    assert set(found.talks) == {trace.id}


def test_noise_of_one_appraisal_each_is_refused():
    with pytest.raises(InvalidArgument, match="at least twice"):
        noise(retest(TALKS, RuleAppraiser(), samples=1))
    with pytest.raises(InvalidArgument, match="at least one talk"):
        noise(Retests({}, {}))


def user(finals):
    """Return talks of as many personas, which ended like this."""
    each = {f"talk-{n}": Retest(f"p{n % 4}", (), (), (value,)) for n, value in enumerate(finals)}
    return Retests(each, {})


def test_users_that_agree_up_to_a_shift_correlate_fully_and_differ_by_it():
    finals = [10.0, 20.0, 30.0, 40.0, 60.0, 70.0, 80.0, 85.0]
    shifted = [value + 5 for value in finals]
    [pair] = agreement({"a": user(finals), "b": user(shifted)})
    assert pair.correlation.mean == pytest.approx(1.0)
    assert pair.difference.mean == pytest.approx(5.0)
    assert (pair.same_side.mean, pair.talks) == (1.0, 8)
    assert pair.difference.low == pytest.approx(5.0) == pair.difference.high


def test_users_that_disagree_are_seen_to():
    finals = [10.0, 20.0, 30.0, 40.0, 60.0, 70.0, 80.0, 90.0]
    [pair] = agreement({"a": user(finals), "b": user(finals[::-1])})
    assert pair.correlation.mean == pytest.approx(-1.0)
    assert pair.same_side.mean == 0.0


def test_every_pair_of_users_is_compared_once():
    finals = user([10.0, 90.0, 30.0, 70.0])
    pairs = agreement({"a": finals, "b": finals, "c": finals})
    assert [(pair.one, pair.other) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_users_without_talks_in_common_are_refused():
    with pytest.raises(InvalidArgument, match="0 talks in common"):
        agreement({"a": user([10.0, 20.0]), "b": Retests({}, {})})


def test_the_held_out_reader_agrees_with_the_reader_but_not_fully():
    users = {name: retest(TALKS, RuleAppraiser(name), samples=1) for name in ("rules", "rules-b")}
    [pair] = agreement(users)
    assert pair.talks == len(TALKS)
    assert pair.correlation.mean < 1.0


def test_an_interval_needs_clusters_and_gives_up_where_the_figure_is_not_known():
    with pytest.raises(InvalidArgument, match="at least one cluster"):
        resampled({}, icc)
    alone = resampled({"a": [[1.0, 1.0]], "b": [[1.0, 1.0]]}, icc)
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)
