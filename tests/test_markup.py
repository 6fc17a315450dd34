"""Every text has one meaning, and where it could have two, the one in which less is heard."""

# ruff: noqa: RUF001 - characters that look like others are what this is about

from __future__ import annotations

import re

import pytest
from counting import calls
from hypothesis import given
from hypothesis import strategies as st

from empathy_env import markup
from empathy_env.markup import Parted, hides, parted, tags_of

# s is thought, h is said. What is private and what is heard, for each form.
FORMS = {
    "as it should be": ("<think>s</think>h", "<think>s</think>", "h"),
    "in lines": ("<think>\ns\n</think>\n\nh\n", "<think>\ns\n</think>", "h"),
    "no tags": ("h", "", "h"),
    "unclosed": ("<think>s", "<think>s", ""),
    "unclosed after words": ("h <think>s", "<think>s", "h"),
    "close without open": ("s</think>h", "s</think>", "h"),
    "close without open, later": ("<think>s</think>s</think>h", "<think>s</think>s</think>", "h"),
    "nested": ("<think>s<think>s</think>s</think>h", "<think>s<think>s</think>s</think>", "h"),
    "nested and one close missing": ("<think>s<think>s</think>s", "<think>s<think>s</think>s", ""),
    "nested in another": ("<think>s<plan>s</plan>s</think>h", "<think>s<plan>s</plan>s</think>", "h"),
    "crossed": ("<plan>s<think>s</plan>s</think>h", "<plan>s<think>s</plan>s</think>", "h"),
    "closed by another name": ("<think>s</plan>h", "<think>s</plan>", "h"),
    "twice": ("<think>s</think>h<think>s</think>h", "<think>s</think>\n<think>s</think>", "h\nh"),
    "after the words": ("h<think>s</think>", "<think>s</think>", "h"),
    "close before open": ("s</think>h<think>s", "s</think>\n<think>s", "h"),
    "nothing in it": ("<think></think>h", "<think></think>", "h"),
    "closes itself": ("<think/>h", "<think/>", "h"),
    "upper case": ("<THINK>s</Think>h", "<THINK>s</Think>", "h"),
    "spaces": ("< think >s</ think >h", "< think >s</ think >", "h"),
    "spaces before the slash": ("<think>s< /think>h", "<think>s< /think>", "h"),
    "attributes": ('<think a="b">s</think c>h', '<think a="b">s</think c>', "h"),
    "open without its end": ("<think s</think>h", "<think s</think>", "h"),
    "close without its end": ("<think>s</think\nh", "<think>s</think", "h"),
    "cut within the close": ("<think>s</thi", "<think>s</thi", ""),
    "cut within the open": ("h <thi", "<thi", "h"),
    "cut within a second close": ("<think>s</think>h</", "<think>s</think>\n</", "h"),
    "full width": ("＜think＞s＜／think＞h", "＜think＞s＜／think＞", "h"),
    "look-alike letters": ("<thіnk>s</тhink>h", "<thіnk>s</тhink>", "h"),
    "accents": ("<thínk>s</think>h", "<thínk>s</think>", "h"),
    "mathematical letters": ("<𝐭𝐡𝐢𝐧𝐤>s</think>h", "<𝐭𝐡𝐢𝐧𝐤>s</think>", "h"),
    "invisible characters": ("<th\u200bi\u2060nk\ufeff>s</t\u00adhink>h", "<th\u200bi\u2060nk\ufeff>s</t\u00adhink>", "h"),
    "replaced characters": ("<th\ufffdink>s</think>h", "<th\ufffdink>s</think>", "h"),
    "other brackets": ("⟨think⟩s⟨/think⟩h", "⟨think⟩s⟨/think⟩", "h"),
    "entities": ("&lt;think&gt;s&LT;/think&gt;h", "&lt;think&gt;s&LT;/think&gt;", "h"),
    "numeric entities": ("&#60;think&#x3E;s&#x3c;/th&#105;nk>h", "&#60;think&#x3E;s&#x3c;/th&#105;nk>", "h"),
    "entities twice": ("&amp;lt;think>s&amp;amp;lt;/think>h", "&amp;lt;think>s&amp;amp;lt;/think>", "h"),
    "JSON escapes": (r"\u003cthink\u003es\u003c/think\u003eh", r"\u003cthink\u003es\u003c/think\u003e", "h"),
    "percent escapes": ("%3Cthink%3Es%3C/think%3Eh", "%3Cthink%3Es%3C/think%3E", "h"),
    "Markdown escapes": (r"\<think\>s\</think\>h", r"\<think\>s\</think\>", "h"),
    "thinking": ("<thinking>s</thinking>h", "<thinking>s</thinking>", "h"),
    "reasoning": ("<reasoning>s</reasoning>h", "<reasoning>s</reasoning>", "h"),
    "scratchpad": ("<scratchpad>s</scratchpad>h", "<scratchpad>s</scratchpad>", "h"),
    "analysis": ("<analysis>s</analysis>h", "<analysis>s</analysis>", "h"),
    "inner monologue": ("<inner_monologue>s</inner_monologue>h", "<inner_monologue>s</inner_monologue>", "h"),
    "with a prefix": ("<seed:think>s</seed:think>h", "<seed:think>s</seed:think>", "h"),
    "square": ("[THINK]s[/THINK]h", "[THINK]s[/THINK]", "h"),
    "triangles": ("◁think▷s◁/think▷h", "◁think▷s◁/think▷", "h"),
    "begin and end": ("<|begin_of_thought|>s<|end_of_thought|>h", "<|begin_of_thought|>s<|end_of_thought|>", "h"),
    "start and end": ("<|START_THINKING|>s<|END_THINKING|>h", "<|START_THINKING|>s<|END_THINKING|>", "h"),
    "bars of full width": ("<｜begin▁of▁thinking｜>s<｜end▁of▁thinking｜>h", "<｜begin▁of▁thinking｜>s<｜end▁of▁thinking｜>", "h"),
    "channels": (
        "<|channel|>analysis<|message|>s<|end|><|start|>assistant<|channel|>final<|message|>h<|return|>",
        "<|channel|>analysis<|message|>s<|end|><|start|>assistant<|channel|>final<|message|>\n<|return|>",
        "h",
    ),
    "channels, the first opened by the template": (
        "s<|end|><|start|>assistant<|channel|>final<|message|>h",
        "s<|end|><|start|>assistant<|channel|>final<|message|>",
        "h",
    ),
    "channels, never final": (
        "<|channel|>analysis<|message|>s<|end|>s",
        "<|channel|>analysis<|message|>s<|end|>s",
        "",
    ),
    "channels, another one": (
        "<|channel|>commentary<|message|>s<|channel|>final<|message|>h",
        "<|channel|>commentary<|message|>s<|channel|>final<|message|>",
        "h",
    ),
    "channels without their marks": ("analysisI seeassistantfinalh", "analysisI seeassistantfinal", "h"),
    "final within a thought": (
        "<think>s<|channel|>final<|message|>s</think>h",
        "<think>s<|channel|>final<|message|>s</think>",
        "h",
    ),
    "fence": ("```thinking\ns\n```\nh", "```thinking\ns\n```", "h"),
    "fence unclosed": ("```think\ns", "```think\ns", ""),
    "closed like an address": ("<think.a>s</think.a>h", "<think.a>s</think.a>", "h"),
    "in a fence": ("```\n<think>s</think>\n```\nh", "<think>s</think>", "h"),
    "in a fence with a language": ("```xml\n<think>s</think>\n```\nh", "<think>s</think>", "h"),
    "made by taking out": ("<th<think>s</think>ink>h", "<think>s</think>", "<th\nink>h"),
    "smuggled in words": ("h <think>s</think> h [THINK]s[/THINK] h", "<think>s</think>\n[THINK]s[/THINK]", "h\nh\nh"),
}  # fmt: skip

HEARD = [
    "a < plan b", "I < think", "I love you <3", "<b>h</b>", "<planet>", "an <explanation>",
    "[think](http://example.org)", "[plan]", "*thinks*", "(thinking) h", "I think. </3", "a <b",
    "&lt;b&gt;", "```python\nthink()\n```", "<answer>h</answer>", "thinking: h", "5 > 3 < 4",
    "<|im_end|><|im_start|>system", "reason</i>", "see <rethink.org> h", "<a.thinker@example.org> h", "", "  ",
]  # fmt: skip


@pytest.mark.parametrize(("text", "private", "heard"), FORMS.values(), ids=FORMS)
def test_each_form_has_its_meaning(text, private, heard):
    assert parted(text)[:2] == (private, heard)


@pytest.mark.parametrize("text", HEARD)
def test_what_marks_no_thought_is_heard_letter_by_letter(text):
    assert parted(text) == Parted("", text)


@pytest.mark.parametrize(
    "text", ["h <thi", "h </reas", "h <pla", "h <|thi", "h <thi </thi", "h </"]
)
def test_the_stump_of_a_tag_at_the_end_is_not_heard(text):
    found = parted(text)
    assert (found.heard, found.stump) == ("h", True)


def test_what_was_the_matter_is_told_apart():
    assert parted("s</think>h").unopened
    assert parted("<think>s").unclosed
    assert parted("<|channel|>analysis<|message|>s").unclosed
    assert parted("<think><plan>s</plan></think>h").nested
    assert parted("h<think>s</think>").early
    right = parted("<think>s</think>h")
    assert not any((right.unopened, right.unclosed, right.nested, right.early, right.stump))
    assert not parted("<|start|>assistant<|channel|>final<|message|>h").unopened


def test_names_of_thought():
    assert all(map(hides, ["think", "thoughts", "plan2", "seed:think", "inner-voice", "cot"]))
    assert not any(map(hides, ["b", "answer", "planet", "explanation", "div", "cotton", "say"]))


def test_tags_know_where_they_stand():
    text = "<think>a&lt;/think&gt;b"
    tags = tags_of(text)
    assert [text[tag.start : tag.end] for tag in tags] == ["<think>", "&lt;/think&gt;"]


PIECES = [
    "<think>", "</think>", "<plan>", "</plan>", "< Reflect x>", "</ belief >", "<thinking", "</thi",
    "[THINK]", "[/THINK]", "<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|end|>",
    "<|start|>assistant", "assistantfinal", "```thinking\n", "```\n", "```", "&lt;", "&lt;think>",
    "&amp;", "lt;", "<th", "ink>", "<", ">", "[", "]", "(", "\\", "/", " ", "\n", "think", "think>",
    "＜", "th\u200bink＞", "\u200b", "<|begin_of_thought|>", "<|end_of_thought|>", "<think/>", "h", "assistant",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="<>/|[]think `\n&;lт＜\u200b", max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
)


@given(texts)
def test_what_is_heard_holds_no_tag_even_one_put_together_from_what_was_left(text):
    heard = parted(text).heard
    assert parted(heard) == Parted("", heard)


@given(texts)
def test_nothing_is_made_up(text):
    found = parted(text)
    place = 0
    for line in found.heard.split("\n"):
        assert line in text[place:]
        place = text.index(line, place) + len(line)
    assert all(line in text for line in found.private.split("\n"))


@given(texts, texts)
def test_an_open_thought_hides_all_that_follows_until_it_is_closed(before, after):
    text = f"{before}<think>MARK{after}"
    if sum((tag.kind == "close") for tag in tags_of(after)) == 0:
        assert "MARK" not in parted(text).heard


LONG = [
    "<", "<think>", "</think>", "< ", "<\t", "<think ", "&", "&amp;", "&lt;", "[", "[think", "[ ", "```", "` ",
    "```a", "<|", "<| ", "<|channel|>", "\\<", "＜", "т", "<think", "</", "assistantfinal", "%3c", "a", "\u200b",
    "<a", "<think>\n```\n", "<\u200b", "<a.", "<a:think", "\n", " ", "<|start|>a", "x</think>y<think>",
]  # fmt: skip


@pytest.mark.parametrize("unit", LONG)
def test_work_grows_with_the_length_and_no_faster(unit):
    short, long = (unit * (size // len(unit)) for size in (2000, 4000))
    parted(long)  # fills the caches
    assert calls(parted, long) <= 2.1 * calls(parted, short) + 50


@pytest.mark.parametrize("name", ["_TAG", "_ESCAPE", "_EMPTY_FENCE"])
def test_no_pattern_looks_twice(name):
    """A repeat without end that gives characters back is what makes patterns slow."""
    pattern = getattr(markup, name).pattern
    assert re.findall(r"(?<!\\)(?:[*+]|\{\d+,\})\+", pattern)
    assert not re.findall(r"(?<![\\*+])[*+](?![+])", pattern)
