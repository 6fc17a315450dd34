"""Data sets made of traces, in the chat format that trainers read.

A row holds what the agent could see and what it said. Nothing else of a trace goes in: no mood, no
need, nothing of the persona but their own words.

With several people in the room a row is the chat of the first supporter: all that it heard, with
names before the words.

Who played with a scaffold is to learn all that they wrote, thoughts included, but met only what was
heard in the talk so far. So there the target is the raw text of one turn, and every message before
it is as it was heard (the released code of RLVER takes earlier thoughts out as well). A malformed
turn is no target; it stays in the talk so far as it was heard. Target and talk so far stand in two
columns, in TRL's prompt-completion form, so that no loss falls on turns without their thoughts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypedDict

from empathy_env.errors import InvalidArgument
from empathy_env.group import of_one, succeeded
from empathy_env.hearing import heard_in
from empathy_env.messages import Message, from_agent, from_system, from_user
from empathy_env.replay import opened
from empathy_env.scaffold import SCAFFOLDS, malformed
from empathy_env.trace import Trace, Turn


class Demonstration(TypedDict):
    """A talk to imitate, all that the agent said in it; it ends with what they said last."""

    messages: list[Message]


class Completion(TypedDict):
    """One turn to imitate, after a talk that is given: the loss is to be on `completion` alone."""

    prompt: list[Message]
    completion: list[Message]


class Preference(TypedDict):
    """Two things to say at the same point of the same talk, of which one led further."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]


class Selected(NamedTuple):
    """The talks that a data set is made of, and how many were left out.

    Attributes:
        traces: Those that were taken.
        faulted: How many ended in a fault: they have no value.
        unfinished: How many have no ending.
        below: How many did not come out well enough.
    """

    traces: list[Trace]
    faulted: int
    unfinished: int
    below: int


def selected(
    traces: Iterable[Trace], *, min_emotion: float = 0.0, success: bool = False
) -> Selected:
    """Return the finished talks that came out well enough.

    Args:
        traces: Of any agents.
        min_emotion: The least final emotion, in [0, 100]; above 0, talks that the user left are
            left out as well. Of several people each must have it.
        success: Whether only talks count that ended in success.

    Raises:
        InvalidArgument: If `min_emotion` is out of its range.
    """
    if not 0.0 <= min_emotion <= 100.0:
        raise InvalidArgument(f"min_emotion={min_emotion} is outside [0, 100], for example 70.")
    taken: list[Trace] = []
    faulted = unfinished = below = 0
    for trace in traces:
        if trace.fault is not None:
            faulted += 1
        elif trace.outcome is None:
            unfinished += 1
        elif _well(trace, min_emotion, success):
            taken.append(trace)
        else:
            below += 1
    return Selected(taken, faulted, unfinished, below)


def _well(trace: Trace, min_emotion: float, success: bool) -> bool:
    if success and trace.outcome != "success":
        return False
    return not min_emotion or succeeded(trace, min_emotion)


def takes_raw(trace: Trace, raw: bool | None = None) -> bool:
    """Return whether what the agent wrote is the target, and not what was heard of it.

    Args:
        trace: The talk.
        raw: True or False as given; None: if it was played with a scaffold other than "plain".
    """
    return trace.setup.scaffold != "plain" if raw is None else raw


def demonstrations(
    trace: Trace, *, raw: bool | None = None
) -> list[Demonstration] | list[Completion]:
    """Return a talk as rows for supervised fine-tuning.

    Args:
        trace: The talk.
        raw: See `takes_raw`. If so, `completions`. Else one row, in which all is as it was heard;
            none if nothing was.
    """
    if takes_raw(trace, raw):
        return completions(trace)
    return [demonstration(trace)] if any(map(_spoke, trace.turns)) else []


def completions(trace: Trace) -> list[Completion]:
    """Return a row for each turn that was well-formed and heard, as it was written.

    Its prompt is the talk before it as the agent met it: what was heard, silence included.
    """
    messages = messages_met(trace, spoken=False)
    first = len(messages) - 2 * len(trace.turns)
    return [
        {"prompt": messages[: first + 2 * number], "completion": [from_agent(turn.raw)]}
        for number, turn in enumerate(trace.turns)
        if _spoke(turn) and not malformed(turn.flags)
    ]


def demonstration(trace: Trace) -> Demonstration:
    """Return a talk as one row, in which all is as it was heard.

    The scaffold's part of the system prompt is taken out: it asks for what the row does not hold.
    Silence is left out, since a trainer may put its loss on every turn of the agent: what the user
    said before it and after it is one message, a line each.
    """
    messages: list[Message] = []
    for message in messages_met(trace, spoken=True):
        if message["role"] == "assistant" and not message["content"].strip():
            continue
        if messages and messages[-1]["role"] == message["role"] == "user":
            both = f"{messages[-1]['content']}\n{message['content']}"
            messages[-1] = from_user(both)
        else:
            messages.append(message)
    return {"messages": messages[:-1]}


def _spoke(turn: Turn) -> bool:
    return bool(turn.heard.strip())


def preferences(
    traces: Sequence[Trace], *, margin: float = 0.1, raw: bool | None = None
) -> list[Preference]:
    """Return a row for preference tuning for each start from which two talks went apart.

    Talks with the same start (person, need, seed, difficulty, limits, instructions) are of several
    agents, or members of a group. Of each start the best paid and the worst paid talk are compared.
    As far as what was heard agrees it is the prompt; the two next things that the agents said are
    the choice. What came after is left out: the user's words in it are not the agent's to be
    trained on.

    Args:
        traces: Finished talks, as `selected` returns them.
        margin: By how much the best was paid more than the worst, at least; above 0.
        raw: See `takes_raw`. If so, the choice is between what was written, unless the better was
            malformed; the prompt is as it was heard.

    Raises:
        InvalidArgument: If `margin` is not above 0, or a talk is with several people.
    """
    if not margin > 0.0:
        raise InvalidArgument(f"margin={margin} is not above 0: talks paid alike prefer nothing.")
    return list(_preferences(traces, margin, raw))


def _preferences(traces: Sequence[Trace], margin: float, raw: bool | None) -> Iterator[Preference]:
    groups: dict[object, list[Trace]] = {}
    for trace in of_one(traces):
        groups.setdefault(_start(trace), []).append(trace)
    for group in groups.values():
        worst, best = min(group, key=_paid), max(group, key=_paid)
        if _paid(best) - _paid(worst) >= margin:
            yield from _choice(best, worst, raw=takes_raw(best, raw))


def _choice(best: Trace, worst: Trace, *, raw: bool) -> Iterator[Preference]:
    """Yield what was said where two talks go apart, if it was the agents who went apart."""
    for number, (one, other) in enumerate(zip(best.turns, worst.turns, strict=False)):
        if one.heard != other.heard:
            if not (raw and malformed(one.flags)):
                before = best.prefix(number)
                texts = (one.raw, other.raw) if raw else (one.heard, other.heard)
                chosen, rejected = map(from_agent, texts)
                prompt = messages_met(before, spoken=not raw)
                yield {"prompt": prompt, "chosen": [chosen], "rejected": [rejected]}
            return
        if [answer.reply for answer in one.answers] != [answer.reply for answer in other.answers]:
            return


def _start(trace: Trace) -> object:
    """Return what talks have in common that start alike; of the user also who plays them."""
    scenario, setup = trace.scenario, trace.setup
    return (
        scenario.persona.id,
        scenario.need,
        scenario.seed,
        scenario.difficulty,
        scenario.protocol.name,
        scenario.max_turns,
        scenario.max_chars,
        trace.opening,
        setup,
        tuple(sorted(trace.weights.items())),
    )


def _paid(trace: Trace) -> float:
    return math.fsum(
        trace.weights[name] * value
        for name, values in trace.rewards.items()
        for value in values
        if value is not None
    )


def messages_met(trace: Trace, *, spoken: bool) -> list[Message]:
    """Return the talk as the agent met it: what was heard of earlier turns; it ends with the user.

    Args:
        trace: The talk.
        spoken: Whether the scaffold's part of the system prompt is taken out.
    """
    prompt = trace.setup.system_prompt
    if prompt is not None and spoken:
        scaffold = SCAFFOLDS.get(trace.setup.scaffold)
        prompt = prompt.removesuffix(f"\n\n{scaffold.prompt}") if scaffold else prompt
    messages = [from_system(prompt)] if prompt is not None else []
    messages.append(from_user(_opening(trace)))
    for turn, reply in zip(trace.turns, _replies(trace), strict=True):
        messages.append(from_agent(turn.heard))
        messages.append(from_user(reply))
    return messages


def _opening(trace: Trace) -> str:
    cast = trace.scenario.cast
    if cast is None:
        return " ".join(trace.opening)
    pairs = zip(cast.names, trace.opening, strict=True)
    return "\n".join(f"{name}: {line}" for name, line in pairs)


def _replies(trace: Trace) -> Iterator[str]:
    """Yield what the first supporter heard in each turn; with a cast it has names before it."""
    if trace.scenario.cast is None:
        yield from (turn.answers[0].reply for turn in trace.turns)
        return
    room = opened(trace).room
    yield from (heard_in(room, turn) for turn in trace.turns)
