import json
from dataclasses import replace

import pytest

from empathy_env.acts import ABOUTS, ACTS, HARMFUL, HELPFUL
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.persona import NEEDS
from empathy_env.protocol import PROTOCOLS, Protocol, load_protocol

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


def test_loading_by_name_and_by_value():
    assert load_protocol("appraisal-v1") is P
    own = replace(P, name="own")
    assert load_protocol(own) is own
    with pytest.raises(UnknownName, match="Did you mean 'appraisal-v1'"):
        load_protocol("apraisal-v1")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_stands_under_its_own_name(name):
    assert PROTOCOLS[name].name == name


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
