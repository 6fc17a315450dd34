"""What the two PettingZoo views of a circle share: arguments, spaces, and what a seat may know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np
from gymnasium.spaces import Box, Dict, Space
from gymnasium.utils import seeding
from numpy.typing import NDArray

from empathy_env.appraiser import Appraiser
from empathy_env.backends import Backend
from empathy_env.cast import CastSpec
from empathy_env.conversation import LONGEST_REPLY, Conversation
from empathy_env.difficulty import Difficulty
from empathy_env.env import OnFault, latent, open_episode
from empathy_env.episode import Episode, Task
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument, UnknownName
from empathy_env.hearing import as_line, rounds
from empathy_env.hearing import user as user_seat
from empathy_env.protocol import AnyProtocol
from empathy_env.reward import RewardSpec
from empathy_env.scaffold import Scaffold
from empathy_env.seat import SUPPORTER, USER, chat, kind, news, number, was_heard
from empathy_env.spaces import Utterance
from empathy_env.speaker import Speaker
from empathy_env.trace import Said, Trace
from empathy_env.user import UserState
from empathy_env.zoo.seats import Seats, SeatSpec, Table, load_rewards, load_seats

Observation = dict[str, str]
"""What a seat has heard since it last acted: "text", and "speaker", the seat that spoke last."""

_NAME_CHARS: Final = 200
"""Room for a name and what else stands before somebody's words."""
_FELT: Final = ("trust", "heard", "met", "strain")
_IGNORED: Final = "options"
"""An option that PettingZoo's own tests pass, to see whether options are taken."""


class CircleView:
    """Arguments are those of `empathy_env.episode.Task`, and those below.

    Args:
        cast: A bundled cast, a path, the value, or several of these, of which the seed draws one;
            all must have the same number of people.
        seats: For names of seats who plays them: "policy" (an agent of this environment),
            "built-in" (the simulated user; users only), or what `load_agent` takes. By default
            "supporter_0" is a policy and the users are built in. There are as many supporters as
            are named.
        rewards: For "supporter" and "user" what a policy in such a seat is paid; by default
            "terminal", the mean over the people, and "own", what the talk is worth to that user.
        difficulty: See `Task`, as for all up to `max_turns`.
        user: Plays the built-in users.
        appraiser: Finds evidence in what is said, whoever says it.
        speaker: Words what the built-in users say.
        appraiser_samples: How many times each utterance is appraised.
        protocol: The constants of the mood's law.
        scaffold: What a policy writes before it speaks; a user's as well as a supporter's.
        system_prompt: What supporters are told; users are always told who they are.
        max_turns: Rounds, at least 1; by default 8 for each of the people.
        max_cycles: The same, by PettingZoo's name.
        max_chars: Longest text of a policy; what is beyond is cut.
        on_fault: "raise", or "truncate" for a NaN reward and `infos[agent]["fault"]`.
        on_trace: Called with each trace, when its episode has ended or no policy is left in it.
        expose_latent: Adds `infos[agent]["latent"]`; for debugging, not for training.
        central_state: Whether `state()` gives the moods, for a centralised critic.
        render_mode: "ansi", "human" (which also returns the text: nothing is printed), or None.

    Raises:
        InvalidArgument: If a value breaks a rule.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "empathy_circle_v0",
        "render_modes": ["ansi"],
        "render_fps": 1,
        # Taken for parallel, an agent would not hear who has spoken before it in a round.
        "is_parallelizable": False,
    }
    _at_once: ClassVar[bool]

    def __init__(
        self,
        *,
        cast: CastSpec | Iterable[CastSpec] = "couple-after-quarrel",
        seats: Mapping[str, SeatSpec] | None = None,
        rewards: Mapping[str, RewardSpec] | None = None,
        difficulty: str | Mapping[str, float] | Difficulty = "moderate",
        user: str | Backend = "code",
        appraiser: str | Backend | Appraiser | None = None,
        speaker: str | Backend | Speaker | None = None,
        appraiser_samples: int = 1,
        protocol: str | AnyProtocol = "appraisal-v1",
        scaffold: str | Scaffold = "plain",
        system_prompt: str | None = "default",
        max_turns: int | None = None,
        max_cycles: int | None = None,
        max_chars: int = 4000,
        on_fault: OnFault = "raise",
        on_trace: Callable[[Trace], None] | None = None,
        expose_latent: bool = False,
        central_state: bool = False,
        render_mode: str | None = None,
    ):
        if render_mode not in (None, "ansi", "human"):
            raise UnknownName.among("render_mode", str(render_mode), ["ansi", "human"])
        if on_fault not in ("raise", "truncate"):
            raise UnknownName.among("on_fault", str(on_fault), ["raise", "truncate"])
        playing = load_seats(seats)
        task = Task(
            cast=cast,
            difficulty=difficulty,
            user=user,
            appraiser=appraiser,
            speaker=speaker,
            appraiser_samples=appraiser_samples,
            protocol=protocol,
            scaffold=scaffold,
            system_prompt=system_prompt,
            max_turns=_rounds(max_turns, max_cycles),
            max_chars=max_chars,
            supporters=playing.supporters,
            played=playing.played,
        )
        self.people = _people(task, playing)
        task.reward, self._rewards = load_rewards(rewards, playing, task.casts)
        self.task = task
        self.seats = playing
        self.table = Table(playing, task.backend)
        self.on_fault: OnFault = on_fault
        self.on_trace = on_trace
        self.expose_latent = expose_latent
        self.central_state = central_state
        self.render_mode = render_mode
        self.possible_agents: list[str] = [*playing.policies]
        self.agents: list[str] = []
        longest = max(max_chars, LONGEST_REPLY) + _NAME_CHARS
        heard = Utterance(max_chars=(playing.supporters + self.people) * longest)
        who = Utterance(max_chars=_NAME_CHARS)
        self._observation_spaces = {
            seat: Dict({"text": heard, "speaker": who}) for seat in playing.policies
        }
        self._action_spaces = {seat: Utterance(max_chars=max_chars) for seat in playing.policies}
        if central_state:
            self.state_space: Space[Any] = Box(0.0, 1.0, (6 * self.people + 1,), np.float32)
        self._episode: Episode | None = None
        self._random: np.random.Generator | None = None

    def observation_space(self, agent: str) -> Space[Any]:
        """Return the space of what an agent observes; always the same object."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> Utterance:
        """Return the space of what an agent says; always the same object."""
        return self._action_spaces[agent]

    @property
    def episode(self) -> Episode:
        """The running episode.

        Raises:
            EpisodeOver: Before the first reset.
        """
        if self._episode is None:
            raise EpisodeOver("no episode is open: call reset() first")
        return self._episode

    @property
    def trace(self) -> Trace:
        """The full record so far, with everything that the agents must not see."""
        names = (f"{seat}={agent.name}" for seat, agent in self.seats.agents.items())
        return replace(self.episode.trace, agent=", ".join(names))

    def snapshot(self) -> Conversation:
        """Return the talk as it stood when the round began, a value.

        `reset(options={"state": value})` goes on from it, in either view.
        """
        return self.episode.talk

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _open(self, seed: int | None, options: Mapping[str, Any] | None) -> None:
        if seed is not None or self._random is None:
            self._random, _ = seeding.np_random(seed)
        drawn = int(self._random.integers(2**31)) if seed is None else seed
        given = {name: value for name, value in (options or {}).items() if name != _IGNORED}
        episode = open_episode(self.task, drawn, given)
        _check_same(episode.talk, self.task, self.people)
        self._episode = episode
        self.agents = self._live()

    def _live(self) -> list[str]:
        """Return the policies that can still act, in the order in which they do."""
        episode = self.episode
        if episode.done:
            return []
        return [seat for seat in self.possible_agents if self._present(seat)]

    def _present(self, seat: str) -> bool:
        return kind(seat) == SUPPORTER or self.episode.talk.company[number(seat)].present

    def _accept(self, result: Conversation | Fault, acting: Sequence[str]) -> dict[str, float]:
        """Take over a round or its fault, and return what those who acted are paid."""
        episode = self.episode
        values = episode.score(result)  # raises before anything has changed
        own = (
            {seat: one.at(result.trace, len(result.turns)) for seat, one in self._rewards.items()}
            if isinstance(result, Conversation)
            else {}
        )
        shared = episode.accept(result, values)
        if self.on_trace is not None and not self._live():
            self.on_trace(self.trace)
        return {seat: own.get(seat, shared) for seat in acting}

    def _observed(self, seat: str, now: Sequence[Said] = (), *, acted: bool = False) -> Observation:
        talk = self.episode.talk
        heard = news(talk, seat, now, at_once=self._at_once, acted=acted)
        speaker = heard[-1].seat if heard else ""
        return {"text": "\n".join(line.text for line in heard), "speaker": speaker}

    def _info(self, seat: str, now: Sequence[Said] = ()) -> dict[str, Any]:
        """Return what an agent may know besides the observation; new at each call."""
        episode = self.episode
        info: dict[str, Any] = {
            "messages": chat(episode.talk, seat, now, at_once=self._at_once),
            "turn": episode.turn,
            "was_heard": was_heard(episode.talk, seat),
        }
        outcome = episode.outcome if self._present(seat) else "left"
        if outcome is not None:
            info["outcome"] = outcome
        if episode.fault is not None:
            info["fault"] = f"{type(episode.fault).__name__}: {episode.fault}"
        if outcome is not None or episode.done:
            info["valid_for_training"] = episode.fault is None
        if self.expose_latent:
            info["latent"] = latent(episode.talk)
        return info

    def _moods(self, users: Sequence[UserState]) -> NDArray[np.float32]:
        """Return the latent state as numbers in [0, 1].

        For each user emotion / 100, trust, heard, met, strain, and 1 if they are there; last the
        share of the rounds that has been played.

        Raises:
            InvalidArgument: If it was not asked for.
        """
        if not self.central_state:
            raise InvalidArgument(
                "state() is the users' moods, which agents must not see: ask for it with "
                "central_state=True, and give it to a centralised critic only"
            )
        talk = self.episode.talk
        values: list[float] = []
        for state, presence in zip(users, talk.company, strict=True):
            mood = state.mood
            values += [mood.emotion / 100.0, *(getattr(mood, name) for name in _FELT)]
            values.append(float(presence.present))
        values.append(len(talk.turns) / talk.room.scenario.max_turns)
        return np.array(values, dtype=np.float32)

    def _rendered(self, now: Sequence[Said] = ()) -> str | None:
        return as_text(self.episode.talk, now) if self.render_mode is not None else None


def as_text(talk: Conversation, now: Sequence[Said] = ()) -> str:
    """Return all that was said aloud, asides included, one line each."""
    room = talk.room
    opened = [f"{name}: {line}" for name, line in zip(room.names, room.opening, strict=False)]
    spoken = [said for turn in [*rounds(talk, now)] for said in turn]
    return "\n".join([*opened, *(as_line(room, said) for said in spoken if said.heard.strip())])


def _rounds(max_turns: int | None, max_cycles: int | None) -> int | None:
    if max_turns is not None and max_cycles not in (None, max_turns):
        raise InvalidArgument(
            f"max_turns={max_turns!r} and max_cycles={max_cycles!r} are the same: give one"
        )
    return max_cycles if max_turns is None else max_turns


def _people(task: Task, seats: Seats) -> int:
    """Return how many people there are.

    Raises:
        InvalidArgument: If casts differ in that, or a seat is named that none of them has.
    """
    counts = {cast.id: len(cast.people) for cast in task.casts}
    if not counts:
        raise InvalidArgument("cast=None: give a cast; with one person use EmpathyEnv/Support-v0")
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{id} has {count}" for id, count in counts.items())
        raise InvalidArgument(
            f"cast= holds casts with different numbers of people ({listed}): agents are fixed "
            "here, so give casts of one size, and an environment for each size"
        )
    people = next(iter(counts.values()))
    users = [user_seat(index) for index in range(people)]
    for seat in seats.given:
        if kind(seat) == USER and seat not in users:
            raise UnknownName.among("seat", seat, users)
    return people


def _check_same(talk: Conversation, task: Task, people: int) -> None:
    """Check that a scenario or a snapshot has the seats of this environment."""
    room = talk.room
    if room.scenario.cast is None or len(room.users) != people:
        raise InvalidArgument(
            f"this scenario has {len(room.users)} people, and the environment is for a cast of "
            f"{people}: give one with as many"
        )
    if (room.supporters, room.played) != (task.supporters, task.played):
        raise InvalidArgument(
            f"options['state'] is of a talk in which {', '.join(room.played)} are played, and "
            f"here {', '.join(task.played)} are: give the same seats="
        )
