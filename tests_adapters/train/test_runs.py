"""Whole runs: they learn, they go on as if never stopped, and no fault becomes a reward."""

import json
from itertools import takewhile

import pytest
import torch
from chatml import tokenizer
from live import as_user
from safetensors.torch import load_file
from small import script

from empathy_env.backends import ScriptedBackend
from empathy_env.errors import InvalidArgument, TimedOut
from empathy_env.tokens import ChatTemplate
from empathy_env.trace import read_traces

# peft still asks for the old name of something in transformers.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

SHORT = ["--turns", "2", "--turn-tokens", "6", "--system-prompt", "Listen."]
SHORT += ["--evaluation-talks", "2", "--lr", "0.01"]
OWN = {
    "train_ppo": ["--talks", "4", "--minibatch", "2"],
    "train_grpo": ["--groups", "2", "--group-size", "2"],
    "train_bc": ["--agents", "listener", "--talks", "4", "--least", "0", "--batch", "2"],
}
RUNS = [("train_ppo", ()), ("train_ppo", ("--lora", "2")), ("train_bc", ()), ("train_grpo", ())]


def run(name, model, out, *more):
    """Train, and return the lines of the log."""
    script(name).main(["--model", model, "--out", str(out), *SHORT, *OWN[name], *map(str, more)])
    return log_of(out)


def log_of(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def timeless(lines):
    """Return what was logged of steps, without how long they took and without evaluations."""
    return [
        {name: value for name, value in line.items() if name != "seconds" and "/" not in name}
        for line in lines
    ]


@pytest.mark.parametrize(("name", "more"), RUNS, ids=lambda one: "".join(one).replace("train_", ""))
def test_a_run_that_was_stopped_goes_on_bit_for_bit(name, more, model, tmp_path):
    whole = run(name, model, tmp_path / "whole", *more, "--steps", 4)
    run(name, model, tmp_path / "halves", *more, "--steps", 2)
    halves = run(name, model, tmp_path / "halves", *more, "--steps", 4, "--resume")
    assert timeless(halves) == timeless(whole)
    last = [tmp_path / one / "last" for one in ("whole", "halves")]
    (weights,) = {one.name for one in last[0].glob("*.safetensors")}
    one, other = (load_file(folder / weights) for folder in last)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[part], other[part]) for part in one)
    one, other = (torch.load(folder / "state.pt", weights_only=True) for folder in last)
    assert str(one["optimizer"]) == str(other["optimizer"])
    assert one["base"] == other["base"]
    if name == "train_ppo":
        assert all(
            torch.equal(one["critic"][part], other["critic"][part]) for part in one["critic"]
        )


def test_what_was_logged_after_the_checkpoint_is_logged_once(model, out):
    run("train_bc", model, out, "--steps", 1)
    with (out / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "loss": 9.0}\n')
    lines = run("train_bc", model, out, "--steps", 3, "--resume")
    assert [line["step"] for line in lines] == [0, 1, 2, 3]
    assert lines[2]["loss"] < 9.0


@pytest.mark.parametrize("name", ["train_ppo", "train_bc", "train_grpo"])
def test_a_run_is_not_taken_up_with_other_arguments(name, model, out):
    run(name, model, out, "--steps", 1)
    with pytest.raises(InvalidArgument, match=r"turns=3, .* was made with 2"):
        run(name, model, out, "--steps", 2, "--resume", "--turns", 3)


def test_ppo_learns_what_pays(model, out):
    toy = ["--reward", "small:letters", "--turn-tokens", 10, "--talks", 16, "--minibatch", 0]
    lines = run("train_ppo", model, out, *toy, "--steps", 14, "--lr", 0.01, "--kl", 0.001)
    paid = [line["reward"] for line in lines[1:]]
    assert sum(paid[:3]) / 3 < 0.1
    assert sum(paid[-3:]) / 3 > sum(paid[:3]) / 3 + 0.1
    assert all(line["kl"] >= 0 for line in lines[1:])


def test_imitation_makes_what_was_shown_likelier(model, out):
    lines = run("train_bc", model, out, "--steps", 12, "--warmup", 0)
    assert lines[0]["talks"] == lines[0]["learnt_talks"] == 4
    assert lines[-1]["loss"] < lines[1]["loss"] - 1.0


def test_each_evaluation_is_on_held_out_people_and_user_beside_the_base(model, out):
    first, *_, last = run("train_ppo", model, out, "--steps", 2, "--evaluate-every", 1)
    for line in (first, last):
        for who in ("held_out_personas", "held_out_user"):
            emotion, gain = line[f"{who}/emotion"], line[f"{who}/gain"]
            assert emotion["low"] <= emotion["mean"] <= emotion["high"]
            assert gain["low"] <= gain["mean"] <= gain["high"]
    assert {first["held_out_user/gain"][end] for end in ("low", "mean", "high")} == {0.0}
    kept = read_traces(out / "held_out_user-0002.jsonl")
    assert {trace.scenario.protocol.name for trace in kept} == {"appraisal-v1-b"}
    before, after = (line["held_out_user/emotion"]["mean"] for line in (first, last))
    assert last["held_out_user/gain"]["mean"] == pytest.approx(after - before)


# ---- faults


def failing(every):
    """Return a user whose model fails in the second turn of each or of every other talk."""

    def answer(request):
        begun = sum(message["role"] == "user" for message in request.messages)
        if request.purpose.startswith("appraise") and (every or begun % 2):
            raise TimedOut("no answer in 60 s")
        return as_user(request)

    return ScriptedBackend(answer)


@pytest.mark.parametrize("name", ["train_ppo", "train_grpo"])
def test_a_step_of_faults_alone_has_no_reward_and_moves_nothing(name, model, out, monkeypatch):
    module = script(name)
    real = module.environment

    def broken(args, seats, group_size, **changed):
        return real(args, seats, group_size, **{"user": failing(True), **changed})

    monkeypatch.setattr(module, "environment", broken)
    line = run(name, model, out, "--steps", 1)[1]
    assert line["faults"] == 4
    assert "reward" not in line
    assert "emotion" not in line
    assert line["learnt_talks"] == 0
    before, after = (load_file(f"{one}/model.safetensors") for one in (model, out / "last"))
    assert all(torch.equal(before[part], after[part]) for part in before)


def test_a_talk_with_a_fault_is_neither_learnt_from_nor_counted(model):
    module = script("train_ppo")
    args = module.parsed(["--model", model, "--out", "nowhere", *SHORT])
    envs = module.environment(args, 4, 1)
    weights, figures = [], []
    for faults in (0, 2):
        state = module.opened(args)
        talks = module.rollout(state.model, ChatTemplate(tokenizer()), envs, range(4), 1, args)
        talks = [talk._replace(rewards=(0.1 * n, 0.3)) for n, talk in enumerate(talks)]
        talks += [talks[0]._replace(valid=False, rewards=(5.0,), emotion=0.0)] * faults
        module.learn(state, state.model, talks, args)
        weights.append([one.detach().clone() for one in state.model.parameters()])
        figures.append(module.figures_of(talks))
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
    assert (figures[0].pop("faults"), figures[1].pop("faults")) == (0, 2)
    assert figures[0] == figures[1]


def test_a_talk_that_a_fault_cut_off_is_kept_apart_by_the_rollout(model):
    module = script("train_ppo")
    args = module.parsed(["--model", model, "--out", "nowhere", *SHORT])
    envs = module.environment(args, 2, 1, user=failing(True))
    state = module.opened(args)
    talks = module.rollout(state.model, ChatTemplate(tokenizer()), envs, range(2), 1, args)
    assert [talk.valid for talk in talks] == [False, False]
    assert [talk.rewards for talk in talks] == [(), ()]
    assert module.lessons(state, state.model, talks, args) == []


# ---- where talks come from


def test_traces_in_files_are_learnt_from_and_the_best_of_them_alone(model, tmp_path):
    from empathy_env import Task, load_agent
    from empathy_env.rollout import rollouts
    from empathy_env.trace import write_traces

    task = Task(personas="split:train", max_turns=2)
    scenarios = [task.scenario(seed, member=n) for seed in range(3) for n in range(2)]
    traces = list(rollouts(task, load_agent("random"), scenarios))
    write_traces(tmp_path / "some.jsonl", traces)
    files = ["--agents", "", "--traces", tmp_path / "some.jsonl", "--best-of", 1]
    line, *_ = run("train_bc", model, tmp_path / "out", *files, "--steps", 1)
    assert (line["talks"], line["learnt_talks"]) == (6, 3)
    with pytest.raises(InvalidArgument, match=r"least=99\.5: none of 6 talks"):
        run("train_bc", model, tmp_path / "other", *files, "--steps", 1, "--least", 99.5)


def test_a_model_may_learn_from_the_best_of_its_own_talks(model, out):
    own = ["--agents", "self", "--talks", 6, "--group-size", 3, "--best-of", 1]
    line, *_ = run("train_bc", model, out, *own, "--steps", 1)
    assert (line["talks"], line["learnt_talks"]) == (6, 2)


def test_thoughts_are_imitated_only_under_the_scaffold_that_asks_for_them(model):
    from empathy_env import Task
    from empathy_env.agents import Agent
    from empathy_env.rollout import play

    module = script("train_bc")
    words = "<think>Why now?</think>What happened?"
    agent = Agent("thinker", "", cheats=False, reply=lambda messages, rng: words)
    task = Task(personas="split:train", scaffold="think-then-say", max_turns=1)
    trace = play(task, agent, task.scenario(0))
    assert module.chat_of(trace, task)[-1]["content"] == words
    plain = module.chat_of(trace, Task(personas="split:train", system_prompt="Listen."))
    assert plain[-1]["content"] == "What happened?"
    assert plain[0] == {"role": "system", "content": "Listen."}
    assert list(takewhile(lambda one: one["role"] != "assistant", plain))[1:] == [
        {"role": "user", "content": trace.opening[0]}
    ]


def test_a_group_without_variance_is_passed_over_and_counted(model):
    module = script("train_grpo")
    args = module.parsed(["--model", model, "--out", "nowhere", *SHORT, "--group-size", "2"])
    policy = module.loaded(args)
    envs = module.environment(args, 4, 2)
    talks = module.rollout(policy, ChatTemplate(tokenizer()), envs, [1, 1, 2, 2], 1, args)
    paid = [(0.1, 0.2), (0.1, 0.2), (0.0, 0.1), (0.0, 0.5)]
    talks = [talk._replace(rewards=one) for talk, one in zip(talks, paid, strict=True)]
    learnt, skipped = module.lessons(talks, args)
    assert skipped == 1
    assert [talk for talk, _ in learnt] == talks[2:]
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1.0)
    before = [one.detach().clone() for one in policy.parameters()]
    logged = module.learn(policy, policy, optimizer, talks[:2], args)
    assert logged == {"skipped_groups": 1.0, "learnt_talks": 0.0}
    assert all(map(torch.equal, before, policy.parameters()))


def test_members_of_a_group_share_their_start_and_its_talks_are_all_kept(model):
    module = script("train_grpo")
    args = module.parsed(["--model", model, "--out", "nowhere", *SHORT, "--group-size", "2"])
    envs = module.environment(args, 4, 2)
    policy, template = module.loaded(args), ChatTemplate(tokenizer())
    talks = module.rollout(policy, template, envs, [1, 1, 2, 2], 1, args)
    one, two, three, _ = (talk.tokens.prompt for talk in talks)
    assert one == two != three
    assert [talk.trace.scenario.member for talk in talks] == [0, 1, 0, 1]
    assert talks[0].tokens.completion != talks[1].tokens.completion
