"""A talk with somebody who kept a lighthouse, and what is found in a line that is said in it."""

from __future__ import annotations

from empathy_env.acts import Context, Topic
from empathy_env.appraiser import appraise_by_rules

TOPICS = (
    Topic("lamp", ("lamp", "lighthouse", "keeper"), "fact", True),
    Topic("storm", ("storm", "wreck"), "fact", False),
    Topic("brother", ("brother", "ferry"), "fact", False),
    Topic("harbour", ("harbour", "boats"), "fact", False),
    Topic("shame", ("ashamed", "shame", "humiliated"), "feeling", False),
    Topic("useless", ("useless", "too old"), "belief", True),
)
CONTEXT = Context(
    heard="They automated the lighthouse and gave my lantern to a museum in the next county.",
    earlier=("I polished that lantern for thirty winters.",),
    said=("It sounds lonely up there in the evenings.",),
    topics=TOPICS,
)


def acts(utterance: str, context: Context = CONTEXT) -> set[str]:
    return {evidence.act for evidence in appraise_by_rules(utterance, context)}


def first(utterance: str, act: str, context: Context = CONTEXT):
    return next(e for e in appraise_by_rules(utterance, context) if e.act == act)
