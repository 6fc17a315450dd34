"""The laws of an environment, checked of yours: ours, wrapped, changed, or one of your own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

import gymnasium as gym
from gymnasium.error import Error as GymnasiumError
from gymnasium.utils import env_checker

from empathy_env.backends import Reply, Request
from empathy_env.checks.report import Law, Report, check_laws, dialogue_text
from empathy_env.emotion import OUTCOMES
from empathy_env.env import EmpathyEnv
from empathy_env.errors import CheckFailed, EmpathyEnvError, EpisodeOver, Fault, TimedOut
from empathy_env.persona import NEEDS
from empathy_env.protocol import ReportedProtocol
from empathy_env.speaker import Moment, Speech
from empathy_env.testing.talks import GOODBYE, ODD
from empathy_env.trace import Trace, canonical, parse_line
from empathy_env.verification import verify

SECRET: Final = frozenset(
    "emotion trust heard met strain need evidence trace latent mood persona scenario state".split()
)
"""Names that say what an agent must not see."""
_TOLERANCE: Final = 1e-9
_LONGEST: Final = 1001
"""Longest talk that a scenario allows, and one turn more."""
_SCRIPTS: Final = (
    ("Go on.",),
    (GOODBYE,),
    ("What was it like?", "You sound sad.", "It makes sense that you feel that."),
    ("You brought this on yourself.",),
)
"""What is said, over and over until the talk ends."""


class Step(NamedTuple):
    """What one step of an environment, or a reset, returned.

    Attributes:
        said: What the agent said; "" at a reset.
        observation: What was observed.
        reward: What was paid; 0 at a reset.
        terminated: Whether the talk is over.
        truncated: Whether it was cut off.
        info: What else was told.
    """

    said: str
    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """An environment, and the seeds that it is tried with."""

    env: gym.Env[Any, Any]
    examples: int

    @property
    def ours(self) -> EmpathyEnv | None:
        """The package's own environment within it, if there is one."""
        inner = self.env.unwrapped
        return inner if isinstance(inner, EmpathyEnv) else None

    @property
    def talks(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Seeds, each with what is said."""
        for seed in range(self.examples):
            yield seed, _SCRIPTS[seed % len(_SCRIPTS)]


def check_env(
    env: gym.Env[Any, Any], *, laws: Iterable[str] | None = None, examples: int = 4
) -> Report:
    """Check that an environment keeps what agents and trainers rely on.

    It is reset, and left in some talk. Laws that look at a trace are checked if `env.unwrapped` is
    an `EmpathyEnv`, such as a subclass of your own.

    Args:
        env: An environment of text, wrapped or not.
        laws: Names of those to check; by default all.
        examples: How many seeds it is tried with.

    Raises:
        CheckFailed: At the first law that is broken, with the talk that shows it.
        UnknownName: If there is no such law.

    >>> import empathy_env
    >>> env = gym.make("EmpathyEnv/Support-v0", persona="laid-off-engineer")
    >>> check_env(env, laws=["reproducible", "no-leak"]).laws
    ('reproducible', 'no-leak')
    """
    name = type(env.unwrapped).__name__
    return check_laws(Subject(env, examples), f"environment {name}", LAWS, laws)


def played(env: gym.Env[Any, Any], seed: int, script: Sequence[str]) -> list[Step]:
    """Return all steps of one talk in which a script is said over and over."""
    observation, info = env.reset(seed=seed)
    steps = [Step("", observation, 0.0, False, False, info)]
    for number in range(_LONGEST):
        said = script[number % len(script)]
        steps.append(_step(env, said))
        if steps[-1].terminated or steps[-1].truncated:
            return steps
    raise CheckFailed(f"a talk has not ended after {_LONGEST} turns", law="endings")


def _step(env: gym.Env[Any, Any], said: str) -> Step:
    observation, reward, terminated, truncated, info = env.step(said)
    return Step(said, observation, float(reward), terminated, truncated, info)


def _shown(subject: Subject, steps: Sequence[Step]) -> str:
    """Return the talk as text: of the trace, or of what was observed."""
    ours = subject.ours
    if ours is not None:
        return dialogue_text(ours.trace, [step.reward for step in steps[1:]])
    lines = [f"  user: {steps[0].observation}"]
    for step in steps[1:]:
        lines += [f"  agent: {step.said!r}", f"  user: {step.observation}"]
        lines += [f"    reward {step.reward:.6g}"]
    return "\n".join(lines)


def _gymnasium(subject: Subject) -> str:
    """Run Gymnasium's own checker; what it warns of is a failure as well."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            env_checker.check_env(subject.env.unwrapped, skip_render_check=True)
    except (
        *(AssertionError, Warning, GymnasiumError, EmpathyEnvError),
        *(TypeError, ValueError, AttributeError, KeyError),
    ) as error:
        message = f"gymnasium.utils.env_checker.check_env says: {error}"
        raise CheckFailed(message, law="gymnasium") from error
    return ""


def _any_text(subject: Subject) -> str:
    for number, text in enumerate(ODD):
        env = subject.env
        env.reset(seed=number)
        try:
            step = _step(env, text)
        except Fault:
            raise
        except Exception as error:  # whatever somebody else's environment raises is the finding
            message = f"the agent said {text[:40]!a}, and step raised {error!r}"
            raise CheckFailed(
                message, law="any-text", hint="Any str is legal: give it a meaning by rule."
            ) from error
        where = f"after the agent said {text[:40]!a}"
        if not env.observation_space.contains(step.observation):
            shown = ascii(step.observation)[:80]
            raise CheckFailed(
                f"{where}, {shown} is observed, which is not in the space", law="any-text"
            )
        if not step.truncated and not math.isfinite(step.reward):
            raise CheckFailed(f"{where}, {step.reward} is paid", law="any-text")
    return ""


def _endings(subject: Subject) -> str:
    for seed, script in subject.talks:
        steps = played(subject.env, seed, script)
        for step in steps:
            problem = _odd_ending(step)
            if problem:
                raise CheckFailed(problem, law="endings", dialogue=_shown(subject, steps))
        if subject.ours is not None and _goes_on(subject.env):
            message = "a turn can be played after the end"
            raise CheckFailed(message, law="endings", dialogue=_shown(subject, steps))
    return ""


def _odd_ending(step: Step) -> str:
    outcome = step.info.get("outcome")
    if step.terminated and step.truncated:
        return "a step is both terminated and truncated"
    if step.terminated and outcome not in OUTCOMES:
        return f"a talk is terminated with info['outcome']={outcome!r}: one of {OUTCOMES} is needed"
    if step.truncated and "fault" not in step.info:
        return "a talk is truncated without info['fault']: only a failure may cut it off"
    if not (step.terminated or step.truncated) and outcome is not None:
        return f"a talk goes on with info['outcome']={outcome!r}"
    return ""


def _goes_on(env: gym.Env[Any, Any]) -> bool:
    try:
        env.step("Go on.")
    except EpisodeOver:
        return False
    return True


def _reproducible(subject: Subject) -> str:
    for seed, script in subject.talks:
        first, record = played(subject.env, seed, script), _record(subject)
        played(subject.env, seed + 1000, ("Go on.", "What was it like?"))
        again, other = played(subject.env, seed, script), _record(subject)
        if len(first) != len(again):
            what = f"it took {len(first) - 1} turns, and {len(again) - 1} the second time"
        else:
            places = [n for n, pair in enumerate(zip(first, again, strict=True)) if _unlike(*pair)]
            what = f"step {places[0]} came out otherwise" if places else ""
        if not what and record != other:
            what = "the records are not the same bytes"
        if what:
            message = (
                f"with seed {seed} the same talk was played twice, another one between: {what}"
            )
            raise CheckFailed(message, law="reproducible", dialogue=_shown(subject, again))
    return ""


def _record(subject: Subject) -> str:
    return "" if subject.ours is None else canonical(subject.ours.trace.to_record())


def _unlike(one: Step, other: Step) -> bool:
    # As text, so that NaN is like NaN.
    return repr(one) != repr(other)


def _no_leak(subject: Subject) -> str:
    ours = subject.ours
    if ours is not None and ours.expose_latent:
        return "expose_latent=True shows the hidden state on purpose"
    for seed, script in subject.talks:
        steps = played(subject.env, seed, script)
        found = _first_leak(steps, None if ours is None else ours.trace)
        if found:
            raise CheckFailed(
                found,
                law="no-leak",
                dialogue=_shown(subject, steps),
                hint="What an agent must not see stays in the trace; expose_latent=True is for "
                "looking at it.",
            )
    return ""


def _first_leak(steps: Sequence[Step], trace: Trace | None) -> str:
    """Return what is shown that is hidden, in words, or ""."""
    for number, step in enumerate(steps):
        found = _leak(step, () if trace is None else _hidden(trace, number))
        if found:
            return f"{f'step {number}' if number else 'reset'} shows {found}"
    return "" if trace is None else _leaked_number(steps, trace)


def _hidden(trace: Trace, turn: int) -> tuple[str, ...]:
    """Return texts that nobody may see as they are: ids and texts of what a gate keeps, moods."""
    persona, need = trace.scenario.written, trace.scenario.need
    items = (*persona.facts, *persona.feelings, *persona.variant(need).facts)
    kept = [text for item in items if item.gate is not None for text in (item.id, item.text)]
    return (*kept, trace.turns[turn - 1].answers[0].manner) if turn else tuple(kept)


def _leak(step: Step, hidden: Sequence[str]) -> str:
    """Return what a step shows that is hidden, in words, or ""."""
    for path, value in _leaves(step.info, "info"):
        name = path.rpartition("[")[2].strip("]'\"")
        if name in SECRET:
            return path
        if isinstance(value, str) and (need := _named(value)):
            return f"a need, {need}, in {path}"
        if value in hidden:
            return f"{value!r}, which only the trace may hold, in {path}"
    need = _named(step.observation) if isinstance(step.observation, str) else ""
    return f"a need, {need}, in the observation" if need else ""


def _leaked_number(steps: Sequence[Step], trace: Trace) -> str:
    """Return which number of `info` follows a part of the mood through the talk, or ""."""
    shown: dict[str, list[float]] = {}
    for step in steps[1:]:
        for path, value in _leaves(step.info, "info"):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                shown.setdefault(path, []).append(float(value))
    moods = [turn.answers[0].mood for turn in trace.turns]
    for path, values in shown.items():
        for name in ("emotion", "trust", "heard", "met", "strain"):
            felt = [float(getattr(mood, name)) for mood in moods]
            if _follows(values, felt):
                return f"every step shows the {name} of the mood in {path}"
    return ""


def _follows(values: Sequence[float], felt: Sequence[float]) -> bool:
    """Return whether numbers are those that are felt, as they are, rounded, or in hundredths."""
    if len(values) != len(felt) or min(len({*felt}), len({*values})) < _DISTINCT:
        return False
    pairs = list(zip(values, felt, strict=True))
    if max(felt) <= 1:
        return all(abs(value - level) < _ROUNDED for value, level in pairs)
    return any(all(abs(scale * value - level) <= 1 for value, level in pairs) for scale in (1, 100))


_ROUNDED: Final = 0.006
"""Two decimals are enough to learn from."""
_DISTINCT: Final = 2
"""A number that stays the same, as trust may at 0, is no sign of a leak."""


def _named(text: str) -> str:
    return next((need for need in NEEDS if need in text), "")


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield every value within mappings and lists, with the way to it."""
    yield path, value
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[object, object]", value).items():
            yield from _leaves(inner, f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(cast("Sequence[object]", value)):
            yield from _leaves(inner, f"{path}[{number}]")


class _Mute:
    """A speaker that fails."""

    name = "mute"

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        """Fail."""
        del moment
        yield from ()
        raise TimedOut("made to fail")


def _faults(subject: Subject) -> str:
    ours = subject.ours
    if ours is None:
        return "a failure can be caused in an EmpathyEnv only"
    if isinstance(ours.task.protocol, ReportedProtocol):
        return "the speaker is the model itself, which only its backend can make fail"
    task = ours.task
    ours.task = copy(task)
    ours.task.speaker = _Mute()
    try:
        subject.env.reset(seed=0)
        return _faulted(subject, ours)
    finally:
        ours.task = task


def _faulted(subject: Subject, ours: EmpathyEnv) -> str:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=".*NaN.*"
            )  # Gymnasium's, of what is right here
            step = _step(subject.env, "Go on.")
    except Fault:
        if ours.on_fault == "raise":
            return ""
        raise CheckFailed("a failure raises, but on_fault='truncate'", law="faults") from None
    problem = ""
    if ours.on_fault == "raise":
        problem = "step returned although the user failed, and on_fault='raise'"
    elif not math.isnan(step.reward):
        problem = f"the turn that a failure cut off is paid {step.reward:g}: NaN is its value"
    elif not step.truncated or step.info.get("valid_for_training") is not False:
        problem = "a failure must truncate, with info['valid_for_training']=False"
    if problem:
        raise CheckFailed(
            problem,
            law="faults",
            dialogue=dialogue_text(ours.trace),
            hint="A failure of machinery is never experience: raise it, or truncate without value.",
        )
    return ""


def _rewards_follow(subject: Subject) -> str:
    ours = subject.ours
    if ours is None:
        return "rewards can be recomputed of an EmpathyEnv only"
    for seed, script in subject.talks:
        steps = played(ours, seed, script)  # what a wrapper makes of it is the wrapper's
        for turn, step in enumerate(steps[1:], start=1):
            expected = ours.task.reward.at(ours.trace.prefix(turn), turn)
            if abs(step.reward - expected) > _TOLERANCE:
                message = f"turn {turn} was paid {step.reward:.6g}, but {expected:.6g} follows"
                raise CheckFailed(message, law="rewards-follow", dialogue=_shown(subject, steps))
    return ""


def _verifiable(subject: Subject) -> str:
    ours = subject.ours
    if ours is None:
        return "traces can be verified of an EmpathyEnv only"
    own = [term.name for term in ours.task.reward.terms if ":" in term.name]
    for seed, script in subject.talks:
        steps = played(subject.env, seed, script)
        verdict = verify(parse_line(ours.trace.to_json()), rewards=own)
        if not verdict.consistent:
            raise CheckFailed(
                f"the trace does not follow from itself: {verdict.mismatch}",
                law="verifiable",
                dialogue=_shown(subject, steps),
            )
    return ""


LAWS: Final = (
    Law("gymnasium", "Gymnasium's own checker finds nothing.", _gymnasium),
    Law("any-text", "Any str can be said, and is answered within the space.", _any_text),
    Law("endings", "A talk ends with an outcome, or with a fault, and then it is over.", _endings),
    Law(
        "reproducible", "The same seed and words give the same talk, byte for byte.", _reproducible
    ),
    Law("no-leak", "Need, mood and evidence are not in observation or info.", _no_leak),
    Law("faults", "A failure raises or truncates, and is never paid.", _faults),
    Law("rewards-follow", "What was paid can be recomputed from the trace.", _rewards_follow),
    Law("verifiable", "The trace of every talk verifies.", _verifiable),
)
"""The laws of environments, in the order in which they are checked."""
