"""What a check found, how laws are run one after another, and a talk as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from textwrap import indent, wrap
from typing import Final, Generic, NamedTuple, TypeVar

from empathy_env.difficulty import PRESETS, Difficulty
from empathy_env.errors import UnknownName
from empathy_env.trace import Trace

S = TypeVar("S")

_WIDTH: Final = 96


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked and holds.

    Attributes:
        subject: Name of what was checked.
        laws: Names of the laws that were checked; all of them hold.
        notes: What could not be checked and why, and what breaks no law but is worth a look; each
            begins with the law.
    """

    subject: str
    laws: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.subject}: {len(self.laws)} laws hold: {', '.join(self.laws)}"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


class Law(NamedTuple, Generic[S]):
    """One law, as it is checked of a subject.

    Attributes:
        name: Short name, such as "causal", by which it is chosen and reported.
        claim: What has to hold, in one sentence.
        check: Raises `CheckFailed` if the subject breaks it; returns "" if it holds, else a
            sentence that says why it could not be checked.
    """

    name: str
    claim: str
    check: Callable[[S], str]


def chosen(laws: Sequence[Law[S]], names: Iterable[str] | None) -> tuple[Law[S], ...]:
    """Return the laws with these names, in their own order; all of them for None.

    Raises:
        UnknownName: If there is no law of that name.
    """
    if names is None:
        return tuple(laws)
    wanted = (names,) if isinstance(names, str) else tuple(names)
    known = [law.name for law in laws]
    for name in wanted:
        if name not in known:
            raise UnknownName.among("law", name, known)
    return tuple(law for law in laws if law.name in wanted)


def check_laws(subject: S, name: str, laws: Sequence[Law[S]], only: Iterable[str] | None) -> Report:
    """Check the laws one after another, and report those that hold.

    Args:
        subject: What is checked.
        name: Its name in the report.
        laws: All that there are for its kind.
        only: Names of those to check; None checks all.

    Raises:
        CheckFailed: At the first law that is broken.
        UnknownName: If `only` names a law that does not exist.
    """
    held: list[str] = []
    notes: list[str] = []
    for law in chosen(laws, only):
        reason = law.check(subject)
        if reason:
            notes.append(f"{law.name}: {reason}")
        else:
            held.append(law.name)
    return Report(name, tuple(held), tuple(notes))


def dialogue_text(trace: Trace, rewards: Sequence[float | None] = ()) -> str:
    """Return a talk as text: who it is, then each turn with what was said, emotion and reward.

    Args:
        trace: The talk.
        rewards: What each turn is paid; a turn without a value is shown as unscored. Left out,
            no rewards are shown.
    """
    scenario = trace.scenario
    knobs = _knobs(scenario.difficulty)
    head = f"{scenario.persona.id}, need {scenario.need}, {knobs}, seed {scenario.seed}"
    lines = [head, *_spoken("user", " ".join(trace.opening))]
    for number, turn in enumerate(trace.turns, start=1):
        lines += [f"turn {number}"]
        if turn.private:
            lines += _spoken("agent, unheard", turn.private)
        lines += _spoken("agent", turn.heard)
        lines += _spoken("user", " ".join(answer.reply for answer in turn.answers))
        lines += [f"  {', '.join(_measured(trace, number, rewards))}"]
    if trace.fault is not None:
        lines += [f"fault {trace.fault['type']}: {trace.fault['message']}"]
    return indent("\n".join(lines), "  ")


def _measured(trace: Trace, number: int, rewards: Sequence[float | None]) -> Iterator[str]:
    yield f"emotion {trace.emotion(number - 1):.4g} -> {trace.emotion(number):.4g}"
    acts = dict.fromkeys(evidence.act for evidence in trace.turns[number - 1].evidence)
    yield f"acts {' '.join(acts) or 'none'}"
    if rewards:
        value = rewards[number - 1] if number <= len(rewards) else None
        yield "unscored" if value is None else f"reward {value:.6g}"
    outcome = trace.turns[number - 1].outcome
    if outcome is not None:
        yield f"end {outcome}"


def _spoken(who: str, text: str) -> list[str]:
    # Spaces that are not plain ones, and characters that do not show, are what a law may be about.
    shown = text if text.replace("\n", " ").isprintable() and text.strip() else repr(text)
    return wrap(
        f"{who}: {shown}", _WIDTH, initial_indent="  ", subsequent_indent="    ", max_lines=8
    )


def _knobs(difficulty: Difficulty) -> str:
    """Return the preset's name, else the knobs that are not as in `moderate`."""
    for name, preset in PRESETS.items():
        if preset == difficulty:
            return name
    plain = PRESETS["moderate"]
    return " ".join(
        f"{field.name}={getattr(difficulty, field.name):.4g}"
        for field in fields(difficulty)
        if getattr(difficulty, field.name) != getattr(plain, field.name)
    )
