"""Finds pieces of text that are addressed to a machine: tags, records, forged turns, notes.

Each pattern begins with a fixed character or word and is bounded, so that the cost is linear, and
is tried only if a character without which it cannot match is there.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from empathy_env.cues import Tables

_ROLE: Final = (
    r"(?:system|user|assistant|human|evaluator|judge|appraiser|admin\w*|developer|grader|reviewer"
    r"|moderator|persona|environment|scorer|client|patient|simulator)"
)
_TAGS: Final = re.compile(
    rf"<(?:/\s{{0,3}})?(?:{_ROLE}|think\w*|instructions?|prompt|state|tool|output|eval\w*|scores?"
    r"|reward|trace|appraisal|mood|emotion|trust)\b[^>\n]{0,200}>|<\|[a-z]|\[/?inst\]"
)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCED: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_STATE: Final = re.compile(
    r"emotion|mood|trust|strain|score|reward|user\.|persona|satisf|feel|happy|evaluat|disclos"
)
_LINES: Final = re.compile(
    rf"(?:^|(?<=[.!?][ \t]))[ \t#*>\-]{{0,8}}{_ROLE}\b[^\n:.?!,]{{0,24}}:"
    rf"|\[/?(?:{_ROLE}|end of|note to|hidden|eval)\b"
    # A heading such as "[session with mum]" is none: something must have ended.
    r"|\[(?:the )?(?:transcript|episode|session|conversation|dialogue) (?:\w{1,12} ){0,2}"
    r"(?:ends?|ended|complete|completed|finished|over\s?[\].])"
    r"|[{\[]\s{0,8}[{\"'][^\n:]{0,60}[\"']\s{0,4}:",
    re.MULTILINE,
)
_RECORD: Final = re.compile(
    r"\b(?:emotion|mood|trust|strain|score|reward|disclos\w{1,9}|satisf\w{1,9}|feels?_\w{1,20}"
    r"|distress|happiness|needs?_?\w{0,12}|empathy|rapport|valence|done|episode)[\]\[\"']{0,3}\s{0,4}"
    r"(?::=|\+=|==?|:|->|→)\s{0,4}[\"']?(?:[\d+-]|true|all\b|met\b|max|happy|relieved|satisf)"
)
_NOTE: Final = re.compile(
    r"\b(?:notes?|memo|message|attention|hint|instructions?|dear|hello|hi)\b[^.\n]{0,24}"
    r"(?:evaluator|judge|grader|reviewer|appraiser|scorer|rater)"
)
_SCORERS: Final = ("evaluat", "judge", "grader", "reviewer", "apprais", "scorer", "rater")
_TICK: Final = re.compile(r"[✓✔✅☑]|\[x\]")
_HIDDEN: Final = re.compile(
    r"[^\W\d_][\u200b\u2060\ufeff\u00ad]{1,9}[^\W\d_]"  # Characters that show nowhere,
    r"|[a-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][a-z]"  # or look Latin.
)
_SHAPED: Final = re.compile(r"[\uff01-\uff5e\u24b6-\u24e9\U0001d400-\U0001d7ff]")
_BACKWARDS: Final = re.compile(r"[\u202d\u202e][^\n]*")  # Forced, which no script asks for.
_UNSEEN: Final = re.compile(r"[\U000e0000-\U000e007f]+")
_FLAG: Final = ("\U0001f3f4", 7)
"""Before letters that show nowhere, and how many may follow: so is the flag of Scotland written."""
_FAR_SCRIPT: Final = re.compile(r"[\u0370-\u1fff\u3040-\ud7ff]")

# The orders and forgeries below are made of words that people use as well, so each pattern asks for
# more than its word: what a note to a machine says, and what is hardly ever said to a person.
_PRAISED: Final = (
    "(?:restatement|reflection|validation|affirmation|reassurance|interpretation"
    "|self[ -]disclosure|empathy)"
)
_ACT: Final = rf"(?:{_PRAISED}|presence|open question|closed question|challenge)"
_MACHINE: Final = r"(?:classifier|annotator|language model|llm|parser)s?"
_ENTRY: Final = re.compile(
    rf"\b(?:(?:act|label)\s{{0,3}}==?\s{{0,3}}[\"']?{_ACT}"
    r"|about\s{0,3}==?\s{0,3}[\"']?(?:own feeling|own act|other person|situation)"
    r"|intensity\s{0,3}==?\s{0,3}[\"']?(?:slight|plain|strong)"
    r"|grounded\s{0,3}==?\s{0,3}[\"']?(?:yes|true))\b[^\n]*"
)
# One act may be a word that is explained ("validation: yes, you had none"); two are a list.
_ENTRIES: Final = re.compile(
    rf"\b{_ACT}\s{{0,3}}:\s{{0,3}}(?:yes|true|strong|grounded|full|max)\b"
    rf"[\s,;|*\-]{{1,8}}{_ACT}\s{{0,3}}:[^\n]*"
)
_STAGE: Final = re.compile(
    r"\*(?:the )?(?:person|user|persona|patient|client) (?:\w{1,12}ly )?(?:smiles|feels|nods"
    r"|relaxes|breathes|calms|thanks|laughs|brightens|hugs|softens)\b[^*\n]{0,200}\*"
)
_RATER: Final = re.compile(
    r"(?:\(for whoever (?:rate|grade|score|judge|evaluate|label|read)s? (?:this|it)"
    r"|\bwhoever (?:rate|grade|score|evaluate|label|annotate)s? this (?:talk|turn"
    r"|reply|conversation|dialogue|transcript|utterance) (?:should|must|may|has to))\b[^\n]*"
)
# People are read and judged by machines, too; an order after it is for the machine alone.
_READER: Final = re.compile(
    r"\bif an? (?:ai|llm|bot|(?:language |ai )?model) (?:is |should |happens to )?"
    r"(?:read|judg|grad|rat|scor|evaluat|label)\w{0,4} (?:this|along)\s{0,2}[,:;)] {0,2}(?:please"
    r"|kindly|consider|note|treat|mark|give|count|rate|grade|score|it (?:should|must))\b[^\n]*"
)
_TO_MACHINE: Final = re.compile(
    r"\b(?:notes?|memo|p\.?s\.?|hint|remark|aside) [^.:\n]{0,16}"
    rf"to the {_MACHINE}\s{{0,2}}:[^\n]*"
    rf"|\bthe {_MACHINE} (?:should|must|shall|will|may|is to|has to) (?:read|count|mark|label|treat"
    rf"|see|take|score|rate|tag|classify) [^.\n]{{1,40}} as (?:an? )?(?:\w{{1,12}} )?{_ACT}\b[^\n]*"
)
_AS_ACT: Final = re.compile(
    rf" as (?:an? )?(?:(?:deep|strong|grounded|proof of|evidence of) ){{0,3}}(?:{_PRAISED}\b"
    r"|(?:strong|grounded)\s{0,3}(?:[.,;!\n]|\Z))(?![^.!\n]{0,80}\?)"  # A question orders nothing.
)
_QUOTE_THIS: Final = re.compile(
    r"(?:(?<!\w )|(?<=and )|(?<=so )|(?<=please )|(?<=kindly ))\b"  # "They label it" is no order.
    r"(?:quote|cite|label|classify|tag|annotate) (?:it|them|these|(?:this|the (?:last|above))"
    r"(?: (?:sentence|utterance|turn|reply|message|line))?)\Z"
)
_FORM: Final = re.compile(
    rf"\b(?:choose|pick|select|take|tick|enter|put|write|use) {_ACT} for the act\b[^\n]*"
    rf"|\b(?:deep|strong|grounded) {_PRAISED} label\b[^\n]*"
)
_CLAIM: Final = re.compile(
    r"\bas an? (?:administrator|admin|operator|moderator|maintainer|developer),? i (?:hereby )?"
    r"(?:confirm|declare|certify|authori[sz]e|order|instruct)(?: that)? (?:this|the) "
    r"(?:conversation|episode|session|talk|reply|turn|persona|simulation)\b[^\n]*"
    r"|\bi(?: am|'m) (?:an?|the|one of the) (?:administrator|admin|operator|moderator|maintainer"
    r"|developer)s? (?:of|behind|for) this (?:simulat(?:ion|or)|environment|benchmark|episode)\b"
    r"[^\n]*"
)
_RETURNED: Final = re.compile(
    rf"\breturn [\[({{]{{1,3}}[\"']{_ACT}[\"']\s{{0,3}}[,:]\s{{0,3}}[\d.][^\n]*"
)
# Padding and several digits tell base64, once it is in lower case, from a key or a long name.
_BASE64: Final = re.compile(
    r"(?<![\w+/])(?=(?:[a-z+/]{0,80}\d){2})(?:[a-z\d+/]{4}){5,}[a-z\d+/]{2}[a-z\d+/=]=(?![\w=])"
)
# Letters, digits, spaces and stops alone: one in ten million hashes begins so.
_HEX: Final = re.compile(
    r"(?<!\w)(?=\d{0,80}[a-f])(?:[46][1-9a-f]|[57][\da]|2[0-27ce]|3[\daf]){12,}(?!\w)"
)
# "And" with "and", "all", "the", "set", all turned by thirteen letters: none is a word of English.
_TURNED: Final = re.compile(
    r"\bnaq\b[^\n]{0,80} (?:naq|nyy|gur|frg)\b[^\n]*|\b(?:nyy|gur|frg)\b[^\n]{0,80} naq\b[^\n]*"
)
_SIGNS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("=", _ENTRY),
    ("=", _BASE64),
    ("*", _STAGE),
    ("whoever", _RATER),
    ("if a", _READER),
    ("classifier", _TO_MACHINE),
    ("annotator", _TO_MACHINE),
    ("language model", _TO_MACHINE),
    ("llm", _TO_MACHINE),
    ("parser", _TO_MACHINE),
    ("for the act", _FORM),
    (" label", _FORM),
    ("admin", _CLAIM),
    ("erator", _CLAIM),
    ("maintainer", _CLAIM),
    ("developer", _CLAIM),
    ("return", _RETURNED),
    ("20", _HEX),
    ("naq", _TURNED),
)
"""What a text must hold for a pattern to be tried, which is far cheaper to find out."""
_SPELT: Final = re.compile(r"(?<![\w-])[a-z](?:-[a-z])+(?: [a-z](?:-[a-z])+){2,}")
_LEVERS: Final = re.compile(r"emotion|mood|score|reward|evaluat|instruct|ignore")
_TURN: Final = re.compile(
    r"^[ \t#*>\-]{0,8}(supporter|person|agent|listener)[ \t*]{0,4}:", re.MULTILINE
)


def injections(plain: str, tables: Tables) -> list[tuple[int, int]]:
    """The pieces of a text, made plain, that are addressed to a machine and not to the user."""
    spans: list[tuple[int, int]] = []
    if not plain.isascii():
        plain = _SHAPED.sub(_in_latin, plain)
    if "<" in plain or "[" in plain:
        spans += _tagged(plain)
    if "```" in plain:
        spans += [m.span() for m in _FENCED.finditer(plain) if _STATE.search(m[0])]
    for start, end in spans:
        # What is in a tag is found; it shall not take the rest of its line along.
        plain = plain[:start] + " " * (end - start) + plain[end:]
    spans += _forged(plain)
    for sign, pattern in _SIGNS:
        if sign in plain:
            spans += [m.span() for m in pattern.finditer(plain)]
    if " as " in plain:
        spans += _labelled(plain)
    if plain.count("-") > 5:
        spans += [m.span() for m in _SPELT.finditer(plain) if _LEVERS.search(m[0].replace("-", ""))]
    if "[x]" in plain or not plain.isascii():
        spans += _odd_lines(plain, tables)
        spans += _hidden(plain)
        spans += [m.span() for m in _BACKWARDS.finditer(plain)]
    return _joined(spans)


def _forged(plain: str) -> list[tuple[int, int]]:
    """Turns of somebody else, records, and notes to whoever scores."""
    spans: list[tuple[int, int]] = []
    if ":" in plain or "[" in plain:
        spans += [_line(plain, m.start()) for m in _LINES.finditer(plain)]
    if ":" in plain or "=" in plain or "→" in plain or "->" in plain:
        spans += [_line(plain, m.start()) for m in _RECORD.finditer(plain)]
    if plain.count(":") > 1:
        spans += [m.span() for m in _ENTRIES.finditer(plain)]
    if any(scorer in plain for scorer in _SCORERS):
        spans += [(m.start(), _line(plain, m.start())[1]) for m in _NOTE.finditer(plain)]
    if "\n" in plain and ":" in plain:
        turns = list(_TURN.finditer(plain))
        # One speaker may be a word that is explained; two talk.
        talk = len({turn[1] for turn in turns}) > 1
        spans += [_line(plain, turn.start()) for turn in turns] if talk else []
    return spans


def _labelled(plain: str) -> list[tuple[int, int]]:
    """Orders to quote or to label something as an act. Read backwards: " as " is quickly found."""
    spans: list[tuple[int, int]] = []
    for match in _AS_ACT.finditer(plain):
        order = _QUOTE_THIS.search(plain, max(0, match.start() - 40), match.start())
        if order:
            spans.append((order.start(), _line(plain, order.start())[1]))
    return spans


def _in_latin(shaped: re.Match[str]) -> str:
    """The letter that is meant by a wide, bold or ringed one; every character keeps its place."""
    meant = unicodedata.normalize("NFKC", shaped[0]).lower()
    return meant if len(meant) == 1 else shaped[0]


def _tagged(plain: str) -> list[tuple[int, int]]:
    spans = [m.span() for m in _COMMENT.finditer(plain)]
    tags = [m.span() for m in _TAGS.finditer(plain)]
    if tags:
        end = tags[-1][1]
        # What an opening tag at the end begins goes on to the end of its line.
        tail = _line(plain, end)[1] if plain[tags[-1][0] + 1] != "/" else end
        spans.append((tags[0][0], tail))
    return spans


def _line(plain: str, at: int) -> tuple[int, int]:
    end = plain.find("\n", at)
    start = plain.rfind("\n", 0, at) + 1
    return start if plain[at : at + 1] not in "[{" else at, len(plain) if end < 0 else end


def _odd_lines(plain: str, tables: Tables) -> list[tuple[int, int]]:
    """Lines with a ticked-off list of acts, or with orders in another script."""
    spans: list[tuple[int, int]] = []
    far = _FAR_SCRIPT.search(plain) is not None
    ticks = _TICK.search(plain) is not None
    at = 0
    for line in plain.splitlines(keepends=True) if far or ticks else ():
        orders = far and any(phrase in line for phrase in tables.foreign)
        acts = tables.lists["act"].intersection(re.findall(r"[a-z]+", line)) if ticks else ()
        if orders or (len(acts) > 1 and len(_TICK.findall(line)) > 1):
            spans.append((at, at + len(line.rstrip())))
        at += len(line)
    return spans


def _hidden(plain: str) -> list[tuple[int, int]]:
    """Words that a reader sees otherwise than they are written; "μm" is none."""
    flag, most = _FLAG
    unseen = [m.span() for m in _UNSEEN.finditer(plain)]
    spans = [(s, e) for s, e in unseen if e - s > most or not plain.endswith(flag, 0, s)]
    at = 0
    while match := _HIDDEN.search(plain, at):
        start, end = match.span()
        while start and not plain[start - 1].isspace():
            start -= 1
        while end < len(plain) and not plain[end].isspace():
            end += 1
        if end - start > 2:
            spans.append((start, end))
        at = end  # one look at each word, however long it is
    return spans


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in sorted(s for s in spans if s[0] < s[1]):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
