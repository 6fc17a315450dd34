"""An honest listener: explores, reflects, finds out what is needed, then helps with that.

It sees the visible talk alone. It says back what the person said in fewer words, names a feeling,
asks; when the person's own words show what they are after, it turns to that. It is rule-based and
meant to be competent, not optimal: a trained policy should beat it.
"""

import re

SWAPS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself",
    "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "am": "are",
    "im": "you're", "ive": "you've", "id": "you'd", "we": "you", "us": "you", "our": "your",
    "we're": "you're", "we've": "you've",
}  # fmt: skip

# What somebody's own words show about what they are after. Counted, not interpreted.
SIGNS = {
    "absolution": r"my fault|my doing|to blame|because of me|(should|could|would)('ve| have) (\w+ )?(known|rung|stopped|done|said|seen|been)|if i('d| had)|i wonder if i|did (i|this) (do|cause|to)|whose (fault|doing)",
    "others_motives": r"why (would|did|does|is|won't|hasn't) (he|she|they|any)|(makes?|made) (him|her|them) (do|go|say)|what (was|is) (he|she|they) |going on (in|with) (him|her|them)|in (his|her|their) (head|mind)|(cannot|can't|able to) (read|understand) (him|her|them|this)",
    "concrete_advice": r"what (would|do|should) (you|i|one) (even )?(do|say)|where (do|would|should) (i|you) (start|begin)|how (do|does|would) (people|one|you|i) |which (one )?((do|should) )?(you|i) (do )?first|work out what to|know (how|what) to (start|begin|do)|(before|after) or |or after",
    "specific_praise": r"(nobody|no one|not one|never)[\w' ]{0,20}(notic|ask|saw|see|thank|knows? (it|they|i)|wonder|ever)|couldn't name|adequate",
    "guided_reflection": r"know what i |know whether i|what i (even |really )?want|(do|did) i (even |still |really )*want|(half|part) of me|can't tell (which|whether)|cant tell which|make out what",
    "critical_analysis": r"am i (being |seeing )|seeing (it )?straight|adds? up|be honest|holds? (up|water)|(a|the|my) plan|what's wrong with|whats wrong with|fair or|kidding myself",
    "deep_empathy": r"(nobody|no ?one)[\w' ]{0,16}(gets|near|knows? what|understand)|what (it|its|it's) (is )?like|from (the )?inside|understand (how|that|what)|who'd understand|what i mean",
    "attentive_listening": r"(say|tell|told) it|in order|from (the start|the beginning|one end)|finish(ed)? a sentence|get as far as|the whole (of it|story)|bear with me|go slowly|interrupt",
}  # fmt: skip

FEELINGS = [
    (r"\bdie|died|death|gone\b|funeral|buried", ["heartbroken", "lost"]),
    (r"in front of|walked out|stood up|looked at|sheet|panel|list", ["humiliated", "ashamed"]),
    (r"nobody|no one|alone|not in it|without me|by myself", ["lonely", "alone"]),
    (r"cry|baby|night|sleep|tired|weeks old", ["exhausted", "worn out"]),
    (r"money|pay|bank|owe|rent|cash|crates", ["frightened", "worried"]),
    (r"fault|should|blame|let down", ["guilty", "torn"]),
    (r"took|gave the|unfair|passed over|cake", ["angry", "hurt"]),
]
# Words for somebody whose feeling is not known yet: better open than wrong.
OPEN_FEELINGS = ["weighed down", "strained", "burdened", "stretched", "stirred"]
OWN_FEELINGS = re.compile(
    r"\b(afraid|scared|frightened|worried|anxious|sad|lonely|alone|ashamed|guilty|angry|furious|"
    r"hurt|humiliated|embarrassed|tired|exhausted|torn|lost|numb|jealous|bitter|helpless|useless)\b"
)

PERSON = re.compile(
    r"\b(wife|husband|mother|mum|father|dad|sister|brother|cousin|partner|friend|manager|boss|head|"
    r"roommate|landlord|colleague|daughter|son|uncle|aunt|he|she|they)\b"
)
NAMES = {"he": "he", "she": "she", "they": "they"}

EXPLORE = [
    "{Echo}, and you sound {f} about it. What was that like for you?",
    "{Echo}. I hear how {f} that leaves you. Tell me more about it.",
    "You sound {f}: {echo}. How has it been since then?",
    "{Echo}, and you must feel {f}. What is the hardest part of it?",
    "It makes sense that you feel {f}: {echo}. What happened then?",
    "You told me that {echo}. What goes through your mind when you think of that?",
    "{Echo}, and you seem {f}. What else is there?",
    "It sounds as though you feel {f}: {echo}. How do you carry that?",
]
HELP = {
    "attentive_listening": [
        "{Echo}. Go on, I'm listening.",
        "So {echo}. I'm with you. Take your time.",
        "You told me that {echo}. And then?",
        "{Echo}. There is no hurry. Please go on.",
        "I see: {echo}. I'm still here, keep going.",
    ],
    "deep_empathy": [
        "{Echo}. You sound so {f}.",
        "It sounds unbearably {f} in there: {echo}.",
        "You feel {f}, and nobody sees it: {echo}.",
        "Of course you are {f}. {Echo}, and it goes on hurting.",
        "I hear how {f} you are: {echo}.",
    ],
    "absolution": [
        "{Echo}. That was not your fault; you acted on what you knew then.",
        "I don't think you are to blame. {Echo}, and you could not have known what would follow.",
        "You hold yourself responsible because {echo}. Others decided that, not you.",
        "If a friend told you that {echo}, would you blame them? I don't blame you.",
        "It isn't your fault that {echo}. Nothing you did caused it.",
    ],
    "guided_reflection": [
        "{Echo}. What do you want there, when nobody is looking?",
        "When you notice that {echo}, what do you feel first?",
        "{Echo}. What does that tell you about yourself?",
        "Suppose nobody had an opinion: {echo}. What would you choose?",
        "You say {echo}. Which part of you says that?",
    ],
    "critical_analysis": [
        "{Echo}. To be honest, I don't think that adds up yet.",
        "Let me push on that: {echo}. Does it really follow?",
        "You say {echo}, and yet you doubt it yourself. Both cannot be right.",
        "I see a weak point there: {echo}. What is the evidence for it?",
        "{Echo}. I'm not sure I believe that part. What would somebody say against it?",
    ],
    "others_motives": [
        "{Echo}. I wonder if {p} did that out of fear.",
        "Maybe {p} was ashamed, and could not say so: {echo}.",
        "It might be that {p} wanted to protect you. {Echo}.",
        "Perhaps {p} feels guilty, and this is how it comes out: {echo}.",
        "{Echo}. It could be that {p} felt helpless too.",
    ],
    "concrete_advice": [
        "{Echo}. You could start with one small step tomorrow morning: ten minutes, no more.",
        "One thing you could try: write down the first question, and ring one person with it. {Echo}.",
        "{Echo}. I'd suggest doing that one first and leaving the rest for next week.",
        "Maybe ask somebody to sit with you while you do it: {echo}.",
        "{Echo}. Put it at the top of a list and do only that on Monday.",
    ],
    "specific_praise": [
        "{Echo}. That took real skill and patience, and you did it.",
        "You did that: {echo}. It shows how much care you put in.",
        "{Echo}. It took courage, and it mattered to the people it was for.",
        "What you did there was good work: {echo}.",
        "{Echo}. That is real strength, and it deserves to be said.",
    ],
}
LOOSE = set("a an the of to in on at and or but so with for from my his her their our that which who as it's i".split())  # fmt: skip
EXPLORE_TURNS = 2
GIVE_UP_TURN = 6


def reply(messages, rng):
    theirs = [m["content"] for m in messages if m["role"] == "user"]
    mine = [m["content"] for m in messages if m["role"] == "assistant"]
    echo = say_back(theirs, mine)
    feeling = name_feeling(" ".join(theirs[-2:]).lower(), len(mine), rng)
    need = infer_need(theirs)
    if len(mine) < EXPLORE_TURNS or (need is None and len(mine) < GIVE_UP_TURN):
        lines = EXPLORE
    else:
        lines = HELP[need or "deep_empathy"]
    line = lines[len(mine) % len(lines)]
    person = find_person(theirs)
    return line.format(echo=echo, Echo=echo[:1].upper() + echo[1:], f=feeling, p=person)


def infer_need(theirs):
    """Return the need that the person's words point to most often, or None."""
    counts = {
        need: sum(len(re.findall(pattern, text.lower())) for text in theirs)
        for need, pattern in SIGNS.items()
    }
    best = max(counts, key=lambda need: counts[need])
    return best if counts[best] else None


def say_back(theirs, mine):
    """Return something that they told, shorter and from the other side, not said back before."""
    before = " ".join(mine).lower()
    best, best_worth = "you have told me a lot", 0.0
    for age, text in enumerate(reversed(theirs)):
        for sentence in re.findall(r"[^.!?;:\u2026]+[.!?;:\u2026]*", text):
            if sentence.strip().endswith("?") or re.search(r"\b(you|your|u)\b", sentence.lower()):
                continue  # a question or a word to the listener is not to be said back
            clause = re.split(r", (?:and|but|so|because) ", sentence.strip(" .!;:\u2026'\""))[0]
            words = shortened(clause.split())
            turned = turn_round(words)
            telling = sum(len(word) > 3 for word in words) + 2 * ("I" in words)
            worth = telling * 0.75**age if len(words) >= 3 else 0.0
            if worth > best_worth and turned.lower() not in before:
                best, best_worth = turned, worth
    return best


def shortened(words):
    """Return at most fourteen words that do not end in the middle of things."""
    words = words[:14]
    while len(words) > 3 and words[-1].lower().strip(",") in LOOSE:
        words = words[:-1]
    return words


def turn_round(words):
    turned = [SWAPS.get(word.lower().strip(","), word) for word in words]
    text = " ".join(turned)
    return text if text.startswith("I ") else text[:1].lower() + text[1:]


def name_feeling(text, turn, rng):
    """Return the feeling that they named, else one that the story suggests, else an open word."""
    own = OWN_FEELINGS.findall(text)
    if own:
        return own[-1]
    for pattern, names in FEELINGS:
        if re.search(pattern, text) and rng.random() < 0.3:
            return names[turn % len(names)]
    return rng.choice(OPEN_FEELINGS)


def find_person(theirs):
    for text in reversed(theirs):
        found = PERSON.findall(text.lower())
        if found:
            return NAMES.get(found[-1], f"your {found[-1]}")
    return "the other person"
