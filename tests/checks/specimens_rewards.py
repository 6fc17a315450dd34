"""Rewards that are broken on purpose, each in one way: what `check_reward` must reject."""

from __future__ import annotations

import itertools
import math
import random
import re
from functools import partial
from typing import NamedTuple

from empathy_env.reward import RewardFunction, delta

CALLS = itertools.count()
SEEN: dict[str, set[str]] = {}
KIND = {"sorry", "proud"}
SOFT = re.compile(r"\b(gentle|tender)(ly)?\b")
FAVOURITES = {"laid-off-engineer": 0.5}


def turn_of(trace, turn):
    return trace.turns[turn - 1]


def reads_the_end(trace, turn):
    return trace.emotion(len(trace.turns)) / 100


def reads_the_outcome(trace, turn):
    return delta(trace, turn) + (trace.outcome == "time_up")


def rolls_dice(trace, turn):
    return delta(trace, turn) + random.random() / 100


def counts_calls(trace, turn):
    return 1 / (1 + next(CALLS))


def remembers_talks(trace, turn):
    """Pays less for a person that has been met in other episodes."""
    met = SEEN.setdefault(trace.scenario.persona.id, set())
    met.add(trace.id)
    return trace.emotion(turn) / 100 / len(met)


def writes_into_the_trace(trace, turn):
    trace.meter["scored"] = 1.0
    return delta(trace, turn)


def charges_for_faults(trace, turn):
    return -1.0 if trace.fault else delta(trace, turn)


def pays_the_turn_that_failed(trace, turn):
    if trace.fault and turn > len(trace.turns):
        return 0.0
    return delta(trace, turn)


def is_no_number_at_the_end(trace, turn):
    return math.nan if turn_of(trace, turn).outcome == "left" else 0.0


def divides_by_silence(trace, turn):
    return 1 / len(turn_of(trace, turn).heard)


def counts_characters(trace, turn):
    return len(turn_of(trace, turn).heard) * 1.0


def is_far_too_large(trace, turn):
    return 1e6 * delta(trace, turn)


def pays_for_length(trace, turn):
    return len(turn_of(trace, turn).heard) / 4000


def pays_for_long_turns(trace, turn):
    return delta(trace, turn) + (len(turn_of(trace, turn).heard.split()) > 150)


def pays_for_long_quotes(trace, turn):
    return sum(len(e.quote) for e in turn_of(trace, turn).evidence) / 4000


def pays_for_emoji(trace, turn):
    return float(any(ord(c) > 0x1F000 for c in turn_of(trace, turn).heard))


def pays_for_bold(trace, turn):
    return delta(trace, turn) + 0.1 * ("**" in turn_of(trace, turn).heard)


def pays_for_lists(trace, turn):
    return float(bool(re.search(r"^\d\. ", turn_of(trace, turn).heard, re.MULTILINE)))


def pays_for_the_name(trace, turn):
    first = trace.scenario.persona.identity.name.split()[0]
    return delta(trace, turn) + 0.1 * (first in turn_of(trace, turn).heard)


def has_favourites(trace, turn):
    return delta(trace, turn) + FAVOURITES.get(trace.scenario.persona.id, 0.0)


def knows_the_agent(trace, turn):
    return 1.0 if not trace.agent else delta(trace, turn)


def credits_understand(trace, turn):
    return delta(trace, turn) + 0.1 * ("understand" in turn_of(trace, turn).heard.lower())


def credits_a_phrase(trace, turn):
    return delta(trace, turn) + 0.1 * ("I'm sorry to hear" in turn_of(trace, turn).heard)


def credits_a_set(trace, turn):
    return delta(trace, turn) + 0.1 * bool(KIND & set(turn_of(trace, turn).heard.split()))


def credits_a_pattern(trace, turn):
    return delta(trace, turn) + 0.1 * bool(SOFT.search(turn_of(trace, turn).heard))


def credits_what_a_helper_finds(trace, turn):
    return delta(trace, turn) + mentions_weather(turn_of(trace, turn).heard)


def mentions_weather(text):
    return 0.1 * ("drizzle" in text)


def credits_given(word, trace, turn):
    return delta(trace, turn) + 0.1 * (word in turn_of(trace, turn).heard)


class Crediting:
    def __init__(self, word):
        self.word = word

    def __call__(self, trace, turn):
        return credits_given(self.word, trace, turn)


def credits_thanks(trace, turn):
    return delta(trace, turn) + 0.1 * ("hank" in turn_of(trace, turn).answers[0].reply)


def punishes_why(trace, turn):
    return delta(trace, turn) - 0.1 * turn_of(trace, turn).heard.startswith("why")


def pays_for_thinking(trace, turn):
    return min(1.0, len(turn_of(trace, turn).private) / 1000)


def reads_what_was_written(trace, turn):
    return delta(trace, turn) + 0.1 * ("step by step" in turn_of(trace, turn).raw)


def pays_for_pleading(trace, turn):
    acts = [e.act for e in turn_of(trace, turn).evidence]
    return delta(trace, turn) + 0.5 * ("manipulation" in acts)


def counts_evidence(trace, turn):
    return len(turn_of(trace, turn).evidence) / 10


def pays_for_advice(trace, turn):
    return delta(trace, turn) + 0.5 * any(
        e.act == "suggestion" for e in turn_of(trace, turn).evidence
    )


def pays_for_sorrow(trace, turn):
    return -delta(trace, turn)


def pays_by_seat_in_the_group(trace, turn):
    return trace.scenario.member / 10


def charges_for_tokens(trace, turn):
    return delta(trace, turn) - trace.meter.get("completion_tokens", 0) / 1e4


def pays_gains_alone(trace, turn):
    return max(0.0, delta(trace, turn))


class Specimen(NamedTuple):
    """A broken reward, the law that must reject it, and how long the talk may be that shows it."""

    reward: RewardFunction
    law: str
    turns: int = 1
    words: int = 2

    @property
    def name(self):
        return getattr(self.reward, "__name__", type(self.reward).__name__)


SPECIMENS = (
    Specimen(is_no_number_at_the_end, "bounded", words=6),
    Specimen(divides_by_silence, "bounded", words=0),
    Specimen(counts_characters, "bounded", words=2000),
    Specimen(is_far_too_large, "bounded"),
    Specimen(rolls_dice, "deterministic"),
    Specimen(counts_calls, "deterministic"),
    Specimen(writes_into_the_trace, "pure"),
    Specimen(remembers_talks, "order", turns=2, words=4),
    Specimen(reads_the_end, "causal", turns=2, words=5),
    Specimen(reads_the_outcome, "causal", turns=2, words=6),
    Specimen(charges_for_faults, "unscored-on-fault"),
    Specimen(pays_the_turn_that_failed, "unscored-on-fault"),
    Specimen(pays_for_thinking, "private-text"),
    Specimen(reads_what_was_written, "private-text", words=3),
    Specimen(pays_for_length, "length"),
    Specimen(pays_for_long_turns, "length", words=200),
    Specimen(pays_for_long_quotes, "length", words=3),
    Specimen(pays_for_emoji, "emoji"),
    Specimen(pays_for_bold, "markdown"),
    Specimen(pays_for_lists, "markdown"),
    Specimen(pays_for_the_name, "names"),
    Specimen(has_favourites, "names"),
    Specimen(knows_the_agent, "names"),
    Specimen(credits_understand, "wording"),
    Specimen(credits_a_phrase, "wording", words=4),
    Specimen(credits_a_set, "wording"),
    Specimen(credits_a_pattern, "wording"),
    Specimen(credits_what_a_helper_finds, "wording"),
    Specimen(partial(credits_given, "quixotic"), "wording"),
    Specimen(Crediting("halcyon"), "wording"),
    Specimen(credits_thanks, "wording"),
    Specimen(punishes_why, "wording"),
    Specimen(pays_by_seat_in_the_group, "bookkeeping"),
    Specimen(charges_for_tokens, "bookkeeping"),
    Specimen(pays_for_pleading, "no-credit-for-asking", words=9),
    Specimen(counts_evidence, "no-credit-for-asking", words=9),
    Specimen(pays_for_sorrow, "no-credit-for-asking", words=14),
    Specimen(pays_for_advice, "fit-pays", words=10),
)
