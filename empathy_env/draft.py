"""A persona as far as its data makes sense, and what contradicts itself in it.

The rules here look at several fields at once. They read plain data, whatever is wrong with it, and
pass over what is not sound, so that one bad field is one problem and not a dozen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, cast

from empathy_env.acts import HARMFUL
from empathy_env.errors import MAX_PROBLEMS, Problem, closest

Field = tuple[str | int, ...]

LEAST_LINES: Final[Mapping[str, int]] = {
    "opens_up": 4,
    "guarded": 4,
    "deflects": 3,
    "hurt": 4,
    "relieved": 3,
    "leaves": 1,
}
"""How many example lines of each situation a voice needs, so that nobody repeats themselves."""


class Item(NamedTuple):
    """A fact, feeling or belief, as far as it is sound.

    Attributes:
        field: Where it stands.
        id: Its id; "" if it has none.
        words: Its keywords.
        gated: False if the opening is what tells it.
        trust: The trust that its gate asks for, in [0, 1].
        acts: The acts that open its gate.
        topic: The ids that its gate names.
    """

    field: Field
    id: str
    words: tuple[str, ...] = ()
    gated: bool = True
    trust: float = 0.0
    acts: tuple[str, ...] = ()
    topic: tuple[str, ...] = ()


class Draft(NamedTuple):
    """What the rules look at.

    Attributes:
        opening: The opening line; "" if there is none.
        shared: What can be told whatever the need.
        needs: For each variant the need, "" if there is none, and the facts of its own.
        lines: How many example lines each situation has.
    """

    opening: str
    shared: tuple[Item, ...]
    needs: tuple[tuple[str, tuple[Item, ...]], ...]
    lines: Mapping[str, int]

    @classmethod
    def of(cls, data: object) -> Draft:
        """Read a persona's plain data."""
        groups = ("facts", "feelings", "beliefs")
        shared = [item for group in groups for item in _items(data, (group,))]
        needs = [
            (_text(_get(variant, "need")), tuple(_items(variant, ("facts",), ("needs", number))))
            for number, variant in enumerate(_list(_get(data, "needs")))
        ]
        lines = _get(_get(data, "voice"), "lines")
        given = {name: _get(lines, name) for name in LEAST_LINES} if _is_map(lines) else {}
        counts = {name: len(_list(v)) for name, v in given.items() if v is None or _is_list(v)}
        return cls(_text(_get(data, "opening")), tuple(shared), tuple(needs), counts)

    @property
    def variants(self) -> list[tuple[Item, ...]]:
        """For each variant, all that can be told in it; without one, what all would share."""
        return [(*self.shared, *own) for _, own in self.needs] or [self.shared]

    @property
    def items(self) -> tuple[Item, ...]:
        """All items of all variants, each once."""
        return (*self.shared, *(item for _, own in self.needs for item in own))


def _items(data: object, path: Field, above: Field = ()) -> Iterator[Item]:
    for number, item in enumerate(_list(_get(data, str(path[-1])))):
        field = (*above, *path, number)
        gate = _get(item, "gate")
        trust = _get(gate, "trust")
        yield Item(
            field,
            _text(_get(item, "id")),
            tuple(_texts(_get(item, "words"))),
            gated=gate is not None or path != ("facts",) or not _is_map(item),
            trust=float(trust) if type(trust) in (int, float) and 0 <= trust <= 1 else 0.0,
            acts=tuple(_texts(_get(gate, "acts"))),
            topic=tuple(_texts(_get(gate, "topic"))),
        )


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _get(value: object, key: str) -> Any:
    return cast("Mapping[str, Any]", value).get(key) if isinstance(value, Mapping) else None


def _list(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> Iterator[str]:
    return (item for item in _list(value) if isinstance(item, str))


def contradictions(data: object) -> list[Problem]:
    """Return what contradicts itself in a persona's plain data, without what a schema can say."""
    draft = Draft.of(data)
    found = (problem for rule in _RULES for problem in rule(draft))
    return list(islice(found, MAX_PROBLEMS + 1))


def _needs_once(draft: Draft) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, (need, _) in enumerate(draft.needs):
        if need and seen.setdefault(need, number) != number:
            message = f"the need {need!r} is given twice, first in needs.{seen[need]}"
            field = ("needs", number, "need")
            yield Problem("duplicate-need", message, field, "Make one variant of the two.")


def _something_told(draft: Draft) -> Iterator[Problem]:
    facts = [item for item in draft.shared if item.field[0] == "facts"]
    if facts and all(item.gated and item.id for item in facts):
        message = "every fact has a gate, so the opening tells none"
        hint = "Leave the gate out of what the opening line says."
        yield Problem("nothing-told", message, ("facts",), hint)


def _own_facts_gated(draft: Draft) -> Iterator[Problem]:
    for number, (need, own) in enumerate(draft.needs):
        for item in own:
            if not item.gated:
                message = (
                    f"the fact {item.id!r} of need {need or number!r} has no gate, but all "
                    "variants share the opening, so it cannot have been told there"
                )
                yield Problem("ungated", message, item.field, "Give it a 'gate'.")


def _ids_once(draft: Draft) -> Iterator[Problem]:
    said: set[Field] = set()
    for items in draft.variants:
        first: dict[str, Item] = {}
        for item in items:
            earlier = first.setdefault(item.id, item)
            if item.id and earlier is not item and item.field not in said:
                said.add(item.field)
                other = ".".join(map(str, earlier.field))
                message = f"the id {item.id!r} is used twice, first in {other}"
                yield Problem("duplicate-id", message, (*item.field, "id"), "Rename one of them.")


def _topics_known(draft: Draft) -> Iterator[Problem]:
    if not all(item.id for item in draft.items):
        return  # what has no id yet may be what is meant
    shared = {item.id for item in draft.shared}
    owners = {item.id: need for need, own in draft.needs for item in own}
    for item in draft.shared:
        yield from _unknown_topics(item, shared, owners)
    for _, own in draft.needs:
        for item in own:
            yield from _unknown_topics(item, shared | {other.id for other in own}, owners)


def _unknown_topics(item: Item, known: set[str], owners: Mapping[str, str]) -> Iterator[Problem]:
    for number, topic in enumerate(item.topic):
        if topic in known:
            continue
        if topic in owners:
            message = f"{topic!r} is a fact of the need {owners[topic]!r} alone"
            hint = "Name something that every variant has, or move this to that need."
        else:
            message = f"there is no fact, feeling or belief with the id {topic!r}"
            near = closest(topic, known - {item.id})
            hint = f"Did you mean {near!r}?" if near else ""
        yield Problem("unknown-topic", message, (*item.field, "gate", "topic", number), hint)


def _acts_that_open(draft: Draft) -> Iterator[Problem]:
    for item in draft.items:
        if item.acts and all(act in HARMFUL for act in item.acts):
            message = f"harm never makes anybody open up, and {', '.join(item.acts)} only harm"
            hint = "Add an act that helps, such as open_question or reflection."
            yield Problem("harmful-gate", message, (*item.field, "gate", "acts"), hint)


def _topics_open(draft: Draft) -> Iterator[Problem]:
    said: set[frozenset[str]] = set()
    for items in draft.variants:
        waiting = _waiting(items)
        for item in items:
            circle = _circle(item.id, waiting)
            if not circle or frozenset(circle) in said:
                continue
            said.add(frozenset(circle))
            if len(circle) == 1:
                message = f"the gate of {item.id!r} waits for {item.id!r} itself, so it never opens"
            else:
                names = ", ".join(map(repr, circle))
                message = f"the gates of {names} wait for each other, so none of them opens"
            hint = "Name a topic that can come up before, or leave 'topic' out of one gate."
            yield Problem("closed-circle", message, (*item.field, "gate", "topic"), hint)


def _waiting(items: Iterable[Item]) -> dict[str, tuple[str, ...]]:
    """Return the ids that no order of telling reaches, each with the topics that it waits for.

    A topic that is not known, or that two items have for an id, counts as reached: that is said
    elsewhere.
    """
    count = Counter(item.id for item in items)
    waiting = {item.id: item.topic for item in items if item.topic and count[item.id] == 1}
    while reached := [i for i, topics in waiting.items() if not waiting.keys() >= {*topics}]:
        for item in reached:
            del waiting[item]
    return waiting


def _circle(start: str, waiting: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the circle of ids, each waiting for the next, that this one is part of, or ()."""
    if start not in waiting:
        return ()
    way = [start]
    while (ahead := waiting[way[-1]][0]) not in way:
        way.append(ahead)
    return tuple(way) if ahead == start else ()


def _lines_enough(draft: Draft) -> Iterator[Problem]:
    for name, least in LEAST_LINES.items():
        count = draft.lines.get(name, least)
        if count < least:
            message = f"{least} example lines are the least for {name!r}, and there are {count}"
            yield Problem("lines", message, ("voice", "lines", name))


_RULES: Final[tuple[Callable[[Draft], Iterator[Problem]], ...]] = (
    _needs_once,
    _something_told,
    _own_facts_gated,
    _ids_once,
    _topics_known,
    _acts_that_open,
    _topics_open,
    _lines_enough,
)
