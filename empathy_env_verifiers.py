"""The plugin "empathy-env-verifiers" of verifiers: its ids are names of modules without a dot."""

from empathy_env.adapters.verifiers import EmpathyEnv, EmpathyHarness, EmpathyTaskset

__all__ = ["EmpathyEnv", "EmpathyHarness", "EmpathyTaskset"]
