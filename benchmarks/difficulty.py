"""What each knob does, what each preset is like, and how two presets were calibrated, as JSON.

python benchmarks/difficulty.py knobs --out benchmarks/difficulty-knobs.json
python benchmarks/difficulty.py strained --out benchmarks/difficulty-strained.json
python benchmarks/difficulty.py presets --out benchmarks/difficulty-presets.json
python benchmarks/difficulty.py calibration --out benchmarks/difficulty-calibration.json

`knobs` plays the listener with every persona and need at both ends of each knob, all others as at
`moderate`, in the same episodes. `presets` plays it, the oracle and the mix at each preset.
`calibration` plays again every setting that was tried on the way to the presets.
Intervals are 95 %, by a bootstrap over personas. Differences are paired by episode. Minutes of one
core each; the oracle is a hundred times as slow as the rest, and plays fewer episodes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from typing import Any

from bands import by_persona, final, interval
from needs import accuracy, prober

from empathy_env import (
    Agent,
    Scenario,
    Task,
    Trace,
    load_agent,
    load_cells,
    load_personas,
    rollouts,
)
from empathy_env.acts import HELPFUL
from empathy_env.conversation import Conversation
from empathy_env.difficulty import HARDER, KINDS, PRESETS, Difficulty
from empathy_env.library import content_dir
from empathy_env.measures.bootstrap import resampled
from empathy_env.measures.explorable import explorable
from empathy_env.messages import Message
from empathy_env.noise import draw

SEEDS = 3
"""Episodes of the listener for each of the 97 cells of a person and a need: 291 for a setting."""
FIRST = {
    "knobs": 100_000,
    "calibration": 200_000,
    "presets": 300_000,
    "signal": 400_000,
    "again": 500_000,
}
"""First seeds. A preset is reported on other seeds than it was calibrated on."""
GROUP, MEMBERS = 8, 16
GOALS = (100.0, 60.0)
"""Final emotions that count as success for the gradient signal: the protocol's, and one that an
agent of middling skill reaches at times."""
MIX = ("listener", "lapsing-70", "lapsing-50")
"""A policy on its way from advice to listening, in equal numbers of talks: `listener`, and the same
giving way to `advisor` in 30 % and in 50 % of its turns, by chance."""
TARGETS = {"rlver-vanilla": (52.4, 78.6), "rlver-challenging": (33.1, 63.6)}
"""Strategy acceptance and need expression in per cent (arXiv 2507.03112, table 3)."""
TRIES = Path(__file__).with_name("difficulty-calibration.json")
"""All settings that were tried on the way to the presets, and on how many talks each."""


def agent(name: str) -> Agent:
    """Return an agent by name; "lapsing-70" listens in 70 % of its turns and advises in the rest.

    Whether it lapses is drawn by seed, turn and member, so that members of a group differ.
    """
    kind, _, share = name.partition("-")
    if kind != "lapsing":
        return load_agent(name)
    listener, advisor = load_agent("listener"), load_agent("advisor")

    def reply(messages: list[Message], rng: Random, talk: Conversation) -> str:
        here = talk.room.scenario
        lapses = draw(here.seed, len(talk.turns) + 1, here.member, "lapse") >= int(share) / 100
        return (advisor if lapses else listener).reply(messages, rng)  # type: ignore[misc]

    return Agent(name, "Listens, and lapses into advice.", cheats=True, reply=reply)


@cache
def cells() -> tuple[Any, ...]:
    """Return all pairs of a person and a need."""
    return tuple(load_cells("all"))


def starts(difficulty: Difficulty, seeds: int, first: int, every: int = 1) -> list[Scenario]:
    """Return so many scenarios for each cell, or for every so-manieth one."""
    some = [cell for cell in cells()[::every] for _ in range(seeds)]
    return [
        Scenario(persona=persona, need=need, seed=first + number, difficulty=difficulty)
        for number, (persona, need) in enumerate(some)
    ]


def played(name: str, wanted: Sequence[Scenario]) -> list[Trace]:
    """Return the talks of an agent, in the order of the scenarios."""
    found = {
        trace.id: trace
        for trace in rollouts(Task(personas="all"), agent(name), wanted, concurrency=64)
    }
    return [found[scenario.episode_id] for scenario in wanted]


def succeeded(traces: Sequence[Trace]) -> list[float]:
    """Return 1.0 for each talk that ended with success, else 0.0."""
    return [float(trace.outcome == "success") for trace in traces]


def changes(trace: Trace) -> list[float]:
    """Return by how much each turn moved the emotion."""
    return [trace.emotion(n) - trace.emotion(n - 1) for n in range(1, len(trace.turns) + 1)]


def listened(traces: Sequence[Trace]) -> dict[str, Any]:
    """Return how the listener fares."""
    answers = [turn.answers[0] for trace in traces for turn in trace.turns]
    return {
        "emotion": interval(traces, [final(trace) for trace in traces]),
        "success": interval(traces, succeeded(traces)),
        "left": round(fmean(trace.outcome == "left" for trace in traces), 3),
        "change_sd": round(pstdev([c for trace in traces for c in changes(trace)]), 2),
        "saturated": round(fmean(answer.saturated for answer in answers), 4),
        "need_guessed": interval(traces, [float(guessed(trace)) for trace in traces]),
    }


@cache
def script(name: str) -> Any:
    """Return an agent's file as a module."""
    spec = importlib.util.spec_from_file_location(name, content_dir("agents") / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def guessed(trace: Trace) -> bool:
    """Whether the listener's count of signs points to the need when the talk is over."""
    theirs = [trace.opening[0], *(turn.answers[0].reply for turn in trace.turns)]
    return script("listener").infer_need(theirs) == trace.scenario.need


def readable(difficulty: Difficulty, talks: int = 24, turns: int = 3) -> float:
    """Return how often a classifier of words reads the need from three answers to good questions.

    Naive Bayes for each of every second persona, trained on half of the talks and tested on the
    other (`needs.py`).
    """
    found: list[float] = []
    task = Task(personas="all")
    for index, persona in enumerate(tuple(load_personas().values())[::2]):
        wanted = [
            Scenario(
                persona=persona,
                need=variant.need,
                seed=900_000 + 1000 * index + number,
                max_turns=turns,
                difficulty=difficulty,
            )
            for number, variant in enumerate(persona.needs * talks)
        ]
        traces = sorted(
            rollouts(task, prober(), wanted, concurrency=64), key=lambda trace: trace.scenario.seed
        )
        texts = [
            (" ".join([*(turn.answers[0].reply for turn in trace.turns)]), trace.scenario.need)
            for trace in traces
        ]
        half = len(texts) // 2
        found.append(accuracy(texts[:half], texts[half:]))
    return round(fmean(found), 3)


def ends(knob: str) -> tuple[float, float]:
    """Return the easy and the hard end of a knob; of one of style the low and the high end."""
    return (1.0, 0.0) if HARDER.get(knob) == -1 else (0.0, 1.0)


def knobs() -> dict[str, Any]:
    """Return what each knob does to the listener, and whether the oracle still succeeds."""
    known: dict[Difficulty, list[Trace]] = {}
    reads: dict[Difficulty, float] = {}
    result: dict[str, Any] = {}
    for knob, kind in KINDS.items():
        both = [Difficulty(**{knob: end}) for end in ends(knob)]
        for difficulty in both:
            if difficulty not in known:
                wanted = starts(difficulty, SEEDS, FIRST["knobs"])
                known[difficulty] = played("listener", wanted)
        easy, hard = (known[difficulty] for difficulty in both)
        gaps = [final(two) - final(one) for one, two in zip(easy, hard, strict=True)]
        won = [b - a for a, b in zip(succeeded(easy), succeeded(hard), strict=True)]
        result[knob] = {
            "kind": kind,
            "ends": ends(knob),
            "easy": listened(easy),
            "hard": listened(hard),
            "emotion_gap": interval(easy, gaps),
            "success_gap": interval(easy, won),
        }
        if kind != "style":
            result[knob]["oracle"] = oracle(almost(knob), FIRST["knobs"])
        if kind == "information":
            for difficulty in both:
                reads[difficulty] = reads.get(difficulty) or readable(difficulty)
            result[knob]["readable"] = [reads[difficulty] for difficulty in both]
    return {"episodes": len(starts(Difficulty(), SEEDS, 0)), "knobs": result}


def strained() -> dict[str, Any]:
    """Return what the two knobs that act on strain alone do to an agent that gives cause for it."""
    result: dict[str, Any] = {}
    for knob in ("patience", "memory"):
        easy, hard = (
            played("lapsing-50", starts(Difficulty(**{knob: end}), SEEDS, FIRST["knobs"]))
            for end in ends(knob)
        )
        pairs = list(zip(easy, hard, strict=True))
        strains = [[t.turns[-1].answers[0].mood.strain for t in traces] for traces in (easy, hard)]
        result[knob] = {
            "emotion": [round(fmean(map(final, traces)), 2) for traces in (easy, hard)],
            "emotion_gap": interval(easy, [final(b) - final(a) for a, b in pairs]),
            "turns_gap": interval(easy, [len(b.turns) - len(a.turns) for a, b in pairs]),
            "strain_gap": interval(easy, [b - a for a, b in zip(*strains, strict=True)]),
            "left": [round(fmean(t.outcome == "left" for t in ts), 3) for ts in (easy, hard)],
        }
    return {"agent": "lapsing-50", "knobs": result}


def almost(knob: str) -> Difficulty:
    """Return the knob close to its hard end."""
    return Difficulty(**{knob: {-1: 0.05, 1: 0.95}[HARDER[knob]]})


def oracle(difficulty: Difficulty, first: int) -> dict[str, Any]:
    """Return how the oracle fares with every sixth cell."""
    traces = played("oracle", starts(difficulty, 1, first, every=6))
    return {
        "emotion": interval(traces, [final(trace) for trace in traces]),
        "successes": sum(map(int, succeeded(traces))),
        "episodes": len(traces),
    }


@dataclass(frozen=True)
class Descriptor:
    """Counts of one talk, for the two figures that RLVER describes its users by."""

    offered: int
    """Turns of the agent with at least one helpful act."""
    accepted: int
    """Those of them in which the emotion rose."""
    expressed: bool
    """Whether the person said aloud a fact of their need."""

    @classmethod
    def of(cls, trace: Trace) -> Descriptor:
        """Count in one talk."""
        own = {fact.id for fact in trace.scenario.variant.facts}  # type: ignore[union-attr]
        offered = [
            change
            for turn, change in zip(trace.turns, changes(trace), strict=True)
            if any(evidence.act in HELPFUL for evidence in turn.evidence)
        ]
        answers = [turn.answers[0] for turn in trace.turns]
        aloud = {told for a in answers for told in a.told if told not in a.withheld}
        return cls(len(offered), sum(change > 0 for change in offered), bool(own & aloud))


def acceptance(found: Sequence[Descriptor]) -> float:
    """Return the share of turns with a helpful act in which the emotion rose."""
    return sum(one.accepted for one in found) / sum(one.offered for one in found)


def expression(found: Sequence[Descriptor]) -> float:
    """Return the share of talks in which the person says aloud a fact of their need."""
    return fmean(one.expressed for one in found)


def mixed(difficulty: Difficulty, seeds: int, first: int) -> list[Trace]:
    """Return the talks of the mix."""
    wanted = starts(difficulty, seeds, first)
    return [trace for name in MIX for trace in played(name, wanted)]


def described(traces: Sequence[Trace]) -> dict[str, list[float]]:
    """Return both descriptors with intervals."""
    found: dict[str, list[Descriptor]] = by_persona(  # type: ignore[assignment]
        traces,
        [Descriptor.of(trace) for trace in traces],  # type: ignore[misc]
    )
    return {
        name: [round(100 * x, 1) for x in resampled(found, figure)[:3]]
        for name, figure in (("acceptance", acceptance), ("expression", expression))
    }


def signal(difficulty: Difficulty) -> dict[str, Any]:
    """Return the mean gradient-signal fraction of a group, for an agent that acts by chance."""
    wanted = [
        replace(scenario, member=member)
        for scenario in starts(difficulty, 1, FIRST["signal"], every=3)
        for member in range(MEMBERS)
    ]
    traces = played("lapsing-70", wanted)
    firsts = {trace.scenario.persona.id + trace.scenario.need: trace for trace in traces}
    result: dict[str, Any] = {"starts": len(firsts)}
    for goal in GOALS:
        found = explorable(traces, group_size=GROUP, goal=goal)
        whose = [firsts[cell.persona + cell.need] for cell in found]
        result[f"signal_{goal:.0f}"] = interval(whose, [cell.signal for cell in found])
        result["within"] = interval(whose, [cell.within for cell in found])
    return result


def presets(names: Sequence[str]) -> dict[str, Any]:
    """Return what each of these presets is like."""
    result: dict[str, Any] = {}
    for name in names:
        difficulty = PRESETS[name]
        traces = played("listener", starts(difficulty, SEEDS, FIRST["presets"]))
        result[name] = {
            "listener": listened(traces),
            "oracle": oracle(difficulty, FIRST["presets"]),
            "mix": described(mixed(difficulty, 3, FIRST["presets"])),
            "signal": signal(difficulty),
            "readable": readable(difficulty),
        }
        for draw_of in ("calibration", "again") if name in TARGETS else ():
            result[name][draw_of] = described(mixed(difficulty, 3, FIRST[draw_of]))
    return {"episodes": len(starts(Difficulty(), SEEDS, 0)), "presets": result}


def tried(name: str, talks: Sequence[Scenario]) -> dict[str, Any]:
    """Return the descriptors of the mix in these talks, and how the listener alone ends."""
    traces = [trace for agent_name in MIX for trace in played(agent_name, talks)]
    found = [Descriptor.of(trace) for trace in traces]
    return {
        "preset": name,
        "knobs": talks[0].difficulty.to_data(),
        "talks": len(traces),
        "acceptance": round(100 * acceptance(found), 2),
        "expression": round(100 * expression(found), 2),
        "listener": round(fmean(map(final, traces[: len(talks)])), 1),
    }


def calibration() -> dict[str, Any]:
    """Return what comes of playing again all settings that were tried on the way to the presets."""
    tries: list[dict[str, Any]] = []
    for one in json.loads(TRIES.read_text("utf-8"))["tries"]:
        talks = starts(Difficulty(**one["knobs"]), 3, FIRST["calibration"])
        every = len(talks) * len(MIX) // one["talks"]
        tries.append(tried(one["preset"], talks[::every]))
    return {"tries": tries}


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("knobs", "strained", "presets", "calibration"))
    parser.add_argument("--out", type=Path, help="file to write to, instead of printing")
    parser.add_argument("--presets", nargs="*", help="which of them; otherwise all")
    given = parser.parse_args()
    parts: Mapping[str, Callable[[], dict[str, Any]]] = {
        "knobs": knobs,
        "strained": strained,
        "presets": lambda: presets(given.presets or list(PRESETS)),
        "calibration": calibration,
    }
    result = parts[given.part]()
    text = json.dumps(result, indent=1)
    print(text) if given.out is None else given.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
