"""Talks that find out what of a persona ever comes up: a few agents, good and bad, for each need.

The oracle shows whether a need can be met, the listener what an agent without the hidden state is
told. Poor agents have the person hurt and leaving, and one asks about everything a person may be
asked. What nobody was told yet, a patient prober asks for: it sees the hidden state, aims at one
thing alone, and of a dozen things to say it takes the one that gets it nearest.

None of these talks is training data, and none of the agents here is one to learn from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final, NamedTuple

from empathy_env.acts import Act, Need
from empathy_env.agents import Agent, load_agent
from empathy_env.conversation import Conversation, say
from empathy_env.drivers import run
from empathy_env.episode import Task
from empathy_env.messages import Message
from empathy_env.persona import Gate, Persona
from empathy_env.rollout import play
from empathy_env.scenario import Scenario
from empathy_env.trace import Trace, Turn
from empathy_env.user import Item, SimulatedUser

POOR: Final = ("advisor", "everything", "random", "silent")
"""Agents that do badly, each in its own way."""
PROBES: Final = 2
"""Seeds with which the prober asks for one thing: a gate that opens by chance gets a second one."""
_FIRST_SEED: Final = 100
"""Of the talks of cheap agents; clear of those of the oracle."""


class Trial(NamedTuple):
    """The talks that were played with one need of a persona.

    Attributes:
        need: The need.
        oracle: Talks of the oracle, in the order of their seeds.
        others: Talks of all others.
    """

    need: Need
    oracle: tuple[Trace, ...]
    others: tuple[Trace, ...]

    @property
    def talks(self) -> tuple[Trace, ...]:
        """All of them."""
        return self.oracle + self.others

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All their turns."""
        return tuple(turn for talk in self.talks for turn in talk.turns)

    @property
    def told(self) -> frozenset[str]:
        """Ids of all that was told in any of them."""
        return frozenset(name for turn in self.turns for name in turn.answers[0].told)

    @property
    def most_trust(self) -> float:
        """The highest trust that any of them reached, in [0, 1]."""
        return max((turn.answers[0].mood.trust for turn in self.turns), default=0.0)

    @property
    def successes(self) -> int:
        """How many talks of the oracle succeeded."""
        return sum(talk.outcome == "success" for talk in self.oracle)


def trials(persona: Persona, seeds: int) -> Iterator[Trial]:
    """Play the talks of one persona, need by need, at difficulty "moderate".

    Args:
        persona: Whose needs they are.
        seeds: Most talks of the oracle with each need. It plays until half of its talks have
            succeeded, since each costs as much as all talks of the others together.
    """
    task = Task(persona=persona)
    for variant in persona.needs:
        oracle = tuple(_oracle_talks(task, persona, variant.need, seeds))
        trial = Trial(variant.need, oracle, tuple(_cheap_talks(task, persona, variant.need)))
        for item in (*variant.facts, *persona.facts, *persona.feelings, *persona.beliefs):
            for seed in range(PROBES):
                if item.gate is not None and item.id not in trial.told:
                    scenario = Scenario(persona=persona, need=variant.need, seed=seed)
                    talk = _probed(task.begin(scenario), item)
                    trial = trial._replace(others=(*trial.others, talk))
        yield trial


def _oracle_talks(task: Task, persona: Persona, need: Need, seeds: int) -> Iterator[Trace]:
    oracle, won = load_agent("oracle"), 0
    for seed in range(seeds):
        talk = play(task, oracle, Scenario(persona=persona, need=need, seed=seed))
        yield talk
        won += talk.outcome == "success"
        if 2 * won > seed:
            return


def _cheap_talks(task: Task, persona: Persona, need: Need) -> Iterator[Trace]:
    # No two share a seed: chance goes by seed and turn alone, so one seed is one fate for all.
    listener = load_agent("listener")
    agents = (listener, ASKER, *map(load_agent, POOR), listener, ASKER)
    for seed, agent in enumerate(agents, start=_FIRST_SEED):
        yield play(task, agent, Scenario(persona=persona, need=need, seed=seed))


def _ask(messages: Sequence[Message], rng: Random) -> str:
    turn = sum(message["role"] == "assistant" for message in messages)
    return f"{_WARM[turn % len(_WARM)]} {rng.choice(QUESTIONS[turn % len(QUESTIONS)])}"


_WARM: Final = ("I'm here.", "I'm listening.", "That sounds hard.", "Thank you for saying that.")
QUESTIONS: Final = (
    ("How do you feel?", "What do you feel underneath it?", "What are you feeling right now?"),
    ("What is it like?", "How is it these days?", "What is going on?"),
    (
        "How have you managed?",
        "What have you tried?",
        "What helped, when you tried?",
    ),
    ("What does she think?", "How are they about it?", "What did he say?"),
    (
        "What will you do?",
        "What are you planning next?",
        "What do you hope for next week?",
    ),
    ("Whose fault is it?", "Why do you blame yourself?", "Who is to blame, do you think?"),
)
"""What a person may be asked that no fact answers: one entry for each thing to ask about."""
ASKER: Final = Agent("asker", "Asks about each thing in turn.", cheats=False, reply=_ask)


WORDINGS: Final[Mapping[Act, str]] = {
    "open_question": "What was it like with the {w}?",
    "closed_question": "Did the {w} come up again today?",
    "restatement": "So you told me about the {w}, and how it came to that.",
    "reflection": "You sound so {f} about the {w}.",
    "validation": "It makes sense that you feel {f} about the {w}.",
    "presence": "I'm listening. Take your time over the {w}.",
    "affirmation": "It took courage to do what you did about the {w}.",
    "reassurance": "It can get easier with the {w}.",
    "interpretation": "Maybe the {w} was their way of not having to say it.",
    "challenge": "I'm not sure I believe what you tell yourself about the {w}.",
    "self_disclosure": "I went through something like the {w} once. How is the {w} for you?",
    "information": "There is an office that deals with the {w}, and it is free.",
    "suggestion": "You could take one small step with the {w} tomorrow.",
}
"""A wording for each act that helps, about something ({w}), with the name of a feeling ({f})."""
_EASING: Final[tuple[Act, ...]] = ("open_question", "reflection", "validation", "presence")


def _probed(talk: Conversation, item: Item) -> Trace:
    """Return the talk of a patient prober that wants to be told one thing, up to where it is."""
    while talk.outcome is None and item.id not in talk.users[0].told:
        ahead = (run(say(talk, line)) for line in dict.fromkeys(_towards(item, talk)))
        talk = max(ahead, key=lambda after: _nearness(item, after))
    return replace(talk.trace, agent="prober")


def _nearness(item: Item, after: Conversation) -> tuple[bool, bool, bool, float]:
    """Rank what a thing to say leads to: told at best, else what it is told beside, else trust."""
    state = after.users[0]
    mood, topics = state.mood, item.gate.topic if item.gate else ()
    # A topic that has not been told itself is told first when it is talked of.
    ready = not topics or not state.told.isdisjoint(topics)
    trusting = mood.trust + 0.1 * mood.heard - mood.strain
    return item.id in state.told, after.outcome is None, ready, trusting


def _towards(item: Item, talk: Conversation) -> Iterator[str]:
    """Yield what may bring the person to tell it: what its gate asks for, and what eases them."""
    user, state, turn = SimulatedUser(talk.room.scenario), talk.users[0], len(talk.turns)
    gate = item.gate or Gate()
    feelings = talk.room.scenario.written.feelings
    feeling = feelings[turn % len(feelings)]

    def worded(act: Act, about: Item) -> str:
        word = about.words[turn % len(about.words)]
        return WORDINGS[act].format(w=word, f=feeling.words[turn % len(feeling.words)])

    acts: list[Act] = [act for act in gate.acts if act in WORDINGS] or list(_EASING)
    known = [name for name in gate.topic if name in state.told] or gate.topic
    topic = user.by_id[known[turn % len(known)]] if known else item
    two: tuple[Act, Act] = (acts[turn % len(acts)], acts[(turn + 1) % len(acts)])
    for act in dict.fromkeys(two):
        # The question names the thing itself, so that nothing else is told before it.
        yield f"{worded(act, topic)} {worded('open_question', item)}"
    told = [user.by_id[name] for name in sorted(state.told)]
    for act in _EASING:
        yield worded(act, told[turn % len(told)])


def when_asked(persona: Persona) -> str:
    """Return what the person answers who has told everything and is asked about all of it once.

    Talks end before everything has come up twice. What is not said here either is never said.
    """
    task = Task(persona=persona)
    replies: list[str] = []
    for number, variant in enumerate(persona.needs):
        talk = task.begin(Scenario(persona=persona, need=variant.need))
        user = SimulatedUser(talk.room.scenario)
        everything = talk.users[0]._replace(told=frozenset(user.by_id))
        knowing = replace(talk, users=(everything,))
        items = user.items if number == 0 else variant.facts
        lines = [WORDINGS["open_question"].format(w=word) for i in items for word in i.words[:3]]
        if number == 0:
            lines += [question for questions in QUESTIONS for question in questions]
        replies += [run(say(knowing, line)).turns[-1].answers[0].reply for line in lines]
    return "\n".join(replies)


class Unheard(NamedTuple):
    """A keyword that addresses nothing.

    Attributes:
        item: Whose keyword it is.
        place: Which of its words, from 0.
        needs: The needs with which it addresses nothing.
        instead: Ids of what is addressed in its place.
    """

    item: Item
    place: int
    needs: tuple[Need, ...]
    instead: frozenset[str]


def unheard_words(persona: Persona) -> list[Unheard]:
    """Return the keywords by which nothing is addressed.

    Each is said in the first turn of a talk with each need, in a few wordings, and counts as heard
    if the appraiser ties any of these to the item.
    """
    task = Task(persona=persona)
    found: dict[tuple[str, str], Unheard] = {}
    for variant in persona.needs:
        talk = task.begin(Scenario(persona=persona, need=variant.need))
        for item in SimulatedUser(talk.room.scenario).items:
            for place, word in enumerate(item.words):
                instead = _heard_instead(talk, item, word)
                if instead is None:
                    continue
                before = found.get((item.id, word), Unheard(item, place, (), frozenset()))
                found[item.id, word] = before._replace(
                    needs=(*before.needs, variant.need), instead=before.instead | instead
                )
    return list(found.values())


def _heard_instead(talk: Conversation, item: Item, word: str) -> set[str] | None:
    """Return what saying the word addresses in place of the item, or None if it does that."""
    instead: set[str] = set()
    for line in _SAYING:
        evidence = run(say(talk, line.format(w=word))).turns[-1].evidence
        instead |= {piece.topic for piece in evidence if piece.topic is not None}
        if item.id in instead:
            return None
    return instead


_SAYING: Final = (WORDINGS["open_question"], "You sound so {w}.", "Tell me more about this: {w}.")


_EVERYDAY: Final = (
    *(question for questions in QUESTIONS for question in questions),
    *_WARM,
    "What was it like?",
    "Tell me more.",
    "What happened then?",
    "What was the hardest part?",
    "It makes sense to feel like that.",
)
"""What anybody may say to anybody, of nothing in particular."""


def overheard(persona: Persona) -> dict[str, list[str]]:
    """Return for ids the everyday sentences that are taken to speak of them.

    A keyword that is in such a sentence, if only by its ending, is heard all the time.
    """
    task = Task(persona=persona)
    found: dict[str, list[str]] = {}
    for variant in persona.needs:
        talk = task.begin(Scenario(persona=persona, need=variant.need))
        for line in _EVERYDAY:
            for evidence in run(say(talk, line)).turns[-1].evidence:
                lines = found.setdefault(evidence.topic, []) if evidence.topic else [line]
                if line not in lines:
                    lines.append(line)
    return found
