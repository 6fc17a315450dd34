"""What the figures of `empathy-env ceiling` allow to say, in sentences, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, cast

from empathy_env.commands.ceiling_report import Floors, Report, RunTable
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.ceiling import FEWEST_RUNS, Ceiling
from empathy_env.measures.learnt import Learnt
from empathy_env.measures.support import attempts_to_certify


def shown(one: Interval, digits: int = 2) -> str:
    """Return a figure with its interval.

    >>> shown(Interval(0.5, 0.25, 0.75, 8)), shown(Interval(4.0, 1.0, math.inf, 8), 0)
    ('0.50 [0.25, 0.75]', '4 [1, inf]')
    """
    if math.isnan(one.mean):
        return "-"
    if math.isnan(one.low):
        return f"{one.mean:.{digits}f} (no interval)"
    return f"{one.mean:.{digits}f} [{one.low:.{digits}f}, {one.high:.{digits}f}]"


def conclusions(found: Report) -> Iterator[str]:
    """Yield what the figures allow to say, and what they do not, in sentences."""
    success = found.curves["success"].pooled
    yield from _about_lead(success)
    yield from _about_crossover(success)
    yield from _about_gap(success)
    if found.floors is not None:
        yield from _about_floors(found.floors, success.tries)
    yield from _about_cells(found)
    for name, one in found.learnt.items():
        yield from (f"{name}: {sentence}" for sentence in _about_learnt(one))
    yield from _about_design(found, success)


def _sign(one: Interval) -> str:
    if math.isnan(one.low):
        return "unknown"
    return "more" if one.low > 0 else "less" if one.high < 0 else "unclear"


_AT: Final[Mapping[str, str]] = {
    "more": "the trained policy succeeds more often than the base",
    "less": "the trained policy succeeds less often than the base",
    "unclear": "which of the two succeeds more often is not settled",
    "unknown": "nothing is said about other personas, for there is no interval",
}


def _about_lead(success: Ceiling) -> Iterator[str]:
    for place in dict.fromkeys((0, len(success.tries) - 1)):
        one, k = success.difference[place], success.tries[place]
        tries = "one try" if k == 1 else f"{k} tries"
        yield f"With {tries} {_AT[_sign(one)]}: difference {shown(one)}."
    last = success.difference[-1]
    if success.tries[-1] > 1 and _sign(last) == "more":
        yield (
            f"A lead at {success.tries[-1]} tries does not show that the base could not do it with "
            "more; for that see the verdicts."
        )


def _about_crossover(success: Ceiling) -> Iterator[str]:
    one = success.crossover
    most = success.tries[-1]
    if math.isnan(one.mean):
        yield "There is no lead at one try, so no crossover to speak of."
    elif math.isinf(one.mean):
        yield (
            f"Up to {most} tries the base does not catch up (crossover {shown(one, 0)}); "
            "what more tries would bring was not measured."
        )
    else:
        yield (
            f"By {one.mean:.0f} tries the base has caught up (crossover {shown(one, 0)}): as far "
            "as that goes, training made likely what was there already."
        )


def _about_gap(success: Ceiling) -> Iterator[str]:
    yield (
        f"What {success.tries[-1]} tries of the base reach beyond one of the trained policy: "
        f"{shown(success.gap)}."
    )


def _about_floors(floors: Floors, tries: Sequence[int]) -> Iterator[str]:
    for name, over in (("base", floors.base), ("trained policy", floors.trained)):
        above = [k for k, one in zip(tries, over.above, strict=True) if one]
        if len(above) == len(tries):
            yield f"The {name} is above what luck reaches at every number of tries."
            continue
        place = next(place for place, one in enumerate(over.above) if not one)
        yield (
            f"At k = {tries[place]} the {name}'s lower bound is not known to be above "
            f"{over.highest[place]} ({over.floors[place]:.2f}): success there may be luck."
        )


def _about_cells(found: Report) -> Iterator[str]:
    for name, table in found.tables.items():
        counts, share = table.support.counts, shown(table.support.undetermined)
        yield (
            f"{name}: of {found.places} places {counts['undetermined']} are undetermined at a "
            f"budget of {found.budget} (share {share}), and stand in no rate."
        )
        yield f"{name}: {_about_created(found, table)}"


def _about_created(found: Report, table: RunTable) -> str:
    if created := table.rulings["created"]:
        if found.controls:
            return f"{created} places are certified as created, net of the controls."
        return (
            f"{created} places are certified as created, with no control: the same training on a "
            "random reward might do it too."
        )
    needed = attempts_to_certify(found.budget)
    most = max(cell.base.episodes for cell in table.cells)
    if most >= needed:
        return "no place is certified as created."
    return (
        f"no place can be certified as created: that takes {needed} failures of the base in a "
        f"place, and it has {most} episodes at most. What looks new may have been rare."
    )


def _about_learnt(one: Learnt) -> Iterator[str]:
    far, rate, worth = one.divergence, one.base_success, one.worth
    yield (
        f"its talks are {shown(far.per_talk)} nats from the base's; that says how far it went, not "
        "whether it was good."
    )
    if far.per_talk.mean < far.plain_per_talk.low or far.per_talk.mean > far.plain_per_talk.high:
        yield (
            f"k1, the plain mean, has {shown(far.plain_per_talk)} nats: where the two are far "
            "apart, a few tokens decide, or the scores are not of the policy that was sampled."
        )
    if rate.doubt:
        least = "" if math.isnan(rate.bound.mean) else f"; at least {shown(rate.bound, 4)}"
        yield f"the base's success rate cannot be told from its talks ({rate.doubt}){least}."
    else:
        yield (
            "weighted as the base would have them, its talks give the base a success rate of "
            f"{shown(rate.estimate, 4)} (mean weight {rate.mass:.2f}; well below 1 the base has "
            "talks of which these know nothing)."
        )
    if worth is not None and worth.doubt:
        yield f"what that divergence could have bought cannot be told ({worth.doubt})."
    elif worth is not None:
        yield (
            f"it has {shown(worth.ratio)} of the gain in final emotion that re-weighting the "
            "base's own talks could have had at that divergence."
        )
    if worth is not None and worth.excess.low > 0:
        yield (
            f"it is {shown(worth.excess, 1)} points beyond what the base's talks hold: it has what "
            "these lack, which may be rare in the base and need not be new."
        )
    if one.unscored:
        yield f"{one.unscored} talks have no scores, and no figure in nats is of them."


def _about_design(found: Report, success: Ceiling) -> Iterator[str]:
    if not found.declared:
        yield (
            f"No budget was declared; {found.budget}, the most tries there are, was taken after "
            "the fact. Read the verdicts as exploration."
        )
    if success.runs == 1:
        yield "One run was given: all of this is about that run, not about the recipe."
    elif success.runs < FEWEST_RUNS:
        yield "Two runs were given, too few for an interval over runs: see each run alone."
    if len(set(found.scaffolds.values())) > 1:
        pairs = ", ".join(f"{name}: {one}" for name, one in found.scaffolds.items())
        yield f"The scaffolds differ ({pairs}): the difference is theirs too."
    lost = {name: count for name, count in found.left_out.items() if count}
    if lost:
        pairs = ", ".join(f"{name}: {count}" for name, count in lost.items())
        yield f"Left out, for they ended in a fault or have not ended: {pairs}."
    if found.dropped:
        yield f"Places left out, for some policy has no episode there that counts: {found.dropped}."


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: NaN as null, infinity as "inf".

    >>> plain(Interval(4.0, math.nan, math.inf, 2))
    {'mean': 4.0, 'low': None, 'high': 'inf', 'size': 2}
    """
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if is_dataclass(value):
        return plain({one.name: getattr(value, one.name) for one in fields(value)})
    if isinstance(value, Mapping):
        items = cast(Mapping[object, object], value).items()
        return {str(key): plain(item) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast(list[object], value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def to_data(found: Report) -> dict[str, Any]:
    """Return all figures and sentences as JSON can hold them."""
    return {**plain(found), "conclusions": list(conclusions(found))}
