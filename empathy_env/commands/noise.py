"""`empathy-env noise`: how noisy a live user is on recorded talks, and how far users agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from empathy_env.appraiser import RuleAppraiser
from empathy_env.commands.console import AsJson, print_json, print_plain, print_table, tracked
from empathy_env.errors import InvalidArgument
from empathy_env.group import of_one
from empathy_env.measures.agreement import Agreement, agreement
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.noise import Noise, Retest, Retests, apart, noise, retest
from empathy_env.parts import load_parts
from empathy_env.trace import Trace, read_traces

_AT_ONCE = 32
"""So many talks' requests go out together."""


def command(
    paths: Annotated[list[Path], typer.Argument(help="Trace files.")],
    user: Annotated[
        list[str],
        typer.Option(help="A backend to appraise with, or 'code'; several are compared."),
    ],
    samples: Annotated[int, typer.Option(min=1, max=64, help="Appraisals of each turn.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Key of the resampling.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Appraise recorded talks again: test-retest noise of each user, agreement between users."""
    # Here over all of them: they are appraised in batches.
    traces = apart(trace for path in paths for trace in of_one(read_traces(path), source=str(path)))
    if len(set(user)) < len(user):
        raise InvalidArgument(f"--user={user}: each user is compared once; leave the second out")
    found = {name: _retested(name, traces, samples) for name in user}
    noises = {
        name: noise(retests, seed=seed)
        for name, retests in found.items()
        if samples > 1 and name != "code" and retests.talks
    }
    unmeasured = [name for name, retests in found.items() if not retests.talks]
    if list(found) == ["code"]:
        raise InvalidArgument(
            "--user=code alone: it answers the same every time, so there is no noise to measure; "
            "give a model, or a model beside it to compare"
        )
    pairs = agreement(found, seed=seed) if len(found) > 1 and not unmeasured else []
    if as_json:
        print_json(_data(found, noises, pairs))
    else:
        _print_all(found, len(traces), noises, pairs)
    if unmeasured:
        raise typer.Exit(1)


def _print_all(
    found: Mapping[str, Retests],
    count: int,
    noises: Mapping[str, Noise],
    pairs: Sequence[Agreement],
) -> None:
    _print_left_out(found, count)
    for name, one in noises.items():
        _print_noise(name, one)
    if pairs:
        _print_agreement(pairs)


def _print_left_out(found: Mapping[str, Retests], count: int) -> None:
    for name, retests in found.items():
        lost = sum(retests.faults.values())
        if lost:
            kinds = ", ".join(f"{kind} x{count}" for kind, count in retests.faults.items())
            print_plain(f"{name}: {lost} of {count} talks left out by faults: {kinds}")
        if retests.empty:
            print_plain(
                f"{name}: {retests.empty} of {count} talks left out: no turn of them was finished"
            )


def _retested(name: str, traces: Sequence[Trace], samples: int) -> Retests:
    """Appraise all talks with one user, some at a time so that progress shows."""
    parts = load_parts(name)
    appraiser = parts.appraiser or RuleAppraiser()
    times = 1 if parts.backend is None else samples
    batches = [traces[first : first + _AT_ONCE] for first in range(0, len(traces), _AT_ONCE)]
    talks: dict[str, Retest] = {}
    faults: Counter[str] = Counter()
    empty = 0
    for batch in tracked(batches, f"appraising with {name}", len(batches)):
        found = retest(batch, appraiser, parts.backend, samples=times)
        talks.update(found.talks)
        faults.update(found.faults)
        empty += found.empty
    return Retests(talks, faults, empty)


def _data(
    found: Mapping[str, Retests], noises: Mapping[str, Noise], pairs: Sequence[Agreement]
) -> dict[str, Any]:
    return {
        "noise": {name: _plain(asdict(one)) for name, one in noises.items()},
        "faults": {name: dict(retests.faults) for name, retests in found.items()},
        "empty": {name: retests.empty for name, retests in found.items()},
        "agreement": [_plain(pair._asdict()) for pair in pairs],
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: intervals as mappings, NaN as null."""
    if isinstance(value, Interval):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return None if isinstance(value, float) and math.isnan(value) else value


def _print_noise(name: str, one: Noise) -> None:
    rows = [
        ("ICC of a turn's change", _shown(one.turn_icc)),
        ("standard error of a turn's change, points", f"{one.turn_error:.2f}"),
        ("ICC of the final emotion", _shown(one.final_icc)),
        ("noise floor of the terminal reward", f"{one.floor:.3f}"),
        ("turns cut by the clamp or an end", f"{one.saturated:.0%}"),
        ("turns that move less than half a point", f"{one.zero:.0%}"),
    ]
    title = f"{name}: {one.talks} talks, each turn appraised {one.samples} times"
    print_table(("figure", "value"), rows, title)
    for what, errors in (("persona", one.by_persona), ("turn", one.by_turn)):
        lines = [(key, f"{value:.2f}") for key, value in errors.items()]
        print_table((what, "standard error, points"), lines)


def _print_agreement(pairs: Sequence[Agreement]) -> None:
    rows = [
        (
            pair.one,
            pair.other,
            pair.talks,
            _shown(pair.correlation),
            _shown(pair.same_side),
            _shown(pair.difference, digits=1),
        )
        for pair in pairs
    ]
    columns = ("user", "other user", "talks", "correlation", "same side of 50", "difference")
    print_table(columns, rows, "agreement about the final emotion, 95 % intervals over personas")


def _shown(interval: Interval, digits: int = 2) -> str:
    if math.isnan(interval.low):
        return f"{interval.mean:.{digits}f} (no interval)"
    return f"{interval.mean:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
