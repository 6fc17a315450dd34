import math
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env import Task, verify
from empathy_env.acts import NEEDS
from empathy_env.emotion import Mood
from empathy_env.errors import InvalidArgument, RewardError, UnknownName
from empathy_env.library import load_persona
from empathy_env.reward import REWARDS, load_reward, potential
from empathy_env.scaffold import Scaffold, Split
from empathy_env.scenario import Scenario
from empathy_env.trace import Answer, Setup, Trace, Turn

MAREK = load_persona("laid-off-engineer")
SCENARIO = Scenario(persona=MAREK, need=MAREK.needs[0].need)
SETUP = Setup("rules", "templates", "plain", "code", None, "0123")


def talk(emotions, outcome):
    """Return a trace with these emotions, the first of them the start."""
    start, *rest = [Mood(emotion, 0.2) for emotion in emotions]
    turns = [
        Turn(
            "x",
            "",
            "x",
            (),
            (),
            (Answer(mood, 0.0, 0.0, False, None, (), (), "guarded", "m"),),
            None,
        )
        for mood in rest
    ]
    if turns:
        turns[-1] = replace(turns[-1], outcome=outcome)
    return Trace(SCENARIO, SETUP, (MAREK.opening,), (start,), tuple(turns))


emotion = st.floats(0, 100).map(lambda value: round(value, 6))
paths = st.lists(emotion, min_size=2, max_size=7)
ends = st.sampled_from(["success", "left", "time_up"])
talks = st.builds(talk, paths, ends)
close = partial(pytest.approx, abs=1e-9)


def paid(name, trace):
    reward = load_reward(name)
    return [reward.at(trace, turn) for turn in range(1, len(trace.turns) + 1)]


def test_each_reward_by_example():
    trace = talk([40, 55, 50, 62], "time_up")
    assert paid("terminal", trace) == close([0, 0, 0.62])
    assert paid("delta", trace) == close([0.15, -0.05, 0.12])
    assert paid("potential", trace) == close([0.15, -0.05, -0.5])
    assert paid("success", trace) == [0, 0, 0]
    assert paid("success", talk([40, 95, 100], "success")) == [0, 1]
    assert paid("terminal", talk([40, 95, 100], "success")) == [0, 1]


def test_leaving_takes_everything_whatever_the_emotion():
    trace = talk([40, 55, 50], "left")
    assert paid("terminal", trace) == [0, 0]
    assert paid("delta", trace) == close([0.15, -0.55])
    assert paid("success", trace) == [0, 0]


@given(paths)
def test_a_talk_that_goes_on_has_paid_no_terminal_reward(emotions):
    assert load_reward("terminal").total(talk(emotions, None)) == 0


@given(talks)
def test_delta_adds_up_to_terminal_less_the_start(trace):
    total = load_reward("delta").total(trace)
    assert total == close(load_reward("terminal").total(trace) - trace.emotion(0) / 100)


@given(talks)
def test_the_potential_adds_up_to_nothing_that_an_agent_could_change(trace):
    assert load_reward("potential").total(trace) == close(-trace.emotion(0) / 100)


@given(talks, st.floats(0.5, 1))
def test_so_does_the_discounted_potential(trace, gamma):
    turns = range(1, len(trace.turns) + 1)
    total = sum(gamma ** (t - 1) * potential(trace, t, gamma=gamma) for t in turns)
    assert total == close(-trace.emotion(0) / 100)


@pytest.mark.parametrize("name", REWARDS)
@given(trace=talks)
def test_a_reward_is_causal(name, trace):
    reward = load_reward(name)
    for turn in range(1, len(trace.turns) + 1):
        assert reward.at(trace.prefix(turn), turn) == reward.at(trace, turn)


@pytest.mark.parametrize("name", REWARDS)
@given(shared=st.lists(emotion, min_size=1, max_size=4), low=emotion, rest=paths, end=ends)
def test_making_the_user_leave_never_pays(name, shared, low, rest, end):
    reward = load_reward(name)
    left = reward.total(talk([*shared, low], "left"))
    assert left <= reward.total(talk([*shared, *rest], end)) + 1e-9


@given(talks, st.floats(-3, 3), st.floats(-3, 3))
def test_a_weighted_sum_is_one(trace, one, other):
    both = load_reward({"terminal": one, "potential": other})
    for turn in range(1, len(trace.turns) + 1):
        parts = [load_reward(name).at(trace, turn) for name in ("terminal", "potential")]
        assert both.at(trace, turn) == close(one * parts[0] + other * parts[1])


def test_scoring_writes_each_term_unweighted_beside_its_weight():
    trace = talk([40, 55, 62], "time_up")
    scored = load_reward({"terminal": 2, "delta": 0.5}).score(trace)
    assert scored.rewards["terminal"] == close((0, 0.62))
    assert scored.rewards["delta"] == close((0.15, 0.07))
    assert scored.weights == {"terminal": 2.0, "delta": 0.5}
    assert replace(scored, rewards={}, weights={}) == trace
    assert Trace.from_json(scored.to_json()) == scored


def test_scoring_anew_leaves_nothing_of_the_old_score():
    trace = load_reward("delta").score(talk([40, 55], "time_up"))
    assert set(load_reward("terminal").score(trace).rewards) == {"terminal"}


def formed(trace, *forms):
    """Return a talk in which each turn has these (private, flags)."""
    turns = zip(trace.turns, forms, strict=True)
    return replace(
        trace,
        turns=tuple(
            replace(turn, private=private, flags=flags) for turn, (private, flags) in turns
        ),
    )


GOOD, CUT, BAD = ("", ()), ("", ("cut", "replaced")), ("", ("thought-unclosed",))


def test_strict_pays_nothing_once_the_form_was_broken():
    trace = talk([40, 55, 62], "time_up")
    assert paid("strict", formed(trace, GOOD, CUT)) == paid("terminal", trace)
    assert paid("strict", formed(trace, BAD, GOOD)) == [0, 0]
    assert paid("strict", formed(trace, GOOD, BAD)) == [0, 0]
    left = talk([40, 55, 50], "left")
    assert paid("strict", formed(left, GOOD, GOOD)) == [0, 0]


def test_format_pays_each_well_formed_turn_its_share():
    trace = formed(talk([40, 55, 50, 62], "time_up"), GOOD, BAD, CUT)
    assert paid("format", trace) == close([0.1, 0, 0.1])


def test_at_success_the_turns_that_are_left_are_paid_as_well():
    """So that dragging on pays no more than ending."""
    trace = talk([40, 95, 100], "success")
    assert paid("format", trace) == close([0.1, 0.9])
    assert paid("format", formed(trace, GOOD, BAD)) == close([0.1, 0])
    stated = formed(
        trace, ("<belief>emotion: 40</belief>", ()), ("<belief>emotion: 75</belief>", ())
    )
    assert paid("belief_emotion", stated) == close([0.1, 0.8 * 0.9])


def test_beliefs_are_paid_by_what_was_so_before_the_turn():
    stated = [
        "<belief>emotion: 40\nneed: {need} 1</belief>",
        "<belief>emotion: 35\nneed: {other} 1</belief>",
        "<belief>emotion: 50</belief>",
        "40",
    ]
    need = SCENARIO.need
    other = next(one for one in NEEDS if one != need)
    forms = [(text.format(need=need, other=other), ()) for text in stated]
    trace = formed(talk([40, 55, 50, 62, 60], "time_up"), *forms)
    assert paid("belief_emotion", trace) == close([0.1, 0.08, 0.1, 0])
    assert paid("belief_need", trace) == close([0.1, 0, 0, 0])
    sharing = ("<belief>need: " + ", ".join(f"{one} 0.125" for one in NEEDS) + "</belief>", ())
    assert paid("belief_need", formed(talk([40, 55], None), sharing)) == close([0.05625])


beliefs = st.builds("<belief>emotion: {}\nneed: {} {}</belief>".format, st.integers(0, 120), st.sampled_from(NEEDS), st.sampled_from(["0", "0.3", "1", "2"]))  # fmt: skip
forms = st.tuples(beliefs, st.sampled_from([(), ("cut",), ("thought-missing",)]))


@pytest.mark.parametrize("name", ["strict", "format", "belief_emotion", "belief_need"])
@given(trace=talks, data=st.data())
def test_rewards_of_form_and_belief_stay_in_their_range_and_are_causal(name, trace, data):
    count = len(trace.turns)
    trace = formed(trace, *data.draw(st.lists(forms, min_size=count, max_size=count)))
    values = paid(name, trace)
    assert all(0 <= value <= 1 for value in values)
    assert 0 <= sum(values) <= 1 + 1e-9
    assert values == [load_reward(name).at(trace.prefix(t), t) for t in range(1, count + 1)]


@pytest.mark.parametrize("name", ["belief_emotion", "belief_need"])
def test_paying_for_beliefs_that_nobody_asks_for_is_refused(name):
    with pytest.raises(InvalidArgument, match=f"{name}.*scaffold='plain'.*believe-then-say"):
        Task(reward={"terminal": 1.0, name: 0.1})
    task = Task(reward=name, scaffold="believe-then-say")
    with pytest.raises(InvalidArgument, match="asks for none"):
        task.with_scaffold("think-then-say")


def test_ones_own_scaffold_may_ask_for_beliefs():
    own = Scaffold("mine", "Say.", lambda text: Split(text, "Go on."), states_belief=True)
    episode = Task(reward="belief_emotion", scaffold=own, max_turns=4).open(seed=1)
    start = episode.talk.trace.emotion(0)
    assert episode.say(f"<belief>emotion: {start:.0f}</belief>") == pytest.approx(0.25, abs=0.01)


def test_an_episode_is_paid_for_form_and_belief_as_it_goes():
    task = Task(
        scaffold="believe-then-say",
        reward={"terminal": 1.0, "format": 0.1, "belief_need": 0.2},
        max_turns=2,
    )
    episode = task.open(seed=1)
    need = episode.talk.room.scenario.need
    right = f"<belief>emotion: 40\nneed: {need} 1</belief>What was it like?"
    assert episode.say(right) == pytest.approx(0.1 * 0.5 + 0.2 * 0.5)
    last = episode.say("What was it like?")
    assert last == pytest.approx(episode.trace.emotion(2) / 100)
    assert verify(episode.trace).consistent


def turns_so_far(trace, turn):
    return turn / 10


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "reward_of_a_test.py").write_text(
        "number = 3\ndef short(trace, turn):\n    return len(trace.turns[turn - 1].heard) / 4\n"
    )
    return "reward_of_a_test"


def test_ones_own_function_is_found_by_module_and_name(module):
    trace = talk([40, 55], "time_up")
    assert load_reward(f"{module}:short").at(trace, 1) == 0.25
    assert load_reward({f"{module}:short": 2, "terminal": 1}).at(trace, 1) == close(1.05)
    assert load_reward(f"{module}:short").terms[0].name == f"{module}:short"


def test_a_callable_is_taken_and_named_so_that_it_could_be_found():
    reward = load_reward(turns_so_far)
    assert reward.at(talk([40, 55], "time_up"), 1) == 0.1
    assert reward.terms[0].name == f"{__name__}:turns_so_far"

    class Constant:
        def __call__(self, trace, turn):
            return 0.5

    assert load_reward(Constant()).at(talk([40, 55], None), 1) == 0.5
    assert load_reward(reward) is reward


@pytest.mark.parametrize("spec", ["terminel", {"terminel": 1.0}])
def test_a_wrong_name_gets_the_nearest_right_one(spec):
    with pytest.raises(UnknownName, match="Did you mean 'terminal'") as error:
        load_reward(spec)
    assert "module:function" in str(error.value)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("no_such_module_here:f", "cannot be imported"),
        ("reward_of_a_test:shrt", "cannot be imported"),
        ("reward_of_a_test:", "cannot be imported"),
        (":short", "cannot be imported"),
        ("reward_of_a_test:number", "not callable"),
        ({}, "no term"),
        ({"terminal": math.nan}, "weight=nan"),
        ({"terminal": math.inf}, "weight=inf"),
        ({"terminal": "1"}, "weight='1'"),
        ({"terminal": True}, "weight=True"),
        (3, "reward=3"),
        (None, "reward=None"),
        (["terminal"], "expected a name"),
    ],
)
def test_what_is_no_reward_is_refused_before_anything_is_played(module, spec, says):
    with pytest.raises(InvalidArgument, match=says):
        load_reward(spec)


def test_a_reward_that_raises_is_an_error_that_names_it_and_its_turn():
    def broken(trace, turn):
        raise KeyError("mood")

    with pytest.raises(RewardError, match=r"broken.*turn 2.*mood") as error:
        load_reward(broken).at(talk([40, 50, 60], None), 2)
    assert isinstance(error.value.__cause__, KeyError)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "good", "0.5", [1.0]])
def test_what_is_no_finite_number_is_an_error_and_not_zero(value):
    def odd(trace, turn):
        return value

    trace = talk([40, 50], "time_up")
    with pytest.raises(RewardError, match=r"odd.*turn 1"):
        load_reward(odd).at(trace, 1)
    with pytest.raises(RewardError):
        load_reward(odd).score(trace)


def test_numbers_of_numpy_are_numbers():
    np = pytest.importorskip("numpy")
    reward = load_reward(lambda trace, turn: np.float32(0.5))
    assert reward.at(talk([40, 50], None), 1) == 0.5


def test_a_weighted_sum_has_a_shorthand():
    assert load_reward("terminal=1,format=0.1") == load_reward({"terminal": 1.0, "format": 0.1})
    with pytest.raises(UnknownName, match="Did you mean 'terminal'"):
        load_reward("terminl=1")
