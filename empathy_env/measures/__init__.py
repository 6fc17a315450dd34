"""Instruments: numbers about sets of traces, with their uncertainty."""

from __future__ import annotations

from empathy_env.measures.bootstrap import Interval, cluster_bootstrap

__all__ = ["Interval", "cluster_bootstrap"]
