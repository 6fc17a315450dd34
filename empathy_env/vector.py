"""Many talks at once: `gym.make_vec("EmpathyEnv/Support-v0", num_envs=64, ...)`.

The model requests of all talks in a step go out in one batch. A talk's record is the same bytes
whether it is played alone or here, whatever the others do and whenever they end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from operator import index
from typing import Any, SupportsIndex, cast

import numpy as np
from gymnasium.spaces import Space, Tuple
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from empathy_env.conversation import Conversation
from empathy_env.drivers import run_many
from empathy_env.env import EmpathyEnv, episode_info, latent, open_episode, talk_as_text
from empathy_env.episode import Episode
from empathy_env.errors import EpisodeOver, InvalidArgument, UnknownName

Observations = tuple[str, ...]
Flags = NDArray[np.bool_]

_OPTIONS = ("reset_mask", "scenarios", "states")


class EmpathyVectorEnv(VectorEnv[Observations, Sequence[str], NDArray[np.float64]]):
    """A batch of talks.

    By default finished talks stay finished (`autoreset_mode` DISABLED): such a seat ignores its
    action, is paid 0, keeps its flags and asks no model, until `reset` with
    `options={"reset_mask": mask}`. `envs.active` is the mask of the others. A fault truncates its
    own seat only: reward NaN, `infos["fault"]`, `infos["valid_for_training"]` False.

    Gymnasium's `RecordEpisodeStatistics` gives each episode's figures in the step in which it ends.
    Its counters are right with NEXT_STEP; with DISABLED they count a seat that has ended again in
    every step, since its flags stay, until it is reset.

    Args:
        num_envs: How many talks.
        group_size: Consecutive seats in groups of this size share their scenario and noise, as
            GRPO wants it; must divide `num_envs`.
        autoreset_mode: `AutoresetMode.DISABLED`, or NEXT_STEP: the step after the end resets.
        kwargs: Those of `EmpathyEnv`; `on_fault` is always "truncate" here.

    Raises:
        InvalidArgument: If a value breaks a rule.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's own attribute
        "render_modes": ["ansi"],
        "render_fps": 1,
        "autoreset_mode": AutoresetMode.DISABLED,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        group_size: int = 1,
        autoreset_mode: AutoresetMode = AutoresetMode.DISABLED,
        **kwargs: Any,
    ):
        if num_envs < 1 or group_size < 1 or num_envs % group_size:
            raise InvalidArgument(
                f"Cannot have num_envs={num_envs} with group_size={group_size}: "
                "both are at least 1, and groups must fill the seats exactly"
            )
        if autoreset_mode not in (AutoresetMode.DISABLED, AutoresetMode.NEXT_STEP):
            raise InvalidArgument(
                f"Cannot have autoreset_mode={autoreset_mode!r}: "
                "AutoresetMode.DISABLED and AutoresetMode.NEXT_STEP are offered"
            )
        if autoreset_mode is AutoresetMode.NEXT_STEP and group_size > 1:
            raise InvalidArgument(
                f"Cannot have NEXT_STEP with group_size={group_size}: the seats of a group would "
                "begin again one by one. Reset whole groups with options={'reset_mask': mask}"
            )
        if "max_episode_steps" in kwargs:
            raise InvalidArgument(
                "max_episode_steps is set, but the length of a talk is part of the task here: "
                "give max_turns= instead, so that it ends terminated and is paid"
            )
        arguments: dict[str, Any] = {**kwargs, "on_fault": "truncate"}
        self._env = EmpathyEnv(**arguments)
        self.task = self._env.task
        self.metadata = {**type(self).metadata, "autoreset_mode": autoreset_mode}
        self.render_mode = self._env.render_mode
        self.num_envs = num_envs
        self.group_size = group_size
        self.single_action_space = self._env.action_space
        self.single_observation_space = self._env.observation_space
        self.action_space = cast("Any", _batch(self._env.action_space, num_envs))
        self.observation_space = cast("Any", _batch(self._env.observation_space, num_envs))
        self._episodes: list[Episode] = []
        self._mode = autoreset_mode
        self._old: list[bool] = []

    @property
    def episodes(self) -> Sequence[Episode]:
        """The running episodes, by seat.

        Raises:
            EpisodeOver: Before the first reset.
        """
        if not self._episodes:
            raise EpisodeOver("no episodes are open: call reset() first")
        return self._episodes

    @property
    def active(self) -> Flags:
        """Which seats can still be played."""
        return np.array([not episode.done for episode in self.episodes], dtype=np.bool_)

    def snapshots(self) -> list[Conversation]:
        """Return each seat's state as a value; `reset(options={"states": values})` goes on."""
        return [episode.talk for episode in self.episodes]

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observations, dict[str, Any]]:
        """Open episodes in all seats, or in those of `options["reset_mask"]`.

        Args:
            seed: One seed, from which each group gets seed, seed + 1, ...; or one for each seat;
                None draws.
            options: "reset_mask" (bools by seat), "scenarios" or "states" (one by seat).

        Raises:
            InvalidArgument: If a length does not fit, or an option is unknown.
        """
        given = options or {}
        for name in given:
            if name not in _OPTIONS:
                raise UnknownName.among("reset option", str(name), _OPTIONS)
        mask = self._mask(given.get("reset_mask"))
        seeds = self._seeds(seed)
        per_seat = self._per_seat(given)
        opened = [
            open_episode(self.task, seeds[i], per_seat[i], member=self._member(i))
            if mask[i]
            else self._episodes[i]
            for i in range(self.num_envs)
        ]
        self._episodes = opened
        self._old = [episode.done for episode in opened]
        return self._observations(), self._infos(mask)

    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, actions: Sequence[str]
    ) -> tuple[Observations, NDArray[np.float64], Flags, Flags, dict[str, Any]]:
        """Play one turn in every active seat.

        Raises:
            InvalidArgument: If there is not one action for each seat.
        """
        episodes = self.episodes
        texts = [action for action in actions if isinstance(action, str)]  # pyright: ignore[reportUnnecessaryIsInstance]
        if len(texts) != self.num_envs:
            raise InvalidArgument(
                f"expected {self.num_envs} actions, one str a seat, got {len(actions)} of which "
                f"{len(texts)} are str"
            )
        rewards = np.zeros(self.num_envs, dtype=np.float64)
        live = [i for i, episode in enumerate(episodes) if not episode.done]
        steps = [episodes[i].steps(actions[i]) for i in live]
        results = run_many(steps, self.task.backend)
        # All are scored before any moves on, so that a reward that fails leaves no half step.
        scores = [episodes[i].score(result) for i, result in zip(live, results, strict=True)]
        for i, result, values in zip(live, results, scores, strict=True):
            rewards[i] = episodes[i].accept(result, values)
            if episodes[i].done and self._env.on_trace is not None:
                self._env.on_trace(episodes[i].trace)
        if self._mode is AutoresetMode.NEXT_STEP:
            self._reset_old()
        ended = np.array([e.outcome is not None for e in self._episodes], dtype=np.bool_)
        faulted = np.array([e.fault is not None for e in self._episodes], dtype=np.bool_)
        self._old = [episode.done for episode in self._episodes]
        return self._observations(), rewards, ended, faulted, self._infos([True] * self.num_envs)

    def render(self) -> tuple[str, ...] | None:
        """Return the talks as texts in render mode "ansi"."""
        if self.render_mode != "ansi":
            return None
        return tuple(talk_as_text(episode.talk) for episode in self.episodes)

    def _reset_old(self) -> None:
        for i, old in enumerate(self._old):
            if old:
                self._episodes[i] = open_episode(self.task, self._draw(), {})

    def _member(self, seat: int) -> int | None:
        """Number within the group; without groups a scenario keeps the number that it has."""
        return seat % self.group_size if self.group_size > 1 else None

    def _whole_groups(self, values: Sequence[Any], name: str) -> None:
        size = self.group_size
        for start in range(0, self.num_envs, size):
            if any(value != values[start] for value in values[start : start + size]):
                raise InvalidArgument(
                    f"{name} differs within a group of {size} seats: a group shares its start"
                )

    def _draw(self) -> int:
        return int(self.np_random.integers(2**31))

    def _mask(self, mask: Any) -> Sequence[bool]:
        if mask is None:
            return [True] * self.num_envs
        if len(mask) != self.num_envs:
            raise InvalidArgument(f"reset_mask has {len(mask)} entries for {self.num_envs} seats")
        if not self._episodes:
            raise InvalidArgument("reset_mask before the first reset: open all seats first")
        flags = [bool(entry) for entry in mask]
        self._whole_groups(flags, "reset_mask")
        return flags

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int]:
        size = self.group_size
        given: Sequence[int | None]
        if seed is None:
            given = [None] * self.num_envs
        elif isinstance(seed, Sequence):
            if len(seed) != self.num_envs:
                raise InvalidArgument(f"seed has {len(seed)} entries for {self.num_envs} seats")
            given = [None if one is None else _integer(one) for one in seed]
            self._whole_groups(given, "seed")
        else:
            first = _integer(seed)
            given = [first + i // size for i in range(self.num_envs)]
        known = [one for one in given if one is not None]
        if known:
            self._np_random, self._np_random_seed = seeding.np_random(known[0])
        starts = [
            self._draw() if (one := given[i]) is None else one
            for i in range(0, self.num_envs, size)
        ]
        return [starts[i // size] for i in range(self.num_envs)]

    def _per_seat(self, options: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for plural, single in (("scenarios", "scenario"), ("states", "state")):
            values = options.get(plural)
            if values is None:
                continue
            if len(values) != self.num_envs:
                raise InvalidArgument(
                    f"options[{plural!r}] has {len(values)} entries for {self.num_envs} seats"
                )
            for seat, value in zip(found, values, strict=True):
                seat[single] = value
        return found

    def _observations(self) -> Observations:
        return tuple(episode.utterance for episode in self._episodes)

    def _infos(self, mask: Sequence[bool]) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        for i, episode in enumerate(self._episodes):
            if mask[i]:
                info = episode_info(episode)
                if self._env.expose_latent:
                    info["latent"] = latent(episode.talk)
                infos = _add(infos, info, i, self.num_envs)
        return infos


def _add(infos: dict[str, Any], info: Mapping[str, Any], seat: int, count: int) -> dict[str, Any]:
    """Put one seat's info into arrays with masks `_key`, as Gymnasium's vector envs do."""
    for key, value in info.items():
        if key not in infos:
            kind = bool if isinstance(value, bool) else int if isinstance(value, int) else object
            infos[key] = np.zeros(count, dtype=kind)
            if kind is object:
                infos[key].fill(None)
            infos[f"_{key}"] = np.zeros(count, dtype=np.bool_)
        infos[key][seat] = value
        infos[f"_{key}"][seat] = True
    return infos


def _batch(space: Space[str], count: int) -> Tuple[Any]:
    return Tuple([deepcopy(space) for _ in range(count)])


def _integer(seed: object) -> int:
    if isinstance(seed, bool) or not isinstance(seed, SupportsIndex):
        raise InvalidArgument(f"seed={seed!r} is no integer")
    return index(seed)
