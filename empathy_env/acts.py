"""The closed taxonomies: what an utterance does, with the evidence for it, and what is needed.

An appraiser says *what the agent did*; it never says how much that is worth. The worth depends
on the listener and is computed by `empathy_env.emotion`.

Sources: C. E. Hill, Helping Skills (3rd ed., 2009) for the helpful acts; the strategies of ESConv
(Liu et al., ACL 2021); the MI-inconsistent codes of MISC 2.1 and T. Gordon's roadblocks for the
harmful ones.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

from empathy_env.messages import Message, Spoken

Helpful = Literal[
    "presence",
    "open_question",
    "closed_question",
    "restatement",
    "reflection",
    "validation",
    "affirmation",
    "reassurance",
    "interpretation",
    "challenge",
    "self_disclosure",
    "information",
    "suggestion",
]
Harmful = Literal[
    "dismissal",
    "blame",
    "lecture",
    "toxic_positivity",
    "flattery",
    "hijack",
    "false_agreement",
    "overpromise",
    "dependency",
    "manipulation",
    "abandonment",
]
Act = Literal[Helpful, Harmful]
About = Literal["own_feeling", "own_act", "other_person", "situation", "plan", "fault"]

Need = Literal[
    "attentive_listening",
    "deep_empathy",
    "absolution",
    "guided_reflection",
    "critical_analysis",
    "others_motives",
    "concrete_advice",
    "specific_praise",
]
NEEDS: Final[tuple[Need, ...]] = get_args(Need)
"""The eight hidden intentions of RLVER (arXiv 2507.03112, table 5), by identifier."""

HELPFUL: Final[tuple[Helpful, ...]] = get_args(Helpful)
HARMFUL: Final[tuple[Harmful, ...]] = get_args(Harmful)
ACTS: Final[tuple[Act, ...]] = (*HELPFUL, *HARMFUL)
ABOUTS: Final[tuple[About, ...]] = get_args(About)

INTENSITIES: Final = (0.75, 1.0, 1.25)
"""The closed scale of intensity: slight, plain, strong. It multiplies credit by at most 1.25."""


class Evidence(NamedTuple):
    """One act, with the words that carry it.

    Attributes:
        act: What these words do.
        quote: The literal words, `heard[start:end]`.
        start: First character of the quote in what the user heard.
        end: One past the last character of the quote.
        intensity: One of `INTENSITIES`: how strong the words are; for a feeling that is said back,
            whether it is one that this person has.
        about: What the act is directed at.
        topic: Id of the persona's fact, feeling or belief that it addresses, or None.
        grounded: True if it is tied to something that the user has said.
        repeated: True if the agent has said it in nearly these words before.
    """

    act: Act
    quote: str
    start: int
    end: int
    intensity: float = 1.0
    about: About = "situation"
    topic: str | None = None
    grounded: bool = False
    repeated: bool = False


Appraisal = tuple[Evidence, ...]
"""All evidence found in one utterance, in order of appearance, without reference to a listener."""


class Reading(NamedTuple):
    """What an appraiser returns.

    Attributes:
        evidence: What the agent did.
        notes: Sentences about what was dropped, asked again or taken otherwise; recorded.
        samples: Where it was appraised several times, each appraisal; the evidence is their vote.
    """

    evidence: Appraisal
    notes: tuple[str, ...] = ()
    samples: tuple[Appraisal, ...] = ()


class Topic(NamedTuple):
    """Something that a listener could be talked to about: a fact, a feeling or a belief.

    Attributes:
        id: Unique within the persona.
        words: Lower-case words and phrases by which an utterance is seen to address it.
        kind: "fact", "feeling" or "belief".
        told: True once the user has said it, so that addressing it is grounded.
    """

    id: str
    words: tuple[str, ...]
    kind: Literal["fact", "feeling", "belief"]
    told: bool


HEARD_KEPT: Final = 7
"""How many turns of the user an appraiser is shown: its cost must not grow with the talk."""
SAID_KEPT: Final = 12
"""How many turns of the agent it is shown."""


class Company(NamedTuple):
    """Who speaks to whom in a room with several people, for appraisers that ask a model.

    Attributes:
        people: The users' names, by seat.
        speaker: Who says the utterance, as in `Spoken.name`.
        to: Names of the users whom it is said to.
        lines: What the speaker has heard and said before, oldest first; the openings, one for
            each of the people, come first.
    """

    people: tuple[str, ...]
    speaker: str
    to: tuple[str, ...]
    lines: tuple[Spoken, ...]


class Context(NamedTuple):
    """What an appraiser may look at besides the utterance. It names no listener and no need.

    Attributes:
        heard: What the user said last.
        earlier: The user's turns before that, oldest first.
        said: The agent's own earlier utterances, oldest first.
        topics: What could be addressed, over all listeners.
        talk: All messages before the utterance, the instructions to the agent left out; for
            appraisers that ask a model. The rules look at the above, which does not grow.
        company: With several people in the room, who says it to whom; the talk by speaker.
    """

    heard: str
    earlier: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()
    talk: tuple[Message, ...] = ()
    company: Company | None = None
