"""The prompts of readers: files with places such as {chain}, the package's or the user's.

A place is filled by plain replacement, all places at once: nothing that is inserted is a format string, or is searched
for places. Control tokens that an inserted text spells stay text. A prompt's hash is in every row.
"""

import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cotfaith.schemas.errors import SpecError
from cotfaith.workers.remote.files import local_file
from cotfaith.workers.text.codec import Codec

CHAIN = "chain"
"""The place of the text that is read."""
_OURS = Path(__file__).parent / "prompts"
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Prompt:
    """A text with places."""

    text: str

    @property
    def hash(self) -> str:
        """The first 12 hexadecimal digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    def told(self, **parts: str) -> "Prompt":
        """Return the prompt with these places filled by texts of ours, which may have places themselves."""
        return Prompt(_PLACE.sub(lambda found: parts.get(found[1], found[0]), self.text))

    def filled(self, codec: Codec, parts: Mapping[str, str]) -> str:
        """Return the text with ``parts`` (place -> any text) in their places; other braces stay."""
        return _PLACE.sub(lambda found: codec.plain(parts[found[1]]) if found[1] in parts else found[0], self.text)


def find_prompt(probe: str, name: str, given: Mapping[str, str]) -> Prompt:
    """Return the prompt ``name`` of a probe: the package's, or what the probe's option ``prompts`` gives in its place.

    A value that contains {chain} is itself the prompt: a driver sends texts, since its files are not on every machine.

    Raises:
        SpecError: the file cannot be read, or has no place for the chain.

    """
    value = given.get(name)
    if value is None:
        return _read(_OURS / f"{name}.txt", name)
    if "{" + CHAIN + "}" in value:
        return Prompt(value.rstrip())
    origin = f"probes.{probe}.options.prompts.{name}"
    prompt = _read(local_file(value, origin), origin)
    if "{" + CHAIN + "}" not in prompt.text:
        raise SpecError(f"{origin}: {value!r} has no {{chain}}. Put it where the chain belongs.")
    return prompt


def given_texts(probe: str, names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the option ``prompts`` with the texts of files in place of their names.

    Raises:
        SpecError: as ``find_prompt``, or the probe has no such prompt.

    """
    for name in given:
        if name not in names:
            known = ", ".join(names)
            raise SpecError(f"probes.{probe}.options.prompts: there is no prompt {name!r}. Known: {known}.")
    return {name: find_prompt(probe, name, given).text for name in given}


@functools.lru_cache(maxsize=64)
def _read(path: Path, origin: str) -> Prompt:
    try:
        return Prompt(path.read_text(encoding="utf-8").rstrip())
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{origin}: expected a text file with {{chain}}, got {str(path)!r}: {error}") from None
