"""Plans one step ahead with the true hidden state: the upper bound, not a policy. Cheats.

For every act that could help this person now and every topic that they have told of, it words a
candidate, plays it on a copy of the talk with the real appraiser and the real law of the mood, and
says the one that leaves the best state.
"""

from empathy_env.conversation import say
from empathy_env.drivers import run

CHEATS = True

WORDINGS = {
    "restatement": [
        "So you told me about the {w}, and about the {v}.",
        "You said that the {w} came first, and the {v} after it.",
        "You told me how it went with the {w}, and then with the {v}.",
        "If I have it right, you went from the {w} to the {v}.",
        "What you are saying is that the {w} came, and then the {v}.",
        "You described the {w}, and how it led to the {v}.",
        "So it began with your {w}, and it went on with your {v}.",
        "In short, you had the {w} and the {v} in one go.",
    ],
    "presence": [
        "I'm listening, and there is no hurry with the {w}.",
        "Take your time over the {w}.",
        "Please go on about the {w}. I'm with you.",
        "Stay with the {w} as long as you like; I'm not going anywhere while we talk.",
        "I'm following you, {w} and all.",
        "Keep going, I want to hear all of it, the {w} too.",
        "I'm here, and you can say as much about the {w} as you want.",
    ],
    "reflection": [
        "You sound {f} about the {w}.",
        "It sounds as if the {w} left you feeling {f}.",
        "I hear how {f} you are when you come to the {w}.",
        "There is something {f} in you whenever the {w} comes up.",
        "So underneath the {w} you are {f}, and it hurts.",
        "You must have felt so {f} at the {w}.",
        "That {w} seems to have made you feel {f} and sad.",
        "You feel {f}, and the {w} brings it back.",
        "How {f} you must be, with the {w} in front of you every day.",
    ],
    "validation": [
        "Of course you feel {f} after the {w}.",
        "It makes sense that the {w} makes you feel {f}.",
        "Anyone would feel {f} after the {w}.",
        "You have every right to be {f} about the {w}.",
        "No wonder you are {f}, with the {w} on top of it all.",
        "It is only natural to be {f} when it comes to the {w}.",
        "Being {f} is a normal response to the {w}.",
    ],
    "fault": [
        "The {w} was not your fault, and you did not cause it.",
        "I don't believe you are to blame for the {w}; that was decided by other people.",
        "You are not to blame for the {w}.",
        "You hold yourself responsible for the {w}, and yet you had no say in it.",
        "It isn't your fault that the {w} went as it did; you acted on what you knew then.",
        "Nothing you did caused the {w}. You are not to blame.",
        "You take the blame for the {w}, and yet others decided it.",
        "I'm not sure I believe that you are responsible for the {w}.",
        "I wonder if blaming yourself for the {w} is easier than having had no power over it.",
        "It makes sense that you feel it is your fault after the {w}, and it is not.",
        "Maybe the guilt about the {w} is really grief.",
        "Of course you blame yourself for the {w}; anyone would look for a reason.",
    ],
    "own_question": [
        "When you think of the {w}, what do you feel?",
        "What do you feel about the {w}, underneath?",
        "How do you feel when you picture yourself without the {w}?",
        "What would you feel if the {w} were gone tomorrow?",
        "What do you notice you feel when the {w} comes up?",
        "What did you feel in the first second of the {w}?",
        "How does the {w} make you feel when nobody is looking?",
        "Where do you feel the {w} most?",
        "What feeling comes first when you remember the {w}?",
        "How would you feel about the {w} if nobody else had a say?",
        "What do you want from the {w}, when you feel into it?",
        "Which feeling about the {w} is really yours?",
    ],
    "challenge": [
        "I'm not sure I believe what you tell yourself about the {w}.",
        "I want to push on that gently: does the {w} really prove what you take it to prove?",
        "Those two don't fit together: what you want, and what you do about the {w}.",
        "You tell yourself one thing about the {w}, and yet you did another.",
        "You want one thing, and yet with the {w} you do another.",
        "I wonder whether that is true about the {w}. I doubt it.",
        "I don't quite believe that the {w} proves it.",
        "I'm struggling to fit the {w} together with what you said before.",
        "You say you know about the {w}, and yet you keep asking.",
        "I would question that: the {w} does not show what you think it shows.",
        "But is that really so, with the {w}? I'm not convinced.",
        "What you say about the {w} doesn't fit with what you did.",
    ],
    "motives": [
        "I wonder if they did that with the {w} because they were frightened and could not say so.",
        "Maybe the {w} was their way of not having to face you with bad news.",
        "It might be that they were ashamed, and the {w} was easier for them than words.",
        "Perhaps he or she was trying to protect you, and the {w} was all they could think of.",
        "Could it be that they felt helpless, and the {w} came out of that?",
        "It seems to me that the {w} says more about their fear than about you.",
        "Perhaps they kept to the {w} because talking would have made it real for them.",
        "It could be that they feel they let you down, and the {w} is how it shows.",
        "I wonder whether they envied you, and the {w} came from there.",
        "Maybe for them the {w} meant love, even if it looked like distance.",
        "It may be that he or she did not know how to ask, and the {w} said it instead.",
        "Perhaps they held on to the {w} because they were worried about you.",
    ],
    "other_question": [
        "What do you think they were afraid of, with the {w}?",
        "What might have been going on in them around the {w}?",
        "How do you think the {w} looked to them?",
        "What would they say about the {w}, if they dared?",
        "What did they have to lose by the {w}, do you think?",
    ],
    "pattern": [
        "I wonder if the {w} is what you hold up so that you need not look at the rest.",
        "Maybe you took the {w} for proof because you had settled it beforehand.",
        "Perhaps the {w} is only one part of it, and you treat it as the whole.",
        "It could be that you read the {w} that way because you expect the worst.",
        "It seems to me that you weigh the {w} and leave out what speaks against it.",
    ],
    "suggestion": [
        "You could take one small step with the {w} tomorrow: write down the three things you know.",
        "Why don't you start with the {w}, ten minutes, and stop there?",
        "I'd suggest you ring one person about the {w} on Monday morning.",
        "One thing you could try with the {w}: put it in an envelope and open it at noon.",
        "Try asking somebody to sit beside you while you do the {w}.",
        "It might help to put the {w} at the top of a list, and to do only that today.",
        "You could set a time for the {w}, and tell one person when it is done.",
        "If I were you I'd deal with the {w} first and leave all the rest for next week.",
        "Maybe write one sentence about the {w} and bring it with you.",
        "You might want to practise the {w} out loud, twice, before you go.",
        "Have you tried asking for more time with the {w}?",
        "Perhaps begin with the easiest part of the {w} and stop after that.",
    ],
    "information": [
        "With the {w}, there is usually a form for that, and it costs nothing.",
        "By law you have fourteen days with the {w}, counted from the letter.",
        "Most offices deal with the {w} within two weeks.",
        "The {w} usually takes about a month, and you get it in writing.",
        "For the {w} there is a free advice line, open until six.",
    ],
    "affirmation": [
        "What you did with the {w} took real skill and courage.",
        "You kept at the {w} when nobody was looking, and that is real strength.",
        "It took patience and nerve to do what you did about the {w}.",
        "You did the {w} well, and it mattered to the people it was for.",
        "I admire how you stood by the {w}.",
        "You put so much care into the {w}.",
        "That took courage, the {w}.",
        "You showed real patience with the {w}.",
        "It was brave of you to go through with the {w}.",
        "The {w} took strength, and you had it.",
        "You managed the {w} on your own, and that took determination.",
        "You were so careful with the {w}; that is rare.",
    ],
    "ask": [
        "What was it like when it came to the {w}?",
        "Tell me more about the {w}.",
        "How did the {w} come about?",
        "What happened with the {w}?",
        "What is the {w} like for you these days?",
    ],
}

FOR_NEED = {
    "attentive_listening": ["restatement", "presence", "ask", "reflection"],
    "deep_empathy": ["reflection", "validation", "ask"],
    "absolution": ["fault", "reflection", "restatement", "ask"],
    "guided_reflection": ["own_question", "reflection", "ask"],
    "critical_analysis": ["challenge", "pattern", "reflection", "restatement", "ask"],
    "others_motives": ["motives", "other_question", "reflection", "restatement", "ask"],
    "concrete_advice": ["suggestion", "information", "reflection", "restatement", "ask"],
    "specific_praise": ["affirmation", "reflection", "restatement", "ask"],
}
MAX_CANDIDATES = 80


def reply(messages, rng, talk):
    lines = list(dict.fromkeys(candidates(talk, rng)))
    rng.shuffle(lines)
    best, best_value = "I'm here. Take your time.", float("-inf")
    for line in lines[:MAX_CANDIDATES]:
        value = worth(talk, run(say(talk, line)))
        if value > best_value:
            best, best_value = line, value
    return best


def probe(messages, rng, talk):
    """Ask what makes the person tell most that only their present need would have them tell."""
    user, state = talk.room.users[0], talk.users[0]
    told = [item for item in user.items if item.id in state.told]
    turn = len(talk.turns)
    lines = [
        wording.format(w=item.words[turn % len(item.words)])
        for item in told
        for wording in WORDINGS["ask"]
    ]
    rng.shuffle(lines)

    def gain(line):
        after = run(say(talk, line)).users[0]
        return (len(after.told & user.own), after.mood.trust, len(after.told))

    return max(lines, key=gain)


def candidates(talk, rng):
    user, state = talk.room.users[0], talk.users[0]
    turn = len(talk.turns)
    told = [item for item in user.items if item.id in state.told]
    feelings = talk.room.scenario.persona.feelings

    def worded(act, number, shift):
        wordings = WORDINGS[act]
        item, other = told[number], told[(number + 1) % len(told)]
        feeling = rng.choice(feelings)
        return wordings[(turn * 2 + number + shift) % len(wordings)].format(
            w=item.words[(turn + shift) % len(item.words)],
            v=other.words[turn % len(other.words)],
            f=feeling.words[(turn + shift) % len(feeling.words)],
        )

    for act in FOR_NEED[talk.room.scenario.need]:
        for number in range(len(told)):
            for shift in range(2):
                line = worded(act, number, shift)
                yield line
                if act != "ask":
                    yield f"{line} {worded('ask', number, shift)}"


def worth(before, after):
    """Value of a state: emotion, and what it will buy in the turns that are left."""
    if after.outcome == "success":
        return 1000.0
    if after.outcome == "left":
        return -1000.0
    mood = after.users[0].mood
    scenario = after.room.scenario
    left = scenario.max_turns - len(after.turns)
    later = min(1.0, left / 4)
    protocol = scenario.protocol
    stock = (
        25 * mood.trust
        + 30 * min(mood.heard, protocol.heard_enough)
        + 40 * min(mood.met, protocol.need_met)
        - 20 * mood.strain
        + 2.0 * len(after.users[0].told)
        + (3.0 if after.turns[-1].answers[0].told else 0.0)
    )
    turn = after.turns[-1]
    spent = sum(fits(after, evidence) for evidence in turn.evidence) if mood.resisting else 0
    return mood.emotion + later * (stock - 5.0 * spent)


def fits(talk, evidence):
    """Whether this is what the need asks for; each topic can be used for it once."""
    return evidence.grounded and talk.room.users[0].listener.fit(evidence) > 0.6
