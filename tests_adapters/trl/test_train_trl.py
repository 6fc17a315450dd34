"""The training script runs whole, and its figures are those of its talks."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from policy import TRAINS
from transformers import AutoModelForCausalLM

from empathy_env.errors import InvalidArgument

AGENTS = Path(__file__).parents[2] / "agents"
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning:transformers", "ignore::FutureWarning:trl"
)


def script(name):
    """Return a training script, imported."""
    spec = spec_from_file_location(name, AGENTS / f"{name}.py")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


train_trl = script("train_trl")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the folder of a model of a few thousand weights."""
    folder = str(tmp_path_factory.mktemp("tiny"))
    small = "--talks 14 --turns 2 --steps 2 --width 16 --heads 2 --layers 1 --vocabulary 300"
    script("train_tiny").main(["--out", folder, "--longest", "200", *small.split()])
    return folder


@TRAINS
def test_it_evaluates_trains_evaluates_and_saves(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    out = tmp_path / "run"
    small = "--steps 2 --groups 1 --group-size 2 --turns 2 --turn-tokens 6 --reply-tokens 400"
    more = ["--evaluation-talks", "2", "--system-prompt", "Listen."]
    train_trl.main(["--model", tiny, "--out", str(out), *small.split(), *more])
    found = json.loads((out / "figures.json").read_text("utf-8"))
    for name in train_trl.PROTOCOLS:
        assert found["before"][f"{name}/gain"]["mean"] == 0
        emotion = {when: found[when][f"{name}/emotion"]["mean"] for when in ("before", "after")}
        gain = found["after"][f"{name}/gain"]["mean"]
        assert gain == pytest.approx(emotion["after"] - emotion["before"])
    log = [json.loads(line) for line in (out / "log.jsonl").read_text("utf-8").splitlines()]
    steps = [line for line in log if "rewards/Talk/mean" in line]
    assert [line["step"] for line in steps] == [1, 2]
    assert all(line["reward"] == line["rewards/Talk/mean"] for line in steps)
    old, new = (AutoModelForCausalLM.from_pretrained(folder) for folder in (tiny, out))
    pairs = zip(old.parameters(), new.parameters(), strict=True)
    assert any(not before.equal(after) for before, after in pairs)


def test_gains_are_compared_start_by_start_and_people_are_drawn_whole():
    ended = train_trl.Ended
    base = [ended("a", "p", 10.0), ended("b", "p", 20.0), ended("c", "q", 30.0)]
    now = [ended("c", "q", 40.0), ended("b", "p", 40.0), ended("a", "p", 30.0)]
    found = train_trl.compared(now, base, seed=1)
    assert found["gain"].mean == pytest.approx(50 / 3)
    assert (found["gain"].low, found["gain"].high) == (10, 20)  # one person only, or the other
    assert found["emotion"].mean == pytest.approx(110 / 3)


def test_a_group_of_one_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="group_size=1"):
        train_trl.parsed(["--model", "m", "--out", str(tmp_path), "--group-size", "1"])
