"""The prompts of model editors: files that contain {step}, or {question} and {chain}; the package's or the user's.

A prompt is an instruction, examples and the step, with an empty line between them. The line after which the model
writes, such as "With a mistake:", also occurs in every example, so a chat model gets the examples as turns of a
conversation; a prompt without such examples is one turn. Texts are inserted by plain replacement, all at once: what a
model wrote is never a format string, and no place in it is filled. A prompt's hash is in every row.
"""

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import EditorSpec
from cotfaith.workers.remote.files import local_file

PLACE = "{step}"
PromptKind = Literal["mistake", "paraphrase", "plausible", "question"]
PROMPT_KINDS: tuple[PromptKind, ...] = ("mistake", "paraphrase", "plausible")
"""Those for edits of a chain's steps."""
_PLACES = {"question": ("{question}", "{chain}")}
"""Kind -> its places, where they are not the one for a step."""
_OURS = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Prompt:
    """A text with places for other texts."""

    text: str
    places: tuple[str, ...] = (PLACE,)

    @property
    def hash(self) -> str:
        """The first 12 hexadecimal digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """The text before the first place on its line; if a model writes it, it has begun another example."""
        return self.text[: self.text.rindex(self.places[0])].rpartition("\n")[2].strip()

    def about(self, *texts: str) -> str:
        """Return the text with ``texts`` in its places."""
        return self._filled(self.text, texts)

    def turns_about(self, *texts: str) -> list[dict[str, str]]:
        """Return the prompt as turns of a conversation, ending with the user's."""
        *blocks, last = self.text.split("\n\n")
        cue = last.rpartition("\n")[2]
        said, turns = "", []
        for block in blocks:
            asked, found, answer = block.rpartition(cue)
            if found and not any(place in block for place in self.places):
                turns += [_turn("user", said + asked + cue), _turn("assistant", answer.strip())]
                said = ""
            else:
                said += f"{block}\n\n"
        return [*turns, _turn("user", self._filled(said + last, texts))]

    def _filled(self, text: str, texts: Sequence[str]) -> str:
        found = dict(zip(self.places, texts, strict=True))
        return re.sub("|".join(map(re.escape, self.places)), lambda place: found[place.group()], text)


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def find_prompt(kind: PromptKind, spec: EditorSpec) -> Prompt:
    """Return the prompt that ``spec`` names, or the package's.

    A value that contains a place is itself the prompt: a driver sends texts, since its files are not on every machine.

    Raises:
        SpecError: the file cannot be read or lacks a place.

    """
    given, origin, places = _given(spec, kind), f"editor.{kind}_prompt", _PLACES.get(kind, (PLACE,))
    if given is not None and any(place in given for place in places):
        return _checked(given, f"{origin}: the prompt", places)
    return _read(_OURS / f"{kind}.txt" if given is None else local_file(given, origin), origin, places)


@functools.lru_cache(maxsize=16)
def _read(path: Path, origin: str, places: tuple[str, ...]) -> Prompt:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        wanted = " and ".join(places)
        raise SpecError(f"{origin}: expected a text file that contains {wanted}, got {str(path)!r}: {error}") from None
    return _checked(text, f"{origin}: {str(path)!r}", places)


def _checked(text: str, origin: str, places: tuple[str, ...]) -> Prompt:
    if missing := next((place for place in places if place not in text), None):
        raise SpecError(f"{origin} has no {missing}: put it where the {missing.strip('{}')} belongs.")
    return Prompt(text.rstrip(), places)


def with_prompts(spec: EditorSpec) -> EditorSpec:
    """Return ``spec`` with the texts of the user's files in place of their names."""
    given = [kind for kind in get_args(PromptKind) if _given(spec, kind) is not None]
    return spec.model_copy(update={f"{kind}_prompt": find_prompt(kind, spec).text for kind in given})


def _given(spec: EditorSpec, kind: PromptKind) -> str | None:
    found: str | None = getattr(spec, f"{kind}_prompt", None)
    return found
