"""Write the talks of docs/talks.md into the page, or print one of them.

python benchmarks/talks_page.py
python benchmarks/talks_page.py --show 1 [--seed 0]
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from empathy_env import Scenario, Task, Trace, load_agent, load_persona, play
from empathy_env.persona import Need

PAGE = Path(__file__).parent.parent / "docs" / "talks.md"
WIDTH = 96


class Talk(NamedTuple):
    """Who talks with whom."""

    agent: str
    persona: str
    need: Need
    protocol: str = "appraisal-v1"


TALKS = (
    Talk("listener", "widower-allotment", "attentive_listening"),
    Talk("listener", "dropped-friend", "guided_reflection"),
    Talk("oracle", "night-nurse", "others_motives"),
    Talk("advisor", "new-mother", "deep_empathy"),
    Talk("pasting", "drought-farmer", "absolution"),
    Talk("listener", "her-brothers-keeper", "concrete_advice", "appraisal-v1-b"),
)


def played(talk: Talk, seed: int) -> Trace:
    """Return the talk with this seed, at difficulty `moderate`."""
    task = Task(persona=talk.persona, protocol=talk.protocol)
    persona = load_persona(talk.persona)
    scenario = Scenario(persona=persona, need=talk.need, seed=seed, protocol=task.protocol)
    return play(task, load_agent(talk.agent), scenario)


def printed(trace: Trace) -> str:
    """Return a talk as text: before each line of the person the emotion that it is said with."""
    scenario = trace.scenario
    name = scenario.persona.identity.name.split()[0]
    voice = f"{scenario.persona.voice.register_}, {scenario.persona.voice.verbosity}"
    lines = [
        f"agent {trace.agent}, persona {scenario.persona.id} ({voice}),",
        f"need {scenario.need}, seed {scenario.seed}, protocol {scenario.protocol.name}",
        "",
        *_line(_emotion(trace, 0), name, trace.opening[0]),
    ]
    for number, turn in enumerate(trace.turns, start=1):
        lines += _line("", "agent", turn.heard or "(silence)")
        lines += _line(_emotion(trace, number), name, turn.answers[0].reply)
    return "\n".join([*lines, "", _end(trace, name)])


def _emotion(trace: Trace, turn: int) -> str:
    """Return the emotion after a turn; what is short of the goal is never rounded up to it."""
    goal = trace.scenario.protocol.success
    emotion = trace.emotion(turn)
    return f"{emotion if emotion >= goal else min(emotion, goal - 1):.0f}"


def _line(emotion: str, name: str, text: str) -> Iterator[str]:
    indent = " " * 13
    first = f"{emotion:>3}  {name:<8}"
    yield from textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=indent)


def _end(trace: Trace, name: str) -> str:
    """Say who ended the talk, and how."""
    turns = len(trace.turns)
    last = trace.turns[-1]
    mood, protocol = last.answers[0].mood, trace.scenario.protocol
    if trace.outcome == "success":
        how = f"ended with success: emotion reached {protocol.success:.0f}"
    elif trace.outcome == "time_up":
        how = "nobody ended it: the turns were used up (time_up)"
    elif any(evidence.act == "abandonment" for evidence in last.evidence):
        how = f"{name} left: the agent had abandoned them"
    elif mood.emotion < protocol.leave:
        how = f"{name} left: emotion fell below {protocol.leave:.0f}"
    else:
        how = f"{name} left: strain reached 1"
    count = "1 turn" if turns == 1 else f"{turns} turns"
    reward = sum(value or 0.0 for value in trace.rewards["terminal"])
    return f"{how}; {count}, emotion {_emotion(trace, turns)}, reward {reward:.2f}"


def written(page: str) -> str:
    """Return the page with every talk put in anew."""
    for number, talk in enumerate(TALKS, start=1):
        text = printed(played(talk, seed=0))
        page, count = re.subn(
            rf"(<!-- talk {number} -->\n).*?(<!-- /talk {number} -->)",
            lambda found, text=text: f"{found.group(1)}```text\n{text}\n```\n{found.group(2)}",
            page,
            flags=re.DOTALL,
        )
        assert count == 1, f"{PAGE.name} has {count} places for talk {number}"
    return page


def main() -> None:
    """Write the page, or print one talk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", type=int, choices=range(1, len(TALKS) + 1), help="number")
    parser.add_argument("--seed", type=int, default=0, help="seed of the talk that is shown")
    given = parser.parse_args()
    if given.show is None:
        PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    else:
        print(printed(played(TALKS[given.show - 1], given.seed)))


if __name__ == "__main__":
    main()
