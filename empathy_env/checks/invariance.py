"""Laws of what a reward must not notice: words, length, looks, names and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from empathy_env.checks.report import dialogue_text
from empathy_env.checks.rewordings import (
    COMMON,
    EMOJI,
    FILLER,
    MARKDOWN,
    Variant,
    added,
    answered,
    in_batches,
    renamed,
    thought,
)
from empathy_env.checks.rewordings import rebooked as rebooked_talks
from empathy_env.checks.scoring import Examine, Subject, differs, in_talks
from empathy_env.checks.search import Broken
from empathy_env.trace import Trace

_LENGTHS: Final = (1, 20, 200, 1334)
"""Words of filler; the last are as many as a turn may hold."""
_BELIEF: Final = "<belief>\nemotion: 40\nneed: absolution 0.6\n</belief>"


def varied(vary: Callable[[Subject, Trace], Iterator[Variant]]) -> Examine:
    """Return the examination that finds a variant of a talk that is paid otherwise."""

    def examine(subject: Subject, trace: Trace) -> Broken | None:
        values = subject.values(trace)
        for variant in vary(subject, trace):
            others = subject.values(variant.trace)
            turn = differs(values, others)
            if turn:
                message = (
                    f"turn {turn} is paid {others[turn - 1]:.6g} where {variant.what}, and "
                    f"{values[turn - 1]:.6g} where not; evidence and moods are the same"
                )
                return Broken(message, dialogue_text(variant.trace, others))
        return None

    return examine


def longer(subject: Subject, trace: Trace) -> Iterator[Variant]:
    """Yield the talk with filler of several lengths."""
    del subject
    for times in _LENGTHS:
        filler = " ".join([FILLER] * times)
        yield from added(trace, filler, f"filler of {times} word{'s' if times > 1 else ''}")


def with_emoji(subject: Subject, trace: Trace) -> Iterator[Variant]:
    """Yield the talk with emoji."""
    del subject
    for text in EMOJI:
        yield from added(trace, text)


def with_markdown(subject: Subject, trace: Trace) -> Iterator[Variant]:
    """Yield the talk with marked-up filler."""
    del subject
    for text in MARKDOWN:
        yield from added(trace, text)


def with_names(subject: Subject, trace: Trace) -> Iterator[Variant]:
    """Yield the talk with the person's name in it, and with other names for all."""
    whole = trace.scenario.written.identity.name
    for name in dict.fromkeys((whole.split()[0], whole)):
        yield from added(trace, name)
    yield from renamed(trace, subject.words)


def with_words(subject: Subject, trace: Trace) -> Iterator[Variant]:
    """Yield the talk with each word that the reward looks for, and with common ones.

    Common words are tried many at once, and one by one only if that makes a difference.
    """
    for add in (added, answered):
        for word in subject.words:
            yield from add(trace, word)
        for batch in in_batches(COMMON):
            if _notices(subject, trace, add(trace, " ".join(batch))):
                for word in batch:
                    yield from add(trace, word)
                yield from add(trace, " ".join(batch))


def _notices(subject: Subject, trace: Trace, variants: Iterable[Variant]) -> bool:
    values = subject.values(trace)
    return any(differs(values, subject.values(variant.trace)) for variant in variants)


def _with_thoughts(subject: Subject, trace: Trace) -> Iterator[Variant]:
    for text in ("mm", " ".join([FILLER] * 200), _BELIEF, *subject.words):
        yield from thought(trace, text)
    for batch in in_batches(COMMON):
        yield from thought(trace, " ".join(batch))


def find_private(subject: Subject) -> Broken | str | None:
    """Find a talk that is paid otherwise for what the agent thinks, unheard."""
    if subject.private:
        return "it may depend on private text (private=False checks that it does not)"
    return in_talks(varied(_with_thoughts))(subject)


def rebooked(subject: Subject, trace: Trace) -> Iterator[Variant]:
    """Yield the talk with other bookkeeping."""
    yield from rebooked_talks(trace, subject.words)
