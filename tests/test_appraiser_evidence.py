"""What the rule appraiser says about an act: about what, how strong, tied to what, said before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lighthouse import CONTEXT, acts, first

from empathy_env.acts import ABOUTS, ACTS, INTENSITIES, Appraisal, Context, Topic
from empathy_env.appraiser import MAX_EVIDENCE, appraise_by_rules, detect_manipulation


def test_absolution_is_about_fault():
    utterance = "It was not your fault: the numbers were used by people who had already decided."
    found = appraise_by_rules(utterance, CONTEXT)
    helpful = {"reassurance", "challenge", "interpretation"}
    assert any(e.about == "fault" and e.act in helpful for e in found)
    found = appraise_by_rules("You are not to blame for the closure.", CONTEXT)
    assert any(e.about == "fault" and e.act in helpful for e in found)


@pytest.mark.parametrize(
    ("utterance", "act", "about"),
    [
        ("You sound heartbroken.", "reflection", "own_feeling"),
        ("It took courage to write that letter.", "affirmation", "own_act"),
        ("You could ring the museum tomorrow.", "suggestion", "plan"),
        ("Perhaps he is afraid himself.", "interpretation", "other_person"),
        ("You only have yourself to blame.", "blame", "fault"),
    ],
)
def test_about(utterance: str, act: str, about: str):
    assert first(utterance, act).about == about


@pytest.mark.parametrize(
    ("utterance", "intensity"),
    [
        ("You sound ashamed.", 1.25),
        ("You sound maybe a bit ashamed.", 0.75),
        ("You sound so sad.", 0.75),
        ("You sound ashamed, sad, lonely and furious.", 0.75),
        ("You sound ashamed and sad.", 0.75),
        ("That must weigh on you.", 1.0),
    ],
)
def test_reflection_pays_by_the_feeling_it_names(utterance: str, intensity: float):
    assert first(utterance, "reflection").intensity == intensity


def test_feeling_that_the_user_named_is_no_guess():
    assert first("You sound sad.", "reflection", CONTEXT._replace(heard="I am sad.")).intensity == 1


def test_without_feelings_to_name_no_name_pays():
    assert first("You sound so ashamed.", "reflection", Context("Hello.")).intensity == 1


@pytest.mark.parametrize(
    ("utterance", "act", "intensity"),
    [
        ("That really took so much courage.", "affirmation", 1.0),
        ("Maybe you could ring the museum.", "suggestion", 0.75),
        ("You really only have yourself to blame.", "blame", 1.25),
        ("You perhaps only have yourself to blame.", "blame", 0.75),
    ],
)
def test_strong_words_make_only_harm_stronger(utterance: str, act: str, intensity: float):
    assert first(utterance, act).intensity == intensity


DESK = Context(
    heard="I trained the man who replaced me. Then they walked me to the gate with a box.",
    earlier=("Twenty-six years at that desk. I ordered the new kettle for the kitchen.",),
    topics=(
        Topic("desk", ("desk",), "fact", True),
        Topic("box", ("box",), "fact", True),
        Topic("kettle", ("kettle",), "fact", False),
        Topic("shame", ("humiliated", "humiliating"), "feeling", False),
    ),
)


@pytest.mark.parametrize(
    "utterance",
    [
        "What was it like when they walked you to the gate?",
        "Losing the desk after twenty-six years sounds humiliating.",
        "So you trained the man who replaced you.",
        "You sound humiliated about the box.",
        "u sound humiliated about ur desk",
    ],
)
def test_honest_paraphrase_is_grounded(utterance: str):
    found = appraise_by_rules(utterance, DESK)
    assert found
    assert all(e.grounded for e in found)


@pytest.mark.parametrize(
    "utterance",
    [
        "You sound really lonely desk box.",
        "So order kettle truly.",
        "So gate kettle man.",
        "Desk box, you seem so very hurt.",
        "It must feel really awful trained gate.",
        "Lonely desk box.",
        "You must be sad about the gate or that you trained.",
    ],
)
def test_salad_is_not_grounded(utterance: str):
    assert not any(e.grounded for e in appraise_by_rules(utterance, DESK))


def test_sentence_that_leans_on_a_grounded_one_is_grounded():
    found = appraise_by_rules("They walked you to the gate. That sounds humiliating.", DESK)
    assert found[-1].act == "reflection"
    assert found[-1].grounded
    found = appraise_by_rules("Trained gate box. That sounds humiliating.", DESK)
    assert not any(e.grounded for e in found)


def test_sentence_with_matter_of_its_own_leans_on_nothing():
    own = "What do you dread about Christmas, the birthday and the summer holiday?"
    found = appraise_by_rules(f"They walked you to the gate. {own}", DESK)
    assert [e.grounded for e in found if "question" in e.act] == [False]
    found = appraise_by_rules("They walked you to the gate. Where does it leave you?", DESK)
    assert [e.grounded for e in found if "question" in e.act] == [True]


@pytest.mark.parametrize(
    ("utterance", "grounded"),
    [
        ("You sound humiliated about the box.", True),
        ("You sound weighed down about the box.", True),
        ("You sound lonely about the box.", False),
        ("It makes sense that you feel lonely about the box.", False),
        ("You sound humiliated and lonely about the box.", True),
        ("You sound humiliated, lonely and furious about the box.", False),
    ],
)
def test_feeling_that_is_only_guessed_is_tied_to_nothing(utterance: str, grounded: bool):
    act = "validation" if "sense" in utterance else "reflection"
    assert first(utterance, act, DESK).grounded is grounded


def test_feeling_that_the_user_named_is_no_wrong_guess():
    lonely = DESK._replace(heard="I am lonely without that box.")
    assert first("You sound lonely about the box.", "reflection", lonely).grounded


@pytest.mark.parametrize(
    ("utterance", "grounded"),
    [
        ("So you ordered the new kettle for the kitchen.", True),
        ("So you had the kettle and the kitchen there.", False),
        ("So you had the trained and the replaced there.", False),
        ("So they walked you to that gate.", True),
        ("So there was a walk that led to a gate for you.", False),
    ],
)
def test_words_of_theirs_count_as_a_phrase_or_not_at_all(utterance: str, grounded: bool):
    assert any(e.grounded for e in appraise_by_rules(utterance, DESK)) is grounded


@pytest.mark.parametrize(
    "utterance", ["So order kettle truly.", "Desk kettle.", "Kettle and desk."]
)
def test_restatement_is_a_sentence(utterance: str):
    assert acts(utterance, DESK) == set()


@pytest.mark.parametrize(
    "utterance",
    [
        "Nobody says your fault trained the desk.",
        "They say the desk and the kettle is down to you.",
        'You trained him at that desk, at your kettle, and so on, "your own fault, kettle".',
        "It was no more your fault than the kettle at the desk.",
    ],
)
def test_denied_or_reported_harm_is_no_restatement(utterance: str):
    assert not acts(utterance, DESK) & {"restatement", "open_question", "closed_question"}


@pytest.mark.parametrize(
    ("utterance", "topic", "grounded"),
    [
        ("You sound weighed down about the lighthouse.", "lamp", True),
        ("You sound weighed down about the storms.", "storm", False),
        ("You sound sad.", None, False),
        ("You sound ashamed.", "shame", False),
        ("You sound ashamed about the lighthouse lantern.", "lamp", True),
        ("You sound weighed down about that lantern at the museum.", None, False),
        ("You sound weighed down about the lantern they gave to a museum.", None, False),
        ("You sound weighed down: they gave your lantern to a museum.", None, True),
        ("You sound sad about the lamp, the storm, the brother and the harbour.", None, False),
    ],
)
def test_topic_and_ground(utterance: str, topic: str | None, grounded: bool):
    evidence = first(utterance, "reflection")
    assert (evidence.topic, evidence.grounded) == (topic, grounded)


def test_repetition_is_seen():
    assert first("It sounds lonely up there in the evenings.", "reflection").repeated
    assert not first("It sounds lonely without the fog horn.", "reflection").repeated


def test_echo_performs_nothing():
    assert appraise_by_rules(CONTEXT.heard, CONTEXT) == ()
    assert "restatement" not in acts(CONTEXT.heard + " Hm.")


def test_one_act_once_per_sentence():
    found = appraise_by_rules("You sound sad, you sound lonely, you sound tired.", CONTEXT)
    assert [e.act for e in found].count("reflection") == 1


def test_evidence_is_capped():
    assert len(appraise_by_rules("You sound sad. " * 90, CONTEXT)) == MAX_EVIDENCE


def well_formed(utterance: str, found: Appraisal) -> bool:
    return all(
        e.quote
        and utterance[e.start : e.end] == e.quote
        and e.act in ACTS
        and e.about in ABOUTS
        and e.intensity in INTENSITIES
        for e in found
    )


WORDS = st.sampled_from(
    "you your I it sound sad angry not never why did promise fine could try ring ? ! . , ; \n \" ' “ ” "
    "you're don't should have known ```  <user> </system> system: 100 = { [ İ ß 😊 忽略 ** lantern museum".split(
        " "
    )
)
TALK = st.lists(WORDS, max_size=60).map(" ".join)


@given(st.one_of(st.text(), TALK), st.one_of(st.text(max_size=60), TALK))
def test_any_text_gives_well_formed_evidence(utterance: str, heard: str):
    context = CONTEXT._replace(heard=heard, said=(heard, utterance))
    found = appraise_by_rules(utterance, context)
    assert well_formed(utterance, found)
    assert well_formed(utterance, detect_manipulation(utterance))
    assert found == appraise_by_rules(utterance, context)
    assert len(found) <= MAX_EVIDENCE
    assert list(found) == sorted(found, key=lambda e: e.start)


@given(st.text(alphabet="😊❤️*_#- \n\t~`>.!…", max_size=40))
def test_decoration_alone_performs_nothing(text: str):
    assert appraise_by_rules(text, CONTEXT) == ()


def test_no_context_is_needed():
    assert acts("You sound sad.", Context("")) == {"reflection"}
