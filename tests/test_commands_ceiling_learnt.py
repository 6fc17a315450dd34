"""`ceiling --scored`: talks of one token with known chances, so that all has a closed form."""

import json
import math
from dataclasses import replace

import pytest
from made_traces import ended
from typer.testing import CliRunner

from empathy_env import write_traces
from empathy_env.__main__ import app
from empathy_env.errors import InvalidArgument
from empathy_env.measures.learnt import learnt
from empathy_env.measures.scores import (
    ScoredBy,
    Scores,
    read_scores,
    talk_scores,
    write_scores,
)

PERSONAS = ("ana", "ben", "cleo")
TALKS = 20
BASE, TRAINED = 0.1, 0.5
"""Chances of the one token that wins 80 points; any other ends at 40."""
KL = TRAINED * math.log(TRAINED / BASE) + (1 - TRAINED) * math.log((1 - TRAINED) / (1 - BASE))
ENTROPY = math.log(2)
BY = ScoredBy("trained", "base", 1.0)


def policy(share, agent):
    """Talks of which exactly this share wins, with each persona."""
    return [
        ended(80 if member < share * TALKS else 40, persona, 1, member, agent)
        for persona in PERSONAS
        for member in range(TALKS)
    ]


def scored(trace, own=TRAINED, other=BASE):
    won = trace.emotion(1) >= 70
    mine, theirs = (math.log(one if won else 1 - one) for one in (own, other))
    return talk_scores(trace, (1,), (mine,), (theirs,), (ENTROPY,))


@pytest.fixture(scope="module")
def talks():
    return policy(BASE, "base"), policy(TRAINED, "one")


@pytest.fixture(scope="module")
def files(talks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("learnt")
    for name, traces in zip(("base", "trained"), talks, strict=True):
        write_traces(folder / f"{name}.jsonl", traces)
    second = [replace(trace, agent="two") for trace in talks[1]]
    write_traces(folder / "second.jsonl", second)
    write_scores(folder / "scores.jsonl", BY, map(scored, talks[1]))
    return folder


def found(talks, scores, **given):
    return learnt(*talks, Scores(BY, tuple(scores)), goal=70.0, **given)


def test_figures_are_those_of_the_known_chances(talks):
    one = found(talks, map(scored, talks[1]))
    assert (one.scored, one.unscored) == (60, 0)
    far = one.divergence
    for figure in (far.per_talk, far.per_token, far.plain_per_talk, far.plain_per_token):
        assert figure.mean == pytest.approx(KL)
    assert one.entropy.mean == pytest.approx(ENTROPY)
    rate = one.base_success
    assert rate.doubt == ""
    assert rate.estimate.mean == pytest.approx(BASE)
    assert rate.mass == pytest.approx(1.0)
    # Weights of 0.2 and 1.8, half of each.
    assert rate.effective_size == pytest.approx(60 / ((0.2**2 + 1.8**2) / 2))


def test_a_policy_that_only_reweights_has_all_that_its_divergence_can_buy(talks):
    worth = found(talks, map(scored, talks[1])).worth
    assert (worth.base, worth.trained) == (pytest.approx(44.0), pytest.approx(60.0))
    assert worth.frontier == pytest.approx(60.0, abs=0.01)
    assert worth.ratio.mean == pytest.approx(1.0, abs=1e-3)
    assert worth.excess.mean == pytest.approx(0.0, abs=0.01)


def test_best_of_n_stands_beside_it(talks):
    best = found(talks, map(scored, talks[1])).best
    assert list(best) == [1, 2, 4, 8, 16]
    assert best[1] == (0.0, pytest.approx(44.0))
    # Two of twenty talks win: none of two does by 18/20 * 17/19.
    assert best[2].reward == pytest.approx(40 + 40 * (1 - 18 / 20 * 17 / 19))
    assert best[2].kl == pytest.approx(math.log(2) - 0.5)


def test_a_long_way_is_refused_and_not_0(talks):
    rare = [scored(trace, own=0.5, other=1e-9) for trace in talks[1]]
    one = found(talks, rare)
    assert "undetermined: the divergence is" in one.worth.doubt
    assert math.isnan(one.worth.ratio.mean)


def test_an_impossible_token_is_an_infinite_way(talks):
    first, *rest = map(scored, talks[1])
    one = found(talks, [replace(first, other=(-math.inf,)), *rest])
    assert math.isinf(one.divergence.per_talk.mean)
    assert one.worth is None


def test_talks_without_scores_are_counted(talks):
    one = found(talks, list(map(scored, talks[1]))[:-5])
    assert (one.scored, one.unscored) == (55, 5)


def test_scores_of_other_talks_are_refused(talks):
    spoken = [scored(trace) for trace in talks[1]]
    with pytest.raises(InvalidArgument, match="is no talk of the trained policy"):
        found(talks, [*spoken, replace(spoken[0], seed=9)])
    with pytest.raises(InvalidArgument, match="scores of other words"):
        found(talks, [replace(spoken[0], words="sha256:0"), *spoken[1:]])


def run(files, *words, trained=("trained",), scores=("scores",)):
    given = [w for name in trained for w in ("--trained", files / f"{name}.jsonl")]
    given += [w for name in scores for w in ("--scored", files / f"{name}.jsonl")]
    options = ("--goal", 70, "--no-floors", "--base", files / "base.jsonl", *given, *words)
    return CliRunner().invoke(app, ["ceiling", *map(str, options)])


def test_the_command_tells_it_in_all_three_places(files, tmp_path):
    result = run(files, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "ceiling.html").read_text("utf-8")
    data = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    for text in (result.output, page):
        assert "what was learnt, by log-probabilities" in text
        assert "divergence a talk, k3" in text
        assert f"{KL:.2f} [" in text
        assert "best of 16 base talks" in text
    assert f"trained: its talks are {KL:.2f} [" in result.output
    assert "give the base a success rate of 0.1000 [" in result.output
    assert "it has 1.00 [" in result.output
    one = data["learnt"]["trained"]
    assert one["divergence"]["per_talk"]["mean"] == pytest.approx(KL)
    assert one["base_success"]["estimate"]["mean"] == pytest.approx(BASE)
    assert one["by"] == {"own": "trained", "other": "base", "temperature": 1.0, "dtype": "float32"}
    assert one["best"]["2"]["kl"] == pytest.approx(math.log(2) - 0.5)


def test_without_scores_nothing_is_said_of_them(files):
    result = run(files, "--json", scores=())
    assert json.loads(result.output)["learnt"] == {}
    assert "log-probabilities" not in run(files, scores=()).output


def test_a_refusal_is_told_in_words(files, talks, tmp_path):
    far = [scored(trace, own=0.5, other=1e-9) for trace in talks[1]]
    write_scores(tmp_path / "far.jsonl", BY, far)
    result = run(files, "--scored", tmp_path / "far.jsonl", scores=())
    assert "what that divergence could have bought cannot be told (undetermined" in result.output


@pytest.mark.parametrize(
    ("trained", "scores", "words"),
    [
        (("trained", "second"), ("scores",), "--scored is given 1 times and --trained 2 times"),
        (("trained",), ("scores", "scores"), "--scored is given 2 times and --trained 1 times"),
        (("trained",), ("base",), ":1: format='empathy-env/trace' is not 'empathy-env/scores'"),
        (("trained",), ("nowhere",), "cannot be read"),
    ],
)
def test_files_that_do_not_fit_are_told(files, trained, scores, words):
    result = run(files, trained=trained, scores=scores)
    assert isinstance(result.exception, InvalidArgument)
    assert words in str(result.exception)


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.7), ("other", "elsewhere")])
def test_runs_are_scored_alike(files, tmp_path, name, value):
    talks = read_scores(files / "scores.jsonl").talks
    odd = tmp_path / "odd.jsonl"
    write_scores(odd, replace(BY, **{name: value}), talks)
    result = run(files, "--scored", odd, trained=("trained", "second"))
    assert f"{odd} has {name}={value!r}" in str(result.exception)


def test_scores_of_a_run_that_was_given_elsewhere_name_file_and_run(files, tmp_path):
    alien = ended(80, "dora", 1, 0, "one")
    write_scores(tmp_path / "alien.jsonl", BY, [scored(alien)])
    result = run(files, "--scored", tmp_path / "alien.jsonl", scores=())
    text = str(result.exception)
    assert text.startswith(f"--scored={tmp_path / 'alien.jsonl'}, of trained: id='dora/")
