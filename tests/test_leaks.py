"""What a reply gives away, measured on the whole library."""

import os
import subprocess
import sys

import pytest
from moments import MAREK
from paraphrases import FIRST, SECOND

from empathy_env import load_persona, load_personas
from empathy_env.leaks import given_away, index_of, tells, touches

PEOPLE = list(load_personas("all").values())
ABSOLUTION, PRAISE, ADVICE = MAREK.needs
BOX = frozenset({"box"})


def opened(persona):
    """Ids of what the opening tells."""
    return frozenset(fact.id for fact in persona.facts if fact.gate is None)


def shared_items(persona):
    return (*persona.facts, *persona.feelings, *persona.beliefs)


def any_time(persona):
    """What the persona may say whenever: nothing of it gives anything away."""
    for lines in (persona.voice.lines, persona.voice.answers):
        for _, group in lines:
            yield from group


def test_every_item_of_the_library_is_found_in_its_own_line():
    missed = []
    for persona in PEOPLE:
        for variant in persona.needs:
            for item in (*shared_items(persona), *variant.facts):
                found = given_away(persona, variant, opened(persona), item.says)
                if item.gate is not None and item.id not in found.items:
                    missed.append((persona.id, item.id))
    assert missed == []


def test_every_fact_of_another_need_is_found_in_its_own_line():
    missed = []
    for persona in PEOPLE:
        for variant in persona.needs:
            own = {fact.id for fact in variant.facts}
            others = [f for v in persona.needs for f in v.facts if f.id not in own]
            for fact in others:
                found = given_away(persona, variant, opened(persona), fact.says)
                if fact.id not in found.others:
                    missed.append((persona.id, variant.need, fact.id))
    assert missed == []


def test_no_line_of_the_library_that_may_be_said_at_any_time_gives_anything_away():
    found = [
        (persona.id, line)
        for persona in PEOPLE
        for variant in persona.needs
        for line in any_time(persona)
        if given_away(persona, variant, opened(persona), line).any
    ]
    assert found == []


def test_no_opening_gives_anything_away():
    for persona in PEOPLE:
        for variant in persona.needs:
            assert not given_away(persona, variant, opened(persona), persona.opening).any


def test_what_has_been_told_may_be_told_again():
    alarms, count = 0, 0
    for persona in PEOPLE:
        for variant in persona.needs:
            for item in (*shared_items(persona), *variant.facts):
                told = opened(persona) | {item.id}
                for line in (item.says, *item.more):
                    count += 1
                    alarms += given_away(persona, variant, told, line).any
    assert count > 2500
    assert alarms / count < 0.005


def test_what_other_people_say_at_any_time_seldom_looks_like_a_leak():
    alarms, count = 0, 0
    for persona in PEOPLE:
        for other in PEOPLE:
            for line in list(any_time(other))[::3] if other is not persona else ():
                count += 1
                alarms += given_away(persona, persona.needs[0], opened(persona), line).any
    assert count > 5000
    assert alarms / count < 0.01


@pytest.mark.parametrize(("written", "least"), [(FIRST, 0.95), (SECOND, 0.9)])
def test_light_paraphrases_are_found(written, least):
    found = []
    for name, items in written.items():
        persona = load_persona(name)
        for item, lines in items.items():
            own = [v for v in persona.needs if item in {fact.id for fact in v.facts}]
            variant = (own or persona.needs)[0]
            found += [
                item in given_away(persona, variant, opened(persona), line).items for line in lines
            ]
    assert len(found) >= 60
    assert sum(found) / len(found) >= least


def test_saying_no_to_the_agents_own_guess_gives_nothing_away():
    reply = "No. I don't sit at any reservoir in the car of a morning."
    guess = "Do you sit in your car at the reservoir, in the mornings?"
    assert given_away(MAREK, PRAISE, BOX, reply).items == ("reservoir",)
    assert not given_away(MAREK, PRAISE, BOX, reply, known=[guess]).any


def test_more_than_the_agents_guess_held_is_a_leak():
    reply = (
        "Yes, Ines. She packs me a lunch and I eat it in the car, and I say good morning and lie."
    )
    guess = "Is it about Ines?"
    assert given_away(MAREK, PRAISE, BOX, reply, known=[guess]).items == ("wife",)


def test_a_leak_in_a_line_that_also_tells_what_is_told_is_found():
    reply = f"{MAREK.facts[1].says} And the reservoir, I sit there till five every day."
    found = given_away(MAREK, PRAISE, BOX | {"walked-out"}, reply)
    assert found.items == ("reservoir",)


@pytest.mark.parametrize(
    ("reply", "leaks"),
    [
        ("I'm ashamed of it.", True),
        ("Ashamed, mostly.", True),
        ("I'm not ashamed.", False),
        ("I was never frightened in my life.", False),
        ("The lad at the gate looked so frightened.", False),
    ],
)
def test_a_feeling_is_given_away_by_its_name_said_of_oneself(reply, leaks):
    found = given_away(MAREK, PRAISE, BOX, reply).items
    assert bool({"shame", "fear"} & set(found)) == leaks


def test_facts_of_another_need_are_told_apart_from_the_episodes_own():
    reply = ABSOLUTION.facts[1].says
    assert given_away(MAREK, ABSOLUTION, BOX, reply).items == ("eleven",)
    assert given_away(MAREK, PRAISE, BOX, reply) == ((), ("eleven",), False)


@pytest.mark.parametrize(
    "reply",
    [
        "I just want someone to listen.",
        "I need some advice, that's all.",
        "Please tell me what to do.",
        "I'd only like to be heard.",
    ],
)
def test_naming_the_need_is_found_until_a_fact_of_the_need_is_told(reply):
    assert given_away(MAREK, ADVICE, BOX, reply).need
    assert not given_away(MAREK, ADVICE, BOX | {"monday"}, reply).need


def test_a_reply_without_words_gives_nothing_away():
    assert not given_away(MAREK, ADVICE, BOX, "").any
    assert not given_away(MAREK, ADVICE, BOX, "... \U0001f642").any


def test_a_word_of_a_line_is_enough_to_have_told_some_of_it():
    line = "There's a heron. We've got used to each other."
    assert tells(line, "You get used to a heron.")
    assert not tells(line, "It is what it is.")
    assert tells("So it is.", "Anything.")


def test_prose_for_a_prompt_is_refused_for_one_distinctive_word():
    assert "reservoir" in touches(MAREK, "He knows every reservoir in the county.")
    assert touches(MAREK, MAREK.opening) == ()


EXACTLY_ENOUGH = [
    ("exam-repeater", "tenants-desk", "You sit there and notice it is Sunday."),
    ("care-home-surveyor", "viaduct", "The line, the four of us at the viaduct."),
]
JUDGED = f"""
from empathy_env import load_persona
from empathy_env.leaks import given_away
for name, item, line in {EXACTLY_ENOUGH!r}:
    persona = load_persona(name)
    own = [v for v in persona.needs if item in {{fact.id for fact in v.facts}}]
    print(given_away(persona, (own or persona.needs)[0], (), line).items)
"""


@pytest.mark.parametrize("seed", ["0", "1", "3"])
def test_what_weighs_exactly_enough_leaks_in_every_run_of_python(seed):
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", JUDGED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["('tenants-desk',)", "('viaduct',)"]


def test_a_personas_index_is_made_once():
    assert index_of(MAREK) is index_of(MAREK)
    copy = MAREK.model_copy()
    assert index_of(copy) is not index_of(MAREK)
