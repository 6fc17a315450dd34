"""The laws of a reward, checked of yours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

from empathy_env.checks.acting import asked, find_unfitting, idled
from empathy_env.checks.invariance import (
    find_private,
    longer,
    rebooked,
    varied,
    with_emoji,
    with_markdown,
    with_names,
    with_words,
)
from empathy_env.checks.report import Law, Report, check_laws
from empathy_env.checks.scoring import (
    Subject,
    Unpaid,
    acausal,
    find_impure,
    find_not_telescoping,
    find_order_dependent,
    find_unbounded,
    find_undetermined,
    in_talks,
    paid_for_fault,
)
from empathy_env.checks.search import Broken
from empathy_env.errors import CheckFailed
from empathy_env.reward import OF_BELIEFS, RewardSpec, load_reward

TELESCOPING: Final = frozenset({"delta", "potential"})
"""Rewards of the package that claim to add up to what does not depend on the way."""


def check_reward(
    reward: RewardSpec,
    *,
    laws: Iterable[str] | None = None,
    examples: int = 40,
    bound: float = 100.0,
    private: bool | None = None,
    telescopes: bool | None = None,
) -> Report:
    """Check that a reward is what a policy can be trained on without learning something else.

    Args:
        reward: A name, "module:function", a callable, {name: weight}, or a `Reward`.
        laws: Names of those to check; by default all. Leave out what your reward breaks on
            purpose, such as "wording" if it is meant to read words.
        examples: How many talks each law is tried on, beside some sixty small ones.
        bound: Most that one turn may be paid, or be charged.
        private: Whether it may depend on private text, as a reward of stated beliefs does; by
            default, if it is one of the package's own that does.
        telescopes: Whether it claims that its sum over a talk does not depend on how the emotion
            got from its start to its end; by default, if it is "delta" or "potential".

    Raises:
        CheckFailed: At the first law that is broken, with the shortest talk that shows it.
        InvalidArgument: If there is no such reward or no such law.

    >>> len(check_reward("terminal", laws=["causal", "wording"]).laws)
    2
    """
    loaded = load_reward(reward)
    names = {term.name for term in loaded.terms}
    subject = Subject(
        loaded,
        bound,
        bool(names & OF_BELIEFS) if private is None else private,
        names <= TELESCOPING if telescopes is None else telescopes,
        examples,
    )
    return check_laws(subject, "reward " + " + ".join(sorted(names)), LAWS, laws)


class _Entry(NamedTuple):
    """A law of rewards.

    Attributes:
        name: Its short name.
        claim: What has to hold.
        hint: What to do about a reward that breaks it.
        find: Returns how a reward breaks it, or why that cannot be checked.
    """

    name: str
    claim: str
    hint: str
    find: Callable[[Subject], Broken | str | None]


def _check(entry: _Entry, subject: Subject) -> str:
    try:
        found = entry.find(subject)
    except Unpaid as unpaid:
        found = unpaid.broken
    if isinstance(found, Broken):
        law = found.law or entry.name
        hint = next(other.hint for other in _ENTRIES if other.name == law)
        raise CheckFailed(found.message, law=law, dialogue=found.dialogue, hint=hint)
    return found or ""


_EVIDENCE: Final = (
    "Pay for what was done (trace.turns[turn - 1].evidence) or for the mood, in place of the "
    "words. If your reward is meant to look at this, leave the law out with laws=."
)
_ENTRIES: Final = (
    # First: what is kept of other talks shows before many were scored.
    _Entry(
        "order",
        "What a talk is paid does not depend on which others were scored before.",
        "Keep nothing between two calls, also not by trace.id: talks of one scenario share it.",
        find_order_dependent,
    ),
    _Entry(
        "bounded",
        "Every turn of every talk is paid a finite number, no larger than the bound.",
        'Clip it, or say how large it may be: bound=. Any str is a legal turn, and "" is one.',
        find_unbounded,
    ),
    _Entry(
        "deterministic",
        "A talk is paid the same each time that it is scored, and when it was read from a file.",
        "Leave out random numbers, clocks and counters.",
        find_undetermined,
    ),
    _Entry(
        "pure",
        "Scoring a talk changes nothing in it.",
        "Work on a copy of what you change.",
        find_impure,
    ),
    _Entry(
        "causal",
        "A turn is paid by what was up to it, so a talk that goes on changes nothing.",
        "Look at trace.turns[:turn] and trace.emotion(t) for t up to turn, not at trace.turns[-1] "
        "or trace.outcome.",
        in_talks(acausal),
    ),
    _Entry(
        "unscored-on-fault",
        "A failure of machinery is never paid: not the turn that it cut off, nor those before.",
        "Do not look at trace.fault, and let an unknown turn raise: the environment pays NaN.",
        in_talks(paid_for_fault),
    ),
    _Entry(
        "telescoping",
        "The sum over a talk does not depend on how the emotion got from its start to its end.",
        "Pay differences: what is taken in one turn must be given back in another.",
        find_not_telescoping,
    ),
    _Entry(
        "private-text",
        "What the agent thinks, unheard, changes nothing.",
        "Look at turn.heard and not at turn.raw or turn.private. If it is a reward of stated "
        "beliefs or of form, give private=True.",
        find_private,
    ),
    _Entry(
        "length",
        "Filler changes nothing.",
        _EVIDENCE,
        in_talks(varied(longer)),
    ),
    _Entry("emoji", "Emoji change nothing.", _EVIDENCE, in_talks(varied(with_emoji))),
    _Entry("markdown", "Markdown changes nothing.", _EVIDENCE, in_talks(varied(with_markdown))),
    _Entry(
        "names",
        "Who the person is, and what persona and agent are called, change nothing.",
        _EVIDENCE,
        in_talks(varied(with_names)),
    ),
    _Entry(
        "wording",
        "With the same evidence and the same moods, no word of either side changes anything.",
        _EVIDENCE,
        in_talks(varied(with_words)),
    ),
    _Entry(
        "bookkeeping",
        "What a talk has cost, its seed, its notes and who played its parts change nothing.",
        "Pay for what happened in the talk; costs are for the report.",
        in_talks(varied(rebooked)),
    ),
    _Entry(
        "no-credit-for-asking",
        "A plea, for the reward or to feel better, never makes a talk pay more.",
        "Do not pay for the act `manipulation`, nor for how much evidence there is.",
        in_talks(asked),
    ),
    _Entry(
        "no-credit-for-idling",
        "A turn that does nothing, at the end, never makes a talk pay more.",
        "Pay for changes of the mood, or once at the end: what is paid turn by turn for how "
        "somebody feels is raised by dragging on.",
        in_talks(idled),
    ),
    _Entry(
        "fit-pays",
        "In the last turn, what fits better is never paid less, all else equal.",
        "Pay for more emotion, not for less, and for no act as such: the need says what fits.",
        find_unfitting,
    ),
)
LAWS: Final = tuple(Law(entry.name, entry.claim, partial(_check, entry)) for entry in _ENTRIES)
"""The laws of rewards, in the order in which they are checked."""
