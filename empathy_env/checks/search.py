"""The search for the smallest example that breaks a law."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

_UNHEEDED: Final = (
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.nested_given,
    HealthCheck.differing_executors,
)
"""What Hypothesis says about how examples are drawn is no matter of the law."""


class Broken(NamedTuple):
    """One way in which a law is broken.

    Attributes:
        message: What happens, in one sentence.
        dialogue: The talk in which it does, as text.
        law: The law, if it is another one than was looked at.
    """

    message: str
    dialogue: str = ""
    law: str = ""


class _Found(Exception):
    def __init__(self, broken: Broken):
        super().__init__(broken.message)
        self.broken = broken


def smallest(
    examples: SearchStrategy[T],
    broken: Callable[[T], Broken | None],
    *,
    most: int,
    small: Iterable[T] = (),
) -> Broken | None:
    """Return how the smallest example breaks a law, or None if none of them does.

    The same examples are tried each time. An example that breaks the law only now and then cannot
    be made smaller; the smallest that was met is returned.

    Args:
        examples: What to try.
        broken: Says how an example breaks the law; None if it does not.
        most: How many examples are tried before any of them breaks it.
        small: What to try before these, from small to large: the first that breaks the law is the
            smallest.
    """
    for example in small:
        result = broken(example)
        if result is not None:
            return result
    met: list[Broken] = []

    def examine(example: T) -> None:
        result = broken(example)
        if result is not None:
            met.append(result)
            raise _Found(result)

    try:
        for example in drawn(examples, most):
            examine(example)
    except _Found:
        return _shrunk(examples, examine, most, met)
    return None


_DRAWN: Final[WeakKeyDictionary[SearchStrategy[Any], dict[int, tuple[Any, ...]]]] = (
    WeakKeyDictionary()
)


def drawn(examples: SearchStrategy[T], most: int) -> tuple[T, ...]:
    """Return the examples that are tried, the same each time.

    They are kept: to draw them takes longer than to look at them, and every law looks at the same.
    """
    kept = _DRAWN.setdefault(examples, {})
    if most not in kept:
        found: list[T] = []
        _tried(examples, found.append, most)
        kept[most] = tuple(found)
    return kept[most]


def _shrunk(
    examples: SearchStrategy[T], examine: Callable[[T], None], most: int, met: Sequence[Broken]
) -> Broken:
    try:
        _tried(examples, examine, most)
    except _Found as found:
        return found.broken
    except Flaky:
        pass
    return min(met, key=lambda each: len(each.dialogue))


def _tried(examples: SearchStrategy[T], examine: Callable[[T], None], most: int) -> None:
    """Have examples looked at; one that raises is made smaller before it is raised again."""

    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        derandomize=True,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=_UNHEEDED,
    )
    @given(examples)
    def law(example: T) -> None:
        examine(example)

    law()
