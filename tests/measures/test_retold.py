from dataclasses import replace

import pytest
from letters import Letters, chatml
from made_traces import made_talk, made_turn

from empathy_env import Task, load_agent
from empathy_env.cast import cast_names
from empathy_env.errors import InvalidArgument
from empathy_env.measures.retold import retold
from empathy_env.rollout import play
from empathy_env.tokens import ChatTemplate

TEMPLATE = ChatTemplate(Letters(chatml))
THINKS = dict(raw="<think>Sad.</think>Tell me.", heard="Tell me.")


def talk(*turns, **changed):
    """Two turns, of which some fields are others."""
    made = [made_turn(say="Tell me."), made_turn(say="Go on.", outcome="time_up")]
    made = [replace(turn, **more) for turn, more in zip(made, turns or ({}, {}), strict=True)]
    return replace(made_talk(*made), **changed)


def said(tokens):
    """The text of what was sampled, and of what was not."""
    marked = [(bit, id) for bit, id in zip(tokens.mask, tokens.completion, strict=True)]
    return tuple(
        TEMPLATE.tokenizer.decode([id for bit, id in marked if bit == which]) for which in (1, 0)
    )


def test_a_talk_is_one_piece_with_each_turn_and_its_end():
    trace = talk()
    found = retold(trace, TEMPLATE)
    [tokens] = found.parts
    prompt = TEMPLATE.tokenizer.decode(tokens.prompt)
    assert prompt.endswith(f"{trace.opening[0]}<|im_end|>\n<|im_start|>assistant\n")
    assert trace.setup.system_prompt in prompt
    own, between = said(tokens)
    assert own == "Tell me.<|im_end|>Go on.<|im_end|>"
    assert between == "\n<|im_start|>user\nHm.<|im_end|>\n<|im_start|>assistant\n"
    assert found.turns == (len("Tell me.") + 1, len("Go on.") + 1)


def test_a_turn_that_was_cut_off_has_no_end_of_its_own():
    found = retold(talk(), TEMPLATE, turn_tokens=8)
    own, between = said(found.parts[0])
    assert own == "Tell me.Go on.<|im_end|>"
    assert between.startswith("<|im_end|>\n<|im_start|>user")
    assert found.turns == (8, 7)


def test_thoughts_are_scored_after_what_the_policy_saw():
    trace = talk(THINKS, {})
    assert "say by --history" in retold(trace, TEMPLATE)
    [whole] = retold(trace, TEMPLATE, history="written").parts
    assert said(whole)[0] == f"{THINKS['raw']}<|im_end|>Go on.<|im_end|>"
    one, two = retold(trace, TEMPLATE, history="heard").parts
    assert said(one)[0] == f"{THINKS['raw']}<|im_end|>"
    prompt = TEMPLATE.tokenizer.decode(two.prompt)
    assert "Tell me.<|im_end|>" in prompt
    assert "Sad." not in prompt


def test_thoughts_of_the_last_turn_leave_no_doubt():
    [whole] = retold(talk({}, THINKS), TEMPLATE).parts
    assert said(whole)[0] == f"Tell me.<|im_end|>{THINKS['raw']}<|im_end|>"


def test_silence_is_an_end_alone():
    found = retold(talk(dict(raw="", heard=""), {}), TEMPLATE)
    assert found.turns[0] == 1


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (talk(fault={"type": "TimedOut", "message": ""}), "in a fault"),
        (talk({}, {"outcome": None}), "has not ended"),
        (talk({"flags": ("cut",)}, {}), "was cut or cleaned"),
        (talk(dict(raw="a\ufffd", heard="a\ufffd"), {}), "U+FFFD"),
        (talk(dict(raw="a<|eot|>", heard="a<|eot|>"), {}), "do not come back from their tokens"),
    ],
)
def test_what_cannot_be_made_again_has_a_reason(trace, reason):
    assert reason in retold(trace, TEMPLATE, history="written")


def test_a_talk_with_a_cast_is_refused():
    task = Task(cast=cast_names()[0], max_turns=1)
    trace = play(task, load_agent("silent"), task.scenario(1))
    with pytest.raises(InvalidArgument, match="is a talk with a cast"):
        retold(trace, TEMPLATE)
