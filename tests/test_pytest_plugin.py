"""Persona files and rewards as tests: what is collected, what is said, and what is left alone."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

import pytest

import empathy_env.pytest_plugin  # in-process runs must not load it, and numpy, a second time
from empathy_env.checks.casts import LAWS as CAST_LAWS
from empathy_env.checks.personas import LAWS

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
BAKERS = Path(__file__).with_name("two-bakers")
GOOD = (Path(__file__).parent / "lost-keys.yaml").read_text("utf-8")
PAGE = (ROOT / "docs" / "persona-tests.md").read_text("utf-8")
REGISTERED = any(point.name == "empathy_env" for point in entry_points(group="pytest11"))
BY_HAND = ["-p", "_empathy_env_pytest", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
USUAL = ["-p", "no:randomly", *([] if REGISTERED else BY_HAND)]
BROKEN = GOOD.replace("gate: {trust: 0.1}", "gate: {trust: 0.95, acts: [suggestion]}")
HUGE = "def my_reward(trace, turn):\n    return 1e9 * len(trace.turns[turn - 1].heard)\n"


@pytest.fixture
def people(pytester):
    """A folder for persona files, and a function that runs pytest over it."""
    folder = pytester.mkdir("people")

    def run(*args, **files):
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        return pytester.runpytest_inprocess(*USUAL, *args)

    return run


def test_each_law_of_a_file_is_a_test(people):
    found = people("people", "-v", keys=GOOD)
    found.assert_outcomes(passed=len(LAWS))
    found.stdout.fnmatch_lines([f"people/keys.yaml::{law.name} PASSED*" for law in LAWS])


def test_a_law_that_is_broken_is_told_with_its_line_and_without_a_traceback(people):
    found = people("people", keys=BROKEN)
    found.assert_outcomes(passed=len(LAWS) - 2, failed=2)
    text = found.stdout.str()
    line = 1 + BROKEN[: BROKEN.index("gate: {trust: 0.95")].count("\n")
    assert f"\nlaw 'reachable': people/keys.yaml:{line}:" in text
    assert "Its gate: at trust 0.95, after suggestion." in text
    assert "Traceback" not in text
    assert "pytest_plugin.py" not in text
    assert "CheckFailed" not in text


def test_the_page_shows_what_is_printed(people, monkeypatch):
    for name in ("CI", "BUILD_NUMBER"):  # with one of these pytest does not shorten its summary
        monkeypatch.delenv(name, raising=False)
    (yaml,) = re.findall(r"```yaml\n# people/rosa.yaml\n(.*?)```", PAGE, re.DOTALL)
    shown, mended = re.findall(r"```text\n\$ pytest people/rosa.yaml -q\n(.*?)```", PAGE, re.DOTALL)
    said = people("people/rosa.yaml", "-q", rosa=yaml).stdout.str()
    assert shown.rstrip() in said
    bad = "  - act: affirmation\n    fit: -0.3\n    because: Praise sounds to her like the bride.\n"
    assert yaml.count(bad) == 1
    yaml = yaml.replace(bad, "") + bad
    yaml = yaml.replace(
        "trust: 0.95, acts: [suggestion]", "trust: 0.4, acts: [open_question, reflection]"
    )
    assert mended.rstrip() in people("people/rosa.yaml", "-q", rosa=yaml).stdout.str()


def test_of_a_file_that_cannot_be_loaded_one_law_fails_and_says_all(people):
    found = people("people", keys=GOOD.replace("opening:", "openning:"))
    found.assert_outcomes(failed=1, skipped=len(LAWS) - 1)
    found.stdout.fnmatch_lines(["*people/keys.yaml:13:1: openning: *Did you mean 'opening'?"])


def test_one_law_of_one_file(people):
    found = people("people/keys.yaml::schema", keys=GOOD, other=BROKEN)
    found.assert_outcomes(passed=1)


def test_some_laws_of_all_files(people):
    found = people("--empathy-persona-laws", "schema,no-leak", keys=GOOD, other=BROKEN)
    found.assert_outcomes(passed=4)
    found = people("--empathy-persona-laws", "no-leek")
    assert found.ret == pytest.ExitCode.INTERRUPTED
    found.stdout.fnmatch_lines(["--empathy-persona-laws: *Did you mean 'no-leak'?"])
    assert "Traceback" not in found.stdout.str()


def test_one_that_extends_another_is_a_persona_too(people):
    heir = "id: other-keys\nextends: keys.yaml\n"
    found = people("--empathy-persona-laws", "schema", keys=GOOD, heir=heir)
    found.assert_outcomes(passed=2)


def test_what_windows_editors_save_is_a_persona_too(people, pytester):
    text = "\ufeff" + GOOD.replace("\n", "\r\n")
    pytester.path.joinpath("keys.yml").write_bytes(text.encode())
    people("--empathy-persona-laws", "schema").assert_outcomes(passed=1)


class TestCast:
    FILES: ClassVar = {path.stem: path.read_text("utf-8") for path in BAKERS.glob("*.yaml")}

    def test_each_law_of_a_cast_is_a_test_and_its_people_have_theirs(self, people):
        found = people("people/cast.yaml", "-v", **self.FILES)
        found.assert_outcomes(passed=len(CAST_LAWS))
        found.stdout.fnmatch_lines([f"people/cast.yaml::{law.name} PASSED*" for law in CAST_LAWS])
        count = len(CAST_LAWS) + 2 * len(LAWS)
        people("--collect-only").stdout.fnmatch_lines([f"*{count} tests collected*"])

    def test_of_one_that_cannot_be_loaded_one_law_fails_and_says_all(self, people):
        cast = self.FILES["cast"].replace("who: bakers-pavel", "who: bakers-paul")
        orla = self.FILES["orla"].replace("opening:", "openning:")
        found = people("people/cast.yaml", **self.FILES | {"cast": cast, "orla": orla})
        found.assert_outcomes(failed=1, skipped=len(CAST_LAWS) - 1)
        found.stdout.fnmatch_lines(
            [
                "law 'schema': 2 problems:",
                "people/cast.yaml:11:14: people.0.toward.0.who: *Did you mean 'bakers-pavel'?",
                "people/orla.yaml:13:1: openning: *Did you mean 'opening'?",
            ]
        )
        assert "Traceback" not in found.stdout.str()

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("It is all your fault.", "'It is all your fault.' is said to Pavel, and calls nobody"),
            ("It rained, Pavel.", "'It rained, Pavel.' is not read as harmful"),
        ],
    )
    def test_a_line_that_does_not_do_what_it_is_for(self, people, line, says):
        cast = self.FILES["cast"].replace("This is all your fault, Pavel.", line)
        found = people("people/cast.yaml", **self.FILES | {"cast": cast})
        found.assert_outcomes(failed=1, passed=len(CAST_LAWS) - 1)
        found.stdout.fnmatch_lines(
            [f"law 'addressed': people/cast.yaml:21:13: people.0.toward.0.harsh.0: {says}*"]
        )


OTHERS = {
    "workflow": "on: push\njobs: {}\n",
    "deployment": "apiVersion: v1\nkind: Deployment\nmetadata: {}\n",
    "nested": "people:\n  kind: persona\n",
    "prose": "text: |\n  kind: persona\n",
    "lint": "extends: default\nrules: {}\n",
    "longer": "kind: persona-list\n",
    "blank": "",
}


def test_other_yaml_is_left_alone(people, pytester):
    (pytester.mkdir("odd") / "latin.yml").write_bytes(b"a: \xe9\n")
    (pytester.path / "persona.json").write_text('{"kind": "persona"}')
    assert people(**OTHERS).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_our_own_files_are_told_apart():
    from _empathy_env_pytest import _kind_of

    own = [*(ROOT / "tests").rglob("*.yaml"), *(ROOT / "empathy_env" / "phrases").glob("*.yaml")]
    ours = [BAKERS / name for name in ("cast.yaml", "orla.yaml", "pavel.yaml")]
    ours.append(BAKERS.with_name("lost-keys.yaml"))
    assert {path for path in own if _kind_of(path)} == {*ours}
    kinds = {path: _kind_of(path) for path in [*(ROOT / "personas").rglob("*.yaml"), *ours]}
    assert {path for path in kinds if kinds[path] != "persona"} == {
        path for path in kinds if path.name == "cast.yaml"
    }
    assert {kinds[path] for path in kinds if path.name == "cast.yaml"} == {"cast"}


def test_laws_of_a_file_stay_together_however_tests_are_ordered(people, pytester):
    pytester.makeconftest(
        "import pytest\n"
        "@pytest.hookimpl(wrapper=True)\n"
        "def pytest_collection_modifyitems(items):\n"
        "    items.sort(key=lambda item: item.name)\n"
        "    return (yield)\n"
    )
    other = GOOD.replace("id: lost-keys", "id: other-keys")
    args = ("--empathy-persona-laws", "schema,no-leak", "--collect-only", "-q")
    listed = people(*args, keys=GOOD, other=other).stdout.str().splitlines()
    files = [line.partition("::")[0] for line in listed if "::" in line]
    assert files in ([*["people/keys.yaml"] * 2, *["people/other.yaml"] * 2], files[::-1])
    assert files[0] == files[1] != files[2] == files[3]


def test_doctests_and_tests_beside_it_are_collected_as_ever(people, pytester):
    pytester.makepyfile(test_sum="def test_sum():\n    assert 1 + 1 == 2\n")
    pytester.makepyfile(module='"""\n>>> 1 + 1\n2\n"""\n')
    args = ("--doctest-modules", "--empathy-persona-laws", "schema", "--strict-markers")
    people(*args, keys=GOOD).assert_outcomes(passed=3)


def test_notes_are_shown_on_request(people):
    text = GOOD.replace('"Fine."', '"The rain."')
    found = people("people/keys.yaml::no-leak", "-rA", keys=text)
    found.assert_outcomes(passed=1)
    found.stdout.fnmatch_lines(["*keyword of one need's own: rain*"])


class TestReward:
    def test_a_broken_reward_is_told_with_the_talk_that_shows_it(self, people, pytester):
        pytester.makepyfile(my_module=HUGE)
        spec = "my_module:my_reward"
        found = people("--empathy-reward", spec, "-k", "my_reward and bounded", "-v")
        found.assert_outcomes(failed=1, deselected=count_of_laws() - 1)
        found.stdout.fnmatch_lines([f"{spec}::bounded FAILED*", "law 'bounded': *", "*turn 1*"])
        assert "Traceback" not in found.stdout.str()

    def test_a_good_one_passes_beside_what_is_found_in_files(self, people):
        spec = "terminal"
        args = ("--empathy-reward", spec, "--empathy-persona-laws", "schema")
        found = people(*args, "-k", "bounded or schema", keys=GOOD)
        found.assert_outcomes(passed=2, deselected=count_of_laws() - 1)

    def test_one_that_is_not_there(self, people):
        found = people("--empathy-reward", "my_module:nothing")
        assert found.ret == pytest.ExitCode.USAGE_ERROR
        found.stderr.fnmatch_lines(["*--empathy-reward: reward='my_module:nothing'*"])


def count_of_laws():
    from empathy_env.checks.rewards import LAWS as REWARD_LAWS

    return len(REWARD_LAWS)


def test_without_personas_nothing_of_the_package_is_loaded(pytester):
    heavy = {"empathy_env", "gymnasium", "numpy", "hypothesis", "pydantic", "yaml"}
    pytester.makepyfile(
        f"import sys\ndef test_light():\n    assert not {heavy!r} & set(sys.modules)\n"
    )
    (pytester.path / "ci.yaml").write_text("on: push\n")
    found = pytester.runpytest_subprocess(*USUAL, "-p", "no:hypothesispytest", "-p", "no:cov")
    found.assert_outcomes(passed=1)
    assert empathy_env.pytest_plugin.PersonaFile.plays_once
