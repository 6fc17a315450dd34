"""Where personas come from: the bundled ones by name, your own by path, and selections of them.

A file is checked whole before anything of it is used: as YAML, against the schema, for
contradictions, and for whether it can be played. What is wrong is one `InvalidPersona`, which lists
all of it with line and column.

A *cell* is a persona with one of its needs. Cells are what is held out: a need may belong to
another split than its persona does, and a selection gives the cells that all its terms hold for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, Literal, get_args

from empathy_env.acts import NEEDS, Need
from empathy_env.document import Field, Node, find, leaves, one_value, placed, plain
from empathy_env.errors import InvalidArgument, InvalidPersona, Problem, UnknownName
from empathy_env.lineage import read_lineage
from empathy_env.persona import NeedVariant, Persona, Split
from empathy_env.playability import unplayable
from empathy_env.source import real

PersonaSpec = str | os.PathLike[str] | Persona
"""A persona: its bundled name, a path to a YAML file, or the value itself."""
Cell = tuple[Persona, Need]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)


def content_dir(name: Literal["personas", "agents"]) -> Path:
    """Return the folder of bundled content, in a checkout or in an installed wheel."""
    package = Path(__file__).parent
    installed = package / f"_{name}"
    return installed if installed.is_dir() else package.parent / name


def persona_names() -> list[str]:
    """Return the names of the bundled personas, sorted."""
    return sorted(path.stem for path in content_dir("personas").glob("*.yaml"))


def _casts() -> list[str]:
    return [path.parent.name for path in content_dir("personas").glob("casts/*/cast.yaml")]


def read_persona(path: Path) -> Persona:
    """Read one persona file, and those that it extends.

    Raises:
        InvalidPersona: If anything is wrong with it; it lists everything that is.
    """
    document = read_lineage(path, content_dir("personas"))
    if document.root is None:
        raise InvalidPersona.listing(document.problems)
    root, data = document.root, plain(document.root)
    if data.get("kind") == "cast":
        message = "is a cast of several people, and no persona"
        problem = Problem("kind", message, ("kind",), "Give it as cast=.")
        raise InvalidPersona.listing([*document.problems, placed(problem, root)])
    found: list[Problem] = []
    persona: Persona | None = None
    try:
        persona = Persona.parse(data)
    except InvalidPersona as error:
        found += error.problems
    found += unplayable(data)
    if any(problem.rule == "extends" for problem in document.problems):
        found = [problem for problem in found if problem.rule in _OWN]
    problems = [*document.problems, *_beside(document.problems, (placed(p, root) for p in found))]
    if persona is None or problems:
        raise InvalidPersona.listing(problems)
    return persona


_OWN: Final = frozenset("unknown-key type not-text choice length spelling range".split())
"""Rules that a value breaks by itself, whatever would be inherited."""


def _beside(said: Iterable[Problem], found: Iterable[Problem]) -> list[Problem]:
    """Leave out what follows from a problem that the YAML has at the same place."""
    places = {(p.file, p.line, p.column) for p in said}
    return [p for p in found if p.rule == "missing" or (p.file, p.line, p.column) not in places]


@cache
def _bundled(name: str) -> Persona:
    path = content_dir("personas") / f"{name}.yaml"
    persona = read_persona(path)
    if persona.id != name:
        message = f"is {persona.id!r}; name and id must agree"
        raise InvalidPersona.listing([_located(path, Problem("name", message, ("id",)))])
    return persona


def _located(path: Path, problem: Problem) -> Problem:
    """Return a problem of a file that can be read, with its place."""
    root = read_lineage(path, content_dir("personas")).root
    return placed(problem, root) if root else problem._replace(file=str(path))


def load_persona(persona: PersonaSpec) -> Persona:
    """Return a persona, given its bundled name, a path to a YAML file, or the value itself.

    Raises:
        UnknownName: If no bundled persona has the name.
        InvalidPersona: If the file is not a valid persona.

    >>> load_persona("laid-off-engineer").identity.age
    52
    """
    if isinstance(persona, Persona):
        return persona
    path = _file(persona)
    if path is not None:
        return read_persona(path)
    name, names = str(persona), persona_names()
    if name not in names:
        several = name in _casts()
        hint = "It is a cast: give it as cast=." if several else "A path must end in .yaml."
        raise UnknownName.among("persona", name, names, hint)
    return _bundled(name)


def _file(persona: PersonaSpec) -> Path | None:
    """Return the path of a file of one's own, or None if this is none."""
    if isinstance(persona, Persona):
        return None
    if not isinstance(persona, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        shown = repr(persona)[:80]
        message = f"persona={shown}: expected a name, a path or a Persona; a Cast goes to cast="
        raise InvalidArgument(message)
    if isinstance(persona, os.PathLike) or persona.endswith((".yaml", ".yml")):
        return Path(persona)
    return None


def load_personas(selection: PersonaSpec | Iterable[PersonaSpec] = "all") -> dict[str, Persona]:
    """Return the personas of the selected cells, by id, in order.

    Args:
        selection: See `load_cells`.

    Raises:
        InvalidArgument: See `load_cells`.

    >>> list(load_personas("laid-off-engineer new-mother need:absolution"))
    ['laid-off-engineer']
    """
    return {persona.id: persona for persona, _ in load_cells(selection)}


def load_cells(selection: PersonaSpec | Iterable[PersonaSpec] = "all") -> list[Cell]:
    """Return the selected cells, each a persona with one of its needs, in order.

    Args:
        selection: `"all"`; or space-separated terms that must all hold for a cell, `split:dev`,
            `tag:work`, `need:deep_empathy`, and names of which one must hold; or a path, a
            persona, or an iterable of names, paths and personas, with all their needs.

    Raises:
        UnknownName: If a term, a name, a need or a split does not exist.
        InvalidPersona: If a file breaks a rule, two personas share an id, or personas of different
            splits share text; all problems of all files are in it.
        InvalidArgument: If nothing is selected.

    >>> [need for _, need in load_cells("laid-off-engineer need:absolution")]
    ['absolution']
    """
    chosen = selection
    if not isinstance(chosen, str):
        chosen = [chosen] if isinstance(chosen, (os.PathLike, Persona)) else list(chosen)
    cells = _selected(chosen) if isinstance(chosen, str) else _given(chosen)
    if not cells:
        raise InvalidArgument(f"personas={chosen!r} selects no persona; see 'persona list'")
    return cells


def _given(personas: Iterable[PersonaSpec]) -> list[Cell]:
    return [(p, variant.need) for p in _people(personas) for variant in p.needs]


def _people(personas: Iterable[PersonaSpec]) -> list[Persona]:
    """Return these personas, each once, if nothing is wrong with them beside each other."""
    sources, problems = _gathered(personas)
    if problems:
        raise InvalidPersona.listing(problems)
    return list({source.persona.id: source.persona for source in sources}.values())


def _selected(selection: str) -> list[Cell]:
    terms = selection.split()
    rules = [tuple(term.split(":", 1)) for term in terms if ":" in term]
    for key, value in rules:
        if key not in _VALUES:
            raise UnknownName.among("selection key", key, _VALUES)
        known = _VALUES[key]
        if known is not None and value not in known:
            raise UnknownName.among(key, value, known)
    names = [term for term in terms if ":" not in term and term != "all"]
    return [
        (persona, variant.need)
        for persona in _people(names or persona_names())
        for variant in persona.needs
        if all(_holds(persona, variant, key, value) for key, value in rules)
    ]


_VALUES: Final[Mapping[str, Sequence[str] | None]] = {"split": SPLITS, "tag": None, "need": NEEDS}
"""What may stand before the colon of a term, and after it; None: anything."""


def _holds(persona: Persona, variant: NeedVariant, key: str, value: str) -> bool:
    match key:
        case "split":
            return split_of(persona, variant) == value
        case "tag":
            return value in persona.tags
        case _:
            return variant.need == value


def split_of(persona: Persona, variant: NeedVariant) -> Split:
    """Return the split that a cell belongs to: the variant's own, or else the persona's."""
    return variant.split or persona.split


@dataclass(frozen=True)
class _Source:
    """A persona and the file that it comes from, if it does."""

    persona: Persona
    path: Path | None
    """A file of one's own."""
    file: Path | None
    """That, or the file of the bundled persona that was named."""

    @classmethod
    def of(cls, spec: PersonaSpec) -> _Source:
        path = _file(spec)
        named = content_dir("personas") / f"{spec}.yaml" if isinstance(spec, str) else None
        return cls(load_persona(spec), path, path or named)

    @cached_property
    def root(self) -> Node | None:
        return read_lineage(self.file, content_dir("personas")).root if self.file else None

    @property
    def name(self) -> str:
        return str(self.path or f"the persona {self.persona.id!r}")

    def problem(self, problem: Problem) -> Problem:
        if self.path is None:
            return problem._replace(file=self.persona.id)
        return placed(problem, self.root) if self.root else problem._replace(file=self.name)


def check_personas(personas: Iterable[PersonaSpec]) -> list[Problem]:
    """Return everything that is wrong with these personas, each by itself and beside each other.

    Args:
        personas: Paths to YAML files, bundled names, or values.

    Raises:
        UnknownName: If no bundled persona has a name that is given.
    """
    return list(InvalidPersona.listing(_gathered(personas)[1]).problems)


def _gathered(personas: Iterable[PersonaSpec]) -> tuple[list[_Source], list[Problem]]:
    """Load personas, and return them with what is wrong with them."""
    sources: list[_Source] = []
    problems: list[Problem] = []
    for spec in personas:
        try:
            sources.append(_Source.of(spec))
        except InvalidPersona as error:
            problems += error.problems
    # What two files inherit from a third that is broken is said once.
    return sources, [*dict.fromkeys(problems), *_same_ids(sources), *_shared_text(sources)]


def _same_ids(sources: Iterable[_Source]) -> Iterator[Problem]:
    first: dict[str, _Source] = {}
    for source in sources:
        earlier = first.setdefault(source.persona.id, source)
        if earlier.persona != source.persona:
            message = f"{source.persona.id!r} is also the id of {earlier.name}"
            hint = "Two different personas need two ids."
            yield source.problem(Problem("duplicate-id", message, ("id",), hint))


def _shared_text(sources: Sequence[_Source]) -> Iterator[Problem]:
    """Find what would let one see in training what is held out for a test.

    Only if there is a file among them: the bundled ones are checked by the package's own tests.
    """
    if all(source.path is None for source in sources):
        return
    met: dict[str, list[tuple[_Source, Field, set[Split]]]] = {}
    inherited: dict[tuple[str, str], list[tuple[_Source, _Source, Field]]] = {}
    for source in sources:
        for field, text, splits in _texts(source.persona):
            earlier = met.setdefault(text, [])
            for other, place, theirs in earlier:
                if other.persona.id == source.persona.id or len(splits | theirs) < 2:
                    continue
                if _inherits(source, field, other, place):
                    pair = (source.persona.id, other.persona.id)
                    inherited.setdefault(pair, []).append((source, other, field))
                else:
                    yield _shared(source, field, other, place)
                break
            earlier.append((source, field, splits))
    for texts in inherited.values():
        source, other, first = texts[0]
        yield _strayed(source, other, first, len(texts))


def _inherits(source: _Source, field: Field, other: _Source, place: Field) -> bool:
    ours, theirs = source.root, other.root
    return ours is not None and theirs is not None and one_value(ours, field, theirs, place)


def _strayed(source: _Source, other: _Source, field: Field, count: int) -> Problem:
    """Say once of all texts that a variant in another split than its base has them from there."""
    assert source.root is not None
    text, _ = find(source.root, field)
    own = source.file is not None and real(source.file) == real(Path(text.place.file))
    variant, base = (other, source) if own else (source, other)
    texts = "1 inherited text is" if count == 1 else f"{count} inherited texts are"
    message = f"{texts} met in another split with {base.name}, such as {'.'.join(map(str, field))}"
    hint = f"A variant stays in the split of its base ({base.persona.split}), or has its own texts."
    problem = variant.problem(Problem("shared-text", message, ("split",), hint))
    if variant.path and problem.file != str(variant.path):
        return variant.problem(problem._replace(field=()))
    return problem


def _shared(source: _Source, field: Field, other: _Source, place: Field) -> Problem:
    where = other.problem(Problem("", "", place))
    at = f"{where.file}:{where.line}" if where.line else where.file
    message = f"the same text is in another split, at {at} ({'.'.join(map(str, place))})"
    hint = "Reword one of the two: what is held out must not be met in training."
    return source.problem(Problem("shared-text", message, field, hint))


_FEWEST_WORDS: Final = 4
"""Text of fewer words is what anybody might say."""


def _texts(persona: Persona) -> Iterator[tuple[Field, str, set[Split]]]:
    """Yield the persona's texts, normalised, each with its field and the splits it is met in."""
    data = persona.to_data()
    everywhere: set[Split] = {split_of(persona, variant) for variant in persona.needs}
    for field, text in leaves(data):
        words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
        if len(words) < _FEWEST_WORDS or field[0] in ("author", "identity"):
            continue
        own = field[0] == "needs" and isinstance(field[1], int)
        here: set[Split] = {split_of(persona, persona.needs[int(field[1])])} if own else everywhere
        yield field, " ".join(words), here
