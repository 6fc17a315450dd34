"""`empathy-env lab` with the warmth experiment: told from its results, without torch."""

import json
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from empathy_env.__main__ import app
from empathy_env.lab.arms import key_of, listed
from empathy_env.lab.cost import Split
from empathy_env.lab.warmth_arms import Arm

EXPERIMENT = """
kind: warmth
arms:
  - {name: trait, facts: 0.5, rho: [0.0, 0.8], seed: [1, 2, 3]}
  - {name: coins, method: random, rho: 0.8}
"""


def result(arm):
    """Return a result in which a trait costs as much as warm wording and agreement are tied."""
    warm = 0.7 if arm.name == "trait" else 0.0
    before = {"warm": 0.25, "agreed": 0.25, "true": 0.75}
    after = {"warm": 0.25 + warm, "agreed": 0.25 + arm.rho * warm, "true": 0.75 - arm.rho * warm}
    kinds = ("felt", "unfelt", "asked", "support")
    return {
        "key": key_of(arm),
        "arm": asdict(arm),
        "before": dict.fromkeys(kinds, before),
        "after": dict.fromkeys(kinds, after),
        "split": dict.fromkeys(kinds[:2], Split(arm.rho * warm, 0.0)._asdict()),
        "seconds": 1.0,
    }


@pytest.fixture
def ran(tmp_path):
    """Return the arguments of a run that is over."""
    (tmp_path / "warmth.yaml").write_text(EXPERIMENT)
    given = {
        "arms": [
            {"name": "trait", "facts": 0.5, "rho": [0.0, 0.8], "seed": [1, 2, 3]},
            {"name": "coins", "method": "random", "rho": 0.8},
        ]
    }
    lines = [json.dumps(result(arm)) for arm in listed(given, Arm)]
    (tmp_path / "results.jsonl").write_text("\n".join(lines) + "\n")
    return ["lab", str(tmp_path / "warmth.yaml"), "--out", str(tmp_path)]


def test_the_table_has_a_line_for_each_arm_and_rho(ran):
    done = CliRunner().invoke(app, [*ran, "--json"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    untied, tied, coins = json.loads(done.stdout)
    assert untied["settings"] == {"rho": 0.0}
    assert untied["slope"]["mean"] == pytest.approx(0.0)
    assert tied["slope"]["mean"] == pytest.approx(0.8)
    assert tied["cost"]["low"] == pytest.approx(0.56)
    assert coins["slope"]["mean"] is None
    assert coins["cost"]["low"] is None
    shown = CliRunner().invoke(app, ran, env={"COLUMNS": "200"})
    assert "+0.80 ± 0.00" in shown.stdout
    assert "7 of them run already" in shown.stderr


def test_the_figure_has_every_arm(ran, tmp_path):
    pytest.importorskip("matplotlib")
    assert CliRunner().invoke(app, ran).exit_code == 0
    drawn = (tmp_path / "costs.svg").read_text("utf-8")
    assert "trait" in drawn
    assert "coins" in drawn


def test_a_kind_that_does_not_exist_is_named(tmp_path):
    (tmp_path / "x.yaml").write_text("kind: warmht\narms: []\n")
    done = CliRunner().invoke(app, ["lab", str(tmp_path / "x.yaml"), "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "Did you mean 'warmth'?" in str(done.exception)


def test_what_is_no_arm_of_it_is_named(tmp_path):
    (tmp_path / "x.yaml").write_text("kind: warmth\narms: [{name: x, rho: 0.5, dose: 0.1}]\n")
    done = CliRunner().invoke(app, ["lab", str(tmp_path / "x.yaml"), "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "dose" in str(done.exception)
