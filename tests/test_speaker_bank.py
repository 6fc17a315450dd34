"""The lines of the template speaker: none comes twice in a talk, and both banks are complete."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import product

import pytest
import yaml
from moments import MAREK, REGISTERS, both, moment, mute, piece, speech, speeches

from empathy_env import Task
from empathy_env.acts import ABOUTS, ACTS, NEEDS
from empathy_env.difficulty import Difficulty
from empathy_env.library import load_personas
from empathy_env.protocol import PROTOCOLS
from empathy_env.speaker import BANKS, TemplateSpeaker, phrases


def alive(protocol):
    """Return the protocol changed so that nobody leaves or succeeds within forty turns."""
    never = dict.fromkeys(("leave", "drift", "strain_harm", "strain_idle"), 0.0)
    return replace(protocol, name="alive", success=1000.0, **never)


TALKS = {
    "asked-the-same": ["What was it like?"],
    "silent": [""],
    "blaming": ["You brought this on yourself."],
    "advising": ["You should make a list."],
    "checking": ["Are you all right?"],
    "naming": ["You sound ashamed."],
    "naming-and-asking": ["You sound hurt. What was it like?", "It makes sense that you feel so."],
    "mixed": [
        "You sound ashamed about all of it.",
        "It makes sense that you feel hurt.",
        "Tell me more about it?",
        "",
        "You could write a list.",
        "What will you do next?",
    ],
}


class Kept:
    """A template speaker that keeps what it was asked and what it said."""

    name = "kept"

    def __init__(self, bank):
        self.inner = TemplateSpeaker(bank)
        self.log = []

    def speak(self, now):
        said = yield from self.inner.speak(now)
        self.log.append((now, said))
        return said


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
@pytest.mark.parametrize("persona", REGISTERS.values(), ids=REGISTERS)
@pytest.mark.parametrize("turns", [10, 40])
class TestNoLineTwice:
    @pytest.mark.parametrize("lines", TALKS.values(), ids=TALKS)
    def test_nobody_repeats_a_line_in_a_talk(self, protocol, persona, turns, lines):
        kept = Kept(protocol.speaker)
        task = Task(persona=persona, speaker=kept, protocol=alive(protocol), max_turns=turns)
        episode = task.open(seed=turns)
        while not episode.done:
            episode.say(lines[episode.turn % len(lines)])
        assert len(kept.log) == turns
        used = [line for _, said in kept.log for line in said.used]
        assert len(set(used)) == len(used)
        assert persona.opening not in used
        assert len({said.text for _, said in kept.log}) == turns
        for _, said in kept.log:
            # What is used up is what was said, all of it.
            assert len(" ".join(said.used)) == len(said.text)
            assert all(line in said.text for line in said.used)


class TestNothingLeft:
    @both
    @pytest.mark.parametrize("register", REGISTERS)
    def test_who_has_used_up_every_line_makes_a_small_sound_not_made_before(self, bank, register):
        persona = mute(REGISTERS[register])
        small = phrases("silence", register, bank)
        spoken = frozenset(phrases("guarded", register, bank))
        said = [""]
        for turn in range(40):
            now = speech(moment(persona=persona, spoken=spoken, turn=turn), bank)
            assert re.fullmatch("|".join(map(re.escape, small)) + "|.* .*", now.text)
            assert any(now.text.startswith(sound) for sound in small)
            said.append(now.text)
            spoken |= {*now.used}
        assert len(set(said)) == len(said)


@cache
def lines_of(bank):
    """Return the lines of a bank as they are written, by moment and register."""
    path = files("empathy_env").joinpath("phrases", f"{bank}.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def asked_for(bank, monkeypatch):
    """Return the moments for which lines of the bank are asked, over all sorts of turns."""
    found = set()

    def noted(name, register, bank):
        found.add(name)
        return phrases(name, register, bank)

    monkeypatch.setattr("empathy_env.speaker.phrases", noted)
    topics = (None, "box", "wife")  # about nothing, about what was told, about what was not
    turns = [(), *((piece(*each),) for each in product(ACTS, ABOUTS, topics))]
    turns.append((piece("reflection", intensity=0.75),))
    felt = (
        *({"change": change, "emotion": 45.0} for change in (-5.0, 1.0, 6.0)),
        {"change": 6.0, "emotion": 80.0},
        {"resisting": True},
        {"outcome": "left"},
        {"outcome": "success"},
    )
    for appraisal, given, heard in product(turns, felt, ("", "Suicide?")):
        for seed in range(3):
            speech(moment(*appraisal, persona=mute(), heard=heard, seed=seed, **given), bank)
    for need in NEEDS:
        speech(moment(persona=wanting(need), disclosed=("So.",), withheld=("So.",), **HIDING), bank)
    return found


HIDING = {"difficulty": Difficulty(masking=1.0, ambiguity=1.0)}


def wanting(need):
    """Return a person whose only need is this one."""
    variant = MAREK.needs[0].model_copy(update={"need": need})
    return MAREK.model_copy(update={"needs": (variant,)})


@both
class TestBank:
    @pytest.fixture
    def table(self, bank):
        return lines_of(bank)

    def test_what_is_asked_for_is_all_that_there_is(self, bank, table, monkeypatch):
        assert asked_for(bank, monkeypatch) == set(table)

    def test_every_moment_has_every_register(self, bank, table):
        for name, registers in table.items():
            assert set(registers) == {"any", "formal", "texting"}, name
        assert all(len(lines) >= 3 for entry in table.values() for lines in entry.values())

    @pytest.mark.parametrize("register", ["any", "formal", "texting"])
    def test_no_line_stands_twice_in_a_register(self, bank, table, register):
        lines = [
            " ".join(re.findall(r"\w+", x.lower())) for e in table.values() for x in e[register]
        ]
        assert sorted(lines) == sorted(set(lines))

    def test_lines_are_written_in_their_register(self, bank, table):
        for entry in table.values():
            assert all(line == line.lower() for line in entry["texting"])
            for register in ("any", "formal"):
                assert all(line[0].isupper() for line in entry[register])
            contracted = r"n't\b|'re\b|'ll\b|'ve\b|'d\b|\bI'm\b|\b(?:it|that|he|she|there)'s\b"
            formal = [x for x in entry["formal"] if re.search(contracted, x, re.IGNORECASE)]
            assert formal == []

    @pytest.mark.parametrize("register", REGISTERS)
    def test_the_register_is_the_personas(self, bank, table, register):
        persona = mute(REGISTERS[register])
        own = {x for e in table.values() for x in e["any" if register == "plain" else register]}
        turns = [piece(act) for act in ("blame", "open_question", "suggestion", "reflection")]
        for change in (-5.0, 1.0, 6.0):
            for turn in turns:
                for said in speeches(
                    turn, persona=persona, bank=bank, change=change, seeds=range(9)
                ):
                    assert set(said.used) <= own

    def test_a_register_without_lines_of_its_own_takes_those_for_any(self, bank):
        assert phrases("hurt", "casual", bank) == phrases("hurt", "plain", bank)

    def test_no_line_names_what_somebody_needs(self, bank, table):
        lines = " ".join(x for e in table.values() for ls in e.values() for x in ls).lower()
        assert not re.search(r"\bpersona|\bscore\b|\{|\}|<|>|\[|\]", lines)


HIDDEN = {"withheld": 10, "masked": 10, **{f"hint_{need}": 6 for need in NEEDS}}
"""The moments in which something is hidden, and how many lines of each register they have."""


@both
class TestHiding:
    @pytest.mark.parametrize(("name", "count"), HIDDEN.items())
    def test_there_are_lines_enough_to_hide_behind_for_a_talk(self, bank, name, count):
        table = lines_of(bank)[name]
        assert all(len(table[register]) >= count for register in ("any", "formal", "texting"))
        assert len(table["any"]) >= 8

    def test_no_line_that_hides_is_somebodys_own_or_said_in_another_moment(self, bank):
        table = lines_of(bank)
        hiding = {line for name in HIDDEN for lines in table[name].values() for line in lines}
        other = {x for n in table if n not in HIDDEN for lines in table[n].values() for x in lines}
        assert not hiding & other
        for persona in load_personas().values():
            assert not hiding & set(strings(persona.to_data()))

    @pytest.mark.parametrize("register", REGISTERS)
    def test_who_hides_in_every_turn_of_a_long_talk_repeats_nothing(self, bank, register):
        task = Task(
            persona=REGISTERS[register],
            speaker=TemplateSpeaker(bank),
            protocol=alive(PROTOCOLS["appraisal-v1"]),
            max_turns=60,
            difficulty={"masking": 1.0, "ambiguity": 1.0, "disclosure": 0.0},
        )
        episode = task.open(seed=4)
        while not episode.done:
            episode.say("Tell me more about it.")
        said = [message["content"] for message in episode.messages if message["role"] == "user"]
        assert len(set(said)) == len(said) == 61


def strings(data):
    """Yield every text of a persona."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from strings(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from strings(value)


def test_the_held_out_user_has_other_lines():
    one, other = (
        {x for e in lines_of(bank).values() for lines in e.values() for x in lines}
        for bank in BANKS
    )
    assert len(one & other) < 0.01 * min(len(one), len(other))
