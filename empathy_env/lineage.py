"""A persona file together with those it extends, as one tree.

`extends: laid-off-engineer` at the top of a file builds on a bundled persona, `extends: base.yaml`
on a file beside it; that one may extend another, and need not be a whole persona itself.

- Groups of fields are merged, field by field. Any other value replaces what was inherited.
- Lists of things with an `id` (facts, feelings, beliefs) and of `needs` are merged thing by thing:
  what has an inherited id, or need, changes that one; what has another is added at the end.
  `{id: door, remove: true}` takes an inherited one out. Other lists replace.
- `null` takes an inherited value out.
- `id` is not inherited: two people never share one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from empathy_env.document import Document, Field, Node, fields_of, read_document
from empathy_env.errors import Problem, closest
from empathy_env.source import real

LONGEST: Final = 8
"""Most files in one line of descent."""


def read_lineage(path: Path, bundled: Path) -> Document:
    """Read a file and those it extends; each node keeps its place in the file that it is from.

    If what it extends cannot be had, there is a problem with the rule "extends", and the tree is
    that of the file alone.

    Args:
        path: The file.
        bundled: The folder in which the name of a persona is looked up.
    """
    return _read(path, bundled, ())


def _read(path: Path, bundled: Path, heirs: tuple[Path, ...]) -> Document:
    tree, problems = _grown(path, bundled, heirs)
    if tree is None:
        return Document(None, problems)
    found: list[Problem] = []
    cleared = _cleared(tree, (), found)
    # Without its base nobody knows what could have been taken out.
    alone = any(problem.rule == "extends" for problem in problems)
    return Document(cleared, problems if alone else (*problems, *found))


def _grown(path: Path, bundled: Path, heirs: tuple[Path, ...]) -> Document:
    own = read_document(path)
    if own.root is None or "extends" not in fields_of(own.root):
        return own
    fields = fields_of(own.root)
    said = fields.pop("extends")
    alone = replace(own.root, value=fields)
    heirs = (*heirs, real(path))
    base = _base(said, path, bundled, heirs)
    if isinstance(base, Problem):
        return Document(alone, (*own.problems, base))
    inherited = _read(base, bundled, heirs)
    problems = (*own.problems, *inherited.problems)
    if inherited.root is None:
        broken = _problem(said, f"{said.value!r} cannot be read; its problems are listed too")
        return Document(alone, (*problems, broken))
    tree = merged(_heritage(inherited.root), alone)
    return Document(tree, (*problems, *_same_id(inherited.root, fields)))


def _base(said: Node, path: Path, bundled: Path, heirs: tuple[Path, ...]) -> Path | Problem:
    """Return the file that `extends` names, or why it cannot be used."""
    name = said.value
    if not isinstance(name, str) or not name:
        return _problem(said, "must be the name of a bundled persona, or a path ending in .yaml")
    if name.endswith((".yaml", ".yml")):
        base, hint = path.parent / name, "A path counts from the folder of this file."
    else:
        base = bundled / f"{name}.yaml"
        near = closest(name, (file.stem for file in bundled.glob("*.yaml")))
        hint = f"Did you mean {near!r}?" if near else "A path must end in .yaml."
    if not os.path.isfile(base):  # never raises, whatever the name
        kind = "file" if name.endswith((".yaml", ".yml")) else "bundled persona"
        return _problem(said, f"there is no {kind} {name!r}", hint)
    if real(base) in heirs:
        way = " -> ".join([file.name for file in heirs] + [base.name])
        return _problem(said, f"these files extend each other: {way}", "Take one 'extends' out.")
    if len(heirs) >= LONGEST:
        return _problem(said, f"more than {LONGEST} files extend each other")
    return base


def _problem(said: Node, message: str, hint: str = "") -> Problem:
    return Problem("extends", message, ("extends",), hint, *said.place)


def _heritage(base: Node) -> Node:
    """Return what is handed down: all but the id, and a bare type of temperament as a group."""
    fields = {key: node for key, node in fields_of(base).items() if key != "id"}
    temperament = fields.get("temperament")
    if temperament is not None and isinstance(temperament.value, str):
        fields["temperament"] = replace(temperament, value={"type": temperament})
    return replace(base, value=fields)


def _cleared(node: Node, path: Field, found: list[Problem]) -> Node:
    """Leave out what takes something out that is not inherited, and say so in `found`."""
    if isinstance(node.value, dict):
        fields = {key: _cleared(item, (*path, key), found) for key, item in node.value.items()}
        return replace(node, value=fields)
    if not isinstance(node.value, list):
        return node
    kept: list[Node] = []
    idle: list[tuple[int, Node]] = []
    for number, item in enumerate(node.value):
        if _removes(item) and (_name(item, "id") or _name(item, "need")):
            idle.append((number, item))
        else:
            kept.append(_cleared(item, (*path, number), found))
    found += [_idle(item, (*path, number), kept) for number, item in idle]
    return replace(node, value=kept)


def _idle(item: Node, path: Field, others: Sequence[Node]) -> Problem:
    kind = "id" if _name(item, "id") else "need"
    name = _name(item, kind)
    names = [other for other in (_name(other, kind) for other in others) if other]
    near = closest(name, names)
    hint = f"There are: {', '.join(names)}." if names else "Leave it out."
    hint = f"Did you mean {near!r}?" if near else hint
    message = f"there is no inherited {name!r} to take out"
    return Problem("remove", message, path, hint, *item.place)


def _same_id(base: Node, own: Mapping[str, Node]) -> list[Problem]:
    """Two people never share an id: their episodes could not be told apart."""
    theirs, ours = fields_of(base).get("id"), own.get("id")
    if theirs is None or ours is None or theirs.value != ours.value:
        return []
    message = f"{ours.value!r} is the id of the persona that this one extends"
    return [Problem("duplicate-id", message, ("id",), "Give it an id of its own.", *ours.place)]


def merged(base: Node, own: Node) -> Node:
    """Return what becomes of an inherited value under a value of one's own."""
    if isinstance(base.value, dict) and isinstance(own.value, dict):
        return replace(own, value=_merged_fields(base.value, own.value))
    if isinstance(base.value, list) and isinstance(own.value, list) and own.value:
        for name in ("id", "need"):
            if base.value and all(_name(item, name) for item in base.value):
                return replace(own, value=_merged_items(base.value, own.value, name))
    return own


def _merged_fields(base: Mapping[str, Node], own: Mapping[str, Node]) -> dict[str, Node]:
    fields = dict(base)
    for key, node in own.items():
        if key not in base:
            fields[key] = node
        elif node.value is None:
            del fields[key]
        else:
            fields[key] = merged(base[key], node)
    return fields


def _merged_items(base: Sequence[Node], own: Sequence[Node], name: str) -> list[Node]:
    items = {_name(item, name): item for item in base}
    added: list[Node] = []
    changed: set[str] = set()
    for item in own:
        key = _name(item, name)
        if key not in items or key in changed:
            added.append(item)
            continue
        changed.add(key)
        if _removes(item):
            del items[key]
        else:
            items[key] = merged(items[key], item)
    return [*items.values(), *added]


def _removes(item: Node) -> bool:
    remove = fields_of(item).get("remove")
    return remove is not None and remove.value is True


def _name(item: Node, name: str) -> str:
    named = fields_of(item).get(name)
    return named.value if named is not None and isinstance(named.value, str) else ""
