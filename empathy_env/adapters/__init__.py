"""One file for each library that trains: what it asks for, on top of `empathy_env.episode`.

None is imported by the package, and each needs its own extra: the libraries' pins exclude each
other. docs/adapters.md says which ran where.
"""
