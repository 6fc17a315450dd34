"""A person as the published data sets describe one, and how either kind of person is put in prose.

SAGE and RLVER release their people as JSON lines of prose: `id`, `player` (who it is), `scene`
(what happened), `task` (what they hope for, the hidden theme), and in one file `first_talk`, their
opening. Such a `Profile` can be played where a model reports the emotion, and nowhere else: code
has no gates, facts and feelings in it to go by.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, cast

from empathy_env.acts import NEEDS, Need
from empathy_env.errors import InvalidPersona, Problem, UnknownName
from empathy_env.persona import Belief, Fact, Feeling, Persona
from empathy_env.source import surrogate

MAX_TEXT: Final = 20_000
"""Longest field in characters; the longest published one has 2,265."""

HOPED: Final[Mapping[Need, str]] = {
    "attentive_listening": "to let it all out, and that somebody listens attentively",
    "deep_empathy": "that somebody really feels with them, and does not merely console",
    "absolution": "to hear that none of this is their fault, and be agreed with",
    "guided_reflection": "to be led to look at themselves in this, and to grow by it",
    "critical_analysis": "that somebody weighs the matter with them critically, from several sides",
    "others_motives": "to understand why the others in this did what they did",
    "concrete_advice": "advice that truly helps them out of where they are",
    "specific_praise": "honest praise for what exactly they did",
}
"""What the eight hidden intentions ask for (arXiv 2507.03112, table 5), in our words."""

_TOLD_BY: Final[Mapping[Need, str]] = {
    "attentive_listening": "倾听|listen",
    "deep_empathy": "共情|empath",
    "absolution": "没有错|没有任何责任|no fault|not (?:my|your|their) fault",
    "guided_reflection": "反思|reflect",
    "critical_analysis": "辩证|critical|dialectic",
    "others_motives": "其他人|他人|motive|other people|why (?:the )?others",
    "concrete_advice": "建议|advice",
    "specific_praise": "夸奖|夸赞|赞美|praise",
}
"""Words by which a hidden intention is recognised; each of the published eight by its own only."""


def need_of(task: str) -> Need:
    """Return the need that a hidden intention asks for: its name, or the one it has words of.

    Raises:
        UnknownName: If it has words of no need, or of several.

    >>> need_of("你希望有人安静地倾听"), need_of("Honest praise for what I did")
    ('attentive_listening', 'specific_praise')
    """
    low = task.casefold()
    exact: list[Need] = [need for need in NEEDS if need == low.strip()]
    found = exact or [need for need, words in _TOLD_BY.items() if re.search(words, low)]
    if len(found) != 1:
        why = f"it could be {' or '.join(found)}" if found else "it has words of none"
        raise UnknownName(
            f"the hidden intention {task[:80]!r} is none of the eight needs ({why}): "
            f"write one of {', '.join(NEEDS)}, or words of one"
        )
    return found[0]


class Aim(NamedTuple):
    """What somebody in a profile hopes for."""

    need: Need
    facts: tuple[Fact, ...] = ()
    """None: a profile keeps nothing apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A person in the published format. Prose only; fields keep their published names."""

    facts: ClassVar[tuple[Fact, ...]] = ()
    feelings: ClassVar[tuple[Feeling, ...]] = ()
    beliefs: ClassVar[tuple[Belief, ...]] = ()

    id: str
    player: str
    """Who they are: name, age, work, habits, how they speak."""
    scene: str
    """What happened, and which replies raise or lower their emotion."""
    task: str
    """What they hope for and do not say: the hidden theme."""
    need: Need
    """The need that `task` asks for."""
    first_talk: str = ""
    """Their opening; "" in the files that leave it to a model."""
    main_cha: str = ""
    topic: str = ""
    cha_group: tuple[str, ...] = ()

    @property
    def opening(self) -> str:
        """The first thing they say."""
        return self.first_talk

    @property
    def needs(self) -> tuple[Aim, ...]:
        """The one thing that they hope for."""
        return (Aim(self.need),)

    def variant(self, need: Need) -> Aim:
        """Return what they hope for, if it is this.

        Raises:
            UnknownName: If it is another need.
        """
        if need != self.need:
            raise UnknownName.among(f"need of {self.id}", need, [self.need])
        return Aim(self.need)

    @classmethod
    def parse(cls, data: object, *, source: str = "profile", line: int = 0) -> Profile:
        """Build a profile from one JSON object; fields that are not known are passed over.

        Args:
            data: The object.
            source: Where it comes from, for the error message.
            line: Its line there, from 1; 0 if it has none.

        Raises:
            InvalidPersona: Listing every problem.
        """
        given = cast("Mapping[str, Any]", data) if isinstance(data, Mapping) else None
        if found := list(_problems(given)):
            column = 1 if line else 0
            placed = (p._replace(file=source, line=line, column=column) for p in found)
            raise InvalidPersona.listing(placed)
        assert given is not None
        texts = {name: given[name] for name in _TEXTS if name in given}
        traits = tuple(given.get("cha_group") or ())
        return cls(need=need_of(given["task"]), cha_group=traits, **texts)

    def to_data(self) -> dict[str, Any]:
        """Return the profile as plain JSON data; `Profile.parse` is the inverse."""
        return {"kind": "profile", **asdict(self), "cha_group": list(self.cha_group)}


Person = Persona | Profile
"""Somebody who can be played: written in YAML, or a published profile."""

_REQUIRED: Final = ("id", "player", "scene", "task")
_TEXTS: Final = tuple(
    item.name for item in fields(Profile) if item.name not in ("need", "cha_group")
)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _problems(given: Mapping[str, Any] | None) -> Iterator[Problem]:
    """Find everything that is wrong with the fields of one profile."""
    if given is None:
        yield Problem("no-mapping", "a profile is an object with id, player, scene and task")
        return
    for name in _TEXTS:
        value = given.get(name)
        if name not in given:
            if name in _REQUIRED:
                yield Problem("missing", "is missing; it must be text", (name,))
        elif not isinstance(value, str):
            yield Problem("not-text", f"must be text, got {type(value).__name__}", (name,))
        elif surrogate(value):
            yield Problem("encoding", "holds half of a character", (name,), "Write the whole one.")
        elif len(value) > MAX_TEXT:
            yield Problem("length", f"is longer than {MAX_TEXT} characters", (name,))
        elif name in _REQUIRED and not value.strip():
            yield Problem("length", "is empty", (name,))
    traits: object = given.get("cha_group") or ()
    if not isinstance(traits, (list, tuple)) or not all(
        isinstance(trait, str) for trait in cast("list[object]", traits)
    ):
        yield Problem("type", "must be a list of words", ("cha_group",))
    yield from _problems_of_meaning(given)


def _problems_of_meaning(given: Mapping[str, Any]) -> Iterator[Problem]:
    name, task = given.get("id"), given.get("task")
    if isinstance(name, str) and name.strip() and not _ID.fullmatch(name):
        message = f"{name[:60]!r} must be 1 to 100 letters, digits, dots, hyphens and underscores"
        yield Problem("spelling", message, ("id",), "It names episodes in a file.")
    if isinstance(task, str) and task.strip():
        try:
            need = need_of(task)
        except UnknownName as error:
            yield Problem("choice", str(error), ("task",))
            return
        if given.get("need", need) != need:
            message = f"is {given['need']!r}, but the task asks for {need!r}"
            yield Problem("choice", message, ("need",))


def read_profiles(path: str | os.PathLike[str]) -> dict[str, Profile]:
    """Return the profiles of a file of JSON lines by their ids, in order.

    Raises:
        InvalidPersona: Listing every problem of every line with file and line.
    """
    profiles: dict[str, Profile] = {}
    problems: list[Problem] = []
    for number, text in _lines(path):
        try:
            profile = Profile.parse(_loaded(text), source=str(path), line=number)
        except InvalidPersona as error:
            problems += error.problems
            continue
        except ValueError as error:
            message = f"is no JSON: {error}"
            problems.append(Problem("json", message, (), "", str(path), number, 1))
            continue
        if profile.id in profiles:
            message = f"{profile.id!r} is also the id of an earlier line"
            problems.append(Problem("duplicate-id", message, ("id",), "", str(path), number, 1))
        profiles.setdefault(profile.id, profile)
    if not profiles and not problems:
        problems.append(Problem("empty", "holds no profile", file=str(path)))
    if problems:
        raise InvalidPersona.listing(problems)
    return profiles


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, counted from 1."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise InvalidPersona.listing([Problem("file", message, file=str(path))]) from error
    # A text's own line breaks beyond "\n", such as U+2028, stand in the published files.
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield number, line


def _loaded(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


class Portrait(NamedTuple):
    """A person in prose, for a model that plays them.

    Attributes:
        player: Who they are and how they speak.
        background: What happened, what they feel and believe.
        hidden_theme: What they hope for and do not say.
    """

    player: str
    background: str
    hidden_theme: str


def portrait(person: Person, need: Need) -> Portrait:
    """Return a person with one of their needs in prose: a profile as it is, a persona put so."""
    if isinstance(person, Profile):
        return Portrait(person.player, person.scene, person.task)
    variant = person.variant(need)
    hidden = f"They hope {_hope(need)}. {variant.because} It is met when: {variant.met_when}"
    facts = [fact.text for fact in (*person.facts, *variant.facts)]
    feelings = [f"Feels: {feeling.text}" for feeling in person.feelings]
    beliefs = [f"Believes: {b.believes} What is so: {b.truth}" for b in person.beliefs]
    takes = [f"Takes {_taken(r.act, r.about, r.fit)}: {r.because}" for r in person.reactions]
    background = [person.happened.strip(), *facts, *feelings, *beliefs, *takes]
    return Portrait(_player(person), "\n".join(background), hidden)


def _hope(need: Need) -> str:
    hoped = HOPED[need]
    return hoped if hoped.startswith(("to ", "that ")) else f"for {hoped}"


def _taken(act: str, about: str | None, fit: float) -> str:
    kind = act.replace("_", " ") + (f" about {about.replace('_', ' ')}" if about else "")
    return f"{kind} {'well' if fit > 0 else 'badly'}"


def _player(persona: Persona) -> str:
    who, voice, temper = persona.identity, persona.voice, persona.temperament
    return "\n".join(
        (
            f"Name: {who.name} ({who.pronouns}), aged {who.age}",
            f"Occupation: {who.occupation}",
            f"Background: {who.background}",
            f"Speaks: {voice.register_}, {voice.verbosity}. {voice.manner}",
            f"Moods swing {_degree(temper.reactivity)}; trusts {_degree(temper.trustfulness)}; "
            f"patient {_degree(temper.patience)}.",
        )
    )


def _degree(value: float) -> str:
    return "little" if value < 0.4 else "much" if value > 0.6 else "as most do"
