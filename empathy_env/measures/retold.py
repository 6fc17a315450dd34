"""A recorded talk as the tokens that a policy sampled, made again from the words.

A trace keeps words, not tokens. They are encoded as a tokenizer encodes them, which is how a policy
usually writes, and not always: it may spell a word in other pieces. Of such a turn the pieces that
are scored here are not those that were drawn, and no trace tells. What a trace does tell of turns
that cannot be made again is a reason to leave the talk out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from empathy_env.exports import messages_met
from empathy_env.group import check_of_one, counts
from empathy_env.messages import CLEANING
from empathy_env.tokens import ChatTemplate, Tokens
from empathy_env.trace import Trace, Turn

History = Literal["heard", "written"]
"""What a policy saw of its own earlier turns: what was heard of them, or all that it wrote."""
NO_TEXT: Final = "\ufffd"
"""Stands where sampled bytes were no text."""


@dataclass(frozen=True, slots=True)
class Retold:
    """A talk as tokens; what the agent said has mask 1.

    Attributes:
        parts: The talk in one piece; or a piece for each turn, if the policy did not see its
            earlier turns as it had written them.
        turns: For each turn how many tokens were sampled, its end included.
    """

    parts: tuple[Tokens, ...]
    turns: tuple[int, ...]


def retold(
    trace: Trace,
    template: ChatTemplate,
    *,
    history: History | None = None,
    turn_tokens: int | None = None,
) -> Retold | str:
    """Return a talk as the tokens that the agent sampled, or why they cannot be made again.

    Args:
        trace: A talk with one person.
        template: Of the policy that sampled it.
        history: What the policy saw of its earlier turns: "heard" in rollouts, where each request
            holds what was said; "written" in the training scripts and wherever sampled tokens are
            kept. None: a talk in which this makes a difference is left out.
        turn_tokens: Where the sampling of a turn was cut off. A turn of so many tokens has no end
            of its own. None: all turns came to their end.

    Raises:
        InvalidArgument: If the talk is with a cast.
    """
    check_of_one(trace)
    if reason := _lost(trace, history):
        return reason
    messages = messages_met(trace, spoken=False)
    first = len(messages) - 2 * len(trace.turns)
    said = [_sampled(turn.raw, template, turn_tokens) for turn in trace.turns]
    if any(template.words(ids) != turn.raw for ids, turn in zip(said, trace.turns, strict=True)):
        return "the words of a turn do not come back from their tokens, as where it spells a mark"
    turns = tuple(map(len, said))
    if history == "heard":
        pieces = (
            template.opened(messages[: first + 2 * number]).sampled(ids)
            for number, ids in enumerate(said)
        )
        return Retold(tuple(pieces), turns)
    tokens = template.opened(messages[:first])
    for number, ids in enumerate(said):
        if number:
            tokens = template.answered(tokens, messages[first + 2 * number - 1]["content"])
        tokens = tokens.sampled(ids)
    return Retold((tokens,), turns)


def _lost(trace: Trace, history: History | None) -> str:
    """Return why the tokens of a talk are lost, as far as the trace itself says; "" if not."""
    if not counts(trace):
        return "the talk ended in a fault, or has not ended"
    if any(flag in CLEANING for turn in trace.turns for flag in turn.flags):
        return "a turn was cut or cleaned before it was kept (flags: cut, replaced, normalised)"
    if any(NO_TEXT in turn.raw for turn in trace.turns):
        return "a turn holds U+FFFD, where sampled bytes were no text"
    if history is None and _unlike(trace.turns[:-1]):
        return "an earlier turn was not heard as it was written: say by --history what was seen"
    return ""


def _unlike(turns: Sequence[Turn]) -> bool:
    return any(turn.raw != turn.heard for turn in turns)


def _sampled(words: str, template: ChatTemplate, turn_tokens: int | None) -> list[int]:
    """Return the tokens of a turn, with its end unless it was cut off before."""
    ids = template.tokenizer.encode(words, add_special_tokens=False)
    if turn_tokens is not None and len(ids) >= turn_tokens:
        return ids
    return template.tokenizer.encode(words + template.end, add_special_tokens=False)
