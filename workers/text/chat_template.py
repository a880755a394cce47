"""A tokenizer's chat template: turns -> text, on one date.

In: a tokenizer of the transformers library, the name of one of its templates, and the time that its clock shows. Out:
text. Any error in a template becomes a ``ModelSourceError`` with the original message. Some templates take a turn's
text as a list of parts; trial renderings find these. Knows nothing about specs, questions and chains.
``template_check`` finds whether a template can be trusted.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cotfaith.schemas.errors import ModelSourceError
from cotfaith.schemas.suggest import unknown

Turn = dict[str, str]

_CLOCK = "strftime_now"  # the only clock that transformers gives to templates
_DEFAULT = "default"
_LONGEST_REASON = 200
_ROLES = ("system", "user", "assistant")
_SHAPES = (("system", "user", "assistant", "user"), ("user", "assistant", "user"), ("system", "user"), ("user",))


class ChatTemplate:
    """One of a tokenizer's templates.

    ``date`` is what the template's clock shows, by default the current time. It is fixed, so all prompts of a run
    agree.
    """

    def __init__(self, tokenizer: Any, name: str | None = None, date: datetime | None = None) -> None:
        self._tokenizer = tokenizer
        self._name = name
        self._date = date or datetime.now(UTC).replace(microsecond=0)
        self._found = getattr(tokenizer, "chat_template", None)
        self.dates: list[str] = []
        """The texts that the clock gave the template, without repeats."""

    @property
    def exists(self) -> bool:
        """Whether the tokenizer has a template; an empty text does not count."""
        texts = self._found.values() if isinstance(self._found, Mapping) else [self._found]
        return any(isinstance(text, str) and text.strip() for text in texts)

    def render(self, turns: Sequence[Turn], opened: bool = True) -> str:
        """Return the turns as text; ``opened``: with the beginning of the assistant's turn.

        Raises:
            ModelSourceError: the template does not exist or raised an error.

        """
        return self._applied([self._sent(turn, self._in_parts) for turn in turns], opened)

    @cached_property
    def written(self) -> str:
        """A sample of what the template writes around turns, including their texts; "" if no sample renders."""
        texts = []
        for shape in _SHAPES:
            with contextlib.suppress(ModelSourceError):
                texts.append(self.render([{"role": role, "content": "text"} for role in shape]))
        return "\n".join(texts)

    def _applied(self, turns: list[dict[str, Any]], opened: bool) -> str:
        options: dict[str, Any] = {_CLOCK: self._clock} if _CLOCK in self._text else {}
        try:
            text = self._tokenizer.apply_chat_template(
                turns, chat_template=self._text, tokenize=False, add_generation_prompt=opened, **options
            )
        except Exception as error:  # third-party code can raise anything
            raise ModelSourceError(f"the chat template failed: {_reason(error)}") from error
        return str(text)

    def _clock(self, form: str) -> str:
        told = self._date.strftime(form)
        if told not in self.dates:
            self.dates.append(told)
        return told

    @cached_property
    def _text(self) -> str:
        found, name = self._found, self._name
        if isinstance(found, Mapping):
            return str(_named(found, name))
        if name not in (None, _DEFAULT):
            raise ModelSourceError(
                f"there is only one chat template, without a name, so there is no {name!r}; remove chat_template"
            )
        if not isinstance(found, str):
            raise ModelSourceError("there is no chat template")
        return found

    def _sent(self, turn: Turn, in_parts: frozenset[str]) -> dict[str, Any]:
        if turn["role"] not in in_parts:
            return dict(turn)
        return turn | {"content": [{"type": "text", "text": turn["content"]}]}

    @cached_property
    def _in_parts(self) -> frozenset[str]:
        """The roles whose content must be a list of parts: otherwise the template loses texts."""
        for shape, in_parts in itertools.product(_SHAPES, _choices()):
            turns = [{"role": role, "content": f"cotfaith{number}turn"} for number, role in enumerate(shape)]
            try:
                text = self._applied([self._sent(turn, in_parts) for turn in turns], opened=True)
            except ModelSourceError:
                continue
            if all(text.count(turn["content"]) == 1 for turn in turns) and "'type'" not in text:
                return in_parts  # otherwise the template printed the list as Python source
        return frozenset()


def _choices() -> Iterator[frozenset[str]]:
    """Yield the sets of roles, the smallest first."""
    yield from (frozenset(some) for size in range(len(_ROLES) + 1) for some in itertools.combinations(_ROLES, size))


def _named(templates: Mapping[str, Any], name: str | None) -> Any:
    wanted = _DEFAULT if name is None else name
    if wanted in templates:
        return templates[wanted]
    if name is None:
        raise ModelSourceError(
            f"the tokenizer has the chat templates {', '.join(sorted(templates))}, and none is the default: "
            "set chat_template to one of these names"
        )
    raise ModelSourceError(f"chat_template: {unknown('template', name, templates)}")


def _reason(error: Exception) -> str:
    """Return the error in one line; its text is not trusted, so control characters are shown as escapes."""
    said = " ".join(str(error).split())[:_LONGEST_REASON]
    return f"{type(error).__name__} {said!r}" if said else type(error).__name__
