"""Write the tables of docs/skills.md: what the bundled agents do, and how well.

    python benchmarks/skills_page.py

Takes some minutes, of which the oracle needs most.
"""

import re
from pathlib import Path

from empathy_env import Task, load_agent, rollouts
from empathy_env.measures.grounding import grounding
from empathy_env.measures.skills import profile, talks
from empathy_env.measures.strategies import strategies

PAGE = Path(__file__).parent.parent / "docs" / "skills.md"
SEEDS = range(96)
AGENTS = (
    *("oracle", "listener", "template-therapist", "keyword-stuffer", "flatterer", "pasting"),
    *("blind-script", "omni-reply", "everything", "random", "advisor", "parrot", "silent"),
)


def row(name, cells):
    """Return a row of a Markdown table."""
    return f"| {' | '.join([name, *cells])} |"


def shown(interval):
    """Return a mean with its interval, if that has any width."""
    if interval is None:
        return "-"
    if interval.low == interval.high:
        return f"{interval.mean:.2f}"
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def skill(measured):
    """Return one skill, and in how many talks it is undefined."""
    return shown(measured.mean) + (f", u {measured.undefined}" if measured.undefined else "")


def mean(interval, form):
    """Return a mean alone."""
    return "-" if interval is None else format(interval.mean, form)


def tables():
    """Play all talks and return the rows of each table."""
    task = Task(personas="split:dev")
    scenarios = [task.scenario(seed) for seed in SEEDS]
    found = {"skills": [], "mix": [], "grounding": []}
    for name in AGENTS:
        traces = list(rollouts(task, load_agent(name), scenarios))
        skills, used, ground = profile(talks(traces)), strategies(traces), grounding(traces)
        found["skills"].append(row(name, map(skill, skills.values())))
        shares = (f"{100 * use.share.mean:.0f}" for use in used.values())
        moved = (mean(use.contribution, "+.1f") for use in used.values())
        cells = (f"{share} ({gain})" for share, gain in zip(shares, moved, strict=True))
        found["mix"].append(row(name, cells))
        found["grounding"].append(
            row(name, (mean(figure.per_turn, ".2f") for figure in ground.values()))
        )
    return found


def written(page, found):
    """Return the page with these rows below the heads of its tables."""
    for name, rows in found.items():
        place = re.compile(rf"(<!-- {name} -->\n\|.*\n\|[-|]+\n)(?:\|.*\n)*")
        page, count = place.subn(lambda match, rows=rows: match[1] + "\n".join(rows) + "\n", page)
        assert count == 1, f"{PAGE} has {count} tables marked {name}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8"), tables()), "utf-8")
