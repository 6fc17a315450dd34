"""The linear reading of sentences: what a model sees, how it decides, and how it is kept."""

from __future__ import annotations

from math import sqrt
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empathy_env.acts import ACTS, Context
from empathy_env.appraiser import READERS, appraise_by_rules, sentence_bags
from empathy_env.cues import FRAME, plain, read
from empathy_env.cues.linear import OTHER, Bag, Model, bag, margins, model, save

REFLECTION = ACTS.index("reflection")
SUGGESTION = ACTS.index("suggestion")


def made(weights, bars=None):
    """Return a model made by hand, of {feature: {act: weight}} and {act: bar}."""
    table = np.zeros((1 + len(weights), len(ACTS)), np.int32)
    for row, by_act in enumerate(weights.values(), start=1):
        for act, weight in by_act.items():
            table[row, ACTS.index(act)] = weight
    least = np.array([float((bars or {}).get(act, 0.0)) for act in ACTS])
    return Model({name: row for row, name in enumerate(weights, start=1)}, table, least, {})


def seen(*words, mark=".", build=()):
    return Bag(words, mark, frozenset(build))


def by_hand(one, learnt):
    """Return the margins of one sentence as the docstring of `Model` says, feature by feature."""
    known = [learnt.places[name] for name in one.features() if name in learnt.places]
    sums = sum((learnt.weights[row].astype(int) for row in known), np.zeros(len(ACTS), int))
    return sums / sqrt(max(1, len(known))) - learnt.bars


WORDS = ("you", "sound", "sad", "try", "rest", OTHER)
NAMES = (
    *WORDS,
    *((one, other) for one in ("^", *WORDS) for other in (*WORDS, ".", "?")),
    *((f"^{mark}", word) for mark in ".?" for word in WORDS),
    "size=1",
    "cue=reflection",
)
BUILDS = st.frozensets(st.sampled_from(("size=1", "size=2", "cue=reflection", "last=True")))
bags = st.builds(
    Bag,
    words=st.lists(st.sampled_from((*WORDS, "heron")), min_size=1, max_size=9).map(tuple),
    mark=st.sampled_from(".?"),
    build=BUILDS,
)
models = st.lists(st.sampled_from(NAMES), unique=True, max_size=25).flatmap(
    lambda names: st.builds(
        lambda rows, bars: Model(
            {name: row for row, name in enumerate(names, start=1)},
            np.array([[0] * 24, *rows], np.int32),
            np.array(bars),
            {},
        ),
        st.lists(
            st.lists(st.integers(-32768, 32767), min_size=24, max_size=24),
            min_size=len(names),
            max_size=len(names),
        ),
        st.lists(st.floats(-500, 500), min_size=24, max_size=24),
    )
)


class TestMargins:
    def test_a_model_made_by_hand_decides_as_computed_by_hand(self):
        learnt = made(
            {
                "sad": {"reflection": 300},
                ("^", "you"): {"reflection": 100, "suggestion": 50},
                ("^.", "you"): {"suggestion": -50},
                "size=1": {"reflection": -40, "suggestion": 8},
            },
            {"reflection": 150.0, "suggestion": 3.5},
        )
        one = seen("you", "sound", "sad", build=["size=1"])
        (clear,) = margins([one], learnt)
        assert clear[REFLECTION] == (300 + 100 - 40) / 2 - 150
        assert clear[SUGGESTION] == (50 - 50 + 8) / 2 - 3.5
        # As a question it does not begin as statements do: three features are known.
        (clear,) = margins([one._replace(mark="?")], learnt)
        assert clear[REFLECTION] == pytest.approx(360 / sqrt(3) - 150)
        assert clear[SUGGESTION] == pytest.approx(58 / sqrt(3) - 3.5)

    def test_all_known_counts_all(self):
        names = ["sad", ("^", "sad"), ("sad", "."), ("^.", "sad")]
        learnt = made({name: {"reflection": 100} for name in names})
        assert margins([seen("sad")], learnt)[0, REFLECTION] == 400 / 2

    def test_nothing_known_leaves_the_bars(self):
        learnt = made({"sad": {"reflection": 300}}, {"reflection": 7.0})
        (clear,) = margins([seen("heron")], learnt)
        assert clear[REFLECTION] == -7.0
        assert clear[SUGGESTION] == 0.0

    @given(st.lists(bags, min_size=1, max_size=6), models)
    def test_several_sentences_are_read_as_each_alone(self, several, learnt):
        together = margins(several, learnt)
        assert together.shape == (len(several), len(ACTS))
        for one, clear in zip(several, together, strict=True):
            np.testing.assert_array_equal(margins([one], learnt._replace(builds={}))[0], clear)
            np.testing.assert_array_equal(by_hand(one, learnt), clear)

    @given(bags, models, st.integers(0, 9))
    def test_a_repeated_word_adds_nothing_of_itself(self, one, learnt, place):
        place %= len(one.words)
        word = one.words[place]
        twice = one._replace(words=(*one.words[:place], word, word, *one.words[place + 1 :]))
        known = learnt._replace(
            places={n: r for n, r in learnt.places.items() if n != (word, word)}
        )
        np.testing.assert_array_equal(margins([one], known), margins([twice], known))

    def test_the_order_of_words_matters(self):
        learnt = made({("you", "sound"): {"reflection": 100}})
        clear = margins([seen("you", "sound", "sad"), seen("sound", "you", "sad")], learnt)
        assert clear[0, REFLECTION] == 100
        assert clear[1, REFLECTION] == 0

    def test_the_first_and_the_last_word_are_known_as_such(self):
        learnt = made({("^", "you"): {"reflection": 100}, ("sad", "?"): {"suggestion": 100}})
        clear = margins([seen("you", "are", "sad"), seen("sad", "you", mark="?")], learnt)
        assert clear[0].tolist() == [100 if act == "reflection" else 0 for act in ACTS]
        assert not clear[1].any()

    @given(bags, models, st.lists(st.text("qxz", min_size=3, max_size=6), max_size=3))
    def test_unknown_words_say_nothing(self, one, learnt, strange):
        before = margins([one], learnt)[0]
        # The pair with the end is the only thing that the words before them were part of.
        pair = (one.words[-1], one.mark)
        after = margins([one._replace(words=(*one.words, *strange))], learnt)[0]
        if not strange or pair not in learnt.places:
            np.testing.assert_array_equal(after, before)

    @given(st.lists(bags, min_size=1, max_size=4), models, st.randoms(use_true_random=False))
    def test_the_order_of_features_changes_no_bit(self, several, learnt, rng: Random):
        names = list(learnt.places)
        rng.shuffle(names)
        rows = [0, *(learnt.places[name] for name in names)]
        places = {name: row for row, name in enumerate(names, start=1)}
        shuffled = Model(places, learnt.weights[rows], learnt.bars, {})
        np.testing.assert_array_equal(margins(several, learnt), margins(several, shuffled))

    @pytest.mark.parametrize("name", READERS)
    def test_the_models_that_ship_are_read_alike_in_any_order(self, name):
        learnt = model(name)
        rows = np.arange(1, len(learnt.weights))
        np.random.default_rng(5).shuffle(rows)
        names = list(learnt.places)
        places = {names[row - 1]: place for place, row in enumerate(rows.tolist(), start=1)}
        shuffled = Model(places, learnt.weights[[0, *rows]], learnt.bars, {})
        said = "You sound worn out. What would help tonight? You could ring your sister, maybe."
        found = [one for _, _, one in sentence_bags(said, Context("I am worn out."), name)]
        assert len(found) == 3
        np.testing.assert_array_equal(margins(found, learnt), margins(found, shuffled))


def reread(learnt, tmp_path, monkeypatch):
    """Return a model as it is read from its file."""
    folder = tmp_path / "cues"
    folder.mkdir(exist_ok=True)
    folder.joinpath("mine.npz").write_bytes(save(learnt))
    monkeypatch.setattr("empathy_env.cues.linear.files", lambda package: tmp_path)
    return model.__wrapped__("mine")


def same(one, other):
    return (
        one.places == other.places
        and np.array_equal(one.weights, other.weights)
        and np.array_equal(one.bars, other.bars)
    )


class TestSaved:
    def test_a_model_survives(self, tmp_path, monkeypatch):
        weights = {
            "sad": {"reflection": 32767},
            ("^", "you"): {"suggestion": -32768},
            "it's": {"presence": 1},
            ("fühlst", "?"): {"blame": -1},
            "me=True,you=False.": {"hijack": 12},
        }
        learnt = made(weights, {"reflection": 0.1, "abandonment": -1e9})
        margins([seen("you", build=["size=1"])], learnt)
        back = reread(learnt, tmp_path, monkeypatch)
        assert same(back, learnt)
        assert list(back.places) == list(learnt.places)
        assert back.builds == {}

    @pytest.mark.parametrize("name", READERS)
    def test_the_models_that_ship_survive_and_fit_the_acts(self, name, tmp_path, monkeypatch):
        learnt = model(name)
        assert same(reread(learnt, tmp_path, monkeypatch), learnt)
        assert learnt.weights.shape == (1 + len(learnt.places), len(ACTS))
        assert learnt.bars.shape == (len(ACTS),)
        assert not learnt.weights[0].any()
        assert learnt.weights[1:].any(axis=1).mean() > 0.9

    def test_a_model_is_read_once(self):
        assert model(READERS[0]) is model(READERS[0])

    def test_the_reader_of_the_held_out_user_knows_no_cues(self):
        cued, bare = (
            {name for name in model(reader).places if str(name).startswith("cue=")}
            for reader in READERS
        )
        assert {f"cue={act}" for act in ("presence", "reflection", "blame")} <= cued
        # It is told of what is denied or reported, and of incitement, which every reader hears.
        assert bare <= {f"cue={FRAME}", "cue=abandonment"}


def look(said, number=0, *, hidden=(), shared=(0, 0), acts=()):
    text = read(plain(said))
    keys = [() if word in hidden else (word,) for word in text.words]
    return bag(text, number, keys, shared, acts)


class TestBag:
    def test_words_are_those_of_the_sentence_and_a_question_is_marked(self):
        one, two = look("I hear you. What now?"), look("I hear you. What now?", 1)
        assert (one.words, one.mark) == (("i", "hear", "you"), ".")
        assert (two.words, two.mark) == (("what", "now"), "?")
        assert {"last=True", "before=False"} <= two.build
        assert "last=False" in one.build
        assert not any(name.startswith("before=") for name in one.build)

    def test_what_is_not_to_be_read_is_another_word(self):
        assert look("You are a fool.", hidden=["fool"]).words == ("you", "are", "a", OTHER)

    def test_the_build_counts_who_is_spoken_of_and_what_was_shared(self):
        one = look("You told me of your lamp.", shared=(2, 1), acts=["reflection"])
        assert {"me=1", "you=2", "told=1", "share=2.", "cue=reflection", "of=1"} <= one.build
        assert "share=0." in look("You told me of your lamp.").build

    def test_features_are_words_neighbours_the_beginning_and_the_build(self):
        one = Bag(("you", "sound"), "?", frozenset({"size=1"}))
        pairs = {("^", "you"), ("you", "sound"), ("sound", "?"), ("^?", "you")}
        assert one.features() == {"you", "sound", "size=1", *pairs}


class TestBars:
    """What a model must say before an act counts: less of one that a cue has found."""

    SAID = "Take your time."  # a cue of presence
    MUTE = made({})

    def found(self, act, margin, name="rules", said=SAID):
        bars = dict.fromkeys(ACTS, 1e9) | {act: -margin}
        return [e.act for e in appraise_by_rules(said, Context(""), name, made({}, bars))]

    def test_a_cue_needs_consent(self):
        assert self.found("presence", -399.0) == ["presence"]
        assert self.found("presence", -401.0) == []

    def test_what_no_cue_has_found_needs_to_be_surer(self):
        assert self.found("affirmation", 201.0) == ["affirmation"]
        assert self.found("affirmation", 199.0) == []

    def test_the_held_out_reader_goes_by_its_model_alone(self):
        assert self.found("affirmation", 1.0, "rules-b") == ["affirmation"]
        assert self.found("affirmation", -1.0, "rules-b") == []
        assert self.found("presence", -1.0, "rules-b") == []

    @pytest.mark.parametrize("name", READERS)
    def test_a_weight_of_a_word_decides(self, name):
        bars = dict.fromkeys(ACTS, 1e9) | {"affirmation": 500.0}
        learnt = made({"courage": {"affirmation": 1000}}, bars)
        for said, acts in (("The courage came.", ["affirmation"]), ("The kettle came.", [])):
            assert [e.act for e in appraise_by_rules(said, Context(""), name, learnt)] == acts

    def test_only_the_held_out_reader_goes_by_words_that_no_cue_has(self):
        learnt = made({"heron": {"affirmation": 1000}}, dict.fromkeys(ACTS, 500.0))
        found = {
            name: [e.act for e in appraise_by_rules("The heron came.", Context(""), name, learnt)]
            for name in READERS
        }
        assert found == {"rules": [], "rules-b": ["affirmation"]}

    @pytest.mark.parametrize("name", READERS)
    def test_manipulation_voids_a_turn_so_no_weight_makes_it(self, name):
        bars = dict.fromkeys(ACTS, 1e9) | {"manipulation": -1e6}
        found = appraise_by_rules("The kettle came back.", Context(""), name, made({}, bars))
        assert found == ()

    @pytest.mark.parametrize("name", READERS)
    @pytest.mark.parametrize(
        ("told", "acts"),
        [("My kettle whistled.", ["blame"]), ("My kettle whistled past midnight.", [])],
    )
    def test_words_that_are_mostly_the_users_own_are_no_harm_of_the_agents(self, name, told, acts):
        learnt = made({}, dict.fromkeys(ACTS, 1e9) | {"blame": -1e6})
        said = "Your kettle boiled past midnight."
        assert [e.act for e in appraise_by_rules(said, Context(told), name, learnt)] == acts
