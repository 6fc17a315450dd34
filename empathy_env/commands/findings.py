"""How findings about files are printed, and what exit code they give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from empathy_env.commands.console import out, print_json, print_plain
from empathy_env.subject import LEVELS, Finding


def report(files: int, found: Sequence[Finding], *, as_json: bool) -> None:
    """Print what was found in so many files, with totals.

    Raises:
        typer.Exit: With code 1, if there is an error.
    """
    count = Counter(finding.level for finding in found)
    if as_json:
        totals = {f"{level}s": count[level] for level in LEVELS}
        print_json({"files": files, **totals, "findings": [_row(one) for one in found]})
    else:
        _print_findings(found)
        totals = ", ".join(_counted(count[level], level) for level in LEVELS)
        out.print(f"{_counted(files, 'file')} checked: {totals}", highlight=False)
    if count["error"]:
        raise typer.Exit(1)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _row(finding: Finding) -> dict[str, Any]:
    fields = finding.problem._asdict() | {"field": list(finding.problem.field)}
    return {"level": finding.level, **fields, "means": finding.means}


def _print_findings(found: Sequence[Finding]) -> None:
    """Print the findings of each file together, the worst first."""
    for file in sorted({finding.problem.file for finding in found}):
        own = [finding for finding in found if finding.problem.file == file]
        own.sort(key=lambda finding: (LEVELS.index(finding.level), finding.problem.line))
        out.print(f"[bold]{escape(_shown(file))}[/bold]", highlight=False, soft_wrap=True)
        for finding in own:
            colour = {"error": "red", "warning": "yellow", "note": "cyan"}[finding.level]
            problem = finding.problem._replace(file=_shown(file))
            place, _, text = str(problem).partition(": ")
            head = f"  [{colour}]{finding.level}[/{colour}] {escape(place)}"
            out.print(head, highlight=False, soft_wrap=True)
            print_plain(f"    {text}\n    {finding.means}")
        out.print()


def _shown(file: str) -> str:
    """Return the path from here, if it lies below."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
