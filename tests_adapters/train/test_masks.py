"""Nothing is learnt from what was read, and turns are credited where they stand."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from chatml import spans, tokenizer
from small import script

from empathy_env.tokens import ChatTemplate

PPO, GRPO = script("train_ppo"), script("train_grpo")
BC, TINY = script("train_bc"), script("train_tiny")
SETTINGS = ["--turns", "3", "--turn-tokens", "5", "--system-prompt", "Listen."]


def args_of(module, model, *more):
    own = [] if module is PPO else ["--agents", "listener"]
    return module.parsed(["--model", model, "--out", "nowhere", *SETTINGS, *own, *more])


def played(model, seats=2, *more):
    """Return arguments, a fresh state, and talks that its model has played."""
    args = args_of(PPO, model, *more)
    state = PPO.opened(args)
    envs = PPO.environment(args, seats, 1)
    template = ChatTemplate(tokenizer())
    return args, state, PPO.rollout(state.model, template, envs, range(seats), 7, args)


def watched(model):
    """Return a list that the model's logits are put in, whose gradients are kept."""
    kept = []

    def keep(module, inputs, output):
        output.logits.retain_grad()
        kept.append(output.logits)

    model.register_forward_hook(keep)
    return kept


def check_gradients(logits, talks):
    """Check that a token's logits have a gradient if and only if the next token was sampled."""
    longest = max(len(tokens.ids) for tokens in talks)
    skipped = longest - logits.shape[1]
    for row, tokens in enumerate(talks):
        marks = [0] * len(tokens.prompt) + list(tokens.mask) + [0] * (longest + 1)
        assert 1 not in marks[: skipped + 1]
        for place in range(skipped, longest):
            there = bool(logits.grad[row, place - skipped].abs().max() > 0)
            assert there == bool(marks[place + 1]), (row, place)


@pytest.mark.parametrize("kl", ["0", "0.5"])
def test_ppo_learns_from_sampled_tokens_only(model, nudged, kl):
    args, state, talks = played(model, 2, "--kl", kl, "--entropy", "0.01")
    reference = PPO.loaded(replace(args, model=nudged))
    lessons = PPO.lessons(state, reference, talks, args)
    lessons = [one._replace(advantages=[1.0, -2.0, 0.5]) for one in lessons]
    kept = watched(state.model)
    PPO.losses_of(state, lessons, args)["policy_loss"].sum().backward()
    check_gradients(kept[-1], [talk.tokens for talk in talks])


def test_a_turn_without_credit_moves_nothing_and_its_value_does_not_move_the_policy(model):
    args, state, talks = played(model, 1)
    lessons = PPO.lessons(state, state.model, talks, args)
    lessons = [one._replace(advantages=[0.0, 1.0, 0.0], returns=[9.0] * 3) for one in lessons]
    kept = watched(state.model)
    losses = PPO.losses_of(state, lessons, replace(args, kl=0.0))
    losses["value_loss"].sum().backward(retain_graph=True)
    assert kept[-1].grad is None
    losses["policy_loss"].sum().backward()
    (talk,) = talks
    first = len(talk.tokens.prompt) - 1 - (len(talk.tokens.ids) - kept[-1].shape[1])
    moved = [bool(kept[-1].grad[0, first + n].abs().max() > 0) for n in range(len(talk.turns))]
    second = [
        turn == 1 and bit == 1 for turn, bit in zip(talk.turns, talk.tokens.mask, strict=True)
    ]
    assert sum(second) == 5
    assert [a and bool(b) for a, b in zip(moved, talk.tokens.mask, strict=True)] == second


def test_a_shared_critics_error_moves_the_policys_layers_and_a_heads_does_not(model):
    for critic, reaches in (("head", False), ("shared", True), ("model", False)):
        args, state, talks = played(model, 2, "--critic", critic)
        torch.nn.init.ones_(state.critic.head[-1].weight)
        lessons = PPO.lessons(state, state.model, talks, args)
        PPO.losses_of(state, lessons, args)["value_loss"].sum().backward()
        moved = [one.grad is not None and bool(one.grad.any()) for one in state.model.parameters()]
        assert any(moved) == reaches, critic


@pytest.mark.parametrize("critic", ["head", "model"])
def test_a_critic_comes_to_expect_what_is_paid(model, critic):
    more = ["--critic", critic, "--value-lr", "0.01", "--lr", "1e-9", "--value-clip", "9"]
    args, state, talks = played(model, 2, *more, "--lam", "1", "--epochs", "25")
    worth = [talk._replace(rewards=(0.0, 0.0, 1.0)) for talk in talks]
    before = [one.values for one in PPO.lessons(state, state.model, worth, args)]
    PPO.learn(state, state.model, worth, args)
    after = [one.values for one in PPO.lessons(state, state.model, worth, args)]
    assert before == [[0.0] * 3] * 2
    assert after == [pytest.approx([1.0] * 3, abs=0.25)] * 2


def test_a_value_is_taken_where_everything_was_read_and_nothing_of_the_turn_said(model):
    _, _, talks = played(model, 2)
    longest = max(len(talk.tokens.ids) for talk in talks)
    numbers = torch.arange(longest, dtype=torch.float).expand(2, -1)[..., None]
    out = SimpleNamespace(hidden_states=[numbers])
    for talk, row in zip(talks, PPO.beginnings(out, talks), strict=True):
        for turn, place in enumerate(row[:, 0].int().tolist()):
            bits = [0] * len(talk.tokens.prompt) + list(talk.tokens.mask)
            assert bits[place] == 0
            assert bits[place + 1] == 1
            assert sum(bits[: place + 1]) == 5 * turn


def test_what_a_rollout_keeps_is_what_was_sampled_with_its_chances(model):
    args, state, talks = played(model, 2)
    seen = PPO.seen_by(state.model, talks, args)
    for row, talk in enumerate(talks):
        tokens = talk.tokens
        assert sum(tokens.mask) == 5 * len(talk.rewards)
        for n, bit in enumerate(tokens.mask):
            again = seen.chances[row, n].item()
            assert tokens.logprobs[n] == (pytest.approx(again, abs=1e-4) if bit else 0.0)


def test_padding_and_company_change_no_talks_loss(model):
    args, state, talks = played(model, 3)
    talks[1] = talks[1]._replace(tokens=talks[1].tokens.cut(40), turns=talks[1].turns[:40])
    talks[1] = talks[1]._replace(rewards=talks[1].rewards[: max(talks[1].turns) + 1])
    lessons = PPO.lessons(state, state.model, talks, args)
    together = PPO.losses_of(state, lessons, args)
    for row, lesson in enumerate(lessons):
        alone = PPO.losses_of(state, [lesson], args)
        for name, loss in together.items():
            assert loss[row].item() == pytest.approx(alone[name][0].item(), abs=1e-5), name


def test_grpo_learns_from_sampled_tokens_only(model, nudged):
    args = GRPO.parsed(["--model", model, "--out", "nowhere", *SETTINGS, "--group-size", "2"])
    policy, reference = GRPO.loaded(args), GRPO.loaded(replace(args, model=nudged))
    envs = GRPO.environment(args, 2, 2)
    talks = GRPO.rollout(policy, ChatTemplate(tokenizer()), envs, [1, 1], 7, args)
    talks = [talk._replace(rewards=(0.0, 0.0, float(n))) for n, talk in enumerate(talks)]
    kept = watched(policy)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=0.0)
    assert GRPO.learn(policy, reference, optimizer, talks, args)["learnt_talks"] == 2
    check_gradients(kept[-1], [talk.tokens for talk in talks])


def test_the_samplers_rounding_moves_nothing_and_is_reported(model):
    args = GRPO.parsed(["--model", model, "--out", "nowhere", *SETTINGS, "--group-size", "2"])
    envs = GRPO.environment(args, 2, 2)
    reference = GRPO.loaded(args)
    talks = GRPO.rollout(reference, ChatTemplate(tokenizer()), envs, [1, 1], 7, args)
    talks = [talk._replace(rewards=(0.0, 0.0, float(n))) for n, talk in enumerate(talks)]

    def rounded(talk):
        off = [x + 0.5 * bit for x, bit in zip(talk.tokens.logprobs, talk.tokens.mask, strict=True)]
        return talk._replace(tokens=replace(talk.tokens, logprobs=off))

    after, gaps = [], []
    for given in (talks, [rounded(talk) for talk in talks]):
        policy = GRPO.loaded(args)
        optimizer = torch.optim.SGD(policy.parameters(), lr=1.0)
        gaps.append(GRPO.learn(policy, reference, optimizer, given, args)["sampler_gap"])
        after.append(list(policy.parameters()))
    assert gaps == [pytest.approx(0.0, abs=1e-4), pytest.approx(0.5, abs=1e-4)]
    assert all(map(torch.equal, *after))


@pytest.mark.parametrize("scaffold", ["plain", "think-then-say"])
def test_imitation_learns_the_agents_words_only(model, scaffold):
    args = args_of(BC, model, "--talks", "2", "--least", "0", "--scaffold", scaffold)
    template, state = ChatTemplate(tokenizer()), BC.opened(args)
    talks = BC.shown(state.model, template, args)
    (trace, *_) = BC.performed(BC.task_of(args), args)
    said = [turn.raw for turn in trace.turns]
    tokens = talks[0].tokens
    runs = [text for bit, text in spans(tokens.completion, tokens.mask) if bit]
    assert runs == [f"{words}<|im_end|>" for words in said]
    kept = watched(state.model)
    mask = BC.padded([talk.tokens.mask for talk in talks])
    chances = BC.chances_of(state.model, [talk.tokens for talk in talks], "cpu")
    BC.imitation(chances, mask).sum().backward()
    check_gradients(kept[-1], [talk.tokens for talk in talks])


def test_the_tiny_models_talks_have_the_agents_words_marked():
    template = ChatTemplate(tokenizer())
    chat = [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "What happened?"},
        {"role": "user", "content": "All of it."},
        {"role": "assistant", "content": "Go on."},
    ]
    tokens = TINY.tokens_of(template, chat)
    said = [text for bit, text in spans(tokens.completion, tokens.mask) if bit]
    assert said == ["What happened?<|im_end|>", "Go on.<|im_end|>"]
