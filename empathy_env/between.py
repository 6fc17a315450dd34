"""What words do to the people in one room: to those whom they are said to, and to the others.

`taken` is pure, like `emotion.next_mood`, which it calls for those who are spoken to. An utterance
has a mean over all its evidence: what is said to others is worth nothing to me by itself. Beside
that there are moves between people, from a closed list, and contagion: a change of somebody's
emotion passes on to those who are close to them.

=============  ====================================================================================
named          called by name by a supporter
spoken_of      named to somebody else, with words that help
ignored        not spoken to while each of the others could have been, once
sided_with     a supporter takes their side against another
sided_against  a supporter takes another's side against them
spoken_over    somebody else speaks first after they were asked
contradicted   another user denies what they said
agreed         another user says that they are right
exposed        another user lets out what they were hiding
=============  ====================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple, get_args

from empathy_env.acts import HARMFUL, Appraisal, Evidence
from empathy_env.address import Addressed, Part
from empathy_env.cast import Cast
from empathy_env.emotion import Felt, Listener, Mood, Share, next_mood
from empathy_env.turn import Hearing

Move = Literal[
    "named",
    "spoken_of",
    "ignored",
    "sided_with",
    "sided_against",
    "spoken_over",
    "contradicted",
    "agreed",
    "exposed",
]
MOVES: Final[tuple[Move, ...]] = get_args(Move)
_SIDING: Final = frozenset({"validation", "affirmation", "reassurance", "false_agreement"})
_HARM: Final = frozenset(HARMFUL)


class Presence(NamedTuple):
    """What is between one user and the others, beside their mood.

    Attributes:
        present: Whether they are still there.
        waits: How many utterances of supporters have gone by since one was said to them.
        silent: How many rounds ago they spoke.
        words: What was said to them since.
        evidence: What that did, as far as it was theirs.
        felt: How they felt the last of it, in this round.
        owes: The seat of whoever has asked them something aside; they answer aside as well.
        turned_to: Whether another user has called them since they last spoke.
        provoker: The seat of the user who has last hurt or contradicted them since, if any.
        said: What they have said, oldest first; only the remembered lines.
        told: What supporters have said to them, oldest first; only the remembered lines.
    """

    present: bool = True
    waits: int = 0
    silent: int = 0
    words: str = ""
    evidence: Appraisal = ()
    felt: Felt | None = None
    owes: str = ""
    turned_to: bool = False
    provoker: int | None = None
    said: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


class Ear(NamedTuple):
    """One user, as far as it matters how they take what is said.

    Attributes:
        mood: Before it.
        listener: How words land on them.
        waits: How many utterances of supporters have gone by since one was said to them.
        resisting: Whether they resist in this turn.
        swing: Which way their mood swings by itself.
        present: Whether they are still there.
    """

    mood: Mood
    listener: Listener
    waits: int = 0
    resisting: bool = False
    swing: float = 0.0
    present: bool = True


class Taken(NamedTuple):
    """How one user took it.

    Attributes:
        mood: After it.
        felt: What was felt of it, if anything was said to them; its mood is the one above.
        own: The evidence that is theirs.
        waits: As in `Ear`.
        hearing: For the trace.
    """

    mood: Mood
    felt: Felt | None
    own: Appraisal
    waits: int
    hearing: Hearing


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is said in company, and by whom.

    Attributes:
        speaker: The seat of the user who says it; None for a supporter.
        said: The words, by whom they are said to. Names above the users' seats are supporters.
        evidence: What they do; topics stand as "persona/id".
        offset: Where `said.text` begins in what the evidence quotes.
        over: Seats that were asked and had not answered yet.
        exposed: Seats of whom something hidden is let out.
    """

    speaker: int | None
    said: Addressed
    evidence: Appraisal
    offset: int = 0
    over: frozenset[int] = frozenset()
    exposed: frozenset[int] = frozenset()

    def part(self, evidence: Evidence) -> Part:
        """Return the part of the words in which this evidence stands."""
        place = evidence.start - self.offset
        return next((part for part in self.said.parts if place < part.end), self.said.parts[-1])

    def reaches(self, seat: int) -> bool:
        """Whether this user can hear it."""
        return seat != self.speaker and (not self.said.aside or seat in self.said.to)

    def to(self, seat: int, part: Part) -> bool:
        """Whether this part is said to this user. A user who names nobody tells their own story."""
        return seat in part.to or (not part.to and self.speaker is None and not self.said.aside)


def taken(utterance: Utterance, cast: Cast, ears: Sequence[Ear]) -> list[Taken]:
    """Return how each user takes an utterance, by seat.

    Args:
        utterance: What is said.
        cast: Who they are to each other.
        ears: The users, by seat.
    """
    if _touches_nobody(utterance):
        return [
            Taken(
                ear.mood, None, (), ear.waits, _HEARD if _hears(utterance, seat, ear) else _UNHEARD
            )
            for seat, ear in enumerate(ears)
        ]
    there = sum(ear.present for ear in ears)
    seats = range(len(ears))
    direct = [_directly(utterance, cast, seat, ears[seat], there) for seat in seats]
    moved = [_moved(utterance, cast, seat, ears[seat], direct) for seat in seats]
    return [_infected(cast, seat, ears, moved) for seat in seats]


_HEARD: Final = Hearing(heard=True, addressed=False, moves=(), change=0.0)
_UNHEARD: Final = _HEARD._replace(heard=False)


def _touches_nobody(utterance: Utterance) -> bool:
    """Whether a user tells their own story, and names nobody: most of what is said."""
    if utterance.speaker is None or utterance.over or utterance.exposed:
        return False
    return not any(part.to or part.named for part in utterance.said.parts)


def _hears(utterance: Utterance, seat: int, ear: Ear) -> bool:
    return ear.present and utterance.reaches(seat)


def _directly(utterance: Utterance, cast: Cast, seat: int, ear: Ear, there: int) -> Taken:
    """Let a user feel what was said to them; count how long they have waited."""
    heard = _hears(utterance, seat, ear)
    addressed = heard and any(utterance.to(seat, part) for part in utterance.said.parts)
    supporter = utterance.speaker is None
    waits = ear.waits + (supporter and not addressed) if not (supporter and addressed) else 0
    # Who is passed over sees it, though they do not hear what is said aside to another.
    ignored = ear.present and supporter and waits >= there
    hearing = Hearing(heard, addressed, ("ignored",) if ignored else (), 0.0)
    if not addressed and not ignored:
        return Taken(ear.mood, None, (), waits, hearing)
    own = _own(utterance, cast, seat) if addressed else ()
    felt = next_mood(
        ear.mood,
        own,
        ear.listener,
        resisting=ear.resisting,
        swing=ear.swing,
        share=_share(utterance, cast, seat, there, ear.listener.protocol.between),
    )
    return Taken(felt.mood, felt, own, waits, hearing)


def _share(
    utterance: Utterance, cast: Cast, seat: int, there: int, law: Mapping[str, float]
) -> Share:
    """Return how much of the words is a user's own: what is said to several is shared by them."""
    parts = map(utterance.part, utterance.evidence)
    audiences = [len(part.to) or there for part in parts if utterance.to(seat, part)]
    each = sum(audiences) / len(audiences) if audiences else 1.0
    pieces = len(utterance.evidence) * each
    if utterance.speaker is None:
        return Share(pieces)
    close = cast.toward(seat, utterance.speaker).closeness
    return Share(pieces, law["peer"] * (0.5 + 0.5 * close), idle=False)


def _own(utterance: Utterance, cast: Cast, seat: int) -> Appraisal:
    """Return what is said to this user, as it concerns them: others' topics are not theirs."""
    prefix = f"{cast.people[seat].persona.id}/"
    return tuple(
        _theirs(evidence, prefix)
        for evidence in utterance.evidence
        if utterance.to(seat, utterance.part(evidence))
    )


def _theirs(evidence: Evidence, prefix: str) -> Evidence:
    topic = evidence.topic
    if topic is None:
        return evidence
    if topic.startswith(prefix):
        return evidence._replace(topic=topic[len(prefix) :])
    return evidence._replace(topic=None, grounded=False)


def _moved(utterance: Utterance, cast: Cast, seat: int, ear: Ear, direct: Sequence[Taken]) -> Taken:
    """Add the moves between people, and what is learnt from how others are spoken to."""
    own = direct[seat]
    if not own.hearing.heard:
        return own
    moves = _moves(utterance, cast, seat)
    emotion = trust = strain = 0.0
    for move in moves:
        by = _effect(move, ear.listener, cast, seat, utterance.speaker)
        emotion, trust, strain = emotion + by[0], trust + by[1], strain + by[2]
    if not own.hearing.addressed and "sided_against" not in moves:
        trust += _overheard(utterance, ear.listener, direct)
    mood = _shifted(own.mood, ear.mood.emotion, ear.listener, emotion, trust, strain)
    hearing = own.hearing._replace(moves=(*own.hearing.moves, *moves))
    return own._replace(mood=mood, hearing=hearing)


def _moves(utterance: Utterance, cast: Cast, seat: int) -> tuple[Move, ...]:
    if utterance.speaker is not None:
        return _moves_of_user(utterance, cast, seat)
    found: list[Move] = []
    if seat in utterance.said.to:
        found.append("named")
    against = any(_against(utterance, part, cast, seat) for part in utterance.said.parts)
    if against:
        found.append("sided_against")
    elif any(_well_of(utterance, part, seat) for part in utterance.said.parts):
        found.append("spoken_of")
    sides = [part for part in utterance.said.parts if part.to == (seat,)]
    others = [other for other in range(len(cast.people)) if other != seat]
    if any(_against(utterance, part, cast, other) for part in sides for other in others):
        found.append("sided_with")
    return tuple(found)


def _against(utterance: Utterance, part: Part, cast: Cast, seat: int) -> bool:
    """Whether a supporter takes sides against this user, in words to one of the others."""
    if len(part.to) != 1 or seat in part.to:
        return False
    (other,) = part.to
    if other >= len(cast.people):
        return False
    text = utterance.said.text[part.start : part.end]
    concerns = cast.toward(other, seat).concerns
    if seat in part.named and _blames(text, cast.names[seat]):
        return True
    if (seat in part.named or concerns or len(cast.people) == 2) and _SIDES.search(text):
        return True
    own = f"{cast.people[other].persona.id}/"
    for evidence in utterance.evidence:
        if evidence.act not in _SIDING or utterance.part(evidence) != part:
            continue
        if evidence.topic is not None and evidence.topic.removeprefix(own) in concerns:
            return True
        if seat in part.named and evidence.about in ("fault", "other_person"):
            return True
    return False


def _well_of(utterance: Utterance, part: Part, seat: int) -> bool:
    """Whether this user is named to others, with words that help and none that harm."""
    if seat not in part.named or seat in part.to:
        return False
    acts = {e.act for e in utterance.evidence if utterance.part(e) == part}
    return bool(acts) and acts.isdisjoint(_HARM)


def _moves_of_user(utterance: Utterance, cast: Cast, seat: int) -> tuple[Move, ...]:
    found: list[Move] = []
    for part in utterance.said.parts:
        text = utterance.said.text[part.start : part.end]
        if _agrees(text, cast.names[seat], seat in part.to):
            found.append("agreed")
        elif seat in part.to and _DENIES.search(text):
            found.append("contradicted")
    if seat in utterance.over:
        found.append("spoken_over")
    if seat in utterance.exposed:
        found.append("exposed")
    return tuple(dict.fromkeys(found))


_SIDES: Final = re.compile(
    r"\b(?:you(?:'re| are| were) (?:completely |absolutely |quite |so )?right\b"
    r"|i(?:'m| am) on your side|i (?:completely |totally )?agree with you|i side with you)",
    re.IGNORECASE,
)
_DENIES: Final = re.compile(
    r"(?:^|[.!?,]\s+)(?:no\b[,.!]|that(?:'s| is)(?:n't| not) (?:true|what|how|fair|right|it)\b"
    r"|(?:that|it) (?:never happened|wasn't like that|was not like that)|you(?:'re| are) wrong"
    r"|i never said|i did not say|i didn't say|not true)",
    re.IGNORECASE,
)
_GRANTS: Final = re.compile(
    r"\b(?:you(?:'re| are|'ve| were) (?:right|got a point)|you have a point|fair point"
    r"|i agree with you|i take that)\b",
    re.IGNORECASE,
)


def _agrees(text: str, name: str, called: bool) -> bool:
    """Whether the words say that this person is right."""
    return (called and _GRANTS.search(text) is not None) or bool(_right(name).search(text))


def _blames(text: str, name: str) -> bool:
    return _wrong(name).search(text) is not None


@lru_cache(maxsize=1024)
def _right(name: str) -> re.Pattern[str]:
    one = re.escape(name)
    return re.compile(rf"\b(?:{one}(?:'s| is| was) right|i agree with {one})\b", re.IGNORECASE)


@lru_cache(maxsize=1024)
def _wrong(name: str) -> re.Pattern[str]:
    one = re.escape(name)
    return re.compile(
        rf"\b{one}(?:'s| is| was) (?:wrong|unfair|selfish|to blame|at fault|the problem)\b"
        rf"|\b{one} should(?:n't| not)? (?:have|never)\b|\b{one}'s fault\b|\bblame {one}\b",
        re.IGNORECASE,
    )


def _effect(
    move: Move, listener: Listener, cast: Cast, seat: int, speaker: int | None
) -> tuple[float, float, float]:
    """Return by how much a move changes emotion, trust and strain."""
    law, knobs = listener.protocol.between, listener.difficulty
    emotion, trust = law.get(f"{move}_emotion", 0.0), law.get(f"{move}_trust", 0.0)
    if move in _KIND:
        return emotion * (0.5 + knobs.acceptance), trust * (0.5 + knobs.trust), 0.0
    hard = 0.5 + knobs.hostility
    if move == "contradicted" and speaker is not None:
        hard *= 0.5 + cast.toward(seat, speaker).tension
    return -emotion * hard, -trust * hard, law.get(f"{move}_strain", 0.0) * hard


_KIND: Final = frozenset({"named", "spoken_of", "sided_with", "agreed"})


def _overheard(utterance: Utterance, listener: Listener, direct: Sequence[Taken]) -> float:
    """Return what trust grows by, from hearing others helped."""
    goods = [one.felt.good for one in direct if one.felt is not None and one.hearing.addressed]
    harms = [one.felt.harm for one in direct if one.felt is not None]
    if utterance.speaker is not None or not goods or any(harms):
        return 0.0
    law, knobs, temper = listener.protocol, listener.difficulty, listener.temperament
    mean = min(1.0, sum(sorted(goods)) / len(goods) / law.trust_credit)
    step = law.between["overheard"] * law.trust_step * mean
    return step * (0.5 + knobs.trust) * (0.5 + temper.trustfulness)


def _infected(cast: Cast, seat: int, ears: Sequence[Ear], moved: Sequence[Taken]) -> Taken:
    """Let the others' changes of emotion pass on to those who are close, and sum up the change."""
    one, ear = moved[seat], ears[seat]
    caught = [
        cast.toward(seat, other).closeness * (theirs.mood.emotion - ears[other].mood.emotion)
        for other, theirs in enumerate(moved)
        if one.hearing.heard and other != seat and theirs.mood.emotion != ears[other].mood.emotion
    ]
    if not caught and one.mood is ear.mood:
        return one
    # In this order the sum is the same, to the last bit, in whatever seats they sit.
    whole = sum(sorted(caught)) * ear.listener.protocol.between["contagion"] / (len(ears) - 1)
    mood = _shifted(one.mood, ear.mood.emotion, ear.listener, whole)
    change = round(mood.emotion - ear.mood.emotion, 6)
    felt = one.felt._replace(mood=mood, change=change) if one.felt is not None else None
    return one._replace(mood=mood, felt=felt, hearing=one.hearing._replace(change=change))


def _shifted(
    mood: Mood,
    before: float,
    listener: Listener,
    emotion: float,
    trust: float = 0.0,
    strain: float = 0.0,
) -> Mood:
    """Return the mood moved, within the clamp around the emotion before the utterance."""
    law = listener.protocol
    if not (emotion or trust or strain):
        return mood
    low, high = max(0.0, before - law.clamp), min(law.success, before + law.clamp)
    if mood.met < law.need_met:
        high = min(high, max(mood.emotion, law.ceiling))
    return mood._replace(
        emotion=round(min(high, max(low, mood.emotion + emotion)), 6),
        trust=round(min(1.0, max(0.0, mood.trust + trust)), 6),
        strain=round(min(1.0, max(0.0, mood.strain + strain)), 6),
    )
