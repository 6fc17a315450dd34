"""What the checks of persona files find, each with a persona that has it and one that has not."""

from dataclasses import replace
from pathlib import Path

import pytest

from empathy_env import findings
from empathy_env.agents import load_agent
from empathy_env.conversation import say
from empathy_env.drivers import run
from empathy_env.episode import Task
from empathy_env.findings import findings_alone
from empathy_env.library import content_dir, load_persona
from empathy_env.likeness import CLOSE, NEAR, findings_beside, like_lines, like_stories
from empathy_env.persona import Persona
from empathy_env.probes import WORDINGS, Trial, trials, unheard_words, when_asked
from empathy_env.rollout import play
from empathy_env.scenario import Scenario
from empathy_env.subject import bundled_files, read_subjects

GOOD = Path(__file__).with_name("lost-keys.yaml").read_text("utf-8")
GATE = "gate: {trust: 0.2, acts: [open_question], topic: [keys]}"
LAST = '    leaves: ["I am going."]\n'
ACTS = "open_question closed_question restatement reflection validation affirmation reassurance "
ACTS += "interpretation challenge self_disclosure information suggestion"
ONLY_PRESENCE = "reactions:\n" + "".join(
    f"  - {{act: {act}, fit: {0.9 if act == 'presence' else -1.0}, because: So.}}\n"
    for act in [*ACTS.split(), "presence"]
)


def written(folder, *edits, name="lost-keys.yaml"):
    """Write the good file with edits, each an old and a new text, into a folder."""
    text = GOOD
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def subject_of(path):
    (subject,), problems = read_subjects([path])
    assert problems == []
    return subject


def alone(folder, *edits, seeds=1):
    """Return what is found about the good file with edits: (level, rule, line), and the texts."""
    found = findings_alone(subject_of(written(folder, *edits)), seeds=seeds)
    return {(f.level, f.problem.rule, f.problem.line): str(f.problem) for f in found}


def rules(found):
    return {rule for level, rule, _ in found if level != "note"}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return alone(tmp_path_factory.mktemp("good"))


def test_the_good_file_has_only_notes(good):
    assert rules(good) == set()
    assert {rule for _, rule, _ in good} <= {"rare-lines"}


def test_a_need_that_the_oracle_never_meets_is_an_error(tmp_path):
    found = alone(tmp_path, (LAST, LAST + ONLY_PRESENCE), seeds=2)
    text = found["error", "never-met", 30]
    assert "needs.0.need: the oracle, which sees all, meets 'absolution' in 0 of 2 talks" in text
    assert ("error", "never-met", 39) in found


def test_a_thing_that_nobody_is_told_is_a_warning_that_names_the_gate(tmp_path):
    found = alone(tmp_path, (LAST, LAST + ONLY_PRESENCE))
    text = found["warning", "never-told", 23]
    assert "'door' is told in none of" in text
    assert "Its gate: at trust 0.2, after open_question, when keys comes up." in text


def fake(persona, outcomes, seed=0, agents=("silent",)):
    """Return trials whose oracle is a silent agent with these outcomes."""
    task = Task(persona=persona)
    for variant in persona.needs:
        scenario = Scenario(persona=persona, need=variant.need, seed=seed)
        talk = play(task, load_agent("silent"), scenario)
        last = talk.turns[-1]
        ended = [replace(last, outcome=outcome) for outcome in outcomes]
        oracle = tuple(replace(talk, turns=(*talk.turns[:-1], turn)) for turn in ended)
        others = tuple(play(task, load_agent(agent), scenario) for agent in agents)
        yield Trial(variant.need, oracle, others)


def played(folder, monkeypatch, outcomes, *edits, **options):
    monkeypatch.setattr(
        findings, "trials", lambda persona, seeds: fake(persona, outcomes, **options)
    )
    return alone(folder, *edits)


@pytest.mark.parametrize(
    ("outcomes", "rule"),
    [
        (["success"], None),
        (["time_up", "success"], None),
        (["time_up", "left", "success"], ("warning", "seldom-met", 30)),
        (["time_up", "left", "left"], ("error", "never-met", 30)),
    ],
)
def test_how_often_the_oracle_succeeds_decides(tmp_path, monkeypatch, outcomes, rule):
    found = played(tmp_path, monkeypatch, outcomes)
    assert {key for key in found if "met" in key[1] and key[2] == 30} == ({rule} if rule else set())


def test_what_is_told_with_one_need_but_not_another_is_a_note(tmp_path, monkeypatch):
    persona = load_persona(written(tmp_path))
    first, second = fake(persona, ["success"])
    talk = first.others[0]
    turn = talk.turns[0]
    told = replace(turn, answers=(turn.answers[0]._replace(told=("door",)),))
    told = first._replace(others=(replace(talk, turns=(told,)),))
    monkeypatch.setattr(findings, "trials", lambda persona, seeds: iter((told, second)))
    found = alone(tmp_path)
    assert "talks (deep_empathy)" in found["note", "never-told", 23]
    nobody = [text for key, text in found.items() if key[:2] == ("warning", "never-told")]
    assert any("'anger' is told in none of 4 talks (absolution, deep_empathy)" in t for t in nobody)


def test_lines_of_a_situation_that_never_comes_are_dead(tmp_path, monkeypatch):
    found = played(tmp_path, monkeypatch, ["success"])
    dead = {
        text.partition("voice.")[2].partition(":")[0]
        for key, text in found.items()
        if key[1] == "dead-lines"
    }
    assert {"lines.relieved", "lines.opens_up"} <= dead
    assert "lines.guarded" not in dead
    assert "said in 4 talks of agents good and bad" in next(
        text for key, text in found.items() if key[1] == "dead-lines"
    )


def test_lines_that_are_said_after_others_are_spare_and_no_warning(tmp_path, monkeypatch):
    own = '    lines: {relieved: ["Oh, that is better now."]}\n'
    edits = [("          trust: 0.1\n", "          trust: 0.1\n" + own)]
    hole = "        gate: {trust: 0.1}\n"
    edits.append((hole, hole + own.replace("now", "then")))
    found = played(tmp_path, monkeypatch, ["success"], *edits)
    dead = [text for key, text in found.items() if key[1] == "dead-lines"]
    assert not any("voice.lines.relieved" in text for text in dead)
    assert any("needs.0.lines.relieved" in text for text in dead)
    assert "voice.lines.relieved" in next(
        text for key, text in found.items() if key[1] == "rare-lines"
    )


def test_what_is_said_when_it_is_asked_for_is_not_dead(tmp_path, monkeypatch):
    more = (
        '    says: "My keys are gone."',
        '    says: "My keys are gone."\n    more: ["The ring was brass."]',
    )
    found = played(tmp_path, monkeypatch, ["success"], more)
    assert not any("facts.0.more" in text for key, text in found.items() if key[1] == "dead-lines")
    persona = load_persona(tmp_path / "lost-keys.yaml")
    assert "The ring was brass." in when_asked(persona)


def test_a_keyword_that_addresses_something_else_is_a_warning(tmp_path, good):
    found = alone(tmp_path, ("words: [door, doors]", "words: [door, shut keys]"))
    text = found["warning", "unheard-word", 21]
    assert (
        "facts.1.words.1: the keyword 'shut keys' does not address 'door': it is taken for keys"
        in text
    )
    assert unheard_words(load_persona("laid-off-engineer")) == []


def test_a_keyword_that_is_lost_with_one_need_only_says_which(tmp_path):
    path = written(tmp_path, ("words: [door, doors]", "words: [door, wet rain]"))
    (unheard,) = unheard_words(load_persona(path))
    assert (unheard.item.id, unheard.place, unheard.needs) == ("door", 1, ("deep_empathy",))
    found = alone(tmp_path, ("words: [door, doors]", "words: [door, wet rain]"))
    assert (
        "with the need deep_empathy: it is taken for rain" in found["warning", "unheard-word", 21]
    )


def test_a_keyword_of_everyday_talk_is_a_warning(tmp_path, good):
    found = alone(tmp_path, ("words: [door, doors]", "words: [door, liked]"))
    assert (
        "'door' is too common: it is heard in 'What is it like?'"
        in found["warning", "common-word", 21]
    )


@pytest.mark.parametrize(
    ("edit", "key", "says"),
    [
        (
            ("I stand here", "I stand at the hole in my pocket"),
            ("warning", "told-early", 13),
            "it holds 2 keywords of 'hole', which has a gate: hole, pocket",
        ),
        (
            ("I stand here", "I stand in the rain"),
            ("warning", "guessed-need", 13),
            "what only some needs tell: deep_empathy (rain)",
        ),
        (
            ('"Listen."', '"My pocket has a hole."'),
            ("warning", "told-early", 52),
            "voice.lines.opens_up.3: it holds 2 keywords of 'hole'",
        ),
        (
            ('"Ow."', '"Ow, the rain."'),
            ("note", "need-word", 55),
            "has a keyword of one need's own: rain",
        ),
    ],
)
def test_a_line_that_tells_too_much_is_found(tmp_path, monkeypatch, edit, key, says):
    monkeypatch.setattr(findings, "trials", lambda persona, seeds: fake(persona, ["success"]))
    assert says in alone(tmp_path, edit)[key]


@pytest.mark.parametrize(
    "edit",
    [
        ("I stand here", "I stand in the rain with a hole in the sole"),  # of each need something
        ("I stand here", "I stand at the door of doors"),  # one keyword, twice
        ("I stand here", "I stand here with my keys on a key ring"),  # no gate
        ('"Ow."', '"Ow, the drain."'),  # a part of a word
    ],
)
def test_a_line_that_tells_nothing_too_early_is_not(tmp_path, monkeypatch, edit):
    monkeypatch.setattr(findings, "trials", lambda persona, seeds: fake(persona, ["success"]))
    assert not {rule for _, rule, _ in alone(tmp_path, edit)} & {
        "told-early",
        "guessed-need",
        "need-word",
    }


class TestFiles:
    def test_what_keeps_a_file_from_loading_is_an_error_with_what_it_means(self, tmp_path):
        path = written(tmp_path, ("opening: ", "openning: "))
        subjects, (finding,) = read_subjects([path])
        assert subjects == []
        assert (finding.level, finding.problem.rule) == ("error", "unknown-key")
        assert (finding.problem.file, finding.problem.line) == (str(path), 13)
        assert "cannot be loaded" in finding.means

    def test_a_bundled_persons_id_is_an_error(self, tmp_path):
        path = written(tmp_path, ("id: lost-keys", "id: new-mother"), name="new-mother.yaml")
        (subject,), (finding,) = read_subjects([path])
        assert subject.persona.id == "new-mother"
        assert (finding.level, finding.problem.rule, finding.problem.line) == (
            "error",
            "duplicate-id",
            2,
        )
        assert "told apart" in finding.means

    def test_text_of_another_split_is_an_error(self, tmp_path):
        line = load_persona("new-mother").facts[0].says
        path = written(tmp_path, ('"My keys are gone."', repr(line)))
        _, found = read_subjects([path])
        assert [(f.level, f.problem.rule, f.problem.line) for f in found] == [
            ("error", "shared-text", 18)
        ]
        assert "test" in found[0].means

    def test_the_bundled_files_load_and_nothing_is_wrong_with_them(self):
        subjects, found = read_subjects(bundled_files())
        assert (len(subjects), found) == (len(bundled_files()), [])


class TestLikeness:
    def test_a_line_of_somebody_else_is_a_warning_with_both(self, tmp_path):
        line = load_persona("laid-off-engineer").voice.lines.opens_up[0]
        near = line.replace("before", "before now")
        subject = subject_of(
            written(tmp_path, ("split: dev", "split: train"), ('"Listen."', f'"{near}"'))
        )
        (finding,) = findings_beside([subject])
        assert (finding.level, finding.problem.rule, finding.problem.line) == (
            "warning",
            "same-line",
            52,
        )
        assert "'laid-off-engineer'" in finding.problem.message
        assert near in finding.problem.message

    def test_what_anybody_says_is_not(self, tmp_path):
        edits = [('"Fine."', '"It is what it is."'), ('"Ow."', '"I suppose so."')]
        subject = subject_of(written(tmp_path, ("split: dev", "split: train"), *edits))
        assert findings_beside([subject]) == []

    def test_a_story_told_again_is_a_warning(self, tmp_path):
        story = load_persona("laid-off-engineer")
        facts = [fact.text for variant in story.needs for fact in variant.facts]
        facts += [fact.text for fact in story.facts]
        again = " ".join([*reversed(facts)]).replace("Ines", "Ada").replace(": ", ", ")
        subject = subject_of(
            written(tmp_path, ("She lost her keys on the way to the bakery.", again))
        )
        (finding,) = findings_beside([subject])
        assert (finding.level, finding.problem.rule) == ("warning", "same-story")
        assert "'laid-off-engineer'" in finding.problem.message

    def test_what_is_inherited_is_no_likeness(self, tmp_path):
        path = tmp_path / "his-brother.yaml"
        path.write_text("extends: laid-off-engineer\nid: his-brother\nidentity: {name: Piotr}\n")
        assert findings_beside([subject_of(path)]) == []

    def test_no_two_bundled_people_tell_one_story(self):
        people = [load_persona(path.stem) for path in bundled_files()]
        assert like_stories(people) == []
        assert all(like.share >= NEAR for like in like_lines(people))

    def test_a_person_is_all_like_themselves(self):
        one = load_persona("new-mother")
        (story,) = like_stories([one, one])
        assert story.share == pytest.approx(1.0)
        assert story.share >= CLOSE
        assert len(like_lines([one, one])) > 50


class TestProbes:
    def test_the_oracle_plays_until_half_of_its_talks_succeed(self):
        persona = load_persona("new-mother")
        for trial in trials(persona, 2):
            won = [talk.outcome == "success" for talk in trial.oracle]
            assert won in ([True], [False, True], [False, False])
            assert trial.successes == sum(won)
            assert len({(talk.agent, talk.id) for talk in trial.talks}) <= len(trial.talks)
            assert 0.0 < trial.most_trust <= 1.0

    def test_the_prober_gets_told_what_others_do_not(self):
        data = load_persona("laid-off-engineer").to_data()
        data["facts"][3]["gate"] = {"trust": 0.35, "acts": ["presence"], "topic": ["useless"]}
        data["needs"] = data["needs"][:2]
        (trial, _) = trials(Persona.parse(data), 1)
        plain = trial._replace(others=tuple(t for t in trial.others if t.agent != "prober"))
        assert "reservoir" not in plain.told
        assert "reservoir" in trial.told

    def test_each_wording_is_heard_as_its_act(self):
        persona = load_persona("laid-off-engineer")
        scenario = Scenario(persona=persona, need="absolution")
        talk = Task(persona=persona).begin(scenario)
        for act, wording in WORDINGS.items():
            heard = run(say(talk, wording.format(w="box", f="ashamed"))).turns[-1].evidence
            assert act in {evidence.act for evidence in heard}, wording


def test_the_schema_of_editors_is_no_file_to_check():
    assert all(path.suffix == ".yaml" for path in bundled_files())
    assert (content_dir("personas") / "persona.schema.json").is_file()
