"""`check_reward` accepts what is sound and rejects each broken reward, for the right reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from specimens_rewards import (
    SOUND,
    SPECIMENS,
    credits_understand,
    looks_one_change_back,
    pays_gains_alone,
)

from empathy_env.checks import check_reward
from empathy_env.checks.rewards import LAWS
from empathy_env.errors import CheckFailed, UnknownName
from empathy_env.reward import REWARDS, load_reward

PAGE = (Path(__file__).parents[2] / "docs" / "testing-kit.md").read_text("utf-8")
NAMES = [law.name for law in LAWS]


WHATEVER_IS_DONE = {"potential", "format", "belief_emotion", "belief_need"}
"""Rewards that pay the same in a last turn, whatever is done in it."""


def said(dialogue):
    """Return what the agent says in each turn of a printed talk."""
    return re.findall(r"^    agent: (.*(?:\n {6}.*)*)", dialogue, re.MULTILINE)


@pytest.mark.parametrize("name", REWARDS)
def test_the_packages_own_rewards_keep_every_law(name):
    report = check_reward(name)
    unchecked = {note.split(":")[0] for note in report.notes}
    assert unchecked <= {"telescoping", "private-text", "fit-pays"}
    assert ("fit-pays" in unchecked) == (name in WHATEVER_IS_DONE)
    assert set(report.laws) | unchecked == set(NAMES)


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda specimen: specimen.name)
def test_a_broken_reward_is_rejected_with_the_shortest_talk_that_shows_it(specimen):
    with pytest.raises(CheckFailed) as failed:
        check_reward(specimen.reward, examples=8)
    assert failed.value.law == specimen.law
    lines = said(failed.value.dialogue)
    assert 1 <= len(lines) <= specimen.turns, failed.value.dialogue
    shown = re.sub("''|mm", "", " ".join(lines)) if specimen.words < 2 else " ".join(lines)
    assert len(shown.split()) <= specimen.words, failed.value.dialogue


@pytest.mark.parametrize("reward", SOUND, ids=lambda reward: getattr(reward, "__name__", "sum"))
def test_a_sound_reward_keeps_every_law(reward):
    report = check_reward(reward, examples=8)
    assert {note.split(":")[0] for note in report.notes} == {"telescoping"}


def test_a_reward_of_the_turn_before_the_last_is_noted():
    (note,) = check_reward(looks_one_change_back, laws=["fit-pays"], examples=8).notes
    assert "turn before" in note


@pytest.mark.parametrize("law", NAMES)
def test_whatever_law_is_asked_for_what_is_no_number_is_told_as_that(law):
    with pytest.raises(CheckFailed) as failed:
        check_reward(never_a_number, laws=[law], telescopes=True, examples=8)
    assert failed.value.law == "bounded"
    assert "agent: " in failed.value.dialogue


def never_a_number(trace, turn):
    return float("nan")


def test_every_law_has_a_specimen():
    assert {specimen.law for specimen in SPECIMENS} | {"telescoping"} == set(NAMES)


def test_a_claim_to_telescope_is_checked():
    with pytest.raises(CheckFailed) as failed:
        check_reward(pays_gains_alone, telescopes=True)
    assert failed.value.law == "telescoping"
    assert len(said(failed.value.dialogue)) == 2
    assert "telescoping" in check_reward("delta", laws=["telescoping"]).laws


def test_the_message_says_what_is_paid_and_for_what():
    with pytest.raises(CheckFailed, match=r"turn 1 is paid .* where 'understand' is said"):
        check_reward(credits_understand, laws=["wording"])


def test_the_page_shows_what_is_printed():
    code, shown = re.search(
        r"```python\n# my_reward.py\n(.*?)```.*?prints\n\n```text\n(.*?)```", PAGE, re.DOTALL
    ).groups()
    written = {}
    exec(code, written)
    with pytest.raises(CheckFailed) as failed:
        check_reward(written["understanding"])
    assert str(failed.value) == shown.rstrip()


def test_the_page_lists_the_laws_in_their_order():
    listed = re.findall(r"^\| (`[^|]*) \|", PAGE.partition("| law |")[2], re.MULTILINE)
    names = re.findall(r"`([a-z-]+)`", " ".join(listed))
    assert names[: len(NAMES)] == NAMES


def test_a_law_can_be_left_out():
    names = [name for name in NAMES if name != "wording"]
    assert "wording" not in check_reward(credits_understand, laws=names, examples=8).laws


def test_an_unknown_law_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownName, match="Did you mean 'causal'"):
        check_reward("terminal", laws=["casual"])


def test_weighted_rewards_and_names_of_functions_are_checked_as_well():
    assert check_reward({"terminal": 1.0, "delta": 0.5}, laws=["causal"]).laws == ("causal",)
    assert check_reward(load_reward("success"), laws=["pure"]).laws == ("pure",)
    with pytest.raises(CheckFailed, match="'wording'"):
        check_reward({"terminal": 1.0, "specimens_rewards:credits_understand": 0.5})


def test_a_bound_can_be_stated():
    with pytest.raises(CheckFailed, match=r"the bound is 0\.05"):
        check_reward("delta", laws=["bounded"], bound=0.05)


def test_a_reward_of_private_text_passes_if_it_says_so():
    with pytest.raises(CheckFailed, match="private-text"):
        check_reward("belief_emotion", private=False)
    assert "private-text" not in check_reward("belief_emotion", laws=["private-text"]).laws


def test_the_same_check_gives_the_same_answer():
    texts = []
    for _ in range(2):
        with pytest.raises(CheckFailed) as failed:
            check_reward(credits_understand, laws=["causal", "wording"], examples=8)
        texts.append(str(failed.value))
    assert texts[0] == texts[1]
