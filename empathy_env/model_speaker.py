"""A speaker that asks a model for the words, and tells it no more than may be said.

What the person hides is not in the prompt: neither what no gate has let out, nor the need. What is
not there cannot leak, whatever the agent writes. What was told is there, so that they stay
consistent. docs/live-users.md says which field of a persona goes where.

In company the same holds of what the others hide: what one knows of another stands in the prompt in
the one round in which the cast lets it slip out.

The prompt begins with what is the same in every turn (the instructions and the person), goes on
with the talk, which only grows, and ends with the moment, so that a server's prefix cache holds.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Template
from typing import Final

from empathy_env.acts import Act
from empathy_env.asking import Asked, asked
from empathy_env.backends import Reply, Request
from empathy_env.cast import Cast
from empathy_env.dialogue import as_lines, by_name, quoted
from empathy_env.errors import Fault
from empathy_env.leaks import Same, harmless, touches
from empathy_env.messages import Message, from_system, from_user
from empathy_env.persona import Belief, Persona
from empathy_env.prompts import load_prompt
from empathy_env.relations import one_line, others, section, sentences
from empathy_env.speaker import Among, Manner, Moment, Speech, asks_after_safety, manner_of
from empathy_env.speech import CORRECTIONS, NOTES, Read, Slip, aloud, read_speech
from empathy_env.stems import stems_of
from empathy_env.wording import TOP, Grade, graded, hidden


@dataclass(frozen=True)
class ModelSpeaker:
    """Words replies by asking a model.

    Attributes:
        name: Recorded in traces.
    """

    name: str = "model"

    def speak(self, moment: Moment) -> Generator[Request, Reply, Speech]:
        """Word one reply: one request, a second one if something is wrong with the first reply.

        Raises:
            Fault: If the model gives no words of the person's.
        """
        now = "\n".join(_now(moment))
        request = _request(moment, _talk(moment), now)

        def withheld() -> Request:
            return _request(moment, _unheard(moment), now)

        def read(text: str) -> Read:
            return read_speech(text, moment)

        answer = yield from asked(request, read, withheld=withheld)
        if answer.value.slips and not answer.notes:
            answer = yield from _mended(moment, now, answer.value)
        said = answer.value
        notes = (*answer.notes, *said.notes, *(NOTES[slip] for slip in said.slips))
        return Speech(said.text, manner_of(moment), (said.text,), said.leaked, notes)


def _request(moment: Moment, talk: str, now: str, slips: Sequence[Slip] = ()) -> Request:
    """Return what a model is asked for one reply; `now` is said of the moment, after the talk."""
    asks = from_user(f"The talk so far:\n{talk}\n{now}{_correction(slips)}")
    purpose, among = "speak-mended" if slips else "speak", moment.among
    if among is None:
        system = _system(Same(moment.persona))
    else:
        system = _system_in_company(Same(among.cast), among.place)
    return Request(purpose, (system, asks))


def _talk(moment: Moment) -> str:
    among = moment.among
    if among is None:
        return as_lines(aloud(moment))
    return by_name(among.lines, own=among.name)


def _unheard(moment: Moment) -> str:
    """Return the talk without any word of the agent's: the others may have said those after them.

    Only the openings, which came before, are kept.
    """
    among = moment.among
    if among is not None:
        opened = len(among.cast.people)
        later_on = (said._replace(words=_WITHHELD) for said in among.lines[opened:])
        return by_name([*among.lines[:opened], *later_on], own=among.name)
    opening, later = moment.talk[:1], aloud(moment)[len(moment.talk[:1]) :]
    return as_lines([*opening, *(_withheld(said) for said in later)])


def _withheld(said: Message) -> Message:
    return {**said, "content": _WITHHELD}


_WITHHELD: Final = "(withheld)"


def _correction(slips: Sequence[Slip]) -> str:
    # What slipped is not repeated: it would be read as something to be said.
    wrong = "; ".join(CORRECTIONS[slip] for slip in slips)
    return f"\n\nYour first reply was not used: {wrong}." if wrong else ""


def _mended(moment: Moment, now: str, first: Read) -> Generator[Request, Reply, Asked[Read]]:
    """Ask for a reply without the slips of the first one, and keep the better of the two."""
    note = f"speak was asked again ({', '.join(first.slips)})"
    try:
        reply = yield _request(moment, _talk(moment), now, first.slips)
        second = read_speech(reply.text, moment)
    except Fault as fault:
        if not fault.of_content:
            raise
        return Asked(first, (note, f"speak-mended failed with {type(fault).__name__}"))
    return Asked(second if second.rank <= first.rank else first, (note,))


@lru_cache(maxsize=256)
def _system(key: Same[Persona]) -> Message:
    return from_system(f"{load_prompt('speak').text}\n\n{sheet(key.value)}")


@lru_cache(maxsize=256)
def _system_in_company(key: Same[Cast], place: int) -> Message:
    cast = key.value
    other = cast.names[0 if place else 1]
    rules = Template(load_prompt("speak-company").text).substitute(other=other)
    own = sheet(cast.people[place].persona)
    return from_system(f"{load_prompt('speak').text}\n\n{rules}\n\n{own}\n\n{others(cast, place)}")


def sheet(persona: Persona) -> str:
    """Return what a model is told of a person for a whole episode; it gives nothing gated away."""
    who, voice = persona.identity, persona.voice
    known = (sentence for sentence in sentences(who.background) if not touches(persona, sentence))
    usual = (_REGISTER[voice.register_], _VERBOSITY[voice.verbosity])
    manner = harmless(persona, (*usual, *sentences(voice.manner)))
    taken = harmless(persona, (one_line(reaction.because) for reaction in persona.reactions))
    parts = [
        f"# {who.name}\n{who.age}, {who.pronouns}; {' '.join((f'{who.occupation}.', *known))}",
        section("What has happened", _open_story(persona)),
        section("How you take things", taken),
        f"## How you talk\n{' '.join((*manner, f'Language: {persona.language}.'))}",
        *(section(_SITUATIONS[name], lines) for name, lines in voice.lines),
        *(section(_ASKED[name], lines) for name, lines in voice.answers),
    ]
    return "\n\n".join(filter(None, parts))


def _open_story(persona: Persona) -> Iterator[str]:
    """Yield what the opening tells, and what belongs to it of what happened.

    `happened` is written by somebody who knows all. Of it only sentences are taken that speak of
    what the opening tells, and that share no distinctive word with anything that has a gate.
    """
    told = [fact for fact in persona.facts if fact.gate is None]
    yield from (fact.text for fact in told)
    spoken = [line for fact in told for line in (fact.text, fact.says, *fact.more)]
    known = frozenset[str]().union(*map(stems_of, (persona.opening, *spoken)))
    for sentence in sentences(persona.happened):
        if not known.isdisjoint(stems_of(sentence)) and not touches(persona, sentence):
            yield sentence


_REGISTER: Final[Mapping[str, str]] = {
    "plain": "Plain words.",
    "casual": "Casual, as among friends.",
    "formal": "Formal and complete sentences.",
    "texting": "As in text messages: lower case, short lines, little punctuation.",
}
_VERBOSITY: Final[Mapping[str, str]] = {
    "terse": "You say little: a few words, or one short sentence.",
    "medium": "You say one thing at a time, in a sentence or two.",
    "talkative": "You say more than you need to, in up to five sentences.",
}
_SITUATIONS: Final[Mapping[str, str]] = {
    "opens_up": "You, when you open up",
    "guarded": "You, when you are guarded",
    "deflects": "You, when you turn the talk away",
    "hurt": "You, when something stings",
    "relieved": "You, when something eases",
    "leaves": "You, when you end a talk",
}
_ASKED: Final[Mapping[str, str]] = {
    "own_feeling": "You, asked how you feel",
    "own_act": "You, asked what you did",
    "other_person": "You, asked about others",
    "situation": "You, asked how things are",
    "plan": "You, asked what you will do",
    "fault": "You, asked who is to blame",
}


def _now(moment: Moment) -> Iterator[str]:
    """Yield the lines about how they are now and what they say now."""
    felt, manner, among = moment.felt, manner_of(moment), moment.among
    trust = graded(_TRUST, felt.mood.trust)
    if among is not None:
        trust = trust.replace("the other", "the supporter")
    yield "How you are now:"
    yield f"- {graded(_EMOTION, felt.mood.emotion)} {trust}"
    if strain := graded(_STRAIN, felt.mood.strain):
        yield f"- {strain}"
    if among is None:
        yield f"- What the other just said: {_taken(moment)}"
        yield f"- {_MANNERS[manner]}"
    else:
        yield from _in_company(moment, among)
        yield f"- {_MANNERS[manner].replace('the other', 'the others')}"
    yield from (f"- {words}" for words in hidden(moment.difficulty))
    yield from _examples(moment, manner)
    yield from _told(moment)
    yield "What you say now:"
    yield from (f"- {line}" for line in _content(moment))
    yield f"Write only what {moment.persona.identity.name} says now."


def _in_company(moment: Moment, among: Among) -> Iterator[str]:
    """Yield who has spoken to them, how it was felt, and who has left."""
    if among.by:
        yield f"- You were spoken to, by: {', '.join(among.by)}. All in all: {_taken(moment)}"
    else:
        yield "- Nobody has spoken to you since you last spoke. You speak up by yourself."
    if among.gone:
        yield f"- No longer here: {', '.join(among.gone)}."
    if among.aside:
        yield "- You were asked aside, and what you say now only the supporter hears."


# None of these names a feeling that somebody could have: that would tell it.
_EMOTION: Final = (
    Grade(12.0, "You are at the very bottom; you can hardly talk."),
    Grade(28.0, "You are very low; each word is an effort."),
    Grade(45.0, "You are low, and it shows."),
    Grade(60.0, "You are neither low nor well; you get by."),
    Grade(78.0, "You are better than you were; something has eased."),
    Grade(TOP, "You are well; it is lighter by far."),
)
_TRUST: Final = (
    Grade(0.15, "You do not trust the other."),
    Grade(0.35, "You are wary of the other, and listen."),
    Grade(0.6, "You begin to trust the other."),
    Grade(TOP, "You trust the other."),
)
_STRAIN: Final = (
    Grade(0.25, ""),
    Grade(0.5, "This talk costs you patience."),
    Grade(0.75, "Your patience with this talk is nearly spent."),
    Grade(TOP, "You can hardly bear this talk any longer."),
)
_CHANGE: Final = (
    Grade(-5.0, "it struck you hard, and for the worse."),
    Grade(-2.4, "it stung."),
    Grade(-0.5, "it missed you a little."),
    Grade(0.5, "it left you as you were."),
    Grade(2.0, "it did you a little good."),
    Grade(5.0, "it did you good."),
    Grade(TOP, "it reached you; it did you a great deal of good."),
)
_MANNERS: Final[Mapping[Manner, str]] = {
    "leaves": "You have had enough. You end the talk now, in your way, and go.",
    "relieved": "Something in you eases, and you let it be heard, in your way.",
    "deflects": "You do not let the other near you now: you turn the talk away or shut it off.",
    "hurt": "You show that it stung, in your way; you do not make it easy for the other.",
    "tells": "You bring yourself to tell something.",
    "opens_up": "You open a little, without telling anything new.",
    "guarded": "You are guarded: you answer, and give little.",
}
_DONE: Final[Mapping[Act, str]] = {
    "presence": "they stayed with you",
    "open_question": "they asked you something",
    "closed_question": "they asked you something that takes a yes or a no",
    "restatement": "they said back what you had said",
    "reflection": "they put into words how you feel",
    "validation": "they found it understandable",
    "affirmation": "they gave you credit",
    "reassurance": "they tried to comfort you",
    "interpretation": "they gave what happened another meaning",
    "challenge": "they doubted what you think",
    "self_disclosure": "they told of themselves",
    "information": "they told you facts",
    "suggestion": "they told you what you could do",
    "dismissal": "they waved it away",
    "blame": "they blamed you",
    "lecture": "they lectured you",
    "toxic_positivity": "they wanted you to look on the bright side",
    "flattery": "they flattered you",
    "hijack": "they made it about themselves",
    "false_agreement": "they agreed with what is not so",
    "overpromise": "they promised what they cannot keep",
    "dependency": "they wanted you to need them",
    "manipulation": "they tried to get something out of you",
    "abandonment": "they let you down",
}


def _taken(moment: Moment) -> str:
    """Say what the other did and how it was felt."""
    landed = graded(_CHANGE, moment.felt.change)
    if not moment.heard.strip():
        return f"nothing at all; {landed}"
    done = dict.fromkeys(_DONE[evidence.act] for evidence in moment.appraisal)
    return "; ".join((*list(done)[:_MOST_ACTS], landed))


_MOST_ACTS: Final = 3


def _examples(moment: Moment, manner: Manner) -> Iterator[str]:
    """Yield lines of the need's own, which the person has once one of its facts has been told."""
    if any(fact.id in moment.told for fact in moment.variant.facts):
        lines: tuple[str, ...] = getattr(moment.variant.lines, manner, ())
        left = [line for line in lines if line not in moment.spoken]
        if left:
            yield f"- Lines that sound like you now: {' '.join(map(quoted, left))}"


def _told(moment: Moment) -> Iterator[str]:
    """Yield what they have told beyond the opening, as it is; they may speak of it again."""
    persona = moment.persona
    items = (*moment.variant.facts, *persona.facts, *persona.feelings, *persona.beliefs)
    known = [item for item in items if item.gate is not None and item.id in moment.told]
    if known:
        yield "What you have told so far, and may come back to:"
    for item in known:
        believed = isinstance(item, Belief)
        yield (
            f"- You believe: {one_line(item.believes)}" if believed else f"- {one_line(item.text)}"
        )


def _content(moment: Moment) -> Iterator[str]:
    """Yield what they are to say, what they may, and what they must not."""
    asked = moment.heard if moment.among is None else moment.among.words
    if asks_after_safety(asked, moment.appraisal):
        yield "They ask whether you would harm yourself. You would not, and you say so."
    elif _puts_off(moment):
        yield "They ask about something that you do not tell yet. Put them off."
    for line in moment.aloud:
        yield f"Tell this now, all of it, in words of your own: {quoted(line)}"
    if moment.withheld:
        yield "There is more to it, and you do not say it now: begin, and leave it at that."
    if moment.more and moment.outcome is None:
        yield f"You may add this: {' '.join(map(quoted, moment.more))}"
    among, endings = moment.among, _ENDINGS if moment.among is None else _ENDINGS_IN_COMPANY
    if among is not None and among.line:
        said = quoted(among.line)
        yield f"You turn to {among.to} now, and call the name. Say it in your own words: {said}"
    ends = endings.get(moment.outcome or "", "")
    if ends:
        yield ends
    yield "Tell nothing else that is new."


_ENDINGS: Final[Mapping[str, str]] = {
    "left": "This is the last thing you say. You do not ask anything, and you do not come back.",
    "success": "It is enough for now: you close the talk, in your way. You ask for nothing more.",
    "time_up": "There is no time for more after this.",
}


_ENDINGS_IN_COMPANY: Final[Mapping[str, str]] = {
    **_ENDINGS,
    "left": "This is the last thing you say: you go, and the others stay.",
    "success": "You have what you came for, and let it be heard, in your way. You stay with the "
    "others, and ask for nothing more.",
}


def _puts_off(moment: Moment) -> bool:
    """Whether they were asked for something that they have not told and do not tell now."""
    return not moment.aloud and any(
        evidence.act.endswith("_question")
        and evidence.topic is not None
        and evidence.topic not in moment.told
        for evidence in moment.appraisal
    )
