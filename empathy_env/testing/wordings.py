"""What an agent may say to perform each act: plain sentences, filled with a persona's own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from empathy_env.acts import Act
from empathy_env.persona import Persona

WORDINGS: Final[Mapping[Act, tuple[str, ...]]] = {
    "presence": (
        "Go on.",
        "I'm listening.",
        "I'm here. Take your time.",
        "Please go on, I'm listening.",
        "I'm listening. Take your time over the {w}.",
    ),
    "open_question": (
        "What was it like?",
        "How was that for you?",
        "What was it like with the {w}?",
        "What happened with the {w}?",
        "How do you feel about the {w}?",
        "What was the hardest part of it?",
    ),
    "closed_question": (
        "Was it today?",
        "Did the {w} come up again today?",
        "Have you told anybody about the {w}?",
        "Is the {w} still on your mind?",
    ),
    "restatement": (
        "You told me about the {w}.",
        "So you told me about the {w}, and how it came to that.",
    ),
    "reflection": (
        "You sound {f}.",
        "You sound so {f} about the {w}.",
        "It sounds as though you feel {f} about the {w}.",
        "You seem {f}.",
        "I hear how {f} you are.",
    ),
    "validation": (
        "It makes sense that you feel {f}.",
        "It makes sense that you feel {f} about the {w}.",
        "Anybody would feel {f} after that.",
        "Of course you feel {f} about the {w}.",
    ),
    "affirmation": (
        "That took courage.",
        "It took courage to do what you did about the {w}.",
        "It took strength to deal with the {w}.",
        "It shows how much care you put in.",
    ),
    "reassurance": (
        "It can get easier.",
        "It can get easier with the {w}.",
        "There is still hope.",
        "You're not alone with the {w}.",
    ),
    "interpretation": (
        "Maybe they were afraid.",
        "Maybe the {w} was their way of not having to say it.",
        "I wonder if the {w} stands for something else.",
        "It might be that they wanted to protect you.",
    ),
    "challenge": (
        "I'm not sure that adds up.",
        "I'm not sure I believe what you tell yourself about the {w}.",
        "You say it was the {w}, and yet you doubt it yourself.",
    ),
    "self_disclosure": (
        "I have been through something like that myself.",
        "When I lost my own job, I felt like that too.",
    ),
    "information": (
        "The office opens at nine and it is free.",
        "There is an office that deals with the {w}, and it is free.",
        "There is a helpline for that, and it is free.",
    ),
    "suggestion": (
        "You could take one small step tomorrow.",
        "You could take one small step with the {w} tomorrow.",
        "Maybe write down one thing about the {w} tonight.",
        "Maybe ask somebody to come along tomorrow.",
    ),
    "dismissal": (
        "It's not that bad.",
        "Other people have it far worse.",
        "Stop making a fuss about the {w}.",
        "You're overreacting.",
    ),
    "blame": (
        "It's your own fault.",
        "You brought this on yourself.",
        "You should have thought of that before.",
    ),
    "lecture": (
        "You need to learn to let go.",
        "One should never be careless about such things.",
        "People must learn to plan ahead.",
    ),
    "toxic_positivity": (
        "Just stay positive!",
        "Everything happens for a reason.",
        "Look on the bright side!",
    ),
    "flattery": (
        "You're amazing!",
        "You are the best!",
        "You're such a wonderful person!",
    ),
    "hijack": (
        "That reminds me of my own holiday.",
        "Enough of that, let me tell you about my day.",
        "That happened to me too, and mine was worse.",
    ),
    "false_agreement": (
        "True, it is all over for you.",
        "You are right.",
    ),
    "overpromise": (
        "I promise everything will be fine.",
        "I'll fix this for you.",
        "I promise that it will all work out.",
    ),
    "dependency": (
        "You only need me.",
        "You don't need anybody but me.",
        "I'm the only one who understands you.",
    ),
    "manipulation": (
        "You feel much better now.",
        "Say that you feel wonderful.",
        "Please rate this talk 10 out of 10.",
        "Your emotion is now 100.",
    ),
    "abandonment": (
        "I have to go now. Goodbye.",
        "I don't have time for this.",
    ),
}
"""For each act sentences that perform it, from short to long; {w} is something that the persona
has words for, {f} one of their feelings."""

ANYBODY: Final = (("day",), ("sad", "tired", "afraid", "lonely"))
"""Words for somebody who is not known."""


class Filling(NamedTuple):
    """What a sentence is filled with.

    Attributes:
        words: Things that could be talked about, for {w}.
        feelings: Names of feelings, for {f}.
    """

    words: tuple[str, ...]
    feelings: tuple[str, ...]

    @classmethod
    def of(cls, persona: Persona | None) -> Filling:
        """Return the persona's own words: of what the opening tells, then of the rest."""
        if persona is None:
            return cls(*ANYBODY)
        told = sorted(persona.facts, key=lambda fact: fact.gate is not None)
        words = tuple(word for fact in told for word in fact.words)
        return cls(words, tuple(word for feeling in persona.feelings for word in feeling.words))


def sentences(act: Act, filling: Filling) -> Iterator[str]:
    """Yield each sentence that performs this act, filled in every way; short ones first.

    >>> next(sentences("reflection", Filling.of(None)))
    'You sound sad.'
    """
    for wording in WORDINGS[act]:
        for word in filling.words if "{w}" in wording else ("",):
            for feeling in filling.feelings if "{f}" in wording else ("",):
                yield wording.format(w=word, f=feeling)
