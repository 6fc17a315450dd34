"""What is the matter with a cast that can be loaded, and what that means for training.

That is what is the matter between its people; each of them by themselves is under `findings`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations
from typing import Final, NamedTuple

from empathy_env.acts import HARMFUL, Context
from empathy_env.address import addressed
from empathy_env.appraiser import appraise_by_rules
from empathy_env.cast import Cast, Toward
from empathy_env.cues import tables
from empathy_env.document import Field, Node, placed
from empathy_env.errors import Problem
from empathy_env.likeness import Likeness, like_texts, spoken
from empathy_env.persona import Persona
from empathy_env.stems import everyday
from empathy_env.subject import Finding


class CastSubject(NamedTuple):
    """A cast that is checked, and the file that it comes from."""

    cast: Cast
    root: Node

    def finding(self, rule: str, field: Field, message: str, hint: str, means: str) -> Finding:
        """Return a warning with the place of its field."""
        return Finding("warning", placed(Problem(rule, message, field, hint), self.root), means)


def findings_between(subject: CastSubject) -> list[Finding]:
    """Return what is the matter between the people of one cast."""
    found = chain(
        _splits(subject),
        _names(subject),
        unaddressed(subject),
        misread(subject),
        _told_anyway(subject),
        _strangers(subject),
    )
    return list(found)


def _splits(subject: CastSubject) -> Iterator[Finding]:
    cast = subject.cast
    for number, member in enumerate(cast.people):
        if member.persona.split != cast.split:
            yield subject.finding(
                "other-split",
                ("people", number, "persona"),
                f"{member.persona.id!r} is in the split {member.persona.split!r}, the cast in "
                f"{cast.split!r}",
                "Give both the same split.",
                "An agent would meet in training what is held out to test it.",
            )


def _names(subject: CastSubject) -> Iterator[Finding]:
    names = [name.lower() for name in subject.cast.names]
    for number, name in enumerate(names):
        field = ("people", number, "persona")
        if is_word(name):
            yield subject.finding(
                "common-name",
                field,
                f"the first name {subject.cast.names[number]!r} is a common English word",
                "Give them another name.",
                "Who uses the word may be heard to speak to them.",
            )
        for other in names:
            if other != name and other in name:
                yield subject.finding(
                    "name-in-name",
                    field,
                    f"the first name {subject.cast.names[number]!r} contains another, {other!r}",
                    "Give one of the two another name.",
                    "Who speaks to one may be heard to speak to the other.",
                )


def is_word(name: str) -> bool:
    """Whether a first name, in lower case, is also said without meaning anybody, or is a title.

    >>> is_word("grace"), is_word("dr."), is_word("radka")
    (True, True, False)
    """
    bare = name.strip(".")
    lists = tables().lists
    return bare in everyday() | _WORDS or any(bare in words for words in lists.values())


_WORDS: Final = frozenset(
    "mr mrs ms miss dr sir madam prof father mother aunt uncle will grace may rose hope joy faith "
    "bill jack pat sue rob art ray guy dean drew frank grant miles chase april june august dawn "
    "autumn summer ivy lily daisy violet olive ginger pepper sandy rusty penny ruby pearl amber "
    "jade crystal angel earnest eve norm herb chip skip buddy buck bud cliff dale glen heath reed "
    "rod stone wade ward wood woody young lance jay robin nick don josh carol melody harmony "
    "destiny honey candy cherry hazel iris heather holly fern clay colt curt bob chuck duke earl "
    "rich sonny star sky storm rain river brook forest hunter mason page piper porter rocky royal "
    "sage scout shell sterling trace tucker victor wren drew patience charity prudence sunny misty "
    "stormy willow mercy constance win gale tad bliss major king prince bishop baker cook".split()
)
"""First names that are words too, and titles that may stand where a first name should."""


class _Line(NamedTuple):
    field: Field
    text: str
    kind: str
    """harsh or warm."""
    said_to: int
    """Seat of whom it is said to."""


def _lines(cast: Cast) -> Iterator[_Line]:
    for number, index, toward, seat in _entries(cast):
        for kind, lines in (("harsh", toward.harsh), ("warm", toward.warm)):
            for place, text in enumerate(lines):
                yield _Line(("people", number, "toward", index, kind, place), text, kind, seat)


def _entries(cast: Cast) -> Iterator[tuple[int, int, Toward, int]]:
    """Yield seat and number of each entry, the entry, and the seat of whom it is about."""
    seats = {member.persona.id: seat for seat, member in enumerate(cast.people)}
    for number, member in enumerate(cast.people):
        for index, toward in enumerate(member.toward):
            yield number, index, toward, seats[toward.who]


def unaddressed(subject: CastSubject) -> Iterator[Finding]:
    """Yield the harsh and warm lines that are not said to the one whom they are for."""
    names = subject.cast.names
    for line in _lines(subject.cast):
        to = addressed(line.text, names).to
        if to == (line.said_to,):
            continue
        heard = " and ".join(names[seat] for seat in to) or "nobody"
        name = names[line.said_to]
        yield subject.finding(
            "unaddressed",
            line.field,
            f"{line.text!r} is said to {name}, and calls {heard}",
            f"Let it call {name} by name, set off by a comma, and nobody else.",
            "It moves others than whom it is meant for: it is heard as said to all, or to them.",
        )


def misread(subject: CastSubject) -> Iterator[Finding]:
    """Yield the harsh lines that are not read as harmful, and the warm ones that are."""
    for line in _lines(subject.cast):
        acts = _acts(line.text, subject.cast.people[line.said_to].persona)
        harmful = [act for act in acts if act in HARMFUL]
        read = ", ".join(acts).replace("_", " ") or "nothing"
        if line.kind == "harsh" and not harmful:
            yield subject.finding(
                "mild-harsh",
                line.field,
                f"{line.text!r} is not read as harmful, but as {read}",
                "Blame, belittle, dismiss or lecture more plainly.",
                "It hurts nobody: what looks like a quarrel moves no mood down.",
            )
        elif line.kind == "warm" and harmful:
            yield subject.finding(
                "harmful-warm",
                line.field,
                f"{line.text!r} is read as {read}",
                "Say it without blame, advice or empty praise.",
                "It hurts whom it should help.",
            )


def _acts(text: str, listener: Persona) -> list[str]:
    found = appraise_by_rules(text, Context(heard=listener.opening))
    return list(dict.fromkeys(evidence.act for evidence in found))


def _told_anyway(subject: CastSubject) -> Iterator[Finding]:
    for number, index, toward, seat in _entries(subject.cast):
        other = subject.cast.people[seat].persona
        open_ = {fact.id for fact in other.facts if fact.gate is None}
        for place, known in enumerate(toward.knows):
            if known.slips is not None and known.fact in open_:
                yield subject.finding(
                    "told-anyway",
                    ("people", number, "toward", index, "knows", place, "slips"),
                    f"{known.fact!r} has no gate: the opening of {other.id!r} tells it anyway",
                    "Name something that is hidden, or leave 'slips' out.",
                    "It is never said: what has been told cannot be let out.",
                )


def _strangers(subject: CastSubject) -> Iterator[Finding]:
    people = subject.cast.people
    pairs = {frozenset((number, seat)) for number, _, _, seat in _entries(subject.cast)}
    for one, other in combinations(range(len(people)), 2):
        if frozenset((one, other)) not in pairs:
            found = subject.finding(
                "strangers",
                ("people", other, "persona"),
                f"{people[other].name!r} and {people[one].name!r} have no entry toward each other",
                "Add one, if they know each other.",
                "They hardly know each other: nothing of their own passes between them.",
            )
            yield found._replace(level="note")


def findings_shared(subjects: Sequence[CastSubject], others: Sequence[Persona]) -> list[Finding]:
    """Return which texts of casts are nearly those of another file.

    Args:
        subjects: The casts.
        others: Personas that they are held against, their own people among them.
    """
    owners = [*map(_told_by, others), *(_texts(subject.cast) for subject in subjects)]
    names = [*(persona.id for persona in others), *(subject.cast.id for subject in subjects)]
    pairs: defaultdict[tuple[int, int], list[Likeness]] = defaultdict(list)
    for like in like_texts(owners, since=len(others)):
        pairs[like.one, like.other].append(like)
    return [
        _shared(subjects[other - len(others)], names[one], likes)
        for (one, other), likes in pairs.items()
    ]


def _told_by(persona: Persona) -> Iterable[tuple[Field, str]]:
    return [(("happened",), persona.happened), *spoken(persona)]


def _texts(cast: Cast) -> Iterator[tuple[Field, str]]:
    yield ("situation",), cast.situation
    for line in _lines(cast):
        yield line.field, line.text
    for number, index, toward, _ in _entries(cast):
        for place, known in enumerate(toward.knows):
            if known.slips is not None:
                yield ("people", number, "toward", index, "knows", place, "slips"), known.slips


def _shared(subject: CastSubject, name: str, likes: Sequence[Likeness]) -> Finding:
    first = likes[0]
    count = "1 text is" if len(likes) == 1 else f"{len(likes)} texts are"
    return subject.finding(
        "same-line",
        first.place,
        f"{count} almost or wholly one of {name!r}: {first.theirs!r}",
        "Find words of their own for it.",
        "People who say the same are one person to an agent: it learns the line, not to listen.",
    )
