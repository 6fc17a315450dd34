import pytest
from stub_server import StubServer, echo


@pytest.fixture
def stub():
    """A server that says what it is told."""
    with StubServer(echo) as server:
        yield server
