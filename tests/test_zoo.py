"""Circles as PettingZoo environments."""

from __future__ import annotations

import copy
import json
import math
import pickle
import sys
from functools import partial
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import AskingSpeaker
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
    state_test,
)
from pettingzoo.utils.conversions import aec_to_parallel, parallel_to_aec

from empathy_env import verify, zoo
from empathy_env.agents import Agent
from empathy_env.backends import ScriptedBackend
from empathy_env.cast import cast_names, load_cast
from empathy_env.errors import BackendFault, EpisodeOver, InvalidArgument, RewardError, UnknownName
from empathy_env.reward import mean, own
from empathy_env.seat import chat

USERS = {"supporter_0": "listener", "user_0": "policy", "user_1": "policy"}
ALL = {"supporter_1": "policy", "user_0": "policy", "user_1": "policy"}
MIXED = {"supporter_1": "listener", "supporter_2": "policy", "user_0": "policy", "user_1": "silent"}
SEATS = {"supporter": None, "users": USERS, "all": ALL, "mixed": MIXED}

# What PettingZoo's own tests warn of in any environment of text: nothing here is an array.
pettingzoo_of_text = pytest.mark.filterwarnings(
    "ignore:Observation is not a NumPy array:UserWarning",
    "ignore:Observation space for each agent probably should be:UserWarning",
    "ignore:Action space for each agent probably should be:UserWarning",
)
each_cast = pytest.mark.parametrize("cast", cast_names())
each_seats = pytest.mark.parametrize("seats", SEATS.values(), ids=SEATS)


class Counting(ScriptedBackend):
    """Answers with its number, and keeps who asked in each batch; breaks where it is told to."""

    def __init__(self, *, broken=()):
        super().__init__(lambda request: "I see.", name="counting")
        self.batches = []
        self.broken = set(broken)

    def complete(self, requests):
        self.batches.append([request.origin for request in requests])
        if len(self.batches) in self.broken:
            return [BackendFault("the server is down") for _ in requests]
        return super().complete(requests)


def play(env, say="Go on.", *, rounds=1000, **kwargs):
    """Play a parallel environment, and return all that `reset` and `step` gave."""
    seen = [env.reset(**{"seed": 1, **kwargs})]
    while env.agents and len(seen) <= rounds:
        seen.append(env.step({seat: say for seat in env.agents}))
    return seen


def play_turns(env, words, *, seed=1):
    """Play an AEC environment; `words(turn, seat)` is what is said. Return what each was paid."""
    env.reset(seed=seed)
    paid = {}
    for seat in env.agent_iter():
        _, reward, terminated, truncated, info = env.last()
        paid[seat] = paid.get(seat, 0.0) + reward
        env.step(None if terminated or truncated else words(info["turn"], seat))
    return paid


# PettingZoo's own tests


@pettingzoo_of_text
@each_seats
@each_cast
def test_pettingzoos_own_tests_pass(cast, seats):
    made = {"cast": cast, "seats": seats}
    api_test(zoo.env(**made), num_cycles=4)
    api_test(zoo.raw_env(**made), num_cycles=2)
    parallel_api_test(zoo.parallel_env(**made), num_cycles=4)
    seed_test(lambda: zoo.env(**made), num_cycles=2)
    parallel_seed_test(lambda: zoo.parallel_env(**made), num_cycles=2)
    render_test(partial(zoo.env, **made))
    central = {**made, "central_state": True}
    state_test(zoo.env(**central), zoo.parallel_env(**central), num_cycles=2)


def calm(make, **made):
    """Return an environment whose agents sample the same words, at which nobody leaves early."""
    env = make(**made)
    for seat in env.possible_agents:
        env.action_space(seat).sample = lambda: "I am here."
    return env


@each_cast
def test_pettingzoo_counts_as_many_rounds_in_both_views(cast):
    for seats in SEATS.values():
        views = SimpleNamespace(
            env=partial(calm, zoo.env, cast=cast, seats=seats),
            parallel_env=partial(calm, zoo.parallel_env, cast=cast, seats=seats),
        )
        max_cycles_test(views)


# Our own


def differences(make):
    """Return what two runs of a parallel or an AEC environment with one seed do not share.

    PettingZoo's test looks neither at what reset returns nor beyond the first round.
    """
    runs = []
    for _ in range(2):
        env = make()
        if hasattr(env, "agent_iter"):
            env.reset(seed=5)
            seen = []
            for seat in env.agent_iter():
                seen.append((seat, env.last()))
                ended = seen[-1][1][2] or seen[-1][1][3]
                env.step(None if ended else f"Turn {len(seen)}. What was that like?")
        else:
            seen = play(env, "What was that like?", seed=5)
        runs.append((seen, env.unwrapped.trace.to_json()))
    (seen, record), (again, recorded) = runs
    return [
        name
        for name, same in (("seen", data_equivalence(seen, again)), ("record", record == recorded))
        if not same
    ]


@each_seats
@each_cast
def test_one_seed_gives_one_episode(cast, seats):
    for make in (zoo.env, zoo.parallel_env):
        assert differences(partial(make, cast=cast, seats=seats, max_turns=4)) == []


class Random(zoo.CircleParallelEnv):
    """A broken specimen: what reset returns depends on what was made before."""

    made = 0

    def reset(self, seed=None, options=None):
        Random.made += 1
        observations, infos = super().reset(seed=seed, options=options)
        for observation in observations.values():
            observation["text"] += f" ({Random.made})"
        return observations, infos


def test_the_check_finds_an_environment_that_is_random_where_pettingzoos_does_not():
    parallel_seed_test(Random, num_cycles=2)
    assert differences(Random) == ["seen"]


LINES = [
    "",
    "Go on.",
    "{}, what was that like for you?",
    "[aside to {}] Are you all right?",
    "That sounds lonely, {}. I hear how hurt you are.",
    "{}, you brought this on yourself. It is not that bad.",
    "I have to go now. Goodbye.",
]


@settings(max_examples=25, deadline=None)
@given(
    cast=st.sampled_from(cast_names()),
    seats=st.sampled_from([*SEATS.values()]),
    seed=st.integers(0, 2**31),
    choices=st.lists(st.integers(0, 10_000), min_size=1, max_size=12),
)
def test_both_views_give_the_same_record_for_the_same_actions(cast, seats, seed, choices):
    names = [*load_cast(cast).names, "Supporter"]

    def words(turn, seat):
        pick = choices[(7 * turn + len(seat) + int(seat[-1])) % len(choices)]
        return LINES[pick % len(LINES)].format(names[pick % len(names)])

    made = {"cast": cast, "seats": seats, "max_turns": 4, "rewards": {"supporter": "delta"}}
    turns, at_once = zoo.raw_env(**made), zoo.parallel_env(**made)
    paid = play_turns(turns, words, seed=seed)
    at_once.reset(seed=seed)
    sums = {seat: 0.0 for seat in at_once.agents}
    while at_once.agents:
        turn = at_once.episode.turn
        _, rewards, *_ = at_once.step({seat: words(turn, seat) for seat in at_once.agents})
        for seat, reward in rewards.items():
            sums[seat] += reward
    assert turns.trace.to_json() == at_once.trace.to_json()
    assert paid == sums
    if turns.trace.outcome is not None:
        assert verify(turns.trace).mismatch is None


def test_a_supporter_alone_plays_what_the_gymnasium_environment_plays():
    one = gym.make("EmpathyEnv/Circle-v0", cast="third-friend")
    many = zoo.parallel_env(cast="third-friend")
    seen, (observations, _) = one.reset(seed=4), many.reset(seed=4)
    assert observations["supporter_0"]["text"] == seen[0]
    while many.agents:
        seen = one.step("Linh, what was it like to keep that from him?")
        found = many.step({"supporter_0": "Linh, what was it like to keep that from him?"})
        assert found[0]["supporter_0"]["text"] == seen[0]
        assert found[1]["supporter_0"] == seen[1]
        assert found[4]["supporter_0"]["messages"] == seen[4]["messages"]
    assert seen[2]
    assert many.trace.to_json() == one.unwrapped.trace.to_json()


def test_agents_are_the_policies_alone_the_supporters_first():
    order = {"user_1": "policy", "user_0": "policy", "supporter_1": "policy"}
    assert zoo.raw_env().possible_agents == ["supporter_0"]
    assert zoo.raw_env(seats=order).possible_agents == [
        *("supporter_0", "supporter_1", "user_0", "user_1")
    ]
    assert zoo.raw_env(seats=USERS).possible_agents == ["user_0", "user_1"]


def test_one_turn_after_the_other_each_hears_who_spoke_before():
    env = zoo.env(seats=ALL)
    env.reset(seed=1)
    order = []
    for _ in range(5):
        seat, observation = env.agent_selection, env.last()[0]
        order.append(seat)
        last = observation["text"].splitlines()[-1]
        if seat == "supporter_1":
            assert (observation["speaker"], last) == ("supporter_0", "Supporter: I am supporter_0.")
        elif seat.startswith("user"):
            assert (observation["speaker"], last) == (
                *("supporter_1", "Supporter 2: I am supporter_1."),
            )
            assert "user_" not in observation["text"]  # their words come at the end of the round
        env.step(f"I am {seat}.")
        if seat == "supporter_0" and len(order) == 1:
            assert env.observe(seat) == {"text": "", "speaker": ""}  # nothing since it has acted
        if seat == "supporter_1":
            heard = env.observe("supporter_0")
            assert heard == {"text": "Supporter 2: I am supporter_1.", "speaker": "supporter_1"}
    assert order == ["supporter_0", "supporter_1", "user_0", "user_1", "supporter_0"]


def test_at_once_nobody_has_heard_the_round_in_which_they_act():
    seen = play(zoo.parallel_env(seats=ALL, cast="bereaved-siblings"), "Hm.", rounds=1)
    observations, infos = seen[-1][0], seen[-1][4]
    assert observations["supporter_1"]["text"].startswith("Supporter: Hm.")
    roles = [message["role"] for message in infos["supporter_1"]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_an_agent_in_a_seat_hears_those_before_it_in_both_views():
    heard = []

    def reply(messages, rng):
        heard.append(messages[-1]["content"].splitlines()[-1])
        return "I agree."

    agent = Agent("echo", "", cheats=False, reply=reply)
    for env in (zoo.parallel_env, zoo.raw_env):
        made = env(seats={"supporter_1": agent}, max_turns=1)
        made.reset(seed=1)
        made.step({"supporter_0": "One."} if env is zoo.parallel_env else "One.")
        assert made.trace.agent == "supporter_1=echo"
    assert heard == ["Supporter: One."] * 2


def test_spaces_hold_what_is_observed_and_are_the_same_objects_each_time():
    env = zoo.parallel_env(seats=ALL, max_turns=3)
    for observations, *_ in play(env, "x" * 4000):
        for seat, observation in observations.items():
            assert env.observation_space(seat).contains(observation)
            assert env.observation_space(seat) is env.observation_space(seat)
            assert env.action_space(seat) is not env.action_space(
                "user_0" if seat != "user_0" else "user_1"
            )


def test_who_leaves_is_terminated_and_the_others_go_on():
    harsh = "Radka, you brought this on yourself. It's not that bad."
    env = zoo.parallel_env(seats=ALL)
    seen = play(env, harsh, seed=3)
    gone = next(i for i, step in enumerate(seen[1:], 1) if step[2].get("user_0"))
    _, _, terminated, truncated, infos = seen[gone]
    assert terminated == {
        "supporter_0": False,
        "supporter_1": False,
        "user_0": True,
        "user_1": False,
    }
    assert infos["user_0"]["outcome"] == "left"
    assert infos["user_0"]["valid_for_training"]
    assert "outcome" not in infos["user_1"]
    assert "user_0" not in seen[gone + 1][0]
    assert all(seen[-1][2].values())
    assert not any(truncated.values())
    assert {info["outcome"] for info in seen[-1][4].values()} == {env.trace.outcome}
    with pytest.raises(EpisodeOver, match="no agent is left"):
        env.step({})


def test_when_the_last_policy_has_left_its_record_is_handed_over_as_far_as_it_was_played():
    traces = []
    seats = {"supporter_0": "omni-reply", "user_1": "policy"}
    for make in (zoo.parallel_env, zoo.raw_env):
        env = make(seats={**seats, "supporter_0": blamer()}, on_trace=traces.append)
        if make is zoo.parallel_env:
            play(env, "Hm.", seed=3)
        else:
            play_turns(env, lambda turn, seat: "Hm.", seed=3)
        assert env.agents == []
    assert traces[0] == traces[1]
    assert (len(traces), traces[0].outcome) == (2, None)
    assert not traces[0].present(len(traces[0].turns), seat=1)


def blamer():
    """An agent that drives Lachlan out."""
    line = "Lachlan, you brought this on yourself. It's not that bad."
    return Agent("blamer", "", cheats=False, reply=lambda messages, rng: line)


def test_the_floor_is_said_after_the_round_in_which_it_was_not_given():
    env = zoo.parallel_env(cast="third-friend", seats=ALL)  # moderated
    env.reset(seed=1)
    *_, infos = env.step({seat: "Bashir, tell me more." for seat in env.agents})
    heard = {seat: info["was_heard"] for seat, info in infos.items()}
    assert heard == {"supporter_0": True, "supporter_1": True, "user_0": True, "user_1": False}


# Rewards


def test_by_default_supporters_are_paid_the_mean_and_each_user_their_own():
    env = zoo.parallel_env(seats=ALL, max_turns=3)
    *early, last = play(env, "That sounds hard. What was it like?")[1:]
    assert all(not any(step[1].values()) for step in early)
    trace = env.trace
    assert last[1] == {
        "supporter_0": mean(trace, 3),
        "supporter_1": mean(trace, 3),
        "user_0": own(trace, 3, seat=0),
        "user_1": own(trace, 3, seat=1),
    }
    assert len(set(last[1].values())) == 3


def of_number(trace, turn, *, seat):
    return 10.0 * turn + seat


def test_rewards_are_given_by_kind_and_a_function_may_ask_whose_it_is():
    rewards = {"supporter": {"worst": 1.0, "fairness": 0.5}, "user": of_number}
    env = zoo.parallel_env(seats=ALL, max_turns=2, rewards=rewards)
    paid = play(env)[-1][1]
    assert (paid["user_0"], paid["user_1"]) == (20.0, 21.0)
    assert set(env.trace.weights) == {"worst", "fairness"}
    mixed = zoo.parallel_env(seats=ALL, max_turns=2, rewards={"user": "own=0.25,worst=1"})
    paid, trace = play(mixed)[-1][1], mixed.trace
    assert paid["user_1"] == pytest.approx(
        0.25 * own(trace, 2, seat=1) + min(own(trace, 2, seat=s) for s in (0, 1))
    )


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ({"suporter": "terminal"}, "No kind of seats named 'suporter'. Did you mean 'supporter'"),
        ({"supporter": "own"}, "pays one user for their own part"),
        ({"user": "belief_need"}, "pays for one belief"),
        ({"user": "terminl"}, "Did you mean 'terminal'"),
        ("terminal", "rewards='terminal': give a reward for each kind of seats"),
    ],
)
def test_a_reward_that_cannot_be_paid_is_refused(rewards, message):
    with pytest.raises(InvalidArgument, match=message):
        zoo.parallel_env(seats=ALL, rewards=rewards)


@pytest.mark.parametrize("rewards", [{"user": max}, {"supporter": lambda trace, turn: math.nan}])
def test_a_reward_that_fails_leaves_everything_as_it_was(rewards):
    at_once, turns = zoo.parallel_env(seats=ALL, rewards=rewards), zoo.raw_env(rewards=rewards)
    at_once.reset(seed=1)
    before = at_once.snapshot()
    with pytest.raises(RewardError):
        at_once.step(dict.fromkeys(at_once.agents, "Go on."))
    assert at_once.snapshot() is before
    if "supporter" in rewards:
        turns.reset(seed=1)
        before = turns.snapshot()
        with pytest.raises(RewardError):
            turns.step("Go on.")
        assert turns.snapshot() is before
        assert turns.last()[0]["speaker"] == "user_1"  # what it had heard is still new


# What nobody may see

SECRET = {"emotion", "trust", "strain", "mood", "need", "needs", "evidence", "trace", "latent"}


def keys(value):
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def hidden_of(trace, one, other):
    """What `other` hides: why they need what, and what has not been said aloud."""
    cast, ledger = trace.scenario.cast, trace.ledger(seat=other)
    persona, need = trace.scenario.people[other]
    known = {item.fact for item in cast.toward(one, other).knows} if one is not None else set()
    variant = persona.variant(need)
    items = [*persona.facts, *variant.facts, *persona.feelings, *persona.beliefs]
    yield from (variant.because, variant.met_when)
    for item in items:
        if ledger[item.id] == "never":
            yield item.says
            if item.id not in known:
                yield getattr(item, "text", None) or item.truth


def leaks(cast, seats, **kwargs):
    """Return what is seen of others' secrets in an episode, and the keys that give any away."""
    env = zoo.parallel_env(cast=cast, seats=seats, max_turns=5, **kwargs)
    seen = play(env, "I hear how hard that is. What was that like for you?")
    trace, found = env.trace, []
    for seat in env.possible_agents:
        mine = [part[seat] for step in seen for part in step if seat in part]
        found += keys(mine) & SECRET
        text = " ".join(json.dumps(mine, ensure_ascii=False).split())
        one = int(seat[-1]) if seat.startswith("user") else None
        for other in range(len(trace.start)):
            if other != one:
                found += [
                    secret
                    for secret in hidden_of(trace, one, other)
                    if " ".join(json.dumps(secret, ensure_ascii=False)[1:-1].split()) in text
                ]
    return found


@each_cast
def test_nobody_sees_what_another_hides(cast):
    for seats in (None, USERS, ALL):
        assert leaks(cast, seats) == []


def test_the_search_for_leaks_finds_one():
    assert set(leaks("couple-after-quarrel", ALL, expose_latent=True)) >= {"need", "emotion"}


def test_an_aside_reaches_nobody_else():
    env = zoo.parallel_env(cast="peer-support-circle", seats=ALL)
    env.reset(seed=1)
    *_, infos = env.step({seat: "Go on." for seat in env.agents})
    aside = "[aside to Desmond] Is it the ring that you miss?"
    words = dict.fromkeys(env.agents, "Go on.") | {"supporter_0": aside}
    observations, *_, infos = env.step(words)
    assert "(aside): Is it the ring" in observations["user_0"]["text"]
    for seat in ("supporter_1", "user_1"):
        assert "the ring" not in json.dumps([observations[seat], infos[seat]])


# Backends and faults


CALLED = "{}, what was that like for you?"
"""Whoever is called by name has the floor under each rule of turns."""


def calling(cast):
    return CALLED.format(" and ".join(load_cast(cast).names))


def test_the_requests_of_all_users_of_a_round_go_out_in_one_batch():
    built_in, seated = Counting(), Counting()
    agent = Agent.asking(seated)
    env = zoo.parallel_env(
        cast="peer-support-circle",
        user=built_in,
        appraiser="rules",
        speaker=AskingSpeaker(),
        seats={"user_0": agent, "user_2": agent, "supporter_1": agent},
        max_turns=3,
    )
    play(env, calling("peer-support-circle"))
    assert [len(batch) for batch in built_in.batches] == [2, 2, 2]
    assert [len(batch) for batch in seated.batches] == [1, 2] * 3
    origins = [origin for batch in seated.batches for origin in batch]
    assert len(set(origins)) == len(origins)
    assert env.trace.meter == {}


def test_what_an_agent_in_a_seat_costs_is_in_the_meter():
    class Costly(Counting):
        def complete(self, requests):
            return [
                reply.__class__(reply.text, {"tokens": 5.0}) for reply in super().complete(requests)
            ]

    env = zoo.raw_env(seats={"supporter_1": Agent.asking(Costly())}, max_turns=3)
    play_turns(env, lambda turn, seat: "Go on.")
    assert env.trace.meter == {"agent_tokens": 15.0}


def asking(**kwargs):
    return {"appraiser": "rules", "speaker": AskingSpeaker(), "cast": "bereaved-siblings", **kwargs}


def test_after_a_fault_that_is_raised_nothing_has_changed():
    for make in (zoo.parallel_env, zoo.raw_env):
        env = make(seats={"supporter_1": "policy"}, **asking(user=Counting(broken=[2])))
        env.reset(seed=1)

        def act(env=env, make=make):
            if make is zoo.parallel_env:
                env.step({seat: calling("bereaved-siblings") for seat in env.agents})
                return
            while env.agent_selection == "supporter_0":
                env.step(calling("bereaved-siblings"))
            env.step(calling("bereaved-siblings"))

        act()
        before = env.snapshot()
        with pytest.raises(BackendFault):
            act()
        assert env.snapshot() is before
        assert len(env.agents) == 2
        act()
        assert env.episode.turn == 2


@pytest.mark.parametrize("make", [zoo.parallel_env, zoo.raw_env])
def test_a_fault_may_truncate_without_a_value(make):
    traces = []
    env = make(
        seats={"supporter_1": "policy"},
        on_fault="truncate",
        on_trace=traces.append,
        **asking(user=Counting(broken=[2])),
    )
    if make is zoo.parallel_env:
        _, rewards, terminated, truncated, infos = play(env, calling("bereaved-siblings"))[-1]
    else:
        env.reset(seed=1)
        for _ in range(4):
            env.step(calling("bereaved-siblings"))
        rewards, terminated, truncated, infos = (
            *(dict(env._cumulative_rewards), env.terminations, env.truncations, dict(env.infos)),
        )
        for _ in range(2):
            env.step(None)
    assert all(math.isnan(reward) for reward in rewards.values())
    assert all(truncated.values())
    assert not any(terminated.values())
    assert env.agents == []
    for info in infos.values():
        assert info["fault"] == "BackendFault: the server is down"
        assert info["valid_for_training"] is False
        assert "outcome" not in info
    assert [trace.fault["type"] for trace in traces] == ["BackendFault"]


@pytest.mark.parametrize("on_fault", ["truncate", "raise"])
def test_a_fault_before_anybody_can_act_in_the_next_round(on_fault):
    failing = Agent.asking(Counting(broken=[2]))
    seats = {"supporter_0": failing, "user_0": "policy", "user_1": "policy"}
    env = zoo.raw_env(seats=seats, on_fault=on_fault)
    env.reset(seed=1)
    env.step("Hm.")
    if on_fault == "raise":
        with pytest.raises(BackendFault):
            env.step("Hm.")
        assert (env.agent_selection, env.episode.turn) == ("user_1", 0)
        env.step("Hm.")
        assert env.episode.turn == 1
    else:
        env.step("Hm.")
        assert all(env.truncations.values())
        assert env.episode.turn == 1  # the round that went well is kept
        assert math.isnan(env.rewards["user_0"])


# Going on from a value, and the rest


@pytest.mark.parametrize("make", [zoo.parallel_env, zoo.raw_env])
def test_one_goes_on_from_a_snapshot(make):
    whole, later = (make(seats=MIXED, max_turns=4) for _ in range(2))
    whole.reset(seed=2)
    snapshots = []

    def go(env):
        while env.agents:
            snapshots.append(env.snapshot())
            if make is zoo.parallel_env:
                env.step({seat: "Go on." for seat in env.agents})
            else:
                ended = env.terminations[env.agent_selection]
                env.step(None if ended else "Go on.")
        return env.trace.to_json()

    record = go(whole)
    later.reset(options={"state": snapshots[len(snapshots) // 2]})
    assert 0 < later.episode.turn < 4
    assert go(later) == record


def test_a_scenario_can_be_given():
    env = zoo.parallel_env()
    scenario = env.task.scenario(9)
    env.reset(seed=1, options={"scenario": scenario.to_row()})
    assert env.trace.scenario == scenario


def test_resets_without_a_seed_go_on_from_the_last_one():
    def seeds(env):
        env.reset(seed=3)
        return [env.reset() and env.trace.scenario.seed for _ in range(4)]

    assert seeds(zoo.parallel_env()) == seeds(zoo.parallel_env())
    assert len(set(seeds(zoo.parallel_env()))) == 4


def test_the_seed_draws_one_of_several_casts():
    env = zoo.parallel_env(cast=["couple-after-quarrel", "bereaved-siblings"])
    drawn = {env.reset(seed=seed) and env.trace.scenario.cast.id for seed in range(8)}
    assert drawn == {"couple-after-quarrel", "bereaved-siblings"}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("make", [zoo.parallel_env, zoo.env])
def test_a_copy_goes_on_by_itself(make, copied):
    env = make(seats=MIXED, max_turns=3)
    env.reset(seed=1)

    def act(one):
        if make is zoo.parallel_env:
            one.step({seat: "Go on." for seat in one.agents})
        else:
            one.step("Go on.")

    act(env)
    other = copied(env)
    before = other.unwrapped.trace.to_json()
    act(env)
    act(env)
    assert other.unwrapped.trace.to_json() == before
    act(other)
    act(other)
    assert other.unwrapped.trace.to_json() == env.unwrapped.trace.to_json()


def test_an_agent_in_a_seat_is_loaded_again_in_another_process(monkeypatch):
    env = zoo.raw_env(seats=MIXED)
    env.reset(seed=1)
    pickled = pickle.dumps(env)
    for name in [name for name in sys.modules if name.startswith("empathy_env_agent_")]:
        monkeypatch.delitem(sys.modules, name)
    other = pickle.loads(pickled)
    for one in (env, other):
        for _ in one.agents:
            one.step("Go on.")
    assert other.trace.to_json() == env.trace.to_json()
    assert other.episode.turn == 1


def test_an_agent_whose_user_has_left_is_asked_no_more():
    asked = []

    def reply(messages, rng):
        asked.append(len(messages))
        return "Hm."

    quiet = Agent("quiet", "", cheats=False, reply=reply)
    env = zoo.parallel_env(seats={"user_1": quiet}, central_state=True)
    play(env, blamer().reply([], None), seed=3)
    rounds = range(env.episode.turn)
    there = [env.trace.present(number, seat=1) for number in rounds]
    assert len(asked) == sum(there) < len(there)
    assert list(env.state()[[5, 11]]) == [1.0, 0.0]


def test_the_state_is_the_moods_if_it_is_asked_for():
    env = zoo.raw_env(central_state=True, max_turns=4)
    env.reset(seed=1)
    state = env.state()
    assert state.dtype == np.float32
    assert state.shape == env.state_space.shape == (13,)
    assert state[0] == np.float32(env.trace.start[0].emotion / 100.0)
    assert list(state[[5, 11, 12]]) == [1.0, 1.0, 0.0]
    env.step("Radka, I hear how hurt you are. What was that like?")
    after = env.state()
    assert after[0] == np.float32(env.trace.emotion(1) / 100.0)
    assert after[12] == 0.25
    several = zoo.raw_env(central_state=True, seats={"supporter_1": "policy"})
    several.reset(seed=1)
    several.step("Radka, you brought this on yourself.")
    assert several.state()[0] < state[0]  # she has heard it, though the round goes on
    refusing = zoo.raw_env()
    refusing.reset(seed=1)
    assert not hasattr(refusing, "state_space")
    with pytest.raises(InvalidArgument, match="central_state=True"):
        refusing.state()


@pytest.mark.parametrize("mode", ["ansi", "human"])
def test_rendering_returns_the_talk_and_prints_nothing(mode, capsys):
    env = zoo.parallel_env(render_mode=mode, seats={"supporter_1": "policy"})
    play(env, "[aside to Radka] Go on.", rounds=1)
    lines = env.render().splitlines()
    assert lines[0].startswith("Radka: ")
    assert lines[2:4] == [f"Supporter{n} (aside): Go on." for n in ("", " 2")]
    assert capsys.readouterr().out == ""
    assert zoo.parallel_env().render_mode is None


def test_the_latent_state_is_there_for_debugging_only():
    env = zoo.parallel_env(expose_latent=True)
    _, infos = env.reset(seed=1)
    assert set(infos["supporter_0"]["latent"]) == {"user_0", "user_1", "evidence"}
    assert "latent" not in zoo.parallel_env().reset(seed=1)[1]["supporter_0"]


def test_infos_are_new_at_each_call():
    env = zoo.parallel_env(seats=ALL)
    _, infos = env.reset(seed=1)
    infos["user_0"]["messages"].clear()
    *_, infos = env.step(dict.fromkeys(env.agents, "Go on."))
    assert infos["user_0"]["messages"] == chat(env.snapshot(), "user_0", at_once=True)


def test_pettingzoos_conversions():
    inner = zoo.parallel_env(seats=ALL, max_turns=3)
    paid = play_turns(parallel_to_aec(inner), lambda turn, seat: f"I am {seat}.")
    other = zoo.raw_env(seats=ALL, max_turns=3)
    assert paid == play_turns(other, lambda turn, seat: f"I am {seat}.")
    assert inner.trace.to_json() == other.trace.to_json()
    with pytest.raises(AssertionError, match="is_parallelizable"):
        aec_to_parallel(other)


def test_the_order_of_calls_is_enforced():
    with pytest.raises(AttributeError, match="cannot be accessed before reset"):
        _ = zoo.env().agents
    with pytest.raises(EpisodeOver, match="call reset"):
        _ = zoo.raw_env().episode
    with pytest.raises(EpisodeOver, match="no agent is left"):
        zoo.raw_env().step("Hello.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cast": None}, "cast=None: give a cast"),
        ({"cast": "all"}, "different numbers of people .*third-friend has 3"),
        ({"cast": "couple"}, "Did you mean 'couple-after-quarrel'"),
        ({"seats": {"supporter": "policy"}}, "No seat named 'supporter'"),
        ({"seats": {"user_7": "policy"}}, "No seat named 'user_7'"),
        ({"seats": {"user_7": "built-in"}}, "No seat named 'user_7'"),
        ({"seats": {"supporter_2": "policy"}}, "no 'supporter_1': number supporters"),
        ({"seats": {"supporter_0": "built-in"}}, "users only are built in"),
        ({"seats": {"supporter_0": "listener"}}, "nobody acts from outside"),
        ({"seats": {"user_0": "lisener"}}, "Did you mean 'listener'"),
        ({"max_turns": 4, "max_cycles": 5}, "are the same: give one"),
        ({"render_mode": "rgb_array"}, "No render_mode named 'rgb_array'"),
        ({"on_fault": "ignore"}, "No on_fault named 'ignore'"),
        ({"protocol": "rlver-2025", "user": Counting()}, "is of one person"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    for make in (zoo.parallel_env, zoo.env):
        with pytest.raises(InvalidArgument, match=message):
            make(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"senario": 1}, "No reset option named 'senario'"),
        ({"state": 1}, "must be a value that snapshot"),
        ({"scenario": {"persona": "laid-off-engineer", "need": "absolution"}}, "for a cast of 2"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InvalidArgument, match=message):
        zoo.parallel_env().reset(options=options)


def test_a_snapshot_of_other_seats_is_refused():
    other = zoo.parallel_env(seats=ALL)
    other.reset(seed=1)
    with pytest.raises(InvalidArgument, match="give the same seats="):
        zoo.parallel_env().reset(options={"state": other.snapshot()})


def test_wrong_actions_are_refused_before_anything_happens():
    env = zoo.parallel_env(seats=ALL)
    env.reset(seed=1)
    good = dict.fromkeys(env.agents, "Go on.")
    before = env.snapshot()
    with pytest.raises(InvalidArgument, match=r"actions\['user_1'\]=None"):
        env.step({seat: text for seat, text in good.items() if seat != "user_1"})
    with pytest.raises(InvalidArgument, match=r"actions\['user_0'\]=3"):
        env.step({**good, "user_0": 3})
    with pytest.raises(UnknownName, match="No live agent named 'user_2'"):
        env.step({**good, "user_2": "Hm."})
    turns = zoo.raw_env()
    turns.reset(seed=1)
    with pytest.raises(InvalidArgument, match="action=7 of 'supporter_0'"):
        turns.step(7)
    with pytest.raises(InvalidArgument, match="action=None"):
        turns.step(None)
    assert env.snapshot() is before


def test_text_that_is_too_long_is_cut_and_not_refused():
    env = zoo.env(max_chars=10, max_turns=1)
    env.reset(seed=1)
    env.step("What happened then?")
    assert env.unwrapped.trace.turns[0].heard == "What happe"
