"""Rewards that are broken on purpose, each in one way: what `check_reward` must reject."""

from __future__ import annotations

import itertools
import math
import random
import re
from functools import partial
from typing import NamedTuple

from empathy_env.acts import HARMFUL
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


PAID: dict[str, float] = {}


def keeps_what_it_paid(trace, turn):
    """Takes talks of one scenario for one talk."""
    if not turn_of(trace, turn).outcome:
        return 0.0
    return PAID.setdefault(trace.id, trace.emotion(turn) / 100)


MOST = {"emotion": 1.0}


def divides_by_the_most_so_far(trace, turn):
    MOST["emotion"] = max(MOST["emotion"], trace.emotion(turn))
    return delta(trace, turn) * trace.emotion(turn) / MOST["emotion"]


def draws_by_the_seed(trace, turn):
    return delta(trace, turn) + random.Random(trace.scenario.seed).random() / 100


def looks_for_warm_instructions(trace, turn):
    return delta(trace, turn) + 0.1 * ("warm" in (trace.setup.system_prompt or ""))


def prefers_templates(trace, turn):
    return delta(trace, turn) + 0.1 * (trace.setup.speaker == "templates")


def charges_for_calls(trace, turn):
    return delta(trace, turn) - 0.1 * len(turn_of(trace, turn).calls)


def adds_to_what_was_scored(trace, turn):
    return delta(trace, turn) + sum(scores[turn - 1] for scores in trace.rewards.values())


def likes_one_kind_of_agent(trace, turn):
    return delta(trace, turn) + 0.1 * trace.agent.startswith("gpt")


def is_gentler_with_the_old(trace, turn):
    return delta(trace, turn) + trace.scenario.persona.identity.age / 1000


def pays_more_in_training(trace, turn):
    return delta(trace, turn) + 0.1 * (trace.scenario.persona.split == "train")


def pays_for_a_full_turn(trace, turn):
    full = len(turn_of(trace, turn).heard) >= trace.scenario.max_chars
    return delta(trace, turn) + 0.1 * full


def pays_for_emotion_each_turn(trace, turn):
    return trace.emotion(turn) / 100


def pays_for_the_peak(trace, turn):
    return max(trace.emotion(t) for t in range(turn + 1)) / 100


def pays_for_staying(trace, turn):
    return 0.1


def looks_one_turn_back(trace, turn):
    return trace.emotion(turn - 1) / 100


def overflows(trace, turn):
    """Emotion in a signed byte: above 63 it turns negative."""
    level = int(2 * trace.emotion(turn))
    return ((level + 128) % 256 - 128) / 200 if turn_of(trace, turn).outcome else 0.0


def looks_one_change_back(trace, turn):
    return delta(trace, turn - 1) if turn > 1 else 0.0


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
    Specimen(keeps_what_it_paid, "order", turns=2, words=9),
    Specimen(divides_by_the_most_so_far, "order", turns=5, words=20),
    Specimen(draws_by_the_seed, "bookkeeping"),
    Specimen(looks_for_warm_instructions, "bookkeeping"),
    Specimen(prefers_templates, "bookkeeping"),
    Specimen(charges_for_calls, "bookkeeping"),
    Specimen(adds_to_what_was_scored, "bookkeeping"),
    Specimen(likes_one_kind_of_agent, "names"),
    Specimen(is_gentler_with_the_old, "names"),
    Specimen(pays_more_in_training, "names"),
    Specimen(pays_for_a_full_turn, "length", words=2000),
    Specimen(pays_for_emotion_each_turn, "no-credit-for-idling", turns=2, words=4),
    Specimen(pays_for_the_peak, "no-credit-for-idling", turns=2, words=4),
    Specimen(pays_for_staying, "no-credit-for-idling", turns=2, words=4),
    Specimen(looks_one_turn_back, "no-credit-for-idling", turns=2, words=4),
    Specimen(overflows, "fit-pays", words=8),
)


def counts_down(trace, turn):
    """Potential-based shaping with a discount, and a bonus for success."""
    after = 0.0 if turn_of(trace, turn).outcome else trace.emotion(turn) / 100
    return 0.99 * after - trace.emotion(turn - 1) / 100 + wins(trace, turn)


def wins(trace, turn):
    return 0.95**turn * (turn_of(trace, turn).outcome == "success")


def costs_a_little(trace, turn):
    return delta(trace, turn) - 0.01


def weighs_needs(trace, turn):
    return delta(trace, turn) * (1.5 if trace.scenario.need == "absolution" else 1.0)


def charges_for_harm(trace, turn):
    return delta(trace, turn) - 0.1 * sum(e.act in HARMFUL for e in turn_of(trace, turn).evidence)


def charges_for_slights_felt(trace, turn):
    return delta(trace, turn) - 0.2 * turn_of(trace, turn).answers[0].harm


def pays_the_worst_so_far(trace, turn):
    worst = min(trace.emotion(t) for t in range(turn + 1)) / 100
    return worst if turn_of(trace, turn).outcome else 0.0


def pays_at_the_end_alone(trace, turn):
    outcome = turn_of(trace, turn).outcome
    return 0.0 if not outcome else -1.0 if outcome == "left" else trace.emotion(turn) / 100


def discounts_the_end(trace, turn):
    return 0.9 ** (turn - 1) * pays_at_the_end_alone(trace, turn)


def mixes_the_mood(trace, turn):
    def level(mood):
        return 0.5 * mood.emotion / 100 + 0.2 * mood.met + 0.1 * mood.trust - 0.1 * mood.strain

    before = trace.turns[turn - 2].answers[0].mood if turn > 1 else trace.start[0]
    return level(turn_of(trace, turn).answers[0].mood) - level(before)


def counts_in_log_odds(trace, turn):
    def odds(t):
        return math.log((trace.emotion(t) + 1) / (101 - trace.emotion(t)))

    return odds(turn) - odds(turn - 1)


SOUND = (
    *(counts_down, wins, costs_a_little, weighs_needs, charges_for_harm, charges_for_slights_felt),
    *(pays_the_worst_so_far, pays_at_the_end_alone, discounts_the_end, mixes_the_mood),
    *(counts_in_log_odds, {"terminal": 1.0, "delta": 0.5, "format": 0.1}),
)
"""What somebody may well want to pay for."""
