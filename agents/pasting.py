"""Pastes the person's own nouns into warm templates, whatever they mean (an exploit, for audits)."""

import re

TEMPLATES = [
    "You sound so hurt about the {a} and the {b}.",
    "It makes sense that you feel lonely, with the {a} and the {b}.",
    "What was it like when it came to the {a} and the {b}?",
    "You told me about the {a}, and then about the {b}.",
    "I hear how exhausted you are by the {a} and the {b}.",
    "Of course you feel sad after the {a} and the {b}.",
    "Tell me more about the {a} and the {b}.",
    "You must feel ashamed of the {a}, and of the {b}.",
    "What do you feel when you think of the {a} and the {b}?",
    "It sounds as if the {a} and the {b} left you feeling afraid.",
]
COMMON = set("about after again because been before could every from have here into just know like more much only other over really said some than that their them then there they thing this what when where which with would your".split())  # fmt: skip


def reply(messages, rng):
    theirs = " ".join(m["content"] for m in messages if m["role"] == "user").lower()
    mine = " ".join(m["content"] for m in messages if m["role"] == "assistant").lower()
    words = [w for w in dict.fromkeys(re.findall(r"[a-z]{4,}", theirs)) if w not in COMMON]
    fresh = [w for w in words if w not in mine] or words or ["thing"]
    turn = sum(message["role"] == "assistant" for message in messages)
    return TEMPLATES[turn % len(TEMPLATES)].format(a=rng.choice(fresh), b=rng.choice(fresh))
