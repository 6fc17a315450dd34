import math
from dataclasses import replace

from circles import said_in, task

from empathy_env import Task
from empathy_env.between import MOVES
from empathy_env.drivers import run
from empathy_env.measures.alliances import AGAINST, FOR, Tie, alliances
from empathy_env.trace import Hearing, Said

SIDES = "Pavel, you are right. I am on your side."


def test_a_supporter_who_takes_sides_shows():
    trace = said_in(task("bakers", 2), [SIDES, "Go on."])
    found = alliances([trace])
    assert list(found.rows) == ["supporter_0", "bakers-orla", "bakers-pavel"]
    assert list(found.columns) == ["bakers-orla", "bakers-pavel"]
    assert found.values[0] == [-1.0, 1.0]
    against, with_him = found.ties[:2]
    assert against.moves["sided_against"] == 1.0
    assert with_him.moves["sided_with"] == 1.0
    assert math.isnan(found.values[1][0])
    assert math.isnan(found.values[2][1])


def test_what_users_do_to_each_other_is_counted_by_who_said_it():
    episode = Task(cast=task("bakers").casts[0], played=["user_1"], max_turns=2).open(seed=1)
    while not episode.done:
        said = {"supporter_0": "Go on.", "user_1": "Orla, that's not true."}
        episode.accept(run(episode.steps(said)))
    found = alliances([episode.trace])
    tie = next(t for t in found.ties if (t.who, t.to) == ("bakers-pavel", "bakers-orla"))
    spoken = [s for turn in episode.trace.turns for s in turn.others if s.seat == "user_1"]
    assert tie.moves["contradicted"] == len(spoken) > 0
    assert tie.net == found.values[2][0] <= -len(spoken)


def test_counts_are_a_talk_and_every_supporter_has_a_row():
    trace = said_in(task("bakers", 1), ["Go on."])
    second = Said(
        *("supporter_1", SIDES, "", SIDES, (), ()),
        (Hearing(True, False, ("sided_against",), 0.0), Hearing(True, True, ("agreed",), 0.0)),
    )
    setup = replace(trace.setup, played=("supporter_0", "supporter_1"))
    turn = replace(trace.turns[0], others=(*trace.turns[0].others, second))
    both = replace(trace, setup=setup, turns=(turn,))
    found = alliances([both, said_in(task("bakers", 1), ["Go on."], seed=1)])
    assert list(found.rows)[:2] == ["supporter_0", "supporter_1"]
    assert found.values[1] == [-0.5, 0.5]


def test_every_move_is_for_or_against_or_of_attention():
    assert not FOR & AGAINST
    assert set(MOVES) - FOR - AGAINST == {"named", "spoken_of", "ignored"}
    moves = dict.fromkeys(MOVES, 1.0)
    assert Tie("a", "b", moves).net == len(FOR) - len(AGAINST)
