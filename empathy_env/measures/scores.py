"""Files of scores: what two models think of each token that an agent sampled, talk by talk.

The first line names the models and the temperature; each line after it is one talk. Scores are
log-probabilities in nats, at that temperature, with the precision of float32.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from empathy_env.errors import InvalidArgument
from empathy_env.exports import messages_met
from empathy_env.group import cell_of, final_emotion
from empathy_env.measures.likelihood import ROUNDING, ScoredTalk
from empathy_env.trace import Trace, digest

FORMAT: Final = "empathy-env/scores"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ScoredBy:
    """By what talks were scored: the first line of a file.

    Attributes:
        own: The model that sampled them, as it was named.
        other: The other one.
        temperature: Of the sampling, by which the logits were divided; above 0.
        dtype: Of the weights while scoring, such as "float32".
    """

    own: str
    other: str
    temperature: float
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < math.inf:
            raise InvalidArgument(
                f"temperature={self.temperature:g} is not above 0: give the one that the talks "
                "were sampled at. At 0 nothing is drawn, and there is no log-probability"
            )


@dataclass(frozen=True, slots=True)
class TalkScores:
    """One talk with its scores.

    Attributes:
        id: Of the episode, as in its trace.
        cell: Persona, need and difficulty.
        persona: Its id: the cluster.
        need: Hidden from the agent.
        seed: Of the scenario.
        member: Of the group that shares the start.
        words: Digest of all that was said: of the messages that the scores are of.
        emotion: At the end, in [0, 100].
        outcome: How it ended: "success", "left" or "time_up".
        turns: For each turn of the agent how many tokens it sampled.
        own: Log-probability of each of them under the policy that sampled it, nats, in [-700, 0].
        other: The same under the other, in [-inf, 0].
        entropy: Of the distribution that each was drawn from, nats; empty if it was not kept.

    Raises:
        InvalidArgument: If the numbers of tokens differ, or a value is outside its range.
    """

    id: str
    cell: str
    persona: str
    need: str
    seed: int
    member: int
    words: str
    emotion: float
    outcome: str
    turns: tuple[int, ...]
    own: tuple[float, ...]
    other: tuple[float, ...]
    entropy: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _ = self.scored  # its own checks
        tokens = sum(self.turns)
        if tokens != len(self.own) or min(self.turns) < 0:
            raise InvalidArgument(
                f"turns={list(self.turns)} have {tokens} tokens, and own {len(self.own)}: each "
                "token of a turn has one score"
            )
        if self.entropy and len(self.entropy) != tokens:
            raise InvalidArgument(
                f"entropy has {len(self.entropy)} values for {tokens} tokens: one each, or none"
            )
        for value in self.entropy:
            if not -ROUNDING <= value < math.inf:
                raise InvalidArgument(f"entropy={value:g} is below 0 or not finite: give nats")

    @property
    def scored(self) -> ScoredTalk:
        """As the estimators of `likelihood` and `reweighting` take it."""
        return ScoredTalk(self.persona, self.own, self.other)

    @property
    def episode(self) -> tuple[str, int, int]:
        """What tells it from the other talks of a policy: cell, seed and member."""
        return self.cell, self.seed, self.member


@dataclass(frozen=True, slots=True)
class Scores:
    """What a file of scores holds."""

    by: ScoredBy
    talks: tuple[TalkScores, ...]


def talk_scores(
    trace: Trace,
    turns: Iterable[int],
    own: Iterable[float],
    other: Iterable[float],
    entropy: Iterable[float] = (),
) -> TalkScores:
    """Return the scores of a talk with one person, under its identity.

    Raises:
        InvalidArgument: If the numbers of tokens differ, or a value is outside its range.
    """
    scenario = trace.scenario
    return TalkScores(
        id=trace.id,
        cell=cell_of(trace),
        persona=scenario.persona.id,
        need=scenario.need,
        seed=scenario.seed,
        member=scenario.member,
        words=words_of(trace),
        emotion=final_emotion(trace),
        outcome=str(trace.outcome),
        turns=tuple(turns),
        own=tuple(map(float, own)),
        other=tuple(map(float, other)),
        entropy=tuple(map(float, entropy)),
    )


def words_of(trace: Trace) -> str:
    """Return a digest of all that was said in a talk, and of what the agent wrote and was told.

    Rewards have no part in it: scores outlive another reward.
    """
    met = [message["content"] for message in messages_met(trace, spoken=False)]
    told = [trace.setup.system_prompt is not None, met, [turn.raw for turn in trace.turns]]
    return digest(json.dumps(told, ensure_ascii=False))


def write_scores(path: str | os.PathLike[str], by: ScoredBy, talks: Iterable[TalkScores]) -> None:
    """Write a new file of scores.

    Raises:
        FileExistsError: If there is one.
    """
    with Path(path).open("x", encoding="utf-8", newline="\n") as file:
        head = {"format": FORMAT, "version": VERSION, **_data(by)}
        for line in (head, *map(_data, talks)):
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def read_scores(path: str | os.PathLike[str]) -> Scores:
    """Read a file of scores.

    Raises:
        InvalidArgument: If it cannot be read, holds no talk, or a line breaks a rule; names the
            line, the value, the rule and what would mend it.
    """
    lines = _lines(path)
    try:
        by = _checked(ScoredBy, _head(next(lines)[1]))
    except StopIteration:
        raise InvalidArgument(f"{path} is empty: make it by `empathy-env score`") from None
    except InvalidArgument as error:
        raise InvalidArgument(f"{path}:1: {error}") from None
    talks: dict[tuple[str, int, int], TalkScores] = {}
    for number, line in lines:
        try:
            talk = _checked(TalkScores, _object(line))
            if talk.episode in talks:
                raise InvalidArgument(
                    f"id={talk.id!r} is in an earlier line: each talk counts once"
                )
        except InvalidArgument as error:
            raise InvalidArgument(f"{path}:{number}: {error}") from None
        talks[talk.episode] = talk
    if not talks:
        raise InvalidArgument(f"{path} holds no talk: none could be scored")
    return Scores(by, tuple(talks.values()))


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read: {error}") from error
    *whole, rest = data.split(b"\n")
    if rest:
        raise InvalidArgument(
            f"{path}:{len(whole) + 1}: the last line is cut off: score the talks again"
        )
    yield from enumerate(whole, start=1)


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidArgument(f"{type(found).__name__} instead of an object: one line is one talk")
    return cast("dict[str, Any]", found)


def _head(line: bytes) -> Mapping[str, Any]:
    found = dict(_object(line))
    form, version = found.pop("format", None), found.pop("version", None)
    if form != FORMAT:
        raise InvalidArgument(
            f"format={form!r} is not {FORMAT!r}: this is no file of scores. Make one by "
            "`empathy-env score`"
        )
    if version != VERSION:
        raise InvalidArgument(f"version={version!r} is not read, {VERSION} is: score again")
    return found


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
}


def _checked(kind: Any, found: Mapping[str, Any]) -> Any:
    """Return a value of a dataclass here, if all its fields are there and of their type."""
    wanted = {one.name: str(one.type) for one in fields(kind)}
    if odd := sorted(wanted.keys() ^ found.keys()):
        what = "is missing" if odd[0] in wanted else "is not known"
        raise InvalidArgument(f"{odd[0]!r} {what}: the fields are {', '.join(wanted)}")
    return kind(**{name: _value(name, found[name], kind) for name, kind in wanted.items()})


def _value(name: str, value: Any, kind: str) -> Any:
    if kind.startswith("tuple["):
        if not isinstance(value, list):
            raise InvalidArgument(f"{name}={value!r} is no list: give a number for each token")
        inner = kind.removeprefix("tuple[").split(",")[0]
        return tuple(_value(f"{name}[{n}]", v, inner) for n, v in enumerate(cast(list[Any], value)))
    if kind == "float" and value == "-inf":
        return -math.inf
    if isinstance(value, bool) or not isinstance(value, _KINDS[kind]):
        raise InvalidArgument(f"{name}={value!r} is {type(value).__name__}: give {kind}")
    return float(value) if kind == "float" else value


def _data(value: ScoredBy | TalkScores) -> dict[str, Any]:
    return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}


def _plain(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    numbers = cast("tuple[float, ...]", value)
    return [one if isinstance(one, int) else _short(one) for one in numbers]


def _short(score: float) -> float | str:
    """Return a score as few digits as tell it from other float32; JSON has no infinity."""
    return "-inf" if score == -math.inf else float(str(np.float32(score)))
