import os

from hypothesis import settings

# A console that is made while these are set keeps them, whatever a test says (pytest-xdist sets them).
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, report_multiple_bugs=False
)
settings.load_profile("ci")
