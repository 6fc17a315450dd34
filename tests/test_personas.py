"""The bundled personas: what a file that follows the schema can still get wrong."""

import re
from collections import Counter
from itertools import combinations

import pytest

from empathy_env.library import load_persona, load_personas, persona_names
from empathy_env.persona import NEEDS

EVERYONE = load_personas()
each_persona = pytest.mark.parametrize("name", persona_names())


def items(persona, variant):
    return (*persona.facts, *variant.facts, *persona.feelings, *persona.beliefs)


def spoken(persona):
    """Return every line that the persona can say."""
    lines = [persona.opening]
    for variant in persona.needs:
        for item in items(persona, variant):
            lines += [item.says, *getattr(item, "more", ())]
    for group in (persona.voice.lines, *(variant.lines for variant in persona.needs)):
        lines += [line for situation in group.model_dump().values() for line in situation]
    return {" ".join(line.lower().split()) for line in lines}


def test_there_are_at_least_eight():
    assert len(EVERYONE) >= 8


@each_persona
def test_each_loads_under_its_own_name(name):
    assert load_persona(name).id == name


def test_every_need_is_covered_twice():
    counts = Counter(variant.need for persona in EVERYONE.values() for variant in persona.needs)
    assert {need: counts[need] for need in NEEDS if counts[need] < 2} == {}


def test_every_split_has_somebody():
    assert {persona.split for persona in EVERYONE.values()} == {"train", "dev", "test"}


@each_persona
def test_no_two_items_share_a_word(name):
    persona = load_persona(name)
    own = [fact for variant in persona.needs for fact in variant.facts]
    everything = (*persona.facts, *persona.feelings, *persona.beliefs, *own)
    owners = Counter(word for item in everything for word in set(item.words))
    assert [word for word, count in owners.items() if count > 1] == []


@each_persona
def test_the_opening_gives_no_gated_fact_of_a_variant_away(name):
    persona = load_persona(name)
    words = [word for v in persona.needs for fact in v.facts for word in fact.words]
    said = persona.opening.lower()
    assert [word for word in words if re.search(rf"\b{re.escape(word)}\b", said)] == []


def test_no_line_is_shared_between_two_personas():
    shared = {
        (one.id, other.id): spoken(one) & spoken(other)
        for one, other in combinations(EVERYONE.values(), 2)
    }
    assert {pair: lines for pair, lines in shared.items() if lines} == {}


@each_persona
def test_the_opening_names_what_it_counts_as_told(name):
    persona = load_persona(name)
    bare = [
        item.id
        for variant in persona.needs
        for item in items(persona, variant)
        if item.gate is None and not any(word in persona.opening.lower() for word in item.words)
    ]
    assert bare == []
