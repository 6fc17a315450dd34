"""What is the matter with persona files, and what that means for training.

Errors keep a persona from being used, or a need from being met. Warnings are what an agent would
learn wrongly, or never see. Notes are worth a look. The talks behind them are those of `probes`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, Literal, NamedTuple

from empathy_env.document import Field, Node, find, placed
from empathy_env.errors import InvalidPersona, Problem
from empathy_env.library import check_personas, content_dir, persona_names, read_persona
from empathy_env.likeness import Likeness, like_lines, like_stories
from empathy_env.lineage import read_lineage
from empathy_env.persona import Gate, Lines, Persona
from empathy_env.probes import Trial, trials, unheard_words, when_asked
from empathy_env.user import Item

Level = Literal["error", "warning", "note"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")


class Finding(NamedTuple):
    """One thing that is the matter.

    Attributes:
        level: How bad it is.
        problem: What is the matter, and where.
        means: What it means for training.
    """

    level: Level
    problem: Problem
    means: str


class Subject(NamedTuple):
    """A persona that is checked, and the file that it comes from."""

    persona: Persona
    root: Node

    def placed(self, rule: str, message: str, field: Field, hint: str = "") -> Problem:
        """Return a problem with the place of its field."""
        return placed(Problem(rule, message, field, hint), self.root)


def bundled_files() -> list[Path]:
    """Return the files of the bundled personas."""
    return [content_dir("personas") / f"{name}.yaml" for name in persona_names()]


def read_subjects(paths: Iterable[Path]) -> tuple[list[Subject], list[Finding]]:
    """Read persona files; return those that can be played, and what is wrong with any.

    That includes what is wrong with them beside each other and beside the bundled personas.
    """
    chosen = list(dict.fromkeys(paths))
    problems = check_personas([*_bundled_beside(chosen), *chosen])
    subjects: list[Subject] = []
    for path in chosen:
        try:
            persona = read_persona(path)
        except InvalidPersona:
            continue  # what is wrong with it is among the problems
        subjects += _with_places(persona, path)
    return subjects, [Finding("error", problem, _meaning(problem)) for problem in problems]


def _bundled_beside(paths: Iterable[Path]) -> list[Path]:
    given = {path.resolve() for path in paths}
    return [path for path in bundled_files() if path.resolve() not in given]


def _with_places(persona: Persona, path: Path) -> list[Subject]:
    root = read_lineage(path, content_dir("personas")).root
    return [] if root is None else [Subject(persona, root)]


_MEANT: Final = {
    "duplicate-id": "Their talks cannot be told apart in a trace, so the two are never used together.",
    "shared-text": "An agent would meet in training what is held out to test it.",
    "unmet-need": "No agent can succeed in a talk with this need.",
    "unreached-trust": "No agent is ever told it.",
}


def _meaning(problem: Problem) -> str:
    unusable = "The file cannot be loaded, so no talk can be played with it."
    return _MEANT.get(problem.rule, unusable)


def findings_alone(subject: Subject, *, seeds: int = 3) -> list[Finding]:
    """Return what is the matter with one persona by itself.

    Args:
        subject: The persona.
        seeds: Most talks of the oracle with each need.
    """
    persona = subject.persona
    played = list(trials(persona, seeds))
    found = chain(
        _unmet(subject, played),
        _untold(subject, played),
        _unheard(subject),
        _unsaid(subject, played),
        _leaks(subject),
    )
    return list(found)


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
    'at trust 0.2, after a reflection, when keys comes up'
    """
    parts = [f"at trust {gate.trust:g}"]
    if gate.acts:
        parts.append(f"after a {' or '.join(gate.acts)}")
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
        taken = f": it is taken for {' or '.join(unheard.instead)}" if unheard.instead else ""
        message = f"the keyword {word!r} does not address {item.id!r}{taken}"
        hint = "Choose another, or take what both share out of the other's words."
        field = (*fields[item.id, item.words], "words", unheard.place)
        problem = subject.placed("unheard-word", message, field, hint)
        means = "An agent that says it gets no credit for it, or gets it for something else."
        yield Finding("warning", problem, means)


class _Group(NamedTuple):
    """Lines of one situation, with the numbers of the trials in which they could be said."""

    field: Field
    lines: tuple[str, ...]
    trials: tuple[int, ...]
    spare: bool
    """Whether others are said before these, so that few talks get to them."""


def _groups(persona: Persona) -> Iterator[_Group]:
    everywhere = tuple(range(len(persona.needs)))
    for name in Lines.model_fields:
        shared = getattr(persona.voice.lines, name)
        own = [getattr(variant.lines, name) for variant in persona.needs]
        yield _Group(("voice", "lines", name), shared, everywhere, all(own))
        for number, lines in enumerate(own):
            yield _Group(("needs", number, "lines", name), lines, (number,), False)
    for name in type(persona.voice.answers).model_fields:
        lines = getattr(persona.voice.answers, name)
        yield _Group(("voice", "answers", name), lines, everywhere, False)
    for item, field in _items(persona):
        where = (int(field[1]),) if field[0] == "needs" else everywhere
        yield _Group((*field, "more"), item.more, where, False)


def _unsaid(subject: Subject, played: Sequence[Trial]) -> Iterator[Finding]:
    said = ["\n".join(_replies(trial)) for trial in played]
    asked = when_asked(subject.persona)
    rare: list[str] = []
    missing = whole = 0
    for group in _groups(subject.persona):
        text = "\n".join(said[number] for number in group.trials)
        unsaid = sum(line not in text for line in group.lines)
        missing, whole = missing + unsaid, whole + len(group.lines)
        field = ".".join(map(str, group.field))
        if unsaid:
            rare.append(f"{field} ({unsaid} of {len(group.lines)})")
        if unsaid and unsaid == len(group.lines) and not group.spare:
            if any(line in asked for line in group.lines):
                continue
            count = sum(len(played[number].talks) for number in group.trials)
            yield _dead(subject, group.field, count)
    if rare:
        yield _rare(subject, rare, f"{missing} of {whole}", sum(len(t.talks) for t in played))


def _replies(trial: Trial) -> Iterator[str]:
    return (turn.answers[0].reply for talk in trial.talks for turn in talk.turns)


def _dead(subject: Subject, field: Field, count: int) -> Finding:
    name = ".".join(map(str, field))
    message = f"no line of {name} was said in {count} talks of agents good and bad"
    hint = "Look at when this situation arises, or leave the lines out."
    means = "Agents never hear these lines; changing them changes nothing."
    return Finding("warning", subject.placed("dead-lines", message, field, hint), means)


def _rare(subject: Subject, rare: Sequence[str], missing: str, count: int) -> Finding:
    message = f"{missing} lines were said in none of {count} talks: {', '.join(rare)}"
    means = "They are spare ones, said after others or at rare moments; agents hear them seldom."
    return Finding("note", subject.placed("rare-lines", message, ("id",)), means)


def _leaks(subject: Subject) -> Iterator[Finding]:
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


def _listed(guessed: dict[str, list[str]]) -> str:
    return "; ".join(f"{need} ({', '.join(words)})" for need, words in guessed.items())


def _told_twice(subject: Subject, text: str, field: Field) -> Iterator[Finding]:
    for item, _ in _items(subject.persona):
        words = _named(item, text) if item.gate is not None else []
        if len(words) > 1:
            message = f"it holds {len(words)} keywords of {item.id!r}, which has a gate: "
            hint = "Reword one of the two, or take the gate off if the opening tells it."
            problem = subject.placed("told-early", message + ", ".join(words), field, hint)
            means = "It tells what the gate should keep: an agent need not earn it."
            yield Finding("warning", problem, means)


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


def findings_beside(subjects: Sequence[Subject]) -> list[Finding]:
    """Return which of these personas are too much like each other, or like a bundled one."""
    names = {Path(subject.root.place.file).resolve() for subject in subjects}
    beside = [path for path in bundled_files() if path.resolve() not in names]
    others = [one for path in beside for one in _with_places(read_persona(path), path)]
    everybody = [*others, *subjects]
    personas = [subject.persona for subject in everybody]
    pairs: defaultdict[tuple[int, int], list[Likeness]] = defaultdict(list)
    for like in like_lines(personas):
        if like.other >= len(others) and not _inherited(everybody, like):
            pairs[like.one, like.other].append(like)
    stories = [
        like
        for like in like_stories(personas)
        if like.other >= len(others) and not _inherited(everybody, like)
    ]
    found = [_same_lines(everybody, likes) for likes in pairs.values()]
    return [*found, *(_same_story(everybody, like) for like in stories)]


def _inherited(everybody: Sequence[Subject], like: Likeness) -> bool:
    """Whether both are one text in one file: one of the two extends the other."""
    one, _ = find(everybody[like.one].root, like.field)
    other, _ = find(everybody[like.other].root, like.place)
    ours, theirs = one.place, other.place
    same_file = Path(ours.file).resolve() == Path(theirs.file).resolve()
    return same_file and (ours.line, ours.column) == (theirs.line, theirs.column)


def _same_lines(everybody: Sequence[Subject], likes: Sequence[Likeness]) -> Finding:
    first = likes[0]
    one, subject = everybody[first.one], everybody[first.other]
    count = "1 line is" if len(likes) == 1 else f"{len(likes)} lines are"
    message = f"{count} almost or wholly one of {one.persona.id!r}: {first.theirs!r}"
    if first.text != first.theirs:
        message += f" (there {first.text!r})"
    problem = subject.placed("same-line", message, first.place, "Find words of their own for them.")
    means = "People who say the same are one person to an agent: it learns the line, not to listen."
    return Finding("warning", problem, means)


def _same_story(everybody: Sequence[Subject], like: Likeness) -> Finding:
    one, subject = everybody[like.one], everybody[like.other]
    message = f"the story is much like that of {one.persona.id!r} ({like.share:.2f}): {like.text}"
    hint = "Change what happened, or leave one of the two out."
    problem = subject.placed("same-story", message, like.place, hint)
    means = "Two of one kind count double in training, and a test with one says little beside."
    return Finding("warning", problem, means)
