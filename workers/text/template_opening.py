"""How a chat template opens the assistant's turn: what prompts add to it, and which templates cannot be used.

In: a model's conversation. Out: notes, or a ``ModelSourceError``. ``conversation`` has the rule: prompts open the turn
as the template does before an earlier answer, provided that this continues the generation prompt.
"""

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.workers.text.conversation import THINK, Conversation, assistant, fresh_mark, user
from cotfaith.workers.text.template_marks import shown

_WAYS_OUT = "Use chat: never, or name another of its templates (chat_template)."


def check_opening(model: str, told: Conversation) -> None:
    """Raise if the template gives no way to open an assistant's turn; ``model`` is the model's id.

    Raises:
        ModelSourceError: with the reason.

    """
    opening, before = told.seams.opening, told.seams.before_answer
    goes_on = opening is not None and before is not None and before.startswith(opening)
    if not goes_on and not _has_generation_prompt(told):
        raise ModelSourceError(
            f"models.{model}: its chat template has no generation prompt, and none can be taken from an earlier "
            f"answer: a chain would be outside any turn. {_WAYS_OUT}"
        )
    if opening == "" and not told.added:
        raise ModelSourceError(
            f"models.{model}: its chat template writes nothing between a question and the answer. {_WAYS_OUT}"
        )
    if told.added and not _is_the_same_later(told):
        raise ModelSourceError(
            f"models.{model}: its chat template writes {shown(before or '')} before one earlier answer and something "
            f"else before the next, so that prompts cannot open a turn as it does. {_WAYS_OUT}"
        )
    if told.thinks and told.added.strip() and THINK not in (before or "") and _has_generation_prompt(told):
        raise ModelSourceError(
            f"models.{model}.thinking is think_tags, but its chat template writes {shown(told.added)} between the "
            "generation prompt and an answer: the thought would follow that. Set thinking: none, or chat: never."
        )


def opening_notes(told: Conversation) -> list[str]:
    """Return notes on where prompts differ from the template, and on a template that does not mark the speaker."""
    opening, before, notes = told.seams.opening, told.seams.before_answer, []
    if opening is None or before is None:
        return []
    if before == told.seams.after_answer:
        notes.append("its chat template does not distinguish the assistant's turns from the user's.")
    if before != opening:
        added = f"prompts add {shown(told.added)}, as there" if told.added else "chains and answers follow the latter"
        notes.append(
            f"its chat template writes {shown(before)} before an earlier answer, and {shown(opening)} where the model "
            f"is to speak; {added}."
        )
    return notes


def _has_generation_prompt(told: Conversation) -> bool:
    asked = [user("?")]
    return told.rendered(asked) != told.rendered(asked, opened=False)


def _is_the_same_later(told: Conversation) -> bool:
    """Return whether a second earlier answer is opened like the first."""
    first, asked, second = (fresh_mark(name, told.system or "") for name in ("first", "asked", "second"))
    turns = [user("?"), assistant(first), user(asked), assistant(second), user("?")]
    try:
        text = told.rendered(turns)
    except ModelSourceError:
        return False
    return text.partition(asked)[2].partition(second)[0] == told.seams.before_answer
