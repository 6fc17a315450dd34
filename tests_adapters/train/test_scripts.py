"""The scripts as files: their command lines, their presets, and what they have in common."""

import ast
import subprocess
import sys
from dataclasses import fields

import pytest
import yaml
from small import AGENTS, SCRIPTS, script

from empathy_env.errors import InvalidArgument

PPO = script("train_ppo")
HELD = yaml.safe_load((AGENTS / "rlver.yaml").read_text())
ALIKE = {
    "Played", "bootstrap", "chances_of", "compared", "disagreed", "environment", "evaluate",
    "evaluated", "k3", "key", "loaded", "Log", "meanings", "objective", "pace", "padded", "played",
    "preset_of", "rollout", "sampled", "tell", "tokens_of",
}  # fmt: skip
"""What a script has of these it has as the others: who mends one mends all."""
OWN = {
    ("train_bc", "chances_of"),
    ("train_tiny", "pace"),
    ("train_tiny", "played"),
    ("train_tiny", "tell"),
}
"""Of the same name, and something else."""


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_takes_from_the_folder_of_agents_too(name):
    """Beside it lies random.py, which must not stand in for Python's own."""
    command = [sys.executable, f"{name}.py", "--help"]
    done = subprocess.run(command, cwd=AGENTS, capture_output=True, text=True, check=True)
    for one in fields(script(name).Args):
        assert f"--{one.name.replace('_', '-')}" in done.stdout


def test_what_scripts_have_in_common_is_the_same_in_each():
    found = {}
    for name in SCRIPTS:
        for node in ast.parse((AGENTS / f"{name}.py").read_text()).body:
            part = getattr(node, "name", "")
            if part in ALIKE and (name, part) not in OWN:
                found.setdefault(part, {})[name] = ast.unparse(node)
    for part, texts in found.items():
        assert len(set(texts.values())) == 1, f"{part} differs: {sorted(texts)}"
    assert found.keys() == ALIKE
    assert sum(len(texts) > 1 for texts in found.values()) > 15


def args(*more, module=PPO):
    return module.parsed(["--model", "m", "--out", "o", *more])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--critic", "none"], r"critic='none': give 'head', 'shared' or 'model'"),
        (["--lam", "1.5"], r"lam=1.5: it must be in \[0, 1\]"),
        (["--temperature", "0"], r"temperature=0.0: it must be above 0"),
        (["--floor", "0"], r"floor=0.0: it must be above 0"),
        (["--talks", "1"], r"talks=1, epochs=2: give 2 talks"),
        (["--dtype", "int8"], r"dtype='int8': give a rank"),
        (["--resume"], r"resume=True, but there is no checkpoint in o/last"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(given, message):
    with pytest.raises(InvalidArgument, match=message):
        PPO.opened(args(*given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"traces='', agents='': give one of them"),
        (["--agents", "listener", "--traces", "x.jsonl"], "give one of them"),
        (["--agents", "listener", "--talks", "5", "--group-size", "2"], "fill the talks exactly"),
        (["--agents", "listener", "--batch", "0"], r"batch=0: both must be above 0"),
    ],
)
def test_cloning_wants_talks_from_one_place(given, message):
    with pytest.raises(InvalidArgument, match=message):
        args(*given, module=script("train_bc"))


# ---- presets


def test_every_published_value_says_where_it_is_from():
    for part, values in HELD["parts"].items():
        for name, given in values.items():
            assert set(given) == {"value", "source"}, (part, name)
            assert given["source"].split(":")[0].split(",")[0] in (
                "paper", "script", "config", "readme", "code",
            ), (part, name)  # fmt: skip


WITH = [one for one, (name, *_) in HELD["presets"].items() if hasattr(script(name), "preset_of")]


@pytest.mark.parametrize("preset", WITH)
def test_a_preset_is_taken_whole_and_what_is_given_beside_it_wins(preset):
    module = script(HELD["presets"][preset][0])
    found = module.parsed(["--preset", preset, "--out", "o", "--turns", "3", "--lr", "0.5"])
    wanted = module.preset_of(preset)
    assert wanted["turns"] == 8
    for name, value in wanted.items():
        chosen = {"turns": 3, "lr": 0.5}.get(name, value)
        assert getattr(found, name) == chosen
        assert type(getattr(found, name)) is type(chosen)
    assert found.seed == 1


def test_presets_differ_as_they_should():
    think, plain = args("--preset", "ppo-think"), args("--preset", "ppo-no-think")
    assert (think.scaffold, think.reward) == ("think-then-say", "strict")
    assert (plain.scaffold, plain.reward) == ("plain", "terminal")
    assert (think.talks, think.lam, think.kl, think.critic) == (32, 1.0, 0.0, "model")
    assert (think.warmup, think.value_warmup) == (20, 50)
    assert think.model == "m"


def test_a_preset_of_another_script_is_refused_and_the_right_one_named():
    with pytest.raises(InvalidArgument, match=r"No preset named 'grpo-think'.*ppo-think"):
        args("--preset", "grpo-think")


def test_without_a_model_the_command_line_says_what_is_missing(capsys):
    with pytest.raises(SystemExit):
        PPO.parsed(["--out", "o"])
    assert "give --model" in capsys.readouterr().err


def test_the_learning_rate_rises_over_the_warm_up():
    assert [PPO.pace(step, 20) for step in (0, 9, 19, 500)] == [0.05, 0.5, 1.0, 1.0]
