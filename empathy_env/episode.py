"""Episodes without a framework: the small object that adapters and trainers drive.

A `Task` says what episodes are made of and checks it once; it opens `Episode`s. The Gymnasium
environments are thin views on these two.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Final

from empathy_env.appraiser import Appraiser
from empathy_env.backends import Backend
from empathy_env.cast import Cast, CastSpec, cast_names, load_cast
from empathy_env.circle import play, say
from empathy_env.conversation import Conversation, Room, begin, summed
from empathy_env.difficulty import Difficulty, load_difficulty
from empathy_env.drivers import run, run_async
from empathy_env.emotion import Outcome
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument, UnknownName
from empathy_env.messages import Message
from empathy_env.parts import Parts, load_parts
from empathy_env.people import PersonCell, PersonSpec, load_people, load_person
from empathy_env.prompts import load_prompt
from empathy_env.protocol import AnyProtocol, ReportedProtocol, load_protocol
from empathy_env.reporting import appraiser_of, seated, speaker_of
from empathy_env.reward import OF_BELIEFS, Reward, RewardSpec, check_people, load_reward
from empathy_env.rounds import Together
from empathy_env.scaffold import SCAFFOLDS, Scaffold, load_scaffold
from empathy_env.scenario import Scenario, draw_cast, draw_scenario
from empathy_env.speaker import Speaker
from empathy_env.trace import FIRST, Trace

Sampler = Callable[[int], Scenario]
"""Draws a scenario from a seed; for curricula of your own."""

DEFAULT_PERSONAS: Final = "split:train"


class Task:
    """What episodes are made of. Every argument is checked here, once.

    Args:
        persona: One persona, with all its needs: a bundled name, a path to YAML, or the value.
        personas: Or several: a selection ("split:train need:deep_empathy"), an iterable, or a
            `Sampler`. Give one of the two; by default the training split, without the needs
            that are held out from it.
        cast: Or several people at once: a bundled cast, a path, the value, or several of these, of
            which the seed draws one; "all" for all bundled ones, "split:train" for those of a
            split.
        difficulty: A preset, a mapping of knobs, or a `Difficulty`.
        user: "code" (rules and templates, no model), or a `Backend` or its spec, such as
            "openai:MODEL@http://localhost:8000/v1": a model then appraises and speaks, unless one
            of the next two says otherwise.
        appraiser: Finds evidence: "rules", "model" (which asks the backend of `user`), a backend
            or its spec (a model of its own), or an `Appraiser`; see `empathy_env.parts`.
        speaker: Words the replies: "templates", "model", a backend or its spec, or a `Speaker`.
        appraiser_samples: How many times each utterance is appraised; above 1 the evidence is
            their vote, and the trace holds an error bar.
        protocol: The constants of the mood's law.
        scaffold: What the agent writes before it speaks.
        reward: A name, "module:function", a callable, or {name: weight}.
        system_prompt: "default", a text of your own, or None to leave it out; the scaffold's part
            is added to a text.
        max_turns: Turns of the agent, at least 1; by default the protocol's: 10, and 8 for
            `rlver-2025`; with a cast, rounds, and `ROUNDS_EACH` for each of its people.
        max_chars: Longest agent text in characters; what is beyond is cut.
        supporters: How many supporters there are; more than one with a cast only.
        played: Seats whose words come from outside, beside the supporters': "user_0", ...

    Raises:
        InvalidArgument: If a value breaks a rule (`UnknownName`, `InvalidPersona` among them).
    """

    def __init__(
        self,
        *,
        persona: PersonSpec | None = None,
        personas: str | Iterable[PersonSpec] | Sampler | None = None,
        cast: CastSpec | Iterable[CastSpec] | None = None,
        difficulty: str | Mapping[str, float] | Difficulty = "moderate",
        user: str | Backend = "code",
        appraiser: str | Backend | Appraiser | None = None,
        speaker: str | Backend | Speaker | None = None,
        appraiser_samples: int = 1,
        protocol: str | AnyProtocol = "appraisal-v1",
        scaffold: str | Scaffold = "plain",
        reward: RewardSpec = "terminal",
        system_prompt: str | None = "default",
        max_turns: int | None = None,
        max_chars: int = 4000,
        supporters: int = 1,
        played: Iterable[str] = (),
    ):
        self._sampler = personas if callable(personas) else None
        self.casts = _casts(cast, persona, personas)
        self.supporters = supporters
        self.played = _seats(self.casts, supporters, played)
        self.cells = () if callable(personas) or self.casts else _cells(persona, personas)
        if callable(personas):
            _only_sampler(
                persona is None,
                difficulty == "moderate",
                protocol == "appraisal-v1",
                max_turns is None,
                max_chars == 4000,
            )
        self.difficulty = load_difficulty(difficulty)
        self.protocol = load_protocol(protocol)
        self.scaffold = load_scaffold(scaffold)
        self.reward = load_reward(reward)
        if not callable(personas):
            check_people(self.reward, self.casts)
        _only_believing(self.reward, self.scaffold)
        parts = load_parts(user, appraiser, speaker, appraiser_samples)
        self.appraiser, self.speaker, self.backend = parts
        if isinstance(self.protocol, ReportedProtocol):
            own = appraiser is not None or speaker is not None or appraiser_samples != 1
            _only_model(self.protocol, parts, own=own)
        self._instructions = system_prompt
        self._rounds = bool(self.casts) and max_turns is None
        self.max_turns = self.protocol.max_turns if max_turns is None else max_turns
        self.max_chars = max_chars
        if not callable(personas):
            self.begin(self.scenario(0))  # checks the limits, and that the code user can be made

    @property
    def system_prompt(self) -> str | None:
        """The instructions to the agent, with the scaffold's part; None if they are left out."""
        return _system_prompt(self._instructions, self.scaffold, several=bool(self.casts))

    def with_scaffold(self, scaffold: str | Scaffold) -> Task:
        """Return the same task with another scaffold, its part of the system prompt included.

        >>> Task(persona="laid-off-engineer").with_scaffold("think-then-say").scaffold.name
        'think-then-say'
        """
        other = copy(self)
        other.scaffold = load_scaffold(scaffold)
        _only_believing(other.reward, other.scaffold)
        return other

    def scenario(self, seed: int, *, member: int = 0) -> Scenario:
        """Return the scenario that this seed draws."""
        if self._sampler is not None:
            return replace(self._sampler(seed), member=member)
        if self.casts:
            return self._drawn_cast(seed, member)
        return draw_scenario(
            self.cells,
            seed=seed,
            member=member,
            difficulty=self.difficulty,
            protocol=self.protocol,
            max_turns=self.max_turns,
            max_chars=self.max_chars,
        )

    def _drawn_cast(self, seed: int, member: int) -> Scenario:
        drawn = draw_cast(
            self.casts,
            seed=seed,
            member=member,
            difficulty=self.difficulty,
            protocol=self.protocol,
            max_turns=self.max_turns,
            max_chars=self.max_chars,
        )
        return replace(drawn, max_turns=rounds_of(drawn)) if self._rounds else drawn

    def begin(self, scenario: Scenario) -> Conversation:
        """Return the talk in which the users of this scenario have just opened."""
        room = Room(
            scenario=scenario,
            users=tuple(seated(scenario, seat) for seat in range(len(scenario.people))),
            appraiser=appraiser_of(scenario.protocol, self.appraiser),
            speaker=speaker_of(scenario.protocol, self.speaker),
            scaffold=self.scaffold,
            backend=self.backend.name if self.backend is not None else "code",
            system_prompt=self.system_prompt,
            supporters=self.supporters,
            played=self.played,
        )
        return begin(room)

    def open(
        self,
        *,
        seed: int = 0,
        scenario: Scenario | Mapping[str, Any] | None = None,
        state: Conversation | None = None,
        member: int | None = None,
    ) -> Episode:
        """Open an episode: of a seed, of a given scenario or its JSON row, or from a snapshot.

        What a row leaves out is taken from the seed and from this task. `member`, if given,
        numbers the episode within a group that shares its start.

        >>> episode = Task(persona="laid-off-engineer").open(seed=3)
        >>> reward = episode.say("Twenty-six years into one box. What was that walk like?")
        >>> episode.outcome is None and reward == 0.0
        True
        """
        if state is not None and scenario is not None:
            raise InvalidArgument("Cannot have both a state and a scenario: give one of them")
        if state is not None:
            return Episode(self, state if member is None else state.as_member(member))
        if isinstance(scenario, Mapping):
            scenario = Scenario.from_row({**self._defaults(seed), **scenario})
        if scenario is None:
            scenario = self.scenario(seed)
        if not isinstance(scenario, Scenario):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(f"scenario={scenario!r}: expected a Scenario or its JSON row")
        if member is not None:
            scenario = replace(scenario, member=member)
        return Episode(self, self.begin(scenario))

    def _defaults(self, seed: int) -> dict[str, Any]:
        """Return what a row leaves open: this task's own settings."""
        if self._sampler is not None:
            return {"seed": seed}
        return {
            "seed": seed,
            "difficulty": self.difficulty,
            "protocol": self.protocol,
            "max_turns": self.max_turns,
            "max_chars": self.max_chars,
        }


ROUNDS_EACH: Final = 8
"""Rounds of a talk in company for each of its people, where nothing else is asked for."""


def rounds_of(scenario: Scenario) -> int:
    """Return how many rounds a talk of this cast has by default."""
    return ROUNDS_EACH * len(scenario.people)


def _casts(
    cast: CastSpec | Iterable[CastSpec] | None,
    persona: PersonSpec | None,
    personas: str | Iterable[PersonSpec] | Sampler | None,
) -> tuple[Cast, ...]:
    if cast is None:
        return ()
    if persona is not None or personas is not None:
        own = "persona=" if persona is not None else "personas="
        raise InvalidArgument(
            f"Cannot have both cast= and {own}: give one of them. EmpathyEnv/Circle-v0 has all "
            "bundled casts if cast= is left out; one person is for EmpathyEnv/Support-v0"
        )
    if isinstance(cast, str) and (cast == "all" or cast.startswith("split:")):
        return _of_split(cast)
    one = isinstance(cast, (str, os.PathLike, Cast))
    if one or not isinstance(cast, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        return (load_cast(cast),)  # which refuses what is no cast
    casts = tuple(map(load_cast, cast))
    if not casts:
        raise InvalidArgument("cast= holds no cast: give at least one")
    return casts


def _of_split(selection: str) -> tuple[Cast, ...]:
    bundled = tuple(map(load_cast, cast_names()))
    if selection == "all":
        return bundled
    splits = {cast.split for cast in bundled}
    chosen = selection.removeprefix("split:")
    if chosen not in splits:
        raise UnknownName.among("split", chosen, sorted(splits))
    return tuple(cast for cast in bundled if cast.split == chosen)


def _seats(casts: Sequence[Cast], supporters: int, played: Iterable[str]) -> tuple[str, ...]:
    """Return the seats that are played from outside, the supporters first."""
    if isinstance(supporters, bool) or not 1 <= supporters <= MOST_SUPPORTERS:
        raise InvalidArgument(
            f"Cannot have supporters={supporters!r}: an integer from 1 to {MOST_SUPPORTERS}"
        )
    if supporters > 1 and not casts:
        raise InvalidArgument(f"supporters={supporters} without a cast=: a talk of two has one")
    first = [FIRST, *(f"supporter_{number}" for number in range(1, supporters))]
    most = min((len(cast.people) for cast in casts), default=0)
    users = [f"user_{number}" for number in range(most)]
    chosen = set(played)
    for seat in sorted(chosen - set(first)):
        if seat not in users:
            raise UnknownName.among("seat", seat, users, "Each cast must have it.")
    return (*first, *(seat for seat in users if seat in chosen))


MOST_SUPPORTERS: Final = 8


def _only_sampler(*defaults: bool) -> None:
    if not all(defaults):
        raise InvalidArgument(
            "personas= is a sampler, which draws whole scenarios: leave persona, difficulty, "
            "protocol, max_turns and max_chars to it"
        )


def _only_believing(reward: Reward, scaffold: Scaffold) -> None:
    names = [term.name for term in reward.terms if term.name in OF_BELIEFS]
    if names and not scaffold.states_belief:
        asking = [name for name in SCAFFOLDS if SCAFFOLDS[name].states_belief]
        raise InvalidArgument(
            f"reward {names[0]!r} with scaffold={scaffold.name!r}: it pays for stated beliefs, and "
            f"this scaffold asks for none. Give scaffold={asking[0]!r}, or one of your own with "
            "states_belief=True"
        )


def _only_model(protocol: ReportedProtocol, parts: Parts, *, own: bool) -> None:
    if parts.backend is None or own:
        raise InvalidArgument(
            f"protocol={protocol.name!r}: one model reports the emotion and speaks there. Give "
            "user= a backend, or its spec, and leave appraiser, speaker and samples out"
        )


def _cells(
    persona: PersonSpec | None, personas: str | Iterable[PersonSpec] | None
) -> tuple[PersonCell, ...]:
    if persona is not None and personas is not None:
        raise InvalidArgument("Cannot have both persona= and personas=: give one of them")
    if persona is not None:
        personas = [load_person(persona)]
    return tuple(load_people(DEFAULT_PERSONAS if personas is None else personas))


def _system_prompt(given: str | None, scaffold: Scaffold, *, several: bool) -> str | None:
    if given is None:
        return None
    text = load_prompt("circle" if several else "agent").text if given == "default" else given
    return f"{text}\n\n{scaffold.prompt}" if scaffold.prompt else text


class Episode:
    """One talk, played turn by turn, and paid.

    Attributes:
        task: What it is made of.
        talk: The talk so far, a value: keep it to come back to it.
        fault: What failed, if the episode was cut off by a fault.
    """

    def __init__(self, task: Task, talk: Conversation):
        self.task = task
        self.talk = talk
        self.fault: Fault | None = None
        scored = task.reward.score(talk.trace)
        self._values: dict[str, list[float]] = {
            name: [value for value in values if value is not None]
            for name, values in scored.rewards.items()
        }

    @property
    def utterance(self) -> str:
        """What the user said last."""
        return self.talk.utterance

    @property
    def messages(self) -> list[Message]:
        """The chat so far, in OpenAI's format; a new list each time."""
        return self.talk.chat()

    @property
    def turn(self) -> int:
        """How many turns have been played."""
        return len(self.talk.turns)

    @property
    def outcome(self) -> Outcome | None:
        """How the talk ended, or None."""
        return self.talk.outcome

    @property
    def done(self) -> bool:
        """Whether no turn can be played any more."""
        return self.outcome is not None or self.fault is not None

    @property
    def rewards(self) -> list[float]:
        """What each turn was paid."""
        terms = self.task.reward.terms
        return [
            sum(term.weight * self._values[term.name][turn] for term in terms)
            for turn in range(self.turn)
        ]

    @property
    def trace(self) -> Trace:
        """The full record so far, scored. It holds what the agent must not see."""
        fault, played = self.fault, self.talk.trace
        return replace(
            played,
            meter=summed(played.meter, fault.meter) if fault else played.meter,
            rewards={name: tuple(values) for name, values in self._values.items()},
            weights={term.name: term.weight for term in self.task.reward.terms},
            fault={"type": type(fault).__name__, "message": str(fault)} if fault else None,
        )

    def steps(self, text: str | Mapping[str, str]) -> Together[Conversation]:
        """Return the next turn as a generator of model requests, for drivers; then `accept`.

        In company `text` may be what each played seat says, by the name of the seat.
        """
        if self.fault is not None:
            raise EpisodeOver("the episode was cut off by a fault; open a new one")
        return play(self.talk, text) if isinstance(text, Mapping) else say(self.talk, text)

    def accept(self, result: Conversation | Fault, values: Sequence[float] | None = None) -> float:
        """Take over the result of `steps`; return what the turn is paid (NaN after a fault).

        `values` are those that `score` gave for it, if it has been asked already.
        """
        values = self.score(result) if values is None else values
        if isinstance(result, Fault):
            self.fault = result
            return float("nan")
        self.talk = result
        for term, value in zip(self.task.reward.terms, values, strict=True):
            self._values[term.name].append(value)
        return sum(
            term.weight * value for term, value in zip(self.task.reward.terms, values, strict=True)
        )

    def score(self, result: Conversation | Fault) -> list[float]:
        """Return each reward term's value of a turn that has not been accepted yet.

        Raises:
            RewardError: If a reward function fails; nothing has changed.
            InvalidArgument: If the turn does not go on from where the episode is.
        """
        if isinstance(result, Fault):
            return []
        if len(result.turns) != self.turn + 1:
            raise InvalidArgument(
                "this turn was begun before another one was accepted: play one turn at a time"
            )
        trace, turn = result.trace, len(result.turns)
        return [term.at(trace, turn) for term in self.task.reward.terms]

    def say(self, text: str) -> float:
        """Play one turn and return what it is paid.

        Raises:
            Fault: If machinery failed; nothing has changed, and the turn may be tried again.
            EpisodeOver: If the episode has ended.
        """
        return self.accept(run(self.steps(text), self.task.backend))

    async def say_async(self, text: str) -> float:
        """Play one turn with asyncio; see `say`."""
        return self.accept(await run_async(self.steps(text), self.task.backend))
