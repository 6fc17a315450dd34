"""How Hypothesis prints an example: a talk by what was said, a persona by its id.

Printed in full, one talk takes seconds and fills several screens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis.vendor.pretty import RepresentationPrinter, for_type_by_name

from empathy_env.conversation import Conversation
from empathy_env.difficulty import PRESETS
from empathy_env.persona import Persona
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace


def persona_shown(persona: Persona) -> str:
    """Return a persona's id and needs."""
    return f"Persona({persona.id}: {', '.join(variant.need for variant in persona.needs)})"


def scenario_shown(scenario: Scenario) -> str:
    """Return what a scenario is made of, in words."""
    names = [name for name, knobs in PRESETS.items() if knobs == scenario.difficulty]
    difficulty = names[0] if names else str(scenario.difficulty)
    parts = (scenario.persona.id, scenario.need, difficulty, scenario.protocol.name)
    return f"Scenario({', '.join(parts)}, seed {scenario.seed})"


def trace_shown(trace: Trace) -> str:
    """Return a trace's scenario, what the agent was heard to say, and the end."""
    said = " / ".join(repr(turn.heard) for turn in trace.turns)
    end = trace.fault["type"] if trace.fault else trace.outcome or "open"
    return f"Trace({scenario_shown(trace.scenario)}: {said}; {end})"


def talk_shown(talk: Conversation) -> str:
    """Return a talk as the trace of it is shown."""
    return trace_shown(talk.trace).replace("Trace(", "Conversation(", 1)


_SHOWN: Final[tuple[tuple[type[Any], Callable[[Any], str]], ...]] = (
    (Persona, persona_shown),
    (Scenario, scenario_shown),
    (Trace, trace_shown),
    (Conversation, talk_shown),
)


def register() -> None:
    """Have Hypothesis print them so; calling it again changes nothing."""
    for kind, shown in _SHOWN:
        for_type_by_name(kind.__module__, kind.__qualname__, _printing(shown))


def _printing(
    shown: Callable[[Any], str],
) -> Callable[[Any, RepresentationPrinter, bool], None]:
    def printed(value: Any, printer: RepresentationPrinter, cycle: bool) -> None:
        del cycle  # none of these holds itself
        printer.text(shown(value))

    return printed
