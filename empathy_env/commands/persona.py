"""`empathy-env persona`: list, show, check and begin personas."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from empathy_env.acts import NEEDS, Need
from empathy_env.commands.console import AsJson, out, print_json, print_plain, print_table, tracked
from empathy_env.commands.findings import report
from empathy_env.commands.sheet import Course, courses, drawn, gate_rows, to_data
from empathy_env.episode import Task
from empathy_env.errors import InvalidArgument
from empathy_env.findings import findings_alone
from empathy_env.form import SCHEMA_NAME, blank, file_schema, need_lines, schema_text
from empathy_env.library import load_cells, load_persona, persona_names, split_of
from empathy_env.likeness import findings_beside
from empathy_env.persona import Persona
from empathy_env.subject import bundled_files, read_subjects

app = typer.Typer(help="Personas: those of the package, and your own.", no_args_is_help=True)


@app.command("list")
def list_personas(
    selection: Annotated[str, typer.Argument(help="Such as 'split:dev need:absolution'.")] = "all",
    as_json: AsJson = False,
) -> None:
    """List the personas, with the needs that are selected."""
    cells = load_cells(selection)
    chosen = {p.id: [p.variant(need) for one, need in cells if one.id == p.id] for p, _ in cells}
    rows: list[dict[str, Any]] = [
        {
            "id": p.id,
            "splits": list(dict.fromkeys(split_of(p, variant) for variant in chosen[p.id])),
            "name": p.identity.name,
            "age": p.identity.age,
            "occupation": p.identity.occupation,
            "needs": [variant.need for variant in chosen[p.id]],
            "tags": list(p.tags),
        }
        for p in {p.id: p for p, _ in cells}.values()
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("id", "splits", "name", "age", "needs", "tags")
    print_table(columns, ([_cell(row[name]) for name in columns] for row in rows))


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


@app.command("show")
def show(
    persona: Annotated[str, typer.Argument(help="Name, or path to a YAML file.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the talks.")] = 0,
    difficulty: Annotated[
        str, typer.Option(help="Preset, knobs, or both: severe,masking=0.9.")
    ] = "moderate",
    png: Annotated[Path | None, typer.Option("--png", help="Draw the curves here too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show who a persona is, what opens them up, and how three agents fare with each need."""
    someone = load_persona(persona)
    task = Task(persona=someone, difficulty=difficulty)
    save = _painter() if png else None
    curves: dict[Need, list[Course]] = {}
    for variant in tracked(someone.needs, "talking", len(someone.needs)):
        curves[variant.need] = courses(task, someone, variant.need, seed)
    if save and png:
        save(png, f"{someone.identity.name} ({someone.id}), {difficulty}", curves)
    if as_json:
        print_json(to_data(someone, curves))
        return
    _print_person(someone)
    _print_courses(someone, curves, f"seed {seed}, difficulty {difficulty}")
    if png:
        print_plain(f"Drawn in {png}.")


def _painter() -> Any:
    """Return the function that draws, which is only there with an extra."""
    try:
        from empathy_env.commands.picture import save_picture
    except ImportError as error:
        raise InvalidArgument(
            "--png needs matplotlib, which is not installed: pip install 'empathy-env[report]'"
        ) from error
    return save_picture


def _print_person(persona: Persona) -> None:
    who = persona.identity
    out.print(f"[bold]{escape(who.name)}[/bold], {who.age}, {escape(who.occupation)}")
    for text in (who.background, persona.happened, f'They begin: "{persona.opening}"'):
        out.print(text.strip(), markup=False, highlight=False)
    out.print()
    rows = [
        (
            row.tells,
            f"{row.kind}, {row.need.replace('_', ' ')}" if row.need else row.kind,
            f"{row.trust:.2f}",
            ", ".join(row.acts).replace("_", " ") or "anything",
            ", ".join(row.topic),
        )
        for row in gate_rows(persona)
    ]
    columns = ("told", "kind, need", "trust", "after one of", "about")
    print_table(columns, rows, "What is told at which trust, and after what")


def _print_courses(persona: Persona, curves: Mapping[Need, Sequence[Course]], how: str) -> None:
    for variant in persona.needs:
        out.print(f"\n[bold]{variant.need.replace('_', ' ')}[/bold]: {escape(variant.because)}")
        out.print(f"Met when: {variant.met_when.strip()}", markup=False, highlight=False)
        print_plain(f"Emotion, {how}:\n{drawn(curves[variant.need])}")


@app.command("check")
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, folders of them, or names; the bundled ones if left out."),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(min=1, help="Most talks of the oracle with each need, until half succeed."),
    ] = 3,
    as_json: AsJson = False,
) -> None:
    """Say what is the matter with personas, and what it means for training; exit 1 at an error."""
    files = _files(paths) if paths else bundled_files()
    subjects, found = read_subjects(files)
    found += findings_beside(subjects)
    for subject in tracked(subjects, "playing", len(subjects)):
        found += findings_alone(subject, seeds=seeds)
    report(len(files), found, as_json=as_json)


def _files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are meant: a folder stands for its files, a name for a bundled one."""
    bundled = {path.stem: path for path in bundled_files()}
    found: list[Path] = []
    for path in paths:
        if os.path.isdir(path):  # never raises, whatever the path
            inside = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
            if not inside:
                raise InvalidArgument(f"{path} holds no persona: no file in it ends in .yaml")
            found += inside
        else:
            found.append(path if path.suffix else bundled.get(str(path), path))
    return list(dict.fromkeys(found))


@app.command("new")
def new(
    id: Annotated[str, typer.Argument(help="Its name: lower-case words joined by hyphens.")],
    needs: Annotated[
        list[str] | None, typer.Option("--need", help="One of two to four; asked for if left out.")
    ] = None,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the file.")] = Path(),
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "train",
) -> None:
    """Write a commented persona file to edit. It holds a placeholder story and can be played."""
    path = folder / f"{id}.yaml"
    if path.exists():
        raise InvalidArgument(f"{path} exists: give another name or another folder (--out)")
    if id in persona_names():
        raise InvalidArgument(f"id={id!r} is a bundled persona: two people never share an id")
    text = blank(id, needs or _asked_needs(), split=split)
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    if not (folder / SCHEMA_NAME).exists():
        _write_schema(folder / SCHEMA_NAME)
    print_plain(
        f"Wrote {path}. Replace the placeholder story, field by field, then:\n"
        f"  empathy-env persona check {path}\n  empathy-env play {path} --show-mood"
    )


def _asked_needs() -> list[str]:
    """Ask which needs the person is to have, by number or name."""
    for number, (need, line) in enumerate(need_lines().items(), start=1):
        print_plain(f"  {number}. {need}: {line}")
    answer = str(typer.prompt("Two to four needs, by number or name"))
    numbers: dict[str, str] = {str(number): need for number, need in enumerate(NEEDS, start=1)}
    return [numbers.get(word, word) for word in answer.replace(",", " ").split()]


@app.command("schema")
def schema(
    path: Annotated[Path | None, typer.Option("--out", help="File to write.")] = None,
) -> None:
    """Print the JSON Schema of a persona file, for editors."""
    if path is None:
        print_json(file_schema())
        return
    _write_schema(path)
    print_plain(f"Wrote {path}.")


def _write_schema(path: Path) -> None:
    path.write_text(schema_text(), encoding="utf-8", newline="\n")
