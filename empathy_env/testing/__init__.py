"""Hypothesis strategies for everything that a test of a reward, an agent or a user needs.

>>> from hypothesis import find
>>> find(utterances("reflection"), lambda line: True)
'You sound sad.'
>>> trace = find(traces(ending="left"), lambda trace: True)
>>> [turn.heard for turn in trace.turns]
['I have to go now. Goodbye.']

What fails shrinks towards few turns, short plain sentences, the first bundled persona and
difficulty "moderate". docs/testing-kit.md has more.
"""

from __future__ import annotations

from empathy_env.errors import MissingExtra

try:
    import hypothesis as hypothesis
except ImportError as error:
    raise MissingExtra.of("empathy_env.testing", "testing") from error

from empathy_env.testing.failures import Ill as Ill
from empathy_env.testing.failures import Sickly as Sickly
from empathy_env.testing.failures import backends as backends
from empathy_env.testing.moods import appraisals as appraisals
from empathy_env.testing.moods import moods as moods
from empathy_env.testing.personas import personas as personas
from empathy_env.testing.scenarios import difficulties as difficulties
from empathy_env.testing.scenarios import scenarios as scenarios
from empathy_env.testing.talks import conversations as conversations
from empathy_env.testing.talks import texts as texts
from empathy_env.testing.talks import traces as traces
from empathy_env.testing.talks import utterances as utterances

__all__ = [
    "Ill",
    "Sickly",
    "appraisals",
    "backends",
    "conversations",
    "difficulties",
    "moods",
    "personas",
    "scenarios",
    "texts",
    "traces",
    "utterances",
]
