"""A scaffold asks for a form, and flags what is not in it; what is heard is the same rule for all."""

# ruff: noqa: RUF001 - characters that look like others are what this is about

import pickle
import re
from pathlib import Path

import pytest
from counting import calls
from hypothesis import given
from hypothesis import strategies as st

from empathy_env import Task
from empathy_env.acts import NEEDS
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.markup import parted
from empathy_env.messages import CLEANING
from empathy_env.scaffold import FLAGS, SCAFFOLDS, Blocks, Scaffold, Split, load_scaffold, malformed

SAID = "What was it like?"
BELIEF = "<belief>\nemotion: 35\nneed: absolution 0.6, deep_empathy 0.2\n</belief>\n"
WELL = {
    "plain": SAID,
    "think-then-say": f"<think>He is ashamed.</think>\n{SAID}",
    "plan-reflect-say": f"<plan>Ask.</plan>\n<reflect>Fine.</reflect>\n{SAID}",
    "placebo-think": f"<think>1 2 3, 4\n5.</think>\n{SAID}",
    "believe-then-say": BELIEF + SAID,
}


@pytest.mark.parametrize("name", SCAFFOLDS)
def test_what_is_asked_for_is_well_formed_and_only_the_words_are_heard(name):
    private, heard, flags = SCAFFOLDS[name].split(WELL[name])
    assert heard == SAID
    assert flags == ()
    assert private == WELL[name].removesuffix(SAID).strip()


@pytest.mark.parametrize(
    ("name", "text", "heard", "flags"),
    [
        ("plain", "", "", ""),
        ("plain", "<think>s</think>h", "h", "tag-foreign"),
        ("plain", "s</think>h", "h", "thought-unopened tag-foreign"),
        ("plain", "<think>s", "", "thought-unclosed tag-foreign"),
        ("plain", "<|channel|>analysis<|message|>s<|channel|>final<|message|>h", "h", "tag-foreign"),
        ("plain", "h <thi", "h", "tag-broken"),
        ("think-then-say", "h", "h", "thought-missing"),
        ("think-then-say", "", "", "thought-missing nothing-said"),
        ("think-then-say", "<think>s</think> ", "", "nothing-said"),
        ("think-then-say", "<think>s", "", "thought-unclosed nothing-said"),
        ("think-then-say", "s</think>h", "h", "thought-unopened"),
        ("think-then-say", "<think>s<think>s</think>s</think>h", "h", "thought-nested thought-repeated"),
        ("think-then-say", "<think>s</think>h<think>s</think>h", "h\nh", "thought-repeated thought-late"),
        ("think-then-say", "<think>s</think><think>s</think>h", "h", "thought-repeated"),
        ("think-then-say", "h<think>s</think>", "h", "thought-late"),
        ("think-then-say", "<think> </think>h", "h", "thought-empty"),
        ("think-then-say", "<think/>h", "h", "thought-empty tag-spelling"),
        ("think-then-say", "<THINK>s</THINK>h", "h", "tag-spelling"),
        ("think-then-say", "< think >s</think a='b'>h", "h", "tag-spelling"),
        ("think-then-say", "＜think＞s＜/think＞h", "h", "tag-spelling"),
        ("think-then-say", "&lt;think&gt;s&lt;/think&gt;h", "h", "tag-spelling"),
        ("think-then-say", "<think s</think>h", "h", "tag-spelling tag-broken"),
        ("think-then-say", "<think>s</think>h</thi", "h", "tag-broken"),
        ("think-then-say", "<thinking>s</thinking>h", "h", "thought-missing tag-foreign"),
        ("think-then-say", "[THINK]s[/THINK]h", "h", "thought-missing tag-foreign"),
        ("think-then-say", "```think\ns\n```\nh", "h", "thought-missing tag-foreign"),
        ("think-then-say", "<plan>s</plan>h", "h", "thought-missing tag-foreign"),
        ("think-then-say", "<think>s</thinking>h", "h", "thought-crossed tag-foreign"),
        ("think-then-say", "<think>s</think>h<plan>s</plan>", "h", "thought-late tag-foreign"),
        ("think-then-say", "<think>s<belief>s</belief></think>h", "h", "thought-nested tag-foreign"),
        ("plan-reflect-say", "<plan>s</plan>h", "h", "thought-missing"),
        ("plan-reflect-say", "<reflect>s</reflect><plan>s</plan>h", "h", "thought-order"),
        ("plan-reflect-say", "<plan>s</plan>h<reflect>s</reflect>h", "h\nh", "thought-late"),
        ("plan-reflect-say", "<plan>s<reflect>s</plan></reflect>h", "h", "thought-nested thought-crossed"),
        ("plan-reflect-say", "<plan>s</reflect>h", "h", "thought-crossed"),
        ("placebo-think", "<think>1 2 three</think>h", "h", "placebo-words"),
        ("placebo-think", "h", "h", "thought-missing"),
        ("believe-then-say", "h", "h", "thought-missing belief-emotion belief-need"),
        ("believe-then-say", "<belief>emotion: 35</belief>h", "h", "belief-need"),
        ("believe-then-say", "<belief>need: absolution 1</belief>h", "h", "belief-emotion"),
        ("believe-then-say", BELIEF + BELIEF + "h", "h", "thought-repeated belief-emotion belief-need"),
        ("believe-then-say", f"<think>s</think>{BELIEF}h", "h", "tag-foreign"),
    ],
)  # fmt: skip
def test_each_broken_form_is_named(name, text, heard, flags):
    split = SCAFFOLDS[name].split(text)
    assert (split.heard, split.flags) == (heard, tuple(flags.split()))


PAGE = Path(__file__).parent.parent / "docs" / "scaffolds.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text("utf-8")
    .partition("| written |")[2]
    .partition("\n\n")[0]
    .split("\n")[2:]
]


@pytest.mark.parametrize(("written", "heard", "flags", "why"), ROWS, ids=[row[0] for row in ROWS])
def test_the_documented_table_is_true(written, heard, flags, why):
    split = SCAFFOLDS["think-then-say"].split(written.strip("`"))
    assert split.heard.replace("\n", " ") == heard.strip("`")
    assert list(split.flags) == flags.replace("`", "").split()


def test_the_documented_table_has_the_rows_that_it_had():
    assert len(ROWS) >= 28


texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="<>/think plabeomr:0123[]`\n", max_size=60),
    st.lists(st.sampled_from([*WELL.values(), "<think>", "</think>", "<plan>", "</belief>", "h"])).map("".join),
)  # fmt: skip


@pytest.mark.parametrize("name", SCAFFOLDS)
@given(text=texts)
def test_every_scaffold_takes_any_text_apart_and_names_what_is_wrong_with_it(name, text):
    split = SCAFFOLDS[name].split(text)
    assert isinstance(split, Split)
    assert split == SCAFFOLDS[name].split(text)
    assert set(split.flags) <= set(FLAGS)
    assert (split.private, split.heard) == parted(text)[:2]


@pytest.mark.parametrize("name", SCAFFOLDS)
@pytest.mark.parametrize("unit", ["<think>", "</belief>", "<belief></belief>", "< plan >x", "[THINK]", "need: absolution 1,\n"])  # fmt: skip
def test_work_grows_with_the_length_and_no_faster(name, unit):
    split = SCAFFOLDS[name].split
    short, long = (unit * (size // len(unit)) for size in (2000, 4000))
    split(f"<belief>{long}</belief>")  # fills the caches
    for text in (lambda units: units, lambda units: f"<belief>{units}</belief>h"):
        assert calls(split, text(long)) <= 2.1 * calls(split, text(short)) + 50


@given(st.text(alphabet=st.characters(exclude_characters="<[&`\\%"), max_size=60))
def test_with_the_plain_scaffold_all_that_marks_no_thought_is_heard(text):
    if text.isascii() and "assistantfinal" not in text.lower():
        assert load_scaffold("plain").split(text) == ("", text, ())


@pytest.mark.parametrize("name", SCAFFOLDS)
def test_a_scaffold_stands_under_its_own_name(name):
    assert SCAFFOLDS[name].name == name
    assert load_scaffold(name) is SCAFFOLDS[name]


@pytest.mark.parametrize("name", SCAFFOLDS)
def test_a_prompt_shows_the_very_tags_that_are_taken(name):
    prompt = SCAFFOLDS[name].prompt
    tags = [part for part in WELL[name].replace("<", "\n<").replace(">", ">\n").split("\n") if "<" in part]  # fmt: skip
    assert bool(prompt) == (name != "plain")
    assert all(tag in prompt for tag in tags)


def test_who_is_asked_for_a_belief_is_told_all_needs_and_no_one_else_is():
    asking = [name for name in SCAFFOLDS if SCAFFOLDS[name].states_belief]
    assert asking == ["believe-then-say"]
    assert all(need in SCAFFOLDS["believe-then-say"].prompt for need in NEEDS)
    others = "".join(SCAFFOLDS[name].prompt for name in SCAFFOLDS if name not in asking)
    assert not [need for need in NEEDS if need in others]


def test_the_prompt_is_part_of_the_instructions_to_the_agent():
    plain, thinking = Task().system_prompt, Task(scaffold="think-then-say").system_prompt
    assert thinking == f"{plain}\n\n{SCAFFOLDS['think-then-say'].prompt}"
    assert Task(scaffold="think-then-say", system_prompt=None).system_prompt is None


def test_ones_own_scaffold_is_taken_as_it_is():
    own = Scaffold("shout", "Shout.", lambda text: Split(text, text.upper()))
    assert load_scaffold(own) is own
    assert load_scaffold(own).split("hey") == ("hey", "HEY", ())


def test_ones_own_blocks_and_check():
    def short(private):
        return ["too-long"] if len(private) > 40 else []

    split = Blocks(("inner_voice",), short)
    assert split("<inner_voice>s</inner_voice>h") == ("<inner_voice>s</inner_voice>", "h", ())
    assert split(f"<inner_voice>{'s' * 40}</inner_voice>").flags == ("nothing-said", "too-long")


@pytest.mark.parametrize("name", ["notes", "Think", "explanation", ""])
def test_a_block_that_would_be_heard_is_refused(name):
    with pytest.raises(InvalidArgument, match="would be heard"):
        Blocks((name,))


def test_scaffolds_compare_and_pickle_by_value():
    for scaffold in SCAFFOLDS.values():
        assert pickle.loads(pickle.dumps(scaffold)) == scaffold


def test_what_cleaning_did_is_no_matter_of_form():
    assert not malformed(CLEANING)
    assert all(malformed((flag,)) for flag in FLAGS)
    assert not set(FLAGS) & set(CLEANING)


def test_a_wrong_name_gets_the_nearest_right_one():
    with pytest.raises(UnknownName, match=r"scaffold named 'plian'\. Did you mean 'plain'"):
        load_scaffold("plian")


def test_the_filler_is_as_long_as_the_thoughts_that_it_stands_for():
    """In tokens, whether digits are read together or one by one; a word is about 1.3 of them."""
    least, most = map(int, asked("think-then-say", r"in (\d+)\s+to\s+(\d+)\s+words"))
    [last] = asked("placebo-think", r"from\s+1\s+to\s+(\d+)")
    filler = " ".join(map(str, range(1, int(last) + 1)))
    together, apart = (len(re.findall(token, filler)) for token in (r"\d+|\s", r"\d|\s"))
    assert 1.3 * least <= together < apart <= 1.3 * most


def asked(scaffold, pattern):
    return re.search(pattern, SCAFFOLDS[scaffold].prompt).groups()
