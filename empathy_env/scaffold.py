"""What an agent writes before it speaks: the prompt that asks for it, and what counts as heard.

A scaffold is a pair of pure values, so it works alike in every view of an episode. Only the
`heard` part of a turn reaches users, appraisers and transcripts. What is private is decided by the
rules of `empathy_env.markup`, which are the same for all scaffolds; a scaffold adds which blocks
are wanted, and flags what is not as it asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from empathy_env.belief import TAG, belief_of
from empathy_env.errors import InvalidArgument, UnknownName
from empathy_env.markup import Parted, Tag, hides, parted
from empathy_env.messages import CLEANING
from empathy_env.prompts import load_prompt

FLAGS: Final[Mapping[str, str]] = {
    "thought-unopened": "a thought was closed that nothing had opened",
    "thought-unclosed": "a thought was open at the end",
    "thought-nested": "a thought was opened within another",
    "thought-crossed": "a block was closed by another name than it was opened by",
    "thought-repeated": "a block stands there twice",
    "thought-order": "the blocks are in another order",
    "thought-missing": "a block is not there",
    "thought-empty": "a block holds nothing",
    "thought-late": "something was said before the last block was closed",
    "tag-foreign": "a tag of another scaffold, or of another model's markup",
    "tag-spelling": "a tag that is not letter by letter the one asked for",
    "tag-broken": "a tag without its end",
    "nothing-said": "nothing is left to be heard",
    "placebo-words": "the filler holds something else than numbers",
    "belief-emotion": "no emotion that can be read",
    "belief-need": "no need that can be read",
}
"""The names of what can be wrong with the form of a turn."""


class Split(NamedTuple):
    """One agent turn, taken apart.

    Attributes:
        private: What nobody hears, its tags included.
        heard: What the user hears; "" is silence.
        flags: Names of what was wrong with the form; empty if it was kept.
    """

    private: str
    heard: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A way of writing before speaking.

    Attributes:
        name: Recorded in the trace.
        prompt: Added to the system prompt; "" adds nothing.
        split: Takes a turn apart. Pure, total, and never raises: bad form is a flag.
        states_belief: Whether it asks for a belief that `belief.belief_of` can read.
    """

    name: str
    prompt: str
    split: Callable[[str], Split]
    states_belief: bool = False


def malformed(flags: Iterable[str]) -> bool:
    """Return whether a turn with these flags was not in the form that its scaffold asks for.

    What had to be done to make the text safe (`messages.CLEANING`) is no matter of form.

    >>> malformed(("cut",)), malformed(("cut", "thought-unclosed"))
    (False, True)
    """
    return any(flag not in CLEANING for flag in flags)


def _form_flags(names: tuple[str, ...], text: str, parts: Parted) -> Iterator[str]:
    """Yield what is wrong with how the thoughts and the words stand to each other."""
    claims = {
        "thought-unopened": parts.unopened,
        "thought-unclosed": parts.unclosed,
        "thought-nested": parts.nested,
        "thought-late": parts.early and bool(names),
        "tag-broken": parts.stump,
        "nothing-said": bool(names) and not parts.heard,
    }
    yield from (flag for flag, holds in claims.items() if holds)
    own = [tag for tag in parts.tags if tag.name in names]
    opened = [tag.name for tag in own if tag.kind == "open"]
    once = list(dict.fromkeys(opened))
    if len(once) < len(opened):
        yield "thought-repeated"
    if once != [name for name in names if name in once]:
        yield "thought-order"
    if set(names) - {tag.name for tag in own}:
        yield "thought-missing"
    if _some_empty(text, own):
        yield "thought-empty"


def _some_empty(text: str, own: list[Tag]) -> bool:
    blocks = ((one, two) for one, two in pairwise(own) if one.kind == "open")
    return any(
        two.kind == "close" and not text[one.end : two.start].strip() for one, two in blocks
    ) or any(tag.kind == "empty" for tag in own)


def _tag_flags(names: tuple[str, ...], text: str, tags: tuple[Tag, ...]) -> Iterator[str]:
    """Yield what is wrong with the tags, each by itself and with the next."""
    for tag in tags:
        if not tag.whole:
            yield "tag-broken"
        if tag.name not in names:
            yield "tag-foreign"
        elif text[tag.start : tag.end] not in (f"<{tag.name}>", f"</{tag.name}>"):
            yield "tag-spelling"
    for one, two in pairwise(tags):
        if (one.kind, two.kind) == ("open", "close") and _bare(one.name) != _bare(two.name):
            yield "thought-crossed"


def _bare(name: str) -> str:
    """Return the name by which a close belongs to its open: a fence closes without one."""
    if name.startswith("`"):
        return "`"
    return re.sub("^(begin|start|end|close|stop)", "", name).strip("_[]")


_FILLER: Final = re.compile(r"(?:</?think>|[0-9\s.,])*+")


def _placebo_flags(private: str) -> Iterator[str]:
    if not _FILLER.fullmatch(private):
        yield "placebo-words"


def _belief_flags(private: str) -> Iterator[str]:
    belief = belief_of(private)
    if belief is None or belief.emotion is None:
        yield "belief-emotion"
    if belief is None or belief.needs is None:
        yield "belief-need"


def _nothing_more(private: str) -> Iterator[str]:
    yield from ()


@dataclass(frozen=True, slots=True)
class Blocks:
    """Takes a turn apart that should hold some blocks, and then what is said.

    Attributes:
        names: Of the blocks, in order, as in `<name>...</name>`: small letters, and words that
            `empathy_env.markup` takes for thought. None: all is said.
        check: Names what else is wrong, given the private text.

    Raises:
        InvalidArgument: If a block of such a name would be heard.
    """

    names: tuple[str, ...] = ()
    check: Callable[[str], Iterable[str]] = _nothing_more

    def __post_init__(self) -> None:
        for name in self.names:
            if name != name.lower() or not hides(name):
                raise InvalidArgument(
                    f"names={self.names!r}: a block {name!r} would be heard. Take small letters "
                    "and a word for thought, such as 'think', 'plan' or 'inner_voice'"
                )

    def __call__(self, text: str) -> Split:
        """Return the turn, taken apart."""
        parts = parted(text)
        if not self.names and not parts.private:
            return Split("", parts.heard)
        found = [
            *_tag_flags(self.names, text, parts.tags),
            *_form_flags(self.names, text, parts),
            *self.check(parts.private),
        ]
        return Split(parts.private, parts.heard, tuple(sorted(set(found), key=_rank)))


def _rank(flag: str) -> tuple[int, str]:
    """Return where a flag stands in `FLAGS`; those of one's own come after."""
    names = list(FLAGS)
    return (names.index(flag) if flag in FLAGS else len(names), flag)


_SPLITS: Final[Mapping[str, Blocks]] = {
    "plain": Blocks(),
    "think-then-say": Blocks(("think",)),
    "plan-reflect-say": Blocks(("plan", "reflect")),
    "placebo-think": Blocks(("think",), _placebo_flags),
    "believe-then-say": Blocks((TAG,), _belief_flags),
}


class _Bundled(Mapping[str, Scaffold]):
    """The scaffolds by name. Their prompts are files, which are read when first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Scaffold] = {}

    def __getitem__(self, name: str) -> Scaffold:
        if name not in self._made:
            split = _SPLITS[name]
            prompt = load_prompt(name).text if split.names else ""
            self._made[name] = Scaffold(name, prompt, split, states_belief=TAG in split.names)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_SPLITS)

    def __len__(self) -> int:
        return len(_SPLITS)


SCAFFOLDS: Final[Mapping[str, Scaffold]] = _Bundled()


def load_scaffold(scaffold: str | Scaffold) -> Scaffold:
    """Return a scaffold by name, or the value itself.

    Raises:
        UnknownName: If no scaffold has the name.

    >>> load_scaffold("think-then-say").split("<think>He is sad.</think>That sounds hard.").heard
    'That sounds hard.'
    """
    if isinstance(scaffold, Scaffold):
        return scaffold
    if scaffold not in SCAFFOLDS:
        raise UnknownName.among("scaffold", scaffold, SCAFFOLDS)
    return SCAFFOLDS[scaffold]
