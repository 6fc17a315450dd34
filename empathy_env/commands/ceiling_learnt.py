"""`empathy-env ceiling --scored`: what log-probabilities say of each run, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from empathy_env.commands.ceiling_words import shown
from empathy_env.errors import InvalidArgument
from empathy_env.measures.learnt import Learnt, learnt
from empathy_env.measures.scores import read_scores
from empathy_env.trace import Trace

Row = Sequence[object]
TITLE = "what was learnt, by log-probabilities (nats)"


def learnt_of(
    paths: Sequence[Path],
    base: Sequence[Trace],
    trained: Mapping[str, Sequence[Trace]],
    *,
    goal: float,
    seed: int,
) -> dict[str, Learnt]:
    """Return what the scores of each run say, by the name of the run.

    Args:
        paths: A file of scores for each run, in the order of the runs; or none at all.
        base: Talks of the base.
        trained: Talks of each run.
        goal: Final emotion that counts as success, in [0, 100].
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If there are not as many files as runs, one cannot be read or is of other
            talks, or they were scored at different temperatures or beside different models.
    """
    if not paths:
        return {}
    if len(paths) != len(trained):
        raise InvalidArgument(
            f"--scored is given {len(paths)} times and --trained {len(trained)} times: give a file "
            "of scores for each run, in the same order"
        )
    found = [read_scores(path) for path in paths]
    for path, scores in zip(paths, found, strict=True):
        for name in ("other", "temperature"):
            mine, first = getattr(scores.by, name), getattr(found[0].by, name)
            if mine != first:
                raise InvalidArgument(
                    f"{path} has {name}={mine!r}, and {paths[0]} {first!r}: score all runs beside "
                    "the one base, at the one temperature that all were sampled at"
                )
    told: dict[str, Learnt] = {}
    for path, scores, (run, traces) in zip(paths, found, trained.items(), strict=True):
        try:
            told[run] = learnt(base, traces, scores, goal=goal, seed=seed)
        except InvalidArgument as error:
            raise InvalidArgument(f"--scored={path}, of {run}: {error}") from error
    return told


def learnt_table(runs: Mapping[str, Learnt]) -> tuple[Sequence[str], list[Row]]:
    """Return heads and rows of the figures of all runs."""
    columns = [dict(_figures(one)) for one in runs.values()]
    labels = dict.fromkeys(label for column in columns for label in column)
    return ("", *runs), [
        (label, *(column.get(label, "-") for column in columns)) for label in labels
    ]


def _figures(one: Learnt) -> list[tuple[str, str]]:
    far, found = one.divergence, one.base_success
    return [
        ("talks scored", str(one.scored)),
        ("talks without scores", str(one.unscored)),
        ("divergence a talk, k3", shown(far.per_talk)),
        ("divergence a talk, k1", shown(far.plain_per_talk)),
        ("divergence a token, k3", shown(far.per_token, 4)),
        ("divergence a token, k1", shown(far.plain_per_token, 4)),
        ("entropy of a token", shown(one.entropy, 3)),
        ("base's success, by weights", shown(found.estimate, 4)),
        ("base's success at least", shown(found.bound, 4)),
        ("mass of the weights", _number(found.mass, 3)),
        ("effective size, talks", _number(found.effective_size, 1)),
        ("Pareto-k", _number(found.tail, 2)),
        ("verdict", found.doubt or "told"),
        *_bought(one),
        *(
            (f"best of {n} base talks", f"{tilt.reward:.1f} at most {tilt.kl:.2f} nats away")
            for n, tilt in one.best.items()
        ),
    ]


def _bought(one: Learnt) -> list[tuple[str, str]]:
    if one.worth is None:
        return []
    worth = one.worth
    return [
        ("final emotion, base", f"{worth.base:.1f}"),
        ("final emotion, trained", f"{worth.trained:.1f}"),
        ("at that divergence at most", _number(worth.frontier, 1)),
        ("told up to, nats", f"{worth.furthest:.2f}"),
        ("share of that gain", shown(worth.ratio)),
        ("beyond it, points", shown(worth.excess, 1)),
        ("verdict on the share", worth.doubt or "told"),
    ]


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
