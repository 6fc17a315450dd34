"""The lines of the ladder, its ceiling, and what training adds to it."""

import json
import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from empathy_env.__main__ import app
from empathy_env.errors import InvalidArgument
from empathy_env.lab.arms import Arm, Base, key_of
from empathy_env.lab.grammar import NEEDS, REGISTERS, TARGET_NEED, WANTED
from empathy_env.lab.ladder import (
    Line,
    append,
    best_weights,
    elicitable,
    lines,
    premiums,
    table,
)

ROUND = list(NEEDS)
THOUGHTFUL = ", world: bandit, thoughts: 0.5, think: 'yes'"


def line(rung, success, *, base=None, uses="nothing", control=False, calls=10.0, setting=None):
    """Return a line in which each start succeeds so often."""
    base = base or Base(world="bandit")
    needs = (ROUND * len(success))[: len(success)]
    rows = []
    for need, value in zip(needs, success, strict=True):
        rows.append([0.0] * len(REGISTERS))
        rows[-1][REGISTERS.index(WANTED[need])] = value
    return Line(
        key_of(base),
        {name: getattr(base, name) for name in base.__slots__},
        rung,
        setting if setting is not None else {},
        uses,
        control,
        needs,
        rows,
        10.0,
        calls,
        0.0,
        0.0,
    )


def plain(success, **given):
    return line("temperature", success, setting={"": 1.0}, **given)


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_the_best_of_some_is_that_of_all_subsets(drawn):
    size, tries = drawn
    wins = np.zeros(size)
    subsets = list(combinations(range(size), tries))
    for subset in subsets:
        wins[max(subset)] += 1
    assert best_weights(size, tries) == pytest.approx(wins / len(subsets))


def test_the_best_of_one_is_any_and_of_all_is_the_last():
    assert best_weights(5, 1).tolist() == [0.2] * 5
    assert best_weights(5, 5).tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    with pytest.raises(InvalidArgument, match="tries=6"):
        best_weights(5, 6)


def test_success_is_the_share_of_what_is_wanted():
    one = line("x", [0.1, 0.2, 0.3, 0.4])
    assert one.success == [0.1, 0.2, 0.3, 0.4]
    assert one.mean() == pytest.approx(0.25)
    assert one.mean(TARGET_NEED) == one.success[NEEDS.index(TARGET_NEED)]
    assert one.mix(TARGET_NEED)[REGISTERS.index(WANTED[TARGET_NEED])] == one.mean(TARGET_NEED)
    assert math.isnan(line("x", [0.1]).mean("concrete_advice"))


def test_the_ceiling_leaves_out_reward_hidden_needs_controls_and_what_costs_too_much():
    low = plain([0.2] * 8)
    known = [
        low,
        line("steering", [0.4] * 8, uses="labels"),
        line("told", [0.9] * 8, uses="need"),
        line("paid", [0.9] * 8, uses="environment"),
        line("mirror", [0.9] * 8, control=True),
        line("dear", [0.9] * 8, calls=99.0),
    ]
    found = elicitable(known, budget=50)
    assert found.label == "steering"
    assert list(found.values.values()) == [0.4] * 8
    assert elicitable(known, budget=100).label == "dear"
    with pytest.raises(InvalidArgument, match="budget=5"):
        elicitable(known, budget=5)


def test_a_rung_that_is_lucky_on_one_half_is_not_paid_for_it():
    one, other = [1.0] * 4 + [0.0] * 4, [0.0] * 4 + [1.0] * 4
    found = elicitable([line("a", one), line("b", other), plain([0.4] * 8)], budget=50)
    assert [found.values[n] for n in range(8)] == [0.0] * 8


def test_what_was_spent_once_counts_too():
    dear = line("dear", [0.9] * 8)._replace(prepared=8 * 41.0)
    assert dear.cost == 51
    assert elicitable([plain([0.2] * 8), dear], budget=50).label == "temperature 1"


def result(arm, success):
    needs = (ROUND * len(success))[: len(success)]
    samples = [
        [need, "boss", round(100 * value), 100, 100 * value]
        for need, value in zip(needs, success, strict=True)
    ]
    return {
        "key": key_of(arm),
        "arm": {name: getattr(arm, name) for one in (Arm, Base) for name in one.__slots__},
        "after": {"samples": samples},
    }


def trained(seed, **given):
    return Arm(name="anchor", world="bandit", seed=seed, **given)


def test_the_premium_is_what_training_reached_above_the_ladder():
    known, rows = [], []
    for seed in (1, 2, 3):
        arm = trained(seed)
        known += [plain([0.2] * 8, base=arm.base), line("high", [0.5] * 8, base=arm.base)]
        rows.append(result(arm, [0.7 + 0.01 * seed] * 8))
    [found] = premiums(known, rows)
    assert found.best == ("high",) * 3
    assert (found.elicited, found.trained) == pytest.approx((0.5, 0.72))
    assert found.premium.mean == pytest.approx(0.22)
    assert found.premium.low < 0.22 < found.premium.high


def test_the_premium_of_one_need_is_that_need_s():
    arm = trained(1)
    at = NEEDS.index(TARGET_NEED)
    able = [0.1] * 8
    able[at] = able[4 + at] = 0.6
    known = [plain([0.2] * 8, base=arm.base), line("bent", able, base=arm.base)]
    [found] = premiums(known, [result(arm, [0.7] * 8)], need=TARGET_NEED)
    assert (found.elicited, found.trained) == pytest.approx((0.6, 0.7))


def test_arms_of_other_methods_and_other_starts_have_no_premium():
    thinking = trained(1, thoughts=0.5, think="yes")
    known = [plain([0.2] * 8, base=one.base) for one in (trained(1), thinking)]
    rows = [
        result(thinking, [0.7] * 8),
        result(trained(1, method="random"), [0.7] * 8),
        result(trained(1, demonstrations=4), [0.7] * 8),
        result(trained(1), [0.7] * 12),
        result(trained(2), [0.7] * 8),
    ]
    assert premiums(known, rows) == []
    assert len(premiums(known, [*rows, result(trained(1), [0.7] * 8)])) == 1


def test_lines_come_back_as_they_were(tmp_path):
    assert lines(tmp_path) == []
    made = [plain([0.2] * 4), line("x", [0.5] * 4, uses="labels", control=True)]
    append(tmp_path, made[:1])
    append(tmp_path, made[1:])
    assert lines(tmp_path) == made


def test_the_table_has_each_method_at_its_best_setting_and_bases_by_dose():
    known = []
    for dose in (0.1, 0.0):
        for seed in (2, 1):
            base = Base(world="bandit", dose=dose, seed=seed)
            known += [plain([0.1 * seed] * 4, base=base)]
            known += [line("temperature", [0.3] * 4, base=base, setting={"": 0.5})]
            known += [line("temperature", [0.3] * 4, base=base, control=True)]
    found = table(known)
    assert [(row.base, row.setting, row.control) for row in found] == [
        ("dose 0", "0.5", False),
        ("dose 0", "", True),
        ("dose 0.1", "0.5", False),
        ("dose 0.1", "", True),
    ]
    assert found[0].success == pytest.approx((0.3, 0.3))
    [first] = table([one for one in known if one.label == "temperature 1" and one.base["dose"]])
    assert first.success == pytest.approx((0.1, 0.2))  # by seed


def test_lines_that_are_there_are_shown_without_torch(tmp_path, monkeypatch):
    monkeypatch.setattr("empathy_env.commands.lab_ladder.find_spec", lambda name: None)
    (tmp_path / "one.yaml").write_text("arms: [{name: anchor, world: bandit, seed: 1}]")
    words = ["lab", str(tmp_path / "one.yaml"), "--out", str(tmp_path), "--ladder"]
    missing = CliRunner().invoke(app, words)
    assert missing.exit_code == 1
    assert "torch" in str(missing.exception)
    arm = trained(1)
    append(tmp_path, [plain([0.2] * 8, base=arm.base), line("high", [0.5] * 8, base=arm.base)])
    (tmp_path / "results.jsonl").write_text(json.dumps(result(arm, [0.7] * 8)) + "\n")
    found = CliRunner().invoke(app, [*words, "--json"])
    assert found.exit_code == 0
    shown = json.loads(found.stdout)
    assert [row["rung"] for row in shown["rungs"]] == ["temperature", "high"]
    assert shown["premiums"][0]["premium"]["mean"] == pytest.approx(0.2)
    said = CliRunner().invoke(app, words).stdout
    assert "All needs: anchor, dose 0.1: ladder 0.50, RL 0.70, premium +0.20" in said


@pytest.mark.parametrize("arm", ["", ", world: markov", THOUGHTFUL])
def test_an_experiment_without_a_plain_bandit_has_no_ladder(tmp_path, arm):
    (tmp_path / "one.yaml").write_text(f"arms: [{{name: a{arm}}}]")
    words = ["lab", str(tmp_path / "one.yaml"), "--out", str(tmp_path), "--ladder"]
    assert isinstance(CliRunner().invoke(app, words).exception, InvalidArgument)
