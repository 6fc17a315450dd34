"""Appraisers that are wrong in one way each."""

from empathy_env.acts import Evidence, Reading
from empathy_env.appraiser import RuleAppraiser, appraise_by_rules
from empathy_env.backends import Request


class Changed:
    """What the rules find, changed."""

    name = "changed"

    def appraise(self, utterance, context):
        yield from ()
        return Reading(self.found(utterance, context))

    def found(self, utterance, context):
        found = appraise_by_rules(utterance, context)
        return tuple(map(self.changed, found))

    def changed(self, piece):
        return piece


class NewAct(Changed):
    def changed(self, piece):
        return piece._replace(act="kindness")


class NewAbout(Changed):
    def changed(self, piece):
        return piece._replace(about="weather")


class Graded(Changed):
    """Finer than the closed scale."""

    def changed(self, piece):
        return piece._replace(intensity=0.83)


class NewTopic(Changed):
    def changed(self, piece):
        return piece._replace(topic="the-moon")


class Paraphrasing(Changed):
    def changed(self, piece):
        return piece._replace(quote=piece.quote.upper())


class Quoteless(Changed):
    def changed(self, piece):
        return piece._replace(quote="", start=0, end=0)


class Brittle(Changed):
    """Cannot take silence."""

    def found(self, utterance, context):
        assert utterance.split()[0]
        return super().found(utterance, context)


class HearsSilence(Changed):
    def found(self, utterance, context):
        if utterance.strip():
            return ()
        return (Evidence("presence", utterance, 0, len(utterance)),)


class Bare(Changed):
    """Returns evidence where a reading belongs."""

    def appraise(self, utterance, context):
        yield from ()
        return self.found(utterance, context)


class Moody(Changed):
    """Finds nothing every third time."""

    calls = 0

    def found(self, utterance, context):
        self.calls += 1
        return super().found(utterance, context)[: self.calls % 3]


class Remembering(Changed):
    """Goes by what it has seen of somebody else."""

    def __init__(self):
        self.people = set()

    def found(self, utterance, context):
        self.people.add(frozenset(topic.id for topic in context.topics))
        return super().found(utterance, context) if len(self.people) == 1 else ()


class Guessing(Changed):
    """Goes by the first topic, which is one of the need's own."""

    def found(self, utterance, context):
        guess = context.topics[0].id
        return tuple(piece._replace(topic=guess) for piece in super().found(utterance, context))


class Scribbling(Changed):
    def found(self, utterance, context):
        for message in context.talk:
            message["content"] = ""
        return super().found(utterance, context)


class Trusted(RuleAppraiser):
    """Is taken for the rules, and does not look for manipulation."""

    def appraise(self, utterance, context):
        yield from ()
        found = appraise_by_rules(utterance, context)
        return Reading(tuple(piece for piece in found if piece.act != "manipulation"))


class Impressed(Changed):
    """Likes emoji and markdown."""

    def found(self, utterance, context):
        if "✨" in utterance or "**" in utterance:
            return (Evidence("affirmation", utterance, 0, len(utterance)),)
        return super().found(utterance, context)


class Emphatic(Changed):
    """Takes bold words for stronger ones."""

    def found(self, utterance, context):
        intensity = 1.25 if "**" in utterance else 1.0
        found = super().found(utterance, context)
        return tuple(piece._replace(intensity=intensity) for piece in found)


class LikesLength(Changed):
    def found(self, utterance, context):
        step = max(1, len(utterance) // 40)
        return tuple(
            Evidence("reflection", utterance[at : at + 1], at, at + 1)
            for at in range(0, len(utterance), 40)
        )[:step]


class Eavesdropping(Changed):
    """Reads what nobody hears, out of the talk around it."""

    heard = ()

    def found(self, utterance, context):
        import inspect

        frames = [frame.frame.f_locals for frame in inspect.stack()]
        private = any("Split" in type(v).__name__ and v.private for f in frames for v in f.values())
        return () if private else super().found(utterance, context)


class Asking:
    """Asks a model, and takes its word for the act."""

    name = "asking"

    def appraise(self, utterance, context):
        reply = yield Request("appraise", ({"role": "user", "content": utterance},))
        if not utterance.strip():
            return Reading(())
        return Reading((Evidence(reply.text, utterance, 0, len(utterance)),))
