"""The trajectories are those that ART's published code reads, and hold what was sampled alone."""

from __future__ import annotations

import ast
import asyncio
import re
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import art
import pytest
from chatml import END, TEMPLATE, encoded, spans, tokenizer
from conformance import ROWS, SECRET, SETTINGS, expected, record, reply_to
from failing import CUE, failing_task
from live import as_user

from empathy_env import Task, verify
from empathy_env.adapters.art import talk, talks
from empathy_env.backends import Reply
from empathy_env.backends.asynchronous import AsyncBackend
from empathy_env.errors import TimedOut

PAGE = Path(__file__).parents[2] / "docs" / "adapters" / "art.md"


class Choice(SimpleNamespace):
    """A completion of vLLM, with `return_token_ids`."""


class Model:
    """What an `art.Model` is to the adapter: a client of the server that samples."""

    def __init__(self, say=reply_to):
        self.say, self.asked = say, []
        create = SimpleNamespace(create=self.create)
        self._client = SimpleNamespace(chat=SimpleNamespace(completions=create))

    def openai_client(self):
        return self._client

    def get_inference_name(self):
        return "agent@0"

    async def create(self, *, model, messages, logprobs, **sampling):
        assert (model, logprobs) == ("agent@0", True)
        self.asked.append((messages, sampling))
        prompt = tokenizer().apply_chat_template(
            messages, chat_template=TEMPLATE, tokenize=False, add_generation_prompt=True
        )
        words = self.say(messages)
        choice = Choice(
            message=SimpleNamespace(content=words),
            prompt_token_ids=encoded(prompt),
            token_ids=encoded(words + END),
            logprobs=[-float(n + 1) for n in range(len(encoded(words + END)))],
        )
        return SimpleNamespace(choices=[choice])


def together(*work):
    """Await all."""

    async def gathered():
        return await asyncio.gather(*work)

    return asyncio.run(gathered())


def source(path):
    """Return a file of the wheel, parsed, without the types that Python 3.12 can write."""
    text = (art.folder / path).read_text("utf-8")
    text = re.sub(r"^type (\w+)(?:\[[^\]]*\])? = ", r"\1 = ", text, flags=re.M)
    generic = r"^(\s*(?:async )?(?:def|class) \w+)\[[^\]]*\]"
    return ast.parse(re.sub(generic, r"\1", text, flags=re.M))


def named(tree, name):
    """Return the last definition of a name: earlier ones are overloads."""
    return [one for one in ast.walk(tree) if getattr(one, "name", None) == name][-1]


def arguments(function):
    """Return the names of what a function takes."""
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def sequences(trajectory):
    """Return the training sequences that ART's own code makes of a trajectory."""
    path = art.folder / "preprocessing" / "tokenize.py"
    text = path.read_text("utf-8")
    function = named(ast.parse(text), "assemble_vllm_training_sequences")
    made: dict[str, Any] = {
        "Choice": Choice,
        "Any": Any,
        "has_completion_logprobs": lambda choice: True,
        "choice_vllm_token_metadata": lambda choice: (choice.prompt_token_ids, choice.token_ids),
        "_choice_logprobs": lambda choice, **more: (choice.logprobs, []),
        "_tokenized_result_from_vllm_choices": lambda **fields: SimpleNamespace(**fields),
    }
    code = f"from __future__ import annotations\n{ast.get_source_segment(text, function)}"
    exec(compile(code, str(path), "exec"), made)
    return made["assemble_vllm_training_sequences"](
        tokenizer=tokenizer(),
        histories=[SimpleNamespace(messages_and_choices=trajectory.messages_and_choices)],
        advantage=1.0,
        allow_training_without_logprobs=False,
        trajectory=trajectory,
    )


def conformance():
    """Return the trajectories of the conformance talks, and their traces."""
    traces: dict[int, Any] = {}
    work = (
        talk(
            Task(**SETTINGS),
            Model(),
            row,
            member=row["member"],
            on_trace=lambda trace, n=n: traces.update({n: trace}),
        )
        for n, row in enumerate(ROWS)
    )
    made = together(*work)
    return made, [traces[n] for n in range(len(ROWS))]


def test_what_is_used_of_art_is_in_its_wheel():
    trajectories, gather = source("trajectories/__init__.py"), source("gather.py")
    for name in ("Trajectory", "TrajectoryGroup"):
        own = set(getattr(art, name).__annotations__)
        fields = [one for one in named(trajectories, name).body if isinstance(one, ast.AnnAssign)]
        assert own <= {one.target.id for one in fields}
    group = named(trajectories, "trajectory_group")
    assert isinstance(group, ast.AsyncFunctionDef)
    assert arguments(group)[0] == "trajectories"
    assert "Trajectory | BaseException | Awaitable[Trajectory]" in ast.unparse(group.args)
    assert arguments(named(gather, "gather_trajectory_groups"))[0] == "groups"
    model = source("model.py")
    assert arguments(named(model, "openai_client")) == ["self"]
    assert arguments(named(model, "get_inference_name")) == ["self", "step"]
    names = {one.name for one in ast.walk(source("__init__.py")) if isinstance(one, ast.alias)}
    assert {"Trajectory", "trajectory_group", "gather_trajectory_groups"} <= names
    assert version("openpipe-art") in PAGE.read_text("utf-8")


def test_the_same_talks_as_through_gym_make():
    made, traces = conformance()
    for trajectory, trace, want in zip(made, traces, expected(), strict=True):
        assert record(trace) == want.record
        assert verify(trace).consistent
        assert trajectory.reward == pytest.approx(want.total)
        assert trajectory.metrics == {
            "turns": len(want.rewards),
            "success": want.trace.outcome == "success",
        }


def test_each_token_that_was_sampled_counts_and_no_other():
    made, _ = conformance()
    for trajectory, want in zip(made, expected(), strict=True):
        [one] = sequences(trajectory)  # one talk, one sequence, one weight
        raw = [turn.raw for turn in want.trace.turns]
        heard = [m["content"] for m in want.messages[:-1] if m["role"] == "user"]
        prompt, *between = (
            f"\n<|im_start|>user\n{words}{END}\n<|im_start|>assistant\n" for words in heard
        )
        runs = [(0, f"<|im_start|>system\n{want.messages[0]['content']}{END}{prompt}")]
        for turn, words in enumerate(raw):
            runs += [(1, words + END), *[(0, told) for told in between[turn : turn + 1]]]
        assert spans(one.token_ids, one.assistant_mask) == runs
        assert not any(SECRET in words for bit, words in runs if not bit)
        given = [-float(n + 1) for words in raw for n in range(len(encoded(words + END)))]
        kept = zip(one.logprobs, one.assistant_mask, strict=True)
        assert [value for value, bit in kept if bit] == given


def test_each_talk_has_one_weight_however_many_turns_it_has():
    text = (art.folder / "preprocessing" / "tokenize.py").read_text("utf-8")
    function = named(ast.parse(text), "tokenize_trajectory_groups")
    [weight] = [
        one.value
        for one in ast.walk(function)
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "weight"
    ]
    for turns in (1, 4):
        model = Model(lambda chat: "Go on.")
        [made] = together(
            talk(Task(**{**SETTINGS, "max_turns": turns}), model, ROWS[3] | {"max_turns": turns})
        )
        found = sequences(made)
        total = eval(ast.unparse(weight), {"trajectory_results": found, "sum": sum})
        assert total * sum(found[0].assistant_mask) == pytest.approx(1)
        assert sum(found[0].assistant_mask) == turns * len(encoded("Go on." + END))


def test_a_group_shares_its_start_and_asks_with_what_it_was_given():
    model, traces = Model(lambda chat: "What was that like?"), []
    task = Task(**SETTINGS)
    [made] = together(
        talks(task, model, ROWS[0], 3, on_trace=traces.append, sampling={"temperature": 0.7})
    )
    assert len({str(one.messages_and_choices[:2]) for one in made.trajectories}) == 1
    assert sorted(trace.scenario.member for trace in traces) == [0, 1, 2]
    assert len({record(trace).replace('"member":', "") for trace in traces}) == 3
    assert {trace.scenario.seed for trace in traces} == {ROWS[0]["seed"]}
    assert all(sampling == {"temperature": 0.7} for _, sampling in model.asked)


def test_a_fault_is_an_exception_of_its_group_and_no_reward():
    task, traces, asked = failing_task(personas="split:dev", max_turns=3), [], []

    def say(chat):
        asked.append(chat)
        return CUE if len(asked) == 4 else "What was it like?"  # in the second round

    [made] = together(talks(task, Model(say), task.scenario(1), 3, on_trace=traces.append))
    assert len(made.trajectories) == 2
    assert [type(one) for one in made.exceptions] == [TimedOut]
    assert [trace.fault["type"] for trace in traces if trace.fault] == ["TimedOut"]
    assert sum(trace.outcome is not None for trace in traces) == 2


def test_an_error_of_the_caller_is_raised():
    def say(chat):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        together(talks(Task(**SETTINGS), Model(say), ROWS[0], 2))


def test_users_answer_together():
    class Meeting(AsyncBackend):
        """Answers nobody before three have asked."""

        name = "meeting"

        def __init__(self):
            self.asked, self.all_here = 0, asyncio.Event()

        async def complete_async(self, request):
            self.asked += 1
            if self.asked == 3:
                self.all_here.set()
            async with asyncio.timeout(20):
                await self.all_here.wait()
            return Reply(as_user(request))

    task = Task(user=Meeting(), max_turns=2)
    [made] = together(talks(task, Model(lambda chat: "And then?"), task.scenario(1), 3))
    assert len(made.trajectories) == 3


def test_the_page_runs(monkeypatch):
    """With a stand-in for the backend and its server, and fewer talks."""
    trained = []

    class TrainableModel(Model):
        def __init__(self, *, name, run_name, project, base_model):
            super().__init__(lambda chat: "What was that like?")

        async def register(self, backend):
            self.backend = backend

        async def log(self, groups, *, split, metrics=None, step=None):
            trained.append((split, groups, metrics))

    class LocalBackend:
        async def train(self, model, groups, *, learning_rate):
            trained.append(("trained", groups, learning_rate))
            return SimpleNamespace(metrics={"loss": 0.0}, step=1)

    local = SimpleNamespace(LocalBackend=LocalBackend)
    monkeypatch.setattr(art, "TrainableModel", TrainableModel, raising=False)
    monkeypatch.setitem(__import__("sys").modules, "art.local", local)
    [code] = re.findall(r"^```text\n# train.py\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    for there, instead in {"STEPS = 50": "STEPS = 1", "SIZE = 8": "SIZE = 2"}.items():
        assert there in code
        code = code.replace(there, instead)
    code = code.replace("range(100_000, 100_064)", "range(2)")
    exec(code, {"__name__": "__main__"})
    kinds = [kind for kind, *_ in trained]
    assert kinds == ["trained", "train", "val"]
    assert [len(group.trajectories) for group in trained[0][1]] == [2] * 4
    assert [len(group.trajectories) for group in trained[2][1]] == [1] * 2
    backend = named(source("local/backend.py"), "train")
    assert {"model", "trajectory_groups", "learning_rate"} <= set(arguments(backend))
    whole = named(source("model.py"), "TrainableModel")
    asked = {"name", "run_name", "project", "base_model"}
    assert asked <= set(arguments(named(whole, "__init__")))
    log = named(source("model.py"), "log")
    assert {"trajectories", "split", "metrics", "step"} <= set(arguments(log))
