"""Phrases as a tree of words, and the walk that finds which of them a text holds."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class Cue(NamedTuple):
    """What the end of a phrase says.

    Attributes:
        act: The act, or the pseudo act of phrases after which words are not the speaker's own.
        asks: It counts only in a question.
        final: It counts only where the sentence ends.
        bars: These words look like the act and are not.
        alone: It counts only if the utterance is this one sentence.
        tells: It does not count in a question.
    """

    act: str
    asks: bool
    final: bool
    bars: bool
    alone: bool
    tells: bool


class Node:
    """A place in the tree of words."""

    __slots__ = ("any", "ends", "next", "shared")

    def __init__(self, ends: tuple[Cue, ...] = (), *, shared: bool = False) -> None:
        self.shared = shared
        self.next: dict[str, Node] | None = None
        self.any: Node | None = None
        self.ends = ends

    def child(self, key: str) -> Node:
        """The node one word on, made if need be, and not shared."""
        node = self.any if key == "*" else (self.next or {}).get(key)
        # A leaf is shared by all phrases that end alike, so it is copied before it grows.
        if node is None or node.shared:
            node = Node(node.ends if node else ())
            self._put(key, node)
        return node

    def end(self, key: str, cue: Cue) -> None:
        """Lets a phrase end one word on."""
        node = self.any if key == "*" else (self.next or {}).get(key)
        if node is None or node.shared:
            self._put(key, leaf((*(node.ends if node else ()), cue)))
        else:
            node.ends = (*node.ends, cue)

    def _put(self, key: str, node: Node) -> None:
        if key == "*":
            self.any = node
        elif self.next is None:
            self.next = {key: node}
        else:
            self.next[key] = node


@cache
def leaf(ends: tuple[Cue, ...]) -> Node:
    """The one node that all phrases share which end in these cues."""
    return Node(tuple(dict.fromkeys(ends)), shared=True)


def walk(
    root: Node,
    keys: list[tuple[str, ...]],
    at: int,
    stop: int,
    found: list[tuple[Cue, int, int]],
    first: int,
) -> None:
    """Appends every cue that goes on from here, with its first word and one past its last.

    Args:
        root: Where in the tree to begin.
        keys: The keys of all words.
        at: The next word.
        stop: One past the last word of the sentence.
        found: Where to append.
        first: The first word of the cue.
    """
    stack: list[tuple[Node, int]] = []
    node, i = root, at
    while True:
        if node.ends:
            for cue in node.ends:
                found.append((cue, first, i))
        if i < stop:
            ahead = node.next
            if ahead is not None:
                for key in keys[i]:
                    if key in ahead:
                        stack.append((ahead[key], i + 1))
            if node.any is not None:
                stack.append((node.any, i + 1))
        if not stack:
            return
        node, i = stack.pop()
