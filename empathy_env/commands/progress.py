"""What a run costs while it goes on, on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from empathy_env.backends import AsyncBackend, Backend, Reply, Request
from empathy_env.commands.console import err
from empathy_env.commands.stack import Models
from empathy_env.errors import Fault
from empathy_env.trace import Trace

Costs = Counter[str]
"""Meters of replies, added up as they come, those of failures and of stopped episodes included."""


class Metered(AsyncBackend):
    """A backend whose costs are added up."""

    def __init__(self, inner: Backend, costs: Costs):
        self.name = inner.name
        self._inner = inner
        self._costs = costs

    async def complete_async(self, request: Request) -> Reply:
        """Answer one request."""
        try:
            reply = await self._inner.complete_async(request)
        except Fault as fault:
            self._add(fault.meter)
            raise
        self._add(reply.meter)
        return reply

    async def aclose(self) -> None:
        """Let go of what belongs to the running event loop."""
        await self._inner.aclose()

    def _add(self, meter: Mapping[str, float]) -> None:
        for name, value in meter.items():
            self._costs[name] += value  # pyright: ignore[reportArgumentType] - counts and seconds


def tokens(costs: Costs) -> float:
    """Return how many tokens were read and written."""
    return costs["prompt_tokens"] + costs["completion_tokens"]


def totals(costs: Costs, seconds: float) -> str:
    """Return what a run has cost, in one line; "" if nothing was asked.

    >>> totals(Counter(requests=20, prompt_tokens=900, cached_tokens=450), 10.0)
    '20 requests in 10 s (2.0/s), 900 tokens read (50 % from the prefix cache), 0 written'
    """
    asked = costs["requests"] + costs["cache_hits"]
    if not asked:
        return ""
    parts = [f"{costs['requests']:,.0f} requests in {seconds:,.0f} s"]
    parts[0] += f" ({costs['requests'] / max(seconds, 1e-9):,.1f}/s)"
    if costs["cache_hits"]:
        parts.append(f"{costs['cache_hits']:,.0f} replies from the cache")
    if costs["retries"]:
        parts.append(f"{costs['retries']:,.0f} of them sent again")
    if read := costs["prompt_tokens"]:
        share = costs["cached_tokens"] / read
        parts.append(
            f"{read:,.0f} tokens read ({share:.0%} from the prefix cache)".replace("%", " %")
        )
        parts.append(f"{costs['completion_tokens']:,.0f} written")
    if costs["cost"]:
        parts.append(f"{costs['cost']:.2f} dollars")
    return ", ".join(parts)


class _Rates(ProgressColumn):
    """Episodes, requests and tokens a second, what was spent, and faults."""

    def __init__(self, costs: Costs):
        super().__init__()
        self._costs = costs

    def render(self, task: Task) -> Text:
        return Text(rates(self._costs, task.completed, task.elapsed or 0.0, task.fields["faults"]))


def rates(costs: Costs, episodes: float, seconds: float, faults: int) -> str:
    """Return how fast a run goes, in one line.

    >>> rates(Counter(requests=90, prompt_tokens=900, cost=0.5), 3, 2.0, 1)
    '1.5 episodes/s, 45 requests/s, 450 tokens/s, 0.50 dollars, 1 fault'
    """
    seconds = max(seconds, 1e-9)
    parts = [f"{episodes / seconds:,.1f} episodes/s"]
    if costs["requests"]:
        parts.append(f"{costs['requests'] / seconds:,.0f} requests/s")
        parts.append(f"{tokens(costs) / seconds:,.0f} tokens/s")
    if costs["cost"]:
        parts.append(f"{costs['cost']:.2f} dollars")
    if faults:
        parts.append(f"{faults} fault{'s' if faults > 1 else ''}")
    return ", ".join(parts)


def metered(models: Models, costs: Costs) -> Models:
    """Return both models such that their costs are added up."""
    user, agent = models
    return Models(Metered(user, costs) if user else None, Metered(agent, costs) if agent else None)


def watched(traces: Iterable[Trace], costs: Costs, *, total: int, quiet: bool) -> Iterator[Trace]:
    """Pass traces on while a line on stderr shows how far and how fast they come.

    Args:
        traces: What is awaited.
        costs: Is read whenever the line is drawn.
        total: How many traces will come.
        quiet: Show nothing.
    """
    columns = (
        TextColumn("talking"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        _Rates(costs),
        TimeRemainingColumn(),
    )
    hidden = quiet or not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=hidden) as progress:
        bar = progress.add_task("", total=total, faults=0)
        faults = 0
        for trace in traces:
            faults += trace.fault is not None
            progress.update(bar, advance=1, faults=faults)
            yield trace
