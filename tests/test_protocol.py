import json
from dataclasses import replace

import pytest

from empathy_env.acts import ABOUTS, ACTS, HARMFUL, HELPFUL
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.persona import NEEDS
from empathy_env.protocol import (
    NAMES,
    PROTOCOLS,
    REPORTED,
    Protocol,
    ReportedProtocol,
    load_protocol,
    read_protocol,
)

P, HELD_OUT = PROTOCOLS["appraisal-v1"], PROTOCOLS["appraisal-v1-b"]
both = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)


@both
def test_constants_round_trip_through_json(protocol):
    more = {**protocol.any_need, "presence": 0.25}
    changed = replace(protocol, name="mine", gain=protocol.gain + 1, any_need=more)
    for each in (protocol, changed):
        assert Protocol.from_data(json.loads(json.dumps(each.to_data()))) == each
    assert changed != protocol


@both
def test_changing_the_data_changes_no_protocol(protocol):
    before = protocol.to_data()
    edited = protocol.to_data()
    edited["own_need"]["deep_empathy"]["reflection"] = -1.0
    edited["any_need"]["blame"] = 1.0
    assert protocol.to_data() == before


@pytest.mark.parametrize("constant", ["name", "appraiser", "speaker", "gain", "own_need"])
def test_a_missing_constant_is_no_licence_to_use_todays_value(constant):
    data = P.to_data()
    del data[constant]
    with pytest.raises(InvalidArgument, match=constant):
        Protocol.from_data(data)


def test_an_unknown_constant_is_refused_by_name():
    with pytest.raises(InvalidArgument, match="charm"):
        Protocol.from_data({**P.to_data(), "charm": 1.0})


@pytest.mark.parametrize("value", [-1, True, "1", None, float("nan"), 10**400])
def test_a_constant_of_a_law_is_a_number_from_0_up(value):
    with pytest.raises(InvalidArgument, match="Cannot have gain="):
        replace(P, gain=value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"heard_enough": 0}, "heard_enough=0: credit is divided by it"),
        ({"met_from": 1}, "met_from=1.0: it must be below 1"),
        ({"any_need": {}}, "no entry for"),
    ],
)
def test_a_law_that_cannot_be_computed_is_refused(changes, says):
    with pytest.raises(InvalidArgument, match=says):
        replace(P, **changes)


def test_loading_by_name_and_by_value():
    assert load_protocol("appraisal-v1") is P
    own = replace(P, name="own")
    assert load_protocol(own) is own
    with pytest.raises(UnknownName, match="Did you mean 'appraisal-v1'"):
        load_protocol("apraisal-v1")


@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_stands_under_its_own_name(name):
    assert load_protocol(name).name == name
    assert (name in PROTOCOLS) != (name in REPORTED)


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_comes_back_from_its_data_as_its_own_kind(name):
    protocol = load_protocol(name)
    assert read_protocol(json.loads(json.dumps(protocol.to_data()))) == protocol


def test_data_of_a_kind_that_is_not_known_is_refused():
    with pytest.raises(InvalidArgument, match="kind 'guessed'"):
        read_protocol({**P.to_data(), "kind": "guessed"})


@both
class TestTables:
    def test_every_act_and_every_need_has_an_entry(self, protocol):
        assert set(protocol.any_need) == set(ACTS)
        assert set(protocol.own_need) == set(NEEDS)

    def test_keys_are_acts_or_acts_with_what_they_are_about(self, protocol):
        known = {*ACTS, *(f"{act}/{about}" for act in ACTS for about in ABOUTS)}
        for table in protocol.own_need.values():
            assert set(table) <= known
        for table in (protocol.too_early, protocol.listening, protocol.opens):
            assert set(table) <= set(HELPFUL)

    def test_values_are_in_their_ranges(self, protocol):
        for table in (protocol.any_need, *protocol.own_need.values()):
            assert all(-1 <= value <= 1 for value in table.values())
        assert all(-1 <= value <= 0 for value in protocol.too_early.values())
        assert all(0 <= value <= 1 for value in protocol.listening.values())
        assert all(0 <= value <= 1 for value in protocol.opens.values())

    def test_a_harmful_act_harms_whatever_the_need(self, protocol):
        assert all(protocol.any_need[act] < 0 for act in HARMFUL)
        for table in protocol.own_need.values():
            assert not {key.split("/")[0] for key in table} & set(HARMFUL)

    def test_no_need_is_better_served_by_what_serves_every_need(self, protocol):
        for need, table in protocol.own_need.items():
            assert max(table.values()) > max(protocol.any_need.values()), need

    def test_questions_open_up_in_the_order_of_the_transcripts(self, protocol):
        opens = protocol.opens
        assert opens["open_question"] > opens["closed_question"]
        assert opens["closed_question"] > opens["suggestion"] > opens["information"]

    def test_the_scale_is_in_order(self, protocol):
        assert 0 < protocol.leave < protocol.ceiling < protocol.success
        assert 0 < protocol.clamp
        assert 0 <= protocol.jitter < 1
        # "a credit not tied to anything the user said is at most a fifth"
        assert 0 <= protocol.ungrounded <= 0.2
        assert 0 <= protocol.repeated < 1
        assert 0 < protocol.need_met <= 1


def favourites(table):
    return {key for key, value in table.items() if value == max(table.values())}


class TestHeldOut:
    """The held-out user is somebody else, and wants the same things."""

    def test_it_has_a_reader_and_a_bank_of_its_own(self):
        assert HELD_OUT.appraiser != P.appraiser
        assert HELD_OUT.speaker != P.speaker

    def test_every_need_has_other_weights(self):
        assert set(HELD_OUT.own_need) == set(P.own_need)
        for need, table in HELD_OUT.own_need.items():
            assert table != P.own_need[need], need

    def test_what_a_policy_likes_best_is_often_not_what_it_likes_best(self):
        moved = [
            need
            for need, table in HELD_OUT.own_need.items()
            if favourites(table) != favourites(P.own_need[need])
        ]
        assert len(moved) >= 4

    @pytest.mark.parametrize("need", NEEDS)
    def test_what_fits_the_one_still_does_the_other_good(self, need):
        own, other = P.own_need[need], HELD_OUT.own_need[need]
        for favourite in favourites(own):
            assert other[favourite] >= 0.8 * max(other.values())

    def test_the_scale_and_the_endings_are_the_same(self):
        for name in ("success", "leave", "clamp", "ceiling", "need_met"):
            assert getattr(HELD_OUT, name) == getattr(P, name)


SAGE, RLVER = REPORTED["sage-2025"], REPORTED["rlver-2025"]


class TestReported:
    """The published loop's constants: docs/protocols.md has where each comes from."""

    def test_the_published_constants(self):
        shared = {"floor": 0, "ceiling": 100, "success": 100, "content": 70, "fair": 40}
        for name, value in {**shared, "leave": 10, "clamp": 10}.items():
            assert getattr(SAGE, name) == getattr(RLVER, name) == value
        assert (SAGE.start, SAGE.max_turns, SAGE.leave_at) == (40, 10, None)
        assert (RLVER.start, RLVER.max_turns, RLVER.leave_at) == (30, 8, 0)
        assert SAGE.may_hint_need
        assert not RLVER.may_hint_need
        assert RLVER.garbled_lowers
        assert not SAGE.garbled_lowers
        assert not SAGE.manipulation_pays
        assert not RLVER.manipulation_pays

    @pytest.mark.parametrize(
        ("emotion", "label"),
        [(100, "S"), (99.5, "A"), (70, "A"), (69, "B"), (40, "B"), (39, "C"), (10, "C"), (9, "F")],
    )
    def test_the_published_states(self, emotion, label):
        assert SAGE.label(emotion) == RLVER.label(emotion) == label

    def test_start_labels_are_the_published_ones(self):
        assert (SAGE.label(SAGE.start), RLVER.label(RLVER.start)) == ("B", "C")

    def test_who_leaves_where(self):
        assert [SAGE.leaves(e) for e in (10, 9.5, 0)] == [False, True, True]
        assert [RLVER.leaves(e) for e in (10, 9.5, 0)] == [False, False, True]

    def test_a_variant_is_one_replace_away_and_comes_back(self):
        paper = replace(RLVER, name="rlver-paper", start=40.0, max_turns=10, clamp=None)
        assert read_protocol(json.loads(json.dumps(paper.to_data()))) == paper
        assert load_protocol(paper) is paper
        assert hash(paper) != hash(RLVER)

    @pytest.mark.parametrize("constant", ["name", "start", "clamp", "max_turns", "leave_at"])
    def test_a_missing_constant_is_no_licence_to_use_todays_value(self, constant):
        data = SAGE.to_data()
        del data[constant]
        with pytest.raises(InvalidArgument, match=constant):
            ReportedProtocol.from_data(data)

    def test_an_unknown_constant_is_refused_by_name(self):
        with pytest.raises(InvalidArgument, match="charm"):
            read_protocol({**SAGE.to_data(), "charm": 1.0})

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"name": ""}, "name=''"),
            ({"name": ["x"]}, "name="),
            ({"start": "40"}, "start='40'"),
            ({"start": 10**400}, "start=1000"),
            ({"start": True}, "start=True"),
            ({"start": float("nan")}, "start=nan"),
            ({"clamp": float("inf")}, "clamp=inf"),
            ({"clamp": 0}, "clamp=0.*None is no limit"),
            ({"clamp": -1}, "clamp=-1"),
            ({"clamp": 0.5}, "clamp=0.5: a whole number from 1 up.*whole points"),
            ({"clamp": 2.5}, "clamp=2.5: a whole number"),
            ({"max_turns": 0}, "max_turns=0"),
            ({"max_turns": 10.0}, "max_turns=10.0"),
            ({"max_turns": True}, "max_turns=True"),
            ({"may_hint_need": 1}, "may_hint_need=1"),
            ({"fair": 80}, "out of order"),
            ({"floor": 20}, "out of order"),
            ({"leave_at": 100}, "out of order"),
            ({"leave_at": -1}, "out of order"),
            ({"start": 5}, "ended before it begins.*leaves at 10"),
            ({"start": 100}, "succeeded at 100"),
            ({"start": 0, "leave_at": 0}, "ended before it begins"),
        ],
    )
    def test_a_constant_that_breaks_a_rule_is_refused_by_name_and_value(self, changes, says):
        with pytest.raises(InvalidArgument, match=says):
            replace(SAGE, **changes)
