"""Says nothing at all."""


def reply(messages, rng):
    return ""
