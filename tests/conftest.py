from hypothesis import settings

settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, report_multiple_bugs=False
)
settings.load_profile("ci")
