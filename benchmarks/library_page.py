"""Write the generated parts of docs/persona-library.md: the bundled personas and what they cover.

python benchmarks/library_page.py
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from empathy_env import load_cells, load_personas
from empathy_env.library import SPLITS, check_personas, content_dir, split_of
from empathy_env.persona import NEEDS, Need, Persona, Split

PAGE = Path(__file__).parent.parent / "docs" / "persona-library.md"
PEOPLE = tuple(load_personas().values())
CELLS: tuple[tuple[Persona, Need, Split], ...] = tuple(
    (persona, need, split_of(persona, persona.variant(need))) for persona, need in load_cells()
)
REGISTERS = ("plain", "casual", "formal", "texting")
VERBOSITIES = ("terse", "medium", "talkative")
TEMPERS = ("reactivity", "trustfulness", "patience")
AGES = ((0, 19), (20, 29), (30, 39), (40, 49), (50, 64), (65, 200))
LONGEST_OCCUPATION = 45


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: int = 0) -> str:
    """Return a Markdown table; the last `numbers` columns are set to the right."""
    rule = ["---"] * (len(head) - numbers) + ["--:"] * numbers
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(rule) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def summary() -> str:
    """Return in a few sentences what the tables below add up to."""
    by_need = Counter(need for _, need, _ in CELLS)
    by_cell = Counter((need, split) for _, need, split in CELLS)
    splits = Counter(person.split for person in PEOPLE)
    fewest = [min(by_cell[need, split] for need in NEEDS) for split in SPLITS]
    paths = [content_dir("personas") / f"{person.id}.yaml" for person in PEOPLE]
    shared = sum(problem.rule == "shared-text" for problem in check_personas(paths))
    return (
        f"{len(PEOPLE)} people, {len(CELLS)} cells of a person and a need. By home split: "
        + ", ".join(f"{splits[split]} {split}" for split in SPLITS)
        + f".\nThe need with the fewest people has {min(by_need[need] for need in NEEDS)}, the one "
        f"with the most {max(by_need.values())}. Every split has every need: at\nleast "
        + ", ".join(f"{few} cells in {split}" for few, split in zip(fewest, SPLITS, strict=True))
        + f".\nTexts of four words or more that two people of different splits share: {shared}."
    )


def people() -> str:
    """Return who is there, one person a row."""
    head = "id name age occupation register verbosity temperament tags needs split".split()
    return table(
        head,
        (
            (
                f"`{person.id}`",
                person.identity.name,
                person.identity.age,
                _occupation(person),
                person.voice.register_,
                person.voice.verbosity,
                " / ".join(f"{value:g}" for value in _tempers(person)),
                ", ".join(person.tags),
                ", ".join(_need(person, variant.need) for variant in person.needs),
                person.split,
            )
            for person in PEOPLE
        ),
    )


def _occupation(person: Persona) -> str:
    """Return the occupation; of a long one what stands before the first comma."""
    whole = person.identity.occupation
    return whole if len(whole) <= LONGEST_OCCUPATION else whole.split(",")[0]


def _tempers(person: Persona) -> list[float]:
    return [getattr(person.temperament, name) for name in TEMPERS]


def _need(person: Persona, need: Need) -> str:
    words, split = need.replace("_", " "), split_of(person, person.variant(need))
    return words if split == person.split else f"**{words}** ({split})"


def needs() -> str:
    """Return how many cells each need has, by split."""
    found = Counter((need, split) for _, need, split in CELLS)
    return table(
        ("need", *SPLITS, "all"),
        [
            *((f"`{need}`", *_row(found[need, split] for split in SPLITS)) for need in NEEDS),
            ("all", *_row(sum(found[need, split] for need in NEEDS) for split in SPLITS)),
        ],
        numbers=4,
    )


def _row(counts: Iterable[int]) -> list[int]:
    numbers = list(counts)
    return [*numbers, sum(numbers)]


def held_out() -> str:
    """Return the cells that belong to another split than their person does."""
    return table(
        ("person", "need", "the person is in", "the cell is in"),
        (
            (f"`{person.id}`", f"`{need}`", person.split, split)
            for person, need, split in CELLS
            if split != person.split
        ),
    )


def _by_split(head: str, groups: Iterable[tuple[str, Iterable[Persona]]]) -> str:
    """Return how many people each group has, by their own split."""
    rows = ((name, Counter(person.split for person in group)) for name, group in groups)
    return table(
        (head, *SPLITS, "all"),
        ((name, *_row(found[split] for split in SPLITS)) for name, found in rows),
        numbers=4,
    )


def tags() -> str:
    """Return how many people carry each tag, the most frequent first."""
    found = Counter(tag for person in PEOPLE for tag in person.tags)
    ordered = sorted(found, key=lambda tag: (-found[tag], tag))
    return _by_split("tag", ((f"`{tag}`", [p for p in PEOPLE if tag in p.tags]) for tag in ordered))


def ages() -> str:
    """Return how many people there are in each band of age."""
    return _by_split(
        "age",
        (
            (_band(low, high), [p for p in PEOPLE if low <= p.identity.age <= high])
            for low, high in AGES
        ),
    )


def _band(low: int, high: int) -> str:
    if low == AGES[0][0]:
        return f"up to {high}"
    return f"{low} and over" if high == AGES[-1][1] else f"{low} to {high}"


def voices() -> str:
    """Return how many people there are by register and verbosity."""
    found = Counter((p.voice.register_, p.voice.verbosity) for p in PEOPLE)
    return table(
        ("register", *VERBOSITIES, "all"),
        ((name, *_row(found[name, verbosity] for verbosity in VERBOSITIES)) for name in REGISTERS),
        numbers=4,
    )


def tempers() -> str:
    """Return how the three numbers of the temperament are spread."""
    rows: list[tuple[object, ...]] = []
    for number, name in enumerate(TEMPERS):
        values = [_tempers(person)[number] for person in PEOPLE]
        low = sum(value < 0.45 for value in values)
        high = sum(value > 0.55 for value in values)
        spread = (f"{value:g}" for value in (min(values), median(values), max(values)))
        rows.append((f"`{name}`", *spread, low, len(values) - low - high, high))
    head = ("number", "least", "median", "most", "below 0.45", "0.45 to 0.55", "above 0.55")
    return table(head, rows, numbers=6)


PARTS: dict[str, Callable[[], str]] = {
    "summary": summary,
    "people": people,
    "needs": needs,
    "held-out": held_out,
    "tags": tags,
    "ages": ages,
    "voices": voices,
    "tempers": tempers,
}


def written(page: str) -> str:
    """Return the page with every generated part put in anew."""
    for name, part in PARTS.items():
        text = part()
        page, count = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda found, text=text: f"{found.group(1)}{text}\n{found.group(2)}",
            page,
            flags=re.DOTALL,
        )
        assert count == 1, f"{PAGE.name} has {count} places for {name!r}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
