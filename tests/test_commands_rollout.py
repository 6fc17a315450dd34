"""`empathy-env rollout` with models behind a server, as somebody uses it who pays for them."""

from __future__ import annotations

import io
import json
import os
import re
import signal
from dataclasses import replace

import pytest
from rich.console import Console
from stub_server import HELD, StubServer, failing
from typer.testing import CliRunner

from empathy_env import Task, load_agent, read_traces, rollouts
from empathy_env.__main__ import app, main
from empathy_env.backends import ScriptedBackend, openai
from empathy_env.commands.progress import Costs, rates, totals, watched
from empathy_env.commands.stack import Limits, Models, Wraps, opened, stacked, within, wrapped
from empathy_env.commands.summary import missing_lines, summary
from empathy_env.errors import InvalidArgument, TooManyFaults

runner = CliRunner()
KEY = "sk-" + "k" * 40


def call(*args, **kwargs):
    return runner.invoke(app, [str(arg) for arg in args], catch_exceptions=False, **kwargs)


def answer(body):
    return json.dumps({"evidence": []}) if "response_format" in body else "I sit here with it."


def args(stub, path, *more, episodes=4, user=True, agent="advisor"):
    model = f"openai:m@{stub.url}"
    who = ("--user", model) if user else ()
    agent = model if agent == "model" else agent
    wanted = ("--episodes", episodes, "--max-turns", 2, "--personas", "split:dev", "--retries", 0)
    return ("rollout", "--agent", agent, "--out", path, *who, *wanted, *more)


def records(path):
    return sorted(json.dumps(trace.to_record(), sort_keys=True) for trace in read_traces(path))


def test_user_and_agent_may_be_models_and_costs_are_told(tmp_path):
    path = tmp_path / "talks.jsonl"
    with StubServer(answer) as stub:
        result = call(*args(stub, path, agent="model"))
    assert result.exit_code == 0
    traces = list(read_traces(path))
    assert {trace.agent for trace in traces} == {f"openai:m@{stub.url}"}
    asked = sum(t.meter["requests"] + t.meter["agent_requests"] for t in traces)
    assert asked == len(stub.calls)
    line = next(line for line in result.stderr.splitlines() if " requests in " in line)
    assert line.startswith(f"{len(stub.calls)} requests in ")
    assert "tokens read (0 % from the prefix cache)" in line
    assert "faults: 0 of 4 talks" in result.stdout


def test_as_json_the_costs_are_there_and_quiet_says_nothing_else(tmp_path):
    with StubServer(answer) as stub:
        result = call(*args(stub, tmp_path / "talks.jsonl", "--json", "--quiet"))
    found = json.loads(result.stdout)
    assert found["meter"]["requests"] == len(stub.calls)
    assert (found["faults"], found["fault_rate"], found["fault_types"]) == (0, 0, {})
    assert found["emotion_worst"] == found["emotion"] == found["emotion_best"]
    assert result.stderr == ""


def test_members_share_a_start_and_are_told_apart(tmp_path):
    path = tmp_path / "talks.jsonl"
    options = ("--episodes", 3, "--members", 2, "--max-turns", 2, "--personas", "split:dev")
    assert call("rollout", "--agent", "random", "--out", path, *options).exit_code == 0
    starts = [t.scenario for t in read_traces(path)]
    assert [(start.seed, start.member) for start in starts] == [
        (seed, member) for seed in range(3) for member in range(2)
    ]
    assert all(replace(starts[i + 1], member=0) == starts[i] for i in (0, 2, 4))


def test_a_recorded_run_plays_again_without_a_server_to_the_same_records(tmp_path):
    live, again, tape = (tmp_path / name for name in ("live.jsonl", "again.jsonl", "run.tape"))
    with StubServer(answer) as stub:
        assert call(*args(stub, live, "--record", tape, agent="model")).exit_code == 0
    assert call(*args(stub, again, "--replay", tape, agent="model")).exit_code == 0
    assert records(again) == records(live)
    assert call("verify", again).exit_code == 0
    with pytest.raises(InvalidArgument, match="exclude each other"):
        call(*args(stub, tmp_path / "x.jsonl", "--replay", tape, "--record", tape))
    with pytest.raises(InvalidArgument, match="nobody to answer for"):
        call(*args(stub, tmp_path / "x.jsonl", "--replay", tape, user=False))


def test_what_the_cache_holds_is_not_asked_again(tmp_path):
    with StubServer(answer) as stub:
        for name in ("one", "two"):
            more = ("--cache", tmp_path / "replies.db", "--json")
            result = call(*args(stub, tmp_path / f"{name}.jsonl", *more))
            meter = json.loads(result.stdout)["meter"]
        assert meter.get("requests", 0) == 0
        assert meter["cache_hits"] > 0
    assert records(tmp_path / "one.jsonl") == records(tmp_path / "two.jsonl")
    assert f"{meter['cache_hits']:.0f} replies from the cache" in result.stderr


def test_a_budget_is_for_both_models_together_and_stops_the_run(tmp_path):
    path = tmp_path / "talks.jsonl"
    with StubServer(answer) as stub:
        more = ("--max-requests", 10, "--concurrency", 1)
        with pytest.raises(TooManyFaults, match="--max-requests"):
            call(*args(stub, path, *more, agent="model"))
        assert len(stub.calls) == 10
        assert {trace.fault["type"] for trace in read_traces(path) if trace.fault} == {"OverBudget"}
        assert call(*args(stub, path, "--resume", agent="model")).exit_code == 0
    assert [trace.fault for trace in read_traces(path)] == [None] * 4


def test_faults_are_counted_and_what_they_can_have_done_is_said(tmp_path):
    path = tmp_path / "talks.jsonl"
    with StubServer() as stub:
        stub.answer = lambda body: answer(body) if len(stub.calls) % 5 else failing(503)
        more = ("--max-faults", 1, "--speaker", "model", "--appraiser", "rules", "--concurrency", 1)
        result = call(*args(stub, path, *more, episodes=8))
    assert result.exit_code == 0
    faulted = sum(trace.fault is not None for trace in read_traces(path))
    assert faulted >= 2
    assert f"faults: {faulted} of 8 talks of advisor" in result.stdout
    assert f"BadStatus {faulted}" in result.stdout
    assert "at worst and at best: emotion" in result.stdout


def test_a_server_that_is_gone_stops_the_run_and_says_what_to_do(tmp_path, capsys, monkeypatch):
    with StubServer(answer) as stub:
        pass
    more = args(stub, tmp_path / "talks.jsonl", "--max-faults", 0)
    monkeypatch.setattr("sys.argv", ["empathy-env", *map(str, more)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert "1 times Unreachable" in error
    assert "Check that the server runs, and its URL. Then resume (--resume)" in error


def test_if_all_talks_fault_there_is_no_mean_and_the_exit_code_says_so(tmp_path):
    with StubServer(failing(400)) as stub:
        result = call(*args(stub, tmp_path / "talks.jsonl", "--max-faults", 1))
    assert result.exit_code == 1
    assert "faults: 4 of 4 talks of advisor (100.0%)" in result.stdout
    assert "emotion 0 to 100" in result.stdout


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_saves_what_is_finished_and_says_how_to_go_on(tmp_path):
    path = tmp_path / "talks.jsonl"
    with StubServer() as stub:

        def script(body):
            if len(stub.calls) == 6:
                os.kill(os.getpid(), signal.SIGINT)
            return HELD if len(stub.calls) >= 6 else answer(body)

        stub.answer = script
        more = ("--concurrency", 1, "--speaker", "model", "--appraiser", "rules")
        result = call(*args(stub, path, *more))
    assert result.exit_code == 130
    finished = list(read_traces(path))
    assert finished
    assert not [trace for trace in finished if trace.fault]
    assert result.stderr == f"stopped; talks in {path}: {len(finished)}. Go on with --resume.\n"


def test_a_key_is_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    path, tape = tmp_path / "talks.jsonl", tmp_path / "run.tape"
    with StubServer() as stub:
        quoting = failing(401, f"Incorrect API key provided: {KEY}")
        stub.answer = lambda body: answer(body) if len(stub.calls) % 4 else quoting
        more = ("--max-faults", 1, "--record", tape, "--cache", tmp_path / "replies.db")
        result = call(*args(stub, path, *more, agent="model"))
        assert any(KEY in call.headers["authorization"] for call in stub.calls)
    assert any(trace.fault for trace in read_traces(path))
    assert KEY not in result.output
    assert not [file for file in tmp_path.iterdir() if KEY.encode() in file.read_bytes()]


class TestTheStack:
    def test_each_wrapper_is_there_if_it_is_asked_for(self, tmp_path):
        base = ScriptedBackend(lambda request: "Mm.", name="base")
        assert stacked(base, Wraps(attempts=1)) is base
        everything = Wraps(attempts=2, cache=tmp_path / "c.db", tape=tmp_path / "t.tape")
        models = wrapped(Models(base, base), everything, Limits(requests=5))
        for model in models:
            assert model.name == "base"
            names = []
            while model is not base and hasattr(model, "_inner"):
                names.append(type(model).__name__)
                model = model._inner
            assert names[:5] == ["Recording", "Cached", "Retrying", "Renamed", "Budgeted"]
        assert {file.name for file in tmp_path.glob("*.tape")} == {"t.tape", "t.agent.tape"}

    def test_without_a_limit_or_a_model_nothing_is_wrapped(self):
        models = Models(ScriptedBackend(str), None)
        assert within(models, Limits()) is models
        assert within(Models(None, None), Limits(requests=1)) == (None, None)
        assert wrapped(Models(None, None), Wraps(), Limits(requests=1)) == (None, None)

    def test_a_time_limit_is_for_servers(self):
        url = "http://127.0.0.1:1/v1"
        backend = opened(f"openai:a@b@{url}", 300.0)
        assert backend.name == openai("a@b", base_url=url).name
        assert backend._timeout.total == 300.0
        assert opened("code", 300.0) == "code"


class TestTheFigures:
    def traces(self, reward="terminal"):
        task = Task(personas="split:dev", max_turns=2, reward=reward)
        scenarios = [task.scenario(seed) for seed in range(4)]
        found = list(rollouts(task, load_agent("advisor"), scenarios))
        return found, [replace(found[0], fault={"type": "TimedOut", "message": "no"}), *found[1:]]

    def test_a_fault_is_in_no_mean_and_widens_the_bounds(self):
        whole, gappy = self.traces()
        row = summary("advisor", gappy)
        finals = [trace.emotion(len(trace.turns)) for trace in whole[1:]]
        assert row["episodes"] == 3
        assert (row["faults"], row["fault_rate"], row["fault_types"]) == (1, 0.25, {"TimedOut": 1})
        assert row["emotion"] == pytest.approx(sum(finals) / 3, abs=0.01)
        assert row["emotion_worst"] == pytest.approx(sum(finals) / 4, abs=0.01)
        assert row["emotion_best"] == pytest.approx((sum(finals) + 100) / 4, abs=0.01)
        all_there = summary("advisor", whole)
        for name in ("emotion", "success", "reward"):
            assert row[f"{name}_worst"] <= all_there[name] <= row[f"{name}_best"]
        first, latest, second = missing_lines([row])
        assert latest == "the latest TimedOut: no"
        assert first == "faults: 1 of 4 talks of advisor (25.0%), in no mean: TimedOut 1"
        assert re.search(r"success 0 to 0.25, reward [\d.]+ to [\d.]+$", second)

    @pytest.mark.parametrize("reward", ["delta", "success", {"terminal": 2.0, "potential": -0.5}])
    def test_the_range_of_a_reward_of_ours_is_known(self, reward):
        whole, gappy = self.traces(reward)
        row = summary("advisor", gappy)
        assert row["reward_worst"] < summary("advisor", whole)["reward"] + 1e-9
        assert row["reward_best"] > summary("advisor", whole)["reward"] - 1e-9
        assert row["reward_best"] - row["reward_worst"] >= 0.25

    def test_the_range_of_somebody_elses_reward_is_not(self):
        row = summary("advisor", self.traces(lambda trace, turn: 7.0)[1])
        assert row["reward"] == 14.0
        assert (row["reward_worst"], row["reward_best"]) == (None, None)
        assert "reward" not in missing_lines([row])[1]

    def test_rates_and_totals_are_of_what_was_asked(self):
        assert totals(Costs(), 1.0) == ""
        costs = Costs(requests=90, retries=2, cost=1.25, cache_hits=3)
        assert totals(costs, 10.0) == (
            "90 requests in 10 s (9.0/s), 3 replies from the cache, 2 of them sent again, "
            "1.25 dollars"
        )
        assert rates(Costs(), 3, 2.0, 2) == "1.5 episodes/s, 2 faults"

    def test_progress_is_drawn_on_a_terminal_only(self, monkeypatch):
        traces, costs = self.traces()[1], Costs(requests=4)
        for quiet, terminal in ((False, True), (True, True), (False, False)):
            screen = io.StringIO()
            console = Console(file=screen, force_terminal=terminal, width=140)
            monkeypatch.setattr("empathy_env.commands.progress.err", console)
            assert list(watched(traces, costs, total=4, quiet=quiet)) == traces
            shown = screen.getvalue()
            assert ("4/4" in shown) == ("requests/s" in shown) == (terminal and not quiet)
            assert ("1 fault" in shown) == (terminal and not quiet)


def test_a_tape_that_is_there_is_not_added_to_by_mistake(tmp_path):
    tape = tmp_path / "run.tape"
    tape.write_text("")
    words = ["--agent", "silent", "--record", str(tape), "--out", str(tmp_path / "run.jsonl")]
    result = CliRunner().invoke(app, ["rollout", *words])
    assert result.exit_code == 1
    assert "--resume" in str(result.exception)
