"""What is the matter with a persona, and what that means for training.

Errors keep a persona from being used, or a need from being met. Warnings are what an agent would
learn wrongly, or never see. Notes are worth a look. The talks behind them are those of `probes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from empathy_env.document import Field
from empathy_env.persona import Gate, Lines, Persona
from empathy_env.probes import Trial, overheard, trials, unheard_words, when_asked
from empathy_env.subject import Finding, Subject
from empathy_env.user import Item


def findings_alone(subject: Subject, *, seeds: int = 3) -> list[Finding]:
    """Return what is the matter with one persona by itself.

    Args:
        subject: The persona.
        seeds: Most talks of the oracle with each need.
    """
    played = list(trials(subject.persona, seeds))
    found = chain(
        unreached(subject, played),
        misheard(subject),
        _unsaid(subject, played),
        given_away(subject),
    )
    return list(found)


def unreached(subject: Subject, played: Sequence[Trial]) -> Iterator[Finding]:
    """Yield the needs that are not met in these talks, and the gates that do not open."""
    yield from _unmet(subject, played)
    yield from _untold(subject, played)


def misheard(subject: Subject) -> Iterator[Finding]:
    """Yield the keywords that address nothing, and those that everybody says."""
    yield from _unheard(subject)
    yield from _overheard(subject)


def _unmet(subject: Subject, played: Sequence[Trial]) -> Iterator[Finding]:
    for number, trial in enumerate(played):
        won, count = trial.successes, len(trial.oracle)
        if 2 * won >= count:
            continue
        message = f"the oracle, which sees all, meets {trial.need!r} in {won} of {count} talks"
        hint = "Lower its gates, raise 'patience', or look at the 'reactions' to what it asks for."
        rule = "seldom-met" if won else "never-met"
        problem = subject.placed(rule, message, ("needs", number, "need"), hint)
        means = (
            "Few talks can end in success, however good the agent: most of the reward is luck."
            if won
            else "No agent can be rewarded for meeting this need: these talks teach nothing."
        )
        yield Finding("warning" if won else "error", problem, means)


def _untold(subject: Subject, played: Sequence[Trial]) -> Iterator[Finding]:
    for item, field in _items(subject.persona):
        own = [played[int(field[1])]] if field[0] == "needs" else played
        missed = [trial for trial in own if item.id not in trial.told]
        if item.gate is None or not missed:
            continue
        count, most = sum(len(t.talks) for t in missed), max(t.most_trust for t in missed)
        needs = ", ".join(trial.need for trial in missed)
        message = f"{item.id!r} is told in none of {count} talks ({needs})"
        hint = f"Its gate: {gate_text(item.gate)}. The most trust in these talks was {most:.2f}."
        problem = subject.placed("never-told", message, (*field, "gate"), hint)
        partly = len(missed) < len(own)
        means = "No agent gets to hear it, so what depends on knowing it cannot be learned."
        yield Finding("note" if partly else "warning", problem, means)


def gate_text(gate: Gate) -> str:
    """Say when something is told.

    >>> gate_text(Gate(trust=0.2, acts=("reflection",), topic=("keys",)))
    'at trust 0.2, after reflection, when keys comes up'
    """
    parts = [f"at trust {gate.trust:g}"]
    if gate.acts:
        parts.append(f"after {' or '.join(gate.acts)}")
    if gate.topic:
        parts.append(f"when {' or '.join(gate.topic)} comes up")
    return ", ".join(parts)


def _items(persona: Persona) -> Iterator[tuple[Item, Field]]:
    """Yield all that can be told, each with its field."""
    for name in ("facts", "feelings", "beliefs"):
        for number, item in enumerate(getattr(persona, name)):
            yield item, (name, number)
    for number, variant in enumerate(persona.needs):
        for place, fact in enumerate(variant.facts):
            yield fact, ("needs", number, "facts", place)


def _unheard(subject: Subject) -> Iterator[Finding]:
    fields = {(item.id, item.words): field for item, field in _items(subject.persona)}
    for unheard in unheard_words(subject.persona):
        item, word = unheard.item, unheard.item.words[unheard.place]
        instead, field = sorted(unheard.instead), fields[item.id, item.words]
        message = f"the keyword {word!r} does not address {item.id!r}"
        if field[0] != "needs" and len(unheard.needs) < len(subject.persona.needs):
            message += f" with the need {' or '.join(unheard.needs)}"
        message += f": it is taken for {' or '.join(instead)}" if instead else ""
        hint = "Choose another, or take what both share out of the other's words."
        where = (*field, "words", unheard.place)
        problem = subject.placed("unheard-word", message, where, hint)
        means = "An agent that says it gets no credit for it, or gets it for something else."
        yield Finding("warning", problem, means)


def _overheard(subject: Subject) -> Iterator[Finding]:
    taken = overheard(subject.persona)
    for item, field in _items(subject.persona):
        if item.id in taken:
            lines = " and ".join(map(repr, taken[item.id][:3]))
            message = f"a keyword of {item.id!r} is too common: it is heard in {lines}"
            problem = subject.placed("common-word", message, (*field, "words"), "Choose another.")
            means = "Agents are heard to speak of it when they do not: its gate opens by accident."
            yield Finding("warning", problem, means)


class _Group(NamedTuple):
    """Lines of one situation.

    Attributes:
        field: Where they stand.
        lines: The lines.
        trials: Numbers of the trials in which they could be said.
        manner: The situation, if it is one of the voice.
        spare: Whether others are said before these, so that few talks get to them.
    """

    field: Field
    lines: tuple[str, ...]
    trials: tuple[int, ...]
    manner: str = ""
    spare: bool = False


def _groups(persona: Persona) -> Iterator[_Group]:
    everywhere = tuple(range(len(persona.needs)))
    for name in Lines.model_fields:
        shared = getattr(persona.voice.lines, name)
        own = [getattr(variant.lines, name) for variant in persona.needs]
        yield _Group(("voice", "lines", name), shared, everywhere, name, all(own))
        for number, lines in enumerate(own):
            yield _Group(("needs", number, "lines", name), lines, (number,), name)
    for name in type(persona.voice.answers).model_fields:
        yield _Group(("voice", "answers", name), getattr(persona.voice.answers, name), everywhere)
    for item, field in _items(persona):
        where = (int(field[1]),) if field[0] == "needs" else everywhere
        yield _Group((*field, "more"), item.more, where)


def _unsaid(subject: Subject, played: Sequence[Trial]) -> Iterator[Finding]:
    said = ["\n".join(turn.answers[0].reply for turn in trial.turns) for trial in played]
    asked = when_asked(subject.persona)
    rare: list[str] = []
    unsaid = whole = 0
    for group in _groups(subject.persona):
        text = "\n".join(said[number] for number in group.trials)
        missing = tuple(line for line in group.lines if line not in text)
        unsaid, whole = unsaid + len(missing), whole + len(group.lines)
        if not missing or missing != group.lines:
            continue
        if _reached(group, played, asked):
            rare.append(".".join(map(str, group.field)))
        else:
            yield _dead(subject, group.field, sum(len(played[n].talks) for n in group.trials))
    if unsaid:
        count = sum(len(trial.talks) for trial in played)
        message = f"{unsaid} of {whole} lines were said in none of {count} talks"
        message += f", no line at all of {', '.join(rare)}" if rare else ""
        problem = subject.placed("rare-lines", message, ("voice", "lines"))
        means = "They are spare, said after others or at rare moments: agents hear few of them."
        yield Finding("note", problem, means)


def _reached(group: _Group, played: Sequence[Trial], asked: str) -> bool:
    """Whether a talk could come to these lines, though none of those that were played did."""
    manners = {turn.answers[0].manner for n in group.trials for turn in played[n].turns}
    return group.spare or group.manner in manners or any(line in asked for line in group.lines)


def _dead(subject: Subject, field: Field, count: int) -> Finding:
    name = ".".join(map(str, field))
    message = f"no line of {name} was said in {count} talks of agents good and bad"
    hint = "Look at when this situation arises, or leave the lines out."
    means = "Agents never hear these lines; changing them changes nothing."
    return Finding("warning", subject.placed("dead-lines", message, field, hint), means)


def given_away(subject: Subject) -> Iterator[Finding]:
    """Yield the lines, the opening first, that tell what a gate keeps or what is needed."""
    persona = subject.persona
    yield from _told_twice(subject, persona.opening, ("opening",))
    guessed = _needs_named(persona, persona.opening)
    if guessed:
        message = f"the opening names what only some needs tell: {_listed(guessed)}"
        hint = "Say it without these words, or name something of each need."
        problem = subject.placed("guessed-need", message, ("opening",), hint)
        means = "An agent can guess the need from the first line; asking would not pay."
        yield Finding("warning", problem, means)
    for field, line in _shared_lines(persona):
        yield from _told_twice(subject, line, field)
        for words in _needs_named(persona, line).values():
            message = f"this line of every need has a keyword of one need's own: {', '.join(words)}"
            problem = subject.placed("need-word", message, field)
            means = "Who takes it up from here is heard as asking about that fact, unearned."
            yield Finding("note", problem, means)


def _listed(guessed: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{need} ({', '.join(words)})" for need, words in guessed.items())


def _told_twice(subject: Subject, text: str, field: Field) -> Iterator[Finding]:
    for item, _ in _items(subject.persona):
        words = _apart(_named(item, text)) if item.gate is not None else []
        if len(words) > 1:
            message = f"it holds {len(words)} keywords of {item.id!r}, which has a gate: "
            hint = "Reword one of the two, or take the gate off if the opening tells it."
            problem = subject.placed("told-early", message + ", ".join(words), field, hint)
            means = "It tells what the gate should keep: an agent need not earn it."
            yield Finding("warning", problem, means)


def _apart(words: Sequence[str]) -> list[str]:
    """Leave out what only lengthens another word: "doors" is no second keyword beside "door"."""
    return [word for word in words if not any(word != w and word.startswith(w) for w in words)]


def _needs_named(persona: Persona, text: str) -> dict[str, list[str]]:
    """Return the keywords of needs' own facts in a text, unless every need has some in it."""
    found = {
        variant.need: [word for fact in variant.facts for word in _named(fact, text)]
        for variant in persona.needs
    }
    return {} if all(found.values()) else {need: words for need, words in found.items() if words}


def _named(item: Item, text: str) -> list[str]:
    low = text.lower().replace("\u2019", "'")
    return [word for word in item.words if re.search(rf"\b{re.escape(word)}\b", low)]


def _shared_lines(persona: Persona) -> Iterator[tuple[Field, str]]:
    for name in ("lines", "answers"):
        for situation, lines in getattr(persona.voice, name):
            for number, line in enumerate(lines):
                yield ("voice", name, situation, number), line
