"""Run all blocks of docs/personas.md from top to bottom, and write what they print into the page.

python benchmarks/personas_page.py

- `console`: lines after `$ ` are commands, the rest is what they print. A line `...` stands for
  any lines. What is typed into a command stands after "You: ".
- `python`: run; if a `text` block follows at once, it holds what is printed.
- `yaml`: a whole file, if its first line is a comment with its name; else an excerpt of `PERSON` as
  it is then, in which a line `# ...` leaves something out.
- `diff`: copies the first file to the second, with lines taken out and put in.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from unittest.mock import patch

from empathy_env.__main__ import main as command

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "personas.md"
PERSON = Path("people") / "too-short.yaml"
WIDTH = "96"
BLOCK = re.compile(
    r"^```(?P<kind>\w*)\n(?P<text>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


def written(page: str) -> str:
    """Return the page with what its blocks print now; what a block claims of a file must hold."""
    blocks = Blocks()
    with TemporaryDirectory() as folder, chdir(folder):
        return BLOCK.sub(blocks.ran, page)


class Blocks:
    """The blocks of a page, which share their files and, if in Python, their names."""

    def __init__(self) -> None:
        self._module = ModuleType("page")

    def ran(self, block: re.Match[str]) -> str:
        """Return the block after it was run."""
        kind, text, printed = block["kind"], block["text"], block["printed"]
        match kind:
            case "console":
                return f"```console\n{''.join(map(_session, _sessions(text)))}```\n"
            case "python":
                with _captured() as stream:
                    exec(compile(text, str(PAGE), "exec"), self._module.__dict__)
                if printed is None:
                    assert not stream.getvalue(), f"no text block follows that shows it: {text}"
                    return block[0]
                return f"```python\n{text}```\n\n```text\n{_shown(printed, stream)}```\n"
            case "yaml":
                _read_yaml(text)
            case "diff":
                _changed(text)
            case _:
                raise AssertionError(f"name the language of: {text}")
        return block[0]


def _sessions(text: str) -> Iterator[str]:
    """Yield each command with what it prints."""
    yield from re.findall(r"^\$ .*\n(?:(?!\$ ).*\n)*", text, re.MULTILINE)


def _session(text: str) -> str:
    line, _, shown = text.partition("\n")
    words = shlex.split(line.removeprefix("$ "))
    typed = re.findall(r"^You: (.+)$", shown, re.MULTILINE)
    with _captured() as stream:
        if words[0] == "cp":
            shutil.copy(ROOT / words[1], words[2])
        else:
            assert words[0] == "empathy-env", f"a command that this cannot run: {line}"
            typing = patch("sys.stdin", _Keyboard(typed))
            with patch("sys.argv", words), typing, suppress(SystemExit):
                command()
    return f"{line}\n{_shown(shown, stream)}"


class _Keyboard(io.StringIO):
    """What is typed, which a terminal also shows."""

    def __init__(self, lines: list[str]):
        super().__init__("".join(f"{line}\n" for line in lines))

    def readline(self, size: int | None = -1) -> str:
        line = super().readline(-1 if size is None else size)
        sys.stdout.write(line)
        return line


@contextmanager
def _captured() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    size = {"COLUMNS": WIDTH, "NO_COLOR": "1"}
    with patch.dict(os.environ, size), redirect_stdout(stream), redirect_stderr(stream):
        yield stream


def _shown(shown: str, stream: io.StringIO) -> str:
    """Return what was printed, with that left out which the page leaves out, as far as it can."""
    now = [line.rstrip() for line in stream.getvalue().splitlines()]
    pieces = [piece.splitlines() for piece in re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE)]
    kept: list[str] = []
    for number, piece in enumerate(pieces[:-1]):
        start = 0 if number == 0 else _likest(piece, now)
        kept += [*now[start : start + len(piece)], "..."]
        now = now[start + len(piece) :]
    last = pieces[-1]
    kept += now if len(pieces) == 1 else now[len(now) - len(last) :]
    return "".join(f"{line}\n" for line in kept)


def _likest(piece: list[str], lines: list[str]) -> int:
    """Return where the lines are most like these: numbers in them may have changed."""

    def likeness(start: int) -> float:
        pairs = zip(piece, lines[start:], strict=False)
        return sum(SequenceMatcher(None, old, new).ratio() for old, new in pairs)

    return max(range(len(lines) - len(piece) + 1), key=likeness, default=0)


def _read_yaml(text: str) -> None:
    first = text.partition("\n")[0]
    if first.startswith("# ") and first.endswith(".yaml"):
        path = Path(first.removeprefix("# "))
        path.write_text(text.partition("\n")[2], "utf-8")
        return
    rest = f"\n{PERSON.read_text('utf-8')}"
    for piece in re.split(r"^ *# \.\.\.\n", text, flags=re.MULTILINE):
        before, found, rest = rest.partition(f"\n{piece}")
        assert found, f"{PERSON} does not hold this, or not here:\n{piece}\n(after {before[:80]!r})"
        rest = f"\n{rest}"


def _changed(text: str) -> None:
    """Write a copy of a file in which the lines of each hunk are changed."""
    head, *hunks = re.split(r"^@@.*\n", text, flags=re.MULTILINE)
    old, new = (line.split()[1] for line in head.splitlines())
    content = Path(old).read_text("utf-8")
    for hunk in hunks:
        lines = hunk.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
        assert content.count(before) == 1, f"{old} does not hold this once:\n{before}"
        content = content.replace(before, after)
    Path(new).write_text(content, "utf-8")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
