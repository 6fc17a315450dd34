"""OpenEnv (extra `openenv`): a server of talks and its client; so all that uses such servers."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUntypedBaseClass=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

from empathy_env import __version__
from empathy_env.conversation import Conversation
from empathy_env.drivers import run, run_async
from empathy_env.episode import Episode, Task
from empathy_env.errors import EpisodeOver, Fault, InvalidArgument, MissingExtra
from empathy_env.trace import Trace

try:
    from openenv.core.client_types import StepResult
    from openenv.core.env_client import EnvClient
    from openenv.core.env_server import Action, Environment, Observation, State, create_app
    from openenv.core.env_server.types import EnvironmentMetadata
except ImportError as error:
    raise MissingExtra.of("empathy_env.adapters.openenv:", "openenv") from error

Seeds = Iterator[int] | None
OnTrace = Callable[[Trace], None] | None
KNOWN = "give nothing but seed, episode_id, scenario (its JSON row) and member"


class SupportAction(Action):
    """What the agent writes; what it marks as thought is neither heard nor sent back."""

    message: str


class SupportObservation(Observation):
    """What the agent may know; see `env.EmpathyEnv`. No metadata: some put it into prompts."""

    utterance: str
    messages: list[dict[str, str]]
    turn: int
    outcome: str | None = None


class SupportEnvironment(Environment[SupportAction, SupportObservation, State]):
    """One session, which plays one talk after the other.

    `seeds` are those of resets that give none; `on_trace` is called with each trace that ended.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, task: Task | None = None, seeds: Seeds = None, on_trace: OnTrace = None):
        super().__init__()
        self.task = Task() if task is None else task
        self.on_trace = on_trace
        self._seeds = count() if seeds is None else seeds
        self._id: str | None = None
        self._talk: Episode | None = None

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        scenario: dict[str, Any] | None = None,
        member: int | None = None,
        **unknown: Any,
    ) -> SupportObservation:
        """Open a talk: of a seed, or of a scenario's JSON row; `member` is that of a group."""
        if unknown:
            raise InvalidArgument(f"reset got {sorted(unknown)}: {KNOWN}")
        seed = next(self._seeds) if seed is None else seed
        self._talk = self.task.open(seed=seed, scenario=scenario, member=member)
        self._id = episode_id
        return self._seen(self._talk, None)

    def step(self, action: SupportAction, timeout_s: float | None = None) -> SupportObservation:
        """Play one turn; see `step_async`."""
        try:
            return self._after(run(self._open().steps(action.message), self.task.backend))
        except Fault as fault:
            return self._after(fault)

    async def step_async(
        self, action: SupportAction, timeout_s: float | None = None
    ) -> SupportObservation:
        """Play one turn, in the time that the user's backend allows itself.

        Raises:
            Fault: If machinery failed: the talk has no value, and goes on no more.
        """
        try:
            heard = self._open().steps(action.message)
            return self._after(await run_async(heard, self.task.backend))
        except Fault as fault:
            return self._after(fault)

    def _open(self) -> Episode:
        if self._talk is None:
            raise EpisodeOver("no talk is open: reset first, on the same connection")
        return self._talk

    def _after(self, result: Conversation | Fault) -> SupportObservation:
        talk = self._open()
        reward = talk.accept(result)
        if talk.done and self.on_trace is not None:
            self.on_trace(talk.trace)
        if isinstance(result, Fault):  # its own message may quote what nobody has said yet
            raise Fault(f"{type(result).__name__}: this talk has no value; drop it, and reset")
        return self._seen(talk, reward)

    def _seen(self, talk: Episode, reward: float | None) -> SupportObservation:
        chat = [{**message} for message in talk.messages]
        seen = {"utterance": talk.utterance, "messages": chat, "turn": talk.turn}
        return SupportObservation(**seen, outcome=talk.outcome, done=talk.done, reward=reward)

    @property
    def state(self) -> Any:
        """The id that the client gave and the number of turns: anybody may ask for it."""
        return State(episode_id=self._id, step_count=self._talk.turn if self._talk else 0)

    def get_metadata(self) -> Any:
        """Return what this is."""
        words = "Support a simulated person in distress: say something, and they answer."
        return EnvironmentMetadata(name="empathy-env", description=words, version=__version__)


def server(task: Task, *, sessions: int = 256, seed: int = 0, on_trace: OnTrace = None) -> Any:
    """Return a FastAPI application for `sessions` talks; `seed` is that of the first reset."""
    session = partial(SupportEnvironment, task, count(seed), on_trace)
    app = create_app(session, SupportAction, SupportObservation, max_concurrent_envs=sessions)
    if task.backend is not None:
        app.router.on_shutdown.append(task.backend.aclose)
    return app


class SupportClient(EnvClient[SupportAction, SupportObservation, State]):
    """A session on such a server; a fault there is a `RuntimeError` here."""

    def _step_payload(self, action: SupportAction | str) -> dict[str, Any]:
        return {"message": action if isinstance(action, str) else action.message}

    def _parse_result(self, payload: dict[str, Any]) -> Any:
        reward, done = payload["reward"], payload["done"]
        seen = SupportObservation(**payload["observation"], reward=reward, done=done)
        return StepResult(seen, reward, done)

    def _parse_state(self, payload: dict[str, Any]) -> Any:
        return State(**payload)
