"""`empathy-env score`: what two models think of each token that an agent sampled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from empathy_env.commands.console import AsJson, print_json, print_plain, tracked
from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.measures.retold import History, Retold, retold
from empathy_env.measures.samples import check_policy
from empathy_env.measures.scores import ScoredBy, TalkScores, talk_scores, write_scores
from empathy_env.tokens import ChatTemplate, Tokens
from empathy_env.trace import Trace, read_traces

if TYPE_CHECKING:
    from empathy_env.backends.local_scores import TokenScores
    from empathy_env.backends.local_weights import Loaded


def command(
    traces: Annotated[Path, typer.Argument(help="Trace file of one policy.")],
    own: Annotated[str, typer.Option(help="Model that sampled the talks: folder, GGUF, hub id.")],
    other: Annotated[str, typer.Option(help="The other model, such as its base.")],
    path: Annotated[Path, typer.Option("--out", help="File to write, one talk a line.")],
    temperature: Annotated[float, typer.Option(help="That the talks were sampled at.")] = 1.0,
    history: Annotated[
        History | None,
        typer.Option(
            help="What the policy saw of its earlier turns: what was heard of them (rollouts), or "
            "all that it wrote (training scripts). Needed for talks with thoughts."
        ),
    ] = None,
    turn_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens at which the sampling of a turn was cut off, if any."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="Such as cuda:1; by default a GPU.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the weights while scoring.")] = "float32",
    batch_size: Annotated[int, typer.Option(min=1, help="Talks that are read together.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Score recorded talks under the policy that sampled them and under another one.

    Nothing is sampled: each model reads each talk once. Sampling must have cut nothing (top-p 1,
    no top-k): scores are of the whole distribution at the temperature.
    """
    by = ScoredBy(own, other, temperature, dtype)
    if path.exists():
        raise InvalidArgument(f"--out={path} exists: give another name")
    try:
        from empathy_env.backends.local_weights import load
    except ImportError as error:
        raise MissingExtra.of("empathy-env score", "torch") from error
    found = list(read_traces(traces))
    check_policy(found, source=str(traces))
    first = load(own, device=device, dtype=dtype)
    kept, left_out = _retold(found, ChatTemplate(first.tokenizer), history, turn_tokens)
    if not kept:
        raise InvalidArgument(f"{traces}: no talk can be scored. {_told(left_out)}")
    used = sorted({id for one in kept for part in one.retold.parts for id in part.ids})
    spelling = first.tokenizer.convert_ids_to_tokens(used)
    of_own = _read(first, kept, by, batch_size, "own", entropy=True)
    del first  # one model in memory at a time
    second = load(other, device=device, dtype=dtype)
    if second.tokenizer.convert_ids_to_tokens(used) != spelling:
        raise InvalidArgument(
            f"--own={own} and --other={other} mean different tokens by the same numbers: only "
            "models that spell alike can score the same tokens, such as a policy and its base"
        )
    of_other = _read(second, kept, by, batch_size, "other", entropy=False)
    talks = [
        talk_scores(one.trace, one.retold.turns, mine.logprobs, theirs.logprobs, mine.entropies)
        for one, mine, theirs in zip(kept, of_own, of_other, strict=True)
    ]
    write_scores(path, by, talks)
    _report(path, talks, left_out, as_json)


class _Kept(NamedTuple):
    trace: Trace
    retold: Retold


def _retold(
    traces: Sequence[Trace], template: ChatTemplate, history: History | None, most: int | None
) -> tuple[list[_Kept], Counter[str]]:
    """Return the talks that can be scored, and how many cannot, by reason."""
    kept: list[_Kept] = []
    left_out: Counter[str] = Counter()
    for trace in traces:
        found = retold(trace, template, history=history, turn_tokens=most)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            kept.append(_Kept(trace, found))
    return kept, left_out


def _read(
    loaded: Loaded, talks: Sequence[_Kept], by: ScoredBy, size: int, which: str, *, entropy: bool
) -> list[TokenScores]:
    """Return the scores of each talk, whatever pieces it was read in."""
    from empathy_env.backends.local_scores import TokenScores, token_scores

    parts: list[Tokens] = [part for talk in talks for part in talk.retold.parts]
    scores = token_scores(
        loaded, parts, temperature=by.temperature, batch_size=size, entropy=entropy
    )
    found = dict(tracked(scores, f"reading as {which}", len(parts)))
    places = iter(range(len(parts)))
    joined: list[TokenScores] = []
    for talk in talks:
        pieces = [found[next(places)] for _ in talk.retold.parts]
        joined.append(
            TokenScores(
                tuple(score for piece in pieces for score in piece.logprobs),
                tuple(left for piece in pieces for left in piece.entropies),
            )
        )
    return joined


def _told(left_out: Counter[str]) -> str:
    return "; ".join(f"{count}: {reason}" for reason, count in left_out.most_common())


def _report(path: Path, talks: Sequence[TalkScores], left_out: Counter[str], as_json: bool) -> None:
    tokens = sum(len(talk.own) for talk in talks)
    if as_json:
        found: dict[str, Any] = {"talks": len(talks), "tokens": tokens, "out": str(path)}
        print_json({**found, "left_out": dict(left_out)})
        return
    print_plain(f"{len(talks)} talks with {tokens} sampled tokens in {path}")
    if left_out:
        print_plain(f"left out: {_told(left_out)}")
