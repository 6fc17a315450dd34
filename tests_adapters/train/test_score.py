"""`empathy-env score` with models of two layers, against sums that are made otherwise."""

import json
import sys
from dataclasses import replace

import peft
import pytest
import torch
from chatml import tokenizer
from small import script
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from empathy_env import Task, load_agent, write_traces
from empathy_env.__main__ import app
from empathy_env.backends.local_scores import token_scores
from empathy_env.backends.local_weights import Loaded, load
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.measures.likelihood import sequence_kl
from empathy_env.measures.retold import retold
from empathy_env.measures.scores import read_scores
from empathy_env.rollout import play
from empathy_env.tokens import ChatTemplate

# peft 0.21 still asks transformers by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")


@pytest.fixture(scope="module")
def talks():
    task = Task(personas="split:train", system_prompt="Listen.", max_turns=3)
    return [play(task, load_agent("listener"), task.scenario(seed)) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def traces(talks, tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "talks.jsonl"
    write_traces(path, talks)
    return path


@pytest.fixture(scope="module")
def adapter(model, tmp_path_factory):
    """LoRA on the small model, and the same with its weights added up."""
    folder = tmp_path_factory.mktemp("adapter")
    learnt = AutoModelForCausalLM.from_pretrained(model)
    config = peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    learnt = peft.get_peft_model(learnt, config)
    dice = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weights in learnt.named_parameters():
            if "lora_" in name:
                weights.normal_(0.0, 0.2, generator=dice)
    learnt.save_pretrained(folder / "lora")
    learnt.merge_and_unload().save_pretrained(folder / "merged")
    tokenizer().save_pretrained(folder / "merged")
    return folder


def run(traces, own, other, path, *words):
    given = ["--own", own, "--other", other, "--out", path, *words]
    return CliRunner().invoke(app, ["score", *map(str, [traces, *given])])


def scores(*args):
    result = run(*args)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return read_scores(args[3])


def chat_of(trace):
    """The talk as messages, made without the package's own way from a trace to them."""
    yield {"role": "system", "content": trace.setup.system_prompt}
    yield {"role": "user", "content": " ".join(trace.opening)}
    for turn in trace.turns:
        yield {"role": "assistant", "content": turn.raw}
        yield {"role": "user", "content": turn.answers[0].reply}


def one_by_one(folder, trace, temperature):
    """Each token's log-probability and entropy, from its own pass over what is before it."""
    network, spell = AutoModelForCausalLM.from_pretrained(folder).double(), tokenizer()
    chat, found = list(chat_of(trace)), []
    for number in range(2, len(chat), 2):
        before = spell.apply_chat_template(
            chat[:number], add_generation_prompt=True, return_dict=False
        )
        said = [*spell.encode(chat[number]["content"]), spell.eos_token_id]
        for place, token in enumerate(said):
            with torch.no_grad():
                logits = network(input_ids=torch.tensor([before + said[:place]])).logits[0, -1]
            chances = torch.softmax(logits / temperature, -1)
            entropy = -(chances * chances.log()).sum()
            found.append((float(chances[token].log()), float(entropy)))
    return zip(*found, strict=True)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_scores_are_those_of_passes_over_each_prefix(
    talks, traces, model, nudged, out, temperature
):
    found = scores(traces, model, nudged, out, "--temperature", temperature)
    assert found.by.temperature == temperature
    assert (found.by.own, found.by.other) == (model, nudged)
    talk = found.talks[0]
    own, entropy = one_by_one(model, talks[0], temperature)
    other, _ = one_by_one(nudged, talks[0], temperature)
    assert talk.own == pytest.approx(own, abs=2e-4)
    assert talk.other == pytest.approx(other, abs=2e-4)
    assert talk.entropy == pytest.approx(entropy, abs=2e-4)


def test_each_turn_has_the_tokens_of_its_words_and_its_end(talks, traces, model, nudged, out):
    found = scores(traces, model, nudged, out)
    for talk, trace in zip(found.talks, talks, strict=True):
        assert talk.turns == tuple(len(turn.raw.encode()) + 1 for turn in trace.turns)
        assert (talk.id, talk.outcome) == (trace.id, trace.outcome)


def test_a_model_is_no_way_from_itself_and_some_way_from_another(traces, model, nudged, tmp_path):
    same = scores(traces, model, model, tmp_path / "same").talks
    assert sequence_kl([talk.scored for talk in same]).per_talk.mean == 0.0
    apart = scores(traces, model, nudged, tmp_path / "apart").talks
    assert sequence_kl([talk.scored for talk in apart]).per_talk.mean > 1.0


def test_an_adapter_counts_as_its_weights_do(traces, adapter, model, tmp_path):
    found = scores(traces, adapter / "lora", adapter / "merged", tmp_path / "a").talks
    for talk in found:
        assert talk.own == pytest.approx(talk.other, abs=1e-3)
    [first, *_] = scores(traces, model, adapter / "lora", tmp_path / "b").talks
    assert first.other == pytest.approx(found[0].own, abs=1e-3)
    assert first.own != pytest.approx(first.other, abs=0.1)


def test_an_adapter_without_peft_is_told(adapter, monkeypatch):
    monkeypatch.setattr("empathy_env.backends.local_weights.find_spec", lambda name: None)
    with pytest.raises(InvalidArgument, match=r"folder of an adapter.*pip install peft"):
        load(adapter / "lora")


def test_a_batch_is_the_same_as_one_by_one(traces, model, nudged, tmp_path):
    single = scores(traces, model, nudged, tmp_path / "1", "--batch-size", 1).talks
    batched = scores(traces, model, nudged, tmp_path / "3", "--batch-size", 3).talks
    for one, other in zip(single, batched, strict=True):
        assert one.own == pytest.approx(other.own, abs=1e-3)


def test_heard_and_written_history_agree_where_all_was_heard(traces, model, nudged, tmp_path):
    heard = scores(traces, model, nudged, tmp_path / "h", "--history", "heard").talks
    written = scores(traces, model, nudged, tmp_path / "w", "--history", "written").talks
    for one, other in zip(heard, written, strict=True):
        assert one.turns == other.turns
        assert one.own == pytest.approx(other.own, abs=1e-3)


def printable_only(network):
    """Let a model write nothing but printable ASCII and the end of its turn."""
    spell = tokenizer()
    kept = {*spell.encode("".join(map(chr, range(32, 127)))), spell.eos_token_id}
    banned = torch.tensor([token not in kept for token in range(len(spell))])

    def hook(module, args, result):
        result.logits = result.logits.masked_fill(banned, float("-inf"))
        return result

    network.register_forward_hook(hook)
    return network


def test_scores_are_what_a_training_script_sampled_with(model):
    bc = script("train_bc")
    args = bc.Args(model, "unused", agents="self", turn_tokens=24, turns=3, temperature=0.8)
    network, template = printable_only(bc.loaded(args)), ChatTemplate(tokenizer())
    played = bc.rollout(network, template, bc.environment(args, 6, 1), range(6), 5, args)
    again = [
        retold(talk.trace, template, history="written", turn_tokens=args.turn_tokens)
        for talk in played
    ]
    loaded = Loaded(network, template.tokenizer)
    [parts] = zip(*(one.parts for one in again), strict=True)
    found = dict(token_scores(loaded, parts, temperature=0.8))
    for place, talk in enumerate(played):
        last = len(talk.tokens.mask) - talk.tokens.mask[::-1].index(1)
        assert parts[place].ids == [*talk.tokens.prompt, *talk.tokens.completion[:last]]
        drawn = [
            chance
            for chance, bit in zip(talk.tokens.logprobs, talk.tokens.mask, strict=True)
            if bit
        ]
        assert found[place].logprobs == pytest.approx(drawn, abs=1e-3)


def test_talks_that_cannot_be_made_again_are_counted(talks, model, tmp_path):
    faulted = replace(talks[1], fault={"type": "TimedOut", "message": "no answer"})
    turns = [replace(turn, raw="<think>Hm.</think>" + turn.raw) for turn in talks[2].turns]
    thinking = replace(talks[2], turns=tuple(turns))
    path = tmp_path / "some.jsonl"
    write_traces(path, [talks[0], faulted, thinking])
    result = run(path, model, model, tmp_path / "scores", "--json")
    found = json.loads(result.stdout)
    assert found["talks"] == 1
    assert list(found["left_out"].values()) == [1, 1]
    assert any("--history" in reason for reason in found["left_out"])
    write_traces(path, [faulted])
    result = run(path, model, model, tmp_path / "none")
    assert isinstance(result.exception, InvalidArgument)
    assert "no talk can be scored. 1: the talk ended in a fault" in str(result.exception)


def respelt(model, folder, change):
    """Save the model with a tokenizer of which the file was changed."""
    AutoModelForCausalLM.from_pretrained(model).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    path = folder / "tokenizer.json"
    found = json.loads(path.read_text("utf-8"))
    change(found["model"]["vocab"])
    path.write_text(json.dumps(found), "utf-8")
    return folder


def test_models_that_spell_otherwise_are_refused(traces, model, tmp_path):
    def swap(vocab):
        vocab["e"], vocab["n"] = vocab["n"], vocab["e"]

    other = respelt(model, tmp_path / "other", swap)
    result = run(traces, model, other, tmp_path / "scores")
    assert "mean different tokens by the same numbers" in str(result.exception)


def test_a_token_that_no_talk_has_does_no_harm(traces, model, tmp_path):
    folder = tmp_path / "more"
    AutoModelForCausalLM.from_pretrained(model).save_pretrained(folder)
    made = type(tokenizer()).from_pretrained(model)
    made.add_tokens(["<|unused|>"])
    made.save_pretrained(folder)
    assert len(scores(traces, model, folder, tmp_path / "scores").talks) == 3


def test_a_talk_beyond_the_context_is_refused(traces, model, tmp_path):
    folder = tmp_path / "short"
    network = AutoModelForCausalLM.from_pretrained(model)
    network.config.max_position_embeddings = 64
    network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    result = run(traces, folder, model, tmp_path / "scores")
    assert "over the context of 64" in str(result.exception)


def test_a_file_is_not_overwritten_and_temperature_0_has_no_scores(traces, model, tmp_path):
    (tmp_path / "there").write_text("mine")
    assert "exists: give another name" in str(
        run(traces, model, model, tmp_path / "there").exception
    )
    cold = run(traces, model, model, tmp_path / "cold", "--temperature", 0)
    assert "temperature=0 is not above 0" in str(cold.exception)


def test_without_torch_the_extra_is_named(traces, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "empathy_env.backends.local_weights", None)
    result = run(traces, model, model, tmp_path / "scores")
    assert isinstance(result.exception, MissingExtra)
    assert "empathy-env[torch]" in str(result.exception)
