"""All policies act at once: PettingZoo's parallel view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv  # pyright: ignore[reportMissingTypeStubs]

from empathy_env.conversation import Conversation
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument, UnknownName
from empathy_env.seat import USER, kind
from empathy_env.zoo.view import CircleView, Observation

Infos = dict[str, dict[str, Any]]


class CircleParallelEnv(CircleView, ParallelEnv[str, Observation, str]):
    """Several people and their supporters; all policies act at once.

    They choose their words before the round, so none has heard another of the same round. Agents
    that are played in here do hear who speaks before them, and so do built-in users.
    """

    __doc__ = f"{__doc__}\n\n    {CircleView.__doc__}"
    _at_once: ClassVar[bool] = True

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], Infos]:
        """Open an episode.

        Args:
            seed: Key of the scenario and of all its draws; None draws the next one.
            options: "scenario" (a `Scenario` or its JSON row), or "state" (a snapshot).

        Raises:
            InvalidArgument: If an option is unknown or wrong.
        """
        self._open(seed, options)
        return self._observations(self.agents), self._infos(self.agents)

    def step(
        self, actions: Mapping[str, str]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Play one round.

        Args:
            actions: What each live agent says; "" is silence.

        Raises:
            Fault: If machinery failed and `on_fault` is "raise"; nothing has changed.
            EpisodeOver: If no agent is left.
            InvalidArgument: If an action is lacking, is no str, or is of no live agent.
        """
        acting = self._acting(actions)
        result: Conversation | Fault
        try:
            result = self._played(actions)
        except Fault as fault:
            if self.on_fault == "raise":
                raise
            result = fault
        rewards = self._accept(result, acting)
        self.agents = self._live()
        truncated = self.episode.fault is not None
        return (
            self._observations(acting),
            rewards,
            {seat: not truncated and seat not in self.agents for seat in acting},
            dict.fromkeys(acting, truncated),
            self._infos(acting),
        )

    def render(self) -> str | None:
        """Return all that was said, in render modes "ansi" and "human"."""
        return self._rendered()

    def state(self) -> NDArray[np.float32]:
        """Return the latent state, if `central_state` asks for it; see `docs/zoo.md`."""
        return self._moods(self.episode.talk.users)

    def _acting(self, actions: Mapping[str, str]) -> list[str]:
        if not self.agents:
            raise EpisodeOver("no agent is left in this episode: call reset()")
        for seat in actions:
            if seat not in self.agents:
                raise UnknownName.among("live agent", str(seat), self.agents)
        for seat in self.agents:
            if not isinstance(actions.get(seat), str):
                raise InvalidArgument(
                    f"actions[{seat!r}]={actions.get(seat)!r}: every live agent says something, "
                    "as a str; '' is silence"
                )
        return self.agents

    def _played(self, actions: Mapping[str, str]) -> Conversation:
        current = self.table.begun(self.episode.talk)
        while seat := self.table.next_supporter(current):
            current = self.table.supported(current, actions[seat])
        users = {seat: text for seat, text in actions.items() if kind(seat) == USER}
        return self.table.ended(current, users)

    def _observations(self, seats: list[str]) -> dict[str, Observation]:
        return {seat: self._observed(seat) for seat in seats}

    def _infos(self, seats: list[str]) -> Infos:
        return {seat: self._info(seat) for seat in seats}
