from dataclasses import replace

import pytest
from parts import say_by

from empathy_env import Task, load_agent
from empathy_env.errors import InvalidArgument
from empathy_env.measures.open_loop import by_code, replayed_under, simulator_noise
from empathy_env.rollout import play
from empathy_env.scaffold import Scaffold, Split


def talk(seed=0, member=0, *, turns=4, **given):
    task = Task(persona="laid-off-engineer", max_turns=turns, **given)
    episode = task.open(seed=seed, member=member)
    while not episode.done:
        episode.say(say_by("good", episode.turn + member))
    return episode.trace


def final(trace):
    return trace.emotion(len(trace.turns))


def test_under_its_own_seed_a_talk_ends_as_it_did():
    for seed in range(4):
        trace = talk(seed)
        assert replayed_under(trace, [seed]) == [final(trace)]


def test_under_another_seed_it_ends_as_a_talk_with_these_words_would():
    trace = talk(1)
    episode = Task(persona="laid-off-engineer", max_turns=4).open(
        scenario=replace(trace.scenario, seed=77)
    )
    for turn in trace.turns:
        episode.say(turn.heard)
    assert replayed_under(trace, [77, 78])[0] == final(episode.trace)
    assert len(set(replayed_under(trace, range(8)))) > 4


def test_the_need_and_the_knobs_stay():
    trace = talk(1, difficulty="severe")
    # A replay that lost the knobs would start from moderate and end near a moderate talk.
    gentle = replace(trace, scenario=replace(trace.scenario, difficulty=Task(
        persona="laid-off-engineer", difficulty="gentle").difficulty))  # fmt: skip
    seeds = range(10)
    assert sum(replayed_under(trace, seeds)) < sum(replayed_under(gentle, seeds))


def test_what_was_heard_is_said_whatever_the_scaffold():
    def after_bar(raw):
        private, _, heard = raw.partition("|")
        return Split(private, heard)

    episode = Task(
        persona="laid-off-engineer", max_turns=2, scaffold=Scaffold("bar", "", after_bar)
    ).open(seed=3)
    plain = Task(persona="laid-off-engineer", max_turns=2).open(seed=3)
    for number in range(2):
        episode.say(f"You brought this on yourself.|{say_by('good', number)}")
        plain.say(say_by("good", number))
    assert replayed_under(episode.trace, range(5)) == replayed_under(plain.trace, range(5))


def test_a_talk_that_ends_early_under_another_seed_is_no_error():
    episode = Task(persona="laid-off-engineer", difficulty="severe").open(seed=1)
    while not episode.done:
        episode.say(say_by("bad", episode.turn))
    assert episode.outcome == "left"
    longer = replace(episode.trace, turns=episode.trace.turns * 5)
    finals = replayed_under(longer, range(5))
    assert all(value < 40.0 for value in finals)


def test_a_user_that_is_not_all_rules_and_templates_is_refused():
    trace = talk()
    assert by_code(trace)
    for field, value in (("backend", "openai:m"), ("speaker", "own"), ("appraiser", "own")):
        other = replace(trace, setup=replace(trace.setup, **{field: value}))
        assert not by_code(other)
        with pytest.raises(InvalidArgument, match=f"{field}='{value}'"):
            replayed_under(other, [1])


def test_noise_has_a_row_for_each_script_and_a_column_for_each_seed():
    traces = [talk(seed, member) for seed in (1, 2) for member in range(3)]
    by_need = {}
    for trace in traces:
        by_need.setdefault(trace.scenario.need, []).append(trace)
    found = simulator_noise(traces, seeds=3, scripts=2)
    assert len(found) == len(by_need)
    assert all(len(rows) == 2 and all(len(row) == 3 for row in rows) for rows in found.values())
    assert found == simulator_noise(traces[::-1], seeds=3, scripts=2)


def test_each_start_gives_one_script_before_any_gives_two():
    one = Task(persona="laid-off-engineer", max_turns=3)
    start = one.scenario(1)
    scenarios = [
        replace(start, seed=seed, member=member) for seed in (1, 2, 3) for member in range(2)
    ]
    traces = [play(one, load_agent("listener"), scenario) for scenario in scenarios]
    [rows] = simulator_noise(traces, seeds=2, scripts=3).values()
    [first] = simulator_noise(traces[::2], seeds=2, scripts=3).values()
    assert rows == first


def test_talks_without_an_end_give_no_script():
    trace = talk(1)
    assert simulator_noise([trace.prefix(1)]) == {}


@pytest.mark.parametrize(
    ("given", "text"), [({"seeds": 1}, "seeds=1"), ({"scripts": 0}, "scripts=0")]
)
def test_too_little_is_refused(given, text):
    with pytest.raises(InvalidArgument, match=text):
        simulator_noise([talk()], **given)
