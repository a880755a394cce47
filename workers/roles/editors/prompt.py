"""The prompts of model editors: files that contain {step}, the package's or the user's.

A prompt is an instruction, examples and the step, with an empty line between them. The line after which the model
writes, such as "With a mistake:", also occurs in every example, so a chat model gets the examples as turns of a
conversation; a prompt without such examples is one turn. A step is inserted by plain replacement: what a model wrote is
never a format string. A prompt's hash is in every row.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cotfaith.schemas.errors import SpecError
from cotfaith.schemas.spec import EditorSpec
from cotfaith.workers.remote.files import local_file

PLACE = "{step}"
PromptKind = Literal["mistake", "paraphrase", "plausible"]
PROMPT_KINDS: tuple[PromptKind, ...] = get_args(PromptKind)
_OURS = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Prompt:
    """A text with a place for a step."""

    text: str

    @property
    def hash(self) -> str:
        """The first 12 hexadecimal digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """The text before a step on its line; if a model writes it, it has begun another example."""
        return self.text[: self.text.rindex(PLACE)].rpartition("\n")[2].strip()

    def about(self, step: str) -> str:
        """Return the text with ``step`` in its place."""
        return self.text.replace(PLACE, step)

    def turns_about(self, step: str) -> list[dict[str, str]]:
        """Return the prompt as turns of a conversation, ending with the user's."""
        *blocks, last = self.text.split("\n\n")
        cue = last.rpartition("\n")[2]
        said, turns = "", []
        for block in blocks:
            asked, found, answer = block.rpartition(cue)
            if found and PLACE not in block:
                turns += [_turn("user", said + asked + cue), _turn("assistant", answer.strip())]
                said = ""
            else:
                said += f"{block}\n\n"
        return [*turns, _turn("user", (said + last).replace(PLACE, step))]


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def find_prompt(kind: PromptKind, spec: EditorSpec) -> Prompt:
    """Return the prompt that ``spec`` names, or the package's.

    A value that contains {step} is itself the prompt: a driver sends texts, since its files are not on every machine.

    Raises:
        SpecError: the file cannot be read or has no place for the step.

    """
    given = _given(spec, kind)
    if given is not None and PLACE in given:
        return Prompt(given.rstrip())
    origin = f"editor.{kind}_prompt"
    return _read(_OURS / f"{kind}.txt" if given is None else local_file(given, origin), origin)


@functools.lru_cache(maxsize=16)
def _read(path: Path, origin: str) -> Prompt:
    try:
        text = path.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{origin}: expected a text file that contains {PLACE}, got {str(path)!r}: {error}") from None
    if PLACE not in text:
        raise SpecError(f"{origin}: {str(path)!r} has no {PLACE}: put it where the step belongs.")
    return Prompt(text)


def with_prompts(spec: EditorSpec) -> EditorSpec:
    """Return ``spec`` with the texts of the user's files in place of their names."""
    given = [kind for kind in PROMPT_KINDS if _given(spec, kind) is not None]
    return spec.model_copy(update={f"{kind}_prompt": find_prompt(kind, spec).text for kind in given})


def _given(spec: EditorSpec, kind: PromptKind) -> str | None:
    return {"mistake": spec.mistake_prompt, "paraphrase": spec.paraphrase_prompt}.get(kind)
