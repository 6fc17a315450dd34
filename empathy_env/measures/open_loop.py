"""The same words under other seeds: how much of a final emotion is the simulator's own chance.

Open-loop: turn by turn what the user heard is said again, whatever the user answers this time. The
persona, the need and the knobs stay; only the draws of the user change. No model is asked, so this
is for the code user; what a model adds to the noise is measured by `empathy_env.measures.noise`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from empathy_env.conversation import Conversation, begin, say
from empathy_env.drivers import run
from empathy_env.errors import InvalidArgument
from empathy_env.group import cell_of, counts, of_one, started_alike
from empathy_env.noise import draw
from empathy_env.parts import appraiser_named, speaker_named
from empathy_env.replay import opened
from empathy_env.scaffold import load_scaffold
from empathy_env.trace import Trace

Replays = Mapping[str, Sequence[Sequence[float]]]
"""For each cell rows of final emotions: the same words in each row, another seed in each column."""


def replayed_under(trace: Trace, seeds: Iterable[int]) -> list[float]:
    """Return the final emotion of the same words said again under each of other seeds.

    Open-loop: turn by turn what was heard is said again, whatever the user answers this time, until
    the words or the talk end. The persona, the need and the knobs stay; the user's draws change.

    Raises:
        InvalidArgument: If the user was not played by code: a model would have to be asked.
    """
    return [talk.users[0].mood.emotion for talk in _again(trace, seeds)]


def succeeded_under(trace: Trace, seeds: Iterable[int], *, goal: float) -> list[bool]:
    """Return whether the same words reach a goal under each of other seeds, and the user stays.

    As `replayed_under`, with its errors.
    """
    return [
        talk.outcome != "left" and talk.users[0].mood.emotion >= goal
        for talk in _again(trace, seeds)
    ]


def _again(trace: Trace, seeds: Iterable[int]) -> list[Conversation]:
    if not by_code(trace):
        raise InvalidArgument(
            f"{trace.id} was played with appraiser={trace.setup.appraiser!r}, "
            f"speaker={trace.setup.speaker!r}, backend={trace.setup.backend!r}: words can be said "
            "again to the code user alone, its rules and templates. Leave these replays out"
        )
    return [_said_under(trace, seed) for seed in seeds]


def by_code(trace: Trace) -> bool:
    """Whether rules and templates of this package played the user, and no model."""
    setup = trace.setup
    known = (
        appraiser_named(setup.appraiser) is not None and speaker_named(setup.speaker) is not None
    )
    return known and setup.backend == "code"


def _said_under(trace: Trace, seed: int) -> Conversation:
    again = opened(replace(trace, scenario=replace(trace.scenario, seed=seed)))
    # What was heard is said: how the agent wrote before it spoke does not matter to the user.
    talk = begin(replace(again.room, scaffold=load_scaffold("plain")))
    for turn in trace.turns:
        if talk.outcome is not None:
            break
        talk = run(say(talk, turn.heard))
    return talk


def simulator_noise(traces: Iterable[Trace], *, seeds: int = 8, scripts: int = 4) -> Replays:
    """Return for each cell what becomes of the same words under other seeds.

    Args:
        traces: Of the code user; those that did not come to their end are left out.
        seeds: How many seeds for each script, at least 2. None is the trace's own, for which the
            words were meant; each script has seeds of its own.
        scripts: From how many talks of each cell the words are taken; each start gives one before
            any gives two.

    Raises:
        InvalidArgument: If a number is too small, or a model played a user.
    """
    if seeds < 2 or scripts < 1:
        raise InvalidArgument(
            f"Cannot have seeds={seeds} with scripts={scripts}: at least 2 seeds and 1 script"
        )
    by_cell: dict[str, list[tuple[int, Trace]]] = defaultdict(list)
    for alike in started_alike(trace for trace in of_one(traces) if counts(trace)):
        by_cell[cell_of(alike[0])] += list(enumerate(alike))
    return {
        cell: [
            replayed_under(trace, _other_seeds(trace, seeds))
            for _, trace in sorted(found, key=lambda pair: pair[0])[:scripts]
        ]
        for cell, found in by_cell.items()
    }


def _other_seeds(trace: Trace, count: int) -> list[int]:
    seed, member = trace.scenario.seed, trace.scenario.member
    return [int(draw(seed, number, member, "other-seed") * 2**62) for number in range(count)]
