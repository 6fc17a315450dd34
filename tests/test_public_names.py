import ast
import subprocess
import sys
from pathlib import Path

import pytest

import empathy_env

PACKAGE = Path(empathy_env.__file__).parent
HEAVY = "torch aiohttp transformers litellm hypothesis typer rich pydantic yaml".split()


def test_all_is_sorted_and_holds_no_name_twice():
    assert empathy_env.__all__ == sorted(set(empathy_env.__all__))


@pytest.mark.parametrize("name", empathy_env.__all__)
def test_every_public_name_resolves_and_is_listed(name):
    assert getattr(empathy_env, name) is not None
    assert name in dir(empathy_env)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="load_personal"):
        _ = empathy_env.load_personal


def test_names_that_checkers_see_are_the_names_that_load():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    [block] = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    seen = {alias.asname: (node.module, alias.name) for node in block.body for alias in node.names}
    assert seen == {n: (f"empathy_env.{home}", n) for n, home in empathy_env._HOME.items()}
    assert {*seen, "__version__"} == set(empathy_env.__all__)


def test_importing_is_silent_and_loads_nothing_heavy():
    code = f"import empathy_env, sys; sys.exit(str([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr.strip()) == ("", "[]")


@pytest.mark.parametrize(
    "path",
    [path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_only_the_command_line_prints(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert "print" not in [call.id for call in calls if isinstance(call, ast.Name)]
