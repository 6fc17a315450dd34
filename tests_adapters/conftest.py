"""Tests of the adapters, one folder for each library; plain `pytest` does not collect them.

`nox -s <library>` installs what each folder needs and runs it.
"""

import os
import sys
from pathlib import Path

from hypothesis import settings

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # where conformance.py is
sys.path.append(str(HERE.parent / "tests"))  # where stub_server.py is

settings.register_profile("adapters", deadline=None, derandomize=True, database=None)
settings.load_profile("adapters")


def pytest_configure():
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is downloaded
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # busy waiting stalls on a shared machine
