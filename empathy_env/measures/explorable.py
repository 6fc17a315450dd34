"""Where an agent can learn: success, spread and gradient signal of each cell, from its traces.

A cell is persona x need x difficulty. A group is what a trainer compares: episodes that share a
start (the cell and a seed) and differ in `member`. Where all members of a group succeed, or all
fail, GRPO's advantages are zero; the *signal fraction* of a cell is how often that is not so.

Nothing here is 0 for want of episodes: what too few were played for is NaN, and `notes` says why.

Sources: estimators as in `empathy_env.measures.rates`; the interval of a success rate takes the
effective sample size of Kish (1965), for episodes of one start are alike; ICC(1,1) as in
`empathy_env.measures.noise`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Final, Literal, NamedTuple

from empathy_env.difficulty import PRESETS
from empathy_env.errors import InvalidArgument
from empathy_env.group import (
    cell_of,
    counts,
    final_emotion,
    level_name,
    of_one,
    started_alike,
    succeeded,
)
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.measures.noise import icc, within
from empathy_env.measures.open_loop import Replays
from empathy_env.measures.rates import pass_at, signal_fraction, wilson
from empathy_env.trace import Trace

EXPLORABLE: Final = 0.2
"""A cell is explorable if its signal fraction is at least this."""
RARE: Final = 0.2
"""An edge cell succeeds at most this often in one try ..."""
WITHIN_REACH: Final = 0.5
"""... and at least this often in so many tries."""
FEWEST: Final = 5
"""With fewer personas than this no interval over them is given."""

Side = Literal["persona", "need", "difficulty"]
Figure = Literal["success", "emotion", "within", "between", "signal", "graded", "reach", "icc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is known of one persona, need and difficulty. NaN: too few episodes; see `notes`.

    Attributes:
        persona: Its id.
        need: Identifier.
        difficulty: The nearest preset's name, and the knobs that differ from it.
        episodes: Episodes that came to their end without a fault; all figures are over these.
        starts: Seeds among them.
        left_out: Episodes that ended in a fault, or have not ended.
        success: Share that reached the goal; Wilson's interval over the effective sample size.
        emotion: Mean final emotion, in [0, 100].
        within: Standard deviation of the final emotion over members of a group, in points.
        between: Standard deviation of the starts' mean final emotions, in points.
        signal: Signal fraction for groups of the given size, in [0, 1].
        graded: Share of groups whose standard deviation exceeds `delta`, in [0, 1].
        delta: What a group's standard deviation must exceed to count, in points.
        reach: Chance of at least one success in so many tries, in [0, 1].
        noise: Simulator noise: standard deviation of the final emotion when the same words are
            said under other seeds, in points.
        icc: Share of the variance of these replays that lies between scripts; at most 1. Below a
            half, chance says more about a final emotion than the agent's words do.
        basis: What `signal` and `reach` are over: "members" of one start, as a trainer's groups
            are; or "seeds", where each start was played once, of which both are upper bounds.
        notes: Why figures are missing, in sentences.
    """

    persona: str
    need: str
    difficulty: str
    episodes: int
    starts: int
    left_out: int
    success: Interval
    emotion: float
    within: float
    between: float
    signal: float
    graded: float
    delta: float
    reach: float
    noise: float
    icc: float
    basis: Literal["members", "seeds"]
    notes: tuple[str, ...]

    @property
    def edge(self) -> bool | None:
        """Whether success is rare and yet within reach; None if that is not known."""
        if math.isnan(self.reach):
            return None
        return self.success.mean <= RARE and self.reach >= WITHIN_REACH

    @property
    def explorable(self) -> bool | None:
        """Whether the signal fraction is at least `EXPLORABLE`; None if it is not known."""
        return None if math.isnan(self.signal) else self.signal >= EXPLORABLE

    def figure(self, name: Figure) -> float:
        """Return a figure by its name; of `success` the mean."""
        return self.success.mean if name == "success" else getattr(self, name)


def explorable(
    traces: Iterable[Trace],
    *,
    group_size: int = 8,
    tries: int | None = None,
    goal: float = 100.0,
    delta: float | None = None,
    replays: Replays | None = None,
) -> list[Cell]:
    """Return each cell that the traces are of, sorted by persona, need and difficulty.

    Args:
        traces: Of one agent with one scaffold and one user, as many turns long, and all different.
            Groups share persona, need, difficulty and seed; their members may be of any number.
        group_size: Members of a trainer's group, for `signal`; at least 2.
        tries: Tries for `reach`; by default `group_size`.
        goal: Final emotion that counts as success, in [0, 100], unless the user left.
        delta: What a group's standard deviation must exceed for `graded`; by default the cell's
            own simulator noise.
        replays: What `open_loop.simulator_noise` gave; without it `noise` and `icc` are NaN.

    Raises:
        InvalidArgument: If a number is out of range, there is no trace, one is of several people,
            two are of one episode, or they are of two agents, scaffolds, users or lengths.
    """
    tries = group_size if tries is None else tries
    if group_size < 2 or tries < 1 or not 0 <= goal <= 100:
        raise InvalidArgument(
            f"Cannot have group_size={group_size}, tries={tries}, goal={goal}: at least 2 members "
            "and 1 try, and a goal in [0, 100]"
        )
    groups = started_alike(of_one(traces))
    _check_same(groups)
    by_cell: dict[str, list[list[Trace]]] = defaultdict(list)
    for alike in groups:
        by_cell[cell_of(alike[0])].append(alike)
    rows = replays or {}
    return [
        _cell(found, rows.get(name, ()), _Asked(group_size, tries, goal, delta))
        for name, found in sorted(by_cell.items())
    ]


class _Asked(NamedTuple):
    size: int
    tries: int
    goal: float
    delta: float | None


def _check_same(groups: Sequence[Sequence[Trace]]) -> None:
    if not groups:
        raise InvalidArgument("traces: there is none; give at least one")
    first = groups[0][0]
    for alike in groups:
        members = [trace.scenario.member for trace in alike]
        if len(set(members)) < len(members):
            raise InvalidArgument(
                f"two traces of the episode {alike[0].id} at difficulty "
                f"{level_name(alike[0].scenario.difficulty)}: each counts once, so number the "
                "members of a group apart"
            )
        for trace in alike:
            if _players(trace) != _players(first):
                raise InvalidArgument(
                    f"traces of two players, {_players(first)} and {_players(trace)}: what can be "
                    "learnt depends on all of it; give those of one agent and one user at a time"
                )


def _players(trace: Trace) -> str:
    setup, scenario = trace.setup, trace.scenario
    user = f"{scenario.protocol.name}, {setup.appraiser}, {setup.speaker}, {setup.backend}"
    return f"{trace.agent or 'agent'} ({setup.scaffold}, {scenario.max_turns} turns) with {user}"


def _cell(
    groups: Sequence[Sequence[Trace]], replays: Sequence[Sequence[float]], asked: _Asked
) -> Cell:
    scenario = groups[0][0].scenario
    valid = [[trace for trace in alike if counts(trace)] for alike in groups]
    valid = [alike for alike in valid if alike]
    finals = [[final_emotion(trace) for trace in alike] for alike in valid]
    wins = [[float(succeeded(trace, asked.goal)) for trace in alike] for alike in valid]
    every = [value for row in finals for value in row]
    noise = within(replays)
    delta = noise if asked.delta is None else asked.delta
    spreads = [stdev(row) for row in finals if len(row) > 1]
    basis = "members" if max(map(len, wins), default=0) > 1 else "seeds"
    pools = wins if basis == "members" else [[win for row in wins for win in row]]
    cell = Cell(
        persona=scenario.persona.id,
        need=scenario.need,
        difficulty=level_name(scenario.difficulty),
        episodes=len(every),
        starts=len(valid),
        left_out=sum(map(len, groups)) - len(every),
        success=_rate(wins),
        emotion=fmean(every) if every else math.nan,
        within=within(finals),
        between=stdev(map(fmean, finals)) if len(finals) > 1 else math.nan,
        signal=_mean(signal_fraction(int(sum(one)), len(one), asked.size) for one in pools),
        graded=_mean(math.nan if math.isnan(delta) else float(sd > delta) for sd in spreads),
        delta=delta,
        reach=_mean(pass_at(int(sum(one)), len(one), asked.tries) for one in pools),
        noise=noise,
        icc=icc(replays),
        basis=basis,
        notes=(),
    )
    return replace(cell, notes=tuple(_notes(cell, max(map(len, pools), default=0), asked)))


def _mean(values: Iterable[float]) -> float:
    """Return the mean of what is known; NaN if nothing is."""
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def _rate(wins: Sequence[Sequence[float]]) -> Interval:
    """Return the share of successes; episodes of one start count for less than one each."""
    sizes = [len(row) for row in wins]
    total = sum(sizes)
    if not total:
        return Interval(math.nan, math.nan, math.nan, 0)
    rate = math.fsum(map(math.fsum, wins)) / total
    likeness = icc(wins)  # without variance nothing says that members are not copies
    likeness = 1.0 if math.isnan(likeness) else min(1.0, max(0.0, likeness))
    effect = 1.0 + (sum(size * size for size in sizes) / total - 1.0) * likeness
    low, high = wilson(rate, total / effect)
    return Interval(rate, low, high, total)


def _notes(cell: Cell, most: int, asked: _Asked) -> Iterable[str]:
    if not cell.episodes:
        yield "no episode came to its end without a fault"
        return
    pool = "members of one start" if cell.basis == "members" else "episodes"
    if math.isnan(cell.signal):
        yield f"signal: {asked.size} {pool} are needed, there are {most}"
    if math.isnan(cell.reach):
        yield f"reach: {asked.tries} {pool} are needed, there are {most}"
    if math.isnan(cell.within):
        yield "within, graded: no start has two members"
    elif math.isnan(cell.graded):
        yield "graded: there is no delta; measure the simulator's noise, or give delta"
    if math.isnan(cell.between):
        yield "between: there is one start only"
    if math.isnan(cell.noise):
        yield "noise, icc: no words were said again under other seeds"
    elif math.isnan(cell.icc):
        yield "icc: two scripts are needed that do not all come out the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """What is known of several cells; means over cells, intervals over personas.

    Attributes:
        cells: How many.
        episodes: How many in all.
        left_out: Episodes in no figure.
        success: Mean of the cells' success rates.
        signal: Mean of the signal fractions that are known.
        graded: Mean of the graded ones.
        explorable: Share of cells with a signal fraction of at least `EXPLORABLE`, among those
            where it is known.
        edge: Share of edge cells, among those where it is known.
        noise: Mean simulator noise, in points.
        icc: Mean ICC.
    """

    cells: int
    episodes: int
    left_out: int
    success: Interval
    signal: Interval
    graded: Interval
    explorable: Interval
    edge: Interval
    noise: Interval
    icc: Interval


def region(cells: Sequence[Cell], *, seed: int = 0) -> Region:
    """Return what several cells have in common, with intervals over resampled personas.

    An interval's `size` is the number of cells behind it. Its ends are NaN with fewer personas than
    `FEWEST`.
    """

    def over(values: Iterable[float | None]) -> Interval:
        known: dict[str, list[float]] = defaultdict(list)
        for cell, value in zip(cells, values, strict=True):
            if value is not None and not math.isnan(value):
                known[cell.persona].append(value)
        if not known:
            return Interval(math.nan, math.nan, math.nan, 0)
        found = cluster_bootstrap(known, seed=seed)
        return found if len(known) >= FEWEST else found._replace(low=math.nan, high=math.nan)

    return Region(
        cells=len(cells),
        episodes=sum(cell.episodes for cell in cells),
        left_out=sum(cell.left_out for cell in cells),
        success=over(cell.success.mean for cell in cells),
        signal=over(cell.signal for cell in cells),
        graded=over(cell.graded for cell in cells),
        explorable=over(cell.explorable for cell in cells),
        edge=over(cell.edge for cell in cells),
        noise=over(cell.noise for cell in cells),
        icc=over(cell.icc for cell in cells),
    )


def regions(cells: Sequence[Cell], by: Side = "difficulty", *, seed: int = 0) -> dict[str, Region]:
    """Return the regions of the cells that share a side, in the order of `HeatMap`."""
    return {
        name: region([cell for cell in cells if getattr(cell, by) == name], seed=seed)
        for name in _names(cells, by)
    }


class HeatMap(NamedTuple):
    """One figure over two sides, a mean over the third.

    Attributes:
        rows: Names on the first side.
        columns: Names on the second.
        values: One row for each name; NaN where nothing is known.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]


def heat_map(
    cells: Sequence[Cell],
    figure: Figure = "signal",
    *,
    rows: Side = "persona",
    columns: Side = "need",
) -> HeatMap:
    """Return one figure of the cells over two sides.

    Personas and needs are sorted; difficulties stand in the order of the presets, others after.

    Raises:
        InvalidArgument: If both sides are the same.
    """
    if rows == columns:
        raise InvalidArgument(f"Cannot have rows={rows!r} and columns={columns!r}: give two sides")
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for cell in cells:
        found[getattr(cell, rows), getattr(cell, columns)].append(cell.figure(figure))
    names, heads = _names(cells, rows), _names(cells, columns)
    values = [[_mean(found.get((name, head), ())) for head in heads] for name in names]
    return HeatMap(names, heads, values)


def _names(cells: Sequence[Cell], side: Side) -> list[str]:
    names = sorted({getattr(cell, side) for cell in cells})
    order = list(PRESETS)
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))
