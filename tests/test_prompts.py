from hashlib import sha256
from pathlib import Path

import pytest

from empathy_env import prompts
from empathy_env.errors import UnknownName
from empathy_env.persona import NEEDS
from empathy_env.prompts import load_prompt

NAMES = sorted(path.stem for path in Path(prompts.__file__).parent.glob("*.md"))


def test_the_agent_has_a_prompt():
    assert "agent" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_comes_trimmed_and_with_the_digest_of_its_text(name):
    text, digest = load_prompt(name)
    assert text
    assert text == text.strip()
    assert digest == sha256(text.encode()).hexdigest()[:16]


def test_the_agents_prompt_gives_no_need_away():
    text = load_prompt("agent").text.lower()
    assert not [need for need in NEEDS if need in text or need.replace("_", " ") in text]


def test_a_wrong_name_gets_the_nearest_right_one():
    with pytest.raises(UnknownName, match=r"prompt named 'agnet'\. Did you mean 'agent'"):
        load_prompt("agnet")
