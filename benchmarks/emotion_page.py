"""Write the generated parts of docs/emotion.md: the tables of the law, and the plot of five talks.

python benchmarks/emotion_page.py
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from empathy_env import Scenario, Task, load_agent, load_persona, play
from empathy_env.acts import ACTS
from empathy_env.persona import NEEDS
from empathy_env.protocol import PROTOCOLS, Protocol

PAGE = Path(__file__).parent.parent / "docs" / "emotion.md"
TALKS = ("oracle", "listener", "blind-script", "advisor", "silent")
PERSONA, NEED, SEED = "widower-allotment", "deep_empathy", 11


def fit_table(protocol: Protocol) -> str:
    """Return how acts land, by need, as a Markdown table."""
    keys = {key for table in protocol.own_need.values() for key in table}
    rows = [
        key for act in ACTS for key in [act, *sorted(k for k in keys if k.startswith(f"{act}/"))]
    ]
    lines = [
        "| act/about | " + " | ".join(need.replace("_", " ") for need in NEEDS) + " |",
        "|---|" + "--:|" * len(NEEDS),
    ]
    for key in rows:
        cells = [_cell(protocol, need, key) for need in NEEDS]
        lines.append(f"| `{key}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(protocol: Protocol, need: str, key: str) -> str:
    own = protocol.own_need[need]  # type: ignore[index]
    act = key.split("/")[0]
    if key in own:
        return f"**{own[key]:g}**"
    return f"**{own[act]:g}**" if act in own else f"{protocol.any_need[act]:g}"


def moment_table(protocol: Protocol) -> str:
    """Return too-early values, listening and openness by act, as a Markdown table."""
    lines = [
        "| act | while not heard | makes heard | opens |",
        "|---|--:|--:|--:|",
    ]
    for act in ACTS:
        cells = [
            f"{table[act]:g}" if act in table else ""
            for table in (protocol.too_early, protocol.listening, protocol.opens)
        ]
        if any(cells):
            lines.append(f"| `{act}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def constant_table(protocol: Protocol) -> str:
    """Return the scalar constants with their docstrings, as a Markdown table."""
    source = (Path(__file__).parent.parent / "empathy_env" / "protocol.py").read_text("utf-8")
    lines = ["| constant | value | meaning |", "|---|--:|---|"]
    for field in fields(protocol):
        value = getattr(protocol, field.name)
        if isinstance(value, float):
            found = re.search(
                rf'    {field.name}: float = [\d.]+\n    """(.*?)"""', source, re.DOTALL
            )
            meaning = " ".join(found.group(1).split()) if found else ""
            lines.append(f"| `{field.name}` | {value:g} | {meaning} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[Protocol], str]] = {
    "fit": fit_table,
    "moment": moment_table,
    "constants": constant_table,
}


def written(page: str) -> str:
    """Return the page with every generated table put in anew."""
    for name, table in TABLES.items():
        text = table(PROTOCOLS["appraisal-v1"])
        page = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda found, text=text: f"{found.group(1)}{text}\n{found.group(2)}",
            page,
            flags=re.DOTALL,
        )
    return page


def plot(path: Path) -> None:
    """Draw the emotion of five talks with one person, turn by turn."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.2), layout="constrained")
    task = Task(personas="all")
    scenario = Scenario(persona=load_persona(PERSONA), need=NEED, seed=SEED)
    for name in TALKS:
        trace = play(task, load_agent(name), scenario)
        emotions = [trace.emotion(turn) for turn in range(len(trace.turns) + 1)]
        line = axes.plot(range(len(emotions)), emotions, marker="o", markersize=4, label=name)[0]
        axes.annotate(
            f"{name}: {trace.outcome.replace('_', ' ')}",
            (len(emotions) - 1, emotions[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=line.get_color(),
        )
    axes.axhline(70, linewidth=0.8, linestyle=":", color="grey")
    axes.annotate("ceiling until the need is half met", (0, 71), fontsize=7, color="grey")
    axes.axhline(10, linewidth=0.8, linestyle=":", color="grey")
    axes.annotate("leaves below", (0, 11), fontsize=7, color="grey")
    axes.set(xlabel="turn", ylabel="emotion", xlim=(-0.2, 12.5), ylim=(0, 104))
    axes.set_title(f"{PERSONA}, need {NEED}, seed {SEED}, moderate", fontsize=10)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    plot(PAGE.parent / "img" / "five-talks.png")
