"""The scripts in experiments/ run as they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

from stub_server import StubServer

SCRIPT = Path(__file__).parents[1] / "experiments" / "real-models.sh"


def test_two_served_models_are_set_beside_each_other_and_a_stopped_run_goes_on(tmp_path):
    few = {"STARTS": "5", "MEMBERS": "2", "TURNS": "2", "BUDGET": "2", "PERSONAS": "split:dev"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(base, trained):
        command = ["bash", str(SCRIPT), f"base@{base.url}", f"trained@{trained.url}", str(tmp_path)]
        env = {**os.environ, **few, "PATH": path, "OPENAI_API_KEY": "x"}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    with StubServer("You should cheer up.") as base, StubServer("What was that like?") as trained:
        done = run(base, trained)
        assert done.returncode == 0, done.stderr
        asked = len(base.calls)
        assert asked == len(trained.calls) == 20
        (tmp_path / "trained.jsonl").unlink()
        assert run(base, trained).returncode == 0
        assert len(base.calls) == asked
        assert len(trained.calls) == 2 * asked
    found = json.loads((tmp_path / "report" / "summary.json").read_text("utf-8"))
    assert found
    assert (tmp_path / "report" / "ceiling.html").exists()
