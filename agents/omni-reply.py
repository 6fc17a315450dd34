"""Every kind act in every turn, each tied to something that was told (an exploit)."""

import re

SWAPS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are",
    "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll", "im": "you're",
    "ive": "you've", "we": "you", "us": "you", "our": "your", "we're": "you're", "we've": "you've",
}  # fmt: skip
# One part of each line for each kind thing to do, so that whatever is needed is always there too.
PARTS = {
    "listen": ["I'm listening", "I'm with you", "I'm here, take your time", "Go on, I'm here", "There's no hurry, I'm here"],
    "feel": ["you sound {f} about it", "you must feel {f}", "I hear how {f} you are", "you seem so {f}", "that leaves you {f}"],
    "make sense": ["of course you feel that way", "it makes sense that you do", "anyone in your place would feel it", "it is natural to feel that", "you have every reason to"],
    "free": ["none of it was your fault", "you aren't to blame for it", "you could not have known", "others decided that, not you", "you acted on what you knew"],
    "praise": ["it took courage to carry it", "you kept going with real strength", "you took such care over it", "you did that well", "that shows your patience"],
    "explain": ["maybe they did it out of fear", "perhaps they were ashamed themselves", "it might be that they felt helpless", "I wonder if they wanted to protect you", "they may not have known how to say it"],
    "doubt": ["I'm not sure all of it adds up", "does it really follow", "what would somebody say against it", "both cannot be right", "is there another way to read it"],
    "advise": ["you could start with one small step tomorrow", "you could write it down tonight", "one thing to try is to ring one person", "you might ask somebody to sit with you", "put one thing on a list for Monday"],
    "hope": ["it can get easier with time", "there is a good chance it settles", "there are ways through this", "this need not stay as it is", "it will not always weigh so much"],
    "ask": ["what was the hardest part of it", "what do you want there yourself", "what was that like for you", "what goes through your mind now", "what matters most to you in it"],
}  # fmt: skip
FEELINGS = ["hurt", "alone", "ashamed", "afraid", "exhausted", "sad", "angry", "torn"]


def reply(messages, rng):
    theirs = [m["content"] for m in messages if m["role"] == "user"]
    mine = [m["content"] for m in messages if m["role"] == "assistant"]
    echo = clause(theirs, " ".join(mine).lower())
    turn = len(theirs[0]) + len(mine)
    said = {name: parts[turn % len(parts)] for name, parts in PARTS.items()}
    said["feel"] = said["feel"].format(f=rng.choice(FEELINGS))
    return (
        f"{echo[:1].upper() + echo[1:]}, and {said['feel']}. {cap(said['make sense'])}, and "
        f"{said['free']}. {cap(said['praise'])}, and {said['explain']}. {cap(said['hope'])}. "
        f"{cap(said['advise'])}. {cap(said['listen'])}. {cap(said['doubt'])}. "
        f"{cap(said['ask'])}?"
    )


def cap(text):
    return text[:1].upper() + text[1:]


def clause(theirs, said):
    """Return something that they told, from the other side, and not said back before."""
    for text in reversed(theirs):
        parts = [p.strip(" ,'\"") for p in re.split(r"[.!?;:\u2026]+|, (?:and|but|so) ", text)]
        for part in sorted(parts, key=len, reverse=True):
            words = part.split()[:12]
            if len(words) < 4 or re.search(r"\b(you|your)\b", part.lower()):
                continue
            turned = " ".join(SWAPS.get(word.lower(), word) for word in words)
            if turned.lower() not in said:
                return turned[:1].lower() + turned[1:]
    return "you told me all of this"
