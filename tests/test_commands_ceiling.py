import json
import re
import sys
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pytest
from made_traces import ended
from parts import echoing_backend
from typer.testing import CliRunner

from empathy_env import Task, load_agent, write_traces
from empathy_env.__main__ import app
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.rollout import play
from empathy_env.trace import read_traces

PERSONAS = [f"p{number}" for number in range(6)]
MEMBERS = 8


def policy(path, wins, agent, *, faults=()):
    """Write a file: for each persona how many of eight talks end at 80; the others end at 40."""
    traces = [
        ended(80 if member < won else 40, persona, 1, member, agent)
        for persona, won in zip(PERSONAS, wins, strict=True)
        for member in range(MEMBERS)
    ]
    for place in faults:
        fault = {"type": "TimedOut", "message": "no answer"}
        traces[place] = replace(traces[place], fault=fault)
    write_traces(path, traces)
    return path


@cache
def read_once(path, changed):
    return tuple(read_traces(path))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Reading is most of the time, and the files of this module are read again and again."""
    monkeypatch.setattr(
        "empathy_env.commands.ceiling.read_traces",
        lambda path: iter(read_once(path, path.stat().st_mtime_ns)),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ceiling")
    policy(folder / "base.jsonl", [1, 2, 1, 0, 4, 0], "base")
    policy(folder / "trained.jsonl", [8, 7, 8, 0, 8, 4], "one")
    policy(folder / "second.jsonl", [8, 8, 6, 1, 8, 3], "two")
    policy(folder / "third.jsonl", [7, 7, 8, 0, 8, 2], "three")
    policy(folder / "control.jsonl", [1, 1, 0, 0, 3, 1], "control")
    return folder


def run(*words):
    return CliRunner().invoke(app, ["ceiling", *map(str, words)])


def compared(files, *words, trained=("trained",)):
    given = [word for name in trained for word in ("--trained", files / f"{name}.jsonl")]
    result = run("--base", files / "base.jsonl", *given, "--goal", 70, "--no-floors", *words)
    assert result.exit_code == 0, result.output
    return result.output


def data(files, *words, **given):
    return json.loads(compared(files, "--json", *words, **given))


def test_json_has_the_curves_and_their_differences(files):
    found = data(files)
    success = found["curves"]["success"]["pooled"]
    assert success["tries"] == [1, 2, 4, 8]
    assert success["base"][0]["mean"] == pytest.approx(8 / 48)
    assert success["trained"][0]["mean"] == pytest.approx(35 / 48)
    assert success["difference"][0]["mean"] == pytest.approx(27 / 48)
    assert success["difference"][0]["low"] > 0
    # With all eight tries: four of six personas, and five of six.
    assert success["base"][3]["mean"] == pytest.approx(4 / 6)
    assert success["gap"]["mean"] == pytest.approx(4 / 6 - 35 / 48)
    assert success["crossover"]["mean"] == "inf"
    best = found["curves"]["best"]["pooled"]
    assert best["base"][3]["mean"] == pytest.approx((4 * 80 + 2 * 40) / 6)
    assert found["curves"]["worst"]["pooled"]["trained"][3]["mean"] == pytest.approx(60)
    assert found["episodes"] == {"base": 48, "trained": 48}


def test_places_have_fates_and_verdicts(files):
    found = data(files, "--budget", 8)
    table = found["tables"]["trained"]
    assert found["declared"] is True
    rulings = {cell["place"]["persona"]: cell["verdict"]["ruling"] for cell in table["cells"]}
    assert rulings == {
        "p0": "elicited",
        "p1": "elicited",
        "p2": "elicited",
        "p3": "not reached",
        "p4": "elicited",
        "p5": "undetermined",
    }
    assert table["support"]["counts"]["out of reach"] == 1
    assert sum(table["rulings"].values()) == 6
    p5 = table["cells"][5]
    assert p5["tries_of_base"]["high"] == "inf"
    assert p5["tries_of_trained"]["mean"] == 2.0


def test_a_control_takes_back_what_was_created(tmp_path):
    def of_one(name, won):
        traces = [ended(80 if n < won else 40, "ana", 1, n, name) for n in range(60)]
        write_traces(tmp_path / f"{name}.jsonl", traces)
        return tmp_path / f"{name}.jsonl"

    words = ("--base", of_one("base", 0), "--trained", of_one("trained", 60), "--goal", 70)
    options = ("--budget", 1, "--no-floors", "--json")
    alone = json.loads(run(*words, *options).output)
    assert alone["tables"]["trained"]["rulings"]["created"] == 1
    assert any("random reward might do it too" in one for one in alone["conclusions"])
    for won, created in ((0, 1), (1, 0)):
        control = of_one(f"control{won}", won)
        found = json.loads(run(*words, "--control", control, *options).output)
        assert found["tables"]["trained"]["rulings"]["created"] == created
    assert found["curves"]["success"]["controls"]["control"]["trained"][0]["mean"] == 1 / 60


def test_two_runs_have_curves_of_their_own_and_no_interval(files):
    found = data(files, trained=("trained", "second"))
    success = found["curves"]["success"]
    assert success["pooled"]["difference"][0]["low"] is None
    assert set(success["by_run"]) == {"trained 1: trained", "trained 2: second"}
    assert success["by_run"]["trained 2: second"]["difference"][0]["low"] > 0
    assert any("Two runs were given" in one for one in found["conclusions"])


def test_three_runs_have_an_interval_over_runs(files):
    found = data(files, trained=("trained", "second", "third"))
    success = found["curves"]["success"]["pooled"]
    assert success["runs"] == 3
    assert success["difference"][0]["low"] < success["difference"][0]["mean"]
    assert set(found["tables"]) == {
        "trained 1: trained",
        "trained 2: second",
        "trained 3: third",
    }


def test_the_tables_fit_into_80_columns_and_say_the_same(files):
    result = CliRunner().invoke(
        app,
        [
            *("ceiling", "--base", str(files / "base.jsonl"), "--goal", "70", "--no-floors"),
            *("--trained", str(files / "trained.jsonl"), "--cells"),
        ],
        env={"COLUMNS": "80"},
    )
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    row = next(line for line in lines if line.startswith("1  0.17 ["))
    assert "0.73 [" in row
    assert "0.56 [" in row
    assert len(row.rstrip()) <= 80
    assert "share undetermined" in result.output
    assert "p3/" in result.output
    assert "no success in 8 episodes" in result.output


def test_sentences_say_what_may_not_be_concluded(files):
    text = compared(files)
    assert "With one try the trained policy succeeds more often than the base" in text
    assert "With 8 tries which of the two succeeds more often is not settled" in text
    assert "Up to 8 tries the base does not catch up" in text
    assert "No budget was declared; 8," in text
    assert "that takes 478 failures of the base in a place, and it has 8 episodes at most" in text
    assert "One run was given" in text


def test_a_base_that_catches_up_and_a_lead_that_is_none_are_told(files, tmp_path):
    sharp = policy(tmp_path / "sharp.jsonl", [8, 8, 0, 0, 8, 0], "sharp")
    words = ("--goal", 70, "--no-floors")
    text = run("--base", files / "base.jsonl", "--trained", sharp, *words).output
    assert "By 8 tries the base has caught up (crossover 8" in text
    text = run("--base", files / "trained.jsonl", "--trained", files / "base.jsonl", *words).output
    assert "There is no lead at one try" in text
    assert "With one try the trained policy succeeds less often than the base" in text


def test_faults_are_left_out_and_told(files, tmp_path):
    broken = policy(tmp_path / "broken.jsonl", [8] * 6, "one", faults=[*range(8), 9, 17])
    words = ("--base", files / "base.jsonl", "--trained", broken, "--goal", 70, "--no-floors")
    found = json.loads(run(*words, "--json").output)
    assert found["left_out"] == {"base": 0, "trained": 10}
    assert (found["places"], found["dropped"]) == (5, 1)
    # The least played place has seven episodes.
    assert found["curves"]["success"]["pooled"]["tries"] == [1, 2, 4]
    text = run(*words).output
    assert "Left out, for they ended in a fault or have not ended: trained: 10." in text
    assert "Places left out, for some policy has no episode there that counts: 1." in text


def test_all_faults_are_an_error(files, tmp_path):
    broken = policy(tmp_path / "broken.jsonl", [8] * 6, "one", faults=range(48))
    result = run("--base", files / "base.jsonl", "--trained", broken, "--no-floors")
    assert isinstance(result.exception, InvalidArgument)
    assert "no place has an episode that counts under every policy" in str(result.exception)


def played(path, agent, seeds=(1, 2), **given):
    task = Task(persona="laid-off-engineer", max_turns=1, **given)
    player = load_agent(agent)
    write_traces(
        path,
        [play(task, player, task.scenario(s, member=m)) for s in seeds for m in (0, 1)],
    )
    return path


def test_luck_is_played_on_the_same_starts(tmp_path):
    base, trained = (played(tmp_path / f"{a}.jsonl", a) for a in ("random", "listener"))
    words = ("--base", base, "--trained", trained, "--goal", 30)
    found = json.loads(run(*words, "--json", "--unit", "start", "--robust-seeds", 2).output)
    assert set(found["floors"]["curves"]) == {"template-therapist", "parrot", "random"}
    # The base is the random agent itself.
    base_curve = [one["mean"] for one in found["curves"]["success"]["pooled"]["base"]]
    assert [one["mean"] for one in found["floors"]["curves"]["random"]] == base_curve
    assert found["floors"]["trained"]["above"] == [None, None]
    assert found["robust"]["pooled"]["tries"] == [1, 2]
    folder = tmp_path / "out"
    text = run(*words, "--robust-seeds", 2, "--out", folder).output
    assert "luck: parrot" in (folder / "success.svg").read_text("utf-8")
    assert "success of luck" in (folder / "ceiling.html").read_text("utf-8")
    assert "success of luck" in text
    assert "robust success" in text
    assert "lower bound is not known to be above" in text


def test_a_users_model_is_not_asked_for_luck(tmp_path):
    given = {"user": echoing_backend(), "appraiser": "rules"}
    base, trained = (played(tmp_path / f"{a}.jsonl", a, **given) for a in ("random", "listener"))
    result = run("--base", base, "--trained", trained)
    assert result.exit_code == 0, result.output
    assert "luck: not played, for a model played the user" in result.output
    result = run("--base", base, "--trained", trained, "--robust-seeds", 2)
    assert "--robust-seeds=2: a model played the user" in str(result.exception)


def test_the_page_holds_all_and_needs_no_other_file(files, tmp_path):
    folder = tmp_path / "out"
    text = compared(files, "--out", folder, "--control", files / "control.jsonl")
    assert "the page is" in text
    page = (folder / "ceiling.html").read_text("utf-8")
    assert page.count("<svg") == 5
    for link in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert link.startswith("#"), link
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'href="#([^"]*)"', page)) | set(re.findall(r"url\(#([^)]*)\)", page))
    assert used <= set(ids)
    assert "0.56 [" in page
    assert "With one try the trained policy succeeds more often" in page
    assert "control, in place of the trained policy" in page
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert (
        summary["conclusions"] == data(files, "--control", files / "control.jsonl")["conclusions"]
    )
    for name in ("success", "difference", "emotion", "cells", "support"):
        ElementTree.parse(folder / f"{name}.svg")


def test_the_same_talks_give_the_same_page(files, tmp_path):
    for name in ("a", "b"):
        compared(files, "--out", tmp_path / name)
    first, second = ((tmp_path / name / "ceiling.html").read_bytes() for name in ("a", "b"))
    assert first == second


def test_a_page_escapes_what_traces_say(files, tmp_path):
    odd = tmp_path / "a<b>&.jsonl"
    odd.write_bytes((files / "trained.jsonl").read_bytes())
    folder = tmp_path / "out"
    words = ("--base", files / "base.jsonl", "--trained", odd, "--trained", files / "second.jsonl")
    assert run(*words, "--no-floors", "--out", folder).exit_code == 0
    page = (folder / "ceiling.html").read_text("utf-8")
    assert "a<b>" not in page
    assert "a&lt;b&gt;&amp;" in page


def test_a_page_is_not_overwritten(files, tmp_path):
    (tmp_path / "ceiling.html").write_text("mine")
    words = ("--base", files / "base.jsonl", "--trained", files / "trained.jsonl")
    result = run(*words, "--out", tmp_path)
    assert isinstance(result.exception, InvalidArgument)
    assert "give another folder" in str(result.exception)
    assert (tmp_path / "ceiling.html").read_text() == "mine"


def test_without_matplotlib_the_extra_is_named(files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "empathy_env.commands.ceiling_chart", None)
    words = ("--base", files / "base.jsonl", "--trained", files / "trained.jsonl")
    result = run(*words, "--out", tmp_path)
    assert isinstance(result.exception, MissingExtra)
    assert "empathy-env[report]" in str(result.exception)


def test_policies_of_different_starts_are_refused_with_their_files(files, tmp_path):
    other = tmp_path / "other.jsonl"
    write_traces(other, [ended(80, "p0", 2, 0, "one")])
    result = run("--base", files / "base.jsonl", "--trained", other)
    assert isinstance(result.exception, InvalidArgument)
    assert "were played on different starts: 7 of 7" in str(result.exception)
    assert str(other) in str(result.exception)


def test_one_policy_beside_itself_is_refused(files, tmp_path):
    base = files / "base.jsonl"
    result = run("--base", base, "--trained", base)
    assert "is given twice" in str(result.exception)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(base.read_bytes())
    result = run("--base", base, "--trained", copy)
    assert "are the same episodes of one policy" in str(result.exception)


def test_two_policies_in_one_file_are_refused(files, tmp_path):
    mixed = tmp_path / "mixed.jsonl"
    lines = [(files / f"{name}.jsonl").read_text() for name in ("base", "trained")]
    first, second = (text.splitlines(keepends=True) for text in lines)
    mixed.write_text("".join([*first[:4], *second[4:]]))
    result = run("--base", files / "base.jsonl", "--trained", mixed)
    assert f"{mixed}: traces of two policies" in str(result.exception)


def test_an_empty_file_and_a_missing_option_are_told(files, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    result = run("--base", files / "base.jsonl", "--trained", empty)
    assert "holds no talk" in str(result.exception)
    result = run("--base", files / "base.jsonl")
    assert result.exit_code == 2
    assert "--trained" in result.output
