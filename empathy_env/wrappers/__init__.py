"""Thin Gymnasium wrappers, one idea per file."""

from __future__ import annotations

from empathy_env.wrappers.transcript import TranscriptObservation

__all__ = ["TranscriptObservation"]
