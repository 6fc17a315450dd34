"""Who plays each seat, what each is paid, and a round as it goes from seat to seat.

All is a function of values: a `Round` under way is one, and so is a talk.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, cast

from empathy_env.agents import Agent, Said, load_agent
from empathy_env.asking import together
from empathy_env.backends import Backend, Reply, Request
from empathy_env.cast import Cast
from empathy_env.circle import answer, support
from empathy_env.conversation import Conversation, summed
from empathy_env.drivers import run
from empathy_env.errors import Fault, InvalidArgument, UnknownName
from empathy_env.hearing import supporter
from empathy_env.reward import Reward, RewardFunction, RewardSpec, check_people, load_reward
from empathy_env.rounds import Round, begin_round
from empathy_env.seat import KINDS, SUPPORTER, USER, chat, kind, number
from empathy_env.shorthand import read_numbers
from empathy_env.trace import FIRST
from empathy_env.welfare import WEIGHTED

POLICY: Final = "policy"
BUILT_IN: Final = "built-in"
SeatSpec = str | os.PathLike[str] | Backend | Agent
"""Who plays a seat: "policy", "built-in" (users only), or an agent for `load_agent`."""

_SEAT: Final = re.compile(r"(?:supporter|user)_(?:0|[1-9][0-9]?)")
_OWN: Final = "empathy_env.reward:own"


@dataclass(frozen=True)
class Seats:
    """Who plays each seat.

    Attributes:
        given: As it was asked for.
        supporters: How many there are.
        policies: The seats that act from outside, in order, the supporters first.
        agents: Those who are played by an agent in here. The other users are built in.
    """

    given: Mapping[str, SeatSpec]
    supporters: int
    policies: tuple[str, ...]
    agents: Mapping[str, Agent]

    @property
    def played(self) -> tuple[str, ...]:
        """The users whose words are not the simulated user's."""
        return tuple(seat for seat in (*self.policies, *self.agents) if kind(seat) == USER)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the names: an agent's function lives in a module that only this process has."""
        return load_seats, (dict(self.given),)


def load_seats(given: Mapping[str, SeatSpec] | None) -> Seats:
    """Return who plays each seat.

    Args:
        given: For names of seats who plays them. Of the rest the first supporter is a policy, and
            the users are built in; other supporters there are none.

    Raises:
        UnknownName: If a name is none of a seat, or no agent has one.
        InvalidArgument: If a supporter is missing between others or built in, or nobody is a
            policy.

    >>> load_seats({"supporter_1": "listener", "user_0": "policy"}).policies
    ('supporter_0', 'user_0')
    """
    chosen: dict[str, SeatSpec] = {FIRST: POLICY, **(given or {})}
    for seat in chosen:
        if not _SEAT.fullmatch(seat):
            known = [FIRST, "supporter_1", "user_0", "user_1"]
            raise UnknownName.among("seat", seat, known, "And so on, counted from 0.")
    order = sorted(chosen, key=lambda seat: (KINDS.index(kind(seat)), number(seat)))
    supporters = [seat for seat in order if kind(seat) == SUPPORTER]
    for index, seat in enumerate(supporters):
        if number(seat) != index:
            raise InvalidArgument(
                f"seats has {seat!r} and no {supporter(index)!r}: number supporters without a gap"
            )
        if chosen[seat] == BUILT_IN:
            raise InvalidArgument(
                f"seats[{seat!r}]={BUILT_IN!r}: users only are built in. Give {POLICY!r}, or an "
                "agent, such as 'listener'"
            )
    policies = tuple(seat for seat in order if chosen[seat] == POLICY)
    if not policies:
        raise InvalidArgument(
            f"seats={dict(chosen)!r}: nobody acts from outside. Make at least one {POLICY!r}"
        )
    agents = {seat: chosen[seat] for seat in order if chosen[seat] not in (POLICY, BUILT_IN)}
    loaded = {seat: load_agent(spec) for seat, spec in agents.items()}
    return Seats(dict(chosen), len(supporters), policies, loaded)


def load_rewards(
    given: Mapping[str, RewardSpec] | None, seats: Seats, casts: Sequence[Cast]
) -> tuple[Reward, Mapping[str, Reward]]:
    """Return what the supporters are paid, and what each user seat is that acts from outside.

    Args:
        given: For "supporter" and "user" a reward; by default "terminal" and "own". A function
            with an argument `seat` is told the number of the user whom it is to pay.
        seats: Who plays.
        casts: With whom.

    Raises:
        InvalidArgument: If a kind of seats is unknown, or a reward cannot be paid to it.
    """
    if given is not None and not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgument(
            f"rewards={given!r}: give a reward for each kind of seats, such as "
            '{"supporter": "terminal", "user": "own"}'
        )
    chosen: dict[str, RewardSpec] = {SUPPORTER: "terminal", USER: "own", **(given or {})}
    for name in chosen:
        if name not in KINDS:
            raise UnknownName.among("kind of seats", name, KINDS, "It is a key of rewards=.")
    shared, own = _loaded(chosen[SUPPORTER]), _loaded(chosen[USER])
    for term in shared.terms:
        if _asks_seat(term.function):
            raise InvalidArgument(
                f"rewards[{SUPPORTER!r}]: {term.name!r} pays one user for their own part. Give a "
                "reward of the whole talk, such as 'terminal' or 'worst'"
            )
    check_people(own, casts)
    users = [seat for seat in seats.policies if kind(seat) == USER]
    return shared, {seat: _of_seat(own, number(seat)) for seat in users}


def _loaded(spec: RewardSpec) -> Reward:
    """Return a reward; `own` has a name here, where there is somebody whose own it is."""
    if isinstance(spec, str) and "=" in spec and not spec.startswith(WEIGHTED):
        spec = read_numbers(spec, what="reward")
    if isinstance(spec, Mapping):
        weights = cast("Mapping[str, float]", spec)
        return load_reward({_OWN if name == "own" else name: w for name, w in weights.items()})
    return load_reward(_OWN if spec == "own" else spec)


def _asks_seat(function: RewardFunction) -> bool:
    try:
        return "seat" in inspect.signature(function).parameters
    except ValueError:  # not every callable can be asked
        return False


def _of_seat(reward: Reward, seat: int) -> Reward:
    return Reward(
        tuple(
            replace(term, function=partial(cast("Callable[..., float]", term.function), seat=seat))
            if _asks_seat(term.function)
            else term
            for term in reward.terms
        )
    )


@dataclass(frozen=True)
class Table:
    """Takes a round from one seat to the next.

    A fault leaves all values as they were; its meter holds what the round has cost.

    Attributes:
        seats: Who plays.
        backend: What answers the requests of the built-in users and of the appraiser.
    """

    seats: Seats
    backend: Backend | None

    def begun(self, talk: Conversation) -> Round:
        """Return the next round, in which supporters of ours have spoken up to the first policy."""
        return self._ahead(begin_round(talk))

    def supported(self, current: Round, text: str) -> Round:
        """Return the round after the supporter whose turn it is, and those of ours who follow."""
        return self._ahead(self._spoken(current, text))

    def ended(self, current: Round, actions: Mapping[str, str]) -> Conversation:
        """Return the talk after the round: users of ours have spoken, and all have answered.

        `actions` holds what those users say who act from outside.
        """
        current, words = self._users_words(current)
        return run(answer(current, {**actions, **words}), self.backend)

    def _ahead(self, current: Round) -> Round:
        while (seat := self.next_supporter(current)) in self.seats.agents:
            agent = self.seats.agents[seat]
            current, said = _asking(current, [self._says(current, seat)], agent.backend)
            current = self._spoken(current, said[0].text)
        return current

    def next_supporter(self, current: Round) -> str:
        """Return whose turn it is among the supporters; "" if all have spoken."""
        spoken = len(current.said)
        return supporter(spoken) if spoken < self.seats.supporters else ""

    def _spoken(self, current: Round, text: str) -> Round:
        return run(support(current, self.next_supporter(current), text), self.backend)

    def _users_words(self, current: Round) -> tuple[Round, dict[str, str]]:
        """Let the users of ours speak who are there; those of one backend ask it in one batch."""
        waiting = {
            seat: agent
            for seat, agent in self.seats.agents.items()
            if kind(seat) == USER and current.company[number(seat)].present
        }
        words: dict[str, str] = {}
        for backend in {id(agent.backend): agent.backend for agent in waiting.values()}.values():
            chosen = [seat for seat in waiting if waiting[seat].backend is backend]
            steps = [self._says(current, seat) for seat in chosen]
            current, said = _asking(current, steps, backend)
            words |= {seat: one.text for seat, one in zip(chosen, said, strict=True)}
        return current, words

    def _says(self, current: Round, seat: str) -> Generator[Request, Reply, Said]:
        talk = current.talk
        view = replace(talk, messages=tuple(chat(talk, seat, current.said)))
        steps = self.seats.agents[seat].steps(view, seat=seat)
        return cast("Generator[Request, Reply, Said]", steps)  # an agent asks one thing at a time


def _asking(
    current: Round, steps: Sequence[Generator[Request, Reply, Said]], backend: Backend | None
) -> tuple[Round, list[Said]]:
    """Let agents of ours say something; what that costs is added to the round."""
    try:
        said = run(together(steps), backend)
    except Fault as fault:
        fault.meter = summed(current.meter, _of_agent(fault.meter))
        raise
    meter = current.meter
    for one in said:
        meter = summed(meter, _of_agent(one.meter))
    return replace(current, meter=meter), said


def _of_agent(meter: Mapping[str, float]) -> Mapping[str, float]:
    return {f"agent_{name}": value for name, value in meter.items()}
