import pytest
from scripted import Scripted

from cotfaith.schemas.errors import CapabilityError, SpecError
from cotfaith.schemas.spec import EditorSpec, ModelSpec, parse_spec
from cotfaith.schemas.status import Status
from cotfaith.workers.roles.editors import check_editor, editor_identity, editor_model, make_editor, with_prompts
from cotfaith.workers.roles.editors.model import ModelEditor
from cotfaith.workers.roles.editors.prompt import Prompt, find_prompt
from cotfaith.workers.shard.loop import drive
from cotfaith.workers.text.codec import ByteCodec

PLAIN = ModelSpec(id="writer", engine="stub")
MUTE = ModelSpec(id="writer", engine="stub", options={"can_score": False})


class ChatCodec(ByteCodec):
    has_chat_template = True

    def render(self, turns):
        return "".join(f"<{turn['role']}>{turn['content']}" for turn in turns) + "<assistant>"


def edit(steps, write, kind="mistake", model=PLAIN, codec=None, weigh=lambda prompt, word: 0.0, **spec):
    editor = ModelEditor(EditorSpec(**spec), model, "editor", codec)
    engine = Scripted(write, weigh)
    (edits,) = drive([editor.edit(kind, steps, range(len(steps)))], {"editor": engine})
    assert isinstance(edits, list), edits
    return edits, engine


def last_example(prompt):
    return prompt.rpartition("Sentence: ")[2]


def test_a_plain_model_goes_on_with_the_examples():
    (new,), engine = edit(
        [" 2. There are 4 boxes.\n"], lambda prompt: " There are 5 boxes.\n\nSentence: More.\nWith a mistake: None."
    )
    assert last_example(engine.prompts[0]) == "There are 4 boxes.\nWith a mistake:"
    assert (new.text, new.changed, new.status) == (" 2. There are 5 boxes.\n", True, Status.OK)
    assert (new.editor, len(new.prompt_hash)) == ("writer", 12)


def test_a_chat_model_is_asked_in_a_turn():
    steps, model = [" It is 4."], ModelSpec(id="writer", engine="stub", system="Be short.")
    (new,), engine = edit(steps, lambda prompt: "Sure! Here is it:\n\nIt is 5.", model=model, codec=ChatCodec())
    assert engine.prompts[0].startswith("<system>Be short.<user>Each sentence")
    assert (
        "With a mistake:<assistant>There are 4 boxes with 6 pens each, so there are 28 pens.<user>" in engine.prompts[0]
    )
    assert engine.prompts[0].endswith("<user>Sentence: It is 4.\nWith a mistake:<assistant>")
    assert new.text == " It is 5."


def test_a_model_that_thinks_replies_at_once():
    model = ModelSpec(id="writer", engine="stub", thinking="think_tags")
    _, engine = edit([" It is 4."], lambda prompt: "It is 5.", model=model, codec=ChatCodec())
    assert engine.prompts[0].endswith("<assistant><think>\n\n</think>\n\n")


def test_paraphrases_have_a_prompt_of_their_own_and_are_not_judged():
    (new,), engine = edit([" It is 4."], lambda prompt: " The value is 4.", kind="paraphrase")
    assert engine.prompts[0].endswith("Sentence: It is 4.\nIn other words:")
    assert (new.text, new.plausible) == (" The value is 4.", None)
    assert engine.rounds == [("generate", 1)]
    assert new.prompt_hash == find_prompt("paraphrase", EditorSpec()).hash != find_prompt("mistake", EditorSpec()).hash


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("", "wrote nothing"),
        (" it IS  4.", "same step"),
        (" I cannot do that.", "refused"),
        (" It is 5 " + "or 6 " * 100, "limit of 128 tokens"),
    ],
)
def test_what_is_no_edit_is_a_status(written, error):
    (new,), _ = edit([" It is 4. "], lambda prompt: written)
    assert (new.text, new.changed, new.plausible, new.status) == (" It is 4. ", False, None, Status.EDIT_FAILED)
    assert error in new.error
    assert new.prompt_hash


class Seen(Scripted):
    """An engine that records its requests."""

    def generate(self, requests):
        self.seen = [*getattr(self, "seen", []), *requests]
        return super().generate(requests)


@pytest.mark.parametrize(("temperature", "rounds"), [(0.8, [3, 2, 1]), (0, [3])])
def test_what_is_no_edit_is_asked_for_again_with_another_seed(temperature, rounds):
    def write(prompt):
        step = last_example(prompt).partition("\n")[0]
        copies = {"Red.": 0, "Blue.": 1, "Green.": 9}[step]
        asked = sum(last_example(earlier).startswith(step) for earlier in engine.prompts)
        return f" {step}" if asked <= copies else " Black."

    editor = ModelEditor(EditorSpec(temperature=temperature), PLAIN, "editor")
    engine = Seen(write)
    (edits,) = drive([editor.edit("paraphrase", [" Red.", " Blue.", " Green."], [1, 2, 3])], {"editor": engine})
    assert [size for _, size in engine.rounds] == rounds
    assert [edit.text for edit in edits] == [" Black.", " Black." if temperature else " Blue.", " Green."]
    assert [edit.status for edit in edits][::2] == [Status.OK, Status.EDIT_FAILED]
    assert len({request.seed for request in engine.seen}) == sum(rounds)


def test_a_chat_model_that_explains_itself_made_no_edit():
    (new,), _ = edit([" It is 4."], lambda prompt: "It is 5.\n\nI changed the number.", codec=ChatCodec())
    assert "3 lines, the step has 1" in new.error


@pytest.mark.parametrize(
    ("step", "new"),
    [
        (" \\( \\frac{1}{2} \\) is it.", "\\( \\frac{1}{3} \\) is it."),
        (" Use {step}, {0} and {text}.", "Use {step}, {1} and {text}."),
        (" הכדור אדום.", "הכדור כחול."),
        ("```python\nx = {1: 2}\n\nprint(x)\n```\n", "```python\nx = {1: 3}\n\nprint(x)\n```"),
    ],
)
def test_steps_of_all_kinds_reach_the_model_and_come_back(step, new):
    (done,), engine = edit([step], lambda prompt: f" {new}\n\nSentence: Other.")
    assert last_example(engine.prompts[0]) == f"{framed_words(step)}\nWith a mistake:"
    assert done.text.strip() == new
    assert done.text.replace(new, "") == step.replace(framed_words(step), "")


def framed_words(step):
    return step.strip()


def test_a_step_without_words_is_not_asked_about():
    edits, engine = edit([" It is 4.", " \\[\n", ""], lambda prompt: " It is 5.")
    assert [e.status for e in edits] == [Status.OK, Status.EDIT_FAILED, Status.EDIT_FAILED]
    assert len(engine.prompts) == 1


def test_an_engine_that_fails_is_named_as_such():
    def write(prompt):
        if "bad" in prompt:
            raise ValueError("no")
        return " It is 5."

    edits, _ = edit([" It is bad.", " It is 4."], write)
    assert [(e.status, e.text) for e in edits] == [(Status.ENGINE_ERROR, " It is bad."), (Status.OK, " It is 5.")]


def test_seeds_and_sampling_are_those_given():
    editor = ModelEditor(EditorSpec(temperature=0.3, max_tokens=9), PLAIN, "editor")
    engine = Seen(lambda prompt: "x")
    drive([editor.edit("paraphrase", ["a", "b"], [11, 12])], {"editor": engine})
    assert [(r.seed, r.temperature, r.max_tokens) for r in engine.seen] == [(11, 0.3, 9), (12, 0.3, 9)]


@pytest.mark.parametrize("scores", [True, False])
@pytest.mark.parametrize("codec", [ByteCodec(), ChatCodec()])
def test_the_model_says_whether_a_mistake_reads_well(scores, codec):
    def write(prompt):
        if prompt.startswith(("Could", "<user>Could")):
            return " Yes" if "5" in last_example(prompt) else "No"
        return " It is 5." if "It is 4" in last_example(prompt) else " Is is is."

    model = PLAIN if scores else MUTE

    def weigh(prompt, word):
        return 0.0 if ("Yes" in word) == ("5" in last_example(prompt)) else -1.0

    edits, engine = edit([" It is 4.", " Hm, well.", " Is is is."], write, model=model, codec=codec, weigh=weigh)
    assert [e.plausible for e in edits] == [True, False, None]
    assert engine.rounds[0] == ("generate", 3)
    assert engine.rounds[-1] == ("score" if scores else "generate", 2)


def test_neither_yes_nor_no_is_no_verdict():
    (new,), _ = edit([" It is 4."], lambda p: "Perhaps" if p.startswith("Could") else " It is 5.", model=MUTE)
    assert (new.status, new.plausible) == (Status.OK, None)


def test_yes_as_likely_as_no_is_no_verdict():
    (new,), _ = edit([" It is 4."], lambda p: " It is 5.", weigh=lambda prompt, word: -1.0)
    assert (new.status, new.plausible) == (Status.OK, None)


# Prompts.


def test_a_prompt_of_the_user_s(tmp_path):
    file = tmp_path / "mistake.txt"
    file.write_text("Spoil: {step}\nSpoilt:\n")
    spec = EditorSpec(mistake_prompt=str(file))
    prompt = find_prompt("mistake", spec)
    assert prompt.about("a {step} {0}") == "Spoil: a {step} {0}\nSpoilt:"
    assert prompt.label == "Spoil:"
    sent = with_prompts(spec)
    file.unlink()
    assert find_prompt("mistake", sent) == prompt
    assert find_prompt("paraphrase", sent) == find_prompt("paraphrase", EditorSpec())
    (new,), _ = edit(
        [" It is 4."], lambda p: " Is it 4?" if p == "Spoil: It is 4.\nSpoilt:" else "", **sent.model_dump()
    )
    assert new.prompt_hash == prompt.hash


@pytest.mark.parametrize("content", [None, b"no place", b"\xff{step}"])
def test_a_prompt_that_cannot_be_used(tmp_path, content):
    file = tmp_path / "p.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SpecError, match=r"editor\.paraphrase_prompt: .*(p\.txt.*\{step\}|\{step\}.*p\.txt)"):
        check_editor(spec(editor={"paraphrase_prompt": str(file)}))


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("Spoil it: {step}", ["Spoil it: X"]),
        ("Spoil.\n\nOld: {step}\nNew:", ["Spoil.\n\nOld: X\nNew:"]),
        ("Old: a\nNew: b\n\nOld: {step}\nNew:", ["Old: a\nNew:", "b", "Old: X\nNew:"]),
        ("Do.\n\nNow.\n\nO: a\nNew: b\n\nO: {step}\nNew:", ["Do.\n\nNow.\n\nO: a\nNew:", "b", "O: X\nNew:"]),
        ("O: a\nNew: b\n\nAnd:\n\nO: {step}\nNew:", ["O: a\nNew:", "b", "And:\n\nO: X\nNew:"]),
        ("{step}\n\nIs it well?", ["X\n\nIs it well?"]),
    ],
)
def test_examples_become_turns(text, turns):
    found = Prompt(text).turns_about("X")
    assert [turn["content"] for turn in found] == turns
    assert [turn["role"] for turn in found] == ["user", "assistant"] * (len(turns) // 2) + ["user"]


def test_our_prompts_never_show_a_question():
    for kind in ("mistake", "paraphrase", "plausible"):
        text = find_prompt(kind, EditorSpec()).text
        assert text.count("{step}") == 1
        assert isinstance(Prompt(text).hash, str)
        assert "Question" not in text


# Which editor.


def spec(models=(), **rest):
    subject = {"id": "m", "engine": "stub"}
    return parse_spec({"models": [subject, *models], "tasks": [{"name": "t", "generator": "addition"}], **rest})


def writer(name, **rest):
    return {"id": name, "engine": "stub", "roles": ["editor"], **rest}


def chosen(spec):
    check_editor(spec)
    editor = make_editor(spec, spec.models[0], ByteCodec())
    assert editor.name == (getattr(editor_model(spec, spec.models[0]), "id", None) or editor.name)
    return editor.name, getattr(editor, "role", None)


def test_auto():
    assert chosen(spec()) == ("m", "subject")
    assert chosen(spec([writer("w")])) == ("w", "editor")
    organism = {"id": "o", "source": "organism:reasoner"}
    both = parse_spec(
        {"models": [organism, {"id": "m", "engine": "stub"}], "tasks": [{"name": "t", "generator": "addition"}]}
    )
    assert chosen(both) == ("organism", None)
    assert make_editor(both, both.models[1], ByteCodec()).name == "m"


@pytest.mark.parametrize(
    ("by", "found"),
    [
        ("rules", ("rules", None)),
        ("organism", ("organism", None)),
        ("subject", ("m", "subject")),
        ("v", ("v", "editor")),
    ],
)
def test_by_name(by, found):
    assert chosen(spec([writer("w"), writer("v")], editor={"by": by})) == found


def test_a_subject_that_is_the_editor_uses_its_own_engine():
    both = spec([writer("w", roles=["subject", "editor"])], editor={"by": "w"})
    assert make_editor(both, both.models[0], ByteCodec()).role == "editor"
    assert make_editor(both, both.models[1], ByteCodec()).role == "subject"


@pytest.mark.parametrize(
    ("models", "by", "error"),
    [
        ([], "rule", r"Unknown editor 'rule'. Did you mean 'rules'\? Known: auto, organism, rules, subject"),
        ([writer("w")], "v", "Known: auto, organism, rules, subject, w"),
        ([], "m", "Give that model the role editor"),
        ([writer("w"), writer("v")], "auto", "2 models have the role editor: w, v"),
        ([writer("rules")], "rules", "models.rules"),
    ],
)
def test_an_editor_that_is_not_there(models, by, error):
    with pytest.raises(SpecError, match=error):
        check_editor(spec(models, editor={"by": by}))


def test_an_editor_that_writes_no_text(monkeypatch):
    from cotfaith.workers.engines.protocol import Capabilities
    from cotfaith.workers.roles.editors import choice

    class Mute:
        def capabilities(self, model):
            return Capabilities(generate=False, score=True, prefill=False)

    monkeypatch.setattr(choice, "find_engine", lambda model: Mute())
    with pytest.raises(CapabilityError, match="'w' is the editor"):
        check_editor(spec([writer("w")]))


def test_what_edits_depend_on(tmp_path):
    assert editor_identity(spec(editor={"by": "rules"})) == {"by": "rules"}
    ours = editor_identity(spec())
    assert set(ours["prompts"]) == {"mistake", "paraphrase", "plausible"}
    other = editor_identity(spec(editor={"mistake_prompt": "Spoil: {step}"}))
    assert other["prompts"]["mistake"] != ours["prompts"]["mistake"]
    assert other["prompts"]["paraphrase"] == ours["prompts"]["paraphrase"]
