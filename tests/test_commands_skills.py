import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from empathy_env import Task, load_agent, rollouts, write_traces
from empathy_env.__main__ import app
from empathy_env.measures.skills import LATENT, SKILLS
from empathy_env.measures.strategies import STRATEGIES

TASK = Task(personas="split:dev", max_turns=4)
AGENTS = ("listener", "pasting", "advisor")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("skills")
    for name in AGENTS:
        for run in range(2):
            scenarios = [TASK.scenario(100 * run + seed) for seed in range(8)]
            write_traces(path / f"{name}-{run}.jsonl", rollouts(TASK, load_agent(name), scenarios))
    return path


def paths(folder, words):
    return [",".join(str(folder / part) for part in word.split(",")) for word in words]


def invoke(folder, *arms, **options):
    words = paths(folder, arms)
    for name, value in options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", *paths(folder, [value])]
    return CliRunner().invoke(app, ["skills", *words], env={"COLUMNS": "200"})


def found(folder, *arms, **options):
    result = invoke(folder, *arms, json=True, **options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_one_file_has_a_profile_a_mix_and_grounding(folder):
    both = found(folder, "listener-0.jsonl")
    [arm] = both["arms"]
    assert both["pairs"] == []
    assert (arm["talks"], arm["runs"], arm["faults"], arm["empty"]) == (8, 1, 0, 0)
    assert list(arm["skills"]) == list(SKILLS)
    assert arm["skills"]["core insight"]["latent"] == LATENT["core insight"]
    assert list(arm["strategies"]) == list(STRATEGIES)
    assert sum(use["share"]["mean"] for use in arm["strategies"].values()) == pytest.approx(1.0)
    assert arm["grounding"]["open questions"]["per_turn"]["mean"] > 0


def test_two_files_are_compared_with_halves_as_the_yardstick(folder):
    [pair] = found(folder, "listener-0.jsonl", "advisor-0.jsonl")["pairs"]
    assert pair["difference"]["bits"] > 0.5
    assert pair["difference"]["p"] < 0.01
    assert pair["yardstick"]["halves"]
    assert pair["turned"] is None
    assert pair["cells"][0] == pair["cells"][1]


def test_runs_joined_by_commas_are_one_arm(folder):
    arms = ("listener-0.jsonl,listener-1.jsonl", "pasting-0.jsonl,pasting-1.jsonl")
    both = found(folder, *arms, base="advisor-0.jsonl")
    assert [(arm["runs"], arm["talks"]) for arm in both["arms"]] == [(2, 16), (2, 16), (1, 8)]
    [pair] = both["pairs"]
    yard = pair["yardstick"]
    assert not yard["halves"]
    assert yard["least_p"] == pytest.approx(2 / 6)
    assert yard["ratio"] == pytest.approx(yard["between"] / yard["within"])
    assert -1.0 <= pair["turned"]["cosine"]["mean"] <= 1.0


def test_the_tables_say_the_same(folder):
    result = invoke(folder, "listener-0.jsonl", "advisor-0.jsonl", base="pasting-0.jsonl")
    assert result.exit_code == 0, result.output
    for words in ("core insight", "deep_empathy", "follow-up", "the same by chance", "cosine"):
        assert words in result.output
    assert "R is over halves by seed, the weaker yardstick" in result.output
    runs = invoke(folder, "listener-0.jsonl,listener-1.jsonl", "advisor-0.jsonl,advisor-1.jsonl")
    assert "p over runs (least 0.3333)" in runs.output
    assert "weaker" not in runs.output


def test_an_r_that_rests_on_few_talks_is_marked(folder):
    result = invoke(folder, "listener-0.jsonl", "pasting-0.jsonl")
    assert " (?) " in result.output
    assert "(?) listener-0 - pasting-0: do not rely on R: talks in a half: 4" in result.output
    [pair] = found(folder, "listener-0.jsonl", "pasting-0.jsonl")["pairs"]
    assert pair["yardstick"]["doubt"].startswith("talks in a half: 4")


def test_what_cannot_be_measured_is_left_out_and_told(folder, tmp_path):
    scenarios = [TASK.scenario(seed) for seed in range(3)]
    traces = list(rollouts(TASK, load_agent("listener"), scenarios))
    traces[0] = replace(traces[0], fault={"type": "TimedOut", "message": ""})
    traces[1] = replace(traces[1], turns=(), rewards={})
    write_traces(tmp_path / "some.jsonl", traces)
    result = invoke(tmp_path, "some.jsonl")
    assert "1 talks, runs: 1; 1 left out: cut off by a fault, 1 left out: without" in result.output
    write_traces(tmp_path / "none.jsonl", traces[:2])
    refused = invoke(tmp_path, "none.jsonl")
    assert refused.exit_code == 1
    assert "no talk with a turn" in str(refused.exception)


def test_cells_that_only_one_arm_has_are_told(folder, tmp_path):
    task = Task(persona="laid-off-engineer", max_turns=3)
    scenarios = [task.scenario(seed) for seed in range(6)]
    write_traces(tmp_path / "one.jsonl", rollouts(task, load_agent("listener"), scenarios))
    result = invoke(folder, "listener-0.jsonl", str(tmp_path / "one.jsonl"))
    assert "0 of " in result.output
    assert "may not be the agents" in result.output


def test_the_same_arm_twice_is_refused(folder):
    result = invoke(folder, "listener-0.jsonl", "listener-0.jsonl")
    assert result.exit_code == 1
    assert "each is measured once" in str(result.exception)
