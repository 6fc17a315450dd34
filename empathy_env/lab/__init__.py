"""The prior lab: how far a pretrained prior limits what reinforcement learning can add.

Tiny language models are pretrained on support talks in which one way of answering, a *register*,
has a known dose, and are then trained in the environment. Everything else is held fixed, so what
follows from the dose follows from the prior. docs/lab.md says how to run it,
docs/experiments/prior-lab.md what came out.
"""
