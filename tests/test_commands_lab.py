"""`empathy-env lab`: what has been run is told from its results, without torch."""

import json
from dataclasses import asdict
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from empathy_env.__main__ import app
from empathy_env.lab.arms import arms_of, key_of
from empathy_env.lab.grammar import NEEDS, TARGET_NEED
from empathy_env.lab.summary import brief

EXPERIMENT = """
arms:
  - {name: dose, dose: [0, 0.01, 0.03, 0.1], seed: [1, 2, 3], group_size: 4}
"""


def result(arm):
    """Return a result in which the target is acquired from a dose of 3 % on."""
    won = arm.dose >= 0.03
    before = {need: [0.3, arm.dose, 0.3, 0.3] for need in NEEDS}
    after = {**before, "others_motives": [0.0, 0.98 if won else 1e-9, 0.0, 0.0]}
    wins = round(8 * arm.dose) + 1

    def samples(shift, count):
        return [[need, "boss", count, 8, 40.0 + n + shift] for n, need in enumerate(NEEDS * 2)]

    gain = 20.0 * arm.dose + arm.seed
    return {
        "key": key_of(arm),
        "arm": asdict(arm),
        "before": {
            "registers": before,
            "done": before,
            "samples": samples(0.0, wins),
            "kl": 0.0,
            "entropy": {"token": [0.75, 0.7, 0.8]},
            "grounding": {"follow-up": [0.5, 0.4, 0.6]},
        },
        "after": {
            "registers": after,
            "done": after,
            "samples": samples(gain, 8 if won else 0),
            "kl": 3.0,
            "entropy": {"token": [0.25 + arm.seed / 100, 0.2, 0.3]},
            "grounding": {"follow-up": [0.5, 0.4, 0.6]},
        },
        "began": {"registers": before, "reach": [0.3, 0.6, 0.9]},
        "curve": [
            {"number": 20, "hits": 3, "tries": 10, "registers": before, "reach": [0.5, 0.7, 0.9]},
            {"number": 40, "hits": 9, "tries": 20, "registers": after, "reach": [0.7, 0.7, 0.7]},
        ],
        "counted": [0, 0],
        "seconds": 1.0,
    }


@pytest.fixture
def lab(tmp_path):
    experiment = tmp_path / "dose.yaml"
    experiment.write_text(EXPERIMENT, "utf-8")
    folder = tmp_path / "out"
    folder.mkdir()
    import yaml

    rows = [result(arm) for arm in arms_of(yaml.safe_load(EXPERIMENT))]
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    def run(*more):
        wide = {"COLUMNS": "200"}
        return CliRunner(env=wide).invoke(
            app, ["lab", str(experiment), "--out", str(folder), *more]
        )

    run.folder, run.experiment = folder, experiment
    return run


def test_a_finished_experiment_is_told_from_its_results(lab):
    told = lab()
    assert told.exit_code == 0, told.output
    assert "12 arms, 12 of them run already" in told.stderr
    assert "3/3" in told.stdout
    assert "0/3" in told.stdout
    assert "never at 0.01, always at 0.03; half at 0.01" in told.stdout
    assert "rank correlation" in told.stdout
    assert "-0.48 (-0.50 to -0.46)" in " ".join(told.stdout.split())
    for name in ("dose-doses.svg", "dose-tries.svg", "dose-steps.svg", "dose-curves.svg"):
        assert (lab.folder / name).read_text("utf-8").startswith("<?xml")


def test_the_table_as_json(lab):
    rows = json.loads(lab("--json").stdout)
    assert [row["settings"]["dose"] for row in rows] == [0.0, 0.01, 0.03, 0.1]
    assert [row["acquired"] for row in rows] == [0, 0, 3, 3]
    assert rows[3]["gain"]["mean"] == pytest.approx(4.0)
    assert rows[3]["prior"] == [0.1] * 3
    assert [row["met"] for row in rows] == [[0.0] * 3, [0.0] * 3, [1.0] * 3, [1.0] * 3]
    assert rows[3]["reach"]["trained"][0]["mean"] == 1.0


def test_a_step_is_told_only_of_conditions_that_differ_in_nothing_but_the_dose(lab):
    more = {"dose": [0, 0.01, 0.1], "group_size": [4, 8]}
    experiment = {"arms": [{"name": "size", "seed": [1, 2], **more}]}
    rows = [result(arm) for arm in arms_of(experiment)]
    for row in rows:
        if row["arm"]["group_size"] == 8:
            row["after"]["done"] = row["before"]["done"]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (lab.folder / "results.jsonl").write_text(text, "utf-8")
    lab.experiment.write_text(json.dumps(experiment), "utf-8")
    told = lab().stdout
    assert "size, group_size 4: never at 0.01, always at 0.1" in told
    assert "size, group_size 8: never at 0.1, always at nan" in told


def test_the_summary_has_a_short_line_for_each_run(lab):
    lab()
    text = (lab.folder / "summary.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["dose"], row["seed"]) for row in rows[:2]] == [(0, 1), (0, 2)]
    last = rows[-1]
    assert (last["dose"], last["credit"], last["seed"]) == (0.1, 0.0, 3)
    assert (last["before"]["exact"], last["after"]["exact"]) == (0.1, 0.98)
    assert last["after"]["emotion"] == pytest.approx(last["before"]["emotion"] + 5.0)
    assert last["after"]["success"] == 1.0
    assert (last["before"]["met"], last["after"]["met"]) == (0.25, 1.0)
    assert last["after"]["follow-up"] == 0.5
    assert last["group_size"] == 4
    assert last["nats"] == 3.0
    assert "method" not in last


def test_what_who_needs_the_target_reaches_is_told_apart_from_what_the_others_do():
    row = result(arms_of({"arms": [{"name": "x", "dose": 0.1}]})[0])
    for sample in row["after"]["samples"]:
        sample[2] = 6 if sample[0] == TARGET_NEED else 2
    found = brief(row)["after"]
    assert (found["met"], found["success"]) == (0.75, 0.375)


def test_results_of_other_experiments_in_the_folder_are_not_told(lab):
    stray = {**result(arms_of({"arms": [{"name": "stray"}]})[0])}
    with (lab.folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(stray) + "\n")
    assert "stray" not in lab().stdout


def test_an_experiment_that_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    for text, problem in (("arms: [", "x.yaml"), ("arms: [{name: x, doze: 1}]", "dose")):
        path.write_text(text, "utf-8")
        told = CliRunner().invoke(app, ["lab", str(path), "--out", str(tmp_path / "o")])
        assert told.exit_code != 0
        assert problem in str(told.exception) + told.output


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is there")
def test_without_torch_what_is_left_to_run_says_which_extra_it_needs(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("arms: [{name: x}]", "utf-8")
    told = CliRunner().invoke(app, ["lab", str(path), "--out", str(tmp_path / "o")])
    assert told.exit_code != 0
    assert "empathy-env[torch]" in str(told.exception) + told.output
