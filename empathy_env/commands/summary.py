"""What the talks of an agent came to, with what was missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from empathy_env.commands.console import out, print_plain
from empathy_env.group import final_emotion
from empathy_env.measures.bootstrap import cluster_bootstrap
from empathy_env.measures.casts import final_emotions
from empathy_env.measures.missing import bounds
from empathy_env.trace import Trace
from empathy_env.welfare import WEIGHTED

FEWEST_PERSONAS: Final = 5
"""With fewer, resampling them says next to nothing about others."""

_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "terminal": (0.0, 1.0),
    "success": (0.0, 1.0),
    "delta": (-1.0, 1.0),
    "potential": (-1.0, 0.0),
    "worst": (0.0, 1.0),
    "fairness": (0.0, 1.0),
}
"""What each reward can sum up to over a whole episode."""

_SHOWN: Final = 300
"""So many characters of a fault's message are told."""


def summary(agent: str, traces: Sequence[Trace]) -> dict[str, Any]:
    """Return an agent's figures. Episodes that ended in a fault are in no mean.

    Of talks with casts "emotion" is the mean over the people, "worst_off" that of whoever is worst
    off, and "left" the share of the people who left; the interval is over casts.
    Beside each mean of all talks stand the worst and the best that it could have been had nothing
    been missing; None is not known.
    """
    good = [trace for trace in traces if trace.fault is None]
    kinds = Counter(trace.fault["type"] for trace in traces if trace.fault)
    missing = kinds.total()
    outcomes = [trace.outcome for trace in good]
    finals: dict[str, list[float]] = {}
    for trace in good:
        cast = trace.scenario.cast
        person = trace.scenario.persona.id if cast is None else cast.id
        finals.setdefault(person, []).append(final_emotion(trace))
    worst = [min(final_emotions(trace)) for trace in good if trace.scenario.cast is not None]
    enough = len(finals) >= FEWEST_PERSONAS
    interval = cluster_bootstrap(finals) if enough else None
    values = [value for cluster in finals.values() for value in cluster]
    successes = [float(outcome == "success") for outcome in outcomes]
    return {
        "agent": agent,
        "episodes": len(good),
        "faults": missing,
        "fault_rate": _rounded(missing / len(traces) if traces else math.nan, 4),
        "fault_types": dict(kinds.most_common()),
        "fault_latest": {
            trace.fault["type"]: trace.fault["message"][:_SHOWN] for trace in traces if trace.fault
        },
        **_bounded("emotion", values, missing, (0.0, 100.0), 2),
        "low": _rounded(interval.low, 2) if interval else None,
        "high": _rounded(interval.high, 2) if interval else None,
        **_bounded("success", successes, missing, (0.0, 1.0), 3),
        **_bounded("reward", [_total(trace) for trace in good], missing, _range(traces), 4),
        "worst_off": _rounded(math.fsum(worst) / len(worst), 2) if worst else None,
        "left": _rounded(math.fsum(map(_left, good)) / len(good), 3) if good else None,
        "turns": _rounded(sum(len(t.turns) for t in good) / len(good), 2) if good else None,
    }


def _left(trace: Trace) -> float:
    """Return which share of the people have left."""
    seats, last = range(len(trace.start)), len(trace.turns)
    return sum(not trace.present(last, seat=seat) for seat in seats) / len(seats)


def _bounded(
    name: str,
    values: Sequence[float],
    missing: int,
    ends: tuple[float, float] | None,
    digits: int,
) -> dict[str, float | None]:
    """Return a mean and its bounds under their names."""
    if ends is None or not (values or missing):
        mean = math.fsum(values) / len(values) if values else math.nan
        found = {name: mean, f"{name}_worst": math.nan, f"{name}_best": math.nan}
    else:
        low, high = ends
        clipped = [min(high, max(low, value)) for value in values]  # sums of floats overshoot
        of = bounds(clipped, missing, low, high)
        found = {name: of.mean, f"{name}_worst": of.worst, f"{name}_best": of.best}
    return {key: _rounded(value, digits) for key, value in found.items()}


def _rounded(value: float, digits: int) -> float | None:
    return None if math.isnan(value) else round(value, digits)


def _total(trace: Trace) -> float:
    """Return what an episode was paid in all."""
    return math.fsum(
        trace.weights[name] * math.fsum(value for value in values if value is not None)
        for name, values in trace.rewards.items()
    )


def _range(traces: Sequence[Trace]) -> tuple[float, float] | None:
    """Return what the reward can sum up to, if all its terms are ours."""
    weights: Mapping[str, float] = traces[0].weights if traces else dict[str, float]()
    ranges = {
        name: (0.0, 1.0) if name.startswith(WEIGHTED) else _RANGES.get(name) for name in weights
    }
    if not weights or None in ranges.values():
        return None
    ends = [
        (weight * low, weight * high)
        for name, weight in weights.items()
        for low, high in filter(None, [ranges[name]])
    ]
    return math.fsum(min(pair) for pair in ends), math.fsum(max(pair) for pair in ends)


def print_summaries(rows: Sequence[dict[str, Any]], title: str) -> None:
    """Print a table of figures, and below it what was missing."""
    table = Table(title=title, title_justify="left")
    several = any(row["worst_off"] is not None for row in rows)
    extra = ("worst off",) if several else ()
    columns = ("agent", "final emotion", "95 %", *extra, "success", "left", "turns")
    for name in columns:
        table.add_column(name, justify="left" if name == "agent" else "right", no_wrap=True)
    few = "few casts" if several else "few personas"
    for row in rows:
        if not row["episodes"]:
            table.add_row(escape(row["agent"]), *["-"] * (len(columns) - 1))
            continue
        table.add_row(
            escape(row["agent"]),
            f"{row['emotion']:.1f}",
            few if row["low"] is None else f"{row['low']:.1f} to {row['high']:.1f}",
            *([_optional(row["worst_off"])] if several else []),
            f"{row['success']:.0%}",
            f"{row['left']:.0%}",
            f"{row['turns']:.1f}",
        )
    out.print(table)
    for line in missing_lines(rows):
        print_plain(line)


def _optional(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def missing_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return in sentences how many episodes ended in a fault, and what that can have done."""
    faulted = [row for row in rows if row["faults"]]
    if not faulted:
        return [f"faults: 0 of {sum(row['episodes'] for row in rows)} talks"]
    lines: list[str] = []
    for row in faulted:
        kinds = ", ".join(f"{kind} {count}" for kind, count in row["fault_types"].items())
        lines.append(
            f"faults: {row['faults']} of {row['episodes'] + row['faults']} talks of {row['agent']} "
            f"({row['fault_rate']:.1%}), in no mean: {kinds}"
        )
        ends = [
            f"{name} {row[f'{name}_worst']:g} to {row[f'{name}_best']:g}"
            for name in ("emotion", "success", "reward")
            if row[f"{name}_worst"] is not None
        ]
        lines += [f"the latest {kind}: {text}" for kind, text in row["fault_latest"].items()]
        lines.append(f"with them, at worst and at best: {', '.join(ends)}")
    return lines
