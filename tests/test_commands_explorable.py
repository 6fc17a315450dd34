import json
import sys
from dataclasses import replace

import pytest
from parts import echoing_backend, say_by
from typer.testing import CliRunner

from empathy_env import Task, load_agent, write_traces
from empathy_env.__main__ import app
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.rollout import play

PEOPLE = ["laid-off-engineer", "widower-allotment"]


def group_of(task, seed, size):
    """Return a group's traces; the members say the same lines, each beginning at another."""
    traces = []
    for member in range(size):
        episode = task.open(seed=seed, member=member)
        while not episode.done:
            episode.say(say_by("good" if member % 2 else "bad", episode.turn + member))
        traces.append(episode.trace)
    return traces


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files of one agent, one for each difficulty."""
    folder = tmp_path_factory.mktemp("explorable")
    for name in ("gentle", "moderate"):
        tasks = [Task(persona=one, difficulty=name, max_turns=2) for one in PEOPLE]
        traces = [trace for task in tasks for seed in (1, 2) for trace in group_of(task, seed, 4)]
        write_traces(folder / f"{name}.jsonl", traces)
    return folder


def run(*words):
    return CliRunner().invoke(app, ["explorable", *map(str, words)])


def both(files):
    return files / "gentle.jsonl", files / "moderate.jsonl"


def test_json_has_cells_regions_and_the_map(files):
    result = run(*both(files), "--group-size", 2, "--goal", 45, "--noise-seeds", 2, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found["by_difficulty"]) == {"gentle", "moderate"}
    assert sum(cell["episodes"] for cell in found["cells"]) == 32
    gentle = next(cell for cell in found["cells"] if cell["difficulty"] == "gentle")
    assert gentle["success"]["mean"] == 0.5
    assert gentle["signal"] == pytest.approx(2 / 3)
    assert (gentle["explorable"], gentle["edge"]) == (True, False)
    assert gentle["noise"] is not None
    assert gentle["noise"] >= 0
    assert set(found["map"]["rows"]) == set(PEOPLE)
    assert len(found["map"]["values"][0]) == len(found["map"]["columns"])


def test_what_is_not_known_is_null_and_never_zero(files):
    result = run(*both(files), "--noise-seeds", 0, "--json")
    found = json.loads(result.stdout)
    for cell in found["cells"]:
        assert cell["signal"] is cell["noise"] is cell["icc"] is cell["graded"] is None
        assert any("8 members of one start are needed, there are 4" in one for one in cell["notes"])
    assert found["by_difficulty"]["gentle"]["signal"]["mean"] is None


def test_the_tables_say_the_same(files):
    result = run(*both(files), "--group-size", 2, "--goal", 45, "--noise-seeds", 2, "--cells")
    assert result.exit_code == 0, result.output
    assert "signal by persona and need: success is 45, groups of 2" in result.output
    assert "0.67" in result.output
    assert "few personas" in result.output
    assert "/gentle" in result.output
    assert "laid-off-engineer" in result.output


def test_missing_figures_and_bounds_are_told(files, tmp_path):
    result = run(*both(files), "--noise-seeds", 0)
    assert "cells: signal: 8 members of one start are needed, there are 4" in result.output
    task = Task(persona=PEOPLE[0], max_turns=1)
    path = tmp_path / "once.jsonl"
    write_traces(path, [play(task, load_agent("listener"), task.scenario(n)) for n in range(12)])
    result = run(path, "--group-size", 2, "--noise-seeds", 0)
    assert "each start was played once in some cells" in result.output


def test_faulted_episodes_are_left_out_and_told(files, tmp_path):
    task = Task(persona=PEOPLE[0], max_turns=1)
    traces = group_of(task, 1, 3)
    traces[0] = replace(traces[0], fault={"type": "TimedOut", "message": "no answer"})
    path = tmp_path / "faulted.jsonl"
    write_traces(path, traces)
    result = run(path, "--noise-seeds", 0)
    assert result.exit_code == 0, result.output
    assert "left out: 1 episodes that ended in a fault" in result.output


def test_the_map_has_other_sides_and_figures(files):
    words = ("--rows", "need", "--columns", "difficulty", "--figure", "emotion", "--json")
    found = json.loads(run(*both(files), "--noise-seeds", 0, *words).stdout)
    assert found["map"]["columns"] == ["gentle", "moderate"]
    assert all(0 < value < 100 for row in found["map"]["values"] for value in row)


def test_an_edge_cell_is_named(tmp_path):
    task = Task(persona=PEOPLE[0], max_turns=2)
    traces = group_of(task, 1, 6)
    best = max(trace.emotion(len(trace.turns)) for trace in traces)
    winners = [trace.emotion(len(trace.turns)) >= best for trace in traces]
    losers = [trace for trace, won in zip(traces, winners, strict=True) if not won]
    winner = traces[winners.index(True)]
    path = tmp_path / "edge.jsonl"
    again = [
        replace(trace, scenario=replace(trace.scenario, member=number))
        for number, trace in enumerate([winner, *losers, *losers])
    ]
    write_traces(path, again)
    result = run(path, "--goal", best, "--group-size", len(again), "--noise-seeds", 0)
    assert "edge cells, rare and yet within reach:\n  laid-off-engineer/" in result.output


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_map_is_drawn(files, tmp_path, suffix):
    path = tmp_path / f"map.{suffix}"
    result = run(files / "gentle.jsonl", "--group-size", 2, "--noise-seeds", 0, "--out", path)
    assert result.exit_code == 0, result.output
    content = path.read_bytes()
    assert (b"<svg" in content) if suffix == "svg" else content.startswith(b"\x89PNG")
    assert "the map is in" in result.output


def test_a_map_is_not_overwritten_and_has_a_format(files, tmp_path):
    path = tmp_path / "map.svg"
    path.write_text("mine")
    for name, text in ((path, "exists"), (tmp_path / "map.pdf", ".svg or .png")):
        result = run(files / "gentle.jsonl", "--out", name)
        assert isinstance(result.exception, InvalidArgument)
        assert text in str(result.exception)
    assert path.read_text() == "mine"


def test_without_matplotlib_the_extra_is_named(files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "empathy_env.commands.chart", None)
    result = run(files / "gentle.jsonl", "--out", tmp_path / "map.svg")
    assert isinstance(result.exception, MissingExtra)
    assert "empathy-env[report]" in str(result.exception)


def test_a_users_model_is_not_asked_for_noise(tmp_path):
    task = Task(persona=PEOPLE[0], max_turns=1, user=echoing_backend(), appraiser="rules")
    path = tmp_path / "model.jsonl"
    write_traces(path, group_of(task, 1, 2))
    result = run(path, "--group-size", 2)
    assert result.exit_code == 0, result.output
    assert "noise: not measured, for a model played the user" in result.output


def test_the_same_talk_twice_is_refused(files):
    result = run(files / "gentle.jsonl", files / "gentle.jsonl", "--noise-seeds", 0)
    assert result.exit_code == 1
    assert "two traces of the episode" in str(result.exception)


def test_one_seed_is_no_spread(files):
    result = run(files / "gentle.jsonl", "--noise-seeds", 1)
    assert result.exit_code == 1
    assert "--noise-seeds=1" in str(result.exception)


def shown(files, width, *words):
    command = ["explorable", *map(str, both(files)), "--noise-seeds", "0", *words]
    result = CliRunner().invoke(app, command, env={"COLUMNS": str(width)})
    assert result.exit_code == 0, result.output
    return result.output.split("means over cells")[0].splitlines()


@pytest.mark.parametrize("width", [30, 80, 200])
def test_the_names_of_columns_are_never_broken_inside_a_word(files, width):
    needs = json.loads(run(*both(files), "--noise-seeds", 0, "--json").stdout)["map"]["columns"]
    words = set(" ".join(shown(files, width)).replace(",", " ").split())
    for need in needs:
        assert set(need.split("_")) <= words


def test_columns_that_do_not_fit_are_numbered_and_named_below(files):
    narrow, wide = shown(files, 30), shown(files, 200)
    assert narrow[1].split() == [str(place + 1) for place in range(len(narrow[1].split()))]
    assert any(line.startswith("columns: 1 ") for line in narrow)
    assert not any(line.startswith("columns: ") for line in wide)
    assert max(map(len, narrow[1:])) <= 30


def test_a_difficulty_of_ones_own_is_a_preset_and_what_differs(tmp_path):
    task = Task(persona=PEOPLE[0], difficulty="severe,masking=0.9", max_turns=1)
    write_traces(tmp_path / "own.jsonl", group_of(task, 1, 2))
    result = run(tmp_path / "own.jsonl", "--noise-seeds", 0, "--columns", "difficulty")
    lines = [line.split() for line in result.output.splitlines()]
    assert ["severe"] in lines
    assert ["masking=0.9"] in lines
    assert "hostility" not in result.output
