"""The laws as calls: give your reward, environment, agent, persona, backend or appraiser.

Each check returns a `Report` of the laws that hold, or raises `empathy_env.errors.CheckFailed` at
the first that is broken, with the shortest talk that shows it. docs/testing-kit.md has examples.
The names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from empathy_env.errors import MissingExtra

if TYPE_CHECKING:
    from empathy_env.checks.agents import check_agent as check_agent
    from empathy_env.checks.appraisers import check_appraiser as check_appraiser
    from empathy_env.checks.backends import check_backend as check_backend
    from empathy_env.checks.casts import check_cast as check_cast
    from empathy_env.checks.environments import check_env as check_env
    from empathy_env.checks.personas import check_persona as check_persona
    from empathy_env.checks.report import Report as Report
    from empathy_env.checks.rewards import check_reward as check_reward

_HOME: Final = {
    "Report": "report",
    "check_agent": "agents",
    "check_appraiser": "appraisers",
    "check_backend": "backends",
    "check_cast": "casts",
    "check_env": "environments",
    "check_persona": "personas",
    "check_reward": "rewards",
}
"""Where each public name lives."""

__all__ = [
    "Report",
    "check_agent",
    "check_appraiser",
    "check_backend",
    "check_cast",
    "check_env",
    "check_persona",
    "check_reward",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'empathy_env.checks' has no attribute {name!r}")
    try:
        return getattr(import_module(f"empathy_env.checks.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise MissingExtra.of(f"empathy_env.checks.{name}", "testing") from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
