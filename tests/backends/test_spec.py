import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from stub_server import StubServer, echo

import empathy_env.backends
from empathy_env.backends import OpenAIBackend, Request, ScriptedBackend, load_backend
from empathy_env.backends.address import without_environment
from empathy_env.errors import InvalidArgument, MissingExtra, UnknownName

ROOT = Path(empathy_env.backends.__file__).parents[2]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def test_a_server_is_named_by_model_and_url():
    with StubServer(echo) as stub:
        backend = load_backend(f"openai:smol@{stub.url}")
        assert isinstance(backend, OpenAIBackend)
        (reply,) = backend.complete(
            [Request("speak", ({"role": "user", "content": "hi"},), seed=3)]
        )
        assert reply.text == "[3] hi"
        assert stub.calls[0].body["model"] == "smol"


@pytest.mark.parametrize(
    ("spec", "model", "url"),
    [
        ("openai:smol@http://h:8000/v1", "smol", "http://h:8000/v1"),
        ("openai:smol@https://h/v1/", "smol", "https://h/v1"),
        ("openai:qwen3:8b@http://h:11434/v1", "qwen3:8b", "http://h:11434/v1"),
        ("openai:org/model:free@http://h/v1", "org/model:free", "http://h/v1"),
        ("openai:@cf/meta/llama@http://h/v1", "@cf/meta/llama", "http://h/v1"),
        ("openai:a@httpish@http://h/v1", "a@httpish", "http://h/v1"),
        ("openai:gpt-5", "gpt-5", "https://api.openai.com/v1"),
        ("openai:@cf/meta/llama", "@cf/meta/llama", "https://api.openai.com/v1"),
    ],
)
def test_the_scheme_ends_at_the_first_colon_and_the_url_starts_at_the_last_at(spec, model, url):
    assert load_backend(spec).name == f"openai:{model}@{url}"


def test_the_environment_says_where_a_server_without_url_is(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://h:1234/v1")
    assert load_backend("openai:smol").name == "openai:smol@http://h:1234/v1"
    assert load_backend("openai:smol@http://i/v1").name == "openai:smol@http://i/v1"


def test_a_backend_is_itself():
    backend = ScriptedBackend(lambda request: "yes")
    assert load_backend(backend) is backend


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("smol", "names no backend"),
        ("", "names no backend"),
        ("openai:", "ends after the colon"),
        ("openai: ", "blank"),
        ("openai:@http://h/v1", "blank"),
        ("openai:smol@http://", "no URL"),
        ("openai:smol@http://h/v1?temperature=0.7", r"backends.openai\(..., temperature=0.7\)"),
        ("openai:smol?temperature=0.7", "a spec has no options"),
        ("litellm:a/b?temperature=0.7", r"backends.litellm\("),
    ],
)
def test_a_wrong_spec_says_what_to_write(spec, match):
    with pytest.raises(InvalidArgument, match=match):
        load_backend(spec)


@pytest.mark.parametrize(
    ("spec", "right"),
    [("opnai:smol", "openai"), ("lite-llm:a/b", "litellm"), ("http://h/v1", "There are: litellm")],
)
def test_an_unknown_kind_gets_the_nearest_right_one(spec, right):
    with pytest.raises(UnknownName, match=right):
        load_backend(spec)


@pytest.mark.parametrize(
    "spec",
    [
        "openai:smol@http://me:hunter22@host/v1",
        "openai:smol@http://hunter22@host/v1",
        "openai:smol@http://me:hunter22@http-host/v1",
        "opnai:smol@http://me:hunter22@host/v1",
        "openai:smol@http://host/v1?key=hunter22",
        "http://me:hunter22@host/v1",
        "openai:sk-hunter22hunter22hunter22@http://host/v1",
    ],
)
def test_a_secret_in_a_spec_is_refused_and_not_repeated(spec):
    with pytest.raises(InvalidArgument) as caught:
        load_backend(spec)
    assert "hunter" not in str(caught.value)


def test_a_spec_of_a_tape_reads_the_tape(tmp_path):
    with pytest.raises((OSError, ValueError), match="missing"):
        load_backend(f"replay:{tmp_path / 'missing.jsonl'}")


def test_what_the_environment_holds_under_a_secret_name_is_masked(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "hunter22hunter22")
    monkeypatch.setenv("EMPTY_KEY", "")
    monkeypatch.setenv("SHORT_TOKEN", "key")
    masked = without_environment("the key is hunter22hunter22, it said")
    assert masked == "the key is ***, it said"


@pytest.mark.skipif(find_spec("litellm") is not None, reason="litellm is installed")
def test_without_litellm_the_extra_is_named():
    with pytest.raises(MissingExtra, match=r"empathy-env\[litellm\]"):
        load_backend("litellm:anthropic/claude")


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_without_torch_the_extra_is_named():
    with pytest.raises(MissingExtra, match=r"empathy-env\[torch\]"):
        load_backend("transformers:somewhere")


def test_a_library_that_is_missing_for_another_reason_is_not_passed_off_as_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "empathy_env.backends.retry", None)
    monkeypatch.delattr(empathy_env.backends, "retry", raising=False)
    with pytest.raises(ModuleNotFoundError) as caught:
        _ = empathy_env.backends.retrying
    assert not isinstance(caught.value, MissingExtra)


def test_names_are_listed_and_unknown_ones_are_attribute_errors():
    assert {"openai", "load_backend", "litellm", "replay"} <= set(dir(empathy_env.backends))
    with pytest.raises(AttributeError, match="opnai"):
        _ = empathy_env.backends.opnai


@pytest.mark.parametrize("name", empathy_env.backends.__all__)
def test_every_public_name_resolves(name):
    assert getattr(empathy_env.backends, name) is not None


@pytest.mark.parametrize("name", sorted(empathy_env.backends._HOME))
def test_no_module_hides_a_function(name):
    home = empathy_env.backends._HOME
    assert name not in home.values()
    assert (ROOT / "empathy_env" / "backends" / f"{home[name]}.py").exists()


def test_the_seam_loads_no_library():
    heavy = "aiohttp openai litellm torch transformers sqlite3".split()
    code = f"import empathy_env.backends, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "spec",
    [
        "openai:fake@127.0.0.1:8931",
        "openai:fake@localhost:8000/v1",
        "openai:fake@gpu-box:8000",
        "openai:fake@models.example.org/v1",
        "openai:fake@[::1]:8000/v1",
        "openai:m@",
    ],
)
def test_an_address_without_its_scheme_goes_to_nobody_else(spec):
    with pytest.raises(InvalidArgument, match="a URL begins with http"):
        load_backend(spec)


def test_a_models_name_may_have_an_at():
    assert "team/model@2024" in load_backend("openai:team/model@2024").name
