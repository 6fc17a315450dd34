import os
import signal

import pytest
from hypothesis import settings

# A console that is made while these are set keeps them, whatever a test says (pytest-xdist sets them).
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, report_multiple_bugs=False
)
settings.load_profile("ci")


@pytest.fixture
def interruptible():
    """Let ctrl-C interrupt, also where the tests are a shell's background job, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
