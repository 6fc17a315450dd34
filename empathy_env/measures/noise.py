"""How noisy a live user's reward is: the same words appraised again, and nothing else changed.

A reward that comes from a model carries the model's noise. These functions take recorded talks,
appraise the agent's words again, let the law feel each appraisal, and say how much of the spread
between turns and talks is left when nothing but the appraisal changes.

Source: Shrout and Fleiss (1979), one-way random intraclass correlation, ICC(1,1), and the standard
error of measurement as the root of the mean square within.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from typing import Final, NamedTuple

from empathy_env.acts import HEARD_KEPT, SAID_KEPT, Appraisal, Context, Reading
from empathy_env.appraiser import Appraiser
from empathy_env.backends import Backend
from empathy_env.conversation import Calls, looked_through, recorded
from empathy_env.drivers import Steps, run_many
from empathy_env.errors import Fault, InvalidArgument
from empathy_env.group import of_one
from empathy_env.measures.bootstrap import Interval, resampled
from empathy_env.messages import from_agent, from_user
from empathy_env.protocol import Protocol
from empathy_env.trace import Trace
from empathy_env.user import SimulatedUser
from empathy_env.voting import VotedAppraiser

STILL: Final = 0.5
"""A turn that moves emotion by less, in points, is counted as zero: SAGE's scale has whole ones."""


class Retest(NamedTuple):
    """One talk, felt once from each of several series of appraisals of the same words.

    Attributes:
        persona: Id of the persona, the cluster that the talk belongs to.
        changes: For each turn the change of emotion in points, one for each series. A series that
            ends the talk earlier is left out of the turns beyond.
        saturated: For each turn the share of series in which the clamp or an end cut the change.
        finals: The final emotion of each series, in [0, 100].
    """

    persona: str
    changes: tuple[tuple[float, ...], ...]
    saturated: tuple[float, ...]
    finals: tuple[float, ...]


class Retests(NamedTuple):
    """Talks that were appraised again, and how many could not be.

    Attributes:
        talks: By episode id.
        faults: Talks left out because an appraisal of theirs met a fault, by type.
        empty: Talks left out because no turn of them was finished.
    """

    talks: Mapping[str, Retest]
    faults: Mapping[str, int]
    empty: int = 0


def retest(
    traces: Iterable[Trace],
    appraiser: Appraiser,
    backend: Backend | None = None,
    *,
    samples: int = 5,
) -> Retests:
    """Appraise the agent's words of recorded talks `samples` times and feel each series.

    What the user said stays as recorded, and no reply of the speaker is looked at again: talks of
    another version will do. The requests of all talks go out together.

    Args:
        traces: Of appraisal protocols, each with an id of its own; finished or not.
        appraiser: Who appraises.
        backend: Whom it asks, if anybody.
        samples: How many times, at least 1; with 1 there is no test-retest, only a second opinion.

    Raises:
        InvalidArgument: If a trace is of a protocol in which the model itself reports the change,
            or two have the same id.
    """
    asking = VotedAppraiser(appraiser, samples) if samples > 1 else appraiser
    given = apart(map(_appraised, traces))
    steps = [(trace, _readings(asking, trace)) for trace in given if trace.turns]
    readings = iter(run_many([step for _, turns in steps for step in turns], backend))
    talks: dict[str, Retest] = {}
    faults: Counter[str] = Counter()
    for trace, turns in steps:
        found = list(islice(readings, len(turns)))
        failed = [type(one).__name__ for one in found if isinstance(one, Fault)]
        faults.update(failed[:1])
        if not failed:
            series = zip(*(_samples(one) for one in found if isinstance(one, Reading)), strict=True)
            talks[trace.id] = _felt(trace, list(series))
    return Retests(talks, faults, len(given) - len(steps))


def apart(traces: Iterable[Trace]) -> list[Trace]:
    """Return the traces, if no two are of one episode.

    Raises:
        InvalidArgument: If two have the same id; names it. Or if one is with several people.
    """
    found: dict[str, Trace] = {}
    for trace in of_one(traces):
        if trace.id in found:
            raise InvalidArgument(
                f"two traces of the episode {trace.id}: they would be taken for one. Give each "
                "talk once, and talks of several agents in the same scenarios one agent at a time"
            )
        found[trace.id] = trace
    return list(found.values())


def _appraised(trace: Trace) -> Trace:
    protocol = trace.scenario.protocol
    if not isinstance(protocol, Protocol):
        raise InvalidArgument(
            f"{trace.id} is of protocol {protocol.name!r}, in which the model itself reports the "
            "change: there is no appraisal to repeat; give traces of appraisal-v1"
        )
    return trace


def contexts(trace: Trace) -> Iterator[Context]:
    """Yield what an appraiser is shown at each turn, as the trace has it.

    No step is played again, for a model's prompts may be others by now.
    """
    user = SimulatedUser(trace.scenario)
    state, opening = user.first_state, " ".join(trace.opening)
    heard, said, talk = (opening,), (), (from_user(opening),)
    for turn in trace.turns:
        yield Context(heard[-1], heard[:-1], said, user.topics(state), talk)
        known = {name for answer in turn.answers for name in (*answer.told, *answer.leaked)}
        state = state._replace(told=state.told | known)
        reply = " ".join(answer.reply for answer in turn.answers)
        whole = " ".join(answer.whole for answer in turn.answers)
        heard = (*heard, whole)[-HEARD_KEPT:]
        said = (*said, turn.heard)[-SAID_KEPT:]
        talk = (*talk, from_agent(turn.heard), from_user(reply))


def _readings(appraiser: Appraiser, trace: Trace) -> list[Steps[Reading]]:
    return [
        _reading(appraiser, trace, turn, context) for turn, context in enumerate(contexts(trace))
    ]


def _reading(appraiser: Appraiser, trace: Trace, turn: int, context: Context) -> Steps[Reading]:
    """Appraise one turn, counted from 0, as the kernel does."""
    heard = trace.turns[turn].heard
    calls = Calls(trace.scenario, turn + 1)
    reading = yield from recorded(appraiser.appraise(heard, context), calls)
    return looked_through(reading, heard)


def _samples(reading: Reading) -> tuple[Appraisal, ...]:
    return reading.samples or (reading.evidence,)


def _felt(trace: Trace, series: Sequence[Sequence[Appraisal]]) -> Retest:
    """Let the law feel each series of appraisals from the start of the talk on."""
    user = SimulatedUser(trace.scenario)
    changes: list[list[float]] = [[] for _ in series[0]] if series else []
    cut: list[list[bool]] = [[] for _ in changes]
    finals: list[float] = []
    for one in series:
        state = user.first_state
        for index, appraisal in enumerate(one):
            felt = user.feel(state, appraisal, index + 1)
            changes[index].append(felt.change)
            cut[index].append(felt.saturated)
            state = state._replace(mood=felt.mood)
            if user.ending(felt.mood, appraisal, index + 1):
                break
        finals.append(state.mood.emotion)
    saturated = tuple(fmean(one) if one else 0.0 for one in cut)
    return Retest(trace.scenario.persona.id, tuple(map(tuple, changes)), saturated, tuple(finals))


@dataclass(frozen=True, slots=True)
class Noise:
    """How noisy an appraiser's rewards are on some talks.

    Attributes:
        talks: Talks that were appraised.
        samples: Appraisals of each turn.
        faults: Talks that could not be, by type of fault.
        turn_icc: ICC(1,1) of a turn's change of emotion: 1, repeating changes nothing; 0, a turn
            differs from itself as much as from others. Interval over personas.
        turn_error: Standard error of measurement of a turn's change, in points of emotion.
        final_icc: The same for the final emotion of a talk.
        floor: Standard error of measurement of the final emotion / 100: what a difference of
            terminal rewards must exceed to mean anything, and the least that the standard deviation
            of a group should be taken for.
        saturated: Share of turns that the clamp or an end of the scale cut, in [0, 1].
        zero: Share of turns that moved emotion by less than `STILL`, in [0, 1].
        by_persona: Standard error of a turn's change for each persona.
        by_turn: The same for each turn, counted from 1.
    """

    talks: int
    samples: int
    faults: Mapping[str, int]
    turn_icc: Interval
    turn_error: float
    final_icc: Interval
    floor: float
    saturated: float
    zero: float
    by_persona: Mapping[str, float]
    by_turn: Mapping[int, float]


Rows = Sequence[Sequence[float]]
"""Measurements: one row for each thing measured, one column for each time."""


def noise(retests: Retests, *, seed: int = 0) -> Noise:
    """Return how much of the spread is the appraiser's own.

    Raises:
        InvalidArgument: If there is no talk, or each was appraised once only.
    """
    talks = list(retests.talks.values())
    if not talks or len(talks[0].finals) < 2:
        raise InvalidArgument(
            "retests: test-retest needs at least one talk that was appraised at least twice"
        )
    turns: dict[str, list[Sequence[float]]] = defaultdict(list)
    finals: dict[str, list[Sequence[float]]] = defaultdict(list)
    by_turn: dict[int, list[Sequence[float]]] = defaultdict(list)
    for talk in talks:
        finals[talk.persona].append(talk.finals)
        for number, row in enumerate(talk.changes, start=1):
            if len(row) > 1:
                turns[talk.persona].append(row)
                by_turn[number].append(row)
    every = [row for rows in turns.values() for row in rows]
    moved = [change for talk in talks for row in talk.changes for change in row]
    return Noise(
        talks=len(talks),
        samples=len(talks[0].finals),
        faults=retests.faults,
        turn_icc=resampled(turns, icc, seed=seed),
        turn_error=within(every),
        final_icc=resampled(finals, icc, seed=seed),
        floor=within([talk.finals for talk in talks]) / 100.0,
        saturated=_share_saturated(talks),
        zero=fmean(abs(change) < STILL for change in moved),
        by_persona={persona: within(rows) for persona, rows in sorted(turns.items())},
        by_turn={number: within(rows) for number, rows in sorted(by_turn.items())},
    )


def _share_saturated(talks: Sequence[Retest]) -> float:
    """Return the share over all series and turns; a turn that no series reached has no weight."""
    felt = [
        (share, len(row))
        for talk in talks
        for share, row in zip(talk.saturated, talk.changes, strict=True)
    ]
    return math.fsum(share * size for share, size in felt) / sum(size for _, size in felt)


def within(rows: Rows) -> float:
    """Return the standard error of measurement: the root of the mean square within rows.

    In the unit of the measurements; 0 if each row repeats itself exactly.

    >>> within([[1.0, 3.0], [5.0, 5.0]])
    1.0
    """
    squares = sum((value - fmean(row)) ** 2 for row in rows for value in row)
    freedom = sum(len(row) - 1 for row in rows if row)
    return math.sqrt(squares / freedom) if freedom else math.nan


def icc(rows: Rows) -> float:
    """Return ICC(1,1), the share of variance that lies between rows, of a single measurement.

    At most 1; below 0 if rows differ less than chance would have it; NaN with fewer than two rows
    or no variance at all. Rows may differ in length (Searle 1971, the unbalanced one-way table).

    >>> icc([[1.0, 1.0], [5.0, 5.0]])
    1.0
    """
    rows = [row for row in rows if row]
    sizes = [len(row) for row in rows]
    total = sum(sizes)
    if len(rows) < 2 or total == len(rows):
        return math.nan
    mean = math.fsum(map(math.fsum, rows)) / total
    between = sum(len(row) * (fmean(row) - mean) ** 2 for row in rows) / (len(rows) - 1)
    error = within(rows) ** 2
    times = (total - sum(size**2 for size in sizes) / total) / (len(rows) - 1)
    spread = between + (times - 1) * error
    return (between - error) / spread if spread > 0 else math.nan
