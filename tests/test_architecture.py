"""Imports point downward: each module stands in one layer and imports strictly lower ones."""

import ast
from pathlib import Path

import pytest

import empathy_env

PACKAGE = Path(empathy_env.__file__).parent
LAYERS = [
    {"errors", "messages", "noise"},
    {"acts", "shorthand", "address", "tokens"},
    {
        "source",
        "schema",
        "draft",
        "difficulty",
        "weights",
        "prompts",
        "spaces",
        "backends",
        "cues",
        "dialogue",
        "markup",
        "structured",
    },
    {
        "belief",
        "company",
        "document",
        "persona",
        "protocol",
        "asking",
        "quotation",
        "stems",
        "veil",
        "wording",
    },
    {"lineage", "emotion", "scaffold", "profile", "leaks"},
    {"playability", "briefing"},
    {"library"},
    {"people", "form", "subject", "cast"},
    {"scenario", "turn", "cast_form", "floor", "relations"},
    {"trace", "appraiser", "speaker", "likeness", "transcripts"},
    {"welfare"},
    {
        "reward",
        "between",
        "user",
        "model_appraiser",
        "speech",
        "voting",
        "group",
        "cast_findings",
    },
    {"model_speaker", "reporting", "curriculum"},
    {"parts", "conversation", "servo"},
    {"remarks", "hearing"},
    {"rounds"},
    {"answering"},
    {"circle"},
    {"drivers", "replay", "seat"},
    {"episode", "verification"},
    {"env", "agents"},
    {"vector", "tolerance", "wrappers", "exports", "zoo"},
    {"flight"},
    {"rollout"},
    {"measures", "probes"},
    {"findings", "testing", "audit", "lab"},
    {"checks"},
    {"commands", "pytest_plugin", "adapters"},
    {"__main__"},
]
LAYER = {unit: number for number, layer in enumerate(LAYERS) for unit in layer}


def units():
    """Return the files of each module and of each folder that holds Python."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        unit = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if unit not in {"__init__", "_personas", "_agents"}:
            found.setdefault(unit, []).append(path)
    return found


def upward(unit, source):
    """Return what `source`, a file of `unit`, imports of the package from no lower layer."""
    targets = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            targets.add("empathy_env.(relative)")
        elif isinstance(node, ast.ImportFrom) and node.module == "empathy_env":
            targets |= {f"empathy_env.{a.name}" for a in node.names if a.name != "__version__"}
        elif isinstance(node, ast.ImportFrom):
            targets.add(node.module)
    names = {t.split(".")[1] for t in targets if t.startswith("empathy_env.")} - {unit}
    return sorted(name for name in names if LAYER.get(name, 99) >= LAYER[unit])


def test_every_module_stands_in_exactly_one_layer():
    assert sum(map(len, LAYERS)) == len(LAYER)
    assert set(units()) == set(LAYER)


@pytest.mark.parametrize("unit", sorted(LAYER))
def test_a_module_imports_strictly_lower_layers_only(unit):
    for path in units().get(unit, []):
        assert upward(unit, path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize(
    "line",
    [
        "import empathy_env.reward",
        "from empathy_env.reward import Reward",
        "from empathy_env import reward",
        "from empathy_env import load_reward",
        "from empathy_env.speaker import Speaker",
        "from empathy_env.unlisted import anything",
        "from . import errors",
        "def hidden():\n    from empathy_env.reward import Reward",
    ],
)
def test_the_check_itself_rejects_an_import_that_points_up_or_sideways(line):
    assert upward("trace", "from empathy_env.errors import TraceError\n" + line)


def test_the_check_itself_accepts_what_points_down():
    source = "import json\nfrom empathy_env import __version__\nfrom empathy_env.acts import ACTS"
    assert upward("trace", source + "\nfrom empathy_env.trace import Trace") == []
