import pytest
from stub_server import StubServer, echo


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    """Whoever runs the tests may have one in the environment."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def stub():
    """A server that says what it is told."""
    with StubServer(echo) as server:
        yield server
