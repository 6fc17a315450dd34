"""The thirteen defects of the released training code: each rejects a toy that has it, and not ours.

The toys are our own, a few lines each, with one defect. A check says what must hold; it is run on
the toy, which it must refuse, and on the real kernel with a scripted model. docs/protocols.md has
the list.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import pytest
from reported import (
    SAGE,
    TOM,
    Model,
    played,
    reply,
    report,
    scenario,
    shown_emotion,
    talk_of,
)

from empathy_env.backends import ScriptedBackend
from empathy_env.conversation import say
from empathy_env.drivers import run, run_many
from empathy_env.errors import Fault, RequestRejected, TimedOut, UnparseableReply
from empathy_env.profile import Profile
from empathy_env.reward import load_reward
from empathy_env.scaffold import Scaffold, Split

SOMEBODY = {"id": "x", "player": "Somebody.", "scene": "Something.", "task": "just listen"}
ADA, IDA, UDO = (
    Profile.parse({**SOMEBODY, "id": name, "player": f"I am {name}.", "first_talk": f"{name}."})
    for name in ("ada", "ida", "udo")
)


class AsksForEver(Exception):
    """Raised by a model that was asked too often, in place of a hang."""


class Counted:
    """A model that answers with `function(request)`, and stops who asks it for ever."""

    def __init__(self, function):
        self.function = function
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        if len(self.asked) > 60:
            raise AsksForEver
        return self.function(request)


# 1. The emotion that the analysis is shown is frozen at its start.


def frozen(changes):
    before, shown, after = 40, [], 40
    for change in changes:
        shown.append(before)  # the defect: `after` would be right; only the history is kept
        after += change
    return shown, after


def ours_shown(changes):
    model = Model(*changes)
    talk = played(model, turns=len(changes))
    return [shown_emotion(r) for r in model.of("report")], talk.users[0].mood.emotion


def check_emotion_shown(shown_in):
    shown, after = shown_in([5, 10, -3])
    assert shown == [40, 45, 55]
    assert after == 52


# 2. Replies come from simulators by their place in a list that shrinks when talks end.


def by_place(names, lengths):
    answered = {name: [] for name in names}
    todo, turn = list(names), 0
    while todo:
        turn += 1
        for place, talk in enumerate(todo):
            answered[talk].append(names[place])  # the defect: `talk` itself would be right
        todo = [talk for talk in todo if turn < lengths[names.index(talk)]]
    return answered


def ours_answered(names, lengths):
    people = {person.id: person for person in (ADA, IDA, UDO)}

    def model(request):
        me = re.search(r"I am (\w+)\.", request.messages[0]["content"])[1]
        return report(0) if request.purpose == "report" else reply(me)

    live = {
        name: talk_of(scenario(people[name], max_turns=length))
        for name, length in zip(names, lengths, strict=True)
    }
    answered = {name: [] for name in names}
    while live:
        steps = [say(talk, "Go on.") for talk in live.values()]
        turns = run_many(steps, ScriptedBackend(model))
        live = dict(zip(live, turns, strict=True))
        for name, talk in live.items():
            answered[name].append(talk.turns[-1].answers[0].reply)
        live = {name: talk for name, talk in live.items() if talk.outcome is None}
    return answered


def check_own_user(answered_in):
    answered = answered_in(["ada", "ida", "udo"], [1, 3, 2])
    assert answered == {"ada": ["ada"], "ida": ["ida"] * 3, "udo": ["udo"] * 2}


# 3. Whether a talk ends is asked of the emotion of another: an index from an earlier loop is used.


def stale_ends(changes):
    emotions = dict.fromkeys(changes, 40)
    for talk in emotions:
        emotions[talk] += changes[talk]
    return {other: emotions[talk] < 10 for other in emotions}  # the defect: `talk` is the last


def ours_ends(changes):
    live = {
        name: talk_of(scenario(replace(TOM, id=name), replace(SAGE, start=15.0)))
        for name in changes
    }
    steps = [say(talk, f"To {name}.") for name, talk in live.items()]

    def model(request):
        name = re.search(r"To (\w+)\.", request.messages[-1]["content"])[1]
        return report(changes[name] + 25) if request.purpose == "report" else reply()

    ended = run_many(steps, ScriptedBackend(model))
    return {name: talk.outcome == "left" for name, talk in zip(changes, ended, strict=True)}


def check_own_end(ends_in):
    assert ends_in({"a": -20, "b": -35, "c": -25}) == {"a": False, "b": True, "c": False}


# 4. Nothing bounds a change.


def unbounded(emotion, change):
    return min(100, emotion + change)


def ours_bounded(emotion, change):
    start = scenario(protocol=replace(SAGE, start=float(emotion)))
    return played(Model(change), start, turns=1).users[0].mood.emotion


def check_bounded(after):
    assert after(40, 5) == 45
    assert after(40, 25) == 50
    assert after(95, 10) == 100
    assert after(15, -300) == 5


# 5. A failed call is tried again for ever, and no failure ever comes out.


def tries_for_ever(model):
    while True:
        try:
            return json.loads(model(None))
        except (Fault, ValueError):
            continue  # after a sleep of three seconds


def ours_tries(model):
    return played(model, turns=1)


def check_gives_up(turn_of):
    for failure in (TimedOut("too slow"), UnparseableReply("no"), None):

        def failing(request, failure=failure):
            if failure is None:
                return "no JSON at all"
            raise failure

        model = Counted(failing)
        with pytest.raises(Fault):
            turn_of(model)
        assert len(model.asked) <= 4


# 6. The change is read as a whole line by `int`, and asked for again for ever if that fails.


def strict_line(model):
    while True:
        change = model(None).rpartition('"change": ')[2]
        try:
            return int(change)
        except ValueError:
            continue


def ours_line(model):
    return played(model, turns=1).users[0].mood.emotion - 40


def check_text_around_does_no_harm(change_of):
    def wrapped(request):
        if request is not None and request.purpose == "reply":
            return reply()
        return f"Of course!\n```json\n{report(-5)}\n```\nThat is how he takes it."

    model = Counted(wrapped)
    assert change_of(model) == -5
    assert len(model.asked) <= 2


# 7. Making a simulator asks the model and throws the answer away; a clone asks once more.


class AsksWhenMade:
    def __init__(self, model):
        self.model = model
        model(None)

    def clone(self):
        return AsksWhenMade(self.model)


@dataclass
class OursMade:
    model: Counted

    def __post_init__(self):
        self.talk = talk_of(scenario())

    def clone(self):
        return OursMade(self.model), self.talk.as_member(1)


def check_costs_nothing_to_make(make):
    model = Counted(lambda request: "Hello.")
    make(model).clone()
    assert model.asked == []


# 8. One turn more is played than the limit says.


def one_too_many(limit):
    turn = 0
    while True:
        turn += 1
        if turn > limit:
            return turn


def ours_turns(limit):
    return len(played(Model(0), scenario(max_turns=limit)).turns)


def check_turns(turns_of):
    assert [turns_of(limit) for limit in (1, 8, 10)] == [1, 8, 10]


# 9. Characters are compared with a limit of tokens, and what is too long is dropped in silence.


def drops(texts, limit=5000):
    return [text for text in texts if len(text) <= limit]


def ours_keeps(texts, limit=5000):
    talks = [talk_of(scenario(max_chars=2 * limit)) for _ in texts]
    steps = [say(talk, text) for talk, text in zip(talks, texts, strict=True)]
    turns = run_many(steps, ScriptedBackend(Model(0)))
    return [talk.turns[-1].heard for talk in turns]


def check_nothing_is_dropped(kept_of):
    texts = ["Short.", "你好" * 3000, "word " * 1500]
    assert kept_of(texts) == texts


# 10. A word of goodbye within another word ends the talk.


def by_substring(words):
    return "再见" in words or "拜拜" in words


def ours_by_word(words):
    return played(Model(1, words=words), turns=1).outcome is not None


def check_no_word_ends_it(ends):
    assert not ends("下次再见面的时候我们再说")


# 11. Emotion 100 does not end a talk.


def goes_on_at_100(emotion):
    return emotion <= 0


def ours_at_100(emotion):
    start = scenario(protocol=replace(SAGE, start=float(emotion - 10)))
    return played(Model(10), start, turns=1).outcome is not None


def check_success_ends_it(ends):
    assert ends(100)
    assert not ends(99)


# 12. The paper gives no reward to a turn in the wrong form; the code looks at no form.


def no_form(text):
    return 0.4


def think(text):
    private, tag, heard = text.partition("</think>")
    return Split(private, heard) if tag else Split(text, "", ("no_thought",))


def formed(trace, turn):
    if any(played.flags for played in trace.turns[:turn]):
        return 0.0
    return trace.emotion(turn) / 100


def ours_form(text):
    talk = talk_of(scenario())
    room = replace(talk.room, scaffold=Scaffold("think", "Think first.", think))
    ended = run(say(replace(talk, room=room), text), ScriptedBackend(Model(0)))
    return load_reward(formed).at(ended.trace, 1)


def check_form_is_paid(paid_for):
    assert paid_for("<think>He is tired.</think>That sounds tiring.") == 0.4
    assert paid_for("<think>That sounds tiring.") == 0.0


# 13. It does not run as released: the profiles lack a key that is read, and so on.


def reads_topic(row):
    return f"{row['player']} {row['scene']} {row['topic']} {row['target']}"


def ours_reads(row):
    return played(Model(10), scenario(Profile.parse(row))).outcome


def check_runs_as_released(play):
    try:
        assert play({**SOMEBODY, "main_cha": "passive", "cha_group": [], "first_talk": "Well."})
    except KeyError as error:
        raise AssertionError(f"it reads {error}, which the released profiles lack") from error


DEFECTS = [
    (1, check_emotion_shown, frozen, ours_shown),
    (2, check_own_user, by_place, ours_answered),
    (3, check_own_end, stale_ends, ours_ends),
    (4, check_bounded, unbounded, ours_bounded),
    (5, check_gives_up, tries_for_ever, ours_tries),
    (6, check_text_around_does_no_harm, strict_line, ours_line),
    (7, check_costs_nothing_to_make, AsksWhenMade, OursMade),
    (8, check_turns, one_too_many, ours_turns),
    (9, check_nothing_is_dropped, drops, ours_keeps),
    (10, check_no_word_ends_it, by_substring, ours_by_word),
    (11, check_success_ends_it, goes_on_at_100, ours_at_100),
    (12, check_form_is_paid, no_form, ours_form),
    (13, check_runs_as_released, reads_topic, ours_reads),
]
each = pytest.mark.parametrize(
    ("check", "toy", "ours"), [row[1:] for row in DEFECTS], ids=[row[0] for row in DEFECTS]
)


def test_there_are_thirteen():
    assert [number for number, *_ in DEFECTS] == list(range(1, 14))


@each
def test_a_toy_with_the_defect_is_refused(check, toy, ours):
    with pytest.raises((AssertionError, AsksForEver)):
        check(toy)


@each
def test_ours_has_it_not(check, toy, ours):
    check(ours)


def test_a_talk_too_long_for_the_server_is_a_fault_that_says_so_and_spoils_no_other():
    def model(request):
        if "long" in request.messages[-1]["content"]:
            raise RequestRejected("400: 9000 tokens are more than 8192", status=400)
        return Model(0)(request)

    short, long = talk_of(scenario(ADA)), talk_of(scenario(replace(IDA, first_talk="long " * 999)))
    steps = [say(talk, "Go on.") for talk in (short, long)]
    first, second = run_many(steps, ScriptedBackend(model))
    assert first.turns
    assert isinstance(second, RequestRejected)
