from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env import Task
from empathy_env.acts import Context, Evidence, Reading
from empathy_env.appraiser import RuleAppraiser
from empathy_env.backends import Request, ScriptedBackend
from empathy_env.drivers import run
from empathy_env.errors import InvalidArgument
from empathy_env.voting import VotedAppraiser, vote

HEARD = "That sounds hard. What happened next? You should rest."
HARD = Evidence("reflection", "That sounds hard", 0, 16, about="own_feeling")
SHORT = Evidence("reflection", "sounds hard", 5, 16, about="own_feeling")
NEXT = Evidence("open_question", "What happened next?", 18, 37)
REST = Evidence("suggestion", "You should rest", 38, 53, about="plan")

pieces = st.lists(st.sampled_from([HARD, SHORT, NEXT, REST]), unique=True, max_size=4)


def test_what_most_samples_hold_stays_and_what_one_made_up_goes():
    assert vote([(HARD, NEXT), (HARD, REST), (HARD, NEXT)]) == (HARD, NEXT)


def test_half_is_not_most():
    assert vote([(HARD,), (HARD,), (), ()]) == ()


def test_quotes_that_overlap_are_one_vote_each_and_the_commonest_words_win():
    assert vote([(SHORT,), (HARD,), (HARD,)]) == (HARD,)
    # Twice in one sample is still one sample.
    assert vote([(SHORT, HARD), (), ()]) == ()


TEXT = "I hear how tired you are, and I hear how alone you feel."


def felt(start, end, intensity=1.0, topic=None, *, grounded=False):
    quote = TEXT[start:end]
    return Evidence("reflection", quote, start, end, intensity, "own_feeling", topic, grounded)


TIRED, ALONE, BOTH = felt(0, 24), felt(30, 55), felt(0, 55)


def in_any_order(*samples):
    """The vote of these samples, which must be the same in whichever order they come."""
    (found,) = {vote(order) for order in permutations(samples)}
    return found


def test_a_quote_that_bridges_two_unites_them_in_no_vote():
    assert in_any_order((TIRED, ALONE), (TIRED, ALONE), (BOTH,)) == (TIRED, ALONE)


def test_where_all_quote_otherwise_the_quote_that_most_overlap_stays():
    assert in_any_order((TIRED,), (ALONE,), (BOTH,)) == (BOTH,)
    assert in_any_order((TIRED,), (ALONE,), ()) == ()


def test_a_quote_too_rare_by_itself_still_votes_for_one_that_overlaps_it():
    seven = [(TIRED,), (TIRED,), (BOTH,), (ALONE,), (felt(32, 55),), (), ()]
    assert vote(seven) == vote(seven[::-1]) == (BOTH,)


def test_strength_and_topic_are_voted_on_together():
    strong = [(felt(0, 24, 1.25, topic, grounded=True),) for topic in ("f1", "f2", "f3")]
    assert in_any_order(*strong, (TIRED,), (TIRED,)) == (TIRED,)
    tied = NEXT._replace(grounded=True, topic="sister")
    assert in_any_order((tied,), (tied,), (NEXT,)) == (tied,)


def test_at_a_tie_the_weakest_counts():
    strengths = [(felt(0, 24, intensity),) for intensity in (1.0, 1.25, 0.75)]
    assert in_any_order(*strengths) == (felt(0, 24, 0.75),)
    assert in_any_order((felt(0, 24, topic="a"),), (TIRED,)) == (TIRED,)


@given(st.lists(pieces, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_the_samples_changes_nothing(samples, chance):
    samples = [tuple(sample) for sample in samples]
    found = vote(samples)
    for piece in found:
        holds = sum(any(one.act == piece.act for one in sample) for sample in samples)
        assert 2 * holds > len(samples)
    chance.shuffle(samples)
    assert vote(samples) == found


@given(pieces, st.integers(1, 7))
def test_samples_that_agree_are_their_own_vote(sample, count):
    alone = vote([tuple(sample)])
    assert vote([tuple(sample)] * count) == alone


class Wavering:
    """Asks a model what it hears, and hears only that."""

    name = "wavering"

    def appraise(self, utterance, context):
        reply = yield Request("appraise", ({"role": "user", "content": utterance},))
        at = utterance.find(reply.text)
        act = "open_question" if reply.text.endswith("?") else "reflection"
        return Reading((Evidence(act, reply.text, at, at + len(reply.text)),))


def played(answers, samples):
    """Return a turn appraised by a model that answers these in turn."""
    left = iter(answers)
    task = Task(
        persona="laid-off-engineer",
        user=ScriptedBackend(lambda request: next(left)),
        appraiser=VotedAppraiser(Wavering(), samples),
        speaker="templates",
    )
    episode = task.open(seed=1)
    episode.say(HEARD)
    return episode


def test_an_episode_records_the_vote_its_calls_and_an_error_bar():
    episode = played(["That sounds hard", "What happened next?", "That sounds hard"], 3)
    turn = episode.trace.turns[0]
    assert [piece.act for piece in turn.evidence] == ["reflection"]
    assert [call.purpose for call in turn.calls] == ["appraise"] * 3
    assert len({call.request for call in turn.calls}) == 3, "each with its own seed"
    assert turn.answers[0].error > 0
    assert episode.trace.setup.appraiser == "wavering x3"


def test_samples_that_agree_have_no_error_and_one_sample_has_none_known():
    assert played(["That sounds hard"] * 5, 5).trace.turns[0].answers[0].error == 0.0
    alone = Task(persona="laid-off-engineer").open(seed=1)
    alone.say(HEARD)
    assert alone.trace.turns[0].answers[0].error is None


def test_notes_of_all_samples_are_kept_once():
    class Noting(Wavering):
        def appraise(self, utterance, context):
            reading = yield from super().appraise(utterance, context)
            return reading._replace(notes=("dropped something",))

    steps = VotedAppraiser(Noting(), 3).appraise(HEARD, Context("Hello."))
    reading = run(steps, ScriptedBackend(lambda request: "That sounds hard"))
    assert reading.notes == ("dropped something",)
    assert len(reading.samples) == 3


@pytest.mark.parametrize("samples", [1, 0, 65])
def test_a_number_of_samples_that_makes_no_vote_is_refused(samples):
    with pytest.raises(InvalidArgument, match=f"appraiser_samples={samples}"):
        VotedAppraiser(Wavering(), samples)


def test_asking_the_rules_again_is_refused():
    with pytest.raises(InvalidArgument, match="always answers the same"):
        VotedAppraiser(RuleAppraiser(), 3)
