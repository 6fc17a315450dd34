"""`empathy-env cast`: list, show, check and begin casts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from empathy_env.cast import (
    CAST_FILE,
    Cast,
    Member,
    Room,
    Toward,
    TurnRule,
    cast_names,
    casts_dir,
    load_cast,
    read_room,
)
from empathy_env.cast_findings import CastSubject, findings_between, findings_shared
from empathy_env.cast_form import (
    CAST_SCHEMA_NAME,
    blank_cast,
    cast_schema,
    cast_schema_text,
)
from empathy_env.commands.console import AsJson, out, print_json, print_plain, print_table, tracked
from empathy_env.commands.findings import report
from empathy_env.document import placed
from empathy_env.errors import InvalidArgument, Problem
from empathy_env.findings import findings_alone
from empathy_env.form import SCHEMA_NAME, schema_text
from empathy_env.library import load_persona, persona_names
from empathy_env.likeness import findings_beside
from empathy_env.persona import Persona
from empathy_env.source import real
from empathy_env.subject import Finding, Subject, read_subjects

app = typer.Typer(help="Casts: several people who talk in one room.", no_args_is_help=True)

TURNS: Final[dict[TurnRule, str]] = {
    "moderated": "those speak whom the agent calls by name",
    "round-robin": "those speak who are called by name; the others speak or pass",
    "addressed-next": "those speak whom the agent, or one of the others, calls by name",
    "free": "those speak who are called by name, and those who want to",
}
"""What each rule of turns says, in a few words."""


@app.command("list")
def list_casts(as_json: AsJson = False) -> None:
    """List the casts that come with the package."""
    casts = [load_cast(name) for name in cast_names()]
    rows = [
        {
            "id": cast.id,
            "split": cast.split,
            "people": [member.persona.id for member in cast.people],
            "names": list(cast.names),
            "turns": cast.turns,
            "tags": list(cast.tags),
        }
        for cast in casts
    ]
    if as_json:
        print_json(rows)
        return
    table = ((c.id, c.split, ", ".join(c.names), c.turns, ", ".join(c.tags)) for c in casts)
    print_table(("id", "split", "people", "turns", "tags"), table)


@app.command("show")
def show(
    cast: Annotated[str, typer.Argument(help="Name, or path to a YAML file.")],
    as_json: AsJson = False,
) -> None:
    """Show who is in the room, and how they stand to each other."""
    room = load_cast(cast)
    if as_json:
        print_json(room.to_data())
        return
    out.print(f"[bold]{escape(room.id)}[/bold], split {room.split}", highlight=False)
    print_plain(room.situation.strip())
    print_plain(f"Turns: {room.turns}, {TURNS[room.turns]}.")
    for member in room.people:
        who = member.persona.identity
        out.print(f"\n[bold]{escape(who.name)}[/bold], {who.age}, {escape(who.occupation)}")
        print_plain("\n".join(_relations(room, member)))


def _relations(cast: Cast, member: Member) -> Iterator[str]:
    needs = " or ".join(variant.need.replace("_", " ") for variant in member.persona.needs)
    yield f"  They may need: {needs}."
    people = {other.persona.id: other for other in cast.people}
    for toward in member.toward:
        yield from _relation(people[toward.who], toward)
    for id, other in people.items():
        if other is not member and all(toward.who != id for toward in member.toward):
            yield f"  {other.name}: somebody they hardly know."


def _relation(other: Member, toward: Toward) -> Iterator[str]:
    name = other.name
    yield f"  {name}: {toward.relation.strip()}"
    yield f"    closeness {toward.closeness:g}, tension {toward.tension:g}"
    if toward.concerns:
        yield f"    Holds against {name}: {', '.join(toward.concerns)}."
    for known in toward.knows:
        slips = "keeps it" if known.slips is None else f'in anger: "{known.slips}"'
        yield f"    Knows of {known.fact}: {slips}"
    for kind, lines in (("harsh", toward.harsh), ("warm", toward.warm)):
        if lines:
            yield f'    {len(lines)} {kind}, such as: "{lines[0]}"'


@app.command("check")
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, folders, or names; the bundled casts if left out."),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(min=1, help="Most talks of the oracle with each need, until half succeed."),
    ] = 3,
    as_json: AsJson = False,
) -> None:
    """Say what is the matter with casts and with the people in them; exit 1 at an error."""
    files = _files(paths) if paths else [casts_dir() / n / CAST_FILE for n in cast_names()]
    rooms = [read_room(file) for file in files]
    own = list(dict.fromkeys(file for room in rooms for file in room.files if file is not None))
    people, found = read_subjects(own)
    casts = [CastSubject(r.loaded, r.root) for r in rooms if r.root and not r.problems]
    circles = [[member.persona.id for member in one.cast.people] for one in casts]
    found = [*_problems(rooms, found), *_twice(files, rooms)]
    found += findings_beside(people, together=circles)
    for cast in casts:
        found += findings_between(cast)
    found += findings_shared(casts, _everybody(people))
    for subject in tracked(people, "playing", len(people)):
        found += findings_alone(subject, seeds=seeds)
    report(len(files) + len(own), found, as_json=as_json)


def _everybody(people: Iterable[Subject]) -> list[Persona]:
    return [*map(load_persona, persona_names()), *(subject.persona for subject in people)]


_UNUSABLE: Final = "The cast cannot be loaded, so no talk can be played with it."


def _problems(rooms: Iterable[Room], found: Sequence[Finding]) -> list[Finding]:
    """Add the problems of the casts to those of their people, each once."""
    said = {finding.problem for finding in found}
    problems = dict.fromkeys(problem for room in rooms for problem in room.problems)
    return [*found, *(Finding("error", p, _UNUSABLE) for p in problems if p not in said)]


def _twice(files: Sequence[Path], rooms: Sequence[Room]) -> Iterator[Finding]:
    """Yield the casts that have the id of another, of these or of the bundled ones."""
    own = {real(file) for file in files}
    bundled = {name: casts_dir() / name / CAST_FILE for name in cast_names()}
    first = {name: file for name, file in bundled.items() if real(file) not in own}
    for file, room in zip(files, rooms, strict=True):
        id = room.data.get("id")
        if room.root is None or not isinstance(id, str):
            continue
        if real(earlier := first.setdefault(id, file)) != real(file):
            message = f"{id!r} is also the id of {earlier}"
            hint = "Two different casts need two ids."
            problem = placed(Problem("duplicate-id", message, ("id",), hint), room.root)
            yield Finding("error", problem, "Their talks cannot be told apart in a trace.")


def _files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are meant: a folder is a cast or holds some, a name is bundled."""
    found: list[Path] = []
    for path in paths:
        if os.path.isdir(path):  # never raises, whatever the path
            inside = [path / CAST_FILE, *sorted(path.glob(f"*/{CAST_FILE}"))]
            held = [file for file in inside if file.is_file()]
            if not held:
                raise InvalidArgument(f"{path} holds no cast: there is no {CAST_FILE} in it")
            found += held
        elif str(path) in cast_names():
            found.append(casts_dir() / path / CAST_FILE)
        else:
            found.append(path)
    return list({real(path): path for path in found}.values())


@app.command("new")
def new(
    id: Annotated[str, typer.Argument(help="Its name: lower-case words joined by hyphens.")],
    people: Annotated[int, typer.Option(min=2, max=6, help="How many people.")] = 2,
    folder: Annotated[Path, typer.Option("--out", help="Where its folder is made.")] = Path(),
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "train",
) -> None:
    """Write a folder with a commented cast and its people to edit; it can be played as it is."""
    own = folder / id
    if os.path.lexists(own):
        raise InvalidArgument(f"{own} exists: give another name or another folder (--out)")
    if id in cast_names():
        raise InvalidArgument(f"id={id!r} is a bundled cast: two casts never share an id")
    texts = blank_cast(id, people, split=split)
    texts |= {SCHEMA_NAME: schema_text(), CAST_SCHEMA_NAME: cast_schema_text()}
    own.mkdir(parents=True)
    for name, text in texts.items():
        with (own / name).open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    print_plain(
        f"Wrote {own}. Replace the placeholders, field by field, in each of its files, then:\n"
        f"  empathy-env cast check {own}\n  empathy-env cast show {own / CAST_FILE}"
    )


@app.command("schema")
def schema(
    path: Annotated[Path | None, typer.Option("--out", help="File to write.")] = None,
) -> None:
    """Print the JSON Schema of a cast's file, for editors."""
    if path is None:
        print_json(cast_schema())
        return
    path.write_text(cast_schema_text(), encoding="utf-8", newline="\n")
    print_plain(f"Wrote {path}.")
