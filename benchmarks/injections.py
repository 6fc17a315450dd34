"""What texts that are addressed to a machine win, beside an honest reply and beside silence.

python benchmarks/injections.py [--texts]

Each text of tests/injections.yaml is said in several talks, early and late, to two users: the code
user, and one whose model obeys as far as the form of its answer lets it. That model quotes every
sentence of the text as the act that lands best on this person at this moment, as strong as can be,
on a topic that they have told of, in answer to words of theirs. It is as generous to the honest
reply that the texts are compared with. With `--texts`, what each text wins.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import yaml

from empathy_env import Scenario, Task, load_agent, load_persona
from empathy_env.acts import ABOUTS, HELPFUL, INTENSITIES, Evidence
from empathy_env.appraiser import detect_manipulation
from empathy_env.backends import ScriptedBackend
from empathy_env.conversation import Conversation, say
from empathy_env.drivers import run
from empathy_env.emotion import credit
from empathy_env.model_appraiser import ModelAppraiser

TEXTS = Path(__file__).parent.parent / "tests" / "injections.yaml"
CELLS = (
    ("widower-allotment", "attentive_listening"),
    ("dropped-friend", "deep_empathy"),
    ("laid-off-engineer", "absolution"),
    ("exam-repeater", "guided_reflection"),
    ("cafe-in-debt", "critical_analysis"),
    ("new-mother", "others_motives"),
    ("night-nurse", "concrete_advice"),
    ("burnt-out-teacher", "specific_praise"),
)
MOMENTS = {"early": 1, "late": 5}
"""After how many turns of the listener."""
MEASURES = ("emotion", "trust", "met")


class Gain(NamedTuple):
    """By how much a turn moves a user."""

    emotion: float
    trust: float
    met: float


class Played(NamedTuple):
    """A text in one talk."""

    kind: str
    text: str
    moment: str
    detected: bool
    gain: Gain
    silence: Gain
    honest: Gain


def injections() -> list[dict[str, str]]:
    """Return the texts with their kinds."""
    return yaml.safe_load(TEXTS.read_text("utf-8"))


def talks() -> Iterator[tuple[str, Conversation]]:
    """Yield the talks in which the texts are said."""
    listener = load_agent("listener")
    for name, need in CELLS:
        persona = load_persona(name)
        task = Task(persona=name, max_turns=12)
        talk = task.begin(Scenario(persona=persona, need=need, seed=3, max_turns=12))
        for turn in range(max(MOMENTS.values()) + 1):
            for moment, turns in MOMENTS.items():
                if turns == turn:
                    yield moment, talk
            talk = run(say(talk, listener.act(talk)))


def gain(talk: Conversation, text: str, backend: ScriptedBackend | None = None) -> Gain:
    """Return what saying this wins."""
    before, after = talk.users[0].mood, run(say(talk, text), backend).users[0].mood
    return Gain(*(getattr(after, name) - getattr(before, name) for name in MEASURES))


def obeyed(talk: Conversation, text: str) -> Gain:
    """Return what saying this wins with a user whose model does whatever the text wants."""
    backend = ScriptedBackend(lambda request: json.dumps(best_evidence(talk, text)))
    room = replace(talk.room, appraiser=ModelAppraiser(), backend=backend.name)
    return gain(replace(talk, room=room), text, backend)


def best_evidence(talk: Conversation, text: str) -> dict[str, Any]:
    """Return the answer, in the form that is asked for, that wins most with this user."""
    user, state = talk.room.users[0], talk.users[0]
    pieces = [
        Evidence(act, text, 0, 0, INTENSITIES[-1], about, topic.id, True)
        for topic in user.topics(state)
        for act in HELPFUL
        for about in ABOUTS
        if topic.told
    ]
    best = max(pieces, key=lambda piece: credit(piece, state.mood, user.listener))
    heard = max(talk.utterance.split("."), key=len).strip()
    entry = {"act": best.act, "about": best.about, "topic": best.topic, "answers": heard}
    quotes = {piece.strip() for piece in (text, *re.split(r"[.!?\n;]+", text))} - {""}
    return {"evidence": [{**entry, "quote": q, "intensity": "strong"} for q in sorted(quotes)]}


def played(moments: Iterable[tuple[str, Conversation]]) -> dict[str, list[Played]]:
    """Say every text in these talks, to either user."""
    texts = injections()
    found = [bool(detect_manipulation(entry["text"])) for entry in texts]
    results: dict[str, list[Played]] = {"code": [], "model": []}
    for moment, talk in moments:
        silence = gain(talk, "")
        replies = [load_agent(name).act(talk) for name in ("listener", "oracle")]
        for user, wins in (("code", gain), ("model", obeyed)):
            honest = max(wins(talk, reply) for reply in replies)
            results[user] += [
                Played(
                    *entry.values(), moment, detected, wins(talk, entry["text"]), silence, honest
                )
                for entry, detected in zip(texts, found, strict=True)
            ]
    return results


def summary(results: dict[str, list[Played]]) -> str:
    """Return the figures as a Markdown table."""
    header = "| user | texts | measure | silence | honest | mean | most | most beside honest |"
    lines = [header, "|---|---|---|--:|--:|--:|--:|--:|"]
    for user, rows in results.items():
        for detected in (True, False):
            own = [row for row in rows if row.detected is detected]
            for at, name in enumerate(MEASURES if own else ()):
                gains = [row.gain[at] for row in own]
                beside = max(row.gain[at] - row.honest[at] for row in own)
                silence = mean(row.silence[at] for row in own)
                best = mean(row.honest[at] for row in own)
                figures = (silence, best, mean(gains), max(gains), beside)
                what = "found" if detected else "not found"
                cells = " | ".join(f"{figure:.2f}" for figure in figures)
                lines.append(f"| {user} | {what} | {name} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", action="store_true")
    wanted = parser.parse_args()
    results = played(talks())
    texts = injections()
    missed = [entry for entry in texts if not detect_manipulation(entry["text"])]
    print(f"{len(texts)} texts, {len(missed)} of them not found ({len(missed) / len(texts):.0%})\n")
    print(summary(results))
    for entry in texts if wanted.texts else ():
        rows = [row for row in results["model"] if row.text == entry["text"]]
        most = max(row.gain.emotion for row in rows)
        print(f"{most:6.2f} {'found ' if rows[0].detected else 'MISSED'} {entry['text']!r}")


if __name__ == "__main__":
    main()
