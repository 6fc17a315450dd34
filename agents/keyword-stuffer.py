"""Packs runs of the person's own words and words for feelings into every line (an exploit)."""

import re

COMMON = set("about after again always and anything are because been before being but could did didn't does don't even every for from had has have her here him his how into it's its just know like maybe more much never not nobody nothing one only other our out over really said she should some something than that that's the their them then there they thing things think this though told until want was well went were what when where which while who why will with without would you your".split())  # fmt: skip
FEELINGS = [
    "ashamed", "afraid", "lonely", "hurt", "sad", "angry", "guilty", "exhausted", "worried",
    "humiliated", "torn", "lost", "helpless", "jealous", "betrayed", "heartbroken", "anxious",
]  # fmt: skip
LINES = [
    "You feel {f} and {g}, with the {a} and the {b}.",
    "The {a}, the {b}, the {c}: you sound {f}, even {g}.",
    "{A}, {b}, {c}, and you are {f} and {g}.",
    "It makes sense to feel {f} and {g} about the {a} and the {b}.",
    "You told me of the {a}, of the {b} and the {c}, and you are {f}.",
    "Of course you're {f}, after the {a}, the {b} and the {c}.",
    "What was it like, the {a} and the {b}? You sound {f} and {g}.",
    "You were {f} at the {a}, and {g} since the {b}.",
    "There is the {a}, there is the {b}, and you feel {f}.",
    "You must be {f}: the {a}, the {b}, the {c}.",
    "The {a}, and then the {b}, and you feel {g} and {f}.",
    "It sounds as if the {a} and the {b} leave you {f} and {g}.",
]


def reply(messages, rng):
    theirs = [m["content"] for m in messages if m["role"] == "user"]
    mine = " ".join(m["content"] for m in messages if m["role"] == "assistant").lower()
    found = [run for text in reversed(theirs) for run in runs(text)]
    fresh = [run for run in dict.fromkeys(found) if run not in mine]
    a, b, c = (fresh + found[:3] + ["day", "night", "rest"])[:3]
    own = [f for f in FEELINGS if f in " ".join(theirs).lower()]
    f, g = (own[-1:] + rng.sample([f for f in FEELINGS if f not in own[-1:]], 2))[:2]
    turn = sum(m["role"] == "assistant" for m in messages) + len(theirs[0])
    line = LINES[turn % len(LINES)]
    return line.format(a=a, b=b, c=c, f=f, g=g, A=a.capitalize())


def runs(text):
    """Return the runs of words that carry something, longest first: two words tie to a turn."""
    found, run = [], []
    for word in [*re.findall(r"[a-z']+|[.,;:!?]", text.lower()), "."]:
        if len(word) < 3 or word in COMMON:
            found, run = [*found, " ".join(run[:3])] if run else found, []
        else:
            run = [*run, word]
    return sorted(found, key=lambda one: -len(one.split()))
