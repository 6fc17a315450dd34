"""Thin Gymnasium wrappers, one idea per file."""

from __future__ import annotations

from empathy_env.wrappers.scaffolded import Scaffolded
from empathy_env.wrappers.transcript import TranscriptObservation

__all__ = ["Scaffolded", "TranscriptObservation"]
