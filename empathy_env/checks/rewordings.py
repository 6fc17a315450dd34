"""The same talk in other words: what a reward that pays for evidence and moods must not notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from empathy_env.trace import Call, Trace, Turn

FILLER: Final = "mm"
"""A word that says nothing."""
EMOJI: Final = ("\N{GRINNING FACE}", "\N{HEAVY BLACK HEART}", "\N{SPARKLES}" * 5)
MARKDOWN: Final = (
    f"**{FILLER}**",
    f"# {FILLER}",
    f"- {FILLER}\n- {FILLER}",
    f"1. {FILLER}",
    f"`{FILLER}`",
    f"> {FILLER}",
)
COMMON: Final = tuple(
    """I you we your yourself me feel feeling feelings felt feels understand understanding hear
    hearing listen listening sorry sad angry afraid hurt pain hard difficult tough alone lonely
    ashamed guilty tired exhausted overwhelmed anxious scared valid valued normal sense makes okay
    sounds seems must imagine because why what how tell more when would could should maybe perhaps
    thank thanks please love care caring here together support help strong brave proud courage safe
    trust hope better happy good great amazing sincerely truly really so very always never yes no
    not absolutely certainly definitely empathy empathise empathize compassion understandable
    acknowledge appreciate respect honest sharing share heart hug remember deserve matter important
    breathe therapist therapy emotion emotional experience situation journey space hold
    honor""".split()
)
"""Words that somebody might take for empathy, or for the lack of it."""


class Variant(NamedTuple):
    """A talk that differs from another in words only.

    Attributes:
        trace: The talk.
        what: What was done, such as "'so' is added to what the agent says in turn 1".
    """

    trace: Trace
    what: str


def added(trace: Trace, text: str, shown: str = "") -> Iterator[Variant]:
    """Yield the talk with a text added to each turn, in each place; evidence stays as it is.

    Alone where nothing was done, behind the words, within a quote, and before the words.
    """
    name = shown or repr(text)
    for number, turn in enumerate(trace.turns, start=1):
        where = f"in turn {number}"
        if not turn.evidence:
            yield Variant(_with(trace, number, _heard(turn, text)), f"{name} is said {where}")
        behind = _heard(turn, f"{turn.heard} {text}".lstrip())
        yield Variant(_with(trace, number, behind), f"{name} is added {where}")
        quoted = _quoted(turn, text)
        if quoted is not None:
            yield Variant(_with(trace, number, quoted), f"{name} is added to a quote {where}")
        before = _before(turn, text)
        yield Variant(_with(trace, number, before), f"{name} is put first {where}")


def answered(trace: Trace, text: str, shown: str = "") -> Iterator[Variant]:
    """Yield the talk with a text added to what the user says in each turn."""
    name = shown or repr(text)
    for number, turn in enumerate(trace.turns, start=1):
        first, *others = turn.answers
        answers = (first._replace(reply=f"{first.reply} {text}"), *others)
        other = _with(trace, number, replace(turn, answers=answers))
        yield Variant(other, f"{name} is added to what the user says in turn {number}")


def thought(trace: Trace, text: str, shown: str = "") -> Iterator[Variant]:
    """Yield the talk with a private text in each turn; what is heard stays as it is."""
    name = shown or repr(text)
    for number, turn in enumerate(trace.turns, start=1):
        raw = f"<think>{text}</think>\n{turn.heard}"
        other = _with(trace, number, replace(turn, private=text, raw=raw))
        yield Variant(other, f"{name} is thought, unheard, in turn {number}")


def renamed(trace: Trace, names: Iterable[str] = ()) -> Iterator[Variant]:
    """Yield the talk with another name for the person, the persona and the agent; or another age.

    Args:
        trace: The talk.
        names: Names for the agent to try, beside one that nobody has.
    """
    persona = trace.scenario.written
    other = persona.identity.model_copy(update={"name": "Zoltan Quill"})
    named = persona.model_copy(update={"identity": other})
    yield Variant(_begun(trace, persona=named), "the person has another name")
    older = {"age": persona.identity.age + 20, "pronouns": "ze/zir", "occupation": "juggler"}
    aged = persona.model_copy(update={"identity": persona.identity.model_copy(update=older)})
    yield Variant(_begun(trace, persona=aged), "the person has another age, pronouns and work")
    filed = persona.model_copy(update={"split": "", "tags": (), "author": "zoltan-quill"})
    yield Variant(_begun(trace, persona=filed), "the persona is of another split")
    called = persona.model_copy(update={"id": "zoltan-quill"})
    yield Variant(_begun(trace, persona=called), "the persona has another id")
    for name in ("zoltan-quill", *names):
        yield Variant(replace(trace, agent=name), f"the agent is called {name!r}")


def rebooked(trace: Trace, words: Iterable[str] = ()) -> Iterator[Variant]:
    """Yield the talk with other bookkeeping: costs, numbers, notes, and who played its parts.

    Args:
        trace: The talk.
        words: Texts to try as the instructions of the agent, beside one.
    """
    member, seed = trace.scenario.member + 1, trace.scenario.seed + 1
    yield Variant(_begun(trace, member=member), "it is another member of its group")
    yield Variant(_begun(trace, seed=seed), "it has another seed")
    meter = {"seconds": 3.5, "requests": 4.0, "retries": 1.0, "completion_tokens": 90.0}
    yield Variant(replace(trace, meter=meter), "it has cost something")
    scores = {name: (0.25,) * len(trace.turns) for name in ("terminal", "delta")}
    scored = replace(trace, rewards=scores, weights=dict.fromkeys(scores, 1.0))
    yield Variant(scored, "it was scored before")
    noted = tuple(replace(turn, notes=(*turn.notes, "asked again")) for turn in trace.turns)
    yield Variant(replace(trace, turns=noted), "a note is taken")
    asked = tuple(replace(turn, calls=(*turn.calls, _CALL)) for turn in trace.turns)
    yield Variant(replace(trace, turns=asked), "a model was asked")
    for part in ("appraiser", "speaker", "backend", "rules"):
        setup = replace(trace.setup, **{part: "another"})
        yield Variant(replace(trace, setup=setup), f"the {part} has another name")
    for text in ("Another prompt.", *words):
        setup = replace(trace.setup, system_prompt=text)
        yield Variant(replace(trace, setup=setup), f"the agent was told {text!r} beforehand")


_CALL: Final = Call("speak", "0" * 16, "So.")


def _begun(trace: Trace, **changed: Any) -> Trace:
    return replace(trace, scenario=replace(trace.scenario, **changed))


def in_batches(words: Iterable[str], size: int = 40) -> Iterator[tuple[str, ...]]:
    """Yield the words in groups, so that most of them cost one try for a whole group."""
    left = tuple(words)
    for start in range(0, len(left), size):
        yield left[start : start + size]


def _with(trace: Trace, number: int, turn: Turn) -> Trace:
    return replace(trace, turns=(*trace.turns[: number - 1], turn, *trace.turns[number:]))


def _heard(turn: Turn, heard: str) -> Turn:
    """Return the turn with another thing heard; the evidence must still quote it."""
    raw = turn.raw.removesuffix(turn.heard) + heard
    return replace(turn, heard=heard, raw=raw)


def _before(turn: Turn, text: str) -> Turn:
    heard = f"{text} {turn.heard}" if turn.heard else text
    shift = len(heard) - len(turn.heard)
    evidence = tuple(e._replace(start=e.start + shift, end=e.end + shift) for e in turn.evidence)
    return replace(_heard(turn, heard), evidence=evidence)


def _quoted(turn: Turn, text: str) -> Turn | None:
    """Return the turn with the text at the end of the quote that ends last, if there is one."""
    if not turn.evidence:
        return None
    last = max(turn.evidence, key=lambda each: each.end)
    heard = f"{turn.heard[: last.end]} {text}{turn.heard[last.end :]}"
    end = last.end + 1 + len(text)
    longer = last._replace(quote=heard[last.start : end], end=end)
    evidence = tuple(longer if each is last else each for each in turn.evidence)
    return replace(_heard(turn, heard), evidence=evidence)
