"""Write the generated tables of docs/difficulty.md.

python benchmarks/difficulty_page.py

The knobs and presets are those of the package; the values of the small persona are solved anew; the
rest is what `difficulty.py` has measured and left in difficulty-knobs.json and its fellows.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import exact_value

from empathy_env.difficulty import HARDER, KINDS, PRESETS

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "difficulty.md"
SOURCE = HERE.parent / "empathy_env" / "difficulty.py"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a Markdown table; its first `words` columns are words, the others numbers."""
    marks = ["---" if place < words else "--:" for place in range(len(head))]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "|".join(marks) + "|", *lines[1:]])


@cache
def measured(part: str) -> dict[str, Any]:
    """Return what was measured of the knobs, or of the presets."""
    return json.loads((HERE / f"difficulty-{part}.json").read_text("utf-8"))


def within(values: Sequence[float], digits: int = 1) -> str:
    """Return a figure with its interval."""
    middle, low, high = (f"{value:.{digits}f}" for value in values)
    return f"{middle} [{low}, {high}]"


def percent(values: Sequence[float]) -> str:
    """Return a share with its interval, in per cent."""
    return within([100 * value for value in values], 0)


def what_knobs_do() -> str:
    """Return the knobs: kind, direction, and what they do, in the words of the source."""
    source = SOURCE.read_text("utf-8")
    rows: list[list[str]] = []
    for knob, kind in KINDS.items():
        found = re.search(rf'    {knob}: float = [\d.]+\n    """(.*?)"""', source, re.DOTALL)
        assert found is not None
        harder = {-1: "lower", 1: "higher"}.get(HARDER.get(knob, 0), "neither")
        rows.append([f"`{knob}`", kind, harder, " ".join(found.group(1).split())])
    return table(["knob", "kind", "harder is", "what it is (where it acts)"], rows, words=4)


def effects() -> str:
    """Return what the knobs with a direction do to the listener, and what the oracle still can."""
    rows: list[list[str]] = []
    for knob, found in measured("knobs")["knobs"].items():
        if found["kind"] != "style":
            easy, hard = found["easy"], found["hard"]
            rows.append(
                [
                    f"`{knob}`",
                    f"{easy['emotion'][0]:.1f}",
                    f"{hard['emotion'][0]:.1f}",
                    within(found["emotion_gap"]),
                    f"{100 * easy['success'][0]:.0f} / {100 * hard['success'][0]:.0f}",
                    f"{100 * easy['left']:.0f} / {100 * hard['left']:.0f}",
                    f"{found['oracle']['successes']} of {found['oracle']['episodes']}",
                ]
            )
    head = "knob|easy end|hard end|difference|success, %|left, %|oracle close to the hard end"
    return table(head.split("|"), rows)


def strains() -> str:
    """Return what the knobs of strain do to an agent that gives cause for it."""
    rows = [
        [
            f"`{knob}`",
            f"{found['emotion'][0]:.1f} / {found['emotion'][1]:.1f}",
            within(found["emotion_gap"]),
            within(found["turns_gap"], 2),
            within(found["strain_gap"], 2),
            f"{100 * found['left'][0]:.0f} / {100 * found['left'][1]:.0f}",
        ]
        for knob, found in measured("strained")["knobs"].items()
    ]
    head = "knob|final emotion|difference|turns|strain at the end|left, %"
    return table(head.split("|"), rows)


def styles() -> str:
    """Return what the knobs of style do to how a mood moves."""
    rows: list[list[str]] = []
    for knob, found in measured("knobs")["knobs"].items():
        if found["kind"] == "style":
            low, high = found["easy"], found["hard"]
            rows.append(
                [
                    f"`{knob}`",
                    f"{low['change_sd']:.2f} / {high['change_sd']:.2f}",
                    f"{100 * low['saturated']:.1f} / {100 * high['saturated']:.1f}",
                    f"{low['emotion'][0]:.1f} / {high['emotion'][0]:.1f}",
                    within(found["emotion_gap"]),
                ]
            )
    head = "knob|SD of a turn's change|saturated turns, %|final emotion|difference"
    return table(head.split("|"), rows)


def readings() -> str:
    """Return what can be known of the need under each information knob."""
    rows: list[list[str]] = []
    for knob, found in measured("knobs")["knobs"].items():
        if found["kind"] == "information":
            easy, hard = found["easy"]["need_guessed"], found["hard"]["need_guessed"]
            read = [100 * share for share in found["readable"]]
            rows.append(
                [
                    f"`{knob}`",
                    f"{read[0]:.0f}",
                    f"{read[1]:.0f}",
                    percent(easy),
                    percent(hard),
                ]
            )
    head = "knob|classifier, easy|hard|listener, easy|hard"
    return table(head.split("|"), rows)


def preset_knobs() -> str:
    """Return the knobs of each preset."""
    rows = [
        [f"`{knob}`", *(f"{getattr(preset, knob):g}" for preset in PRESETS.values())]
        for knob in KINDS
    ]
    return table(["knob", *(f"`{name}`" for name in PRESETS)], rows)


def preset_figures() -> str:
    """Return what each preset is like."""
    found = measured("presets")["presets"]
    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "listener, final emotion": lambda p: within(p["listener"]["emotion"]),
        "listener, success, %": lambda p: percent(p["listener"]["success"]),
        "listener, left by the user, %": lambda p: f"{100 * p['listener']['left']:.0f}",
        "oracle, final emotion": lambda p: within(p["oracle"]["emotion"]),
        "oracle, successes": lambda p: f"{p['oracle']['successes']} of {p['oracle']['episodes']}",
        "mix, strategy acceptance, %": lambda p: within(p["mix"]["acceptance"]),
        "mix, need expression, %": lambda p: within(p["mix"]["expression"]),
        "signal, success at 100": lambda p: within(p["signal"]["signal_100"], 2),
        "signal, success at 60": lambda p: within(p["signal"]["signal_60"], 2),
        "SD within a group, points": lambda p: within(p["signal"]["within"]),
        "classifier reads the need, %": lambda p: f"{100 * p['readable']:.0f}",
    }
    lines = [[name, *(cell(found[preset]) for preset in PRESETS)] for name, cell in rows.items()]
    return table(["", *(f"`{name}`" for name in PRESETS)], lines)


def calibration() -> str:
    """Return what the two RLVER presets were fitted to, and how well they are."""
    found = measured("presets")["presets"]
    published = {"rlver-vanilla": ("52.4", "78.6"), "rlver-challenging": ("33.1", "63.6")}
    rows = [
        [
            f"`{name}`",
            label,
            target,
            f"{found[name]['calibration'][figure][0]:.1f}",
            within(found[name]["mix"][figure]),
            within(found[name]["again"][figure]),
        ]
        for name, targets in published.items()
        for (figure, label), target in zip(
            (("acceptance", "strategy acceptance"), ("expression", "need expression")),
            targets,
            strict=True,
        )
    ]
    head = [
        "preset",
        "descriptor",
        "published, %",
        "on calibration seeds",
        "on fresh seeds",
        "again",
    ]
    return table(head, rows, words=2)


def search() -> str:
    """Return how much was tried on the way to the presets."""
    tries = measured("calibration")["tries"]
    counts = Counter((tried["preset"], tried["talks"]) for tried in tries)
    names = [name for name in PRESETS if any(name == preset for preset, _ in counts)]
    rows = [
        [f"{talks} talks each", *(str(counts[name, talks]) for name in names)]
        for talks in sorted({talks for _, talks in counts})
    ]
    return table(["settings tried", *(f"`{name}`" for name in names)], rows)


def exact() -> str:
    """Return the value of the best policy on the small persona, along each knob."""
    rows: list[list[str]] = []
    for knob, others, values in exact_value.figures()["lines"]:  # type: ignore[misc]
        fixed = ", ".join(f"{name} {value:g}" for name, value in others.items())
        rows.append([f"`{knob}`", fixed, *(f"{value:.2f}" for value in values)])
    return table(["knob", "others", *(f"{at:g}" for at in exact_value.GRID)], rows, words=2)


def exact_ends() -> str:
    """Return the value of knowing the need from the start, and that of not listening."""
    return (
        f"Who knows the need from the start gets {exact_value.informed():.2f} points; the best "
        f"that can be had\nwithout listening is {exact_value.blind():.2f}."
    )


PARTS: dict[str, Callable[[], str]] = {
    "knobs": what_knobs_do,
    "effects": effects,
    "strains": strains,
    "styles": styles,
    "readings": readings,
    "preset-knobs": preset_knobs,
    "preset-figures": preset_figures,
    "calibration": calibration,
    "search": search,
    "exact": exact,
    "exact-ends": exact_ends,
}


def written(page: str) -> str:
    """Return the page with every generated part put in anew."""
    for name, part in PARTS.items():
        text = part()
        page, count = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda found, text=text: f"{found.group(1)}{text}\n{found.group(2)}",
            page,
            flags=re.DOTALL,
        )
        assert text.strip(), f"nothing was generated for {name}"
        assert count == 1, f"{PAGE.name} has {count} places for {name}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
