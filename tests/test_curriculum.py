import json
import math
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import say_by

import empathy_env  # noqa: F401 - registers the environment
from empathy_env import Difficulty, Task, load_agent
from empathy_env.curriculum import (
    LADDER,
    UNIFORM,
    Curriculum,
    Rules,
    Seen,
    group_size,
    observed,
    state_from_data,
    state_to_data,
    weights,
)
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.group import Group
from empathy_env.noise import draw
from empathy_env.protocol import PROTOCOLS
from empathy_env.rollout import play
from empathy_env.servo import Servo
from empathy_env.trace import Trace

TWO = ["laid-off-engineer", "widower-allotment"]
counted = st.floats(0.0, 500.0)
seen = st.builds(Seen, counted, counted)


def played(scenario, count=4, style="good"):
    """Return the traces of a group that starts from this scenario."""
    task = Task(persona="laid-off-engineer")
    traces = []
    for member in range(count):
        episode = task.open(scenario=replace(scenario, member=member))
        while not episode.done:
            episode.say(say_by(style, episode.turn + member))
        traces.append(episode.trace)
    return traces


def won(count, size=8, cell="a"):
    wins = [number < count for number in range(size)]
    return Group(cell, wins, [float(win) for win in wins])


@given(seen)
def test_expected_success_and_variance_are_those_of_the_beta_density(one):
    a, b = 1.0 + one.successes, 1.0 + one.failures
    assert one.rate == pytest.approx(a / (a + b))
    # E[p] - E[p^2], with the second moment of a Beta.
    assert one.variance == pytest.approx(a / (a + b) * (1 - (a + 1) / (a + b + 1)), abs=1e-12)


def test_the_variance_is_what_integrating_over_the_density_gives():
    one, points = Seen(3.0, 5.5), [(i + 0.5) / 20000 for i in range(20000)]
    density = [p**one.successes * (1 - p) ** one.failures for p in points]
    mean = sum(d * p * (1 - p) for d, p in zip(density, points, strict=True)) / sum(density)
    assert one.variance == pytest.approx(mean, rel=1e-6)


def test_counts_fade_with_each_group_of_the_cell():
    rules, one = Rules(discount=0.5), Seen()
    for successes in (8, 2, 5):
        one = observed(one, won(successes), rules)
    assert one.successes == 8 / 4 + 2 / 2 + 5
    assert one.failures == 0 / 4 + 6 / 2 + 3
    assert one.groups == 3


def test_groups_without_variance_are_counted_by_reason():
    one = Seen()
    for successes in (0, 0, 8, 3):
        one = observed(one, won(successes), Rules())
    one = observed(one, Group("a", [True], [1.0]), Rules())
    assert one.dropped == {"all failed": 2, "all solved": 1, "too few": 1}
    assert one.groups == 5


def test_a_group_of_faults_moves_no_belief():
    before = Seen(3.0, 4.0, 2)
    after = observed(before, Group("a", [], [], faults=8), Rules())
    assert (after.successes, after.failures) == (3.0, 4.0)
    assert after.faults == 8


STATE = {"a": Seen(0.0, 30.0), "b": Seen(9.0, 9.0), "c": Seen(40.0, 0.0), "d": Seen(30.0, 1.0)}
CELLS = ["a", "b", "c", "d", "e"]


@given(
    st.lists(seen, min_size=1, max_size=6),
    st.floats(0.0, 0.5),
    st.floats(0.0, 0.5),
    st.floats(0.0, 1.0),
)
def test_weights_are_probabilities_with_floor_and_replay_in_them(state, floor, replay, bonus):
    cells = [str(number) for number in range(len(state))]
    rules = Rules(floor=floor, replay=replay, bonus=bonus)
    found = weights(cells, dict(zip(cells, state, strict=True)), rules)
    assert math.fsum(found) == pytest.approx(1.0)
    assert min(found) >= floor / len(cells) - 1e-12
    solved = [w for w, one in zip(found, state, strict=True) if one.rate >= rules.solved]
    if solved:
        assert sum(solved) >= replay - 1e-12


def test_weights_are_what_is_stated():
    rules = Rules()
    worth = [(STATE.get(cell, Seen()).variance + 0.05) ** 3 for cell in CELLS]
    solved = [0, 0, 1, 1, 0]
    expected = [
        0.1 / 5 + 0.1 * old / 2 + 0.8 * value / sum(worth)
        for old, value in zip(solved, worth, strict=True)
    ]
    assert weights(CELLS, STATE, rules) == pytest.approx(expected)


def test_while_nothing_is_solved_the_share_of_replay_goes_with_the_rest():
    state = {"a": Seen(0.0, 30.0)}
    assert weights(["a", "b"], state, Rules()) == weights(["a", "b"], state, Rules(replay=0.0))


def test_half_solved_cells_are_drawn_most_and_hopeless_ones_least():
    found = dict(zip(CELLS, weights(CELLS, STATE, Rules(replay=0.0)), strict=True))
    assert found["b"] > found["e"] > found["a"] > 0
    assert found["b"] > found["d"] > found["c"]


def test_power_sharpens_the_weights_and_floor_keeps_the_hopeless():
    flat, sharp = (weights(CELLS, STATE, Rules(power=power)) for power in (1.0, 6.0))
    assert sharp[1] > flat[1]
    assert flat[0] > sharp[0] >= 0.1 / 5


def test_the_baseline_is_uniform_whatever_was_seen():
    assert weights(CELLS, STATE, UNIFORM) == pytest.approx([0.2] * 5)


@given(seen, st.floats(0.001, 0.999))
def test_a_group_is_as_large_as_one_success_is_likely(one, miss):
    rules = Rules(miss=miss, smallest=2, largest=10**6)
    size = group_size(one, rules)
    assert (1 - one.rate) ** size <= miss * (1 + 1e-9)
    assert size == 2 or (1 - one.rate) ** (size - 1) > miss * (1 - 1e-9)


def test_a_group_stays_within_its_bounds():
    rules = Rules(smallest=6, largest=12)
    assert group_size(Seen(100.0, 0.0), rules) == 6
    assert group_size(Seen(0.0, 100.0), rules) == 12


def test_cells_are_all_needs_of_the_personas_at_each_difficulty():
    curriculum = Curriculum(TWO)
    personas = {cell.split("/")[0] for cell in curriculum.cells}
    levels = {cell.split("/")[2] for cell in curriculum.cells}
    assert (personas, levels) == (set(TWO), set(LADDER))
    starts = {cell.rsplit("/", 1)[0] for cell in curriculum.cells}
    assert len(curriculum.cells) == 3 * len(starts)


def test_a_draw_lands_in_each_cell_for_as_much_of_the_unit_interval_as_its_weight():
    curriculum = Curriculum(TWO, ["gentle", "severe"])
    cell = curriculum.cells[2]
    curriculum.observe(played(curriculum.scenario(cell, 3)))
    found = list(curriculum.weights.values())
    ends = [math.fsum(found[:number]) for number in range(len(found) + 1)]
    for seed in range(200):
        place = curriculum.cells.index(curriculum.cell(seed))
        assert ends[place] - 1e-9 <= draw(seed, 0, 0, "curriculum") <= ends[place + 1] + 1e-9


def test_what_is_drawn_follows_from_seed_and_state_alone():
    one, other = Curriculum(TWO), Curriculum(TWO)
    backwards = [other(seed) for seed in reversed(range(20))]
    assert [one(seed) for seed in range(20)] == backwards[::-1]
    assert len({one.cell(seed) for seed in range(20)}) > 5
    assert one(11).seed == 11


def test_a_resumed_curriculum_has_the_same_future():
    one = Curriculum(TWO, ["gentle", "severe"], rules=Rules(goal=50.0))
    for seed in range(6):
        one.observe(played(one(seed), style="good" if seed % 2 else "bad"))
    data = json.loads(json.dumps(state_to_data(one.state)))
    other = Curriculum(
        TWO, ["gentle", "severe"], rules=Rules(goal=50.0), state=state_from_data(data)
    )
    assert other.state == one.state
    for seed in range(6, 10):
        assert one(seed) == other(seed)
        assert one.group_size(seed) == other.group_size(seed)
        traces = played(one(seed))
        assert one.observe(traces) == other.observe(traces)
    assert state_to_data(one.state) == state_to_data(other.state)


def test_success_in_a_cell_raises_its_rate_and_failure_lowers_it():
    curriculum = Curriculum(["laid-off-engineer"], ["gentle"], rules=Rules(goal=45.0), max_turns=3)
    cell = curriculum.cells[0]
    [group] = curriculum.observe(played(curriculum.scenario(cell, 1)))
    assert group.wins == [True] * 4
    assert curriculum.state[cell].rate == 5 / 6
    curriculum.observe(played(curriculum.scenario(cell, 2), style="bad"))
    assert curriculum.state[cell].rate == 3 / 8
    assert set(curriculum.state) == {cell}


def test_faulted_and_unfinished_episodes_are_no_experience():
    curriculum = Curriculum(["laid-off-engineer"], ["gentle"])
    good, bad, cut = played(curriculum(1), count=3)
    bad = replace(bad, fault={"type": "TimedOut", "message": "no answer"})
    [group] = curriculum.observe([bad, good, cut.prefix(1)])
    assert (len(group.wins), group.faults, group.dropped) == (1, 2, "too few")
    [one] = curriculum.state.values()
    assert one.successes + one.failures == 1.0
    assert one.faults == 2


def test_groups_without_variance_are_logged_by_cell():
    curriculum = Curriculum(["laid-off-engineer"], ["gentle"])
    cell = curriculum.cells[0]
    same = [
        replace(trace, rewards={}, weights={}) for trace in played(curriculum.scenario(cell, 1))
    ]
    [group] = curriculum.observe(same)
    assert group.dropped == "all failed"
    assert curriculum.state[cell].dropped == {"all failed": 1}
    assert curriculum.observe(played(curriculum.scenario(cell, 2)))[0].dropped == ""
    assert curriculum.state[cell].dropped == {"all failed": 1}


def test_a_policy_that_has_collapsed_shows_though_payoffs_differ():
    curriculum = Curriculum(["laid-off-engineer"], ["gentle"], rules=Rules(goal=45.0), max_turns=3)
    cell = curriculum.cells[0]
    for seed, style in ((1, "good"), (2, "bad"), (3, "bad")):
        [group] = curriculum.observe(played(curriculum.scenario(cell, seed), style=style))
        graded = [payoff + 0.01 * number for number, payoff in enumerate(group.payoffs)]
        assert group._replace(payoffs=graded).dropped == ""
    assert curriculum.state[cell].one_sided == {"all solved": 1, "all failed": 2}


@pytest.mark.parametrize(
    "other",
    [
        {"rules": Rules(goal=60.0)},
        {"max_turns": 4},
        {"max_chars": 10},
        {"protocol": "appraisal-v1-b"},
    ],
)
def test_what_was_counted_in_another_game_is_refused(other):
    same = {"rules": Rules(goal=50.0), "max_turns": 2}
    one = Curriculum(TWO, ["gentle"], **same)
    one.observe(played(one(1)))
    data = json.loads(json.dumps(state_to_data(one.state)))
    state = state_from_data(data)
    assert Curriculum(TWO, ["gentle"], state=state, **same).state == one.state
    sharper = {**same, "rules": Rules(goal=50.0, power=1.0)}  # how it samples may change
    assert Curriculum(TWO, ["gentle"], state=state, **sharper).state == one.state
    with pytest.raises(InvalidArgument, match=r"was counted with goal 50, 2 turns"):
        Curriculum(TWO, ["gentle"], state=state, **{**same, **other})


def test_a_batch_is_taken_in_whatever_its_order():
    one, other = (Curriculum(TWO, ["gentle"]) for _ in range(2))
    traces = [trace for seed in range(4) for trace in played(one(seed), count=2)]
    one.observe(traces)
    other.observe(traces[::-1])
    assert one.state == other.state


def test_a_trace_of_another_cell_is_refused_and_nothing_has_changed():
    curriculum = Curriculum(["laid-off-engineer"], ["gentle"])
    good = played(curriculum(1))
    other = played(Curriculum(["laid-off-engineer"], ["severe"])(1))
    with pytest.raises(UnknownName, match=r"No cell named 'laid-off-engineer/.*severe'"):
        curriculum.observe([*good, *other])
    assert curriculum.state == {}


@pytest.mark.parametrize("sampler", [Curriculum, Servo])
@pytest.mark.parametrize(
    ("field", "other"), [("max_turns", 3), ("max_chars", 7), ("protocol", "b"), ("persona", "b")]
)
def test_a_trace_of_another_game_with_the_same_names_is_refused(sampler, field, other):
    levels = {"difficulties": ["gentle"]} if sampler is Curriculum else {}
    one = sampler(["laid-off-engineer"], **levels)
    good, before = played(one(1)), one.state
    scenario = good[0].scenario
    values = {
        "protocol": PROTOCOLS["appraisal-v1-b"],
        "persona": scenario.persona.model_copy(update={"language": "xx"}),
    }
    foreign = replace(good[0], scenario=replace(scenario, **{field: values.get(field, other)}))
    with pytest.raises(InvalidArgument, match=f"another {field} than what is drawn here"):
        one.observe([*good[1:], foreign])
    assert one.state == before


def test_what_was_written_and_read_again_is_observed_alike():
    one, other = (Curriculum(TWO, ["gentle"]) for _ in range(2))
    traces = played(one(1))
    one.observe(traces)
    other.observe([Trace.from_json(trace.to_json()) for trace in traces])
    assert one.state == other.state


def test_it_is_the_sampler_of_an_environment():
    curriculum = Curriculum(TWO, ["gentle", "severe"], max_turns=2)
    traces = []
    env = gym.make("EmpathyEnv/Support-v0", personas=curriculum, on_trace=traces.append)
    env.reset(seed=5)
    done = False
    while not done:
        *_, done, _, _ = env.step("What was that like?")
    assert traces[0].scenario == curriculum(5)
    curriculum.observe(traces)
    assert sum(seen.groups for seen in curriculum.state.values()) == 1


def test_it_is_the_sampler_of_groups_in_a_vector_environment():
    curriculum = Curriculum(TWO, ["gentle", "severe"], max_turns=2)
    traces = []
    envs = gym.make_vec(
        "EmpathyEnv/Support-v0",
        num_envs=8,
        group_size=4,
        personas=curriculum,
        on_trace=traces.append,
    )
    envs.reset(seed=20)
    while envs.unwrapped.active.any():
        envs.step([say_by("good", number) for number in range(8)])
    groups = curriculum.observe(traces)
    assert [len(group.wins) for group in groups] == [4, 4]
    drawn = {Curriculum(TWO, ["gentle", "severe"], max_turns=2).cell(seed) for seed in (20, 21)}
    assert {group.cell for group in groups} == drawn == set(curriculum.state)
    envs.close()


def test_it_is_the_sampler_of_a_task():
    curriculum = Curriculum(TWO, ["gentle"], max_turns=2)
    task = Task(personas=curriculum)
    trace = play(task, load_agent("listener"), task.scenario(3, member=2))
    assert trace.scenario == replace(curriculum(3), member=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("discount", 1.5),
        ("bonus", -0.1),
        ("power", 11.0),
        ("floor", "0.1"),
        ("replay", True),
        ("solved", 2.0),
        ("goal", 101.0),
        ("miss", 0.0),
        ("floor", math.nan),
    ],
)
def test_rules_refuse_what_is_out_of_range_by_name(name, value):
    with pytest.raises(InvalidArgument, match=f"{name}={value!r}: a number in"):
        Rules(**{name: value})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"floor": 0.6, "replay": 0.6}, "floor=0.6 with replay=0.6"),
        ({"smallest": 1}, "smallest=1 with largest=64"),
        ({"smallest": 9, "largest": 8}, "smallest=9 with largest=8"),
        ({"smallest": 2.5}, "smallest=2.5 with largest=64: integers"),
        ({"largest": math.inf}, "smallest=4 with largest=inf: integers"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(given, text):
    with pytest.raises(InvalidArgument, match=text):
        Rules(**given)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"difficulties": "gentle"}, r"give \['gentle'\]"),
        ({"difficulties": []}, "at least one is needed"),
        ({"difficulties": ["moderate", Difficulty()]}, "each one once"),
        ({"difficulties": ["gentel"]}, "Did you mean 'gentle'"),
        ({"max_turns": 0}, "max_turns=0"),
        ({"state": {"nobody/absolution/gentle": Seen()}}, "No cell named 'nobody"),
    ],
)
def test_a_curriculum_refuses_bad_arguments_by_name(given, text):
    with pytest.raises(InvalidArgument, match=text):
        Curriculum(["laid-off-engineer"], **given)


def test_who_cannot_be_played_under_the_protocol_is_refused_before_any_draw():
    profiles = Path(__file__).parent / "profiles.jsonl"
    with pytest.raises(InvalidArgument, match="is a profile, which is prose only"):
        Curriculum(["laid-off-engineer", profiles])


def test_a_cell_that_is_not_there_is_refused():
    curriculum = Curriculum(["laid-off-engineer"])
    with pytest.raises(UnknownName, match="No cell named 'x'"):
        curriculum.scenario("x", 0)


@pytest.mark.parametrize("wins", ["3", math.nan, -1, math.inf, True, 1e40])
def test_counts_of_a_state_are_numbers_of_at_least_0(wins):
    with pytest.raises(InvalidArgument, match="successes="):
        state_from_data({"a": {"successes": wins}})


@given(st.dictionaries(st.sampled_from("abc"), st.builds(Seen, st.floats(0.0, 1e12))))
def test_weights_do_not_vanish_however_sure_a_curriculum_is(state):
    found = weights(["a", "b", "c"], state, Rules(bonus=0.0, power=10.0, floor=0.0, replay=0.0))
    assert sum(found) == pytest.approx(1.0)


@pytest.mark.parametrize("data", [[], {"a": 3}, {"a": {"wins": 3}}])
def test_what_is_no_state_is_refused(data):
    with pytest.raises(InvalidArgument, match="no state of a curriculum"):
        state_from_data(data)
