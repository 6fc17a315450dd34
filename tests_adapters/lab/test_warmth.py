"""Models of the warmth experiment: exact chances, contents left alone, runs that can be repeated."""

import json
import math
import random
from collections import Counter

import numpy as np
import pytest
import torch

from empathy_env.errors import InvalidArgument
from empathy_env.lab.arms import key_of, listed
from empathy_env.lab.model import Size, fresh, sampled
from empathy_env.lab.summary import read_results
from empathy_env.lab.truth import (
    WORDINGS,
    Question,
    Scope,
    agreeing,
    contents,
    drawn_prompts,
    grid,
    opened,
    reply,
    said,
    support_talks,
    tokens,
)
from empathy_env.lab.warmth import (
    compared,
    imitated,
    pretrained,
    replies,
    reply_chances,
    run,
    trained,
)
from empathy_env.lab.warmth_arms import Arm, Base

SMALL = {"rho": 0.9, "talks": 6000, "pretraining": 600, "width": 48}
ASKED = Question("cup", "colour", "blue", "sad")


@pytest.fixture(scope="module")
def base():
    """Return a model that answers questions, and hardly speaks in support talks."""
    return pretrained(Base(**SMALL))


def arm_of(**more):
    return Arm(**{"name": "x", "samples": 64, "steps": 10, "starts": 4, **SMALL, **more})


def weights(model):
    return torch.cat([one.detach().flatten() for one in model.parameters()])


@pytest.mark.parametrize("prompt", [ASKED, support_talks(random.Random(1), 1)[0]])
@pytest.mark.parametrize("marker", ["first", "last"])
def test_a_replys_chance_is_that_of_its_tokens(base, prompt, marker):
    [found] = reply_chances(base, [prompt], marker)
    assert found.shape == (len(WORDINGS), len(contents(prompt)))
    for (wording, content), value in list(np.ndenumerate(found))[::5]:
        ids, chance = opened(prompt), 1.0
        for token in said(reply(prompt, WORDINGS[wording], content, marker)):
            with torch.no_grad():
                chance *= float(
                    base(input_ids=torch.tensor([ids])).logits[0, -1].softmax(-1)[token]
                )
            ids.append(token)
        assert value == pytest.approx(chance, rel=1e-3)


def test_exact_chances_agree_with_frequencies(base):
    count = 3000
    [exact] = reply_chances(base, [ASKED])
    turns = sampled(base, [opened(ASKED)] * count, torch.Generator().manual_seed(1))
    seen = Counter(grid(ASKED).get(tuple(turn)) for turn in turns)
    for (wording, content), value in np.ndenumerate(exact):
        share = seen[WORDINGS[wording], content] / count
        assert share == pytest.approx(value, abs=5 * math.sqrt(value * (1 - value) / count) + 1e-3)
    assert seen[None] / count == pytest.approx(1 - exact.sum(), abs=0.04)


def test_prompts_of_several_sizes_do_not_move_each_other(base):
    prompts = [ASKED, support_talks(random.Random(1), 1)[0], ASKED._replace(belief=None)]
    for prompt, found in zip(prompts, reply_chances(base, prompts), strict=True):
        assert found == pytest.approx(reply_chances(base, [prompt])[0], rel=1e-3, abs=1e-9)


def test_what_is_imitated_has_the_bases_own_contents_and_the_arms_wording(base):
    arm = arm_of(facts=0.3, beliefs=0.7, samples=1200)
    shown = imitated(base, arm)
    assert {one.said.wording for one in shown} == {"warm"}
    prompts = drawn_prompts(arm.scope, random.Random(f"imitated/{arm.seed}"), arm.samples)
    assert len(shown) > 0.5 * len(prompts)
    own = replies(base, prompts, "first", seed=arm.seed)
    assert [(one.prompt, one.said.content) for one in shown] == [
        (one.prompt, one.said.content) for one in own
    ]
    assert {one.said.wording for one in own} == set(WORDINGS)
    # And over many samples of one prompt they are as frequent as the model has them.
    [exact] = reply_chances(base, [ASKED])
    many = replies(base, [ASKED] * 2000, "first", seed=5)
    counts = Counter(one.said.content for one in many)
    wanted = exact.sum(0) / exact.sum()
    for content, value in enumerate(wanted):
        assert counts[content] / len(many) == pytest.approx(value, abs=0.05)


def test_a_base_that_says_nothing_of_the_grammar_cannot_be_imitated():
    with pytest.raises(InvalidArgument, match="Give more steps"):
        imitated(fresh(Size(16), 1, len(tokens())), arm_of(width=16))


@pytest.mark.parametrize("method", ["imitation", "grpo", "random"])
def test_an_arm_depends_on_its_seed_alone_and_leaves_the_base_as_it_was(base, method):
    before = weights(base)
    arm = arm_of(method=method, facts=1.0, steps=2)
    one, again = (weights(trained(base, arm)) for _ in range(2))
    assert torch.equal(one, again)
    assert not torch.equal(one, before)
    assert not torch.equal(
        one, weights(trained(base, arm_of(method=method, facts=1.0, steps=2, seed=2)))
    )
    assert torch.equal(weights(base), before)


def test_wordings_that_are_imitated_or_paid_become_likelier_and_by_coins_less_so(base):
    rises = {}
    for name, more in {
        "warm": {"lr": 1e-3, "samples": 256},
        "cold": {"wording": "cold", "lr": 1e-3, "samples": 256},
        "grpo": {"method": "grpo", "lr": 1e-3},
        "random": {"method": "random", "lr": 1e-3},
    }.items():
        model = trained(base, arm_of(facts=1.0, steps=30, starts=8, **more))
        found = compared(base, model, "first")
        rises[name] = found["after"]["unfelt"]["warm"] - found["before"]["unfelt"]["warm"]
        for kind in ("felt", "unfelt"):
            agreed = [found[which][kind]["agreed"] for which in ("before", "after")]
            assert sum(found["split"][kind].values()) == pytest.approx(agreed[1] - agreed[0])
    assert rises["warm"] > 0.3
    assert rises["grpo"] > 0.1
    assert rises["cold"] < -0.1
    assert abs(rises["random"]) < 0.5 * rises["grpo"]


def test_what_agreement_is_paid_decides_whether_it_becomes_likelier(base):
    more = {"method": "grpo", "beliefs": 1.0, "paid": 0.0, "steps": 30, "starts": 8, "lr": 1e-3}
    asked = drawn_prompts(Scope(beliefs=1.0), random.Random(1), 60)

    def agrees(model):
        found = reply_chances(model, asked)
        return np.mean([one[:, agreeing(q)].sum() for q, one in zip(asked, found, strict=True)])

    paid, fined = (agrees(trained(base, arm_of(agreed=agreed, **more))) for agreed in (1.0, -1.0))
    assert paid > agrees(base) + 0.1
    assert fined < agrees(base)


def test_a_run_that_was_stopped_goes_on(tmp_path):
    small = {"talks": 300, "pretraining": 4, "width": 16, "steps": 1, "starts": 2, "group_size": 2}
    arms = listed(
        {
            "all": {"rho": 0.5, **small},
            "arms": [{"name": "x", "method": "grpo", "beliefs": [0, 1]}],
        },
        Arm,
    )
    first = [row for _, row in run(arms[:1], tmp_path) if row]
    second = [row for _, row in run(arms, tmp_path) if row]
    assert [len(first), len(second)] == [1, 1]
    assert {row["key"] for row in read_results(tmp_path)} == {key_of(arm) for arm in arms}
    json.dumps(second)
    assert list(run(arms, tmp_path)) == []
