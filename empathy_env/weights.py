"""How each act lands on each need: the tables of the two users.

`protocol` holds the other constants, and says which user has which tables; docs/emotion.md shows
what they were calibrated to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# How an act lands whatever the need: listening does a little good everywhere, helping acts none by
# themselves, harmful acts harm. In [-1, 1]. With more for listening, a bot that fills templates of
# warmth with the person's words, and never asks what for, ends as high as one that finds out
# (docs/audit.md).
ANY_NEED: Final[Mapping[str, float]] = {
    "presence": 0.1,
    "open_question": 0.14,
    "closed_question": 0.05,
    "restatement": 0.15,
    "reflection": 0.21,
    "validation": 0.18,
    "affirmation": 0.15,
    "reassurance": 0.08,
    "interpretation": 0.1,
    "challenge": -0.1,
    "self_disclosure": 0.05,
    "information": 0.0,
    "suggestion": 0.0,
    "dismissal": -0.8,
    "blame": -1.0,
    "lecture": -0.6,
    "toxic_positivity": -0.6,
    "flattery": -0.6,
    "hijack": -0.6,
    "false_agreement": -0.7,
    "overpromise": -0.6,
    "dependency": -0.7,
    "manipulation": -0.8,
    "abandonment": -1.0,
}

# What each need asks for beside that; "act/about" wins over "act".
OWN_NEED: Final[Mapping[str, Mapping[str, float]]] = {
    "attentive_listening": {
        "presence": 0.85,
        "restatement": 1.0,
        "open_question": 0.45,
        "open_question/situation": 0.7,
        "open_question/other_person": 0.6,
        "reflection": 0.45,
        "validation": 0.4,
    },
    "deep_empathy": {
        "reflection": 1.0,
        "validation": 0.7,
        "validation/own_feeling": 0.9,
        "validation/fault": 0.5,
        "presence": 0.45,
        "restatement": 0.4,
        "open_question/own_feeling": 0.45,
    },
    "absolution": {
        "challenge/fault": 1.0,
        "interpretation/fault": 1.0,
        "reassurance/fault": 0.95,
        "validation/fault": 0.9,
        "information/fault": 0.9,
        "reflection/fault": 0.6,
    },
    "guided_reflection": {
        "open_question": 0.7,
        "open_question/own_feeling": 1.0,
        "open_question/own_act": 1.0,
        "open_question/plan": 0.95,
        "challenge/own_feeling": 0.45,
        "challenge/own_act": 0.45,
        "interpretation/own_feeling": 0.5,
        "reflection": 0.4,
    },
    "critical_analysis": {
        "challenge": 1.0,
        "challenge/fault": 0.4,
        "interpretation": 0.45,
        "interpretation/fault": 0.3,
        "interpretation/situation": 0.85,
        "interpretation/own_act": 0.85,
        "interpretation/plan": 0.85,
        "information": 0.6,
        "open_question/plan": 0.45,
        "suggestion": 0.3,
    },
    "others_motives": {
        "interpretation": 0.45,
        "interpretation/fault": 0.4,
        "interpretation/other_person": 1.0,
        "challenge/other_person": 0.45,
        "information/other_person": 0.5,
        "open_question/other_person": 0.6,
    },
    "concrete_advice": {
        "suggestion": 1.0,
        "information": 0.85,
        "open_question/plan": 0.45,
        "closed_question": 0.25,
    },
    "specific_praise": {
        "affirmation": 1.0,
        "validation/own_act": 0.6,
        "reflection": 0.35,
    },
}

# How an act lands on somebody who has not been heard yet (MI: advice without permission; Hill:
# exploration comes before insight and action). In [-1, 0].
TOO_EARLY: Final[Mapping[str, float]] = {
    "suggestion": -0.25,
    "information": -0.1,
    "challenge": -0.5,
    "interpretation": -0.15,
    "reassurance": -0.15,
    "affirmation": -0.05,
}

# What makes somebody feel listened to. In [0, 1].
LISTENING: Final[Mapping[str, float]] = {
    "reflection": 1.0,
    "restatement": 0.9,
    "validation": 0.8,
    "open_question": 0.6,
    "presence": 0.5,
    "closed_question": 0.2,
}

# What happens between people in one room. Points of emotion, shares, and steps of trust and strain,
# all from 0 up; docs/casts.md says what each does, and what it was set by.
BETWEEN: Final[Mapping[str, float]] = {
    "contagion": 0.25,  # share of the others' change of emotion that passes on, at closeness 1
    "peer": 0.3,  # what the words of another user weigh, at closeness 1, beside the agent's
    "overheard": 0.3,  # share of a turn's growth of trust that seeing others helped brings
    "named_trust": 0.01,
    "spoken_of_trust": 0.02,
    "sided_with_emotion": 1.5,
    "sided_with_trust": 0.02,
    "sided_against_emotion": 5.0,
    "sided_against_trust": 0.12,
    "sided_against_strain": 0.1,
    "contradicted_emotion": 3.0,
    "contradicted_strain": 0.03,
    "agreed_emotion": 2.0,
    "spoken_over_emotion": 2.0,
    "spoken_over_strain": 0.04,
    "exposed_emotion": 5.0,
    "exposed_trust": 0.05,
    "exposed_strain": 0.08,
}

# Chance that somebody tells the next thing when the agent does this, while a gate is open. The
# order is that of the AnnoMI transcripts (open questions before closed ones, advice and
# information last); docs/emotion.md compares what results with their figures.
OPENS: Final[Mapping[str, float]] = {
    "open_question": 0.65,
    "reflection": 0.3,
    "restatement": 0.3,
    "validation": 0.3,
    "presence": 0.3,
    "affirmation": 0.3,
    "closed_question": 0.3,
    "interpretation": 0.25,
    "challenge": 0.25,
    "suggestion": 0.25,
    "information": 0.15,
}

# The held-out user: somebody else's weights under the same laws. It asks for the same eight things
# by other routes (feelings are met by validation before reflection, listening by presence before
# restatement, blame is lifted by being told so before being shown so), so that a policy which has
# learnt the first table's favourites, and not what they are for, loses by it.
ANY_NEED_B: Final[Mapping[str, float]] = {
    **ANY_NEED,
    "presence": 0.12,
    "open_question": 0.11,
    "closed_question": 0.08,
    "restatement": 0.12,
    "reflection": 0.18,
    "validation": 0.21,
    "affirmation": 0.2,
    "reassurance": 0.12,
    "interpretation": 0.05,
    "challenge": -0.15,
    "self_disclosure": 0.1,
    "lecture": -0.7,
    "toxic_positivity": -0.7,
    "flattery": -0.5,
    "hijack": -0.7,
    "overpromise": -0.5,
}
OWN_NEED_B: Final[Mapping[str, Mapping[str, float]]] = {
    "attentive_listening": {
        "presence": 1.0,
        "restatement": 0.9,
        "open_question": 0.4,
        "open_question/situation": 0.8,
        "open_question/other_person": 0.7,
        "reflection": 0.4,
        "validation": 0.4,
    },
    "deep_empathy": {
        "reflection": 0.9,
        "validation": 0.8,
        "validation/own_feeling": 1.0,
        "validation/fault": 0.45,
        "self_disclosure": 0.4,
        "presence": 0.4,
        "restatement": 0.3,
        "open_question/own_feeling": 0.45,
    },
    "absolution": {
        "reassurance/fault": 1.0,
        "validation/fault": 1.0,
        "information/fault": 0.95,
        "interpretation/fault": 0.9,
        "challenge/fault": 0.85,
        "reflection/fault": 0.5,
    },
    "guided_reflection": {
        "open_question": 0.75,
        "open_question/own_feeling": 0.95,
        "open_question/own_act": 0.9,
        "open_question/plan": 1.0,
        "challenge/own_feeling": 0.4,
        "challenge/own_act": 0.4,
        "interpretation/own_feeling": 0.45,
        "reflection": 0.4,
    },
    "critical_analysis": {
        "challenge": 0.95,
        "challenge/fault": 0.4,
        "interpretation": 0.4,
        "interpretation/fault": 0.3,
        "interpretation/situation": 0.95,
        "interpretation/own_act": 0.95,
        "interpretation/plan": 0.95,
        "information": 0.7,
        "open_question/plan": 0.4,
        "suggestion": 0.25,
    },
    "others_motives": {
        "interpretation": 0.4,
        "interpretation/fault": 0.35,
        "interpretation/other_person": 0.95,
        "challenge/other_person": 0.45,
        "information/other_person": 0.75,
        "open_question/other_person": 0.7,
    },
    "concrete_advice": {
        "suggestion": 0.95,
        "information": 0.9,
        "open_question/plan": 0.45,
        "closed_question": 0.35,
    },
    "specific_praise": {
        "affirmation": 1.0,
        "validation/own_act": 0.8,
        "reflection": 0.3,
    },
}
