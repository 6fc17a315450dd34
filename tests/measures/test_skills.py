import pytest
from made_traces import made_talk, made_turn, piece, renamed

from empathy_env import Agent, Task, load_agent, rollouts
from empathy_env.measures.skills import LATENT, SKILLS, profile, said_to, slope, style, talks
from empathy_env.measures.turns import placed

DEV = Task(personas="split:dev")
SCENARIOS = [DEV.scenario(seed) for seed in range(24)]
OF_NEED = {"absolution": "report", "concrete_advice": "monday"}


def scores(skill, *turns, need="absolution"):
    [found] = talks([made_talk(*turns, need=need)])
    return found.turns[skill]


def value(skill, *turns, need="absolution"):
    [found] = talks([made_talk(*turns, need=need)])
    return found.value(skill)


@pytest.mark.parametrize(
    ("pieces", "score"),
    [
        ([piece("reflection", intensity=1.25)], 1.0),
        ([piece("validation", intensity=1.0)], 0.5),
        ([piece("reflection", intensity=0.75)], 0.0),
        ([piece("reflection", intensity=1.25, grounded=False)], 0.0),
        ([piece("reflection", intensity=1.25), piece("suggestion", grounded=False)], 0.5),
        ([piece("open_question")], None),
    ],
)
def test_depth_is_to_name_a_feeling_that_there_is(pieces, score):
    found = scores("empathic depth", made_turn(*pieces), made_turn(piece("validation")))
    assert found == (score, 0.5)


def test_who_never_speaks_of_what_is_felt_has_no_depth():
    assert scores("empathic depth", made_turn(piece("suggestion")), made_turn()) == (None, 0.0)


def test_insight_is_to_serve_the_need_after_it_has_shown():
    fitting = made_turn(piece("suggestion"))
    knowing = made_turn(piece("open_question"), told=[OF_NEED["concrete_advice"]])
    informing, blind = made_turn(piece("information")), made_turn(piece("presence"))
    turns = (fitting, fitting, knowing, fitting, informing, blind)
    found = scores("core insight", *turns, need="concrete_advice")
    # The first turn is no occasion; before the need has shown, what fits is luck.
    assert found[:4] == (None, 0.0, 0.0, 1.0)
    # information: 0.85 - (0.6 + 0.85) / 8 above the mean need; suggestion: 1 - (0.3 + 1) / 8.
    assert found[4] == pytest.approx(0.66875 / 0.8375)
    assert found[5] == 0.0


def test_the_same_turn_shows_no_insight_into_another_need():
    turns = [made_turn(told=["report"]), made_turn(piece("suggestion", about="plan"))]
    assert scores("core insight", *turns, need="absolution") == (None, 0.0)
    turns = [made_turn(told=["report"]), made_turn(piece("challenge", about="fault"))]
    assert scores("core insight", *turns, need="absolution") == (None, 1.0)


def test_a_talk_of_one_turn_is_no_occasion_for_insight():
    assert value("core insight", made_turn(piece("suggestion"))) is None


def test_a_solution_waits_until_the_person_was_heard():
    solved = made_turn(piece("suggestion"))
    unheard = value("solution crafting", solved)
    half = value("solution crafting", made_turn(heard=0.25), solved)
    heard = value("solution crafting", made_turn(heard=0.7), solved)
    assert (unheard, half, heard) == (0.0, 0.5, 1.0)


def test_a_solution_is_tied_to_what_was_told():
    loose = made_turn(piece("suggestion", grounded=False))
    assert value("solution crafting", made_turn(heard=1.0), loose) == 0.0


def test_advice_is_missed_only_where_it_is_the_need():
    turns = [made_turn(piece("reflection")), made_turn()]
    assert value("solution crafting", *turns, need="absolution") is None
    assert value("solution crafting", *turns, need="concrete_advice") == 0.0


@pytest.mark.parametrize(
    ("pieces", "told", "score"),
    [
        ([piece("open_question")], ["wife"], 1.0),
        ([piece("open_question")], [], 0.5),
        ([piece("suggestion")], ["wife"], 0.0),
        ([piece("open_question", grounded=False)], ["wife"], 0.0),
        ([piece("open_question")] * 3, ["wife"], 0.0),
        ([piece("restatement"), piece("suggestion", grounded=False)], ["wife"], 0.5),
    ],
)
def test_guidance_is_to_invite_and_to_be_answered(pieces, told, score):
    assert scores("dialogue guidance", made_turn(*pieces, told=told)) == (score,)


def test_there_is_nothing_to_guide_to_once_all_is_told_or_all_is_well():
    asked = made_turn(piece("open_question"))
    every = tuple(made_talk().ledger())
    assert scores("dialogue guidance", made_turn(told=every), asked) == (0.0, None)
    won = made_turn(piece("open_question"), outcome="success")
    assert scores("dialogue guidance", asked, won) == (0.5, None)


def style_of(said, last, *, others=("nothing of the kind",), tied=True):
    said_back = made_turn(piece("restatement", grounded=tied), say=said)
    mine = made_talk(made_turn(reply=last), said_back)
    theirs = [made_talk(made_turn(say=text), persona="widower-allotment") for text in others]
    return style(placed(mine)[1], "laid-off-engineer", said_to([mine, *theirs]))


def test_style_is_length_own_words_and_fresh_words():
    last = "one two three four five six seven eight"
    assert style_of("a b c d e f g h", last) == pytest.approx(1.0)
    assert style_of("a b c d", last) == pytest.approx(1.0)  # half as long is still a match
    assert style_of("a b", last) == pytest.approx(0.5 ** (1 / 3))
    assert style_of(last, last) == 0.0  # a parrot has no words of its own
    assert style_of("a b c d", last, others=["a b c d"]) == 0.0  # nor who says one thing to all
    half = style_of("a b c d", last, others=["a b c"])
    assert half == pytest.approx(0.5 ** (1 / 3))
    assert style_of("a b c d", last, tied=False) == 0.0


def test_style_of_an_agent_with_one_persona_is_not_known():
    found = profile(talks([made_talk(made_turn(piece("restatement"), say="a b c"))]))
    assert found["style adaptability"] == (None, 1, 0, None)


def test_freshness_does_not_depend_on_how_many_personas_there_are():
    texts = ["one line for all", "one line for all"]
    names = ["widower-allotment", "notice-on-the-door", "first-in-family-student"]
    for others in (names[:1], names):
        mine = made_talk(made_turn(piece("presence"), say="one line for all of you"))
        theirs = [made_talk(made_turn(say=text), persona=n) for text in texts for n in others]
        [turn] = placed(mine)
        found = style(turn, "laid-off-engineer", said_to([mine, *theirs]))
        # Six words meet eighteen; of four runs two were said to everybody.
        assert found == pytest.approx((2 * 6 / 18 * 2 / 4) ** (1 / 3))


def played(name):
    return talks(list(rollouts(DEV, load_agent(name), SCENARIOS)))


def means(name):
    return {skill: found.mean and found.mean.mean for skill, found in profile(played(name)).items()}


@pytest.fixture(scope="module")
def listener():
    return means("listener")


@pytest.mark.parametrize("name", ["parrot", "silent", "advisor", "random", "everything"])
def test_agents_that_listen_to_nobody_have_no_skill(name, listener):
    found = means(name)
    for skill in SKILLS:
        assert (found[skill] or 0.0) < 0.05, skill
        assert skill == "solution crafting" or listener[skill] > 0.1, skill


@pytest.mark.parametrize("name", ["pasting", "blind-script"])
def test_pasted_words_and_scripts_stay_below_the_listener_in_every_skill(name, listener):
    found = means(name)
    assert all((found[skill] or 0.0) < 0.7 * listener[skill] for skill in SKILLS)


def test_a_profile_does_not_hang_on_order_doubling_or_names():
    traces = list(rollouts(DEV, load_agent("listener"), SCENARIOS[:12]))
    plain = profile(talks(traces))
    other = [renamed(trace, f"x-{trace.scenario.persona.id}") for trace in traces]
    for changed in (traces[::-1], [*traces, *traces], other):
        found = profile(talks(changed))
        for skill in SKILLS:
            assert found[skill].mean.mean == pytest.approx(plain[skill].mean.mean)
            assert found[skill].per_doubling == pytest.approx(plain[skill].per_doubling)


def test_every_score_is_in_the_unit_interval_and_every_skill_says_what_it_uses():
    assert set(LATENT) == set(SKILLS)
    for talk in played("listener") + played("random"):
        assert set(talk.turns) == set(SKILLS)
        for row in talk.turns.values():
            assert len(row) == len(talk.words)
            assert all(score is None or 0.0 <= score <= 1.0 for score in row)


def test_the_slope_is_that_of_the_line_through_the_turns():
    assert slope([(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)]) == pytest.approx(0.0)
    assert slope([(0.0, 1.0), (2.0, 0.0), (4.0, -1.0)]) == pytest.approx(-0.5)
    assert slope([]) is None
    assert slope([(3.0, 0.1), (3.0, 0.9)]) is None


def test_length_is_counted_in_doublings():
    short = made_turn(piece("reflection", intensity=1.0), say="one")
    long = made_turn(piece("reflection", intensity=1.25), say="one two three")
    found = profile(talks([made_talk(short, long)] * 10))["empathic depth"]
    assert found.per_doubling == pytest.approx(0.5)  # from 2 to 4, counting one on top
    assert (found.occasions, found.undefined) == (20, 0)
    few = profile(talks([made_talk(short, long)] * 9))["empathic depth"]
    assert (few.occasions, few.per_doubling) == (18, None)


@pytest.mark.parametrize(
    "filler",
    [
        " And so it goes, one way or another, as these things go from one week to the next.",
        " That makes sense. I hear you. You are not alone. Thank you for sharing that with me.",
    ],
)
def test_padding_does_not_raise_any_skill(filler, listener):
    plain = load_agent("listener")

    def reply(messages, rng):
        return plain.reply(messages, rng) + filler

    found = means(Agent("padded", "", cheats=False, reply=reply))
    assert found["style adaptability"] < listener["style adaptability"] - 0.05
    for skill in set(SKILLS) - {"solution crafting"}:  # of which there are two or three talks
        assert found[skill] < listener[skill] + 0.02, skill
