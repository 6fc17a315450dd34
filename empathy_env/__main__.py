"""The command line: `empathy-env`, or `python -m empathy_env`. The only place that prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from empathy_env import __version__
from empathy_env.agents import agent_names, load_agent
from empathy_env.emotion import Mood
from empathy_env.episode import Task
from empathy_env.errors import EmpathyEnvError
from empathy_env.measures import Interval, cluster_bootstrap
from empathy_env.persona import load_personas
from empathy_env.rollout import record
from empathy_env.scenario import Scenario
from empathy_env.trace import Line, Trace, read_lines
from empathy_env.verification import verify as verify_trace

app = typer.Typer(
    name="empathy-env",
    help="Reinforcement learning on empathy: talk with personas, roll out agents, check rewards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
agent_app = typer.Typer(help="Agents that come with the package.", no_args_is_help=True)
persona_app = typer.Typer(help="Personas that come with the package.", no_args_is_help=True)
app.add_typer(agent_app, name="agent")
app.add_typer(persona_app, name="persona")

out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of a table.")]
DEMO_AGENTS = ("oracle", "listener", "blind-script", "advisor", "silent")


def _version(show: bool) -> None:
    if show:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the traces.")] = Path(
        "empathy-demo"
    ),
    episodes: Annotated[int, typer.Option(min=1, help="Episodes for each persona and need.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Run every persona against five agents, offline, and compare them."""
    task = Task(personas="all")
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = [
        Scenario(persona=persona, need=variant.need, seed=seed + number)
        for persona in load_personas().values()
        for variant in persona.needs
        for number in range(episodes)
    ]
    found: dict[str, list[Trace]] = {}
    with _progress() as progress:
        bar = progress.add_task("talking", total=len(scenarios) * len(DEMO_AGENTS))
        for name in DEMO_AGENTS:
            path = folder / f"{name}.jsonl"
            path.unlink(missing_ok=True)
            found[name] = []
            for trace in record(path, task, load_agent(name), scenarios, concurrency=16):
                found[name].append(trace)
                progress.advance(bar)
    rows = [_summary(name, traces) for name, traces in found.items()]
    if as_json:
        _print_json({"traces": str(folder), "agents": rows})
        return
    _print_summaries(
        rows, f"{len(scenarios)} talks an agent: every persona and need, difficulty moderate"
    )
    out.print(
        f"\nTraces: {folder}/*.jsonl, one talk a line. Intervals: 95 %, resampling personas. "
        "The oracle sees the hidden state; it is the bound, not a policy.\n"
        "\nTry next:\n"
        "  empathy-env play laid-off-engineer --show-mood\n"
        f"  empathy-env verify {folder}/listener.jsonl\n"
        "  empathy-env rollout --agent my_agent.py --out mine.jsonl",
        highlight=False,
    )


@app.command()
def play(
    persona: Annotated[str, typer.Argument(help="Name, or path to a YAML file.")] = (
        "laid-off-engineer"
    ),
    difficulty: Annotated[str, typer.Option(help="Preset.")] = "moderate",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    max_turns: Annotated[int, typer.Option(min=1)] = 10,
    show_mood: Annotated[bool, typer.Option(help="Draw the mood as it moves.")] = False,
    save: Annotated[Path | None, typer.Option("--out", help="Append the trace here.")] = None,
) -> None:
    """Talk with a persona yourself. An empty line is a silence; end of input stops."""
    episode = Task(persona=persona, difficulty=difficulty, max_turns=max_turns).open(seed=seed)
    name = episode.talk.room.scenario.persona.identity.name
    out.print(f"[bold]{name}[/bold]  (you have {max_turns} turns)\n")
    while True:
        out.print(f"[bold]{name}:[/bold] ", end="")
        out.print(episode.utterance, markup=False, highlight=False)
        if show_mood:
            out.print(_mood_bar(episode.talk.users[0].mood), highlight=False)
        if episode.done:
            break
        try:
            said = out.input("[bold]You:[/bold] ")
        except EOFError:
            out.print("\n(stopped)")
            break
        episode.say(said)
    if episode.done:
        final = episode.trace.emotion(episode.turn)
        out.print(f"\nThe talk ended: {episode.outcome}. Emotion {final:.0f} of 100.")
        out.print(f"They needed: {episode.talk.room.scenario.need.replace('_', ' ')}.")
    if save is not None:
        with save.open("a", encoding="utf-8", newline="\n") as file:
            file.write(episode.trace.to_json() + "\n")


@app.command()
def rollout(
    agent: Annotated[str, typer.Option(help="Name, or path to a Python file.")],
    path: Annotated[Path, typer.Option("--out", help="Trace file to write.")],
    personas: Annotated[str, typer.Option(help="Selection, such as 'split:dev tag:work'.")] = "all",
    user: Annotated[str, typer.Option(help="Who plays the user.")] = "code",
    difficulty: Annotated[str, typer.Option(help="Preset.")] = "moderate",
    protocol: Annotated[str, typer.Option()] = "appraisal-v1",
    scaffold: Annotated[str, typer.Option()] = "plain",
    reward: Annotated[str, typer.Option(help="Name, or module:function.")] = "terminal",
    episodes: Annotated[int, typer.Option(min=1)] = 24,
    max_turns: Annotated[int, typer.Option(min=1)] = 10,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Talks at once.")] = 16,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play episodes with an agent and record them, one JSON line each."""
    task = Task(
        personas=personas,
        user=user,
        difficulty=difficulty,
        protocol=protocol,
        scaffold=scaffold,
        reward=reward,
        max_turns=max_turns,
    )
    scenarios = [task.scenario(seed + number) for number in range(episodes)]
    player = load_agent(agent)
    with _progress() as progress:
        bar = progress.add_task("talking", total=episodes)
        new = 0
        for _ in record(path, task, player, scenarios, concurrency=concurrency, resume=resume):
            new += 1
            progress.advance(bar)
    wanted = {scenario.episode_id for scenario in scenarios}
    traces = [line.trace for line in read_lines(path).lines if line.trace.id in wanted]
    row = _summary(player.name, traces)
    if as_json:
        _print_json({"traces": str(path), "new": new, **row})
        return
    _print_summaries([row], f"{len(traces)} talks, {new} of them new, in {path}")


@app.command()
def verify(
    paths: Annotated[list[Path], typer.Argument(help="Trace files.")], as_json: AsJson = False
) -> None:
    """Recompute every mood, ending and reward of recorded talks; exit 1 at a mismatch."""
    wrong: list[dict[str, str]] = []
    unverified: set[str] = set()
    checked = 0
    for path in paths:
        read = read_lines(path)
        wrong += [{"file": str(path), "episode": "", "problem": text} for text in read.problems]
        for line in _tracked(read.lines, str(path)):
            verdict = verify_trace(line)
            checked += 1
            unverified.update(verdict.unverified)
            if verdict.mismatch is not None:
                problem = str(verdict.mismatch)
                wrong.append({"file": str(path), "episode": verdict.id, "problem": problem})
    if as_json:
        _print_json({"checked": checked, "wrong": wrong, "unverified": sorted(unverified)})
    else:
        for entry in wrong:
            out.print(f"{entry['file']} {entry['episode']}: {entry['problem']}", markup=False)
        for text in sorted(unverified):
            out.print(f"not verified: {text}", markup=False)
        out.print(f"{checked} talks checked, {len(wrong)} problems")
    if wrong:
        raise typer.Exit(1)


@agent_app.command("list")
def list_agents(as_json: AsJson = False) -> None:
    """List the agents."""
    agents = [load_agent(name) for name in agent_names()]
    rows = [{"name": a.name, "cheats": a.cheats, "summary": a.summary} for a in agents]
    if as_json:
        _print_json(rows)
        return
    _print_table(
        ("name", "cheats", "summary"), ((r["name"], r["cheats"], r["summary"]) for r in rows)
    )


@persona_app.command("list")
def list_personas(
    selection: Annotated[str, typer.Argument(help="Such as 'split:dev need:absolution'.")] = "all",
    as_json: AsJson = False,
) -> None:
    """List the personas."""
    rows: list[dict[str, Any]] = [
        {
            "id": p.id,
            "split": p.split,
            "name": p.identity.name,
            "age": p.identity.age,
            "occupation": p.identity.occupation,
            "needs": [variant.need for variant in p.needs],
            "tags": list(p.tags),
        }
        for p in load_personas(selection).values()
    ]
    if as_json:
        _print_json(rows)
        return
    columns = ("id", "split", "name", "age", "needs", "tags")
    _print_table(columns, ([_cell(row[name]) for name in columns] for row in rows))


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _summary(agent: str, traces: Sequence[Trace]) -> dict[str, Any]:
    """Return an agent's figures: final emotion and endings."""
    finals: dict[str, list[float]] = {}
    for trace in traces:
        final = trace.emotion(len(trace.turns))
        finals.setdefault(trace.scenario.persona.id, []).append(final)
    interval: Interval = cluster_bootstrap(finals)
    outcomes = [trace.outcome for trace in traces]
    return {
        "agent": agent,
        "episodes": interval.size,
        "emotion": round(interval.mean, 2),
        "low": round(interval.low, 2),
        "high": round(interval.high, 2),
        "success": round(outcomes.count("success") / len(outcomes), 3),
        "left": round(outcomes.count("left") / len(outcomes), 3),
        "turns": round(sum(len(trace.turns) for trace in traces) / len(traces), 2),
    }


def _print_summaries(rows: Sequence[dict[str, Any]], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for name in ("agent", "final emotion", "95 %", "success", "left", "turns"):
        table.add_column(name, justify="left" if name == "agent" else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["agent"],
            f"{row['emotion']:.1f}",
            f"{row['low']:.1f} to {row['high']:.1f}",
            f"{row['success']:.0%}",
            f"{row['left']:.0%}",
            f"{row['turns']:.1f}",
        )
    out.print(table)


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table()
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*map(str, row))
    out.print(table)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def _mood_bar(mood: Mood) -> str:
    filled = round(mood.emotion / 100 * 30)
    colour = "red" if mood.emotion < 30 else "yellow" if mood.emotion < 70 else "green"
    parts = "  ".join(
        f"{name} {getattr(mood, name):.2f}" for name in ("trust", "heard", "met", "strain")
    )
    bar = f"[{colour}]{'█' * filled}[/{colour}]{'░' * (30 - filled)}"
    return f"  {bar} {mood.emotion:5.1f}   {parts}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )


def _tracked(items: Sequence[Line], text: str) -> Iterable[Line]:
    with _progress() as progress:
        yield from progress.track(items, description=text)


def main() -> None:
    """Run the command line; a mistake of the caller is one line and exit code 1."""
    try:
        app()
    except EmpathyEnvError as error:
        err.print(f"error: {error}", markup=False, style="red", highlight=False)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
