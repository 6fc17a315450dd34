"""Every code block of README and docs runs, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from empathy_env.__main__ import main

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
TUTORIAL = ROOT / "docs" / "personas.md"
"""Its blocks build on each other's files and show what is printed: see `personas_page`."""
ADAPTERS = sorted((ROOT / "docs" / "adapters").glob("*.md"))
"""Each needs a library of its own; tests_adapters/ runs their code."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page not in [TUTORIAL, *ADAPTERS]],
    ids=lambda page: page.name,
)
def test_the_code_blocks_of_a_page_run_from_top_to_bottom(page, tmp_path, monkeypatch):
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.chdir(tmp_path)
    for language, text in FENCE.findall(page.read_text("utf-8")):
        assert language in {"python", "sh", "yaml", "text"}, f"name the language of: {text}"
        if language == "python":
            first = text.splitlines()[0]
            if first.startswith("# ") and first.endswith(".py"):
                (tmp_path / first[2:]).write_text(text)
            exec(compile(text, str(page), "exec"), module.__dict__)
        elif language == "sh":
            for line in text.strip().splitlines():
                run_shell(line, monkeypatch)


def run_shell(line, monkeypatch):
    """Run the package's own commands; set-up commands are what CI itself runs."""
    if line.startswith(("pip install", "python benchmarks/")):
        return
    words = shlex.split(line)
    assert words[0] == "empathy-env", f"a command that this test cannot run: {line}"
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code in (0, None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_readmes_two_commands_are_what_ci_runs():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert 'pip install -e ".[test]" && pytest' in readme
    assert "pip install -e . && empathy-env demo" in readme
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert 'pip install -e ".[test]" && pytest' in ci


GENERATED = {
    "appraiser_page": "appraiser.md",
    "difficulty_page": "difficulty.md",
    "emotion_page": "emotion.md",
    "library_page": "persona-library.md",
    "personas_page": "personas.md",
    "talks_page": "talks.md",
    "training_page": "training.md",
}


@pytest.mark.parametrize("script", GENERATED)
def test_what_a_script_writes_into_a_page_is_up_to_date(script, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # where it finds the scripts beside it
    spec = spec_from_file_location(script, ROOT / "benchmarks" / f"{script}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / GENERATED[script]).read_text("utf-8")
    assert module.written(page) == page, f"run: python benchmarks/{script}.py"


NEW = "```console\n$ empathy-env persona new too-short --need absolution --need deep_empathy --out people\n```\n"
YAML = "```yaml\nkind: persona\nid: other\n```\n"
DIFF = "```diff\n--- people/too-short.yaml\n+++ b.yaml\n@@\n-kind: cast\n+kind: persona\n```\n"


@pytest.mark.parametrize("wrong", [YAML, DIFF, "```python\nprint(1)\n```\n", "```\nx\n```\n"])
def test_a_tutorial_that_claims_what_is_not_so_is_refused(wrong, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    written = import_module("personas_page").written
    assert "Wrote people/too-short.yaml" in written(NEW)
    with pytest.raises(AssertionError):
        written(NEW + wrong)


def test_what_a_tutorial_shows_is_what_is_printed_but_for_what_it_leaves_out(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    page = "```python\nprint('a', 'b', 'c 2', 'd', sep='\\n')\n```\n\n```text\n{}```\n"
    written = import_module("personas_page").written
    assert written(page.format("a\nb\n")) == page.format("a\nb\nc 2\nd\n")
    assert written(page.format("a\n...\nc 1\n...\n")) == page.format("a\n...\nc 2\n...\n")


def test_each_of_the_six_talks_is_printed_by_its_command(capsys, monkeypatch):
    spec = spec_from_file_location("talks_page", ROOT / "benchmarks" / "talks_page.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "talks.md").read_text("utf-8")
    numbers = re.findall(r"^python benchmarks/talks_page.py --show (\d+)$", page, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(module.TALKS) + 1)]
    monkeypatch.setattr("sys.argv", ["talks_page.py", "--show", "4"])
    module.main()
    assert f"```text\n{capsys.readouterr().out}```" in page


def test_the_changelogs_first_version_is_the_packages():
    from empathy_env import __version__

    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE).group(1) == __version__
