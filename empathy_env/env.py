"""The Gymnasium environment: `gym.make("EmpathyEnv/Support-v0", ...)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, Literal

import gymnasium as gym
from gymnasium.wrappers import TimeLimit

from empathy_env.appraiser import Appraiser
from empathy_env.backends import Backend
from empathy_env.cast import CastSpec
from empathy_env.conversation import Conversation
from empathy_env.difficulty import Difficulty
from empathy_env.episode import Episode, Sampler, Task
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument, UnknownName
from empathy_env.hearing import user
from empathy_env.people import PersonSpec
from empathy_env.protocol import AnyProtocol
from empathy_env.reward import RewardSpec
from empathy_env.scaffold import Scaffold
from empathy_env.spaces import Utterance
from empathy_env.speaker import Speaker
from empathy_env.trace import Trace

OBSERVATION_CHARS = 40_000
"""Longest thing that a user says, in characters."""

OnFault = Literal["raise", "truncate"]
_OPTIONS = ("scenario", "state")


class EmpathyEnv(gym.Env[str, str]):
    """Talk with one simulated person in distress, or, given a cast, with several at once.

    ## Description
    A persona (who they are, what happened, what they hide) has one of several hidden needs and a
    latent mood. The agent speaks; rules or a model find what it did, as evidence with literal
    quotes; a pure function turns that into the change of mood; templates or a model word the reply.

    ## Action
    Any `str`: what the agent says. It is made safe by rule (see `messages.clean`), never refused;
    what it marks as thought is not heard (see `scaffold`).

    ## Observation
    A `str`: what the user said; with a cast, what was said in the round, each line with its
    speaker's name. `info["messages"]` is the whole talk in OpenAI's chat format, the
    system prompt first, user = persona, assistant = what was heard of the agent.

    ## Reward
    By default `terminal`: the final emotion / 100 at the last turn, 0 if the user left, in [0, 1].
    With a cast it is the mean over the people. See `empathy_env.reward`.

    ## Start
    Emotion 10 + 75 * `start` (40 at `moderate`), on a scale of 0 to 100; persona and need are drawn
    by the seed.

    ## End
    Terminated, with `info["outcome"]`: "success" at emotion 100; "left" at emotion below 10, at
    strain 1, or when abandoned; "time_up" after `max_turns`, which is part of the task. Truncated
    only by a fault.

    ## Arguments
    Those of `empathy_env.episode.Task`, and:
    `on_fault` ("raise", or "truncate" for a NaN reward and `info["fault"]`), `on_trace` (called
    with each finished `Trace`), `expose_latent` (adds `info["latent"]`; for debugging, not for
    training), `render_mode` ("ansi" or None).

    ## Version
    v0: observation, action and endings as above. The protocol has a version of its own.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 1}  # pyright: ignore[reportIncompatibleVariableOverride]

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
        on_fault: OnFault = "raise",
        on_trace: Callable[[Trace], None] | None = None,
        expose_latent: bool = False,
        render_mode: str | None = None,
    ):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UnknownName.among("render_mode", str(render_mode), self.metadata["render_modes"])
        if on_fault not in ("raise", "truncate"):
            raise UnknownName.among("on_fault", str(on_fault), ["raise", "truncate"])
        self.task = Task(
            persona=persona,
            personas=personas,
            cast=cast,
            difficulty=difficulty,
            user=user,
            appraiser=appraiser,
            speaker=speaker,
            appraiser_samples=appraiser_samples,
            protocol=protocol,
            scaffold=scaffold,
            reward=reward,
            system_prompt=system_prompt,
            max_turns=max_turns,
            max_chars=max_chars,
        )
        self.on_fault = on_fault
        self.on_trace = on_trace
        self.expose_latent = expose_latent
        self.render_mode = render_mode
        self.action_space = Utterance(max_chars=max_chars)
        self.observation_space = Utterance(max_chars=OBSERVATION_CHARS)
        self._episode: Episode | None = None

    @property
    def unwrapped(self) -> EmpathyEnv:
        """This environment, without wrappers."""
        return self

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
        """The full record so far, with everything that the agent must not see."""
        return self.episode.trace

    def snapshot(self) -> Conversation:
        """Return the state as a value; `reset(options={"state": value})` goes on from it."""
        return self.episode.talk

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Open an episode.

        Args:
            seed: Key of the scenario and of all its draws; None draws the next one.
            options: "scenario" (a `Scenario` or its JSON row), or "state" (a snapshot).

        Raises:
            InvalidArgument: If an option is unknown or wrong, or the spec sets max_episode_steps.
        """
        refuse_time_limit()
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed
        self._episode = open_episode(self.task, drawn, options or {})
        return self._episode.utterance, self._info(self._episode)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Play one turn.

        Raises:
            Fault: If machinery failed and `on_fault` is "raise"; nothing has changed.
            EpisodeOver: If the episode has ended.
        """
        episode = self.episode
        try:
            reward = episode.say(action)
        except Fault as fault:
            if self.on_fault == "raise":
                raise
            reward = episode.accept(fault)
        if episode.done and self.on_trace is not None:
            self.on_trace(episode.trace)
        ended = episode.outcome is not None
        return episode.utterance, reward, ended, episode.fault is not None, self._info(episode)

    def render(self) -> str | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the talk as text in render mode "ansi"."""
        return talk_as_text(self.episode.talk) if self.render_mode == "ansi" else None

    def _info(self, episode: Episode) -> dict[str, Any]:
        info = episode_info(episode)
        if self.expose_latent:
            info["latent"] = latent(episode.talk)
        return info


def refuse_time_limit() -> None:
    """Refuse to be reset from within a `TimeLimit`, which `max_episode_steps` puts around us.

    A wrapper is not told to what it wraps, so the calls that led here are the only place to look.

    Raises:
        InvalidArgument: If there is one.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), TimeLimit):
            raise InvalidArgument(
                "max_episode_steps is set on the spec, but the length of a talk is part of the "
                "task here: give max_turns= instead, so that it ends terminated and is paid"
            )
        frame = frame.f_back


def open_episode(
    task: Task, seed: int, options: Mapping[str, Any], *, member: int | None = None
) -> Episode:
    """Open an episode by the options of `reset`.

    Raises:
        InvalidArgument: If an option is unknown or has the wrong type.
    """
    for name in options:
        if name not in _OPTIONS:
            raise UnknownName.among("reset option", str(name), _OPTIONS)
    state = options.get("state")
    if state is not None and not isinstance(state, Conversation):
        raise InvalidArgument(
            f"options['state'] must be a value that snapshot() returned, got {type(state).__name__}"
        )
    return task.open(seed=seed, scenario=options.get("scenario"), state=state, member=member)


def episode_info(episode: Episode) -> dict[str, Any]:
    """Return what an agent may know besides the observation."""
    info: dict[str, Any] = {"messages": episode.messages, "turn": episode.turn}
    if episode.outcome is not None:
        info["outcome"] = episode.outcome
    if episode.fault is not None:
        info["fault"] = f"{type(episode.fault).__name__}: {episode.fault}"
    if episode.done:
        info["valid_for_training"] = episode.fault is None
    return info


def latent(talk: Conversation) -> dict[str, Any]:
    """Return what the agent must not see: mood, need and the last turn's evidence; by seat."""
    evidence = talk.turns[-1].evidence if talk.turns else ()
    felt = [
        {name: getattr(state.mood, name) for name in _LATENT} | {"need": need}
        for state, (_, need) in zip(talk.users, talk.room.scenario.people, strict=True)
    ]
    whole: dict[str, Any] = {"evidence": [item._asdict() for item in evidence]}
    if talk.room.scenario.cast is None:
        return felt[0] | whole
    return {user(seat): one for seat, one in enumerate(felt)} | whole


_LATENT: Final = ("emotion", "trust", "heard", "met", "strain")


def talk_as_text(talk: Conversation) -> str:
    """Return the talk as lines of "user: ..." and "agent: ..."."""
    names = {"user": "user", "assistant": "agent"}
    return "\n".join(
        f"{names[message['role']]}: {message['content']}"
        for message in talk.messages
        if message["role"] != "system"
    )
