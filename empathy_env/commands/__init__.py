"""The commands of `empathy-env`, by what they are about, and how they print."""
