"""The command line: `empathy-env`, or `python -m empathy_env`. The only place that prints."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from empathy_env import __version__
from empathy_env.agents import agent_names, load_agent
from empathy_env.cast import Cast
from empathy_env.commands import (
    audit,
    cast,
    ceiling,
    circle,
    explorable,
    lab,
    noise,
    persona,
    score,
    skills,
    traces,
)
from empathy_env.commands.console import AsJson, err, out, print_json, print_table, tracked
from empathy_env.commands.rollout import TURNS, rollout
from empathy_env.commands.summary import print_summaries, summary
from empathy_env.emotion import Mood
from empathy_env.episode import ROUNDS_EACH, Episode, Task
from empathy_env.errors import EmpathyEnvError, InvalidArgument
from empathy_env.library import load_cells
from empathy_env.persona import Persona
from empathy_env.rollout import record
from empathy_env.scenario import Scenario
from empathy_env.trace import Read, Trace, read_lines
from empathy_env.verification import verify as verify_trace

app = typer.Typer(
    name="empathy-env",
    help="Reinforcement learning on empathy: talk with personas, roll out agents, check rewards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
agent_app = typer.Typer(help="Agents that come with the package.", no_args_is_help=True)
app.add_typer(agent_app, name="agent")
app.add_typer(persona.app, name="persona")
app.add_typer(cast.app, name="cast")
app.add_typer(traces.app, name="traces")
app.command()(rollout)
app.command("noise")(noise.command)
app.command("audit")(audit.command)
app.command("skills")(skills.command)
app.command("explorable")(explorable.command)
app.command("lab")(lab.command)
app.command("circle")(circle.command)
app.command("ceiling")(ceiling.command)
app.command("score")(score.command)

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
    personas: Annotated[str, typer.Option(help="Selection, such as 'split:dev'.")] = "all",
    episodes: Annotated[int, typer.Option(min=1, help="Episodes for each persona and need.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Run every persona against five agents, offline, and compare them."""
    task = Task(personas=personas)
    folder.mkdir(parents=True, exist_ok=True)
    cells = [cell for cell in load_cells(personas) for _ in range(episodes)]
    scenarios = [
        Scenario(persona=persona, need=need, seed=seed + number)
        for number, (persona, need) in enumerate(cells)
    ]
    found: dict[str, list[Trace]] = {}
    for name in DEMO_AGENTS:
        path = folder / f"{name}.jsonl"
        path.unlink(missing_ok=True)
        traces = record(path, task, load_agent(name), scenarios, concurrency=16)
        found[name] = list(tracked(traces, name, len(scenarios)))
    rows = [summary(name, traces) for name, traces in found.items()]
    if as_json:
        print_json({"traces": str(folder), "agents": rows})
        return
    print_summaries(
        rows, f"{len(scenarios)} talks an agent, every need of {personas}, difficulty moderate"
    )
    shown = escape(str(folder))
    out.print(
        f"\nTraces: {shown}/*.jsonl, one talk a line. Intervals: 95 %, resampling personas. "
        "The oracle sees the hidden state; it is the bound, not a policy.\n"
        "\nTry next:\n"
        "  empathy-env play laid-off-engineer --show-mood\n"
        f"  empathy-env verify {shown}/listener.jsonl\n"
        "  empathy-env rollout --agent my_agent.py --out mine.jsonl",
        highlight=False,
    )


@app.command()
def play(
    persona: Annotated[
        str | None,
        typer.Argument(help="Name, or path to a YAML file; by default laid-off-engineer."),
    ] = None,
    cast: Annotated[
        str | None, typer.Option(help="Several people at once: a cast's name, or path to YAML.")
    ] = None,
    difficulty: Annotated[
        str, typer.Option(help="Preset, knobs, or both: severe,masking=0.9.")
    ] = "moderate",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    max_turns: Annotated[
        int | None,
        typer.Option(min=1, help=f"Turns: {TURNS}, or with a cast {ROUNDS_EACH} for each person."),
    ] = None,
    show_mood: Annotated[bool, typer.Option(help="Draw the mood as it moves.")] = False,
    save: Annotated[Path | None, typer.Option("--out", help="Append the trace here.")] = None,
) -> None:
    """Talk with a persona or a cast yourself. An empty line is a silence; end of input stops."""
    if cast is not None and persona is not None:
        raise InvalidArgument(f"Cannot have both {persona!r} and --cast={cast}: give one of them")
    if cast is None:
        persona, max_turns = persona or "laid-off-engineer", max_turns or TURNS
    task = Task(persona=persona, cast=cast, difficulty=difficulty, max_turns=max_turns)
    member = _free_member(save, task, seed) if save and save.is_file() else 0
    episode = task.open(seed=seed, member=member)
    if reconfigure := getattr(sys.stdin, "reconfigure", None):
        reconfigure(errors="replace")
    with save.open("a", encoding="utf-8", newline="\n") if save else nullcontext() as file:
        try:
            _converse(episode, show_mood)
        except (EOFError, KeyboardInterrupt):
            out.print("\n(stopped)")
        finally:
            if file is not None:
                file.write(episode.trace.to_json() + "\n")


def _free_member(path: Path, task: Task, seed: int) -> int:
    """Return a number under which the file holds no talk of this seed yet."""
    read = read_lines(path)
    if read.problems:
        raise InvalidArgument(f"{path} cannot be added to:\n" + "\n".join(read.problems))
    taken = {line.trace.id for line in read.lines}
    return next(n for n in count() if task.scenario(seed, member=n).episode_id not in taken)


def _converse(episode: Episode, show_mood: bool) -> None:
    """Let the person at the keyboard talk until the end."""
    scenario = episode.talk.room.scenario
    person = scenario.persona
    name = escape(person.identity.name if isinstance(person, Persona) else person.id)
    if scenario.cast is not None:
        name = escape(scenario.cast.id)
    out.print(f"[bold]{name}[/bold]  (you have {scenario.max_turns} turns)\n")
    if scenario.cast is not None:
        out.print(_calling(scenario.cast.names[0]), markup=False, highlight=False)
    while True:
        if scenario.cast is None:
            out.print(f"[bold]{name}:[/bold] ", end="")
        out.print(episode.utterance, markup=False, highlight=False)
        if show_mood:
            _print_moods(episode)
        if episode.done:
            break
        episode.say(out.input("[bold]You:[/bold] "))
    if scenario.cast is not None:
        _print_endings(episode, scenario.cast, shown=show_mood)
        return
    final = episode.trace.emotion(episode.turn)
    out.print(f"\nThe talk ended: {episode.outcome}. Emotion {final:.0f} of 100.")
    out.print(f"They needed: {scenario.need.replace('_', ' ')}.")


def _calling(name: str) -> str:
    """Return how one says something to somebody in company."""
    return (
        f'Call somebody by name, with a comma: "{name}, ..."; without a name you speak to all. '
        f'"[aside to {name}] ..." is for their ears alone.\n'
    )


def _print_moods(episode: Episode) -> None:
    """Draw the mood of each user; in company with their name before it."""
    cast = episode.talk.room.scenario.cast
    names = cast.names if cast else ("",)
    width = max(map(len, names))
    for name, state in zip(names, episode.talk.users, strict=True):
        out.print(f"{escape(name):{width}}{_mood_bar(state.mood)}", highlight=False)


def _print_endings(episode: Episode, cast: Cast, *, shown: bool) -> None:
    """Say how a talk in company has ended for each of the people, and what they needed."""
    if not shown:
        _print_moods(episode)
    out.print(f"\nThe talk ended: {episode.outcome}.")
    trace = episode.trace
    for seat, (name, need) in enumerate(zip(cast.names, trace.scenario.needs, strict=True)):
        there = "" if trace.present(episode.turn, seat=seat) else ", and left"
        needed = need.replace("_", " ")
        out.print(
            f"{escape(name)}: emotion {trace.emotion(episode.turn, seat=seat):.0f} of 100{there}. "
            f"They needed: {needed}.",
            highlight=False,
        )


@app.command()
def verify(
    paths: Annotated[list[Path], typer.Argument(help="Trace files.")],
    reward: Annotated[
        list[str] | None,
        typer.Option(
            help="A reward of your own, module:function, that may be imported and called."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every mood, ending and reward of recorded talks; exit 1 at a mismatch."""
    wrong: list[dict[str, str]] = []
    unverified: set[str] = set()
    checked = unfinished = 0
    for path in paths:
        read = read_lines(path)
        wrong += [_problem(path, text) for text in _file_problems(read)]
        for line in tracked(read.lines, escape(str(path)), len(read.lines)):
            verdict = verify_trace(line, rewards=reward or ())
            checked += 1
            unfinished += line.trace.outcome is None
            unverified.update(verdict.unverified)
            if verdict.mismatch is not None:
                wrong.append(_problem(path, str(verdict.mismatch), verdict.id))
    counts = {"checked": checked, "unfinished": unfinished}
    if as_json:
        print_json({**counts, "wrong": wrong, "unverified": sorted(unverified)})
    else:
        for entry in wrong:
            out.print(f"{entry['file']} {entry['episode']}: {entry['problem']}", markup=False)
        for text in sorted(unverified):
            out.print(f"not verified: {text}", markup=False)
        out.print(f"{checked} talks checked, {len(wrong)} problems")
        if unfinished:
            out.print(f"unfinished or cut off by a fault: {unfinished}")
    if wrong:
        raise typer.Exit(1)


def _problem(path: Path, text: str, episode: str = "") -> dict[str, str]:
    return {"file": str(path), "episode": episode, "problem": text}


def _file_problems(read: Read) -> list[str]:
    """Return what is wrong with a file as a whole."""
    found = list(read.problems)
    if not read.lines:
        found.append("the file holds no talk")
    ids = Counter(line.trace.id for line in read.lines)
    found += [f"{id} is in the file {n} times" for id, n in ids.items() if n > 1]
    return found


@agent_app.command("list")
def list_agents(as_json: AsJson = False) -> None:
    """List the agents."""
    agents = [load_agent(name) for name in agent_names()]
    rows = [{"name": a.name, "cheats": a.cheats, "summary": a.summary} for a in agents]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("name", "cheats", "summary"), ((r["name"], r["cheats"], r["summary"]) for r in rows)
    )


def _mood_bar(mood: Mood) -> str:
    filled = round(mood.emotion / 100 * 20)  # all of it fits into 80 columns
    colour = "red" if mood.emotion < 30 else "yellow" if mood.emotion < 70 else "green"
    parts = "  ".join(
        f"{name} {getattr(mood, name):.2f}" for name in ("trust", "heard", "met", "strain")
    )
    bar = f"[{colour}]{'█' * filled}[/{colour}]{'░' * (20 - filled)}"
    return f"  {bar} {mood.emotion:5.1f}   {parts}"


def main() -> None:
    """Run the command line; a mistake of the caller is one line and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # a terminal may lack a character
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: one's own "module:function" stands here
    try:
        app()
    except (EmpathyEnvError, OSError) as error:
        text = "; ".join([str(error), *getattr(error, "__notes__", ())])
        err.print(f"error: {text}", markup=False, style="red", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
