"""One policy acts after the other: PettingZoo's AEC view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pettingzoo import AECEnv  # pyright: ignore[reportMissingTypeStubs]

from empathy_env.conversation import Conversation
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument
from empathy_env.rounds import Round
from empathy_env.seat import USER, kind
from empathy_env.trace import Said
from empathy_env.zoo.view import CircleView, Observation


class _Moved(NamedTuple):
    """What an action leads to.

    Attributes:
        talk: The talk after the round, if the action ends one.
        current: The round that is under way then; None if the episode has ended.
        fault: What the next round failed with before anybody could act in it.
    """

    talk: Conversation | None
    current: Round | None
    fault: Fault | None = None


class CircleAECEnv(CircleView, AECEnv[str, Observation, str | None]):
    """Several people and their supporters; one policy acts after the other.

    In each round the supporters act first, in order, and each hears those before it; then the
    users, who have heard the supporters, and not each other: what they say is delivered at the end
    of the round, when all are paid.
    """

    __doc__ = f"{__doc__}\n\n    {CircleView.__doc__}"
    _at_once: ClassVar[bool] = False
    _current: Round | None = None

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Open an episode.

        Args:
            seed: Key of the scenario and of all its draws; None draws the next one.
            options: "scenario" (a `Scenario` or its JSON row), or "state" (a snapshot).

        Raises:
            InvalidArgument: If an option is unknown or wrong.
            Fault: If a supporter who is played in here fails before anybody has acted.
        """
        self._open(seed, options)
        self._current = self.table.begun(self.episode.talk) if self.agents else None
        self._users: dict[str, str] = {}
        self._acted: frozenset[str] = frozenset()
        self._skip_agent_selection = None
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.agent_selection = self.agents[0] if self.agents else ""
        self.infos = {seat: self._info(seat, self._now) for seat in self.agents}

    def step(self, action: str | None) -> None:
        """Let the selected agent speak; "" is silence, and None is for one who has ended.

        Raises:
            Fault: If machinery failed and `on_fault` is "raise"; nothing has changed.
            EpisodeOver: If no agent is left.
            InvalidArgument: If the action is no str.
        """
        if not self.agents:
            raise EpisodeOver("no agent is left in this episode: call reset()")
        seat = self.agent_selection
        if self.terminations[seat] or self.truncations[seat]:
            self._was_dead_step(action)
            return
        if not isinstance(action, str):
            raise InvalidArgument(
                f"action={action!r} of {seat!r}: give what it says, as a str; '' is silence"
            )
        moved: _Moved | Fault
        try:
            moved = self._moved(seat, action)
        except Fault as fault:
            if self.on_fault == "raise":
                raise
            moved = fault
        paid = self._taken_over(seat, action, moved)
        self._cumulative_rewards[seat] = 0.0
        self.rewards = {each: paid.get(each, 0.0) for each in self.agents}
        self._accumulate_rewards()
        self._select(ended=isinstance(moved, Fault) or moved.talk is not None)

    def observe(self, agent: str) -> Observation:
        """Return what an agent has heard since it last acted."""
        return self._observed(agent, self._now, acted=agent in self._acted)

    def render(self) -> str | None:
        """Return all that was said, in render modes "ansi" and "human"."""
        return self._rendered(self._now)

    def state(self) -> NDArray[np.float32]:
        """Return the latent state, if `central_state` asks for it; see `docs/zoo.md`."""
        current = self._current
        return self._moods(self.episode.talk.users if current is None else current.users)

    @property
    def _now(self) -> Sequence[Said]:
        """What has been said in the round that is under way."""
        return () if self._current is None else self._current.said

    def _moved(self, seat: str, action: str) -> _Moved:
        """Return what an action leads to; changes nothing."""
        current = self._current
        assert current is not None  # somebody is there to act
        users = self._users
        if kind(seat) == USER:
            users = {**users, seat: action}
        else:
            current = self.table.supported(current, action)
        if seat != self._live()[-1]:
            return _Moved(None, current)
        talk = self.table.ended(current, users)
        if talk.outcome is not None:
            return _Moved(talk, None)
        try:
            return _Moved(talk, self.table.begun(talk))
        except Fault as fault:
            if self.on_fault == "raise":
                raise
            return _Moved(talk, None, fault)

    def _taken_over(self, seat: str, action: str, moved: _Moved | Fault) -> dict[str, float]:
        """Take over what an action leads to, and return what is paid for it."""
        acting = self._alive()
        if isinstance(moved, Fault):
            paid = self._accept(moved, acting)
            self._current, self._users, self._acted = None, {}, frozenset()
            return paid
        if moved.talk is None:
            self._current, self._acted = moved.current, self._acted | {seat}
            if kind(seat) == USER:
                self._users = {**self._users, seat: action}
            return {}
        paid = self._accept(moved.talk, acting)  # raises before anything has changed
        self._current, self._users, self._acted = moved.current, {}, frozenset()
        if moved.fault is not None:
            paid |= self._accept(moved.fault, self._live())
        return paid

    def _alive(self) -> list[str]:
        return [s for s in self.agents if not (self.terminations[s] or self.truncations[s])]

    def _select(self, *, ended: bool) -> None:
        """Pass the turn on; those who have ended come first, to be let go."""
        truncated, live = self.episode.fault is not None, self._live()
        for seat in self._alive():
            self.truncations[seat] = truncated
            self.terminations[seat] = not truncated and seat not in live
        if live:
            self.agent_selection = next(seat for seat in live if seat not in self._acted)
        for seat in self.agents if ended else [self.agent_selection]:
            self.infos[seat] = self._info(seat, self._now)
        self._deads_step_first()
