"""The words that a function looks for, as far as its code shows them.

A reward that credits one word is found by trying words. Which ones to try is in its own code: the
strings that it, and the functions beside it, compare with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from inspect import getclosurevars, unwrap
from types import CodeType, FunctionType, MethodType
from typing import Any, Final, cast

_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_MOST: Final = 80
_LONGEST: Final = 60
_DEPTH: Final = 3


def literals(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the strings in a function's code, and the words in them, in order of appearance.

    Those of its defaults, its closure, the global names that it uses, and the functions of the
    same module that it calls are among them; at most 80, none longer than 60 characters.

    >>> literals(lambda text: "I see" in text)
    ('I see', 'see')
    """
    found: dict[str, None] = {}
    for text in _texts(function, _DEPTH):
        if len(text) <= _LONGEST:
            found.setdefault(text)
        for word in _WORD.findall(text):
            found.setdefault(word)
    return tuple(found)[:_MOST]


def _texts(value: object, depth: int) -> Iterator[str]:
    """Yield strings that are in a value, or that its code holds."""
    if depth < 0:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, re.Pattern):
        yield str(cast("re.Pattern[str]", value).pattern)
    elif isinstance(value, CodeType):
        yield from _in_code(value, depth)
    elif isinstance(value, Mapping):
        held = cast("Mapping[object, object]", value)
        yield from _each((*held.keys(), *held.values()), depth)
    elif isinstance(value, (tuple, list, Set)):
        yield from _each(tuple(cast("tuple[object, ...]", value)), depth)
    elif callable(value):
        yield from _in_callable(value, depth)


def _each(values: tuple[object, ...], depth: int) -> Iterator[str]:
    for value in values[:_MOST]:
        yield from _texts(value, depth - 1)


def _in_code(code: CodeType, depth: int) -> Iterator[str]:
    # The first constant of a function is its docstring, if it has one: not what it looks for.
    for number, constant in enumerate(code.co_consts):
        if number or not (isinstance(constant, str) and len(constant) > _LONGEST):
            yield from _texts(constant, depth)


def _in_callable(value: Callable[..., Any], depth: int) -> Iterator[str]:
    if isinstance(value, partial):
        whole = cast("partial[Any]", value)
        yield from _each((whole.func, whole.args, whole.keywords), depth)
        return
    if isinstance(value, MethodType):
        value = value.__func__
    function = unwrap(value)
    if not isinstance(function, FunctionType):
        yield from _in_instance(function, depth)
        return
    yield from _texts(function.__code__, depth)
    yield from _texts(function.__defaults__ or (), depth)
    yield from _texts(function.__kwdefaults__ or {}, depth)
    try:
        outer = getclosurevars(function)
    except ValueError:  # a cell that is still empty
        return
    for used in (*outer.nonlocals.values(), *outer.globals.values()):
        if not callable(used) or getattr(used, "__module__", None) == function.__module__:
            yield from _texts(used, depth - 1)


def _in_instance(value: object, depth: int) -> Iterator[str]:
    """Look through an object that can be called: its fields, and the code of `__call__`."""
    called = vars(type(value)).get("__call__")
    if isinstance(called, FunctionType):
        yield from _texts(called, depth - 1)
        yield from _texts(dict(vars(value)) if hasattr(value, "__dict__") else {}, depth - 1)
