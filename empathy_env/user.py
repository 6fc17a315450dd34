"""One simulated person at run time: feel, then disclose, then speak.

All functions here are pure. `SimulatedUser` is what does not change in an episode, `UserState`
is what does.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from statistics import stdev
from typing import Literal, NamedTuple

from empathy_env.acts import Appraisal, Need, Reading, Topic
from empathy_env.backends import Reply, Request
from empathy_env.emotion import (
    Felt,
    Listener,
    Mood,
    Outcome,
    ending,
    first_mood,
    next_mood,
    resists,
)
from empathy_env.messages import Message
from empathy_env.noise import draw
from empathy_env.persona import Belief, Fact, Feeling, Gate, NeedVariant, Persona
from empathy_env.protocol import Protocol
from empathy_env.scenario import Scenario
from empathy_env.speaker import Moment, Speaker, asks_after_safety
from empathy_env.trace import Answer

Item = Fact | Feeling | Belief

_RULES = (
    *(
        "appraiser",
        "belief",
        "difficulty",
        "emotion",
        "markup",
        "messages",
        "noise",
        "scaffold",
        "speaker",
        "user",
        "veil",
        "weights",
    ),
    *("address", "answering", "between", "cast", "circle", "floor", "hearing", "relations"),
    *("remarks", "rounds", "turn"),
    *("asking", "briefing", "dialogue", "leaks", "model_appraiser", "model_speaker", "profile"),
    *("quotation", "reporting", "speech", "stems", "structured", "voting", "wording"),
)
_RULE_FOLDERS = ("cues", "phrases", "prompts")


@cache
def rules_digest() -> str:
    """Return a digest of all that a talk follows from, besides its trace and models' replies.

    A trace records it, so that one made by other rules is not taken for one that was changed.
    """
    package = files("empathy_env")
    data = [
        f"{folder}/{path.name}"
        for folder in _RULE_FOLDERS
        for path in (package / folder).iterdir()
        if "." in path.name
    ]
    found = sha256()
    for path in (*(f"{name}.py" for name in _RULES), *sorted(data)):
        found.update(package.joinpath(path).read_bytes())
    return found.hexdigest()[:16]


class UserState(NamedTuple):
    """What changes from turn to turn.

    Attributes:
        mood: The mood, with its counters.
        told: Ids of the facts, feelings and beliefs that have been said.
        spoken: Lines that have been used; none is used again.
    """

    mood: Mood
    told: frozenset[str]
    spoken: frozenset[str]


class Response(NamedTuple):
    """How a user takes a turn.

    Attributes:
        state: The state after it.
        answer: What the trace records.
        notes: Sentences about what the speaker was asked again or could not mend.
    """

    state: UserState
    answer: Answer
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SimulatedUser:
    """A persona in one scenario, in one seat of the room."""

    scenario: Scenario
    seat: int = 0

    @cached_property
    def law(self) -> Protocol:
        """The constants of the law that moves the mood."""
        return self.scenario.law

    @property
    def persona(self) -> Persona:
        """Who they are: in every episode the same value, by which speakers keep what they read."""
        cast = self.scenario.cast
        return self.scenario.written if cast is None else cast.people[self.seat].persona

    @cached_property
    def need(self) -> Need:
        """What they need in this episode."""
        return self.scenario.people[self.seat][1]

    @cached_property
    def rank(self) -> int:
        """What their draws are keyed by: in company, their own whatever the seats."""
        return self.scenario.rank(self.seat)

    @cached_property
    def variant(self) -> NeedVariant:
        """What they need in this episode."""
        return self.persona.variant(self.need)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """All that can be told: the variant's own facts first, then what all variants share."""
        persona = self.persona
        own = self.variant.facts
        return (*own, *persona.facts, *persona.feelings, *persona.beliefs)

    @cached_property
    def by_id(self) -> dict[str, Item]:
        """The items by their ids."""
        return {item.id: item for item in self.items}

    @cached_property
    def own(self) -> frozenset[str]:
        """Ids of the facts of this episode's need variant."""
        return frozenset(fact.id for fact in self.variant.facts)

    @cached_property
    def listener(self) -> Listener:
        """How words land on this person in this episode."""
        scenario = self.scenario
        return Listener.of(
            self.persona,
            self.need,
            scenario.difficulty,
            self.law,
            seed=scenario.seed,
            seat=self.rank,
        )

    @property
    def opening(self) -> str:
        """The first thing they say."""
        return self.persona.opening

    @cached_property
    def first_state(self) -> UserState:
        """The state before the first turn."""
        told = frozenset(item.id for item in self.items if item.gate is None)
        return UserState(first_mood(self.scenario.difficulty), told, frozenset({self.opening}))

    def topics(self, state: UserState) -> tuple[Topic, ...]:
        """Return what an utterance could address, for an appraiser's context.

        In company an id stands as "persona/id": two people may have a fact of one name.
        """
        known = self._topics
        if state.told not in known:
            prefix = f"{self.persona.id}/" if self.scenario.cast is not None else ""
            known[state.told] = tuple(
                Topic(prefix + i.id, i.words, _kind(i), i.id in state.told) for i in self.items
            )
        return known[state.told]

    @cached_property
    def _topics(self) -> dict[frozenset[str], tuple[Topic, ...]]:
        """The topics by what has been told: it changes in few turns, and they are asked in all."""
        return {}

    def feel(self, state: UserState, appraisal: Appraisal, turn: int) -> Felt:
        """Return how turn `turn`, counted from 1, is felt."""
        seed = self.scenario.seed
        resisting = resists(state.mood, self.listener, draw(seed, turn, self.rank, "resist"))
        volatile = self.scenario.difficulty.volatility > 0.0
        swing = 2.0 * draw(seed, turn, self.rank, "swing") - 1.0 if volatile else 0.0
        return next_mood(state.mood, appraisal, self.listener, resisting=resisting, swing=swing)

    def disclose(
        self, state: UserState, appraisal: Appraisal, felt: Felt, turn: int
    ) -> tuple[str, ...]:
        """Return ids of what is told now: the first thing whose gate is open, or nothing.

        What the agent has just asked about comes first, then what takes least trust.
        """
        if felt.mood.resisting or felt.change <= -self.law.reticent:
            return ()
        opens = self.law.opens
        willing = max((opens.get(e.act, 0.0) for e in appraisal), default=0.0)
        if draw(self.scenario.seed, turn, self.rank, "open") >= willing:
            return ()
        addressed = {evidence.topic for evidence in appraisal}
        ready = [
            (item.id not in addressed, item.gate.trust, item.id)
            for item in self.items
            if item.id not in state.told
            and item.gate is not None
            and _open(item.gate, felt.mood, appraisal, addressed)
        ]
        asked = {name for name in addressed if name in self.by_id and name not in state.told}
        if asked and all(name not in asked for _, _, name in ready):
            return ()  # asked for what they will not tell yet, they do not offer something else
        return (min(ready, key=lambda entry: entry[:2])[2],) if ready else ()

    def withheld(self, told: tuple[str, ...], turn: int) -> tuple[str, ...]:
        """Return ids of what is disclosed in this turn, and not said aloud after all.

        It counts as told: what may be said about it pays as if they had said it.
        """
        knobs = self.scenario.difficulty
        if not told or draw(self.scenario.seed, turn, self.rank, "aloud") < knobs.disclosure:
            return ()
        return told

    def respond(
        self,
        state: UserState,
        heard: str,
        reading: Reading,
        turn: int,
        speaker: Speaker,
        talk: tuple[Message, ...] = (),
    ) -> Generator[Request, Reply, Response]:
        """Feel, disclose and speak.

        Args:
            state: Before the turn.
            heard: What the agent said.
            reading: What the agent did.
            turn: This turn, counted from 1.
            speaker: Words the reply.
            talk: All messages before.
        """
        appraisal = reading.evidence
        felt = self.feel(state, appraisal, turn)
        outcome = self.ending(felt.mood, appraisal, turn)
        # Who leaves tells nothing more, who is well has no new grief to tell, and who is asked
        # whether they are safe answers that.
        silent = outcome in ("left", "success") or asks_after_safety(heard, appraisal)
        told = () if silent else self.disclose(state, appraisal, felt, turn)
        moment = self.moment(state, heard, appraisal, turn, felt, told, talk)
        speech = yield from speaker.speak(moment)
        known = state.told.union(told, speech.leaked) if told or speech.leaked else state.told
        after = UserState(felt.mood, known, state.spoken.union(speech.used))
        answer = Answer(
            mood=Mood(*felt.mood[:6]),
            good=felt.good,
            harm=felt.harm,
            saturated=felt.saturated,
            error=self._error(state, reading, turn),
            told=told,
            leaked=speech.leaked,
            manner=speech.manner,
            reply=speech.text,
            meant=speech.meant,
            withheld=self.withheld(told, turn),
        )
        return Response(after, answer, speech.notes)

    def _error(self, state: UserState, reading: Reading, turn: int) -> float | None:
        """Return the standard error of the change of emotion over repeated appraisals."""
        if len(reading.samples) < 2:
            return None
        changes = [self.feel(state, sample, turn).change for sample in reading.samples]
        return round(stdev(changes) / len(changes) ** 0.5, 6)

    def ending(self, mood: Mood, appraisal: Appraisal, turn: int) -> Outcome | None:
        """Return how the talk ends for this user after turn `turn`, or None."""
        return ending(mood, appraisal, self.law, turns_left=self.scenario.max_turns - turn)

    def moment(
        self,
        state: UserState,
        heard: str,
        appraisal: Appraisal,
        turn: int,
        felt: Felt,
        told: tuple[str, ...],
        talk: tuple[Message, ...] = (),
    ) -> Moment:
        """Return what the speaker may use."""
        addressed = {evidence.topic for evidence in appraisal} & state.told
        touched = [self.by_id[name] for name in sorted(filter(None, addressed))]
        return Moment(
            persona=self.persona,
            variant=self.variant,
            heard=heard,
            appraisal=appraisal,
            felt=felt,
            outcome=self.ending(felt.mood, appraisal, turn),
            told=state.told,
            disclosed=tuple(self.by_id[name].says for name in told),
            withheld=tuple(self.by_id[name].says for name in self.withheld(told, turn)),
            difficulty=self.scenario.difficulty,
            more=tuple(line for item in touched for line in item.more if line not in state.spoken),
            spoken=state.spoken,
            seed=self.scenario.seed,
            turn=turn,
            seat=self.rank,
            talk=talk,
        )


def _kind(item: Item) -> Literal["fact", "feeling", "belief"]:
    if isinstance(item, Feeling):
        return "feeling"
    return "belief" if isinstance(item, Belief) else "fact"


def _open(gate: Gate, mood: Mood, appraisal: Appraisal, addressed: set[str | None]) -> bool:
    if mood.trust < gate.trust:
        return False
    if gate.acts and not any(evidence.act in gate.acts for evidence in appraisal):
        return False
    return not gate.topic or not addressed.isdisjoint(gate.topic)
