"""A tokenizer's chat template: its name, its clock, the form of its turns, and what it raises."""

from datetime import datetime, timedelta

import pytest
from chat_tokenizers import CHATML, chat_tokenizer

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.spec import ModelSpec
from cotfaith.workers.engines.codec import load_codec
from cotfaith.workers.text.chat_template import ChatTemplate
from cotfaith.workers.text.codec import HuggingFaceCodec, uses_chat

USER = {"role": "user", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be brief."}
THERE = {"role": "assistant", "content": "Hello."}
DATE = datetime(2031, 5, 7, 23, 59, 58)


class MovingClock(datetime):
    """A clock that is an hour later every time it is read."""

    looked = 0

    @classmethod
    def now(cls, tz=None):
        cls.looked += 1
        return datetime(2040, 1, 1, tzinfo=tz) + timedelta(hours=cls.looked)


CLOCKS = {
    "seconds": ("{{ strftime_now('%Y-%m-%d %H:%M:%S') }}|" + CHATML, "2031-05-07 23:59:58|"),
    "day in words": ("Today Date: {{ strftime_now('%d %b %Y') }}\n" + CHATML, "Today Date: 07 May 2031"),
    "variable with a default": (
        "{% if not date_string is defined %}{% if strftime_now is defined %}"
        "{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = '26 Jul 2024' %}"
        "{% endif %}{% endif %}{{ date_string }}\n" + CHATML,
        "07 May 2031",
    ),
    "in a macro": (
        "{% macro head() %}Current date: {{ strftime_now('%Y-%m-%d') }}{% endmacro %}{{ head() }}\n" + CHATML,
        "Current date: 2031-05-07",
    ),
    "in a default system message": (
        "{% set today = strftime_now('%d-%m-%Y') %}{% if messages[0]['role'] != 'system' %}"
        "[SYS]It is {{ today }}.[/SYS]{% endif %}" + CHATML,
        "[SYS]It is 07-05-2031.[/SYS]",
    ),
    "arithmetic": (
        "{{ strftime_now('%Y') | int + 1 }}/{{ strftime_now('%d') | int - 1 }} " + CHATML,
        "2032/6 ",
    ),
}


class TestClock:
    @pytest.mark.parametrize(("template", "expected"), CLOCKS.values(), ids=CLOCKS)
    def test_two_clocks_give_one_prompt(self, template, expected, monkeypatch):
        monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", MovingClock)
        made = ChatTemplate(chat_tokenizer(template), date=DATE)
        texts = {made.render([USER]) for _ in range(3)} | {
            ChatTemplate(chat_tokenizer(template), None, DATE).render([USER])
        }
        assert len(texts) == 1
        assert texts.pop().startswith(expected)
        assert made.dates

    def test_without_a_date_the_clock_stands_still(self, monkeypatch):
        monkeypatch.setattr("cotfaith.workers.text.chat_template.datetime", MovingClock)
        made = ChatTemplate(chat_tokenizer("{{ strftime_now('%Y-%m-%d %H') }}" + CHATML))
        assert made.render([USER]) == made.render([USER])

    def test_templates_without_a_clock_are_told_nothing(self):
        made = ChatTemplate(chat_tokenizer(CHATML), date=DATE)
        assert made.render([USER]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        assert made.dates == []


NAMED = {"default": "plain {{ messages[0]['content'] }}", "rag": "rag {{ messages[0]['content'] }}"}

NO_DEFAULT = {"tool_use": "tools {{ messages[0]['content'] }}", "rag": NAMED["rag"]}


class TestNames:
    def test_the_default_and_others(self):
        assert ChatTemplate(chat_tokenizer(NAMED)).render([USER]) == "plain Hi"
        assert ChatTemplate(chat_tokenizer(NAMED), "rag").render([USER]) == "rag Hi"
        assert ChatTemplate(chat_tokenizer(NO_DEFAULT), "tool_use").render([USER]) == "tools Hi"
        assert ChatTemplate(chat_tokenizer("one"), "default").render([USER]) == "one"

    @pytest.mark.parametrize(
        ("templates", "name", "said"),
        [
            (NO_DEFAULT, None, "chat templates rag, tool_use, and none is the default: set chat_template"),
            (NO_DEFAULT, "tooluse", "Unknown template 'tooluse'. Did you mean 'tool_use'"),
            (NAMED, "", "Unknown template ''"),
            ("one", "rag", "only one chat template, without a name, so there is no 'rag'"),
        ],
    )
    def test_no_such_template(self, templates, name, said):
        with pytest.raises(ModelSourceError, match=said.replace(".", r"\.")):
            ChatTemplate(chat_tokenizer(templates), name).render([USER])

    def test_a_folder_with_named_templates(self, tmp_path):
        chat_tokenizer(NO_DEFAULT).save_pretrained(tmp_path)
        codec = load_codec(ModelSpec(id="m", source=str(tmp_path), chat_template="rag"))
        assert codec.render([USER]) == "rag Hi"
        assert load_codec(ModelSpec(id="m", source=str(tmp_path), chat="never")).encode("a")  # needs no name

    @pytest.mark.parametrize("template", ["", " \n", {"default": ""}, None])
    def test_an_empty_template_is_none(self, template):
        codec = HuggingFaceCodec(chat_tokenizer(template), chat=False)
        assert not uses_chat(ModelSpec(id="m", source="s"), codec)

    def test_an_empty_file_beside_the_tokenizer_is_none(self, tmp_path):
        chat_tokenizer(None).save_pretrained(tmp_path)
        (tmp_path / "chat_template.jinja").write_text("")
        assert not load_codec(ModelSpec(id="m", source=str(tmp_path))).has_chat_template


EACH = "{% for p in m['content'] %}{% if p['type'] == 'text' %}{{ p['text'] }}{% endif %}{% endfor %}"

HEAD = "{% for m in messages %}<{{ m['role'] }}>"

IN_PARTS = {
    "loop": HEAD + EACH + "{% endfor %}<assistant>",
    "filter": HEAD
    + "{% for p in m['content'] | selectattr('type', 'equalto', 'text') %}{{ p['text'] }}{% endfor %}"
    + "{% endfor %}<assistant>",
    "first part": HEAD + "{{ m['content'][0]['text'] }}{% endfor %}<assistant>",
    "raises on texts": HEAD
    + "{% if m['content'] is string %}{{ raise_exception('Expected parts') }}{% endif %}"
    + EACH
    + "{% endfor %}<assistant>",
    "answers are texts": HEAD
    + "{% if m['role'] == 'assistant' %}{{ m['content'] + '' }}{% else %}"
    + EACH
    + "{% endif %}{% endfor %}<assistant>",
    "only questions are parts": HEAD
    + "{% if m['role'] == 'user' %}"
    + EACH
    + "{% else %}{{ m['content'] + '' }}{% endif %}{% endfor %}<assistant>",
    "either": HEAD
    + "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    + EACH
    + "{% endif %}{% endfor %}<assistant>",
}


class TestParts:
    """Templates that take a turn's content as a list of parts, at least from some roles."""

    @pytest.mark.parametrize("template", IN_PARTS.values(), ids=IN_PARTS)
    def test_texts_are_kept(self, template):
        made = ChatTemplate(chat_tokenizer(template))
        assert made.render([SYSTEM, USER, THERE, USER]) == (
            "<system>Be brief.<user>Hi<assistant>Hello.<user>Hi<assistant>"
        )
        assert made.render([USER]) == "<user>Hi<assistant>"

    def test_one_that_refuses_system_messages_too(self):
        refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No') }}{% endif %}"
        made = ChatTemplate(chat_tokenizer(refuses + IN_PARTS["loop"]))
        assert made.render([USER, THERE, USER]) == "<user>Hi<assistant>Hello.<user>Hi<assistant>"

    def test_a_list_is_never_printed(self):
        """A template that cuts texts must not pass because it prints the list around a text in full."""
        made = ChatTemplate(chat_tokenizer(HEAD + "{{ m['content'][:3] }}{% endfor %}"))
        assert "type" not in made.render([SYSTEM, {"role": "user", "content": "Hello"}])


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('No\x1b[31m way') }}", r"TemplateError 'No\\x1b\[31m way'"),
        ("{{ messages[0]['content'] + 1 }}", "TypeError"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ functions.x }}", "UndefinedError \"'functions' is undefined\""),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("{{ messages[0]['content'] | nosuch }}", "TemplateAssertionError|TemplateRuntimeError"),
        ("{% if %}", "TemplateSyntaxError"),
        ("{{ messages.append(1) }}", "SecurityError"),
    ],
)
def test_whatever_a_template_raises_is_ours(template, said):
    with pytest.raises(ModelSourceError, match="the chat template failed: " + f"(?:{said})"):
        ChatTemplate(chat_tokenizer(template)).render([USER])
