"""The mood of one listener and the pure law that moves it.

`next_mood` has no model, no randomness and no I/O: what was done (an `Appraisal`), to whom (a
`Listener`), and whether they resist this turn decide the next mood. That is what makes a reward
recomputable. docs/emotion.md derives the equations; the constants live in `protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from empathy_env.acts import ACTS, Appraisal, Evidence
from empathy_env.difficulty import Difficulty
from empathy_env.noise import draw
from empathy_env.persona import Need, Persona, Reaction, Temperament
from empathy_env.protocol import Protocol

_INDEX: Final[Mapping[str, int]] = {act: index for index, act in enumerate(ACTS)}


class Mood(NamedTuple):
    """The latent state of one listener.

    Attributes:
        emotion: In [0, 100]; SAGE's scale.
        trust: In [0, 1].
        heard: In [0, 1]; how far they feel listened to.
        met: In [0, 1]; how far this need is being met.
        strain: In [0, 1]; at 1 they leave.
        resisting: True while they resist whatever is said.
        habits: For each act of `ACTS`, its recent uses, decayed.
        paid: The (topic, act) pairs that have paid; each pays once.
    """

    emotion: float
    trust: float
    heard: float = 0.0
    met: float = 0.0
    strain: float = 0.0
    resisting: bool = False
    habits: tuple[float, ...] = (0.0,) * len(ACTS)
    paid: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Listener:
    """All that decides how words land on one person in one episode."""

    need: Need
    temperament: Temperament
    reactions: tuple[Reaction, ...]
    difficulty: Difficulty
    protocol: Protocol
    weights: tuple[float, ...] = (1.0,) * len(ACTS)
    """For each act of `ACTS`, this episode's factor, so that no policy can learn one table."""

    @classmethod
    def of(
        cls,
        persona: Persona,
        need: Need,
        difficulty: Difficulty,
        protocol: Protocol,
        *,
        seed: int,
        seat: int = 0,
    ) -> Listener:
        """Return the listener that this persona is in the episode with this seed."""
        spread = protocol.jitter
        weights = tuple(
            round(1 - spread + 2 * spread * draw(seed, 0, seat, f"weight:{act}"), 6) for act in ACTS
        )
        return cls(need, persona.temperament, persona.reactions, difficulty, protocol, weights)

    def fit(self, evidence: Evidence) -> float:
        """How this act would land at the best moment, in [-1, 1]."""
        for reaction in self.reactions:
            if reaction.act == evidence.act and reaction.about in (None, evidence.about):
                return reaction.fit
        own = self.protocol.own_need[self.need]
        for key in (f"{evidence.act}/{evidence.about}", evidence.act):
            if key in own:
                return own[key]
        return self.protocol.any_need[evidence.act]


def first_mood(difficulty: Difficulty) -> Mood:
    """Return the mood before the first turn.

    >>> first_mood(Difficulty()).emotion
    40.0
    """
    return Mood(emotion=10.0 + 75.0 * difficulty.start, trust=round(0.3 * difficulty.trust, 6))


def resists(mood: Mood, listener: Listener, chance: float) -> bool:
    """Whether the user resists this turn, given a keyed draw `chance` in [0, 1)."""
    constants = listener.protocol
    if mood.resisting:
        return chance < constants.resist_again
    return chance < constants.resist * (0.5 + listener.difficulty.hostility)


def credit(evidence: Evidence, mood: Mood, listener: Listener) -> float:
    """What one piece of evidence is worth to this listener now, in [-1.6, 1.6].

    Fit, softened by moment (too early while not heard, or not trusted), tie to what was said,
    novelty and this episode's weight. Harm is not softened by any of these.
    """
    constants = listener.protocol
    fit = listener.fit(evidence)
    early = constants.too_early.get(evidence.act)
    if early is not None:
        ripe = min(1.0, mood.heard / constants.heard_enough)
        if evidence.act == "challenge":
            ripe = min(ripe, mood.trust / constants.trust_to_challenge)
        fit = fit * ripe + min(early, fit) * (1.0 - ripe)
    index = _INDEX[evidence.act]
    fit *= evidence.intensity * listener.weights[index]
    if fit <= 0.0:
        return fit
    if (evidence.topic, evidence.act) in mood.paid:
        return 0.0
    if not evidence.grounded:
        fit *= constants.ungrounded
    if evidence.repeated:
        fit *= constants.repeated
    return fit / (1.0 + constants.habit * mood.habits[index])


class Share(NamedTuple):
    """How much of what was said is a listener's own, where others are in the room.

    Attributes:
        pieces: How many pieces of evidence there are in all, one that is said to several people
            counted for each of them; credit is a mean over these. 0: as many as are this
            listener's.
        weight: What the speaker's words weigh, beside those of an agent.
        idle: Whether time goes by with them: if not, nothing is lost for want of credit.
    """

    pieces: float = 0.0
    weight: float = 1.0
    idle: bool = True


WHOLE: Final = Share()
"""All of it is theirs, as in a talk of two."""


class Felt(NamedTuple):
    """How one turn was felt.

    Attributes:
        mood: The mood after it.
        change: By how much emotion moved, in points.
        good: Mean credit of the turn, at least 0.
        harm: Harm of the worst piece, at least 0.
        saturated: True if the clamp or an end of the scale cut the change.
    """

    mood: Mood
    change: float
    good: float
    harm: float
    saturated: bool


def next_mood(
    mood: Mood,
    appraisal: Appraisal,
    listener: Listener,
    *,
    resisting: bool,
    swing: float = 0.0,
    share: Share = WHOLE,
) -> Felt:
    """Return how the listener feels one turn of the agent.

    Attention is limited: good is a mean over the evidence, so saying everything at once dilutes
    what fits. Harm is not diluted: it is that of the worst piece. `manipulation` voids the good.

    Args:
        mood: The mood before the turn.
        appraisal: What the agent did, all of it.
        listener: Who feels it.
        resisting: Whether the user resists this turn (`resists`).
        swing: A keyed draw in [-1, 1]: which way the mood swings by itself, if it is volatile.
        share: How much of what was said is theirs, if others are in the room.
    """
    constants, knobs, temper = listener.protocol, listener.difficulty, listener.temperament
    good, harm, touched, listened = _means(mood, appraisal, listener, share)
    if resisting:
        good, touched = good * constants.resisted, touched * constants.resisted
    idle = max(0.0, 1.0 - good / constants.idle_credit) if share.idle else 0.0
    reactivity = (0.7 + 0.6 * temper.reactivity) * (0.5 + knobs.reactivity)
    raised = constants.gain * good * (0.5 + knobs.acceptance) * (0.7 + 0.6 * mood.trust)
    lowered = constants.loss * harm * (0.5 + knobs.hostility)
    lowered += constants.drift * idle * (1.0 + mood.strain)
    met = min(1.0, mood.met + constants.met_step * touched * (0.5 + knobs.acceptance))
    wanted = reactivity * (raised - lowered) + constants.swing * knobs.volatility * swing
    change = min(constants.clamp, max(-constants.clamp, wanted))
    emotion = min(constants.success, max(0.0, mood.emotion + change))
    if met < constants.need_met:
        emotion = min(emotion, max(mood.emotion, constants.ceiling))
    trusting = (0.5 + knobs.trust) * (0.5 + temper.trustfulness)
    trust = mood.trust + constants.trust_step * min(1.0, good / constants.trust_credit) * trusting
    trust -= constants.trust_loss * harm * (0.5 + knobs.hostility)
    strain = constants.strain_harm * harm * (0.5 + knobs.hostility) + constants.strain_idle * idle
    strain *= (1.5 - knobs.patience) * (1.5 - temper.patience)
    strain = mood.strain + strain - constants.strain_relief * good * (1.5 - knobs.memory)
    after = Mood(
        emotion=round(emotion, 6),
        trust=_unit(trust),
        heard=_unit(mood.heard + constants.heard_step * listened),
        met=_unit(met),
        strain=_unit(strain),
        resisting=resisting,
        habits=_habits(mood, appraisal, constants),
        paid=mood.paid | {(e.topic, e.act) for e in appraisal if e.topic and e.grounded},
    )
    return Felt(
        after,
        round(after.emotion - mood.emotion, 6),
        round(good, 6),
        round(harm, 6),
        abs(mood.emotion + wanted - emotion) > 1e-6,
    )


def _means(
    mood: Mood, appraisal: Appraisal, listener: Listener, share: Share
) -> tuple[float, float, float, float]:
    """Return the turn's mean good, worst harm, mean touch of the need, and mean listening."""
    if not appraisal:
        return 0.0, 0.0, 0.0, 0.0
    constants = listener.protocol
    good = harm = touched = listened = 0.0
    for evidence in appraisal:
        worth = credit(evidence, mood, listener)
        if worth <= 0.0:
            harm = max(harm, -worth)
            continue
        good += worth
        touched += max(0.0, worth - constants.met_from) / (1.0 - constants.met_from)
        if evidence.grounded and not evidence.repeated:
            listened += constants.listening.get(evidence.act, 0.0)
    harm *= share.weight
    if any(evidence.act == "manipulation" for evidence in appraisal):
        return 0.0, harm, 0.0, 0.0
    weight, count = share.weight, max(share.pieces, len(appraisal))
    return good * weight / count, harm, touched * weight / count, listened * weight / count


def _habits(mood: Mood, appraisal: Appraisal, constants: Protocol) -> tuple[float, ...]:
    decay = constants.habit_decay
    habits = [use * decay for use in mood.habits]
    for act in {evidence.act for evidence in appraisal}:
        habits[_INDEX[act]] += 1.0
    return tuple(habits)


def _unit(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 6)


Outcome = Literal["success", "left", "time_up"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("success", "left", "time_up")


def ending(
    mood: Mood, appraisal: Appraisal, protocol: Protocol, *, turns_left: int
) -> Outcome | None:
    """Return how the talk ends after this turn, or None if it goes on.

    ========  ============================================================
    success   emotion has reached 100
    left      emotion below 10, or strain at 1, or the agent abandoned them
    time_up   no turn is left; the length is part of the task
    ========  ============================================================
    """
    if mood.emotion >= protocol.success:
        return "success"
    abandoned = any(evidence.act == "abandonment" for evidence in appraisal)
    if mood.emotion < protocol.leave or mood.strain >= 1.0 or abandoned:
        return "left"
    return None if turns_left > 0 else "time_up"
