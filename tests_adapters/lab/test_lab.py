"""The lab's models: exact probabilities, masks, learning, and results that can be taken up again."""

import copy
import importlib
import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from empathy_env.lab.arms import Arm, arms_of, key_of
from empathy_env.lab.corpus import Mix, corpus
from empathy_env.lab.grammar import NEEDS, REGISTERS, TARGET, TARGET_NEED, WANTED, sentences
from empathy_env.lab.learn import Grpo, grpo, played, rows_of
from empathy_env.lab.markov import asked
from empathy_env.lab.measured import evaluation_starts, measured, reached, scored
from empathy_env.lab.model import (
    Size,
    chances,
    fresh,
    log_chances,
    policy_of,
    register_chances,
    sampled,
    taught,
)
from empathy_env.lab.people import drawn_starts
from empathy_env.lab.run import run
from empathy_env.lab.summary import TRIES, read_results
from empathy_env.lab.talks import World, play
from empathy_env.lab.words import AGENT, END, opened, said, say, thoughts, tokens, vocabulary
from empathy_env.measures.likelihood import sequence_kl

SMALL = {"talks": 300, "pretraining": 60, "width": 32, "evaluated": 4, "samples": 4}


@pytest.fixture(scope="module")
def base():
    """Return a model that has learnt a little of the bandit, and its corpus."""
    talks = corpus(World("bandit"), Mix(0.25), 600, 1)
    model = fresh(Size(32), 1)
    list(taught(model, rows_of(talks, 0.3), steps=450, batch=32, lr=5e-3, seed=1))
    return model, talks


def contexts_of(talks):
    return [talk.ids[: talk.turns[0].begins] for talk in talks]


def test_a_registers_chance_is_that_of_its_sentences_token_by_token(base):
    model, talks = base
    context, slots = contexts_of(talks)[0], talks[0].start.slots
    [found] = register_chances(model, [context], [slots])
    for register, value in zip(REGISTERS, found, strict=True):
        total = 0.0
        for text in sentences(register, slots):
            ids, chance = list(context), 1.0
            for token in said(text):
                with torch.no_grad():
                    logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
                chance *= float(logits.softmax(-1)[token])
                ids.append(token)
            total += chance
        assert value == pytest.approx(total, rel=1e-3)


def test_exact_chances_agree_with_frequencies(base):
    model, talks = base
    start = talks[0].start
    rows = [list(contexts_of(talks)[0])] * 4000
    turns = sampled(model, rows, torch.Generator().manual_seed(1))
    texts = [tuple(turn) for turn in turns]
    [exact] = register_chances(model, rows[:1], [start.slots])
    for register, value in zip(REGISTERS, exact, strict=True):
        own = {tuple(said(text)) for text in sentences(register, start.slots)}
        share = sum(text in own for text in texts) / len(texts)
        assert share == pytest.approx(value, abs=5 * math.sqrt(value * (1 - value) / 4000) + 1e-3)


def test_company_and_padding_change_no_chance(base):
    model, talks = base
    rows = [talk.ids for talk in sorted(talks[:20], key=lambda talk: len(talk.ids))]
    together = log_chances(model, rows)
    for row, found in zip(rows, together, strict=True):
        assert len(found) == len(row) - 1
        assert found == pytest.approx(log_chances(model, [row])[0], abs=1e-4)


def test_a_turn_is_sampled_by_its_seed_and_ends(base):
    model, talks = base
    contexts = contexts_of(talks[:8])
    one, again, other = (policy_of(model, seed)(contexts, range(8)) for seed in (1, 1, 2))
    assert one == again != other
    assert all(END not in turn[:-1] for turn in one)
    alone = [policy_of(model, 1)([context], [0])[0] for context in contexts[:1]]
    assert alone[0][0] < len(vocabulary())


def test_only_the_agents_words_weigh(base):
    _, talks = base
    for ids, weights in rows_of(talks[:20], 0.0):
        own = [ids[n] for n in range(len(ids)) if weights[n]]
        assert own[-1] == END
        assert AGENT not in own
        assert weights[: ids.index(AGENT) + 1] == [0.0] * (ids.index(AGENT) + 1)


def test_the_dose_is_what_the_base_comes_to_do(base):
    model, talks = base
    there = register_chances(model, contexts_of(talks[:200]), [t.start.slots for t in talks[:200]])
    share = there / there.sum(1, keepdims=True)
    assert share[:, REGISTERS.index(TARGET)].mean() == pytest.approx(0.25, abs=0.08)


def test_grpo_makes_what_pays_likelier_and_coins_do_not(base):
    model, _ = base
    world = World("bandit")
    how = Grpo(steps=30, starts=8, group_size=16, lr=2e-3)
    gains = {}
    for reward in ("world", "random"):
        policy = copy.deepcopy(model)
        steps = list(grpo(policy, model, world, Grpo(**{**vars_of(how), "reward": reward}), seed=1))
        assert [one.number for one in steps] == list(range(1, 31))
        assert 0 < steps[-1].tries
        after, _ = measured(policy, model, world, starts=32, samples=16)
        before, _ = measured(model, model, world, starts=32, samples=16)
        gains[reward] = np.mean([x.emotion for x in after.samples]) - np.mean(
            [x.emotion for x in before.samples]
        )
        assert after.kl > before.kl == 0.0
    assert gains["world"] > 20
    assert gains["random"] < 0.3 * gains["world"]


def vars_of(how):
    return {name: getattr(how, name) for name in how.__slots__}


def test_thoughts_are_summed_over(base):
    _, talks = base
    thinking = corpus(World("bandit"), Mix(0.25, thoughts=0.5, tied=1.0), 600, 1)
    model = fresh(Size(32), 1, tokens())
    list(taught(model, rows_of(thinking, 0.3), steps=450, batch=32, lr=5e-3, seed=1))
    start = next(talk.start for talk in talks if talk.start.need == TARGET_NEED)
    world = World("bandit", thinks=True)
    found = play(world, [start] * 3000, policy_of(model, 1))
    context = found[0].ids[: found[0].turns[0].begins]
    [exact] = register_chances(model, [context], [start.slots], thoughts())
    for register, value in zip(REGISTERS, exact, strict=True):
        share = sum(talk.turns[0].register == register for talk in found) / 3000
        assert share == pytest.approx(value, abs=5 * math.sqrt(value * (1 - value) / 3000) + 5e-3)
    [aloud] = register_chances(model, [[*context[:-1], say()]], [start.slots])
    target = REGISTERS.index(TARGET)
    assert exact[target] > 2 * aloud[target]


def test_the_exact_value_with_people_of_moods_is_what_talks_come_to(base):
    model, _ = base
    found, groups = measured(model, model, World("markov", 0.4), starts=8, samples=400)
    assert len(found.values) == len(groups) == 8
    for bounds, group in zip(found.values, groups, strict=True):
        ends = [talk.emotion for talk in group]
        error = np.std(ends) / 20
        assert bounds.low - 4 * error <= np.mean(ends) <= bounds.high + 4 * error
    assert np.mean([high - low for low, high in found.values]) < 60


def test_estimators_agree_with_the_exact_values_at_about_the_nominal_rate(base, monkeypatch):
    """Eighty draws of 32 people: a coverage of 0.95 is measured to within 0.05."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    bandit = importlib.import_module("lab_coverage").bandit
    model, _ = base
    policy = copy.deepcopy(model)
    list(grpo(policy, model, World("bandit"), Grpo(steps=5, lr=1e-3), seed=1))
    exact, held = bandit(model, policy, people=96, draws=80)
    assert exact["sequence KL"] > 0.01
    assert exact["pass@1, trained"] > exact["pass@1, base"] + 0.02
    assert held.pop("... not refused") > 0.5
    for name, share in held.items():
        assert share >= 0.85, name


def test_grounding_is_measured_where_there_are_traces_and_entropy_everywhere(base):
    model, _ = base
    for name in ("environment", "bandit"):
        found, _ = measured(model, model, World(name), starts=4, samples=2)
        assert set(found.entropy) == {"token", "register"}
        assert bool(found.grounding) == (name == "environment")
        low, high = found.entropy["token"][1:]
        assert low <= found.entropy["token"][0] <= high


def test_what_can_be_reached_is_exact_at_any_number_of_tries(base):
    model, _ = base
    starts = evaluation_starts(8)
    found = reached(model, World("bandit"), starts)
    contexts = [opened(asked(start)) for start in starts]
    rows = register_chances(model, contexts, [start.slots for start in starts])
    right = [
        row[REGISTERS.index(WANTED[start.need])] for row, start in zip(rows, starts, strict=True)
    ]
    for tries, value in zip(TRIES, found.reach, strict=True):
        assert value == pytest.approx(np.mean([1 - (1 - p) ** tries for p in right]))
    assert found.registers[NEEDS[0]] == pytest.approx(
        rows[[start.need == NEEDS[0] for start in starts]].mean(0)
    )
    assert reached(model, World(), starts) is None


def test_a_run_depends_on_its_seed_alone(base):
    model, _ = base

    def weights(seed):
        policy = copy.deepcopy(model)
        list(grpo(policy, model, World("bandit"), Grpo(steps=2), seed=seed))
        return torch.cat([one.detach().flatten() for one in policy.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_few_groups_in_a_step_meet_all_needs_in_turn(base, monkeypatch):
    model, _ = base
    met = []

    def seen(world, starts, *more, **others):
        met.append([start.need for start in starts])
        return play(world, starts, *more, **others)

    monkeypatch.setattr("empathy_env.lab.learn.play", seen)
    how = Grpo(steps=4, starts=1, group_size=2)
    list(grpo(copy.deepcopy(model), model, World("bandit"), how, seed=1))
    assert [set(needs) for needs in met] == [{need} for need in NEEDS]


def test_a_heavy_kl_holds_the_policy_back(base):
    model, _ = base
    apart = []
    for kl in (0.0, 5.0):
        policy = copy.deepcopy(model)
        list(grpo(policy, model, World("bandit"), Grpo(steps=15, lr=2e-3, kl=kl), seed=1))
        apart.append(measured(policy, model, World("bandit"), starts=8, samples=8)[0].kl)
    assert apart[1] < 0.5 * apart[0]


def test_the_kl_is_that_of_the_estimator_over_what_was_said(base):
    model, _ = base
    other = fresh(Size(32), 2)
    starts = drawn_starts(random.Random(1), 8)
    talks = play(World(), starts, policy_of(model, 3))
    for talk, one in zip(talks, scored(model, other, talks), strict=True):
        assert len(one.own) == sum(turn.ends - turn.begins for turn in talk.turns)
        with torch.no_grad():
            row = chances(model, [talk.ids])[0]
        first = talk.turns[0]
        assert one.own[0] == pytest.approx(float(row[first.begins - 1]), abs=1e-4)
    assert sequence_kl(scored(model, model, talks)).per_talk.mean == pytest.approx(0.0, abs=1e-6)


def test_members_of_a_group_share_their_start(base):
    model, _ = base
    groups = played(model, World(), drawn_starts(random.Random(1), 2), 3, seed=1)
    for group in groups:
        assert len({talk.start for talk in group}) == 1
        assert [talk.trace.scenario.member for talk in group] == [0, 1, 2]


def test_an_experiment_is_run_once_and_goes_on_where_it_stopped(tmp_path):
    lines = [
        {"name": "a", "world": "bandit", "dose": [0.0, 0.1], "steps": 2},
        {"name": "b", "dose": 0.1, "steps": 1, "starts": 2, "group_size": 2},
        {"name": "c", "world": "bandit", "method": "imitation", "dose": 0.1, "steps": 2},
        {"name": "d", "world": "bandit", "method": "replay", "dose": 0.1, "steps": 2},
        {"name": "e", "world": "bandit", "demonstrations": 1, "dose": 0.0, "steps": 1},
        {"name": "f", "world": "bandit", "dose": 0.1, "thoughts": 0.5, "think": "no", "steps": 1},
        {"name": "g", "world": "markov", "dose": 0.1, "steps": 1},
    ]
    arms = arms_of({"all": SMALL, "arms": lines})
    done = [text for text, row in run(arms[:2], tmp_path) if row]
    assert len(done) == 2
    first = read_results(tmp_path)
    rows = [row for _, row in run(arms, tmp_path, traces=True) if row]
    assert {row["arm"]["name"] for row in rows} == set("bcdefg")
    assert read_results(tmp_path)[:2] == first
    assert {row["key"] for row in read_results(tmp_path)} == {key_of(arm) for arm in arms}
    assert [text for text, _ in run(arms, tmp_path)] == []
    shown = {row["arm"]["name"] for row in rows if row["shown"]}
    assert shown == {"e"}
    [talks] = [row for row in rows if row["arm"]["name"] == "b"]
    for which in ("base", "trained"):
        assert Path(tmp_path / f"{talks['key']}-{which}.jsonl").read_text("utf-8").count("\n") == 16


def test_the_same_arm_gives_the_same_result(tmp_path):
    arm = Arm(name="x", world="bandit", steps=2, **SMALL)
    rows = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        [row] = [row for _, row in run([arm], folder) if row]
        rows.append({name: value for name, value in row.items() if name != "seconds"})
    assert rows[0] == rows[1]
