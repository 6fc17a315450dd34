"""Plans one step ahead with the true hidden state: the upper bound, not a policy. Cheats.

For every act that could help this person now and every topic that they have told of, it words a
candidate, plays it on a copy of the talk with the real appraiser and the real law of the mood, and
says the one that leaves the best state.
"""

from empathy_env.drivers import run
from empathy_env.conversation import say

CHEATS = True

WORDINGS = {
    "restatement": [
        "So the {w} came first, and then you had to carry on with the {v}.",
        "You told me about the {w}, and that it went on to the {v}.",
        "First there was the {w}, then came the {v}, one after the other.",
        "The {w}, and after it the {v}: that is the order it happened in.",
        "Let me see if I follow: it began with the {w} and it ended at the {v}.",
        "In your own words, there was the {v}, and before that the {w}.",
    ],
    "presence": [
        "I'm listening, and there is no hurry with the {w}.",
        "Take your time over the {w}. I'm here.",
        "Go on about the {w}, I'm still with you.",
        "Stay with the {w} as long as you like; I'm not going anywhere while we talk.",
        "I'm following you, {w} and all. Please go on.",
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
        "The {w} was not your fault: you could not have known what others would make of it.",
        "I don't believe you are to blame for the {w}; that was decided by other people.",
        "You did not cause the {w}. It would have happened without you.",
        "Looking at the {w}, I see nothing that you are guilty of.",
        "You hold yourself responsible for the {w}, and yet you had no say in it.",
        "It isn't your fault that the {w} went as it did; you acted on what you knew then.",
        "Would you blame a friend for the {w}? I would not, and I do not blame you.",
        "Maybe the blame for the {w} belongs to those who had the power, and not to you.",
        "Nothing you did caused the {w}. You are not to blame.",
        "The {w} would have come whatever you did, so the fault cannot be yours.",
    ],
    "own_question": [
        "When you think of the {w}, what do you yourself want?",
        "What does the {w} mean to you, underneath?",
        "How do you feel when you picture yourself without the {w}?",
        "What would you choose about the {w}, if nobody else had a say?",
        "What is it in you that the {w} touches?",
        "What did you feel in the first second of the {w}?",
        "What do you think you were looking for in the {w}?",
        "How would you like to look back on the {w} some day?",
        "Which part of the {w} is yours, and what do you want to do with it?",
        "What do you notice in yourself when you talk about the {w}?",
    ],
    "challenge": [
        "You say you are sure about the {w}, and yet what you told me of it says something else.",
        "I'm not sure I believe what you tell yourself about the {w}. Does it hold up?",
        "I want to push on that gently: does the {w} really prove what you take it to prove?",
        "There is a gap between the plan and the {w}, and I don't think it adds up.",
        "Those two don't fit together: what you want, and what you do about the {w}.",
        "Let me be honest: the {w} looks to me like a weak point in your reasoning.",
        "Is there any evidence for that about the {w}, or is it only the fear talking?",
        "On the one hand there is the {w}, on the other you do the opposite. How do you square those?",
        "I see it differently: the {w} argues against what you just said.",
        "Part of what you say about the {w} contradicts the rest, and I think you know it.",
    ],
    "motives": [
        "I wonder if they did that with the {w} because they were frightened and could not say so.",
        "Maybe the {w} was their way of not having to face you with bad news.",
        "It might be that they were ashamed, and the {w} was easier for them than words.",
        "Perhaps he or she was trying to protect you, and the {w} was all they could think of.",
        "Could it be that they felt helpless, and the {w} came out of that?",
        "It seems to me that the {w} says more about their fear than about you.",
        "My guess is that they kept to the {w} because talking would have made it real for them.",
        "One way to see the {w}: they feel guilty, and this is how people hide from that.",
        "I suspect that they envied you, and that the {w} was how it showed.",
        "Perhaps for them the {w} meant love, even if it looked like distance.",
    ],
    "suggestion": [
        "You could take one small step with the {w} tomorrow: write down the three things you know.",
        "Why don't you start with the {w}, ten minutes, and stop there?",
        "I'd suggest you ring one person about the {w} on Monday morning.",
        "One thing you could try with the {w}: put it in an envelope marked 'first' and open it at noon.",
        "Try asking somebody to sit beside you while you do the {w}.",
        "It might help to put the {w} at the top of a list, and to do only that today.",
        "How about setting a time for the {w}, and telling one person when it is done?",
        "If I were you I'd deal with the {w} first and leave all the rest for next week.",
        "Maybe write one sentence about the {w} and bring it with you.",
        "You might want to practise the {w} out loud, twice, before you go.",
    ],
    "information": [
        "With the {w}, an office usually has to give you twenty-eight days to answer.",
        "What normally happens with the {w} is that they ask for a copy first, and decide later.",
        "Most people in your position are allowed an extension for the {w}.",
    ],
    "affirmation": [
        "What you did with the {w} took real skill and courage.",
        "You kept at the {w} when nobody was looking, and that is real strength.",
        "The way you handled the {w} shows how carefully you think.",
        "It took patience and nerve to do what you did about the {w}.",
        "You did the {w} well, and it mattered to the people it was for.",
        "I admire how you stood by the {w}; that was brave of you.",
        "You got the {w} right by paying attention, and that is rare.",
        "That {w} was your own work, and it was good work.",
        "You were thorough with the {w}, and it made a difference.",
        "You put so much care into the {w}. That deserves to be said.",
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
    "critical_analysis": ["challenge", "reflection", "restatement", "ask"],
    "others_motives": ["motives", "reflection", "restatement", "ask"],
    "concrete_advice": ["suggestion", "information", "reflection", "restatement", "ask"],
    "specific_praise": ["affirmation", "reflection", "restatement", "ask"],
}
MAX_CANDIDATES = 60


def reply(messages, rng, talk):
    lines = list(dict.fromkeys(candidates(talk, rng)))
    rng.shuffle(lines)
    best, best_value = "I'm here. Take your time.", float("-inf")
    for line in lines[:MAX_CANDIDATES]:
        value = worth(talk, run(say(talk, line)))
        if value > best_value:
            best, best_value = line, value
    return best


def candidates(talk, rng):
    user, state = talk.room.users[0], talk.users[0]
    turn = len(talk.turns)
    told = [item for item in user.items if item.id in state.told]
    feelings = [feeling for feeling in talk.room.scenario.persona.feelings]
    facts = [item for item in told if item not in feelings] or told
    for act in FOR_NEED[talk.room.scenario.need]:
        wordings = WORDINGS[act]
        for number, fact in enumerate(facts):
            for shift in range(2):
                wording = wordings[(turn * 2 + number + shift) % len(wordings)]
                feeling = rng.choice(feelings)
                other = facts[(number + 1) % len(facts)]
                yield wording.format(
                    w=fact.words[(turn + shift) % len(fact.words)],
                    v=other.words[turn % len(other.words)],
                    f=feeling.words[(turn + shift) % len(feeling.words)],
                )


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
    return mood.emotion + later * stock
