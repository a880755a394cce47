"""A check of a model's chat template before any weights load: does it write each text of the run's turns once?

In: a model of the spec, its codec, and the texts of the run. Out: notes for the user, or a ``ModelSourceError`` with
what the template does and the way out. Every shape of conversation that the run uses is rendered with marks in the
place of texts. The system message, question, earlier answer and next question must each appear once, letter for letter.
White space around a text may be lost: it never matters at the ends of a prompt, and a chain never passes through the
template.

Templates are untrusted code: their output is always shown with escapes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.records import AnswerFormat, Item
from cotfaith.schemas.spec import ModelSpec, PromptSpec
from cotfaith.workers.roles.editors.prompt import Prompt
from cotfaith.workers.text.chat_template import Turn
from cotfaith.workers.text.codec import Codec, uses_chat
from cotfaith.workers.text.conversation import Conversation, assistant, conversation, user
from cotfaith.workers.text.template_marks import difference, head, mark, name_of, shown
from cotfaith.workers.text.template_opening import check_opening, opening_notes
from cotfaith.workers.text.templates import Templates, check_thinking
from cotfaith.workers.text.turn_templates import make_templates

_RENDERINGS = 20
"""Renderings of one conversation. A template that draws one of two words at random passes once in 500 000 times."""
_WAYS_OUT = "Use chat: never, or name another of its templates (chat_template)."
_NO_SYSTEM = "Remove system, use chat: never, or name another of its templates (chat_template)."


def check_template(
    model: ModelSpec, codec: Codec, prompts: PromptSpec, items: Iterable[Item] = (), edits: Sequence[Prompt] = ()
) -> list[str]:
    """Check the template of ``model`` on the texts that the run puts in; return what the user should know.

    ``items``: the items that it is asked about as a subject. ``edits``: the prompts that it gets as an editor.

    Raises:
        ModelSourceError: prompts would differ from what the spec says.

    """
    if codec.whole_turns:
        return [_whole_turns_note(model)]
    if not uses_chat(model, codec):
        return [f"models.{model.id}.system is not used: its prompts go through no chat template."] * bool(model.system)
    check = _Check(model, codec)
    check.steady()
    check.kept()
    check_thinking(model, codec)
    check_opening(model.id, check.told)
    templates, continues = Templates(model, prompts, codec), False
    for item in items:
        if templates.earlier(item) and not continues:
            check.kept_earlier()
            continues = True
        check.question(templates, item)
    for prompt in edits:
        check.edit(prompt)
    return [f"models.{model.id}: {note}" for note in (*opening_notes(check.told), *check.notes())]


def template_digest(model: ModelSpec, codec: Codec) -> str:
    """Return a hash of what the template writes around the texts of a run; "none" if prompts use no template.

    ``codec`` must have a date that is the same for all runs.
    """
    if codec.whole_turns:
        return _hash(_whole_turns(model, codec))
    if not uses_chat(model, codec):
        return "none"
    told = conversation(codec, model.system, model.thinking != "none")
    texts = [told.opened([user("question")], "answer")]
    if model.thinking == "none":
        texts.append(told.rendered([user("question"), assistant("answer"), user("next")]))
    return _hash(texts)


def _hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _whole_turns(model: ModelSpec, codec: Codec) -> list[str]:
    """Return an item's prompts of each kind and for each answer format, in the form "chat"."""
    told = make_templates(model, PromptSpec(), codec)
    found = ["form: chat"]
    for form in get_args(AnswerFormat):
        item = Item("i", "question", "A", form, ("one", "two") if form in ("choice", "boolean") else ())
        found += [told.cot(item), told.answer_after(item, "chain"), told.no_cot(item)]
    return found


def _whole_turns_note(model: ModelSpec) -> str:
    return (
        f"models.{model.id}: prompts have the form chat: whole turns, answers by instruction, no turn opened. "
        "Compare its figures only with those of the same form. Its server tokenises: tokens in the plan are a guess "
        "(4 bytes each), and questions too long for its window are only seen in the run."
    )


@dataclass(frozen=True)
class _Check:
    """The checks of one model."""

    model: ModelSpec
    codec: Codec

    @cached_property
    def told(self) -> Conversation:
        """The conversation with the spec's system message."""
        return conversation(self.codec, self.model.system, self._thinks)

    @cached_property
    def _marked(self) -> Conversation:
        """The same conversation with a mark as its system message."""
        return conversation(self.codec, None if self.model.system is None else mark("system message"), self._thinks)

    @property
    def _thinks(self) -> bool:
        return self.model.thinking != "none"

    def steady(self) -> None:
        """Render one conversation many times: the template may draw at random."""
        asked = [user("?")]
        first = self._rendered(self.told, asked, "")
        for _ in range(_RENDERINGS - 1):
            if (again := self.told.rendered(asked)) != first:
                raise self._error(
                    "its chat template writes something else each time: "
                    f"{shown(difference(again, first))}, then {shown(difference(first, again))}. {_WAYS_OUT}"
                )

    def kept(self) -> None:
        """Render the run's shapes of turns with marks."""
        asked = [user(mark("question"))]
        self._kept(asked, "", "")
        if self._thinks and "editor" not in self.model.roles:
            return  # answers are in the turn of the thought, so no earlier answer is ever written
        self.kept_earlier()
        if self._marked.system is not None:
            self._system_stands_once(self._marked.system)

    def kept_earlier(self) -> None:
        """Render a conversation that continues with marks."""
        history = [user(mark("question")), assistant(mark("earlier answer")), user(mark("next question"))]
        self._kept(history, ", on an earlier answer", " in a conversation that continues: past turns are not kept")

    def question(self, templates: Templates, item: Item) -> None:
        """Look for the question in its prompt: a template may read some words as switches."""
        try:
            prompt = templates.cot(item)
        except ModelSourceError as error:
            raise self._error(f"on the question of {_named(item)}, {error}. {_WAYS_OUT}") from error
        place = 0
        for turn in templates.earlier(item):
            place = prompt.find(turn["content"].strip(), place)
            if place < 0:
                raise self._error(
                    f"its chat template leaves out or changes an earlier turn of {_named(item)}: "
                    f"{shown(turn['content'])}. {_WAYS_OUT}"
                )
            place += len(turn["content"].strip())
        if templates.question(item).strip() not in prompt[place:]:
            raise self._error(
                f"its chat template changes the question of {_named(item)}. Leave that item out, or use chat: never."
            )

    def edit(self, prompt: Prompt) -> None:
        """Render an editor's conversation: its examples in order, then the step."""
        step, place = mark("step"), 0
        turns = prompt.turns_about(step)
        text = self._rendered(self.told, turns, ", on an editor's prompt")
        for turn in turns:
            place = text.find(turn["content"].strip(), place)
            if place < 0 or text.count(step) != turns[-1]["content"].count(step):
                raise self._error(
                    "its chat template leaves out, changes or repeats a turn of the editor's prompt: "
                    f"{shown(turn['content'])}. {_WAYS_OUT}"
                )

    def notes(self) -> list[str]:
        """Return what the template does with the system message and the date."""
        notes, dates = [], getattr(getattr(self.codec, "template", None), "dates", None)
        if (self.model.system or "").strip() not in self.told.rendered([user("?")]):
            notes.append("its chat template changes the words of this system message, which it reads as a switch.")
        if dates:
            listed = ", ".join(map(shown, dates))
            notes.append(f"its chat template asks for the date; all prompts of this run say {listed} (prompts.date).")
        return notes

    def _kept(self, turns: Sequence[Turn], what: str, where: str) -> None:
        """Raise if the template leaves out, repeats or changes a text."""
        text = self._rendered(self._marked, turns, what)
        texts = [turn["content"] for turn in turns]
        if self._marked.system is not None and text.count(self._marked.system) != 1:
            raise self._error(f"{_fault(self._marked.system, text)}{where}. {_NO_SYSTEM}", ".system")
        for kept in texts:
            if text.count(kept) != 1:
                raise self._error(f"{_fault(kept, text)}{where}. {_WAYS_OUT}")

    def _system_stands_once(self, system: str) -> None:
        """Check the prompt that asks for an answer after a chain, as it is assembled."""
        joined = self._marked.opened([user("question")], "chain") + self._marked.after_answer("next", "answer")
        if joined.count(system) != 1:
            raise self._error(
                "its chat template moves the system message to the last question: a prompt with a chain would have it "
                f"{joined.count(system)} times. {_NO_SYSTEM}",
                ".system",
            )

    def _rendered(self, told: Conversation, turns: Sequence[Turn], what: str) -> str:
        """Return the turns as text; the template's error is raised as ours, with the setting that it concerns."""
        try:
            return told.rendered(turns)
        except ModelSourceError as error:
            if told.system is not None and _renders(told, turns, None):
                text, part = f"{error}: it takes no system message. {_NO_SYSTEM}", ".system"
            elif told.system is None and _renders(told, turns, "Be brief."):
                text, part = f"{error}: it needs a system message. Set system, or use chat: never.", ".system"
            else:
                text, part = f"{str(error).rstrip('.')}{what}. {_WAYS_OUT}", ""
            raise self._error(text, part) from error

    def _error(self, text: str, part: str = "") -> ModelSourceError:
        return ModelSourceError(f"models.{self.model.id}{part}: {text}")


def _named(item: Item) -> str:
    return f"item {item.id!r}" + ("" if item.variant is None else f" under {item.variant.name}")


def _fault(kept: str, text: str) -> str:
    name, count = name_of(kept), text.count(kept)
    if count > 1:
        return f"its chat template writes the {name} {count} times"
    if head(name) not in text:
        return f"its chat template leaves the {name} out"
    written = text[text.index(head(name)) :]
    return f"its chat template changes the {name}: {shown(difference(kept, written))}"


def _renders(told: Conversation, turns: Sequence[Turn], system: str | None) -> bool:
    try:
        conversation(told.codec, system, told.thinks).rendered(turns)
    except ModelSourceError:
        return False
    return True
