"""Write the generated part of docs/training.md: the presets of the training scripts.

python benchmarks/training_page.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "training.md"
PRESETS = ROOT / "agents" / "rlver.yaml"


def rows(held: dict[str, Any]) -> Iterator[str]:
    """Yield a row for each value: which presets have it, and where it is from."""
    for part, values in held["parts"].items():
        names = [name for name, parts in held["presets"].items() if part in parts]
        every = len(names) == len(held["presets"])
        whose = "all" if every else ", ".join(f"`{name}`" for name in names)
        for argument, given in values.items():
            shown = f"{given['value']:g}" if isinstance(given["value"], float) else given["value"]
            yield f"| `{argument}` | {shown} | {whose} | {given['source']} |"


def presets() -> str:
    """Return the table of values, what is left out, and what was never published."""
    held = yaml.safe_load(PRESETS.read_text("utf-8"))
    table = ["| argument | value | in | source |", "|---|---|---|---|", *rows(held)]
    left = [f"- {what} ({where})" for what, where in held["not_taken"].items()]
    unknown = [f"- {what}" for what in held["not_published"]]
    parts = [table, ["Published, and not taken over:"], left, ["Not published:"], unknown]
    return "\n\n".join("\n".join(lines) for lines in parts)


def written(page: str) -> str:
    """Return the page with its generated part as it should be."""
    marks = re.compile(r"(<!-- presets -->\n).*?(<!-- /presets -->)", re.DOTALL)
    page, count = marks.subn(lambda found: f"{found[1]}{presets()}\n{found[2]}", page)
    assert count == 1, f"{PAGE.name} has {count} places for the presets"
    return page


def main() -> None:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
