"""The rungs of the ladder: each against what it must be at its ends, or against enumeration."""

import copy
import json
import math
from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from empathy_env.__main__ import app
from empathy_env.lab.arms import Base
from empathy_env.lab.climb import all_rungs, line_of
from empathy_env.lab.corpus import Mix, corpus
from empathy_env.lab.critiques import criticised, critiques
from empathy_env.lab.grammar import NEEDS, REGISTERS, TARGET, WANTED, register_of
from empathy_env.lab.ladder import label_of, lines
from empathy_env.lab.learn import rows_of
from empathy_env.lab.measured import evaluation_starts
from empathy_env.lab.model import Size, fresh, register_chances, taught
from empathy_env.lab.rungs import (
    POOL,
    Bench,
    best_likely,
    best_paid,
    branched,
    branches,
    mixed,
    power_exact,
    powered,
    prompted,
    same_need,
    same_need_wrong,
    spoken,
)
from empathy_env.lab.sampling import (
    continued,
    drawn,
    exact,
    min_p,
    plain,
    tempered,
    turn_chances,
)
from empathy_env.lab.steering import (
    Examples,
    direction,
    directions,
    examples,
    feature,
    hooked,
    latent,
    pushed,
    sparse,
    speaking,
    steered,
    steering,
)
from empathy_env.lab.talks import World
from empathy_env.lab.words import AGENT, END, PAD, USER, decoded

WIDTH = 48


@pytest.fixture(scope="module")
def bench():
    """Return a bench of a model that has learnt a little of the bandit."""
    talks = corpus(World("bandit"), Mix(0.25), 600, 1)
    model = fresh(Size(WIDTH), 1)
    list(taught(model, rows_of(talks, 0.3), steps=500, batch=32, lr=5e-3, seed=1))
    return Bench(model, evaluation_starts(8), "test")


def dice(seed=1):
    return torch.Generator().manual_seed(seed)


def next_chances(model, row):
    with torch.no_grad():
        return model(input_ids=torch.tensor([row])).logits[0, -1].softmax(-1)


# Sampling and scoring.


def test_plain_sampling_is_the_base_itself(bench):
    known = register_chances(bench.model, bench.contexts, bench.slots)
    assert spoken(bench).registers == pytest.approx(known, rel=1e-4)
    one = spoken(bench, partial(tempered, temperature=1.0)).registers
    assert one == pytest.approx(known, rel=1e-4)


def test_a_turns_chance_is_that_of_its_tokens_at_the_temperature(bench):
    turns = drawn(bench.model, bench.contexts, dice(), plain)
    turns[0] = turns[0][:3]  # of unlike lengths
    cool = partial(tempered, temperature=0.5)
    found = turn_chances(bench.model, bench.contexts, turns, plain, cool)
    for row, (context, turn) in enumerate(zip(bench.contexts, turns, strict=True)):
        for at, token in enumerate(turn):
            chances = next_chances(bench.model, [*context, *turn[:at]])
            assert math.exp(found[0, row, at]) == pytest.approx(float(chances[token]), rel=1e-3)
            squared = chances.square() / chances.square().sum()
            assert math.exp(found[1, row, at]) == pytest.approx(float(squared[token]), rel=1e-3)
        assert not found[:, row, len(turn) :].any()


def test_frequencies_agree_with_exact_chances_at_a_temperature(bench):
    warp = partial(tempered, temperature=1.5)
    rows = [bench.contexts[0]] * 1500
    turns = drawn(bench.model, rows, dice(), warp)
    one = Bench(bench.model, bench.starts[:1], "one")
    share = mixed(one, [turns])[0]
    known = spoken(one, warp).registers[0]
    assert share == pytest.approx(known, abs=0.05)
    assert share != pytest.approx(spoken(one).registers[0], abs=0.05)


def test_min_p_keeps_what_is_likely_enough_and_at_one_is_greedy():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    assert min_p(logits, 0.25).softmax(-1)[0].tolist() == pytest.approx(
        [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0.0]
    )
    assert min_p(logits, 1.0).softmax(-1)[0].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_rows_that_may_have_nothing_more_get_nothing(bench):
    rows = bench.contexts[:3]
    found = continued(bench.model, rows, lambda logits: logits.argmax(-1), [0, 2, 16])
    assert [len(one) for one in found[:2]] == [0, 2]
    assert found[2][-1] == END
    assert found[2] == continued(bench.model, rows[2:], lambda one: one.argmax(-1), [16])[0]


def test_draws_depend_on_the_key_and_the_purpose(bench):
    other = Bench(bench.model, bench.starts, "other")
    assert bench.number("a") == bench.number("a") != bench.number("b")
    assert bench.number("a") != other.number("a")
    assert bench.pool.turns == Bench(bench.model, bench.starts, "test").pool.turns
    assert bench.pool.turns != other.pool.turns


# Branching.


def test_branches_begin_with_the_likeliest_tokens_and_go_on_greedily(bench):
    context = bench.contexts[0]
    [found] = branches(bench.model, [context], 6)
    likely = next_chances(bench.model, context).topk(6).indices.tolist()
    assert [branch.turn[0] for branch in found] == likely
    turn, leads = found[1].turn, []
    for at in range(1, len(turn)):
        two = next_chances(bench.model, [*context, *turn[:at]]).topk(2)
        assert turn[at] == two.indices[0]
        leads.append(float(two.values[0] - two.values[1]))
    assert found[1].confidence == pytest.approx(np.mean(leads), abs=1e-4)


def test_the_most_confident_branch_is_taken_or_one_that_meets_the_need(bench):
    each = branches(bench.model, bench.contexts, 6)
    confident = [[max(one, key=lambda branch: branch.confidence).turn] for one in each]
    assert branched(bench, 6, told=False).registers == pytest.approx(mixed(bench, confident))
    paid = branched(bench, 6, told=True).registers
    for row, one, start in zip(paid, each, bench.starts, strict=True):
        meets = any(register_of(decoded(b.turn), start.slots) == WANTED[start.need] for b in one)
        assert row[REGISTERS.index(WANTED[start.need])] == meets
    assert branched(bench, 1, told=True).registers == pytest.approx(
        spoken(bench, partial(min_p, share=1.0)).registers, abs=1e-6
    )


# The best of some.


def test_the_best_of_one_is_plain_sampling(bench):
    share = mixed(bench, bench.pool.turns)
    for method in (best_likely, best_paid):
        assert method(bench, 1).registers == pytest.approx(share)
    assert share == pytest.approx(spoken(bench).registers, abs=0.2)


def test_more_tries_help_who_is_paid_and_sharpen_who_asks_for_likelihood(bench):
    right = [REGISTERS.index(WANTED[start.need]) for start in bench.starts]

    def success(found):
        return np.mean([row[at] for row, at in zip(found.registers, right, strict=True)])

    paid = [success(best_paid(bench, tries)) for tries in (1, 4, 16)]
    assert paid == sorted(paid)
    assert paid[0] < paid[-1]
    for row in best_paid(bench, 16).registers:
        assert row.sum() <= 1 + 1e-9
    pool = bench.pool
    likeliest = [[own[int(n)]] for own, n in zip(pool.turns, pool.scores.argmax(1), strict=True)]
    assert best_likely(bench, POOL).registers == pytest.approx(mixed(bench, likeliest))


# Power sampling.


def test_power_sampling_at_one_is_plain_sampling_and_takes_every_move(bench):
    contexts = bench.contexts[:1] * 600
    found = powered(bench.model, contexts, 1.0, dice(), steps=2)
    assert found.accepted == 1.0
    one = Bench(bench.model, bench.starts[:1], "one")
    assert mixed(one, [found.turns])[0] == pytest.approx(spoken(one).registers[0], abs=0.08)


def test_power_sampling_agrees_with_the_power_of_each_sentence(bench):
    one = Bench(bench.model, bench.starts[:1], "one")
    logs = exact(one.model, one.contexts, one.slots, plain)
    # A register changes only where a turn is drawn anew from its first word, a move in sixteen.
    found = powered(one.model, one.contexts * 120, 2.0, dice(), steps=64)
    share = mixed(one, [found.turns])[0]
    known = power_exact(logs, 2.0)[0]
    assert found.accepted < 1.0
    assert share / share.sum() == pytest.approx(known, abs=0.1)


def test_the_exact_power_of_one_is_the_base_over_the_grammar(bench):
    logs = exact(bench.model, bench.contexts, bench.slots, plain)
    known = np.exp(logs).sum(2)
    assert power_exact(logs, 1.0) == pytest.approx(known / known.sum(1, keepdims=True))
    sharp = power_exact(logs, 400.0)
    best = logs.max(2).argmax(1)
    assert [row[n] for row, n in zip(sharp, best, strict=True)] == pytest.approx([1.0] * len(best))


# Prompts.


def test_a_prompt_shows_another_person_and_then_the_talk_itself(bench, monkeypatch):
    read = []

    def look(_bench, *, contexts):
        read.append(contexts)
        return spoken(_bench)

    monkeypatch.setattr("empathy_env.lab.rungs.spoken", look)
    prompted(bench, same_need)
    prompted(bench, same_need_wrong)
    for right, wrong, own, start in zip(*read, bench.contexts, bench.starts, strict=True):
        for row in (right, wrong):
            assert row[-len(own) :] == own
        before = right[: -len(own)]
        talk, turn = before[: before.index(AGENT) + 1], before[before.index(AGENT) + 1 :]
        assert turn[-1] == END
        assert turn.count(END) == 1
        words = set(decoded(talk).replace(",", " ").replace(".", " ").split())
        assert not words & set(start.slots)
        texts = decoded(turn)
        assert not set(texts.replace(".", " ").replace("?", " ").split()) & set(start.slots)
        assert wrong[: wrong.index(AGENT)] == right[: right.index(AGENT)]  # the same person
        assert wrong != right


# Steering.


def test_steering_of_strength_zero_changes_nothing(bench):
    known = spoken(bench).registers
    for layer in (0, 1):
        for first in (False, True):
            found = steering(bench, "contexts", layer, 0.0, "told", first=first)
            assert found.registers == pytest.approx(known, rel=1e-4)
    assert latent(bench, "contexts", 0, 0.0, "target").registers == pytest.approx(known, rel=1e-4)
    changed = steering(bench, "contexts", 1, 0.5, "target", first=False).registers
    assert changed != pytest.approx(known, rel=0.05)


def test_a_hook_is_gone_afterwards_even_after_an_error(bench):
    known = next_chances(bench.model, bench.contexts[0])
    vector = torch.ones(WIDTH)

    def hooks():
        layers = bench.model.model.layers
        return len(bench.model._forward_pre_hooks) + sum(len(x._forward_hooks) for x in layers)

    with steered(bench.model, 0, vector):
        assert hooks() == 2
        assert not torch.equal(next_chances(bench.model, bench.contexts[0]), known)
    assert hooks() == 0
    with pytest.raises(KeyError), steered(bench.model, 1, vector):
        raise KeyError
    with pytest.raises(IndexError), steered(bench.model, 9, vector):
        pass
    assert hooks() == 0
    assert torch.equal(next_chances(bench.model, bench.contexts[0]), known)


def test_only_what_the_agent_is_about_to_say_is_steered():
    ids = torch.tensor(
        [[PAD, USER, 9, AGENT, 8, END, USER, 9, AGENT], [1, USER, 9, AGENT, *[8] * 5]]
    )
    assert speaking(ids).long().tolist() == [[0] * 8 + [1], [0, 0, 0, 1, 1, 1, 1, 1, 1]]
    assert speaking(torch.tensor([[8], [9]])).all()  # one token, as when it is sampled


def test_what_was_read_is_not_steered(bench):
    row = [*bench.contexts[0], *bench.pool.turns[0][0]]
    begins = len(bench.contexts[0]) - 1
    with torch.no_grad():
        known = bench.model(input_ids=torch.tensor([row])).logits[0]
        with steered(bench.model, 0, torch.eye(WIDTH)[0]):
            found = bench.model(input_ids=torch.tensor([row])).logits[0]
    assert torch.equal(found[:begins], known[:begins])
    assert not torch.equal(found[begins], known[begins])


def test_what_is_sampled_is_steered_as_what_is_scored(bench):
    one = Bench(bench.model, bench.starts[:1], "one")
    shown = examples(bench, "contexts", 0)
    for first in (False, True):
        vector = (0.5 if first else 0.2) * shown.lengths[first] * torch.eye(WIDTH)[0]
        with steered(one.model, 0, vector, first=first):
            turns = drawn(one.model, one.contexts * 800, dice(), plain)
            known = spoken(one).registers[0]
        assert mixed(one, [turns])[0] == pytest.approx(known, abs=0.06)
        assert spoken(one).registers[0] != pytest.approx(known, abs=0.01)


def test_directions_have_one_length_and_point_as_their_labels(bench):
    shown = examples(bench, "contexts", 1)
    for kind in ("target", "told", "random", "wrong", "shuffled"):
        found = directions(bench, shown, kind)
        assert set(found) == set(NEEDS)
        for vector in found.values():
            assert float(vector.norm()) == pytest.approx(1.0, abs=1e-5)
        if kind == "told":
            assert len({tuple(one.tolist()) for one in found.values()}) == len(NEEDS)
    target = directions(bench, shown, "target")[NEEDS[0]]
    own = shown.labels == REGISTERS.index(TARGET)
    means = [(shown.residuals[mask] @ target).mean() for mask in (own, ~own)]
    assert means[0] > means[1]
    mixed_up = directions(bench, shown, "shuffled")[NEEDS[0]]
    assert abs(float(mixed_up @ target)) < 0.9
    plus = direction(torch.eye(4)[[0, 1]], torch.tensor([1, 2]), "interpretation")
    assert plus.tolist() == pytest.approx([0.5**0.5, -(0.5**0.5), 0, 0])


def test_controls_are_as_long_as_what_they_control(bench, monkeypatch):
    lengths = {}

    def look(_bench, _layer, vectors, size, *, first, prepared):
        lengths[first, len(lengths)] = [size * float(one.norm()) for one in vectors.values()]
        return pushed(_bench, 0, vectors, 0.0, first=first, prepared=prepared)

    monkeypatch.setattr("empathy_env.lab.steering.pushed", look)
    for first in (False, True):
        for kind in ("target", "random", "wrong", "shuffled"):
            steering(bench, "contexts", 1, 0.5, kind, first=first)
    for place in (False, True):
        own = [value for (first, _), row in lengths.items() if first == place for value in row]
        assert own == pytest.approx([own[0]] * len(own), rel=1e-4)
        shown = examples(bench, "contexts", 1)
        assert own[0] == pytest.approx(0.5 * shown.lengths[place], rel=1e-4)


def test_examples_are_what_stands_where_the_agent_speaks(bench):
    shown = examples(bench, "sentences", 1)
    assert len(shown.residuals) == len(shown.labels) == shown.calls
    assert len(shown.everything) > 8 * shown.calls
    found = []

    def look(hidden, ids):
        found.append(hidden)
        return hidden

    with hooked(bench.model, 1, look):
        next_chances(bench.model, bench.contexts[0])
    assert found[0].shape == (1, len(bench.contexts[0]), WIDTH)
    assert Counter(shown.labels.tolist()).keys() == set(range(len(REGISTERS)))


def test_each_person_is_steered_by_their_own_vector(bench):
    vectors = {need: torch.zeros(WIDTH) for need in NEEDS}
    vectors[NEEDS[0]] = torch.ones(WIDTH)
    found = pushed(bench, 0, vectors, 1.0, first=False, prepared=0.0).registers
    known = spoken(bench).registers
    for n, start in enumerate(bench.starts):
        same = np.allclose(found[n], known[n], rtol=1e-3, atol=1e-12)
        assert same == (start.need != NEEDS[0])


# A sparse autoencoder.


def test_an_autoencoder_finds_sparse_directions_and_the_one_that_tells_registers_apart():
    generator = dice()
    truth = torch.linalg.qr(torch.randn(12, 12, generator=generator)).Q[:8]
    labels = torch.arange(2000) % 4
    active = (torch.rand(2000, 8, generator=generator) < 0.15).float()
    active[:, 3] = (labels == REGISTERS.index(TARGET)).float()
    vectors = active @ truth
    found = sparse(vectors, dice(), latents=16, kept=3, steps=600)
    assert found.error < 0.25
    assert found.decoder.norm(dim=1).tolist() == pytest.approx([1.0] * 16, abs=1e-5)
    assert (found.encoded(vectors) > 0).sum(1).max() <= 3
    shown = Examples(vectors, labels, (1.0, 1.0), vectors, 0)
    assert float(found.decoder[feature(found, shown, TARGET)] @ truth[3]) > 0.9


# Critiques.


def test_critiques_are_the_persons_own_words_about_the_reply(bench):
    rows, calls = critiques(bench, mixed_up=False)
    other, _ = critiques(bench, mixed_up=True)
    assert calls > len(rows) == 600
    changed = 0
    helped = {"that helps.", "that is good to hear.", "i am glad of that."}
    for (ids, weights), (mirror, _) in zip(rows, other, strict=True):
        begins = weights.index(1.0)
        assert weights == [0.0] * begins + [1.0] * (len(ids) - begins)
        assert ids[begins - 1] == USER
        assert ids[-1] == END
        assert mirror[:begins] == ids[:begins]
        changed += (decoded(ids[begins:]) in helped) != (decoded(mirror[begins:]) in helped)
    good = [ids for ids, weights in rows if decoded(ids[weights.index(1.0) :]) in helped]
    assert 0.02 < len(good) / len(rows) < 0.6
    assert changed > 30
    for ids in good[:20]:
        reply = decoded(ids[ids.index(AGENT) : len(ids) - ids[::-1].index(USER)])
        assert any(word in reply for word in ("you", "your", "anyone"))


def test_learning_critiques_leaves_the_base_as_it_was(bench):
    before = copy.deepcopy(bench.model.state_dict())
    found = criticised(bench, 1e-3, mixed_up=False, steps=2, batch=8)
    assert found.registers != pytest.approx(spoken(bench).registers, rel=1e-3)
    assert found.prepared > 3 * 2 * 8
    for name, value in bench.model.state_dict().items():
        assert torch.equal(value, before[name])


# All of it.


def test_rungs_have_a_label_of_their_own_and_controls_for_what_reaches_in():
    rungs = all_rungs()
    labels = [label_of(rung.name, rung.setting) for rung in rungs]
    assert len(set(labels)) == len(labels)
    assert "temperature 1" in labels
    told = {rung.name for rung in rungs if rung.uses in ("need", "environment")}
    assert told >= {"best, paid", "branching, paid", "steering, told", "prompt, told", "critiques"}
    assert {r.name for r in rungs if r.control} >= {"steering, random", "steering, wrong"}


def test_a_line_holds_what_a_rung_found(bench):
    rung = next(one for one in all_rungs() if label_of(one.name, one.setting) == "temperature 1")
    line = line_of(Base(world="bandit"), bench, rung)
    assert np.array(line.registers) == pytest.approx(spoken(bench).registers, rel=1e-4)
    assert line.needs == [start.need for start in bench.starts]
    assert json.loads(json.dumps(line._asdict()))["rung"] == "temperature"


def test_the_command_climbs_once_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    kept = [one for one in all_rungs() if one.name in ("temperature", "min-p")]
    monkeypatch.setattr("empathy_env.lab.climb.ProcessPoolExecutor", InPlace)
    monkeypatch.setattr("empathy_env.lab.climb.all_rungs", lambda: kept[:2])
    small = "talks: 200, pretraining: 10, width: 16, evaluated: 4, samples: 4, steps: 1"
    (tmp_path / "one.yaml").write_text(
        f"all: {{{small}}}\narms: [{{name: a, world: bandit, credit: [0.0, 0.4]}}, {{name: b}}]"
    )
    words = ["lab", str(tmp_path / "one.yaml"), "--out", str(tmp_path), "--ladder"]
    assert CliRunner().invoke(app, words).exit_code == 0
    first = lines(tmp_path)
    assert [line.label for line in first] == ["temperature 0.3", "temperature 0.7"]
    monkeypatch.setattr("empathy_env.lab.climb.all_rungs", lambda: kept[:3])
    found = CliRunner().invoke(app, [*words, "--json"])
    assert found.exit_code == 0, found.output
    assert lines(tmp_path)[:2] == first
    assert [line.label for line in lines(tmp_path)[2:]] == ["temperature 1"]
    assert json.loads(found.stdout.splitlines()[-1])["rungs"][0]["rung"] == "temperature"


class InPlace:
    """Runs in this process what would be run in others, so that what is patched counts."""

    def __init__(self, *_args, **_named):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def submit(self, call, *args):
        from concurrent.futures import Future

        done = Future()
        done.set_result(call(*args))
        return done
