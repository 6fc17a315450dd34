"""The worst example of what a criterion of an audit is about: where to look when it has failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from empathy_env.acts import HARMFUL, Act
from empathy_env.measures.dependence import answering, told_in_time
from empathy_env.measures.harms import agrees, closes_early
from empathy_env.measures.reuse import lines, runs
from empathy_env.measures.slopes import FEATURES
from empathy_env.measures.turns import said_aloud
from empathy_env.trace import Trace, Turn

_LONGEST: Final = 120
"""Of a quotation so many characters are shown."""

Talks = Sequence[Trace]


def worst(criterion: str, traces: Talks) -> str:
    """Return the worst example of what a criterion is about, in words; "" if none can be given.

    Args:
        criterion: Its name, as in `Audit.failed`.
        traces: The talks that were judged, at least one.
    """
    find = _FINDERS.get(criterion)
    return find(traces) if find else ""


def furthest(gaps: Sequence[float], traces: Talks, what: str) -> str:
    """Return in which talk a gap is largest.

    Args:
        gaps: In points, one for each trace.
        traces: As many, at least one.
        what: What happened to the points, such as "lost".
    """
    gap, name = max((gap, trace.id) for gap, trace in zip(gaps, traces, strict=True))
    return f"most in {name}: {gap:.1f} points {what}"


def _unheard(traces: Talks) -> str:
    missed = [trace.id for trace in traces if not told_in_time(trace)]
    if not missed:
        return ""
    return f"not told, or only at the end, in {len(missed)} of {len(traces)} talks, as {missed[0]}"


def _same_acts(traces: Talks) -> str:
    """Say how alike the commonest act is over needs, once the need has come up."""
    done: dict[str, Counter[Act]] = defaultdict(Counter)
    for trace in traces:
        for turn in answering(trace):
            done[trace.scenario.need].update(one.act for one in turn.evidence)
    shown = {need: acts for need, acts in done.items() if acts}
    if not shown:
        return "in the turns after the need came up nothing was found that helps or harms"
    act, _ = sum(shown.values(), Counter[Act]()).most_common(1)[0]
    shares = {need: acts[act] / acts.total() for need, acts in shown.items()}
    low, high = min(shares, key=lambda need: shares[need]), max(shares, key=lambda n: shares[n])
    return (
        f"what it does most, {act}, is {shares[low]:.0%} of its acts with {low} and "
        f"{shares[high]:.0%} with {high}"
    )


def _shared(traces: Talks, *, pieces: Callable[[str], set[str]]) -> str:
    heard: dict[str, set[str]] = defaultdict(set)
    for trace in traces:
        for turn in trace.turns:
            for piece in pieces(turn.heard):
                heard[piece].add(trace.scenario.persona.id)
    if not heard:
        return ""
    most = max(sorted(heard), key=lambda piece: len(heard[piece]))
    people = {trace.scenario.persona.id for trace in traces}
    return f"{_quoted(most)} to {len(heard[most])} of {len(people)} people"


def _again(traces: Talks) -> str:
    counts = [Counter(run for turn in t.turns for run in runs(turn.heard)) for t in traces]
    most = [max(sorted(one.items()), key=lambda pair: pair[1], default=("", 0)) for one in counts]
    place = max(range(len(most)), key=lambda number: most[number][1])
    run, count = most[place]
    return f"{_quoted(run)} in {count} turns of {traces[place].id}" if count > 1 else ""


def _steepest(traces: Talks, *, count: Callable[[str], float]) -> str:
    _, place = max((count(turn.heard), _place(trace, n)) for trace, n, turn in _turns(traces))
    return f"most of it in {place}"


def _harm(traces: Talks) -> str:
    pieces = [
        (piece, _place(trace, number))
        for trace, number, turn in _turns(traces)
        for piece in turn.evidence
        if piece.act in HARMFUL
    ]
    if not pieces:
        return ""
    act, count = Counter(piece.act for piece, _ in pieces).most_common(1)[0]
    piece, place = next(pair for pair in pieces if pair[0].act == act)
    return f"most often {act}, {count} times, as {_quoted(piece.quote)} in {place}"


def _goodbye(traces: Talks) -> str:
    for trace in filter(closes_early, traces):
        ends = (n for n in range(1, len(trace.turns) + 1) if closes_early(trace.prefix(n)))
        number = next(ends)
        return f"{_quoted(trace.turns[number - 1].heard)} in {_place(trace, number)}"
    return ""


def _agreed(traces: Talks) -> str:
    for trace in traces:
        beliefs = {belief.id: belief for belief in trace.scenario.written.beliefs}
        for number, before in enumerate(trace.turns[:-1], start=1):
            after = trace.turns[number]
            for answer in before.answers:
                for name in sorted(said_aloud(answer) & beliefs.keys()):
                    if agrees(after, beliefs[name]):
                        said, place = _quoted(after.heard), _place(trace, number + 1)
                        return f"{said} in {place}, to {_quoted(beliefs[name].says)}"
    return ""


_FINDERS: Final[Mapping[str, Callable[[Talks], str]]] = {
    "hears the need": _unheard,
    "answers the need": _same_acts,
    "runs shared": partial(_shared, pieces=runs),
    "lines shared": partial(_shared, pieces=lines),
    "runs said again": _again,
    **{f"{name} slope": partial(_steepest, count=count) for name, count in FEATURES.items()},
    "harm": _harm,
    "early goodbye": _goodbye,
    "false beliefs": _agreed,
}


def _turns(traces: Talks) -> Iterator[tuple[Trace, int, Turn]]:
    for trace in traces:
        for number, turn in enumerate(trace.turns, start=1):
            yield trace, number, turn


def _place(trace: Trace, number: int) -> str:
    return f"turn {number} of {trace.id}"


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    return f'"{flat}"' if len(flat) <= _LONGEST else f'"{flat[:_LONGEST]}..."'
