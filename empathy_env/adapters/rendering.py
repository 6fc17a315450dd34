"""Renderers of chats (library `renderers`, which the extra `verifiers` brings): do they keep turns?

verifiers makes one sample of a talk only if each prompt begins with the tokens of the turn before.
"""

# Not there when the package is checked, and loosely typed.
# pyright: reportMissingImports=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from functools import cache
from typing import Any, Final

from empathy_env.errors import InvalidArgument, MissingExtra
from empathy_env.messages import from_system, from_user

try:
    from renderers import create_renderer
    from renderers.base import load_tokenizer
except ImportError as error:
    raise MissingExtra.of("empathy_env.adapters.rendering:", "verifiers") from error

__all__ = ["TurnsKept", "check_turns_are_kept"]

_ASKED: Final = (from_system("S"), from_user("U"))
_SAID: Final = {"words": "SOME WORDS", "a thought": "<think>\nA THOUGHT\n</think>\n\nSOME WORDS"}
"""What the policy may write, as the models write it that such renderers are for."""


class TurnsKept:
    """Put before `verifiers.v1.Env`: refuses a policy whose renderer changes what it sampled.

    At load, if the configuration names the client (`env.agent.client`); else before an episode
    asks for anything, since the library hands the trainer's client over with each of them.
    """

    config: Any

    def __init__(self, config: Any) -> None:
        super().__init__(config)  # pyright: ignore[reportCallIssue]
        check_turns_are_kept(config.agent.client, config.agent.model)

    async def run_episode(self, task: Any, ctx: Any, **watchers: Any) -> Any:
        """Play a task; see `verifiers.v1.Env.run_episode`.

        Raises:
            InvalidArgument: If the policy's renderer changes earlier turns.
        """
        agent: Any = self.config.agent
        check_turns_are_kept(agent.client or ctx.client, agent.model or ctx.model)
        env: Any = super()
        return await env.run_episode(task, ctx, **watchers)


def check_turns_are_kept(client: Any, model: str | None) -> None:
    """Check that what a policy sampled stays as it is when the user's next turn is added.

    Args:
        client: A configuration of verifiers; one that does not train (or None) is not looked at.
        model: Whose renderer it is, unless `client.renderer_model_name` says so.

    Raises:
        InvalidArgument: If it does not: one talk would become several samples.
    """
    model = getattr(client, "renderer_model_name", None) or model
    if getattr(client, "type", None) != "train" or model is None:
        return
    if changed := _changed(model, client.renderer):
        name = getattr(client.renderer, "name", "auto")
        raise InvalidArgument(
            f"renderer.name={name!r} for model={model!r} changes {changed} of an earlier turn when "
            "the user's next turn is added, so that one talk would be trained on as several. Give "
            "renderer.thinking_retention='all' with the renderer made for the model (such as "
            "renderer.name='qwen3'; in prime-rl they stand under [orchestrator.renderer]); for "
            "renderer.name='default', a chat template that keeps earlier turns as they are"
        )


@cache
def _changed(model: str, config: Any) -> str | None:
    """Return what of an earlier turn does not stay, if anything; known once for each renderer."""
    tokenizer = load_tokenizer(model)
    renderer = create_renderer(tokenizer, config)
    for what, words in _SAID.items():
        if not _kept(renderer, tokenizer.encode(words, add_special_tokens=False)):
            return what
    return None


def _kept(renderer: Any, words: list[int]) -> bool:
    """Say whether the next prompt, made as verifiers makes it, begins with the turn before."""
    prompt = renderer.render([*_ASKED], add_generation_prompt=True).token_ids
    turn = [*prompt, *words, _end(renderer)]
    said = renderer.parse_response(turn[len(prompt) :], prompt_ids=prompt)
    answer = {"role": "assistant", "content": said.content or ""}
    if said.reasoning_content is not None:
        answer["reasoning_content"] = said.reasoning_content
    longer = renderer.bridge_to_next_turn(prompt, turn[len(prompt) :], [from_user("V")])
    if longer is None:
        chat = [*_ASKED, answer, from_user("V")]
        longer = renderer.render(chat, add_generation_prompt=True)
    return longer.token_ids[: len(turn)] == turn


def _end(renderer: Any) -> int:
    """Return the token that ends the policy's turn; some renderers stop at others as well."""
    stops = renderer.get_stop_token_ids()
    rendered = renderer.render([*_ASKED, {"role": "assistant", "content": "."}]).token_ids
    return next(token for token in (*reversed(rendered), *stops) if token in stops)
