"""How each person's emotion went over the rounds, and a picture of it that needs no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from empathy_env.errors import InvalidArgument
from empathy_env.measures.casts import names, seats
from empathy_env.trace import Trace


class Curve(NamedTuple):
    """One person's emotion over the rounds, in [0, 100]; index 0 is the start.

    Attributes:
        person: Id of their persona.
        name: By what name they are spoken to.
        mean: Over the talks.
        low: Lower edge of the band that holds `BAND` of the talks.
        high: Its upper edge.
    """

    person: str
    name: str
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


BAND: Final = 0.8
"""Share of the talks between the edges of a curve's band."""


def curve_of(trace: Trace, *, seat: int) -> list[float]:
    """Return a person's emotion after each round, from the start on, in [0, 100].

    It ends with the round in which they left, or with the talk.
    """
    last = len(trace.turns)
    there = next((n for n in range(last + 1) if not trace.present(n, seat=seat)), last)
    return [trace.emotion(turn, seat=seat) for turn in range(there + 1)]


def curves(traces: Sequence[Trace]) -> list[Curve]:
    """Return each person's curve over talks of one cast, sorted by id.

    As long as the longest talk: whoever has left, or whose talk has ended, stays where they were,
    so that the mean at the end is that of all talks and not of those which lasted.

    Args:
        traces: Talks of one cast, one at least.
    """
    longest = max(len(trace.turns) for trace in traces) + 1
    return [
        _curve(person, name, [curve_of(t, seat=seats(t)[person]) for t in traces], longest)
        for person, name in sorted(names(traces[0]).items())
    ]


def _curve(person: str, name: str, found: Sequence[Sequence[float]], longest: int) -> Curve:
    whole = np.array([[*one, *[one[-1]] * (longest - len(one))] for one in found])
    low, high = np.quantile(whole, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
    return Curve(person, name, whole.mean(axis=0).tolist(), low.tolist(), high.tolist())


COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of Okabe and Ito's palette, which colour-blind people can tell apart; one a person."""
_WIDTH, _HEIGHT = 640, 300
_LEFT, _TOP, _RIGHT, _BOTTOM = 48, 34, 150, 40


def drawn(panels: Mapping[str, Sequence[Curve]]) -> str:
    """Return curves as a picture in SVG, one panel below the other; always the same text.

    Args:
        panels: For each title the curves of one cast, of six people at most.

    Raises:
        InvalidArgument: If there is no panel, or one has no curve or more than there are colours.
    """
    if not panels or not all(0 < len(panel) <= len(COLOURS) for panel in panels.values()):
        raise InvalidArgument(
            f"panels must hold at least one panel, each with 1 to {len(COLOURS)} curves"
        )
    parts = [
        f'<g transform="translate(0 {number * _HEIGHT})">{_panel(title, panel)}</g>'
        for number, (title, panel) in enumerate(panels.items())
    ]
    height = _HEIGHT * len(panels)
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    paper = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return "\n".join((head, paper, *parts, "</svg>")) + "\n"


def _panel(title: str, panel: Sequence[Curve]) -> str:
    rounds = max(len(curve.mean) for curve in panel) - 1
    parts = [_text(_LEFT, 20, title, size=14), _axes(rounds)]
    for curve, colour in zip(panel, COLOURS, strict=False):
        there = list(zip(curve.low, range(len(curve.low)), strict=True))
        edge = [_point(turn, high, rounds) for turn, high in enumerate(curve.high)]
        edge += [_point(turn, low, rounds) for low, turn in reversed(there)]
        line = [_point(turn, mean, rounds) for turn, mean in enumerate(curve.mean)]
        parts.append(
            f'<polygon points="{" ".join(edge)}" fill="{colour}" fill-opacity="0.15"/>'
            f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
    parts += [_key(number, curve.name) for number, curve in enumerate(panel)]
    return "\n".join(parts)


def _axes(rounds: int) -> str:
    """Return the frame: emotion from 0 to 100 upward, rounds to the right."""
    parts: list[str] = []
    for emotion in range(0, 101, 25):
        x, y = _place(0, emotion, rounds)
        end = _WIDTH - _RIGHT
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{end}" stroke="#dddddd"/>')
        parts.append(_text(x - 8, y + 4, str(emotion), anchor="end"))
    step = max(1, -(-rounds // 8))
    for turn in range(0, rounds + 1, step):
        x, _ = _place(turn, 0, rounds)
        parts.append(_text(x, _HEIGHT - _BOTTOM + 16, str(turn), anchor="middle"))
    parts.append(_text(_LEFT, _HEIGHT - 6, "emotion over rounds; band: 80 % of the talks"))
    return "".join(parts)


def _key(number: int, name: str) -> str:
    x, y = _WIDTH - _RIGHT + 14, _TOP + 10 + 18 * number
    line = f'<path d="M{x} {y - 4}h18" stroke="{COLOURS[number]}" stroke-width="2"/>'
    return line + _text(x + 24, y, name)


def _text(x: float, y: float, text: str, *, size: int = 11, anchor: str = "start") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f"<text {where}>{escape(text)}</text>"


def _point(turn: int, emotion: float, rounds: int) -> str:
    x, y = _place(turn, emotion, rounds)
    return f"{x:.1f},{y:.1f}"


def _place(turn: int, emotion: float, rounds: int) -> tuple[float, float]:
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return _LEFT + width * turn / max(1, rounds), _TOP + height * (1.0 - emotion / 100.0)
