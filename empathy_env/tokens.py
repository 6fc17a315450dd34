r"""A talk as tokens: which were sampled, which were read, and none of them made twice.

A policy is trained on the tokens that it sampled. To render the talk anew after each turn would
give others: a template may take thoughts out of earlier turns, and text does not always come back
as the tokens that it was made of. So what was sampled is kept as it is (mask 1), and between two
turns only what the template puts there is added (mask 0): the end of the turn, the user's words,
and the beginning of the next turn.

Tokenizers are those of the library `transformers`, or whatever has the same three methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from empathy_env.errors import InvalidArgument
from empathy_env.messages import Message, from_agent, from_system, from_user


class Tokenizer(Protocol):
    """What is asked of a tokenizer."""

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> Any:
        """Render a chat."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> list[int]:
        """Return the tokens of a text."""
        ...

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = ...) -> str:
        """Return the text of tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """One talk as tokens.

    Attributes:
        prompt: Up to where the agent first speaks.
        completion: All after it: what was sampled, and what came between.
        mask: For each token of `completion` 1 if it was sampled, 0 if it was read.
        logprobs: For each its log-probability under the policy that sampled it, in nats; 0.0 where
            it was read. Empty if they were not given.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...] = ()
    mask: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()

    @property
    def ids(self) -> list[int]:
        """All tokens so far: what the next turn is sampled from."""
        return [*self.prompt, *self.completion]

    def sampled(self, ids: Sequence[int], logprobs: Sequence[float] | None = None) -> Tokens:
        """Return the talk with a turn of the agent.

        >>> talk = Tokens((1, 2)).sampled([3, 4]).read([5])
        >>> talk.ids, talk.mask
        ([1, 2, 3, 4, 5], (1, 1, 0))

        Raises:
            InvalidArgument: If there is not one log-probability for each token of the turn, or if
                some turns have them and others not.
        """
        if logprobs is not None and len(logprobs) != len(ids):
            raise InvalidArgument(
                f"logprobs has {len(logprobs)} values for {len(ids)} sampled tokens: give one each"
            )
        if 1 in self.mask and bool(self.logprobs) != (logprobs is not None):
            raise InvalidArgument(
                "logprobs is given for some turns of the talk and not for others: give it for each "
                "turn, or for none"
            )
        return self._grown(ids, 1, logprobs)

    def read(self, ids: Sequence[int]) -> Tokens:
        """Return the talk with tokens that were not sampled."""
        return self._grown(ids, 0, [0.0] * len(ids) if self.logprobs else None)

    def cut(self, most: int) -> Tokens:
        """Return the talk with at most so many tokens of completion."""
        return Tokens(self.prompt, self.completion[:most], self.mask[:most], self.logprobs[:most])

    def _grown(self, ids: Sequence[int], mask: int, logprobs: Sequence[float] | None) -> Tokens:
        before = self.logprobs or (0.0,) * len(self.completion)
        return Tokens(
            self.prompt,
            (*self.completion, *ids),
            (*self.mask, *[mask] * len(ids)),
            () if logprobs is None else (*before, *logprobs),
        )


_WORDS: Final = "WORDS-OF-THE-AGENT"
_THOUGHT: Final = f"<think>\nA THOUGHT\n</think>\n\n{_WORDS}"
_ASKED: Final = (from_user("."), from_agent(_WORDS))


@dataclass(frozen=True)
class ChatTemplate:
    """How a tokenizer's chat template goes on from a turn to the next.

    Args:
        tokenizer: A tokenizer with a chat template that only ever adds to a chat.

    Raises:
        InvalidArgument: If its template changes earlier turns when a user's turn is added, or if
            the tags of a thought get lost between tokens and text.
    """

    tokenizer: Tokenizer
    closing: str = field(init=False)
    """What stands after the agent's words, up to the user's turn."""
    _end: tuple[int, ...] = field(init=False, repr=False)
    """The tokens of it."""
    _before: int = field(init=False, repr=False)
    """How long `_ASKED` is as text."""

    def __post_init__(self) -> None:
        closing = _checked(self.tokenizer)
        # Once, and not in each turn of each talk: rendering is what a turn's tokens cost.
        once = {
            "closing": closing,
            "_end": tuple(self._encoded(closing)),
            "_before": len(_rendered(self.tokenizer, _ASKED, ask=False)),
        }
        for name, value in once.items():
            object.__setattr__(self, name, value)

    @property
    def end(self) -> str:
        """What the agent samples to end its turn: a line break after it is the template's."""
        return self.closing.rstrip("\n") or self.closing

    def opened(self, messages: Sequence[Message]) -> Tokens:
        """Return the tokens of a chat up to where the agent speaks next."""
        text = _rendered(self.tokenizer, messages, ask=True)
        return Tokens(tuple(self.tokenizer.encode(text, add_special_tokens=False)))

    def words(self, ids: Sequence[int]) -> str:
        """Return what was said by sampled tokens, thoughts and all, without the end of the turn."""
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def answered(self, tokens: Tokens, reply: str) -> Tokens:
        """Return the talk with the user's reply, up to where the agent speaks next.

        The end of the agent's turn is added if the sampling broke off before it.
        """
        whole = _rendered(self.tokenizer, [*_ASKED, from_user(reply)], ask=True)
        return tokens.read(self._encoded(self._rest(tokens) + whole[self._before :]))

    def _rest(self, tokens: Tokens) -> str:
        """Return what is lacking of the end of the agent's turn.

        By the tokens, not by `eos_token_id`: a model may stop at another token than that.
        """
        end = self._end
        for size in range(len(end), 0, -1):
            if tokens.completion[-size:] == end[:size] and all(tokens.mask[-size:]):
                there = self.tokenizer.decode(end[:size], skip_special_tokens=False)
                return self.closing.removeprefix(there)
        return self.closing

    def _encoded(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)


def _rendered(tokenizer: Tokenizer, messages: Sequence[Message], *, ask: bool) -> str:
    chat = [{"role": message["role"], "content": message["content"]} for message in messages]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=ask)
    return str(text)


def _checked(tokenizer: Tokenizer) -> str:
    """Return what ends the agent's turn, if the template only ever adds to a chat."""
    opening = [from_system("S"), from_user("U")]
    for words in (_WORDS, _THOUGHT):
        chat = [*opening, from_agent(words)]
        once = _rendered(tokenizer, chat, ask=False)
        longer = [*chat, from_user("V"), from_agent(words)]
        asked = _rendered(tokenizer, [*chat, from_user("V")], ask=True)
        twice = _rendered(tokenizer, longer, ask=False)
        if not (asked.startswith(once) and twice.startswith(once)) or words not in once:
            what = "a thought" if words == _THOUGHT else "words"
            raise InvalidArgument(
                f"the chat template changes {what} of an earlier turn when the user's next turn "
                "is added, so the policy would be trained on tokens that it does not see later. "
                "Give a template that keeps earlier turns as they are: TRL has such ones "
                "(trl.chat_template_utils.get_training_chat_template(tokenizer)); set it as "
                "tokenizer.chat_template"
            )
    _check_tags(tokenizer)
    once = _rendered(tokenizer, [*opening, from_agent(_WORDS)], ask=False)
    return once[once.rindex(_WORDS) + len(_WORDS) :]


def _check_tags(tokenizer: Tokenizer) -> None:
    """Check that the tags of a thought are still there in the text of its tokens.

    Raises:
        InvalidArgument: If not: the user would hear the thought.
    """
    ids = tokenizer.encode(_THOUGHT, add_special_tokens=False)
    back = tokenizer.decode(ids, skip_special_tokens=True)
    if "<think>" not in back or "</think>" not in back:
        raise InvalidArgument(
            f"the tokenizer turns {_THOUGHT!r} into {back!r}: the tags of a thought get lost, so "
            "the user would hear it. Give a tokenizer in which they are no special tokens: "
            "AddedToken('<think>', special=False)"
        )
