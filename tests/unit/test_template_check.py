"""The plan's check of chat templates: which prompts are correct, and what is refused with which message."""

import re
from dataclasses import replace

import pytest
import yaml
from chat_tokenizers import CHATML, chat_tokenizer, model_folder, write_items

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.records import Item
from cotfaith.schemas.spec import EditorSpec, ModelSpec, PromptSpec
from cotfaith.schemas.variants import Framing, Turn, Variant
from cotfaith.workers.roles.editors.model import ModelEditor
from cotfaith.workers.roles.editors.prompt import Prompt, find_prompt
from cotfaith.workers.text.codec import HuggingFaceCodec
from cotfaith.workers.text.template_check import check_template, template_digest
from cotfaith.workers.text.templates import Templates

ITEM = Item("i1", "Red?", "true", "boolean", ("Yes", "No"))
PROMPTS = PromptSpec(cot="Think:", answer_question="So?", answer_prefill="It is")
SYSTEM = "Be brief."


def codec_of(template):
    return HuggingFaceCodec(chat_tokenizer(template), chat=True)


def model_of(**fields):
    return ModelSpec(**{"id": "m", "source": "s"} | fields)


def prompt_of(template, **fields):
    """Return the prompt that asks for the answer after a chain, and the notes: the template is accepted."""
    model, codec = model_of(**fields), codec_of(template)
    notes = check_template(model, codec, PROMPTS, [ITEM])
    return Templates(model, PROMPTS, codec).answer_after(ITEM, " One. Two."), notes


def refusal(template, items=(ITEM,), edits=(), **fields):
    with pytest.raises(ModelSourceError) as raised:
        check_template(model_of(**fields), codec_of(template), PROMPTS, items, edits)
    return str(raised.value)


def turns(user, assistant, system="", start="", opening=""):
    """Return a template that writes each turn in the given form, with % for the text."""

    def write(form):
        before, _, after = form.partition("%")
        return f"{{{{ {before!r} + m['content'] + {after!r} }}}}"

    return (
        f"{start}{{% for m in messages %}}{{% if m['role'] == 'user' %}}{write(user)}"
        f"{{% elif m['role'] == 'assistant' %}}{write(assistant)}{{% else %}}{write(system) if system else ''}"
        f"{{% endif %}}{{% endfor %}}{{% if add_generation_prompt %}}{{{{ {opening!r} }}}}{{% endif %}}"
    )


ALTERNATE = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Turns must alternate') }}{% endif %}{% endfor %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
MERGED = (  # the system message before the first question, in its turn
    "{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] + '\n\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}{% for m in rest %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Turns must alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' + (first if loop.first else '') + m['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] | trim + ' </s>' }}{% endif %}{% endfor %}"
)
MOVED = MERGED.replace("if loop.first", "if loop.last")
GEMMA = turns(
    "<start_of_turn>user\n%<end_of_turn>\n",
    "<start_of_turn>model\n%<end_of_turn>\n",
    start="{{ bos_token }}" + NO_SYSTEM + ALTERNATE,
    opening="<start_of_turn>model\n",
)
LLAMA_3 = (
    "{% if not date_string is defined %}{% set date_string = '26 Jul 2024' %}{% endif %}{% if messages[0]['role'] == "
    "'system' %}{% set told = messages[0]['content'] | trim %}{% set messages = messages[1:] %}{% else %}"
    "{% set told = '' %}{% endif %}<h>system</h>\n\nToday Date: {{ date_string }}\n\n{{ told }}<eot>"
    "{% for m in messages %}{{ '<h>' + m['role'] + '</h>\n\n' + m['content'] | trim + '<eot>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<h>assistant</h>\n\n' }}{% endif %}"
)
PHI_3 = turns("<|user|>\n%<|end|>\n", "<|assistant|>\n%<|end|>\n", "<|system|>\n%<|end|>\n", opening="<|assistant|>\n")
R1 = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<U>' + m['content'] }}{% elif m['role'] == 'assistant' %}"
    "{{ '<A>' + m['content'].split('</think>')[-1] + '</s>' }}{% else %}{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<A><think>\n' }}{% endif %}"
)
DEFAULT_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are Q.<|im_end|>\n' }}{% endif %}" + CHATML
)
HARMONY = turns(
    "<|start|>user<|message|>%<|end|>",
    "<|start|>assistant<|channel|>final<|message|>%<|end|>",
    "<|start|>developer<|message|># Instructions\n\n%<|end|>",
    "<|start|>system<|message|>Current date: {{ strftime_now('%Y') | length }}<|end|>",
    "<|start|>assistant",
)
GLM = turns("<U>\n%", "<A>\n<think></think>\n%", "<S>\n%", opening="<A>")
GLM_OPEN = turns("<U>%", "<A><think></think>%", "<S>%", opening="<A><think>")
THINK_CLOSED = turns("<U>%", "<A>%</s>", "<S>%", opening="<A><think>\n\n</think>\n\n")
NO_GENERATION = CHATML.partition("{% if add_generation_prompt")[0]
VICUNA = turns("USER: %", " ASSISTANT: %</s>", "% ", opening=" ASSISTANT:")
DIALOGUE = "{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}"
NUMBERED = (
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% if m['role'] == 'user' %}{% set ns.n = ns.n + 1 %}"
    "{{ '[Round ' ~ ns.n ~ ']\nQ: ' + m['content'] + '\nA:' }}{% else %}{{ m['content'] + '\n' }}{% endif %}"
    "{% endfor %}"
)

RIGHT = {
    "chatml": (
        CHATML,
        "<|im_start|>user\nRed?<|im_end|>\n<|im_start|>assistant\nThink: One. Two.<|im_end|>\n"
        "<|im_start|>user\nSo?<|im_end|>\n<|im_start|>assistant\nIt is",
    ),
    "mistral": (MERGED, "[INST] Red? [/INST] Think: One. Two. </s>[INST] So? [/INST] It is"),
    "gemma": (
        GEMMA,
        "<s><start_of_turn>user\nRed?<end_of_turn>\n<start_of_turn>model\nThink: One. Two.<end_of_turn>\n"
        "<start_of_turn>user\nSo?<end_of_turn>\n<start_of_turn>model\nIt is",
    ),
    "llama 3": (
        LLAMA_3,
        "<h>system</h>\n\nToday Date: 26 Jul 2024\n\n<eot><h>user</h>\n\nRed?<eot><h>assistant</h>\n\nThink: One. Two."
        "<eot><h>user</h>\n\nSo?<eot><h>assistant</h>\n\nIt is",
    ),
    "phi 3": (
        PHI_3,
        "<|user|>\nRed?<|end|>\n<|assistant|>\nThink: One. Two.<|end|>\n<|user|>\nSo?<|end|>\n<|assistant|>\nIt is",
    ),
    "a default system message": (
        DEFAULT_SYSTEM,
        "<|im_start|>system\nYou are Q.<|im_end|>\n<|im_start|>user\nRed?<|im_end|>\n<|im_start|>assistant\nThink: "
        "One. Two.<|im_end|>\n<|im_start|>user\nSo?<|im_end|>\n<|im_start|>assistant\nIt is",
    ),
    "harmony": (
        HARMONY,
        "<|start|>system<|message|>Current date: 4<|end|><|start|>user<|message|>Red?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Think: One. Two.<|end|><|start|>user<|message|>So?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>It is",
    ),
    "glm": (GLM, "<U>\nRed?<A>\n<think></think>\nThink: One. Two.<U>\nSo?<A>\n<think></think>\nIt is"),
    "glm that opens the thought": (GLM_OPEN, "<U>Red?<A><think></think>Think: One. Two.<U>So?<A><think></think>It is"),
    "an empty thought": (
        THINK_CLOSED,
        "<U>Red?<A><think>\n\n</think>\n\nThink: One. Two.</s><U>So?<A><think>\n\n</think>\n\nIt is",
    ),
    "no generation prompt": (
        NO_GENERATION,
        "<|im_start|>user\nRed?<|im_end|>\n<|im_start|>assistant\nThink: One. Two.<|im_end|>\n"
        "<|im_start|>user\nSo?<|im_end|>\n<|im_start|>assistant\nIt is",
    ),
    "vicuna": (VICUNA, "USER: Red? ASSISTANT: Think: One. Two.</s>USER: So? ASSISTANT: It is"),
    "nobody's turns": (DIALOGUE, "Red?</s>Think: One. Two.</s>So?</s>It is"),
    "numbered rounds": (NUMBERED, "[Round 1]\nQ: Red?\nA:Think: One. Two.\n[Round 2]\nQ: So?\nA:It is"),
}
SAID = {
    "mistral": "prompts add ' '",
    "harmony": "prompts add '<|channel|>final<|message|>'",
    "glm": r"prompts add '\n<think></think>\n'",
    "glm that opens the thought": "prompts add '</think>'",
    "an empty thought": r"'<A>' before an earlier answer, and '<A><think>\n\n</think>\n\n' where the model is to speak",
    "no generation prompt": r"prompts add '<|im_start|>assistant\n'",
    "vicuna": "prompts add ' '",
    "nobody's turns": "does not distinguish the assistant's turns from the user's",
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_prompts(name):
    template, expected = RIGHT[name]
    prompt, notes = prompt_of(template)
    assert prompt == expected
    told = [note for note in notes if "date" not in note]
    assert len(told) == (name in SAID)
    assert all(note.startswith("models.m: ") and SAID[name] in note for note in told)


def test_a_prompt_is_what_the_template_writes_of_the_conversation():
    """Prompts contain only what the template would have written: its own rendering, with the chain as the answer."""
    for name in set(RIGHT) - {"an empty thought"}:  # earlier answers and open turns differ in these
        template, expected = RIGHT[name]
        told = [("user", "Red?"), ("assistant", "Think: One. Two."), ("user", "So?"), ("assistant", "It is")]
        whole = codec_of(template).render([{"role": role, "content": text} for role, text in told], opened=False)
        assert whole.startswith(expected), name


THOUGHTS = {
    "chatml": (
        CHATML,
        "<|im_start|>user\nRed?<|im_end|>\n<|im_start|>assistant\n<think>\n One. Two.\n</think>\n\nIt is",
    ),
    "r1": (R1, "<U>Red?<A><think>\n One. Two.\n</think>\n\nIt is"),
    "glm": (GLM, "<U>\nRed?<A>\n<think>\n One. Two.\n</think>\n\nIt is"),
    "glm that opens the thought": (GLM_OPEN, "<U>Red?<A><think> One. Two.\n</think>\n\nIt is"),
    "no generation prompt": (
        NO_GENERATION,
        "<|im_start|>user\nRed?<|im_end|>\n<|im_start|>assistant\n<think>\n One. Two.\n</think>\n\nIt is",
    ),
    "past turns are dropped": (
        CHATML.replace("{{ '<|im_start|>' + m", "{% if loop.last %}{{ '<|im_start|>' + m").replace(
            "'<|im_end|>\n' }}", "'<|im_end|>\n' }}{% endif %}"
        ),
        "<|im_start|>user\nRed?<|im_end|>\n<|im_start|>assistant\n<think>\n One. Two.\n</think>\n\nIt is",
    ),
    "vicuna": (VICUNA, "USER: Red? ASSISTANT: <think>\n One. Two.\n</think>\n\nIt is"),
}


@pytest.mark.parametrize(("template", "expected"), THOUGHTS.values(), ids=THOUGHTS)
def test_right_prompts_of_models_that_think(template, expected):
    prompt, _ = prompt_of(template, thinking="think_tags")
    assert prompt == expected


TOLD = turns("<U>%", "<A>%", "<S>%", opening="<A>")
TELLS = "'<S>' + m['content']"


class TestSystem:
    RIGHT = (
        (MERGED, "[INST] Be brief.\n\nRed? [/INST] Think: One. Two. </s>[INST] So? [/INST] It is"),
        (GLM, "<S>\nBe brief.<U>\nRed?<A>\n<think></think>\nThink: One. Two.<U>\nSo?<A>\n<think></think>\nIt is"),
        (
            LLAMA_3,
            "<h>system</h>\n\nToday Date: 26 Jul 2024\n\nBe brief.<eot><h>user</h>\n\nRed?<eot><h>assistant</h>\n\n"
            "Think: One. Two.<eot><h>user</h>\n\nSo?<eot><h>assistant</h>\n\nIt is",
        ),
        (VICUNA, "Be brief. USER: Red? ASSISTANT: Think: One. Two.</s>USER: So? ASSISTANT: It is"),
        (
            "{% if messages[0]['role'] != 'system' %}{{ raise_exception('A system turn first') }}{% endif %}"
            + turns("<U>%", "<A>%", "<S>%", opening="<A>"),
            "<S>Be brief.<U>Red?<A>Think: One. Two.<U>So?<A>It is",
        ),
    )

    @pytest.mark.parametrize(("template", "expected"), RIGHT)
    def test_it_stands_once(self, template, expected):
        assert prompt_of(template, system=SYSTEM)[0] == expected

    @pytest.mark.parametrize(
        ("template", "said"),
        [
            (GEMMA, "TemplateError 'System role not supported': it takes no system message. Remove system"),
            (ALTERNATE + CHATML, "TemplateError 'Turns must alternate': it takes no system message. Remove system"),
            (turns("<U>%", "<A>%", opening="<A>"), "leaves the system message out. Remove system"),
            (MOVED, "moves the system message to the last question"),
            (TOLD.replace(TELLS, TELLS + " + m['content']"), "writes the system message 2 times"),
            (TOLD.replace(TELLS, TELLS + " | upper"), "leaves the system message out"),
            (TOLD.replace(TELLS, TELLS + " | e"), "changes the system message"),
        ],
    )  # fmt: skip
    def test_refused(self, template, said):
        for thinking in ("none",) if template == MOVED else ("none", "think_tags"):
            error = refusal(template, system=SYSTEM, thinking=thinking)
            assert error.startswith("models.m.system: ")
            assert said in error
            assert "chat: never" in error

    def test_one_that_is_demanded(self):
        template = (
            "{% if messages[0]['role'] != 'system' %}{{ raise_exception('A system turn first') }}{% endif %}" + CHATML
        )
        assert "'A system turn first': it needs a system message. Set system, or use chat: never" in refusal(template)

    def test_one_that_nobody_sees_is_said(self):
        model = model_of(system=SYSTEM, chat="never")
        (note,) = check_template(model, codec_of(CHATML), PROMPTS)
        assert note == "models.m.system is not used: its prompts go through no chat template."
        assert check_template(model_of(chat="never"), codec_of(CHATML), PROMPTS) == []

    def test_a_switch_is_said(self):
        template = (
            "{% if messages[0]['role'] == 'system' %}{{ '<S>' + messages[0]['content'].replace('/no_think', '') }}"
            "{% set messages = messages[1:] %}{% endif %}" + turns("<U>%", "<A>%", opening="<A>")
        )
        prompt, (note,) = prompt_of(template, system="Be brief. /no_think")
        assert prompt.startswith("<S>Be brief. <U>Red?")
        assert "reads as a switch" in note


LAST = "{% for m in messages %}{% if loop.last %}{{ '<U>' + m['content'] }}{% endif %}{% endfor %}<A>"
PLAIN = turns("<U>%", "<A>%", opening="<A>")
CONTENT = "m['content']"
ASKS, ANSWERS = "'<U>' + m['content']", "'<A>' + m['content']"
REFUSED = {
    "drops past turns": (LAST, "leaves the question out in a conversation that continues: past turns are not kept"),
    "drops answers": (PLAIN.replace(ANSWERS, "'<A>'"), "leaves the earlier answer out"),
    "repeats answers": (PLAIN.replace(ANSWERS, ANSWERS + " * 2"), "writes the earlier answer 2 times"),
    "repeats questions": (PLAIN.replace(ASKS, ASKS + " * 3"), "writes the question 3 times"),
    "keeps two turns": (PLAIN.replace("in messages", "in messages[-2:]"), "leaves the question out"),
    "as JSON": (PLAIN.replace(CONTENT, CONTENT + " | tojson"), "changes the question"),
    "as HTML": (PLAIN.replace(CONTENT, CONTENT + " | e"), "changes the question"),
    "in capitals": (PLAIN.replace(CONTENT, CONTENT + ".title()"), "leaves the question out"),
    "small letters": (PLAIN.replace(CONTENT, CONTENT + " | lower"), "changes the question"),
    "cut": (PLAIN.replace(CONTENT, CONTENT + "[:2000]"), "changes the question"),
    "cut by words": (PLAIN.replace(CONTENT, CONTENT + " | truncate(900)"), "changes the question"),
    "without blank lines": (PLAIN.replace(CONTENT, CONTENT + ".replace('\n\n', '\n')"), "changes the question"),
    "without tags": (PLAIN.replace(CONTENT, CONTENT + " | striptags"), "changes the question"),
    "words only": (PLAIN.replace(CONTENT, CONTENT + ".split() | join(' ')"), "changes the question"),
    "ASCII only": (PLAIN.replace(CONTENT, CONTENT + ".encode('ascii', 'ignore').decode()"), "changes the question"),
    "answers as JSON": (PLAIN.replace(ANSWERS, ANSWERS + " | tojson"), "changes the earlier answer"),
    "raises on answers": (
        "{% if messages | length > 2 %}{{ raise_exception('One turn only') }}{% endif %}" + PLAIN,
        "'One turn only', on an earlier answer",
    ),
    "always raises": ("{{ raise_exception('Not for chat') }}", "chat template failed: TemplateError 'Not for chat'"),
    "wants tools": ("{% for t in tools %}{% endfor %}" + PLAIN, "TypeError"),
    "nothing between": (
        "{% for m in messages %}{{ m['content'] }}{% endfor %}",
        "nothing between a question and the answer",
    ),
    "no prompt, and another end": (
        turns("<U>%", "<A>%") + "{{ eos_token }}",
        "no generation prompt, and none can be taken from an earlier answer",
    ),
    "no prompt, and answers by number": (
        "{% for m in messages %}{{ ('<U>' if m['role'] == 'user' else '<A' ~ loop.index ~ '>') + m['content'] }}"
        "{% endfor %}",
        "before one earlier answer and something else before the next",
    ),
    "random": (PLAIN + "{{ ['now', 'then'] | random }}", "something else each time"),
    "random number": ("{{ range(100) | random }}" + PLAIN, "something else each time"),
    "lorem ipsum": ("{{ lipsum(n=1) }}" + PLAIN, "something else each time"),
    "thoughts": (R1, "thinking is none, but its chat template opens <think>: chains would be a thought that is never"),
    "thoughts by another name": (turns("<U>%", "<A>%", opening="<A><|START_THINKING|>"), "opens <|START_THINKING|>"),
    "thoughts in brackets": (turns("<U>%", "<A>%", opening="<A>[THINK]"), "opens [THINK]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    template, said = REFUSED[name]
    error = refusal(template)
    assert error.startswith("models.m")
    assert said in error
    assert "chat: never" in error


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (HARMONY, "writes '<|channel|>final<|message|>' between the generation prompt and an answer"),
        (THINK_CLOSED, "closes </think> at once: this model answers without thinking. Set thinking: none"),
        (turns("<U>%", "<A>%", opening="<A><|START_THINKING|><|END_THINKING|>"), "closes <|END_THINKING|> at once"),
        (turns("<U>%", "<A>%", opening="<A><reasoning>\n"), "opens <reasoning> and not <think>"),
        (LAST.removesuffix("<A>"), "no generation prompt, and none can be taken from an earlier answer"),
        (PLAIN.replace(CONTENT, CONTENT + " | tojson"), "changes the question"),
    ],
)
def test_refused_for_models_that_think(template, said):
    assert said in refusal(template, thinking="think_tags")


def test_white_space_around_a_text_may_go():
    prompt, notes = prompt_of(PLAIN.replace(CONTENT, CONTENT + " | trim"))
    assert prompt == "<U>Red?<A>Think: One. Two.<U>So?<A>It is"
    assert notes == []


def test_what_a_template_says_is_shown_with_escapes():
    error = refusal("{{ raise_exception('\x1b[2J\u202egone') }}")
    assert "\x1b" not in error
    assert "\u202e" not in error
    (note,) = prompt_of(turns("<U>%", "<A\x1b[2J>%", opening="<A"))[1]
    assert "\x1b" not in note


class TestItems:
    """A template may read some words of a question as switches."""

    ORDERS = PLAIN.replace(CONTENT, CONTENT + ".replace('/think', '')")

    def test_a_question_that_is_changed(self):
        items = [ITEM, Item("i2", "What does /think do?", "x", "text")]
        assert "changes the question of item 'i2'. Leave that item out, or use chat: never" in refusal(
            self.ORDERS, items
        )
        assert prompt_of(self.ORDERS)[0].startswith("<U>Red?")

    def test_a_question_that_is_refused(self):
        template = "{% if 'tool' in messages[-1]['content'] %}{{ raise_exception('No tools') }}{% endif %}" + PLAIN
        assert "on the question of item 'i2', the chat template failed" in refusal(
            template, [Item("i2", "Which tool?", "x", "text")]
        )


class TestEditors:
    """An editor gets its examples as earlier turns."""

    EDITS = tuple(find_prompt(kind, EditorSpec()) for kind in ("mistake", "paraphrase", "plausible"))

    @pytest.mark.parametrize("thinking", ["none", "think_tags"])
    def test_right(self, thinking):
        model = model_of(roles=("editor",), thinking=thinking)
        assert check_template(model, codec_of(PHI_3), PROMPTS, (), self.EDITS) == []

    def test_its_turn_is_opened_as_an_answer(self):
        editor = ModelEditor(EditorSpec(), model_of(roles=("editor",)), "editor", codec_of(NO_GENERATION))
        opening = editor._opening(self.EDITS[0], "Two and two make four.")
        assert opening.endswith("<|im_end|>\n<|im_start|>assistant\n")
        assert opening.count("<|im_start|>assistant\n") > 2

    @pytest.mark.parametrize(
        ("template", "said"),
        [
            (LAST, "leaves the question out in a conversation that continues"),
            (PLAIN.replace("in messages", "in messages[-3:]"), "leaves out, changes or repeats a turn of the editor's"),
            (NO_SYSTEM + "{% if messages | length > 3 %}{{ raise_exception('Too long') }}{% endif %}" + PLAIN,
             "'Too long', on an editor's prompt"),
            (PLAIN.replace(CONTENT, CONTENT + ".replace('mistake', 'error')"), "a turn of the editor's prompt"),
        ],
    )  # fmt: skip
    def test_refused(self, template, said):
        for thinking in ("none", "think_tags"):
            assert said in refusal(template, (), self.EDITS, roles=("editor",), thinking=thinking)

    def test_a_prompt_of_the_users_own(self):
        twice = Prompt("Is {step} the same as {step}? Rewrite:")
        assert check_template(model_of(), codec_of(CHATML), PROMPTS, (), [twice]) == []


class TestDigest:
    """Only a change of prompts changes the hash."""

    def test_of_what_is_written(self):
        first = template_digest(model_of(), codec_of(CHATML))
        assert first == template_digest(model_of(), codec_of("{# a remark #}" + CHATML))
        assert first == template_digest(model_of(), codec_of({"default": CHATML, "rag": PLAIN}))
        others = [DEFAULT_SYSTEM, PLAIN, CHATML.replace("assistant\n", "assistant"), NO_GENERATION + " "]
        assert len({first, *(template_digest(model_of(), codec_of(other)) for other in others)}) == 5

    def test_of_none(self):
        assert template_digest(model_of(), codec_of(None)) == "none"
        assert template_digest(model_of(chat="never"), codec_of(CHATML)) == "none"


class TestCommands:
    """Nothing is loaded or written, and the exit code is 2."""

    @pytest.fixture
    def spec(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        task = write_items(tmp_path / "items.jsonl")

        def written(template, probes="[no_cot]", **fields):
            source = model_folder(tmp_path / "model", template)
            (tmp_path / "spec.yaml").write_text(
                f"models: [{ {'id': 'm', 'source': source} | fields }]\ntasks: [{task}]\nprobes: {probes}\n"
            )
            return "spec.yaml"

        return written

    @pytest.mark.parametrize("command", ["plan", "run"])
    @pytest.mark.parametrize(
        ("template", "fields", "said"),
        [
            (GEMMA, {"system": SYSTEM}, r"models\.m\.system: .*takes no system message.*Remove system"),
            ({"rag": CHATML, "tool_use": CHATML}, {}, r"models\.m: .*rag, tool_use, .*chat_template.*chat: never"),
            ({"rag": CHATML, "tool_use": CHATML}, {"chat_template": "rga"}, "Did you mean 'rag'"),
            (LAST, {}, "past turns are not kept.*chat: never"),
            (REFUSED["repeats answers"][0], {}, "the earlier answer 2 times"),
            (REFUSED["random"][0], {}, "something else each time"),
            (R1, {}, "Set thinking: think_tags, or chat: never"),
        ],
    )
    def test_refused(self, cli, spec, tmp_path, command, template, fields, said):
        code, out, err = cli(command, spec(template, **fields))
        assert (code, out) == (2, "")
        assert re.search(said, err.replace("\n", " "))
        assert "Traceback" not in err
        assert not (tmp_path / "runs").exists()

    def test_notes(self, cli, spec):
        code, _, err = cli("plan", spec(NO_GENERATION))
        assert code == 0
        assert err.count("Note: models.m: ") == 1
        assert r"prompts add '<|im_start|>assistant\n'" in err

    def test_named_and_in_parts(self, cli, spec):
        parts = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'][0]['text'] }}{% endfor %}<assistant>"
        code, _, err = cli("plan", spec({"rag": parts, "tool_use": LAST}, chat_template="rag"))
        assert (code, err) == (0, "")

    def test_the_editor_is_looked_at(self, cli, spec):
        template = PLAIN.replace("in messages", "in messages[-3:]")
        assert cli("plan", spec(template))[0] == 0
        code, _, err = cli("plan", spec(template, "[adding_mistakes]"))
        assert code == 2
        assert "a turn of the editor's prompt" in err


@pytest.mark.parametrize(
    ("template", "thinking"),
    [(CHATML, None), (CHATML.replace("assistant\n'", "assistant\n<think>\n'"), "think_tags")],
    ids=["plain", "opens a thought"],
)
def test_try_sets_thinking_where_the_template_opens_a_thought(tmp_path, template, thinking):
    from cotfaith.cluster.cli.try_model import _spec_text

    model = {"id": "m", "source": model_folder(tmp_path, template)}
    text = _spec_text(model, {"name": "t", "generator": "addition"}, tmp_path / "spec.yaml")
    assert yaml.safe_load(text)["models"][0].get("thinking") == thinking


def framed(*texts):
    said = [Turn(("user", "assistant")[at % 2], text) for at, text in enumerate(texts)]
    return replace(ITEM, variant=Variant("mine", "odd", framing=Framing(tuple(said))))


def test_earlier_turns_are_looked_for_in_the_prompts():
    """A template that forgets all but the last three turns keeps a chain's own conversation, and no examples."""
    short = "{% set messages = messages[-3:] %}" + turns("U:%\n", "A:%\n", opening="A:")
    check_template(model_of(), codec_of(short), PROMPTS, [ITEM, framed("One", "Two")])
    words = refusal(short, [framed("One", "Two", "Three", "Four")])
    assert "leaves out or changes an earlier turn of item 'i1' under mine.odd: 'One'" in words
    changed = turns("U:%\n", "A:%\n", opening="A:").replace("m['content']", "m['content'].replace('/no', '')")
    assert "changes an earlier turn of item 'i1' under mine.odd: 'Two /no'" in refusal(
        changed, [framed("One", "Two /no")]
    )


def test_reasoning_models_with_earlier_turns_need_a_template_that_keeps_them():
    """Without earlier turns, their prompts hold no earlier answer."""
    whole = turns("U:%\n", "A:%\n", opening="A:")
    forgets = whole.replace("'A:' + m['content']", "'A:'")
    assert forgets != whole
    check_template(model_of(thinking="think_tags"), codec_of(forgets), PROMPTS, [ITEM])
    assert "leaves the earlier answer out" in refusal(forgets, [framed("One", "Two")], thinking="think_tags")
