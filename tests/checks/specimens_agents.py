"""Agents that are broken on purpose, each in one way: what `check_agent` must reject."""

from __future__ import annotations

import itertools
import random
import sys

CALLS = itertools.count()


def answers_none(messages, rng):
    return None


def chokes_on_silence(messages, rng):
    return f"You said {messages[-1]['content'].split()[0]}."


def expects_instructions(messages, rng):
    assert messages[0]["role"] == "system"
    return "Go on."


def runs_out_of_lines(messages, rng):
    return (["Go on."] * 20)[len(messages) // 2]


def edits_what_it_sees(messages, rng):
    messages.append({"role": "assistant", "content": "Go on."})
    return "Go on."


def edits_a_message(messages, rng):
    messages[-1]["content"] = messages[-1]["content"].lower()
    return "Go on."


def rolls_its_own_dice(messages, rng):
    return f"Go on. {random.random()}"


def counts_its_turns(messages, rng):
    return f"This is number {next(CALLS)}."


def peeks(messages, rng):
    """Finds the talk, and with it the need, in the frames that called it."""
    frame = sys._getframe()
    while frame is not None:
        talk = frame.f_locals.get("talk")
        if talk is not None and hasattr(talk, "room"):
            return f"You need {talk.room.scenario.need}."
        frame = frame.f_back
    return "Go on."


SPECIMENS = {
    answers_none: "answers",
    chokes_on_silence: "answers",
    expects_instructions: "answers",
    runs_out_of_lines: "answers",
    edits_what_it_sees: "pure",
    edits_a_message: "pure",
    rolls_its_own_dice: "deterministic",
    counts_its_turns: "deterministic",
    peeks: "visible",
}
