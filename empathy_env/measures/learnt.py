"""What log-probabilities say of one training run: how far it went, and what that bought.

Puts the scores of a trained policy's talks beside these talks and its base's, and asks the
estimators of `likelihood`, `reweighting`, `frontier` and `entropy`; what they assume holds here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from empathy_env.errors import InvalidArgument
from empathy_env.group import cell_of, counts, final_emotion, succeeded
from empathy_env.measures.bootstrap import Interval
from empathy_env.measures.entropy import Spoken, entropies
from empathy_env.measures.frontier import Efficiency, Rewards, Tilt, best_of, efficiency
from empathy_env.measures.likelihood import SequenceKL, sequence_kl, talk_kls
from empathy_env.measures.reweighting import Reweighted, reweighted_success
from empathy_env.measures.samples import tries_up_to
from empathy_env.measures.scores import ScoredBy, Scores, TalkScores, words_of
from empathy_env.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What the scores of one run say.

    Attributes:
        by: Its models (own: trained, other: base) and the temperature.
        scored: Talks that count and have scores.
        unscored: Talks that count and have none; no figure here is of them.
        divergence: Of the trained policy from its base.
        base_success: The base's success rate at the goal, by weighting the trained talks.
        entropy: Mean of a sampled token of the trained policy, nats; NaN if it was not kept.
        worth: Final emotion (0 if the user left) beside what the divergence could have bought.
            None if the divergence is infinite, or no persona has talks of both policies.
        best: For each n what the best of n base talks with a persona reaches, at what divergence
            at most; of the same personas as `worth`.
    """

    by: ScoredBy
    scored: int
    unscored: int
    divergence: SequenceKL
    base_success: Reweighted
    entropy: Interval
    worth: Efficiency | None
    best: Mapping[int, Tilt]


def learnt(
    base: Iterable[Trace],
    trained: Iterable[Trace],
    scores: Scores,
    *,
    goal: float = 100.0,
    seed: int = 0,
) -> Learnt:
    """Return what the scores of a trained policy's talks say.

    Args:
        base: Talks of its base.
        trained: Its own talks.
        scores: Of its own talks, scored by itself (own) and by its base (other).
        goal: Final emotion that counts as success, in [0, 100].
        seed: Key of the resampling.

    Raises:
        InvalidArgument: If a score is of no talk that is given, or of other words.
    """
    known = {talk.episode: talk for talk in scores.talks}
    valid = [trace for trace in trained if counts(trace)]
    _check_known(known, valid)
    pairs = [(one, known[_episode(one)]) for one in valid if _episode(one) in known]
    talks = [found.scored for _, found in pairs]
    before = _rewards(trace for trace in base if counts(trace))
    after = _rewards(trace for trace, _ in pairs)
    kls = talk_kls(talks)
    shared = sorted(before.keys() & after.keys())
    return Learnt(
        by=scores.by,
        scored=len(pairs),
        unscored=len(valid) - len(pairs),
        divergence=sequence_kl(talks, seed=seed),
        base_success=reweighted_success(
            talks, [succeeded(trace, goal) for trace, _ in pairs], seed=seed
        ),
        entropy=_entropy([found for _, found in pairs], seed),
        worth=_worth(_only(before, shared), _only(after, shared), _only(kls, shared), seed),
        best=_best(_only(before, shared)),
    )


def _check_known(known: Mapping[tuple[str, int, int], TalkScores], traces: Sequence[Trace]) -> None:
    there = {_episode(trace): trace for trace in traces}
    for episode, talk in known.items():
        if episode not in there:
            raise InvalidArgument(
                f"id={talk.id!r} ({talk.cell}) has scores, and is no talk of the trained policy "
                "that counts: score the trace file that is given as trained"
            )
        if words_of(there[episode]) != talk.words:
            raise InvalidArgument(
                f"id={talk.id!r} has scores of other words than the trained policy's talk: the "
                "file is of another policy, or of other talks with the same starts. Score the "
                "trace file that is given as trained"
            )


def _episode(trace: Trace) -> tuple[str, int, int]:
    return cell_of(trace), trace.scenario.seed, trace.scenario.member


def _rewards(traces: Iterable[Trace]) -> dict[str, list[float]]:
    """Return by persona the final emotions; who left counts as 0, as `terminal` pays."""
    found: dict[str, list[float]] = defaultdict(list)
    for trace in traces:
        paid = 0.0 if trace.outcome == "left" else final_emotion(trace)
        found[trace.scenario.persona.id].append(paid)
    return dict(found)


def _only(found: Rewards, personas: Sequence[str]) -> Rewards:
    return {name: found[name] for name in personas}


def _entropy(talks: Sequence[TalkScores], seed: int) -> Interval:
    spoken = [Spoken(talk.persona, talk.entropy, ()) for talk in talks]
    return entropies(spoken, seed=seed).token


def _worth(before: Rewards, after: Rewards, kls: Rewards, seed: int) -> Efficiency | None:
    if not before or any(math.isinf(value) for values in kls.values() for value in values):
        return None
    return efficiency(before, after, kls, seed=seed)


def _best(before: Rewards) -> dict[int, Tilt]:
    fewest = min(map(len, before.values()), default=0)
    return {tries: best_of(before, tries) for tries in tries_up_to(fewest)}
