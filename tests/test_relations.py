"""What a model is told of the others: enough to know them by, and nothing that anybody hides."""

import pytest

from empathy_env.cast import Cast, cast_names, load_cast
from empathy_env.leaks import reveals, touches
from empathy_env.relations import others

CASTS = [load_cast(name) for name in cast_names()]
SEATS = [
    pytest.param(cast, place, id=f"{cast.id}-{name}")
    for cast in CASTS
    for place, name in enumerate(cast.names)
]


def told(cast, place):
    """What is told, line by line."""
    lines = others(cast, place).splitlines()
    return [line.removeprefix("- ") for line in lines if line.startswith("- ")]


@pytest.mark.parametrize(("cast", "place"), SEATS)
def test_no_line_tells_what_anybody_hides(cast, place):
    for line in told(cast, place):
        # The name is known to all, and what follows the first sentence are fixed phrases.
        written = line.partition(": ")[2].split(". ")[0] or line
        assert not any(reveals(one.persona, written) for one in cast.people), line


@pytest.mark.parametrize(("cast", "place"), SEATS)
def test_each_of_the_others_stands_there_once_and_they_themselves_do_not(cast, place):
    here = others(cast, place).split("## Who else is here")[1]
    assert [f"\n- {name}: " in here for name in cast.names] == [
        seat != place for seat in range(len(cast.names))
    ]


def test_most_relations_are_told_of():
    lines = [line for param in SEATS for line in told(*param.values)]
    assert sum("somebody you know" in line for line in lines) <= 1


def changed(**fields):
    """The couple with other fields in how Radka stands to Lachlan."""
    data = load_cast("couple-after-quarrel").to_data()
    data["people"][0]["toward"][0] |= fields
    return told(Cast.parse(data), 0)[-1]


def test_how_close_and_how_tense_they_are_is_said_in_words():
    known = "Lachlan: the man she knows."
    calm = changed(relation="the man she knows", closeness=0.4, tension=0.1)
    assert calm == known
    assert changed(relation="the man she knows", closeness=0.9, tension=0.1).endswith("are close.")
    assert "much tension" in changed(relation="the man she knows", closeness=0.4, tension=0.9)


def test_a_relation_that_tells_more_than_it_may_is_cut_or_left_out():
    radka = load_cast("couple-after-quarrel").people[0].persona
    hidden = next(fact for fact in radka.facts if fact.id == "inverness")
    assert touches(radka, "a man who knows of no interview")
    assert changed(relation="a man, who knows of no interview").startswith("Lachlan: a man.")
    assert changed(relation=hidden.text).startswith("Lachlan: somebody you know.")
