"""A talk as tokens: what was sampled stays as it is, and is told from what was read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import SPECIAL, Letters, chatml

from empathy_env import Task
from empathy_env.errors import InvalidArgument
from empathy_env.messages import from_agent, from_system, from_user
from empathy_env.tokens import ChatTemplate, Tokens


def llama(chat, ask):
    """Puts a token at the beginning, and nothing after the end of a turn."""
    turns = [f"<|head|>{m['role']}<|/head|>\n\n{m['content'].strip()}<|eot|>" for m in chat]
    return "<|bos|>" + "".join(turns) + "<|head|>assistant<|/head|>\n\n" * ask


def mistral(chat, ask):
    """Has no words for who speaks next: the user's turn ends where the agent's begins."""
    asked = {"user": "[INST] {} [/INST] ", "system": "[SYS] {} [/SYS]", "assistant": "{}</s>"}
    return "<|bos|>" + "".join(asked[m["role"]].format(m["content"]) for m in chat)


def plain(chat, ask):
    """Has no special tokens: a turn ends as the words that ask for the next one do."""
    return "".join(f"{m['role']}:\n{m['content']}\n" for m in chat) + "assistant:\n" * ask


def qwen3(chat, ask):
    """Takes thoughts out of all turns before the user's last one."""
    last = max(number for number, m in enumerate(chat) if m["role"] == "user")
    kept = [
        m
        if m["role"] != "assistant" or number > last
        else {**m, "content": re.sub(r"<think>.*?</think>\s*", "", m["content"], flags=re.DOTALL)}
        for number, m in enumerate(chat)
    ]
    return chatml(kept, ask)


def qwen3_plain(chat, ask):
    """Puts an empty thought into the last turn, and takes it out again when another follows."""
    text = chatml(chat, ask)
    if chat[-1]["role"] != "assistant":
        return text
    head, tail = text.rsplit("<|im_start|>assistant\n", 1)
    return f"{head}<|im_start|>assistant\n<think>\n\n</think>\n\n{tail}"


def deepseek(chat, ask):
    """Never shows a thought."""
    return chatml([{**m, "content": m["content"].rpartition("</think>")[2]} for m in chat], ask)


def mute(chat, ask):
    """Never shows what the agent said."""
    return chatml([m for m in chat if m["role"] != "assistant"], ask)


def ragged(chat, ask):
    """Ends the last turn of the agent only."""
    last = max((number for number, m in enumerate(chat) if m["role"] == "assistant"), default=-1)
    turns = [chatml([m], False) for m in chat]
    for number, m in enumerate(chat):
        if m["role"] == "assistant" and number < last:
            turns[number] = turns[number].removesuffix("<|im_end|>\n")
    return "".join(turns) + "<|im_start|>assistant\n" * ask


def forgetful(chat, ask):
    """Shows the last two messages only."""
    return chatml(chat[-2:], ask)


ADDING = {"chatml": chatml, "llama": llama, "mistral": mistral, "plain": plain}
"""Templates that only ever add to a chat."""
ENDS = {"chatml": "<|im_end|>", "llama": "<|eot|>", "mistral": "</s>", "plain": "\n"}
"""What a model samples at the end of its turn."""

words = st.text(st.characters(codec="utf-8", exclude_characters="<>[]"), min_size=1).filter(
    lambda text: text.strip() == text
)
sayings = st.just("") | words | words.map(lambda text: f"<think>\nperhaps\n</think>\n\n{text}")
talks = st.lists(st.tuples(sayings, words, st.booleans()), min_size=1, max_size=4)
"""For each turn what the agent says, what the user replies, and whether the turn was ended."""
names = st.sampled_from(sorted(ADDING))


def talk_of(name, turns):
    """Play a talk; return its tokens, the chat, and what was sampled turn by turn."""
    tokenizer = Letters(ADDING[name])
    template = ChatTemplate(tokenizer)
    chat = [from_system("Support them."), from_user("I am tired.")]
    tokens, sampled = template.opened(chat), []
    for said, reply, ended in turns:
        ids = tokenizer.encode(said + ENDS[name] * ended, add_special_tokens=False)
        sampled.append(ids)
        tokens = template.answered(tokens.sampled(ids), reply)
        chat += [from_agent(said), from_user(reply)]
    return tokenizer, tokens, chat, sampled


@given(names, talks)
def test_the_text_of_all_tokens_is_the_chat_as_the_template_renders_it(name, turns):
    tokenizer, tokens, chat, _ = talk_of(name, turns)
    assert tokenizer.text(tokens.ids) == tokenizer.whole(chat, ask=True)


@given(names, talks)
def test_the_mask_covers_exactly_the_sampled_tokens(name, turns):
    _, tokens, _, sampled = talk_of(name, turns)
    learnt = [token for token, mask in zip(tokens.completion, tokens.mask, strict=True) if mask]
    assert learnt == [token for ids in sampled for token in ids]
    # Between two stretches something was read, so that each stretch is one turn.
    stretches = "".join(map(str, tokens.mask)).split("0")
    assert [len(stretch) for stretch in stretches if stretch] == [
        len(ids) for ids in sampled if ids
    ]


@given(names, talks, words)
def test_what_was_there_stays_as_it_is_when_the_talk_goes_on(name, turns, reply):
    tokenizer, tokens, _, _ = talk_of(name, turns)
    ids = tokenizer.encode("Go on.", add_special_tokens=False)
    longer = ChatTemplate(tokenizer).answered(tokens.sampled(ids), reply)
    assert longer.prompt == tokens.prompt
    assert longer.ids[: len(tokens.ids)] == tokens.ids
    assert longer.mask[: len(tokens.mask)] == tokens.mask


@pytest.mark.parametrize("name", sorted(ADDING))
def test_a_turn_that_broke_off_is_ended_with_tokens_that_do_not_count(name):
    (_, cut, *_), (_, ended, *_) = (talk_of(name, [("Go on.", "No.", x)]) for x in (False, True))
    assert cut.ids == ended.ids
    assert sum(cut.mask) == len("Go on.")
    assert sum(ended.mask) == len("Go on.") + 1


def test_a_turn_that_ended_with_another_token_than_the_tokenizers_own_is_ended_once():
    tokenizer = Letters(chatml)
    tokenizer.eos_token_id = SPECIAL.index("</s>")  # as in base models with a chat template
    template = ChatTemplate(tokenizer)
    tokens = template.opened([from_user("Hi.")])
    ids = tokenizer.encode("Yes?<|im_end|>", add_special_tokens=False)
    text = tokenizer.text(template.answered(tokens.sampled(ids), "No.").ids)
    assert text.count("Yes?<|im_end|>\n<|im_start|>user\nNo.<|im_end|>") == 1


def test_what_was_said_is_the_words_with_the_thoughts_and_without_the_end():
    tokenizer = Letters(chatml)
    ids = tokenizer.encode("<think>Hm.</think>Yes?<|im_end|>", add_special_tokens=False)
    assert ChatTemplate(tokenizer).words(ids) == "<think>Hm.</think>Yes?"


def test_a_thought_stays_in_the_tokens_and_the_user_does_not_hear_it():
    tokenizer = Letters(chatml)
    template = ChatTemplate(tokenizer)
    episode = Task(persona="laid-off-engineer", scaffold="think-then-say").open(seed=1)
    tokens = template.opened(episode.messages)
    ids = tokenizer.encode("<think>Ask.</think>What was it like?", add_special_tokens=False)
    tokens = tokens.sampled(ids)
    episode.say(template.words(ids))
    tokens = template.answered(tokens, episode.utterance)
    assert "<think>Ask.</think>What was it like?<|im_end|>\n" in tokenizer.text(tokens.ids)
    assert episode.trace.turns[0].heard == "What was it like?"
    assert tokenizer.text(tokens.ids).endswith(
        f"user\n{episode.utterance}<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("template", "what"),
    [
        (qwen3, "a thought"),
        (deepseek, "a thought"),
        (qwen3_plain, "words"),
        (forgetful, "words"),
        (mute, "words"),
        (ragged, "words"),
    ],
)
def test_a_template_that_changes_earlier_turns_is_refused_and_the_fix_named(template, what):
    with pytest.raises(InvalidArgument, match=f"changes {what} of an earlier turn") as refused:
        ChatTemplate(Letters(template))
    assert "get_training_chat_template(tokenizer)" in str(refused.value)
    assert "tokenizer.chat_template" in str(refused.value)


def test_a_tokenizer_that_drops_the_tags_of_thoughts_is_refused_and_the_fix_named():
    with pytest.raises(InvalidArgument, match="the user would hear it") as refused:
        ChatTemplate(Letters(chatml, special=(*SPECIAL, "<think>", "</think>")))
    assert "special=False" in str(refused.value)


chances = st.floats(-20.0, 0.0)
stretches = st.lists(
    st.tuples(st.lists(st.tuples(st.integers(0, 9), chances)), st.lists(st.integers(0, 9))),
    max_size=4,
)


@given(stretches)
def test_log_probabilities_stand_beside_the_tokens_that_they_are_of(turns):
    tokens, expected = Tokens((1, 2)), []
    for pairs, read in turns:
        tokens = tokens.sampled([token for token, _ in pairs], [chance for _, chance in pairs])
        tokens = tokens.read(read)
        expected += [*pairs, *((token, 0.0) for token in read)]
    given_at_all = any(pairs for pairs, _ in turns)
    if given_at_all:
        assert list(zip(tokens.completion, tokens.logprobs, strict=True)) == expected
    assert len(tokens.mask) == len(tokens.completion)


def test_log_probabilities_for_some_tokens_only_are_refused():
    with pytest.raises(InvalidArgument, match="2 values for 1 sampled"):
        Tokens((1,)).sampled([2], [-0.5, -0.5])
    with pytest.raises(InvalidArgument, match="for each turn, or for none"):
        Tokens((1,)).sampled([2], [-0.5]).read([3]).sampled([4])
    with pytest.raises(InvalidArgument, match="for each turn, or for none"):
        Tokens((1,)).sampled([2]).read([3]).sampled([4], [-0.5])


@given(stretches, st.integers(0, 12))
def test_a_talk_that_is_cut_keeps_its_first_tokens_and_what_belongs_to_them(turns, most):
    tokens = Tokens((1, 2)).sampled([7], [-1.0])
    for pairs, read in turns:
        tokens = tokens.sampled([token for token, _ in pairs], [chance for _, chance in pairs])
        tokens = tokens.read(read)
    cut = tokens.cut(most)
    assert cut.ids == tokens.ids[: 2 + most]
    assert (cut.mask, cut.logprobs) == (tokens.mask[:most], tokens.logprobs[:most])
