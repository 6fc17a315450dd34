"""A skill profile over RLVER's five capabilities, from evidence, words and disclosures.

RLVER (arXiv 2507.03112) has a model grade empathic depth, core insight, solution crafting, dialogue
guidance and style adaptability. Here each is a rule over the trace, the same for every reader of
it: each turn that is an *occasion* for a skill has a score in [0, 1], a talk the mean over its
occasions, or None without any, and a set of talks the mean over those that have a value. What is
not defined is counted, never taken for 0. docs/skills.md argues the rules and shows whom they tell
apart.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Final, Literal, NamedTuple, get_args

from empathy_env.acts import INTENSITIES, Act, Evidence, Need
from empathy_env.measures.bootstrap import Interval, cluster_bootstrap
from empathy_env.measures.turns import Placed, placed, said_aloud, words_in
from empathy_env.trace import Trace

Skill = Literal[
    "empathic depth",
    "core insight",
    "solution crafting",
    "dialogue guidance",
    "style adaptability",
]
SKILLS: Final[tuple[Skill, ...]] = get_args(Skill)
LATENT: Final[Mapping[Skill, str]] = {
    "empathic depth": "intensity: whether the feeling named is one that the person has",
    "core insight": "the need, its facts, and the table of what fits it",
    "solution crafting": "the need, and how far the person felt heard",
    "dialogue guidance": "what was told, and what was left to tell",
    "style adaptability": "nothing: words alone",
}
"""For each skill what it uses that an agent cannot see."""

Scores = tuple[float | None, ...]
"""For each turn a score in [0, 1], or None where the turn is no occasion."""

_EMPATHY: Final[frozenset[Act]] = frozenset(("reflection", "validation"))
_SOLUTIONS: Final[frozenset[Act]] = frozenset(("suggestion", "information"))
_QUESTIONS: Final[frozenset[Act]] = frozenset(("open_question", "closed_question"))
_INVITES: Final[frozenset[Act]] = frozenset(("open_question", "restatement", "reflection"))
_ADVICE: Final[Need] = "concrete_advice"
_MOST_QUESTIONS: Final = 2
"""Questions in one turn up to which they can be answered; more is an interrogation."""
LEAST: Final = 20
"""Occasions of a skill below which a line through them says nothing."""
_RUN: Final = 3
"""Words in a row by which wording is known again."""


class Talk(NamedTuple):
    """The skills of one talk.

    Attributes:
        id: Of the episode.
        persona: Who was talked with.
        turns: For each skill its scores.
        words: For each turn how many words the agent said.
    """

    id: str
    persona: str
    turns: Mapping[Skill, Scores]
    words: tuple[int, ...]

    def value(self, skill: Skill) -> float | None:
        """Return the mean score over the occasions of a skill, in [0, 1]; None without any."""
        known = [score for score in self.turns[skill] if score is not None]
        return fmean(known) if known else None


class Measured(NamedTuple):
    """One skill over a set of talks.

    Attributes:
        mean: Over the talks in which it is defined, in [0, 1], with an interval over personas;
            None if there is no such talk.
        undefined: Talks without an occasion for it.
        occasions: Turns that were one.
        per_doubling: By how much the score of a turn changes when it is twice as long: the slope
            of the least-squares line on the binary logarithm of its words (plus one). None below
            `LEAST` occasions, or if all have one length.
    """

    mean: Interval | None
    undefined: int
    occasions: int
    per_doubling: float | None


def talks(traces: Sequence[Trace]) -> list[Talk]:
    """Return the skills of each talk, turn by turn.

    Style is measured against the agent's words to the other personas of the set, so the talks of
    one agent belong together, and those of several do not.
    """
    known = said_to(traces)
    return [_talk(trace, known) for trace in traces]


def profile(found: Sequence[Talk], *, seed: int = 0) -> dict[Skill, Measured]:
    """Return the skill profile of the talks of one agent, or of several runs of one kind.

    Args:
        found: The talks; those of several runs one after another.
        seed: Key of the resampling.
    """
    return {skill: _measured(skill, found, seed) for skill in SKILLS}


def _measured(skill: Skill, found: Sequence[Talk], seed: int) -> Measured:
    values: dict[str, list[float]] = defaultdict(list)
    pairs: list[tuple[float, float]] = []
    for talk in found:
        if (value := talk.value(skill)) is not None:
            values[talk.persona].append(value)
        scored = zip(talk.words, talk.turns[skill], strict=True)
        pairs += [(math.log2(words + 1), score) for words, score in scored if score is not None]
    mean = cluster_bootstrap(values, seed=seed) if values else None
    length = slope(pairs) if len(pairs) >= LEAST else None
    return Measured(mean, len(found) - sum(map(len, values.values())), len(pairs), length)


def slope(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return the slope of the least-squares line; None if all pairs have one abscissa.

    >>> slope([(0.0, 1.0), (1.0, 3.0)])
    2.0
    """
    if len(pairs) < 2:
        return None
    middle, level = (fmean(column) for column in zip(*pairs, strict=True))
    spread = math.fsum((x - middle) ** 2 for x, _ in pairs)
    if spread < 1e-12:
        return None
    return math.fsum((x - middle) * (y - level) for x, y in pairs) / spread


def _talk(trace: Trace, known: SaidTo) -> Talk:
    turns = placed(trace)
    scores: dict[Skill, Scores] = {
        "empathic depth": depth(turns),
        "core insight": insight(trace, turns),
        "solution crafting": solutions(trace, turns),
        "dialogue guidance": guidance(trace, turns),
        "style adaptability": tuple(style(turn, _who(trace), known) for turn in turns),
    }
    words = tuple(len(words_in(turn.heard)) for turn in turns)
    return Talk(trace.id, _who(trace), scores, words)


def depth(turns: Sequence[Placed]) -> Scores:
    """Return how well each turn meets what is felt; the turns that speak of it are the occasions.

    They hold a reflection or a validation. The best telling one counts by its intensity (1 for a
    feeling that the person has, 1/2 for one left open, 0 for another), times the turn's purity. A
    talk that never speaks of what is felt scores 0 in its last turn.
    """
    scores = [
        turn.purity * _best(turn, lambda piece: _named(piece) if piece.act in _EMPATHY else 0.0)
        if any(piece.act in _EMPATHY for piece in turn.evidence)
        else None
        for turn in turns
    ]
    return _never_is_0(scores)


def _never_is_0(scores: Sequence[float | None]) -> Scores:
    """Return the scores, with a 0 in the last turn of a talk that has let every occasion pass."""
    missed = all(score is None for score in scores)
    return (*scores[:-1], 0.0) if missed else tuple(scores)


def _named(piece: Evidence) -> float:
    """Put the scale of intensity, 0.75 to 1.25, on 0 to 1."""
    return (piece.intensity - INTENSITIES[0]) / (INTENSITIES[-1] - INTENSITIES[0])


def insight(trace: Trace, turns: Sequence[Placed]) -> Scores:
    """Return how far each turn serves the need, knowingly; every turn but the first is an occasion.

    Knowingly: after the user has said a fact that only this need has. Before, a turn that happens
    to fit scores 0, so that finding out late, or never, counts. Fit is how much more this need
    asks for the best telling piece than needs do on average, 1 being the most that it asks for.
    """
    own = {fact.id for fact in trace.scenario.written.variant(trace.scenario.need).facts}
    asked = _asked_for(trace)
    scores: list[float | None] = [None]
    for turn in turns[1:]:
        scores.append(turn.purity * _best(turn, asked) if own & turn.told else 0.0)
    return tuple(scores)


def _asked_for(trace: Trace) -> Callable[[Evidence], float]:
    """Return how much the need of this talk, in particular, asks for a piece, in [0, 1]."""
    law, need = trace.scenario.law, trace.scenario.need

    def worth(name: Need | str, act: str, about: str) -> float:
        table = law.own_need[name]
        return table.get(f"{act}/{about}", table.get(act, law.any_need[act]))

    def margin(act: str, about: str) -> float:
        return worth(need, act, about) - fmean(worth(name, act, about) for name in law.own_need)

    keys = [key.partition("/") for key in law.own_need[need]]
    most = max(margin(act, about) for act, _, about in keys)

    def fit(evidence: Evidence) -> float:
        return min(1.0, max(0.0, margin(evidence.act, evidence.about) / most))

    return fit


def solutions(trace: Trace, turns: Sequence[Placed]) -> Scores:
    """Return how well each solution is made; the turns that suggest or inform are the occasions.

    A solution counts if it is telling: tied to what was told, and new. It counts by how far the
    person felt heard before it (advice to somebody who is not listened to is unsolicited), and by
    the turn's purity. Where advice is the need, a talk without any scores 0 in its last turn.
    """
    enough = trace.scenario.law.heard_enough
    scores = [
        turn.purity
        * _best(turn, lambda piece: float(piece.act in _SOLUTIONS))
        * min(1.0, turn.before.heard / enough)
        if any(piece.act in _SOLUTIONS for piece in turn.evidence)
        else None
        for turn in turns
    ]
    return _never_is_0(scores) if trace.scenario.need == _ADVICE else tuple(scores)


def guidance(trace: Trace, turns: Sequence[Placed]) -> Scores:
    """Return how well each turn leads on; turns with something left to tell are the occasions.

    Half for inviting (a telling open question, restatement or reflection, and no more than two
    questions), and the other half if the user then tells something new; times the turn's purity.
    The turn with which a talk succeeds is no occasion: who is well has nothing left to tell.
    """
    every = frozenset(trace.ledger())
    scores: list[float | None] = []
    for turn, recorded in zip(turns, trace.turns, strict=True):
        if every <= turn.told or recorded.outcome == "success":
            scores.append(None)
            continue
        opened = 0.5 + 0.5 * bool(said_aloud(turn.answer))
        scores.append(turn.purity * opened if _invites(turn) else 0.0)
    return tuple(scores)


def _invites(turn: Placed) -> bool:
    questions = sum(piece.act in _QUESTIONS for piece in turn.evidence)
    return questions <= _MOST_QUESTIONS and any(piece.act in _INVITES for piece in turn.telling)


def _best(turn: Placed, worth: Callable[[Evidence], float]) -> float:
    """Return the most that a telling piece is worth; 0 without any."""
    return max(map(worth, turn.telling), default=0.0)


def style(turn: Placed, persona: str, said_to: SaidTo) -> float | None:
    """Return how far the wording of one turn is for this person; every turn is an occasion.

    The geometric mean of three shares: length (1 within half to twice the words of the user's last
    turn, then falling), own words (of its runs of three words, those that do not repeat the user's
    last turn) and fresh words (1 less the share of the other personas to whom a run was said as
    well); times the turn's purity, as words that are tied to nothing are adapted to nobody. None
    if there is no other persona.
    """
    if len(said_to.personas) < 2:
        return None
    if not turn.purity:
        return 0.0
    ours, theirs = words_in(turn.heard), words_in(turn.last)
    short, long = sorted((len(ours), len(theirs)))
    length = min(1.0, 2.0 * short / long)
    runs, echoed = _runs(ours), set(_runs(theirs))
    own = sum(run not in echoed for run in runs) / len(runs)
    others = len(said_to.personas) - 1
    fresh = 1.0 - fmean(len(said_to.runs[run] - {persona}) / others for run in runs)
    return turn.purity * (length * own * fresh) ** (1.0 / 3.0)


class SaidTo(NamedTuple):
    """To whom an agent has said what.

    Attributes:
        personas: All that it has talked with.
        runs: For each run of words the personas to whom it was said.
    """

    personas: frozenset[str]
    runs: Mapping[tuple[str, ...], frozenset[str]]


def said_to(traces: Sequence[Trace]) -> SaidTo:
    """Return to whom each run of words was said."""
    runs: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for trace in traces:
        for turn in trace.turns:
            for run in _runs(words_in(turn.heard)):
                runs[run].add(_who(trace))
    personas = frozenset(map(_who, traces))
    return SaidTo(personas, {run: frozenset(who) for run, who in runs.items()})


def _runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Return each `_RUN` words in a row; all of them if they are fewer."""
    if len(words) <= _RUN:
        return [tuple(words)]
    return list(zip(*(words[first:] for first in range(_RUN)), strict=False))


def _who(trace: Trace) -> str:
    return trace.scenario.persona.id
